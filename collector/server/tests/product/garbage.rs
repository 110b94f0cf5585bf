//! A hundred requests of garbage per transport: the statuses of the contract, the process alive, good data beside it kept.

use crate::otlp;
use crate::server::Server;
use http::uri::PathAndQuery;
use orrery_synth::replay::Raw;
use prost::Message;
use std::time::Duration;
use tonic::Code;
use tonic::transport::Endpoint;

const REQUESTS: u64 = 100;
/// One good request for so many bad ones.
const GOOD: u64 = 10;

/// Bytes that look less and less like OTLP: cut off, flipped, random. Seeded by `number`.
fn garbage(number: u64) -> Vec<u8> {
    let mut bytes = otlp::checkout(1_000_000 + number, false).encode_to_vec();
    let mut random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    match number % 4 {
        0 => bytes.truncate(1 + next() as usize % (bytes.len() - 1)),
        1 => (0..20).for_each(|_| {
            let at = next() as usize % bytes.len();
            bytes[at] ^= next() as u8 | 1;
        }),
        2 => bytes = (0..1 + next() % 2000).map(|_| next() as u8).collect(),
        _ => bytes = [&[0x0a; 4000][..], &bytes].concat(),
    }
    bytes
}

async fn check_http(server: &Server, content_type: &str, body: impl Fn(u64) -> Vec<u8>) {
    for number in 0..REQUESTS {
        let signal = ["traces", "logs", "metrics"][number as usize % 3];
        let status = otlp::post(server, signal, content_type, body(number)).await.expect("an answer");
        assert!(matches!(status, 200 | 400 | 413), "{content_type} {number}: {status}");
        if number % GOOD == 0 {
            otlp::over_http(server, "traces", &otlp::checkout(number + 1, false)).await;
        }
    }
    good_data_is_there(server).await;
}

async fn good_data_is_there(server: &Server) {
    for number in (0..REQUESTS).step_by(GOOD as usize) {
        let path = format!("/api/v1/traces/{:032x}", otlp::trace_of(number + 1));
        let trace = server.until(&path, |trace| trace["spans"].is_array()).await;
        assert_eq!(trace["spans"].as_array().map(Vec::len), Some(8));
    }
    assert_eq!(server.get("/readyz").await.0, 200);
}

#[tokio::test]
async fn garbage_over_http_as_protobuf() {
    let mut server = Server::start();
    check_http(&server, "application/x-protobuf", garbage).await;
    assert!(server.is_running());
    let rejected = server.ok("/api/v1/self").await["signals"]["traces"]["rejected"].clone();
    assert!(rejected.as_object().is_some_and(|reasons| !reasons.is_empty()), "what is rejected is counted: {rejected}");
}

#[tokio::test]
async fn garbage_over_http_as_json() {
    let mut server = Server::start();
    let bodies = |number: u64| {
        let good = otlp::json_span(7, number + 1, "x").to_string();
        match number % 5 {
            0 => good.as_bytes()[..good.len() / 2].to_vec(),
            1 => garbage(number),
            2 => good.replace("spanId", "spanID ").replace("traceId", "trace").into_bytes(),
            3 => "[".repeat(100_000).into_bytes(),
            _ => good.replace('{', "[").into_bytes(),
        }
    };
    check_http(&server, "application/json", bodies).await;
    assert!(server.is_running());
}

#[tokio::test]
async fn garbage_over_grpc() {
    let mut server = Server::start();
    let channel = Endpoint::from_shared(server.otlp_grpc.clone())
        .unwrap()
        .timeout(Duration::from_secs(20))
        .connect()
        .await
        .unwrap();
    for number in 0..REQUESTS {
        let service =
            ["trace.v1.TraceService", "logs.v1.LogsService", "metrics.v1.MetricsService"][number as usize % 3];
        let path: PathAndQuery = format!("/opentelemetry.proto.collector.{service}/Export").parse().unwrap();
        let mut client = tonic::client::Grpc::new(channel.clone());
        client.ready().await.unwrap();
        let answer = client.unary(tonic::Request::new(garbage(number)), path, Raw).await;
        let code = answer.map_or_else(|status| status.code(), |_| Code::Ok);
        assert!(matches!(code, Code::Ok | Code::InvalidArgument | Code::ResourceExhausted), "{number}: {code:?}");
        if number % GOOD == 0 {
            otlp::traces_over_grpc(&server, otlp::checkout(number + 1, false)).await;
        }
    }
    good_data_is_there(&server).await;
    assert!(server.is_running());
}
