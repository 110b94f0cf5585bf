//! Rules for single rows: what they say, and how they are written.

use crate::plan::AttributeFilter;
use crate::time::{duration_nanos, duration_text};
use orrery_model::Signal;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Rows of one signal that go before the others: `traces after 3d where service = 'cart' and not error`.
///
/// ```text
/// rule  = ("traces" | "logs" | "metrics") "after" TIME "where" term { "and" term }
/// term  = ["not"] ( "error" | "duration" ("<" | ">") TIME | NAME ("=" | "!=") VALUE )
/// ```
///
/// NAME is `service`, `namespace`, `environment` or an attribute; VALUE a word or quoted text; TIME like `250ms` or
/// `3d`. `error` is a failed span, or a log record of severity error or worse. Each row is judged alone: of a trace
/// with one failed span, `not error` means the others. Source: ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rule {
    /// Whose rows.
    pub signal: Signal,
    /// The age at which they go, nanoseconds.
    pub after_nanos: i64,
    /// All must hold.
    pub terms: Vec<Term>,
}

/// One condition of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// Failed, or not failed.
    Error(bool),
    /// Shorter than this, nanoseconds; or not.
    Shorter(i64, bool),
    /// Longer than this, nanoseconds; or not.
    Longer(i64, bool),
    /// A field of the service is this; or not.
    Service(ServiceField, String, bool),
    /// An attribute of the row or its resource.
    Attribute(AttributeFilter),
}

/// What identifies a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceField {
    /// `service.name`
    Name,
    /// `service.namespace`
    Namespace,
    /// `deployment.environment.name`
    Environment,
}

/// Why a rule is none, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("character {position}: {expected}")]
pub struct RuleError {
    /// The character at fault, the first being 1.
    pub position: usize,
    /// What would be right there.
    pub expected: String,
}

impl Term {
    /// Whether what it says is to hold, or not to.
    pub fn holds(&self) -> bool {
        match self {
            Term::Error(holds) | Term::Shorter(_, holds) | Term::Longer(_, holds) | Term::Service(.., holds) => *holds,
            Term::Attribute(filter) => !filter.negated,
        }
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Rule, RuleError> {
        let mut parser = Parser { tokens: tokens(text)?, at: 0, end: text.chars().count() + 1 };
        let signal = parser.signal()?;
        parser.word("after")?;
        let after_nanos = parser.time()?;
        parser.word("where")?;
        let mut terms = vec![parser.term(signal)?];
        while !parser.is_at_end() {
            parser.word("and")?;
            terms.push(parser.term(signal)?);
        }
        Ok(Rule { signal, after_nanos, terms })
    }
}

impl TryFrom<String> for Rule {
    type Error = RuleError;

    fn try_from(text: String) -> Result<Rule, RuleError> {
        text.parse()
    }
}

impl From<Rule> for String {
    fn from(rule: Rule) -> String {
        rule.to_string()
    }
}

/// The rule in its one spelling, which parses to itself.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} after {} where ", self.signal, duration_text(self.after_nanos))?;
        for (at, term) in self.terms.iter().enumerate() {
            write!(f, "{}{term}", if at > 0 { " and " } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.holds() { "" } else { "not " })?;
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
        match self {
            Term::Error(_) => f.write_str("error"),
            Term::Shorter(nanos, _) => write!(f, "duration < {}", duration_text(*nanos)),
            Term::Longer(nanos, _) => write!(f, "duration > {}", duration_text(*nanos)),
            Term::Service(field, value, _) => {
                let name = SERVICE_FIELDS.iter().find(|(_, known)| known == field).map_or("", |(name, _)| *name);
                write!(f, "{name} = {}", quoted(value))
            }
            Term::Attribute(filter) => write!(f, "{} = {}", filter.key, quoted(&filter.value)),
        }
    }
}

