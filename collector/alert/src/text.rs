//! Alerts in words.

use orrery_api::alerting::{CallFigure, Figure, Measure, Saying, ValueUnit};
use std::collections::BTreeMap;

/// In which unit the values of a measure are.
pub fn unit(measure: &Measure) -> ValueUnit {
    match measure {
        Measure::Requests { figure, .. } => match figure {
            Figure::Rate => ValueUnit::PerSecond,
            Figure::Errors => ValueUnit::Count,
            Figure::ErrorRatio => ValueUnit::Ratio,
            Figure::Mean | Figure::P50 | Figure::P90 | Figure::P95 | Figure::P99 => ValueUnit::Seconds,
        },
        Measure::Calls { figure, .. } => match figure {
            CallFigure::Rate => ValueUnit::PerSecond,
            CallFigure::Errors => ValueUnit::Count,
            CallFigure::ErrorRatio | CallFigure::UnansweredRatio => ValueUnit::Ratio,
            CallFigure::Mean
            | CallFigure::P50
            | CallFigure::P95
            | CallFigure::P99
            | CallFigure::NetworkP95
            | CallFigure::LagP95 => ValueUnit::Seconds,
        },
        Measure::Errors { .. }
        | Measure::NewErrors { .. }
        | Measure::NewEdges { .. }
        | Measure::Logs { .. }
        | Measure::NewLogPatterns { .. } => ValueUnit::Count,
        Measure::Silent { .. } | Measure::Hosts { .. } | Measure::Heartbeat { .. } => ValueUnit::Seconds,
        Measure::Burn { .. } => ValueUnit::Times,
        Measure::Traces { .. } | Measure::Metric { .. } | Measure::Sql { .. } => ValueUnit::None,
    }
}

/// A value with its unit, for people: `52 %`, `310 ms`, `4.2/s`, `14.4×`.
pub fn value(value: f64, unit: ValueUnit) -> String {
    match unit {
        ValueUnit::Ratio => format!("{} %", rounded(value * 100.0)),
        ValueUnit::PerSecond => format!("{}/s", rounded(value)),
        ValueUnit::Times => format!("{}×", rounded(value)),
        ValueUnit::Count | ValueUnit::None => rounded(value),
        ValueUnit::Seconds => duration(value),
    }
}

fn duration(seconds: f64) -> String {
    match seconds.abs() {
        size if size < 0.001 => format!("{} µs", rounded(seconds * 1e6)),
        size if size < 1.0 => format!("{} ms", rounded(seconds * 1e3)),
        size if size < 120.0 => format!("{} s", rounded(seconds)),
        size if size < 7_200.0 => format!("{} min", rounded(seconds / 60.0)),
        _ => format!("{} h", rounded(seconds / 3_600.0)),
    }
}

