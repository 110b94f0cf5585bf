//! Two ranges on one map: what is new, gone, slower, fails more.
//!
//! What counts as a change, so that noise does not:
//!
//! - **more errors**: at least 50 calls on both sides; the failed share rose by at least 1 percentage point and by half,
//!   and by more than three standard errors of the difference.
//! - **slower**: at least 50 calls on both sides; p95 rose by at least half and by at least 5 ms.
//! - **new**: nothing of it on the other side, although at its rate at least 5 calls were to be expected there. A new
//!   external host or model is told apart.
//! - **gone**: the same the other way round.
//! - **rate**: at least 50 calls on one side; calls per second at least doubled or halved.
//! - **fewer errors**, **faster**: as above, the other way round.
//!
//! A change that goes with the same change of what is called is explained by that.

use crate::time::Range;
use crate::topology::{Edge, EdgeKind, Node, NodeKind, Red, Topology};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Calls on both sides below which errors and durations prove nothing.
pub const ENOUGH_CALLS: f64 = 50.0;
/// Calls to be expected on a side before their absence means something.
pub const EXPECTED_CALLS: f64 = 5.0;
/// p95 must rise by this factor.
pub const SLOWER_RATIO: f64 = 1.5;
/// And by this many nanoseconds.
pub const SLOWER_NANOS: f64 = 5e6;
/// The failed share must rise by this factor.
pub const ERRORS_RATIO: f64 = 1.5;
/// And by this much.
pub const ERRORS_SHARE: f64 = 0.01;
/// And by this many standard errors of the difference of two shares.
const ERRORS_SIGMA: f64 = 3.0;
/// Calls per second must rise or fall by this factor.
pub const RATE_RATIO: f64 = 2.0;

/// What changed. In order of rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// A larger share of calls fails.
    MoreErrors,
    /// A host or model that sends no telemetry is called which was not.
    NewExternal,
    /// p95 rose.
    Slower,
    /// Not there any more.
    Gone,
    /// Not there before.
    New,
    /// More calls per second.
    Busier,
    /// Fewer calls per second.
    Quieter,
    /// p95 fell.
    Faster,
    /// A smaller share of calls fails.
    FewerErrors,
}

/// One change of a node or an edge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Change {
    /// What changed.
    pub what: ChangeKind,
    /// Id of the node; of an edge the callee's.
    pub node: String,
    /// Of an edge: id of the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// Of an edge: what flows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<EdgeKind>,
    /// Failed share (0 to 1), p95 in nanoseconds or calls per second, as `what` is about; absent where there was nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<f64>,
    /// The same in the range asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<f64>,
    /// Id of the node whose own change of this kind explains this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explained_by: Option<String>,
}

/// A node on both sides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NodeDiff {
    /// In the range compared with; absent if it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Node>,
    /// In the range asked for; absent if it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<Node>,
}

/// An edge on both sides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EdgeDiff {
    /// In the range compared with; absent if it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Edge>,
    /// In the range asked for; absent if it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<Edge>,
}

/// `GET /topology/diff`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TopologyDiff {
    /// What was asked for: `now`.
    pub range: Range,
    /// What it is compared with: `before`.
    pub compared_with: Range,
    /// By id.
    pub nodes: Vec<NodeDiff>,
    /// By caller, callee, kind; both ends are in `nodes`.
    pub edges: Vec<EdgeDiff>,
    /// What stands out, by rank: unexplained before explained, then by `what`, then by the traffic concerned.
    pub changes: Vec<Change>,
    /// Environments seen in the range, for the filter.
    pub environments: Vec<String>,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
}

/// Two values, then and now.
#[derive(Clone, Copy, Debug)]
pub struct Pair<T> {
    /// In the range compared with.
    pub before: T,
    /// In the range asked for.
    pub now: T,
}

