//! TraceQL as the dashboard writes it: what links of other pages mean, values, places in a text.

use crate::address::{Params, decode};
use orrery_chart::Unit;
use serde_json::Value;

/// Parameters by which other pages link to traces; they become one query.
pub const FILTERS: [&str; 6] = ["service", "operation", "status", "min", "max", "attr"];
/// Parts a link joins several attributes with.
const AND: &str = " && ";

/// The query of a link that says `service=cart&status=error`; with a query of its own, both. `None` without such filters.
pub fn of_filters(params: &Params) -> Option<String> {
    let conditions: Vec<String> = FILTERS
        .iter()
        .filter_map(|name| Some((*name, params.get(name)?)))
        .flat_map(|(name, value)| conditions(name, value))
        .collect();
    if conditions.is_empty() {
        return None;
    }
    let filter = format!("{{ {} }}", conditions.join(AND));
    Some(params.get("q").map_or(filter.clone(), |query| format!("({query}) && {filter}")))
}

fn conditions(name: &str, value: &str) -> Vec<String> {
    match name {
        "service" => service(value),
        "operation" => vec![format!("span:name = {}", quoted(value))],
        "status" if value == "error" => vec!["span:status = error".to_owned()],
        "status" => vec!["span:status != error".to_owned()],
        "min" => vec![format!("span:duration >= {value}")],
        "max" => vec![format!("span:duration <= {value}")],
        _ => value.split(AND).filter_map(attribute).collect(),
    }
}

/// A service by name, or by its id `namespace/name@environment`, parts percent-encoded.
fn service(text: &str) -> Vec<String> {
    let is_id = text.contains(['/', '@', '%']);
    let (rest, environment) = text.split_once('@').filter(|_| is_id).unwrap_or((text, ""));
    let (namespace, name) = rest.split_once('/').filter(|_| is_id).unwrap_or(("", rest));
    let plain = |part: &str| if is_id { decode(&part.replace('+', "%2B")) } else { part.to_owned() };
    let parts =
        [("service.name", name), ("service.namespace", namespace), ("deployment.environment.name", environment)];
    let condition = |(key, part): (&str, &str)| match (part.is_empty(), is_id) {
        (false, _) => Some(format!("resource.{key} = {}", quoted(&plain(part)))),
        // What an id leaves out is missing.
        (true, true) => Some(format!("resource.{key} = nil")),
        (true, false) => None,
    };
    parts.into_iter().filter_map(condition).collect()
}

/// `key=value` or `key!=value`.
fn attribute(text: &str) -> Option<String> {
    let (key, value) = text.split_once('=')?;
    let (key, operator) = key.strip_suffix('!').map_or((key, "="), |key| (key, "!="));
    let bare = value.parse::<i64>().is_ok()
        || value.parse::<f64>().is_ok_and(f64::is_finite)
        || matches!(value, "true" | "false");
    let value = if bare { value.to_owned() } else { quoted(value) };
    (!key.is_empty()).then(|| format!(".{} {operator} {value}", name(key)))
}

/// A name as it stands behind a scope, in quotes where it has to be.
fn name(key: &str) -> String {
    let plain = |char: char| !char.is_whitespace() && !"{}()=~!<>&|^,\"".contains(char);
    if key.chars().all(plain) && !key.starts_with(|char: char| char.is_ascii_digit()) {
        key.to_owned()
    } else {
        quoted(key)
    }
}

/// Text in double quotes.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            '\n' => out += "\\n",
            '\r' => out += "\\r",
            '\t' => out += "\\t",
            char => out.push(char),
        }
    }
    out.push('"');
    out
}

