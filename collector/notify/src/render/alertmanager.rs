//! Alerts for an Alertmanager, one each: it groups and routes by itself.
//!
//! Source: Prometheus, Alertmanager `api/v2/openapi.yaml` (`postableAlerts`), "Data model" (names of labels).

use super::Call;
use crate::case::{Case, Fact};
use crate::text;
use orrery_api::alerting::{Alert, AlertState};
use serde_json::{Map, Value, json};

/// An Alertmanager takes alerts for over that are not said again. Ours are said again by a route's `repeat_interval` and
/// when they are over, so this only counts if neither ever comes.
const HOLDS: i64 = 2 * 86_400 * 1_000_000_000;
/// Longest name and value of a label, characters.
const LABEL: usize = 500;

pub(super) fn call(url: &str, case: &Case<'_>) -> Call {
    Call::json(format!("{}/api/v2/alerts", url.trim().trim_end_matches('/')), &body(case))
}

pub(crate) fn body(case: &Case<'_>) -> Value {
    case.message.alerts.iter().enumerate().map(|(i, alert)| one(case, alert, i == 0)).collect()
}

fn one(case: &Case<'_>, alert: &Alert, is_first: bool) -> Value {
    let mut labels = Map::new();
    for (name, value) in alert.labels.iter().take(64) {
        let value = text::line(value, LABEL);
        // Empty is absent there.
        if !value.is_empty() {
            labels.insert(label_name(name), json!(value));
        }
    }
    labels.insert("alertname".to_owned(), json!(text::line(&alert.rule, LABEL)));
    labels.insert("severity".to_owned(), json!(alert.severity.name()));
    let mut annotations = Map::new();
    // No label: the alert is the same one when it is over.
    annotations.insert("state".to_owned(), json!(alert.state.name()));
    annotations.insert("summary".to_owned(), json!(text::line(&alert.summary, 1_000)));
    if !case.description.is_empty() {
        annotations.insert("description".to_owned(), json!(case.description));
    }
    if is_first {
        // The evidence is about the first.
        let rest = case.facts.iter().filter(|fact| !matches!(fact.label, "What" | "Also" | "Labels"));
        let lines: Vec<String> = rest.map(|fact: &Fact| format!("{}: {}", fact.label, fact.plain())).collect();
        annotations.insert("evidence".to_owned(), json!(lines.join("\n")));
    }
    if let Some(url) = &case.silence_url {
        annotations.insert("silence_url".to_owned(), json!(url));
    }
    let is_over = alert.state == AlertState::Normal;
    let began = alert.began_unix_nano.unwrap_or(alert.since_unix_nano).0;
    let ends = if is_over { alert.since_unix_nano.0 } else { case.message.at_unix_nano.0.saturating_add(HOLDS) };
    let mut out = json!({
        "labels": labels,
        "annotations": annotations,
        "startsAt": text::rfc3339(began.min(ends)),
        "endsAt": text::rfc3339(ends),
    });
    if let Some(url) = &case.url {
        out["generatorURL"] = json!(url);
    }
    out
}

/// A name as every version takes it: letters, digits and `_`, no digit first.
fn label_name(name: &str) -> String {
    let valid = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
    let name: String = name.chars().take(LABEL).map(valid).collect();
    match name.chars().next() {
        Some(first) if !first.is_ascii_digit() => name,
        _ => format!("_{name}"),
    }
}
