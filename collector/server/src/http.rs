//! The dashboard's port: routes, guards, static files.

pub(crate) mod guard;
pub(crate) mod request_id;
pub(crate) mod ui;

use crate::api;
use crate::api::state::Api;
use axum::Router;
use axum::middleware::from_fn;
use axum::routing::get;
use guard::Hosts;
use http::Request;
use hyper::body::Incoming;
use orrery_receive::config::Connections;
use orrery_receive::listen;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};

/// Everything on the dashboard's port.
pub(crate) fn router(api: Arc<Api>, hosts: Hosts) -> Router {
    let guarded = move |request, next| guard::check(hosts.clone(), request, next);
    api::router()
        .fallback_service(get(ui::serve))
        .with_state(api)
        .layer(
            CompressionLayer::new().compress_when(
                DefaultPredicate::new()
                    .and(NotForContentType::const_new(api::PARQUET))
                    .and(NotForContentType::const_new(orrery_api::columns::MEDIA)),
            ),
        )
        .layer(from_fn(guarded))
        .layer(from_fn(guard::secure_headers))
        .layer(from_fn(request_id::assign))
}

/// Open connections. A tab holds one WebSocket and up to five others.
const CONNECTIONS: usize = 1024;
/// Requests have small bodies here, if any: whoever sends one slowly is not a browser of ours.
const BODY_TIMEOUT_MILLIS: u64 = 10_000;

/// Serves until `stopping`, then lets requests in flight finish. The accept loop is the receiver's, with its timeouts and
/// bounds: `axum::serve` has neither.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    stopping: CancellationToken,
    drain_timeout_millis: u64,
) {
    let limits = Connections {
        max_total: CONNECTIONS,
        max_per_address: CONNECTIONS,
        body_progress_timeout_millis: BODY_TIMEOUT_MILLIS,
        body_timeout_millis: BODY_TIMEOUT_MILLIS,
        drain_timeout_millis,
        ..Connections::default()
    };
    let service = move |request: Request<Incoming>, _peer| {
        let router = router.clone();
        async move { router.oneshot(request.map(axum::body::Body::new)).await.unwrap_or_else(|never| match never {}) }
    };
    let closed = |reason| tracing::debug!(reason, "connection closed by us");
    let cut_off = listen::serve(listener, limits, closed, service, stopping.cancelled_owned()).await;
    if cut_off > 0 {
        tracing::warn!(cut_off, "requests still running were cut off");
    }
}
