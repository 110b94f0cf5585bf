//! What is drawn of a map, and how it answers the hand.

use super::Controls;
use crate::atlas::marks::Marks;
use crate::atlas::scene::{Scene, group_name};
use crate::atlas::{Selection, edge_views, flow, graph, node_views};
use crate::canvas::{CanvasSurface, surface};
use crate::components::figure::health_word;
use crate::preferences::{Preferences, preferences};
use crate::words::{say, t, tf};
use leptos::html;
use leptos::prelude::*;
use orrery_chart::Unit;
use orrery_chart::map::{EdgeView, Focus, Hit, Labels, Map, NodeView, Traffic, Viewport, draw_map, draw_traffic};
use orrery_chart::topology::{Graph, Layout, Placed, layout};
use std::collections::{HashMap, HashSet};
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
/// How far an arrow key with Shift moves a node.
const NUDGE: f64 = 24.0;

type PlacedByHand = HashMap<String, (f64, f64)>;

/// A map that can be drawn.
#[derive(Clone, Default)]
pub(super) struct Drawn {
    scene: Arc<Scene>,
    graph: Graph,
    /// Where nodes would stand; the seed of the next layout.
    natural: Layout,
    /// Where they stand.
    layout: Layout,
    /// Which were put there by hand.
    pinned: Vec<bool>,
    before: Option<(Layout, f64)>,
    nodes: Vec<NodeView>,
    edges: Vec<EdgeView>,
}

/// A map on the page.
#[derive(Clone, Copy)]
pub(super) struct View {
    scene: Signal<Arc<Scene>>,
    marks: Signal<Arc<Marks>>,
    pub(super) controls: Controls,
    drawn: RwSignal<Drawn>,
    viewport: RwSignal<Viewport>,
    /// The reader moved the map, so it is not fitted any more.
    pub(super) moved: RwSignal<bool>,
    pub(super) hovered: RwSignal<Option<Hit>>,
    pub(super) keyboard: RwSignal<Option<usize>>,
    selected: Memo<Option<Hit>>,
    /// Ids of what the search finds, and which of them was last gone to.
    pub(super) found: Memo<Vec<String>>,
    pub(super) at_found: RwSignal<Option<usize>>,
    pub(super) search: NodeRef<html::Input>,
    /// Where the mouse is: the map may move under it.
    pointer: RwSignal<Option<(f64, f64)>>,
    /// A node shown in the middle, as soon as it is drawn and until the reader moves the map.
    sought: RwSignal<Option<String>>,
    labels: StoredValue<Labels>,
    size: RwSignal<(f64, f64)>,
    drag: StoredValue<Option<Drag>>,
}

#[derive(Clone)]
struct Drag {
    x: f64,
    y: f64,
    far: bool,
    /// Id of the node held, and where on it.
    node: Option<(String, (f64, f64))>,
}

impl View {
    pub(super) fn new(
        scene: Signal<Arc<Scene>>,
        marks: Signal<Arc<Marks>>,
        selection: Memo<Option<Selection>>,
        controls: Controls,
        size: RwSignal<(f64, f64)>,
    ) -> View {
        let found = Memo::new(move |_| {
            controls.find.with(|text| scene.with(|scene| scene.find(text).into_iter().map(str::to_owned).collect()))
        });
        View {
            scene,
            marks,
            controls,
            drawn: RwSignal::new(Drawn::default()),
            viewport: RwSignal::new(Viewport::default()),
            moved: RwSignal::new(false),
            hovered: RwSignal::new(None),
            keyboard: RwSignal::new(None),
            selected: Memo::new(move |_| {
                selection.get().and_then(|selection| scene.with(|scene| selection.hit(scene)))
            }),
            found,
            at_found: RwSignal::new(None),
            search: NodeRef::new(),
            pointer: RwSignal::new(None),
            sought: RwSignal::new(None),
            labels: StoredValue::new(Labels::default()),
            size,
            drag: StoredValue::new(None),
        }
    }

