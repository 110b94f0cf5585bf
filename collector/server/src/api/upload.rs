//! `POST /traces/view`: a file with a trace, read and answered, and not stored. In OTLP's JSON form or in Jaeger's, which
//! becomes OTLP's here, so that there is one decoder of telemetry.

use crate::api::convert;
use crate::api::endpoint::{self, ANY_JSON, Endpoint, Verb};
use crate::api::failure::Failure;
use crate::api::params::{Parameter, Params, TRACE_ID};
use crate::api::state::Api;
use crate::http::request_id::RequestId;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures_util::StreamExt;
use orrery_api as api;
use orrery_api::paths;
use orrery_model::{Batch, Compression, Encoding, Signal, TraceId};
use orrery_query::Partial;
use orrery_query::answer::SpanRow;
use orrery_receive::{Decoder, config::Limits};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of a file.
const MOST_BYTES: usize = 32 << 20;
/// Bytes of a larger one that are read for nothing.
const MOST_DRAINED: usize = 8 * MOST_BYTES;
/// What may be said of a wrong file.
const FIELD: &str = "body";

const WHICH: Parameter = Parameter { about: "Which trace of the file. Default: the one with most spans.", ..TRACE_ID };

/// `POST /traces/view`.
pub(crate) const VIEW: Endpoint = Endpoint::json(
    paths::TRACE_VIEW,
    "Trace",
    "A trace from a file, as it would be answered if it were stored; it is not",
    &[WHICH],
)
.change(Verb::Post, ANY_JSON)
.about(
    "The body is what `/traces/{trace_id}/otlp` or `/jaeger` answer, or Jaeger's own download, or one or several lines of OTLP/JSON as collectors write them to files; at most 32 MiB.",
);

pub(crate) async fn view(
    State(api): State<Arc<Api>>,
    Extension(request): Extension<RequestId>,
    RawQuery(query): RawQuery,
    body: Body,
) -> Response {
    match read(api, query.unwrap_or_default(), body).await {
        Ok(trace) => Json(trace).into_response(),
        Err(failure) => failure.respond(&request.0),
    }
}

async fn read(api: Arc<Api>, query: String, body: Body) -> Result<api::Trace, Failure> {
    let wanted = Params::parse(&query, VIEW.parameters, api.now())?.trace_id()?;
    let Ok(_place) = Arc::clone(&api.views).try_acquire_owned() else {
        return Err(Failure::Busy("Other files are being read; try again in a second.".to_owned()));
    };
    let bytes = whole(body).await?;
    let now = api.now();
    endpoint::ask(api, move |_, _| trace(&bytes, wanted, now)).await
}

/// The file. What is too large is read to its end, within reason: who is still sending does not hear an answer.
async fn whole(body: Body) -> Result<Vec<u8>, Failure> {
    let (mut file, mut total) = (Vec::new(), 0);
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| wrong(format!("the file was cut off: {error}")))?;
        total += chunk.len();
        if total <= MOST_BYTES {
            file.extend_from_slice(&chunk);
        } else if total > MOST_DRAINED {
            break;
        }
    }
    if total <= MOST_BYTES {
        return Ok(file);
    }
    let most = MOST_BYTES >> 20;
    Err(wrong(format!("the file has more than {most} MiB; send it to the receiver (`/v1/traces`) to look at it")))
}

fn wrong(detail: impl Into<String>) -> Failure {
    Failure::invalid(FIELD, detail)
}

