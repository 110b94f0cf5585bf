//! Restarts, damage, interrupted seals.

use super::*;
use crate::error::OpenError;
use crate::failpoint;
use crate::fs::Fs;
use std::path::PathBuf;

pub(super) fn segment_files(rig: &Rig, extension: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(rig.engine().inner.dir.segments()).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

#[test]
fn counters_are_exact_across_restarts() {
    let mut rig = Rig::new();
    rig.put(Signal::Traces, &[span(1, 1, T0), span(1, 2, T0)]);
    rig.engine().count_rejected(Signal::Traces, "no_trace_id", 3);
    rig.engine().count_refused(Signal::Logs, "queue_full", 4);
    rig.engine().count_trimmed(Signal::Logs, "long", 5);
    rig.put(Signal::Logs, &[log(T0, "x")]);
    let expected = rig.engine().health().signals;
    assert_eq!(expected[&Signal::Traces].accepted, 2);
    assert_eq!(expected[&Signal::Traces].rejected["no_trace_id"], 3);
    rig.reopen();
    assert_eq!(rig.engine().health().signals, expected, "replayed");
    rig.seal();
    assert_eq!(rig.engine().health().signals, expected, "sealed");
    rig.reopen();
    assert_eq!(rig.engine().health().signals, expected, "sealed and reopened");
    rig.put(Signal::Traces, &[span(2, 1, T0)]);
    rig.reopen();
    assert_eq!(rig.engine().health().signals[&Signal::Traces].queryable, 3);
}

#[test]
fn a_torn_tail_costs_nothing_acknowledged_wherever_it_is_cut() {
    let rig = Rig::new();
    rig.put(Signal::Traces, &[span(1, 1, T0)]);
    rig.put(Signal::Traces, &[span(1, 2, T0)]);
    let wal = crate::wal::files(&Fs::Real, &rig.engine().inner.dir.wal()).unwrap();
    let bytes = std::fs::read(&wal[0].path).unwrap();
    let found = crate::wal::scan::scan(&bytes, true);
    let crate::wal::scan::Found::Record { payload, .. } = &found[0] else { panic!("{found:?}") };
    let second = payload.end;
    // Opening takes a moment: every byte of the header, then some of the payload.
    let cuts = (second..second + 41).chain((second + 41..bytes.len()).step_by(37));
    for cut in cuts {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("wal")).unwrap();
        std::fs::write(dir.path().join("wal").join(wal[0].path.file_name().unwrap()), &bytes[..cut]).unwrap();
        let engine = Engine::open(config(dir.path()), Arc::new(Items)).unwrap();
        let rig = Rig { dir, engine: Some(engine) };
        rig.settled();
        assert_eq!(rig.trace("1").len(), 1, "cut at {cut}");
        assert_eq!(rig.engine().health().signals[&Signal::Traces].accepted, 1);
        rig.put(Signal::Traces, &[span(1, 3, T0)]);
        assert_eq!(rig.trace("1").len(), 2, "cut at {cut}");
    }
}

#[test]
fn damage_in_the_log_costs_one_record_and_is_told() {
    let mut rig = Rig::new();
    for number in 1..=3 {
        rig.put(Signal::Traces, &[span(1, number, T0), span(1, number + 10, T0)]);
    }
    let wal = crate::wal::files(&Fs::Real, &rig.engine().inner.dir.wal()).unwrap();
    let mut bytes = std::fs::read(&wal[0].path).unwrap();
    let found = crate::wal::scan::scan(&bytes, true);
    let crate::wal::scan::Found::Record { payload, .. } = &found[1] else { panic!("{found:?}") };
    bytes[payload.start + 20] ^= 0x40;
    rig.engine = None;
    std::fs::write(&wal[0].path, &bytes).unwrap();
    rig.reopen();
    let check = |rig: &Rig| {
        assert_eq!(rig.trace("1").len(), 4);
        let traces = &rig.engine().health().signals[&Signal::Traces];
        assert_eq!((traces.accepted, traces.dropped["damaged"]), (6, 2));
        let quarantine = rig.engine().inner.dir.quarantine();
        let names = std::fs::read_dir(&quarantine).unwrap().map(|entry| entry.unwrap().file_name());
        let copies = names.filter(|name| name.to_string_lossy().ends_with(".wal-record")).count();
        assert_eq!(copies, 1);
        let reasons = std::fs::read_to_string(quarantine.join(crate::dir::REASONS)).unwrap();
        assert!(reasons.ends_with("\ta payload with a wrong checksum\n") && reasons.lines().count() == 1, "{reasons}");
    };
    check(&rig);
    assert!(rig.engine().health().warnings[0].contains("2 items of traces"));
    rig.reopen();
    check(&rig);
    rig.seal();
    rig.reopen();
    check(&rig);
}

