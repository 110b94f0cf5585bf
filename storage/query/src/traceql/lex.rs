//! Text into tokens.

use super::ast::Place;
use super::field::Scope;
use super::literal::duration;
use super::problem::{Problem, meant};

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    /// `count`, `duration`, `span:duration`, `error`.
    Word(String),
    /// `span.http.route`, `."a b"`, `parent.resource.x`.
    Attribute {
        of_parent: bool,
        scope: Option<Scope>,
        name: String,
    },
    Text(String),
    Int(i64),
    Float(f64),
    Duration(i64),
    Sign(&'static str),
}

/// Longer ones before those they begin with.
const SIGNS: [&str; 34] = [
    "!>>", "!<<", "&>>", "&<<", "&&", "||", "!>", "!<", "!=", "!~", "&>", "&<", "&~", "=~", ">>", "<<", ">=", "<=",
    "==", "=", "<", ">", "~", "!", "|", "+", "-", "*", "/", "%", "^", "(", ")", "{",
];
const MORE_SIGNS: [&str; 2] = ["}", ","];

/// The tokens of a text with their places, and what stopped it before the end.
pub(crate) fn lex(text: &str) -> (Vec<(Token, Place)>, Option<Problem>) {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip(char::is_whitespace);
        let start = lexer.at;
        match lexer.token() {
            Ok(Some(token)) => tokens.push((token, Place { start, end: lexer.at })),
            Ok(None) => return (tokens, None),
            Err(problem) => return (tokens, Some(problem)),
        }
    }
}

/// Whether a character may stand in an attribute name without quotes.
pub(crate) fn is_in_name(char: char) -> bool {
    !char.is_whitespace() && !"{}()=~!<>&|^,".contains(char)
}

