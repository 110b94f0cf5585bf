//! The fields of documents: what they are called, and what may stand in them.

use super::document::put;
use super::values;
use crate::words::{Phrase, tell};
use orrery_api::alerting::{Matcher, Period, ValueUnit};
use serde_json::{Map, Value, json};

/// What may stand in a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Input {
    /// A line.
    Text,
    /// Several lines.
    Lines,
    /// Code in several lines.
    Code,
    /// A whole number.
    Whole,
    /// A number in a unit.
    Number(ValueUnit),
    /// A length of time.
    Period,
    /// One of these.
    Choice(&'static [(&'static str, Phrase)]),
    /// Texts, separated by commas.
    Words,
    /// Conditions on labels, a line each.
    Matchers,
    /// Yes or no.
    Flag,
    /// Taken, and never shown again.
    Secret,
}

/// From what a field completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing.
    Nothing,
    /// Services that were seen.
    Services,
    /// Environments that were seen.
    Environments,
    /// Metrics that were seen.
    Metrics,
    /// Hosts that were seen.
    Hosts,
}

/// A field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field {
    /// Where it stands in the document, below the prefix of the form.
    pub path: &'static str,
    /// What it is called.
    pub name: Phrase,
    /// What may stand in it.
    pub input: Input,
    /// What it says when it is blank.
    pub hint: &'static str,
    /// What it completes from.
    pub from: Known,
    /// The document must have it.
    pub needed: bool,
}

impl Field {
    /// A field that the document must have, if only blank.
    pub const fn needed(self) -> Field {
        Field { needed: true, ..self }
    }
}

const fn field(path: &'static str, name: Phrase, input: Input, hint: &'static str) -> Field {
    Field { path, name, input, hint, from: Known::Nothing, needed: false }
}

/// A field of a form that is no table here.
pub const fn plain(path: &'static str, name: Phrase, input: Input) -> Field {
    field(path, name, input, "")
}

const fn completed(path: &'static str, name: Phrase, hint: &'static str, from: Known) -> Field {
    Field { path, name, input: Input::Text, hint, from, needed: false }
}

const FIGURES: Input = Input::Choice(&[
    ("error_ratio", tell::FIGURE_ERROR_RATIO),
    ("errors", tell::FIGURE_ERRORS),
    ("rate", tell::FIGURE_RATE),
    ("p50", tell::FIGURE_P50),
    ("p90", tell::FIGURE_P90),
    ("p95", tell::FIGURE_P95),
    ("p99", tell::FIGURE_P99),
    ("mean", tell::FIGURE_MEAN),
]);
const CALL_FIGURES: Input = Input::Choice(&[
    ("error_ratio", tell::FIGURE_ERROR_RATIO),
    ("unanswered_ratio", tell::FIGURE_UNANSWERED),
    ("errors", tell::FIGURE_ERRORS),
    ("rate", tell::FIGURE_RATE),
    ("p50", tell::FIGURE_P50),
    ("p95", tell::FIGURE_P95),
    ("p99", tell::FIGURE_P99),
    ("mean", tell::FIGURE_MEAN),
    ("network_p95", tell::FIGURE_NETWORK),
    ("lag_p95", tell::FIGURE_LAG),
]);
const GROUPS: Input = Input::Choice(&[
    ("service", tell::PER_SERVICE),
    ("operation", tell::PER_OPERATION),
    ("version", tell::PER_VERSION),
    ("instance", tell::PER_INSTANCE),
]);
const EDGES: Input = Input::Choice(&[
    ("", tell::ANY),
    ("call", tell::EDGE_CALL),
    ("database", tell::EDGE_DATABASE),
    ("publish", tell::EDGE_PUBLISH),
    ("consume", tell::EDGE_CONSUME),
]);
const LEVELS: Input = Input::Choice(&[
    ("", tell::ANY),
    ("info", tell::LOG_INFO),
    ("warn", tell::LOG_WARN),
    ("error", tell::LOG_ERROR),
    ("fatal", tell::LOG_FATAL),
]);
const AGGREGATIONS: Input = Input::Choice(&[
    ("", tell::WHAT_FITS),
    ("average", tell::AVERAGE),
    ("sum", tell::SUM),
    ("min", tell::LOWEST),
    ("max", tell::HIGHEST),
    ("rate", tell::FIGURE_RATE),
    ("p50", tell::FIGURE_P50),
    ("p95", tell::FIGURE_P95),
    ("p99", tell::FIGURE_P99),
]);

