//! The prost decode as oracle: whatever it reads from some bytes must be in our columns, and JSON must come to the same.

use crate::rows::{rows, value_text};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value as Any};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, SummaryDataPoint, exemplar,
    exponential_histogram_data_point::Buckets as ExponentialBuckets, metric::Data, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use orrery_model::batch::{Buckets, MetricKind};
use orrery_model::{Body, Compression, Encoding, Signal, SpanId, Strings, TraceId, Value};
use orrery_receive::{Decoded, Decoder, config::Limits};
use prost::Message;
use std::fmt::Write;

pub(crate) const RECEIVED: i64 = 1_800_000_000_000_000_000;

/// Decodes within the limits of a stock server.
pub(crate) fn decode(signal: Signal, encoding: Encoding, bytes: &[u8]) -> Result<Decoded, String> {
    decode_within(Limits::default(), signal, encoding, bytes)
}

pub(crate) fn decode_within(
    limits: Limits,
    signal: Signal,
    encoding: Encoding,
    bytes: &[u8],
) -> Result<Decoded, String> {
    let body = Body {
        signal,
        encoding,
        compression: Compression::Identity,
        received_unix_nano: RECEIVED,
        bytes: bytes.to_vec(),
    };
    Decoder::new(limits).decode_body(&body).map_err(|error| error.reason)
}

/// Limits that prost's own recursion limit is within, so that nothing of what it reads is cut or dropped.
pub(crate) fn generous() -> Limits {
    const PLENTY: usize = 1 << 30;
    Limits {
        max_attributes: PLENTY,
        max_value_bytes: PLENTY,
        max_log_body_bytes: PLENTY,
        max_name_bytes: PLENTY,
        max_depth: 100,
        max_events: PLENTY,
        max_links: PLENTY,
        max_exemplars: PLENTY,
        max_buckets: PLENTY,
        ..Limits::default()
    }
}

/// A request of any signal, with the rows it should come to.
pub(crate) trait Request: Message + Default + PartialEq {
    const SIGNAL: Signal;
    fn rows(&self) -> Vec<String>;
    fn items(&self) -> usize;
    fn json(&self) -> serde_json::Value;
}

// Rows of the prost decode, by the rules of the crate's documentation.

fn any_text(value: Option<&AnyValue>) -> String {
    let Some(value) = value.and_then(|value| value.value.as_ref()) else { return "null".to_owned() };
    let quote = |text: &str| {
        let mut out = String::new();
        orrery_model::attributes::quote(text, &mut out);
        out
    };
    match value {
        Any::StringValue(text) => quote(text),
        Any::BoolValue(value) => value.to_string(),
        Any::IntValue(value) => value.to_string(),
        Any::DoubleValue(value) => value_text(Value::Double(*value), &Strings::default()),
        Any::ArrayValue(list) => {
            format!("[{}]", list.values.iter().map(|value| any_text(Some(value))).collect::<Vec<_>>().join(","))
        }
        Any::KvlistValue(list) => {
            let pairs =
                last_wins(&list.values).map(|pair| format!("{}:{}", quote(&pair.key), any_text(pair.value.as_ref())));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
        }
        Any::BytesValue(bytes) => {
            format!("{{\"bytesValue\":\"{}\"}}", BASE64_STANDARD.encode(bytes))
        }
        Any::StringValueStrindex(_) => "null".to_owned(),
    }
}

fn last_wins(pairs: &[KeyValue]) -> impl Iterator<Item = &KeyValue> {
    let later = move |at: usize| pairs[at + 1..].iter().any(|pair| pair.key == pairs[at].key);
    (0..pairs.len()).filter(move |&at| !later(at)).map(move |at| &pairs[at])
}

/// Pairs as text, and how many were dropped.
fn pairs_text(pairs: &[KeyValue]) -> (String, u32) {
    let named: Vec<KeyValue> = pairs.iter().filter(|pair| !pair.key.is_empty()).cloned().collect();
    let kept: Vec<String> =
        last_wins(&named).map(|pair| format!("{}={}", pair.key, any_text(pair.value.as_ref()))).collect();
    (kept.join(" "), (pairs.len() - kept.len()) as u32)
}

