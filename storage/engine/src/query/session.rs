//! One query: a connection, a snapshot, and what was read.

use super::engine_error;
use super::hot::HotSpans;
use super::source::Source;
use super::sql::Sql;
use crate::columns::Table;
use crate::context::ContextTable;
use crate::duck::Lease;
use crate::engine::Inner;
use crate::error::{Fault, chain};
use crate::manifest::SegmentEntry;
use crate::segment::Segment;
use crate::segment::read::Wanted;
use crate::snapshot::Snapshot;
use arrow::array::RecordBatch;
use orrery_model::{SpanBatch, TraceId};
use orrery_query::plan::AttributeFilter;
use orrery_query::{Answer, Control, Partial, QueryError, Scanned, TimeRange};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) struct Session<'a> {
    pub(crate) inner: &'a Inner,
    name: &'static str,
    control: &'a Control,
    lease: Lease<'a>,
    snapshot: Arc<Snapshot>,
    scanned: Scanned,
    partial: Option<Partial>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(inner: &'a Inner, name: &'static str, control: &'a Control) -> Result<Session<'a>, QueryError> {
        let lease = inner.duck.query(control)?;
        let partial = inner.still_reading();
        let snapshot = inner.current.get();
        Ok(Session { inner, name, control, lease, snapshot, scanned: Scanned::default(), partial })
    }

    /// The places with rows of this signal in the range, newest first. `wanted` skips segments by their statistics.
    pub(crate) fn sources<B: Table>(
        &mut self,
        range: TimeRange,
        wanted: impl Fn(&SegmentEntry) -> bool,
    ) -> Result<Vec<Source>, QueryError> {
        let snapshot = Arc::clone(&self.snapshot);
        let overlaps = |first: i64, last: i64| first < range.to && range.from <= last;
        let mut sources = Vec::new();
        for slice in &snapshot.slices {
            if B::hot(slice).times().is_some_and(|(first, last)| overlaps(first, last)) {
                sources.push(Source::Hot(Arc::clone(slice)));
            }
        }
        for segment in snapshot.segments.iter().filter(|segment| segment.entry.signal == B::SIGNAL) {
            let entry = &segment.entry;
            if !overlaps(entry.first_unix_nano, entry.last_unix_nano) || !wanted(entry) {
                self.scanned.segments_pruned += 1;
                continue;
            }
            sources.push(Source::sealed(segment));
        }
        if self.inner.warned_of_damage() {
            self.incomplete("some data was damaged and is in quarantine".to_owned());
        }
        sources.sort_by_key(|source| std::cmp::Reverse(source.last::<B>()));
        Ok(sources)
    }

    /// Those of some traces that a source may have.
    pub(crate) fn may_have(&mut self, source: &Source, traces: impl Iterator<Item = TraceId>) -> Vec<TraceId> {
        let Source::Sealed(segment, _) = source else { return traces.collect() };
        match segment.traces() {
            Ok(filter) => traces.filter(|trace| filter.may_contain(*trace)).collect(),
            Err(fault) => {
                self.left_out(segment, &fault);
                Vec::new()
            }
        }
    }

    /// What is kept of a trace whatever happens to the other places; its rows may be in those as well.
    pub(crate) fn pinned(&self, trace: TraceId) -> Option<Source> {
        self.snapshot.pins.get(&trace).map(Source::sealed)
    }

    /// Keeps the places that may have rows of a trace.
    pub(crate) fn keep_trace(&mut self, sources: &mut Vec<Source>, trace: TraceId) -> Result<(), QueryError> {
        self.control.check()?;
        sources.retain(|source| !self.may_have(source, std::iter::once(trace)).is_empty());
        Ok(())
    }

    /// Makes a place ready to be read; false if it can be left out, because no row meets the filters or it is damaged.
    pub(crate) fn open(&mut self, source: &Source, filters: &[AttributeFilter]) -> Result<bool, QueryError> {
        self.control.check()?;
        let Source::Sealed(segment, _) = source else { return Ok(true) };
        match source.open(filters) {
            Ok(true) => return Ok(true),
            Ok(false) => self.scanned.segments_pruned += 1,
            Err(fault) => self.left_out(segment, &fault),
        }
        Ok(false)
    }

    /// The spans of a source in memory, which are not in a table.
    pub(crate) fn hot_spans(&mut self, source: &Source) -> Option<HotSpans> {
        let Source::Hot(slice) = source else { return None };
        self.scanned.rows += source.rows::<SpanBatch>();
        Some(HotSpans::of(slice))
    }

    /// Whether the rows of a source may be read: those of a sealed one once they are verified.
    pub(crate) fn may_read(&mut self, source: &Source) -> bool {
        let Source::Sealed(segment, _) = source else { return true };
        let verified = segment.verify();
        if let Err(fault) = &verified {
            self.left_out(segment, fault);
        }
        verified.is_ok()
    }

    /// Counts a segment of which so many rows are looked at.
    pub(crate) fn opened(&mut self, rows: u64) {
        match rows {
            0 => self.scanned.segments_pruned += 1,
            _ => self.scanned.segments += 1,
        }
        self.scanned.rows += rows;
    }

    /// Counts rows that were looked at.
    pub(crate) fn looked_at(&mut self, rows: u64) {
        self.scanned.rows += rows;
    }

    pub(crate) fn control(&self) -> &'a Control {
        self.control
    }

    /// Runs a statement that reads `source`.
    pub(crate) fn select<B: Table>(&mut self, source: &Source, sql: &Sql) -> Result<Vec<RecordBatch>, QueryError> {
        self.control.check()?;
        self.scanned.rows += source.rows::<B>();
        if let Source::Sealed(segment, _) = source {
            if let Err(fault) = segment.verify() {
                self.left_out(segment, &fault);
                return Ok(Vec::new());
            }
            self.scanned.segments += 1;
        }
        sql.run(self.lease.connection()).map_err(|fault| self.fault(fault))
    }

    /// Reads the rows of a sealed source as batches, a few thousand at a time. For statements of `rows::select_all`.
    pub(crate) fn stream<B: Table>(
        &mut self,
        source: &Source,
        sql: &Sql,
        mut each: impl FnMut(&ContextTable, B, Vec<u64>) -> Result<(), Fault>,
    ) -> Result<(), QueryError> {
        let Source::Sealed(segment, _) = source else { return Ok(()) };
        self.control.check()?;
        if let Err(fault) = segment.verify() {
            self.left_out(segment, &fault);
            return Ok(());
        }
        self.scanned.segments += 1;
        self.scanned.rows += source.rows::<B>();
        let context = source.context::<B>();
        let read = sql.stream(self.lease.connection(), |columns| {
            self.control.check().map_err(|stopped| Fault::Other(stopped.to_string()))?;
            let arrivals = crate::columns::arrivals(columns)?;
            each(&context, B::read(columns, &context, source.promoted())?, arrivals)
        });
        read.map_err(|fault| self.fault(fault))
    }

    /// Rows of some traces in a sealed source, in trace order.
    pub(crate) fn of_traces(&mut self, source: &Source, wanted: &Wanted<'_>) -> Result<Vec<RecordBatch>, QueryError> {
        let Source::Sealed(segment, _) = source else { return Ok(Vec::new()) };
        self.control.check()?;
        if let Err(fault) = segment.verify() {
            self.left_out(segment, &fault);
            return Ok(Vec::new());
        }
        self.scanned.segments += 1;
        let mut batches = Vec::new();
        let read = segment.of_traces(wanted, |batch| {
            batches.push(batch);
            self.control.check().map_err(|stopped| Fault::Other(stopped.to_string()))
        });
        self.scanned.rows += read.map_err(|fault| self.fault(fault))?;
        Ok(batches)
    }

    /// The same for several places that may be read, from as many threads as there are for queries; of all together not
    /// many more rows than `limit`.
    pub(crate) fn of_traces_at_once(
        &mut self,
        wanted: &[(&Source, Wanted<'_>)],
        limit: usize,
    ) -> Result<Vec<Vec<RecordBatch>>, QueryError> {
        let (control, next, left) = (self.control, AtomicUsize::new(0), AtomicUsize::new(limit));
        let read = |(source, wanted): &(&Source, Wanted<'_>)| {
            let Source::Sealed(segment, _) = source else { return Ok((Vec::new(), 0)) };
            let mut batches = Vec::new();
            let wanted = Wanted { limit: left.load(Ordering::Relaxed), ..*wanted };
            let looked_at = segment.of_traces(&wanted, |batch| {
                batches.push(batch);
                control.check().map_err(|stopped| Fault::Other(stopped.to_string()))
            })?;
            let rows = batches.iter().map(RecordBatch::num_rows).sum::<usize>();
            _ = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(rows)));
            Ok((batches, looked_at))
        };
        let work = || {
            let mut done = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(wanted) = wanted.get(at).filter(|_| left.load(Ordering::Relaxed) > 0) else { return done };
                done.push((at, read(wanted)));
            }
        };
        let threads = (self.inner.config.query_threads as usize).clamp(1, wanted.len().max(1));
        let done = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut done = work();
            for other in others {
                done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            done
        });
        let mut all = vec![Vec::new(); wanted.len()];
        for (at, read) in done {
            let (batches, looked_at) = read.map_err(|fault: Fault| self.fault(fault))?;
            self.scanned.segments += 1;
            self.scanned.rows += looked_at;
            all[at] = batches;
        }
        Ok(all)
    }

    /// Lets go of the snapshot: what was taken from it stays, the rest may be sealed, merged and removed.
    pub(crate) fn let_go(&mut self) {
        self.snapshot = Arc::default();
    }

    fn left_out(&mut self, segment: &Arc<Segment>, fault: &Fault) {
        // A file that cannot be read just now may be readable later; one that is wrong or gone will not.
        if fault.is_lasting() {
            self.inner.quarantine(segment, fault);
        } else {
            tracing::warn!(error = chain(fault), "a segment could not be read");
        }
        self.incomplete(format!("a segment with {} rows could not be read", segment.entry.rows));
    }

    /// An error of the engine: the deadline's or the caller's doing if it was interrupted.
    pub(crate) fn fault(&self, fault: impl Into<Fault>) -> QueryError {
        match self.control.check() {
            Err(stopped) => stopped,
            Ok(()) => engine_error(self.name, fault.into()),
        }
    }

    pub(crate) fn check(&self) -> Result<(), QueryError> {
        self.control.check()
    }

    pub(crate) fn incomplete(&mut self, why: String) {
        self.partial.get_or_insert(Partial(why));
    }

    pub(crate) fn answer<T>(self, value: T) -> Answer<T> {
        Answer { value, partial: self.partial, scanned: self.scanned }
    }
}
