//! Tests of single values, made ready.

use super::ast::Comparison;
use super::evaluate::{Value, holds, whole};
use super::literal::Literal;
use super::prefilter::Test;
use super::problem::Problem;
use regex::Regex;

/// A [`Test`] made ready to be asked of single values. What becomes of several is the asker's, see [`Test`].
#[derive(Clone, Debug)]
pub enum Probe {
    /// A value of a matching type compares so.
    Compare(Comparison, Literal),
    /// The whole text matches, or, if the flag is set, does not.
    Matches(Regex, bool),
    /// Any value.
    Exists,
}

impl Probe {
    /// Makes a test ready.
    ///
    /// # Errors
    /// Its regular expression is none. Of a query of which a [`super::Compiled`] was made each is one.
    pub fn new(test: &Test) -> Result<Probe, Problem> {
        Ok(match test {
            Test::Compare(comparison, literal) => Probe::Compare(*comparison, literal.clone()),
            Test::Matches { pattern, not } => Probe::Matches(whole(pattern, 0..0)?, *not),
            Test::Exists => Probe::Exists,
        })
    }

    /// Whether a value passes.
    pub fn holds(&self, value: Value<'_>) -> bool {
        match self {
            Probe::Compare(comparison, literal) => holds(value, *comparison, Value::of(literal)),
            Probe::Matches(regex, not) => matches!(value, Value::Text(text) if regex.is_match(text) != *not),
            Probe::Exists => true,
        }
    }
}
