//! The API as signals: one request at a time per place, cancelled when nobody waits for it any more.

pub(crate) mod live;
mod request;

use request::Sent;
pub(crate) use request::{Failure, Flight, read, unreadable};

use crate::address;
use leptos::prelude::*;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// A request: what is asked, and what of it a person chose.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ask {
    url: String,
    /// Changes when a person chose something else, not when only the clock moved on.
    choice: String,
    path: String,
    /// Posted, in JSON.
    body: Option<String>,
}

/// A `GET` of a path with parameters; empty values are left out.
pub(crate) fn ask(path: &str, params: &[(&str, String)]) -> Ask {
    let mut url = path.to_owned();
    let mut choice = path.to_owned();
    for (name, value) in params.iter().filter(|(_, value)| !value.is_empty()) {
        let pair = format!("{}{name}={}", if url.contains('?') { '&' } else { '?' }, address::encode(value));
        url += &pair;
        if !matches!(*name, "from" | "to" | "compare_from" | "compare_to") {
            choice += &pair;
        }
    }
    Ask { url, choice, path: path.to_owned(), body: None }
}

/// A `POST` of something in JSON. `choice` is what of it a person chose.
pub(crate) fn post(path: &str, body: String, choice: String) -> Ask {
    Ask { url: path.to_owned(), choice, path: path.to_owned(), body: Some(body) }
}

impl Ask {
    fn send(&self, done: Box<dyn FnOnce(Result<Vec<u8>, Failure>)>) -> Flight {
        let method = if self.body.is_some() { "POST" } else { "GET" };
        request::send(method, &self.url, self.body.clone().map(Sent::Json), done)
    }

    /// The same, posting something in JSON, which is a choice.
    pub(crate) fn posting(mut self, body: String) -> Ask {
        self.choice += &body;
        Ask { body: Some(body), ..self }
    }

    /// Also a choice: the range, whose moments change with every refresh.
    pub(crate) fn chosen(mut self, choice: impl std::fmt::Debug) -> Ask {
        self.choice += &format!(" {choice:?}");
        self
    }
}

/// What a panel waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Busy {
    /// Nothing.
    #[default]
    No,
    /// The next state of what it shows.
    Refresh,
    /// Something else than it shows, since a moment (`performance.now()`).
    Change(f64),
}

/// How a load is doing, whatever it loads.
#[derive(Clone, Copy)]
pub(crate) struct Progress {
    /// Why there is no newer answer.
    pub(crate) failure: RwSignal<Option<Failure>>,
    /// What is under way.
    pub(crate) busy: RwSignal<Busy>,
    /// When the last good answer came, `Date.now()`; 0 before the first.
    pub(crate) arrived: RwSignal<f64>,
    again: RwSignal<u32>,
    flight: StoredValue<Option<request::Flight>, LocalStorage>,
}

impl Progress {
    fn new() -> Progress {
        Progress {
            failure: RwSignal::new(None),
            busy: RwSignal::new(Busy::No),
            arrived: RwSignal::new(0.0),
            again: RwSignal::new(0),
            flight: StoredValue::new_local(None),
        }
    }

    /// Asks again.
    pub(crate) fn retry(self) {
        self.again.update(|count| *count += 1);
    }

    /// Gives up on the request under way.
    pub(crate) fn cancel(self) {
        self.flight.set_value(None);
        self.busy.set(Busy::No);
    }

    fn failed(self, failure: Failure) {
        self.failure.set(Some(failure));
        self.busy.set(Busy::No);
    }

    fn arrived(self) {
        self.failure.set(None);
        self.busy.set(Busy::No);
        self.arrived.set(js_sys::Date::now());
    }

    fn idle(self) {
        self.flight.set_value(None);
        self.failure.set(None);
        self.busy.set(Busy::No);
    }

    /// Asks now and whenever `wanted` changes; `data` takes the answers.
    fn follow(self, wanted: Memo<Option<Ask>>, data: Box<dyn Data>) {
        let data: std::rc::Rc<dyn Data> = data.into();
        Effect::new(move |last: Option<Option<Ask>>| {
            self.again.track();
            let ask = wanted.get();
            self.ask(last.flatten().as_ref(), ask.as_ref(), &data);
            ask
        });
        on_cleanup(move || {
            self.flight.try_set_value(None);
        });
    }

    fn ask(self, last: Option<&Ask>, ask: Option<&Ask>, data: &std::rc::Rc<dyn Data>) {
        let Some(ask) = ask else {
            data.clear();
            return self.idle();
        };
        if last.is_some_and(|last| last.path != ask.path) {
            data.clear();
        }
        let same = data.is_there() && last.is_some_and(|last| last.choice == ask.choice);
        match self.busy.get_untracked() {
            // What is shown answers another question still.
            Busy::Change(_) if same => {}
            _ if same => self.busy.set(Busy::Refresh),
            _ => self.busy.set(Busy::Change(request::clock())),
        }
        let data = data.clone();
        let done = move |answer: Result<Vec<u8>, Failure>| match answer.and_then(|bytes| data.take(bytes)) {
            Ok(()) => self.arrived(),
            Err(failure) => self.failed(failure),
        };
        self.flight.set_value(Some(ask.send(Box::new(done))));
    }
}