    /// Follows data, size and search from now on.
    pub(super) fn start(self, traffic: NodeRef<html::Canvas>) {
        Effect::new(move |_| self.follow(self.scene.get()));
        Effect::new(move |_| {
            let marks = self.marks.get();
            self.drawn.update(|drawn| drawn.say(&marks));
        });
        Effect::new(move |_| self.controls.pins.at.with(|pins| self.drawn.update(|drawn| drawn.pin(pins))));
        Effect::new(move |_| {
            let size = self.size.get();
            if !self.moved.get() && size.0 > 0.0 {
                self.drawn.with(|drawn| self.viewport.set(self.fitted(&drawn.layout, size)));
            }
        });
        Effect::new(move |_| {
            self.controls.find.track();
            self.at_found.set(None);
        });
        Effect::new(move |_| self.bring());
        Effect::new(move |_| {
            let viewport = self.viewport.get();
            let hit = self.pointer.get().and_then(|at| self.drawn.with(|drawn| viewport.hit(&drawn.layout, at)));
            if self.hovered.get_untracked() != hit {
                self.hovered.set(hit);
            }
        });
        self.animate(traffic);
    }

    /// New data: other numbers only, or another structure that is laid out near the old one.
    fn follow(self, scene: Arc<Scene>) {
        let still = preferences().still.get_untracked();
        let last = self.drawn.with_untracked(|drawn| drawn.scene.choice.clone());
        let (marks, pins) = (self.marks.get_untracked(), self.controls.pins.at.get_untracked());
        if last != scene.choice && self.sought.with_untracked(Option::is_none) {
            self.moved.set(false);
        }
        // Around another node it is another map.
        let afresh = last.near != scene.choice.near;
        let wanted = graph(&scene.topology);
        if self.drawn.with_untracked(|drawn| drawn.graph != wanted) {
            self.hovered.set(None);
            self.keyboard.set(self.keyboard_on(&scene));
        }
        self.drawn.update(|drawn| {
            drawn.scene = scene;
            drawn.say(&marks);
            if drawn.graph == wanted {
                return;
            }
            let old = (!drawn.layout.nodes.is_empty()).then(|| drawn.layout.clone());
            drawn.natural = layout(&wanted, Some(&drawn.natural).filter(|_| old.is_some() && !afresh));
            drawn.graph = wanted;
            drawn.pin(&pins);
            drawn.before = old.filter(|_| !still).map(|old| (old, now()));
        });
        self.settle();
    }

    /// Where the node under the keyboard is on another map: itself, its group, or the first that was in it.
    fn keyboard_on(self, scene: &Scene) -> Option<usize> {
        let id = self.keyboard.get_untracked().and_then(|at| self.id_of(at))?;
        let place = |id: &str| scene.topology.nodes.iter().position(|node| node.id == id);
        place(&scene.drawn_as(&id)).or_else(|| place(scene.group(&id)?.members.first()?))
    }

    /// The node with most to say: failing before degraded before the rest, the furthest left first.
    fn worst(self, layout: &Layout) -> Option<&Placed> {
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
        let is_far = size.0 < SMALL && whole.zoom < SMALL_ZOOM && !self.controls.whole;
        let node = node.or_else(|| self.worst(layout).filter(|_| is_far));
        match node {
            Some(node) if whole.zoom < NEAR_ZOOM => {
                Viewport { zoom: NEAR_ZOOM, ..whole }.centered_on(node, size).within(layout, size, MARGIN)
            }
            _ => whole,
        }
    }

    /// Goes to the next node that the search finds, or the one before: chooses it, opens its group, shows it.
    pub(super) fn next_found(self, step: isize) {
        let count = self.found.with_untracked(Vec::len) as isize;
        if count == 0 {
            return;
        }
        let at = match self.at_found.get_untracked() {
            Some(at) => (at as isize + step).rem_euclid(count),
            None if step < 0 => count - 1,
            None => 0,
        };
        self.at_found.set(Some(at as usize));
        let Some(id) = self.found.with_untracked(|found| found.get(at as usize).cloned()) else { return };
        self.controls.reveal.run(id.clone());
        self.sought.set(Some(id));
    }

