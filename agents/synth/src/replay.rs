//! Sends a corpus over OTLP/HTTP or gRPC, at a rate or as fast as answers come.
//!
//! At a rate the schedule does not wait for the receiver (open loop), and an answer's time counts from when its request
//! was due, so that a slow receiver cannot hide.

use crate::corpus::Corpus;
use anyhow::{Context, Result};
use bytes::{Buf, BufMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::task::JoinSet;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;

/// Where and how to send.
#[derive(Clone, Debug)]
pub struct Target {
    /// Base URL of the receiver.
    pub url: String,
    /// gRPC instead of HTTP.
    pub is_grpc: bool,
    /// Requests under way at once.
    pub connections: u64,
}

/// How much, and how fast.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Number of the first request.
    pub first: u64,
    /// How many requests.
    pub requests: u64,
    /// Spans per second; as fast as answers come if `None`.
    pub spans_per_second: Option<f64>,
}

/// What became of it.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// Spans acknowledged.
    pub acked_spans: u64,
    /// Spans in acknowledged requests that were not kept.
    pub rejected_spans: u64,
    /// Spans refused, by status; 0 is no answer.
    pub refused_spans: BTreeMap<i32, u64>,
    /// Bytes of bodies, compressed.
    pub bytes: u64,
    /// From the time a request was due to its acknowledgement, milliseconds, in order.
    pub ack_millis: Vec<f64>,
    /// How long it took.
    pub seconds: f64,
}

impl Sent {
    /// The answer time below which a share of all were.
    pub fn ack_quantile(&self, share: f64) -> f64 {
        quantile(&self.ack_millis, share)
    }
}

/// A quantile of ordered values; NaN of none.
pub fn quantile(ordered: &[f64], share: f64) -> f64 {
    let at = ((ordered.len() as f64 - 1.0) * share).round();
    ordered.get(at.max(0.0) as usize).copied().unwrap_or(f64::NAN)
}

/// Unix nanoseconds.
pub fn now_unix_nano() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// Sends requests and waits for all answers.
///
/// # Errors
/// There is nobody to connect to. What receivers answer is in the result, not an error.
pub async fn send(corpus: &Arc<Corpus>, target: &Target, plan: Plan) -> Result<Sent> {
    let run = Arc::new(Run {
        corpus: Arc::clone(corpus),
        plan,
        next: AtomicU64::new(0),
        started: Instant::now(),
        rounds: Mutex::default(),
        sent: Mutex::default(),
    });
    let mut workers = JoinSet::new();
    for _ in 0..target.connections.max(1) {
        let sender = Sender::new(target).await?;
        workers.spawn(Arc::clone(&run).work(sender));
    }
    workers.join_all().await;
    let mut sent = std::mem::take(&mut *run.sent.lock().expect("no worker panics"));
    sent.seconds = run.started.elapsed().as_secs_f64();
    sent.ack_millis.sort_by(f64::total_cmp);
    Ok(sent)
}

struct Run {
    corpus: Arc<Corpus>,
    plan: Plan,
    next: AtomicU64,
    started: Instant,
    /// When each round began: all its spans are shifted alike.
    rounds: Mutex<BTreeMap<u64, u64>>,
    sent: Mutex<Sent>,
}

impl Run {
    async fn work(self: Arc<Run>, mut sender: Sender) {
        loop {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            if at >= self.plan.requests {
                return;
            }
            let number = self.plan.first + at;
            let due = match self.plan.spans_per_second {
                None => Instant::now(),
                Some(rate) => {
                    let spans = self.corpus.spans_of(number) - self.corpus.spans_of(self.plan.first);
                    let due = self.started + Duration::from_secs_f64(spans as f64 / rate);
                    tokio::time::sleep_until(due.into()).await;
                    due
                }
            };
            let round = number / self.corpus.requests();
            let now = *self.rounds.lock().expect("no worker panics").entry(round).or_insert_with(now_unix_nano);
            let fresh = self.corpus.request(number, now);
            let (answer, bytes) = sender.send(fresh.body).await;
            let mut sent = self.sent.lock().expect("no worker panics");
            sent.bytes += bytes as u64;
            match answer {
                Ok(rejected) => {
                    sent.acked_spans += fresh.spans - rejected.min(fresh.spans);
                    sent.rejected_spans += rejected;
                    sent.ack_millis.push(due.elapsed().as_secs_f64() * 1e3);
                }
                Err(status) => *sent.refused_spans.entry(status).or_default() += fresh.spans,
            }
        }
    }
}

const NO_ANSWER: i32 = 0;

enum Sender {
    Http { client: reqwest::Client, url: String },
    Grpc(tonic::client::Grpc<Channel>),
}

impl Sender {
    async fn new(target: &Target) -> Result<Sender> {
        if !target.is_grpc {
            let client = reqwest::Client::builder().no_proxy().build()?;
            return Ok(Sender::Http { client, url: format!("{}/v1/traces", target.url) });
        }
        let endpoint = Channel::from_shared(target.url.clone())?;
        let channel = endpoint.connect().await.with_context(|| format!("cannot connect to {}", target.url))?;
        Ok(Sender::Grpc(tonic::client::Grpc::new(channel).send_compressed(CompressionEncoding::Gzip)))
    }

    /// Spans rejected, or why nothing was kept (HTTP's status, gRPC's code negated); and bytes sent.
    async fn send(&mut self, body: Vec<u8>) -> (Result<u64, i32>, usize) {
        match self {
            Sender::Http { client, url } => {
                let body = gzip(&body);
                let bytes = body.len();
                let request = client.post(url.as_str()).header("content-type", "application/x-protobuf");
                let answer = request.header("content-encoding", "gzip").body(body).send().await;
                (read_answer(answer).await, bytes)
            }
            Sender::Grpc(grpc) => {
                let bytes = body.len();
                if grpc.ready().await.is_err() {
                    return (Err(NO_ANSWER), 0);
                }
                let path =
                    http::uri::PathAndQuery::from_static("/opentelemetry.proto.collector.trace.v1.TraceService/Export");
                match grpc.unary(tonic::Request::new(body), path, Raw).await {
                    Ok(answer) => (rejected(answer.get_ref()), bytes),
                    Err(status) => (Err(-(status.code() as i32)), bytes),
                }
            }
        }
    }
}

/// An acknowledgement is one when it has been read to its end.
async fn read_answer(answer: reqwest::Result<reqwest::Response>) -> Result<u64, i32> {
    let answer = answer.map_err(|_| NO_ANSWER)?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(|_| NO_ANSWER)?;
    if status.is_success() { rejected(&body) } else { Err(i32::from(status.as_u16())) }
}

/// What an OTLP answer says was not kept.
fn rejected(answer: &[u8]) -> Result<u64, i32> {
    let answer = ExportTraceServiceResponse::decode(answer).map_err(|_| NO_ANSWER)?;
    Ok(answer.partial_success.map_or(0, |partial| partial.rejected_spans.max(0) as u64))
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder.write_all(body).and_then(|()| encoder.finish()).expect("memory takes everything")
}

/// A gRPC codec of messages that are bytes already.
#[derive(Clone, Copy, Debug, Default)]
pub struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = tonic::Status;

    fn encode(&mut self, item: Vec<u8>, out: &mut EncodeBuf<'_>) -> Result<(), tonic::Status> {
        out.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = tonic::Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Self::Item>, tonic::Status> {
        Ok(Some(from.copy_to_bytes(from.remaining()).into()))
    }
}
