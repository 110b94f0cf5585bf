//! One good document, many ways to spoil it.

use super::*;
use orrery_api::alerting::{AlertingFile, Channel, Inhibition, Route, Rule, Silence, Slo};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// `good` with changes: each replaces what is at a pointer, or takes it away if it is null.
fn spoiled<T: DeserializeOwned>(good: &Value, at: &str, with: Value) -> T {
    let mut value = good.clone();
    let (parent, key) = at.rsplit_once('/').unwrap();
    let parent = value.pointer_mut(parent).unwrap_or_else(|| panic!("{at}"));
    match (parent, with) {
        (Value::Object(map), Value::Null) => _ = map.remove(key),
        (Value::Object(map), with) => _ = map.insert(key.to_owned(), with),
        (Value::Array(list), with) => list[key.parse::<usize>().unwrap()] = with,
        _ => panic!("{at}"),
    }
    serde_json::from_value(value).unwrap_or_else(|error| panic!("{at}: {error}"))
}

fn check_wrong<T: DeserializeOwned>(
    good: &Value,
    check: impl Fn(&T) -> Result<(), Wrong>,
    cases: &[(&str, Value, &str, &str)],
) {
    check(&serde_json::from_value(good.clone()).unwrap()).unwrap();
    for (at, with, field, says) in cases {
        let wrong = check(&spoiled(good, at, with.clone()));
        let Err(wrong) = wrong else { panic!("{at} = {with} is taken") };
        assert_eq!(wrong.field, *field, "{at} = {with}: {wrong}");
        assert!(wrong.detail.contains(says), "{at} = {with}: {wrong}");
    }
}

fn good_rule() -> Value {
    json!({
        "name": "checkout fails",
        "measure": { "signal": "requests", "figure": "error_ratio", "service": "checkout" },
        "window": "5m",
        "every": "10s",
        "level": [
            { "severity": "warning", "when": { "above": 0.05 }, "recover": 0.01 },
            { "severity": "critical", "when": { "above": 0.5 }, "for": "1m" },
        ],
        "for": "2m",
        "labels": { "team": "shop" },
    })
}

#[test]
fn rules() {
    let guard = |measure: Value| json!([{ "measure": measure, "when": { "above": 1 } }]);
    let silent = || json!({ "signal": "silent" });
    let guards = || json!(vec![guard(silent())[0].clone(); 5]);
    check_wrong::<Rule>(
        &good_rule(),
        rule,
        &[
            ("/name", json!(""), "name", "1 to 100"),
            ("/name", json!("x".repeat(101)), "name", "1 to 100"),
            ("/name", json!("a\nb"), "name", "one line"),
            ("/name", json!(" a"), "name", "blank"),
            ("/description", json!("\u{1b}[31m"), "description", "control"),
            ("/window", json!("15s"), "window", "`20s`"),
            ("/window", json!("8d"), "window", "7d"),
            ("/window", json!("0s"), "window", "10s"),
            ("/every", json!("25s"), "every", "`30s`"),
            ("/every", json!("10m"), "every", "at most `5m`"),
            ("/for", json!("31d"), "for", "30d"),
            ("/max_wait", json!("2h"), "max_wait", "1h"),
            ("/level", json!([]), "level", "1 to 3"),
            ("/level/1/severity", json!("warning"), "level[1].severity", "one per severity"),
            ("/level/1/when", json!({ "above": 0.01 }), "level[1].when.above", "more than 0.05"),
            ("/level/0/recover", json!(0.06), "level[0].recover", "at most 0.05"),
            ("/level/1/for", json!("40d"), "level[1].for", "30d"),
            ("/level/0/when", json!({ "below": 0.05 }), "level[0].recover", "at least 0.05"),
            (
                "/level/1/when",
                json!({ "changed": { "than": "last_week", "times": 1 } }),
                "level[1].when.changed.times",
                "more than 1",
            ),
            (
                "/level/1/when",
                json!({ "unusual": { "deviations": 0.5 } }),
                "level[1].when.unusual.deviations",
                "1 or more",
            ),
            (
                "/level/0/when",
                json!({ "unusual": { "deviations": 3, "by": -1 } }),
                "level[0].when.unusual.by",
                "0 or more",
            ),
            ("/only_if", guards(), "only_if", "at most 4"),
            ("/unless", guard(json!({ "signal": "traces", "q": "{" })), "unless[0].measure.q", "character"),
            ("/least", json!({ "times": 3, "of": 61 }), "least.of", "1 to 60"),
            ("/least", json!({ "times": 6, "of": 5 }), "least.times", "1 to 5"),
            ("/least", json!({ "times": 3, "of": 5 }), "least", "instead of `for`"),
            ("/no_data", json!({ "then": "alert", "after": "60d" }), "no_data.after", "30d"),
            ("/labels", json!({ "severity": "x" }), "labels.severity", "another name"),
            ("/labels", json!({ "a b": "x" }), "labels.a b", "no name of a label"),
        ],
    );
    let unusual = spoiled::<Rule>(
        &good_rule(),
        "/level",
        json!([{ "severity": "info", "when": { "unusual": { "deviations": 4 } }, "recover": 2 }]),
    );
    assert_eq!(rule(&unusual).unwrap_err().field, "level[0].recover");
    // What has no window may be judged as seldom as one likes.
    let heartbeat = json!({ "signal": "heartbeat", "name": "backup" });
    let mut seldom = spoiled::<Rule>(&good_rule(), "/measure", heartbeat);
    seldom.every = Period::hours(1);
    rule(&seldom).unwrap();
}

