//! Rollups whose file was lost are made again from the stored spans, while the server works.

use super::Inner;
use crate::error::{Fault, chain};
use crate::rollup::{Observer, ObserverConfig, RollupError, RollupRows};
use crate::segment::Segment;
use orrery_model::{Signal, SpanBatch};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What warnings are about.
const MATTER: &str = "rollups";
/// Rows of a table kept in memory before they are stored.
const MANY: usize = 200_000;
/// With less than this on disk, rollups that do not open are probably in order.
pub(super) const ROOM: u64 = 16 << 20;

impl Inner {
    /// Whether rollups of the past are incomplete for now.
    pub(crate) fn rebuilding(&self) -> bool {
        self.rebuilding.load(Ordering::Acquire)
    }

    /// Asks for the rollups' database to be looked after: it failed.
    pub(crate) fn rollups_failed(&self) {
        self.rollups_failed.store(true, Ordering::Release);
        self.sealer.raise();
    }

    /// Opens the rollups again if they failed. What is damaged is set aside and made again; where only the disk was
    /// full, nothing is lost.
    pub(super) fn mend_rollups(self: &Arc<Self>) -> Result<(), Fault> {
        if !self.rollups_failed.load(Ordering::Acquire) {
            return Ok(());
        }
        let other = |error: RollupError| Fault::Other(chain(&error));
        let (missing, sealed) = {
            // No query is reading.
            let _gate = self.rollup_gate.write();
            let path = self.dir.rollups();
            let slices: Vec<u64> = (0..self.manifest.with(|manifest| manifest.next_slice)).collect();
            let open = || self.rollups.reopen(&path).and_then(|()| self.rollups.reconcile(&slices));
            let missing = match open() {
                Ok(missing) => missing,
                Err(error) if self.dir.disk().0 < ROOM => return Err(other(error)),
                Err(error) => {
                    tracing::error!(error = chain(&error), "rollups are damaged; they are set aside and begin anew");
                    self.rollups.let_go().map_err(other)?;
                    self.dir.set_rollups_aside()?;
                    open().map_err(other)?
                }
            };
            (missing, spans(&self.current.get().segments))
        };
        self.rollups_failed.store(false, Ordering::Release);
        self.begin_rebuilding(missing, sealed)
    }

    /// Makes the rows of these slices again on a thread of its own.
    pub(super) fn begin_rebuilding(
        self: &Arc<Self>,
        missing: Vec<u64>,
        sealed: Vec<Arc<Segment>>,
    ) -> Result<(), Fault> {
        if missing.is_empty() {
            return Ok(());
        }
        self.rebuilding.store(true, Ordering::Release);
        // Before the thread runs: whoever asks now is told.
        let begun = format!(
            "their file was lost: made again from {} segments; until then maps of the past miss something",
            sealed.len()
        );
        self.warn(MATTER, begun);
        let inner = Arc::clone(self);
        let thread = std::thread::Builder::new().name("rebuild".into());
        let thread = thread.spawn(move || inner.rebuild(&missing, &sealed)).map_err(Fault::io(self.dir.root()))?;
        // One that was at it before has failed, with the database.
        *self.rebuilder.lock() = Some(thread);
        Ok(())
    }

    /// Makes the rows of these slices again, from the segments there are now. Broken off by a stop, it begins anew at
    /// the next start.
    pub(super) fn rebuild(&self, slices: &[u64], segments: &[Arc<Segment>]) {
        match self.rebuild_from(slices, segments) {
            Ok(true) => {
                self.rebuilding.store(false, Ordering::Release);
                self.settle(MATTER);
            }
            // Stopped.
            Ok(false) => {}
            Err(fault) => {
                self.rollups_failed();
                self.warn(MATTER, format!("maps of the past miss something: {}", chain(&fault)));
            }
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
                Err(fault) if fault.is_lasting() => self.quarantine(segment, &fault),
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
