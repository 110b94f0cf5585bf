//! From a rule and its source to what there is to say about every moment of every series.

use crate::judge::{Bounds, Observation, Usual, are_joined, verdict};
use crate::machine::{Change, Instance};
use crate::notify::{Class, FLAPPING_WITHIN, Subject};
use crate::source::{Grid, Series, Source, SourceError};
use crate::usual::Baseline;
use orrery_api::alerting::{
    Acknowledgement, AlertEventKind, Condition, Guard, Level, Measure, Period, Rule, Season, WhenAbsent,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Alerts of one rule, at most; others are left out, and that is said.
pub const MOST_INSTANCES: usize = 1_000;

/// What a rule remembers between evaluations only to be faster.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// By number of the measure (0 is the rule's own, then guards) and season.
    baselines: BTreeMap<(usize, u8), Baseline>,
}

/// What there is to say about the moments of a grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Board {
    /// Which moments.
    pub grid: Grid,
    /// By id of the alert; empty if the question failed.
    pub series: Vec<Observed>,
    /// Why the question failed.
    pub failed: Option<SourceError>,
    /// Why something is missing.
    pub partial: Option<String>,
}

/// What there is to say about one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// Id of the alert.
    pub id: String,
    /// Labels of the alert.
    pub labels: BTreeMap<String, String>,
    /// Id of the node it is about.
    pub node: Option<String>,
    /// Id of the other end of a call.
    pub caller: Option<String>,
    /// One per moment.
    pub observations: Vec<Observation>,
}

/// The id of an alert: 16 hexadecimal digits, from the rule's name and the labels of the series.
pub fn alert_id(rule: &str, labels: &BTreeMap<String, String>) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(rule.as_bytes());
    for (name, value) in labels {
        for part in [name, value] {
            hasher.update(&[0]).update(part.as_bytes());
        }
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

/// Asks for everything a rule needs and judges it. A failure is part of the answer.
pub fn observe(rule: &Rule, source: &dyn Source, grid: Grid, memory: &mut Memory) -> Board {
    match try_observe(rule, source, grid, memory) {
        Ok((mut series, partial)) => {
            series.sort_by(|a, b| a.id.cmp(&b.id));
            Board { grid, series, failed: None, partial }
        }
        Err(failed) => Board { grid, series: Vec::new(), failed: Some(failed), partial: None },
    }
}

fn try_observe(
    rule: &Rule,
    source: &dyn Source,
    grid: Grid,
    memory: &mut Memory,
) -> Result<(Vec<Observed>, Option<String>), SourceError> {
    let mut found = source.values(&rule.measure, rule.window, grid)?;
    let mut partial = found.partial.take();
    if found.series.len() > MOST_INSTANCES {
        let more = found.series.len() - MOST_INSTANCES;
        partial = Some(format!("{more} more combinations of labels than the {MOST_INSTANCES} that are judged"));
        found.series.truncate(MOST_INSTANCES);
    }
    let gap = gap(rule);
    let mut asked = Asked { source, grid, gap, memory };
    let compared = asked.compared(0, &rule.measure, rule.window, &rule.levels, &found.series)?;
    let guards = rule.only_if.iter().map(|guard| (guard, true)).chain(rule.unless.iter().map(|guard| (guard, false)));
    let mut conditions = Vec::new();
    for (number, (guard, wanted)) in guards.enumerate() {
        conditions.push((asked.holding(number + 1, guard, rule.window)?, wanted, guard));
    }
    let of_series = |(place, series): (usize, Series)| {
        let holds_at = |number: usize| {
            conditions.iter().all(|(holding, wanted, guard)| {
                let joined =
                    |(other, holds): &(Series, Vec<bool>)| holds[number] && are_joined(&series, other, &guard.on);
                holding.iter().any(joined) == *wanted
            })
        };
        let observation = |(number, value): (usize, &Option<f64>)| match value {
            Some(value) if value.is_finite() => {
                Observation::Value(verdict(*value, &rule.levels, compared.at(place, number), holds_at(number)))
            }
            _ => Observation::Absent,
        };
        let observations = series.values.iter().enumerate().map(observation).collect();
        let mut labels = series.labels.clone();
        labels.extend(rule.labels.iter().map(|(name, value)| (name.clone(), value.clone())));
        Observed {
            id: alert_id(&rule.name, &series.labels),
            labels,
            node: series.node,
            caller: series.caller,
            observations,
        }
    };
    Ok((found.series.into_iter().enumerate().map(of_series).collect(), partial))
}

/// Before a moment so much may be unusual already: what is usual ends there.
fn gap(rule: &Rule) -> i64 {
    let longest = rule.levels.iter().map(|level| level.for_.unwrap_or(rule.for_)).max().unwrap_or(rule.for_);
    rule.window.nanos() + longest.nanos()
}

/// What values are compared with, by level.
enum Compared {
    /// With the same at all times.
    Fixed(Vec<Option<Bounds>>),
    /// By series and moment.
    Each(Vec<Vec<Vec<Option<Bounds>>>>),
}

impl Compared {
    fn at(&self, series: usize, moment: usize) -> &[Option<Bounds>] {
        match self {
            Compared::Fixed(all) => all,
            Compared::Each(all) => &all[series][moment],
        }
    }
}

/// One evaluation.
struct Asked<'a> {
    source: &'a dyn Source,
    grid: Grid,
    gap: i64,
    memory: &'a mut Memory,
}

