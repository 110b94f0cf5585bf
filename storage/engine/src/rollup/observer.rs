//! Watches spans in arrival order and emits rollup rows.

use super::rows::RollupRows;
use orrery_model::SpanBatch;
use serde::{Deserialize, Serialize};

/// Bounds and waits of an [`Observer`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObserverConfig {
    /// How long after its arrival a client span may wait for its server span, and a server span for its parent,
    /// before the other end counts as silent. Nanoseconds; the rows are corrected if it arrives later.
    pub wait_nanos: i64,
    /// How long spans are remembered to be matched. Nanoseconds.
    pub window_nanos: i64,
    /// Most spans remembered; about 200 bytes each.
    pub max_spans: usize,
    /// How long sent messages, and consumers whose message was not yet seen sent, are remembered. Nanoseconds.
    pub link_window_nanos: i64,
    /// Most sent messages remembered, and as many waiting consumers; about 100 bytes each.
    pub max_links: usize,
    /// Distinct span names per service before further ones become `(other)`. Starts over every hour.
    pub max_operations_per_service: usize,
    /// Distinct called hosts per service before further ones become `(other)`. Starts over every hour.
    pub max_targets_per_service: usize,
}

impl Default for ObserverConfig {
    fn default() -> Self {
        ObserverConfig {
            wait_nanos: 5_000_000_000,
            window_nanos: 150_000_000_000,
            max_spans: 250_000,
            link_window_nanos: 3_600_000_000_000,
            max_links: 100_000,
            max_operations_per_service: 500,
            max_targets_per_service: 100,
        }
    }
}

/// What an observer did, since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObserverCounters {
    /// Spans seen.
    pub spans: u64,
    /// Of them seen before (by trace and span id) and not counted again.
    pub duplicates: u64,
    /// Spans forgotten before their window ended, because `max_spans` was reached.
    pub evicted_spans: u64,
    /// Sent messages and waiting consumers forgotten because `max_links` was reached.
    pub evicted_links: u64,
    /// Rows taken back because a span arrived late.
    pub corrections: u64,
    /// Span names and hosts that became `(other)`.
    pub folded_names: u64,
}

/// Turns spans into rollup rows. Pure: no clock, no I/O. See the module's documentation for the rules.
#[derive(Debug, Default)]
pub struct Observer {
    config: ObserverConfig,
    counters: ObserverCounters,
}

impl Observer {
    /// A new observer that remembers nothing.
    pub fn new(config: ObserverConfig) -> Observer {
        Observer { config, counters: ObserverCounters::default() }
    }

    /// Takes in a batch that arrived at `now_unix_nano` and adds rows to `out`. Also does what
    /// [`Observer::expire`] does. `now_unix_nano` should not run back.
    pub fn observe(&mut self, _batch: &SpanBatch, _now_unix_nano: i64, _out: &mut RollupRows) {}

    /// Adds the rows that were waiting for a span that did not come in time, and forgets what is out of the window.
    /// Call it every second or so.
    pub fn expire(&mut self, _now_unix_nano: i64, _out: &mut RollupRows) {}

    /// What happened so far.
    pub fn counters(&self) -> ObserverCounters {
        self.counters
    }

    /// About how many bytes of memory are held.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.config)
    }
}