const SERVICE: Field = completed("service", tell::ONLY_SERVICE, "*", Known::Services);
const ENVIRONMENT: Field = completed("environment", tell::ONLY_ENVIRONMENT, "*", Known::Environments);
const LEAST: Field = field("least_requests", tell::LEAST_REQUESTS, Input::Whole, "0");
const ATTRIBUTES: Field = field("attr", tell::ONLY_ATTRIBUTES, Input::Words, "http.route=/cart, tier!=gold");

/// A signal that can be measured.
#[derive(Clone, Copy, Debug)]
pub struct Signal {
    /// As the document calls it.
    pub name: &'static str,
    /// As people call it.
    pub title: Phrase,
    /// What it measures.
    pub about: Phrase,
    /// Icon.
    pub icon: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
}

/// Every signal a rule may measure, the likely ones first. That of objectives is made by them.
pub const SIGNALS: [Signal; 13] = [
    Signal {
        name: "requests",
        title: tell::REQUESTS,
        about: tell::REQUESTS_ABOUT,
        icon: "box",
        fields: &[
            field("figure", tell::FIGURE, FIGURES, ""),
            field("by", tell::ONE_PER, GROUPS, ""),
            SERVICE,
            field("operation", tell::ONLY_OPERATION, Input::Text, "*"),
            ENVIRONMENT,
            LEAST,
        ],
    },
    Signal {
        name: "calls",
        title: tell::CALLS,
        about: tell::CALLS_ABOUT,
        icon: "waypoints",
        fields: &[
            field("figure", tell::FIGURE, CALL_FIGURES, ""),
            completed("caller", tell::ONLY_CALLER, "*", Known::Services),
            completed("callee", tell::ONLY_CALLEE, "*", Known::Services),
            field("kind", tell::ONLY_KIND, EDGES, ""),
            ENVIRONMENT,
            LEAST,
        ],
    },
    Signal {
        name: "errors",
        title: tell::ERRORS,
        about: tell::ERRORS_ABOUT,
        icon: "triangle-alert",
        fields: &[SERVICE, field("types", tell::ONLY_TYPES, Input::Words, "java.net.*, timeout"), ENVIRONMENT],
    },
    Signal {
        name: "new_errors",
        title: tell::NEW_ERRORS,
        about: tell::NEW_ERRORS_ABOUT,
        icon: "triangle-alert",
        fields: &[SERVICE, ENVIRONMENT],
    },
    Signal { name: "new_edges", title: tell::NEW_EDGES, about: tell::NEW_EDGES_ABOUT, icon: "waypoints", fields: &[ENVIRONMENT] },
    Signal { name: "silent", title: tell::SILENT, about: tell::SILENT_ABOUT, icon: "radio", fields: &[SERVICE, ENVIRONMENT] },
    Signal { name: "traces", title: tell::TRACES, about: tell::TRACES_ABOUT, icon: "chart-gantt", fields: &[] },
    Signal {
        name: "logs",
        title: tell::LOGS,
        about: tell::LOGS_ABOUT,
        icon: "logs",
        fields: &[
            SERVICE,
            field("severity", tell::LEVEL_OR_WORSE, LEVELS, ""),
            field("text", tell::CONTAINS, Input::Text, "out of memory"),
            ATTRIBUTES,
        ],
    },
    Signal {
        name: "new_log_patterns",
        title: tell::NEW_PATTERNS,
        about: tell::NEW_PATTERNS_ABOUT,
        icon: "logs",
        fields: &[SERVICE, field("severity", tell::LEVEL_OR_WORSE, LEVELS, "")],
    },
    Signal {
        name: "metric",
        title: tell::METRIC,
        about: tell::METRIC_ABOUT,
        icon: "chart-line",
        fields: &[
            completed("name", tell::METRIC_NAME, "process.cpu.utilization", Known::Metrics).needed(),
            field("aggregation", tell::AGGREGATION, AGGREGATIONS, ""),
            field("group_by", tell::GROUP_BY, Input::Words, "service.name, host.name"),
            SERVICE,
            ATTRIBUTES,
        ],
    },
    Signal {
        name: "hosts",
        title: tell::HOSTS,
        about: tell::HOSTS_ABOUT,
        icon: "server",
        fields: &[completed("host", tell::ONLY_HOST, "*", Known::Hosts)],
    },
    Signal {
        name: "sql",
        title: tell::SQL,
        about: tell::SQL_ABOUT,
        icon: "database",
        fields: &[field(
            "statement",
            tell::STATEMENT,
            Input::Code,
            "SELECT service_name AS service, count(*) AS value\nFROM spans\nWHERE status = 'error' AND start_time_unix_nano >= $from AND start_time_unix_nano < $to\nGROUP BY ALL",
        )
        .needed()],
    },
    Signal {
        name: "heartbeat",
        title: tell::HEARTBEAT,
        about: tell::HEARTBEAT_ABOUT,
        icon: "heart-pulse",
        fields: &[field("name", tell::HEARTBEAT_NAME, Input::Text, "nightly-backup").needed()],
    },
];

