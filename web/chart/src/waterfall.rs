//! A trace as a waterfall: a pure model over flat arrays, and the drawing of its visible part.
//!
//! [`Waterfall`] holds the tree (whatever the spans say: several roots, lost parents, even cycles), what is folded, and
//! the rows that follow from it. Timestamps are never changed; a child that lies outside its parent is drawn there.
//! [`draw_waterfall`] draws the rows inside a [`View`]; its cost depends on pixels, not on spans.
//!
//! ```
//! use orrery_chart::waterfall::{SpanInput, SpanKind, Waterfall};
//!
//! let span = |id, parent, start, duration| SpanInput { id, parent, start, duration, ..SpanInput::default() };
//! let spans = vec![span(1, 0, 0, 100), span(2, 1, 10, 60), span(3, 1, 75, 20)];
//! let mut waterfall = Waterfall::new(spans, vec!["GET /".into()], vec!["shop".into()]);
//! assert_eq!(waterfall.rows().len(), 3);
//! waterfall.toggle(0);
//! assert_eq!(waterfall.rows().len(), 1);
//! let on_path: i64 = waterfall.critical_path().iter().map(|s| s.to - s.from).sum();
//! assert_eq!(on_path, 100);
//! ```

mod critical;
mod draw;
pub mod flame;
mod minimap;
mod rows;
mod search;
mod tree;
mod view;

pub use critical::{PathSegment, TimeKind};
pub use draw::{RULER_HEIGHT, Style, draw_ruler, draw_waterfall};
pub use minimap::{Minimap, draw_minimap};
pub use rows::{FOLD_FROM, LogLevel, LogLine, Row};
pub use search::Found;
pub use view::{Part, ROW_HEIGHT, RowHit, View};

use rows::Folds;
use tree::Tree;

/// No parent, in [`Waterfall::fitted`].
pub const NO_PARENT: u32 = tree::NONE;
/// Clocks are not better than this, nanoseconds.
const SKEW: i64 = 1_000_000;

/// OTLP's span kinds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum SpanKind {
    /// Inside a process, or not said.
    #[default]
    Internal,
    /// Answers a request.
    Server,
    /// Makes a request.
    Client,
    /// Hands a message over.
    Producer,
    /// Takes a message.
    Consumer,
}

/// What the waterfall needs of a span. Everything else is fetched when the span is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SpanInput {
    /// Span id as a number.
    pub id: u64,
    /// Parent's id; 0 for a root.
    pub parent: u64,
    /// Unix nanoseconds.
    pub start: i64,
    /// Nanoseconds; less than 0 is drawn as 0.
    pub duration: i64,
    /// Index into the services.
    pub service: u32,
    /// Index into the names.
    pub name: u32,
    /// Whether it failed.
    pub error: bool,
    /// Its kind.
    pub kind: SpanKind,
}

impl SpanInput {
    /// Unix nanoseconds; never before the start.
    pub fn end(&self) -> i64 {
        self.start.saturating_add(self.duration.max(0))
    }
}

/// The model of one trace. Spans are known by their index in the input.
#[derive(Clone, Debug)]
pub struct Waterfall {
    spans: Box<[SpanInput]>,
    names: Vec<String>,
    services: Vec<String>,
    tree: Tree,
    path: Vec<PathSegment>,
    /// Where a span's segments are in `path`: (first, count), sorted by time.
    on_path: Box<[(u32, u32)]>,
    collapsed: Box<[bool]>,
    /// By first span of a run: whether its spans have rows of their own.
    unfolded: Box<[bool]>,
    rows: Vec<Row>,
    folds: Folds,
    logs: Vec<LogLine>,
    range: (i64, i64),
    errors: usize,
    oddities: Oddities,
}

/// How many spans of a trace are not as they should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Oddities {
    /// Their parents are missing.
    pub orphans: usize,
    /// They began after their parents had ended.
    pub late: usize,
    /// Their clocks differ from those of their callers.
    pub skewed: usize,
}

impl Waterfall {
    /// Builds the tree and the critical path; about n log n. Everything is open but runs of equal siblings.
    ///
    /// Spans with an unknown parent are roots marked as orphans; a cycle is opened at its earliest span; of spans with
    /// the same id the first one gets the children. Indices beyond `names` and `services` read as "?".
    pub fn new(spans: Vec<SpanInput>, names: Vec<String>, services: Vec<String>) -> Waterfall {
        let parents = tree::parents(&spans);
        let mut waterfall = Waterfall::built(spans, parents, names, services);
        waterfall.rebuild();
        waterfall
    }

