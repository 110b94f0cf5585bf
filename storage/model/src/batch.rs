//! Columnar batches, one per signal: what a receiver makes of a request and what the engine stores.
//!
//! Every column of a batch has one entry per row. Strings, resources and scopes are interned once per batch.

use crate::attributes::{Attributes, Value};
use crate::id::{SpanId, TraceId};
use crate::service::ServiceKey;
use crate::signal::Signal;
use crate::strings::{Strings, Sym};
use serde::{Deserialize, Serialize};

/// A batch of any signal.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "made once per request, and boxed where it is queued")]
pub enum Batch {
    /// Spans.
    Traces(SpanBatch),
    /// Log records.
    Logs(LogBatch),
    /// Data points.
    Metrics(MetricBatch),
}

impl Batch {
    /// Which signal.
    pub fn signal(&self) -> Signal {
        match self {
            Batch::Traces(_) => Signal::Traces,
            Batch::Logs(_) => Signal::Logs,
            Batch::Metrics(_) => Signal::Metrics,
        }
    }

    /// Number of rows: spans, log records or data points.
    pub fn len(&self) -> usize {
        match self {
            Batch::Traces(batch) => batch.len(),
            Batch::Logs(batch) => batch.len(),
            Batch::Metrics(batch) => batch.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What rows of any signal share: strings, and who sent them.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// All text of the batch.
    pub strings: Strings,
    /// Distinct resources, in order of appearance.
    pub resources: Vec<Resource>,
    /// One row per resource, in the same order.
    pub resource_attributes: Attributes,
    /// Distinct scopes, in order of appearance.
    pub scopes: Vec<Scope>,
    /// One row per scope, in the same order.
    pub scope_attributes: Attributes,
}

/// Who sent: the fields of a resource that every query needs. Its attributes are in the context.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    /// `service.namespace`, or empty.
    pub service_namespace: Sym,
    /// `service.name`; `unknown_service` when missing or empty.
    pub service_name: Sym,
    /// `deployment.environment.name` or its old name `deployment.environment`, or empty.
    pub environment: Sym,
    /// `service.version`, or empty.
    pub service_version: Sym,
    /// `service.instance.id`, else `k8s.pod.uid`, else `host.name`:`process.pid`, else `host.name`, or empty.
    pub instance: Sym,
    /// `host.name`, or empty.
    pub host_name: Sym,
    /// OTLP `schema_url` of the resource.
    pub schema_url: Sym,
    /// Attributes the sender dropped.
    pub dropped_attributes_count: u32,
}

/// OTLP instrumentation scope. Its attributes are in the context.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// Name of the instrumentation library.
    pub name: Sym,
    /// Its version.
    pub version: Sym,
    /// OTLP `schema_url` of the scope's items; wins over the resource's.
    pub schema_url: Sym,
    /// Attributes the sender dropped.
    pub dropped_attributes_count: u32,
}

impl Context {
    /// Adds a resource whose attributes have been pushed (not yet closed) to `resource_attributes`; derives the
    /// named fields from them. Returns its index and how many duplicate keys were dropped.
    pub fn end_resource(&mut self, schema_url: Sym, dropped_attributes_count: u32) -> (u32, u32) {
        let duplicates = self.resource_attributes.end_row();
        let row = self.resources.len();
        let text = |context: &Context, key: &str| -> String {
            let value = context.strings.find(key).and_then(|key| context.resource_attributes.get(row, key));
            value.map(|value| value.to_text(&context.strings)).unwrap_or_default()
        };
        let first = |context: &Context, keys: &[&str]| {
            keys.iter().map(|key| text(context, key)).find(|text| !text.is_empty()).unwrap_or_default()
        };
        let host_name = text(self, "host.name");
        let pid = text(self, "process.pid");
        let mut instance = first(self, &["service.instance.id", "k8s.pod.uid"]);
        if instance.is_empty() {
            instance =
                if host_name.is_empty() || pid.is_empty() { host_name.clone() } else { format!("{host_name}:{pid}") };
        }
        let mut service_name = text(self, "service.name");
        if service_name.is_empty() {
            service_name = "unknown_service".to_owned();
        }
        let namespace = text(self, "service.namespace");
        let environment = first(self, &["deployment.environment.name", "deployment.environment"]);
        let version = text(self, "service.version");
        let resource = Resource {
            service_namespace: self.strings.intern(&namespace),
            service_name: self.strings.intern(&service_name),
            environment: self.strings.intern(&environment),
            service_version: self.strings.intern(&version),
            instance: self.strings.intern(&instance),
            host_name: self.strings.intern(&host_name),
            schema_url,
            dropped_attributes_count,
        };
        self.resources.push(resource);
        (row as u32, duplicates)
    }

