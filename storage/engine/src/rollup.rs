//! Rollups: what overview, services, topology and alerts read, made once from every span as it arrives.
//!
//! An [`Observer`] watches spans in arrival order and turns them into additive rows ([`RollupRows`]) per 10 s bucket:
//! rate, errors and latency per operation and per instance, edges of the service map, groups of errors. Rows may be
//! negative: they correct what an earlier row said, so the sum is right whenever the last span arrived. A
//! [`RollupStore`] keeps the rows of sealed slices in a DuckDB file and answers from them and from the live rows.
//!
//! Neither the observer nor the rows know an engine: another one can hold identical rows.

mod answers;
mod errors;
mod facts;
mod identity;
pub mod observer;
pub mod rows;
pub mod store;

pub(crate) use facts::weight;
pub use observer::{Observer, ObserverConfig, ObserverCounters};
pub use orrery_query::latency;
pub use rows::RollupRows;
pub use store::{Live, RollupError, RollupStore};
