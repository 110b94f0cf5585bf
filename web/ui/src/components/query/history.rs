//! What was asked before, kept by the browser.

use crate::json;
use crate::query::remember;
use leptos::prelude::window;

const KEY: &str = "orrery-queries";
/// Queries kept.
const KEPT: usize = 20;

/// Newest first.
pub(super) fn all() -> Vec<String> {
    // Forbidden storage costs only the memory.
    let kept = window().local_storage().ok().flatten().and_then(|storage| storage.get_item(KEY).ok().flatten());
    kept.and_then(|kept| json::read(kept.as_bytes()).ok()).unwrap_or_default()
}

/// Puts a query in front.
pub(super) fn add(query: &str) {
    let mut queries: Vec<String> = all();
    remember(&mut queries, query, KEPT);
    if let (Ok(Some(storage)), Ok(json)) = (window().local_storage(), serde_json::to_string(&queries)) {
        let _ = storage.set_item(KEY, &json);
    }
}
