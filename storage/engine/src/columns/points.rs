//! The table of data points.

use super::spans::column;
use super::{Column, Kind, Part, Place, Rows, Table, cells, read};
use crate::context::ContextTable;
use crate::promote::Promoted;
use crate::slice::{HotTable, Slice};
use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::error::ArrowError;
use orrery_model::batch::{Buckets, Context, Distribution, Metric};
use orrery_model::{Attributes, MetricBatch, Signal, TraceId, Value};
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

impl Table for MetricBatch {
    const SIGNAL: Signal = Signal::Metrics;
    const NAME: &'static str = "points";
    // Points are read by metric, then by series: the map is small after that.
    const PROMOTES: bool = false;
    const IN_BATCHES: bool = false;
    const COLUMNS: &'static [Column<MetricBatch>] = &[
        column!("name", Text, Everywhere, "Metric name.", |rows| rows
            .text(|b, i| b.context.strings.get(metric(b, i).name))),
        column!("description", Text, Everywhere, "By its sender.", |rows| rows
            .text(|b, i| b.context.strings.get(metric(b, i).description))),
        column!("unit", Text, Everywhere, "UCUM unit.", |rows| rows
            .text(|b, i| b.context.strings.get(metric(b, i).unit))),
        column!("kind", U8, Everywhere, "1 gauge, 2 sum, 3 histogram, 4 exponential histogram, 5 summary.", |rows| {
            rows.u8(|b, i| metric(b, i).kind as u8)
        }),
        column!("temporality", U8, Everywhere, "0 none, 1 delta, 2 cumulative.", |rows| rows
            .u8(|b, i| metric(b, i).temporality as u8)),
        column!("is_monotonic", Bool, Everywhere, "Whether a sum only grows.", |rows| rows
            .bool(|b, i| metric(b, i).is_monotonic)),
        column!("series", U64, Everywhere, "Hash of metric, attributes, resource and scope.", series),
        column!("start_time_unix_nano", Nanos, Everywhere, "Unix nanoseconds; 0 when not said.", |rows| rows
            .i64(|b, i| b.start_time_unix_nano[i])),
        column!("time_unix_nano", Nanos, Everywhere, "Unix nanoseconds.", |rows| rows.i64(|b, i| b.time_unix_nano[i])),
        column!("flags", U32, Everywhere, "OTLP flags; bit 0: no recorded value.", |rows| rows.u32(|b, i| b.flags[i])),
        column!("value_int", I64, Everywhere, "Gauge or sum, if an integer.", |rows| rows.i64_or_null(|b, i| match b
            .value[i]
        {
            Value::Int(value) => Some(value),
            _ => None,
        })),
        column!("value_double", F64, Everywhere, "Gauge or sum, if a double.", |rows| rows.f64_or_null(|b, i| match b
            .value[i]
        {
            Value::Double(value) => Some(value),
            _ => None,
        })),
        column!("count", U64, Everywhere, "Measurements of a histogram or summary.", |rows| rows
            .u64_or_null(|b, i| b.distribution(i).map(|d| d.count))),
        column!("sum", F64, Everywhere, "Their sum.", |rows| rows
            .f64_or_null(|b, i| b.distribution(i).and_then(|d| d.sum))),
        column!("min", F64, Everywhere, "The smallest.", |rows| rows
            .f64_or_null(|b, i| b.distribution(i).and_then(|d| d.min))),
        column!("max", F64, Everywhere, "The largest.", |rows| rows
            .f64_or_null(|b, i| b.distribution(i).and_then(|d| d.max))),
        column!(
            "bounds",
            F64List,
            Everywhere,
            "Histogram: upper bounds. Summary: quantile and value in turns.",
            |rows| rows.f64_list(bounds)
        ),
        column!("counts", U64List, Everywhere, "Histogram: measurements per bucket.", |rows| rows.u64_list(counts)),
        column!("scale", I32, Everywhere, "Exponential histogram: resolution.", |rows| rows
            .i32_or_null(|b, i| { exponential(b, i).map(|e| e.scale) })),
        column!("zero_count", U64, Everywhere, "Exponential histogram: measurements near zero.", |rows| rows
            .u64_or_null(|b, i| exponential(b, i).map(|e| e.zero_count))),
        column!("zero_threshold", F64, Everywhere, "Exponential histogram: width of the zero bucket.", |rows| rows
            .f64_or_null(|b, i| exponential(b, i).map(|e| e.zero_threshold))),
        column!("positive_offset", I32, Everywhere, "Index of the first of `counts`.", |rows| rows
            .i32_or_null(|b, i| exponential(b, i).map(|e| e.positive_offset))),
        column!("negative_offset", I32, Everywhere, "Index of the first of `negative_counts`.", |rows| rows
            .i32_or_null(|b, i| exponential(b, i).map(|e| e.negative_offset))),
        column!("negative_counts", U64List, Everywhere, "Exponential histogram: per negative bucket.", |rows| rows
            .u64_list(negative_counts)),
        column!("exemplars", Exemplars, Everywhere, "Example measurements.", cells::exemplars),
        column!("resource_id", U32, Everywhere, "Number of the resource in the index file.", |rows| rows.resource_id()),
        column!("scope_id", U32, Everywhere, "Number of the scope in the index file.", |rows| rows.scope_id()),
        column!("service_namespace", Word, Sealed, "`service.namespace`, or empty.", |rows| rows
            .of_resource(|r| &r.service.service_namespace)),
        column!("service_name", Word, Sealed, "`service.name`.", |rows| rows.of_resource(|r| &r.service.service_name)),
        column!("environment", Word, Sealed, "`deployment.environment.name`, or empty.", |rows| rows
            .of_resource(|r| &r.service.environment)),
        column!("host_name", Word, Sealed, "`host.name`, or empty.", |rows| rows.of_resource(|r| &r.host_name)),
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

