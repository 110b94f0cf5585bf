//! Spans in memory, read in the batches they came in.

use super::session::Session;
use crate::columns::{self, Part, Pick, Rows, Table};
use crate::context::ContextTable;
use crate::slice::Slice;
use arrow::error::ArrowError;
use hashbrown::{HashMap, HashSet};
use orrery_model::{SpanBatch, Sym, TraceId, Value, semconv};
use orrery_query::{QueryError, TimeRange};
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

    /// All spans of a trace, copied.
    pub(super) fn batch_of(&self, trace: TraceId) -> Result<Option<SpanBatch>, ArrowError> {
        let parts = self.parts.iter().enumerate();
        let picks: Vec<Pick> = parts
            .flat_map(|(number, part)| {
                let rows = part.batch.trace_id.iter().enumerate().filter(move |(_, of)| **of == trace);
                rows.map(move |(row, _)| Pick { part: number as u32, row: row as u32 })
            })
            .collect();
        if picks.is_empty() {
            return Ok(None);
        }
        let rows = Rows { parts: &self.parts, picks: &picks, context: &self.context };
        SpanBatch::read(&columns::hot_batch(&rows)?, &self.context, &[]).map(Some)
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
