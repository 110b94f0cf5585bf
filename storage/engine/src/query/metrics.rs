//! Metrics.
use crate::engine::Inner;
use orrery_query::answer::{self, Answer};
use orrery_query::{Control, QueryError, plan};

pub(crate) fn names(_: &Inner, _: &plan::MetricNames, _: &Control) -> Result<Answer<Vec<answer::MetricName>>, QueryError> {
    Ok(Answer::default())
}
pub(crate) fn series(_: &Inner, _: &plan::Metric, _: &Control) -> Result<Answer<Vec<answer::MetricSeries>>, QueryError> {
    Ok(Answer::default())
}
