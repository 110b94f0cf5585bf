//! The control API: what is injected, what will be, and the graph.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::board::{AlreadyActive, Board, FaultReport, now};
use crate::fault::{Fault, FaultKind, Origin};
use crate::graph::{Edge, Wiring};
use crate::member::Member;

const DEFAULT_SECONDS: u64 = 45;
const MAX_SECONDS: u64 = 3600;

/// What the API is about.
#[derive(Clone)]
pub(crate) struct Control {
    pub(crate) board: Arc<Board>,
    pub(crate) wiring: Wiring,
}

/// What a service in its own process tells the control; the answer is the active faults.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sync {
    pub(crate) edges: Vec<Edge>,
}

/// The routes of the control API.
pub(crate) fn routes(control: Control) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/faults", get(report).post(inject).delete(heal_all))
        .route("/faults/{id}", delete(heal))
        .route("/graph", get(graph))
        .route("/sync", post(sync))
        .route("/healthz", get(async || "ok"))
        .with_state(control)
}

async fn index() -> Json<Value> {
    let kinds: Vec<_> = FaultKind::ALL
        .iter()
        .map(|kind| json!({ "kind": kind, "targets": kind.targets(), "default_target": kind.usual_targets()[0] }))
        .collect();
    Json(json!({
        "GET /faults": "what is injected now, what was, what is planned",
        "POST /faults": { "kind": "required", "target": "optional", "duration_seconds": format!("optional, 1 to {MAX_SECONDS}, default {DEFAULT_SECONDS}") },
        "DELETE /faults": "heals everything",
        "DELETE /faults/{id}": "heals one",
        "GET /graph": "who calls whom",
        "kinds": kinds,
    }))
}

async fn report(State(control): State<Control>) -> Json<FaultReport> {
    Json(control.board.report(now()))
}

async fn graph(State(control): State<Control>) -> Json<Value> {
    Json(json!({ "edges": control.wiring.edges() }))
}

async fn sync(State(control): State<Control>, Json(told): Json<Sync>) -> Json<Vec<Fault>> {
    control.wiring.add(told.edges);
    Json(control.board.report(now()).active)
}

async fn inject(State(control): State<Control>, body: String) -> Result<(StatusCode, Json<Fault>), Problem> {
    let order = Order::parse(&body)?;
    let fault = control.board.inject(order.kind, order.target, now(), order.lasting, Origin::Request)?;
    Ok((StatusCode::CREATED, Json(fault)))
}

async fn heal(State(control): State<Control>, Path(id): Path<String>) -> Result<Json<Fault>, Problem> {
    let healed = control.board.heal(now(), |fault| fault.id == id).pop();
    healed.map(Json).ok_or_else(|| Problem {
        status: StatusCode::NOT_FOUND,
        field: "id",
        detail: format!("no active fault has the id {id:?}"),
        fix: "take an id from \"active\" in GET /faults".into(),
    })
}

async fn heal_all(State(control): State<Control>) -> Json<Value> {
    Json(json!({ "healed": control.board.heal(now(), |_| true) }))
}

/// A checked `POST /faults`.
#[derive(Debug, PartialEq)]
struct Order {
    kind: FaultKind,
    target: Member,
    lasting: Duration,
}

