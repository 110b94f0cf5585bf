//! Log records and data points.

use super::Corpus;
use super::places::NUMBER;
use crate::span::{int, text};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric::Data,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

const BATCH: u64 = 512;
const SERVICES: u64 = 30;
/// Series per process, of so many processes: 50 000 series.
const SERIES: u64 = 500;
const MILLISECOND: u64 = 1_000_000;

fn resource(process: u64) -> Option<Resource> {
    let service = format!("svc-{:02}", process % SERVICES);
    let attributes = vec![
        text("service.namespace", "synth"),
        text("service.instance.id", format!("{service}-{process}")),
        text("service.name", service),
        text("deployment.environment.name", "bench"),
        text("host.name", format!("node-{}", process % 40)),
    ];
    Some(Resource { attributes, ..Default::default() })
}

pub(super) fn logs(corpus: &mut Corpus, seed: u64, items: u64, start: u64) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    for process in (0..).take_while(|process| process * BATCH < items) {
        let record = |at| record(start + (process * BATCH + at) * MILLISECOND / 10, &mut rng);
        let scope_logs = vec![ScopeLogs { log_records: (0..BATCH).map(record).collect(), ..Default::default() }];
        let resource_logs = vec![ResourceLogs { resource: resource(process), scope_logs, ..Default::default() }];
        corpus.push(ExportLogsServiceRequest { resource_logs }.encode_to_vec(), BATCH);
    }
    corpus.end_unix_nano = start + corpus.items * MILLISECOND / 10;
}

fn record(time: u64, rng: &mut Xoshiro256PlusPlus) -> LogRecord {
    let (severity, word) =
        [(9, "INFO"), (9, "INFO"), (9, "INFO"), (5, "DEBUG"), (13, "WARN"), (17, "ERROR")][rng.random_range(0..6)];
    let (user, took, route) = (rng.random_range(0..100_000), rng.random_range(1..2_000), rng.random_range(0..40));
    let line = format!(
        "handled GET /v2/items/{route}/lines for user-{user} in {took} ms: upstream answered, cache was warm, 3 lines rendered"
    );
    let attributes = vec![
        text(NUMBER, "0".repeat(16)),
        text("code.file.path", format!("src/handlers/items_{route}.rs")),
        int("code.line.number", rng.random_range(1..900)),
        text("thread.name", format!("worker-{}", rng.random_range(0..16))),
        text("enduser.id", format!("user-{user}")),
        int("http.response.status_code", [200, 200, 200, 404, 500][rng.random_range(0..5)]),
        int("took.millis", took),
        text("http.route", format!("/v2/items/{route}/lines")),
    ];
    let is_traced = rng.random_bool(0.3);
    LogRecord {
        time_unix_nano: time,
        observed_time_unix_nano: time + 2 * MILLISECOND,
        severity_number: severity,
        severity_text: word.into(),
        body: Some(AnyValue { value: Some(Value::StringValue(line)) }),
        attributes,
        trace_id: if is_traced { rng.random::<u128>().to_be_bytes().to_vec() } else { Vec::new() },
        span_id: if is_traced { (rng.random::<u64>() | 1).to_be_bytes().to_vec() } else { Vec::new() },
        ..Default::default()
    }
}

pub(super) fn metrics(corpus: &mut Corpus, seed: u64, items: u64, start: u64) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    for process in (0..).take_while(|process| process * SERIES < items) {
        let metrics = (0..SERIES / 10).map(|name| metric(name, start, &mut rng)).collect();
        let scope_metrics = vec![ScopeMetrics { metrics, ..Default::default() }];
        let resource_metrics =
            vec![ResourceMetrics { resource: resource(process), scope_metrics, ..Default::default() }];
        corpus.push(ExportMetricsServiceRequest { resource_metrics }.encode_to_vec(), SERIES);
    }
    corpus.end_unix_nano = start;
}

/// Ten series of one name: of ten names six are counters, two gauges, two histograms.
fn metric(name: u64, time: u64, rng: &mut Xoshiro256PlusPlus) -> Metric {
    let pairs = |at: u64| -> Vec<KeyValue> {
        vec![text("http.route", format!("/v2/route/{at}")), text("method", ["GET", "POST"][at as usize % 2])]
    };
    let started = time - 3_600_000 * MILLISECOND;
    let mut number = |at| NumberDataPoint {
        attributes: pairs(at),
        start_time_unix_nano: started,
        time_unix_nano: time,
        value: Some(number_data_point::Value::AsInt(rng.random_range(0..1_000_000))),
        ..Default::default()
    };
    let (data, unit) = match name % 10 {
        0..6 => {
            let data_points = (0..10).map(&mut number).collect();
            (Data::Sum(Sum { data_points, aggregation_temporality: 2, is_monotonic: true }), "{request}")
        }
        6 | 7 => (Data::Gauge(Gauge { data_points: (0..10).map(&mut number).collect() }), "By"),
        _ => {
            let point = |at| {
                let bucket_counts: Vec<u64> = (0..13).map(|_| rng.random_range(0..500)).collect();
                HistogramDataPoint {
                    attributes: pairs(at),
                    start_time_unix_nano: started,
                    time_unix_nano: time,
                    count: bucket_counts.iter().sum(),
                    sum: Some(12.5),
                    bucket_counts,
                    explicit_bounds: vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 7.5, 10.0],
                    ..Default::default()
                }
            };
            let data_points = (0..10).map(point).collect();
            (Data::Histogram(Histogram { data_points, aggregation_temporality: 2 }), "s")
        }
    };
    Metric { name: format!("synth.metric.{name:02}"), unit: unit.into(), data: Some(data), ..Default::default() }
}
