//! The tree of a query.

use super::field::Field;
use super::literal::Literal;
use std::ops::Range;

/// Which bytes of the text something was written in. All places are equal, so that trees are equal which say the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// First byte.
    pub start: usize,
    /// First byte after.
    pub end: usize,
}

impl PartialEq for Place {
    fn eq(&self, _: &Place) -> bool {
        true
    }
}

impl Place {
    pub(crate) fn to(self, end: Place) -> Place {
        Place { start: self.start, end: end.end }
    }
}

impl From<Place> for Range<usize> {
    fn from(place: Place) -> Range<usize> {
        place.start..place.end
    }
}

impl From<Range<usize>> for Place {
    fn from(range: Range<usize>) -> Place {
        Place { start: range.start, end: range.end }
    }
}

/// A query.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// What it asks.
    pub body: Body,
    /// `with (most_recent = true)`.
    pub hints: Vec<Hint>,
}

/// What a query asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Traces with matching spans.
    Search(Pipeline),
    /// Time series.
    Metrics(Metric),
}

/// One setting of a `with ( )`.
#[derive(Clone, Debug, PartialEq)]
pub struct Hint {
    /// As written.
    pub name: String,
    /// As written.
    pub value: Literal,
    /// Where.
    pub place: Place,
}

/// Stages, each working on the spansets of the one before; never empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    /// In order.
    pub stages: Vec<Stage>,
}

/// A stage of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// Chooses spans of each spanset: `{ … } >> { … }`.
    Spansets(Spanset),
    /// Keeps spansets: `count() > 2`.
    Keep {
        /// Left side.
        left: Scalar,
        /// Never a regular expression.
        comparison: Comparison,
        /// Right side.
        right: Scalar,
        /// The whole comparison.
        place: Place,
    },
    /// Splits spansets by a value.
    By(Expression),
    /// Makes one spanset of all.
    Coalesce,
    /// Names fields to be returned with the spans.
    Select(Vec<Field>),
}

/// Chooses spans.
#[derive(Clone, Debug, PartialEq)]
pub enum Spanset {
    /// `{ … }`
    Filter(Filter),
    /// `left operator right`
    Combined(Box<Spanset>, SpansetOperator, Box<Spanset>),
    /// `( … | … )`: what a pipeline leaves.
    Pipeline(Pipeline),
}

/// `{ condition }`
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    /// `None` for `{ }`, which every span meets.
    pub condition: Option<Expression>,
    /// Braces included.
    pub place: Place,
}

/// Between spansets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpansetOperator {
    /// `&&`: both have spans; all of them.
    And,
    /// `||`: one has spans; all of them.
    Or,
    /// By the relation between the spans.
    Structural(Structural),
}

/// A structural operator: of the right side's spans those that have, or have not, the relation to one of the left's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Structural {
    /// What the right span is to the left one.
    pub relation: Relation,
    /// Which are returned.
    pub sides: Relate,
}

/// What the right span is to the left one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// `>`
    Child,
    /// `>>`
    Descendant,
    /// `<`
    Parent,
    /// `<<`
    Ancestor,
    /// `~`
    Sibling,
}

/// Which spans a structural operator returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relate {
    /// The right ones that have the relation.
    Right,
    /// `!`: the right ones that have it to none.
    Not,
    /// `&`: the right ones, and the left ones they have it to.
    Both,
}

/// A condition or value of one span.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    /// What it is.
    pub kind: ExpressionKind,
    /// Where it was written.
    pub place: Place,
}

/// Forms of an [`Expression`].
#[derive(Clone, Debug, PartialEq)]
pub enum ExpressionKind {
    /// A value.
    Literal(Literal),
    /// What a span has. Alone as a condition: whether it is `true`.
    Field(Field),
    /// `&&`, `||`
    Logic(Box<Expression>, Logic, Box<Expression>),
    /// `=`, `<` …
    Compare(Box<Expression>, Comparison, Box<Expression>),
    /// `+`, `*` …
    Arithmetic(Box<Expression>, Arithmetic, Box<Expression>),
    /// `!`
    Not(Box<Expression>),
    /// `-`; numbers written with a minus are literals.
    Negative(Box<Expression>),
    /// `!= nil`
    Exists(Box<Expression>),
    /// `= nil`
    Missing(Box<Expression>),
}

/// Between conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Logic {
    /// `&&`
    And,
    /// `||`
    Or,
}

/// Between values, giving a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `=`: of an array, any element.
    Equal,
    /// `!=`: of an array, every element.
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `=~`, the whole text
    Matches,
    /// `!~`
    NotMatches,
}

/// Between numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`; of integers, whole
    Divide,
    /// `%`
    Modulo,
    /// `^`
    Power,
}

