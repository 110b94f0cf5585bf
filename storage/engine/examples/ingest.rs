//! How fast spans become durable and queryable, and how many bytes they take sealed.
//!
//! `cargo run --release -p orrery-storage --example ingest -- [spans] [spans per request]`. Rates are per second of
//! processor time of the whole process: decoding is not part of it (batches are made before), the log, the tables in
//! memory, the rollups and sealing are.

#[path = "../tests/support/shop.rs"]
mod shop;

use orrery_query::{Control, Store, TimeRange, plan};
use orrery_storage::{Config, Engine};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let total = arguments.next().transpose()?.unwrap_or(500_000);
    let per_request = arguments.next().transpose()?.unwrap_or(1_000);
    let dir = tempfile::tempdir()?;
    let config = Config {
        hot_bytes: 8 << 30,
        seal_bytes: Some(1 << 30),
        queue_bytes: 1 << 30,
        retention: None,
        ..Config::new(dir.path())
    };
    let engine = Engine::open(config, Arc::new(shop::Shop))?;
    let requests: Vec<_> = (0..total / per_request).map(|seed| shop::request(seed, per_request)).collect();
    let acknowledged = Arc::new(AtomicU64::new(0));
    let (started, cpu) = (Instant::now(), processor_seconds());
    for (body, batch) in requests {
        let acknowledged = Arc::clone(&acknowledged);
        let done = Box::new(move |result: Result<(), _>| {
            result.expect("the queue is long enough");
            acknowledged.fetch_add(1, Ordering::Relaxed);
        });
        engine.append(body, batch, done);
    }
    let spans = || engine.health().signals.remove(&orrery_model::Signal::Traces).unwrap_or_default();
    while spans().durable < total {
        std::thread::sleep(Duration::from_millis(5));
    }
    let durable = (started.elapsed(), processor_seconds() - cpu);
    while spans().queryable < total {
        std::thread::sleep(Duration::from_millis(5));
    }
    let queryable = (started.elapsed(), processor_seconds() - cpu);
    report("durable", total, durable);
    report("queryable", total, queryable);
    let before = processor_seconds();
    while engine.health().hot_bytes > 0 {
        std::thread::sleep(Duration::from_millis(100));
        anyhow::ensure!(started.elapsed() < Duration::from_secs(900), "not sealed in time");
    }
    let health = engine.health();
    println!("sealed     {:>6.2} s of processor time", processor_seconds() - before);
    println!(
        "           {:>6.1} bytes per span, {} segments",
        health.sealed_bytes as f64 / total as f64,
        health.segments
    );
    queries(&engine, total / per_request, per_request)?;
    let memory = std::fs::read_to_string("/proc/self/status")?;
    let peak = memory.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("unknown");
    println!("memory     {} at most, the batches to send included", peak.trim());
    println!("log        {:>6.1} bytes per span received", spans().received_bytes as f64 / total as f64);
    Ok(())
}

/// Processor time of some questions over the sealed rows; the first of each pays for checksums.
fn queries(engine: &Engine, requests: u64, per_request: u64) -> anyhow::Result<()> {
    let control = || Control::within(Duration::from_secs(60));
    let search = |attributes: &[(&str, &str)]| plan::Traces {
        range: TimeRange::ALL,
        service: None,
        operation: None,
        error: None,
        min_duration_nanos: None,
        max_duration_nanos: None,
        attributes: attributes
            .iter()
            .map(|(key, value)| plan::AttributeFilter { key: (*key).into(), value: (*value).into(), negated: false })
            .collect(),
        limit: 20,
        cursor: None,
    };
    let ids = |at: u64| shop::ids((at * 7919) % requests, per_request);
    timed("trace by id", 20, |at| {
        let trace_id = ids(at)[at as usize % per_request as usize].0;
        Ok(engine.trace(&plan::Trace { trace_id }, &control())?.value.spans.len())
    })?;
    timed("newest 20 traces", 5, |_| Ok(engine.traces(&search(&[]), &control())?.value.traces.len()))?;
    let common = [("http.response.status_code", "500")];
    timed("newest 20 with a 500", 5, |_| Ok(engine.traces(&search(&common), &control())?.value.traces.len()))?;
    let rare = [("order.id", "0000000000000000")];
    timed("attribute in the map, none", 5, |_| Ok(engine.traces(&search(&rare), &control())?.value.traces.len()))?;
    Ok(())
}

fn timed(what: &str, times: u64, ask: impl Fn(u64) -> anyhow::Result<usize>) -> anyhow::Result<()> {
    let first = ask(0)?;
    let cpu = processor_seconds();
    for at in 0..times {
        ask(at)?;
    }
    println!(
        "{what:<28} {:>7.1} ms of processor time, {first} found",
        (processor_seconds() - cpu) * 1e3 / times as f64
    );
    Ok(())
}

fn report(what: &str, spans: u64, (elapsed, cpu): (Duration, f64)) {
    println!(
        "{what:<10} {:>6.2} s, {:>9.0} spans/s; {cpu:>6.2} s of processor time, {:>9.0} spans per processor second",
        elapsed.as_secs_f64(),
        spans as f64 / elapsed.as_secs_f64(),
        spans as f64 / cpu
    );
}

/// User and system time of this process, seconds.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<u64> = stat
        .rsplit(") ")
        .next()
        .unwrap_or("")
        .split(' ')
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse().ok())
        .collect();
    // Linux counts in hundredths.
    fields.iter().sum::<u64>() as f64 / 100.0
}
