//! Plans into SQL, answers out of columns. No SQL exists outside this module, `sandbox` (users' own) and `engine` (tables,
//! compaction).

pub(crate) mod export;
mod filter;
pub(crate) mod hosts;
mod hot;
pub(crate) mod isolate;
pub(crate) mod logs;
pub(crate) mod metrics;
pub(crate) mod rollups;
pub(crate) mod rows;
pub(crate) mod rules;
mod session;
mod source;
pub(crate) mod sql;
pub(crate) mod tables;
pub(crate) mod trace;
pub(crate) mod traceql;
pub(crate) mod values;

use orrery_query::QueryError;

/// Most traces or log records of a page.
const PAGE: u32 = 500;

/// An error of ours as the contract's.
fn engine_error(name: &'static str, source: impl std::error::Error + Send + Sync + 'static) -> QueryError {
    QueryError::Engine { name, source: Box::new(source) }
}

fn page_limit(limit: u32) -> usize {
    limit.clamp(1, PAGE) as usize
}
