//! What could be written at the cursor: words of the language, fields and values of stored spans.

use super::{Query, history};
use crate::client::{Load, ask, load};
use crate::components::figure::figure;
use crate::query::literal;
use crate::scope::scope;
use crate::traceql::{Offer, offer};
use crate::words::{Phrase, say, t, tf};
use leptos::html;
use leptos::prelude::*;
use orrery_api::{TraceKeyList, TraceValueList, paths};
use orrery_chart::Unit;
use wasm_bindgen::JsCast;

/// Items shown, at most.
const MOST: usize = 60;
/// Fields of stored spans that come before the intrinsics.
const FIRST: usize = 5;
/// Earlier queries offered in an empty bar.
const RECENT: usize = 6;

/// Something to write.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    label: String,
    hint: &'static str,
    /// Spans that have it.
    count: Option<u64>,
    pub(super) write: Write,
}

/// What choosing it does.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Write {
    /// Writes it at the cursor.
    Word(String),
    /// Asks it.
    Whole(String),
}

impl Item {
    fn word(word: String, hint: &'static str, count: Option<u64>) -> Item {
        Item { label: word.clone(), hint, count, write: Write::Word(word) }
    }

    fn whole(query: String, hint: &'static str) -> Item {
        Item { label: query.clone(), hint, count: None, write: Write::Whole(query) }
    }
}

const EXAMPLES: [(&str, Phrase); 4] = [
    ("{ status = error }", say::ASK_ERRORS),
    ("{ trace:duration > 1s }", say::ASK_SLOW),
    ("{ kind = server } >> { kind = client && status = error }", say::ASK_BELOW),
    ("{ kind = server } | rate() by (resource.service.name)", say::ASK_RATE),
];

/// What the words of the language mean that one would mix up.
fn meaning(word: &str) -> &'static str {
    let phrase = match word {
        "span:duration" => say::MEANS_SPAN_DURATION,
        "trace:duration" => say::MEANS_TRACE_DURATION,
        "span:name" => say::MEANS_SPAN_NAME,
        "trace:rootName" => say::MEANS_ROOT_NAME,
        "trace:rootService" => say::MEANS_ROOT_SERVICE,
        "span:status" => say::MEANS_STATUS,
        "span:kind" => say::MEANS_KIND,
        ">" => say::MEANS_CHILD,
        ">>" => say::MEANS_DESCENDANT,
        "~" => say::MEANS_SIBLING,
        "|" => say::MEANS_PIPE,
        "by(" | "by (" => say::MEANS_BY,
        "select(" => say::MEANS_SELECT,
        "rate()" => say::MEANS_RATE,
        "quantile_over_time(" => say::MEANS_QUANTILE,
        "compare(" => say::MEANS_COMPARE,
        _ => return "",
    };
    t(phrase)
}

/// Fields of stored spans, once somebody wants to write.
pub(crate) fn keys(wanted: impl Fn() -> bool + Send + Sync + 'static) -> Load<TraceKeyList> {
    let scope = scope();
    let begun = Memo::new(move |begun: Option<&bool>| begun == Some(&true) || wanted());
    load::<TraceKeyList>(move || {
        scope.range.track();
        let window = scope.window.get_untracked();
        begun.get().then(|| ask(paths::TRACE_KEYS, &[("from", window.from.to_string()), ("to", window.to.to_string())]))
    })
}

/// Values of a field that begin like something.
pub(super) fn values(wanted: impl Fn() -> Option<(String, String)> + Send + Sync + 'static) -> Load<TraceValueList> {
    let scope = scope();
    load::<TraceValueList>(move || {
        let (key, prefix) = wanted()?;
        let window = scope.window.get_untracked();
        let params =
            [("from", window.from.to_string()), ("to", window.to.to_string()), ("key", key), ("prefix", prefix)];
        Some(ask(paths::TRACE_VALUES, &params))
    })
}

/// What fits, as it changes.
pub(super) fn items(typed: RwSignal<String>, cursor: RwSignal<usize>, focused: RwSignal<bool>) -> Memo<Vec<Item>> {
    let offer = Memo::new(move |_| {
        let (text, cursor) = (typed.get(), cursor.get());
        focused.get().then(|| offer(&text, cursor))
    });
    let keys = keys(move || focused.get());
    let values = values(move || {
        let offer = offer.get().filter(|offer| !offer.values_of.is_empty())?;
        Some((offer.values_of, offer.prefix))
    });
    Memo::new(move |_| {
        if typed.with(|typed| typed.trim().is_empty()) {
            return if focused.get() { blank() } else { Vec::new() };
        }
        let Some(offer) = offer.get() else { return Vec::new() };
        let mut items = words(&offer);
        if offer.fields {
            let mut fields = keys.data.with(|list| list.as_ref().map(|list| fields(&offer, list)).unwrap_or_default());
            let rest = fields.split_off(FIRST.min(fields.len()));
            items.splice(0..0, fields);
            items.extend(rest);
        } else if !offer.values_of.is_empty() {
            let found = values.data.with(|list| list.as_ref().map(|list| literals(&offer, list)).unwrap_or_default());
            items.retain(|word| found.iter().all(|item| item.label != word.label));
            items.splice(0..0, found);
        }
        items.truncate(MOST);
        items
    })
}

