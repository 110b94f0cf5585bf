//! Places orders: cart, stock, payment, then the event that others follow.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use opentelemetry::metrics::{Counter, Histogram};
use serde_json::{Value, json};

use super::{Backends, PATIENCE, text, unix_seconds};
use crate::bus::Publisher;
use crate::database::{Session, Statement};
use crate::failure::Failure;
use crate::instance::Instance;
use crate::member::Member;
use crate::peer::{Ask, Peer};
use crate::work::Work;

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS orders \
    (id TEXT PRIMARY KEY, customer TEXT NOT NULL, status TEXT NOT NULL, total_cents BIGINT NOT NULL, placed_at BIGINT NOT NULL)";
const INSERT: Statement = Statement {
    operation: "INSERT",
    table: "orders",
    text: "INSERT INTO orders (id, customer, status, total_cents, placed_at) VALUES ($1, $2, $3, $4, $5)",
};
const FIND: Statement = Statement {
    operation: "SELECT",
    table: "orders",
    text: "SELECT id, customer, status, total_cents FROM orders WHERE id = $1",
};
const FORGET: Statement =
    Statement { operation: "DELETE", table: "orders", text: "DELETE FROM orders WHERE placed_at < $1" };
/// Orders are forgotten after an hour; looked after every so many orders.
const KEEP_SECONDS: i64 = 3600;
const FORGET_EVERY: u64 = 200;

struct Orders {
    database: Session,
    cart: Peer,
    inventory: Peer,
    payments: Peer,
    bus: Publisher,
    placed: Counter<u64>,
    value: Histogram<f64>,
    count: AtomicU64,
}

pub(super) async fn make(instance: &Arc<Instance>, backends: &Backends) -> anyhow::Result<Router> {
    let (database, broker) = (backends.database(Member::Orders, SCHEMA).await?, backends.broker().await?);
    let meter = &instance.telemetry.meter;
    let value = meter
        .f64_histogram("shop.order.value")
        .with_unit("{EUR}")
        .with_boundaries(vec![10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0]);
    let orders = Orders {
        database: Session::new(instance, database),
        cart: Peer::new(instance, Member::Cart, PATIENCE)?,
        inventory: Peer::new(instance, Member::Inventory, PATIENCE)?,
        payments: Peer::new(instance, Member::Payments, PATIENCE)?,
        bus: Publisher::new(instance, broker),
        placed: meter
            .u64_counter("shop.orders.placed")
            .with_unit("{order}")
            .with_description("Orders placed and paid.")
            .build(),
        value: value.with_description("Value of placed orders.").build(),
        count: AtomicU64::new(0),
    };
    Ok(Router::new().route("/orders", post(place)).route("/orders/{id}", get(find)).with_state(Arc::new(orders)))
}

async fn place(State(orders): State<Arc<Orders>>, work: Work, Json(body): Json<Value>) -> Result<Json<Value>, Failure> {
    let user = text(&body, "user")?;
    let id = format!("o-{:012x}", rand::random::<u64>() >> 16);
    work.set("shop.order.id", id.clone());
    let cart = orders.cart.call(&work, Ask::get("/carts/{user}", format!("/carts/{user}"))).await?;
    let lines = cart["lines"].as_array().filter(|lines| !lines.is_empty());
    let lines = lines.ok_or_else(|| {
        Failure::answer(StatusCode::CONFLICT, "empty_cart", format!("{user} has nothing in the cart"))
    })?;
    let total = total_cents(lines);
    orders
        .inventory
        .call(&work, Ask::post("/reservations", "/reservations", json!({ "order": id, "lines": lines })))
        .await?;
    orders.charge(&work, &id, lines, total).await?;
    orders
        .database
        .run(
            &work,
            &INSERT,
            &[id.as_str().into(), user.as_str().into(), "paid".into(), total.into(), unix_seconds().into()],
        )
        .await?;
    orders.bus.publish(&work, &id, &json!({ "id": id, "user": user, "lines": lines, "total_cents": total })).await?;
    orders.cart.call(&work, Ask::delete("/carts/{user}", format!("/carts/{user}"))).await?;
    orders.note(&work, &id, &user, total).await?;
    Ok(Json(json!({ "id": id, "status": "paid", "total_cents": total })))
}

async fn find(State(orders): State<Arc<Orders>>, work: Work, Path(id): Path<String>) -> Result<Json<Value>, Failure> {
    let rows = orders.database.run(&work, &FIND, &[id.as_str().into()]).await?;
    let row = rows
        .first()
        .ok_or_else(|| Failure::answer(StatusCode::NOT_FOUND, "no_such_order", format!("there is no order {id}")))?;
    Ok(Json(json!({ "id": row.text(0), "user": row.text(1), "status": row.text(2), "total_cents": row.int(3) })))
}

impl Orders {
    /// Takes the money, or gives the stock back.
    async fn charge(&self, work: &Work, id: &str, lines: &[Value], total: i64) -> Result<(), Failure> {
        let charged = self
            .payments
            .call(work, Ask::post("/charges", "/charges", json!({ "order": id, "amount_cents": total })))
            .await;
        if charged.is_err() {
            let release =
                Ask::post("/reservations/release", "/reservations/release", json!({ "order": id, "lines": lines }));
            self.inventory.call(work, release).await?;
        }
        charged.map(drop)
    }

    /// Counts and logs a placed order, and now and then forgets old ones.
    async fn note(&self, work: &Work, id: &str, user: &str, total: i64) -> Result<(), Failure> {
        let euros = total as f64 / 100.0;
        self.placed.add(1, &[]);
        self.value.record(euros, &[]);
        let attributes = [
            ("shop.order.id", id.to_owned().into()),
            ("user.id", user.to_owned().into()),
            ("shop.order.value", euros.into()),
        ];
        work.info(format!("order {id} placed by {user}: {euros:.2} EUR"), attributes);
        if self.count.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            self.database.run(work, &FORGET, &[(unix_seconds() - KEEP_SECONDS).into()]).await?;
        }
        Ok(())
    }
}

fn total_cents(lines: &[Value]) -> i64 {
    lines.iter().map(|line| line["quantity"].as_i64().unwrap_or(0) * line["price_cents"].as_i64().unwrap_or(0)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_quantity_times_price() {
        assert_eq!(
            total_cents(&[json!({"quantity": 2, "price_cents": 150}), json!({"quantity": 1, "price_cents": 99})]),
            399
        );
    }
}
