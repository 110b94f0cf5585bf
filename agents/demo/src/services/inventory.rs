//! Stock: reserved when an order is being placed, taken when the order's event arrives.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::FutureExt as _;
use http::StatusCode;
use serde_json::{Value, json};

use super::catalog::PRODUCTS;
use super::{Backends, Service, positive, text};
use crate::bus::{Follower, Subscription};
use crate::database::{Session, Statement};
use crate::failure::Failure;
use crate::instance::Instance;
use crate::member::Member;
use crate::work::Work;

const INITIAL: i64 = 400;
const REORDER_BELOW: i64 = 50;

const STOCK: Statement =
    Statement { operation: "SELECT", table: "stock", text: "SELECT on_hand - reserved FROM stock WHERE sku = $1" };
const RESERVE: Statement = Statement {
    operation: "UPDATE",
    table: "stock",
    text: "UPDATE stock SET reserved = reserved + $1 WHERE on_hand - reserved >= $1 AND sku = $2 RETURNING sku",
};
const RELEASE: Statement = Statement {
    operation: "UPDATE",
    table: "stock",
    text: "UPDATE stock SET reserved = CASE WHEN reserved > $1 THEN reserved - $1 ELSE 0 END WHERE sku = $2",
};
const TAKE: Statement = Statement {
    operation: "UPDATE",
    table: "stock",
    text: "UPDATE stock SET on_hand = on_hand - $1, reserved = CASE WHEN reserved > $1 THEN reserved - $1 ELSE 0 END WHERE sku = $2 RETURNING on_hand",
};
const REORDER: Statement =
    Statement { operation: "UPDATE", table: "stock", text: "UPDATE stock SET on_hand = on_hand + $1 WHERE sku = $2" };

#[derive(Clone)]
struct Inventory {
    database: Arc<Session>,
}

pub(super) async fn make(instance: &Arc<Instance>, backends: &Backends) -> anyhow::Result<Service> {
    let database = backends.database(Member::Inventory, &schema()).await?;
    let inventory = Inventory { database: Arc::new(Session::new(instance, database)) };
    let orders = Subscription::new(instance, backends.broker().await?).await?;
    let routes = Router::new()
        .route("/stock/{sku}", get(stock))
        .route("/reservations", post(reserve))
        .route("/reservations/release", post(release));
    let routes = routes.with_state(inventory.clone());
    Ok(Service { routes, followers: vec![orders.run(inventory).boxed()] })
}

fn schema() -> String {
    let rows: Vec<String> = (0..PRODUCTS.len()).map(|index| format!("('sku-{index}', {INITIAL}, 0)")).collect();
    format!(
        "CREATE TABLE IF NOT EXISTS stock (sku TEXT PRIMARY KEY, on_hand BIGINT NOT NULL, reserved BIGINT NOT NULL); \
         INSERT INTO stock VALUES {} ON CONFLICT (sku) DO NOTHING;",
        rows.join(", ")
    )
}

async fn stock(
    State(inventory): State<Inventory>,
    work: Work,
    Path(sku): Path<String>,
) -> Result<Json<Value>, Failure> {
    let rows = inventory.database.run(&work, &STOCK, &[sku.as_str().into()]).await?;
    let row = rows
        .first()
        .ok_or_else(|| Failure::answer(StatusCode::NOT_FOUND, "no_such_product", format!("{sku} is not stocked")))?;
    Ok(Json(json!({ "sku": sku, "available": row.int(0) })))
}

async fn reserve(
    State(inventory): State<Inventory>,
    work: Work,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Failure> {
    for line in body["lines"].as_array().into_iter().flatten() {
        let (sku, quantity) = (text(line, "sku")?, positive(line, "quantity")?);
        let reserved = inventory.database.run(&work, &RESERVE, &[quantity.into(), sku.as_str().into()]).await?;
        if reserved.is_empty() {
            return Err(Failure::answer(
                StatusCode::CONFLICT,
                "out_of_stock",
                format!("{quantity} of {sku} are not available"),
            ));
        }
    }
    Ok(Json(json!({ "reserved": true })))
}

async fn release(
    State(inventory): State<Inventory>,
    work: Work,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Failure> {
    for line in body["lines"].as_array().into_iter().flatten() {
        let (sku, quantity) = (text(line, "sku")?, positive(line, "quantity")?);
        inventory.database.run(&work, &RELEASE, &[quantity.into(), sku.as_str().into()]).await?;
    }
    Ok(Json(json!({ "reserved": false })))
}

impl Follower for Inventory {
    async fn handle(&self, work: &Work, event: &Value) -> Result<(), Failure> {
        for line in event["lines"].as_array().into_iter().flatten() {
            let (sku, quantity) = (text(line, "sku")?, positive(line, "quantity")?);
            let rows = self.database.run(work, &TAKE, &[quantity.into(), sku.as_str().into()]).await?;
            let left = rows.first().map_or(0, |row| row.int(0));
            if left < REORDER_BELOW {
                self.database.run(work, &REORDER, &[INITIAL.into(), sku.as_str().into()]).await?;
                work.warn(
                    format!("{sku} was down to {left}; {INITIAL} reordered"),
                    [("shop.sku", sku.into()), ("shop.stock.left", left.into())],
                );
            }
        }
        Ok(())
    }
}
