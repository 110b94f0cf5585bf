//! A collector that remembers everything.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric::Data, number_data_point};
use opentelemetry_proto::tonic::trace::v1::Span;
use tonic::{Request, Response, Status};

pub(crate) type Attributes = HashMap<String, String>;

/// A span and whose it is.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) resource: Attributes,
    pub(crate) attributes: Attributes,
    pub(crate) span: Span,
}

impl Seen {
    pub(crate) fn service(&self) -> &str {
        &self.resource["service.name"]
    }

    pub(crate) fn get(&self, key: &str) -> &str {
        self.attributes.get(key).map_or("", String::as_str)
    }

    pub(crate) fn millis(&self) -> f64 {
        self.span.end_time_unix_nano.saturating_sub(self.span.start_time_unix_nano) as f64 / 1e6
    }
}

/// A log record and whose it is.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) resource: Attributes,
    pub(crate) attributes: Attributes,
    pub(crate) severity: i32,
    pub(crate) body: String,
    pub(crate) event: String,
    pub(crate) trace_id: Vec<u8>,
}

/// A gauge, sum or histogram count.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) service: String,
    pub(crate) metric: String,
    pub(crate) unit: String,
    pub(crate) attributes: Attributes,
    pub(crate) value: f64,
    pub(crate) time: u64,
}

#[derive(Clone, Default)]
pub(crate) struct Memory {
    spans: Arc<Mutex<Vec<Seen>>>,
    logs: Arc<Mutex<Vec<Said>>>,
    points: Arc<Mutex<Vec<Point>>>,
}

/// A running sink.
pub(crate) struct Sink {
    address: SocketAddr,
    memory: Memory,
}

impl Sink {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let memory = Memory::default();
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(memory.clone()))
            .add_service(LogsServiceServer::new(memory.clone()))
            .add_service(MetricsServiceServer::new(memory.clone()));
        tokio::spawn(server.serve_with_incoming(tonic::transport::server::TcpIncoming::from(listener)));
        Self { address, memory }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn spans(&self) -> Vec<Seen> {
        self.memory.spans.lock().unwrap().clone()
    }

    /// The spans that began at or after `time` (unix nanoseconds) and that `pick` picks.
    pub(crate) fn since(&self, time: i64, pick: impl Fn(&Seen) -> bool) -> Vec<Seen> {
        let spans = self.memory.spans.lock().unwrap();
        spans.iter().filter(|seen| seen.span.start_time_unix_nano as i64 >= time && pick(seen)).cloned().collect()
    }

    pub(crate) fn logs(&self) -> Vec<Said> {
        self.memory.logs.lock().unwrap().clone()
    }

    pub(crate) fn points(&self, metric: &str) -> Vec<Point> {
        self.memory.points.lock().unwrap().iter().filter(|point| point.metric == metric).cloned().collect()
    }
}

fn flat(attributes: &[KeyValue]) -> Attributes {
    let text = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(int) => int.to_string(),
        Value::BoolValue(yes) => yes.to_string(),
        Value::DoubleValue(double) => double.to_string(),
        other => format!("{other:?}"),
    };
    attributes.iter().filter_map(|kv| Some((kv.key.clone(), text(kv.value.as_ref()?.value.as_ref()?)))).collect()
}

#[tonic::async_trait]
impl TraceService for Memory {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for resource_spans in request.into_inner().resource_spans {
            let resource = flat(&resource_spans.resource.unwrap().attributes);
            let spans = resource_spans.scope_spans.into_iter().flat_map(|scope| scope.spans);
            let seen = spans.map(|span| Seen { resource: resource.clone(), attributes: flat(&span.attributes), span });
            self.spans.lock().unwrap().extend(seen);
        }
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Memory {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        for resource_logs in request.into_inner().resource_logs {
            let resource = flat(&resource_logs.resource.unwrap().attributes);
            let records = resource_logs.scope_logs.into_iter().flat_map(|scope| scope.log_records);
            let said = records.map(|record| Said {
                resource: resource.clone(),
                attributes: flat(&record.attributes),
                severity: record.severity_number,
                body: match record.body.and_then(|body| body.value) {
                    Some(Value::StringValue(text)) => text,
                    other => format!("{other:?}"),
                },
                event: record.event_name,
                trace_id: record.trace_id,
            });
            self.logs.lock().unwrap().extend(said);
        }
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Memory {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        for resource_metrics in request.into_inner().resource_metrics {
            let service = flat(&resource_metrics.resource.unwrap().attributes)["service.name"].clone();
            for metric in resource_metrics.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
                self.points.lock().unwrap().extend(points(&service, metric));
            }
        }
        Ok(Response::new(Default::default()))
    }
}

fn points(service: &str, metric: Metric) -> Vec<Point> {
    let number = |value: Option<number_data_point::Value>| match value {
        Some(number_data_point::Value::AsInt(int)) => int as f64,
        Some(number_data_point::Value::AsDouble(double)) => double,
        None => f64::NAN,
    };
    let read: Vec<(Vec<KeyValue>, f64, u64)> = match metric.data {
        Some(Data::Gauge(gauge)) => gauge
            .data_points
            .into_iter()
            .map(|point| (point.attributes, number(point.value), point.time_unix_nano))
            .collect(),
        Some(Data::Sum(sum)) => sum
            .data_points
            .into_iter()
            .map(|point| (point.attributes, number(point.value), point.time_unix_nano))
            .collect(),
        Some(Data::Histogram(histogram)) => histogram
            .data_points
            .into_iter()
            .map(|point| (point.attributes, point.count as f64, point.time_unix_nano))
            .collect(),
        _ => Vec::new(),
    };
    let point = |(attributes, value, time): (Vec<KeyValue>, f64, u64)| Point {
        service: service.into(),
        metric: metric.name.clone(),
        unit: metric.unit.clone(),
        attributes: flat(&attributes),
        value,
        time,
    };
    read.into_iter().map(point).collect()
}
