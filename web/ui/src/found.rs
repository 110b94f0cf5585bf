//! Found traces as rows of a list of which only what is visible is in the page.

use orrery_api::{MatchedSpan, Spanset, TraceSummary};
use std::ops::Range;
use std::sync::Arc;

/// Heights in CSS pixels: of a trace, and of what stands below it.
const TRACE: f64 = 34.0;
const BELOW: f64 = 26.0;

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    /// A trace.
    Trace(Arc<TraceSummary>),
    /// What `by()` and aggregates said of the spans that follow.
    Set(Arc<TraceSummary>, usize),
    /// A span that matched: of which spanset, and which.
    Span(Arc<TraceSummary>, usize, usize),
    /// So many more spans matched.
    More(Arc<TraceSummary>, u64),
}

impl Row {
    /// Of which trace.
    pub fn trace(&self) -> &Arc<TraceSummary> {
        match self {
            Row::Trace(trace) | Row::Set(trace, _) | Row::Span(trace, ..) | Row::More(trace, _) => trace,
        }
    }

    /// The group of spans it is of.
    pub fn spanset(&self) -> Option<&Spanset> {
        match self {
            Row::Set(trace, set) | Row::Span(trace, set, _) => trace.spansets.get(*set),
            _ => None,
        }
    }

    /// The span it is.
    pub fn span(&self) -> Option<&MatchedSpan> {
        let Row::Span(_, _, span) = self else { return None };
        self.spanset()?.spans.get(*span)
    }

    /// Tells it from all others of a list, and from what it was before its trace or the question changed.
    pub fn key(&self) -> String {
        let trace = self.trace();
        let which = match self {
            Row::Trace(trace) => format!("t{} {}", trace.duration_nanos.0, trace.matched_span_id),
            Row::Set(_, set) => {
                let values = self.spanset().into_iter().flat_map(|set| &set.values);
                values.fold(format!("g{set}"), |key, value| format!("{key} {}={}", value.name, value.value))
            }
            Row::Span(_, set, _) => {
                let selected = self.span().into_iter().flat_map(|span| &span.selected);
                let key = format!("s{set} {}", self.span().map_or("", |span| &span.span_id));
                selected.fold(key, |key, field| format!("{key} {}={}", field.name, field.value))
            }
            Row::More(_, count) => format!("m{count}"),
        };
        format!("{} {} {which}", trace.trace_id, trace.span_count)
    }

    fn height(&self) -> f64 {
        if matches!(self, Row::Trace(_)) { TRACE } else { BELOW }
    }
}

/// Rows and where they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    rows: Vec<Row>,
    /// Where each begins, and where the last one ends.
    tops: Vec<f64>,
}

impl Rows {
    /// Traces in their order, each with the spans that matched if `spans`.
    pub fn new(traces: &[Arc<TraceSummary>], spans: bool) -> Rows {
        let mut rows = Vec::new();
        for trace in traces {
            rows.push(Row::Trace(trace.clone()));
            if spans {
                below(trace, &mut rows);
            }
        }
        let mut tops = Vec::with_capacity(rows.len() + 1);
        let mut top = 0.0;
        for row in &rows {
            tops.push(top);
            top += row.height();
        }
        tops.push(top);
        Rows { rows, tops }
    }

    /// All of them.
    pub fn all(&self) -> &[Row] {
        &self.rows
    }

    /// Which are visible, and a few above and below.
    pub fn visible(&self, top: f64, height: f64, margin: usize) -> Range<usize> {
        let at = |y: f64| self.tops.partition_point(|top| *top <= y);
        let first = at(top).saturating_sub(1 + margin);
        let last = (at(top + height) + margin).min(self.rows.len());
        first.min(last)..last
    }

    /// Height above a row.
    pub fn above(&self, row: usize) -> f64 {
        self.tops.get(row).copied().unwrap_or(0.0)
    }

    /// Height from a row to the end.
    pub fn below(&self, row: usize) -> f64 {
        self.tops.last().copied().unwrap_or(0.0) - self.above(row)
    }
}

fn below(trace: &Arc<TraceSummary>, rows: &mut Vec<Row>) {
    for (at, set) in trace.spansets.iter().enumerate() {
        if !set.values.is_empty() {
            rows.push(Row::Set(trace.clone(), at));
        }
        rows.extend((0..set.spans.len()).map(|span| Row::Span(trace.clone(), at, span)));
    }
    let shown: usize = trace.spansets.iter().map(|set| set.spans.len()).sum();
    let more = trace.matched_span_count.saturating_sub(shown as u64);
    if more > 0 {
        rows.push(Row::More(trace.clone(), more));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orrery_api::FieldValue;

    fn trace(id: &str, sets: &[(usize, bool)], matched: u64) -> Arc<TraceSummary> {
        let span = |at: usize| MatchedSpan { span_id: format!("{at:016x}"), ..MatchedSpan::default() };
        let set = |(count, grouped): &(usize, bool)| Spanset {
            values: grouped.then(FieldValue::default).into_iter().collect(),
            span_count: *count as u64,
            spans: (0..*count).map(span).collect(),
        };
        let spansets = sets.iter().map(set).collect();
        Arc::new(TraceSummary { trace_id: id.into(), spansets, matched_span_count: matched, ..TraceSummary::default() })
    }

    fn shape(rows: &Rows) -> String {
        let letter = |row: &Row| match row {
            Row::Trace(_) => 'T',
            Row::Set(..) => 'g',
            Row::Span(..) => 's',
            Row::More(..) => 'm',
        };
        rows.all().iter().map(letter).collect()
    }

    #[test]
    fn spans_stand_below_their_trace() {
        let traces = [trace("a", &[(2, false)], 2), trace("b", &[(1, true), (1, true)], 5), trace("c", &[], 0)];
        let rows = Rows::new(&traces, true);
        assert_eq!(shape(&rows), "TssTgsgsmT");
        assert_eq!(shape(&Rows::new(&traces, false)), "TTT");
        let keys: std::collections::HashSet<String> = rows.all().iter().map(Row::key).collect();
        assert_eq!(keys.len(), rows.all().len());
        // Another span in the same place is another row.
        let key = |id: &str| {
            let mut found = trace("a", &[(1, false)], 1);
            Arc::make_mut(&mut found).spansets[0].spans[0].span_id = id.into();
            Rows::new(&[found], true).all()[1].key()
        };
        assert_ne!(key("1"), key("2"));
        assert_eq!(rows.all()[2].span().map(|span| span.span_id.as_str()), Some("0000000000000001"));
    }

    #[test]
    fn only_what_is_visible_is_shown() {
        let traces: Vec<_> = (0..100).map(|at| trace(&at.to_string(), &[], 0)).collect();
        let rows = Rows::new(&traces, true);
        assert_eq!(rows.visible(0.0, TRACE * 3.0, 0), 0..4);
        assert_eq!(rows.visible(TRACE * 50.5, TRACE, 2), 48..54);
        assert_eq!(rows.visible(1e9, 100.0, 2), 98..100);
        assert_eq!((rows.above(3), rows.below(97)), (TRACE * 3.0, TRACE * 3.0));
        assert_eq!(Rows::default().visible(0.0, 100.0, 5), 0..0);
    }
}
