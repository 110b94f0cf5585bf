//! From durable to queryable: the thread that puts rows into the growing slice.

use super::{Inner, now, size};
use crate::error::{Fault, chain};
use crate::failpoint;
use crate::rollup::{Observer, ObserverConfig, RollupRows};
use crate::slice::{Observed, Slice};
use crate::wal::{Content, Durable};
use duckdb::Connection;
use orrery_model::{Batch, LogBatch, MetricBatch, SpanBatch};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// What has come is inserted after this long at most: the larger part of "queryable within a second".
const QUIET: Duration = Duration::from_millis(200);
/// Or when this many rows have come: a row group of the query engine, which costs a third of smaller batches.
const MANY: usize = 122_880;
/// Time that passes without anything to do.
const TICK: Duration = Duration::from_millis(500);

/// What is durable and not yet inserted.
#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<Arrived>,
    changed: Condvar,
}

#[derive(Default)]
struct Arrived {
    group: Vec<Durable>,
    rows: usize,
    since: Option<Instant>,
    closed: bool,
}

impl Inbox {
    pub(super) fn put(&self, group: Vec<Durable>) {
        let mut state = self.state.lock();
        state.rows += group.iter().map(rows).sum::<usize>();
        state.group.extend(group);
        let first = state.since.is_none();
        state.since.get_or_insert_with(Instant::now);
        if first || state.rows >= MANY {
            self.changed.notify_one();
        }
    }

    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_one();
    }

    /// What has come, after waiting for more of it; empty after a tick; `None` when closed and empty.
    fn take(&self) -> Option<Vec<Durable>> {
        let mut state = self.state.lock();
        let tick = Instant::now() + TICK;
        loop {
            let due = state.since.map(|since| since + QUIET);
            let now = Instant::now();
            if state.closed || state.rows >= MANY || due.is_some_and(|due| due <= now) {
                break;
            }
            let until = due.unwrap_or(tick);
            if until <= now {
                break;
            }
            self.changed.wait_until(&mut state, until);
        }
        if state.closed && state.group.is_empty() {
            return None;
        }
        state.rows = 0;
        state.since = None;
        Some(std::mem::take(&mut state.group))
    }
}

fn rows(durable: &Durable) -> usize {
    match &durable.content {
        Content::Batch { batch, .. } => batch.len(),
        Content::Counts(_) => 0,
    }
}

/// Puts rows into the growing slice, and begins new slices.
pub(super) struct Ingest {
    inner: Arc<Inner>,
    connection: Connection,
    observer: Observer,
    remembered: Remembered,
    slice: Arc<Slice>,
    /// Rollup rows of the slice whose memory is counted.
    weighed: usize,
    clock: i64,
}

/// Which records of the log hold the spans that the observer remembers.
struct Remembered {
    /// Sequence number, arrival and spans.
    records: VecDeque<(u64, i64, usize)>,
    spans: usize,
    config: ObserverConfig,
}

impl Remembered {
    fn new(config: ObserverConfig) -> Remembered {
        Remembered { records: VecDeque::new(), spans: 0, config }
    }

    fn add(&mut self, seq: u64, arrived: i64, spans: usize) {
        self.records.push_back((seq, arrived, spans));
        self.spans += spans;
        self.forget(arrived);
    }

    fn forget(&mut self, now: i64) {
        let oldest = now.saturating_sub(self.config.window_nanos);
        while let Some(&(_, arrived, spans)) = self.records.front()
            && (arrived < oldest || self.spans - spans >= self.config.max_spans)
        {
            self.records.pop_front();
            self.spans -= spans;
        }
    }

    /// The first of them, if there is one.
    fn first(&self) -> Option<u64> {
        self.records.front().map(|(seq, ..)| *seq)
    }
}

impl Ingest {
    pub(super) fn new(inner: Arc<Inner>, first_slice: u64, next_seq: u64) -> Result<Ingest, Fault> {
        let connection = inner.duck.writer()?;
        let slice = Arc::new(Slice::new(first_slice, next_seq, &inner.duck)?);
        inner.current.change(|snapshot| snapshot.slices.push(Arc::clone(&slice)));
        let config = ObserverConfig::default();
        let remembered = Remembered::new(config.clone());
        Ok(Ingest { inner, connection, observer: Observer::new(config), remembered, slice, weighed: 0, clock: 0 })
    }

    pub(super) fn run(&mut self) {
        while let Some(group) = self.inner.inbox.take() {
            self.tick();
            self.insert(group);
        }
    }

    fn tick(&mut self) {
        let now = now();
        if now < self.clock.saturating_sub(self.remembered.config.window_nanos) {
            self.begin_observing();
        }
        self.clock = self.clock.max(now);
        self.observer.expire(self.clock, &mut self.slice.rollup.write());
        let slice = &self.slice;
        if slice.opened.elapsed() >= self.inner.config.seal_after && !slice.is_empty() {
            self.begin_slice();
        }
        #[cfg(test)]
        if self.inner.roll.load(Ordering::Acquire) {
            self.begin_slice();
            self.inner.roll.store(false, Ordering::Release);
        }
        self.roll_if_big();
    }

    /// The clock was ahead and was set back. What waits is counted, or it would until the clock is there again.
    fn begin_observing(&mut self) {
        self.observer.expire(i64::MAX, &mut self.slice.rollup.write());
        let config = ObserverConfig::default();
        self.remembered = Remembered::new(config.clone());
        self.observer = Observer::new(config);
        self.clock = 0;
    }

