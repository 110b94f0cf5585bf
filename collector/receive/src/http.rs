//! OTLP/HTTP.

use crate::compress::Coding;
use crate::config::Cors;
use crate::contract::Outcome;
use crate::intake::{Announced, Intake};
use crate::sink::Sender;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, CONTENT_ENCODING, CONTENT_TYPE, EXPECT, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use http::{Method, StatusCode, request};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use orrery_model::{Compression, Encoding, Signal};
use std::net::SocketAddr;

/// Answers one request.
pub(crate) async fn handle(intake: &Intake, request: Request<Incoming>, peer: SocketAddr) -> Response<Full<Bytes>> {
    let (head, mut body) = request.into_parts();
    let signal = route(&intake.config.http_path_prefix, head.uri.path());
    if head.method == Method::OPTIONS && signal.is_some() {
        return preflight(&intake.config.cors, &head.headers);
    }
    let encoding = content_type(&head.headers);
    let outcome = export(intake, signal, encoding, &head, &mut body, peer).await;
    // A client that waits for "100 Continue" has not sent the body, and reading it would ask for it.
    if !matches!(outcome, Outcome::Done { .. } | Outcome::Stalled) && !head.headers.contains_key(EXPECT) {
        intake.forget(&mut body).await;
    }
    let (status, headers, body) = outcome.http(encoding.unwrap_or(Encoding::Json), signal.unwrap_or(Signal::Traces));
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    allow_origin(&intake.config.cors, &head.headers, response.headers_mut());
    response
}

async fn export(
    intake: &Intake,
    signal: Option<Signal>,
    encoding: Option<Encoding>,
    head: &request::Parts,
    body: &mut Incoming,
    peer: SocketAddr,
) -> Outcome {
    let Some(signal) = signal else { return Outcome::NotFound };
    let sender = Sender { address: peer, headers: &head.headers };
    let reservation = &mut intake.reserve();
    let read = async {
        if head.method != Method::POST {
            return Err(Outcome::Method);
        }
        let encoding = encoding.ok_or_else(|| {
            Outcome::Unsupported("the content type must be application/x-protobuf or application/json".to_owned())
        })?;
        let coding = content_encoding(&head.headers)?;
        intake.admit(signal, &sender)?;
        let bytes = intake.collect(body, intake.config.limits.max_wire_bytes, reservation).await?;
        Ok((Announced { signal, encoding, coding }, bytes))
    };
    match read.await {
        Ok((announced, bytes)) => {
            let reservation = std::mem::replace(reservation, intake.reserve());
            intake.take(announced, bytes, reservation, &sender).await
        }
        Err(outcome) => {
            intake.note(signal, &outcome, &sender);
            outcome
        }
    }
}

fn route(prefix: &str, path: &str) -> Option<Signal> {
    let path = path.strip_prefix(prefix.trim_end_matches('/'))?;
    match path.strip_suffix('/').unwrap_or(path) {
        "/v1/traces" => Some(Signal::Traces),
        "/v1/logs" => Some(Signal::Logs),
        "/v1/metrics" => Some(Signal::Metrics),
        _ => None,
    }
}

/// Parameters and case do not matter.
pub(crate) fn content_type(headers: &HeaderMap) -> Option<Encoding> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = text.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/x-protobuf") {
        Some(Encoding::Protobuf)
    } else if essence.eq_ignore_ascii_case("application/json") {
        Some(Encoding::Json)
    } else {
        None
    }
}

fn content_encoding(headers: &HeaderMap) -> Result<Coding, Outcome> {
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    let coding = codings.next().map_or(Ok(""), |value| value.to_str()).unwrap_or("unreadable").trim();
    let known = match coding.to_ascii_lowercase().as_str() {
        "" | "identity" => Some(Coding::Kept(Compression::Identity)),
        "gzip" | "x-gzip" => Some(Coding::Kept(Compression::Gzip)),
        "zstd" => Some(Coding::Kept(Compression::Zstd)),
        "deflate" => Some(Coding::Deflate),
        _ => None,
    };
    let unknown = || Outcome::Unsupported("the content encoding must be gzip, zstd, deflate or none".to_owned());
    known.filter(|_| codings.next().is_none()).ok_or_else(unknown)
}

/// Asked by browsers before they send, without credentials: so answered before any admission.
fn preflight(cors: &Cors, headers: &HeaderMap) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let answer = response.headers_mut();
    if allow_origin(cors, headers, answer) {
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
        answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(cors.max_age_seconds));
        if let Some(wanted) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
    }
    response
}

/// Lets the page read the answer, if its origin is one of ours.
fn allow_origin(cors: &Cors, request: &HeaderMap, response: &mut HeaderMap) -> bool {
    response.insert(VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = request.get(ORIGIN) else { return false };
    let text = origin.to_str().unwrap_or_default();
    let allowed = cors.allowed_origins.iter().any(|pattern| matches(pattern, text));
    if allowed {
        response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    }
    allowed
}

/// `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(start) else { return false };
    (0..=text.len()).any(|skip| text.is_char_boundary(skip) && matches(rest, &text[skip..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        assert_eq!(route("", "/v1/traces"), Some(Signal::Traces));
        assert_eq!(route("", "/v1/logs/"), Some(Signal::Logs));
        assert_eq!(route("/otlp/", "/otlp/v1/metrics"), Some(Signal::Metrics));
        for (prefix, path) in [("", "/v1/traces//"), ("", "/v2/traces"), ("/otlp", "/v1/traces"), ("", "/"), ("", "")] {
            assert_eq!(route(prefix, path), None, "{prefix} {path}");
        }
    }

    #[test]
    fn origins() {
        for (pattern, origin, expected) in [
            ("*", "https://anything.example", true),
            ("http://localhost:*", "http://localhost:5173", true),
            ("http://localhost:*", "http://localhost.evil.example", false),
            ("https://*.example.org", "https://app.example.org", true),
            ("https://*.example.org", "https://example.org", false),
            ("https://*.example.org", "https://app.example.org.evil.example", false),
            ("https://a.example", "https://a.example", true),
        ] {
            assert_eq!(matches(pattern, origin), expected, "{pattern} {origin}");
        }
    }
}