/// The signal of a measure.
pub fn signal(name: &str) -> Option<&'static Signal> {
    SIGNALS.iter().find(|signal| signal.name == name)
}

/// A measure to begin with.
pub fn measure(signal: &str) -> Value {
    match signal {
        "requests" => json!({ "signal": signal, "figure": "error_ratio", "by": "service", "least_requests": 20 }),
        "calls" => json!({ "signal": signal, "figure": "error_ratio", "least_requests": 20 }),
        "traces" => json!({ "signal": signal, "q": "{ status = error } | rate() by (resource.service.name)" }),
        "metric" => json!({ "signal": signal, "name": "" }),
        "sql" => json!({ "signal": signal, "statement": "" }),
        "heartbeat" => json!({ "signal": signal, "name": "" }),
        _ => json!({ "signal": signal }),
    }
}

/// A threshold to begin with.
pub fn threshold(measure: &Value) -> f64 {
    match (super::document::text(measure, "signal").as_str(), values::unit_of(measure)) {
        ("silent" | "hosts", _) => 300.0,
        ("heartbeat", _) => 90_000.0,
        (_, ValueUnit::Ratio) => 0.05,
        (_, ValueUnit::Seconds) => 1.0,
        ("new_errors" | "new_edges" | "new_log_patterns", _) => 0.0,
        (_, ValueUnit::Count) => 10.0,
        _ => 1.0,
    }
}

/// A rule to begin with, about a signal.
pub fn rule(signal: &str) -> Value {
    let measure = measure(signal);
    let above = threshold(&measure);
    json!({
        "name": "", "measure": measure, "window": "1m", "every": "10s", "for": "30s",
        "level": [{ "severity": "warning", "when": { "above": above } }],
    })
}

/// How bad.
pub const SEVERITIES: Input =
    Input::Choice(&[("critical", tell::CRITICAL), ("warning", tell::WARNING), ("info", tell::INFO)]);
/// When a value is bad.
pub const CONDITIONS: [(&str, Phrase); 4] =
    [("above", tell::ABOVE), ("below", tell::BELOW), ("changed", tell::CHANGED), ("unusual", tell::UNUSUAL)];
const SIDES: Input =
    Input::Choice(&[("above", tell::SIDE_ABOVE), ("below", tell::SIDE_BELOW), ("either", tell::SIDE_EITHER)]);
const PASTS: Input =
    Input::Choice(&[("last_hour", tell::LAST_HOUR), ("last_day", tell::LAST_DAY), ("last_week", tell::LAST_WEEK)]);
const SEASONS: Input =
    Input::Choice(&[("recent", tell::SEASON_RECENT), ("day", tell::SEASON_DAY), ("week", tell::SEASON_WEEK)]);
