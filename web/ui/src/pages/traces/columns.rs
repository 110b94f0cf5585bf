//! Which fields of the spans are columns of the list: those that the query's `select()` names.

use crate::components::figure::figure;
use crate::components::icon::icon;
use crate::components::popover::Popover;
use crate::components::query::{Query, keys};
use crate::traceql::with_columns;
use crate::words::{say, t};
use leptos::prelude::*;
use orrery_chart::Unit;

/// Of every span.
const INTRINSICS: [&str; 4] = ["span:kind", "span:statusMessage", "instrumentation:name", "trace:rootName"];
/// Fields listed, at most.
const LISTED: usize = 100;

pub(super) fn chooser(query: Query) -> AnyView {
    let open = RwSignal::new(false);
    let button = view! { {icon("table-2")}<span class="button-text">{t(say::COLUMNS)}</span> }.into_any();
    let keys = keys(move || open.get());
    let typed = RwSignal::new(String::new());
    let chosen = Memo::new(move |_| query.says.with(|says| says.columns.clone()));
    let item = move |name: String, count: Option<u64>| {
        let (here, wanted) = (name.clone(), name.clone());
        let is_chosen = move || chosen.with(|chosen| chosen.contains(&here));
        let toggle = move |_| {
            let mut columns = chosen.get_untracked();
            match columns.iter().position(|column| *column == wanted) {
                Some(at) => drop(columns.remove(at)),
                None => columns.push(wanted.clone()),
            }
            let asked = query.asked.get_untracked();
            if let Some(text) = with_columns(&asked, &columns) {
                query.ask(&text);
            }
        };
        view! {
            <li><button type="button" class="menu-item" aria-pressed=move || is_chosen().to_string() on:click=toggle>
                <code class="grow clamp">{name}</code><span class="hint">{count.map(|count| figure(&Unit::Number, count as f64))}</span>
            </button></li>
        }
        .into_any()
    };
    let items = move || {
        let wanted = typed.get().to_lowercase();
        let fits = |name: &str| name.to_lowercase().contains(&wanted);
        let mut items: Vec<(String, Option<u64>)> = keys.data.with(|list| {
            let stored = list.iter().flat_map(|list| &list.keys).filter(|key| fits(&key.key));
            stored.take(LISTED).map(|key| (key.key.clone(), Some(key.span_count))).collect()
        });
        items.extend(INTRINSICS.iter().filter(|name| fits(name)).map(|name| ((*name).to_owned(), None)));
        // What is chosen stays in reach whatever is searched for.
        let known: Vec<String> = items.iter().map(|(name, _)| name.clone()).collect();
        let kept = chosen.get_untracked().into_iter().filter(|name| !known.contains(name)).map(|name| (name, None));
        let all: Vec<_> = kept.chain(items).collect();
        all.into_iter().map(|(name, count)| item(name, count)).collect_view()
    };
    view! {
        <Popover open=open label=t(say::COLUMNS).to_owned() end=true button=button>
            <div class="chooser">
                <input class="input wide" type="search" placeholder=t(say::FIND_FIELD) aria-label=t(say::FIND_FIELD) prop:value=move || typed.get() on:input=move |event| typed.set(event_target_value(&event)) />
                <ul class="menu chooser-list">{items}</ul>
            </div>
        </Popover>
    }
    .into_any()
}
