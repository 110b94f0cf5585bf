//! Answers of the store as the API's types. No decisions but these: what a rate is, and how big integers travel.

use orrery_api as api;
use orrery_api::Nanos;
use orrery_model::{ServiceKey, Severity, SpanId, TraceId};
use orrery_query::answer::{self, AttributeMap};
use orrery_query::plan::TraceSort;
use orrery_query::traceql::{self, Compared, Field, Label, LabelName, Labelled, Literal, Sides};
use orrery_query::{Partial, Scanned, TimeRange};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The largest integer a JavaScript number holds exactly.
const EXACT: u64 = 1 << 53;
const SECOND: i64 = 1_000_000_000;

/// Turns counts into rates: calls per second over the part of a range for which data can exist, that is, from the
/// oldest stored item (or the range's start, if later) to now (or the range's end, if earlier), but at least a second.
/// An hour's range on a server that has run for a minute then shows the true rate and not a sixtieth of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rates {
    known: TimeRange,
}

impl Rates {
    /// `oldest` is the start of the oldest stored item, `now` the clock; Unix nanoseconds.
    pub(crate) fn new(oldest: Option<i64>, now: i64) -> Rates {
        Rates { known: TimeRange { from: oldest.unwrap_or(now), to: now } }
    }

    /// Seconds of a range for which data can exist, at least one.
    pub(crate) fn seconds(self, range: TimeRange) -> f64 {
        let nanos = range.to.min(self.known.to).saturating_sub(range.from.max(self.known.from));
        nanos.max(SECOND) as f64 / SECOND as f64
    }

    /// RED of a range.
    pub(crate) fn red(self, red: &answer::Red, range: TimeRange) -> api::Red {
        api::Red {
            count: red.count,
            errors: red.errors,
            rate: red.count / self.seconds(range),
            p50_nanos: red.p50_nanos.map(Nanos),
            p95_nanos: red.p95_nanos.map(Nanos),
            p99_nanos: red.p99_nanos.map(Nanos),
        }
    }

    fn point(self, point: &answer::RedPoint) -> api::RedPoint {
        let step = TimeRange { from: point.time_unix_nano, to: point.time_unix_nano.saturating_add(point.step_nanos) };
        api::RedPoint {
            time_unix_nano: Nanos(point.time_unix_nano),
            step_nanos: Nanos(point.step_nanos),
            red: self.red(&point.red, step),
        }
    }

    pub(crate) fn series(self, points: &[answer::RedPoint]) -> Vec<api::RedPoint> {
        points.iter().map(|point| self.point(point)).collect()
    }

    pub(crate) fn node(self, node: answer::Node, range: TimeRange) -> api::Node {
        let red = self.red(&node.red, range);
        api::Node {
            id: node.id,
            kind: node_kind(node.kind),
            name: node.name,
            service: node.service.as_ref().map(service),
            system: node.system,
            health: api::Health::of(&red),
            red,
            last_seen_unix_nano: Nanos(node.last_seen_unix_nano),
        }
    }

    pub(crate) fn edge(self, edge: answer::Edge, range: TimeRange) -> api::Edge {
        let red = self.red(&edge.red, range);
        api::Edge {
            caller: edge.caller,
            callee: edge.callee,
            kind: edge_kind(edge.kind),
            health: api::Health::of(&red),
            red,
            callee_errors: edge.callee_errors,
            callee_red: edge.callee_red.map(|red| self.red(&red, range)),
            network: edge.network.map(quantiles),
            lag: edge.lag.map(quantiles),
            inferred: edge.inferred,
        }
    }

    pub(crate) fn summary(self, summary: answer::ServiceSummary, range: TimeRange) -> api::ServiceSummary {
        let red = self.red(&summary.red, range);
        api::ServiceSummary {
            service: service(&summary.service),
            kind: node_kind(summary.kind),
            health: api::Health::of(&red),
            red,
            series: self.series(&summary.series),
            versions: summary.versions,
            instances: summary.instances,
            last_seen_unix_nano: Nanos(summary.last_seen_unix_nano),
        }
    }

