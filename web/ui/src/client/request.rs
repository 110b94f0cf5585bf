//! One request.

use crate::json;
use crate::words::{say, t};
use leptos::prelude::window;
use orrery_api::{Place, Problem};
use serde::de::DeserializeOwned;

use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{AbortController, AbortSignal, Headers, RequestInit, Response};

/// Why a request got no answer, for a person.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Failure {
    /// HTTP status; 0 when the server was not reached.
    pub(crate) status: u16,
    /// Plain words.
    pub(crate) detail: String,
    /// Where in the query.
    pub(crate) place: Option<Place>,
    /// What to write there instead.
    pub(crate) hint: Option<String>,
    /// For the server's log.
    pub(crate) request_id: String,
}

/// A request under way; dropping it cancels it.
pub(crate) struct Flight(AbortController);

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Milliseconds of a clock that only goes forward.
pub(crate) fn clock() -> f64 {
    window().performance().map_or_else(js_sys::Date::now, |performance| performance.now())
}

/// Starts a request. `done` is not called once the flight is dropped.
pub(crate) fn get(url: &str, done: Box<dyn FnOnce(Result<Vec<u8>, Failure>)>) -> Flight {
    let controller = AbortController::new().expect("every browser with wasm can abort a fetch");
    let (signal, url) = (controller.signal(), url.to_owned());
    spawn_local(async move {
        let answer = once(&url, Some(&signal)).await;
        if !signal.aborted() {
            done(answer);
        }
    });
    Flight(controller)
}

/// Sends something, with a body or without.
pub(crate) fn send(
    method: &str,
    url: &str,
    body: Option<&JsValue>,
    done: Box<dyn FnOnce(Result<Vec<u8>, Failure>)>,
) -> Flight {
    let controller = AbortController::new().expect("every browser with wasm can abort a fetch");
    let (signal, url, init) = (controller.signal(), url.to_owned(), RequestInit::new());
    init.set_method(method);
    if let Some(body) = body {
        init.set_body(body);
    }
    spawn_local(async move {
        init.set_signal(Some(&signal));
        let answer = fetch(&url, &init).await;
        if !signal.aborted() {
            done(answer);
        }
    });
    Flight(controller)
}

/// Reads an answer in JSON.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    json::read(bytes).map_err(|error| unreadable(&error))
}

/// An answer that is not what this version of the dashboard expects.
pub(crate) fn unreadable(error: &dyn std::fmt::Display) -> Failure {
    Failure { status: 200, detail: format!("{} ({error})", t(say::ANSWER_UNREADABLE)), ..Failure::default() }
}

/// Makes a request.
pub(crate) async fn once(url: &str, signal: Option<&AbortSignal>) -> Result<Vec<u8>, Failure> {
    let init = RequestInit::new();
    init.set_signal(signal);
    fetch(url, &init).await
}

/// Makes a request that changes something; it goes on when nobody waits for it any more.
pub(crate) async fn change(method: &str, url: &str, body: Option<&str>) -> Result<Vec<u8>, Failure> {
    let init = RequestInit::new();
    init.set_method(method);
    if let (Some(body), Ok(headers)) = (body, Headers::new()) {
        let _ = headers.set("content-type", "application/json");
        init.set_headers(&headers);
        init.set_body(&body.into());
    }
    fetch(url, &init).await
}

async fn fetch(url: &str, init: &RequestInit) -> Result<Vec<u8>, Failure> {
    let response =
        JsFuture::from(window().fetch_with_str_and_init(url, init)).await.map_err(|_| unreachable_server())?;
    let response: Response = response.unchecked_into();
    let body = JsFuture::from(response.array_buffer().map_err(|_| unreachable_server())?);
    let bytes = js_sys::Uint8Array::new(&body.await.map_err(|_| unreachable_server())?).to_vec();
    if !response.ok() {
        return Err(problem(response.status(), &bytes));
    }
    Ok(bytes)
}

fn unreachable_server() -> Failure {
    Failure { detail: t(say::SERVER_UNREACHABLE).to_owned(), ..Failure::default() }
}

fn problem(status: u16, bytes: &[u8]) -> Failure {
    match json::read::<Problem>(bytes) {
        Ok(problem) => {
            let detail = if problem.detail.is_empty() { problem.title } else { problem.detail };
            Failure { status, detail, place: problem.place, hint: problem.hint, request_id: problem.request_id }
        }
        Err(_) => Failure { status, detail: format!("HTTP {status}"), ..Failure::default() },
    }
}
