//! The rules for edges, as pure functions of what is known of a span and its surroundings.
//!
//! [`inflow`] and [`outflow`] say which edges a span stands for now. When a neighbour arrives they are asked again;
//! the difference to what was emitted becomes rows. So the sum of all rows depends on what arrived, not in which order.

use super::graph::{Entry, Facts, Graph, Seen, Slot, Target, is_remote};
use crate::rollup::facts::Role;
use crate::rollup::identity::is_certain;
use crate::rollup::rows::{EdgeKey, EdgeRow, NodeRef, RollupRows, bucket_start};
use orrery_model::{Strings, Sym};
use orrery_query::answer::{EdgeKind, NodeKind};

/// Ids of the callers that send nothing.
pub(super) const USER: &str = "user:";
pub(super) const UNKNOWN_CALLER: &str = "unknown_caller:";

/// One end of an edge, in the observer's names. `User` and `UnknownCaller` have an empty symbol.
pub(super) type End = Target;

/// An edge and what it carries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Flow {
    pub(super) caller: End,
    pub(super) callee: End,
    pub(super) kind: EdgeKind,
    pub(super) group: Sym,
    pub(super) call: Call,
}

/// What one or several equal calls add to their edge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Call {
    /// Bucket of time by the start of whoever stands for the call.
    pub(super) time: i64,
    /// How many calls or messages, by sampling weight.
    pub(super) count: f64,
    /// As the caller saw it: duration and failure.
    pub(super) caller: (i64, bool),
    /// As the callee saw it, where it sent a span.
    pub(super) callee: Option<(i64, bool)>,
    /// Client minus server duration.
    pub(super) network: Option<i64>,
    /// Whether a failure is the fault of a callee that sends nothing.
    pub(super) is_blamed: bool,
}

impl Call {
    /// Beyond this many spans caused by one call span (a stream, say), each counts as a call seen by its callee alone.
    pub(super) const MAX_ATTEMPTS: usize = 16;

    fn seen_by_callee(span: &Facts, count: f64) -> Call {
        let seen = (span.duration, span.failed);
        Call {
            time: bucket_start(span.start),
            count,
            caller: seen,
            callee: Some(seen),
            network: None,
            is_blamed: false,
        }
    }

    fn seen_by_caller(span: &Facts, count: f64) -> Call {
        let is_blamed = span.failed && !span.client_error;
        let caller = (span.duration, span.failed);
        Call { time: bucket_start(span.start), count, caller, callee: None, network: None, is_blamed }
    }
}

impl Flow {
    /// Replaces every symbol.
    pub(super) fn rename(&mut self, rename: &mut impl FnMut(Sym) -> Sym) {
        self.caller.id = rename(self.caller.id);
        self.callee.id = rename(self.callee.id);
        self.group = rename(self.group);
    }
}

/// Adds a flow to the rows, or takes it back (`sign` −1).
pub(super) fn emit(flow: &Flow, sign: f64, names: &Strings, out: &mut RollupRows) {
    let call = &flow.call;
    let count = sign * call.count;
    with_row(flow, names, out, |row| {
        row.caller.record(call.caller.0, call.caller.1, count);
        if let Some((nanos, failed)) = call.callee {
            row.callee.record(nanos, failed, count);
        }
        match call.network {
            Some(nanos @ 0..) => row.network.record(nanos, false, count),
            Some(_) => row.network_negative += count,
            None => {}
        }
        row.blamed += if call.is_blamed { count } else { 0.0 };
    });
}

/// Does something with the row of a flow's edge.
pub(super) fn with_row(flow: &Flow, names: &Strings, out: &mut RollupRows, act: impl FnOnce(&mut EdgeRow)) {
    let mut end = |end: End| {
        let id = match end.kind {
            NodeKind::User => USER,
            NodeKind::UnknownCaller => UNKNOWN_CALLER,
            _ => names.get(end.id),
        };
        NodeRef { kind: end.kind, id: out.names.intern(id) }
    };
    let (caller, callee) = (end(flow.caller), end(flow.callee));
    let group = out.names.intern(names.get(flow.group));
    let key = EdgeKey { time: flow.call.time, caller, callee, kind: flow.kind, group };
    if let Some(row) = out.edge(key) {
        act(row);
    }
}

/// A service as an end of an edge.
pub(super) fn service(id: Sym) -> End {
    End { kind: NodeKind::Service, id }
}

/// The edge into a span: from whoever caused it, unless a call span there stands for it.
pub(super) fn inflow(graph: &Graph, slot: Slot) -> Option<Flow> {
    let span = graph.seen(slot)?;
    if span.facts.role == Role::Consume {
        return consumption(graph, span);
    }
    let caller = match graph.parent(slot) {
        Some(parent) => {
            if !is_remote(parent.facts, span.facts) || is_covered(graph, span, parent) {
                return None;
            }
            service(parent.facts.service)
        }
        None if span.facts.role != Role::Entry => return None,
        None if !span.entry.has_parent => End { kind: NodeKind::User, id: Sym::EMPTY },
        None if span.entry.is_ripe && !span.facts.parent_is_local => {
            End { kind: NodeKind::UnknownCaller, id: Sym::EMPTY }
        }
        None => return None,
    };
    let call = Call::seen_by_callee(span.facts, span.facts.weight);
    Some(Flow { caller, callee: service(span.facts.service), kind: EdgeKind::Call, group: Sym::EMPTY, call })
}

