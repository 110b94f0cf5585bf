//! Checks H1 to H17, with reqwest where it can do what is asked, and a bare socket where it cannot.

use crate::support::*;
use http_body_util::StreamBody;
use hyper::body::{Bytes, Frame};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use orrery_model::{Batch, Compression, Encoding, Signal};
use orrery_receive::config::Connections;
use orrery_receive::{Config, Denied, Refused, listen, reason};
use prost::Message;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use std::io::Write;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";
const JSON_SPAN: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"a"}]}]}]}"#;

fn post(server: &Server, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
    Client::new().post(server.url(path)).header("content-type", content_type).body(body)
}

async fn send_traces(server: &Server, body: Vec<u8>) -> Response {
    post(server, "/v1/traces", PROTOBUF, body).send().await.unwrap()
}

fn good() -> Vec<u8> {
    traces(vec![span("a", 1)]).encode_to_vec()
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<AnyMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyMessage {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// Asserts a failure in the request's encoding, and returns its message.
async fn failure(response: Response, status: u16, code: i32) -> RpcStatus {
    let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(response.status(), status);
    let status = if content_type == PROTOBUF {
        RpcStatus::decode(response.bytes().await.unwrap()).unwrap()
    } else {
        let json: Value = response.json().await.unwrap();
        RpcStatus {
            code: json["code"].as_i64().unwrap() as i32,
            message: json["message"].as_str().unwrap().to_owned(),
            details: json["details"]
                .as_array()
                .unwrap()
                .iter()
                .map(|detail| AnyMessage { type_url: detail["@type"].as_str().unwrap().to_owned(), value: vec![] })
                .collect(),
        }
    };
    assert_eq!(status.code, code);
    assert!(!status.message.is_empty());
    status
}

/// Writes `request` to a bare socket and reads until the server closes.
async fn raw(server: &Server, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.http).await.unwrap();
    _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.expect("an end");
    String::from_utf8_lossy(&answer).into_owned()
}

/// A request whose body comes in chunks.
fn chunked(body: &[u8], headers: &str) -> Vec<u8> {
    let kind = if body.starts_with(b"{") { JSON } else { PROTOBUF };
    let head = format!("POST /v1/traces HTTP/1.1\r\nhost: x\r\n{headers}content-type: {kind}\r\n");
    let mut request = [head.as_bytes(), b"transfer-encoding: chunked\r\n\r\n"].concat();
    for part in body.chunks(50) {
        request.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        request.extend_from_slice(part);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    request
}

fn compressed(coding: &str, bytes: &[u8]) -> Vec<u8> {
    let level = flate2::Compression::default();
    match coding {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        "deflate" => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        "zstd" => zstd::encode_all(bytes, 3).unwrap(),
        _ => bytes.to_vec(),
    }
}

#[tokio::test]
async fn h01_each_signal_has_its_path() {
    let server = Server::start().await;
    for (path, body) in [
        ("/v1/traces", good()),
        ("/v1/logs", logs(vec![log("hello")]).encode_to_vec()),
        ("/v1/metrics", metrics(vec![gauge("m", vec![point(Some(1.0))])]).encode_to_vec()),
    ] {
        assert_eq!(post(&server, path, PROTOBUF, body).send().await.unwrap().status(), 200, "{path}");
    }
    let signals: Vec<Signal> = server.sink.batches().iter().map(Batch::signal).collect();
    assert_eq!(signals, [Signal::Traces, Signal::Logs, Signal::Metrics]);
    let profiles = post(&server, "/v1development/profiles", PROTOBUF, vec![]).send().await.unwrap();
    failure(profiles, 404, 12).await;
}

#[tokio::test]
async fn h02_the_answer_has_the_type_of_the_request() {
    let server = Server::start().await;
    for (sent, body, answered) in [
        (PROTOBUF, good(), PROTOBUF),
        ("Application/X-Protobuf; charset=utf-8", good(), PROTOBUF),
        (JSON, JSON_SPAN.into(), JSON),
        ("APPLICATION/JSON;charset=UTF-8", JSON_SPAN.into(), JSON),
    ] {
        let response = post(&server, "/v1/traces", sent, body).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &answered.parse().unwrap())
        );
    }
    assert_eq!(server.sink.rows(), 4);
    let encodings: Vec<Encoding> = server.sink.kept.lock().unwrap().iter().map(|(body, _)| body.encoding).collect();
    assert_eq!(encodings, [Encoding::Protobuf, Encoding::Protobuf, Encoding::Json, Encoding::Json]);
    for (content_type, body) in [(JSON, good()), (PROTOBUF, JSON_SPAN.into())] {
        assert_eq!(post(&server, "/v1/traces", content_type, body).send().await.unwrap().status(), 400);
    }
}