/// Resources and scopes are interned by what was sent, so only empty keys count as dropped there.
fn expected_origin(
    resource: Option<&Resource>,
    resource_schema: &str,
    scope: Option<&InstrumentationScope>,
    scope_schema: &str,
) -> String {
    let (resource, scope) = (resource.cloned().unwrap_or_default(), scope.cloned().unwrap_or_default());
    let unnamed = |pairs: &[KeyValue]| pairs.iter().filter(|pair| pair.key.is_empty()).count() as u32;
    let named = resource.attributes.iter().rfind(|pair| pair.key == "service.name");
    let service = match named.and_then(|pair| pair.value.as_ref()).and_then(|value| value.value.as_ref()) {
        None => String::new(),
        Some(Any::StringValue(text)) => text.clone(),
        Some(Any::BytesValue(bytes)) => BASE64_STANDARD.encode(bytes),
        Some(Any::StringValueStrindex(_)) => String::new(),
        Some(_) => any_text(named.and_then(|pair| pair.value.as_ref())),
    };
    let service = if service.is_empty() { "unknown_service" } else { &service };
    format!(
        "resource[{resource_schema} {} service={service}] {} scope[{} {} {scope_schema} {}] {}",
        resource.dropped_attributes_count.saturating_add(unnamed(&resource.attributes)),
        pairs_text(&resource.attributes).0,
        scope.name,
        scope.version,
        scope.dropped_attributes_count.saturating_add(unnamed(&scope.attributes)),
        pairs_text(&scope.attributes).0,
    )
}

fn clamp(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

fn small(number: i32) -> u8 {
    number.clamp(0, 255) as u8
}

fn trace_of(bytes: &[u8]) -> TraceId {
    TraceId::from_bytes(bytes).unwrap_or_default()
}

fn span_of(bytes: &[u8]) -> SpanId {
    SpanId::from_bytes(bytes).unwrap_or_default()
}

fn expected_span(span: &Span, origin: &str) -> Option<String> {
    let parent_fits = span.parent_span_id.is_empty() || span.parent_span_id.len() == 8;
    if trace_of(&span.trace_id).is_none() || span_of(&span.span_id).is_none() || !parent_fits {
        return None;
    }
    let end = clamp(span.end_time_unix_nano);
    let start = match (span.start_time_unix_nano, end) {
        (0, 0) => RECEIVED,
        (0, end) => end,
        (start, _) => clamp(start),
    };
    let duration = if end == 0 { 0 } else { (end - start).max(0) };
    let status = span.status.clone().unwrap_or_default();
    let (attributes, dropped) = pairs_text(&span.attributes);
    let mut out = format!(
        "{origin} span {} {} {} state={} flags={} {:?} kind={} {start}+{duration} status={} {} attributes[{attributes} dropped {}]",
        trace_of(&span.trace_id),
        span_of(&span.span_id),
        span_of(&span.parent_span_id),
        span.trace_state,
        span.flags,
        span.name,
        small(span.kind),
        small(status.code),
        status.message,
        span.dropped_attributes_count.saturating_add(dropped),
    );
    for event in &span.events {
        let (attributes, dropped) = pairs_text(&event.attributes);
        let dropped = event.dropped_attributes_count.saturating_add(dropped);
        _ = write!(out, " event {} {} [{attributes} {dropped}]", clamp(event.time_unix_nano), event.name);
    }
    let mut dropped_links = span.dropped_links_count;
    for link in &span.links {
        if trace_of(&link.trace_id).is_none() || span_of(&link.span_id).is_none() {
            dropped_links = dropped_links.saturating_add(1);
            continue;
        }
        let (attributes, dropped) = pairs_text(&link.attributes);
        let dropped = link.dropped_attributes_count.saturating_add(dropped);
        let (trace, span) = (trace_of(&link.trace_id), span_of(&link.span_id));
        _ = write!(out, " link {trace} {span} {} {} [{attributes} {dropped}]", link.trace_state, link.flags);
    }
    _ = write!(out, " dropped events {} links {dropped_links}", span.dropped_events_count);
    Some(out)
}

fn expected_log(log: &LogRecord, origin: &str) -> String {
    let observed = if log.observed_time_unix_nano == 0 { RECEIVED } else { clamp(log.observed_time_unix_nano) };
    let time = if log.time_unix_nano == 0 { observed } else { clamp(log.time_unix_nano) };
    let sent = log.attributes.iter().rfind(|pair| pair.key == "event.name");
    let attribute = match sent.and_then(|pair| pair.value.as_ref()).and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(name)) => name.as_str(),
        _ => "",
    };
    let event_name = if log.event_name.is_empty() { attribute } else { &log.event_name };
    let (attributes, dropped) = pairs_text(&log.attributes);
    format!(
        "{origin} log {time} observed {observed} severity {} {} event={event_name} body={} {} {} flags={} attributes[{attributes} dropped {}]",
        small(log.severity_number),
        log.severity_text,
        any_text(log.body.as_ref()),
        trace_of(&log.trace_id),
        span_of(&log.span_id),
        log.flags,
        log.dropped_attributes_count.saturating_add(dropped),
    )
}

