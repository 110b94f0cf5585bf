//! A body encoding for tests: a JSON list of items. Small, and able to say everything the engine stores.

use orrery_model::batch::{Buckets, Context, Distribution, Exemplar, Metric, MetricKind, Scope, Temporality};
use orrery_model::{
    Attributes, Batch, Body, Compression, Decode, DecodeError, Encoding, LogBatch, MetricBatch, Signal, SpanBatch,
    SpanId, Strings, Sym, TraceId, Value,
};
use serde::{Deserialize, Serialize};
use serde_json::Map;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Attributes by name, values as JSON text.
pub(crate) type Pairs = BTreeMap<String, Box<RawValue>>;

/// A span, log record or data point.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Item {
    pub(crate) resource: Pairs,
    pub(crate) attributes: Pairs,
    pub(crate) time: i64,
    pub(crate) trace: String,
    pub(crate) span: u64,
    pub(crate) parent: u64,
    pub(crate) name: String,
    pub(crate) kind: u8,
    pub(crate) duration: i64,
    pub(crate) error: bool,
    pub(crate) events: Vec<(i64, String, Pairs)>,
    pub(crate) links: Vec<(String, u64, Pairs)>,
    pub(crate) body: Option<Box<RawValue>>,
    pub(crate) severity: u8,
    pub(crate) value: Option<Box<RawValue>>,
    pub(crate) metric: Option<MetricItem>,
}

/// The metric of a data point.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MetricItem {
    pub(crate) unit: String,
    /// As `MetricKind`'s number.
    pub(crate) kind: u8,
    /// 1 delta, 2 cumulative.
    pub(crate) temporality: u8,
    pub(crate) monotonic: bool,
    pub(crate) start: i64,
    pub(crate) distribution: Option<Distribution>,
}

/// Pairs from a JSON object.
pub(crate) fn pairs(value: serde_json::Value) -> Pairs {
    let map: Map<String, serde_json::Value> = serde_json::from_value(value).expect("an object");
    map.into_iter().map(|(key, value)| (key, RawValue::from_string(value.to_string()).expect("JSON"))).collect()
}

/// JSON text as it stands.
pub(crate) fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).expect("JSON")
}

/// A request.
pub(crate) fn body(signal: Signal, items: &[Item]) -> Body {
    Body {
        signal,
        encoding: Encoding::Json,
        compression: Compression::Identity,
        received_unix_nano: items.iter().map(|item| item.time).max().unwrap_or(0),
        bytes: serde_json::to_vec(items).expect("plain data"),
    }
}

/// Decodes [`body`].
pub(crate) struct Items;

impl Decode for Items {
    fn decode(&self, body: &Body) -> Result<Batch, DecodeError> {
        let items: Vec<Item> = serde_json::from_slice(&body.bytes)
            .map_err(|error| DecodeError { signal: body.signal, reason: error.to_string() })?;
        Ok(batch(body.signal, &items))
    }
}

/// The rows of a request.
pub(crate) fn batch(signal: Signal, items: &[Item]) -> Batch {
    match signal {
        Signal::Traces => Batch::Traces(spans(items)),
        Signal::Logs => Batch::Logs(logs(items)),
        Signal::Metrics => Batch::Metrics(points(items)),
    }
}

fn push(pairs: &Pairs, strings: &mut Strings, out: &mut Attributes) {
    for (key, value) in pairs {
        let value = Value::from_json(value.get(), strings);
        let key = strings.intern(key);
        out.push(key, value);
    }
}

fn resource(context: &mut Context, item: &Item) -> u32 {
    let Context { strings, resource_attributes, .. } = context;
    push(&item.resource, strings, resource_attributes);
    context.end_resource(Sym::EMPTY, 0).0
}

fn scope(context: &mut Context) -> u32 {
    let name = context.strings.intern("test-scope");
    let version = context.strings.intern("1.2");
    let key = context.strings.intern("scope.key");
    context.scope_attributes.push(key, Value::Int(1));
    context.end_scope(Scope { name, version, ..Scope::default() }).0
}

pub(crate) fn trace_id(text: &str) -> TraceId {
    if text.is_empty() {
        return TraceId::NONE;
    }
    text.parse()
        .unwrap_or_else(|_| format!("{:032x}", text.parse::<u128>().expect("hex or number")).parse().expect("hex"))
}

