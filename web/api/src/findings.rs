//! What is wrong, where it begins, since when, and because of what.

use crate::time::{Nanos, Range};
use crate::topology::{ErrorGroup, NodeKind};
use serde::{Deserialize, Serialize};

/// What is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// The node fails, and nothing it calls is the reason.
    #[default]
    Errors,
    /// Calls to the node fail, and it knows nothing of them: refused, timed out, cut off.
    Unreachable,
    /// The node refuses callers whose tokens it does not accept: 401, 403.
    Rejected,
    /// The node refuses callers that ask too often: 429.
    RateLimited,
    /// Requests of the service take longer, and its calls are not the reason.
    Slow,
    /// Calls to a node that sends no telemetry take longer.
    SlowCalls,
    /// Calls to the service spend longer between the two.
    Network,
    /// Messages wait longer before the service takes them.
    Lag,
    /// The service takes no messages any more, though there are some.
    NotConsumed,
    /// Nothing is heard of the service any more, though of others.
    Silent,
    /// A part of the calls to the node has failed all along, and it knows nothing of them.
    Steady,
    /// A file system of the host is full, or almost.
    DiskFull,
    /// The host's memory is used up, or almost.
    MemoryFull,
    /// The host's processors have been busy for minutes.
    CpuBusy,
    /// The host's agent reports nothing any more, though others do.
    HostSilent,
}

impl FindingKind {
    /// Spelling in the API.
    pub fn name(self) -> &'static str {
        match self {
            FindingKind::Errors => "errors",
            FindingKind::Unreachable => "unreachable",
            FindingKind::Rejected => "rejected",
            FindingKind::RateLimited => "rate_limited",
            FindingKind::Slow => "slow",
            FindingKind::SlowCalls => "slow_calls",
            FindingKind::Network => "network",
            FindingKind::Lag => "lag",
            FindingKind::NotConsumed => "not_consumed",
            FindingKind::Silent => "silent",
            FindingKind::Steady => "steady",
            FindingKind::DiskFull => "disk_full",
            FindingKind::MemoryFull => "memory_full",
            FindingKind::CpuBusy => "cpu_busy",
            FindingKind::HostSilent => "host_silent",
        }
    }

    /// Whether it is about a host, and not about requests.
    pub fn is_about_host(self) -> bool {
        matches!(self, FindingKind::DiskFull | FindingKind::MemoryFull | FindingKind::CpuBusy | FindingKind::HostSilent)
    }

    /// Whether its size is a duration; a share of calls otherwise, but for what is silent or takes nothing.
    pub fn is_about_time(self) -> bool {
        matches!(self, FindingKind::Slow | FindingKind::SlowCalls | FindingKind::Network | FindingKind::Lag)
    }
}

/// What is usual and what is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FromTo {
    /// Before; absent where nothing else was ever seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual: Option<f64>,
    /// While it is wrong.
    pub now: f64,
}

/// The version or instance in which alone something is wrong.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Blamed {
    /// `version` or `instance`.
    pub slice: String,
    /// Its name.
    pub name: String,
    /// Share of its requests that went badly, 0 to 1.
    pub share: f64,
    /// The same of all others.
    pub others: f64,
    /// Its first span.
    pub first_seen_unix_nano: Nanos,
}

/// Something that is wrong, where it begins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Finding {
    /// `kind:node`; the same as long as it lasts.
    pub id: String,
    /// What.
    pub kind: FindingKind,
    /// Id of the node in which it begins, or calls to which are wrong; of a host `host:` and its name.
    pub node: String,
    /// What that node is; `external` of a host, which is no node of the map.
    pub node_kind: NodeKind,
    /// Ids of those whose calls are wrong, the worst first; of the queue, where messages are. Empty where it is the node
    /// itself.
    pub callers: Vec<String>,
    /// Since when, to within a step; absent if it never was otherwise, of a host in the last half hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_unix_nano: Option<Nanos>,
    /// Until when; absent while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_unix_nano: Option<Nanos>,
    /// Calls in that time; expected ones, where none came.
    pub calls: f64,
    /// Of them, how many went badly.
    pub bad: f64,
    /// Failed share (0 to 1); 95th percentile in nanoseconds where time is wrong; calls per second of what is silent;
    /// messages of what takes none; used share of what a host has.
    pub size: FromTo,
    /// Calls per second of the callers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<FromTo>,
    /// Operation that contributes most: of the node, or of the caller that calls it. Of a full disk, where it is mounted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The group of errors that grew most, with an example.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorGroup>,
    /// The version or instance to blame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blamed: Option<Blamed>,
    /// Id of who hands out what is rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Ids of callers, direct or not, that fail or are slow at the same time, the nearest first.
    pub affected: Vec<String>,
}

/// `GET /findings`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FindingList {
    /// What was asked for.
    pub range: Range,
    /// The worst first: what goes on, what always was so, what is over; then by how many requests went badly. Hosts last.
    pub findings: Vec<Finding>,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
}