/// A data point of any kind, in one shape.
struct Point<'a> {
    start: u64,
    time: u64,
    flags: u32,
    value: String,
    distribution: Option<String>,
    attributes: &'a [KeyValue],
    exemplars: &'a [Exemplar],
}

fn number_point(point: &NumberDataPoint) -> Option<Point<'_>> {
    let ended = point.flags & 1 == 1;
    let value = match &point.value {
        _ if ended => "null".to_owned(),
        None => return None,
        Some(number_data_point::Value::AsInt(value)) => value.to_string(),
        Some(number_data_point::Value::AsDouble(value)) => value_text(Value::Double(*value), &Strings::default()),
    };
    Some(Point {
        start: point.start_time_unix_nano,
        time: point.time_unix_nano,
        flags: point.flags,
        value,
        distribution: None,
        attributes: &point.attributes,
        exemplars: &point.exemplars,
    })
}

fn histogram_point(point: &HistogramDataPoint) -> Option<Point<'_>> {
    let (bounds, counts) = (point.explicit_bounds.clone(), point.bucket_counts.clone());
    let fits = counts.len() == bounds.len() + 1 || bounds.is_empty() && counts.is_empty();
    if !fits || bounds.iter().any(|bound| bound.is_nan()) || bounds.windows(2).any(|pair| pair[0] >= pair[1]) {
        return None;
    }
    let buckets = Buckets::Explicit { bounds, counts };
    Some(Point {
        start: point.start_time_unix_nano,
        time: point.time_unix_nano,
        flags: point.flags,
        value: "null".to_owned(),
        distribution: Some(format!("{} {:?} {:?} {:?} {buckets:?}", point.count, point.sum, point.min, point.max)),
        attributes: &point.attributes,
        exemplars: &point.exemplars,
    })
}

fn exponential_point(point: &ExponentialHistogramDataPoint) -> Option<Point<'_>> {
    let (positive, negative) = (point.positive.clone().unwrap_or_default(), point.negative.clone().unwrap_or_default());
    // Buckets that no double falls into.
    let is_beyond = |buckets: &ExponentialBuckets| {
        let bound = |index: f64| (index * (-f64::from(point.scale)).exp2()).exp2();
        let (first, count) = (f64::from(buckets.offset), buckets.bucket_counts.len() as f64);
        count > 0.0 && (bound(first + 1.0) == 0.0 || bound(first + count - 1.0).is_infinite())
    };
    if is_beyond(&positive) || is_beyond(&negative) {
        return None;
    }
    let buckets = Buckets::Exponential {
        scale: point.scale,
        zero_count: point.zero_count,
        zero_threshold: point.zero_threshold,
        positive_offset: positive.offset,
        positive: positive.bucket_counts,
        negative_offset: negative.offset,
        negative: negative.bucket_counts,
    };
    Some(Point {
        start: point.start_time_unix_nano,
        time: point.time_unix_nano,
        flags: point.flags,
        value: "null".to_owned(),
        distribution: Some(format!("{} {:?} {:?} {:?} {buckets:?}", point.count, point.sum, point.min, point.max)),
        attributes: &point.attributes,
        exemplars: &point.exemplars,
    })
}

