//! Details of what was selected, beside it; over everything on small screens.

use crate::components::icon::icon;
use crate::words::{say, t};
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

/// A drawer. Escape closes it. Opened by keyboard it takes the focus, and gives it back; not from a waterfall, whose keys
/// go on.
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
    let body = NodeRef::<html::Div>::new();
    // Where keys go from one thing to the next, each opening the drawer, the focus stays.
    let is_left = |element: &web_sys::Element| element.matches(":focus-visible:not(.wf)").unwrap_or(false);
    let opener = document().active_element().filter(is_left);
    let opener = opener.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok());
    if let Some(opener) = opener {
        Effect::new(move |done: Option<bool>| match body.get() {
            Some(body) if !done.unwrap_or(false) => body.focus().is_ok(),
            _ => done.unwrap_or(false),
        });
        let opener = StoredValue::new_local(opener);
        on_cleanup(move || {
            let is_lost = document().active_element().is_none_or(|element| {
                element.tag_name() == "BODY" || element.closest(".drawer").ok().flatten().is_some()
            });
            if is_lost {
                opener.try_with_value(|opener| drop(opener.focus()));
            }
        });
    }
    view! {
        <aside class="drawer" node_ref=root aria-label=move || label.get() on:keydown=key>
            <header class="drawer-head">
                <div class="drawer-title">{head}</div>
                <button type="button" class="icon-button" aria-label=t(say::CLOSE) title=t(say::CLOSE) on:click=move |_| close.run(())>{icon("x")}</button>
            </header>
            <div class="drawer-body" node_ref=body tabindex="0" role="group" aria-label=move || label.get()>{children()}</div>
        </aside>
    }
}