    pub(crate) fn detail(
        self,
        detail: answer::ServiceDetail,
        asked: TimeRange,
        partial: Option<Partial>,
    ) -> api::ServiceDetail {
        let edges = |edges: Vec<answer::Edge>| edges.into_iter().map(|edge| self.edge(edge, asked)).collect();
        let slices = |slices: Vec<answer::Slice>| slices.into_iter().map(|slice| self.slice(slice, asked)).collect();
        api::ServiceDetail {
            range: range(asked),
            node: self.node(detail.node, asked),
            series: self.series(&detail.series),
            operations: detail
                .operations
                .into_iter()
                .map(|operation| api::Operation {
                    name: operation.name,
                    kind: operation.kind.as_str().to_owned(),
                    red: self.red(&operation.red, asked),
                })
                .collect(),
            errors: detail.errors.into_iter().map(error_group).collect(),
            callers: edges(detail.callers),
            callees: edges(detail.callees),
            neighbours: detail.neighbours.into_iter().map(|node| self.node(node, asked)).collect(),
            versions: slices(detail.versions),
            instances: slices(detail.instances),
            partial: self::partial(partial),
        }
    }

    fn slice(self, slice: answer::Slice, range: TimeRange) -> api::Slice {
        api::Slice {
            name: slice.name,
            red: self.red(&slice.red, range),
            first_seen_unix_nano: Nanos(slice.first_seen_unix_nano),
            last_seen_unix_nano: Nanos(slice.last_seen_unix_nano),
        }
    }
}

pub(crate) fn range(range: TimeRange) -> api::Range {
    api::Range { from: Nanos(range.from), to: Nanos(range.to) }
}

pub(crate) fn partial(partial: Option<Partial>) -> Option<String> {
    partial.map(|Partial(why)| why)
}

pub(crate) fn service(key: &ServiceKey) -> api::ServiceRef {
    api::ServiceRef {
        id: key.to_string(),
        namespace: key.namespace.clone(),
        name: key.name.clone(),
        environment: key.environment.clone(),
    }
}

fn quantiles(quantiles: answer::Quantiles) -> api::Quantiles {
    api::Quantiles {
        p50_nanos: Nanos(quantiles.p50_nanos),
        p95_nanos: Nanos(quantiles.p95_nanos),
        p99_nanos: Nanos(quantiles.p99_nanos),
    }
}

fn error_group(group: answer::ErrorGroup) -> api::ErrorGroup {
    api::ErrorGroup {
        error_type: group.error_type,
        message: group.message,
        operation: group.operation,
        count: group.count,
        first_seen_unix_nano: Nanos(group.first_seen_unix_nano),
        is_new: group.is_new,
        last_seen_unix_nano: Nanos(group.last_seen_unix_nano),
        trace_id: group.trace_id.to_string(),
        span_id: group.span_id.to_string(),
    }
}

