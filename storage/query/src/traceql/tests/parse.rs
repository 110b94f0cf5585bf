//! Reading and printing.

use super::super::parse;
use super::super::parse::parse_tree;
use super::generate;
use proptest::prelude::*;

#[track_caller]
fn check(text: &str, printed: &str) {
    let query = parse(text).unwrap_or_else(|problem| panic!("{text}: {problem} at {:?}", problem.range));
    assert_eq!(query.to_string(), printed, "{text}");
    assert_eq!(parse(printed), Ok(query), "{printed}");
}

#[test]
fn a_query_has_one_spelling() {
    check("{}", "{ }");
    check("{duration>1s&&name=`a\\b`}", "{ span:duration > 1s && span:name = \"a\\\\b\" }");
    check("{ .a || .b && .c }", "{ (.a || .b) && .c }");
    check("{ .a - 1 - 2 = 3 ^ 2 ^ 2 }", "{ .a - 1 - 2 = 3 ^ 2 ^ 2 }");
    check("{ .a = -.b * 2 }", "{ .a = -.b * 2 }");
    check("{ nil != .a && span.b = nil }", "{ .a != nil && span.b = nil }");
    check("{ span.\"a b\" = 1 && span.x.\"y z\" = 2 }", "{ span.\"a b\" = 1 && span.\"x.y z\" = 2 }");
    check(
        "{ span.value != minInt && span.value < maxInt }",
        "{ span.value != minInt && span.value < 9223372036854775807 }",
    );
    check(
        "{ parent.span.x = 1 && parent.y = 2 && parent = nil }",
        "{ parent.span.x = 1 && parent.y = 2 && parent = nil }",
    );
    check("({.a})&&{.b}", "{ .a } && { .b }");
    check("{.a} && {.b} || {.c} >> {.d}", "({ .a } && { .b }) || { .c } >> { .d }");
    check("{.a} !~ {.b} &>> {.c}", "{ .a } !~ { .b } &>> { .c }");
    check(
        "({.a} | count() > 1) && ({.b} | by(name) | coalesce())",
        "({ .a } | count() > 1) && ({ .b } | by(span:name) | coalesce())",
    );
    check("count()>10", "count() > 10");
    check(
        "{} | (max(duration) - min(duration)) * 2 > 1m | select(name, .a)",
        "{ } | (max(span:duration) - min(span:duration)) * 2 > 1m | select(span:name, .a)",
    );
    check(
        "{} | rate() by(resource.service.name) > 10 | topk(5) with(most_recent=true)",
        "{ } | rate() by (resource.service.name) > 10 | topk(5) with (most_recent = true)",
    );
    check("{} | quantile_over_time(duration,.99,1)", "{ } | quantile_over_time(span:duration, 0.99, 1.0)");
    check(
        "({} | rate()) / (({.a} | rate() | topk(2)) + 2 * 3) > 1",
        "({ } | rate()) / (({ .a } | rate() | topk(2)) + 6) > 1",
    );
    check("-100 * ({}|rate()) > 5", "-100 * ({ } | rate()) > 5");
    check("{} | compare({status=error}, 5, 1, 2)", "{ } | compare({ span:status = error }, 5, 1, 2)");
    check("{} | avg_over_time(duration) >= 500ms", "{ } | avg_over_time(span:duration) >= 500ms");
}

proptest! {
    #[test]
    fn what_is_printed_is_read_again(query in generate::query()) {
        let text = query.to_string();
        let read = parse_tree(&text);
        prop_assert_eq!(read.as_ref(), Ok(&query), "{}", text);
        prop_assert_eq!(read.map(|read| read.to_string()), Ok(text));
    }
}
