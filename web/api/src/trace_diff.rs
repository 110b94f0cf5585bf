//! Two traces beside each other: what the one does that the other does not, and where its time went.
//!
//! Spans of both are put into one tree by their path: service, operation and kind, from the root down. Spans with the same
//! path are one row, with how many there are on each side, so that a loop of 3 and one of 300 meet in one row. What counts
//! as a change, so that noise does not:
//!
//! - **new**, **gone**: no span of that path in the other trace.
//! - **more errors**, **fewer errors**: a larger or smaller share of its spans failed, and more or fewer of them.
//! - **slower**, **faster**: all its spans together took longer or less by a fifth, and by a hundredth of the longer trace.

use crate::columns::TraceColumns;
use crate::time::Nanos;
use crate::topology::ServiceRef;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};

/// Rows of a comparison at most. Traces that do not repeat themselves have more; their deepest are left out.
pub const MOST_ROWS: usize = 5_000;
/// The time of a row must grow or shrink by this factor.
const RATIO: f64 = 1.2;
/// And by this share of the longer trace.
const SHARE: f64 = 0.01;
/// OTLP's number of a failed status.
const ERROR: u8 = 2;
const NONE: u32 = u32::MAX;

/// What changed about a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RowChange {
    /// Nothing that counts.
    #[default]
    Same,
    /// Only in the trace asked for.
    New,
    /// Only in the trace compared with.
    Gone,
    /// A larger share failed.
    MoreErrors,
    /// A smaller share failed.
    FewerErrors,
    /// Took longer.
    Slower,
    /// Took less.
    Faster,
}

/// The spans of a row in one trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SpanSums {
    /// How many.
    pub count: u64,
    /// Of them failed.
    pub errors: u64,
    /// Their durations together.
    pub total_nanos: Nanos,
    /// Of that, while no child ran.
    pub self_nanos: Nanos,
    /// When the first of them began, after the start of the trace.
    pub start_nanos: Nanos,
}

/// Spans with the same path from the root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TraceDiffRow {
    /// Steps from the root.
    pub depth: u32,
    /// Their service.
    pub service: ServiceRef,
    /// Their name.
    pub name: String,
    /// Their kind: OTLP's number.
    pub kind: u8,
    /// In the trace compared with; absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<SpanSums>,
    /// In the trace asked for; absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<SpanSums>,
    /// What that comes to.
    pub change: RowChange,
}

/// A trace of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ComparedTrace {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// Service of the root span, or of the earliest span when the root is missing.
    pub root_service: ServiceRef,
    /// Name of that span.
    pub root_name: String,
    /// Earliest start.
    pub start_time_unix_nano: Nanos,
    /// Earliest start to latest end.
    pub duration_nanos: Nanos,
    /// Number of spans.
    pub span_count: u64,
    /// Of them failed.
    pub error_count: u64,
}

/// `GET /traces/{trace_id}/diff`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TraceDiff {
    /// The trace compared with.
    pub before: ComparedTrace,
    /// The trace asked for.
    pub now: ComparedTrace,
    /// Both as one tree, from top to bottom; children by when they began. At most [`MOST_ROWS`].
    pub rows: Vec<TraceDiffRow>,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
}

impl TraceDiff {
    /// Compares two traces, each with its id.
    pub fn of(before: (&str, &TraceColumns), now: (&str, &TraceColumns)) -> TraceDiff {
        let mut tree = Tree::default();
        tree.add(before.1, 0);
        tree.add(now.1, 1);
        let sides = [before, now].map(|(id, columns)| ComparedTrace::of(id, columns));
        let longest = sides.iter().map(|side| side.duration_nanos.0).max().unwrap_or(0);
        let (is_cut, rows) = (tree.is_cut, tree.rows(longest));
        let cut =
            is_cut.then(|| format!("the traces have more than {MOST_ROWS} different rows, the others are left out"));
        let partial = [cut, before.1.partial.clone(), now.1.partial.clone()]
            .into_iter()
            .flatten()
            .reduce(|all, why| if all == why { all } else { format!("{all}; {why}") });
        let [before, now] = sides;
        TraceDiff { before, now, rows, partial }
    }
}

