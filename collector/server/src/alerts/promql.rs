//! The part of PromQL that alerts are mostly made of: read as a tree, without meaning.
//!
//! Source: Prometheus, "Querying basics", "Operators", "Functions". What is not read is named.

use std::iter::Peekable;
use std::str::CharIndices;

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    Number(f64),
    Text(String),
    /// `name{a="b"}[5m]`
    Selector {
        name: String,
        matchers: Vec<(String, &'static str, String)>,
        range_seconds: Option<u64>,
    },
    /// `name by (labels) (arguments)`
    Call {
        name: String,
        grouping: Option<Grouping>,
        arguments: Vec<Expr>,
    },
    /// `left operator right`
    Binary {
        operator: &'static str,
        left: Box<Expr>,
        right: Box<Expr>,
    },
}

/// `by (…)`, or `without (…)`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Grouping {
    pub(super) without: bool,
    pub(super) labels: Vec<String>,
}

/// Binary operators by how tightly they bind, the loosest first.
const LOOSEST_FIRST: [&[&str]; 5] =
    [&["or"], &["and", "unless"], &["==", "!=", "<=", ">=", "<", ">"], &["+", "-"], &["*", "/", "%"]];
const MATCH_SIGNS: [&str; 4] = ["=~", "!~", "!=", "="];
/// Brackets within brackets, at most.
const DEEPEST: usize = 50;

/// Reads an expression.
///
/// # Errors
/// What is not read, a clause.
pub(super) fn parse(text: &str) -> Result<Expr, String> {
    let mut reader = Reader { text, letters: text.char_indices().peekable(), depth: 0 };
    let expr = reader.binary(0)?;
    reader.blank();
    match reader.letters.peek() {
        None => Ok(expr),
        Some((at, _)) => Err(format!("`{}` is not understood", first_words(&text[*at..]))),
    }
}

