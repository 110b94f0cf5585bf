//! Metrics: pick a name, see it over time.

use crate::client::{ask, load};
use crate::components::chart::{TimeChart, legend};
use crate::components::figure::figure;
use crate::components::flags::everything;
use crate::components::open_in_sql::open_in_sql;
use crate::components::panel::panel;
use crate::components::state::{chips, empty, loaded};
use crate::figures::utc_offset;
use crate::nav::nav;
use crate::scope::scope;
use crate::sql;
use crate::words::{Phrase, say, t, tf};
use leptos::prelude::*;
use orrery_api::{MetricName, MetricNameList, MetricSeries, MetricSeriesList, paths};
use orrery_chart::{ChartSpec, Series, Unit};
use std::sync::Arc;

/// How points become one value, as the API calls it.
const AGGREGATIONS: [(&str, Phrase); 9] = [
    ("", say::AGGREGATE_DEFAULT),
    ("avg", say::AGGREGATE_AVG),
    ("sum", say::AGGREGATE_SUM),
    ("min", say::AGGREGATE_MIN),
    ("max", say::AGGREGATE_MAX),
    ("rate", say::AGGREGATE_RATE),
    ("p50", say::P50),
    ("p95", say::P95),
    ("p99", say::P99),
];
/// Series drawn, at most.
const SERIES: &str = "12";

/// `/metrics`.
#[component]
pub(crate) fn Metrics() -> impl IntoView {
    let (nav, scope) = (nav(), scope());
    let names = load::<MetricNameList>(move || {
        scope.range.track();
        let window = scope.window.get_untracked();
        Some(
            ask(paths::METRIC_NAMES, &[("from", window.from.to_string()), ("to", window.to.to_string())])
                .chosen(scope.range.get()),
        )
    });
    let asked = nav.param("metric");
    let metric = Memo::new(move |_| asked.get().or_else(|| names.data.get().and_then(|list| preferred(&list.metrics))));
    let (aggregation, group) = (nav.param("agg"), nav.param("by"));
    let series = load::<MetricSeriesList>(move || {
        let window = scope.window.get();
        let mut query = vec![
            ("from", window.from.to_string()),
            ("to", window.to.to_string()),
            ("name", metric.get()?),
            ("limit", SERIES.to_owned()),
        ];
        query.extend([
            ("aggregation", aggregation.get().unwrap_or_default()),
            ("group_by", group.get().unwrap_or_default()),
        ]);
        Some(ask(paths::METRIC_RANGE, &query).chosen(scope.range.get()))
    });
    let current = Memo::new(move |_| {
        names.data.with(|list| {
            list.as_ref()
                .and_then(|list| list.metrics.iter().find(|one| Some(&one.name) == metric.get().as_ref()).cloned())
        })
    });
    let is_any = Memo::new(move |_| metric.with(Option::is_some));
    view! {
        <div class="page">
            <div class="explorer">
                {panel(t(say::METRICS), Some(open_in_sql(sql::metric_names)), names, |list: &MetricNameList| list.metrics.is_empty(), |_| super::services::no_telemetry(), move |list| picker(list, metric))}
                {move || is_any.get().then(|| view! {
                    <section class="panel" aria-label=t(say::CHART)>
                        <header class="panel-head"><h2 class="mono">{move || metric.get()}</h2>{chips(series)}<span class="grow"></span>{in_sql(current, aggregation, group)}{controls(current, aggregation, group)}</header>
                        {move || current.get().map(|metric| about(&metric))}
                        {loaded(series, |list: &MetricSeriesList| list.series.is_empty(), |_| empty(t(say::NO_POINTS), None), charted)}
                    </section>
                })}
            </div>
        </div>
    }
}

/// What to show first: how busy the machine is, else whatever comes first.
fn preferred(metrics: &[MetricName]) -> Option<String> {
    let first = ["http.server.request.duration", "system.cpu.utilization", "process.cpu.utilization"];
    first
        .iter()
        .find(|name| metrics.iter().any(|metric| metric.name == **name))
        .map(|name| (*name).to_owned())
        .or_else(|| metrics.first().map(|metric| metric.name.clone()))
}

fn picker(list: Signal<Arc<MetricNameList>>, metric: Memo<Option<String>>) -> AnyView {
    let nav = nav();
    let typed = RwSignal::new(String::new());
    let items = move || {
        let wanted = typed.get().to_lowercase();
        list.with(|list| list.metrics.iter().filter(|one| one.name.to_lowercase().contains(&wanted)).map(|one| {
            let (name, chosen) = (one.name.clone(), one.name.clone());
            let here = one.name.clone();
            view! {
                <li><button type="button" class="menu-item" title=one.description.clone() aria-current=move || (metric.get().as_ref() == Some(&here)).then_some("true")
                    on:click=move |_| nav.set(&[("metric", Some(chosen.clone())), ("agg", None), ("by", None)])>
                    <span class="grow clamp mono">{name}</span><span class="hint">{one.unit.clone()}</span>
                </button></li>
            }
        }).collect_view())
    };
    view! {
        <div class="panel-body">
            <input class="input wide" type="search" placeholder=t(say::FIND_METRIC) aria-label=t(say::FIND_METRIC) on:input=move |event| typed.set(event_target_value(&event)) />
            <div class="metric-list" tabindex="0" role="group" aria-label=t(say::METRICS)><ul class="menu">{items}</ul></div>
        </div>
    }
    .into_any()
}

