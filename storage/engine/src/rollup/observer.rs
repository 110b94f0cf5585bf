//! Watches spans in arrival order and emits rollup rows.
//!
//! Rules for edges (`A → B`, one row per bucket of time):
//!
//! - A span whose parent is in another service is a call between the two, whatever their kinds. A client span stands
//!   for the server spans below it (through internal spans too, if it is the only candidate); several are attempts.
//! - Network time is client minus server duration of such a pair. No timestamp is ever changed.
//! - A client span with nothing below it called what its attributes name. Databases, queues, models and functions are
//!   edges at once; a host only after a short wait, taken back should its server span arrive later.
//! - A client span around other client spans of its service counts once: by itself if it names a database, queue,
//!   model or function, else by the inner ones.
//! - Messages go service → queue → service, one edge per consumer group; `create`, `settle` and empty receives move
//!   nothing. Lag is consumer start − producer end over span links (else the parent), across traces, for an hour.
//! - A server span without parent was called by the user; with a parent that does not arrive in time, by an unknown
//!   caller, taken back should it arrive later. Consumers and internal spans have no such caller.
//! - Calls of a service to itself are edges in the rows, and left out of answers.
//! - A failed client span is the caller's error; a failed server span the callee's. A callee that sends nothing is
//!   blamed for what its caller saw, except for HTTP 4xx and gRPC codes that are the caller's own fault.
//! - Every count is multiplied by the sampling weight (`ot=th:`).

mod graph;
mod links;
mod matching;
mod names;

#[cfg(test)]
pub(crate) mod tests;

use super::errors;
use super::facts::{self, Fields, Role, Spellings};
use super::rows::{ErrorKey, InstanceKey, OperationKey, Part, RollupRows, bucket_start};
use graph::{Facts, Graph, Slot, SpanKey};
use links::{Links, Waiting};
use names::{BatchNames, Names};
use orrery_model::{SpanBatch, SpanKind, StatusCode};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Bounds and waits of an [`Observer`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObserverConfig {
    /// How long after its arrival a client span may wait for its server span, and a server span for its parent,
    /// before the other end counts as silent. Nanoseconds; the rows are corrected if it arrives later. SDKs send
    /// every five seconds by default: with less than that, a live map would show strangers that vanish again.
    pub wait_nanos: i64,
    /// How long spans are remembered to be matched. Nanoseconds.
    pub window_nanos: i64,
    /// Most spans remembered; about 300 bytes each.
    pub max_spans: usize,
    /// How long sent messages, and consumers whose message was not yet seen sent, are remembered. Nanoseconds.
    pub link_window_nanos: i64,
    /// Most sent messages remembered, and as many waiting consumers; about 100 bytes each.
    pub max_links: usize,
    /// Distinct span names per service before further ones become `(other)`. Starts over every hour.
    pub max_operations_per_service: usize,
    /// Distinct called hosts, queues and databases per service before further ones become `(other)`. Starts over
    /// every hour.
    pub max_targets_per_service: usize,
}

impl Default for ObserverConfig {
    fn default() -> Self {
        ObserverConfig {
            wait_nanos: 10_000_000_000,
            window_nanos: 150_000_000_000,
            max_spans: 250_000,
            link_window_nanos: 3_600_000_000_000,
            max_links: 100_000,
            max_operations_per_service: 500,
            max_targets_per_service: 500,
        }
    }
}

/// What an observer did, since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObserverCounters {
    /// Spans seen.
    pub spans: u64,
    /// Of them seen before (by trace and span id) and not counted again.
    pub duplicates: u64,
    /// Spans forgotten before their window ended, because `max_spans` was reached.
    pub evicted_spans: u64,
    /// Sent messages and waiting consumers forgotten because `max_links` was reached.
    pub evicted_links: u64,
    /// Edges taken back because a span arrived late.
    pub corrections: u64,
    /// Spans whose name, or called host, became `(other)`.
    pub folded_names: u64,
}

