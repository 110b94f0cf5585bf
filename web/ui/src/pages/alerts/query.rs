//! The query bar within a rule.

use super::fields::Draft;
use crate::alerting::document::{put, text};
use crate::client::Failure;
use crate::components::query::{Query, QueryBar};
use crate::nav::nav;
use crate::words::{t, tell};
use leptos::prelude::*;
use serde_json::json;

/// The query bar of the traces page; what is asked there is what is measured.
pub(super) fn bar(draft: Draft) -> AnyView {
    let nav = nav();
    let now = draft.with_untracked(|draft| text(draft, "measure.q"));
    nav.replace(&[("q", Some(now))]);
    let query = Query::start();
    Effect::new(move |_| {
        let asked = query.asked.get();
        if !asked.is_empty() && draft.with_untracked(|draft| text(draft, "measure.q") != asked) {
            draft.update(|draft| put(draft, "measure.q", Some(json!(asked))));
        }
    });
    on_cleanup(move || {
        // Another page has a query of its own.
        if nav.place_now().path.starts_with("/alerts/rules/") {
            nav.replace(&[("q", None), ("builder", None)]);
        }
    });
    let refused = RwSignal::new(None::<Failure>);
    view! { <QueryBar query=query refused=refused /><p class="hint">{t(tell::TRACES_HINT)}</p> }.into_any()
}
