//! What is folded, and the rows that remain.

use super::{Waterfall, tree::Tree};

/// So many neighbouring siblings of one service and name become one row.
pub const FOLD_FROM: usize = 5;

/// One row of the waterfall.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// The span, or the first of a folded run.
    pub span: u32,
    /// Steps from the root.
    pub depth: u32,
    /// How many siblings the row stands for; 0 for a span of its own.
    pub folded: u32,
}

impl Waterfall {
    /// Opens or closes a row: a span's children, or a run of siblings. Nothing happens on a leaf or a row that is
    /// not there.
    pub fn toggle(&mut self, row: usize) {
        let Some(row) = self.rows.get(row).copied() else { return };
        if row.folded > 0 {
            self.unfolded.insert(row.span);
        } else if self.tree.has_children(row.span) {
            let open = &mut self.collapsed[row.span as usize];
            *open = !*open;
        }
        self.rebuild();
    }

    /// Whether the children of a span are hidden.
    pub fn is_collapsed(&self, span: u32) -> bool {
        self.collapsed[span as usize]
    }

    /// Whether the row can be opened or closed.
    pub fn has_toggle(&self, row: &Row) -> bool {
        row.folded > 0 || self.tree.has_children(row.span)
    }

    /// Folds the run of siblings a span is part of again; nothing if it is in none.
    pub fn refold(&mut self, span: u32) {
        let siblings: Vec<u32> = match self.tree.parent(span) {
            Some(parent) => self.tree.children(parent).collect(),
            None => self.tree.roots.clone(),
        };
        let start = siblings.chunk_by(|a, b| self.is_alike(*a, *b)).find(|run| run.contains(&span)).map(|run| run[0]);
        if start.is_some_and(|first| self.unfolded.remove(&first)) {
            self.rebuild();
        }
    }

    /// Opens everything, folds included.
    pub fn expand_all(&mut self) {
        self.collapsed.fill(false);
        self.unfolded.extend(0..self.spans.len() as u32);
        self.rebuild();
    }

    /// Closes every span at `depth` and deeper, and folds runs again. Depth 0 leaves the roots.
    pub fn collapse_from(&mut self, depth: u32) {
        for (span, collapsed) in self.collapsed.iter_mut().enumerate() {
            *collapsed = self.tree.depth[span] >= depth && self.tree.has_children(span as u32);
        }
        self.unfolded.clear();
        self.rebuild();
    }

    /// Opens as many levels as give at most `most` rows, then what leads to errors, then the critical path, as long as
    /// that does not double the number. What a trace should look like at first.
    pub fn collapse_to_fit(&mut self, most: usize) {
        let deepest = self.tree.depth.iter().copied().max().unwrap_or(0);
        self.collapse_from(deepest + 1);
        // Rows only grow with depth, so the deepest fitting one can be searched for.
        let (mut fits, mut over) = (0, deepest + 1);
        if self.rows.len() > most {
            while over - fits > 1 {
                let middle = (fits + over) / 2;
                self.collapse_from(middle);
                if self.rows.len() <= most { fits = middle } else { over = middle }
            }
            self.collapse_from(fits);
        }
        self.open_what_matters(most * 2);
    }

    fn open_what_matters(&mut self, most: usize) {
        let mut room = most.saturating_sub(self.rows.len());
        self.open_while_room(&mut room, Waterfall::has_error_below);
        self.open_while_room(&mut room, |w, span| w.children(span).any(|c| !w.critical_segments(c).is_empty()));
        self.rebuild();
    }

    fn open_while_room(&mut self, room: &mut usize, matters: impl Fn(&Waterfall, u32) -> bool) {
        for i in 0..self.tree.order.len() {
            let span = self.tree.order[i];
            if !self.collapsed[span as usize] || !matters(self, span) {
                continue;
            }
            let cost = self.children(span).count();
            if cost <= *room {
                *room -= cost;
                self.collapsed[span as usize] = false;
            }
        }
    }

    /// Opens whatever hides a span, so that it has a row of its own; returns that row.
    pub fn reveal(&mut self, span: u32) -> Option<usize> {
        let mut at = Some(span);
        while let Some(span) = at {
            at = self.tree.parent(span);
            if let Some(parent) = at {
                self.collapsed[parent as usize] = false;
            }
            let run_start = self.rows_run_start(span);
            self.unfolded.insert(run_start);
        }
        self.rebuild();
        self.row_of(span)
    }

    /// The first of the like siblings next to a span.
    fn rows_run_start(&self, span: u32) -> u32 {
        let first = match self.tree.parent(span) {
            Some(parent) => self.tree.children(parent).next(),
            None => self.tree.roots.first().copied(),
        };
        let mut start = first.unwrap_or(span);
        for sibling in self.tree.siblings_from(start) {
            if !self.is_alike(start, sibling) {
                start = sibling;
            }
            if sibling == span {
                break;
            }
        }
        start
    }

    fn is_alike(&self, a: u32, b: u32) -> bool {
        let (a, b) = (self.span(a), self.span(b));
        (a.name, a.service) == (b.name, b.service)
    }

    pub(super) fn rebuild(&mut self) {
        let mut rows = std::mem::take(&mut self.rows);
        rows.clear();
        let mut stack: Vec<u32> = Vec::new();
        self.push_run(&mut rows, &mut stack, self.tree.roots.first().copied());
        while let Some(span) = stack.pop() {
            self.push_run(&mut rows, &mut stack, Some(span));
        }
        self.rows = rows;
    }

    /// Writes the row of the run that begins with a span, and leaves what follows it on the stack: its children
    /// first, then its later siblings.
    fn push_run(&self, rows: &mut Vec<Row>, stack: &mut Vec<u32>, span: Option<u32>) {
        let Some(span) = span else { return };
        let depth = self.tree.depth[span as usize];
        let run = if self.starts_run(span) {
            self.tree.siblings_from(span).take_while(|s| self.is_alike(span, *s)).count()
        } else {
            1
        };
        if run >= FOLD_FROM && !self.unfolded.contains(&span) {
            rows.push(Row { span, depth, folded: run as u32 });
            stack.extend(self.tree.siblings_from(span).nth(run));
            return;
        }
        rows.push(Row { span, depth, folded: 0 });
        stack.extend(self.tree.siblings_from(span).nth(1));
        if !self.collapsed[span as usize] {
            stack.extend(self.tree.children(span).next());
        }
    }

    /// Whether no like sibling stands just before: asked of each span, so it must not walk.
    fn starts_run(&self, span: u32) -> bool {
        previous_sibling(&self.tree, span).is_none_or(|before| !self.is_alike(before, span))
    }
}

fn previous_sibling(tree: &Tree, span: u32) -> Option<u32> {
    let previous = tree.previous[span as usize];
    (previous != super::tree::NONE).then_some(previous)
}
