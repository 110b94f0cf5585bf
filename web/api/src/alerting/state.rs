//! What rules say now, and what they said.

use super::rule::{AlertSeverity, Rule};
use crate::findings::Finding;
use crate::time::{Nanos, Range};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What an alert is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// All is well.
    #[default]
    Normal,
    /// It is bad, but not for long enough.
    Pending,
    /// There are no values, for long enough to say so.
    NoData,
    /// The question failed, for long enough to say so.
    Error,
    /// It is bad.
    Firing,
}

impl AlertState {
    /// Spelling in the API.
    pub fn name(self) -> &'static str {
        match self {
            AlertState::Normal => "normal",
            AlertState::Pending => "pending",
            AlertState::NoData => "no_data",
            AlertState::Error => "error",
            AlertState::Firing => "firing",
        }
    }

    /// Whether people are told about it.
    pub fn is_told(self) -> bool {
        matches!(self, AlertState::Firing | AlertState::NoData | AlertState::Error)
    }
}

/// An alert: one rule for one combination of labels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Alert {
    /// Of the rule and the labels: the same each time.
    pub id: String,
    /// Name of the rule.
    pub rule: String,
    /// Of the series, and those the rule adds.
    pub labels: BTreeMap<String, String>,
    /// What it is.
    pub state: AlertState,
    /// How bad.
    pub severity: AlertSeverity,
    /// Since when it is that.
    pub since_unix_nano: Nanos,
    /// When it began to be bad: the beginning of pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_unix_nano: Option<Nanos>,
    /// The newest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// What it is compared with: the threshold, or the end of the band that was left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// In which unit both are.
    pub unit: ValueUnit,
    /// In a sentence: `52 % of the requests to payments fail (more than 5 %)`.
    pub summary: String,
    /// What that sentence is made of, besides the labels and values: for whoever says it in another language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<Saying>,
    /// Id of the node it is about; of the callee, where it is about calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Id of the other end of a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// Why nobody is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted: Option<Muted>,
    /// Who has taken it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledgement>,
    /// Moment of the newest judgement.
    pub judged_unix_nano: Nanos,
    /// Share of the data expected by then that had arrived, 0 to 1.
    pub coverage: f64,
}

/// What a sentence about an alert is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Saying {
    /// Signal of the rule's measure, as documents spell it.
    pub signal: String,
    /// Figure of it, where the signal has several.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub figure: String,
    /// The metric, heartbeat or objective that the rule names.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Small values are bad.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_less: bool,
}

/// Units of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ValueUnit {
    /// As measured.
    #[default]
    None,
    /// A share, 0 to 1.
    Ratio,
    /// Seconds.
    Seconds,
    /// Per second.
    PerSecond,
    /// A count.
    Count,
    /// A multiple.
    Times,
}

/// Why nobody is told of an alert.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Muted {
    /// Why.
    pub by: MutedBy,
    /// Id of the silence; of the alert that explains this one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Until when, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_unix_nano: Option<Nanos>,
    /// In a sentence.
    pub why: String,
}

/// Why nobody is told of an alert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum MutedBy {
    /// A silence, or a maintenance window.
    #[default]
    Silence,
    /// Somebody has taken it on.
    Acknowledged,
    /// What it calls has an alert, which explains this one.
    Callee,
    /// Who calls it is silent, and so calls it no more.
    Caller,
    /// A worse alert with the same labels.
    Inhibited,
    /// It comes and goes all the time.
    Flapping,
    /// No route leads to a channel.
    NoRoute,
}

/// Who has taken an alert on. Ends with the alert.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Acknowledgement {
    /// Who; may be empty.
    pub by: String,
    /// What they said; may be empty.
    pub comment: String,
    /// When.
    pub at_unix_nano: Nanos,
}

/// What is sent to acknowledge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct AcknowledgeInput {
    /// Who.
    pub by: String,
    /// What there is to say.
    pub comment: String,
}

