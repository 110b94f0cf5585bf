//! A start that goes on before the log of the last run was read.

use super::*;
use orrery_model::{Batch, Body, DecodeError};
use parking_lot::{Condvar, Mutex};

/// Decodes nothing until it is let go.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    fn let_go(&self) {
        *self.open.lock() = true;
        self.changed.notify_all();
    }
}

impl Decode for Gate {
    fn decode(&self, body: &Body) -> Result<Batch, DecodeError> {
        let mut open = self.open.lock();
        while !*open {
            self.changed.wait(&mut open);
        }
        Items.decode(body)
    }
}

/// A directory with three spans of trace 1 in its log, and the beginning of a record in a file of its own.
fn left_behind() -> tempfile::TempDir {
    let mut rig = Rig::new();
    for number in 1..=3 {
        rig.put(Signal::Traces, &[span(1, number, T0)]);
    }
    let wal = rig.engine().inner.dir.wal();
    rig.engine = None;
    std::fs::write(wal.join(format!("{:020}.wal", 3)), b"ORRYWAL1ORW1 and no more").unwrap();
    rig.dir
}

fn open(dir: &std::path::Path, gate: &Arc<Gate>) -> Engine {
    let config = Config { open_within: Some(Duration::ZERO), ..config(dir) };
    Engine::open(config, Arc::clone(gate) as _).unwrap()
}

#[test]
fn telemetry_is_taken_before_the_log_was_read_and_answers_say_what_they_lack() {
    let (dir, gate) = (left_behind(), Arc::new(Gate::default()));
    let mut rig = Rig { engine: Some(open(dir.path(), &gate)), dir };
    rig.append(Signal::Traces, &[span(1, 4, T0)]).unwrap();
    let health = rig.engine().health();
    assert!(health.wal_unread_bytes > 0 && health.warnings[0].contains("still being read"), "{health:?}");
    let trace = || rig.engine().trace(&plan::Trace { trace_id: items::trace_id("1") }, &control()).unwrap();
    let services =
        || rig.engine().services(&plan::Services { range: TimeRange::ALL, environment: None, points: 0 }, &control());
    assert!(trace().partial.is_some() && services().unwrap().partial.is_some());
    assert_eq!(trace().value.spans.len(), 0);
    gate.let_go();
    wait("all is read", || rig.engine().health().wal_unread_bytes == 0);
    rig.settled();
    assert!(trace().partial.is_none() && services().unwrap().partial.is_none());
    assert_eq!(trace().value.spans.len(), 4);
    let health = rig.engine().health();
    assert!(health.warnings.is_empty(), "{health:?}");
    assert_eq!((health.signals[&Signal::Traces].accepted, health.signals[&Signal::Traces].queryable), (4, 4));
    for _ in 0..2 {
        rig.reopen();
        assert_eq!(rig.trace("1").len(), 4);
        rig.seal();
    }
    assert_eq!(rig.engine().health().signals, health.signals);
}

#[test]
fn an_engine_closed_before_the_log_was_read_loses_nothing() {
    let (dir, gate) = (left_behind(), Arc::new(Gate::default()));
    let mut rig = Rig { engine: Some(open(dir.path(), &gate)), dir };
    rig.append(Signal::Traces, &[span(1, 4, T0)]).unwrap();
    std::thread::scope(|scope| {
        let engine = rig.engine();
        let closing = scope.spawn(|| engine.close());
        wait("it is stopping", || engine.inner.stopping.load(Ordering::Acquire));
        gate.let_go();
        closing.join().unwrap();
    });
    rig.reopen();
    assert_eq!(rig.trace("1").len(), 4);
    let health = rig.engine().health();
    assert!(health.warnings.is_empty(), "{health:?}");
    assert_eq!(health.signals[&Signal::Traces].accepted, 4);
}
