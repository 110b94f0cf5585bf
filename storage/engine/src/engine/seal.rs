//! Sealing: the thread that turns full slices into segments, and keeps house.

use super::{Inner, words};
use crate::error::{Fault, chain};
use crate::failpoint;
use crate::manifest::SegmentEntry;
use crate::segment::write;
use crate::slice::{HotTable, Slice};
use crate::wal::Wal;
use orrery_model::{LogBatch, MetricBatch, SpanBatch};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(500);
const RETRY: Duration = Duration::from_secs(5);
const RETENTION_EVERY: Duration = Duration::from_secs(30);

/// Nothing is sealed for so long: a moment to tidy up.
const CALM: Duration = Duration::from_secs(3);

/// The thread's work. Seals first, then everything that can wait.
pub(super) fn run(inner: &Arc<Inner>, trim: &dyn Fn(u64)) {
    let mut retained = None::<Instant>;
    let mut sealed = Instant::now();
    while !inner.stopping.load(Ordering::Acquire) {
        inner.check_disk();
        if let Err(fault) = inner.mend_rollups() {
            inner.warn("rollups", format!("maps of the past cannot be shown for now: {}", chain(&fault)));
        }
        // Slices may come as fast as they are sealed: then the rest has its turn now and again.
        let is_due = retained.is_none_or(|at| at.elapsed() >= RETENTION_EVERY);
        match inner.seal_next(trim) {
            Ok(true) if !is_due => {
                sealed = Instant::now();
                continue;
            }
            Ok(_) => inner.settle("seal"),
            Err(fault) => {
                inner.warn("seal", format!("rows stay in memory and in the log for now: {}", chain(&fault)));
                inner.sealer.wait(RETRY);
                continue;
            }
        }
        if is_due {
            retained = Some(Instant::now());
            inner.retain(super::now());
            inner.bury(inner.config.linger);
        }
        match inner.compact_once() {
            Ok(true) => continue,
            Ok(false) => inner.settle("compaction"),
            Err(fault) => inner.warn("compaction", format!("small segments stay: {}", chain(&fault))),
        }
        match inner.fold_rollups() {
            Ok(true) => continue,
            Ok(false) => inner.settle("folding"),
            Err(fault) => inner.warn("folding", format!("rollups of slices stay apart: {}", chain(&fault))),
        }
        match inner.thin_once() {
            Ok(true) => continue,
            Ok(false) => inner.settle("retention rules"),
            Err(fault) => inner.warn("retention rules", format!("rows stay for now: {}", chain(&fault))),
        }
        if sealed.elapsed() >= CALM {
            if let Err(error) = inner.rollups.rest() {
                tracing::debug!(error = chain(&error), "rollups stay in their database's log for now");
            }
            match inner.shrink_rollups() {
                Ok(()) => inner.settle("rollups' file"),
                Err(fault) => {
                    inner.warn("rollups' file", format!("it stays larger than it need be: {}", chain(&fault)))
                }
            }
        }
        inner.sealer.wait(TICK);
    }
}

impl Inner {
    pub(super) fn check_disk(&self) {
        let mut disk = self.dir.disk();
        if disk.0 < self.config.disk_reserve_bytes {
            // First what may go anyway.
            self.retain_segments(super::now());
            self.bury(Duration::ZERO);
            disk = self.dir.disk();
        }
        *self.disk.lock() = disk;
        let low = disk.0 < self.config.disk_reserve_bytes;
        if self.disk_low.swap(low, Ordering::AcqRel) == low {
            return;
        }
        if low {
            // No warning besides: health says that the disk is low, and how much there is.
            tracing::warn!(
                matter = "disk",
                free_mib = disk.0 >> 20,
                reserve_mib = self.config.disk_reserve_bytes >> 20,
                "telemetry is refused, and senders are told to retry, until there is more disk. Free some space or keep \
                 less (retention); it goes on by itself"
            );
        } else {
            tracing::info!(matter = "disk", free_mib = disk.0 >> 20, "telemetry is taken again");
        }
    }

