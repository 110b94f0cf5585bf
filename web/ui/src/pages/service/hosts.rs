//! Where a service runs: hosts, nodes and containers of its spans, and how full those hosts are.

use crate::address::Params;
use crate::client::{Load, ask, load};
use crate::components::figure::figure;
use crate::components::open_in_sql::open_in_sql;
use crate::components::panel::panel;
use crate::components::state::empty;
use crate::nav::nav;
use crate::query::{of_filters, plain};
use crate::scope::scope;
use crate::words::{say, t};
use leptos::prelude::*;
use orrery_api::{Host, HostList, TraceSeries, TraceSeriesList, paths};
use orrery_chart::Unit;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Places listed, at most.
const MOST: usize = 30;

/// A host, node or container, and spans from it.
#[derive(Clone, PartialEq)]
struct Place {
    host: Option<String>,
    node: Option<String>,
    container: Option<String>,
    spans: u64,
}

/// Where a service runs.
pub(super) fn panel_of(service: String) -> AnyView {
    let (nav, scope) = (nav(), scope());
    let statement = crate::sql::places(&service);
    let places = load::<TraceSeriesList>(move || {
        let mut params = Params::default();
        params.set("service", Some(service.clone()));
        let window = scope.window.get();
        let by = "by (resource.host.name, resource.k8s.node.name, resource.container.id)";
        let asked = format!("{} | count_over_time() {by}", of_filters(&params)?);
        let step = format!("{}ns", window.to - window.from);
        let query = [("from", window.from.to_string()), ("to", window.to.to_string()), ("q", asked), ("step", step)];
        Some(ask(paths::TRACE_SERIES, &query).chosen(scope.range.get()))
    });
    let hosts = load::<HostList>(move || {
        let window = scope.window.get();
        let query = [("from", window.from.to_string()), ("to", window.to.to_string()), ("points", "0".to_owned())];
        Some(ask(paths::HOSTS, &query).chosen(scope.range.get()))
    });
    let all = view! { <a href=move || nav.href("/health", &[])>{t(say::ALL_HOSTS)}</a>{open_in_sql(move || statement.clone())} }.into_any();
    let nothing = |_: &TraceSeriesList| empty(t(say::NO_PLACES), None);
    panel(
        t(say::HOSTS),
        Some(all),
        places,
        |list: &TraceSeriesList| of(list).is_empty(),
        nothing,
        move |list| body(list, hosts),
    )
}

/// Places of the series, the busiest first.
fn of(list: &TraceSeriesList) -> Vec<Place> {
    let place = |series: &TraceSeries| {
        let label =
            |at: usize| series.labels.get(at).map(|label| &label.value).filter(|value| !value.is_null()).map(plain);
        let spans = series.values.iter().flatten().sum::<f64>() as u64;
        Place { host: label(0), node: label(1), container: label(2), spans }
    };
    let mut all: Vec<Place> = list
        .series
        .iter()
        .map(place)
        .filter(|place| place.host.is_some() || place.node.is_some() || place.container.is_some())
        .collect();
    all.sort_by_key(|place| Reverse(place.spans));
    all.truncate(MOST);
    all
}

fn body(list: Signal<Arc<TraceSeriesList>>, hosts: Load<HostList>) -> AnyView {
    let rows = move || {
        let known: BTreeMap<String, Host> = hosts.data.with(|hosts| {
            hosts.iter().flat_map(|list| &list.hosts).map(|host| (host.name.clone(), host.clone())).collect()
        });
        list.with(|list| of(list).iter().map(|place| row(place, &known)).collect_view())
    };
    view! {
        <div class="table-wrap" tabindex="0" role="group" aria-label=t(say::HOSTS)><table class="table">
            <thead><tr><th scope="col">{t(say::HOST)}</th><th scope="col" class="col-wide">{t(say::CONTAINER)}</th><th scope="col" class="num">{t(say::SPANS)}</th>
                <th scope="col" class="num">{t(say::CPU)}</th><th scope="col" class="num">{t(say::MEMORY)}</th><th scope="col" class="num col-wide">{t(say::FILESYSTEM)}</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
    }
    .into_any()
}

fn row(place: &Place, known: &BTreeMap<String, Host>) -> AnyView {
    let nav = nav();
    let host = [&place.host, &place.node].into_iter().flatten().find_map(|name| known.get(name));
    let used = |value: fn(&Host) -> Option<f64>| {
        let share = host.and_then(value);
        let class = match share {
            Some(share) if share >= 0.95 => "is-err",
            Some(share) if share >= 0.8 => "is-warn",
            _ => "",
        };
        view! { <span class=class>{figure(&Unit::Ratio, share.unwrap_or(f64::NAN))}</span> }
    };
    let name = place.host.clone().or_else(|| place.node.clone()).unwrap_or_else(|| "–".to_owned());
    let node = place.node.clone().filter(|node| *node != name);
    view! {
        <tr><th scope="row" class="cell-name"><span class="name-stack"><a href=move || nav.href("/health", &[])>{crate::figures::middle(&name, 36)}</a>{node.map(|node| view! { <span class="hint">{node}</span> })}</span></th>
            <td class="col-wide mono">{place.container.as_deref().map(|id| crate::figures::middle(id, 20))}</td>
            <td class="num">{figure(&Unit::Number, place.spans as f64)}</td>
            <td class="num">{used(|host| host.cpu_utilization)}</td><td class="num">{used(|host| host.memory_utilization)}</td><td class="num col-wide">{used(|host| host.filesystem_utilization)}</td></tr>
    }
    .into_any()
}
