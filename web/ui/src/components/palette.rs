//! The command palette: everything within two keys.

use crate::components::icon::icon;
use crate::components::views::views;
use crate::filters::trace_id;
use crate::nav::nav;
use crate::preferences::{ThemeChoice, preferences};
use crate::range::{PRESETS, TimeRange};
use crate::scope::scope;
use crate::words::{Language, say, t, tf};
use leptos::html;
use leptos::prelude::*;
use orrery_api::ServiceRef;
use wasm_bindgen::JsCast;

/// Results shown, at most.
const RESULTS: usize = 12;

#[derive(Clone)]
struct Command {
    icon: &'static str,
    name: String,
    hint: String,
    run: Callback<()>,
}

/// The palette and its keys; `services` are found by name.
#[component]
pub(crate) fn Palette(
    /// Open or not.
    open: RwSignal<bool>,
    /// Services of the current range.
    services: Signal<Vec<ServiceRef>>,
) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    let input = NodeRef::<html::Input>::new();
    let typed = RwSignal::new(String::new());
    let chosen = RwSignal::new(0_usize);
    let keys = window_event_listener(leptos::ev::keydown, move |event| {
        if (event.meta_key() || event.ctrl_key()) && event.key().eq_ignore_ascii_case("k") {
            event.prevent_default();
            open.update(|open| *open = !*open);
        }
    });
    on_cleanup(move || keys.remove());
    Effect::new(move |_| {
        let Some(dialog) = dialog.get() else { return };
        if open.get() && !dialog.open() {
            typed.set(String::new());
            chosen.set(0);
            let _ = dialog.show_modal();
            if let Some(input) = input.get_untracked() {
                let _ = input.focus();
            }
        } else if !open.get() && dialog.open() {
            dialog.close();
        }
    });
    let results = StoredValue::new(Vec::<Command>::new());
    let shown = Memo::new(move |_| {
        let found = if open.get() { found(&typed.get(), &services.get()) } else { Vec::new() };
        let labels: Vec<_> =
            found.iter().map(|command| (command.icon, command.name.clone(), command.hint.clone())).collect();
        results.set_value(found);
        labels
    });
    let run = move |at: usize| {
        if let Some(command) = results.with_value(|results| results.get(at).cloned()) {
            open.set(false);
            command.run.run(());
        }
    };
    let key = move |event: web_sys::KeyboardEvent| {
        let count = shown.with_untracked(Vec::len).max(1);
        match event.key().as_str() {
            "ArrowDown" => chosen.update(|at| *at = (*at + 1) % count),
            "ArrowUp" => chosen.update(|at| *at = (*at + count - 1) % count),
            "Enter" => run(chosen.get_untracked()),
            _ => return,
        }
        event.prevent_default();
    };
    let outside = move |event: web_sys::MouseEvent| {
        let on_dialog =
            event.target().and_then(|target| target.dyn_into::<web_sys::HtmlDialogElement>().ok()).is_some();
        if on_dialog {
            open.set(false);
        }
    };
    view! {
        <dialog class="palette" node_ref=dialog aria-label=t(say::PALETTE) on:close=move |_| open.set(false) on:click=outside>
            <div class="palette-box">
                <div class="palette-field">
                    {icon("search")}
                    <input
                        class="palette-input" type="text" node_ref=input autocomplete="off" spellcheck="false" role="combobox" aria-expanded="true" aria-controls="palette-list"
                        aria-autocomplete="list" aria-label=t(say::PALETTE) placeholder=t(say::PALETTE_HINT) prop:value=move || typed.get()
                        aria-activedescendant=move || format!("palette-{}", chosen.get())
                        on:input=move |event| { typed.set(event_target_value(&event)); chosen.set(0); } on:keydown=key
                    />
                    <kbd>"Esc"</kbd>
                </div>
                <ul class="palette-list" id="palette-list" role="listbox" aria-label=t(say::PALETTE)>
                    {move || shown.get().into_iter().enumerate().map(|(at, (symbol, name, hint))| view! {
                        <li role="option" id=format!("palette-{at}") class="palette-item" aria-selected=move || (chosen.get() == at).to_string()
                            on:pointermove=move |_| chosen.set(at) on:click=move |_| run(at)>
                            {icon(symbol)}<span class="grow">{name}</span><span class="hint">{hint}</span>
                        </li>
                    }).collect_view()}
                </ul>
            </div>
        </dialog>
    }
}

