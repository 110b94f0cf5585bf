//! One request.

use crate::json;
use crate::words::{say, t};
use leptos::prelude::{document, window};
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
    /// Of what was sent.
    pub(crate) field: Option<String>,
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

/// What is sent with a request.
pub(crate) enum Sent {
    /// Something in JSON.
    Json(String),
    /// A file, as it is.
    File(JsValue),
}

/// Starts a request. `done` is not called once the flight is dropped.
pub(crate) fn send(
    method: &str,
    url: &str,
    sent: Option<Sent>,
    done: Box<dyn FnOnce(Result<Vec<u8>, Failure>)>,
) -> Flight {
    let controller = AbortController::new().expect("every browser with wasm can abort a fetch");
    let (signal, method, url) = (controller.signal(), method.to_owned(), url.to_owned());
    spawn_local(async move {
        let answer = once(&method, &url, sent, Some(&signal)).await;
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

/// Makes a request. Without a signal it goes on when nobody waits for it any more.
pub(crate) async fn once(
    method: &str,
    url: &str,
    sent: Option<Sent>,
    signal: Option<&AbortSignal>,
) -> Result<Vec<u8>, Failure> {
    let response = fetch(method, url, sent, signal).await?;
    let bytes = bytes(&response).await?;
    if response.ok() { Ok(bytes) } else { Err(problem(response.status(), &bytes)) }
}

async fn fetch(method: &str, url: &str, sent: Option<Sent>, signal: Option<&AbortSignal>) -> Result<Response, Failure> {
    let init = RequestInit::new();
    init.set_method(method);
    init.set_signal(signal);
    match sent {
        Some(Sent::Json(text)) => {
            init.set_body(&text.into());
            if let Ok(headers) = Headers::new() {
                let _ = headers.set("content-type", "application/json");
                init.set_headers(&headers);
            }
        }
        Some(Sent::File(file)) => init.set_body(&file),
        None => {}
    }
    let response = JsFuture::from(window().fetch_with_str_and_init(url, &init)).await;
    Ok(response.map_err(|_| unreachable_server())?.unchecked_into())
}

async fn bytes(response: &Response) -> Result<Vec<u8>, Failure> {
    let body = JsFuture::from(response.array_buffer().map_err(|_| unreachable_server())?);
    Ok(js_sys::Uint8Array::new(&body.await.map_err(|_| unreachable_server())?).to_vec())
}

/// Posts something in JSON and has the answer saved under a name; the browser keeps it, however large it is.
pub(crate) async fn save(url: &str, body: &str, name: &str) -> Result<(), Failure> {
    let response = fetch("POST", url, Some(Sent::Json(body.to_owned())), None).await?;
    if !response.ok() {
        return Err(problem(response.status(), &bytes(&response).await?));
    }
    let blob = JsFuture::from(response.blob().map_err(|_| unreachable_server())?);
    let blob = blob.await.map_err(|_| unreachable_server())?;
    // `Url::create_object_url_with_blob` by its name: the type of a blob is all else that would be needed of it.
    let class = js_sys::Reflect::get(&window(), &"URL".into()).map_err(|_| unreachable_server())?;
    let call = |method: &str, argument: &wasm_bindgen::JsValue| {
        let function: js_sys::Function = js_sys::Reflect::get(&class, &method.into()).ok()?.dyn_into().ok()?;
        function.call1(&class, argument).ok()
    };
    let url = call("createObjectURL", &blob).ok_or_else(unreachable_server)?;
    let link: web_sys::HtmlAnchorElement =
        document().create_element("a").map_err(|_| unreachable_server())?.unchecked_into();
    link.set_href(&url.as_string().unwrap_or_default());
    link.set_download(name);
    link.click();
    call("revokeObjectURL", &url);
    Ok(())
}

fn unreachable_server() -> Failure {
    Failure { detail: t(say::SERVER_UNREACHABLE).to_owned(), ..Failure::default() }
}

fn problem(status: u16, bytes: &[u8]) -> Failure {
    match json::read::<Problem>(bytes) {
        Ok(problem) => {
            let detail = match problem.detail {
                none if none.is_empty() => problem.title,
                // What to do then is no sentence by itself.
                what_to_do if status >= 500 => format!("{}. {what_to_do}", problem.title),
                detail => detail,
            };
            Failure {
                status,
                detail,
                field: problem.field,
                place: problem.place,
                hint: problem.hint,
                request_id: problem.request_id,
            }
        }
        Err(_) => Failure { status, detail: format!("HTTP {status}"), ..Failure::default() },
    }
}
