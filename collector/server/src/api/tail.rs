//! `GET /logs/tail`: new log records as server-sent events, for scripts.

use crate::api::endpoint::Endpoint;
use crate::api::failure::Failure;
use crate::api::logs::{SEVERITY, TEXT};
use crate::api::params::{ATTR, Params, SERVICE, TRACE_ID};
use crate::api::state::Api;
use crate::http::request_id::RequestId;
use crate::live::{Client, LogWish, News, Reader};
use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt};
use http::HeaderMap;
use orrery_api::paths;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// `GET /logs/tail`.
pub(crate) const TAIL: Endpoint = Endpoint::json(paths::LOG_TAIL, "LogRecord", "New log records as they arrive, as server-sent events", &[SERVICE, SEVERITY, TEXT, TRACE_ID, ATTR])
    .media("text/event-stream")
    .about("Event `log`: one record. Event `skipped`: a number; that many more matched but the line was too slow. A client that reconnects within a minute with `Last-Event-ID` and the same parameters continues where it was.");

pub(crate) async fn tail(
    State(api): State<Arc<Api>>,
    Extension(request): Extension<RequestId>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let last_event = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    match open(&api, &query.unwrap_or_default(), last_event) {
        Ok(reader) => {
            let client = api.bus.client();
            let events = events(reader, client).take_until(api.stopping.clone().cancelled_owned());
            Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response()
        }
        Err(failure) => failure.respond(&request.0),
    }
}

fn open(api: &Api, query: &str, last_event: Option<&str>) -> Result<Reader, Failure> {
    let params = Params::parse(query, TAIL.parameters, api.now())?;
    let wish = LogWish {
        service: params.service(),
        min_severity: params.severity()?,
        text: params.text(TEXT.name).map(str::to_lowercase),
        trace_id: params.trace_id()?,
        attributes: params.attributes()?,
    };
    let resumed = last_event.and_then(position).and_then(|(id, last)| api.bus.resume(id, last + 1, &wish));
    let reader = resumed.or_else(|| api.bus.subscribe(wish).map(Reader::resumable));
    reader.ok_or_else(|| Failure::Busy("Too many live subscriptions; close some and try again.".to_owned()))
}

/// Event ids are `subscription.number`.
fn position(event_id: &str) -> Option<(u64, u64)> {
    let (id, number) = event_id.split_once('.')?;
    Some((id.parse().ok()?, number.parse().ok()?))
}

fn events(reader: Reader, client: Client) -> impl Stream<Item = Result<Event, Infallible>> {
    let start = (reader, client, VecDeque::new());
    stream::unfold(start, |(mut reader, client, mut ready)| async move {
        while ready.is_empty() {
            let news = reader.news().await;
            ready.extend(written(&news, reader.id()));
        }
        let event = ready.pop_front()?;
        Some((Ok(event), (reader, client, ready)))
    })
}

fn written(news: &News, id: u64) -> Vec<Event> {
    let skipped = (news.skipped > 0).then(|| Event::default().event("skipped").data(news.skipped.to_string()));
    let records = news.records.iter().filter_map(|(number, record)| {
        let data = serde_json::to_string(record.as_ref()).ok()?;
        Some(Event::default().event("log").id(format!("{id}.{number}")).data(data))
    });
    skipped.into_iter().chain(records).collect()
}
