//! The graph made proper: every link joins neighbouring columns, long edges bend at dummies.

use std::collections::HashMap;

use super::{Graph, Seed, cycles, layers};

/// Nodes, then dummies, in columns.
pub(crate) struct Net {
    /// How many of the nodes are real; indices from here on are dummies.
    pub(crate) real: usize,
    /// Column of each node and dummy.
    pub(crate) layer: Vec<usize>,
    /// Height of each node, 0 for dummies.
    pub(crate) height: Vec<f64>,
    /// Neighbours in the column to the left.
    pub(crate) left: Vec<Vec<usize>>,
    /// Neighbours in the column to the right.
    pub(crate) right: Vec<Vec<usize>>,
    /// Each column from top to bottom. Nodes without calls are in none.
    pub(crate) columns: Vec<Vec<usize>>,
    /// Per edge of the graph: its way from left to right, empty if it has none.
    pub(crate) chains: Vec<Vec<usize>>,
    /// Per edge of the graph: laid out from callee to caller.
    pub(crate) reversed: Vec<bool>,
    /// Remembered y of nodes and dummies.
    pub(crate) anchor: Vec<Option<f64>>,
}

impl Net {
    pub(crate) fn new(graph: &Graph, seed: &Seed) -> Net {
        let starts = start_order(graph);
        let reversed = cycles::reversed(graph, &starts, seed);
        let out = cycles::successors(graph, &reversed);
        let layer = layers::layers(graph, &out, &starts, seed);
        let real = graph.nodes.len();
        let mut net = Net {
            real,
            height: graph.nodes.iter().map(|n| n.height).collect(),
            left: vec![Vec::new(); real],
            right: vec![Vec::new(); real],
            columns: Vec::new(),
            chains: Vec::new(),
            anchor: seed.known.iter().map(|k| k.map(|k| k.1)).collect(),
            layer,
            reversed,
        };
        net.link(graph, seed);
        net.fill_columns(&starts);
        net
    }

    pub(crate) fn is_dummy(&self, node: usize) -> bool {
        node >= self.real
    }

    fn link(&mut self, graph: &Graph, seed: &Seed) {
        let mut shared: HashMap<(usize, usize), usize> = HashMap::new();
        let mut by_id: Vec<usize> = (0..graph.edges.len()).collect();
        by_id.sort_by_key(|i| {
            let edge = &graph.edges[*i];
            (graph.nodes.get(edge.from).map(|n| &n.id), graph.nodes.get(edge.to).map(|n| &n.id))
        });
        self.chains = vec![Vec::new(); graph.edges.len()];
        for i in by_id {
            let edge = graph.edges[i];
            if !cycles::is_usable(graph, &edge) {
                continue;
            }
            // Parallel edges bend together; the two directions of a pair do not.
            let twin = shared.entry((edge.from, edge.to)).or_insert(i);
            if *twin == i {
                self.chains[i] = self.chain(graph, seed, i);
            } else {
                self.chains[i] = self.chains[*twin].clone();
            }
        }
    }

    fn chain(&mut self, graph: &Graph, seed: &Seed, i: usize) -> Vec<usize> {
        let edge = graph.edges[i];
        let (from, to) = if self.reversed[i] { (edge.to, edge.from) } else { (edge.from, edge.to) };
        let bends = seed.bends(&graph.nodes[edge.from].id, &graph.nodes[edge.to].id);
        let count = self.layer[to] - self.layer[from] - 1;
        let bends = bends.filter(|b| b.len() == count);
        let mut chain = vec![from];
        for k in 0..count {
            let dummy = self.layer.len();
            self.layer.push(self.layer[from] + 1 + k);
            self.height.push(0.0);
            self.left.push(Vec::new());
            self.right.push(Vec::new());
            self.anchor.push(bends.map(|b| b[k]));
            chain.push(dummy);
        }
        chain.push(to);
        for pair in chain.windows(2) {
            self.right[pair[0]].push(pair[1]);
            self.left[pair[1]].push(pair[0]);
        }
        chain
    }

    /// Fills the columns in depth-first order from the callers, which keeps subtrees together.
    fn fill_columns(&mut self, starts: &[usize]) {
        let depth = self.layer.iter().max().map_or(0, |l| l + 1);
        self.columns = vec![Vec::new(); depth];
        let mut seen = vec![false; self.layer.len()];
        for &start in starts {
            let mut stack = vec![start];
            while let Some(node) = stack.pop() {
                if std::mem::replace(&mut seen[node], true) {
                    continue;
                }
                if !(self.left[node].is_empty() && self.right[node].is_empty()) {
                    self.columns[self.layer[node]].push(node);
                }
                stack.extend(self.right[node].iter().rev());
            }
        }
        while self.columns.last().is_some_and(Vec::is_empty) {
            self.columns.pop();
        }
    }
}

/// Callers first, then by kind and id: the order in which everything that must choose chooses.
fn start_order(graph: &Graph) -> Vec<usize> {
    let mut called = vec![false; graph.nodes.len()];
    for e in graph.edges.iter().filter(|e| cycles::is_usable(graph, e)) {
        called[e.to] = true;
    }
    let mut order: Vec<usize> = (0..graph.nodes.len()).collect();
    order.sort_by(|a, b| {
        let key =
            |n: usize| (!graph.nodes[n].kind.is_caller_only(), called[n], graph.nodes[n].kind, &graph.nodes[n].id);
        key(*a).cmp(&key(*b))
    });
    order
}
