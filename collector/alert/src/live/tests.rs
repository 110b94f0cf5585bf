//! Days of made-up time: late data, restarts after any step, clocks that jump.

use super::*;
use crate::replay::{Telling, replay};
use crate::source::{Grid, Series, SourceError, Values};
use orrery_api::alerting::{Absence, AlertSeverity, Condition, Level, Period, Route, WhenAbsent};
use proptest::prelude::*;
use std::cell::Cell;
use std::collections::BTreeSet;

const STEP: i64 = 10 * SECOND;
const BEGIN: i64 = 1_000_000 * STEP;

/// Buckets of ten seconds, each with a value and how many seconds late it arrives.
struct World {
    buckets: Vec<Option<(f64, i64)>>,
    now: Cell<i64>,
}

impl World {
    fn bucket(&self, at: i64) -> Option<f64> {
        let number = usize::try_from((at - BEGIN) / STEP).ok()?;
        let (value, late) = (*self.buckets.get(number)?)?;
        (at + late * SECOND <= self.now.get()).then_some(value)
    }
}

impl Source for World {
    fn values(&self, _: &Measure, _: Period, grid: Grid) -> Result<Values, SourceError> {
        let values = grid.moments().map(|at| self.bucket(at)).collect();
        let labels = BTreeMap::from([("service".to_owned(), "cart".to_owned())]);
        let series = Series { labels, node: Some("cart".to_owned()), caller: None, values };
        Ok(Values { series: vec![series], partial: None })
    }

    fn heard(&self, _: &Measure, _: Period, grid: Grid) -> Result<Vec<bool>, SourceError> {
        Ok(vec![true; grid.count])
    }
}

impl Arrivals for World {
    fn has_arrived(&self, _: &Measure, at: i64, _: i64) -> bool {
        // Of what was sent later something has arrived.
        (0..6).any(|later| self.bucket(at + later * STEP).is_some())
    }

    fn coverage(&self, _: &Measure, _: i64, _: i64) -> f64 {
        1.0
    }
}

fn rule() -> Rule {
    Rule {
        name: "r".into(),
        enabled: true,
        window: Period::seconds(10),
        every: Period::seconds(10),
        for_: Period::seconds(20),
        keep_firing_for: Period::seconds(30),
        max_wait: Period::seconds(20),
        no_data: Absence { then: WhenAbsent::Ok, after: Period::minutes(2) },
        levels: vec![Level {
            severity: AlertSeverity::Critical,
            when: Condition::Above(0.5),
            recover: Some(0.3),
            for_: None,
        }],
        ..Rule::default()
    }
}

fn policy() -> Policy {
    let route = Route {
        name: "all".into(),
        channels: vec!["chat".into()],
        group_by: vec!["rule".into()],
        group_wait: Period::seconds(10),
        group_interval: Period::minutes(1),
        repeat_interval: Period::hours(4),
        ..Route::default()
    };
    Policy::new(vec![route], Vec::new(), Vec::new()).unwrap()
}

/// What is on the disk.
#[derive(Clone, Default)]
struct Disk {
    states: BTreeMap<String, (String, Tracked)>,
    notifier: Notifier,
    judged: i64,
    events: Vec<AlertEvent>,
    outbox: BTreeMap<String, usize>,
}

impl Disk {
    fn keep(&mut self, changes: &Changes) {
        for (id, rule, tracked) in &changes.states {
            self.states.insert(id.clone(), (rule.clone(), tracked.clone()));
        }
        for id in &changes.gone {
            self.states.remove(id);
        }
        self.events.extend(changes.events.iter().cloned());
        for notice in &changes.notices {
            *self.outbox.entry(notice.id.clone()).or_default() += 1;
        }
        self.notifier = changes.notifier.clone().unwrap_or(std::mem::take(&mut self.notifier));
        self.judged = changes.judged;
    }

