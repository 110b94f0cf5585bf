//! A button that copies.

use crate::components::icon::icon;
use crate::words::{say, t, tf};
use leptos::prelude::*;
use std::time::Duration;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::{JsFuture, spawn_local};

/// Puts text on the clipboard, if the browser lets us: over plain HTTP it has none for pages of other machines, and then
/// an element that is selected can still be copied.
pub(crate) async fn to_clipboard(text: &str) -> bool {
    let navigator = window().navigator();
    let there = js_sys::Reflect::get(&navigator, &"clipboard".into()).is_ok_and(|clipboard| clipboard.is_object());
    if there && JsFuture::from(navigator.clipboard().write_text(text)).await.is_ok() {
        return true;
    }
    by_selection(text).unwrap_or(false)
}

/// The old way: a field with the text, selected, and a command.
fn by_selection(text: &str) -> Option<bool> {
    let document = document();
    let field: web_sys::HtmlTextAreaElement = document.create_element("textarea").ok()?.dyn_into().ok()?;
    field.set_value(text);
    let _ = field.set_attribute("style", "position:fixed;opacity:0");
    let focused = document.active_element();
    document.body()?.append_child(&field).ok()?;
    field.select();
    let command: js_sys::Function = js_sys::Reflect::get(&document, &"execCommand".into()).ok()?.dyn_into().ok()?;
    let done = command.call1(&document, &"copy".into()).is_ok_and(|done| done.is_truthy());
    field.remove();
    if let Some(focused) = focused.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok()) {
        let _ = focused.focus();
    }
    Some(done)
}

/// Copies `text`; `what` names it for screen readers.
#[component]
pub(crate) fn Copy(
    /// What goes to the clipboard.
    #[prop(into)]
    text: String,
    /// Its name.
    #[prop(into)]
    what: String,
) -> impl IntoView {
    let copied = RwSignal::new(false);
    let copy = move |event: web_sys::MouseEvent| {
        event.stop_propagation();
        let text = text.clone();
        spawn_local(async move {
            let done = to_clipboard(&text).await;
            copied.try_set(done);
            let reset = move || {
                copied.try_set(false);
            };
            set_timeout(reset, Duration::from_millis(1_500));
        });
    };
    let label = tf(say::COPY_WHAT, &[("what", &what)]);
    view! {
        <button type="button" class="icon-button icon-button-small" on:click=copy aria-label=label.clone() title=label>
            {move || icon(if copied.get() { "check" } else { "copy" })}
            <span class="sr-only" role="status">{move || copied.get().then(|| t(say::COPIED))}</span>
        </button>
    }
}
