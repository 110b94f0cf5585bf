//! What a file changes.

use crate::time::Nanos;
use serde::{Deserialize, Serialize};

/// Answer to `PUT /alerting`: what became, or with `dry_run` would become, of every document that was named, and of those
/// that came from a file before and are no longer in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AlertingChanges {
    /// Whether nothing was kept.
    pub dry_run: bool,
    /// By kind, in the order of the file; what goes is last.
    pub changes: Vec<DocumentChange>,
}

/// What became of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DocumentChange {
    /// As files call it: `rule`, `slo`, `channel`, `route`, `inhibition`, `silence`.
    pub kind: String,
    /// Its name, or the id of a silence.
    pub name: String,
    /// What happened.
    pub what: DocumentChangeKind,
}

/// What becomes of a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DocumentChangeKind {
    /// It is new.
    Made,
    /// It says something else now.
    Changed,
    /// It says what it said.
    #[default]
    Same,
    /// It is gone.
    Removed,
}

impl DocumentChangeKind {
    /// Spelling in the API.
    pub fn name(self) -> &'static str {
        match self {
            DocumentChangeKind::Made => "made",
            DocumentChangeKind::Changed => "changed",
            DocumentChangeKind::Same => "same",
            DocumentChangeKind::Removed => "removed",
        }
    }
}

/// Answer to `POST /alerting/heartbeats/{name}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeartbeatReceived {
    /// Which.
    pub name: String,
    /// When.
    pub received_unix_nano: Nanos,
}