fn first_words(text: &str) -> String {
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

struct Reader<'a> {
    text: &'a str,
    letters: Peekable<CharIndices<'a>>,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn rest(&mut self) -> &'a str {
        let at = self.letters.peek().map_or(self.text.len(), |(at, _)| *at);
        &self.text[at..]
    }

    /// Skips blanks and comments.
    fn blank(&mut self) {
        while let Some((_, letter)) = self.letters.peek() {
            if *letter == '#' {
                while self.letters.next_if(|(_, letter)| *letter != '\n').is_some() {}
            } else if !letter.is_whitespace() {
                return;
            }
            self.letters.next();
        }
    }

    fn skip(&mut self, bytes: usize) {
        let end = self.text.len() - self.rest().len() + bytes;
        while self.letters.next_if(|(at, _)| *at < end).is_some() {}
    }

    fn take(&mut self, sign: &str) -> bool {
        self.blank();
        let is_there = self.rest().starts_with(sign);
        if is_there {
            self.skip(sign.len());
        }
        is_there
    }

    fn want(&mut self, sign: &str) -> Result<(), String> {
        if self.take(sign) {
            return Ok(());
        }
        let rest = self.rest();
        Err(format!("`{sign}` is wanted before `{}`", first_words(rest)))
    }

    fn word(&mut self) -> Option<&'a str> {
        self.blank();
        let rest = self.rest();
        let is_fit = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | ':');
        let length = rest.find(|letter| !is_fit(letter)).unwrap_or(rest.len());
        let word = &rest[..length];
        let begins = word.starts_with(|letter: char| !letter.is_ascii_digit());
        begins.then(|| self.skip(length)).map(|()| word).filter(|word| !word.is_empty())
    }

    fn operator(&mut self, level: usize) -> Option<&'static str> {
        self.blank();
        let rest = self.rest();
        let is_word = |operator: &str| operator.starts_with(|letter: char| letter.is_ascii_alphabetic());
        let ends = |operator: &str| {
            !rest[operator.len()..].starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '_')
        };
        let found = LOOSEST_FIRST[level]
            .iter()
            .find(|operator| rest.starts_with(**operator) && (!is_word(operator) || ends(operator)))?;
        self.skip(found.len());
        Some(found)
    }

    fn binary(&mut self, level: usize) -> Result<Expr, String> {
        if level == LOOSEST_FIRST.len() {
            return self.unary();
        }
        let mut left = self.binary(level + 1)?;
        while let Some(operator) = self.operator(level) {
            for modifier in ["bool", "on", "ignoring", "group_left", "group_right"] {
                let rest = self.rest().trim_start();
                let ends =
                    |rest: &str| rest.starts_with(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
                if rest.strip_prefix(modifier).is_some_and(ends) {
                    return Err(format!("`{operator} {modifier}` is not translated"));
                }
            }
            let right = self.binary(level + 1)?;
            left = Expr::Binary { operator, left: Box::new(left), right: Box::new(right) };
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("it is nested too deeply".to_owned());
        }
        let read = self.nested();
        self.depth -= 1;
        read
    }

    fn nested(&mut self) -> Result<Expr, String> {
        if self.take("-") {
            return match self.unary()? {
                Expr::Number(number) => Ok(Expr::Number(-number)),
                _ => Err("a minus before anything but a number is not translated".to_owned()),
            };
        }
        if self.take("(") {
            let inner = self.binary(0)?;
            self.want(")")?;
            return self.plain(inner);
        }
        let rest = self.rest();
        if rest.starts_with(['"', '\'']) {
            return Ok(Expr::Text(self.quoted()?));
        }
        if rest.starts_with(|letter: char| letter.is_ascii_digit() || letter == '.') {
            return self.number();
        }
        if rest.starts_with('{') {
            return self.selector(String::new());
        }
        let word = self.word().ok_or_else(|| format!("`{}` is not understood", first_words(rest)))?;
        self.blank();
        let grouping = self.grouping()?;
        self.blank();
        if grouping.is_some() || self.rest().starts_with('(') {
            return self.call(word.to_owned(), grouping);
        }
        self.selector(word.to_owned())
    }

    /// Nothing may follow that changes which time is meant.
    fn plain(&mut self, expr: Expr) -> Result<Expr, String> {
        self.blank();
        let rest = self.rest();
        if rest.starts_with('[') {
            return Err("a subquery is not translated".to_owned());
        }
        if rest.starts_with('@') || rest.starts_with("offset") {
            return Err("`offset` and `@` are not translated: a level may compare with the last day or week".to_owned());
        }
        Ok(expr)
    }

    fn grouping(&mut self) -> Result<Option<Grouping>, String> {
        let rest = self.rest();
        let is_word = |word: &str| {
            let after = rest.strip_prefix(word)?;
            after.trim_start().starts_with('(').then_some(())
        };
        let without = match (is_word("by"), is_word("without")) {
            (Some(()), _) => false,
            (_, Some(())) => true,
            _ => return Ok(None),
        };
        self.word();
        self.want("(")?;
        let mut labels = Vec::new();
        while !self.take(")") {
            let rest = self.rest();
            labels.push(self.word().ok_or_else(|| format!("`{}` is no label", first_words(rest)))?.to_owned());
            if !self.take(",") {
                self.want(")")?;
                break;
            }
        }
        Ok(Some(Grouping { without, labels }))
    }

    fn call(&mut self, name: String, grouping: Option<Grouping>) -> Result<Expr, String> {
        self.want("(")?;
        let mut arguments = Vec::new();
        while !self.take(")") {
            arguments.push(self.binary(0)?);
            if !self.take(",") {
                self.want(")")?;
                break;
            }
        }
        self.blank();
        // Labels may also be named at the end.
        let grouping = match grouping {
            Some(grouping) => Some(grouping),
            None => self.grouping()?,
        };
        self.plain(Expr::Call { name, grouping, arguments })
    }

    fn selector(&mut self, name: String) -> Result<Expr, String> {
        let mut name = name;
        let mut matchers = Vec::new();
        if self.take("{") {
            while !self.take("}") {
                let rest = self.rest();
                let label = self.word().ok_or_else(|| format!("`{}` is no label", first_words(rest)))?.to_owned();
                self.blank();
                let rest = self.rest();
                let sign = MATCH_SIGNS.into_iter().find(|sign| rest.starts_with(sign));
                let sign = sign.ok_or_else(|| format!("`{}` is no condition on a label", first_words(rest)))?;
                self.skip(sign.len());
                let value = self.quoted()?;
                if label == "__name__" && sign == "=" {
                    name = value;
                } else {
                    matchers.push((label, sign, value));
                }
                if !self.take(",") {
                    self.want("}")?;
                    break;
                }
            }
        }
        let range_seconds = if self.take("[") { Some(self.range()?) } else { None };
        self.plain(Expr::Selector { name, matchers, range_seconds })
    }

    fn range(&mut self) -> Result<u64, String> {
        let rest = self.rest();
        let (text, _) = rest.split_once(']').ok_or("`]` is missing")?;
        self.skip(text.len() + 1);
        if text.contains(':') {
            return Err("a subquery is not translated".to_owned());
        }
        seconds(text.trim()).ok_or_else(|| format!("`{text}` is no length of time"))
    }

    fn quoted(&mut self) -> Result<String, String> {
        self.blank();
        let (_, quote) =
            self.letters.next().filter(|(_, letter)| matches!(letter, '"' | '\'')).ok_or("text in quotes is wanted")?;
        let mut text = String::new();
        while let Some((_, letter)) = self.letters.next() {
            match letter {
                _ if letter == quote => return Ok(text),
                '\\' => match self.letters.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, other)) => text.push(other),
                    None => break,
                },
                letter => text.push(letter),
            }
        }
        Err("a text is not closed".to_owned())
    }

    fn number(&mut self) -> Result<Expr, String> {
        let rest = self.rest();
        let mut length = 0;
        let bytes = rest.as_bytes();
        while length < bytes.len() {
            let is_exponent =
                length > 0 && matches!(bytes[length - 1], b'e' | b'E') && matches!(bytes[length], b'+' | b'-');
            if !(bytes[length].is_ascii_alphanumeric() || bytes[length] == b'.' || is_exponent) {
                break;
            }
            length += 1;
        }
        let text = &rest[..length];
        // Lengths of time are numbers of seconds in PromQL.
        let number = text.parse().ok().or_else(|| seconds(text).map(|seconds| seconds as f64));
        self.skip(length);
        number.map(Expr::Number).ok_or_else(|| format!("`{text}` is no number"))
    }
}

/// `1h30m`, `500ms` in whole seconds, at least one.
pub(super) fn seconds(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 7] = [
        ("ms", 1),
        ("s", 1_000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
        ("w", 604_800_000),
        ("y", 31_536_000_000),
    ];
    let (mut rest, mut millis) = (text, 0_u64);
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let (unit, factor) = UNITS.into_iter().find(|(unit, _)| rest.starts_with(unit))?;
        millis = millis.checked_add(number.checked_mul(factor)?)?;
        rest = &rest[unit.len()..];
    }
    (!text.is_empty()).then(|| millis.div_ceil(1_000))
}
