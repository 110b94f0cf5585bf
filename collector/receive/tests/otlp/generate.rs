//! Requests of any shape, for proptest.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value as Any,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar,
    exponential_histogram_data_point::Buckets as ExponentialBuckets, metric::Data, number_data_point,
    summary_data_point::ValueAtQuantile,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::collection::vec;
use proptest::prelude::*;

fn pair(key: &str, value: Option<AnyValue>) -> KeyValue {
    KeyValue { key: key.to_owned(), value, ..Default::default() }
}

fn any_text_value() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]{0,2}", "\\PC{0,8}", Just("a\"\\\n\u{0}é😀".to_owned())]
}

fn any_double() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), -1e3..1e3, Just(f64::NAN), Just(f64::INFINITY), Just(-0.0), Just(1e300)]
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        Just(None),
        any_text_value().prop_map(|text| Some(Any::StringValue(text))),
        any::<bool>().prop_map(|value| Some(Any::BoolValue(value))),
        any::<i64>().prop_map(|value| Some(Any::IntValue(value))),
        any_double().prop_map(|value| Some(Any::DoubleValue(value))),
        vec(any::<u8>(), 0..6).prop_map(|bytes| Some(Any::BytesValue(bytes))),
    ];
    leaf.prop_map(|value| AnyValue { value }).prop_recursive(3, 12, 4, |inner| {
        let pairs = vec(("[ab]{0,1}", proptest::option::of(inner.clone())), 0..4);
        prop_oneof![
            vec(inner, 0..4).prop_map(|values| AnyValue { value: Some(Any::ArrayValue(ArrayValue { values })) }),
            pairs.prop_map(|pairs| {
                let values = pairs.into_iter().map(|(key, value)| pair(&key, value)).collect();
                AnyValue { value: Some(Any::KvlistValue(KeyValueList { values })) }
            }),
        ]
    })
}

fn any_pairs() -> impl Strategy<Value = Vec<KeyValue>> {
    let key = prop_oneof![
        4 => "[a-f]{1,2}",
        1 => Just(String::new()),
        1 => Just("event.name".to_owned()),
        1 => Just("service.name".to_owned()),
    ];
    vec((key, proptest::option::weighted(0.9, any_value())), 0..5)
        .prop_map(|pairs| pairs.into_iter().map(|(key, value)| pair(&key, value)).collect())
}

fn any_trace_id() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![8 => vec(any::<u8>(), 16), 1 => vec(any::<u8>(), 0..18), 1 => Just(vec![0; 16])]
}

fn any_span_id() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![8 => vec(any::<u8>(), 8), 1 => vec(any::<u8>(), 0..10), 1 => Just(vec![0; 8])]
}

fn any_parent() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![5 => Just(Vec::new()), 5 => vec(any::<u8>(), 8), 1 => vec(any::<u8>(), 0..10)]
}

fn any_time() -> impl Strategy<Value = u64> {
    prop_oneof![1 => Just(0), 8 => 1_700_000_000_000_000_000..1_700_000_001_000_000_000u64, 1 => any::<u64>()]
}

fn any_count() -> impl Strategy<Value = u32> {
    prop_oneof![5 => Just(0u32), 1 => any::<u32>()]
}

fn any_number() -> impl Strategy<Value = i32> {
    prop_oneof![8 => 0..6i32, 1 => any::<i32>()]
}

fn any_event() -> impl Strategy<Value = Event> {
    (any_time(), any_text_value(), any_pairs(), any_count()).prop_map(|(time, name, attributes, dropped)| Event {
        time_unix_nano: time,
        name,
        attributes,
        dropped_attributes_count: dropped,
    })
}

fn any_link() -> impl Strategy<Value = Link> {
    (any_trace_id(), any_span_id(), any_text_value(), any_pairs(), any_count(), any::<u32>()).prop_map(
        |(trace_id, span_id, trace_state, attributes, dropped_attributes_count, flags)| Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            dropped_attributes_count,
            flags,
        },
    )
}

fn any_span() -> impl Strategy<Value = Span> {
    let ids = (any_trace_id(), any_span_id(), any_parent(), any_text_value(), any::<u32>());
    let what = (
        any_text_value(),
        any_number(),
        any_time(),
        any_time(),
        proptest::option::of((any_text_value(), any_number())),
    );
    let parts = (any_pairs(), vec(any_event(), 0..3), vec(any_link(), 0..3));
    (ids, what, parts, (any_count(), any_count(), any_count())).prop_map(|(ids, what, parts, dropped)| Span {
        trace_id: ids.0,
        span_id: ids.1,
        parent_span_id: ids.2,
        trace_state: ids.3,
        flags: ids.4,
        name: what.0,
        kind: what.1,
        start_time_unix_nano: what.2,
        end_time_unix_nano: what.3,
        status: what.4.map(|(message, code)| Status { message, code }),
        attributes: parts.0,
        events: parts.1,
        links: parts.2,
        dropped_attributes_count: dropped.0,
        dropped_events_count: dropped.1,
        dropped_links_count: dropped.2,
    })
}

