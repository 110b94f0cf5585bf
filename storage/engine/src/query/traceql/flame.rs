//! Where traces spend their time: their trees merged by path, of one range or of two side by side.
//!
//! Spans that match lead to traces, of which a sample is taken by a hash of their ids: the same traces wherever they lie
//! and however often one asks, spread over the range. These are read whole, in the order of their ids, as they lie, and
//! added up in that order, so that sums are the same to the last bit.

use super::super::filter;
use super::super::session::Session;
use super::budget::Budget;
use super::needs::Needs;
use super::question::Question;
use super::rows::{Rows, View};
use super::scan::Scan;
use super::whole;
use crate::columns::arrival;
use crate::context::Resource;
use crate::engine::Inner;
use hashbrown::{HashMap, HashSet};
use orrery_model::{ServiceKey, SpanBatch, SpanKind, StatusCode, Strings, Sym, TraceId, nesting};
use orrery_query::answer::{Answer, FlameNode, FlameStep, FlameTime, FlameTraces, TraceFlame};
use orrery_query::plan::{self, FlameFrom};
use orrery_query::traceql::TraceView;
use orrery_query::{Control, QueryError, TimeRange};
use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::sync::Arc;

/// Rows that a question looks at in each range, at most.
const ROWS: u64 = 200_000_000;
/// Traces whose spans are in memory at once.
const AT_ONCE: usize = 500;
/// Paths told apart while traces are added up.
const PATHS: usize = 200_000;
/// How far before and after the range spans of its traces are looked for, nanoseconds.
const NEAR: i64 = 3_600_000_000_000;
/// What of time and rows is spent on finding traces; the rest is for reading them.
const FINDING: f64 = 0.5;
const NONE: u32 = u32::MAX;
/// What is added up of every span.
const READ: [&str; 9] = [
    "trace_id",
    "span_id",
    "parent_span_id",
    "name",
    "kind",
    "resource_id",
    "start_time_unix_nano",
    "duration_nanos",
    "status_code",
];

pub(crate) fn run(inner: &Inner, plan: &plan::TraceFlame, control: &Control) -> Result<Answer<TraceFlame>, QueryError> {
    let ranges: Vec<TimeRange> = std::iter::once(plan.range).chain(plan.compared).collect();
    ranges.iter().try_for_each(|range| filter::check_range(*range))?;
    let question = Question::of_search(&plan.query)?;
    let mut session = Session::new(inner, "flame", control)?;
    let gather = Gather { plan, question, seen: inner.visible_seq() };
    let mut tree = Tree::default();
    let mut sides = Vec::new();
    for (side, range) in ranges.iter().enumerate() {
        // Whoever comes first leaves as much to the others.
        let share = 1.0 / (ranges.len() - side) as f64;
        sides.push(gather.side(&mut session, &mut tree, (side, *range), share)?);
    }
    if tree.is_full {
        session.incomplete(format!("there are more than {PATHS} different paths: the others are added up"));
    }
    let nodes = tree.finish(&sides, plan.paths.max(1) as usize);
    let (now, before) = (sides.first().copied().unwrap_or_default(), sides.get(1).copied());
    Ok(session.answer(TraceFlame { now, before, nodes }))
}

/// A question being answered.
struct Gather<'a> {
    plan: &'a plan::TraceFlame,
    question: Question,
    seen: u64,
}

