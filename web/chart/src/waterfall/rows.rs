//! What is folded, and the rows that remain.

use super::{Waterfall, tree::Tree};
use std::collections::{HashMap, VecDeque};

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
    /// Which log record it is instead of the span that wrote it: a place in [`Waterfall::logs`].
    pub log: Option<u32>,
}

/// A log record among the rows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LogLine {
    /// The span that wrote it; it stands at the first root without one.
    pub span: Option<u32>,
    /// Unix nanoseconds.
    pub time: i64,
    /// What it says.
    pub text: String,
    /// How bad it is.
    pub level: LogLevel,
}

/// How bad a log record is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogLevel {
    /// Not at all.
    #[default]
    Fine,
    /// A warning.
    Warning,
    /// An error, or worse.
    Error,
}

/// The spans of large folds, in order of their starts: too many to look at for every picture.
#[derive(Clone, Debug, Default)]
pub(super) struct Folds {
    spans: Vec<u32>,
    /// By first span: where its run is in `spans`, and its latest end.
    runs: HashMap<u32, (usize, usize, i64)>,
}

/// A run of so many is kept in [`Folds`].
const LARGE: usize = 256;

impl Waterfall {
    /// The spans of a large fold by start, and their latest end; `None` for other rows.
    pub(super) fn large_fold(&self, row: &Row) -> Option<(&[u32], i64)> {
        let (from, to, end) = *self.folds.runs.get(&row.span).filter(|_| row.folded > 0)?;
        Some((&self.folds.spans[from..to], end))
    }

    /// Opens or closes a row: a span's children, or a run of siblings. Nothing happens on a leaf or a row that is
    /// not there.
    pub fn toggle(&mut self, row: usize) {
        let Some(row) = self.rows.get(row).copied().filter(|row| row.log.is_none()) else { return };
        if row.folded > 0 {
            self.unfolded[row.span as usize] = true;
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

    /// Shows log records below the spans that wrote them, where those have rows of their own; none to hide them.
    pub fn set_logs(&mut self, mut logs: Vec<LogLine>) {
        let first = self.tree.roots.first().copied();
        logs.iter_mut().for_each(|line| line.span = line.span.filter(|span| (*span as usize) < self.len()).or(first));
        logs.sort_by_key(|line| (line.span, line.time));
        self.logs = logs;
        self.rebuild();
    }

    /// The log records, by span and time.
    pub fn logs(&self) -> &[LogLine] {
        &self.logs
    }

    /// Whether the row can be opened or closed.
    pub fn has_toggle(&self, row: &Row) -> bool {
        row.log.is_none() && (row.folded > 0 || self.tree.has_children(row.span))
    }

    /// Folds the run of siblings a span is part of again; nothing if it is in none.
    pub fn refold(&mut self, span: u32) {
        let start = self.run_start(span);
        if std::mem::take(&mut self.unfolded[start as usize]) {
            self.rebuild();
        }
    }

    /// Opens everything, folds included.
    pub fn expand_all(&mut self) {
        self.collapsed.fill(false);
        self.unfolded.fill(true);
        self.rebuild();
    }

    /// Closes every span at `depth` and deeper, and folds runs again. Depth 0 leaves the roots.
    pub fn collapse_from(&mut self, depth: u32) {
        for (span, collapsed) in self.collapsed.iter_mut().enumerate() {
            *collapsed = self.tree.depth[span] >= depth && self.tree.has_children(span as u32);
        }
        self.unfolded.fill(false);
        self.rebuild();
    }

    /// Opens as many levels as give at most `most` rows, then what leads to errors, then the critical path, as long as
    /// that does not double the number. What a trace should look like at first.
    pub fn collapse_to_fit(&mut self, most: usize) {
        self.unfolded.fill(false);
        // A level is hidden by closing the one above.
        self.collapse_from(self.levels_within(most).map_or(u32::MAX, |levels| levels.saturating_sub(1)));
        self.open_what_matters(most * 2);
    }

    /// How many levels together have at most so many rows; `None` if all of them do. Folds hide what is below them.
    pub(super) fn levels_within(&self, most: usize) -> Option<u32> {
        let mut level: Vec<u32> = self.tree.roots.first().copied().into_iter().collect();
        let (mut levels, mut rows) = (0, 0);
        while !level.is_empty() {
            let mut below = Vec::new();
            for first in level {
                let mut next = Some(first);
                while let Some(span) = next {
                    rows += 1;
                    if rows > most {
                        return Some(levels);
                    }
                    let folded = self.folded(span);
                    if folded == 0 {
                        below.extend(self.tree.children(span).next());
                    }
                    next = self.tree.siblings_from(span).nth(folded.max(1));
                }
            }
            (level, levels) = (below, levels + 1);
        }
        None
    }

    fn open_what_matters(&mut self, most: usize) {
        let mut room = most.saturating_sub(self.rows.len());
        self.open_while_room(&mut room, Waterfall::has_error_below);
        self.open_while_room(&mut room, |w, span| w.children(span).any(|c| !w.critical_segments(c).is_empty()));
    }

    /// Level by level, so that one branch does not take all the room.
    fn open_while_room(&mut self, room: &mut usize, matters: impl Fn(&Waterfall, u32) -> bool) {
        let mut closed: VecDeque<u32> = self.rows.iter().filter(|row| row.folded == 0).map(|row| row.span).collect();
        while let Some(span) = closed.pop_front().filter(|_| *room > 0) {
            if !self.collapsed[span as usize] || !matters(self, span) {
                continue;
            }
            let cost = self.children(span).count();
            if cost <= *room {
                *room -= cost;
                self.collapsed[span as usize] = false;
                closed.extend(self.tree.children(span));
            }
        }
        self.rebuild();
    }

    /// Opens whatever hides a span, so that it has a row of its own; returns that row.
    pub fn reveal(&mut self, span: u32) -> Option<usize> {
        let mut at = Some(span);
        while let Some(span) = at {
            at = self.tree.parent(span);
            if let Some(parent) = at {
                self.collapsed[parent as usize] = false;
            }
            let start = self.run_start(span);
            self.unfolded[start as usize] = true;
        }
        self.rebuild();
        self.row_of(span)
    }

    /// The first of the like siblings next to a span.
    fn run_start(&self, span: u32) -> u32 {
        let mut start = span;
        while let Some(before) = previous_sibling(&self.tree, start).filter(|before| self.is_alike(*before, span)) {
            start = before;
        }
        start
    }

    fn is_alike(&self, a: u32, b: u32) -> bool {
        let (a, b) = (self.span(a), self.span(b));
        (a.name, a.service) == (b.name, b.service)
    }

    pub(super) fn rebuild(&mut self) {
        let (mut rows, mut folds) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.folds));
        rows.clear();
        folds.spans.clear();
        folds.runs.clear();
        let mut stack: Vec<u32> = self.tree.roots.first().copied().into_iter().collect();
        while let Some(span) = stack.pop() {
            self.push_run(&mut rows, &mut folds, &mut stack, span);
        }
        (self.rows, self.folds) = (rows, folds);
    }

