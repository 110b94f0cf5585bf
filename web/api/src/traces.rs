//! Traces.

use crate::time::{Nanos, Range};
use crate::topology::ServiceRef;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Attribute name to value. 64-bit integers are strings of the form `{"intValue":"…"}` only beyond 2^53; smaller ones
/// are JSON numbers. Bytes are `{"bytesValue":"base64"}`; NaN and infinities `{"doubleValue":"NaN"}`.
pub type Attributes = BTreeMap<String, serde_json::Value>;

/// Spans of one service in a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServiceSpans {
    /// Which.
    pub service: ServiceRef,
    /// How many.
    pub spans: u64,
}

/// One trace in a list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TraceSummary {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// Service of the root span, or of the earliest span when the root is missing.
    pub root_service: ServiceRef,
    /// Name of that span.
    pub root_name: String,
    /// Whether the root span has been received.
    pub root_received: bool,
    /// Earliest start.
    pub start_time_unix_nano: Nanos,
    /// Earliest start to latest end.
    pub duration_nanos: Nanos,
    /// Number of spans.
    pub span_count: u64,
    /// Of them failed.
    pub error_count: u64,
    /// Most spans first.
    pub services: Vec<ServiceSpans>,
    /// The newest span that matched the search, 16 hexadecimal digits.
    pub matched_span_id: String,
    /// Number of spans that matched; of several spansets, all of them.
    #[serde(default)]
    pub matched_span_count: u64,
    /// Spans that matched together: one group, or those that `by()` made; at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spansets: Vec<Spanset>,
}

/// Spans of a trace that matched together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Spanset {
    /// What `by()` split by and what aggregates came to, in the order of the query.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<FieldValue>,
    /// Number of spans.
    pub span_count: u64,
    /// The first of them by start time, as many as the request wants.
    pub spans: Vec<MatchedSpan>,
}

/// A span in the answer to a search.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MatchedSpan {
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// Span name.
    pub name: String,
    /// Its service.
    pub service: ServiceRef,
    /// `unspecified`, `internal`, `server`, `client`, `producer`, `consumer`.
    pub kind: String,
    /// When it began.
    pub start_time_unix_nano: Nanos,
    /// How long it took.
    pub duration_nanos: Nanos,
    /// `unset`, `ok`, `error`.
    pub status_code: String,
    /// The fields that `select()` names, in that order, without those it does not have; one entry per value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub selected: Vec<FieldValue>,
}

/// A field or aggregate of TraceQL and a value of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldValue {
    /// As the query says it, in one spelling: `span.http.route`, `span:duration`, `by(span:kind)`, `count()`.
    pub name: String,
    /// Written as in [`Attributes`]; durations are `{"durationNanos":"…"}`, status and kind their lower-case names. `null`:
    /// the span does not have it.
    #[cfg_attr(feature = "openapi", schema(value_type = Object, nullable))]
    pub value: serde_json::Value,
}

/// What a search puts first. Ties are in the order of trace ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TraceSort {
    /// The newest matching span.
    #[default]
    Time,
    /// The longest trace.
    Duration,
    /// Most failed spans in the trace.
    Errors,
    /// Most spans in the trace.
    Spans,
}

/// What answering cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Scanned {
    /// Rows looked at.
    pub rows: u64,
    /// Sealed segments opened.
    pub segments: u32,
    /// Sealed segments left closed because of what is known of them.
    pub segments_pruned: u32,
}

/// `GET /traces`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TraceList {
    /// What was asked for.
    pub range: Range,
    /// What was asked for: `q` and the other filters as one TraceQL query, in one spelling.
    #[serde(default)]
    pub query: String,
    /// In this order.
    #[serde(default)]
    pub sort: TraceSort,
    /// By `sort`.
    pub traces: Vec<TraceSummary>,
    /// Pass as `cursor` for the next page; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// What it cost.
    #[serde(default)]
    pub scanned: Scanned,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
}

/// Something that happened during a span.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SpanEvent {
    /// When.
    pub time_unix_nano: Nanos,
    /// Event name.
    pub name: String,
    /// Its attributes.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub attributes: Attributes,
}

