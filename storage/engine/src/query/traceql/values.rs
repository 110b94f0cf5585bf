//! Completion: values of a field, with how many spans have them.

use super::super::filter;
use super::question::Question;
use super::series::gather;
use crate::engine::Inner;
use orrery_query::answer::{Answer, TraceValue};
use orrery_query::traceql::{Field, FieldName, Label, Literal, Metrics, parse};
use orrery_query::{Control, QueryError, plan};

/// Spans looked at, at most: completion wants the frequent values of late.
const ROWS: u64 = 4_000_000;
/// Values in an answer at most.
const LIMIT: u32 = 1_000;

/// Counting by the field in a single step gives its values.
pub(crate) fn run(
    inner: &Inner,
    plan: &plan::TraceValues,
    control: &Control,
) -> Result<Answer<Vec<TraceValue>>, QueryError> {
    filter::check_range(plan.range)?;
    let query = parse(&counting(&plan.field))?;
    let series = plan::TraceSeries { range: plan.range, query, step_nanos: plan.range.nanos() };
    let question = Question::new(&series.query)?;
    let (series, session) = gather(inner, "trace values", &series, question, ROWS, control)?;
    let counted = match series.finish() {
        Metrics::Table(table) => table.series,
        Metrics::Compared(_) => Vec::new(),
    };
    let prefix = plan.prefix.to_lowercase();
    let value = |labels: Vec<Label>| labels.into_iter().find_map(|label| label.value);
    let mut values: Vec<TraceValue> = counted
        .into_iter()
        .filter_map(|series| {
            let spans = series.values.first().copied().flatten()? as u64;
            Some(TraceValue { value: value(series.labels)?, spans })
        })
        .filter(|value| {
            let text = text(&value.value);
            !text.is_empty() && text.to_lowercase().starts_with(&prefix)
        })
        .collect();
    values.sort_by(|a, b| b.spans.cmp(&a.spans).then_with(|| text(&a.value).cmp(&text(&b.value))));
    values.truncate(plan.limit.clamp(1, LIMIT) as usize);
    Ok(session.answer(values))
}

fn counting(field: &Field) -> String {
    match field.name {
        FieldName::Attribute(..) => format!("{{ {field} != nil }} | count_over_time() by ({field})"),
        FieldName::Intrinsic(_) => format!("{{ }} | count_over_time() by ({field})"),
    }
}

fn text(value: &Literal) -> String {
    match value {
        Literal::Text(text) => text.clone(),
        other => other.to_string(),
    }
}
