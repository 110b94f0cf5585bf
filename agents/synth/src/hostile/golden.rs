//! Small requests that use everything the protocol has, to be spoilt.

use crate::span::{int, text};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar,
    exponential_histogram_data_point::Buckets, metric::Data, number_data_point, summary_data_point::ValueAtQuantile,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

/// A time that is recent enough to be searched, whenever this runs.
pub(super) fn now() -> u64 {
    use std::time::{SystemTime, UNIX_EPOCH};
    const DAY: u64 = 86_400_000_000_000;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    // The day's beginning: two runs on a day give the same bytes.
    now / DAY * DAY
}

/// Trace id of a case.
pub(super) fn id(salt: u64, number: u64) -> u128 {
    u128::from(salt | 1 << 63) << 64 | u128::from(number + 1)
}

pub(super) fn resource() -> Option<Resource> {
    let attributes = vec![text("service.name", "golden"), text("service.instance.id", "golden-0")];
    Some(Resource { attributes, ..Default::default() })
}

fn scope() -> Option<InstrumentationScope> {
    let attributes = vec![text("scope.kind", "test")];
    Some(InstrumentationScope {
        name: "golden.scope".into(),
        version: "1.0".into(),
        attributes,
        dropped_attributes_count: 1,
    })
}

fn every_value() -> Vec<KeyValue> {
    let any = |value| Some(AnyValue { value: Some(value) });
    let pair = |key: &str, value| KeyValue { key: key.into(), value: any(value), ..Default::default() };
    let list = vec![AnyValue { value: Some(Value::IntValue(-7)) }, AnyValue { value: None }];
    vec![
        text("text", "höllo"),
        int("int", i64::MIN),
        pair("double", Value::DoubleValue(-0.5)),
        pair("bool", Value::BoolValue(true)),
        pair("bytes", Value::BytesValue(vec![0, 255, 10])),
        pair("list", Value::ArrayValue(ArrayValue { values: list })),
        pair("map", Value::KvlistValue(KeyValueList { values: vec![text("inner", "x")] })),
    ]
}

pub(super) fn span(trace: u128) -> Span {
    let start = now();
    Span {
        trace_id: trace.to_be_bytes().to_vec(),
        span_id: (trace as u64).to_be_bytes().to_vec(),
        parent_span_id: vec![9; 8],
        trace_state: "vendor=1".into(),
        flags: 0x101,
        name: "GET /golden/{id}".into(),
        kind: 2,
        start_time_unix_nano: start,
        end_time_unix_nano: start + 5_000_000,
        attributes: every_value(),
        events: vec![Event {
            time_unix_nano: start + 1,
            name: "exception".into(),
            attributes: vec![text("exception.type", "E")],
            ..Default::default()
        }],
        links: vec![Link {
            trace_id: vec![3; 16],
            span_id: vec![4; 8],
            attributes: vec![int("at", 1)],
            ..Default::default()
        }],
        status: Some(Status { message: "no".into(), code: 2 }),
        dropped_attributes_count: 1,
        ..Default::default()
    }
}

