//! `Span`.

use super::ReadItem;
use crate::builder::{Builder, EventDraft, Failure, IdField, LinkDraft, SpanDraft};
use crate::wire::{Fields, WireError};
use orrery_model::{SpanBatch, SpanId, TraceId};

impl ReadItem for Builder<'_, SpanBatch> {
    fn read_item(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let mut span = SpanDraft::default();
        let (mut dropped, mut sent_events, mut sent_links) = (0u32, 0, 0);
        let mut fields = Fields(bytes);
        while let Some((number, payload)) = fields.next()? {
            let (kit, columns) = (&mut self.kit, &mut self.columns);
            let strings = &mut columns.context.strings;
            match number {
                1 => span.trace_id = trace_id(payload.bytes()?),
                2 => span.span_id = span_id(payload.bytes()?),
                3 => span.trace_state = kit.name(strings, payload.bytes()?),
                4 => span.parent_span_id = span_id(payload.bytes()?),
                5 => span.name = kit.name(strings, payload.bytes()?),
                6 => span.kind = payload.low32()? as i32,
                7 => span.start = payload.fixed64()?,
                8 => span.end = payload.fixed64()?,
                9 => dropped += kit.attribute(strings, &mut columns.attributes, payload.bytes()?)?,
                10 => span.dropped_attributes = payload.low32()?,
                11 => self.read_event(payload.bytes()?, &mut span)?,
                12 => sent_events = payload.low32()?,
                13 => self.read_link(payload.bytes()?, &mut span)?,
                14 => sent_links = payload.low32()?,
                15 => self.read_status(payload.bytes()?, &mut span)?,
                16 => span.flags = payload.fixed32()?,
                _ => {}
            }
        }
        span.dropped_attributes = span.dropped_attributes.saturating_add(dropped);
        span.dropped_events = span.dropped_events.saturating_add(sent_events);
        span.dropped_links = span.dropped_links.saturating_add(sent_links);
        self.end_span(span);
        Ok(())
    }
}

impl Builder<'_, SpanBatch> {
    fn read_event(&mut self, bytes: &[u8], span: &mut SpanDraft) -> Result<(), WireError> {
        if !self.admits_event(span) {
            return Ok(());
        }
        let mut event = EventDraft::default();
        let mut dropped = 0;
        let mut fields = Fields(bytes);
        let (kit, columns) = (&mut self.kit, &mut self.columns);
        let strings = &mut columns.context.strings;
        while let Some((number, payload)) = fields.next()? {
            match number {
                1 => event.time = payload.fixed64()?,
                2 => event.name = kit.name(strings, payload.bytes()?),
                3 => dropped += kit.attribute(strings, &mut columns.events.attributes, payload.bytes()?)?,
                4 => event.dropped_attributes = payload.low32()?,
                _ => {}
            }
        }
        event.dropped_attributes = event.dropped_attributes.saturating_add(dropped);
        self.end_event(event);
        Ok(())
    }

    fn read_link(&mut self, bytes: &[u8], span: &mut SpanDraft) -> Result<(), WireError> {
        if !self.admits_link(span) {
            return Ok(());
        }
        let mut link = LinkDraft::default();
        let mut dropped = 0;
        let mut fields = Fields(bytes);
        let (kit, columns) = (&mut self.kit, &mut self.columns);
        let strings = &mut columns.context.strings;
        while let Some((number, payload)) = fields.next()? {
            match number {
                1 => link.trace_id = trace_id(payload.bytes()?),
                2 => link.span_id = span_id(payload.bytes()?),
                3 => link.trace_state = kit.name(strings, payload.bytes()?),
                4 => dropped += kit.attribute(strings, &mut columns.links.attributes, payload.bytes()?)?,
                5 => link.dropped_attributes = payload.low32()?,
                6 => link.flags = payload.fixed32()?,
                _ => {}
            }
        }
        link.dropped_attributes = link.dropped_attributes.saturating_add(dropped);
        self.end_link(span, link);
        Ok(())
    }

    fn read_status(&mut self, bytes: &[u8], span: &mut SpanDraft) -> Result<(), WireError> {
        let mut fields = Fields(bytes);
        while let Some((number, payload)) = fields.next()? {
            match number {
                2 => {
                    let limit = self.kit.limits.max_value_bytes;
                    span.status_message = self.kit.text(&mut self.columns.context.strings, payload.bytes()?, limit);
                }
                3 => span.status_code = payload.low32()? as i32,
                _ => {}
            }
        }
        Ok(())
    }
}

pub(super) fn trace_id(bytes: &[u8]) -> IdField<TraceId> {
    IdField::from(bytes.is_empty(), TraceId::from_bytes(bytes))
}

pub(super) fn span_id(bytes: &[u8]) -> IdField<SpanId> {
    IdField::from(bytes.is_empty(), SpanId::from_bytes(bytes))
}
