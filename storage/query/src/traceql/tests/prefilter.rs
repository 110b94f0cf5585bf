//! What may be asked of single spans loses no trace.

use super::super::ast::Comparison;
use super::super::{
    Compiled, Field, FieldName, Intrinsic, Leaf, Literal, Prefilter, Scope, SpanCondition, Test, TraceView, parse,
    reads,
};
use super::fixture::{TestTrace, traces};
use super::generate;
use orrery_model::semconv;
use proptest::prelude::*;

#[test]
fn as_much_is_asked_as_can_be() {
    let check = |text: &str, expected: &str| {
        let prefilter = Prefilter::of(&parse(text).unwrap());
        assert_eq!(shown(&prefilter), expected, "{text}");
    };
    check("{ }", "maybe");
    check("{ .a = 1 && .b = 2 }", "some(.a = 1 and .b = 2)");
    check("{ .a = 1 } && { .b = 2 }", "some(.a = 1) and some(.b = 2)");
    check("{ .a = 1 } || { .b = 2 } >> { .c = 3 }", "some(.a = 1) or (some(.b = 2) and some(.c = 3))");
    check("{ .a = 1 } !>> { .b = 2 }", "some(.b = 2)");
    check("{ .a > 2 * 1024 || 5 < duration }", "some(.a > 2048 or span:duration > 5)");
    check("{ !(.a = 1 || .b) }", "some(not .a = 1 and not .b = true)");
    check("{ .a = .b && name = \"x\" }", "some(span:name = \"x\")");
    check("{ .a = .b || name = \"x\" }", "maybe");
    check("{ parent.a = 1 && childCount > 2 && .b != nil }", "some(.b exists)");
    check("{ nestedSetParent < 0 && .a = nil }", "some(span:parentID = \"\" and not .a exists)");
    check("{ name =~ \"a.*\" } | by(.a) | count() > 2", "some(span:name matches a.*)");
    check("count() > 2", "maybe");
    check("{ false } && { .a = 1 }", "never");
    check("{ .a = 1 } | rate() by (.b)", "some(.a = 1)");
    check("({ .a = 1 } | rate()) / ({ .b = 1 } | rate())", "some(.a = 1) or some(.b = 1)");
    check("{ span:id = \"A1\" }", "some(span:id = \"00000000000000a1\")");
    let prefilter =
        Prefilter::of(&parse("{ trace:duration > 5s && .a = 1 } >> { trace:rootName = \"x\" || .b = 1 }").unwrap());
    let of_trace: Vec<String> = prefilter.of_trace().into_iter().map(shown_leaf).collect();
    assert_eq!(of_trace, ["trace:duration > 5s"]);
}

#[test]
fn only_what_is_needed_is_read() {
    let check = |text: &str, fields: &str, whole_traces: bool| {
        let reads = reads(&parse(text).unwrap());
        let found: Vec<String> = reads.fields.iter().map(Field::to_string).collect();
        assert_eq!((found.join(" "), reads.whole_traces), (fields.to_owned(), whole_traces), "{text}");
    };
    check("{ .a = 1 } | select(.b)", ".a .b", false);
    check("{ .a = 1 } && { .b = 1 }", ".a .b", true);
    check("{ .a = 1 } | by(.b)", ".a .b", true);
    check("{ span.a = 1 && parent.b = 2 } | select(name)", "span:name .b span.a", true);
    check("{ span.a = 1 } | rate() by (name)", "span:name span.a", false);
    check("{ span.a = 1 } >> { } | rate()", "span.a", true);
    check("{ } | count() > avg(duration) | rate()", "span:duration", true);
    check("{ nestedSetParent < 0 } | quantile_over_time(duration, 0.5)", "span:duration span:parentID", false);
    check("{ trace:rootName = \"a\" } | rate()", "trace:rootName", true);
    assert!(reads(&parse("{ } | compare({ status = error })").unwrap()).everything);
}

