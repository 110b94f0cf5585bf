//! Statements that say what other pages show.
//!
//! What SQL has no short form for is left out, and a comment in the statement says so.

use crate::filters::Filter;
use orrery_model::semconv::spellings;
use orrery_query::traceql::{
    Arithmetic, Body, Comparison, Expression, ExpressionKind, Field, FieldName, Filter as Braces, Intrinsic, Literal,
    Logic, Metric, MetricFunction, Pipeline, Query, Scope, Spanset, Stage, parse,
};

/// What a TraceQL query finds, as rows; of one that asks for series, the numbers behind them.
pub fn spans(query: &str, environment: Option<&str>) -> String {
    let parsed = if query.trim().is_empty() { None } else { parse(query).ok() };
    let mut written = Written { text: query, conditions: Vec::new(), left_out: Vec::new() };
    if parsed.is_none() && !query.trim().is_empty() {
        written.left_out.push(query.to_owned());
    }
    let metric = match &parsed {
        Some(Query { body: Body::Search(pipeline), .. }) => {
            written.pipeline(pipeline);
            None
        }
        Some(Query { body: Body::Metrics(metric), .. }) => Some(metric),
        None => None,
    };
    let columns = match metric.map(|metric| written.series(metric)) {
        Some(columns) => columns,
        None => {
            "start_time, service_name, name, kind, status, duration_nanos / 1e6 AS duration_ms, trace_id".to_owned()
        }
    };
    written.conditions.extend(environment.map(|name| format!("environment = {}", text(name))));
    let end = if metric.is_some() { "GROUP BY ALL\nORDER BY ALL" } else { "ORDER BY start_time DESC\nLIMIT 100" };
    statement(&written.left_out, &columns, "spans", &written.conditions, end)
}

/// Log records, as the filters of the logs page say.
pub fn log_records(filters: &[Filter], environment: Option<&str>) -> String {
    let columns = "time, service_name, severity_text, body, trace_id";
    statement(&[], columns, "logs", &of_logs(filters, environment), "ORDER BY time DESC\nLIMIT 100")
}

/// How many of them there are of each level, by minute.
pub fn log_levels(filters: &[Filter], environment: Option<&str>) -> String {
    let columns = format!("{MINUTE}, severity_text, count(*) AS records");
    statement(&[], &columns, "logs", &of_logs(filters, environment), "GROUP BY ALL\nORDER BY ALL")
}

fn of_logs(filters: &[Filter], environment: Option<&str>) -> Vec<String> {
    let mut conditions: Vec<String> = Vec::new();
    for Filter { name, value } in filters {
        match *name {
            "service" => conditions.extend(service(value)),
            "severity" => conditions.extend(severity(value).map(|least| format!("severity_number >= {least}"))),
            "trace_id" => conditions.push(format!("trace_id = {}", text(&value.to_lowercase()))),
            "text" => conditions.push(format!("contains(lower(body), {})", text(&value.to_lowercase()))),
            _ => conditions.extend(equality(value)),
        }
    }
    conditions.extend(environment.map(|name| format!("environment = {}", text(name))));
    conditions
}

/// A metric over time, as the metrics page shows it.
pub fn metric(name: &str, kind: &str, aggregation: &str, by: Option<&str>) -> String {
    let group = by.map(|by| format!("{} AS {}, ", anywhere(by), quoted(by))).unwrap_or_default();
    let conditions = [format!("name = {}", text(name))];
    let end = "GROUP BY ALL\nORDER BY ALL";
    let is_histogram = kind.contains("histogram") || kind == "summary";
    let (value, note) = match aggregation {
        "rate" if is_histogram => {
            ("sum(count) / 60 AS rate", "measurements per second, where they are counted as deltas")
        }
        "rate" => {
            // The growth of each series within the minute.
            let each = format!("{MINUTE}, {group}series, max(value) - min(value) AS growth");
            let inner = statement(&[], &each, "metrics", &conditions, "GROUP BY ALL").replace('\n', "\n  ");
            let by = by.map(|by| format!("{}, ", quoted(by))).unwrap_or_default();
            return format!(
                "-- About: what a cumulative sum grew by within the minute; restarts count too little.\nSELECT minute, {by}sum(growth) / 60 AS rate\nFROM (\n  {inner}\n)\n{end}"
            );
        }
        "p50" | "p95" | "p99" if is_histogram => {
            ("sum(sum) / sum(count) AS mean", "the mean: a quantile of buckets has no short form")
        }
        "p50" => ("quantile_cont(value, 0.5) AS p50", ""),
        "p95" => ("quantile_cont(value, 0.95) AS p95", ""),
        "p99" => ("quantile_cont(value, 0.99) AS p99", ""),
        _ if is_histogram => ("sum(sum) / sum(count) AS mean", ""),
        "sum" => ("sum(value) AS sum", ""),
        "min" => ("min(value) AS min", ""),
        "max" => ("max(value) AS max", ""),
        _ => ("avg(value) AS value", ""),
    };
    let note = if note.is_empty() { String::new() } else { format!("-- This is {note}.\n") };
    note + &statement(&[], &format!("{MINUTE}, {group}{value}"), "metrics", &conditions, end)
}

