//! All services, worst first.

use crate::client::{Load, ask, load};
use crate::components::endpoints;
use crate::components::figure::{
    duration, ends, error_ratio, failed_shares, figure, health_glyph, kind_icon, kind_word, steps,
};
use crate::components::flags::{About, sparkline};
use crate::components::icon::icon;
use crate::components::open_in_sql::open_in_sql;
use crate::components::panel::panel;
use crate::components::state::empty;
use crate::components::table::{Sort, head};
use crate::components::watch::badge;
use crate::figures::ago;
use crate::nav::nav;
use crate::scope::{now_nanos, scope};
use crate::sql;
use crate::words::{say, t, tf};
use leptos::prelude::*;
use orrery_api::{Health, ServiceList, ServiceSummary, paths};
use orrery_chart::{Token, Unit};
use std::cmp::Ordering;

const COLUMNS: [&str; 7] = ["worst", "name", "rate", "errors", "p50", "p95", "p99"];

/// `/services`.
#[component]
pub(crate) fn Services() -> impl IntoView {
    let (nav, scope) = (nav(), scope());
    let list = load::<ServiceList>(move || {
        let mut query = scope.query();
        query.push(("points", "40".to_owned()));
        Some(ask(paths::SERVICES, &query).chosen(scope.range.get()))
    });
    let wanted = nav.param("q");
    let find = view! {
        <input class="input" type="search" placeholder=t(say::FIND_SERVICE) aria-label=t(say::FIND_SERVICE) prop:value=move || wanted.get().unwrap_or_default()
            on:input=move |event| nav.replace(&[("q", Some(event_target_value(&event)))]) />
        {open_in_sql(move || sql::services(scope.environment.get().as_deref()))}
    }
    .into_any();
    view! {
        <div class="page">
            {panel(t(say::SERVICES), Some(find), list, |list: &ServiceList| list.services.is_empty(), |_| no_telemetry(), move |list| table(list, wanted))}
        </div>
    }
}

/// Nothing has arrived: why, and where to send it.
pub(crate) fn no_telemetry() -> AnyView {
    let scope = scope();
    let health = load::<orrery_api::SelfHealth>(|| Some(ask(paths::SELF, &[])));
    let never =
        move || health.data.get().is_some_and(|health| health.signals.values().all(|signal| signal.accepted == 0));
    view! {
        {move || if never() {
            first_run(health)
        } else {
            empty(tf(say::NOTHING_IN_RANGE, &[("range", &crate::figures::range_label(scope.range.get()))]), Some(wider()))
        }}
    }
    .into_any()
}

/// The one illustration, and where to send telemetry.
fn first_run(health: Load<orrery_api::SelfHealth>) -> AnyView {
    let addresses = move || health.data.get().map(|health| endpoints::for_telemetry(&health.endpoints));
    view! {
        <div class="first-run">
            <svg class="logo" viewBox="0 0 32 32" aria-hidden="true"><use href="#logo"></use></svg>
            {empty(t(say::NOTHING_SENT), Some(view! { {addresses} }.into_any()))}
        </div>
    }
    .into_any()
}

fn wider() -> AnyView {
    let nav = nav();
    view! { <button type="button" class="button" on:click=move |_| nav.set_range(crate::range::TimeRange::Last(86_400))>{t(say::SHOW_LAST_DAY)}</button> }.into_any()
}

