//! OTLP/JSON from prost types, by the specification: what a conforming sender writes.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value as Any};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, SummaryDataPoint, exemplar,
    exponential_histogram_data_point::Buckets, metric::Data, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn double(value: f64) -> Value {
    match value {
        value if value.is_nan() => json!("NaN"),
        f64::INFINITY => json!("Infinity"),
        f64::NEG_INFINITY => json!("-Infinity"),
        value => json!(value),
    }
}

fn optional(value: Option<f64>) -> Value {
    value.map_or(Value::Null, double)
}

pub(crate) fn any(value: &AnyValue) -> Value {
    match &value.value {
        None => json!({}),
        Some(Any::StringValue(text)) => json!({ "stringValue": text }),
        Some(Any::BoolValue(value)) => json!({ "boolValue": value }),
        Some(Any::IntValue(value)) => json!({ "intValue": value.to_string() }),
        Some(Any::DoubleValue(value)) => json!({ "doubleValue": double(*value) }),
        Some(Any::ArrayValue(list)) => {
            json!({ "arrayValue": { "values": list.values.iter().map(any).collect::<Vec<_>>() } })
        }
        Some(Any::KvlistValue(list)) => json!({ "kvlistValue": { "values": pairs(&list.values) } }),
        Some(Any::BytesValue(bytes)) => json!({ "bytesValue": BASE64_STANDARD.encode(bytes) }),
        Some(Any::StringValueStrindex(index)) => json!({ "stringValueStrindex": index }),
    }
}

pub(crate) fn pairs(pairs: &[KeyValue]) -> Value {
    pairs.iter().map(|pair| json!({ "key": pair.key, "value": pair.value.as_ref().map(any) })).collect()
}

pub(crate) fn resource(resource: &Resource) -> Value {
    json!({
        "attributes": pairs(&resource.attributes),
        "droppedAttributesCount": resource.dropped_attributes_count,
    })
}

pub(crate) fn scope(scope: &InstrumentationScope) -> Value {
    json!({
        "name": scope.name,
        "version": scope.version,
        "attributes": pairs(&scope.attributes),
        "droppedAttributesCount": scope.dropped_attributes_count,
    })
}

pub(crate) fn span(span: &Span) -> Value {
    let events = span.events.iter().map(|event| {
        json!({
            "timeUnixNano": event.time_unix_nano.to_string(),
            "name": event.name,
            "attributes": pairs(&event.attributes),
            "droppedAttributesCount": event.dropped_attributes_count,
        })
    });
    let links = span.links.iter().map(|link| {
        json!({
            "traceId": hex(&link.trace_id),
            "spanId": hex(&link.span_id),
            "traceState": link.trace_state,
            "attributes": pairs(&link.attributes),
            "droppedAttributesCount": link.dropped_attributes_count,
            "flags": link.flags,
        })
    });
    json!({
        "traceId": hex(&span.trace_id),
        "spanId": hex(&span.span_id),
        "parentSpanId": hex(&span.parent_span_id),
        "traceState": span.trace_state,
        "flags": span.flags,
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": span.start_time_unix_nano.to_string(),
        "endTimeUnixNano": span.end_time_unix_nano.to_string(),
        "attributes": pairs(&span.attributes),
        "droppedAttributesCount": span.dropped_attributes_count,
        "events": events.collect::<Vec<_>>(),
        "droppedEventsCount": span.dropped_events_count,
        "links": links.collect::<Vec<_>>(),
        "droppedLinksCount": span.dropped_links_count,
        "status": span.status.as_ref().map(|status| json!({ "message": status.message, "code": status.code })),
    })
}

pub(crate) fn log(log: &LogRecord) -> Value {
    json!({
        "timeUnixNano": log.time_unix_nano.to_string(),
        "observedTimeUnixNano": log.observed_time_unix_nano.to_string(),
        "severityNumber": log.severity_number,
        "severityText": log.severity_text,
        "body": log.body.as_ref().map(any),
        "attributes": pairs(&log.attributes),
        "droppedAttributesCount": log.dropped_attributes_count,
        "flags": log.flags,
        "traceId": hex(&log.trace_id),
        "spanId": hex(&log.span_id),
        "eventName": log.event_name,
    })
}

