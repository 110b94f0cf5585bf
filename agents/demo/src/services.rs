//! The shop's servers. Each is routes over its own store and the peers it needs; making one wires it.

mod auth;
mod cart;
mod catalog;
mod gateway;
mod inventory;
mod notifications;
mod orders;
mod payfast;
mod payments;
mod shipping;
mod token;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::bus::Broker;
use crate::config::{Config, Stores};
use crate::database::Database;
use crate::failure::Failure;
use crate::instance::Instance;
use crate::keyvalue::KeyValue;
use crate::member::Member;

pub(crate) use payfast::payfast;

/// How long services wait for one another; the gateway and the clients wait a little longer.
const PATIENCE: Duration = Duration::from_secs(3);
const GATEWAY_PATIENCE: Duration = Duration::from_secs(4);

/// The stores, opened once per process: they survive the services that use them.
pub(crate) struct Backends {
    config: Stores,
    databases: tokio::sync::Mutex<HashMap<Member, Arc<Database>>>,
    caches: tokio::sync::Mutex<HashMap<Member, Arc<KeyValue>>>,
    broker: tokio::sync::OnceCell<Arc<Broker>>,
}

impl Backends {
    pub(crate) fn new(config: Stores) -> Self {
        Self { config, databases: Default::default(), caches: Default::default(), broker: Default::default() }
    }

    async fn database(&self, owner: Member, schema: &str) -> anyhow::Result<Arc<Database>> {
        let mut databases = self.databases.lock().await;
        if let Some(database) = databases.get(&owner) {
            return Ok(database.clone());
        }
        let database = match &self.config.postgres {
            Some(url) => Database::postgres(url, owner).await?,
            None => Database::embedded(owner)?,
        };
        database.migrate(schema).await?;
        let database = Arc::new(database);
        databases.insert(owner, database.clone());
        Ok(database)
    }

    async fn cache(&self, owner: Member, index: i64) -> anyhow::Result<Arc<KeyValue>> {
        let mut caches = self.caches.lock().await;
        if let Some(cache) = caches.get(&owner) {
            return Ok(cache.clone());
        }
        let cache = match &self.config.redis {
            Some(url) => KeyValue::redis(url, index).await?,
            None => KeyValue::embedded(owner),
        };
        let cache = Arc::new(cache);
        caches.insert(owner, cache.clone());
        Ok(cache)
    }

    async fn broker(&self) -> anyhow::Result<Arc<Broker>> {
        let open = async || match &self.config.nats {
            Some(url) => Broker::nats(url).await.map(Arc::new),
            None => Ok(Arc::new(Broker::embedded())),
        };
        self.broker.get_or_try_init(open).await.cloned()
    }
}

/// A service ready to run.
pub(crate) struct Service {
    pub(crate) routes: Router,
    /// Its consumers; they run until dropped.
    pub(crate) followers: Vec<BoxFuture<'static, ()>>,
}

impl From<Router> for Service {
    fn from(routes: Router) -> Self {
        Self { routes, followers: Vec::new() }
    }
}

/// Makes the service `instance` is an instance of.
pub(crate) async fn make(instance: &Arc<Instance>, backends: &Backends, config: &Config) -> anyhow::Result<Service> {
    match instance.member() {
        Member::ApiGateway => gateway::make(instance, config.rate).map(Service::from),
        Member::Auth => {
            auth::make(instance, backends, Duration::from_secs(config.token_ttl_seconds)).await.map(Service::from)
        }
        Member::Catalog => catalog::make(instance, backends).await.map(Service::from),
        Member::Cart => cart::make(instance, backends).await.map(Service::from),
        Member::Orders => orders::make(instance, backends).await.map(Service::from),
        Member::Payments => payments::make(instance, backends).await.map(Service::from),
        Member::Inventory => inventory::make(instance, backends).await,
        Member::Shipping => shipping::make(instance, backends).await,
        Member::Notifications => notifications::make(instance, backends).await,
        other => anyhow::bail!("{other} is not one of the shop's services"),
    }
}

/// A text field of a request.
fn text(body: &Value, field: &str) -> Result<String, Failure> {
    let found = body[field].as_str().map(str::to_owned);
    found.ok_or_else(|| {
        Failure::answer(http::StatusCode::BAD_REQUEST, "missing_field", format!("{field:?} must be a text"))
    })
}

/// A positive whole number of a request.
fn positive(body: &Value, field: &str) -> Result<i64, Failure> {
    let found = body[field].as_i64().filter(|number| *number > 0);
    found.ok_or_else(|| {
        Failure::answer(http::StatusCode::BAD_REQUEST, "missing_field", format!("{field:?} must be a positive number"))
    })
}

fn unix_seconds() -> i64 {
    crate::board::now() / 1_000_000_000
}
