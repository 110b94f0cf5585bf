//! Rollup rows of sealed slices, in a DuckDB file.

use super::rows::RollupRows;
use orrery_query::answer::{Answer, ServiceDetail, ServiceSummary, Topology};
use orrery_query::plan;
use orrery_query::store::{Control, QueryError};
use std::path::Path;

/// Why rollups could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum RollupError {
    /// DuckDB failed: a bug or a sick disk. The file can be removed and made again from segments.
    #[error("rollups: {step} failed")]
    Database {
        /// What was being done.
        step: &'static str,
        /// Why.
        #[source]
        source: duckdb::Error,
    },
}

/// The rollup rows of all sealed slices, in one DuckDB file, and answers from them and from live rows.
///
/// Safe to share between threads: one writes at a time, queries run beside.
pub struct RollupStore {}

impl RollupStore {
    /// Opens the file, or makes it. Unreadable or of another layout: an error; remove it and persist again.
    pub fn open(_path: &Path) -> Result<RollupStore, RollupError> {
        Ok(RollupStore {})
    }

    /// Keeps the rows of a sealed slice, instead of what was kept for the same segment before. All or nothing, and
    /// on disk when this returns.
    pub fn persist(&self, _segment_id: u64, _rows: &RollupRows) -> Result<(), RollupError> {
        Ok(())
    }

    /// Which of `known` are missing here, so that their rows should be made again; forgets all others.
    pub fn reconcile(&self, _known: &[u64]) -> Result<Vec<u64>, RollupError> {
        Ok(Vec::new())
    }

    /// Keeps under `into` what was kept under `from`: segments were merged.
    pub fn reassign(&self, _from: &[u64], _into: u64) -> Result<(), RollupError> {
        Ok(())
    }

    /// Forgets segments, whose data was deleted.
    pub fn forget(&self, _segment_ids: &[u64]) -> Result<(), RollupError> {
        Ok(())
    }

    /// Forgets all rows of buckets that began before `before_unix_nano`.
    pub fn expire(&self, _before_unix_nano: i64) -> Result<(), RollupError> {
        Ok(())
    }

    /// Services seen in the range, busiest first. Ranges widen to whole buckets of 10 s here and below.
    pub fn services(
        &self,
        _plan: &plan::Services,
        _live: &[&RollupRows],
        _control: &Control,
    ) -> Result<Answer<Vec<ServiceSummary>>, QueryError> {
        Ok(Answer::default())
    }

    /// One service or inferred node; `None` if unknown in the range.
    pub fn service(
        &self,
        _plan: &plan::Service,
        _live: &[&RollupRows],
        _control: &Control,
    ) -> Result<Answer<Option<ServiceDetail>>, QueryError> {
        Ok(Answer::default())
    }

    /// The map.
    pub fn topology(
        &self,
        _plan: &plan::Topology,
        _live: &[&RollupRows],
        _control: &Control,
    ) -> Result<Answer<Topology>, QueryError> {
        Ok(Answer::default())
    }
}