impl TopologyDiff {
    /// Compares two maps. `seconds`: the part of each range for which data can exist.
    pub fn of(maps: Pair<Topology>, seconds: Pair<f64>) -> TopologyDiff {
        let Pair { before, now } = maps;
        let was_recorded = before.nodes.iter().any(|node| node.red.count > 0.0);
        let nothing = || "Nothing was recorded in the range compared with.".to_owned();
        let partial = now.partial.or(before.partial).or_else(|| (!was_recorded).then(nothing));
        let mut diff = TopologyDiff {
            range: now.range,
            compared_with: before.range,
            nodes: paired(before.nodes, now.nodes, |node| node.id.clone(), |before, now| NodeDiff { before, now }),
            edges: paired(before.edges, now.edges, edge_key, |before, now| EdgeDiff { before, now }),
            changes: Vec::new(),
            environments: now.environments,
            partial,
        };
        if was_recorded {
            diff.changes = diff.ranked(seconds);
        }
        diff
    }

    /// Both sides as one map: what is gone as it was.
    pub fn union(&self) -> Topology {
        let node = |diff: &NodeDiff| diff.now.clone().or_else(|| diff.before.clone());
        let edge = |diff: &EdgeDiff| diff.now.clone().or_else(|| diff.before.clone());
        Topology {
            range: self.range,
            nodes: self.nodes.iter().filter_map(node).collect(),
            edges: self.edges.iter().filter_map(edge).collect(),
            environments: self.environments.clone(),
            partial: self.partial.clone(),
        }
    }

    fn ranked(&self, seconds: Pair<f64>) -> Vec<Change> {
        let mut found: Vec<(Change, f64)> = Vec::new();
        for diff in &self.nodes {
            let Some(node) = diff.now.as_ref().or(diff.before.as_ref()) else { continue };
            let red = |side: &Option<Node>| side.as_ref().map(|node| node.red).filter(|red| red.count > 0.0);
            let sides = Pair { before: red(&diff.before), now: red(&diff.now) };
            for told in changes(sides, seconds, is_outside(node.kind)) {
                found.push((told.of(node.id.clone(), None), told.weight));
            }
        }
        for diff in &self.edges {
            let Some(edge) = diff.now.as_ref().or(diff.before.as_ref()) else { continue };
            let red = |side: &Option<Edge>| side.as_ref().map(|edge| edge.red).filter(|red| red.count > 0.0);
            let sides = Pair { before: red(&diff.before), now: red(&diff.now) };
            for told in changes(sides, seconds, false) {
                let change = told.of(edge.callee.clone(), Some((edge.caller.clone(), edge.kind)));
                found.push((change, told.weight));
            }
        }
        explain(&mut found);
        found.sort_by(|(a, weight_of_a), (b, weight_of_b)| {
            let rank = |change: &Change| (change.explained_by.is_some(), change.what, change.caller.is_some());
            rank(a).cmp(&rank(b)).then(weight_of_b.total_cmp(weight_of_a)).then_with(|| a.node.cmp(&b.node))
        });
        found.into_iter().map(|(change, _)| change).collect()
    }
}

fn edge_key(edge: &Edge) -> (String, String, EdgeKind) {
    (edge.caller.clone(), edge.callee.clone(), edge.kind)
}

fn is_outside(kind: NodeKind) -> bool {
    matches!(kind, NodeKind::External | NodeKind::Model)
}

fn paired<T, K: Ord, P>(
    before: Vec<T>,
    now: Vec<T>,
    key: impl Fn(&T) -> K,
    pair: impl Fn(Option<T>, Option<T>) -> P,
) -> Vec<P> {
    let mut all: BTreeMap<K, (Option<T>, Option<T>)> = BTreeMap::new();
    for one in before {
        let sides = all.entry(key(&one)).or_default();
        sides.0 = Some(one);
    }
    for one in now {
        let sides = all.entry(key(&one)).or_default();
        sides.1 = Some(one);
    }
    all.into_values().map(|(before, now)| pair(before, now)).collect()
}

/// A change, not yet of anything.
struct Told {
    what: ChangeKind,
    before: Option<f64>,
    now: Option<f64>,
    /// Traffic concerned, comparable among changes of one kind.
    weight: f64,
}

