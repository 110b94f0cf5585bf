//! The time machine: what a rule would have said.

use super::rule::{AlertSeverity, Rule};
use super::state::{AlertEvent, AlertPoint, AlertState, ValueUnit};
use crate::time::{Nanos, Range};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Drafts compared at once, at most.
pub const MAX_DRAFTS: usize = 2;

/// What is sent to `POST /alerting/replay`; `from` and `to` are query parameters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ReplayRequest {
    /// One or two rules.
    pub rules: Vec<Rule>,
    /// Whether silences, inhibition and routes apply, as they are now.
    #[serde(default = "yes")]
    pub notify: bool,
}

fn yes() -> bool {
    true
}

/// What rules would have said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Replay {
    /// What was looked at.
    pub range: Range,
    /// In the order in which they were sent.
    pub drafts: Vec<ReplayedRule>,
    /// Milliseconds it took.
    pub took_millis: u32,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
}

/// What one rule would have said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplayedRule {
    /// Its name.
    pub name: String,
    /// Judgements made.
    pub judgements: u64,
    /// Combinations of labels there were.
    pub instances: u32,
    /// How often it would have fired.
    pub fired: u32,
    /// How often people would have been told that it fires.
    pub notified: u32,
    /// Nanoseconds it would have been firing, all instances added up.
    pub firing_nanos: Nanos,
    /// In which unit values are.
    pub unit: ValueUnit,
    /// The instances with most to say, at most 20.
    pub series: Vec<ReplayedInstance>,
    /// Everything that would have happened, oldest first, at most 1000.
    pub events: Vec<AlertEvent>,
}

/// What one combination of labels would have been.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplayedInstance {
    /// Id of the alert.
    pub id: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Values, at most 500: of several that fall together the worst.
    pub points: Vec<AlertPoint>,
    /// What it was when; normal is left out.
    pub states: Vec<StateSpan>,
}

/// A time in one state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StateSpan {
    /// What it was.
    pub state: AlertState,
    /// How bad.
    pub severity: AlertSeverity,
    /// From when.
    pub from: Nanos,
    /// Until when; the end of the range, if it went on.
    pub to: Nanos,
}
