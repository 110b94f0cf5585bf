//! Tells customers about their orders, through an outbox.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::FutureExt as _;
use serde_json::{Value, json};

use super::{Backends, Service, text, unix_seconds};
use crate::bus::{Follower, Subscription};
use crate::database::{Session, Statement};
use crate::failure::Failure;
use crate::instance::Instance;
use crate::member::Member;
use crate::work::Work;

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS outbox \
    (order_id TEXT PRIMARY KEY, customer TEXT NOT NULL, body TEXT NOT NULL, queued_at BIGINT NOT NULL)";
const LATEST: Statement = Statement {
    operation: "SELECT",
    table: "outbox",
    text: "SELECT order_id, body FROM outbox WHERE customer = $1 ORDER BY queued_at DESC LIMIT 5",
};
// An event may come twice.
const INSERT: Statement = Statement {
    operation: "INSERT",
    table: "outbox",
    text: "INSERT INTO outbox (order_id, customer, body, queued_at) VALUES ($1, $2, $3, $4) ON CONFLICT (order_id) DO NOTHING",
};
const FORGET: Statement =
    Statement { operation: "DELETE", table: "outbox", text: "DELETE FROM outbox WHERE queued_at < $1" };
const KEEP_SECONDS: i64 = 3600;

#[derive(Clone)]
struct Notifications {
    database: Arc<Session>,
}

pub(super) async fn make(instance: &Arc<Instance>, backends: &Backends) -> anyhow::Result<Service> {
    let database = backends.database(Member::Notifications, SCHEMA).await?;
    let notifications = Notifications { database: Arc::new(Session::new(instance, database)) };
    let orders = Subscription::new(instance, backends.broker().await?).await?;
    let routes = Router::new().route("/outbox/{user}", get(latest)).with_state(notifications.clone());
    Ok(Service { routes, followers: vec![orders.run(notifications).boxed()] })
}

async fn latest(
    State(notifications): State<Notifications>,
    work: Work,
    Path(user): Path<String>,
) -> Result<Json<Value>, Failure> {
    let rows = notifications.database.run(&work, &LATEST, &[user.as_str().into()]).await?;
    let latest: Vec<_> = rows.iter().map(|row| json!({ "order": row.text(0), "body": row.text(1) })).collect();
    Ok(Json(json!({ "user": user, "latest": latest })))
}

impl Follower for Notifications {
    async fn handle(&self, work: &Work, event: &Value) -> Result<(), Failure> {
        let (order, user) = (text(event, "id")?, text(event, "user")?);
        let total = event["total_cents"].as_i64().unwrap_or(0) as f64 / 100.0;
        let body = format!("Thank you! Your order {order} over {total:.2} EUR is being packed.");
        self.database
            .run(
                work,
                &INSERT,
                &[order.as_str().into(), user.as_str().into(), body.as_str().into(), unix_seconds().into()],
            )
            .await?;
        if order.ends_with("00") {
            self.database.run(work, &FORGET, &[(unix_seconds() - KEEP_SECONDS).into()]).await?;
        }
        work.info(
            format!("mail to {user} queued for order {order}"),
            [("user.id", user.into()), ("shop.order.id", order.into())],
        );
        Ok(())
    }
}
