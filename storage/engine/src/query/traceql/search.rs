//! Trace search: a page at a time, newest first or by what a trace as a whole is.
//!
//! A trace stands where its newest span that leads to it starts; `(start, trace id)` is a total order, and a page ends
//! at such a position. Pages after the first see what the first page saw: only spans that had arrived by then, so that
//! nothing is shown twice or skipped while more arrives.

use super::super::session::Session;
use super::super::source::Source;
use super::super::{filter, page_limit};
use super::budget::Budget;
use super::needs::Needs;
use super::question::Question;
use super::rows::{Rows, View};
use super::scan::Scan;
use super::whole::{self, Whole};
use crate::columns::arrival;
use crate::context::Resource;
use crate::engine::Inner;
use hashbrown::{HashMap, HashSet};
use orrery_model::{ServiceKey, SpanBatch, SpanId, StatusCode, TraceId};
use orrery_query::answer::{Answer, MatchedSpan, Spanset, TracePage, TraceSummary};
use orrery_query::plan::{self, TraceSort};
use orrery_query::traceql::{MatchedSpanset, TraceView};
use orrery_query::{Control, QueryError, TimeRange};
use parking_lot::Mutex;
use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Rows that a search looks at, at most.
const ROWS: u64 = 500_000_000;
/// Traces that are put in another order than by time, at most: of these all spans are read.
const RANKED: usize = 10_000;
/// Traces whose spans are in memory at once.
const AT_ONCE: usize = 200;
/// Spansets of a trace in the answer.
const SPANSETS: usize = 20;
/// Spans of a trace are this near each other, nanoseconds, where there are too many traces to look for them everywhere.
const NEAR: i64 = 3_600_000_000_000;
/// What a summary is made of.
const SUMMARY: [&str; 9] = [
    "trace_id",
    "span_id",
    "parent_span_id",
    "name",
    "kind",
    "resource_id",
    "start_time_unix_nano",
    "duration_nanos",
    "status_code",
];

/// Where a trace stands in the list: by time, or by what it is sorted by.
type Position = (i64, TraceId);

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
struct Search<'a> {
    plan: &'a plan::Traces,
    question: Question,
    budget: Budget,
    /// Where the previous page ended.
    after: Option<Position>,
    /// First number of arrivals that the first page did not see.
    seen: u64,
}

/// Traces that were found, in order, and where looking ended before its time.
type Found = (Vec<(Position, TraceSummary)>, Option<Position>);

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
    let question = Question::of_search(&plan.query)?;
    let mut session = Session::new(inner, "traces", control)?;
    // After the session has seen what there is: so all sealed rows of a first page have arrived before.
    let seen = cursor.map_or_else(|| inner.visible_seq(), |cursor| cursor.seen);
    let budget = Budget::new(ROWS, u64::MAX, control);
    let search = Search { plan, question, budget, after: cursor.map(|cursor| cursor.after), seen };
    let limit = page_limit(plan.limit);
    let (mut found, stopped) = match plan.sort {
        TraceSort::Time => search.newest_first(&mut session, limit + 1)?,
        _ => search.ranked(&mut session, limit + 1)?,
    };
    let more = found.len() > limit;
    found.truncate(limit);
    let after = if more { found.last().map(|(position, _)| *position) } else { stopped };
    let next_cursor = after.map(|after| Cursor { after, seen }.print());
    let traces = found.into_iter().map(|(_, trace)| trace).collect();
    Ok(session.answer(TracePage { traces, next_cursor }))
}