#[tokio::test]
async fn h03_wrong_type_method_and_path() {
    let server = Server::start().await;
    for content_type in ["text/plain", "application/grpc", ""] {
        failure(post(&server, "/v1/traces", content_type, good()).send().await.unwrap(), 415, 12).await;
    }
    let absent = Client::new().post(server.url("/v1/traces")).body(good()).send().await.unwrap();
    failure(absent, 415, 12).await;
    for method in [reqwest::Method::GET, reqwest::Method::PUT, reqwest::Method::DELETE] {
        let response = Client::new().request(method, server.url("/v1/traces")).send().await.unwrap();
        assert_eq!(response.headers()["allow"], "POST, OPTIONS");
        failure(response, 405, 12).await;
    }
    failure(post(&server, "/v2/traces", PROTOBUF, good()).send().await.unwrap(), 404, 12).await;
}

#[tokio::test]
async fn h04_gzip_zstd_and_deflate_are_accepted_others_are_not() {
    let server = Server::start().await;
    for (coding, kept) in [
        ("identity", Compression::Identity),
        ("gzip", Compression::Gzip),
        ("GZIP", Compression::Gzip),
        ("zstd", Compression::Zstd),
        ("deflate", Compression::Zstd),
    ] {
        let body = compressed(&coding.to_lowercase(), &good());
        let response =
            post(&server, "/v1/traces", PROTOBUF, body).header("content-encoding", coding).send().await.unwrap();
        assert_eq!(response.status(), 200, "{coding}");
        let (body, batch) = server.sink.kept.lock().unwrap().pop().unwrap();
        assert_eq!((body.compression, batch.len()), (kept, 1), "{coding}");
        assert_eq!(orrery_receive::Decoder::default().decode_body(&body).unwrap().batch.len(), 1, "{coding}");
    }
    for coding in ["snappy", "lz4", "br", "gzip, gzip", "x"] {
        let request = post(&server, "/v1/traces", PROTOBUF, good()).header("content-encoding", coding);
        failure(request.send().await.unwrap(), 415, 12).await;
    }
    let twice = post(&server, "/v1/traces", PROTOBUF, compressed("gzip", &good()));
    let twice = twice.header("content-encoding", "gzip").header("content-encoding", "gzip");
    failure(twice.send().await.unwrap(), 415, 12).await;
    for coding in ["gzip", "zstd", "deflate"] {
        let request = post(&server, "/v1/traces", PROTOBUF, good()).header("content-encoding", coding);
        failure(request.send().await.unwrap(), 400, 3).await;
    }
}

#[tokio::test]
async fn h05_chunked_bodies_and_kept_connections() {
    let server = Server::start().await;
    let mut request = chunked(JSON_SPAN.as_bytes(), "").repeat(2);
    let close = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
    request.extend_from_slice(close);
    let answers = raw(&server, &request).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
    assert_eq!(server.sink.rows(), 2);
    let body = good();
    let head = [("content-type", PROTOBUF)];
    let answer = crate::grpc::call(server.http, "/v1/traces", &head, body).await;
    assert_eq!((answer.status, server.sink.rows()), (200, 3));
}