const SERVICE_FIELDS: [(&str, ServiceField); 3] = [
    ("service", ServiceField::Name),
    ("namespace", ServiceField::Namespace),
    ("environment", ServiceField::Environment),
];

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Sign(&'static str),
}

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, RuleError> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&first) = chars.get(at) {
        let begin = at;
        let fault = |expected: &str| RuleError { position: begin + 1, expected: expected.to_owned() };
        let is_word = |char: char| char.is_alphanumeric() || "_.:/-@".contains(char);
        at += 1;
        match first {
            _ if first.is_whitespace() => continue,
            '=' | '<' | '>' => tokens.push((begin + 1, Token::Sign(sign(first)))),
            '!' if chars.get(at) == Some(&'=') => {
                at += 1;
                tokens.push((begin + 1, Token::Sign("!=")));
            }
            '\'' | '"' => {
                let mut value = String::new();
                loop {
                    match chars.get(at) {
                        // Doubled, the quote is a character of the text.
                        Some(&char) if char == first && chars.get(at + 1) == Some(&first) => at += 1,
                        Some(&char) if char == first => break,
                        Some(_) => {}
                        None => return Err(fault("this quote does not end; add another one")),
                    }
                    value.push(chars[at]);
                    at += 1;
                }
                at += 1;
                tokens.push((begin + 1, Token::Quoted(value)));
            }
            _ if is_word(first) => {
                while chars.get(at).is_some_and(|char| is_word(*char)) {
                    at += 1;
                }
                tokens.push((begin + 1, Token::Word(chars[begin..at].iter().collect())));
            }
            _ => return Err(fault(&format!("`{first}` has no meaning here; put text in 'quotes'"))),
        }
    }
    Ok(tokens)
}

fn sign(char: char) -> &'static str {
    match char {
        '<' => "<",
        '>' => ">",
        _ => "=",
    }
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    end: usize,
}

impl Parser {
    fn is_at_end(&self) -> bool {
        self.at == self.tokens.len()
    }

    fn fault<T>(&self, expected: impl Into<String>) -> Result<T, RuleError> {
        let position = self.tokens.get(self.at).map_or(self.end, |(position, _)| *position);
        Err(RuleError { position, expected: expected.into() })
    }

    /// Takes the token if `wanted` makes something of it.
    fn take<T>(&mut self, wanted: impl FnOnce(&Token) -> Option<T>) -> Option<T> {
        let taken = self.tokens.get(self.at).and_then(|(_, token)| wanted(token));
        self.at += usize::from(taken.is_some());
        taken
    }

    fn any_word(&mut self) -> Option<String> {
        self.take(|token| if let Token::Word(word) = token { Some(word.clone()) } else { None })
    }

    fn is_word(&mut self, wanted: &str) -> bool {
        self.take(|token| matches!(token, Token::Word(word) if word.eq_ignore_ascii_case(wanted)).then_some(()))
            .is_some()
    }

    fn word(&mut self, wanted: &str) -> Result<(), RuleError> {
        if self.is_word(wanted) { Ok(()) } else { self.fault(format!("`{wanted}` is expected")) }
    }

