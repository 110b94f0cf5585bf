//! The query of a request: `q` in TraceQL, and the plain filters as part of it.

use crate::api::failure::Failure;
use crate::api::params::{ATTR, Parameter, Params};
use orrery_api::Place;
use orrery_model::ServiceKey;
use orrery_query::QueryError;
use orrery_query::plan::{AttributeFilter, ServiceMatch};
use orrery_query::traceql::{Body, Field, Filter, Intrinsic, Literal, Problem, Query, Scope, Spanset, Stage, parse};

/// `q`.
pub(crate) const Q: Parameter = Parameter::new(
    "q",
    "{ resource.service.name = \"cart\" && status = error }",
    "TraceQL. `{ … }` chooses spans; `>>`, `&&`, `| count() > 2`, `| by(…)`, `| select(…)` and so on work on those of a trace.",
);
pub(crate) const OPERATION: Parameter = Parameter::new("operation", "GET /cart", "Only this span name.");
pub(crate) const STATUS: Parameter = Parameter::new("status", "error", "`error`: failed spans; `ok`: all others.");
pub(crate) const MIN_DURATION: Parameter =
    Parameter::new("min_duration", "250ms", "Span took at least this long: `250ms`, `1.5s`, or nanoseconds.");
pub(crate) const MAX_DURATION: Parameter = Parameter::new("max_duration", "2s", "Span took at most this long.");

/// What a request asks, with the text in which its mistakes are located.
pub(crate) struct Asked {
    pub(crate) query: Query,
    text: String,
}

impl Asked {
    /// `q` as it is.
    pub(crate) fn alone(params: &Params) -> Result<Asked, Failure> {
        let text = params.owned(Q.name).unwrap_or_default();
        let query = parse(&text).map_err(|problem| failure(problem, &text))?;
        Ok(Asked { query, text })
    }

    /// A search: the plain filters choose the spans of which `q` is asked; all spans without any.
    pub(crate) fn search(params: &Params) -> Result<Asked, Failure> {
        let plain = plain(params)?;
        if params.text(Q.name).is_none() {
            let query =
                parse(&format!("{{ {} }}", plain.join(" && "))).map_err(|problem| Failure::Internal(problem.into()))?;
            return Ok(Asked { query, text: String::new() });
        }
        let asked = Asked::alone(params)?;
        if let Body::Metrics(_) = asked.query.body {
            return Err(asked.whole(
                "this gives series, not traces",
                "remove what follows the spans, or ask /api/v1/traces/series",
            ));
        }
        if plain.is_empty() {
            return Ok(asked);
        }
        let filter = filter(&plain.join(" && "))?;
        Ok(Asked { query: asked.query.of_spans(filter), text: asked.text })
    }

    /// Metrics.
    pub(crate) fn metrics(params: &Params) -> Result<Asked, Failure> {
        let asked = Asked::alone(params)?;
        match asked.query.body {
            Body::Metrics(_) => Ok(asked),
            Body::Search(_) => Err(asked.whole("this searches for traces", "append for example | rate()")),
        }
    }

    fn whole(&self, message: &str, hint: &str) -> Failure {
        let problem = Problem { range: 0..self.text.len(), message: message.to_owned(), hint: hint.to_owned() };
        failure(problem, &self.text)
    }

    /// What the store says is wrong, located in `q`.
    pub(crate) fn failure(&self, error: QueryError) -> Failure {
        match error {
            QueryError::Query(problem) => failure(problem, &self.text),
            other => other.into(),
        }
    }
}

/// A query of our own.
pub(crate) fn parsed(text: &str) -> Result<Query, Failure> {
    parse(text).map_err(|problem| Failure::Internal(problem.into()))
}

/// Spans of an operation that did not fail.
pub(crate) fn calls_of(of: &orrery_api::ServiceRef, operation: &str) -> Result<Query, Failure> {
    let mut conditions = service(&ServiceMatch::Key(ServiceKey {
        namespace: of.namespace.clone(),
        name: of.name.clone(),
        environment: of.environment.clone(),
    }));
    conditions.push(equal(&Field::intrinsic(Intrinsic::Name), &Literal::Text(operation.to_owned())));
    conditions.push("span:status != error".to_owned());
    parsed(&format!("{{ {} }}", conditions.join(" && ")))
}

/// A field as TraceQL names it.
pub(crate) fn field(name: &'static str, text: &str) -> Result<Field, Failure> {
    text.parse().map_err(|problem| located(name, problem, text))
}

fn failure(problem: Problem, text: &str) -> Failure {
    located(Q.name, problem, text)
}

fn located(field: &'static str, problem: Problem, text: &str) -> Failure {
    let characters = |bytes: std::ops::Range<usize>| text.get(bytes).map_or(0, |part| part.chars().count() as u32);
    let place = Place { offset: characters(0..problem.range.start), length: characters(problem.range.clone()) };
    let detail = problem.to_string();
    Failure::Query { field: field.to_owned(), detail, place, hint: problem.hint }
}

fn filter(conditions: &str) -> Result<Filter, Failure> {
    let query = parse(&format!("{{ {conditions} }}")).map_err(|problem| Failure::Internal(problem.into()))?;
    match query.body {
        Body::Search(pipeline) => match pipeline.stages.into_iter().next() {
            Some(Stage::Spansets(Spanset::Filter(filter))) => Ok(filter),
            _ => Err(Failure::Internal(anyhow::anyhow!("{conditions} is no filter"))),
        },
        Body::Metrics(_) => Err(Failure::Internal(anyhow::anyhow!("{conditions} is no filter"))),
    }
}

