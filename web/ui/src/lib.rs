//! The dashboard: Leptos in the browser over the JSON API, nothing rendered by the server.
//!
//! - [`address`]: the whole state of a page is in its address; `nav` makes it a signal.
//! - `scope`: time window, environment and liveness, shared by all pages.
//! - `client`: answers of the API as signals, cancelled when nobody waits; one WebSocket per tab.
//! - `components`: what pages are made of; `components::state` is loading, empty, error, partial and stale.
//! - `pages`: one module per page, loaded when it is opened (`pages::chunks`).
//! - [`words`]: everything it says, English and Korean, checked by the compiler.
//!
//! Pictures come from `orrery-chart`; `canvas` gives it a surface.
//!
//! Compiled natively, this crate is its DOM-free half: `cargo test -p orrery-ui` runs its unit tests.

// `#[component]` makes its builders `pub`, whatever the component is.
#![cfg_attr(target_arch = "wasm32", allow(unreachable_pub))]

pub mod address;
pub mod alerting;
pub mod atlas;
pub mod calls;
pub mod changes;
pub mod compare;
pub mod figures;
pub mod filters;
pub mod findings;
pub mod flame;
pub mod found;
pub mod json;
pub mod outside;
pub mod patterns;
pub mod query;
pub mod range;
pub mod series;
pub mod spans;
pub mod sql;
pub mod traceql;
pub mod words;

#[cfg(target_arch = "wasm32")]
mod app;
#[cfg(target_arch = "wasm32")]
mod canvas;
#[cfg(target_arch = "wasm32")]
mod client;
#[cfg(target_arch = "wasm32")]
mod components;
#[cfg(target_arch = "wasm32")]
mod nav;
#[cfg(target_arch = "wasm32")]
mod opened;
#[cfg(target_arch = "wasm32")]
mod pages;
#[cfg(target_arch = "wasm32")]
mod preferences;
#[cfg(target_arch = "wasm32")]
mod scope;

/// Starts the dashboard; the browser calls it once the module is there.
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen::prelude::wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
    app::start();
}
