//! A system whose every second is known: each service is called by another one, writes a few log records and reports
//! metrics, and now and then one fails.

use crate::span::text;
use crate::wire::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric::Data, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use std::ops::Range;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;
const MILLISECOND: u64 = 1_000_000;
const LOGS: u64 = 5;

/// A service that answers late, and every other time with an error.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) service: usize,
    /// Unix seconds.
    pub(super) seconds: Range<i64>,
}

/// Services in a tree: each but the first is called by one.
pub(super) struct System {
    services: usize,
    rate: u64,
    faults: RwLock<Vec<Fault>>,
}

/// The same for the same number, and otherwise as if by chance.
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

impl System {
    /// `rate` calls a second of every service.
    pub(super) fn new(services: usize, rate: u64) -> System {
        System { services, rate, faults: RwLock::default() }
    }

    pub(super) fn services(&self) -> usize {
        self.services
    }

    /// From now on, or for ever, something is wrong.
    pub(super) fn fail(&self, fault: Fault) {
        self.faults.write().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    fn fails(&self, service: usize, second: i64) -> bool {
        let faults = self.faults.read().unwrap_or_else(PoisonError::into_inner);
        faults.iter().any(|fault| fault.service == service && fault.seconds.contains(&second))
    }

    /// How often a service sends: as SDKs do, but metrics more often.
    pub(super) fn every(&self, signal: Signal) -> Duration {
        match signal {
            Signal::Traces => Duration::from_secs(5),
            Signal::Logs => Duration::from_secs(1),
            Signal::Metrics => Duration::from_secs(10),
        }
    }

    /// What a service has to send about some seconds, as protobuf.
    pub(super) fn body(&self, signal: Signal, service: usize, seconds: Range<i64>) -> Vec<u8> {
        match signal {
            Signal::Traces => {
                ExportTraceServiceRequest { resource_spans: vec![self.spans(service, seconds)] }.encode_to_vec()
            }
            Signal::Logs => self.logs(service, seconds).encode_to_vec(),
            Signal::Metrics => self.metrics(service, seconds).encode_to_vec(),
        }
    }

    fn resource(service: usize) -> Option<Resource> {
        let name = format!("service-{service:02}");
        let attributes = vec![
            text("service.instance.id", format!("{name}-0")),
            text("service.name", name),
            text("service.version", "1.0.0"),
        ];
        Some(Resource { attributes, ..Default::default() })
    }

    /// Requests that a service served in some seconds, and its calls to others.
    pub(super) fn spans(&self, service: usize, seconds: Range<i64>) -> ResourceSpans {
        let callees = [service * 2 + 1, service * 2 + 2].into_iter().filter(|callee| *callee < self.services);
        let sides: Vec<(usize, bool)> = callees.map(|callee| (callee, true)).chain([(service, false)]).collect();
        let calls = seconds.flat_map(|second| (0..self.rate).map(move |call| (second, call)));
        let spans = calls.flat_map(|(second, call)| {
            sides.iter().map(move |(callee, is_client)| (second, call, *callee, *is_client))
        });
        let spans = spans.map(|(second, call, callee, is_client)| self.span(second, call, callee, is_client));
        let scope_spans = vec![ScopeSpans { spans: spans.collect(), ..Default::default() }];
        ResourceSpans { resource: Self::resource(service), scope_spans, ..Default::default() }
    }

    /// A call to a service, as its caller or as it itself sees it.
    fn span(&self, second: i64, call: u64, callee: usize, is_client: bool) -> Span {
        let number = mix(mix(second as u64 ^ (callee as u64) << 40) ^ call);
        let fails = self.fails(callee, second);
        let is_error = fails && call.is_multiple_of(2);
        let start = second as u64 * SECOND + mix(number + 1) % (400 * MILLISECOND);
        let nanos = 5 * MILLISECOND + mix(number + 2) % (40 * MILLISECOND) + if fails { 400 * MILLISECOND } else { 0 };
        let (start, nanos) = if is_client { (start, nanos) } else { (start + MILLISECOND, nanos - 2 * MILLISECOND) };
        let client = (mix(number + 3) | 1).to_be_bytes().to_vec();
        let is_called = !is_client && callee > 0;
        let route = ["/a", "/b", "/c"][call as usize % 3];
        let mut attributes = vec![text("http.request.method", "GET"), text("http.route", route)];
        if is_error {
            attributes.push(text("error.type", "timeout"));
        }
        Span {
            trace_id: [mix(number + 5).to_be_bytes(), mix(number + 6).to_be_bytes()].concat(),
            span_id: if is_client { client.clone() } else { (mix(number + 4) | 1).to_be_bytes().to_vec() },
            parent_span_id: if is_called { client } else { Vec::new() },
            name: format!("GET {route}"),
            kind: if is_client { 3 } else { 2 },
            start_time_unix_nano: start,
            end_time_unix_nano: start + nanos,
            attributes,
            status: is_error.then(|| Status { code: 2, message: "took too long".to_owned() }),
            ..Default::default()
        }
    }

    fn logs(&self, service: usize, seconds: Range<i64>) -> ExportLogsServiceRequest {
        let record = |second: i64, number: u64, is_error: bool| LogRecord {
            time_unix_nano: second as u64 * SECOND + number * SECOND / LOGS,
            severity_number: if is_error { 17 } else { 9 },
            severity_text: if is_error { "ERROR" } else { "INFO" }.to_owned(),
            body: Some(AnyValue {
                value: Some(Value::StringValue(match is_error {
                    true => {
                        format!("the request of user {} failed: it took too long", mix(second as u64 + number) % 10_000)
                    }
                    false => format!("served user {} in {} ms", mix(second as u64 + number) % 10_000, number * 7),
                })),
            }),
            ..Default::default()
        };
        let log_records = seconds.flat_map(|second| {
            let fails = self.fails(service, second);
            (0..LOGS).map(move |number| record(second, number, fails && number % 2 == 0))
        });
        let scope_logs = vec![ScopeLogs { log_records: log_records.collect(), ..Default::default() }];
        let resource_logs = vec![ResourceLogs { resource: Self::resource(service), scope_logs, ..Default::default() }];
        ExportLogsServiceRequest { resource_logs }
    }

    fn metrics(&self, service: usize, seconds: Range<i64>) -> ExportMetricsServiceRequest {
        let Range { start, end } = seconds;
        let fails = (start..end).any(|second| self.fails(service, second));
        let noise = mix(end as u64 ^ (service as u64) << 50);
        let point = |value: f64| NumberDataPoint {
            start_time_unix_nano: 1_700_000_000 * SECOND,
            time_unix_nano: end as u64 * SECOND,
            value: Some(number_data_point::Value::AsDouble(value)),
            ..Default::default()
        };
        let metric = |name: &str, data: Data| Metric { name: name.to_owned(), data: Some(data), ..Default::default() };
        let gauge = |value: f64| Data::Gauge(Gauge { data_points: vec![point(value)] });
        let jobs = (end - 1_700_000_000) as f64 * 3.0;
        let metrics = vec![
            metric("queue.length", gauge((noise % 10) as f64 + if fails { 90.0 } else { 0.0 })),
            metric("memory.used", gauge(1e8 + (noise % 1_000_000) as f64)),
            metric(
                "jobs",
                Data::Sum(Sum { data_points: vec![point(jobs)], aggregation_temporality: 2, is_monotonic: true }),
            ),
        ];
        let scope_metrics = vec![ScopeMetrics { metrics, ..Default::default() }];
        let resource_metrics =
            vec![ResourceMetrics { resource: Self::resource(service), scope_metrics, ..Default::default() }];
        ExportMetricsServiceRequest { resource_metrics }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn callers_and_callees_speak_of_the_same_calls() {
        let system = System::new(7, 4);
        system.fail(Fault { service: 3, seconds: 102..104 });
        let spans: Vec<Span> = (0..7)
            .flat_map(|service| system.spans(service, 100..105).scope_spans.into_iter().flat_map(|scope| scope.spans))
            .collect();
        let by_id: BTreeMap<_, _> = spans.iter().map(|span| (&span.span_id, span)).collect();
        assert_eq!((spans.len(), by_id.len()), (7 * 20 + 6 * 20, 7 * 20 + 6 * 20), "each once");
        let called = spans.iter().filter(|span| !span.parent_span_id.is_empty());
        for span in called.clone() {
            let client = by_id[&span.parent_span_id];
            assert_eq!((client.kind, &client.trace_id, &client.status), (3, &span.trace_id, &span.status));
            assert!(client.start_time_unix_nano <= span.start_time_unix_nano);
            assert!(client.end_time_unix_nano >= span.end_time_unix_nano);
        }
        assert_eq!(called.count(), 6 * 20);
        let failed = spans.iter().filter(|span| span.status.is_some() && span.kind == 2).count();
        assert_eq!(failed, 4, "two seconds, every other of four");
        assert!(spans.iter().all(|span| span.end_time_unix_nano < 105 * SECOND));
    }
}