impl Told {
    fn of(&self, node: String, edge: Option<(String, EdgeKind)>) -> Change {
        let (caller, kind) = edge.unzip();
        Change { what: self.what, node, caller, kind, before: self.before, now: self.now, explained_by: None }
    }
}

fn changes(sides: Pair<Option<Red>>, seconds: Pair<f64>, outside: bool) -> Vec<Told> {
    match (sides.before, sides.now) {
        (None, None) => Vec::new(),
        (None, Some(now)) => {
            let what = if outside { ChangeKind::NewExternal } else { ChangeKind::New };
            absent(&now, seconds.before)
                .then_some(Told { what, before: None, now: Some(now.rate), weight: now.rate })
                .into_iter()
                .collect()
        }
        (Some(before), None) => {
            let gone = Told { what: ChangeKind::Gone, before: Some(before.rate), now: None, weight: before.rate };
            absent(&before, seconds.now).then_some(gone).into_iter().collect()
        }
        (Some(before), Some(now)) => {
            let sides = Pair { before, now };
            [errors(&sides), duration(&sides), rate(&sides)].into_iter().flatten().collect()
        }
    }
}

/// Whether calls like these, missing for so long, are missing for a reason.
fn absent(red: &Red, seconds: f64) -> bool {
    red.count >= EXPECTED_CALLS && red.rate * seconds >= EXPECTED_CALLS
}

fn are_enough(sides: &Pair<Red>) -> bool {
    sides.before.count >= ENOUGH_CALLS && sides.now.count >= ENOUGH_CALLS
}

fn errors(sides: &Pair<Red>) -> Option<Told> {
    let (before, now) = (sides.before.error_ratio(), sides.now.error_ratio());
    let (low, high) = (before.min(now), before.max(now));
    let all = sides.before.count + sides.now.count;
    let mean = (sides.before.errors + sides.now.errors) / all.max(1.0);
    let deviation = (mean * (1.0 - mean) * (1.0 / sides.before.count + 1.0 / sides.now.count)).max(0.0).sqrt();
    let stands_out = high - low >= ERRORS_SHARE && high >= low * ERRORS_RATIO && high - low > ERRORS_SIGMA * deviation;
    let what = if now > before { ChangeKind::MoreErrors } else { ChangeKind::FewerErrors };
    let weight = (high - low) * sides.now.rate;
    (are_enough(sides) && stands_out).then_some(Told { what, before: Some(before), now: Some(now), weight })
}

fn duration(sides: &Pair<Red>) -> Option<Told> {
    let (before, now) = (sides.before.p95_nanos?.0 as f64, sides.now.p95_nanos?.0 as f64);
    let (low, high) = (before.min(now), before.max(now));
    let stands_out = high >= low * SLOWER_RATIO && high - low >= SLOWER_NANOS;
    let what = if now > before { ChangeKind::Slower } else { ChangeKind::Faster };
    let weight = (high - low) * sides.now.rate;
    (are_enough(sides) && stands_out).then_some(Told { what, before: Some(before), now: Some(now), weight })
}

fn rate(sides: &Pair<Red>) -> Option<Told> {
    let (before, now) = (sides.before.rate, sides.now.rate);
    let (low, high) = (before.min(now), before.max(now));
    let enough = sides.before.count >= ENOUGH_CALLS || sides.now.count >= ENOUGH_CALLS;
    let what = if now > before { ChangeKind::Busier } else { ChangeKind::Quieter };
    (enough && high >= low * RATE_RATIO).then_some(Told {
        what,
        before: Some(before),
        now: Some(now),
        weight: high - low,
    })
}

