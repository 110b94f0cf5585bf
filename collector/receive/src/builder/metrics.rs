//! Data point columns.

use super::{Builder, Columns, IdField, attributes_bytes, context_bytes};
use crate::counts::Counts;
use crate::reason;
use orrery_model::batch::{Buckets, Context, Distribution, Exemplar, Metric, MetricKind, Temporality};
use orrery_model::{Attributes, Batch, MetricBatch, SpanId, Sym, TraceId, Value};

const NO_RECORDED_VALUE: u32 = 1;

/// What a metric says beside its points, which go to the columns at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct MetricDraft {
    pub(crate) name: Sym,
    pub(crate) description: Sym,
    pub(crate) unit: Sym,
    /// None: no data, or of a kind that we do not know.
    pub(crate) kind: Option<MetricKind>,
    pub(crate) temporality: i32,
    pub(crate) is_monotonic: bool,
    /// Why all its points are to be rejected.
    pub(crate) fault: Option<&'static str>,
    /// Row of the metric's first point.
    first_row: usize,
    /// What was rejected of the request before.
    rejected: Counts,
}

/// The fields of a data point of any kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct PointDraft {
    pub(crate) start: u64,
    pub(crate) time: u64,
    pub(crate) flags: u32,
    /// Gauges and sums; empty when not said.
    pub(crate) value: Value,
    /// The others.
    pub(crate) distribution: Option<Distribution>,
}

/// The fields of an exemplar.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ExemplarDraft {
    pub(crate) time: u64,
    pub(crate) value: Option<f64>,
    pub(crate) trace_id: IdField<TraceId>,
    pub(crate) span_id: IdField<SpanId>,
}

impl Builder<'_, MetricBatch> {
    /// Opens a metric.
    pub(crate) fn begin_metric(&self) -> MetricDraft {
        let rejected = self.kit.rejected.clone();
        MetricDraft { first_row: self.columns.rows(), rejected, ..MetricDraft::default() }
    }

    /// The open metric turns out to be of another kind: points read so far do not count, not as
    /// rejected either: the last kind wins.
    pub(crate) fn set_kind(&mut self, metric: &mut MetricDraft, kind: MetricKind) {
        if metric.kind.is_some_and(|known| known != kind) {
            self.truncate(metric.first_row);
            self.kit.rejected.clone_from(&metric.rejected);
            (metric.temporality, metric.is_monotonic) = (0, false);
        }
        metric.kind = Some(kind);
    }

    /// Closes a metric: its points stay only if they can be understood.
    pub(crate) fn end_metric(&mut self, draft: MetricDraft) {
        let points = self.columns.rows() - draft.first_row;
        match draft.check() {
            Err(reason) => {
                self.kit.rejected.add(reason, points as u64);
                self.truncate(draft.first_row);
            }
            Ok(None) => {}
            Ok(Some(metric)) if points > 0 => {
                let index = self.intern(metric);
                let rows = self.columns.rows();
                self.columns.metric.resize(rows, index);
            }
            Ok(Some(_)) => {}
        }
    }

    fn intern(&mut self, metric: Metric) -> u32 {
        let metrics = &mut self.columns.metrics;
        // A request names its metrics once per resource and scope: those of the last groups are near the end.
        let near = metrics.iter().rev().take(64).position(|known| *known == metric);
        if let Some(back) = near {
            return (metrics.len() - 1 - back) as u32;
        }
        metrics.push(metric);
        (metrics.len() - 1) as u32
    }

    /// Adds a point to the open metric, or takes back what was written of it and counts it as rejected.
    pub(crate) fn end_point(&mut self, mut draft: PointDraft) {
        let ended = draft.flags & NO_RECORDED_VALUE != 0;
        if let Some(reason) = self.kit.fault.take().or_else(|| draft.fault(self.kit.limits.max_buckets)) {
            self.kit.rejected.add(reason, 1);
            return self.truncate(self.columns.rows());
        }
        if ended {
            draft.value = Value::Empty;
        }
        let (kit, points) = (&mut self.kit, &mut self.columns);
        let start = kit.time(draft.start);
        let time = kit.time_or(draft.time, kit.received);
        points.start_time_unix_nano.push(start);
        points.time_unix_nano.push(time);
        points.flags.push(draft.flags);
        points.value.push(draft.value);
        points.distribution.push(match draft.distribution {
            Some(distribution) => {
                kit.bucket_bytes += buckets_bytes(&distribution.buckets);
                points.distributions.push(distribution);
                (points.distributions.len() - 1) as u32
            }
            None => u32::MAX,
        });
        kit.end_row(&mut points.attributes);
        points.exemplar_ends.push(points.exemplars.len() as u32);
    }

    /// Adds an exemplar to the open point.
    pub(crate) fn end_exemplar(&mut self, draft: ExemplarDraft) {
        let first = self.columns.exemplar_ends.last().copied().unwrap_or(0) as usize;
        let full = self.columns.exemplars.len() - first >= self.kit.limits.max_exemplars;
        let (Some(value), false) = (draft.value, full) else {
            return self.kit.dropped.add(reason::EXEMPLARS, 1);
        };
        let (trace_id, span_id) = self.kit.association(draft.trace_id, draft.span_id);
        let time_unix_nano = self.kit.time(draft.time);
        self.columns.exemplars.push(Exemplar { time_unix_nano, value, trace_id, span_id });
    }

    /// Takes back all points from `rows` on, and the one being read.
    fn truncate(&mut self, rows: usize) {
        let points = &mut self.columns;
        points.start_time_unix_nano.truncate(rows);
        points.time_unix_nano.truncate(rows);
        points.flags.truncate(rows);
        points.value.truncate(rows);
        points.attributes.truncate(rows);
        points.exemplar_ends.truncate(rows);
        points.exemplars.truncate(points.exemplar_ends.last().copied().unwrap_or(0) as usize);
        let first = points.distribution.get(rows..).unwrap_or(&[]).iter().find(|&&index| index != u32::MAX).copied();
        points.distribution.truncate(rows);
        if let Some(first) = first {
            points.distributions.truncate(first as usize);
        }
    }
}