    /// Adds a scope whose attributes have been pushed (not yet closed) to `scope_attributes`. Returns its index and
    /// how many duplicate keys were dropped.
    pub fn end_scope(&mut self, scope: Scope) -> (u32, u32) {
        let duplicates = self.scope_attributes.end_row();
        self.scopes.push(scope);
        ((self.scopes.len() - 1) as u32, duplicates)
    }

    /// The service of a resource of this batch.
    pub fn service(&self, resource: u32) -> ServiceKey {
        let resource = &self.resources[resource as usize];
        ServiceKey {
            namespace: self.strings.get(resource.service_namespace).to_owned(),
            name: self.strings.get(resource.service_name).to_owned(),
            environment: self.strings.get(resource.environment).to_owned(),
        }
    }
}

/// Spans.
#[derive(Clone, Debug, Default)]
pub struct SpanBatch {
    /// Strings, resources, scopes.
    pub context: Context,
    /// Never all zero.
    pub trace_id: Vec<TraceId>,
    /// Never zero.
    pub span_id: Vec<SpanId>,
    /// Zero for a root span.
    pub parent_span_id: Vec<SpanId>,
    /// W3C trace state.
    pub trace_state: Vec<Sym>,
    /// OTLP `flags`: W3C flags in bits 0 to 7, bit 8 "is_remote is known", bit 9 "is_remote".
    pub flags: Vec<u32>,
    /// Span name.
    pub name: Vec<Sym>,
    /// OTLP number; see [`crate::SpanKind::from_number`].
    pub kind: Vec<u8>,
    /// Unix nanoseconds.
    pub start_time_unix_nano: Vec<i64>,
    /// End minus start, 0 when the sender's clock ran back.
    pub duration_nanos: Vec<i64>,
    /// OTLP number; see [`crate::StatusCode::from_number`].
    pub status_code: Vec<u8>,
    /// Text with the status.
    pub status_message: Vec<Sym>,
    /// Index into `context.resources`.
    pub resource: Vec<u32>,
    /// Index into `context.scopes`.
    pub scope: Vec<u32>,
    /// Span attributes.
    pub attributes: Attributes,
    /// Attributes dropped by the sender, or by us for being duplicates or over a limit.
    pub dropped_attributes_count: Vec<u32>,
    /// End of each span's events in `events`.
    pub event_ends: Vec<u32>,
    /// Events dropped by the sender or by us.
    pub dropped_events_count: Vec<u32>,
    /// End of each span's links in `links`.
    pub link_ends: Vec<u32>,
    /// Links dropped by the sender or by us.
    pub dropped_links_count: Vec<u32>,
    /// Events of all spans, in span order.
    pub events: Events,
    /// Links of all spans, in span order.
    pub links: Links,
}

/// Span events of a batch.
#[derive(Clone, Debug, Default)]
pub struct Events {
    /// Unix nanoseconds.
    pub time_unix_nano: Vec<i64>,
    /// Event name.
    pub name: Vec<Sym>,
    /// One row per event.
    pub attributes: Attributes,
    /// Attributes dropped by the sender or by us.
    pub dropped_attributes_count: Vec<u32>,
}

