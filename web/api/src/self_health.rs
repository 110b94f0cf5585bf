//! Orrery's own health.

use crate::time::Nanos;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Counters of one signal, in items (spans, log records, data points), since the data directory was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignalCounters {
    /// Acknowledged.
    pub accepted: u64,
    /// Synced to disk.
    pub durable: u64,
    /// Visible to queries.
    pub queryable: u64,
    /// Bytes received, as they came over the wire.
    pub received_bytes: u64,
    /// Never valid, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Refused and to be sent again, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Lost by us, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Removed by retention: by `age`, `size` or `rule`.
    #[serde(default)]
    pub expired: BTreeMap<String, u64>,
    /// Parts of accepted items that were not stored as sent (surplus attributes, ends of long texts), by reason.
    #[serde(default)]
    pub trimmed: BTreeMap<String, u64>,
}

/// How long something took, milliseconds. Quantiles are up to a tenth too large, never too small.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DelayHealth {
    /// Times it happened.
    pub count: u64,
    /// Half of them were as quick as this, or quicker.
    pub p50_millis: f64,
    /// 99 of 100 were.
    pub p99_millis: f64,
    /// The longest.
    pub longest_millis: f64,
}

/// How rules are judged, since the start of the server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AlertingHealth {
    /// Rules that are judged.
    pub rules: u64,
    /// Combinations of labels they are judged for.
    pub instances: u64,
    /// Times that a rule was asked and judged.
    pub evaluations: u64,
    /// Moments of rules that were judged.
    pub judged: u64,
    /// Of them those judged together with a later one, because they could not be judged in their turn.
    pub together: u64,
    /// Moments of rules that were never judged: the server was too far behind.
    pub skipped: u64,
    /// From when a moment could be judged, its data being there or waited for long enough, until that began. When data
    /// arrived is looked at several times a second; what lies between two looks counts.
    pub start_delay: DelayHealth,
    /// From when it was decided to tell somebody until that was tried first.
    pub first_attempt_delay: DelayHealth,
    /// Messages that went out with neither picture nor evidence: too many waited, or it could not be found out.
    pub messages_without_case: u64,
    /// Senders that were forgotten because there were too many: nobody waits for their data.
    pub forgotten_senders: u64,
}

/// `GET /self`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SelfHealth {
    /// Version of the server.
    pub version: String,
    /// When it started.
    pub started_unix_nano: Nanos,
    /// Its clock now.
    pub now_unix_nano: Nanos,
    /// `traces`, `logs`, `metrics`.
    pub signals: BTreeMap<String, SignalCounters>,
    /// Bytes waiting to be written to the log.
    pub queue_bytes: u64,
    /// Bytes allowed there.
    pub queue_limit_bytes: u64,
    /// Bytes of write-ahead log not yet sealed.
    pub wal_bytes: u64,
    /// Bytes of what the last run left there that are not queryable yet; 0 soon after a start.
    #[serde(default)]
    pub wal_unread_bytes: u64,
    /// Bytes of rows held in memory.
    pub hot_bytes: u64,
    /// Bytes of sealed data on disk.
    pub sealed_bytes: u64,
    /// Number of sealed segments.
    pub segments: u64,
    /// Bytes of memory that indexes of sealed data take.
    #[serde(default)]
    pub index_memory_bytes: u64,
    /// Bytes they may take; beyond that they are read when they are needed.
    #[serde(default)]
    pub index_memory_limit_bytes: u64,
    /// How often something of them was read since the start.
    #[serde(default)]
    pub index_reads: u64,
    /// All bytes of the data directory.
    pub disk_bytes: u64,
    /// Bytes free on its file system.
    pub disk_free_bytes: u64,
    /// Bytes it has in all, without what is reserved for the superuser.
    pub disk_total_bytes: u64,
    /// Telemetry is refused while fewer bytes than this are free.
    #[serde(default)]
    pub disk_reserve_bytes: u64,
    /// Telemetry is refused for that now; senders are told to retry.
    #[serde(default)]
    pub disk_low: bool,
    /// Resident memory of the process.
    pub rss_bytes: u64,
    /// Processor seconds used since start.
    pub cpu_seconds: f64,
    /// Start of the oldest stored item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_unix_nano: Option<Nanos>,
    /// Retention, such as `30d` or `off`.
    pub retention: String,
    /// Where telemetry is accepted, such as `grpc` → `127.0.0.1:4317`.
    pub endpoints: BTreeMap<String, String>,
    /// Tabs with live data.
    pub live_clients: u64,
    /// How rules are judged, since the start.
    #[serde(default)]
    pub alerting: AlertingHealth,
    /// Things a person should look at, in plain words.
    pub warnings: Vec<String>,
}
