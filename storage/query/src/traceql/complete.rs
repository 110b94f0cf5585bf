//! What could be written at the cursor of an unfinished query.

use super::ast::Place;
use super::field::{Field, FieldName, Intrinsic, Scope, Type};
use super::lex::{Token, is_in_name, lex};
use super::literal::{KINDS, STATUSES};
use std::ops::Range;

/// What could be written at a cursor.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// The bytes to be replaced: what was begun, also behind the cursor. Empty if nothing was.
    pub range: Range<usize>,
    /// What is begun, up to the cursor, without quotes.
    pub prefix: String,
    /// What fits.
    pub wanted: Wanted,
}

/// What fits at a cursor.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// A spanset: `{ … }`.
    Spanset,
    /// A field. With a scope an attribute of it, `prefix` then being the name alone; without one also an intrinsic.
    Field {
        /// The scope that was written; of `parent.` none.
        scope: Option<Scope>,
        /// Whether a dot was written, so that only attributes fit.
        attribute: bool,
        /// Whether `parent.` was written.
        of_parent: bool,
    },
    /// A comparison with a field of this type; or, of numbers, arithmetic.
    Operator(Type),
    /// A value of a field.
    Value {
        /// Which.
        field: Field,
        /// Whether a quote was opened.
        quoted: bool,
    },
    /// `&&` or `||` between conditions, or the end of them.
    Logic,
    /// What joins spansets, or `|`.
    Join,
    /// A stage or a function of metrics.
    Stage,
    /// `by`, or what follows a function of metrics.
    AfterMetric,
    /// The name of a setting of `with ( )`.
    Hint,
    /// Something free: a number, a regular expression.
    Nothing,
}

