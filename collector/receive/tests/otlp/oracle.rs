//! The prost decode as oracle: whatever it reads from some bytes must be in our columns, and JSON must come to the same.
//!
//! Rows are compared as text that a person can read when they differ.

use crate::support::{pair, text};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
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
use orrery_model::batch::{Buckets, Context, MetricKind};
use orrery_model::{
    Attributes, Batch, Body, Compression, Encoding, LogBatch, MetricBatch, Signal, SpanBatch, SpanId, Strings, TraceId,
    Value,
};
use orrery_receive::{Decoded, Decoder, config::Limits};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use std::fmt::Write;

pub(crate) const RECEIVED: i64 = 1_800_000_000_000_000_000;

pub(crate) fn decode(signal: Signal, encoding: Encoding, bytes: &[u8]) -> Result<Decoded, String> {
    let body = Body {
        signal,
        encoding,
        compression: Compression::Identity,
        received_unix_nano: RECEIVED,
        bytes: bytes.to_vec(),
    };
    Decoder::new(Limits::default()).decode_body(&body).map_err(|error| error.reason)
}

/// A request of any signal, with the rows it should come to.
pub(crate) trait Request: Message + Default + PartialEq {
    const SIGNAL: Signal;
    fn rows(&self) -> Vec<String>;
    fn items(&self) -> usize;
    fn json(&self) -> serde_json::Value;
}

/// What a batch has, one text per row.
pub(crate) fn rows(batch: &Batch) -> Vec<String> {
    match batch {
        Batch::Traces(batch) => (0..batch.len()).map(|row| span_row(batch, row)).collect(),
        Batch::Logs(batch) => (0..batch.len()).map(|row| log_row(batch, row)).collect(),
        Batch::Metrics(batch) => (0..batch.len()).map(|row| point_row(batch, row)).collect(),
    }
}

fn value_text(value: Value, strings: &Strings) -> String {
    let mut out = String::new();
    value.to_json(strings, &mut out);
    out
}

fn attributes_text(attributes: &Attributes, row: usize, strings: &Strings) -> String {
    let pairs = attributes.row(row).map(|(key, value)| format!("{}={}", strings.get(key), value_text(value, strings)));
    pairs.collect::<Vec<_>>().join(" ")
}

fn origin_text(context: &Context, resource: u32, scope: u32) -> String {
    let (r, s) = (&context.resources[resource as usize], &context.scopes[scope as usize]);
    let get = |sym| context.strings.get(sym);
    format!(
        "resource[{} {} service={}] {} scope[{} {} {} {}] {}",
        get(r.schema_url),
        r.dropped_attributes_count,
        get(r.service_name),
        attributes_text(&context.resource_attributes, resource as usize, &context.strings),
        get(s.name),
        get(s.version),
        get(s.schema_url),
        s.dropped_attributes_count,
        attributes_text(&context.scope_attributes, scope as usize, &context.strings),
    )
}

fn span_row(batch: &SpanBatch, row: usize) -> String {
    let strings = &batch.context.strings;
    let get = |sym| strings.get(sym);
    let mut out = format!(
        "{} span {} {} {} state={} flags={} {:?} kind={} {}+{} status={} {} attributes[{} dropped {}]",
        origin_text(&batch.context, batch.resource[row], batch.scope[row]),
        batch.trace_id[row],
        batch.span_id[row],
        batch.parent_span_id[row],
        get(batch.trace_state[row]),
        batch.flags[row],
        get(batch.name[row]),
        batch.kind[row],
        batch.start_time_unix_nano[row],
        batch.duration_nanos[row],
        batch.status_code[row],
        get(batch.status_message[row]),
        attributes_text(&batch.attributes, row, strings),
        batch.dropped_attributes_count[row],
    );
    for event in batch.event_range(row) {
        let events = &batch.events;
        let attributes = attributes_text(&events.attributes, event, strings);
        let dropped = events.dropped_attributes_count[event];
        _ = write!(out, " event {} {} [{attributes} {dropped}]", events.time_unix_nano[event], get(events.name[event]));
    }
    for link in batch.link_range(row) {
        let links = &batch.links;
        let attributes = attributes_text(&links.attributes, link, strings);
        _ = write!(
            out,
            " link {} {} {} {} [{attributes} {}]",
            links.trace_id[link],
            links.span_id[link],
            get(links.trace_state[link]),
            links.flags[link],
            links.dropped_attributes_count[link]
        );
    }
    _ = write!(out, " dropped events {} links {}", batch.dropped_events_count[row], batch.dropped_links_count[row]);
    out
}