/// The trace of a file.
fn trace(file: &[u8], wanted: Option<TraceId>, now: i64) -> Result<api::Trace, Failure> {
    let request = json!({ "resourceSpans": resource_spans(file)? });
    let body = orrery_model::Body {
        signal: Signal::Traces,
        encoding: Encoding::Json,
        compression: Compression::Identity,
        received_unix_nano: now,
        bytes: request.to_string().into_bytes(),
    };
    let decoded = Decoder::new(Limits::default())
        .decode_body(&body)
        .map_err(|error| wrong(format!("the file is no trace: {}", error.reason)))?;
    let Batch::Traces(batch) = decoded.batch else { return Err(wrong("the file has no spans")) };
    let refused: Vec<String> = decoded.rejected.iter().map(|(reason, count)| format!("{count} × {reason}")).collect();
    let mut traces: BTreeMap<TraceId, Vec<SpanRow>> = BTreeMap::new();
    for row in orrery_storage::span_rows(&batch) {
        traces.entry(row.trace_id).or_default().push(row);
    }
    let count = traces.len();
    let largest = traces.iter().max_by_key(|(id, spans)| (spans.len(), std::cmp::Reverse(**id))).map(|(id, _)| *id);
    let (id, spans) = match wanted.or(largest) {
        Some(id) => (id, traces.remove(&id).unwrap_or_default()),
        None if refused.is_empty() => return Err(wrong("the file has no spans")),
        None => return Err(wrong(format!("none of its spans is valid: {}", refused.join(", ")))),
    };
    if spans.is_empty() {
        return Err(Failure::NotFound(format!("The file has no span of trace {id}.")));
    }
    let others = (count > 1 && wanted.is_none()).then(|| format!("the file has {count} traces, this is the largest"));
    let refused =
        (!refused.is_empty()).then(|| format!("spans that are not valid were left out: {}", refused.join(", ")));
    let partial: Vec<String> = [others, refused].into_iter().flatten().collect();
    Ok(convert::trace(id, spans, (!partial.is_empty()).then(|| Partial(partial.join("; ")))))
}

/// What the file says, as groups of OTLP.
fn resource_spans(file: &[u8]) -> Result<Vec<Value>, Failure> {
    let mut groups = Vec::new();
    for (number, value) in serde_json::Deserializer::from_slice(file).into_iter::<Value>().enumerate() {
        let value = value.map_err(|error| wrong(format!("the file is not JSON: {error}")))?;
        let Value::Object(mut root) = value else {
            return Err(wrong(format!(
                "value {} of the file is no JSON object; choose a file with `resourceSpans` (OTLP) or `data` (Jaeger)",
                number + 1
            )));
        };
        let of_otlp =
            ["resourceSpans", "resource_spans", "batches"].into_iter().find_map(|key| Some((key, root.remove(key)?)));
        let of_jaeger = root.remove("data");
        match (of_otlp, of_jaeger) {
            (Some((_, Value::Array(of_file))), _) => groups.extend(of_file),
            (Some((key, _)), _) => return Err(wrong(format!("`{key}` is no array"))),
            (None, Some(Value::Array(traces))) => {
                for (at, trace) in traces.iter().enumerate() {
                    groups.extend(of_jaeger_trace(trace, &format!("data[{at}]"))?);
                }
            }
            (None, Some(_)) => return Err(wrong("`data` is no array of traces")),
            (None, None) if root.contains_key("spans") => groups.extend(of_jaeger_trace(&Value::Object(root), "")?),
            (None, None) => {
                let keys: Vec<&str> = root.keys().map(String::as_str).take(5).collect();
                return Err(wrong(format!(
                    "the file has neither `resourceSpans` (OTLP) nor `data` (Jaeger), but `{}`",
                    keys.join("`, `")
                )));
            }
        }
    }
    if groups.is_empty() { Err(wrong("the file has no spans")) } else { Ok(groups) }
}