    fn sign(&mut self) -> Option<&'static str> {
        self.take(|token| if let Token::Sign(sign) = token { Some(*sign) } else { None })
    }

    fn signal(&mut self) -> Result<Signal, RuleError> {
        let signal = |token: &Token| {
            Signal::ALL.into_iter().find(|signal| matches!(token, Token::Word(word) if word == signal.as_str()))
        };
        match self.take(signal) {
            Some(signal) => Ok(signal),
            None => self.fault("a rule begins with `traces`, `logs` or `metrics`"),
        }
    }

    fn time(&mut self) -> Result<i64, RuleError> {
        let time = |token: &Token| match token {
            Token::Word(word) if word.ends_with(char::is_alphabetic) => duration_nanos(word).ok(),
            _ => None,
        };
        match self.take(time) {
            Some(nanos) => Ok(nanos),
            None => self.fault("a time such as 250ms, 12h or 3d is expected"),
        }
    }

    fn term(&mut self, signal: Signal) -> Result<Term, RuleError> {
        let holds = !self.is_word("not");
        let begin = self.at;
        let Some(name) = self.any_word() else {
            return self
                .fault("`error`, `duration`, `service`, `namespace`, `environment` or an attribute is expected");
        };
        let missing = |parser: &mut Parser, what: &str| {
            parser.at = begin;
            parser.fault(format!("{signal} have no `{what}`"))
        };
        match name.as_str() {
            "error" if signal == Signal::Metrics => missing(self, "error"),
            "error" => Ok(Term::Error(holds)),
            "duration" if signal != Signal::Traces => missing(self, "duration"),
            "duration" => match self.sign() {
                Some("<") => Ok(Term::Shorter(self.time()?, holds)),
                Some(">") => Ok(Term::Longer(self.time()?, holds)),
                found => {
                    self.at -= usize::from(found.is_some());
                    self.fault("`<` or `>` is expected")
                }
            },
            _ => self.equality(name, holds),
        }
    }

    fn equality(&mut self, name: String, holds: bool) -> Result<Term, RuleError> {
        let equal = match self.sign() {
            Some("=") => true,
            Some("!=") => false,
            found => {
                self.at -= usize::from(found.is_some());
                return self.fault(format!("`=` or `!=` is expected after `{name}`"));
            }
        };
        let Some(value) = self.take(|token| match token {
            Token::Word(text) | Token::Quoted(text) => Some(text.clone()),
            Token::Sign(_) => None,
        }) else {
            return self.fault("a value is expected, in 'quotes' unless it is one word");
        };
        let holds = holds == equal;
        Ok(match SERVICE_FIELDS.iter().find(|(known, _)| *known == name) {
            Some((_, field)) => Term::Service(*field, value, holds),
            None => Term::Attribute(AttributeFilter { key: name, value, negated: !holds }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, printed: &str) {
        let rule: Rule = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(rule.to_string(), printed, "{text}");
        assert_eq!(printed.parse(), Ok(rule), "{text}");
    }

    #[test]
    fn rules_have_one_spelling() {
        check("traces after 3d where service = 'x' and not error", "traces after 3d where service = 'x' and not error");
        check(
            "logs  AFTER 1h where environment!=prod AND http.route = \"it's\"",
            "logs after 1h where not environment = 'prod' and http.route = 'it''s'",
        );
        check(
            "traces after 1d where duration<250ms and not duration > 1s",
            "traces after 1d where duration < 250ms and not duration > 1s",
        );
        check("metrics after 1d where not namespace != shop", "metrics after 1d where namespace = 'shop'");
    }

    #[test]
    fn a_slip_is_named_with_its_place() {
        for (text, position, says) in [
            ("spans after 3d where error", 1, "`traces`, `logs` or `metrics`"),
            ("traces 3d where error", 8, "`after`"),
            ("traces after 3 where error", 14, "3d"),
            ("traces after 3d", 16, "`where`"),
            ("traces after 3d where", 22, "`service`"),
            ("traces after 3d where error or error", 29, "`and`"),
            ("traces after 3d where service > x", 31, "`=` or `!=`"),
            ("traces after 3d where service =", 32, "a value"),
            ("traces after 3d where service = 'x", 33, "quote"),
            ("traces after 3d where duration = 1s", 32, "`<` or `>`"),
            ("logs after 3d where duration < 1s", 21, "logs have no `duration`"),
            ("metrics after 3d where not error", 28, "metrics have no `error`"),
            ("traces after 3d where a = (b)", 27, "quotes"),
        ] {
            let error = text.parse::<Rule>().unwrap_err();
            assert_eq!(error.position, position, "{text}: {error}");
            assert!(error.to_string().contains(says), "{text}: {error}");
        }
    }
}
