//! Logs.

use crate::time::{Nanos, Range};
use crate::topology::ServiceRef;
use crate::traces::Attributes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One log record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogRecord {
    /// When it happened.
    pub time_unix_nano: Nanos,
    /// When it was collected.
    pub observed_time_unix_nano: Nanos,
    /// 0 (not said) to 24.
    pub severity_number: u8,
    /// `unspecified`, `trace`, `debug`, `info`, `warn`, `error`, `fatal`.
    pub severity: String,
    /// The source's word.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub severity_text: String,
    /// OTLP event name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub event_name: String,
    /// Any JSON value; text mostly.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub body: serde_json::Value,
    /// Its trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Its span.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    /// Who.
    pub service: ServiceRef,
    /// Log record attributes.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub attributes: Attributes,
    /// Resource attributes.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub resource: Attributes,
    /// Scope name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope_name: String,
}

/// `GET /logs`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogList {
    /// What was asked for.
    pub range: Range,
    /// Newest first.
    pub logs: Vec<LogRecord>,
    /// Pass as `cursor` for the next page; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
}

/// Log records of one step by level.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogBucket {
    /// Start of the step.
    pub time_unix_nano: Nanos,
    /// Level to number of records.
    pub counts: BTreeMap<String, u64>,
}

/// `GET /logs/histogram`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogHistogram {
    /// What was asked for.
    pub range: Range,
    /// Length of a step.
    pub step_nanos: Nanos,
    /// Steps with records, by time.
    pub buckets: Vec<LogBucket>,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
}