fn is_in_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.at += char.len_utf8();
        Some(char)
    }

    fn skip(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|char| !wanted(char)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn problem<T>(&self, start: usize, message: impl Into<String>, hint: impl Into<String>) -> Result<T, Problem> {
        Err(Problem::new(start..self.at, message, hint))
    }

    fn token(&mut self) -> Result<Option<Token>, Problem> {
        let Some(first) = self.peek() else { return Ok(None) };
        let second = self.rest().chars().nth(1);
        let token = match first {
            '"' => Token::Text(self.text()?),
            '`' => Token::Text(self.raw_text()?),
            '.' if second.is_some_and(|char| char.is_ascii_digit()) => self.number()?,
            '0'..='9' => self.number()?,
            '.' => {
                self.at += 1;
                self.attribute(false, None)?
            }
            first if first.is_alphabetic() || first == '_' => self.word()?,
            _ => self.sign()?,
        };
        Ok(Some(token))
    }

    fn sign(&mut self) -> Result<Token, Problem> {
        let start = self.at;
        if let Some(sign) = SIGNS.into_iter().chain(MORE_SIGNS).find(|sign| self.rest().starts_with(sign)) {
            self.at += sign.len();
            return match sign {
                "==" => self.problem(start, "`==` is no operator", "write `=`"),
                _ => Ok(Token::Sign(sign)),
            };
        }
        let char = self.next().unwrap_or_default();
        match char {
            '&' => self.problem(start, "one `&` is no operator", "write `&&`"),
            '\'' => {
                self.skip(|char| char != '\'');
                self.next();
                self.problem(start, "text is not put in single quotes", "write \"double quotes\"")
            }
            '[' => self.problem(start, "there are no lists", "write =~ \"a|b\", or join conditions with `||`"),
            _ => self.problem(start, format!("`{char}` has no meaning here"), "put text in \"double quotes\""),
        }
    }

    fn word(&mut self) -> Result<Token, Problem> {
        let start = self.at;
        let word = self.skip(is_in_word);
        match self.peek() {
            Some(':') => {
                self.at += 1;
                self.skip(is_in_word);
                Ok(Token::Word(self.text[start..self.at].to_owned()))
            }
            Some('.') if word == "parent" => {
                self.at += 1;
                let scope = ["span", "resource"]
                    .into_iter()
                    .find(|scope| self.rest().strip_prefix(scope).is_some_and(|rest| rest.starts_with('.')));
                self.at += scope.map_or(0, |scope| scope.len() + 1);
                self.attribute(true, scope.and_then(Scope::parse))
            }
            Some('.') => match Scope::parse(word) {
                Some(scope) => {
                    self.at += 1;
                    self.attribute(false, Some(scope))
                }
                None => self.no_scope(start, word),
            },
            _ => Ok(Token::Word(word.to_owned())),
        }
    }

    fn no_scope<T>(&mut self, start: usize, word: &str) -> Result<T, Problem> {
        self.skip(is_in_name);
        let name = &self.text[start..self.at];
        if word == "trace" {
            return self.problem(
                start,
                "traces have no attributes",
                "say trace:duration, trace:rootName, trace:rootService or trace:id",
            );
        }
        if let Some(scope) = meant(word, Scope::ALL.map(Scope::as_str)) {
            return self.problem(
                start,
                format!("`{word}` is no scope"),
                format!("did you mean {scope}{}?", &name[word.len()..]),
            );
        }
        self.problem(
            start,
            format!("`{name}` does not say where it is looked for"),
            format!("say span.{name}, resource.{name}, or .{name} for both"),
        )
    }

    fn attribute(&mut self, of_parent: bool, scope: Option<Scope>) -> Result<Token, Problem> {
        let start = self.at;
        let mut name = String::new();
        while let Some(char) = self.peek() {
            if char == '"' {
                self.quoted_name(&mut name)?;
            } else if is_in_name(char) {
                name.push(char);
                self.at += char.len_utf8();
            } else {
                break;
            }
        }
        if name.is_empty() {
            return self.problem(start, "the name of an attribute is missing", "say for example span.http.route");
        }
        Ok(Token::Attribute { of_parent, scope, name })
    }

    fn quoted_name(&mut self, name: &mut String) -> Result<(), Problem> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.next() {
                Some('"') => return Ok(()),
                Some('\\') => match self.next() {
                    Some(char @ ('"' | '\\')) => name.push(char),
                    _ => {
                        return self.problem(start, "only \\\" and \\\\ are escapes in a name", "double the backslash");
                    }
                },
                Some(char) => name.push(char),
                None => return self.problem(start, "this quote does not end", "add another `\"`"),
            }
        }
    }

    fn raw_text(&mut self) -> Result<String, Problem> {
        let start = self.at;
        self.at += 1;
        let text = self.skip(|char| char != '`');
        match self.next() {
            Some(_) => Ok(text.to_owned()),
            None => self.problem(start, "this quote does not end", "add another backtick"),
        }
    }

    fn text(&mut self) -> Result<String, Problem> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let at = self.at;
            match self.next() {
                Some('"') => return Ok(text),
                Some('\\') => match self.escape() {
                    Some(char) => text.push(char),
                    None => {
                        self.at = self.at.max(at + 1);
                        return self.problem(
                            at,
                            "this is no escape",
                            "double the backslash, or write the text in backticks",
                        );
                    }
                },
                Some(char) => text.push(char),
                None => return self.problem(start, "this quote does not end", "add another `\"`"),
            }
        }
    }

    /// What stands for after a backslash.
    fn escape(&mut self) -> Option<char> {
        let digits = match self.next()? {
            'n' => return Some('\n'),
            'r' => return Some('\r'),
            't' => return Some('\t'),
            'a' => return Some('\u{7}'),
            'b' => return Some('\u{8}'),
            'f' => return Some('\u{c}'),
            'v' => return Some('\u{b}'),
            char @ ('"' | '\\') => return Some(char),
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => return None,
        };
        let hex = self.rest().get(..digits)?;
        self.at += digits;
        u32::from_str_radix(hex, 16).ok().and_then(char::from_u32)
    }

    fn number(&mut self) -> Result<Token, Problem> {
        let start = self.at;
        self.skip(|char| char.is_ascii_digit());
        let mut whole = true;
        if self.peek() == Some('.') {
            whole = false;
            self.at += 1;
            self.skip(|char| char.is_ascii_digit());
        }
        let exponent = self.rest().strip_prefix(['e', 'E']).map(|rest| rest.strip_prefix(['+', '-']).unwrap_or(rest));
        if let Some(rest) = exponent
            && rest.starts_with(|char: char| char.is_ascii_digit())
        {
            whole = false;
            self.at = self.text.len() - rest.len();
            self.skip(|char| char.is_ascii_digit());
        }
        if self.peek().is_some_and(|char| char.is_alphabetic() || char == '_') {
            self.skip(|char| char.is_alphanumeric() || char == '.' || char == '_');
            let written = &self.text[start..self.at];
            return match duration(written) {
                Some(nanos) => Ok(Token::Duration(nanos)),
                None => self.problem(
                    start,
                    format!("`{written}` is no number and no duration"),
                    "units are ns, us, ms, s, m, h, d, w and y; put text in \"quotes\"",
                ),
            };
        }
        let written = &self.text[start..self.at];
        if whole {
            return match written.parse() {
                Ok(value) => Ok(Token::Int(value)),
                Err(_) => self.problem(
                    start,
                    "this is more than 64 bits hold",
                    "say maxInt or minInt, or write it with a point",
                ),
            };
        }
        match written.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Token::Float(value)),
            _ => self.problem(start, "this is no number", "write it like 0.5 or 1e6"),
        }
    }
}
