//! Attributes of spans.

use crate::shape::Shape;
use crate::world::{Endpoint, World};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

fn pair(key: impl Into<String>, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

/// An attribute of text.
pub(crate) fn text(key: impl Into<String>, value: impl Into<String>) -> KeyValue {
    pair(key, Value::StringValue(value.into()))
}

/// An attribute of a whole number.
pub(crate) fn int(key: impl Into<String>, value: i64) -> KeyValue {
    pair(key, Value::IntValue(value))
}

/// What a span does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Answers a request to an endpoint.
    Serve(usize),
    /// Makes one.
    Call(usize),
    /// Asks its service's database.
    Query,
    /// Hands over a message.
    Publish,
    /// Takes one.
    Consume,
    /// Computes.
    Compute,
}

impl Work {
    /// OTLP span kind.
    pub(crate) fn kind(self) -> i32 {
        match self {
            Work::Compute => 1,
            Work::Serve(_) => 2,
            Work::Call(_) | Work::Query => 3,
            Work::Publish => 4,
            Work::Consume => 5,
        }
    }
}

const TABLES: [&str; 8] = ["orders", "carts", "users", "items", "prices", "events", "sessions", "stock"];
const FUNCTIONS: [&str; 6] = ["validate", "render", "price_lines", "authorize", "serialize", "score"];

/// Name of a span.
pub(crate) fn name(work: Work, service: usize, world: &World, rng: &mut Xoshiro256PlusPlus) -> String {
    match work {
        Work::Serve(endpoint) => format!("{} {}", world.endpoints[endpoint].method, world.endpoints[endpoint].route),
        Work::Call(endpoint) => world.endpoints[endpoint].method.to_owned(),
        Work::Query => format!("SELECT {}", TABLES[rng.random_range(0..TABLES.len())]),
        Work::Publish => format!("send {}", topic(service)),
        Work::Consume => format!("process {}", topic(service)),
        Work::Compute => FUNCTIONS[rng.random_range(0..FUNCTIONS.len())].to_owned(),
    }
}

fn topic(service: usize) -> &'static str {
    TABLES[service % TABLES.len()]
}

/// What a request carries along from service to service: the same on all spans of a trace.
pub(crate) fn carried(shape: &Shape, rng: &mut Xoshiro256PlusPlus) -> Vec<KeyValue> {
    if !shape.is_rich {
        return Vec::new();
    }
    vec![
        text("enduser.id", format!("user-{}", rng.random_range(0..200_000))),
        text("session.id", uuid(rng)),
        text("tenant.name", format!("tenant-{}", rng.random_range(0..40))),
        text("app.baggage", baggage(rng)),
    ]
}

/// Attributes of a span.
pub(crate) fn attributes(
    shape: &Shape,
    world: &World,
    (work, service): (Work, usize),
    failed: bool,
    carried: &[KeyValue],
    rng: &mut Xoshiro256PlusPlus,
) -> Vec<KeyValue> {
    let mut all = if shape.is_rich { rich(shape, world, work, service, failed, rng) } else { bare(world, work) };
    all.extend_from_slice(carried);
    for _ in 0..shape.unique_ids {
        let key = ["request.id", "message.id", "job.id"][all.len() % 3];
        all.retain(|pair| pair.key != key);
        all.push(text(key, uuid(rng)));
    }
    for _ in 0..shape.extra_attributes {
        let extra = extra(shape, rng);
        if all.iter().all(|pair| pair.key != extra.key) {
            all.push(extra);
        }
    }
    all
}

fn bare(world: &World, work: Work) -> Vec<KeyValue> {
    let peer = match work {
        Work::Call(endpoint) | Work::Serve(endpoint) => world.services[world.endpoints[endpoint].service].clone(),
        _ => "none".to_owned(),
    };
    vec![
        text("server.address", peer),
        text("network.peer.address", "10.1.2.3"),
        text("http.route", "/telemetry/generated/lets-go"),
    ]
}

