//! One service or inferred node: requests and errors, latency, then what explains them.

mod asked;
mod hosts;
mod logs;

use crate::client::{ask, load};
use crate::components::chart::{TimeChart, legend};
use crate::components::figure::{duration, error_ratio, figure, health_badge, kind_icon, kind_word, tile};
use crate::components::flags::About;
use crate::components::icon::icon;
use crate::components::open_in_sql::open_in_sql;
use crate::components::outside::outside;
use crate::components::panel::{frame, panel};
use crate::components::state::{chips, empty, loaded};
use crate::components::watch::badge;
use crate::figures::{ago, utc_offset};
use crate::nav::nav;
use crate::outside::Subject;
use crate::query::quoted;
use crate::scope::{now_nanos, scope};
use crate::sql;
use crate::words::{Phrase, say, t, tf};
use leptos::prelude::*;
use orrery_api::{
    Edge, ErrorGroup, LinkOn, Node, Operation, Red, RedPoint, ServiceDetail, ServiceRef, Slice, TraceList, paths,
};
use orrery_chart::{Annotation, ChartSpec, Series, Shape, Token, Unit};
use std::sync::Arc;

type Detail = Signal<Arc<ServiceDetail>>;

/// `/services/{id}`.
#[component]
pub(crate) fn Service(
    /// Of a service or inferred node.
    id: String,
) -> impl IntoView {
    let scope = scope();
    let path = format!("{}/{}", paths::SERVICES, crate::address::encode_segment(&id).replace('/', "%2F"));
    let detail = load::<ServiceDetail>(move || {
        let mut query: Vec<_> = scope.query().into_iter().filter(|(name, _)| *name != "environment").collect();
        query.push(("points", "120".to_owned()));
        Some(ask(&path, &query).chosen(scope.range.get()))
    });
    let name = super::service_name(&id);
    let nothing = move |_: &ServiceDetail| {
        empty(
            tf(
                say::NO_SPANS_OF,
                &[("name", &name), ("range", &crate::figures::range_label(scope.range.get_untracked()))],
            ),
            None,
        )
    };
    view! {
        <div class="page">
            {chips(detail)}
            {loaded(detail, |detail: &ServiceDetail| detail.node.red.count <= 0.0 && detail.callers.is_empty() && detail.callees.is_empty(), nothing, body)}
        </div>
    }
}

fn body(detail: Detail) -> AnyView {
    let is_service = detail.with_untracked(|detail| detail.node.service.is_some());
    let service = detail.with_untracked(|detail| detail.node.id.clone());
    view! {
        {header(detail)}
        <div class="columns">
            {frame(t(say::REQUESTS_AND_ERRORS), is_service.then(|| in_sql(detail, sql::red)), charted(detail, requests))}
            {frame(t(say::LATENCY), is_service.then(|| in_sql(detail, sql::red)), charted(detail, latency))}
        </div>
        {if is_service { Some(operations(detail)) } else { asked::panel_of(&service) }}
        <div class="columns">
            {neighbours(detail, say::CALLERS, is_service.then_some(sql::callers), |detail| &detail.callers, |edge| &edge.caller)}
            {neighbours(detail, say::CALLEES, is_service.then_some(sql::callees), |detail| &detail.callees, |edge| &edge.callee)}
        </div>
        // Who is only known from its callers says nothing of itself.
        {is_service.then(|| view! {
            {errors(detail)}
            {logs::panel_of(service.clone())}
            {recent(service.clone())}
            <div class="columns">
                {slices(detail, say::VERSIONS, sql::versions, |detail| &detail.versions)}
                {slices(detail, say::INSTANCES, sql::instances, |detail| &detail.instances)}
            </div>
            {hosts::panel_of(service)}
        })}
    }
    .into_any()
}

/// A link to the same in SQL.
fn in_sql(detail: Detail, statement: fn(&str) -> String) -> AnyView {
    open_in_sql(move || detail.with(|detail| statement(&detail.node.id)))
}

/// What links to outside tools say of it; tracked.
fn subject(detail: Detail) -> Subject {
    let window = scope().window.get();
    Subject {
        service: detail.with(|detail| detail.node.service.clone()),
        time: (window.from, window.to),
        ..Subject::default()
    }
}

/// What finds the spans in which a service begins to work.
fn work_of(service: &ServiceRef) -> String {
    let is = |name: &str, value: &str| format!("resource.{name} = {}", quoted(value));
    let parts = [
        ("service.name", &service.name),
        ("service.namespace", &service.namespace),
        ("deployment.environment.name", &service.environment),
    ];
    let parts: Vec<String> =
        parts.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| is(name, value)).collect();
    format!("{{ {} }}", parts.join(" && "))
}