impl Asked<'_> {
    /// What each series is compared with at each moment, by level.
    fn compared(
        &mut self,
        number: usize,
        measure: &Measure,
        window: Period,
        levels: &[Level],
        series: &[Series],
    ) -> Result<Compared, SourceError> {
        if levels.iter().all(|level| matches!(level.when, Condition::Above(_) | Condition::Below(_))) {
            return Ok(Compared::Fixed(levels.iter().map(|level| Bounds::of(level, None, None)).collect()));
        }
        let mut all = vec![vec![Vec::with_capacity(levels.len()); self.grid.count]; series.len()];
        for level in levels {
            match level.when {
                Condition::Above(_) | Condition::Below(_) => {
                    let bounds = Bounds::of(level, None, None);
                    all.iter_mut().flatten().for_each(|moment| moment.push(bounds));
                }
                Condition::Changed { than, .. } => {
                    let earlier = self.grid.earlier(than.period().nanos());
                    let past = self.source.values(measure, window, earlier)?.series;
                    let past: BTreeMap<_, _> = past.into_iter().map(|series| (series.labels, series.values)).collect();
                    for (series, moments) in series.iter().zip(&mut all) {
                        let values = past.get(&series.labels);
                        for (number, moment) in moments.iter_mut().enumerate() {
                            moment.push(Bounds::of(level, values.and_then(|values| values[number]), None));
                        }
                    }
                }
                Condition::Unusual { season, .. } => {
                    let usual = self.usual(number, season, measure, window, series)?;
                    for (usual, moments) in usual.into_iter().zip(&mut all) {
                        for (usual, moment) in usual.into_iter().zip(moments) {
                            moment.push(Bounds::of(level, None, usual));
                        }
                    }
                }
            }
        }
        Ok(Compared::Each(all))
    }

    fn usual(
        &mut self,
        number: usize,
        season: Season,
        measure: &Measure,
        window: Period,
        series: &[Series],
    ) -> Result<Vec<Vec<Option<Usual>>>, SourceError> {
        let baseline = self.memory.baselines.entry((number, season as u8)).or_insert_with(|| Baseline::new(season));
        baseline.usual(self.source, measure, window, self.grid, self.gap, series)
    }

    /// Series of another condition, and whether it holds at each moment.
    fn holding(
        &mut self,
        number: usize,
        guard: &Guard,
        window: Period,
    ) -> Result<Vec<(Series, Vec<bool>)>, SourceError> {
        let window = guard.window.unwrap_or(window);
        let level = Level { when: guard.when, ..Default::default() };
        let found = self.source.values(&guard.measure, window, self.grid)?.series;
        let compared = self.compared(number, &guard.measure, window, &[level], &found)?;
        let of_series = |(place, series): (usize, Series)| {
            let holds = |(moment, value): (usize, &Option<f64>)| {
                let bounds = compared.at(place, moment)[0];
                value.is_some_and(|value| bounds.is_some_and(|bounds| bounds.broken(value).is_some()))
            };
            let holding = series.values.iter().enumerate().map(holds).collect();
            (series, holding)
        };
        Ok(found.into_iter().enumerate().map(of_series).collect())
    }
}

