//! What a line says about itself: severity, time, and the fields of a JSON line.

use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value as Any};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::otlp::{attribute, text};

/// Attributes taken from one JSON line; the rest is counted in `dropped_attributes_count`.
const MAX_ATTRIBUTES: usize = 128;
/// A severity or a time stands at the beginning of a line or not at all.
const HEADER_BYTES: usize = 160;

const BODY_KEYS: [&str; 3] = ["message", "msg", "body"];
const SEVERITY_KEYS: [&str; 5] = ["level", "severity", "lvl", "log.level", "severity_text"];
const TIME_KEYS: [&str; 4] = ["timestamp", "time", "ts", "@timestamp"];
const TRACE_KEYS: [&str; 4] = ["trace_id", "traceId", "trace.id", "traceID"];
const SPAN_KEYS: [&str; 4] = ["span_id", "spanId", "span.id", "spanID"];

/// Reads a record's text. Never fails: what is not understood is the body.
pub(super) fn parse(line: &str) -> LogRecord {
    match object(line) {
        Some(fields) => from_json(line, fields),
        None => from_text(line),
    }
}

fn object(line: &str) -> Option<Map<String, Value>> {
    line.trim_start().starts_with('{').then(|| serde_json::from_str(line).ok()).flatten()
}

fn from_text(line: &str) -> LogRecord {
    let header = header(line);
    let (severity_number, severity_text) = severity_in(header).unwrap_or_default();
    LogRecord {
        time_unix_nano: time_in(header).unwrap_or_default(),
        severity_number,
        severity_text: severity_text.to_owned(),
        body: Some(AnyValue { value: Some(Any::StringValue(line.to_owned())) }),
        ..LogRecord::default()
    }
}

fn header(line: &str) -> &str {
    let mut end = line.len().min(HEADER_BYTES);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    &line[..end]
}

fn from_json(line: &str, mut fields: Map<String, Value>) -> LogRecord {
    if let Some(record) = from_docker(&fields) {
        return record;
    }
    unfold_tracing(&mut fields);
    let mut record = LogRecord::default();
    if let Some((number, name)) = take(&mut fields, &SEVERITY_KEYS, severity_value) {
        (record.severity_number, record.severity_text) = (number, name);
    }
    record.time_unix_nano = take(&mut fields, &TIME_KEYS, time_value).unwrap_or_default();
    record.trace_id = take(&mut fields, &TRACE_KEYS, |value| id_value(value, 16)).unwrap_or_default();
    record.span_id = take(&mut fields, &SPAN_KEYS, |value| id_value(value, 8)).unwrap_or_default();
    let body = take(&mut fields, &BODY_KEYS, |value| Some(value.clone()));
    record.body = Some(body.map_or_else(|| any(Value::String(line.to_owned())), any));
    record.dropped_attributes_count = fields.len().saturating_sub(MAX_ATTRIBUTES) as u32;
    record.attributes = key_values(fields).take(MAX_ATTRIBUTES).collect();
    record
}

/// A line of Docker's `json-file` driver holds a line of the container.
fn from_docker(fields: &Map<String, Value>) -> Option<LogRecord> {
    let (log, stream) = (fields.get("log")?.as_str()?, fields.get("stream")?.as_str()?);
    let mut record = parse(log.trim_end_matches(['\r', '\n']));
    if record.time_unix_nano == 0 {
        record.time_unix_nano = fields.get("time").and_then(time_value).unwrap_or_default();
    }
    record.attributes.push(text("log.iostream", stream));
    Some(record)
}

/// Rust's `tracing-subscriber` nests the message and fields under `fields`.
fn unfold_tracing(fields: &mut Map<String, Value>) {
    if fields.get("fields").is_some_and(|inner| inner.get("message").is_some())
        && let Some(Value::Object(inner)) = fields.remove("fields")
    {
        fields.extend(inner);
    }
}

