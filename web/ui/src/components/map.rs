//! The service map: two canvases (what stands still, what moves), pointer, wheel and keys.

use crate::atlas::{Selection, edge_views, flow, graph, node_views};
use crate::canvas::{Canvas, CanvasSurface, surface, watch_size};
use crate::components::figure::health_word;
use crate::components::icon::icon;
use crate::preferences::{Preferences, preferences};
use crate::words::{say, t, tf};
use leptos::html;
use leptos::prelude::*;
use orrery_api::Topology;
use orrery_chart::Unit;
use orrery_chart::map::{EdgeView, Focus, Hit, Labels, Map, NodeView, Traffic, Viewport, draw_map, draw_traffic};
use orrery_chart::topology::{Graph, Layout, layout};
use std::sync::Arc;
use wasm_bindgen::JsCast;

/// Space around a fitted map, CSS pixels.
const MARGIN: f64 = 28.0;
/// Zoom at which a chosen node is looked at.
const NEAR_ZOOM: f64 = 0.75;
/// Width of a small screen's map, CSS pixels, and the zoom below which names cannot be read there.
const SMALL: f64 = 600.0;
const SMALL_ZOOM: f64 = 0.5;
/// Milliseconds a map takes to move to another layout.
const MOVE_MILLIS: f64 = 260.0;
/// Milliseconds between two frames of the traffic.
const FRAME_MILLIS: f64 = 30.0;

/// A map that can be drawn.
#[derive(Clone, Default)]
struct Drawn {
    graph: Graph,
    layout: Layout,
    before: Option<(Layout, f64)>,
    nodes: Vec<NodeView>,
    edges: Vec<EdgeView>,
}

#[derive(Clone, Copy)]
struct View {
    topology: Signal<Arc<Topology>>,
    drawn: RwSignal<Drawn>,
    viewport: RwSignal<Viewport>,
    /// The reader moved the map, so it is not fitted any more.
    moved: RwSignal<bool>,
    hovered: RwSignal<Option<Hit>>,
    keyboard: RwSignal<Option<usize>>,
    selected: Memo<Option<Hit>>,
    search: RwSignal<String>,
    labels: StoredValue<Labels>,
    size: RwSignal<(f64, f64)>,
    drag: StoredValue<Option<Drag>>,
}

#[derive(Clone, Copy)]
struct Drag {
    x: f64,
    y: f64,
    far: bool,
}

