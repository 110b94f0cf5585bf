//! Retention of whole segments: they go when their newest row is too old, and the oldest go when a signal has more
//! bytes than it may. Rows that go one by one: [`super::rules`].
//!
//! Rollups do not follow sizes, rules and ages of single signals: maps and service pages stay exact for as long as the
//! general age says, whatever has become of the spans.

use super::{Inner, now, rules};
use crate::config::Config;
use crate::dir::Dir;
use crate::duck::Duck;
use crate::error::{Fault, OpenError, chain};
use crate::failpoint;
use crate::fs::Fs;
use crate::manifest::{ManifestFile, SegmentEntry};
use crate::segment::{Segment, Segments};
use orrery_model::Signal;
use orrery_query::retention::{Amount, Limit, RetentionPlan, SignalPlan};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Why a segment goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Age,
    Size,
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Reason::Age => "age",
            Reason::Size => "size",
        }
    }
}

/// Segments that go now, by id.
fn expired(segments: &[&SegmentEntry], config: &Config, now: i64) -> BTreeMap<u64, Reason> {
    let mut gone = BTreeMap::new();
    for signal in Signal::ALL {
        let mut kept: Vec<&SegmentEntry> = segments.iter().copied().filter(|entry| entry.signal == signal).collect();
        if let Some(keep) = config.max_age(signal) {
            let oldest = horizon(now, keep);
            gone.extend(
                kept.extract_if(.., |entry| entry.last_unix_nano < oldest).map(|entry| (entry.id, Reason::Age)),
            );
        }
        let Some(most) = config.limits.get(&signal).and_then(|limit| limit.max_bytes) else { continue };
        kept.sort_by_key(|entry| (entry.last_unix_nano, entry.id));
        let mut bytes: u64 = kept.iter().map(|entry| size(entry)).sum();
        for entry in kept {
            if bytes <= most {
                break;
            }
            bytes -= size(entry);
            gone.insert(entry.id, Reason::Size);
        }
    }
    if gone.values().filter(|reason| **reason == Reason::Age).count() == segments.len() {
        gone.retain(|_, reason| *reason != Reason::Age);
    }
    gone
}

/// A clock that was set far ahead would have everything deleted: what is left last waits for something newer.
fn is_all_too_old(segments: &[SegmentEntry], oldest: i64) -> bool {
    !segments.is_empty() && segments.iter().all(|entry| entry.last_unix_nano < oldest)
}

/// Bytes of a segment on disk.
fn size(entry: &SegmentEntry) -> u64 {
    entry.bytes + entry.index_bytes
}

fn horizon(now: i64, keep: Duration) -> i64 {
    now.saturating_sub(i64::try_from(keep.as_nanos()).unwrap_or(i64::MAX))
}

impl Inner {
    /// Drops rollups and segments past their time, and segments beyond their bytes.
    pub(super) fn retain(&self, now: i64) {
        let keep = self.config.retention.unwrap_or(Duration::MAX);
        if self.manifest.with(|manifest| is_all_too_old(&manifest.segments, horizon(now, keep))) {
            self.warn(
                "clock",
                "everything stored is past its time, or the clock is wrong: nothing goes until newer items come"
                    .to_owned(),
            );
            return;
        }
        self.settle("clock");
        if let Err(error) = self.rollups.thin(now) {
            self.warn("rollup thinning", format!("old rollups stay at full detail: {}", chain(&error)));
        }
        if let Some(keep) = self.config.retention
            && let Err(error) = self.rollups.expire(horizon(now, keep))
        {
            self.warn("rollup retention", format!("old rollups stay: {}", chain(&error)));
        }
        self.retain_segments(now);
    }

