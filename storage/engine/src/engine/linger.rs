//! Files of segments that were merged, thinned or have expired stay a while: a reader outside the server, which listed
//! them in the manifest a moment ago, opens them in peace.

use super::Inner;
use crate::segment::Segment;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Segments that the manifest no longer names, oldest first. Their files go when they are dropped.
#[derive(Default)]
pub(super) struct Lingering(Mutex<Vec<(Instant, Arc<Segment>)>>);

impl Inner {
    /// Has the files of these segments removed, later. The manifest no longer names them.
    pub(super) fn retire(&self, segments: &[Arc<Segment>]) {
        segments.iter().for_each(|segment| segment.retire());
        self.lingering.0.lock().extend(segments.iter().map(|segment| (Instant::now(), Arc::clone(segment))));
        self.bury(self.config.linger);
    }

    /// Removes files that were retired longer ago than this and that no query reads.
    pub(super) fn bury(&self, linger: Duration) {
        let gone: Vec<_> = self.lingering.0.lock().extract_if(.., |(since, _)| since.elapsed() >= linger).collect();
        // Unlinks: not under the lock.
        drop(gone);
    }
}