/// Span links of a batch.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// Trace of the linked span.
    pub trace_id: Vec<TraceId>,
    /// The linked span.
    pub span_id: Vec<SpanId>,
    /// W3C trace state.
    pub trace_state: Vec<Sym>,
    /// OTLP `flags`.
    pub flags: Vec<u32>,
    /// One row per link.
    pub attributes: Attributes,
    /// Attributes dropped by the sender or by us.
    pub dropped_attributes_count: Vec<u32>,
}

impl SpanBatch {
    /// Number of spans.
    #[inline]
    pub fn len(&self) -> usize {
        self.span_id.len()
    }

    /// Whether there is no span.
    pub fn is_empty(&self) -> bool {
        self.span_id.is_empty()
    }

    /// Rows of `events` that belong to a span.
    #[inline]
    pub fn event_range(&self, span: usize) -> std::ops::Range<usize> {
        ragged(&self.event_ends, span)
    }

    /// Rows of `links` that belong to a span.
    #[inline]
    pub fn link_range(&self, span: usize) -> std::ops::Range<usize> {
        ragged(&self.link_ends, span)
    }

    /// A span attribute by name.
    pub fn attribute(&self, span: usize, key: &str) -> Option<Value> {
        self.attributes.get(span, self.context.strings.find(key)?)
    }
}

/// Log records.
#[derive(Clone, Debug, Default)]
pub struct LogBatch {
    /// Strings, resources, scopes.
    pub context: Context,
    /// Unix nanoseconds: when it happened; the observed time when the sender did not say.
    pub time_unix_nano: Vec<i64>,
    /// Unix nanoseconds: when it was collected; the receive time when the sender did not say.
    pub observed_time_unix_nano: Vec<i64>,
    /// 0 (not said) to 24; see [`crate::Severity::from_number`].
    pub severity_number: Vec<u8>,
    /// The source's own word for it.
    pub severity_text: Vec<Sym>,
    /// OTLP `event_name`, or the older attribute `event.name`, or empty.
    pub event_name: Vec<Sym>,
    /// Any value.
    pub body: Vec<Value>,
    /// All zero when outside a trace (or when the sent id was invalid).
    pub trace_id: Vec<TraceId>,
    /// Zero when outside a span.
    pub span_id: Vec<SpanId>,
    /// OTLP `flags`.
    pub flags: Vec<u32>,
    /// Index into `context.resources`.
    pub resource: Vec<u32>,
    /// Index into `context.scopes`.
    pub scope: Vec<u32>,
    /// Log record attributes.
    pub attributes: Attributes,
    /// Attributes dropped by the sender or by us.
    pub dropped_attributes_count: Vec<u32>,
}

impl LogBatch {
    /// Number of log records.
    pub fn len(&self) -> usize {
        self.time_unix_nano.len()
    }

    /// Whether there is no log record.
    pub fn is_empty(&self) -> bool {
        self.time_unix_nano.is_empty()
    }
}

/// What kind of metric a data point belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum MetricKind {
    /// Last value counts.
    Gauge = 1,
    /// Adds up.
    Sum = 2,
    /// Explicit bounds.
    Histogram = 3,
    /// Exponential buckets.
    ExponentialHistogram = 4,
    /// Quantiles made by the sender; cannot be merged.
    Summary = 5,
}

impl MetricKind {
    /// Snake-case name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            MetricKind::Gauge => "gauge",
            MetricKind::Sum => "sum",
            MetricKind::Histogram => "histogram",
            MetricKind::ExponentialHistogram => "exponential_histogram",
            MetricKind::Summary => "summary",
        }
    }
}

/// OTLP aggregation temporality.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Temporality {
    /// Gauges and summaries have none.
    #[default]
    Unspecified = 0,
    /// Since the previous point.
    Delta = 1,
    /// Since the start time.
    Cumulative = 2,
}

/// Description of a metric, interned once per batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Metric name.
    pub name: Sym,
    /// Its description.
    pub description: Sym,
    /// UCUM unit.
    pub unit: Sym,
    /// Kind of its points.
    pub kind: MetricKind,
    /// Temporality of sums and histograms.
    pub temporality: Temporality,
    /// Whether a sum only grows.
    pub is_monotonic: bool,
}

