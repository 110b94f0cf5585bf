//! An expression of PromQL as a measure, a condition, and conditions beside it.

use crate::alerts::promql::{Expr, Grouping, parse};
use orrery_api::alerting::{Condition, Measure};

/// So much time an instant is about: enough for two scrapes, mostly.
const INSTANT_SECONDS: u64 = 120;
/// So long without a span a service is as good as down.
const SILENT_SECONDS: f64 = 60.0;

/// What an expression says.
#[derive(Debug)]
pub(super) struct Translation {
    pub(super) main: Measured,
    pub(super) only_if: Vec<Measured>,
    pub(super) unless: Vec<Measured>,
    /// What to know about it.
    pub(super) notes: Vec<String>,
}

/// A measure and when it is bad.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) measure: Measure,
    pub(super) window_seconds: u64,
    pub(super) when: Condition,
}

/// # Errors
/// Why it is not translated, a clause.
pub(super) fn translate(text: &str) -> Result<Translation, String> {
    let mut notes = Vec::new();
    let (mut only_if, mut unless) = (Vec::new(), Vec::new());
    let mut expr = parse(text)?;
    // The leftmost comparison is the rule's own.
    loop {
        match expr {
            Expr::Binary { operator: "and", left, right } => {
                only_if.push(comparison(&right, &mut notes)?);
                expr = *left;
            }
            Expr::Binary { operator: "unless", left, right } => {
                unless.push(comparison(&right, &mut notes)?);
                expr = *left;
            }
            other => {
                let main = comparison(&other, &mut notes)?;
                only_if.reverse();
                unless.reverse();
                notes.dedup();
                return Ok(Translation { main, only_if, unless, notes });
            }
        }
    }
}

fn comparison(expr: &Expr, notes: &mut Vec<String>) -> Result<Measured, String> {
    match expr {
        Expr::Call { name, arguments, .. } if name == "absent" => match &arguments[..] {
            [Expr::Selector { name, matchers, .. }] if name == "up" => silent(matchers, notes),
            _ => Err(
                "absent() of a metric is not translated: a rule on it with `no_data`, or a heartbeat, says the same"
                    .to_owned(),
            ),
        },
        Expr::Binary { operator: "or", .. } => Err("`or` is not translated: make two rules".to_owned()),
        Expr::Binary { operator, left, right } if matches!(*operator, "==" | "!=" | "<" | "<=" | ">" | ">=") => {
            match (&**left, &**right) {
                (Expr::Selector { name, matchers, .. }, Expr::Number(limit)) if name == "up" => {
                    match (*operator, *limit) {
                        ("==", 0.0) => silent(matchers, notes),
                        ("<" | "!=", 1.0) => silent(matchers, notes),
                        _ => Err("`up` is about scrapes: only `up == 0` is translated".to_owned()),
                    }
                }
                (value, Expr::Number(limit)) => threshold(value, operator, *limit, notes),
                (Expr::Number(limit), value) => threshold(value, turned(operator), *limit, notes),
                _ => Err("two metrics are compared: only a metric and a number are".to_owned()),
            }
        }
        Expr::Number(_) | Expr::Text(_) => Err("it measures nothing".to_owned()),
        _ => Err("nothing is compared: every series there is would be an alert".to_owned()),
    }
}

