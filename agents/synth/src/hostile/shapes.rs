//! Valid protobuf with monstrous or odd contents.

use super::golden::{exponential, histogram, logs_of, metric, metrics_of, now, number_point, record, span, traces_of};
use super::protobuf::Numbered;
use super::{Case, golden};
use crate::span::text;
use crate::wire::{Compression, Signal};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Metric, NumberDataPoint, Sum, metric::Data};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

pub(super) fn cases(salt: u64) -> Vec<Case> {
    let mut ids = Numbered::new(salt ^ 1 << 40);
    let mut all = explosions();
    all.extend(depths(&mut ids));
    all.extend(odd_spans(&mut ids));
    all.extend(odd_texts(&mut ids));
    all.extend(odd_metrics());
    all.extend(odd_times(&mut ids));
    all
}

/// A length-delimited field.
pub(super) fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    prost::encoding::encode_varint(bytes.len() as u64, &mut out);
    out.extend_from_slice(bytes);
    out
}

/// Inside a resource group and a scope group.
fn nested(items: &[u8]) -> Vec<u8> {
    field(1, &field(2, items))
}

/// Kilobytes that become hundreds of megabytes where every part becomes a struct.
fn explosions() -> Vec<Case> {
    const MANY: usize = 2_000_000;
    let empty = |number: u8| [number << 3 | 2, 0].repeat(MANY);
    let in_span = |parts: Vec<u8>| nested(&field(2, &[span(golden::id(9, 9)).encode_to_vec(), parts].concat()));
    let in_metric = |data: u8, parts: Vec<u8>| {
        let data = field(data, &[&parts[..], &[0x10, 2]].concat());
        nested(&field(2, &[field(1, b"explosion"), data].concat()))
    };
    let in_point = |parts: Vec<u8>| {
        let point = [&number_point(1.0).encode_to_vec()[..], &parts].concat();
        in_metric(5, field(1, &point))
    };
    [
        ("2 M empty spans", Signal::Traces, nested(&empty(2)), 413),
        ("2 M empty resources", Signal::Traces, empty(1), 413),
        ("2 M empty scopes", Signal::Logs, field(1, &empty(2)), 413),
        ("2 M empty log records", Signal::Logs, nested(&empty(2)), 413),
        ("2 M empty metrics", Signal::Metrics, nested(&empty(2)), 413),
        ("2 M empty data points", Signal::Metrics, in_metric(7, empty(1)), 413),
        ("2 M empty attributes", Signal::Traces, in_span(empty(9)), 200),
        ("2 M empty events", Signal::Traces, in_span(empty(11)), 200),
        ("2 M empty links", Signal::Traces, in_span(empty(13)), 200),
        ("2 M empty exemplars", Signal::Metrics, in_point(empty(5)), 200),
        ("2 M buckets", Signal::Metrics, in_metric(9, field(1, &field(6, &vec![1; MANY]))), 200),
        (
            "2 M exponential buckets",
            Signal::Metrics,
            in_metric(10, field(1, &field(8, &field(2, &vec![1; MANY])))),
            200,
        ),
        ("2 M resource attributes", Signal::Logs, field(1, &field(1, &empty(1))), 200),
    ]
    .into_iter()
    .flat_map(|(group, signal, body, status)| {
        let packed = |compression: Compression| {
            Case::new(group, signal, compression.pack(body.clone())).coded(compression.name()).expect(status)
        };
        [packed(Compression::Gzip), packed(Compression::Zstd)]
    })
    .collect()
}

/// Arrays in arrays and maps in maps, `levels` deep around a text. Written from the inside, backwards.
fn deep_value(levels: usize, is_map: impl Fn(usize) -> bool) -> Vec<u8> {
    let mut backwards: Vec<u8> = [0x0a, 1, b'x'].into_iter().rev().collect();
    let wrap = |number: u8, backwards: &mut Vec<u8>| {
        let mut head = vec![number << 3 | 2];
        prost::encoding::encode_varint(backwards.len() as u64, &mut head);
        backwards.extend(head.into_iter().rev());
    };
    for level in 0..levels {
        if is_map(level) {
            wrap(2, &mut backwards);
            backwards.extend([b'k', 1, 0x0a]);
            wrap(1, &mut backwards);
            wrap(6, &mut backwards);
        } else {
            wrap(1, &mut backwards);
            wrap(5, &mut backwards);
        }
    }
    backwards.reverse();
    backwards
}