impl Order {
    fn parse(body: &str) -> Result<Self, Problem> {
        let fields = match serde_json::from_str(body) {
            Ok(Value::Object(fields)) => fields,
            Ok(_) => {
                return Err(Problem::bad("body", "is not a JSON object", r#"send an object like {"kind": "latency"}"#));
            }
            Err(error) => {
                return Err(Problem::bad(
                    "body",
                    format!("is not JSON ({error})"),
                    r#"send an object like {"kind": "latency"}"#,
                ));
            }
        };
        if let Some(unknown) = fields.keys().find(|key| !["kind", "target", "duration_seconds"].contains(&key.as_str()))
        {
            return Err(Problem::bad(
                "body",
                format!("has an unknown field {unknown:?}"),
                "send only kind, target and duration_seconds",
            ));
        }
        let kind = kind(fields.get("kind"))?;
        Ok(Self {
            kind,
            target: target(kind, fields.get("target"))?,
            lasting: lasting(fields.get("duration_seconds"))?,
        })
    }
}

fn kind(value: Option<&Value>) -> Result<FaultKind, Problem> {
    let fix = || format!("give one of {}", list(FaultKind::ALL.iter().map(|kind| kind.name())));
    match value {
        None => Err(Problem::bad("kind", "is missing", fix())),
        Some(value) => value
            .as_str()
            .and_then(FaultKind::named)
            .ok_or_else(|| Problem::bad("kind", format!("{value} is no kind of fault"), fix())),
    }
}

fn target(kind: FaultKind, value: Option<&Value>) -> Result<Member, Problem> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(kind.usual_targets()[0]) };
    let member = value.as_str().and_then(Member::named).filter(|member| kind.targets().contains(member));
    member.ok_or_else(|| {
        let fix = format!("give one of {}, or leave it out", list(kind.targets().iter().map(|member| member.name())));
        Problem::bad("target", format!("{value} cannot have the fault {}", kind.name()), fix)
    })
}

fn lasting(value: Option<&Value>) -> Result<Duration, Problem> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(Duration::from_secs(DEFAULT_SECONDS)) };
    let seconds = value.as_u64().filter(|seconds| (1..=MAX_SECONDS).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| {
        Problem::bad(
            "duration_seconds",
            format!("{value} is not a duration"),
            format!("give a whole number of seconds from 1 to {MAX_SECONDS}, or leave it out"),
        )
    })
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// An RFC 9457 problem that names the field and the fix.
#[derive(Debug)]
struct Problem {
    status: StatusCode,
    field: &'static str,
    detail: String,
    fix: String,
}

impl Problem {
    fn bad(field: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, field, detail: detail.into(), fix: fix.into() }
    }
}

impl From<AlreadyActive> for Problem {
    fn from(error: AlreadyActive) -> Self {
        Self {
            status: StatusCode::CONFLICT,
            field: "kind",
            detail: error.to_string(),
            fix: format!("DELETE /faults/{} first, or choose another target", error.0.id),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason(),
            "status": self.status.as_u16(),
            "detail": format!("{}: {}; {}", self.field, self.detail, self.fix),
            "field": self.field,
            "fix": self.fix,
        });
        (self.status, [(header::CONTENT_TYPE, "application/problem+json")], Json(body)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_refused(body: &str, field: &str) {
        let problem = Order::parse(body).unwrap_err();
        assert_eq!((problem.status, problem.field), (StatusCode::BAD_REQUEST, field), "{body}: {problem:?}");
        assert!(!problem.fix.is_empty());
    }

    #[test]
    fn defaults_are_filled_in() {
        let order = Order::parse(r#"{"kind": "errors"}"#).unwrap();
        assert_eq!(
            order,
            Order { kind: FaultKind::Errors, target: Member::Payments, lasting: Duration::from_secs(45) }
        );
        let order = Order::parse(r#"{"kind": "errors", "target": "cart", "duration_seconds": 5}"#).unwrap();
        assert_eq!((order.target, order.lasting), (Member::Cart, Duration::from_secs(5)));
    }

    #[test]
    fn bad_orders_name_the_field() {
        check_refused("", "body");
        check_refused("[]", "body");
        check_refused(r#"{"kind": "errors", "durationSeconds": 5}"#, "body");
        check_refused("{}", "kind");
        check_refused(r#"{"kind": "earthquake"}"#, "kind");
        check_refused(r#"{"kind": "errors", "target": "nobody"}"#, "target");
        check_refused(r#"{"kind": "expired-tokens", "target": "cart"}"#, "target");
        check_refused(r#"{"kind": "errors", "duration_seconds": 0}"#, "duration_seconds");
        check_refused(r#"{"kind": "errors", "duration_seconds": "5"}"#, "duration_seconds");
        check_refused(r#"{"kind": "errors", "duration_seconds": 1e9}"#, "duration_seconds");
    }
}
