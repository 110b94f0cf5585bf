//! Rules over made-up values and months of made-up time.

use crate::evaluate::{Memory, RuleState, observe};
use crate::replay::replay;
use crate::source::{Grid, Series, Source, SourceError, Values};
use orrery_api::alerting::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Values by service and moment.
struct Made<F>(Vec<&'static str>, F);

impl<F: Fn(&str, i64) -> Option<f64>> Source for Made<F> {
    fn values(&self, measure: &Measure, _: Period, grid: Grid) -> Result<Values, SourceError> {
        if let Measure::Sql { statement } = measure {
            return Err(SourceError::Failed(statement.clone()));
        }
        let figure = match measure {
            Measure::Logs { .. } => "logs of ",
            _ => "",
        };
        let series = |service: &&str| Series {
            labels: BTreeMap::from([("service".to_owned(), (*service).to_owned())]),
            node: Some((*service).to_owned()),
            caller: None,
            values: grid.moments().map(|at| (self.1)(&format!("{figure}{service}"), at)).collect(),
        };
        Ok(Values { series: self.0.iter().map(series).collect(), partial: None })
    }

    fn heard(&self, _: &Measure, _: Period, grid: Grid) -> Result<Vec<bool>, SourceError> {
        Ok(vec![true; grid.count])
    }
}

fn rule(levels: Vec<Level>) -> Rule {
    Rule {
        name: "r".into(),
        enabled: true,
        window: Period::minutes(1),
        every: Period::seconds(10),
        max_wait: Period::seconds(20),
        levels,
        ..Rule::default()
    }
}

fn above(severity: AlertSeverity, high: f64) -> Level {
    Level { severity, when: Condition::Above(high), ..Level::default() }
}

/// What happened, as `seconds what severity`.
fn told(rule: &Rule, source: &dyn Source, to: i64) -> Vec<String> {
    let (found, _) = replay(rule, source, (0, to), None).unwrap();
    let line = |event: &AlertEvent| {
        format!("{} {} {}", event.at_unix_nano.0 / SECOND, event.what.name(), event.severity.name())
    };
    found.events.iter().map(line).collect()
}

/// A value that is given for some stretches of seconds, and 0 else.
fn steps(stretches: &'static [(i64, i64, f64)]) -> impl Fn(&str, i64) -> Option<f64> {
    move |_, at| {
        let at = at / SECOND;
        Some(stretches.iter().find(|(from, to, _)| (*from..*to).contains(&at)).map_or(0.0, |(.., value)| *value))
    }
}

#[test]
fn it_fires_when_it_was_bad_for_long_enough() {
    let source = Made(vec!["cart"], steps(&[(100, 120, 1.0), (200, 270, 1.0)]));
    let rule = Rule { for_: Period::seconds(30), ..rule(vec![above(AlertSeverity::Critical, 0.5)]) };
    assert_eq!(
        told(&rule, &source, HOUR),
        [
            "100 pending critical",
            "120 calmed critical",
            "200 pending critical",
            "230 firing critical",
            "270 resolved critical"
        ]
    );
}

#[test]
fn it_goes_on_firing_between_two_thresholds_and_for_a_while() {
    let source = Made(vec!["cart"], steps(&[(100, 150, 1.0), (150, 200, 0.4), (210, 220, 0.4)]));
    let with_recovery = Level { recover: Some(0.3), ..above(AlertSeverity::Warning, 0.5) };
    let fires_until = |rule: &Rule| told(rule, &source, HOUR).last().cloned().unwrap();
    assert_eq!(fires_until(&rule(vec![above(AlertSeverity::Warning, 0.5)])), "150 resolved warning");
    assert_eq!(fires_until(&rule(vec![with_recovery.clone()])), "200 resolved warning");
    let kept = Rule { keep_firing_for: Period::minutes(2), ..rule(vec![with_recovery]) };
    assert_eq!(told(&kept, &source, HOUR), ["100 firing warning", "330 resolved warning"], "last bad at 210");
}

#[test]
fn so_often_within_so_many() {
    let flicker = |_: &str, at: i64| {
        Some(if (10..20).contains(&(at / (10 * SECOND))) { at / (10 * SECOND) % 2 } else { 0 } as f64)
    };
    let source = Made(vec!["cart"], flicker);
    let rule = Rule { least: Some(Least { times: 3, of: 5 }), ..rule(vec![above(AlertSeverity::Warning, 0.5)]) };
    // Bad at 110, 130, 150, 170, 190.
    assert_eq!(told(&rule, &source, HOUR), ["110 pending warning", "150 firing warning", "240 resolved warning"]);
}

#[test]
fn severities_are_tiers_of_one_alert() {
    let source = Made(vec!["cart"], steps(&[(100, 200, 0.1), (200, 300, 0.6), (300, 400, 0.1)]));
    let rule = rule(vec![above(AlertSeverity::Warning, 0.05), above(AlertSeverity::Critical, 0.5)]);
    assert_eq!(
        told(&rule, &source, HOUR),
        ["100 firing warning", "200 severity critical", "300 severity warning", "400 resolved warning"]
    );
}

#[test]
fn no_values_are_what_the_rule_says() {
    let source = Made(vec!["cart"], |_: &str, at: i64| match at / SECOND {
        100..200 => Some(1.0),
        200..600 => None,
        _ => Some(0.0),
    });
    let with = |then, after| Rule {
        no_data: Absence { then, after: Period::seconds(after) },
        ..rule(vec![above(AlertSeverity::Warning, 0.5)])
    };
    assert_eq!(told(&with(WhenAbsent::Keep, 0), &source, HOUR), ["100 firing warning", "600 resolved warning"]);
    assert_eq!(told(&with(WhenAbsent::Ok, 60), &source, HOUR), ["100 firing warning", "260 resolved warning"]);
    assert_eq!(
        told(&with(WhenAbsent::Alert, 60), &source, HOUR),
        ["100 firing warning", "260 no_data warning", "600 resolved warning"]
    );
    let never = Made(vec![], |_: &str, _| None);
    assert_eq!(told(&with(WhenAbsent::Alert, 60), &never, HOUR).len(), 1, "nothing was ever there");
    assert_eq!(told(&with(WhenAbsent::Keep, 0), &never, HOUR), [""; 0]);
    let gone = Made(vec!["cart"], |_: &str, at: i64| (at < 200 * SECOND).then_some(1.0));
    let long = told(&with(WhenAbsent::Keep, 0), &gone, 3 * HOUR);
    assert_eq!(long.last().unwrap(), "3800 resolved warning", "after an hour it is let go");
}

#[test]
fn a_question_that_fails_resolves_nothing() {
    let rule = Rule {
        error: Absence { then: WhenAbsent::Keep, ..Absence::default() },
        ..rule(vec![above(AlertSeverity::Warning, 0.5)])
    };
    let bad = Made(vec!["cart"], |_: &str, _| Some(1.0));
    let mut state = RuleState::default();
    let grid = |from: i64, to: i64| Grid::between(from * SECOND, to * SECOND, 10 * SECOND);
    assert_eq!(state.run(&rule, &observe(&rule, &bad, grid(0, 100), &mut Memory::default())).len(), 1);
    let failing = Rule { measure: Measure::Sql { statement: "no such table".into() }, ..rule.clone() };
    let board = observe(&failing, &bad, grid(100, 500), &mut Memory::default());
    assert_eq!(board.failed, Some(SourceError::Failed("no such table".into())));
    assert_eq!(state.run(&rule, &board), []);
    let told_of = Rule { error: Absence { then: WhenAbsent::Alert, after: Period::minutes(5) }, ..failing };
    let mut other = state.clone();
    let board = observe(&told_of, &bad, grid(500, 1_000), &mut Memory::default());
    let changes = other.run(&told_of, &board);
    assert_eq!(changes[0].1.what, AlertEventKind::Error);
    assert_eq!(RuleState::default().run(&told_of, &board).len(), 1, "without any series it is told as well");
}

#[test]
fn what_is_unusual_is_measured_by_what_is_usual() {
    // Busy by day, calm by night, and once too slow by night.
    let by_day = |at: i64| if (8..20).contains(&(at / HOUR % 24)) { 0.5 } else { 0.1 };
    let noise = |at: i64| (at / (10 * SECOND) * 2_654_435_761 % 1_000) as f64 / 50_000.0;
    let incident = (9 * DAY + 3 * HOUR, 9 * DAY + 3 * HOUR + 20 * MINUTE);
    let source = Made(vec!["cart"], move |_: &str, at: i64| {
        let more = if (incident.0..incident.1).contains(&at) { 0.3 } else { 0.0 };
        Some(by_day(at) + noise(at) + more)
    });
    let unusual = |season| {
        let when = Condition::Unusual { side: Side::Above, season, deviations: 5.0, times: 1.5, by: 0.05 };
        let level = Level { severity: AlertSeverity::Warning, when, ..Level::default() };
        Rule { for_: Period::minutes(1), ..rule(vec![level]) }
    };
    let (found, _) = replay(&unusual(Season::Day), &source, (8 * DAY, 10 * DAY), None).unwrap();
    let moments: Vec<_> = found.events.iter().map(|event| (event.what, event.at_unix_nano.0 - incident.0)).collect();
    assert_eq!(
        moments,
        [(AlertEventKind::Pending, 0), (AlertEventKind::Firing, MINUTE), (AlertEventKind::Resolved, 20 * MINUTE)],
        "neither morning nor evening"
    );
    // The hour before knows no mornings.
    let (found, _) = replay(&unusual(Season::Recent), &source, (8 * DAY, 10 * DAY), None).unwrap();
    assert_eq!(found.fired, 3);
}

/// The same, where nobody was heard of before a moment.
struct Since<S>(i64, S);

impl<S: Source> Source for Since<S> {
    fn values(&self, measure: &Measure, window: Period, grid: Grid) -> Result<Values, SourceError> {
        self.1.values(measure, window, grid)
    }

    fn heard(&self, _: &Measure, _: Period, grid: Grid) -> Result<Vec<bool>, SourceError> {
        Ok(grid.moments().map(|at| at > self.0).collect())
    }
}

#[test]
fn a_new_system_is_not_told_of_what_was_always_so() {
    let refused = || Made(vec!["web"], |_: &str, at: i64| (at > HOUR).then_some(60.0));
    let when = Condition::Unusual { side: Side::Above, season: Season::Recent, deviations: 10.0, times: 3.0, by: 20.0 };
    let level = Level { severity: AlertSeverity::Critical, when, ..Level::default() };
    let measure = Measure::Errors { service: None, types: vec!["401".into()], environment: None };
    let rule = Rule { measure, for_: Period::seconds(20), ..rule(vec![level]) };
    assert_eq!(told(&rule, &Since(HOUR, refused()), 3 * HOUR), [""; 0], "always so");
    assert_eq!(told(&rule, &Since(HOUR + 20 * SECOND, refused()), 3 * HOUR), [""; 0], "even before anybody was heard");
    let known = told(&rule, &Since(0, refused()), 3 * HOUR);
    assert_eq!(known[..2], ["3610 pending critical", "3630 firing critical"], "not so in the hour before");
    assert_eq!(known[2..], ["5480 resolved critical"], "until it is so for longer than it was not");
}

#[test]
fn compared_with_the_day_before() {
    let source = Made(vec!["cart"], |_: &str, at: i64| Some(if at > 3 * DAY + 6 * HOUR { 2.5 } else { 1.0 }));
    let when = Condition::Changed { side: Side::Either, than: Past::LastDay, times: 2.0, by: 0.1 };
    let rule = rule(vec![Level { severity: AlertSeverity::Info, when, ..Level::default() }]);
    let (found, _) = replay(&rule, &source, (2 * DAY, 6 * DAY), None).unwrap();
    let states: Vec<_> = found.series[0].states.iter().map(|span| (span.from.0 / HOUR, span.to.0 / HOUR)).collect();
    assert_eq!(states, [(3 * 24 + 6, 4 * 24 + 6)], "the day after it is as the day before");
}

#[test]
fn other_conditions_of_the_same_labels_must_hold() {
    let source =
        Made(vec!["cart", "payments"], |what: &str, _| Some(if what == "logs of payments" { 9.0 } else { 1.0 }));
    let logs = Measure::Logs { service: None, severity: None, text: None, attr: Vec::new() };
    let guard = Guard { measure: logs, when: Condition::Above(5.0), ..Guard::default() };
    let fires = |rule: &Rule| {
        let (found, _) = replay(rule, &source, (0, HOUR), None).unwrap();
        let firing = found.series.iter().filter(|series| !series.states.is_empty());
        firing.map(|series| series.labels["service"].clone()).collect::<Vec<_>>()
    };
    let bad = rule(vec![above(AlertSeverity::Warning, 0.5)]);
    assert_eq!(fires(&bad), ["cart", "payments"]);
    assert_eq!(fires(&Rule { only_if: vec![guard.clone()], ..bad.clone() }), ["payments"]);
    assert_eq!(fires(&Rule { unless: vec![guard], ..bad }), ["cart"]);
}

/// A rule with some of everything.
fn any_rule() -> impl Strategy<Value = Rule> {
    let level = (0..3_u8, 0.2..0.8_f64, prop::option::of(0.0..0.2_f64), prop::option::of(0..6_u32));
    let level = level.prop_map(|(severity, high, recover, for_)| Level {
        severity: [AlertSeverity::Info, AlertSeverity::Warning, AlertSeverity::Critical][usize::from(severity)],
        when: Condition::Above(high),
        recover,
        for_: for_.map(|steps| Period::seconds(steps * 10)),
    });
    let least = prop::option::of((1..4_u32, 4..9_u32).prop_map(|(times, of)| Least { times, of }));
    let absence = (0..3_u8, 0..10_u32).prop_map(|(then, after)| Absence {
        then: [WhenAbsent::Keep, WhenAbsent::Ok, WhenAbsent::Alert][usize::from(then)],
        after: Period::seconds(after * 10),
    });
    (prop::collection::vec(level, 1..3), least, absence, 0..8_u32, 0..8_u32).prop_map(
        |(levels, least, no_data, for_, keep)| Rule {
            for_: Period::seconds(for_ * 10),
            keep_firing_for: Period::seconds(keep * 10),
            least,
            no_data,
            ..rule(levels)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Restarts at any moments, with the state written down and read again, change nothing.
    #[test]
    fn a_restart_neither_forgets_nor_repeats(
        rule in any_rule(),
        values in prop::collection::vec(prop::option::weighted(0.85, 0.0..1.0_f64), 200),
        stops in prop::collection::btree_set(1..200_usize, 0..6),
    ) {
        let source = Made(vec!["cart", "payments"], |what: &str, at: i64| {
            let shift = if what == "cart" { 0 } else { 77 };
            values[((at / (10 * SECOND)) as usize + shift) % values.len()]
        });
        let grid = |from: usize, to: usize| Grid::between(from as i64 * 10 * SECOND, to as i64 * 10 * SECOND, 10 * SECOND);
        let mut whole = RuleState::default();
        let expected = whole.run(&rule, &observe(&rule, &source, grid(0, 200), &mut Memory::default()));
        let mut state = RuleState::default();
        let mut changes = Vec::new();
        let mut from = 0;
        for to in stops.into_iter().chain([200]) {
            // What was judged already is asked for again, as after a crash.
            let again = from.max(3) - 3;
            changes.extend(state.run(&rule, &observe(&rule, &source, grid(again, to), &mut Memory::default())));
            state = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
            from = to;
        }
        prop_assert_eq!(&changes, &expected);
        // Text rounds the last bit of a number.
        for alert in state.alerts.values_mut().chain(whole.alerts.values_mut()) {
            (alert.instance.value, alert.instance.threshold) = (None, None);
        }
        prop_assert_eq!(state, whole);
    }

    /// An alert's events are a walk: what is over had begun, and nothing fires twice.
    #[test]
    fn events_alternate(
        rule in any_rule(),
        values in prop::collection::vec(prop::option::weighted(0.9, 0.0..1.0_f64), 300),
    ) {
        let source = Made(vec!["cart"], |_: &str, at: i64| values[(at / (10 * SECOND)) as usize % values.len()]);
        let (found, _) = replay(&rule, &source, (0, 3_000 * SECOND), None).unwrap();
        let mut state = AlertState::Normal;
        for event in &found.events {
            use AlertEventKind::*;
            let (may, next) = match event.what {
                Pending => (state == AlertState::Normal, AlertState::Pending),
                Firing => (state != AlertState::Firing, AlertState::Firing),
                Severity => (state == AlertState::Firing, AlertState::Firing),
                Resolved => (state.is_told(), AlertState::Normal),
                Calmed => (state == AlertState::Pending, AlertState::Normal),
                NoData => (state != AlertState::NoData, AlertState::NoData),
                Error => (state != AlertState::Error, AlertState::Error),
                other => panic!("{other:?}"),
            };
            // Firing may go over into pending: that is told as resolved.
            let was_pending = event.what == Firing || event.what == Calmed;
            prop_assert!(may || was_pending && state == AlertState::Normal, "{:?} while {:?}", event.what, state);
            state = next;
        }
    }
}

#[test]
fn a_month_is_replayed_moment_by_moment() {
    // Every six hours ten minutes of trouble.
    let source = Made(vec!["a", "b", "c"], |service: &str, at: i64| {
        Some(if at.rem_euclid(6 * HOUR) < 10 * MINUTE && service != "c" { 0.5 } else { 0.001 })
    });
    let rule = Rule {
        every: Period::minutes(1),
        for_: Period::minutes(2),
        ..rule(vec![above(AlertSeverity::Critical, 0.05)])
    };
    let (found, _) = replay(&rule, &source, (DAY - HOUR, 31 * DAY - HOUR), None).unwrap();
    assert_eq!((found.judgements, found.instances), (3 * 30 * 24 * 60, 3));
    assert_eq!(found.fired, 2 * 30 * 4);
    assert_eq!(found.firing_nanos.0, 2 * 30 * 4 * 8 * MINUTE);
    assert_eq!(found.series[2].states, []);
    assert!(found.series.iter().all(|series| series.points.len() <= 500));
    let worst = found.series[0].points.iter().filter(|point| point.value == Some(0.5)).count();
    assert!(worst >= 120, "{worst}: no trouble falls between two points");
}
