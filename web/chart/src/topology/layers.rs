//! Which column each node stands in.

use super::{Graph, Seed};

type Edges = Vec<Vec<(usize, usize)>>;

/// The column of each node: right of everything that calls it, and no further left than it stood before.
///
/// `out` must be free of cycles. Columns without nodes are closed up.
pub(crate) fn layers(graph: &Graph, out: &Edges, starts: &[usize], seed: &Seed) -> Vec<usize> {
    let order = topological(out, starts);
    let mut layer: Vec<usize> = (0..out.len()).map(|n| seed.layer(n).unwrap_or(0)).collect();
    for &node in &order {
        for &(target, _) in &out[node] {
            layer[target] = layer[target].max(layer[node] + 1);
        }
    }
    tighten(graph, out, &order, seed, &mut layer);
    close_up(graph, out, &mut layer);
    layer
}

/// Callers before callees.
fn topological(out: &Edges, starts: &[usize]) -> Vec<usize> {
    let mut missing = vec![0; out.len()];
    out.iter().flatten().for_each(|t| missing[t.0] += 1);
    let mut ready: std::collections::VecDeque<usize> = starts.iter().copied().filter(|n| missing[*n] == 0).collect();
    let mut order = Vec::with_capacity(out.len());
    while let Some(node) = ready.pop_front() {
        order.push(node);
        for &(target, _) in &out[node] {
            missing[target] -= 1;
            if missing[target] == 0 {
                ready.push_back(target);
            }
        }
    }
    order
}

/// Moves nodes that call more than they are called towards what they call, so that edges get short. Clients keep to
/// the left edge, known nodes to their column.
fn tighten(graph: &Graph, out: &Edges, order: &[usize], seed: &Seed, layer: &mut [usize]) {
    let mut callers = vec![0; out.len()];
    out.iter().flatten().for_each(|t| callers[t.0] += 1);
    for &node in order.iter().rev() {
        let fixed = graph.nodes[node].kind.is_caller_only() || seed.layer(node).is_some();
        if fixed || out[node].len() <= callers[node] {
            continue;
        }
        if let Some(nearest) = out[node].iter().map(|t| layer[t.0]).min() {
            layer[node] = layer[node].max(nearest - 1);
        }
    }
}

fn close_up(graph: &Graph, out: &Edges, layer: &mut [usize]) {
    let mut has_calls = vec![false; graph.nodes.len()];
    for (node, targets) in out.iter().enumerate() {
        for target in targets {
            has_calls[node] = true;
            has_calls[target.0] = true;
        }
    }
    let mut used: Vec<usize> = (0..layer.len()).filter(|n| has_calls[*n]).map(|n| layer[n]).collect();
    used.sort_unstable();
    used.dedup();
    for l in layer.iter_mut() {
        *l = used.partition_point(|u| u < l);
    }
}
