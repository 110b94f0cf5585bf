//! The editor: colours below a text field, what could be written, where it is wrong.

use super::{Console, history};
use crate::client::{Failure, Load, ask, load};
use crate::components::filter::is_typing;
use crate::components::icon::icon;
use crate::components::popover::Popover;
use crate::query::{byte_at, bytes_of};
use crate::scope::scope;
use crate::sql::{Item, Kind, Offer, accept, offer, runs};
use crate::traceql::{Run, mark};
use crate::words::{say, t, tf};
use leptos::html;
use leptos::prelude::*;
use orrery_api::{SqlSchema, paths};
use std::time::Duration;
use wasm_bindgen::JsCast;

/// Items shown, at most.
const MOST: usize = 50;

/// A statement being written, and the tables it can speak of.
#[derive(Clone, Copy)]
pub(in crate::pages) struct Sheet {
    pub(in crate::pages) typed: RwSignal<String>,
    /// Byte of the cursor in it.
    cursor: RwSignal<usize>,
    input: NodeRef<html::Textarea>,
    pub(super) schema: Load<SqlSchema>,
}

impl Sheet {
    /// With something on it.
    pub(in crate::pages) fn start(text: String) -> Sheet {
        let scope = scope();
        let schema = load::<SqlSchema>(move || {
            scope.range.track();
            let window = scope.window.get_untracked();
            Some(
                ask(paths::SQL_SCHEMA, &[("from", window.from.to_string()), ("to", window.to.to_string())])
                    .chosen(scope.range.get()),
            )
        });
        Sheet { typed: RwSignal::new(text), cursor: RwSignal::new(0), input: NodeRef::new(), schema }
    }

    /// Puts a text on it and the cursor somewhere in it.
    pub(super) fn write(self, text: String, cursor: usize) {
        if let Some(input) = self.input.get_untracked() {
            let units = crate::query::units_at(&text, cursor);
            input.set_value(&text);
            let _ = input.focus();
            let _ = input.set_selection_range(units, units);
        }
        self.typed.set(text);
        self.cursor.set(cursor);
    }

    /// Writes a word at the cursor.
    pub(super) fn insert(self, word: &str) {
        let (mut text, cursor) = (self.typed.get_untracked(), self.cursor.get_untracked());
        let cursor = cursor.min(text.len());
        text.insert_str(cursor, word);
        self.write(text, cursor + word.len());
    }
}

/// Who looks for what is on a sheet.
#[derive(Clone)]
pub(in crate::pages) struct Look {
    /// What it is called.
    pub(in crate::pages) label: &'static str,
    /// What it says while it is blank.
    pub(in crate::pages) example: &'static str,
    /// What is wrong with it.
    pub(in crate::pages) fault: Memo<Option<Failure>>,
    /// Answers to Control Enter.
    pub(in crate::pages) run: Option<Callback<()>>,
}

/// What is offered, and what is chosen of it.
#[derive(Clone, Copy)]
struct Menu {
    offer: Memo<Offer>,
    open: RwSignal<bool>,
    focused: RwSignal<bool>,
    chosen: RwSignal<usize>,
}

impl Menu {
    fn is_open(self) -> bool {
        self.open.get() && self.focused.get() && self.offer.with(|offer| !offer.items.is_empty())
    }

    fn take(self, sheet: Sheet, at: usize) {
        let taken = self.offer.with_untracked(|offer| {
            let item = offer.items.get(at)?;
            Some(sheet.typed.with_untracked(|text| accept(text, offer, item)))
        });
        if let Some((text, cursor)) = taken {
            sheet.write(text, cursor);
            self.chosen.set(0);
            // What follows `attributes['` is offered at once.
            self.open.set(sheet.typed.with_untracked(|text| text[..cursor].ends_with("['")));
        }
    }
}

fn moved(sheet: Sheet) {
    let Some(input) = sheet.input.get_untracked() else { return };
    let units = input.selection_end().ok().flatten().unwrap_or(0);
    sheet.cursor.set(sheet.typed.with_untracked(|typed| byte_at(typed, units as usize)));
}