    fn start(&self, now: i64) -> Evaluator {
        let written = serde_json::to_string(&self.states).unwrap();
        let states: BTreeMap<String, (String, Tracked)> = serde_json::from_str(&written).unwrap();
        let states = states.into_iter().map(|(id, (rule, tracked))| (id, rule, tracked)).collect();
        let mut evaluator = Evaluator::restore(states, self.notifier.clone(), self.judged);
        if self.judged == 0 {
            evaluator = Evaluator::default();
        }
        assert!(evaluator.set_rules(vec![rule()], now).is_empty());
        evaluator.set_policy(policy());
        evaluator
    }
}

fn step(evaluator: &mut Evaluator, world: &World) -> Changes {
    let graph = CallGraph::default();
    evaluator.step(&Outside { now: world.now.get(), source: world, arrivals: world, graph: &graph, stopwatch: &|| 0 })
}

/// Steps every second; after the steps of `crashes` what they changed is lost, and all begins from the disk.
fn live(world: &World, seconds: i64, crashes: &BTreeSet<i64>) -> Disk {
    let mut disk = Disk::default();
    world.now.set(BEGIN);
    let mut evaluator = disk.start(BEGIN);
    for second in 0..seconds {
        world.now.set(BEGIN + second * SECOND);
        let changes = step(&mut evaluator, world);
        if crashes.contains(&second) && disk.judged > 0 {
            evaluator = disk.start(world.now.get());
        } else {
            disk.keep(&changes);
        }
    }
    disk
}

fn told(events: &[AlertEvent]) -> Vec<String> {
    let line = |event: &AlertEvent| format!("{} {}", (event.at_unix_nano.0 - BEGIN) / SECOND, event.what.name());
    events.iter().map(line).collect()
}

/// What the time machine says about the same time, when all has arrived.
fn replayed(world: &World, seconds: i64) -> Vec<AlertEvent> {
    world.now.set(i64::MAX);
    let (policy, graph) = (policy(), CallGraph::default());
    let telling = Telling { policy: &policy, graph: &graph, others: &[] };
    replay(&rule(), world, (BEGIN, BEGIN + seconds * SECOND), Some(telling)).unwrap().0.events
}

/// Calm with trouble now and then, each bucket some seconds late.
fn buckets(troubles: &[(usize, usize)], late: i64, length: usize) -> Vec<Option<(f64, i64)>> {
    let value = |number| if troubles.iter().any(|(from, to)| (*from..*to).contains(&number)) { 1.0 } else { 0.0 };
    (0..length).map(|number| Some((value(number), late))).collect()
}

#[test]
fn live_and_replay_say_the_same_to_the_second() {
    let troubles: Vec<(usize, usize)> = (0..20).map(|number| (40 + number * 211, 40 + number * 211 + number)).collect();
    for late in [0, 4, 14] {
        let world = World { buckets: buckets(&troubles, late, 4_400), now: Cell::new(0) };
        let seconds = 43_000;
        let disk = live(&world, seconds, &BTreeSet::new());
        let said = told(&disk.events);
        assert!(said.len() > 50, "{said:?}");
        let mut expected = told(&replayed(&world, seconds - 60));
        // Events of one moment have no order.
        let mut found: Vec<String> = said.into_iter().take(expected.len()).collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{late} s late");
    }
}

