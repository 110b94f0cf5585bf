//! The state of one alert, and how it goes on: the one state machine, live and in replay.

use crate::judge::{Observation, Verdict};
use orrery_api::alerting::{AlertEventKind, AlertSeverity, AlertState, Rule, WhenAbsent};
use serde::{Deserialize, Serialize};

/// An alert that has had no value for so long is let go, whatever its rule says: what it was about is gone.
pub const LET_GO_NANOS: i64 = 3_600_000_000_000;

/// Where a level of a rule stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Standing {
    /// Bad since.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<i64>,
    /// Whether for long enough.
    is_active: bool,
    /// When it was bad last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_bad: Option<i64>,
    /// Which of the last judgements were bad, the newest in the lowest bit.
    recent: u64,
}

/// The state of one alert. [`Default`] is normal, never judged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Instance {
    /// What it is.
    pub state: AlertState,
    /// How bad it is, or was last.
    pub severity: AlertSeverity,
    /// Since when it is that.
    pub since: i64,
    /// When it began to be bad.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub began: Option<i64>,
    /// The newest value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// What that is compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Moment of the newest judgement.
    pub judged: i64,
    /// Since when there are no values.
    #[serde(skip_serializing_if = "Option::is_none")]
    absent_since: Option<i64>,
    /// Since when the question fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_since: Option<i64>,
    /// One per level, in the order of the rule.
    standings: Vec<Standing>,
}

/// Something that happened to an alert.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// What.
    pub what: AlertEventKind,
    /// How bad it is, or was.
    pub severity: AlertSeverity,
    /// The moment that was judged.
    pub at: i64,
    /// The value then.
    pub value: Option<f64>,
}

impl Instance {
    /// Whether nothing is known that a new one would not know: it can be forgotten.
    pub fn is_idle(&self) -> bool {
        let idle = |standing: &Standing| !standing.is_active && standing.since.is_none() && standing.recent == 0;
        self.state == AlertState::Normal && self.standings.iter().all(idle)
    }

    /// Whether it has had no values for so long that it need not be asked about any more.
    pub fn is_gone(&self, at: i64) -> bool {
        self.is_idle() && self.absent_since.is_some_and(|since| at - since > LET_GO_NANOS)
    }

    /// Whether it is as another one, but for its newest value.
    pub fn is_same_state(&self, other: &Instance) -> bool {
        let essence = |instance: &Instance| Instance {
            value: None,
            threshold: None,
            judged: 0,
            standings: instance.standings.iter().map(|it| Standing { last_bad: None, ..*it }).collect(),
            ..instance.clone()
        };
        essence(self) == essence(other)
    }

    /// Judges a moment. Moments come in order; what was judged already is left alone.
    pub fn step(&mut self, rule: &Rule, at: i64, observation: &Observation) -> Option<Change> {
        if at <= self.judged {
            return None;
        }
        self.judged = at;
        self.standings.resize(rule.levels.len(), Standing::default());
        let before = (self.state, self.severity);
        match observation {
            Observation::Value(verdict) => {
                (self.absent_since, self.failing_since) = (None, None);
                (self.value, self.threshold) = (Some(verdict.value), verdict.threshold);
                self.judge(rule, at, verdict);
            }
            Observation::Absent => {
                self.failing_since = None;
                self.value = None;
                let since = *self.absent_since.get_or_insert(at);
                if !self.is_without(rule, at, since, &rule.no_data, AlertState::NoData) && at - since >= LET_GO_NANOS {
                    self.standings.fill(Standing::default());
                }
            }
            Observation::Failed => {
                let since = *self.failing_since.get_or_insert(at);
                self.is_without(rule, at, since, &rule.error, AlertState::Error);
            }
        }
        self.settle(rule, at, before)
    }

    fn judge(&mut self, rule: &Rule, at: i64, verdict: &Verdict) {
        for (number, (standing, level)) in self.standings.iter_mut().zip(&rule.levels).enumerate() {
            let bit = 1_u8 << number;
            // Between the threshold and the one for recovery it stays what it is.
            let is_bad = verdict.bad & bit != 0 || (standing.is_active && verdict.recovered & bit == 0);
            let for_ = level.for_.unwrap_or(rule.for_).nanos();
            standing.go_on(at, is_bad, for_, rule);
        }
        if matches!(self.state, AlertState::NoData | AlertState::Error) {
            self.state = AlertState::Normal;
        }
    }

