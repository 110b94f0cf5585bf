//! Where the values of rules come from: the store.
//!
//! What rollups know (requests, calls, errors, silence, budgets) is read as cells over time ([`cells`]), of which windows
//! are made here; rules that are judged at the same moment share what was read for one of them. Everything else is asked
//! as the API asks it, once for as many moments as possible.

mod calls;
mod cells;
mod kept;
mod labels;
mod metric;
mod novelty;
mod records;
mod requests;
mod silence;
mod statement;
mod traces;

#[cfg(test)]
mod tests;

pub(crate) use requests::{Tally, burn};
pub(crate) use statement::Workers;

use super::arrival::Objective;
use cells::Shared;
use kept::Kept;
use metric::Asked;
use orrery_alert::{Grid, Series, Source, SourceError, Values};
use orrery_api::alerting::{Measure, Period};
use orrery_query::{Answer, Control, QueryError, Store};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Series of a measure, at most: those with most to say.
const MOST_SERIES: usize = 1_000;
/// So long something that has ended still has a value, zero, rather than none.
const KNOWN: i64 = 1_200_000_000_000;
const SECOND: f64 = 1e9;

/// When heartbeats of a name were received from one instant to another, and when last before; Unix nanoseconds, in order.
pub(crate) type Beats = Box<dyn Fn(&str, i64, i64) -> Result<Vec<i64>, String> + Send + Sync>;

/// What a source asks besides the store.
pub(crate) struct Lookups {
    pub(crate) beats: Beats,
    pub(crate) objective: Objective,
    /// Processes for statements in SQL; none where there are none.
    pub(crate) workers: Option<Workers>,
}

/// Values from a store. Blocks: not for threads that must not.
pub(crate) struct StoreSource {
    store: Arc<dyn Store>,
    lookups: Lookups,
    /// Longest that one question of the store may take.
    limit: Duration,
    shared: Mutex<Shared>,
    kept: Mutex<Kept>,
    metrics: Mutex<Asked>,
}

impl StoreSource {
    /// Asks `store`, each question for at most `limit`.
    pub(crate) fn new(store: Arc<dyn Store>, lookups: Lookups, limit: Duration) -> StoreSource {
        let (shared, kept, metrics) = Default::default();
        StoreSource { store, lookups, limit, shared, kept, metrics }
    }

    /// Lets what was read be read again: what arrived since is seen then. Happens by itself after a quarter of a second.
    /// Counts of log records and values of metrics only by this.
    pub(crate) fn renew(&self) {
        self.shared().clear();
        self.kept().renew();
        self.metrics().renew();
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        lock(&self.shared)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        lock(&self.kept)
    }

    fn metrics(&self) -> MutexGuard<'_, Asked> {
        lock(&self.metrics)
    }

    fn ask<T>(
        &self,
        ask: impl FnOnce(&dyn Store, &Control) -> Result<Answer<T>, QueryError>,
    ) -> Result<Answer<T>, SourceError> {
        ask(self.store.as_ref(), &Control::within(self.limit)).map_err(failure)
    }
}