/// The plain filters as conditions.
fn plain(params: &Params) -> Result<Vec<String>, Failure> {
    let text = |text: &str| Literal::Text(text.to_owned());
    let duration = |name: &'static str| params.duration(name).map(|nanos| nanos.map(Literal::Duration));
    let mut conditions = Vec::new();
    conditions.extend(params.service().iter().flat_map(service));
    conditions.extend(params.text(OPERATION.name).map(|name| equal(&Field::intrinsic(Intrinsic::Name), &text(name))));
    conditions.extend(params.parsed(STATUS.name, status)?.map(str::to_owned));
    let of_span = Field::intrinsic(Intrinsic::Duration);
    conditions.extend(duration(MIN_DURATION.name)?.map(|least| format!("{of_span} >= {least}")));
    conditions.extend(duration(MAX_DURATION.name)?.map(|most| format!("{of_span} <= {most}")));
    conditions.extend(params.attributes()?.iter().map(attribute));
    Ok(conditions)
}

fn status(text: &str) -> Result<&'static str, String> {
    match text {
        "error" => Ok("span:status = error"),
        "ok" => Ok("span:status != error"),
        other => Err(format!("`{other}` is no status; `error` or `ok`")),
    }
}

fn equal(field: &Field, literal: &Literal) -> String {
    format!("{field} = {literal}")
}

/// A part of a service's identity that is empty is missing.
fn service(service: &ServiceMatch) -> Vec<String> {
    let is = |name: &str, value: &str| {
        let field = Field::attribute(Scope::Resource, name);
        if value.is_empty() { format!("!({field} != \"\")") } else { equal(&field, &Literal::Text(value.to_owned())) }
    };
    match service {
        ServiceMatch::Name(name) => vec![is("service.name", name)],
        ServiceMatch::Key(key) => vec![
            is("service.name", &key.name),
            is("service.namespace", &key.namespace),
            is("deployment.environment.name", &key.environment),
        ],
    }
}

/// Compared as text: a value of any type that is written so.
fn attribute(filter: &AttributeFilter) -> String {
    let field = Field::attribute(None, filter.key.as_str());
    let value = filter.value.as_str();
    let mut literals = vec![Literal::Text(value.to_owned())];
    match (value.parse::<i64>(), value.parse::<f64>()) {
        (Ok(int), _) if int.to_string() == value => literals.push(Literal::Int(int)),
        (_, Ok(float)) if float.is_finite() && format!("{float:?}") == value => literals.push(Literal::Float(float)),
        _ => {}
    }
    match value {
        "true" => literals.push(Literal::Bool(true)),
        "false" => literals.push(Literal::Bool(false)),
        _ => {}
    }
    let conditions: Vec<String> = literals.iter().map(|literal| equal(&field, literal)).collect();
    let conditions = conditions.join(" || ");
    if filter.negated { format!("!({conditions})") } else { format!("({conditions})") }
}

/// `attr`, as it is said here.
pub(crate) const ATTR_OF_SPANS: Parameter = Parameter::new(
    ATTR.name,
    ATTR.example,
    "`key=value`, or `key!=value` to exclude; may be repeated, all must hold. An attribute of the span or, where it has none, its resource, compared as text.",
)
.repeated();

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str) -> Params {
        let known = [Q, OPERATION, STATUS, MIN_DURATION, MAX_DURATION, ATTR_OF_SPANS, crate::api::params::SERVICE];
        Params::parse(query, &known, 0).unwrap()
    }

    #[test]
    fn plain_filters_are_traceql() {
        let query = |text: &str| Asked::search(&params(text)).unwrap().query.to_string();
        assert_eq!(query(""), "{ }");
        assert_eq!(
            query("service=cart&status=error&operation=GET%20%22x%22"),
            r#"{ resource.service.name = "cart" && span:name = "GET \"x\"" && span:status = error }"#
        );
        assert_eq!(
            query("service=shop/cart"),
            r#"{ resource.service.name = "cart" && resource.service.namespace = "shop" && !(resource.deployment.environment.name != "") }"#
        );
        assert_eq!(query("min_duration=1500us&max_duration=2s"), "{ span:duration >= 1500us && span:duration <= 2s }");
        assert_eq!(
            query("attr=code=200&attr=a%20b!=1.5&attr=x=true&attr=y=007"),
            r#"{ (.code = "200" || .code = 200) && !(."a b" = "1.5" || ."a b" = 1.5) && (.x = "true" || .x = true) && .y = "007" }"#
        );
        assert_eq!(
            query("service=cart&q=%7B%7D%20%3E%20%7B%20status%20%3D%20error%20%7D%20%7C%20count()%20%3E%202"),
            r#"{ resource.service.name = "cart" } | { } > { span:status = error } | count() > 2"#
        );
    }

    #[test]
    fn mistakes_are_located_in_characters() {
        let problem = |text: &str| {
            let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
            Asked::search(&params(&format!("q={encoded}"))).err().expect("a mistake").problem("r")
        };
        let wrong = problem("{ name = \"한국\" && duration > \"5ms\" }");
        assert_eq!(
            (wrong.status, wrong.kind.as_str(), wrong.field.as_deref()),
            (400, "orrery:invalid-query", Some("q"))
        );
        assert_eq!(wrong.place, Some(Place { offset: 28, length: 5 }));
        assert_eq!(wrong.hint.as_deref(), Some("write 5ms, without quotes"));
        let missing = problem("{ status = ");
        assert_eq!(missing.place.map(|place| place.length), Some(0));
        assert_eq!(problem("{ } | rate()").place, Some(Place { offset: 0, length: 12 }));
    }
}