#[test]
fn measures() {
    let traces = |q: &str| json!({ "signal": "traces", "q": q });
    let calls = |kind: &str| json!({ "signal": "calls", "figure": "p95", "kind": kind });
    let metric = |aggregation: &str| json!({ "signal": "metric", "name": "m", "aggregation": aggregation });
    check_wrong::<Rule>(
        &good_rule(),
        rule,
        &[
            ("/measure/service", json!(""), "measure.service", "leave the field out"),
            ("/measure", calls("http"), "measure.kind", "database"),
            ("/measure", json!({ "signal": "errors", "types": ["a*b"] }), "measure.types[0]", "at the end"),
            ("/measure", traces("{ status = error }"), "measure.q", "rate()"),
            ("/measure", traces("{ status = eror } | rate()"), "measure.q", "at character"),
            ("/measure", traces("{ name =~ \"(\" } | rate()"), "measure.q", "at character"),
            ("/measure", traces("{ } | compare({ status = error })"), "measure.q", "compare()"),
            ("/measure", traces("{ } | histogram_over_time(duration)"), "measure.q", "quantile_over_time"),
            ("/measure", json!({ "signal": "logs", "severity": "bad" }), "measure.severity", "warn"),
            ("/measure", json!({ "signal": "logs", "attr": ["a"] }), "measure.attr[0]", "key=value"),
            ("/measure", metric("p101"), "measure.aggregation", "p95"),
            ("/measure", metric("avgs"), "measure.aggregation", "average"),
            ("/measure", json!({ "signal": "metric", "name": "" }), "measure.name", "name of a metric"),
            ("/measure", json!({ "signal": "sql", "statement": " " }), "measure.statement", "SELECT"),
            ("/measure", json!({ "signal": "sql", "statement": "SELECT 1" }), "measure.statement", "`value`"),
            ("/measure", json!({ "signal": "heartbeat", "name": "" }), "measure.name", "1 to 100"),
            ("/measure", json!({ "signal": "burn", "slo": "s", "short": "5m" }), "measure.short", "less than 5m"),
        ],
    );
    let good = [
        traces("{ status = error } | rate() by (resource.service.name)"),
        traces("({ status = error } | rate()) / ({ } | rate())"),
        traces("{ } | quantile_over_time(duration, .99) | topk(5)"),
        calls("database"),
        metric("p99.9"),
        json!({ "signal": "sql", "statement": "SELECT count(*) AS value FROM traces" }),
        json!({ "signal": "burn", "slo": "s", "short": "30s" }),
    ];
    for measure in good {
        rule(&spoiled(&good_rule(), "/measure", measure.clone())).unwrap_or_else(|wrong| panic!("{measure}: {wrong}"));
    }
}

