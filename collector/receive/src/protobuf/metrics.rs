//! `Metric` and its data points.

use super::ReadItem;
use super::spans::{span_id, trace_id};
use crate::builder::{Builder, ExemplarDraft, Failure, MetricDraft, PointDraft, in_order};
use crate::wire::{Fields, WireError};
use orrery_model::batch::{Buckets, Distribution, MetricKind};
use orrery_model::{MetricBatch, Value};

impl ReadItem for Builder<'_, MetricBatch> {
    fn read_item(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let mut metric = self.begin_metric();
        let mut fields = Fields(bytes);
        while let Some((number, payload)) = fields.next()? {
            let (kit, strings) = (&mut self.kit, &mut self.columns.context.strings);
            match number {
                1 => metric.name = kit.name(strings, payload.bytes()?),
                2 => metric.description = kit.name(strings, payload.bytes()?),
                3 => metric.unit = kit.name(strings, payload.bytes()?),
                5 => self.read_data(&mut metric, MetricKind::Gauge, payload.bytes()?)?,
                7 => self.read_data(&mut metric, MetricKind::Sum, payload.bytes()?)?,
                9 => self.read_data(&mut metric, MetricKind::Histogram, payload.bytes()?)?,
                10 => self.read_data(&mut metric, MetricKind::ExponentialHistogram, payload.bytes()?)?,
                11 => self.read_data(&mut metric, MetricKind::Summary, payload.bytes()?)?,
                _ => {}
            }
        }
        self.end_metric(metric);
        Ok(())
    }
}

