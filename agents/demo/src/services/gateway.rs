//! The only door: limits rates, checks tokens, routes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{FromRequestParts, MatchedPath, Path, Query, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use http::request::Parts;
use jsonwebtoken::jwk::JwkSet;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;
use opentelemetry::trace::SpanKind;
use serde_json::{Value, json};

use super::token::{self, TokenError};
use super::{GATEWAY_PATIENCE, unix_seconds};
use crate::failure::Failure;
use crate::instance::Instance;
use crate::member::Member;
use crate::peer::{Ask, Peer};
use crate::work::{Work, span};

/// Keys are fetched again at most this often, so that forged tokens cannot flood auth.
const KEY_REFRESH: Duration = Duration::from_secs(1);

struct Gateway {
    auth: Peer,
    catalog: Peer,
    cart: Peer,
    orders: Peer,
    shipping: Peer,
    notifications: Peer,
    keys: tokio::sync::Mutex<Keys>,
    limiter: Limiter,
    limited: Counter<u64>,
}

#[derive(Default)]
struct Keys {
    known: Option<Arc<JwkSet>>,
    fetched: Option<Instant>,
}

/// `rate` is the shop's usual traffic; one client may send a little more than all of it.
pub(super) fn make(instance: &Arc<Instance>, rate: f64) -> anyhow::Result<Router> {
    let peer = |to| Peer::new(instance, to, GATEWAY_PATIENCE);
    let gateway = Arc::new(Gateway {
        auth: peer(Member::Auth)?,
        catalog: peer(Member::Catalog)?,
        cart: peer(Member::Cart)?,
        orders: peer(Member::Orders)?,
        shipping: peer(Member::Shipping)?,
        notifications: peer(Member::Notifications)?,
        keys: Default::default(),
        limiter: Limiter::new((rate * 1.1).max(10.0)),
        limited: instance.telemetry.meter.u64_counter("shop.gateway.limited").with_unit("{request}").build(),
    });
    let routes = Router::new()
        .route("/api/login", post(login))
        .route("/api/token", post(renew))
        .route("/api/products", get(products))
        .route("/api/products/{sku}", get(product))
        .route("/api/search", get(search))
        .route("/api/cart", get(cart))
        .route("/api/cart/items", post(add_to_cart))
        .route("/api/orders", post(place_order))
        .route("/api/orders/{id}", get(order))
        .route("/api/orders/{id}/tracking", get(tracking))
        .route("/api/notifications", get(notifications));
    Ok(routes.layer(axum::middleware::from_fn_with_state(gateway.clone(), admit)).with_state(gateway))
}

/// Limits the rate per client and writes the access log.
async fn admit(State(gateway): State<Arc<Gateway>>, work: Work, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let line = format!("{} {}", request.method(), request.uri().path());
    let route = request.extensions().get::<MatchedPath>().map(|route| route.as_str().to_owned()).unwrap_or_default();
    let client = client_of(&request);
    let response = if gateway.limiter.admits(&client, started) {
        next.run(request).await
    } else {
        gateway.limited.add(1, &[KeyValue::new("shop.client", client.clone())]);
        Failure::answer(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limited",
            format!("{client} sends more than {:.0} requests/s", gateway.limiter.per_second),
        )
        .into_response()
    };
    let (status, millis) = (response.status().as_u16(), started.elapsed().as_millis());
    let attributes = [
        ("http.route", route.into()),
        ("http.response.status_code", i64::from(status).into()),
        ("shop.client", client.into()),
    ];
    work.info(format!("{line} {status} in {millis} ms"), attributes);
    response
}

/// The client's name out of `shop-mobile/8.3.1`; whoever else comes shares one bucket.
fn client_of(request: &Request) -> String {
    let agent = request.headers().get("user-agent").and_then(|agent| agent.to_str().ok());
    let name = agent.and_then(|agent| agent.strip_prefix("shop-")).and_then(|agent| agent.split('/').next());
    name.and_then(Member::named).map_or("other", Member::name).to_owned()
}

/// Whose request it is, by its token.
struct User(String);

impl FromRequestParts<Arc<Gateway>> for User {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, gateway: &Arc<Gateway>) -> Result<Self, Failure> {
        let Ok(work) = Work::from_request_parts(parts, gateway).await;
        let header = parts.headers.get("authorization").and_then(|header| header.to_str().ok());
        let token = header.and_then(|header| header.strip_prefix("Bearer "));
        let token = token.ok_or_else(|| Failure::answer(StatusCode::UNAUTHORIZED, "token_missing", "sign in first"))?;
        let user = gateway.verify(&work, token).await?;
        work.set("user.id", user.clone());
        Ok(Self(user))
    }
}

impl Gateway {
    async fn verify(&self, work: &Work, token: &str) -> Result<String, Failure> {
        let check = work.child(span(SpanKind::Internal, "verify token", vec![]));
        let mut outcome = token::verify(token, &*self.keys(&check, false).await?, unix_seconds());
        if outcome == Err(TokenError::UnknownKey) {
            outcome = token::verify(token, &*self.keys(&check, true).await?, unix_seconds());
        }
        outcome.map(|claims| claims.sub).map_err(|error| {
            check.fail(error.code(), &error.to_string());
            Failure::answer(StatusCode::UNAUTHORIZED, error.code(), error.to_string())
        })
    }

