//! Checks J1 to J18: the tolerant OTLP/JSON decoder.

use crate::oracle::{RECEIVED, decode};
use crate::rows::rows;
use orrery_model::batch::{Buckets, Temporality};
use orrery_model::{Batch, Encoding, LogBatch, MetricBatch, Signal, SpanBatch, SpanId, TraceId, Value};
use orrery_receive::{Decoded, reason};

const TRACE: &str = "5b8efff798038103d269b633813fc60c";
const SPAN: &str = "eee19b7ec3c1b174";

fn read(signal: Signal, json: &str) -> Result<Decoded, String> {
    decode(signal, Encoding::Json, json.as_bytes())
}

/// A request with these spans, beside a good one that must survive whatever they hold.
fn spans(spans: &str) -> (SpanBatch, Decoded) {
    let good = format!(r#"{{"traceId":"{TRACE}","spanId":"00000000000000ff","name":"good"}}"#);
    let json = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans},{good}]}}]}}]}}"#);
    let decoded = read(Signal::Traces, &json).unwrap();
    let Batch::Traces(batch) = decoded.batch.clone() else { panic!("spans") };
    let last = batch.len() - 1;
    assert_eq!(batch.context.strings.get(batch.name[last]), "good");
    (batch, decoded)
}

/// A span with these fields beside its ids.
fn span(fields: &str) -> SpanBatch {
    let (batch, decoded) = spans(&format!(r#"{{"traceId":"{TRACE}","spanId":"{SPAN}",{fields}}}"#));
    assert_eq!(decoded.rejected.total(), 0, "{}", decoded.rejected);
    assert_eq!(batch.len(), 2);
    batch
}

/// Asserts that a span with these fields costs itself only.
fn span_is_rejected(fields: &str, reason: &str) {
    let (batch, decoded) = spans(&format!(r#"{{"traceId":"{TRACE}","spanId":"{SPAN}",{fields}}}"#));
    assert_eq!(batch.len(), 1, "{fields}");
    assert_eq!(decoded.rejected.iter().collect::<Vec<_>>().len(), 1, "{fields}");
    assert_eq!(decoded.rejected.get(reason), 1, "{fields}: {}", decoded.rejected);
}

fn attribute(any_value: &str) -> (Value, String) {
    let batch = span(&format!(r#""attributes":[{{"key":"a","value":{any_value}}}]"#));
    let value = batch.attribute(0, "a").unwrap();
    let mut json = String::new();
    value.to_json(&batch.context.strings, &mut json);
    (value, json)
}

fn log(fields: &str) -> (LogBatch, Decoded) {
    let json = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{{fields}}}]}}]}}]}}"#);
    let decoded = read(Signal::Logs, &json).unwrap();
    let Batch::Logs(batch) = decoded.batch.clone() else { panic!("logs") };
    (batch, decoded)
}

fn metrics(metrics: &str) -> (MetricBatch, Decoded) {
    let json = format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{metrics}]}}]}}]}}"#);
    let decoded = read(Signal::Metrics, &json).unwrap();
    let Batch::Metrics(batch) = decoded.batch.clone() else { panic!("metrics") };
    (batch, decoded)
}

