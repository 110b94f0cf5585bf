//! OTLP requests, and sending them.

use crate::server::Server;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, status::StatusCode};
use prost::Message;
use std::time::{SystemTime, UNIX_EPOCH};

/// The clock, Unix nanoseconds.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos() as u64
}

pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(any_value::Value::StringValue(value.into())) }),
        ..Default::default()
    }
}

pub(crate) fn int(key: &str, value: i64) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(any_value::Value::IntValue(value)) }),
        ..Default::default()
    }
}

fn resource(service: &str) -> Option<Resource> {
    let attributes = vec![
        text("service.namespace", "shop"),
        text("service.name", service),
        text("service.version", "1.2.3"),
        text("service.instance.id", &format!("{service}-0")),
        text("deployment.environment.name", "test"),
        text("host.name", "node-a"),
    ];
    Some(Resource { attributes, ..Default::default() })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope { name: "orrery.product".into(), version: "0.1".into(), ..Default::default() })
}

/// Spans of one service.
pub(crate) fn spans(service: &str, spans: Vec<Span>) -> ResourceSpans {
    ResourceSpans {
        resource: resource(service),
        scope_spans: vec![ScopeSpans { scope: scope(), spans, ..Default::default() }],
        ..Default::default()
    }
}

/// A span that began `ago` milliseconds before now and took `took` milliseconds.
pub(crate) struct SpanOf {
    pub(crate) trace: u128,
    pub(crate) id: u64,
    pub(crate) parent: u64,
    pub(crate) name: &'static str,
    pub(crate) kind: SpanKind,
    pub(crate) ago: u64,
    pub(crate) took: u64,
    pub(crate) failed: bool,
}

impl SpanOf {
    pub(crate) fn with(self, attributes: Vec<KeyValue>) -> Span {
        let start = now() - self.ago * 1_000_000;
        let code = if self.failed { StatusCode::Error } else { StatusCode::Unset };
        Span {
            trace_id: self.trace.to_be_bytes().to_vec(),
            span_id: self.id.to_be_bytes().to_vec(),
            parent_span_id: if self.parent == 0 { Vec::new() } else { self.parent.to_be_bytes().to_vec() },
            name: self.name.into(),
            kind: self.kind as i32,
            start_time_unix_nano: start,
            end_time_unix_nano: start + self.took * 1_000_000,
            attributes,
            status: Some(Status {
                message: if self.failed { "card declined".into() } else { String::new() },
                code: code as i32,
            }),
            ..Default::default()
        }
    }
}

