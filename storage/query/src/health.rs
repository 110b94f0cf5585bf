//! How a store is.

use orrery_model::Signal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Counters since the data directory was made, and sizes now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StoreHealth {
    /// Per signal.
    pub signals: BTreeMap<Signal, SignalHealth>,
    /// Bytes waiting to be written to the log.
    pub queue_bytes: u64,
    /// Bytes allowed there.
    pub queue_limit_bytes: u64,
    /// Bytes of write-ahead log on disk, not yet sealed.
    pub wal_bytes: u64,
    /// Bytes of what the last run left there that are not queryable yet; 0 soon after a start.
    #[serde(default)]
    pub wal_unread_bytes: u64,
    /// Bytes of rows held in memory.
    pub hot_bytes: u64,
    /// Bytes of sealed segments, indexes and rollups on disk.
    pub sealed_bytes: u64,
    /// Number of sealed segments.
    pub segments: u64,
    /// Bytes of memory that indexes of segments take.
    pub index_memory_bytes: u64,
    /// Bytes they may take; beyond that they are read when they are needed.
    pub index_memory_limit_bytes: u64,
    /// How often something of them was read since the start.
    pub index_reads: u64,
    /// Bytes free on the data directory's file system.
    pub disk_free_bytes: u64,
    /// Bytes it has in all, without what is reserved for the superuser.
    pub disk_total_bytes: u64,
    /// Appends are refused while fewer bytes than this are free.
    pub disk_reserve_bytes: u64,
    /// Whether they are refused for that now.
    pub disk_low: bool,
    /// Start of the oldest stored item, Unix nanoseconds; absent when empty.
    pub oldest_unix_nano: Option<i64>,
    /// Things a person should look at, in plain words: quarantined files, failing disk, late seals.
    pub warnings: Vec<String>,
}

/// Counters of one signal, in items (spans, log records, data points), since the data directory was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SignalHealth {
    /// Acknowledged to the sender.
    pub accepted: u64,
    /// Synced to disk.
    pub durable: u64,
    /// Visible to queries, duplicates included.
    pub queryable: u64,
    /// Bytes received, as they came over the wire.
    pub received_bytes: u64,
    /// Never valid, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Refused and to be sent again, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Accepted but lost by us, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Removed by retention: `age`, `size` or `rule`.
    #[serde(default)]
    pub expired: BTreeMap<String, u64>,
    /// Parts of accepted items that were not stored as sent, by reason.
    #[serde(default)]
    pub trimmed: BTreeMap<String, u64>,
}
