//! What a receiver answered, held against OTLP.
//!
//! Source: OTLP specification ("failures", "throttling"); gRPC over HTTP/2.

use crate::wire::Transport;
use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use std::time::Duration;

/// A whole answer; the trailers are among the headers.
#[derive(Clone, Debug)]
pub struct Answer {
    /// How it came.
    pub transport: Transport,
    /// HTTP status.
    pub status: u16,
    /// Headers and trailers.
    pub headers: HeaderMap,
    /// Body, with gRPC's frame.
    pub body: Bytes,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// Kept, but for so many items.
    Acked(u64),
    /// Not kept: HTTP status of the reason, whichever transport it came over; when to send again, if the receiver says.
    Refused(u16, Option<Duration>),
    /// No answer: it may have arrived.
    Unknown,
}

impl Outcome {
    /// OTLP: clients send again after these, and only these.
    pub fn may_retry(self) -> bool {
        matches!(self, Outcome::Unknown | Outcome::Refused(429 | 502 | 503 | 504, _))
    }
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Detail>,
}

#[derive(Clone, PartialEq, Message)]
struct Detail {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(uint64, tag = "1")]
    seconds: u64,
    #[prost(uint32, tag = "2")]
    nanos: u32,
}

/// HTTP status and the gRPC codes that mean the same.
const CODES: [(u16, &[i32]); 10] = [
    (200, &[0]),
    (400, &[3]),
    (401, &[16]),
    (403, &[7]),
    (404, &[12]),
    (405, &[12]),
    (413, &[8]),
    (415, &[12]),
    (429, &[14]),
    (503, &[14]),
];

impl Answer {
    /// What the answer means.
    ///
    /// # Errors
    /// It breaks the contract: a status outside of it, a body that is not what OTLP asks for, a failure without words,
    /// a wait without a time, a time without a wait.
    pub fn outcome(&self) -> Result<Outcome> {
        match self.transport {
            Transport::Http => self.over_http(),
            Transport::Grpc => self.over_grpc(),
        }
        .with_context(|| format!("{self:?}"))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn over_http(&self) -> Result<Outcome> {
        let (_, codes) =
            CODES.iter().find(|(status, _)| *status == self.status).context("no status of the contract")?;
        let is_json = match self.header(CONTENT_TYPE.as_str()) {
            Some("application/json") => true,
            Some("application/x-protobuf") => false,
            other => bail!("content type {other:?}"),
        };
        if self.status == 200 {
            let rejected = if is_json { rejected_json(&self.body)? } else { rejected(&self.body)? };
            return Ok(Outcome::Acked(rejected));
        }
        let status = if is_json { status_json(&self.body)? } else { Status::decode(&*self.body)? };
        ensure!(codes.contains(&status.code), "code {} with status {}", status.code, self.status);
        let wait =
            self.header(RETRY_AFTER.as_str()).map(|seconds| seconds.parse().map(Duration::from_secs)).transpose()?;
        refused(self.status, &status, wait)
    }

    fn over_grpc(&self) -> Result<Outcome> {
        ensure!(self.status == 200, "gRPC answers with HTTP status 200");
        ensure!(self.header(CONTENT_TYPE.as_str()) == Some("application/grpc"), "content type");
        let code: i32 = self.header("grpc-status").context("grpc-status")?.parse()?;
        if code == 0 {
            let (prefix, message) = self.body.split_first_chunk::<5>().context("a message")?;
            ensure!(u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize == message.len());
            return Ok(Outcome::Acked(rejected(message)?));
        }
        let (status, _) =
            CODES.iter().rev().find(|(_, codes)| codes.contains(&code)).context("no code of the contract")?;
        let details = self.header("grpc-status-details-bin").context("grpc-status-details-bin")?;
        let detail = Status::decode(&*BASE64_STANDARD_NO_PAD.decode(details.trim_end_matches('='))?)?;
        ensure!(detail.code == code, "code {} and code {code}", detail.code);
        ensure!(self.header("grpc-message").is_some_and(|message| !message.is_empty()), "a failure has words");
        refused(*status, &detail, self.header("google.rpc.retryinfo-bin").map(retry_delay).transpose()?)
    }
}

fn retry_delay(header: &str) -> Result<Duration> {
    let info = RetryInfo::decode(&*BASE64_STANDARD_NO_PAD.decode(header.trim_end_matches('='))?)?;
    let delay = info.retry_delay.context("a delay")?;
    Ok(Duration::new(delay.seconds, delay.nanos))
}

/// A refusal that may be retried says when, in the header and in the body; one that may not does not.
fn refused(status: u16, detail: &Status, wait: Option<Duration>) -> Result<Outcome> {
    ensure!(!detail.message.is_empty(), "a failure has words");
    let info = detail.details.iter().find(|one| one.type_url == "type.googleapis.com/google.rpc.RetryInfo");
    let outcome = Outcome::Refused(status, wait);
    ensure!(outcome.may_retry() == wait.is_some(), "status {status}, wait {wait:?}");
    ensure!(wait.is_some() == info.is_some(), "header says {wait:?}, RetryInfo {info:?}");
    Ok(outcome)
}

/// The three responses have the same shape.
fn rejected(body: &[u8]) -> Result<u64> {
    let partial = ExportTraceServiceResponse::decode(body)?.partial_success;
    let Some(partial) = partial else { return Ok(0) };
    ensure!(partial.rejected_spans == 0 || !partial.error_message.is_empty(), "rejected without words");
    u64::try_from(partial.rejected_spans).context("rejected below 0")
}

fn rejected_json(body: &[u8]) -> Result<u64> {
    let body: serde_json::Value = serde_json::from_slice(body)?;
    let Some(partial) = body.get("partialSuccess").and_then(serde_json::Value::as_object) else {
        ensure!(body == serde_json::json!({}), "neither empty nor a partial success");
        return Ok(0);
    };
    let rejected = partial.iter().find(|(name, _)| name.starts_with("rejected")).context("rejected items")?.1;
    Ok(rejected.as_str().context("64 bits are text in JSON")?.parse()?)
}

fn status_json(body: &[u8]) -> Result<Status> {
    let body: serde_json::Value = serde_json::from_slice(body)?;
    let code = body["code"].as_i64().context("code")? as i32;
    let message = body["message"].as_str().context("message")?.to_owned();
    let details = body["details"].as_array().context("details")?.iter();
    let details =
        details.map(|one| Detail { type_url: one["@type"].as_str().unwrap_or("").to_owned(), value: Vec::new() });
    Ok(Status { code, message, details: details.collect() })
}
