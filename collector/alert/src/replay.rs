//! The time machine: what a rule would have said, by the functions that say it.

use crate::evaluate::{Board, Memory, RuleState, observe};
use crate::judge::Observation;
use crate::notify::{CallGraph, Notifier, Policy, Subject, mutes};
use crate::source::{Grid, Source, SourceError};
use crate::text;
use orrery_api::Nanos;
use orrery_api::alerting::{
    AlertEvent, AlertEventKind, AlertPoint, AlertState, Condition, ReplayedInstance, ReplayedRule, Rule, Side,
    StateSpan,
};
use std::collections::BTreeMap;

const MINUTE: i64 = 60_000_000_000;
/// Instances that are shown.
const MOST_SHOWN: usize = 20;
/// Points of one of them.
const MOST_POINTS: usize = 500;
/// Events that are listed.
const MOST_EVENTS: usize = 1_000;

/// An alert of another rule as it was for a time: it may explain what the replayed rule says.
#[derive(Clone, Debug)]
pub struct Past {
    /// What it was.
    pub subject: Subject,
    /// From when.
    pub from: i64,
    /// Until when.
    pub to: i64,
}

/// Who would have been told.
#[derive(Clone, Copy, Debug)]
pub struct Telling<'a> {
    /// Routes, silences, inhibitions.
    pub policy: &'a Policy,
    /// Who calls whom.
    pub graph: &'a CallGraph,
    /// Alerts of other rules.
    pub others: &'a [Past],
}

/// Runs a rule over the past: all moments after `from` up to `to`, Unix nanoseconds. Nobody is told without `telling`.
/// What would have happened before is found out as far as it matters.
///
/// # Errors
/// As the source's.
pub fn replay(
    rule: &Rule,
    source: &dyn Source,
    (from, to): (i64, i64),
    telling: Option<Telling<'_>>,
) -> Result<(ReplayedRule, Option<String>), SourceError> {
    let longest = rule.levels.iter().filter_map(|level| level.for_).chain([rule.for_]).max().unwrap_or_default();
    let before = longest.nanos() + rule.keep_firing_for.nanos() + 10 * MINUTE;
    let grid = Grid::between(from.saturating_sub(before), to, rule.every.nanos().max(1));
    let board = observe(rule, source, grid, &mut Memory::default());
    if let Some(failed) = &board.failed {
        return Err(failed.clone());
    }
    let partial = board.partial.clone();
    let mut run = Run { rule, board: &board, from, to, state: RuleState::default(), open: BTreeMap::new() };
    let mut found =
        ReplayedRule { name: rule.name.clone(), unit: text::unit(&rule.measure), ..ReplayedRule::default() };
    let mut spans: BTreeMap<String, Vec<StateSpan>> = BTreeMap::new();
    let mut notifier = Notifier::default();
    for number in 0..grid.count {
        let at = grid.at(number);
        run.step(number, &mut found, &mut spans);
        if let Some(telling) = telling {
            run.tell(at, telling, &mut notifier, &mut found);
        }
    }
    run.close(&mut spans);
    found.judgements = grid.moments().filter(|at| *at > from).count() as u64 * board.series.len() as u64;
    found.instances = board.series.len() as u32;
    let firing = spans.values().flatten().filter(|span| span.state == AlertState::Firing);
    found.firing_nanos = Nanos(firing.map(|span| span.to.0 - span.from.0).sum());
    found.series = shown(rule, &board, from, spans);
    found.events.sort_by_key(|event| event.at_unix_nano);
    found.events.truncate(MOST_EVENTS);
    (1..).zip(&mut found.events).for_each(|(number, event)| event.number = number);
    Ok((found, partial))
}

struct Run<'a> {
    rule: &'a Rule,
    board: &'a Board,
    from: i64,
    to: i64,
    state: RuleState,
    /// States that go on.
    open: BTreeMap<String, StateSpan>,
}

