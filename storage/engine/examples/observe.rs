//! How fast spans become rollup rows: `cargo run --release -p orrery-storage --example observe`.
//!
//! Traces of ten spans over four services with 17 attributes each, in requests of 500 spans, one resource per request
//! as SDKs send them, so that children and parents arrive in different batches.

use orrery_model::{SpanBatch, SpanId, SpanKind, TraceId, Value};
use orrery_storage::rollup::{Observer, RollupRows};

const SERVICES: [&str; 4] = ["gateway", "orders", "payments", "stock"];
const SPANS_PER_TRACE: usize = 10;
const BATCH: usize = 500;
const START: i64 = 1_700_000_000_000_000_000;

/// (parent, service, kind) of each span of a trace.
const SHAPE: [(usize, usize, SpanKind); SPANS_PER_TRACE] = [
    (usize::MAX, 0, SpanKind::Server),
    (0, 0, SpanKind::Internal),
    (1, 0, SpanKind::Client),
    (2, 1, SpanKind::Server),
    (3, 1, SpanKind::Client), // its database
    (3, 1, SpanKind::Client),
    (5, 2, SpanKind::Server),
    (6, 2, SpanKind::Client), // an outside host
    (3, 1, SpanKind::Client),
    (8, 3, SpanKind::Server),
];

fn push(batch: &mut SpanBatch, trace: u64, span: usize, time: i64) {
    let (parent, _, kind) = SHAPE[span];
    let id = |span: usize| SpanId(trace.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (span as u64 + 1));
    let mut bytes = [7; 16];
    bytes[..8].copy_from_slice(&trace.wrapping_mul(0xd6e8_feb8_6659_fd93).to_be_bytes());
    let strings = &mut batch.context.strings;
    batch.trace_id.push(TraceId(bytes));
    batch.span_id.push(id(span));
    batch.parent_span_id.push(if parent == usize::MAX { SpanId::NONE } else { id(parent) });
    batch.trace_state.push(Default::default());
    batch.flags.push(0x101);
    batch.name.push(strings.intern(&format!("operation {}", trace % 7)));
    batch.kind.push(kind as u8);
    batch.start_time_unix_nano.push(time);
    batch.duration_nanos.push(((trace.wrapping_mul(2_654_435_761) % 50_000_000) + 1000) as i64 / (span as i64 + 1));
    batch.status_code.push(if trace.is_multiple_of(80) { 2 } else { 0 });
    batch.status_message.push(Default::default());
    batch.resource.push(0);
    batch.scope.push(0);
    let mut pair = |key: &str, text: &str| {
        let value = Value::String(strings.intern(text));
        batch.attributes.push(strings.intern(key), value);
    };
    match span {
        4 => [("db.system.name", "postgresql"), ("server.address", "pg.internal")]
            .into_iter()
            .for_each(|(k, v)| pair(k, v)),
        7 => pair("server.address", "api.bank.example"),
        _ => pair("server.address", SERVICES[SHAPE[span].1]),
    }
    (0..14).for_each(|n| pair(&format!("attribute.{n}"), &format!("value {}", trace % (n + 1))));
    let key = strings.intern("http.response.status_code");
    batch.attributes.push(key, Value::Int(200));
    batch.attributes.end_row();
    batch.event_ends.push(0);
    batch.link_ends.push(0);
}

fn requests(traces: u64) -> Vec<SpanBatch> {
    let fresh = |service: &str| {
        let mut batch = SpanBatch::default();
        let context = &mut batch.context;
        for (key, text) in [("service.name", service), ("service.version", "1.2"), ("service.instance.id", "pod-1")] {
            let value = Value::String(context.strings.intern(text));
            context.resource_attributes.push(context.strings.intern(key), value);
        }
        context.end_resource(Default::default(), 0);
        context.end_scope(Default::default());
        batch
    };
    let mut open = SERVICES.map(fresh);
    let mut full = Vec::new();
    for trace in 0..traces {
        for span in (0..SPANS_PER_TRACE).rev() {
            let service = SHAPE[span].1;
            push(&mut open[service], trace, span, START + trace as i64 * 100_000);
            if open[service].len() == BATCH {
                full.push(std::mem::replace(&mut open[service], fresh(SERVICES[service])));
            }
        }
    }
    full.extend(open);
    full
}

/// Processor time of this thread: other work on the machine does not count. Linux.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux with scheduler statistics");
    let nanos: f64 =
        text.split_whitespace().next().and_then(|nanos| nanos.parse().ok()).expect("a number of nanoseconds");
    nanos / 1e9
}

fn main() {
    let batches = requests(60_000);
    for _ in 0..3 {
        let (mut observer, mut rows) = (Observer::default(), RollupRows::default());
        let started = cpu_seconds();
        let mut spans = 0;
        for (at, batch) in batches.iter().enumerate() {
            spans += batch.len();
            observer.observe(batch, START + at as i64 * 5_000_000, &mut rows);
        }
        let seconds = cpu_seconds() - started;
        println!(
            "{:.0} spans per CPU second ({:.0} ns each); {} rows in {} KB; memory {} KB; {:?}",
            spans as f64 / seconds,
            seconds * 1e9 / spans as f64,
            rows.len(),
            rows.bytes() / 1024,
            observer.bytes() / 1024,
            observer.counters()
        );
    }
}
