//! Edges: width by rate, colour by errors, dashed for messages.

use super::{
    Focus, Map, Viewport, node,
    viewport::{Window, edge_in},
};
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

pub(super) fn draw_edges<S: Surface>(s: &mut S, map: &Map<'_>, v: &Viewport, focus: &Focus, window: Window) {
    let mut order: Vec<usize> = (0..map.layout.edges.len().min(map.edges.len())).collect();
    // What matters is drawn over what does not.
    order.sort_by(|a, b| {
        let key = |i: &usize| (map.is_lit(*i, focus), Token::errors(map.edges[*i].flow.error_ratio), *i);
        key(a).cmp(&key(b))
    });
    for i in order.into_iter().filter(|i| edge_in(map, *i, window)) {
        draw_edge(s, map, i, v, focus);
    }
}

fn ink(map: &Map<'_>, i: usize, focus: &Focus) -> Ink {
    let selected = focus.selected == Some(super::Hit::Edge(i));
    let errors = Token::errors(map.edges[i].flow.error_ratio);
    let token = match (selected, map.is_lit(i, focus), errors) {
        (true, ..) => Token::Accent,
        (_, true, Token::Errors0) => Token::Text2,
        _ => errors,
    };
    token.alpha(map.edge_strength(i, focus))
}

fn draw_edge<S: Surface>(s: &mut S, map: &Map<'_>, i: usize, v: &Viewport, focus: &Focus) {
    let (route, view, ends) = (&map.layout.edges[i], &map.edges[i], map.layout.ends[i]);
    let Some(last) = route.curves.last() else { return };
    let ink = ink(map, i, focus);
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
    let dash = if view.is_async { Dash::Long } else { Dash::Solid };
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
