//! Scrubbing: every segment is read once after a start or after it was written, newest first. Damage is told before
//! somebody asks for the rows, and nobody who asks waits for a checksum. Before that, once after a start: what the first
//! questions would have to read.

use super::{Inner, now};
use crate::error::{Fault, chain};
use crate::query;
use crate::segment::Segment;
use orrery_query::{Control, TimeRange, plan};
use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(500);
/// Of its time the thread rests so many times as long as it reads.
const REST: u32 = 4;
/// What the dashboard asks for at most, unless somebody chooses.
const DAY_NANOS: i64 = 24 * 3600 * 1_000_000_000;
/// How long reading the rollups of a day may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The thread's work.
pub(super) fn run(inner: &Inner) {
    inner.warm_rollups();
    inner.warm_filters();
    // What cannot be read just now is left to whoever asks for it.
    let mut unreadable = HashSet::new();
    while !inner.stopping.load(Ordering::Acquire) {
        let rest = match inner.next_to_scrub(&unreadable) {
            None => TICK,
            Some(segment) => {
                let began = Instant::now();
                if !inner.judge(&segment, segment.traces().and_then(|_| segment.verify())) {
                    unreadable.insert(segment.entry.stem());
                }
                began.elapsed() * REST
            }
        };
        inner.scrubber.wait(rest);
    }
}

impl Inner {
    /// Has the newest hours of the rollups in memory.
    fn warm_rollups(&self) {
        let (now, control) = (now(), Control::within(PATIENCE));
        let range = TimeRange { from: now - DAY_NANOS, to: now };
        let plan = plan::Services { range, environment: None, points: 0 };
        if let Err(error) = query::rollups::with_live(self, &control, |all, live| all.services(&plan, live, &control)) {
            tracing::debug!(error = chain(&error), "the first map reads its rollups itself");
        }
    }

    /// Has in memory which of the newest segments has which trace, as far as there is room.
    fn warm_filters(&self) {
        let mut segments = self.current.get().segments.clone();
        segments.sort_by_key(|segment| Reverse(segment.entry.last_unix_nano));
        // Files of segments that are retired meanwhile need not wait for this.
        let segments: Vec<Weak<Segment>> = segments.iter().map(Arc::downgrade).collect();
        let goes_on = || !self.stopping.load(Ordering::Acquire) && self.segments.memory.has_room();
        for segment in segments.iter().filter_map(Weak::upgrade).take_while(|_| goes_on()) {
            self.judge(&segment, segment.traces().map(drop));
        }
    }

    fn next_to_scrub(&self, but: &HashSet<String>) -> Option<Arc<Segment>> {
        let snapshot = self.current.get();
        let fresh = |segment: &&Arc<Segment>| !segment.is_verified() && !but.contains(&segment.entry.stem());
        let all = snapshot.segments.iter().chain(snapshot.pins.values());
        all.filter(fresh).max_by_key(|segment| segment.entry.last_unix_nano).cloned()
    }

    /// Takes a segment that was found damaged out of use. False: neither right nor wrong can be said.
    fn judge(&self, segment: &Arc<Segment>, found: Result<(), Fault>) -> bool {
        match found {
            Ok(()) => true,
            Err(fault) if fault.is_lasting() => {
                self.quarantine(segment, &fault);
                false
            }
            Err(fault) => {
                tracing::warn!(error = chain(&fault), "a segment could not be read");
                false
            }
        }
    }
}
