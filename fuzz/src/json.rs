//! OTLP/JSON: serde_json says what is JSON, and one text may be spelt in many ways that mean the same.

use crate::oracle::{decode_within, generous};
use crate::rows::rows;
use crate::{bounds, seeds};
use orrery_model::{Encoding, Signal};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;

pub(crate) fn check(bytes: &[u8]) {
    for signal in Signal::ALL {
        bounds::check(signal, Encoding::Json, bytes);
        let ours = decode_within(generous(), signal, Encoding::Json, bytes);
        match (serde_json::from_slice::<Value>(bytes), ours) {
            (Err(error), Ok(_)) => assert!(is_forgiven(&error.to_string(), bytes), "no JSON, but read: {error}"),
            (Ok(_), Err(reason)) => assert!(!reason.contains("invalid JSON"), "JSON, but {reason}"),
            (Ok(value), Ok(_)) => same_when_respelt(signal, &value),
            (Err(_), Err(_)) => {}
        }
    }
}

/// Where we read what serde_json does not: text and numbers that nobody looks at are only passed, lone surrogates and
/// what is not UTF-8 are repaired. The structure must always be right.
fn is_forgiven(error: &str, bytes: &[u8]) -> bool {
    const FORGIVEN: [&str; 6] =
        ["control character", "escape", "invalid unicode code point", "number", "recursion limit", "surrogate"];
    bytes.starts_with("\u{feff}".as_bytes()) || FORGIVEN.iter().any(|what| error.contains(what))
}

fn same_when_respelt(signal: Signal, value: &Value) {
    let read = |text: &str| {
        let decoded = decode_within(generous(), signal, Encoding::Json, text.as_bytes());
        decoded.unwrap_or_else(|reason| panic!("{reason}, though it was read before: {text}"))
    };
    let mut other = String::new();
    respell(value, &mut other);
    let (one, other) = (read(&value.to_string()), read(&other));
    assert_eq!(rows(&one.batch), rows(&other.batch));
    assert_eq!(one.rejected.total(), other.rejected.total());
}

/// The same JSON: white space, every character escaped, members in the other order beside one that nobody knows.
fn respell(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => quote(text, out),
        Value::Array(all) => {
            out.push_str("[\n");
            for (at, value) in all.iter().enumerate() {
                out.push_str(if at > 0 { " ,\t" } else { "" });
                respell(value, out);
            }
            out.push_str("\r]");
        }
        Value::Object(all) => {
            out.push_str("{ \"unknown\": [{}, -0.5e+1, \"\\\"}\"]");
            // serde_json sorts; of several members of a oneof the last one counts, so these stay as they are.
            let in_order = all.keys().filter(|key| is_choice(key)).count() > 1;
            let mut members: Vec<_> = all.iter().collect();
            if !in_order {
                members.reverse();
            }
            for (key, value) in members {
                out.push_str(" ,\n");
                quote(key, out);
                out.push_str("\t: ");
                respell(value, out);
            }
            out.push_str(" }");
        }
        other => _ = write!(out, "{other}"),
    }
}

fn is_choice(key: &str) -> bool {
    let metric = ["gauge", "sum", "histogram", "exponentialHistogram", "summary"];
    key.ends_with("Value") || key.starts_with("as") || key.ends_with("Strindex") || metric.contains(&key)
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    text.encode_utf16().for_each(|unit| _ = write!(out, "\\u{unit:04X}"));
    out.push('"');
}

/// The keys of OTLP/JSON, which are those of the seeds.
pub(crate) fn words() -> Vec<String> {
    let mut keys = BTreeSet::new();
    for seed in seeds::json() {
        collect(&serde_json::from_slice(&seed).unwrap(), &mut keys);
    }
    keys.into_iter().collect()
}

fn collect(value: &Value, keys: &mut BTreeSet<String>) {
    match value {
        Value::Array(all) => all.iter().for_each(|value| collect(value, keys)),
        Value::Object(all) => all.iter().for_each(|(key, value)| {
            keys.insert(key.clone());
            collect(value, keys);
        }),
        _ => {}
    }
}
