//! Counters per signal, since the data directory was made.

use orrery_model::Signal;
use orrery_query::SignalHealth;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Counters of all signals. Adding two gives the counters of both spans of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counters(pub(crate) BTreeMap<Signal, SignalHealth>);

impl Counters {
    pub(crate) fn signal(&mut self, signal: Signal) -> &mut SignalHealth {
        self.0.entry(signal).or_default()
    }

    /// A request that is on disk: acknowledged (or about to be).
    pub(crate) fn stored(&mut self, signal: Signal, items: u64, bytes: u64) {
        let health = self.signal(signal);
        health.accepted += items;
        health.durable += items;
        health.received_bytes += bytes;
    }

    pub(crate) fn queryable(&mut self, signal: Signal, items: u64) {
        self.signal(signal).queryable += items;
    }

    pub(crate) fn rejected(&mut self, signal: Signal, reason: &str, items: u64) {
        *self.signal(signal).rejected.entry(reason.to_owned()).or_default() += items;
    }

    pub(crate) fn refused(&mut self, signal: Signal, reason: &str, items: u64) {
        *self.signal(signal).refused.entry(reason.to_owned()).or_default() += items;
    }

    pub(crate) fn dropped(&mut self, signal: Signal, reason: &str, items: u64) {
        *self.signal(signal).dropped.entry(reason.to_owned()).or_default() += items;
    }

    pub(crate) fn expired(&mut self, signal: Signal, reason: &str, items: u64) {
        *self.signal(signal).expired.entry(reason.to_owned()).or_default() += items;
    }

    pub(crate) fn trimmed(&mut self, signal: Signal, reason: &str, parts: u64) {
        *self.signal(signal).trimmed.entry(reason.to_owned()).or_default() += parts;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn add(&mut self, other: &Counters) {
        for (signal, from) in &other.0 {
            let to = self.signal(*signal);
            to.accepted += from.accepted;
            to.durable += from.durable;
            to.queryable += from.queryable;
            to.received_bytes += from.received_bytes;
            add_reasons(&mut to.rejected, &from.rejected);
            add_reasons(&mut to.refused, &from.refused);
            add_reasons(&mut to.dropped, &from.dropped);
            add_reasons(&mut to.expired, &from.expired);
            add_reasons(&mut to.trimmed, &from.trimmed);
        }
    }
}

fn add_reasons(to: &mut BTreeMap<String, u64>, from: &BTreeMap<String, u64>) {
    for (reason, count) in from {
        *to.entry(reason.clone()).or_default() += count;
    }
}