#[test]
fn late_data_puts_history_right() {
    // Trouble of which nobody heard for five minutes, beside other data that is on time.
    let mut all = buckets(&[], 2, 400);
    for (number, bucket) in all.iter_mut().enumerate().take(110).skip(100) {
        *bucket = Some((1.0, 1_400 - number as i64 * 10));
    }
    let world = World { buckets: all, now: Cell::new(0) };
    let disk = live(&world, 3_000, &BTreeSet::new());
    let said = told(&disk.events);
    assert_eq!(said, ["1000 pending", "1020 firing", "1120 resolved"], "and nobody is told of what is long over");
    assert!(disk.events[1].recorded_unix_nano.0 > BEGIN + 1_400 * SECOND);
    assert_eq!(disk.events[1].detail, "found with late data");

    // Trouble that was none: the data that was there first said otherwise.
    struct Changing(World);
    impl Source for Changing {
        fn values(&self, measure: &Measure, window: Period, grid: Grid) -> Result<Values, SourceError> {
            let mut values = self.0.values(measure, window, grid)?;
            for (at, value) in grid.moments().zip(&mut values.series[0].values) {
                let number = (at - BEGIN) / STEP;
                if (100..104).contains(&number) && self.0.now.get() < BEGIN + 1_200 * SECOND {
                    *value = value.map(|_| 0.9);
                }
            }
            Ok(values)
        }

        fn heard(&self, measure: &Measure, window: Period, grid: Grid) -> Result<Vec<bool>, SourceError> {
            self.0.heard(measure, window, grid)
        }
    }
    let world = Changing(World { buckets: buckets(&[], 2, 400), now: Cell::new(BEGIN) });
    let mut disk = Disk::default();
    let mut evaluator = disk.start(BEGIN);
    for second in 0..2_000 {
        world.0.now.set(BEGIN + second * SECOND);
        let graph = CallGraph::default();
        let now = world.0.now.get();
        let outside = Outside { now, source: &world, arrivals: &world.0, graph: &graph, stopwatch: &|| 0 };
        disk.keep(&evaluator.step(&outside));
    }
    let said = told(&disk.events);
    let count = |what: &str| said.iter().filter(|line| line.ends_with(what)).count();
    assert_eq!((count("firing"), count("corrected")), (1, 3), "{said:?}");
}

#[test]
fn a_clock_that_jumps_does_not_stop_judging() {
    let world = World { buckets: buckets(&[(900, 2_000)], 2, 4_000), now: Cell::new(0) };
    let mut disk = Disk::default();
    let mut evaluator = disk.start(BEGIN);
    let run = |from: i64, to: i64, disk: &mut Disk, evaluator: &mut Evaluator| {
        for second in from..to {
            world.now.set(BEGIN + second * SECOND);
            disk.keep(&step(evaluator, &world));
        }
    };
    run(0, 1_000, &mut disk, &mut evaluator);
    // Asleep for two hours: what can still be judged is judged at once, the rest is counted.
    run(8_200, 8_300, &mut disk, &mut evaluator);
    assert_eq!(evaluator.figures().skipped, 361);
    assert_eq!(disk.states.len(), 0);
    run(8_300, 9_100, &mut disk, &mut evaluator);
    assert_eq!(told(&disk.events), ["9000 pending", "9020 firing", "9030 notified"]);
    // An hour ahead, and back: it goes on from there.
    run(12_700, 12_800, &mut disk, &mut evaluator);
    run(9_200, 9_300, &mut disk, &mut evaluator);
    assert!(evaluator.newest() <= BEGIN + 9_300 * SECOND);
    let (rule, tracked) = &disk.states.values().next().unwrap();
    assert_eq!((rule.as_str(), tracked.instance.state), ("r", AlertState::Firing));
    let before = disk.events.len();
    run(9_300, 12_000, &mut disk, &mut evaluator);
    assert_eq!(disk.events.len(), before, "{:?}", told(&disk.events));
}

#[test]
fn a_changed_rule_ends_what_it_said() {
    let world = World { buckets: buckets(&[(10, 400)], 2, 400), now: Cell::new(0) };
    let mut disk = Disk::default();
    let mut evaluator = disk.start(BEGIN);
    let run = |from: i64, to: i64, disk: &mut Disk, evaluator: &mut Evaluator| {
        for second in from..to {
            world.now.set(BEGIN + second * SECOND);
            disk.keep(&step(evaluator, &world));
        }
    };
    run(0, 300, &mut disk, &mut evaluator);
    let with_text = Rule { description: "why".into(), ..rule() };
    assert!(evaluator.set_rules(vec![with_text], BEGIN + 300 * SECOND).is_empty(), "another text is no other rule");
    run(300, 400, &mut disk, &mut evaluator);
    disk.keep(&evaluator.set_rules(Vec::new(), BEGIN + 400 * SECOND));
    assert_eq!(disk.states.len(), 0);
    run(400, 520, &mut disk, &mut evaluator);
    assert_eq!(told(&disk.events), ["100 pending", "120 firing", "130 notified", "400 resolved"]);
    assert_eq!(disk.outbox.len(), 2, "and people are told that it is over");
}

/// Answers each question only when it is asked the twelfth time.
struct Slow<'a> {
    world: &'a World,
    asked: std::cell::RefCell<std::collections::HashMap<Grid, u32>>,
}

