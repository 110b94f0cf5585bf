//! How far a failure reaches: who is affected, who held, and where it begins.
//!
//! Worked out from the edges of a range, not from single requests. A service's failures are laid to the failed calls
//! it made, as far as there are any, each call's share being its share of all failed calls; what is left began in the
//! service itself. A failed call is the callee's fault as far as the callee failed by its own account (or is blamed, if
//! it sends no telemetry); the rest began between the two: refused, timed out, cut off. Failed calls beyond the
//! caller's own failures were handled: retried, or done without. Messages taken from a queue fail their consumer, not
//! who sent them.

use crate::time::Range;
use crate::topology::{EdgeKind, Node, NodeKind, Topology};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Rounds of following failures along edges; deeper chains and long loops are cut off.
const ROUNDS: usize = 64;
/// Failures below which nobody is called affected: less than one in the range.
const LEAST: f64 = 0.5;
/// Share of the failed calls that a caller must have handled to have held.
const HELD: f64 = 0.5;

/// Where failures begin.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Origin {
    /// Id of the node in which they begin; with `caller`, of the callee of the edge on which they do.
    pub node: String,
    /// They begin between this caller and `node`: the call failed, the callee did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// How many of the failures, estimated.
    pub failures: f64,
    /// The same as a share of all failures of the node asked about.
    pub share: f64,
}

/// A caller, direct or not, whose own requests fail because of the node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Affected {
    /// Id of the caller.
    pub node: String,
    /// Nothing instrumented calls it: what it answers, people see.
    pub is_entry: bool,
    /// Calls between it and the node, by the shortest way.
    pub hops: u32,
    /// Share of its requests that go through the node, at most.
    pub through: f64,
    /// Its requests that failed because of the node, estimated.
    pub failures: f64,
    /// The same as a share of all its requests.
    pub share: f64,
}

/// A caller that kept failures to itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Held {
    /// Id of the caller.
    pub node: String,
    /// Id of what it called.
    pub callee: String,
    /// Its calls that failed because of the node.
    pub failed_calls: f64,
    /// Of them, how many did not fail a request of its own.
    pub handled: f64,
    /// Its own failed share.
    pub error_ratio: f64,
}

/// `GET /topology/impact`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Impact {
    /// What was asked for.
    pub range: Range,
    /// The node asked about.
    pub node: String,
    /// Its failures in the range.
    pub failures: f64,
    /// Where they begin, most first.
    pub origins: Vec<Origin>,
    /// Callers that fail because of it, most failures first.
    pub affected: Vec<Affected>,
    /// Callers that did not, most handled first.
    pub held: Vec<Held>,
    /// Its own calls that failed without failing its requests, most handled first.
    pub handled: Vec<Held>,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
}

impl Impact {
    /// Works it out from a map; `None` if the node is not on it.
    pub fn of(map: &Topology, node: &str) -> Option<Impact> {
        let graph = Failures::new(map);
        let at = graph.nodes.iter().position(|found| found.node.id == node)?;
        let shares = graph.shares_due_to(at);
        Some(Impact {
            range: map.range,
            node: node.to_owned(),
            failures: graph.nodes[at].failures,
            origins: graph.origins(at),
            affected: graph.affected(at, &shares),
            held: graph.held(at, &shares),
            handled: graph.handled_by(at),
            partial: map.partial.clone(),
        })
    }
}

/// A node with the calls it makes.
struct Party<'a> {
    node: &'a Node,
    /// Requests asked of it, or calls made by those who only call.
    requests: f64,
    failures: f64,
    calls: Vec<Call>,
    /// Indices of instrumented callers.
    callers: BTreeSet<usize>,
}

#[derive(Clone, Copy, Default)]
struct Call {
    callee: usize,
    count: f64,
    errors: f64,
    /// Of `errors`, those by the callee's own account.
    by_callee: f64,
}

impl Party<'_> {
    fn failed_calls(&self) -> f64 {
        self.calls.iter().map(|call| call.errors).sum()
    }

    /// Share of its failures per failed call of its own.
    fn per_failed_call(&self) -> f64 {
        let all = self.failed_calls().max(self.failures);
        if all > 0.0 { 1.0 / all } else { 0.0 }
    }

    /// People, and callers we know nothing of.
    fn is_outside(&self) -> bool {
        matches!(self.node.kind, NodeKind::User | NodeKind::UnknownCaller)
    }
}