    fn trace(&self, _: usize) -> Option<TraceId> {
        None
    }

    /// Repeated points of a series do no harm.
    fn same(_: (&Part<Self>, usize), _: (&Part<Self>, usize)) -> bool {
        false
    }

    fn hot(slice: &Slice) -> &HotTable<MetricBatch> {
        &slice.points
    }

    fn time(&self, row: usize) -> i64 {
        self.time_unix_nano[row]
    }

    /// By metric, then resource, then time: a metric's points lie together.
    type Key<'a> = (&'a str, u32, i64);

    fn key(part: &Part<Self>, row: usize) -> Self::Key<'_> {
        let resource = part.resources[part.batch.resource[row] as usize];
        (name(part, row), resource, part.batch.time_unix_nano[row])
    }

    fn read(from: &RecordBatch, context: &ContextTable, _: &[Promoted]) -> Result<Self, ArrowError> {
        let mut batch = MetricBatch { context: context.to_batch(), ..MetricBatch::default() };
        let read = read::Reader::new(from);
        let strings = &mut batch.context.strings;
        (batch.metric, batch.metrics) = read.metrics(strings)?;
        batch.start_time_unix_nano = read.i64("start_time_unix_nano")?;
        batch.time_unix_nano = read.i64("time_unix_nano")?;
        batch.flags = read.u32("flags")?;
        batch.value = read.values()?;
        (batch.distribution, batch.distributions) = read.distributions(&batch.metric, &batch.metrics)?;
        batch.resource = read.u32("resource_id")?;
        batch.scope = read.u32("scope_id")?;
        batch.attributes = read.attributes(&[], strings)?;
        (batch.exemplar_ends, batch.exemplars) = read.exemplars()?;
        Ok(batch)
    }
}

fn metric(batch: &MetricBatch, point: usize) -> &Metric {
    &batch.metrics[batch.metric[point] as usize]
}

fn buckets(batch: &MetricBatch, point: usize) -> Option<&Buckets> {
    batch.distribution(point).map(|distribution: &Distribution| &distribution.buckets)
}

struct Exponential {
    scale: i32,
    zero_count: u64,
    zero_threshold: f64,
    positive_offset: i32,
    negative_offset: i32,
}

fn exponential(batch: &MetricBatch, point: usize) -> Option<Exponential> {
    match *buckets(batch, point)? {
        Buckets::Exponential { scale, zero_count, zero_threshold, positive_offset, negative_offset, .. } => {
            Some(Exponential { scale, zero_count, zero_threshold, positive_offset, negative_offset })
        }
        _ => None,
    }
}

fn bounds(batch: &MetricBatch, point: usize, out: &mut Vec<f64>) {
    match buckets(batch, point) {
        Some(Buckets::Explicit { bounds, .. }) => out.extend_from_slice(bounds),
        Some(Buckets::Summary { quantiles }) => out.extend(quantiles.iter().flat_map(|(q, value)| [*q, *value])),
        _ => {}
    }
}

fn counts(batch: &MetricBatch, point: usize, out: &mut Vec<u64>) {
    match buckets(batch, point) {
        Some(Buckets::Explicit { counts, .. }) => out.extend_from_slice(counts),
        Some(Buckets::Exponential { positive, .. }) => out.extend_from_slice(positive),
        _ => {}
    }
}

fn negative_counts(batch: &MetricBatch, point: usize, out: &mut Vec<u64>) {
    if let Some(Buckets::Exponential { negative, .. }) = buckets(batch, point) {
        out.extend_from_slice(negative);
    }
}

fn name(part: &Part<MetricBatch>, point: usize) -> &str {
    part.batch.context.strings.get(metric(&part.batch, point).name)
}

/// The series of each point. Attributes are hashed without order: senders are free in it.
fn series(rows: &Rows<'_, MetricBatch>) -> ArrayRef {
    let state = foldhash::quality::FixedState::default();
    let mut text = String::new();
    let mut hashes = Vec::with_capacity(rows.picks.len());
    for (part, point) in rows.iter() {
        let batch = &part.batch;
        let strings = &batch.context.strings;
        let mut attributes = 0u64;
        for (key, value) in batch.attributes.row(point) {
            text.clear();
            value.to_json(strings, &mut text);
            attributes = attributes.wrapping_add(state.hash_one((strings.get(key), &text)));
        }
        let mut hasher = state.build_hasher();
        strings.get(metric(batch, point).name).hash(&mut hasher);
        rows.context.resource(part.resources[batch.resource[point] as usize]).attributes.hash(&mut hasher);
        rows.context.scope(part.scopes[batch.scope[point] as usize]).name.hash(&mut hasher);
        attributes.hash(&mut hasher);
        hashes.push(hasher.finish());
    }
    Arc::new(UInt64Array::from(hashes))
}
