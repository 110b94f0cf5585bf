//! The table in TRACEQL.md: every row is asked of the trace drawn there.

use super::super::{Body, Compiled, Metrics, parse};
use super::fixture::checkout;
use super::metrics::{series, shown};

const TABLE: &str = include_str!("../../../TRACEQL.md");

/// Construct, query and result of each row, its line number first.
fn rows() -> Vec<(usize, [String; 3])> {
    let cells = |line: &str| {
        let line = line.trim_matches('|').replace("\\|", "\u{1}");
        let cells: Vec<String> = line.split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect();
        <[String; 4]>::try_from(cells).ok()
    };
    TABLE
        .lines()
        .enumerate()
        .filter(|(_, line)| line.starts_with("| ") && !line.starts_with("| Construct") && !line.starts_with("| Span"))
        .map(|(number, line)| {
            let [construct, query, result, _] =
                cells(line).unwrap_or_else(|| panic!("line {}: four columns", number + 1));
            let code = query.trim_matches('`').trim().to_owned();
            (number + 1, [construct, code, result.trim_matches('`').trim().to_owned()])
        })
        .collect()
}

/// What a query comes to on the trace.
fn result(text: &str) -> String {
    let query = match parse(text) {
        Ok(query) => query,
        Err(problem) => return format!("refused: {problem}"),
    };
    assert_eq!(parse(&query.to_string()), Ok(query.clone()), "{query}");
    let compiled = match Compiled::new(&query) {
        Ok(compiled) => compiled,
        Err(problem) => return format!("refused: {problem}"),
    };
    if let Body::Search(_) = query.body {
        let spansets = compiled
            .evaluate(&checkout())
            .into_iter()
            .map(|spanset| spanset.spans.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
        let spansets: Vec<String> = spansets.collect();
        return if spansets.is_empty() { "none".to_owned() } else { spansets.join("; ") };
    }
    let mut series = series(text);
    series.observe(&checkout());
    match series.finish() {
        Metrics::Table(table) => shown(&table),
        Metrics::Compared(compared) => {
            format!("{} selected, {} others", compared.spans.selection, compared.spans.baseline)
        }
    }
}

#[test]
fn every_row_says_what_is() {
    let rows = rows();
    assert!(rows.len() > 120, "the table is read: {} rows", rows.len());
    let mut wrong = String::new();
    for (line, [construct, query, expected]) in rows {
        let found = result(&query);
        // Of a refusal the beginning is enough.
        let same = if expected.starts_with("refused:") { found.starts_with(&expected) } else { found == expected };
        if !same {
            wrong.push_str(&format!("line {line}, {construct}: {query}\n  says {expected}\n  is   {found}\n"));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// Every intrinsic and every function is in the table.
#[test]
fn no_construct_is_left_out() {
    for word in super::super::field::Intrinsic::spellings().chain(super::super::parse::WORDS) {
        let is_there = rows().iter().any(|(_, [_, query, _])| {
            query.split(|char: char| !char.is_alphanumeric() && !"_:".contains(char)).any(|found| found == word)
        });
        assert!(is_there, "{word} is not in TRACEQL.md");
    }
}
