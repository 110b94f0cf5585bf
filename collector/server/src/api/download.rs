//! One trace as a file: in OTLP's JSON form, which any receiver takes, or in Jaeger's, which its viewers open.

use crate::api::endpoint::{Ask, Endpoint};
use crate::api::failure::Failure;
use crate::api::traces::{TRACE_ID, trace_id, unknown};
use orrery_api::paths;
use orrery_query::answer::{AttributeMap, SpanRow};
use orrery_query::plan;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// `GET /traces/{trace_id}/otlp`.
pub(crate) const OTLP: Endpoint =
    Endpoint::json(paths::TRACE_OTLP, "", "One trace in OTLP's JSON form, which any receiver takes", &[])
        .in_path(&[TRACE_ID])
        .about("At most 10 000 spans; larger traces are not answered: `/export` has all rows of a range.");

/// `GET /traces/{trace_id}/jaeger`.
pub(crate) const JAEGER: Endpoint =
    Endpoint::json(paths::TRACE_JAEGER, "", "One trace in the JSON form of Jaeger's API, which its viewers open", &[])
        .in_path(&[TRACE_ID])
        .about("At most 10 000 spans, like `/otlp`. Times are whole microseconds.");

pub(crate) fn otlp(ask: &Ask<'_>) -> Result<Value, Failure> {
    let mut groups: BTreeMap<(String, &str, &str), Vec<&SpanRow>> = BTreeMap::new();
    let spans = whole(ask)?;
    for span in &spans {
        let resource = json!(*span.resource).to_string();
        groups.entry((resource, &span.scope_name, &span.scope_version)).or_default().push(span);
    }
    let group = |((_, name, version), spans): ((String, &str, &str), Vec<&SpanRow>)| {
        json!({
            "resource": { "attributes": attributes(&spans[0].resource) },
            "scopeSpans": [{
                "scope": { "name": name, "version": version },
                "spans": spans.into_iter().map(otlp_span).collect::<Vec<_>>(),
            }],
        })
    };
    Ok(json!({ "resourceSpans": groups.into_iter().map(group).collect::<Vec<_>>() }))
}

pub(crate) fn jaeger(ask: &Ask<'_>) -> Result<Value, Failure> {
    let mut processes: BTreeMap<String, (String, Value)> = BTreeMap::new();
    let mut spans = Vec::new();
    for span in whole(ask)? {
        let next = format!("p{}", processes.len() + 1);
        let (process, _) = processes.entry(json!(*span.resource).to_string()).or_insert_with(|| {
            let tags = tags(span.resource.iter().filter(|(key, _)| *key != "service.name"));
            (next, json!({ "serviceName": span.service.name, "tags": tags }))
        });
        spans.push(jaeger_span(&span, process));
    }
    let processes: Map<String, Value> = processes.into_values().collect();
    Ok(json!({ "data": [{ "traceID": trace_id(ask)?.to_string(), "spans": spans, "processes": processes }] }))
}

/// All spans, or none: half a file would be taken for a whole one.
fn whole(ask: &Ask<'_>) -> Result<Vec<SpanRow>, Failure> {
    let trace_id = trace_id(ask)?;
    let answer = ask.store().trace(&plan::Trace { trace_id }, ask.control)?;
    match answer.partial {
        Some(why) => Err(Failure::invalid("trace_id", format!("No whole file can be made: {}.", why.0))),
        None if answer.value.spans.is_empty() => Err(unknown(trace_id)),
        None => Ok(answer.value.spans),
    }
}

fn otlp_span(span: &SpanRow) -> Value {
    let end = span.start_time_unix_nano.saturating_add(span.duration_nanos);
    let event = |event: &orrery_query::answer::SpanEvent| json!({ "timeUnixNano": event.time_unix_nano.to_string(), "name": event.name, "attributes": attributes(&event.attributes) });
    let link = |link: &orrery_query::answer::SpanLink| json!({ "traceId": link.trace_id.to_string(), "spanId": link.span_id.to_string(), "attributes": attributes(&link.attributes) });
    json!({
        "traceId": span.trace_id.to_string(),
        "spanId": span.span_id.to_string(),
        "parentSpanId": if span.parent_span_id.is_none() { String::new() } else { span.parent_span_id.to_string() },
        "traceState": span.trace_state,
        "flags": span.flags,
        "name": span.name,
        "kind": span.kind as u8,
        "startTimeUnixNano": span.start_time_unix_nano.to_string(),
        "endTimeUnixNano": end.to_string(),
        "attributes": attributes(&span.attributes),
        "droppedAttributesCount": span.dropped_attributes_count,
        "events": span.events.iter().map(event).collect::<Vec<_>>(),
        "droppedEventsCount": span.dropped_events_count,
        "links": span.links.iter().map(link).collect::<Vec<_>>(),
        "droppedLinksCount": span.dropped_links_count,
        "status": { "code": span.status_code as u8, "message": span.status_message },
    })
}

