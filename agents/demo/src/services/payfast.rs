//! Somebody else's payment provider: no telemetry of ours, and its own idea of speed.

use std::time::Duration;

use axum::routing::{get, post};
use axum::{Json, Router};
use rand::RngExt as _;
use serde_json::{Value, json};

const DECLINED: f64 = 0.03;

/// The provider's API.
pub(crate) fn payfast() -> Router {
    Router::new().route("/v1/charges", post(charge)).route("/healthz", get(async || "ok"))
}

async fn charge(Json(body): Json<Value>) -> Json<Value> {
    // A bank is asked here.
    let millis = rand::rng().random_range(15..60);
    tokio::time::sleep(Duration::from_millis(millis)).await;
    let status = if rand::rng().random_bool(DECLINED) { "declined" } else { "captured" };
    Json(
        json!({ "id": format!("ch_{:016x}", rand::random::<u64>()), "reference": body["reference"], "status": status }),
    )
}
