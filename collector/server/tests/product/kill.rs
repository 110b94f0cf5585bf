//! kill -9 under load: what was acknowledged is there afterwards, once.

use crate::otlp::{self, SpanOf};
use crate::server::{Server, data_dir};
use futures_util::StreamExt;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const ROUNDS: u64 = 20;
const SENDERS: u64 = 4;
/// Spans of a request, all of one trace.
const SPANS: u64 = 25;
/// Between two requests of a sender: every one of them is looked up in the end, which takes longer than sending it.
const PAUSE: Duration = Duration::from_millis(10);

/// What senders did: every request has a number and is one trace.
#[derive(Default)]
struct Ledger {
    next: AtomicU64,
    acknowledged: Mutex<HashSet<u64>>,
}

fn request(number: u64) -> ExportTraceServiceRequest {
    let span = |at| SpanOf {
        trace: trace(number),
        id: number * 100 + at + 1,
        parent: 0,
        name: "load",
        kind: SpanKind::Server,
        ago: 20,
        took: 5,
        failed: false,
    };
    let spans = (0..SPANS).map(|at| span(at).with(vec![otlp::int("test.seq", (number * SPANS + at) as i64)])).collect();
    ExportTraceServiceRequest { resource_spans: vec![otlp::spans("load", spans)] }
}

fn trace(number: u64) -> u128 {
    0xacce_5500_0000_0000_0000_0000_0000_0000 | u128::from(number)
}

/// Sends until the server is gone; half of the senders over gRPC, half over HTTP.
async fn send(server: (String, String), ledger: Arc<Ledger>, stop: Arc<AtomicBool>, over_grpc: bool) {
    let (otlp_http, otlp_grpc) = server;
    let http = reqwest::Client::new();
    let mut grpc = TraceServiceClient::connect(otlp_grpc).await.expect("a connection");
    while !stop.load(Ordering::Relaxed) {
        let number = ledger.next.fetch_add(1, Ordering::Relaxed);
        let request = request(number);
        let acknowledged = if over_grpc {
            grpc.export(request).await.is_ok()
        } else {
            let sent = http
                .post(format!("{otlp_http}/v1/traces"))
                .header("content-type", "application/x-protobuf")
                .body(request.encode_to_vec())
                .send()
                .await;
            match sent {
                // An acknowledgement is one when it has been read to its end.
                Ok(response) => response.status().is_success() && response.bytes().await.is_ok(),
                Err(_) => false,
            }
        };
        if acknowledged {
            ledger.acknowledged.lock().expect("no panic while counting").insert(number);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_nothing_is_there_twice() {
    let (_dir, data) = data_dir();
    let ledger = Arc::new(Ledger::default());
    let mut random = otlp::now() | 1;
    println!("seed {random}");
    for round in 0..ROUNDS {
        let mut server = Server::start_in(&data);
        let before = ledger.acknowledged.lock().unwrap().len();
        let stop = Arc::new(AtomicBool::new(false));
        let addresses = (server.otlp_http.clone(), server.otlp_grpc.clone());
        let senders: Vec<_> = (0..SENDERS)
            .map(|at| tokio::spawn(send(addresses.clone(), Arc::clone(&ledger), Arc::clone(&stop), at % 2 == 0)))
            .collect();
        // Xorshift: anywhere from at once to past the first seal-worthy pile.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        tokio::time::sleep(Duration::from_millis(150 + random % 700)).await;
        server.kill();
        stop.store(true, Ordering::Relaxed);
        for sender in senders {
            sender.await.expect("a sender ends when its server is gone");
        }
        let after = ledger.acknowledged.lock().unwrap().len();
        println!("round {round}: started in {:?}, {} requests acknowledged", server.started_in, after - before);
    }
    let server = Server::start_in(&data);
    let acknowledged = ledger.acknowledged.lock().unwrap().clone();
    let sent = ledger.next.load(Ordering::Relaxed);
    assert!(acknowledged.len() as u64 >= ROUNDS, "there was load: {}", acknowledged.len());
    let (server, acknowledged) = (&server, &acknowledged);
    let check = async |number: u64| {
        let (status, found) = server.get(&format!("/api/v1/traces/{:032x}", trace(number))).await;
        let spans = found["spans"].as_array().cloned().unwrap_or_default();
        let distinct: HashSet<String> = spans.iter().map(|span| span["span_id"].to_string()).collect();
        assert_eq!(distinct.len(), spans.len(), "trace {number} has a span twice");
        match acknowledged.contains(&number) {
            true => assert_eq!((status, spans.len() as u64), (200, SPANS), "trace {number} was acknowledged"),
            false => assert!(spans.is_empty() || spans.len() as u64 == SPANS, "trace {number} is there by half"),
        }
    };
    futures_util::stream::iter(0..sent).for_each_concurrent(4, check).await;
    println!("{ROUNDS} rounds, {} of {sent} requests acknowledged, all there, none twice", acknowledged.len());
}
