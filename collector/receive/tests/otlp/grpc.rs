//! Checks G1 to G17, with the generated tonic client where it can do what is asked, and bare HTTP/2 where it cannot.

use crate::support::*;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use orrery_model::{Batch, Compression, Signal};
use orrery_receive::{Config, Denied, Refused, reason};
use prost::Message;
use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tonic::codec::CompressionEncoding;
use tonic::transport::Channel;
use tonic::{Code, Status};

const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

async fn client(server: &Server) -> TraceServiceClient<Channel> {
    TraceServiceClient::connect(server.grpc_url()).await.unwrap()
}

/// What a bare HTTP/2 call came to.
pub(crate) struct Answer {
    pub(crate) status: u16,
    grpc_status: Option<u16>,
    headers: http::HeaderMap,
    message: Bytes,
}

/// One call with a body of our own making.
pub(crate) async fn call(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = hyper::Request::post(format!("http://{address}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = sender.send_request(request.body(Full::<Bytes>::from(body)).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap();
    let mut headers = head.headers;
    headers.extend(body.trailers().cloned().unwrap_or_default());
    let grpc_status = headers.get("grpc-status").map(|status| status.to_str().unwrap().parse().unwrap());
    Answer { status: head.status.as_u16(), grpc_status, headers, message: body.to_bytes() }
}

async fn grpc_call(server: &Server, body: Vec<u8>) -> Answer {
    call(server.grpc, TRACES, &[("content-type", "application/grpc"), ("te", "trailers")], body).await
}

fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
    [&[flag], &(message.len() as u32).to_be_bytes()[..], message].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn has_retry_info(status: &Status) -> bool {
    let text = String::from_utf8_lossy(status.details()).into_owned();
    text.contains("google.rpc.RetryInfo")
}

#[tokio::test]
async fn g01_the_three_services_export_and_others_are_unimplemented() {
    let server = Server::start().await;
    client(&server).await.export(traces(vec![span("a", 1)])).await.unwrap();
    let mut logs_client = LogsServiceClient::connect(server.grpc_url()).await.unwrap();
    logs_client.export(logs(vec![log("hello")])).await.unwrap();
    let mut metrics_client = MetricsServiceClient::connect(server.grpc_url()).await.unwrap();
    metrics_client.export(metrics(vec![gauge("m", vec![point(Some(1.0))])])).await.unwrap();
    let signals: Vec<Signal> = server.sink.batches().iter().map(Batch::signal).collect();
    assert_eq!(signals, [Signal::Traces, Signal::Logs, Signal::Metrics]);
    let headers = [("content-type", "application/grpc")];
    let profiles = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export";
    let answer = call(server.grpc, profiles, &headers, framed(0, &[])).await;
    assert_eq!((answer.status, answer.grpc_status), (200, Some(Code::Unimplemented as u16)));
}

#[tokio::test]
async fn g02_identity_gzip_and_zstd_are_accepted_and_kept_as_they_came() {
    let server = Server::start().await;
    let request = || traces((0..50).map(|number| span("same name", number)).collect());
    client(&server).await.export(request()).await.unwrap();
    client(&server).await.send_compressed(CompressionEncoding::Gzip).export(request()).await.unwrap();
    client(&server).await.send_compressed(CompressionEncoding::Zstd).export(request()).await.unwrap();
    let kept = std::mem::take(&mut *server.sink.kept.lock().unwrap());
    let compressions: Vec<Compression> = kept.iter().map(|(body, _)| body.compression).collect();
    assert_eq!(compressions, [Compression::Identity, Compression::Gzip, Compression::Zstd]);
    assert!(kept[1].0.bytes.len() < kept[0].0.bytes.len() / 2);
    for (body, batch) in &kept {
        let again = orrery_receive::Decoder::default().decode_body(body).unwrap();
        assert_eq!(crate::rows::rows(&again.batch), crate::rows::rows(batch));
    }
    let headers = [("content-type", "application/grpc"), ("grpc-encoding", "snappy")];
    let answer = call(server.grpc, TRACES, &headers, framed(1, b"x")).await;
    assert_eq!(answer.grpc_status, Some(Code::Unimplemented as u16));
    assert_eq!(answer.headers["grpc-accept-encoding"], "identity,gzip,zstd");
}

#[tokio::test]
async fn g03_oversize_is_resource_exhausted_before_and_after_decompression() {
    let server = Server::with_config(|config| {
        config.limits.max_wire_bytes = 100_000;
        config.limits.max_decompressed_bytes = 200_000;
    })
    .await;
    let request = || traces(vec![span(&"x".repeat(4_000), 1); 100]);
    let plain = client(&server).await.export(request()).await.unwrap_err();
    let zipped = client(&server).await.send_compressed(CompressionEncoding::Gzip).export(request()).await.unwrap_err();
    for status in [plain, zipped] {
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        assert!(!has_retry_info(&status));
        assert!(status.metadata().get_bin("google.rpc.retryinfo-bin").is_none());
    }
    assert_eq!(server.sink.rejected(Signal::Traces, reason::TOO_BIG), 2);
}

#[tokio::test]
async fn g04_a_gzip_bomb_is_refused() {
    let server = Server::start().await;
    let bomb = gzip(&vec![0; 300 << 20]);
    let headers = [("content-type", "application/grpc"), ("grpc-encoding", "gzip")];
    let answer = call(server.grpc, TRACES, &headers, framed(1, &bomb)).await;
    assert_eq!(answer.grpc_status, Some(Code::ResourceExhausted as u16));
}

#[tokio::test]
async fn g05_an_empty_request_is_ok() {
    let server = Server::start().await;
    let mut client = client(&server).await;
    for request in [ExportTraceServiceRequest::default(), traces(vec![])] {
        let response = client.export(request).await.unwrap();
        assert_eq!(response.into_inner().partial_success, None);
    }
    let envelope = ExportTraceServiceRequest { resource_spans: vec![ResourceSpans::default()] };
    assert_eq!(client.export(envelope).await.unwrap().into_inner().partial_success, None);
    assert_eq!(server.sink.kept.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn g06_full_success_leaves_partial_success_unset() {
    let server = Server::start().await;
    let response = client(&server).await.export(traces(vec![span("a", 1), span("b", 2)])).await.unwrap();
    assert_eq!(response.into_inner().partial_success, None);
    let answer = grpc_call(&server, framed(0, &traces(vec![span("a", 1)]).encode_to_vec())).await;
    assert_eq!((answer.grpc_status, &answer.message[..]), (Some(0), &[0, 0, 0, 0, 0][..]));
    assert_eq!(server.sink.rows(), 3);
}

#[tokio::test]
async fn g07_partial_success_counts_exactly_and_says_why() {
    let server = Server::start().await;
    let mut spans = vec![span("good", 1), span("bad", 2), span("bad", 3), span("good", 4)];
    spans[1].trace_id = vec![0; 16];
    spans[2].span_id = vec![1; 7];
    let response = client(&server).await.export(traces(spans)).await.unwrap().into_inner();
    let partial = response.partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 2);
    let message = "rejected 2 of 4 items (invalid_trace_id: 1, invalid_span_id: 1)";
    assert_eq!(partial.error_message, message);
    assert_eq!(server.sink.rows(), 2);
    assert_eq!(server.sink.rejected(Signal::Traces, reason::TRACE_ID), 1);
    let mut client = MetricsServiceClient::connect(server.grpc_url()).await.unwrap();
    let response = client.export(metrics(vec![gauge("m", vec![point(None), point(Some(1.0))])])).await.unwrap();
    assert_eq!(response.into_inner().partial_success.unwrap().rejected_data_points, 1);
}

#[tokio::test]
async fn g08_a_warning_has_a_message_and_rejects_nothing() {
    let server = Server::with_config(|config| config.limits.max_value_bytes = 10).await;
    let mut long = span("a", 1);
    long.attributes = vec![pair("k", text("0123456789 and more"))];
    let response = client(&server).await.export(traces(vec![long])).await.unwrap().into_inner();
    let partial = response.partial_success.unwrap();
    assert_eq!((partial.rejected_spans, &*partial.error_message), (0, "not stored as sent (value_truncated: 1)"));
    let Batch::Traces(batch) = &server.sink.batches()[0] else { panic!() };
    let value = batch.attribute(0, "k").unwrap().to_text(&batch.context.strings);
    assert_eq!(value, "0123456…");
}

#[tokio::test]
async fn g09_answers_stay_small() {
    let server = Server::start().await;
    let mut spans: Vec<_> = (0..20_000).map(|number| span("bad", number)).collect();
    spans.iter_mut().for_each(|span| span.trace_id.clear());
    let answer = grpc_call(&server, framed(0, &traces(spans).encode_to_vec())).await;
    assert_eq!(answer.grpc_status, Some(0));
    assert!(answer.message.len() < 4096);
    let response = ExportTraceServiceResponse::decode(&answer.message[5..]).unwrap();
    assert_eq!(response.partial_success.unwrap().rejected_spans, 20_000);
}

#[tokio::test]
async fn g10_undecodable_is_invalid_argument() {
    let server = Server::start().await;
    let good = traces(vec![span("a", 1)]).encode_to_vec();
    let two = [framed(0, &good), framed(0, &good)].concat();
    for (what, body) in [
        ("not protobuf", framed(0, b"\xff\xff\xff")),
        ("cut", framed(0, &good[..good.len() - 1])),
        ("unknown flag", framed(7, &good)),
        ("two messages", two),
        ("no message", vec![]),
        ("half a prefix", vec![0, 0]),
        ("shorter than announced", framed(0, &good)[..good.len()].to_vec()),
    ] {
        let answer = grpc_call(&server, body).await;
        assert_eq!((answer.status, answer.grpc_status), (200, Some(Code::InvalidArgument as u16)), "{what}");
    }
    for (encoding, body) in [("gzip", &b"not gzip"[..]), ("zstd", b"not zstd"), ("gzip", &gzip(&good)[..20])] {
        let headers = [("content-type", "application/grpc"), ("grpc-encoding", encoding)];
        let answer = call(server.grpc, TRACES, &headers, framed(1, body)).await;
        assert_eq!(answer.grpc_status, Some(Code::InvalidArgument as u16), "corrupt {encoding}");
    }
    assert_eq!(server.sink.rejected(Signal::Traces, reason::MALFORMED), 10);
    assert_eq!(grpc_call(&server, framed(0, &good)).await.grpc_status, Some(0));
}

#[tokio::test]
async fn g11_overload_is_unavailable_with_retry_info_where_every_client_looks() {
    let server = Server::start().await;
    server.sink.answer(|_| Err(Refused::Overloaded(Duration::from_millis(2500))));
    let status = client(&server).await.export(traces(vec![span("a", 1)])).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(has_retry_info(&status));
    let info = status.metadata().get_bin("google.rpc.retryinfo-bin").unwrap().to_bytes().unwrap();
    // RetryInfo { retry_delay: Duration { seconds: 2 to 6, .. } }: asked for are 2.5 s, spread over up to 6.
    assert!(matches!(info[..], [0x0a, _, 0x08, 2..=6, ..]), "{info:?}");
    for refused in [Refused::DiskFull(Duration::ZERO), Refused::Starting, Refused::ShuttingDown, Refused::Internal] {
        server.sink.answer(move |_| Err(refused.clone()));
        let status = client(&server).await.export(traces(vec![span("a", 1)])).await.unwrap_err();
        assert_eq!((status.code(), has_retry_info(&status)), (Code::Unavailable, true), "{status:?}");
    }
}

#[tokio::test]
async fn g12_only_what_may_be_sent_again_gets_a_retryable_code() {
    // OTLP: CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE and DATA_LOSS are retried.
    let retried = [Code::Cancelled, Code::DeadlineExceeded, Code::Aborted, Code::OutOfRange, Code::DataLoss];
    let server = Server::with_config(|config| config.limits.max_wire_bytes = 10_000).await;
    let cases = [
        traces(vec![span(&"x".repeat(20_000), 1)]).encode_to_vec(),
        b"garbage".to_vec(),
        traces(vec![span("a", 1)]).encode_to_vec(),
    ];
    for denied in
        [Some(Denied::Unauthenticated), Some(Denied::Forbidden), Some(Denied::OverQuota(Duration::ZERO)), None]
    {
        let answer = denied.clone();
        server.sink.admission(move |_| answer.clone().map_or(Ok(()), Err));
        for case in &cases {
            let code = Code::from_i32(i32::from(grpc_call(&server, framed(0, case)).await.grpc_status.unwrap()));
            assert!(!retried.contains(&code), "{code:?}");
            assert_eq!(code == Code::Unavailable, matches!(denied, Some(Denied::OverQuota(_))), "{code:?}");
        }
    }
}

#[tokio::test]
async fn g13_pings_are_answered_and_an_idle_connection_stays() {
    let server = Server::with_config(|config| {
        config.connections.header_timeout_millis = 200;
        config.connections.idle_timeout_millis = 400;
        config.connections.keepalive_millis = 100;
    })
    .await;
    let channel = Channel::from_shared(server.grpc_url())
        .unwrap()
        .http2_keep_alive_interval(Duration::from_millis(20))
        .keep_alive_timeout(Duration::from_secs(5))
        .keep_alive_while_idle(true)
        .connect()
        .await
        .unwrap();
    let mut client = TraceServiceClient::new(channel);
    client.export(traces(vec![span("a", 1)])).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    client.export(traces(vec![span("b", 2)])).await.unwrap();
    assert_eq!(server.sink.closed.lock().unwrap().len(), 0);
    assert_eq!(server.sink.rows(), 2);
}

#[tokio::test]
async fn g14_a_hundred_streams_run_side_by_side() {
    let (open, opened) = watch::channel(false);
    let sink = Memory { open: Some(opened), ..Memory::default() };
    let server = Server::with(Config::default(), sink).await;
    let client = client(&server).await;
    let calls: Vec<_> = (0..120)
        .map(|number| {
            let mut client = client.clone();
            tokio::spawn(async move { client.export(traces(vec![span("a", number)])).await })
        })
        .collect();
    // None is answered yet, and all 120 wait in the sink at once: each has been admitted and decoded.
    eventually("120 calls at the sink", || server.sink.senders.lock().unwrap().len() == 120).await;
    assert!(calls.iter().all(|call| !call.is_finished()));
    open.send(true).unwrap();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(server.sink.rows(), 120);
}

#[tokio::test]
async fn g15_metadata_and_user_agent_reach_the_sink() {
    let server = Server::start().await;
    server.sink.admission(|sender| match sender.headers.get("authorization") {
        Some(token) if token == "Bearer right" => Ok(()),
        Some(_) => Err(Denied::Forbidden),
        None => Err(Denied::Unauthenticated),
    });
    let mut client = client(&server).await;
    let status = client.export(traces(vec![span("a", 1)])).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    for (token, code) in [("Bearer wrong", Code::PermissionDenied), ("Bearer right", Code::Ok)] {
        let mut request = tonic::Request::new(traces(vec![span("a", 1)]));
        request.metadata_mut().insert("authorization", token.parse().unwrap());
        request.metadata_mut().insert("x-scope-tenant", "blue".parse().unwrap());
        let code_seen = client.export(request).await.map_or_else(|status| status.code(), |_| Code::Ok);
        assert_eq!(code_seen, code);
    }
    let senders = server.sink.senders.lock().unwrap();
    let (user_agent, tenant) = senders.last().unwrap();
    assert!(user_agent.starts_with("tonic/"), "{user_agent}");
    assert_eq!(tenant, "blue");
}

#[tokio::test]
async fn g16_the_answer_waits_until_the_sink_has_it() {
    let (open, opened) = watch::channel(false);
    let server = Server::with(Config::default(), Memory { open: Some(opened), ..Memory::default() }).await;
    let mut client = client(&server).await;
    let call = tokio::spawn(async move { client.export(traces(vec![span("a", 1)])).await });
    eventually("the call at the sink", || server.sink.senders.lock().unwrap().len() == 1).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!call.is_finished());
    assert_eq!(server.sink.rows(), 0);
    open.send(true).unwrap();
    call.await.unwrap().unwrap();
    assert_eq!(server.sink.rows(), 1);
}

#[tokio::test]
async fn g16_a_sink_that_takes_too_long_is_unavailable() {
    let (_open, opened) = watch::channel(false);
    let config = Config { append_timeout_millis: 100, ..Config::default() };
    let server = Server::with(config, Memory { open: Some(opened), ..Memory::default() }).await;
    let begin = Instant::now();
    let status = client(&server).await.export(traces(vec![span("a", 1)])).await.unwrap_err();
    assert_eq!((status.code(), has_retry_info(&status)), (Code::Unavailable, true));
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn g17_http_1_and_other_content_types_are_told_where_they_are() {
    let server = Server::start().await;
    let response = reqwest::Client::new()
        .post(format!("{}/v1/traces", server.grpc_url()))
        .header("content-type", "application/json")
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 415);
    let status: serde_json::Value = response.json().await.unwrap();
    assert!(status["message"].as_str().unwrap().contains("OTLP/gRPC"), "{status}");
    let answer = call(server.grpc, TRACES, &[("content-type", "application/grpc-web")], vec![]).await;
    assert_eq!((answer.status, answer.grpc_status), (415, None));
}

#[tokio::test]
async fn a_panic_is_unavailable_first_and_invalid_the_second_time() {
    let server = Server::start().await;
    server.sink.answer(|batch| {
        let Batch::Traces(batch) = batch else { return Ok(()) };
        assert!(batch.context.strings.find("boom").is_none(), "a bug");
        Ok(())
    });
    let mut client = client(&server).await;
    for code in [Code::Unavailable, Code::InvalidArgument, Code::InvalidArgument] {
        assert_eq!(client.export(traces(vec![span("boom", 1)])).await.unwrap_err().code(), code);
        client.export(traces(vec![span("fine", 1)])).await.unwrap();
    }
    assert_eq!(server.sink.rejected(Signal::Traces, reason::POISON), 2);
}
