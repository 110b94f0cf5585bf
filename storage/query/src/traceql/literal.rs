//! Values written in a query.

use super::field::Type;
use crate::time::duration_text;
use orrery_model::{SpanKind, StatusCode};
use std::fmt;

/// A value written in a query.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `"GET"`, or between backticks, where nothing is escaped.
    Text(String),
    /// `200`, `minInt`, `maxInt`.
    Int(i64),
    /// `0.5`.
    Float(f64),
    /// `true`, `false`.
    Bool(bool),
    /// `250ms`, in nanoseconds.
    Duration(i64),
    /// `error`, `ok`, `unset`.
    Status(StatusCode),
    /// `server`, `client` …
    Kind(SpanKind),
}

pub(crate) const STATUSES: [(&str, StatusCode); 3] =
    [("error", StatusCode::Error), ("ok", StatusCode::Ok), ("unset", StatusCode::Unset)];

pub(crate) const KINDS: [(&str, SpanKind); 6] = [
    ("server", SpanKind::Server),
    ("client", SpanKind::Client),
    ("producer", SpanKind::Producer),
    ("consumer", SpanKind::Consumer),
    ("internal", SpanKind::Internal),
    ("unspecified", SpanKind::Unspecified),
];

impl Literal {
    /// Its type.
    pub fn value_type(&self) -> Type {
        match self {
            Literal::Text(_) => Type::Text,
            Literal::Int(_) => Type::Int,
            Literal::Float(_) => Type::Float,
            Literal::Bool(_) => Type::Bool,
            Literal::Duration(_) => Type::Duration,
            Literal::Status(_) => Type::Status,
            Literal::Kind(_) => Type::Kind,
        }
    }

    /// The literal of a word, if it is one.
    pub(crate) fn of_word(word: &str) -> Option<Literal> {
        let status = || STATUSES.iter().find(|(name, _)| *name == word).map(|(_, status)| Literal::Status(*status));
        let kind = || KINDS.iter().find(|(name, _)| *name == word).map(|(_, kind)| Literal::Kind(*kind));
        match word {
            "true" => Some(Literal::Bool(true)),
            "false" => Some(Literal::Bool(false)),
            "minInt" => Some(Literal::Int(i64::MIN)),
            "maxInt" => Some(Literal::Int(i64::MAX)),
            _ => status().or_else(kind),
        }
    }

    /// The number with the other sign; `None` for what is no number.
    pub(crate) fn negative(&self) -> Option<Literal> {
        match self {
            Literal::Int(value) => value.checked_neg().map(Literal::Int),
            Literal::Float(value) => Some(Literal::Float(-value)),
            Literal::Duration(value) => Some(Literal::Duration(value.saturating_neg())),
            _ => None,
        }
    }

    /// Whether it is written with a minus sign.
    pub(crate) fn is_negative(&self) -> bool {
        match self {
            Literal::Int(value) => *value < 0 && *value != i64::MIN,
            Literal::Float(value) => value.is_sign_negative(),
            Literal::Duration(value) => *value < 0,
            _ => false,
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Text(text) => quoted(text, f),
            Literal::Int(i64::MIN) => f.write_str("minInt"),
            Literal::Int(value) => write!(f, "{value}"),
            // With a point or an exponent, so that it stays a float.
            Literal::Float(value) => write!(f, "{value:?}"),
            Literal::Bool(value) => write!(f, "{value}"),
            Literal::Duration(nanos) => f.write_str(&duration_text(*nanos)),
            Literal::Status(status) => f.write_str(word_of(&STATUSES, status)),
            Literal::Kind(kind) => f.write_str(word_of(&KINDS, kind)),
        }
    }
}

fn word_of<T: PartialEq>(words: &[(&'static str, T)], wanted: &T) -> &'static str {
    words.iter().find(|(_, value)| value == wanted).map_or("", |(word, _)| word)
}

/// Writes text in double quotes, as [`super::lex`] reads it.
fn quoted(text: &str, f: &mut impl fmt::Write) -> fmt::Result {
    f.write_char('"')?;
    for char in text.chars() {
        match char {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            char if char.is_control() => write!(f, "\\u{:04x}", char as u32)?,
            char => f.write_char(char)?,
        }
    }
    f.write_char('"')
}

/// Nanoseconds of a duration such as `1h30m`, `250ms`, `1.5s`, `2d`; `None` if a unit is unknown or it is too long.
pub(crate) fn duration(text: &str) -> Option<i64> {
    let (mut rest, mut total) = (text, 0_i64);
    while !rest.is_empty() {
        let unit_at = rest.find(|char: char| !char.is_ascii_digit() && char != '.')?;
        let (number, after) = rest.split_at(unit_at);
        let end = after.find(|char: char| char.is_ascii_digit() || char == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let scale: i64 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            "w" => 7 * 86_400_000_000_000,
            "y" => 365 * 86_400_000_000_000,
            _ => return None,
        };
        let nanos = match number.parse::<i64>() {
            Ok(whole) => whole.checked_mul(scale)?,
            Err(_) => {
                let nanos = (number.parse::<f64>().ok()? * scale as f64).round();
                (nanos < i64::MAX as f64).then_some(nanos as i64)?
            }
        };
        total = total.checked_add(nanos)?;
        rest = after;
    }
    Some(total)
}
