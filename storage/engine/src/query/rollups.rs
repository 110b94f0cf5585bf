//! Questions that rollups answer.

use crate::engine::Inner;
use crate::rollup::{Live, RollupStore};
use orrery_query::answer::{Answer, Partial};
use orrery_query::{Control, QueryError};

/// Asks the rollups with the rows of the slices in memory.
pub(crate) fn with_live<T>(
    inner: &Inner,
    control: &Control,
    ask: impl FnOnce(&RollupStore, &[&Live]) -> Result<Answer<T>, QueryError>,
) -> Result<Answer<T>, QueryError> {
    control.check()?;
    let still_reading = inner.still_reading();
    let _gate = inner.rollup_gate.read();
    let snapshot = inner.current.get();
    let live: Vec<&Live> = snapshot.slices.iter().map(|slice| &slice.rollup).collect();
    let mut answer = ask(&inner.rollups, &live).inspect_err(|error| {
        if matches!(error, QueryError::Engine { .. }) {
            inner.rollups_failed();
        }
    })?;
    if inner.rebuilding() {
        answer.partial.get_or_insert_with(|| Partial("The rollups are being made again from stored spans.".to_owned()));
    }
    answer.partial = still_reading.or(answer.partial);
    Ok(answer)
}
