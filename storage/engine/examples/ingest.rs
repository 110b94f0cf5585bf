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
    let search = |query: &str| {
        let query = orrery_query::traceql::parse(query).expect("a query");
        plan::Traces { query, limit: 20, ..plan::Traces::all(TimeRange::ALL) }
    };
    let ids = |at: u64| shop::ids((at * 7919) % requests, per_request);
    timed("trace by id", 20, |at| {
        let trace_id = ids(at)[at as usize % per_request as usize].0;
        Ok(engine.trace(&plan::Trace { trace_id }, &control())?.value.spans.len())
    })?;
    for (what, query) in [
        ("newest 20 traces", "{ }"),
        ("of a service", "{ resource.service.name = \"cart\" }"),
        ("with a 500", "{ span.http.response.status_code = 500 }"),
        ("attribute in the map, none", "{ span.order.id = \"0000000000000000\" }"),
        ("without a scope, none", "{ .http.response.status_code = 599 }"),
        ("slow ones, none", "{ span:duration > 1h }"),
        ("structural", "{ resource.service.name = \"gateway\" } >> { status = error }"),
        ("many spans", "{ status = error } | count() > 3"),
    ] {
        timed(what, 5, |_| Ok(engine.traces(&search(query), &control())?.value.traces.len()))?;
    }
    let range = TimeRange { from: shop::T0, to: shop::T0 + requests as i64 * 1_000_000 + 1_000_000_000 };
    for (what, query) in [
        ("rate by service", "{ } | rate() by (resource.service.name)"),
        ("p99 of errors", "{ status = error } | quantile_over_time(span:duration, 0.99)"),
        ("heatmap", "{ span:kind = server } | histogram_over_time(span:duration)"),
        ("compare", "{ } | compare({ status = error })"),
    ] {
        let query = orrery_query::traceql::parse(query)?;
        let plan = plan::TraceSeries { range, query, step_nanos: (range.nanos() / 60).max(1) };
        timed(what, 2, |_| Ok(usize::from(engine.trace_series(&plan, &control())?.partial.is_some())))?;
    }
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