impl Gather<'_> {
    /// Adds the traces of a range to the tree.
    fn side(
        &self,
        session: &mut Session<'_>,
        tree: &mut Tree,
        (side, range): (usize, TimeRange),
        share: f64,
    ) -> Result<FlameTraces, QueryError> {
        let sample = self.find(session, range, share * FINDING)?;
        let budget = Budget::of(u64::MAX, u64::MAX, session.control(), share * 0.8);
        let mut found = FlameTraces { candidates: sample.estimate(), ..FlameTraces::default() };
        let traces: BTreeSet<TraceId> = sample.least.iter().map(|(_, trace)| *trace).collect();
        let traces: Vec<TraceId> = traces.into_iter().collect();
        let near = TimeRange { from: range.from.saturating_sub(NEAR), to: range.to.saturating_add(NEAR) };
        let needs = self.needs();
        for (done, ids) in traces.chunks(AT_ONCE).enumerate() {
            if let Some(why) = budget.is_spent() {
                session.incomplete(format!("{why}: of {} traces {} were added up", traces.len(), done * AT_ONCE));
                break;
            }
            let read = whole::read(session, &ids.iter().copied().collect(), &needs, near, arrival(self.seen, 0))?;
            let mut services = Services::default();
            for trace in ids.iter().filter_map(|id| read.get(*id)) {
                session.check()?;
                if let Some(weight) = self.add(tree, &mut services, &trace.view(), side) {
                    found.traces += 1;
                    found.weight += weight;
                }
            }
        }
        Ok(found)
    }

    /// What is read of whole traces. Weights come from the trace state.
    fn needs(&self) -> Needs {
        let judged = match self.judges() {
            true => Needs::of(&self.question.reads),
            false => Needs::default(),
        };
        judged.and(&READ).and(&["trace_state"])
    }

    /// Whether the query is asked of a trace again, once all of it is there.
    fn judges(&self) -> bool {
        self.question.reads.whole_traces || self.plan.from == FlameFrom::Match
    }

    /// Adds a trace, if it matches; answers for how many it stands.
    fn add(&self, tree: &mut Tree, services: &mut Services, view: &View<'_>, side: usize) -> Option<f64> {
        let mut begins = None;
        if self.judges() {
            let spansets = self.question.compiled.evaluate(view);
            if spansets.is_empty() {
                return None;
            }
            if self.plan.from == FlameFrom::Match {
                let matched = spansets.iter().flat_map(|spanset| &spanset.spans);
                begins = Some(matched.map(|span| *span as usize).collect::<HashSet<usize>>());
            }
        }
        tree.add(services, view, begins.as_ref(), side)
    }

    /// Traces to which spans of a range lead.
    fn find(&self, session: &mut Session<'_>, range: TimeRange, share: f64) -> Result<Sample, QueryError> {
        let budget = Budget::of(ROWS, u64::MAX, session.control(), share);
        let scan = Scan {
            range,
            condition: &self.question.condition,
            arrived_before: arrival(self.seen, 0),
            is_first_page: true,
            needs: Needs::of(&self.question.leads_read),
            budget: &budget,
            since: Arc::new(i64::MIN.into()),
            thinned: None,
        };
        let most = self.plan.traces.max(1) as usize;
        let mut workers = vec![Sample::new(most); session.inner.config.query_threads.max(1) as usize];
        for source in scan.sources(session)? {
            if let Some(why) = budget.is_spent() {
                let last = source.last::<SpanBatch>();
                session.incomplete(format!("{why}: traces before {last} (Unix nanoseconds) are not all counted"));
                break;
            }
            scan.read(session, &source, &mut workers, |sample, rows, spans| self.leading(sample, &rows, &spans))?;
        }
        Ok(workers.into_iter().reduce(Sample::and).unwrap_or_else(|| Sample::new(most)))
    }

    fn leading(&self, sample: &mut Sample, rows: &Rows, spans: &[(u32, u32)]) {
        let view = View { rows: std::slice::from_ref(rows), spans, parents: &[] };
        for spanset in self.question.leads.evaluate(&view) {
            spanset.spans.iter().for_each(|span| sample.put(view.trace_id(*span as usize)));
        }
    }
}

/// The traces whose ids have the least hashes: a fair part of all, whichever order they come in.
#[derive(Clone)]
struct Sample {
    most: usize,
    least: BTreeSet<(u64, TraceId)>,
    is_part: bool,
}

impl Sample {
    fn new(most: usize) -> Sample {
        Sample { most, least: BTreeSet::new(), is_part: false }
    }

