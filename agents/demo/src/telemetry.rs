//! One OpenTelemetry SDK per instance: its own providers, its own connection, no globals.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::logs::LoggerProvider as _;
use opentelemetry::metrics::{Counter, Histogram, Meter, MeterProvider as _, UpDownCounter};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{LogExporter, MetricExporter, RetryPolicy, SpanExporter, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{BatchConfigBuilder as LogBatch, BatchLogProcessor, SdkLogger, SdkLoggerProvider};
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use opentelemetry_sdk::trace::{BatchConfigBuilder as SpanBatch, BatchSpanProcessor, SdkTracer, SdkTracerProvider};
use tonic::transport::{Channel, Endpoint};

use crate::member::Member;

const EXPORT_DELAY: Duration = Duration::from_millis(800);
const METRIC_INTERVAL: Duration = Duration::from_secs(5);
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(2000);
const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.44.0";

/// The second buckets the semantic conventions advise for HTTP.
const HTTP_SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// The second buckets they advise for databases.
const DB_SECONDS: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// Who is speaking: becomes the resource.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) member: Member,
    pub(crate) version: String,
    /// `service.instance.id`: new at every start, as with pods.
    pub(crate) instance: String,
}

impl Identity {
    /// A new life of replica `replica`.
    pub(crate) fn fresh(member: Member, version: &str, replica: usize) -> Self {
        let life: u32 = rand::random();
        Self { member, version: version.into(), instance: format!("{member}-{replica}-{life:08x}") }
    }

    fn resource(&self) -> Resource {
        // Not `Resource::builder()`: inside the server's process OTEL_SERVICE_NAME is not about us.
        Resource::builder_empty()
            .with_detector(Box::new(TelemetryResourceDetector))
            .with_schema_url(
                [
                    KeyValue::new("service.name", self.member.name()),
                    KeyValue::new("service.namespace", "shop"),
                    KeyValue::new("service.version", self.version.clone()),
                    KeyValue::new("service.instance.id", self.instance.clone()),
                    KeyValue::new("deployment.environment.name", "demo"),
                    KeyValue::new("host.name", host_name()),
                    KeyValue::new("process.pid", i64::from(std::process::id())),
                ],
                SCHEMA_URL,
            )
            .build()
    }
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The instruments every instance has; one that is never recorded exports nothing.
pub(crate) struct Instruments {
    pub(crate) server_duration: Histogram<f64>,
    pub(crate) server_active: UpDownCounter<i64>,
    pub(crate) client_duration: Histogram<f64>,
    pub(crate) db_duration: Histogram<f64>,
    pub(crate) send_duration: Histogram<f64>,
    pub(crate) process_duration: Histogram<f64>,
    pub(crate) sent: Counter<u64>,
    pub(crate) consumed: Counter<u64>,
}

impl Instruments {
    fn new(meter: &Meter) -> Self {
        let seconds = |name: &'static str, buckets: &[f64], says: &'static str| {
            meter.f64_histogram(name).with_unit("s").with_boundaries(buckets.to_vec()).with_description(says).build()
        };
        let messages = |name: &'static str, says: &'static str| {
            meter.u64_counter(name).with_unit("{message}").with_description(says).build()
        };
        Self {
            server_duration: seconds(
                "http.server.request.duration",
                &HTTP_SECONDS,
                "Duration of HTTP server requests.",
            ),
            server_active: meter
                .i64_up_down_counter("http.server.active_requests")
                .with_unit("{request}")
                .with_description("Number of HTTP server requests in flight.")
                .build(),
            client_duration: seconds(
                "http.client.request.duration",
                &HTTP_SECONDS,
                "Duration of HTTP client requests.",
            ),
            db_duration: seconds(
                "db.client.operation.duration",
                &DB_SECONDS,
                "Duration of database client operations.",
            ),
            send_duration: seconds(
                "messaging.client.operation.duration",
                &HTTP_SECONDS,
                "Duration of messaging operations.",
            ),
            process_duration: seconds("messaging.process.duration", &HTTP_SECONDS, "Duration of processing a message."),
            sent: messages("messaging.client.sent.messages", "Messages a producer tried to send."),
            consumed: messages("messaging.client.consumed.messages", "Messages delivered to the application."),
        }
    }
}

/// A running SDK.
pub(crate) struct Telemetry {
    pub(crate) tracer: SdkTracer,
    pub(crate) logger: SdkLogger,
    pub(crate) meter: Meter,
    pub(crate) instruments: Instruments,
    traces: SdkTracerProvider,
    logs: SdkLoggerProvider,
    metrics: SdkMeterProvider,
}

impl Telemetry {
    /// Starts the three providers; connects when there is something to send.
    pub(crate) fn start(identity: &Identity, otlp: &str) -> anyhow::Result<Arc<Self>> {
        let channel = Endpoint::from_shared(otlp.to_owned())
            .with_context(|| format!("otlp: {otlp:?} is not an endpoint"))?
            .timeout(EXPORT_TIMEOUT)
            .connect_timeout(Duration::from_secs(1))
            .connect_lazy();
        let resource = identity.resource();
        let traces = traces(channel.clone(), resource.clone())?;
        let logs = logs(channel.clone(), resource.clone())?;
        let metrics = metrics(channel, resource)?;
        let scope = InstrumentationScope::builder("orrery-demo").with_version(env!("CARGO_PKG_VERSION")).build();
        let meter = metrics.meter_with_scope(scope.clone());
        Ok(Arc::new(Self {
            tracer: traces.tracer_with_scope(scope.clone()),
            logger: logs.logger_with_scope(scope),
            instruments: Instruments::new(&meter),
            meter,
            traces,
            logs,
            metrics,
        }))
    }

