//! Against a real server that misbehaves on purpose.

use std::time::{Duration, Instant};

use hyper::Response;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;

use super::*;
use crate::otlp::{data_points, resource_metrics};
use crate::stop::Stopper;
use crate::testing::{Server, answer};

fn exporter(url: &str) -> Exporter {
    let headers = BTreeMap::from([("authorization".to_owned(), "Bearer secret".to_owned())]);
    let config = Config { otlp: url.to_owned(), headers, timeout: Duration::from_secs(5), ..Config::default() };
    Exporter::new(&config, HttpClient::new()).unwrap()
}

fn message() -> ExportMetricsServiceRequest {
    let mut recorder = Recorder::new(7, 3);
    recorder.record(&i::UPTIME, 1.5, []);
    ExportMetricsServiceRequest {
        resource_metrics: resource_metrics(Vec::new(), recorder.finish()).into_iter().collect(),
    }
}

fn batch(signal: Signal) -> Batch {
    Batch::new(signal, &message(), 10)
}

/// The agent's own counters as `name{attribute values}`.
fn counters(exporter: &Exporter) -> BTreeMap<String, i64> {
    let mut recorder = Recorder::new(2, 1);
    exporter.record(&mut recorder);
    let metrics = recorder.finish();
    let points = metrics.iter().flat_map(|metric| data_points(metric).iter().map(move |point| (metric, point)));
    let named = points.map(|(metric, point)| {
        let values: Vec<_> =
            point.attributes.iter().filter_map(|a| a.value.clone()?.value).map(|v| format!("{v:?}")).collect();
        let values = values.join(",").replace("StringValue(\"", "").replace("\")", "");
        let number = match point.value {
            Some(Value::AsInt(number)) => number,
            other => panic!("{other:?}"),
        };
        (format!("{}{{{values}}}", metric.name.trim_start_matches("orrery.agent.")), number)
    });
    named.filter(|(_, number)| *number > 0).collect()
}

fn check_counters(exporter: &Exporter, expected: &[(&str, i64)]) {
    let expected = expected.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect();
    assert_eq!(counters(exporter), expected);
}

#[tokio::test]
async fn a_batch_arrives_as_gzipped_protobuf() {
    let server = Server::start(|_, _| answer(200, "")).await;
    let exporter = exporter(&format!("{}/", server.url));
    let (_stopper, stop) = Stopper::new();
    assert!(exporter.deliver(&batch(Signal::Metrics), &stop).await);
    let received = &server.received()[0];
    assert_eq!(received.path, "/v1/metrics");
    for (name, value) in
        [("content-type", "application/x-protobuf"), ("content-encoding", "gzip"), ("authorization", "Bearer secret")]
    {
        assert_eq!(received.headers[name], value);
    }
    assert_eq!(received.message::<ExportMetricsServiceRequest>(), message());
    check_counters(&exporter, &[("exported{metrics}", 10)]);
}

#[tokio::test]
async fn throttling_waits_as_long_as_asked_and_sends_the_same_again() {
    let server = Server::start(|_, number| match number {
        0 => Response::builder().status(503).header("retry-after", "2").body(Full::default()).unwrap(),
        _ => answer(200, ""),
    })
    .await;
    let exporter = exporter(&server.url);
    let (_stopper, stop) = Stopper::new();
    let started = Instant::now();
    assert!(exporter.deliver(&batch(Signal::Logs), &stop).await);
    assert!(started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());
    let received = server.received();
    assert_eq!((received.len(), &received[0].body), (2, &received[1].body));
    check_counters(&exporter, &[("exported{logs}", 10), ("retries{logs}", 1)]);
}

#[tokio::test]
async fn what_the_server_refuses_for_good_is_dropped_and_counted() {
    for (status, reason) in [(400, "http_400"), (413, "http_413"), (500, "http_500"), (302, "http_302")] {
        let server = Server::start(move |_, _| answer(status, "\x12\x04nope")).await;
        let exporter = exporter(&server.url);
        let (_stopper, stop) = Stopper::new();
        assert!(exporter.deliver(&batch(Signal::Logs), &stop).await);
        assert_eq!(server.received().len(), 1, "{status} is not sent again");
        check_counters(&exporter, &[(&format!("dropped{{logs,{reason}}}"), 10)]);
    }
}

#[tokio::test]
async fn a_server_that_comes_late_gets_everything() {
    let reserved = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let exporter = exporter(&format!("http://{address}"));
    let (_stopper, stop) = Stopper::new();
    let batch = batch(Signal::Metrics);
    let delivery = exporter.deliver(&batch, &stop);
    let late = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        Server::at(address, |_, _| answer(200, "")).await
    };
    let (delivered, server) = tokio::join!(delivery, late);
    assert!(delivered);
    assert_eq!(server.received().len(), 1);
    assert!(counters(&exporter)["retries{metrics}"] >= 1);
}

#[tokio::test]
async fn partial_success_is_counted() {
    let partial = ExportLogsPartialSuccess { rejected_log_records: 3, error_message: "too old".to_owned() };
    let body = ExportLogsServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    let server = Server::start(move |_, _| answer(200, body.clone())).await;
    let exporter = exporter(&server.url);
    let (_stopper, stop) = Stopper::new();
    assert!(exporter.deliver(&batch(Signal::Logs), &stop).await);
    check_counters(&exporter, &[("dropped{logs,partial_success}", 3), ("exported{logs}", 7)]);
}

#[tokio::test]
async fn stopping_tries_once_more_and_gives_up() {
    let server = Server::start(|_, _| answer(503, "")).await;
    let exporter = exporter(&server.url);
    let (stopper, stop) = Stopper::new();
    let batch = batch(Signal::Metrics);
    let started = Instant::now();
    let stopping = async {
        server.until("a first try", |received| !received.is_empty()).await;
        stopper.stop();
    };
    let (delivered, ()) = tokio::join!(exporter.deliver(&batch, &stop), stopping);
    assert!(!delivered);
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(!counters(&exporter).keys().any(|name| name.starts_with("dropped")), "whoever gives up counts");
}

#[test]
fn wrong_addresses_are_refused_at_the_start() {
    for otlp in ["127.0.0.1:4318", "ftp://x", "http://", "not a url"] {
        let config = Config { otlp: otlp.to_owned(), ..Config::default() };
        let error = format!("{:#}", Exporter::new(&config, HttpClient::new()).unwrap_err());
        assert!(error.contains("otlp"), "{error}");
    }
}
