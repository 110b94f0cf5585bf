//! Rules as time goes on: which moments to judge when, what late data changes, who is told. The clock is the caller's.

mod figures;
mod run;

#[cfg(test)]
mod tests;

pub use figures::{Delays, Figures};
pub use run::Stats;

use crate::evaluate::{RuleState, Tracked};
use crate::notify::{CallGraph, Notice, Notifier, Policy, Subject, mutes};
use crate::source::Source;
use orrery_api::Nanos;
use orrery_api::alerting::{Acknowledgement, AlertEvent, AlertEventKind, AlertState, Measure, Muted, Rule};
use run::Run;
use std::collections::BTreeMap;

const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
/// Moments that were missed are judged late, but not those before this: after a longer time it is history.
pub const CATCH_UP: i64 = 60 * MINUTE;
/// A clock that is behind by so much was set back.
const SET_BACK: i64 = MINUTE;
/// What is judged already is looked at again after everything new; what does not get done within this time of a step, by the
/// stopwatch, has to wait for the next.
const LOOKING_BACK: u64 = 150_000_000;

/// What is known about what has arrived.
pub trait Arrivals {
    /// Whether everything that a measure is about, as of a moment, has arrived.
    fn has_arrived(&self, measure: &Measure, at: i64, now: i64) -> bool;

    /// Share of what was to be expected until a moment that has arrived, 0 to 1.
    fn coverage(&self, measure: &Measure, at: i64, now: i64) -> f64;
}

/// What a step needs from outside.
pub struct Outside<'a> {
    /// The clock, Unix nanoseconds.
    pub now: i64,
    /// Values.
    pub source: &'a dyn Source,
    /// What has arrived.
    pub arrivals: &'a dyn Arrivals,
    /// Who calls whom.
    pub graph: &'a CallGraph,
    /// A clock that only measures, in nanoseconds: what rules cost.
    pub stopwatch: &'a dyn Fn() -> u64,
}

/// What a step changed, to be kept as a whole before anybody is told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Alerts whose state is another one: id, name of the rule.
    pub states: Vec<(String, String, Tracked)>,
    /// Ids of alerts of which nothing has to be known any more.
    pub gone: Vec<String>,
    /// What happened, in order; numbers are not given yet.
    pub events: Vec<AlertEvent>,
    /// Who is to be told what.
    pub notices: Vec<Notice>,
    /// The notifier, if it changed.
    pub notifier: Option<Notifier>,
    /// All moments up to here are judged, by all rules.
    pub judged: i64,
    /// Whether anything was judged, or is to be looked at otherwise than before.
    pub is_news: bool,
}

impl Changes {
    /// Whether there is anything that must be kept.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
            && self.gone.is_empty()
            && self.events.is_empty()
            && self.notices.is_empty()
            && self.notifier.is_none()
    }
}

/// All rules, as time goes on.
#[derive(Debug, Default)]
pub struct Evaluator {
    runs: BTreeMap<String, Run>,
    notifier: Notifier,
    policy: Policy,
    acknowledged: BTreeMap<String, Acknowledgement>,
    muted: BTreeMap<String, Muted>,
    /// The newest moment that any rule has judged.
    newest: i64,
    /// States that need not be kept any more once all rules have passed this moment.
    to_forget: BTreeMap<String, i64>,
    figures: Figures,
    /// Whether people wrote something since the last step.
    is_changed: bool,
    /// Up to this moment everything was judged before the start, by the rules that come first now.
    restored: Option<i64>,
}

impl Evaluator {
    /// As it was kept: states of alerts by rule, the notifier, and the moment up to which everything was judged.
    pub fn restore(states: Vec<(String, String, Tracked)>, notifier: Notifier, judged: i64) -> Evaluator {
        let mut evaluator = Evaluator { notifier, newest: judged, restored: Some(judged), ..Evaluator::default() };
        for (id, rule, tracked) in states {
            let run = evaluator.runs.entry(rule).or_insert_with(|| Run::orphan(judged));
            run.restore(id, tracked);
        }
        evaluator
    }

    /// What people wrote is this now. A rule that measures or judges otherwise than before begins anew; one that is gone or
    /// switched off takes its alerts along.
    pub fn set_rules(&mut self, rules: Vec<Rule>, now: i64) -> Changes {
        let mut changes = Changes { judged: self.judged(), ..Changes::default() };
        self.is_changed = true;
        let mut old = std::mem::take(&mut self.runs);
        let restored = self.restored.take();
        for rule in rules.into_iter().filter(|rule| rule.enabled) {
            let run = match old.remove(&rule.name) {
                Some(run) => run.with_rule(rule),
                None => match restored {
                    Some(judged) => Run::orphan(judged).with_rule(rule),
                    None => Ok(Run::new(rule, now)),
                },
            };
            let run = run.unwrap_or_else(|both| {
                let (former, rule) = *both;
                former.end(now, "the rule was changed", &mut changes);
                Run::new(rule, now)
            });
            self.runs.insert(run.rule.name.clone(), run);
        }
        for run in old.into_values() {
            run.end(now, "the rule was removed or switched off", &mut changes);
        }
        for id in &changes.gone {
            self.acknowledged.remove(id);
            self.to_forget.remove(id);
        }
        changes
    }

