//! Messages between sent and consumed: matched by span link or parent across traces, for hours, in bounded space.

use super::graph::{Facts, SpanKey, Target};
use super::matching::{Flow, consume_flow, service, with_row};
use crate::rollup::rows::RollupRows;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use orrery_model::{Strings, Sym};
use std::collections::VecDeque;

/// A message that was sent.
#[derive(Clone, Copy, Debug)]
struct Sent {
    end: i64,
    service: Sym,
    target: Option<Target>,
}

/// A consumer span that said where its message came from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) consumer: Facts,
    /// The consumer names no queue: the edge itself hangs on its links.
    pub(super) needs_edge: bool,
}

/// Sent messages and waiting consumers.
#[derive(Debug, Default)]
pub(super) struct Links {
    sent: Bounded<Sent>,
    waiting: Bounded<Vec<Waiting>>,
}

/// A map that forgets its oldest keys.
#[derive(Debug)]
struct Bounded<V> {
    map: HashMap<SpanKey, V, FixedState>,
    order: VecDeque<(i64, SpanKey)>,
}

impl<V> Default for Bounded<V> {
    fn default() -> Self {
        Bounded { map: HashMap::default(), order: VecDeque::new() }
    }
}

impl<V> Bounded<V> {
    /// Drops keys added before `oldest`, then the oldest until `most` are left. Returns how many of the latter.
    fn trim(&mut self, oldest: i64, most: usize) -> u64 {
        while self.order.front().is_some_and(|(added, _)| *added < oldest) {
            self.drop_first();
        }
        let mut evicted = 0;
        while self.order.len() > most {
            evicted += u64::from(self.drop_first());
        }
        evicted
    }

    fn drop_first(&mut self) -> bool {
        self.order.pop_front().is_some_and(|(_, key)| self.map.remove(&key).is_some())
    }
}

impl Links {
    /// A message was sent by the span `key`. Whoever waited for it is told.
    pub(super) fn sent(&mut self, key: SpanKey, span: &Facts, now: i64, names: &Strings, out: &mut RollupRows) {
        let end = span.start.saturating_add(span.duration);
        let sent = Sent { end, service: span.service, target: span.target };
        if self.sent.map.insert(key, sent).is_none() {
            self.sent.order.push_back((now, key));
        }
        for waiting in self.waiting.map.remove(&key).into_iter().flatten() {
            received(&sent, &waiting, names, out);
        }
    }

    /// A consumer span names `key` as the span its message came from.
    pub(super) fn consumed(&mut self, key: SpanKey, waiting: Waiting, now: i64, names: &Strings, out: &mut RollupRows) {
        if let Some(sent) = self.sent.map.get(&key) {
            return received(sent, &waiting, names, out);
        }
        let order = &mut self.waiting.order;
        let all = self.waiting.map.entry(key).or_insert_with(|| {
            order.push_back((now, key));
            Vec::new()
        });
        if all.len() < MAX_WAITING_PER_MESSAGE {
            all.push(waiting);
        }
    }

    /// The span `key` arrived and sent no message: nobody need wait for it.
    pub(super) fn was_no_message(&mut self, key: &SpanKey) {
        self.waiting.map.remove(key);
    }

    /// Forgets what is too old or too much. Returns how many were too much.
    pub(super) fn trim(&mut self, oldest: i64, most: usize) -> u64 {
        self.sent.trim(oldest, most) + self.waiting.trim(oldest, most)
    }

    /// About how many bytes are held.
    pub(super) fn bytes(&self) -> usize {
        let sent = self.sent.map.capacity() * size_of::<(SpanKey, Sent)>();
        let waiting = self.waiting.map.len() * size_of::<(SpanKey, Waiting, Vec<Waiting>)>();
        sent + waiting + (self.sent.order.capacity() + self.waiting.order.capacity()) * size_of::<(i64, SpanKey)>()
    }

    /// Replaces every symbol.
    pub(super) fn rename(&mut self, mut rename: impl FnMut(Sym) -> Sym) {
        for sent in self.sent.map.values_mut() {
            sent.service = rename(sent.service);
            sent.target.iter_mut().for_each(|target| target.id = rename(target.id));
        }
        for waiting in self.waiting.map.values_mut().flatten() {
            waiting.consumer.rename(&mut rename);
        }
    }
}

/// More consumers than this of one message, while its sending span is unknown, are not waited for.
const MAX_WAITING_PER_MESSAGE: usize = 64;

fn received(sent: &Sent, waiting: &Waiting, names: &Strings, out: &mut RollupRows) {
    let consumer = &waiting.consumer;
    let caller = consumer.target.or(sent.target).unwrap_or(service(sent.service));
    let mut flow = consume_flow(caller, consumer);
    flow.call.count = consumer.weight;
    if waiting.needs_edge {
        super::matching::emit(&flow, 1.0, names, out);
    }
    record_lag(&flow, consumer.start.saturating_sub(sent.end), names, out);
}

fn record_lag(flow: &Flow, nanos: i64, names: &Strings, out: &mut RollupRows) {
    let count = flow.call.count;
    with_row(flow, names, out, |row| match nanos {
        0.. => row.lag.record(nanos, false, count),
        _ => row.lag_negative += count,
    });
}
