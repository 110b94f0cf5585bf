//! What documents and alerts mean, in a sentence.

use super::document::{at, text, words};
use super::form::{INDICATORS, Input, SEVERITIES, signal};
use super::values::{number, shown, unit_of};
use crate::words::{Phrase, t, tell, tf};
use orrery_api::alerting::{Alert, AlertEventKind, AlertSeverity, AlertState, MutedBy, RuleOrigin, ValueUnit};
use serde_json::Value;

/// What a rule watches: `Share that fails, one per service of payments`.
pub fn watches(measure: &Value) -> String {
    let name = text(measure, "signal");
    if name == "burn" {
        return tf(tell::WATCHES_BURN, &[("slo", &text(measure, "slo"))]);
    }
    let Some(signal) = signal(&name) else { return name };
    let chosen = |path: &str| {
        let field = signal.fields.iter().find(|field| field.path == path)?;
        choice(field.input, &text(measure, path))
    };
    let what = match chosen("figure") {
        Some(figure) if name == "calls" => tf(tell::OF_CALLS, &[("figure", figure)]),
        Some(figure) => figure.to_owned(),
        None => t(signal.title).to_owned(),
    };
    let exact = match name.as_str() {
        "metric" | "heartbeat" => text(measure, "name"),
        "traces" => text(measure, "q"),
        "sql" => text(measure, "statement").split_whitespace().collect::<Vec<_>>().join(" "),
        _ => String::new(),
    };
    let per = match name.as_str() {
        "requests" => chosen("by").map(str::to_owned),
        _ => Some(words(measure, "group_by").join(", ")).filter(|names| !names.is_empty()),
    };
    let only = ["service", "operation", "caller", "callee", "kind", "severity", "text", "host", "environment"]
        .into_iter()
        .map(|path| (path, text(measure, path)))
        .filter(|(_, value)| !value.is_empty())
        .map(|(path, value)| match path {
            "service" | "host" => value,
            "severity" => format!("≥ {value}"),
            "text" => format!("“{value}”"),
            path => format!("{path} {value}"),
        });
    let listed = ["types", "attr"].into_iter().flat_map(|path| words(measure, path));
    let parts = [Some(what), Some(exact).filter(|exact| !exact.is_empty()), per].into_iter().flatten();
    parts.chain(only).chain(listed).collect::<Vec<_>>().join(" · ")
}

/// The word for a choice of a field.
pub fn choice(input: Input, value: &str) -> Option<&'static str> {
    let Input::Choice(choices) = input else { return None };
    choices.iter().find(|(name, _)| *name == value).map(|(_, phrase)| t(*phrase))
}

/// When it is bad: `> 5 %`, `twice as much as the day before`.
pub fn condition(when: &Value, unit: ValueUnit) -> String {
    let side = |path: &str| match text(when, path).as_str() {
        "below" => "↓",
        "either" => "↑↓",
        _ => "↑",
    };
    if let Some(value) = number(when, "above") {
        format!("> {}", shown(unit, value))
    } else if let Some(value) = number(when, "below") {
        format!("< {}", shown(unit, value))
    } else if at(when, "changed").is_some() {
        let than = match text(when, "changed.than").as_str() {
            "last_hour" => tell::LAST_HOUR,
            "last_week" => tell::LAST_WEEK,
            _ => tell::LAST_DAY,
        };
        let times = shown(ValueUnit::Times, number(when, "changed.times").unwrap_or(1.0));
        tf(tell::WHEN_CHANGED, &[("side", side("changed.side")), ("times", &times), ("than", t(than))])
    } else if at(when, "unusual").is_some() {
        let deviations = shown(ValueUnit::None, number(when, "unusual.deviations").unwrap_or(0.0));
        tf(tell::WHEN_UNUSUAL, &[("side", side("unusual.side")), ("n", &deviations)])
    } else {
        String::new()
    }
}

/// How bad and when, the worst first.
pub fn tiers(rule: &Value) -> Vec<(AlertSeverity, String)> {
    let unit = unit_of(at(rule, "measure").unwrap_or(&Value::Null));
    let levels = at(rule, "level").and_then(Value::as_array).into_iter().flatten();
    let tier = |level: &Value| (severity(&text(level, "severity")), condition(&level["when"], unit));
    let mut tiers: Vec<_> = levels.map(tier).collect();
    tiers.sort_by_key(|tier| std::cmp::Reverse(tier.0));
    tiers
}

/// A severity by its spelling.
pub fn severity(name: &str) -> AlertSeverity {
    match name {
        "critical" => AlertSeverity::Critical,
        "info" => AlertSeverity::Info,
        _ => AlertSeverity::Warning,
    }
}

/// A severity in a word.
pub fn severity_word(severity: AlertSeverity) -> &'static str {
    choice(SEVERITIES, severity.name()).unwrap_or_default()
}

/// Glyph and class of a severity: shape and colour.
pub fn severity_glyph(severity: AlertSeverity) -> (&'static str, &'static str) {
    match severity {
        AlertSeverity::Critical => ("◆", "is-err"),
        AlertSeverity::Warning => ("▲", "is-warn"),
        AlertSeverity::Info => ("◇", "is-info"),
    }
}

