//! Metrics of spans.
//!
//! Each thread has a [`Series`] of its own, so memory follows the series and steps, not the spans. Spans that are judged
//! one by one are counted as they are read; others lead to traces, which are read in the order of their ids, as they lie.

use super::super::filter;
use super::super::session::Session;
use super::super::source::Source;
use super::budget::Budget;
use super::needs::Needs;
use super::question::{Asked, Question};
use super::rows::{Rows, View};
use super::scan::{Scan, Thinned};
use super::whole;
use crate::columns::arrival;
use crate::engine::Inner;
use hashbrown::HashSet;
use orrery_model::{SpanBatch, SpanId, TraceId};
use orrery_query::answer::Answer;
use orrery_query::traceql::{
    Body, Metric, MetricFunction, Metrics, Problem, Query, Series, SeriesError, SpanCondition, TraceView,
};
use orrery_query::{Control, QueryError, TimeRange, plan};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Rows that a question looks at, at most.
const ROWS: u64 = 200_000_000;
/// The same of spans of which every attribute is counted.
const COMPARED: u64 = 2_000_000;
/// Spans that the larger of two groups is thinned to, about.
const THINNED: u64 = 500_000;
/// Traces that are judged as a whole, at most.
const TRACES: usize = 500_000;
/// Traces whose spans are in memory at once.
const AT_ONCE: usize = 2_000;
/// How far before and after the range a span may start that leads to a trace with spans of the range, nanoseconds.
const NEAR: i64 = 300_000_000_000;

pub(crate) fn run(inner: &Inner, plan: &plan::TraceSeries, control: &Control) -> Result<Answer<Metrics>, QueryError> {
    filter::check_range(plan.range)?;
    let question = Question::new(&plan.query)?;
    let (series, session) = gather(inner, "trace series", plan, question, ROWS, control)?;
    Ok(session.answer(series.finish()))
}

/// Gathers what a query for metrics makes of at most so many rows, the newest.
pub(super) fn gather<'a>(
    inner: &'a Inner,
    name: &'static str,
    plan: &plan::TraceSeries,
    question: Question,
    rows: u64,
    control: &'a Control,
) -> Result<(Series, Session<'a>), QueryError> {
    let empty = Series::new(&question.compiled, plan.range, plan.step_nanos).map_err(|error| refused(error, plan))?;
    let mut session = Session::new(inner, name, control)?;
    let gather =
        Gather { plan, question, budget: Budget::new(rows, COMPARED, control), seen: inner.visible_seq(), empty };
    let series = match gather.question.reads.whole_traces {
        false => gather.spans(&mut session)?,
        true => gather.traces(&mut session)?,
    };
    Ok((series, session))
}

fn refused(error: SeriesError, plan: &plan::TraceSeries) -> QueryError {
    let whole = 0..plan.query.to_string().len();
    match error {
        SeriesError::Search => {
            let (message, hint) = ("this searches for traces", "append for example | rate()");
            Problem { range: whole, message: message.into(), hint: hint.into() }.into()
        }
        other => QueryError::Invalid { field: "step", reason: other.to_string() },
    }
}

/// Series being gathered.
struct Gather<'a> {
    plan: &'a plan::TraceSeries,
    question: Question,
    budget: Budget,
    seen: u64,
    empty: Series,
}

