//! Nodes: one outline per kind, name, and rate, errors and duration in columns.

use super::{Hit, Map, NodeView, Scene, Status, Tone, Viewport, glyph, mark, viewport::node_in};
use crate::{
    surface::{Align, Dash, Draw, Stroke, Surface, TextStyle, fit_text},
    tokens::{Ink, Token},
    topology::Kind,
    unit::{Unit, grouped},
};

/// From this zoom on nodes carry all their figures, from the next the two that matter most, then the name alone.
const FULL_ZOOM: f64 = 0.88;
const BRIEF_ZOOM: f64 = 0.58;
pub(crate) const NAME_ZOOM: f64 = 0.34;

/// A node's rectangle on the screen.
#[derive(Clone, Copy)]
struct Card {
    x: f64,
    y: f64,
    w: f64,
    h: f64,
    /// Size of details relative to zoom 1.
    k: f64,
}

pub(super) fn draw_node<S: Surface>(s: &mut S, scene: &Scene<'_>, i: usize) {
    let (placed, view, v) = (&scene.map.layout.nodes[i], &scene.map.nodes[i], scene.viewport);
    if !node_in(placed, scene.window) {
        return;
    }
    let (x, y) = v.to_screen((placed.x, placed.y));
    let card = Card { x, y, w: placed.width * v.zoom, h: placed.height * v.zoom, k: v.zoom };
    let strength = scene.strengths.node(i);
    let hovered = scene.focus.hovered == Some(Hit::Node(i));
    let selected = scene.focus.selected == Some(Hit::Node(i));
    draw_body(s, &card, view, strength, hovered, selected);
    if selected && scene.focus.has_keyboard {
        s.round_rect_path(card.x - 4.0, card.y - 4.0, card.w + 8.0, card.h + 8.0, 9.0);
        s.stroke(&Stroke::new(Token::Accent, 2.0));
    }
    match v.zoom {
        z if z >= BRIEF_ZOOM => draw_details(s, &card, view, strength),
        z if z >= NAME_ZOOM => draw_name_only(s, &card, view, strength),
        // A far view is about what is wrong: what is fine stays grey.
        _ if view.status == Status::Ok => {}
        _ => draw_faded_status(s, view.status, card.x + card.w / 2.0, card.y + card.h / 2.0, 4.0, strength),
    }
    if view.pinned && v.zoom >= NAME_ZOOM {
        draw_pin(s, &card, strength);
    }
    if let Some(note) = &view.mark {
        mark::draw_mark(s, note, (card.x, card.y, card.w), v.zoom, strength);
    }
}

/// A needle through the upper left corner.
fn draw_pin<S: Surface>(s: &mut S, card: &Card, strength: f64) {
    let (x, y) = (card.x + 5.0, card.y + 1.0);
    s.begin();
    s.move_to(x, y);
    s.line_to(x + 4.5, y + 6.5);
    s.stroke(&Stroke::new(Token::Text2.alpha(strength), 1.2));
    s.circle_path(x - 1.0, y - 1.5, 2.8);
    s.fill(Token::Text2.alpha(strength));
}

fn draw_body<S: Surface>(s: &mut S, card: &Card, view: &NodeView, strength: f64, hovered: bool, selected: bool) {
    if view.kind == Kind::Group {
        draw_stack(s, card, strength);
    }
    outline(s, view.kind, card);
    // Opaque ground first: edges pass beneath, even beneath a faded node.
    s.fill(Token::Bg0.into());
    s.fill(if hovered { Token::Bg2 } else { Token::Bg1 }.alpha(strength));
    let (border, width) = match (selected, view.status) {
        (true, _) => (Token::Accent, 2.0),
        (_, Status::Err) => (Token::Err, 1.25),
        (_, Status::Warn) => (Token::Warn, 1.25),
        _ if hovered => (Token::LineI, 1.0),
        _ => (Token::Line2, 1.0),
    };
    match view.status {
        Status::Err => s.fill(Token::Err.alpha(0.10 * strength)),
        Status::Warn => s.fill(Token::Warn.alpha(0.07 * strength)),
        _ => {}
    }
    let outside = matches!(view.kind, Kind::External | Kind::Model | Kind::UnknownCaller);
    let gone = view.mark.as_ref().is_some_and(|mark| mark.tone == Tone::Gone);
    let dash = if outside || gone { Dash::Short } else { Dash::Solid };
    let stroke = Stroke::new(border.alpha(strength), width);
    s.stroke(&stroke.dash(dash));
    inner_line(s, view.kind, card, &stroke);
}