fn found(typed: &str, services: &[ServiceRef]) -> Vec<Command> {
    let words: Vec<String> = typed.to_lowercase().split_whitespace().map(str::to_owned).collect();
    let fits = |command: &Command| {
        let text = format!("{} {}", command.name, command.hint).to_lowercase();
        words.iter().all(|word| text.contains(word))
    };
    let mut found: Vec<Command> = asked(typed);
    found.extend(pages().into_iter().chain(saved()).chain(of_services(services)).chain(actions()).filter(fits));
    if !typed.trim().is_empty() {
        found.push(search_logs(typed.trim()));
    }
    found.truncate(RESULTS);
    found
}

fn goes(icon: &'static str, name: String, hint: String, path: String, params: Vec<(&'static str, String)>) -> Command {
    let nav = nav();
    let run = Callback::new(move |()| {
        let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        nav.go(&nav.href_now(&path, &params));
    });
    Command { icon, name, hint, run }
}

fn asked(typed: &str) -> Vec<Command> {
    trace_id(typed)
        .map(|id| {
            goes("chart-gantt", tf(say::OPEN_TRACE, &[("id", &id)]), String::new(), format!("/traces/{id}"), Vec::new())
        })
        .into_iter()
        .collect()
}

fn search_logs(text: &str) -> Command {
    goes(
        "logs",
        tf(say::SEARCH_LOGS, &[("text", text)]),
        t(say::LOGS).to_owned(),
        "/logs".to_owned(),
        vec![("text", text.to_owned())],
    )
}

fn pages() -> Vec<Command> {
    crate::app::PAGES
        .iter()
        .map(|page| goes(page.icon, t(page.name).to_owned(), t(say::PAGE).to_owned(), page.path.to_owned(), Vec::new()))
        .collect()
}

fn saved() -> Vec<Command> {
    let nav = nav();
    let command = |view: orrery_api::View| Command {
        icon: "bookmark",
        name: view.name,
        hint: t(say::SAVED_VIEW).to_owned(),
        run: Callback::new(move |()| nav.go(&view.path)),
    };
    views().all().into_iter().map(command).collect()
}

fn of_services(services: &[ServiceRef]) -> Vec<Command> {
    services
        .iter()
        .map(|service| {
            goes(
                "box",
                service.name.clone(),
                t(say::KIND_SERVICE).to_owned(),
                crate::pages::service_path(&service.id),
                Vec::new(),
            )
        })
        .collect()
}

fn actions() -> Vec<Command> {
    let (nav, scope, preferences, views) = (nav(), scope(), preferences(), views());
    let action = |icon, name: &str, run: Callback<()>| Command {
        icon,
        name: name.to_owned(),
        hint: t(say::ACTION).to_owned(),
        run,
    };
    let mut actions = vec![
        action("refresh-cw", t(say::REFRESH), Callback::new(move |()| scope.refresh())),
        action("share-2", t(say::SHARE_VIEW), Callback::new(move |()| views.sharing.set(true))),
        action("bookmark", t(say::SAVE_VIEW), Callback::new(move |()| views.open.set(true))),
        action("moon", t(say::THEME_DARK), Callback::new(move |()| preferences.choose_theme(ThemeChoice::Dark))),
        action("sun", t(say::THEME_LIGHT), Callback::new(move |()| preferences.choose_theme(ThemeChoice::Light))),
        action("monitor", t(say::THEME_SYSTEM), Callback::new(move |()| preferences.choose_theme(ThemeChoice::System))),
        action("languages", "English", Callback::new(move |()| preferences.choose_language(Language::English))),
        action("languages", "한국어", Callback::new(move |()| preferences.choose_language(Language::Korean))),
    ];
    actions.extend(PRESETS.map(|(_, seconds)| {
        let range = TimeRange::Last(seconds);
        action("clock", &crate::figures::range_label(range), Callback::new(move |()| nav.set_range(range)))
    }));
    actions
}