    /// [`Waterfall::new`] for who knows the parents' indices, [`NO_PARENT`] for none, and opened as by
    /// [`Waterfall::collapse_to_fit`]: rows that nobody is to see are never made. What a span says its parent's id is
    /// only tells whether it has one.
    pub fn fitted(
        spans: Vec<SpanInput>,
        parents: Vec<u32>,
        names: Vec<String>,
        services: Vec<String>,
        most: usize,
    ) -> Waterfall {
        let mut waterfall = Waterfall::built(spans, parents, names, services);
        waterfall.collapse_to_fit(most);
        waterfall
    }

    /// Without rows.
    fn built(spans: Vec<SpanInput>, parents: Vec<u32>, names: Vec<String>, services: Vec<String>) -> Waterfall {
        let tree = Tree::new(&spans, parents);
        let (path, on_path) = critical::critical_path(&spans, &tree);
        let closed = vec![false; spans.len()].into_boxed_slice();
        let mut waterfall = Waterfall {
            spans: spans.into_boxed_slice(),
            names,
            services,
            tree,
            path,
            on_path,
            collapsed: closed.clone(),
            unfolded: closed,
            rows: Vec::new(),
            folds: Folds::default(),
            logs: Vec::new(),
            range: (0, 0),
            errors: 0,
            oddities: Oddities::default(),
        };
        waterfall.add_up();
        waterfall
    }

    /// What is said of all spans, in one pass over them.
    fn add_up(&mut self) {
        let mut range = (i64::MAX, i64::MIN);
        for span in 0..self.len() as u32 {
            let own = *self.span(span);
            range = (range.0.min(own.start), range.1.max(own.end()));
            self.errors += usize::from(own.error);
            match self.parent(span) {
                None => self.oddities.orphans += usize::from(self.is_orphan(span)),
                Some(parent) => {
                    let parent = *self.span(parent);
                    self.oddities.late += usize::from(late_by(&own, &parent).is_some());
                    self.oddities.skewed += usize::from(skew(&own, &parent).is_some());
                }
            }
        }
        self.range = if self.is_empty() { (0, 0) } else { range };
    }

    /// The span as given.
    pub fn span(&self, span: u32) -> &SpanInput {
        &self.spans[span as usize]
    }

    /// Number of spans.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are no spans.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Operation name of a span.
    pub fn name(&self, span: u32) -> &str {
        self.names.get(self.span(span).name as usize).map_or("?", String::as_str)
    }

    /// Service name of a span.
    pub fn service(&self, span: u32) -> &str {
        self.services.get(self.span(span).service as usize).map_or("?", String::as_str)
    }

    /// Earliest start and latest end, unix nanoseconds; zeros without spans.
    pub fn range(&self) -> (i64, i64) {
        self.range
    }

    /// Number of failed spans.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// Number of spans that are not as they should be.
    pub fn oddities(&self) -> Oddities {
        self.oddities
    }

    /// Steps from the root.
    pub fn depth(&self, span: u32) -> u32 {
        self.tree.depth[span as usize]
    }

    /// The parent drawn above the span; `None` for roots and orphans.
    pub fn parent(&self, span: u32) -> Option<u32> {
        self.tree.parent(span)
    }

