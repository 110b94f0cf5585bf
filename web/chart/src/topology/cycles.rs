//! Which edges to turn around so that calls flow one way.

use super::{Graph, Seed};

/// For each edge whether it is laid out against its direction. What remains has no cycle.
///
/// Only edges inside a strongly connected component are ever turned: first those that ran backwards in the
/// previous layout, then the back edges of a depth-first search from the callers.
pub(crate) fn reversed(graph: &Graph, starts: &[usize], seed: &Seed) -> Vec<bool> {
    let component = components(graph, starts);
    let ran_backwards = |from: usize, to: usize| match (seed.layer(from), seed.layer(to)) {
        (Some(a), Some(b)) => a > b,
        _ => false,
    };
    let mut reversed: Vec<bool> = graph
        .edges
        .iter()
        .map(|e| is_usable(graph, e) && component[e.from] == component[e.to] && ran_backwards(e.from, e.to))
        .collect();
    let out = successors(graph, &reversed);
    let mut state = vec![State::New; graph.nodes.len()];
    for &start in starts {
        turn_back_edges(start, &out, &mut state, &mut reversed);
    }
    reversed
}

/// Self-calls and dangling edges take no part in the layout.
pub(crate) fn is_usable(graph: &Graph, edge: &super::EdgeSpec) -> bool {
    edge.from != edge.to && edge.from < graph.nodes.len() && edge.to < graph.nodes.len()
}

/// (target, edge) by node, in the direction of the layout.
pub(crate) fn successors(graph: &Graph, reversed: &[bool]) -> Vec<Vec<(usize, usize)>> {
    let mut out = vec![Vec::new(); graph.nodes.len()];
    for (i, e) in graph.edges.iter().enumerate().filter(|(_, e)| is_usable(graph, e)) {
        let (from, to) = if reversed[i] { (e.to, e.from) } else { (e.from, e.to) };
        out[from].push((to, i));
    }
    for targets in &mut out {
        targets.sort_by(|a, b| graph.nodes[a.0].id.cmp(&graph.nodes[b.0].id).then(a.1.cmp(&b.1)));
    }
    out
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    Open,
    Done,
}

fn turn_back_edges(start: usize, out: &[Vec<(usize, usize)>], state: &mut [State], reversed: &mut [bool]) {
    if state[start] != State::New {
        return;
    }
    let mut stack = vec![(start, 0)];
    state[start] = State::Open;
    while let Some((node, next)) = stack.last_mut() {
        let Some(&(target, edge)) = out[*node].get(*next) else {
            state[*node] = State::Done;
            stack.pop();
            continue;
        };
        *next += 1;
        match state[target] {
            State::New => {
                state[target] = State::Open;
                stack.push((target, 0));
            }
            State::Open => reversed[edge] = !reversed[edge],
            State::Done => {}
        }
    }
}

/// The strongly connected component of each node (Tarjan, iterative).
fn components(graph: &Graph, starts: &[usize]) -> Vec<usize> {
    let out = successors(graph, &vec![false; graph.edges.len()]);
    let mut tarjan = Tarjan {
        index: vec![usize::MAX; out.len()],
        low: vec![0; out.len()],
        component: vec![usize::MAX; out.len()],
        ..Tarjan::default()
    };
    for &start in starts {
        tarjan.visit(start, &out);
    }
    tarjan.component
}

#[derive(Default)]
struct Tarjan {
    index: Vec<usize>,
    low: Vec<usize>,
    component: Vec<usize>,
    open: Vec<usize>,
    visited: usize,
    found: usize,
}

impl Tarjan {
    fn visit(&mut self, start: usize, out: &[Vec<(usize, usize)>]) {
        if self.index[start] != usize::MAX {
            return;
        }
        self.enter(start);
        let mut stack = vec![(start, 0)];
        while let Some(&mut (node, ref mut next)) = stack.last_mut() {
            if let Some(&(target, _)) = out[node].get(*next) {
                *next += 1;
                if self.index[target] == usize::MAX {
                    self.enter(target);
                    stack.push((target, 0));
                } else if self.component[target] == usize::MAX {
                    self.low[node] = self.low[node].min(self.index[target]);
                }
                continue;
            }
            stack.pop();
            if let Some(&(parent, _)) = stack.last() {
                self.low[parent] = self.low[parent].min(self.low[node]);
            }
            if self.low[node] == self.index[node] {
                self.close(node);
            }
        }
    }

    fn enter(&mut self, node: usize) {
        self.index[node] = self.visited;
        self.low[node] = self.visited;
        self.visited += 1;
        self.open.push(node);
    }

    fn close(&mut self, root: usize) {
        while let Some(node) = self.open.pop() {
            self.component[node] = self.found;
            if node == root {
                break;
            }
        }
        self.found += 1;
    }
}
