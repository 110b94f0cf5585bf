//! What of the map is shown: groups, kinds, surroundings. All of it is in the address.

use super::{Model, having};
use crate::atlas::scene::{Choice, Group, Open, group_id};
use crate::client::Load;
use crate::components::figure::{health_glyph, kind_icon, kind_word};
use crate::components::icon::icon;
use crate::components::popover::Popover;
use crate::nav::Nav;
use crate::words::{say, t, tf};
use leptos::prelude::*;
use orrery_api::{NodeKind, TraceSeriesList};
use std::collections::{BTreeMap, BTreeSet};

/// Calls around a node that are shown at first.
const HOPS: usize = 2;
const MOST_HOPS: usize = 9;

/// What the address says.
pub(super) fn choice(nav: Nav, having: Load<TraceSeriesList>) -> Memo<Choice> {
    let [open, near, hops, hide] = ["open", "near", "hops", "hide"].map(|name| nav.param(name));
    Memo::new(move |_| {
        let hops = hops.get().and_then(|text| text.parse().ok()).unwrap_or(HOPS).clamp(1, MOST_HOPS);
        Choice {
            hidden: hide.get().map(|text| text.split(',').filter_map(kind_of).collect()).unwrap_or_default(),
            near: near.get().map(|id| (id, hops)),
            only: having.data.with(|counted| counted.as_ref().map(|counted| having::services(counted))),
            open: Open::parse(open.get().as_deref()),
        }
    })
}

/// A kind by its name in the API.
fn kind_of(name: &str) -> Option<NodeKind> {
    serde_json::from_value(serde_json::Value::String(name.to_owned())).ok()
}