fn key(sheet: Sheet, menu: Menu, run: Option<Callback<()>>, event: &web_sys::KeyboardEvent) {
    let open = untrack(|| menu.is_open());
    let count = menu.offer.with_untracked(|offer| offer.items.len()).min(MOST);
    match event.key().as_str() {
        "Enter" if event.ctrl_key() || event.meta_key() => {
            let Some(run) = run else { return };
            menu.open.set(false);
            run.run(());
        }
        " " if event.ctrl_key() => menu.open.set(true),
        "ArrowDown" if open => menu.chosen.update(|at| *at = (*at + 1) % count),
        "ArrowUp" if open => menu.chosen.update(|at| *at = (*at + count - 1) % count),
        // Only where something was begun: else the key leaves the editor.
        "Tab" if open && !event.shift_key() => menu.take(sheet, menu.chosen.get_untracked()),
        "Enter" if open && menu.chosen.get_untracked() > 0 => menu.take(sheet, menu.chosen.get_untracked()),
        "Escape" if open => {
            menu.open.set(false);
            event.stop_propagation();
        }
        _ => return,
    }
    event.prevent_default();
}

/// The editor of the console.
pub(super) fn of_console(console: Console) -> AnyView {
    let fault = Memo::new(move |_| {
        let failure = console.answer.progress.failure.get()?;
        let typed = console.sheet.typed;
        typed.with(|typed| console.asked.with(|asked| typed.trim() == asked)).then_some(failure)
    });
    let run = Some(Callback::new(move |()| console.run()));
    let slash = window_event_listener(leptos::ev::keydown, move |event| {
        if event.key() == "/" && !is_typing() {
            event.prevent_default();
            if let Some(input) = console.sheet.input.get_untracked() {
                let _ = input.focus();
            }
        }
    });
    on_cleanup(move || slash.remove());
    let look = Look { label: t(say::STATEMENT), example: t(say::STATEMENT_EXAMPLE), fault, run };
    editor(console.sheet, look, tools(console))
}

/// An editor, with what stands beside it.
pub(in crate::pages) fn editor(sheet: Sheet, look: Look, beside: AnyView) -> AnyView {
    let Look { label, example, fault, run } = look;
    let focused = RwSignal::new(false);
    let found = Memo::new(move |_| {
        let (text, cursor) = (sheet.typed.get(), sheet.cursor.get());
        let mut offer = sheet.schema.data.with(|schema| {
            schema.as_ref().map(|schema| offer(&text, cursor.min(text.len()), schema)).unwrap_or_default()
        });
        offer.items.truncate(MOST);
        offer
    });
    let menu = Menu { offer: found, open: RwSignal::new(false), focused, chosen: RwSignal::new(0) };
    let input = move |event: web_sys::Event| {
        sheet.typed.set(event_target_value(&event));
        moved(sheet);
        menu.chosen.set(0);
        let begun = menu.offer.with_untracked(|offer| {
            offer.begun || offer.items.first().is_some_and(|item| matches!(item.kind, Kind::Table | Kind::Key))
        });
        menu.open.set(begun);
    };
    let blur = move |_| {
        let later = move || {
            focused.try_set(false);
        };
        set_timeout(later, Duration::from_millis(150));
    };
    let is_wrong = move || fault.with(|failure| failure.as_ref().is_some_and(|failure| failure.place.is_some()));
    let active = move || untracked_id(menu);
    view! {
        <div class="query sql-editor" role="search" class:is-wrong=is_wrong>
            <div class="query-edit">
                <pre class="query-ink" aria-hidden="true">{move || ink(sheet, fault)}"\u{200b}"</pre>
                <textarea
                    class="query-text" node_ref=sheet.input rows="4" autocomplete="off" autocapitalize="off" spellcheck="false"
                    aria-label=label aria-autocomplete="list" aria-controls="sql-menu" placeholder=example
                    aria-invalid=move || is_wrong().to_string() aria-activedescendant=active
                    prop:value=move || sheet.typed.get() on:input=input on:keydown=move |event| key(sheet, menu, run, &event)
                    on:keyup=move |_| moved(sheet) on:click=move |_| moved(sheet) on:focus=move |_| focused.set(true) on:blur=blur
                ></textarea>
                {offered(sheet, menu)}
            </div>
            {beside}
        </div>
    }
    .into_any()
}

fn untracked_id(menu: Menu) -> Option<String> {
    menu.is_open().then(|| format!("sql-item-{}", menu.chosen.get()))
}

/// The text in its colours.
fn ink(sheet: Sheet, fault: Memo<Option<Failure>>) -> Vec<AnyView> {
    sheet.typed.with(|text| {
        // The address has it without the space around it.
        let before = text.len() - text.trim_start().len();
        let place = fault.get().and_then(|failure| failure.place).map(|place| {
            let range = bytes_of(text.trim_start(), place.offset, place.length.max(1));
            range.start + before..range.end + before
        });
        let runs = match place {
            Some(place) => mark(&runs(text), text, place),
            None => runs(text),
        };
        let run = |run: &Run| {
            let class = format!("tql-{}{}", run.part, if run.wrong { " is-wrong" } else { "" });
            let word = text.get(run.start..run.end).unwrap_or_default().to_owned();
            view! { <span class=class>{word}</span> }.into_any()
        };
        runs.iter().map(run).collect()
    })
}

