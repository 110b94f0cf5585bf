//! Spans and log records.

use super::reader::Reader;
use super::{ReadItem, Stop};
use crate::builder::{Builder, EventDraft, IdField, Kit, LinkDraft, LogDraft, SpanDraft};
use orrery_model::{LogBatch, SpanBatch};
use std::str::FromStr;

/// Names that OTLP/JSON forbids and some send.
const KINDS: &[(&str, i32)] = &[
    ("SPAN_KIND_INTERNAL", 1),
    ("SPAN_KIND_SERVER", 2),
    ("SPAN_KIND_CLIENT", 3),
    ("SPAN_KIND_PRODUCER", 4),
    ("SPAN_KIND_CONSUMER", 5),
];
const STATUS_CODES: &[(&str, i32)] = &[("STATUS_CODE_OK", 1), ("STATUS_CODE_ERROR", 2)];
const SEVERITIES: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

impl ReadItem for Builder<'_, SpanBatch> {
    const RESOURCES: &'static str = "resourceSpans";
    const SCOPES: &'static str = "scopeSpans";
    const ITEMS: &'static str = "spans";

    fn read_item(&mut self, reader: &mut Reader<'_>) -> Result<(), Stop> {
        let mut span = SpanDraft::default();
        let mut dropped = 0;
        let read = reader.object(|reader, key| {
            let (kit, columns) = (&mut self.kit, &mut self.columns);
            let strings = &mut columns.context.strings;
            match key {
                "traceId" => kit.set_id(reader, &mut span.trace_id),
                "spanId" => kit.set_id(reader, &mut span.span_id),
                "parentSpanId" => kit.set_id(reader, &mut span.parent_span_id),
                "traceState" => kit.set_name(strings, reader, &mut span.trace_state),
                "flags" => kit.set_integer(reader, &mut span.flags),
                "name" => kit.set_name(strings, reader, &mut span.name),
                "kind" => kit.set(reader.enumeration(KINDS), &mut span.kind),
                "startTimeUnixNano" => kit.set_integer(reader, &mut span.start),
                "endTimeUnixNano" => kit.set_integer(reader, &mut span.end),
                "attributes" => {
                    dropped += kit.attributes(strings, &mut columns.attributes, reader)?;
                    Ok(())
                }
                "droppedAttributesCount" => kit.set_integer(reader, &mut span.dropped_attributes),
                "events" => {
                    let read = reader.array(|reader| self.json_event(reader, &mut span));
                    self.kit.soft(read)
                }
                "droppedEventsCount" => kit.add_count(reader, &mut span.dropped_events),
                "links" => {
                    let read = reader.array(|reader| self.json_link(reader, &mut span));
                    self.kit.soft(read)
                }
                "droppedLinksCount" => kit.add_count(reader, &mut span.dropped_links),
                "status" => self.json_status(reader, &mut span),
                _ => Ok(reader.skip()?),
            }
        });
        self.kit.soft(read)?;
        span.dropped_attributes = span.dropped_attributes.saturating_add(dropped);
        self.end_span(span);
        Ok(())
    }
}

impl Builder<'_, SpanBatch> {
    fn json_event(&mut self, reader: &mut Reader<'_>, span: &mut SpanDraft) -> Result<(), Stop> {
        if !self.admits_event(span) {
            return Ok(reader.skip()?);
        }
        let mut event = EventDraft::default();
        let mut dropped = 0;
        let (kit, columns) = (&mut self.kit, &mut self.columns);
        let strings = &mut columns.context.strings;
        let read = reader.object(|reader, key| match key {
            "timeUnixNano" => kit.set_integer(reader, &mut event.time),
            "name" => kit.set_name(strings, reader, &mut event.name),
            "attributes" => {
                dropped += kit.attributes(strings, &mut columns.events.attributes, reader)?;
                Ok(())
            }
            "droppedAttributesCount" => kit.set_integer(reader, &mut event.dropped_attributes),
            _ => Ok(reader.skip()?),
        });
        kit.soft(read)?;
        event.dropped_attributes = event.dropped_attributes.saturating_add(dropped);
        self.end_event(event);
        Ok(())
    }

    fn json_link(&mut self, reader: &mut Reader<'_>, span: &mut SpanDraft) -> Result<(), Stop> {
        if !self.admits_link(span) {
            return Ok(reader.skip()?);
        }
        let mut link = LinkDraft::default();
        let mut dropped = 0;
        let (kit, columns) = (&mut self.kit, &mut self.columns);
        let strings = &mut columns.context.strings;
        let read = reader.object(|reader, key| match key {
            "traceId" => kit.set_id(reader, &mut link.trace_id),
            "spanId" => kit.set_id(reader, &mut link.span_id),
            "traceState" => kit.set_name(strings, reader, &mut link.trace_state),
            "flags" => kit.set_integer(reader, &mut link.flags),
            "attributes" => {
                dropped += kit.attributes(strings, &mut columns.links.attributes, reader)?;
                Ok(())
            }
            "droppedAttributesCount" => kit.set_integer(reader, &mut link.dropped_attributes),
            _ => Ok(reader.skip()?),
        });
        kit.soft(read)?;
        link.dropped_attributes = link.dropped_attributes.saturating_add(dropped);
        self.end_link(span, link);
        Ok(())
    }

    fn json_status(&mut self, reader: &mut Reader<'_>, span: &mut SpanDraft) -> Result<(), Stop> {
        let (kit, strings) = (&mut self.kit, &mut self.columns.context.strings);
        let limit = kit.limits.max_value_bytes;
        let read = reader.object(|reader, key| match key {
            "message" => kit.set_text(strings, reader, limit, &mut span.status_message),
            "code" => kit.set(reader.enumeration(STATUS_CODES), &mut span.status_code),
            _ => Ok(reader.skip()?),
        });
        kit.soft(read)
    }
}

