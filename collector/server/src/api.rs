//! The JSON API under `/api/v1`.

mod alerting;
pub(crate) mod convert;
mod download;
pub(crate) mod endpoint;
pub(crate) mod export;
pub(crate) mod failure;
mod findings;
mod flame;
mod links;
pub(crate) mod live;
mod logs;
mod map;
mod metrics;
pub(crate) mod moment;
#[cfg(test)]
mod openapi;
mod own;
pub(crate) mod params;
mod pins;
mod query;
mod relations;
pub(crate) mod retention;
mod series;
mod services;
mod sql;
pub(crate) mod state;
mod tail;
mod traces;
mod upload;
mod views;

use crate::http::request_id::RequestId;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use endpoint::{add, add_bytes};
use failure::Failure;
use http::{Uri, header};
use orrery_api::paths;
use state::Api;
use std::sync::Arc;

/// The committed OpenAPI document; a test (`openapi`) keeps it in step with the endpoints.
const OPENAPI: &str = include_str!("../openapi.json");

/// Media type of a Parquet file, as registered with IANA.
pub(crate) const PARQUET: &str = "application/vnd.apache.parquet";

/// All routes under `/api/v1`, and the probes.
pub(crate) fn router() -> Router<Arc<Api>> {
    let mut router = Router::new();
    router = add(router, &services::TOPOLOGY, services::topology);
    router = add(router, &map::DIFF, map::diff);
    router = add(router, &map::IMPACT, map::impact);
    router = add(router, &findings::LIST, findings::list);
    router = add(router, &services::LIST, services::list);
    router = add(router, &services::DETAIL, services::detail);
    router = add(router, &traces::LIST, traces::list);
    router = add(router, &series::SERIES, series::series);
    router = add(router, &flame::FLAME, flame::flame);
    router = add(router, &series::KEYS, series::keys);
    router = add(router, &series::VALUES, series::values);
    router = add(router, &traces::DETAIL, traces::detail);
    router = add_bytes(router, &traces::COLUMNS, traces::columns);
    router = add(router, &traces::SPAN, traces::span);
    router = add(router, &relations::LINKS, relations::links);
    router = add(router, &relations::DIFF, relations::diff);
    router = add(router, &services::STANDING, services::standing);
    router = add(router, &pins::PIN, pins::pin);
    router = add(router, &pins::UNPIN, pins::unpin);
    router = add(router, &pins::LIST, pins::list);
    router = add(router, &download::OTLP, download::otlp);
    router = add(router, &download::JAEGER, download::jaeger);
    router = add(router, &traces::VALUES, traces::values);
    router = add(router, &logs::LIST, logs::list);
    router = add(router, &logs::HISTOGRAM, logs::histogram);
    router = add(router, &metrics::NAMES, metrics::names);
    router = add(router, &metrics::RANGE, metrics::range);
    router = add(router, &metrics::HOSTS, metrics::hosts);
    router = add(router, &retention::RETENTION, retention::retention);
    router = add(router, &own::SELF, own::own);
    router = add(router, &views::LIST, views::list);
    router = add(router, &views::SAVE, views::save);
    router = add(router, &views::CHANGE, views::change);
    router = add(router, &views::DELETE, views::delete);
    router = add(router, &links::LINK, links::link);
    router = add(router, &links::TEMPLATES, links::templates);
    router = add(router, &sql::SCHEMA, sql::schema);
    router = alerting::add_all(router);
    router
        .route(sql::SQL.path, post(sql::sql))
        .route(paths::LOG_TAIL, get(tail::tail))
        .route(paths::EXPORT, get(export::export))
        .route("/s/{id}", get(links::follow))
        .route(paths::TRACE_VIEW, post(upload::view))
        .route(paths::LIVE, get(live::live))
        .route(paths::OPENAPI, get(openapi_document))
        .route("/api/{*unknown}", get(unknown))
        .route(paths::HEALTHZ, get(own::alive))
        .route(paths::READYZ, get(own::ready))
        .method_not_allowed_fallback(wrong_method)
}

async fn openapi_document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

async fn unknown(uri: Uri, Extension(request): Extension<RequestId>) -> Response {
    Failure::NotFound(format!("There is no `{}`. GET {} describes what there is.", uri.path(), paths::OPENAPI))
        .respond(&request.0)
}

/// The router says which methods there are.
async fn wrong_method(Extension(request): Extension<RequestId>) -> Response {
    Failure::Method.respond(&request.0)
}
