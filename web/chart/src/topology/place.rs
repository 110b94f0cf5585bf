//! Coordinates: columns side by side, nodes level with what they talk to, never overlapping.

use super::{Graph, Layout, Net, Placed, Seed, order};
use crate::spread::spread;

/// Free space between two nodes of a column.
const NODE_GAP: f64 = 26.0;
/// Free space between a passing edge and a node, and between two passing edges.
const EDGE_GAP: f64 = 14.0;
/// Free space between columns: room for curves and their labels.
const COLUMN_GAP: f64 = 80.0;
const LEAST_COLUMN_GAP: f64 = 56.0;
/// Between the map and the rows of nodes without calls, and between those.
const BELOW: f64 = 56.0;

/// One column's extent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) left: f64,
    pub(crate) right: f64,
}

/// Columns and the middle y of each node and dummy.
pub(crate) fn place(net: &Net, graph: &Graph, seed: &Seed, previous: Option<&Layout>) -> (Vec<Column>, Vec<f64>) {
    let before = previous.map(|p| p.columns.as_slice()).unwrap_or_default();
    let y = if seed.is_empty() { fresh(net) } else { anchored(net) };
    (columns(net, graph, before), y.into_iter().map(f64::round).collect())
}

fn columns(net: &Net, graph: &Graph, before: &[f64]) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::with_capacity(net.columns.len());
    for (i, members) in net.columns.iter().enumerate() {
        let width = members.iter().filter(|n| !net.is_dummy(**n)).map(|n| graph.nodes[*n].width).fold(0.0, f64::max);
        let end = columns.last().map(|c| c.right);
        let left = match (before.get(i), end) {
            (Some(old), Some(end)) => old.max(end + LEAST_COLUMN_GAP),
            (Some(old), None) => *old,
            (None, Some(end)) => end + COLUMN_GAP,
            (None, None) => 0.0,
        };
        columns.push(Column { left, right: left + width });
    }
    columns
}

/// How far apart the middles of two neighbours in a column must be.
fn separation(net: &Net, a: usize, b: usize) -> f64 {
    let gap = if net.is_dummy(a) || net.is_dummy(b) { EDGE_GAP } else { NODE_GAP };
    (net.height[a] + net.height[b]) / 2.0 + gap
}

/// Sweeps to and fro, each node pulled to the level of its neighbours. Long edges pull hardest at their bends, so
/// they run straight.
fn fresh(net: &Net) -> Vec<f64> {
    let mut y = stacked(net);
    let count = net.columns.len();
    for round in 0..16 {
        for step in 0..count {
            let column = if round % 2 == 0 { step } else { count - 1 - step };
            let sides = match round {
                r if r >= 12 => Sides::Both,
                r if r % 2 == 0 => Sides::Left,
                _ => Sides::Right,
            };
            settle(net, column, &mut y, |n, y| pull(net, n, y, sides).map(|to| (to, 1.0)).unwrap_or((y[n], 0.05)));
        }
    }
    y
}

/// Like [`fresh`], but the known hold on to their place and only give way to make room.
fn anchored(net: &Net) -> Vec<f64> {
    const NODE_HOLD: f64 = 1_000.0;
    const BEND_HOLD: f64 = 30.0;
    let mut y = order::wishes(net);
    for round in 0..6 {
        for step in 0..net.columns.len() {
            let column = if round % 2 == 0 { step } else { net.columns.len() - 1 - step };
            settle(net, column, &mut y, |n, y| match net.anchor[n] {
                Some(old) => (old, if net.is_dummy(n) { BEND_HOLD } else { NODE_HOLD }),
                None => (pull(net, n, y, Sides::Both).unwrap_or(y[n]), 1.0),
            });
        }
    }
    y
}

fn settle(net: &Net, column: usize, y: &mut [f64], wish: impl Fn(usize, &[f64]) -> (f64, f64)) {
    let members = &net.columns[column];
    let wanted: Vec<(f64, f64)> = members.iter().map(|n| wish(*n, y)).collect();
    let settled = spread(&wanted, |i| separation(net, members[i], members[i + 1]), f64::MIN, f64::MAX);
    members.iter().zip(settled).for_each(|(n, at)| y[*n] = at);
}

#[derive(Clone, Copy, PartialEq)]
enum Sides {
    Left,
    Right,
    Both,
}

/// The weighted mean level of a node's neighbours.
fn pull(net: &Net, node: usize, y: &[f64], sides: Sides) -> Option<f64> {
    let (left, right): (&[usize], &[usize]) = (&net.left[node], &net.right[node]);
    let near = match sides {
        Sides::Left => left.iter().chain(&[]),
        Sides::Right => right.iter().chain(&[]),
        Sides::Both => left.iter().chain(right),
    };
    let (mut sum, mut total) = (0.0, 0.0);
    for &other in near {
        let weight = match (net.is_dummy(node), net.is_dummy(other)) {
            (true, true) => 8.0,
            (false, false) => 1.0,
            _ => 2.0,
        };
        sum += y[other] * weight;
        total += weight;
    }
    (total > 0.0).then(|| sum / total)
}

