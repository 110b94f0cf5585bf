//! The map does not notice a restart: the observer is reminded of the spans it knew.

use super::*;
use crate::failpoint;

fn call(server: Option<u64>, time: i64) -> Item {
    let (service, span, parent, kind) = match server {
        None => ("web", 1, 0, 3),
        Some(span) => ("shop", span, 1, 2),
    };
    Item {
        resource: pairs(json!({"service.name": service})),
        attributes: pairs(json!({"http.request.method": "GET", "server.address": "shop.example", "server.port": 80})),
        trace: "1".into(),
        span,
        parent,
        time,
        name: "GET".into(),
        kind,
        duration: 5_000_000,
        ..Item::default()
    }
}

/// Callers and callees by name, with the number of calls.
fn edges(rig: &Rig) -> Vec<(String, String, f64)> {
    let plan = plan::Topology { range: TimeRange::ALL, environment: None };
    let topology = rig.engine().topology(&plan, &control()).unwrap().value;
    let mut edges: Vec<_> = topology.edges.into_iter().map(|edge| (edge.caller, edge.callee, edge.red.count)).collect();
    edges.sort_by(|a, b| a.partial_cmp(b).unwrap());
    edges
}

#[test]
fn a_span_finds_its_parent_from_before_a_restart() {
    let mut rig = Rig::new();
    let now = now();
    rig.put(Signal::Traces, &[call(None, now)]);
    rig.seal();
    rig.reopen();
    rig.put(Signal::Traces, &[call(Some(2), now)]);
    assert_eq!(edges(&rig), [("web".into(), "shop".into(), 1.0)]);
    rig.seal();
    rig.reopen();
    assert_eq!(edges(&rig), [("web".into(), "shop".into(), 1.0)]);
}

#[test]
fn what_waited_when_its_slice_was_sealed_is_counted_once() {
    let mut rig = Rig::new();
    // In a second the wait for a server span will be over.
    rig.put(Signal::Traces, &[call(None, now() - 9 * SECOND)]);
    rig.seal();
    rig.reopen();
    wait("an edge", || !edges(&rig).is_empty());
    let expected = [("web".to_owned(), "external:shop.example".to_owned(), 1.0)];
    assert_eq!(edges(&rig), expected);
    rig.reopen();
    wait("an edge again", || !edges(&rig).is_empty());
    rig.seal();
    rig.reopen();
    assert_eq!(edges(&rig), expected, "nothing waits any more");
    // The parent's server span arrives after all, two restarts later.
    rig.put(Signal::Traces, &[call(Some(2), now())]);
    assert_eq!(edges(&rig), [("web".into(), "shop".into(), 1.0)]);
}

#[test]
fn rollups_that_were_lost_are_made_again() {
    let mut rig = Rig::new();
    rig.put(Signal::Traces, &[call(None, T0), call(Some(2), T0)]);
    for round in 0..3 {
        let spans = (0..300).map(|at| span(round * 300 + at + 10, 1, T0 + at as i64 * SECOND));
        rig.put(Signal::Traces, &spans.collect::<Vec<_>>());
        if round != 1 {
            rig.seal();
        }
    }
    let services = |rig: &Rig| {
        let plan = plan::Services { range: TimeRange::ALL, environment: None, points: 0 };
        let answer = rig.engine().services(&plan, &control()).unwrap();
        let counts: Vec<_> = answer.value.iter().map(|found| (found.service.name.clone(), found.red.count)).collect();
        (counts, answer.partial.is_some())
    };
    let (known, before) = (edges(&rig), services(&rig));
    assert_eq!(known.len(), 2, "{known:?}");
    for damage in ["lost", "damaged"] {
        rig.engine = None;
        let files = ["rollups.duckdb", "rollups.duckdb.wal"].map(|name| rig.dir.path().join(name));
        for file in files.iter().filter(|file| file.exists()) {
            match damage {
                "lost" => std::fs::remove_file(file).unwrap(),
                _ => std::fs::write(file, "no database").unwrap(),
            }
        }
        rig.reopen();
        wait("made again", || !rig.engine().inner.rebuilding());
        assert_eq!((edges(&rig), services(&rig)), (known.clone(), before.clone()), "{damage}");
        assert!(rig.engine().health().warnings.is_empty());
        rig.reopen();
        assert!(!rig.engine().inner.rebuilding(), "once is enough");
        assert_eq!(edges(&rig), known);
    }
}

#[test]
fn a_clock_that_was_ahead_does_not_stop_the_map() {
    let mut rig = Rig::new();
    let year = 365 * 24 * 3600 * SECOND;
    let early = [span(9, 1, now() + year)];
    rig.put(Signal::Traces, &early);
    rig.seal();
    rig.reopen();
    // In a second the wait for a server span will be over.
    rig.put(Signal::Traces, &[call(None, now() - 9 * SECOND)]);
    wait("an edge", || edges(&rig).iter().any(|(_, callee, _)| callee == "external:shop.example"));
    rig.put(Signal::Traces, &[call(Some(2), now())]);
    assert!(edges(&rig).contains(&("web".into(), "shop".into(), 1.0)), "{:?}", edges(&rig));
}

#[test]
fn rollups_that_fail_at_work_are_mended() {
    let mut rig = Rig::new();
    rig.put(Signal::Traces, &[call(None, T0), call(Some(2), T0)]);
    rig.seal();
    let known = edges(&rig);
    assert_eq!(known.len(), 1);
    let file = rig.dir.path().join("rollups.duckdb");
    rig.engine = None;
    // Blocks, not the header: the file opens, and fails when it is read.
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[3 * 4096..].iter_mut().step_by(97).for_each(|byte| *byte ^= 0x55);
    std::fs::write(&file, bytes).unwrap();
    rig.reopen();
    let plan = plan::Topology { range: TimeRange::ALL, environment: None };
    wait("answers", || rig.engine().topology(&plan, &control()).is_ok());
    wait("made again", || !rig.engine().inner.rebuilding());
    assert_eq!(edges(&rig), known);
    rig.put(Signal::Traces, &[span(5, 1, T0)]);
    rig.seal();
}

#[test]
fn rollups_written_anew_are_the_same() {
    let mut rig = Rig::new();
    for round in 0..9 {
        rig.put(Signal::Traces, &[call(None, T0), call(Some(2), T0 + round * 60 * SECOND)]);
        rig.seal();
    }
    let mut known = edges(&rig);
    assert_eq!(known.len(), 1);
    let renew = || rig.engine().inner.renew_rollups();
    assert!(failpoint::failing("rollups copied", renew).is_err());
    for trace in 77..79 {
        renew().unwrap();
        assert_eq!(edges(&rig), known);
        // The new file is the one that is written to, and kept.
        rig.put(Signal::Traces, &[span(trace, 1, T0)]);
        rig.seal();
        assert_ne!(edges(&rig), known);
        known = edges(&rig);
    }
    rig.reopen();
    assert_eq!(edges(&rig), known);
    assert!(!rig.engine().inner.rebuilding());
}