#[test]
fn j01_ids_are_hex_in_either_case_and_of_the_right_length() {
    let upper = TRACE.to_uppercase();
    let (batch, _) = spans(&format!(r#"{{"traceId":"{upper}","spanId":"EEE19B7EC3C1B174","parentSpanId":""}}"#));
    assert_eq!(batch.trace_id[0], TRACE.parse().unwrap());
    assert_eq!(batch.span_id[0], SPAN.parse().unwrap());
    assert_eq!(batch.parent_span_id[0], SpanId::NONE);
    for (trace, span, reason) in [
        ("", SPAN, reason::TRACE_ID),
        ("00000000000000000000000000000000", SPAN, reason::TRACE_ID),
        (&TRACE[..30], SPAN, reason::TRACE_ID),
        (TRACE, "0000000000000000", reason::SPAN_ID),
        (TRACE, "eee19b7ec3c1b17", reason::SPAN_ID),
        (TRACE, "eee19b7ec3c1b17g", reason::SPAN_ID),
    ] {
        let (batch, decoded) = spans(&format!(r#"{{"traceId":"{trace}","spanId":"{span}"}}"#));
        assert_eq!((batch.len(), decoded.rejected.get(reason)), (1, 1), "{trace} {span}");
    }
    span_is_rejected(r#""parentSpanId":"abc""#, reason::PARENT_SPAN_ID);
    for ids in [r#""traceId":"abc","spanId":"eee19b7ec3c1b174""#, r#""traceId":"00000000000000000000000000000000""#] {
        let (batch, decoded) = log(ids);
        assert_eq!((batch.len(), batch.trace_id[0]), (1, TraceId::NONE), "{ids}");
        assert_eq!(decoded.rejected.total(), 0);
    }
}

#[test]
fn j02_a_base64_id_costs_its_record_only() {
    let (batch, decoded) = spans(&format!(r#"{{"traceId":"W47/95gDgQPSabYzgT/GDA==","spanId":"{SPAN}"}}"#));
    assert_eq!((batch.len(), decoded.rejected.get(reason::TRACE_ID)), (1, 1));
    let (batch, decoded) = spans(&format!(r#"{{"traceId":"{TRACE}","spanId":"7uGbfsPBsXQ="}}"#));
    assert_eq!((batch.len(), decoded.rejected.get(reason::SPAN_ID)), (1, 1));
}

#[test]
fn j03_enums_are_integers_and_names_are_forgiven() {
    for (json, kind) in [("3", 3), ("77", 77), ("\"2\"", 2), ("\"SPAN_KIND_SERVER\"", 2), ("\"NO_SUCH\"", 0), ("-1", 0)]
    {
        assert_eq!(span(&format!(r#""kind":{json}"#)).kind[0], kind, "{json}");
    }
    assert_eq!(span(r#""status":{"code":"STATUS_CODE_ERROR","message":"m"}"#).status_code[0], 2);
    assert_eq!(log(r#""severityNumber":"SEVERITY_NUMBER_WARN2""#).0.severity_number[0], 14);
    assert_eq!(log(r#""severityNumber":"SEVERITY_NUMBER_FATAL""#).0.severity_number[0], 21);
    let sum =
        r#"{"name":"m","sum":{"aggregationTemporality":"AGGREGATION_TEMPORALITY_DELTA","dataPoints":[{"asInt":"1"}]}}"#;
    assert_eq!(metrics(sum).0.metrics[0].temporality, Temporality::Delta);
}

#[test]
fn j04_unknown_fields_are_ignored_at_every_level() {
    let extra = r#""x":{"y":[1,{"z":[[],{}]},null,"s",-1.5e3,true]}"#;
    let json = format!(
        r#"{{{extra},"resourceSpans":[{{{extra},"resource":{{{extra},"attributes":[{{{extra},"key":"service.name","value":{{{extra},"stringValue":"s"}}}}]}},
        "scopeSpans":[{{{extra},"scope":{{{extra},"name":"n"}},"spans":[{{{extra},"traceId":"{TRACE}","spanId":"{SPAN}",
        "status":{{{extra},"code":2}},"events":[{{{extra},"name":"e"}}],"links":[{{{extra},"traceId":"{TRACE}","spanId":"{SPAN}"}}]}}]}}]}}]}}"#
    );
    let decoded = read(Signal::Traces, &json).unwrap();
    let Batch::Traces(batch) = &decoded.batch else { panic!() };
    assert_eq!((batch.len(), batch.events.name.len(), batch.links.span_id.len()), (1, 1, 1));
    assert_eq!(batch.context.service(0).name, "s");
    assert_eq!(batch.status_code[0], 2);
}

#[test]
fn j05_snake_case_keys_are_unknown() {
    let (batch, decoded) = spans(&format!(r#"{{"trace_id":"{TRACE}","span_id":"{SPAN}"}}"#));
    assert_eq!((batch.len(), decoded.rejected.get(reason::TRACE_ID)), (1, 1));
    assert!(read(Signal::Traces, r#"{"resource_spans":[{}]}"#).unwrap().batch.is_empty());
}

#[test]
fn j06_64_bit_integers_are_strings_or_numbers() {
    for json in ["\"1544712660300000001\"", "1544712660300000001"] {
        assert_eq!(span(&format!(r#""startTimeUnixNano":{json}"#)).start_time_unix_nano[0], 1_544_712_660_300_000_001);
    }
    assert_eq!(attribute(r#"{"intValue":"-9223372036854775808"}"#).0, Value::Int(i64::MIN));
    assert_eq!(attribute(r#"{"intValue":9223372036854775807}"#).0, Value::Int(i64::MAX));
    span_is_rejected(r#""startTimeUnixNano":"-1""#, reason::WRONG_TYPE);
    span_is_rejected(r#""startTimeUnixNano":"18446744073709551616""#, reason::WRONG_TYPE);
}

#[test]
fn j07_32_bit_integers_are_numbers_or_strings() {
    assert_eq!(span(r#""flags":257"#).flags[0], 257);
    assert_eq!(span(r#""flags":"257""#).flags[0], 257);
    assert_eq!(span(r#""droppedEventsCount":"4294967295""#).dropped_events_count[0], u32::MAX);
    span_is_rejected(r#""flags":4294967296"#, reason::WRONG_TYPE);
}

#[test]
fn j08_doubles_are_numbers_or_their_names_or_quoted() {
    let double = |json: &str| match attribute(&format!(r#"{{"doubleValue":{json}}}"#)).0 {
        Value::Double(value) => value,
        other => panic!("{other:?}"),
    };
    assert!(double("\"NaN\"").is_nan());
    assert_eq!(double("\"Infinity\""), f64::INFINITY);
    assert_eq!(double("\"-Infinity\""), f64::NEG_INFINITY);
    assert_eq!(double("\"1.5\""), 1.5);
    assert_eq!(double("-0.5e-3"), -0.0005);
    assert_eq!(double("7"), 7.0);
    for json in ["1e309", "\"nan\"", "\"inf\"", "\"\"", "[1]"] {
        span_is_rejected(
            &format!(r#""attributes":[{{"key":"a","value":{{"doubleValue":{json}}}}}]"#),
            reason::WRONG_TYPE,
        );
    }
}

#[test]
fn j09_null_is_unset_everywhere() {
    let batch = span(
        r#""parentSpanId":null,"traceState":null,"flags":null,"name":null,"kind":null,"startTimeUnixNano":null,
        "endTimeUnixNano":null,"attributes":null,"droppedAttributesCount":null,"events":null,"links":null,"status":null"#,
    );
    assert_eq!((batch.parent_span_id[0], batch.kind[0], batch.attributes.row(0).len()), (SpanId::NONE, 0, 0));
    assert_eq!(batch.start_time_unix_nano[0], RECEIVED);
    for value in [r#"{"doubleValue":null}"#, r#"{"stringValue":null}"#, r#"{"arrayValue":null}"#, "null"] {
        assert_eq!(attribute(value).0, Value::Empty, "{value}");
    }
    for request in [
        r#"{"resourceSpans":null}"#,
        r#"{"resourceSpans":[{"resource":null,"scopeSpans":null}]}"#,
        r#"{"resourceSpans":[null,{"scopeSpans":[null,{"scope":null,"spans":null,"schemaUrl":null}]}]}"#,
    ] {
        assert!(read(Signal::Traces, request).unwrap().batch.is_empty(), "{request}");
    }
    assert_eq!(metrics(r#"{"name":"m","gauge":null,"sum":{"dataPoints":null}}"#).0.len(), 0);
}

#[test]
fn j10_what_is_missing_is_empty() {
    assert!(read(Signal::Traces, "{}").unwrap().batch.is_empty());
    assert!(read(Signal::Logs, r#"{"resourceLogs":[{}]}"#).unwrap().batch.is_empty());
    assert_eq!(attribute("{}").0, Value::Empty);
    assert_eq!(attribute(r#"{"arrayValue":{}}"#).1, "[]");
    assert_eq!(attribute(r#"{"kvlistValue":{}}"#).1, "{}");
    assert_eq!(attribute(r#"{"arrayValue":{"values":[{},{"arrayValue":{}}]}}"#).1, "[null,[]]");
    let batch = span(r#""attributes":[{"value":{"intValue":1}},{"key":"b"}]"#);
    assert_eq!(batch.attributes.row(0).len(), 1);
    assert_eq!(batch.dropped_attributes_count[0], 1);
    assert_eq!(batch.context.service(0).name, "unknown_service");
}

#[test]
fn j11_bytes_are_base64_of_either_alphabet_padded_or_not() {
    for text in ["+/8=", "-_8=", "+/8", "-_8"] {
        assert_eq!(attribute(&format!(r#"{{"bytesValue":"{text}"}}"#)).1, r#"{"bytesValue":"+/8="}"#, "{text}");
    }
    span_is_rejected(r#""attributes":[{"key":"a","value":{"bytesValue":"*"}}]"#, reason::WRONG_TYPE);
}

#[test]
fn j12_the_last_member_of_a_oneof_wins() {
    assert_eq!(attribute(r#"{"stringValue":"a","intValue":"1"}"#).0, Value::Int(1));
    assert_eq!(
        attribute(r#"{"intValue":"1","arrayValue":{"values":[{"boolValue":true,"stringValue":"x"}]}}"#).1,
        "[\"x\"]"
    );
    let point = metrics(r#"{"name":"m","gauge":{"dataPoints":[{"asInt":"1","asDouble":2.5}]}}"#).0;
    assert_eq!(point.value, [Value::Double(2.5)]);
    let (batch, decoded) = metrics(
        r#"{"name":"m","sum":{"aggregationTemporality":1,"dataPoints":[{"asInt":1},{}]},"gauge":{"dataPoints":[{"asInt":3}]}}"#,
    );
    assert_eq!((batch.value, decoded.rejected.total()), (vec![Value::Int(3)], 0));
}

#[test]
fn j13_whole_numbers_may_have_exponent_or_fraction() {
    assert_eq!(span(r#""kind":3.0,"flags":1e2"#).kind[0], 3);
    assert_eq!(attribute(r#"{"intValue":1e3}"#).0, Value::Int(1000));
    assert_eq!(attribute(r#"{"intValue":"1.0"}"#).0, Value::Int(1));
    span_is_rejected(r#""attributes":[{"key":"a","value":{"intValue":1.5}}]"#, reason::WRONG_TYPE);
}

#[test]
fn j14_the_lesser_known_fields_are_read() {
    let json = format!(
        r#"{{"resourceSpans":[{{"schemaUrl":"r","resource":{{"droppedAttributesCount":3,"entityRefs":[{{"type":"service","idKeys":["service.name"]}}]}},
        "scopeSpans":[{{"schemaUrl":"s","scope":{{"droppedAttributesCount":2}},"spans":[{{"traceId":"{TRACE}","spanId":"{SPAN}","droppedAttributesCount":1,
        "events":[{{"name":"e","droppedAttributesCount":4}}],"links":[{{"traceId":"{TRACE}","spanId":"{SPAN}","droppedAttributesCount":5}}]}}]}}]}}]}}"#
    );
    let Batch::Traces(batch) = read(Signal::Traces, &json).unwrap().batch else { panic!() };
    let context = &batch.context;
    assert_eq!(context.strings.get(context.resources[0].schema_url), "r");
    assert_eq!(context.strings.get(context.scopes[0].schema_url), "s");
    assert_eq!((context.resources[0].dropped_attributes_count, context.scopes[0].dropped_attributes_count), (3, 2));
    assert_eq!(batch.dropped_attributes_count, [1]);
    assert_eq!(batch.events.dropped_attributes_count, [4]);
    assert_eq!(batch.links.dropped_attributes_count, [5]);
    for fields in [r#""eventName":"e""#, r#""attributes":[{"key":"event.name","value":{"stringValue":"e"}}]"#] {
        let (logs, _) = log(fields);
        assert_eq!(logs.context.strings.get(logs.event_name[0]), "e", "{fields}");
    }
    let metric =
        r#"{"name":"m","metadata":[{"key":"k","value":{"stringValue":"v"}}],"gauge":{"dataPoints":[{"asInt":1}]}}"#;
    assert_eq!(metrics(metric).0.len(), 1);
}

#[test]
fn j15_string_table_indexes_are_empty_outside_profiles() {
    assert_eq!(attribute(r#"{"stringValueStrindex":7}"#).0, Value::Empty);
    assert_eq!(attribute(r#"{"arrayValue":{"values":[{"stringValueStrindex":7}]}}"#).1, "[null]");
    let batch = span(r#""attributes":[{"keyStrindex":3,"value":{"intValue":1}},{"key":"b","value":{"intValue":2}}]"#);
    assert_eq!(batch.attributes.row(0).len(), 1);
}

#[test]
fn j16_too_deep_costs_the_record_at_any_depth() {
    let nested = |depth: usize| {
        let (open, close) = (r#"{"arrayValue":{"values":["#.repeat(depth), "]}}".repeat(depth));
        format!(r#""attributes":[{{"key":"a","value":{open}{{"intValue":1}}{close}}}]"#)
    };
    let batch = span(&nested(32));
    let mut json = String::new();
    batch.attribute(0, "a").unwrap().to_json(&batch.context.strings, &mut json);
    assert_eq!(json, format!("{}1{}", "[".repeat(32), "]".repeat(32)));
    for depth in [33, 51, 200, 20_000] {
        span_is_rejected(&nested(depth), reason::TOO_DEEP);
    }
    let (open, close) = (r#"{"kvlistValue":{"values":[{"key":"k","value":"#.repeat(40), "}]}}".repeat(40));
    let (batch, decoded) = log(&format!(r#""body":{open}null{close}"#));
    assert_eq!((batch.len(), decoded.rejected.get(reason::TOO_DEEP)), (0, 1));
    // An unknown field may be as deep as it likes.
    span(&format!(r#""unknown":{}{}"#, "[".repeat(100_000), "]".repeat(100_000)));
}

#[test]
fn j17_invalid_utf8_is_repaired_and_counted() {
    let json = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{TRACE}","spanId":"{SPAN}","name":"a?b"}}]}}]}}]}}"#
    );
    let bytes: Vec<u8> = json.bytes().map(|byte| if byte == b'?' { 0xff } else { byte }).collect();
    let decoded = decode(Signal::Traces, Encoding::Json, &bytes).unwrap();
    let Batch::Traces(batch) = &decoded.batch else { panic!() };
    assert_eq!(batch.context.strings.get(batch.name[0]), "a\u{fffd}b");
    assert_eq!(decoded.dropped.get(reason::UTF8), 1);
    // In protobuf too, where prost would refuse the whole request: a span of 38 bytes, its name at the end.
    let mut span = vec![0x0a, 16];
    span.extend_from_slice(&[1; 16]);
    span.extend_from_slice(&[0x12, 8]);
    span.extend_from_slice(&[2; 8]);
    span.extend_from_slice(&[0x2a, 3, b'a', 0xff, b'b']);
    let wrap = |bytes: Vec<u8>| [vec![0x12, bytes.len() as u8], bytes].concat();
    let mut request = wrap(wrap(span));
    request[0] = 0x0a;
    let request = [vec![0x0a, request.len() as u8], {
        request[0] = 0x12;
        request
    }]
    .concat();
    let decoded = decode(Signal::Traces, Encoding::Protobuf, &request).unwrap();
    let Batch::Traces(batch) = &decoded.batch else { panic!() };
    assert_eq!(batch.context.strings.get(batch.name[0]), "a\u{fffd}b");
    assert_eq!(decoded.dropped.get(reason::UTF8), 1);
    let lone = span_name(r"a\ud800b");
    assert_eq!(lone, "a\u{fffd}b");
}

fn span_name(json: &str) -> String {
    let batch = span(&format!(r#""name":"{json}""#));
    batch.context.strings.get(batch.name[0]).to_owned()
}

#[test]
fn j18_bom_and_white_space_are_fine_and_trailing_garbage_is_not() {
    assert!(read(Signal::Traces, "\u{feff} \r\n\t{ \"resourceSpans\" : [ ] } \n").is_ok());
    for json in
        ["{} x", "{}{}", "", " ", "[]", "null", "{", "{\"resourceSpans\":[}", "{\"resourceSpans\":5}", "{'a':1}"]
    {
        assert!(read(Signal::Traces, json).is_err(), "{json}");
    }
}

#[test]
fn a_wrong_type_costs_the_record_wherever_it_is() {
    for fields in [
        r#""name":5"#,
        r#""attributes":{}"#,
        r#""attributes":[5]"#,
        r#""attributes":[{"key":1}]"#,
        r#""attributes":[{"key":"a","value":[]}]"#,
        r#""attributes":[{"key":"a","value":{"kvlistValue":{"values":[{"key":[1,{"b":2}]}]}}}]"#,
        r#""events":[{"name":{}}]"#,
        r#""events":"no""#,
        r#""links":[[]]"#,
        r#""status":"OK""#,
        r#""kind":true"#,
        r#""endTimeUnixNano":{}"#,
    ] {
        span_is_rejected(fields, reason::WRONG_TYPE);
    }
    let (batch, decoded) = metrics(
        r#"{"name":5,"gauge":{"dataPoints":[{"asInt":1},{"asInt":2}]}},{"name":"good","gauge":{"dataPoints":[{"asInt":"x"},{"asInt":3}]}}"#,
    );
    assert_eq!((batch.value, decoded.rejected.get(reason::WRONG_TYPE)), (vec![Value::Int(3)], 3));
}

#[test]
fn a_fault_of_a_resource_does_not_cost_its_items() {
    let deep = format!("{}{}", r#"{"arrayValue":{"values":["#.repeat(40), "]}}".repeat(40));
    let json = format!(
        r#"{{"resourceLogs":[{{"resource":{{"attributes":[{{"key":"deep","value":{deep}}},{{"key":"service.name","value":{{"stringValue":"s"}}}}]}},
        "schemaUrl":5,"scopeLogs":[{{"scope":{{"name":[]}},"logRecords":[{{}}]}}]}}]}}"#
    );
    let decoded = read(Signal::Logs, &json).unwrap();
    assert_eq!((decoded.batch.len(), decoded.rejected.total()), (1, 0));
    assert_eq!((decoded.dropped.get(reason::TOO_DEEP), decoded.dropped.get(reason::WRONG_TYPE)), (1, 2));
    assert!(rows(&decoded.batch)[0].contains("service=s"));
}

#[test]
fn points_that_mean_nothing_are_rejected_one_by_one() {
    for (metric, reason) in [
        (r#"{"name":"m","sum":{"dataPoints":[{"asInt":1}]}}"#, reason::TEMPORALITY),
        (r#"{"name":"m","histogram":{"aggregationTemporality":7,"dataPoints":[{}]}}"#, reason::TEMPORALITY),
        (r#"{"gauge":{"dataPoints":[{"asInt":1}]}}"#, reason::METRIC_NAME),
        (r#"{"name":"m","gauge":{"dataPoints":[{}]}}"#, reason::NO_VALUE),
        (
            r#"{"name":"m","histogram":{"aggregationTemporality":2,"dataPoints":[{"bucketCounts":[1],"explicitBounds":[1]}]}}"#,
            reason::HISTOGRAM_SHAPE,
        ),
        (
            r#"{"name":"m","histogram":{"aggregationTemporality":2,"dataPoints":[{"bucketCounts":[1,2,3],"explicitBounds":[2,1]}]}}"#,
            reason::HISTOGRAM_SHAPE,
        ),
        (
            r#"{"name":"m","histogram":{"aggregationTemporality":2,"dataPoints":[{"bucketCounts":[1,2],"explicitBounds":["NaN"]}]}}"#,
            reason::HISTOGRAM_SHAPE,
        ),
        (
            r#"{"name":"m","exponentialHistogram":{"aggregationTemporality":1,"dataPoints":[{"scale":-2147483648,"positive":{"bucketCounts":[1]}}]}}"#,
            reason::BUCKET_RANGE,
        ),
        (
            r#"{"name":"m","exponentialHistogram":{"aggregationTemporality":1,"dataPoints":[{"scale":0,"positive":{"offset":2147483647,"bucketCounts":[1,1]}}]}}"#,
            reason::BUCKET_RANGE,
        ),
    ] {
        let (batch, decoded) =
            metrics(&format!(r#"{metric},{{"name":"good","gauge":{{"dataPoints":[{{"asInt":3}}]}}}}"#));
        assert_eq!(batch.value, [Value::Int(3)], "{metric}");
        assert_eq!(decoded.rejected.get(reason), 1, "{metric}: {}", decoded.rejected);
    }
}

#[test]
fn staleness_ends_a_series_without_a_value() {
    let (batch, decoded) = metrics(r#"{"name":"m","gauge":{"dataPoints":[{"flags":1},{"flags":1,"asInt":5}]}}"#);
    assert_eq!((batch.value, batch.flags), (vec![Value::Empty; 2], vec![1, 1]));
    assert_eq!(decoded.rejected.total(), 0);
}

#[test]
fn real_payloads_of_the_node_sdk_arrive_complete() {
    let traces = read(Signal::Traces, include_str!("../fixtures/node-traces.json")).unwrap();
    let Batch::Traces(batch) = &traces.batch else { panic!() };
    assert_eq!((batch.len(), batch.events.name.len(), batch.links.span_id.len()), (1, 2, 1));
    assert_eq!(batch.flags[0], 257);
    assert_eq!(batch.attribute(0, "big"), Some(Value::Int(9_007_199_254_740_991)));
    assert_eq!(batch.attribute(0, "nan"), Some(Value::Empty));
    assert_eq!(batch.attribute(0, "uni").unwrap().to_text(&batch.context.strings), "é😀\0");
    let logs = read(Signal::Logs, include_str!("../fixtures/node-logs.json")).unwrap();
    let Batch::Logs(batch) = &logs.batch else { panic!() };
    assert_eq!(
        batch.body[0].to_text(&batch.context.strings),
        r#"{"text":"low stock","count":3,"nested":{"list":[1,"two",null]}}"#
    );
    assert_eq!(batch.context.strings.get(batch.event_name[0]), "stock.low");
    // A NaN gauge arrives as null: there is nothing to store, and the sender is told.
    let metrics = read(Signal::Metrics, include_str!("../fixtures/node-metrics.json")).unwrap();
    assert_eq!((metrics.batch.len(), metrics.rejected.get(reason::NO_VALUE)), (3, 1));
}

#[test]
fn the_examples_of_the_specification_are_read() {
    let traces = read(Signal::Traces, include_str!("../fixtures/spec-trace.json")).unwrap();
    assert_eq!((traces.batch.len(), traces.rejected.total()), (1, 0));
    let logs = read(Signal::Logs, include_str!("../fixtures/spec-logs.json")).unwrap();
    assert_eq!((logs.batch.len(), logs.rejected.total()), (1, 0));
    let events = read(Signal::Logs, include_str!("../fixtures/spec-events.json")).unwrap();
    assert_eq!((events.batch.len(), events.rejected.total()), (1, 0));
    let metrics = read(Signal::Metrics, include_str!("../fixtures/spec-metrics.json")).unwrap();
    let Batch::Metrics(batch) = &metrics.batch else { panic!() };
    assert_eq!((batch.len(), metrics.rejected.total()), (4, 0), "{}", metrics.rejected);
    assert!(batch.distributions.iter().any(|one| matches!(one.buckets, Buckets::Exponential { .. })));
}
