//! A notification of ntfy: JSON, or the picture as body with the rest in the address.
//!
//! Source: ntfy, "Publish" (message 4096 bytes, priorities 1 to 5, tags that become emoji, topics).

use super::{Call, Calls, Incomplete, base, fit};
use crate::case::{Case, Status};
use crate::text;
use orrery_api::alerting::AlertSeverity;
use serde_json::{Value, json};

/// Longest message, bytes; what is longer becomes a file.
const MESSAGE: usize = 4_000;
/// Longest message in an address, bytes: percent-encoded it is up to three times as long.
const IN_ADDRESS: usize = 1_500;

pub(super) fn calls(
    url: Option<&String>,
    topic: &str,
    token: Option<&str>,
    case: &Case<'_>,
    png: Option<&[u8]>,
) -> Result<Calls, Incomplete> {
    let is_topic = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    if topic.is_empty() || topic.len() > 64 || !topic.chars().all(is_topic) {
        return Err(Incomplete("`topic` has 1 to 64 letters, digits, `-` and `_`".to_owned()));
    }
    let base = base(url, "https://ntfy.sh");
    let allowed = |call: Call| match token {
        Some(token) if !token.is_empty() => call.header("authorization", format!("Bearer {token}")),
        _ => call,
    };
    let message = allowed(Call::json(base, &body(topic, case)));
    let Some(png) = png else { return Ok(message.into()) };
    let Ok(mut address) = url::Url::parse(&format!("{base}/{topic}")) else { return Ok(message.into()) };
    let said = body(topic, case);
    {
        let mut query = address.query_pairs_mut();
        query.append_pair("title", said["title"].as_str().unwrap_or_default());
        query.append_pair("message", &short(case, IN_ADDRESS));
        query.append_pair("priority", &said["priority"].to_string());
        query.append_pair("tags", said["tags"][0].as_str().unwrap_or_default());
        query.append_pair("filename", "chart.png");
        if let Some(click) = &case.url {
            query.append_pair("click", click);
        }
        query.append_pair("actions", &said["actions"].to_string());
    }
    let first =
        Call { method: hyper::Method::PUT, url: address.into(), headers: Vec::new(), body: png.to_vec().into() };
    Ok(Calls { first: allowed(first.header("content-type", "image/png")), without_picture: Some(message) })
}

pub(crate) fn body(topic: &str, case: &Case<'_>) -> Value {
    let actions: Vec<Value> =
        case.links().map(|(label, url)| json!({ "action": "view", "label": label, "url": url })).collect();
    let mut message = json!({
        "topic": topic,
        "title": text::cut_bytes(&case.title, 250),
        "message": short(case, MESSAGE),
        "priority": priority(case),
        "tags": [tag(case)],
        "actions": actions,
    });
    if let Some(url) = &case.url {
        message["click"] = json!(url);
    }
    message
}

fn short(case: &Case<'_>, most: usize) -> String {
    let facts = case.facts.iter().map(|fact| format!("{}: {}", fact.label, fact.plain()));
    let description = Some(case.description.clone()).filter(|text| !text.is_empty());
    let said = fit(facts.chain(description), most, str::len);
    // ntfy says "triggered" where there is nothing.
    if said.is_empty() { case.status.word().to_owned() } else { said }
}

fn priority(case: &Case<'_>) -> u8 {
    match (case.status, case.severity) {
        (Status::Resolved, _) => 3,
        (_, AlertSeverity::Critical) => 5,
        (_, AlertSeverity::Warning) => 4,
        (_, AlertSeverity::Info) => 2,
    }
}

/// A name of an emoji.
fn tag(case: &Case<'_>) -> &'static str {
    match (case.status, case.severity) {
        (Status::Resolved, _) => "white_check_mark",
        (Status::Error, _) => "warning",
        (Status::NoData, _) => "white_circle",
        (Status::Firing, AlertSeverity::Critical) => "red_circle",
        (Status::Firing, AlertSeverity::Warning) => "orange_circle",
        (Status::Firing, AlertSeverity::Info) => "large_blue_circle",
    }
}
