//! OTLP/JSON to columns: proto3 JSON with OTLP's deviations (hexadecimal ids, integer enums, unknown fields ignored),
//! tolerant where real senders deviate further. A record with a bad field costs that record, not the request.
//!
//! Source: OTLP specification 1.11, "JSON Protobuf Encoding".

mod items;
mod metrics;
mod reader;
mod value;

use crate::builder::{Builder, Columns, Failure, Kit, OriginDraft};
use crate::reason;
use orrery_model::{Strings, Sym};
use reader::{JsonError, Kind, Reader};

/// Why reading stops: JSON's fault, or a limit's.
pub(crate) enum Stop {
    Json(JsonError),
    Failure(Failure),
}

impl From<JsonError> for Stop {
    fn from(error: JsonError) -> Stop {
        Stop::Json(error)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Failure(failure)
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Failure {
        match stop {
            Stop::Failure(failure) => failure,
            Stop::Json(JsonError::Syntax(at)) => Failure::Malformed(format!("invalid JSON at byte {at}")),
            Stop::Json(JsonError::Mismatch) => {
                Failure::Malformed("a field of the request has the wrong type".to_owned())
            }
        }
    }
}

/// Reads one item of a signal: a span, a log record, or a metric with its points.
pub(crate) trait ReadItem {
    const RESOURCES: &'static str;
    const SCOPES: &'static str;
    const ITEMS: &'static str;
    fn read_item(&mut self, reader: &mut Reader<'_>) -> Result<(), Stop>;
}

/// Reads a request into `builder`.
pub(crate) fn read<C: Columns>(builder: &mut Builder<'_, C>, request: &[u8]) -> Result<(), Failure>
where
    for<'l> Builder<'l, C>: ReadItem,
{
    let mut reader = Reader::new(request);
    if reader.kind().map_err(Stop::from)? != Kind::Object {
        return Err(Failure::Malformed("the request is not a JSON object".to_owned()));
    }
    let read: Result<(), Stop> = reader.object(|reader, key| match key {
        key if key == <Builder<'_, C> as ReadItem>::RESOURCES => {
            reader.array(|reader| read_resource_group(builder, reader))
        }
        _ => Ok(reader.skip()?),
    });
    read.and_then(|()| Ok(reader.end()?))?;
    builder.kit.dropped.add(reason::UTF8, reader.take_repaired());
    Ok(())
}

fn read_resource_group<C: Columns>(builder: &mut Builder<'_, C>, reader: &mut Reader<'_>) -> Result<(), Stop>
where
    for<'l> Builder<'l, C>: ReadItem,
{
    let mut draft = OriginDraft::default();
    reader.object(|reader, key| match key {
        "resource" => read_resource(builder, reader, &mut draft),
        "schemaUrl" => read_schema_url(builder, reader, &mut draft),
        key if key == <Builder<'_, C> as ReadItem>::SCOPES => reader.array(|reader| read_scope_group(builder, reader)),
        _ => Ok(reader.skip()?),
    })?;
    builder.end_resource(draft);
    Ok(builder.weigh()?)
}

fn read_scope_group<C: Columns>(builder: &mut Builder<'_, C>, reader: &mut Reader<'_>) -> Result<(), Stop>
where
    for<'l> Builder<'l, C>: ReadItem,
{
    let mut draft = OriginDraft::default();
    reader.object(|reader, key| match key {
        "scope" => read_scope(builder, reader, &mut draft),
        "schemaUrl" => read_schema_url(builder, reader, &mut draft),
        key if key == <Builder<'_, C> as ReadItem>::ITEMS => reader.array(|reader| {
            builder.read_item(reader)?;
            Ok(builder.weigh()?)
        }),
        _ => Ok(reader.skip()?),
    })?;
    builder.end_scope(draft);
    Ok(builder.weigh()?)
}

fn read_schema_url<C: Columns>(
    builder: &mut Builder<'_, C>,
    reader: &mut Reader<'_>,
    draft: &mut OriginDraft,
) -> Result<(), Stop> {
    builder.kit.set_name(&mut builder.columns.context().strings, reader, &mut draft.schema_url)?;
    builder.forgive();
    Ok(())
}

fn read_resource<C: Columns>(
    builder: &mut Builder<'_, C>,
    reader: &mut Reader<'_>,
    draft: &mut OriginDraft,
) -> Result<(), Stop> {
    let (kit, context) = (&mut builder.kit, builder.columns.context());
    let mut dropped = 0;
    let read = reader.object(|reader, key| match key {
        "attributes" => {
            dropped += kit.attributes(&mut context.strings, &mut context.resource_attributes, reader)?;
            Ok(())
        }
        "droppedAttributesCount" => kit.set_integer(reader, &mut draft.dropped_attributes_count),
        _ => Ok(reader.skip()?),
    });
    kit.soft(read)?;
    draft.dropped_attributes_count = draft.dropped_attributes_count.saturating_add(dropped);
    builder.forgive();
    Ok(())
}

fn read_scope<C: Columns>(
    builder: &mut Builder<'_, C>,
    reader: &mut Reader<'_>,
    draft: &mut OriginDraft,
) -> Result<(), Stop> {
    let (kit, context) = (&mut builder.kit, builder.columns.context());
    let mut dropped = 0;
    let read = reader.object(|reader, key| match key {
        "name" => kit.set_name(&mut context.strings, reader, &mut draft.name),
        "version" => kit.set_name(&mut context.strings, reader, &mut draft.version),
        "attributes" => {
            dropped += kit.attributes(&mut context.strings, &mut context.scope_attributes, reader)?;
            Ok(())
        }
        "droppedAttributesCount" => kit.set_integer(reader, &mut draft.dropped_attributes_count),
        _ => Ok(reader.skip()?),
    });
    kit.soft(read)?;
    draft.dropped_attributes_count = draft.dropped_attributes_count.saturating_add(dropped);
    builder.forgive();
    Ok(())
}

impl Kit<'_> {
    /// Turns a value of the wrong type, which has been skipped, into a fault of the item.
    fn soft<T: Default, E: Into<Stop>>(&mut self, result: Result<T, E>) -> Result<T, Stop> {
        match result.map_err(Into::into) {
            Err(Stop::Json(JsonError::Mismatch)) => {
                self.fault(reason::WRONG_TYPE);
                Ok(T::default())
            }
            other => other,
        }
    }

    /// Sets `field` unless the value is `null` or of the wrong type.
    fn set<T>(&mut self, value: Result<Option<T>, JsonError>, field: &mut T) -> Result<(), Stop> {
        if let Some(value) = self.soft(value)? {
            *field = value;
        }
        Ok(())
    }

    fn set_integer<T: TryFrom<i128>>(&mut self, reader: &mut Reader<'_>, field: &mut T) -> Result<(), Stop> {
        self.set(reader.integer(), field)
    }

    fn set_name(&mut self, strings: &mut Strings, reader: &mut Reader<'_>, field: &mut Sym) -> Result<(), Stop> {
        let limit = self.limits.max_name_bytes;
        self.set_text(strings, reader, limit, field)
    }

    fn set_text(
        &mut self,
        strings: &mut Strings,
        reader: &mut Reader<'_>,
        limit: usize,
        field: &mut Sym,
    ) -> Result<(), Stop> {
        if let Some(text) = self.soft(reader.string())? {
            *field = self.text(strings, text.as_bytes(), limit);
        }
        Ok(())
    }
}
