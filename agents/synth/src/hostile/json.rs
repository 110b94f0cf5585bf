//! Spoilt JSON.

use super::{Case, golden};
use crate::wire::{Compression, Signal};
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use serde_json::{Value, json};

/// What stands where something else belongs: JSON, or nearly.
const VALUES: [&str; 34] = [
    "null",
    "true",
    "0",
    "-0",
    "-1",
    "1.5",
    "1e400",
    "-1e309",
    "1e5",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775809",
    "99999999999999999999999999999999999999",
    "NaN",
    "Infinity",
    "\"NaN\"",
    "\"-Infinity\"",
    "\"\"",
    "\"0x10\"",
    "\" 1\"",
    "\"1e3\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\u0000\"",
    "\"\\u202e\\ufeff\"",
    "\"\\x41\"",
    "\"not closed",
    "[]",
    "{}",
    "[[[[]]]]",
    "[null]",
    "{\"\":{}}",
    "{\"stringValue\":1,\"intValue\":\"x\"}",
    "undefined",
];

/// A request nothing is wrong with.
pub(super) fn golden(signal: Signal, id: u128) -> String {
    let pairs = json!([
        { "key": "text", "value": { "stringValue": "höllo" } },
        { "key": "int", "value": { "intValue": "-9223372036854775808" } },
        { "key": "double", "value": { "doubleValue": 0.5 } },
        { "key": "list", "value": { "arrayValue": { "values": [{ "boolValue": true }, {}] } } },
        { "key": "map", "value": { "kvlistValue": { "values": [{ "key": "k", "value": { "bytesValue": "AAEC" } }] } } },
    ]);
    let (trace, span, time) = (format!("{id:032x}"), format!("{:016x}", id as u64), golden::now().to_string());
    let resource = json!({ "attributes": [{ "key": "service.name", "value": { "stringValue": "golden" } }] });
    let scope = json!({ "name": "golden.scope", "version": "1", "attributes": [] });
    let request = match signal {
        Signal::Traces => {
            json!({ "resourceSpans": [{ "resource": resource, "scopeSpans": [{ "scope": scope, "spans": [{
            "traceId": trace, "spanId": span, "parentSpanId": "0909090909090909", "name": "GET /golden", "kind": 2,
            "startTimeUnixNano": time, "endTimeUnixNano": time, "attributes": pairs, "flags": 257,
            "events": [{ "timeUnixNano": time, "name": "e", "attributes": [] }],
            "links": [{ "traceId": trace, "spanId": span }],
            "status": { "code": 2, "message": "no" }, "droppedAttributesCount": 1,
        }] }] }] })
        }
        Signal::Logs => {
            json!({ "resourceLogs": [{ "resource": resource, "scopeLogs": [{ "scope": scope, "logRecords": [{
            "timeUnixNano": time, "observedTimeUnixNano": time, "severityNumber": 9, "severityText": "INFO",
            "body": { "stringValue": trace }, "attributes": pairs, "traceId": trace, "spanId": span, "eventName": "e",
        }] }] }] })
        }
        Signal::Metrics => {
            json!({ "resourceMetrics": [{ "resource": resource, "scopeMetrics": [{ "scope": scope, "metrics": [
            { "name": "golden.sum", "unit": "s", "sum": { "aggregationTemporality": 2, "isMonotonic": true, "dataPoints": [
                { "timeUnixNano": time, "asInt": trace.len().to_string(), "attributes": pairs,
                  "exemplars": [{ "timeUnixNano": time, "asDouble": 1.5, "traceId": trace, "spanId": span }] }] } },
            { "name": "golden.histogram", "histogram": { "aggregationTemporality": 1, "dataPoints": [
                { "timeUnixNano": time, "count": "3", "sum": 1.5, "bucketCounts": ["1", "2"], "explicitBounds": [0.5] }] } },
            { "name": "golden.exponential", "exponentialHistogram": { "aggregationTemporality": 2, "dataPoints": [
                { "timeUnixNano": time, "count": "2", "scale": 1, "positive": { "offset": 1, "bucketCounts": ["2"] } }] } },
        ] }] }] })
        }
    };
    request.to_string()
}