/// Turns spans into rollup rows. Pure: no clock, no I/O. The module's documentation has the rules.
///
/// The sum of all rows emitted depends on the spans that arrived, not on their order, as long as spans that belong
/// together arrive within `window_nanos` and the bounds are not reached.
#[derive(Debug, Default)]
pub struct Observer {
    config: ObserverConfig,
    counters: ObserverCounters,
    spellings: Spellings,
    names: Names,
    graph: Graph,
    links: Links,
    /// Spans that wait for their other end: when the wait is over, and the tenant the slot must still have.
    due: VecDeque<(i64, Slot, u64)>,
    now: i64,
    /// When the batch arrived that is being taken in.
    arrived: i64,
    touched: Vec<Slot>,
}

impl Observer {
    /// A new observer that remembers nothing.
    pub fn new(config: ObserverConfig) -> Observer {
        Observer { config, ..Observer::default() }
    }

    /// Takes in a batch that arrived at `arrived_unix_nano` and adds rows to `out`. Also does what
    /// [`Observer::expire`] does. An `arrived_unix_nano` before an earlier one counts as that. What is waited for, and
    /// how long, follows from the arrivals alone: an observer that sees them again is in the same state.
    pub fn observe(&mut self, batch: &SpanBatch, arrived_unix_nano: i64, out: &mut RollupRows) {
        self.arrived = self.arrived.max(arrived_unix_nano);
        self.expire(self.arrived, out);
        let mut names = BatchNames::new(&batch.context, &mut self.names, out);
        let spellings = std::mem::take(&mut self.spellings);
        let mut fields = Fields::new(&batch.context.strings, &spellings);
        for span in 0..batch.len() {
            fields.fill(batch.attributes.row(span));
            self.observe_span(batch, span, &fields, &mut names, out);
        }
        self.spellings = spellings;
    }

    /// Adds the rows that were waiting for a span that did not come in time, and forgets what is out of the window.
    /// Call it every second or so.
    pub fn expire(&mut self, now_unix_nano: i64, out: &mut RollupRows) {
        self.now = self.now.max(now_unix_nano);
        while let Some(&(_, slot, serial)) = self.due.front().filter(|(due, ..)| *due <= self.now) {
            self.due.pop_front();
            if self.graph.entry_mut(slot).serial == serial {
                self.ripen(slot, out);
            }
        }
        let oldest = self.now.saturating_sub(self.config.window_nanos);
        while self.graph.oldest().is_some_and(|arrived| arrived < oldest) {
            self.forget_oldest(out);
        }
        let oldest = self.now.saturating_sub(self.config.link_window_nanos);
        self.counters.evicted_links += self.links.trim(oldest, self.config.max_links);
        self.counters.folded_names += self.names.take_folded();
        if self.names.is_due(self.now) {
            self.rename();
        }
    }

    /// What happened so far.
    pub fn counters(&self) -> ObserverCounters {
        self.counters
    }

    /// About how many bytes of memory are held.
    pub fn bytes(&self) -> usize {
        self.graph.bytes() + self.links.bytes() + self.names.bytes() + self.due.capacity() * 24
    }

    fn observe_span(
        &mut self,
        batch: &SpanBatch,
        span: usize,
        fields: &Fields,
        names: &mut BatchNames,
        out: &mut RollupRows,
    ) {
        self.counters.spans += 1;
        let key = SpanKey { trace: batch.trace_id[span], span: batch.span_id[span] };
        let facts = self.facts(batch, span, fields, names);
        let Some(slot) = self.graph.add(key, batch.parent_span_id[span], facts, self.arrived) else {
            self.counters.duplicates += 1;
            return;
        };
        record_red(batch, span, &facts, &mut self.names, &self.config, names, out);
        if facts.failed {
            record_error(batch, span, fields, &mut self.names, &self.config, names, out);
        }
        self.connect(slot, key, &facts, out);
        if facts.role == Role::Consume {
            self.follow_links(batch, span, slot, facts, out);
        }
        if self.graph.len() > self.config.max_spans {
            self.counters.evicted_spans += 1;
            self.forget_oldest(out);
        }
    }