/// Rate, errors and durations of a service by minute; its id as links have it.
pub fn red(id: &str) -> String {
    let mut conditions = service(id);
    conditions.push("kind IN ('server', 'consumer')".to_owned());
    let columns = format!("time_bucket(INTERVAL '1 minute', start_time) AS minute,\n       {CALLS}");
    statement(&[], &columns, "spans", &conditions, "GROUP BY ALL\nORDER BY ALL")
}

/// Operations of a service.
pub fn operations(id: &str) -> String {
    let columns = format!("name, kind, {CALLS}");
    statement(&[], &columns, "spans", &service(id), "GROUP BY ALL\nORDER BY calls DESC\nLIMIT 100")
}

/// Failures of a service that look alike.
pub fn failures(id: &str) -> String {
    let mut conditions = service(id);
    conditions.push("status = 'error'".to_owned());
    let columns = "coalesce(attributes['error.type'], attributes['exception.type']) AS error_type, status_message, name,\n       count(*) AS failures, max(start_time) AS last, arg_max(trace_id, start_time) AS trace_id";
    statement(&[], columns, "spans", &conditions, "GROUP BY ALL\nORDER BY failures DESC\nLIMIT 100")
}

/// Its requests, the newest first.
pub fn requests(id: &str) -> String {
    let mut conditions = service(id);
    conditions.push("kind IN ('server', 'consumer')".to_owned());
    let columns = "start_time, name, status, duration_nanos / 1e6 AS duration_ms, trace_id";
    statement(&[], columns, "spans", &conditions, "ORDER BY start_time DESC\nLIMIT 100")
}

/// Its warnings and worse.
pub fn warnings(id: &str) -> String {
    let filter = |name, value: &str| Filter { name, value: value.to_owned() };
    log_records(&[filter("service", id), filter("severity", "warn")], None)
}

/// Its versions.
pub fn versions(id: &str) -> String {
    by(id, "service_version", "service_version")
}

/// Its instances.
pub fn instances(id: &str) -> String {
    by(id, "instance", "resource['service.instance.id'] AS instance")
}

/// Where it runs.
pub fn places(id: &str) -> String {
    let columns = "resource['host.name'] AS host, resource['k8s.node.name'] AS node,\n       resource['container.id'] AS container, count(*) AS spans";
    statement(&[], columns, "spans", &service(id), "GROUP BY ALL\nORDER BY spans DESC\nLIMIT 100")
}

fn by(id: &str, name: &str, column: &str) -> String {
    let mut conditions = service(id);
    conditions.extend(["kind IN ('server', 'consumer')".to_owned(), format!("{name} <> ''")]);
    let columns = format!("{column}, min(start_time) AS first, {CALLS}");
    statement(&[], &columns, "spans", &conditions, "GROUP BY ALL\nORDER BY calls DESC\nLIMIT 100")
}

/// Who calls it; nobody where the caller sent no span.
pub fn callers(id: &str) -> String {
    let mut conditions: Vec<String> = service(id).iter().map(|condition| format!("call.{condition}")).collect();
    conditions.push("call.kind IN ('server', 'consumer')".to_owned());
    let tables = "spans call\nLEFT JOIN spans caller ON caller.trace_id = call.trace_id AND caller.span_id = call.parent_span_id";
    let columns = format!("caller.service_name AS caller,\n       {}", calls("call"));
    statement(&[], &columns, tables, &conditions, "GROUP BY ALL\nORDER BY calls DESC\nLIMIT 100")
}

