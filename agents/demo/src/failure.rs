//! Why a request got no good answer.

use std::error::Error;
use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

/// A request that failed. Becomes an RFC 9457 problem document for the caller and tells the server
/// span what to record.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    /// Low in cardinality: `error.type` of the span, `exception.type` of the log record and `code` of the
    /// problem document, so that callers can act on it.
    pub(crate) code: String,
    pub(crate) detail: String,
    /// What went wrong here. None where the failure only passes through: its origin recorded it.
    pub(crate) cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl Failure {
    /// An answer nobody likes, but nothing broke here: the caller's mistake, or somebody else's failure.
    pub(crate) fn answer(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self { status, code: code.into(), detail: detail.into(), cause: None }
    }

    /// Something broke here.
    pub(crate) fn broke(code: &str, detail: impl Into<String>, cause: impl Error + Send + Sync + 'static) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            code: code.into(),
            detail: detail.into(),
            cause: Some(Arc::new(cause)),
        }
    }

    pub(crate) fn problem(&self) -> Value {
        json!({
            "type": "about:blank",
            "title": self.status.canonical_reason(),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        })
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.detail)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_ref().map(|cause| &**cause as &(dyn Error + 'static))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response =
            (self.status, [(http::header::CONTENT_TYPE, "application/problem+json")], Json(self.problem()))
                .into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A fault that was injected on purpose, as the exception it pretends to be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Injected {
    #[error("deadlock detected while acquiring row lock")]
    Deadlock,
    #[error("index out of bounds: the len is 3 but the index is 3")]
    OutOfBounds,
}