/// A link to the same in SQL.
fn in_sql(
    current: Memo<Option<MetricName>>,
    aggregation: Memo<Option<String>>,
    group: Memo<Option<String>>,
) -> AnyView {
    open_in_sql(move || {
        let (aggregation, group) = (aggregation.get().unwrap_or_default(), group.get());
        current.with(|metric| {
            let (name, kind) = metric.as_ref().map_or(("", ""), |metric| (metric.name.as_str(), metric.kind.as_str()));
            sql::metric(name, kind, &aggregation, group.as_deref())
        })
    })
}

fn controls(
    current: Memo<Option<MetricName>>,
    aggregation: Memo<Option<String>>,
    group: Memo<Option<String>>,
) -> AnyView {
    let nav = nav();
    let options = AGGREGATIONS.map(|(value, name)| view! { <option value=value selected=move || aggregation.get().unwrap_or_default() == value>{t(name)}</option> }).collect_view();
    let keys = move || {
        let keys =
            current.with(|metric| metric.as_ref().map(|metric| metric.attribute_keys.clone()).unwrap_or_default());
        let known = ["service.name".to_owned(), "host.name".to_owned()].into_iter().chain(keys);
        known.map(|key| { let chosen = key.clone(); view! { <option value=key.clone() selected=move || group.get().as_ref() == Some(&chosen)>{key.clone()}</option> } }).collect_view()
    };
    view! {
        <select class="select" aria-label=t(say::FUNCTION) on:change=move |event| nav.set(&[("agg", Some(event_target_value(&event)))])>{options}</select>
        <select class="select" aria-label=t(say::GROUP_BY) on:change=move |event| nav.set(&[("by", Some(event_target_value(&event)))])>
            <option value="">{t(say::NOT_GROUPED)}</option>{keys}
        </select>
    }
    .into_any()
}

fn about(metric: &MetricName) -> AnyView {
    let services = metric.services.join(", ");
    view! {
        <p class="panel-note">{metric.description.clone()}{(!metric.description.is_empty()).then_some(" · ")}{metric.kind.clone()}{(!services.is_empty()).then(|| tf(say::REPORTED_BY, &[("services", &services)]))}</p>
    }
    .into_any()
}

fn charted(list: Signal<Arc<MetricSeriesList>>) -> AnyView {
    let spec = Memo::new(move |_| list.with(|list| spec(list)));
    view! { <div class="panel-body"><TimeChart spec=spec height=320.0 about=everything() />{legend(spec)}{move || list.with(|list| latest(list))}</div> }.into_any()
}

fn spec(list: &MetricSeriesList) -> ChartSpec {
    let line = |(at, series): (usize, &MetricSeries)| {
        Series::line(
            name(series, &list.name),
            at,
            series.points.iter().map(|point| (point.time_unix_nano.0, Some(point.value))).collect(),
        )
    };
    ChartSpec {
        title: list.name.clone(),
        from: list.range.from.0,
        to: list.range.to.0,
        utc_offset_minutes: utc_offset(),
        unit: unit(list),
        step: Some(list.step_nanos.0),
        series: list.series.iter().enumerate().map(line).collect(),
        ..ChartSpec::default()
    }
}

fn unit(list: &MetricSeriesList) -> Unit {
    if list.name.ends_with(".utilization") { Unit::Ratio } else { Unit::from_ucum(&list.unit) }
}

fn name(series: &MetricSeries, metric: &str) -> String {
    if series.group.is_empty() {
        metric.to_owned()
    } else {
        series.group.values().cloned().collect::<Vec<_>>().join(" · ")
    }
}

fn latest(list: &MetricSeriesList) -> AnyView {
    let unit = unit(list);
    let row = |series: &MetricSeries| {
        let values = || series.points.iter().map(|point| point.value);
        let mean = values().sum::<f64>() / (series.points.len().max(1)) as f64;
        let last = series.points.last().map_or(f64::NAN, |point| point.value);
        view! {
            <tr><th scope="row" class="mono">{name(series, &list.name)}</th><td class="num">{figure(&unit, last)}</td><td class="num">{figure(&unit, mean)}</td>
                <td class="num">{figure(&unit, values().fold(f64::NAN, f64::min))}</td><td class="num">{figure(&unit, values().fold(f64::NAN, f64::max))}</td></tr>
        }
    };
    let rows = list.series.iter().map(row).collect_view();
    view! {
        <div class="table-wrap" tabindex="0" role="group" aria-label=t(say::SERIES)><table class="table">
            <thead><tr><th scope="col">{t(say::SERIES)}</th><th scope="col" class="num">{t(say::LAST)}</th><th scope="col" class="num">{t(say::MEAN)}</th><th scope="col" class="num">{t(say::AGGREGATE_MIN)}</th><th scope="col" class="num">{t(say::AGGREGATE_MAX)}</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
    }
    .into_any()
}
