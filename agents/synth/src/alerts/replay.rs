//! How long it takes to say what a rule would have said over a month.

use super::traffic::{Fault, System};
use super::{SECOND, say};
use crate::bench::round;
use crate::send::now_unix_nano;
use crate::server::Server;
use crate::wire::{Call, Compression, Connection, Signal, Transport};
use anyhow::Result;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde_json::{Map, Value, json};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(900);
/// Something happens in one second of so many.
const EVERY: i64 = 60;
/// Seconds of which something is in one request.
const TOGETHER: i64 = 60 * EVERY;
/// Times each question is asked.
const TIMES: usize = 5;
/// A service fails for an hour twice a day.
const FAILS_EVERY: i64 = 12 * 3_600;

/// Stores so many days of a system's life and replays rules over them.
pub(super) async fn run(orrery: &Path, services: usize, days: u64) -> Result<Value> {
    let temporary = tempfile::tempdir()?;
    let server = Server::start(orrery, &temporary.path().join("data"), None).await?;
    let to = now_unix_nano() as i64 / SECOND / 60 * 60 - 120;
    let range = to - days as i64 * 86_400..to;
    say(&format!("storing {days} days"));
    store(&server, services, range.clone()).await?;
    server.settle(PATIENCE).await?;
    let mut figures = Map::new();
    for (name, measure, above) in [
        ("error_ratio", json!({ "signal": "requests", "figure": "error_ratio" }), 0.05),
        ("p95", json!({ "signal": "requests", "figure": "p95" }), 0.2),
        ("edge_error_ratio", json!({ "signal": "calls", "figure": "error_ratio" }), 0.05),
        ("edge_p95", json!({ "signal": "calls", "figure": "p95" }), 0.2),
    ] {
        say(name);
        figures.insert(name.to_owned(), ask(&server, &measure, above, &range).await?);
    }
    figures.insert("spans".to_owned(), json!(server.counted(Signal::Traces, "queryable").await?));
    figures.insert("peak_rss_mib".to_owned(), json!(server.process.peak_rss_mib().round()));
    Ok(Value::Object(figures))
}

async fn store(server: &Server, services: usize, range: Range<i64>) -> Result<()> {
    let system = System::new(services, 1);
    for (number, from) in range.clone().step_by(FAILS_EVERY as usize).enumerate() {
        system.fail(Fault { service: number % services, seconds: from + 3_600..from + 7_200 });
    }
    let mut connection = Connection::new(&server.url(Transport::Http), Transport::Http)?;
    let (mut sent, mut from) = (0, range.start);
    while from < range.end {
        let to = range.end.min(from + TOGETHER);
        let seconds: Vec<i64> = (from..to).step_by(EVERY as usize).collect();
        let of_service = |service: usize| {
            let mut all = seconds.iter().map(|second| system.spans(service, *second..second + 1));
            let mut first = all.next()?;
            first.scope_spans[0].spans.extend(all.flat_map(|more| more.scope_spans).flat_map(|scope| scope.spans));
            Some(first)
        };
        let resource_spans: Vec<_> = (0..services).filter_map(of_service).collect();
        sent += resource_spans.iter().map(|all| all.scope_spans[0].spans.len() as u64).sum::<u64>();
        let body = Compression::Gzip.pack(ExportTraceServiceRequest { resource_spans }.encode_to_vec());
        let call = Call::http(Signal::Traces, "application/x-protobuf", Compression::Gzip.name(), body);
        loop {
            let answer = connection.call(&call).await?;
            match answer.status {
                200 => break,
                429 | 503 => tokio::time::sleep(Duration::from_millis(200)).await,
                other => anyhow::bail!("telemetry was answered with {other}"),
            }
        }
        from = to;
    }
    server.until_queryable(Signal::Traces, sent, PATIENCE).await
}

/// A rule every minute over the range: milliseconds of the whole request.
async fn ask(server: &Server, measure: &Value, above: f64, range: &Range<i64>) -> Result<Value> {
    let rule = json!({
        "name": "draft",
        "measure": measure,
        "window": "1m",
        "every": "1m",
        "for": "2m",
        "level": [{ "severity": "critical", "when": { "above": above } }],
    });
    let path = format!("/api/v1/alerting/replay?from={}&to={}", range.start * SECOND, range.end * SECOND);
    let mut millis = Vec::new();
    let (mut answer, cpu) = (Value::Null, server.process.cpu_seconds());
    for _ in 0..TIMES {
        let said = server.send(reqwest::Method::POST, &path, &json!({ "rules": [rule] })).await?;
        anyhow::ensure!(said.status.is_success(), "{}", String::from_utf8_lossy(&said.body));
        millis.push(said.millis);
        answer = serde_json::from_slice(&said.body)?;
    }
    let draft = &answer["drafts"][0];
    Ok(json!({
        "first_ms": round(millis[0]),
        "slowest_ms": round(millis.iter().copied().fold(0.0, f64::max)),
        "fastest_ms": round(millis.iter().copied().fold(f64::INFINITY, f64::min)),
        "cpu_ms": round((server.process.cpu_seconds() - cpu) * 1e3 / TIMES as f64),
        "judgements": draft["judgements"],
        "instances": draft["instances"],
        "fired": draft["fired"],
        "partial": answer["partial"],
    }))
}
