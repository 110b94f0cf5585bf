//! The engine: keeps telemetry and answers questions about it. The only crate that links DuckDB.
//!
//! ```text
//! append ─▶ log ──fsync──▶ acknowledged
//!            └─▶ inbox ─▶ slice (rows in memory, queryable) ─▶ segments (Parquet, index) ─▶ merged segments
//!                            └─▶ rollups of the slice ────────▶ rollup file
//! query ──▶ snapshot: all slices and segments ─▶ place by place, newest first ─▶ answer
//! ```
//!
//! - A request is acknowledged when its body, as received, is synced in the **log** (`wal`).
//! - A thread inserts what is durable into the growing **slice** (`slice`), within a quarter of a second.
//! - A slice that is old or big is **sealed** (`engine::seal`): each signal becomes a segment (`segment`), written from
//!   the batches themselves. One replacement of the **manifest** makes it so: segments, cursor of the log, counters.
//! - Segments are merged and expire (`engine::compact`, `engine::retention`).
//! - A query reads one **snapshot**; its SQL is made in `query` alone, with everything from outside bound. Traces are
//!   searched without SQL, in TraceQL (`query::traceql`).
//! - Users' own SQL runs in another process, over the files of a snapshot ([`sandbox`]).
//!
//! After a crash [`Engine::open`] replays the log from the manifest's cursor. What is on disk: `FORMAT.md`.
//!
//! Bounds: bytes waiting for the log, bytes of rows in memory, free disk (all of them refuse, so that senders retry),
//! running queries and their memory. Duplicated spans are kept once within a segment and shown once everywhere;
//! duplicated log records are not recognised, since they have no identity.
//!
//! ```no_run
//! use orrery_query::{Control, Store, plan};
//! # fn example(decoder: std::sync::Arc<dyn orrery_model::Decode>) -> Result<(), Box<dyn std::error::Error>> {
//! let engine = orrery_storage::Engine::open(orrery_storage::Config::new("data"), decoder)?;
//! let plan = plan::Trace { trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".parse()? };
//! let trace = engine.trace(&plan, &Control::within(std::time::Duration::from_secs(10)))?;
//! println!("{} spans", trace.value.spans.len());
//! # Ok(()) }
//! ```

mod columns;
mod config;
mod context;
mod counters;
mod dir;
pub mod doctor;
mod duck;
mod engine;
mod error;
pub mod failpoint;
mod fs;
#[cfg(test)]
#[path = "../tests/support/items.rs"]
mod items;
mod manifest;
mod promote;
mod query;
pub mod rollup;
pub mod sandbox;
mod segment;
mod slice;
mod snapshot;
mod wal;

pub use config::Config;
pub use engine::{Engine, planned_retention};
pub use error::{Fault, OpenError};
pub use query::rows::span_rows;