    /// A moment without a value. Answers whether that is a state of its own, for as long as it has lasted now.
    fn is_without(
        &mut self,
        rule: &Rule,
        at: i64,
        since: i64,
        absence: &orrery_api::alerting::Absence,
        state: AlertState,
    ) -> bool {
        if at - since < absence.after.nanos() {
            return false;
        }
        match absence.then {
            WhenAbsent::Keep => false,
            WhenAbsent::Ok => {
                for standing in &mut self.standings {
                    standing.go_on(at, false, i64::MAX, rule);
                }
                if self.state == state {
                    self.state = AlertState::Normal;
                }
                false
            }
            WhenAbsent::Alert => {
                self.standings.fill(Standing::default());
                self.state = state;
                true
            }
        }
    }

    /// What it is, after its levels are known; and what that is to somebody who saw what it was.
    fn settle(&mut self, rule: &Rule, at: i64, before: (AlertState, AlertSeverity)) -> Option<Change> {
        let with_severity = || self.standings.iter().zip(&rule.levels);
        let active = with_severity().filter(|(standing, _)| standing.is_active).map(|(_, level)| level.severity).max();
        let pending =
            with_severity().filter(|(standing, _)| standing.since.is_some()).map(|(_, level)| level.severity).max();
        let began = self.standings.iter().filter_map(|standing| standing.since).min();
        let is_without = matches!(self.state, AlertState::NoData | AlertState::Error);
        let (state, severity) = match (is_without, active, pending) {
            (true, ..) => (self.state, rule.levels.iter().map(|level| level.severity).max().unwrap_or_default()),
            (false, Some(severity), _) => (AlertState::Firing, severity),
            (false, None, Some(severity)) => (AlertState::Pending, severity),
            (false, None, None) => (AlertState::Normal, before.1),
        };
        self.began = match state {
            AlertState::Normal => None,
            AlertState::Pending | AlertState::Firing => self.began.filter(|_| before.0 != AlertState::Normal).or(began),
            AlertState::NoData => self.absent_since,
            AlertState::Error => self.failing_since,
        };
        (self.state, self.severity) = (state, severity);
        let what = match (before.0, state) {
            (from, to) if from == to => {
                let told_otherwise = to == AlertState::Firing && before.1 != severity;
                told_otherwise.then_some(AlertEventKind::Severity)?
            }
            (_, AlertState::Firing) => AlertEventKind::Firing,
            (_, AlertState::NoData) => AlertEventKind::NoData,
            (_, AlertState::Error) => AlertEventKind::Error,
            (AlertState::Pending, AlertState::Normal) => AlertEventKind::Calmed,
            (_, AlertState::Normal) => AlertEventKind::Resolved,
            (AlertState::Firing | AlertState::NoData | AlertState::Error, AlertState::Pending) => {
                AlertEventKind::Resolved
            }
            (_, AlertState::Pending) => AlertEventKind::Pending,
        };
        if what != AlertEventKind::Severity {
            self.since = at;
        }
        let severity = if what == AlertEventKind::Resolved { before.1 } else { severity };
        Some(Change { what, severity, at, value: self.value })
    }
}

impl Standing {
    fn go_on(&mut self, at: i64, is_bad: bool, for_: i64, rule: &Rule) {
        self.recent = self.recent << 1 | u64::from(is_bad);
        let enough = match rule.least {
            Some(least) => {
                let mask = if least.of >= 64 { u64::MAX } else { (1 << least.of) - 1 };
                self.recent &= mask;
                let times = self.recent.count_ones();
                self.since = if times > 0 { self.since.or(Some(at)) } else { None };
                times >= least.times.max(1)
            }
            None => {
                self.recent = 0;
                self.since = if is_bad { self.since.or(Some(at)) } else { None };
                self.since.is_some_and(|since| at - since >= for_)
            }
        };
        if is_bad {
            self.last_bad = Some(at);
        }
        let is_kept = self.last_bad.is_some_and(|last| at - last < rule.keep_firing_for.nanos());
        // So often within so many is over when none of them was bad, or it would come and go with each of them.
        self.is_active = enough || self.is_active && (is_bad || is_kept || self.recent != 0);
        if self.is_active {
            self.since = self.since.or(self.last_bad).or(Some(at));
        } else if !is_bad {
            self.last_bad = None;
        }
    }
}