    /// Direct children by start.
    pub fn children(&self, span: u32) -> impl Iterator<Item = u32> + '_ {
        self.tree.children(span)
    }

    /// Whether the span names a parent that is not here.
    pub fn is_orphan(&self, span: u32) -> bool {
        self.tree.orphan[span as usize]
    }

    /// Whether a descendant failed.
    pub fn has_error_below(&self, span: u32) -> bool {
        let place = self.tree.position[span as usize];
        self.tree.errors_between(place + 1, place + self.tree.size[span as usize]) > 0
    }

    /// Failed spans that a row stands for, or hides below itself.
    pub fn errors_in(&self, row: usize) -> u32 {
        let place = |row: usize| self.rows.get(row).map(|row| self.tree.position[row.span as usize]);
        let next = (row + 1..self.rows.len()).find(|row| self.rows[*row].log.is_none());
        let end = next.and_then(place).unwrap_or(self.tree.order.len() as u32);
        place(row).map_or(0, |place| self.tree.errors_between(place, end))
    }

    /// Descendants of a span.
    pub fn descendants(&self, span: u32) -> u32 {
        self.tree.size[span as usize] - 1
    }

    /// All spans in tree order, folded or not.
    pub fn tree_order(&self) -> &[u32] {
        &self.tree.order
    }

    /// Rows from top to bottom, as folded now.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The row that shows the span itself, or the fold or collapsed ancestor it is in.
    pub fn row_of(&self, span: u32) -> Option<usize> {
        // Rows are in tree order, and what a row hides follows it there.
        let place = self.tree.position[span as usize];
        let after = self.rows.partition_point(|row| self.tree.position[row.span as usize] <= place);
        self.rows[..after].iter().rposition(|row| row.log.is_none())
    }

    /// The spans a row stands for: one, or the run of a fold.
    pub fn run(&self, row: &Row) -> impl Iterator<Item = u32> + '_ {
        self.tree.siblings_from(row.span).take(row.folded.max(1) as usize)
    }

    /// The critical path: per root disjoint segments that sum up to its duration, in order of time.
    ///
    /// Source: last-finishing-child backward walk (Jaeger, CRISP), with ties and overlaps up to the larger of 1 ms and
    /// 1 % allowed, and children that do not block their parent left out.
    pub fn critical_path(&self) -> &[PathSegment] {
        &self.path
    }

    /// The segments of the critical path on one span, in order of time.
    pub fn critical_segments(&self, span: u32) -> &[PathSegment] {
        let (first, count) = self.on_path[span as usize];
        &self.path[first as usize..(first + count) as usize]
    }

    /// Nanoseconds of the critical path by what they were spent on: own work, network, downstream.
    pub fn critical_by_kind(&self) -> [(TimeKind, i64); 3] {
        let sum = |kind| self.path.iter().filter(|s| s.kind == kind).map(|s| s.to - s.from).sum();
        [TimeKind::Own, TimeKind::Network, TimeKind::Downstream].map(|kind| (kind, sum(kind)))
    }

    /// Nanoseconds of the critical path per service index, longest first.
    pub fn critical_by_service(&self) -> Vec<(u32, i64)> {
        let mut sums = std::collections::BTreeMap::<u32, i64>::new();
        for segment in &self.path {
            *sums.entry(self.span(segment.span).service).or_default() += segment.to - segment.from;
        }
        let mut sums: Vec<(u32, i64)> = sums.into_iter().collect();
        sums.sort_by_key(|s| (-s.1, s.0));
        sums
    }

    /// The next failed span after one, in tree order, going round; `None` if none failed.
    pub fn next_error(&self, after: Option<u32>) -> Option<u32> {
        self.next(after, |span| self.span(span).error)
    }

    /// The failed span before one, likewise.
    pub fn previous_error(&self, before: Option<u32>) -> Option<u32> {
        self.previous(before, |span| self.span(span).error)
    }

    /// The next span after one that is wanted, in tree order, going round.
    pub fn next_span(&self, after: Option<u32>, wanted: impl Fn(u32) -> bool) -> Option<u32> {
        self.next(after, wanted)
    }

    fn next(&self, after: Option<u32>, wanted: impl Fn(u32) -> bool) -> Option<u32> {
        let start = after.map_or(0, |a| self.tree.position[a as usize] as usize + 1);
        let (before, behind) = self.tree.order.split_at(start.min(self.tree.order.len()));
        behind.iter().chain(before).copied().find(|span| wanted(*span))
    }

    fn previous(&self, before: Option<u32>, wanted: impl Fn(u32) -> bool) -> Option<u32> {
        let end = before.map_or(self.tree.order.len(), |b| self.tree.position[b as usize] as usize);
        let (before, behind) = self.tree.order.split_at(end);
        before.iter().rev().chain(behind.iter().rev()).copied().find(|span| wanted(*span))
    }

    /// By how much a span began after its parent had ended, nanoseconds: nobody waited for it. `None` for others, and for
    /// consumers, which begin when they can.
    pub fn late_by(&self, span: u32) -> Option<i64> {
        late_by(self.span(span), self.span(self.parent(span)?))
    }

    /// Whether a row of the span says that something is odd about it: its parent is missing, it is late, clocks differ.
    pub fn is_odd(&self, span: u32) -> bool {
        self.is_orphan(span) || self.late_by(span).is_some() || self.skew(span).is_some()
    }

    /// By how much a span begins before or ends after the one that called it in another service, nanoseconds; `None` if
    /// it lies within, or within a millisecond. Clocks differ then; nothing is moved.
    pub fn skew(&self, span: u32) -> Option<i64> {
        skew(self.span(span), self.span(self.parent(span)?))
    }
}

fn late_by(span: &SpanInput, parent: &SpanInput) -> Option<i64> {
    let by = span.start.saturating_sub(parent.end());
    (by > SKEW && span.kind != SpanKind::Consumer && skew(span, parent).is_none()).then_some(by)
}

fn skew(span: &SpanInput, parent: &SpanInput) -> Option<i64> {
    let calls = parent.kind == SpanKind::Client && span.kind == SpanKind::Server && parent.service != span.service;
    // Who takes longer than its caller waited has not been waited for: that says nothing about clocks.
    let before = parent.start.saturating_sub(span.start);
    let by = before.max(span.end().saturating_sub(parent.end()));
    (calls && by > SKEW && span.duration <= parent.duration).then_some(if before == by { -by } else { by })
}

#[cfg(test)]
mod tests;
