//! Hosts, and how Orrery itself is doing.

use crate::client::live::live;
use crate::client::{ask, load};
use crate::components::endpoints;
use crate::components::figure::{figure, tile};
use crate::components::flags::{About, sparkline};
use crate::components::open_in_sql::open_in_sql;
use crate::components::panel::panel;
use crate::components::state::{empty, loaded};
use crate::figures::{ago, date_time};
use crate::scope::{now_nanos, scope};
use crate::words::{Phrase, say, t, tf};
use leptos::prelude::*;
use orrery_api::{Host, HostList, LiveRequest, MetricPoint, SelfHealth, SignalCounters, paths};
use orrery_chart::{Token, Unit};
use std::collections::BTreeMap;
use std::sync::Arc;

type Own = Signal<Arc<SelfHealth>>;

/// `/health`.
#[component]
pub(crate) fn HealthPage() -> impl IntoView {
    let scope = scope();
    let hosts = load::<HostList>(move || {
        let window = scope.window.get();
        Some(
            ask(
                paths::HOSTS,
                &[("from", window.from.to_string()), ("to", window.to.to_string()), ("points", "60".to_owned())],
            )
            .chosen(scope.range.get()),
        )
    });
    let own = load::<SelfHealth>(move || {
        scope.window.track();
        Some(ask(paths::SELF, &[]))
    });
    live().subscribe("health", move || scope.live.get().then_some(LiveRequest::Health), move |health| own.put(health));
    view! {
        <div class="page">
            {warnings(own.data)}
            {panel(t(say::HOSTS), Some(open_in_sql(crate::sql::hosts)), hosts, |list: &HostList| list.hosts.is_empty(), |_| empty(t(say::NO_HOSTS), Some(view! { <code class="code-inline">"orrery-agent"</code> }.into_any())), hosts_body)}
            {panel(t(say::OWN_HEALTH), None, own, |_| false, |_| ().into_any(), own_body)}
            {loaded(own, |_| false, |_| ().into_any(), endpoints)}
        </div>
    }
}

fn warnings(own: RwSignal<Option<Arc<SelfHealth>>>) -> AnyView {
    let list = move || {
        own.get().map(|own| {
            own.warnings
                .iter()
                .map(|warning| view! { <li><span class="is-warn" aria-hidden="true">"▲ "</span>{warning.clone()}</li> })
                .collect_view()
        })
    };
    let any = Memo::new(move |_| own.with(|own| own.as_ref().is_some_and(|own| !own.warnings.is_empty())));
    view! { <Show when=move || any.get()><div role="status" aria-label=t(say::WARNINGS)><ul class="warnings">{list}</ul></div></Show> }.into_any()
}

fn hosts_body(list: Signal<Arc<HostList>>) -> AnyView {
    let tiles = move || list.with(|list| list.hosts.iter().map(host_tile).collect_view());
    let rows = move || list.with(|list| list.hosts.iter().map(host_row).collect_view());
    view! {
        <ul class="hosts">{tiles}</ul>
        <div class="table-wrap" tabindex="0" role="group" aria-label=t(say::HOSTS)><table class="table">
            <thead><tr>
                <th scope="col">{t(say::HOST)}</th><th scope="col" class="num">{t(say::CPU)}</th><th scope="col" class="num">{t(say::MEMORY)}</th><th scope="col" class="num">{t(say::FILESYSTEM)}</th>
                <th scope="col" class="num col-wide">{t(say::LOAD)}</th><th scope="col" class="num col-wide">{t(say::NETWORK)}</th><th scope="col" class="num col-wide">{t(say::DISK)}</th>
                <th scope="col" class="col-wide">{t(say::SERVICES)}</th><th scope="col" class="col-wide">{t(say::LAST_SEEN)}</th>
            </tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
    }
    .into_any()
}

/// The fullest of what can fill up.
fn saturation(host: &Host) -> Option<f64> {
    [host.cpu_utilization, host.memory_utilization, host.filesystem_utilization].into_iter().flatten().reduce(f64::max)
}

fn host_tile(host: &Host) -> AnyView {
    let fill = saturation(host);
    let class = match fill {
        Some(share) if share >= 0.95 => "host is-full",
        Some(share) if share >= 0.8 => "host is-high",
        Some(_) => "host",
        None => "host is-silent",
    };
    let style = format!("--fill:{:.1}%", fill.unwrap_or(0.0) * 100.0);
    let glyph = match fill {
        Some(share) if share >= 0.95 => "◆",
        Some(share) if share >= 0.8 => "▲",
        Some(_) => "●",
        None => "○",
    };
    view! {
        <li class=class style=style title=t(say::SATURATION)>
            <span class="host-name"><span class="host-glyph" aria-hidden="true">{glyph}</span>{crate::figures::middle(&host.name, 28)}</span>
            <span class="host-fill">{figure(&Unit::Ratio, fill.unwrap_or(f64::NAN))}</span>
        </li>
    }
    .into_any()
}