/// The map of a topology.
#[component]
pub(crate) fn ServiceMap(
    /// What it shows.
    topology: Signal<Arc<Topology>>,
    /// Chosen node or edge.
    selection: Memo<Option<Selection>>,
    /// Called with what is chosen, or nothing.
    choose: Callback<Option<Selection>>,
) -> impl IntoView {
    let root = NodeRef::<html::Div>::new();
    let size = watch_size(root);
    let view = View {
        topology,
        drawn: RwSignal::new(Drawn::default()),
        viewport: RwSignal::new(Viewport::default()),
        moved: RwSignal::new(false),
        hovered: RwSignal::new(None),
        keyboard: RwSignal::new(None),
        selected: Memo::new(move |_| {
            selection.get().and_then(|selection| topology.with(|topology| selection.hit(topology)))
        }),
        search: RwSignal::new(String::new()),
        labels: StoredValue::new(Labels::default()),
        size,
        drag: StoredValue::new(None),
    };
    Effect::new(move |_| view.follow(&topology.get()));
    Effect::new(move |_| {
        let size = size.get();
        if !view.moved.get() && size.0 > 0.0 {
            view.drawn.with(|drawn| view.viewport.set(view.fitted(&drawn.layout, size)));
        }
    });
    let traffic = NodeRef::<html::Canvas>::new();
    view.animate(traffic);
    let pick = move |hit: Option<Hit>| {
        choose.run(hit.and_then(|hit| view.topology.with_untracked(|topology| Selection::of(hit, topology))))
    };
    let up = move |event: web_sys::PointerEvent| {
        let Some(drag) = view.drag.get_value() else { return };
        view.drag.set_value(None);
        if !drag.far {
            pick(view.hit(&event));
        }
    };
    let key = move |event: web_sys::KeyboardEvent| view.key(&event, &pick);
    let label = move || {
        topology.with(|topology| {
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
                on:pointerleave=move |_| view.hovered.set(None) on:wheel=move |event| view.wheel(&event) on:keydown=key on:blur=move |_| view.keyboard.set(None)
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
    let zoom = move |factor: f64| {
        let (width, height) = view.size.get_untracked();
        view.moved.set(true);
        view.viewport.update(|viewport| *viewport = viewport.zoom_at((width / 2.0, height / 2.0), factor));
    };
    view! {
        <div class="map-tools">
            <input class="input" type="search" placeholder=t(say::FIND_ON_MAP) aria-label=t(say::FIND_ON_MAP) on:input=move |event| view.search.set(event_target_value(&event)) />
            <button type="button" class="icon-button" aria-label=t(say::ZOOM_IN) title=t(say::ZOOM_IN) on:click=move |_| zoom(1.3)>{icon("plus")}</button>
            <button type="button" class="icon-button" aria-label=t(say::ZOOM_OUT) title=t(say::ZOOM_OUT) on:click=move |_| zoom(1.0 / 1.3)>{icon("minus")}</button>
            <button type="button" class="icon-button" aria-label=t(say::FIT) title=t(say::FIT) on:click=move |_| view.moved.set(false)>{icon("maximize")}</button>
        </div>
    }
    .into_any()
}

impl View {
    /// New data: other numbers only, or another structure that is laid out near the old one.
    fn follow(self, topology: &Topology) {
        let wanted = graph(topology);
        let still = preferences().still.get_untracked();
        self.drawn.update(|drawn| {
            (drawn.nodes, drawn.edges) = (node_views(topology), edge_views(topology));
            if drawn.graph == wanted {
                return;
            }
            let old = (!drawn.layout.nodes.is_empty()).then(|| drawn.layout.clone());
            drawn.layout = layout(&wanted, old.as_ref());
            drawn.graph = wanted;
            drawn.before = old.filter(|_| !still).map(|old| (old, now()));
        });
        self.settle();
    }

    /// The node with most to say: failing before degraded before the rest, the furthest left first.
    fn worst(self, layout: &Layout) -> Option<&orrery_chart::topology::Placed> {
        let badness =
            |at: usize| self.drawn.with_untracked(|drawn| drawn.nodes.get(at).map_or(0, |node| node.status as u8));
        (0..layout.nodes.len())
            .max_by(|a, b| {
                badness(*a).cmp(&badness(*b)).then_with(|| layout.nodes[*b].x.total_cmp(&layout.nodes[*a].x))
            })
            .map(|at| &layout.nodes[at])
    }

    /// The whole map; beside a drawer that leaves too little room for it, what is chosen and what is near.
    fn fitted(self, layout: &Layout, size: (f64, f64)) -> Viewport {
        let whole = Viewport::fit(layout, size, MARGIN);
        let node = match self.selected.get() {
            Some(Hit::Node(node)) => layout.nodes.get(node),
            Some(Hit::Edge(edge)) => layout.ends.get(edge).and_then(|ends| layout.nodes.get(ends.from)),
            None => None,
        };
        // On a small screen a whole map says nothing: what is worst is shown, the rest is a drag away.
        let node = node.or_else(|| self.worst(layout).filter(|_| size.0 < SMALL && whole.zoom < SMALL_ZOOM));
        match node {
            Some(node) if whole.zoom < NEAR_ZOOM => Viewport { zoom: NEAR_ZOOM, ..whole }.centered_on(node, size),
            _ => whole,
        }
    }

    /// Draws again until a move has ended.
    fn settle(self) {
        if self.drawn.with_untracked(|drawn| drawn.before.is_none()) {
            return;
        }
        request_animation_frame(move || {
            let alive = self.drawn.try_update(|drawn| {
                if drawn.before.as_ref().is_some_and(|(_, since)| now() - since >= MOVE_MILLIS) {
                    drawn.before = None;
                }
            });
            if alive.is_some() {
                self.settle();
            }
        });
    }

    fn draw(self, surface: &mut CanvasSurface) {
        let (viewport, focus) = (self.viewport.get(), self.focus());
        self.drawn.with(|drawn| {
            let layout = drawn.moving();
            let map =
                Map { layout: layout.as_ref().unwrap_or(&drawn.layout), nodes: &drawn.nodes, edges: &drawn.edges };
            self.labels.set_value(draw_map(surface, &map, &viewport, &focus));
        });
    }

    fn focus(self) -> Focus {
        let search = self.search.get().to_lowercase();
        let matching = if search.is_empty() {
            Vec::new()
        } else {
            self.drawn
                .with(|drawn| drawn.nodes.iter().map(|node| node.label.to_lowercase().contains(&search)).collect())
        };
        let keyboard = self.keyboard.get();
        Focus {
            hovered: self.hovered.get().or(keyboard.map(Hit::Node)),
            selected: self.selected.get(),
            has_keyboard: keyboard.is_some(),
            matching,
        }
    }

    /// Dots, for as long as the map is on the page and things may move.
    fn animate(self, canvas: NodeRef<html::Canvas>) {
        let preferences = preferences();
        let traffic = StoredValue::new_local((Traffic::default(), 0.0));
        Effect::new(move |_| {
            let Some(canvas) = canvas.get() else { return };
            if preferences.still.get() {
                let _ = surface(&canvas, self.size.get(), preferences.drawn_theme.get());
                return;
            }
            self.frame(canvas, traffic, preferences);
        });
    }

    fn frame(
        self,
        canvas: web_sys::HtmlCanvasElement,
        traffic: StoredValue<(Traffic, f64), LocalStorage>,
        preferences: Preferences,
    ) {
        request_animation_frame(move || {
            let (Some(size), Some(theme), Some(false)) = (
                self.size.try_get_untracked(),
                preferences.drawn_theme.try_get_untracked(),
                preferences.still.try_get_untracked(),
            ) else {
                return;
            };
            let now = now();
            let due = traffic.try_update_value(|(traffic, last)| {
                let since = now - *last;
                if since < FRAME_MILLIS {
                    return;
                }
                *last = now;
                let Some(mut surface) = surface(&canvas, size, theme) else { return };
                let (viewport, focus) = (self.viewport.get_untracked(), untrack(|| self.focus()));
                self.drawn.with_untracked(|drawn| {
                    if drawn.before.is_some() {
                        return;
                    }
                    let map = Map { layout: &drawn.layout, nodes: &drawn.nodes, edges: &drawn.edges };
                    traffic.advance(&map, since / 1000.0);
                    self.labels
                        .with_value(|labels| draw_traffic(&mut surface, &map, traffic, &viewport, &focus, labels));
                });
            });
            if due.is_some() {
                self.frame(canvas, traffic, preferences);
            }
        });
    }

    fn point(event: &web_sys::MouseEvent) -> Option<(f64, f64)> {
        let node: web_sys::Element = event.current_target()?.dyn_into().ok()?;
        let bounds = node.get_bounding_client_rect();
        Some((f64::from(event.client_x()) - bounds.left(), f64::from(event.client_y()) - bounds.top()))
    }

    fn hit(self, event: &web_sys::MouseEvent) -> Option<Hit> {
        let point = View::point(event)?;
        self.drawn.with_untracked(|drawn| self.viewport.get_untracked().hit(&drawn.layout, point))
    }

    fn down(self, event: &web_sys::PointerEvent) {
        if event.button() != 0 {
            return;
        }
        self.drag.set_value(Some(Drag { x: f64::from(event.client_x()), y: f64::from(event.client_y()), far: false }));
        if let Some(node) = event.current_target().and_then(|target| target.dyn_into::<web_sys::Element>().ok()) {
            let _ = node.set_pointer_capture(event.pointer_id());
        }
    }

    fn over(self, event: &web_sys::PointerEvent) {
        let Some(drag) = self.drag.get_value() else {
            let hit = self.hit(event);
            if self.hovered.get_untracked() != hit {
                self.hovered.set(hit);
            }
            return;
        };
        let (x, y) = (f64::from(event.client_x()), f64::from(event.client_y()));
        let (dx, dy) = (x - drag.x, y - drag.y);
        if drag.far || dx.hypot(dy) > 4.0 {
            self.drag.set_value(Some(Drag { x, y, far: true }));
            self.moved.set(true);
            self.viewport.update(|viewport| *viewport = viewport.pan(dx, dy));
        }
    }

    /// Zooms when it is meant: with Ctrl (and pinching), or while the map has the focus. Else the page scrolls.
    fn wheel(self, event: &web_sys::WheelEvent) {
        let focused = event.current_target() == document().active_element().map(Into::into);
        if !(event.ctrl_key() || event.meta_key() || focused) {
            return;
        }
        event.prevent_default();
        if let Some(point) = View::point(event) {
            self.moved.set(true);
            self.viewport.update(|viewport| *viewport = viewport.zoom_at(point, (-event.delta_y() * 0.002).exp()));
        }
    }

    fn key(self, event: &web_sys::KeyboardEvent, pick: &impl Fn(Option<Hit>)) {
        let direction = match event.key().as_str() {
            "ArrowLeft" => (-1.0, 0.0),
            "ArrowRight" => (1.0, 0.0),
            "ArrowUp" => (0.0, -1.0),
            "ArrowDown" => (0.0, 1.0),
            "Enter" | " " => {
                event.prevent_default();
                return pick(self.keyboard.get_untracked().map(Hit::Node));
            }
            "Escape" => return pick(None),
            _ => return,
        };
        event.prevent_default();
        let next = self.drawn.with_untracked(|drawn| match self.keyboard.get_untracked() {
            Some(node) => drawn.layout.neighbour(node, direction).or(Some(node)),
            None => (!drawn.layout.nodes.is_empty()).then_some(0),
        });
        self.keyboard.set(next);
    }

    /// Full name of the node under the pointer: the map shortens long ones.
    fn pointed(self) -> Option<String> {
        let Some(Hit::Node(node)) = self.hovered.get() else { return None };
        self.topology.with(|topology| topology.nodes.get(node).map(|node| node.name.clone()))
    }

    /// The node under the keyboard, in words.
    fn reading(self) -> Option<String> {
        let node = self.keyboard.get()?;
        self.topology.with(|topology| {
            let node = topology.nodes.get(node)?;
            let rate = flow(&node.red).calls();
            Some(format!(
                "{}, {}, {rate}, {} {}",
                node.name,
                health_word(node.health),
                Unit::Ratio.format(node.red.error_ratio()),
                t(say::ERRORS)
            ))
        })
    }
}

impl Drawn {
    fn moving(&self) -> Option<Layout> {
        let (before, since) = self.before.as_ref()?;
        let share = ((now() - since) / MOVE_MILLIS).clamp(0.0, 1.0);
        Some(self.layout.tween(before, share * share * (3.0 - 2.0 * share)))
    }
}

fn now() -> f64 {
    window().performance().map_or_else(js_sys::Date::now, |performance| performance.now())
}
