//! Signs shoppers in, issues short-lived access tokens and renews them against refresh tokens.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use jsonwebtoken::jwk::JwkSet;
use opentelemetry::metrics::Counter;
use serde_json::{Value, json};

use super::token::Signer;
use super::{Backends, text, unix_seconds};
use crate::failure::Failure;
use crate::fault::FaultKind;
use crate::instance::Instance;
use crate::keyvalue::Cache;
use crate::member::Member;
use crate::work::Work;

const REFRESH_TTL: Duration = Duration::from_secs(24 * 3600);
/// How far the clock is behind while its fault lasts.
const CLOCK_ERROR_SECONDS: i64 = 3600;

struct Auth {
    instance: Arc<Instance>,
    sessions: Cache,
    signer: Signer,
    ttl: Duration,
    issued: Counter<u64>,
}

pub(super) async fn make(instance: &Arc<Instance>, backends: &Backends, ttl: Duration) -> anyhow::Result<Router> {
    let issued = instance.telemetry.meter.u64_counter("shop.tokens.issued").with_unit("{token}").build();
    let auth = Auth {
        instance: instance.clone(),
        sessions: Cache::new(instance, backends.cache(Member::Auth, 1).await?),
        signer: Signer::generate()?,
        ttl,
        issued,
    };
    Ok(Router::new()
        .route("/login", post(login))
        .route("/refresh", post(refresh))
        .route("/.well-known/jwks.json", get(keys))
        .with_state(Arc::new(auth)))
}

async fn login(State(auth): State<Arc<Auth>>, work: Work, Json(body): Json<Value>) -> Result<Json<Value>, Failure> {
    let (user, password) = (text(&body, "user")?, text(&body, "password")?);
    if password != format!("demo-{user}") {
        return Err(Failure::answer(
            StatusCode::UNAUTHORIZED,
            "wrong_password",
            format!("{user} gave a wrong password"),
        ));
    }
    work.info(format!("{user} signed in"), [("user.id", user.clone().into())]);
    auth.issue(&work, &user).await
}

async fn refresh(State(auth): State<Arc<Auth>>, work: Work, Json(body): Json<Value>) -> Result<Json<Value>, Failure> {
    let token = text(&body, "refresh_token")?;
    // Taken, not read: a refresh token works once.
    let user = auth.sessions.take(&work, &format!("refresh:{token}")).await?;
    let user = user.ok_or_else(|| {
        Failure::answer(StatusCode::UNAUTHORIZED, "session_expired", "the refresh token is unknown or used")
    })?;
    auth.issue(&work, &user).await
}

async fn keys(State(auth): State<Arc<Auth>>) -> Result<Json<JwkSet>, Failure> {
    auth.signer.public().map(Json).map_err(|error| Failure::broke("KeyError", "the public key cannot be told", error))
}

impl Auth {
    async fn issue(&self, work: &Work, user: &str) -> Result<Json<Value>, Failure> {
        let access = self
            .signer
            .sign(user, self.clock(), self.ttl)
            .map_err(|error| Failure::broke("SigningError", "no token", error))?;
        let refresh = format!("{:032x}", rand::random::<u128>());
        self.sessions.set(work, &format!("refresh:{refresh}"), user.to_owned(), REFRESH_TTL).await?;
        self.issued.add(1, &[]);
        Ok(Json(json!({ "access_token": access, "refresh_token": refresh, "expires_in": self.ttl.as_secs() })))
    }

    /// Unix seconds by this machine's clock, which is wrong while its fault lasts.
    fn clock(&self) -> i64 {
        let wrong = self.instance.faults.hits(FaultKind::ExpiredTokens, Member::Auth);
        unix_seconds() - if wrong { CLOCK_ERROR_SECONDS } else { 0 }
    }
}
