//! Errors.

use serde::{Deserialize, Serialize};

/// A part of a text, counted in Unicode code points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Place {
    /// Characters before it.
    pub offset: u32,
    /// Characters of it; 0 where something is missing.
    pub length: u32,
}

/// An RFC 9457 problem document, `application/problem+json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// Stable word for programs, such as `about:blank` or `orrery:invalid-parameter`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Short summary, the same for every occurrence.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What happened this time and what to do about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The parameter at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Where in the value of that parameter, if it is a query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What to write there instead; a clause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Find this in the server's log.
    pub request_id: String,
}