/// Whom it calls: services, and what else its spans name.
pub fn callees(id: &str) -> String {
    let named = ["db.system.name", "db.system", "messaging.system", "server.address", "net.peer.name"];
    let named: Vec<String> = named.iter().map(|key| format!("call.attributes['{key}']")).collect();
    let mut conditions: Vec<String> = service(id).iter().map(|condition| format!("call.{condition}")).collect();
    conditions.push("call.kind IN ('client', 'producer')".to_owned());
    let columns = format!("coalesce(callee.service_name, {}) AS callee,\n       {}", named.join(", "), calls("call"));
    let tables = "spans call\nLEFT JOIN spans callee ON callee.trace_id = call.trace_id AND callee.parent_span_id = call.span_id";
    statement(&[], &columns, tables, &conditions, "GROUP BY ALL\nORDER BY calls DESC\nLIMIT 100")
}

/// Who calls whom. Written out, as all that every page may have: what writes the others stays with their pages.
pub fn map(environment: Option<&str>) -> String {
    let place = environment.map(|name| format!("\n  AND call.environment = {}", text(name))).unwrap_or_default();
    format!(
        "SELECT caller.service_name AS caller, call.service_name AS service,
       count(*) AS calls,
       count(*) FILTER (WHERE call.status = 'error') AS errors,
       quantile_cont(call.duration_nanos, 0.95) / 1e6 AS p95_ms
FROM spans call
LEFT JOIN spans caller ON caller.trace_id = call.trace_id AND caller.span_id = call.parent_span_id
WHERE call.kind IN ('server', 'consumer'){place}
GROUP BY ALL
ORDER BY calls DESC
LIMIT 100"
    )
}

/// Failures that look alike, of all services. Written out, for the same reason.
pub fn wrong(environment: Option<&str>) -> String {
    let place = environment.map(|name| format!("\n  AND environment = {}", text(name))).unwrap_or_default();
    format!(
        "SELECT service_name, name, kind, coalesce(attributes['error.type'], attributes['exception.type']) AS error_type,
       count(*) AS failures, min(start_time) AS first, max(start_time) AS last, arg_max(trace_id, start_time) AS trace_id
FROM spans
WHERE status = 'error'{place}
GROUP BY ALL
ORDER BY failures DESC
LIMIT 100"
    )
}

/// Services over time, version by version. Written out, for the same reason.
pub fn changed(environment: Option<&str>) -> String {
    let place = environment.map(|name| format!("\n  AND environment = {}", text(name))).unwrap_or_default();
    format!(
        "SELECT service_name, service_version, time_bucket(INTERVAL '5 minutes', start_time) AS at,
       count(*) AS calls,
       count(*) FILTER (WHERE status = 'error') AS errors,
       quantile_cont(duration_nanos, 0.95) / 1e6 AS p95_ms
FROM spans
WHERE kind IN ('server', 'consumer'){place}
GROUP BY ALL
ORDER BY ALL"
    )
}

/// Names of metrics, and what there is of each.
pub fn metric_names() -> String {
    let columns = "name, any_value(kind) AS kind, any_value(unit) AS unit, any_value(description) AS description,\n       count(DISTINCT series) AS series, count(*) AS points, max(time) AS newest";
    statement(&[], columns, "metrics", &[], "GROUP BY name\nORDER BY name")
}

/// Spans of a trace, its id in hexadecimal.
pub fn trace(id: &str) -> String {
    const BEFORE: &str = "SELECT start_time, service_name, name, kind, status, duration_nanos / 1e6 AS duration_ms,
       span_id, parent_span_id
FROM spans
WHERE trace_id = '";
    [BEFORE, id, "'\nORDER BY start_time"].concat()
}

/// What hosts measure.
pub fn hosts() -> String {
    "SELECT resource['host.name'] AS host, name, unit, avg(value) AS mean, max(value) AS most
FROM metrics
WHERE name LIKE 'system.%'
GROUP BY ALL
ORDER BY ALL"
        .to_owned()
}

/// Services by calls.
pub fn services(environment: Option<&str>) -> String {
    let mut conditions = vec!["kind IN ('server', 'consumer')".to_owned()];
    conditions.extend(environment.map(|name| format!("environment = {}", text(name))));
    let columns = format!("service_name, {CALLS}");
    statement(&[], &columns, "spans", &conditions, "GROUP BY ALL\nORDER BY calls DESC")
}