/// Something that is wrong.
pub(crate) fn finding(found: answer::Finding) -> api::Finding {
    let kind = match found.kind {
        answer::FindingKind::Errors => api::FindingKind::Errors,
        answer::FindingKind::Unreachable => api::FindingKind::Unreachable,
        answer::FindingKind::Rejected => api::FindingKind::Rejected,
        answer::FindingKind::RateLimited => api::FindingKind::RateLimited,
        answer::FindingKind::Slow => api::FindingKind::Slow,
        answer::FindingKind::SlowCalls => api::FindingKind::SlowCalls,
        answer::FindingKind::Network => api::FindingKind::Network,
        answer::FindingKind::Lag => api::FindingKind::Lag,
        answer::FindingKind::NotConsumed => api::FindingKind::NotConsumed,
        answer::FindingKind::Silent => api::FindingKind::Silent,
        answer::FindingKind::Steady => api::FindingKind::Steady,
        answer::FindingKind::DiskFull => api::FindingKind::DiskFull,
        answer::FindingKind::MemoryFull => api::FindingKind::MemoryFull,
        answer::FindingKind::CpuBusy => api::FindingKind::CpuBusy,
        answer::FindingKind::HostSilent => api::FindingKind::HostSilent,
    };
    let from_to = |change: answer::Change| api::FromTo { usual: change.usual, now: change.now };
    let blamed = |blamed: answer::Blamed| api::Blamed {
        slice: match blamed.slice {
            answer::BlamedSlice::Version => "version".to_owned(),
            answer::BlamedSlice::Instance => "instance".to_owned(),
        },
        name: blamed.name,
        share: blamed.share,
        others: blamed.others,
        first_seen_unix_nano: Nanos(blamed.first_seen_unix_nano),
    };
    api::Finding {
        id: format!("{}:{}", kind.name(), found.node),
        kind,
        node: found.node,
        node_kind: node_kind(found.node_kind),
        callers: found.callers,
        since_unix_nano: found.since_unix_nano.map(Nanos),
        until_unix_nano: found.until_unix_nano.map(Nanos),
        calls: found.calls,
        bad: found.bad,
        size: from_to(found.size),
        rate: found.rate.map(from_to),
        operation: found.operation,
        error: found.error.map(error_group),
        blamed: found.blamed.map(blamed),
        issuer: found.issuer,
        affected: found.affected,
    }
}

fn node_kind(kind: answer::NodeKind) -> api::NodeKind {
    match kind {
        answer::NodeKind::Client => api::NodeKind::Client,
        answer::NodeKind::Gateway => api::NodeKind::Gateway,
        answer::NodeKind::Auth => api::NodeKind::Auth,
        answer::NodeKind::Service => api::NodeKind::Service,
        answer::NodeKind::Job => api::NodeKind::Job,
        answer::NodeKind::Database => api::NodeKind::Database,
        answer::NodeKind::Queue => api::NodeKind::Queue,
        answer::NodeKind::External => api::NodeKind::External,
        answer::NodeKind::Model => api::NodeKind::Model,
        answer::NodeKind::Function => api::NodeKind::Function,
        answer::NodeKind::User => api::NodeKind::User,
        answer::NodeKind::UnknownCaller => api::NodeKind::UnknownCaller,
    }
}

fn edge_kind(kind: answer::EdgeKind) -> api::EdgeKind {
    match kind {
        answer::EdgeKind::Call => api::EdgeKind::Call,
        answer::EdgeKind::Database => api::EdgeKind::Database,
        answer::EdgeKind::Publish => api::EdgeKind::Publish,
        answer::EdgeKind::Consume => api::EdgeKind::Consume,
    }
}

pub(crate) fn trace_summary(trace: answer::TraceSummary) -> api::TraceSummary {
    api::TraceSummary {
        trace_id: trace.trace_id.to_string(),
        root_service: service(&trace.root_service),
        root_name: trace.root_name,
        root_received: trace.root_received,
        start_time_unix_nano: Nanos(trace.start_time_unix_nano),
        duration_nanos: Nanos(trace.duration_nanos),
        span_count: trace.span_count,
        error_count: trace.error_count,
        services: trace
            .services
            .iter()
            .map(|(key, spans)| api::ServiceSpans { service: service(key), spans: *spans })
            .collect(),
        matched_span_id: trace.matched_span_id.to_string(),
        matched_span_count: trace.matched_span_count,
        spansets: trace.spansets.into_iter().map(spanset).collect(),
    }
}

fn spanset(spanset: answer::Spanset) -> api::Spanset {
    let value =
        |(name, value): (String, Option<Literal>)| field_value(name, value.as_ref().map_or(Value::Null, literal));
    api::Spanset {
        values: spanset.values.into_iter().map(value).collect(),
        span_count: spanset.span_count,
        spans: spanset.spans.into_iter().map(matched_span).collect(),
    }
}

