//! The engine: keeps telemetry and answers questions about it.

pub mod rollup;