fn header(detail: Detail) -> AnyView {
    let nav = nav();
    let traces = move || nav.href("/traces", &[("service", detail.with(|detail| detail.node.id.clone()).as_str())]);
    let failed = move || {
        nav.href("/traces", &[("service", detail.with(|detail| detail.node.id.clone()).as_str()), ("status", "error")])
    };
    let time = move || {
        let query = detail.with(|detail| detail.node.service.as_ref().map(work_of)).unwrap_or_default();
        nav.href("/traces", &[("q", query.as_str()), ("view", "flame"), ("begin", "match")])
    };
    let logs = move || nav.href("/logs", &[("service", detail.with(|detail| detail.node.id.clone()).as_str())]);
    let red = move |value: fn(&Red) -> AnyView| move || detail.with(|detail| value(&detail.node.red));
    let node = detail.get_untracked();
    let versions = move || {
        detail.with(|detail| detail.versions.iter().map(|slice| slice.name.clone()).collect::<Vec<_>>().join(", "))
    };
    view! {
        <section class="service-head">
            <div class="service-title">
                <span class="kind kind-large">{icon(kind_icon(node.node.kind))}</span>
                <div>
                    <h2 class="service-name">{node.node.name.clone()}</h2>
                    <p class="hint">{kind_word(node.node.kind)}{move || detail.with(|detail| detail.node.system.clone()).map(|system| format!(" · {system}"))}
                        {move || detail.with(|detail| detail.node.service.clone()).map(|service| [service.namespace, service.environment].into_iter().filter(|part| !part.is_empty()).map(|part| format!(" · {part}")).collect::<String>())}
                        {move || (!versions().is_empty()).then(|| format!(" · {}", versions()))}</p>
                </div>
                {move || health_badge(detail.with(|detail| detail.node.health))}
                <a class="firing-link" href=move || nav.href("/alerts", &[])>{badge(Some(node.node.id.clone()))}</a>
            </div>
            <div class="tiles">
                {tile(t(say::RATE), red(|red| figure(&Unit::PerSecond, red.rate)).into_any(), None)}
                {tile(t(say::ERRORS), red(error_ratio).into_any(), None)}
                {tile(t(say::P50), red(|red| duration(red.p50_nanos)).into_any(), None)}
                {tile(t(say::P95), red(|red| duration(red.p95_nanos)).into_any(), None)}
                {tile(t(say::P99), red(|red| duration(red.p99_nanos)).into_any(), None)}
            </div>
            {node.node.service.is_some().then(|| view! {
                <div class="actions">
                    <a class="button" href=traces>{icon("chart-gantt")}{t(say::TRACES)}</a>
                    <a class="button" href=failed><span class="is-err" aria-hidden="true">"◆"</span>{t(say::FAILED_TRACES)}</a>
                    <a class="button" href=time>{icon("layers")}{t(say::WHERE_TIME_GOES)}</a>
                    <a class="button" href=logs>{icon("logs")}{t(say::LOGS)}</a>
                    {outside(LinkOn::Service, move || subject(detail))}
                </div>
            })}
        </section>
    }
    .into_any()
}

fn charted(detail: Detail, spec: fn(&ServiceDetail) -> ChartSpec) -> AnyView {
    let spec = Memo::new(move |_| detail.with(|detail| spec(detail)));
    let direct = spec.with_untracked(|spec| spec.end_labels);
    let about = Signal::derive(move || About::Node(detail.with(|detail| detail.node.id.clone())));
    view! { <div class="panel-body"><TimeChart spec=spec height=180.0 about=about />{(!direct).then(|| legend(spec))}</div> }
        .into_any()
}

/// A chart over the range of an answer.
fn base(title: &str, range: orrery_api::Range, points: &[RedPoint], unit: Unit) -> ChartSpec {
    ChartSpec {
        title: title.to_owned(),
        from: range.from.0,
        to: range.to.0,
        utc_offset_minutes: utc_offset(),
        unit,
        step: points.first().map(|point| point.step_nanos.0),
        ..ChartSpec::default()
    }
}

fn requests(detail: &ServiceDetail) -> ChartSpec {
    let of = |value: fn(&Red) -> f64| {
        detail
            .series
            .iter()
            .map(|point| (point.time_unix_nano.0, Some(value(&point.red) / point.step_nanos.seconds().max(1e-9))))
            .collect()
    };
    ChartSpec {
        series: vec![
            Series::line(t(say::ERRORS), 0, of(|red| red.errors)).shape(Shape::Bars).ink(Token::Err),
            Series::line(t(say::SUCCEEDED), 0, of(|red| red.count - red.errors))
                .shape(Shape::Bars)
                .ink(Token::Series1.alpha(0.75)),
        ],
        annotations: deploys(detail),
        ..base(t(say::REQUESTS_AND_ERRORS), detail.range, &detail.series, Unit::PerSecond)
    }
}

