//! Spans in memory, searched in the batches they came in.
//!
//! Says the same as the SQL of [`filter`](super::filter) and [`traces`](super::traces) does of segments; a test holds
//! them to it. Symbols make it quick: a name or value that a batch does not have is not in any of its rows.

use super::filter::is_service;
use super::session::Session;
use super::traces::{Found, Position, Search};
use crate::columns::Part;
use crate::context::{ContextTable, Resource};
use crate::slice::Slice;
use hashbrown::{HashMap, HashSet};
use orrery_model::{SpanBatch, Sym, TraceId, Value, semconv};
use orrery_query::plan::AttributeFilter;
use orrery_query::{QueryError, TimeRange};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// Batches looked at between two questions whether the query should stop.
const BREATH: usize = 64;

/// A slice's spans as of now.
pub(super) struct HotSpans {
    parts: Vec<Part<SpanBatch>>,
    context: Arc<ContextTable>,
}

/// A span in memory.
#[derive(Clone, Copy)]
pub(super) struct HotSpan<'a> {
    pub(super) batch: &'a SpanBatch,
    pub(super) row: usize,
    /// Number of its resource in the slice.
    pub(super) resource: u32,
    /// Number of its scope in the slice.
    pub(super) scope: u32,
}

impl HotSpans {
    pub(super) fn of(slice: &Slice) -> HotSpans {
        let (parts, context) = slice.spans.held();
        HotSpans { parts, context }
    }

    pub(super) fn context(&self) -> &ContextTable {
        &self.context
    }

    /// All spans of these traces.
    pub(super) fn of_traces(
        &self,
        session: &Session<'_>,
        traces: &[TraceId],
        mut each: impl FnMut(TraceId, HotSpan<'_>),
    ) -> Result<(), QueryError> {
        let wanted: HashSet<TraceId> = traces.iter().copied().collect();
        self.each_part(session, |part| {
            for (row, trace) in part.batch.trace_id.iter().enumerate().filter(|(_, trace)| wanted.contains(*trace)) {
                each(*trace, span(part, row));
            }
        })
    }

    /// The newest matches below a position, newest first, at most `limit`.
    pub(super) fn newest(
        &self,
        session: &Session<'_>,
        search: &Search<'_>,
        before: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Found>, QueryError> {
        let mut newest: BinaryHeap<Reverse<Found>> = BinaryHeap::with_capacity(limit + 1);
        self.each_match(session, search, |found| {
            let position = (found.0, found.1);
            let counts = before.is_none_or(|before| position < before)
                && (newest.len() < limit || newest.peek().is_some_and(|Reverse(worst)| *worst < found));
            if counts {
                newest.push(Reverse(found));
                if newest.len() > limit {
                    newest.pop();
                }
            }
        })?;
        Ok(newest.into_sorted_vec().into_iter().map(|Reverse(found)| found).collect())
    }

    /// Which of these traces have a match at a position or above.
    pub(super) fn shown(
        &self,
        session: &Session<'_>,
        search: &Search<'_>,
        after: Position,
        traces: &[TraceId],
    ) -> Result<HashSet<TraceId>, QueryError> {
        let wanted: HashSet<TraceId> = traces.iter().copied().collect();
        let mut shown = HashSet::new();
        self.each_match(session, search, |(start, trace, _)| {
            if (start, trace) >= after && wanted.contains(&trace) {
                shown.insert(trace);
            }
        })?;
        Ok(shown)
    }

    /// The values of a field with the number of spans that have it; `name` is the span's name.
    pub(super) fn values(
        &self,
        session: &Session<'_>,
        key: &str,
        range: TimeRange,
        counts: &mut HashMap<String, u64>,
    ) -> Result<(), QueryError> {
        let inherited = |resource: u32| {
            let resource = self.context.resource(resource);
            let unnamed = || (key == "service.name").then(|| resource.service.service_name.clone());
            semconv::spellings(key).find_map(|key| resource.text(key)).or_else(unnamed)
        };
        let inherited: Vec<Option<String>> = match key {
            "name" => Vec::new(),
            _ => (0..self.context.resources().len() as u32).map(inherited).collect(),
        };
        self.each_part(session, |part| {
            let batch = &*part.batch;
            let strings = &batch.context.strings;
            let keys: Vec<Sym> = semconv::spellings(key).filter_map(|key| strings.find(key)).collect();
            let mut symbols: HashMap<Sym, u64> = HashMap::new();
            for row in rows_in(batch, range) {
                if key == "name" {
                    *symbols.entry(batch.name[row]).or_default() += 1;
                    continue;
                }
                let of_key = |wanted: &Sym| batch.attributes.row(row).find(|(key, _)| key == wanted);
                match keys.iter().find_map(of_key) {
                    Some((_, Value::String(symbol))) => *symbols.entry(symbol).or_default() += 1,
                    Some((_, value)) => *counts.entry(value.to_text(strings)).or_default() += 1,
                    None => {
                        if let Some(value) = &inherited[span(part, row).resource as usize] {
                            *counts.entry_ref(value).or_default() += 1;
                        }
                    }
                }
            }
            for (symbol, count) in symbols {
                *counts.entry_ref(strings.get(symbol)).or_default() += count;
            }
        })
    }

    fn each_part(&self, session: &Session<'_>, mut each: impl FnMut(&Part<SpanBatch>)) -> Result<(), QueryError> {
        for parts in self.parts.chunks(BREATH) {
            session.check()?;
            parts.iter().for_each(&mut each);
        }
        Ok(())
    }

    fn each_match(
        &self,
        session: &Session<'_>,
        search: &Search<'_>,
        mut each: impl FnMut(Found),
    ) -> Result<(), QueryError> {
        let wanted = |resource: &Resource| {
            search.plan.service.as_ref().is_none_or(|wanted| is_service(wanted, &resource.service()))
        };
        let services: Vec<bool> = self.context.resources().iter().map(|resource| wanted(resource)).collect();
        let filters: Vec<Filter<'_>> =
            search.plan.attributes.iter().map(|filter| Filter::new(filter, &self.context)).collect();
        self.each_part(session, |part| {
            let batch = &*part.batch;
            let Some(test) = Test::new(search, part, &filters) else { return };
            for row in rows_in(batch, search.plan.range) {
                let resource = span(part, row).resource as usize;
                if services[resource] && part.arrival.of(row) < search.arrived_before && test.holds(row, resource) {
                    each((batch.start_time_unix_nano[row], batch.trace_id[row], batch.span_id[row]));
                }
            }
        })
    }
}

fn span(part: &Part<SpanBatch>, row: usize) -> HotSpan<'_> {
    let batch = &*part.batch;
    HotSpan {
        batch,
        row,
        resource: part.resources[batch.resource[row] as usize],
        scope: part.scopes[batch.scope[row] as usize],
    }
}

fn rows_in(batch: &SpanBatch, range: TimeRange) -> impl Iterator<Item = usize> {
    let starts = batch.start_time_unix_nano.iter().enumerate();
    starts.filter(move |(_, start)| (range.from..range.to).contains(*start)).map(|(row, _)| row)
}

/// An attribute filter, with what does not depend on the batch.
struct Filter<'a> {
    filter: &'a AttributeFilter,
    /// By number: whether the resource has the value.
    resources: Vec<bool>,
}