/// A state in a word.
pub fn state_word(state: AlertState) -> &'static str {
    t(match state {
        AlertState::Normal => tell::STATE_NORMAL,
        AlertState::Pending => tell::STATE_PENDING,
        AlertState::NoData => tell::STATE_NO_DATA,
        AlertState::Error => tell::STATE_ERROR,
        AlertState::Firing => tell::STATE_FIRING,
    })
}

/// What happened, in a word.
pub fn event_word(kind: AlertEventKind) -> &'static str {
    t(match kind {
        AlertEventKind::Pending => tell::EVENT_PENDING,
        AlertEventKind::Firing => tell::EVENT_FIRING,
        AlertEventKind::Severity => tell::EVENT_SEVERITY,
        AlertEventKind::Resolved => tell::EVENT_RESOLVED,
        AlertEventKind::Calmed => tell::EVENT_CALMED,
        AlertEventKind::NoData => tell::EVENT_NO_DATA,
        AlertEventKind::Error => tell::EVENT_ERROR,
        AlertEventKind::Notified => tell::EVENT_NOTIFIED,
        AlertEventKind::Muted => tell::EVENT_MUTED,
        AlertEventKind::Acknowledged => tell::EVENT_ACKNOWLEDGED,
        AlertEventKind::Corrected => tell::EVENT_CORRECTED,
    })
}

/// Why nobody is told, in a few words.
pub fn muted_word(by: MutedBy) -> &'static str {
    t(match by {
        MutedBy::Silence => tell::MUTED_SILENCE,
        MutedBy::Acknowledged => tell::MUTED_ACKNOWLEDGED,
        MutedBy::Callee => tell::MUTED_CALLEE,
        MutedBy::Caller => tell::MUTED_CALLER,
        MutedBy::Inhibited => tell::MUTED_INHIBITED,
        MutedBy::Flapping => tell::MUTED_FLAPPING,
        MutedBy::NoRoute => tell::MUTED_NO_ROUTE,
    })
}

/// Where a rule comes from, in a word.
pub fn origin_word(origin: RuleOrigin) -> &'static str {
    t(match origin {
        RuleOrigin::User => tell::ORIGIN_USER,
        RuleOrigin::BuiltIn => tell::ORIGIN_BUILT_IN,
        RuleOrigin::Slo => tell::ORIGIN_SLO,
        RuleOrigin::File => tell::ORIGIN_FILE,
    })
}

/// What sets an alert apart from the others of its rule: the values of its labels, the telling ones first.
pub fn instance(labels: &std::collections::BTreeMap<String, String>) -> String {
    const FIRST: [&str; 8] = ["service", "operation", "caller", "callee", "host", "error.type", "version", "instance"];
    let first = FIRST.iter().filter_map(|name| labels.get(*name));
    let rest =
        labels.iter().filter(|(name, _)| !FIRST.contains(&name.as_str()) && !is_added(name)).map(|(_, value)| value);
    let all: Vec<&str> = first.chain(rest).map(String::as_str).filter(|value| !value.is_empty()).collect();
    all.join(" · ")
}

/// Labels that say nothing of which instance it is.
fn is_added(name: &str) -> bool {
    matches!(name, "rule" | "severity" | "alertname" | "state")
}

/// Conditions that match this alert alone: its rule and its labels.
pub fn matchers_of(alert: &Alert) -> Vec<String> {
    use orrery_api::alerting::Matcher;
    let labels = alert.labels.iter().filter(|(name, _)| !is_added(name));
    let rule = Matcher::equal("rule", &alert.rule).to_string();
    std::iter::once(rule).chain(labels.map(|(name, value)| Matcher::equal(name, value).to_string())).collect()
}

/// Value and what it is compared with: `52 % > 5 %`.
pub fn compared(alert: &Alert) -> Option<(String, String)> {
    let value = alert.value?;
    let against = alert
        .threshold
        .map(|threshold| format!("{} {}", if value < threshold { "<" } else { ">" }, shown(alert.unit, threshold)));
    Some((shown(alert.unit, value), against.unwrap_or_default()))
}

/// Alerts by rule, in the order of the first of each.
pub fn by_rule<'a>(alerts: &[&'a Alert]) -> Vec<(&'a str, Vec<&'a Alert>)> {
    let mut groups: Vec<(&str, Vec<&Alert>)> = Vec::new();
    for alert in alerts {
        match groups.iter_mut().find(|(rule, _)| *rule == alert.rule) {
            Some((_, group)) => group.push(alert),
            None => groups.push((&alert.rule, vec![alert])),
        }
    }
    groups
}