impl Gather<'_> {
    fn scan(&self, range: TimeRange, needs: Needs) -> Scan<'_> {
        Scan {
            range,
            condition: &self.question.condition,
            arrived_before: arrival(self.seen, 0),
            is_first_page: true,
            needs: extrapolating(&self.plan.query, needs),
            budget: &self.budget,
            since: Arc::new(i64::MIN.into()),
            thinned: None,
        }
    }

    /// Of spans one by one.
    fn spans(&self, session: &mut Session<'_>) -> Result<Series, QueryError> {
        let mut scan = self.scan(self.plan.range, Needs::of(&self.question.reads));
        scan.thinned = self.thinned(session, &scan)?;
        let mut workers = vec![self.empty.clone(); session.inner.config.query_threads.max(1) as usize];
        let received = Mutex::new(HashSet::new());
        self.each_source(session, &scan, &mut workers, |series: &mut Series, rows, mut spans| {
            once(&rows, &mut spans, &received);
            if self.question.reads.everything {
                self.budget.spend_whole(spans.len() as u64);
            }
            series.observe(&View { rows: std::slice::from_ref(&rows), spans: &spans, parents: &[] });
        })?;
        let mut series = workers.pop().expect("there is a worker");
        for other in &workers {
            series.merge(other).map_err(|error| refused(error, self.plan))?;
        }
        Ok(series)
    }

    /// What may be left out where two groups of spans are compared: of the larger one, which a part shows as well.
    fn thinned(&self, session: &mut Session<'_>, scan: &Scan<'_>) -> Result<Option<Thinned>, QueryError> {
        let Body::Metrics(Metric::Spans { function: MetricFunction::Compare { filter, window, .. }, .. }) =
            &self.plan.query.body
        else {
            return Ok(None);
        };
        let rows: u64 = scan.sources(session)?.iter().map(Source::rows::<SpanBatch>).sum();
        let every = rows.div_ceil(THINNED);
        let selection = Asked::new(&SpanCondition::of(filter))?;
        let window = window.map_or(TimeRange::ALL, |(from, to)| TimeRange { from, to });
        Ok((every > 1).then_some(Thinned { selection, window, every }))
    }

    /// Of traces as a whole.
    fn traces(&self, session: &mut Session<'_>) -> Result<Series, QueryError> {
        let range = self.plan.range;
        let wide = TimeRange { from: range.from.saturating_sub(NEAR), to: range.to.saturating_add(NEAR) };
        let scan = self.scan(wide, Needs::of(&self.question.leads_read));
        let mut workers = vec![BTreeSet::new(); session.inner.config.query_threads.max(1) as usize];
        self.each_source(session, &scan, &mut workers, |traces: &mut BTreeSet<TraceId>, rows, spans| {
            let view = View { rows: std::slice::from_ref(&rows), spans: &spans, parents: &[] };
            let leading = self.question.leads.evaluate(&view);
            let leading = leading.iter().flat_map(|spanset| &spanset.spans);
            traces.extend(leading.map(|span| view.trace_id(*span as usize)));
        })?;
        let traces: Vec<TraceId> = workers.into_iter().flatten().collect::<BTreeSet<TraceId>>().into_iter().collect();
        if traces.len() > TRACES {
            session.incomplete(format!("of {} traces that may count {TRACES} were looked at", traces.len()));
        }
        let needs =
            Needs::of(&self.question.reads).and(&["trace_id", "span_id", "parent_span_id", "start_time_unix_nano"]);
        let needs = extrapolating(&self.plan.query, needs);
        let mut series = self.empty.clone();
        for traces in traces[..traces.len().min(TRACES)].chunks(AT_ONCE) {
            if let Some(why) = self.budget.is_spent() {
                session.incomplete(format!("{why}: not all traces were looked at"));
                break;
            }
            let ids = traces.iter().copied().collect();
            let read = whole::read(session, &ids, &needs, wide, arrival(self.seen, 0))?;
            traces.iter().filter_map(|id| read.get(*id)).for_each(|trace| series.observe(&trace.view()));
        }
        Ok(series)
    }

    fn each_source<T: Send>(
        &self,
        session: &mut Session<'_>,
        scan: &Scan<'_>,
        workers: &mut [T],
        each: impl Fn(&mut T, Rows, Vec<(u32, u32)>) + Sync,
    ) -> Result<(), QueryError> {
        for source in scan.sources(session)? {
            if let Some(why) = self.budget.is_spent() {
                let last = source.last::<SpanBatch>();
                session.incomplete(format!("{why}: spans before {last} (Unix nanoseconds) are not all counted"));
                break;
            }
            scan.read(session, &source, workers, &each)?;
        }
        Ok(())
    }
}

/// Adds what sampling is made up for with, if the query asks for it.
fn extrapolating(query: &Query, needs: Needs) -> Needs {
    if query.hint("extrapolate").is_some() { needs.and(&["trace_state"]) } else { needs }
}

/// Leaves out spans in memory that were received before. Within a segment each is once.
fn once(rows: &Rows, spans: &mut Vec<(u32, u32)>, received: &Mutex<HashSet<(TraceId, SpanId)>>) {
    if rows.is_in_memory() {
        let mut received = received.lock();
        spans.retain(|(_, row)| received.insert((rows.trace_id(*row as usize), rows.span_id(*row as usize))));
    }
}
