//! What a node or an edge is doing, and the way to a failing span.

use crate::atlas::Selection;
use crate::client::{Load, ask, load};
use crate::components::drawer::Drawer;
use crate::components::figure::{
    duration, error_ratio, figure, health_badge, kind_icon, kind_word, sparkline, steps, tile,
};
use crate::components::icon::icon;
use crate::components::state::{empty, loaded};
use crate::figures::ago;
use crate::nav::nav;
use crate::pages::service_path;
use crate::scope::{now_nanos, scope};
use crate::words::{Phrase, say, t};
use leptos::prelude::*;
use orrery_api::{Edge, EdgeKind, ErrorGroup, Health, Node, Quantiles, Red, ServiceDetail, Topology, paths};
use orrery_chart::{Token, Unit};
use std::sync::Arc;

type Map = RwSignal<Option<Arc<Topology>>>;

/// Lines per list.
const MOST: usize = 5;

/// The drawer of a selection.
pub(super) fn drawer(selection: Selection, map: Map, choose: Callback<Option<Selection>>) -> AnyView {
    match selection {
        Selection::Node(id) => of_node(id, map, choose),
        Selection::Edge(caller, callee) => of_edge(caller, callee, map, choose),
    }
}

fn of_node(id: String, map: Map, choose: Callback<Option<Selection>>) -> AnyView {
    let found = {
        let id = id.clone();
        Memo::new(move |_| {
            map.with(|map| map.as_ref().and_then(|map| map.nodes.iter().find(|node| node.id == id).cloned()))
        })
    };
    let detail = detail(id.clone());
    let name = crate::pages::service_name(&id);
    let label =
        Signal::derive(move || found.with(|node| node.as_ref().map_or_else(|| name.clone(), |node| node.name.clone())));
    let head = view! {
        {move || found.get().map(|node| view! {
            <span class="kind">{icon(kind_icon(node.kind))}</span>
            <span class="drawer-name"><span class="drawer-heading">{node.name.clone()}</span><span class="hint">{kind_word(node.kind)}{node.system.clone().map(|system| format!(" · {system}"))}</span></span>
            {health_badge(node.health)}
        })}
    }
    .into_any();
    let red = move |value: fn(&Red) -> AnyView| move || found.with(|node| node.as_ref().map(|node| value(&node.red)));
    let trend = move |value: fn(&Red) -> Option<f64>, token: Token| {
        move || {
            detail
                .data
                .with(|detail| detail.as_ref().map(|detail| sparkline(steps(&detail.series, value), token, 92.0, 26.0)))
        }
    };
    let is_service = Memo::new(move |_| found.with(|node| node.as_ref().is_some_and(|node| node.service.is_some())));
    view! {
        <Drawer label=label close=Callback::new(move |()| choose.run(None)) head=head>
            <div class="tiles">
                {tile(t(say::RATE), red(|red| figure(&Unit::PerSecond, red.rate)).into_any(), Some(trend(|red| Some(red.rate), Token::Series1).into_any()))}
                {tile(t(say::ERRORS), red(error_ratio).into_any(), Some(trend(|red| Some(red.error_ratio()), Token::Err).into_any()))}
                {tile(t(say::P95), red(|red| duration(red.p95_nanos)).into_any(), Some(trend(|red| red.p95_nanos.map(|nanos| nanos.0 as f64), Token::Series1).into_any()))}
            </div>
            <p class="tile-line"><span>{t(say::P50)}" "{red(|red| duration(red.p50_nanos))}</span><span>{t(say::P99)}" "{red(|red| duration(red.p99_nanos))}</span></p>
            {move || links(&id, is_service.get())}
            {loaded(detail, |_| false, |_| ().into_any(), move |detail| explained(detail, map, choose))}
        </Drawer>
    }
    .into_any()
}

fn detail(id: String) -> Load<ServiceDetail> {
    let scope = scope();
    let path = format!("{}/{}", paths::SERVICES, crate::address::encode_segment(&id));
    load(move || {
        let window = scope.window.get();
        Some(
            ask(
                &path,
                &[("from", window.from.to_string()), ("to", window.to.to_string()), ("points", "30".to_owned())],
            )
            .chosen(scope.range.get()),
        )
    })
}

fn links(id: &str, is_service: bool) -> AnyView {
    let nav = nav();
    let (page, name) = (service_path(id), id.to_owned());
    let logs = name.clone();
    let of_service = is_service.then(|| view! {
        <a class="button" href=move || nav.href("/traces", &[("service", &name)])>{icon("chart-gantt")}{t(say::TRACES)}</a>
        <a class="button" href=move || nav.href("/logs", &[("service", &logs)])>{icon("logs")}{t(say::LOGS)}</a>
    });
    view! { <div class="actions">{of_service}<a class="button" href=move || nav.href(&page, &[])>{icon("arrow-up-right")}{t(say::PAGE)}</a></div> }.into_any()
}

