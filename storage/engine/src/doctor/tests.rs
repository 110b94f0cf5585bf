//! Damage of every kind is found, named and repaired, and nothing is removed for good.

use super::*;
use crate::config::Config;
use crate::engine::Engine;
use crate::items::{self, Item, Items};
use crate::wal::scan::Found;
use orrery_query::Store;
use serde_json::json;
use std::sync::{Arc, mpsc};
use std::time::Duration;

fn config(dir: &Path, seal_after: Duration) -> Config {
    Config { seal_after, retention: None, disk_reserve_bytes: 0, compact: false, ..Config::new(dir) }
}

fn put(engine: &Engine, number: u64) {
    let item = Item {
        resource: items::pairs(json!({"service.name": "cart"})),
        trace: "1".into(),
        span: number,
        time: 1_700_000_000_000_000_000 + number as i64,
        name: "GET".into(),
        kind: 2,
        ..Item::default()
    };
    let (send, done) = mpsc::channel();
    let (body, batch) =
        (items::body(Signal::Traces, std::slice::from_ref(&item)), items::batch(Signal::Traces, &[item]));
    engine.append(body, batch, Box::new(move |result| _ = send.send(result)));
    done.recv_timeout(Duration::from_secs(20)).unwrap().unwrap();
}

/// Three segments of a span each, and two spans in the log.
fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(config(dir.path(), Duration::ZERO), Arc::new(Items)).unwrap();
    for number in 1..=3 {
        put(&engine, number);
        wait(|| engine.health().segments == number && engine.is_settled());
    }
    drop(engine);
    let engine = Engine::open(config(dir.path(), Duration::from_secs(3600)), Arc::new(Items)).unwrap();
    put(&engine, 4);
    put(&engine, 5);
    drop(engine);
    dir
}

