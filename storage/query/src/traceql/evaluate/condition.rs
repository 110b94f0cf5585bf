//! Conditions and values of one span, made ready.

use super::super::arithmetic::{Number, constant};
use super::super::ast::{Arithmetic, Comparison, Expression, ExpressionKind, Filter, Logic};
use super::super::field::{Field, Intrinsic};
use super::super::literal::Literal;
use super::super::prefilter::whole_id;
use super::super::problem::Problem;
use super::read::Read;
use super::structure::Trace;
use super::view::Value;
use regex::{Regex, RegexBuilder};
use std::cmp::Ordering;

/// Bytes of a compiled regular expression at most.
const LARGEST: usize = 1 << 20;

#[derive(Clone, Debug)]
pub(crate) enum Condition {
    Always(bool),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
    Compare(Operand, Comparison, Operand),
    Matches { of: Operand, regex: Regex, not: bool },
    Exists(Operand),
}

#[derive(Clone, Debug)]
pub(crate) enum Operand {
    Constant(Literal),
    Read(Read),
    Arithmetic(Box<Operand>, Arithmetic, Box<Operand>),
    Negative(Box<Operand>),
    Condition(Box<Condition>),
}

impl Condition {
    pub(crate) fn of_filter(filter: &Filter) -> Result<Condition, Problem> {
        filter.condition.as_ref().map_or(Ok(Condition::Always(true)), Condition::new)
    }

    pub(crate) fn new(of: &Expression) -> Result<Condition, Problem> {
        let boxed = |of: &Expression| Condition::new(of).map(Box::new);
        Ok(match &of.kind {
            ExpressionKind::Literal(literal) => Condition::Always(*literal == Literal::Bool(true)),
            ExpressionKind::Logic(left, Logic::And, right) => Condition::And(boxed(left)?, boxed(right)?),
            ExpressionKind::Logic(left, Logic::Or, right) => Condition::Or(boxed(left)?, boxed(right)?),
            ExpressionKind::Not(inner) => Condition::Not(boxed(inner)?),
            ExpressionKind::Exists(inner) => Condition::Exists(Operand::new(inner)?),
            ExpressionKind::Missing(inner) => Condition::Not(Box::new(Condition::Exists(Operand::new(inner)?))),
            ExpressionKind::Compare(left, comparison, right) => compare(left, *comparison, right)?,
            // Alone, an attribute is a condition if it is `true`.
            ExpressionKind::Field(_) | ExpressionKind::Arithmetic(..) | ExpressionKind::Negative(_) => {
                Condition::Compare(Operand::new(of)?, Comparison::Equal, Operand::Constant(Literal::Bool(true)))
            }
        })
    }

    pub(crate) fn holds(&self, trace: &Trace<'_>, span: usize) -> bool {
        match self {
            Condition::Always(value) => *value,
            Condition::And(left, right) => left.holds(trace, span) && right.holds(trace, span),
            Condition::Or(left, right) => left.holds(trace, span) || right.holds(trace, span),
            Condition::Not(inner) => !inner.holds(trace, span),
            Condition::Exists(of) => of.visit(trace, span, &mut |_| {}),
            Condition::Compare(left, comparison, right) => every_or_any(*comparison == Comparison::NotEqual, |note| {
                left.visit(trace, span, &mut |left| {
                    let there = right.visit(trace, span, &mut |right| note(holds(left, *comparison, right)));
                    if !there {
                        note(false);
                    }
                })
            }),
            Condition::Matches { of, regex, not } => every_or_any(*not, |note| {
                of.visit(trace, span, &mut |value| {
                    note(matches!(value, Value::Text(text) if regex.is_match(text) != *not));
                })
            }),
        }
    }
}

/// Whether all, or any, of what `each` notes holds. `each` says whether there is anything at all.
fn every_or_any(every: bool, each: impl FnOnce(&mut dyn FnMut(bool)) -> bool) -> bool {
    let (mut all, mut any) = (true, false);
    let there = each(&mut |holds| {
        all &= holds;
        any |= holds;
    });
    there && if every { all } else { any }
}

/// Whether one value compares so with another; never if their types differ.
pub(crate) fn holds(left: Value<'_>, comparison: Comparison, right: Value<'_>) -> bool {
    let ordering = match (left, right) {
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(&right)),
        (Value::Status(left), Value::Status(right)) => Some(left.cmp(&right)),
        (Value::Kind(left), Value::Kind(right)) => Some((left as u8).cmp(&(right as u8))),
        _ => match (left.number(), right.number()) {
            (Some(left), Some(right)) => left.compare(right),
            _ => return false,
        },
    };
    compares(ordering, comparison)
}

