//! A small data directory with everything a format has to keep, and everything that can be asked of it, as JSON.

#![allow(dead_code, reason = "not every user of this file needs all of it")]

use crate::items::{self, Item, MetricItem, pairs, raw};
use orrery_model::{Signal, TraceId};
use orrery_query::answer::{AttributeMap, Red, SpanRow};
use orrery_query::{Control, Store, TimeRange, plan};
use orrery_storage::{Config, Engine};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// Start of all times, Unix nanoseconds.
const T0: i64 = 1_700_000_000_000_000_000;
const SECOND: i64 = 1_000_000_000;
/// Slices that are sealed: eight of them are merged, the others stay as sealed.
const SEALED: u64 = 10;

pub(crate) fn config(dir: &Path, seal_after: Duration) -> Config {
    Config {
        seal_after,
        retention: None,
        disk_reserve_bytes: 0,
        query_memory_bytes: 256 << 20,
        linger: Duration::ZERO,
        ..Config::new(dir)
    }
}

/// Writes the directory with the engine there is: merged segments, segments as sealed, and a log that is not sealed.
pub(crate) fn write(dir: &Path) {
    let engine = Engine::open(config(dir, Duration::ZERO), Arc::new(items::Items)).expect("opens");
    for round in 0..SEALED {
        put(&engine, round);
        until("sealed", || engine.health().hot_bytes == 0);
    }
    // Of each signal one merged segment and what came after.
    until("merged", || engine.health().segments == 3 * (1 + SEALED - 8));
    engine.count_rejected(Signal::Traces, "no_trace_id", 3);
    let pin = plan::Pin { trace_id: items::trace_id("3"), max_spans: 1000 };
    engine.pin(&pin, &Control::within(Duration::from_secs(60))).expect("pinned");
    drop(engine);
    let engine = Engine::open(config(dir, Duration::from_secs(3600)), Arc::new(items::Items)).expect("opens");
    put(&engine, SEALED);
    drop(engine);
    // What a start makes again, and what says nothing.
    for name in ["rollups.duckdb", "rollups.duckdb.wal", "lock"] {
        _ = std::fs::remove_file(dir.join(name));
    }
    _ = std::fs::remove_dir_all(dir.join("tmp"));
    _ = std::fs::remove_dir_all(dir.join("quarantine"));
}

fn put(engine: &Engine, round: u64) {
    for (signal, items) in
        [(Signal::Traces, spans(round)), (Signal::Logs, logs(round)), (Signal::Metrics, points(round))]
    {
        let (send, done) = mpsc::channel();
        let (body, batch) = (items::body(signal, &items), items::batch(signal, &items));
        engine.append(body, batch, Box::new(move |result| _ = send.send(result)));
        done.recv().expect("answers").expect("accepted");
    }
    until("queryable", || engine.health().signals.values().all(|signal| signal.queryable == signal.durable));
}

pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A request of a gateway that asks a service that asks a database: attributes frequent, rare and of mixed type.
fn spans(round: u64) -> Vec<Item> {
    const MIXED: [&str; 6] = ["\"200\"", "200", "200.0", "true", "[1,\"x\"]", "{\"bytesValue\":\"AAEC\"}"];
    let start = T0 + round as i64 * 60 * SECOND;
    let span = |number: u64, service: &str, name: &str, kind: u8| Item {
        resource: pairs(json!({
            "service.name": service, "service.namespace": "shop", "service.version": "1.2.3",
            "deployment.environment.name": "prod", "host.name": "h1",
        })),
        attributes: pairs(
            json!({"http.route": "/cart", "http.response.status_code": 200, "ratio": 0.5, "cached": true}),
        ),
        trace: (round + 1).to_string(),
        span: round * 10 + number,
        parent: if number > 1 { round * 10 + number - 1 } else { 0 },
        time: start + number as i64 * 1_000_000,
        duration: 50_000_000 - number as i64 * 10_000_000,
        name: name.to_owned(),
        kind,
        ..Item::default()
    };
    let mut items = vec![
        span(1, "gateway", "GET /cart", 2),
        span(2, "gateway", "GET", 3),
        span(3, "cart", "GET /cart", 2),
        span(4, "cart", "SELECT carts", 3),
    ];
    items[1].attributes.insert("mixed".into(), raw(MIXED[round as usize % MIXED.len()]));
    items[2].attributes.insert(format!("rare.{round}"), raw("\"한\\n\""));
    items[2].events = vec![(start, "exception".into(), pairs(json!({"exception.type": "E", "n": round})))];
    items[2].links = vec![("99".into(), round + 1, pairs(json!({"why": "because"})))];
    items[3].attributes.extend(pairs(json!({"db.system.name": "postgresql", "server.address": "db.internal"})));
    items[3].error = round.is_multiple_of(3);
    items
}

