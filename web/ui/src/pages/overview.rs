//! Is it fine, and where not? The map, the numbers that matter, what changed.

mod changed;
mod compare;
mod cut;
mod drawer;
mod having;
mod reach;
mod strip;
mod twin;
mod wrong;

use crate::atlas::Selection;
use crate::atlas::marks::Marks;
use crate::atlas::scene::{Scene, group_name};
use crate::client::live::live;
use crate::client::{Load, ask, load};
use crate::compare::Comparison;
use crate::components::icon::icon;
use crate::components::map::{Controls, Pins, ServiceMap};
use crate::components::open_in_sql::open_in_sql;
use crate::components::popover::Popover;
use crate::components::state::{chips, empty, loaded};
use crate::components::watch::watched;
use crate::nav::{Nav, nav};
use crate::pages::chunks::chunks;
use crate::pages::part;
use crate::range::TimeRange;
use crate::scope::{Scope, scope};
use crate::words::{say, t};
use leptos::prelude::*;
use orrery_api::{FindingList, Impact, LiveRequest, ServiceList, Topology, TopologyDiff, TraceSeriesList, paths};
use orrery_chart::map::{Status, status_svg};
use std::sync::Arc;

/// What the parts of the page share.
#[derive(Clone, Copy)]
pub(super) struct Model {
    nav: Nav,
    scope: Scope,
    selection: Memo<Option<Selection>>,
    choose: Callback<Option<Selection>>,
    /// What the map is compared with.
    comparison: Memo<Option<Comparison>>,
    diff: Load<TopologyDiff>,
    /// How far the failures of the chosen node reach.
    impact: Load<Impact>,
    /// The map is about that.
    reach: Memo<bool>,
    /// What is wrong, and which of it the drawer is about.
    findings: Load<FindingList>,
    why: Memo<Option<String>>,
    /// Spans by service that have the attribute asked for.
    having: Load<TraceSeriesList>,
    /// Everything there is, both sides of a comparison.
    map: Memo<Option<Arc<Topology>>>,
    /// What of it is shown.
    scene: Memo<Arc<Scene>>,
    marks: Memo<Arc<Marks>>,
}

impl Model {
    fn new(topology: Load<Topology>) -> Model {
        let (nav, scope) = (nav(), scope());
        let selected = nav.param("sel");
        let selection = Memo::new(move |_| selected.get().and_then(|text| Selection::parse(&text)));
        let choose = Callback::new(move |selection: Option<Selection>| {
            nav.set(&[("sel", selection.map(|selection| selection.address())), ("reach", None), ("why", None)])
        });
        let compare = nav.param("compare");
        let comparison = Memo::new(move |_| compare.get().and_then(|text| Comparison::parse(&text)));
        let diff = compare::load_diff(scope, comparison);
        let map = Memo::new(move |_| match comparison.get().and_then(|_| diff.data.get()) {
            Some(diff) => Some(Arc::new(diff.union())),
            None => topology.data.get(),
        });
        let wanted = nav.param("reach");
        let reach = Memo::new(move |_| wanted.get().is_some());
        let impact = reach::load_impact(scope, selection, map, reach, move |id| compare::is_gone(comparison, diff, id));
        let having = having::load_having(nav, scope);
        let choice = cut::choice(nav, having);
        let scene = Memo::new(move |_| {
            Arc::new(map.get().map(|map| choice.with(|choice| Scene::of(&map, choice))).unwrap_or_default())
        });
        let watched = watched();
        let marks = Memo::new(move |_| {
            let marks = match (reach.get(), comparison.get()) {
                (true, _) => impact.data.get().map(|impact| Marks::of_impact(&impact)),
                (_, Some(_)) => diff.data.get().map(|diff| Marks::of_changes(&diff)),
                _ => Some(watched.marks()),
            };
            Arc::new(marks.unwrap_or_default())
        });
        let (findings, why) = (wrong::load_findings(scope), nav.param("why"));
        Model {
            nav,
            scope,
            selection,
            choose,
            comparison,
            diff,
            impact,
            reach,
            findings,
            why,
            having,
            map,
            scene,
            marks,
        }
    }

