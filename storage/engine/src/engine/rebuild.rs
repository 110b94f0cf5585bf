//! Rollups whose file was lost are made again from the stored spans, while the server works.

use super::Inner;
use crate::error::{Fault, chain};
use crate::rollup::{Observer, ObserverConfig, RollupRows};
use crate::segment::Segment;
use orrery_model::{Signal, SpanBatch};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Rows of a table kept in memory before they are stored.
const MANY: usize = 200_000;

impl Inner {
    /// Whether rollups of the past are incomplete for now.
    pub(crate) fn rebuilding(&self) -> bool {
        self.rebuilding.load(Ordering::Acquire)
    }

    /// Makes the rows of these slices again, from the segments there are now. Broken off by a stop, it begins anew at
    /// the next start.
    pub(super) fn rebuild(&self, slices: &[u64], segments: &[Arc<Segment>]) {
        let matter = "rollups";
        self.warn(
            matter,
            format!(
                "their file was lost: made again from {} segments; until then maps of the past miss something",
                segments.len()
            ),
        );
        match self.rebuild_from(slices, segments) {
            Ok(true) => {
                self.rebuilding.store(false, Ordering::Release);
                self.settle(matter);
            }
            // Stopped.
            Ok(false) => {}
            Err(fault) => self.warn(matter, format!("maps of the past miss something: {}", chain(&fault))),
        }
    }

    fn rebuild_from(&self, slices: &[u64], segments: &[Arc<Segment>]) -> Result<bool, Fault> {
        let Some(&first) = slices.first() else { return Ok(true) };
        let mut observer = Observer::new(ObserverConfig::default());
        let mut rows = RollupRows::of_slice(first);
        let store = |rows: &mut RollupRows| {
            let full = std::mem::replace(rows, RollupRows::of_slice(first));
            self.rollups.make_again(first, &full).map_err(|error| Fault::Other(chain(&error)))
        };
        for segment in segments {
            let arrived = segment.entry.last_unix_nano;
            let read = self.read_back::<SpanBatch>(segment, |batch, _| {
                if self.stopping.load(Ordering::Acquire) {
                    return Err(Fault::Other("stopping".into()));
                }
                observer.observe(&batch, arrived, &mut rows);
                if rows.len() >= MANY { store(&mut rows) } else { Ok(()) }
            });
            match read {
                _ if self.stopping.load(Ordering::Acquire) => return Ok(false),
                Err(fault @ Fault::Damaged { .. }) => self.quarantine(segment, &fault),
                read => read?,
            }
        }
        observer.expire(i64::MAX, &mut rows);
        store(&mut rows)?;
        self.rollups.made_again(slices).map_err(|error| Fault::Other(chain(&error)))?;
        Ok(true)
    }
}

/// Segments of spans, oldest first.
pub(super) fn spans(segments: &[Arc<Segment>]) -> Vec<Arc<Segment>> {
    let mut spans: Vec<_> = segments.iter().filter(|segment| segment.entry.signal == Signal::Traces).cloned().collect();
    spans.sort_by_key(|segment| segment.entry.last_unix_nano);
    spans
}