/// A number of a spanset.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// A number or duration.
    Literal(Literal, Place),
    /// `count()`, `avg(duration)`
    Aggregate(Aggregate, Option<Expression>, Place),
    /// `max(duration) - min(duration)`
    Arithmetic(Box<Scalar>, Arithmetic, Box<Scalar>),
}

/// What is made of the spans of a spanset. Spans without the value do not count, but for `count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Aggregate {
    /// Number of spans.
    Count,
    /// Least value.
    Min,
    /// Greatest value.
    Max,
    /// Mean value.
    Avg,
    /// All values added up.
    Sum,
}

/// Time series.
#[derive(Clone, Debug, PartialEq)]
pub enum Metric {
    /// `{ … } | rate() by (…)`
    Spans {
        /// Which spans.
        pipeline: Pipeline,
        /// What is made of them.
        function: MetricFunction,
        /// One series per combination of these.
        by: Vec<Field>,
        /// From the function on.
        place: Place,
    },
    /// A number, the same at all times.
    Number(Literal, Place),
    /// `(…) / (…)`, series by series of the same labels. Never a power or a remainder.
    Arithmetic(Box<Metric>, Arithmetic, Box<Metric>),
    /// `… | topk(5) > 10`
    Then(Box<Metric>, SecondStage),
}

/// What is made of the spans that fall into one step of time.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricFunction {
    /// Spans per second.
    Rate,
    /// Spans.
    CountOverTime,
    /// `min_over_time(field)` and the like; never [`Aggregate::Count`].
    OverTime(Aggregate, Field),
    /// One series per quantile, 0 to 1.
    QuantileOverTime(Field, Vec<f64>),
    /// One series per bucket.
    HistogramOverTime(Field),
    /// How attribute values differ between those spans that meet the filter and those that do not.
    Compare {
        /// Whom to select.
        filter: Filter,
        /// Values per attribute and side, the most frequent.
        top: u32,
        /// What is selected starts within these Unix nanoseconds, from (inclusive) and to (exclusive).
        window: Option<(i64, i64)>,
    },
}

/// What is made of whole series.
#[derive(Clone, Debug, PartialEq)]
pub enum SecondStage {
    /// `topk(n)`: at each time the n greatest.
    Top(u32),
    /// `bottomk(n)`: at each time the n least.
    Bottom(u32),
    /// `> 10`: data points for which it holds. Never a regular expression.
    Keep(Comparison, Literal),
}

impl Expression {
    /// Calls `visit` with this expression and all within.
    pub(crate) fn walk(&self, visit: &mut impl FnMut(&Expression)) {
        visit(self);
        match &self.kind {
            ExpressionKind::Literal(_) | ExpressionKind::Field(_) => {}
            ExpressionKind::Logic(left, _, right)
            | ExpressionKind::Compare(left, _, right)
            | ExpressionKind::Arithmetic(left, _, right) => {
                left.walk(visit);
                right.walk(visit);
            }
            ExpressionKind::Not(inner)
            | ExpressionKind::Negative(inner)
            | ExpressionKind::Exists(inner)
            | ExpressionKind::Missing(inner) => inner.walk(visit),
        }
    }
}

impl Comparison {
    /// The one that says the same with its sides exchanged.
    pub(crate) fn flipped(self) -> Comparison {
        match self {
            Comparison::Less => Comparison::Greater,
            Comparison::AtMost => Comparison::AtLeast,
            Comparison::Greater => Comparison::Less,
            Comparison::AtLeast => Comparison::AtMost,
            other => other,
        }
    }
}

impl Pipeline {
    fn of_spans(&mut self, filter: &Filter) {
        self.stages.insert(0, Stage::Spansets(Spanset::Filter(filter.clone())));
    }
}

impl Query {
    /// The value of a setting of `with ( )`, the last one where it is given twice.
    pub fn hint(&self, name: &str) -> Option<&Literal> {
        self.hints.iter().rev().find(|hint| hint.name == name).map(|hint| &hint.value)
    }

    /// The same, asked of only those spans that a filter chooses.
    pub fn of_spans(mut self, filter: Filter) -> Query {
        fn metric(of: &mut Metric, filter: &Filter) {
            match of {
                Metric::Spans { pipeline, .. } => pipeline.of_spans(filter),
                Metric::Number(..) => {}
                Metric::Arithmetic(left, _, right) => {
                    metric(left, filter);
                    metric(right, filter);
                }
                Metric::Then(of, _) => metric(of, filter),
            }
        }
        match &mut self.body {
            Body::Search(pipeline) => pipeline.of_spans(&filter),
            Body::Metrics(of) => metric(of, &filter),
        }
        self
    }

    /// The same search without `select()`, which chooses nothing.
    pub fn without_select(mut self) -> Query {
        if let Body::Search(pipeline) = &mut self.body {
            pipeline.stages.retain(|stage| !matches!(stage, Stage::Select(_)));
        }
        self
    }
}
