//! What the words of a text are, for colours.

use super::field::Intrinsic;
use super::lex::{Token, lex};
use super::literal::Literal;
use std::ops::Range;

/// What a word of a query is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// An attribute: `span.http.route`.
    Attribute,
    /// An intrinsic: `span:duration`.
    Intrinsic,
    /// Text in quotes.
    Text,
    /// A number or duration.
    Number,
    /// `error`, `server`, `true`, `nil` …
    Constant,
    /// A stage, a function, a setting.
    Function,
    /// An operator, a brace, a parenthesis.
    Sign,
}

/// The words of a text, in order, as far as it can be read: a query that is being written may end anywhere.
///
/// ```
/// use orrery_query::traceql::{Part, parts};
///
/// let text = "{ kind = server } | ra";
/// let words: Vec<_> = parts(text).into_iter().map(|(range, part)| (&text[range], part)).collect();
/// assert_eq!(words[1], ("kind", Part::Intrinsic));
/// assert_eq!(words[3], ("server", Part::Constant));
/// assert_eq!(words[6], ("ra", Part::Function));
/// ```
pub fn parts(text: &str) -> Vec<(Range<usize>, Part)> {
    let (tokens, _) = lex(text);
    tokens.into_iter().map(|(token, place)| (place.into(), part(&token))).collect()
}

fn part(token: &Token) -> Part {
    match token {
        Token::Attribute { .. } => Part::Attribute,
        Token::Text(_) => Part::Text,
        Token::Int(_) | Token::Float(_) | Token::Duration(_) => Part::Number,
        Token::Sign(_) => Part::Sign,
        Token::Word(word) if Intrinsic::parse(word).is_some() => Part::Intrinsic,
        Token::Word(word) if word == "nil" || Literal::of_word(word).is_some() => Part::Constant,
        Token::Word(_) => Part::Function,
    }
}
