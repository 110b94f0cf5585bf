//! From readings to OTLP messages.

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value as Any};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric::Data,
    number_data_point::Value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::instrument::{Instrument, Kind};

/// The conventions the agent's names follow.
pub(crate) const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.44.0";

/// Unix nanoseconds now; 0 if the clock stands before 1970.
pub(crate) fn now_unix_nano() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))
}

/// A string attribute.
pub(crate) fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, Any::StringValue(value.into()))
}

/// An integer attribute.
pub(crate) fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, Any::IntValue(value))
}

/// An attribute of any value.
pub(crate) fn attribute(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// A data point's number.
pub(crate) struct Number(Value);

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self(Value::AsDouble(value))
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self(Value::AsInt(value))
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self(Value::AsInt(i64::try_from(value).unwrap_or(i64::MAX)))
    }
}

impl From<usize> for Number {
    fn from(value: usize) -> Self {
        Self::from(value as u64)
    }
}

/// Collects the readings of one moment. Points of one instrument end in one metric, in the order recorded.
pub(crate) struct Recorder {
    now: u64,
    start: u64,
    metrics: Vec<Metric>,
}

impl Recorder {
    /// All points carry `now`, and sums `start` until [`Recorder::since`] says otherwise (both unix nanoseconds).
    pub(crate) fn new(now: u64, start: u64) -> Self {
        Self { now, start, metrics: Vec::new() }
    }

    /// The moment all points carry, unix nanoseconds.
    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// Sums recorded from here on count from `start`; never after `now`, since clocks and boot times disagree.
    pub(crate) fn since(&mut self, start: u64) {
        self.start = start.min(self.now);
    }

    /// Adds one point.
    pub(crate) fn record(
        &mut self,
        instrument: &Instrument,
        number: impl Into<Number>,
        attributes: impl Into<Vec<KeyValue>>,
    ) {
        let start_time_unix_nano = if instrument.kind == Kind::Gauge { 0 } else { self.start };
        let point = NumberDataPoint {
            attributes: attributes.into(),
            start_time_unix_nano,
            time_unix_nano: self.now,
            value: Some(number.into().0),
            ..NumberDataPoint::default()
        };
        self.points(instrument).push(point);
    }

    /// Everything recorded.
    pub(crate) fn finish(self) -> Vec<Metric> {
        self.metrics
    }

    fn points(&mut self, instrument: &Instrument) -> &mut Vec<NumberDataPoint> {
        let index = self.metrics.iter().rposition(|m| m.name == instrument.name).unwrap_or_else(|| {
            self.metrics.push(empty_metric(instrument));
            self.metrics.len() - 1
        });
        match self.metrics[index].data.as_mut().expect("empty_metric sets data") {
            Data::Gauge(gauge) => &mut gauge.data_points,
            Data::Sum(sum) => &mut sum.data_points,
            _ => unreachable!("empty_metric makes gauges and sums only"),
        }
    }
}

fn empty_metric(instrument: &Instrument) -> Metric {
    let sum = |is_monotonic| {
        Data::Sum(Sum {
            aggregation_temporality: AggregationTemporality::Cumulative as i32,
            is_monotonic,
            ..Sum::default()
        })
    };
    Metric {
        name: instrument.name.to_owned(),
        description: instrument.description.to_owned(),
        unit: instrument.unit.to_owned(),
        data: Some(match instrument.kind {
            Kind::Gauge => Data::Gauge(Gauge::default()),
            Kind::Counter => sum(true),
            Kind::UpDownCounter => sum(false),
        }),
        ..Metric::default()
    }
}

/// The agent as the instrumentation scope of everything it sends.
pub(crate) fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: env!("CARGO_PKG_NAME").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    }
}

/// Metrics of one resource; `None` when there are none.
pub(crate) fn resource_metrics(attributes: Vec<KeyValue>, metrics: Vec<Metric>) -> Option<ResourceMetrics> {
    (!metrics.is_empty()).then(|| ResourceMetrics {
        resource: Some(Resource { attributes, ..Resource::default() }),
        scope_metrics: vec![ScopeMetrics { scope: Some(scope()), metrics, schema_url: SCHEMA_URL.to_owned() }],
        schema_url: SCHEMA_URL.to_owned(),
    })
}

/// A metric's points, whatever its kind.
pub(crate) fn data_points(metric: &Metric) -> &[NumberDataPoint] {
    match &metric.data {
        Some(Data::Gauge(gauge)) => &gauge.data_points,
        Some(Data::Sum(sum)) => &sum.data_points,
        _ => &[],
    }
}

/// How many data points there are.
pub(crate) fn count_points(resources: &[ResourceMetrics]) -> u64 {
    let metrics = resources.iter().flat_map(|r| &r.scope_metrics).flat_map(|s| &s.metrics);
    metrics.map(|m| data_points(m).len() as u64).sum()
}
