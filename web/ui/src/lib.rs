//! The dashboard.
#[cfg(target_arch = "wasm32")]
use leptos as _;
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen::prelude::wasm_bindgen(start)]
pub fn start() {}