#[tokio::test]
async fn h06_over_the_limit_is_413_before_and_after_decompression() {
    let server = Server::with_config(|config| {
        config.limits.max_wire_bytes = 100_000;
        config.limits.max_decompressed_bytes = 200_000;
    })
    .await;
    let large = traces(vec![span(&"x".repeat(4_000), 1); 100]).encode_to_vec();
    failure(send_traces(&server, large.clone()).await, 413, 8).await;
    let zipped = post(&server, "/v1/traces", PROTOBUF, compressed("gzip", &large)).header("content-encoding", "gzip");
    failure(zipped.send().await.unwrap(), 413, 8).await;
    let answer = raw(&server, &chunked(&large, "connection: close\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert_eq!(server.sink.rejected(Signal::Traces, reason::TOO_BIG), 3);
    // Told before it sends: the body is not read at all.
    let head = "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: 900000\r\n\r\n";
    let answer = raw(&server, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    // The default is what the specification recommends.
    assert_eq!(Config::default().limits.max_wire_bytes, 64 << 20);
    let five = traces(vec![span(&"x".repeat(4_000), 1); 1300]).encode_to_vec();
    assert_eq!(send_traces(&Server::start().await, five).await.status(), 200);
}

#[tokio::test]
async fn h07_full_success_is_200_with_the_shortest_answer() {
    let server = Server::start().await;
    let response = send_traces(&server, good()).await;
    assert_eq!((response.status().as_u16(), response.bytes().await.unwrap().len()), (200, 0));
    let response = post(&server, "/v1/traces", JSON, JSON_SPAN).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "{}");
    for (content_type, body) in [(PROTOBUF, ""), (JSON, "{}"), (JSON, r#"{"resourceSpans":[]}"#)] {
        assert_eq!(post(&server, "/v1/traces", content_type, body).send().await.unwrap().status(), 200);
    }
    assert_eq!(server.sink.rows(), 2);
}

#[tokio::test]
async fn h08_partial_success_counts_in_both_encodings() {
    let server = Server::start().await;
    let mut spans = vec![span("good", 1), span("bad", 2)];
    spans[1].span_id.clear();
    let response = send_traces(&server, traces(spans).encode_to_vec()).await;
    assert_eq!(response.status(), 200);
    let partial = ExportTraceServiceResponse::decode(response.bytes().await.unwrap()).unwrap().partial_success.unwrap();
    assert_eq!((partial.rejected_spans, partial.error_message.is_empty()), (1, false));
    for (path, body, rejected) in [
        ("/v1/traces", json!({"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}), "rejectedSpans"),
        (
            "/v1/metrics",
            json!({"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","gauge":{"dataPoints":[{}]}}]}]}]}),
            "rejectedDataPoints",
        ),
        (
            "/v1/logs",
            json!({"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityText":5}]}]}]}),
            "rejectedLogRecords",
        ),
    ] {
        let response = post(&server, path, JSON, body.to_string()).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let answer: Value = response.json().await.unwrap();
        assert_eq!(answer["partialSuccess"][rejected], "1", "{answer}");
        assert!(!answer["partialSuccess"]["errorMessage"].as_str().unwrap().is_empty());
    }
    assert_eq!(server.sink.rows(), 1);
}

#[tokio::test]
async fn h09_failures_are_a_status_in_the_encoding_of_the_request() {
    let server = Server::start().await;
    server.sink.answer(|_| Err(Refused::Internal));
    for (content_type, body) in [(PROTOBUF, good()), (JSON, JSON_SPAN.into())] {
        for (path, body, status, code) in [
            ("/v1/traces", body.clone(), 503, 14),
            ("/v1/traces", b"\xff garbage".to_vec(), 400, 3),
            ("/nowhere", body.clone(), 404, 12),
        ] {
            let response = post(&server, path, content_type, body).send().await.unwrap();
            assert_eq!(response.headers()["content-type"], content_type);
            failure(response, status, code).await;
        }
    }
}

