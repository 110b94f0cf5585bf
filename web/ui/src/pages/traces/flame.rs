//! Where the traces that are found spend their time, added up by path; beside another range if one is chosen.

mod picture;
mod table;

use super::{found_spans, params, views};
use crate::client::{Failure, ask, load};
use crate::compare::Comparison;
use crate::components::comparison;
use crate::components::icon::icon;
use crate::components::panel::panel;
use crate::components::query::Query;
use crate::figures::window_label;
use crate::flame::Merged;
use crate::nav::{Nav, nav};
use crate::range::Window;
use crate::scope::scope;
use crate::words::{say, t, tf};
use leptos::prelude::*;
use orrery_api::{FlameTraces, TraceFlame, paths};
use orrery_chart::flame::change_ink;
use orrery_chart::{Unit, grouped};
use std::sync::Arc;

/// What is shown and chosen.
#[derive(Clone, Copy)]
struct Model {
    nav: Nav,
    query: Query,
    merged: Memo<Arc<Merged>>,
    /// The path that fills the width.
    focus: Memo<Option<u32>>,
    /// The path under the pointer or the keys.
    pointed: RwSignal<Option<u32>>,
    /// What is looked for, and by path whether it is that.
    words: RwSignal<String>,
    found: Memo<Option<Vec<bool>>>,
    /// As a table.
    tabular: Memo<bool>,
}

impl Model {
    /// Looks closer at a path; at everything if none.
    fn look(self, at: Option<u32>) {
        let id = at.map(|at| self.merged.with_untracked(|merged| merged.id(at)));
        self.nav.replace(&[("at", id)]);
    }

    /// Service and name of a path.
    fn title(self, at: u32) -> String {
        self.merged.with(|merged| title(merged, at))
    }

    /// Asks for the traces with a path.
    fn traces(self, at: u32) {
        let spans = untrack(|| found_spans(self.query)).unwrap_or_default();
        let Some(text) = self.merged.with_untracked(|merged| merged.query(at, &spans)) else { return };
        self.nav.set(&[("view", None), ("at", None), ("compare", None), ("begin", None)]);
        self.query.ask(&text);
    }
}

fn title(merged: &Merged, at: u32) -> String {
    match (merged.name(at), merged.service(at)) {
        (Ok(name), Some((service, _))) => format!("{service} · {name}"),
        (Ok(name), None) => name.to_owned(),
        (Err(paths), _) => tf(say::OTHER_PATHS, &[("n", &grouped(paths as usize))]),
    }
}

/// What one trace spends in a path, in words.
fn told(merged: &Merged, at: u32) -> String {
    let nanos = |nanos: f64| Unit::Nanos.format(nanos).to_string();
    let now = merged.now(at);
    let numbers = [
        ("n", Unit::Number.format(now.count).to_string()),
        ("total", nanos(now.total)),
        ("share", Unit::Ratio.format(now.share).to_string()),
        ("self", nanos(now.own)),
    ];
    let numbers: Vec<(&str, &str)> = numbers.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let mut told = tf(say::FLAME_EACH, &numbers);
    if let Some(before) = merged.before(at) {
        let share = Unit::Ratio.format(before.share).to_string();
        told = format!("{told} · {}", tf(say::FLAME_BEFORE, &[("total", &nanos(before.total)), ("share", &share)]));
    }
    if merged.errors(at) > 0.0 {
        told = format!(
            "{told} · {}",
            tf(say::FLAME_FAILED, &[("share", &Unit::Ratio.format(merged.errors(at)).to_string())])
        );
    }
    told
}

pub(super) fn flame(query: Query, refused: RwSignal<Option<Failure>>) -> AnyView {
    let (nav, scope) = (nav(), scope());
    let (compare, begin) = (nav.param("compare"), nav.param("begin"));
    let comparison = Memo::new(move |_| compare.get().as_deref().and_then(Comparison::parse));
    let begin = Memo::new(move |_| begin.get().filter(|begin| begin == "match"));
    let load = load::<TraceFlame>(move || {
        let window = scope.window.get();
        let mut params = params(query, scope, window);
        query.again.track();
        params.extend(begin.get().map(|begin| ("begin", begin)));
        if let Some(comparison) = comparison.get() {
            let before = comparison.window(window);
            params.extend([("compare_from", before.from.to_string()), ("compare_to", before.to.to_string())]);
        }
        Some(ask(paths::TRACE_FLAME, &params).chosen((scope.range.get(), comparison.get())))
    });
    Effect::new(move |_| refused.set(load.progress.failure.get()));
    let merged = Memo::new(move |_| {
        Arc::new(load.data.with(|flame| flame.as_ref().map(|flame| Merged::new(flame)).unwrap_or_default()))
    });
    let (at, words, shown) = (nav.param("at"), RwSignal::new(String::new()), nav.param("as"));
    let model = Model {
        nav,
        query,
        merged,
        focus: Memo::new(move |_| merged.with(|merged| merged.find(&at.get()?))),
        pointed: RwSignal::new(None),
        words,
        found: Memo::new(move |_| merged.with(|merged| words.with(|words| merged.search(words)))),
        tabular: Memo::new(move |_| shown.get().as_deref() == Some("table")),
    };
    Effect::new(move |_| {
        merged.track();
        model.pointed.set(None);
    });
    let choose = Callback::new(move |comparison: Comparison| nav.set(&[("compare", Some(comparison.address()))]));
    let from_match = move |_| {
        let now = begin.get_untracked().is_some();
        nav.replace(&[("begin", (!now).then(|| "match".to_owned())), ("at", None)]);
    };
    let as_table = move |_| nav.replace(&[("as", (!model.tabular.get_untracked()).then(|| "table".to_owned()))]);
    let head = view! {
        {rests_on(load.data)}{views::switch()}
        <button type="button" class="button button-quiet" title=t(say::FLAME_FROM_MATCH_HINT) aria-pressed=move || begin.with(Option::is_some).to_string() on:click=from_match>{icon("funnel")}<span class="button-text">{t(say::FLAME_FROM_MATCH)}</span></button>
        {comparison::picker(comparison, scope, choose)}
        <button type="button" class="button button-quiet" title=t(say::TABLE) aria-pressed=move || model.tabular.get().to_string() on:click=as_table>{icon("table-2")}<span class="button-text">{t(say::TABLE)}</span></button>
        {super::in_sql(query, None)}
    }
    .into_any();
    let blank = |flame: &TraceFlame| flame.nodes.is_empty();
    let body = move |flame: Signal<Arc<TraceFlame>>| {
        let shown = move || if model.tabular.get() { table::table(model) } else { picture::picture(model) };
        view! { {bar(model)}{compared(model, flame)}{shown} }.into_any()
    };
    panel(t(say::WHERE_TIME_GOES), Some(head), load, blank, move |_| super::list::nothing(query), body)
}