/// The cards behind the first one of a group.
fn draw_stack<S: Surface>(s: &mut S, card: &Card, strength: f64) {
    for back in [2.0, 1.0] {
        let by = 3.5 * back * card.k;
        s.round_rect_path(card.x + by, card.y + by, card.w, card.h, 6.0 * card.k);
        s.fill(Token::Bg0.into());
        s.fill(Token::Bg1.alpha(strength));
        s.stroke(&Stroke::new(Token::Line2.alpha(strength), 1.0));
    }
}

fn draw_details<S: Surface>(s: &mut S, card: &Card, view: &NodeView, strength: f64) {
    let (k, t) = (card.k, text_zoom(card.k));
    let (left, right) = (card.x + text_left(view.kind) * k, card.x + card.w - text_right(view.kind) * k);
    let (upper, lower) = rows(view.kind);
    let icon = Token::Text2.alpha(strength);
    glyph::draw_kind(s, view.kind, card.x + (text_left(view.kind) - 15.0) * k, card.y + card.h / 2.0, 7.5 * k, icon);
    draw_faded_status(s, view.status, right - 3.5 * t, card.y + upper * k, 3.8 * t, strength);
    if view.kind == Kind::Group {
        draw_opener(s, card, strength);
    }
    let name = TextStyle::new(Token::Text1.alpha(strength), 12.0 * t, 600);
    let end = draw_members(s, view, (right - 11.0 * t, card.y + upper * k), 10.5 * t, strength);
    let text = fit_text(s, &view.label, end - left, &name);
    s.text_middle(&text, left, card.y + upper * k, &name);
    draw_figures(s, view, (left, card.y + lower * k, right), k, strength);
}

/// How many a group stands for, ending at a point; where the name before it has to end.
fn draw_members<S: Surface>(s: &mut S, view: &NodeView, (right, y): (f64, f64), size: f64, strength: f64) -> f64 {
    if view.members == 0 {
        return right;
    }
    let style = TextStyle::new(Token::Text2.alpha(strength), size, 500).align(Align::Right);
    let text = grouped(view.members);
    s.text_middle(&text, right, y, &style);
    right - s.measure(&text, &style) - 6.0
}

/// Text shrinks slower than the map, so that a map that just fits is still read.
pub(crate) fn text_zoom(zoom: f64) -> f64 {
    let scale = if zoom < 1.0 { zoom.powf(0.5) } else { zoom };
    // In steps: hosts cache widths per size.
    (scale * 32.0).round() / 32.0
}

/// Rate, errors and duration in three columns; with less room the rate, and errors if there are, else the duration.
fn draw_figures<S: Surface>(s: &mut S, view: &NodeView, (left, y, right): (f64, f64, f64), k: f64, strength: f64) {
    let quiet = TextStyle::new(Token::Text3.alpha(strength), 10.0 * text_zoom(k), 500);
    let Some(flow) = view.flow else {
        s.text_middle("no data", left, y, &quiet);
        return;
    };
    let plain = quiet.ink(Token::Text2.alpha(strength));
    let errors = match flow.error_ratio {
        r if r >= 0.01 => plain.ink(view.status.token().alpha(strength)),
        r if r > 0.0 => plain,
        _ => quiet,
    };
    let rate = (flow.calls(), plain);
    let failed = (Unit::Ratio.format(flow.error_ratio).to_string(), errors);
    let duration = flow.p95_nanos.map(|p95| (Unit::Nanos.format(p95).to_string(), plain));
    let widths = |s: &S, figures: &[(String, TextStyle)]| -> Vec<f64> {
        figures.iter().map(|(text, style)| s.measure(text, style)).collect()
    };
    let gap = 5.0 * text_zoom(k);
    let all = [Some(rate.clone()), Some(failed.clone()), duration.clone()].into_iter().flatten().collect::<Vec<_>>();
    let fits = widths(s, &all).iter().sum::<f64>() + 2.0 * gap <= right - left;
    let figures = match duration {
        Some(_) if k >= FULL_ZOOM && fits => all,
        Some(duration) if flow.error_ratio < 0.001 => vec![rate, duration],
        _ => vec![rate, failed],
    };
    // Columns, as those of other nodes; where one is too narrow for its figure, the room between them is shared.
    let widths = widths(s, &figures);
    let column = (right - left) / figures.len() as f64;
    let between = (right - left - widths.iter().sum::<f64>()) / (figures.len() - 1).max(1) as f64;
    let is_wide = widths.iter().any(|width| width + gap > column);
    let mut x = left;
    for ((text, style), width) in figures.iter().zip(&widths) {
        s.text_middle(text, x, y, style);
        x += if is_wide { width + between.max(gap) } else { column };
    }
}

