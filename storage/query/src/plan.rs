//! Questions.

use crate::time::TimeRange;
use crate::traceql::{Body, Field, Filter, Pipeline, Place, Query, Scope, Spanset, Stage};
use orrery_model::{ServiceKey, Severity, SpanId, SpanKind, TraceId};

/// Attribute equality: `key` is an attribute (any spelling: old and new semantic-convention names are one field) of
/// the item or its resource; the value is compared as text (`200` matches the integer 200 and the string "200").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeFilter {
    /// Attribute name.
    pub key: String,
    /// Wanted value, as a person would write it.
    pub value: String,
    /// Whether to keep what does *not* match instead (items without the attribute are kept then).
    pub negated: bool,
}

/// Services seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Services {
    /// When.
    pub range: TimeRange,
    /// Only this `deployment.environment.name`.
    pub environment: Option<String>,
    /// Number of points wanted in each service's series; 0 for none.
    pub points: u32,
}

/// One service or inferred node.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// When.
    pub range: TimeRange,
    /// Node id as in [`crate::answer::Node::id`]; a service's is its key's text form.
    pub id: String,
    /// Number of points wanted in the series.
    pub points: u32,
}

/// Where a duration stands among the calls of an operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// When.
    pub range: TimeRange,
    /// Key of the service, in text form.
    pub service: String,
    /// Span name.
    pub operation: String,
    /// Span kind.
    pub kind: SpanKind,
    /// The duration, nanoseconds.
    pub duration_nanos: i64,
}

/// The map.
#[derive(Clone, Debug, PartialEq)]
pub struct Topology {
    /// When.
    pub range: TimeRange,
    /// Only this `deployment.environment.name`.
    pub environment: Option<String>,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Findings {
    /// When; what is usual is taken from before, too.
    pub range: TimeRange,
    /// Only this `deployment.environment.name`.
    pub environment: Option<String>,
    /// At most this many.
    pub limit: u32,
}

/// Rollup cells over time: what rates, shares and quantiles of any window are made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Cells {
    /// When; widened to whole steps.
    pub range: TimeRange,
    /// Length of a step wanted, nanoseconds: a multiple of 10 s. Where only coarser rows are left, steps are longer.
    pub step_nanos: i64,
    /// Before this time, longer ones: of so many nanoseconds.
    pub coarse: Option<(i64, i64)>,
    /// Of what.
    pub of: CellsOf,
    /// Only this `deployment.environment.name`; of edges between services of different ones, neither.
    pub environment: Option<String>,
    /// Whether durations are wanted, not only counts and their sum.
    pub durations: bool,
}

/// Whose cells, and only of which of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CellsOf {
    /// Of services as a whole.
    Services(Option<ServiceMatch>),
    /// Of requests by span name.
    Operations {
        /// Only of this service.
        service: Option<ServiceMatch>,
        /// Only this span name.
        operation: Option<String>,
    },
    /// Of services by `service.version`.
    Versions(Option<ServiceMatch>),
    /// Of services by instance.
    Instances(Option<ServiceMatch>),
    /// Of calls between nodes.
    Edges {
        /// Which numbers.
        measure: EdgeMeasure,
        /// Only of this node, by name or id.
        caller: Option<String>,
        /// Only to this node, by name or id.
        callee: Option<String>,
    },
    /// Of failed spans by what they say; counts only.
    Errors(Option<ServiceMatch>),
}

/// What is known of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EdgeMeasure {
    /// Calls as the caller saw them; as the callee saw them where the caller sent nothing.
    Caller,
    /// Calls as the callee saw them; none of nodes that send nothing.
    Callee,
    /// Calls whose failure is blamed on a callee that sends nothing; counts only.
    Blamed,
    /// Client minus server duration of matched calls.
    Network,
    /// Consumer start minus producer end.
    Lag,
}

