//! How far the failures of a node reach: who fails because of it, who held, where they begin.

use super::Model;
use crate::atlas::Selection;
use crate::atlas::scene::group_name;
use crate::client::{Load, ask, load};
use crate::components::figure::figure;
use crate::components::icon::icon;
use crate::components::state::{empty, loaded};
use crate::scope::Scope;
use crate::words::{say, t, tf};
use leptos::prelude::*;
use orrery_api::{Affected, Held, Impact, Origin, Topology, paths};
use orrery_chart::Unit;
use std::sync::Arc;

/// Lines per list.
const MOST: usize = 8;

/// The impact of the chosen node, if it fails or is called in vain.
pub(super) fn load_impact(
    scope: Scope,
    selection: Memo<Option<Selection>>,
    map: Memo<Option<Arc<Topology>>>,
    reach: Memo<bool>,
    is_gone: impl Fn(&str) -> bool + Copy + Send + Sync + 'static,
) -> Load<Impact> {
    let failing = Memo::new(move |_| {
        let Some(Selection::Node(id)) = selection.get() else { return None };
        let wanted = reach.get() || map.with(|map| map.as_ref().is_some_and(|map| fails(map, &id)));
        (wanted && group_name(&id).is_none() && !is_gone(&id)).then_some(id)
    });
    load(move || {
        let mut query = scope.query();
        query.push(("node", failing.get()?));
        Some(ask(paths::TOPOLOGY_IMPACT, &query).chosen(scope.range.get()))
    })
}

fn fails(map: &Topology, id: &str) -> bool {
    map.nodes.iter().any(|node| node.id == id && node.red.errors > 0.0)
        || map.edges.iter().any(|edge| edge.callee == id && edge.red.errors > 0.0)
}

/// In the drawer of a node.
pub(super) fn section(model: Model, id: &str) -> AnyView {
    let id = id.to_owned();
    let wanted =
        Memo::new(move |_| model.map.with(|map| map.as_ref().is_some_and(|map| fails(map, &id))) || model.reach.get());
    let switch = move |_| {
        let on = !model.reach.get_untracked();
        model.nav.set(&[("reach", on.then(|| "1".to_owned()))]);
    };
    view! {
        <Show when=move || wanted.get()>
            <section class="reach" aria-label=t(say::REACH)>
                <header class="reach-head">
                    <h3 class="grow">{t(say::REACH)}</h3>
                    <button type="button" class="button" aria-pressed=move || model.reach.get().to_string() on:click=switch>{icon("radio")}{t(say::REACH_ON_MAP)}</button>
                </header>
                {loaded(model.impact, |_| false, |_| empty("", None), move |impact| view! { {move || impact.with(|impact| told(model, impact))} }.into_any())}
            </section>
        </Show>
    }
    .into_any()
}

fn told(model: Model, impact: &Impact) -> AnyView {
    let affected = match impact.affected.is_empty() {
        true => view! { <p class="hint">{t(say::NO_REACH)}</p> }.into_any(),
        false => view! { <ul class="mini">{impact.affected.iter().take(MOST).map(|found| affected_line(model, found)).collect_view()}</ul> }.into_any(),
    };
    let held = |title, held: &[Held], name: fn(&Held) -> &String| {
        (!held.is_empty()).then(|| view! { <h4>{t(title)}</h4><ul class="mini">{held.iter().take(MOST).map(|held| held_line(model, held, name(held))).collect_view()}</ul> })
    };
    view! {
        <h4>{t(say::AFFECTED)}</h4>
        {affected}
        {held(say::HELD, &impact.held, |held| &held.node)}
        {(!impact.origins.is_empty()).then(|| view! { <h4>{t(say::BEGINS)}</h4><ul class="mini">{impact.origins.iter().take(MOST).map(|origin| origin_line(model, origin, &impact.node)).collect_view()}</ul> })}
        {held(say::HANDLED, &impact.handled, |held| &held.callee)}
        <p class="hint">{t(say::REACH_HINT)}</p>
    }
    .into_any()
}

fn share(share: f64) -> String {
    Unit::Ratio.format(share).to_string()
}

fn link(model: Model, id: &str) -> AnyView {
    let name = model.name(id);
    let selection = Selection::Node(id.to_owned());
    view! { <button type="button" class="link clamp" on:click=move |_| model.choose.run(Some(selection.clone()))>{name}</button> }.into_any()
}

fn affected_line(model: Model, found: &Affected) -> AnyView {
    let through = tf(say::GOES_THROUGH, &[("share", &share(found.through))]);
    let entry = found.is_entry.then(|| view! { <span class="badge">{t(say::ENTRY_POINT)}</span> });
    view! {
        <li class="mini-row reach-row"><span class="grow reach-name"><span class="reach-line">{link(model, &found.node)}{entry}</span><span class="hint">{through}</span></span>
            <span class="reach-share"><span class="is-err">{figure(&Unit::Ratio, found.share)}</span><span class="hint">{t(say::OF_REQUESTS)}</span></span></li>
    }
    .into_any()
}

fn held_line(model: Model, held: &Held, id: &str) -> AnyView {
    let number = |value: f64| Unit::Number.format(value).to_string();
    let told = tf(say::HELD_OF, &[("n", &number(held.handled)), ("all", &number(held.failed_calls))]);
    view! { <li class="mini-row reach-row"><span class="grow reach-name"><span class="reach-line"><span class="is-ok" aria-hidden="true">"●"</span>{link(model, id)}</span><span class="hint">{told}</span></span></li> }.into_any()
}

fn origin_line(model: Model, origin: &Origin, node: &str) -> AnyView {
    let place = match &origin.caller {
        Some(caller) => {
            let words =
                tf(say::BEGINS_BETWEEN, &[("caller", &model.name(caller)), ("callee", &model.name(&origin.node))]);
            let selection = Selection::Edge(caller.clone(), origin.node.clone());
            view! { <button type="button" class="link clamp" on:click=move |_| model.choose.run(Some(selection.clone()))>{words}</button> }.into_any()
        }
        None if origin.node == node => view! { <span>{t(say::BEGINS_ITSELF)}</span> }.into_any(),
        None => link(model, &origin.node),
    };
    view! { <li class="mini-row"><span class="grow clamp">{place}</span><span class="mini-num">{figure(&Unit::Ratio, origin.share)}</span></li> }.into_any()
}
