//! A receiver on real sockets with a sink in memory, and payloads.

use futures_util::future::BoxFuture;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use orrery_model::{Batch, Body, Signal};
use orrery_receive::{Config, Denied, Receiver, Refused, Sender, Sink};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

type Counters = BTreeMap<(Signal, &'static str), u64>;
type Answer = Box<dyn Fn(&Batch) -> Result<(), Refused> + Send + Sync>;
type Admission = Box<dyn Fn(&Sender<'_>) -> Result<(), Denied> + Send + Sync>;

/// Keeps what is appended, and answers as told.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) kept: Mutex<Vec<(Body, Batch)>>,
    pub(crate) rejected: Mutex<Counters>,
    pub(crate) dropped: Mutex<Counters>,
    pub(crate) refused: Mutex<Counters>,
    pub(crate) closed: Mutex<BTreeMap<&'static str, u64>>,
    pub(crate) senders: Mutex<Vec<(String, String)>>,
    pub(crate) answer: Mutex<Option<Answer>>,
    pub(crate) admission: Mutex<Option<Admission>>,
    /// Appends wait until this is true.
    pub(crate) open: Option<watch::Receiver<bool>>,
}

impl Memory {
    pub(crate) fn rows(&self) -> usize {
        self.kept.lock().unwrap().iter().map(|(_, batch)| batch.len()).sum()
    }

    pub(crate) fn batches(&self) -> Vec<Batch> {
        self.kept.lock().unwrap().iter().map(|(_, batch)| batch.clone()).collect()
    }

    pub(crate) fn rejected(&self, signal: Signal, reason: &'static str) -> u64 {
        self.rejected.lock().unwrap().get(&(signal, reason)).copied().unwrap_or(0)
    }

    pub(crate) fn closed(&self, reason: &'static str) -> u64 {
        self.closed.lock().unwrap().get(reason).copied().unwrap_or(0)
    }

    pub(crate) fn answer(&self, answer: impl Fn(&Batch) -> Result<(), Refused> + Send + Sync + 'static) {
        *self.answer.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(Box::new(answer));
    }

    pub(crate) fn admission(&self, admission: impl Fn(&Sender<'_>) -> Result<(), Denied> + Send + Sync + 'static) {
        *self.admission.lock().unwrap() = Some(Box::new(admission));
    }
}

impl Sink for Memory {
    fn append(&self, body: Body, batch: Batch) -> BoxFuture<'_, Result<(), Refused>> {
        Box::pin(async move {
            if let Some(mut open) = self.open.clone() {
                _ = open.wait_for(|open| *open).await;
            }
            let answer = self.answer.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            if let Some(answer) = &*answer {
                answer(&batch)?;
            }
            self.kept.lock().unwrap().push((body, batch));
            Ok(())
        })
    }

    fn admit(&self, _signal: Signal, sender: &Sender<'_>) -> Result<(), Denied> {
        let tenant = sender.headers.get("x-scope-tenant").and_then(|value| value.to_str().ok()).unwrap_or("");
        self.senders.lock().unwrap().push((sender.user_agent().to_owned(), tenant.to_owned()));
        self.admission.lock().unwrap().as_ref().map_or(Ok(()), |admission| admission(sender))
    }

    fn rejected(&self, signal: Signal, reason: &'static str, count: u64, _sender: &Sender<'_>) {
        *self.rejected.lock().unwrap().entry((signal, reason)).or_default() += count;
    }

    fn dropped(&self, signal: Signal, reason: &'static str, count: u64) {
        *self.dropped.lock().unwrap().entry((signal, reason)).or_default() += count;
    }

    fn refused(&self, signal: Signal, reason: &'static str) {
        *self.refused.lock().unwrap().entry((signal, reason)).or_default() += 1;
    }

    fn closed(&self, reason: &'static str) {
        *self.closed.lock().unwrap().entry(reason).or_default() += 1;
    }
}

/// A receiver on free ports of the loopback.
pub(crate) struct Server {
    pub(crate) sink: Arc<Memory>,
    pub(crate) http: SocketAddr,
    pub(crate) grpc: SocketAddr,
    stop: Vec<oneshot::Sender<()>>,
    tasks: Vec<JoinHandle<usize>>,
}

impl Server {
    pub(crate) async fn start() -> Server {
        Server::with(Config::default(), Memory::default()).await
    }

    pub(crate) async fn with_config(change: impl FnOnce(&mut Config)) -> Server {
        let mut config = Config::default();
        change(&mut config);
        Server::with(config, Memory::default()).await
    }

    pub(crate) async fn with(config: Config, sink: Memory) -> Server {
        let sink = Arc::new(sink);
        let receiver = Receiver::new(sink.clone(), config);
        let (http_listener, grpc_listener) = (bind().await, bind().await);
        let (http, grpc) = (http_listener.local_addr().unwrap(), grpc_listener.local_addr().unwrap());
        let (stop_http, stopped_http) = oneshot::channel::<()>();
        let (stop_grpc, stopped_grpc) = oneshot::channel::<()>();
        let of_http = receiver.clone();
        let tasks = vec![
            tokio::spawn(
                async move { of_http.serve_http(http_listener, Box::pin(async { _ = stopped_http.await })).await },
            ),
            tokio::spawn(async move {
                receiver.serve_grpc(grpc_listener, Box::pin(async { _ = stopped_grpc.await })).await
            }),
        ];
        Server { sink, http, grpc, stop: vec![stop_http, stop_grpc], tasks }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http)
    }

    pub(crate) fn grpc_url(&self) -> String {
        format!("http://{}", self.grpc)
    }

    /// Begins to stop; the tasks return how many connections were cut off.
    pub(crate) fn stop(&mut self) -> Vec<JoinHandle<usize>> {
        self.stop.drain(..).for_each(|stop| _ = stop.send(()));
        std::mem::take(&mut self.tasks)
    }
}

