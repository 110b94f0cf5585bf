//! One trace by its id, at any time: whole spans, one span, or [all of them as columns](columns).

pub(crate) mod columns;
pub(crate) mod copy;

use super::rows;
use super::session::Session;
use super::source::Source;
use crate::columns::Table;
use crate::engine::Inner;
use crate::segment::read::Wanted;
use orrery_model::{SpanBatch, SpanId, TraceId};
use orrery_query::answer::{Answer, SpanRow, Trace};
use orrery_query::{Control, QueryError, TimeRange, plan};
use std::collections::BTreeMap;

/// Whole spans of a trace answered at most: each is dozens of allocations.
const SPANS: usize = 10_000;

pub(crate) fn run(inner: &Inner, plan: &plan::Trace, control: &Control) -> Result<Answer<Trace>, QueryError> {
    let mut session = Session::new(inner, "trace", control)?;
    let mut spans = BTreeMap::new();
    for source in sources(&mut session, plan.trace_id)? {
        if let Some(hot) = session.hot_spans(&source) {
            hot.of_traces(&session, &[plan.trace_id], |_, span| {
                if spans.len() > SPANS {
                    return;
                }
                let (resource, scope) = (hot.context().resource(span.resource), hot.context().scope(span.scope));
                let key = (span.batch.start_time_unix_nano[span.row], span.batch.span_id[span.row]);
                spans.entry(key).or_insert_with(|| rows::span(span.batch, span.row, resource, scope));
            })?;
        } else if session.open(&source, &[])? {
            // A span that arrived twice is shown once.
            let each = |span: SpanRow| _ = spans.entry((span.start_time_unix_nano, span.span_id)).or_insert(span);
            read(&mut session, &source, plan.trace_id, None)?.for_each(each);
        }
        if spans.len() > SPANS {
            session.incomplete(format!("the trace has more than {SPANS} spans, of which {SPANS} are here"));
            break;
        }
    }
    let spans = spans.into_values().take(SPANS).collect();
    Ok(session.answer(Trace { spans }))
}

pub(crate) fn span(inner: &Inner, plan: &plan::Span, control: &Control) -> Result<Answer<Option<SpanRow>>, QueryError> {
    let mut session = Session::new(inner, "span", control)?;
    let mut found: Option<SpanRow> = None;
    for source in sources(&mut session, plan.trace_id)? {
        let mut each = |span: SpanRow| {
            if found.as_ref().is_none_or(|found| span.start_time_unix_nano < found.start_time_unix_nano) {
                found = Some(span);
            }
        };
        if let Some(hot) = session.hot_spans(&source) {
            hot.of_traces(&session, &[plan.trace_id], |_, span| {
                if span.batch.span_id[span.row] == plan.span_id {
                    let (resource, scope) = (hot.context().resource(span.resource), hot.context().scope(span.scope));
                    each(rows::span(span.batch, span.row, resource, scope));
                }
            })?;
        } else if session.open(&source, &[])? {
            read(&mut session, &source, plan.trace_id, Some(plan.span_id))?.for_each(each);
        }
    }
    Ok(session.answer(found))
}

/// Where spans of the trace may be, oldest first: there the root is. At the end what was kept of it, which may be in the
/// others, too.
fn sources(session: &mut Session<'_>, trace: TraceId) -> Result<impl Iterator<Item = Source> + use<>, QueryError> {
    let mut sources = session.sources::<SpanBatch>(TimeRange::ALL, |_| true)?;
    session.keep_trace(&mut sources, trace)?;
    Ok(sources.into_iter().rev().chain(session.pinned(trace)))
}

/// Whole spans of a sealed source.
fn read(
    session: &mut Session<'_>,
    source: &Source,
    trace: TraceId,
    span: Option<SpanId>,
) -> Result<impl Iterator<Item = SpanRow> + use<>, QueryError> {
    let traces = [trace].into();
    let batches = batches(session, source, Wanted { span, ..Wanted::of(&traces, SPANS + 1) })?;
    let context = source.context::<SpanBatch>();
    Ok(batches.into_iter().flat_map(move |batch| {
        let context = context.clone();
        (0..batch.len()).map(move |row| {
            let (resource, scope) = (context.resource(batch.resource[row]), context.scope(batch.scope[row]));
            rows::span(&batch, row, resource, scope)
        })
    }))
}

/// Whole rows of a sealed source.
fn batches(session: &mut Session<'_>, source: &Source, wanted: Wanted<'_>) -> Result<Vec<SpanBatch>, QueryError> {
    let columns: Vec<&str> = rows::names_of_all::<SpanBatch>(source).collect();
    let found = session.of_traces(source, &Wanted { columns: &columns, ..wanted })?;
    let context = source.context::<SpanBatch>();
    let batch = |columns| SpanBatch::read(columns, &context, source.promoted());
    found.iter().map(batch).collect::<Result<_, _>>().map_err(|error| session.fault(error))
}