    /// Auth's public keys; `newer` if a token knows one that we do not.
    async fn keys(&self, work: &Work, newer: bool) -> Result<Arc<JwkSet>, Failure> {
        let mut keys = self.keys.lock().await;
        let fresh = keys.fetched.is_some_and(|at| at.elapsed() < KEY_REFRESH);
        if let Some(known) = keys.known.as_ref().filter(|_| !newer || fresh) {
            return Ok(known.clone());
        }
        let body = self.auth.call(work, Ask::get("/.well-known/jwks.json", "/.well-known/jwks.json")).await?;
        let known: JwkSet = serde_json::from_value(body)
            .map_err(|error| Failure::broke("KeyError", "auth's keys are not a JWK set", error))?;
        *keys = Keys { known: Some(Arc::new(known)), fetched: Some(Instant::now()) };
        Ok(keys.known.clone().expect("just set"))
    }
}

type Answer = Result<Json<Value>, Failure>;
type Shared = State<Arc<Gateway>>;

async fn login(State(gateway): Shared, work: Work, Json(body): Json<Value>) -> Answer {
    gateway.auth.call(&work, Ask::post("/login", "/login", body)).await.map(Json)
}

async fn renew(State(gateway): Shared, work: Work, Json(body): Json<Value>) -> Answer {
    gateway.auth.call(&work, Ask::post("/refresh", "/refresh", body)).await.map(Json)
}

async fn products(State(gateway): Shared, work: Work, Query(query): Query<HashMap<String, String>>) -> Answer {
    let category = query.get("category").map(String::as_str).unwrap_or("all");
    gateway.catalog.call(&work, Ask::get("/products", format!("/products?category={category}"))).await.map(Json)
}

async fn product(State(gateway): Shared, work: Work, Path(sku): Path<String>) -> Answer {
    gateway.catalog.call(&work, Ask::get("/products/{sku}", format!("/products/{sku}"))).await.map(Json)
}

async fn search(State(gateway): Shared, work: Work, Query(query): Query<HashMap<String, String>>) -> Answer {
    let words = query.get("q").map(String::as_str).unwrap_or_default();
    gateway.catalog.call(&work, Ask::get("/search", format!("/search?q={words}"))).await.map(Json)
}

async fn cart(State(gateway): Shared, work: Work, User(user): User) -> Answer {
    gateway.cart.call(&work, Ask::get("/carts/{user}", format!("/carts/{user}"))).await.map(Json)
}

async fn add_to_cart(State(gateway): Shared, work: Work, User(user): User, Json(body): Json<Value>) -> Answer {
    gateway.cart.call(&work, Ask::post("/carts/{user}/items", format!("/carts/{user}/items"), body)).await.map(Json)
}

async fn place_order(
    State(gateway): Shared,
    work: Work,
    User(user): User,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let order = gateway.orders.call(&work, Ask::post("/orders", "/orders", json!({ "user": user }))).await?;
    Ok((StatusCode::CREATED, Json(order)))
}

async fn order(State(gateway): Shared, work: Work, User(_): User, Path(id): Path<String>) -> Answer {
    gateway.orders.call(&work, Ask::get("/orders/{id}", format!("/orders/{id}"))).await.map(Json)
}

async fn tracking(State(gateway): Shared, work: Work, User(_): User, Path(id): Path<String>) -> Answer {
    gateway.shipping.call(&work, Ask::get("/shipments/{order}", format!("/shipments/{id}"))).await.map(Json)
}

async fn notifications(State(gateway): Shared, work: Work, User(user): User) -> Answer {
    gateway.notifications.call(&work, Ask::get("/outbox/{user}", format!("/outbox/{user}"))).await.map(Json)
}

/// A token bucket per client, two seconds deep.
struct Limiter {
    per_second: f64,
    buckets: Mutex<HashMap<String, Bucket>>,
}

struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Limiter {
    fn new(per_second: f64) -> Self {
        Self { per_second, buckets: Mutex::default() }
    }

    fn admits(&self, client: &str, now: Instant) -> bool {
        let depth = self.per_second * 2.0;
        let mut buckets = self.buckets.lock().expect("arithmetic does not panic");
        let bucket = buckets.entry(client.into()).or_insert(Bucket { tokens: depth, filled: now });
        let since = now.saturating_duration_since(bucket.filled).as_secs_f64();
        bucket.tokens = (bucket.tokens + since * self.per_second).min(depth);
        bucket.filled = now;
        let admitted = bucket.tokens >= 1.0;
        if admitted {
            bucket.tokens -= 1.0;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_refills_for_its_client_alone() {
        let (limiter, start) = (Limiter::new(10.0), Instant::now());
        let admitted = |client, at| (0..100).filter(|_| limiter.admits(client, at)).count();
        assert_eq!(admitted("web", start), 20);
        assert_eq!(admitted("mobile", start), 20);
        assert_eq!(admitted("web", start + Duration::from_millis(500)), 5);
        assert_eq!(admitted("web", start + Duration::from_secs(60)), 20);
    }
}
