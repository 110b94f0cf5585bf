//! OTLP on the wire without an SDK: whole control over every byte, and next to no cost for the sender.

mod answer;

pub use answer::{Answer, Outcome};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, TE};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::io::Write;
use std::time::Duration;
use tokio::net::TcpStream;

/// Longer than any answer of the contract takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Log records.
    Logs,
    /// Data points.
    Metrics,
}

impl Signal {
    /// All of them.
    pub const ALL: [Signal; 3] = [Signal::Traces, Signal::Logs, Signal::Metrics];

    /// As OTLP/HTTP's paths and our API say it.
    pub fn as_str(self) -> &'static str {
        ["traces", "logs", "metrics"][self as usize]
    }

    fn grpc_path(self) -> String {
        let service = ["trace.v1.TraceService", "logs.v1.LogsService", "metrics.v1.MetricsService"][self as usize];
        format!("/opentelemetry.proto.collector.{service}/Export")
    }
}

/// How it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Transport {
    /// OTLP/HTTP over HTTP/1.1.
    Http,
    /// OTLP/gRPC over HTTP/2.
    Grpc,
}

/// How bodies are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Compression {
    /// As they are.
    None,
    /// gzip, fast: what SDKs use.
    Gzip,
    /// zstd, level 1.
    Zstd,
}

impl Compression {
    /// As headers name it; empty for none.
    pub fn name(self) -> &'static str {
        ["", "gzip", "zstd"][self as usize]
    }

    /// Compresses.
    pub fn pack(self, plain: Vec<u8>) -> Vec<u8> {
        match self {
            Compression::None => plain,
            Compression::Gzip => {
                let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 4), flate2::Compression::fast());
                encoder.write_all(&plain).and_then(|()| encoder.finish()).expect("memory takes everything")
            }
            Compression::Zstd => zstd::bulk::compress(&plain, 1).expect("memory takes everything"),
        }
    }
}

/// An export call, ready to be sent; its parts may be spoilt before.
#[derive(Clone, Debug)]
pub struct Call {
    /// Path.
    pub path: String,
    /// All headers but those of the connection.
    pub headers: HeaderMap,
    /// Body as on the wire: compressed, and framed for gRPC.
    pub body: Bytes,
}

impl Call {
    /// Over OTLP/HTTP. `body` is compressed already as `coding` says; empty for not at all.
    pub fn http(signal: Signal, content_type: &'static str, coding: &'static str, body: impl Into<Bytes>) -> Call {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if !coding.is_empty() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        Call { path: format!("/v1/{}", signal.as_str()), headers, body: body.into() }
    }

    /// Over gRPC, as one message.
    pub fn grpc(signal: Signal, coding: &'static str, message: &[u8]) -> Call {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        if !coding.is_empty() {
            headers.insert("grpc-encoding", HeaderValue::from_static(coding));
        }
        let body = frame(!coding.is_empty(), message).into();
        Call { path: signal.grpc_path(), headers, body }
    }
}

/// A gRPC message with its prefix.
pub fn frame(is_compressed: bool, message: &[u8]) -> Vec<u8> {
    [&[is_compressed.into()], &(message.len() as u32).to_be_bytes()[..], message].concat()
}

enum Client {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// One request after the other to one receiver; connects when needed, and again after a failure.
pub struct Connection {
    url: Uri,
    transport: Transport,
    client: Option<Client>,
}

impl Connection {
    /// To a base URL such as `http://127.0.0.1:4318`.
    ///
    /// # Errors
    /// No URL with a host and port. Nothing is connected yet.
    pub fn new(url: &str, transport: Transport) -> Result<Connection> {
        let url: Uri = url.parse().with_context(|| format!("{url} is no URL"))?;
        anyhow::ensure!(url.scheme().is_some() && url.port().is_some(), "write {url} as http://HOST:PORT");
        Ok(Connection { url, transport, client: None })
    }

    /// Sends one call and reads the whole answer.
    ///
    /// # Errors
    /// There was none: whether the request arrived is unknown.
    pub async fn call(&mut self, call: &Call) -> Result<Answer> {
        self.request(Method::POST, &call.path, call.headers.clone(), call.body.clone()).await
    }

    /// `GET` of a path.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn get(&mut self, path: &str) -> Result<Answer> {
        self.request(Method::GET, path, HeaderMap::new(), Bytes::new()).await
    }

    async fn request(&mut self, method: Method, path: &str, headers: HeaderMap, body: Bytes) -> Result<Answer> {
        match tokio::time::timeout(PATIENCE, self.exchange(method, path, headers, body)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                self.client = None;
                Err(error)
            }
            Err(_) => {
                self.client = None;
                bail!("no answer within {PATIENCE:?}")
            }
        }
    }

    async fn exchange(&mut self, method: Method, path: &str, headers: HeaderMap, body: Bytes) -> Result<Answer> {
        let authority = self.url.authority().context("a URL has an authority")?.clone();
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.headers_mut() = headers;
        if self.transport == Transport::Http {
            *request.uri_mut() = path.parse()?;
            request.headers_mut().insert(HOST, HeaderValue::try_from(authority.as_str())?);
        } else {
            *request.uri_mut() = format!("http://{authority}{path}").parse()?;
        }
        let response = match self.ready(authority.as_str()).await? {
            Client::Http1(client) => client.send_request(request).await?,
            Client::Http2(client) => client.send_request(request).await?,
        };
        let (head, body) = response.into_parts();
        let body = body.collect().await?;
        let mut headers = head.headers;
        headers.extend(body.trailers().cloned().unwrap_or_default());
        Ok(Answer { transport: self.transport, status: head.status.as_u16(), headers, body: body.to_bytes() })
    }

    async fn ready(&mut self, authority: &str) -> Result<&mut Client> {
        let is_open = match &mut self.client {
            None => false,
            Some(Client::Http1(client)) => client.ready().await.is_ok(),
            Some(Client::Http2(client)) => client.ready().await.is_ok(),
        };
        if !is_open {
            let stream =
                TcpStream::connect(authority).await.with_context(|| format!("cannot connect to {authority}"))?;
            stream.set_nodelay(true)?;
            let io = TokioIo::new(stream);
            self.client = Some(match self.transport {
                Transport::Http => {
                    let (client, connection) = http1::handshake(io).await?;
                    tokio::spawn(connection);
                    Client::Http1(client)
                }
                Transport::Grpc => {
                    let (client, connection) = http2::handshake(TokioExecutor::new(), io).await?;
                    tokio::spawn(connection);
                    Client::Http2(client)
                }
            });
        }
        Ok(self.client.as_mut().expect("it was just made"))
    }
}
