//! The module's exports.

use serde::Serialize;
use wasm_bindgen::prelude::wasm_bindgen;

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data has a JSON form")
}

/// [`crate::read`]: a [`crate::Reading`].
#[wasm_bindgen]
pub fn read(text: &str) -> String {
    json(&crate::read(text))
}

/// [`crate::offer`]: a [`crate::Offer`].
#[wasm_bindgen]
pub fn offer(text: &str, cursor: usize) -> String {
    json(&crate::offer(text, cursor))
}

/// [`crate::accept`]: a [`crate::Accepted`].
#[wasm_bindgen]
pub fn accept(text: &str, cursor: usize, item: &str) -> String {
    json(&crate::accept(text, cursor, item))
}

/// [`crate::query_of`], of [`crate::Row`]s in JSON; empty if they are not.
#[wasm_bindgen]
pub fn query_of(rows: &str) -> String {
    serde_json::from_str::<Vec<crate::Row>>(rows).map(|rows| crate::query_of(&rows)).unwrap_or_default()
}

/// [`crate::type_of`].
#[wasm_bindgen]
pub fn type_of(field: &str) -> String {
    crate::type_of(field).to_owned()
}

/// [`crate::with_columns`], of names one a line.
#[wasm_bindgen]
pub fn with_columns(text: &str, columns: &str) -> Option<String> {
    crate::with_columns(text, &columns.lines().collect::<Vec<_>>())
}