impl MetricDraft {
    /// The metric, if it has data; or why its points are rejected.
    fn check(&self) -> Result<Option<Metric>, &'static str> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let Some(kind) = self.kind else { return Ok(None) };
        if self.name.is_empty() {
            return Err(reason::METRIC_NAME);
        }
        let temporality = match (kind, self.temporality) {
            (MetricKind::Gauge | MetricKind::Summary, _) => Temporality::Unspecified,
            (_, 1) => Temporality::Delta,
            (_, 2) => Temporality::Cumulative,
            _ => return Err(reason::TEMPORALITY),
        };
        let is_monotonic = kind == MetricKind::Sum && self.is_monotonic;
        let Self { name, description, unit, .. } = *self;
        Ok(Some(Metric { name, description, unit, kind, temporality, is_monotonic }))
    }
}

impl PointDraft {
    fn fault(&self, max_buckets: usize) -> Option<&'static str> {
        let ended = self.flags & NO_RECORDED_VALUE != 0;
        match &self.distribution {
            None if self.value == Value::Empty && !ended => Some(reason::NO_VALUE),
            None => None,
            Some(distribution) => distribution_fault(&distribution.buckets, max_buckets),
        }
    }
}

fn distribution_fault(buckets: &Buckets, max: usize) -> Option<&'static str> {
    match buckets {
        Buckets::Explicit { bounds, counts } => {
            let fits = counts.len() == bounds.len() + 1 || bounds.is_empty() && counts.is_empty();
            let rises = bounds.is_sorted_by(|a, b| a < b) && !bounds.iter().any(|bound| bound.is_nan());
            if counts.len() > max {
                Some(reason::TOO_MANY_BUCKETS)
            } else if fits && rises {
                None
            } else {
                Some(reason::HISTOGRAM_SHAPE)
            }
        }
        Buckets::Exponential { scale, positive_offset, positive, negative_offset, negative, .. } => {
            if positive.len() > max || negative.len() > max {
                return Some(reason::TOO_MANY_BUCKETS);
            }
            let fits = in_double_range(*scale, *positive_offset, positive.len())
                && in_double_range(*scale, *negative_offset, negative.len());
            (!fits).then_some(reason::BUCKET_RANGE)
        }
        Buckets::Summary { quantiles } => (quantiles.len() > max).then_some(reason::TOO_MANY_BUCKETS),
    }
}

/// Quantiles by their share; what is no number last, whatever its sign, of which JSON says nothing.
pub(crate) fn in_order(quantiles: &mut [(f64, f64)]) {
    quantiles.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or_else(|| a.0.is_nan().cmp(&b.0.is_nan())));
}

fn buckets_bytes(buckets: &Buckets) -> usize {
    match buckets {
        Buckets::Explicit { bounds, counts } => 8 * (bounds.len() + counts.len()),
        Buckets::Exponential { positive, negative, .. } => 8 * (positive.len() + negative.len()),
        Buckets::Summary { quantiles } => 16 * quantiles.len(),
    }
}

/// Whether every bucket holds some double: bucket i covers (2^(i·width), 2^((i+1)·width)], width = 2^-scale.
/// Written so that NaN is "no". Source: OTel metrics data model, "Exponential Histogram: producer expectations".
fn in_double_range(scale: i32, offset: i32, buckets: usize) -> bool {
    let width = (-f64::from(scale)).exp2();
    let (first, last) = (f64::from(offset), f64::from(offset) + buckets as f64 - 1.0);
    buckets == 0 || (first + 1.0) * width > -1075.0 && last * width < 1024.0
}

impl Columns for MetricBatch {
    fn context(&mut self) -> &mut Context {
        &mut self.context
    }

    /// Not `len`: the metric column is filled when the metric ends.
    fn attributes(&mut self) -> &mut Attributes {
        &mut self.attributes
    }

    fn rows(&self) -> usize {
        self.time_unix_nano.len()
    }

    fn origin(&mut self) -> (&mut Vec<u32>, &mut Vec<u32>) {
        (&mut self.resource, &mut self.scope)
    }

    fn reserve(&mut self, rows: usize) {
        self.metric.reserve(rows);
        self.start_time_unix_nano.reserve(rows);
        self.time_unix_nano.reserve(rows);
        self.flags.reserve(rows);
        self.value.reserve(rows);
        self.distribution.reserve(rows);
        self.exemplar_ends.reserve(rows);
    }

    fn bytes(&self) -> usize {
        context_bytes(&self.context)
            + 32 * self.metrics.len()
            + 60 * self.time_unix_nano.len()
            + 48 * self.exemplars.len()
            + 160 * self.distributions.len()
            + attributes_bytes(&self.attributes)
    }

    fn finish(self) -> Batch {
        Batch::Metrics(self)
    }
}