fn logs(round: u64) -> Vec<Item> {
    let bodies = [json!("plain text"), json!({"structured": [1, true]}), Value::Null];
    let log = |(at, body): (usize, &Value)| Item {
        resource: pairs(json!({"service.name": "cart", "service.namespace": "shop"})),
        attributes: pairs(json!({"logger": "main", format!("rare.{round}"): at})),
        trace: (round + 1).to_string(),
        span: round * 10 + 3,
        time: T0 + round as i64 * 60 * SECOND + at as i64,
        body: Some(raw(&body.to_string())),
        severity: 9 + 4 * at as u8,
        ..Item::default()
    };
    bodies.iter().enumerate().map(log).collect()
}

fn points(round: u64) -> Vec<Item> {
    let time = T0 + round as i64 * 60 * SECOND;
    let point = |name: &str, metric: MetricItem, value: Option<&str>| Item {
        resource: pairs(json!({"service.name": "agent", "host.name": "h1"})),
        attributes: pairs(json!({"device": "eth0"})),
        time,
        name: name.to_owned(),
        value: value.map(raw),
        metric: Some(metric),
        ..Item::default()
    };
    let metric = |kind| MetricItem { kind, unit: "By".into(), start: T0, ..MetricItem::default() };
    let histogram = items::histogram(&[1.0, 10.0], &[round, 1, 2]);
    vec![
        point("memory", metric(1), Some("0.5")),
        point(
            "received",
            MetricItem { temporality: 2, monotonic: true, ..metric(2) },
            Some(&(round * 600).to_string()),
        ),
        point("latency", MetricItem { temporality: 1, distribution: Some(histogram), ..metric(3) }, None),
    ]
}