/// Removes and returns the first of `keys` that `read` understands.
fn take<T>(fields: &mut Map<String, Value>, keys: &[&str], read: impl Fn(&Value) -> Option<T>) -> Option<T> {
    keys.iter().find_map(|key| {
        let value = read(fields.get(*key)?)?;
        fields.remove(*key);
        Some(value)
    })
}

fn key_values(fields: Map<String, Value>) -> impl Iterator<Item = KeyValue> {
    fields.into_iter().map(|(key, value)| KeyValue { key, value: Some(any(value)), ..KeyValue::default() })
}

fn any(value: Value) -> AnyValue {
    let value = match value {
        Value::Null => None,
        Value::Bool(value) => Some(Any::BoolValue(value)),
        Value::String(value) => Some(Any::StringValue(value)),
        Value::Number(number) => {
            Some(number.as_i64().map_or_else(|| Any::DoubleValue(number.as_f64().unwrap_or(f64::NAN)), Any::IntValue))
        }
        Value::Array(values) => Some(Any::ArrayValue(ArrayValue { values: values.into_iter().map(any).collect() })),
        Value::Object(fields) => Some(Any::KvlistValue(KeyValueList { values: key_values(fields).collect() })),
    };
    AnyValue { value }
}

/// A level's name as OTLP's severity number. Source: OTLP logs data model, appendix B.
fn severity(name: &str) -> Option<i32> {
    const NAMES: [(&str, i32); 22] = [
        ("trace", 1),
        ("verbose", 1),
        ("debug", 5),
        ("info", 9),
        ("information", 9),
        ("informational", 9),
        ("notice", 10),
        ("warn", 13),
        ("warning", 13),
        ("err", 17),
        ("error", 17),
        ("severe", 17),
        ("crit", 18),
        ("critical", 18),
        ("alert", 19),
        ("fatal", 21),
        ("panic", 21),
        ("emerg", 21),
        ("emergency", 21),
        ("wrn", 13),
        ("inf", 9),
        ("dbg", 5),
    ];
    NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, number)| *number)
}

/// A JSON level: a name, or the numbers of bunyan and pino (10 trace … 60 fatal).
fn severity_value(value: &Value) -> Option<(i32, String)> {
    match value {
        Value::String(name) => Some((severity(name.trim())?, name.clone())),
        Value::Number(number) => {
            let number = match number.as_u64()? {
                10 => 1,
                20 => 5,
                30 => 9,
                40 => 13,
                50 => 17,
                60 => 21,
                _ => return None,
            };
            Some((number, value.to_string()))
        }
        _ => None,
    }
}

/// Guesses from a line's beginning: `level=warn`, glog's `E1120 …`, else the first level name that is written as one:
/// in capitals, in brackets, or before a colon.
fn severity_in(header: &str) -> Option<(i32, &str)> {
    keyed_severity(header).or_else(|| glog_severity(header)).or_else(|| written_severity(header))
}

fn keyed_severity(header: &str) -> Option<(i32, &str)> {
    let at = ["level=", "lvl=", "severity="].iter().find_map(|key| Some(header.find(key)? + key.len()))?;
    let value = header[at..].trim_start_matches('"');
    let name = &value[..value.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(value.len())];
    Some((severity(name)?, name))
}

fn glog_severity(header: &str) -> Option<(i32, &str)> {
    let digits = header.get(1..5)?;
    let number = match header.as_bytes()[0] {
        b'I' => 9,
        b'W' => 13,
        b'E' => 17,
        b'F' => 21,
        _ => return None,
    };
    let glog = digits.bytes().all(|byte| byte.is_ascii_digit()) && header.as_bytes().get(5) == Some(&b' ');
    glog.then(|| (number, &header[..1]))
}