/// Queue to consumer; the span's own queue, else that of the parent that sent the message, else the sender itself.
fn consumption(graph: &Graph, span: Seen) -> Option<Flow> {
    let parent = graph.parent(span.slot);
    let is_same_service = |parent: &Seen| parent.facts.service == span.facts.service;
    if parent.is_some_and(|parent| parent.facts.role == Role::Consume && is_same_service(&parent)) {
        return None; // Processing what a receiving span took already.
    }
    let sender = parent.filter(|parent| parent.facts.role.is_source());
    if span.facts.target.is_none() && span.facts.has_links {
        return None; // Its links tell, when they are found.
    }
    let caller = span.facts.target.or_else(|| {
        let sender = sender.or(parent.filter(|parent| !is_same_service(parent)))?;
        Some(sender.facts.target.unwrap_or(service(sender.facts.service)))
    })?;
    Some(consume_flow(caller, span.facts))
}

/// Messages from `caller` to the service of a consumer span.
pub(super) fn consume_flow(caller: End, consumer: &Facts) -> Flow {
    let call = Call::seen_by_callee(consumer, consumer.weight * f64::from(consumer.messages));
    Flow { caller, callee: service(consumer.service), kind: EdgeKind::Consume, group: consumer.group, call }
}

/// Whether the call span above stands for this span.
fn is_covered(graph: &Graph, span: Seen, parent: Seen) -> bool {
    let Some(anchor) = graph.seen(span.entry.anchor) else { return false };
    if parent.slot == anchor.slot {
        return direct(anchor.entry).len() <= Call::MAX_ATTEMPTS;
    }
    direct(anchor.entry).is_empty() && indirect(anchor.entry).len() == 1
}

fn direct(entry: &Entry) -> &[Slot] {
    entry.below.as_ref().map_or(&[], |below| &below.direct)
}

fn indirect(entry: &Entry) -> &[Slot] {
    entry.below.as_ref().map_or(&[], |below| &below.indirect)
}

/// The edges out of a call span: to every service it reached, else to what it says it called.
pub(super) fn outflow(graph: &Graph, slot: Slot) -> Vec<Flow> {
    let Some(span) = graph.seen(slot).filter(|span| span.facts.role.is_call()) else { return Vec::new() };
    let reached = match (direct(span.entry), indirect(span.entry)) {
        ([], [one]) => std::slice::from_ref(one),
        (direct, _) if direct.len() <= Call::MAX_ATTEMPTS => direct,
        _ => &[],
    };
    let mut flows = attempts(graph, span, reached);
    let is_leaf = direct(span.entry).is_empty() && indirect(span.entry).is_empty();
    if is_leaf || span.facts.role == Role::Publish {
        flows.extend(handed_out(graph, span));
    }
    flows
}

/// The edge to a database, queue, host, model or function.
fn handed_out(graph: &Graph, span: Seen) -> Option<Flow> {
    let target = span.facts.target?;
    let certain = is_certain(target.kind);
    if !certain && (!span.entry.is_ripe || span.entry.below.as_ref().is_some_and(|below| !below.inner.is_empty())) {
        return None; // Its server span may still come; or it only wraps the span that made the call.
    }
    let wrapper = graph.seen(span.entry.anchor).filter(|anchor| anchor.facts.service == span.facts.service);
    if let Some(wrapper) = wrapper.and_then(|wrapper| wrapper.facts.target)
        && is_certain(wrapper.kind)
        && (wrapper == target || !certain)
    {
        return None; // The wrapper stands for it: this is its transport, or the same said twice.
    }
    let kind = match target.kind {
        NodeKind::Database => EdgeKind::Database,
        NodeKind::Queue => EdgeKind::Publish,
        _ => EdgeKind::Call,
    };
    let messages = if target.kind == NodeKind::Queue { f64::from(span.facts.messages) } else { 1.0 };
    let call = Call::seen_by_caller(span.facts, span.facts.weight * messages);
    Some(Flow { caller: service(span.facts.service), callee: target, kind, group: Sym::EMPTY, call })
}

/// One flow per span that a call span caused elsewhere. With several (retries, hedging), the time the servers did not
/// account for is shared out evenly, the last attempt's outcome is the caller's, and earlier ones failed as their
/// servers say. Network time is that of the whole call, on the last attempt.
fn attempts(graph: &Graph, client: Seen, reached: &[Slot]) -> Vec<Flow> {
    let mut servers: Vec<Seen> = reached.iter().filter_map(|&slot| graph.seen(slot)).collect();
    servers.sort_by_key(|server| (server.facts.start, server.entry.key.span));
    let busy = servers.iter().fold(0i64, |sum, server| sum.saturating_add(server.facts.duration));
    let network = client.facts.duration.saturating_sub(busy);
    let count = servers.len() as i64;
    let kind = match client.facts.target {
        Some(target) if target.kind == NodeKind::Database => EdgeKind::Database,
        _ => EdgeKind::Call,
    };
    let flow = |(at, server): (usize, &Seen)| {
        let is_last = at + 1 == servers.len();
        let nanos = match count {
            1 => client.facts.duration,
            _ if network >= 0 => server.facts.duration + network / count,
            _ => server.facts.duration.min(client.facts.duration),
        };
        let failed = if is_last { client.facts.failed } else { server.facts.failed };
        let call = Call {
            time: bucket_start(client.facts.start),
            count: client.facts.weight,
            caller: (nanos, failed),
            callee: Some((server.facts.duration, server.facts.failed)),
            network: is_last.then_some(network),
            is_blamed: false,
        };
        let (caller, callee) = (service(client.facts.service), service(server.facts.service));
        Flow { caller, callee, kind, group: Sym::EMPTY, call }
    };
    servers.iter().enumerate().map(flow).collect()
}