    fn facts(&mut self, batch: &SpanBatch, span: usize, fields: &Fields, names: &mut BatchNames) -> Facts {
        let kind = SpanKind::from_number(batch.kind[span]);
        let role = facts::role(kind, fields);
        let outcome = facts::outcome(kind, StatusCode::from_number(batch.status_code[span]), fields);
        let links = batch.link_range(span).len();
        let resource = batch.resource[span];
        let moves_messages = matches!(role, Role::Publish | Role::Consume);
        let group = match role {
            Role::Consume => fields.text(facts::Field::ConsumerGroup),
            _ => None,
        };
        Facts {
            service: names.resource(resource).service,
            role,
            failed: outcome.failed,
            client_error: outcome.client_error,
            parent_is_local: batch.flags[span] & 0x300 == 0x100,
            start: batch.start_time_unix_nano[span],
            duration: batch.duration_nanos[span].max(0),
            weight: names.weight(batch.trace_state[span]),
            target: names.target(resource, role, fields, &mut self.names, self.config.max_targets_per_service),
            messages: if moves_messages { facts::messages(fields, links) } else { 1 },
            has_links: links > 0,
            group: group.map(|group| self.names.pool.intern(&group)).unwrap_or_default(),
        }
    }

    /// Finds the span's place among its relatives and emits what that changes.
    fn connect(&mut self, slot: Slot, key: SpanKey, facts: &Facts, out: &mut RollupRows) {
        let was_awaited = self.graph.has_children(slot);
        let mut touched = std::mem::take(&mut self.touched);
        self.graph.settle(slot, &mut touched);
        for slot in touched.drain(..) {
            self.refresh(slot, out);
        }
        self.touched = touched;
        if facts.role.is_source() {
            self.links.sent(key, facts, self.arrived, &self.names.pool, out);
        } else if was_awaited {
            self.links.was_no_message(&key);
        }
        if self.must_wait(slot, facts) {
            let serial = self.graph.entry_mut(slot).serial;
            self.due.push_back((self.arrived.saturating_add(self.config.wait_nanos), slot, serial));
        }
    }

    /// Whether the span's edges depend on a span that may not come.
    fn must_wait(&mut self, slot: Slot, facts: &Facts) -> bool {
        match facts.role {
            Role::Call => facts.target.is_some_and(|target| !super::identity::is_certain(target.kind)),
            Role::Entry => self.graph.entry_mut(slot).has_parent && self.graph.parent(slot).is_none(),
            _ => false,
        }
    }

    fn follow_links(&mut self, batch: &SpanBatch, span: usize, slot: Slot, consumer: Facts, out: &mut RollupRows) {
        let trace = batch.trace_id[span];
        let waiting = Waiting { consumer, needs_edge: consumer.target.is_none() && consumer.has_links };
        let links: &mut Links = &mut self.links;
        for link in batch.link_range(span) {
            let key = SpanKey { trace: batch.links.trace_id[link], span: batch.links.span_id[link] };
            links.consumed(key, waiting, self.arrived, &self.names.pool, out);
        }
        let parent = batch.parent_span_id[span];
        let sender_may_come = self.graph.parent(slot).is_none_or(|parent| parent.facts.role.is_source());
        if !consumer.has_links && !parent.is_none() && sender_may_come {
            links.consumed(SpanKey { trace, span: parent }, waiting, self.arrived, &self.names.pool, out);
        }
    }

    fn ripen(&mut self, slot: Slot, out: &mut RollupRows) {
        self.graph.entry_mut(slot).is_ripe = true;
        self.refresh(slot, out);
    }

    /// Emits the difference between what a span stands for now and what was emitted for it.
    fn refresh(&mut self, slot: Slot, out: &mut RollupRows) {
        let pool = &self.names.pool;
        let entry = self.graph.entry_mut(slot);
        let (is_inflow_final, is_outflow_final) = (entry.is_inflow_final, entry.is_outflow_final);
        if !is_inflow_final {
            let now = matching::inflow(&self.graph, slot);
            let was = &mut self.graph.entry_mut(slot).inflow;
            if was.as_deref() != now.as_ref() {
                self.counters.corrections += u64::from(was.is_some());
                was.iter().for_each(|flow| matching::emit(flow, -1.0, pool, out));
                now.iter().for_each(|flow| matching::emit(flow, 1.0, pool, out));
                *was = now.map(Box::new);
            }
        }
        if !is_outflow_final {
            let now = matching::outflow(&self.graph, slot);
            let was = &mut self.graph.entry_mut(slot).outflow;
            if *was != now {
                self.counters.corrections += was.len() as u64;
                was.iter().for_each(|flow| matching::emit(flow, -1.0, pool, out));
                now.iter().for_each(|flow| matching::emit(flow, 1.0, pool, out));
                *was = now;
            }
        }
    }