/// A trace of Jaeger's API: a group for each span's process and scope.
fn of_jaeger_trace(trace: &Value, path: &str) -> Result<Vec<Value>, Failure> {
    let spans = trace["spans"].as_array().ok_or_else(|| wrong(format!("`{path}.spans` is no array")))?;
    let mut groups: BTreeMap<(String, String, String), (Value, Vec<Value>)> = BTreeMap::new();
    for (at, span) in spans.iter().enumerate() {
        let path = format!("{path}.spans[{at}]");
        let name = span["processID"].as_str().unwrap_or_default();
        let process = if span["process"].is_object() { &span["process"] } else { &trace["processes"][name] };
        let service = process["serviceName"]
            .as_str()
            .ok_or_else(|| wrong(format!("`{path}.processID` names no entry of `processes` with a `serviceName`")))?;
        let tags = Tags::of(&span["tags"]);
        let scope = |key: [&str; 2]| key.iter().find_map(|key| tags.text(key)).unwrap_or_default().to_owned();
        let key = (
            process.to_string(),
            scope(["otel.scope.name", "otel.library.name"]),
            scope(["otel.scope.version", "otel.library.version"]),
        );
        let resource = || {
            let mut attributes = vec![json!({ "key": "service.name", "value": { "stringValue": service } })];
            attributes.extend(Tags::of(&process["tags"]).attributes(&["service.name"]));
            Value::Array(attributes)
        };
        groups.entry(key).or_insert_with(|| (resource(), Vec::new())).1.push(of_jaeger_span(span, &tags, &path)?);
    }
    let group = |((_, name, version), (attributes, spans)): ((String, String, String), (Value, Vec<Value>))| {
        json!({
            "resource": { "attributes": attributes },
            "scopeSpans": [{ "scope": { "name": name, "version": version }, "spans": spans }],
        })
    };
    Ok(groups.into_iter().map(group).collect())
}

/// Tags that say what OTLP has fields for.
const FIELDS: [&str; 9] = [
    "span.kind",
    "error",
    "otel.status_code",
    "otel.status_description",
    "otel.scope.name",
    "otel.scope.version",
    "otel.library.name",
    "otel.library.version",
    "w3c.tracestate",
];

fn of_jaeger_span(span: &Value, tags: &Tags<'_>, path: &str) -> Result<Value, Failure> {
    let text = |key: &str| {
        let missing = || wrong(format!("`{path}.{key}` is missing or no text"));
        span[key].as_str().filter(|text| !text.is_empty()).ok_or_else(missing)
    };
    let nanos = |key: &str| {
        let missing = || wrong(format!("`{path}.{key}` is no number of microseconds"));
        span[key].as_u64().and_then(|micros| micros.checked_mul(1_000)).ok_or_else(missing)
    };
    let (trace, start, duration) = (padded(text("traceID")?, 32), nanos("startTime")?, nanos("duration")?);
    let references: Vec<(&str, String, String)> = span["references"].as_array().map_or(Vec::new(), |references| {
        let part = |reference: &Value, key: &str| reference[key].as_str().unwrap_or_default().to_owned();
        references
            .iter()
            .map(|reference| {
                let kind = reference["refType"].as_str().unwrap_or_default();
                (kind, padded(&part(reference, "traceID"), 32), padded(&part(reference, "spanID"), 16))
            })
            .collect()
    });
    // As Jaeger has it: who it is a child of, else whom it follows, in the same trace.
    let parent = ["CHILD_OF", "FOLLOWS_FROM"]
        .into_iter()
        .find_map(|wanted| references.iter().position(|(kind, of, _)| *kind == wanted && *of == trace));
    let links = references.iter().enumerate().filter(|(at, _)| Some(*at) != parent);
    let links: Vec<Value> = links.map(|(_, (_, trace, span))| json!({ "traceId": trace, "spanId": span })).collect();
    let parent =
        parent.map(|at| references[at].2.clone()).or_else(|| span["parentSpanID"].as_str().map(|id| padded(id, 16)));
    let failed = tags.is_true("error") || tags.text("otel.status_code") == Some("ERROR");
    let status = if failed { 2 } else { u8::from(tags.text("otel.status_code") == Some("OK")) };
    let kind = match tags.text("span.kind") {
        Some("internal") => 1,
        Some("server") => 2,
        Some("client") => 3,
        Some("producer") => 4,
        Some("consumer") => 5,
        _ => 0,
    };
    let events: Vec<Value> = span["logs"].as_array().into_iter().flatten().map(of_jaeger_log).collect();
    Ok(json!({
        "traceId": trace,
        "spanId": padded(text("spanID")?, 16),
        "parentSpanId": parent.unwrap_or_default(),
        "traceState": tags.text("w3c.tracestate").unwrap_or_default(),
        "name": span["operationName"].as_str().unwrap_or_default(),
        "kind": kind,
        "startTimeUnixNano": start.to_string(),
        "endTimeUnixNano": start.saturating_add(duration).to_string(),
        "attributes": tags.attributes(&FIELDS),
        "events": events,
        "links": links,
        "status": { "code": status, "message": tags.text("otel.status_description").unwrap_or_default() },
    }))
}