fn depths(ids: &mut Numbered) -> Vec<Case> {
    let mut all = Vec::new();
    for levels in [10, 31, 32, 33, 50, 51, 99, 100, 101, 1_000, 10_000, 100_000] {
        for mixed in 0..3 {
            let value = deep_value(levels, |level| mixed == 1 || mixed == 2 && level % 2 == 0);
            let pair = [field(1, b"deep"), field(2, &value)].concat();
            let of_span = [span(ids.id()).encode_to_vec(), field(9, &pair)].concat();
            all.push(Case::new("depth", Signal::Traces, nested(&field(2, &of_span))).expect(200));
            let of_log = [record(ids.id()).encode_to_vec(), field(5, &value)].concat();
            all.push(Case::new("depth", Signal::Logs, nested(&field(2, &of_log))).expect(200));
        }
    }
    all
}

fn spans_with(ids: &mut Numbered, group: &'static str, change: impl Fn(&mut Span)) -> Case {
    let mut one = span(ids.id());
    change(&mut one);
    // A good one beside it: it must be kept.
    Case::new(group, Signal::Traces, traces_of(vec![one, span(ids.id())])).expect(200)
}

fn odd_spans(ids: &mut Numbered) -> Vec<Case> {
    let mut all = Vec::new();
    for length in [0, 1, 7, 9, 15, 17, 32, 1000] {
        all.push(spans_with(ids, "id lengths", |span| span.trace_id = vec![1; length]));
        all.push(spans_with(ids, "id lengths", |span| span.span_id = vec![1; length]));
        all.push(spans_with(ids, "id lengths", |span| span.parent_span_id = vec![1; length]));
        all.push(spans_with(ids, "id lengths", |span| span.links[0].trace_id = vec![1; length]));
    }
    all.push(spans_with(ids, "id lengths", |span| span.trace_id = vec![0; 16]));
    all.push(spans_with(ids, "id lengths", |span| span.span_id = vec![0; 8]));
    all.push(spans_with(ids, "own parent", |span| span.parent_span_id = span.span_id.clone()));
    let cycle = {
        let id = ids.id();
        let (mut a, mut b) = (span(id), span(id));
        (a.span_id, a.parent_span_id) = (vec![1; 8], vec![2; 8]);
        (b.span_id, b.parent_span_id) = (vec![2; 8], vec![1; 8]);
        traces_of(vec![a, b])
    };
    all.push(Case::new("own parent", Signal::Traces, cycle).expect(200));
    for number in [-1, 6, 255, 256, i32::MIN, i32::MAX] {
        all.push(spans_with(ids, "unknown enum numbers", |span| span.kind = number));
        all.push(spans_with(ids, "unknown enum numbers", |span| {
            span.status.get_or_insert_default().code = number;
            span.flags = number as u32;
            span.dropped_events_count = number as u32;
        }));
        let mut one = record(ids.id());
        one.severity_number = number;
        all.push(Case::new("unknown enum numbers", Signal::Logs, logs_of(vec![one])).expect(200));
    }
    for count in [1_024, 1_025, 10_000] {
        all.push(spans_with(ids, "too many parts", |span| {
            span.attributes = (0..count).map(|at| text(format!("key.{at}"), "x")).collect();
        }));
        all.push(spans_with(ids, "too many parts", |span| span.attributes = vec![text("same", "x"); count]));
        all.push(spans_with(ids, "too many parts", |span| span.events = vec![span.events[0].clone(); count]));
        all.push(spans_with(ids, "too many parts", |span| span.links = vec![span.links[0].clone(); count]));
    }
    all
}

/// Text that is long, invisible, moves the cursor, or is no text.
fn odd_texts(ids: &mut Numbered) -> Vec<Case> {
    let texts = [
        "",
        "\0",
        "a\0b",
        "\u{1b}[2J\u{1b}]0;title\u{7}",
        "\u{202e}gnp.exe\u{2066}",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "\u{feff}",
        "\u{10ffff}\u{fffe}",
        "'; DROP TABLE traces; --",
        "<script>alert(1)</script>",
        "javascript:alert(1)",
        "../../../../etc/passwd",
        "{{7*7}}${7*7}%s%n",
    ];
    let long = ["x".repeat(5_000), "é".repeat(70_000), "y".repeat(3 << 20), "e\u{301}".repeat(100_000)];
    let mut all = Vec::new();
    for odd in texts.into_iter().map(str::to_owned).chain(long) {
        all.push(spans_with(ids, "odd text", |span| {
            span.name.clone_from(&odd);
            span.trace_state.clone_from(&odd);
            span.attributes = vec![text(odd.clone(), odd.clone()), text("service.name", odd.clone())];
            span.events[0].name.clone_from(&odd);
            span.status.get_or_insert_default().message.clone_from(&odd);
        }));
        let mut one = record(ids.id());
        one.body = text("", odd.clone()).value;
        (one.severity_text, one.event_name) = (odd.clone(), odd.clone());
        all.push(Case::new("odd text", Signal::Logs, logs_of(vec![one, record(ids.id())])).expect(200));
        let mut gauge = metric(&odd, Data::Gauge(Gauge { data_points: vec![number_point(1.0)] }));
        (gauge.unit, gauge.description) = (odd.clone(), odd);
        all.push(Case::new("odd text", Signal::Metrics, metrics_of(vec![gauge])).expect(200));
    }
    for bad in [&b"\xff"[..], b"\xc0\x80", b"\xed\xa0\x80", b"ok\xf0\x9f\x98", b"\xf8\x88\x80\x80\x80"] {
        let of_span = [
            span(ids.id()).encode_to_vec(),
            field(5, bad),
            field(9, &[field(1, bad), field(2, &field(1, bad))].concat()),
        ];
        all.push(Case::new("no UTF-8", Signal::Traces, nested(&field(2, &of_span.concat()))));
        let of_log = [record(ids.id()).encode_to_vec(), field(3, bad), field(5, &field(1, bad))];
        all.push(Case::new("no UTF-8", Signal::Logs, nested(&field(2, &of_log.concat()))));
        all.push(Case::new(
            "no UTF-8",
            Signal::Metrics,
            nested(&field(2, &[field(1, bad), field(5, &field(1, &number_point(1.0).encode_to_vec()))].concat())),
        ));
    }
    all
}

