//! What documents and alerts mean, in a sentence.

use super::document::{at, text, words};
use super::form::{INDICATORS, Input, SEVERITIES, signal};
use super::values::{number, shown, unit_of};
use crate::words::{Phrase, t, tell, tf};
use orrery_api::alerting::{
    Alert, AlertEventKind, AlertSeverity, AlertState, HotEdge, MutedBy, RuleOrigin, Saying, Usual, UsualKind, ValueUnit,
};
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

/// What an alert says, in the reader's language: `52 % of the requests to payments fail, more than 5 %`. The server's
/// sentence where it says no more than that.
pub fn summary(alert: &Alert) -> String {
    match &alert.says {
        _ if alert.state == AlertState::Error => t(tell::SAY_FAILS).to_owned(),
        Some(says) => said(alert, says),
        None if alert.summary.is_empty() => instance(&alert.labels),
        None => alert.summary.clone(),
    }
}

fn said(alert: &Alert, says: &Saying) -> String {
    let label = |name: &str| alert.labels.get(name).map_or("", String::as_str);
    let listed = |names: &[&str]| {
        let values: Vec<&str> = names.iter().map(|name| label(name)).filter(|value| !value.is_empty()).collect();
        values.join(" · ")
    };
    let version = if label("version").is_empty() { "instance" } else { "version" };
    let whom = match says.signal.as_str() {
        "requests" => listed(&["service", "operation", version]),
        "hosts" => label("host").to_owned(),
        _ => label("service").to_owned(),
    };
    let Some(value) = alert.value else {
        return if whom.is_empty() {
            t(tell::SAY_NO_VALUES).to_owned()
        } else {
            tf(tell::SAY_NO_VALUES_FOR, &[("whom", &whom)])
        };
    };
    let (phrase, n) = sentence(says);
    let size = shown(alert.unit, value);
    let words = [
        ("whom", whom.as_str()),
        ("size", &size),
        ("n", n),
        ("caller", label("caller")),
        ("callee", label("callee")),
        ("type", label("error.type")),
        ("name", &says.name),
    ];
    let mut what = tf(phrase, &words);
    if matches!(says.signal.as_str(), "metric" | "traces" | "sql") && !alert.labels.is_empty() {
        let labels = alert.labels.iter().filter(|(name, _)| !is_added(name));
        let labels: Vec<String> = labels.map(|(name, value)| format!("{name}={value}")).collect();
        what += &format!(" ({})", labels.join(", "));
    }
    let is_beyond = |limit: &f64| if says.is_less { value < *limit } else { value > *limit };
    match alert.threshold.filter(is_beyond) {
        Some(limit) => {
            let phrase = if says.is_less { tell::SAY_LESS } else { tell::SAY_MORE };
            tf(phrase, &[("what", &what), ("limit", &shown(alert.unit, limit))])
        }
        None => what,
    }
}

/// The sentence of a signal and figure, and of how many one is worse.
fn sentence(says: &Saying) -> (Phrase, &'static str) {
    let phrase = match (says.signal.as_str(), says.figure.as_str()) {
        ("requests", "p90") => return (tell::SAY_REQUESTS_ONE_IN, "10"),
        ("requests", "p95") => return (tell::SAY_REQUESTS_ONE_IN, "20"),
        ("requests", "p99") => return (tell::SAY_REQUESTS_ONE_IN, "100"),
        ("requests", "rate") => tell::SAY_REQUESTS_RATE,
        ("requests", "errors") => tell::SAY_REQUESTS_ERRORS,
        ("requests", "mean") => tell::SAY_REQUESTS_MEAN,
        ("requests", "p50") => tell::SAY_REQUESTS_HALF,
        ("requests", _) => tell::SAY_REQUESTS_RATIO,
        ("calls", "p95") => return (tell::SAY_CALLS_ONE_IN, "20"),
        ("calls", "p99") => return (tell::SAY_CALLS_ONE_IN, "100"),
        ("calls", "rate") => tell::SAY_CALLS_RATE,
        ("calls", "errors") => tell::SAY_CALLS_ERRORS,
        ("calls", "unanswered_ratio") => tell::SAY_CALLS_UNANSWERED,
        ("calls", "mean") => tell::SAY_CALLS_MEAN,
        ("calls", "p50") => tell::SAY_CALLS_HALF,
        ("calls", "network_p95") => tell::SAY_CALLS_NETWORK,
        ("calls", "lag_p95") => tell::SAY_CALLS_LAG,
        ("calls", _) => tell::SAY_CALLS_RATIO,
        ("errors", _) => tell::SAY_ERRORS,
        ("new_errors", _) => tell::SAY_NEW_ERRORS,
        ("new_edges", _) => tell::SAY_NEW_EDGES,
        ("silent", _) => tell::SAY_SILENT,
        ("logs", _) => tell::SAY_LOGS,
        ("new_log_patterns", _) => tell::SAY_NEW_PATTERNS,
        ("hosts", _) => tell::SAY_HOSTS,
        ("heartbeat", _) => tell::SAY_HEARTBEAT,
        ("burn", _) => tell::SAY_BURN,
        ("metric", _) => tell::SAY_METRIC,
        _ => tell::SAY_VALUE,
    };
    (phrase, "")
}

