//! OTLP/gRPC: unary calls with our own framing, so that the message reaches the log as it came and every answer is one of
//! the contract's.
//!
//! Source: gRPC over HTTP/2 (PROTOCOL-HTTP2.md).

use crate::compress::Coding;
use crate::contract::Outcome;
use crate::http::content_type;
use crate::intake::{Announced, Intake};
use crate::sink::Sender;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Version, request};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use orrery_model::{Compression, Encoding, Signal};
use std::convert::Infallible;
use std::net::SocketAddr;

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// Compressed flag and length.
const PREFIX_BYTES: usize = 5;

/// Answers one request.
pub(crate) async fn handle(intake: &Intake, request: Request<Incoming>, peer: SocketAddr) -> Answer {
    let (head, mut body) = request.into_parts();
    if head.version != Version::HTTP_2 || !is_grpc(&head.headers) {
        return not_grpc(&head);
    }
    let outcome = export(intake, &head, &mut body, peer).await;
    answer(&outcome)
}

async fn export(intake: &Intake, head: &request::Parts, body: &mut Incoming, peer: SocketAddr) -> Outcome {
    let Some(signal) = route(head.uri.path()) else { return Outcome::NotFound };
    let sender = Sender { address: peer, headers: &head.headers };
    let reservation = &mut intake.reserve();
    let read = async {
        if head.method != Method::POST {
            return Err(Outcome::Method);
        }
        let coding = message_encoding(&head.headers)?;
        intake.admit(signal, &sender)?;
        let limit = intake.config.limits.max_wire_bytes;
        let framed = intake.collect(body, limit.saturating_add(PREFIX_BYTES), reservation).await?;
        let (message, compressed) = unframe(framed)?;
        let coding = if compressed { coding } else { Compression::Identity };
        Ok((Announced { signal, encoding: Encoding::Protobuf, coding: Coding::Kept(coding) }, message))
    };
    match read.await {
        Ok((announced, message)) => {
            let reservation = std::mem::replace(reservation, intake.reserve());
            intake.take(announced, message, reservation, &sender).await
        }
        Err(outcome) => {
            intake.note(signal, &outcome, &sender);
            outcome
        }
    }
}

fn route(path: &str) -> Option<Signal> {
    match path {
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => Some(Signal::Traces),
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => Some(Signal::Logs),
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => Some(Signal::Metrics),
        _ => None,
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let rest = text.strip_prefix("application/grpc");
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("+proto") || rest.starts_with(';'))
}

fn message_encoding(headers: &HeaderMap) -> Result<Compression, Outcome> {
    match headers.get("grpc-encoding").map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(Compression::Identity),
        Some(b"gzip") => Ok(Compression::Gzip),
        Some(b"zstd") => Ok(Compression::Zstd),
        Some(_) => Err(Outcome::Unsupported("grpc-encoding must be identity, gzip or zstd".to_owned())),
    }
}

/// The one message of a call, and whether it is compressed.
fn unframe(mut framed: Vec<u8>) -> Result<(Vec<u8>, bool), Outcome> {
    let bad = |message: &str| Err(Outcome::Undecodable(message.to_owned()));
    let Some((&[flag, ref length @ ..], rest)) = framed.split_first_chunk::<PREFIX_BYTES>() else {
        return bad("the call has no message");
    };
    let length = u32::from_be_bytes(*length) as usize;
    if flag > 1 {
        return bad("unknown flag before the message");
    }
    if rest.len() != length {
        return bad("the call does not have exactly one whole message");
    }
    framed.drain(..PREFIX_BYTES);
    // gRPC allows an empty message to be flagged as compressed.
    let compressed = flag == 1 && length > 0;
    Ok((framed, compressed))
}

fn answer(outcome: &Outcome) -> Answer {
    let (message, trailers) = outcome.grpc();
    let mut response = match message {
        Some(message) => {
            let mut framed = Vec::with_capacity(PREFIX_BYTES + message.len());
            framed.push(0);
            framed.extend_from_slice(&(message.len() as u32).to_be_bytes());
            framed.extend_from_slice(&message);
            let trailers = async move { Some(Ok(trailers)) };
            Response::new(Full::from(framed).with_trailers(trailers).boxed_unsync())
        }
        None => {
            let mut response = Response::new(Empty::new().boxed_unsync());
            *response.headers_mut() = trailers;
            response
        }
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-accept-encoding", HeaderValue::from_static("identity,gzip,zstd"));
    response
}

/// OTLP/HTTP sent to this port, or anything else.
fn not_grpc(head: &request::Parts) -> Answer {
    let text = "this port speaks OTLP/gRPC over HTTP/2; OTLP/HTTP has its own, 4318 unless configured otherwise";
    let encoding = content_type(&head.headers).unwrap_or(Encoding::Json);
    let (status, headers, body) = Outcome::Unsupported(text.to_owned()).http(encoding, Signal::Traces);
    let mut response = Response::new(Full::from(body).boxed_unsync());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
