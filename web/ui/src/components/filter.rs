//! The filter bar: one line to type filters into, and a chip for each that holds.

use crate::client::{ask, load};
use crate::components::icon::icon;
use crate::filters::{Filter, NAMES, added, filters, parse, removed, trace_id};
use crate::nav::{Nav, nav};
use crate::scope::scope;
use crate::words::{say, t, tf};
use leptos::html;
use leptos::prelude::*;
use orrery_api::{ValueList, paths};
use std::time::Duration;

/// Suggestions shown, at most.
const SUGGESTIONS: usize = 9;

/// The filter bar of log records.
#[component]
pub(crate) fn FilterBar() -> impl IntoView {
    let nav = nav();
    let input = NodeRef::<html::Input>::new();
    let typed = RwSignal::new(String::new());
    let chosen = RwSignal::new(None::<usize>);
    let open = RwSignal::new(false);
    let chips = Memo::new(move |_| filters(&nav.place().params));
    let suggestions = suggestions(typed);
    let clear = move || {
        typed.set(String::new());
        chosen.set(None);
    };
    let submit = move |text: String| {
        if let Some(id) = trace_id(&text) {
            return nav.go(&nav.href_now(&format!("/traces/{id}"), &[]));
        }
        apply(nav, &parse(&text));
        clear();
    };
    let take = move |suggestion: Suggestion| {
        if suggestion.complete {
            submit(suggestion.text);
        } else {
            typed.set(suggestion.text);
            chosen.set(None);
            focus(input);
        }
    };
    let key = move |event: web_sys::KeyboardEvent| {
        let found = suggestions.get_untracked();
        match event.key().as_str() {
            "ArrowDown" => chosen
                .update(|chosen| *chosen = (!found.is_empty()).then(|| chosen.map_or(0, |at| (at + 1) % found.len()))),
            "ArrowUp" => chosen.update(|chosen| *chosen = chosen.and_then(|at| at.checked_sub(1))),
            "Enter" => match chosen.get_untracked().and_then(|at| found.get(at).cloned()) {
                Some(suggestion) => take(suggestion),
                None => submit(typed.get_untracked()),
            },
            "Escape" => open.set(false),
            "Backspace" if typed.with_untracked(String::is_empty) => {
                if let Some(last) = chips.get_untracked().last() {
                    remove(nav, last);
                }
                return;
            }
            _ => return,
        }
        event.prevent_default();
    };
    let slash = window_event_listener(leptos::ev::keydown, move |event| {
        if event.key() == "/" && !is_typing() {
            event.prevent_default();
            focus(input);
        }
    });
    on_cleanup(move || slash.remove());
    let placeholder = t(say::FILTER_LOGS);
    view! {
        <div class="filter" role="search">
            {icon("funnel")}
            <For each=move || chips.get() key=|filter| format!("{}{}", filter.name, filter.value) let:filter><Chip filter=filter /></For>
            <input
                class="filter-input" type="text" node_ref=input autocomplete="off" autocapitalize="off" spellcheck="false" role="combobox" aria-autocomplete="list"
                aria-label=t(say::FILTER) aria-controls="suggestions" aria-expanded=move || (open.get() && !suggestions.with(Vec::is_empty)).to_string()
                placeholder=move || if chips.with(Vec::is_empty) { placeholder } else { "" } prop:value=move || typed.get()
                aria-activedescendant=move || chosen.get().map(|at| format!("suggestion-{at}"))
                on:input=move |event| { typed.set(event_target_value(&event)); chosen.set(None); open.set(true); }
                on:keydown=key on:focus=move |_| open.set(true)
                on:blur=move |_| set_timeout(move || { open.try_set(false); }, Duration::from_millis(150))
            />
            <Show when=move || !chips.with(Vec::is_empty)>
                <button type="button" class="link" on:click=move |_| nav.set(&NAMES.map(|name| (name, None)))>{t(say::CLEAR)}</button>
            </Show>
            <ul class="suggestions" id="suggestions" role="listbox" aria-label=t(say::FILTER) hidden=move || !open.get() || suggestions.with(Vec::is_empty)>
                {move || suggestions.get().into_iter().enumerate().map(|(at, suggestion)| {
                    let (label, hint) = (suggestion.text.clone(), suggestion.hint.clone());
                    view! {
                        <li role="option" id=format!("suggestion-{at}") class="suggestion" aria-selected=move || (chosen.get() == Some(at)).to_string()
                            on:pointerdown=move |event| { event.prevent_default(); take(suggestion.clone()); }>
                            <code>{label}</code><span class="hint">{hint}</span>
                        </li>
                    }
                }).collect_view()}
            </ul>
        </div>
    }
}