/// `GET /alerting/alerts`: what is not normal, firing first, then the worst, then the newest; and what was resolved within
/// the range.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AlertList {
    /// Alerts.
    pub alerts: Vec<Alert>,
    /// Rules that are evaluated.
    pub rules: u32,
    /// Whether there is a channel at all.
    pub has_channel: bool,
    /// Judgements that were skipped because the server was behind, since it started.
    pub skipped: u64,
}

/// `GET /alerting/alerts/{id}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AlertDetail {
    /// The alert.
    pub alert: Alert,
    /// Its rule; absent if it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
    /// What happened in the range, oldest first.
    pub events: Vec<AlertEvent>,
    /// Values in the range, with what they were compared with.
    pub points: Vec<AlertPoint>,
    /// What is known about the case.
    pub evidence: Evidence,
    /// What was looked at.
    pub range: Range,
}

/// A value and what it was compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AlertPoint {
    /// The moment that was judged.
    pub time_unix_nano: Nanos,
    /// Absent without data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Lower end of the band of what is usual, or a threshold below which it is bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end of the band of what is usual, or a threshold above which it is bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

/// Something that happened to an alert.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AlertEvent {
    /// Increases with each event.
    pub number: u64,
    /// Id of the alert.
    pub alert: String,
    /// Name of the rule.
    pub rule: String,
    /// Labels of the alert.
    pub labels: BTreeMap<String, String>,
    /// What happened.
    pub what: AlertEventKind,
    /// How bad it was.
    pub severity: AlertSeverity,
    /// The moment: of the data, where it was judged by data.
    pub at_unix_nano: Nanos,
    /// When the server wrote it down.
    pub recorded_unix_nano: Nanos,
    /// The value then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Id of the node it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Id of the other end of a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// More: why it was muted, which channels were told, what late data changed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Share of the data expected that this rests on.
    pub coverage: f64,
}

/// What happened to an alert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum AlertEventKind {
    /// It became bad.
    #[default]
    Pending,
    /// It was bad for long enough.
    Firing,
    /// It became worse, or less bad, while firing.
    Severity,
    /// It is over.
    Resolved,
    /// It was bad, but not for long enough.
    Calmed,
    /// No values came.
    NoData,
    /// The question failed.
    Error,
    /// People were told.
    Notified,
    /// People would have been told, but it is muted.
    Muted,
    /// Somebody has taken it on.
    Acknowledged,
    /// Late data changed what was said before.
    Corrected,
}

impl AlertEventKind {
    /// Spelling in the API.
    pub fn name(self) -> &'static str {
        match self {
            AlertEventKind::Pending => "pending",
            AlertEventKind::Firing => "firing",
            AlertEventKind::Severity => "severity",
            AlertEventKind::Resolved => "resolved",
            AlertEventKind::Calmed => "calmed",
            AlertEventKind::NoData => "no_data",
            AlertEventKind::Error => "error",
            AlertEventKind::Notified => "notified",
            AlertEventKind::Muted => "muted",
            AlertEventKind::Acknowledged => "acknowledged",
            AlertEventKind::Corrected => "corrected",
        }
    }
}

/// `GET /alerting/events`: oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AlertEventList {
    /// What was asked for.
    pub range: Range,
    /// Events.
    pub events: Vec<AlertEvent>,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
}

/// What is known about a case: computed, not told by anybody.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Evidence {
    /// What is wrong where it begins: ids of nodes and sentences, the worst first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
    /// The worst edge of the map on the way: `orders → payments: 52 % of 14/s fail`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hottest_edge: Option<String>,
    /// Attributes that bad spans have more often than others, the most telling first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<Difference>,
    /// Ids of bad traces to look at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub traces: Vec<String>,
    /// The last deployment of the node or of where it begins, if it was within a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_deploy: Option<Deploy>,
    /// What was looked at and is as usual.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub normal: Vec<String>,
    /// `findings` as data; messages do not carry it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<Finding>,
    /// `hottest_edge` as data; messages do not carry it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hottest: Option<HotEdge>,
    /// `normal` as data; messages do not carry it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub usual: Vec<Usual>,
}

