//! Parents, children and order, as flat arrays.

use super::SpanInput;
use orrery_model::nesting;
use std::collections::HashMap;

/// No span.
pub(crate) const NONE: u32 = nesting::NO_PARENT;

/// The tree of a trace. All arrays are by span index; they are slices, since code for size calls a function for every
/// element of a `Vec`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    parent: Box<[u32]>,
    first_child: Box<[u32]>,
    next_sibling: Box<[u32]>,
    /// The sibling just before.
    pub(crate) previous: Box<[u32]>,
    pub(crate) depth: Box<[u32]>,
    /// Spans of the subtree, itself included.
    pub(crate) size: Box<[u32]>,
    /// Failed spans before a place in `order`; one longer than it.
    pub(crate) errors_before: Box<[u32]>,
    pub(crate) orphan: Box<[bool]>,
    /// Every span once: parents before children, siblings by start.
    pub(crate) order: Box<[u32]>,
    /// Place of a span in `order`.
    pub(crate) position: Box<[u32]>,
    pub(crate) roots: Vec<u32>,
}

impl Tree {
    /// `parents` by index, [`NONE`] where there is none.
    pub(crate) fn new(spans: &[SpanInput], parents: Vec<u32>) -> Tree {
        let n = spans.len();
        let none = || vec![NONE; n].into_boxed_slice();
        let mut tree = Tree {
            parent: parents.into_boxed_slice(),
            first_child: none(),
            next_sibling: none(),
            previous: none(),
            depth: vec![0; n].into_boxed_slice(),
            size: vec![1; n].into_boxed_slice(),
            errors_before: vec![0; n + 1].into_boxed_slice(),
            orphan: vec![false; n].into_boxed_slice(),
            order: none(),
            position: none(),
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
        if !spans.is_sorted_by_key(|span| span.start) {
            by_start.sort_by_key(|s| (spans[*s as usize].start, *s));
        }
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
        let mut place = 0;
        while at != NONE {
            self.position[at as usize] = place;
            self.order[place as usize] = at;
            place += 1;
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
        for (&span, before) in self.order.iter().zip(&mut self.errors_before[1..]) {
            errors += u32::from(spans[span as usize].error);
            *before = errors;
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
