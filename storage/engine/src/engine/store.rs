//! The contract, put together from its parts.

use super::{Engine, Inner, size};
use crate::config::Config;
use crate::error::Fault;
use crate::query;
use crate::wal::{Content, Durable};
use orrery_model::{Batch, Body, Signal, TraceId};
use orrery_query::answer::{self, Answer};
use orrery_query::retention::{RetentionPlan, Rule};
use orrery_query::store::{Appended, Control};
use orrery_query::traceql::Metrics;
use orrery_query::{AppendError, QueryError, Store, StoreHealth, plan};
use std::sync::atomic::Ordering;
use std::time::Duration;

impl Inner {
    /// Takes what the log has made durable.
    pub(super) fn durable(&self, group: Vec<Durable>) {
        group.iter().for_each(|durable| self.count_durable(durable));
        self.inbox.put(group);
    }

    pub(super) fn count_durable(&self, durable: &Durable) {
        if let Content::Batch { batch, body_bytes, memory, .. } = &durable.content {
            self.count(|counters| counters.stored(batch.signal(), batch.len() as u64, *body_bytes));
            self.hot_bytes.fetch_add(size::hot(batch.signal(), *memory), Ordering::AcqRel);
        }
    }

    fn refusal(&self) -> Option<AppendError> {
        let refused =
            |reason, seconds| Some(AppendError::Refused { reason, retry_after: Duration::from_secs(seconds) });
        if self.stopping.load(Ordering::Acquire) {
            return refused("stopping", 5);
        }
        if self.disk_low.load(Ordering::Acquire) {
            return refused("disk_reserve", 30);
        }
        if self.hot_bytes.load(Ordering::Acquire) >= self.config.hot_bytes {
            self.sealer.raise();
            return refused("memory", 2);
        }
        None
    }
}

impl Store for Engine {
    fn append(&self, body: Body, batch: Batch, done: Appended) {
        match self.inner.refusal() {
            Some(error) => done(Err(error)),
            None => {
                let memory = size::of(&batch);
                self.wal.append(body, batch, memory, done);
            }
        }
    }

    fn refuses(&self) -> Option<AppendError> {
        self.inner.refusal()
    }

    fn count_rejected(&self, signal: Signal, reason: &str, items: u64) {
        self.inner.count(|counters| counters.rejected(signal, reason, items));
        self.wal.count(|counters| counters.rejected(signal, reason, items));
    }

    fn count_refused(&self, signal: Signal, reason: &str, items: u64) {
        self.inner.count(|counters| counters.refused(signal, reason, items));
        self.wal.count(|counters| counters.refused(signal, reason, items));
    }

    fn count_trimmed(&self, signal: Signal, reason: &str, parts: u64) {
        self.inner.count(|counters| counters.trimmed(signal, reason, parts));
        self.wal.count(|counters| counters.trimmed(signal, reason, parts));
    }

    fn services(
        &self,
        plan: &plan::Services,
        control: &Control,
    ) -> Result<Answer<Vec<answer::ServiceSummary>>, QueryError> {
        query::rollups::with_live(&self.inner, control, |rollups, live| rollups.services(plan, live, control))
    }

    fn service(
        &self,
        plan: &plan::Service,
        control: &Control,
    ) -> Result<Answer<Option<answer::ServiceDetail>>, QueryError> {
        query::rollups::with_live(&self.inner, control, |rollups, live| rollups.service(plan, live, control))
    }

    fn standing(
        &self,
        plan: &plan::Standing,
        control: &Control,
    ) -> Result<Answer<Option<answer::Standing>>, QueryError> {
        query::rollups::with_live(&self.inner, control, |rollups, live| rollups.standing(plan, live, control))
    }

    fn topology(&self, plan: &plan::Topology, control: &Control) -> Result<Answer<answer::Topology>, QueryError> {
        query::rollups::with_live(&self.inner, control, |rollups, live| rollups.topology(plan, live, control))
    }

    fn findings(&self, plan: &plan::Findings, control: &Control) -> Result<Answer<Vec<answer::Finding>>, QueryError> {
        let requests =
            query::rollups::with_live(&self.inner, control, |rollups, live| rollups.findings(plan, live, control))?;
        query::hosts::trouble::after(requests, &self.inner, plan, control)
    }