/// What was asked before, and what could be.
fn blank() -> Vec<Item> {
    let recent = history::all().into_iter().take(RECENT).map(|query| Item::whole(query, t(say::RECENT)));
    recent.chain(EXAMPLES.map(|(query, what)| Item::whole(query.to_owned(), t(what)))).collect()
}

fn words(offer: &Offer) -> Vec<Item> {
    offer.words.iter().map(|word| Item::word(word.clone(), meaning(word), None)).collect()
}

/// Those that begin like what was written before those that only contain it.
fn fields(offer: &Offer, list: &TraceKeyList) -> Vec<Item> {
    let begun = offer.prefix.to_lowercase();
    let of_scope = |scope: &str| match offer.of_parent {
        true => matches!(scope, "span" | "resource") && (offer.scope.is_empty() || offer.scope == scope),
        false => offer.scope.is_empty() || offer.scope == scope,
    };
    let item = |key: &orrery_api::TraceKey| {
        let word = if offer.of_parent { format!("parent.{}", key.key) } else { key.key.clone() };
        Item::word(word, "", Some(key.span_count))
    };
    let fitting = || list.keys.iter().filter(|key| of_scope(&key.scope) && key.key.to_lowercase().contains(&begun));
    let first = |key: &&orrery_api::TraceKey| {
        key.name.to_lowercase().starts_with(&begun) || key.key.to_lowercase().starts_with(&begun)
    };
    fitting().filter(first).chain(fitting().filter(|key| !first(key))).map(item).collect()
}

fn literals(offer: &Offer, list: &TraceValueList) -> Vec<Item> {
    let item = |value: &orrery_api::TraceValue| {
        Some(Item::word(literal(&offer.values_of, &value.value)?, "", Some(value.span_count)))
    };
    // An answer to an earlier question may still be here.
    if list.key != offer.values_of { Vec::new() } else { list.values.iter().filter_map(item).collect() }
}

/// The menu, below what was begun.
pub(super) fn menu(query: Query, items: Memo<Vec<Item>>, open: Memo<bool>) -> AnyView {
    let anchor = NodeRef::<html::I>::new();
    let place = RwSignal::new((0.0, 0.0));
    let before = Memo::new(move |_| {
        let (text, cursor) = (query.typed.get(), query.cursor.get());
        let start = offer(&text, cursor).start;
        text.get(..start).unwrap_or_default().to_owned()
    });
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
        let item = query.chosen.get().and_then(|at| document().get_element_by_id(&format!("query-item-{at}")));
        if let Some(item) = item {
            let options = web_sys::ScrollIntoViewOptions::new();
            options.set_block(web_sys::ScrollLogicalPosition::Nearest);
            item.scroll_into_view_with_scroll_into_view_options(&options);
        }
    });
    let style = move || {
        let (x, y) = place.get();
        format!("left:min({x}px, max(0px, 100% - 560px));top:{}px", y + 24.0)
    };
    let rows = move || {
        items.get().into_iter().enumerate().map(|(at, item)| {
        let (label, hint) = (item.label.clone(), item.hint);
        let count = item.count.map(|count| figure(&Unit::Number, count as f64));
        view! {
            <li role="option" id=format!("query-item-{at}") class="suggestion" aria-selected=move || (query.chosen.get() == Some(at)).to_string()
                on:pointerdown=move |event| { event.prevent_default(); query.take(&item); }>
                <code class="clamp">{label}</code><span class="hint">{hint}{count}</span>
            </li>
        }
    }).collect_view()
    };
    let said = move || open.get().then(|| tf(say::N_SUGGESTIONS, &[("n", &items.with(Vec::len).to_string())]));
    view! {
        <pre class="query-ink query-ghost" aria-hidden="true">{move || before.get()}<i node_ref=anchor></i></pre>
        <ul class="suggestions query-menu" id="query-menu" role="listbox" aria-label=t(say::SUGGESTIONS) hidden=move || !open.get() style=style>{rows}</ul>
        <span class="sr-only" role="status">{said}</span>
    }
    .into_any()
}
