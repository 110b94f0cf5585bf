//! Values.
use crate::engine::Inner;
use orrery_query::answer::{self, Answer};
use orrery_query::{Control, QueryError, plan};

pub(crate) fn run(_: &Inner, _: &plan::Values, _: &Control) -> Result<Answer<Vec<answer::ValueCount>>, QueryError> {
    Ok(Answer::default())
}