impl Search<'_> {
    fn arrived_before(&self) -> u64 {
        arrival(self.seen, 0)
    }

    fn scan(&self) -> Scan<'_> {
        Scan {
            range: self.plan.range,
            condition: &self.question.condition,
            arrived_before: self.arrived_before(),
            is_first_page: self.after.is_none(),
            needs: Needs::of(&self.question.leads_read),
            budget: &self.budget,
            since: Arc::new(i64::MIN.into()),
            thinned: None,
        }
    }

    /// The newest `want` traces that match and stand below the cursor; fewer at the end.
    fn newest_first(&self, session: &mut Session<'_>, want: usize) -> Result<Found, QueryError> {
        let mut scan = self.scan();
        let sources = scan.sources(session)?;
        let (mut found, mut known) = (Vec::new(), HashSet::new());
        let (mut below, mut need) = (self.after, want);
        loop {
            let leads = self.leads(session, &mut scan, &sources, Below { below, known: &known, need })?;
            for leads_of_some in leads.newest.chunks(AT_ONCE) {
                let judged = self.judge(session, leads_of_some, TimeRange::ALL)?;
                // Those with newer spans that lead to them stood on an earlier page.
                found.extend(
                    judged.into_iter().filter(|(position, _)| self.after.is_none_or(|after| *position < after)),
                );
                below = leads_of_some.last().copied();
                known.extend(leads_of_some.iter().map(|(_, trace)| *trace));
                if found.len() >= want {
                    break;
                }
                if let Some(why) = self.budget.is_spent() {
                    session.incomplete(format!("{why}; go on with the next page"));
                    return Ok((found, below));
                }
            }
            if found.len() >= want {
                return Ok((found, None));
            }
            if let Some((why, last)) = leads.stopped {
                session.incomplete(format!("{why}; go on with the next page"));
                return Ok((found, Some((last, TraceId([0xff; 16])))));
            }
            if leads.newest.len() < need {
                return Ok((found, None));
            }
            need = (need * 2).min(RANKED);
        }
    }

    /// The newest traces to which spans lead, below a position.
    fn leads(
        &self,
        session: &mut Session<'_>,
        scan: &mut Scan<'_>,
        sources: &[Source],
        below: Below<'_>,
    ) -> Result<Leads, QueryError> {
        scan.since = Arc::new(i64::MIN.into());
        let newest = Mutex::new(Newest { need: below.need, since: Arc::clone(&scan.since), traces: HashMap::new() });
        let mut workers = vec![(); session.inner.config.query_threads.max(1) as usize];
        let mut stopped = None;
        for source in sources {
            // Sources come newest first: what is left cannot displace what was found.
            let last = source.last::<SpanBatch>();
            if newest.lock().is_full_above(last) {
                break;
            }
            if let Some(why) = self.budget.is_spent() {
                stopped = Some((why, last));
                break;
            }
            scan.read(session, source, &mut workers, |_, rows, spans| {
                let found = self.leading(&rows, spans, &below, scan.since.load(Ordering::Relaxed));
                newest.lock().add(found);
            })?;
        }
        let mut newest = newest.into_inner().finish();
        if let Some((_, last)) = stopped {
            newest.retain(|(start, _)| *start > last);
        }
        Ok(Leads { newest, stopped })
    }

    /// Positions of the spans that lead to traces below a position.
    fn leading(&self, rows: &Rows, mut spans: Vec<(u32, u32)>, below: &Below<'_>, since: i64) -> Vec<Position> {
        let position = |row: u32| (rows.start(row as usize), rows.trace_id(row as usize));
        spans.retain(|(_, row)| {
            let (start, trace) = position(*row);
            start >= since && below.below.is_none_or(|below| (start, trace) < below) && !below.known.contains(&trace)
        });
        // Of many the newest suffice, if they match.
        spans.sort_unstable_by_key(|(_, row)| Reverse(rows.start(*row as usize)));
        let (mut found, mut traces) = (Vec::new(), HashSet::new());
        for spans in spans.chunks(below.need.max(64)) {
            let view = View { rows: std::slice::from_ref(rows), spans, parents: &[] };
            for spanset in self.question.leads.evaluate(&view) {
                for span in spanset.spans {
                    let position = position(spans[span as usize].1);
                    if traces.insert(position.1) {
                        found.push(position);
                    }
                }
            }
            let last = spans.last().map_or(i64::MIN, |(_, row)| rows.start(*row as usize));
            if traces.len() > below.need && found[below.need - 1].0 > last {
                break;
            }
        }
        found
    }

    /// Of these traces those that match, in the same order, with where they stand.
    fn judge(
        &self,
        session: &mut Session<'_>,
        traces: &[Position],
        range: TimeRange,
    ) -> Result<Vec<(Position, TraceSummary)>, QueryError> {
        let ids = traces.iter().map(|(_, trace)| *trace).collect();
        let mut needs = Needs::of(&self.question.reads).and(&SUMMARY);
        if self.after.is_some() {
            needs = needs.and(&["arrival"]);
        }
        let read = whole::read(session, &ids, &needs, range, self.arrived_before())?;
        let judged = traces.iter().filter_map(|(_, id)| {
            let trace = read.get(*id)?;
            let spansets = self.question.compiled.evaluate(&trace.view());
            let position = self.position(*id, &trace)?;
            (!spansets.is_empty()).then(|| (position, self.summarise(*id, &trace.view(), &spansets)))
        });
        Ok(judged.collect())
    }

    /// Where the newest span of the range starts that leads to a trace.
    fn position(&self, id: TraceId, trace: &Whole<'_>) -> Option<Position> {
        let view = trace.view();
        let leading = self.question.leads.evaluate(&view);
        let starts = leading.iter().flat_map(|spanset| &spanset.spans).map(|span| view.start(*span as usize));
        Some((starts.filter(|start| self.plan.range.contains(*start)).max()?, id))
    }

    /// The first `want` traces that match, by what a trace as a whole is, below the cursor.
    fn ranked(&self, session: &mut Session<'_>, want: usize) -> Result<Found, QueryError> {
        let mut scan = self.scan();
        let sources = scan.sources(session)?;
        let below = Below { below: None, known: &HashSet::new(), need: RANKED + 1 };
        let Leads { mut newest, stopped } = self.leads(session, &mut scan, &sources, below)?;
        if newest.len() > RANKED || stopped.is_some() {
            newest.truncate(RANKED);
            let of = newest.len();
            session
                .incomplete(format!("only the newest {of} traces that may match are put in order: ask for less time"));
        }
        let mut found: Vec<(Position, TraceSummary)> = Vec::new();
        for traces in newest.chunks(AT_ONCE) {
            let (first, last) = (traces[traces.len() - 1].0, traces[0].0);
            let near = TimeRange { from: first.saturating_sub(NEAR), to: last.saturating_add(NEAR) };
            for (_, trace) in self.judge(session, traces, near)? {
                let position = (self.rank(&trace), trace.trace_id);
                if self.after.is_none_or(|after| position < after) {
                    found.push((position, trace));
                }
            }
            found.sort_unstable_by_key(|(position, _)| Reverse(*position));
            found.truncate(want);
            if let Some(why) = self.budget.is_spent() {
                session.incomplete(format!("{why}: only the newest traces are put in order"));
                break;
            }
        }
        Ok((found, None))
    }

    fn rank(&self, trace: &TraceSummary) -> i64 {
        match self.plan.sort {
            TraceSort::Time => trace.start_time_unix_nano,
            TraceSort::Duration => trace.duration_nanos,
            TraceSort::Errors => trace.error_count as i64,
            TraceSort::Spans => trace.span_count as i64,
        }
    }

    fn summarise(&self, trace_id: TraceId, view: &View<'_>, spansets: &[MatchedSpanset]) -> TraceSummary {
        let spans = 0..view.len();
        let service = |span: usize| {
            let (rows, row) = view.at(span);
            rows.context().resource(rows.resource(row)).service()
        };
        // Spans are in order of time.
        let root = spans.clone().find(|span| view.parent_span_id(*span).is_none());
        let named = root.unwrap_or(0);
        let end = spans.clone().map(|span| view.start(span).saturating_add(view.duration(span))).max();
        let services = services(view);
        let mut services: Vec<(ServiceKey, u64)> = services.into_iter().collect();
        services.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let matched = || spansets.iter().flat_map(|spanset| spanset.spans.iter().map(|span| *span as usize));
        let matched_span_id = matched()
            .max_by_key(|span| {
                let start = view.start(*span);
                (self.plan.range.contains(start), start, view.span_id(*span))
            })
            .map_or(SpanId::NONE, |span| view.span_id(span));
        let matched_span = |span: &u32| {
            let span = *span as usize;
            let mut selected = Vec::new();
            self.question.compiled.selected(view, span, &mut |field, value| {
                selected.push((field.clone(), value.to_literal()));
            });
            MatchedSpan {
                span_id: view.span_id(span),
                name: view.name(span).to_owned(),
                service: service(span),
                kind: view.kind(span),
                start_time_unix_nano: view.start(span),
                duration_nanos: view.duration(span),
                status_code: view.status(span),
                selected,
            }
        };
        let spanset = |spanset: &MatchedSpanset| Spanset {
            values: spanset.values.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
            span_count: spanset.spans.len() as u64,
            spans: spanset.spans.iter().take(self.plan.spans as usize).map(matched_span).collect(),
        };
        TraceSummary {
            trace_id,
            root_service: service(named),
            root_name: view.name(named).to_owned(),
            root_received: root.is_some(),
            start_time_unix_nano: view.start(0),
            duration_nanos: end.unwrap_or_default().saturating_sub(view.start(0)),
            span_count: view.len() as u64,
            error_count: spans.filter(|span| view.status(*span) == StatusCode::Error).count() as u64,
            services,
            matched_span_id,
            matched_span_count: matched().count() as u64,
            spansets: spansets.iter().take(SPANSETS).map(spanset).collect(),
        }
    }
}

