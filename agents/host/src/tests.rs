//! The whole agent against a real server.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::testing::{Received, Server, answer};

struct Running {
    stop: oneshot::Sender<()>,
    agent: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    fn start(config: &Config) -> Self {
        let (stop, stopped) = oneshot::channel();
        let agent = tokio::spawn(run(config.clone(), Box::pin(async { drop(stopped.await) })));
        Self { stop, agent }
    }

    async fn stop(self) -> Duration {
        let asked = Instant::now();
        self.stop.send(()).unwrap();
        self.agent.await.unwrap().unwrap();
        asked.elapsed()
    }
}

fn config(directory: &std::path::Path, url: &str) -> Config {
    Config {
        otlp: url.to_owned(),
        interval: Duration::from_secs(1),
        state_dir: directory.join("state"),
        docker_socket: directory.join("no-docker.sock"),
        log: vec![LogSource { glob: directory.join("*.log").display().to_string(), ..LogSource::default() }],
        log_start: LogStart::Beginning,
        ..Config::default()
    }
}

fn metric_names(received: &[Received]) -> BTreeSet<String> {
    let requests = received.iter().filter(|request| request.path == "/v1/metrics");
    let resources = requests.flat_map(|request| request.message::<ExportMetricsServiceRequest>().resource_metrics);
    let metrics = resources.flat_map(|resource| resource.scope_metrics).flat_map(|scope| scope.metrics);
    metrics.map(|metric| metric.name).collect()
}

fn lines(received: &[Received]) -> Vec<String> {
    let requests = received.iter().filter(|request| request.path == "/v1/logs");
    let resources = requests.flat_map(|request| request.message::<ExportLogsServiceRequest>().resource_logs);
    let records = resources.flat_map(|resource| resource.scope_logs).flat_map(|scope| scope.log_records);
    records
        .map(|record| match record.body.and_then(|body| body.value) {
            Some(Any::StringValue(text)) => text,
            other => panic!("{other:?}"),
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_and_logs_arrive_and_a_restart_continues() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(|_, _| answer(200, "")).await;
    let log = directory.path().join("app.log");
    let mut config = config(directory.path(), &server.url);
    config.check = vec![Check { name: "self".to_owned(), url: format!("{}/health", server.url) }];
    std::fs::write(&log, "a\nb\n").unwrap();

    let agent = Running::start(&config);
    let wanted = ["system.cpu.utilization", "process.cpu.utilization", "httpcheck.status", "orrery.agent.exported"];
    server.until("all metrics", |received| wanted.iter().all(|name| metric_names(received).contains(*name))).await;
    server.until("both lines", |received| lines(received) == ["a", "b"]).await;
    assert!(agent.stop().await < Duration::from_secs(5));

    std::fs::write(&log, "a\nb\nc\n").unwrap();
    let agent = Running::start(&config);
    server.until("the new line", |received| lines(received) == ["a", "b", "c"]).await;
    agent.stop().await;
    assert_eq!(lines(&server.received()), ["a", "b", "c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_away_gets_every_line() {
    let directory = tempfile::tempdir().unwrap();
    let healthy = Arc::new(AtomicBool::new(false));
    let state = Arc::clone(&healthy);
    let server = Server::start(move |_, _| answer(if state.load(Ordering::Relaxed) { 200 } else { 503 }, "")).await;
    let log = directory.path().join("app.log");
    std::fs::write(&log, "a\n").unwrap();
    let agent = Running::start(&config(directory.path(), &server.url));
    server.until("a refused line", |received| lines(received) == ["a"]).await;
    // Rotated twice while nothing can be delivered.
    for (round, line) in ["b\n", "c\n"].iter().enumerate() {
        std::fs::rename(&log, directory.path().join(format!("app.log.{round}"))).unwrap();
        std::fs::write(&log, line).unwrap();
        tokio::time::sleep(Duration::from_millis(1500)).await;
    }
    let refused = server.received().len();
    healthy.store(true, Ordering::Relaxed);
    server
        .until("all lines", |received| {
            let lines: BTreeSet<_> = lines(&received[refused.min(received.len())..]).into_iter().collect();
            ["a", "b", "c"].iter().all(|line| lines.contains(*line))
        })
        .await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_takes_no_time_when_the_server_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("app.log"), "a\n").unwrap();
    let agent = Running::start(&config(directory.path(), "http://127.0.0.1:9"));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(agent.stop().await < Duration::from_secs(5));
}

#[tokio::test]
async fn a_wrong_configuration_does_not_start() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config { otlp: "nowhere".to_owned(), ..config(directory.path(), "") };
    let error = format!("{:#}", run(config, Box::pin(std::future::pending())).await.unwrap_err());
    assert!(error.contains("otlp"), "{error}");
}

#[tokio::test]
async fn what_falls_out_of_a_full_queue_is_counted() {
    let exporter = Exporter::new(&Config::default(), HttpClient::new()).unwrap();
    let queue = Queue::new(1);
    let mut recorder = otlp::Recorder::new(2, 1);
    recorder.record(&instrument::UPTIME, 1.0, []);
    let resource_metrics = otlp::resource_metrics(Vec::new(), recorder.finish()).into_iter().collect();
    enqueue(ExportMetricsServiceRequest { resource_metrics }, &queue, &exporter);
    let mut recorder = otlp::Recorder::new(2, 1);
    exporter.record(&mut recorder);
    let metrics = recorder.finish();
    let dropped = metrics.iter().find(|metric| metric.name == "orrery.agent.dropped").unwrap();
    let point = &otlp::data_points(dropped)[0];
    assert_eq!(point.value, Some(opentelemetry_proto::tonic::metrics::v1::number_data_point::Value::AsInt(1)));
}

#[tokio::test]
async fn a_snapshot_reads_as_text_and_as_json() {
    let directory = tempfile::tempdir().unwrap();
    let snapshot = snapshot(&config(directory.path(), "http://127.0.0.1:9")).await.unwrap();
    let text = snapshot.to_text();
    assert!(text.contains("service.name=orrery-agent") && text.contains("system.cpu.utilization [1] gauge"), "{text}");
    let json = snapshot.to_json();
    let metrics = json[0]["metrics"].as_array().unwrap();
    let count = metrics.iter().find(|metric| metric["name"] == "system.cpu.logical.count").unwrap();
    assert_eq!(count["kind"], "updowncounter");
    assert!(count["points"][0]["value"].as_i64().unwrap() > 0);
    assert!(!directory.path().join("state").exists(), "no state is touched");
}