/// The map as who fails because of whom.
struct Failures<'a> {
    nodes: Vec<Party<'a>>,
}

impl<'a> Failures<'a> {
    fn new(map: &'a Topology) -> Failures<'a> {
        let index: HashMap<&str, usize> =
            map.nodes.iter().enumerate().map(|(at, node)| (node.id.as_str(), at)).collect();
        let mut calls: BTreeMap<(usize, usize), Call> = BTreeMap::new();
        for edge in map.edges.iter().filter(|edge| edge.kind != EdgeKind::Consume && edge.caller != edge.callee) {
            let (Some(&caller), Some(&callee)) = (index.get(edge.caller.as_str()), index.get(edge.callee.as_str()))
            else {
                continue;
            };
            let call = calls.entry((caller, callee)).or_insert(Call { callee, ..Call::default() });
            call.count += edge.red.count;
            call.errors += edge.red.errors;
            call.by_callee += edge.callee_errors.min(edge.red.errors);
        }
        let party = |node: &'a Node| Party {
            node,
            requests: node.red.count,
            failures: node.red.errors,
            calls: Vec::new(),
            callers: BTreeSet::new(),
        };
        let mut nodes: Vec<Party<'a>> = map.nodes.iter().map(party).collect();
        let mut blamed = vec![0.0; nodes.len()];
        for ((caller, callee), call) in calls {
            nodes[caller].calls.push(call);
            blamed[callee] += call.by_callee;
            if !nodes[caller].is_outside() {
                nodes[callee].callers.insert(caller);
            }
        }
        for (party, blamed) in nodes.iter_mut().zip(blamed) {
            match () {
                () if party.is_outside() => party.failures = party.failed_calls(),
                // What sends no telemetry fails as often as it is blamed.
                () if party.node.service.is_none() => party.failures = blamed,
                () => {}
            }
        }
        Failures { nodes }
    }

    /// For every node the share of its failures that is due to one node: 1 for that node.
    fn shares_due_to(&self, origin: usize) -> Vec<f64> {
        let mut shares = vec![0.0; self.nodes.len()];
        shares[origin] = 1.0;
        for _ in 0..ROUNDS {
            let next: Vec<f64> = (0..self.nodes.len())
                .map(|at| {
                    if at == origin {
                        1.0
                    } else {
                        self.bad_calls(at, origin, &shares).sum::<f64>() * self.nodes[at].per_failed_call()
                    }
                })
                .collect();
            let moved = next.iter().zip(&shares).any(|(a, b)| (a - b).abs() > 1e-6);
            shares = next;
            if !moved {
                break;
            }
        }
        shares
    }

    /// How many of each of a node's calls failed because of the origin.
    fn bad_calls(&self, at: usize, origin: usize, shares: &[f64]) -> impl Iterator<Item = f64> {
        self.nodes[at].calls.iter().map(move |call| self.bad(call, origin, shares))
    }

    /// A call to the origin that fails counts whoever is to blame; further up only what the callee itself answers for.
    fn bad(&self, call: &Call, origin: usize, shares: &[f64]) -> f64 {
        if call.callee == origin { call.errors } else { call.by_callee * shares[call.callee] }
    }

    /// Follows a node's failures down to where they begin.
    fn origins(&self, at: usize) -> Vec<Origin> {
        let total = self.nodes[at].failures;
        if total <= 0.0 {
            return Vec::new();
        }
        let mut begun: BTreeMap<(Option<usize>, usize), f64> = BTreeMap::new();
        let mut moving = BTreeMap::from([(at, 1.0)]);
        for _ in 0..ROUNDS {
            let mut next: BTreeMap<usize, f64> = BTreeMap::new();
            for (node, mass) in moving {
                let per_call = self.nodes[node].per_failed_call();
                let mut own = mass;
                for call in self.nodes[node].calls.iter().filter(|call| call.errors > 0.0) {
                    let (below, between) =
                        (call.by_callee * per_call * mass, (call.errors - call.by_callee) * per_call * mass);
                    *next.entry(call.callee).or_default() += below;
                    *begun.entry((Some(node), call.callee)).or_default() += between;
                    own -= below + between;
                }
                *begun.entry((None, node)).or_default() += own.max(0.0);
            }
            next.retain(|_, mass| *mass > 1e-4);
            moving = next;
            if moving.is_empty() {
                break;
            }
        }
        let id = |at: usize| self.nodes[at].node.id.clone();
        let mut origins: Vec<Origin> = begun
            .into_iter()
            .map(|((caller, node), share)| Origin {
                node: id(node),
                caller: caller.map(id),
                failures: share * total,
                share,
            })
            .filter(|origin| origin.failures >= LEAST && origin.share >= 0.005)
            .collect();
        origins.sort_by(|a, b| b.share.total_cmp(&a.share));
        origins
    }

