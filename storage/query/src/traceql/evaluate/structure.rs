//! How the spans of a trace lie within each other.

use super::view::TraceView;
use std::cell::OnceCell;

/// No parent.
pub(crate) const NONE: u32 = u32::MAX;

/// A trace with what was worked out about it, once and only if asked for.
pub(crate) struct Trace<'a> {
    pub(crate) view: &'a dyn TraceView,
    structure: OnceCell<Structure>,
    summary: OnceCell<Summary>,
}

/// The nested-set numbers of every span: another lies within it if its numbers do.
pub(crate) struct Structure {
    /// As the view says, but for one span of each cycle.
    pub(crate) parent: Vec<u32>,
    pub(crate) children: Vec<u32>,
    /// From 1.
    pub(crate) left: Vec<u32>,
    pub(crate) right: Vec<u32>,
}

pub(crate) struct Summary {
    /// Nanoseconds.
    pub(crate) duration: i64,
    /// The earliest span that says it has no parent.
    pub(crate) root: Option<usize>,
}

impl<'a> Trace<'a> {
    pub(crate) fn new(view: &'a dyn TraceView) -> Trace<'a> {
        Trace { view, structure: OnceCell::new(), summary: OnceCell::new() }
    }

    pub(crate) fn structure(&self) -> &Structure {
        self.structure.get_or_init(|| Structure::of(self.view))
    }

    pub(crate) fn summary(&self) -> &Summary {
        self.summary.get_or_init(|| {
            let spans = 0..self.view.len();
            let start = spans.clone().map(|span| self.view.start(span)).min().unwrap_or(0);
            let ends = spans.clone().map(|span| self.view.start(span).saturating_add(self.view.duration(span)));
            let duration = ends.max().unwrap_or(0).saturating_sub(start);
            let roots = spans.filter(|span| self.view.parent_span_id(*span).is_none());
            Summary { duration, root: roots.min_by_key(|span| self.view.start(*span)) }
        })
    }
}

impl Structure {
    fn of(view: &dyn TraceView) -> Structure {
        let len = view.len();
        let mut parent: Vec<u32> = (0..len)
            .map(|span| {
                view.parent(span).filter(|parent| *parent < len && *parent != span).map_or(NONE, |parent| parent as u32)
            })
            .collect();
        // Children by parent, one list after the other.
        let mut children = vec![0_u32; len];
        for of in parent.iter().filter(|of| **of != NONE) {
            children[*of as usize] += 1;
        }
        let mut begin = vec![0_u32; len + 1];
        for span in 0..len {
            begin[span + 1] = begin[span] + children[span];
        }
        let mut filled = begin.clone();
        let mut listed = vec![0_u32; begin[len] as usize];
        for (span, parent) in parent.iter().enumerate() {
            if let Some(at) = filled.get_mut(*parent as usize).filter(|_| *parent != NONE) {
                listed[*at as usize] = span as u32;
                *at += 1;
            }
        }
        let mut structure = Numbering { left: vec![0; len], right: vec![0; len], next: 1 };
        for (span, _) in parent.iter().enumerate().filter(|(_, parent)| **parent == NONE) {
            structure.number(span as u32, &begin, &listed);
        }
        // What was not reached lies in or below a cycle, which is cut above the first of its spans met on the way up.
        for span in 0..len {
            if structure.left[span] == 0 {
                let top = on_cycle(span as u32, &parent);
                children[parent[top as usize] as usize] -= 1;
                parent[top as usize] = NONE;
                structure.number(top, &begin, &listed);
            }
        }
        Structure { parent, children, left: structure.left, right: structure.right }
    }
}

struct Numbering {
    left: Vec<u32>,
    right: Vec<u32>,
    next: u32,
}

impl Numbering {
    /// Numbers a span and all below it, without recursion.
    fn number(&mut self, top: u32, begin: &[u32], listed: &[u32]) {
        let mut stack = vec![(top, begin[top as usize])];
        self.left[top as usize] = self.take();
        while let Some((span, at)) = stack.last_mut() {
            if *at == begin[*span as usize + 1] {
                self.right[*span as usize] = self.take();
                stack.pop();
                continue;
            }
            let child = listed[*at as usize];
            *at += 1;
            // Numbered already: the place where a cycle was cut.
            if self.left[child as usize] == 0 {
                self.left[child as usize] = self.take();
                stack.push((child, begin[child as usize]));
            }
        }
    }

    fn take(&mut self) -> u32 {
        self.next += 1;
        self.next - 1
    }
}

/// A span of the cycle that one runs into on the way up (Floyd's tortoise and hare).
fn on_cycle(from: u32, parent: &[u32]) -> u32 {
    let up = |span: u32| parent[span as usize];
    let (mut slow, mut fast) = (up(from), up(up(from)));
    while slow != fast {
        slow = up(slow);
        fast = up(up(fast));
    }
    slow
}
