//! Rules: what is measured, when that is bad, for how long.

use super::period::Period;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Characters of a rule's name, at most.
pub const MAX_RULE_NAME: usize = 100;
/// Levels of a rule, at most: one per severity.
pub const MAX_LEVELS: usize = 3;
/// Shortest step between two evaluations, and what every step and window is a multiple of, seconds.
pub const STEP_SECONDS: u32 = 10;

/// How bad. The later the worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum AlertSeverity {
    /// To know.
    Info,
    /// To look at during the day.
    #[default]
    Warning,
    /// To get up for.
    Critical,
}

impl AlertSeverity {
    /// Spelling in the API and in the label `severity`.
    pub fn name(self) -> &'static str {
        match self {
            AlertSeverity::Info => "info",
            AlertSeverity::Warning => "warning",
            AlertSeverity::Critical => "critical",
        }
    }
}

/// A rule. Each combination of labels that its measure yields is judged by itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// 1 to 100 characters; no two rules have the same.
    pub name: String,
    /// What it means that this fires, and what to do; goes into the message.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whether it is evaluated.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub enabled: bool,
    /// What is measured.
    pub measure: Measure,
    /// What one value is about: so much time before the moment that is judged. Multiple of 10 s.
    #[serde(default = "minute")]
    pub window: Period,
    /// Time between two judgements. Multiple of 10 s.
    #[serde(default = "step")]
    pub every: Period,
    /// When it is bad, and how bad: at most one per severity.
    #[serde(rename = "level")]
    pub levels: Vec<Level>,
    /// Only while all of these hold.
    #[serde(default, rename = "only_if", skip_serializing_if = "Vec::is_empty")]
    pub only_if: Vec<Guard>,
    /// Only while none of these holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unless: Vec<Guard>,
    /// So long it must be bad before it fires; pending until then.
    #[serde(default, rename = "for", skip_serializing_if = "Period::is_zero")]
    pub for_: Period,
    /// Instead of `for`: so often within the last judgements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<Least>,
    /// So long it goes on firing after it was bad last.
    #[serde(default, skip_serializing_if = "Period::is_zero")]
    pub keep_firing_for: Period,
    /// When there are no values.
    #[serde(default, skip_serializing_if = "is_default")]
    pub no_data: Absence,
    /// When the question failed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub error: Absence,
    /// A moment is judged when what was sent until then has arrived, and at the latest after this.
    #[serde(default = "patience", skip_serializing_if = "is_patience")]
    pub max_wait: Period,
    /// Added to the labels of its alerts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_yes(it: &bool) -> bool {
    *it
}

fn is_default<T: Default + PartialEq>(it: &T) -> bool {
    *it == T::default()
}

fn minute() -> Period {
    Period::minutes(1)
}

fn step() -> Period {
    Period::seconds(STEP_SECONDS)
}

fn patience() -> Period {
    Period::seconds(20)
}

fn is_patience(it: &Period) -> bool {
    *it == patience()
}

/// When a value is how bad.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// How bad.
    pub severity: AlertSeverity,
    /// When.
    pub when: Condition,
    /// Once it fires it is over only beyond this: below it where `when` looks upwards, above it where downwards. For
    /// [`Condition::Changed`] and [`Condition::Unusual`] a share of the way back, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recover: Option<f64>,
    /// Instead of the rule's `for`.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub for_: Option<Period>,
}

/// When a value is bad.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Condition {
    /// Larger than this.
    Above(f64),
    /// Smaller than this.
    Below(f64),
    /// Compared with the same time a day or a week before.
    Changed {
        /// Which way is bad.
        #[serde(default)]
        side: Side,
        /// With when.
        than: Past,
        /// Larger (or smaller) by this factor, more than 1: 2 is twice, or half.
        times: f64,
        /// And by this much.
        #[serde(default)]
        by: f64,
    },
    /// Compared with what is usual: outside of the band of so many deviations around the median.
    Unusual {
        /// Which way is bad.
        #[serde(default)]
        side: Side,
        /// What is usual is taken from when.
        #[serde(default)]
        season: Season,
        /// Median absolute deviations, made comparable with standard deviations (times 1.4826); 3 and more.
        deviations: f64,
        /// And away from the median by this factor, 1 and more.
        #[serde(default = "one")]
        times: f64,
        /// And by this much.
        #[serde(default)]
        by: f64,
    },
}

