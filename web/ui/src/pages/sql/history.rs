//! Statements that were run, kept by the browser.

use crate::json;
use crate::query::remember;
use leptos::prelude::window;

const KEY: &str = "orrery-sql";
/// Statements kept.
const KEPT: usize = 50;

/// Newest first.
pub(super) fn all() -> Vec<String> {
    // Forbidden storage costs only the memory.
    let kept = window().local_storage().ok().flatten().and_then(|storage| storage.get_item(KEY).ok().flatten());
    kept.and_then(|kept| json::read(kept.as_bytes()).ok()).unwrap_or_default()
}

/// Puts a statement in front.
pub(super) fn add(statement: &str) {
    let mut statements: Vec<String> = all();
    remember(&mut statements, statement, KEPT);
    if let (Ok(Some(storage)), Ok(json)) = (window().local_storage(), serde_json::to_string(&statements)) {
        let _ = storage.set_item(KEY, &json);
    }
}
