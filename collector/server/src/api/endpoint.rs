//! An endpoint of the API: its declaration, and how a question reaches the store and comes back as JSON.

use crate::api::convert::Rates;
use crate::api::failure::Failure;
use crate::api::params::{Parameter, Params};
use crate::api::state::Api;
use crate::http::request_id::RequestId;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
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
    /// The `{…}` part of the path, if any.
    pub(crate) in_path: Option<Parameter>,
    /// Accepted query parameters.
    pub(crate) parameters: &'static [Parameter],
    /// Name of the answer's schema in `orrery-api`.
    pub(crate) answer: &'static str,
    /// Media type of the answer.
    pub(crate) media: &'static str,
}

impl Endpoint {
    pub(crate) const fn json(
        path: &'static str,
        answer: &'static str,
        summary: &'static str,
        parameters: &'static [Parameter],
    ) -> Endpoint {
        Endpoint { path, summary, about: "", in_path: None, parameters, answer, media: "application/json" }
    }

    pub(crate) const fn with_id(mut self, parameter: Parameter) -> Endpoint {
        self.in_path = Some(parameter);
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
    /// The `{…}` part of the path, decoded; empty if there is none.
    pub(crate) id: &'a str,
}

impl Ask<'_> {
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
    router.route(&endpoint.route(), handler(endpoint, answer))
}

fn handler<T: Serialize + 'static>(
    endpoint: &'static Endpoint,
    answer: fn(&Ask<'_>) -> Result<T, Failure>,
) -> MethodRouter<Arc<Api>> {
    get(
        move |State(api): State<Arc<Api>>,
              Extension(request): Extension<RequestId>,
              id: Option<Path<String>>,
              RawQuery(query): RawQuery| async move {
            let id = id.map(|Path(id)| id).unwrap_or_default();
            let query = query.unwrap_or_default();
            let asked = ask(api, move |api, control| {
                let params = Params::parse(&query, endpoint.parameters, api.now())?;
                let value = answer(&Ask { api, control, params, id: &id })?;
                serde_json::to_vec(&value).map_err(|error| Failure::Internal(error.into()))
            });
            match asked.await {
                Ok(body) => json(body),
                Err(failure) => failure.respond(&request.0),
            }
        },
    )
}

fn json(body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], Body::from(body))
        .into_response()
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
