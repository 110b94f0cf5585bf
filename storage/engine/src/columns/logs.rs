//! The table of log records.

use super::spans::column;
use super::{Column, Kind, Part, Place, Table, read};
use crate::context::ContextTable;
use crate::promote::Promoted;
use crate::slice::{HotTable, Slice};
use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use orrery_model::batch::Context;
use orrery_model::{Attributes, LogBatch, Signal, TraceId, Value};

impl Table for LogBatch {
    const SIGNAL: Signal = Signal::Logs;
    const NAME: &'static str = "logs";
    const PROMOTES: bool = true;
    const IN_BATCHES: bool = false;
    const COLUMNS: &'static [Column<LogBatch>] = &[
        column!("time_unix_nano", Nanos, Everywhere, "When it happened, Unix nanoseconds.", |rows| rows
            .i64(|b, i| b.time_unix_nano[i])),
        column!("observed_time_unix_nano", Nanos, Everywhere, "When it was collected, Unix nanoseconds.", |rows| rows
            .i64(|b, i| b.observed_time_unix_nano[i])),
        column!("severity_number", U8, Everywhere, "OTLP number, 0 to 24.", |rows| rows
            .u8(|b, i| b.severity_number[i])),
        column!("severity_text", Text, Everywhere, "The source's word.", |rows| rows
            .text(|b, i| b.context.strings.get(b.severity_text[i]))),
        column!("event_name", Text, Everywhere, "OTLP event name.", |rows| rows
            .text(|b, i| b.context.strings.get(b.event_name[i]))),
        column!("body", Text, Everywhere, "The text, or JSON when it is something else; null when empty.", |rows| rows
            .built_text(body)),
        column!("body_is_json", Bool, Everywhere, "Whether `body` is JSON.", |rows| rows
            .bool(|b, i| !matches!(b.body[i], Value::String(_)))),
        column!("trace_id", TraceId, Everywhere, "16 bytes, all zero outside a trace.", |rows| rows
            .trace_id(|b, i| b.trace_id[i])),
        column!("span_id", Id, Everywhere, "0 outside a span.", |rows| rows.u64(|b, i| b.span_id[i].0)),
        column!("flags", U32, Everywhere, "OTLP flags.", |rows| rows.u32(|b, i| b.flags[i])),
        column!("dropped_attributes_count", U32, Everywhere, "By the sender or by us.", |rows| rows
            .u32(|b, i| b.dropped_attributes_count[i])),
        column!("arrival", Arrival, Everywhere, "Grows with the order of arrival; tells equal times apart.", |rows| {
            rows.arrival()
        }),
        column!("resource_id", U32, Everywhere, "Number of the resource in the index file.", |rows| rows.resource_id()),
        column!("scope_id", U32, Everywhere, "Number of the scope in the index file.", |rows| rows.scope_id()),
        column!("service_namespace", Word, Sealed, "`service.namespace`, or empty.", |rows| rows
            .of_resource(|r| &r.service.service_namespace)),
        column!("service_name", Word, Sealed, "`service.name`.", |rows| rows.of_resource(|r| &r.service.service_name)),
        column!("environment", Word, Sealed, "`deployment.environment.name`, or empty.", |rows| rows
            .of_resource(|r| &r.service.environment)),
        column!("resource", Word, Sealed, "All resource attributes, a JSON object.", |rows| rows
            .of_resource(|r| &r.attributes)),
        column!("scope_name", Word, Sealed, "Instrumentation scope.", |rows| rows.of_scope(|s| &s.name)),
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

    /// Log records have no identity.
    fn same(_: (&Part<Self>, usize), _: (&Part<Self>, usize)) -> bool {
        false
    }

    fn hot(slice: &Slice) -> &HotTable<LogBatch> {
        &slice.logs
    }

    fn time(&self, row: usize) -> i64 {
        self.time_unix_nano[row]
    }

    /// By time, the order they are read in.
    type Key<'a> = (i64, u64);

    fn key(part: &Part<Self>, row: usize) -> Self::Key<'_> {
        (part.batch.time_unix_nano[row], part.arrival.of(row))
    }

    fn read(from: &RecordBatch, context: &ContextTable, promoted: &[Promoted]) -> Result<Self, ArrowError> {
        let mut batch = LogBatch { context: context.to_batch(), ..LogBatch::default() };
        let read = read::Reader::new(from);
        let strings = &mut batch.context.strings;
        batch.time_unix_nano = read.i64("time_unix_nano")?;
        batch.observed_time_unix_nano = read.i64("observed_time_unix_nano")?;
        batch.severity_number = read.u8("severity_number")?;
        batch.severity_text = read.text("severity_text", strings)?;
        batch.event_name = read.text("event_name", strings)?;
        batch.body = read.bodies(strings)?;
        batch.trace_id = read.trace_ids("trace_id")?;
        batch.span_id = read.span_ids("span_id")?;
        batch.flags = read.u32("flags")?;
        batch.resource = read.u32("resource_id")?;
        batch.scope = read.u32("scope_id")?;
        batch.attributes = read.attributes(promoted, strings)?;
        batch.dropped_attributes_count = read.u32("dropped_attributes_count")?;
        Ok(batch)
    }
}

fn body(batch: &LogBatch, row: usize, out: &mut String) -> bool {
    match batch.body[row] {
        Value::Empty => return false,
        Value::String(sym) => out.push_str(batch.context.strings.get(sym)),
        other => other.to_json(&batch.context.strings, out),
    }
    true
}
