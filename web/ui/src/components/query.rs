//! The query bar: TraceQL with colours, completion, errors where they are, and what was asked before.

mod builder;
mod history;
mod menu;

pub(crate) use menu::keys;

use crate::client::Failure;
use crate::components::filter::is_typing;
use crate::components::icon::icon;
use crate::components::popover::Popover;
use crate::filters::trace_id;
use crate::nav::{Nav, nav};
use crate::pages::chunks::chunks;
use crate::pages::part;
use crate::query::{FILTERS, byte_at, bytes_of, of_filters, units_at};
use crate::scope::{Scope, scope};
use crate::traceql::{Reading, Run, Trouble, accept, mark, offer, read};
use crate::words::{say, t, tf};
use leptos::html;
use leptos::prelude::*;
use menu::{Item, Write};
use std::time::Duration;

/// The query of a page: what its address asks, and what stands in the bar.
#[derive(Clone, Copy)]
pub(crate) struct Query {
    nav: Nav,
    scope: Scope,
    /// What is asked, as the address says it; blank for all traces.
    pub(crate) asked: Memo<String>,
    /// What that says.
    pub(crate) says: Memo<Reading>,
    /// Changes when the same is asked again.
    pub(crate) again: RwSignal<u32>,
    /// What is written.
    typed: RwSignal<String>,
    /// What that says.
    reading: Memo<Reading>,
    /// Byte of the cursor in it.
    cursor: RwSignal<usize>,
    input: NodeRef<html::Textarea>,
    /// The bar has the focus.
    focused: RwSignal<bool>,
    /// It was tried to ask what is written.
    tried: RwSignal<bool>,
    /// The menu is open.
    open: RwSignal<bool>,
    /// Item of it.
    chosen: RwSignal<Option<usize>>,
    builder: Memo<bool>,
}

impl Query {
    /// Follows the address. Filters in it become part of the query.
    pub(crate) fn start() -> Query {
        let nav = nav();
        let param = nav.param("q");
        let asked = Memo::new(move |_| of_filters(&nav.place().params).or(param.get()).unwrap_or_default());
        let typed = RwSignal::new(asked.get_untracked());
        let shown = nav.param("builder");
        let query = Query {
            nav,
            scope: scope(),
            asked,
            says: Memo::new(move |_| asked.with(|text| read(text))),
            again: RwSignal::new(0),
            typed,
            reading: Memo::new(move |_| typed.with(|text| read(text))),
            cursor: RwSignal::new(0),
            input: NodeRef::new(),
            focused: RwSignal::new(false),
            tried: RwSignal::new(false),
            open: RwSignal::new(false),
            chosen: RwSignal::new(None),
            builder: Memo::new(move |_| shown.get().is_some()),
        };
        Effect::new(move |_| {
            typed.set(asked.get());
            query.tried.set(false);
            if of_filters(&nav.place().params).is_some() {
                let mut changes = FILTERS.map(|name| (name, None)).to_vec();
                changes.push(("q", Some(asked.get())));
                nav.replace(&changes);
            }
        });
        query
    }

    /// Asks something.
    pub(crate) fn ask(self, text: &str) {
        let text = text.trim();
        self.open.set(false);
        if let Some(id) = trace_id(text) {
            return self.nav.go(&self.nav.href_now(&format!("/traces/{id}"), &[]));
        }
        self.typed.set(text.to_owned());
        if read(text).problem.is_some() {
            return self.tried.set(true);
        }
        if !text.is_empty() {
            history::add(text);
        }
        if self.asked.with_untracked(|asked| asked == text) {
            self.again.update(|count| *count += 1);
            return self.scope.refresh();
        }
        self.nav.set(&[("q", Some(text.to_owned()))]);
    }

    /// What is written; tracked.
    pub(crate) fn written(self) -> String {
        self.typed.with(|typed| typed.trim().to_owned())
    }

    /// The language finds nothing wrong with what is written; tracked.
    pub(crate) fn is_sound(self) -> bool {
        self.reading.with(|reading| reading.problem.is_none())
    }

    fn run(self) {
        self.ask(&self.typed.get_untracked());
    }

    /// Puts a text into the bar and the cursor somewhere in it.
    fn write(self, text: String, cursor: usize) {
        if let Some(input) = self.input.get_untracked() {
            let units = units_at(&text, cursor);
            input.set_value(&text);
            let _ = input.focus();
            let _ = input.set_selection_range(units, units);
        }
        self.typed.set(text);
        self.cursor.set(cursor);
        self.chosen.set(None);
        self.tried.set(false);
    }