/// One checkout through the shop: web → checkout → {postgres, payment, kafka → worker by link, an external}. The same
/// shape as a real SDK's: `failed` decides whether the payment fails. Traces are told apart by `number`.
pub(crate) fn checkout(number: u64, failed: bool) -> ExportTraceServiceRequest {
    let (trace, base) = (trace_of(number), number << 8);
    let span = |id, parent, name, kind, ago, took, failed| SpanOf {
        trace,
        id: base + id,
        parent: if parent == 0 { 0 } else { base + parent },
        name,
        kind,
        ago,
        took,
        failed,
    };
    let web = vec![
        span(1, 0, "POST /checkout", SpanKind::Server, 200, 120, failed).with(vec![
            text("http.request.method", "POST"),
            text("http.route", "/checkout"),
            int("http.response.status_code", if failed { 502 } else { 200 }),
        ]),
        span(2, 1, "POST", SpanKind::Client, 195, 110, failed).with(vec![
            text("http.request.method", "POST"),
            text("server.address", "shop-checkout"),
            int("server.port", 8080),
        ]),
    ];
    let checkout = vec![
        span(3, 2, "POST /orders", SpanKind::Server, 190, 100, failed)
            .with(vec![text("http.request.method", "POST"), text("http.route", "/orders")]),
        span(4, 3, "SELECT shop.cart", SpanKind::Client, 185, 5, false).with(vec![
            text("db.system.name", "postgresql"),
            text("db.namespace", "shop"),
            text("server.address", "pg.internal"),
            int("server.port", 5432),
        ]),
        span(5, 3, "GET", SpanKind::Client, 175, 8, false).with(vec![
            text("http.request.method", "GET"),
            text("server.address", "api.rates.example"),
            int("server.port", 443),
        ]),
        span(6, 3, "oteldemo.Payment/Charge", SpanKind::Client, 160, 50, failed)
            .with(vec![text("rpc.system", "grpc"), text("server.address", "shop-payment")]),
        span(7, 3, "send orders", SpanKind::Producer, 105, 2, false).with(vec![
            text("messaging.system", "kafka"),
            text("messaging.destination.name", "orders"),
            text("messaging.operation.type", "send"),
        ]),
    ];
    let mut charge = span(8, 6, "oteldemo.Payment/Charge", SpanKind::Server, 155, 40, failed)
        .with(vec![text("rpc.system.name", "grpc"), int("amount", 9_007_199_254_740_993)]);
    if failed {
        charge.events = vec![Event {
            time_unix_nano: charge.end_time_unix_nano,
            name: "exception".into(),
            attributes: vec![text("exception.type", "ValueError"), text("exception.message", "card declined")],
            ..Default::default()
        }];
    }
    let worker = SpanOf {
        trace: trace_of(number) ^ (1 << 100),
        id: base + 9,
        parent: 0,
        name: "process orders",
        kind: SpanKind::Consumer,
        ago: 90,
        took: 10,
        failed: false,
    };
    let mut worker = worker.with(vec![
        text("messaging.system", "kafka"),
        text("messaging.destination.name", "orders"),
        text("messaging.operation.type", "process"),
    ]);
    worker.links = vec![Link {
        trace_id: trace.to_be_bytes().to_vec(),
        span_id: (base + 7).to_be_bytes().to_vec(),
        ..Default::default()
    }];
    ExportTraceServiceRequest {
        resource_spans: vec![
            spans("shop-web", web),
            spans("shop-checkout", checkout),
            spans("shop-payment", vec![charge]),
            spans("shop-worker", vec![worker]),
        ],
    }
}

/// Trace id of the checkout with this number.
pub(crate) fn trace_of(number: u64) -> u128 {
    0x4bf9_2f35_77b3_4da6_0000_0000_0000_0000 | u128::from(number)
}

/// Log records of a service, now.
pub(crate) fn logs(service: &str, records: &[(i32, &str)], trace: Option<u128>) -> ExportLogsServiceRequest {
    let record = |(severity, body): &(i32, &str)| LogRecord {
        time_unix_nano: now(),
        observed_time_unix_nano: now(),
        severity_number: *severity,
        severity_text: "LEVEL".into(),
        body: Some(AnyValue { value: Some(any_value::Value::StringValue((*body).into())) }),
        attributes: vec![text("order.id", "o-1")],
        trace_id: trace.map(|trace| trace.to_be_bytes().to_vec()).unwrap_or_default(),
        ..Default::default()
    };
    let log_records = records.iter().map(record).collect();
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: resource(service),
            scope_logs: vec![ScopeLogs { scope: scope(), log_records, ..Default::default() }],
            ..Default::default()
        }],
    }
}

