//! Text into a tree, by recursive descent.
//!
//! `&&` and `||` bind equally, from left to right, between conditions as between spansets, as in Tempo; what is printed
//! has parentheses where both are mixed.

mod expression;
mod metric;
mod pipeline;

use super::ast::{Arithmetic, Body, Comparison, Hint, Pipeline, Place, Query, Stage};
use super::check::check;
use super::field::{Field, FieldName, Intrinsic};
use super::lex::{Token, lex};
use super::literal::Literal;
use super::problem::{Problem, meant};

/// Parentheses, minus signs and the like within each other at most. What recurses over a tree relies on it.
const DEEPEST: usize = 64;

/// Operands in a row at most: each makes the tree one deeper on the left.
const LONGEST: usize = 512;

/// Reads a query and checks its types.
///
/// # Errors
/// The first thing wrong with it. Regular expressions are checked when a query is compiled, not here.
///
/// ```
/// use orrery_query::traceql::parse;
///
/// let text = "{ duration > \"100ms\" }";
/// let problem = parse(text).unwrap_err();
/// assert_eq!(&text[problem.range], "\"100ms\"");
/// assert_eq!(problem.message, "a duration is compared with text");
/// assert_eq!(problem.hint, "write 100ms, without quotes");
/// assert_eq!(parse("{duration>100ms}").unwrap().to_string(), "{ span:duration > 100ms }");
/// ```
pub fn parse(text: &str) -> Result<Query, Problem> {
    let query = parse_tree(text)?;
    check(&query)?;
    Ok(query)
}

/// A field as a query names it: `span.http.route`, `span:duration`, `.user.id`.
impl std::str::FromStr for Field {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Field, Problem> {
        const BEFORE: &str = "{ } | select(";
        let moved = |problem: Problem| {
            let moved = |at: usize| at.saturating_sub(BEFORE.len()).min(text.len());
            Problem { range: moved(problem.range.start)..moved(problem.range.end), ..problem }
        };
        let query = parse(&format!("{BEFORE}{text})")).map_err(moved)?;
        match &query.body {
            Body::Search(Pipeline { stages }) => match &stages[..] {
                [_, Stage::Select(fields)] if fields.len() == 1 => Ok(fields[0].clone()),
                _ => Err(no_field(text)),
            },
            Body::Metrics(_) => Err(no_field(text)),
        }
    }
}

fn no_field(text: &str) -> Problem {
    Problem::new(0..text.len(), "this is no field", "write one, for example span.http.route or span:name")
}

/// Reads a query without checking types.
pub(crate) fn parse_tree(text: &str) -> Result<Query, Problem> {
    let (tokens, stopped) = lex(text);
    let mut parser = Parser { tokens, at: 0, end: text.len(), depth: 0, operators: 0 };
    let query = parser.query();
    // What could not be read as tokens is the reason for whatever is missing at that point.
    match (query, stopped) {
        (Err(problem), Some(stopped)) if problem.range.end >= text.len() => Err(stopped),
        (Ok(_), Some(stopped)) => Err(stopped),
        (query, _) => query,
    }
}

pub(super) struct Parser {
    tokens: Vec<(Token, Place)>,
    at: usize,
    /// Bytes of the text.
    end: usize,
    depth: usize,
    operators: usize,
}

impl Parser {
    fn query(&mut self) -> Result<Query, Problem> {
        if self.tokens.is_empty() {
            return self.fail("nothing is asked", "begin with { }, for example { status = error }");
        }
        let body = match self.asks_for_metrics() {
            true => Body::Metrics(self.metrics()?),
            false => Body::Search(self.pipeline()?),
        };
        let hints = self.hints()?;
        match self.peek() {
            None => Ok(Query { body, hints }),
            Some(Token::Sign("}")) => self.fail("this brace was not opened", "remove it"),
            Some(Token::Sign(")")) => self.fail("this parenthesis was not opened", "remove it"),
            Some(Token::Word(_)) => self.unexpected_word(),
            Some(Token::Sign(sign @ ("+" | "-" | "*" | "/"))) => self.fail(
                "series are joined in parentheses",
                format!("write ({{ … }} | rate()) {sign} ({{ … }} | rate())"),
            ),
            Some(_) => {
                self.fail("the query should have ended here", "join stages with `|`, spansets with `&&` or `>>`")
            }
        }
    }