    /// Flushes and stops; gives up after two seconds, so that a dead collector cannot hold the shop.
    pub(crate) async fn stop(&self) {
        let (traces, logs, metrics) = (self.traces.clone(), self.logs.clone(), self.metrics.clone());
        let (done, stopped) = tokio::sync::oneshot::channel();
        // The providers' shutdowns block, and the meter provider's knows no timeout: a thread of our own
        // can be abandoned, one of the runtime's would be waited for.
        std::thread::spawn(move || {
            let logs = std::thread::spawn(move || logs.shutdown_with_timeout(SHUTDOWN_TIMEOUT));
            let metrics = std::thread::spawn(move || metrics.shutdown());
            // A failed flush has been reported by the SDK's own logging already.
            let _ = traces.shutdown_with_timeout(SHUTDOWN_TIMEOUT);
            let _ = (logs.join(), metrics.join());
            let _ = done.send(());
        });
        let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, stopped).await;
    }
}

fn traces(channel: Channel, resource: Resource) -> anyhow::Result<SdkTracerProvider> {
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_channel(channel)
        .with_retry_policy(RetryPolicy::recommended())
        .build()?;
    let batch = SpanBatch::default().with_scheduled_delay(EXPORT_DELAY).with_max_queue_size(8192).build();
    let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batch).build();
    Ok(SdkTracerProvider::builder().with_span_processor(processor).with_resource(resource).build())
}

fn logs(channel: Channel, resource: Resource) -> anyhow::Result<SdkLoggerProvider> {
    let exporter = LogExporter::builder()
        .with_tonic()
        .with_channel(channel)
        .with_retry_policy(RetryPolicy::recommended())
        .build()?;
    let batch = LogBatch::default().with_scheduled_delay(EXPORT_DELAY).with_max_queue_size(8192).build();
    let processor = BatchLogProcessor::builder(exporter).with_batch_config(batch).build();
    Ok(SdkLoggerProvider::builder().with_log_processor(processor).with_resource(resource).build())
}

fn metrics(channel: Channel, resource: Resource) -> anyhow::Result<SdkMeterProvider> {
    let exporter = MetricExporter::builder()
        .with_tonic()
        .with_channel(channel)
        .with_retry_policy(RetryPolicy::recommended())
        .build()?;
    let reader = PeriodicReader::builder(exporter).with_interval(METRIC_INTERVAL).build();
    Ok(SdkMeterProvider::builder().with_reader(reader).with_resource(resource).build())
}
