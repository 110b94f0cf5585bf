use super::*;
use orrery_api::Nanos;
use orrery_api::alerting::{CallFigure, Measure, MutedBy, Period};

const SECOND: i64 = 1_000_000_000;

fn route() -> Route {
    Route {
        name: "all".into(),
        channels: vec!["chat".into()],
        group_by: vec!["rule".into()],
        group_wait: Period::seconds(10),
        group_interval: Period::minutes(1),
        repeat_interval: Period::hours(4),
        ..Route::default()
    }
}

fn policy(routes: Vec<Route>) -> Policy {
    Policy::new(routes, Vec::new(), Vec::new()).unwrap()
}

/// A firing alert of the rule `fails` for a service.
fn failing(service: &str, since: i64) -> Subject {
    let labels = [("service", service), ("rule", "fails"), ("severity", "critical")];
    Subject {
        id: format!("fails-{service}"),
        rule: "fails".into(),
        labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        state: AlertState::Firing,
        severity: AlertSeverity::Critical,
        since: since * SECOND,
        began: since * SECOND,
        node: Some(service.to_owned()),
        caller: None,
        class: Class::Failing,
        fired: 1,
        acknowledged: None,
    }
}

fn normal(alert: &Subject, since: i64) -> Subject {
    Subject { state: AlertState::Normal, since: since * SECOND, ..alert.clone() }
}

/// Steps every ten seconds; `alerts` says what there is when. Answers `seconds: active / resolved`.
fn run(policy: &Policy, graph: &CallGraph, to: i64, alerts: impl Fn(i64) -> Vec<Subject>) -> Vec<String> {
    let mut notifier = Notifier::default();
    let mut said = Vec::new();
    for at in (0..=to).step_by(10) {
        let now = alerts(at);
        let muted = mutes(policy, graph, &now, at * SECOND);
        // As if it had been restarted.
        notifier = serde_json::from_str(&serde_json::to_string(&notifier).unwrap()).unwrap();
        for notice in notifier.step(policy, &now, &muted, at * SECOND).notices {
            let names = |ids: &[String]| ids.iter().map(|id| id.replace("fails-", "")).collect::<Vec<_>>().join(" ");
            said.push(format!("{}: {} / {}", notice.at / SECOND, names(&notice.active), names(&notice.resolved)));
        }
    }
    said
}

#[test]
fn a_group_is_told_once_and_again_when_it_changes() {
    let said = run(&policy(vec![route()]), &CallGraph::default(), 400, |at| {
        let mut alerts = Vec::new();
        if at >= 100 {
            let a = failing("a", 100);
            alerts.push(if at >= 300 { normal(&a, 300) } else { a });
        }
        if at >= 110 {
            let b = failing("b", 110);
            alerts.push(if at >= 200 { normal(&b, 200) } else { b });
        }
        if at >= 130 {
            let c = failing("c", 130);
            alerts.push(if at >= 300 { normal(&c, 300) } else { c });
        }
        alerts
    });
    assert_eq!(said, ["110: a b / ", "170: a b c / ", "230: a c / b", "300:  / a c"]);
}

#[test]
fn what_goes_on_is_said_again() {
    let said = run(&policy(vec![route()]), &CallGraph::default(), 8 * 3_600, |_| vec![failing("a", 0)]);
    assert_eq!(said, ["10: a / ", "14410: a / "]);
    let taken = Acknowledgement { by: "kim".into(), at_unix_nano: Nanos(60 * SECOND), ..Acknowledgement::default() };
    let said = run(&policy(vec![route()]), &CallGraph::default(), 8 * 3_600, |at| {
        let a = Subject { acknowledged: (at >= 60).then(|| taken.clone()), ..failing("a", 0) };
        vec![if at >= 20_000 { normal(&a, 20_000) } else { a }]
    });
    assert_eq!(said, ["10: a / ", "20000:  / a"], "what somebody has taken on is not said again, but that it is over");
}