fn rich(
    shape: &Shape,
    world: &World,
    work: Work,
    service: usize,
    failed: bool,
    rng: &mut Xoshiro256PlusPlus,
) -> Vec<KeyValue> {
    let mut all = vec![
        int("thread.id", rng.random_range(1..64)),
        text("thread.name", format!("worker-{}", rng.random_range(1..64))),
        text("code.function.name", format!("synth::{}::{}", TABLES[service % 8], FUNCTIONS[rng.random_range(0..6)])),
        text("code.file.path", format!("src/{}/handler.rs", TABLES[service % 8])),
        int("code.line.number", rng.random_range(1..900)),
    ];
    let status = if failed { 503 } else { [200, 200, 200, 201, 204][rng.random_range(0..5)] };
    match work {
        Work::Serve(endpoint) => {
            all.extend(http(&world.endpoints[endpoint], status, rng));
            all.push(text("url.scheme", "https"));
            all.push(text("client.address", format!("10.{}.{}.7", rng.random_range(0..4), rng.random_range(0..250))));
            all.push(text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) synth/1"));
        }
        Work::Call(endpoint) => {
            let target = &world.endpoints[endpoint];
            all.extend(http(target, status, rng));
            let host = &world.services[target.service];
            all.push(text("url.full", format!("https://{host}:8080{}?page={}", target.route, rng.random_range(0..99))));
            all.push(text("server.address", host.clone()));
            all.push(int("server.port", 8080));
        }
        Work::Query => {
            let table = TABLES[rng.random_range(0..TABLES.len())];
            let mut query =
                format!("SELECT id, state, total FROM {table} WHERE owner = $1 AND state = $2 ORDER BY id LIMIT $3");
            if rng.random_bool(shape.long_queries) {
                query = format!("SELECT {} FROM {table}", vec!["a_rather_long_column_name"; 150].join(", "));
            }
            all.extend([
                text("db.system.name", "postgresql"),
                text("db.namespace", world.services[service].clone()),
                text("db.collection.name", table),
                text("db.operation.name", "SELECT"),
                text("db.query.text", query),
                text("server.address", format!("pg-{}.internal", service % 6)),
                int("server.port", 5432),
                int("db.response.returned_rows", rng.random_range(0..500)),
            ]);
        }
        Work::Publish | Work::Consume => all.extend([
            text("messaging.system", "kafka"),
            text("messaging.destination.name", topic(service)),
            text("messaging.operation.type", if work == Work::Publish { "send" } else { "process" }),
            text("messaging.message.id", uuid(rng)),
            int("messaging.kafka.offset", rng.random_range(0..10_000_000)),
            text("messaging.destination.partition.id", format!("{}", rng.random_range(0..12))),
            text("messaging.client.id", format!("{}-client", world.services[service])),
            text("messaging.consumer.group.name", "synth"),
        ]),
        Work::Compute => all.extend([
            text("work.stage", FUNCTIONS[rng.random_range(0..6)]),
            int("work.items", rng.random_range(1..2000)),
            pair("work.score", Value::DoubleValue(f64::from(rng.random_range(0..1000)) / 1000.0)),
            pair("work.cached", Value::BoolValue(rng.random_bool(0.5))),
            text(
                "work.input",
                format!("s3://synth-input/{:012x}/part-{}.json", rng.random::<u64>() >> 16, rng.random_range(0..64)),
            ),
            text("work.output", format!("s3://synth-output/{:012x}.parquet", rng.random::<u64>() >> 16)),
        ]),
    }
    if failed {
        all.push(text("error.type", "UpstreamUnavailable"));
    }
    all
}

/// What applications carry along: long, and mostly alike.
fn baggage(rng: &mut Xoshiro256PlusPlus) -> String {
    let feature = ["checkout", "browse", "returns", "search"][rng.random_range(0..4)];
    let (cohort, variant, campaign) = (rng.random_range(1..13), rng.random_range(0..4), rng.random_range(0..60));
    format!(
        "feature={feature};cohort=2026-{cohort:02};experiment=one-page-checkout;variant={variant};\
         entry=https://shop.example/landing/{campaign};consent=analytics+marketing"
    )
}

fn http(endpoint: &Endpoint, status: i64, rng: &mut Xoshiro256PlusPlus) -> [KeyValue; 6] {
    [
        text("http.request.method", endpoint.method),
        text("http.route", endpoint.route.clone()),
        text("url.path", endpoint.route.replace("{id}", &rng.random_range(0..1_000_000).to_string())),
        int("http.response.status_code", status),
        text("network.protocol.version", "1.1"),
        int("http.response.body.size", rng.random_range(100..100_000)),
    ]
}

/// An attribute of the pool: nine of ten from the common keys, of all types.
fn extra(shape: &Shape, rng: &mut Xoshiro256PlusPlus) -> KeyValue {
    let common = (shape.extra_keys * 9 / 10).max(1);
    let rare = rng.random_bool(0.02);
    let at =
        if rare { rng.random_range(common..shape.extra_keys.max(common + 1)) } else { rng.random_range(0..common) };
    let key = format!("app.field.{at:03}");
    match at % 5 {
        0 => int(key, rng.random_range(0..5000)),
        1 => pair(key, Value::DoubleValue(rng.random::<f64>() * 100.0)),
        2 => pair(key, Value::BoolValue(rng.random_bool(0.3))),
        3 => {
            let values = (0..3).map(|n| AnyValue { value: Some(Value::StringValue(format!("item-{n}"))) }).collect();
            pair(key, Value::ArrayValue(ArrayValue { values }))
        }
        _ => text(key, format!("value-{}", rng.random_range(0..300))),
    }
}

fn uuid(rng: &mut Xoshiro256PlusPlus) -> String {
    let (a, b): (u64, u64) = (rng.random(), rng.random());
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xfff,
        b >> 48 & 0xfff,
        b & 0xffff_ffff_ffff
    )
}
