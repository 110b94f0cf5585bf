//! Documents as JSON: reading and writing a field by its path, and the whole as TOML.

use serde_json::{Map, Value};
use std::fmt::Write;

/// What a path leads to: names and places in lists, joined by dots.
pub fn at<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').filter(|part| !part.is_empty()).try_fold(document, |value, part| match value {
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        _ => value.get(part),
    })
}

/// Text, a number or a truth as it is written; nothing if there is none.
pub fn text(document: &Value, path: &str) -> String {
    match at(document, path) {
        Some(Value::String(text)) => text.clone(),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
        _ => String::new(),
    }
}

/// A list of texts.
pub fn words(document: &Value, path: &str) -> Vec<String> {
    let texts = |items: &Vec<Value>| items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect();
    at(document, path).and_then(Value::as_array).map(texts).unwrap_or_default()
}

/// Puts something where a path leads, making what is missing on the way; `None` takes it away.
pub fn put(document: &mut Value, path: &str, value: Option<Value>) {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    if let Value::Array(items) = document {
        let Ok(at) = first.parse::<usize>() else { return };
        match (rest, value) {
            (Some(rest), value) => items.get_mut(at).into_iter().for_each(|item| put(item, rest, value.clone())),
            (None, Some(value)) if at < items.len() => items[at] = value,
            (None, Some(value)) => items.push(value),
            (None, None) if at < items.len() => drop(items.remove(at)),
            (None, None) => {}
        }
        return;
    }
    if !document.is_object() {
        *document = Value::Object(Map::new());
    }
    let Value::Object(fields) = document else { return };
    match (rest, value) {
        (None, Some(value)) => drop(fields.insert(first.to_owned(), value)),
        (None, None) => drop(fields.remove(first)),
        (Some(rest), Some(value)) => put(fields.entry(first).or_insert(Value::Null), rest, Some(value)),
        (Some(rest), None) => fields.get_mut(first).into_iter().for_each(|inner| put(inner, rest, None)),
    }
}

/// In which order fields are written: what it is first, what is rarely changed last. Others follow by name.
const ORDER: [&str; 36] = [
    "name",
    "description",
    "enabled",
    "signal",
    "kind",
    "figure",
    "by",
    "service",
    "operation",
    "environment",
    "to",
    "match",
    "channels",
    "objective",
    "period",
    "window",
    "every",
    "for",
    "least",
    "keep_firing_for",
    "severity",
    "when",
    "recover",
    "from_unix_nano",
    "to_unix_nano",
    "comment",
    "author",
    "weekly",
    "indicator",
    "measure",
    "level",
    "only_if",
    "unless",
    "no_data",
    "error",
    "labels",
];

fn ordered(fields: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut all: Vec<_> = fields.iter().collect();
    all.sort_by_key(|(name, _)| ORDER.iter().position(|known| known == name).unwrap_or(ORDER.len()));
    all
}

/// The document as it stands in a file of `orrery alerts export`: `kind` is `rule`, `slo`, `channel`, `route` or `silence`.
pub fn toml(kind: &str, document: &Value) -> String {
    let mut out = format!("[[{kind}]]\n");
    table(&mut out, kind, document);
    out
}

/// Plain fields, then tables: what follows the head of a table belongs to it.
fn table(out: &mut String, path: &str, document: &Value) {
    let Value::Object(fields) = document else { return };
    let is_table = |value: &Value| value.is_object();
    let are_tables =
        |value: &Value| value.as_array().is_some_and(|items| !items.is_empty() && items.iter().all(Value::is_object));
    // Below the first level tables are written in a line.
    let nests = !path.contains('.');
    let fields = ordered(fields);
    for (name, value) in &fields {
        let is_below = are_tables(value) || (nests && is_table(value));
        if !value.is_null() && !is_below {
            let _ = writeln!(out, "{} = {}", key(name), written(value, true));
        }
    }
    for (name, value) in &fields {
        let inner = format!("{path}.{}", key(name));
        if nests && is_table(value) && value.as_object().is_some_and(|fields| !fields.is_empty()) {
            let _ = writeln!(out, "\n[{inner}]");
            table(out, &inner, value);
        }
        if are_tables(value) {
            for item in value.as_array().into_iter().flatten() {
                let _ = writeln!(out, "\n[[{inner}]]");
                table(out, &inner, item);
            }
        }
    }
}