#[tokio::test]
async fn h10_undecodable_is_400_with_a_bad_request_detail() {
    let server = Server::start().await;
    for (content_type, body) in [(PROTOBUF, &b"\x0a\x05ab"[..]), (JSON, b"{\"resourceSpans\":[")] {
        let response = post(&server, "/v1/traces", content_type, body).send().await.unwrap();
        let status = failure(response, 400, 3).await;
        assert_eq!(status.details[0].type_url, "type.googleapis.com/google.rpc.BadRequest");
    }
    assert_eq!(server.sink.rejected(Signal::Traces, reason::MALFORMED), 2);
}

#[tokio::test]
async fn h11_overload_is_429_or_503_with_whole_seconds_to_wait() {
    let server = Server::start().await;
    let wait = |response: &Response| -> u64 { response.headers()["retry-after"].to_str().unwrap().parse().unwrap() };
    for (after, waits) in [(0, 1..=3), (1500, 2..=4), (4000, 4..=9), (600_000, 30..=30)] {
        server.sink.answer(move |_| Err(Refused::Overloaded(Duration::from_millis(after))));
        let response = send_traces(&server, good()).await;
        assert!(waits.contains(&wait(&response)), "{}", wait(&response));
        let status = failure(response, 503, 14).await;
        assert_eq!(status.details[0].type_url, "type.googleapis.com/google.rpc.RetryInfo");
    }
    server.sink.admission(|_| Err(Denied::OverQuota(Duration::from_secs(3))));
    let response = send_traces(&server, good()).await;
    assert!((3..=7).contains(&wait(&response)));
    failure(response, 429, 14).await;
}

#[tokio::test]
async fn h11_a_used_up_memory_budget_is_503() {
    let (open, opened) = watch::channel(false);
    let mut config = Config::default();
    config.limits.memory_budget_bytes = 3 << 20;
    let server = Server::with(config, Memory { open: Some(opened), ..Memory::default() }).await;
    let large = traces(vec![span(&"x".repeat(4_000), 1); 250]).encode_to_vec();
    let first = tokio::spawn(post(&server, "/v1/traces", PROTOBUF, large.clone()).send());
    eventually("the first request", || server.sink.senders.lock().unwrap().len() == 1).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    failure(send_traces(&server, large.clone()).await, 503, 14).await;
    open.send(true).unwrap();
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    // What the first one held has come back.
    assert_eq!(send_traces(&server, large).await.status(), 200);
}

#[tokio::test]
async fn h12_failures_inside_are_never_500() {
    let server = Server::start().await;
    server.sink.answer(|_| Err(Refused::Internal));
    failure(send_traces(&server, good()).await, 503, 14).await;
    server.sink.answer(|_| panic!("a bug"));
    failure(send_traces(&server, good()).await, 503, 14).await;
    // The same bytes again are the likely culprit: no more retries for them, and only them.
    failure(send_traces(&server, good()).await, 400, 3).await;
    server.sink.answer(|_| Ok(()));
    assert_eq!(send_traces(&server, traces(vec![span("b", 2)]).encode_to_vec()).await.status(), 200);
    for (denied, status, code) in [(Denied::Unauthenticated, 401, 16), (Denied::Forbidden, 403, 7)] {
        server.sink.admission(move |_| Err(denied.clone()));
        failure(send_traces(&server, good()).await, status, code).await;
    }
}

#[tokio::test]
async fn h13_browsers_may_send_from_allowed_origins() {
    let server =
        Server::with_config(|config| config.cors.allowed_origins = vec!["https://*.example.org".to_owned()]).await;
    server.sink.admission(|_| Err(Denied::Unauthenticated));
    let origin = "https://shop.example.org";
    let preflight = |origin: &str| {
        Client::new()
            .request(reqwest::Method::OPTIONS, server.url("/v1/traces"))
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type,content-encoding,x-custom")
    };
    let answer = preflight(origin).send().await.unwrap();
    assert_eq!(answer.status(), 204);
    let headers = answer.headers();
    assert_eq!(headers["access-control-allow-origin"], origin);
    assert_eq!(headers["access-control-allow-methods"], "POST");
    assert_eq!(headers["access-control-allow-headers"], "content-type,content-encoding,x-custom");
    assert_eq!(headers["access-control-max-age"], "7200");
    let other = preflight("https://evil.example").send().await.unwrap();
    assert!(other.headers().get("access-control-allow-origin").is_none());
    // Errors are readable too.
    let refused = post(&server, "/v1/traces", JSON, JSON_SPAN).header("origin", origin).send().await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["access-control-allow-origin"]),
        (401, &origin.parse().unwrap())
    );
}