fn any_log() -> impl Strategy<Value = LogRecord> {
    let ids = (any_trace_id(), any_span_id(), any::<u32>());
    let what = (any_time(), any_time(), any_number(), any_text_value(), "[a-c.]{0,3}");
    (ids, what, proptest::option::of(any_value()), any_pairs(), any_count()).prop_map(
        |(ids, what, body, attributes, dropped_attributes_count)| LogRecord {
            trace_id: ids.0,
            span_id: ids.1,
            flags: ids.2,
            time_unix_nano: what.0,
            observed_time_unix_nano: what.1,
            severity_number: what.2,
            severity_text: what.3,
            event_name: what.4,
            body,
            attributes,
            dropped_attributes_count,
        },
    )
}

fn any_exemplar() -> impl Strategy<Value = Exemplar> {
    let value = proptest::option::weighted(
        0.8,
        prop_oneof![any_double().prop_map(exemplar::Value::AsDouble), any::<i64>().prop_map(exemplar::Value::AsInt)],
    );
    (any_time(), value, any_trace_id(), any_span_id(), any_pairs()).prop_map(
        |(time_unix_nano, value, trace_id, span_id, filtered_attributes)| Exemplar {
            time_unix_nano,
            value,
            trace_id,
            span_id,
            filtered_attributes,
        },
    )
}

fn any_number_point() -> impl Strategy<Value = NumberDataPoint> {
    let value = proptest::option::weighted(
        0.8,
        prop_oneof![
            any_double().prop_map(number_data_point::Value::AsDouble),
            any::<i64>().prop_map(number_data_point::Value::AsInt)
        ],
    );
    (any_time(), any_time(), 0..3u32, value, any_pairs(), vec(any_exemplar(), 0..3)).prop_map(
        |(start, time, flags, value, attributes, exemplars)| NumberDataPoint {
            start_time_unix_nano: start,
            time_unix_nano: time,
            flags,
            value,
            attributes,
            exemplars,
        },
    )
}

fn any_histogram_point() -> impl Strategy<Value = HistogramDataPoint> {
    let optional = || proptest::option::of(any_double());
    let shape = prop_oneof![
        4 => vec(any::<u64>(), 1..5).prop_map(|counts| ((1..counts.len()).map(|at| at as f64).collect(), counts)),
        1 => (vec(any_double(), 0..3), vec(any::<u64>(), 0..4)),
    ];
    (
        any_time(),
        any_time(),
        any::<u64>(),
        (optional(), optional(), optional()),
        shape,
        any_pairs(),
        vec(any_exemplar(), 0..2),
    )
        .prop_map(
            |(start, time, count, (sum, min, max), shape, attributes, exemplars): (_, _, _, _, (Vec<f64>, _), _, _)| {
                HistogramDataPoint {
                    start_time_unix_nano: start,
                    time_unix_nano: time,
                    count,
                    sum,
                    min,
                    max,
                    explicit_bounds: shape.0,
                    bucket_counts: shape.1,
                    attributes,
                    exemplars,
                    flags: 0,
                }
            },
        )
}

fn any_exponential_point() -> impl Strategy<Value = ExponentialHistogramDataPoint> {
    let buckets = || {
        let offset = prop_oneof![9 => -20..20i32, 1 => any::<i32>()];
        proptest::option::of((offset, vec(any::<u64>(), 0..5)))
            .prop_map(|buckets| buckets.map(|(offset, bucket_counts)| ExponentialBuckets { offset, bucket_counts }))
    };
    let scale = prop_oneof![9 => 0..20i32, 1 => any::<i32>()];
    let optional = || proptest::option::of(any_double());
    let when = (any_time(), any_time(), 0..3u32);
    let zero = (any::<u64>(), any_double());
    let sums = (any::<u64>(), optional(), optional(), optional());
    (when, sums, scale, zero, buckets(), buckets(), any_pairs(), vec(any_exemplar(), 0..2)).prop_map(
        |(when, sums, scale, zero, positive, negative, attributes, exemplars)| ExponentialHistogramDataPoint {
            start_time_unix_nano: when.0,
            time_unix_nano: when.1,
            flags: when.2,
            count: sums.0,
            sum: sums.1,
            min: sums.2,
            max: sums.3,
            scale,
            zero_count: zero.0,
            zero_threshold: zero.1,
            positive,
            negative,
            attributes,
            exemplars,
        },
    )
}

