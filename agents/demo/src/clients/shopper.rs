//! What a shopper does: pages, searches, carts, orders; each action is one trace.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use rand::RngExt as _;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::instance::Instance;
use crate::peer::{Ask, Peer, Reply};
use crate::work::{Work, span};

const PRODUCTS: u32 = 24;
const CATEGORIES: [&str; 6] = ["all", "paper", "instruments", "telescopes", "optics", "gear"];
const WORDS: [&str; 8] = ["moon", "orrery", "eyepiece", "binoculars", "chart", "mount", "filter", "comet"];

/// A client's way into the shop.
pub(super) struct Storefront {
    pub(super) instance: Arc<Instance>,
    pub(super) gateway: Peer,
    pub(super) renews_early: bool,
}

/// Somebody with an account.
pub(super) struct Shopper {
    name: String,
    session: tokio::sync::Mutex<Option<Session>>,
}

#[derive(Clone)]
struct Session {
    access: String,
    refresh: String,
    renew_at: Instant,
}

impl Shopper {
    pub(super) fn new(name: String) -> Self {
        Self { name, session: Default::default() }
    }
}

/// One visit.
pub(super) async fn shop(front: &Storefront, shopper: &Shopper) {
    let mood = rand::rng().random_range(0..100);
    match mood {
        0..38 => browse(front).await,
        38..62 => search(front).await,
        62..82 => fill_cart(front, shopper, 1).await,
        82..94 => check_out(front, shopper).await,
        _ => read_messages(front, shopper).await,
    }
}

async fn browse(front: &Storefront) {
    let category = CATEGORIES[rand::rng().random_range(0..CATEGORIES.len())];
    front
        .act("open shop", async |action| {
            front.open(action, Ask::get("/api/products", format!("/api/products?category={category}"))).await.map(drop)
        })
        .await;
    for _ in 0..2 {
        look_around().await;
        front.act("open product", async |action| front.open(action, product(&any_sku())).await.map(drop)).await;
    }
}

async fn search(front: &Storefront) {
    let word = any_word();
    front
        .act("search", async |action| {
            let found = front.open(action, Ask::get("/api/search", format!("/api/search?q={word}"))).await?;
            match found["products"][0]["sku"].as_str() {
                Some(sku) => front.open(action, product(sku)).await.map(drop),
                None => Ok(()),
            }
        })
        .await;
}

pub(super) async fn fill_cart(front: &Storefront, shopper: &Shopper, items: usize) {
    for _ in 0..items {
        let sku = any_sku();
        front.act("open product", async |action| front.open(action, product(&sku)).await.map(drop)).await;
        look_around().await;
        front.act("add to cart", async |action| front.signed(action, shopper, add_to_cart(&sku)).await.map(drop)).await;
    }
    front
        .act("open cart", async |action| {
            front.signed(action, shopper, Ask::get("/api/cart", "/api/cart")).await.map(drop)
        })
        .await;
}

async fn check_out(front: &Storefront, shopper: &Shopper) {
    front
        .act("add to cart", async |action| front.signed(action, shopper, add_to_cart(&any_sku())).await.map(drop))
        .await;
    look_around().await;
    let mut placed = None;
    front
        .act("place order", async |action| {
            let order = front.signed(action, shopper, Ask::post("/api/orders", "/api/orders", json!({}))).await?;
            let id = order["id"].as_str().unwrap_or_default();
            front.signed(action, shopper, Ask::get("/api/orders/{id}", format!("/api/orders/{id}"))).await?;
            placed = Some(id.to_owned());
            Ok(())
        })
        .await;
    if let Some(id) = placed {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let path = format!("/api/orders/{id}/tracking");
        front
            .act("track order", async |action| {
                front.signed(action, shopper, Ask::get("/api/orders/{id}/tracking", path.clone())).await.map(drop)
            })
            .await;
    }
}

async fn read_messages(front: &Storefront, shopper: &Shopper) {
    front
        .act("open messages", async |action| {
            front.signed(action, shopper, Ask::get("/api/notifications", "/api/notifications")).await.map(drop)
        })
        .await;
}

pub(super) fn product(sku: &str) -> Ask {
    Ask::get("/api/products/{sku}", format!("/api/products/{sku}"))
}

pub(super) fn add_to_cart(sku: &str) -> Ask {
    let quantity = rand::rng().random_range(1..4);
    Ask::post("/api/cart/items", "/api/cart/items", json!({ "sku": sku, "quantity": quantity }))
}

