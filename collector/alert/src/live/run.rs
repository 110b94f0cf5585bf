//! One rule as time goes on.

use super::{CATCH_UP, Changes, Figures, Outside, SECOND, SET_BACK, ended};
use crate::evaluate::{Board, Memory, RuleState, Tracked, observe};
use crate::judge::Observation;
use crate::machine::{Change, Instance};
use crate::source::{Grid, SourceError};
use orrery_api::Nanos;
use orrery_api::alerting::{AlertEvent, AlertEventKind, Measure, Rule};
use std::collections::{BTreeMap, VecDeque};

/// Data that comes later than this changes no judgement any more.
const LATE: i64 = 600 * SECOND;
/// So often it is looked at whether late data came.
const LOOK_BACK: i64 = 60 * SECOND;
/// What was received is found by a question after so long.
const SEEN_AFTER: i64 = SECOND;
/// Of what a rule costs, an average over about so many evaluations is kept.
const AVERAGED: f64 = 20.0;

/// How a rule is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// How long the newest evaluation took, microseconds.
    pub took_micros: u64,
    /// Share of one core that evaluations take.
    pub cost: f64,
    /// From when the newest moment could be judged until that began, nanoseconds; see [`Figures::delays`].
    pub delay: i64,
    /// Share of the data expected that the newest judgement rests on.
    pub coverage: f64,
    /// What went wrong.
    pub error: Option<String>,
    /// Why something is missing.
    pub partial: Option<String>,
}

/// One rule as time goes on.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) rule: Rule,
    pub(super) state: RuleState,
    pub(super) stats: Stats,
    memory: Memory,
    past: Past,
    /// Moments of which the answer is not there yet.
    waiting: Option<Grid>,
    /// When it was last seen that nothing could be judged.
    idle: i64,
}

/// What was judged lately: late data may change it.
#[derive(Debug, Default)]
struct Past {
    /// The state from before.
    state: RuleState,
    /// What was observed since, by moment.
    trail: VecDeque<(i64, BTreeMap<String, Observation>)>,
    /// What was said since.
    said: Vec<(String, Change)>,
    memory: Memory,
    /// When it was last looked at.
    looked: i64,
    /// Up to when it is to be looked at now.
    due: Option<i64>,
    /// The answer about it is not there yet: until then nothing new is judged.
    is_waiting: bool,
}

impl Run {
    pub(super) fn new(rule: Rule, now: i64) -> Run {
        let mut run = Run::orphan(now);
        run.state.judged = now.div_euclid(rule.every.nanos()) * rule.every.nanos();
        run.past.state.judged = run.state.judged;
        run.past.looked = run.state.judged - phase(&rule);
        run.idle = now;
        run.rule = rule;
        run
    }

    /// Of a rule that is not known yet: only its alerts are.
    pub(super) fn orphan(judged: i64) -> Run {
        Run {
            rule: Rule::default(),
            state: RuleState { judged, ..RuleState::default() },
            stats: Stats { coverage: 1.0, ..Stats::default() },
            memory: Memory::default(),
            past: Past::default(),
            waiting: None,
            idle: 0,
        }
    }

    pub(super) fn restore(&mut self, id: String, tracked: Tracked) {
        self.state.alerts.insert(id, tracked);
    }

    /// The same alerts under a changed rule, as long as that measures and judges the same.
    pub(super) fn with_rule(mut self, rule: Rule) -> Result<Run, Box<(Run, Rule)>> {
        let is_new = self.rule.name.is_empty();
        let essence = |rule: &Rule| Rule {
            description: String::new(),
            labels: BTreeMap::new(),
            max_wait: Default::default(),
            ..rule.clone()
        };
        if !is_new && essence(&self.rule) != essence(&rule) {
            return Err(Box::new((self, rule)));
        }
        if is_new {
            // A state that was kept is that of the moment at which it last changed. What does not show in it is found out
            // again: how long ago it was bad, and how often.
            let every = rule.every.nanos();
            let again = rule.keep_firing_for.nanos() + rule.least.map_or(0, |least| i64::from(least.of)) * every;
            self.state.complete = self.state.judged;
            self.state.judged = (self.state.judged - again).div_euclid(every) * every;
            self.past.state = self.state.clone();
            self.past.looked = self.state.judged - phase(&rule);
        }
        self.rule = rule;
        Ok(self)
    }

    /// The rule is gone, or another one: what it said is over.
    pub(super) fn end(self, now: i64, why: &str, changes: &mut Changes) {
        for (id, tracked) in self.state.alerts {
            let name = if self.rule.name.is_empty() { "" } else { &self.rule.name };
            if tracked.instance.state.is_told() {
                changes.events.push(ended(name, &id, &tracked, now, why));
            }
            if !tracked.is_idle() {
                changes.gone.push(id);
            }
        }
    }