/// Everything that can be asked, in an order that does not depend on the engine.
pub(crate) fn answers(engine: &Engine) -> Value {
    let control = || Control::within(Duration::from_secs(60));
    let range = TimeRange { from: T0 - SECOND, to: T0 + 3600 * SECOND };
    let asking = |query: &str| {
        let query = orrery_query::traceql::parse(query).expect("a query");
        plan::Traces { query, ..plan::Traces::all(range) }
    };
    let (traces, failed) = (plan::Traces::all(range), asking("{ status = error }"));
    let mixed = asking("{ .mixed = \"200\" || .mixed = 200 }");
    let found = |plan: &plan::Traces| engine.traces(plan, &control()).expect("answers").value.traces;
    let spans = |id| engine.trace(&plan::Trace { trace_id: id }, &control()).expect("answers").value.spans;
    let mixed: Vec<TraceId> = found(&mixed).iter().map(|trace| trace.trace_id).collect();
    let is_200 = |trace: &TraceId| {
        let says = |span: &SpanRow| span.attributes.get("mixed").is_some_and(|value| value == "200" || value == 200);
        spans(*trace).iter().any(says)
    };
    let filter = plan::LogFilter {
        range,
        service: None,
        min_severity: None,
        text: None,
        trace_id: None,
        span_id: None,
        attributes: Vec::new(),
    };
    let logs = engine.logs(&plan::Logs { filter, limit: 500, cursor: None }, &control()).expect("answers").value.logs;
    let names = engine.metric_names(&plan::MetricNames { range, service: None }, &control()).expect("answers").value;
    let metric = |name: &str| {
        let plan = plan::Metric {
            name: name.into(),
            range,
            step_nanos: 60 * SECOND,
            service: None,
            attributes: Vec::new(),
            group_by: vec!["device".into()],
            aggregation: None,
            limit: 10,
        };
        let series = engine.metric(&plan, &control()).expect("answers").value;
        series.into_iter().map(|series| json!([series.group, series.unit, series.points])).collect::<Vec<_>>()
    };
    let topology = engine.topology(&plan::Topology { range, environment: None }, &control()).expect("answers").value;
    json!({
        "traces": found(&traces).iter().map(|trace| json!({
            "trace_id": trace.trace_id.to_string(), "root": trace.root_name, "spans": trace.span_count,
            "errors": trace.error_count, "duration_nanos": trace.duration_nanos,
        })).collect::<Vec<_>>(),
        "failed": found(&failed).iter().map(|trace| trace.trace_id.to_string()).collect::<Vec<_>>(),
        // 200.0 is found as well, being the same number.
        "mixed is 200": mixed.iter().filter(|id| is_200(id)).map(TraceId::to_string).collect::<Vec<_>>(),
        "spans": found(&traces).iter().flat_map(|trace| spans(trace.trace_id)).map(span_json).collect::<Vec<_>>(),
        "logs": logs.into_iter().map(|log| json!({
            "time": log.time_unix_nano, "observed": log.observed_time_unix_nano, "severity": log.severity_number,
            "severity_text": log.severity_text, "body": log.body, "trace": log.trace_id.to_string(),
            "span": log.span_id.0, "service": log.service.to_string(), "attributes": log.attributes,
            "resource": log.resource, "scope": log.scope_name,
        })).collect::<Vec<_>>(),
        "metrics": names.iter().map(|name| json!({
            "name": name.name, "description": name.description, "unit": name.unit, "kind": name.kind,
            "monotonic": name.is_monotonic, "services": name.services, "keys": name.attribute_keys,
            "series": metric(&name.name),
        })).collect::<Vec<_>>(),
        "linking": found(&asking("{ link:traceID = \"00000000000000000000000000000063\" }")).len(),
        "pinned": engine.pins().0.iter().map(|pin| json!([
            pin.trace_id.to_string(), pin.root_name, pin.root_service.to_string(), pin.span_count, pin.error_count,
            pin.duration_nanos,
        ])).collect::<Vec<_>>(),
        "nodes": topology.nodes.iter().map(|node| json!([node.id, node.kind, red(&node.red)])).collect::<Vec<_>>(),
        "edges": topology.edges.iter().map(|edge| json!([edge.caller, edge.callee, edge.kind, red(&edge.red)])).collect::<Vec<_>>(),
        "counters": engine.health().signals.into_iter().map(|(signal, counted)| (signal.to_string(), json!({
            "accepted": counted.accepted, "queryable": counted.queryable, "rejected": counted.rejected,
            "dropped": counted.dropped,
        }))).collect::<serde_json::Map<_, _>>(),
    })
}

fn red(red: &Red) -> Value {
    json!([red.count, red.errors, red.sum_nanos])
}

fn span_json(span: SpanRow) -> Value {
    let pairs = |attributes: &AttributeMap| json!(attributes);
    json!({
        "trace": span.trace_id.to_string(), "span": span.span_id.0, "parent": span.parent_span_id.0,
        "trace_state": span.trace_state, "flags": span.flags, "name": span.name, "kind": span.kind,
        "start": span.start_time_unix_nano, "duration": span.duration_nanos, "status": span.status_code as u8,
        "message": span.status_message, "service": span.service.to_string(), "attributes": pairs(&span.attributes),
        "resource": pairs(&span.resource), "scope": [span.scope_name, span.scope_version],
        "events": span.events.iter().map(|event| json!([event.time_unix_nano, event.name, pairs(&event.attributes)])).collect::<Vec<_>>(),
        "links": span.links.iter().map(|link| json!([link.trace_id.to_string(), link.span_id.0, pairs(&link.attributes)])).collect::<Vec<_>>(),
        "dropped": [span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count],
    })
}

/// A copy of a directory: the original is not to be changed.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// Opens a copy and asks everything, once the rollups are there again.
pub(crate) fn answers_of(data: &Path) -> Value {
    let dir = tempfile::tempdir().expect("a directory");
    copy(data, dir.path());
    let config = config(dir.path(), Duration::from_secs(3600));
    let engine = Engine::open(config, Arc::new(items::Items)).expect("opens");
    until("rollups are there", || engine.health().warnings.is_empty());
    answers(&engine)
}