/// Number of spans by service.
fn services(view: &View<'_>) -> HashMap<ServiceKey, u64> {
    let mut resources: HashMap<*const Resource, (&Resource, u64)> = HashMap::new();
    for span in 0..view.len() {
        let (rows, row) = view.at(span);
        let resource = &**rows.context().resource(rows.resource(row));
        resources.entry(std::ptr::from_ref(resource)).or_insert((resource, 0)).1 += 1;
    }
    let mut services = HashMap::new();
    for (resource, spans) in resources.into_values() {
        *services.entry(resource.service()).or_default() += spans;
    }
    services
}

/// Which traces are looked for.
struct Below<'a> {
    /// Only spans below this position.
    below: Option<Position>,
    /// Not these.
    known: &'a HashSet<TraceId>,
    /// So many.
    need: usize,
}

/// Traces to which spans lead.
struct Leads {
    /// Newest first.
    newest: Vec<Position>,
    /// Why not all places were looked at, and how new the spans of the others are at most.
    stopped: Option<(&'static str, i64)>,
}

/// The newest traces so far.
struct Newest {
    need: usize,
    traces: HashMap<TraceId, i64>,
    /// Where the last of them stands, once there are enough.
    since: Arc<AtomicI64>,
}

impl Newest {
    fn add(&mut self, found: Vec<Position>) {
        if found.is_empty() {
            return;
        }
        for (start, trace) in found {
            let newest = self.traces.entry(trace).or_insert(start);
            *newest = start.max(*newest);
        }
        if self.traces.len() >= self.need {
            let mut starts: Vec<i64> = self.traces.values().copied().collect();
            let (_, since, _) = starts.select_nth_unstable_by_key(self.need - 1, |start| Reverse(*start));
            let since = *since;
            self.since.store(since, Ordering::Relaxed);
            if self.traces.len() > 4 * self.need {
                self.traces.retain(|_, start| *start >= since);
            }
        }
    }

    /// Whether there are enough that are newer than that.
    fn is_full_above(&self, last: i64) -> bool {
        self.traces.len() >= self.need && self.since.load(Ordering::Relaxed) > last
    }

    fn finish(self) -> Vec<Position> {
        let mut newest: Vec<Position> = self.traces.into_iter().map(|(trace, start)| (start, trace)).collect();
        newest.sort_unstable_by_key(|position| Reverse(*position));
        newest.truncate(self.need);
        newest
    }
}
