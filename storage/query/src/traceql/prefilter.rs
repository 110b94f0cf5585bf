//! What a store can ask of single spans before it reads whole traces.

use super::arithmetic::constant;
use super::ast::{
    Body, Comparison, Expression, ExpressionKind, Filter, Logic, Metric, Pipeline, Place, Query, Relate, Spanset,
    SpansetOperator, Stage,
};
use super::field::{Field, FieldName, Intrinsic};
use super::literal::Literal;
use orrery_model::StatusCode;

/// Which traces may match: never false of one that does. Made by [`Prefilter::of`].
#[derive(Clone, Debug, PartialEq)]
pub enum Prefilter {
    /// Any trace may match: nothing can be said by looking at one span at a time.
    Maybe,
    /// No trace matches.
    Never,
    /// Some span of the trace meets this.
    Some(SpanCondition),
    /// All hold, each maybe by another span.
    All(Vec<Prefilter>),
    /// One holds.
    Any(Vec<Prefilter>),
}

/// What one span has to meet. Negation stands only in leaves.
#[derive(Clone, Debug, PartialEq)]
pub enum SpanCondition {
    /// Any span may.
    Maybe,
    /// No span does.
    Never,
    /// One test.
    Leaf(Leaf),
    /// All hold of the one span.
    All(Vec<SpanCondition>),
    /// One holds.
    Any(Vec<SpanCondition>),
}

/// A test of one field. Whoever asks it may say yes too often, never no.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    /// What is read, by all its spellings; without a scope, in any of them. Never of the parent, never structural.
    /// One of the whole trace ([`Intrinsic::is_of_trace`]) may be answered yes where there is no summary of traces.
    pub field: Field,
    /// What is asked of its values.
    pub test: Test,
    /// Whether the test has to fail. It does so also where the field is missing or of another type. Of a field with
    /// several values, say yes.
    pub negated: bool,
}

/// What is asked of a field's values.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// A value of a matching type compares so. Numbers and durations are one type, in nanoseconds. Never a regular
    /// expression. Of several values (arrays, events, links) any may; for [`Comparison::NotEqual`] all have to, so that
    /// it holds of an empty array, but not without the field.
    Compare(Comparison, Literal),
    /// The whole text matches the regular expression; or, if `not`, does not. Of several values as for comparisons.
    Matches {
        /// Syntax of RE2; without anchors, `.` matches newlines.
        pattern: String,
        /// Whether it must not match.
        not: bool,
    },
    /// There is a value.
    Exists,
}

fn written(kind: ExpressionKind) -> Expression {
    Expression { kind, place: Place::default() }
}

impl Leaf {
    /// Whether it cannot be asked of a span alone.
    pub fn is_of_whole_trace(&self) -> bool {
        let intrinsic = self.field.as_intrinsic();
        intrinsic.is_some_and(|intrinsic| intrinsic.is_of_trace() && intrinsic != Intrinsic::TraceId)
    }

    fn to_expression(&self) -> Expression {
        let field = Box::new(written(ExpressionKind::Field(self.field.clone())));
        let literal = |literal: &Literal| Box::new(written(ExpressionKind::Literal(literal.clone())));
        let holds = written(match &self.test {
            Test::Compare(comparison, with) => ExpressionKind::Compare(field, *comparison, literal(with)),
            Test::Matches { pattern, not } => {
                let comparison = if *not { Comparison::NotMatches } else { Comparison::Matches };
                ExpressionKind::Compare(field, comparison, literal(&Literal::Text(pattern.clone())))
            }
            Test::Exists => ExpressionKind::Exists(field),
        });
        if self.negated { written(ExpressionKind::Not(Box::new(holds))) } else { holds }
    }

    fn narrowness(&self) -> u32 {
        let is_id = self.field.as_intrinsic().is_some_and(|intrinsic| intrinsic.id_digits().is_some());
        match &self.test {
            _ if self.negated => 1,
            Test::Compare(Comparison::Equal, Literal::Text(text)) if is_id && !text.is_empty() => 100,
            Test::Compare(Comparison::Equal, Literal::Text(_)) => 10,
            Test::Compare(Comparison::Equal, Literal::Status(StatusCode::Error)) => 12,
            Test::Compare(Comparison::Equal, Literal::Int(_) | Literal::Float(_)) => 8,
            Test::Compare(Comparison::NotEqual, _) | Test::Matches { not: true, .. } => 1,
            Test::Compare(..) | Test::Matches { .. } => 4,
            Test::Exists => 2,
        }
    }
}