    /// Keeps the node sought in the middle, also while a drawer opens beside the map.
    fn bring(self) {
        let (Some(id), size) = (self.sought.get(), self.size.get()) else { return };
        let place = self.drawn.with(|drawn| drawn.layout.find(&id).map(|at| drawn.layout.nodes[at].clone()));
        let Some(node) = place.filter(|_| size.0 > 0.0) else { return };
        self.moved.set(true);
        let now = self.viewport.get_untracked();
        let wanted = Viewport { zoom: now.zoom.max(NEAR_ZOOM), ..now }.centered_on(&node, size);
        if now != wanted {
            self.viewport.set(wanted);
        }
    }

    /// From now on the map stays where the reader puts it.
    fn take_over(self) {
        self.sought.set(None);
        self.moved.set(true);
    }

    /// Shows the whole map, now and when it changes.
    pub(super) fn fit(self) {
        self.sought.set(None);
        self.moved.set(false);
    }

    /// Nearer or further, the middle staying where it is.
    pub(super) fn zoom(self, factor: f64) {
        let (width, height) = self.size.get_untracked();
        self.take_over();
        self.viewport.update(|viewport| *viewport = viewport.zoom_at((width / 2.0, height / 2.0), factor));
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

    pub(super) fn draw(self, surface: &mut CanvasSurface) {
        let (viewport, focus) = (self.viewport.get(), self.focus());
        self.drawn.with(|drawn| {
            let layout = drawn.moving();
            let map =
                Map { layout: layout.as_ref().unwrap_or(&drawn.layout), nodes: &drawn.nodes, edges: &drawn.edges };
            self.labels.set_value(draw_map(surface, &map, &viewport, &focus));
        });
    }

    fn focus(self) -> Focus {
        let searching = self.controls.find.with(|text| !text.trim().is_empty());
        let matching = if searching { self.matching() } else { Vec::new() };
        let keyboard = self.keyboard.get();
        Focus {
            hovered: self.hovered.get().or(keyboard.map(Hit::Node)),
            selected: self.selected.get(),
            has_keyboard: keyboard.is_some(),
            matching,
            marks_only: self.marks.with(|marks| marks.only),
        }
    }

    /// Which nodes are found, or hold one that is.
    fn matching(self) -> Vec<bool> {
        self.drawn.with(|drawn| {
            let found: HashSet<String> =
                self.found.with(|found| found.iter().map(|id| drawn.scene.drawn_as(id)).collect());
            drawn.scene.topology.nodes.iter().map(|node| found.contains(&node.id)).collect()
        })
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
                    let map = drawn.map();
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

    pub(super) fn down(self, event: &web_sys::PointerEvent) {
        if event.button() != 0 {
            return;
        }
        let world = View::point(event).map(|point| self.viewport.get_untracked().to_world(point));
        let held = self.hit(event).zip(world).and_then(|(hit, (x, y))| {
            let Hit::Node(at) = hit else { return None };
            self.drawn.with_untracked(|drawn| {
                drawn.layout.nodes.get(at).map(|node| (node.id.clone(), (x - node.x, y - node.y)))
            })
        });
        let (x, y) = (f64::from(event.client_x()), f64::from(event.client_y()));
        // A finger that slides over a node moves the map: it cannot avoid nodes as a mouse can.
        let node = held.filter(|_| event.pointer_type() != "touch");
        self.drag.set_value(Some(Drag { x, y, far: false, node }));
        if let Some(node) = event.current_target().and_then(|target| target.dyn_into::<web_sys::Element>().ok()) {
            let _ = node.set_pointer_capture(event.pointer_id());
        }
    }

    pub(super) fn over(self, event: &web_sys::PointerEvent) {
        self.pointer.set(View::point(event));
        let Some(drag) = self.drag.get_value() else { return };
        let (x, y) = (f64::from(event.client_x()), f64::from(event.client_y()));
        let (dx, dy) = (x - drag.x, y - drag.y);
        if !drag.far && dx.hypot(dy) <= 4.0 {
            return;
        }
        self.take_over();
        match (&drag.node, View::point(event)) {
            (Some((id, grip)), Some(point)) => {
                let (x, y) = self.viewport.get_untracked().to_world(point);
                self.controls.pins.put(id, ((x - grip.0).round(), (y - grip.1).round()));
            }
            _ => self.viewport.update(|viewport| *viewport = viewport.pan(dx, dy)),
        }
        self.drag.set_value(Some(Drag { x, y, far: true, ..drag }));
    }

    /// A click chooses; on the plus of a group it opens it. A node that was dragged stays there.
    pub(super) fn up(self, event: &web_sys::PointerEvent, pick: &impl Fn(Option<Hit>)) {
        let Some(drag) = self.drag.get_value() else { return };
        self.drag.set_value(None);
        if drag.far {
            if drag.node.is_some() {
                self.controls.pins.keep();
            }
            return;
        }
        let (hit, point) = (self.hit(event), View::point(event));
        let opens = hit.zip(point).and_then(|(hit, point)| {
            self.drawn.with_untracked(|drawn| drawn.map().opener(hit, &self.viewport.get_untracked(), point))
        });
        match opens.and_then(|at| self.id_of(at)) {
            Some(group) => self.controls.toggle.run(group),
            None => pick(hit),
        }
    }

    /// The mouse is elsewhere.
    pub(super) fn leave(self) {
        self.pointer.set(None);
    }

    /// The browser took the pointer away, to scroll the page.
    pub(super) fn drop_drag(self) {
        self.drag.set_value(None);
    }

    fn id_of(self, at: usize) -> Option<String> {
        self.drawn.with_untracked(|drawn| drawn.layout.nodes.get(at).map(|node| node.id.clone()))
    }

    /// Zooms when it is meant: with Ctrl (and pinching), or while the map has the focus. Else the page scrolls.
    pub(super) fn wheel(self, event: &web_sys::WheelEvent) {
        let focused = event.current_target() == document().active_element().map(Into::into);
        if !(event.ctrl_key() || event.meta_key() || focused) {
            return;
        }
        event.prevent_default();
        if let Some(point) = View::point(event) {
            self.take_over();
            self.viewport.update(|viewport| *viewport = viewport.zoom_at(point, (-event.delta_y() * 0.002).exp()));
        }
    }

    pub(super) fn key(self, event: &web_sys::KeyboardEvent, pick: &impl Fn(Option<Hit>)) {
        if event.ctrl_key() || event.meta_key() || event.alt_key() {
            return;
        }
        let direction = match event.key().as_str() {
            "ArrowLeft" => (-1.0, 0.0),
            "ArrowRight" => (1.0, 0.0),
            "ArrowUp" => (0.0, -1.0),
            "ArrowDown" => (0.0, 1.0),
            "Escape" => return pick(None),
            key => return self.act(event, key, pick),
        };
        event.prevent_default();
        if event.shift_key() {
            return self.nudge(direction);
        }
        let next = self.drawn.with_untracked(|drawn| match self.keyboard.get_untracked() {
            Some(node) => drawn.layout.neighbour(node, direction).or(Some(node)),
            None => (!drawn.layout.nodes.is_empty()).then_some(0),
        });
        self.keyboard.set(next);
        self.show_keyboard();
    }

    /// What other keys do, most of them to the node under the keyboard.
    fn act(self, event: &web_sys::KeyboardEvent, key: &str, pick: &impl Fn(Option<Hit>)) {
        let here = self.keyboard.get_untracked();
        let id = here.and_then(|at| self.id_of(at));
        match (key, id) {
            ("Enter", _) => pick(here.map(Hit::Node)),
            (" ", Some(id)) => self.controls.toggle.run(id),
            ("f", Some(id)) => self.controls.around.run(id),
            ("Delete", Some(id)) => self.controls.pins.remove(&id),
            ("/", _) => {
                if let Some(search) = self.search.get_untracked() {
                    let _ = search.focus();
                }
            }
            ("+" | "=", _) => self.zoom(1.3),
            ("-", _) => self.zoom(1.0 / 1.3),
            ("0", _) => self.fit(),
            _ => return,
        }
        event.prevent_default();
    }

    /// Moves the node under the keyboard, which pins it.
    fn nudge(self, direction: (f64, f64)) {
        let Some(at) = self.keyboard.get_untracked() else { return };
        let place =
            self.drawn.with_untracked(|drawn| drawn.layout.nodes.get(at).map(|node| (node.id.clone(), node.x, node.y)));
        if let Some((id, x, y)) = place {
            self.take_over();
            self.controls.pins.put(&id, (x + direction.0 * NUDGE, y + direction.1 * NUDGE));
            self.controls.pins.keep();
        }
    }

    /// Brings the node under the keyboard into view.
    fn show_keyboard(self) {
        let (Some(at), size) = (self.keyboard.get_untracked(), self.size.get_untracked()) else { return };
        let Some(node) = self.drawn.with_untracked(|drawn| drawn.layout.nodes.get(at).cloned()) else { return };
        let viewport = self.viewport.get_untracked();
        let (x, y) = viewport.to_screen(node.center());
        if !(0.0..size.0).contains(&x) || !(0.0..size.1).contains(&y) {
            self.take_over();
            self.viewport.set(viewport.centered_on(&node, size));
        }
    }

    /// Full name of the node under the pointer: the map shortens long ones.
    pub(super) fn pointed(self) -> Option<String> {
        let Some(Hit::Node(node)) = self.hovered.get() else { return None };
        self.scene.with(|scene| scene.topology.nodes.get(node).map(|node| node.name.clone()))
    }

    /// The node under the keyboard, in words.
    pub(super) fn reading(self) -> Option<String> {
        let node = self.keyboard.get()?;
        self.scene.with(|scene| {
            let node = scene.topology.nodes.get(node)?;
            let rate = flow(&node.red).calls();
            let group = group_name(&node.id).and_then(|_| scene.group(&node.id));
            let members = group.map(|group| tf(say::MEMBERS, &[("n", &group.members.len().to_string())]));
            let mark = self.marks.with(|marks| marks.of_node(scene, &node.id)).map(|mark| mark.text);
            let errors = format!("{} {}", Unit::Ratio.format(node.red.error_ratio()), t(say::ERRORS));
            let told = [
                Some(node.name.clone()),
                members,
                mark,
                Some(health_word(node.health).to_owned()),
                Some(rate),
                Some(errors),
            ];
            Some(told.into_iter().flatten().collect::<Vec<_>>().join(", "))
        })
    }
}

impl Drawn {
    fn map(&self) -> Map<'_> {
        Map { layout: &self.layout, nodes: &self.nodes, edges: &self.edges }
    }

    /// Numbers and remarks.
    fn say(&mut self, marks: &Marks) {
        (self.nodes, self.edges) = (node_views(&self.scene, marks), edge_views(&self.scene, marks));
        self.show_pins();
    }

    /// Puts nodes where the reader put them.
    fn pin(&mut self, pins: &PlacedByHand) {
        self.layout = self.natural.pinned(pins);
        self.pinned = self.layout.nodes.iter().map(|node| pins.contains_key(&node.id)).collect();
        self.show_pins();
    }

    fn show_pins(&mut self) {
        for (view, pinned) in self.nodes.iter_mut().zip(&self.pinned) {
            view.pinned = *pinned;
        }
    }

    fn moving(&self) -> Option<Layout> {
        let (before, since) = self.before.as_ref()?;
        let share = ((now() - since) / MOVE_MILLIS).clamp(0.0, 1.0);
        Some(self.layout.tween(before, share * share * (3.0 - 2.0 * share)))
    }
}

fn now() -> f64 {
    window().performance().map_or_else(js_sys::Date::now, |performance| performance.now())
}