#[tokio::test]
async fn h14_a_burst_as_browsers_send_it_on_page_hide() {
    let server = Server::start().await;
    let many: Vec<Value> = (1..=150)
        .map(|number| json!({"traceId": format!("{number:032x}"), "spanId": format!("{number:016x}"), "name": "click".repeat(40)}))
        .collect();
    let body = json!({"resourceSpans":[{"scopeSpans":[{"spans": many}]}]}).to_string();
    assert!((30_000..60_000).contains(&body.len()));
    // No user agent, no compression, nine at once.
    let client = Client::builder().build().unwrap();
    let calls: Vec<_> = (0..9)
        .map(|_| {
            let request = client.post(server.url("/v1/traces")).header("content-type", JSON);
            tokio::spawn(request.header("origin", "http://localhost:3000").body(body.clone()).send())
        })
        .collect();
    for call in calls {
        let response = call.await.unwrap().unwrap();
        assert_eq!(response.headers()["access-control-allow-origin"], "http://localhost:3000");
        assert_eq!(response.text().await.unwrap(), "{}");
    }
    assert_eq!(server.sink.rows(), 9 * 150);
    assert!(server.sink.senders.lock().unwrap().iter().all(|(user_agent, _)| user_agent.is_empty()));
}

#[tokio::test]
async fn h15_answers_are_small_and_plain() {
    let server = Server::start().await;
    let mut spans: Vec<_> = (0..10_000).map(|number| span("bad", number)).collect();
    spans.iter_mut().for_each(|span| span.trace_id.clear());
    let request =
        post(&server, "/v1/traces", PROTOBUF, traces(spans).encode_to_vec()).header("accept-encoding", "gzip");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers().get("content-encoding").is_none());
    assert!(response.bytes().await.unwrap().len() < 4096);
}