impl Source for Slow<'_> {
    fn values(&self, measure: &Measure, window: Period, grid: Grid) -> Result<Values, SourceError> {
        let times = *self.asked.borrow_mut().entry(grid).and_modify(|times| *times += 1).or_insert(1);
        if times < 12 { Err(SourceError::NotYet) } else { self.world.values(measure, window, grid) }
    }

    fn heard(&self, measure: &Measure, window: Period, grid: Grid) -> Result<Vec<bool>, SourceError> {
        self.world.heard(measure, window, grid)
    }
}

#[test]
fn an_answer_that_takes_long_is_waited_for_and_nothing_is_said_twice() {
    let world = World { buckets: buckets(&[(30, 50), (90, 140)], 12, 400), now: Cell::new(BEGIN) };
    let whole = live(&world, 3_000, &BTreeSet::new());
    let slow = Slow { world: &world, asked: Default::default() };
    let mut disk = Disk::default();
    let mut evaluator = disk.start(BEGIN);
    for second in 0..3_000 {
        world.now.set(BEGIN + second * SECOND);
        let graph = CallGraph::default();
        let now = world.now.get();
        let outside = Outside { now, source: &slow, arrivals: &world, graph: &graph, stopwatch: &|| 0 };
        disk.keep(&evaluator.step(&outside));
    }
    assert_eq!(told(&disk.events), told(&whole.events));
    let figures = evaluator.figures();
    assert_eq!((figures.judged, figures.skipped), (296, 0), "{figures:?}");
    assert!(figures.together > 50, "not each in its turn: {figures:?}");
    assert!(figures.delays.longest() < 40 * SECOND, "{figures:?}");
}

#[test]
fn delays_are_from_when_a_moment_could_be_judged() {
    let world = World { buckets: buckets(&[], 3, 100), now: Cell::new(BEGIN) };
    let mut evaluator = Disk::default().start(BEGIN);
    let ticks = Cell::new(0);
    // Every question takes a third of a second.
    let stopwatch = || ticks.replace(ticks.get() + 333_000_000);
    for second in 0..300 {
        world.now.set(BEGIN + second * SECOND);
        let graph = CallGraph::default();
        let now = world.now.get();
        evaluator.step(&Outside { now, source: &world, arrivals: &world, graph: &graph, stopwatch: &stopwatch });
    }
    let figures = evaluator.figures();
    assert_eq!((figures.evaluations, figures.together, figures.skipped), (29, 0, 0), "{figures:?}");
    // It is looked at once a second here.
    assert!((SECOND..SECOND * 14 / 10).contains(&figures.delays.longest()), "{figures:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Crashes at any moments, each losing the step that was not kept yet, neither forget nor repeat anything.
    #[test]
    fn crashes_lose_and_double_nothing(
        troubles in prop::collection::vec((10..380_usize, 1..20_usize), 1..8),
        gaps in prop::collection::vec((10..380_usize, 1..20_usize), 0..4),
        crashes in prop::collection::btree_set(1..4_000_i64, 0..40),
        late in 0..15_i64,
    ) {
        let troubles: Vec<_> = troubles.into_iter().map(|(from, length)| (from, from + length)).collect();
        let mut all = buckets(&troubles, late, 400);
        for (from, length) in gaps {
            all.iter_mut().skip(from).take(length).for_each(|bucket| *bucket = None);
        }
        let world = World { buckets: all, now: Cell::new(0) };
        let whole = live(&world, 4_000, &BTreeSet::new());
        let broken = live(&world, 4_000, &crashes);
        let decided = |disk: &Disk| {
            let mut said = told(&disk.events);
            said.sort();
            said
        };
        prop_assert_eq!(decided(&broken), decided(&whole));
        prop_assert_eq!(&broken.outbox, &whole.outbox);
        prop_assert!(broken.outbox.values().all(|times| *times == 1));
        let states = |disk: &Disk| disk.states.values().map(|(_, it)| it.instance.state).collect::<Vec<_>>();
        prop_assert_eq!(states(&broken), states(&whole));
    }
}
