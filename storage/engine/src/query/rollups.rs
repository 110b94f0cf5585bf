//! Questions that rollups answer.

use crate::engine::Inner;
use crate::rollup::{RollupRows, RollupStore};
use orrery_query::{Control, QueryError};

/// Asks the rollups with the rows of the slices in memory.
pub(crate) fn with_live<T>(
    inner: &Inner,
    control: &Control,
    ask: impl FnOnce(&RollupStore, &[&RollupRows]) -> Result<T, QueryError>,
) -> Result<T, QueryError> {
    control.check()?;
    let _gate = inner.rollup_gate.read();
    let snapshot = inner.current.get();
    let guards: Vec<_> = snapshot.slices.iter().map(|slice| slice.rollup.read()).collect();
    let live: Vec<&RollupRows> = guards.iter().map(|guard| &**guard).collect();
    ask(&inner.rollups, &live)
}