/// The condition that holds for spans that call a database, a queue or a host outside, as far as its id tells; `None` for
/// what else there is.
pub fn calls_of(id: &str) -> Option<String> {
    let (kind, identity) = id.split_once(':')?;
    let any = |fields: &[&str], value: &str| {
        let value = quoted(value);
        let parts: Vec<String> = fields.iter().map(|field| format!("span.{field} = {value}")).collect();
        format!("({})", parts.join(" || "))
    };
    let host = |place: &str| match place.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            host.trim_matches(['[', ']']).to_owned()
        }
        _ => place.to_owned(),
    };
    match (kind, identity.split_once('/')) {
        ("database", Some((_, place))) => {
            let named =
                any(&["server.address", "peer.service", "db.namespace", "db.name", "net.peer.name"], &host(place));
            Some(format!("kind = client && (span.db.system.name != nil || span.db.system != nil) && {named}"))
        }
        ("database", None) => Some(format!("kind = client && {}", any(&["db.system.name", "db.system"], identity))),
        ("queue", Some((_, name))) => {
            Some(any(&["messaging.destination.name", "messaging.destination.template"], name))
        }
        ("queue", None) => Some(any(&["messaging.system"], identity)),
        ("external", _) => {
            let named =
                any(&["server.address", "peer.service", "net.peer.name", "network.peer.address"], &host(identity));
            Some(format!("kind = client && {named}"))
        }
        _ => None,
    }
}

/// Fields whose values are words of the language, not text.
const WORDS: [&str; 2] = ["span:status", "span:kind"];