/// What happens without values.
pub const ABSENCES: Input =
    Input::Choice(&[("keep", tell::ABSENT_KEEP), ("ok", tell::ABSENT_OK), ("alert", tell::ABSENT_ALERT)]);

/// Fields of a condition; thresholds are in a unit.
pub fn condition(kind: &str, unit: ValueUnit) -> Vec<Field> {
    let number = |path, name| Field { input: Input::Number(unit), ..field(path, name, Input::Text, "") };
    let times = |path, name| Field { input: Input::Number(ValueUnit::Times), ..field(path, name, Input::Text, "2") };
    match kind {
        "above" => vec![number("when.above", tell::THRESHOLD)],
        "below" => vec![number("when.below", tell::THRESHOLD)],
        "changed" => vec![
            field("when.changed.side", tell::SIDE, SIDES, ""),
            times("when.changed.times", tell::BY_TIMES),
            field("when.changed.than", tell::THAN, PASTS, ""),
            number("when.changed.by", tell::AND_BY),
        ],
        _ => vec![
            field("when.unusual.side", tell::SIDE, SIDES, ""),
            field("when.unusual.deviations", tell::DEVIATIONS, Input::Number(ValueUnit::None), "4"),
            field("when.unusual.season", tell::SEASON, SEASONS, ""),
            times("when.unusual.times", tell::AND_TIMES),
            number("when.unusual.by", tell::AND_BY),
        ],
    }
}

/// A condition to begin with.
pub fn condition_of(kind: &str, value: f64) -> Value {
    match kind {
        "above" => json!({ "above": value }),
        "below" => json!({ "below": value }),
        "changed" => json!({ "changed": { "side": "above", "than": "last_day", "times": 2.0, "by": 0.0 } }),
        _ => json!({ "unusual": { "side": "above", "season": "recent", "deviations": 4.0, "times": 1.5, "by": 0.0 } }),
    }
}

/// A kind of channel.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// As the document calls it.
    pub name: &'static str,
    /// A proper name.
    pub title: Phrase,
    /// What it takes.
    pub about: Phrase,
    /// Its fields, below `to`.
    pub fields: &'static [Field],
}

/// Every kind of channel.
pub const CHANNELS: [Kind; 9] = [
    Kind {
        name: "email",
        title: tell::EMAIL,
        about: tell::EMAIL_ABOUT,
        fields: &[
            field("to.to", tell::MAIL_TO, Input::Words, "on-call@example.com"),
            field("to.from", tell::MAIL_FROM, Input::Text, "Orrery <orrery@example.com>").needed(),
            field("to.host", tell::MAIL_HOST, Input::Text, "smtp.example.com").needed(),
            field(
                "to.tls",
                tell::MAIL_TLS,
                Input::Choice(&[
                    ("starttls", tell::TLS_STARTTLS),
                    ("implicit", tell::TLS_IMPLICIT),
                    ("none", tell::TLS_NONE),
                ]),
                "",
            ),
            field("to.port", tell::MAIL_PORT, Input::Whole, "587"),
            field("to.user", tell::MAIL_USER, Input::Text, ""),
            field("to.password", tell::MAIL_PASSWORD, Input::Secret, ""),
        ],
    },
    Kind {
        name: "slack",
        title: tell::SLACK,
        about: tell::SLACK_ABOUT,
        fields: &[field("to.url", tell::WEBHOOK_URL, Input::Secret, "https://hooks.slack.com/services/…")],
    },
    Kind {
        name: "teams",
        title: tell::TEAMS,
        about: tell::TEAMS_ABOUT,
        fields: &[field("to.url", tell::WEBHOOK_URL, Input::Secret, "https://…/workflows/…")],
    },
    Kind {
        name: "webhook",
        title: tell::WEBHOOK,
        about: tell::WEBHOOK_ABOUT,
        fields: &[
            field("to.url", tell::URL, Input::Text, "https://example.com/alerts").needed(),
            field("to.secret", tell::SIGNING_SECRET, Input::Secret, ""),
        ],
    },
    Kind {
        name: "pagerduty",
        title: tell::PAGERDUTY,
        about: tell::PAGERDUTY_ABOUT,
        fields: &[
            field("to.routing_key", tell::ROUTING_KEY, Input::Secret, ""),
            field("to.url", tell::OTHER_URL, Input::Text, "https://events.pagerduty.com/v2/enqueue"),
        ],
    },
    Kind {
        name: "opsgenie",
        title: tell::OPSGENIE,
        about: tell::OPSGENIE_ABOUT,
        fields: &[
            field("to.api_key", tell::API_KEY, Input::Secret, ""),
            field("to.url", tell::OTHER_URL, Input::Text, "https://api.eu.opsgenie.com"),
        ],
    },
    Kind {
        name: "telegram",
        title: tell::TELEGRAM,
        about: tell::TELEGRAM_ABOUT,
        fields: &[
            field("to.token", tell::BOT_TOKEN, Input::Secret, "123456:ABC…"),
            field("to.chat_id", tell::CHAT_ID, Input::Text, "-1001234567890").needed(),
            field("to.url", tell::OTHER_URL, Input::Text, "https://api.telegram.org"),
        ],
    },
    Kind {
        name: "ntfy",
        title: tell::NTFY,
        about: tell::NTFY_ABOUT,
        fields: &[
            field("to.topic", tell::TOPIC, Input::Text, "alerts").needed(),
            field("to.url", tell::OTHER_URL, Input::Text, "https://ntfy.sh"),
            field("to.token", tell::ACCESS_TOKEN, Input::Secret, ""),
        ],
    },
    Kind {
        name: "alertmanager",
        title: tell::ALERTMANAGER,
        about: tell::ALERTMANAGER_ABOUT,
        fields: &[field("to.url", tell::URL, Input::Text, "http://alertmanager:9093").needed()],
    },
];