    fn cells(&self, plan: &plan::Cells, control: &Control) -> Result<Answer<answer::CellTable>, QueryError> {
        query::rollups::with_live(&self.inner, control, |rollups, live| rollups.cells(plan, live, control))
    }

    fn traces(&self, plan: &plan::Traces, control: &Control) -> Result<Answer<answer::TracePage>, QueryError> {
        query::traceql::search(&self.inner, plan, control)
    }

    fn trace_series(&self, plan: &plan::TraceSeries, control: &Control) -> Result<Answer<Metrics>, QueryError> {
        query::traceql::series(&self.inner, plan, control)
    }

    fn trace_flame(
        &self,
        plan: &plan::TraceFlame,
        control: &Control,
    ) -> Result<Answer<answer::TraceFlame>, QueryError> {
        query::traceql::flame(&self.inner, plan, control)
    }

    fn trace_keys(
        &self,
        plan: &plan::TraceKeys,
        control: &Control,
    ) -> Result<Answer<Vec<answer::TraceKey>>, QueryError> {
        query::traceql::keys(&self.inner, plan, control)
    }

    fn trace_values(
        &self,
        plan: &plan::TraceValues,
        control: &Control,
    ) -> Result<Answer<Vec<answer::TraceValue>>, QueryError> {
        query::traceql::values(&self.inner, plan, control)
    }

    fn trace(&self, plan: &plan::Trace, control: &Control) -> Result<Answer<answer::Trace>, QueryError> {
        query::trace::run(&self.inner, plan, control)
    }

    fn trace_columns(
        &self,
        plan: &plan::TraceColumns,
        control: &Control,
    ) -> Result<Answer<answer::TraceColumns>, QueryError> {
        query::trace::columns::run(&self.inner, plan, control)
    }

    fn span(&self, plan: &plan::Span, control: &Control) -> Result<Answer<Option<answer::SpanRow>>, QueryError> {
        query::trace::span(&self.inner, plan, control)
    }

    fn pin(&self, plan: &plan::Pin, control: &Control) -> Result<Answer<Option<answer::PinnedTrace>>, QueryError> {
        self.inner.pin(plan, control)
    }

    fn unpin(&self, trace: TraceId) -> Result<bool, QueryError> {
        self.inner.unpin(trace).map_err(|fault| QueryError::Engine { name: "unpin", source: Box::new(fault) })
    }

    fn pins(&self) -> (Vec<answer::PinnedTrace>, usize) {
        (self.inner.pins(), super::pins::MOST)
    }

    fn logs(&self, plan: &plan::Logs, control: &Control) -> Result<Answer<answer::LogPage>, QueryError> {
        query::logs::page(&self.inner, plan, control)
    }

    fn log_histogram(
        &self,
        plan: &plan::LogHistogram,
        control: &Control,
    ) -> Result<Answer<answer::LogHistogram>, QueryError> {
        query::logs::histogram(&self.inner, plan, control)
    }

    fn log_counts(
        &self,
        plan: &plan::LogCounts,
        control: &Control,
    ) -> Result<Answer<Vec<answer::LogCount>>, QueryError> {
        query::logs::counts(&self.inner, plan, control)
    }

    fn metric_names(
        &self,
        plan: &plan::MetricNames,
        control: &Control,
    ) -> Result<Answer<Vec<answer::MetricName>>, QueryError> {
        query::metrics::names(&self.inner, plan, control)
    }

    fn metric(&self, plan: &plan::Metric, control: &Control) -> Result<Answer<Vec<answer::MetricSeries>>, QueryError> {
        query::metrics::series(&self.inner, plan, control)
    }

    fn values(&self, plan: &plan::Values, control: &Control) -> Result<Answer<Vec<answer::ValueCount>>, QueryError> {
        query::values::run(&self.inner, plan, control)
    }

    fn hosts(&self, plan: &plan::Hosts, control: &Control) -> Result<Answer<Vec<answer::Host>>, QueryError> {
        query::hosts::run(&self.inner, plan, control)
    }

    fn export(
        &self,
        plan: &plan::Export,
        control: &Control,
        out: &mut (dyn std::io::Write + Send),
    ) -> Result<Answer<u64>, QueryError> {
        query::export::run(&self.inner, plan, control, out)
    }