fn shown(prefilter: &Prefilter) -> String {
    let joined = |parts: &[Prefilter], by: &str| {
        let part = |part: &Prefilter| match part {
            Prefilter::All(_) | Prefilter::Any(_) => format!("({})", shown(part)),
            other => shown(other),
        };
        parts.iter().map(part).collect::<Vec<_>>().join(by)
    };
    match prefilter {
        Prefilter::Maybe => "maybe".to_owned(),
        Prefilter::Never => "never".to_owned(),
        Prefilter::Some(condition) => format!("some({})", shown_condition(condition)),
        Prefilter::All(all) => joined(all, " and "),
        Prefilter::Any(any) => joined(any, " or "),
    }
}

fn shown_condition(condition: &SpanCondition) -> String {
    let joined = |parts: &[SpanCondition], by: &str| parts.iter().map(shown_condition).collect::<Vec<_>>().join(by);
    match condition {
        SpanCondition::Maybe => "maybe".to_owned(),
        SpanCondition::Never => "never".to_owned(),
        SpanCondition::Leaf(leaf) => shown_leaf(leaf),
        SpanCondition::All(all) => joined(all, " and "),
        SpanCondition::Any(any) => joined(any, " or "),
    }
}

fn shown_leaf(leaf: &Leaf) -> String {
    let test = match &leaf.test {
        Test::Compare(comparison, literal) => format!("{comparison} {literal}"),
        Test::Matches { pattern, not: false } => format!("matches {pattern}"),
        Test::Matches { pattern, not: true } => format!("matches not {pattern}"),
        Test::Exists => "exists".to_owned(),
    };
    format!("{}{} {test}", if leaf.negated { "not " } else { "" }, leaf.field)
}

/// A store of one trace, answering as exactly as the contract of a leaf asks for.
fn may_match(prefilter: &Prefilter, trace: &TestTrace) -> bool {
    match prefilter {
        Prefilter::Maybe => true,
        Prefilter::Never => false,
        Prefilter::Some(condition) => (0..trace.len()).any(|span| meets(condition, trace, span)),
        Prefilter::All(all) => all.iter().all(|part| may_match(part, trace)),
        Prefilter::Any(any) => any.iter().any(|part| may_match(part, trace)),
    }
}

fn meets(condition: &SpanCondition, trace: &TestTrace, span: usize) -> bool {
    match condition {
        SpanCondition::Maybe => true,
        SpanCondition::Never => false,
        SpanCondition::All(all) => all.iter().all(|part| meets(part, trace, span)),
        SpanCondition::Any(any) => any.iter().any(|part| meets(part, trace, span)),
        SpanCondition::Leaf(leaf) => match values(&leaf.field, trace, span) {
            None => true,
            Some(Read::Missing) => leaf.negated,
            Some(Read::Values(values)) => {
                let holds = values.iter().all(|value| passes(&leaf.test, value))
                    || values.iter().any(|value| passes(&leaf.test, value));
                if values.len() == 1 { holds != leaf.negated } else { leaf.negated || holds || values.is_empty() }
            }
        },
    }
}

enum Read {
    Missing,
    Values(Vec<Literal>),
}

/// `None`: not kept.
fn values(field: &Field, trace: &TestTrace, span: usize) -> Option<Read> {
    let of = &trace.spans[span];
    let one = |value: Literal| Some(Read::Values(vec![value]));
    match &field.name {
        FieldName::Intrinsic(Intrinsic::Name) => one(Literal::Text(of.name.clone())),
        FieldName::Intrinsic(Intrinsic::Duration) => one(Literal::Duration(of.time.1)),
        FieldName::Intrinsic(Intrinsic::Kind) => one(Literal::Kind(of.kind)),
        FieldName::Intrinsic(Intrinsic::Status) => one(Literal::Status(of.status.0)),
        FieldName::Intrinsic(Intrinsic::SpanId) => one(Literal::Text(format!("{:016x}", of.id))),
        FieldName::Intrinsic(Intrinsic::ParentId) => {
            one(Literal::Text(if of.parent == 0 { String::new() } else { format!("{:016x}", of.parent) }))
        }
        FieldName::Intrinsic(_) => None,
        FieldName::Attribute(scope, name) => {
            let scopes: Vec<Scope> = scope.map_or(Scope::ALL.to_vec(), |scope| vec![scope]);
            let spellings: Vec<&str> = semconv::spellings(name).collect();
            let read: Vec<_> = of
                .attributes
                .iter()
                .filter(|(scope, name, _)| scopes.contains(scope) && spellings.contains(&name.as_str()))
                .collect();
            // Which of several decides is not a store's business.
            match read[..] {
                [] => Some(Read::Missing),
                [(_, _, values)] => Some(Read::Values(values.clone())),
                _ => None,
            }
        }
    }
}

