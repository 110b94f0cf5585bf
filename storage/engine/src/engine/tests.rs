//! The engine as a whole, on real directories and a real query engine.

mod crash;
mod export;
mod metrics;
mod pins;
mod restart;
mod retention;
mod round_trip;
mod sandbox;
mod search;
mod start;
mod trace;
mod traceql;

use super::*;
use crate::items::{self, Item, Items, body, pairs, raw};
use orrery_model::{SpanId, SpanKind, StatusCode};
use orrery_query::answer::{LogRow, SpanRow, TraceSummary};
use orrery_query::plan;
use orrery_query::{AppendError, Control, Store, TimeRange};
use serde_json::json;
use std::sync::mpsc;
use std::time::{Duration, Instant};

const SECOND: i64 = 1_000_000_000;
/// Some time long ago, so that nothing depends on the clock.
const T0: i64 = 1_700_000_000 * SECOND;

struct Rig {
    dir: tempfile::TempDir,
    engine: Option<Engine>,
}

/// Nothing is sealed or dropped unless a test asks for it.
fn config(dir: &std::path::Path) -> Config {
    Config {
        seal_after: Duration::from_secs(3600),
        retention: None,
        disk_reserve_bytes: 0,
        query_memory_bytes: 256 << 20,
        hot_bytes: 256 << 20,
        query_threads: 2,
        compact: false,
        linger: Duration::ZERO,
        ..Config::new(dir)
    }
}

impl Rig {
    fn new() -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let engine = Some(Engine::open(config(dir.path()), Arc::new(Items)).unwrap());
        Rig { dir, engine }
    }

    fn engine(&self) -> &Engine {
        self.engine.as_ref().unwrap()
    }

    fn reopen(&mut self) {
        self.reopen_with(|_| ());
    }

    fn reopen_with(&mut self, change: impl FnOnce(&mut Config)) {
        self.engine = None;
        let mut config = config(self.dir.path());
        change(&mut config);
        self.engine = Some(Engine::open(config, Arc::new(Items)).unwrap());
    }

    fn append(&self, signal: Signal, items: &[Item]) -> Result<(), AppendError> {
        let (send, receive) = mpsc::channel();
        let batch = items::batch(signal, items);
        self.engine().append(body(signal, items), batch, Box::new(move |result| _ = send.send(result)));
        receive.recv_timeout(Duration::from_secs(20)).unwrap()
    }

    /// Appends and waits until it is visible.
    fn put(&self, signal: Signal, items: &[Item]) {
        self.append(signal, items).unwrap();
        self.settled();
    }

    fn settled(&self) {
        wait("everything durable is queryable", || {
            let health = self.engine().health();
            health.signals.values().all(|signal| signal.queryable == signal.durable)
                && self.engine().inner.visible_seq()
                    >= self.engine().inner.current.get().slices[0].progress.lock().next_seq
        });
    }

    /// Seals everything on this thread. `None` for no failure; else the step to break off at.
    fn seal(&self) {
        let inner = &self.engine().inner;
        inner.begin_slice_soon();
        wait("sealed", || inner.current.get().slices.len() == 1);
    }

    fn trace(&self, id: &str) -> Vec<SpanRow> {
        let plan = plan::Trace { trace_id: items::trace_id(id) };
        self.engine().trace(&plan, &control()).unwrap().value.spans
    }

    fn search(&self, plan: &plan::Traces) -> Vec<TraceSummary> {
        self.engine().traces(plan, &control()).unwrap().value.traces
    }

    fn logs(&self, filter: plan::LogFilter) -> Vec<LogRow> {
        let plan = plan::Logs { filter, limit: 100, cursor: None };
        self.engine().logs(&plan, &control()).unwrap().value.logs
    }
}

fn control() -> Control {
    Control::within(Duration::from_secs(30))
}

pub(super) fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn all_traces() -> plan::Traces {
    plan::Traces::all(TimeRange::ALL)
}

/// What a query finds at any time.
fn asking(query: &str) -> plan::Traces {
    plan::Traces { query: orrery_query::traceql::parse(query).unwrap(), ..all_traces() }
}

fn all_logs() -> plan::LogFilter {
    plan::LogFilter {
        range: TimeRange::ALL,
        service: None,
        min_severity: None,
        text: None,
        trace_id: None,
        span_id: None,
        attributes: Vec::new(),
    }
}

fn equals(key: &str, value: &str) -> plan::AttributeFilter {
    plan::AttributeFilter { key: key.into(), value: value.into(), negated: false }
}

fn span(trace: u64, span: u64, time: i64) -> Item {
    Item {
        resource: pairs(json!({"service.name": "cart", "host.name": "h1"})),
        trace: trace.to_string(),
        span,
        time,
        name: "GET /cart".into(),
        kind: 2,
        duration: 5_000_000,
        ..Item::default()
    }
}

fn log(time: i64, body: &str) -> Item {
    Item {
        resource: pairs(json!({"service.name": "cart"})),
        time,
        body: Some(raw(&serde_json::to_string(body).unwrap())),
        severity: 9,
        ..Item::default()
    }
}
