//! The flat form of a visual builder.

use super::super::{Comparison, Condition, Conditions, Field, Intrinsic, Literal, Operator, Scope, parse};
use super::generate;
use proptest::prelude::*;

fn flat(text: &str) -> Option<Conditions> {
    Conditions::from_query(&parse(text).unwrap())
}

#[test]
fn what_a_builder_shows_is_what_it_writes() {
    let conditions = Conditions {
        conditions: vec![
            Condition {
                field: Field::attribute(Scope::Resource, "service.name"),
                operator: Operator::Compare(Comparison::Equal, Literal::Text("cart".to_owned())),
            },
            Condition {
                field: Field::intrinsic(Intrinsic::TraceDuration),
                operator: Operator::Compare(Comparison::Greater, Literal::Duration(2_000_000_000)),
            },
            Condition { field: Field::attribute(None, "a b"), operator: Operator::Missing },
        ],
    };
    let text = "{ resource.service.name = \"cart\" && trace:duration > 2s && .\"a b\" = nil }";
    assert_eq!(conditions.to_query().to_string(), text);
    assert_eq!(flat(text), Some(conditions.clone()));
    let of_trace: Vec<bool> = conditions.conditions.iter().map(Condition::is_of_trace).collect();
    assert_eq!(of_trace, [false, true, false]);
    assert_eq!(
        flat("{ 5 < span.x && (span.y != nil && span.z = 1) }").unwrap().to_query().to_string(),
        "{ span.x > 5 && span.y != nil && span.z = 1 }"
    );
    assert_eq!(flat("{ }"), Some(Conditions::default()));
}

#[test]
fn what_says_more_is_left_as_text() {
    for text in [
        "{ .a || .b }",
        "{ !(.a = 1) }",
        "{ .a + 1 = 2 }",
        "{ .a = .b }",
        "{ .a = 1 } && { .b = 1 }",
        "{ } | count() > 1",
        "{ } | rate()",
        "{ } with (most_recent = true)",
        "({ .a = 1 } | count() > 1)",
    ] {
        assert_eq!(flat(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn conditions_survive_being_written(conditions in prop::collection::vec(generate::condition(), 0..6)) {
        let conditions = Conditions { conditions };
        let query = conditions.to_query();
        prop_assert_eq!(Conditions::from_query(&query), Some(conditions.clone()));
        let read = super::super::parse::parse_tree(&query.to_string());
        prop_assert_eq!(read.as_ref().ok().and_then(Conditions::from_query), Some(conditions));
    }
}
