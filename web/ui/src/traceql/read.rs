//! What a text says.

use super::rows::{Row, rows};
use orrery_query::traceql::{
    Body, Comparison, Condition, Conditions, Field, Filter, Literal, Operator, Part, Pipeline, Place, Problem, Query,
    Scope, Spanset, Stage, parse, parts,
};
use std::ops::Range;

/// What a text says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The whole text in stretches that look the same.
    pub runs: Vec<Run>,
    /// Why it is no query; what follows is then empty.
    pub problem: Option<Trouble>,
    /// It asks for series, not for traces.
    pub metrics: bool,
    /// What `select()` names.
    pub columns: Vec<String>,
    /// As rows of the builder; absent if it says more than they can.
    pub rows: Option<Vec<Row>>,
    /// A search without its columns and settings, for what can be made of its spans: `… | rate()`. Absent of series.
    pub spans: Option<String>,
}

/// A stretch of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// First byte.
    pub start: usize,
    /// First byte after.
    pub end: usize,
    /// `attribute`, `intrinsic`, `text`, `number`, `constant`, `function`, `sign`; empty between words.
    pub part: &'static str,
    /// At fault; see [`mark`].
    pub wrong: bool,
}

/// Why a text is no query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// First byte at fault.
    pub start: usize,
    /// First byte after; the same where something is missing.
    pub end: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead; may be empty.
    pub hint: String,
}

/// Reads a text. One that is blank is no query and no problem.
pub fn read(text: &str) -> Reading {
    let parsed = (!text.trim().is_empty()).then(|| parse(text));
    let (query, problem) = match parsed {
        Some(Ok(query)) => (Some(query), None),
        Some(Err(problem)) => (None, Some(problem)),
        None => (None, None),
    };
    let mut reading = Reading { runs: runs(text), ..Reading::default() };
    if let Some(query) = &query {
        reading.metrics = matches!(query.body, Body::Metrics(_));
        reading.columns = columns(query);
        reading.rows = rows(query);
        reading.spans = spans(query);
    }
    reading.problem = problem.map(trouble);
    reading
}

fn trouble(problem: Problem) -> Trouble {
    Trouble { start: problem.range.start, end: problem.range.end, message: problem.message, hint: problem.hint }
}

fn runs(text: &str) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut end = 0;
    let between = |start, end| (start < end).then(|| Run { start, end, ..Run::default() });
    for (range, part) in parts(text) {
        runs.extend(between(end, range.start));
        runs.push(Run { start: range.start, end: range.end, part: name(part), wrong: false });
        end = range.end;
    }
    runs.extend(between(end, text.len()));
    runs
}

/// Marks what is at fault, cutting runs at its ends. What is missing is marked on the character in its place, or on the
/// last one if it is missing at the end.
pub fn mark(runs: &[Run], text: &str, fault: Range<usize>) -> Vec<Run> {
    let fault = visible(text, fault);
    let mut marked = Vec::with_capacity(runs.len() + 2);
    for run in runs {
        let (from, to) = (fault.start.clamp(run.start, run.end), fault.end.clamp(run.start, run.end));
        for (start, end, wrong) in [(run.start, from, false), (from, to, true), (to, run.end, false)] {
            if start < end {
                marked.push(Run { start, end, part: run.part, wrong });
            }
        }
    }
    marked
}

fn visible(text: &str, range: Range<usize>) -> Range<usize> {
    if !range.is_empty() {
        return range;
    }
    match text[range.start..].chars().next() {
        Some(char) => range.start..range.start + char.len_utf8(),
        None => text.char_indices().next_back().map_or(0, |(at, _)| at)..text.len(),
    }
}

fn name(part: Part) -> &'static str {
    match part {
        Part::Attribute => "attribute",
        Part::Intrinsic => "intrinsic",
        Part::Text => "text",
        Part::Number => "number",
        Part::Constant => "constant",
        Part::Function => "function",
        Part::Sign => "sign",
    }
}

fn columns(query: &Query) -> Vec<String> {
    let Body::Search(pipeline) = &query.body else { return Vec::new() };
    let of_stage = |stage: &Stage| match stage {
        Stage::Select(fields) => fields.iter().map(Field::to_string).collect(),
        _ => Vec::new(),
    };
    pipeline.stages.iter().flat_map(of_stage).collect()
}

fn spans(query: &Query) -> Option<String> {
    let query = Query { hints: Vec::new(), ..query.clone() };
    matches!(query.body, Body::Search(_)).then(|| without_columns(query).to_string())
}

fn without_columns(query: Query) -> Query {
    let mut query = query.without_select();
    if let Body::Search(Pipeline { stages }) = &mut query.body
        && stages.is_empty()
    {
        stages.push(Stage::Spansets(Spanset::Filter(all_spans())));
    }
    query
}

fn all_spans() -> Filter {
    Filter { condition: None, place: Place::default() }
}

/// The same search with these columns; `None` if it is no search, or a column is none. A blank text asks for all spans.
pub fn with_columns(text: &str, columns: &[impl AsRef<str>]) -> Option<String> {
    let mut query = without_columns(parse(or_all(text)).ok()?);
    let Body::Search(pipeline) = &mut query.body else { return None };
    if !columns.is_empty() {
        let columns: Vec<&str> = columns.iter().map(AsRef::as_ref).collect();
        let select = parse(&format!("{{ }} | select({})", columns.join(", "))).ok()?;
        let Body::Search(select) = select.body else { return None };
        pipeline.stages.extend(select.stages.into_iter().skip(1));
    }
    Some(query.to_string())
}

