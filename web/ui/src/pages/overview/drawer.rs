//! What a node or an edge is doing, and the way to a failing span.

use super::{Model, compare, reach, wrong};
use crate::atlas::Selection;
use crate::atlas::scene::group_name;
use crate::client::{Load, ask, load};
use crate::compare::Comparison;
use crate::components::drawer::Drawer;
use crate::components::figure::{
    duration, ends, error_ratio, figure, health_badge, health_glyph, kind_icon, kind_word, steps, tile,
};
use crate::components::flags::{About, listed, sparkline};
use crate::components::icon::icon;
use crate::components::state::{empty, loaded};
use crate::figures::ago;
use crate::nav::nav;
use crate::pages::service_path;
use crate::scope::now_nanos;
use crate::words::{Phrase, say, t, tf};
use leptos::prelude::*;
use orrery_api::{Edge, EdgeKind, ErrorGroup, Health, Node, Quantiles, Red, ServiceDetail, Slice, Topology, paths};
use orrery_chart::{Token, Unit};
use std::cmp::Reverse;
use std::sync::Arc;

/// Lines per list.
const MOST: usize = 5;

/// The drawer of a selection.
pub(super) fn drawer(selection: Selection, model: Model) -> AnyView {
    match selection {
        Selection::Node(id) if group_name(&id).is_some() => of_group(id, model),
        Selection::Node(id) => of_node(id, model),
        Selection::Edge(caller, callee) if [&caller, &callee].iter().any(|id| group_name(id).is_some()) => {
            of_bundle(caller, callee, model)
        }
        Selection::Edge(caller, callee) => of_edge(caller, callee, model),
    }
}

fn find_node(map: &Topology, id: &str) -> Option<Node> {
    map.nodes.iter().find(|node| node.id == id).cloned()
}

/// A node of the map as it changes.
fn node_of(model: Model, id: String) -> Memo<Option<Node>> {
    Memo::new(move |_| model.map.with(|map| map.as_ref().and_then(|map| find_node(map, &id))))
}

/// A group: its work together, its nodes, the worst first.
fn of_group(id: String, model: Model) -> AnyView {
    let found = {
        let id = id.clone();
        Memo::new(move |_| model.scene.with(|scene| find_node(&scene.topology, &id)))
    };
    let name = group_name(&id).unwrap_or_default().to_owned();
    let label = Signal::stored(name.clone());
    let members = {
        let id = id.clone();
        Memo::new(move |_| {
            let ids = model.scene.with(|scene| scene.group(&id).map(|group| group.members.clone())).unwrap_or_default();
            let mut nodes: Vec<Node> = model
                .map
                .with(|map| map.iter().flat_map(|map| ids.iter().filter_map(|id| find_node(map, id))).collect());
            nodes.sort_by(|a, b| (Reverse(a.health), &a.name).cmp(&(Reverse(b.health), &b.name)));
            nodes
        })
    };
    let head = view! {
        <span class="kind">{icon("layers")}</span>
        <span class="drawer-name"><span class="drawer-heading">{name}</span><span class="hint">{t(say::GROUP)}" · "{move || tf(say::MEMBERS, &[("n", &members.with(Vec::len).to_string())])}</span></span>
        {move || found.get().map(|node| health_badge(node.health))}
    }
    .into_any();
    let tiles =
        move || found.get().map(|node| view! { {tiles(&node.red)}<p class="hint">{t(say::SLOWEST_OF_GROUP)}</p> });
    let (toggled, around) = (id.clone(), id);
    view! {
        <Drawer label=label close=Callback::new(move |()| model.choose.run(None)) head=head>
            {tiles}
            <div class="actions">
                <button type="button" class="button button-primary" on:click=move |_| model.toggle(&toggled)>{icon("plus")}{t(say::OPEN_GROUP)}</button>
                <button type="button" class="button" on:click=move |_| model.look_around(&around)>{icon("eye")}{t(say::AROUND)}</button>
            </div>
            <h3 class="mini-head"><span class="grow">{t(say::NODES)}</span><span class="mini-num">{t(say::ERRORS)}</span><span class="mini-num">{t(say::RATE)}</span><span class="mini-num">{t(say::P95)}</span></h3>
            <ul class="mini">{move || members.get().iter().map(|node| member(node, model)).collect_view()}</ul>
        </Drawer>
    }
    .into_any()
}