/// What an objective promises: `99.9 % of the requests to checkout succeed within 300 ms`.
pub fn promise(slo: &Value) -> String {
    let kind = text(slo, "indicator.kind");
    let known = INDICATORS.iter().any(|(name, _)| *name == kind);
    // Objectives are near 1: three digits of what may fail, not of the whole.
    let objective = super::values::write(ValueUnit::Ratio, number(slo, "objective").unwrap_or(0.0));
    let operation = text(slo, "indicator.operation");
    let service = text(slo, "indicator.service");
    let whose = if operation.is_empty() { service } else { format!("{service} {operation}") };
    let words = [
        ("share", objective),
        ("service", whose),
        ("under", shown(ValueUnit::Seconds, number(slo, "indicator.under").unwrap_or(0.0))),
        ("all", text(slo, "indicator.all")),
        ("good", text(slo, "indicator.good")),
    ];
    let words: Vec<(&str, &str)> = words.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let phrase: Phrase = match kind.as_str() {
        "latency" => tell::PROMISE_LATENCY,
        "traces" => tell::PROMISE_TRACES,
        _ => tell::PROMISE_AVAILABILITY,
    };
    if known { tf(phrase, &words) } else { kind }
}

/// What the time machine found, in a sentence.
pub fn replayed(fired: u32, notified: u32, range: &str) -> String {
    let words = [("fired", fired.to_string()), ("told", notified.to_string())];
    let words = [("fired", words[0].1.as_str()), ("told", words[1].1.as_str()), ("range", range)];
    match fired {
        0 => tf(tell::REPLAY_NEVER, &words),
        1 => tf(tell::REPLAY_ONCE, &words),
        _ => tf(tell::REPLAY_TIMES, &words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerting::form;
    use serde_json::json;

    #[test]
    fn rules_say_what_they_watch() {
        for (measure, says) in [
            (
                json!({ "signal": "requests", "figure": "error_ratio", "by": "service" }),
                "share that fails · per service",
            ),
            (
                json!({ "signal": "requests", "figure": "p99", "by": "operation", "service": "cart" }),
                "99th percentile of duration · per operation · cart",
            ),
            (json!({ "signal": "logs", "severity": "error", "text": "oom" }), "Log records · ≥ error · “oom”"),
            (json!({ "signal": "metric", "name": "cpu", "group_by": ["host.name"] }), "Metric · cpu · host.name"),
            (json!({ "signal": "burn", "slo": "checkout" }), "error budget of checkout"),
        ] {
            assert_eq!(watches(&measure), says);
        }
        for signal in &form::SIGNALS {
            assert!(!watches(&form::measure(signal.name)).is_empty(), "{}", signal.name);
        }
    }

    #[test]
    fn conditions_are_said_in_the_unit_of_the_measure() {
        let say = |when: Value, unit| condition(&when, unit).replace('\u{2009}', " ");
        assert_eq!(say(json!({ "above": 0.05 }), ValueUnit::Ratio), "> 5 %");
        assert_eq!(say(json!({ "below": 0.3 }), ValueUnit::Seconds), "< 300 ms");
        assert_eq!(
            say(json!({ "changed": { "side": "below", "than": "last_week", "times": 2.0 } }), ValueUnit::Count),
            "↓ 2 × against a week before"
        );
        assert_eq!(say(json!({ "unusual": { "deviations": 4.0 } }), ValueUnit::Count), "↑ 4 deviations from usual");
        let rule = json!({ "measure": { "signal": "requests", "figure": "error_ratio" }, "level": [
            { "severity": "warning", "when": { "above": 0.01 } }, { "severity": "critical", "when": { "above": 0.1 } }] });
        assert_eq!(
            tiers(&rule).iter().map(|tier| tier.0).collect::<Vec<_>>(),
            [AlertSeverity::Critical, AlertSeverity::Warning]
        );
    }

    #[test]
    fn alerts_are_told_apart_by_their_labels() {
        let alert = Alert {
            rule: "Requests fail".to_owned(),
            labels: [("service", "pay\"ments"), ("team", "money"), ("severity", "critical")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            value: Some(0.52),
            threshold: Some(0.05),
            unit: ValueUnit::Ratio,
            ..Alert::default()
        };
        assert_eq!(instance(&alert.labels), "pay\"ments · money");
        assert_eq!(matchers_of(&alert), [r#"rule="Requests fail""#, r#"service="pay\"ments""#, r#"team="money""#]);
        let (value, against) = compared(&alert).unwrap();
        assert_eq!((value.as_str(), against.as_str()), ("52\u{2009}%", "> 5\u{2009}%"));
        let other = Alert { rule: "Other".to_owned(), ..Alert::default() };
        let groups = by_rule(&[&alert, &other, &alert]);
        assert_eq!(
            groups.iter().map(|(rule, alerts)| (*rule, alerts.len())).collect::<Vec<_>>(),
            [("Requests fail", 2), ("Other", 1)]
        );
    }

    #[test]
    fn objectives_say_what_they_promise() {
        let slo =
            json!({ "objective": 0.999, "indicator": { "kind": "latency", "service": "checkout", "under": 0.3 } });
        assert_eq!(promise(&slo).replace('\u{2009}', " "), "99.9 % of the requests to checkout succeed within 300 ms");
    }
}