fn log_row(batch: &LogBatch, row: usize) -> String {
    let strings = &batch.context.strings;
    format!(
        "{} log {} observed {} severity {} {} event={} body={} {} {} flags={} attributes[{} dropped {}]",
        origin_text(&batch.context, batch.resource[row], batch.scope[row]),
        batch.time_unix_nano[row],
        batch.observed_time_unix_nano[row],
        batch.severity_number[row],
        strings.get(batch.severity_text[row]),
        strings.get(batch.event_name[row]),
        value_text(batch.body[row], strings),
        batch.trace_id[row],
        batch.span_id[row],
        batch.flags[row],
        attributes_text(&batch.attributes, row, strings),
        batch.dropped_attributes_count[row],
    )
}

fn point_row(batch: &MetricBatch, row: usize) -> String {
    let strings = &batch.context.strings;
    let metric = &batch.metrics[batch.metric[row] as usize];
    let distribution = batch.distribution(row).map(|distribution| {
        let (count, sum) = (distribution.count, distribution.sum);
        format!("{count} {sum:?} {:?} {:?} {:?}", distribution.min, distribution.max, distribution.buckets)
    });
    let exemplars: Vec<String> = batch
        .exemplars(row)
        .iter()
        .map(|exemplar| {
            let (time, value) = (exemplar.time_unix_nano, exemplar.value);
            format!("{time} {value:?} {} {}", exemplar.trace_id, exemplar.span_id)
        })
        .collect();
    format!(
        "{} metric {} {} {} {:?} {:?} {} point {}..{} flags={} value={} {distribution:?} [{}] {exemplars:?}",
        origin_text(&batch.context, batch.resource[row], batch.scope[row]),
        strings.get(metric.name),
        strings.get(metric.description),
        strings.get(metric.unit),
        metric.kind,
        metric.temporality,
        metric.is_monotonic,
        batch.start_time_unix_nano[row],
        batch.time_unix_nano[row],
        batch.flags[row],
        value_text(batch.value[row], strings),
        attributes_text(&batch.attributes, row, strings),
    )
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
    quantiles.sort_by(|a, b| a.0.total_cmp(&b.0));
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

pub(crate) fn check<R: Request>(request: &R) {
    check_bytes::<R>(&request.encode_to_vec());
    let json = request.json().to_string();
    let decoded = decode(R::SIGNAL, Encoding::Json, json.as_bytes()).unwrap();
    assert_rows(&rows(&decoded.batch), &request.rows());
    assert_eq!(decoded.batch.len() as u64 + decoded.rejected.total(), request.items() as u64);
}

/// If prost reads it, we read the same; if not, at least we return.
pub(crate) fn check_bytes<R: Request>(bytes: &[u8]) {
    let ours = decode(R::SIGNAL, Encoding::Protobuf, bytes);
    if let Ok(request) = R::decode(bytes) {
        let ours = ours.unwrap();
        assert_rows(&rows(&ours.batch), &request.rows());
        assert_eq!(ours.batch.len() as u64 + ours.rejected.total(), request.items() as u64);
    }
}

fn assert_rows(ours: &[String], expected: &[String]) {
    for (ours, expected) in ours.iter().zip(expected) {
        assert_eq!(ours, expected);
    }
    assert_eq!(ours.len(), expected.len());
}

// Generators.

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
    (any_time(), value, any_trace_id(), any_span_id()).prop_map(|(time_unix_nano, value, trace_id, span_id)| Exemplar {
        time_unix_nano,
        value,
        trace_id,
        span_id,
        ..Default::default()
    })
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
    (any_time(), any_time(), any::<u64>(), scale, any::<u64>(), buckets(), buckets(), any_pairs()).prop_map(
        |(start, time, count, scale, zero_count, positive, negative, attributes)| ExponentialHistogramDataPoint {
            start_time_unix_nano: start,
            time_unix_nano: time,
            count,
            scale,
            zero_count,
            positive,
            negative,
            attributes,
            zero_threshold: 0.5,
            ..Default::default()
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
        metadata: vec![pair("ignored", text("x"))],
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

fn any_traces() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let scopes = (any_scope(), vec(any_span(), 0..4), "[s]{0,1}");
    let scopes = scopes.prop_map(|(scope, spans, schema_url)| ScopeSpans { scope, spans, schema_url });
    let groups = (any_resource(), vec(scopes, 0..3), "[s]{0,1}");
    let groups =
        groups.prop_map(|(resource, scope_spans, schema_url)| ResourceSpans { resource, scope_spans, schema_url });
    vec(groups, 0..3).prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}

fn any_logs() -> impl Strategy<Value = ExportLogsServiceRequest> {
    let scopes = (any_scope(), vec(any_log(), 0..4), "[s]{0,1}");
    let scopes = scopes.prop_map(|(scope, log_records, schema_url)| ScopeLogs { scope, log_records, schema_url });
    let groups = (any_resource(), vec(scopes, 0..3), "[s]{0,1}");
    let groups =
        groups.prop_map(|(resource, scope_logs, schema_url)| ResourceLogs { resource, scope_logs, schema_url });
    vec(groups, 0..3).prop_map(|resource_logs| ExportLogsServiceRequest { resource_logs })
}

fn any_metrics() -> impl Strategy<Value = ExportMetricsServiceRequest> {
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

/// A way to spoil bytes.
#[derive(Clone, Debug)]
enum Spoil {
    Flip(prop::sample::Index, u8),
    Truncate(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Swap(prop::sample::Index, prop::sample::Index),
    Repeat(prop::sample::Index, prop::sample::Index),
}

fn any_spoil() -> impl Strategy<Value = Spoil> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        (index(), 1..=255u8).prop_map(|(at, mask)| Spoil::Flip(at, mask)),
        index().prop_map(Spoil::Truncate),
        (index(), vec(any::<u8>(), 1..12)).prop_map(|(at, bytes)| Spoil::Insert(at, bytes)),
        (index(), index()).prop_map(|(a, b)| Spoil::Swap(a, b)),
        (index(), index()).prop_map(|(a, b)| Spoil::Repeat(a, b)),
    ]
}

fn spoiled(mut bytes: Vec<u8>, spoils: &[Spoil]) -> Vec<u8> {
    for spoil in spoils {
        let length = bytes.len();
        if length == 0 {
            break;
        }
        match spoil {
            Spoil::Flip(at, mask) => bytes[at.index(length)] ^= mask,
            Spoil::Truncate(at) => bytes.truncate(at.index(length)),
            Spoil::Insert(at, more) => _ = bytes.splice(at.index(length)..at.index(length), more.iter().copied()),
            Spoil::Swap(a, b) => bytes.swap(a.index(length), b.index(length)),
            Spoil::Repeat(a, b) => {
                let (from, to) = (a.index(length).min(b.index(length)), a.index(length).max(b.index(length)));
                bytes.extend_from_within(from..to);
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256 * crate::mutate::rounds() as u32))]

    #[test]
    fn traces_decode_as_prost_decodes_them(request in any_traces()) {
        check(&request);
    }

    #[test]
    fn logs_decode_as_prost_decodes_them(request in any_logs()) {
        check(&request);
    }

    #[test]
    fn metrics_decode_as_prost_decodes_them(request in any_metrics()) {
        check(&request);
    }

    #[test]
    fn spoiled_traces_never_panic(request in any_traces(), spoils in vec(any_spoil(), 1..4)) {
        check_bytes::<ExportTraceServiceRequest>(&spoiled(request.encode_to_vec(), &spoils));
        let json = spoiled(request.json().to_string().into_bytes(), &spoils);
        _ = decode(Signal::Traces, Encoding::Json, &json);
    }

    #[test]
    fn spoiled_logs_never_panic(request in any_logs(), spoils in vec(any_spoil(), 1..4)) {
        check_bytes::<ExportLogsServiceRequest>(&spoiled(request.encode_to_vec(), &spoils));
        let json = spoiled(request.json().to_string().into_bytes(), &spoils);
        _ = decode(Signal::Logs, Encoding::Json, &json);
    }

    #[test]
    fn spoiled_metrics_never_panic(request in any_metrics(), spoils in vec(any_spoil(), 1..4)) {
        check_bytes::<ExportMetricsServiceRequest>(&spoiled(request.encode_to_vec(), &spoils));
        let json = spoiled(request.json().to_string().into_bytes(), &spoils);
        _ = decode(Signal::Metrics, Encoding::Json, &json);
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        for signal in Signal::ALL {
            _ = decode(signal, Encoding::Protobuf, &bytes);
            _ = decode(signal, Encoding::Json, &bytes);
        }
    }
}

#[test]
fn every_truncation_of_a_request_is_an_error_or_fewer_rows() {
    let request = include_bytes!("../fixtures/python-traces-checkout.pb");
    for length in 0..request.len() {
        check_bytes::<ExportTraceServiceRequest>(&request[..length]);
    }
}

/// Protobuf: of a field that is not repeated the last one counts.
#[test]
fn a_field_sent_twice_counts_once() {
    let span = crate::support::span("a", 1);
    // Dropped attributes, events and links, twice each.
    let twice = [0x50, 8, 0x50, 9, 0x60, 8, 0x60, 9, 0x70, 8, 0x70, 9];
    let span = [&span.encode_to_vec()[..], &twice].concat();
    let field = |number: u8, bytes: &[u8]| [&[number << 3 | 2, bytes.len() as u8], bytes].concat();
    let request = field(1, &field(2, &field(2, &span)));
    check_bytes::<ExportTraceServiceRequest>(&request);
    let row = &rows(&decode(Signal::Traces, Encoding::Protobuf, &request).unwrap().batch)[0];
    assert!(
        row.contains("attributes[http.route=\"/cart\" dropped 9]") && row.ends_with("dropped events 9 links 9"),
        "{row}"
    );
}