fn of_jaeger_log(log: &Value) -> Value {
    let fields = Tags::of(&log["fields"]);
    let name = fields.text("event").or(fields.text("message")).unwrap_or("log");
    json!({
        "timeUnixNano": log["timestamp"].as_u64().unwrap_or_default().saturating_mul(1_000).to_string(),
        "name": name,
        "attributes": fields.attributes(&["event"]),
    })
}

/// Ids of Jaeger may lack zeros at their beginning.
fn padded(id: &str, digits: usize) -> String {
    format!("{id:0>digits$}")
}

/// Keys and values of Jaeger.
struct Tags<'a>(&'a [Value]);

impl<'a> Tags<'a> {
    fn of(value: &'a Value) -> Tags<'a> {
        Tags(value.as_array().map_or(&[], Vec::as_slice))
    }

    fn find(&self, key: &str) -> Option<&'a Value> {
        self.0.iter().find(|tag| tag["key"] == key).map(|tag| &tag["value"])
    }

    fn text(&self, key: &str) -> Option<&'a str> {
        self.find(key).and_then(Value::as_str)
    }

    fn is_true(&self, key: &str) -> bool {
        self.find(key).is_some_and(|value| *value == json!(true) || *value == json!("true"))
    }

    /// As OTLP has them, without some.
    fn attributes(&self, without: &[&str]) -> Vec<Value> {
        let tags = self.0.iter().filter(|tag| tag["key"].as_str().is_some_and(|key| !without.contains(&key)));
        tags.map(|tag| json!({ "key": tag["key"], "value": any_value(tag) })).collect()
    }
}