    /// Writes the row of the run that begins with a span, and leaves what follows it on the stack: its children
    /// first, then its later siblings.
    fn push_run(&self, rows: &mut Vec<Row>, folds: &mut Folds, stack: &mut Vec<u32>, span: u32) {
        let depth = self.tree.depth[span as usize];
        let run = self.folded(span);
        if run > 0 {
            rows.push(Row { span, depth, folded: run as u32, log: None });
            if run >= LARGE {
                let from = folds.spans.len();
                folds.spans.extend(self.tree.siblings_from(span).take(run));
                let ends = folds.spans[from..].iter().map(|span| self.span(*span).end());
                let end = ends.max().unwrap_or_default();
                folds.runs.insert(span, (from, from + run, end));
            }
            stack.extend(self.tree.siblings_from(span).nth(run));
            return;
        }
        rows.push(Row { span, depth, folded: 0, log: None });
        if !self.logs.is_empty() {
            let first = self.logs.partition_point(|line| line.span < Some(span));
            let own = self.logs[first..].iter().take_while(|line| line.span == Some(span)).count();
            let line = |log: usize| Row { span, depth: depth + 1, folded: 0, log: Some(log as u32) };
            rows.extend((first..first + own).map(line));
        }
        stack.extend(self.tree.siblings_from(span).nth(1));
        if !self.collapsed[span as usize] {
            stack.extend(self.tree.children(span).next());
        }
    }

    /// How many siblings the row that begins with a span stands for; 0 for the span alone.
    fn folded(&self, span: u32) -> usize {
        if !self.starts_run(span) || self.unfolded[span as usize] {
            return 0;
        }
        let alike = self.tree.siblings_from(span).take_while(|sibling| self.is_alike(span, *sibling)).count();
        if alike >= FOLD_FROM { alike } else { 0 }
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
