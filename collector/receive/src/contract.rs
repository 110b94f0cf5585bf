//! What clients are told: one table for both transports.
//!
//! Sources: OTLP specification 1.11 ("failures", "throttling"); the choice of codes where it leaves one is in the table.
//! `429`, `502`, `503`, `504` and `UNAVAILABLE` make a client send again; everything else makes it drop the data.

use crate::builder::clip;
use crate::reason;
use crate::wire::{put_bytes, put_varint};
use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use orrery_model::{Encoding, Signal};
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// How a request ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// The valid items are durable. `message` is empty when there is nothing to say.
    Done { rejected: u64, message: String },
    /// No OTLP request, or one that has made us panic before.
    Undecodable(String),
    /// Content type or encoding.
    Unsupported(String),
    /// Over a limit, before or after decompression.
    TooBig(String),
    /// No such path or service.
    NotFound,
    /// Not `POST`.
    Method,
    /// No token, or an unknown one.
    Unauthenticated,
    /// The token does not allow it.
    Forbidden,
    /// This sender has sent too much.
    Quota(Duration),
    /// The body came too slowly, or broke off.
    Stalled,
    /// Overload, full disk, starting, stopping, deadline, failure of ours: a [`reason`].
    Unavailable(Duration, &'static str),
}

/// gRPC status codes that we use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    Ok = 0,
    InvalidArgument = 3,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Unavailable = 14,
    Unauthenticated = 16,
}

impl Outcome {
    /// The table.
    pub(crate) fn codes(&self) -> (StatusCode, Code) {
        match self {
            Outcome::Done { .. } => (StatusCode::OK, Code::Ok),
            Outcome::Undecodable(_) => (StatusCode::BAD_REQUEST, Code::InvalidArgument),
            Outcome::Unsupported(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::Unimplemented),
            Outcome::TooBig(_) => (StatusCode::PAYLOAD_TOO_LARGE, Code::ResourceExhausted),
            Outcome::NotFound => (StatusCode::NOT_FOUND, Code::Unimplemented),
            Outcome::Method => (StatusCode::METHOD_NOT_ALLOWED, Code::Unimplemented),
            Outcome::Unauthenticated => (StatusCode::UNAUTHORIZED, Code::Unauthenticated),
            Outcome::Forbidden => (StatusCode::FORBIDDEN, Code::PermissionDenied),
            Outcome::Quota(_) => (StatusCode::TOO_MANY_REQUESTS, Code::Unavailable),
            Outcome::Stalled | Outcome::Unavailable(..) => (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable),
        }
    }

    /// For people. Never empty for a failure.
    fn message(&self) -> &str {
        match self {
            Outcome::Done { message, .. } => message,
            Outcome::Undecodable(message) | Outcome::Unsupported(message) | Outcome::TooBig(message) => message,
            Outcome::NotFound => "no such path: send to /v1/traces, /v1/logs or /v1/metrics",
            Outcome::Method => "send with POST",
            Outcome::Unauthenticated => "missing or unknown token",
            Outcome::Forbidden => "the token does not allow this",
            Outcome::Quota(_) => "over quota, send again later",
            Outcome::Stalled => "the body came too slowly or broke off, send again",
            Outcome::Unavailable(_, reason::MEMORY) => "out of memory for requests, send again",
            Outcome::Unavailable(_, reason::OVERLOADED) => "overloaded, send again",
            Outcome::Unavailable(_, reason::DISK_FULL) => "the disk is full",
            Outcome::Unavailable(_, reason::NOT_SERVING) => "starting or shutting down",
            Outcome::Unavailable(_, reason::APPEND_TIMEOUT) => "storing took too long, send again",
            Outcome::Unavailable(..) => "internal failure, send again",
        }
    }

    /// Messages come from requests: bounded, so that the answer always fits a client's limit.
    fn short_message(&self) -> &str {
        const MAX: usize = 2048;
        clip(self.message(), MAX)
    }

