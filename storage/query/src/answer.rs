//! Answers.

mod cells;

pub use cells::*;

use crate::traceql::{Field, Literal, Scope};
use orrery_model::{ServiceKey, Severity, SpanId, SpanKind, StatusCode, TraceId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An answer, with how complete it is and what it cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer<T> {
    /// The answer.
    pub value: T,
    /// Why something is missing; `None` when complete.
    pub partial: Option<Partial>,
    /// What was read.
    pub scanned: Scanned,
}

/// Why an answer is incomplete, in plain words for the person who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partial(pub String);

/// What a query read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Rows looked at.
    pub rows: u64,
    /// Sealed segments opened.
    pub segments: u32,
    /// Sealed segments skipped by their statistics.
    pub segments_pruned: u32,
}

/// Rate, errors, duration of a set of calls. Counts are adjusted by sampling weight, so not whole numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Red {
    /// Calls.
    pub count: f64,
    /// Of them failed.
    pub errors: f64,
    /// Sum of durations, nanoseconds.
    pub sum_nanos: f64,
    /// Median duration in nanoseconds; `None` without calls.
    pub p50_nanos: Option<i64>,
    /// 95th percentile.
    pub p95_nanos: Option<i64>,
    /// 99th percentile.
    pub p99_nanos: Option<i64>,
}

/// RED of one step of time. A step without data has no point: no data is not zero.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RedPoint {
    /// Start of the step, Unix nanoseconds.
    pub time_unix_nano: i64,
    /// Length of the step, nanoseconds.
    pub step_nanos: i64,
    /// The calls that began inside.
    pub red: Red,
}

/// What a node of the map is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// An instrumented service that only begins calls: a web, mobile or chat client.
    Client,
    /// A service that mostly passes requests on to several others, or says it is a gateway.
    Gateway,
    /// A service that issues or checks tokens.
    Auth,
    /// Any other instrumented service.
    Service,
    /// Begins work by itself: a scheduled job.
    Job,
    /// A database (inferred from its clients).
    Database,
    /// A queue or topic.
    Queue,
    /// A called host that sends no telemetry.
    External,
    /// A model API.
    Model,
    /// A function.
    Function,
    /// People and programs outside that call us: server spans without a parent.
    User,
    /// Callers whose spans were not received: server spans whose parent is missing.
    UnknownCaller,
}

/// A node of the map.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Stable id: a service's key in text form (`namespace/name@environment`); else `kind:identity`, such as
    /// `database:postgresql/db.internal:5432`, `queue:kafka/orders`, `external:api.bank.example`, `user:`.
    pub id: String,
    /// What it is.
    pub kind: NodeKind,
    /// Short name to show.
    pub name: String,
    /// Identity of an instrumented service.
    pub service: Option<ServiceKey>,
    /// `db.system.name` or `messaging.system` of inferred ones.
    pub system: Option<String>,
    /// Work done by the node: server and consumer spans of a service; calls received by an inferred node.
    pub red: Red,
    /// Last span seen, Unix nanoseconds.
    pub last_seen_unix_nano: i64,
}

/// What flows along an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// Request and response.
    Call,
    /// Query of a database.
    Database,
    /// Message handed to a queue.
    Publish,
    /// Message taken from a queue.
    Consume,
}

/// An edge of the map.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// Node id of the caller, publisher, or queue.
    pub caller: String,
    /// Node id of the callee, queue, or consumer.
    pub callee: String,
    /// What flows.
    pub kind: EdgeKind,
    /// As the caller saw it (the callee, where the caller sent nothing). Errors are the caller's.
    pub red: Red,
    /// Failures by the callee's own account.
    pub callee_errors: f64,
    /// As the callee saw it; `None` for inferred callees.
    pub callee_red: Option<Red>,
    /// Client minus server duration: network and queueing. `None` when no pair was matched.
    pub network: Option<Quantiles>,
    /// Consumer start minus producer end, for consume edges.
    pub lag: Option<Quantiles>,
    /// Whether the edge rests on names rather than on matched spans or links.
    pub inferred: bool,
}

/// Quantiles of a duration, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantiles {
    /// Median.
    pub p50_nanos: i64,
    /// 95th percentile.
    pub p95_nanos: i64,
    /// 99th percentile.
    pub p99_nanos: i64,
}

/// Who calls whom. Nodes by id, edges by (caller, callee, kind), no duplicates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Topology {
    /// Nodes, those without edges too.
    pub nodes: Vec<Node>,
    /// Edges; both ends are in `nodes`. No self edges.
    pub edges: Vec<Edge>,
}