fn any_value(tag: &Value) -> Value {
    let value = &tag["value"];
    let mut of = Map::new();
    let (key, value) = match (tag["type"].as_str().unwrap_or_default(), value) {
        ("binary", Value::String(text)) => ("bytesValue", json!(text)),
        ("int64", Value::String(_)) => ("intValue", value.clone()),
        (_, Value::Bool(_)) => ("boolValue", value.clone()),
        ("float64", Value::Number(_)) => ("doubleValue", value.clone()),
        (_, Value::Number(number)) if number.is_i64() => ("intValue", json!(number.to_string())),
        (_, Value::Number(_)) => ("doubleValue", value.clone()),
        (_, Value::String(_)) => ("stringValue", value.clone()),
        (_, other) => ("stringValue", json!(other.to_string())),
    };
    of.insert(key.to_owned(), value);
    Value::Object(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(file: &str) -> String {
        match trace(file.as_bytes(), None, 0) {
            Err(Failure::Invalid { detail, .. } | Failure::NotFound(detail)) => detail,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_wrong_file_is_told_what_is_wrong_with_it() {
        assert!(detail("{ \"a\": ").starts_with("the file is not JSON: EOF"));
        assert!(detail("[1]").contains("choose a file with `resourceSpans`"));
        assert_eq!(
            detail(r#"{"logs": 1}"#),
            "the file has neither `resourceSpans` (OTLP) nor `data` (Jaeger), but `logs`"
        );
        assert_eq!(detail(""), "the file has no spans");
        assert_eq!(detail(r#"{"data": {}}"#), "`data` is no array of traces");
        let span = r#"{"traceID": "1", "processID": "p1", "startTime": 1, "duration": 2}"#;
        let trace = |processes: &str| format!(r#"{{"data": [{{"spans": [{span}], "processes": {processes}}}]}}"#);
        assert!(detail(&trace("{}")).starts_with("`data[0].spans[0].processID` names no entry"));
        assert_eq!(
            detail(&trace(r#"{"p1": {"serviceName": "a"}}"#)),
            "`data[0].spans[0].spanID` is missing or no text"
        );
        let bad = r#"{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "zz"}]}]}]}"#;
        assert!(detail(bad).starts_with("none of its spans is valid: 1 × "), "{}", detail(bad));
    }

    #[test]
    fn jaeger_as_it_comes_from_elsewhere() {
        let file = json!({ "data": [{
            "traceID": "abc",
            "spans": [
                { "traceID": "abc", "spanID": "1", "operationName": "GET /", "references": [], "startTime": 1_700_000_000_000_000_u64,
                  "duration": 2000, "processID": "p1", "tags": [
                    { "key": "span.kind", "type": "string", "value": "server" }, { "key": "error", "type": "bool", "value": true },
                    { "key": "size", "type": "int64", "value": "9007199254740993" }, { "key": "ratio", "type": "float64", "value": 1 } ],
                  "logs": [{ "timestamp": 1_700_000_000_000_500_u64, "fields": [{ "key": "event", "value": "boom" }, { "key": "n", "type": "int64", "value": 3 }] }] },
                { "traceID": "abc", "spanID": "2", "operationName": "follow", "startTime": 1_700_000_000_000_100_u64, "duration": 5, "processID": "p1",
                  "references": [{ "refType": "FOLLOWS_FROM", "traceID": "ffff", "spanID": "9" }, { "refType": "CHILD_OF", "traceID": "abc", "spanID": "1" }] },
            ],
            "processes": { "p1": { "serviceName": "shop", "tags": [{ "key": "host.name", "type": "string", "value": "h1" }] } },
        }] });
        let trace = trace(file.to_string().as_bytes(), None, 0).unwrap();
        assert_eq!(trace.trace_id, "00000000000000000000000000000abc");
        let [first, second] = &trace.spans[..] else { panic!("{trace:?}") };
        assert_eq!(
            (first.kind.as_str(), first.status_code.as_str(), first.duration_nanos.0),
            ("server", "error", 2_000_000)
        );
        assert_eq!(first.attributes["size"], json!({ "intValue": "9007199254740993" }));
        assert_eq!(first.attributes["ratio"], json!(1.0));
        assert_eq!((first.events[0].name.as_str(), &first.events[0].attributes["n"]), ("boom", &json!(3)));
        assert_eq!(second.parent_span_id.as_deref(), Some("0000000000000001"));
        assert_eq!(second.links[0].trace_id, format!("{:0>32}", "ffff"));
        assert_eq!((trace.services[0].name.as_str(), &trace.resources[0]["host.name"]), ("shop", &json!("h1")));
    }

    #[test]
    fn lines_and_several_traces() {
        let line = |trace: u32, spans: u32| {
            let span = |n: u32| json!({ "traceId": format!("{trace:032x}"), "spanId": format!("{n:016x}"), "name": "a", "startTimeUnixNano": "5", "endTimeUnixNano": "9" });
            let spans: Vec<Value> = (1..=spans).map(span).collect();
            json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": spans }] }] }).to_string()
        };
        let file = format!("{}\n{}\n", line(1, 2), line(2, 3));
        let largest = trace(file.as_bytes(), None, 0).unwrap();
        assert_eq!(
            (largest.spans.len(), largest.partial.as_deref()),
            (3, Some("the file has 2 traces, this is the largest"))
        );
        let one = trace(file.as_bytes(), format!("{:032x}", 1).parse().ok(), 0).unwrap();
        assert_eq!((one.spans.len(), one.partial), (2, None));
        assert!(trace(file.as_bytes(), format!("{:032x}", 7).parse().ok(), 0).is_err());
    }
}