impl TraceDiff {
    /// Places of the rows to be shown: not below a closed one; of changes also what leads to them.
    pub fn shown(&self, closed: &BTreeSet<usize>, only_changes: bool) -> Vec<usize> {
        let mut leads = vec![!only_changes; self.rows.len()];
        // From the bottom: what is less deep than the last one that leads somewhere is above it.
        let mut depth = 0;
        for (at, row) in self.rows.iter().enumerate().rev().filter(|_| only_changes) {
            if row.change != RowChange::Same || row.depth < depth {
                (leads[at], depth) = (true, row.depth);
            }
        }
        let mut shown = Vec::new();
        let mut below = u32::MAX;
        for (at, row) in self.rows.iter().enumerate() {
            if row.depth > below {
                continue;
            }
            below = if closed.contains(&at) { row.depth } else { u32::MAX };
            shown.extend(leads[at].then_some(at));
        }
        shown
    }
}

impl ComparedTrace {
    /// What a trace is about.
    pub fn of(trace_id: &str, columns: &TraceColumns) -> ComparedTrace {
        let is_root = |at: &usize| {
            columns.parent[*at] == TraceColumns::NO_PARENT && columns.flags[*at] & TraceColumns::PARENT_MISSING == 0
        };
        let root = (0..columns.len()).find(is_root).unwrap_or(0);
        let end = |at: usize| columns.start_nanos[at].saturating_add(columns.duration_nanos[at]);
        let word = |words: &[u32]| words.get(root).map(|word| *word as usize);
        ComparedTrace {
            trace_id: trace_id.to_owned(),
            root_service: word(&columns.service).map(|at| columns.services[at].clone()).unwrap_or_default(),
            root_name: word(&columns.name).map(|at| columns.names[at].clone()).unwrap_or_default(),
            start_time_unix_nano: columns.start_time_unix_nano,
            duration_nanos: nanos((0..columns.len()).map(end).max().unwrap_or(0)),
            span_count: columns.len() as u64,
            error_count: columns.status_code.iter().filter(|code| **code == ERROR).count() as u64,
        }
    }
}

fn nanos(nanos: u64) -> Nanos {
    Nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}

struct Node {
    parent: u32,
    depth: u32,
    service: ServiceRef,
    name: String,
    kind: u8,
    /// Before, now.
    sums: [Option<SpanSums>; 2],
}

#[derive(Default)]
struct Tree {
    nodes: Vec<Node>,
    /// By parent, number of the service's id, number of the name, kind.
    places: HashMap<(u32, u32, u32, u8), u32>,
    words: HashMap<String, u32>,
    is_cut: bool,
}

impl Tree {
    fn word(&mut self, word: &str) -> u32 {
        let next = self.words.len() as u32;
        match self.words.get(word) {
            Some(known) => *known,
            None => *self.words.entry(word.to_owned()).or_insert(next),
        }
    }

