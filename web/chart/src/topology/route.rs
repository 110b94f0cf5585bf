//! Edges as smooth curves between ports, with their length known.

use std::collections::HashMap;

use super::{Graph, Net, Placed, place::Column};

type Pt = (f64, f64);

/// An edge's way from caller to callee: cubic Béziers, and the same as a fine polyline with lengths.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Route {
    /// Where the curve leaves the caller; meaningless if `curves` is empty.
    pub start: Pt,
    /// (control, control, end) of each piece.
    pub curves: Vec<[Pt; 3]>,
    /// Points along the way and their distance from the start.
    line: Vec<(Pt, f64)>,
}

/// Pieces a curve is flattened into.
const FINENESS: usize = 14;
/// Distance of two ports on a node's side, if there is room.
const PORT_GAP: f64 = 9.0;

impl Route {
    fn new(start: Pt, curves: Vec<[Pt; 3]>) -> Route {
        let mut line = vec![(start, 0.0)];
        let mut from = start;
        for curve in &curves {
            for i in 1..=FINENESS {
                let p = bezier(from, curve, i as f64 / FINENESS as f64);
                let (last, length) = line[line.len() - 1];
                line.push((p, length + (p.0 - last.0).hypot(p.1 - last.1)));
            }
            from = curve[2];
        }
        Route { start, curves, line }
    }

    /// Length in world units; 0 for an edge that is not drawn.
    pub fn length(&self) -> f64 {
        self.line.last().map_or(0.0, |l| l.1)
    }

    /// Where the curve enters the callee.
    pub fn end(&self) -> Pt {
        self.curves.last().map_or(self.start, |c| c[2])
    }

    /// The point at a distance from the start, and the direction of travel there, radians.
    pub fn at(&self, distance: f64) -> (Pt, f64) {
        let i = self.line.partition_point(|l| l.1 < distance).clamp(1, self.line.len().saturating_sub(1).max(1));
        let (Some(a), Some(b)) = (self.line.get(i - 1), self.line.get(i)) else { return (self.start, 0.0) };
        let share = ((distance - a.1) / (b.1 - a.1).max(1e-9)).clamp(0.0, 1.0);
        let (dx, dy) = (b.0.0 - a.0.0, b.0.1 - a.0.1);
        ((a.0.0 + dx * share, a.0.1 + dy * share), dy.atan2(dx))
    }

    /// Distance of a point from the curve, world units; infinite for an edge that is not drawn.
    pub fn distance_to(&self, p: Pt) -> f64 {
        let pairs = self.line.windows(2).map(|w| to_segment(p, w[0].0, w[1].0));
        pairs.fold(f64::INFINITY, f64::min)
    }

    /// Points along the curve.
    pub fn points(&self) -> impl Iterator<Item = Pt> + '_ {
        self.line.iter().map(|l| l.0)
    }

    /// The route with its ends moved and everything between moved in proportion.
    pub(crate) fn shifted(&self, start: Pt, end: Pt) -> Route {
        if self.curves.is_empty() || (start == (0.0, 0.0) && end == (0.0, 0.0)) {
            return self.clone();
        }
        let last = (self.curves.len() * 3) as f64;
        let shift = |i: usize, p: Pt| {
            let share = i as f64 / last;
            (p.0 + start.0 + (end.0 - start.0) * share, p.1 + start.1 + (end.1 - start.1) * share)
        };
        let curve = |(i, c): (usize, &[Pt; 3])| [0, 1, 2].map(|k| shift(i * 3 + k + 1, c[k]));
        Route::new(shift(0, self.start), self.curves.iter().enumerate().map(curve).collect())
    }

    fn reversed(self) -> Route {
        let mut points: Vec<Pt> = std::iter::once(self.start).chain(self.curves.into_iter().flatten()).collect();
        points.reverse();
        let curves = points[1..].chunks_exact(3).map(|c| [c[0], c[1], c[2]]).collect();
        Route::new(points[0], curves)
    }
}

fn bezier(a: Pt, [b, c, d]: &[Pt; 3], t: f64) -> Pt {
    let u = 1.0 - t;
    let of = |a: f64, b: f64, c: f64, d: f64| u * u * u * a + 3.0 * u * u * t * b + 3.0 * u * t * t * c + t * t * t * d;
    (of(a.0, b.0, c.0, d.0), of(a.1, b.1, c.1, d.1))
}