fn host_row(host: &Host) -> AnyView {
    let trend = |points: &[MetricPoint], leads: bool| {
        let at = |point: Option<&MetricPoint>| point.map(|point| point.time_unix_nano.0).unwrap_or_default();
        let values = points.iter().map(|point| Some(point.value)).collect();
        let (times, about) = ((at(points.first()), at(points.last())), About::Host(host.name.clone()));
        sparkline(values, times, Token::Series1, (72.0, 20.0), about, leads)
    };
    let number = |unit: &Unit, value: Option<f64>| figure(unit, value.unwrap_or(f64::NAN));
    let services = host.services.iter().map(|service| service.name.clone()).collect::<Vec<_>>().join(", ");
    let system = ["os.description", "os.type", "host.arch"]
        .iter()
        .find_map(|key| host.resource.get(*key))
        .map(crate::components::attributes::text);
    let total =
        host.memory_total_bytes.map(|bytes| view! { <span class="hint">" / "{figure(&Unit::Bytes, bytes)}</span> });
    view! {
        <tr>
            <th scope="row" class="cell-name"><span class="name-stack"><span>{host.name.clone()}</span><span class="hint clamp">{system}</span></span></th>
            <td class="num"><span class="cell-trend">{trend(&host.cpu_series, true)}{number(&Unit::Ratio, host.cpu_utilization)}</span></td>
            <td class="num"><span class="cell-trend">{trend(&host.memory_series, false)}<span class="nowrap">{number(&Unit::Ratio, host.memory_utilization)}{total}</span></span></td>
            <td class="num">{number(&Unit::Ratio, host.filesystem_utilization)}</td><td class="num col-wide">{number(&Unit::Number, host.load_1m)}</td>
            <td class="num col-wide">{number(&Unit::BytesPerSecond, host.network_bytes_per_second)}</td><td class="num col-wide">{number(&Unit::BytesPerSecond, host.disk_bytes_per_second)}</td>
            <td class="col-wide hint clamp">{services}</td><td class="col-wide hint nowrap">{ago(host.last_seen_unix_nano.0, now_nanos())}</td>
        </tr>
    }
    .into_any()
}