pub(crate) fn metric(metric: &Metric) -> Value {
    let mut json = json!({
        "name": metric.name,
        "description": metric.description,
        "unit": metric.unit,
        "metadata": pairs(&metric.metadata),
    });
    let (key, data) = match &metric.data {
        None => return json,
        Some(Data::Gauge(data)) => ("gauge", json!({ "dataPoints": list(&data.data_points, number_point) })),
        Some(Data::Sum(data)) => (
            "sum",
            json!({
                "dataPoints": list(&data.data_points, number_point),
                "aggregationTemporality": data.aggregation_temporality,
                "isMonotonic": data.is_monotonic,
            }),
        ),
        Some(Data::Histogram(data)) => (
            "histogram",
            json!({
                "dataPoints": list(&data.data_points, histogram_point),
                "aggregationTemporality": data.aggregation_temporality,
            }),
        ),
        Some(Data::ExponentialHistogram(data)) => (
            "exponentialHistogram",
            json!({
                "dataPoints": list(&data.data_points, exponential_point),
                "aggregationTemporality": data.aggregation_temporality,
            }),
        ),
        Some(Data::Summary(data)) => ("summary", json!({ "dataPoints": list(&data.data_points, summary_point) })),
    };
    json[key] = data;
    json
}

fn list<T>(points: &[T], json: impl Fn(&T) -> Value) -> Vec<Value> {
    points.iter().map(json).collect()
}

fn number_point(point: &NumberDataPoint) -> Value {
    let mut json = json!({
        "startTimeUnixNano": point.start_time_unix_nano.to_string(),
        "timeUnixNano": point.time_unix_nano.to_string(),
        "flags": point.flags,
        "attributes": pairs(&point.attributes),
        "exemplars": list(&point.exemplars, exemplar),
    });
    match point.value {
        None => {}
        Some(number_data_point::Value::AsInt(value)) => json["asInt"] = json!(value.to_string()),
        Some(number_data_point::Value::AsDouble(value)) => json["asDouble"] = double(value),
    }
    json
}

fn exemplar(exemplar: &Exemplar) -> Value {
    let mut json = json!({
        "timeUnixNano": exemplar.time_unix_nano.to_string(),
        "traceId": hex(&exemplar.trace_id),
        "spanId": hex(&exemplar.span_id),
    });
    match exemplar.value {
        None => {}
        Some(exemplar::Value::AsInt(value)) => json["asInt"] = json!(value.to_string()),
        Some(exemplar::Value::AsDouble(value)) => json["asDouble"] = double(value),
    }
    json
}

fn histogram_point(point: &HistogramDataPoint) -> Value {
    json!({
        "startTimeUnixNano": point.start_time_unix_nano.to_string(),
        "timeUnixNano": point.time_unix_nano.to_string(),
        "flags": point.flags,
        "attributes": pairs(&point.attributes),
        "exemplars": list(&point.exemplars, exemplar),
        "count": point.count.to_string(),
        "sum": optional(point.sum),
        "min": optional(point.min),
        "max": optional(point.max),
        "bucketCounts": list(&point.bucket_counts, |count| json!(count.to_string())),
        "explicitBounds": list(&point.explicit_bounds, |bound| double(*bound)),
    })
}

fn exponential_point(point: &ExponentialHistogramDataPoint) -> Value {
    let buckets = |buckets: &Buckets| {
        json!({
            "offset": buckets.offset,
            "bucketCounts": list(&buckets.bucket_counts, |count| json!(count.to_string())),
        })
    };
    json!({
        "startTimeUnixNano": point.start_time_unix_nano.to_string(),
        "timeUnixNano": point.time_unix_nano.to_string(),
        "flags": point.flags,
        "attributes": pairs(&point.attributes),
        "exemplars": list(&point.exemplars, exemplar),
        "count": point.count.to_string(),
        "sum": optional(point.sum),
        "min": optional(point.min),
        "max": optional(point.max),
        "scale": point.scale,
        "zeroCount": point.zero_count.to_string(),
        "zeroThreshold": double(point.zero_threshold),
        "positive": point.positive.as_ref().map(buckets),
        "negative": point.negative.as_ref().map(buckets),
    })
}

fn summary_point(point: &SummaryDataPoint) -> Value {
    let quantiles =
        list(&point.quantile_values, |pair| json!({ "quantile": double(pair.quantile), "value": double(pair.value) }));
    json!({
        "startTimeUnixNano": point.start_time_unix_nano.to_string(),
        "timeUnixNano": point.time_unix_nano.to_string(),
        "flags": point.flags,
        "attributes": pairs(&point.attributes),
        "count": point.count.to_string(),
        "sum": double(point.sum),
        "quantileValues": quantiles,
    })
}
