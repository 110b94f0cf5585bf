//! What is exported is what queries find, for a reader that knows nothing of us.

use super::*;
use orrery_query::QueryError;
use orrery_query::plan::ServiceMatch;
use std::collections::BTreeMap;

fn export(rig: &Rig, plan: &plan::Export) -> (tempfile::NamedTempFile, u64) {
    let mut file = tempfile::NamedTempFile::with_suffix(".parquet").unwrap();
    let answer = rig.engine().export(plan, &control(), &mut file).unwrap();
    assert_eq!(answer.partial, None);
    (file, answer.value)
}

fn all(signal: Signal) -> plan::Export {
    plan::Export { signal, range: TimeRange::ALL, service: None }
}

/// Rows as a stock DuckDB reads them: the answer's columns as text.
fn read(file: &tempfile::NamedTempFile, columns: &str) -> Vec<Vec<String>> {
    let duck = duckdb::Connection::open_in_memory().unwrap();
    let sql = format!("SELECT {columns} FROM read_parquet(?)");
    let mut statement = duck.prepare(&sql).unwrap();
    let count = columns.matches("::VARCHAR").count();
    let rows = statement.query_map([file.path().to_str().unwrap()], |row| {
        (0..count).map(|column| row.get::<_, Option<String>>(column).map(Option::unwrap_or_default)).collect()
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

fn map(text: &str) -> BTreeMap<String, serde_json::Value> {
    let pairs: BTreeMap<String, String> = serde_json::from_str(text).unwrap();
    pairs.into_iter().map(|(key, value)| (key, serde_json::from_str(&value).unwrap())).collect()
}

/// Segments merged and not, with different columns of their own, and rows in memory; spans that came twice between all.
fn rig() -> Rig {
    let rig = Rig::new();
    let items = round_trip::rich();
    rig.put(Signal::Traces, &items[..25]);
    rig.seal();
    rig.put(Signal::Traces, &items[20..40]);
    rig.seal();
    rig.engine().inner.compact_for_test();
    rig.put(Signal::Traces, &items[35..50]);
    rig.put(Signal::Logs, &[log(T0, "one"), log(T0 + 1, "two")]);
    rig.seal();
    rig.put(Signal::Traces, &items[45..]);
    rig.put(Signal::Traces, &items[55..]);
    rig.put(Signal::Logs, &[log(T0 + 2, "three")]);
    rig
}

#[test]
fn spans_are_what_queries_find() {
    let mut rig = rig();
    for _ in 0..2 {
        let (file, rows) = export(&rig, &all(Signal::Traces));
        assert_eq!(rows, 60);
        let columns = "hex(trace_id)::VARCHAR, span_id::VARCHAR, parent_span_id::VARCHAR, name::VARCHAR, \
            start_time_unix_nano::VARCHAR, duration_nanos::VARCHAR, status_code::VARCHAR, service_name::VARCHAR, \
            to_json(attributes)::VARCHAR, len(events)::VARCHAR, len(links)::VARCHAR, resource::VARCHAR";
        let mut found = BTreeMap::new();
        for row in read(&file, columns) {
            assert!(found.insert((row[0].to_lowercase(), row[1].clone()), row).is_none(), "once");
        }
        let mut expected = 0;
        for span in (1..=7).flat_map(|trace| rig.trace(&trace.to_string())) {
            expected += 1;
            let row = &found[&(span.trace_id.to_string(), span.span_id.0.to_string())];
            let plain = [
                span.parent_span_id.0.to_string(),
                span.name.clone(),
                span.start_time_unix_nano.to_string(),
                span.duration_nanos.to_string(),
                (span.status_code as u8).to_string(),
                span.service.name.clone(),
            ];
            assert_eq!(row[2..8], plain);
            assert_eq!(map(&row[8]), span.attributes);
            assert_eq!(row[9..11], [span.events.len().to_string(), span.links.len().to_string()]);
            assert_eq!(serde_json::from_str::<BTreeMap<String, serde_json::Value>>(&row[11]).unwrap(), *span.resource);
        }
        assert_eq!(expected, found.len());
        // The same from the log after a restart.
        rig.reopen();
    }
}

#[test]
fn the_range_and_the_service_are_kept_to() {
    let rig = rig();
    let mut other = log(T0 + 1, "of another");
    other.resource = pairs(json!({"service.name": "shop"}));
    rig.put(Signal::Logs, &[other]);
    let range = TimeRange { from: T0 + 1, to: T0 + 3 };
    let service = Some(ServiceMatch::Name("cart".into()));
    let (file, rows) = export(&rig, &plan::Export { signal: Signal::Logs, range, service });
    let mut bodies: Vec<String> = read(&file, "body::VARCHAR").into_iter().flatten().collect();
    bodies.sort();
    assert_eq!((bodies, rows), (vec!["three".to_owned(), "two".to_owned()], 2));
}

#[test]
fn a_file_says_itself_when_something_is_missing() {
    let mut rig = rig();
    let files = crash::segment_files(&rig, "parquet");
    let victim = files.into_iter().find(|path| path.to_string_lossy().contains("traces")).unwrap();
    rig.engine = None;
    let mut bytes = std::fs::read(&victim).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&victim, bytes).unwrap();
    rig.reopen();
    let mut file = tempfile::NamedTempFile::with_suffix(".parquet").unwrap();
    let answer = rig.engine().export(&all(Signal::Traces), &control(), &mut file).unwrap();
    assert!(answer.partial.is_some() && answer.value < 60, "{answer:?}");
    let duck = duckdb::Connection::open_in_memory().unwrap();
    let sql = "SELECT value::VARCHAR FROM parquet_kv_metadata(?) WHERE key = 'orrery.partial'";
    let why: String = duck.query_row(sql, [file.path().to_str().unwrap()], |row| row.get(0)).unwrap();
    assert_eq!(why, answer.partial.unwrap().0);
}

#[test]
fn nothing_makes_an_empty_file_with_all_columns() {
    let rig = Rig::new();
    let (file, rows) = export(&rig, &all(Signal::Metrics));
    assert_eq!((rows, read(&file, "name::VARCHAR, attributes::VARCHAR").len()), (0, 0));
}

#[test]
fn a_reader_that_goes_ends_it() {
    struct Gone;
    impl std::io::Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let rig = rig();
    let failed = rig.engine().export(&all(Signal::Traces), &control(), &mut Gone);
    assert!(matches!(failed, Err(QueryError::Engine { .. })), "{failed:?}");
    let cancelled = control();
    cancelled.cancel();
    let stopped = rig.engine().export(&all(Signal::Traces), &cancelled, &mut Vec::new());
    assert!(matches!(stopped, Err(QueryError::Cancelled)), "{stopped:?}");
}
