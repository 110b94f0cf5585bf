//! TraceQL's module: loaded when a query bar appears.

use crate::json;
use leptos::prelude::*;
use orrery_traceql::{Accepted, Offer, Reading, Row};
use serde::de::DeserializeOwned;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};
use wasm_bindgen_futures::{JsFuture, spawn_local};

#[wasm_bindgen]
extern "C" {
    /// `orrery-traceql` in the browser; see there for what its functions do.
    #[derive(Clone)]
    type Module;

    /// From `boot.js`.
    #[wasm_bindgen(catch, js_namespace = window, js_name = orreryTraceql)]
    fn load() -> Result<js_sys::Promise, JsValue>;

    #[wasm_bindgen(method)]
    fn read(this: &Module, text: &str) -> String;
    #[wasm_bindgen(method)]
    fn offer(this: &Module, text: &str, cursor: usize) -> String;
    #[wasm_bindgen(method)]
    fn accept(this: &Module, text: &str, cursor: usize, item: &str) -> String;
    #[wasm_bindgen(method)]
    fn query_of(this: &Module, rows: &str) -> String;
    #[wasm_bindgen(method)]
    fn type_of(this: &Module, field: &str) -> String;
    #[wasm_bindgen(method)]
    fn with_columns(this: &Module, text: &str, columns: &str) -> Option<String>;
}

/// What the module is asked. While it is not there, nothing is known of a text; everything here is tracked.
#[derive(Clone, Copy)]
pub(crate) struct Language {
    module: RwSignal<Option<Module>, LocalStorage>,
    failed: RwSignal<bool>,
}

impl Language {
    /// Begins to load it. Without it a query can still be written and asked.
    pub(crate) fn start() -> Language {
        let language = Language { module: RwSignal::new_local(None), failed: RwSignal::new(false) };
        spawn_local(async move {
            let loaded = match load() {
                Ok(promise) => JsFuture::from(promise).await,
                Err(error) => Err(error),
            };
            match loaded {
                Ok(module) => drop(language.module.try_set(Some(module.unchecked_into()))),
                Err(_) => drop(language.failed.try_set(true)),
            }
        });
        language
    }

    /// Whether it is there, or will not come.
    pub(crate) fn is_settled(self) -> bool {
        self.failed.get() || self.module.with(Option::is_some)
    }

    fn ask<T: DeserializeOwned>(self, ask: impl FnOnce(&Module) -> String) -> Option<T> {
        self.module.with(|module| module.as_ref().map(ask)).and_then(|text| json::read(text.as_bytes()).ok())
    }

    /// What a text says.
    pub(crate) fn read(self, text: &str) -> Option<Reading> {
        self.ask(|module| module.read(text))
    }

    /// What could be written at a byte.
    pub(crate) fn offer(self, text: &str, cursor: usize) -> Option<Offer> {
        self.ask(|module| module.offer(text, cursor))
    }

    /// The text with something written into it at a byte.
    pub(crate) fn accept(self, text: &str, cursor: usize, item: &str) -> Option<Accepted> {
        self.ask(|module| module.accept(text, cursor, item))
    }

    /// The query of some rows.
    pub(crate) fn query_of(self, rows: &[Row]) -> Option<String> {
        let rows = serde_json::to_string(rows).ok()?;
        self.module.with(|module| module.as_ref().map(|module| module.query_of(&rows)))
    }

    /// The type of a field.
    pub(crate) fn type_of(self, field: &str) -> String {
        self.module.with(|module| module.as_ref().map(|module| module.type_of(field))).unwrap_or_default()
    }

    /// The same search with these columns.
    pub(crate) fn with_columns(self, text: &str, columns: &[String]) -> Option<String> {
        self.module.with(|module| module.as_ref().and_then(|module| module.with_columns(text, &columns.join("\n"))))
    }
}
