//! How long telemetry is kept: whole segments by age and by size, single rows by rules.

mod rule;

use orrery_model::Signal;
pub use rule::{Rule, RuleError, ServiceField, Term};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Bounds of one signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Kept this long, instead of what holds for all signals.
    #[serde(default)]
    pub max_age: Option<Duration>,
    /// Sealed bytes kept at most; the oldest go first.
    #[serde(default)]
    pub max_bytes: Option<u64>,
}

/// What retention would remove now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionPlan {
    /// Per signal.
    pub signals: BTreeMap<Signal, SignalPlan>,
    /// Per rule, as configured. Rows that two rules speak of count for both.
    pub rules: Vec<(Rule, Amount)>,
}

/// What retention would remove of a signal now. No row counts twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalPlan {
    /// Its bounds: the general age where it has none of its own.
    pub limit: Limit,
    /// All that is sealed.
    pub stored: Amount,
    /// Too old.
    pub age: Amount,
    /// Beyond the bytes allowed.
    pub size: Amount,
    /// Rules say so.
    pub rules: Amount,
}

/// So much of the stored data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Segments, whole or in part.
    pub segments: u64,
    /// Rows.
    pub rows: u64,
    /// Bytes on disk; of a part of a segment the same share as of its rows.
    pub bytes: u64,
}

impl Amount {
    /// Adds a segment, whole or `rows` of it.
    pub fn add(&mut self, rows: u64, bytes: u64) {
        self.segments += u64::from(rows > 0);
        self.rows += rows;
        self.bytes += bytes;
    }
}
