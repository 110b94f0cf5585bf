//! Details of what was selected, beside it; over everything on small screens.

use crate::components::icon::icon;
use crate::words::{say, t};
use leptos::html;
use leptos::prelude::*;

/// A drawer. Escape closes it; it takes the focus when it opens and its owner gives it back.
#[component]
pub(crate) fn Drawer(
    /// For screen readers.
    #[prop(into)]
    label: Signal<String>,
    /// What to do when it is closed.
    close: Callback<()>,
    /// Beside the close button.
    head: AnyView,
    /// Below.
    children: Children,
) -> impl IntoView {
    let root = NodeRef::<html::Aside>::new();
    let key = move |event: web_sys::KeyboardEvent| {
        if event.key() == "Escape" {
            event.stop_propagation();
            close.run(());
        }
    };
    view! {
        <aside class="drawer" node_ref=root aria-label=move || label.get() on:keydown=key>
            <header class="drawer-head">
                <div class="drawer-title">{head}</div>
                <button type="button" class="icon-button" aria-label=t(say::CLOSE) title=t(say::CLOSE) on:click=move |_| close.run(())>{icon("x")}</button>
            </header>
            <div class="drawer-body" tabindex="0" role="group" aria-label=move || label.get()>{children()}</div>
        </aside>
    }
}