/// Names keep a readable size while the card shrinks.
fn draw_name_only<S: Surface>(s: &mut S, card: &Card, view: &NodeView, strength: f64) {
    let size = (15.0 * card.k).clamp(8.5, 12.5);
    let middle = card.y + card.h / 2.0;
    let status = size * 0.36;
    draw_faded_status(s, view.status, card.x + 9.0 + status, middle, status, strength);
    let left = card.x + 14.0 + 2.0 * status;
    let name = TextStyle::new(Token::Text1.alpha(strength), size, 600);
    let end = draw_members(s, view, (card.x + card.w - 6.0, middle), size, strength);
    let text = fit_text(s, &view.label, end - left, &name);
    s.text_middle(&text, left, middle, &name);
}

fn draw_faded_status<S: Surface>(s: &mut S, status: Status, x: f64, y: f64, r: f64, strength: f64) {
    glyph::status_path(s, status, x, y, r);
    let ink: Ink = status.token().alpha(strength);
    if status == Status::Unknown { s.stroke(&Stroke::new(ink, (r * 0.4).max(1.0))) } else { s.fill(ink) }
}

/// Space for the glyph, more where the outline leans in.
fn text_left(kind: Kind) -> f64 {
    match kind {
        Kind::Gateway | Kind::Function => 36.0,
        Kind::User | Kind::UnknownCaller | Kind::Client | Kind::Queue => 34.0,
        _ => 31.0,
    }
}

fn text_right(kind: Kind) -> f64 {
    match kind {
        Kind::Group => OPENER + 6.0,
        Kind::Gateway | Kind::Queue | Kind::Function => 17.0,
        Kind::User | Kind::UnknownCaller | Kind::Client => 15.0,
        _ => 8.0,
    }
}

/// Middles of the two text rows from the top; a cylinder's lid takes some of its height.
fn rows(kind: Kind) -> (f64, f64) {
    if kind == Kind::Database { (17.5, 33.0) } else { (14.5, 30.5) }
}

/// Width of the strip at the right end of a group that opens it.
const OPENER: f64 = 26.0;

impl Map<'_> {
    /// The group that a click on a screen point opens: the one hit, if the point is on its plus.
    pub fn opener(&self, hit: Hit, viewport: &Viewport, screen: (f64, f64)) -> Option<usize> {
        let Hit::Node(at) = hit else { return None };
        let is_group = self.nodes.get(at).is_some_and(|view| view.kind == Kind::Group);
        let right = self.layout.nodes.get(at).map(|placed| placed.x + placed.width)?;
        (is_group && viewport.zoom >= BRIEF_ZOOM && viewport.to_world(screen).0 >= right - OPENER).then_some(at)
    }
}

fn draw_opener<S: Surface>(s: &mut S, card: &Card, strength: f64) {
    let (left, middle) = (card.x + card.w - OPENER * card.k, card.y + card.h / 2.0);
    s.line(
        (left, card.y + 7.0 * card.k),
        (left, card.y + card.h - 7.0 * card.k),
        &Stroke::new(Token::Line2.alpha(strength), 1.0),
    );
    let (x, arm) = (left + OPENER * card.k / 2.0, 4.5 * text_zoom(card.k));
    let stroke = Stroke::new(Token::Accent.alpha(strength), 1.5);
    s.line((x - arm, middle), (x + arm, middle), &stroke);
    s.line((x, middle - arm), (x, middle + arm), &stroke);
}

const HEX: f64 = 11.0;
const LID: f64 = 4.5;
const END: f64 = 7.0;
const CUT: f64 = 9.0;
const SKEW: f64 = 8.0;

