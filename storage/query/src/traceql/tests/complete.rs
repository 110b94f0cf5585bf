//! What fits at a cursor.

use super::super::{Completion, Field, Intrinsic, Scope, Type, Wanted, complete, parse};
use super::generate;
use proptest::prelude::*;

/// Completes at the `|` of `text`, checks what is begun and what is replaced, and gives what fits. `‸` is the cursor.
#[track_caller]
fn at(text: &str, prefix: &str, replaced: &str) -> Completion {
    let cursor = text.find('‸').expect("a cursor");
    let text = text.replace('‸', "");
    let completion = complete(&text, cursor);
    assert_eq!(completion.prefix, prefix, "{text}: {completion:?}");
    assert_eq!(&text[completion.range.clone()], replaced, "{text}: {completion:?}");
    completion
}

fn field(scope: Option<Scope>, attribute: bool) -> Wanted {
    Wanted::Field { scope, attribute, of_parent: false }
}

#[test]
fn fields_where_a_condition_begins() {
    assert_eq!(at("{ ‸", "", "").wanted, field(None, false));
    assert_eq!(at("{ du‸", "du", "du").wanted, field(None, false));
    assert_eq!(at("{ span:dur‸ > 1s }", "span:dur", "span:dur").words(), ["span:duration"]);
    assert_eq!(at("{ span.‸", "", "span.").wanted, field(Some(Scope::Span), true));
    assert_eq!(at("{ span.http.me‸thod = 1 }", "http.me", "span.http.method").wanted, field(Some(Scope::Span), true));
    assert_eq!(at("{ .htt‸", "htt", ".htt").wanted, field(None, true));
    assert_eq!(
        at("{ status = error && resource.ser‸ }", "ser", "resource.ser").wanted,
        field(Some(Scope::Resource), true)
    );
    assert_eq!(at("{ service.na‸", "service.na", "service.na").wanted, field(None, false));
    let parent = Wanted::Field { scope: Some(Scope::Span), attribute: true, of_parent: true };
    assert_eq!(at("{ parent.span.x‸", "x", "parent.span.x").wanted, parent);
    assert_eq!(at("{ } | by(‸", "", "").wanted, field(None, false));
    assert_eq!(at("{ } | select(name, span.‸", "", "span.").wanted, field(Some(Scope::Span), true));
    assert_eq!(at("{ } | rate() by (res‸", "res", "res").wanted, field(None, false));
    assert_eq!(at("{ } | quantile_over_time(‸", "", "").wanted, field(None, false));
    assert_eq!(at("{ (.a = 1 || ‸", "", "").wanted, field(None, false));
}

#[test]
fn operators_after_a_field() {
    assert_eq!(at("{ status ‸", "", "").words(), ["=", "!="]);
    assert_eq!(at("{ span:name ‸", "", "").wanted, Wanted::Operator(Type::Text));
    assert_eq!(at("{ .a ‸ }", "", "").wanted, Wanted::Operator(Type::Any));
    assert_eq!(at("{ .a = 1 ‸", "", "").wanted, Wanted::Logic);
    assert_eq!(at("{ .a = .b ‸", "", "").wanted, Wanted::Logic);
    assert_eq!(at("{ (.a = .b) ‸", "", "").wanted, Wanted::Logic);
}

#[test]
fn values_after_a_comparison() {
    let service = Field::attribute(Scope::Resource, "service.name");
    let value = |field: &Field, quoted| Wanted::Value { field: field.clone(), quoted };
    assert_eq!(at("{ resource.service.name = ‸", "", "").wanted, value(&service, false));
    assert_eq!(at("{ resource.service.name = \"ca‸", "ca", "\"ca").wanted, value(&service, true));
    assert_eq!(at("{ resource.service.name = \"ca‸rt\" && .a }", "ca", "\"cart\"").wanted, value(&service, true));
    assert_eq!(at("{ resource.service.name != ca‸", "ca", "ca").wanted, value(&service, false));
    let status = Field::intrinsic(Intrinsic::Status);
    assert_eq!(at("{ status = e‸", "e", "e").wanted, value(&status, false));
    assert_eq!(at("{ status = e‸", "e", "e").words(), ["error"]);
    assert_eq!(
        at("{ kind = ‸", "", "").words(),
        ["server", "client", "producer", "consumer", "internal", "unspecified"]
    );
    assert_eq!(at("{ name =~ \"a‸", "\"a", "\"a").wanted, Wanted::Nothing);
}

#[test]
fn stages_and_joins_outside_of_braces() {
    assert_eq!(at("‸", "", "").wanted, Wanted::Spanset);
    assert_eq!(at("{ } ‸", "", "").wanted, Wanted::Join);
    assert_eq!(at("{ } | ‸", "", "").wanted, Wanted::Stage);
    assert_eq!(at("{ } | co‸", "co", "co").words(), ["count()", "coalesce()", "count_over_time()", "compare("]);
    assert_eq!(at("{ } >> ‸", "", "").wanted, Wanted::Spanset);
    assert_eq!(at("{ } > ‸", "", "").wanted, Wanted::Spanset);
    assert_eq!(at("{ } | rate() ‸", "", "").wanted, Wanted::AfterMetric);
    assert_eq!(at("{ } | count() ‸", "", "").wanted, Wanted::Operator(Type::Float));
    assert_eq!(at("{ } | count() > ‸", "", "").wanted, Wanted::Nothing);
    assert_eq!(at("{ } with (mo‸", "mo", "mo").words(), ["most_recent"]);
    assert_eq!(at("{ } | compare(‸", "", "").wanted, Wanted::Spanset);
    assert_eq!(at("{ } | compare({ sta‸", "sta", "sta").wanted, field(None, false));
}

proptest! {
    #[test]
    fn any_text_can_be_completed(text in ".{0,40}", cursor in 0_usize..60) {
        let completion = complete(&text, cursor);
        prop_assert!(text.get(completion.range).is_some());
        completion_words_begin_right(&complete(&text, cursor));
        _ = parse(&text).map_err(|problem| assert!(text.get(problem.range).is_some()));
    }

    #[test]
    fn any_part_of_a_query_can_be_completed(query in generate::query(), part in 0.0..1.0_f64) {
        let text = query.to_string();
        let completion = complete(&text, (text.len() as f64 * part) as usize);
        prop_assert!(text.get(completion.range.clone()).is_some());
        completion_words_begin_right(&completion);
    }
}

fn completion_words_begin_right(completion: &Completion) {
    assert!(completion.words().iter().all(|word| word.starts_with(&completion.prefix)));
}
