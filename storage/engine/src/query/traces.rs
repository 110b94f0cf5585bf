//! Trace search: newest first, a page at a time.
//!
//! A trace stands where its newest matching span starts; `(start, trace id)` is a total order, and a page ends at such
//! a position. Pages after the first see what the first page saw: only spans that had arrived by then, so that nothing
//! is shown twice or skipped while more arrives.

use super::session::Session;
use super::source::Source;
use super::sql::Sql;
use super::{filter, page_limit};
use crate::columns::{arrival, read::Reader};
use crate::context::ContextTable;
use crate::engine::Inner;
use crate::segment::read::Wanted;
use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use hashbrown::{HashMap, HashSet};
use orrery_model::{ServiceKey, SpanBatch, SpanId, TraceId};
use orrery_query::answer::{Answer, TracePage, TraceSummary};
use orrery_query::{Control, QueryError, TimeRange, plan};

/// Spans read to sum up the traces of a page, at most.
const SUMMARY_SPANS: u64 = 1_000_000;
/// What a summary is made of.
const SUMMARY: &[&str] = &[
    "trace_id",
    "span_id",
    "parent_span_id",
    "name",
    "resource_id",
    "start_time_unix_nano",
    "duration_nanos",
    "status_code",
];
const TOO_MANY: &str = "the traces of this page have too many spans to count them all";
/// Matching spans fetched from one place at once, at most.
const FETCH: usize = 1 << 16;

/// Where a trace stands in the list.
pub(super) type Position = (i64, TraceId);
/// A matching span: where it stands, and which it is.
pub(super) type Found = (i64, TraceId, SpanId);

/// Where a page ended, and what the first page saw.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cursor {
    after: Position,
    seen: u64,
}

impl Cursor {
    fn print(self) -> String {
        format!("{}.{}.{}", self.after.0, self.after.1, self.seen)
    }

    fn parse(text: &str) -> Option<Cursor> {
        let mut parts = text.split('.');
        let cursor = Cursor {
            after: (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?),
            seen: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(cursor)
    }
}

/// A search in progress.
pub(super) struct Search<'a> {
    pub(super) plan: &'a plan::Traces,
    /// Where the previous page ended.
    after: Option<Position>,
    /// Spans with this arrival number or a later one are not looked at.
    pub(super) arrived_before: u64,
}

pub(crate) fn run(inner: &Inner, plan: &plan::Traces, control: &Control) -> Result<Answer<TracePage>, QueryError> {
    filter::check_range(plan.range)?;
    let cursor =
        match &plan.cursor {
            None => None,
            Some(text) => Some(Cursor::parse(text).ok_or_else(|| QueryError::Invalid {
                field: "cursor",
                reason: "not one that a page ended with".into(),
            })?),
        };
    let mut session = Session::new(inner, "traces", control)?;
    // After the session has seen what there is: so all sealed rows of a first page have arrived before.
    let seen = cursor.map_or_else(|| inner.visible_seq(), |cursor| cursor.seen);
    let search = Search { plan, after: cursor.map(|cursor| cursor.after), arrived_before: arrival(seen, 0) };
    let listed = |services: &[String]| filter::lists_service(services, plan.service.as_ref());
    let sources = session.sources::<SpanBatch>(plan.range, |entry| listed(&entry.services))?;
    let limit = page_limit(plan.limit);
    let mut found = search.page(&mut session, &sources, limit + 1)?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found.last().filter(|_| more).map(|(after, _)| Cursor { after: *after, seen }.print());
    let traces = summaries(&mut session, &found)?;
    Ok(session.answer(TracePage { traces, next_cursor }))
}