/// A value of a field, as the API writes it, in TraceQL; `None` for what cannot be written there.
pub fn literal(field: &str, value: &Value) -> Option<String> {
    match value {
        Value::String(text) if WORDS.contains(&field) => Some(text.clone()),
        Value::String(text) => Some(quoted(text)),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Object(fields) => match fields.iter().next()? {
            (kind, Value::String(text)) if kind == "durationNanos" => Some(format!("{text}ns")),
            (kind, Value::String(text)) if kind == "intValue" => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// A duration in TraceQL, to three digits.
pub fn duration(seconds: f64) -> String {
    let nanos = seconds * 1e9;
    let (unit, size) =
        [("s", 1e9), ("ms", 1e6), ("us", 1e3)].into_iter().find(|unit| nanos >= unit.1).unwrap_or(("ns", 1.0));
    let value = nanos / size;
    let places = (2 - value.max(1.0).log10().floor() as i32).clamp(0, 2) as usize;
    let text = format!("{value:.places$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

/// A value as a person reads it.
pub fn plain(value: &Value) -> String {
    let nanos = |text: &str| text.parse::<i64>().ok().map(|nanos| Unit::Nanos.format(nanos as f64).to_string());
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        Value::Object(fields) => match fields.iter().next() {
            Some((kind, Value::String(text))) if kind == "durationNanos" => nanos(text).unwrap_or_default(),
            Some((kind, Value::String(text))) if kind.ends_with("Value") => text.clone(),
            _ => value.to_string(),
        },
        other => other.to_string(),
    }
}

/// Bytes of a text before a place that a text field counts in UTF-16 units.
pub fn byte_at(text: &str, units: usize) -> usize {
    let mut left = units;
    for (at, char) in text.char_indices() {
        match left.checked_sub(char.len_utf16()) {
            Some(rest) => left = rest,
            None => return at,
        }
        if left == 0 {
            return at + char.len_utf8();
        }
    }
    text.len()
}

/// UTF-16 units of a text before a byte.
pub fn units_at(text: &str, byte: usize) -> u32 {
    text.get(..byte).unwrap_or(text).encode_utf16().count() as u32
}

/// Bytes of a text that a place in code points means.
pub fn bytes_of(text: &str, offset: u32, length: u32) -> std::ops::Range<usize> {
    let at = |count: u32| text.char_indices().nth(count as usize).map_or(text.len(), |(at, _)| at);
    at(offset)..at(offset.saturating_add(length))
}

/// Puts a query in front of those asked before, each once, at most so many.
pub fn remember(queries: &mut Vec<String>, query: &str, most: usize) {
    queries.retain(|known| known != query);
    queries.insert(0, query.to_owned());
    queries.truncate(most);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn asked(query: &str) -> String {
        let text = of_filters(&Params::parse(query)).unwrap_or_default();
        assert!(crate::traceql::read(&text).problem.is_none(), "{text}: {:?}", crate::traceql::read(&text).problem);
        text
    }

    #[test]
    fn calls_of_what_says_nothing_are_found() {
        for id in [
            "database:sqlite/orders",
            "database:postgresql",
            "queue:kafka/orders",
            "external:api.example:8443",
            "external:[::1]:80",
        ] {
            let text = format!("{{ {} }} | count_over_time() by (name, status)", calls_of(id).unwrap());
            assert!(crate::traceql::read(&text).problem.is_none(), "{text}: {:?}", crate::traceql::read(&text).problem);
        }
        assert!(calls_of("external:api.example:8443").unwrap().contains("span.server.address = \"api.example\""));
        assert!(calls_of("external:[::1]:80").unwrap().contains("span.server.address = \"::1\""));
        assert_eq!(calls_of("user:"), None);
    }

    #[test]
    fn links_become_queries() {
        assert_eq!(asked("service=cart&status=error"), "{ resource.service.name = \"cart\" && span:status = error }");
        assert_eq!(
            asked("service=shop/cart%252Fb@prod&operation=GET%20%22/x%22&min=250ms&max=2s"),
            "{ resource.service.name = \"cart/b\" && resource.service.namespace = \"shop\" && resource.deployment.environment.name = \"prod\" && span:name = \"GET \\\"/x\\\"\" && span:duration >= 250ms && span:duration <= 2s }"
        );
        assert_eq!(
            asked("attr=http.route=/a %26%26 code!=500 %26%26 a b=true"),
            "{ .http.route = \"/a\" && .code != 500 && .\"a b\" = true }"
        );
        assert_eq!(asked("status=ok&q={ kind = server }"), "({ kind = server }) && { span:status != error }");
        assert_eq!(asked("service=a+b"), "{ resource.service.name = \"a b\" }");
        assert_eq!(
            asked("service=cart@prod"),
            "{ resource.service.name = \"cart\" && resource.service.namespace = nil && resource.deployment.environment.name = \"prod\" }"
        );
        assert_eq!(of_filters(&Params::parse("q={ }&range=1h&sort=spans")), None);
    }

    #[test]
    fn values_are_written_as_what_they_are() {
        let text = |field, value| literal(field, &value).unwrap_or_default();
        assert_eq!(text("span.a", json!("x \"y\"")), "\"x \\\"y\\\"\"");
        assert_eq!(text("span:status", json!("error")), "error");
        assert_eq!(text("span.a", json!(500)), "500");
        assert_eq!(text("span.a", json!(0.5)), "0.5");
        assert_eq!(text("span.a", json!({"intValue": "9007199254740993"})), "9007199254740993");
        assert_eq!(text("span:duration", json!({"durationNanos": "1500"})), "1500ns");
        assert_eq!(literal("span.a", &json!(null)), None);
        assert_eq!(plain(&json!({"durationNanos": "1500000"})).replace('\u{2009}', " "), "1.50 ms");
        assert_eq!([plain(&json!("a")), plain(&json!(null)), plain(&json!({"intValue": "5"}))], ["a", "–", "5"]);
    }

    #[test]
    fn durations_are_written_to_three_digits() {
        let written = [0.0, 4e-9, 0.000_001_5, 0.097_528_251, 0.25, 6.061_898, 12.0, 3_600.0].map(duration);
        assert_eq!(written, ["0ns", "4ns", "1.5us", "97.5ms", "250ms", "6.06s", "12s", "3600s"]);
        for text in written {
            assert!(crate::traceql::read(&format!("{{ span:duration > {text} }}")).problem.is_none(), "{text}");
        }
    }

    #[test]
    fn places_are_where_the_browser_counts_them() {
        let text = "a결𝄞b";
        assert_eq!([0, 1, 2, 4, 5, 9].map(|units| byte_at(text, units)), [0, 1, 4, 8, 9, 9]);
        assert_eq!([0, 1, 4, 8, 9].map(|byte| units_at(text, byte)), [0, 1, 2, 4, 5]);
        assert_eq!(bytes_of(text, 1, 2), 1..8);
        assert_eq!(bytes_of(text, 4, 0), 9..9);
    }

    #[test]
    fn what_was_asked_last_comes_first_and_once() {
        let mut queries = Vec::new();
        for query in ["a", "b", "a", "c"] {
            remember(&mut queries, query, 2);
        }
        assert_eq!(queries, ["c", "a"]);
    }
}