/// Trace search.
///
/// Where the query judges spans one by one ([`crate::traceql::Reads::whole_traces`]), a trace is found by matching spans
/// that start in the range. Else the spans that start in the range and meet what the query asks of some span
/// ([`crate::traceql::Prefilter::of_some_span`]) lead to traces, which are then judged as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Traces {
    /// When.
    pub range: TimeRange,
    /// What; a search, not metrics.
    pub query: Query,
    /// Which first.
    pub sort: TraceSort,
    /// Matching spans of each spanset in the answer, at most.
    pub spans: u32,
    /// At most this many traces; the store caps it.
    pub limit: u32,
    /// Where the previous page ended.
    pub cursor: Option<String>,
}

impl Traces {
    /// The newest traces with spans in the range; [`Traces::query`] and the like may be set then.
    pub fn all(range: TimeRange) -> Traces {
        let filter = Filter { condition: None, place: Place::default() };
        let body = Body::Search(Pipeline { stages: vec![Stage::Spansets(Spanset::Filter(filter))] });
        let query = Query { body, hints: Vec::new() };
        Traces { range, query, sort: TraceSort::Time, spans: 3, limit: 100, cursor: None }
    }
}

/// Which traces come first. Among equals the trace id decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TraceSort {
    /// Those with the newest span that led to them.
    #[default]
    Time,
    /// The longest.
    Duration,
    /// Those with most failed spans.
    Errors,
    /// Those with most spans.
    Spans,
}

/// Metrics of spans.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceSeries {
    /// Spans that start inside count.
    pub range: TimeRange,
    /// What; metrics, not a search.
    pub query: Query,
    /// Length of a step, nanoseconds.
    pub step_nanos: i64,
}

/// Where traces spend their time: their trees merged by path.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceFlame {
    /// Traces that match by spans that start inside, as a search finds them.
    pub range: TimeRange,
    /// The same of another range, to compare with.
    pub compared: Option<TimeRange>,
    /// What; a search, not metrics.
    pub query: Query,
    /// Where paths begin.
    pub from: FlameFrom,
    /// At most this many traces of each range: of more, which ones depends on their ids alone.
    pub traces: u32,
    /// At most this many paths; smaller ones are added up.
    pub paths: u32,
}

/// Where the paths of a flame graph begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlameFrom {
    /// At the roots of traces.
    #[default]
    Root,
    /// At the spans that match, the outermost of them.
    Match,
}

/// Attributes that spans have.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceKeys {
    /// When, roughly: whatever is stored together with spans of this time.
    pub range: TimeRange,
    /// Only of this scope.
    pub scope: Option<Scope>,
    /// Name starts with, ignoring case.
    pub prefix: String,
    /// At most this many.
    pub limit: u32,
}

/// Values of a field of spans.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceValues {
    /// Spans that start inside count.
    pub range: TimeRange,
    /// Of what.
    pub field: Field,
    /// As text, starts with, ignoring case.
    pub prefix: String,
    /// At most this many.
    pub limit: u32,
}

/// A service by name alone or by full identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ServiceMatch {
    /// Any namespace and environment.
    Name(String),
    /// Exactly this.
    Key(ServiceKey),
}

impl ServiceMatch {
    /// Whether this is it.
    pub fn holds(&self, service: &ServiceKey) -> bool {
        match self {
            ServiceMatch::Name(name) => *name == service.name,
            ServiceMatch::Key(key) => key == service,
        }
    }
}

/// One trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Which.
    pub trace_id: TraceId,
}

/// One trace as columns.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceColumns {
    /// Which.
    pub trace_id: TraceId,
    /// At most this many spans; of a larger trace those in the oldest places are read, and the answer says so.
    pub max_spans: u32,
}

/// A trace to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Pin {
    /// Which.
    pub trace_id: TraceId,
    /// A larger one is refused.
    pub max_spans: u32,
}

/// One span with everything.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Its trace.
    pub trace_id: TraceId,
    /// Its id.
    pub span_id: SpanId,
}

