//! What TraceQL can ask of the spans that are stored: completion, and the visual builder.

use crate::time::Range;
use serde::{Deserialize, Serialize};

/// A field that some span has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TraceKey {
    /// In TraceQL, quoted where that is needed: `span.http.route`. Attributes by their current name.
    pub key: String,
    /// `span`, `resource`, `event`, `link`, `instrumentation`.
    pub scope: String,
    /// Without the scope: `http.route`.
    pub name: String,
    /// Types of its values as far as they are known, most frequent first: `text`, `int`, `float`, `bool`.
    pub types: Vec<String>,
    /// About how many spans have it, of a resource or instrumentation scope at most; 0 where that is not known.
    pub span_count: u64,
}

/// `GET /traces/keys`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TraceKeyList {
    /// What was asked for.
    pub range: Range,
    /// Most spans first.
    pub keys: Vec<TraceKey>,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
}

/// A value of a field.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TraceValue {
    /// Written as in [`crate::FieldValue`].
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub value: serde_json::Value,
    /// Spans that have it.
    pub span_count: u64,
}

/// `GET /traces/values`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TraceValueList {
    /// What was asked for.
    pub range: Range,
    /// What was asked for, in one spelling.
    pub key: String,
    /// Most frequent first.
    pub values: Vec<TraceValue>,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
}
