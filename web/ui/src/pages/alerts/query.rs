//! The query bar within a rule.

use super::fields::{Draft, Faults};
use crate::alerting::document::{put, text};
use crate::client::Failure;
use crate::components::query::{Query, QueryBar};
use crate::nav::nav;
use crate::words::{t, tell};
use leptos::prelude::*;
use serde_json::json;

const PATH: &str = "measure.q";

/// The query bar of the traces page; what is written there is what is measured.
pub(super) fn bar(draft: Draft) -> AnyView {
    let nav = nav();
    let now = draft.with_untracked(|draft| text(draft, PATH));
    nav.replace(&[("q", Some(now))]);
    let query = Query::start();
    Effect::new(move |_| {
        let written = query.written();
        if !written.is_empty() && draft.with_untracked(|draft| text(draft, PATH) != written) {
            draft.update(|draft| put(draft, PATH, Some(json!(written))));
        }
    });
    on_cleanup(move || {
        // Another page has a query of its own.
        if nav.place_now().path.starts_with("/alerts/rules/") {
            nav.replace(&[("q", None), ("builder", None)]);
        }
    });
    let faults = Faults::here();
    // What the language itself knows to be wrong is underlined already.
    let said = move || {
        let fault = faults.and_then(|faults| faults.of(PATH)).filter(|_| query.is_sound())?;
        Some(view! { <p class="field-error" role="alert">{fault.detail}</p> })
    };
    let refused = RwSignal::new(None::<Failure>);
    view! { <QueryBar query=query refused=refused />{said}<p class="hint">{t(tell::TRACES_HINT)}</p> }.into_any()
}