#[test]
fn a_request_that_no_longer_decodes_is_set_aside() {
    let mut rig = Rig::new();
    let mut broken = body(Signal::Logs, &[log(T0, "x")]);
    broken.bytes = b"not json".to_vec();
    let (send, receive) = mpsc::channel();
    let batch = items::batch(Signal::Logs, &[log(T0, "x")]);
    rig.engine().append(broken, batch, Box::new(move |result| _ = send.send(result)));
    receive.recv().unwrap().unwrap();
    rig.put(Signal::Logs, &[log(T0, "fine")]);
    rig.reopen();
    assert_eq!(rig.logs(all_logs()).len(), 1);
    assert_eq!(rig.engine().health().signals[&Signal::Logs].dropped["undecodable"], 1);
}

#[test]
fn a_seal_that_breaks_off_anywhere_neither_loses_nor_repeats() {
    for step in ["first segment durable", "segments durable", "rollups stored", "sealed"] {
        let mut rig = Rig::new();
        rig.put(Signal::Traces, &[span(1, 1, T0)]);
        rig.put(Signal::Logs, &[log(T0, "x")]);
        let inner = Arc::clone(&rig.engine().inner);
        // The sealing thread is stopped; the seal runs here, where it breaks off.
        rig.engine().close();
        inner.stopping.store(false, Ordering::Release);
        inner.add_slice_for_test();
        assert!(failpoint::failing(step, || inner.seal_next(&|_| ())).is_err(), "{step}");
        drop(inner);
        rig.reopen();
        rig.settled();
        assert_eq!((rig.trace("1").len(), rig.logs(all_logs()).len()), (1, 1), "{step}");
        assert_eq!(rig.engine().health().signals[&Signal::Logs].queryable, 1, "{step}");
        rig.seal();
        assert_eq!((rig.trace("1").len(), rig.logs(all_logs()).len()), (1, 1), "{step}");
        let listed = rig.engine().inner.manifest.current().segments.len();
        assert_eq!((segment_files(&rig, "parquet").len(), segment_files(&rig, "index").len()), (listed, listed));
    }
}

#[test]
fn a_failed_seal_is_tried_again_and_queries_do_not_notice() {
    let rig = Rig::new();
    rig.put(Signal::Traces, &[span(1, 1, T0)]);
    // The folder of segments turns into a file: nothing can be written.
    let segments = rig.engine().inner.dir.segments();
    std::fs::remove_dir(&segments).unwrap();
    std::fs::write(&segments, b"").unwrap();
    rig.engine().inner.begin_slice_soon();
    wait("a warning", || !rig.engine().health().warnings.is_empty());
    assert_eq!(rig.trace("1").len(), 1);
    std::fs::remove_file(&segments).unwrap();
    std::fs::create_dir(&segments).unwrap();
    wait("sealed", || rig.engine().health().segments == 1);
    assert_eq!(rig.trace("1").len(), 1);
    wait("the warning is gone", || rig.engine().health().warnings.is_empty());
}

#[test]
fn a_damaged_segment_is_set_aside_and_answers_say_so() {
    for extension in ["parquet", "index"] {
        let mut rig = Rig::new();
        rig.put(Signal::Traces, &[span(1, 1, T0)]);
        rig.seal();
        rig.put(Signal::Traces, &[span(1, 2, T0)]);
        rig.seal();
        let victim = segment_files(&rig, extension).into_iter().min().unwrap();
        rig.engine = None;
        let mut bytes = std::fs::read(&victim).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&victim, &bytes).unwrap();
        rig.reopen();
        let plan = plan::Trace { trace_id: items::trace_id("1") };
        let answer = rig.engine().trace(&plan, &control()).unwrap();
        assert_eq!(answer.value.spans.len(), 1);
        assert!(answer.partial.is_some());
        assert!(rig.engine().trace(&plan, &control()).unwrap().partial.is_some(), "and again");
        assert_eq!(rig.engine().health().signals[&Signal::Traces].dropped["damaged"], 1);
        rig.reopen();
        assert_eq!(rig.trace("1").len(), 1);
        assert_eq!(rig.engine().health().signals[&Signal::Traces].dropped["damaged"], 1);
        // Both files, and why.
        assert_eq!(std::fs::read_dir(rig.engine().inner.dir.quarantine()).unwrap().count(), 3);
    }
}

#[test]
fn a_directory_has_one_engine() {
    let rig = Rig::new();
    let error = Engine::open(config(rig.dir.path()), Arc::new(Items)).err().unwrap();
    assert!(matches!(error, OpenError::Locked { pid: Some(_), .. }), "{error}");
}

