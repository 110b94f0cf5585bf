//! An alert of Opsgenie: made, and closed by its alias.
//!
//! Source: Opsgenie, "Alert API" (`message` 130 characters, `alias` 512, `description` 15 000, `tags` 20 of 50).

use super::{Call, Incomplete, base, needed};
use crate::case::{Case, Status};
use crate::text;
use orrery_api::alerting::AlertSeverity;
use serde_json::{Value, json};

pub(super) fn call(api_key: Option<&String>, url: Option<&String>, case: &Case<'_>) -> Result<Call, Incomplete> {
    let api_key = needed(api_key, "api_key", "add an API integration to a team in Opsgenie and paste its key")?;
    let base = base(url, "https://api.opsgenie.com");
    let url = match case.status {
        Status::Resolved => format!("{base}/v2/alerts/{}/close?identifierType=alias", case.key()),
        _ => format!("{base}/v2/alerts"),
    };
    Ok(Call::json(url, &body(case)).header("authorization", format!("GenieKey {api_key}")))
}

pub(crate) fn body(case: &Case<'_>) -> Value {
    if case.status == Status::Resolved {
        return json!({ "source": "Orrery", "note": text::line(&case.title, 500) });
    }
    let mut alert = json!({
        "message": text::line(&case.title, 130),
        "alias": case.key(),
        "description": text::cut_bytes(&case.plain(), 15_000),
        "details": super::pagerduty::details(case),
        "tags": ["orrery", case.severity.name()],
        "source": "Orrery",
        "priority": priority(case),
    });
    if let Some(entity) = case.label(&["service", "service.name", "host", "host.name"]) {
        alert["entity"] = json!(entity);
    }
    alert
}

fn priority(case: &Case<'_>) -> &'static str {
    match (case.status, case.severity) {
        (Status::Error | Status::NoData, AlertSeverity::Info) => "P4",
        (_, AlertSeverity::Critical) => "P1",
        (_, AlertSeverity::Warning) => "P3",
        (_, AlertSeverity::Info) => "P5",
    }
}