impl Search<'_> {
    /// The newest `want` traces below the cursor, each with its newest matching span; fewer at the end.
    fn page(
        &self,
        session: &mut Session<'_>,
        sources: &[Source],
        want: usize,
    ) -> Result<Vec<(Position, SpanId)>, QueryError> {
        let mut need = want;
        loop {
            let (mut found, exhausted) = self.newest(session, sources, need)?;
            if let Some(after) = self.after {
                let shown = self.shown(session, sources, after, &found)?;
                found.retain(|((_, trace), _)| !shown.contains(trace));
            }
            if found.len() >= want || exhausted {
                found.truncate(want);
                return Ok(found);
            }
            need = need.saturating_mul(4);
        }
    }

    /// The newest `need` traces below the cursor, and whether there are no more.
    fn newest(
        &self,
        session: &mut Session<'_>,
        sources: &[Source],
        need: usize,
    ) -> Result<(Vec<(Position, SpanId)>, bool), QueryError> {
        let mut best: HashMap<TraceId, (i64, SpanId)> = HashMap::new();
        let mut exhausted = true;
        for source in sources {
            // Sources come newest first: what is left cannot displace what was found.
            if rank(&best, need).is_some_and(|worst| worst.0 > source.last::<SpanBatch>()) {
                exhausted = false;
                break;
            }
            if !session.open(source, &self.plan.attributes)? {
                continue;
            }
            exhausted &= self.newest_of(session, source, need, &mut best)?;
        }
        let mut found: Vec<_> = best.into_iter().map(|(trace, (start, span))| ((start, trace), span)).collect();
        found.sort_unstable_by(|a, b| b.cmp(a));
        exhausted &= found.len() <= need;
        found.truncate(need);
        Ok((found, exhausted))
    }

    /// Adds the matches of one source, newest first, until no further one can count; true if that was all of them.
    fn newest_of(
        &self,
        session: &mut Session<'_>,
        source: &Source,
        need: usize,
        best: &mut HashMap<TraceId, (i64, SpanId)>,
    ) -> Result<bool, QueryError> {
        let mut before = self.after;
        let mut fetch = need.saturating_mul(8).clamp(64, FETCH);
        loop {
            let spans = self.fetch(session, source, before, fetch)?;
            for (start, trace, span) in &spans {
                let newest = best.entry(*trace).or_insert((*start, *span));
                *newest = (*newest).max((*start, *span));
            }
            let Some((start, trace, _)) = spans.last().copied().filter(|_| spans.len() == fetch) else {
                return Ok(true);
            };
            if rank(best, need).is_some_and(|worst| worst >= (start, trace)) {
                return Ok(false);
            }
            // Spans of one trace at one instant may straddle the limit: the trace is known, the rest of it is skipped.
            before = Some((start, trace));
            fetch = fetch.saturating_mul(4).min(FETCH);
        }
    }

    /// The newest matches of a source below a position, newest first, at most `limit`.
    fn fetch(
        &self,
        session: &mut Session<'_>,
        source: &Source,
        before: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Found>, QueryError> {
        if let Some(hot) = session.hot_spans(source) {
            return hot.newest(session, self, before, limit);
        }
        let mut sql = Sql::new("SELECT start_time_unix_nano, trace_id, span_id FROM ");
        source.from::<SpanBatch>(&mut sql);
        self.conditions(&mut sql, source);
        if let Some((start, trace)) = before {
            sql.push(" AND (start_time_unix_nano < ").bind(start);
            sql.push(" OR (start_time_unix_nano = ").bind(start).push(" AND trace_id < ").bind(trace).push("))");
        }
        sql.push(" ORDER BY start_time_unix_nano DESC, trace_id DESC LIMIT ").bind(limit as u64);
        let rows = session.select::<SpanBatch>(source, &sql)?;
        matches(&rows).map_err(|error| session.fault(error))
    }

    /// Which of the found traces stand above the cursor, so that an earlier page has shown them.
    fn shown(
        &self,
        session: &mut Session<'_>,
        sources: &[Source],
        after: Position,
        found: &[(Position, SpanId)],
    ) -> Result<HashSet<TraceId>, QueryError> {
        let mut shown = HashSet::new();
        for source in sources.iter().filter(|source| source.last::<SpanBatch>() >= after.0) {
            let traces = session.may_have(source, found.iter().map(|((_, trace), _)| *trace));
            if traces.is_empty() || !session.open(source, &self.plan.attributes)? {
                continue;
            }
            if let Some(hot) = session.hot_spans(source) {
                shown.extend(hot.shown(session, self, after, &traces)?);
                continue;
            }
            for traces in traces.chunks(512) {
                let mut sql = Sql::new("SELECT DISTINCT trace_id FROM ");
                source.from::<SpanBatch>(&mut sql);
                self.conditions(&mut sql, source);
                sql.push(" AND (start_time_unix_nano > ").bind(after.0);
                sql.push(" OR (start_time_unix_nano = ").bind(after.0);
                sql.push(" AND trace_id >= ").bind(after.1).push(")) AND ");
                in_traces(&mut sql, traces);
                for rows in session.select::<SpanBatch>(source, &sql)? {
                    shown.extend(Reader::new(&rows).trace_ids("trace_id").map_err(|error| session.fault(error))?);
                }
            }
        }
        Ok(shown)
    }

    fn conditions(&self, sql: &mut Sql, source: &Source) {
        let plan = self.plan;
        filter::in_range_of(sql, "start_time_unix_nano", plan.range, source);
        if self.after.is_some() {
            sql.push(" AND arrival < ").bind(self.arrived_before);
        }
        filter::service(sql, plan.service.as_ref(), &source.context::<SpanBatch>());
        if let Some(operation) = &plan.operation {
            sql.push(" AND name = ").bind(operation.as_str());
        }
        if let Some(error) = plan.error {
            sql.push(if error { " AND status_code = 2" } else { " AND status_code <> 2" });
        }
        if let Some(least) = plan.min_duration_nanos {
            sql.push(" AND duration_nanos >= ").bind(least);
        }
        if let Some(most) = plan.max_duration_nanos {
            sql.push(" AND duration_nanos <= ").bind(most);
        }
        filter::attributes::<SpanBatch>(sql, &plan.attributes, source);
    }
}