fn outline<S: Surface>(s: &mut S, kind: Kind, c: &Card) {
    let (x, y, w, h, k) = (c.x, c.y, c.w, c.h, c.k);
    let (right, bottom, middle) = (x + w, y + h, y + h / 2.0);
    match kind {
        Kind::User | Kind::UnknownCaller | Kind::Client => s.round_rect_path(x, y, w, h, h / 2.0),
        Kind::Gateway => {
            let i = HEX * k;
            s.polygon_path(&[
                (x + i, y),
                (right - i, y),
                (right, middle),
                (right - i, bottom),
                (x + i, bottom),
                (x, middle),
            ]);
        }
        Kind::Auth => {
            let i = CUT * k;
            let lower = [(right, bottom - i), (right - i, bottom), (x + i, bottom), (x, bottom - i)];
            s.polygon_path(&[[(x, y + i), (x + i, y), (right - i, y), (right, y + i)], lower].concat());
        }
        Kind::Function => {
            let i = SKEW * k;
            s.polygon_path(&[(x + i, y), (right, y), (right - i, bottom), (x, bottom)]);
        }
        Kind::Database => {
            let i = LID * k;
            s.begin();
            s.move_to(x, y + i);
            arch(s, (x, y + i), (right, y + i), -i);
            s.line_to(right, bottom - i);
            arch(s, (right, bottom - i), (x, bottom - i), i);
            s.close();
        }
        Kind::Queue => {
            let i = END * k;
            s.begin();
            s.move_to(x + i, y);
            s.line_to(right - i, y);
            bow(s, (right - i, y), (right - i, bottom), i);
            s.line_to(x + i, bottom);
            bow(s, (x + i, bottom), (x + i, y), -i);
            s.close();
        }
        Kind::Job | Kind::Service | Kind::Group | Kind::External | Kind::Model => {
            s.round_rect_path(x, y, w, h, 6.0 * k)
        }
    }
}

/// Half an ellipse between two points on one level, bulging by `by` downwards.
fn arch<S: Surface + ?Sized>(s: &mut S, a: (f64, f64), b: (f64, f64), by: f64) {
    let lift = by * 4.0 / 3.0;
    let lean = (b.0 - a.0) * 0.06;
    s.curve_to(a.0 + lean, a.1 + lift, b.0 - lean, b.1 + lift, b.0, b.1);
}

/// Half an ellipse between two points above each other, bulging by `by` rightwards.
fn bow<S: Surface + ?Sized>(s: &mut S, a: (f64, f64), b: (f64, f64), by: f64) {
    let lift = by * 4.0 / 3.0;
    let lean = (b.1 - a.1) * 0.1;
    s.curve_to(a.0 + lift, a.1 + lean, b.0 + lift, b.1 - lean, b.0, b.1);
}

/// The line that makes a cylinder a cylinder, and a job a job.
fn inner_line<S: Surface>(s: &mut S, kind: Kind, c: &Card, stroke: &Stroke) {
    let k = c.k;
    let quiet = Stroke { ink: stroke.ink.fade(0.8), width: 1.0, dash: Dash::Solid };
    match kind {
        Kind::Database => {
            s.begin();
            s.move_to(c.x, c.y + LID * k);
            arch(s, (c.x, c.y + LID * k), (c.x + c.w, c.y + LID * k), LID * k);
        }
        Kind::Queue => {
            let x = c.x + c.w - END * k;
            s.begin();
            s.move_to(x, c.y);
            bow(s, (x, c.y), (x, c.y + c.h), -END * k);
        }
        Kind::Job => {
            s.begin();
            s.move_to(c.x + 4.0 * k, c.y + 1.0);
            s.line_to(c.x + 4.0 * k, c.y + c.h - 1.0);
        }
        _ => return,
    }
    s.stroke(&quiet);
}

/// Where an edge meeting the node's box at `at` (world) touches the node's outline.
pub(crate) fn touch(map: &Map<'_>, node: usize, at: (f64, f64)) -> (f64, f64) {
    let (Some(placed), Some(view)) = (map.layout.nodes.get(node), map.nodes.get(node)) else { return at };
    let half = placed.height / 2.0;
    let away = (at.1 - placed.center().1).abs().min(half);
    let inset = match view.kind {
        Kind::User | Kind::UnknownCaller | Kind::Client => half - (half * half - away * away).sqrt(),
        Kind::Gateway => HEX * away / half,
        Kind::Queue => END * (away / half).powi(2),
        Kind::Function => SKEW * 0.5,
        Kind::Auth => (away - (half - CUT)).max(0.0),
        _ => 0.0,
    };
    if at.1 <= placed.y {
        return at;
    }
    (if at.0 <= placed.x + 1.0 { at.0 + inset } else { at.0 - inset }, at.1)
}