fn passes(test: &Test, value: &Literal) -> bool {
    let number = |of: &Literal| match of {
        Literal::Int(value) | Literal::Duration(value) => Some(*value as f64),
        Literal::Float(value) => Some(*value),
        _ => None,
    };
    match test {
        Test::Exists => true,
        Test::Matches { pattern, not } => match value {
            Literal::Text(text) => regex::Regex::new(&format!("^(?s:{pattern})$")).unwrap().is_match(text) != *not,
            _ => false,
        },
        Test::Compare(comparison, literal) => {
            let ordering = match (value, literal) {
                (Literal::Text(left), Literal::Text(right)) => left.partial_cmp(right),
                (Literal::Bool(left), Literal::Bool(right)) => left.partial_cmp(right),
                (Literal::Status(left), Literal::Status(right)) => left.partial_cmp(right),
                (Literal::Kind(left), Literal::Kind(right)) => (*left as u8).partial_cmp(&(*right as u8)),
                _ => match (number(value), number(literal)) {
                    (Some(left), Some(right)) => left.partial_cmp(&right),
                    _ => return false,
                },
            };
            match comparison {
                Comparison::Equal => ordering.is_some_and(std::cmp::Ordering::is_eq),
                Comparison::NotEqual => !ordering.is_some_and(std::cmp::Ordering::is_eq),
                Comparison::Less => ordering.is_some_and(std::cmp::Ordering::is_lt),
                Comparison::AtMost => ordering.is_some_and(std::cmp::Ordering::is_le),
                Comparison::Greater => ordering.is_some_and(std::cmp::Ordering::is_gt),
                Comparison::AtLeast => ordering.is_some_and(std::cmp::Ordering::is_ge),
                Comparison::Matches | Comparison::NotMatches => false,
            }
        }
    }
}

proptest! {
    #[test]
    fn no_matching_trace_is_lost(query in generate::search(), trace in traces(6)) {
        let prefilter = Prefilter::of(&query);
        let Ok(compiled) = Compiled::new(&query) else { return Ok(()) };
        if !compiled.evaluate(&trace).is_empty() {
            prop_assert!(may_match(&prefilter, &trace), "{}: {}", query, shown(&prefilter));
        }
    }

    /// Where spans are judged one by one, those that count are the same if each is a trace of its own.
    #[test]
    fn spans_judged_one_by_one_need_no_trace(query in generate::rate(), trace in traces(6)) {
        let Ok(compiled) = Compiled::new(&query) else { return Ok(()) };
        if reads(&query).whole_traces {
            return Ok(());
        }
        let mut together: Vec<u32> = compiled.evaluate(&trace).into_iter().flat_map(|spanset| spanset.spans).collect();
        together.sort_unstable();
        let alone = |span: &usize| {
            let alone = TestTrace { id: trace.id, spans: vec![trace.spans[*span].clone()] };
            !compiled.evaluate(&alone).is_empty()
        };
        let apart: Vec<u32> = (0..trace.len()).filter(alone).map(|span| span as u32).collect();
        prop_assert_eq!(&together, &apart, "{}", query);
        let condition = Prefilter::of(&query).of_span();
        prop_assert!(together.iter().all(|span| meets(&condition, &trace, *span as usize)));
    }
}
