//! The tab's one WebSocket.

use crate::json;
use crate::scope::Scope;
use leptos::prelude::*;
use orrery_api::LiveRequest;
use orrery_api::paths::LIVE;
use std::collections::BTreeMap;
use std::sync::Arc;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{MessageEvent, WebSocket};

/// Takes the text of an event. Each topic reads its own: reading the tagged enum would build every answer twice, once
/// as a tree, and make the program a tenth larger.
type Handler = Arc<dyn Fn(&str) + Send + Sync>;

/// What an event is about: the tag of [`orrery_api::LiveEvent`].
#[derive(serde::Deserialize)]
struct Topic {
    event: String,
}

/// New log records: [`orrery_api::LiveEvent::Logs`].
#[derive(serde::Deserialize)]
pub(crate) struct NewLogs {
    /// The records.
    pub(crate) logs: Vec<orrery_api::LogRecord>,
    /// How many were left out.
    pub(crate) skipped: u64,
}

/// Milliseconds until the first and between later attempts to connect again.
const BACKOFF: (i32, i32) = (1_000, 30_000);

/// Live data for whoever asks; connected only while somebody asks and the tab is in front.
#[derive(Clone, Copy)]
pub(crate) struct Live {
    /// The line is up.
    pub(crate) connected: RwSignal<bool>,
    wanted: RwSignal<BTreeMap<&'static str, LiveRequest>>,
    handlers: StoredValue<BTreeMap<&'static str, Handler>>,
    socket: StoredValue<Option<Line>, LocalStorage>,
    wait: StoredValue<i32>,
    attempt: RwSignal<u32>,
}

struct Line {
    socket: WebSocket,
    _message: Closure<dyn Fn(MessageEvent)>,
    _open: Closure<dyn Fn()>,
    _close: Closure<dyn Fn()>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.socket.set_onmessage(None);
        self.socket.set_onopen(None);
        self.socket.set_onclose(None);
        let _ = self.socket.close();
    }
}

/// The tab's live line.
pub(crate) fn live() -> Live {
    expect_context()
}

impl Live {
    /// Connects and disconnects as needed.
    pub(crate) fn start(scope: Scope) -> Live {
        let live = Live {
            connected: RwSignal::new(false),
            wanted: RwSignal::new(BTreeMap::new()),
            handlers: StoredValue::new(BTreeMap::new()),
            socket: StoredValue::new_local(None),
            wait: StoredValue::new(BACKOFF.0),
            attempt: RwSignal::new(0),
        };
        let needed = Memo::new(move |_| scope.visible.get() && live.wanted.with(|wanted| !wanted.is_empty()));
        Effect::new(move |_| {
            live.attempt.track();
            if needed.get() { live.connect() } else { live.disconnect() }
        });
        live
    }

    /// Subscribes for as long as the current owner lives, to whatever `request` says; `None` unsubscribes.
    pub(crate) fn subscribe<T: serde::de::DeserializeOwned + 'static>(
        self,
        topic: &'static str,
        request: impl Fn() -> Option<LiveRequest> + Send + Sync + 'static,
        handler: impl Fn(T) + Send + Sync + 'static,
    ) {
        let handler = move |text: &str| {
            if let Ok(event) = json::read(text.as_bytes()) {
                handler(event);
            }
        };
        self.handlers.update_value(|handlers| drop(handlers.insert(topic, Arc::new(handler))));
        let request = Memo::new(move |_| request());
        Effect::new(move |_| match request.get() {
            Some(request) => self.want(topic, request),
            None => self.leave(topic),
        });
        on_cleanup(move || {
            self.leave(topic);
            self.handlers.update_value(|handlers| drop(handlers.remove(topic)));
        });
    }

    fn want(self, topic: &'static str, request: LiveRequest) {
        self.send(&request);
        self.wanted.update(|wanted| drop(wanted.insert(topic, request)));
    }

    fn leave(self, topic: &'static str) {
        if self.wanted.with_untracked(|wanted| wanted.contains_key(topic)) {
            self.send(&LiveRequest::None { topic: topic.to_owned() });
            self.wanted.update(|wanted| drop(wanted.remove(topic)));
        }
    }

    fn send(self, request: &LiveRequest) {
        let Ok(text) = serde_json::to_string(request) else { return };
        self.socket.with_value(|line| {
            if let Some(line) = line.as_ref().filter(|line| line.socket.ready_state() == WebSocket::OPEN) {
                let _ = line.socket.send_with_str(&text);
            }
        });
    }

    fn connect(self) {
        if self.socket.with_value(Option::is_some) {
            return;
        }
        let Some(socket) = open() else { return self.later() };
        let message = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| self.receive(&event));
        let open = Closure::<dyn Fn()>::new(move || self.opened());
        let close = Closure::<dyn Fn()>::new(move || self.later());
        socket.set_onmessage(Some(message.as_ref().unchecked_ref()));
        socket.set_onopen(Some(open.as_ref().unchecked_ref()));
        socket.set_onclose(Some(close.as_ref().unchecked_ref()));
        self.socket.set_value(Some(Line { socket, _message: message, _open: open, _close: close }));
    }

    /// Closes the line. One that is still opening is closed once it is open: closing it before is an error to browsers.
    fn disconnect(self) {
        let opening = self
            .socket
            .with_value(|line| line.as_ref().is_some_and(|line| line.socket.ready_state() == WebSocket::CONNECTING));
        if !opening {
            self.socket.set_value(None);
            self.connected.set(false);
        }
    }

    fn opened(self) {
        if self.wanted.with_untracked(BTreeMap::is_empty) {
            return self.disconnect();
        }
        self.connected.set(true);
        self.wait.set_value(BACKOFF.0);
        self.wanted.with_untracked(|wanted| wanted.values().for_each(|request| self.send(request)));
    }

    fn later(self) {
        self.connected.set(false);
        let wait = self.wait.get_value();
        self.wait.set_value((wait * 2).min(BACKOFF.1));
        set_timeout(
            move || {
                self.socket.set_value(None);
                self.attempt.update(|attempt| *attempt += 1);
            },
            std::time::Duration::from_millis(wait.unsigned_abs().into()),
        );
    }

    fn receive(self, event: &MessageEvent) {
        let Some(text) = event.data().as_string() else { return };
        let Ok(Topic { event }) = json::read(text.as_bytes()) else { return };
        if let Some(handler) = self.handlers.with_value(|handlers| handlers.get(event.as_str()).cloned()) {
            handler(&text);
        }
    }
}

fn open() -> Option<WebSocket> {
    let location = window().location();
    let scheme = if location.protocol().ok()? == "https:" { "wss" } else { "ws" };
    WebSocket::new(&format!("{scheme}://{}{LIVE}", location.host().ok()?)).ok()
}
