//! A button that copies.

use crate::components::icon::icon;
use crate::words::{say, t, tf};
use leptos::prelude::*;
use std::time::Duration;

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
        let _ = window().navigator().clipboard().write_text(&text);
        copied.set(true);
        let reset = move || {
            copied.try_set(false);
        };
        set_timeout(reset, Duration::from_millis(1_500));
    };
    let label = tf(say::COPY_WHAT, &[("what", &what)]);
    view! {
        <button type="button" class="icon-button icon-button-small" on:click=copy aria-label=label.clone() title=label>
            {move || icon(if copied.get() { "check" } else { "copy" })}
            <span class="sr-only" role="status">{move || copied.get().then(|| t(say::COPIED))}</span>
        </button>
    }
}
