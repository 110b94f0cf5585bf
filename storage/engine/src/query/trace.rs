//! One trace by its id, at any time.

use super::rows;
use super::session::Session;
use crate::columns::Table;
use crate::engine::Inner;
use orrery_model::SpanBatch;
use orrery_query::answer::{Answer, Trace};
use orrery_query::{Control, QueryError, TimeRange, plan};
use std::collections::BTreeMap;

/// Spans of a trace shown at most.
const SPANS: usize = 100_000;

pub(crate) fn run(inner: &Inner, plan: &plan::Trace, control: &Control) -> Result<Answer<Trace>, QueryError> {
    let mut session = Session::new(inner, "trace", control)?;
    let sources = session.sources::<SpanBatch>(TimeRange::ALL, |_| true)?;
    let mut spans = BTreeMap::new();
    for source in sources.iter().filter(|source| source.may_have_trace(plan.trace_id)) {
        if let Some(hot) = session.hot_spans(source) {
            hot.of_traces(&session, &[plan.trace_id], |_, span| {
                if spans.len() > SPANS {
                    return;
                }
                let (resource, scope) = (hot.context().resource(span.resource), hot.context().scope(span.scope));
                let key = (span.batch.start_time_unix_nano[span.row], span.batch.span_id[span.row]);
                spans.entry(key).or_insert_with(|| rows::span(span.batch, span.row, resource, scope));
            })?;
            if spans.len() > SPANS {
                break;
            }
            continue;
        }
        let columns: Vec<&str> = rows::names_of_all::<SpanBatch>(source).collect();
        let found = session.of_traces(source, &[plan.trace_id].into(), &columns, SPANS + 1)?;
        let context = source.context::<SpanBatch>();
        for columns in &found {
            let batch = SpanBatch::read(columns, &context, source.promoted()).map_err(|error| session.fault(error))?;
            for row in 0..batch.len() {
                // A span that arrived twice is shown once.
                let key = (batch.start_time_unix_nano[row], batch.span_id[row]);
                spans.entry(key).or_insert_with(|| {
                    let (resource, scope) = (context.resource(batch.resource[row]), context.scope(batch.scope[row]));
                    rows::span(&batch, row, resource, scope)
                });
            }
        }
        if spans.len() > SPANS {
            break;
        }
    }
    if spans.len() > SPANS {
        session.incomplete(format!("the trace has more than {SPANS} spans; the earliest are shown"));
    }
    let spans = spans.into_values().take(SPANS).collect();
    Ok(session.answer(Trace { spans }))
}
