//! What retention keeps and would remove.

use crate::time::Nanos;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `GET /retention`: what would be removed now. It is removed within a minute, or while small segments are merged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RetentionPlan {
    /// `traces`, `logs`, `metrics`.
    pub signals: BTreeMap<String, SignalRetention>,
    /// Per rule. Rows that two rules speak of count for both.
    pub rules: Vec<RuleRetention>,
}

/// What is kept of a signal, and what goes. No row counts twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignalRetention {
    /// Kept this long; absent: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_nanos: Option<Nanos>,
    /// Sealed bytes kept at most; absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// All that is sealed.
    pub stored: StoredAmount,
    /// Goes because it is too old.
    pub age: StoredAmount,
    /// Goes because there is too much.
    pub size: StoredAmount,
    /// Goes because a rule says so.
    pub rules: StoredAmount,
}

/// What goes because of one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RuleRetention {
    /// The rule, such as `traces after 3d where service = 'cart' and not error`.
    pub rule: String,
    /// How much.
    pub amount: StoredAmount,
}

/// So much of the stored data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StoredAmount {
    /// Segments, whole or in part.
    pub segments: u64,
    /// Spans, log records or data points.
    pub rows: u64,
    /// Bytes on disk; estimated where only a part of a segment goes.
    pub bytes: u64,
}
