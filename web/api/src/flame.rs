//! Where traces spend their time: their trees merged by path.

use crate::time::{Nanos, Range};
use crate::topology::ServiceRef;
use crate::traces::Scanned;
use serde::{Deserialize, Serialize};

/// Where the paths of a flame graph begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FlameFrom {
    /// At the roots of traces.
    #[default]
    Root,
    /// At the spans that match, the outermost of them.
    Match,
}

/// How many traces a flame graph rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FlameTraces {
    /// Traces that were added up.
    pub traces: u64,
    /// For how many they stand, where senders took a sample of them. Divide times by it for those of one trace.
    pub weight: f64,
    /// Traces that may match, about: more than `traces` where there are too many to add up all.
    pub candidates: u64,
}

/// What spans took. Those that stand for others because senders took a sample count as many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FlameTime {
    /// Number of spans.
    pub count: f64,
    /// Of them failed.
    pub errors: f64,
    /// Time in which none of their children ran.
    pub self_nanos: Nanos,
    /// That and the same of everything below: what ran side by side is added up.
    pub total_nanos: Nanos,
}

/// Spans of one service, name and kind below the same path.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FlameNode {
    /// Index of the path it goes on; absent at its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<u32>,
    /// Index into [`TraceFlame::services`]; absent where small paths are added up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<u32>,
    /// Span name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// `unspecified`, `internal`, `server`, `client`, `producer`, `consumer`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Paths in it: more than 1 where small ones are added up.
    pub paths: u64,
    /// What they took.
    pub now: FlameTime,
    /// The same in the range compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<FlameTime>,
}

/// `GET /traces/flame`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TraceFlame {
    /// What was asked for.
    pub range: Range,
    /// With what it is compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared_with: Option<Range>,
    /// What was asked for: `q` and the other filters as one TraceQL query, in one spelling.
    pub query: String,
    /// Where paths begin.
    pub begin: FlameFrom,
    /// What `now` rests on.
    pub now: FlameTraces,
    /// What `before` rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<FlameTraces>,
    /// Services of the spans.
    pub services: Vec<ServiceRef>,
    /// Paths, parents before children; children by time, longest first, what was added up last.
    pub nodes: Vec<FlameNode>,
    /// What it cost.
    #[serde(default)]
    pub scanned: Scanned,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
}