fn table(list: Signal<std::sync::Arc<ServiceList>>, wanted: Memo<Option<String>>) -> AnyView {
    let nav = nav();
    let asked = nav.param("sort");
    let sort = Memo::new(move |_| Sort::of(asked.get().as_deref(), &COLUMNS, Sort { column: "worst", down: true }));
    let rows = move || {
        let wanted = wanted.get().unwrap_or_default().to_lowercase();
        let list = list.get();
        let mut lines: Vec<&ServiceSummary> =
            list.services.iter().filter(|line| line.service.id.to_lowercase().contains(&wanted)).collect();
        lines.sort_by(|a, b| {
            sort.get().apply(compare(sort.get().column, a, b)).then_with(|| a.service.id.cmp(&b.service.id))
        });
        lines.into_iter().map(row).collect_view()
    };
    view! {
        <div class="table-wrap">
            <table class="table">
                <thead><tr>
                    {head(say::STATUS, "worst", "col-glyph", sort)}
                    {head(say::SERVICE, "name", "", sort)}
                    {head(say::RATE, "rate", "num", sort)}
                    {head(say::ERRORS, "errors", "num", sort)}
                    {head(say::P50, "p50", "num col-wide", sort)}
                    {head(say::P95, "p95", "num", sort)}
                    {head(say::P99, "p99", "num col-wide", sort)}
                    <th scope="col" class="col-wide">{t(say::VERSIONS)}</th>
                    <th scope="col" class="num col-wide">{t(say::INSTANCES)}</th>
                    <th scope="col" class="col-wide">{t(say::LAST_SEEN)}</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn compare(column: &str, a: &ServiceSummary, b: &ServiceSummary) -> Ordering {
    let by = |value: fn(&ServiceSummary) -> f64| value(a).total_cmp(&value(b));
    match column {
        "name" => a.service.name.cmp(&b.service.name),
        "rate" => by(|line| line.red.rate),
        "errors" => by(|line| line.red.error_ratio()),
        "p50" => a.red.p50_nanos.cmp(&b.red.p50_nanos),
        "p95" => a.red.p95_nanos.cmp(&b.red.p95_nanos),
        "p99" => a.red.p99_nanos.cmp(&b.red.p99_nanos),
        _ => badness(a.health)
            .cmp(&badness(b.health))
            .then_with(|| by(|line| line.red.error_ratio()))
            .then_with(|| by(|line| line.red.rate)),
    }
}

fn badness(health: Health) -> u8 {
    match health {
        Health::Failing => 3,
        Health::Degraded => 2,
        Health::Ok => 1,
        Health::Unknown => 0,
    }
}

fn row(line: &ServiceSummary) -> AnyView {
    let nav = nav();
    let path = super::service_path(&line.service.id);
    let context = [line.service.namespace.as_str(), line.service.environment.as_str()]
        .iter()
        .filter(|part| !part.is_empty())
        .copied()
        .collect::<Vec<_>>()
        .join(" · ");
    let drawn = |(values, token): (Vec<Option<f64>>, Token), leads: bool| {
        sparkline(values, ends(&line.series), token, (72.0, 20.0), About::Node(line.service.id.clone()), leads)
    };
    let trend = |value: fn(&orrery_api::Red) -> Option<f64>| drawn((steps(&line.series, value), Token::Series1), false);
    let versions = line.versions.iter().take(2).cloned().collect::<Vec<_>>().join(", ");
    view! {
        <tr>
            <td class="col-glyph">{health_glyph(line.health)}</td>
            <th scope="row" class="cell-name"><span class="kind" title=kind_word(line.kind)>{icon(kind_icon(line.kind))}</span><span class="name-stack"><a href=move || nav.href(&path, &[])>{line.service.name.clone()}</a><span class="hint">{context}</span></span>{badge(Some(line.service.id.clone()))}</th>
            <td class="num"><span class="cell-trend">{trend(|red| Some(red.rate))}{figure(&Unit::PerSecond, line.red.rate)}</span></td>
            <td class="num"><span class="cell-trend">{drawn(failed_shares(&line.series), true)}{error_ratio(&line.red)}</span></td>
            <td class="num col-wide">{duration(line.red.p50_nanos)}</td>
            <td class="num"><span class="cell-trend">{trend(|red| red.p95_nanos.map(|nanos| nanos.0 as f64))}{duration(line.red.p95_nanos)}</span></td>
            <td class="num col-wide">{duration(line.red.p99_nanos)}</td>
            <td class="col-wide mono">{versions}</td>
            <td class="num col-wide">{line.instances}</td>
            <td class="col-wide hint">{ago(line.last_seen_unix_nano.0, now_nanos())}</td>
        </tr>
    }
    .into_any()
}
