//! Words, texts, numbers, comments.

use crate::traceql::Run;

/// What a stretch of a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Word,
    /// In double quotes.
    Name,
    /// In single quotes; whether they are closed.
    Text(bool),
    Number,
    Comment,
    Sign,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) part: Part,
}

impl Token {
    pub(super) fn of<'a>(&self, text: &'a str) -> &'a str {
        &text[self.start..self.end]
    }
}

/// Words of the language that are offered, the usual ones first.
pub(super) const KEYWORDS: [&str; 58] = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "ORDER BY",
    "LIMIT",
    "AND",
    "OR",
    "NOT",
    "AS",
    "COUNT",
    "DESC",
    "ASC",
    "IN",
    "LIKE",
    "ILIKE",
    "BETWEEN",
    "IS NULL",
    "IS NOT NULL",
    "HAVING",
    "JOIN",
    "LEFT JOIN",
    "ON",
    "USING",
    "WITH",
    "UNION ALL",
    "DISTINCT",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "INTERVAL",
    "GROUP BY ALL",
    "ORDER BY ALL",
    "FILTER",
    "OVER",
    "PARTITION BY",
    "QUALIFY",
    "EXCLUDE",
    "REPLACE",
    "PIVOT",
    "UNPIVOT",
    "EXISTS",
    "TRUE",
    "FALSE",
    "NULL",
    "OFFSET",
    "RECURSIVE",
    "DESCRIBE",
    "SUMMARIZE",
    "VALUES",
    "CROSS JOIN",
    "INNER JOIN",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "SAMPLE",
];

/// Words that stand in what is offered as several, and others that are only coloured.
const COLOURED: [&str; 30] = [
    "group",
    "by",
    "order",
    "all",
    "is",
    "null",
    "left",
    "right",
    "full",
    "outer",
    "inner",
    "cross",
    "join",
    "partition",
    "rows",
    "range",
    "unbounded",
    "preceding",
    "following",
    "nulls",
    "first",
    "last",
    "cast",
    "lateral",
    "window",
    "escape",
    "current",
    "row",
    "similar",
    "to",
];

pub(super) fn is_keyword(word: &str) -> bool {
    KEYWORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(word))
        || COLOURED.iter().any(|known| known.eq_ignore_ascii_case(word))
}

pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(char) = text[start..].chars().next() {
        let rest = &text[start..];
        let (part, length) = match char {
            char if char.is_whitespace() => {
                start += char.len_utf8();
                continue;
            }
            '-' if rest.starts_with("--") => (Part::Comment, rest.find('\n').unwrap_or(rest.len())),
            '/' if rest.starts_with("/*") => (Part::Comment, rest.find("*/").map_or(rest.len(), |end| end + 2)),
            '\'' => {
                let (length, closed) = quoted(rest, '\'');
                (Part::Text(closed), length)
            }
            '"' => (Part::Name, quoted(rest, '"').0),
            char if char.is_ascii_digit() => {
                (Part::Number, length(rest, |char| char.is_ascii_alphanumeric() || matches!(char, '.' | '_')))
            }
            char if char.is_alphabetic() || char == '_' => {
                (Part::Word, length(rest, |char| char.is_alphanumeric() || char == '_'))
            }
            char => (Part::Sign, char.len_utf8()),
        };
        tokens.push(Token { start, end: start + length, part });
        start += length;
    }
    tokens
}

fn length(text: &str, fits: impl Fn(char) -> bool) -> usize {
    text.find(|char| !fits(char)).unwrap_or(text.len())
}

/// Bytes up to the closing quote, which is not doubled; whether there is one.
fn quoted(text: &str, quote: char) -> (usize, bool) {
    let mut at = 1;
    while let Some(end) = text[at..].find(quote) {
        at += end + 1;
        if !text[at..].starts_with(quote) {
            return (at, true);
        }
        at += 1;
    }
    (text.len(), false)
}

/// A statement in stretches that look the same.
pub fn runs(text: &str) -> Vec<Run> {
    let tokens = tokens(text);
    let mut runs = Vec::new();
    let mut end = 0;
    for (at, token) in tokens.iter().enumerate() {
        if token.start > end {
            runs.push(Run { start: end, end: token.start, ..Run::default() });
        }
        let word = token.of(text);
        let calls = tokens.get(at + 1).is_some_and(|next| next.of(text) == "(" && next.start == token.end);
        let part = match token.part {
            Part::Word if ["true", "false", "null"].iter().any(|constant| word.eq_ignore_ascii_case(constant)) => {
                "constant"
            }
            Part::Word if is_keyword(word) && !calls => "intrinsic",
            Part::Word if calls => "function",
            Part::Word | Part::Name => "attribute",
            Part::Text(_) => "text",
            Part::Number => "number",
            Part::Comment => "comment",
            Part::Sign => "sign",
        };
        runs.push(Run { start: token.start, end: token.end, part, wrong: false });
        end = token.end;
    }
    if end < text.len() {
        runs.push(Run { start: end, end: text.len(), ..Run::default() });
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_coloured_whole() {
        let text = "SELECT count(*), a.\"b c\" -- 한\nFROM spans WHERE x = 'it''s' AND y >= 1.5e3 /* z */;";
        let runs = runs(text);
        let all: String = runs.iter().map(|run| &text[run.start..run.end]).collect();
        assert_eq!(all, text);
        let of = |word: &str| runs.iter().find(|run| &text[run.start..run.end] == word).map_or("?", |run| run.part);
        assert_eq!(
            ["SELECT", "count", "\"b c\"", "-- 한", "'it''s'", "1.5e3", "/* z */", "spans", "AND"].map(of),
            ["intrinsic", "function", "attribute", "comment", "text", "number", "comment", "attribute", "intrinsic"]
        );
        for odd in ["'", "\"", "--", "/*", "'a''", "é", ""] {
            assert_eq!(super::runs(odd).last().map_or(0, |run| run.end), odd.len(), "{odd}");
        }
    }
}
