//! What the keyboard can do, listed on `?`; and the keys that lead to pages.

use crate::app::PAGES;
use crate::components::filter::is_typing;
use crate::components::icon::icon;
use crate::nav::nav;
use crate::pages::chunks::chunks;
use crate::pages::part;
use crate::words::{Phrase, say, t};
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

/// Keys, and what they do.
type Line = (&'static [&'static str], Phrase);

/// What works where.
const GROUPS: [(Phrase, &[Line]); 6] = [
    (
        say::KEYS_EVERYWHERE,
        &[
            (&["?"], say::KEYS_HELP),
            (&["Ctrl K", "⌘ K"], say::PALETTE),
            (&["g o", "g s", "g t", "g l", "g m", "g h", "g a"], say::KEYS_GO),
            (&["/"], say::KEYS_FIND),
            (&["Esc"], say::KEYS_CLOSE),
        ],
    ),
    (
        say::MAP,
        &[
            (&["←", "↑", "→", "↓"], say::KEYS_MOVE),
            (&["Enter"], say::KEYS_CHOOSE),
            (&["Space"], say::KEYS_GROUP),
            (&["f"], say::KEYS_AROUND),
            (&["Shift ←", "Delete"], say::KEYS_PLACE),
            (&["+", "-", "0"], say::KEYS_ZOOM),
        ],
    ),
    (say::CHART, &[(&["←", "→"], say::KEYS_CURSOR)]),
    (say::ALERTS, &[(&["j", "k"], say::KEYS_ALERT), (&["Enter"], say::KEYS_CHOOSE), (&["a", "s"], say::KEYS_ACT)]),
    (say::DURATIONS, &[(&["←", "↑", "→", "↓", "Shift ←"], say::KEYS_BOX), (&["Enter"], say::KEYS_WHY)]),
    (
        say::WATERFALL,
        &[
            (&["j", "k", "↓", "↑"], say::KEYS_SPAN),
            (&["→", "←"], say::KEYS_FOLD),
            (&["[", "]"], say::KEYS_SIBLING),
            (&["e", "Shift e"], say::KEYS_ERROR),
            (&["n"], say::KEYS_FOUND),
            (&["w", "s", "0"], say::KEYS_ZOOM),
            (&["a", "d"], say::KEYS_PAN),
        ],
    ),
];

chunks! {
    KEYS frame_keys |_: ()| listed();
}

fn listed() -> AnyView {
    let line = |(keys, does): &Line| {
        let keys = keys.iter().map(|key| view! { <kbd>{*key}</kbd> }).collect_view();
        view! { <div class="shortcut"><dt>{keys}</dt><dd>{t(*does)}</dd></div> }
    };
    let group = move |(name, lines): &(Phrase, &[Line])| {
        view! { <section><h3>{t(*name)}</h3><dl>{lines.iter().map(line).collect_view()}</dl></section> }
    };
    view! { <div>{GROUPS.iter().map(group).collect_view()}</div> }.into_any()
}

/// The list, which `?` opens, and `g` with the first letter of a page.
#[component]
pub(crate) fn Shortcuts(
    /// Open or not.
    open: RwSignal<bool>,
) -> impl IntoView {
    let nav = nav();
    let dialog = NodeRef::<html::Dialog>::new();
    let going = StoredValue::new(false);
    let keys = window_event_listener(leptos::ev::keydown, move |event| {
        if event.ctrl_key() || event.meta_key() || event.alt_key() || is_typing() {
            return;
        }
        let was_going = going.get_value();
        going.set_value(event.key() == "g" && !was_going);
        let page = was_going.then(|| page_of(&event.key())).flatten();
        match page {
            Some(path) => nav.go(&nav.href_now(path, &[])),
            None if event.key() == "?" => open.update(|open| *open = !*open),
            None => return,
        }
        event.prevent_default();
    });
    on_cleanup(move || keys.remove());
    Effect::new(move |_| {
        let Some(dialog) = dialog.get() else { return };
        match (open.get(), dialog.open()) {
            (true, false) => drop(dialog.show_modal()),
            (false, true) => dialog.close(),
            _ => {}
        }
    });
    let outside = move |event: web_sys::MouseEvent| {
        let on_dialog =
            event.target().and_then(|target| target.dyn_into::<web_sys::HtmlDialogElement>().ok()).is_some();
        if on_dialog {
            open.set(false);
        }
    };
    view! {
        <dialog class="palette shortcuts" node_ref=dialog aria-label=t(say::SHORTCUTS) on:close=move |_| open.set(false) on:click=outside>
            <div class="shortcuts-box">
                <header class="shortcuts-head"><h2>{t(say::SHORTCUTS)}</h2>
                    <button type="button" class="icon-button" aria-label=t(say::CLOSE) title=t(say::CLOSE) on:click=move |_| open.set(false)>{icon("x")}</button></header>
                <div class="shortcuts-groups" tabindex="0" role="group" aria-label=t(say::SHORTCUTS)>{move || open.get().then(|| part(KEYS, ()))}</div>
            </div>
        </dialog>
    }
}

/// The page whose English name begins with a key.
fn page_of(key: &str) -> Option<&'static str> {
    let begins = |name: &str| name.to_lowercase().starts_with(key);
    PAGES.iter().find(|page| key.len() == 1 && begins(page.name.en)).map(|page| page.path)
}
