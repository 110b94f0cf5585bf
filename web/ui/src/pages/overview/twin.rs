//! The map as tables.

use crate::atlas::Selection;
use crate::components::figure::{duration, error_ratio, figure, health_glyph, kind_icon, kind_word};
use crate::components::icon::icon;
use crate::words::{say, t};
use leptos::prelude::*;
use orrery_api::{Edge, Node, Red, Topology};
use orrery_chart::Unit;
use std::cmp::Reverse;
use std::sync::Arc;

/// Nodes, then edges, the worst first.
pub(super) fn twin(map: Signal<Arc<Topology>>, choose: Callback<Option<Selection>>) -> AnyView {
    let nodes = move || {
        map.with(|map| {
            let mut nodes: Vec<&Node> = map.nodes.iter().collect();
            nodes.sort_by_key(|node| (Reverse(node.health as u8), node.service.is_none(), &node.name));
            nodes.into_iter().map(|node| node_row(node, choose)).collect_view()
        })
    };
    let edges = move || {
        map.with(|map| {
            let mut edges: Vec<&Edge> = map.edges.iter().collect();
            edges.sort_by_key(|edge| Reverse(edge.health as u8));
            edges.into_iter().map(|edge| edge_row(edge, &map.nodes, choose)).collect_view()
        })
    };
    view! {
        <div class="twin" tabindex="0" role="group" aria-label=t(say::MAP)>
            <table class="table"><caption>{t(say::NODES)}</caption>
                <thead><tr><th scope="col" class="col-glyph">{t(say::STATUS)}</th><th scope="col">{t(say::NAME)}</th><th scope="col" class="col-wide">{t(say::KIND)}</th>{heads()}</tr></thead>
                <tbody>{nodes}</tbody>
            </table>
            <table class="table"><caption>{t(say::EDGES)}</caption>
                <thead><tr><th scope="col" class="col-glyph">{t(say::STATUS)}</th><th scope="col">{t(say::CALLER)}</th><th scope="col">{t(say::CALLEE)}</th>{heads()}</tr></thead>
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

fn node_row(node: &Node, choose: Callback<Option<Selection>>) -> AnyView {
    let id = node.id.clone();
    view! {
        <tr><td class="col-glyph">{health_glyph(node.health)}</td>
            <th scope="row" class="cell-name"><span class="kind" title=kind_word(node.kind)>{icon(kind_icon(node.kind))}</span><button type="button" class="link" title=node.name.clone() on:click=move |_| choose.run(Some(Selection::Node(id.clone())))>{crate::figures::middle(&node.name, 24)}</button></th>
            <td class="col-wide hint">{kind_word(node.kind)}</td>{cells(&node.red)}</tr>
    }
    .into_any()
}

fn edge_row(edge: &Edge, nodes: &[Node], choose: Callback<Option<Selection>>) -> AnyView {
    let name =
        |id: &str| nodes.iter().find(|node| node.id == id).map_or_else(|| id.to_owned(), |node| node.name.clone());
    let selection = Selection::Edge(edge.caller.clone(), edge.callee.clone());
    view! {
        <tr><td class="col-glyph">{health_glyph(edge.health)}</td>
            <th scope="row"><button type="button" class="link" on:click=move |_| choose.run(Some(selection.clone()))>{name(&edge.caller)}</button></th>
            <td>{name(&edge.callee)}</td>{cells(&edge.red)}</tr>
    }
    .into_any()
}