    fn affected(&self, origin: usize, shares: &[f64]) -> Vec<Affected> {
        let (hops, through) = (self.hops_to(origin), self.through(origin));
        let affected = |at: usize| {
            let party = &self.nodes[at];
            let failures = party.failures * shares[at];
            Affected {
                node: party.node.id.clone(),
                is_entry: party.callers.is_empty(),
                hops: hops[at].unwrap_or(0),
                through: through[at],
                failures,
                share: if party.requests > 0.0 { (failures / party.requests).min(1.0) } else { 0.0 },
            }
        };
        let mut all: Vec<Affected> = (0..self.nodes.len())
            .filter(|at| *at != origin && !self.nodes[*at].is_outside())
            .map(affected)
            .filter(|found| found.failures >= LEAST)
            .collect();
        all.sort_by(|a, b| b.failures.total_cmp(&a.failures).then_with(|| a.node.cmp(&b.node)));
        all
    }

    /// Calls between each node and the origin.
    fn hops_to(&self, origin: usize) -> Vec<Option<u32>> {
        let mut hops = vec![None; self.nodes.len()];
        hops[origin] = Some(0);
        let mut queue = std::collections::VecDeque::from([origin]);
        while let Some(at) = queue.pop_front() {
            let next = hops[at].map(|hops| hops + 1);
            for &caller in &self.nodes[at].callers {
                if hops[caller].is_none() {
                    hops[caller] = next;
                    queue.push_back(caller);
                }
            }
        }
        hops
    }

    /// The largest share of each node's requests that can go through the origin.
    fn through(&self, origin: usize) -> Vec<f64> {
        let mut shares = vec![0.0; self.nodes.len()];
        shares[origin] = 1.0;
        for _ in 0..ROUNDS {
            let of = |at: usize| {
                let party = &self.nodes[at];
                let reach: f64 =
                    party.calls.iter().map(|call| call.count.min(party.requests) * shares[call.callee]).sum();
                match () {
                    () if at == origin => 1.0,
                    () if party.requests > 0.0 => (reach / party.requests).min(1.0),
                    () => 0.0,
                }
            };
            let next: Vec<f64> = (0..self.nodes.len()).map(of).collect();
            if next == shares {
                break;
            }
            shares = next;
        }
        shares
    }

    /// Who called the origin, or somebody it made fail, and did not fail with it.
    fn held(&self, origin: usize, shares: &[f64]) -> Vec<Held> {
        let callers = (0..self.nodes.len()).filter(|at| *at != origin);
        let held = callers.flat_map(|at| {
            let calls = self.nodes[at].calls.iter().map(move |call| (call, self.bad(call, origin, shares)));
            calls.filter_map(move |(call, bad)| self.kept(at, call.callee, bad))
        });
        sorted(held.filter(|held| held.handled >= HELD * held.failed_calls).collect())
    }

    /// Failed calls of a node that did not fail its requests.
    fn handled_by(&self, at: usize) -> Vec<Held> {
        let calls = self.nodes[at].calls.iter();
        sorted(
            calls
                .filter_map(|call| self.kept(at, call.callee, call.errors))
                .filter(|held| held.handled >= LEAST)
                .collect(),
        )
    }

    /// Of some failed calls, those that a node did not pass on. Nothing is claimed of who is asked for nothing.
    fn kept(&self, at: usize, callee: usize, bad: f64) -> Option<Held> {
        let party = &self.nodes[at];
        let passed_on = bad * party.failures * party.per_failed_call();
        (bad >= LEAST && party.requests > 0.0 && !party.is_outside()).then(|| Held {
            node: party.node.id.clone(),
            callee: self.nodes[callee].node.id.clone(),
            failed_calls: bad,
            handled: (bad - passed_on).max(0.0),
            error_ratio: party.node.red.error_ratio(),
        })
    }
}

