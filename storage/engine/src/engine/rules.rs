//! Retention of single rows: segments with rows that a rule speaks of are written again without them, on the sealing
//! thread. The manifest names the new segment before the old one's files go, and says how far each rule has been
//! applied, so that nothing is read twice for nothing.

use super::{Inner, now};
use crate::columns::{Arrival, Part, Table};
use crate::config::Config;
use crate::duck::Duck;
use crate::error::Fault;
use crate::manifest::SegmentEntry;
use crate::query::rules as rows;
use crate::segment::{Segment, write};
use orrery_model::{LogBatch, MetricBatch, Signal, SpanBatch};
use orrery_query::retention::Rule;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A segment is written again when all of it is old enough, or this much more of it than the last time.
const STEP_NANOS: i64 = 24 * 3600 * 1_000_000_000;

/// A rule that has something to do in a segment: its number, and the time before which rows are judged.
pub(super) type Due = (usize, i64);

/// The rules that have something to do in the segment now.
pub(super) fn due(rules: &[Rule], entry: &SegmentEntry, now: i64) -> Vec<Due> {
    let due = |(number, rule): (usize, &Rule)| {
        let horizon = now.saturating_sub(rule.after_nanos);
        let judged = entry.judged.get(&rule.to_string()).copied().unwrap_or(entry.first_unix_nano);
        let is_due = judged <= entry.last_unix_nano
            && (horizon > entry.last_unix_nano || horizon.saturating_sub(judged) >= STEP_NANOS);
        is_due.then_some((number, horizon))
    };
    rules.iter().enumerate().filter(|(_, rule)| rule.signal == entry.signal).filter_map(due).collect()
}

/// How far all of these segments were judged, by the rules that judged all of them.
pub(super) fn judged_by_all(segments: &[Arc<Segment>]) -> BTreeMap<String, i64> {
    let Some((first, others)) = segments.split_first() else { return BTreeMap::new() };
    let mut judged = first.entry.judged.clone();
    for other in others {
        judged.retain(|rule, to| match other.entry.judged.get(rule) {
            Some(until) => {
                *to = *until.min(to);
                true
            }
            None => false,
        });
    }
    judged
}

/// Rows of a segment that rules speak of.
#[derive(Default)]
pub(super) struct Found {
    /// Of any rule.
    pub(super) rows: u64,
    /// Of each rule that has something to do here.
    pub(super) by_rule: Vec<(usize, u64)>,
}

/// Counts the rows that would go now.
pub(super) fn count(config: &Config, segment: &Arc<Segment>, duck: &Duck, now: i64) -> Result<Found, Fault> {
    let due = due(&config.rules, &segment.entry, now);
    if due.is_empty() {
        return Ok(Found::default());
    }
    segment.verify()?;
    let judged: Vec<(&Rule, i64)> = due.iter().map(|(rule, before)| (&config.rules[*rule], *before)).collect();
    let counts = match segment.entry.signal {
        Signal::Traces => rows::count::<SpanBatch>(duck, segment, &judged)?,
        Signal::Logs => rows::count::<LogBatch>(duck, segment, &judged)?,
        Signal::Metrics => rows::count::<MetricBatch>(duck, segment, &judged)?,
    };
    let by_rule = due.iter().map(|(rule, _)| *rule).zip(counts.iter().copied()).collect();
    Ok(Found { rows: counts.last().copied().unwrap_or_default(), by_rule })
}

impl Inner {
    /// Applies the rules to one segment; false if none needs it.
    pub(super) fn thin_once(&self) -> Result<bool, Fault> {
        self.thin_next(&self.config.rules)
    }

