//! Log record columns.

use super::{Builder, Columns, IdField, attributes_bytes, context_bytes, small};
use orrery_model::batch::Context;
use orrery_model::{Attributes, Batch, LogBatch, SpanId, Sym, TraceId, Value};

/// The fields of a log record, collected while it is read. Attributes go to the columns at once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LogDraft {
    pub(crate) time: u64,
    pub(crate) observed_time: u64,
    pub(crate) severity_number: i32,
    pub(crate) severity_text: Sym,
    pub(crate) event_name: Sym,
    pub(crate) body: Value,
    pub(crate) trace_id: IdField<TraceId>,
    pub(crate) span_id: IdField<SpanId>,
    pub(crate) flags: u32,
    pub(crate) dropped_attributes: u32,
}

impl Builder<'_, LogBatch> {
    /// Adds the log record, or takes back what was written of it and counts it as rejected.
    pub(crate) fn end_log(&mut self, draft: LogDraft) {
        if let Some(reason) = self.kit.fault.take() {
            self.kit.rejected.add(reason, 1);
            return self.columns.attributes.abandon_row();
        }
        let event_name = self.event_name(draft.event_name);
        let (kit, logs) = (&mut self.kit, &mut self.columns);
        // Both may be missing: then the record happened, as far as we know, when it came. Legal, so not counted.
        let observed = if draft.observed_time == 0 { kit.received } else { kit.time(draft.observed_time) };
        let time = if draft.time == 0 { observed } else { kit.time(draft.time) };
        let (trace_id, span_id) = kit.association(draft.trace_id, draft.span_id);
        logs.time_unix_nano.push(time);
        logs.observed_time_unix_nano.push(observed);
        logs.severity_number.push(small(draft.severity_number));
        logs.severity_text.push(draft.severity_text);
        logs.event_name.push(event_name);
        logs.body.push(draft.body);
        logs.trace_id.push(trace_id);
        logs.span_id.push(span_id);
        logs.flags.push(draft.flags);
        let duplicates = kit.end_row(&mut logs.attributes);
        logs.dropped_attributes_count.push(draft.dropped_attributes.saturating_add(duplicates));
    }

    /// The field, or the attribute that older SDKs send instead.
    fn event_name(&self, field: Sym) -> Sym {
        if !field.is_empty() {
            return field;
        }
        let Some(key) = self.columns.context.strings.find("event.name") else { return field };
        let sent = self.columns.attributes.pending().filter(|(found, _)| *found == key).last();
        if let Some((_, Value::String(name))) = sent { name } else { field }
    }
}

impl Columns for LogBatch {
    fn context(&mut self) -> &mut Context {
        &mut self.context
    }

    fn attributes(&mut self) -> &mut Attributes {
        &mut self.attributes
    }

    fn rows(&self) -> usize {
        self.len()
    }

    fn origin(&mut self) -> (&mut Vec<u32>, &mut Vec<u32>) {
        (&mut self.resource, &mut self.scope)
    }

    fn reserve(&mut self, rows: usize) {
        self.time_unix_nano.reserve(rows);
        self.observed_time_unix_nano.reserve(rows);
        self.severity_number.reserve(rows);
        self.severity_text.reserve(rows);
        self.event_name.reserve(rows);
        self.body.reserve(rows);
        self.trace_id.reserve(rows);
        self.span_id.reserve(rows);
        self.flags.reserve(rows);
        self.dropped_attributes_count.reserve(rows);
    }

    fn bytes(&self) -> usize {
        context_bytes(&self.context) + 93 * self.len() + attributes_bytes(&self.attributes)
    }

    fn finish(self) -> Batch {
        Batch::Logs(self)
    }
}
