//! Services and the map.

use crate::time::{Nanos, Range};
use serde::{Deserialize, Serialize};

/// Rate, errors, duration. Counts are adjusted by sampling weight, so not whole numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Red {
    /// Calls in the range.
    pub count: f64,
    /// Of them failed.
    pub errors: f64,
    /// Calls per second, over the part of the range for which data can exist.
    pub rate: f64,
    /// Median duration; absent without calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_nanos: Option<Nanos>,
    /// 95th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_nanos: Option<Nanos>,
    /// 99th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_nanos: Option<Nanos>,
}

impl Red {
    /// Failed share, 0 to 1; 0 without calls.
    pub fn error_ratio(&self) -> f64 {
        if self.count > 0.0 { (self.errors / self.count).clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// RED of one step. A step without data has no point: no data is not zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RedPoint {
    /// Start of the step.
    pub time_unix_nano: Nanos,
    /// Length of the step.
    pub step_nanos: Nanos,
    /// The calls that began inside.
    #[serde(flatten)]
    pub red: Red,
}

/// What a node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// An instrumented service that only begins calls: a web, mobile or chat client.
    Client,
    /// A service that passes requests on.
    Gateway,
    /// A service that issues or checks tokens.
    Auth,
    /// Any other instrumented service.
    #[default]
    Service,
    /// Begins work by itself.
    Job,
    /// A database, inferred from its clients.
    Database,
    /// A queue or topic.
    Queue,
    /// A called host that sends no telemetry.
    External,
    /// A model API.
    Model,
    /// A function.
    Function,
    /// People and programs outside that call us.
    User,
    /// Callers whose spans were not received.
    UnknownCaller,
}

/// How a node or edge is doing, by its error ratio in the range: `failing` from 5 %, `degraded` from 1 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// No data: not the same as healthy.
    #[default]
    Unknown,
    /// Fine.
    Ok,
    /// 1 % to 5 % failed.
    Degraded,
    /// 5 % or more failed.
    Failing,
}

impl Health {
    /// The health of a set of calls.
    pub fn of(red: &Red) -> Health {
        match red.error_ratio() {
            _ if red.count <= 0.0 => Health::Unknown,
            ratio if ratio >= 0.05 => Health::Failing,
            ratio if ratio >= 0.01 => Health::Degraded,
            _ => Health::Ok,
        }
    }
}

/// A service's identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServiceRef {
    /// `namespace/name@environment`.
    pub id: String,
    /// `service.namespace`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// `service.name`.
    pub name: String,
    /// `deployment.environment.name`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub environment: String,
}

/// A node of the map.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Node {
    /// Stable id: a service's id, else `kind:identity` such as `database:postgresql/db.internal:5432`.
    pub id: String,
    /// What it is.
    pub kind: NodeKind,
    /// Short name.
    pub name: String,
    /// Identity of an instrumented service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceRef>,
    /// `db.system.name` or `messaging.system` of inferred ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// How it is doing.
    pub health: Health,
    /// Work done by the node.
    pub red: Red,
    /// Last span seen.
    pub last_seen_unix_nano: Nanos,
}

/// What flows along an edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// Request and response.
    #[default]
    Call,
    /// Query of a database.
    Database,
    /// Message handed to a queue.
    Publish,
    /// Message taken from a queue.
    Consume,
}

/// Quantiles of a duration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Quantiles {
    /// Median.
    pub p50_nanos: Nanos,
    /// 95th percentile.
    pub p95_nanos: Nanos,
    /// 99th percentile.
    pub p99_nanos: Nanos,
}

/// An edge of the map.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Edge {
    /// Node id of the caller, publisher or queue.
    pub caller: String,
    /// Node id of the callee, queue or consumer.
    pub callee: String,
    /// What flows.
    pub kind: EdgeKind,
    /// How it is doing.
    pub health: Health,
    /// As the caller saw it; errors are the caller's.
    pub red: Red,
    /// Failures by the callee's own account.
    pub callee_errors: f64,
    /// As the callee saw it; absent for inferred callees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callee_red: Option<Red>,
    /// Client minus server duration: network and queueing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Quantiles>,
    /// Consumer start minus producer end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<Quantiles>,
    /// Rests on names rather than on matched spans or links.
    pub inferred: bool,
}

/// `GET /topology`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Topology {
    /// What was asked for.
    pub range: Range,
    /// By id.
    pub nodes: Vec<Node>,
    /// By caller, callee, kind; both ends are in `nodes`.
    pub edges: Vec<Edge>,
    /// Environments seen in the range, for the filter.
    pub environments: Vec<String>,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
}

/// A line of the services list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServiceSummary {
    /// Identity.
    #[serde(flatten)]
    pub service: ServiceRef,
    /// What it is.
    pub kind: NodeKind,
    /// How it is doing.
    pub health: Health,
    /// Server and consumer spans; root spans of clients.
    pub red: Red,
    /// The same over time.
    pub series: Vec<RedPoint>,
    /// Versions seen, newest first.
    pub versions: Vec<String>,
    /// Number of instances seen.
    pub instances: u32,
    /// Last span seen.
    pub last_seen_unix_nano: Nanos,
}

/// `GET /services`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServiceList {
    /// What was asked for.
    pub range: Range,
    /// Busiest first.
    pub services: Vec<ServiceSummary>,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
}

/// RED of one operation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Operation {
    /// Span name.
    pub name: String,
    /// Span kind: `internal`, `server`, `client`, `producer`, `consumer`.
    pub kind: String,
    /// Its calls.
    pub red: Red,
}

/// RED of one version or instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Slice {
    /// The version or instance.
    pub name: String,
    /// Its calls.
    pub red: Red,
    /// First span in the range.
    pub first_seen_unix_nano: Nanos,
    /// Last span in the range.
    pub last_seen_unix_nano: Nanos,
}

/// Failures that look alike.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorGroup {
    /// `error.type`, exception type or status code.
    pub error_type: String,
    /// What their messages have in common: numbers and ids as `#`, quoted words as `…`.
    pub message: String,
    /// Span name.
    pub operation: String,
    /// How many spans.
    pub count: u64,
    /// The oldest, to within a step of the range.
    pub first_seen_unix_nano: Nanos,
    /// It began in the range: as long before it there was none.
    pub is_new: bool,
    /// The newest.
    pub last_seen_unix_nano: Nanos,
    /// An example.
    pub trace_id: String,
    /// The failing span of the example.
    pub span_id: String,
}

/// `GET /services/{id}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServiceDetail {
    /// What was asked for.
    pub range: Range,
    /// The service or inferred node.
    pub node: Node,
    /// Its RED over time.
    pub series: Vec<RedPoint>,
    /// Busiest first, bounded.
    pub operations: Vec<Operation>,
    /// Most frequent first, bounded.
    pub errors: Vec<ErrorGroup>,
    /// Edges into the node.
    pub callers: Vec<Edge>,
    /// Edges out of the node.
    pub callees: Vec<Edge>,
    /// The nodes at the other end of those edges.
    pub neighbours: Vec<Node>,
    /// Newest first.
    pub versions: Vec<Slice>,
    /// Busiest first.
    pub instances: Vec<Slice>,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
}

/// A value and how often it occurs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ValueCount {
    /// The value as text.
    pub value: String,
    /// How many items.
    pub count: u64,
}

/// `GET /values`: completion.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ValueList {
    /// Most frequent first.
    pub values: Vec<ValueCount>,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
}
