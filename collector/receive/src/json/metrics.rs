//! Metrics and their data points.

use super::reader::{Kind, Reader};
use super::{ReadItem, Stop};
use crate::builder::{Builder, ExemplarDraft, Kit, MetricDraft, PointDraft, in_order};
use crate::protobuf::push;
use orrery_model::batch::{Buckets, Distribution, MetricKind};
use orrery_model::{MetricBatch, Value};

/// Names that OTLP/JSON forbids and some send.
const TEMPORALITIES: &[(&str, i32)] =
    &[("AGGREGATION_TEMPORALITY_DELTA", 1), ("AGGREGATION_TEMPORALITY_CUMULATIVE", 2)];

/// A data point being read, of whatever kind.
#[derive(Default)]
struct JsonPoint {
    point: PointDraft,
    whole: Distribution,
    bounds: Vec<f64>,
    counts: Vec<u64>,
    scale: i32,
    zero_count: u64,
    zero_threshold: f64,
    positive: (i32, Vec<u64>),
    negative: (i32, Vec<u64>),
    quantiles: Vec<(f64, f64)>,
}

impl ReadItem for Builder<'_, MetricBatch> {
    const RESOURCES: &'static str = "resourceMetrics";
    const SCOPES: &'static str = "scopeMetrics";
    const ITEMS: &'static str = "metrics";

    fn read_item(&mut self, reader: &mut Reader<'_>) -> Result<(), Stop> {
        let mut metric = self.begin_metric();
        let read = reader.object(|reader, key| {
            let (kit, strings) = (&mut self.kit, &mut self.columns.context.strings);
            match key {
                "name" => kit.set_name(strings, reader, &mut metric.name)?,
                "description" => kit.set_name(strings, reader, &mut metric.description)?,
                "unit" => kit.set_name(strings, reader, &mut metric.unit)?,
                "gauge" => self.json_data(&mut metric, MetricKind::Gauge, reader)?,
                "sum" => self.json_data(&mut metric, MetricKind::Sum, reader)?,
                "histogram" => self.json_data(&mut metric, MetricKind::Histogram, reader)?,
                "exponentialHistogram" => {
                    self.json_data(&mut metric, MetricKind::ExponentialHistogram, reader)?;
                }
                "summary" => self.json_data(&mut metric, MetricKind::Summary, reader)?,
                _ => reader.skip()?,
            }
            self.blame(&mut metric);
            Ok(())
        });
        self.kit.soft(read)?;
        self.blame(&mut metric);
        self.end_metric(metric);
        Ok(())
    }
}

