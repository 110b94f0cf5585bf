//! Span columns.

use super::{Builder, Columns, IdField, Kit, attributes_bytes, context_bytes, small};
use crate::reason;
use orrery_model::batch::{Context, Events, Links};
use orrery_model::{Attributes, Batch, SpanBatch, SpanId, Sym, TraceId};

/// The fields of a span, collected while it is read. Attributes, events and links go to the columns at once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SpanDraft {
    pub(crate) trace_id: IdField<TraceId>,
    pub(crate) span_id: IdField<SpanId>,
    pub(crate) parent_span_id: IdField<SpanId>,
    pub(crate) trace_state: Sym,
    pub(crate) flags: u32,
    pub(crate) name: Sym,
    pub(crate) kind: i32,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) status_code: i32,
    pub(crate) status_message: Sym,
    pub(crate) dropped_attributes: u32,
    pub(crate) dropped_events: u32,
    pub(crate) dropped_links: u32,
}

/// The fields of a span event.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EventDraft {
    pub(crate) time: u64,
    pub(crate) name: Sym,
    pub(crate) dropped_attributes: u32,
}

/// The fields of a span link.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LinkDraft {
    pub(crate) trace_id: IdField<TraceId>,
    pub(crate) span_id: IdField<SpanId>,
    pub(crate) trace_state: Sym,
    pub(crate) flags: u32,
    pub(crate) dropped_attributes: u32,
}

impl SpanDraft {
    fn fault(&self) -> Option<&'static str> {
        if self.trace_id.or_default().is_none() {
            Some(reason::TRACE_ID)
        } else if self.span_id.or_default().is_none() {
            Some(reason::SPAN_ID)
        } else if self.parent_span_id == IdField::Invalid {
            Some(reason::PARENT_SPAN_ID)
        } else {
            None
        }
    }
}

impl Builder<'_, SpanBatch> {
    /// Adds the span, or takes back what was written of it and counts it as rejected.
    pub(crate) fn end_span(&mut self, draft: SpanDraft) {
        if let Some(reason) = self.kit.fault.take().or(draft.fault()) {
            self.kit.rejected.add(reason, 1);
            return self.take_back();
        }
        let (kit, spans) = (&mut self.kit, &mut self.columns);
        let (start, duration) = kit.start_and_duration(draft.start, draft.end);
        spans.trace_id.push(draft.trace_id.or_default());
        spans.span_id.push(draft.span_id.or_default());
        spans.parent_span_id.push(draft.parent_span_id.or_default());
        spans.trace_state.push(draft.trace_state);
        spans.flags.push(draft.flags);
        spans.name.push(draft.name);
        spans.kind.push(small(draft.kind));
        spans.start_time_unix_nano.push(start);
        spans.duration_nanos.push(duration);
        spans.status_code.push(small(draft.status_code));
        spans.status_message.push(draft.status_message);
        let duplicates = kit.end_row(&mut spans.attributes);
        spans.dropped_attributes_count.push(draft.dropped_attributes.saturating_add(duplicates));
        spans.event_ends.push(spans.events.name.len() as u32);
        spans.dropped_events_count.push(draft.dropped_events);
        spans.link_ends.push(spans.links.span_id.len() as u32);
        spans.dropped_links_count.push(draft.dropped_links);
    }

    fn take_back(&mut self) {
        let spans = &mut self.columns;
        spans.attributes.abandon_row();
        spans.events.truncate(spans.event_ends.last().copied().unwrap_or(0) as usize);
        spans.links.truncate(spans.link_ends.last().copied().unwrap_or(0) as usize);
    }

    /// Whether the open span may have another event; if not, it is counted.
    pub(crate) fn admits_event(&mut self, span: &mut SpanDraft) -> bool {
        let first = self.columns.event_ends.last().copied().unwrap_or(0) as usize;
        let admits = self.columns.events.name.len() - first < self.kit.limits.max_events;
        if !admits {
            span.dropped_events = span.dropped_events.saturating_add(1);
            self.kit.dropped.add(reason::EVENTS, 1);
        }
        admits
    }

    /// Adds an event to the open span.
    pub(crate) fn end_event(&mut self, draft: EventDraft) {
        let time = self.kit.time(draft.time);
        let events = &mut self.columns.events;
        events.time_unix_nano.push(time);
        events.name.push(draft.name);
        let duplicates = self.kit.end_row(&mut events.attributes);
        events.dropped_attributes_count.push(draft.dropped_attributes.saturating_add(duplicates));
    }

    /// Whether the open span may have another link; if not, it is counted.
    pub(crate) fn admits_link(&mut self, span: &mut SpanDraft) -> bool {
        let first = self.columns.link_ends.last().copied().unwrap_or(0) as usize;
        let admits = self.columns.links.span_id.len() - first < self.kit.limits.max_links;
        if !admits {
            span.dropped_links = span.dropped_links.saturating_add(1);
            self.kit.dropped.add(reason::LINKS, 1);
        }
        admits
    }

    /// Adds a link to the open span, unless it leads nowhere.
    pub(crate) fn end_link(&mut self, span: &mut SpanDraft, draft: LinkDraft) {
        let links = &mut self.columns.links;
        let (trace_id, span_id) = (draft.trace_id.or_default(), draft.span_id.or_default());
        if trace_id.is_none() || span_id.is_none() {
            links.attributes.abandon_row();
            span.dropped_links = span.dropped_links.saturating_add(1);
            return self.kit.dropped.add(reason::LINK_IDS, 1);
        }
        links.trace_id.push(trace_id);
        links.span_id.push(span_id);
        links.trace_state.push(draft.trace_state);
        links.flags.push(draft.flags);
        let duplicates = self.kit.end_row(&mut links.attributes);
        links.dropped_attributes_count.push(draft.dropped_attributes.saturating_add(duplicates));
    }
}

