//! A form over the page.

use crate::components::icon::icon;
use crate::words::{say, t};
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

/// Open while there is something to ask about. Escape, a click beside it and its button close it.
pub(super) fn dialog<T: Clone + Send + Sync + 'static>(
    asked: RwSignal<Option<T>>,
    title: impl Fn(&T) -> String + Send + Sync + 'static,
    body: impl Fn(T) -> AnyView + Send + Sync + 'static,
) -> AnyView {
    let node = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        let (open, Some(dialog)) = (asked.with(Option::is_some), node.get()) else { return };
        match (open, dialog.open()) {
            (true, false) => {
                let _ = dialog.show_modal();
                to_the_first_field();
            }
            (false, true) => dialog.close(),
            _ => {}
        }
    });
    let beside = move |event: web_sys::PointerEvent| {
        let is_dialog = event.target().is_some_and(|target| target.dyn_into::<web_sys::HtmlDialogElement>().is_ok());
        if is_dialog {
            asked.set(None);
        }
    };
    let title = Memo::new(move |_| asked.with(|asked| asked.as_ref().map(&title)).unwrap_or_default());
    view! {
        <dialog class="palette dialog" node_ref=node aria-label=move || title.get() on:close=move |_| asked.set(None) on:pointerdown=beside>
            <div class="dialog-box">
                <header class="shortcuts-head"><h2>{move || title.get()}</h2>
                    <button type="button" class="icon-button" aria-label=t(say::CLOSE) title=t(say::CLOSE) on:click=move |_| asked.set(None)>{icon("x")}</button></header>
                {move || asked.get().map(&body)}
            </div>
        </dialog>
    }
    .into_any()
}

/// Whoever opens a form is about to write.
fn to_the_first_field() {
    request_animation_frame(|| {
        let field = "dialog[open] .dialog-body :is(input, textarea, select)";
        let field = document().query_selector(field).ok().flatten();
        if let Some(field) = field.and_then(|field| field.dyn_into::<web_sys::HtmlElement>().ok()) {
            let _ = field.focus();
        }
    });
}

/// Whether a dialog is open: then keys are its own.
pub(super) fn is_open() -> bool {
    document().query_selector("dialog[open]").is_ok_and(|dialog| dialog.is_some())
}
