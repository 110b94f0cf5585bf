//! Decoding speed beside prost's: `cargo run --release -p orrery-receive --example decode`.
//!
//! Prints spans per CPU-second, one thread, for a typical request of 512 spans.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use orrery_model::{Body, Compression, Encoding, Signal};
use orrery_receive::Decoder;
use prost::Message;
use std::hint::black_box;

const SPANS: usize = 512;

fn main() {
    let bytes = request().encode_to_vec();
    println!("{SPANS} spans, {} bytes each", bytes.len() / SPANS);
    let json =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/node-traces.json")).expect("a fixture");
    let body = |encoding, bytes: &[u8]| Body {
        signal: Signal::Traces,
        encoding,
        compression: Compression::Identity,
        received_unix_nano: 1,
        bytes: bytes.to_vec(),
    };
    let (protobuf, json) = (body(Encoding::Protobuf, &bytes), body(Encoding::Json, &json));
    let decoder = Decoder::default();
    measure("orrery, protobuf to columns", SPANS, || black_box(decoder.decode_body(&protobuf)).is_ok());
    measure("prost, protobuf to structs", SPANS, || black_box(ExportTraceServiceRequest::decode(&bytes[..])).is_ok());
    measure("orrery, JSON of the Node SDK to columns", 1, || black_box(decoder.decode_body(&json)).is_ok());
}

fn measure(what: &str, spans: usize, mut decode: impl FnMut() -> bool) {
    let (begin, mut rounds) = (cpu_seconds(), 0);
    while cpu_seconds() - begin < 2.0 {
        (0..100).for_each(|_| assert!(decode()));
        rounds += 100;
    }
    let rate = (rounds * spans) as f64 / (cpu_seconds() - begin);
    println!("{what}: {:.2} M spans per CPU-second", rate / 1e6);
}

/// CPU time of this process so far: what others do on the machine does not count.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / 100.0
}

fn request() -> ExportTraceServiceRequest {
    let spans = (0..SPANS as u64).map(span).collect();
    let resource = Resource {
        attributes: vec![
            text("service.name", "checkout"),
            text("service.version", "1.2.3"),
            text("host.name", "node-a"),
        ],
        ..Default::default()
    };
    let scope_spans = vec![ScopeSpans { spans, ..Default::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource: Some(resource), scope_spans, ..Default::default() }],
    }
}

fn span(number: u64) -> Span {
    let begin = 1_700_000_000_000_000_000 + number * 1_000_003;
    Span {
        trace_id: (u128::from(number / 8) * 0x1234_5678_9abc_def1 + 1).to_be_bytes().to_vec(),
        span_id: (number + 1).to_be_bytes().to_vec(),
        parent_span_id: number.to_be_bytes().to_vec(),
        name: "POST /orders".to_owned(),
        kind: 2,
        start_time_unix_nano: begin,
        end_time_unix_nano: begin + 12_345_678,
        flags: 0x101,
        attributes: vec![
            text("http.request.method", "POST"),
            text("http.route", "/orders"),
            text("url.path", "/orders"),
            text("url.scheme", "http"),
            text("client.address", "10.0.0.5"),
            int("http.response.status_code", 200),
            text("server.address", "checkout"),
            int("server.port", 8080),
            text("user_agent.original", "curl/8"),
            text("order.id", &format!("o-{number}")),
        ],
        ..Default::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, any_value::Value::StringValue(value.to_owned()))
}

fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, any_value::Value::IntValue(value))
}

fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}