impl<'a> Filter<'a> {
    fn new(filter: &'a AttributeFilter, context: &ContextTable) -> Filter<'a> {
        let has = |resource: &Arc<Resource>| {
            semconv::spellings(&filter.key).any(|key| resource.text(key).as_ref() == Some(&filter.value))
        };
        Filter { filter, resources: context.resources().iter().map(has).collect() }
    }
}

/// A plan's conditions on the rows of one batch.
struct Test<'a> {
    search: &'a Search<'a>,
    batch: &'a SpanBatch,
    operation: Option<Sym>,
    filters: Vec<PartFilter<'a>>,
}

struct PartFilter<'a> {
    of: &'a Filter<'a>,
    keys: Vec<Sym>,
    value: Option<Sym>,
}

impl<'a> Test<'a> {
    /// `None` if no row can match.
    fn new(search: &'a Search<'_>, part: &'a Part<SpanBatch>, filters: &'a [Filter<'a>]) -> Option<Test<'a>> {
        let strings = &part.batch.context.strings;
        let operation = match &search.plan.operation {
            Some(operation) => Some(strings.find(operation)?),
            None => None,
        };
        let filters = filters.iter().map(|of| PartFilter {
            of,
            keys: semconv::spellings(&of.filter.key).filter_map(|key| strings.find(key)).collect(),
            value: strings.find(&of.filter.value),
        });
        Some(Test { search, batch: &part.batch, operation, filters: filters.collect() })
    }

    fn holds(&self, row: usize, resource: usize) -> bool {
        let (plan, batch) = (self.search.plan, self.batch);
        let duration = batch.duration_nanos[row];
        self.operation.is_none_or(|operation| batch.name[row] == operation)
            && plan.error.is_none_or(|error| (batch.status_code[row] == 2) == error)
            && plan.min_duration_nanos.is_none_or(|least| duration >= least)
            && plan.max_duration_nanos.is_none_or(|most| duration <= most)
            && self.filters.iter().all(|filter| filter.holds(batch, row, resource))
    }
}

impl PartFilter<'_> {
    /// The span's own attribute under any spelling or, where it has none, the resource's.
    fn holds(&self, batch: &SpanBatch, row: usize, resource: usize) -> bool {
        let mut own = None;
        for (key, value) in batch.attributes.row(row) {
            if self.keys.contains(&key) {
                own = Some(own == Some(true) || self.is(batch, value));
            }
        }
        own.unwrap_or(self.of.resources[resource]) != self.of.filter.negated
    }

    fn is(&self, batch: &SpanBatch, value: Value) -> bool {
        match value {
            Value::String(symbol) => self.value == Some(symbol),
            other => other.to_text(&batch.context.strings) == self.of.filter.value,
        }
    }
}
