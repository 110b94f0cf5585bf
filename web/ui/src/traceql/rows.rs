//! A query as rows of a visual builder.

use orrery_query::traceql::{Comparison, Conditions, Literal, Operator, Query, Type, Wanted, complete, parse};

/// One condition; all of them hold of one span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// As it is written: `span.http.route`, `trace:duration`.
    pub field: String,
    /// `=`, `!=`, `<`, `<=`, `>`, `>=`, `=~`, `!~`, `= nil`, `!= nil`.
    pub operator: String,
    /// As a person writes it: text without quotes. Empty beside `nil`.
    pub value: String,
    /// The value is text, whatever it looks like.
    pub text: bool,
}

/// The rows of a query; `None` if it says more than rows can.
pub(crate) fn rows(query: &Query) -> Option<Vec<Row>> {
    let row = |condition: &orrery_query::traceql::Condition| {
        let (operator, value, text) = match &condition.operator {
            Operator::Compare(comparison, Literal::Text(text)) => (comparison.to_string(), text.clone(), true),
            Operator::Compare(comparison, literal) => (comparison.to_string(), literal.to_string(), false),
            Operator::Exists => ("!= nil".to_owned(), String::new(), false),
            Operator::Missing => ("= nil".to_owned(), String::new(), false),
        };
        Row { field: condition.field.to_string(), operator, value, text }
    };
    Conditions::from_query(query).map(|conditions| conditions.conditions.iter().map(row).collect())
}

/// The query that rows stand for, in its one spelling. Rows without a field or a value are left out; a value that does
/// not fit its field stays as it was written, so that reading the query says what is wrong with it.
pub fn query_of(rows: &[Row]) -> String {
    let conditions: Vec<String> = rows.iter().filter_map(condition).collect();
    if conditions.is_empty() {
        return "{ }".to_owned();
    }
    let text = format!("{{ {} }}", conditions.join(" && "));
    parse(&text).map_or(text, |query| query.to_string())
}

fn condition(row: &Row) -> Option<String> {
    let nil = row.operator.ends_with("nil");
    if row.field.trim().is_empty() || row.operator.is_empty() || (row.value.is_empty() && !nil) {
        return None;
    }
    let matches =
        [Comparison::Matches, Comparison::NotMatches].iter().any(|operator| operator.to_string() == row.operator);
    let value = match (nil, row.text || matches || is_text(&row.field, &row.value)) {
        (true, _) => String::new(),
        (false, true) => format!(" {}", Literal::Text(row.value.clone())),
        (false, false) => format!(" {}", row.value.trim()),
    };
    Some(format!("{} {}{value}", row.field.trim(), row.operator))
}

/// Whether a value written beside a field needs quotes: of a field of any type, unless it reads as something else.
fn is_text(field: &str, value: &str) -> bool {
    match type_of(field) {
        "text" => true,
        "any" => parse(&format!("{{ .x = {} }}", value.trim())).is_err(),
        _ => false,
    }
}

/// The type of a field: `text`, `int`, `float`, `duration`, `bool`, `status`, `kind`; `any` of attributes, and of what is
/// no field.
pub fn type_of(field: &str) -> &'static str {
    let begun = format!("{{ {} ", field.trim());
    let Wanted::Operator(of) = complete(&begun, begun.len()).wanted else { return "any" };
    match of {
        Type::Any => "any",
        Type::Text => "text",
        Type::Int => "int",
        Type::Float => "float",
        Type::Duration => "duration",
        Type::Bool => "bool",
        Type::Status => "status",
        Type::Kind => "kind",
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn row(field: &str, operator: &str, value: &str) -> Row {
        Row { field: field.into(), operator: operator.into(), value: value.into(), text: false }
    }

    #[test]
    fn rows_write_what_they_read() {
        let text = "{ resource.service.name = \"cart\" && trace:duration > 1s && span.a != nil && span.b = nil && span.c = \"5\" && span:status = error && span:name =~ \"GET .*\" }";
        let rows = read(text).rows.expect("is flat");
        assert_eq!(rows.len(), 7);
        assert_eq!((rows[0].value.as_str(), rows[0].text), ("cart", true));
        assert_eq!((rows[1].field.as_str(), rows[1].value.as_str()), ("trace:duration", "1s"));
        assert_eq!(query_of(&rows), text);
    }

    #[test]
    fn what_a_person_writes_gets_its_quotes() {
        let rows = [
            row("duration", ">", "250ms"),
            row("name", "=", "7"),
            row("span.code", "=", "500"),
            row("span.route", "=", "/cart \"x\""),
            row("span.hit", "=", "true"),
            row("span.code", "=~", "5.."),
            row("kind", "=", "server"),
        ];
        assert_eq!(
            query_of(&rows),
            "{ span:duration > 250ms && span:name = \"7\" && span.code = 500 && span.route = \"/cart \\\"x\\\"\" && span.hit = true && span.code =~ \"5..\" && span:kind = server }"
        );
    }

    #[test]
    fn what_is_not_finished_is_left_out_or_says_why() {
        assert_eq!(query_of(&[]), "{ }");
        assert_eq!(
            query_of(&[row("", "=", "x"), row("span.a", "=", ""), row("span.b", "!= nil", "")]),
            "{ span.b != nil }"
        );
        let wrong = query_of(&[row("duration", ">", "fast")]);
        assert_eq!(wrong, "{ duration > fast }");
        assert!(read(&wrong).problem.is_some());
    }

    #[test]
    fn what_is_not_flat_has_no_rows() {
        for text in ["{ .a = 1 || .b = 2 }", "{ } >> { }", "{ } | count() > 2", "{ .a + 1 = 2 }", "{ } | rate()"] {
            assert_eq!(read(text).rows, None, "{text}");
        }
        assert_eq!(read("{ }").rows, Some(Vec::new()));
    }

    #[test]
    fn fields_have_types() {
        assert_eq!(
            ["duration", "trace:duration", "status", "kind", "name", "span.a", "childCount", "", "?"].map(type_of),
            ["duration", "duration", "status", "kind", "text", "any", "int", "any", "any"]
        );
    }
}