pub(super) fn any_sku() -> String {
    format!("sku-{}", rand::rng().random_range(0..PRODUCTS))
}

pub(super) fn any_word() -> &'static str {
    WORDS[rand::rng().random_range(0..WORDS.len())]
}

async fn look_around() {
    let millis = rand::rng().random_range(100..600);
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

impl Storefront {
    /// One action of a shopper: the root span of a trace.
    pub(super) async fn act(&self, name: &'static str, action: impl AsyncFnOnce(&Work) -> Result<(), Failure>) {
        self.act_as(name, vec![], action).await
    }

    pub(super) async fn act_as(
        &self,
        name: &'static str,
        attributes: Vec<KeyValue>,
        action: impl AsyncFnOnce(&Work) -> Result<(), Failure>,
    ) {
        let work = Work::root(&self.instance.telemetry, span(SpanKind::Internal, name, attributes));
        if let Err(failure) = action(&work).await {
            if !expected(failure.status) {
                work.fail(&failure.code, &failure.detail);
            }
            work.warn(format!("{name} failed: {failure}"), [("error.type", failure.code.clone().into())]);
        }
        work.end();
    }

    /// A request anybody may make.
    pub(super) async fn open(&self, action: &Work, ask: Ask) -> Result<Value, Failure> {
        good(self.gateway.send(action, ask).await?)
    }

    /// A request in the name of a shopper: signs in, renews and repeats as needed.
    pub(super) async fn signed(&self, action: &Work, shopper: &Shopper, ask: Ask) -> Result<Value, Failure> {
        let token = self.token(action, shopper).await?;
        let reply = self.gateway.send(action, ask.clone().bearer(Some(token))).await?;
        if reply.status != StatusCode::UNAUTHORIZED {
            return good(reply);
        }
        let token = self.renewed(action, shopper).await?;
        good(self.gateway.send(action, ask.bearer(Some(token)).again()).await?)
    }

    async fn token(&self, action: &Work, shopper: &Shopper) -> Result<String, Failure> {
        let session = shopper.session.lock().await.clone();
        match session {
            Some(session) if self.renews_early && session.renew_at <= Instant::now() => {
                self.renewed(action, shopper).await
            }
            Some(session) => Ok(session.access),
            None => self.sign_in(action, shopper).await,
        }
    }

    async fn renewed(&self, action: &Work, shopper: &Shopper) -> Result<String, Failure> {
        let session = shopper.session.lock().await.take();
        let Some(session) = session else { return self.sign_in(action, shopper).await };
        let reply = self
            .gateway
            .send(action, Ask::post("/api/token", "/api/token", json!({ "refresh_token": session.refresh })))
            .await?;
        if reply.status == StatusCode::UNAUTHORIZED {
            return self.sign_in(action, shopper).await;
        }
        shopper.keep(good(reply)?).await
    }

    async fn sign_in(&self, action: &Work, shopper: &Shopper) -> Result<String, Failure> {
        let credentials = json!({ "user": shopper.name, "password": format!("demo-{}", shopper.name) });
        let body = self.open(action, Ask::post("/api/login", "/api/login", credentials)).await?;
        shopper.keep(body).await
    }
}

impl Shopper {
    /// Remembers a session; it is renewed after four fifths of its life.
    async fn keep(&self, body: Value) -> Result<String, Failure> {
        let field = |name: &str| {
            body[name]
                .as_str()
                .map(str::to_owned)
                .ok_or_else(|| Failure::answer(StatusCode::BAD_GATEWAY, "no_token", "the shop gave no token"))
        };
        let life = Duration::from_secs(body["expires_in"].as_u64().unwrap_or(60));
        let session = Session {
            access: field("access_token")?,
            refresh: field("refresh_token")?,
            renew_at: Instant::now() + life * 4 / 5,
        };
        *self.session.lock().await = Some(session.clone());
        Ok(session.access)
    }
}

/// The shop said no for a reason a shopper understands.
fn expected(status: StatusCode) -> bool {
    matches!(status, StatusCode::PAYMENT_REQUIRED | StatusCode::NOT_FOUND | StatusCode::CONFLICT)
}

fn good(reply: Reply) -> Result<Value, Failure> {
    if reply.status.is_success() {
        return Ok(reply.body);
    }
    let code = if reply.code().is_empty() { reply.status.as_str() } else { reply.code() };
    Err(Failure::answer(
        reply.status,
        code,
        format!("{} {}", reply.status.as_u16(), reply.body["detail"].as_str().unwrap_or_default()),
    ))
}