/// A line of the services list.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceSummary {
    /// Identity.
    pub service: ServiceKey,
    /// What it is.
    pub kind: NodeKind,
    /// Server and consumer spans; all root spans for services that only begin calls.
    pub red: Red,
    /// The same over time.
    pub series: Vec<RedPoint>,
    /// `service.version`s seen, newest first.
    pub versions: Vec<String>,
    /// Number of instances seen.
    pub instances: u32,
    /// Last span seen, Unix nanoseconds.
    pub last_seen_unix_nano: i64,
}

/// Everything about one service or inferred node.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceDetail {
    /// The node.
    pub node: Node,
    /// Its RED over time.
    pub series: Vec<RedPoint>,
    /// By operation (span name), busiest first, bounded.
    pub operations: Vec<Operation>,
    /// Failed spans by type and message, most frequent first, bounded.
    pub errors: Vec<ErrorGroup>,
    /// Edges into the node.
    pub callers: Vec<Edge>,
    /// Edges out of the node.
    pub callees: Vec<Edge>,
    /// The nodes at the other end of those edges.
    pub neighbours: Vec<Node>,
    /// By `service.version`, newest first.
    pub versions: Vec<Slice>,
    /// By instance, busiest first.
    pub instances: Vec<Slice>,
}

/// RED of one operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Span name.
    pub name: String,
    /// Span kind.
    pub kind: SpanKind,
    /// Its calls.
    pub red: Red,
}

/// Where a duration stands among the calls of an operation. Of a histogram: which shares it lies between is certain,
/// where between them is an estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// The operation's calls.
    pub red: Red,
    /// At least this share of them took less, 0 to 1.
    pub at_least: f64,
    /// At most this share.
    pub at_most: f64,
    /// As far as the place in the bucket tells.
    pub about: f64,
}

/// RED of one version or instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// The version or instance.
    pub name: String,
    /// Its calls.
    pub red: Red,
    /// First span seen in the range, Unix nanoseconds.
    pub first_seen_unix_nano: i64,
    /// Last span seen in the range, Unix nanoseconds.
    pub last_seen_unix_nano: i64,
}

/// Failures that look alike.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorGroup {
    /// `error.type`, exception type or status code.
    pub error_type: String,
    /// One of the messages.
    pub message: String,
    /// Span name.
    pub operation: String,
    /// How many spans.
    pub count: u64,
    /// The oldest, Unix nanoseconds, to within a step of the range.
    pub first_seen_unix_nano: i64,
    /// Whether it began in the range: as long before it there was none.
    pub is_new: bool,
    /// The newest, Unix nanoseconds.
    pub last_seen_unix_nano: i64,
    /// An example.
    pub trace_id: TraceId,
    /// The failing span of the example.
    pub span_id: SpanId,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FindingKind {
    /// The node fails, and nothing it calls is the reason.
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

/// What is usual and what is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Change {
    /// Before; `None` where nothing else was ever seen.
    pub usual: Option<f64>,
    /// While it is wrong.
    pub now: f64,
}

/// Of what a part of a service's work is done by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlamedSlice {
    /// A `service.version`.
    Version,
    /// An instance.
    Instance,
}

/// The version or instance in which alone something is wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Blamed {
    /// Which of the two.
    pub slice: BlamedSlice,
    /// Its name.
    pub name: String,
    /// Share of its requests that went badly, 0 to 1.
    pub share: f64,
    /// The same of all others.
    pub others: f64,
    /// Its first span, Unix nanoseconds.
    pub first_seen_unix_nano: i64,
}

/// Something that is wrong, where it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// Id of the node in which it begins, or calls to which are wrong; of a host `host:` and its name.
    pub node: String,
    /// What that node is; external of a host.
    pub node_kind: NodeKind,
    /// Ids of whose calls are wrong, the worst first; of the queue, where messages are. Empty where it is the node itself.
    pub callers: Vec<String>,
    /// Since when, Unix nanoseconds, to within a step; `None` if it never was otherwise, of a host in the last half hour.
    pub since_unix_nano: Option<i64>,
    /// Until when; `None` while it lasts.
    pub until_unix_nano: Option<i64>,
    /// Calls in that time; expected ones, where none came.
    pub calls: f64,
    /// Of them, how many went badly.
    pub bad: f64,
    /// Failed share (0 to 1); 95th percentile in nanoseconds where time is wrong; calls per second of what is silent;
    /// messages of what takes none; used share of what a host has.
    pub size: Change,
    /// Calls per second of the callers.
    pub rate: Option<Change>,
    /// Operation that contributes most: of the node, or of the caller that calls it. Of a full disk, where it is mounted.
    pub operation: Option<String>,
    /// The group of errors that grew most, with an example.
    pub error: Option<ErrorGroup>,
    /// The version or instance to blame.
    pub blamed: Option<Blamed>,
    /// Id of who hands out what is rejected.
    pub issuer: Option<String>,
    /// Ids of callers, direct or not, that fail or are slow at the same time, the nearest first.
    pub affected: Vec<String>,
}