/// Where answers of some type go.
trait Data {
    fn take(&self, bytes: Vec<u8>) -> Result<(), Failure>;
    fn clear(&self);
    fn is_there(&self) -> bool;
}

/// How an answer's bytes become what is shown.
type Read<T> = fn(Vec<u8>) -> Result<T, Failure>;

struct Into<T: Send + Sync + 'static> {
    data: RwSignal<Option<Arc<T>>>,
    read: Read<T>,
}

impl<T: Send + Sync + 'static> Data for Into<T> {
    fn take(&self, bytes: Vec<u8>) -> Result<(), Failure> {
        let data = (self.read)(bytes)?;
        self.data.set(Some(Arc::new(data)));
        Ok(())
    }

    fn clear(&self) {
        self.data.set(None);
    }

    fn is_there(&self) -> bool {
        self.data.with_untracked(Option::is_some)
    }
}

/// An answer as it comes and comes again.
pub(crate) struct Load<T: Send + Sync + 'static> {
    /// The last good answer.
    pub(crate) data: RwSignal<Option<Arc<T>>>,
    /// How it is doing.
    pub(crate) progress: Progress,
}

impl<T: Send + Sync + 'static> Clone for Load<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Send + Sync + 'static> Copy for Load<T> {}

impl<T: Send + Sync + 'static> Load<T> {
    /// Puts in an answer that came another way.
    pub(crate) fn put(self, data: T) {
        self.data.set(Some(Arc::new(data)));
        self.progress.arrived();
    }
}

/// Loads whatever `wanted` says, again when that changes. `None` asks nothing and shows nothing.
pub(crate) fn load<T>(wanted: impl Fn() -> Option<Ask> + Send + Sync + 'static) -> Load<T>
where
    T: DeserializeOwned + Send + Sync + 'static,
{
    load_with(wanted, |bytes| request::read(&bytes))
}

/// The same for what is not JSON.
pub(crate) fn load_with<T: Send + Sync + 'static>(
    wanted: impl Fn() -> Option<Ask> + Send + Sync + 'static,
    read: Read<T>,
) -> Load<T> {
    let load = Load { data: RwSignal::new(None), progress: Progress::new() };
    load.progress.follow(Memo::new(move |_| wanted()), Box::new(Into { data: load.data, read }));
    load
}

/// Asks once, outside of any panel. Dropping the flight cancels the request.
pub(crate) fn get<T: DeserializeOwned>(ask: &Ask, done: impl FnOnce(Result<T, Failure>) + 'static) -> Flight {
    let done = move |answer: Result<Vec<u8>, Failure>| done(answer.and_then(|bytes| request::read(&bytes)));
    ask.send(Box::new(done))
}

/// Has something changed, and reads what comes back; it goes on when nobody waits for it any more.
pub(crate) async fn change<T: DeserializeOwned>(
    method: &str,
    url: &str,
    body: Option<&impl serde::Serialize>,
) -> Result<T, Failure> {
    let body = body.and_then(|body| serde_json::to_string(body).ok()).map(Sent::Json);
    request::once(method, url, body, None).await.and_then(|bytes| request::read(&bytes))
}

/// Sends something once: `PUT`, `DELETE`, or `POST` with a file. Dropping the flight gives up on the answer.
pub(crate) fn send<T: DeserializeOwned>(
    method: &str,
    path: &str,
    file: Option<&wasm_bindgen::JsValue>,
    done: impl FnOnce(Result<T, Failure>) + 'static,
) -> Flight {
    let done = move |answer: Result<Vec<u8>, Failure>| done(answer.and_then(|bytes| request::read(&bytes)));
    send_file(method, path, file, Box::new(done))
}

/// The same, for whoever does not take the answer apart.
pub(crate) fn send_file(
    method: &str,
    path: &str,
    file: Option<&wasm_bindgen::JsValue>,
    done: Box<dyn FnOnce(Result<Vec<u8>, Failure>)>,
) -> Flight {
    request::send(method, path, file.cloned().map(Sent::File), done)
}

/// Fetches whatever there is.
pub(crate) async fn bytes(path: &str) -> Result<Vec<u8>, Failure> {
    request::once("GET", path, None, None).await
}

/// Posts something in JSON and has the answer saved as a file.
pub(crate) async fn save(path: &str, body: &str, name: &str) -> Result<(), Failure> {
    request::save(path, body, name).await
}
