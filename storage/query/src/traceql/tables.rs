//! What queries for metrics come to.

use super::field::Field;
use super::literal::Literal;
use orrery_model::{SpanId, TraceId};

/// Series of one question.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Where the first step begins, Unix nanoseconds.
    pub from: i64,
    /// Length of a step; the last one may be shorter.
    pub step_nanos: i64,
    /// By labels; no two have the same.
    pub series: Vec<Labelled>,
    /// Matching spans that count nowhere, because there were too many series.
    pub uncounted: u64,
}

/// A series.
#[derive(Clone, Debug, PartialEq)]
pub struct Labelled {
    /// In the order of `by ( )`.
    pub labels: Vec<Label>,
    /// One per step; `None` where there is nothing to say, as in the mean of nothing or after a division by zero.
    /// Durations are in seconds.
    pub values: Vec<Option<f64>>,
    /// Spans behind the numbers, if the query asks for them; at most one per step.
    pub exemplars: Vec<Exemplar>,
}

/// One part of a series' name.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// What differs.
    pub name: LabelName,
    /// How; `None` where the span does not have it.
    pub value: Option<Literal>,
}

/// What makes series differ.
#[derive(Clone, Debug, PartialEq)]
pub enum LabelName {
    /// A field of `by ( )`, as written.
    Field(Field),
    /// Which quantile, 0 to 1.
    Quantile,
    /// Where a bucket of a histogram ends, in the unit of values; it begins at half of it.
    Bucket,
}

/// A span behind a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exemplar {
    /// Its trace.
    pub trace_id: TraceId,
    /// The span.
    pub span_id: SpanId,
    /// When it started, Unix nanoseconds.
    pub time_unix_nano: i64,
    /// Its value; 1 where spans are counted.
    pub value: f64,
}

/// What was made of all traces.
#[derive(Clone, Debug, PartialEq)]
pub enum Metrics {
    /// Series.
    Table(Table),
    /// How attributes differ between selected spans and others.
    Compared(Compared),
}

/// How fields differ between spans that were selected and the others, the baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// Spans on both sides.
    pub spans: Sides,
    /// By field; only those that some span has.
    pub fields: Vec<ComparedField>,
}

/// One field in both groups of spans.
#[derive(Clone, Debug, PartialEq)]
pub struct ComparedField {
    /// Attributes by their current name.
    pub field: Field,
    /// Spans that have it.
    pub spans: Sides,
    /// The most frequent values of either side, as many as were asked for; by count, most of both together first.
    pub values: Vec<ComparedValue>,
    /// Spans with values not listed.
    pub others: Sides,
}

/// One value in both groups of spans.
#[derive(Clone, Debug, PartialEq)]
pub struct ComparedValue {
    /// The value.
    pub value: Literal,
    /// Spans that have it.
    pub spans: Sides,
}

/// Numbers of spans on the two sides; fractions where sampling is made up for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sides {
    /// Spans that meet the filter.
    pub selection: f64,
    /// The others.
    pub baseline: f64,
}

impl ComparedField {
    /// By how much the share of its most telling value, or of being there at all, differs between the sides, less what
    /// chance explains (two standard errors): 0 to 1. `spans` is [`Compared::spans`].
    ///
    /// So a value that nearly all selected spans have and few others leads, and neither one that both have as often nor
    /// one of a few spans: of ids, which never repeat, none says anything.
    pub fn difference(&self, spans: Sides) -> f64 {
        let values = self.values.iter().map(|value| value.spans);
        values.chain([self.spans]).map(|having| difference(having, spans)).fold(0.0, f64::max)
    }
}

fn difference(having: Sides, of: Sides) -> f64 {
    if of.selection <= 0.0 || of.baseline <= 0.0 {
        return 0.0;
    }
    let apart = (having.selection / of.selection - having.baseline / of.baseline).abs();
    let pooled = (having.all() / of.all()).min(1.0);
    let error = (pooled * (1.0 - pooled) * (1.0 / of.selection + 1.0 / of.baseline)).sqrt();
    (apart - 2.0 * error).max(0.0)
}

impl Sides {
    #[cfg(feature = "evaluate")]
    pub(crate) fn add(&mut self, other: Sides) {
        self.selection += other.selection;
        self.baseline += other.baseline;
    }

    pub(crate) fn all(self) -> f64 {
        self.selection + self.baseline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sets_the_selected_apart_leads() {
        let sides = |selection: f64, baseline: f64| Sides { selection, baseline };
        let of = sides(100.0, 10_000.0);
        let field = |spans: Sides, values: &[Sides]| ComparedField {
            field: Field::attribute(None, "x"),
            spans,
            values: values.iter().map(|spans| ComparedValue { value: Literal::Int(1), spans: *spans }).collect(),
            others: Sides::default(),
        };
        let difference = |spans, values: &[Sides]| field(spans, values).difference(of);
        let cause = difference(of, &[sides(90.0, 200.0), sides(10.0, 9_800.0)]);
        let missing = difference(sides(0.0, 10_000.0), &[sides(0.0, 10_000.0)]);
        let ids = difference(of, &[sides(1.0, 0.0), sides(0.0, 1.0)]);
        let same = difference(of, &[sides(50.0, 5_000.0), sides(50.0, 5_000.0)]);
        assert!(missing > cause && cause > 0.8, "{missing} {cause}");
        assert!(ids < 0.01 && same == 0.0, "{ids} {same}");
        assert_eq!(field(of, &[sides(5.0, 5.0)]).difference(sides(5.0, 0.0)), 0.0, "nothing to compare with");
    }
}
