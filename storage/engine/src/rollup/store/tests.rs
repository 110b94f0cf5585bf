//! The file against plain sums of the rows.

use super::*;
use crate::rollup::observer::tests::{MS, START, forest, observed, spans};
use crate::rollup::{Observer, ObserverConfig};
use orrery_query::answer::NodeKind;
use std::time::Duration;

fn control() -> Control {
    Control::within(Duration::from_secs(60))
}

fn open() -> (tempfile::TempDir, RollupStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = RollupStore::open(&folder.path().join("rollups.duckdb")).unwrap();
    (folder, store)
}

fn reopen(folder: &tempfile::TempDir, store: RollupStore) -> RollupStore {
    drop(store);
    RollupStore::open(&folder.path().join("rollups.duckdb")).unwrap()
}

/// Everything the store answers about a range.
#[derive(Debug, PartialEq)]
struct Answers {
    services: Vec<ServiceSummary>,
    topology: Topology,
    details: Vec<Option<ServiceDetail>>,
}

fn ask(store: &RollupStore, live: &[&Live], range: TimeRange, points: u32) -> Answers {
    let control = control();
    let topology = store.topology(&plan::Topology { range, environment: None }, live, &control).unwrap().value;
    let detail =
        |id: &str| store.service(&plan::Service { range, id: id.to_owned(), points }, live, &control).unwrap().value;
    Answers {
        services: store.services(&plan::Services { range, environment: None, points }, live, &control).unwrap().value,
        details: topology.nodes.iter().map(|node| detail(&node.id)).collect(),
        topology,
    }
}

const ALL: TimeRange = TimeRange { from: START - 3_600_000 * MS, to: START + 36_000_000 * MS };

/// Slices of random spans over several hours, as the observer saw them, corrections included.
fn slices(seed: u64) -> Vec<RollupRows> {
    let mut observer = Observer::new(ObserverConfig::default());
    let mut now = START;
    let slice = |id: u64| {
        let mut rows = RollupRows::of_slice(id);
        for (at, line) in forest(seed * 100 + id, 30).into_iter().enumerate() {
            let mut batch = spans(&line).remove(0);
            batch.trace_id[0].0[..8].copy_from_slice(&(id / 2).to_be_bytes());
            batch.start_time_unix_nano[0] += (id as i64 / 2 * 1_000_000 + at as i64 * 60_000) * MS;
            now += 1_000 * MS;
            observer.observe(&batch, now, &mut rows);
        }
        rows
    };
    (0..12).map(slice).collect()
}

#[test]
fn the_file_answers_as_memory_does() {
    for seed in 0..3 {
        let slices = slices(seed);
        let (_empty_folder, empty) = open();
        let (folder, store) = open();
        let (sealed, live) = slices.split_at(9);
        for rows in sealed {
            store.persist(rows.slice.unwrap(), rows).unwrap();
        }
        let before = (rows_in(&store, "edges_10s"), rows_in(&store, "edges_1h"));
        assert!(store.fold(9).unwrap(), "eight of the nine");
        assert!(rows_in(&store, "edges_10s") <= before.0 && rows_in(&store, "edges_1h") < before.1);
        assert!(!store.fold(9).unwrap(), "one is left, and one group of eight");
        let live: Vec<Live> = live.iter().cloned().map(Live::new).collect();
        let live: Vec<&Live> = live.iter().collect();
        let all: Vec<Live> = slices.iter().cloned().map(Live::new).collect();
        let all: Vec<&Live> = all.iter().collect();
        let store = reopen(&folder, store);
        let minute = 60_000 * MS;
        let ranges = [
            ALL,
            TimeRange { from: START + 7 * minute + 1, to: START + 95 * minute },
            TimeRange { from: START - 5 * minute, to: START + minute / 2 },
            TimeRange { from: START + 30 * minute, to: START + 31 * minute },
        ];
        for (range, points) in ranges.into_iter().flat_map(|range| [(range, 0), (range, 24), (range, 1000)]) {
            let found = ask(&store, &live, range, points);
            assert!(range != ALL || found.topology.edges.len() > 5);
            assert_eq!(found, ask(&empty, &all, range, points), "seed {seed} range {range} points {points}");
        }
    }
}

/// What is held in memory is what is in the file, whatever was written since.
#[test]
fn the_file_answers_as_memory_does_while_it_grows() {
    let (_empty_folder, empty) = open();
    let (_folder, store) = open();
    let slices = slices(7);
    let part = TimeRange { from: START + 20 * 60_000 * MS, to: START + 300 * 60_000 * MS };
    for (at, rows) in slices.iter().enumerate() {
        store.persist(at as u64, rows).unwrap();
        if at % 3 == 2 {
            store.fold(at as u64).unwrap();
        }
        let all: Vec<Live> = slices[..=at].iter().cloned().map(Live::new).collect();
        let all: Vec<&Live> = all.iter().collect();
        for (range, points) in [(ALL, 0), (part, 0), (part, 4), (ALL, 0)] {
            assert_eq!(
                ask(&store, &[], range, points),
                ask(&empty, &all, range, points),
                "slice {at}, points {points}"
            );
        }
    }
    assert!(store.hours.lock().get(START.div_euclid(HOUR) * HOUR).is_some(), "the hour is held");
    store.forget(&[11]).unwrap();
    let rest: Vec<Live> = slices[..11].iter().cloned().map(Live::new).collect();
    assert_eq!(ask(&store, &[], ALL, 0), ask(&empty, &rest.iter().collect::<Vec<_>>(), ALL, 0), "forgotten");
}