    fn hints(&mut self) -> Result<Vec<Hint>, Problem> {
        let mut hints = Vec::new();
        while self.take_word("with") {
            self.sign("(")?;
            loop {
                let place = self.place();
                let Some(Token::Word(name)) = self.peek().cloned() else {
                    return self.fail("the name of a setting is missing", "say for example most_recent = true");
                };
                self.at += 1;
                self.sign("=")?;
                let value = self.literal()?;
                hints.push(Hint { name, value, place: place.to(self.last_place()) });
                if !self.take_sign(",") {
                    break;
                }
            }
            self.sign(")")?;
        }
        Ok(hints)
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn peek_after(&self, after: usize) -> Option<&Token> {
        self.tokens.get(self.at + after).map(|(token, _)| token)
    }

    /// Where the next token is; the end of the text if there is none.
    fn place(&self) -> Place {
        self.tokens.get(self.at).map_or(Place { start: self.end, end: self.end }, |(_, place)| *place)
    }

    fn last_place(&self) -> Place {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(Place::default(), |(_, place)| *place)
    }

    fn fail<T>(&self, message: impl Into<String>, hint: impl Into<String>) -> Result<T, Problem> {
        Err(Problem::new(self.place(), message, hint))
    }

    fn peek_sign(&self) -> Option<&'static str> {
        if let Some(Token::Sign(sign)) = self.peek() { Some(sign) } else { None }
    }

