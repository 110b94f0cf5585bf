//! What the JSON API promises: types and paths of `/api/v1`, shared by the server, the dashboard and anyone else.
//!
//! - Times are Unix nanoseconds and durations nanoseconds, as decimal strings ([`Nanos`]): JavaScript numbers are
//!   exact only to 2^53. Counters and sizes are JSON numbers.
//! - `from`/`to` are a half-open range; both default to the last 15 minutes.
//! - Every list says in `partial` why something is missing; the field is absent when nothing is.
//! - Errors are RFC 9457 problem documents ([`Problem`]).
//! - A service's id is `namespace/name@environment` (parts that are empty are left out).

pub mod alerting;
pub mod columns;
pub mod diff;
pub mod fields;
pub mod findings;
pub mod flame;
pub mod impact;
pub mod live;
pub mod logs;
pub mod metrics;
pub mod outside;
pub mod paths;
pub mod problem;
pub mod retention;
pub mod self_health;
pub mod series;
pub mod sql;
pub mod time;
pub mod topology;
pub mod trace_diff;
pub mod traces;
pub mod views;

pub use columns::{NoColumns, ScopeRef, TraceColumns};
pub use diff::{Change, ChangeKind, EdgeDiff, NodeDiff, Pair, TopologyDiff};
pub use fields::*;
pub use findings::*;
pub use flame::*;
pub use impact::{Affected, Held, Impact, Origin};
pub use live::*;
pub use logs::*;
pub use metrics::*;
pub use outside::{LinkOn, LinkTemplate, LinkTemplateList};
pub use problem::*;
pub use retention::*;
pub use self_health::*;
pub use series::*;
pub use sql::*;
pub use time::*;
pub use topology::*;
pub use trace_diff::{ComparedTrace, RowChange, SpanSums, TraceDiff, TraceDiffRow};
pub use traces::*;
pub use views::{Link, LinkInput, View, ViewInput, ViewList, check_place};
