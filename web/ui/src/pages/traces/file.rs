//! A trace from a file: chosen or dropped here, read by the server, shown by the trace's page, stored by nobody.

use crate::client::{Failure, Flight, send_file};
use crate::components::icon::icon;
use crate::nav::{Nav, nav};
use crate::opened::{self, File, Opened, opened};
use crate::words::{say, t, tf};
use leptos::html;
use leptos::prelude::*;
use orrery_api::paths;
use std::sync::Arc;
use wasm_bindgen::JsCast;

/// A file on its way.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    name: RwSignal<Option<String>>,
    failure: RwSignal<Option<(String, Failure)>>,
    flight: RwSignal<Option<Flight>, LocalStorage>,
    over: RwSignal<bool>,
    nav: Nav,
    opened: Opened,
}

impl Reading {
    pub(super) fn start() -> Reading {
        Reading {
            name: RwSignal::new(None),
            failure: RwSignal::new(None),
            flight: RwSignal::new_local(None),
            over: RwSignal::new(false),
            nav: nav(),
            opened: opened(),
        }
    }

    fn read(self, file: &web_sys::File) {
        let (name, Reading { nav, opened, .. }) = (file.name(), self);
        self.failure.set(None);
        self.name.set(Some(name.clone()));
        let done = move |answer: Result<Vec<u8>, Failure>| {
            self.name.set(None);
            match answer {
                Ok(answer) => {
                    opened.0.set(Some(File { name: name.clone(), answer: Arc::new(answer) }));
                    nav.go(&nav.href_now(opened::PATH, &[]));
                }
                Err(failure) => self.failure.set(Some((name.clone(), failure))),
            }
        };
        self.flight.set(Some(send_file("POST", paths::TRACE_VIEW, Some(file.as_ref()), Box::new(done))));
    }

    /// A file is held over the page.
    pub(super) fn over(self, event: &web_sys::DragEvent) {
        let is_file = event.data_transfer().is_some_and(|held| held.types().includes(&"Files".into(), 0));
        if is_file {
            event.prevent_default();
            self.over.set(true);
        }
    }

    pub(super) fn leave(self, event: &web_sys::DragEvent) {
        // Between parts of the page it does not leave it.
        if event.related_target().is_none() {
            self.over.set(false);
        }
    }

    pub(super) fn dropped(self, event: &web_sys::DragEvent) {
        self.over.set(false);
        if let Some(file) = event.data_transfer().and_then(|held| held.files()).and_then(|files| files.get(0)) {
            event.prevent_default();
            self.read(&file);
        }
    }
}

/// Words over the page while a file is held over it, and what became of the last one.
pub(super) fn told(reading: Reading) -> AnyView {
    let failed = move || {
        reading.failure.get().map(|(name, failure)| view! {
            <div class="notice file-notice" role="alert">
                <span class="glyph is-err" aria-hidden="true">"◆"</span>
                <div><p>{tf(say::FILE_FAILED, &[("name", &name), ("why", &failure.detail)])}</p></div>
                <button type="button" class="icon-button" aria-label=t(say::CLOSE) title=t(say::CLOSE) on:click=move |_| reading.failure.set(None)>{icon("x")}</button>
            </div>
        })
    };
    view! {
        {failed}
        {move || reading.name.get().map(|name| view! { <p class="hint file-notice" role="status">{tf(say::FILE_READING, &[("name", &name)])}</p> })}
        {move || reading.over.get().then(|| view! { <div class="drop-here" aria-hidden="true"><p>{icon("file-up")}{t(say::DROP_FILE)}</p></div> })}
    }
    .into_any()
}

/// The button that chooses one.
pub(super) fn button(reading: Reading) -> AnyView {
    let input = NodeRef::<html::Input>::new();
    let chosen = move |_| {
        let Some(input) = input.get_untracked() else { return };
        if let Some(file) = input.files().and_then(|files| files.get(0)) {
            reading.read(&file);
        }
        // The same one may be chosen again.
        input.set_value("");
    };
    let choose = move |_| {
        if let Some(input) = input.get_untracked() {
            input.unchecked_ref::<web_sys::HtmlElement>().click();
        }
    };
    view! {
        <button type="button" class="button button-quiet" title=t(say::OPEN_FILE_HINT) on:click=choose>{icon("file-up")}<span class="button-text">{t(say::OPEN_FILE)}</span></button>
        <input type="file" hidden=true accept=".json,.jsonl,.ndjson,application/json" node_ref=input on:change=chosen />
    }
    .into_any()
}
