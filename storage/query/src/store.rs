//! The contract between the server and an engine.

use crate::answer::{self, Answer};
use crate::health::StoreHealth;
use crate::plan;
use crate::retention::{RetentionPlan, Rule};
use crate::time::TimeRange;
use crate::traceql::{Metrics, Problem};
use orrery_model::{Batch, Body, Signal, TraceId};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Called once, when an append is durable or has failed. May run on any thread; must not block.
pub type Appended = Box<dyn FnOnce(Result<(), AppendError>) + Send>;

/// Why a request was not stored. Nothing of it was.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// A bounded queue or memory budget is full, the disk reserve is reached, or the store is stopping. Refuse with
    /// "retry after this long".
    #[error("{reason}; retry after {retry_after:?}")]
    Refused {
        /// Short snake_case word for counters: `queue_full`, `memory`, `disk_reserve`, `stopping`.
        reason: &'static str,
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// Writing or syncing failed: a sick disk. The client should retry; someone should be told.
    #[error("write-ahead log: {0}")]
    Failed(Arc<std::io::Error>),
}

/// Why a query got no answer. Callers branch on the variant, never on the text.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// Wider than the store allows, or before anything can be stored. The caller can fix it.
    #[error("time range {0} is not allowed")]
    Range(TimeRange),
    /// A field of the plan makes no sense; says which and why. The caller can fix it.
    #[error("{field}: {reason}")]
    Invalid {
        /// Name of the plan's field.
        field: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// The query of the plan cannot be answered: a regular expression in it is none, or it asks for series where traces
    /// are wanted. The caller can fix it.
    #[error("query: {0}")]
    Query(#[from] Problem),
    /// Ran past its deadline. A narrower range may succeed.
    #[error("query ran past its deadline")]
    Deadline,
    /// The caller went away.
    #[error("query was cancelled")]
    Cancelled,
    /// Too many queries at once. Retry shortly.
    #[error("too many queries at once")]
    Busy,
    /// The engine failed: a bug or a sick disk. Log the chain; tell the client nothing.
    #[error("query {name} failed")]
    Engine {
        /// Which query.
        name: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Deadline and cancellation of one query.
#[derive(Clone, Debug)]
pub struct Control {
    deadline: Instant,
    cancelled: Arc<AtomicBool>,
}

impl Control {
    /// A query that may run this long.
    pub fn within(limit: Duration) -> Control {
        Control { deadline: Instant::now() + limit, cancelled: Arc::default() }
    }

    /// Asks the query to stop; it returns [`QueryError::Cancelled`] soon after.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Fails once the deadline has passed or the query was cancelled. Engines ask between steps.
    ///
    /// # Errors
    /// [`QueryError::Cancelled`] or [`QueryError::Deadline`].
    pub fn check(&self) -> Result<(), QueryError> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(QueryError::Cancelled);
        }
        if Instant::now() >= self.deadline { Err(QueryError::Deadline) } else { Ok(()) }
    }

    /// When the query must be over.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }
}

/// What an engine does: keep batches, answer plans, tell how it is. One test suite holds for every implementation.
///
/// Queries block; callers run them on threads that may block. A row appended and acknowledged is seen by queries
/// within a second. Spans that arrive twice (same trace and span id) are seen once.
pub trait Store: Send + Sync {
    /// Keeps a request: `batch` is what `body` decodes to. `done` is called once the body is durable (synced) or was
    /// refused; it is the sender's acknowledgement. Returns without waiting.
    fn append(&self, body: Body, batch: Batch, done: Appended);

    /// Why [`Store::append`] would refuse any request now; `None` if it would not. Cheap: asked before a request is read,
    /// so that overload costs little.
    fn refuses(&self) -> Option<AppendError>;

    /// Counts items of a request that were never valid. Kept across restarts.
    fn count_rejected(&self, signal: Signal, reason: &str, items: u64);

    /// Counts items or requests' items that were refused and may be sent again. Kept across restarts.
    fn count_refused(&self, signal: Signal, reason: &str, items: u64);

    /// Counts parts of accepted items that were not stored as sent: attributes over a limit, ends of long texts, links
    /// without ids. The items themselves are kept. Kept across restarts.
    fn count_trimmed(&self, signal: Signal, reason: &str, parts: u64);

    /// Services seen in the range, busiest first; from rollups.
    fn services(
        &self,
        plan: &plan::Services,
        control: &Control,
    ) -> Result<Answer<Vec<answer::ServiceSummary>>, QueryError>;

    /// One service, instrumented or inferred; `None` if unknown in the range.
    fn service(
        &self,
        plan: &plan::Service,
        control: &Control,
    ) -> Result<Answer<Option<answer::ServiceDetail>>, QueryError>;

    /// Where a duration stands among the calls of an operation; from rollups. `None` without calls.
    fn standing(
        &self,
        plan: &plan::Standing,
        control: &Control,
    ) -> Result<Answer<Option<answer::Standing>>, QueryError>;

    /// Who calls whom in the range; from rollups.
    fn topology(&self, plan: &plan::Topology, control: &Control) -> Result<Answer<answer::Topology>, QueryError>;

    /// What is wrong in the range, where it begins, the worst first; from rollups.
    fn findings(&self, plan: &plan::Findings, control: &Control) -> Result<Answer<Vec<answer::Finding>>, QueryError>;

    /// Cells over time, from rollups.
    fn cells(&self, plan: &plan::Cells, control: &Control) -> Result<Answer<answer::CellTable>, QueryError>;

    /// Traces that match, a page. Where time or rows run out, what was found until then, which is the beginning of the
    /// list, with a cursor for what was not looked at.
    fn traces(&self, plan: &plan::Traces, control: &Control) -> Result<Answer<answer::TracePage>, QueryError>;

    /// Metrics of spans. Where time or rows run out, those of the newest spans.
    fn trace_series(&self, plan: &plan::TraceSeries, control: &Control) -> Result<Answer<Metrics>, QueryError>;

    /// Where the traces that match spend their time. Of many a part that depends on their ids alone, spread over the
    /// range; where time or rows run out, of what was found until then.
    fn trace_flame(&self, plan: &plan::TraceFlame, control: &Control)
    -> Result<Answer<answer::TraceFlame>, QueryError>;

    /// Attributes that spans have, most spans first: completion.
    fn trace_keys(
        &self,
        plan: &plan::TraceKeys,
        control: &Control,
    ) -> Result<Answer<Vec<answer::TraceKey>>, QueryError>;

    /// Values of a field of spans, most frequent first: completion. Of many spans the newest are looked at.
    fn trace_values(
        &self,
        plan: &plan::TraceValues,
        control: &Control,
    ) -> Result<Answer<Vec<answer::TraceValue>>, QueryError>;

    /// All spans of one trace, at any time, by start time then span id, no duplicates; empty if unknown. Of large traces
    /// the first ten thousand: [`Store::trace_columns`] is for those.
    fn trace(&self, plan: &plan::Trace, control: &Control) -> Result<Answer<answer::Trace>, QueryError>;

    /// All spans of one trace, at any time, as columns; empty if unknown.
    fn trace_columns(
        &self,
        plan: &plan::TraceColumns,
        control: &Control,
    ) -> Result<Answer<answer::TraceColumns>, QueryError>;

    /// One span with everything; `None` if unknown. Of several with one id, the earliest.
    fn span(&self, plan: &plan::Span, control: &Control) -> Result<Answer<Option<answer::SpanRow>>, QueryError>;

    /// Keeps what there is of a trace whatever retention does, instead of what was kept of it before; `None` if unknown.
    /// Durable when this returns. Spans that come later are kept when it is said again.
    fn pin(&self, plan: &plan::Pin, control: &Control) -> Result<Answer<Option<answer::PinnedTrace>>, QueryError>;

    /// Lets a trace go again; false if it was not kept.
    fn unpin(&self, trace: TraceId) -> Result<bool, QueryError>;

    /// Kept traces, newest first, and how many there can be.
    fn pins(&self) -> (Vec<answer::PinnedTrace>, usize);

    /// Log records that match, newest first, a page.
    fn logs(&self, plan: &plan::Logs, control: &Control) -> Result<Answer<answer::LogPage>, QueryError>;

    /// Log records that match, counted by time and severity.
    fn log_histogram(
        &self,
        plan: &plan::LogHistogram,
        control: &Control,
    ) -> Result<Answer<answer::LogHistogram>, QueryError>;

    /// Log records that match, counted by service, pattern and time; by service, then pattern. Of too many different bodies
    /// those of the newest places.
    fn log_counts(
        &self,
        plan: &plan::LogCounts,
        control: &Control,
    ) -> Result<Answer<Vec<answer::LogCount>>, QueryError>;

    /// Metrics seen in the range, by name.
    fn metric_names(
        &self,
        plan: &plan::MetricNames,
        control: &Control,
    ) -> Result<Answer<Vec<answer::MetricName>>, QueryError>;

    /// One metric over time.
    fn metric(&self, plan: &plan::Metric, control: &Control) -> Result<Answer<Vec<answer::MetricSeries>>, QueryError>;

    /// Distinct values of an attribute or field, most frequent first: completion.
    fn values(&self, plan: &plan::Values, control: &Control) -> Result<Answer<Vec<answer::ValueCount>>, QueryError>;

    /// Hosts that reported metrics in the range.
    fn hosts(&self, plan: &plan::Hosts, control: &Control) -> Result<Answer<Vec<answer::Host>>, QueryError>;

    /// Writes the rows as one Parquet file to `out`, stored rows and those in memory; returns how many. Rows are in no
    /// promised order. What fits in a row group is held in memory; `out` may block. An interrupted file has no footer,
    /// so nobody takes it for a whole one.
    fn export(
        &self,
        plan: &plan::Export,
        control: &Control,
        out: &mut (dyn std::io::Write + Send),
    ) -> Result<Answer<u64>, QueryError>;

    /// Everything a process of its own needs to answer a statement that nobody here vouches for: stored rows, and those in
    /// memory as of now. What rows it has to look at is in `scanned`. The statement itself is not looked at.
    fn isolate(&self, plan: &plan::Statement, control: &Control) -> Result<Answer<answer::Isolated>, QueryError>;

    /// The tables such a statement can speak of.
    fn tables(&self, plan: &plan::Tables, control: &Control) -> Result<Answer<Vec<answer::TableInfo>>, QueryError>;

    /// What retention would remove now; with these rules instead of its own, if there are any.
    fn retention(&self, rules: Option<Vec<Rule>>, control: &Control) -> Result<RetentionPlan, QueryError>;

    /// Counters and sizes, cheap enough to ask every second.
    fn health(&self) -> StoreHealth;

    /// Stops accepting, seals or syncs what is held, and returns when everything acknowledged is safe. Idempotent.
    fn close(&self);
}