fn member(node: &Node, model: Model) -> AnyView {
    let id = node.id.clone();
    view! {
        <li class="mini-row">{health_glyph(node.health)}<span class="kind">{icon(kind_icon(node.kind))}</span><button type="button" class="link grow clamp" on:click=move |_| model.choose.run(Some(Selection::Node(id.clone())))>{node.name.clone()}</button><span class="mini-num">{error_ratio(&node.red)}</span><span class="mini-num">{figure(&Unit::PerSecond, node.red.rate)}</span><span class="mini-num">{duration(node.red.p95_nanos)}</span></li>
    }
    .into_any()
}

fn tiles(red: &Red) -> AnyView {
    view! {
        <div class="tiles">
            {tile(t(say::RATE), figure(&Unit::PerSecond, red.rate), None)}
            {tile(t(say::ERRORS), error_ratio(red), None)}
            {tile(t(say::P95), duration(red.p95_nanos), None)}
        </div>
    }
    .into_any()
}

/// The edges that are drawn as one between a group and something else.
fn of_bundle(caller: String, callee: String, model: Model) -> AnyView {
    let title = format!("{} → {}", model.name(&caller), model.name(&callee));
    let ends = (caller, callee);
    let sum = {
        let ends = ends.clone();
        Memo::new(move |_| {
            let is_it = |edge: &&Edge| (&edge.caller, &edge.callee) == (&ends.0, &ends.1);
            model.scene.with(|scene| scene.topology.edges.iter().find(is_it).cloned())
        })
    };
    let edges = Memo::new(move |_| {
        let mut edges: Vec<Edge> = model.scene.with(|scene| {
            let is_in = |edge: &&Edge| scene.drawn_as(&edge.caller) == ends.0 && scene.drawn_as(&edge.callee) == ends.1;
            model.map.with(|map| map.iter().flat_map(|map| map.edges.iter().filter(is_in)).cloned().collect())
        });
        edges.sort_by(|a, b| b.red.errors.total_cmp(&a.red.errors).then(b.red.rate.total_cmp(&a.red.rate)));
        edges
    });
    let head = view! {
        <span class="drawer-name"><span class="drawer-heading">{title.clone()}</span></span>
        {move || health_badge(sum.with(|edge| edge.as_ref().map_or(Health::Unknown, |edge| edge.health)))}
    }
    .into_any();
    let line = move |edge: &Edge| {
        let name = format!("{} → {}", model.name(&edge.caller), model.name(&edge.callee));
        let selection = Selection::Edge(edge.caller.clone(), edge.callee.clone());
        view! { <li class="mini-row"><button type="button" class="link grow clamp" on:click=move |_| model.choose.run(Some(selection.clone()))>{name}</button><span class="mini-num">{error_ratio(&edge.red)}</span><span class="mini-num">{figure(&Unit::PerSecond, edge.red.rate)}</span><span class="mini-num">{duration(edge.red.p95_nanos)}</span></li> }
    };
    view! {
        <Drawer label=Signal::stored(title) close=Callback::new(move |()| model.choose.run(None)) head=head>
            {move || sum.get().map(|edge| view! { {tiles(&edge.red)}<p class="hint">{t(say::SLOWEST_OF_GROUP)}</p> })}
            <h3>{t(say::CALLS_OF_EDGE)}</h3>
            <ul class="mini">{move || edges.get().iter().map(line).collect_view()}</ul>
        </Drawer>
    }
    .into_any()
}

fn of_node(id: String, model: Model) -> AnyView {
    let choose = model.choose;
    let found = node_of(model, id.clone());
    let detail = detail(id.clone(), model);
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
    let node = id.clone();
    let trend = move |value: fn(&Red) -> Option<f64>, token: Token| {
        let node = node.clone();
        move || {
            detail.data.with(|detail| {
                let series = &detail.as_ref()?.series;
                let about = About::Node(node.clone());
                Some(sparkline(steps(series, value), ends(series), token, (92.0, 26.0), about, false))
            })
        }
    };
    let is_service = Memo::new(move |_| found.with(|node| node.as_ref().is_some_and(|node| node.service.is_some())));
    view! {
        <Drawer label=label close=Callback::new(move |()| choose.run(None)) head=head>
            {wrong::chosen(model)}
            <div class="tiles">
                {tile(t(say::RATE), red(|red| figure(&Unit::PerSecond, red.rate)).into_any(), Some(trend(|red| Some(red.rate), Token::Series1).into_any()))}
                {tile(t(say::ERRORS), red(error_ratio).into_any(), Some(trend(|red| Some(red.error_ratio()), Token::Err).into_any()))}
                {tile(t(say::P95), red(|red| duration(red.p95_nanos)).into_any(), Some(trend(|red| red.p95_nanos.map(|nanos| nanos.0 as f64), Token::Series1).into_any()))}
            </div>
            <p class="tile-line"><span>{t(say::P50)}" "{red(|red| duration(red.p50_nanos))}</span><span>{t(say::P99)}" "{red(|red| duration(red.p99_nanos))}</span></p>
            {
                let id = id.clone();
                move || links(&id, is_service.get(), model)
            }
            {sides(model, Selection::Node(id.clone()))}
            {reach::section(model, &id)}
            {listed(About::Node(id))}
            {loaded(detail, |_| false, |_| ().into_any(), move |detail| explained(detail, model))}
        </Drawer>
    }
    .into_any()
}

