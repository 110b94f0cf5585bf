//! Alerts without clock, disk or network: (rule, series, time) → (state, notifications).
//!
//! The server asks a [`Source`] for values as data arrives and keeps what comes out; the time machine asks the same
//! source about the past. Both call the same functions, so what is previewed is what would have happened.

pub mod source;

pub use source::{Grid, Series, Source, SourceError, Values};
