//! A query in its one spelling.

use super::ast::{
    Aggregate, Arithmetic, Body, Comparison, Expression, ExpressionKind, Filter, Logic, Metric, MetricFunction,
    Pipeline, Query, Relate, Relation, Scalar, SecondStage, Spanset, SpansetOperator, Stage, Structural,
};
use super::field::{Field, FieldName};
use super::lex::is_in_name;
use super::parse::strength;
use std::fmt::{self, Display, Formatter};

/// [`super::parse`] makes an equal query of it.
impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.body {
            Body::Search(pipeline) => pipeline.fmt(f)?,
            Body::Metrics(metric) => metric_at(metric, 0, f)?,
        }
        if self.hints.is_empty() {
            return Ok(());
        }
        f.write_str(" with (")?;
        for (at, hint) in self.hints.iter().enumerate() {
            write!(f, "{}{} = {}", comma(at), hint.name, hint.value)?;
        }
        f.write_str(")")
    }
}

fn comma(at: usize) -> &'static str {
    if at > 0 { ", " } else { "" }
}

fn list<T: Display>(items: &[T], f: &mut Formatter<'_>) -> fmt::Result {
    items.iter().enumerate().try_for_each(|(at, item)| write!(f, "{}{item}", comma(at)))
}

impl Display for Pipeline {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (at, stage) in self.stages.iter().enumerate() {
            f.write_str(if at > 0 { " | " } else { "" })?;
            stage.fmt(f)?;
        }
        Ok(())
    }
}

impl Display for Stage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Stage::Spansets(spanset) => spanset_at(spanset, 0, f),
            Stage::Keep { left, comparison, right, .. } => {
                scalar_at(left, 3, f)?;
                write!(f, " {comparison} ")?;
                scalar_at(right, 3, f)
            }
            Stage::By(expression) => write!(f, "by({expression})"),
            Stage::Coalesce => f.write_str("coalesce()"),
            Stage::Select(fields) => {
                f.write_str("select(")?;
                list(fields, f)?;
                f.write_str(")")
            }
        }
    }
}

impl Display for Filter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.condition {
            None => f.write_str("{ }"),
            Some(condition) => write!(f, "{{ {condition} }}"),
        }
    }
}

fn spanset_at(spanset: &Spanset, least: u8, f: &mut Formatter<'_>) -> fmt::Result {
    match spanset {
        Spanset::Filter(filter) => filter.fmt(f),
        Spanset::Pipeline(pipeline) => write!(f, "({pipeline})"),
        Spanset::Combined(left, operator, right) => {
            let own = if matches!(operator, SpansetOperator::Structural(_)) { 2 } else { 1 };
            in_parentheses(own < least, f, |f| {
                // `&&` beside `||` is not left to the reader's memory.
                let mixed = matches!(&**left, Spanset::Combined(_, inner, _) if own == 1 && inner != operator);
                spanset_at(left, own + u8::from(mixed), f)?;
                write!(f, " {operator} ")?;
                spanset_at(right, own + 1, f)
            })
        }
    }
}

fn in_parentheses(
    wanted: bool,
    f: &mut Formatter<'_>,
    inner: impl FnOnce(&mut Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    f.write_str(if wanted { "(" } else { "" })?;
    inner(f)?;
    f.write_str(if wanted { ")" } else { "" })
}

impl Display for Expression {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        expression_at(self, 0, f)
    }
}

/// How strongly the operator of an expression binds; see `parse`.
fn binds(expression: &Expression) -> u8 {
    match &expression.kind {
        ExpressionKind::Logic(..) => 1,
        ExpressionKind::Compare(..) | ExpressionKind::Exists(_) | ExpressionKind::Missing(_) => 2,
        ExpressionKind::Arithmetic(_, operator, _) => strength(*operator),
        ExpressionKind::Negative(_) => 3,
        ExpressionKind::Literal(literal) if literal.is_negative() => 3,
        ExpressionKind::Not(_) => 4,
        ExpressionKind::Literal(_) | ExpressionKind::Field(_) => 9,
    }
}

fn expression_at(expression: &Expression, least: u8, f: &mut Formatter<'_>) -> fmt::Result {
    let own = binds(expression);
    in_parentheses(own < least, f, |f| match &expression.kind {
        ExpressionKind::Literal(literal) => literal.fmt(f),
        ExpressionKind::Field(field) => field.fmt(f),
        ExpressionKind::Logic(left, logic, right) => {
            let mixed = matches!(&left.kind, ExpressionKind::Logic(_, inner, _) if inner != logic);
            expression_at(left, own + u8::from(mixed), f)?;
            write!(f, " {logic} ")?;
            expression_at(right, own + 1, f)
        }
        ExpressionKind::Compare(left, comparison, right) => {
            expression_at(left, own, f)?;
            write!(f, " {comparison} ")?;
            expression_at(right, own + 1, f)
        }
        ExpressionKind::Arithmetic(left, operator, right) => {
            let power = u8::from(*operator == Arithmetic::Power);
            expression_at(left, own + power, f)?;
            write!(f, " {operator} ")?;
            expression_at(right, own + 1 - power, f)
        }
        ExpressionKind::Not(inner) => {
            f.write_str("!")?;
            expression_at(inner, 5, f)
        }
        ExpressionKind::Negative(inner) => {
            f.write_str("-")?;
            expression_at(inner, 4, f)
        }
        ExpressionKind::Exists(inner) => {
            expression_at(inner, own, f)?;
            f.write_str(" != nil")
        }
        ExpressionKind::Missing(inner) => {
            expression_at(inner, own, f)?;
            f.write_str(" = nil")
        }
    })
}