/// `ordering` is `None` beside NaN.
pub(crate) fn compares(ordering: Option<Ordering>, comparison: Comparison) -> bool {
    match comparison {
        Comparison::Equal => ordering == Some(Ordering::Equal),
        Comparison::NotEqual => ordering != Some(Ordering::Equal),
        Comparison::Less => ordering == Some(Ordering::Less),
        Comparison::AtMost => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
        Comparison::Greater => ordering == Some(Ordering::Greater),
        Comparison::AtLeast => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
        Comparison::Matches | Comparison::NotMatches => false,
    }
}

/// A regular expression that the whole text has to match.
pub(crate) fn whole(pattern: &str, place: impl Into<std::ops::Range<usize>>) -> Result<Regex, Problem> {
    let none = |error: regex::Error| {
        let (message, hint) = match error {
            regex::Error::CompiledTooBig(_) => ("the regular expression is too large", "repeat less"),
            _ => (
                "this is no regular expression",
                "put a backslash before . ( ) [ ] { } * + ? | ^ $ that stand for themselves; in \"…\" double it",
            ),
        };
        Problem::new(place, message, hint)
    };
    // By itself first, so that no parenthesis of it closes ours.
    let compiled =
        Regex::new(pattern).and_then(|_| RegexBuilder::new(&format!("^(?s:{pattern})$")).size_limit(LARGEST).build());
    compiled.map_err(none)
}

fn compare(left: &Expression, comparison: Comparison, right: &Expression) -> Result<Condition, Problem> {
    if let (Comparison::Matches | Comparison::NotMatches, Some(Literal::Text(pattern))) = (comparison, constant(right))
    {
        let regex = whole(&pattern, right.place)?;
        return Ok(Condition::Matches { of: Operand::new(left)?, regex, not: comparison == Comparison::NotMatches });
    }
    let (mut one, mut other) = (Operand::new(left)?, Operand::new(right)?);
    whole_ids(left, &mut other);
    whole_ids(right, &mut one);
    Ok(Condition::Compare(one, comparison, other))
}

/// An id may be written without zeros in front.
fn whole_ids(field: &Expression, literal: &mut Operand) {
    let digits = match &field.kind {
        ExpressionKind::Field(field) => Field::as_intrinsic(field).and_then(Intrinsic::id_digits),
        _ => None,
    };
    if let (Some(digits), Operand::Constant(Literal::Text(text))) = (digits, literal) {
        *text = whole_id(text, digits);
    }
}

impl Operand {
    pub(crate) fn new(of: &Expression) -> Result<Operand, Problem> {
        if let Some(literal) = constant(of) {
            return Ok(Operand::Constant(literal));
        }
        let boxed = |of: &Expression| Operand::new(of).map(Box::new);
        Ok(match &of.kind {
            ExpressionKind::Field(field) => Operand::Read(Read::new(field)),
            ExpressionKind::Arithmetic(left, operator, right) => {
                Operand::Arithmetic(boxed(left)?, *operator, boxed(right)?)
            }
            ExpressionKind::Negative(inner) => Operand::Negative(boxed(inner)?),
            _ => Operand::Condition(Box::new(Condition::new(of)?)),
        })
    }

    /// Calls `visit` with each value, and says whether there is one or could be (an empty array).
    pub(crate) fn visit(&self, trace: &Trace<'_>, span: usize, visit: &mut dyn FnMut(Value<'_>)) -> bool {
        match self {
            Operand::Constant(literal) => visit(Value::of(literal)),
            Operand::Read(read) => return read.visit(trace, span, visit),
            Operand::Condition(condition) => visit(Value::Bool(condition.holds(trace, span))),
            Operand::Arithmetic(..) | Operand::Negative(_) => match self.number(trace, span) {
                Some(number) => visit(number.into()),
                None => return false,
            },
        }
        true
    }

    /// The number; the first of several.
    pub(crate) fn number(&self, trace: &Trace<'_>, span: usize) -> Option<Number> {
        match self {
            Operand::Constant(literal) => Number::of(literal),
            Operand::Read(read) => read.first(trace, span, |value| value.and_then(Value::number))?,
            Operand::Arithmetic(left, operator, right) => {
                left.number(trace, span)?.apply(*operator, right.number(trace, span)?)
            }
            Operand::Negative(inner) => Some(inner.number(trace, span)?.negative()),
            Operand::Condition(_) => None,
        }
    }
}
