//! What is wrong is said where it is, with what to write instead.

use super::super::parse;

/// `marked` is the query with the place at fault between `«` and `»`.
#[track_caller]
fn check(marked: &str, message: &str, hint: &str) {
    let text = marked.replace(['«', '»'], "");
    let start = marked.find('«').expect("a mark");
    let end = marked.find('»').expect("a mark") - '«'.len_utf8();
    let problem = match parse(&text) {
        Err(problem) => problem,
        Ok(query) => panic!("{text} is {query}"),
    };
    assert!(problem.message.contains(message), "{text}: {problem}");
    assert!(problem.hint.contains(hint), "{text}: {problem}");
    assert_eq!(problem.range, start..end, "{text}: {problem}");
}

#[test]
fn slips_of_writing() {
    check("«»", "nothing is asked", "{ status = error }");
    check("{ «status» }", "a status is no condition", "compare it");
    check("{ span.a «==» 1 }", "`==`", "write `=`");
    check("{ span.a = «'x'» }", "single quotes", "double quotes");
    check("{ span.a = «\"x }»", "does not end", "add another");
    check("{ span.a = 1«»", "`}` is missing", "add `}`");
    check("{ span.a = 1 } «}»", "not opened", "remove it");
    check("{ span.a = 1 «and» span.b = 2 }", "`and`", "write `&&`");
    check("{ span.a = 1 «OR» span.b = 2 }", "`OR`", "write `||`");
    check("{ «not» span.a = 1 }", "`not`", "write `!`");
    check("{ span.a = 1 «&» span.b = 2 }", "one `&`", "write `&&`");
    check("{ span.a = 1 «|» span.b = 2 }", "not closed", "write `||`");
    check("{ «service.name» = \"x\" }", "does not say where", "resource.service.name");
    check("{ «resourse.a» = \"x\" }", "no scope", "resource.a");
    check("{ «trace.id» = \"x\" }", "no attributes", "trace:id");
    check("{ «durration» > 1s }", "`durration`", "did you mean duration?");
    check("{ «span:nam» = \"x\" }", "`span:nam`", "did you mean span:name?");
    check("{ status = «eror» }", "`eror`", "did you mean error?");
    check("{ span.a = «abc» }", "`abc`", "\"abc\"");
    check("{ duration > «5x» }", "no number and no duration", "ms");
    check("{ span.a = «99999999999999999999» }", "64 bits", "maxInt");
    check("{ span.a = «[»1, 2] }", "no lists", "a|b");
    check("{ span.a «in» (1, 2) }", "`in`", "a|b");
    check("{ span.«» = 1 }", "name of an attribute", "span.http.route");
    check("{ «nil» }", "nil stands alone", "compare it");
    check("{ span.a «<» nil }", "only there or not", "`=` or `!=`");
    check("{ span.a = «}»", "missing before `}`", "for example");
    check("{ span.a «>>» span.b }", "between spansets", "close the braces");
    check("{ span.a = \"«\\d»\" }", "no escape", "backticks");
}

#[test]
fn slips_of_structure() {
    check("{ } «>» 5", "no number", "count() > 2");
    check("{ } | «cuont»() > 2", "no stage", "did you mean count?");
    check("{ } | «duration» > 2s", "said of spans", "braces");
    check("{ } | «»", "a stage is missing", "count()");
    check("{ } | count()«»", "keeps nothing", "count() > 2");
    check("{ } | count(«name») > 1", "counts spans", "count()");
    check("{ } | avg(«)» > 1", "field is missing", "avg(span:duration)");
    check("{ } | by(name«,» kind)", "one value", "by(a) | by(b)");
    check("{ } | «topk»(5)", "no series", "topk(5)");
    check("{ } | rate() | «count»() > 2", "follow metrics", "before");
    check("«rate»()", "no spans were chosen", "{ } | rate()");
    check("{ } | rate(«name»)", "takes nothing", "by");
    check("{ } | quantile_over_time(duration, «99»)", "between 0 and 1", "0.99");
    check("{ } | quantile_over_time(duration«)»", "quantile is missing", "0.99");
    check("({ } | rate()) * «10s»", "no factor", "number");
    check("{ } | rate() «+» ({ } | rate())", "in parentheses", "({ … } | rate()) +");
    check("{ } | compare({ .a }, «0»)", "out of bounds", "1000");
    check("{ } | compare({ .a }, 5, «7, 3»)", "no stretch of time", "from before to");
    check("{ } with («most_recnt = true»)", "no setting", "most_recent");
    check("{ } with («most_recent = 5s»)", "a duration", "true");
    check("{ } && «»", "another spanset", "{ status = error }");
    check("{ .a } «{» .b }", "ended here", "`&&`");
    check("{ .a && «{» .b } }", "braces", "outside");
    check("«1 > 2»", "nothing about spans", "count()");
}

#[test]
fn types_that_do_not_fit() {
    check("{ duration > «\"100ms\"» }", "a duration is compared with text", "write 100ms, without quotes");
    check("{ duration > «\"long\"» }", "a duration is compared with text", "250ms");
    check("{ status = «\"error\"» }", "a status is compared with text", "write error, without quotes");
    check("{ kind = «error» }", "a kind is compared with a status", "write one of server");
    check("{ name = «error» }", "text is compared with a status", "write \"error\", in quotes");
    check("{ childCount = «\"3\"» }", "an integer is compared with text", "without quotes");
    check("{ «duration» =~ \"1.*\" }", "a duration is not matched", "compare with");
    check("{ name =~ «5» }", "no regular expression", "quotes");
    check("{ «status > ok» }", "not greater or less", "= or !=");
    check("{ «name» + 1 = 2 }", "text is no number", "calculate");
    check("{ «duration = nil» }", "never nil", "compare it with");
    check("{ «1» && .a }", "an integer is no condition", "compare it");
    check("{ !«duration» }", "a duration is no condition", "compare it");
    check("{ } | avg(«name») > 1", "text cannot be added up", "span:duration");
    check("{ } | avg(«1 + 1») > 1", "same for every span", "name a field");
    check("{ } | by(«1»)", "differs between spans", "by(resource.service.name)");
    check("{ } | «avg_over_time(name)»", "span:name is text", "span:duration");
    check("{ } | «compare({ .a })» > 5", "no series", "alone");
    check("{ } | count() > «\"5\"»", "text is no number", "number");
    check("{ «parent» = \"a\" }", "there or not", "span:parentID");
    check("{ trace:id = «\"xyz\"» }", "no trace:id", "32 hexadecimal digits");
    check("{ span:id = «\"00000000000000001\"» }", "no span:id", "16 hexadecimal digits");
}

#[test]
fn depth_and_length_are_bounded() {
    let deep = format!("{{ {}.a{} }}", "(".repeat(10_000), ")".repeat(10_000));
    assert!(parse(&deep).unwrap_err().message.contains("nested too deeply"));
    let negated = format!("{{ {}.a }}", "!".repeat(10_000));
    assert!(parse(&negated).unwrap_err().message.contains("nested too deeply"));
    let long = format!("{{ .a{} }}", " || .a".repeat(10_000));
    assert!(parse(&long).unwrap_err().message.contains("too long"));
    let stages = format!("{{ }}{}", " | { }".repeat(10_000));
    assert!(parse(&stages).unwrap_err().message.contains("too long"));
    let spansets = format!("{}{{ }}{}", "(".repeat(10_000), ")".repeat(10_000));
    assert!(parse(&spansets).unwrap_err().message.contains("nested too deeply"));
    parse(&format!("{{ .a{} }}", " || .a".repeat(500))).unwrap();
}