    /// When to send again at the earliest, if that is the advice: 1 to 30 s. See [`spread`] for what clients are told.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Outcome::Stalled => Some(SHORTEST),
            Outcome::Quota(after) | Outcome::Unavailable(after, _) => Some((*after).clamp(SHORTEST, LONGEST)),
            _ => None,
        }
    }

    /// `Export…ServiceResponse`: the three have the same shape. `partial_success` is unset unless there is something to say.
    fn response_protobuf(rejected: u64, message: &str) -> Vec<u8> {
        let (mut partial, mut response) = (Vec::new(), Vec::new());
        put_varint(&mut partial, 1, rejected);
        put_bytes(&mut partial, 2, message.as_bytes());
        put_bytes(&mut response, 1, &partial);
        response
    }

    fn response_json(rejected: u64, message: &str, signal: Signal) -> Vec<u8> {
        if rejected == 0 && message.is_empty() {
            return b"{}".to_vec();
        }
        let rejected_items = match signal {
            Signal::Traces => "rejectedSpans",
            Signal::Logs => "rejectedLogRecords",
            Signal::Metrics => "rejectedDataPoints",
        };
        let partial = serde_json::json!({ rejected_items: rejected.to_string(), "errorMessage": message });
        serde_json::json!({ "partialSuccess": partial }).to_string().into_bytes()
    }

    /// `google.rpc.Status`, with the detail that clients act on.
    fn status_protobuf(&self, wait: Option<Duration>) -> Vec<u8> {
        let (mut detail, mut status) = (Vec::new(), Vec::new());
        if let Some(after) = wait {
            put_bytes(&mut detail, 1, b"type.googleapis.com/google.rpc.RetryInfo");
            put_bytes(&mut detail, 2, &retry_info(after));
        } else if let Outcome::Undecodable(_) = self {
            let (mut violation, mut request) = (Vec::new(), Vec::new());
            put_bytes(&mut violation, 2, self.short_message().as_bytes());
            put_bytes(&mut request, 1, &violation);
            put_bytes(&mut detail, 1, b"type.googleapis.com/google.rpc.BadRequest");
            put_bytes(&mut detail, 2, &request);
        }
        put_varint(&mut status, 1, self.codes().1 as u64);
        put_bytes(&mut status, 2, self.short_message().as_bytes());
        put_bytes(&mut status, 3, &detail);
        status
    }

    fn status_json(&self, wait: Option<Duration>) -> Vec<u8> {
        let details = if let Some(after) = wait {
            let delay = format!("{}s", after.as_secs_f64());
            serde_json::json!([{ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay }])
        } else if let Outcome::Undecodable(_) = self {
            let violations = [serde_json::json!({ "description": self.short_message() })];
            serde_json::json!([{ "@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations }])
        } else {
            serde_json::json!([])
        };
        let code = self.codes().1 as u8;
        serde_json::json!({ "code": code, "message": self.short_message(), "details": details })
            .to_string()
            .into_bytes()
    }

    /// Status, headers and body of an HTTP answer, in the request's encoding.
    pub(crate) fn http(&self, encoding: Encoding, signal: Signal) -> (StatusCode, HeaderMap, Vec<u8>) {
        // The header has whole seconds only: body and header say the same.
        let wait = self.retry_after().map(|after| {
            let seconds = spread(after).as_secs_f64().round().max(after.as_secs_f64().ceil());
            Duration::from_secs(seconds as u64)
        });
        let body = match (self, encoding) {
            (Outcome::Done { rejected, .. }, Encoding::Protobuf) => {
                Self::response_protobuf(*rejected, self.short_message())
            }
            (Outcome::Done { rejected, .. }, Encoding::Json) => {
                Self::response_json(*rejected, self.short_message(), signal)
            }
            (_, Encoding::Protobuf) => self.status_protobuf(wait),
            (_, Encoding::Json) => self.status_json(wait),
        };
        let mut headers = HeaderMap::new();
        let content_type = match encoding {
            Encoding::Protobuf => "application/x-protobuf",
            Encoding::Json => "application/json",
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Some(wait) = wait {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs()));
        }
        if let Outcome::Method = self {
            headers.insert(http::header::ALLOW, HeaderValue::from_static("POST, OPTIONS"));
        }
        (self.codes().0, headers, body)
    }

    /// Message (on success) and trailers of a gRPC answer.
    pub(crate) fn grpc(&self) -> (Option<Vec<u8>>, HeaderMap) {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from(self.codes().1 as u16));
        if let Outcome::Done { rejected, .. } = self {
            return (Some(Self::response_protobuf(*rejected, self.short_message())), trailers);
        }
        trailers.insert("grpc-message", percent_encode(self.short_message()));
        let wait = self.retry_after().map(spread);
        trailers.insert("grpc-status-details-bin", base64(&self.status_protobuf(wait)));
        if let Some(after) = wait {
            // The Python SDK reads only this one.
            let name = HeaderName::from_static("google.rpc.retryinfo-bin");
            trailers.insert(name, base64(&retry_info(after)));
        }
        (None, trailers)
    }
}