fn sorted(mut held: Vec<Held>) -> Vec<Held> {
    held.sort_by(|a, b| b.handled.total_cmp(&a.handled).then_with(|| (&a.node, &a.callee).cmp(&(&b.node, &b.callee))));
    held
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{Edge, Red, ServiceRef};

    /// Nodes as (name, requests, failures): capitals send no telemetry. Edges as (caller, callee, calls, failed, of them
    /// by the callee's account).
    fn map(nodes: &[(&str, f64, f64)], edges: &[(&str, &str, f64, f64, f64)]) -> Topology {
        let red = |count: f64, errors: f64| Red { count, errors, ..Red::default() };
        let node = |(name, requests, failures): &(&str, f64, f64)| {
            let inferred = name.chars().all(char::is_uppercase);
            Node {
                id: (*name).to_owned(),
                kind: match *name {
                    "USERS" => NodeKind::User,
                    _ if inferred => NodeKind::External,
                    _ => NodeKind::Service,
                },
                service: (!inferred).then(ServiceRef::default),
                red: red(*requests, *failures),
                ..Node::default()
            }
        };
        let edge = |(caller, callee, calls, failed, by_callee): &(&str, &str, f64, f64, f64)| Edge {
            caller: (*caller).to_owned(),
            callee: (*callee).to_owned(),
            red: red(*calls, *failed),
            callee_errors: *by_callee,
            ..Edge::default()
        };
        Topology {
            nodes: nodes.iter().map(node).collect(),
            edges: edges.iter().map(edge).collect(),
            ..Topology::default()
        }
    }

    /// Users reach checkout through a gateway; checkout pays at a bank and asks for recommendations, which it can do
    /// without; the catalogue has failures of its own.
    fn shop() -> Topology {
        map(
            &[
                ("USERS", 2_000.0, 150.0),
                ("gateway", 2_000.0, 150.0),
                ("checkout", 1_000.0, 100.0),
                ("catalogue", 1_000.0, 50.0),
                ("payment", 1_000.0, 100.0),
                ("BANK", 1_000.0, 100.0),
                ("tips", 1_000.0, 400.0),
            ],
            &[
                ("USERS", "gateway", 2_000.0, 150.0, 150.0),
                ("gateway", "checkout", 1_000.0, 100.0, 100.0),
                ("gateway", "catalogue", 1_000.0, 50.0, 50.0),
                ("checkout", "payment", 1_000.0, 100.0, 100.0),
                ("payment", "BANK", 1_000.0, 100.0, 80.0),
                ("catalogue", "tips", 1_000.0, 400.0, 400.0),
            ],
        )
    }

    fn rounded(value: f64) -> f64 {
        (value * 1_000.0).round() / 1_000.0
    }

    fn affected(map: &Topology, node: &str) -> Vec<(String, u32, f64, f64, f64)> {
        let impact = Impact::of(map, node).unwrap();
        let line = |found: Affected| {
            (found.node, found.hops, rounded(found.through), rounded(found.failures), rounded(found.share))
        };
        impact.affected.into_iter().map(line).collect()
    }

    fn origins(map: &Topology, node: &str) -> Vec<(String, f64)> {
        let name = |origin: Origin| {
            let caller = origin.caller.map_or_else(String::new, |caller| format!("{caller}>"));
            (format!("{caller}{}", origin.node), rounded(origin.failures))
        };
        Impact::of(map, node).unwrap().origins.into_iter().map(name).collect()
    }

    fn handled(held: Vec<Held>) -> Vec<(String, String, f64, f64)> {
        held.into_iter()
            .map(|held| (held.node, held.callee, rounded(held.failed_calls), rounded(held.handled)))
            .collect()
    }

    #[test]
    fn failures_reach_whoever_waits_for_them() {
        let expected = [
            ("gateway".to_owned(), 3, 0.5, 100.0, 0.05),
            ("checkout".to_owned(), 2, 1.0, 100.0, 0.1),
            ("payment".to_owned(), 1, 1.0, 100.0, 0.1),
        ];
        let mut found = affected(&shop(), "BANK");
        found.sort_by_key(|line| std::cmp::Reverse(line.1));
        assert_eq!(found, expected);
        let entries: Vec<String> = Impact::of(&shop(), "BANK")
            .unwrap()
            .affected
            .into_iter()
            .filter(|found| found.is_entry)
            .map(|found| found.node)
            .collect();
        assert_eq!(entries, ["gateway"], "users call the gateway; nothing instrumented does");
    }

    #[test]
    fn who_can_do_without_holds() {
        let impact = Impact::of(&shop(), "tips").unwrap();
        // Fifty of its own failures laid to four hundred failed calls: the others were handled.
        assert_eq!(handled(impact.held), [("catalogue".to_owned(), "tips".to_owned(), 400.0, 350.0)]);
        assert_eq!(rounded(impact.affected.iter().find(|found| found.node == "catalogue").unwrap().failures), 50.0);
        assert_eq!(
            handled(Impact::of(&shop(), "catalogue").unwrap().handled),
            [("catalogue".to_owned(), "tips".to_owned(), 400.0, 350.0)]
        );
        assert_eq!(handled(Impact::of(&shop(), "BANK").unwrap().held), []);
    }

    #[test]
    fn failures_are_counted_where_they_begin() {
        assert_eq!(
            origins(&shop(), "gateway"),
            [("BANK".to_owned(), 80.0), ("tips".to_owned(), 50.0), ("payment>BANK".to_owned(), 20.0)]
        );
        assert_eq!(origins(&shop(), "tips"), [("tips".to_owned(), 400.0)]);
        // Half of what checkout fails with is its own.
        let own = map(&[("checkout", 100.0, 20.0), ("bank", 100.0, 10.0)], &[("checkout", "bank", 100.0, 10.0, 10.0)]);
        assert_eq!(origins(&own, "checkout"), [("checkout".to_owned(), 10.0), ("bank".to_owned(), 10.0)]);
    }

    #[test]
    fn calls_that_time_out_begin_between_the_two() {
        let slow = map(&[("shop", 100.0, 30.0), ("stock", 100.0, 0.0)], &[("shop", "stock", 100.0, 30.0, 0.0)]);
        assert_eq!(origins(&slow, "shop"), [("shop>stock".to_owned(), 30.0)]);
        assert_eq!(
            affected(&slow, "stock"),
            [("shop".to_owned(), 1, 1.0, 30.0, 0.3)],
            "who calls it feels it all the same"
        );
    }

    #[test]
    fn retries_that_succeed_are_handled() {
        // Three tries each, of which the last works: 200 failed calls, no failed request.
        let retrying = map(&[("shop", 100.0, 0.0), ("stock", 300.0, 200.0)], &[("shop", "stock", 300.0, 200.0, 200.0)]);
        let impact = Impact::of(&retrying, "stock").unwrap();
        assert_eq!(impact.affected, []);
        assert_eq!(handled(impact.held), [("shop".to_owned(), "stock".to_owned(), 200.0, 200.0)]);
    }

    #[test]
    fn a_consumer_that_fails_does_not_fail_the_sender() {
        let mut queue = map(
            &[("shop", 100.0, 0.0), ("MAIL", 100.0, 0.0), ("mailer", 100.0, 60.0)],
            &[("shop", "MAIL", 100.0, 0.0, 0.0), ("MAIL", "mailer", 100.0, 60.0, 60.0)],
        );
        queue.edges[1].kind = EdgeKind::Consume;
        let impact = Impact::of(&queue, "mailer").unwrap();
        assert_eq!((impact.affected, impact.held), (vec![], vec![]));
        assert!(impact.failures == 60.0 && Impact::of(&queue, "nobody").is_none());
    }

    #[test]
    fn loops_come_to_an_end() {
        let looping = map(
            &[("a", 100.0, 50.0), ("b", 100.0, 50.0), ("c", 100.0, 10.0)],
            &[("a", "b", 100.0, 50.0, 50.0), ("b", "a", 100.0, 40.0, 40.0), ("b", "c", 100.0, 10.0, 10.0)],
        );
        let [(origin, failures)] = &origins(&looping, "a")[..] else { panic!("one origin") };
        assert!(origin == "c" && (49.9..=50.0).contains(failures), "{failures}");
        let found = affected(&looping, "c");
        assert!(found.iter().all(|line| line.3 <= 50.0) && found.len() == 2, "{found:?}");
    }
}
