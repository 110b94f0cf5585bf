//! Rules that Orrery comes with: sensible for any system, each explaining itself.

use orrery_api::alerting::{
    Absence, AlertSeverity, CallFigure, Condition, Figure, GroupBy, Inhibition, Level, MatchOperator, Matcher, Measure,
    Period, Rule, Season, Side, WhenAbsent,
};

/// Which of them make others needless: those that say why, those that only say that.
pub fn inhibitions() -> Vec<Inhibition> {
    let is = |name: &str, operator, value: &str| Matcher { name: name.into(), operator, value: value.into() };
    let rule = |names: &str| is("rule", MatchOperator::Like, names);
    let severity = |name: &str| is("severity", MatchOperator::Equal, name);
    let of_service = |source: Vec<Matcher>, target: Vec<Matcher>| Inhibition {
        source,
        target,
        equal: vec!["service".to_owned(), "environment".to_owned()],
    };
    vec![
        of_service(vec![rule("Tokens are refused|Rate limit reached")], vec![rule("Requests fail|New type of error")]),
        of_service(vec![rule("Requests fail")], vec![rule("New type of error")]),
        // What fails is often slow, too.
        of_service(vec![rule("Requests fail"), severity("critical")], vec![rule("Slower than usual")]),
        of_service(vec![rule("Requests fail")], vec![rule("Slower than usual"), severity("warning")]),
    ]
}

/// The rules, in the order in which they are listed.
pub fn rules() -> Vec<Rule> {
    vec![
        requests_fail(),
        slower_than_usual(),
        calls_without_answer(),
        calls_slower_than_usual(),
        network_slower_than_usual(),
        tokens_refused(),
        rate_limited(),
        messages_wait(),
        service_silent(),
        new_errors(),
        host_silent(),
        disk_full(),
        memory_full(),
        check_fails(),
    ]
}

fn rule(name: &str, description: &str, measure: Measure, levels: Vec<Level>) -> Rule {
    Rule {
        name: name.to_owned(),
        description: description.to_owned(),
        enabled: true,
        measure,
        window: Period::minutes(1),
        every: Period::seconds(10),
        levels,
        for_: Period::seconds(20),
        keep_firing_for: Period::seconds(30),
        no_data: Absence { then: WhenAbsent::Ok, after: Period::minutes(2) },
        max_wait: Period::seconds(20),
        ..Rule::default()
    }
}

fn above(severity: AlertSeverity, high: f64, recover: f64) -> Level {
    Level { severity, when: Condition::Above(high), recover: Some(recover), for_: None }
}

/// So bad over the whole window that it need not last: who is told of it is told so at first.
fn soon(level: Level) -> Level {
    Level { for_: Some(Period::seconds(0)), ..level }
}

/// More than what the hour before had.
fn unusual(severity: AlertSeverity, deviations: f64, times: f64, by: f64) -> Level {
    let when = Condition::Unusual { side: Side::Above, season: Season::Recent, deviations, times, by };
    Level { severity, when, recover: Some(0.3), for_: None }
}

fn requests(figure: Figure, least_requests: u32) -> Measure {
    Measure::Requests {
        figure,
        by: GroupBy::Service,
        service: None,
        operation: None,
        environment: None,
        least_requests,
    }
}

fn calls(figure: CallFigure, kind: Option<&str>, least_requests: u32) -> Measure {
    Measure::Calls {
        figure,
        caller: None,
        callee: None,
        kind: kind.map(str::to_owned),
        environment: None,
        least_requests,
    }
}

fn errors(types: &[&str]) -> Measure {
    let types = types.iter().map(|name| (*name).to_owned()).collect();
    Measure::Errors { service: None, types, environment: None }
}

fn requests_fail() -> Rule {
    let levels = vec![soon(above(AlertSeverity::Critical, 0.25, 0.1)), above(AlertSeverity::Warning, 0.05, 0.025)];
    rule(
        "Requests fail",
        "More than 5 % of the requests to a service fail (critical: 25 %). Where a service it calls fails as well, only that \
         one is told about. Look at its failed traces and at what it runs since its last deployment.",
        requests(Figure::ErrorRatio, 10),
        levels,
    )
}

fn slower_than_usual() -> Rule {
    let levels = vec![unusual(AlertSeverity::Critical, 10.0, 5.0, 1.0), unusual(AlertSeverity::Warning, 6.0, 2.0, 0.1)];
    rule(
        "Slower than usual",
        "1 in 20 requests to a service takes at least twice as long as during the hour before, and 100 ms longer. Compare \
         slow traces with others: the flame graph shows where the time goes.",
        requests(Figure::P95, 10),
        levels,
    )
}

fn calls_without_answer() -> Rule {
    // As bad as the requests that fail because of them: a cause milder than its symptom explains nothing.
    let levels = vec![soon(above(AlertSeverity::Critical, 0.25, 0.1)), above(AlertSeverity::Warning, 0.05, 0.025)];
    rule(
        "Calls get no answer",
        "Calls fail although who is called did not fail: refused, timed out or cut off. The callee is down, unreachable or \
         overloaded.",
        calls(CallFigure::UnansweredRatio, Some("call"), 5),
        levels,
    )
}