fn matched_span(span: answer::MatchedSpan) -> api::MatchedSpan {
    let selected = |(field, value): (Field, Literal)| field_value(field.to_string(), literal(&value));
    api::MatchedSpan {
        span_id: span.span_id.to_string(),
        name: span.name,
        service: service(&span.service),
        kind: span.kind.as_str().to_owned(),
        start_time_unix_nano: Nanos(span.start_time_unix_nano),
        duration_nanos: Nanos(span.duration_nanos),
        status_code: span.status_code.as_str().to_owned(),
        selected: span.selected.into_iter().map(selected).collect(),
    }
}

fn field_value(name: String, value: Value) -> api::FieldValue {
    api::FieldValue { name, value }
}

/// A value of TraceQL, as the API promises it.
pub(crate) fn literal(literal: &Literal) -> Value {
    match literal {
        Literal::Text(text) => json!(text),
        Literal::Int(int) => exact(json!(int)),
        Literal::Float(float) if float.is_nan() => json!({ "doubleValue": "NaN" }),
        Literal::Float(float) if *float == f64::INFINITY => json!({ "doubleValue": "Infinity" }),
        Literal::Float(float) if *float == f64::NEG_INFINITY => json!({ "doubleValue": "-Infinity" }),
        Literal::Float(float) => json!(float),
        Literal::Bool(value) => json!(value),
        Literal::Duration(nanos) => json!({ "durationNanos": nanos.to_string() }),
        Literal::Status(_) | Literal::Kind(_) => json!(literal.to_string()),
    }
}

pub(crate) fn trace_sort(sort: api::TraceSort) -> TraceSort {
    match sort {
        api::TraceSort::Time => TraceSort::Time,
        api::TraceSort::Duration => TraceSort::Duration,
        api::TraceSort::Errors => TraceSort::Errors,
        api::TraceSort::Spans => TraceSort::Spans,
    }
}

pub(crate) fn scanned(scanned: Scanned) -> api::Scanned {
    api::Scanned { rows: scanned.rows, segments: scanned.segments, segments_pruned: scanned.segments_pruned }
}

pub(crate) fn trace_series(series: Labelled) -> api::TraceSeries {
    let label = |label: Label| {
        let name = match label.name {
            LabelName::Field(field) => field.to_string(),
            LabelName::Quantile => "quantile".to_owned(),
            LabelName::Bucket => "bucket".to_owned(),
        };
        field_value(name, label.value.as_ref().map_or(Value::Null, literal))
    };
    let exemplar = |exemplar: traceql::Exemplar| api::Exemplar {
        trace_id: exemplar.trace_id.to_string(),
        span_id: exemplar.span_id.to_string(),
        time_unix_nano: Nanos(exemplar.time_unix_nano),
        value: exemplar.value,
    };
    api::TraceSeries {
        labels: series.labels.into_iter().map(label).collect(),
        values: series.values,
        exemplars: series.exemplars.into_iter().map(exemplar).collect(),
    }
}

/// Fields by how much they differ.
pub(crate) fn comparison(compared: Compared) -> api::Comparison {
    let sides = |sides: Sides| api::Sides { selection: sides.selection, baseline: sides.baseline };
    let mut fields: Vec<api::ComparedField> = compared
        .fields
        .iter()
        .map(|field| api::ComparedField {
            field: field.field.to_string(),
            difference: field.difference(compared.spans),
            spans: sides(field.spans),
            values: field
                .values
                .iter()
                .map(|value| api::ComparedValue { value: literal(&value.value), spans: sides(value.spans) })
                .collect(),
            others: sides(field.others),
        })
        .collect();
    fields.sort_by(|a, b| b.difference.total_cmp(&a.difference).then_with(|| a.field.cmp(&b.field)));
    api::Comparison { spans: sides(compared.spans), fields }
}