#[test]
fn objectives() {
    let good = json!({
        "name": "checkout works",
        "indicator": { "kind": "latency", "service": "checkout", "under": 0.3 },
        "objective": 0.999,
    });
    let traces = |all: &str, good: &str| json!({ "kind": "traces", "all": all, "good": good });
    check_wrong::<Slo>(
        &good,
        slo,
        &[
            ("/name", json!("x".repeat(90)), "name", "rules are named after it"),
            ("/objective", json!(1), "objective", "99.9 %"),
            ("/objective", json!(0), "objective", "99.9 %"),
            ("/period", json!("30m"), "period", "1h"),
            ("/indicator/service", json!(""), "indicator.service", "a service is wanted"),
            ("/indicator/under", json!(0), "indicator.under", "300 ms"),
            ("/indicator", traces("{ } | rate()", "{ }"), "indicator.all", "one filter"),
            ("/indicator", traces("{ }", "{ status ="), "indicator.good", "at character"),
            ("/labels", json!({ "rule": "x" }), "labels.rule", "another name"),
        ],
    );
    slo(&spoiled(&good, "/indicator", traces("{ kind = server }", "{ status != error }"))).unwrap();
}

#[test]
fn channels() {
    let mail = json!({
        "name": "mail",
        "to": { "kind": "email", "host": "smtp.example.com", "from": "Orrery <orrery@example.com>",
                "to": ["a@example.com", "b.c+d@ex-ample.co.kr"] },
    });
    check_wrong::<Channel>(
        &mail,
        channel,
        &[
            ("/to/host", json!("smtp example"), "to.host", "without a port"),
            ("/to/port", json!(0), "to.port", "587"),
            ("/to/from", json!("orrery"), "to.from", "somebody@example.com"),
            ("/to/from", json!("a@b\r\nBcc: c@d.example"), "to.from", "no address"),
            ("/to/to", json!([]), "to.to", "1 to 50"),
            ("/to/to/1", json!("a@"), "to.to[1]", "no address"),
            ("/to/to/1", json!("a, b <c@example.com>"), "to.to[1]", "no address"),
            ("/to/password", json!("x"), "to.user", "log in"),
        ],
    );
    let webhook = json!({ "name": "w", "to": { "kind": "webhook", "url": "https://example.com/x" } });
    let kind = |kind: &str, more: Value| {
        let mut it = json!({ "kind": kind });
        it.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        it
    };
    check_wrong::<Channel>(
        &webhook,
        channel,
        &[
            ("/to/url", json!("ftp://example.com"), "to.url", "https://"),
            ("/to/url", json!("example.com"), "to.url", "https://"),
            ("/to/url", json!("https://user:secret@example.com"), "to.url", "everybody would see"),
            ("/to/secret", json!("a\nb"), "to.secret", "one line"),
            ("/to", kind("slack", json!({ "url": "hooks.slack.com/xyz" })), "to.url", "https://"),
            ("/to", kind("telegram", json!({ "chat_id": "my chat" })), "to.chat_id", "@name"),
            ("/to", kind("ntfy", json!({ "topic": "a/b" })), "to.topic", "letters"),
            ("/to", kind("alertmanager", json!({ "url": "alertmanager:9093" })), "to.url", "http://"),
        ],
    );
    let needs = |to: Value| {
        let channel: Channel = spoiled(&webhook, "/to", to);
        missing_secret(&channel).map(|wrong| wrong.field)
    };
    assert_eq!(needs(kind("slack", json!({}))).as_deref(), Some("to.url"));
    assert_eq!(needs(kind("pagerduty", json!({ "routing_key": "" }))).as_deref(), Some("to.routing_key"));
    assert_eq!(needs(kind("telegram", json!({ "chat_id": "1", "token": "t" }))), None);
    assert_eq!(needs(kind("webhook", json!({ "url": "http://x" }))), None);
    let mut with_user = mail["to"].clone();
    with_user["user"] = json!("orrery");
    assert_eq!(needs(with_user).as_deref(), Some("to.password"));
}

