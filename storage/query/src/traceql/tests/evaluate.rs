//! What matches.

use super::super::ast::{Relate, Relation};
use super::super::{Compiled, Literal, Scope, TraceView, parse};
use super::fixture::{TestSpan, TestTrace, checkout, text, traces};
use super::generate;
use orrery_model::SpanKind;
use proptest::prelude::*;

pub(super) fn compiled(text: &str) -> Compiled {
    let query = parse(text).unwrap_or_else(|problem| panic!("{text}: {problem} at {:?}", problem.range));
    Compiled::new(&query).unwrap_or_else(|problem| panic!("{text}: {problem}"))
}

/// Spans of the spansets.
pub(super) fn matched(trace: &TestTrace, text: &str) -> Vec<Vec<u32>> {
    compiled(text).evaluate(trace).into_iter().map(|spanset| spanset.spans).collect()
}

#[test]
fn spansets_say_what_they_were_split_by_and_came_to() {
    let spansets =
        compiled("{ } | by(resource.service.name) | count() > 1 | avg(duration) > 1ms").evaluate(&checkout());
    assert_eq!(spansets.len(), 1);
    let values: Vec<String> =
        spansets[0].values.iter().map(|(name, value)| format!("{name} = {}", value.as_ref().unwrap())).collect();
    assert_eq!(values, ["by(resource.service.name) = \"frontend\"", "count() = 4", "avg(span:duration) = 43250us"]);
}

#[test]
fn selected_fields_come_with_every_value() {
    let query = compiled("{ name = \"GET /checkout\" } | select(span.tags, span.nothing, span.http.method)");
    let mut found = Vec::new();
    query.selected(&checkout(), 0, &mut |field, value| found.push(format!("{field} = {}", value.to_literal())));
    assert_eq!(found, ["span.tags = \"blue\"", "span.tags = \"fast\"", "span.http.method = \"GET\""]);
}

#[test]
fn a_regular_expression_that_is_none_is_located() {
    for (text, marked) in [
        ("{ name =~ \"a(\" }", "\"a(\""),
        ("{ name !~ \"a)(b\" }", "\"a)(b\""),
        ("{ name =~ `(\\w{1000}){100}` }", "`(\\w{1000}){100}`"),
    ] {
        let problem = Compiled::new(&parse(text).unwrap()).unwrap_err();
        assert_eq!(&text[problem.range.clone()], marked, "{problem}");
    }
}

#[test]
fn a_trace_without_spans_matches_nothing() {
    assert_eq!(matched(&TestTrace::default(), "{ }"), Vec::<Vec<u32>>::new());
    assert_eq!(matched(&TestTrace::default(), "{ } !> { }"), Vec::<Vec<u32>>::new());
}

/// Long chains, wide fans and rings take work that grows with the spans, and no deep stack.
#[test]
fn large_traces_are_evaluated() {
    const SPANS: u64 = 200_000;
    let with_parents = |parent: &dyn Fn(u64) -> u64| Parents {
        parent: (0..SPANS).map(|span| parent(span).checked_sub(1).map(|parent| parent as usize)).collect(),
        blank: checkout(),
    };
    let chain = with_parents(&|span| span);
    let count = |trace: &dyn TraceView, text: &str| {
        compiled(text).evaluate(trace).first().map_or(0, |spanset| spanset.spans.len())
    };
    assert_eq!(count(&chain, "{ } >> { }"), SPANS as usize - 1);
    assert_eq!(count(&chain, "{ } << { }"), SPANS as usize - 1);
    assert_eq!(count(&chain, "{ } ~ { }"), 0);
    let fan = with_parents(&|span| u64::from(span > 0));
    assert_eq!(count(&fan, "{ } ~ { }"), SPANS as usize - 1);
    assert_eq!(count(&fan, "{ } &> { }"), SPANS as usize);
    assert_eq!(count(&fan, &format!("{{ span:childCount = {} }}", SPANS - 1)), 1);
    let ring = with_parents(&|span| if span == 0 { SPANS } else { span });
    assert_eq!(count(&ring, "{ } >> { }"), SPANS as usize - 1);
}

/// Nothing but parents.
struct Parents {
    parent: Vec<Option<usize>>,
    blank: TestTrace,
}

