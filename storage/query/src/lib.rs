//! What can be asked of stored telemetry and what comes back: typed plans, answers, and the [`Store`] contract that
//! every engine fulfils.
//!
//! No engine and no SQL here: nothing may assume DuckDB. The browser compiles this crate too. Times are Unix
//! nanoseconds, durations nanoseconds, both `i64`.

pub mod answer;
pub mod health;
pub mod latency;
pub mod plan;
pub mod retention;
pub mod store;
pub mod time;
pub mod traceql;

pub use answer::{Answer, Partial, Scanned};
pub use health::{SignalHealth, StoreHealth};
pub use store::{AppendError, Control, QueryError, Store};
pub use time::TimeRange;
