//! Statements of the SQL console.

use super::{StoreSource, Weighed, failure, gathered, invalid};
use crate::api::failure::Failure;
use crate::sql::process::{Running, Said};
use orrery_alert::{Grid, Series, SourceError, Values};
use orrery_query::plan::{RowFormat, Statement};
use orrery_query::time::TimeRange;
use orrery_query::{Control, Store};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Processes for one question, at most: a moment each.
const MOMENTS: usize = 60;
/// Rows of an answer, at most.
const ROWS: u64 = super::MOST_SERIES as u64 + 1;
const BYTES: u64 = 4 << 20;

/// Processes that answer statements.
pub(crate) struct Workers {
    runtime: Handle,
    /// One permit per process.
    places: Semaphore,
    /// Longest that a statement may take.
    limit: Duration,
    /// None goes on then.
    stopping: CancellationToken,
}

/// Columns, and rows of as many values.
struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
    is_cut: bool,
}

impl Workers {
    /// Two processes at a time: one that takes long leaves room for another.
    pub(crate) fn new(runtime: Handle, limit: Duration, stopping: CancellationToken) -> Workers {
        Workers { runtime, places: Semaphore::new(2), limit, stopping }
    }

    fn run(&self, store: &dyn Store, statement: Statement) -> Result<Table, SourceError> {
        let isolated = store.isolate(&statement, &Control::within(self.limit)).map_err(failure)?.value;
        let answered = async {
            let _place = self.places.acquire().await.map_err(|_| Failure::Busy("the server stops".to_owned()))?;
            let mut running = Running::start(isolated.task, self.limit)?;
            let (mut columns, mut rows) = (Vec::new(), Vec::new());
            loop {
                match running.next(&statement.text).await? {
                    Said::Columns(found) => columns = found.into_iter().map(|column| column.name).collect(),
                    Said::Rows(more) => rows.extend_from_slice(&more),
                    Said::End(end) => return Ok::<_, Failure>((columns, rows, end.cut)),
                }
            }
        };
        let stopped = || SourceError::Failed("the server stops".to_owned());
        let answered = async {
            tokio::select! {
                answered = answered => answered.map_err(refused),
                () = self.stopping.cancelled() => Err(stopped()),
            }
        };
        let (columns, rows, is_cut) = self.runtime.block_on(answered)?;
        drop(isolated.held);
        let rows = [b"[".as_slice(), &rows, b"]"].concat();
        let rows =
            serde_json::from_slice(&rows).map_err(|error| SourceError::Failed(format!("unreadable rows: {error}")))?;
        Ok(Table { columns, rows, is_cut })
    }
}

fn refused(failure: Failure) -> SourceError {
    match failure {
        Failure::Statement { detail, .. } => invalid("statement", detail),
        Failure::TooMuch(detail) => SourceError::Failed(detail),
        Failure::Deadline => {
            SourceError::Failed("the statement took too long: ask for less, or raise --query-timeout".to_owned())
        }
        other => {
            tracing::error!(failure = ?other, "a rule's statement failed");
            SourceError::Failed("the statement failed; the server's log says more".to_owned())
        }
    }
}

/// A statement with `$from` and `$to` as Unix nanoseconds. Between quotes, and in longer words, they are text.
fn filled(statement: &str, range: TimeRange) -> String {
    let mut out = String::with_capacity(statement.len() + 40);
    let (mut rest, mut quote) = (statement, None);
    while let Some(first) = rest.chars().next() {
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        let name = [("$from", range.from), ("$to", range.to)];
        let found = name
            .into_iter()
            .find(|(name, _)| quote.is_none() && rest.starts_with(name) && !rest[name.len()..].starts_with(is_word));
        if let Some((name, value)) = found {
            out.push_str(&value.to_string());
            rest = &rest[name.len()..];
            continue;
        }
        match (quote, first) {
            (None, '\'' | '"') => quote = Some(first),
            (Some(open), closing) if open == closing => quote = None,
            _ => {}
        }
        out.push(first);
        rest = &rest[first.len_utf8()..];
    }
    out
}

