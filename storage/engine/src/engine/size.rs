//! How much memory a batch takes, estimated from its lengths.

use crate::columns::Table;
use orrery_model::batch::Context;
use orrery_model::{Attributes, Batch, LogBatch, MetricBatch, Signal, SpanBatch, Value};

/// A row in the query engine's table and in its batch weighs about this many times what it weighs in its batch.
const IN_TABLE: u64 = 3;

/// Memory that a batch of so many bytes takes until it is sealed.
pub(super) fn hot(signal: Signal, bytes: u64) -> u64 {
    let in_table = match signal {
        Signal::Traces => !SpanBatch::IN_BATCHES,
        Signal::Logs => !LogBatch::IN_BATCHES,
        Signal::Metrics => !MetricBatch::IN_BATCHES,
    };
    if in_table { bytes * IN_TABLE } else { bytes }
}

/// Bytes of so many rollup rows, their place in tables and in the file's cache included.
pub(super) fn rollups(rows: usize) -> u64 {
    rows as u64 * 500
}

const PAIR: usize = size_of::<Value>() + 4;

/// Bytes of a batch.
pub(super) fn of(batch: &Batch) -> u64 {
    let bytes = match batch {
        Batch::Traces(spans) => {
            context(&spans.context)
                + spans.len() * 108
                + attributes(&spans.attributes)
                + spans.events.name.len() * 16
                + attributes(&spans.events.attributes)
                + spans.links.span_id.len() * 40
                + attributes(&spans.links.attributes)
        }
        Batch::Logs(logs) => context(&logs.context) + logs.len() * 92 + attributes(&logs.attributes),
        Batch::Metrics(points) => {
            context(&points.context)
                + points.len() * 64
                + attributes(&points.attributes)
                + points.distributions.len() * 320
                + points.exemplars.len() * 48
        }
    };
    bytes as u64
}

fn context(context: &Context) -> usize {
    context.strings.text_bytes()
        + context.strings.len() * 12
        + attributes(&context.resource_attributes)
        + attributes(&context.scope_attributes)
}

fn attributes(attributes: &Attributes) -> usize {
    attributes.len() * 4 + attributes.pairs() * PAIR
}