    fn take(self, item: &Item) {
        match &item.write {
            Write::Whole(text) => {
                self.write(text.clone(), text.len());
                self.run();
            }
            Write::Word(word) => {
                let (text, cursor) = (self.typed.get_untracked(), self.cursor.get_untracked());
                let accepted = accept(&text, cursor, word);
                self.write(accepted.text, accepted.cursor);
            }
        }
    }

    fn moved(self) {
        let Some(input) = self.input.get_untracked() else { return };
        let units = input.selection_end().ok().flatten().unwrap_or(0);
        let cursor = self.typed.with_untracked(|typed| byte_at(typed, units as usize));
        if cursor != self.cursor.get_untracked() {
            self.cursor.set(cursor);
            self.chosen.set(None);
        }
    }

    fn key(self, event: &web_sys::KeyboardEvent, items: Memo<Vec<Item>>) {
        let (count, chosen) = (items.with_untracked(Vec::len), self.chosen.get_untracked());
        let open = self.open.get_untracked() && count > 0;
        let item = |at: usize| items.with_untracked(|items| items.get(at).cloned());
        match event.key().as_str() {
            "ArrowDown" if open => self.chosen.set(Some(chosen.map_or(0, |at| (at + 1) % count))),
            "ArrowDown" if !self.typed.with_untracked(|typed| typed.contains('\n')) => self.open.set(true),
            "ArrowUp" if open && chosen.is_some() => self.chosen.set(chosen.and_then(|at| at.checked_sub(1))),
            " " if event.ctrl_key() => self.open.set(true),
            "Enter" if event.shift_key() => return,
            "Enter" => match chosen.filter(|_| open).and_then(item) {
                Some(item) => self.take(&item),
                None => self.run(),
            },
            // Only where something was begun or chosen: else the key leaves the bar.
            "Tab" if open && !event.shift_key() && (chosen.is_some() || self.has_begun()) => {
                if let Some(item) = item(chosen.unwrap_or(0)) {
                    self.take(&item);
                }
            }
            "Escape" if open => {
                self.open.set(false);
                event.stop_propagation();
            }
            _ => return,
        }
        event.prevent_default();
    }

    fn has_begun(self) -> bool {
        !self.typed.with_untracked(|text| offer(text, self.cursor.get_untracked())).prefix.is_empty()
    }

    /// What is wrong with what is written: by the language, else by the server, which also knows regular expressions.
    fn fault(self, refused: Signal<Option<Failure>>) -> Memo<Option<Trouble>> {
        Memo::new(move |_| {
            let known = self.reading.with(|reading| reading.problem.clone());
            if known.is_some() || self.typed.with(|typed| self.asked.with(|asked| typed != asked)) {
                return known;
            }
            let refused = refused.get()?;
            let range = self.typed.with(|typed| refused.place.map(|at| bytes_of(typed, at.offset, at.length)))?;
            let hint = refused.hint.unwrap_or_default();
            // The sentence says both.
            let message = refused.detail.strip_suffix(&format!(": {hint}")).unwrap_or(&refused.detail).to_owned();
            Some(Trouble { start: range.start, end: range.end, message, hint })
        })
    }

    /// What is still being written, at the end or where the cursor is, is not wrong yet.
    fn is_unfinished(self, trouble: &Trouble) -> bool {
        let (end, cursor) = (self.typed.with(|typed| typed.trim_end().len()), self.cursor.get());
        let at_end = trouble.end >= end && cursor >= end;
        let here = trouble.start <= cursor + 1 && cursor <= trouble.end + 1;
        self.focused.get() && !self.tried.get() && (at_end || here)
    }
}

chunks! {
    /// Conditions as rows of fields.
    pub(crate) BUILDER traces_builder |query: Query| builder::builder(query);
}

