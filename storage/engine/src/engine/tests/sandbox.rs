//! Users' own SQL over all places rows are in, as the process would answer it.

use super::*;
use crate::sandbox::{Task, frame};
use orrery_query::plan::RowFormat;

/// Frames of an answer: columns, rows, and how it ended.
fn answer(rig: &Rig, text: &str, range: TimeRange) -> (Vec<String>, serde_json::Value) {
    let plan = plan::Statement {
        text: text.to_owned(),
        range,
        format: RowFormat::Json,
        rows: None,
        most_rows: 1_000,
        most_bytes: 1 << 20,
    };
    let isolated = rig.engine().isolate(&plan, &control()).unwrap().value;
    let mut out = Vec::new();
    Task::read(&isolated.task).unwrap().open().run(&mut out).unwrap();
    let (mut columns, mut rows) = (Vec::new(), String::new());
    let mut rest = &out[..];
    while let [kind, a, b, c, d, more @ ..] = rest {
        let (content, after) = more.split_at(u32::from_le_bytes([*a, *b, *c, *d]) as usize);
        match *kind {
            frame::COLUMNS => {
                let all: Vec<frame::Column> = serde_json::from_slice(content).unwrap();
                columns = all.into_iter().map(|column| column.name).collect();
            }
            frame::ROWS => rows += std::str::from_utf8(content).unwrap(),
            frame::END => assert!(!serde_json::from_slice::<frame::End>(content).unwrap().cut),
            _ => panic!("{text}: {}", String::from_utf8_lossy(content)),
        }
        rest = after;
    }
    (columns, serde_json::from_str(&format!("[{rows}]")).unwrap())
}

fn rows(rig: &Rig, text: &str) -> serde_json::Value {
    answer(rig, text, TimeRange::ALL).1
}

/// In a segment with a column of its own, in one where it is in the map, in one where it is both, and in memory.
fn rig() -> Rig {
    let rig = Rig::new();
    let span = |at: i64, attributes: serde_json::Value| Item {
        resource: pairs(json!({ "service.name": "cart", "host.name": "h1", "cores": 4 })),
        attributes: pairs(attributes),
        time: T0 + at * SECOND,
        trace: (at + 1).to_string(),
        span: at as u64 + 1,
        name: format!("s{at}"),
        kind: 2,
        duration: at * 1_000,
        ..Item::default()
    };
    let column: Vec<Item> = (0..10).map(|at| span(at, json!({ "code": 200 + at, "route": "/a" }))).collect();
    rig.put(Signal::Traces, &column);
    rig.seal();
    let mut mapped: Vec<Item> = (10..30).map(|at| span(at, json!({ "it's": "x" }))).collect();
    mapped[0].attributes = pairs(json!({ "code": 500, "route": "/b \"q\"" }));
    rig.put(Signal::Traces, &mapped);
    rig.seal();
    let mut mixed: Vec<Item> = (30..40).map(|at| span(at, json!({ "code": "none", "route": "/c" }))).collect();
    mixed[0].attributes = pairs(json!({ "code": 503, "route": "/c", "ratio": 0.5, "ok": true, "list": [1, "a"] }));
    rig.put(Signal::Traces, &mixed);
    rig.seal();
    rig.put(Signal::Traces, &[span(40, json!({ "code": 404, "route": "/d" }))]);
    rig
}

#[test]
fn an_attribute_is_found_wherever_it_is() {
    let rig = rig();
    let by_name =
        "SELECT name, attributes['code'], attributes['route'], attributes['it''s'] FROM spans ORDER BY start_time";
    let (columns, named) = answer(&rig, by_name, TimeRange::ALL);
    assert_eq!(columns, ["name", "attributes['code']", "attributes['route']", "attributes['it''s']"]);
    let whole = rows(
        &rig,
        "SELECT name, a['code'], a['route'], a['it''s'] FROM (SELECT *, attributes AS a FROM spans) ORDER BY start_time",
    );
    assert_eq!(named, whole);
    assert_eq!(named.as_array().unwrap().len(), 41);
    for (at, row) in [
        (3, json!(["s3", "203", "/a", null])),
        (10, json!(["s10", "500", "/b \"q\"", null])),
        (11, json!(["s11", null, null, "x"])),
        (30, json!(["s30", "503", "/c", null])),
        (31, json!(["s31", "none", "/c", null])),
        (40, json!(["s40", "404", "/d", null])),
    ] {
        assert_eq!(named[at], row);
    }
    assert_eq!(
        rows(&rig, "SELECT attributes FROM spans WHERE name = 's30'"),
        json!([[{ "code": "503", "list": "[1,\"a\"]", "ok": "true", "ratio": "0.5", "route": "/c" }]])
    );
    assert_eq!(
        rows(&rig, "SELECT resource['host.name'], resource['cores'], resource, resource['nothing'] FROM spans LIMIT 1"),
        json!([["h1", "4", { "cores": "4", "host.name": "h1", "service.name": "cart" }, null]])
    );
    assert_eq!(
        rows(
            &rig,
            "SELECT sum(try_cast(attributes['code'] AS INTEGER)) FROM spans WHERE try_cast(attributes['code'] AS INTEGER) >= 404"
        ),
        json!([["1407"]])
    );
}

#[test]
fn a_range_holds_for_every_place() {
    let rig = rig();
    let range = TimeRange { from: T0 + 5 * SECOND, to: T0 + 35 * SECOND };
    assert_eq!(
        answer(&rig, "SELECT count(*), min(name), max(span_id) FROM spans", range).1,
        json!([["30", "s10", format!("{:016x}", 35)]])
    );
    assert_eq!(answer(&rig, "SELECT count(*) FROM logs", range).1, json!([["0"]]));
}

#[test]
fn what_it_reads_is_kept_as_long_as_it_reads() {
    let rig = rig();
    let tmp = rig.engine().inner.dir.tmp().join("sql");
    let written =
        || std::fs::read_dir(&tmp).unwrap().filter_map(Result::ok).filter(|file| file.path().is_file()).count();
    let plan = plan::Statement {
        text: "FROM spans".to_owned(),
        range: TimeRange::ALL,
        format: RowFormat::Json,
        rows: None,
        most_rows: 1,
        most_bytes: 1,
    };
    let isolated = rig.engine().isolate(&plan, &control()).unwrap();
    assert_eq!((written(), isolated.scanned.rows, isolated.scanned.segments), (1, 41, 3));
    let task = Task::read(&isolated.value.task).unwrap();
    assert!(task.files().count() == 4 && task.files().all(std::path::Path::exists));
    drop(isolated);
    assert_eq!(written(), 0);
    let other = plan::Statement { text: "FROM logs".to_owned(), ..plan };
    let isolated = rig.engine().isolate(&other, &control()).unwrap();
    assert_eq!(Task::read(&isolated.value.task).unwrap().files().count(), 0, "what is not named is not read");
}

#[test]
fn tables_say_which_attributes_there_are() {
    let rig = rig();
    let tables = rig.engine().tables(&plan::Tables { range: TimeRange::ALL }, &control()).unwrap().value;
    assert_eq!(tables.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(), ["spans", "logs", "metrics"]);
    let keys = |name: &str| tables[0].columns.iter().find(|column| column.name == name).unwrap().keys.clone();
    let counts = keys("attributes");
    assert!(counts.contains(&("route".to_owned(), 22)) && counts.contains(&("it's".to_owned(), 19)), "{counts:?}");
    assert!(keys("resource").iter().any(|(key, _)| key == "host.name"));
}