    fn is_word(&self, wanted: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(word)) if word == wanted)
    }

    fn take_sign(&mut self, wanted: &str) -> bool {
        let taken = self.peek_sign() == Some(wanted);
        self.at += usize::from(taken);
        taken
    }

    fn take_word(&mut self, wanted: &str) -> bool {
        let taken = self.is_word(wanted);
        self.at += usize::from(taken);
        taken
    }

    fn sign(&mut self, wanted: &'static str) -> Result<(), Problem> {
        if self.take_sign(wanted) {
            return Ok(());
        }
        let hint = match wanted {
            "}" | ")" => format!("add `{wanted}`"),
            _ => String::new(),
        };
        self.fail(format!("`{wanted}` is missing"), hint)
    }

    /// Runs `inner` one level deeper.
    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Parser) -> Result<T, Problem>) -> Result<T, Problem> {
        if self.depth == DEEPEST {
            return self.fail("this is nested too deeply", format!("at most {DEEPEST} levels"));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// Counts an operator.
    fn operator(&mut self) -> Result<(), Problem> {
        if self.operators == LONGEST {
            return self.fail(
                "the query is too long",
                format!("at most {LONGEST} operators; =~ \"a|b\" asks for many values at once"),
            );
        }
        self.operators += 1;
        Ok(())
    }

    /// Whether the parenthesis that comes next encloses a token that is `wanted`, but for what functions are called with.
    fn encloses(&self, wanted: impl Fn(&Token) -> bool) -> bool {
        let (mut open, mut called) = (0, 0);
        let mut before: Option<&Token> = None;
        for (token, _) in &self.tokens[self.at..] {
            let of_call = called > 0 || matches!(before, Some(Token::Word(_)));
            match token {
                Token::Sign("(") if of_call => called += 1,
                Token::Sign(")") if called > 0 => called -= 1,
                Token::Sign("(") => open += 1,
                Token::Sign(")") => open -= 1,
                token if called == 0 && wanted(token) => return true,
                _ => {}
            }
            if open == 0 {
                return false;
            }
            before = Some(token);
        }
        false
    }

    fn literal(&mut self) -> Result<Literal, Problem> {
        let negative = self.take_sign("-");
        let literal = match self.peek() {
            Some(Token::Text(text)) => Some(Literal::Text(text.clone())),
            Some(Token::Int(value)) => Some(Literal::Int(*value)),
            Some(Token::Float(value)) => Some(Literal::Float(*value)),
            Some(Token::Duration(value)) => Some(Literal::Duration(*value)),
            Some(Token::Word(word)) => Literal::of_word(word),
            _ => None,
        };
        match literal.and_then(|literal| if negative { literal.negative() } else { Some(literal) }) {
            Some(literal) => {
                self.at += 1;
                Ok(literal)
            }
            None if matches!(self.peek(), Some(Token::Word(_))) => self.unexpected_word(),
            None => self.fail("a value is missing", "for example 5, 250ms, \"text\", true or error"),
        }
    }

    /// The attribute or intrinsic that comes next.
    fn field(&mut self) -> Result<Field, Problem> {
        match self.take_field() {
            Some(field) => Ok(field),
            None if matches!(self.peek(), Some(Token::Word(_))) => self.unexpected_word(),
            None => {
                self.fail("a field is missing", "for example span.http.route, resource.service.name or span:duration")
            }
        }
    }

    fn take_field(&mut self) -> Option<Field> {
        let field = match self.peek()? {
            Token::Attribute { of_parent, scope, name } => {
                Field { of_parent: *of_parent, name: FieldName::Attribute(*scope, name.clone()) }
            }
            Token::Word(word) => Field::intrinsic(Intrinsic::parse(word)?),
            _ => return None,
        };
        self.at += 1;
        Some(field)
    }

    fn fields(&mut self) -> Result<Vec<Field>, Problem> {
        self.sign("(")?;
        let mut fields = vec![self.field()?];
        while self.take_sign(",") {
            self.operator()?;
            fields.push(self.field()?);
        }
        self.sign(")")?;
        Ok(fields)
    }

    /// Says what a word that fits nowhere was probably meant to be.
    fn unexpected_word<T>(&self) -> Result<T, Problem> {
        let Some(Token::Word(word)) = self.peek() else { return self.fail("a word is missing", "") };
        let hint = match word.to_ascii_lowercase().as_str() {
            "and" => "write `&&`".to_owned(),
            "or" => "write `||`".to_owned(),
            "not" => "write `!`".to_owned(),
            "in" => "write =~ \"a|b\", or join conditions with `||`".to_owned(),
            "like" | "contains" => "write =~ \".*text.*\"".to_owned(),
            "null" | "none" => "write nil".to_owned(),
            "with" => "hints come last".to_owned(),
            lower => {
                let known = Intrinsic::spellings().chain(WORDS).filter(|known| *known != word);
                match meant(lower, known) {
                    Some(known) => format!("did you mean {known}?"),
                    None if word.contains(':') => {
                        "intrinsics are span:name, span:duration, span:status, span:kind, trace:duration …".to_owned()
                    }
                    None => {
                        format!("put text in quotes, \"{word}\"; for an attribute say span.{word} or resource.{word}")
                    }
                }
            }
        };
        self.fail(format!("`{word}` is not known here"), hint)
    }
}

/// Words with a meaning besides intrinsics.
pub(super) const WORDS: [&str; 33] = [
    "count",
    "min",
    "max",
    "avg",
    "sum",
    "by",
    "coalesce",
    "select",
    "with",
    "rate",
    "count_over_time",
    "min_over_time",
    "max_over_time",
    "avg_over_time",
    "sum_over_time",
    "quantile_over_time",
    "histogram_over_time",
    "compare",
    "topk",
    "bottomk",
    "true",
    "false",
    "nil",
    "error",
    "ok",
    "unset",
    "server",
    "client",
    "producer",
    "consumer",
    "internal",
    "unspecified",
    "maxInt",
];

fn comparison(sign: &str) -> Option<Comparison> {
    Some(match sign {
        "=" => Comparison::Equal,
        "!=" => Comparison::NotEqual,
        "<" => Comparison::Less,
        "<=" => Comparison::AtMost,
        ">" => Comparison::Greater,
        ">=" => Comparison::AtLeast,
        "=~" => Comparison::Matches,
        "!~" => Comparison::NotMatches,
        _ => return None,
    })
}

fn arithmetic(sign: &str) -> Option<Arithmetic> {
    Some(match sign {
        "+" => Arithmetic::Add,
        "-" => Arithmetic::Subtract,
        "*" => Arithmetic::Multiply,
        "/" => Arithmetic::Divide,
        "%" => Arithmetic::Modulo,
        "^" => Arithmetic::Power,
        _ => return None,
    })
}

/// How strongly an arithmetic operator binds. Between conditions 1, between values 2.
pub(super) fn strength(operator: Arithmetic) -> u8 {
    match operator {
        Arithmetic::Add | Arithmetic::Subtract => 3,
        Arithmetic::Multiply | Arithmetic::Divide | Arithmetic::Modulo => 5,
        Arithmetic::Power => 6,
    }
}