fn key(name: &str) -> String {
    let is_bare = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    if !name.is_empty() && name.chars().all(is_bare) { name.to_owned() } else { quoted(name) }
}

/// A basic string: JSON's escapes are TOML's, but for the control character 127.
fn quoted(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

fn written(value: &Value, lines: bool) -> String {
    match value {
        Value::String(text) if lines && text.contains('\n') && !text.contains('\r') => {
            let escaped = quoted(text).replace("\\n", "\n");
            format!("\"\"\"\n{}\"\"\"", &escaped[1..escaped.len() - 1])
        }
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(|item| written(item, false)).collect::<Vec<_>>().join(", "))
        }
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| format!("{} = {}", key(name), written(value, false));
            let fields = ordered(fields).into_iter().filter(|(_, value)| !value.is_null());
            format!("{{ {} }}", fields.map(field).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orrery_api::alerting::{AlertingFile, Channel, Guard, Level, Measure, Rule, Silence};
    use serde_json::json;

    #[test]
    fn fields_are_read_and_written_by_their_path() {
        let mut document = json!({ "name": "a", "level": [{ "severity": "warning" }] });
        put(&mut document, "measure.figure", Some(json!("p99")));
        put(&mut document, "level.0.when", Some(json!({ "above": 0.5 })));
        put(&mut document, "level.1", Some(json!({ "severity": "critical" })));
        put(&mut document, "labels.team", None);
        assert_eq!(
            document,
            json!({ "name": "a", "measure": { "figure": "p99" }, "level": [{ "severity": "warning", "when": { "above": 0.5 } }, { "severity": "critical" }] })
        );
        assert_eq!(text(&document, "level.0.when.above"), "0.5");
        assert_eq!(text(&document, "level.5.when.above"), "");
        put(&mut document, "level.0", None);
        assert_eq!(document["level"], json!([{ "severity": "critical" }]));
        put(&mut document, "measure.figure", None);
        assert_eq!(document["measure"], json!({}));
    }

    fn check_toml(kind: &str, document: &Value) -> AlertingFile {
        let written = toml(kind, document);
        ::toml::from_str(&written).unwrap_or_else(|error| panic!("{error}\n{written}"))
    }

    #[test]
    fn what_is_written_as_toml_is_the_document() {
        let rule = Rule {
            name: "\"Slow\"\tcheckouts".to_owned(),
            description: "Look at the map.\nThen at \"payments\" \\ bank.".to_owned(),
            measure: Measure::Sql {
                statement: "SELECT count(*) AS value\nFROM spans\nWHERE name = 'a\"\"\"b'".to_owned(),
            },
            levels: vec![Level::default(), Level { recover: Some(0.5), ..Level::default() }],
            unless: vec![Guard { on: vec!["service".to_owned()], ..Guard::default() }],
            labels: [("team.name".to_owned(), "결제".to_owned())].into(),
            ..Rule::default()
        };
        let document = serde_json::to_value(&rule).unwrap();
        assert_eq!(check_toml("rule", &document).rules, [rule]);
        let channel = Channel { name: "mail".to_owned(), ..Channel::default() };
        assert_eq!(check_toml("channel", &serde_json::to_value(&channel).unwrap()).channels, [channel]);
        let silence = Silence { weekly: Some(Default::default()), comment: "deploys".to_owned(), ..Silence::default() };
        assert_eq!(check_toml("silence", &serde_json::to_value(&silence).unwrap()).silences, [silence]);
    }

    #[test]
    fn what_it_is_comes_first() {
        let mut rule = crate::alerting::form::rule("requests");
        put(&mut rule, "name", Some(json!("a")));
        let written = toml("rule", &rule);
        let head = "[[rule]]\nname = \"a\"\nwindow = \"1m\"\nevery = \"10s\"\nfor = \"30s\"\n\n[rule.measure]\nsignal";
        assert!(written.starts_with(head), "{written}");
        assert!(written.contains("\n[[rule.level]]\nseverity = \"warning\"\nwhen = { above = 0.05 }\n"), "{written}");
    }
}