fn rows_in(store: &RollupStore, table: &str) -> u64 {
    let sql = format!("SELECT count(*) FROM {table}");
    store.writer.lock().query_row(&sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn folds_of_folds_count_the_same_and_are_known() {
    let (folder, store) = open();
    let rows = observed("1/a - web server 0+100\n1/b a web client 1+9 db.system=redis error");
    for slice in 0..70 {
        store.persist(slice, &rows).unwrap();
        store.fold(slice).unwrap();
    }
    let store = reopen(&folder, store);
    assert_eq!(ask(&store, &[], ALL, 10).services[0].red.count, 70.0);
    // 64 slices are one row at the lengths of the second fold, eight at the first; six are still apart.
    let lengths = ["operations_10s", "operations_1m", "operations_1h"].map(|table| rows_in(&store, table));
    assert_eq!(lengths, [8 + 6, 1, 1].map(|n| 2 * n));
    let known: Vec<u64> = (0..72).collect();
    assert_eq!(store.reconcile(&known).unwrap(), [70, 71]);
    assert_eq!(store.reconcile(&known[..69]).unwrap(), [] as [u64; 0]);
    assert_eq!(ask(&store, &[], ALL, 10).services[0].red.count, 69.0, "the last was forgotten");
}

#[test]
fn old_detail_goes_and_old_sums_stay() {
    let (folder, store) = open();
    store
        .persist(1, &observed("1/a - web server 0+100\n2/a - web server 25000+100\n3/a - web server 90000+100"))
        .unwrap();
    let day = 24 * 3_600_000 * MS;
    let early = TimeRange { from: START + 20_000 * MS, to: START + 30_000 * MS };
    let count = |store: &RollupStore, range| ask(store, &[], range, 0).services[0].red.count;
    assert_eq!(count(&store, early), 1.0);
    store.thin(START + 3 * day).unwrap();
    let store = reopen(&folder, store);
    assert_eq!((rows_in(&store, "operations_10s"), rows_in(&store, "operations_1m")), (0, 2));
    assert_eq!((count(&store, early), count(&store, ALL)), (2.0, 3.0), "the whole minute");
    store.thin(START + 40 * day).unwrap();
    assert_eq!((rows_in(&store, "operations_1m"), rows_in(&store, "operations_1h")), (0, 1));
    assert_eq!((count(&store, early), count(&store, ALL)), (3.0, 3.0), "the whole hour");
}

/// The SQL of FORMAT.md, as it stands there: calls by minute and service.
fn documented(store: &RollupStore) -> Vec<(String, String, f64)> {
    let (_, block) = include_str!("../../../FORMAT.md").split_once("## Rollups").expect("the section");
    let (_, block) = block.split_once("```sql\n").expect("its SQL");
    let (block, _) = block.split_once("```").expect("its end");
    let connection = store.writer.lock();
    let mut statement = connection.prepare(&block.replace(" AS minute", "::VARCHAR AS minute")).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn the_documented_sql_counts_every_call_once() {
    let (_folder, store) = open();
    let slices = slices(5);
    let (late, slices) = slices.split_last().unwrap();
    slices.iter().for_each(|rows| store.persist(rows.slice.unwrap(), rows).unwrap());
    let before = documented(&store);
    assert!(before.len() > 10 && before.iter().any(|row| row.2 > 1.0), "{before:?}");
    assert!(store.fold(12).unwrap());
    assert_eq!(documented(&store), before, "folded");
    let day = 24 * 3_600_000 * MS;
    store.thin(START + 2 * day + 3 * 3_600_000 * MS).unwrap();
    assert!(rows_in(&store, "instances_10s") < rows_in(&store, "instances"));
    assert_eq!(documented(&store), before, "seconds are gone");
    store.persist(late.slice.unwrap(), late).unwrap();
    let total = |rows: &[(String, String, f64)]| rows.iter().map(|row| row.2).sum::<f64>();
    let (_other_folder, other) = open();
    other.persist(late.slice.unwrap(), late).unwrap();
    assert_eq!(total(&documented(&store)), total(&before) + total(&documented(&other)), "late rows of old times");
}

#[test]
fn a_slice_counts_once_however_often_it_is_persisted() {
    let (folder, store) = open();
    let rows = observed("1/a - web server 0+100\n1/b a web client 1+9 db.system=redis error");
    store.persist(7, &rows).unwrap();
    let once = ask(&store, &[], ALL, 10);
    assert_eq!(once.services[0].red.count, 1.0);
    store.persist(7, &rows).unwrap();
    let store = reopen(&folder, store);
    assert_eq!(ask(&store, &[], ALL, 10), once);

    let mut live = RollupRows::of_slice(7);
    live.merge(&rows);
    assert_eq!(ask(&store, &[&Live::new(live)], ALL, 10), once, "still in memory, and in the file already");
}

#[test]
fn slices_are_forgotten_and_found_missing() {
    let (folder, store) = open();
    for (id, service) in [(1, "a"), (2, "b"), (3, "c")] {
        store.persist(id, &observed(&format!("1/a - {service} server 0+100"))).unwrap();
    }
    let names = |store: &RollupStore| {
        ask(store, &[], ALL, 0).services.iter().map(|found| found.service.name.clone()).collect::<Vec<_>>()
    };
    store.forget(&[2]).unwrap();
    assert_eq!(names(&store), ["a", "c"]);
    let store = reopen(&folder, store);
    assert_eq!(store.reconcile(&[1, 2, 4]).unwrap(), [2, 4]);
    assert_eq!(names(&store), ["a"]);
}

#[test]
fn old_buckets_go() {
    let (_folder, store) = open();
    store.persist(1, &observed("1/a - web server 0+100\n2/a - web server 7200000+100")).unwrap();
    assert_eq!(ask(&store, &[], ALL, 0).services[0].red.count, 2.0);
    store.expire(START + 3_600_000 * MS).unwrap();
    assert_eq!(ask(&store, &[], ALL, 0).services[0].red.count, 1.0);
}

#[test]
fn a_file_of_another_layout_is_refused() {
    let (folder, store) = open();
    store.writer.lock().execute("UPDATE layout SET layout = 99", []).unwrap();
    drop(store);
    let refused = RollupStore::open(&folder.path().join("rollups.duckdb")).err().unwrap();
    assert!(matches!(refused, RollupError::Layout { found: 99 }), "{refused}");
}

/// Source: DuckDB's file header, version number after checksum and magic; 68 is what 1.5 writes.
#[test]
fn an_older_duckdb_can_read_the_file() {
    let (folder, store) = open();
    store.persist(1, &observed("1/a - web server 0+100")).unwrap();
    drop(store);
    let header = std::fs::read(folder.path().join("rollups.duckdb")).unwrap();
    assert_eq!(&header[8..12], b"DUCK");
    assert_eq!(header[12], 68);
}

#[test]
fn a_query_ends_at_its_deadline() {
    let (_folder, store) = open();
    store.persist(1, &observed("1/a - web server 0+100")).unwrap();
    let late = Control::within(Duration::ZERO);
    let plan = plan::Topology { range: ALL, environment: None };
    assert!(matches!(store.topology(&plan, &[], &late), Err(QueryError::Deadline)));
    assert_eq!(store.topology(&plan, &[], &control()).unwrap().value.nodes.len(), 2, "the next is not hit by it");
}

/// Percentiles over the file agree with sorting the spans, and cost does not grow with their number.
#[test]
fn percentiles_are_close_and_cost_no_more_for_more_spans() {
    let mut sizes = Vec::new();
    for count in [500usize, 20_000] {
        let (mut observer, mut rows) = (Observer::default(), RollupRows::default());
        let mut batch = spans("1/a - web server 0+100").remove(0);
        let mut durations = Vec::new();
        for n in 0..count {
            // Between 1 and 100 ms, more of the short ones.
            let duration = ((1.0 + 99.0 * ((n * 7919 % count) as f64 / count as f64).powi(3)) * MS as f64) as i64;
            batch.trace_id[0].0[..8].copy_from_slice(&(n as u64 + 1).to_be_bytes());
            batch.duration_nanos[0] = duration;
            durations.push(duration);
            observer.observe(&batch, START, &mut rows);
        }
        let (_folder, store) = open();
        store.persist(1, &rows).unwrap();
        durations.sort_unstable();
        let plan = plan::Topology { range: ALL, environment: None };
        let answer = store.topology(&plan, &[], &control()).unwrap();
        let web = answer.value.nodes.iter().find(|node| node.kind == NodeKind::Service).unwrap();
        for (q, found) in [(0.5, web.red.p50_nanos), (0.95, web.red.p95_nanos), (0.99, web.red.p99_nanos)] {
            let exact = durations[(q * count as f64).ceil() as usize - 1];
            let error = (found.unwrap() - exact).abs() as f64 / exact as f64;
            assert!(error < 0.045, "p{} {found:?} for {exact}", q * 100.0);
        }
        assert_eq!(web.red.count, count as f64);
        sizes.push((rows.len(), answer.scanned.rows));
    }
    assert_eq!(sizes[0], sizes[1], "rows kept and rows read");
}
