//! An event of PagerDuty's Events API v2.
//!
//! Source: PagerDuty, "Send an Alert Event" (`summary` up to 1024 characters, `dedup_key` up to 255, 512 KB in all).

use super::{Call, Incomplete, base, needed};
use crate::case::{Case, Status};
use crate::text;
use orrery_api::alerting::AlertSeverity;
use serde_json::{Map, Value, json};

pub(super) fn call(routing_key: Option<&String>, url: Option<&String>, case: &Case<'_>) -> Result<Call, Incomplete> {
    let advice = "add the integration `Events API V2` to a service in PagerDuty and paste its integration key";
    let routing_key = needed(routing_key, "routing_key", advice)?;
    Ok(Call::json(base(url, "https://events.pagerduty.com/v2/enqueue"), &body(routing_key, case)))
}

pub(crate) fn body(routing_key: &str, case: &Case<'_>) -> Value {
    if case.status == Status::Resolved {
        return json!({ "routing_key": routing_key, "event_action": "resolve", "dedup_key": case.key() });
    }
    let links = case.links().map(|(name, url)| json!({ "href": url, "text": name }));
    let traces = case.traces().map(|(id, url)| json!({ "href": url, "text": format!("Trace {id}") }));
    let links: Vec<Value> = links.chain(traces).collect();
    let mut event = json!({
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": case.key(),
        "client": "Orrery",
        "links": links,
        "payload": {
            "summary": case.title,
            "source": case.label(&["service", "service.name", "host", "host.name"]).unwrap_or_else(|| "orrery".to_owned()),
            "severity": severity(case),
            "timestamp": text::rfc3339(case.message.at_unix_nano.0),
            "class": case.status.word(),
            "custom_details": details(case),
        },
    });
    if let Some(url) = &case.url {
        event["client_url"] = json!(url);
    }
    if let Some(rule) = case.label(&["rule"]) {
        event["payload"]["component"] = json!(rule);
    }
    event
}

fn severity(case: &Case<'_>) -> &'static str {
    match (case.status, case.severity) {
        (Status::Error, _) => "error",
        (_, AlertSeverity::Critical) => "critical",
        (_, AlertSeverity::Warning) => "warning",
        (_, AlertSeverity::Info) => "info",
    }
}

/// Facts by label; those with the same label are lines of one.
pub(super) fn details(case: &Case<'_>) -> Map<String, Value> {
    let mut details = Map::<String, Value>::new();
    let description = Some(("Description", case.description.clone())).filter(|it| !it.1.is_empty());
    for (label, text) in case.facts.iter().map(|fact| (fact.label, fact.plain())).chain(description) {
        match details.get_mut(label) {
            Some(Value::String(before)) => *before = format!("{before}\n{text}"),
            _ => drop(details.insert(label.to_owned(), Value::String(text))),
        }
    }
    details
}