fn written_severity(header: &str) -> Option<(i32, &str)> {
    words(header).find_map(|(at, word)| {
        let number = severity(word)?;
        let before = header[..at].chars().next_back();
        let after = header[at + word.len()..].chars().next();
        let capitals = word.bytes().all(|byte| byte.is_ascii_uppercase());
        let marked = matches!(before, Some('[' | '<' | '(')) || matches!(after, Some(']' | '>' | ')' | ':'));
        (capitals || marked).then_some((number, word))
    })
}

fn words(header: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        let start = rest + header[rest..].find(|c: char| c.is_alphanumeric() || c == '_')?;
        let length = header[start..].find(|c: char| !(c.is_alphanumeric() || c == '_'));
        rest = length.map_or(header.len(), |length| start + length);
        Some((start, &header[start..rest]))
    })
}

/// An RFC 3339 time at the beginning, `T` or a space in its middle. Times without an offset are left alone: guessing
/// the zone would be wrong by hours.
fn time_in(header: &str) -> Option<u64> {
    let header = header.trim_start_matches('[');
    let mut words = header.splitn(3, ' ');
    let (first, second) = (words.next()?, words.next());
    let trim = |word: &str| word.trim_end_matches([']', ',', ':']).to_owned();
    rfc3339(&trim(first)).or_else(|| rfc3339(&format!("{first}T{}", trim(second?))))
}

fn rfc3339(text: &str) -> Option<u64> {
    let nanos = OffsetDateTime::parse(&text.replace(',', "."), &Rfc3339).ok()?.unix_timestamp_nanos();
    u64::try_from(nanos).ok()
}

/// An RFC 3339 string, or a number since 1970 whose size tells seconds, milli-, micro- or nanoseconds.
fn time_value(value: &Value) -> Option<u64> {
    if let Some(text) = value.as_str() {
        return rfc3339(text).or_else(|| time_in(text));
    }
    let number = value.as_f64().filter(|number| *number > 1e8)?;
    let scale = match number {
        ..1e11 => 1e9,
        ..1e14 => 1e6,
        ..1e17 => 1e3,
        _ => 1.0,
    };
    match value.as_u64() {
        Some(exact) => exact.checked_mul(scale as u64),
        None => Some((number * scale) as u64),
    }
}

/// A hex id of so many bytes, not all zero.
fn id_value(value: &Value, bytes: usize) -> Option<Vec<u8>> {
    let text = value.as_str().filter(|text| text.len() == bytes * 2 && text.is_ascii())?;
    let id: Option<Vec<u8>> =
        (0..bytes).map(|index| u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).ok()).collect();
    id.filter(|id| id.iter().any(|byte| *byte != 0))
}