pub(crate) fn trace_key(key: answer::TraceKey) -> api::TraceKey {
    api::TraceKey {
        key: Field::attribute(key.scope, key.name.as_str()).to_string(),
        scope: key.scope.as_str().to_owned(),
        name: key.name,
        types: key.types.into_iter().map(str::to_owned).collect(),
        span_count: key.spans,
    }
}

/// Services and resources are named once per trace and pointed at by the spans.
pub(crate) fn trace(id: TraceId, spans: Vec<answer::SpanRow>, partial: Option<Partial>) -> api::Trace {
    let mut trace = api::Trace { trace_id: id.to_string(), partial: self::partial(partial), ..Default::default() };
    let mut services: BTreeMap<ServiceKey, u32> = BTreeMap::new();
    let mut resources: BTreeMap<String, u32> = BTreeMap::new();
    // By where it is: equal ones of one place are one.
    let mut seen: HashMap<usize, (u32, Arc<AttributeMap>)> = HashMap::new();
    for row in spans {
        let service = *services.entry(row.service.clone()).or_insert_with(|| {
            trace.services.push(self::service(&row.service));
            trace.services.len() as u32 - 1
        });
        let (resource, _) = seen.entry(Arc::as_ptr(&row.resource).addr()).or_insert_with(|| {
            let number = resources.entry(json!(*row.resource).to_string()).or_insert_with(|| {
                trace.resources.push(attributes(AttributeMap::clone(&row.resource)));
                trace.resources.len() as u32 - 1
            });
            (*number, Arc::clone(&row.resource))
        });
        let resource = *resource;
        trace.spans.push(span(row, service, resource));
    }
    trace
}

/// Columns stay columns.
pub(crate) fn trace_columns(columns: answer::TraceColumns, partial: Option<Partial>) -> api::TraceColumns {
    let scope = |(name, version)| api::ScopeRef { name, version };
    api::TraceColumns {
        services: columns.services.iter().map(service).collect(),
        names: columns.names,
        scopes: columns.scopes.into_iter().map(scope).collect(),
        start_time_unix_nano: Nanos(columns.start_time_unix_nano),
        span_id: columns.span_id.into_iter().map(|id| id.0).collect(),
        parent: columns.parent,
        start_nanos: columns.start_nanos,
        duration_nanos: columns.duration_nanos.into_iter().map(|nanos| nanos.max(0) as u64).collect(),
        service: columns.service,
        name: columns.name,
        scope: columns.scope,
        kind: columns.kind,
        status_code: columns.status_code,
        flags: columns.flags,
        partial: self::partial(partial),
    }
}

pub(crate) fn span_detail(row: answer::SpanRow, partial: Option<Partial>) -> api::SpanDetail {
    api::SpanDetail {
        trace_id: row.trace_id.to_string(),
        service: service(&row.service),
        resource: attributes(AttributeMap::clone(&row.resource)),
        span: span(row, 0, 0),
        partial: self::partial(partial),
    }
}

fn span(row: answer::SpanRow, service: u32, resource: u32) -> api::Span {
    api::Span {
        span_id: row.span_id.to_string(),
        parent_span_id: span_id(row.parent_span_id),
        name: row.name,
        kind: row.kind.as_str().to_owned(),
        start_time_unix_nano: Nanos(row.start_time_unix_nano),
        duration_nanos: Nanos(row.duration_nanos),
        status_code: row.status_code.as_str().to_owned(),
        status_message: row.status_message,
        service,
        resource,
        attributes: attributes(row.attributes),
        scope_name: row.scope_name,
        scope_version: row.scope_version,
        events: row
            .events
            .into_iter()
            .map(|event| api::SpanEvent {
                time_unix_nano: Nanos(event.time_unix_nano),
                name: event.name,
                attributes: attributes(event.attributes),
            })
            .collect(),
        links: row
            .links
            .into_iter()
            .map(|link| api::SpanLink {
                trace_id: link.trace_id.to_string(),
                span_id: link.span_id.to_string(),
                attributes: attributes(link.attributes),
            })
            .collect(),
        trace_state: row.trace_state,
        flags: row.flags,
        dropped_attributes_count: row.dropped_attributes_count,
        dropped_events_count: row.dropped_events_count,
        dropped_links_count: row.dropped_links_count,
    }
}