    /// Name of a node; of one that is not on the map, as far as its id tells.
    fn name(self, id: &str) -> String {
        if let Some(name) = group_name(id) {
            return name.to_owned();
        }
        let known = |map: &Arc<Topology>| map.nodes.iter().find(|node| node.id == id).map(|node| node.name.clone());
        self.map.with(|map| map.as_ref().and_then(known)).unwrap_or_else(|| crate::pages::service_name(id))
    }

    fn controls(self) -> Controls {
        let (nav, find) = (self.nav, self.nav.param("find"));
        let place = Memo::new(move |_| {
            let around = self.scene.with(|scene| scene.choice.near.as_ref().map(|(id, _)| id.clone()));
            [self.scope.environment.get(), around].map(Option::unwrap_or_default).join(" ")
        });
        Controls {
            find: Signal::derive(move || find.get().unwrap_or_default()),
            set_find: Callback::new(move |text| nav.replace(&[("find", Some(text))])),
            reveal: Callback::new(move |id: String| {
                let open = self.scene.with_untracked(|scene| scene.opened(&id)).and_then(|open| open.address());
                let mut changes = vec![("sel", Some(Selection::Node(id).address())), ("reach", None)];
                changes.extend(open.map(|open| ("open", Some(open))));
                nav.set(&changes);
            }),
            toggle: Callback::new(move |id: String| self.toggle(&id)),
            around: Callback::new(move |id: String| self.look_around(&id)),
            pins: Pins::kept(place.into()),
            whole: false,
        }
    }

    /// Opens or closes the group of a node.
    fn toggle(self, id: &str) {
        if let Some(open) = self.scene.with_untracked(|scene| scene.toggled(id)) {
            self.nav.set(&[("open", open.address())]);
        }
    }

    /// Shows a node and what is two calls away.
    fn look_around(self, id: &str) {
        self.nav.set(&[("near", Some(id.to_owned())), ("hops", None)]);
    }
}

chunks! {
    /// What is said of what is chosen on the map.
    pub(super) DRAWER overview_drawer |(selection, model): (Selection, Model)| drawer::drawer(selection, model);
}

/// `/`.
#[component]
pub(crate) fn Overview() -> impl IntoView {
    let (scope, live) = (scope(), live());
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
    let model = Model::new(topology);
    let as_table = model.nav.param("view");
    let is_table = Memo::new(move |_| as_table.get().as_deref() == Some("table"));
    view! {
        <div class="page page-fill overview">
            {strip::strip(topology, services, model.findings)}
            {wrong::wrong(model)}
            <section class="panel panel-fill stage" aria-label=t(say::MAP)>
                <header class="panel-head">
                    <h2>{t(say::MAP)}</h2>{chips(topology)}<span class="grow"></span>
                    {compare::control(model)}{cut::groups(model)}{cut::kinds(model)}{having::control(model)}<Legend />{open_in_sql(move || crate::sql::map(scope.environment.get().as_deref()))}<TableSwitch is_table=is_table />
                </header>
                {cut::bar(model)}
                {having::bar(model)}
                {compare::bar(model)}
                <div class="stage-body">
                    {loaded(topology, |map: &Topology| map.nodes.is_empty(), |_| super::services::no_telemetry(), move |_| field(model, is_table))}
                    {move || model.selection.get().map(|selection| part(DRAWER, (selection, model)))}
                </div>
            </section>
            {move || match model.comparison.get() {
                Some(_) => compare::changes(model),
                None => changed::changed(services, model),
            }}
        </div>
    }
}

fn field(model: Model, is_table: Memo<bool>) -> AnyView {
    let nothing = Memo::new(move |_| model.scene.with(|scene| scene.topology.nodes.is_empty() && scene.total > 0));
    view! {
        {move || if nothing.get() {
            empty(t(say::NOTHING_SHOWN), Some(cut::show_all(model)))
        } else if is_table.get() {
            twin::twin(model)
        } else {
            view! { <ServiceMap scene=model.scene.into() marks=model.marks selection=model.selection choose=model.choose controls=model.controls() /> }.into_any()
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
                <p class="hint">{t(say::LEGEND_KEYS)}</p><p class="hint">{t(say::LEGEND_KEYBOARD)}</p>
            </div>
        </Popover>
    }
}