/// How many traces it rests on.
fn rests_on(flame: RwSignal<Option<Arc<TraceFlame>>>) -> AnyView {
    let said = |traces: FlameTraces| match traces.candidates > traces.traces {
        true => tf(
            say::RESTS_ON_PART,
            &[("n", &grouped(traces.traces as usize)), ("of", &grouped(traces.candidates as usize))],
        ),
        false => tf(say::RESTS_ON, &[("n", &grouped(traces.traces as usize))]),
    };
    let text = move || flame.with(|flame| flame.as_ref().map(|flame| said(flame.now)));
    view! { <span class="hint" role="status">{text}</span> }.into_any()
}

/// The way to the path that is looked at, what can be done with it, and a search.
fn bar(model: Model) -> AnyView {
    let steps = move || {
        let Some(at) = model.focus.get() else { return Vec::new() };
        let mut steps: Vec<u32> = model.merged.with(|merged| merged.blocks.above(at).collect());
        steps.reverse();
        steps
    };
    let crumb = move |at: u32| {
        let here = move || (model.focus.get() == Some(at)).then_some("true");
        view! { <li><button type="button" class="link" aria-current=here on:click=move |_| model.look(Some(at))>{model.title(at)}</button></li> }
    };
    let whole = move || model.focus.get().is_none().then_some("true");
    let traces = move || {
        let at = model.focus.get().filter(|at| model.merged.with(|merged| merged.name(*at).is_ok()))?;
        Some(
            view! { <button type="button" class="button" on:click=move |_| model.traces(at)>{icon("chart-gantt")}<span>{t(say::TRACES_THROUGH)}</span></button> },
        )
    };
    let found = move || {
        let found =
            model.found.with(|found| found.as_ref().map(|found| found.iter().filter(|found| **found).count()))?;
        Some(tf(say::N_FOUND, &[("n", &grouped(found))]))
    };
    view! {
        <div class="flame-bar">
            <nav class="grow" aria-label=t(say::FLAME_PATH)><ol class="crumbs"><li><button type="button" class="link" aria-current=whole on:click=move |_| model.look(None)>{t(say::ALL_TRACES)}</button></li>{move || steps().into_iter().map(crumb).collect_view()}</ol></nav>
            {traces}
            <span class="hint" role="status">{found}</span>
            <input class="input" type="search" placeholder=t(say::FIND_PATH) aria-label=t(say::FIND_PATH) prop:value=move || model.words.get() on:input=move |event| model.words.set(event_target_value(&event)) />
        </div>
    }
    .into_any()
}

/// With what it is compared, on how many traces that rests, and what colours mean.
fn compared(model: Model, flame: Signal<Arc<TraceFlame>>) -> AnyView {
    let bar = move || {
        let (range, before) = flame.with(|flame| flame.compared_with.zip(flame.before))?;
        let window = Window { from: range.from.0, to: range.to.0 };
        let rests = tf(say::RESTS_ON, &[("n", &grouped(before.traces as usize))]);
        let swatch = |change: f64| {
            let ink = change_ink(change);
            let style = format!(
                "background:color-mix(in srgb, {} {:.0}%, transparent)",
                ink.token.css_var(),
                ink.opacity() * 100.0
            );
            view! { <span class="swatch flame-swatch" style=style></span> }
        };
        Some(view! {
            <div class="flame-bar flame-compared">
                <b>{tf(say::COMPARED_WITH, &[("range", &window_label(window))])}</b><span class="hint">{rests}</span>
                <ul class="legend" aria-label=t(say::LEGEND)>
                    <li>{swatch(-0.1)}{swatch(-0.03)}{t(say::FLAME_LESS)}</li><li>{swatch(0.0)}{t(say::FLAME_SAME)}</li><li>{swatch(0.03)}{swatch(0.1)}{t(say::FLAME_MORE)}</li>
                </ul>
                <span class="grow"></span>
                <button type="button" class="button" on:click=move |_| model.nav.set(&[("compare", None)])>{icon("x")}{t(say::COMPARE_END)}</button>
            </div>
        })
    };
    view! { {bar} }.into_any()
}