fn own_body(own: Own) -> AnyView {
    let bytes = move |value: fn(&SelfHealth) -> u64| move || own.with(|own| figure(&Unit::Bytes, value(own) as f64));
    let busy = move || {
        own.with(|own| {
            let share = own.cpu_seconds / ((own.now_unix_nano.0 - own.started_unix_nano.0) as f64 / 1e9).max(1.0);
            figure(&Unit::Ratio, share)
        })
    };
    let age = move || {
        own.with(|own| {
            tf(say::RUNNING_SINCE, &[("version", &own.version), ("since", &date_time(own.started_unix_nano.0)[..16])])
        })
    };
    let gauge = move |name: Phrase, used: fn(&SelfHealth) -> u64, of: fn(&SelfHealth) -> u64| {
        let share = move || own.with(|own| used(own) as f64 / (of(own) as f64).max(1.0));
        let bar = view! { <span class="gauge"><span class="gauge-fill" class:is-high={move || share() >= 0.8} style=move || format!("width:{:.1}%", share().min(1.0) * 100.0)></span></span> };
        tile(
            t(name),
            view! { {bytes(used)}<span class="hint">" / "{bytes(of)}</span> }.into_any(),
            Some(bar.into_any()),
        )
    };
    view! {
        <p class="panel-note">{age}</p>
        <div class="tiles tiles-wide">
            {gauge(say::QUEUE, |own| own.queue_bytes, |own| own.queue_limit_bytes)}
            {gauge(say::DISK, |own| own.disk_total_bytes.saturating_sub(own.disk_free_bytes), |own| own.disk_total_bytes)}
            {tile(t(say::DATA_DIRECTORY), bytes(|own| own.disk_bytes).into_any(), None)}
            {tile(t(say::WAL), bytes(|own| own.wal_bytes).into_any(), None)}
            {tile(t(say::HOT), bytes(|own| own.hot_bytes).into_any(), None)}
            {tile(t(say::SEALED), view! { {bytes(|own| own.sealed_bytes)}<span class="hint">{move || own.with(|own| tf(say::IN_SEGMENTS, &[("n", &own.segments.to_string())]))}</span> }.into_any(), None)}
            {tile(t(say::RSS), bytes(|own| own.rss_bytes).into_any(), None)}
            {tile(t(say::CPU_MEAN), busy.into_any(), None)}
            {tile(t(say::RETENTION), (move || own.with(|own| own.retention.clone())).into_any(), None)}
            {tile(t(say::OLDEST), (move || own.with(|own| own.oldest_unix_nano.map_or_else(|| "–".to_owned(), |at| ago(at.0, own.now_unix_nano.0)))).into_any(), None)}
            {tile(t(say::LIVE_TABS), (move || own.with(|own| own.live_clients)).into_any(), None)}
        </div>
        <div class="table-wrap" tabindex="0" role="group" aria-label=t(say::OWN_HEALTH)><table class="table">
            <thead><tr>
                <th scope="col">{t(say::SIGNAL)}</th><th scope="col" class="num">{t(say::ACCEPTED)}</th><th scope="col" class="num">{t(say::DURABLE)}</th><th scope="col" class="num">{t(say::QUERYABLE)}</th>
                <th scope="col" class="num col-wide">{t(say::RECEIVED)}</th><th scope="col">{t(say::REJECTED)}</th><th scope="col">{t(say::REFUSED)}</th><th scope="col">{t(say::DROPPED)}</th><th scope="col" class="col-wide" title=t(say::EXPIRED_HINT)>{t(say::EXPIRED)}</th><th scope="col" class="col-wide" title=t(say::TRIMMED_HINT)>{t(say::TRIMMED)}</th>
            </tr></thead>
            <tbody>{move || own.with(|own| own.signals.iter().map(|(name, counters)| signal_row(name, counters)).collect_view())}</tbody>
        </table></div>
    }
    .into_any()
}

fn signal_row(name: &str, counters: &SignalCounters) -> AnyView {
    let name = match name {
        "traces" => t(say::SPANS),
        "logs" => t(say::LOG_RECORDS),
        "metrics" => t(say::DATA_POINTS),
        _ => t(say::SIGNAL),
    };
    let count = |value: u64| figure(&Unit::Number, value as f64);
    view! {
        <tr>
            <th scope="row">{name}</th><td class="num" title=counters.accepted>{count(counters.accepted)}</td><td class="num" title=counters.durable>{count(counters.durable)}</td>
            <td class="num" title=counters.queryable>{count(counters.queryable)}</td><td class="num col-wide">{figure(&Unit::Bytes, counters.received_bytes as f64)}</td>
            <td>{reasons(&counters.rejected)}</td><td>{reasons(&counters.refused)}</td><td>{reasons(&counters.dropped)}</td><td class="col-wide">{plain(&counters.expired)}</td><td class="col-wide">{reasons(&counters.trimmed)}</td>
        </tr>
    }
    .into_any()
}

/// Nothing to worry about.
fn plain(counts: &BTreeMap<String, u64>) -> AnyView {
    let counts: Vec<_> = counts.iter().filter(|(_, count)| **count > 0).collect();
    if counts.is_empty() {
        return view! { <span class="hint">"0"</span> }.into_any();
    }
    counts.into_iter().map(|(reason, count)| view! { <span class="nowrap">{reason.clone()}" "{figure(&Unit::Number, *count as f64)}</span>" " }).collect_view().into_any()
}

fn reasons(counts: &BTreeMap<String, u64>) -> AnyView {
    let counts: Vec<_> = counts.iter().filter(|(_, count)| **count > 0).collect();
    if counts.is_empty() {
        return view! { <span class="hint">"0"</span> }.into_any();
    }
    counts.into_iter().map(|(reason, count)| view! { <span class="badge badge-warn"><span aria-hidden="true">"▲"</span>{reason.replace('_', " ")}" "{figure(&Unit::Number, *count as f64)}</span>" " }).collect_view().into_any()
}

fn endpoints(own: Own) -> AnyView {
    let list = move || own.with(|own| endpoints::all(&own.endpoints));
    view! {
        <section class="panel" aria-label=t(say::ENDPOINTS)>
            <header class="panel-head"><h2>{t(say::ENDPOINTS)}</h2><span class="grow"></span><a href=paths::OPENAPI target="_blank" rel="noopener">"OpenAPI"</a></header>
            {list}
        </section>
    }
    .into_any()
}
