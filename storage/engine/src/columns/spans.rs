//! The table of spans.

use super::{Column, Kind, Part, Pick, Place, Table, cells, read};
use crate::context::ContextTable;
use crate::promote::Promoted;
use crate::slice::{HotTable, Slice};
use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use orrery_model::batch::Context;
use orrery_model::{Attributes, Signal, SpanBatch, SpanId, TraceId};

macro_rules! column {
    ($name:literal, $kind:ident, $place:ident, $doc:literal, $cells:expr) => {
        Column { name: $name, kind: Kind::$kind, place: Place::$place, doc: $doc, cells: $cells }
    };
}
pub(super) use column;

impl Table for SpanBatch {
    const SIGNAL: Signal = Signal::Traces;
    const NAME: &'static str = "spans";
    const PROMOTES: bool = true;
    const IN_BATCHES: bool = true;
    const COLUMNS: &'static [Column<SpanBatch>] = &[
        column!("trace_id", TraceId, Everywhere, "16 bytes.", |rows| rows.trace_id(|b, i| b.trace_id[i])),
        column!("span_id", Id, Everywhere, "8 bytes as a big-endian number.", |rows| rows.u64(|b, i| b.span_id[i].0)),
        column!("parent_span_id", Id, Everywhere, "0 for a root span.", |rows| rows.u64(|b, i| b.parent_span_id[i].0)),
        column!("trace_state", Text, Everywhere, "W3C trace state.", |rows| rows
            .text(|b, i| b.context.strings.get(b.trace_state[i]))),
        column!("flags", U32, Everywhere, "OTLP flags.", |rows| rows.u32(|b, i| b.flags[i])),
        column!("name", Text, Everywhere, "Span name.", |rows| rows.text(|b, i| b.context.strings.get(b.name[i]))),
        column!("kind", U8, Everywhere, "OTLP number of the span kind.", |rows| rows.u8(|b, i| b.kind[i])),
        column!("start_time_unix_nano", Time, Everywhere, "Unix nanoseconds.", |rows| rows
            .i64(|b, i| b.start_time_unix_nano[i])),
        column!("duration_nanos", Nanos, Everywhere, "Nanoseconds; 0 when the sender's clock ran back.", |rows| rows
            .i64(|b, i| b.duration_nanos[i])),
        column!("status_code", U8, Everywhere, "0 unset, 1 ok, 2 error.", |rows| rows.u8(|b, i| b.status_code[i])),
        column!("status_message", Text, Everywhere, "Text with the status.", |rows| rows
            .text(|b, i| b.context.strings.get(b.status_message[i]))),
        column!("dropped_attributes_count", U32, Everywhere, "By the sender or by us.", |rows| rows
            .u32(|b, i| b.dropped_attributes_count[i])),
        column!("events", Events, Everywhere, "Span events.", cells::events),
        column!("dropped_events_count", U32, Everywhere, "By the sender or by us.", |rows| rows
            .u32(|b, i| b.dropped_events_count[i])),
        column!("links", Links, Everywhere, "Span links.", cells::links),
        column!("dropped_links_count", U32, Everywhere, "By the sender or by us.", |rows| rows
            .u32(|b, i| b.dropped_links_count[i])),
        column!(
            "arrival",
            Arrival,
            Everywhere,
            "Grows with the order of arrival; 0 in segments merged twice.",
            |rows| { rows.record() }
        ),
        column!("resource_id", U32, Everywhere, "Number of the resource in the index file.", |rows| rows.resource_id()),
        column!("scope_id", U32, Everywhere, "Number of the scope in the index file.", |rows| rows.scope_id()),
        column!("service_namespace", Word, Sealed, "`service.namespace`, or empty.", |rows| rows
            .of_resource(|r| &r.service.service_namespace)),
        column!("service_name", Word, Sealed, "`service.name`.", |rows| rows.of_resource(|r| &r.service.service_name)),
        column!("environment", Word, Sealed, "`deployment.environment.name`, or empty.", |rows| rows
            .of_resource(|r| &r.service.environment)),
        column!("service_version", Word, Sealed, "`service.version`, or empty.", |rows| rows
            .of_resource(|r| &r.service_version)),
        column!("resource", Word, Sealed, "All resource attributes, a JSON object.", |rows| rows
            .of_resource(|r| &r.attributes)),
        column!("scope_name", Word, Sealed, "Instrumentation scope.", |rows| rows.of_scope(|s| &s.name)),
        column!("scope_version", Word, Sealed, "Its version.", |rows| rows.of_scope(|s| &s.version)),
    ];

    fn rows(&self) -> usize {
        self.len()
    }

    fn context(&self) -> &Context {
        &self.context
    }

    fn resources(&self) -> &[u32] {
        &self.resource
    }

    fn scopes(&self) -> &[u32] {
        &self.scope
    }

    fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    fn trace(&self, row: usize) -> Option<TraceId> {
        Some(self.trace_id[row])
    }

    fn linked(&self) -> Option<&[TraceId]> {
        Some(&self.links.trace_id)
    }

    fn identity(&self, row: usize) -> Option<(TraceId, SpanId)> {
        Some((self.trace_id[row], self.span_id[row]))
    }

    fn same((a, i): (&Part<Self>, usize), (b, j): (&Part<Self>, usize)) -> bool {
        a.batch.span_id[i] == b.batch.span_id[j] && a.batch.trace_id[i] == b.batch.trace_id[j]
    }

    fn hot(slice: &Slice) -> &HotTable<SpanBatch> {
        &slice.spans
    }

    fn time(&self, row: usize) -> i64 {
        self.start_time_unix_nano[row]
    }

    /// By trace: its spans lie together, and ids cost next to nothing.
    type Key<'a> = (TraceId, i64, SpanId);

    fn key(part: &Part<Self>, row: usize) -> Self::Key<'_> {
        (part.batch.trace_id[row], part.batch.start_time_unix_nano[row], part.batch.span_id[row])
    }

    /// Spans of a trace by who sent them, the root first: a dozen columns repeat then, and parents and arrivals are near.
    fn cluster(parts: &[Part<Self>], picks: &mut [Pick]) {
        let trace = |pick: &Pick| parts[pick.part as usize].batch.trace_id[pick.row as usize];
        let sender = |pick: &Pick| {
            let (part, row) = (&parts[pick.part as usize], pick.row as usize);
            let has_parent = part.batch.parent_span_id[row] != SpanId::NONE;
            (has_parent, part.resources[part.batch.resource[row] as usize])
        };
        picks.chunk_by_mut(|a, b| trace(a) == trace(b)).for_each(|spans| spans.sort_by_key(sender));
    }

    fn read(from: &RecordBatch, context: &ContextTable, promoted: &[Promoted]) -> Result<Self, ArrowError> {
        let mut batch = SpanBatch { context: context.to_batch(), ..SpanBatch::default() };
        let read = read::Reader::new(from);
        let strings = &mut batch.context.strings;
        batch.trace_id = read.trace_ids("trace_id")?;
        batch.span_id = read.span_ids("span_id")?;
        batch.parent_span_id = read.span_ids("parent_span_id")?;
        batch.trace_state = read.text("trace_state", strings)?;
        batch.flags = read.u32("flags")?;
        batch.name = read.text("name", strings)?;
        batch.kind = read.u8("kind")?;
        batch.start_time_unix_nano = read.i64("start_time_unix_nano")?;
        batch.duration_nanos = read.i64("duration_nanos")?;
        batch.status_code = read.u8("status_code")?;
        batch.status_message = read.text("status_message", strings)?;
        batch.resource = read.u32("resource_id")?;
        batch.scope = read.u32("scope_id")?;
        batch.attributes = read.attributes(promoted, strings)?;
        batch.dropped_attributes_count = read.u32("dropped_attributes_count")?;
        batch.dropped_events_count = read.u32("dropped_events_count")?;
        batch.dropped_links_count = read.u32("dropped_links_count")?;
        (batch.event_ends, batch.events) = read.events(strings)?;
        (batch.link_ends, batch.links) = read.links(strings)?;
        Ok(batch)
    }
}