fn or_all(text: &str) -> &str {
    if text.trim().is_empty() { "{ }" } else { text }
}

/// The same asked of spans of one environment only. What is no query stays as it is: the server says what is wrong.
pub fn in_environment(text: &str, environment: &str) -> String {
    let field = Field::attribute(Scope::Resource, "deployment.environment.name");
    let operator = Operator::Compare(Comparison::Equal, Literal::Text(environment.to_owned()));
    let of_it = Conditions { conditions: vec![Condition { field, operator }] }.to_query();
    match (parse(or_all(text)), of_it.body) {
        (Ok(query), Body::Search(pipeline)) => match pipeline.stages.into_iter().next() {
            Some(Stage::Spansets(Spanset::Filter(filter))) => query.of_spans(filter).to_string(),
            _ => text.to_owned(),
        },
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text with every run in brackets, what is at fault in exclamation marks.
    fn coloured(text: &str) -> String {
        let run = |run: &Run| {
            let (word, mark) = (&text[run.start..run.end], if run.wrong { "!" } else { "" });
            let part = run.part.get(..3).unwrap_or_default();
            if part.is_empty() { format!("{mark}{word}{mark}") } else { format!("{mark}[{part} {word}]{mark}") }
        };
        let reading = read(text);
        let runs = reading.problem.map_or(reading.runs.clone(), |at| mark(&reading.runs, text, at.start..at.end));
        runs.iter().map(run).collect()
    }

    #[test]
    fn every_byte_has_its_colour() {
        assert_eq!(
            coloured("{ kind = server && span.a = \"x\" } | rate()"),
            "[sig {] [int kind] [sig =] [con server] [sig &&] [att span.a] [sig =] [tex \"x\"] [sig }] [sig |] [fun rate][sig (][sig )]"
        );
        assert_eq!(coloured(""), "");
        assert_eq!(coloured("{ .결제 > 1.5s }"), "[sig {] [att .결제] [sig >] [num 1.5s] [sig }]");
        for text in ["{ name = \"a", "{ 'x' }", "}{", "{ .결제 = }", "한"] {
            let runs = read(text).runs;
            assert_eq!(runs.iter().map(|run| &text[run.start..run.end]).collect::<String>(), text);
        }
    }

    #[test]
    fn faults_are_marked_where_they_are() {
        assert_eq!(coloured("{ duration > \"5ms\" }"), "[sig {] [int duration] [sig >] ![tex \"5ms\"]! [sig }]");
        assert_eq!(coloured("{ status = }"), "[sig {] [int status] [sig =] ![sig }]!");
        // At the end something is missing: the last character is marked.
        assert_eq!(coloured("{ status = error"), "[sig {] [int status] [sig =] [con erro]![con r]!");
        assert!(read("  ").problem.is_none());
    }

    #[test]
    fn series_and_columns_are_told_apart() {
        let search = read("{ status = error } | select(span.a, name)");
        assert!(!search.metrics && search.rows.is_none());
        assert_eq!(search.columns, ["span.a", "span:name"]);
        assert_eq!(search.spans.as_deref(), Some("{ span:status = error }"));
        assert!(read("{ } | rate()").metrics);
        assert_eq!(read("{ } | rate()").spans, None);
    }

    #[test]
    fn something_can_be_made_of_the_spans_of_every_search() {
        for text in [
            "{ }",
            "{ } >> { status = error } | count() > 2",
            "{ } | by(kind) | select(name)",
            "count() > 1",
            "select(name)",
        ] {
            let spans = read(text).spans.unwrap_or_default();
            for made in [
                "count_over_time() by (span:status)",
                "histogram_over_time(span:duration)",
                "compare({ status = error }, 10, 1, 2)",
            ] {
                let made = format!("{spans} | {made}");
                assert!(read(&made).metrics, "{made}: {:?}", read(&made).problem);
            }
        }
    }

    #[test]
    fn an_environment_chooses_the_spans_that_are_asked() {
        assert_eq!(
            in_environment("{ kind = server } | rate()", "prod"),
            "{ resource.deployment.environment.name = \"prod\" } | { span:kind = server } | rate()"
        );
        assert_eq!(in_environment("", "a"), "{ resource.deployment.environment.name = \"a\" } | { }");
        assert_eq!(in_environment("{", "a"), "{");
    }

    #[test]
    fn columns_are_written_into_the_query() {
        assert_eq!(with_columns("", &["span.a"]).as_deref(), Some("{ } | select(span.a)"));
        assert_eq!(
            with_columns("{ status = error } | select(span.a) with (most_recent = true)", &["span.b", "span.\"a c\""])
                .as_deref(),
            Some("{ span:status = error } | select(span.b, span.\"a c\") with (most_recent = true)")
        );
        assert_eq!(with_columns("{ } | select(span.a)", &[""; 0]).as_deref(), Some("{ }"));
        assert_eq!(with_columns("{ } | rate()", &["span.a"]), None);
        assert_eq!(with_columns("{", &["span.a"]), None);
    }
}