pub(crate) fn log_record(row: answer::LogRow) -> api::LogRecord {
    api::LogRecord {
        time_unix_nano: Nanos(row.time_unix_nano),
        observed_time_unix_nano: Nanos(row.observed_time_unix_nano),
        severity_number: row.severity_number,
        severity: Severity::from_number(row.severity_number).as_str().to_owned(),
        severity_text: row.severity_text,
        event_name: row.event_name,
        body: exact(row.body),
        trace_id: trace_id(row.trace_id),
        span_id: span_id(row.span_id),
        service: service(&row.service),
        attributes: attributes(row.attributes),
        resource: attributes(row.resource),
        scope_name: row.scope_name,
    }
}

pub(crate) fn host(host: answer::Host) -> api::Host {
    let points = |series: Vec<(i64, f64)>| {
        series.into_iter().map(|(time, value)| api::MetricPoint { time_unix_nano: Nanos(time), value }).collect()
    };
    api::Host {
        name: host.name,
        resource: attributes(host.resource),
        last_seen_unix_nano: Nanos(host.last_seen_unix_nano),
        cpu_utilization: host.cpu_utilization,
        memory_utilization: host.memory_utilization,
        memory_total_bytes: host.memory_total_bytes,
        filesystem_utilization: host.filesystem_utilization,
        load_1m: host.load_1m,
        network_bytes_per_second: host.network_bytes_per_second,
        disk_bytes_per_second: host.disk_bytes_per_second,
        cpu_series: points(host.cpu_series),
        memory_series: points(host.memory_series),
        services: host.services.iter().map(service).collect(),
    }
}

pub(crate) fn trace_id(id: TraceId) -> Option<String> {
    (!id.is_none()).then(|| id.to_string())
}

pub(crate) fn span_id(id: SpanId) -> Option<String> {
    (!id.is_none()).then(|| id.to_string())
}

/// Attributes as the API promises them: integers past 2^53 as `{"intValue":"…"}`.
pub(crate) fn attributes(mut map: AttributeMap) -> api::Attributes {
    map.values_mut().for_each(|value| *value = exact(value.take()));
    map
}

pub(crate) fn exact(value: Value) -> Value {
    match value {
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) if int.unsigned_abs() > EXACT => json!({ "intValue": int.to_string() }),
            (None, Some(int)) => json!({ "intValue": int.to_string() }),
            _ => Value::Number(number),
        },
        Value::Array(values) => values.into_iter().map(exact).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, exact(value))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_over_the_time_for_which_data_can_exist() {
        let red = answer::Red { count: 120.0, ..Default::default() };
        let rate = |oldest, from, to| {
            Rates::new(oldest, 1000 * SECOND).red(&red, TimeRange { from: from * SECOND, to: to * SECOND }).rate
        };
        assert_eq!(rate(Some(0), 0, 1000), 0.12, "all of it");
        assert_eq!(rate(Some(940 * SECOND), 0, 1000), 2.0, "the server has data for a minute only");
        assert_eq!(rate(Some(0), 940, 5000), 2.0, "the future has no data");
        assert_eq!(rate(None, 0, 1000), 120.0, "never less than a second");
    }

    #[test]
    fn integers_stay_exact() {
        let big = 9_007_199_254_740_993_i64;
        assert_eq!(
            exact(json!([1, big, { "a": -big, "b": 1.5 }])),
            json!([1, { "intValue": big.to_string() }, { "a": { "intValue": (-big).to_string() }, "b": 1.5 }])
        );
    }
}