/// An alert with what it is about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tracked {
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Id of the node it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Id of the other end of a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// Its state.
    pub instance: Instance,
    /// When it fired, within the last hour.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fired: Vec<i64>,
}

impl Tracked {
    /// What it is about may be told otherwise than before: the rule's labels are.
    fn describe(&mut self, observed: &Observed) {
        if self.labels != observed.labels && !observed.labels.is_empty() {
            self.labels.clone_from(&observed.labels);
            self.node.clone_from(&observed.node);
            self.caller.clone_from(&observed.caller);
        }
    }

    /// Whether nothing is known that a new one would not know.
    pub fn is_idle(&self) -> bool {
        self.instance.is_idle() && self.fired.is_empty()
    }

    /// What the notifier knows of it.
    pub fn subject(&self, id: &str, rule: &Rule, acknowledged: Option<Acknowledgement>) -> Subject {
        let mut labels = self.labels.clone();
        labels.insert("rule".to_owned(), rule.name.clone());
        labels.insert("severity".to_owned(), self.instance.severity.name().to_owned());
        Subject {
            id: id.to_owned(),
            rule: rule.name.clone(),
            labels,
            state: self.instance.state,
            severity: self.instance.severity,
            since: self.instance.since,
            began: self.instance.began.unwrap_or(self.instance.since),
            node: self.node.clone(),
            caller: self.caller.clone(),
            class: Class::of(&rule.measure),
            fired: self.fired.len(),
            acknowledged,
        }
    }
}

/// The states of the alerts of one rule, by id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RuleState {
    /// Every alert that is known.
    pub alerts: BTreeMap<String, Tracked>,
    /// The newest moment that was judged.
    pub judged: i64,
    /// Up to this moment every alert that is not here was normal: moments that are judged again do not bring others.
    #[serde(skip)]
    pub complete: i64,
}

impl RuleState {
    /// Judges one moment of a board, by its number; answers what happened to which alert.
    pub fn step(&mut self, rule: &Rule, board: &Board, number: usize) -> Vec<(String, Change)> {
        let at = board.grid.at(number);
        let mut changes = Vec::new();
        if at <= self.judged {
            return changes;
        }
        self.judged = at;
        for observed in &board.series {
            let observation = &observed.observations[number];
            if let Some(known) = self.alerts.get_mut(&observed.id) {
                known.describe(observed);
            } else {
                // Of a series without a value there is nothing to remember.
                if *observation == Observation::Absent || self.alerts.len() >= MOST_INSTANCES || at <= self.complete {
                    continue;
                }
                let new = Tracked {
                    labels: observed.labels.clone(),
                    node: observed.node.clone(),
                    caller: observed.caller.clone(),
                    ..Tracked::default()
                };
                self.alerts.insert(observed.id.clone(), new);
            }
        }
        self.stand_in(rule, board);
        let mut series = board.series.iter().peekable();
        let other = if board.failed.is_some() { Observation::Failed } else { Observation::Absent };
        for (id, alert) in &mut self.alerts {
            while series.next_if(|before| before.id < *id).is_some() {}
            let observation = series.next_if(|same| same.id == *id).map_or(&other, |same| &same.observations[number]);
            alert.fired.retain(|fired| at - fired < FLAPPING_WITHIN);
            if let Some(change) = alert.instance.step(rule, at, observation) {
                if change.what == AlertEventKind::Firing {
                    alert.fired.push(at);
                }
                changes.push((id.clone(), change));
            }
        }
        self.alerts.retain(|_, alert| !alert.instance.is_gone(at));
        changes
    }

    /// A rule that wants to tell of missing values or of failures, and knows no series yet, has an alert without labels for
    /// that; when there are series it goes.
    fn stand_in(&mut self, rule: &Rule, board: &Board) {
        let id = alert_id(&rule.name, &BTreeMap::new());
        let wants_one = (board.failed.is_some() && rule.error.then == WhenAbsent::Alert)
            || (board.failed.is_none() && board.series.is_empty() && rule.no_data.then == WhenAbsent::Alert);
        if self.alerts.is_empty() && wants_one {
            self.alerts.insert(id, Tracked { labels: rule.labels.clone(), ..Tracked::default() });
        }
    }

    /// Judges all moments of a board.
    pub fn run(&mut self, rule: &Rule, board: &Board) -> Vec<(String, Change)> {
        (0..board.grid.count).flat_map(|number| self.step(rule, board, number)).collect()
    }
}
