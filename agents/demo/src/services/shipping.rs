//! Makes a shipment out of every placed order.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::FutureExt as _;
use http::StatusCode;
use serde_json::{Value, json};

use super::{Backends, Service, text, unix_seconds};
use crate::bus::{Follower, Subscription};
use crate::database::{Session, Statement};
use crate::failure::Failure;
use crate::instance::Instance;
use crate::member::Member;
use crate::work::Work;

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS shipments \
    (order_id TEXT PRIMARY KEY, tracking TEXT NOT NULL, status TEXT NOT NULL, created_at BIGINT NOT NULL)";
const FIND: Statement = Statement {
    operation: "SELECT",
    table: "shipments",
    text: "SELECT tracking, status FROM shipments WHERE order_id = $1",
};
// An event may come twice.
const INSERT: Statement = Statement {
    operation: "INSERT",
    table: "shipments",
    text: "INSERT INTO shipments (order_id, tracking, status, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (order_id) DO NOTHING",
};
const FORGET: Statement =
    Statement { operation: "DELETE", table: "shipments", text: "DELETE FROM shipments WHERE created_at < $1" };
const KEEP_SECONDS: i64 = 3600;

#[derive(Clone)]
struct Shipping {
    database: Arc<Session>,
}

pub(super) async fn make(instance: &Arc<Instance>, backends: &Backends) -> anyhow::Result<Service> {
    let shipping =
        Shipping { database: Arc::new(Session::new(instance, backends.database(Member::Shipping, SCHEMA).await?)) };
    let orders = Subscription::new(instance, backends.broker().await?).await?;
    let routes = Router::new().route("/shipments/{order}", get(find)).with_state(shipping.clone());
    Ok(Service { routes, followers: vec![orders.run(shipping).boxed()] })
}

async fn find(State(shipping): State<Shipping>, work: Work, Path(order): Path<String>) -> Result<Json<Value>, Failure> {
    let rows = shipping.database.run(&work, &FIND, &[order.as_str().into()]).await?;
    let row = rows.first().ok_or_else(|| {
        Failure::answer(StatusCode::NOT_FOUND, "no_such_shipment", format!("order {order} has no shipment yet"))
    })?;
    Ok(Json(json!({ "order": order, "tracking": row.text(0), "status": row.text(1) })))
}

impl Follower for Shipping {
    async fn handle(&self, work: &Work, event: &Value) -> Result<(), Failure> {
        let order = text(event, "id")?;
        let tracking = format!("SH{:010}", rand::random::<u32>());
        self.database
            .run(
                work,
                &INSERT,
                &[order.as_str().into(), tracking.as_str().into(), "packed".into(), unix_seconds().into()],
            )
            .await?;
        if tracking.ends_with("00") {
            self.database.run(work, &FORGET, &[(unix_seconds() - KEEP_SECONDS).into()]).await?;
        }
        work.info(
            format!("shipment {tracking} made for order {order}"),
            [("shop.order.id", order.into()), ("shop.shipment.tracking", tracking.into())],
        );
        Ok(())
    }
}