#[test]
fn what_is_wrong_never_says_a_secret() {
    let secret = "hooks.slack.example/T000/B000/sesame";
    let to = json!({ "name": "s", "to": { "kind": "slack", "url": secret } });
    let wrong = channel(&serde_json::from_value(to).unwrap()).unwrap_err();
    assert!(!wrong.to_string().contains("sesame"), "{wrong}");
}

#[test]
fn routes_and_silences() {
    let good = json!({ "name": "all", "match": ["severity=~\"critical|warning\""], "channels": ["mail"] });
    check_wrong::<Route>(
        &good,
        route,
        &[
            ("/match", json!(["a=~\"(\""]), "match[0]", "regular expression"),
            ("/channels", json!(["a", "a"]), "channels[1]", "twice"),
            ("/group_by", json!(["a b"]), "group_by[0]", "no name of a label"),
            ("/group_wait", json!("2h"), "group_wait", "1h"),
            ("/group_interval", json!("1s"), "group_interval", "10s"),
            ("/repeat_interval", json!("30s"), "repeat_interval", "1m"),
        ],
    );
    let good = json!({
        "match": ["service=cart"], "from_unix_nano": "1000", "to_unix_nano": "2000",
        "weekly": { "days": ["sat", "sun"], "begin": "22:30", "lasts": "2h", "utc_offset_minutes": 540 },
    });
    check_wrong::<Silence>(
        &good,
        silence,
        &[
            ("/match", json!([]), "match", "at least one"),
            ("/match", json!(["service!=cart"]), "match", "nearly all"),
            ("/match", json!(["service=~\".*\""]), "match", "nearly all"),
            ("/to_unix_nano", json!("1000"), "to_unix_nano", "after"),
            ("/to_unix_nano", json!("40000000000000000"), "to_unix_nano", "400 days"),
            ("/weekly/begin", json!("24:00"), "weekly.begin", "22:30"),
            ("/weekly/lasts", json!("8d"), "weekly.lasts", "7d"),
            ("/weekly/utc_offset_minutes", json!(900), "weekly.utc_offset_minutes", "Seoul"),
            ("/weekly/days", json!(["sat", "sat"]), "weekly.days[1]", "twice"),
            ("/id", json!("a/b"), "id", "letters"),
            ("/author", json!("x\u{7}"), "author", "one line"),
        ],
    );
    let good = json!({ "source": ["severity=critical"], "target": ["severity=warning"], "equal": ["service"] });
    check_wrong::<Inhibition>(
        &good,
        inhibition,
        &[
            ("/source", json!([]), "source", "at least one"),
            ("/target", json!(["a!=b"]), "target", "nearly all"),
            ("/equal", json!(["a", "a"]), "equal[1]", "twice"),
        ],
    );
}

#[test]
fn a_file_tells_all_that_is_wrong() {
    let mut twice = good_rule();
    twice["level"][0]["recover"] = json!(7);
    let all = json!({ "rule": [good_rule(), twice, good_rule()], "silence": [{ "match": [], "from_unix_nano": "1", "to_unix_nano": "2" }] });
    let all: AlertingFile = serde_json::from_value(all).unwrap();
    let fields: Vec<String> = file(&all).into_iter().map(|wrong| wrong.field).collect();
    assert_eq!(fields, ["rule[1].level[0].recover", "rule[2].name", "silence[0].match"]);
}

#[test]
fn what_orrery_makes_is_right() {
    let objective = json!({
        "name": "x".repeat(MAX_NAME - ": budget burns very fast".len()),
        "indicator": { "kind": "availability", "service": "checkout" },
        "objective": 0.99,
    });
    let objective: Slo = serde_json::from_value(objective).unwrap();
    slo(&objective).unwrap();
    let made = crate::objectives::rules(&objective).into_iter().chain(crate::builtin::rules());
    for made in made {
        rule(&made).unwrap_or_else(|wrong| panic!("{}: {wrong}", made.name));
    }
}

#[test]
fn the_example_is_right() {
    let example: AlertingFile = toml::from_str(include_str!("../../EXAMPLE.toml")).unwrap();
    assert_eq!(file(&example), []);
    assert!(example.rules.len() >= 7 && !example.silences.is_empty());
}