fn explained(detail: Signal<Arc<ServiceDetail>>, map: Map, choose: Callback<Option<Selection>>) -> AnyView {
    let errors = move || detail.with(|detail| error_list(&detail.errors));
    let operations = move || {
        detail.with(|detail| detail.operations.iter().take(MOST).map(|operation| view! {
        <li class="mini-row"><span class="grow clamp">{operation.name.clone()}</span>{error_ratio(&operation.red)}<span class="mini-num">{figure(&Unit::PerSecond, operation.red.rate)}</span><span class="mini-num">{duration(operation.red.p95_nanos)}</span></li>
    }).collect_view())
    };
    let has_operations = Memo::new(move |_| detail.with(|detail| !detail.operations.is_empty()));
    let ends = move |edges: fn(&ServiceDetail) -> &Vec<Edge>, title: Phrase, caller: bool| {
        move || {
            detail.with(|detail| {
        (!edges(detail).is_empty()).then(|| view! { <h3>{t(title)}</h3><ul class="mini">{edges(detail).iter().map(|edge| end(edge, caller, map, choose)).collect_view()}</ul> })
    })
        }
    };
    view! {
        {errors}
        <Show when=move || has_operations.get()><h3 class="mini-head"><span class="grow">{t(say::OPERATIONS)}</span><span class="mini-num">{t(say::RATE)}</span><span class="mini-num">{t(say::P95)}</span></h3><ul class="mini">{operations}</ul></Show>
        {ends(|detail| &detail.callers, say::CALLERS, true)}
        {ends(|detail| &detail.callees, say::CALLEES, false)}
    }
    .into_any()
}

/// Error groups, each a link to its failing span.
fn error_list(errors: &[ErrorGroup]) -> AnyView {
    if errors.is_empty() {
        return view! { <h3>{t(say::ERROR_GROUPS)}</h3><p class="hint">{t(say::NO_ERRORS)}</p> }.into_any();
    }
    let nav = nav();
    let row = |error: &ErrorGroup| {
        let (path, span) = (format!("/traces/{}", error.trace_id), error.span_id.clone());
        view! {
            <li><a class="error-card" href=move || nav.href(&path, &[("span", &span)])>
                <span class="is-err" aria-hidden="true">"◆"</span>
                <span class="grow"><code>{error.error_type.clone()}</code><span class="clamp">{error.message.clone()}</span><span class="hint">{error.operation.clone()}" · "{ago(error.last_seen_unix_nano.0, now_nanos())}</span></span>
                <span class="error-count">{figure(&Unit::Number, error.count as f64)}</span>{icon("chevron-right")}
            </a></li>
        }
    };
    view! { <h3>{t(say::ERROR_GROUPS)}</h3><ul class="error-cards">{errors.iter().take(MOST).map(row).collect_view()}</ul> }.into_any()
}

fn end(edge: &Edge, caller: bool, map: Map, choose: Callback<Option<Selection>>) -> AnyView {
    let id = if caller { edge.caller.clone() } else { edge.callee.clone() };
    let node =
        map.with_untracked(|map| map.as_ref().and_then(|map| map.nodes.iter().find(|node| node.id == id).cloned()));
    let name = node.as_ref().map_or_else(|| crate::pages::service_name(&id), |node| node.name.clone());
    let kind = node.map(|node| view! { <span class="kind">{icon(kind_icon(node.kind))}</span> });
    let selection = Selection::Edge(edge.caller.clone(), edge.callee.clone());
    view! {
        <li class="mini-row">{kind}<button type="button" class="link grow clamp" on:click=move |_| choose.run(Some(selection.clone()))>{name}</button>{error_ratio(&edge.red)}<span class="mini-num">{figure(&Unit::PerSecond, edge.red.rate)}</span><span class="mini-num">{duration(edge.red.p95_nanos)}</span></li>
    }
    .into_any()
}