fn spans(items: &[Item]) -> SpanBatch {
    let mut batch = SpanBatch::default();
    for item in items {
        let resource = resource(&mut batch.context, item);
        let scope = scope(&mut batch.context);
        let strings = &mut batch.context.strings;
        batch.trace_id.push(trace_id(&item.trace));
        batch.span_id.push(SpanId(item.span));
        batch.parent_span_id.push(SpanId(item.parent));
        batch.trace_state.push(strings.intern("a=b"));
        batch.flags.push(1);
        batch.name.push(strings.intern(&item.name));
        batch.kind.push(item.kind);
        batch.start_time_unix_nano.push(item.time);
        batch.duration_nanos.push(item.duration);
        batch.status_code.push(if item.error { 2 } else { 0 });
        batch.status_message.push(strings.intern(if item.error { "it failed" } else { "" }));
        batch.resource.push(resource);
        batch.scope.push(scope);
        push(&item.attributes, strings, &mut batch.attributes);
        batch.attributes.end_row();
        for (time, name, attributes) in &item.events {
            batch.events.time_unix_nano.push(*time);
            batch.events.name.push(strings.intern(name));
            push(attributes, strings, &mut batch.events.attributes);
            batch.events.attributes.end_row();
            batch.events.dropped_attributes_count.push(1);
        }
        for (trace, span, attributes) in &item.links {
            batch.links.trace_id.push(trace_id(trace));
            batch.links.span_id.push(SpanId(*span));
            batch.links.trace_state.push(Sym::EMPTY);
            batch.links.flags.push(3);
            push(attributes, strings, &mut batch.links.attributes);
            batch.links.attributes.end_row();
            batch.links.dropped_attributes_count.push(2);
        }
        batch.event_ends.push(batch.events.name.len() as u32);
        batch.link_ends.push(batch.links.span_id.len() as u32);
        batch.dropped_attributes_count.push(4);
        batch.dropped_events_count.push(5);
        batch.dropped_links_count.push(6);
    }
    batch
}

fn logs(items: &[Item]) -> LogBatch {
    let mut batch = LogBatch::default();
    for item in items {
        let resource = resource(&mut batch.context, item);
        let scope = scope(&mut batch.context);
        let strings = &mut batch.context.strings;
        batch.time_unix_nano.push(item.time);
        batch.observed_time_unix_nano.push(item.time + 1);
        batch.severity_number.push(item.severity);
        batch.severity_text.push(strings.intern("WORD"));
        batch.event_name.push(strings.intern(&item.name));
        batch.body.push(item.body.as_ref().map_or(Value::Empty, |body| Value::from_json(body.get(), strings)));
        batch.trace_id.push(trace_id(&item.trace));
        batch.span_id.push(SpanId(item.span));
        batch.flags.push(1);
        batch.resource.push(resource);
        batch.scope.push(scope);
        push(&item.attributes, strings, &mut batch.attributes);
        batch.attributes.end_row();
        batch.dropped_attributes_count.push(0);
    }
    batch
}

fn points(items: &[Item]) -> MetricBatch {
    let mut batch = MetricBatch::default();
    for item in items {
        let metric = item.metric.clone().unwrap_or_default();
        let resource = resource(&mut batch.context, item);
        let scope = scope(&mut batch.context);
        let strings = &mut batch.context.strings;
        batch.metric.push(batch.metrics.len() as u32);
        batch.metrics.push(Metric {
            name: strings.intern(&item.name),
            description: strings.intern("what it is"),
            unit: strings.intern(&metric.unit),
            kind: match metric.kind {
                2 => MetricKind::Sum,
                3 => MetricKind::Histogram,
                4 => MetricKind::ExponentialHistogram,
                5 => MetricKind::Summary,
                _ => MetricKind::Gauge,
            },
            temporality: match metric.temporality {
                1 => Temporality::Delta,
                2 => Temporality::Cumulative,
                _ => Temporality::Unspecified,
            },
            is_monotonic: metric.monotonic,
        });
        batch.start_time_unix_nano.push(metric.start);
        batch.time_unix_nano.push(item.time);
        batch.flags.push(0);
        batch.value.push(item.value.as_ref().map_or(Value::Empty, |value| Value::from_json(value.get(), strings)));
        match metric.distribution {
            Some(distribution) => {
                batch.distribution.push(batch.distributions.len() as u32);
                batch.distributions.push(distribution);
            }
            None => batch.distribution.push(u32::MAX),
        }
        push(&item.attributes, strings, &mut batch.attributes);
        batch.attributes.end_row();
        let exemplar = Exemplar { time_unix_nano: item.time, value: 0.5, trace_id: trace_id("7"), span_id: SpanId(8) };
        batch.exemplars.push(exemplar);
        batch.exemplar_ends.push(batch.exemplars.len() as u32);
        batch.resource.push(resource);
        batch.scope.push(scope);
    }
    batch
}

/// A plain histogram.
pub(crate) fn histogram(bounds: &[f64], counts: &[u64]) -> Distribution {
    Distribution {
        count: counts.iter().sum(),
        sum: Some(1.5),
        min: None,
        max: None,
        buckets: Buckets::Explicit { bounds: bounds.to_vec(), counts: counts.to_vec() },
    }
}