const CALLS: &str = "count(*) AS calls,\n       count(*) FILTER (WHERE status = 'error') AS errors,\n       quantile_cont(duration_nanos, 0.50) / 1e6 AS p50_ms,\n       quantile_cont(duration_nanos, 0.95) / 1e6 AS p95_ms";

/// The same where there are several tables.
fn calls(table: &str) -> String {
    CALLS.replace("status", &format!("{table}.status")).replace("duration_nanos", &format!("{table}.duration_nanos"))
}

const MINUTE: &str = "time_bucket(INTERVAL '1 minute', time) AS minute";

fn statement(left_out: &[String], columns: &str, table: &str, conditions: &[String], end: &str) -> String {
    let mut sql = String::new();
    for part in left_out {
        sql += &format!("-- Left out: {}\n", part.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    sql += &format!("SELECT {columns}\nFROM {table}\n");
    for (at, condition) in conditions.iter().enumerate() {
        sql += &format!("{} {condition}\n", if at == 0 { "WHERE" } else { "  AND" });
    }
    sql + end
}

/// A service by name, or by its id `namespace/name@environment`.
fn service(value: &str) -> Vec<String> {
    let is_id = value.contains(['/', '@', '%']);
    let (rest, environment) = value.split_once('@').filter(|_| is_id).unwrap_or((value, ""));
    let (namespace, name) = rest.split_once('/').filter(|_| is_id).unwrap_or(("", rest));
    let plain = |part: &str| if is_id { crate::address::decode(&part.replace('+', "%2B")) } else { part.to_owned() };
    let parts = [("service_name", name), ("service_namespace", namespace), ("environment", environment)];
    let wanted = parts.into_iter().filter(|(_, part)| !part.is_empty());
    wanted.map(|(column, part)| format!("{column} = {}", text(&plain(part)))).collect()
}

fn severity(word: &str) -> Option<u8> {
    let words = [("trace", 1), ("debug", 5), ("info", 9), ("warn", 13), ("error", 17), ("fatal", 21)];
    let known = words.into_iter().find(|(known, _)| word.eq_ignore_ascii_case(known)).map(|(_, number)| number);
    known.or_else(|| word.parse().ok())
}

/// `key=value` or `key!=value`.
fn equality(value: &str) -> Option<String> {
    let (key, value) = value.split_once('=')?;
    let (key, operator) = key.strip_suffix('!').map_or((key, "="), |key| (key, "<>"));
    Some(format!("{} {operator} {}", anywhere(key), text(value)))
}

/// An attribute of the row, else of its resource.
fn anywhere(key: &str) -> String {
    match of_resource(key) {
        Some(column) => column.to_owned(),
        None => format!("coalesce(attributes[{key}], resource[{key}])", key = text(key)),
    }
}

/// Resource attributes with columns of their own.
fn of_resource(key: &str) -> Option<&'static str> {
    match key {
        "service.name" => Some("service_name"),
        "service.namespace" => Some("service_namespace"),
        "service.version" => Some("service_version"),
        "deployment.environment.name" => Some("environment"),
        _ => None,
    }
}

fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A TraceQL query on its way to SQL.
struct Written<'a> {
    text: &'a str,
    conditions: Vec<String>,
    left_out: Vec<String>,
}