    pub(super) fn thin_next(&self, rules: &[Rule]) -> Result<bool, Fault> {
        if rules.is_empty() {
            return Ok(false);
        }
        let now = now();
        let snapshot = self.current.get();
        let next = snapshot.segments.iter().find_map(|segment| {
            let due = due(rules, &segment.entry, now);
            (!due.is_empty()).then(|| (Arc::clone(segment), due))
        });
        drop(snapshot);
        let Some((segment, due)) = next else { return Ok(false) };
        match segment.verify().and_then(|()| segment.context()) {
            Ok(_) => {}
            Err(fault) if fault.is_lasting() => {
                self.quarantine(&segment, &fault);
                return Ok(true);
            }
            Err(fault) => return Err(fault),
        }
        let due: Vec<(&Rule, i64)> = due.into_iter().map(|(rule, before)| (&rules[rule], before)).collect();
        let mut judged = segment.entry.judged.clone();
        judged.retain(|known, _| rules.iter().any(|rule| rule.to_string() == *known));
        judged.extend(due.iter().map(|(rule, before)| (rule.to_string(), *before)));
        match segment.entry.signal {
            Signal::Traces => self.thin::<SpanBatch>(&segment, &due, judged)?,
            Signal::Logs => self.thin::<LogBatch>(&segment, &due, judged)?,
            Signal::Metrics => self.thin::<MetricBatch>(&segment, &due, judged)?,
        }
        Ok(true)
    }

    fn thin<B: Table>(
        &self,
        segment: &Arc<Segment>,
        rules: &[(&Rule, i64)],
        judged: BTreeMap<String, i64>,
    ) -> Result<(), Fault> {
        let old = &segment.entry;
        let gone = rows::count::<B>(&self.duck, segment, rules)?.last().copied().unwrap_or_default();
        let new = if gone == 0 {
            Some(SegmentEntry { judged, ..old.clone() })
        } else {
            let context = segment.context()?;
            let mut parts: Vec<Part<B>> = Vec::new();
            rows::others::<B>(&self.duck, segment, rules, |batch, arrivals| {
                // Resources and scopes keep their numbers.
                let (resources, scopes) = ((0..context.resources().len() as u32), (0..context.scopes().len() as u32));
                let (resources, scopes) = (resources.collect(), scopes.collect());
                parts.push(Part { batch: Arc::new(batch), resources, scopes, arrival: Arrival::Rows(arrivals) });
                Ok(())
            })?;
            let id = self.manifest.with(|manifest| manifest.next_segment);
            let written = write::write(&self.dir.segments(), id, old.level, &parts, &context)?;
            written.map(|entry| SegmentEntry { judged, ..entry })
        };
        crate::failpoint::pass("thinned")?;
        self.exchange(segment, new)
    }

    /// One replacement of the manifest: the new segment instead of the old one, and what went is counted.
    fn exchange(&self, segment: &Arc<Segment>, new: Option<SegmentEntry>) -> Result<(), Fault> {
        let old = &segment.entry;
        let gone = old.rows - new.as_ref().map_or(0, |entry| entry.rows);
        let is_same_file = new.as_ref().is_some_and(|entry| entry.id == old.id);
        let mut known = false;
        self.manifest.commit(|manifest| {
            let before = manifest.segments.len();
            manifest.segments.retain(|entry| entry.id != old.id);
            known = manifest.segments.len() < before;
            if known {
                manifest.next_segment =
                    new.as_ref().map_or(manifest.next_segment, |entry| manifest.next_segment.max(entry.id + 1));
                manifest.segments.extend(new.clone());
                if gone > 0 {
                    manifest.counters.expired(old.signal, "rule", gone);
                }
            }
        })?;
        crate::failpoint::pass("exchanged")?;
        let new = new.map(|entry| self.segments.segment(entry));
        if !known {
            // Set aside as damaged meanwhile, with all its rows.
            new.into_iter().filter(|_| !is_same_file).for_each(|segment| segment.retire());
            return Ok(());
        }
        if gone > 0 {
            self.count(|counters| counters.expired(old.signal, "rule", gone));
        }
        self.current.change(|snapshot| {
            snapshot.segments.retain(|other| other.entry.id != old.id);
            snapshot.segments.extend(new);
        });
        if !is_same_file {
            self.retire(std::slice::from_ref(segment));
        }
        Ok(())
    }
}