fn summary_point(point: &SummaryDataPoint) -> Option<Point<'_>> {
    let mut quantiles: Vec<(f64, f64)> = point.quantile_values.iter().map(|pair| (pair.quantile, pair.value)).collect();
    // JSON does not say the sign of what is no number.
    quantiles.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or_else(|| a.0.is_nan().cmp(&b.0.is_nan())));
    let (count, buckets) = (point.count, Buckets::Summary { quantiles });
    Some(Point {
        start: point.start_time_unix_nano,
        time: point.time_unix_nano,
        flags: point.flags,
        value: "null".to_owned(),
        distribution: Some(format!("{count} {:?} None None {buckets:?}", Some(point.sum))),
        attributes: &point.attributes,
        exemplars: &[],
    })
}

fn expected_metric(metric: &Metric, origin: &str) -> Vec<String> {
    let (kind, temporality, is_monotonic, points): (_, _, _, Vec<Option<Point<'_>>>) = match &metric.data {
        None => return Vec::new(),
        Some(Data::Gauge(data)) => (MetricKind::Gauge, 0, false, data.data_points.iter().map(number_point).collect()),
        Some(Data::Sum(data)) => {
            let points = data.data_points.iter().map(number_point).collect();
            (MetricKind::Sum, data.aggregation_temporality, data.is_monotonic, points)
        }
        Some(Data::Histogram(data)) => {
            let points = data.data_points.iter().map(histogram_point).collect();
            (MetricKind::Histogram, data.aggregation_temporality, false, points)
        }
        Some(Data::ExponentialHistogram(data)) => {
            let points = data.data_points.iter().map(exponential_point).collect();
            (MetricKind::ExponentialHistogram, data.aggregation_temporality, false, points)
        }
        Some(Data::Summary(data)) => {
            (MetricKind::Summary, 0, false, data.data_points.iter().map(summary_point).collect())
        }
    };
    let temporality = match (kind, temporality) {
        (MetricKind::Gauge | MetricKind::Summary, _) => "Unspecified",
        (_, 1) => "Delta",
        (_, 2) => "Cumulative",
        _ => return Vec::new(),
    };
    if metric.name.is_empty() {
        return Vec::new();
    }
    let head = format!(
        "{origin} metric {} {} {} {kind:?} {temporality} {is_monotonic}",
        metric.name, metric.description, metric.unit
    );
    points.into_iter().flatten().map(|point| format!("{head} {}", expected_point(&point))).collect()
}

fn expected_point(point: &Point<'_>) -> String {
    let time = if point.time == 0 { RECEIVED } else { clamp(point.time) };
    let exemplars: Vec<String> = point.exemplars.iter().filter_map(expected_exemplar).collect();
    format!(
        "point {}..{time} flags={} value={} {:?} [{}] {exemplars:?}",
        clamp(point.start),
        point.flags,
        point.value,
        point.distribution,
        pairs_text(point.attributes).0
    )
}

fn expected_exemplar(sent: &Exemplar) -> Option<String> {
    let value = match sent.value? {
        exemplar::Value::AsDouble(value) => value,
        exemplar::Value::AsInt(value) => value as f64,
    };
    let (trace, span) = (trace_of(&sent.trace_id), span_of(&sent.span_id));
    Some(format!("{} {value:?} {trace} {span}", clamp(sent.time_unix_nano)))
}

