//! Why a request got no answer, and the one place where that becomes a response.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use orrery_api::{Place, Problem};
use orrery_meta::MetaError;
use orrery_query::QueryError;

/// Why a request got no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A parameter is wrong: which one, and what would be right.
    Invalid { field: String, detail: String },
    /// A query is wrong: where, and what to write instead.
    Query { field: String, detail: String, place: Place, hint: String },
    /// No such thing.
    NotFound(String),
    /// A statement is wrong, and where, as far as that is known.
    Statement { detail: String, place: Option<Place> },
    /// The query is right, but needs more than one may have.
    TooMuch(String),
    /// The path exists, with other methods.
    Method,
    /// What was sent is not JSON.
    Media,
    /// More was sent than this many bytes.
    TooLarge(usize),
    /// It cannot be as things are now: a name is taken.
    Conflict(String),
    /// Not from here: a foreign `Host` or `Origin`.
    Forbidden(String),
    /// Too much at once; retrying makes sense.
    Busy(String),
    /// Ran past its deadline; a narrower question may be answered.
    Deadline,
    /// A bug or a sick disk. The client gets a request id, the log the chain of causes.
    Internal(anyhow::Error),
}

impl Failure {
    /// A wrong parameter.
    pub(crate) fn invalid(field: &str, detail: impl Into<String>) -> Failure {
        Failure::Invalid { field: field.to_owned(), detail: detail.into() }
    }

    /// The problem document, logged here if it is ours to worry about.
    pub(crate) fn problem(self, request_id: &str) -> Problem {
        let (status, kind, title) = self.class();
        let (mut at, mut instead) = (None, None);
        let (field, detail) = match self {
            Failure::Invalid { field, detail } => (Some(field), detail),
            Failure::Query { field, detail, place, hint } => {
                (at, instead) = (Some(place), (!hint.is_empty()).then_some(hint));
                (Some(field), detail)
            }
            Failure::Statement { detail, place } => {
                at = place;
                (Some("statement".to_owned()), detail)
            }
            Failure::NotFound(detail)
            | Failure::Forbidden(detail)
            | Failure::Busy(detail)
            | Failure::TooMuch(detail)
            | Failure::Conflict(detail) => (None, detail),
            Failure::Method => (None, "This path answers other methods: `Allow` names them.".to_owned()),
            Failure::Media => (None, "Send JSON, with `Content-Type: application/json`.".to_owned()),
            Failure::TooLarge(most) => (None, format!("At most {most} bytes may be sent.")),
            Failure::Deadline => {
                (None, "Ask for a shorter time range or add filters, or raise --query-timeout.".to_owned())
            }
            Failure::Internal(error) => {
                tracing::error!(request_id, error = format!("{error:#}"), "request failed");
                (None, "The server's log says more under this request id.".to_owned())
            }
        };
        Problem {
            kind: format!("orrery:{kind}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail,
            field,
            place: at,
            hint: instead,
            request_id: request_id.to_owned(),
        }
    }

    fn class(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Failure::Invalid { .. } => (StatusCode::BAD_REQUEST, "invalid-parameter", "A parameter is not valid"),
            Failure::Query { .. } | Failure::Statement { .. } => {
                (StatusCode::BAD_REQUEST, "invalid-query", "The query is not valid")
            }
            Failure::TooMuch(_) => (StatusCode::UNPROCESSABLE_ENTITY, "too-much", "The query needs too much"),
            Failure::NotFound(_) => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Failure::Method => (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed"),
            Failure::Media => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "Not JSON"),
            Failure::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too much was sent"),
            Failure::Conflict(_) => (StatusCode::CONFLICT, "conflict", "Not as things are now"),
            Failure::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden", "Not allowed from here"),
            Failure::Busy(_) => (StatusCode::SERVICE_UNAVAILABLE, "busy", "Too busy to answer now"),
            Failure::Deadline => (StatusCode::GATEWAY_TIMEOUT, "deadline", "The query took too long"),
            Failure::Internal(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on the server")
            }
        }
    }

    /// The response.
    pub(crate) fn respond(self, request_id: &str) -> Response {
        let busy = matches!(self, Failure::Busy(_));
        let problem = self.problem(request_id);
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        if busy {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<MetaError> for Failure {
    fn from(error: MetaError) -> Failure {
        match error {
            MetaError::NameTaken { kind, name } => Failure::Conflict(format!("Another {kind} is called `{name}`.")),
            full @ MetaError::TooMany { .. } => Failure::Conflict(format!("{full}.")),
            MetaError::DiskFull => Failure::Busy("The disk is full; nothing was saved.".to_owned()),
            failed @ MetaError::Failed(_) => Failure::Internal(failed.into()),
        }
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Failure {
        match error {
            QueryError::Range(range) => Failure::invalid(
                "from",
                format!("the range {range} is wider than the store allows; ask for a shorter one"),
            ),
            QueryError::Invalid { field, reason } => Failure::invalid(field, reason),
            QueryError::Query(problem) => Failure::invalid("q", problem.to_string()),
            QueryError::Deadline => Failure::Deadline,
            // Nobody reads the answer to a request whose client has gone.
            QueryError::Cancelled => Failure::Busy("The request was cancelled.".to_owned()),
            QueryError::Busy => Failure::Busy("Too many queries at once; try again in a second.".to_owned()),
            engine @ QueryError::Engine { .. } => Failure::Internal(engine.into()),
        }
    }
}
