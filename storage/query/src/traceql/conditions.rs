//! The flat form of a query: what a visual builder shows and edits.

use super::ast::{Body, Comparison, Expression, ExpressionKind, Filter, Logic, Pipeline, Place, Query, Spanset, Stage};
use super::field::Field;
use super::literal::Literal;

/// Conditions that all hold of one span: `{ a = 1 && b = 2 }`. Those of trace-level intrinsics hold of its trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conditions {
    /// In the order in which they are shown.
    pub conditions: Vec<Condition>,
}

/// One row of the builder.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// What is read.
    pub field: Field,
    /// What is asked of it.
    pub operator: Operator,
}

/// What is asked of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Operator {
    /// Compared with a value.
    Compare(Comparison, Literal),
    /// `!= nil`
    Exists,
    /// `= nil`
    Missing,
}

impl Conditions {
    /// The query that says the same. Its types are not checked: print it and [`super::parse`] what was printed.
    pub fn to_query(&self) -> Query {
        let mut conditions = self.conditions.iter().map(Condition::to_expression);
        let first = conditions.next();
        let condition = first.map(|first| {
            conditions
                .fold(first, |left, right| expression(ExpressionKind::Logic(left.into(), Logic::And, right.into())))
        });
        let filter = Spanset::Filter(Filter { condition, place: Place::default() });
        Query { body: Body::Search(Pipeline { stages: vec![Stage::Spansets(filter)] }), hints: Vec::new() }
    }

    /// The conditions of a query; `None` if it says more than a builder shows.
    pub fn from_query(query: &Query) -> Option<Conditions> {
        let Body::Search(pipeline) = &query.body else { return None };
        let ([Stage::Spansets(Spanset::Filter(filter))], []) = (&pipeline.stages[..], &query.hints[..]) else {
            return None;
        };
        let mut conditions = Vec::new();
        if let Some(condition) = &filter.condition {
            collect(condition, &mut conditions)?;
        }
        Some(Conditions { conditions })
    }
}

fn collect(of: &Expression, into: &mut Vec<Condition>) -> Option<()> {
    let field = |of: &Expression| match &of.kind {
        ExpressionKind::Field(field) => Some(field.clone()),
        _ => None,
    };
    let condition = match &of.kind {
        ExpressionKind::Logic(left, Logic::And, right) => {
            collect(left, into)?;
            return collect(right, into);
        }
        ExpressionKind::Compare(left, comparison, right) => match (&left.kind, &right.kind) {
            (ExpressionKind::Field(field), ExpressionKind::Literal(literal)) => {
                Condition { field: field.clone(), operator: Operator::Compare(*comparison, literal.clone()) }
            }
            (ExpressionKind::Literal(literal), ExpressionKind::Field(field)) => {
                Condition { field: field.clone(), operator: Operator::Compare(comparison.flipped(), literal.clone()) }
            }
            _ => return None,
        },
        ExpressionKind::Exists(inner) => Condition { field: field(inner)?, operator: Operator::Exists },
        ExpressionKind::Missing(inner) => Condition { field: field(inner)?, operator: Operator::Missing },
        _ => return None,
    };
    into.push(condition);
    Some(())
}

impl Condition {
    /// Whether it is the same for all spans of a trace.
    pub fn is_of_trace(&self) -> bool {
        self.field.as_intrinsic().is_some_and(super::Intrinsic::is_of_trace)
    }

    fn to_expression(&self) -> Expression {
        let field = Box::new(expression(ExpressionKind::Field(self.field.clone())));
        expression(match &self.operator {
            Operator::Compare(comparison, literal) => ExpressionKind::Compare(
                field,
                *comparison,
                Box::new(expression(ExpressionKind::Literal(literal.clone()))),
            ),
            Operator::Exists => ExpressionKind::Exists(field),
            Operator::Missing => ExpressionKind::Missing(field),
        })
    }
}

fn expression(kind: ExpressionKind) -> Expression {
    Expression { kind, place: Place::default() }
}