/// Data points.
#[derive(Clone, Debug, Default)]
pub struct MetricBatch {
    /// Strings, resources, scopes.
    pub context: Context,
    /// Metrics of the batch.
    pub metrics: Vec<Metric>,
    /// Index into `metrics`.
    pub metric: Vec<u32>,
    /// Unix nanoseconds; 0 when not said.
    pub start_time_unix_nano: Vec<i64>,
    /// Unix nanoseconds.
    pub time_unix_nano: Vec<i64>,
    /// OTLP data point flags; bit 0: no recorded value, the series ends here.
    pub flags: Vec<u32>,
    /// Gauges and sums: `Int` or `Double`. Others: `Empty`.
    pub value: Vec<Value>,
    /// Index into `distributions`; `u32::MAX` for gauges and sums.
    pub distribution: Vec<u32>,
    /// Histograms and summaries.
    pub distributions: Vec<Distribution>,
    /// Point attributes.
    pub attributes: Attributes,
    /// End of each point's exemplars in `exemplars`.
    pub exemplar_ends: Vec<u32>,
    /// Exemplars of all points, in point order.
    pub exemplars: Vec<Exemplar>,
    /// Index into `context.resources`.
    pub resource: Vec<u32>,
    /// Index into `context.scopes`.
    pub scope: Vec<u32>,
}

/// A point of a histogram or summary.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// Number of measurements.
    pub count: u64,
    /// Their sum; absent when it would not be monotonic, or not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<f64>,
    /// Smallest measurement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Largest measurement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The rest, by kind.
    #[serde(flatten)]
    pub buckets: Buckets,
}

/// Shape of a distribution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Buckets {
    /// `counts.len() == bounds.len() + 1`, or both empty. Bounds grow strictly.
    Explicit {
        /// Upper bounds, inclusive.
        bounds: Vec<f64>,
        /// Measurements per bucket.
        counts: Vec<u64>,
    },
    /// Base 2^(2^-scale); bucket i covers (base^(offset+i), base^(offset+i+1)].
    Exponential {
        /// Resolution.
        scale: i32,
        /// Measurements within `zero_threshold` of zero.
        zero_count: u64,
        /// Width of the zero bucket.
        zero_threshold: f64,
        /// Index of the first positive bucket.
        positive_offset: i32,
        /// Measurements per positive bucket.
        positive: Vec<u64>,
        /// Index of the first negative bucket.
        negative_offset: i32,
        /// Measurements per negative bucket.
        negative: Vec<u64>,
    },
    /// (quantile, value) pairs. Values may be NaN.
    Summary {
        /// Pairs by rising quantile.
        quantiles: Vec<(f64, f64)>,
    },
}

impl Default for Buckets {
    fn default() -> Self {
        Buckets::Explicit { bounds: Vec::new(), counts: Vec::new() }
    }
}

/// A measurement kept as an example, often with its trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    /// Unix nanoseconds.
    pub time_unix_nano: i64,
    /// The measurement.
    pub value: f64,
    /// All zero when outside a trace.
    pub trace_id: TraceId,
    /// Zero when outside a span.
    pub span_id: SpanId,
}

impl MetricBatch {
    /// Number of data points.
    pub fn len(&self) -> usize {
        self.metric.len()
    }

    /// Whether there is no data point.
    pub fn is_empty(&self) -> bool {
        self.metric.is_empty()
    }

    /// Exemplars of a point.
    #[inline]
    pub fn exemplars(&self, point: usize) -> &[Exemplar] {
        &self.exemplars[ragged(&self.exemplar_ends, point)]
    }

    /// The distribution of a histogram or summary point.
    #[inline]
    pub fn distribution(&self, point: usize) -> Option<&Distribution> {
        self.distributions.get(self.distribution[point] as usize)
    }
}

#[inline]
fn ragged(ends: &[u32], row: usize) -> std::ops::Range<usize> {
    let start = if row == 0 { 0 } else { ends[row - 1] as usize };
    start..ends[row] as usize
}