fn of_edge(caller: String, callee: String, map: Map, choose: Callback<Option<Selection>>) -> AnyView {
    let ends = (caller.clone(), callee.clone());
    let found = Memo::new(move |_| {
        map.with(|map| {
            map.as_ref().and_then(|map| {
                map.edges.iter().find(|edge| (&edge.caller, &edge.callee) == (&ends.0, &ends.1)).cloned()
            })
        })
    });
    let node = |id: String| {
        Memo::new(move |_| {
            map.with(|map| map.as_ref().and_then(|map| map.nodes.iter().find(|node| node.id == id).cloned()))
        })
    };
    let (from, to) = (node(caller.clone()), node(callee.clone()));
    let name = |node: Option<Node>, id: &str| node.map_or_else(|| crate::pages::service_name(id), |node| node.name);
    let title = {
        let (caller, callee) = (caller.clone(), callee.clone());
        Signal::derive(move || format!("{} → {}", name(from.get(), &caller), name(to.get(), &callee)))
    };
    let head = view! {
        <span class="drawer-name"><span class="drawer-heading">{move || title.get()}</span><span class="hint">{move || found.with(|edge| edge.as_ref().map(|edge| kind_of_edge(edge.kind)))}</span></span>
        {move || health_badge(found.with(|edge| edge.as_ref().map_or(Health::Unknown, |edge| edge.health)))}
    }
    .into_any();
    let body = move || found.with(|edge| edge.as_ref().map(edge_figures));
    // Whoever keeps spans about this call can show a failing one: the callee, or for inferred callees the caller.
    let teller = if to.with_untracked(|node| node.as_ref().is_some_and(|node| node.service.is_some())) {
        callee.clone()
    } else {
        caller.clone()
    };
    let told = detail(teller.clone());
    let ends = [(caller, from), (callee, to)].map(|(id, node)| {
        let label = name(node.get_untracked(), &id);
        view! { <button type="button" class="button" on:click=move |_| choose.run(Some(Selection::Node(id.clone())))>{node.get_untracked().map(|node| icon(kind_icon(node.kind)))}{label}</button> }
    });
    let nav = nav();
    view! {
        <Drawer label=title close=Callback::new(move |()| choose.run(None)) head=head>
            {body}
            <div class="actions">{ends.collect_view()}<a class="button" href=move || nav.href("/traces", &[("service", &teller), ("status", "error")])>{icon("chart-gantt")}{t(say::FAILED_TRACES)}</a></div>
            {loaded(told, |_| false, |_| empty("", None), move |detail| view! { {move || detail.with(|detail| error_list(&detail.errors))} }.into_any())}
        </Drawer>
    }
    .into_any()
}

fn kind_of_edge(kind: EdgeKind) -> &'static str {
    t(match kind {
        EdgeKind::Call => say::EDGE_CALL,
        EdgeKind::Database => say::EDGE_DATABASE,
        EdgeKind::Publish => say::EDGE_PUBLISH,
        EdgeKind::Consume => say::EDGE_CONSUME,
    })
}

fn edge_figures(edge: &Edge) -> AnyView {
    let side = |name: &'static str, red: &Red| {
        view! {
            <tr><th scope="row">{name}</th><td class="num">{figure(&Unit::PerSecond, red.rate)}</td><td class="num">{error_ratio(red)}</td><td class="num">{duration(red.p50_nanos)}</td><td class="num">{duration(red.p95_nanos)}</td><td class="num">{duration(red.p99_nanos)}</td></tr>
        }
    };
    let extra = |name: &'static str, quantiles: &Quantiles| {
        view! {
            <tr><th scope="row">{name}</th><td></td><td></td><td class="num">{duration(Some(quantiles.p50_nanos))}</td><td class="num">{duration(Some(quantiles.p95_nanos))}</td><td class="num">{duration(Some(quantiles.p99_nanos))}</td></tr>
        }
    };
    view! {
        <div class="tiles">
            {tile(t(say::RATE), figure(&Unit::PerSecond, edge.red.rate), None)}
            {tile(t(say::ERRORS), error_ratio(&edge.red), None)}
            {tile(t(say::P95), duration(edge.red.p95_nanos), None)}
        </div>
        <table class="table table-small">
            <thead><tr><td></td><th scope="col" class="num">{t(say::RATE)}</th><th scope="col" class="num">{t(say::ERRORS)}</th><th scope="col" class="num">{t(say::P50)}</th><th scope="col" class="num">{t(say::P95)}</th><th scope="col" class="num">{t(say::P99)}</th></tr></thead>
            <tbody>
                {side(t(say::SEEN_BY_CALLER), &edge.red)}
                {edge.callee_red.as_ref().map(|red| side(t(say::SEEN_BY_CALLEE), red))}
                {edge.network.as_ref().map(|network| extra(t(say::NETWORK_TIME), network))}
                {edge.lag.as_ref().map(|lag| extra(t(say::QUEUE_LAG), lag))}
            </tbody>
        </table>
        {edge.inferred.then(|| view! { <p class="hint">{t(say::INFERRED)}</p> })}
    }
    .into_any()
}