    /// Judges what can be judged now. `began` is when the step did, by the stopwatch.
    pub(super) fn go_on(&mut self, outside: &Outside<'_>, began: u64, figures: &mut Figures, changes: &mut Changes) {
        let every = self.rule.every.nanos();
        if self.state.judged > outside.now + SET_BACK {
            self.rewind(outside.now.div_euclid(every) * every);
        }
        if self.past.is_waiting {
            return;
        }
        let oldest = outside.now - CATCH_UP;
        let waited = self.waiting.filter(|grid| grid.first > oldest);
        let grid = match waited.or_else(|| self.judgeable(outside).map(|until| self.moments(until, oldest))) {
            Some(grid) => grid,
            None => {
                self.idle = outside.now;
                return;
            }
        };
        let start = (outside.stopwatch)();
        if waited.is_none() {
            let idle = if self.idle == 0 { outside.now } else { self.idle };
            self.stats.delay = (outside.now - idle).max(0) + start.saturating_sub(began) as i64;
        }
        let skipped = (oldest - self.state.judged).max(0) / every;
        let board = observe(&self.rule, outside.source, grid, &mut self.memory);
        if board.failed == Some(SourceError::NotYet) {
            self.waiting = Some(grid);
            return;
        }
        self.waiting = None;
        self.idle = outside.now;
        changes.is_news = true;
        figures.delays.add(self.stats.delay);
        figures.evaluations += 1;
        figures.judged += grid.count as u64;
        figures.together += grid.count.saturating_sub(1) as u64;
        figures.skipped += skipped as u64;
        let before = self.state.alerts.clone();
        let said = self.state.run(&self.rule, &board);
        let until = grid.last();
        self.stats.coverage = outside.arrivals.coverage(&self.rule.measure, until, outside.now);
        self.stats.error = board.failed.as_ref().map(ToString::to_string);
        self.stats.partial.clone_from(&board.partial);
        self.past.remember(&board);
        changes.events.extend(said.iter().filter_map(|(id, change)| self.said(id, change, &before, outside.now)));
        self.past.said.extend(said);
        if until - self.past.looked >= LOOK_BACK {
            self.past.due = Some(until);
        }
        self.changed(&before, changes);
        self.stats.took_micros = (outside.stopwatch)().saturating_sub(start) / 1_000;
        let share = self.stats.took_micros as f64 * 1e3 / every as f64;
        self.stats.cost += (share - self.stats.cost) / AVERAGED;
    }

    fn moments(&self, until: i64, oldest: i64) -> Grid {
        Grid::between(self.state.judged.max(oldest), until, self.rule.every.nanos())
    }

    /// The newest moment that can be judged, if there is a new one.
    fn judgeable(&self, outside: &Outside<'_>) -> Option<i64> {
        let every = self.rule.every.nanos();
        let newest = (outside.now - SEEN_AFTER).div_euclid(every) * every;
        let waited = (outside.now - self.rule.max_wait.nanos()).div_euclid(every) * every;
        let mut at = newest;
        while at > self.state.judged {
            if at <= waited || outside.arrivals.has_arrived(&self.rule.measure, at, outside.now) {
                return Some(at);
            }
            at -= every;
        }
        None
    }

    /// The clock was set back: moments that were judged come again.
    fn rewind(&mut self, to: i64) {
        self.state.judged = to;
        for alert in self.state.alerts.values_mut() {
            alert.instance.rewind(to);
            alert.fired.retain(|fired| *fired <= to);
        }
        self.past = Past { state: self.state.clone(), looked: to, ..Past::default() };
        self.memory = Memory::default();
        (self.waiting, self.idle) = (None, to);
    }

    /// Whether what was judged lately is to be looked at again.
    pub(super) fn looks_back(&self) -> bool {
        self.past.due.is_some()
    }

    /// Asks again about what was judged lately. Where late data says otherwise, history is put right.
    pub(super) fn look_back(&mut self, outside: &Outside<'_>, changes: &mut Changes) {
        let Some(until) = self.past.due else { return };
        // A statement is a process for every moment: too much for what it would find.
        if !matches!(self.rule.measure, Measure::Sql { .. }) {
            let grid = Grid::between(self.past.state.judged, until, self.rule.every.nanos());
            let board = observe(&self.rule, outside.source, grid, &mut self.past.memory);
            self.past.is_waiting = board.failed == Some(SourceError::NotYet);
            if self.past.is_waiting {
                return;
            }
            if board.failed.is_none() && self.past.differs(&board) {
                self.put_right(&board, outside.now, changes);
            }
        }
        (self.past.due, self.past.looked) = (None, until);
        self.past.advance(&self.rule, until - LATE);
    }

    fn put_right(&mut self, board: &Board, now: i64, changes: &mut Changes) {
        let mut state = self.past.state.clone();
        let right = state.run(&self.rule, board);
        let known = &self.past.said;
        let is_in = |all: &[(String, Change)], one: &(String, Change)| {
            all.iter().any(|(id, change)| {
                *id == one.0 && (change.what, change.at, change.severity) == (one.1.what, one.1.at, one.1.severity)
            })
        };
        let missed: Vec<_> = right.iter().filter(|one| !is_in(known, one)).cloned().collect();
        let wrong: Vec<_> = known.iter().filter(|one| !is_in(&right, one)).cloned().collect();
        let before = std::mem::replace(&mut self.state, state).alerts;
        for (id, change) in &wrong {
            let detail = format!("late data: it was not {} then", change.what.name());
            changes.events.extend(self.corrected(id, change, &before, now, detail));
        }
        for (id, change) in &missed {
            let event = self.said(id, change, &before, now);
            changes.events.extend(event.map(|event| AlertEvent { detail: "found with late data".to_owned(), ..event }));
        }
        self.past.said = right;
        self.past.trail.clear();
        self.past.remember(board);
        self.changed(&before, changes);
        changes.is_news = true;
    }

