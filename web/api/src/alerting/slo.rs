//! Service level objectives.

use super::period::Period;
use crate::time::{Nanos, Range};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An objective: so large a share of what happens is to be good. The rules that watch its error budget are made for it:
/// `NAME: budget burns fast` (critical: 14.4 times as fast over 1 h and 5 min, 6 times over 6 h and 30 min) and
/// `NAME: budget burns` (warning: as fast as allowed over 3 d and 6 h), after the workbook on site reliability.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Slo {
    /// 1 to 100 characters; no two objectives have the same.
    pub name: String,
    /// For whom and why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What counts, and what is good.
    pub indicator: Indicator,
    /// Share that is to be good, more than 0 and less than 1: 0.999.
    pub objective: f64,
    /// Over which time; 28 days if absent.
    #[serde(default = "four_weeks")]
    pub period: Period,
    /// Whether its budget is watched by rules.
    #[serde(default = "yes")]
    pub alerts: bool,
    /// Added to the labels of its alerts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

fn yes() -> bool {
    true
}

fn four_weeks() -> Period {
    Period::days(28)
}

/// What counts, and what is good.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Indicator {
    /// Requests count; those that did not fail are good. From rollups.
    Availability {
        /// Of this service, by name or id.
        service: String,
        /// Only this operation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operation: Option<String>,
        /// Only this `deployment.environment.name`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        environment: Option<String>,
    },
    /// Requests count; those that did not fail and took no longer are good. From rollups.
    Latency {
        /// Of this service, by name or id.
        service: String,
        /// Only this operation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operation: Option<String>,
        /// Only this `deployment.environment.name`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        environment: Option<String>,
        /// Seconds.
        under: f64,
    },
    /// Spans that `all` finds count; those of them that `good` finds are good. Two filters of TraceQL: `{ … }`.
    Traces {
        /// What counts.
        all: String,
        /// What of it is good.
        good: String,
    },
}

impl Default for Indicator {
    fn default() -> Indicator {
        Indicator::Availability { service: String::new(), operation: None, environment: None }
    }
}

/// How an objective stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SloStatus {
    /// The objective.
    pub slo: Slo,
    /// The period that was looked at.
    pub range: Range,
    /// What counted.
    pub total: f64,
    /// What of it was bad.
    pub bad: f64,
    /// Good share, 0 to 1; absent if nothing counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good_ratio: Option<f64>,
    /// What is left of the error budget, as a share of it; below 0 when it is overdrawn. Absent if nothing counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_left: Option<f64>,
    /// Share of the period that was measured: time without data is neither good nor bad, and is not in the other numbers.
    pub coverage: f64,
    /// How fast the budget burns now, over the last hour, as a multiple of what it allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burn: Option<f64>,
    /// When the budget is used up if it goes on like this; absent if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exhausted_unix_nano: Option<Nanos>,
    /// What was left of the budget, over the period, oldest first.
    pub points: Vec<BudgetPoint>,
    /// Ids of its alerts that are not normal.
    pub alerts: Vec<String>,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
}

/// What was left of a budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BudgetPoint {
    /// When.
    pub time_unix_nano: Nanos,
    /// Share of the whole budget.
    pub left: f64,
    /// Bad share of the step that ends here; absent if it was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bad_ratio: Option<f64>,
}

/// `GET /alerting/slos`: by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SloList {
    /// How they stand.
    pub slos: Vec<SloStatus>,
}
