//! What is measured.

use super::{Checked, Wrong, label_names, name, optional_value, steps, value, wrong};
use orrery_api::alerting::{Measure, Period};
use orrery_query::traceql::{Body, Compiled, Metric, MetricFunction, Spanset, Stage, parse};

/// Kinds of calls.
const KINDS: [&str; 4] = ["call", "database", "publish", "consume"];
/// Levels of log records.
const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];
/// What is made of several values of a metric.
const AGGREGATIONS: [&str; 5] = ["average", "sum", "min", "max", "rate"];
/// Things that repeat, at most.
const MOST: usize = 20;
/// Bytes of a query or a statement, at most.
const MAX_QUERY: usize = 10_000;

pub(super) fn measure(measure: &Measure, window: Period) -> Checked {
    let place = |service: &Option<String>, environment: &Option<String>| {
        optional_value("service", service.as_ref())?;
        optional_value("environment", environment.as_ref())
    };
    match measure {
        Measure::Requests { service, operation, environment, figure: _, by: _, least_requests: _ } => {
            place(service, environment)?;
            optional_value("operation", operation.as_ref())
        }
        Measure::Calls { caller, callee, kind, environment, figure: _, least_requests: _ } => {
            optional_value("caller", caller.as_ref())?;
            optional_value("callee", callee.as_ref())?;
            optional_value("environment", environment.as_ref())?;
            one_of("kind", kind.as_ref(), &KINDS)
        }
        Measure::Errors { service, types, environment } => {
            place(service, environment)?;
            self::types(types)
        }
        Measure::NewErrors { service, environment } | Measure::Silent { service, environment } => {
            place(service, environment)
        }
        Measure::NewEdges { environment } => optional_value("environment", environment.as_ref()),
        Measure::Traces { q } => series("q", q),
        Measure::Logs { service, severity, text, attr } => {
            optional_value("service", service.as_ref())?;
            one_of("severity", severity.as_ref(), &LEVELS)?;
            optional_value("text", text.as_ref())?;
            attributes(attr)
        }
        Measure::NewLogPatterns { service, severity } => {
            optional_value("service", service.as_ref())?;
            one_of("severity", severity.as_ref(), &LEVELS)
        }
        Measure::Metric { name: metric, aggregation, service, attr, group_by } => {
            value("name", metric).map_err(|_| Wrong::new("name", "the name of a metric is wanted"))?;
            self::aggregation(aggregation.as_ref())?;
            optional_value("service", service.as_ref())?;
            attributes(attr)?;
            label_names("group_by", group_by)
        }
        Measure::Hosts { host } => optional_value("host", host.as_ref()),
        Measure::Sql { statement } => self::statement(statement),
        Measure::Heartbeat { name: heartbeat } => name("name", heartbeat),
        Measure::Burn { slo, short } => burn(slo, *short, window),
    }
}

fn one_of(field: &str, text: Option<&String>, known: &[&str]) -> Checked {
    match text {
        Some(text) if !known.contains(&text.as_str()) => {
            wrong(field, format!("`{text}` is none; one of {}", known.join(", ")))
        }
        _ => Ok(()),
    }
}

fn types(types: &[String]) -> Checked {
    if types.len() > MOST {
        return wrong("types", format!("at most {MOST} types"));
    }
    for (at, text) in types.iter().enumerate() {
        let field = format!("types[{at}]");
        value(&field, text)?;
        if text.strip_suffix('*').unwrap_or(text).contains('*') {
            return wrong(&field, "a `*` stands at the end only: java.io.*");
        }
    }
    Ok(())
}

fn attributes(attributes: &[String]) -> Checked {
    if attributes.len() > MOST {
        return wrong("attr", format!("at most {MOST} attributes"));
    }
    for (at, text) in attributes.iter().enumerate() {
        let field = format!("attr[{at}]");
        value(&field, text)?;
        let key = text.split_once('=').map(|(key, _)| key.strip_suffix('!').unwrap_or(key));
        if key.is_none_or(str::is_empty) {
            return wrong(&field, format!("`{text}` is no filter; write key=value, or key!=value to exclude"));
        }
    }
    Ok(())
}

fn aggregation(text: Option<&String>) -> Checked {
    let is_quantile = |text: &str| {
        let percent = text.strip_prefix('p').and_then(|percent| percent.parse::<f64>().ok());
        percent.is_some_and(|percent| percent > 0.0 && percent < 100.0)
    };
    match text {
        Some(text) if !AGGREGATIONS.contains(&text.as_str()) && !is_quantile(text) => {
            let known = AGGREGATIONS.join(", ");
            wrong("aggregation", format!("`{text}` is none; {known}, or a quantile such as p95"))
        }
        _ => Ok(()),
    }
}

fn statement(statement: &str) -> Checked {
    if statement.trim().is_empty() || statement.len() > MAX_QUERY {
        return wrong("statement", format!("one SELECT of at most {MAX_QUERY} bytes, with a column `value`"));
    }
    if !statement.to_ascii_lowercase().contains("value") {
        return wrong("statement", "no column is called `value`: write SELECT count(*) AS value FROM …");
    }
    Ok(())
}

fn burn(slo: &str, short: Period, window: Period) -> Checked {
    name("slo", slo)?;
    steps("short", short, Period::seconds(10), Period::days(7))?;
    if short >= window {
        return wrong("short", format!("the shorter window is shorter than `window`: less than {window}"));
    }
    Ok(())
}

/// A query that yields series.
fn series(field: &str, q: &str) -> Checked {
    let body = query(field, q)?;
    let Body::Metrics(metric) = &body else {
        return wrong(field, "it finds traces, but has no value: end it with a metrics function, such as | rate()");
    };
    match spans_of(metric) {
        None => wrong(field, "a number without spans never changes: { … } | rate()"),
        Some(MetricFunction::Compare { .. }) => {
            wrong(field, "compare() has no values over time: take rate(), count_over_time() or quantile_over_time()")
        }
        Some(MetricFunction::HistogramOverTime(_)) => {
            wrong(field, "a histogram has no single value: take quantile_over_time()")
        }
        Some(_) => Ok(()),
    }
}

/// The first function of spans in a metric.
fn spans_of(metric: &Metric) -> Option<&MetricFunction> {
    match metric {
        Metric::Spans { function, .. } => Some(function),
        Metric::Number(..) => None,
        Metric::Arithmetic(left, _, right) => spans_of(left).or_else(|| spans_of(right)),
        Metric::Then(inner, _) => spans_of(inner),
    }
}

/// A query that is one filter: `{ … }`.
pub(super) fn filter(field: &str, q: &str) -> Checked {
    match query(field, q)? {
        Body::Search(pipeline) if matches!(&pipeline.stages[..], [Stage::Spansets(Spanset::Filter(_))]) => Ok(()),
        _ => wrong(field, "one filter is wanted, and nothing after it: { resource.service.name = \"cart\" }"),
    }
}

fn query(field: &str, q: &str) -> Result<Body, Wrong> {
    if q.len() > MAX_QUERY {
        return Err(Wrong::new(field, format!("at most {MAX_QUERY} bytes")));
    }
    let query = parse(q).and_then(|query| Compiled::new(&query).map(|_| query));
    let query = query.map_err(|problem| {
        let at = q.get(..problem.range.start).map_or(0, |before| before.chars().count()) + 1;
        Wrong::new(field, format!("at character {at}: {problem}"))
    })?;
    Ok(query.body)
}
