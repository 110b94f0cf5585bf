//! The map of another range beside this one: what it is compared with, and what changed, by rank.

use super::Model;
use crate::atlas::Selection;
use crate::atlas::marks::{told, tone};
use crate::client::{Busy, Load, ask, load};
use crate::compare::Comparison;
use crate::components::comparison;
use crate::components::icon::icon;
use crate::components::popover::Popover;
use crate::components::state::failed;
use crate::figures::window_label;
use crate::range::Window;
use crate::scope::Scope;
use crate::words::{say, t, tf};
use leptos::prelude::*;
use orrery_api::{Change, TopologyDiff, diff, paths};
use orrery_chart::Unit;
use orrery_chart::map::Tone;
use std::sync::Arc;

/// Changes listed, at most.
const MOST: usize = 60;

/// Both sides, for as long as there is something to compare with.
pub(super) fn load_diff(scope: Scope, comparison: Memo<Option<Comparison>>) -> Load<TopologyDiff> {
    load(move || {
        let comparison = comparison.get()?;
        let before = comparison.window(scope.window.get());
        let mut query = scope.query();
        query.extend([("compare_from", before.from.to_string()), ("compare_to", before.to.to_string())]);
        Some(ask(paths::TOPOLOGY_DIFF, &query).chosen((scope.range.get(), comparison)))
    })
}

/// Whether a node is on the map only because it was in the range compared with; tracked.
pub(super) fn is_gone(comparison: Memo<Option<Comparison>>, diff: Load<TopologyDiff>, id: &str) -> bool {
    let was = |diff: &Arc<TopologyDiff>| {
        let mut gone = diff.nodes.iter().filter(|diff| diff.now.is_none()).filter_map(|diff| diff.before.as_ref());
        gone.any(|node| node.id == id)
    };
    comparison.with(Option::is_some) && diff.data.with(|diff| diff.as_ref().is_some_and(was))
}

/// With what to compare.
pub(super) fn control(model: Model) -> AnyView {
    let choose = move |comparison: Comparison| {
        model.nav.set(&[("compare", Some(comparison.address())), ("reach", None)]);
    };
    comparison::picker(model.comparison, model.scope, Callback::new(choose))
}

/// The chosen window compared with, or what would be.
fn compared_window(model: Model, otherwise: Comparison) -> Window {
    model.comparison.get_untracked().unwrap_or(otherwise).window(model.scope.window.get_untracked())
}

/// With what the map is compared, what came out, and the way back.
pub(super) fn bar(model: Model) -> AnyView {
    let with = move || {
        let range = model.diff.data.with(|diff| diff.as_ref().map(|diff| diff.compared_with));
        let range = range.map_or_else(
            || compared_window(model, Comparison::Previous),
            |range| Window { from: range.from.0, to: range.to.0 },
        );
        tf(say::COMPARED_WITH, &[("range", &window_label(range))])
    };
    let state = move || match model.diff.progress.busy.get() {
        Busy::Change(_) => t(say::LOADING).to_owned(),
        _ => model.diff.data.with(|diff| {
            diff.as_ref().map_or_else(String::new, |diff| match diff.changes.len() {
                0 => t(say::NO_CHANGES).to_owned(),
                count => tf(say::CHANGES_FOUND, &[("n", &count.to_string())]),
            })
        }),
    };
    let partial =
        move || {
            model.diff.data.with(|diff| diff.as_ref().and_then(|diff| diff.partial.clone())).map(|why| view! {
        <span class="badge badge-warn" title=why.clone()><span aria-hidden="true">"▲"</span>{why.clone()}</span>
    })
        };
    let failure =
        move || model.diff.progress.failure.get().map(|failure| failed(&failure, move || model.diff.progress.retry()));
    view! {
        <Show when=move || model.comparison.with(Option::is_some)>
            <div class="map-bar">
                <b>{with}</b><span class="hint" role="status">{state}</span>{partial}<span class="grow"></span>
                <button type="button" class="button" on:click=move |_| model.nav.set(&[("compare", None)])>{icon("x")}{t(say::COMPARE_END)}</button>
            </div>
            {failure}
        </Show>
    }
    .into_any()
}

