//! The map as tables.

use super::Model;
use crate::atlas::Selection;
use crate::atlas::scene::{Scene, group_name};
use crate::components::figure::{duration, error_ratio, figure, health_glyph, kind_icon, kind_word};
use crate::components::icon::icon;
use crate::words::{say, t, tf};
use leptos::prelude::*;
use orrery_api::{Edge, Node, Quantiles, Red};
use orrery_chart::Unit;
use std::cmp::Reverse;
use std::collections::HashMap;

/// Nodes, then edges, the worst first.
pub(super) fn twin(model: Model) -> AnyView {
    let nodes = move || {
        model.scene.with(|scene| {
            let mut nodes: Vec<&Node> = scene.topology.nodes.iter().collect();
            nodes.sort_by_key(|node| (Reverse(node.health as u8), node.service.is_none(), &node.name));
            nodes.into_iter().map(|node| node_row(node, scene, model)).collect_view()
        })
    };
    let edges = move || {
        model.scene.with(|scene| {
            let names: HashMap<&str, &str> =
                scene.topology.nodes.iter().map(|node| (node.id.as_str(), node.name.as_str())).collect();
            let mut edges: Vec<&Edge> = scene.topology.edges.iter().collect();
            edges.sort_by_key(|edge| Reverse(edge.health as u8));
            edges.into_iter().map(|edge| edge_row(edge, &names, model.choose)).collect_view()
        })
    };
    view! {
        <div class="twin" tabindex="0" role="group" aria-label=t(say::MAP)>
            <table class="table"><caption>{t(say::NODES)}</caption>
                <thead><tr><th scope="col" class="col-glyph">{t(say::STATUS)}</th><th scope="col">{t(say::NAME)}</th><th scope="col" class="col-wide">{t(say::KIND)}</th>{heads()}</tr></thead>
                <tbody>{nodes}</tbody>
            </table>
            <table class="table"><caption>{t(say::EDGES)}</caption>
                <thead><tr><th scope="col" class="col-glyph">{t(say::STATUS)}</th><th scope="col">{t(say::CALLER)}</th><th scope="col">{t(say::CALLEE)}</th>{heads()}<th scope="col" class="num col-wide">{t(say::NETWORK_TIME)}</th><th scope="col" class="num col-wide">{t(say::QUEUE_LAG)}</th></tr></thead>
                <tbody>{edges}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn heads() -> AnyView {
    view! { <th scope="col" class="num">{t(say::RATE)}</th><th scope="col" class="num">{t(say::ERRORS)}</th><th scope="col" class="num">{t(say::P95)}</th><th scope="col" class="num col-wide">{t(say::P99)}</th> }.into_any()
}

fn cells(red: &Red) -> AnyView {
    view! { <td class="num">{figure(&Unit::PerSecond, red.rate)}</td><td class="num">{error_ratio(red)}</td><td class="num">{duration(red.p95_nanos)}</td><td class="num col-wide">{duration(red.p99_nanos)}</td> }.into_any()
}

/// 95th percentile of what only some edges have.
fn extra(quantiles: &Option<Quantiles>) -> AnyView {
    view! { <td class="num col-wide">{duration(quantiles.map(|quantiles| quantiles.p95_nanos))}</td> }.into_any()
}

fn node_row(node: &Node, scene: &Scene, model: Model) -> AnyView {
    let id = node.id.clone();
    let group = group_name(&node.id).and_then(|_| scene.group(&node.id));
    let (symbol, kind) = match group {
        Some(group) => ("layers", tf(say::MEMBERS, &[("n", &group.members.len().to_string())])),
        None => (kind_icon(node.kind), kind_word(node.kind).to_owned()),
    };
    let open = group.is_some().then(|| {
        let id = node.id.clone();
        view! { <button type="button" class="icon-button icon-button-small" aria-label=format!("{}: {}", t(say::OPEN_GROUP), node.name) title=t(say::OPEN_GROUP) on:click=move |_| model.toggle(&id)>{icon("plus")}</button> }
    });
    let mark = model
        .marks
        .with(|marks| marks.of_node(scene, &node.id))
        .map(|mark| view! { " "<span class="badge">{mark.text}</span> });
    view! {
        <tr><td class="col-glyph">{health_glyph(node.health)}</td>
            <th scope="row" class="cell-name"><span class="kind" title=kind.clone()>{icon(symbol)}</span><button type="button" class="link" title=node.name.clone() on:click=move |_| model.choose.run(Some(Selection::Node(id.clone())))>{crate::figures::middle(&node.name, 24)}</button>{open}{mark}</th>
            <td class="col-wide hint">{kind}</td>{cells(&node.red)}</tr>
    }
    .into_any()
}

fn edge_row(edge: &Edge, names: &HashMap<&str, &str>, choose: Callback<Option<Selection>>) -> AnyView {
    let name = |id: &str| names.get(id).map_or_else(|| id.to_owned(), |name| (*name).to_owned());
    let selection = Selection::Edge(edge.caller.clone(), edge.callee.clone());
    view! {
        <tr><td class="col-glyph">{health_glyph(edge.health)}</td>
            <th scope="row"><button type="button" class="link" on:click=move |_| choose.run(Some(selection.clone()))>{name(&edge.caller)}</button></th>
            <td>{name(&edge.callee)}</td>{cells(&edge.red)}{extra(&edge.network)}{extra(&edge.lag)}</tr>
    }
    .into_any()
}