fn latency(detail: &ServiceDetail) -> ChartSpec {
    let of = |value: fn(&Red) -> Option<orrery_api::Nanos>| {
        detail
            .series
            .iter()
            .map(|point| (point.time_unix_nano.0, value(&point.red).map(|nanos| nanos.0 as f64)))
            .collect()
    };
    ChartSpec {
        series: vec![
            Series::line("p50", 0, of(|red| red.p50_nanos)),
            Series::line("p95", 1, of(|red| red.p95_nanos)),
            Series::line("p99", 3, of(|red| red.p99_nanos)),
        ],
        end_labels: true,
        annotations: deploys(detail),
        ..base(t(say::LATENCY), detail.range, &detail.series, Unit::Nanos)
    }
}

/// When versions came that were not there when the range began.
fn deploys(detail: &ServiceDetail) -> Vec<Annotation> {
    let ran_before = |slice: &&Slice| {
        detail.series.iter().any(|point| point.time_unix_nano.0 + point.step_nanos.0 <= slice.first_seen_unix_nano.0)
    };
    let mark = |slice: &Slice| Annotation {
        at: slice.first_seen_unix_nano.0,
        until: None,
        label: slice.name.clone(),
        ink: Token::Accent.into(),
    };
    detail.versions.iter().filter(ran_before).map(mark).collect()
}

fn red_head() -> AnyView {
    view! {
        <th scope="col" class="num">{t(say::RATE)}</th><th scope="col" class="num">{t(say::ERRORS)}</th>
        <th scope="col" class="num col-wide">{t(say::P50)}</th><th scope="col" class="num">{t(say::P95)}</th><th scope="col" class="num col-wide">{t(say::P99)}</th>
    }
    .into_any()
}

fn red_cells(red: &Red) -> AnyView {
    view! {
        <td class="num">{figure(&Unit::PerSecond, red.rate)}</td><td class="num">{error_ratio(red)}</td>
        <td class="num col-wide">{duration(red.p50_nanos)}</td><td class="num">{duration(red.p95_nanos)}</td><td class="num col-wide">{duration(red.p99_nanos)}</td>
    }
    .into_any()
}

fn operations(detail: Detail) -> AnyView {
    let nav = nav();
    let row = move |id: String, operation: &Operation| {
        let (name, link) = (operation.name.clone(), operation.name.clone());
        view! {
            <tr><th scope="row" class="cell-name"><a href=move || nav.href("/traces", &[("service", &id), ("operation", &link)])>{name}</a></th><td class="hint">{operation.kind.clone()}</td>{red_cells(&operation.red)}</tr>
        }
    };
    let rows = move || {
        detail.with(|detail| {
            detail.operations.iter().map(|operation| row(detail.node.id.clone(), operation)).collect_view()
        })
    };
    let table = move || {
        view! {
            <div class="table-wrap"><table class="table">
                <thead><tr><th scope="col">{t(say::OPERATION)}</th><th scope="col">{t(say::KIND)}</th>{red_head()}</tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
        }
    };
    let body = move || {
        if detail.with(|detail| detail.operations.is_empty()) {
            empty(t(say::NO_OPERATIONS), None)
        } else {
            table().into_any()
        }
    };
    frame(t(say::OPERATIONS), Some(in_sql(detail, sql::operations)), body.into_any())
}

fn neighbours(
    detail: Detail,
    title: Phrase,
    statement: Option<fn(&str) -> String>,
    edges: fn(&ServiceDetail) -> &Vec<Edge>,
    end: fn(&Edge) -> &String,
) -> AnyView {
    let rows = move || {
        detail.with(|detail| {
            edges(detail).iter().map(|edge| neighbour(edge, end(edge), &detail.neighbours)).collect_view()
        })
    };
    let body = move || {
        if detail.with(|detail| edges(detail).is_empty()) {
            return empty(t(say::NONE_SEEN), None);
        }
        view! { <div class="table-wrap"><table class="table"><thead><tr><th scope="col">{t(say::NAME)}</th>{red_head()}</tr></thead><tbody>{rows}</tbody></table></div> }.into_any()
    };
    frame(t(title), statement.map(|statement| in_sql(detail, statement)), body.into_any())
}

fn neighbour(edge: &Edge, id: &str, nodes: &[Node]) -> AnyView {
    let nav = nav();
    let node = nodes.iter().find(|node| node.id == id);
    let name = node.map_or_else(|| super::service_name(id), |node| node.name.clone());
    let kind =
        node.map(|node| view! { <span class="kind" title=kind_word(node.kind)>{icon(kind_icon(node.kind))}</span> });
    let path = super::service_path(id);
    view! { <tr><th scope="row" class="cell-name">{kind}<a href=move || nav.href(&path, &[])>{name}</a></th>{red_cells(&edge.red)}</tr> }.into_any()
}