/// Values of a table by their labels.
fn values(table: &Table) -> Result<BTreeMap<BTreeMap<String, String>, Option<f64>>, SourceError> {
    let at = table.columns.iter().position(|name| name.eq_ignore_ascii_case("value"));
    let at = at.ok_or_else(|| invalid("statement", "no column is called `value`: write SELECT count(*) AS value …"))?;
    let mut all = BTreeMap::new();
    for row in &table.rows {
        let number = match row.get(at) {
            Some(Value::Number(number)) => number.as_f64(),
            // Numbers that JavaScript would round come as text.
            Some(Value::String(text)) => Some(
                text.parse::<f64>()
                    .map_err(|_| invalid("statement", format!("the column `value` is no number: `{text}`")))?,
            ),
            Some(Value::Bool(value)) => Some(f64::from(u8::from(*value))),
            _ => None,
        };
        let mut labels = BTreeMap::new();
        for (column, (name, value)) in table.columns.iter().zip(row).enumerate() {
            if let (true, Value::String(text)) = (column != at, value) {
                labels.insert(name.clone(), text.clone());
            }
        }
        if all.insert(labels, number.filter(|number| number.is_finite())).is_some() {
            return Err(invalid(
                "statement",
                "several rows have the same labels: add what differs as a column of text, or GROUP BY less",
            ));
        }
    }
    Ok(all)
}

impl StoreSource {
    pub(super) fn statement(&self, statement: &str, window: i64, grid: Grid) -> Result<Values, SourceError> {
        let Some(workers) = &self.lookups.workers else {
            return Err(SourceError::Failed("statements cannot be asked here".to_owned()));
        };
        let first = grid.count.saturating_sub(MOMENTS);
        let mut partial = (first > 0)
            .then(|| format!("a statement is a process for each moment: only the last {MOMENTS} were asked about"));
        let mut found: BTreeMap<BTreeMap<String, String>, Vec<Option<f64>>> = BTreeMap::new();
        for moment in first..grid.count {
            let to = grid.at(moment);
            let range = TimeRange { from: to - window, to };
            let text = filled(statement, range);
            let plan = Statement {
                text,
                range,
                format: RowFormat::Json,
                rows: Some(ROWS),
                most_rows: ROWS,
                most_bytes: BYTES,
            };
            let table = workers.run(self.store.as_ref(), plan)?;
            if table.is_cut {
                partial.get_or_insert_with(|| format!("the statement has more than {} rows", ROWS - 1));
            }
            for (labels, value) in values(&table)? {
                found.entry(labels).or_insert_with(|| vec![None; grid.count])[moment] = value;
            }
        }
        let series = |(labels, values): (BTreeMap<String, String>, Vec<Option<f64>>)| Weighed {
            weight: values.iter().flatten().map(|value| value.abs()).sum(),
            series: Series { labels, node: None, caller: None, values },
        };
        Ok(gathered(found.into_iter().map(series).collect(), partial))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_statement_is_told_its_window() {
        let range = TimeRange { from: 5, to: 17 };
        let text = "SELECT '$from' AS a, $from, x WHERE t >= $from AND t<$to AND $total > 1 -- 한$to";
        let expected = "SELECT '$from' AS a, 5, x WHERE t >= 5 AND t<17 AND $total > 1 -- 한17";
        assert_eq!(filled(text, range), expected);
    }

    #[test]
    fn rows_are_values_by_their_texts() {
        let table = |columns: &[&str], rows: Value| Table {
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
            rows: serde_json::from_value(rows).unwrap(),
            is_cut: false,
        };
        let labels = |text: &str| BTreeMap::from([("service".to_owned(), text.to_owned())]);
        let found = values(&table(
            &["service", "Value", "other"],
            json!([["a", 1.5, 7], ["b", "9007199254740993", 7], ["c", null, 7]]),
        ));
        let expected = [(labels("a"), Some(1.5)), (labels("b"), Some(9_007_199_254_740_992.0)), (labels("c"), None)];
        assert_eq!(found.unwrap(), BTreeMap::from(expected));
        for (columns, rows) in [
            (["service", "count"], json!([["a", 1]])),
            (["service", "value"], json!([["a", 1], ["a", 2]])),
            (["service", "value"], json!([["a", "many"]])),
        ] {
            let wrong = values(&table(&columns, rows));
            assert!(matches!(wrong, Err(SourceError::Invalid { ref field, .. }) if field == "statement"), "{wrong:?}");
        }
    }
}