/// The bar, and the builder below it where it is wanted.
#[component]
pub(crate) fn QueryBar(
    /// The page's query.
    query: Query,
    /// Why the server did not answer it.
    #[prop(into)]
    refused: Signal<Option<Failure>>,
) -> impl IntoView {
    let items = menu::items(query.typed, query.cursor, query.focused);
    let fault = query.fault(refused);
    let shown = Memo::new(move |_| fault.get().filter(|trouble| !query.is_unfinished(trouble)));
    let input = move |event: web_sys::Event| {
        query.typed.set(event_target_value(&event));
        query.tried.set(false);
        query.moved();
        query.chosen.set(None);
        query.open.set(true);
    };
    let blur = move |_| {
        query.focused.set(false);
        set_timeout(
            move || {
                query.open.try_set(false);
            },
            Duration::from_millis(150),
        );
    };
    let click = move |_| {
        query.moved();
        query.open.set(query.typed.with_untracked(String::is_empty));
    };
    let slash = window_event_listener(leptos::ev::keydown, move |event| {
        if event.key() == "/" && !is_typing() {
            event.prevent_default();
            if let Some(input) = query.input.get_untracked() {
                let _ = input.focus();
            }
        }
    });
    on_cleanup(move || slash.remove());
    let menu_open =
        Memo::new(move |_| query.open.get() && query.focused.get() && items.with(|items| !items.is_empty()));
    view! {
        <div class="query" role="search" class:is-wrong=move || shown.with(Option::is_some)>
            <div class="query-edit">
                <pre class="query-ink" aria-hidden="true">{move || ink(query, shown)}"\u{200b}"</pre>
                <textarea
                    class="query-text" node_ref=query.input rows="1" autocomplete="off" autocapitalize="off" spellcheck="false"
                    aria-label=t(say::QUERY) aria-autocomplete="list" aria-controls="query-menu" placeholder=t(say::QUERY_EXAMPLE)
                    aria-invalid=move || shown.with(Option::is_some).to_string() aria-describedby="query-fault"
                    aria-activedescendant=move || query.chosen.get().filter(|_| menu_open.get()).map(|at| format!("query-item-{at}"))
                    prop:value=move || query.typed.get() on:input=input on:keydown=move |event| query.key(&event, items)
                    on:keyup=move |_| query.moved() on:click=click on:focus=move |_| query.focused.set(true) on:blur=blur
                ></textarea>
                {menu::menu(query, items, menu_open)}
            </div>
            {tools(query)}
        </div>
        <div id="query-fault" class="query-fault" role="alert">{move || shown.get().map(|trouble| view! {
            <p><span class="is-err"><span aria-hidden="true">"◆ "</span>{trouble.message}</span>{(!trouble.hint.is_empty()).then(|| view! { <span class="query-hint">{trouble.hint}</span> })}</p>
        })}</div>
        <Show when=move || query.builder.get()>{part(BUILDER, query)}</Show>
    }
}

/// The text in its colours.
fn ink(query: Query, fault: Memo<Option<Trouble>>) -> Vec<AnyView> {
    query.typed.with(|text| {
        let runs = query.reading.with(|reading| match fault.get() {
            Some(trouble) => mark(&reading.runs, text, trouble.start..trouble.end),
            None => reading.runs.clone(),
        });
        let run = |run: &Run| {
            let class = format!("tql-{}{}", run.part, if run.wrong { " is-wrong" } else { "" });
            let word = text.get(run.start..run.end).unwrap_or_default().to_owned();
            view! { <span class=class>{word}</span> }.into_any()
        };
        runs.iter().map(run).collect()
    })
}

fn tools(query: Query) -> AnyView {
    let past = RwSignal::new(false);
    let empty = move || query.typed.with(String::is_empty);
    let recent = move || {
        let item = |text: String| {
            let again = text.clone();
            let run = move |_| {
                past.set(false);
                query.ask(&again);
            };
            view! { <li><button type="button" class="menu-item" on:click=run><code class="query-past">{text}</code></button></li> }
        };
        let known = history::all();
        if known.is_empty() {
            return view! { <p class="menu-head">{t(say::NO_HISTORY)}</p> }.into_any();
        }
        view! { <h3 class="menu-head">{t(say::HISTORY)}</h3><ul class="menu">{known.into_iter().map(item).collect_view()}</ul> }.into_any()
    };
    let toggle = move |_| query.nav.replace(&[("builder", (!query.builder.get_untracked()).then(|| "on".to_owned()))]);
    view! {
        <div class="query-tools">
            <Show when=move || !empty()>
                <button type="button" class="icon-button" aria-label=t(say::CLEAR) title=t(say::CLEAR) on:click=move |_| { query.write(String::new(), 0); query.run(); }>{icon("x")}</button>
            </Show>
            <Popover open=past label=t(say::HISTORY).to_owned() class="icon-button" end=true button=icon("clock")><div class="query-history">{recent}</div></Popover>
            <button type="button" class="button" aria-pressed=move || query.builder.get().to_string() title=t(say::BUILDER) aria-label=t(say::BUILDER) on:click=toggle>{icon("funnel")}<span class="query-label">{t(say::BUILDER)}</span></button>
            <button type="button" class="button button-primary" title=tf(say::RUN_HINT, &[("key", "Enter")]) on:click=move |_| query.run()>{t(say::RUN)}</button>
        </div>
    }
    .into_any()
}