    fn put(&mut self, trace: TraceId) {
        let hash = foldhash::fast::FixedState::default().hash_one(trace.0);
        if self.least.len() == self.most && self.least.last().is_some_and(|last| *last < (hash, trace)) {
            self.is_part = true;
            return;
        }
        if self.least.insert((hash, trace)) && self.least.len() > self.most {
            self.least.pop_last();
            self.is_part = true;
        }
    }

    fn and(mut self, other: Sample) -> Sample {
        self.is_part |= other.is_part;
        other.least.into_iter().for_each(|(_, trace)| self.put(trace));
        self
    }

    /// How many traces there are: exactly, where all are here; else by how thin the least hashes lie.
    fn estimate(&self) -> u64 {
        let count = self.least.len() as u64;
        match self.least.last() {
            Some((last, _)) if self.is_part => {
                let part = (*last as f64 + 1.0) / (u64::MAX as f64);
                ((count as f64 - 1.0) / part).round().max(count as f64) as u64
            }
            _ => count,
        }
    }
}

/// Services of resources; these lie where they are as long as the traces that were read.
#[derive(Default)]
struct Services(HashMap<*const Resource, u32>);

/// A path.
struct Node {
    parent: u32,
    service: u32,
    name: Sym,
    kind: SpanKind,
    /// Paths that are not told apart, once it is known; 0 for a path of its own.
    folded: u64,
    time: [FlameTime; 2],
}

/// Paths, parents before children.
#[derive(Default)]
struct Tree {
    nodes: Vec<Node>,
    known: HashMap<(u32, u32, Sym, SpanKind), u32>,
    /// By parent: what is added up below it.
    others: HashMap<u32, u32>,
    names: Strings,
    services: Vec<ServiceKey>,
    numbers: HashMap<ServiceKey, u32>,
    is_full: bool,
}

impl Tree {
    /// Adds a trace: all of it, or what lies below the spans where it begins. Answers for how many it stands; nothing if
    /// nothing was added.
    fn add(
        &mut self,
        services: &mut Services,
        view: &View<'_>,
        begins: Option<&HashSet<usize>>,
        side: usize,
    ) -> Option<f64> {
        let shape = Shape::of(view);
        let mut weight = None;
        // Of spans that are added, their path.
        let mut paths: Vec<Option<u32>> = vec![None; view.len()];
        for &span in &shape.order {
            let span = span as usize;
            let above = shape.parents[span];
            let above = if above == NONE { None } else { paths[above as usize] };
            if above.is_none() && begins.is_some_and(|begins| !begins.contains(&span)) {
                continue;
            }
            let path = self.path(services, above.unwrap_or(NONE), view, span);
            paths[span] = Some(path);
            let each = view.weight(span);
            weight.get_or_insert(each);
            let children = shape.children(span).iter().map(|child| *child as usize);
            let children = children
                .map(|child| (view.start(child), view.start(child).saturating_add(view.duration(child).max(0))));
            let time = &mut self.nodes[path as usize].time[side];
            time.count += each;
            time.self_nanos += each * nesting::self_nanos(view.start(span), view.duration(span), children) as f64;
            if view.status(span) == StatusCode::Error {
                time.errors += each;
            }
        }
        weight
    }

    fn path(&mut self, services: &mut Services, parent: u32, view: &View<'_>, span: usize) -> u32 {
        // Below what is not told apart nothing is.
        if parent != NONE && self.nodes[parent as usize].folded > 0 {
            return parent;
        }
        let key = (parent, self.service(services, view, span), self.names.intern(view.name(span)), view.kind(span));
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        if self.nodes.len() >= PATHS {
            self.is_full = true;
            return self.other(parent);
        }
        let (parent, service, name, kind) = key;
        let at = self.push(Node { parent, service, name, kind, folded: 0, time: Default::default() });
        self.known.insert(key, at);
        at
    }