    fn said(&self, id: &str, change: &Change, before: &BTreeMap<String, Tracked>, now: i64) -> Option<AlertEvent> {
        let tracked = self.state.alerts.get(id).or_else(|| before.get(id))?;
        Some(AlertEvent {
            severity: change.severity,
            value: change.value,
            recorded_unix_nano: Nanos(now),
            ..self.event(id, tracked, change.what, change.at)
        })
    }

    fn corrected(
        &self,
        id: &str,
        change: &Change,
        before: &BTreeMap<String, Tracked>,
        now: i64,
        detail: String,
    ) -> Option<AlertEvent> {
        let event = self.said(id, &Change { what: AlertEventKind::Corrected, ..*change }, before, now)?;
        Some(AlertEvent { detail, ..event })
    }

    pub(super) fn event(&self, id: &str, tracked: &Tracked, what: AlertEventKind, at: i64) -> AlertEvent {
        AlertEvent {
            alert: id.to_owned(),
            rule: self.rule.name.clone(),
            labels: tracked.labels.clone(),
            what,
            severity: tracked.instance.severity,
            at_unix_nano: Nanos(at),
            recorded_unix_nano: Nanos(at),
            value: tracked.instance.value,
            node: tracked.node.clone(),
            caller: tracked.caller.clone(),
            coverage: self.stats.coverage,
            ..AlertEvent::default()
        }
    }

    /// Which states must be kept because they are others than before.
    fn changed(&self, before: &BTreeMap<String, Tracked>, changes: &mut Changes) {
        let new = Tracked::default();
        for (id, tracked) in &self.state.alerts {
            let old = before.get(id).unwrap_or(&new);
            if !tracked.instance.is_same_state(&old.instance) || tracked.fired != old.fired {
                changes.states.push((id.clone(), self.rule.name.clone(), tracked.clone()));
            }
        }
        // Those that were let go.
        let gone = before.iter().filter(|(id, old)| !self.state.alerts.contains_key(*id) && !old.is_idle());
        changes.gone.extend(gone.map(|(id, _)| id.clone()));
    }
}

/// Not all rules look back at once: how much sooner than others this one does.
fn phase(rule: &Rule) -> i64 {
    let number = rule.name.bytes().fold(0_u32, |number, byte| number.wrapping_mul(31).wrapping_add(byte.into()));
    let steps = LOOK_BACK / (10 * SECOND);
    i64::from(number) % steps * 10 * SECOND
}

impl Past {
    fn remember(&mut self, board: &Board) {
        for (number, at) in board.grid.moments().enumerate() {
            let observed = board.series.iter().map(|series| (series.id.clone(), series.observations[number])).collect();
            self.trail.push_back((at, observed));
        }
    }

    /// Whether anything that decides is otherwise than it was.
    fn differs(&self, board: &Board) -> bool {
        if self.trail.len() != board.grid.count {
            return true;
        }
        let mut moments = self.trail.iter().zip(board.grid.moments().enumerate());
        moments.any(|((at, known), (number, moment))| {
            let mut series = board.series.iter();
            *at != moment
                || series.any(|series| {
                    let was = known.get(&series.id).unwrap_or(&Observation::Absent);
                    !is_same_judgement(was, &series.observations[number])
                })
        })
    }

    /// What is older than that is settled.
    fn advance(&mut self, rule: &Rule, to: i64) {
        let settled = self.trail.iter().take_while(|(at, _)| *at <= to).count();
        let every = rule.every.nanos();
        for (at, observed) in self.trail.drain(..settled) {
            let series = observed.into_iter().map(|(id, observation)| crate::Observed {
                id,
                labels: BTreeMap::new(),
                node: None,
                caller: None,
                observations: vec![observation],
            });
            let grid = Grid { first: at, step: every, count: 1 };
            let board = Board { grid, series: series.collect(), failed: None, partial: None };
            self.state.step(rule, &board, 0);
        }
        self.said.retain(|(_, change)| change.at > self.state.judged);
    }
}

fn is_same_judgement(one: &Observation, other: &Observation) -> bool {
    match (one, other) {
        (Observation::Value(one), Observation::Value(other)) => {
            (one.bad, one.recovered) == (other.bad, other.recovered)
        }
        (one, other) => std::mem::discriminant(one) == std::mem::discriminant(other),
    }
}

impl Instance {
    /// The clock was set back to this.
    fn rewind(&mut self, to: i64) {
        self.judged = self.judged.min(to);
        self.since = self.since.min(to);
        self.began = self.began.map(|began| began.min(to));
    }
}