#[component]
fn Chip(filter: Filter) -> impl IntoView {
    let nav = nav();
    let (name, value) = match filter.name {
        "attr" => (String::new(), filter.value.clone()),
        name => (format!("{name}:"), filter.value.clone()),
    };
    let label = tf(say::REMOVE_WHAT, &[("what", &format!("{name}{value}"))]);
    view! {
        <span class="chip"><span class="chip-name">{name}</span><span class="chip-value">{value}</span>
            <button type="button" class="chip-remove" aria-label=label on:click=move |_| remove(nav, &filter)>{icon("x")}</button>
        </span>
    }
}

fn apply(nav: Nav, filters: &[Filter]) {
    let mut params = nav.place_now().params;
    for filter in filters {
        let (name, value) = added(&params, filter);
        params.set(name, value);
    }
    nav.set(&NAMES.map(|name| (name, params.get(name).map(str::to_owned))));
}

fn remove(nav: Nav, filter: &Filter) {
    nav.set(&[removed(&nav.place_now().params, filter)]);
}

fn focus(input: NodeRef<html::Input>) {
    if let Some(input) = input.get_untracked() {
        let _ = input.focus();
    }
}

/// Whether keys go to a field, so that shortcuts must not take them.
pub(crate) fn is_typing() -> bool {
    let Some(active) = document().active_element() else { return false };
    matches!(active.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT") || active.has_attribute("contenteditable")
}

#[derive(Clone, Debug, PartialEq)]
struct Suggestion {
    text: String,
    hint: String,
    complete: bool,
}

/// What the last word may become: a filter's name, or a value that occurs.
fn suggestions(typed: RwSignal<String>) -> Memo<Vec<Suggestion>> {
    let scope = scope();
    let values = load::<ValueList>(move || {
        let (key, prefix) = typed.with(|typed| value_wanted(typed))?;
        let window = scope.window.get_untracked();
        let params = [
            ("from", window.from.to_string()),
            ("to", window.to.to_string()),
            ("signal", "logs".to_owned()),
            ("key", key),
            ("prefix", prefix),
        ];
        Some(ask(paths::VALUES, &params))
    });
    Memo::new(move |_| {
        let text = typed.get();
        let before = text.rfind(' ').map_or("", |at| &text[..=at]).to_owned();
        let word = &text[before.len()..];
        let fixed = fixed(word, &before);
        let Some((_, prefix)) = value_wanted(&text) else { return fixed };
        let head = word[..word.len() - prefix.len()].to_owned();
        let quoted = |value: &str| if value.contains(' ') { format!("\"{value}\"") } else { value.to_owned() };
        let of_value = |value: &orrery_api::ValueCount| Suggestion {
            text: format!("{before}{head}{}", quoted(&value.value)),
            hint: value.count.to_string(),
            complete: true,
        };
        let found = values
            .data
            .get()
            .map(|list| list.values.iter().take(SUGGESTIONS).map(of_value).collect())
            .unwrap_or_default();
        if fixed.is_empty() { found } else { fixed }
    })
}

fn fixed(word: &str, before: &str) -> Vec<Suggestion> {
    let all = [
        ("service:", say::HINT_SERVICE, false),
        ("severity:warn", say::HINT_SEVERITY, true),
        ("severity:error", say::HINT_SEVERITY, true),
        ("trace_id:", say::HINT_TRACE, false),
        ("http.route=", say::HINT_ATTRIBUTE, false),
    ];
    let fits = |text: &str| text.starts_with(word) && text != word;
    all.iter()
        .filter(|(text, ..)| fits(text))
        .map(|(text, hint, complete)| Suggestion {
            text: format!("{before}{text}"),
            hint: t(*hint).to_owned(),
            complete: *complete,
        })
        .collect()
}

/// The attribute whose values the last word asks for, and their beginning.
fn value_wanted(typed: &str) -> Option<(String, String)> {
    let word = typed.rsplit(' ').next()?;
    let at = word.find([':', '='])?;
    let (key, prefix) = (word[..at].trim_end_matches('!'), word[at + 1..].trim_start_matches('"'));
    let key = match key {
        "" | "severity" | "level" | "trace_id" => return None,
        "service" => "service.name",
        key => key,
    };
    Some((key.to_owned(), prefix.to_owned()))
}