/// What changed, by rank.
pub(super) fn changes(model: Model) -> AnyView {
    let found = Memo::new(move |_| {
        model
            .diff
            .data
            .with(|diff| diff.as_ref().map(|diff| diff.changes.iter().take(MOST).cloned().collect::<Vec<_>>()))
            .unwrap_or_default()
    });
    view! {
        <section class="changed changes" aria-label=t(say::WHAT_CHANGED)>
            <header class="changes-head"><h2>{t(say::WHAT_CHANGED)}</h2>{rule()}</header>
            <Show when=move || !found.with(Vec::is_empty) fallback=|| view! { <span class="hint">{t(say::NO_CHANGES)}</span> }>
                <ul class="changes-list" tabindex="0" aria-label=t(say::WHAT_CHANGED)>{move || found.get().iter().map(|change| line(model, change)).collect_view()}</ul>
            </Show>
        </section>
    }
    .into_any()
}

fn line(model: Model, change: &Change) -> AnyView {
    let selection = match &change.caller {
        None => Selection::Node(change.node.clone()),
        Some(caller) => Selection::Edge(caller.clone(), change.node.clone()),
    };
    let name = match &change.caller {
        None => model.name(&change.node),
        Some(caller) => format!("{} → {}", model.name(caller), model.name(&change.node)),
    };
    let why = change.explained_by.as_ref().map(|id| tf(say::EXPLAINED_BY, &[("name", &model.name(id))]));
    let tone = tone(change.what);
    let is_chosen = {
        let selection = selection.clone();
        move || model.selection.with(|chosen| chosen.as_ref() == Some(&selection)).to_string()
    };
    view! {
        <li><button type="button" class="change" aria-pressed=is_chosen on:click=move |_| model.choose.run(Some(selection.clone()))>
            <span class=format!("change-sign {}", class_of(tone)) aria-hidden="true">{tone.sign()}</span><b>{name}</b><span>{told(change)}</span>{why.map(|why| view! { <span class="hint">{why}</span> })}
        </button></li>
    }
    .into_any()
}

fn class_of(tone: Tone) -> &'static str {
    match tone {
        Tone::Failing => "is-err",
        Tone::Slower => "is-warn",
        Tone::Better => "is-ok",
        Tone::Added => "is-new",
        Tone::Gone | Tone::Other => "is-quiet",
    }
}

/// The rule, for whoever asks.
fn rule() -> AnyView {
    let open = RwSignal::new(false);
    let number = |value: f64| Unit::Number.format(value).to_string();
    let (calls, expected) = (number(diff::ENOUGH_CALLS), number(diff::EXPECTED_CALLS));
    let (share, nanos) =
        (Unit::Ratio.format(diff::ERRORS_SHARE).to_string(), Unit::Nanos.format(diff::SLOWER_NANOS).to_string());
    let lines = StoredValue::new([
        tf(say::RULE_ERRORS, &[("share", &share), ("calls", &calls)]),
        tf(say::RULE_SLOWER, &[("nanos", &nanos), ("calls", &calls)]),
        tf(say::RULE_NEW, &[("expected", &expected)]),
        tf(say::RULE_RATE, &[("calls", &calls)]),
        t(say::RULE_EXPLAINED).to_owned(),
    ]);
    let button = view! { {icon("circle-help")}<span>{t(say::RULE)}</span> }.into_any();
    view! {
        <Popover open=open label=t(say::RULE).to_owned() class="button button-quiet" button=button>
            <div class="legend-box rule">{lines.get_value().map(|line| view! { <p>{line}</p> }).into_iter().collect_view()}</div>
        </Popover>
    }
    .into_any()
}
