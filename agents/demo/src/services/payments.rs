//! Charges cards at the payment provider and keeps the receipts.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use http::StatusCode;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;
use serde_json::{Value, json};

use super::{Backends, PATIENCE, positive, text, unix_seconds};
use crate::database::{Session, Statement};
use crate::failure::Failure;
use crate::instance::Instance;
use crate::member::Member;
use crate::peer::{Ask, Peer};
use crate::work::Work;

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS receipts \
    (id TEXT PRIMARY KEY, order_id TEXT NOT NULL, amount_cents BIGINT NOT NULL, status TEXT NOT NULL, charged_at BIGINT NOT NULL)";
const FORGET: Statement =
    Statement { operation: "DELETE", table: "receipts", text: "DELETE FROM receipts WHERE charged_at < $1" };
const INSERT: Statement = Statement {
    operation: "INSERT",
    table: "receipts",
    text: "INSERT INTO receipts (id, order_id, amount_cents, status, charged_at) VALUES ($1, $2, $3, $4, $5)",
};
const KEEP_SECONDS: i64 = 3600;

struct Payments {
    database: Session,
    provider: Peer,
    charges: Counter<u64>,
}

pub(super) async fn make(instance: &Arc<Instance>, backends: &Backends) -> anyhow::Result<Router> {
    let payments = Payments {
        database: Session::new(instance, backends.database(Member::Payments, SCHEMA).await?),
        provider: Peer::new(instance, Member::Payfast, PATIENCE)?,
        charges: instance
            .telemetry
            .meter
            .u64_counter("shop.charges")
            .with_unit("{charge}")
            .with_description("Charges by outcome.")
            .build(),
    };
    Ok(Router::new().route("/charges", post(charge)).with_state(Arc::new(payments)))
}

async fn charge(
    State(payments): State<Arc<Payments>>,
    work: Work,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Failure> {
    let (order, amount) = (text(&body, "order")?, positive(&body, "amount_cents")?);
    let ask =
        Ask::post("/v1/charges", "/v1/charges", json!({ "reference": order, "amount": amount, "currency": "EUR" }));
    let answer = payments.provider.call(&work, ask).await?;
    let (id, status) = (text(&answer, "id")?, text(&answer, "status")?);
    let receipt =
        [id.as_str().into(), order.as_str().into(), amount.into(), status.as_str().into(), unix_seconds().into()];
    payments.database.run(&work, &INSERT, &receipt).await?;
    payments.charges.add(1, &[KeyValue::new("shop.charge.status", status.clone())]);
    if id.ends_with("00") {
        payments.database.run(&work, &FORGET, &[(unix_seconds() - KEEP_SECONDS).into()]).await?;
    }
    if status != "captured" {
        return Err(Failure::answer(
            StatusCode::PAYMENT_REQUIRED,
            "card_declined",
            format!("the card for order {order} was declined"),
        ));
    }
    work.info(
        format!("captured {:.2} EUR for order {order}", amount as f64 / 100.0),
        [("shop.order.id", order.into())],
    );
    Ok(Json(json!({ "id": id, "status": status })))
}
