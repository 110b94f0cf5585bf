//! Parents, children and order, as flat arrays.

use super::SpanInput;
use orrery_model::nesting;
use std::collections::HashMap;

/// No span.
pub(crate) const NONE: u32 = nesting::NO_PARENT;

/// The tree of a trace. All arrays are by span index.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    parent: Vec<u32>,
    first_child: Vec<u32>,
    next_sibling: Vec<u32>,
    /// The sibling just before.
    pub(crate) previous: Vec<u32>,
    pub(crate) depth: Vec<u32>,
    /// Spans of the subtree, itself included.
    pub(crate) size: Vec<u32>,
    /// Failed spans before a place in `order`; one longer than it.
    pub(crate) errors_before: Vec<u32>,
    pub(crate) orphan: Vec<bool>,
    /// Every span once: parents before children, siblings by start.
    pub(crate) order: Vec<u32>,
    /// Place of a span in `order`.
    pub(crate) position: Vec<u32>,
    pub(crate) roots: Vec<u32>,
}

impl Tree {
    /// `parents` by index, [`NONE`] where there is none.
    pub(crate) fn new(spans: &[SpanInput], parents: Vec<u32>) -> Tree {
        let n = spans.len();
        let mut tree = Tree {
            parent: parents,
            first_child: vec![NONE; n],
            next_sibling: vec![NONE; n],
            previous: vec![NONE; n],
            depth: vec![0; n],
            size: vec![1; n],
            errors_before: Vec::with_capacity(n + 1),
            orphan: vec![false; n],
            order: Vec::with_capacity(n),
            position: vec![NONE; n],
            roots: Vec::new(),
        };
        nesting::open_cycles(&mut tree.parent, |span| spans[span].start);
        tree.link(spans);
        tree.walk();
        tree.sum_up(spans);
        for (i, span) in spans.iter().enumerate() {
            tree.orphan[i] = tree.parent[i] == NONE && span.parent != 0;
        }
        tree
    }

    pub(crate) fn parent(&self, span: u32) -> Option<u32> {
        some(self.parent[span as usize])
    }

    pub(crate) fn children(&self, span: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(some(self.first_child[span as usize]), |s| some(self.next_sibling[*s as usize]))
    }

    /// A span and its later siblings.
    pub(crate) fn siblings_from(&self, span: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(some(span), |s| some(self.next_sibling[*s as usize]))
    }

    pub(crate) fn has_children(&self, span: u32) -> bool {
        self.first_child[span as usize] != NONE
    }

    /// Failed spans among those from one place in `order` to before another.
    pub(crate) fn errors_between(&self, from: u32, to: u32) -> u32 {
        self.errors_before[to as usize] - self.errors_before[from as usize]
    }

    fn link(&mut self, spans: &[SpanInput]) {
        let mut by_start: Vec<u32> = (0..spans.len() as u32).collect();
        by_start.sort_by_key(|s| (spans[*s as usize].start, *s));
        // Backwards, so that pushing to the front leaves siblings in order.
        let mut first_root = NONE;
        for &span in by_start.iter().rev() {
            let head = match self.parent[span as usize] {
                NONE => &mut first_root,
                parent => &mut self.first_child[parent as usize],
            };
            let next = std::mem::replace(head, span);
            self.next_sibling[span as usize] = next;
            if next != NONE {
                self.previous[next as usize] = span;
            }
        }
        self.roots = std::iter::successors(some(first_root), |s| some(self.next_sibling[*s as usize])).collect();
    }

    fn walk(&mut self) {
        let mut at = self.roots.first().copied().unwrap_or(NONE);
        while at != NONE {
            self.position[at as usize] = self.order.len() as u32;
            self.order.push(at);
            let parent = self.parent[at as usize];
            self.depth[at as usize] = if parent == NONE { 0 } else { self.depth[parent as usize] + 1 };
            let mut next = self.first_child[at as usize];
            while next == NONE && at != NONE {
                next = self.next_sibling[at as usize];
                at = self.parent[at as usize];
            }
            at = next;
        }
    }

    fn sum_up(&mut self, spans: &[SpanInput]) {
        for &span in self.order.iter().rev() {
            let parent = self.parent[span as usize];
            if parent != NONE {
                self.size[parent as usize] += self.size[span as usize];
            }
        }
        let mut errors = 0;
        self.errors_before.push(0);
        for &span in &self.order {
            errors += u32::from(spans[span as usize].error);
            self.errors_before.push(errors);
        }
    }
}

fn some(span: u32) -> Option<u32> {
    (span != NONE).then_some(span)
}

/// The parent of each span by its id; of spans with the same id the first one gets the children.
pub(crate) fn parents(spans: &[SpanInput]) -> Vec<u32> {
    let mut by_id: HashMap<u64, u32> = HashMap::with_capacity(spans.len());
    for (i, span) in spans.iter().enumerate() {
        by_id.entry(span.id).or_insert(i as u32);
    }
    let parent = |(i, span): (usize, &SpanInput)| {
        let found = if span.parent == 0 { None } else { by_id.get(&span.parent).copied() };
        found.filter(|p| *p != i as u32).unwrap_or(NONE)
    };
    spans.iter().enumerate().map(parent).collect()
}