    fn forget_oldest(&mut self, out: &mut RollupRows) {
        let Some(slot) = self.graph.oldest_slot() else { return };
        for wrapped in self.graph.wrapped(slot) {
            self.ripen(wrapped, out);
        }
        self.ripen(slot, out);
        self.graph.forget_oldest();
    }

    /// Drops names that nothing refers to any more.
    fn rename(&mut self) {
        let mut renaming = self.names.start_over(self.now);
        let mut rename = |sym| renaming.rename(sym);
        for entry in self.graph.entries_mut() {
            entry.facts.iter_mut().for_each(|facts| facts.rename(&mut rename));
            entry.inflow.iter_mut().for_each(|flow| flow.rename(&mut rename));
            entry.outflow.iter_mut().for_each(|flow| flow.rename(&mut rename));
        }
        self.links.rename(&mut rename);
        self.names.pool = renaming.finish();
    }
}

fn record_red(
    batch: &SpanBatch,
    span: usize,
    facts: &Facts,
    names: &mut Names,
    config: &ObserverConfig,
    batch_names: &mut BatchNames,
    out: &mut RollupRows,
) {
    let resource = batch.resource[span];
    let time = bucket_start(facts.start);
    let kind = SpanKind::from_number(batch.kind[span]);
    let root = batch.parent_span_id[span].is_none();
    let operation = batch_names.operation(resource, batch.name[span], names, config.max_operations_per_service, out);
    let own = *batch_names.resource(resource);
    let key = OperationKey { time, service: own.service_row, operation, kind: kind as u8, root };
    if let Some(cells) = out.operation(key) {
        cells.record(facts.duration, facts.failed, facts.weight);
    }
    let part = match kind {
        SpanKind::Server | SpanKind::Consumer => Part::Entry,
        SpanKind::Client | SpanKind::Producer if root => Part::Begin,
        SpanKind::Internal | SpanKind::Unspecified if root && own.is_browser => Part::Begin,
        SpanKind::Internal | SpanKind::Unspecified if root => Part::Job,
        _ => Part::Inner,
    };
    let key =
        InstanceKey { time, service: own.service_row, version: own.version_row, instance: own.instance_row, part };
    if let Some(row) = out.instance(key) {
        row.first_unix_nano = row.first_unix_nano.min(facts.start);
        row.last_unix_nano = row.last_unix_nano.max(facts.start.saturating_add(facts.duration));
        if part != Part::Inner {
            row.cells.record(facts.duration, facts.failed, facts.weight);
        }
    }
}

fn record_error(
    batch: &SpanBatch,
    span: usize,
    fields: &Fields,
    names: &mut Names,
    config: &ObserverConfig,
    batch_names: &mut BatchNames,
    out: &mut RollupRows,
) {
    let resource = batch.resource[span];
    let (error_type, message) = errors::group(batch, span, fields);
    let last = batch.start_time_unix_nano[span].saturating_add(batch.duration_nanos[span]);
    let key = ErrorKey {
        time: bucket_start(batch.start_time_unix_nano[span]),
        service: batch_names.resource(resource).service_row,
        error_type: out.names.intern(&error_type),
        message: out.names.intern(&message),
        operation: batch_names.operation(resource, batch.name[span], names, config.max_operations_per_service, out),
    };
    let trace_id = u128::from_be_bytes(batch.trace_id[span].0);
    if let Some(row) = out.error(key) {
        use super::rows::{Additive, ErrorRow};
        row.merge(&ErrorRow { count: 1, last_unix_nano: last, trace_id, span_id: batch.span_id[span].0 });
    }
}