/// What a rule's author can put right, and what only time can.
fn failure(error: QueryError) -> SourceError {
    match error {
        QueryError::Invalid { field, reason } => invalid(field, reason),
        QueryError::Query(problem) => invalid("q", problem.to_string()),
        QueryError::Range(range) => SourceError::Failed(format!("the time {range} is wider than the store allows")),
        QueryError::Deadline => SourceError::Failed(
            "the question took too long: add filters, choose a shorter window, or raise --query-timeout".to_owned(),
        ),
        QueryError::Cancelled | QueryError::Busy => SourceError::Failed("the store is busy".to_owned()),
        QueryError::Engine { name, source } => {
            tracing::error!(name, error = %source, "a rule's question failed");
            SourceError::Failed(format!("the store failed ({name}); the server's log says more"))
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn invalid(field: &str, reason: impl Into<String>) -> SourceError {
    SourceError::Invalid { field: field.to_owned(), reason: reason.into() }
}

impl Source for StoreSource {
    fn values(&self, measure: &Measure, window: Period, grid: Grid) -> Result<Values, SourceError> {
        if grid.count == 0 {
            return Ok(Values::default());
        }
        if window.is_zero()
            && !matches!(measure, Measure::Silent { .. } | Measure::Hosts { .. } | Measure::Heartbeat { .. })
        {
            return Err(invalid("window", "a window is longer than nothing: 1m"));
        }
        let window = window.nanos();
        match measure {
            Measure::Requests { figure, by, service, operation, environment, least_requests } => {
                let asked = requests::Requests {
                    figure: *figure,
                    by: *by,
                    service: service.as_deref(),
                    operation: operation.as_deref(),
                    environment: environment.as_deref(),
                    least: *least_requests,
                };
                self.requests(&asked, window, grid)
            }
            Measure::Calls { figure, caller, callee, kind, environment, least_requests } => {
                let asked = calls::Calls {
                    figure: *figure,
                    caller: caller.as_deref(),
                    callee: callee.as_deref(),
                    kind: kind.as_deref(),
                    environment: environment.as_deref(),
                    least: *least_requests,
                };
                self.calls(&asked, window, grid)
            }
            Measure::Errors { service, types, environment } => {
                self.errors(service.as_deref(), types, environment.as_deref(), window, grid)
            }
            Measure::NewErrors { service, environment } => {
                self.new_errors(service.as_deref(), environment.as_deref(), window, grid)
            }
            Measure::NewEdges { environment } => self.new_edges(environment.as_deref(), window, grid),
            Measure::Silent { service, environment } => self.silent(service.as_deref(), environment.as_deref(), grid),
            Measure::Traces { q } => self.traces(q, window, grid),
            Measure::Logs { service, severity, text, attr } => {
                let asked = records::Records {
                    service: service.as_deref(),
                    severity: severity.as_deref(),
                    text: text.as_deref(),
                    attr,
                };
                self.logs(&asked, window, grid)
            }
            Measure::NewLogPatterns { service, severity } => {
                let asked = records::Records {
                    service: service.as_deref(),
                    severity: severity.as_deref(),
                    text: None,
                    attr: &[],
                };
                self.new_log_patterns(&asked, window, grid)
            }
            Measure::Metric { name, aggregation, service, attr, group_by } => {
                let asked = metric::Metric {
                    name,
                    aggregation: aggregation.as_deref(),
                    service: service.as_deref(),
                    attr,
                    group_by,
                };
                self.metric(&asked, window, grid)
            }
            Measure::Hosts { host } => self.hosts(host.as_deref(), grid),
            Measure::Sql { statement } => self.statement(statement, window, grid),
            Measure::Heartbeat { name } => self.heartbeat(name, grid),
            Measure::Burn { slo, short } => self.burn(slo, window, short.nanos(), grid),
        }
    }

    fn heard(&self, measure: &Measure, window: Period, grid: Grid) -> Result<Vec<bool>, SourceError> {
        match measure {
            Measure::Requests { .. }
            | Measure::Calls { .. }
            | Measure::Errors { .. }
            | Measure::NewErrors { .. }
            | Measure::NewEdges { .. } => self.spans_heard(window.nanos(), grid),
            _ => Ok(vec![true; grid.count]),
        }
    }
}

impl StoreSource {
    fn heartbeat(&self, name: &str, grid: Grid) -> Result<Values, SourceError> {
        let last = grid.moments().last().unwrap_or(grid.first);
        let beats = (self.lookups.beats)(name, grid.first, last).map_err(SourceError::Failed)?;
        let since = |at: i64| {
            let before = beats[..beats.partition_point(|beat| *beat <= at)].last()?;
            Some((at - before) as f64 / SECOND)
        };
        let labels = [("heartbeat".to_owned(), name.to_owned())].into();
        let series = Series { labels, values: grid.moments().map(since).collect(), ..Series::default() };
        Ok(Values { series: vec![series], partial: None })
    }
}

/// What makes series be left out: how much each has to say.
struct Weighed {
    weight: f64,
    series: Series,
}

/// Series by their labels, not too many, without those that never have a value.
fn gathered(mut all: Vec<Weighed>, mut partial: Option<String>) -> Values {
    all.retain(|one| one.series.values.iter().any(Option::is_some));
    let found = all.len();
    if found > MOST_SERIES {
        all.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        all.truncate(MOST_SERIES);
        partial.get_or_insert_with(|| {
            format!("{found} combinations of labels; of the {MOST_SERIES} with most to say there are values")
        });
    }
    let mut series: Vec<Series> = all.into_iter().map(|one| one.series).collect();
    series.sort_by(|a, b| a.labels.cmp(&b.labels));
    Values { series, partial }
}
