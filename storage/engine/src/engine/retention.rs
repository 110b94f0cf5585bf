//! Retention: whole segments go when their newest row is too old.

use super::Inner;
use crate::error::chain;
use crate::failpoint;
use crate::manifest::SegmentEntry;
use std::collections::BTreeSet;
use std::time::Duration;

/// Ids of the segments of which nothing is younger than `keep`.
fn expired(segments: &[SegmentEntry], now: i64, keep: Duration) -> BTreeSet<u64> {
    let oldest = horizon(now, keep);
    segments.iter().filter(|entry| entry.last_unix_nano < oldest).map(|entry| entry.id).collect()
}

fn horizon(now: i64, keep: Duration) -> i64 {
    now.saturating_sub(i64::try_from(keep.as_nanos()).unwrap_or(i64::MAX))
}

impl Inner {
    /// Drops what is past its time, and counts it.
    pub(super) fn retain(&self, now: i64) {
        let Some(keep) = self.config.retention else { return };
        let (gone, now) = self.manifest.with(|manifest| {
            // A clock that was set far ahead must not delete everything: nothing is older than the newest item says.
            let newest = manifest.segments.iter().map(|entry| entry.last_unix_nano).max();
            let now = newest.map_or(now, |newest| newest.min(now));
            (expired(&manifest.segments, now, keep), now)
        });
        if let Err(error) = self.rollups.expire(horizon(now, keep)) {
            self.warn("rollup retention", format!("old rollups stay: {}", chain(&error)));
        }
        if gone.is_empty() {
            return;
        }
        let mut dropped = Vec::new();
        let committed = self.manifest.commit(|manifest| {
            for entry in manifest.segments.extract_if(.., |entry| gone.contains(&entry.id)) {
                dropped.push((entry.signal, entry.rows));
            }
            for (signal, rows) in &dropped {
                manifest.counters.dropped(*signal, "retention", *rows);
            }
        });
        if let Err(fault) = committed {
            return self.warn("retention", format!("old segments stay: {}", chain(&fault)));
        }
        self.settle("retention");
        _ = failpoint::pass("retention committed");
        self.count(|counters| {
            dropped.iter().for_each(|(signal, rows)| counters.dropped(*signal, "retention", *rows));
        });
        self.current.change(|snapshot| {
            for segment in snapshot.segments.extract_if(.., |segment| gone.contains(&segment.entry.id)) {
                segment.retire();
            }
        });
    }
}
