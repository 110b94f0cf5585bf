//! Whole spans of a trace as batches, to be written somewhere else.

use super::super::session::Session;
use super::{batches, sources};
use crate::engine::Inner;
use crate::segment::read::Wanted;
use orrery_model::SpanBatch;
use orrery_query::answer::Answer;
use orrery_query::{Control, QueryError, plan};

pub(crate) fn run(inner: &Inner, plan: &plan::Pin, control: &Control) -> Result<Answer<Vec<SpanBatch>>, QueryError> {
    let mut session = Session::new(inner, "copy of a trace", control)?;
    let max = plan.max_spans as usize;
    let (mut copied, mut spans) = (Vec::new(), 0);
    for source in sources(&mut session, plan.trace_id)? {
        if let Some(hot) = session.hot_spans(&source) {
            copied.extend(hot.batch_of(plan.trace_id).map_err(|error| session.fault(error))?);
        } else if session.open(&source, &[])? {
            let traces = [plan.trace_id].into();
            let wanted = Wanted::of(&traces, max + 1);
            copied.extend(batches(&mut session, &source, wanted)?);
        }
        session.check()?;
        spans = copied.iter().map(SpanBatch::len).sum();
        if spans > 2 * max {
            break;
        }
    }
    // The pin itself may be among them, so that every span is here twice.
    if spans > max && !has_at_most(&copied, max) {
        session.incomplete(format!("it has more than {max} spans"));
    }
    Ok(session.answer(copied))
}

fn has_at_most(batches: &[SpanBatch], max: usize) -> bool {
    let mut spans = std::collections::HashSet::new();
    batches.iter().for_each(|batch| spans.extend(batch.start_time_unix_nano.iter().zip(&batch.span_id)));
    spans.len() <= max
}
