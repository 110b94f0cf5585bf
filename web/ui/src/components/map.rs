//! The service map: two canvases (what stands still, what moves), pointer, wheel and keys.

mod controls;
mod view;

pub(crate) use controls::{Controls, Pins};

use crate::atlas::Selection;
use crate::atlas::marks::Marks;
use crate::atlas::scene::Scene;
use crate::canvas::{Canvas, CanvasSurface, watch_size};
use crate::components::icon::icon;
use crate::words::{say, t, tf};
use leptos::html;
use leptos::prelude::*;
use orrery_chart::map::Hit;
use std::sync::Arc;
use view::View;

/// The map of a scene.
#[component]
pub(crate) fn ServiceMap(
    /// What it shows.
    scene: Signal<Arc<Scene>>,
    /// What is said about it.
    #[prop(into)]
    marks: Signal<Arc<Marks>>,
    /// Chosen node or edge.
    selection: Memo<Option<Selection>>,
    /// Called with what is chosen, or nothing.
    choose: Callback<Option<Selection>>,
    /// What else can be done on it.
    controls: Controls,
) -> impl IntoView {
    let root = NodeRef::<html::Div>::new();
    let view = View::new(scene, marks, selection, controls, watch_size(root));
    let traffic = NodeRef::<html::Canvas>::new();
    view.start(traffic);
    let pick = move |hit: Option<Hit>| {
        choose.run(hit.and_then(|hit| scene.with_untracked(|scene| Selection::of(hit, &scene.topology))))
    };
    let up = move |event: web_sys::PointerEvent| view.up(&event, &pick);
    let key = move |event: web_sys::KeyboardEvent| view.key(&event, &pick);
    let label = move || {
        scene.with(|scene| {
            let topology = &scene.topology;
            tf(
                say::MAP_LABEL,
                &[("nodes", &topology.nodes.len().to_string()), ("edges", &topology.edges.len().to_string())],
            )
        })
    };
    view! {
        <div class="map">
            <div
                class="map-field" class:is-pointing=move || view.hovered.get().is_some() node_ref=root tabindex="0" role="application" aria-roledescription=t(say::MAP) title=move || view.pointed()
                aria-label=label on:pointerdown=move |event| view.down(&event) on:pointermove=move |event| view.over(&event) on:pointerup=up
                on:pointercancel=move |_| view.drop_drag() on:pointerleave=move |_| view.leave() on:wheel=move |event| view.wheel(&event) on:keydown=key on:blur=move |_| view.keyboard.set(None)
            >
                <Canvas draw=move |surface: &mut CanvasSurface| view.draw(surface) />
                <canvas class="canvas" node_ref=traffic aria-hidden="true"></canvas>
            </div>
            {tools(view)}
            <span class="sr-only" role="status">{move || view.reading()}</span>
        </div>
    }
}

fn tools(view: View) -> AnyView {
    let controls = view.controls;
    let key = move |event: web_sys::KeyboardEvent| match event.key().as_str() {
        "Enter" => view.next_found(if event.shift_key() { -1 } else { 1 }),
        "Escape" => {
            event.stop_propagation();
            controls.set_find.run(String::new());
        }
        _ => {}
    };
    let count = move || {
        let found = view.found.with(Vec::len);
        controls.find.with(|text| !text.trim().is_empty()).then(|| match view.at_found.get() {
            Some(at) => tf(say::FOUND_AT, &[("at", &(at + 1).to_string()), ("n", &found.to_string())]),
            None => tf(say::FOUND_ON_MAP, &[("n", &found.to_string())]),
        })
    };
    let pinned = move || controls.pins.at.with(|pins| !pins.is_empty());
    view! {
        <div class="map-tools">
            <span class="map-find">
                <input class="input" type="search" placeholder=t(say::FIND_ON_MAP) aria-label=t(say::FIND_ON_MAP) title=t(say::FIND_HINT) prop:value=move || controls.find.get() on:input=move |event| controls.set_find.run(event_target_value(&event)) on:keydown=key node_ref=view.search />
                <span class="map-found" role="status">{count}</span>
            </span>
            <button type="button" class="icon-button" aria-label=t(say::ZOOM_IN) title=t(say::ZOOM_IN) on:click=move |_| view.zoom(1.3)>{icon("plus")}</button>
            <button type="button" class="icon-button" aria-label=t(say::ZOOM_OUT) title=t(say::ZOOM_OUT) on:click=move |_| view.zoom(1.0 / 1.3)>{icon("minus")}</button>
            <button type="button" class="icon-button" aria-label=t(say::FIT) title=t(say::FIT) on:click=move |_| view.fit()>{icon("maximize")}</button>
            <Show when=pinned><button type="button" class="button" on:click=move |_| controls.pins.clear()>{icon("x")}{t(say::UNPIN_ALL)}</button></Show>
        </div>
    }
    .into_any()
}
