//! A receiver in this process, and a client with one connection to each of its ports.

use super::limits;
use super::shape::{Coding, Sent, Shape, Transport};
use crate::oracle::RECEIVED;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use orrery_model::{Batch, Body, Encoding, Signal};
use orrery_receive::{Config, Receiver, Refused, Sender, Sink};
use prost::Message;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

pub(crate) static CLIENT: LazyLock<Mutex<Client>> = LazyLock::new(|| Mutex::new(Client::start()));

type Http1 = hyper::client::conn::http1::SendRequest<Full<Bytes>>;
type Http2 = hyper::client::conn::http2::SendRequest<Full<Bytes>>;

/// What a request came to, in HTTP's codes for both transports.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) rejected: u64,
    pub(crate) stored: Option<(Body, Batch)>,
}

pub(crate) struct Client {
    runtime: Runtime,
    sink: Arc<Memory>,
    http: SocketAddr,
    grpc: SocketAddr,
    http1: Option<Http1>,
    http2: Option<Http2>,
}

#[derive(Default)]
struct Memory(Mutex<Option<(Body, Batch)>>);

impl Sink for Memory {
    fn append(&self, body: Body, batch: Batch) -> BoxFuture<'_, Result<(), Refused>> {
        let before = self.0.lock().unwrap().replace((body, batch));
        assert!(before.is_none(), "stored twice");
        Box::pin(std::future::ready(Ok(())))
    }

    fn rejected(&self, _signal: Signal, _reason: &'static str, _count: u64, _sender: &Sender<'_>) {}

    fn dropped(&self, _signal: Signal, _reason: &'static str, _count: u64) {}
}

impl Client {
    fn start() -> Client {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // Rust's own `main` ignores it; under libFuzzer's, a write to a receiver that has hung up would end the process
        // without a word.
        _ = runtime.block_on(async { signal(SignalKind::pipe()) }).unwrap();
        let sink = Arc::new(Memory::default());
        let config = Config { limits: limits(), ..Config::default() };
        let receiver = Receiver::with_clock(sink.clone(), config, || RECEIVED);
        let bind = || runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let (http_listener, grpc_listener) = (bind(), bind());
        let (http, grpc) = (http_listener.local_addr().unwrap(), grpc_listener.local_addr().unwrap());
        runtime.spawn(receiver.serve_http(http_listener, Box::pin(std::future::pending())));
        runtime.spawn(receiver.serve_grpc(grpc_listener, Box::pin(std::future::pending())));
        Client { runtime, sink, http, grpc, http1: None, http2: None }
    }

    pub(crate) fn call(&mut self, shape: &Shape<'_>, sent: &Sent) -> Answer {
        let (status, rejected) = match shape.transport {
            Transport::Http(encoding) => self.http(shape, encoding, sent.wire.clone()),
            Transport::Grpc => self.grpc(shape, sent.wire.clone()),
        };
        Answer { status, rejected, stored: self.sink.0.lock().unwrap().take() }
    }

    fn http(&mut self, shape: &Shape<'_>, encoding: Encoding, wire: Bytes) -> (u16, u64) {
        let kind = if encoding == Encoding::Json { "application/json" } else { "application/x-protobuf" };
        let coding = match shape.coding {
            Coding::Identity => "identity",
            Coding::Gzip => "gzip",
            Coding::Zstd => "zstd",
            Coding::Deflate => "deflate",
        };
        let request = Request::post(format!("/v1/{}", shape.signal))
            .header("host", "receiver")
            .header("content-type", kind)
            .header("content-encoding", coding);
        // So much is not read to its end: the receiver hangs up, and its answer may be lost on the way.
        let is_hung_up_on = wire.len() > 2 * limits().max_wire_bytes;
        let request = request.body(Full::new(wire)).unwrap();
        let address = self.http;
        let connection = &mut self.http1;
        let answer = self.runtime.block_on(async {
            if connection.as_ref().is_none_or(|connection| connection.is_closed()) {
                let io = connect(address).await;
                let (sender, task) = hyper::client::conn::http1::handshake(io).await.unwrap();
                tokio::spawn(task);
                *connection = Some(sender);
            }
            let sender = connection.as_mut().unwrap();
            sender.ready().await?;
            whole(sender.send_request(request).await?).await
        });
        if is_hung_up_on {
            *connection = None;
        }
        let (status, _, body) = match answer {
            Err(_) if is_hung_up_on => return (413, 0),
            answer => answer.unwrap(),
        };
        let rejected = match (status, encoding) {
            (200, Encoding::Protobuf) => rejected_protobuf(&body),
            (200, Encoding::Json) => rejected_json(&body),
            _ => 0,
        };
        (status, rejected)
    }

    fn grpc(&mut self, shape: &Shape<'_>, wire: Bytes) -> (u16, u64) {
        let (package, service) = match shape.signal {
            Signal::Traces => ("trace", "TraceService"),
            Signal::Logs => ("logs", "LogsService"),
            Signal::Metrics => ("metrics", "MetricsService"),
        };
        let coding = match shape.coding {
            Coding::Identity => "identity",
            Coding::Gzip | Coding::Deflate => "gzip",
            Coding::Zstd => "zstd",
        };
        let path = format!("http://receiver/opentelemetry.proto.collector.{package}.v1.{service}/Export");
        let request = Request::post(path).header("content-type", "application/grpc").header("te", "trailers");
        let request = request.header("grpc-encoding", coding).body(Full::new(wire)).unwrap();
        let address = self.grpc;
        let connection = &mut self.http2;
        let (status, headers, body) = self.runtime.block_on(async {
            if connection.as_ref().is_none_or(|connection| connection.is_closed()) {
                let io = connect(address).await;
                let (sender, task) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
                tokio::spawn(task);
                *connection = Some(sender);
            }
            let sender = connection.as_mut().unwrap();
            sender.ready().await.unwrap();
            whole(sender.send_request(request).await.unwrap()).await.unwrap()
        });
        assert_eq!(status, 200, "of HTTP, whatever gRPC's status is");
        match headers.get("grpc-status").expect("a status").as_bytes() {
            b"0" => (200, rejected_protobuf(&body[5..])),
            b"3" => (400, 0),
            b"8" => (413, 0),
            other => panic!("no request of this kind gets status {}", String::from_utf8_lossy(other)),
        }
    }
}

async fn connect(address: SocketAddr) -> TokioIo<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    TokioIo::new(stream)
}

/// Status, headers with trailers, and body.
async fn whole(response: Response<Incoming>) -> hyper::Result<(u16, HeaderMap, Bytes)> {
    let (head, body) = response.into_parts();
    let body = body.collect().await?;
    let mut headers = head.headers;
    headers.extend(body.trailers().cloned().unwrap_or_default());
    Ok((head.status.as_u16(), headers, body.to_bytes()))
}

/// The three responses have the same shape.
fn rejected_protobuf(body: &[u8]) -> u64 {
    let partial = ExportTraceServiceResponse::decode(body).unwrap().partial_success;
    partial.map_or(0, |partial| partial.rejected_spans as u64)
}

fn rejected_json(body: &[u8]) -> u64 {
    let answer: serde_json::Value = serde_json::from_slice(body).unwrap();
    let Some(partial) = answer.get("partialSuccess").and_then(|partial| partial.as_object()) else { return 0 };
    let count = partial.iter().find(|(key, _)| key.starts_with("rejected")).expect("a count").1;
    count.as_str().unwrap().parse().unwrap()
}
