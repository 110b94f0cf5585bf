//! Edges: width by rate, colour by errors, dashed for messages.

use super::{Hit, Scene, Tone, node, viewport::edge_in};
use crate::{
    surface::{Dash, Draw, Stroke, Surface},
    tokens::{Ink, Token},
};

/// Width of an edge at zoom 1: 1 px for a trickle, one more for each fourfold rate, 6 at most.
pub(crate) fn width(rate: f64) -> f64 {
    (1.0 + (1.0 + rate.max(0.0)).log2() * 0.45).min(6.0)
}

/// Lines thin out slower than the map shrinks, or a zoomed-out map would be dust.
pub(crate) fn line_zoom(zoom: f64) -> f64 {
    zoom.powf(0.75).clamp(0.3, 1.3)
}

pub(super) fn draw_edges<S: Surface>(s: &mut S, scene: &Scene<'_>) {
    let map = scene.map;
    let mut order: Vec<usize> = (0..map.layout.edges.len().min(map.edges.len())).collect();
    // What matters is drawn over what does not.
    order.sort_by_cached_key(|i| {
        let view = &map.edges[*i];
        let full = scene.strengths.edge(*i) == 1.0;
        (map.is_lit(*i, scene.focus), full, view.mark.is_some(), Token::errors(view.flow.error_ratio), *i)
    });
    for i in order.into_iter().filter(|i| edge_in(map, *i, scene.window)) {
        draw_edge(s, scene, i);
    }
}

fn ink(scene: &Scene<'_>, i: usize) -> Ink {
    let view = &scene.map.edges[i];
    let selected = scene.focus.selected == Some(Hit::Edge(i));
    let errors = Token::errors(view.flow.error_ratio);
    let token = match (selected, &view.mark, scene.map.is_lit(i, scene.focus), errors) {
        (true, ..) => Token::Accent,
        (_, Some(mark), ..) => mark.tone.token(),
        (_, _, true, Token::Errors0) => Token::Text2,
        _ => errors,
    };
    token.alpha(scene.strengths.edge(i))
}

fn draw_edge<S: Surface>(s: &mut S, scene: &Scene<'_>, i: usize) {
    let (map, v) = (scene.map, scene.viewport);
    let (route, view, ends) = (&map.layout.edges[i], &map.edges[i], map.layout.ends[i]);
    let Some(last) = route.curves.last() else { return };
    let ink = ink(scene, i);
    let width = width(view.flow.rate) * line_zoom(v.zoom);
    let arrow = arrow_length(width);
    let tip = node::touch(map, ends.to, route.end());
    let angle = if ends.from == ends.to {
        (last[2].1 - last[1].1).atan2(last[2].0 - last[1].0)
    } else {
        route.at(route.length()).1
    };
    let tip = v.to_screen(tip);
    let base = (tip.0 - angle.cos() * arrow, tip.1 - angle.sin() * arrow);
    let start = v.to_screen(node::touch(map, ends.from, route.start));
    s.begin();
    s.move_to(start.0, start.1);
    let first = v.to_screen(route.start);
    s.line_to(first.0, first.1);
    for (k, curve) in route.curves.iter().enumerate() {
        let [a, b, c] = curve.map(|p| v.to_screen(p));
        let c = if k + 1 == route.curves.len() { base } else { c };
        s.curve_to(a.0, a.1, b.0, b.1, c.0, c.1);
    }
    let is_gone = view.mark.as_ref().is_some_and(|mark| mark.tone == Tone::Gone);
    let dash = match (is_gone, view.is_async) {
        (true, _) => Dash::Dotted,
        (_, true) => Dash::Long,
        _ => Dash::Solid,
    };
    s.stroke(&Stroke::new(ink, width).dash(dash));
    draw_arrow(s, tip, angle, arrow, width, ink);
}

fn arrow_length(width: f64) -> f64 {
    5.0 + width * 1.3
}

fn draw_arrow<S: Surface>(s: &mut S, tip: (f64, f64), angle: f64, length: f64, width: f64, ink: Ink) {
    let half = 2.2 + width * 0.85;
    let (dx, dy) = (angle.cos(), angle.sin());
    let base = (tip.0 - dx * length, tip.1 - dy * length);
    s.polygon_path(&[tip, (base.0 - dy * half, base.1 + dx * half), (base.0 + dy * half, base.1 - dx * half)]);
    s.fill(ink);
}