fn errors(detail: Detail) -> AnyView {
    let rows = move || detail.with(|detail| detail.errors.iter().map(error_row).collect_view());
    let body = move || {
        if detail.with(|detail| detail.errors.is_empty()) {
            return empty(t(say::NO_ERRORS), None);
        }
        view! {
            <div class="table-wrap"><table class="table">
                <thead><tr><th scope="col">{t(say::ERROR)}</th><th scope="col" class="col-wide">{t(say::OPERATION)}</th><th scope="col" class="num">{t(say::COUNT)}</th><th scope="col" class="col-wide">{t(say::FIRST_SEEN)}</th><th scope="col" class="col-wide">{t(say::LAST_SEEN)}</th><th scope="col">{t(say::EXAMPLE)}</th></tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
        }
        .into_any()
    };
    frame(t(say::ERROR_GROUPS), Some(in_sql(detail, sql::failures)), body.into_any())
}

fn error_row(error: &ErrorGroup) -> AnyView {
    view! {
        <tr>
            <th scope="row" class="cell-error"><span class="is-err" aria-hidden="true">"◆"</span><span><span class="error-type"><code>{error.error_type.clone()}</code>{error.is_new.then(|| view! { <span class="badge badge-warn">{t(say::NEW)}</span> })}</span><span class="hint clamp">{error.message.clone()}</span></span></th>
            <td class="col-wide">{error.operation.clone()}</td><td class="num">{figure(&Unit::Number, error.count as f64)}</td>
            <td class="col-wide hint nowrap">{first_seen(error, scope().window.get_untracked().from)}</td>
            <td class="col-wide hint nowrap">{ago(error.last_seen_unix_nano.0, now_nanos())}</td>
            <td>{example_link(error)}</td>
        </tr>
    }
    .into_any()
}

/// When it was first seen; before the range, if it was there when that began.
fn first_seen(error: &ErrorGroup, from: i64) -> String {
    if error.first_seen_unix_nano.0 <= from {
        t(say::EARLIER).to_owned()
    } else {
        ago(error.first_seen_unix_nano.0, now_nanos())
    }
}

/// A link to the failing span of an example.
pub(crate) fn example_link(error: &ErrorGroup) -> AnyView {
    let nav = nav();
    let (path, span) = (format!("/traces/{}", error.trace_id), error.span_id.clone());
    let label = format!("{}: {} {}", t(say::OPEN_EXAMPLE), error.error_type, error.operation);
    view! { <a class="nowrap" href=move || nav.href(&path, &[("span", &span)]) aria-label=label>{t(say::OPEN_EXAMPLE)}</a> }.into_any()
}

fn recent(service: String) -> AnyView {
    let (nav, scope) = (nav(), scope());
    let wanted = service.clone();
    let list = load::<TraceList>(move || {
        let mut query: Vec<_> = scope.query().into_iter().filter(|(name, _)| *name != "environment").collect();
        query.extend([("service", wanted.clone()), ("limit", "10".to_owned())]);
        Some(ask(paths::TRACES, &query).chosen(scope.range.get()))
    });
    let statement = sql::requests(&service);
    let all = view! {
        <a href=move || nav.href("/traces", &[("service", &service)])>{t(say::ALL_TRACES)}</a>{open_in_sql(move || statement.clone())}
    }
    .into_any();
    panel(
        t(say::RECENT_TRACES),
        Some(all),
        list,
        |list: &TraceList| list.traces.is_empty(),
        |_| empty(t(say::NO_TRACES_HERE), None),
        super::traces::short_table,
    )
}

fn slices(
    detail: Detail,
    title: Phrase,
    statement: fn(&str) -> String,
    of: fn(&ServiceDetail) -> &Vec<Slice>,
) -> AnyView {
    let row = |slice: &Slice| {
        view! { <tr><th scope="row" class="mono cell-id">{crate::figures::middle(&slice.name, 36)}</th>{red_cells(&slice.red)}<td class="hint col-wide">{ago(slice.first_seen_unix_nano.0, now_nanos())}</td></tr> }
    };
    let rows = move || detail.with(|detail| of(detail).iter().map(row).collect_view());
    let body = move || {
        if detail.with(|detail| of(detail).is_empty()) {
            return empty(t(say::NONE_SEEN), None);
        }
        view! { <div class="table-wrap" tabindex="0" role="group" aria-label=t(title)><table class="table"><thead><tr><th scope="col">{t(say::NAME)}</th>{red_head()}<th scope="col" class="col-wide">{t(say::FIRST_SEEN)}</th></tr></thead><tbody>{rows}</tbody></table></div> }.into_any()
    };
    frame(t(title), Some(in_sql(detail, statement)), body.into_any())
}