/// A channel to begin with.
pub fn channel(kind: &str) -> Value {
    let mut to = Map::new();
    to.insert("kind".to_owned(), json!(kind));
    let needed: &[(&str, Value)] = match kind {
        "email" => &[("host", json!("")), ("from", json!("")), ("to", json!([])), ("tls", json!("starttls"))],
        "webhook" | "alertmanager" => &[("url", json!(""))],
        "telegram" => &[("chat_id", json!(""))],
        "ntfy" => &[("topic", json!(""))],
        _ => &[],
    };
    to.extend(needed.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    json!({ "name": "", "to": to })
}

/// Fields of a route.
pub const ROUTE: [Field; 8] = [
    field("name", tell::NAME, Input::Text, "payments").needed(),
    field("match", tell::MATCHERS, Input::Matchers, "severity=\"critical\"\nservice=~\"pay.*\""),
    field("channels", tell::TO_CHANNELS, Input::Words, ""),
    field("group_by", tell::MESSAGE_PER, Input::Words, "rule, service"),
    field("group_wait", tell::GROUP_WAIT, Input::Period, "10s"),
    field("group_interval", tell::GROUP_INTERVAL, Input::Period, "1m"),
    field("repeat_interval", tell::REPEAT_INTERVAL, Input::Period, "4h"),
    field("continue", tell::CONTINUES, Input::Flag, ""),
];

/// Fields of an inhibition.
pub const INHIBITION: [Field; 3] = [
    field("source", tell::WHILE_TOLD, Input::Matchers, "severity=\"critical\""),
    field("target", tell::MUTE_THOSE, Input::Matchers, "severity=~\"warning|info\""),
    field("equal", tell::WITH_SAME, Input::Words, "service"),
];

/// An inhibition to begin with.
pub fn inhibition() -> Value {
    json!({ "source": ["severity=\"critical\""], "target": ["severity=~\"warning|info\""], "equal": ["service"] })
}

/// A route to begin with.
pub fn route() -> Value {
    json!({ "name": "", "match": [], "channels": [], "group_by": ["rule"], "group_wait": "10s", "group_interval": "1m", "repeat_interval": "4h" })
}

/// What an objective is about.
pub const INDICATORS: [(&str, Phrase); 3] =
    [("availability", tell::AVAILABILITY), ("latency", tell::FAST_ENOUGH), ("traces", tell::SPANS_FOUND)];

const WHOSE: Field = completed("indicator.service", tell::SERVICE, "checkout", Known::Services).needed();
const WHICH: Field = field("indicator.operation", tell::ONLY_OPERATION, Input::Text, "*");
const WHERE: Field = completed("indicator.environment", tell::ONLY_ENVIRONMENT, "*", Known::Environments);

const UNDER: Field = field("indicator.under", tell::UNDER, Input::Number(ValueUnit::Seconds), "300 ms");
const COUNTS: Field =
    field("indicator.all", tell::WHAT_COUNTS, Input::Code, "{ resource.service.name = \"checkout\" && kind = server }")
        .needed();
const GOOD: Field =
    field("indicator.good", tell::WHAT_IS_GOOD, Input::Code, "{ status != error && duration < 300ms }").needed();

/// Fields of what an objective is about.
pub fn indicator(kind: &str) -> &'static [Field] {
    const AVAILABILITY: &[Field] = &[WHOSE, WHICH, WHERE];
    const LATENCY: &[Field] = &[WHOSE, UNDER, WHICH, WHERE];
    const TRACES: &[Field] = &[COUNTS, GOOD];
    match kind {
        "latency" => LATENCY,
        "traces" => TRACES,
        _ => AVAILABILITY,
    }
}