/// Marks a record whose text was cut.
pub(super) fn mark_cut(record: &mut LogRecord) {
    record.attributes.push(attribute("orrery.log.truncated", Any::BoolValue(true)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_severity(line: &str, expected: i32) {
        assert_eq!(parse(line).severity_number, expected, "{line}");
    }

    #[test]
    fn severities_are_guessed_where_written_as_such() {
        for (line, number) in [
            ("2026-11-20T09:00:00Z INFO starting", 9),
            ("2026-11-20 09:00:00,123 - app - WARNING - slow", 13),
            ("time=\"2026-11-20T09:00:00Z\" level=error msg=\"no\"", 17),
            ("level=warn ts=1 no ERROR here", 13),
            ("2026/11/20 09:00:00 [error] 7#7: *1 open() failed", 17),
            ("2026/11/20 09:00:00 [crit] 7#7: boom", 18),
            ("E1120 09:00:00.1 1 main.go:1] broken", 17),
            ("I1120 09:00:00.1 1 main.go:1] fine", 9),
            ("Error: cannot find module", 17),
            ("thread 'main' panicked", 0),
            ("2026-11-20 09:00:00 UTC [77] FATAL:  password", 21),
            ("<warn> [1234] device", 13),
            ("10.0.0.1 - - \"GET /info HTTP/1.1\" 200", 0),
            ("we saw an error reading", 0),
            ("INFORMATION_SCHEMA read", 0),
            ("", 0),
            ("한국어 로그 ERROR 실패", 17),
        ] {
            check_severity(line, number);
        }
    }

    #[test]
    fn times_need_an_offset() {
        let nine = 1_795_165_200_000_000_000_u64;
        for (line, expected) in [
            ("2026-11-20T09:00:00Z x", nine),
            ("2026-11-20T09:00:00.5+00:00 x", nine + 500_000_000),
            ("[2026-11-20T18:00:00+09:00] x", nine),
            ("2026-11-20 09:00:00,250Z x", nine + 250_000_000),
            ("2026-11-20 09:00:00 x", 0),
            ("Nov 20 09:00:00 host x", 0),
        ] {
            assert_eq!(parse(line).time_unix_nano, expected, "{line}");
        }
    }

    fn body(record: &LogRecord) -> String {
        match record.body.clone().and_then(|body| body.value) {
            Some(Any::StringValue(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    fn keys(record: &LogRecord) -> Vec<&str> {
        record.attributes.iter().map(|attribute| attribute.key.as_str()).collect()
    }

    #[test]
    fn json_lines_become_fields() {
        let record = parse(
            r#"{"level":"warn","msg":"slow","ts":1795165200.5,"trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331","user":{"id":7},"n":[1,2.5],"none":null}"#,
        );
        assert_eq!(body(&record), "slow");
        assert_eq!((record.severity_number, record.severity_text.as_str()), (13, "warn"));
        assert_eq!(record.time_unix_nano, 1_795_165_200_500_000_000);
        assert_eq!((record.trace_id.len(), record.span_id.len()), (16, 8));
        assert_eq!(keys(&record), ["n", "none", "user"]);
    }

    #[test]
    fn json_without_a_message_keeps_its_text() {
        let line = r#"{"a":1}"#;
        assert_eq!(body(&parse(line)), line);
        for broken in [r#"{"msg":"cut of"#, "{}{}", "[1]", "{", "\"text\""] {
            assert_eq!(body(&parse(broken)), broken);
            assert!(parse(broken).attributes.is_empty());
        }
    }

    #[test]
    fn known_producers_are_understood() {
        let pino = parse(r#"{"level":50,"time":1795165200000,"pid":1,"msg":"no"}"#);
        assert_eq!((pino.severity_number, pino.time_unix_nano), (17, 1_795_165_200_000_000_000));
        let tracing = parse(
            r#"{"timestamp":"2026-11-20T09:00:00Z","level":"INFO","fields":{"message":"hi","n":1},"target":"x"}"#,
        );
        assert_eq!((body(&tracing).as_str(), keys(&tracing)), ("hi", vec!["n", "target"]));
        let docker = parse(
            r#"{"log":"{\"level\":\"error\",\"msg\":\"in\"}\n","stream":"stderr","time":"2026-11-20T09:00:00Z"}"#,
        );
        assert_eq!((body(&docker).as_str(), docker.severity_number, keys(&docker)), ("in", 17, vec!["log.iostream"]));
        assert_eq!(docker.time_unix_nano, 1_795_165_200_000_000_000);
    }

    #[test]
    fn wrong_types_stay_attributes() {
        let record = parse(r#"{"level":"loud","time":"noon","trace_id":"00000000000000000000000000000000","msg":"x"}"#);
        assert_eq!((record.severity_number, record.time_unix_nano, record.trace_id.len()), (0, 0, 0));
        assert_eq!(keys(&record), ["level", "time", "trace_id"]);
    }

    #[test]
    fn attributes_are_bounded_and_the_rest_counted() {
        let fields: Vec<String> = (0..200).map(|n| format!("\"k{n}\":{n}")).collect();
        let record = parse(&format!("{{{}}}", fields.join(",")));
        assert_eq!((record.attributes.len(), record.dropped_attributes_count), (128, 72));
    }

    proptest::proptest! {
        #[test]
        fn any_line_parses(line in "\\PC{0,300}") {
            parse(&line);
        }
    }
}
