//! Metrics of spans: what TraceQL's `rate()`, `histogram_over_time()`, `compare()` … give.

use crate::time::{Nanos, Range};
use crate::traces::{FieldValue, Scanned};
use serde::{Deserialize, Serialize};

/// One series.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TraceSeries {
    /// What sets it apart: the fields of `by ( )`, in that order; then, of `quantile_over_time()`, `quantile` (0 to 1), and of
    /// `histogram_over_time()`, `bucket`: where it ends, in the unit of values (seconds for durations). A bucket begins at
    /// half of its end. No two series have the same.
    pub labels: Vec<FieldValue>,
    /// One per step. `null` where there is nothing to say, as in the mean of nothing. Durations are in seconds.
    pub values: Vec<Option<f64>>,
    /// Spans behind the values if the query asks for them by `with (exemplars = true)`; at most one per step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exemplars: Vec<Exemplar>,
}

/// A span behind a value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Exemplar {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// When the span began.
    pub time_unix_nano: Nanos,
    /// Its value; 1 where spans are counted.
    pub value: f64,
}

/// Numbers of spans on the two sides of `compare()`; fractions where sampling is made up for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sides {
    /// Spans that meet the filter of `compare()`.
    pub selection: f64,
    /// All others.
    pub baseline: f64,
}

/// One value on both sides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ComparedValue {
    /// Written as in [`FieldValue`].
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub value: serde_json::Value,
    /// Spans that have it.
    pub spans: Sides,
}

/// One field on both sides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ComparedField {
    /// In TraceQL, attributes by their current name: `span.http.route`, `span:name`.
    pub field: String,
    /// By how much the share of its most telling value, or of being there at all, differs between the sides, less what
    /// chance explains: 0 to 1.
    pub difference: f64,
    /// Spans that have the field.
    pub spans: Sides,
    /// The most frequent values of either side, most of both together first.
    pub values: Vec<ComparedValue>,
    /// Spans with values not listed.
    pub others: Sides,
}

/// How fields differ between spans that were selected and the others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Comparison {
    /// Spans in all.
    pub spans: Sides,
    /// Greatest difference first.
    pub fields: Vec<ComparedField>,
}

/// `GET /traces/series`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TraceSeriesList {
    /// What was asked for.
    pub range: Range,
    /// What was asked for, in one spelling.
    pub query: String,
    /// Length of a step, the first beginning at `range.from`; the last one may be shorter.
    pub step_nanos: Nanos,
    /// Unit of the values: `s` for durations, `1/s` for rates, `{span}` for numbers of spans; empty where it is that of an
    /// attribute, or a ratio.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// By labels.
    pub series: Vec<TraceSeries>,
    /// The answer to `compare()`, which has no series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// What it cost.
    pub scanned: Scanned,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
}
