//! A button that opens a small panel below itself.

use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

/// A popover: Escape, a click elsewhere or moving the focus away closes it.
#[component]
pub(crate) fn Popover(
    /// Open or not.
    open: RwSignal<bool>,
    /// For screen readers, and as a hint.
    #[prop(into)]
    label: Signal<String>,
    /// Class of the button.
    #[prop(default = "button")]
    class: &'static str,
    /// Opens towards the left.
    #[prop(default = false)]
    end: bool,
    /// Inside the button.
    button: AnyView,
    /// Inside the panel, made when it opens.
    children: ChildrenFn,
) -> impl IntoView {
    let root = NodeRef::<html::Div>::new();
    let trigger = NodeRef::<html::Button>::new();
    let key = move |event: web_sys::KeyboardEvent| {
        if event.key() == "Escape" && open.get_untracked() {
            event.stop_propagation();
            open.set(false);
            if let Some(button) = trigger.get_untracked() {
                let _ = button.focus();
            }
        }
    };
    let leave = move |event: web_sys::FocusEvent| {
        let next = event.related_target().and_then(|target| target.dyn_into::<web_sys::Node>().ok());
        let inside = next.is_none() || root.get_untracked().is_some_and(|root| root.contains(next.as_ref()));
        if !inside {
            open.set(false);
        }
    };
    let outside = window_event_listener(leptos::ev::pointerdown, move |event| {
        let target = event.target().and_then(|target| target.dyn_into::<web_sys::Node>().ok());
        let inside = root.get_untracked().is_some_and(|root| root.contains(target.as_ref()));
        if !inside && open.get_untracked() {
            open.set(false);
        }
    });
    on_cleanup(move || outside.remove());
    view! {
        <div class="popover-root" node_ref=root on:keydown=key on:focusout=leave>
            <button
                type="button" class=class node_ref=trigger aria-haspopup="dialog" aria-expanded=move || open.get().to_string()
                aria-label=move || label.get() title=move || label.get() on:click=move |_| open.update(|open| *open = !*open)
            >
                {button}
            </button>
            <Show when=move || open.get()>
                <div class="popover" class:popover-end=end role="dialog" aria-label=move || label.get()>{children()}</div>
            </Show>
        </div>
    }
}
