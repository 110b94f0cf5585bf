//! What rules cost that read rollups: `cargo run --release -p orrery-storage --example cells`.
//!
//! Twenty services over thirty days, stored as the engine stores them: ten-second rows of the last two days, minutes
//! before. A one-minute rule is replayed over all of it, and a thousand rules are judged at one moment, each of which looks
//! at all services. Prints JSON; times are of this thread's processor, seconds.

use orrery_model::Sym;
use orrery_query::answer::CellTable;
use orrery_query::answer::{EdgeKind, NodeKind};
use orrery_query::latency::Window;
use orrery_query::plan::{Cells, CellsOf, EdgeMeasure};
use orrery_query::{Control, TimeRange};
use orrery_storage::rollup::rows::{EdgeKey, InstanceKey, NodeRef, Part};
use orrery_storage::rollup::{Live, RollupRows, RollupStore};
use serde_json::json;
use std::time::{Duration, Instant};

const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 1_440 * MINUTE;
const END: i64 = 1_700_006_400 * SECOND;
const SERVICES: usize = 20;
const DAYS: i64 = 30;
const RULES: usize = 1_000;

/// Numbers that look random and are the same every time.
fn noise(a: i64, b: i64) -> i64 {
    let mixed = (a as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (b as u64).wrapping_mul(0xd6e8_feb8_6659_fd93);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33) as i64
}

/// What the services did between two times: forty calls each per step.
fn rows(from: i64, to: i64, step: i64) -> RollupRows {
    let mut rows = RollupRows::with_limit(usize::MAX);
    let names: Vec<Sym> = (0..SERVICES).map(|number| rows.names.intern(&format!("service-{number}"))).collect();
    let (version, instance) = (rows.names.intern("1.2"), rows.names.intern("pod-1"));
    for time in (from..to).step_by(step as usize) {
        for (number, service) in names.iter().enumerate() {
            let key = InstanceKey { time, service: *service, version, instance, part: Part::Entry };
            let row = rows.instance(key).expect("no limit");
            (row.first_unix_nano, row.last_unix_nano) = (time, time + step);
            for call in 0..40 {
                let random = noise(time / SECOND + call, number as i64);
                row.cells.record(5_000_000 + random % 200_000_000, random % 97 == 0, 1.0);
            }
            let node = |id: Sym| NodeRef { kind: NodeKind::Service, id };
            let (caller, callee) = (node(*service), node(names[(number + 1) % SERVICES]));
            let key = EdgeKey { time, caller, callee, kind: EdgeKind::Call, group: Sym::EMPTY };
            let edge = rows.edge(key).expect("no limit");
            (0..40)
                .for_each(|call| edge.caller.record(8_000_000 + noise(time / SECOND, call) % 90_000_000, false, 1.0));
        }
    }
    rows
}

/// Processor time of this thread. Linux.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux with scheduler statistics");
    text.split_whitespace().next().and_then(|nanos| nanos.parse::<f64>().ok()).expect("a number of nanoseconds") / 1e9
}

fn timed<T>(act: impl FnOnce() -> T) -> (T, f64, f64) {
    let (cpu, started) = (cpu_seconds(), Instant::now());
    let done = act();
    (done, cpu_seconds() - cpu, started.elapsed().as_secs_f64())
}

/// What a rule makes of a table at some moments: the sum of its values, so that nothing is left out as unused.
fn judged(
    table: &CellTable,
    moments: impl Iterator<Item = i64> + Clone,
    window: i64,
    quantile: Option<f64>,
) -> (u64, f64) {
    let (mut scratch, mut windows, mut sum) = (Window::default(), 0, 0.0);
    let ranges: Vec<TimeRange> = moments.map(|at| table.window(at, window, 10 * SECOND)).collect();
    for series in &table.series {
        series.slide(&mut scratch, quantile.is_some(), ranges.iter().copied(), |_, held| {
            windows += 1;
            sum += match quantile {
                Some(q) => held.quantile(q).unwrap_or(0) as f64,
                None => held.errors() / held.count().max(1.0),
            };
        });
    }
    (windows, sum)
}

fn main() {
    let dir = tempfile::tempdir().expect("a directory for temporary files");
    let store = RollupStore::open(&dir.path().join("rollups.duckdb")).expect("a new file");
    for day in 0..DAYS {
        let (from, to) = (END - (DAYS - day) * DAY, END - (DAYS - day - 1) * DAY);
        let step = if DAYS - day > 2 { MINUTE } else { 10 * SECOND };
        store.persist(day as u64, &rows(from, to, step)).expect("room on the disk");
    }
    store.thin(END).expect("room on the disk");
    let live = Live::new(rows(END - 5 * MINUTE, END, 10 * SECOND));
    let control = || Control::within(Duration::from_secs(120));
    let plan =
        |range, step_nanos, of, durations| Cells { range, step_nanos, coarse: None, of, environment: None, durations };
    let month = TimeRange { from: END - DAYS * DAY, to: END };
    let recent = TimeRange { from: END - 40 * MINUTE, to: END };
    let ask = |plan: &Cells, live: &[&Live]| store.cells(plan, live, &control()).expect("an answer").value;
    for (what, of, quantile) in [
        ("error ratio", CellsOf::Services(None), None),
        ("p95", CellsOf::Services(None), Some(0.95)),
        ("error ratio of edges", CellsOf::Edges { measure: EdgeMeasure::Caller, caller: None, callee: None }, None),
    ] {
        let replayed = plan(month, MINUTE, of.clone(), quantile.is_some());
        let (table, read_cpu, read) = timed(|| ask(&replayed, &[]));
        let moments = (1..=DAYS * 1_440).map(|minute| month.from + minute * MINUTE);
        let ((windows, sum), slide_cpu, slide) = timed(|| judged(&table, moments, MINUTE, quantile));
        let now = plan(recent, 10 * SECOND, of, quantile.is_some());
        let (table, fresh_cpu, fresh) = timed(|| ask(&now, &[&live]));
        let rules = || (0..RULES).map(|_| judged(&table, std::iter::once(END), MINUTE, quantile).0).sum::<u64>();
        let (judgements, judge_cpu, _) = timed(rules);
        let figures = json!({
            "what": what,
            "replay": { "days": DAYS, "windows": windows, "read_seconds": read, "read_cpu_seconds": read_cpu, "slide_seconds": slide,
                "slide_cpu_seconds": slide_cpu, "total_seconds": read + slide, "checksum": sum },
            "tick": { "rules": RULES, "judgements": judgements, "read_seconds": fresh, "read_cpu_seconds": fresh_cpu, "judge_cpu_seconds": judge_cpu },
        });
        println!("{figures}");
    }
}