/// An objective to begin with, about something.
pub fn slo(kind: &str) -> Value {
    let indicator = match kind {
        "latency" => json!({ "kind": kind, "service": "", "under": 0.3 }),
        "traces" => json!({ "kind": kind, "all": "{ kind = server }", "good": "{ status != error }" }),
        _ => json!({ "kind": "availability", "service": "" }),
    };
    json!({ "name": "", "indicator": indicator, "objective": 0.999, "period": "28d", "alerts": true })
}

/// What is written is not a value yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotYet;

/// What somebody wrote into a field: a value, or nothing.
///
/// # Errors
/// It is not a value yet: the document stays as it was.
pub fn read(input: Input, written: &str) -> Result<Option<Value>, NotYet> {
    let text = written.trim();
    let listed = |parts: Vec<Value>| Ok(Some(Value::Array(parts)));
    let words = |separator: char| text.split(separator).map(str::trim).filter(|word| !word.is_empty());
    match input {
        Input::Words => listed(words(',').map(Value::from).collect()),
        Input::Matchers => {
            let matchers: Result<Vec<Matcher>, _> = words('\n').map(str::parse::<Matcher>).collect();
            listed(matchers.map_err(|_| NotYet)?.iter().map(|matcher| json!(matcher.to_string())).collect())
        }
        Input::Lines | Input::Code if !text.is_empty() => Ok(Some(json!(written.trim_end()))),
        _ if text.is_empty() => Ok(None),
        Input::Flag => Ok((text == "true").then_some(Value::Bool(true))),
        Input::Whole => text.parse::<u32>().map(|number| Some(json!(number))).map_err(|_| NotYet),
        Input::Number(unit) => values::read(unit, text).map(|number| Some(json!(number))).ok_or(NotYet),
        Input::Period => text.replace(' ', "").parse::<Period>().map(|period| Some(json!(period))).map_err(|_| NotYet),
        _ => Ok(Some(json!(text))),
    }
}

/// What stands in a field for a value.
pub fn write(input: Input, value: Option<&Value>) -> String {
    let joined =
        |items: &Vec<Value>, between: &str| items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(between);
    match (input, value) {
        (Input::Words, Some(Value::Array(items))) => joined(items, ", "),
        (Input::Matchers, Some(Value::Array(items))) => joined(items, "\n"),
        (Input::Number(unit), Some(Value::Number(number))) => {
            number.as_f64().map(|number| values::write(unit, number)).unwrap_or_default()
        }
        (_, Some(Value::String(text))) => text.clone(),
        (_, Some(value @ (Value::Number(_) | Value::Bool(_)))) => value.to_string(),
        _ => String::new(),
    }
}