impl Evidence {
    /// What messages carry: sentences, not the data they were made of.
    pub fn told(self) -> Evidence {
        Evidence { found: Vec::new(), hottest: None, usual: Vec::new(), ..self }
    }
}

/// An edge of the map on which much goes wrong.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HotEdge {
    /// Id of who calls.
    pub caller: String,
    /// Id of who is called.
    pub callee: String,
    /// Calls per second.
    pub rate: f64,
    /// Failed share, 0 to 1, where that is what is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<f64>,
    /// 95th percentile in seconds, where time is what is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95: Option<f64>,
}

/// Something that was looked at and is as usual.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Usual {
    /// What.
    pub what: UsualKind,
    /// Id of the node.
    pub node: String,
    /// Requests per second, 95th percentile in seconds, or failed share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Ids of what it calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub callees: Vec<String>,
}

/// What may be as usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum UsualKind {
    /// As many requests come.
    #[default]
    Traffic,
    /// They take as long.
    Duration,
    /// As few fail.
    Errors,
    /// What it calls answers as it did.
    Callees,
}

/// An attribute that bad spans have more often than others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Difference {
    /// Name of the attribute, with its scope.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Share of the bad spans that have it.
    pub bad: f64,
    /// Share of the others.
    pub others: f64,
}

/// The first span of a version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Deploy {
    /// Id of the service.
    #[serde(default)]
    pub node: String,
    /// Which.
    pub version: String,
    /// When.
    pub at_unix_nano: Nanos,
}

/// What is sent to a webhook, and what every other channel's message is made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Message {
    /// The same for every attempt: also in the header `Idempotency-Key`.
    pub id: String,
    /// The same for all messages about one group of alerts: by it receivers make threads, and close what they opened.
    pub group: String,
    /// `firing`, `resolved`, `no_data` or `error`: the worst of its alerts.
    pub status: String,
    /// In a line.
    pub title: String,
    /// Labels that all alerts have in common.
    pub labels: BTreeMap<String, String>,
    /// What the rule's author says about it.
    pub description: String,
    /// What it is about, the worst first; resolved ones last.
    pub alerts: Vec<Alert>,
    /// Alerts of the same group beyond the hundred that are listed.
    pub more: u32,
    /// Values of the first alert until now, oldest first, evenly spaced; absent ones are missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<Option<f64>>,
    /// About the first alert.
    pub evidence: Evidence,
    /// Where to look.
    pub url: String,
    /// Where to silence.
    pub silence_url: String,
    /// A picture of the first alert's values (PNG, base64); absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart_png: Option<String>,
    /// When this was decided.
    pub at_unix_nano: Nanos,
}

/// `GET /alerting/rules`: by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RuleList {
    /// How they stand.
    pub rules: Vec<RuleStatus>,
}

/// How a rule stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RuleStatus {
    /// The rule.
    pub rule: Rule,
    /// Where it comes from.
    pub origin: RuleOrigin,
    /// The worst state of its alerts.
    pub state: AlertState,
    /// Alerts by state: those that fire.
    pub firing: u32,
    /// Those that are pending.
    pub pending: u32,
    /// Combinations of labels that were judged.
    pub instances: u32,
    /// Moment of the newest judgement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged_unix_nano: Option<Nanos>,
    /// How long the newest evaluation took, microseconds.
    pub took_micros: u64,
    /// From when the newest moment could be judged, its data being there, until that began, microseconds.
    #[serde(default)]
    pub start_delay_micros: u64,
    /// Share of one core that its evaluations take.
    pub cost: f64,
    /// Share of the data expected by then that had arrived.
    pub coverage: f64,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How often it fired within the last week.
    pub fired_in_week: u32,
    /// When it was changed last.
    pub updated_unix_nano: Nanos,
}

/// Where a rule comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RuleOrigin {
    /// Somebody made it.
    #[default]
    User,
    /// Orrery comes with it.
    BuiltIn,
    /// An objective made it.
    Slo,
    /// From a file.
    File,
}