/// The worst edge on the way: `orders → payments: 52 % of 14/s fail`.
pub fn hottest(edge: &HotEdge) -> String {
    let (phrase, size) = match edge.p95 {
        Some(p95) => (tell::HOT_LATE, shown(ValueUnit::Seconds, p95)),
        None => (tell::HOT_FAILING, shown(ValueUnit::Ratio, edge.failed.unwrap_or(0.0))),
    };
    let rate = shown(ValueUnit::PerSecond, edge.rate);
    tf(phrase, &[("caller", &edge.caller), ("callee", &edge.callee), ("rate", &rate), ("size", &size)])
}

/// What was looked at and is as usual.
pub fn as_usual(usual: &Usual) -> String {
    let (phrase, unit) = match usual.what {
        UsualKind::Traffic => (tell::USUAL_TRAFFIC, ValueUnit::PerSecond),
        UsualKind::Duration => (tell::USUAL_DURATION, ValueUnit::Seconds),
        UsualKind::Errors => (tell::USUAL_ERRORS, ValueUnit::Ratio),
        UsualKind::Callees => return tf(tell::USUAL_CALLEES, &[("names", &usual.callees.join(", "))]),
    };
    tf(phrase, &[("node", &usual.node), ("size", &shown(unit, usual.value.unwrap_or(0.0)))])
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
    fn alerts_are_said_as_the_server_says_them() {
        let say = |signal: &str, figure: &str, unit, value: Option<f64>, is_less| {
            let labels = [("service", "payments"), ("caller", "orders"), ("callee", "bank")];
            let alert = Alert {
                says: Some(Saying { signal: signal.into(), figure: figure.into(), name: "x".into(), is_less }),
                labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
                threshold: Some(0.05),
                value,
                unit,
                ..Alert::default()
            };
            summary(&alert).replace('\u{2009}', " ")
        };
        let ratio = ValueUnit::Ratio;
        assert_eq!(
            say("requests", "error_ratio", ratio, Some(0.52), false),
            "52 % of the requests to payments fail, more than 5 %"
        );
        assert_eq!(say("requests", "error_ratio", ratio, Some(0.01), false), "1 % of the requests to payments fail");
        assert_eq!(
            say("requests", "p99", ValueUnit::Seconds, Some(0.01), true),
            "1 in 100 requests to payments takes over 10 ms, less than 50 ms"
        );
        assert_eq!(
            say("calls", "unanswered_ratio", ratio, Some(0.04), false),
            "4 % of the calls from orders to bank get no answer"
        );
        assert_eq!(say("requests", "error_ratio", ratio, None, false), "no values for payments");
        for signal in form::SIGNALS.iter().map(|signal| signal.name).chain(["burn"]) {
            let said = say(signal, "", ValueUnit::Count, Some(0.0), false);
            assert!(!said.contains('{'), "{signal}: {said}");
        }
        let alone = Alert { summary: "as it is".to_owned(), ..Alert::default() };
        assert_eq!(summary(&alone), "as it is");
    }

    #[test]
    fn objectives_say_what_they_promise() {
        let slo =
            json!({ "objective": 0.999, "indicator": { "kind": "latency", "service": "checkout", "under": 0.3 } });
        assert_eq!(promise(&slo).replace('\u{2009}', " "), "99.9 % of the requests to checkout succeed within 300 ms");
    }
}
