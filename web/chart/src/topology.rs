//! Where the services of a map go: our own layered layout, callers left of what they call.
//!
//! The steps are Sugiyama's: break cycles, assign layers, order within layers, place, route. Two things are ours:
//! a previous [`Layout`] is the seed of the next one, so that a refresh does not move the map, and databases, queues
//! and outside systems stand right of their callers because nothing they call is known.
//!
//! Everything is deterministic: the same graph and the same seed give the same layout, bit for bit.
//!
//! ```
//! use orrery_chart::topology::{EdgeSpec, Graph, Kind, NodeSpec, layout};
//!
//! let mut graph = Graph::default();
//! for (id, kind) in [("web", Kind::Client), ("shop", Kind::Service), ("db", Kind::Database)] {
//!     graph.nodes.push(NodeSpec { id: id.into(), kind, width: 160.0, height: 46.0 });
//! }
//! graph.edges = vec![EdgeSpec { from: 0, to: 1 }, EdgeSpec { from: 1, to: 2 }];
//! let map = layout(&graph, None);
//! assert!(map.nodes[0].x < map.nodes[1].x && map.nodes[1].x < map.nodes[2].x);
//! let again = layout(&graph, Some(&map));
//! assert_eq!(map, again);
//! ```

mod cycles;
mod layers;
mod net;
mod order;
mod place;
mod route;

pub use route::Route;

use std::collections::HashMap;

use net::Net;

/// What a node of the map is. Decides its shape, and its side when the calls leave it open.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Kind {
    /// People and programs outside that call us.
    User,
    /// Callers whose spans were not received.
    UnknownCaller,
    /// Only begins calls: web, mobile, chat.
    Client,
    /// Begins work by itself.
    Job,
    /// Passes requests on.
    Gateway,
    /// Any other instrumented service.
    #[default]
    Service,
    /// Several services drawn as one.
    Group,
    /// Issues or checks tokens.
    Auth,
    /// A function.
    Function,
    /// A queue or topic.
    Queue,
    /// A database.
    Database,
    /// A called system that sends no telemetry.
    External,
    /// A model API.
    Model,
}

impl Kind {
    /// Whether the node belongs on the left edge however short its calls are.
    pub fn is_caller_only(self) -> bool {
        matches!(self, Kind::User | Kind::UnknownCaller | Kind::Client)
    }
}

/// A node to lay out.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct NodeSpec {
    /// Stable and unique: how the node is found again in the previous layout.
    pub id: String,
    /// What it is.
    pub kind: Kind,
    /// CSS pixels at zoom 1.
    pub width: f64,
    /// CSS pixels at zoom 1.
    pub height: f64,
}

/// A directed edge between two nodes of [`Graph::nodes`]. Several between the same two are fine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EdgeSpec {
    /// Index of the caller.
    pub from: usize,
    /// Index of the callee.
    pub to: usize,
}

/// What is laid out. Edges that name no node are given an empty route.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Graph {
    /// In any order; positions depend on ids, not on this order.
    pub nodes: Vec<NodeSpec>,
    /// In any order.
    pub edges: Vec<EdgeSpec>,
}

/// A node's place; world units are CSS pixels at zoom 1.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Placed {
    /// As given.
    pub id: String,
    /// Left edge.
    pub x: f64,
    /// Top edge.
    pub y: f64,
    /// As given.
    pub width: f64,
    /// As given.
    pub height: f64,
    /// Column from the left; `None` for nodes without calls, which stand in rows below the map.
    pub layer: Option<usize>,
}

impl Placed {
    /// The middle of the node.
    pub fn center(&self) -> (f64, f64) {
        (self.x + self.width / 2.0, self.y + self.height / 2.0)
    }

    /// Whether two nodes share any area.
    pub fn overlaps(&self, other: &Placed) -> bool {
        self.x < other.x + other.width
            && other.x < self.x + self.width
            && self.y < other.y + other.height
            && other.y < self.y + self.height
    }
}

/// A laid-out map, and the seed of the next one.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Layout {
    /// As in the graph.
    pub nodes: Vec<Placed>,
    /// As in the graph.
    pub edges: Vec<Route>,
    /// (left, top, right, bottom) around all nodes; zeros for an empty map.
    pub bounds: (f64, f64, f64, f64),
    /// The nodes each edge joins, as in the graph.
    pub ends: Vec<EdgeSpec>,
    /// Left edge of each column.
    columns: Vec<f64>,
    /// y of the bends of long edges, by caller and callee id.
    bends: HashMap<(String, String), Vec<f64>>,
}

impl Layout {
    /// The index of a node.
    pub fn find(&self, id: &str) -> Option<usize> {
        self.nodes.iter().position(|n| n.id == id)
    }

    /// This layout on its way from an older one: `share` 0 is the old place of every node both know, 1 is `self`.
    /// New nodes stand in their final place from the start. For drawing only: do not seed with it.
    pub fn tween(&self, old: &Layout, share: f64) -> Layout {
        let places: HashMap<&str, &Placed> = old.nodes.iter().map(|n| (n.id.as_str(), n)).collect();
        let back = (1.0 - share).clamp(0.0, 1.0);
        let shift =
            |n: &Placed| places.get(n.id.as_str()).map_or((0.0, 0.0), |o| ((o.x - n.x) * back, (o.y - n.y) * back));
        self.shifted(&self.nodes.iter().map(shift).collect::<Vec<_>>())
    }