/// Which log records.
#[derive(Clone, Debug, PartialEq)]
pub struct LogFilter {
    /// When.
    pub range: TimeRange,
    /// Only this service.
    pub service: Option<ServiceMatch>,
    /// Only this severe or worse.
    pub min_severity: Option<Severity>,
    /// Body contains, ignoring case.
    pub text: Option<String>,
    /// Of this trace.
    pub trace_id: Option<TraceId>,
    /// Of this span.
    pub span_id: Option<SpanId>,
    /// Attribute equalities.
    pub attributes: Vec<AttributeFilter>,
}

/// Log search.
#[derive(Clone, Debug, PartialEq)]
pub struct Logs {
    /// Which.
    pub filter: LogFilter,
    /// At most this many; the store caps it.
    pub limit: u32,
    /// Where the previous page ended.
    pub cursor: Option<String>,
}

/// Log counts over time.
#[derive(Clone, Debug, PartialEq)]
pub struct LogHistogram {
    /// Which.
    pub filter: LogFilter,
    /// Number of buckets wanted.
    pub buckets: u32,
}

/// Log counts by service, over time.
#[derive(Clone, Debug, PartialEq)]
pub struct LogCounts {
    /// Which.
    pub filter: LogFilter,
    /// Length of a step, nanoseconds; the first begins with the range.
    pub step_nanos: i64,
    /// Whether records are told apart by [`orrery_model::template()`] of their body.
    pub patterns: bool,
}

/// Metrics seen.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricNames {
    /// When.
    pub range: TimeRange,
    /// Only of this service.
    pub service: Option<ServiceMatch>,
}

/// How the points of a series inside one step become one value, and series one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregation {
    /// Average of the last values (gauges), the default for gauges.
    Average,
    /// Sum over series of the last values (gauges, non-monotonic sums).
    Sum,
    /// Smallest.
    Min,
    /// Largest.
    Max,
    /// Increase per second, resets handled (monotonic sums, histogram counts).
    Rate,
    /// Quantile estimate of a histogram, in thousandths: 950 is p95.
    Quantile(u16),
}

/// One metric over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Metric name.
    pub name: String,
    /// When.
    pub range: TimeRange,
    /// Length of a step in nanoseconds; the store widens it to keep the number of points bounded.
    pub step_nanos: i64,
    /// Only of this service.
    pub service: Option<ServiceMatch>,
    /// Attribute equalities.
    pub attributes: Vec<AttributeFilter>,
    /// One series per combination of these attributes; empty: one series.
    pub group_by: Vec<String>,
    /// How; `None`: what fits the metric's kind.
    pub aggregation: Option<Aggregation>,
    /// At most this many series, largest first.
    pub limit: u32,
}

/// Completion.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// When.
    pub range: TimeRange,
    /// Of spans or of log records.
    pub signal: orrery_model::Signal,
    /// `service.name`, `name` (span name) or an attribute.
    pub key: String,
    /// Starts with, ignoring case.
    pub prefix: String,
    /// At most this many.
    pub limit: u32,
}

/// Hosts seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Hosts {
    /// When.
    pub range: TimeRange,
    /// Number of points wanted in each series.
    pub points: u32,
}

/// All rows of a signal, for other tools.
#[derive(Clone, Debug, PartialEq)]
pub struct Export {
    /// Which.
    pub signal: orrery_model::Signal,
    /// The row's own time lies inside.
    pub range: TimeRange,
    /// Only of this service.
    pub service: Option<ServiceMatch>,
}

/// A statement in the engine's own language, to be answered by a process of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// As somebody wrote it.
    pub text: String,
    /// Rows outside are not seen.
    pub range: TimeRange,
    /// How the rows come out.
    pub format: RowFormat,
    /// Rows wanted; `None`: all.
    pub rows: Option<u64>,
    /// Rows there may be.
    pub most_rows: u64,
    /// Bytes they may come to.
    pub most_bytes: u64,
}

/// How rows come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RowFormat {
    /// Arrays, with commas between.
    Json,
    /// RFC 4180, with a line of names.
    Csv,
    /// One file.
    Parquet,
}

/// Which tables a [`Statement`] can speak of.
#[derive(Clone, Debug, PartialEq)]
pub struct Tables {
    /// Attributes are those of rows inside.
    pub range: TimeRange,
}