/// A page of traces.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TracePage {
    /// In the order asked for.
    pub traces: Vec<TraceSummary>,
    /// For the next page; `None` at the end.
    pub next_cursor: Option<String>,
}

/// One trace in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceSummary {
    /// Which.
    pub trace_id: TraceId,
    /// Service of the root span, or of the earliest span when the root is missing.
    pub root_service: ServiceKey,
    /// Name of that span.
    pub root_name: String,
    /// Whether the root span has been received.
    pub root_received: bool,
    /// Earliest start, Unix nanoseconds.
    pub start_time_unix_nano: i64,
    /// Earliest start to latest end, nanoseconds.
    pub duration_nanos: i64,
    /// Number of spans.
    pub span_count: u64,
    /// Number of failed spans.
    pub error_count: u64,
    /// Number of spans by service, most first.
    pub services: Vec<(ServiceKey, u64)>,
    /// The newest span that matched the search.
    pub matched_span_id: SpanId,
    /// Number of spans that matched; of several spansets, all of them.
    pub matched_span_count: u64,
    /// The first spansets.
    pub spansets: Vec<Spanset>,
}

/// A trace that is kept whatever retention does.
#[derive(Clone, Debug, PartialEq)]
pub struct PinnedTrace {
    /// Which.
    pub trace_id: TraceId,
    /// Since when, Unix nanoseconds.
    pub pinned_unix_nano: i64,
    /// Service of the root span, or of the earliest span when the root is missing.
    pub root_service: ServiceKey,
    /// Name of that span.
    pub root_name: String,
    /// Earliest start, Unix nanoseconds.
    pub start_time_unix_nano: i64,
    /// Earliest start to latest end, nanoseconds.
    pub duration_nanos: i64,
    /// Spans that are kept.
    pub span_count: u64,
    /// Of them failed.
    pub error_count: u64,
    /// On disk.
    pub bytes: u64,
}

/// Spans of a trace that matched together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spanset {
    /// What `by()` split by and what aggregates came to, as the query says it; `None` is nil.
    pub values: Vec<(String, Option<Literal>)>,
    /// Number of spans.
    pub span_count: u64,
    /// The first of them by start time.
    pub spans: Vec<MatchedSpan>,
}

/// A span that matched.
#[derive(Clone, Debug, PartialEq)]
pub struct MatchedSpan {
    /// Its id.
    pub span_id: SpanId,
    /// Span name.
    pub name: String,
    /// Who.
    pub service: ServiceKey,
    /// Span kind.
    pub kind: SpanKind,
    /// Unix nanoseconds.
    pub start_time_unix_nano: i64,
    /// Nanoseconds.
    pub duration_nanos: i64,
    /// Status.
    pub status_code: StatusCode,
    /// Values of the fields that `select()` names; of several values each.
    pub selected: Vec<(Field, Literal)>,
}

/// Where traces spend their time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TraceFlame {
    /// What the first range rests on.
    pub now: FlameTraces,
    /// The same of the range compared with.
    pub before: Option<FlameTraces>,
    /// Paths, parents before children. Children by time, longest first, what was added up last.
    pub nodes: Vec<FlameNode>,
}

/// How many traces a flame graph rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FlameTraces {
    /// Traces that were added up.
    pub traces: u64,
    /// For how many they stand, where senders took a sample of them.
    pub weight: f64,
    /// Traces that may match, about: more than were looked at where there are many.
    pub candidates: u64,
}

/// Spans of one service, name and kind below the same path.
#[derive(Clone, Debug, PartialEq)]
pub struct FlameNode {
    /// Index of the path it goes on; none at its beginning.
    pub parent: Option<u32>,
    /// What they are; `None` for paths too small to be told apart.
    pub what: Option<FlameStep>,
    /// Paths that are not told apart; 1 for one of its own.
    pub paths: u64,
    /// What they took.
    pub now: FlameTime,
    /// The same in the range compared with; zeros without one.
    pub before: FlameTime,
}

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlameStep {
    /// Who.
    pub service: ServiceKey,
    /// Span name.
    pub name: String,
    /// Span kind.
    pub kind: SpanKind,
}