impl Written<'_> {
    fn pipeline(&mut self, pipeline: &Pipeline) {
        for (at, stage) in pipeline.stages.iter().enumerate() {
            match stage {
                Stage::Spansets(Spanset::Filter(filter)) => self.filter(filter),
                Stage::Spansets(spanset) => self.left_out.push(
                    Query {
                        body: Body::Search(Pipeline { stages: vec![Stage::Spansets(spanset.clone())] }),
                        hints: Vec::new(),
                    }
                    .to_string(),
                ),
                // Only which columns are shown.
                Stage::Select(_) | Stage::Coalesce => {}
                _ => self.left_out.push(format!("stage {} of {}", at + 1, self.text)),
            }
        }
    }

    fn filter(&mut self, filter: &Braces) {
        filter.condition.iter().for_each(|condition| self.all(condition));
    }

    /// Conditions that must all hold, each by itself.
    fn all(&mut self, condition: &Expression) {
        if let ExpressionKind::Logic(left, Logic::And, right) = &condition.kind {
            self.all(left);
            return self.all(right);
        }
        match holds(condition) {
            Some(sql) => self.conditions.push(sql),
            None => self
                .left_out
                .push(self.text.get(condition.place.start..condition.place.end).unwrap_or(self.text).to_owned()),
        }
    }

    /// Columns for series: moments, groups, value.
    fn series(&mut self, metric: &Metric) -> String {
        let minute = "time_bucket(INTERVAL '1 minute', start_time) AS minute".to_owned();
        let Metric::Spans { pipeline, function, by, .. } = metric else {
            self.left_out.push(self.text.to_owned());
            return format!("{minute}, count(*) AS spans");
        };
        self.pipeline(pipeline);
        let mut columns = vec![minute];
        for field in by {
            match value(field) {
                Some(sql) => columns.push(format!("{sql} AS {}", quoted(&field.to_string()))),
                None => self.left_out.push(format!("by ({field})")),
            }
        }
        let of = |field: &Field| {
            value(field).map(|sql| if is_nanos(field) { sql } else { format!("try_cast({sql} AS DOUBLE)") })
        };
        let made = match function {
            MetricFunction::Rate => Some("count(*) / 60 AS rate".to_owned()),
            MetricFunction::CountOverTime => Some("count(*) AS spans".to_owned()),
            MetricFunction::QuantileOverTime(field, shares) => of(field).map(|sql| {
                let quantile =
                    |share: &f64| format!("quantile_cont({sql}, {share}) AS \"p{}\"", (share * 1e4).round() / 1e2);
                shares.iter().map(quantile).collect::<Vec<_>>().join(", ")
            }),
            MetricFunction::OverTime(aggregate, field) => {
                use orrery_query::traceql::Aggregate;
                let name = match aggregate {
                    Aggregate::Min => "min",
                    Aggregate::Max => "max",
                    Aggregate::Sum => "sum",
                    _ => "avg",
                };
                of(field).map(|sql| format!("{name}({sql}) AS {name}"))
            }
            _ => None,
        };
        columns.push(made.unwrap_or_else(|| {
            self.left_out.push(format!("the function of {}", self.text));
            "count(*) AS spans".to_owned()
        }));
        columns.join(", ")
    }
}

/// A condition in SQL.
fn holds(condition: &Expression) -> Option<String> {
    match &condition.kind {
        ExpressionKind::Logic(left, logic, right) => {
            let word = if *logic == Logic::And { "AND" } else { "OR" };
            Some(format!("({} {word} {})", holds(left)?, holds(right)?))
        }
        ExpressionKind::Not(inner) => Some(format!("NOT coalesce({}, false)", holds(inner)?)),
        ExpressionKind::Exists(inner) => missing(inner).map(|sql| format!("NOT ({sql})")),
        ExpressionKind::Missing(inner) => missing(inner),
        ExpressionKind::Field(field) => Some(format!("{} = 'true'", value(field)?)),
        ExpressionKind::Literal(Literal::Bool(value)) => Some(value.to_string()),
        ExpressionKind::Compare(left, comparison, right) => compared(left, *comparison, right),
        _ => None,
    }
}

/// That a field has no value. Columns of the resource are empty then.
fn missing(inner: &Expression) -> Option<String> {
    let ExpressionKind::Field(field) = &inner.kind else { return None };
    if let FieldName::Intrinsic(Intrinsic::Parent) = field.name {
        return (!field.of_parent).then(|| "parent_span_id IS NULL".to_owned());
    }
    let sql = value(field)?;
    Some(if sql.contains('[') { format!("{sql} IS NULL") } else { format!("coalesce({sql}, '') = ''") })
}

fn compared(left: &Expression, comparison: Comparison, right: &Expression) -> Option<String> {
    let (ExpressionKind::Field(field), literal) = (&left.kind, right) else {
        return number(left).zip(number(right)).and_then(|(a, b)| Some(format!("{a} {} {b}", sign(comparison)?)));
    };
    let sql = value(field)?;
    let ExpressionKind::Literal(literal) = &literal.kind else {
        return number(left).zip(number(right)).and_then(|(a, b)| Some(format!("{a} {} {b}", sign(comparison)?)));
    };
    let word = match literal {
        Literal::Text(word) => text(word),
        Literal::Bool(word) => text(&word.to_string()),
        Literal::Status(word) => text(word.as_str()),
        Literal::Kind(word) => text(word.as_str()),
        Literal::Int(_) | Literal::Float(_) | Literal::Duration(_) => {
            return Some(format!("{} {} {}", number(left)?, sign(comparison)?, number(right)?));
        }
    };
    match comparison {
        Comparison::Matches => Some(format!("regexp_full_match({sql}, {word})")),
        Comparison::NotMatches => Some(format!("NOT regexp_full_match({sql}, {word})")),
        other => Some(format!("{sql} {} {word}", sign(other)?)),
    }
}

