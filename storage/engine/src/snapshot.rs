//! What queries read: all slices and all segments, as one value that is replaced as a whole.
//!
//! When a slice is sealed, one replacement takes it out and puts its segments in, so a query sees its rows exactly
//! once: those who began before keep the slice (it lives until the last of them is done), those after see segments.

use crate::segment::Segment;
use crate::slice::Slice;
use hashbrown::HashMap;
use orrery_model::TraceId;
use parking_lot::RwLock;
use std::sync::Arc;

/// Slices oldest first, the last one still growing; segments in no order. Pins hold rows that may be in those, too.
#[derive(Clone, Default)]
pub(crate) struct Snapshot {
    pub(crate) slices: Vec<Arc<Slice>>,
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) pins: HashMap<TraceId, Arc<Segment>>,
}

/// The current snapshot.
#[derive(Default)]
pub(crate) struct Current(RwLock<Arc<Snapshot>>);

impl Current {
    pub(crate) fn get(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0.read())
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Snapshot)) {
        let mut current = self.0.write();
        let mut next = Snapshot::clone(&current);
        change(&mut next);
        let previous = std::mem::replace(&mut *current, Arc::new(next));
        drop(current);
        // May drop tables or files: not under the lock.
        drop(previous);
    }
}
