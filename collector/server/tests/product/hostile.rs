//! Ten thousand hostile requests and more per transport, over real sockets: the contract's answers, memory in bounds, good
//! requests served beside them, everything accepted counted and found, also after a kill and after a stop.
//! `ORRERY_ROUNDS=50` repeats what is random more often; `ORRERY_SEED` makes it another.

use crate::server::{Server, data_dir};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric::Data};
use orrery_model::{Batch, Body, Compression, Encoding, Signal, SpanId, TraceId};
use orrery_receive::Decoder;
use orrery_synth::hostile::{self, Case, Expect};
use orrery_synth::wire::{self, Connection, Outcome, Transport};
use prost::Message;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

const CONNECTIONS: usize = 24;
/// One good request for so many hostile ones.
const GOOD: usize = 50;
/// Every so many accepted traces is looked up.
const SAMPLE: usize = 25;
/// What requests under way may hold by the receiver's budget.
const MEMORY_MIB: f64 = 512.0;

/// What the server must have counted, and some of what it must find.
#[derive(Default)]
struct Tally {
    accepted: BTreeMap<&'static str, u64>,
    rejected: BTreeMap<&'static str, u64>,
    traces: Vec<(TraceId, Vec<SpanId>)>,
    statuses: BTreeMap<(&'static str, u16), u64>,
}

fn body(case: &Case, is_json: bool) -> Body {
    let compression = match case.coding {
        // An empty gRPC message is empty, whatever its flag says.
        "gzip" if !case.body.is_empty() => Compression::Gzip,
        "zstd" if !case.body.is_empty() => Compression::Zstd,
        _ => Compression::Identity,
    };
    let signal = Signal::ALL[wire::Signal::ALL.iter().position(|signal| *signal == case.signal).unwrap()];
    let encoding = if is_json { Encoding::Json } else { Encoding::Protobuf };
    Body { signal, encoding, compression, received_unix_nano: 1, bytes: case.body.clone() }
}

/// How many items the reference decoder finds; `None` if it cannot read the body.
fn items(case: &Case) -> Option<usize> {
    let body = case.body.as_slice();
    Some(match case.signal {
        wire::Signal::Traces => {
            let request = ExportTraceServiceRequest::decode(body).ok()?;
            request.resource_spans.iter().flat_map(|group| &group.scope_spans).map(|scope| scope.spans.len()).sum()
        }
        wire::Signal::Logs => {
            let request = ExportLogsServiceRequest::decode(body).ok()?;
            request.resource_logs.iter().flat_map(|group| &group.scope_logs).map(|scope| scope.log_records.len()).sum()
        }
        wire::Signal::Metrics => {
            let request = ExportMetricsServiceRequest::decode(body).ok()?;
            let metrics = request.resource_metrics.iter().flat_map(|group| &group.scope_metrics);
            metrics.flat_map(|scope| &scope.metrics).map(points).sum()
        }
    })
}

fn points(metric: &Metric) -> usize {
    match &metric.data {
        None => 0,
        Some(Data::Gauge(data)) => data.data_points.len(),
        Some(Data::Sum(data)) => data.data_points.len(),
        Some(Data::Histogram(data)) => data.data_points.len(),
        Some(Data::ExponentialHistogram(data)) => data.data_points.len(),
        Some(Data::Summary(data)) => data.data_points.len(),
    }
}

impl Tally {
    fn count(&mut self, case: &Case, outcome: Outcome, is_json: bool) {
        let what = || format!("{}, {} {} bytes: {outcome:?}", case.group, case.signal.as_str(), case.body.len());
        let status = match outcome {
            Outcome::Acked(_) => 200,
            Outcome::Refused(status, _) => status,
            Outcome::Unknown => 0,
        };
        match case.expect {
            Expect::Status(expected) => assert_eq!(status, expected, "{}", what()),
            Expect::Any => assert!(matches!(status, 200 | 400), "{}", what()),
        }
        *self.statuses.entry((case.group, status)).or_default() += 1;
        let known = if is_json || !case.coding.is_empty() { None } else { items(case) };
        let (accepted, rejected) = (
            self.accepted.entry(case.signal.as_str()).or_default(),
            self.rejected.entry(case.signal.as_str()).or_default(),
        );
        let Outcome::Acked(said) = outcome else {
            assert!(case.expect != Expect::Any || known.is_none(), "the reference decoder reads it: {}", what());
            *rejected += 1;
            return;
        };
        let decoded =
            Decoder::default().decode_body(&body(case, is_json)).unwrap_or_else(|error| panic!("{error}: {}", what()));
        assert_eq!(said, decoded.rejected.total(), "{}", what());
        let kept = decoded.batch.len() as u64;
        assert!(known.is_none_or(|items| items as u64 == kept + said), "{known:?} items, {kept} kept: {}", what());
        *accepted += kept;
        *rejected += said;
        if let Batch::Traces(spans) = decoded.batch
            && !spans.is_empty()
        {
            let ids =
                (0..spans.len()).filter(|&row| spans.trace_id[row] == spans.trace_id[0]).map(|row| spans.span_id[row]);
            self.traces.push((spans.trace_id[0], ids.collect()));
        }
    }

