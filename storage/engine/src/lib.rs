//! The engine: keeps telemetry and answers questions about it.
mod columns;
mod config;
mod context;
mod counters;
mod dir;
mod duck;
mod engine;
mod error;
mod manifest;
mod promote;
mod query;
pub mod rollup;
mod segment;
mod slice;
mod snapshot;
mod wal;

pub use config::Config;
pub use engine::Engine;
pub use error::{Fault, OpenError};