#[tokio::test]
async fn h16_slow_senders_are_cut_off() {
    let server = Server::with_config(|config| {
        config.connections.header_timeout_millis = 300;
        config.connections.body_progress_timeout_millis = 300;
        config.connections.body_timeout_millis = 1000;
    })
    .await;
    let begin = Instant::now();
    assert_eq!(raw(&server, b"").await, "");
    assert_eq!(raw(&server, b"POST /v1/traces HTTP/1.1\r\nhost:").await, "");
    assert_eq!(server.sink.closed(reason::HEADER_TIMEOUT), 2);
    let head = "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{";
    let answer = raw(&server, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    // A head that drips is not a head that makes progress.
    let mut stream = TcpStream::connect(server.http).await.unwrap();
    let dripped = async {
        for byte in
            b"POST /v1/traces HTTP/1.1\r\nhost: x\r\nx: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy".iter()
        {
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    dripped.await;
    assert_eq!(server.sink.closed(reason::HEADER_TIMEOUT), 3);
    // Neither is a body.
    let mut stream = TcpStream::connect(server.http).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut read, mut write) = stream.split();
    let drip = async {
        while write.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let mut answer = Vec::new();
    tokio::select! {
        () = drip => {}
        _ = read.read_to_end(&mut answer) => {}
    }
    assert!(begin.elapsed() < Duration::from_secs(30));
    // Others are served meanwhile and after.
    assert_eq!(send_traces(&server, good()).await.status(), 200);
}

#[tokio::test]
async fn h16_whoever_takes_nothing_of_an_answer_is_cut_off() {
    let limits = Connections { idle_timeout_millis: 500, ..Connections::default() };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let endless = |_, _| async {
        let piece = || Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(&[b'x'; 1 << 16])));
        hyper::Response::new(StreamBody::new(futures_util::stream::repeat_with(piece)))
    };
    let (closed, mut reasons) = tokio::sync::mpsc::unbounded_channel();
    let closed = move |reason| _ = closed.send(reason);
    let server = tokio::spawn(listen::serve(listener, limits, closed, endless, std::future::pending()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    // Whoever reads slowly is not cut off.
    for _ in 0..10 {
        assert!(stream.read(&mut vec![0; 1 << 20]).await.unwrap() > 0);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let reason = tokio::time::timeout(Duration::from_secs(30), reasons.recv()).await.unwrap();
    assert_eq!(reason, Some(reason::ANSWER_STALLED));
    server.abort();
}

#[tokio::test]
async fn h16_an_idle_connection_outlives_the_header_timeout_and_then_ends() {
    let server = Server::with_config(|config| {
        config.connections.header_timeout_millis = 200;
        config.connections.idle_timeout_millis = 1200;
    })
    .await;
    let mut stream = TcpStream::connect(server.http).await.unwrap();
    let request =
        b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    let mut buffer = [0; 1000];
    for _ in 0..2 {
        stream.write_all(request).await.unwrap();
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(buffer[..read].starts_with(b"HTTP/1.1 200"));
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
    let end = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut buffer)).await.unwrap();
    assert_eq!(end.unwrap_or(0), 0);
    assert_eq!(server.sink.closed(reason::IDLE), 1);
}

#[tokio::test]
async fn h17_prefix_and_trailing_slash() {
    let server = Server::with_config(|config| config.http_path_prefix = "/otlp".to_owned()).await;
    for path in ["/otlp/v1/traces", "/otlp/v1/traces/"] {
        assert_eq!(post(&server, path, PROTOBUF, good()).send().await.unwrap().status(), 200, "{path}");
    }
    failure(post(&server, "/v1/traces", PROTOBUF, good()).send().await.unwrap(), 404, 12).await;
    let server = Server::start().await;
    assert_eq!(post(&server, "/v1/traces/", PROTOBUF, good()).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn connections_are_capped_per_address_and_in_total() {
    for (limit, reason) in [("total", reason::CONNECTIONS), ("address", reason::CONNECTIONS_PER_ADDRESS)] {
        let server = Server::with_config(|config| match limit {
            "total" => config.connections.max_total = 3,
            _ => config.connections.max_per_address = 3,
        })
        .await;
        let mut held = Vec::new();
        for _ in 0..5 {
            held.push(TcpStream::connect(server.http).await.unwrap());
        }
        eventually("two turned away", || server.sink.closed(reason) == 2).await;
        drop(held);
        let mut status = 0;
        for _ in 0..100 {
            if let Ok(response) = post(&server, "/v1/traces", PROTOBUF, good()).send().await {
                status = response.status().as_u16();
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(status, 200, "{limit}");
    }
}

#[tokio::test]
async fn shutdown_finishes_what_is_in_flight_and_takes_nothing_new() {
    let (open, opened) = watch::channel(false);
    let mut server = Server::with(Config::default(), Memory { open: Some(opened), ..Memory::default() }).await;
    let idle = TcpStream::connect(server.http).await.unwrap();
    let call = tokio::spawn(post(&server, "/v1/traces", PROTOBUF, good()).send());
    eventually("the call at the sink", || server.sink.senders.lock().unwrap().len() == 1).await;
    let stopping = server.stop();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(TcpStream::connect(server.http).await.is_err());
    open.send(true).unwrap();
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
    assert_eq!(server.sink.rows(), 1);
    drop(idle);
    for task in stopping {
        assert_eq!(tokio::time::timeout(Duration::from_secs(5), task).await.unwrap().unwrap(), 0);
    }
}

#[tokio::test]
async fn shutdown_is_bounded_when_a_request_hangs() {
    let (_open, opened) = watch::channel(false);
    let mut config = Config::default();
    config.connections.drain_timeout_millis = 200;
    let mut server = Server::with(config, Memory { open: Some(opened), ..Memory::default() }).await;
    let call = tokio::spawn(post(&server, "/v1/traces", PROTOBUF, good()).send());
    eventually("the call at the sink", || server.sink.senders.lock().unwrap().len() == 1).await;
    let begin = Instant::now();
    let mut cut = 0;
    for task in server.stop() {
        cut += task.await.unwrap();
    }
    assert_eq!(cut, 1);
    assert!(begin.elapsed() < Duration::from_secs(3));
    assert!(call.await.unwrap().is_err());
}

#[tokio::test]
async fn malformed_http_is_refused_and_smuggles_nothing() {
    let server = Server::start().await;
    let body = "{}";
    for request in [
        format!(
            "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: {JSON}\r\ncontent-length: 2\r\ncontent-length: 3\r\nconnection: close\r\n\r\n{body}"
        ),
        format!(
            "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: {JSON}\r\ncontent-length: -1\r\nconnection: close\r\n\r\n{body}"
        ),
        format!("POST /v1/traces HTTP/1.1\r\nhost: x\r\n{}: y\r\n\r\n", "x".repeat(200_000)),
        "GET /v1/traces\r\n\r\n".to_owned(),
        "\0\0\0\0\r\n\r\n".to_owned(),
    ] {
        let answer = raw(&server, request.as_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        assert!(answer.matches("HTTP/1.1").count() <= 1, "{answer}");
    }
    // hyper prefers the chunks and closes; there is one answer.
    let both = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: {JSON}\r\ncontent-length: 30\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n2\r\n{body}\r\n0\r\n\r\nPOST /v1/traces HTTP/1.1\r\n\r\n"
    );
    assert_eq!(raw(&server, both.as_bytes()).await.matches("HTTP/1.1").count(), 1);
    assert_eq!(send_traces(&server, good()).await.status(), 200);
}

#[tokio::test]
async fn real_payloads_of_the_python_sdk_arrive_complete() {
    let server = Server::start().await;
    for (path, body) in [
        ("/v1/traces", &include_bytes!("../fixtures/python-traces-checkout.pb")[..]),
        ("/v1/traces", include_bytes!("../fixtures/python-traces-payment.pb")),
        ("/v1/traces", include_bytes!("../fixtures/python-traces-worker.pb")),
        ("/v1/metrics", include_bytes!("../fixtures/python-metrics.pb")),
        ("/v1/logs", include_bytes!("../fixtures/python-logs.pb")),
    ] {
        let zipped = post(&server, path, PROTOBUF, compressed("gzip", body)).header("content-encoding", "gzip");
        assert_eq!(zipped.send().await.unwrap().bytes().await.unwrap().len(), 0, "{path}");
    }
    let batches = server.sink.batches();
    let Batch::Traces(checkout) = &batches[0] else { panic!() };
    assert_eq!((checkout.len(), checkout.context.service(0).to_string()), (5, "shop/shop-checkout@test".to_owned()));
    // Sampled spans whose sampled bit is off: nothing may filter on it.
    assert!(checkout.flags.iter().all(|&flags| flags == 0x100));
    let request =
        ExportTraceServiceRequest::decode(&include_bytes!("../fixtures/python-traces-checkout.pb")[..]).unwrap();
    assert_eq!(crate::rows::rows(&batches[0]), crate::oracle::Request::rows(&request));
    let Batch::Traces(payment) = &batches[1] else { panic!() };
    assert_eq!(payment.context.strings.get(payment.events.name[0]), "exception");
    let Batch::Traces(worker) = &batches[2] else { panic!() };
    assert_eq!(worker.links.span_id.len(), 1);
    let Batch::Metrics(metrics) = &batches[3] else { panic!() };
    assert_eq!((metrics.len(), metrics.distributions.len()), (4, 2));
    let Batch::Logs(logs) = &batches[4] else { panic!() };
    assert_eq!((logs.len(), logs.severity_number[0], logs.trace_id[0].is_none()), (1, 17, false));
}