fn one() -> f64 {
    1.0
}

impl Default for Condition {
    fn default() -> Condition {
        Condition::Above(0.0)
    }
}

/// Which way is bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Larger.
    #[default]
    Above,
    /// Smaller.
    Below,
    /// Both.
    Either,
}

/// What one compares with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Past {
    /// An hour before.
    LastHour,
    /// A day before.
    #[default]
    LastDay,
    /// A week before.
    LastWeek,
}

impl Past {
    /// How long ago.
    pub const fn period(self) -> Period {
        match self {
            Past::LastHour => Period::hours(1),
            Past::LastDay => Period::days(1),
            Past::LastWeek => Period::days(7),
        }
    }
}

/// From when what is usual is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Season {
    /// The hour before.
    #[default]
    Recent,
    /// The same time of the day on the seven days before.
    Day,
    /// The same time of the week in the four weeks before.
    Week,
}

/// So often within so many judgements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Least {
    /// At least so often.
    pub times: u32,
    /// Of the last so many; at most 60.
    pub of: u32,
}

/// What happens without values, or when the question fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Absence {
    /// What then.
    #[serde(default)]
    pub then: WhenAbsent,
    /// Only after so long; until then nothing changes.
    #[serde(default)]
    pub after: Period,
}

/// What happens without values, or when the question fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum WhenAbsent {
    /// What was goes on: firing stays firing.
    #[default]
    Keep,
    /// As if all were well.
    Ok,
    /// A state of its own, that is told about.
    Alert,
}

/// Another condition that must hold, or must not, at the same time, for the same labels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// What is measured.
    pub measure: Measure,
    /// What one value is about; as the rule's, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Period>,
    /// When it holds.
    pub when: Condition,
    /// Labels that must be the same; all that both have, if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<String>,
}

