//! Scrubbing: every segment is read once after a start or after it was written, newest first. Damage is told before
//! somebody asks for the rows, and nobody who asks waits for a checksum.

use super::Inner;
use crate::error::chain;
use crate::segment::Segment;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(500);
/// Of its time the thread rests so many times as long as it reads.
const REST: u32 = 4;

/// The thread's work.
pub(super) fn run(inner: &Inner) {
    // What cannot be read just now is left to whoever asks for it.
    let mut unreadable = HashSet::new();
    while !inner.stopping.load(Ordering::Acquire) {
        let rest = match inner.next_to_scrub(&unreadable) {
            None => TICK,
            Some(segment) => {
                let began = Instant::now();
                if !inner.scrub(&segment) {
                    unreadable.insert(segment.entry.stem());
                }
                began.elapsed() * REST
            }
        };
        inner.scrubber.wait(rest);
    }
}

impl Inner {
    fn next_to_scrub(&self, but: &HashSet<String>) -> Option<Arc<Segment>> {
        let snapshot = self.current.get();
        let fresh = |segment: &&Arc<Segment>| !segment.is_verified() && !but.contains(&segment.entry.stem());
        snapshot.segments.iter().filter(fresh).max_by_key(|segment| segment.entry.last_unix_nano).cloned()
    }

    /// False: neither right nor wrong can be said.
    fn scrub(&self, segment: &Arc<Segment>) -> bool {
        match segment.index().and_then(|_| segment.verify()) {
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