/// Takes away what was left blank where only something may stand: the rest of a document is the default.
pub fn tidy(document: &Value) -> Value {
    let mut tidy = document.clone();
    if let Some(fields) = tidy.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    if super::document::text(&tidy, "description").trim().is_empty() {
        put(&mut tidy, "description", None);
    }
    tidy
}

#[cfg(test)]
mod tests {
    use super::*;
    use orrery_api::alerting::{Channel, Inhibition, Route, Rule, Slo};

    #[test]
    fn whatever_one_begins_with_is_a_document() {
        for signal in &SIGNALS {
            let read: Rule =
                serde_json::from_value(rule(signal.name)).unwrap_or_else(|error| panic!("{}: {error}", signal.name));
            assert_eq!(serde_json::to_value(&read.measure).unwrap()["signal"], signal.name);
        }
        for kind in &CHANNELS {
            let read: Channel =
                serde_json::from_value(channel(kind.name)).unwrap_or_else(|error| panic!("{}: {error}", kind.name));
            assert_eq!(read.to.name(), kind.name);
        }
        for (kind, _) in INDICATORS {
            let _: Slo = serde_json::from_value(slo(kind)).unwrap_or_else(|error| panic!("{kind}: {error}"));
        }
        let _: Route = serde_json::from_value(route()).unwrap();
        let _: Inhibition = serde_json::from_value(inhibition()).unwrap();
    }

    /// Something that may stand in a field, as it is written there.
    fn example(field: &Field) -> String {
        match field.input {
            Input::Choice(choices) => choices.last().unwrap().0.to_owned(),
            Input::Whole => "25".to_owned(),
            Input::Number(unit) => values::write(unit, 0.5),
            Input::Period => "90s".to_owned(),
            Input::Flag => "true".to_owned(),
            Input::Matchers => "service=\"a\"".to_owned(),
            _ => "a".to_owned(),
        }
    }

    fn filled(mut document: Value, prefix: &str, fields: &[Field]) -> Value {
        for field in fields {
            let value = read(field.input, &example(field)).unwrap();
            assert_eq!(write(field.input, value.as_ref()).replace("1m30s", "90s"), example(field), "{}", field.path);
            put(&mut document, &format!("{prefix}{}", field.path), value);
        }
        document
    }

    #[test]
    fn every_field_is_one_of_the_document() {
        for signal in &SIGNALS {
            let document = filled(rule(signal.name), "measure.", signal.fields);
            let read: Result<Rule, _> = serde_json::from_value(document);
            assert!(read.is_ok(), "{}: {read:?}", signal.name);
        }
        for kind in &CHANNELS {
            let read: Result<Channel, _> = serde_json::from_value(filled(channel(kind.name), "", kind.fields));
            assert!(read.is_ok(), "{}: {read:?}", kind.name);
        }
        for (kind, _) in INDICATORS {
            let read: Result<Slo, _> = serde_json::from_value(filled(slo(kind), "", indicator(kind)));
            assert!(read.is_ok(), "{kind}: {read:?}");
        }
        let read: Result<Route, _> = serde_json::from_value(filled(route(), "", &ROUTE));
        assert!(read.is_ok(), "{read:?}");
        let read: Result<Inhibition, _> = serde_json::from_value(filled(inhibition(), "", &INHIBITION));
        assert!(read.is_ok(), "{read:?}");
        for (kind, _) in CONDITIONS {
            let mut document = rule("requests");
            document["level"][0]["when"] = condition_of(kind, 0.5);
            let document = filled(document, "level.0.", &condition(kind, ValueUnit::Ratio));
            let read: Result<Rule, _> = serde_json::from_value(document);
            assert!(read.is_ok(), "{kind}: {read:?}");
        }
    }

    #[test]
    fn what_is_not_yet_a_value_changes_nothing() {
        for (input, wrong) in [
            (Input::Whole, "-1"),
            (Input::Period, "5"),
            (Input::Matchers, "service"),
            (Input::Number(ValueUnit::Ratio), "much"),
        ] {
            assert_eq!(read(input, wrong), Err(NotYet), "{wrong}");
        }
        assert_eq!(read(Input::Text, "  "), Ok(None));
        assert_eq!(read(Input::Words, ""), Ok(Some(json!([]))));
    }
}
