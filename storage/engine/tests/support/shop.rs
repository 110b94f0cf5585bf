//! Synthetic spans of a shop, made from a seed: bodies are the seed, padded to the size a compressed request has.

#![allow(dead_code, reason = "not every user of this file needs all of it")]

use orrery_model::batch::Scope;
use orrery_model::{
    Batch, Body, Compression, Decode, DecodeError, Encoding, Signal, SpanBatch, SpanId, Sym, TraceId, Value,
};

/// Start of all times, Unix nanoseconds.
pub(crate) const T0: i64 = 1_700_000_000_000_000_000;
const SERVICES: [&str; 8] = ["gateway", "auth", "catalog", "cart", "orders", "payments", "inventory", "shipping"];
/// Compressed bytes per span, about what SDKs send.
const BODY_BYTES: u64 = 70;

/// Decodes requests made here.
pub(crate) struct Shop;

impl Decode for Shop {
    fn decode(&self, body: &Body) -> Result<Batch, DecodeError> {
        let number =
            |at: usize| -> Option<u64> { Some(u64::from_le_bytes(body.bytes.get(at..at + 8)?.try_into().ok()?)) };
        match (number(0), number(8)) {
            (Some(seed), Some(spans)) => Ok(Batch::Traces(self::spans(seed, spans))),
            _ => Err(DecodeError { signal: body.signal, reason: "too short".into() }),
        }
    }
}

/// Request number `seed`: traces of ten spans each, ids unique over all seeds.
pub(crate) fn request(seed: u64, spans: u64) -> (Body, Batch) {
    let mut bytes = seed.to_le_bytes().to_vec();
    bytes.extend_from_slice(&spans.to_le_bytes());
    let mut state = seed;
    while bytes.len() < (spans * BODY_BYTES) as usize {
        bytes.extend_from_slice(&mix(&mut state).to_le_bytes());
    }
    let body = Body {
        signal: Signal::Traces,
        encoding: Encoding::Protobuf,
        compression: Compression::Gzip,
        received_unix_nano: T0 + seed as i64 * 1_000_000,
        bytes,
    };
    (body, Batch::Traces(self::spans(seed, spans)))
}

/// The ids of a request's spans.
pub(crate) fn ids(seed: u64, spans: u64) -> Vec<(TraceId, SpanId)> {
    (0..spans).map(|row| (trace(seed, row), SpanId(seed << 24 | (row + 1)))).collect()
}

fn trace(seed: u64, row: u64) -> TraceId {
    let mut state = (seed << 20) | (row / 10);
    let (high, low) = (mix(&mut state), mix(&mut state));
    TraceId((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
}

fn spans(seed: u64, count: u64) -> SpanBatch {
    let mut batch = SpanBatch::default();
    let mut state = seed ^ 0xabcd;
    for service in SERVICES {
        let context = &mut batch.context;
        for (key, value) in [
            ("service.name", service.to_owned()),
            ("service.namespace", "shop".to_owned()),
            ("service.version", "1.4.2".to_owned()),
            ("host.name", format!("node-{}", seed % 5)),
            ("k8s.pod.name", format!("{service}-{}", seed % 7)),
            ("deployment.environment.name", "prod".to_owned()),
            ("telemetry.sdk.language", "rust".to_owned()),
        ] {
            let (key, value) = (context.strings.intern(key), context.strings.intern(&value));
            context.resource_attributes.push(key, Value::String(value));
        }
        context.end_resource(Sym::EMPTY, 0);
    }
    let name = batch.context.strings.intern("opentelemetry-rust");
    batch.context.end_scope(Scope { name, ..Scope::default() });
    for row in 0..count {
        push(&mut batch, seed, row, &mut state);
    }
    batch
}

fn push(batch: &mut SpanBatch, seed: u64, row: u64, state: &mut u64) {
    let depth = row % 10;
    let service = (depth * 7 + row / 10) % SERVICES.len() as u64;
    let status = [200, 200, 200, 200, 201, 404, 500][(mix(state) % 7) as usize];
    let route = format!("/api/v1/things/{}", mix(state) % 40);
    batch.trace_id.push(trace(seed, row));
    batch.span_id.push(SpanId(seed << 24 | (row + 1)));
    batch.parent_span_id.push(if depth == 0 { SpanId::NONE } else { SpanId(seed << 24 | row) });
    batch.trace_state.push(Sym::EMPTY);
    batch.flags.push(1);
    batch.kind.push(if depth.is_multiple_of(2) { 2 } else { 3 });
    batch.start_time_unix_nano.push(T0 + (seed as i64 * 1_000 + row as i64) * 1_000 + (mix(state) % 900) as i64);
    batch.duration_nanos.push((mix(state) % 50_000_000) as i64);
    batch.status_code.push(if status == 500 { 2 } else { 0 });
    batch.status_message.push(Sym::EMPTY);
    batch.resource.push(service as u32);
    batch.scope.push(0);
    let strings = &mut batch.context.strings;
    batch.name.push(strings.intern(&format!("GET {route}")));
    let mut text = |key: &str, value: &str| {
        let (key, value) = (strings.intern(key), strings.intern(value));
        batch.attributes.push(key, Value::String(value));
    };
    text("http.request.method", "GET");
    text("http.route", &route);
    text("url.path", &format!("{route}/{}", mix(state) % 100_000));
    text("server.address", SERVICES[service as usize]);
    text("user.id", &format!("user-{}", mix(state) % 20_000));
    text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/128.0");
    text("client.address", &format!("10.0.{}.{}", mix(state) % 200, mix(state) % 250));
    if row.is_multiple_of(50) {
        text("order.id", &format!("{:016x}", mix(state)));
    }
    for (key, value) in
        [("http.response.status_code", status), ("server.port", 8080), ("thread.id", (mix(state) % 16) as i64)]
    {
        let key = batch.context.strings.intern(key);
        batch.attributes.push(key, Value::Int(value));
    }
    batch.attributes.end_row();
    batch.dropped_attributes_count.push(0);
    batch.dropped_events_count.push(0);
    batch.dropped_links_count.push(0);
    batch.event_ends.push(0);
    batch.link_ends.push(0);
}

/// splitmix64: random enough, and the same everywhere.
fn mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}