/// A span another span points at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SpanLink {
    /// Its trace.
    pub trace_id: String,
    /// Its id.
    pub span_id: String,
    /// Attributes of the link.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub attributes: Attributes,
}

/// One span.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Span {
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// Absent for a root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_span_id: Option<String>,
    /// Span name.
    pub name: String,
    /// `unspecified`, `internal`, `server`, `client`, `producer`, `consumer`.
    pub kind: String,
    /// When it began.
    pub start_time_unix_nano: Nanos,
    /// How long it took.
    pub duration_nanos: Nanos,
    /// `unset`, `ok`, `error`.
    pub status_code: String,
    /// Text with the status.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub status_message: String,
    /// Index into [`Trace::services`].
    pub service: u32,
    /// Index into [`Trace::resources`].
    pub resource: u32,
    /// Span attributes.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub attributes: Attributes,
    /// Scope name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope_name: String,
    /// Scope version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope_version: String,
    /// By time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<SpanEvent>,
    /// Links.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<SpanLink>,
    /// W3C trace state.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub trace_state: String,
    /// OTLP flags.
    pub flags: u32,
    /// Dropped by the sender or over a limit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped_attributes_count: u32,
    /// Dropped by the sender or over a limit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped_events_count: u32,
    /// Dropped by the sender or over a limit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped_links_count: u32,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// `GET /traces/{trace_id}`. 404 when no span of it is stored. At most 10 000 spans; [`crate::TraceColumns`] is for more.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Trace {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// By start time, then span id; no duplicates.
    pub spans: Vec<Span>,
    /// Services of the spans.
    pub services: Vec<ServiceRef>,
    /// Attributes of the resources of the spans.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub resources: Vec<Attributes>,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
}

/// `GET /traces/{trace_id}/spans/{span_id}`. 404 when it is not stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SpanDetail {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// The span; its `service` and `resource` are 0 and stand for the two below.
    pub span: Span,
    /// Its service.
    pub service: ServiceRef,
    /// Attributes of its resource.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub resource: Attributes,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
}

/// A span that links to a span of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LinkingSpan {
    /// Its trace, which may be the same one.
    pub trace_id: String,
    /// Its id.
    pub span_id: String,
    /// Its name.
    pub name: String,
    /// Its service.
    pub service: ServiceRef,
    /// `unspecified`, `internal`, `server`, `client`, `producer`, `consumer`.
    pub kind: String,
    /// When it began.
    pub start_time_unix_nano: Nanos,
    /// How long it took.
    pub duration_nanos: Nanos,
    /// `unset`, `ok`, `error`.
    pub status_code: String,
    /// Spans of the trace asked for that it links to.
    pub to_span_ids: Vec<String>,
}

/// `GET /traces/{trace_id}/links`: who links to the trace. What it links to is with its spans.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TraceLinks {
    /// What was looked through.
    pub range: Range,
    /// Traces with the newest first.
    pub links: Vec<LinkingSpan>,
    /// What it cost.
    #[serde(default)]
    pub scanned: Scanned,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
}

/// `GET /standing`: where a duration stands among the calls of an operation. From a histogram: the bounds are certain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Standing {
    /// What was asked for.
    pub range: Range,
    /// The operation's calls.
    pub red: crate::Red,
    /// At least this share of them took less, 0 to 1.
    pub at_least: f64,
    /// At most this share took less.
    pub at_most: f64,
    /// About this share, if durations are spread evenly between.
    pub about: f64,
}

/// A trace that is kept whatever retention does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PinnedTrace {
    /// Which.
    pub trace_id: String,
    /// Since when it is pinned.
    pub pinned_unix_nano: Nanos,
    /// Service of the root span, or of the earliest span when the root is missing.
    pub root_service: ServiceRef,
    /// Name of that span.
    pub root_name: String,
    /// Earliest start.
    pub start_time_unix_nano: Nanos,
    /// Earliest start to latest end.
    pub duration_nanos: Nanos,
    /// Spans that are kept.
    pub span_count: u64,
    /// Of them failed.
    pub error_count: u64,
    /// Bytes they take on disk.
    pub bytes: u64,
}

/// `GET /pins`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PinnedList {
    /// Newest pin first.
    pub pins: Vec<PinnedTrace>,
    /// There can be this many.
    pub limit: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}
