//! What is kept of a request is within the limits, whatever was sent.

use crate::oracle::{decode_within, generous};
use orrery_model::batch::{Buckets, Context};
use orrery_model::{Attributes, Batch, Encoding, Signal, Strings, Sym, Value};
use orrery_receive::{Decoded, config::Limits};

/// So tight that the inputs of a fuzzer reach every one of them.
fn tight() -> Limits {
    Limits {
        max_attributes: 3,
        max_value_bytes: 12,
        max_log_body_bytes: 16,
        max_name_bytes: 8,
        max_depth: 2,
        max_events: 2,
        max_links: 2,
        max_exemplars: 2,
        max_buckets: 3,
        ..Limits::default()
    }
}

pub(crate) fn check(signal: Signal, encoding: Encoding, bytes: &[u8]) {
    let read = |limits| decode_within(limits, signal, encoding, bytes);
    let items = |decoded: &Decoded| decoded.batch.len() as u64 + decoded.rejected.total();
    match (read(tight()), read(generous())) {
        (Ok(kept), all) => {
            assert_within(&kept.batch, &tight());
            // What is over a limit need not be read to its end: a fault there goes unseen.
            assert!(all.is_err() || all.is_ok_and(|all| items(&all) == items(&kept)), "limits of an item lose items");
        }
        (Err(reason), all) => assert!(all.is_err(), "limits of an item cost the request: {reason}"),
    }
}

fn assert_within(batch: &Batch, limits: &Limits) {
    let text = |context: &Context, text: Sym, limit| {
        let text = context.strings.get(text);
        assert!(text.len() <= limit, "{text:?} is longer than {limit} bytes");
    };
    let name = |context: &Context, name| text(context, name, limits.max_name_bytes);
    let within = |context: &Context, attributes: &Attributes| {
        for row in 0..attributes.len() {
            assert!(attributes.row(row).len() <= limits.max_attributes);
            for (key, value) in attributes.row(row) {
                name(context, key);
                assert_value(value, &context.strings, limits.max_value_bytes, limits.max_depth);
            }
        }
    };
    let origin = |context: &Context| {
        context.resources.iter().for_each(|resource| name(context, resource.schema_url));
        for scope in &context.scopes {
            [scope.name, scope.version, scope.schema_url].into_iter().for_each(|text| name(context, text));
        }
        within(context, &context.resource_attributes);
        within(context, &context.scope_attributes);
    };
    match batch {
        Batch::Traces(batch) => {
            let context = &batch.context;
            origin(context);
            for row in 0..batch.len() {
                assert!(batch.event_range(row).len() <= limits.max_events);
                assert!(batch.link_range(row).len() <= limits.max_links);
            }
            let names = [&batch.name, &batch.trace_state, &batch.events.name, &batch.links.trace_state];
            names.into_iter().flatten().for_each(|text| name(context, *text));
            batch.status_message.iter().for_each(|message| text(context, *message, limits.max_value_bytes));
            let attributes = [&batch.attributes, &batch.events.attributes, &batch.links.attributes];
            attributes.into_iter().for_each(|all| within(context, all));
        }
        Batch::Logs(batch) => {
            let context = &batch.context;
            origin(context);
            for body in &batch.body {
                assert_value(*body, &context.strings, limits.max_log_body_bytes, limits.max_depth);
            }
            // An event's name may come from an attribute.
            batch.event_name.iter().for_each(|name| text(context, *name, limits.max_value_bytes));
            batch.severity_text.iter().for_each(|text| name(context, *text));
            within(context, &batch.attributes);
        }
        Batch::Metrics(batch) => {
            let context = &batch.context;
            origin(context);
            for metric in &batch.metrics {
                [metric.name, metric.description, metric.unit].into_iter().for_each(|text| name(context, text));
            }
            (0..batch.len()).for_each(|row| assert!(batch.exemplars(row).len() <= limits.max_exemplars));
            for distribution in &batch.distributions {
                let buckets = match &distribution.buckets {
                    Buckets::Explicit { counts, .. } => counts.len(),
                    Buckets::Exponential { positive, negative, .. } => positive.len().max(negative.len()),
                    Buckets::Summary { quantiles } => quantiles.len(),
                };
                assert!(buckets <= limits.max_buckets, "{buckets} buckets");
            }
            within(context, &batch.attributes);
        }
    }
}

fn assert_value(value: Value, strings: &Strings, limit: usize, depth: usize) {
    match value {
        Value::String(text) | Value::Bytes(text) => assert!(strings.get(text).len() <= limit),
        Value::Json(text) => {
            let text = strings.get(text);
            assert!(text.len() <= limit, "{text}");
            let json: serde_json::Value = serde_json::from_str(text).expect("what is stored as JSON is JSON");
            assert!(levels(&json) <= depth, "{text}");
        }
        Value::Empty | Value::Bool(_) | Value::Int(_) | Value::Double(_) => {}
    }
}

/// Levels of arrays and maps.
fn levels(json: &serde_json::Value) -> usize {
    match json {
        serde_json::Value::Array(all) => 1 + all.iter().map(levels).max().unwrap_or(0),
        // Bytes and doubles that JSON has no words for are written so.
        serde_json::Value::Object(all) if all.keys().any(|key| key == "bytesValue" || key == "doubleValue") => 0,
        serde_json::Value::Object(all) => 1 + all.values().map(levels).max().unwrap_or(0),
        _ => 0,
    }
}