fn calls_slower_than_usual() -> Rule {
    let levels = vec![unusual(AlertSeverity::Critical, 10.0, 5.0, 1.0), unusual(AlertSeverity::Warning, 6.0, 2.0, 0.1)];
    rule(
        "Database slower than usual",
        "1 in 20 statements of a service takes at least twice as long as during the hour before, and 100 ms longer. Look for \
         missing indexes, locks, and who else uses the database.",
        calls(CallFigure::P95, Some("database"), 10),
        levels,
    )
}

fn network_slower_than_usual() -> Rule {
    let levels = vec![unusual(AlertSeverity::Warning, 8.0, 3.0, 0.05)];
    rule(
        "Network slower than usual",
        "Calls spend at least three times as long between the two services as during the hour before, and 50 ms longer. It \
         is neither of them: look at the network, at proxies, and at queues before the callee.",
        calls(CallFigure::NetworkP95, None, 10),
        levels,
    )
}

fn tokens_refused() -> Rule {
    let levels = vec![unusual(AlertSeverity::Critical, 10.0, 3.0, 20.0)];
    rule(
        "Tokens are refused",
        "A client's calls are answered 401 or 403 far more often than during the hour before. Tokens may have expired, the \
         clocks or keys of who issues them and who checks them may differ.",
        errors(&["401", "403"]),
        levels,
    )
}

fn rate_limited() -> Rule {
    let levels = vec![unusual(AlertSeverity::Warning, 10.0, 3.0, 20.0)];
    rule(
        "Rate limit reached",
        "A client's calls are answered 429 far more often than during the hour before: it sends more than it may.",
        errors(&["429"]),
        levels,
    )
}

fn messages_wait() -> Rule {
    let levels =
        vec![unusual(AlertSeverity::Critical, 10.0, 10.0, 60.0), unusual(AlertSeverity::Warning, 8.0, 3.0, 2.0)];
    rule(
        "Messages wait",
        "1 in 20 messages waits at least three times as long for its consumer as during the hour before, and 2 s longer. \
         Consumers are slow, stuck, or too few.",
        calls(CallFigure::LagP95, Some("consume"), 3),
        levels,
    )
}

fn service_silent() -> Rule {
    let measure = Measure::Silent { service: None, environment: None };
    let levels = vec![above(AlertSeverity::Critical, 300.0, 30.0), above(AlertSeverity::Warning, 60.0, 30.0)];
    Rule {
        for_: Period::seconds(0),
        ..rule(
            "Service silent",
            "Nothing was heard of a service for a minute (critical: five), though it usually sends spans all the time. It is \
             down, gets no traffic, or cannot reach Orrery.",
            measure,
            levels,
        )
    }
}

fn new_errors() -> Rule {
    let measure = Measure::NewErrors { service: None, environment: None };
    Rule {
        keep_firing_for: Period::minutes(1),
        ..rule(
            "New type of error",
            "A service fails in a way that it did not during the day before. Look at an example, and at what changed.",
            measure,
            vec![above(AlertSeverity::Info, 4.0, 0.0)],
        )
    }
}

fn host_silent() -> Rule {
    let levels = vec![above(AlertSeverity::Critical, 90.0, 30.0)];
    Rule {
        for_: Period::seconds(0),
        ..rule(
            "Host silent",
            "A host's agent has not reported for 90 s: the host or the agent is down, or the network between.",
            Measure::Hosts { host: None },
            levels,
        )
    }
}

fn metric(name: &str, aggregation: &str, attr: &[&str], group_by: &[&str]) -> Measure {
    let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect();
    Measure::Metric {
        name: name.to_owned(),
        aggregation: Some(aggregation.to_owned()),
        service: None,
        attr: texts(attr),
        group_by: texts(group_by),
    }
}

fn disk_full() -> Rule {
    let measure = metric("system.filesystem.utilization", "max", &[], &["host.name", "system.filesystem.mountpoint"]);
    Rule {
        every: Period::minutes(1),
        for_: Period::minutes(5),
        ..rule(
            "Disk nearly full",
            "A file system is more than 90 % full (critical: 97 %). Free some space or make it larger before writes fail.",
            measure,
            vec![above(AlertSeverity::Critical, 0.97, 0.95), above(AlertSeverity::Warning, 0.9, 0.88)],
        )
    }
}

fn memory_full() -> Rule {
    let measure = metric("system.memory.utilization", "max", &["system.memory.state=used"], &["host.name"]);
    Rule {
        every: Period::minutes(1),
        for_: Period::minutes(5),
        ..rule(
            "Memory nearly full",
            "More than 95 % of a host's memory has been in use for five minutes: processes may be killed soon.",
            measure,
            vec![above(AlertSeverity::Warning, 0.95, 0.9)],
        )
    }
}

fn check_fails() -> Rule {
    let measure = metric("httpcheck.status", "max", &["http.status_class=2xx"], &["httpcheck.name", "url.full"]);
    Rule {
        for_: Period::seconds(60),
        ..rule(
            "Check fails",
            "An agent's HTTP check got no 2xx answer for a minute.",
            measure,
            vec![Level { severity: AlertSeverity::Critical, when: Condition::Below(1.0), recover: None, for_: None }],
        )
    }
}