fn sign(comparison: Comparison) -> Option<&'static str> {
    match comparison {
        Comparison::Equal => Some("="),
        Comparison::NotEqual => Some("<>"),
        Comparison::Less => Some("<"),
        Comparison::AtMost => Some("<="),
        Comparison::Greater => Some(">"),
        Comparison::AtLeast => Some(">="),
        Comparison::Matches | Comparison::NotMatches => None,
    }
}

/// A number in SQL.
fn number(expression: &Expression) -> Option<String> {
    match &expression.kind {
        ExpressionKind::Literal(Literal::Int(number) | Literal::Duration(number)) => Some(number.to_string()),
        ExpressionKind::Literal(Literal::Float(number)) => Some(number.to_string()),
        ExpressionKind::Field(field) if is_nanos(field) => value(field),
        ExpressionKind::Field(field @ Field { name: FieldName::Attribute(..), .. }) => {
            Some(format!("try_cast({} AS DOUBLE)", value(field)?))
        }
        ExpressionKind::Negative(inner) => Some(format!("-{}", number(inner)?)),
        ExpressionKind::Arithmetic(left, arithmetic, right) => {
            let sign = match arithmetic {
                Arithmetic::Add => "+",
                Arithmetic::Subtract => "-",
                Arithmetic::Multiply => "*",
                Arithmetic::Divide => "/",
                Arithmetic::Modulo => "%",
                Arithmetic::Power => "^",
            };
            Some(format!("({} {sign} {})", number(left)?, number(right)?))
        }
        _ => None,
    }
}

fn is_nanos(field: &Field) -> bool {
    !field.of_parent && field.name == FieldName::Intrinsic(Intrinsic::Duration)
}

