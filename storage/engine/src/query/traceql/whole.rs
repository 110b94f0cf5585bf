//! Whole traces: all their spans, wherever they are, each once.

use super::super::session::Session;
use super::super::source::Source;
use super::needs::Needs;
use super::rows::{Rows, View};
use crate::segment::read::Wanted;
use hashbrown::{HashMap, HashSet};
use orrery_model::{SpanBatch, TraceId};
use orrery_query::{QueryError, TimeRange};
use std::collections::BTreeSet;

/// Spans read for the traces of one call, at most.
const SPANS: usize = 1_000_000;
const TOO_MANY: &str = "these traces have too many spans to look at them all";

/// Traces by id.
#[derive(Default)]
pub(super) struct Traces {
    rows: Vec<Rows>,
    spans: HashMap<TraceId, Vec<(u32, u32)>>,
    count: usize,
}

/// One trace: its spans by start time, then id.
pub(super) struct Whole<'a> {
    rows: &'a [Rows],
    spans: Vec<(u32, u32)>,
    parents: Vec<u32>,
}

/// Reads traces, of their spans only those that arrived before, in places with spans of the range.
pub(super) fn read(
    session: &mut Session<'_>,
    ids: &BTreeSet<TraceId>,
    needs: &Needs,
    range: TimeRange,
    arrived_before: u64,
) -> Result<Traces, QueryError> {
    let mut traces = Traces::default();
    let mut wanted = Vec::new();
    for source in session.sources::<SpanBatch>(range, |_| true)? {
        match &source {
            Source::Hot(slice) => {
                let (parts, context) = slice.spans.held();
                session.looked_at(slice.spans.count());
                session.check()?;
                for part in &parts {
                    let number = traces.rows.len() as u32;
                    let is_wanted = |row: &usize| ids.contains(&part.batch.trace_id[*row]);
                    let found: Vec<usize> = (0..part.batch.trace_id.len()).filter(is_wanted).collect();
                    if !found.is_empty() {
                        traces.rows.push(Rows::hot(part, &context));
                        found.into_iter().for_each(|row| traces.add(number, row as u32));
                    }
                }
            }
            Source::Sealed(..) => {
                let here: BTreeSet<TraceId> = session.may_have(&source, ids.iter().copied()).into_iter().collect();
                if here.is_empty() || !session.open(&source, &[])? || !session.may_read(&source) {
                    continue;
                }
                wanted.push((source, here));
            }
        }
        if traces.count >= SPANS {
            session.incomplete(TOO_MANY.into());
            break;
        }
    }
    let columns = wanted.iter().map(|(source, _)| needs.columns(source)).collect::<Result<Vec<_>, _>>();
    let columns = columns.map_err(|fault| session.fault(fault))?;
    let jobs: Vec<_> = wanted
        .iter()
        .zip(&columns)
        .map(|((source, here), columns)| (source, Wanted { columns, ..Wanted::of(here, SPANS) }))
        .collect();
    for (batches, (source, _)) in
        session.of_traces_at_once(&jobs, SPANS.saturating_sub(traces.count))?.into_iter().zip(&jobs)
    {
        let context = source.context::<SpanBatch>();
        for batch in batches {
            let number = traces.rows.len() as u32;
            traces.rows.push(Rows::sealed(&batch, source.promoted(), &context));
            (0..batch.num_rows() as u32).for_each(|row| traces.add(number, row));
        }
    }
    if traces.count >= SPANS {
        session.incomplete(TOO_MANY.into());
    }
    let Traces { rows, spans, .. } = &mut traces;
    for spans in spans.values_mut() {
        spans.retain(|(number, row)| rows[*number as usize].arrival(*row as usize) < arrived_before);
    }
    Ok(traces)
}

impl Traces {
    fn add(&mut self, rows: u32, row: u32) {
        let trace = self.rows[rows as usize].trace_id(row as usize);
        self.spans.entry(trace).or_default().push((rows, row));
        self.count += 1;
    }

    /// A trace; nothing if no span of it was found.
    pub(super) fn get(&self, id: TraceId) -> Option<Whole<'_>> {
        let at = |span: &(u32, u32)| (&self.rows[span.0 as usize], span.1 as usize);
        let mut spans = self.spans.get(&id).filter(|spans| !spans.is_empty())?.clone();
        spans.sort_by_cached_key(|span| {
            let (rows, row) = at(span);
            (rows.start(row), rows.span_id(row))
        });
        let mut known = HashSet::with_capacity(spans.len());
        spans.retain(|span| {
            let (rows, row) = at(span);
            known.insert(rows.span_id(row))
        });
        let mut numbers = HashMap::with_capacity(spans.len());
        for (number, span) in spans.iter().enumerate() {
            let (rows, row) = at(span);
            numbers.insert(rows.span_id(row), number as u32);
        }
        let parent = |span: &(u32, u32)| {
            let (rows, row) = at(span);
            numbers.get(&rows.parent_span_id(row)).copied().unwrap_or(View::NONE)
        };
        let parents = spans.iter().map(parent).collect();
        Some(Whole { rows: &self.rows, spans, parents })
    }
}

impl Whole<'_> {
    pub(super) fn view(&self) -> View<'_> {
        View { rows: self.rows, spans: &self.spans, parents: &self.parents }
    }
}