#[test]
fn an_alert_that_is_worse_is_told_again() {
    let said = run(&policy(vec![route()]), &CallGraph::default(), 300, |at| {
        let severity = if at >= 30 { AlertSeverity::Critical } else { AlertSeverity::Warning };
        vec![Subject { severity, ..failing("a", 0) }]
    });
    assert_eq!(said, ["10: a / ", "30: a / "], "sooner than other news");
}

#[test]
fn the_first_route_that_matches_is_taken_and_the_next_if_it_says_so() {
    let to = |name: &str, matcher: &str, continues| Route {
        name: name.into(),
        channels: vec![name.into()],
        matchers: if matcher.is_empty() { Vec::new() } else { vec![matcher.parse().unwrap()] },
        continues,
        ..route()
    };
    let routes = |labels: &Subject, routes: Vec<Route>| {
        policy(routes).routes(&labels.labels).into_iter().map(|route| route.name.clone()).collect::<Vec<_>>()
    };
    let all = || vec![to("cart", "service=cart", false), to("pages", "severity=critical", true), to("rest", "", false)];
    assert_eq!(routes(&failing("cart", 0), all()), ["cart"]);
    assert_eq!(routes(&failing("orders", 0), all()), ["pages", "rest"]);
    assert_eq!(routes(&Subject { labels: BTreeMap::new(), ..failing("x", 0) }, all()), ["rest"]);
}

/// web → gateway → orders → payments, orders → db.
fn shop() -> CallGraph {
    let edges = [("web", "gateway"), ("gateway", "orders"), ("orders", "payments"), ("orders", "db")];
    CallGraph::new(edges.map(|(caller, callee)| (caller.to_owned(), callee.to_owned())))
}

fn why(graph: &CallGraph, alerts: &[Subject]) -> BTreeMap<String, (MutedBy, String)> {
    let muted = mutes(&policy(vec![route()]), graph, alerts, 0);
    muted.into_iter().map(|(id, muted)| (id, (muted.by, muted.id))).collect()
}

#[test]
fn where_it_begins_mutes_where_it_is_felt() {
    let graph = shop();
    let alerts = [failing("gateway", 0), failing("orders", 10), failing("payments", 20)];
    let by_payments = (MutedBy::Callee, "fails-payments".to_owned());
    assert_eq!(
        why(&graph, &alerts),
        BTreeMap::from([("fails-gateway".into(), by_payments.clone()), ("fails-orders".into(), by_payments)])
    );
    let mild = Subject { severity: AlertSeverity::Warning, ..failing("payments", 20) };
    assert_eq!(
        why(&graph, &[failing("orders", 10), mild]),
        BTreeMap::new(),
        "a lesser trouble explains no greater one"
    );
    let slow = Subject { class: Class::Late, id: "slow".into(), ..failing("gateway", 0) };
    assert_eq!(why(&graph, &[slow, failing("web", 0)])["fails-web"].1, "slow");
    let long_after = failing("payments", 200);
    assert_eq!(why(&graph, &[failing("orders", 10), long_after]), BTreeMap::new(), "what was there before it");
    // A cache that nobody calls.
    assert_eq!(why(&graph, &[failing("orders", 10), failing("cache", 20)]), BTreeMap::new());
}

#[test]
fn calls_that_get_no_answer_are_explained_only_by_silence() {
    let graph = shop();
    let edge = |class| Subject { id: "edge".into(), class, caller: Some("orders".into()), ..failing("payments", 0) };
    assert_eq!(why(&graph, &[edge(Class::Failing), failing("payments", 9)])["edge"].1, "fails-payments");
    assert_eq!(why(&graph, &[edge(Class::Between), failing("payments", 9)]), BTreeMap::new());
    let gone = Subject { class: Class::Gone, ..failing("payments", 9) };
    assert_eq!(why(&graph, &[edge(Class::Between), gone])["edge"].1, "fails-payments");
    // They explain who makes them, not others.
    assert_eq!(why(&graph, &[edge(Class::Between), failing("orders", 9)])["fails-orders"].1, "edge");
    let by_other = Subject { caller: Some("web".into()), ..edge(Class::Between) };
    assert_eq!(why(&graph, &[by_other, failing("orders", 9)]), BTreeMap::new());
}

