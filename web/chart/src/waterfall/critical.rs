//! Which spans a trace waited for.

use super::{SpanInput, SpanKind, tree::Tree};

/// What the time on a segment was spent on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TimeKind {
    /// The span's own work.
    Own,
    /// Between a client and its server: network and queues.
    Network,
    /// Waiting for something that sends no spans.
    Downstream,
}

/// A piece of the critical path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PathSegment {
    /// The span that was waited for.
    pub span: u32,
    /// Unix nanoseconds.
    pub from: i64,
    /// Unix nanoseconds, after `from`.
    pub to: i64,
    /// What for.
    pub kind: TimeKind,
}

/// Segments grouped by span, in tree order of first visit, and where each span's are.
pub(crate) fn critical_path(spans: &[SpanInput], tree: &Tree) -> (Vec<PathSegment>, Box<[(u32, u32)]>) {
    let mut path = Vec::new();
    let mut on_path = vec![(0, 0); spans.len()].into_boxed_slice();
    for &root in &tree.roots {
        let window = (spans[root as usize].start, spans[root as usize].end());
        let mut stack = vec![(root, window)];
        while let Some((span, (from, to))) = stack.pop() {
            let first = path.len();
            walk_back(spans, tree, span, (from, to), &mut path, &mut stack);
            path[first..].reverse();
            on_path[span as usize] = (first as u32, (path.len() - first) as u32);
        }
    }
    (path, on_path)
}

/// Goes back from the end of a span's window: up to the last child that ended is the span's own time, then that child
/// takes over, and so on. Children are pushed with the window they are responsible for.
fn walk_back(
    spans: &[SpanInput],
    tree: &Tree,
    span: u32,
    (from, to): (i64, i64),
    path: &mut Vec<PathSegment>,
    stack: &mut Vec<(u32, (i64, i64))>,
) {
    let kind = kind_of(spans, tree, span);
    let allowance = (to.saturating_sub(from) / 100).max(1_000_000);
    let mut cursor = to;
    for (child, start, end) in blocking_children(spans, tree, span, (from, to)) {
        // A later finisher overlapping more than clocks allow ran beside what was waited for.
        if end > cursor.saturating_add(allowance) || start >= cursor {
            continue;
        }
        let end = end.min(cursor);
        push(path, span, (end, cursor), kind);
        stack.push((child, (start, end)));
        cursor = start;
    }
    push(path, span, (from, cursor), kind);
}

fn push(path: &mut Vec<PathSegment>, span: u32, (from, to): (i64, i64), kind: TimeKind) {
    if to > from {
        path.push(PathSegment { span, from, to, kind });
    }
}

/// Children the span waited for, clipped to its window, last to end first; of equals the later one.
fn blocking_children(spans: &[SpanInput], tree: &Tree, span: u32, (from, to): (i64, i64)) -> Vec<(u32, i64, i64)> {
    let parent = spans[span as usize].kind;
    let mut children: Vec<(u32, i64, i64)> = tree
        .children(span)
        .filter(|c| !(parent == SpanKind::Producer && spans[*c as usize].kind == SpanKind::Consumer))
        .map(|c| (c, spans[c as usize].start.max(from), spans[c as usize].end().min(to)))
        .filter(|c| c.1 < c.2)
        .collect();
    children.sort_by_key(|c| (std::cmp::Reverse(c.2), std::cmp::Reverse(c.1), c.0));
    children
}

fn kind_of(spans: &[SpanInput], tree: &Tree, span: u32) -> TimeKind {
    if spans[span as usize].kind != SpanKind::Client {
        return TimeKind::Own;
    }
    let answered = tree.children(span).any(|c| spans[c as usize].kind == SpanKind::Server);
    if answered { TimeKind::Network } else { TimeKind::Downstream }
}