fn attributes(map: &AttributeMap) -> Vec<Value> {
    map.iter().map(|(key, value)| json!({ "key": key, "value": any_value(value) })).collect()
}

/// OTLP's `AnyValue`; the inverse of what the store made of it.
fn any_value(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(value) => json!({ "boolValue": value }),
        Value::Number(number) => match number.as_i64() {
            Some(int) => json!({ "intValue": int.to_string() }),
            None => json!({ "doubleValue": number }),
        },
        Value::String(text) => json!({ "stringValue": text }),
        Value::Array(values) => json!({ "arrayValue": { "values": values.iter().map(any_value).collect::<Vec<_>>() } }),
        Value::Object(map) if map.len() == 1 && (map.contains_key("bytesValue") || map.contains_key("doubleValue")) => {
            value.clone()
        }
        Value::Object(map) => {
            let pair = |(key, value): (&String, &Value)| json!({ "key": key, "value": any_value(value) });
            json!({ "kvlistValue": { "values": map.iter().map(pair).collect::<Vec<_>>() } })
        }
    }
}

fn jaeger_span(span: &SpanRow, process: &str) -> Value {
    let micros = |nanos: i64| nanos / 1_000;
    let parent = (!span.parent_span_id.is_none()).then_some(("CHILD_OF", span.trace_id, span.parent_span_id));
    let links = span.links.iter().map(|link| ("FOLLOWS_FROM", link.trace_id, link.span_id));
    let reference = |(kind, trace, span): (&str, orrery_model::TraceId, orrery_model::SpanId)| json!({ "refType": kind, "traceID": trace.to_string(), "spanID": span.to_string() });
    let mut own = tags(span.attributes.iter());
    own.push(tag("span.kind", &json!(span.kind.as_str())));
    if span.status_code == orrery_model::StatusCode::Error {
        own.push(tag("error", &json!(true)));
    }
    if span.status_code == orrery_model::StatusCode::Ok {
        own.push(tag("otel.status_code", &json!("OK")));
    }
    let texts = [
        ("otel.scope.name", &span.scope_name),
        ("otel.scope.version", &span.scope_version),
        ("w3c.tracestate", &span.trace_state),
    ];
    own.extend(texts.iter().filter(|(_, text)| !text.is_empty()).map(|(key, text)| tag(key, &json!(text))));
    if !span.status_message.is_empty() {
        own.push(tag("otel.status_description", &json!(span.status_message)));
    }
    let log = |event: &orrery_query::answer::SpanEvent| {
        let mut fields = vec![tag("event", &json!(event.name))];
        fields.extend(tags(event.attributes.iter()));
        json!({ "timestamp": micros(event.time_unix_nano), "fields": fields })
    };
    json!({
        "traceID": span.trace_id.to_string(),
        "spanID": span.span_id.to_string(),
        "operationName": span.name,
        "references": parent.into_iter().chain(links).map(reference).collect::<Vec<_>>(),
        "startTime": micros(span.start_time_unix_nano),
        "duration": micros(span.duration_nanos),
        "tags": own,
        "logs": span.events.iter().map(log).collect::<Vec<_>>(),
        "processID": process,
        "warnings": null,
    })
}

fn tags<'a>(attributes: impl Iterator<Item = (&'a String, &'a Value)>) -> Vec<Value> {
    attributes.map(|(key, value)| tag(key, value)).collect()
}

fn tag(key: &str, value: &Value) -> Value {
    let (kind, value) = match value {
        Value::Bool(_) => ("bool", value.clone()),
        Value::Number(number) if number.is_i64() => ("int64", value.clone()),
        Value::Number(_) => ("float64", value.clone()),
        Value::String(_) => ("string", value.clone()),
        other => ("string", json!(other.to_string())),
    };
    json!({ "key": key, "type": kind, "value": value })
}