fn odd_times(ids: &mut Numbered) -> Vec<Case> {
    let edges = [
        0,
        1,
        999,
        i64::MAX as u64 - 1,
        i64::MAX as u64,
        i64::MAX as u64 + 1,
        u64::MAX,
        9_214_646_400_000_000_000, // 2262-01-01
        now() + 86_400_000_000_000 * 365,
        now() - 86_400_000_000_000 * 365 * 20,
    ];
    let mut all = Vec::new();
    for start in edges {
        for end in edges {
            all.push(spans_with(ids, "edges of time", |span| {
                (span.start_time_unix_nano, span.end_time_unix_nano) = (start, end);
                span.events[0].time_unix_nano = end;
            }));
        }
        let mut one = record(ids.id());
        (one.time_unix_nano, one.observed_time_unix_nano) = (start, u64::MAX - start);
        all.push(Case::new("edges of time", Signal::Logs, logs_of(vec![one, record(ids.id())])).expect(200));
        let point =
            NumberDataPoint { time_unix_nano: start, start_time_unix_nano: u64::MAX - start, ..number_point(1.0) };
        let gauge = metric("golden.late", Data::Gauge(Gauge { data_points: vec![point, number_point(2.0)] }));
        all.push(Case::new("edges of time", Signal::Metrics, metrics_of(vec![gauge])).expect(200));
    }
    all
}

fn odd_metrics() -> Vec<Case> {
    let numbers = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE, f64::MAX, -1.0];
    let gauge = |value| metric("golden.odd", Data::Gauge(Gauge { data_points: vec![number_point(value)] }));
    let mut metrics: Vec<Metric> = numbers.into_iter().map(gauge).collect();
    for number in numbers {
        metrics.push(histogram(vec![number, 1.0], vec![1, 2, 3]));
        metrics.push(histogram(vec![1.0, number], vec![u64::MAX, u64::MAX, 1]));
    }
    for counts in [vec![], vec![1], vec![1, 2], vec![1, 2, 3, 4], vec![u64::MAX; 3]] {
        metrics.push(histogram(vec![0.1, 1.0], counts.clone()));
        metrics.push(histogram(vec![], counts));
    }
    metrics.push(histogram(vec![1.0, 1.0], vec![1, 1, 1]));
    metrics.push(histogram((0..5_000).map(f64::from).collect(), vec![1; 5_001]));
    for scale in [i32::MIN, -11, -10, 0, 20, 21, i32::MAX] {
        for offset in [i32::MIN, -1, i32::MAX - 1, i32::MAX] {
            metrics.push(exponential(scale, offset, vec![1, u64::MAX, 3]));
        }
        metrics.push(exponential(scale, 0, vec![1; 5_000]));
    }
    for temporality in [0, 3, -1, i32::MAX] {
        let data_points = vec![number_point(1.0)];
        let sum = Sum { data_points, aggregation_temporality: temporality, is_monotonic: true };
        metrics.push(metric("golden.sum", Data::Sum(sum)));
    }
    metrics.push(Metric { data: None, ..gauge(1.0) });
    metrics.push(Metric { name: String::new(), ..gauge(1.0) });
    let deep = AnyValue { value: Some(Value::DoubleValue(f64::NAN)) };
    let point = NumberDataPoint {
        value: None,
        attributes: vec![KeyValue { key: "n".into(), value: Some(deep), ..Default::default() }],
        ..number_point(0.0)
    };
    metrics.push(metric("golden.none", Data::Gauge(Gauge { data_points: vec![point] })));
    metrics
        .into_iter()
        .map(|one| Case::new("odd metrics", Signal::Metrics, metrics_of(vec![one])).expect(200))
        .collect()
}