/// Says what could be written at byte `cursor` of `text`, however unfinished it is. What follows the cursor counts only
/// as far as it belongs to the word there. A cursor beyond the text, or within a character, is moved back.
///
/// ```
/// use orrery_query::traceql::{Scope, Wanted, complete};
///
/// let completion = complete("{ resource.serv", 15);
/// assert_eq!(completion.prefix, "serv");
/// assert_eq!(completion.range, 2..15);
/// assert_eq!(completion.wanted, Wanted::Field { scope: Some(Scope::Resource), attribute: true, of_parent: false });
/// ```
pub fn complete(text: &str, cursor: usize) -> Completion {
    let cursor = (0..=cursor.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let (mut tokens, stopped) = lex(&text[..cursor]);
    let mut begun = None;
    if let Some(problem) = stopped {
        // The word at which reading stopped: unfinished, or fitting nowhere.
        let start = tokens.last().map_or(0, |(_, place)| place.end);
        let start = start + text[start..cursor].find(|char: char| !char.is_whitespace()).unwrap_or(0);
        if problem.range.end < cursor {
            return Completion { range: cursor..cursor, prefix: String::new(), wanted: Wanted::Nothing };
        }
        begun = Some(start);
    } else if let Some((
        Token::Word(_) | Token::Attribute { .. } | Token::Int(_) | Token::Float(_) | Token::Duration(_),
        place,
    )) = tokens.last().filter(|(_, place)| place.end == cursor)
    {
        begun = Some(place.start);
        tokens.pop();
    }
    let before: Vec<Token> = tokens.into_iter().map(|(token, _)| token).collect();
    let start = begun.unwrap_or(cursor);
    let word = &text[start..cursor];
    let wanted = fitting(&before);
    let mut completion =
        Completion { range: Place { start, end: end_of(text, start, cursor) }.into(), prefix: word.to_owned(), wanted };
    completion.look_into(word);
    completion
}

/// Where the word ends that begins at `start`.
fn end_of(text: &str, start: usize, cursor: usize) -> usize {
    let rest = &text[cursor..];
    match text[start..cursor].chars().next() {
        None => cursor,
        Some(quote @ ('"' | '`')) => rest.find(quote).map_or(cursor, |end| cursor + end + 1),
        Some(_) => cursor + rest.find(|char: char| !is_in_name(char)).unwrap_or(rest.len()),
    }
}

impl Completion {
    /// Takes apart what was begun: scope and name, quote and text.
    fn look_into(&mut self, word: &str) {
        match &mut self.wanted {
            Wanted::Field { scope, attribute, of_parent } => {
                let mut rest = word;
                if let Some(after) = rest.strip_prefix("parent.") {
                    (*of_parent, *attribute, rest) = (true, true, after);
                }
                let scopes = if *of_parent { &[Scope::Span, Scope::Resource][..] } else { &Scope::ALL };
                let named = scopes
                    .iter()
                    .find_map(|scope| Some((*scope, rest.strip_prefix(scope.as_str())?.strip_prefix('.')?)));
                if let Some((named, name)) = named {
                    (*scope, *attribute, rest) = (Some(named), true, name);
                } else if let Some(name) = rest.strip_prefix('.') {
                    (*attribute, rest) = (true, name);
                }
                self.prefix = rest.trim_matches('"').to_owned();
            }
            Wanted::Value { quoted, .. } => {
                if let Some(begun) = word.strip_prefix(['"', '`']) {
                    *quoted = true;
                    self.prefix = begun.to_owned();
                }
            }
            _ => {}
        }
    }

    /// The fixed words that fit and begin like what was begun; names and values of attributes the store knows.
    pub fn words(&self) -> Vec<&'static str> {
        let names = |names: &[(&'static str, _)]| names.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        let all: Vec<&'static str> = match &self.wanted {
            Wanted::Spanset => vec!["{ }"],
            Wanted::Field { attribute: true, .. } | Wanted::Nothing => Vec::new(),
            Wanted::Field { .. } => Intrinsic::all()
                .map(Intrinsic::as_str)
                .chain(["span.", "resource.", "event.", "link.", "instrumentation.", "parent."])
                .collect(),
            Wanted::Operator(of) => operators(*of).to_vec(),
            Wanted::Value { field, quoted: false } => match field.value_type() {
                Type::Status => names(&STATUSES),
                Type::Kind => KINDS.iter().map(|(name, _)| *name).collect(),
                Type::Any => vec!["nil", "true", "false"],
                _ => Vec::new(),
            },
            Wanted::Value { .. } => Vec::new(),
            Wanted::Logic => vec!["&&", "||"],
            Wanted::Join => vec![
                "|", "&&", "||", ">>", ">", "<<", "<", "~", "!>>", "!>", "!<<", "!<", "!~", "&>>", "&>", "&<<", "&<",
                "&~",
            ],
            Wanted::Stage => STAGES.to_vec(),
            Wanted::AfterMetric => vec!["by (", "|", ">", ">=", "<", "<=", "=", "!=", "with ("],
            Wanted::Hint => vec!["most_recent", "exemplars", "extrapolate", "sample", "span_sample", "trace_sample"],
        };
        all.into_iter().filter(|word| word.starts_with(&self.prefix)).collect()
    }
}

const STAGES: [&str; 19] = [
    "count()",
    "avg(",
    "max(",
    "min(",
    "sum(",
    "by(",
    "select(",
    "coalesce()",
    "rate()",
    "count_over_time()",
    "quantile_over_time(",
    "histogram_over_time(",
    "avg_over_time(",
    "max_over_time(",
    "min_over_time(",
    "sum_over_time(",
    "compare(",
    "topk(",
    "bottomk(",
];

fn operators(of: Type) -> &'static [&'static str] {
    match of {
        Type::Text => &["=", "!=", "=~", "!~", "<", "<=", ">", ">="],
        Type::Int | Type::Float | Type::Duration => &["=", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "^"],
        Type::Bool | Type::Status | Type::Kind => &["=", "!="],
        Type::Any => &["=", "!=", "=~", "!~", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "^"],
    }
}

/// What fits after some tokens.
fn fitting(before: &[Token]) -> Wanted {
    let field = Wanted::Field { scope: None, attribute: false, of_parent: false };
    let Some(last) = before.last() else { return Wanted::Spanset };
    let opened = opened(before);
    let function = opened.and_then(|at| at.checked_sub(1)).and_then(|at| before.get(at));
    match opened.map(|at| &before[at]) {
        Some(Token::Sign("{")) => in_condition(before, last, field),
        Some(_) => match (function, last) {
            (Some(Token::Word(word)), Token::Sign("(" | ",")) if word == "with" => Wanted::Hint,
            (Some(Token::Word(word)), Token::Sign("(")) if word == "compare" => Wanted::Spanset,
            (Some(Token::Word(word)), Token::Sign("(")) if word != "count" && word != "topk" && word != "bottomk" => {
                field
            }
            (Some(Token::Word(word)), Token::Sign(",")) if word == "by" || word == "select" => field,
            (Some(Token::Word(_)), _) if field_of(last).is_some() => Wanted::Operator(Type::Int),
            (Some(Token::Word(_)), _) => Wanted::Nothing,
            (_, Token::Sign("(")) => Wanted::Spanset,
            _ => outside(before, last),
        },
        None => outside(before, last),
    }
}

/// Where the innermost brace or parenthesis is that is still open. A parenthesis within braces only groups conditions.
fn opened(before: &[Token]) -> Option<usize> {
    let mut open = Vec::new();
    for (at, token) in before.iter().enumerate() {
        match token {
            Token::Sign("{" | "(") => open.push(at),
            Token::Sign("}" | ")") => _ = open.pop(),
            _ => {}
        }
    }
    let brace = open.iter().rev().find(|at| before[**at] == Token::Sign("{"));
    brace.or(open.last()).copied()
}

fn in_condition(before: &[Token], last: &Token, field: Wanted) -> Wanted {
    match last {
        Token::Sign("=" | "!=" | "<" | "<=" | ">" | ">=" | "=~" | "!~") => {
            match before.len().checked_sub(2).and_then(|at| field_of(&before[at])) {
                Some(_) if matches!(last, Token::Sign("=~" | "!~")) => Wanted::Nothing,
                Some(field) => Wanted::Value { field, quoted: false },
                None => field,
            }
        }
        Token::Sign(")") => Wanted::Logic,
        Token::Sign(_) => field,
        other => match field_of(other) {
            // On the right of a comparison it is the value.
            Some(_)
                if before.len() > 1
                    && matches!(before[before.len() - 2], Token::Sign("=" | "!=" | "<" | "<=" | ">" | ">=")) =>
            {
                Wanted::Logic
            }
            Some(field) => Wanted::Operator(field.value_type()),
            None => Wanted::Logic,
        },
    }
}

fn field_of(token: &Token) -> Option<Field> {
    match token {
        Token::Attribute { of_parent, scope, name } => {
            Some(Field { of_parent: *of_parent, name: FieldName::Attribute(*scope, name.clone()) })
        }
        Token::Word(word) => Intrinsic::parse(word).map(Field::intrinsic),
        _ => None,
    }
}

fn outside(before: &[Token], last: &Token) -> Wanted {
    let called = before.iter().rposition(|token| *token == Token::Sign("(")).and_then(|at| at.checked_sub(1));
    let is_metric = |token: &Token| matches!(token, Token::Word(word) if word == "rate" || word == "compare" || word == "topk" || word == "bottomk" || word.ends_with("_over_time"));
    match last {
        Token::Sign("|") => Wanted::Stage,
        Token::Sign("}") => Wanted::Join,
        Token::Sign(")") if called.is_some_and(|at| is_metric(&before[at])) => Wanted::AfterMetric,
        Token::Sign(")") if called.is_some_and(|at| matches!(&before[at], Token::Word(word) if ["count", "avg", "min", "max", "sum"].contains(&word.as_str()))) => {
            Wanted::Operator(Type::Float)
        }
        Token::Sign(")") => Wanted::Join,
        Token::Sign("&&" | "||" | ">>" | "<<" | "~" | "!>>" | "!<<" | "!>" | "!<" | "!~" | "&>>" | "&<<" | "&>" | "&<" | "&~") => {
            Wanted::Spanset
        }
        Token::Sign(">" | "<") if before.len() > 1 && before[before.len() - 2] == Token::Sign("}") => Wanted::Spanset,
        Token::Sign(_) | Token::Word(_) => Wanted::Nothing,
        _ => Wanted::Join,
    }
}