fn name_of(kind: NodeKind) -> String {
    serde_json::to_value(kind).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Groups, each to be opened or closed; there only when there are any.
pub(super) fn groups(model: Model) -> AnyView {
    let open = RwSignal::new(false);
    let all = Memo::new(move |_| model.scene.with(|scene| scene.groups.clone()));
    let set = move |open: Open| model.nav.set(&[("open", open.address())]);
    let view = move || {
        let button = view! { {icon("layers")}<span class="button-text">{t(say::GROUPS)}</span> }.into_any();
        view! {
            <Popover open=open label=t(say::GROUPS).to_owned() class="button button-quiet" end=true button=button>
                <div class="cut">
                    <p class="hint">{t(say::GROUPS_HINT)}</p>
                    <div class="actions">
                        <button type="button" class="button" on:click=move |_| set(Open::All)>{t(say::OPEN_ALL)}</button>
                        <button type="button" class="button" on:click=move |_| set(Open::Only(BTreeSet::new()))>{t(say::CLOSE_ALL)}</button>
                        <button type="button" class="button" on:click=move |_| set(Open::Auto)>{t(say::AUTOMATIC)}</button>
                    </div>
                    <ul class="cut-list">{move || all.get().iter().map(|group| group_line(model, group)).collect_view()}</ul>
                </div>
            </Popover>
        }
    };
    view! { <Show when=move || all.with(|all| !all.is_empty())>{view()}</Show> }.into_any()
}

fn group_line(model: Model, group: &Group) -> AnyView {
    let id = group_id(&group.name);
    view! {
        <li><label class="cut-line">
            <input type="checkbox" prop:checked=group.is_open on:change=move |_| model.toggle(&id) />
            {health_glyph(group.health)}<span class="grow clamp">{group.name.clone()}</span><span class="hint">{group.members.len()}</span>
        </label></li>
    }
    .into_any()
}

/// Kinds of nodes, each to be left out.
pub(super) fn kinds(model: Model) -> AnyView {
    let open = RwSignal::new(false);
    let counts = Memo::new(move |_| {
        let mut counts: BTreeMap<NodeKind, usize> = BTreeMap::new();
        model.map.with(|map| {
            map.iter().flat_map(|map| &map.nodes).for_each(|node| *counts.entry(node.kind).or_default() += 1)
        });
        counts
    });
    let hidden = Memo::new(move |_| model.scene.with(|scene| scene.choice.hidden.clone()));
    let toggle = move |kind: NodeKind| {
        let mut hidden = hidden.get_untracked();
        if !hidden.remove(&kind) {
            hidden.insert(kind);
        }
        let names: Vec<String> = hidden.into_iter().map(name_of).collect();
        model.nav.set(&[("hide", Some(names.join(",")))]);
    };
    let line = move |(kind, count): (NodeKind, usize)| {
        view! {
            <li><label class="cut-line">
                <input type="checkbox" prop:checked=move || hidden.with(|hidden| !hidden.contains(&kind)) on:change=move |_| toggle(kind) />
                <span class="kind">{icon(kind_icon(kind))}</span><span class="grow">{kind_word(kind)}</span><span class="hint">{count}</span>
            </label></li>
        }
    };
    // What is seen of the button is said of it, too.
    let label = Signal::derive(move || match hidden.with(|hidden| hidden.len()) {
        0 => t(say::KINDS).to_owned(),
        count => format!("{} −{count}", t(say::KINDS)),
    });
    let button = view! {
        {icon("funnel")}<span class="button-text">{t(say::KINDS)}</span>
        {move || hidden.with(|hidden| (!hidden.is_empty()).then(|| view! { <span class="badge">{format!("−{}", hidden.len())}</span> }))}
    }
    .into_any();
    view! {
        <Popover open=open label=label class="button button-quiet" end=true button=button>
            <ul class="cut cut-list">{move || counts.get().into_iter().map(line).collect_view()}</ul>
        </Popover>
    }
    .into_any()
}

/// Around which node the map is drawn, and how far.
pub(super) fn bar(model: Model) -> AnyView {
    let near = Memo::new(move |_| model.scene.with(|scene| scene.choice.near.clone()));
    let step = move |by: isize| {
        let hops = near.get_untracked().map_or(HOPS, |(_, hops)| hops.saturating_add_signed(by).clamp(1, MOST_HOPS));
        model.nav.set(&[("hops", Some(hops.to_string()))]);
    };
    let hops = move || near.get().map_or(HOPS, |(_, hops)| hops);
    let words = move || match hops() {
        1 => t(say::ONE_HOP).to_owned(),
        hops => tf(say::HOPS, &[("n", &hops.to_string())]),
    };
    let counts = move || {
        let (shown, all) = model.scene.with(|scene| (scene.shown(), scene.total));
        tf(say::SHOWN_OF, &[("n", &shown.to_string()), ("all", &all.to_string())])
    };
    let name = move || near.get().map(|(id, _)| tf(say::AROUND_NODE, &[("name", &model.name(&id))]));
    view! {
        <Show when=move || near.with(Option::is_some)>
            <div class="map-bar">
                <b>{name}</b>
                <span class="stepper">
                    <button type="button" class="icon-button icon-button-small" aria-label=t(say::FEWER_HOPS) title=t(say::FEWER_HOPS) disabled=move || hops() == 1 on:click=move |_| step(-1)>{icon("minus")}</button>
                    <span role="status">{words}</span>
                    <button type="button" class="icon-button icon-button-small" aria-label=t(say::MORE_HOPS) title=t(say::MORE_HOPS) disabled=move || hops() == MOST_HOPS on:click=move |_| step(1)>{icon("plus")}</button>
                </span>
                <span class="hint">{counts}</span><span class="grow"></span>{show_all(model)}
            </div>
        </Show>
    }
    .into_any()
}

/// Back to everything.
pub(super) fn show_all(model: Model) -> AnyView {
    let all = move |_| model.nav.set(&[("near", None), ("hops", None), ("hide", None), ("with", None)]);
    view! { <button type="button" class="button" on:click=all>{icon("maximize")}{t(say::SHOW_ALL)}</button> }.into_any()
}