/// Position of the `need`-th newest trace.
fn rank(best: &HashMap<TraceId, (i64, SpanId)>, need: usize) -> Option<Position> {
    if best.len() < need {
        return None;
    }
    let mut positions: Vec<Position> = best.iter().map(|(trace, (start, _))| (*start, *trace)).collect();
    let (_, worst, _) = positions.select_nth_unstable_by(need - 1, |a, b| b.cmp(a));
    Some(*worst)
}

fn matches(rows: &[RecordBatch]) -> Result<Vec<Found>, ArrowError> {
    let mut spans = Vec::new();
    for rows in rows {
        let read = Reader::new(rows);
        let starts = read.i64("start_time_unix_nano")?;
        let (traces, ids) = (read.trace_ids("trace_id")?, read.span_ids("span_id")?);
        spans.extend(starts.into_iter().zip(traces).zip(ids).map(|((start, trace), id)| (start, trace, id)));
    }
    Ok(spans)
}

fn in_traces(sql: &mut Sql, traces: &[TraceId]) {
    sql.push("trace_id IN (").each(", ", traces, |sql, trace| _ = sql.bind(*trace)).push(")");
}

/// A span, as far as a summary needs it.
struct Seen {
    root: bool,
    name: String,
    service: ServiceKey,
    start: i64,
    duration: i64,
    error: bool,
}

fn summaries(session: &mut Session<'_>, found: &[(Position, SpanId)]) -> Result<Vec<TraceSummary>, QueryError> {
    let mut traces: HashMap<TraceId, HashMap<SpanId, Seen>> = HashMap::new();
    let sources = session.sources::<SpanBatch>(TimeRange::ALL, |_| true)?;
    for source in &sources {
        let wanted = session.may_have(source, found.iter().map(|((_, trace), _)| *trace));
        if !wanted.is_empty() && session.open(source, &[])? {
            collect(session, source, &wanted, &mut traces)?;
        }
    }
    let summary = |((_, trace), span): &(Position, SpanId)| Some(summarise(*trace, *span, traces.get(trace)?));
    Ok(found.iter().filter_map(summary).collect())
}

