//! Rules and alerts in the form of Prometheus' API, for tools that know that.
//!
//! Source: Prometheus, HTTP API, `/api/v1/rules` and `/api/v1/alerts`. Alerts without data and with errors are firing there,
//! with a label `orrery_state` that says so; what is normal is left out.

use super::rules;
use crate::api::endpoint::{ANY_JSON, Ask, Endpoint};
use crate::api::failure::Failure;
use crate::api::params::Parameter;
use orrery_api::alerting::{Alert, AlertState, RuleStatus};
use orrery_api::{Nanos, paths};
use serde_json::{Map, Value, json};
use std::time::{Duration, UNIX_EPOCH};

const TYPE: Parameter = Parameter::new("type", "alert", "`alert`, or `record`, of which there are none.");
const NAMES: Parameter = Parameter::new("rule_name[]", "checkout fails", "Only rules of this name.").repeated();
const GROUPS: Parameter = Parameter::new("rule_group[]", "orrery", "Only this group; all are in `orrery`.").repeated();
const FILES: Parameter = Parameter::new("file[]", "", "Only of this file; there are none.").repeated();
const WITHOUT_ALERTS: Parameter = Parameter::new("exclude_alerts", "true", "Whether alerts are left out.");
/// The one group.
const GROUP: &str = "orrery";

/// `GET /rules`.
pub(crate) const RULES: Endpoint = Endpoint::json(
    paths::PROMETHEUS_RULES,
    ANY_JSON,
    "Rules in the form of Prometheus' API",
    &[TYPE, NAMES, GROUPS, FILES, WITHOUT_ALERTS],
);

pub(crate) fn list_rules(ask: &Ask<'_>) -> Result<Value, Failure> {
    let params = &ask.params;
    let kind = params.parsed(TYPE.name, |text| match text {
        "alert" | "record" => Ok(text.to_owned()),
        other => Err(format!("`{other}` is neither alert nor record")),
    })?;
    let is_empty = kind.as_deref() == Some("record")
        || params.all(FILES.name).next().is_some()
        || (params.all(GROUPS.name).next().is_some() && params.all(GROUPS.name).all(|group| group != GROUP));
    let wanted = |name: &str| {
        let mut names = params.all(NAMES.name).peekable();
        names.peek().is_none() || names.any(|wanted| wanted == name)
    };
    let snapshot = ask.api.alerting.snapshot();
    let alerts = match params.text(WITHOUT_ALERTS.name) {
        Some("true") => &[],
        _ => snapshot.alerts.as_slice(),
    };
    let rules = rules::list(ask)?.rules;
    let rules: Vec<Value> = rules
        .iter()
        .filter(|status| !is_empty && status.rule.enabled && wanted(&status.rule.name))
        .map(|status| rule(status, alerts))
        .collect();
    let last = rules.iter().filter_map(|rule| rule["lastEvaluation"].as_str()).max().unwrap_or(NEVER).to_owned();
    let group = json!({
        "name": GROUP, "file": "", "interval": orrery_api::alerting::STEP_SECONDS, "limit": 0, "rules": rules,
        "evaluationTime": rules.iter().filter_map(|rule| rule["evaluationTime"].as_f64()).sum::<f64>(),
        "lastEvaluation": last,
    });
    let groups = if is_empty { Vec::new() } else { vec![group] };
    Ok(json!({ "status": "success", "data": { "groups": groups } }))
}

/// `GET /alerts`.
pub(crate) const ALERTS: Endpoint =
    Endpoint::json(paths::PROMETHEUS_ALERTS, ANY_JSON, "Alerts in the form of Prometheus' API", &[]);

pub(crate) fn list_alerts(ask: &Ask<'_>) -> Result<Value, Failure> {
    let described = rules::list(ask)?.rules;
    let text =
        |rule: &str| described.iter().find(|it| it.rule.name == rule).map_or("", |it| it.rule.description.as_str());
    let snapshot = ask.api.alerting.snapshot();
    let alerts: Vec<Value> = snapshot.alerts.iter().filter_map(|it| alert(it, text(&it.rule))).collect();
    Ok(json!({ "status": "success", "data": { "alerts": alerts } }))
}

