//! Shopping carts, one per shopper, forgotten after a day.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use opentelemetry::metrics::Histogram;
use serde_json::{Value, json};

use super::{Backends, PATIENCE, positive, text};
use crate::failure::Failure;
use crate::instance::Instance;
use crate::keyvalue::Cache;
use crate::member::Member;
use crate::peer::{Ask, Peer};
use crate::work::Work;

const CART_TTL: Duration = Duration::from_secs(24 * 3600);
/// Lines a cart may have; the oldest goes.
const MAX_LINES: usize = 20;

struct Cart {
    store: Cache,
    catalog: Peer,
    size: Histogram<u64>,
}

pub(super) async fn make(instance: &Arc<Instance>, backends: &Backends) -> anyhow::Result<Router> {
    let store = backends.cache(Member::Cart, 0).await?;
    let size = instance.telemetry.meter.u64_histogram("shop.cart.size").with_unit("{item}");
    let cart = Cart {
        store: Cache::new(instance, store),
        catalog: Peer::new(instance, Member::Catalog, PATIENCE)?,
        size: size
            .with_boundaries(vec![1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0])
            .with_description("Lines in a cart after adding one.")
            .build(),
    };
    Ok(Router::new()
        .route("/carts/{user}", get(show).delete(empty))
        .route("/carts/{user}/items", post(add))
        .with_state(Arc::new(cart)))
}

async fn show(State(cart): State<Arc<Cart>>, work: Work, Path(user): Path<String>) -> Result<Json<Value>, Failure> {
    let lines = cart.lines(&work, &user).await?;
    Ok(Json(json!({ "user": user, "lines": lines })))
}

async fn add(
    State(cart): State<Arc<Cart>>,
    work: Work,
    Path(user): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Failure> {
    let (sku, quantity) = (text(&body, "sku")?, positive(&body, "quantity")?);
    let product = cart.catalog.call(&work, Ask::get("/products/{sku}", format!("/products/{sku}"))).await?;
    let mut lines = cart.lines(&work, &user).await?;
    lines.push(json!({ "sku": sku, "quantity": quantity, "price_cents": product["price_cents"] }));
    if lines.len() > MAX_LINES {
        lines.remove(0);
    }
    cart.size.record(lines.len() as u64, &[]);
    cart.save(&work, &user, &lines).await?;
    Ok(Json(json!({ "user": user, "lines": lines })))
}

async fn empty(State(cart): State<Arc<Cart>>, work: Work, Path(user): Path<String>) -> Result<Json<Value>, Failure> {
    cart.save(&work, &user, &[]).await?;
    Ok(Json(json!({ "user": user, "lines": [] })))
}

impl Cart {
    async fn lines(&self, work: &Work, user: &str) -> Result<Vec<Value>, Failure> {
        let stored = self.store.get(work, &key(user)).await?;
        stored
            .map_or(Ok(Vec::new()), |text| serde_json::from_str(&text))
            .map_err(|error| Failure::broke("CorruptCart", format!("the cart of {user} is not readable"), error))
    }

    async fn save(&self, work: &Work, user: &str, lines: &[Value]) -> Result<(), Failure> {
        self.store.set(work, &key(user), Value::from(lines).to_string(), CART_TTL).await
    }
}

fn key(user: &str) -> String {
    format!("cart:{user}")
}