fn collect(
    session: &mut Session<'_>,
    source: &Source,
    wanted: &[TraceId],
    traces: &mut HashMap<TraceId, HashMap<SpanId, Seen>>,
) -> Result<(), QueryError> {
    if let Some(hot) = session.hot_spans(source) {
        let mut read = 0;
        hot.of_traces(session, wanted, |trace, span| {
            read += 1;
            if read > SUMMARY_SPANS {
                return;
            }
            let (batch, row) = (span.batch, span.row);
            traces.entry(trace).or_default().entry(batch.span_id[row]).or_insert_with(|| Seen {
                root: batch.parent_span_id[row].is_none(),
                name: batch.context.strings.get(batch.name[row]).to_owned(),
                service: hot.context().resource(span.resource).service(),
                start: batch.start_time_unix_nano[row],
                duration: batch.duration_nanos[row],
                error: batch.status_code[row] == 2,
            });
        })?;
        if read > SUMMARY_SPANS {
            session.incomplete(TOO_MANY.into());
        }
        return Ok(());
    }
    let ids = wanted.iter().copied().collect();
    let found = session.of_traces(source, &Wanted { columns: SUMMARY, ..Wanted::of(&ids, SUMMARY_SPANS as usize) })?;
    if found.iter().map(RecordBatch::num_rows).sum::<usize>() as u64 == SUMMARY_SPANS {
        session.incomplete(TOO_MANY.into());
    }
    let context = source.context::<SpanBatch>();
    for rows in &found {
        collect_rows(rows, &context, traces).map_err(|error| session.fault(error))?;
    }
    Ok(())
}

fn collect_rows(
    rows: &RecordBatch,
    context: &ContextTable,
    traces: &mut HashMap<TraceId, HashMap<SpanId, Seen>>,
) -> Result<(), ArrowError> {
    let read = Reader::new(rows);
    let (trace_ids, span_ids) = (read.trace_ids("trace_id")?, read.span_ids("span_id")?);
    let (parents, names) = (read.span_ids("parent_span_id")?, read.strs("name")?);
    let (resources, status) = (read.u32("resource_id")?, read.u8("status_code")?);
    let (starts, durations) = (read.i64("start_time_unix_nano")?, read.i64("duration_nanos")?);
    for row in 0..rows.num_rows() {
        let spans = traces.entry(trace_ids[row]).or_default();
        spans.entry(span_ids[row]).or_insert_with(|| Seen {
            root: parents[row].is_none(),
            name: names[row].unwrap_or_default().to_owned(),
            service: context.resource(resources[row]).service(),
            start: starts[row],
            duration: durations[row],
            error: status[row] == 2,
        });
    }
    Ok(())
}

fn summarise(trace_id: TraceId, matched_span_id: SpanId, spans: &HashMap<SpanId, Seen>) -> TraceSummary {
    let earliest = |spans: &mut dyn Iterator<Item = (&SpanId, &Seen)>| -> Option<(String, ServiceKey)> {
        let (_, span) = spans.min_by_key(|(id, span)| (span.start, **id))?;
        Some((span.name.clone(), span.service.clone()))
    };
    let root = earliest(&mut spans.iter().filter(|(_, span)| span.root));
    let root_received = root.is_some();
    let (root_name, root_service) = root.or_else(|| earliest(&mut spans.iter())).unwrap_or_default();
    let start = spans.values().map(|span| span.start).min().unwrap_or_default();
    let end = spans.values().map(|span| span.start.saturating_add(span.duration)).max().unwrap_or_default();
    let mut services: HashMap<&ServiceKey, u64> = HashMap::new();
    spans.values().for_each(|span| *services.entry(&span.service).or_default() += 1);
    let mut services: Vec<(ServiceKey, u64)> =
        services.into_iter().map(|(service, count)| (service.clone(), count)).collect();
    services.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    TraceSummary {
        trace_id,
        root_service,
        root_name,
        root_received,
        start_time_unix_nano: start,
        duration_nanos: end.saturating_sub(start),
        span_count: spans.len() as u64,
        error_count: spans.values().filter(|span| span.error).count() as u64,
        services,
        matched_span_id,
    }
}