impl Prefilter {
    /// What can be asked for a query.
    ///
    /// ```
    /// use orrery_query::traceql::{Prefilter, parse};
    ///
    /// // Both have to be there, though maybe in different spans; how they are related is seen in the trace.
    /// let prefilter = Prefilter::of(&parse("{ span.a = 1 } >> { status = error && childCount > 2 }")?);
    /// assert!(matches!(prefilter, Prefilter::All(parts) if parts.len() == 2));
    /// # Ok::<(), orrery_query::traceql::Problem>(())
    /// ```
    pub fn of(query: &Query) -> Prefilter {
        match &query.body {
            Body::Search(of) => pipeline(of),
            Body::Metrics(of) => metric(of),
        }
    }

    /// Tests that every matching trace meets as a whole, for a store that keeps a summary of each trace.
    pub fn of_trace(&self) -> Vec<&Leaf> {
        match self {
            Prefilter::Maybe | Prefilter::Never | Prefilter::Any(_) => Vec::new(),
            Prefilter::Some(condition) => condition.of_trace(),
            Prefilter::All(all) => all.iter().flat_map(Prefilter::of_trace).collect(),
        }
    }

    /// What each span has to meet that counts, where spans are judged one by one (not [`super::Reads::whole_traces`]).
    pub fn of_span(&self) -> SpanCondition {
        match self {
            Prefilter::Maybe => SpanCondition::Maybe,
            Prefilter::Never => SpanCondition::Never,
            Prefilter::Some(condition) => condition.clone(),
            Prefilter::All(all) => SpanCondition::all(all.iter().map(Prefilter::of_span)),
            Prefilter::Any(any) => SpanCondition::any(any.iter().map(Prefilter::of_span)),
        }
    }

    /// What some span meets of each trace that matches, as one condition: the narrowest, as far as that can be told
    /// without looking. For a store that looks for traces by single spans.
    pub fn of_some_span(&self) -> SpanCondition {
        match self {
            Prefilter::All(all) => {
                let narrowest = all.iter().map(Prefilter::of_some_span).max_by_key(SpanCondition::narrowness);
                narrowest.unwrap_or(SpanCondition::Maybe)
            }
            Prefilter::Any(any) => SpanCondition::any(any.iter().map(Prefilter::of_some_span)),
            _ => self.of_span(),
        }
    }

    fn all(parts: Vec<Prefilter>) -> Prefilter {
        let mut all = Vec::new();
        for part in parts {
            match part {
                Prefilter::Maybe => {}
                Prefilter::Never => return Prefilter::Never,
                Prefilter::All(inner) => all.extend(inner),
                other => all.push(other),
            }
        }
        one_or(all, Prefilter::Maybe, Prefilter::All)
    }

    fn any(parts: Vec<Prefilter>) -> Prefilter {
        let mut any = Vec::new();
        for part in parts {
            match part {
                Prefilter::Maybe => return Prefilter::Maybe,
                Prefilter::Never => {}
                Prefilter::Any(inner) => any.extend(inner),
                other => any.push(other),
            }
        }
        one_or(any, Prefilter::Never, Prefilter::Any)
    }
}

fn one_or<T>(mut parts: Vec<T>, none: T, many: impl FnOnce(Vec<T>) -> T) -> T {
    match parts.len() {
        0 => none,
        1 => parts.remove(0),
        _ => many(parts),
    }
}

impl SpanCondition {
    /// How little of everything meets it, roughly.
    fn narrowness(&self) -> u32 {
        match self {
            SpanCondition::Maybe => 0,
            SpanCondition::Never => u32::MAX,
            SpanCondition::Leaf(leaf) => leaf.narrowness(),
            SpanCondition::All(all) => all.iter().map(SpanCondition::narrowness).fold(0, u32::saturating_add),
            SpanCondition::Any(any) => any.iter().map(SpanCondition::narrowness).min().unwrap_or(u32::MAX),
        }
    }