    fn merge(&mut self, other: Tally) {
        let add = |into: &mut BTreeMap<_, u64>, from: BTreeMap<_, u64>| {
            from.into_iter().for_each(|(key, count)| *into.entry(key).or_default() += count)
        };
        add(&mut self.accepted, other.accepted);
        add(&mut self.rejected, other.rejected);
        other.statuses.into_iter().for_each(|(key, count)| *self.statuses.entry(key).or_default() += count);
        self.traces.extend(other.traces);
    }

    fn is_counted(&self, own: &Value, counter: &str) -> bool {
        self.accepted.iter().all(|(signal, count)| own["signals"][signal][counter] == *count)
    }

    fn is_rejected(&self, own: &Value) -> bool {
        self.rejected.iter().all(|(signal, count)| {
            let reasons =
                own["signals"][signal]["rejected"].as_object().into_iter().flat_map(|reasons| reasons.values());
            reasons.filter_map(Value::as_u64).sum::<u64>() == *count
        })
    }

    async fn is_found(&self, server: &Server) {
        for (trace, spans) in self.traces.iter().step_by(SAMPLE) {
            let found = server.ok(&format!("/api/v1/traces/{trace}")).await;
            let found: Vec<&str> =
                found["spans"].as_array().unwrap().iter().filter_map(|span| span["span_id"].as_str()).collect();
            for span in spans {
                assert!(found.contains(&span.to_string().as_str()), "{trace} {span} in {found:?}");
            }
        }
    }
}

async fn send(
    url: String,
    transport: Transport,
    is_json: bool,
    cases: Arc<Vec<Case>>,
    next: Arc<AtomicUsize>,
) -> Tally {
    let (mut tally, mut connection) = (Tally::default(), Connection::new(&url, transport).unwrap());
    loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let Some(case) = cases.get(at) else { return tally };
        let answer = connection.call(&case.call(transport, is_json)).await;
        let outcome =
            answer.and_then(|answer| answer.outcome()).unwrap_or_else(|error| panic!("{at} {}: {error:#}", case.group));
        tally.count(case, outcome, is_json);
        if at.is_multiple_of(GOOD) {
            let (call, trace) = hostile::good(at as u64, transport);
            assert_eq!(connection.call(&call).await.unwrap().outcome().unwrap(), Outcome::Acked(0));
            *tally.accepted.entry("traces").or_default() += 1;
            tally.traces.push((TraceId::from_bytes(&trace.to_be_bytes()).unwrap(), Vec::new()));
        }
    }
}

async fn check(transport: Transport, is_json: bool) {
    let seed = std::env::var("ORRERY_SEED").map_or(20_261_120, |seed| seed.parse().expect("ORRERY_SEED is a number"));
    let rounds = std::env::var("ORRERY_ROUNDS").map_or(4, |rounds| rounds.parse().expect("ORRERY_ROUNDS is a number"));
    println!("seed {seed}");
    let cases = if is_json { hostile::json(seed, 1, rounds) } else { hostile::protobuf(seed, 1, rounds, transport) };
    let (cases, next) = (Arc::new(cases), Arc::new(AtomicUsize::new(0)));
    let (_dir, data) = data_dir();
    let mut server = Server::start_in(&data);
    let url = if transport == Transport::Grpc { &server.otlp_grpc } else { &server.otlp_http };
    let (before, began) = (server.process.rss_mib(), Instant::now());
    let senders: Vec<_> = (0..CONNECTIONS)
        .map(|_| tokio::spawn(send(url.clone(), transport, is_json, Arc::clone(&cases), Arc::clone(&next))))
        .collect();
    let mut tally = Tally::default();
    for sender in senders {
        tally.merge(sender.await.expect("every answer is the contract's"));
    }
    let grown = server.process.peak_rss_mib() - before;
    println!(
        "{} requests in {:?}, memory grew by {grown:.0} MiB at most: {:?}",
        cases.len(),
        began.elapsed(),
        tally.statuses
    );
    assert!(server.is_running());
    assert!(grown < MEMORY_MIB, "{grown} MiB");
    server
        .until("/api/v1/self", |own| {
            tally.is_counted(own, "accepted") && tally.is_counted(own, "queryable") && tally.is_rejected(own)
        })
        .await;
    tally.is_found(&server).await;
    // All of it goes through the log again, and then into segments.
    server.kill();
    drop(server);
    let mut server = Server::start_in(&data);
    server.until("/api/v1/self", |own| tally.is_counted(own, "accepted") && tally.is_counted(own, "queryable")).await;
    tally.is_found(&server).await;
    assert!(server.terminate().0.success());
    drop(server);
    let server = Server::start_in(&data);
    tally.is_found(&server).await;
    assert_eq!(server.get("/readyz").await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_protobuf_over_http() {
    check(Transport::Http, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_json_over_http() {
    check(Transport::Http, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_protobuf_over_grpc() {
    check(Transport::Grpc, false).await;
}