/// A gauge (host's processor use), a growing counter and a histogram, as of now.
pub(crate) fn metrics(service: &str, counted: i64) -> ExportMetricsServiceRequest {
    let (start, time) = (now() - 60_000_000_000, now());
    let number = |value, attributes| NumberDataPoint {
        attributes,
        start_time_unix_nano: start,
        time_unix_nano: time,
        value: Some(value),
        ..Default::default()
    };
    let share = |share, mode| number(number_data_point::Value::AsDouble(share), vec![text("cpu.mode", mode)]);
    let gauge = vec![share(0.25, "user"), share(0.75, "idle")];
    let sum = number(number_data_point::Value::AsInt(counted), vec![text("tier", "gold")]);
    let histogram = HistogramDataPoint {
        start_time_unix_nano: start,
        time_unix_nano: time,
        count: 3,
        sum: Some(0.324),
        bucket_counts: vec![1, 1, 1],
        explicit_bounds: vec![0.01, 0.1],
        attributes: vec![text("http.route", "/x")],
        ..Default::default()
    };
    let cumulative = AggregationTemporality::Cumulative as i32;
    let metric = |name: &str, unit: &str, data| Metric {
        name: name.into(),
        unit: unit.into(),
        data: Some(data),
        ..Default::default()
    };
    let metrics = vec![
        metric("system.cpu.utilization", "1", metric::Data::Gauge(Gauge { data_points: gauge })),
        metric(
            "shop.orders",
            "{order}",
            metric::Data::Sum(Sum { data_points: vec![sum], aggregation_temporality: cumulative, is_monotonic: true }),
        ),
        metric(
            "http.server.request.duration",
            "s",
            metric::Data::Histogram(Histogram { data_points: vec![histogram], aggregation_temporality: cumulative }),
        ),
    ];
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: resource(service),
            scope_metrics: vec![ScopeMetrics { scope: scope(), metrics, ..Default::default() }],
            ..Default::default()
        }],
    }
}

/// OTLP/HTTP with protobuf: the status.
pub(crate) async fn post(server: &Server, signal: &str, content_type: &str, body: Vec<u8>) -> reqwest::Result<u16> {
    let request = reqwest::Client::new()
        .post(format!("{}/v1/{signal}", server.otlp_http))
        .header("content-type", content_type)
        .body(body);
    Ok(request.send().await?.status().as_u16())
}

/// Sends over OTLP/HTTP; must be acknowledged.
pub(crate) async fn over_http(server: &Server, signal: &str, request: &impl Message) {
    let status = post(server, signal, "application/x-protobuf", request.encode_to_vec()).await;
    assert_eq!(status.expect("an answer"), 200);
}

/// Sends over OTLP/gRPC; must be acknowledged, all of it.
pub(crate) async fn traces_over_grpc(server: &Server, request: ExportTraceServiceRequest) {
    let mut client = TraceServiceClient::connect(server.otlp_grpc.clone()).await.expect("a connection");
    let answer = client.export(request).await.expect("an acknowledgement").into_inner();
    assert_eq!(answer.partial_success, None);
}

/// Sends over OTLP/gRPC; must be acknowledged, all of it.
pub(crate) async fn logs_over_grpc(server: &Server, request: ExportLogsServiceRequest) {
    let mut client = LogsServiceClient::connect(server.otlp_grpc.clone()).await.expect("a connection");
    let answer = client.export(request).await.expect("an acknowledgement").into_inner();
    assert_eq!(answer.partial_success, None);
}

/// Sends over OTLP/gRPC; must be acknowledged, all of it.
pub(crate) async fn metrics_over_grpc(server: &Server, request: ExportMetricsServiceRequest) {
    let mut client = MetricsServiceClient::connect(server.otlp_grpc.clone()).await.expect("a connection");
    let answer = client.export(request).await.expect("an acknowledgement").into_inner();
    assert_eq!(answer.partial_success, None);
}

/// A span in OTLP/JSON, from a service `shop-browser`.
pub(crate) fn json_span(trace: u128, id: u64, name: &str) -> serde_json::Value {
    let start = now() - 50_000_000;
    serde_json::json!({ "resourceSpans": [{
        "resource": { "attributes": [
            { "key": "service.name", "value": { "stringValue": "shop-browser" } },
            { "key": "service.namespace", "value": { "stringValue": "shop" } },
            { "key": "deployment.environment.name", "value": { "stringValue": "test" } },
        ] },
        "scopeSpans": [{ "scope": { "name": "web" }, "spans": [{
            "traceId": format!("{trace:032x}"), "spanId": format!("{id:016x}"), "name": name, "kind": 3,
            "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 20_000_000).to_string(),
            "attributes": [{ "key": "session.id", "value": { "intValue": "42" } }],
        }] }],
    }] })
}