    /// Drops segments past their time or beyond their bytes, and counts them. Cheap when there are none.
    pub(super) fn retain_segments(&self, now: i64) {
        let gone =
            self.manifest.with(|manifest| expired(&manifest.segments.iter().collect::<Vec<_>>(), &self.config, now));
        if gone.is_empty() {
            return;
        }
        let mut removed = Vec::new();
        let committed = self.manifest.commit(|manifest| {
            for entry in manifest.segments.extract_if(.., |entry| gone.contains_key(&entry.id)) {
                removed.push((entry.signal, gone[&entry.id].as_str(), entry.rows));
            }
            for (signal, reason, rows) in &removed {
                manifest.counters.expired(*signal, reason, *rows);
            }
        });
        if let Err(fault) = committed {
            return self.warn("retention", format!("old segments stay: {}", chain(&fault)));
        }
        self.settle("retention");
        _ = failpoint::pass("retention committed");
        self.count(|counters| {
            removed.iter().for_each(|(signal, reason, rows)| counters.expired(*signal, reason, *rows));
        });
        let mut retired = Vec::new();
        self.current.change(|snapshot| {
            retired.extend(snapshot.segments.extract_if(.., |segment| gone.contains_key(&segment.entry.id)));
        });
        self.retire(&retired);
    }
}

/// What a server with this configuration would remove from the directory now. Changes nothing.
///
/// # Errors
/// [`OpenError::Locked`]: a server uses it; ask that. Others: it cannot be looked at; the message says what to do.
pub fn planned_retention(config: &Config) -> Result<RetentionPlan, OpenError> {
    let (dir, server) = Dir::look(&config.data_dir)?;
    if let Some(pid) = server {
        return Err(OpenError::Locked { path: dir.root().to_owned(), pid });
    }
    let known = ManifestFile::open(Fs::Real, dir.root())?.0.current().segments;
    let segments = Segments::new(dir.segments(), config.index_memory_bytes);
    let segments: Vec<_> = known.into_iter().map(|entry| segments.segment(entry)).collect();
    let duck = Duck::open(config, &dir).map_err(OpenError::Engine)?;
    plan(config, &segments, &duck, now(), || Ok(())).map_err(OpenError::Engine)
}

/// What retention would remove at this moment, in the order it does: age, size, rules. `each` is called between
/// segments and may break off.
pub(crate) fn plan(
    config: &Config,
    segments: &[Arc<Segment>],
    duck: &Duck,
    now: i64,
    mut each: impl FnMut() -> Result<(), Fault>,
) -> Result<RetentionPlan, Fault> {
    let entries: Vec<&SegmentEntry> = segments.iter().map(|segment| &segment.entry).collect();
    let gone = expired(&entries, config, now);
    let mut plan = RetentionPlan {
        signals: Signal::ALL
            .map(|signal| (signal, SignalPlan { limit: limit(config, signal), ..Default::default() }))
            .into(),
        rules: config.rules.iter().map(|rule| (rule.clone(), Amount::default())).collect(),
    };
    for segment in segments {
        let entry = &segment.entry;
        let signal = plan.signals.get_mut(&entry.signal).expect("all signals are there");
        signal.stored.add(entry.rows, size(entry));
        match gone.get(&entry.id) {
            Some(Reason::Age) => signal.age.add(entry.rows, size(entry)),
            Some(Reason::Size) => signal.size.add(entry.rows, size(entry)),
            None => {
                each()?;
                let share = |rows: u64| (size(entry) as u128 * u128::from(rows) / u128::from(entry.rows.max(1))) as u64;
                let found = match rules::count(config, segment, duck, now) {
                    // Damaged, which the next query notices.
                    Err(fault) if fault.is_lasting() => continue,
                    found => found?,
                };
                signal.rules.add(found.rows, share(found.rows));
                for (rule, rows) in found.by_rule {
                    plan.rules[rule].1.add(rows, share(rows));
                }
            }
        }
    }
    Ok(plan)
}

fn limit(config: &Config, signal: Signal) -> Limit {
    Limit { max_age: config.max_age(signal), max_bytes: config.limits.get(&signal).and_then(|limit| limit.max_bytes) }
}