pub(super) fn cases(rng: &mut Xoshiro256PlusPlus, salt: u64, rounds: u64) -> Vec<Case> {
    let mut ids = super::protobuf::Numbered::new(salt ^ 1 << 43);
    let mut all = documents();
    for signal in Signal::ALL {
        let length = golden(signal, ids.id()).len();
        for at in (0..length).step_by(2) {
            let body = golden(signal, ids.id()).into_bytes()[..at].to_vec();
            all.push(Case::new("truncated", signal, body).expect(400));
        }
        for at in 0..length * rounds as usize {
            let mut body = golden(signal, ids.id()).into_bytes();
            body[at % length] ^= rng.random_range(1..=255u8);
            all.push(Case::new("one byte changed", signal, body));
        }
        for _ in 0..500 * rounds {
            let mut body = golden(signal, ids.id()).into_bytes();
            let marks = b"{}[]\",:\\0eE-.tfn \n";
            for _ in 0..rng.random_range(1..6) {
                let at = rng.random_range(0..body.len());
                body.insert(at, marks[rng.random_range(0..marks.len())]);
            }
            all.push(Case::new("marks inserted", signal, body));
        }
        let mut places = Vec::new();
        find_places(&serde_json::from_str(&golden(signal, 1)).expect("golden"), String::new(), &mut places);
        for place in &places {
            for value in VALUES {
                all.push(Case::new("other value", signal, with(&golden(signal, ids.id()), place, value)));
            }
            let whole: Value = serde_json::from_str(&golden(signal, ids.id())).expect("golden");
            let twice = format!("{0},\"unknown\":{0}", whole.pointer(place).expect("it was found"));
            all.push(Case::new("unknown key behind", signal, with(&whole.to_string(), place, &twice)));
        }
    }
    all
}

/// Addresses of all values below the top.
fn find_places(value: &Value, here: String, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| find_places(value, format!("{here}/{key}"), out)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(at, value)| find_places(value, format!("{here}/{at}"), out))
        }
        _ => {}
    }
    if !here.is_empty() {
        out.push(here);
    }
}

/// The document with text of our own, JSON or not, for one of its values.
fn with(document: &str, place: &str, text: &str) -> Vec<u8> {
    const MARK: &str = "here it belongs";
    let mut document: Value = serde_json::from_str(document).expect("golden");
    *document.pointer_mut(place).expect("a place of this document") = MARK.into();
    document.to_string().replace(&format!("\"{MARK}\""), text).into_bytes()
}

/// Whole documents that are odd.
fn documents() -> Vec<Case> {
    let good = |at: u64| golden(Signal::Traces, golden::id(1 << 44, at));
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let array = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let value = |depth: usize, open: &str, close: &str| {
        let value = open.repeat(depth) + "{\"stringValue\":\"x\"}" + &close.repeat(depth);
        String::from_utf8(with(
            &good(100 + depth as u64),
            "/resourceSpans/0/scopeSpans/0/spans/0/attributes/0/value",
            &value,
        ))
        .expect("text")
    };
    let list = "{\"arrayValue\":{\"values\":[";
    let map = "{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":";
    let spans = |count: usize| {
        format!("{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{}{{}}]}}]}}]}}", "{},".repeat(count))
    };
    let mut all = vec![
        ("empty", b"".to_vec(), 400),
        ("empty", b" \n\t ".to_vec(), 400),
        ("BOM", [b"\xef\xbb\xbf", good(1).as_bytes()].concat(), 0),
        ("UTF-16", utf16(&good(2)), 400),
        ("two documents", (good(3) + &good(4)).into_bytes(), 400),
        ("not closed", good(5).trim_end_matches('}').as_bytes().to_vec(), 400),
        ("comment", good(6).replacen('{', "{/* */", 1).into_bytes(), 400),
        ("trailing comma", good(7).replacen("]}", ",]}", 1).into_bytes(), 400),
        ("single quotes", good(8).replace('"', "'").into_bytes(), 400),
        (
            "duplicate keys",
            good(9).replacen("\"resourceSpans\":[", "\"resourceSpans\":[],\"resourceSpans\":[", 1).into_bytes(),
            0,
        ),
        ("duplicate keys", good(10).replace("\"name\":", "\"name\":\"first\",\"name\":").into_bytes(), 0),
        ("snake case", good(11).replace("resourceSpans", "resource_spans").into_bytes(), 0),
        ("no object", b"[]".to_vec(), 400),
        ("no object", b"\"text\"".to_vec(), 400),
        ("white space", (" ".repeat(5 << 20) + &good(12)).into_bytes(), 200),
        ("long key", format!("{{\"{}\":1}}", "k".repeat(5 << 20)).into_bytes(), 200),
        ("long number", format!("{{\"n\":{}}}", "9".repeat(1 << 20)).into_bytes(), 0),
        ("depth", array(100_000).into_bytes(), 400),
        ("depth", format!("{{\"unknown\":{}}}", array(100_000)).into_bytes(), 0),
        ("depth", format!("{{\"unknown\":{}", "{\"a\":".repeat(100_000)).into_bytes(), 400),
    ];
    for depth in [10, 32, 33, 51, 127, 128, 1_000, 30_000] {
        all.push(("depth", value(depth, list, "]}}").into_bytes(), 0));
        all.push(("depth", value(depth, map, "}]}}").into_bytes(), 0));
    }
    let mut all: Vec<Case> = all
        .into_iter()
        .map(|(group, body, status)| {
            let case = Case::new(group, Signal::Traces, body);
            if status == 0 { case } else { case.expect(status) }
        })
        .collect();
    let explosion = Compression::Gzip.pack(spans(1_300_000).into_bytes());
    all.push(Case::new("1.3 M empty spans", Signal::Traces, explosion).coded("gzip").expect(413));
    all
}
