//! One collection for people and scripts: `orrery-agent --once`.

use std::fmt::Write;

use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value as Any};
use opentelemetry_proto::tonic::metrics::v1::{
    Metric, NumberDataPoint, ResourceMetrics, metric::Data, number_data_point::Value,
};
use serde_json::{Map, json};

use crate::otlp::data_points;

/// Everything collected at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot(pub(crate) Vec<ResourceMetrics>);

impl Snapshot {
    /// Lines to read: each metric with its unit, below it each point with its attributes.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for resource in &self.0 {
            let line = attribute_list(resource_attributes(resource), " ");
            writeln!(text, "# {line}").expect("writing to a String does not fail");
            for metric in metrics(resource) {
                write_metric(&mut text, metric);
            }
        }
        text
    }

    /// A JSON array with an object per resource: `attributes`, and `metrics` with `name`, `kind` (`counter`,
    /// `updowncounter`, `gauge`), `unit`, and `points` with `attributes` and `value`.
    pub fn to_json(&self) -> serde_json::Value {
        let resources = self.0.iter().map(|resource| {
            json!({
                "attributes": attribute_object(resource_attributes(resource)),
                "metrics": metrics(resource).map(metric_object).collect::<Vec<_>>(),
            })
        });
        resources.collect()
    }
}

fn resource_attributes(resource: &ResourceMetrics) -> &[KeyValue] {
    resource.resource.as_ref().map_or(&[], |resource| &resource.attributes)
}

fn metrics(resource: &ResourceMetrics) -> impl Iterator<Item = &Metric> {
    resource.scope_metrics.iter().flat_map(|scope| &scope.metrics)
}

fn kind(metric: &Metric) -> &'static str {
    match &metric.data {
        Some(Data::Sum(sum)) if sum.is_monotonic => "counter",
        Some(Data::Sum(_)) => "updowncounter",
        _ => "gauge",
    }
}

fn write_metric(text: &mut String, metric: &Metric) {
    writeln!(text, "{} [{}] {}", metric.name, metric.unit, kind(metric)).expect("writing to a String does not fail");
    for point in data_points(metric) {
        let value = number(point).to_string();
        let attributes = attribute_list(&point.attributes, ", ");
        writeln!(text, "  {value:>20}  {attributes}").expect("writing to a String does not fail");
    }
}

fn metric_object(metric: &Metric) -> serde_json::Value {
    let points = data_points(metric)
        .iter()
        .map(|point| json!({ "attributes": attribute_object(&point.attributes), "value": number(point) }));
    json!({
        "name": metric.name,
        "kind": kind(metric),
        "unit": metric.unit,
        "points": points.collect::<Vec<_>>(),
    })
}

fn number(point: &NumberDataPoint) -> serde_json::Value {
    match point.value {
        Some(Value::AsInt(value)) => json!(value),
        Some(Value::AsDouble(value)) => json!(value),
        None => serde_json::Value::Null,
    }
}

fn attribute_list(attributes: &[KeyValue], separator: &str) -> String {
    let pairs = attributes.iter().map(|attribute| match attribute_value(attribute) {
        serde_json::Value::String(value) => format!("{}={value}", attribute.key),
        value => format!("{}={value}", attribute.key),
    });
    pairs.collect::<Vec<_>>().join(separator)
}

fn attribute_object(attributes: &[KeyValue]) -> Map<String, serde_json::Value> {
    attributes.iter().map(|attribute| (attribute.key.clone(), attribute_value(attribute))).collect()
}

fn attribute_value(attribute: &KeyValue) -> serde_json::Value {
    match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(value)) => json!(value),
        Some(Any::IntValue(value)) => json!(value),
        _ => serde_json::Value::Null,
    }
}