/// The menu, below what was begun.
fn offered(sheet: Sheet, menu: Menu) -> AnyView {
    let anchor = NodeRef::<html::I>::new();
    let place = RwSignal::new((0.0, 0.0));
    let before = Memo::new(move |_| {
        let start = menu.offer.with(|offer| offer.start);
        sheet.typed.with(|text| text.get(..start).unwrap_or_default().to_owned())
    });
    let open = Memo::new(move |_| menu.is_open());
    Effect::new(move |_| {
        before.track();
        if open.get() {
            request_animation_frame(move || {
                if let Some(anchor) = anchor.try_get_untracked().flatten() {
                    let anchor: &web_sys::HtmlElement = anchor.unchecked_ref();
                    place.try_set((f64::from(anchor.offset_left()), f64::from(anchor.offset_top())));
                }
            });
        }
    });
    Effect::new(move |_| {
        let item = document().get_element_by_id(&format!("sql-item-{}", menu.chosen.get()));
        if let Some(item) = item.filter(|_| open.get_untracked()) {
            let options = web_sys::ScrollIntoViewOptions::new();
            options.set_block(web_sys::ScrollLogicalPosition::Nearest);
            item.scroll_into_view_with_scroll_into_view_options(&options);
        }
    });
    let style = move || {
        let (x, y) = place.get();
        format!("left:min({x}px, max(0px, 100% - 460px));top:{}px", y + 24.0)
    };
    let row = move |(at, item): (usize, Item)| {
        view! {
            <li role="option" id=format!("sql-item-{at}") class="suggestion" aria-selected=move || (menu.chosen.get() == at).to_string()
                on:pointerdown=move |event| { event.prevent_default(); menu.take(sheet, at); }>
                <span class="sql-kind" aria-hidden="true">{sign(item.kind)}</span><code class="clamp grow">{item.word}</code><span class="hint clamp">{item.hint}</span>
            </li>
        }
    };
    let rows = move || open.get().then(|| menu.offer.get().items.into_iter().enumerate().map(row).collect_view());
    let said = move || {
        open.get().then(|| tf(say::N_SUGGESTIONS, &[("n", &menu.offer.with(|offer| offer.items.len()).to_string())]))
    };
    view! {
        <pre class="query-ink query-ghost" aria-hidden="true">{move || before.get()}<i node_ref=anchor></i></pre>
        <ul class="suggestions query-menu sql-menu" id="sql-menu" role="listbox" aria-label=t(say::SUGGESTIONS) hidden=move || !open.get() style=style>{rows}</ul>
        <span class="sr-only" role="status">{said}</span>
    }
    .into_any()
}

fn sign(kind: Kind) -> &'static str {
    match kind {
        Kind::Table => "▦",
        Kind::Column => "▥",
        Kind::Key => "[]",
        Kind::Function => "ƒ",
        Kind::Keyword => "",
    }
}

fn tools(console: Console) -> AnyView {
    let past = RwSignal::new(false);
    let recent = move || {
        let item = |text: String| {
            let again = text.clone();
            let run = move |_| {
                past.set(false);
                console.take(&again);
            };
            view! { <li><button type="button" class="menu-item" on:click=run><code class="query-past">{text}</code></button></li> }
        };
        let known = history::all();
        if !past.get() || known.is_empty() {
            return view! { <p class="menu-head">{t(say::NO_HISTORY)}</p> }.into_any();
        }
        view! { <h3 class="menu-head">{t(say::HISTORY)}</h3><ul class="menu">{known.into_iter().map(item).collect_view()}</ul> }.into_any()
    };
    let empty = move || console.sheet.typed.with(String::is_empty);
    let clear = move |_| {
        console.sheet.write(String::new(), 0);
        console.run();
    };
    view! {
        <div class="query-tools">
            <Show when=move || !empty()>
                <button type="button" class="icon-button" aria-label=t(say::CLEAR) title=t(say::CLEAR) on:click=clear>{icon("x")}</button>
            </Show>
            <Popover open=past label=t(say::HISTORY).to_owned() class="icon-button" end=true button=icon("clock")><div class="query-history">{recent}</div></Popover>
            <button type="button" class="button button-primary" title=tf(say::RUN_HINT, &[("key", "Ctrl Enter")]) aria-keyshortcuts="Control+Enter" on:click=move |_| console.run()>{icon("play")}{t(say::RUN)}</button>
        </div>
    }
    .into_any()
}