#[test]
fn who_first_gets_no_answer_tells_of_all_who_get_none() {
    let by = |caller: &str, since| Subject {
        id: format!("by-{caller}"),
        class: Class::Between,
        caller: Some(caller.into()),
        ..failing("payments", since)
    };
    let explained = |alerts: &[Subject]| why(&shop(), alerts).into_keys().collect::<Vec<_>>();
    assert_eq!(explained(&[by("orders", 20), by("web", 10), by("gateway", 10)]), ["by-orders", "by-web"]);
    assert_eq!(explained(&[by("orders", 10), Subject { node: Some("cart".into()), ..by("web", 20) }]), [""; 0]);
    let worse = Subject { severity: AlertSeverity::Critical, ..by("orders", 20) };
    assert_eq!(explained(&[worse, Subject { severity: AlertSeverity::Warning, ..by("web", 10) }]), [""; 0]);
    // It may come to nothing.
    assert_eq!(explained(&[Subject { state: AlertState::Pending, ..by("web", 10) }, by("orders", 20)]), [""; 0]);
}

#[test]
fn messages_wait_for_who_is_slow_or_fails_or_waits_for_others() {
    let waiting =
        Subject { id: "lag".into(), class: Class::Waiting, caller: Some("queue".into()), ..failing("orders", 0) };
    let slow = |service: &str| Subject { class: Class::Late, ..failing(service, 9) };
    for cause in [slow("orders"), failing("orders", 9), slow("payments")] {
        let id = cause.id.clone();
        assert_eq!(why(&shop(), &[waiting.clone(), cause])["lag"], (MutedBy::Callee, id));
    }
    let gone = Subject { class: Class::Gone, ..failing("orders", 9) };
    for other in [slow("gateway"), gone, Subject { severity: AlertSeverity::Warning, ..failing("orders", 9) }] {
        assert_eq!(why(&shop(), &[waiting.clone(), other]), BTreeMap::new());
    }
    let lag = Measure::Calls {
        figure: CallFigure::LagP95,
        caller: None,
        callee: None,
        kind: None,
        environment: None,
        least_requests: 1,
    };
    assert_eq!(Class::of(&lag), Class::Waiting);
}

#[test]
fn silence_is_explained_by_that_of_who_calls() {
    let graph = shop();
    let gone = |service: &str, since| Subject { class: Class::Gone, ..failing(service, since) };
    let by_gateway = (MutedBy::Caller, "fails-gateway".to_owned());
    let muted = why(&graph, &[gone("payments", 20), gone("orders", 10), gone("gateway", 30)]);
    assert_eq!(
        muted,
        BTreeMap::from([("fails-payments".into(), by_gateway.clone()), ("fails-orders".into(), by_gateway)])
    );
    assert_eq!(why(&graph, &[gone("payments", 20), failing("gateway", 10)]), BTreeMap::new());
    assert_eq!(why(&graph, &[gone("cache", 20), gone("gateway", 10)]), BTreeMap::new(), "which nobody calls");
}

#[test]
fn in_a_circle_whoever_began_is_told() {
    let graph = CallGraph::new([("a", "b"), ("b", "a")].map(|(x, y)| (x.to_owned(), y.to_owned())));
    assert_eq!(why(&graph, &[failing("a", 20), failing("b", 10)]).into_keys().collect::<Vec<_>>(), ["fails-a"]);
}

#[test]
fn a_symptom_is_told_once_its_cause_is_over() {
    let said = run(&policy(vec![route()]), &shop(), 600, |at| {
        let payments = failing("payments", 0);
        let payments = if at >= 100 { normal(&payments, 100) } else { payments };
        vec![payments, failing("orders", 0)]
    });
    assert_eq!(said, ["10: payments / ", "100:  / payments", "220: orders / "], "if it lasts");
}