fn stacked(net: &Net) -> Vec<f64> {
    let mut y = vec![0.0; net.layer.len()];
    for members in &net.columns {
        let mut at = 0.0;
        for (i, &node) in members.iter().enumerate() {
            if i > 0 {
                at += separation(net, members[i - 1], node);
            }
            y[node] = at;
        }
        members.iter().for_each(|n| y[*n] -= at / 2.0);
    }
    y
}

/// The nodes with calls at their places; those without stay at the origin with no layer.
pub(crate) fn nodes(net: &Net, graph: &Graph, columns: &[Column], y: &[f64]) -> Vec<Placed> {
    let mut placed: Vec<Placed> = graph
        .nodes
        .iter()
        .map(|n| Placed { id: n.id.clone(), width: n.width, height: n.height, ..Placed::default() })
        .collect();
    for (layer, members) in net.columns.iter().enumerate() {
        for &node in members.iter().filter(|n| !net.is_dummy(**n)) {
            placed[node].x = columns[layer].left;
            placed[node].y = (y[node] - placed[node].height / 2.0).round();
            placed[node].layer = Some(layer);
        }
    }
    placed
}

/// Sets nodes without calls in rows below the map, known ones first and in their old order.
pub(crate) fn isolated(nodes: &mut [Placed], graph: &Graph, previous: Option<&Layout>) {
    let (left, _, right, bottom) = bounds_of(nodes.iter().filter(|n| n.layer.is_some()));
    let alone: Vec<usize> = (0..nodes.len()).filter(|n| nodes[*n].layer.is_none()).collect();
    let old = |n: usize| {
        let known = previous.and_then(|p| p.nodes.iter().find(|o| o.id == graph.nodes[n].id && o.layer.is_none()));
        known.map(|o| (o.y, o.x))
    };
    let mut keyed: Vec<_> = alone.into_iter().map(|n| (old(n), n)).collect();
    keyed.sort_by(|(a, i), (b, j)| {
        let by_id = (graph.nodes[*i].kind, &graph.nodes[*i].id).cmp(&(graph.nodes[*j].kind, &graph.nodes[*j].id));
        match (a, b) {
            (Some(a), Some(b)) => a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)).then(by_id),
            (None, None) => by_id,
            (a, b) => b.is_some().cmp(&a.is_some()),
        }
    });
    let first_row = if right > left { bottom + BELOW } else { 0.0 };
    let kept_row = keyed.iter().filter_map(|k| k.0).map(|k| k.0).fold(f64::INFINITY, f64::min);
    let top = if kept_row.is_finite() { first_row.max(kept_row) } else { first_row };
    rows(nodes, keyed.iter().map(|k| k.1), (left, top), (right - left).max(720.0));
}

fn rows(nodes: &mut [Placed], order: impl Iterator<Item = usize>, origin: (f64, f64), width: f64) {
    let (mut x, mut y, mut row) = (origin.0, origin.1, 0.0f64);
    for n in order {
        if x > origin.0 && x + nodes[n].width > origin.0 + width {
            (x, y, row) = (origin.0, y + row + NODE_GAP, 0.0);
        }
        (nodes[n].x, nodes[n].y) = (x, y);
        x += nodes[n].width + NODE_GAP;
        row = row.max(nodes[n].height);
    }
}

/// The top edge nearest to where a node stands at which it covers no other.
pub(crate) fn free_level(nodes: &[Placed], at: usize) -> f64 {
    let node = &nodes[at];
    let shares_column = |o: &Placed| o.x < node.x + node.width && node.x < o.x + o.width;
    let others = nodes.iter().enumerate().filter(|(i, o)| *i != at && shares_column(o));
    // Where its top edge may not be.
    let taken: Vec<(f64, f64)> =
        others.map(|(_, o)| (o.y - node.height - EDGE_GAP, o.y + o.height + EDGE_GAP)).collect();
    let is_free = |y: &f64| taken.iter().all(|t| *y <= t.0 || *y >= t.1);
    let levels = taken.iter().flat_map(|t| [t.0, t.1]).filter(is_free);
    levels.min_by(|a, b| (a - node.y).abs().total_cmp(&(b - node.y).abs())).unwrap_or(node.y)
}

/// (left, top, right, bottom) around all nodes.
pub(crate) fn bounds(nodes: &[Placed]) -> (f64, f64, f64, f64) {
    bounds_of(nodes.iter())
}

fn bounds_of<'a>(nodes: impl Iterator<Item = &'a Placed>) -> (f64, f64, f64, f64) {
    let grow = |b: Option<(f64, f64, f64, f64)>, n: &Placed| {
        let (right, bottom) = (n.x + n.width, n.y + n.height);
        Some(match b {
            None => (n.x, n.y, right, bottom),
            Some(b) => (b.0.min(n.x), b.1.min(n.y), b.2.max(right), b.3.max(bottom)),
        })
    };
    nodes.fold(None, grow).unwrap_or_default()
}