/// What spans took. Those that stand for others because senders took a sample count as many.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FlameTime {
    /// Number of spans.
    pub count: f64,
    /// Of them failed.
    pub errors: f64,
    /// Nanoseconds in which none of their children ran ([`orrery_model::nesting::self_nanos`]).
    pub self_nanos: f64,
    /// That and the same of everything below: what ran side by side is added up.
    pub total_nanos: f64,
}

/// An attribute that spans have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceKey {
    /// Where.
    pub scope: Scope,
    /// Its current name.
    pub name: String,
    /// Types of its values, as far as they are known: `text`, `int`, `float`, `bool`.
    pub types: Vec<&'static str>,
    /// About how many spans have it; 0 where that is not known.
    pub spans: u64,
}

/// A value of a field and how many spans have it.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceValue {
    /// The value.
    pub value: Literal,
    /// Number of spans.
    pub spans: u64,
}

/// All spans of a trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// By start time, then span id.
    pub spans: Vec<SpanRow>,
}

/// All spans of a trace as columns, which a million spans fit in: entry `n` of each is about span `n`. By start time, then
/// span id; no duplicates. What else a span says is asked for one by one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TraceColumns {
    /// Services of the spans.
    pub services: Vec<ServiceKey>,
    /// Distinct span names.
    pub names: Vec<String>,
    /// Name and version of the scopes.
    pub scopes: Vec<(String, String)>,
    /// Earliest start, Unix nanoseconds; 0 without spans.
    pub start_time_unix_nano: i64,
    /// Ids.
    pub span_id: Vec<SpanId>,
    /// Index of the parent; [`TraceColumns::NO_PARENT`] for roots and where the parent is missing. Whatever the spans
    /// said: a span may be its own ancestor.
    pub parent: Vec<u32>,
    /// Nanoseconds after the earliest start.
    pub start_nanos: Vec<u64>,
    /// Nanoseconds.
    pub duration_nanos: Vec<i64>,
    /// Index into `services`.
    pub service: Vec<u32>,
    /// Index into `names`.
    pub name: Vec<u32>,
    /// Index into `scopes`.
    pub scope: Vec<u32>,
    /// OTLP number of the kind.
    pub kind: Vec<u8>,
    /// OTLP number of the status.
    pub status_code: Vec<u8>,
    /// [`TraceColumns::PARENT_MISSING`] and its like.
    pub flags: Vec<u8>,
}

impl TraceColumns {
    /// No parent here.
    pub const NO_PARENT: u32 = u32::MAX;
    /// The span names a parent that is not stored.
    pub const PARENT_MISSING: u8 = 1;
    /// It has events.
    pub const HAS_EVENTS: u8 = 2;
    /// It has links.
    pub const HAS_LINKS: u8 = 4;
}

/// Attributes as served: name to JSON value.
pub type AttributeMap = BTreeMap<String, serde_json::Value>;

/// One span with everything.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanRow {
    /// Its trace.
    pub trace_id: TraceId,
    /// Its id.
    pub span_id: SpanId,
    /// Its parent; none for a root.
    pub parent_span_id: SpanId,
    /// W3C trace state.
    pub trace_state: String,
    /// OTLP flags.
    pub flags: u32,
    /// Span name.
    pub name: String,
    /// Span kind.
    pub kind: SpanKind,
    /// Unix nanoseconds.
    pub start_time_unix_nano: i64,
    /// Nanoseconds.
    pub duration_nanos: i64,
    /// Status.
    pub status_code: StatusCode,
    /// Text with the status.
    pub status_message: String,
    /// Who.
    pub service: ServiceKey,
    /// Span attributes.
    pub attributes: AttributeMap,
    /// Resource attributes; spans of one process share them.
    pub resource: Arc<AttributeMap>,
    /// Scope name.
    pub scope_name: String,
    /// Scope version.
    pub scope_version: String,
    /// Events by time.
    pub events: Vec<SpanEvent>,
    /// Links.
    pub links: Vec<SpanLink>,
    /// Attributes, events and links dropped by the sender or by us.
    pub dropped_attributes_count: u32,
    /// Events dropped.
    pub dropped_events_count: u32,
    /// Links dropped.
    pub dropped_links_count: u32,
}

/// Something that happened during a span.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanEvent {
    /// Unix nanoseconds.
    pub time_unix_nano: i64,
    /// Event name.
    pub name: String,
    /// Its attributes.
    pub attributes: AttributeMap,
}

/// A span another span points at.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanLink {
    /// Its trace.
    pub trace_id: TraceId,
    /// Its id.
    pub span_id: SpanId,
    /// Attributes of the link.
    pub attributes: AttributeMap,
}

/// A page of log records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogPage {
    /// Newest first.
    pub logs: Vec<LogRow>,
    /// For the next page; `None` at the end.
    pub next_cursor: Option<String>,
}