fn to_segment(p: Pt, a: Pt, b: Pt) -> f64 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let t = ((p.0 - a.0) * dx + (p.1 - a.1) * dy) / (dx * dx + dy * dy).max(1e-9);
    let t = t.clamp(0.0, 1.0);
    (p.0 - a.0 - t * dx).hypot(p.1 - a.1 - t * dy)
}

/// One route per edge of the graph.
pub(crate) fn routes(net: &Net, graph: &Graph, nodes: &[Placed], columns: &[Column], y: &[f64]) -> Vec<Route> {
    let leaving = ports(net, nodes, y, Side::Right);
    let entering = ports(net, nodes, y, Side::Left);
    let route = |i: usize| {
        let (chain, edge) = (&net.chains[i], &graph.edges[i]);
        let [first, middle @ .., last] = chain.as_slice() else {
            return if edge.from == edge.to {
                nodes.get(edge.from).map(own_loop).unwrap_or_default()
            } else {
                Route::default()
            };
        };
        let start = (nodes[*first].x + nodes[*first].width, leaving[&i]);
        let end = (nodes[*last].x, entering[&i]);
        let mut path = Path { at: start, curves: Vec::new() };
        for &dummy in middle {
            let column = columns[net.layer[dummy]];
            path.glide((column.left, y[dummy]));
            path.glide((column.right, y[dummy]));
        }
        path.glide(end);
        let route = Route::new(start, path.curves);
        if net.reversed[i] { route.reversed() } else { route }
    };
    (0..graph.edges.len()).map(route).collect()
}

struct Path {
    at: Pt,
    curves: Vec<[Pt; 3]>,
}

impl Path {
    /// Leaves and arrives level, so that pieces join smoothly.
    fn glide(&mut self, to: Pt) {
        let half = (to.0 - self.at.0) / 2.0;
        self.curves.push([(self.at.0 + half, self.at.1), (to.0 - half, to.1), to]);
        self.at = to;
    }
}

/// A call to oneself: a small loop over the upper right corner.
fn own_loop(node: &Placed) -> Route {
    let (right, top) = (node.x + node.width, node.y);
    let start = (right - 26.0, top);
    Route::new(start, vec![[(right - 26.0, top - 26.0), (right + 24.0, top - 22.0), (right, top + 12.0)]])
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Left,
    Right,
}

/// The y at which each edge meets its node on one side: sorted by where it goes, evenly apart, centred.
fn ports(net: &Net, nodes: &[Placed], y: &[f64], side: Side) -> HashMap<usize, f64> {
    let mut meeting: HashMap<usize, Vec<(f64, usize)>> = HashMap::new();
    for (edge, chain) in net.chains.iter().enumerate().filter(|(_, c)| c.len() > 1) {
        let (node, next) = match side {
            Side::Right => (chain[0], chain[1]),
            Side::Left => (chain[chain.len() - 1], chain[chain.len() - 2]),
        };
        meeting.entry(node).or_default().push((y[next], edge));
    }
    let mut ports = HashMap::new();
    for (node, mut edges) in meeting {
        edges.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let steps = edges.len().saturating_sub(1).max(1) as f64;
        let gap = PORT_GAP.min((nodes[node].height - 16.0).max(0.0) / steps);
        let middle = (edges.len() as f64 - 1.0) / 2.0;
        for (i, (_, edge)) in edges.into_iter().enumerate() {
            ports.insert(edge, nodes[node].center().1 + (i as f64 - middle) * gap);
        }
    }
    ports
}

/// Where long edges bend, for the next layout.
pub(crate) fn bends(net: &Net, graph: &Graph, y: &[f64]) -> HashMap<(String, String), Vec<f64>> {
    let key = |i: usize| (graph.nodes[graph.edges[i].from].id.clone(), graph.nodes[graph.edges[i].to].id.clone());
    let long = net.chains.iter().enumerate().filter(|(_, chain)| chain.len() > 2);
    long.map(|(i, chain)| (key(i), chain[1..chain.len() - 1].iter().map(|d| y[*d]).collect())).collect()
}