    /// What is added up below a path.
    fn other(&mut self, parent: u32) -> u32 {
        if let Some(known) = self.others.get(&parent) {
            return *known;
        }
        let node = Node {
            parent,
            service: NONE,
            name: Sym::default(),
            kind: SpanKind::default(),
            folded: 1,
            time: Default::default(),
        };
        let at = self.push(node);
        self.others.insert(parent, at);
        at
    }

    fn push(&mut self, node: Node) -> u32 {
        self.nodes.push(node);
        self.nodes.len() as u32 - 1
    }

    fn service(&mut self, services: &mut Services, view: &View<'_>, span: usize) -> u32 {
        let (rows, row) = view.at(span);
        let resource = &**rows.context().resource(rows.resource(row));
        *services.0.entry(std::ptr::from_ref(resource)).or_insert_with(|| {
            *self.numbers.entry(resource.service()).or_insert_with_key(|service| {
                self.services.push(service.clone());
                self.services.len() as u32 - 1
            })
        })
    }

    /// The largest paths, by the time a trace spends in them in either range; the others added up where they belong.
    fn finish(mut self, sides: &[FlameTraces], most: usize) -> Vec<FlameNode> {
        self.sum_up();
        let each = |side: usize| sides.get(side).map_or(1.0, |side| side.weight.max(f64::MIN_POSITIVE));
        let each = [each(0), each(1)];
        let size = |node: &Node| (0..2).map(|side| node.time[side].total_nanos / each[side]).fold(0.0, f64::max);
        // A parent is no smaller than its children and comes before them: so it is kept with them.
        let mut largest: Vec<u32> =
            (0..self.nodes.len() as u32).filter(|at| self.nodes[*at as usize].folded == 0).collect();
        largest
            .sort_by(|a, b| size(&self.nodes[*b as usize]).total_cmp(&size(&self.nodes[*a as usize])).then(a.cmp(b)));
        let mut kept = vec![false; self.nodes.len()];
        largest.iter().take(most).for_each(|at| kept[*at as usize] = true);
        // Where what is not kept goes: to the others below the nearest path that is.
        let mut into: Vec<u32> = (0..self.nodes.len() as u32).collect();
        for at in 0..into.len() {
            let Node { parent, folded, time, .. } = self.nodes[at];
            let is_below_kept = parent == NONE || kept[parent as usize];
            if kept[at] || (folded > 0 && is_below_kept) {
                continue;
            }
            let other = if is_below_kept { self.other(parent) } else { into[parent as usize] };
            into[at] = other;
            self.nodes[other as usize].folded += folded.max(1);
            for (side, own) in time.iter().enumerate() {
                let sum = &mut self.nodes[other as usize].time[side];
                // All of its time is its own: what is below it is in it.
                sum.count += own.count;
                sum.errors += own.errors;
                sum.self_nanos += own.self_nanos;
                sum.total_nanos += own.self_nanos;
            }
        }
        kept.resize(self.nodes.len(), false);
        self.listed(&kept)
    }

    fn sum_up(&mut self) {
        for at in (0..self.nodes.len()).rev() {
            for side in 0..2 {
                let own = &mut self.nodes[at].time[side];
                own.total_nanos += own.self_nanos;
                let (total, parent) = (own.total_nanos, self.nodes[at].parent);
                if parent != NONE {
                    self.nodes[parent as usize].time[side].total_nanos += total;
                }
            }
        }
    }