/// One log record.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRow {
    /// Unix nanoseconds.
    pub time_unix_nano: i64,
    /// Unix nanoseconds.
    pub observed_time_unix_nano: i64,
    /// OTLP number, 0 to 24.
    pub severity_number: u8,
    /// The source's word.
    pub severity_text: String,
    /// OTLP event name.
    pub event_name: String,
    /// Any value.
    pub body: serde_json::Value,
    /// Its trace, or none.
    pub trace_id: TraceId,
    /// Its span, or none.
    pub span_id: SpanId,
    /// Who.
    pub service: ServiceKey,
    /// Log record attributes.
    pub attributes: AttributeMap,
    /// Resource attributes.
    pub resource: AttributeMap,
    /// Scope name.
    pub scope_name: String,
}

/// Log counts over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogHistogram {
    /// Length of a bucket, nanoseconds.
    pub step_nanos: i64,
    /// Buckets with records, by time.
    pub buckets: Vec<LogBucket>,
}

/// One bucket.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogBucket {
    /// Its start, Unix nanoseconds.
    pub time_unix_nano: i64,
    /// Records by level.
    pub counts: BTreeMap<Severity, u64>,
}

/// Log records of a service that look alike, over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogCount {
    /// Who.
    pub service: ServiceKey,
    /// What their bodies have in common; empty unless asked for.
    pub pattern: String,
    /// Start of the step in Unix nanoseconds and records in it, by time; steps without any are missing.
    pub points: Vec<(i64, u64)>,
}

/// A metric that exists.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricName {
    /// Metric name.
    pub name: String,
    /// Description by its sender.
    pub description: String,
    /// UCUM unit.
    pub unit: String,
    /// `gauge`, `sum`, `histogram`, `exponential_histogram`, `summary`.
    pub kind: String,
    /// Whether a sum only grows.
    pub is_monotonic: bool,
    /// Services that report it.
    pub services: Vec<String>,
    /// Attribute names seen on its points.
    pub attribute_keys: Vec<String>,
}

/// One series of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricSeries {
    /// The group's attribute values, in the order of `group_by`.
    pub group: Vec<(String, String)>,
    /// Unit of the values (`…/s` for rates).
    pub unit: String,
    /// (Unix nanoseconds of the step's start, value), by time; steps without data are missing.
    pub points: Vec<(i64, f64)>,
}

/// A value and how often it occurs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueCount {
    /// The value as text.
    pub value: String,
    /// How many items.
    pub count: u64,
}

/// A host as its agent reports it.
#[derive(Clone, Debug, PartialEq)]
pub struct Host {
    /// `host.name`.
    pub name: String,
    /// Resource attributes of its agent.
    pub resource: AttributeMap,
    /// Last report, Unix nanoseconds.
    pub last_seen_unix_nano: i64,
    /// Busy share of all processors, 0 to 1.
    pub cpu_utilization: Option<f64>,
    /// Used share of memory, 0 to 1.
    pub memory_utilization: Option<f64>,
    /// Bytes of memory.
    pub memory_total_bytes: Option<f64>,
    /// Used share of the fullest file system, 0 to 1.
    pub filesystem_utilization: Option<f64>,
    /// 1-minute load average.
    pub load_1m: Option<f64>,
    /// Received plus sent bytes per second.
    pub network_bytes_per_second: Option<f64>,
    /// Read plus written bytes per second.
    pub disk_bytes_per_second: Option<f64>,
    /// Processor use over time, 0 to 1.
    pub cpu_series: Vec<(i64, f64)>,
    /// Memory use over time, 0 to 1.
    pub memory_series: Vec<(i64, f64)>,
    /// Services with spans from this host.
    pub services: Vec<ServiceKey>,
}

/// What a process needs to answer a [`crate::plan::Statement`].
pub struct Isolated {
    /// For the engine's own reader, in that process.
    pub task: Vec<u8>,
    /// Keeps the files that the process reads. Dropped when it is done.
    pub held: Box<dyn std::any::Any + Send + Sync>,
}

/// A table that a [`crate::plan::Statement`] can speak of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableInfo {
    /// Its name.
    pub name: String,
    /// What a row is.
    pub about: String,
    /// Its columns, in order.
    pub columns: Vec<ColumnInfo>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnInfo {
    /// Its name.
    pub name: String,
    /// Its type, in the engine's words.
    pub kind: String,
    /// What it means.
    pub about: String,
    /// Keys of a column of attributes, with how many rows have them, most first.
    pub keys: Vec<(String, u64)>,
}