impl Builder<'_, MetricBatch> {
    fn read_data(&mut self, metric: &mut MetricDraft, kind: MetricKind, bytes: &[u8]) -> Result<(), Failure> {
        self.set_kind(metric, kind);
        let mut fields = Fields(bytes);
        while let Some((number, payload)) = fields.next()? {
            match (number, kind) {
                (1, _) => {
                    self.read_point(kind, payload.bytes()?)?;
                    self.weigh()?;
                }
                (2, MetricKind::Sum | MetricKind::Histogram | MetricKind::ExponentialHistogram) => {
                    metric.temporality = payload.low32()? as i32;
                }
                (3, MetricKind::Sum) => metric.is_monotonic = payload.bool()?,
                _ => {}
            }
        }
        Ok(())
    }

    fn read_point(&mut self, kind: MetricKind, bytes: &[u8]) -> Result<(), WireError> {
        let point = match kind {
            MetricKind::Gauge | MetricKind::Sum => self.read_number(bytes),
            MetricKind::Histogram => self.read_histogram(bytes),
            MetricKind::ExponentialHistogram => self.read_exponential(bytes),
            MetricKind::Summary => self.read_summary(bytes),
        }?;
        self.end_point(point);
        Ok(())
    }

    fn read_number(&mut self, bytes: &[u8]) -> Result<PointDraft, WireError> {
        let mut point = PointDraft::default();
        let mut fields = Fields(bytes);
        while let Some((number, payload)) = fields.next()? {
            match number {
                2 => point.start = payload.fixed64()?,
                3 => point.time = payload.fixed64()?,
                4 => point.value = Value::Double(payload.double()?),
                5 => self.read_exemplar(payload.bytes()?)?,
                6 => point.value = Value::Int(payload.fixed64()? as i64),
                7 => self.read_point_attribute(payload.bytes()?)?,
                8 => point.flags = payload.low32()?,
                _ => {}
            }
        }
        Ok(point)
    }

    fn read_histogram(&mut self, bytes: &[u8]) -> Result<PointDraft, WireError> {
        let (mut point, mut whole) = (PointDraft::default(), Distribution::default());
        let (mut bounds, mut counts) = (Vec::new(), Vec::new());
        let max = self.kit.limits.max_buckets;
        let mut fields = Fields(bytes);
        while let Some((number, payload)) = fields.next()? {
            match number {
                2 => point.start = payload.fixed64()?,
                3 => point.time = payload.fixed64()?,
                4 => whole.count = payload.fixed64()?,
                5 => whole.sum = Some(payload.double()?),
                6 => payload.each_fixed64(|count| push(&mut counts, count, max))?,
                7 => payload.each_fixed64(|bound| push(&mut bounds, f64::from_bits(bound), max))?,
                8 => self.read_exemplar(payload.bytes()?)?,
                9 => self.read_point_attribute(payload.bytes()?)?,
                10 => point.flags = payload.low32()?,
                11 => whole.min = Some(payload.double()?),
                12 => whole.max = Some(payload.double()?),
                _ => {}
            }
        }
        whole.buckets = Buckets::Explicit { bounds, counts };
        point.distribution = Some(whole);
        Ok(point)
    }

    fn read_exponential(&mut self, bytes: &[u8]) -> Result<PointDraft, WireError> {
        let (mut point, mut whole) = (PointDraft::default(), Distribution::default());
        let (mut scale, mut zero_count, mut zero_threshold) = (0, 0, 0.0);
        let (mut positive, mut negative) = ((0, Vec::new()), (0, Vec::new()));
        let max = self.kit.limits.max_buckets;
        let mut fields = Fields(bytes);
        while let Some((number, payload)) = fields.next()? {
            match number {
                1 => self.read_point_attribute(payload.bytes()?)?,
                2 => point.start = payload.fixed64()?,
                3 => point.time = payload.fixed64()?,
                4 => whole.count = payload.fixed64()?,
                5 => whole.sum = Some(payload.double()?),
                6 => scale = payload.sint32()?,
                7 => zero_count = payload.fixed64()?,
                8 => read_buckets(payload.bytes()?, &mut positive, max)?,
                9 => read_buckets(payload.bytes()?, &mut negative, max)?,
                10 => point.flags = payload.low32()?,
                11 => self.read_exemplar(payload.bytes()?)?,
                12 => whole.min = Some(payload.double()?),
                13 => whole.max = Some(payload.double()?),
                14 => zero_threshold = payload.double()?,
                _ => {}
            }
        }
        let ((positive_offset, positive), (negative_offset, negative)) = (positive, negative);
        whole.buckets = Buckets::Exponential {
            scale,
            zero_count,
            zero_threshold,
            positive_offset,
            positive,
            negative_offset,
            negative,
        };
        point.distribution = Some(whole);
        Ok(point)
    }

    fn read_summary(&mut self, bytes: &[u8]) -> Result<PointDraft, WireError> {
        let (mut point, mut whole) = (PointDraft::default(), Distribution { sum: Some(0.0), ..Default::default() });
        let mut quantiles = Vec::new();
        let max = self.kit.limits.max_buckets;
        let mut fields = Fields(bytes);
        while let Some((number, payload)) = fields.next()? {
            match number {
                2 => point.start = payload.fixed64()?,
                3 => point.time = payload.fixed64()?,
                4 => whole.count = payload.fixed64()?,
                5 => whole.sum = Some(payload.double()?),
                6 => push(&mut quantiles, read_quantile(payload.bytes()?)?, max),
                7 => self.read_point_attribute(payload.bytes()?)?,
                8 => point.flags = payload.low32()?,
                _ => {}
            }
        }
        in_order(&mut quantiles);
        whole.buckets = Buckets::Summary { quantiles };
        point.distribution = Some(whole);
        Ok(point)
    }

    /// Data points have no count of dropped attributes: those we drop are counted in the batch's total only.
    fn read_point_attribute(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let points = &mut self.columns;
        self.kit.attribute(&mut points.context.strings, &mut points.attributes, bytes).map(drop)
    }

    fn read_exemplar(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let mut exemplar = ExemplarDraft::default();
        let mut fields = Fields(bytes);
        while let Some((number, payload)) = fields.next()? {
            match number {
                2 => exemplar.time = payload.fixed64()?,
                3 => exemplar.value = Some(payload.double()?),
                4 => exemplar.span_id = span_id(payload.bytes()?),
                5 => exemplar.trace_id = trace_id(payload.bytes()?),
                6 => exemplar.value = Some(payload.fixed64()? as i64 as f64),
                _ => {}
            }
        }
        self.end_exemplar(exemplar);
        Ok(())
    }
}

/// Keeps one more than `max`, so that the excess is seen without being held.
pub(crate) fn push<T>(list: &mut Vec<T>, item: T, max: usize) {
    if list.len() <= max {
        list.push(item);
    }
}

fn read_buckets(bytes: &[u8], (offset, counts): &mut (i32, Vec<u64>), max: usize) -> Result<(), WireError> {
    let mut fields = Fields(bytes);
    while let Some((number, payload)) = fields.next()? {
        match number {
            1 => *offset = payload.sint32()?,
            2 => payload.each_varint(|count| push(counts, count, max))?,
            _ => {}
        }
    }
    Ok(())
}

fn read_quantile(bytes: &[u8]) -> Result<(f64, f64), WireError> {
    let (mut quantile, mut value) = (0.0, 0.0);
    let mut fields = Fields(bytes);
    while let Some((number, payload)) = fields.next()? {
        match number {
            1 => quantile = payload.double()?,
            2 => value = payload.double()?,
            _ => {}
        }
    }
    Ok((quantile, value))
}