    fn add(&mut self, columns: &TraceColumns, side: usize) {
        let services: Vec<u32> = columns.services.iter().map(|service| self.word(&service.id)).collect();
        let names: Vec<u32> = columns.names.iter().map(|name| self.word(name)).collect();
        let own = self_nanos(columns);
        // By span: its node, NONE if it is left out; nothing yet where spans are each other's ancestors, which are opened.
        let mut nodes: Vec<Option<u32>> = vec![None; columns.len()];
        for at in top_down(&columns.parent) {
            let parent = columns.parent[at];
            let place = if parent == TraceColumns::NO_PARENT { None } else { nodes[parent as usize] };
            let (above, is_lost) = (place.unwrap_or(NONE), place == Some(NONE));
            let (service, name, kind) = (columns.service[at] as usize, columns.name[at] as usize, columns.kind[at]);
            let known = self.places.get(&(above, services[service], names[name], kind)).copied();
            let node = match known.filter(|_| !is_lost) {
                Some(node) => node,
                None if is_lost || self.nodes.len() == MOST_ROWS => {
                    (nodes[at], self.is_cut) = (Some(NONE), true);
                    continue;
                }
                None => {
                    let depth = if above == NONE { 0 } else { self.nodes[above as usize].depth + 1 };
                    let (of, called) = (columns.services[service].clone(), columns.names[name].clone());
                    let sums = [None; 2];
                    self.nodes.push(Node { parent: above, depth, service: of, name: called, kind, sums });
                    let node = self.nodes.len() as u32 - 1;
                    self.places.insert((above, services[service], names[name], kind), node);
                    node
                }
            };
            nodes[at] = Some(node);
            let start = nanos(columns.start_nanos[at]);
            let first = SpanSums { start_nanos: start, ..SpanSums::default() };
            let sums = self.nodes[node as usize].sums[side].get_or_insert(first);
            sums.count += 1;
            sums.errors += u64::from(columns.status_code[at] == ERROR);
            sums.start_nanos = sums.start_nanos.min(start);
            sums.total_nanos.0 = sums.total_nanos.0.saturating_add(nanos(columns.duration_nanos[at]).0);
            sums.self_nanos.0 = sums.self_nanos.0.saturating_add(nanos(own[at]).0);
        }
    }

    /// From top to bottom.
    fn rows(self, longest: i64) -> Vec<TraceDiffRow> {
        let mut order: Vec<u32> = (0..self.nodes.len() as u32).collect();
        let start = |node: &u32| {
            let sums = &self.nodes[*node as usize].sums;
            sums[1].or(sums[0]).map_or(0, |sums| sums.start_nanos.0)
        };
        order.sort_by_key(|node| (start(node), *node));
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        for node in order.into_iter().rev() {
            children.entry(self.nodes[node as usize].parent).or_default().push(node);
        }
        let mut nodes: Vec<Option<Node>> = self.nodes.into_iter().map(Some).collect();
        let mut open = children.remove(&NONE).unwrap_or_default();
        let mut rows = Vec::with_capacity(nodes.len());
        while let Some(at) = open.pop() {
            open.extend(children.remove(&at).unwrap_or_default());
            if let Some(Node { depth, service, name, kind, sums: [before, now], .. }) = nodes[at as usize].take() {
                rows.push(TraceDiffRow {
                    depth,
                    service,
                    name,
                    kind,
                    before,
                    now,
                    change: change(before, now, longest),
                });
            }
        }
        rows
    }
}

fn change(before: Option<SpanSums>, now: Option<SpanSums>, longest: i64) -> RowChange {
    let (before, now) = match (before, now) {
        (Some(before), Some(now)) => (before, now),
        (None, _) => return RowChange::New,
        (_, None) => return RowChange::Gone,
    };
    // Shares, multiplied out.
    let (failed_before, failed_now) = (before.errors * now.count, now.errors * before.count);
    let (then, here) = (before.total_nanos.0 as f64, now.total_nanos.0 as f64);
    let counts = (here - then).abs() >= longest as f64 * SHARE;
    match () {
        () if failed_now > failed_before && now.errors > before.errors => RowChange::MoreErrors,
        () if failed_now < failed_before && now.errors < before.errors => RowChange::FewerErrors,
        () if counts && here >= then * RATIO => RowChange::Slower,
        () if counts && then >= here * RATIO => RowChange::Faster,
        () => RowChange::Same,
    }
}

/// Every span once, parents before children; where they are each other's ancestors, somewhere.
fn top_down(parents: &[u32]) -> Vec<usize> {
    let mut order = Vec::with_capacity(parents.len());
    // 0 not seen, 1 on the way up from a span, 2 in the order.
    let mut state = vec![0_u8; parents.len()];
    let mut way = Vec::new();
    for at in 0..parents.len() {
        let mut here = at as u32;
        while here != TraceColumns::NO_PARENT && state[here as usize] == 0 {
            state[here as usize] = 1;
            way.push(here as usize);
            here = parents[here as usize];
        }
        while let Some(span) = way.pop() {
            state[span] = 2;
            order.push(span);
        }
    }
    order
}