impl Kit<'_> {
    /// A span without start starts at its end, or when it came. One that ends before it starts lasts 0.
    fn start_and_duration(&mut self, start: u64, end: u64) -> (i64, i64) {
        let end = if end == 0 { None } else { Some(self.time(end)) };
        let start = self.time_or(start, end.unwrap_or(self.received));
        let duration = end.unwrap_or(start).saturating_sub(start);
        if duration < 0 {
            self.dropped.add(reason::END_BEFORE_START, 1);
        }
        (start, duration.max(0))
    }
}

trait Truncate {
    fn truncate(&mut self, rows: usize);
}

impl Truncate for Events {
    fn truncate(&mut self, rows: usize) {
        self.time_unix_nano.truncate(rows);
        self.name.truncate(rows);
        self.attributes.truncate(rows);
        self.dropped_attributes_count.truncate(rows);
    }
}

impl Truncate for Links {
    fn truncate(&mut self, rows: usize) {
        self.trace_id.truncate(rows);
        self.span_id.truncate(rows);
        self.trace_state.truncate(rows);
        self.flags.truncate(rows);
        self.attributes.truncate(rows);
        self.dropped_attributes_count.truncate(rows);
    }
}

impl Columns for SpanBatch {
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
        self.trace_id.reserve(rows);
        self.span_id.reserve(rows);
        self.parent_span_id.reserve(rows);
        self.trace_state.reserve(rows);
        self.flags.reserve(rows);
        self.name.reserve(rows);
        self.kind.reserve(rows);
        self.start_time_unix_nano.reserve(rows);
        self.duration_nanos.reserve(rows);
        self.status_code.reserve(rows);
        self.status_message.reserve(rows);
        self.dropped_attributes_count.reserve(rows);
    }

    fn bytes(&self) -> usize {
        context_bytes(&self.context)
            + 104 * self.len()
            + 16 * self.events.name.len()
            + 36 * self.links.span_id.len()
            + attributes_bytes(&self.attributes)
            + attributes_bytes(&self.events.attributes)
            + attributes_bytes(&self.links.attributes)
    }

    fn finish(self) -> Batch {
        Batch::Traces(self)
    }
}
