//! The editor of statements within a rule.

use super::fields::{Draft, Faults};
use crate::alerting::document::{put, text};
use crate::alerting::form;
use crate::pages::sql::editor::{Look, Sheet, editor};
use crate::words::{t, tell};
use leptos::prelude::*;
use serde_json::json;

const PATH: &str = "measure.statement";

/// What is written there is what is measured.
pub(super) fn sheet(draft: Draft) -> AnyView {
    let sheet = Sheet::start(draft.with_untracked(|draft| text(draft, PATH)));
    Effect::new(move |_| {
        let typed = sheet.typed.get();
        if draft.with_untracked(|draft| text(draft, PATH) != typed) {
            draft.update(|draft| put(draft, PATH, Some(json!(typed))));
        }
    });
    let faults = Faults::here();
    let fault = Memo::new(move |_| faults.and_then(|faults| faults.of(PATH)));
    let look = Look { label: t(tell::STATEMENT), example: form::STATEMENT, fault, run: None };
    let said = move || fault.get().map(|fault| view! { <p class="field-error" role="alert">{fault.detail}</p> });
    view! { <div class="field">{t(tell::STATEMENT)}{editor(sheet, look, ().into_any())}{said}</div> }.into_any()
}
