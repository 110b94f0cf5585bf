//! The command palette: everything within two keys.

use crate::components::icon::icon;
use crate::components::views::views;
use crate::filters::trace_id;
use crate::nav::nav;
use crate::pages::chunks::chunks;
use crate::pages::later;
use crate::preferences::{ThemeChoice, preferences};
use crate::range::{PRESETS, TimeRange};
use crate::scope::scope;
use crate::words::{Language, Phrase, say, t, tell, tf};
use leptos::html;
use leptos::prelude::*;
use orrery_api::ServiceRef;
use wasm_bindgen::JsCast;

/// Results shown, at most.
const RESULTS: usize = 12;
/// Pages that the rail has no entry for.
const BELOW_ALERTS: [(&str, Phrase); 5] = [
    ("/alerts/rules", tell::RULES),
    ("/alerts/rules/new/requests", tell::NEW_RULE),
    ("/alerts/slos", tell::SLOS),
    ("/alerts/channels", tell::CHANNELS),
    ("/alerts/silences", tell::SILENCES),
];

#[derive(Clone)]
struct Command {
    icon: &'static str,
    name: String,
    hint: String,
    /// Other words it is found by, in lower case.
    also: String,
    run: Callback<()>,
}

/// What a palette is told: whether it is open, whether the list of keys is, and services of the current range.
type Told = (RwSignal<bool>, RwSignal<bool>, Signal<Vec<ServiceRef>>);

chunks! {
    /// The palette, which is rarely the first that is needed.
    pub(crate) PALETTE frame_palette |(open, shortcuts, services): Told| view! { <Palette open=open shortcuts=shortcuts services=services /> };
}

/// Opens on its keys; its code comes when that happens for the first time, or before.
pub(crate) fn palette(told: Told) -> AnyView {
    let open = told.0;
    let keys = window_event_listener(leptos::ev::keydown, move |event| {
        if (event.meta_key() || event.ctrl_key()) && event.key().eq_ignore_ascii_case("k") {
            event.prevent_default();
            open.update(|open| *open = !*open);
        }
    });
    on_cleanup(move || keys.remove());
    let wanted = Memo::new(move |before: Option<&bool>| before == Some(&true) || open.get());
    let view = move || wanted.get().then(|| later(PALETTE, told));
    view! { {view} }.into_any()
}

/// The palette; `services` are found by name.
#[component]
fn Palette(
    /// Open or not.
    open: RwSignal<bool>,
    /// The list of keys, open or not.
    shortcuts: RwSignal<bool>,
    /// Services of the current range.
    services: Signal<Vec<ServiceRef>>,
) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    let input = NodeRef::<html::Input>::new();
    let typed = RwSignal::new(String::new());
    let chosen = RwSignal::new(0_usize);
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
        let found = if open.get() { found(&typed.get(), &services.get(), shortcuts) } else { Vec::new() };
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
        let chosen = document().get_element_by_id(&format!("palette-{}", chosen.get_untracked()));
        if let Some(item) = chosen.filter(|_| event.key() != "Enter") {
            item.scroll_into_view_with_bool(false);
        }
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

/// What fits what was typed, what begins with it first; of nothing, where one can go and what can be done.
fn found(typed: &str, services: &[ServiceRef], shortcuts: RwSignal<bool>) -> Vec<Command> {
    let words: Vec<String> = typed.to_lowercase().split_whitespace().map(str::to_owned).collect();
    let Some(first) = words.first() else {
        return pages().into_iter().chain(actions(shortcuts)).take(RESULTS).chain(saved()).collect();
    };
    let fits = |command: &Command| {
        let text = format!("{} {} {}", command.name, command.hint, command.also).to_lowercase();
        words.iter().all(|word| text.contains(word))
    };
    let all =
        pages().into_iter().chain(below_alerts()).chain(saved()).chain(of_services(services)).chain(actions(shortcuts));
    let mut fitting: Vec<Command> = all.filter(fits).collect();
    fitting.sort_by_key(|command| !command.name.to_lowercase().starts_with(first));
    let mut found = asked(typed);
    found.extend(fitting);
    found.truncate(RESULTS);
    found.push(search_logs(typed.trim()));
    found
}

fn goes(icon: &'static str, name: String, hint: String, path: String, params: Vec<(&'static str, String)>) -> Command {
    let nav = nav();
    let run = Callback::new(move |()| {
        let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        nav.go(&nav.href_now(&path, &params));
    });
    Command { icon, name, hint, also: String::new(), run }
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
    let command = |page: &crate::app::Page| {
        let goes = goes(page.icon, t(page.name).to_owned(), t(say::PAGE).to_owned(), page.path.to_owned(), Vec::new());
        Command { also: both(page.name), ..goes }
    };
    crate::app::PAGES.iter().map(command).collect()
}

fn below_alerts() -> impl Iterator<Item = Command> {
    BELOW_ALERTS.iter().map(|(path, name)| {
        let goes = goes("bell", t(*name).to_owned(), t(say::ALERTS).to_owned(), (*path).to_owned(), Vec::new());
        Command { also: both(*name), ..goes }
    })
}

/// A phrase in both languages: whoever chose the other one by mistake finds the way back.
fn both(phrase: Phrase) -> String {
    format!("{} {}", phrase.en, phrase.ko)
}

fn saved() -> Vec<Command> {
    let nav = nav();
    let command = |view: orrery_api::View| Command {
        icon: "bookmark",
        name: view.name,
        hint: t(say::SAVED_VIEW).to_owned(),
        also: String::new(),
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

fn actions(shortcuts: RwSignal<bool>) -> Vec<Command> {
    let (nav, scope, preferences, views) = (nav(), scope(), preferences(), views());
    let command = |icon, name: &str, hint: Phrase, also: String, run: Callback<()>| Command {
        icon,
        name: name.to_owned(),
        hint: t(hint).to_owned(),
        also,
        run,
    };
    let does = |icon, phrase: Phrase, run| command(icon, t(phrase), say::ACTION, both(phrase), run);
    let theme = |icon, phrase: Phrase, choice| {
        let run = Callback::new(move |()| preferences.choose_theme(choice));
        command(icon, t(phrase), say::THEME, both(phrase) + say::THEME.en, run)
    };
    let language = |name: &str, language| {
        let run = Callback::new(move |()| preferences.choose_language(language));
        command("languages", name, say::LANGUAGE, both(say::LANGUAGE), run)
    };
    let mut actions = vec![
        does("refresh-cw", say::REFRESH, Callback::new(move |()| scope.refresh())),
        does("share-2", say::SHARE_VIEW, Callback::new(move |()| views.sharing.set(true))),
        does("bookmark", say::SAVE_VIEW, Callback::new(move |()| views.open.set(true))),
        does("circle-help", say::SHORTCUTS, Callback::new(move |()| shortcuts.set(true))),
    ];
    actions.extend(PRESETS.map(|(_, seconds)| {
        let range = TimeRange::Last(seconds);
        let run = Callback::new(move |()| nav.set_range(range));
        command("clock", &crate::figures::range_label(range), say::TIME_RANGE, both(say::TIME_RANGE), run)
    }));
    actions.extend([
        theme("moon", say::THEME_DARK, ThemeChoice::Dark),
        theme("sun", say::THEME_LIGHT, ThemeChoice::Light),
        theme("monitor", say::THEME_SYSTEM, ThemeChoice::System),
        language("English", Language::English),
        language("한국어", Language::Korean),
    ]);
    actions
}
