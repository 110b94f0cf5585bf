//! `LogRecord`.

use super::ReadItem;
use super::spans::{span_id, trace_id};
use super::value::append;
use crate::builder::{Builder, Failure, LogDraft};
use crate::wire::Fields;
use orrery_model::LogBatch;
use std::borrow::Cow;

impl ReadItem for Builder<'_, LogBatch> {
    fn read_item(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let mut log = LogDraft::default();
        let (mut dropped, mut body) = (0, Cow::Borrowed(&[][..]));
        let mut fields = Fields(bytes);
        let (kit, columns) = (&mut self.kit, &mut self.columns);
        let strings = &mut columns.context.strings;
        while let Some((number, payload)) = fields.next()? {
            match number {
                1 => log.time = payload.fixed64()?,
                2 => log.severity_number = payload.low32()? as i32,
                3 => log.severity_text = kit.name(strings, payload.bytes()?),
                5 => append(&mut body, payload.bytes()?)?,
                6 => dropped += kit.attribute(strings, &mut columns.attributes, payload.bytes()?)?,
                7 => log.dropped_attributes = payload.low32()?,
                8 => log.flags = payload.fixed32()?,
                9 => log.trace_id = trace_id(payload.bytes()?),
                10 => log.span_id = span_id(payload.bytes()?),
                11 => log.observed_time = payload.fixed64()?,
                12 => log.event_name = kit.name(strings, payload.bytes()?),
                _ => {}
            }
        }
        log.body = kit.value(strings, &body, kit.limits.max_log_body_bytes)?;
        log.dropped_attributes = log.dropped_attributes.saturating_add(dropped);
        self.end_log(log);
        Ok(())
    }
}