/// Of each span the time while no child of its ran. Spans are by start, so one walk does.
fn self_nanos(columns: &TraceColumns) -> Vec<u64> {
    let end = |at: usize| columns.start_nanos[at].saturating_add(columns.duration_nanos[at]);
    let mut covered = vec![0_u64; columns.len()];
    let mut until: Vec<u64> = columns.start_nanos.clone();
    for at in 0..columns.len() {
        let parent = columns.parent[at];
        if parent == TraceColumns::NO_PARENT || parent as usize == at {
            continue;
        }
        let parent = parent as usize;
        let (from, to) = (columns.start_nanos[at].max(until[parent]), end(at).min(end(parent)));
        if from < to {
            covered[parent] += to - from;
            until[parent] = to;
        }
    }
    covered.iter().zip(&columns.duration_nanos).map(|(covered, all)| all.saturating_sub(*covered)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Spans as (parent, service, name, start, duration, failed), parents by their place, itself for none.
    fn trace(spans: &[(usize, u32, u32, u64, u64, bool)]) -> TraceColumns {
        let services = ["gateway", "cart", "db"];
        let service = |name: &&str| ServiceRef { id: (*name).into(), name: (*name).into(), ..ServiceRef::default() };
        let parent = |(at, span): (usize, &(usize, u32, u32, u64, u64, bool))| {
            if span.0 == at { TraceColumns::NO_PARENT } else { span.0 as u32 }
        };
        TraceColumns {
            services: services.iter().map(service).collect(),
            names: ["GET /", "SELECT", "INSERT"].map(str::to_owned).into(),
            scopes: vec![Default::default()],
            start_time_unix_nano: Nanos(1_000),
            span_id: (1..=spans.len() as u64).collect(),
            parent: spans.iter().enumerate().map(parent).collect(),
            start_nanos: spans.iter().map(|span| span.3).collect(),
            duration_nanos: spans.iter().map(|span| span.4).collect(),
            service: spans.iter().map(|span| span.1).collect(),
            name: spans.iter().map(|span| span.2).collect(),
            scope: vec![0; spans.len()],
            kind: vec![2; spans.len()],
            status_code: spans.iter().map(|span| if span.5 { ERROR } else { 0 }).collect(),
            flags: vec![0; spans.len()],
            partial: None,
        }
    }

    fn shown(diff: &TraceDiff) -> Vec<String> {
        let sums = |sums: Option<SpanSums>| {
            sums.map_or("-".to_owned(), |s| format!("{}/{}/{}/{}", s.count, s.errors, s.total_nanos, s.self_nanos))
        };
        let row = |row: &TraceDiffRow| {
            let indent = "  ".repeat(row.depth as usize);
            format!("{indent}{} {} {} {} {:?}", row.service.name, row.name, sums(row.before), sums(row.now), row.change)
        };
        diff.rows.iter().map(row).collect()
    }

    #[test]
    fn spans_meet_by_their_path() {
        let before = trace(&[
            (0, 0, 0, 0, 1000, false),
            (0, 1, 0, 100, 400, false),
            (1, 2, 1, 150, 100, false),
            (1, 2, 1, 300, 100, false),
            (0, 2, 2, 600, 100, false),
        ]);
        let now = trace(&[
            (0, 0, 0, 0, 2000, true),
            (0, 1, 0, 100, 1500, false),
            (1, 2, 1, 150, 100, false),
            (1, 2, 1, 200, 500, true),
            (1, 2, 1, 700, 100, false),
            (0, 2, 1, 1700, 100, false),
        ]);
        let diff = TraceDiff::of(("a", &before), ("b", &now));
        assert_eq!(
            shown(&diff),
            [
                "gateway GET / 1/0/1000/500 1/1/2000/400 MoreErrors",
                "  cart GET / 1/0/400/200 1/0/1500/850 Slower",
                "    db SELECT 2/0/200/200 3/1/700/700 MoreErrors",
                "  db INSERT 1/0/100/100 - Gone",
                "  db SELECT - 1/0/100/100 New",
            ]
        );
        assert_eq!((diff.before.error_count, diff.now.error_count, diff.now.duration_nanos), (0, 2, Nanos(2000)));
        assert_eq!((diff.now.root_name.as_str(), diff.before.trace_id.as_str()), ("GET /", "a"));
        assert_eq!(diff.partial, None);
    }

    #[test]
    fn a_trace_is_the_same_as_itself() {
        let one = trace(&[(0, 0, 0, 0, 1000, true), (0, 1, 0, 100, 400, false)]);
        let diff = TraceDiff::of(("a", &one), ("a", &one));
        assert!(diff.rows.iter().all(|row| row.change == RowChange::Same && row.before == row.now));
        let none = TraceDiff::of(("a", &TraceColumns::default()), ("b", &one));
        assert!(none.rows.iter().all(|row| row.change == RowChange::New) && none.rows.len() == 2);
    }

    #[test]
    fn changes_are_shown_with_what_leads_to_them() {
        use RowChange::{Gone, Same, Slower};
        let row =
            |(depth, change): &(u32, RowChange)| TraceDiffRow { depth: *depth, change: *change, ..Default::default() };
        let tree =
            [(0, Same), (1, Same), (2, Slower), (2, Same), (1, Same), (2, Same), (3, Gone), (1, Same), (0, Same)];
        let diff = TraceDiff { rows: tree.iter().map(row).collect(), ..TraceDiff::default() };
        assert_eq!(diff.shown(&BTreeSet::new(), true), [0, 1, 2, 4, 5, 6]);
        assert_eq!(diff.shown(&BTreeSet::from([4]), true), [0, 1, 2, 4]);
        assert_eq!(diff.shown(&BTreeSet::from([1]), false), [0, 1, 4, 5, 6, 7, 8]);
        assert_eq!(diff.shown(&BTreeSet::from([0]), false), [0, 8]);
    }

    #[test]
    fn too_many_rows_are_cut_and_said() {
        let mut many = trace(&vec![(0, 0, 0, 0, 10, false); MOST_ROWS + 10]);
        many.names = (0..MOST_ROWS + 10).map(|at| format!("op {at}")).collect();
        many.name = (0..many.names.len() as u32).collect();
        let diff = TraceDiff::of(("a", &many), ("b", &many));
        assert_eq!(diff.rows.len(), MOST_ROWS);
        assert!(diff.partial.is_some_and(|why| why.contains("5000")));
    }

    proptest! {
        /// Whatever parents say, cycles too: every span is in one row, and no row is lost.
        #[test]
        fn every_span_is_in_a_row(spans in prop::collection::vec((0..30_usize, 0..3_u32, 0..3_u32, 0..50_u64, 0..99_u64, any::<bool>()), 1..30), other in 0..30_usize) {
            let mut spans = spans;
            let len = spans.len();
            spans.iter_mut().for_each(|span| span.0 %= len);
            spans.sort_by_key(|span| span.3);
            let (all, part) = (trace(&spans), trace(&spans[..1.max(other % len)].iter().map(|s| (0, s.1, s.2, s.3, s.4, s.5)).collect::<Vec<_>>()));
            let diff = TraceDiff::of(("a", &part), ("b", &all));
            let count = |side: fn(&TraceDiffRow) -> Option<SpanSums>| diff.rows.iter().filter_map(side).map(|s| s.count).sum::<u64>();
            prop_assert_eq!(count(|row| row.now), all.len() as u64);
            prop_assert_eq!(count(|row| row.before), part.len() as u64);
            prop_assert!(diff.rows.iter().all(|row| row.now.is_none_or(|s| s.self_nanos <= s.total_nanos)));
        }
    }
}