#[test]
fn the_disk_reserve_refuses_and_lets_go() {
    let mut rig = Rig::new();
    rig.reopen_with(|config| config.disk_reserve_bytes = u64::MAX);
    let refused = rig.append(Signal::Traces, &[span(1, 1, T0)]);
    assert!(matches!(refused, Err(AppendError::Refused { reason: "disk_reserve", .. })), "{refused:?}");
    let health = rig.engine().health();
    assert!(health.disk_low && health.warnings.is_empty(), "said once");
    rig.reopen();
    rig.put(Signal::Traces, &[span(1, 1, T0)]);
}

#[test]
fn memory_is_bounded_by_sealing_early_and_refusing() {
    let mut rig = Rig::new();
    rig.reopen_with(|config| (config.hot_bytes, config.seal_bytes) = (2 << 20, Some(200 << 10)));
    let items: Vec<Item> = (0..200).map(|at| span(at + 1, 1, T0)).collect();
    let mut accepted = 0;
    for _ in 0..60 {
        match rig.append(Signal::Traces, &items) {
            Ok(()) => accepted += 1,
            Err(AppendError::Refused { reason: "memory", .. }) => std::thread::sleep(Duration::from_millis(50)),
            Err(error) => panic!("{error}"),
        }
    }
    assert!(accepted > 0);
    wait("sealed early", || rig.engine().health().segments > 0);
    assert_eq!(rig.engine().health().signals[&Signal::Traces].accepted, accepted * 200);
}

#[test]
fn rollups_of_many_times_count_as_memory_and_seal_early() {
    let rig = Rig::new();
    let spans = |first: u64, step: i64| -> Vec<Item> {
        (0..400).map(|at| span(first + at, 1, T0 + at as i64 * step)).collect()
    };
    let hot = || rig.engine().health().hot_bytes;
    rig.put(Signal::Traces, &spans(1, 0));
    let of_one_time = hot();
    let rollups = || rig.engine().inner.current.get().slices[0].rollup.read().len() as u64;
    let rows = rollups();
    rig.put(Signal::Traces, &spans(1_001, 60 * SECOND));
    let more = rollups() - rows;
    assert!(more > 400, "{more}");
    assert!(hot() >= of_one_time + more * 100, "{} after {of_one_time}", hot());
    rig.seal();
    assert_eq!(hot(), 0);
}

#[test]
fn a_clock_set_ahead_deletes_nothing() {
    let mut rig = Rig::new();
    rig.put(Signal::Traces, &[span(1, 1, T0)]);
    rig.seal();
    rig.reopen_with(|config| config.retention = Some(Duration::from_secs(3600)));
    let year = 365 * 24 * 3600 * SECOND;
    rig.engine().inner.retain(super::super::now() + year);
    assert_eq!(rig.trace("1").len(), 1);
    assert!(rig.engine().health().warnings[0].contains("the clock is wrong"));
    // Once newer items are there the old ones go.
    rig.put(Signal::Traces, &[span(2, 1, super::super::now() + year)]);
    rig.seal();
    rig.engine().inner.retain(super::super::now() + year);
    assert_eq!((rig.trace("1").len(), rig.trace("2").len()), (0, 1));
}

#[test]
fn the_log_is_trimmed_once_sealed() {
    let mut rig = Rig::new();
    rig.reopen_with(|config| config.wal_file_bytes = 100);
    for number in 1..=10 {
        rig.put(Signal::Traces, &[span(1, number, T0)]);
    }
    let before = crate::wal::files(&Fs::Real, &rig.engine().inner.dir.wal()).unwrap().len();
    rig.seal();
    // Listing may meet a file that is just being removed.
    wait("trimmed", || crate::wal::files(&Fs::Real, &rig.engine().inner.dir.wal()).is_ok_and(|files| files.len() <= 1));
    assert!(before >= 10);
    rig.reopen();
    assert_eq!(rig.trace("1").len(), 10);
    rig.put(Signal::Traces, &[span(1, 11, T0)]);
    rig.reopen();
    assert_eq!(rig.trace("1").len(), 11);
}

#[test]
fn damage_is_told_before_anybody_asks_for_the_rows() {
    let mut rig = Rig::new();
    rig.put(Signal::Traces, &[span(1, 1, T0)]);
    rig.seal();
    rig.put(Signal::Traces, &[span(2, 1, T0)]);
    rig.seal();
    let path = segment_files(&rig, "parquet").remove(0);
    rig.engine = None;
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[10] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    rig.reopen();
    wait("told", || rig.engine().health().warnings.iter().any(|warning| warning.contains("was damaged")));
    let health = rig.engine().health();
    assert_eq!((health.signals[&Signal::Traces].dropped["damaged"], health.segments), (1, 1));
    wait("the other is verified", || rig.engine().inner.current.get().segments.iter().all(|other| other.is_verified()));
}