    /// This layout with some nodes where the reader put them: left upper corners, by id. The others stay where they
    /// are; what a pinned node would cover gives way up or down. For drawing only: do not seed with it.
    pub fn pinned(&self, pins: &HashMap<String, (f64, f64)>) -> Layout {
        let pin = |n: &Placed| pins.get(&n.id).copied();
        let held: Vec<usize> = (0..self.nodes.len()).filter(|n| pin(&self.nodes[*n]).is_some()).collect();
        if held.is_empty() {
            return self.clone();
        }
        let mut nodes = self.nodes.clone();
        for node in &mut nodes {
            (node.x, node.y) = pin(node).unwrap_or((node.x, node.y));
        }
        for at in (0..nodes.len()).filter(|n| !held.contains(n)) {
            if held.iter().any(|h| nodes[at].overlaps(&nodes[*h])) {
                nodes[at].y = place::free_level(&nodes, at);
            }
        }
        let shifts: Vec<(f64, f64)> =
            nodes.iter().zip(&self.nodes).map(|(to, from)| (to.x - from.x, to.y - from.y)).collect();
        Layout { bounds: place::bounds(&nodes), ..self.shifted(&shifts) }
    }

    /// Every node moved, and its edges with it.
    fn shifted(&self, shifts: &[(f64, f64)]) -> Layout {
        let mut moved = self.clone();
        for (node, by) in moved.nodes.iter_mut().zip(shifts) {
            (node.x, node.y) = (node.x + by.0, node.y + by.1);
        }
        for (route, ends) in moved.edges.iter_mut().zip(&self.ends) {
            if let (Some(from), Some(to)) = (shifts.get(ends.from), shifts.get(ends.to)) {
                *route = route.shifted(*from, *to);
            }
        }
        moved
    }

    /// The closest node in a direction, for moving the selection with arrow keys; (1, 0) is right.
    pub fn neighbour(&self, node: usize, direction: (f64, f64)) -> Option<usize> {
        let from = self.nodes.get(node)?.center();
        let cost = |i: usize| {
            let to = self.nodes[i].center();
            let (dx, dy) = (to.0 - from.0, to.1 - from.1);
            let (ahead, aside) = (dx * direction.0 + dy * direction.1, (dx * direction.1 - dy * direction.0).abs());
            (ahead > 1.0 && aside <= ahead * 3.0).then_some(ahead + aside * 2.0)
        };
        let costs = (0..self.nodes.len()).filter(|i| *i != node).filter_map(|i| Some((i, cost(i)?)));
        costs.min_by(|a, b| a.1.total_cmp(&b.1)).map(|c| c.0)
    }
}

/// Lays a graph out; with a previous layout, known nodes stay where they are as far as the new calls allow.
///
/// A map that grew piece by piece can end up tangled. So both are tried, and when staying costs far more crossings and
/// detours than starting afresh, the map is laid out afresh: rarely, and then for good.
///
/// Shape: nodes and edges as in `graph`; nodes never overlap. Costs about n log n; a thousand nodes take
/// tens of milliseconds.
///
/// Source: Sugiyama, Tagawa, Toda 1981; Gansner et al. 1993 for the median heuristic; the seeding is ours.
pub fn layout(graph: &Graph, previous: Option<&Layout>) -> Layout {
    let seed = Seed::new(graph, previous);
    if seed.is_empty() {
        return arrange(graph, &seed, previous).0;
    }
    let (stayed, strain) = arrange(graph, &seed, previous);
    let (afresh, ease) = arrange(graph, &Seed::new(graph, None), None);
    if strain > ease * MOST_STRAIN + SMALL_MAP { afresh } else { stayed }
}

/// How much worse than a fresh layout a stable one may be.
const MOST_STRAIN: f64 = 1.4;
/// Strain below which nobody minds: about ten crossings.
const SMALL_MAP: f64 = 600.0;

/// A layout and its strain.
fn arrange(graph: &Graph, seed: &Seed, previous: Option<&Layout>) -> (Layout, f64) {
    let mut net = Net::new(graph, seed);
    order::order(&mut net, seed);
    let (columns, y) = place::place(&net, graph, seed, previous);
    let strain = order::strain(&net, &y);
    let mut nodes = place::nodes(&net, graph, &columns, &y);
    place::isolated(&mut nodes, graph, previous);
    let edges = route::routes(&net, graph, &nodes, &columns, &y);
    let bends = route::bends(&net, graph, &y);
    let bounds = place::bounds(&nodes);
    let columns = columns.iter().map(|c| c.left).collect();
    (Layout { nodes, edges, bounds, ends: graph.edges.clone(), columns, bends }, strain)
}

/// What the previous layout knows about the nodes of this graph.
pub(crate) struct Seed {
    /// (layer, middle y) by node; `None` for new ones and ones that had no calls.
    known: Vec<Option<(usize, f64)>>,
    bends: HashMap<(String, String), Vec<f64>>,
}

impl Seed {
    fn new(graph: &Graph, previous: Option<&Layout>) -> Seed {
        let by_id: HashMap<&str, &Placed> =
            previous.iter().flat_map(|p| &p.nodes).map(|n| (n.id.as_str(), n)).collect();
        let known = |n: &NodeSpec| {
            let placed = by_id.get(n.id.as_str())?;
            Some((placed.layer?, placed.y + placed.height / 2.0))
        };
        Seed {
            known: graph.nodes.iter().map(known).collect(),
            bends: previous.map(|p| p.bends.clone()).unwrap_or_default(),
        }
    }

    fn is_empty(&self) -> bool {
        self.known.iter().all(Option::is_none)
    }

    fn layer(&self, node: usize) -> Option<usize> {
        self.known[node].map(|k| k.0)
    }

    fn bends(&self, from: &str, to: &str) -> Option<&Vec<f64>> {
        self.bends.get(&(from.to_owned(), to.to_owned()))
    }
}

#[cfg(test)]
pub(crate) mod tests;
