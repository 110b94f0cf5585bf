//! Saving what is seen under a name.

use super::Views;
use crate::client::change;
use crate::words::{say, t};
use leptos::html;
use leptos::prelude::*;
use orrery_api::{View, ViewInput, paths, views::MAX_NAME};
use wasm_bindgen_futures::spawn_local;

pub(super) fn form(views: Views) -> AnyView {
    let (name, description) = (NodeRef::<html::Input>::new(), NodeRef::<html::Input>::new());
    let fixed = RwSignal::new(false);
    let (said, wrong, busy) = (RwSignal::new(String::new()), RwSignal::new(String::new()), RwSignal::new(false));
    let moving = views.scope.range.get_untracked().is_moving();
    Effect::new(move |_| {
        if let Some(name) = name.get() {
            let _ = name.focus();
        }
    });
    let save = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let text = |node: NodeRef<html::Input>| node.get_untracked().map(|input| input.value()).unwrap_or_default();
        if busy.get_untracked() {
            return;
        }
        let path = views.here(fixed.get_untracked()).href();
        let input = ViewInput { name: text(name), path, description: text(description) };
        busy.set(true);
        spawn_local(async move {
            match change::<View>("POST", paths::VIEWS, Some(&input)).await {
                Ok(_) => {
                    views.changed();
                    said.try_set(t(say::VIEW_SAVED).to_owned());
                    wrong.try_set(String::new());
                    for node in [name, description] {
                        if let Some(Some(input)) = node.try_get_untracked() {
                            input.set_value("");
                        }
                    }
                }
                Err(failure) => {
                    said.try_set(String::new());
                    wrong.try_set(failure.detail);
                }
            }
            busy.try_set(false);
        });
    };
    let keep = moving.then(|| view! {
        <label class="check"><input type="checkbox" prop:checked=move || fixed.get() on:change=move |event| fixed.set(event_target_checked(&event)) />{t(say::VIEW_FIXED)}</label>
    });
    view! {
        <form class="view-form" on:submit=save>
            <h3>{t(say::SAVE_VIEW)}</h3>
            <label class="field">{t(say::NAME)}<input class="input" type="text" required=true maxlength=MAX_NAME.to_string() placeholder=t(say::VIEW_NAME_HINT) autocomplete="off" node_ref=name /></label>
            <label class="field">{t(say::VIEW_DESCRIPTION)}<input class="input" type="text" maxlength="1000" autocomplete="off" node_ref=description /></label>
            {keep}
            <Show when=move || wrong.with(|wrong| !wrong.is_empty())><p class="field-error" role="alert">{move || wrong.get()}</p></Show>
            <div class="view-end"><button type="submit" class="button button-primary" disabled=move || busy.get()>{t(say::SAVE)}</button><span class="hint" role="status">{move || said.get()}</span></div>
        </form>
    }
    .into_any()
}