    /// What each span meets that a filter chooses.
    pub fn of(filter: &Filter) -> SpanCondition {
        filter.condition.as_ref().map_or(SpanCondition::Maybe, |condition| expression(condition, false))
    }

    /// The filter that says the same of single spans: what is only known of a whole trace is left out.
    pub fn to_filter(&self) -> Filter {
        let condition = (*self != SpanCondition::Maybe).then(|| self.to_expression());
        Filter { condition, place: Place::default() }
    }

    fn to_expression(&self) -> Expression {
        let joined = |parts: &[SpanCondition], logic: Logic| {
            let parts = parts.iter().map(SpanCondition::to_expression);
            parts.reduce(|left, right| written(ExpressionKind::Logic(Box::new(left), logic, Box::new(right))))
        };
        let sure = |holds: bool| written(ExpressionKind::Literal(Literal::Bool(holds)));
        match self {
            SpanCondition::Maybe => sure(true),
            SpanCondition::Never => sure(false),
            SpanCondition::All(all) => joined(all, Logic::And).unwrap_or_else(|| sure(true)),
            SpanCondition::Any(any) => joined(any, Logic::Or).unwrap_or_else(|| sure(false)),
            SpanCondition::Leaf(leaf) if leaf.is_of_whole_trace() => sure(true),
            SpanCondition::Leaf(leaf) => leaf.to_expression(),
        }
    }

    fn of_trace(&self) -> Vec<&Leaf> {
        match self {
            SpanCondition::Leaf(leaf) if leaf.field.as_intrinsic().is_some_and(Intrinsic::is_of_trace) => vec![leaf],
            SpanCondition::All(all) => all.iter().flat_map(SpanCondition::of_trace).collect(),
            _ => Vec::new(),
        }
    }

    fn all(parts: impl IntoIterator<Item = SpanCondition>) -> SpanCondition {
        let mut all = Vec::new();
        for part in parts {
            match part {
                SpanCondition::Maybe => {}
                SpanCondition::Never => return SpanCondition::Never,
                SpanCondition::All(inner) => all.extend(inner),
                other => all.push(other),
            }
        }
        one_or(all, SpanCondition::Maybe, SpanCondition::All)
    }

    fn any(parts: impl IntoIterator<Item = SpanCondition>) -> SpanCondition {
        let mut any = Vec::new();
        for part in parts {
            match part {
                SpanCondition::Maybe => return SpanCondition::Maybe,
                SpanCondition::Never => {}
                SpanCondition::Any(inner) => any.extend(inner),
                other => any.push(other),
            }
        }
        one_or(any, SpanCondition::Never, SpanCondition::Any)
    }
}

fn metric(of: &Metric) -> Prefilter {
    match of {
        Metric::Spans { pipeline: of, .. } => pipeline(of),
        Metric::Number(..) => Prefilter::Never,
        // Either side's spans are counted.
        Metric::Arithmetic(left, _, right) => Prefilter::any(vec![metric(left), metric(right)]),
        Metric::Then(of, _) => metric(of),
    }
}

fn pipeline(pipeline: &Pipeline) -> Prefilter {
    let stages = pipeline.stages.iter().map(|stage| match stage {
        Stage::Spansets(of) => spanset(of),
        Stage::Keep { .. } | Stage::By(_) | Stage::Coalesce | Stage::Select(_) => Prefilter::Maybe,
    });
    Prefilter::all(stages.collect())
}

fn spanset(of: &Spanset) -> Prefilter {
    match of {
        Spanset::Filter(of) => match SpanCondition::of(of) {
            SpanCondition::Maybe => Prefilter::Maybe,
            SpanCondition::Never => Prefilter::Never,
            condition => Prefilter::Some(condition),
        },
        Spanset::Pipeline(of) => pipeline(of),
        Spanset::Combined(left, operator, right) => match operator {
            SpansetOperator::Or => Prefilter::any(vec![spanset(left), spanset(right)]),
            // Related to none of the left side: also where it is empty.
            SpansetOperator::Structural(structural) if structural.sides == Relate::Not => spanset(right),
            SpansetOperator::And | SpansetOperator::Structural(_) => {
                Prefilter::all(vec![spanset(left), spanset(right)])
            }
        },
    }
}

