//! Numbers of a query and what is done with them.

use super::ast::{Arithmetic, Expression, ExpressionKind};
use super::literal::Literal;

/// A number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Int(i64),
    Float(f64),
    /// Nanoseconds.
    Duration(i64),
}

impl Number {
    pub(crate) fn of(literal: &Literal) -> Option<Number> {
        match literal {
            Literal::Int(value) => Some(Number::Int(*value)),
            Literal::Float(value) => Some(Number::Float(*value)),
            Literal::Duration(value) => Some(Number::Duration(*value)),
            _ => None,
        }
    }

    pub(crate) fn literal(self) -> Literal {
        match self {
            Number::Int(value) => Literal::Int(value),
            Number::Float(value) => Literal::Float(value),
            Number::Duration(value) => Literal::Duration(value),
        }
    }

    /// Durations in nanoseconds.
    pub(crate) fn float(self) -> f64 {
        match self {
            Number::Int(value) | Number::Duration(value) => value as f64,
            Number::Float(value) => value,
        }
    }

    pub(crate) fn negative(self) -> Number {
        match self {
            Number::Int(value) => value.checked_neg().map_or(Number::Float(-(value as f64)), Number::Int),
            Number::Float(value) => Number::Float(-value),
            Number::Duration(value) => Number::Duration(value.saturating_neg()),
        }
    }

    /// Integers and durations exactly; `None` beside NaN.
    #[cfg(feature = "evaluate")]
    pub(crate) fn compare(self, other: Number) -> Option<std::cmp::Ordering> {
        match (self, other) {
            (Number::Float(left), right) => left.partial_cmp(&right.float()),
            (left, Number::Float(right)) => left.float().partial_cmp(&right),
            (Number::Int(left) | Number::Duration(left), Number::Int(right) | Number::Duration(right)) => {
                Some(left.cmp(&right))
            }
        }
    }

    /// Integers stay integers, and are divided whole; durations stay durations where that makes sense. What does not
    /// fit becomes a double. `None` where integers are divided by zero.
    pub(crate) fn apply(self, operator: Arithmetic, other: Number) -> Option<Number> {
        use Arithmetic::{Add, Divide, Modulo, Multiply, Power, Subtract};
        let float = |left: f64, right: f64| match operator {
            Add => left + right,
            Subtract => left - right,
            Multiply => left * right,
            Divide => left / right,
            Modulo => left % right,
            Power => left.powf(right),
        };
        let whole = |left: i64, right: i64| match operator {
            Add => left.checked_add(right),
            Subtract => left.checked_sub(right),
            Multiply => left.checked_mul(right),
            Divide => left.checked_div(right),
            Modulo => left.checked_rem(right),
            Power => u32::try_from(right).ok().and_then(|right| left.checked_pow(right)),
        };
        let plain = || Some(Number::Float(float(self.float(), other.float())));
        match (self, other) {
            (Number::Int(_), Number::Int(0)) if matches!(operator, Divide | Modulo) => None,
            (Number::Int(left), Number::Int(right)) => whole(left, right).map(Number::Int).or_else(plain),
            (Number::Duration(left), Number::Duration(right)) if matches!(operator, Add | Subtract | Modulo) => {
                whole(left, right).map(Number::Duration).or_else(plain)
            }
            (Number::Duration(left), Number::Int(right)) | (Number::Int(right), Number::Duration(left))
                if operator == Multiply =>
            {
                whole(left, right).map(Number::Duration).or_else(plain)
            }
            (Number::Duration(_), Number::Int(_) | Number::Float(_)) | (Number::Float(_), Number::Duration(_))
                if operator == Multiply || (operator == Divide && matches!(self, Number::Duration(_))) =>
            {
                let nanos = float(self.float(), other.float());
                let fits = nanos.is_finite() && nanos.abs() < i64::MAX as f64;
                Some(if fits { Number::Duration(nanos as i64) } else { Number::Float(nanos) })
            }
            _ => plain(),
        }
    }
}

/// The value of an expression that reads no span.
pub(crate) fn constant(expression: &Expression) -> Option<Literal> {
    let number = |expression: &Expression| constant(expression).as_ref().and_then(Number::of);
    match &expression.kind {
        ExpressionKind::Literal(literal) => Some(literal.clone()),
        ExpressionKind::Negative(of) => Some(number(of)?.negative().literal()),
        ExpressionKind::Arithmetic(left, operator, right) => {
            Some(number(left)?.apply(*operator, number(right)?)?.literal())
        }
        _ => None,
    }
}