/// An edge's change is explained by the same change of its callee (of a new or gone edge, of either end); a node's,
/// when an edge out of it changed so and that edge's callee did.
fn explain(found: &mut [(Change, f64)]) {
    let group = |what: ChangeKind| if what == ChangeKind::NewExternal { ChangeKind::New } else { what };
    let nodes: BTreeSet<(String, ChangeKind)> = found
        .iter()
        .filter(|(change, _)| change.caller.is_none())
        .map(|(change, _)| (change.node.clone(), group(change.what)))
        .collect();
    let changed = |node: &str, what: ChangeKind| nodes.contains(&(node.to_owned(), group(what)));
    let comes_and_goes = |what: ChangeKind| matches!(group(what), ChangeKind::New | ChangeKind::Gone);
    let mut causes: BTreeMap<(String, ChangeKind), String> = BTreeMap::new();
    for (change, _) in found.iter_mut() {
        let Some(caller) = change.caller.clone() else { continue };
        if changed(&change.node, change.what) {
            change.explained_by = Some(change.node.clone());
            if !comes_and_goes(change.what) {
                causes.entry((caller, group(change.what))).or_insert_with(|| change.node.clone());
            }
        } else if comes_and_goes(change.what) && changed(&caller, change.what) {
            change.explained_by = Some(caller);
        }
    }
    for (change, _) in found.iter_mut().filter(|(change, _)| change.caller.is_none()) {
        let rate = matches!(change.what, ChangeKind::Busier | ChangeKind::Quieter);
        // More calls come from callers, not from callees.
        change.explained_by = causes
            .get(&(change.node.clone(), group(change.what)))
            .filter(|cause| !rate && **cause != change.node)
            .cloned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Nanos;

    const SECONDS: Pair<f64> = Pair { before: 900.0, now: 900.0 };

    fn red(count: f64, errors: f64, p95_millis: i64) -> Red {
        Red { count, errors, rate: count / 900.0, p95_nanos: Some(Nanos(p95_millis * 1_000_000)), ..Red::default() }
    }

    fn map(nodes: &[(&str, NodeKind, Red)], edges: &[(&str, &str, Red)]) -> Topology {
        let node = |(id, kind, red): &(&str, NodeKind, Red)| Node {
            id: (*id).to_owned(),
            name: (*id).to_owned(),
            kind: *kind,
            red: *red,
            ..Node::default()
        };
        let edge = |(caller, callee, red): &(&str, &str, Red)| Edge {
            caller: (*caller).to_owned(),
            callee: (*callee).to_owned(),
            red: *red,
            ..Edge::default()
        };
        Topology {
            nodes: nodes.iter().map(node).collect(),
            edges: edges.iter().map(edge).collect(),
            ..Topology::default()
        }
    }

    fn of(before: Topology, now: Topology) -> TopologyDiff {
        TopologyDiff::of(Pair { before, now }, SECONDS)
    }

    /// Changes as `what node` or `what caller>callee`, with who explains them.
    fn told(diff: &TopologyDiff) -> Vec<String> {
        let line = |change: &Change| {
            let of = change.caller.as_ref().map_or_else(String::new, |caller| format!("{caller}>"));
            let why = change.explained_by.as_ref().map_or_else(String::new, |by| format!(" by {by}"));
            format!("{:?} {of}{}{why}", change.what, change.node)
        };
        diff.changes.iter().map(line).collect()
    }

    /// One service before and now.
    fn check(before: Red, now: Red, expected: &[&str]) {
        let service = |red| map(&[("shop", NodeKind::Service, red)], &[]);
        assert_eq!(told(&of(service(before), service(now))), expected, "{before:?} {now:?}");
    }

    #[test]
    fn noise_is_no_change() {
        check(red(1_000.0, 10.0, 100), red(1_100.0, 14.0, 130), &[]);
        // Three failures of sixty instead of one: could be chance.
        check(red(60.0, 1.0, 100), red(60.0, 3.0, 100), &[]);
        // Twice as slow, but by 2 ms; 6 ms slower, but by a tenth.
        check(red(1_000.0, 0.0, 2), red(1_000.0, 0.0, 4), &[]);
        check(red(1_000.0, 0.0, 60), red(1_000.0, 0.0, 66), &[]);
        // Too few calls to say anything.
        check(red(40.0, 0.0, 10), red(40.0, 20.0, 900), &[]);
    }

    #[test]
    fn what_stands_out_is_told() {
        check(red(1_000.0, 5.0, 100), red(1_000.0, 60.0, 100), &["MoreErrors shop"]);
        check(red(1_000.0, 60.0, 100), red(1_000.0, 5.0, 100), &["FewerErrors shop"]);
        check(red(1_000.0, 0.0, 10), red(1_000.0, 0.0, 16), &["Slower shop"]);
        check(red(1_000.0, 0.0, 16), red(1_000.0, 0.0, 10), &["Faster shop"]);
        check(red(1_000.0, 0.0, 10), red(2_400.0, 0.0, 10), &["Busier shop"]);
        check(red(1_000.0, 0.0, 10), red(30.0, 0.0, 10), &["Quieter shop"]);
        check(red(100.0, 0.0, 100), red(1_000.0, 100.0, 400), &["MoreErrors shop", "Slower shop", "Busier shop"]);
    }

    #[test]
    fn what_is_seldom_called_is_neither_new_nor_gone() {
        let rare =
            map(&[("a", NodeKind::Service, red(900.0, 0.0, 1)), ("rare", NodeKind::Service, red(3.0, 0.0, 1))], &[]);
        let without = map(&[("a", NodeKind::Service, red(900.0, 0.0, 1))], &[]);
        assert_eq!(told(&of(without.clone(), rare.clone())), [""; 0]);
        assert_eq!(told(&of(rare.clone(), without.clone())), [""; 0]);
        // Ten calls in a quarter of an hour say nothing about ten seconds.
        let ten =
            map(&[("a", NodeKind::Service, red(900.0, 0.0, 1)), ("ten", NodeKind::Service, red(10.0, 0.0, 1))], &[]);
        assert_eq!(told(&of(without.clone(), ten.clone())), ["New ten"]);
        let short = Pair { before: 10.0, now: 900.0 };
        assert_eq!(told(&TopologyDiff::of(Pair { before: without, now: ten }, short)), [""; 0]);
    }

    #[test]
    fn new_edges_are_explained_by_new_nodes_and_hosts_outside_come_first() {
        let busy = red(900.0, 0.0, 1);
        let before = map(
            &[("a", NodeKind::Service, busy), ("b", NodeKind::Service, busy), ("old", NodeKind::Database, busy)],
            &[("a", "old", busy)],
        );
        let now = map(
            &[
                ("a", NodeKind::Service, busy),
                ("b", NodeKind::Service, busy),
                ("bank", NodeKind::External, busy),
                ("c", NodeKind::Service, busy),
            ],
            &[("a", "b", busy), ("a", "bank", busy), ("c", "b", busy)],
        );
        let diff = of(before, now);
        let expected = [
            "NewExternal bank",
            "Gone old",
            "New c",
            "New a>b",
            "Gone a>old by old",
            "New c>b by c",
            "New a>bank by bank",
        ];
        assert_eq!(told(&diff), expected);
        let union = diff.union();
        assert_eq!((union.nodes.len(), union.edges.len()), (5, 4), "what is gone is on the map too");
    }

    #[test]
    fn what_follows_from_a_callee_comes_after_it() {
        let at = |errors: f64| red(1_000.0, errors, 20);
        let chain = |errors: f64| {
            map(
                &[
                    ("web", NodeKind::Client, at(errors)),
                    ("shop", NodeKind::Service, at(errors)),
                    ("bank", NodeKind::External, at(errors)),
                ],
                &[("web", "shop", at(errors)), ("shop", "bank", at(errors))],
            )
        };
        let expected = [
            "MoreErrors bank",
            "MoreErrors shop by bank",
            "MoreErrors web by shop",
            "MoreErrors shop>bank by bank",
            "MoreErrors web>shop by shop",
        ];
        let found = told(&of(chain(0.0), chain(200.0)));
        assert_eq!(found[0], expected[0]);
        let (mut found, mut all) = (found, expected.map(str::to_owned).to_vec());
        found.sort();
        all.sort();
        assert_eq!(found, all);
    }

    #[test]
    fn an_empty_past_changes_nothing_and_says_so() {
        let now = map(&[("a", NodeKind::Service, red(900.0, 0.0, 1))], &[]);
        let diff = of(Topology::default(), now);
        assert_eq!(diff.changes, []);
        assert!(diff.partial.is_some_and(|why| why.contains("compared with")));
    }
}
