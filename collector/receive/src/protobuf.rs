//! OTLP protobuf to columns, without a struct per item.
//!
//! Source: opentelemetry-proto 1.10. All three signals have the shape request → resource group → scope group → item,
//! with the same field numbers.

mod logs;
mod metrics;
mod spans;
mod value;

pub(crate) use metrics::push;
pub(crate) use value::plain;

use crate::builder::{Builder, Columns, Failure, OriginDraft};
use crate::wire::{Fields, WireError};
use orrery_model::Signal;

/// Reads one item of a signal: a span, a log record, or a metric with its points.
pub(crate) trait ReadItem {
    fn read_item(&mut self, bytes: &[u8]) -> Result<(), Failure>;
}

/// Reads a request into `builder`.
pub(crate) fn read<C: Columns>(builder: &mut Builder<'_, C>, request: &[u8]) -> Result<(), Failure>
where
    for<'l> Builder<'l, C>: ReadItem,
{
    let mut fields = Fields(request);
    while let Some((number, payload)) = fields.next()? {
        if number == 1 {
            read_resource_group(builder, payload.bytes()?)?;
        }
    }
    Ok(())
}

fn read_resource_group<C: Columns>(builder: &mut Builder<'_, C>, group: &[u8]) -> Result<(), Failure>
where
    for<'l> Builder<'l, C>: ReadItem,
{
    let (mut draft, mut dropped) = (OriginDraft::default(), 0);
    let mut fields = Fields(group);
    while let Some((number, payload)) = fields.next()? {
        match number {
            1 => dropped += read_resource(builder, payload.bytes()?, &mut draft)?,
            2 => read_scope_group(builder, payload.bytes()?)?,
            3 => draft.schema_url = builder.kit.name(&mut builder.columns.context().strings, payload.bytes()?),
            _ => {}
        }
    }
    draft.dropped_attributes_count = draft.dropped_attributes_count.saturating_add(dropped);
    builder.end_resource(draft);
    builder.weigh()
}

fn read_scope_group<C: Columns>(builder: &mut Builder<'_, C>, group: &[u8]) -> Result<(), Failure>
where
    for<'l> Builder<'l, C>: ReadItem,
{
    let (mut draft, mut dropped) = (OriginDraft::default(), 0);
    let mut fields = Fields(group);
    while let Some((number, payload)) = fields.next()? {
        match number {
            1 => dropped += read_scope(builder, payload.bytes()?, &mut draft)?,
            2 => {
                builder.read_item(payload.bytes()?)?;
                builder.weigh()?;
            }
            3 => draft.schema_url = builder.kit.name(&mut builder.columns.context().strings, payload.bytes()?),
            _ => {}
        }
    }
    draft.dropped_attributes_count = draft.dropped_attributes_count.saturating_add(dropped);
    builder.end_scope(draft);
    builder.weigh()
}

/// Returns how many attributes were dropped. The sender's count is of all pieces of it, so the two are added at the end.
fn read_resource<C: Columns>(
    builder: &mut Builder<'_, C>,
    bytes: &[u8],
    draft: &mut OriginDraft,
) -> Result<u32, WireError> {
    let (kit, context) = (&mut builder.kit, builder.columns.context());
    let mut dropped = 0;
    let mut fields = Fields(bytes);
    while let Some((number, payload)) = fields.next()? {
        match number {
            1 => dropped += kit.attribute(&mut context.strings, &mut context.resource_attributes, payload.bytes()?)?,
            2 => draft.dropped_attributes_count = payload.low32()?,
            _ => {}
        }
    }
    builder.forgive();
    Ok(dropped)
}

/// Returns how many attributes were dropped.
fn read_scope<C: Columns>(
    builder: &mut Builder<'_, C>,
    bytes: &[u8],
    draft: &mut OriginDraft,
) -> Result<u32, WireError> {
    let (kit, context) = (&mut builder.kit, builder.columns.context());
    let mut dropped = 0;
    let mut fields = Fields(bytes);
    while let Some((number, payload)) = fields.next()? {
        match number {
            1 => draft.name = kit.name(&mut context.strings, payload.bytes()?),
            2 => draft.version = kit.name(&mut context.strings, payload.bytes()?),
            3 => dropped += kit.attribute(&mut context.strings, &mut context.scope_attributes, payload.bytes()?)?,
            4 => draft.dropped_attributes_count = payload.low32()?,
            _ => {}
        }
    }
    builder.forgive();
    Ok(dropped)
}

/// What a request holds, from a scan that touches only the heads of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Census {
    /// Spans, log records or data points.
    pub(crate) items: usize,
    /// Resources, scopes and metrics.
    pub(crate) groups: usize,
}

impl Census {
    pub(crate) fn total(&self) -> usize {
        self.items + self.groups
    }
}

/// Counts before anything is decoded. Stops early once `max` is passed.
pub(crate) fn count(signal: Signal, request: &[u8], max: usize) -> Result<Census, WireError> {
    let mut census = Census::default();
    each_message(request, &[1], |group| {
        census.groups += 1;
        each_message(group, &[2], |scope| {
            census.groups += 1;
            each_message(scope, &[2], |item| {
                if signal == Signal::Metrics {
                    census.groups += 1;
                    // gauge, sum, histogram, exponential histogram, summary
                    each_message(item, &[5, 7, 9, 10, 11], |data| {
                        each_message(data, &[1], |_| {
                            census.items += 1;
                            Ok(census.total() <= max)
                        })?;
                        Ok(census.total() <= max)
                    })?;
                } else {
                    census.items += 1;
                }
                Ok(census.total() <= max)
            })?;
            Ok(census.total() <= max)
        })?;
        Ok(census.total() <= max)
    })?;
    Ok(census)
}

/// Calls `each` with every sub-message of one of the given fields, until it says `false`.
fn each_message<'a>(
    bytes: &'a [u8],
    numbers: &[u32],
    mut each: impl FnMut(&'a [u8]) -> Result<bool, WireError>,
) -> Result<(), WireError> {
    let mut fields = Fields(bytes);
    while let Some((number, payload)) = fields.next()? {
        if numbers.contains(&number) && !each(payload.bytes()?)? {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
