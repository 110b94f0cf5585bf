//! Log records that say the same.

use orrery_api::LogRecord;
use orrery_model::template;
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Records of one level with one template.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    /// Numbers and ids as `#`, quoted words as `…`.
    pub template: String,
    /// How many.
    pub count: usize,
    /// The newest.
    pub newest: Arc<LogRecord>,
    /// When the oldest was, Unix nanoseconds.
    pub first: i64,
}

/// Groups records, which come newest first: the most severe first, then the most frequent.
pub fn patterns(records: &[LogRecord], most: usize) -> Vec<Pattern> {
    let mut all: BTreeMap<(u8, String), Pattern> = BTreeMap::new();
    for record in records {
        let template = template(&text(record));
        let level = record.severity_number.saturating_sub(1) / 4;
        all.entry((level, template.clone()))
            .and_modify(|pattern| {
                pattern.count += 1;
                pattern.first = record.time_unix_nano.0;
            })
            .or_insert_with(|| Pattern {
                template,
                count: 1,
                newest: Arc::new(record.clone()),
                first: record.time_unix_nano.0,
            });
    }
    let mut all: Vec<((u8, String), Pattern)> = all.into_iter().collect();
    all.sort_by_key(|((level, _), pattern)| (Reverse(*level), Reverse(pattern.count)));
    all.into_iter().map(|(_, pattern)| pattern).take(most).collect()
}

/// What a record says: its exception's message where its body says nothing.
fn text(record: &LogRecord) -> String {
    let said = plain(&record.body);
    if !said.is_empty() {
        return said;
    }
    let attribute = |name: &str| record.attributes.get(name).map(plain).unwrap_or_default();
    let exception = [attribute("exception.type"), attribute("exception.message")];
    let exception = exception.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(": ");
    if exception.is_empty() { record.event_name.clone() } else { exception }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orrery_api::Nanos;
    use serde_json::json;

    fn record(at: i64, severity_number: u8, body: serde_json::Value) -> LogRecord {
        LogRecord { time_unix_nano: Nanos(at), severity_number, body, ..LogRecord::default() }
    }

    #[test]
    fn records_that_differ_in_numbers_are_one_pattern() {
        let mut exception = record(1, 17, json!(null));
        exception.attributes.insert("exception.type".into(), json!("Full"));
        exception.attributes.insert("exception.message".into(), json!("no room for 7"));
        let records = [
            record(9, 13, json!("order 17 is late")),
            record(8, 9, json!("order 1 placed")),
            record(7, 14, json!("order 18 is late")),
            exception,
        ];
        let told: Vec<_> = patterns(&records, 9)
            .into_iter()
            .map(|found| (found.template, found.count, found.newest.time_unix_nano.0, found.first))
            .collect();
        let expected = [
            ("Full: no room for #".to_owned(), 1, 1, 1),
            ("order # is late".to_owned(), 2, 9, 7),
            ("order # placed".to_owned(), 1, 8, 8),
        ];
        assert_eq!(told, expected);
    }
}
