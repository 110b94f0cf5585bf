//! Figures on edges, where they cover nothing.

use super::{
    Hit, Map, Scene, Status, Viewport, node,
    viewport::{edge_in, node_in},
};
use crate::{
    surface::{Align, Draw, Surface, TextStyle},
    tokens::{Ink, Token},
    unit::Unit,
};

/// Up to this many edges on screen carry their rate; beyond, only troubled and pointed-at ones do.
const FEW_EDGES: usize = 60;
const LABEL_ZOOM: f64 = 0.58;
const SIZE: f64 = 9.5;
const LINE: f64 = 12.0;

/// Left, top, right, bottom on the screen.
type Rect = (f64, f64, f64, f64);

/// Where the labels of edges are on the screen.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Labels(Vec<Rect>);

impl Labels {
    /// Whether a label covers a screen point.
    pub fn cover(&self, (x, y): (f64, f64)) -> bool {
        self.0.iter().any(|r| x > r.0 && x < r.2 && y > r.1 && y < r.3)
    }
}

pub(super) fn draw_labels<S: Surface>(s: &mut S, scene: &Scene<'_>) -> Labels {
    let (map, v) = (scene.map, scene.viewport);
    let mut labels = Labels(name_the_failing(s, scene));
    let visible: Vec<usize> =
        (0..map.layout.edges.len().min(map.edges.len())).filter(|i| edge_in(map, *i, scene.window)).collect();
    let all = visible.len() <= FEW_EDGES && v.zoom >= LABEL_ZOOM;
    let mut taken: Vec<Rect> =
        map.layout.nodes.iter().filter(|n| node_in(n, scene.window)).map(|n| on_screen(v, n)).collect();
    let weight = |i: usize| {
        let view = &map.edges[i];
        (!map.is_lit(i, scene.focus), view.mark.is_none() && view.flow.error_ratio < 0.01, i)
    };
    let mut order: Vec<(bool, bool, usize)> = visible.into_iter().map(weight).collect();
    order.sort_unstable();
    for (unlit, unremarkable, i) in order {
        let worth_it = all || !unlit || (!unremarkable && v.zoom >= 0.5);
        if !worth_it || scene.strengths.edge(i) < 1.0 {
            continue;
        }
        let lines = lines(map, i, !unlit);
        if let Some(rect) = find_room(s, map, v, i, &lines, &taken) {
            draw_label(s, rect, &lines, v);
            taken.push(rect);
            labels.0.push(rect);
        }
    }
    labels
}

/// On a map too small for names, the failing, the marked and the chosen still say who they are.
fn name_the_failing<S: Surface>(s: &mut S, scene: &Scene<'_>) -> Vec<Rect> {
    let (map, v) = (scene.map, scene.viewport);
    let mut named = Vec::new();
    if v.zoom >= node::NAME_ZOOM {
        return named;
    }
    for (i, (placed, view)) in map.layout.nodes.iter().zip(map.nodes).enumerate() {
        let chosen = [scene.focus.hovered, scene.focus.selected].contains(&Some(Hit::Node(i)));
        let speaks = chosen || view.status == Status::Err || view.mark.is_some();
        if !speaks || !node_in(placed, scene.window) || scene.strengths.node(i) < 1.0 {
            continue;
        }
        let line = (view.label.clone(), Token::Text1.into());
        let (x, y) = v.to_screen((placed.center().0, placed.y + placed.height));
        let half = s.measure(&line.0, &style(line.1, v)) / 2.0 + 4.0;
        let rect = (x - half, y + 1.0, x + half, y + LINE + 3.0);
        if chosen || named.iter().all(|t| !meets(rect, *t)) {
            draw_label(s, rect, &[line], v);
            named.push(rect);
        }
    }
    named
}

/// Lines of a label and their roles. Only one line unless asked: the mark, else errors if they matter, else the rate.
fn lines(map: &Map<'_>, i: usize, lit: bool) -> Vec<(String, Ink)> {
    let flow = &map.edges[i].flow;
    let mark = map.edges[i].mark.as_ref().map(|mark| (mark.text.clone(), mark.tone.token().into()));
    let rate = (flow.calls(), Token::Text2.into());
    let role = match flow.error_ratio {
        r if r >= 0.05 => Token::Err,
        r if r >= 0.01 => Token::Warn,
        _ => Token::Text2,
    };
    let errors = (Unit::Ratio.format(flow.error_ratio).to_string(), role.into());
    if !lit {
        return vec![if let Some(mark) = mark {
            mark
        } else if flow.error_ratio >= 0.01 {
            errors
        } else {
            rate
        }];
    }
    let p95 = flow.p95_nanos.map(|p95| (Unit::Nanos.format(p95).to_string(), Token::Text2.into()));
    [mark, Some(rate), Some(errors).filter(|_| flow.error_ratio > 0.0), p95].into_iter().flatten().collect()
}

/// Labels grow a little with the map but never shrink: they are small as it is.
fn scale(v: &Viewport) -> f64 {
    node::text_zoom(v.zoom).clamp(1.0, 1.25)
}

fn style(ink: Ink, v: &Viewport) -> TextStyle {
    TextStyle::new(ink, SIZE * scale(v), 500).align(Align::Center)
}

fn find_room<S: Surface>(
    s: &S,
    map: &Map<'_>,
    v: &Viewport,
    i: usize,
    lines: &[(String, Ink)],
    taken: &[Rect],
) -> Option<Rect> {
    let widest = lines.iter().map(|p| s.measure(&p.0, &style(p.1, v))).fold(0.0, f64::max);
    let (w, h) = (widest + 8.0, LINE * scale(v) * lines.len() as f64 + 2.0);
    let route = &map.layout.edges[i];
    let candidates = [0.5, 0.44, 0.56, 0.38, 0.62, 0.32, 0.68, 0.26, 0.74, 0.2, 0.8];
    candidates.into_iter().find_map(|share| {
        let (x, y) = v.to_screen(route.at(route.length() * share).0);
        let rect = (x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0);
        taken.iter().all(|t| !meets(rect, *t)).then_some(rect)
    })
}

fn meets(a: Rect, b: Rect) -> bool {
    a.0 < b.2 + 1.0 && b.0 < a.2 + 1.0 && a.1 < b.3 + 1.0 && b.1 < a.3 + 1.0
}

fn draw_label<S: Surface>(s: &mut S, rect: Rect, lines: &[(String, Ink)], v: &Viewport) {
    s.round_rect_path(rect.0, rect.1, rect.2 - rect.0, rect.3 - rect.1, 3.0);
    s.fill(Token::Bg0.alpha(0.86));
    for (i, (text, ink)) in lines.iter().enumerate() {
        let y = rect.1 + 1.0 + LINE * scale(v) * (i as f64 + 0.5);
        s.text_middle(text, (rect.0 + rect.2) / 2.0, y, &style(*ink, v));
    }
}

fn on_screen(v: &Viewport, n: &crate::topology::Placed) -> Rect {
    let (left, top) = v.to_screen((n.x, n.y));
    (left, top, left + n.width * v.zoom, top + n.height * v.zoom)
}