/// What is measured. Ratios are 0 to 1, durations seconds, rates per second, other counts per window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "signal", rename_all = "snake_case", deny_unknown_fields)]
pub enum Measure {
    /// Requests that services serve, from rollups. Labels: `service`, and `operation`, `version` or `instance`.
    Requests {
        /// Which number.
        figure: Figure,
        /// One value per what.
        #[serde(default)]
        by: GroupBy,
        /// Only this service, by name or id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        service: Option<String>,
        /// Only this operation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operation: Option<String>,
        /// Only this `deployment.environment.name`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        environment: Option<String>,
        /// With fewer requests in a window there is no value.
        #[serde(default)]
        least_requests: u32,
    },
    /// Calls between nodes, from rollups. Labels: `caller`, `callee`, `kind`.
    Calls {
        /// Which number.
        figure: CallFigure,
        /// Only of this node, by name or id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caller: Option<String>,
        /// Only to this node, by name or id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        callee: Option<String>,
        /// Only of this kind: `call`, `database`, `publish`, `consume`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<String>,
        /// Only this `deployment.environment.name`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        environment: Option<String>,
        /// With fewer calls in a window there is no value.
        #[serde(default)]
        least_requests: u32,
    },
    /// Failed spans by type of error, per window. Labels: `service`, `error.type`.
    Errors {
        /// Only of this service, by name or id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        service: Option<String>,
        /// Only of these types; a `*` at the end stands for anything.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        types: Vec<String>,
        /// Only this `deployment.environment.name`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        environment: Option<String>,
    },
    /// Types of error of a service that were not seen during the day before: failed spans per window. Labels: `service`,
    /// `error.type`, `message`.
    NewErrors {
        /// Only of this service, by name or id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        service: Option<String>,
        /// Only this `deployment.environment.name`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        environment: Option<String>,
    },
    /// Calls between nodes that did not call each other during the day before, per window. Labels: `caller`, `callee`.
    NewEdges {
        /// Only this `deployment.environment.name`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        environment: Option<String>,
    },
    /// Seconds since the last span of a service that usually has some. Label: `service`.
    Silent {
        /// Only this service, by name or id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        service: Option<String>,
        /// Only this `deployment.environment.name`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        environment: Option<String>,
    },
    /// Metrics of spans, in TraceQL: `{ … } | rate() by (resource.service.name)`. Labels: those of its series.
    Traces {
        /// TraceQL with a metrics function at the end.
        q: String,
    },
    /// Log records, per window. Label: `service`.
    Logs {
        /// Only of this service, by name or id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        service: Option<String>,
        /// Only this level or worse: `info`, `warn`, `error`, `fatal`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        severity: Option<String>,
        /// Body contains, ignoring case.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// `key=value`, or `key!=value` to exclude; all must hold.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        attr: Vec<String>,
    },
    /// Log records whose pattern (the text without numbers and ids) was not seen during the hour before, per window.
    /// Labels: `service`, `pattern`.
    NewLogPatterns {
        /// Only of this service, by name or id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        service: Option<String>,
        /// Only this level or worse.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        severity: Option<String>,
    },
    /// A metric. Labels: those of `group_by`.
    Metric {
        /// Its name.
        name: String,
        /// `average`, `sum`, `min`, `max`, `rate`, `p50` to `p99`; what fits the metric, if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        aggregation: Option<String>,
        /// Only of this service, by name or id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        service: Option<String>,
        /// `key=value`, or `key!=value` to exclude; all must hold.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        attr: Vec<String>,
        /// One value per combination of these attributes.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        group_by: Vec<String>,
    },
    /// Seconds since the last report of a host. Label: `host`.
    Hosts {
        /// Only this `host.name`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
    },
    /// A statement of the SQL console. Its column `value` is the value, its text columns are labels; `$from` and `$to`
    /// are the window, Unix nanoseconds.
    Sql {
        /// One SELECT.
        statement: String,
    },
    /// Seconds since somebody last sent `POST /api/v1/alerting/heartbeats/{name}`. Label: `heartbeat`.
    Heartbeat {
        /// Its name.
        name: String,
    },
    /// How fast the error budget of an objective burns, as a multiple of what it allows: the smaller of that of the window
    /// and that of a shorter one. Labels: those of the objective. Made by objectives themselves.
    Burn {
        /// Name of the objective.
        slo: String,
        /// The shorter window.
        short: Period,
    },
}

impl Default for Measure {
    fn default() -> Measure {
        Measure::Requests {
            figure: Figure::ErrorRatio,
            by: GroupBy::Service,
            service: None,
            operation: None,
            environment: None,
            least_requests: 0,
        }
    }
}

/// A number about requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Requests per second.
    Rate,
    /// Failed requests in the window.
    Errors,
    /// Failed share, 0 to 1.
    #[default]
    ErrorRatio,
    /// Mean duration, seconds.
    Mean,
    /// Median duration, seconds.
    P50,
    /// 90th percentile of the duration, seconds.
    P90,
    /// 95th percentile of the duration, seconds.
    P95,
    /// 99th percentile of the duration, seconds.
    P99,
}

/// A number about calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CallFigure {
    /// Calls per second.
    Rate,
    /// Failed calls in the window, as the caller saw it.
    Errors,
    /// Failed share as the caller saw it, 0 to 1.
    #[default]
    ErrorRatio,
    /// Share of calls that failed without the callee failing: refused, timed out, cut off; 0 to 1.
    UnansweredRatio,
    /// Mean duration as the caller saw it, seconds.
    Mean,
    /// Median duration as the caller saw it, seconds.
    P50,
    /// 95th percentile of the duration as the caller saw it, seconds.
    P95,
    /// 99th percentile of the duration as the caller saw it, seconds.
    P99,
    /// 95th percentile of the time between the two, seconds.
    NetworkP95,
    /// 95th percentile of the time from publishing to consumption, seconds.
    LagP95,
}

/// One value per what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    /// Per service.
    #[default]
    Service,
    /// Per service and operation.
    Operation,
    /// Per service and version.
    Version,
    /// Per service and instance.
    Instance,
}
