//! An endpoint of the API: its declaration, and how a question reaches the store and comes back as JSON.

use crate::api::convert::Rates;
use crate::api::failure::Failure;
use crate::api::params::{Parameter, Params};
use crate::api::state::Api;
use crate::http::request_id::RequestId;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get};
use http::header;
use orrery_query::{Control, Store};
use serde::Serialize;
use std::sync::Arc;

/// What an endpoint promises. The router, the parameter check and the OpenAPI document all read it.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "what only the OpenAPI document says, a test writes"))]
pub(crate) struct Endpoint {
    /// As in [`orrery_api::paths`].
    pub(crate) path: &'static str,
    /// One line.
    pub(crate) summary: &'static str,
    /// More, in Markdown; may be empty.
    pub(crate) about: &'static str,
    /// The `{…}` parts of the path, in order.
    pub(crate) in_path: &'static [Parameter],
    /// Accepted query parameters.
    pub(crate) parameters: &'static [Parameter],
    /// Name of the answer's schema in `orrery-api`.
    pub(crate) answer: &'static str,
    /// Media type of the answer.
    pub(crate) media: &'static str,
    /// Name of the schema of what is posted; empty where nothing is.
    pub(crate) posted: &'static str,
}

impl Endpoint {
    pub(crate) const fn json(
        path: &'static str,
        answer: &'static str,
        summary: &'static str,
        parameters: &'static [Parameter],
    ) -> Endpoint {
        Endpoint { path, summary, about: "", in_path: &[], parameters, answer, media: "application/json", posted: "" }
    }

    pub(crate) const fn in_path(mut self, parameters: &'static [Parameter]) -> Endpoint {
        self.in_path = parameters;
        self
    }

    pub(crate) const fn about(mut self, about: &'static str) -> Endpoint {
        self.about = about;
        self
    }

    pub(crate) const fn media(mut self, media: &'static str) -> Endpoint {
        self.media = media;
        self
    }

    /// A `POST` of something in JSON.
    pub(crate) const fn post(mut self, posted: &'static str) -> Endpoint {
        self.posted = posted;
        self
    }

    /// The path as the router knows it: an id may contain slashes that the client did not escape.
    fn route(&self) -> String {
        self.path.replace("{id}", "{*id}")
    }
}

/// One question, as a handler sees it. Handlers run on a thread that may block.
pub(crate) struct Ask<'a> {
    /// What the server knows.
    pub(crate) api: &'a Api,
    /// Deadline and cancellation.
    pub(crate) control: &'a Control,
    /// Checked query parameters.
    pub(crate) params: Params,
    /// The `{…}` parts of the path, decoded.
    pub(crate) in_path: &'a [(String, String)],
}

impl Ask<'_> {
    /// The `{…}` part of the path with this name; empty if there is none.
    pub(crate) fn part(&self, name: &str) -> &str {
        self.in_path.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The store.
    pub(crate) fn store(&self) -> &dyn Store {
        self.api.store.as_ref()
    }

    /// How counts become rates at this moment.
    pub(crate) fn rates(&self) -> Rates {
        Rates::new(self.api.health().oldest_unix_nano, self.params.now())
    }
}

/// Adds a `GET` endpoint whose handler answers with something that is JSON.
pub(crate) fn add<T: Serialize + 'static>(
    router: axum::Router<Arc<Api>>,
    endpoint: &'static Endpoint,
    answer: fn(&Ask<'_>) -> Result<T, Failure>,
) -> axum::Router<Arc<Api>> {
    let json = move |ask: &Ask<'_>| serde_json::to_vec(&answer(ask)?).map_err(|error| Failure::Internal(error.into()));
    add_bytes(router, endpoint, json)
}

/// Adds a `GET` endpoint whose handler answers with bytes of its media type.
pub(crate) fn add_bytes(
    router: axum::Router<Arc<Api>>,
    endpoint: &'static Endpoint,
    answer: impl Fn(&Ask<'_>) -> Result<Vec<u8>, Failure> + Copy + Send + Sync + 'static,
) -> axum::Router<Arc<Api>> {
    router.route(&endpoint.route(), handler(endpoint, answer))
}

fn handler(
    endpoint: &'static Endpoint,
    answer: impl Fn(&Ask<'_>) -> Result<Vec<u8>, Failure> + Copy + Send + Sync + 'static,
) -> MethodRouter<Arc<Api>> {
    get(
        move |State(api): State<Arc<Api>>,
              Extension(request): Extension<RequestId>,
              in_path: Option<Path<Vec<(String, String)>>>,
              RawQuery(query): RawQuery| async move {
            let in_path = in_path.map(|Path(parts)| parts).unwrap_or_default();
            let query = query.unwrap_or_default();
            let asked = ask(api, move |api, control| {
                let params = Params::parse(&query, endpoint.parameters, api.now())?;
                answer(&Ask { api, control, params, in_path: &in_path })
            });
            match asked.await {
                Ok(body) => {
                    let headers = [(header::CONTENT_TYPE, endpoint.media), (header::CACHE_CONTROL, "no-store")];
                    (headers, Body::from(body)).into_response()
                }
                Err(failure) => failure.respond(&request.0),
            }
        },
    )
}

/// Runs `question` on a thread that may block, in one of a bounded number of places, with the configured deadline.
/// When the returned future is dropped, because the client went away, the query is cancelled.
pub(crate) async fn ask<T, F>(api: Arc<Api>, question: F) -> Result<T, Failure>
where
    T: Send + 'static,
    F: FnOnce(&Api, &Control) -> Result<T, Failure> + Send + 'static,
{
    let control = Control::within(api.limits.query_timeout);
    let place = tokio::time::timeout(api.limits.query_wait, Arc::clone(&api.places).acquire_owned());
    let Ok(Ok(place)) = place.await else {
        return Err(Failure::Busy(format!(
            "{} queries are running; try again in a second.",
            api.limits.query_concurrency
        )));
    };
    let guard = CancelOnDrop(control.clone());
    let running = tokio::task::spawn_blocking(move || {
        let _place = place;
        question(&api, &control)
    });
    let answered = running.await;
    drop(guard);
    answered.unwrap_or_else(|panic| {
        Err(Failure::Internal(anyhow::Error::new(panic).context("the query's thread panicked")))
    })
}

/// Cancels a query when its client goes.
pub(crate) struct CancelOnDrop(pub(crate) Control);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