fn wait(mut done: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(std::time::Instant::now() < deadline, "not in time");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn spans(dir: &Path) -> usize {
    let engine = Engine::open(config(dir, Duration::from_secs(3600)), Arc::new(Items)).unwrap();
    let plan = orrery_query::plan::Trace { trace_id: items::trace_id("1") };
    let control = orrery_query::Control::within(Duration::from_secs(30));
    engine.trace(&plan, &control).unwrap().value.spans.len()
}

fn tree(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for (name, path) in entries(dir).unwrap() {
        if path.is_dir() {
            files.extend(tree(&path).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else {
            files.insert(name, std::fs::read(&path).unwrap());
        }
    }
    files
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

/// Damages, looks (which changes nothing), repairs; afterwards `left` spans are there.
fn check(damage: impl FnOnce(&Path), says: &[&str], left: usize) -> Report {
    let dir = directory();
    damage(dir.path());
    let before = tree(dir.path());
    let report = examine(dir.path()).unwrap();
    assert_eq!(tree(dir.path()), before, "looking changes nothing");
    let found: Vec<&str> = report.findings.iter().map(|finding| finding.what.as_str()).collect();
    assert_eq!(found.len(), says.len(), "{found:#?}");
    for (found, said) in found.iter().zip(says) {
        assert!(found.contains(said), "{said} in {found}");
    }
    let repaired = repair(dir.path(), Arc::new(Items)).unwrap();
    assert_eq!(repaired.findings, [], "{says:?}");
    assert_eq!(repaired.repaired.len(), says.len());
    assert_eq!(spans(dir.path()), left, "{says:?}");
    assert_eq!(examine(dir.path()).unwrap().findings, [], "{says:?}");
    repaired
}

fn first(dir: &Path, extension: &str) -> PathBuf {
    let files = entries(&dir.join("segments")).unwrap();
    files.into_iter().find(|(name, _)| name.ends_with(extension)).unwrap().1
}

#[test]
fn a_healthy_directory_is_described() {
    let dir = directory();
    let report = examine(dir.path()).unwrap();
    assert_eq!(report.findings, []);
    let sealed = &report.signals[&Signal::Traces];
    assert_eq!((sealed.segments, sealed.rows, sealed.levels.clone()), (3, 3, BTreeMap::from([(0, 3)])));
    assert_eq!(sealed.last_unix_nano, Some(1_700_000_000_000_000_003));
    let log = report.log.unwrap();
    assert_eq!((log.unsealed_records, log.unsealed_items[&Signal::Traces], log.torn_bytes), (2, 2, 0));
    assert_eq!(report.rollups.unwrap().missing, 0);
}

#[test]
fn every_byte_of_sealed_data_is_somewhere() {
    let dir = directory();
    let weight = &weigh(dir.path()).unwrap()[&Signal::Traces];
    let all = weight.columns.values().sum::<u64>() + weight.footers + weight.indexes;
    let sealed = examine(dir.path()).unwrap().signals[&Signal::Traces].clone();
    assert_eq!((weight.rows, all), (sealed.rows, sealed.bytes));
    assert!(["trace_id", "attributes", "resource"].iter().all(|name| weight.columns[*name] > 0), "{weight:?}");
}

#[test]
fn damaged_and_missing_segments_are_set_aside() {
    let report = check(|dir| flip(&first(dir, ".parquet"), 100), &["its checksum is wrong (1 rows of traces)"], 4);
    let reasons: Vec<&str> = report.quarantine.iter().map(|file| file.reason.as_str()).collect();
    assert_eq!(reasons.len(), 2, "both files of the segment");
    assert!(reasons.iter().all(|reason| reason.contains("its checksum is wrong")), "{reasons:?}");
    check(|dir| flip(&first(dir, ".index"), 20), &[".index is damaged"], 4);
    let report = check(|dir| std::fs::remove_file(first(dir, ".index")).unwrap(), &[".index is missing"], 4);
    assert_eq!(report.quarantine.len(), 1);
}

#[test]
fn left_over_files_are_set_aside() {
    let report = check(
        |dir| {
            std::fs::copy(first(dir, ".parquet"), dir.join("segments/traces-0000000099.parquet")).unwrap();
            std::fs::write(dir.join("segments/logs-0000000100.parquet.tmp"), b"half").unwrap();
        },
        &["logs-0000000100.parquet.tmp belongs to no segment", "traces-0000000099.parquet belongs to no segment"],
        5,
    );
    assert_eq!(report.quarantine.len(), 2);
}

#[test]
fn damage_in_the_log_costs_its_record() {
    let damage = |dir: &Path| {
        let files = crate::wal::files(&crate::fs::Fs::Real, &dir.join("wal")).unwrap();
        let last = &files.last().unwrap().path;
        let bytes = std::fs::read(last).unwrap();
        let Found::Record { payload, .. } = &crate::wal::scan::scan(&bytes, true)[0] else { panic!("intact") };
        flip(last, payload.start + 3);
    };
    let report = check(damage, &["is damaged at byte 8"], 4);
    assert_eq!(report.quarantine.len(), 1);
    assert_eq!(report.log.unwrap().unsealed_records, 0, "all sealed");
}

#[test]
fn rollups_are_made_again() {
    check(|dir| std::fs::remove_file(dir.join("rollups.duckdb")).unwrap(), &["rollups.duckdb is missing"], 5);
    check(|dir| std::fs::write(dir.join("rollups.duckdb"), [7; 20_000]).unwrap(), &["does not open"], 5);
}

#[test]
fn files_of_others_are_named_and_left_alone() {
    let dir = directory();
    for name in ["notes.txt", "segments/mine.parquet", "wal/old.bak"] {
        std::fs::write(dir.path().join(name), b"mine").unwrap();
    }
    assert_eq!(examine(dir.path()).unwrap().findings.len(), 3);
    let report = repair(dir.path(), Arc::new(Items)).unwrap();
    assert_eq!((report.findings.len(), report.repaired.len()), (3, 0));
    assert_eq!(spans(dir.path()), 5);
    assert!(dir.path().join("segments/mine.parquet").exists(), "a start leaves it alone, too");
}

#[test]
fn a_directory_in_use_is_looked_at_and_not_repaired() {
    let dir = directory();
    let engine = Engine::open(config(dir.path(), Duration::from_secs(3600)), Arc::new(Items)).unwrap();
    put(&engine, 6);
    std::fs::write(dir.path().join("segments/traces-0000000100.parquet.tmp"), b"being written").unwrap();
    let report = examine(dir.path()).unwrap();
    assert_eq!((report.in_use, report.server_pid, report.findings.len()), (true, Some(std::process::id()), 0));
    assert_eq!((report.signals[&Signal::Traces].rows, report.log), (3, None));
    assert!(matches!(repair(dir.path(), Arc::new(Items)), Err(OpenError::Locked { .. })));
    drop(engine);
    let elsewhere = tempfile::tempdir().unwrap();
    assert!(matches!(examine(elsewhere.path()), Err(OpenError::Absent { .. })));
}

#[test]
fn a_directory_as_a_kill_leaves_it_is_whole() {
    let dir = directory();
    let engine = Engine::open(config(dir.path(), Duration::ZERO), Arc::new(Items)).unwrap();
    put(&engine, 6);
    wait(|| engine.is_settled());
    // The files as they are at this moment, with whatever the rollups have not written back.
    let copy = tempfile::tempdir().unwrap();
    for (name, bytes) in tree(dir.path()) {
        let path = copy.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    drop(engine);
    let before = tree(copy.path());
    let report = examine(copy.path()).unwrap();
    assert_eq!((report.findings, report.rollups.unwrap().missing), (Vec::new(), 0));
    assert_eq!(tree(copy.path()), before, "looking changes nothing");
    assert_eq!(spans(copy.path()), 6);
}