fn scalar_at(scalar: &Scalar, least: u8, f: &mut Formatter<'_>) -> fmt::Result {
    match scalar {
        Scalar::Literal(literal, _) => literal.fmt(f),
        Scalar::Aggregate(aggregate, None, _) => write!(f, "{aggregate}()"),
        Scalar::Aggregate(aggregate, Some(of), _) => write!(f, "{aggregate}({of})"),
        Scalar::Arithmetic(left, operator, right) => {
            let own = strength(*operator);
            let power = u8::from(*operator == Arithmetic::Power);
            in_parentheses(own < least, f, |f| {
                scalar_at(left, own + power, f)?;
                write!(f, " {operator} ")?;
                scalar_at(right, own + 1 - power, f)
            })
        }
    }
}

/// `least` is 0 outside of arithmetic, where nothing needs parentheses.
fn metric_at(metric: &Metric, least: u8, f: &mut Formatter<'_>) -> fmt::Result {
    match metric {
        Metric::Number(literal, _) => literal.fmt(f),
        Metric::Arithmetic(left, operator, right) => {
            let own = strength(*operator);
            in_parentheses(own < least, f, |f| {
                metric_at(left, own, f)?;
                write!(f, " {operator} ")?;
                metric_at(right, own + 1, f)
            })
        }
        Metric::Spans { pipeline, function, by, .. } => in_parentheses(least > 0, f, |f| {
            write!(f, "{pipeline} | {function}")?;
            if by.is_empty() {
                return Ok(());
            }
            f.write_str(" by (")?;
            list(by, f)?;
            f.write_str(")")
        }),
        Metric::Then(of, stage) => in_parentheses(least > 0, f, |f| {
            metric_at(of, 0, f)?;
            match stage {
                SecondStage::Top(count) => write!(f, " | topk({count})"),
                SecondStage::Bottom(count) => write!(f, " | bottomk({count})"),
                SecondStage::Keep(comparison, literal) => write!(f, " {comparison} {literal}"),
            }
        }),
    }
}

impl Display for MetricFunction {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            MetricFunction::Rate => f.write_str("rate()"),
            MetricFunction::CountOverTime => f.write_str("count_over_time()"),
            MetricFunction::OverTime(aggregate, field) => write!(f, "{aggregate}_over_time({field})"),
            MetricFunction::HistogramOverTime(field) => write!(f, "histogram_over_time({field})"),
            MetricFunction::QuantileOverTime(field, quantiles) => {
                write!(f, "quantile_over_time({field}")?;
                quantiles.iter().try_for_each(|quantile| write!(f, ", {quantile:?}"))?;
                f.write_str(")")
            }
            MetricFunction::Compare { filter, top, window: None } => write!(f, "compare({filter}, {top})"),
            MetricFunction::Compare { filter, top, window: Some((from, to)) } => {
                write!(f, "compare({filter}, {top}, {from}, {to})")
            }
        }
    }
}

impl Display for Field {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(if self.of_parent { "parent" } else { "" })?;
        match &self.name {
            FieldName::Intrinsic(intrinsic) => f.write_str(intrinsic.as_str()),
            FieldName::Attribute(scope, name) => {
                let dot = if self.of_parent && scope.is_some() { "." } else { "" };
                write!(f, "{dot}{}.", scope.map_or("", |scope| scope.as_str()))?;
                let reads_as_scope = ["span.", "resource."].iter().any(|scope| name.starts_with(scope));
                let plain = name.chars().all(|char| is_in_name(char) && char != '"')
                    && !(self.of_parent && scope.is_none() && reads_as_scope)
                    && !(!self.of_parent && scope.is_none() && name.starts_with(|char: char| char.is_ascii_digit()));
                match plain {
                    true => f.write_str(name),
                    false => quoted_name(name, f),
                }
            }
        }
    }
}

fn quoted_name(name: &str, f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, "\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

macro_rules! written {
    ($($of:ident { $($name:ident = $text:literal),+ $(,)? })+) => { $(
        impl Display for $of {
            fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $($of::$name => $text),+ })
            }
        }
    )+ };
}

written! {
    Logic { And = "&&", Or = "||" }
    Comparison {
        Equal = "=", NotEqual = "!=", Less = "<", AtMost = "<=", Greater = ">", AtLeast = ">=", Matches = "=~",
        NotMatches = "!~",
    }
    Arithmetic { Add = "+", Subtract = "-", Multiply = "*", Divide = "/", Modulo = "%", Power = "^" }
    Aggregate { Count = "count", Min = "min", Max = "max", Avg = "avg", Sum = "sum" }
    Relation { Child = ">", Descendant = ">>", Parent = "<", Ancestor = "<<", Sibling = "~" }
    Relate { Right = "", Not = "!", Both = "&" }
}

impl Display for SpansetOperator {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            SpansetOperator::And => f.write_str("&&"),
            SpansetOperator::Or => f.write_str("||"),
            SpansetOperator::Structural(Structural { relation, sides }) => write!(f, "{sides}{relation}"),
        }
    }
}