/// What there is about a node; about one that is gone, what there was.
fn detail(id: String, model: Model) -> Load<ServiceDetail> {
    let scope = model.scope;
    let path = format!("{}/{}", paths::SERVICES, crate::address::encode_segment(&id));
    load(move || {
        let now = scope.window.get();
        let before = model.comparison.get().filter(|_| compare::is_gone(model.comparison, model.diff, &id));
        let window = before.map_or(now, |comparison| comparison.window(now));
        Some(
            ask(
                &path,
                &[("from", window.from.to_string()), ("to", window.to.to_string()), ("points", "30".to_owned())],
            )
            .chosen(scope.range.get()),
        )
    })
}

/// Both sides of a comparison.
fn sides(model: Model, selection: Selection) -> AnyView {
    let found = Memo::new(move |_| {
        model.comparison.get()?;
        let diff = model.diff.data.get()?;
        match &selection {
            Selection::Node(id) => {
                let is_it = |node: &Option<Node>| node.as_ref().is_some_and(|node| node.id == *id);
                diff.nodes
                    .iter()
                    .find(|diff| is_it(&diff.now) || is_it(&diff.before))
                    .map(|diff| [diff.before.as_ref().map(|node| node.red), diff.now.as_ref().map(|node| node.red)])
            }
            Selection::Edge(caller, callee) => {
                let is_it = |edge: &Option<Edge>| {
                    edge.as_ref().is_some_and(|edge| edge.caller == *caller && edge.callee == *callee)
                };
                diff.edges
                    .iter()
                    .find(|diff| is_it(&diff.now) || is_it(&diff.before))
                    .map(|diff| [diff.before.as_ref().map(|edge| edge.red), diff.now.as_ref().map(|edge| edge.red)])
            }
        }
    });
    let row = |name: Phrase, red: Option<Red>| {
        let red = red.filter(|red| red.count > 0.0);
        let cells = red.map(|red| view! { <td class="num">{figure(&Unit::PerSecond, red.rate)}</td><td class="num">{error_ratio(&red)}</td><td class="num">{duration(red.p50_nanos)}</td><td class="num">{duration(red.p95_nanos)}</td> }.into_any());
        let cells = cells.unwrap_or_else(|| view! { <td class="num" colspan="4">"–"</td> }.into_any());
        view! { <tr><th scope="row">{t(name)}</th>{cells}</tr> }
    };
    let table = move || {
        found.get().map(|[before, now]| view! {
        <table class="table table-small">
            <thead><tr><td></td><th scope="col" class="num">{t(say::RATE)}</th><th scope="col" class="num">{t(say::ERRORS)}</th><th scope="col" class="num">{t(say::P50)}</th><th scope="col" class="num">{t(say::P95)}</th></tr></thead>
            <tbody>{row(say::BEFORE, before)}{row(say::NOW_SIDE, now)}</tbody>
        </table>
    })
    };
    view! { {table} }.into_any()
}

fn links(id: &str, is_service: bool, model: Model) -> AnyView {
    let nav = nav();
    let (page, name, around) = (service_path(id), id.to_owned(), id.to_owned());
    let group = model.scene.with(|scene| scene.group(id).filter(|group| group.is_open).map(|group| group.name.clone()));
    let close = group.map(|group| {
        let id = id.to_owned();
        view! { <button type="button" class="button" on:click=move |_| model.toggle(&id)>{icon("minus")}{tf(say::CLOSE_GROUP, &[("name", &group)])}</button> }
    });
    let logs = name.clone();
    let of_service = is_service.then(|| view! {
        <a class="button" href=move || nav.href("/traces", &[("service", &name)])>{icon("chart-gantt")}{t(say::TRACES)}</a>
        <a class="button" href=move || nav.href("/logs", &[("service", &logs)])>{icon("logs")}{t(say::LOGS)}</a>
    });
    view! { <div class="actions">{of_service}<a class="button" href=move || nav.href(&page, &[])>{icon("arrow-up-right")}{t(say::PAGE)}</a><button type="button" class="button" on:click=move |_| model.look_around(&around)>{icon("eye")}{t(say::AROUND)}</button>{close}</div> }.into_any()
}