fn any_summary_point() -> impl Strategy<Value = SummaryDataPoint> {
    let quantiles = vec((0.0..1.0f64, any_double()), 0..4);
    (any_time(), any_time(), any::<u64>(), any_double(), quantiles, any_pairs()).prop_map(
        |(start, time, count, sum, quantiles, attributes)| SummaryDataPoint {
            start_time_unix_nano: start,
            time_unix_nano: time,
            count,
            sum,
            quantile_values: quantiles
                .into_iter()
                .map(|(quantile, value)| ValueAtQuantile { quantile, value })
                .collect(),
            attributes,
            flags: 0,
        },
    )
}

fn any_metric() -> impl Strategy<Value = Metric> {
    let temporality = || 0..4i32;
    let data = prop_oneof![
        Just(None),
        vec(any_number_point(), 0..4).prop_map(|data_points| Some(Data::Gauge(Gauge { data_points }))),
        (vec(any_number_point(), 0..4), temporality(), any::<bool>()).prop_map(
            |(data_points, temporality, monotonic)| {
                Some(Data::Sum(Sum { data_points, aggregation_temporality: temporality, is_monotonic: monotonic }))
            }
        ),
        (vec(any_histogram_point(), 0..4), temporality()).prop_map(|(data_points, temporality)| {
            Some(Data::Histogram(Histogram { data_points, aggregation_temporality: temporality }))
        }),
        (vec(any_exponential_point(), 0..4), temporality()).prop_map(|(data_points, temporality)| {
            let aggregation_temporality = temporality;
            Some(Data::ExponentialHistogram(ExponentialHistogram { data_points, aggregation_temporality }))
        }),
        vec(any_summary_point(), 0..4).prop_map(|data_points| Some(Data::Summary(Summary { data_points }))),
    ];
    ("[a-c.]{0,3}", any_text_value(), "[a-z{}]{0,3}", data).prop_map(|(name, description, unit, data)| Metric {
        name,
        description,
        unit,
        data,
        metadata: vec![pair("ignored", Some(AnyValue { value: Some(Any::BoolValue(true)) }))],
    })
}

fn any_resource() -> impl Strategy<Value = Option<Resource>> {
    proptest::option::weighted(0.9, (any_pairs(), any_count())).prop_map(|resource| {
        resource.map(|(attributes, dropped_attributes_count)| Resource {
            attributes,
            dropped_attributes_count,
            ..Default::default()
        })
    })
}

fn any_scope() -> impl Strategy<Value = Option<InstrumentationScope>> {
    let scope = ("[a-c]{0,1}", "[0-9]{0,1}", any_pairs(), any_count());
    proptest::option::weighted(0.9, scope).prop_map(|scope| {
        scope.map(|(name, version, attributes, dropped_attributes_count)| InstrumentationScope {
            name,
            version,
            attributes,
            dropped_attributes_count,
        })
    })
}

pub(crate) fn any_traces() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let scopes = (any_scope(), vec(any_span(), 0..4), "[s]{0,1}");
    let scopes = scopes.prop_map(|(scope, spans, schema_url)| ScopeSpans { scope, spans, schema_url });
    let groups = (any_resource(), vec(scopes, 0..3), "[s]{0,1}");
    let groups =
        groups.prop_map(|(resource, scope_spans, schema_url)| ResourceSpans { resource, scope_spans, schema_url });
    vec(groups, 0..3).prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}

pub(crate) fn any_logs() -> impl Strategy<Value = ExportLogsServiceRequest> {
    let scopes = (any_scope(), vec(any_log(), 0..4), "[s]{0,1}");
    let scopes = scopes.prop_map(|(scope, log_records, schema_url)| ScopeLogs { scope, log_records, schema_url });
    let groups = (any_resource(), vec(scopes, 0..3), "[s]{0,1}");
    let groups =
        groups.prop_map(|(resource, scope_logs, schema_url)| ResourceLogs { resource, scope_logs, schema_url });
    vec(groups, 0..3).prop_map(|resource_logs| ExportLogsServiceRequest { resource_logs })
}

pub(crate) fn any_metrics() -> impl Strategy<Value = ExportMetricsServiceRequest> {
    let scopes = (any_scope(), vec(any_metric(), 0..4), "[s]{0,1}");
    let scopes = scopes.prop_map(|(scope, metrics, schema_url)| ScopeMetrics { scope, metrics, schema_url });
    let groups = (any_resource(), vec(scopes, 0..3), "[s]{0,1}");
    let groups = groups.prop_map(|(resource, scope_metrics, schema_url)| ResourceMetrics {
        resource,
        scope_metrics,
        schema_url,
    });
    vec(groups, 0..3).prop_map(|resource_metrics| ExportMetricsServiceRequest { resource_metrics })
}
