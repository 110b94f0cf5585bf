//! Hosts.
use crate::engine::Inner;
use orrery_query::answer::{self, Answer};
use orrery_query::{Control, QueryError, plan};

pub(crate) fn run(_: &Inner, _: &plan::Hosts, _: &Control) -> Result<Answer<Vec<answer::Host>>, QueryError> {
    Ok(Answer::default())
}