/// Three digits that matter, no zeros at the end.
fn rounded(value: f64) -> String {
    let size = value.abs();
    let digits = match size {
        size if size >= 99.95 || size == 0.0 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.9995 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// What an alert says, in a sentence without an end: `52 % of the requests to payments fail, more than 5 %`.
pub fn summary(
    measure: &Measure,
    labels: &BTreeMap<String, String>,
    now: Option<f64>,
    threshold: Option<f64>,
) -> String {
    said(measure, labels, now, threshold.filter(|threshold| now.is_none_or(|now| now > *threshold)), ", more than")
}

/// The same where small values are bad.
pub fn summary_of_less(
    measure: &Measure,
    labels: &BTreeMap<String, String>,
    now: Option<f64>,
    threshold: Option<f64>,
) -> String {
    said(measure, labels, now, threshold.filter(|threshold| now.is_none_or(|now| now < *threshold)), ", less than")
}

/// What an alert that is over was about.
pub fn over(measure: &Measure, labels: &BTreeMap<String, String>, now: Option<f64>) -> String {
    match (now, subject(measure, labels)) {
        (Some(_), _) => said(measure, labels, now, None, ""),
        (None, subject) if subject.is_empty() => "over".to_owned(),
        (None, subject) => format!("{subject}: over"),
    }
}

fn said(
    measure: &Measure,
    labels: &BTreeMap<String, String>,
    now: Option<f64>,
    broken: Option<f64>,
    than: &str,
) -> String {
    let label = |name: &str| labels.get(name).map_or("?", String::as_str);
    let unit = unit(measure);
    let Some(now) = now else {
        return match subject(measure, labels) {
            subject if subject.is_empty() => "no values".to_owned(),
            subject => format!("no values for {subject}"),
        };
    };
    let size = value(now, unit);
    let than = broken.map_or_else(String::new, |broken| format!("{than} {}", value(broken, unit)));
    let what = match measure {
        Measure::Requests { figure, .. } => {
            let whom = subject(measure, labels);
            match figure {
                Figure::Rate => format!("{whom} gets {size} requests"),
                Figure::Errors => format!("{size} requests to {whom} failed"),
                Figure::ErrorRatio => format!("{size} of the requests to {whom} fail"),
                Figure::Mean => format!("requests to {whom} take {size} on average"),
                Figure::P50 => format!("half of the requests to {whom} take over {size}"),
                Figure::P90 => format!("1 in 10 requests to {whom} takes over {size}"),
                Figure::P95 => format!("1 in 20 requests to {whom} takes over {size}"),
                Figure::P99 => format!("1 in 100 requests to {whom} takes over {size}"),
            }
        }
        Measure::Calls { figure, .. } => {
            let (from, to) = (label("caller"), label("callee"));
            match figure {
                CallFigure::Rate => format!("{from} calls {to} {size}"),
                CallFigure::Errors => format!("{size} calls from {from} to {to} failed"),
                CallFigure::ErrorRatio => format!("{size} of the calls from {from} to {to} fail"),
                CallFigure::UnansweredRatio => format!("{size} of the calls from {from} to {to} get no answer"),
                CallFigure::Mean => format!("calls from {from} to {to} take {size} on average"),
                CallFigure::P50 => format!("half of the calls from {from} to {to} take over {size}"),
                CallFigure::P95 => format!("1 in 20 calls from {from} to {to} takes over {size}"),
                CallFigure::P99 => format!("1 in 100 calls from {from} to {to} takes over {size}"),
                CallFigure::NetworkP95 => {
                    format!("1 in 20 calls from {from} to {to} spends over {size} between the two")
                }
                CallFigure::LagP95 => format!("1 in 20 messages from {from} waits over {size} for {to}"),
            }
        }
        Measure::Errors { .. } => format!("{size} × {} in {}", label("error.type"), label("service")),
        Measure::NewErrors { .. } => format!("{size} × {}, new in {}", label("error.type"), label("service")),
        Measure::NewEdges { .. } => format!("{} calls {}, which it did not before", label("caller"), label("callee")),
        Measure::Silent { .. } => format!("nothing heard of {} for {size}", label("service")),
        Measure::Logs { .. } => format!("{size} log records of {}", label("service")),
        Measure::NewLogPatterns { .. } => format!("{size} × a new kind of log record in {}", label("service")),
        Measure::Hosts { .. } => format!("nothing heard of host {} for {size}", label("host")),
        Measure::Heartbeat { name } => format!("no heartbeat “{name}” for {size}"),
        Measure::Burn { slo, .. } => format!("the error budget of “{slo}” burns {size} as fast as it may"),
        Measure::Metric { name, .. } => with_labels(&format!("{name} is {size}"), labels),
        Measure::Traces { .. } | Measure::Sql { .. } => with_labels(&format!("value {size}"), labels),
    };
    format!("{what}{than}")
}

/// What [`summary`] makes its sentence of, spelled as in documents.
pub fn saying(measure: &Measure, is_less: bool) -> Saying {
    let document = serde_json::to_value(measure).unwrap_or_default();
    let text = |field: &str| document[field].as_str().unwrap_or_default().to_owned();
    let name = if let Measure::Burn { .. } = measure { "slo" } else { "name" };
    Saying { signal: text("signal"), figure: text("figure"), name: text(name), is_less }
}

/// What a measure is about, by the labels that say it.
fn subject(measure: &Measure, labels: &BTreeMap<String, String>) -> String {
    let label = |name: &str| labels.get(name).map(String::as_str);
    let parts = match measure {
        Measure::Requests { .. } => [label("service"), label("operation"), label("version").or(label("instance"))],
        Measure::Calls { .. } => [label("caller"), label("callee"), None],
        _ => [label("service").or(label("host")).or(label("heartbeat")), label("error.type"), None],
    };
    parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

fn with_labels(said: &str, labels: &BTreeMap<String, String>) -> String {
    let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if labels.is_empty() { said.to_owned() } else { format!("{said} ({})", labels.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_for_people() {
        for (number, unit, text) in [
            (0.5234, ValueUnit::Ratio, "52.3 %"),
            (0.05, ValueUnit::Ratio, "5 %"),
            (0.0004, ValueUnit::Ratio, "0.04 %"),
            (0.31, ValueUnit::Seconds, "310 ms"),
            (0.000_25, ValueUnit::Seconds, "250 µs"),
            (75.0, ValueUnit::Seconds, "75 s"),
            (600.0, ValueUnit::Seconds, "10 min"),
            (86_400.0, ValueUnit::Seconds, "24 h"),
            (4.2, ValueUnit::PerSecond, "4.2/s"),
            (14.4, ValueUnit::Times, "14.4×"),
            (1_234.0, ValueUnit::Count, "1234"),
            (0.0, ValueUnit::None, "0"),
        ] {
            assert_eq!(value(number, unit), text);
        }
    }

    #[test]
    fn what_a_sentence_is_made_of_is_spelled_as_in_documents() {
        use serde_json::json;
        for document in [
            json!({ "signal": "requests", "figure": "p90" }),
            json!({ "signal": "requests", "figure": "error_ratio" }),
            json!({ "signal": "calls", "figure": "unanswered_ratio" }),
            json!({ "signal": "calls", "figure": "network_p95" }),
            json!({ "signal": "calls", "figure": "lag_p95" }),
            json!({ "signal": "new_log_patterns" }),
            json!({ "signal": "heartbeat", "name": "backup" }),
            json!({ "signal": "burn", "slo": "s", "short": "5m" }),
        ] {
            let said = saying(&serde_json::from_value(document.clone()).unwrap(), false);
            assert_eq!(document["signal"], said.signal);
            assert_eq!(document.get("figure").map_or("", |it| it.as_str().unwrap()), said.figure);
            let name = document.get("name").or(document.get("slo"));
            assert_eq!(name.map_or("", |it| it.as_str().unwrap()), said.name);
        }
    }

    #[test]
    fn an_alert_says_what_is_wrong() {
        let labels = BTreeMap::from([("service".to_owned(), "payments".to_owned())]);
        let said = summary(&Measure::default(), &labels, Some(0.52), Some(0.05));
        assert_eq!(said, "52 % of the requests to payments fail, more than 5 %");
        assert_eq!(summary(&Measure::default(), &labels, None, Some(0.05)), "no values for payments");
        assert_eq!(over(&Measure::default(), &labels, None), "payments: over");
        assert_eq!(over(&Measure::default(), &labels, Some(0.01)), "1 % of the requests to payments fail");
    }
}