/// A request of these spans.
pub(super) fn traces_of(spans: Vec<Span>) -> Vec<u8> {
    let scope_spans = vec![ScopeSpans { scope: scope(), spans, schema_url: "https://s".into() }];
    let resource_spans = vec![ResourceSpans { resource: resource(), scope_spans, ..Default::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

/// A request of these log records.
pub(super) fn logs_of(log_records: Vec<LogRecord>) -> Vec<u8> {
    let scope_logs = vec![ScopeLogs { scope: scope(), log_records, ..Default::default() }];
    let resource_logs = vec![ResourceLogs { resource: resource(), scope_logs, ..Default::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

/// A request of these metrics.
pub(super) fn metrics_of(metrics: Vec<Metric>) -> Vec<u8> {
    let scope_metrics = vec![ScopeMetrics { scope: scope(), metrics, ..Default::default() }];
    let resource_metrics = vec![ResourceMetrics { resource: resource(), scope_metrics, ..Default::default() }];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
}

pub(super) fn traces(trace: u128) -> Vec<u8> {
    traces_of(vec![span(trace)])
}

pub(super) fn record(trace: u128) -> LogRecord {
    LogRecord {
        time_unix_nano: now(),
        observed_time_unix_nano: now() + 1,
        severity_number: 17,
        severity_text: "ERROR".into(),
        body: text("", format!("golden {trace:x}")).value,
        attributes: every_value(),
        trace_id: trace.to_be_bytes().to_vec(),
        span_id: vec![1; 8],
        event_name: "golden.event".into(),
        flags: 1,
        ..Default::default()
    }
}

pub(super) fn logs(trace: u128) -> Vec<u8> {
    logs_of(vec![record(trace)])
}

pub(super) fn number_point(value: f64) -> NumberDataPoint {
    NumberDataPoint {
        time_unix_nano: now(),
        value: Some(number_data_point::Value::AsDouble(value)),
        ..Default::default()
    }
}

pub(super) fn metric(name: &str, data: Data) -> Metric {
    Metric {
        name: name.into(),
        description: "for tests".into(),
        unit: "s".into(),
        data: Some(data),
        ..Default::default()
    }
}

pub(super) fn histogram(bounds: Vec<f64>, counts: Vec<u64>) -> Metric {
    let point = HistogramDataPoint {
        start_time_unix_nano: now() - 1_000_000_000,
        time_unix_nano: now(),
        count: counts.iter().fold(0, |sum, count| u64::wrapping_add(sum, *count)),
        sum: Some(1.5),
        min: Some(0.1),
        max: Some(1.0),
        explicit_bounds: bounds,
        bucket_counts: counts,
        attributes: vec![text("route", "/")],
        ..Default::default()
    };
    metric("golden.histogram", Data::Histogram(Histogram { data_points: vec![point], aggregation_temporality: 1 }))
}

pub(super) fn exponential(scale: i32, offset: i32, counts: Vec<u64>) -> Metric {
    let point = ExponentialHistogramDataPoint {
        time_unix_nano: now(),
        count: counts.len() as u64,
        scale,
        zero_count: 1,
        positive: Some(Buckets { offset, bucket_counts: counts.clone() }),
        negative: Some(Buckets { offset, bucket_counts: counts }),
        ..Default::default()
    };
    let data = ExponentialHistogram { data_points: vec![point], aggregation_temporality: 2 };
    metric("golden.exponential", Data::ExponentialHistogram(data))
}

pub(super) fn metrics(trace: u128) -> Vec<u8> {
    let exemplar = Exemplar {
        time_unix_nano: now(),
        trace_id: trace.to_be_bytes().to_vec(),
        span_id: vec![1; 8],
        value: Some(exemplar::Value::AsInt(3)),
        ..Default::default()
    };
    let mut counted = number_point(1.0);
    counted.value = Some(number_data_point::Value::AsInt(trace as u64 as i64));
    counted.exemplars = vec![exemplar];
    counted.attributes = vec![text("case", format!("{trace:x}"))];
    let quantile_values =
        vec![ValueAtQuantile { quantile: 0.5, value: 1.0 }, ValueAtQuantile { quantile: 1.0, value: 2.0 }];
    let summary = SummaryDataPoint { time_unix_nano: now(), count: 2, sum: 3.0, quantile_values, ..Default::default() };
    metrics_of(vec![
        metric("golden.gauge", Data::Gauge(Gauge { data_points: vec![number_point(0.25)] })),
        metric(
            "golden.sum",
            Data::Sum(Sum { data_points: vec![counted], aggregation_temporality: 2, is_monotonic: true }),
        ),
        histogram(vec![0.1, 1.0], vec![1, 2, 3]),
        exponential(3, -2, vec![1, 0, 2]),
        metric("golden.summary", Data::Summary(Summary { data_points: vec![summary] })),
    ])
}