fn explained(detail: Signal<Arc<ServiceDetail>>, model: Model) -> AnyView {
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
        (!edges(detail).is_empty()).then(|| view! { <h3>{t(title)}</h3><ul class="mini">{edges(detail).iter().map(|edge| end(edge, caller, model)).collect_view()}</ul> })
    })
        }
    };
    let rollout = move || detail.with(|detail| rollout(&detail.versions, model));
    view! {
        {errors}
        {rollout}
        <Show when=move || has_operations.get()><h3 class="mini-head"><span class="grow">{t(say::OPERATIONS)}</span><span class="mini-num">{t(say::RATE)}</span><span class="mini-num">{t(say::P95)}</span></h3><ul class="mini">{operations}</ul></Show>
        {ends(|detail| &detail.callers, say::CALLERS, true)}
        {ends(|detail| &detail.callees, say::CALLEES, false)}
    }
    .into_any()
}

/// The map before and after the newest of several versions came, for as long as it has run in this range.
fn rollout(versions: &[Slice], model: Model) -> Option<AnyView> {
    let [newest, others @ ..] = versions else { return None };
    let since = newest.first_seen_unix_nano.0 / 1_000_000;
    let to = model.scope.window.get().to / 1_000_000;
    let came_later = others.iter().any(|other| other.first_seen_unix_nano < newest.first_seen_unix_nano);
    let compare = move |_| {
        let comparison = Comparison::Between(since - (to - since), since);
        model.nav.set(&[
            ("range", None),
            ("from", Some(since.to_string())),
            ("to", Some(to.to_string())),
            ("compare", Some(comparison.address())),
        ]);
    };
    let label = tf(say::BEFORE_AND_AFTER, &[("version", &newest.name)]);
    (came_later && since < to).then(|| {
        view! { <div class="actions"><button type="button" class="button" on:click=compare>{icon("diff")}{label}</button></div> }.into_any()
    })
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

fn end(edge: &Edge, caller: bool, model: Model) -> AnyView {
    let choose = model.choose;
    let id = if caller { edge.caller.clone() } else { edge.callee.clone() };
    let node = model.map.with_untracked(|map| map.as_ref().and_then(|map| find_node(map, &id)));
    let name = node.as_ref().map_or_else(|| crate::pages::service_name(&id), |node| node.name.clone());
    let kind = node.map(|node| view! { <span class="kind">{icon(kind_icon(node.kind))}</span> });
    let selection = Selection::Edge(edge.caller.clone(), edge.callee.clone());
    view! {
        <li class="mini-row">{kind}<button type="button" class="link grow clamp" on:click=move |_| choose.run(Some(selection.clone()))>{name}</button>{error_ratio(&edge.red)}<span class="mini-num">{figure(&Unit::PerSecond, edge.red.rate)}</span><span class="mini-num">{duration(edge.red.p95_nanos)}</span></li>
    }
    .into_any()
}

fn of_edge(caller: String, callee: String, model: Model) -> AnyView {
    let choose = model.choose;
    let ends = (caller.clone(), callee.clone());
    let found = Memo::new(move |_| {
        let is_it = |edge: &&Edge| (&edge.caller, &edge.callee) == (&ends.0, &ends.1);
        model.map.with(|map| map.as_ref().and_then(|map| map.edges.iter().find(is_it).cloned()))
    });
    let (from, to) = (node_of(model, caller.clone()), node_of(model, callee.clone()));
    let sides = sides(model, Selection::Edge(caller.clone(), callee.clone()));
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
    let told = detail(teller.clone(), model);
    let fired = listed(About::Edge(caller.clone(), callee.clone()));
    let ends = [(caller, from), (callee, to)].map(|(id, node)| {
        let label = name(node.get_untracked(), &id);
        view! { <button type="button" class="button" on:click=move |_| choose.run(Some(Selection::Node(id.clone())))>{node.get_untracked().map(|node| icon(kind_icon(node.kind)))}{label}</button> }
    });
    let nav = nav();
    view! {
        <Drawer label=title close=Callback::new(move |()| choose.run(None)) head=head>
            {wrong::chosen(model)}
            {body}
            {sides}
            {fired}
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
        {tiles(&edge.red)}
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