fn turned(operator: &'static str) -> &'static str {
    match operator {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        same => same,
    }
}

fn silent(matchers: &[(String, &'static str, String)], notes: &mut Vec<String>) -> Result<Measured, String> {
    let (service, attributes) = conditions(matchers)?;
    if !attributes.is_empty() {
        return Err("`up` with other labels than `job` is not translated".to_owned());
    }
    notes.push("`up` is about scrapes; here a service is down that sent no span for a minute".to_owned());
    Ok(Measured {
        measure: Measure::Silent { service, environment: None },
        window_seconds: INSTANT_SECONDS,
        when: Condition::Above(SILENT_SECONDS),
    })
}

fn threshold(value: &Expr, operator: &str, limit: f64, notes: &mut Vec<String>) -> Result<Measured, String> {
    let is_above = match operator {
        ">" | ">=" => true,
        "<" | "<=" => false,
        _ => return Err(format!("`{operator}` is not translated: a level is above or below a number")),
    };
    let Figure { measure, window_seconds, factor } = figure(value, is_above, notes)?;
    let limit = limit / factor;
    // A negative factor turns the comparison.
    let is_above = is_above == (factor > 0.0);
    if operator.ends_with('=') {
        notes.push(format!("at exactly {limit} it is not bad here"));
    }
    let when = if is_above { Condition::Above(limit) } else { Condition::Below(limit) };
    Ok(Measured { measure, window_seconds, when })
}

/// A number times a factor.
struct Figure {
    measure: Measure,
    window_seconds: u64,
    factor: f64,
}

fn figure(expr: &Expr, is_above: bool, notes: &mut Vec<String>) -> Result<Figure, String> {
    match expr {
        Expr::Selector { range_seconds: Some(_), .. } => Err("a range is used without a function".to_owned()),
        Expr::Selector { name, matchers, .. } => {
            let side = if is_above { "greatest" } else { "least" };
            notes.push(format!("the {side} of all series is judged; `group_by` names attributes to keep apart"));
            let aggregation = if is_above { "max" } else { "min" };
            Ok(plain(metric(name, matchers, aggregation, None)?, INSTANT_SECONDS))
        }
        Expr::Binary { operator: operator @ ("*" | "/"), left, right } => match (&**left, &**right) {
            (inner, Expr::Number(number)) | (Expr::Number(number), inner) if *operator == "*" && *number != 0.0 => {
                scaled(inner, *number, is_above, notes)
            }
            (inner, Expr::Number(number)) if *operator == "/" && *number != 0.0 => {
                scaled(inner, 1.0 / number, is_above, notes)
            }
            (_, Expr::Number(_)) | (Expr::Number(_), _) => Err("a number divided by a metric is not translated".to_owned()),
            _ => Err("a ratio or product of two metrics is not translated: rules on requests, calls and TraceQL have ratios, \
                      and so have objectives"
                .to_owned()),
        },
        Expr::Binary { operator, .. } => Err(format!("`{operator}` between values is not translated")),
        Expr::Call { name, grouping, arguments } => call(name, grouping.as_ref(), arguments, notes),
        Expr::Number(_) | Expr::Text(_) => Err("it measures nothing".to_owned()),
    }
}

fn scaled(inner: &Expr, by: f64, is_above: bool, notes: &mut Vec<String>) -> Result<Figure, String> {
    let figure = figure(inner, is_above == (by > 0.0), notes)?;
    Ok(Figure { factor: figure.factor * by, ..figure })
}

fn plain(measure: Measure, window_seconds: u64) -> Figure {
    Figure { measure, window_seconds, factor: 1.0 }
}

fn call(
    name: &str,
    grouping: Option<&Grouping>,
    arguments: &[Expr],
    notes: &mut Vec<String>,
) -> Result<Figure, String> {
    match (name, arguments) {
        ("rate" | "irate" | "increase", _) => {
            notes.push("all series are added up; `group_by` names attributes to keep apart".to_owned());
            rate(name, arguments, None)
        }
        ("sum", [Expr::Call { name: inner, arguments, grouping: None }])
            if matches!(inner.as_str(), "rate" | "irate" | "increase") =>
        {
            rate(inner, arguments, grouping)
        }
        ("sum" | "avg" | "min" | "max", [Expr::Selector { name: of, matchers, range_seconds: None }]) => {
            let aggregation = if name == "avg" { "average" } else { name };
            Ok(plain(metric(of, matchers, aggregation, grouping)?, INSTANT_SECONDS))
        }
        ("sum" | "avg" | "min" | "max", [_]) => {
            Err(format!("{name}() of anything but a metric, or sum() of a rate(), is not translated"))
        }
        (
            "avg_over_time" | "min_over_time" | "max_over_time",
            [Expr::Selector { name: of, matchers, range_seconds: Some(seconds) }],
        ) => {
            let aggregation = name.trim_end_matches("_over_time");
            let aggregation = if aggregation == "avg" { "average" } else { aggregation };
            notes.push("all series are judged together; `group_by` names attributes to keep apart".to_owned());
            Ok(plain(metric(of, matchers, aggregation, None)?, *seconds))
        }
        ("histogram_quantile", [Expr::Number(quantile), inner]) => histogram(*quantile, inner),
        _ => Err(format!("{name}() is not translated")),
    }
}

fn rate(name: &str, arguments: &[Expr], grouping: Option<&Grouping>) -> Result<Figure, String> {
    let [Expr::Selector { name: of, matchers, range_seconds: Some(seconds) }] = arguments else {
        return Err(format!("{name}() of anything but a metric over a range is not translated"));
    };
    let factor = if name == "increase" { *seconds as f64 } else { 1.0 };
    Ok(Figure { measure: metric(of, matchers, "rate", grouping)?, window_seconds: *seconds, factor })
}

fn histogram(quantile: f64, inner: &Expr) -> Result<Figure, String> {
    let (grouping, rated) = match inner {
        Expr::Call { name, grouping, arguments } if name == "sum" && arguments.len() == 1 => {
            (grouping.as_ref(), &arguments[0])
        }
        other => (None, other),
    };
    let wanted =
        || "histogram_quantile() of anything but a sum by (le, …) of rate(…_bucket) is not translated".to_owned();
    let Expr::Call { name, arguments, grouping: None } = rated else { return Err(wanted()) };
    let [Expr::Selector { name: of, matchers, range_seconds: Some(seconds) }] = &arguments[..] else {
        return Err(wanted());
    };
    if name != "rate" && name != "increase" && name != "irate" {
        return Err(wanted());
    }
    if !(quantile > 0.0 && quantile < 1.0) {
        return Err(format!("the quantile {quantile} is not between 0 and 1"));
    }
    let percent = (quantile * 1e5).round() / 1e3;
    let of = of.strip_suffix("_bucket").unwrap_or(of);
    Ok(plain(metric(of, matchers, &format!("p{percent}"), grouping)?, *seconds))
}

fn metric(
    name: &str,
    matchers: &[(String, &'static str, String)],
    aggregation: &str,
    grouping: Option<&Grouping>,
) -> Result<Measure, String> {
    if name.is_empty() {
        return Err("a metric without a name is not translated".to_owned());
    }
    if name.contains(':') {
        return Err(format!("`{name}` is made by a recording rule, which Orrery has not"));
    }
    let (service, attr) = conditions(matchers)?;
    let group_by = match grouping {
        Some(Grouping { without: true, .. }) => {
            return Err("`without` is not translated: name the labels with `by`".to_owned());
        }
        Some(Grouping { labels, .. }) => {
            labels.iter().filter(|label| *label != "le").map(|label| attribute(label).to_owned()).collect()
        }
        None => Vec::new(),
    };
    let (name, aggregation) = (name.to_owned(), Some(aggregation.to_owned()));
    Ok(Measure::Metric { name, aggregation, service, attr, group_by })
}

/// Source: OpenTelemetry, "Prometheus and OpenMetrics Compatibility": `job` and `instance` are made of these.
fn attribute(label: &str) -> &str {
    match label {
        "job" => "service.name",
        "instance" => "service.instance.id",
        other => other,
    }
}

/// The service, and conditions on attributes.
fn conditions(matchers: &[(String, &'static str, String)]) -> Result<(Option<String>, Vec<String>), String> {
    let (mut service, mut attributes) = (None, Vec::new());
    for (label, sign, value) in matchers {
        match (label.as_str(), *sign) {
            (_, "=~" | "!~") => {
                return Err(format!("regular expressions on labels are not translated: {label}{sign}\"{value}\""));
            }
            ("job", "=") => service = Some(value.clone()),
            (label, sign) => attributes.push(format!("{}{sign}{value}", attribute(label))),
        }
    }
    Ok((service, attributes))
}
