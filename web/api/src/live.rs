//! Live data: one WebSocket per tab.

use crate::logs::LogRecord;
use crate::self_health::SelfHealth;
use crate::topology::Topology;
use serde::{Deserialize, Serialize};

/// What a client sends: what it wants from now on. A new request for a topic replaces the old one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "subscribe", rename_all = "snake_case")]
pub enum LiveRequest {
    /// The map of the last `window_seconds`, when it changes, at most once a second.
    Topology {
        /// Length of the range that ends now.
        window_seconds: u32,
        /// Only this `deployment.environment.name`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        environment: Option<String>,
    },
    /// New log records, from the ingest stream.
    Logs {
        /// Only this service (name or id).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        service: Option<String>,
        /// Only this level or worse.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        severity: Option<String>,
        /// Body contains, ignoring case.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// Only of this trace.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace_id: Option<String>,
        /// `key=value`, or `key!=value` to exclude; all must hold.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        attr: Vec<String>,
    },
    /// Orrery's own health, once a second.
    Health,
    /// Stop a topic: `topology`, `logs` or `health`.
    None {
        /// Which.
        topic: String,
    },
}

/// What the server sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum LiveEvent {
    /// The map.
    Topology(Box<Topology>),
    /// New log records, oldest first, at most four batches a second.
    Logs {
        /// The records.
        logs: Vec<LogRecord>,
        /// How many more matched but were left out because the client or the line was too slow.
        skipped: u64,
    },
    /// Orrery's own health.
    Health(Box<SelfHealth>),
    /// A request made no sense; what is wrong and what would be right.
    Error {
        /// In plain words.
        detail: String,
    },
}