macro_rules! request {
    ($request:ty, $signal:expr, $groups:ident, $scopes:ident, $items:ident, $rows:expr, $count:expr, $json:expr, $names:expr) => {
        impl Request for $request {
            const SIGNAL: Signal = $signal;

            fn rows(&self) -> Vec<String> {
                let mut rows = Vec::new();
                for group in &self.$groups {
                    for scope in &group.$scopes {
                        let origin = expected_origin(
                            group.resource.as_ref(),
                            &group.schema_url,
                            scope.scope.as_ref(),
                            &scope.schema_url,
                        );
                        rows.extend(scope.$items.iter().flat_map(|item| $rows(item, &origin)));
                    }
                }
                rows
            }

            fn items(&self) -> usize {
                let items = self.$groups.iter().flat_map(|group| &group.$scopes).flat_map(|scope| &scope.$items);
                items.map($count).sum()
            }

            fn json(&self) -> serde_json::Value {
                let [groups, scopes, items] = $names;
                let all = self.$groups.iter().map(|group| {
                    let all = group.$scopes.iter().map(|scope| {
                        let all: Vec<_> = scope.$items.iter().map($json).collect();
                        serde_json::json!({
                            items: all,
                            "scope": scope.scope.as_ref().map(crate::encode::scope),
                            "schemaUrl": scope.schema_url,
                        })
                    });
                    let all: Vec<_> = all.collect();
                    serde_json::json!({
                        "schemaUrl": group.schema_url,
                        scopes: all,
                        "resource": group.resource.as_ref().map(crate::encode::resource),
                    })
                });
                let all: Vec<_> = all.collect();
                serde_json::json!({ groups: all })
            }
        }
    };
}

request!(
    ExportTraceServiceRequest,
    Signal::Traces,
    resource_spans,
    scope_spans,
    spans,
    expected_span,
    |_| 1,
    crate::encode::span,
    ["resourceSpans", "scopeSpans", "spans"]
);
request!(
    ExportLogsServiceRequest,
    Signal::Logs,
    resource_logs,
    scope_logs,
    log_records,
    |log: &LogRecord, origin: &str| [expected_log(log, origin)],
    |_| 1,
    crate::encode::log,
    ["resourceLogs", "scopeLogs", "logRecords"]
);
request!(
    ExportMetricsServiceRequest,
    Signal::Metrics,
    resource_metrics,
    scope_metrics,
    metrics,
    expected_metric,
    points_of,
    crate::encode::metric,
    ["resourceMetrics", "scopeMetrics", "metrics"]
);

fn points_of(metric: &Metric) -> usize {
    match &metric.data {
        None => 0,
        Some(Data::Gauge(data)) => data.data_points.len(),
        Some(Data::Sum(data)) => data.data_points.len(),
        Some(Data::Histogram(data)) => data.data_points.len(),
        Some(Data::ExponentialHistogram(data)) => data.data_points.len(),
        Some(Data::Summary(data)) => data.data_points.len(),
    }
}

/// Fields that say nothing to us: nobody looks what is in them.
const SKIPPED: [&str; 4] =
    ["Exemplar.filtered_attributes", "KeyValue.key_strindex", "Metric.metadata", "Resource.entity_refs"];

/// We read the request as prost does, from protobuf and from JSON.
pub(crate) fn check<R: Request>(request: &R) {
    assert!(check_bytes::<R>(&request.encode_to_vec()));
    let json = request.json().to_string();
    assert_reads(request, &decode_within(generous(), R::SIGNAL, Encoding::Json, json.as_bytes()).unwrap());
}

/// What prost reads we read alike, what it refuses we refuse. Whether it could be read.
pub(crate) fn check_bytes<R: Request>(bytes: &[u8]) -> bool {
    let ours = decode_within(generous(), R::SIGNAL, Encoding::Protobuf, bytes);
    match R::decode(bytes) {
        Ok(request) => assert_reads(&request, &ours.unwrap()),
        Err(error) => {
            let Ok(ours) = ours else { return false };
            // We repair text, and reject a deep item alone.
            let (error, kept) = (error.to_string(), ours.batch.len());
            let is_fine = ["UTF-8", "recursion limit"].iter().chain(&SKIPPED).any(|what| error.contains(what));
            assert!(is_fine, "prost refuses: {error}; we kept {kept} items of {bytes:02x?}");
            return false;
        }
    }
    true
}

fn assert_reads<R: Request>(request: &R, ours: &Decoded) {
    assert_rows(&rows(&ours.batch), &request.rows());
    assert_eq!(ours.batch.len() as u64 + ours.rejected.total(), request.items() as u64);
}

fn assert_rows(ours: &[String], expected: &[String]) {
    for (ours, expected) in ours.iter().zip(expected) {
        assert_eq!(ours, expected);
    }
    assert_eq!(ours.len(), expected.len());
}
