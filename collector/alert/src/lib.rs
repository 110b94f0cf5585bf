//! Alerts without clock, disk or network: (rule, series, time) → (state, notifications).
//!
//! The server asks a [`Source`] for values as data arrives and keeps what comes out; the time machine asks the same
//! source about the past. Both call the same functions, so what is previewed is what would have happened.
//!
//! [`observe`] judges values, [`RuleState`] remembers what they came to, [`notify`] decides who is told, [`replay()`] does all
//! that with the past, [`live`] as time goes on.

pub mod builtin;
pub mod check;
pub mod evaluate;
pub mod judge;
pub mod live;
pub mod machine;
pub mod matching;
pub mod notify;
pub mod objectives;
pub mod replay;
pub mod source;
pub mod text;
mod usual;

#[cfg(test)]
mod tests;

pub use evaluate::{Board, MOST_INSTANCES, Memory, Observed, RuleState, Tracked, alert_id, observe};
pub use judge::{Observation, Verdict};
pub use machine::{Change, Instance};
pub use replay::{Past, Telling, replay};
pub use source::{Grid, Series, Source, SourceError, Values};