async fn bind() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// Waits for a condition, at most 10 s.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < Duration::from_secs(10), "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn text(value: &str) -> Option<AnyValue> {
    Some(AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) })
}

pub(crate) fn pair(key: &str, value: Option<AnyValue>) -> KeyValue {
    KeyValue { key: key.to_owned(), value, ..Default::default() }
}

pub(crate) fn resource() -> Option<Resource> {
    Some(Resource { attributes: vec![pair("service.name", text("shop"))], ..Default::default() })
}

pub(crate) fn span(name: &str, number: u64) -> Span {
    Span {
        trace_id: u128::from(number + 1).to_be_bytes().to_vec(),
        span_id: (number + 1).to_be_bytes().to_vec(),
        name: name.to_owned(),
        kind: 2,
        start_time_unix_nano: 1_700_000_000_000_000_000,
        end_time_unix_nano: 1_700_000_000_001_000_000,
        attributes: vec![pair("http.route", text("/cart"))],
        ..Default::default()
    }
}

pub(crate) fn traces(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans { spans, ..Default::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource: resource(), scope_spans, ..Default::default() }],
    }
}

pub(crate) fn logs(log_records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    let scope_logs = vec![ScopeLogs { log_records, ..Default::default() }];
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs { resource: resource(), scope_logs, ..Default::default() }],
    }
}

pub(crate) fn log(body: &str) -> LogRecord {
    LogRecord { time_unix_nano: 1_700_000_000_000_000_000, body: text(body), ..Default::default() }
}

pub(crate) fn metrics(metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
    let scope_metrics = vec![ScopeMetrics { metrics, ..Default::default() }];
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics { resource: resource(), scope_metrics, ..Default::default() }],
    }
}

pub(crate) fn point(value: Option<f64>) -> NumberDataPoint {
    NumberDataPoint {
        time_unix_nano: 1_700_000_000_000_000_000,
        value: value.map(number_data_point::Value::AsDouble),
        ..Default::default()
    }
}

pub(crate) fn gauge(name: &str, data_points: Vec<NumberDataPoint>) -> Metric {
    Metric { name: name.to_owned(), data: Some(metric::Data::Gauge(Gauge { data_points })), ..Default::default() }
}
