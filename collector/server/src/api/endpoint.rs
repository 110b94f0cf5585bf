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
use axum::routing::{MethodFilter, MethodRouter, on};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use orrery_query::{Control, Store};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// A body whose form others have defined.
pub(crate) const ANY_JSON: &str = "*";

/// How an endpoint is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Changes nothing.
    Get,
    /// Makes something new; or changes nothing, but takes a body.
    Post,
    /// Makes something so, however often it is said.
    Put,
    /// Takes it away again.
    Delete,
}

impl Verb {
    fn filter(self) -> MethodFilter {
        match self {
            Verb::Get => MethodFilter::GET,
            Verb::Post => MethodFilter::POST,
            Verb::Put => MethodFilter::PUT,
            Verb::Delete => MethodFilter::DELETE,
        }
    }
}

/// What an endpoint promises. The router, the parameter check and the OpenAPI document all read it.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "what only the OpenAPI document says, a test writes"))]
pub(crate) struct Endpoint {
    /// How it is asked.
    pub(crate) verb: Verb,
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
    /// Name of the schema of what is sent, in `orrery-api`; empty if nothing is, [`ANY_JSON`] for what has no schema.
    pub(crate) body: &'static str,
    /// Bytes that may be sent.
    pub(crate) body_bytes: usize,
    /// Status of a good answer.
    pub(crate) status: StatusCode,
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
        Endpoint {
            verb: Verb::Get,
            path,
            summary,
            about: "",
            in_path: &[],
            parameters,
            body: "",
            body_bytes: BODY_BYTES,
            status: StatusCode::OK,
            answer,
            media: "application/json",
        }
    }

    /// One that takes a body or changes something. `body` is the name of the schema of what is sent.
    pub(crate) const fn change(mut self, verb: Verb, body: &'static str) -> Endpoint {
        self.verb = verb;
        self.body = body;
        self
    }

    /// One that takes more than others.
    pub(crate) const fn up_to(mut self, bytes: usize) -> Endpoint {
        self.body_bytes = bytes;
        self
    }

    /// One that makes something new.
    pub(crate) const fn makes(mut self) -> Endpoint {
        self.status = StatusCode::CREATED;
        self
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
    /// What was sent; empty where nothing is.
    pub(crate) body: &'a [u8],
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

    /// What was sent, read.
    pub(crate) fn sent<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(self.body)
            .map_err(|error| Failure::invalid("body", format!("the body is not what is wanted: {error}")))
    }

    /// How counts become rates at this moment.
    pub(crate) fn rates(&self) -> Rates {
        Rates::new(self.api.health().oldest_unix_nano, self.params.now())
    }
}

/// Bytes that may be sent to an endpoint, unless it says otherwise.
const BODY_BYTES: usize = 64 << 10;

/// Adds an endpoint whose handler answers with something that is JSON.
pub(crate) fn add<T: Serialize + 'static>(
    router: axum::Router<Arc<Api>>,
    endpoint: &'static Endpoint,
    answer: fn(&Ask<'_>) -> Result<T, Failure>,
) -> axum::Router<Arc<Api>> {
    let json = move |ask: &Ask<'_>| serde_json::to_vec(&answer(ask)?).map_err(|error| Failure::Internal(error.into()));
    add_bytes(router, endpoint, json)
}

/// Adds an endpoint whose handler answers with bytes of its media type.
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
    let handle = move |State(api): State<Arc<Api>>,
                       Extension(request): Extension<RequestId>,
                       in_path: Option<Path<Vec<(String, String)>>>,
                       RawQuery(query): RawQuery,
                       headers: HeaderMap,
                       body: Body| async move {
        let in_path = in_path.map(|Path(parts)| parts).unwrap_or_default();
        let query = query.unwrap_or_default();
        let sent =
            if endpoint.body.is_empty() { Ok(Bytes::new()) } else { sent(&headers, body, endpoint.body_bytes).await };
        let answered = match sent {
            Err(failure) => Err(failure),
            Ok(body) => {
                let question = move |api: &Api, control: &Control| {
                    let params = Params::parse(&query, endpoint.parameters, api.now())?;
                    answer(&Ask { api, control, params, in_path: &in_path, body: &body })
                };
                ask(api, question).await
            }
        };
        match answered {
            Ok(body) => {
                let headers = [(header::CONTENT_TYPE, endpoint.media), (header::CACHE_CONTROL, "no-store")];
                (endpoint.status, headers, Body::from(body)).into_response()
            }
            Err(failure) => failure.respond(&request.0),
        }
    };
    on(endpoint.verb.filter(), handle)
}

/// What was sent. Only JSON: a page elsewhere can have a browser send other things to us without asking first.
async fn sent(headers: &HeaderMap, body: Body, most: usize) -> Result<Bytes, Failure> {
    let media = headers.get(header::CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
    if media.split(';').next().unwrap_or_default().trim() != "application/json" {
        return Err(Failure::Media);
    }
    axum::body::to_bytes(body, most).await.map_err(|_| Failure::TooLarge(most))
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