impl Run<'_> {
    fn step(&mut self, number: usize, found: &mut ReplayedRule, spans: &mut BTreeMap<String, Vec<StateSpan>>) {
        for (id, change) in self.state.step(self.rule, self.board, number) {
            let Some(alert) = self.state.alerts.get(&id) else { continue };
            if let Some(mut span) = self.open.remove(&id) {
                span.to = Nanos(change.at);
                spans.entry(id.clone()).or_default().push(span);
            }
            if alert.instance.state != AlertState::Normal {
                let begin = Nanos(change.at.max(self.from));
                let span = StateSpan {
                    state: alert.instance.state,
                    severity: alert.instance.severity,
                    from: begin,
                    to: begin,
                };
                self.open.insert(id.clone(), span);
            }
            if change.at <= self.from {
                continue;
            }
            found.fired += u32::from(change.what == AlertEventKind::Firing);
            found.events.push(AlertEvent {
                alert: id.clone(),
                rule: self.rule.name.clone(),
                labels: alert.labels.clone(),
                what: change.what,
                severity: change.severity,
                at_unix_nano: Nanos(change.at),
                recorded_unix_nano: Nanos(change.at),
                value: change.value,
                node: alert.node.clone(),
                caller: alert.caller.clone(),
                coverage: 1.0,
                ..AlertEvent::default()
            });
        }
    }

    fn tell(&self, at: i64, telling: Telling<'_>, notifier: &mut Notifier, found: &mut ReplayedRule) {
        let is_of_note = |alert: &crate::Tracked| !alert.is_idle();
        let own = self.state.alerts.iter().filter(|(_, alert)| is_of_note(alert));
        let own: Vec<Subject> = own.map(|(id, alert)| alert.subject(id, self.rule, None)).collect();
        if own.is_empty() && notifier.groups.is_empty() {
            return;
        }
        let others = telling
            .others
            .iter()
            .filter(|past| (past.from..past.to).contains(&at) && past.subject.rule != self.rule.name);
        let all: Vec<Subject> = own.iter().cloned().chain(others.map(|past| past.subject.clone())).collect();
        let muted = mutes(telling.policy, telling.graph, &all, at);
        let told = notifier.step(telling.policy, &own, &muted, at);
        if at <= self.from {
            return;
        }
        found.notified +=
            told.notices.iter().filter(|notice| !notice.active.is_empty() && !notice.is_repeat).count() as u32;
        for event in told.events {
            let Some(alert) = self.state.alerts.get(&event.alert) else { continue };
            found.events.push(AlertEvent {
                alert: event.alert,
                rule: self.rule.name.clone(),
                labels: alert.labels.clone(),
                what: event.what,
                severity: alert.instance.severity,
                at_unix_nano: Nanos(event.at),
                recorded_unix_nano: Nanos(event.at),
                value: alert.instance.value,
                node: alert.node.clone(),
                caller: alert.caller.clone(),
                detail: event.detail,
                coverage: 1.0,
                ..AlertEvent::default()
            });
        }
    }

    fn close(&mut self, spans: &mut BTreeMap<String, Vec<StateSpan>>) {
        for (id, mut span) in std::mem::take(&mut self.open) {
            span.to = Nanos(self.to);
            spans.entry(id).or_default().push(span);
        }
        // What was over before the range began.
        for spans in spans.values_mut() {
            spans.retain(|span| span.to.0 > self.from);
        }
    }
}

/// The instances with most to say.
fn shown(rule: &Rule, board: &Board, from: i64, mut spans: BTreeMap<String, Vec<StateSpan>>) -> Vec<ReplayedInstance> {
    let weight = |spans: &[StateSpan]| {
        let length = |span: &StateSpan| (span.to.0 - span.from.0) as f64 / 1e9;
        let per_second = |state| match state {
            AlertState::Firing => 1_000.0,
            AlertState::NoData | AlertState::Error => 10.0,
            AlertState::Pending | AlertState::Normal => 1.0,
        };
        spans.iter().map(|span| length(span) * per_second(span.state)).sum::<f64>()
    };
    let mut all: Vec<_> =
        board.series.iter().map(|series| (series, spans.remove(&series.id).unwrap_or_default())).collect();
    all.sort_by(|(a, a_spans), (b, b_spans)| {
        weight(b_spans).total_cmp(&weight(a_spans)).then_with(|| a.labels.cmp(&b.labels))
    });
    all.truncate(MOST_SHOWN);
    let instance = |(series, states): (&crate::Observed, Vec<StateSpan>)| ReplayedInstance {
        id: series.id.clone(),
        labels: series.labels.clone(),
        points: points(&series.observations, board.grid, from, looks_down(rule)),
        states,
    };
    all.into_iter().map(instance).collect()
}

/// Whether small values are bad.
pub fn looks_down(rule: &Rule) -> bool {
    rule.levels.first().is_some_and(|level| match level.when {
        Condition::Below(_) => true,
        Condition::Above(_) => false,
        Condition::Changed { side, .. } | Condition::Unusual { side, .. } => side == Side::Below,
    })
}

/// Of several moments that fall together the worst value, with what it was compared with.
pub fn points(observations: &[Observation], grid: Grid, from: i64, looks_down: bool) -> Vec<AlertPoint> {
    let first = grid.moments().take_while(|at| *at <= from).count();
    let left = observations.len().saturating_sub(first);
    let together = left.div_ceil(MOST_POINTS).max(1);
    let moments: Vec<_> = grid.moments().zip(observations).skip(first).collect();
    let worst = |moments: &[(i64, &Observation)]| {
        let verdicts = moments.iter().filter_map(|(at, observation)| match observation {
            Observation::Value(verdict) => Some((*at, verdict)),
            Observation::Absent | Observation::Failed => None,
        });
        let order = |a: &(i64, &crate::Verdict), b: &(i64, &crate::Verdict)| a.1.value.total_cmp(&b.1.value);
        let worst = if looks_down { verdicts.min_by(order) } else { verdicts.max_by(order) };
        match worst {
            Some((at, verdict)) => AlertPoint {
                time_unix_nano: Nanos(at),
                value: Some(verdict.value),
                low: verdict.low,
                high: verdict.high,
            },
            None => AlertPoint { time_unix_nano: Nanos(moments[0].0), ..AlertPoint::default() },
        }
    };
    moments.chunks(together).map(worst).collect()
}
