//! What changed lately, in a line each.

use super::Model;
use crate::atlas::Selection;
use crate::changes::{Change, What, changes};
use crate::client::Load;
use crate::components::open_in_sql::open_in_sql;
use crate::words::{say, t, tf};
use leptos::prelude::*;
use orrery_api::ServiceList;
use orrery_chart::Unit;

/// Changes shown, at most.
const MOST: usize = 6;

/// The strip below the map.
pub(super) fn changed(services: Load<ServiceList>, model: Model) -> AnyView {
    let Model { choose, scope, .. } = model;
    let found = Memo::new(move |_| {
        services.data.with(|list| list.as_ref().map(|list| changes(&list.services, MOST)).unwrap_or_default())
    });
    let items = move || found.get().into_iter().map(|change| item(&change, choose)).collect_view();
    view! {
        <section class="changed" aria-label=t(say::WHAT_CHANGED)>
            <h2>{t(say::WHAT_CHANGED)}</h2>
            <Show when=move || !found.with(Vec::is_empty) fallback=|| view! { <span class="hint">{t(say::NOTHING_CHANGED)}</span> }>
                <ul class="changed-list">{items}</ul>
            </Show>
            <span class="grow"></span>{open_in_sql(move || crate::sql::changed(scope.environment.get().as_deref()))}
        </section>
    }
    .into_any()
}

fn item(change: &Change, choose: Callback<Option<Selection>>) -> AnyView {
    let id = change.service.clone();
    let (glyph, class) = match (&change.what, change.good) {
        (What::Version(_) | What::Rate(..), _) => ("◇", "hint"),
        (_, true) => ("●", "is-ok"),
        (What::Errors(..), false) => ("◆", "is-err"),
        (What::Latency(..), false) => ("▲", "is-warn"),
    };
    view! {
        <li><button type="button" class="change" on:click=move |_| choose.run(Some(Selection::Node(id.clone())))>
            <span class=class aria-hidden="true">{glyph}</span><b>{change.name.clone()}</b><span>{text(&change.what)}</span>
        </button></li>
    }
    .into_any()
}

fn text(what: &What) -> String {
    let from_to = |phrase, unit: &Unit, before: f64, now: f64| {
        tf(phrase, &[("before", &unit.format(before).to_string()), ("now", &unit.format(now).to_string())])
    };
    match what {
        What::Version(version) => tf(say::CHANGED_VERSION, &[("version", version)]),
        What::Errors(before, now) => from_to(say::CHANGED_ERRORS, &Unit::Ratio, *before, *now),
        What::Latency(before, now) => from_to(say::CHANGED_LATENCY, &Unit::Nanos, *before, *now),
        What::Rate(before, now) => from_to(say::CHANGED_RATE, &Unit::PerSecond, *before, *now),
    }
}