fn rule(status: &RuleStatus, alerts: &[Alert]) -> Value {
    let rule = &status.rule;
    let of_rule = alerts.iter().filter(|alert| alert.rule == rule.name);
    let worst = rule.levels.iter().map(|level| level.severity).max().unwrap_or_default();
    let mut labels: Map<String, Value> = rule.labels.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    labels.insert("severity".to_owned(), json!(worst.name()));
    json!({
        "type": "alerting",
        "name": rule.name,
        "query": serde_json::to_string(&rule.measure).unwrap_or_default(),
        "duration": rule.for_.0,
        "keepFiringFor": rule.keep_firing_for.0,
        "labels": labels,
        "annotations": annotations("", &rule.description),
        "alerts": of_rule.filter_map(|it| alert(it, &rule.description)).collect::<Vec<_>>(),
        "state": state(status.state).unwrap_or("inactive"),
        "health": match (&status.error, status.judged_unix_nano) {
            (Some(_), _) => "err",
            (None, Some(_)) => "ok",
            (None, None) => "unknown",
        },
        "lastError": status.error.clone().unwrap_or_default(),
        "evaluationTime": status.took_micros as f64 / 1e6,
        "lastEvaluation": status.judged_unix_nano.map_or(NEVER.to_owned(), moment),
    })
}

/// As Prometheus says it when there was none.
const NEVER: &str = "0001-01-01T00:00:00Z";

fn alert(alert: &Alert, description: &str) -> Option<Value> {
    let state = state(alert.state)?;
    let mut labels: Map<String, Value> =
        alert.labels.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    labels.insert("alertname".to_owned(), json!(alert.rule));
    labels.insert("severity".to_owned(), json!(alert.severity.name()));
    if matches!(alert.state, AlertState::NoData | AlertState::Error) {
        labels.insert("orrery_state".to_owned(), json!(alert.state.name()));
    }
    Some(json!({
        "labels": labels,
        "annotations": annotations(&alert.summary, description),
        "state": state,
        "activeAt": moment(alert.began_unix_nano.unwrap_or(alert.since_unix_nano)),
        "value": alert.value.map_or("NaN".to_owned(), |value| format!("{value:e}")),
    }))
}

fn annotations(summary: &str, description: &str) -> Map<String, Value> {
    let texts = [("summary", summary), ("description", description)].into_iter();
    texts.filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name.to_owned(), json!(text))).collect()
}

fn state(state: AlertState) -> Option<&'static str> {
    match state {
        AlertState::Normal => None,
        AlertState::Pending => Some("pending"),
        AlertState::Firing | AlertState::NoData | AlertState::Error => Some("firing"),
    }
}

fn moment(at: Nanos) -> String {
    let time = UNIX_EPOCH + Duration::from_nanos(at.0.max(0).unsigned_abs());
    humantime::format_rfc3339_nanos(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_said_as_prometheus_says_it() {
        let one = Alert {
            rule: "checkout fails".into(),
            labels: [("service".to_owned(), "checkout".to_owned())].into(),
            state: AlertState::Firing,
            severity: orrery_api::alerting::AlertSeverity::Critical,
            began_unix_nano: Some(Nanos(1_763_600_000_500_000_000)),
            value: Some(0.52),
            summary: "52 % fail".into(),
            ..Alert::default()
        };
        let said = alert(&one, "Look at the payments.").unwrap();
        assert_eq!(
            said,
            json!({
                "labels": { "alertname": "checkout fails", "service": "checkout", "severity": "critical" },
                "annotations": { "summary": "52 % fail", "description": "Look at the payments." },
                "state": "firing", "activeAt": "2025-11-20T00:53:20.500000000Z", "value": "5.2e-1",
            })
        );
        let silent = Alert { state: AlertState::NoData, value: None, ..one.clone() };
        assert_eq!(alert(&silent, "").unwrap()["labels"]["orrery_state"], "no_data");
        assert_eq!(alert(&Alert { state: AlertState::Normal, ..one }, ""), None);
    }
}