    /// What is kept, and the others below it, in order.
    fn listed(self, kept: &[bool]) -> Vec<FlameNode> {
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        for (at, node) in self.nodes.iter().enumerate() {
            let is_other = node.folded > 0 && (node.parent == NONE || kept[node.parent as usize]);
            if kept[at] || is_other {
                children.entry(node.parent).or_default().push(at as u32);
            }
        }
        let what = |node: &Node| FlameStep {
            service: self.services[node.service as usize].clone(),
            name: self.names.get(node.name).to_owned(),
            kind: node.kind,
        };
        let order = |a: &u32, b: &u32| {
            let (a, b) = (&self.nodes[*a as usize], &self.nodes[*b as usize]);
            let time = |side: usize| b.time[side].total_nanos.total_cmp(&a.time[side].total_nanos);
            let by_name =
                || if a.folded > 0 || b.folded > 0 { std::cmp::Ordering::Equal } else { what(a).cmp(&what(b)) };
            (a.folded > 0).cmp(&(b.folded > 0)).then_with(|| time(0)).then_with(|| time(1)).then_with(by_name)
        };
        children.values_mut().for_each(|children| children.sort_by(order));
        let mut listed = Vec::with_capacity(kept.len());
        let below = |parent: u32| children.get(&parent).into_iter().flatten().rev();
        let mut stack: Vec<(u32, Option<u32>)> = below(NONE).map(|at| (*at, None)).collect();
        while let Some((at, parent)) = stack.pop() {
            let node = &self.nodes[at as usize];
            let here = listed.len() as u32;
            let is_other = node.folded > 0;
            listed.push(FlameNode {
                parent,
                what: (!is_other).then(|| what(node)),
                // The first of them was there before it was known how many there are.
                paths: if is_other { (node.folded - 1).max(1) } else { 1 },
                now: node.time[0],
                before: node.time[1],
            });
            if !is_other {
                stack.extend(below(at).map(|child| (*child, Some(here))));
            }
        }
        listed
    }
}

/// How the spans of a trace lie within each other.
struct Shape {
    parents: Vec<u32>,
    /// Parents before children.
    order: Vec<u32>,
    /// Children of all, one list after the other, each by start.
    listed: Vec<u32>,
    begins: Vec<u32>,
}

impl Shape {
    fn of(view: &View<'_>) -> Shape {
        let len = view.len();
        let mut parents: Vec<u32> =
            (0..len).map(|span| view.parent(span).map_or(nesting::NO_PARENT, |parent| parent as u32)).collect();
        nesting::open_cycles(&mut parents, |span| view.start(span));
        let mut begins = vec![0_u32; len + 1];
        parents.iter().filter(|parent| **parent != NONE).for_each(|parent| begins[*parent as usize + 1] += 1);
        (0..len).for_each(|span| begins[span + 1] += begins[span]);
        let (mut filled, mut listed) = (begins.clone(), vec![0_u32; begins[len] as usize]);
        let mut order = Vec::with_capacity(len);
        // Spans come by start.
        for (span, parent) in parents.iter().enumerate() {
            match *parent {
                NONE => order.push(span as u32),
                parent => {
                    let place = &mut filled[parent as usize];
                    listed[*place as usize] = span as u32;
                    *place += 1;
                }
            }
        }
        let mut shape = Shape { parents, order, listed, begins };
        let mut done = 0;
        while done < shape.order.len() {
            let span = shape.order[done] as usize;
            let children = shape.begins[span] as usize..shape.begins[span + 1] as usize;
            shape.order.extend_from_slice(&shape.listed[children]);
            done += 1;
        }
        shape
    }

    fn children(&self, span: usize) -> &[u32] {
        &self.listed[self.begins[span] as usize..self.begins[span + 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_depends_on_ids_alone() {
        let ids: Vec<TraceId> = (1..=10_000_u128).map(|id| TraceId(id.to_be_bytes())).collect();
        let mut forward = Sample::new(500);
        ids.iter().for_each(|id| forward.put(*id));
        let mut parts = [Sample::new(500), Sample::new(500)];
        ids.iter().rev().enumerate().for_each(|(at, id)| parts[at % 2].put(*id));
        let [one, other] = parts;
        let both = one.and(other);
        assert_eq!(both.least, forward.least);
        let estimate = both.estimate();
        assert!((8_500..11_500).contains(&estimate), "{estimate} of 10 000");
        let mut few = Sample::new(500);
        ids[..500].iter().chain(&ids[..500]).for_each(|id| few.put(*id));
        assert_eq!(few.estimate(), 500);
    }
}