    /// Seals the oldest slice that no longer grows; false if there is none.
    pub(super) fn seal_next(&self, trim: &dyn Fn(u64)) -> Result<bool, Fault> {
        let snapshot = self.current.get();
        let [slice, _, ..] = &snapshot.slices[..] else { return Ok(false) };
        let slice = Arc::clone(slice);
        drop(snapshot);
        self.seal(&slice)?;
        let progress = slice.progress.lock().clone();
        trim(progress.next_seq.min(progress.observed.from_seq));
        Ok(true)
    }

    /// Folds rollup rows of slices that are sealed; false if there are too few.
    pub(super) fn fold_rollups(&self) -> Result<bool, Fault> {
        let failed = |error| Fault::Other(chain(&error));
        let Some(oldest) = self.current.get().slices.first().map(|slice| slice.id) else { return Ok(false) };
        if self.rebuilding() {
            return Ok(false);
        }
        self.rollups.fold(oldest).map_err(failed)
    }

    fn seal(&self, slice: &Arc<Slice>) -> Result<(), Fault> {
        let started = Instant::now();
        let entries = self.write_segments(slice)?;
        failpoint::pass("segments durable")?;
        let gate = self.rollup_gate.write();
        if let Err(error) = self.rollups.persist(slice.id, &slice.rollup.read()) {
            self.rollups_failed();
            return Err(Fault::Other(chain(&error)));
        }
        if let Err(fault) = self.commit(slice, &entries) {
            // The slice stays, and with it its rows in memory.
            if let Err(error) = self.rollups.forget(&[slice.id]) {
                tracing::error!(error = chain(&error), slice = slice.id, "rollups may count a slice twice");
            }
            return Err(fault);
        }
        let sealed: Vec<_> = entries.iter().map(|entry| (entry.signal, entry.rows)).collect();
        self.current.change(|snapshot| {
            snapshot.slices.retain(|other| other.id != slice.id);
            snapshot.segments.extend(entries.into_iter().map(|entry| self.segments.segment(entry)));
        });
        drop(gate);
        let bytes = slice.bytes();
        self.hot_bytes.fetch_sub(bytes.min(self.hot_bytes.load(Ordering::Acquire)), Ordering::AcqRel);
        tracing::debug!(slice = slice.id, rows = words(&sealed), took = ?started.elapsed(), "sealed");
        failpoint::pass("sealed")
    }

    /// The moment at which the slice is sealed.
    fn commit(&self, slice: &Slice, entries: &[SegmentEntry]) -> Result<(), Fault> {
        failpoint::pass("rollups stored")?;
        let progress = slice.progress.lock().clone();
        self.manifest.commit(|manifest| {
            manifest.next_segment = entries.iter().map(|entry| entry.id + 1).fold(manifest.next_segment, u64::max);
            manifest.next_slice = slice.id + 1;
            manifest.cursor = progress.next_seq;
            manifest.observed = progress.observed;
            manifest.counters.add(&progress.counters);
            manifest.segments.extend(entries.iter().cloned());
        })
    }

    fn write_segments(&self, slice: &Slice) -> Result<Vec<SegmentEntry>, Fault> {
        let first = self.manifest.with(|manifest| manifest.next_segment);
        let spans = self.write_segment::<SpanBatch>(first, &slice.spans)?;
        failpoint::pass("first segment durable")?;
        let logs = self.write_segment::<LogBatch>(first + 1, &slice.logs)?;
        let points = self.write_segment::<MetricBatch>(first + 2, &slice.points)?;
        Ok([spans, logs, points].into_iter().flatten().collect())
    }

    fn write_segment<B: crate::columns::Table>(
        &self,
        id: u64,
        table: &HotTable<B>,
    ) -> Result<Option<SegmentEntry>, Fault> {
        let (parts, context) = table.held();
        write::write(&self.dir.segments(), id, 0, &parts, &context)
    }
}

/// Trims the log; a file that stays is tried again with the next slice.
pub(super) fn trim(wal: &Wal, inner: &Inner, cursor: u64) {
    match wal.trim(cursor) {
        Ok(()) => inner.settle("log files"),
        Err(fault) => inner.warn("log files", format!("old log files stay: {}", chain(&fault))),
    }
}