    fn isolate(&self, plan: &plan::Statement, control: &Control) -> Result<Answer<answer::Isolated>, QueryError> {
        query::isolate::run(&self.inner, plan, control)
    }

    fn tables(&self, plan: &plan::Tables, control: &Control) -> Result<Answer<Vec<answer::TableInfo>>, QueryError> {
        query::tables::run(&self.inner, plan, control)
    }

    fn retention(&self, rules: Option<Vec<Rule>>, control: &Control) -> Result<RetentionPlan, QueryError> {
        let Inner { config, duck, current, .. } = &*self.inner;
        let config = Config { rules: rules.unwrap_or_else(|| config.rules.clone()), ..config.clone() };
        let stopped = || control.check().map_err(|stopped| Fault::Other(stopped.to_string()));
        super::retention::plan(&config, &current.get().segments, duck, super::now(), stopped).map_err(|fault| {
            control.check().err().unwrap_or_else(|| QueryError::Engine { name: "retention", source: Box::new(fault) })
        })
    }

    fn health(&self) -> StoreHealth {
        let (queue_bytes, queue_limit_bytes) = self.wal.queue_bytes();
        let (disk_free_bytes, disk_total_bytes) = *self.inner.disk.lock();
        let snapshot = self.inner.current.get();
        let sealed = |bytes: fn(&crate::manifest::SegmentEntry) -> u64| -> u64 {
            snapshot.segments.iter().chain(snapshot.pins.values()).map(|segment| bytes(&segment.entry)).sum()
        };
        let rollups = std::fs::metadata(self.inner.dir.rollups()).map_or(0, |meta| meta.len());
        let hot_first = |times: Option<(i64, i64)>| times.map(|(first, _)| first);
        let hot = snapshot.slices.iter().flat_map(|slice| {
            [hot_first(slice.spans.times()), hot_first(slice.logs.times()), hot_first(slice.points.times())]
        });
        let oldest = snapshot.segments.iter().map(|segment| Some(segment.entry.first_unix_nano)).chain(hot);
        let mut signals = self.inner.counters.lock().0.clone();
        Signal::ALL.into_iter().for_each(|signal| _ = signals.entry(signal).or_default());
        let mut warnings: Vec<String> = self.inner.warnings.lock().values().cloned().collect();
        warnings.extend(self.wal.failure().map(|text| format!("the write-ahead log fails: {text}")));
        let wal_unread_bytes = self.inner.unread();
        if wal_unread_bytes > 0 {
            warnings.push(format!(
                "The log of the last run is still being read, {} MiB are left: what is in it is not in answers yet, and \
                 alerts wait for it. Telemetry is taken meanwhile.",
                wal_unread_bytes.div_ceil(1 << 20)
            ));
        }
        StoreHealth {
            signals,
            queue_bytes,
            queue_limit_bytes,
            wal_bytes: self.wal.disk_bytes(),
            wal_unread_bytes,
            hot_bytes: self.inner.hot_bytes.load(Ordering::Acquire),
            sealed_bytes: sealed(|entry| entry.bytes + entry.index_bytes) + rollups,
            segments: snapshot.segments.len() as u64,
            index_memory_bytes: self.inner.segments.memory.bytes(),
            index_memory_limit_bytes: self.inner.segments.memory.limit(),
            index_reads: self.inner.segments.memory.reads(),
            disk_free_bytes,
            disk_total_bytes,
            disk_reserve_bytes: self.inner.config.disk_reserve_bytes,
            disk_low: self.inner.disk_low.load(Ordering::Acquire),
            oldest_unix_nano: oldest.flatten().min(),
            warnings,
        }
    }

    fn close(&self) {
        self.inner.stopping.store(true, Ordering::Release);
        // The log first: what it still acknowledges reaches the inbox.
        self.wal.close();
        self.inner.inbox.close();
        self.inner.sealer.raise();
        self.inner.scrubber.raise();
        for thread in self.threads.lock().drain(..) {
            if thread.join().is_err() {
                tracing::error!("a storage thread panicked");
            }
        }
        let rebuilder = self.inner.rebuilder.lock().take();
        if rebuilder.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that makes rollups again panicked");
        }
        self.inner.bury(Duration::ZERO);
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}