impl ReadItem for Builder<'_, LogBatch> {
    const RESOURCES: &'static str = "resourceLogs";
    const SCOPES: &'static str = "scopeLogs";
    const ITEMS: &'static str = "logRecords";

    fn read_item(&mut self, reader: &mut Reader<'_>) -> Result<(), Stop> {
        let mut log = LogDraft::default();
        let mut dropped = 0;
        let (kit, columns) = (&mut self.kit, &mut self.columns);
        let strings = &mut columns.context.strings;
        let read = reader.object(|reader, key| match key {
            "timeUnixNano" => kit.set_integer(reader, &mut log.time),
            "observedTimeUnixNano" => kit.set_integer(reader, &mut log.observed_time),
            "severityNumber" => {
                let number = reader.severity();
                kit.set(number, &mut log.severity_number)
            }
            "severityText" => kit.set_name(strings, reader, &mut log.severity_text),
            "eventName" => kit.set_name(strings, reader, &mut log.event_name),
            "body" => {
                let limit = kit.limits.max_log_body_bytes;
                log.body = kit.json_value(strings, reader, limit)?.unwrap_or(log.body);
                Ok(())
            }
            "attributes" => {
                dropped += kit.attributes(strings, &mut columns.attributes, reader)?;
                Ok(())
            }
            "droppedAttributesCount" => kit.set_integer(reader, &mut log.dropped_attributes),
            "flags" => kit.set_integer(reader, &mut log.flags),
            "traceId" => kit.set_id(reader, &mut log.trace_id),
            "spanId" => kit.set_id(reader, &mut log.span_id),
            _ => Ok(reader.skip()?),
        });
        kit.soft(read)?;
        log.dropped_attributes = log.dropped_attributes.saturating_add(dropped);
        self.end_log(log);
        Ok(())
    }
}

impl Reader<'_> {
    /// A severity number, or a name such as `SEVERITY_NUMBER_WARN2`.
    fn severity(&mut self) -> Result<Option<i32>, super::JsonError> {
        let number = |name: &str| {
            let name = name.strip_prefix("SEVERITY_NUMBER_")?;
            let level = name.trim_end_matches(|c: char| c.is_ascii_digit());
            let step: i32 = if level == name { 1 } else { name[level.len()..].parse().ok()? };
            let at = SEVERITIES.iter().position(|known| *known == level)? as i32;
            (1..=4).contains(&step).then_some(at * 4 + step)
        };
        self.enumeration_by(|name| number(name).unwrap_or(0))
    }
}

impl Kit<'_> {
    pub(super) fn set_id<T: FromStr>(&mut self, reader: &mut Reader<'_>, field: &mut IdField<T>) -> Result<(), Stop>
    where
        IdField<T>: Default,
    {
        if let Some(text) = self.soft(reader.string())? {
            *field = match text.parse() {
                Ok(id) => IdField::Id(id),
                Err(_) if text.is_empty() => IdField::Absent,
                Err(_) => IdField::Invalid,
            };
        }
        Ok(())
    }

    /// Adds to what we have dropped ourselves.
    fn add_count(&mut self, reader: &mut Reader<'_>, count: &mut u32) -> Result<(), Stop> {
        let mut sent = 0;
        self.set_integer(reader, &mut sent)?;
        *count = count.saturating_add(sent);
        Ok(())
    }
}