impl TraceView for Parents {
    fn trace_id(&self, span: usize) -> orrery_model::TraceId {
        self.blank.trace_id(span)
    }
    fn len(&self) -> usize {
        self.parent.len()
    }
    fn parent(&self, span: usize) -> Option<usize> {
        self.parent[span]
    }
    fn span_id(&self, _: usize) -> orrery_model::SpanId {
        self.blank.span_id(0)
    }
    fn parent_span_id(&self, _: usize) -> orrery_model::SpanId {
        self.blank.span_id(0)
    }
    fn start(&self, _: usize) -> i64 {
        0
    }
    fn duration(&self, _: usize) -> i64 {
        0
    }
    fn name(&self, _: usize) -> &str {
        ""
    }
    fn kind(&self, _: usize) -> SpanKind {
        SpanKind::Internal
    }
    fn status(&self, _: usize) -> orrery_model::StatusCode {
        orrery_model::StatusCode::Unset
    }
    fn status_message(&self, _: usize) -> &str {
        ""
    }
    fn instrumentation(&self, _: usize) -> (&str, &str) {
        ("", "")
    }
    fn events(&self, _: usize, _: &mut dyn FnMut(&str, i64)) {}
    fn links(&self, _: usize, _: &mut dyn FnMut(orrery_model::TraceId, orrery_model::SpanId)) {}
    fn attribute(&self, _: usize, _: Scope, _: &str, _: &mut dyn FnMut(super::super::Value<'_>)) -> bool {
        false
    }
    fn attributes(&self, _: usize, _: &mut dyn FnMut(Scope, &str, super::super::Value<'_>)) {}
}

/// Whether `right` is to `left` what the relation says, by walking up. Spans on cycles are not asked for.
fn related(trace: &TestTrace, relation: Relation, left: usize, right: usize) -> bool {
    let above = |span: usize| {
        std::iter::successors(trace.parent(span), |span| trace.parent(*span)).take(trace.len()).collect::<Vec<_>>()
    };
    match relation {
        Relation::Child => trace.parent(right) == Some(left),
        Relation::Parent => trace.parent(left) == Some(right),
        Relation::Descendant => above(right).contains(&left),
        Relation::Ancestor => above(left).contains(&right),
        Relation::Sibling => left != right && trace.parent(left).is_some() && trace.parent(left) == trace.parent(right),
    }
}

fn has_cycle(trace: &TestTrace) -> bool {
    (0..trace.len()).any(|span| {
        std::iter::successors(Some(span), |span| trace.parent(*span)).take(trace.len() + 1).count() > trace.len()
    })
}

proptest! {
    #[test]
    fn relations_are_those_one_finds_by_walking(trace in traces(12).prop_filter("a forest", |trace| !has_cycle(trace))) {
        use Relation::{Ancestor, Child, Descendant, Parent, Sibling};
        let all = |wanted: &dyn Fn(usize) -> bool| (0..trace.len()).filter(|span| wanted(*span)).collect::<Vec<_>>();
        let left = all(&|span| trace.spans[span].name == "x");
        let right = all(&|span| trace.spans[span].name != "GET");
        for relation in [Child, Descendant, Parent, Ancestor, Sibling] {
            let has = |span: usize| left.iter().any(|left| related(&trace, relation, *left, span));
            let had = |span: usize| right.iter().any(|right| related(&trace, relation, span, *right));
            for sides in [Relate::Right, Relate::Not, Relate::Both] {
                let expected = all(&|span| match sides {
                    Relate::Right => right.contains(&span) && has(span),
                    Relate::Not => right.contains(&span) && !has(span),
                    Relate::Both => (right.contains(&span) && has(span)) || (left.contains(&span) && had(span)),
                });
                let text = format!("{{ name = \"x\" }} {sides}{relation} {{ name != \"GET\" }}");
                let found: Vec<usize> = matched(&trace, &text).concat().into_iter().map(|span| span as usize).collect();
                prop_assert_eq!(found, expected, "{}", text);
            }
        }
    }

    #[test]
    fn any_query_can_be_asked_of_any_trace(trace in traces(12), query in generate::query()) {
        if let Ok(query) = Compiled::new(&query) {
            for spanset in query.evaluate(&trace) {
                prop_assert!(!spanset.spans.is_empty());
                prop_assert!(spanset.spans.is_sorted() && spanset.spans.iter().all(|span| (*span as usize) < trace.len()));
            }
        }
    }
}

#[test]
fn the_current_name_of_an_attribute_counts_before_the_old_one() {
    let both = |first: &str, second: &str| TestTrace {
        id: 1,
        spans: vec![TestSpan::new(1, 0, "x", "x", SpanKind::Server, 0, 1).with(Scope::Span, first, [text("a")]).with(
            Scope::Span,
            second,
            [text("b")],
        )],
    };
    for (trace, wins) in
        [(both("http.method", "http.request.method"), "b"), (both("http.request.method", "http.method"), "a")]
    {
        for name in ["http.method", "http.request.method"] {
            assert_eq!(matched(&trace, &format!("{{ span.{name} = \"{wins}\" }}")), [[0]]);
            assert_eq!(matched(&trace, &format!("{{ .{name} != \"{wins}\" }}")), Vec::<Vec<u32>>::new());
        }
    }
    assert_eq!(Literal::Int(1).to_string(), "1");
}
