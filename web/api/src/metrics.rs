//! Metrics and hosts.

use crate::time::{Nanos, Range};
use crate::topology::ServiceRef;
use crate::traces::Attributes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A metric that exists.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MetricName {
    /// Metric name.
    pub name: String,
    /// Description by its sender.
    pub description: String,
    /// UCUM unit.
    pub unit: String,
    /// `gauge`, `sum`, `histogram`, `exponential_histogram`, `summary`.
    pub kind: String,
    /// Whether a sum only grows.
    pub is_monotonic: bool,
    /// Services that report it.
    pub services: Vec<String>,
    /// Attribute names seen on its points.
    pub attribute_keys: Vec<String>,
}

/// `GET /metrics/names`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MetricNameList {
    /// What was asked for.
    pub range: Range,
    /// By name.
    pub metrics: Vec<MetricName>,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
}

/// One value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MetricPoint {
    /// Start of the step.
    pub time_unix_nano: Nanos,
    /// Value in the series' unit.
    pub value: f64,
}

/// One series.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MetricSeries {
    /// Values of the `group_by` attributes.
    pub group: BTreeMap<String, String>,
    /// By time; steps without data are missing.
    pub points: Vec<MetricPoint>,
}

/// `GET /metrics/range`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MetricSeriesList {
    /// What was asked for.
    pub range: Range,
    /// Metric name.
    pub name: String,
    /// Unit of the values (`…/s` for rates).
    pub unit: String,
    /// Step used; may be wider than asked for.
    pub step_nanos: Nanos,
    /// Largest first.
    pub series: Vec<MetricSeries>,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
}

/// A host as its agent reports it. Utilizations are 0 to 1; absent when not reported.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Host {
    /// `host.name`.
    pub name: String,
    /// Resource attributes of its agent.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub resource: Attributes,
    /// Last report.
    pub last_seen_unix_nano: Nanos,
    /// Busy share of all processors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_utilization: Option<f64>,
    /// Used share of memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_utilization: Option<f64>,
    /// Bytes of memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_total_bytes: Option<f64>,
    /// Used share of the fullest file system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filesystem_utilization: Option<f64>,
    /// 1-minute load average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_1m: Option<f64>,
    /// Received plus sent bytes per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_bytes_per_second: Option<f64>,
    /// Read plus written bytes per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_bytes_per_second: Option<f64>,
    /// Processor use over time.
    pub cpu_series: Vec<MetricPoint>,
    /// Memory use over time.
    pub memory_series: Vec<MetricPoint>,
    /// Services with spans from this host.
    pub services: Vec<ServiceRef>,
}

/// `GET /hosts`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HostList {
    /// What was asked for.
    pub range: Range,
    /// By name.
    pub hosts: Vec<Host>,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
}