#[test]
fn silences_and_inhibitions_mute() {
    let silence = Silence {
        id: "7".into(),
        matchers: vec!["service=a".parse().unwrap()],
        from_unix_nano: Nanos(0),
        to_unix_nano: Nanos(200 * SECOND),
        ..Silence::default()
    };
    let inhibition = Inhibition {
        source: vec!["service=b".parse().unwrap()],
        target: vec!["service=~c|b".parse().unwrap()],
        equal: vec!["rule".into()],
    };
    let policy = Policy::new(vec![route()], vec![silence], vec![inhibition]).unwrap();
    let said = run(&policy, &CallGraph::default(), 400, |_| vec![failing("a", 0), failing("b", 0), failing("c", 0)]);
    assert_eq!(said, ["10: b / ", "200: a b / "]);
}

#[test]
fn what_is_needless_beside_another_waits_for_it_a_moment() {
    let inhibition = Inhibition {
        source: vec!["service=b".parse().unwrap()],
        target: vec!["service=c".parse().unwrap()],
        equal: vec!["rule".into()],
    };
    let policy = Policy::new(vec![route()], Vec::new(), vec![inhibition]).unwrap();
    let pending = || Subject { state: AlertState::Pending, ..failing("b", 0) };
    let said = |fires: i64| {
        run(&policy, &CallGraph::default(), 400, |at| {
            vec![failing("c", 0), if at < fires { pending() } else { failing("b", fires) }]
        })
    };
    assert_eq!(said(30), ["40: b / "]);
    assert_eq!(said(300), ["190: c / ", "300: b / "], "not longer than that");
}

#[test]
fn whoever_joins_those_that_wait_does_not_wait_as_long() {
    let graph = CallGraph::new([("web".to_owned(), "cart".to_owned())]);
    let mild = |alert: Subject| Subject { severity: AlertSeverity::Warning, ..alert };
    let said = run(&policy(vec![route()]), &graph, 200, |at| match at {
        // Explained by what is about to fire, until it is worse than that.
        0..20 => vec![mild(failing("web", 0)), Subject { state: AlertState::Pending, ..mild(failing("cart", 0)) }],
        20..40 => vec![failing("web", 0), mild(failing("cart", 20))],
        _ => vec![failing("web", 0), failing("cart", 20)],
    });
    assert_eq!(said, ["30: cart / ", "40: cart / "]);
}

#[test]
fn what_comes_and_goes_is_told_when_it_is_calm() {
    // Fires every two minutes for one, for an hour; then it is well.
    let said = run(&policy(vec![route()]), &CallGraph::default(), 7_200, |at| {
        let a = failing("a", at / 120 * 120);
        let fired = (0..=at.min(3_599) / 120).filter(|number| at - number * 120 < 3_600).count();
        let a = Subject { fired, ..a };
        vec![if at >= 3_600 {
            normal(&a, 3_540)
        } else if at % 120 < 60 {
            a
        } else {
            normal(&a, at / 120 * 120 + 60)
        }]
    });
    assert!(said.len() <= 9, "{said:?}");
    assert_eq!(said.last().map(|last| last.ends_with("/ a")), Some(true), "{said:?}");
}

#[test]
fn without_a_channel_nobody_is_told_and_that_is_said() {
    let policy = policy(vec![Route { channels: Vec::new(), ..route() }]);
    let alerts = [failing("a", 0)];
    let muted = mutes(&policy, &CallGraph::default(), &alerts, 0);
    assert_eq!(muted["fails-a"].by, MutedBy::NoRoute);
    let mut notifier = Notifier::default();
    let first = notifier.step(&policy, &alerts, &muted, 0);
    assert_eq!((first.notices.len(), first.events.len()), (0, 1));
    assert_eq!(notifier.step(&policy, &alerts, &muted, 10).events, [], "once");
}

#[test]
fn who_is_refused_is_not_excused_by_what_it_calls() {
    let errors = |types: &[&str]| Measure::Errors {
        service: None,
        types: types.iter().map(|name| (*name).to_owned()).collect(),
        environment: None,
    };
    assert_eq!(Class::of(&errors(&[])), Class::Failing);
    assert_eq!(Class::of(&errors(&["500", "401"])), Class::Failing);
    assert_eq!(Class::of(&errors(&["401", "403"])), Class::Between);
    let refused = Subject { class: Class::Between, ..failing("web", 30) };
    assert_eq!(why(&shop(), &[refused, failing("payments", 20)]), BTreeMap::new());
}
