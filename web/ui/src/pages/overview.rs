//! Is it fine, and where not? The map, the numbers that matter, what changed.

mod changed;
mod drawer;
mod strip;
mod twin;

use crate::atlas::Selection;
use crate::client::live::live;
use crate::client::{ask, load};
use crate::components::icon::icon;
use crate::components::map::ServiceMap;
use crate::components::popover::Popover;
use crate::components::state::{chips, loaded};
use crate::nav::nav;
use crate::range::TimeRange;
use crate::scope::scope;
use crate::words::{say, t};
use leptos::prelude::*;
use orrery_api::{LiveRequest, ServiceList, Topology, paths};
use orrery_chart::map::{Status, status_svg};
use std::sync::Arc;

/// `/`.
#[component]
pub(crate) fn Overview() -> impl IntoView {
    let (nav, scope, live) = (nav(), scope(), live());
    let topology = load::<Topology>(move || {
        // While the line is up the server sends the map; the request is for the first moment and for other ranges.
        if !(live.connected.get() && scope.live.get()) {
            scope.window.track();
        }
        scope.range.track();
        Some(ask(paths::TOPOLOGY, &untrack(move || scope.query())).chosen((scope.range.get(), scope.environment.get())))
    });
    let services = load::<ServiceList>(move || {
        let mut query = scope.query();
        query.push(("points", "40".to_owned()));
        Some(ask(paths::SERVICES, &query).chosen(scope.range.get()))
    });
    let wanted = move || match scope.range.get() {
        TimeRange::Last(seconds) if scope.live.get() => {
            Some(LiveRequest::Topology { window_seconds: seconds as u32, environment: scope.environment.get() })
        }
        _ => None,
    };
    live.subscribe("topology", wanted, move |map| topology.put(map));
    let selected = nav.param("sel");
    let selection = Memo::new(move |_| selected.get().and_then(|text| Selection::parse(&text)));
    let choose = Callback::new(move |selection: Option<Selection>| {
        nav.set(&[("sel", selection.map(|selection| selection.address()))])
    });
    let as_table = nav.param("view");
    let is_table = Memo::new(move |_| as_table.get().as_deref() == Some("table"));
    view! {
        <div class="page page-fill overview">
            {strip::strip(topology, services)}
            <section class="panel panel-fill stage" aria-label=t(say::MAP)>
                <header class="panel-head"><h2>{t(say::MAP)}</h2>{chips(topology)}<span class="grow"></span><Legend /><TableSwitch is_table=is_table /></header>
                <div class="stage-body">
                    {loaded(topology, |map: &Topology| map.nodes.is_empty(), |_| super::services::no_telemetry(), move |map| field(map, selection, choose, is_table))}
                    {move || selection.get().map(|selection| drawer::drawer(selection, topology.data, choose))}
                </div>
            </section>
            {changed::changed(services, choose)}
        </div>
    }
}

fn field(
    map: Signal<Arc<Topology>>,
    selection: Memo<Option<Selection>>,
    choose: Callback<Option<Selection>>,
    is_table: Memo<bool>,
) -> AnyView {
    view! {
        {move || if is_table.get() {
            twin::twin(map, choose)
        } else {
            view! { <ServiceMap topology=map selection=selection choose=choose /> }.into_any()
        }}
    }
    .into_any()
}

#[component]
fn TableSwitch(is_table: Memo<bool>) -> impl IntoView {
    let nav = nav();
    let switch = move |_| nav.replace(&[("view", (!is_table.get_untracked()).then(|| "table".to_owned()))]);
    view! {
        <button type="button" class="button button-quiet" aria-pressed=move || is_table.get().to_string() on:click=switch>
            {move || icon(if is_table.get() { "waypoints" } else { "table-2" })}
            <span class="button-text">{move || t(if is_table.get() { say::VIEW_AS_MAP } else { say::VIEW_AS_TABLE })}</span>
        </button>
    }
}

#[component]
fn Legend() -> impl IntoView {
    let open = RwSignal::new(false);
    let button = view! { {icon("info")}<span class="button-text">{t(say::LEGEND)}</span> }.into_any();
    let glyph = |status| view! { <span class="legend-glyph" aria-hidden="true" inner_html=status_svg(status, 14.0, "")></span> };
    view! {
        <Popover open=open label=t(say::LEGEND).to_owned() class="button button-quiet" end=true button=button>
            <div class="legend-box">
                <p>{glyph(Status::Ok)}{t(say::HEALTH_OK)}</p>
                <p>{glyph(Status::Warn)}{t(say::LEGEND_DEGRADED)}</p>
                <p>{glyph(Status::Err)}{t(say::LEGEND_FAILING)}</p>
                <p>{glyph(Status::Unknown)}{t(say::LEGEND_UNKNOWN)}</p>
                <hr />
                <p>{t(say::LEGEND_WIDTH)}</p><p>{t(say::LEGEND_DOTS)}</p><p>{t(say::LEGEND_SPEED)}</p><p>{t(say::LEGEND_DIAMOND)}</p><p>{t(say::LEGEND_DASHED)}</p>
                <hr />
                <p class="hint">{t(say::LEGEND_KEYS)}</p>
            </div>
        </Popover>
    }
}