/// What follows from an expression being true; or, if `negated`, from its being false.
fn expression(of: &Expression, negated: bool) -> SpanCondition {
    let sure = |holds: bool| if holds != negated { SpanCondition::Maybe } else { SpanCondition::Never };
    match &of.kind {
        ExpressionKind::Literal(Literal::Bool(value)) => sure(*value),
        ExpressionKind::Not(inner) => expression(inner, !negated),
        ExpressionKind::Logic(left, logic, right) => {
            let both = [expression(left, negated), expression(right, negated)];
            if (*logic == Logic::And) != negated { SpanCondition::all(both) } else { SpanCondition::any(both) }
        }
        ExpressionKind::Field(field) => leaf(field, Test::Compare(Comparison::Equal, Literal::Bool(true)), negated),
        ExpressionKind::Exists(inner) => exists(inner, negated),
        ExpressionKind::Missing(inner) => exists(inner, !negated),
        ExpressionKind::Compare(left, comparison, right) => match (&left.kind, &right.kind) {
            (ExpressionKind::Field(field), _) => compare(field, *comparison, right, negated),
            (_, ExpressionKind::Field(field)) => compare(field, comparison.flipped(), left, negated),
            _ => SpanCondition::Maybe,
        },
        ExpressionKind::Literal(_) | ExpressionKind::Arithmetic(..) | ExpressionKind::Negative(_) => {
            SpanCondition::Maybe
        }
    }
}

fn exists(of: &Expression, negated: bool) -> SpanCondition {
    match &of.kind {
        ExpressionKind::Field(field) => leaf(field, Test::Exists, negated),
        _ => SpanCondition::Maybe,
    }
}

fn compare(field: &Field, comparison: Comparison, with: &Expression, negated: bool) -> SpanCondition {
    let Some(literal) = constant(with) else { return SpanCondition::Maybe };
    let test = match (comparison, literal) {
        (Comparison::Matches | Comparison::NotMatches, Literal::Text(pattern)) => {
            Test::Matches { pattern, not: comparison == Comparison::NotMatches }
        }
        (Comparison::Matches | Comparison::NotMatches, _) => return SpanCondition::Maybe,
        (comparison, literal) => Test::Compare(comparison, literal),
    };
    leaf(field, test, negated)
}

fn leaf(field: &Field, test: Test, negated: bool) -> SpanCondition {
    let root = is_root(field, &test);
    let field = match &field.name {
        _ if field.of_parent => return SpanCondition::Maybe,
        FieldName::Intrinsic(_) if root.is_some() => {
            let negated = negated != (root == Some(false));
            let test = Test::Compare(Comparison::Equal, Literal::Text(String::new()));
            return SpanCondition::Leaf(Leaf { field: Field::intrinsic(Intrinsic::ParentId), test, negated });
        }
        FieldName::Intrinsic(intrinsic) if intrinsic.is_structural() || *intrinsic == Intrinsic::Parent => {
            return SpanCondition::Maybe;
        }
        _ => field.clone(),
    };
    let test = match (field.as_intrinsic().and_then(Intrinsic::id_digits), test) {
        (Some(digits), Test::Compare(comparison, Literal::Text(text))) => {
            Test::Compare(comparison, Literal::Text(whole_id(&text, digits)))
        }
        (_, test) => test,
    };
    SpanCondition::Leaf(Leaf { field, test, negated })
}

/// Whether a test asks for root spans, as `nestedSetParent < 0` does, or for the others.
pub(super) fn is_root(field: &Field, test: &Test) -> Option<bool> {
    match (field.as_intrinsic()?, test) {
        (Intrinsic::NestedSetParent, Test::Compare(Comparison::Less, Literal::Int(0)))
        | (Intrinsic::NestedSetParent, Test::Compare(Comparison::Equal, Literal::Int(-1))) => Some(true),
        (Intrinsic::NestedSetParent, Test::Compare(Comparison::AtLeast, Literal::Int(0))) => Some(false),
        _ => None,
    }
}

/// An id as it is compared: lower case, with the zeros in front that may be left out. Empty stays empty.
pub(crate) fn whole_id(text: &str, digits: usize) -> String {
    match text {
        "" => String::new(),
        _ => format!("{:0>digits$}", text.to_ascii_lowercase()),
    }
}