    /// Whom to tell from now on.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
        self.is_changed = true;
    }

    /// Who has taken what on.
    pub fn set_acknowledged(&mut self, acknowledged: BTreeMap<String, Acknowledgement>) {
        self.acknowledged = acknowledged;
        self.is_changed = true;
    }

    /// Judges every moment that can be judged now, and finds out who is to be told.
    pub fn step(&mut self, outside: &Outside<'_>) -> Changes {
        let began = (outside.stopwatch)();
        let mut changes = Changes { is_news: std::mem::take(&mut self.is_changed), ..Changes::default() };
        for run in self.runs.values_mut() {
            run.go_on(outside, began, &mut self.figures, &mut changes);
            self.newest = self.newest.max(run.state.judged);
        }
        for run in self.runs.values_mut().filter(|run| run.looks_back()) {
            run.look_back(outside, &mut changes);
            if (outside.stopwatch)().saturating_sub(began) > LOOKING_BACK {
                break;
            }
        }
        if self.newest > outside.now + SET_BACK {
            self.newest = self.runs.values().map(|run| run.state.judged).max().unwrap_or(outside.now);
            self.notifier.rewind(self.newest);
            changes.is_news = true;
        }
        if changes.is_news {
            self.tell(outside, &mut changes);
        }
        changes.judged = self.judged();
        self.forget(&mut changes);
        changes
    }

    fn tell(&mut self, outside: &Outside<'_>, changes: &mut Changes) {
        let subjects = self.subjects();
        self.muted = mutes(&self.policy, outside.graph, &subjects, self.newest);
        if subjects.is_empty() && self.notifier == Notifier::default() {
            return;
        }
        let before = self.notifier.clone();
        let told = self.notifier.step(&self.policy, &subjects, &self.muted, self.newest);
        if before != self.notifier {
            changes.notifier = Some(self.notifier.clone());
        }
        changes.notices = told.notices;
        let rules: BTreeMap<&str, &str> = subjects.iter().map(|it| (it.id.as_str(), it.rule.as_str())).collect();
        let event = |event: crate::notify::Event| {
            let run = self.runs.get(*rules.get(event.alert.as_str())?)?;
            let tracked = run.state.alerts.get(&event.alert)?;
            let kind = AlertEvent { detail: event.detail, ..run.event(&event.alert, tracked, event.what, event.at) };
            Some(AlertEvent { recorded_unix_nano: Nanos(outside.now), ..kind })
        };
        changes.events.extend(told.events.into_iter().filter_map(event));
    }

    /// What the notifier looks at: everything that is, or lately was, not normal.
    fn subjects(&self) -> Vec<Subject> {
        let of_run = |run: &'_ Run| {
            let alerts = run.state.alerts.iter().filter(|(id, alert)| !alert.is_idle() || self.is_known(id));
            let subject =
                |(id, alert): (&String, &Tracked)| alert.subject(id, &run.rule, self.acknowledged.get(id).cloned());
            alerts.map(subject).collect::<Vec<_>>()
        };
        self.runs.values().flat_map(of_run).collect()
    }

    fn is_known(&self, id: &str) -> bool {
        self.to_forget.contains_key(id)
    }

    /// States of alerts that are idle again are kept until no rule can be asked about that time again.
    fn forget(&mut self, changes: &mut Changes) {
        for (id, _, tracked) in &changes.states {
            if tracked.is_idle() {
                self.to_forget.insert(id.clone(), tracked.instance.judged);
            } else {
                self.to_forget.remove(id);
            }
        }
        let judged = changes.judged;
        let past: Vec<String> =
            self.to_forget.iter().filter(|(_, at)| **at <= judged).map(|(id, _)| id.clone()).collect();
        for id in past {
            self.to_forget.remove(&id);
            self.acknowledged.remove(&id);
            changes.gone.push(id);
        }
        // What is forgotten in the same step need not be written first.
        changes.states.retain(|(id, ..)| !changes.gone.contains(id));
    }

    /// All moments up to here are judged, by all rules.
    fn judged(&self) -> i64 {
        self.runs.values().map(|run| run.state.judged).min().unwrap_or(self.newest)
    }

    /// The newest moment that any rule has judged.
    pub fn newest(&self) -> i64 {
        self.newest
    }

    /// How judging goes, since the start.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Every alert that is known, with its rule; why nobody is told, and who has taken it on.
    pub fn alerts(
        &self,
    ) -> impl Iterator<Item = (&str, &Rule, &Tracked, Option<&Muted>, Option<&Acknowledgement>, f64)> {
        self.runs.values().flat_map(move |run| {
            run.state.alerts.iter().map(move |(id, tracked)| {
                let acknowledged = self
                    .acknowledged
                    .get(id)
                    .filter(|taken| taken.at_unix_nano.0 >= tracked.instance.began.unwrap_or(tracked.instance.since));
                (id.as_str(), &run.rule, tracked, self.muted.get(id), acknowledged, run.stats.coverage)
            })
        })
    }

    /// Rules, and how they are.
    pub fn rules(&self) -> impl Iterator<Item = (&Rule, &RuleState, &Stats)> {
        self.runs.values().map(|run| (&run.rule, &run.state, &run.stats))
    }

    /// Alerts of a rule by state: those that fire, those that are pending.
    pub fn counts(state: &RuleState) -> (u32, u32) {
        let count = |wanted| state.alerts.values().filter(|alert| alert.instance.state == wanted).count() as u32;
        (count(AlertState::Firing), count(AlertState::Pending))
    }
}

/// An event about an alert that ends because its rule does.
fn ended(rule: &str, id: &str, tracked: &Tracked, now: i64, detail: &str) -> AlertEvent {
    AlertEvent {
        alert: id.to_owned(),
        rule: rule.to_owned(),
        labels: tracked.labels.clone(),
        what: AlertEventKind::Resolved,
        severity: tracked.instance.severity,
        at_unix_nano: Nanos(now),
        recorded_unix_nano: Nanos(now),
        node: tracked.node.clone(),
        caller: tracked.caller.clone(),
        detail: detail.to_owned(),
        coverage: 1.0,
        ..AlertEvent::default()
    }
}