/// `after`, or up to twice that and a second, but at most 30 s: clients that were turned away together must not come back
/// together.
fn spread(after: Duration) -> Duration {
    // The standard library's source of randomness.
    let share = RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64;
    (after + (after + Duration::from_secs(1)).mul_f64(share)).min(LONGEST).max(after)
}

/// `google.rpc.RetryInfo`.
fn retry_info(after: Duration) -> Vec<u8> {
    let (mut duration, mut info) = (Vec::new(), Vec::new());
    put_varint(&mut duration, 1, after.as_secs());
    put_varint(&mut duration, 2, after.subsec_nanos().into());
    put_bytes(&mut info, 1, &duration);
    info
}

fn base64(bytes: &[u8]) -> HeaderValue {
    let text = BASE64_STANDARD_NO_PAD.encode(bytes);
    HeaderValue::try_from(text).expect("base64 is a valid header value")
}

/// gRPC over HTTP/2, "Percent-Encoded": everything but printable ASCII, and `%`.
fn percent_encode(text: &str) -> HeaderValue {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(byte as char),
            _ => _ = write!(out, "%{byte:02X}"),
        }
    }
    HeaderValue::try_from(out).expect("printable ASCII is a valid header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every row of the table: outcome, HTTP status, gRPC code, whether the client is told to come back.
    #[test]
    fn the_table() {
        let text = || "why".to_owned();
        let second = Duration::from_secs(1);
        for (outcome, http, grpc, retry) in [
            (Outcome::Done { rejected: 0, message: String::new() }, 200, 0, false),
            (Outcome::Done { rejected: 2, message: text() }, 200, 0, false),
            (Outcome::Undecodable(text()), 400, 3, false),
            (Outcome::Unauthenticated, 401, 16, false),
            (Outcome::Forbidden, 403, 7, false),
            (Outcome::NotFound, 404, 12, false),
            (Outcome::Method, 405, 12, false),
            (Outcome::TooBig(text()), 413, 8, false),
            (Outcome::Unsupported(text()), 415, 12, false),
            (Outcome::Quota(second), 429, 14, true),
            (Outcome::Stalled, 503, 14, true),
            (Outcome::Unavailable(second, reason::OVERLOADED), 503, 14, true),
        ] {
            let (status, headers, body) = outcome.http(Encoding::Json, Signal::Traces);
            assert_eq!((status.as_u16(), headers.contains_key(RETRY_AFTER)), (http, retry), "{outcome:?}");
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["code"].as_u64().unwrap_or(0), grpc, "{outcome:?}");
            let (message, trailers) = outcome.grpc();
            assert_eq!(trailers["grpc-status"], grpc.to_string().as_str(), "{outcome:?}");
            assert_eq!(message.is_some(), grpc == 0, "{outcome:?}");
            assert_eq!(trailers.contains_key("google.rpc.retryinfo-bin"), retry, "{outcome:?}");
            assert_eq!(trailers.contains_key("grpc-status-details-bin"), grpc != 0, "{outcome:?}");
        }
    }

    #[test]
    fn waits_are_between_one_and_thirty_seconds() {
        for (asked, told) in [(0, 1), (1, 1), (29, 29), (3600, 30)] {
            let outcome = Outcome::Unavailable(Duration::from_secs(asked), reason::OVERLOADED);
            assert_eq!(outcome.retry_after(), Some(Duration::from_secs(told)));
        }
    }

    #[test]
    fn clients_that_are_refused_together_come_back_apart() {
        for (after, least, most) in [(1, 1, 3), (10, 10, 21), (29, 29, 30), (30, 30, 30)] {
            let outcome = Outcome::Unavailable(Duration::from_secs(after), reason::OVERLOADED);
            let told = |_| {
                let (_, headers, body) = outcome.http(Encoding::Json, Signal::Traces);
                let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
                let header = headers[RETRY_AFTER].to_str().unwrap();
                assert_eq!(body["details"][0]["retryDelay"], format!("{header}s"));
                header.parse().unwrap()
            };
            let all: std::collections::BTreeSet<u64> = (0..200).map(told).collect();
            assert!(*all.first().unwrap() >= least && *all.last().unwrap() <= most, "{all:?}");
            assert!(all.len() > 1 || least == most, "{all:?}");
        }
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let outcome = Outcome::Undecodable("é".repeat(3000));
        let (_, trailers) = outcome.grpc();
        assert_eq!(trailers["grpc-message"].to_str().unwrap(), "%C3%A9".repeat(1024));
        assert!(outcome.http(Encoding::Protobuf, Signal::Logs).2.len() < 8192);
    }
}