    /// Begins a new slice if this one is full.
    pub(super) fn roll_if_big(&mut self) {
        if self.slice.bytes() >= self.inner.config.seal_bytes() {
            self.begin_slice();
        }
    }

    fn begin_slice(&mut self) {
        self.observer.expire(self.clock, &mut self.slice.rollup.write());
        self.remembered.forget(self.clock);
        let next_seq = {
            let mut progress = self.slice.progress.lock();
            let from_seq = self.remembered.first().unwrap_or(progress.next_seq);
            progress.observed = Observed { from_seq, to_unix_nano: self.clock };
            progress.next_seq
        };
        match Slice::new(self.slice.id + 1, next_seq, &self.inner.duck) {
            Ok(slice) => {
                self.slice = Arc::new(slice);
                self.weighed = 0;
                self.inner.current.change(|snapshot| snapshot.slices.push(Arc::clone(&self.slice)));
                self.inner.sealer.raise();
            }
            Err(fault) => self.inner.warn("slice", format!("no new slice could be begun: {}", chain(&fault))),
        }
    }

    /// Inserts what is durable, in order.
    pub(super) fn insert(&mut self, group: Vec<Durable>) {
        let (mut spans, mut logs, mut points) = (Vec::new(), Vec::new(), Vec::new());
        let mut progress = self.slice.progress.lock().clone();
        let before = progress.counters.clone();
        for durable in group {
            progress.next_seq = durable.seq + 1;
            progress.records += 1;
            match durable.content {
                Content::Counts(counts) => progress.counters.add(&counts),
                Content::Batch { batch, received_unix_nano, body_bytes, memory } => {
                    let (signal, items) = (batch.signal(), batch.len() as u64);
                    progress.counters.stored(signal, items, body_bytes);
                    progress.counters.queryable(signal, items);
                    progress.bytes += size::hot(signal, memory);
                    match *batch {
                        Batch::Traces(batch) => {
                            self.remembered.add(durable.seq, received_unix_nano, batch.len());
                            self.observe(&batch, received_unix_nano);
                            spans.push((durable.seq, batch));
                        }
                        Batch::Logs(batch) => logs.push((durable.seq, batch)),
                        Batch::Metrics(batch) => points.push((durable.seq, batch)),
                    }
                }
            }
        }
        progress.bytes += self.weigh_rollups();
        self.insert_rows(spans, logs, points);
        _ = failpoint::pass("rows inserted");
        for (signal, after) in &progress.counters.0 {
            let items = after.queryable - before.0.get(signal).map_or(0, |before| before.queryable);
            self.inner.count(|counters| counters.queryable(*signal, items));
        }
        self.inner.visible_seq.store(progress.next_seq, Ordering::Release);
        *self.slice.progress.lock() = progress;
    }

    /// Counts rollup rows that have come since: few, unless spans are of many times, as of a past that is told at once.
    fn weigh_rollups(&mut self) -> u64 {
        let rows = self.slice.rollup.read().len();
        let bytes = size::rollups(rows.saturating_sub(self.weighed));
        self.weighed = rows;
        self.inner.hot_bytes.fetch_add(bytes, Ordering::AcqRel);
        bytes
    }

    fn insert_rows(&self, spans: Vec<(u64, SpanBatch)>, logs: Vec<(u64, LogBatch)>, points: Vec<(u64, MetricBatch)>) {
        let results = [
            self.slice.spans.insert(spans, &self.connection),
            self.slice.logs.insert(logs, &self.connection),
            self.slice.points.insert(points, &self.connection),
        ];
        for fault in results.into_iter().filter_map(Result::err) {
            let text = chain(&fault);
            self.inner.warn("hot rows", format!("some rows are safe but not visible until they are sealed: {text}"));
        }
    }

    fn observe(&mut self, batch: &SpanBatch, received_unix_nano: i64) {
        self.clock = self.clock.max(received_unix_nano);
        self.observer.observe(batch, received_unix_nano, &mut self.slice.rollup.write());
    }

    /// Shows the observer spans whose rows are sealed, so that it knows them when their relatives come.
    pub(super) fn remind(&mut self, seq: u64, batch: &SpanBatch, received_unix_nano: i64) {
        self.remembered.add(seq, received_unix_nano, batch.len());
        self.observer.observe(batch, received_unix_nano, &mut RollupRows::default());
    }

    /// Ends the reminding at the moment up to which rows are sealed.
    pub(super) fn reminded(&mut self, observed: Observed) {
        self.clock = self.clock.max(observed.to_unix_nano);
        self.observer.expire(self.clock, &mut RollupRows::default());
    }
}

#[cfg(test)]
impl Inner {
    /// Has the growing slice sealed.
    pub(super) fn begin_slice_soon(&self) {
        self.roll.store(true, Ordering::Release);
        self.inbox.put(Vec::new());
        super::tests::wait("a new slice", || !self.roll.load(Ordering::Acquire));
    }

    /// Puts a new slice behind the growing one, when the threads have stopped.
    pub(super) fn add_slice_for_test(&self) {
        let last = self.current.get().slices.last().cloned().expect("there is one");
        let next_seq = last.progress.lock().next_seq;
        let slice = Arc::new(Slice::new(last.id + 1, next_seq, &self.duck).expect("memory"));
        self.current.change(|snapshot| snapshot.slices.push(slice));
    }
}