impl Builder<'_, MetricBatch> {
    /// A fault outside any point is the metric's.
    fn blame(&mut self, metric: &mut MetricDraft) {
        metric.fault = metric.fault.or(self.kit.fault.take());
    }

    fn json_data(&mut self, metric: &mut MetricDraft, kind: MetricKind, reader: &mut Reader<'_>) -> Result<(), Stop> {
        if reader.kind()? == Kind::Null {
            return Ok(reader.skip()?);
        }
        self.set_kind(metric, kind);
        let read = reader.object(|reader, key| {
            match key {
                "dataPoints" => {
                    let read = reader.array(|reader| {
                        self.json_point(kind, reader)?;
                        Ok(self.weigh()?)
                    });
                    self.kit.soft(read)?;
                }
                "aggregationTemporality" => {
                    self.kit.set(reader.enumeration(TEMPORALITIES), &mut metric.temporality)?;
                }
                "isMonotonic" => self.kit.set(reader.bool(), &mut metric.is_monotonic)?,
                _ => reader.skip()?,
            }
            self.blame(metric);
            Ok(())
        });
        self.kit.soft(read)
    }

    fn json_point(&mut self, kind: MetricKind, reader: &mut Reader<'_>) -> Result<(), Stop> {
        let mut read = JsonPoint::default();
        let result = reader.object(|reader, key| self.read_field(&mut read, key, reader));
        self.kit.soft(result)?;
        self.end_point(read.finish(kind));
        Ok(())
    }

    /// The kinds share field names, so one list serves all.
    fn read_field(&mut self, read: &mut JsonPoint, key: &str, reader: &mut Reader<'_>) -> Result<(), Stop> {
        let (kit, columns) = (&mut self.kit, &mut self.columns);
        let (point, whole) = (&mut read.point, &mut read.whole);
        let max = kit.limits.max_buckets;
        match key {
            "startTimeUnixNano" => kit.set_integer(reader, &mut point.start),
            "timeUnixNano" => kit.set_integer(reader, &mut point.time),
            "flags" => kit.set_integer(reader, &mut point.flags),
            "asInt" => kit.set(reader.integer().map(|value| value.map(Value::Int)), &mut point.value),
            "asDouble" => kit.set(reader.double().map(|value| value.map(Value::Double)), &mut point.value),
            "attributes" => kit.attributes(&mut columns.context.strings, &mut columns.attributes, reader).map(drop),
            "exemplars" => {
                let read = reader.array(|reader| self.json_exemplar(reader));
                self.kit.soft(read)
            }
            "count" => kit.set_integer(reader, &mut whole.count),
            "sum" => kit.set_double(reader, &mut whole.sum),
            "min" => kit.set_double(reader, &mut whole.min),
            "max" => kit.set_double(reader, &mut whole.max),
            "explicitBounds" => {
                let bounds = &mut read.bounds;
                let list = reader.array(|reader| {
                    push(bounds, kit.soft(reader.double())?.unwrap_or_default(), max);
                    Ok(())
                });
                kit.soft(list)
            }
            "bucketCounts" => kit.read_counts(reader, &mut read.counts),
            "scale" => kit.set_integer(reader, &mut read.scale),
            "zeroCount" => kit.set_integer(reader, &mut read.zero_count),
            "zeroThreshold" => kit.set(reader.double(), &mut read.zero_threshold),
            "positive" => kit.read_buckets(reader, &mut read.positive),
            "negative" => kit.read_buckets(reader, &mut read.negative),
            "quantileValues" => {
                let quantiles = &mut read.quantiles;
                let list = reader.array(|reader| {
                    push(quantiles, kit.read_quantile(reader)?, max);
                    Ok(())
                });
                kit.soft(list)
            }
            _ => Ok(reader.skip()?),
        }
    }

    fn json_exemplar(&mut self, reader: &mut Reader<'_>) -> Result<(), Stop> {
        let mut exemplar = ExemplarDraft::default();
        let kit = &mut self.kit;
        let read = reader.object(|reader, key| match key {
            "timeUnixNano" => kit.set_integer(reader, &mut exemplar.time),
            "asDouble" => kit.set_double(reader, &mut exemplar.value),
            "asInt" => {
                let value = kit.soft(reader.integer::<i64>())?;
                exemplar.value = value.map(|value| value as f64).or(exemplar.value);
                Ok(())
            }
            "traceId" => kit.set_id(reader, &mut exemplar.trace_id),
            "spanId" => kit.set_id(reader, &mut exemplar.span_id),
            _ => Ok(reader.skip()?),
        });
        kit.soft(read)?;
        self.end_exemplar(exemplar);
        Ok(())
    }
}

impl Kit<'_> {
    fn set_double(&mut self, reader: &mut Reader<'_>, field: &mut Option<f64>) -> Result<(), Stop> {
        *field = self.soft(reader.double())?.or(*field);
        Ok(())
    }

    fn read_counts(&mut self, reader: &mut Reader<'_>, counts: &mut Vec<u64>) -> Result<(), Stop> {
        let max = self.limits.max_buckets;
        let read = reader.array(|reader| {
            push(counts, self.soft(reader.integer())?.unwrap_or_default(), max);
            Ok(())
        });
        self.soft(read)
    }

    fn read_buckets(&mut self, reader: &mut Reader<'_>, buckets: &mut (i32, Vec<u64>)) -> Result<(), Stop> {
        let read = reader.object(|reader, key| match key {
            "offset" => self.set_integer(reader, &mut buckets.0),
            "bucketCounts" => self.read_counts(reader, &mut buckets.1),
            _ => Ok(reader.skip()?),
        });
        self.soft(read)
    }

    fn read_quantile(&mut self, reader: &mut Reader<'_>) -> Result<(f64, f64), Stop> {
        let (mut quantile, mut value) = (0.0, 0.0);
        let read = reader.object(|reader, key| match key {
            "quantile" => self.set(reader.double(), &mut quantile),
            "value" => self.set(reader.double(), &mut value),
            _ => Ok(reader.skip()?),
        });
        self.soft(read)?;
        Ok((quantile, value))
    }
}

impl JsonPoint {
    fn finish(self, kind: MetricKind) -> PointDraft {
        let JsonPoint { mut point, mut whole, mut quantiles, .. } = self;
        whole.buckets = match kind {
            MetricKind::Gauge | MetricKind::Sum => return point,
            MetricKind::Histogram => Buckets::Explicit { bounds: self.bounds, counts: self.counts },
            MetricKind::ExponentialHistogram => Buckets::Exponential {
                scale: self.scale,
                zero_count: self.zero_count,
                zero_threshold: self.zero_threshold,
                positive_offset: self.positive.0,
                positive: self.positive.1,
                negative_offset: self.negative.0,
                negative: self.negative.1,
            },
            MetricKind::Summary => {
                in_order(&mut quantiles);
                whole.sum = whole.sum.or(Some(0.0));
                Buckets::Summary { quantiles }
            }
        };
        point.value = Value::Empty;
        point.distribution = Some(whole);
        point
    }
}