/// A field as a column or an expression; `None` for what one row does not say.
fn value(field: &Field) -> Option<String> {
    if field.of_parent {
        return None;
    }
    let one = |map: &str, key: &str| match of_resource(key).filter(|_| map == "resource") {
        Some(column) => column.to_owned(),
        None => format!("{map}[{}]", text(key)),
    };
    // Old and new names are one field in TraceQL.
    let any = |maps: &[&str], key: &str| {
        let places: Vec<String> = spellings(key).flat_map(|key| maps.iter().map(move |map| one(map, key))).collect();
        match &places[..] {
            [place] => place.clone(),
            _ => format!("coalesce({})", places.join(", ")),
        }
    };
    Some(match &field.name {
        FieldName::Attribute(Some(Scope::Span), key) => any(&["attributes"], key),
        FieldName::Attribute(Some(Scope::Resource), key) => any(&["resource"], key),
        FieldName::Attribute(None, key) => any(&["attributes", "resource"], key),
        FieldName::Attribute(Some(_), _) => return None,
        FieldName::Intrinsic(intrinsic) => match intrinsic {
            Intrinsic::Name => "name",
            Intrinsic::Duration => "duration_nanos",
            Intrinsic::Status => "status",
            Intrinsic::StatusMessage => "status_message",
            Intrinsic::Kind => "kind",
            Intrinsic::SpanId => "span_id",
            Intrinsic::ParentId => "coalesce(parent_span_id, '')",
            Intrinsic::TraceId => "trace_id",
            Intrinsic::InstrumentationName => "scope_name",
            Intrinsic::InstrumentationVersion => "scope_version",
            _ => return None,
        }
        .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(query: &str) -> String {
        let sql = spans(query, None);
        let from = sql.find("FROM spans\n").expect("a table") + "FROM spans\n".len();
        let left = sql.lines().filter(|line| line.starts_with("--")).collect::<Vec<_>>().join(" ");
        let conditions =
            sql[from..].lines().take_while(|line| !line.starts_with("ORDER") && !line.starts_with("GROUP"));
        format!("{left}|{}", conditions.map(str::trim).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn traceql_becomes_sql() {
        for (query, sql) in [
            ("", "|"),
            ("{ }", "|"),
            (
                "{ resource.service.name = \"it's\" && status = error }",
                "|WHERE service_name = 'it''s' AND status = 'error'",
            ),
            ("{ span:duration > 5ms && kind = server }", "|WHERE duration_nanos > 5000000 AND kind = 'server'"),
            (
                "{ span.foo >= 500 || span.bar =~ \"a.*\" }",
                "|WHERE (try_cast(attributes['foo'] AS DOUBLE) >= 500 OR regexp_full_match(attributes['bar'], 'a.*'))",
            ),
            ("{ .foo = true }", "|WHERE coalesce(attributes['foo'], resource['foo']) = 'true'"),
            (
                "{ span.foo != nil && resource.service.namespace = nil }",
                "|WHERE NOT (attributes['foo'] IS NULL) AND coalesce(service_namespace, '') = ''",
            ),
            ("{ trace:duration > 1s && name = \"a\" }", "-- Left out: trace:duration > 1s|WHERE name = 'a'"),
            (
                "{ kind = server } >> { status = error }",
                "-- Left out: { span:kind = server } >> { span:status = error }|",
            ),
            ("{ name = \"a\" } | select(span.foo)", "|WHERE name = 'a'"),
        ] {
            assert_eq!(conditions(query), sql, "{query}");
        }
        assert!(
            conditions("{ span.http.request.method = \"GET\" }")
                .contains("coalesce(attributes['http.request.method'], attributes['http.method']")
        );
        assert!(conditions("{ broken").starts_with("-- Left out: { broken"));
    }

    #[test]
    fn series_become_groups() {
        let sql = spans(
            "{ kind = server } | quantile_over_time(span:duration, 0.95) by (resource.service.name)",
            Some("prod"),
        );
        assert_eq!(
            sql,
            "SELECT time_bucket(INTERVAL '1 minute', start_time) AS minute, service_name AS \"resource.service.name\", quantile_cont(duration_nanos, 0.95) AS \"p95\"\n\
             FROM spans\nWHERE kind = 'server'\n  AND environment = 'prod'\nGROUP BY ALL\nORDER BY ALL"
        );
        assert!(spans("{ } | rate()", None).contains("count(*) / 60 AS rate"));
    }

    #[test]
    fn filters_of_other_pages_become_conditions() {
        let filter = |name, value: &str| Filter { name, value: value.to_owned() };
        let sql = log_records(
            &[
                filter("service", "shop/cart@prod"),
                filter("severity", "warn"),
                filter("text", "It's"),
                filter("attr", "a!=b"),
            ],
            None,
        );
        assert_eq!(
            sql,
            "SELECT time, service_name, severity_text, body, trace_id\nFROM logs\nWHERE service_name = 'cart'\n  AND service_namespace = 'shop'\n  \
             AND environment = 'prod'\n  AND severity_number >= 13\n  AND contains(lower(body), 'it''s')\n  AND coalesce(attributes['a'], resource['a']) <> 'b'\n\
             ORDER BY time DESC\nLIMIT 100"
        );
        assert_eq!(
            callers("cart"),
            "SELECT caller.service_name AS caller,\n       count(*) AS calls,\n       count(*) FILTER (WHERE call.status = 'error') AS errors,\n       \
             quantile_cont(call.duration_nanos, 0.50) / 1e6 AS p50_ms,\n       quantile_cont(call.duration_nanos, 0.95) / 1e6 AS p95_ms\n\
             FROM spans call\nLEFT JOIN spans caller ON caller.trace_id = call.trace_id AND caller.span_id = call.parent_span_id\n\
             WHERE call.service_name = 'cart'\n  AND call.kind IN ('server', 'consumer')\nGROUP BY ALL\nORDER BY calls DESC\nLIMIT 100"
        );
        assert!(map(Some("prod")).contains("('server', 'consumer')\n  AND call.environment = 'prod'\nGROUP"));
        assert!(
            callees("shop/cart@prod")
                .contains("WHERE call.service_name = 'cart'\n  AND call.service_namespace = 'shop'")
        );
        assert!(red("shop/cart@prod").contains("kind IN ('server', 'consumer')"));
        assert!(metric("cpu", "gauge", "", Some("host.name")).contains("avg(value) AS value"));
        assert!(metric("calls", "sum", "rate", None).starts_with("-- About"));
    }
}
