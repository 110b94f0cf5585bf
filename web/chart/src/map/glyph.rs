//! Small signs: one per kind of node, one per status. The same paths serve canvas, tables and legends.

use super::Status;
use crate::{
    surface::{Align, Draw, Stroke, Surface, TextStyle},
    svg::SvgSurface,
    tokens::{Ink, Token},
    topology::Kind,
};

/// ● ▲ ◆ ○ filled (the last stroked) around (x, y) with radius `r`.
pub fn draw_status<S: Surface>(s: &mut S, status: Status, x: f64, y: f64, r: f64) {
    status_path(s, status, x, y, r);
    match status {
        Status::Unknown => s.stroke(&Stroke::new(Token::Unknown, (r * 0.4).max(1.0))),
        _ => s.fill(status.token().into()),
    }
}

pub(super) fn status_path<S: Surface>(s: &mut S, status: Status, x: f64, y: f64, r: f64) {
    match status {
        Status::Ok => s.circle_path(x, y, r * 0.86),
        Status::Unknown => s.circle_path(x, y, r * 0.8),
        Status::Warn => s.polygon_path(&[(x, y - r * 1.05), (x + r * 1.1, y + r * 0.85), (x - r * 1.1, y + r * 0.85)]),
        Status::Err => s.polygon_path(&[(x, y - r * 1.2), (x + r * 1.2, y), (x, y + r * 1.2), (x - r * 1.2, y)]),
    }
}

/// A status glyph as inline SVG of `size` pixels; `title` is its word, in the page's language.
pub fn status_svg(status: Status, size: f64, title: &str) -> String {
    let mut surface = SvgSurface::new(size, size);
    draw_status(&mut surface, status, size / 2.0, size / 2.0, size * 0.36);
    surface.finish(title, "")
}

/// A kind's glyph as inline SVG of `size` pixels.
pub fn kind_svg(kind: Kind, size: f64, title: &str) -> String {
    let mut surface = SvgSurface::new(size, size);
    draw_kind(&mut surface, kind, size / 2.0, size / 2.0, size * 0.44, Token::Text2.into());
    surface.finish(title, "")
}

/// A line drawing of the kind within `r` around (x, y).
pub fn draw_kind<S: Surface>(s: &mut S, kind: Kind, x: f64, y: f64, r: f64, ink: Ink) {
    let stroke = Stroke::new(ink, (r * 0.17).max(0.9));
    let at = |dx: f64, dy: f64| (x + dx * r, y + dy * r);
    match kind {
        Kind::User => {
            s.circle_path(x, y - 0.4 * r, 0.42 * r);
            s.stroke(&stroke);
            s.begin();
            let (a, b, c, d) = (at(-0.85, 0.9), at(-0.8, 0.05), at(0.8, 0.05), at(0.85, 0.9));
            s.move_to(a.0, a.1);
            s.curve_to(b.0, b.1, c.0, c.1, d.0, d.1);
        }
        Kind::UnknownCaller => {
            let style = TextStyle::new(ink, r * 1.9, 600).align(Align::Center);
            return s.text_middle("?", x, y, &style);
        }
        Kind::Client => {
            s.round_rect_path(x - 0.95 * r, y - 0.75 * r, 1.9 * r, 1.2 * r, 0.2 * r);
            s.stroke(&stroke);
            open(s, &[at(-0.45, 0.85), at(0.45, 0.85)]);
            s.stroke(&stroke);
            open(s, &[at(0.0, 0.45), at(0.0, 0.85)]);
        }
        Kind::Job => {
            s.circle_path(x, y, 0.88 * r);
            s.stroke(&stroke);
            open(s, &[at(0.0, -0.5), at(0.0, 0.05), at(0.38, 0.3)]);
        }
        Kind::Gateway => {
            open(s, &[at(-0.95, 0.0), at(-0.15, 0.0), at(0.35, -0.68), at(0.95, -0.68)]);
            s.stroke(&stroke);
            open(s, &[at(-0.15, 0.0), at(0.35, 0.68), at(0.95, 0.68)]);
            s.stroke(&stroke);
            open(s, &[at(-0.15, 0.0), at(0.95, 0.0)]);
        }
        Kind::Service => {
            s.polygon_path(&[
                at(0.0, -0.98),
                at(0.86, -0.49),
                at(0.86, 0.49),
                at(0.0, 0.98),
                at(-0.86, 0.49),
                at(-0.86, -0.49),
            ]);
            s.stroke(&stroke);
            open(s, &[at(-0.86, -0.49), at(0.0, 0.0), at(0.86, -0.49)]);
            s.stroke(&stroke);
            open(s, &[at(0.0, 0.0), at(0.0, 0.98)]);
        }
        Kind::Group => {
            for (dx, dy) in [(-0.9, -0.9), (0.12, -0.9), (-0.9, 0.12), (0.12, 0.12)] {
                let (x, y) = at(dx, dy);
                s.round_rect_path(x, y, 0.78 * r, 0.78 * r, 0.16 * r);
                s.stroke(&stroke);
            }
            return;
        }
        Kind::Auth => {
            let (top, side, low) = (at(0.0, -0.95), at(0.8, -0.6), at(0.0, 0.98));
            s.begin();
            s.move_to(top.0, top.1);
            s.line_to(side.0, side.1);
            s.curve_to(x + 0.85 * r, y + 0.35 * r, x + 0.4 * r, y + 0.75 * r, low.0, low.1);
            s.curve_to(x - 0.4 * r, y + 0.75 * r, x - 0.85 * r, y + 0.35 * r, x - 0.8 * r, side.1);
            s.close();
            s.stroke(&stroke);
            open(s, &[at(-0.34, 0.02), at(-0.06, 0.32), at(0.4, -0.26)]);
        }
        Kind::Function => {
            let style = TextStyle::new(ink, r * 2.0, 600).align(Align::Center);
            return s.text_middle("λ", x, y, &style);
        }
        Kind::Queue => {
            for (dx, h) in [(-0.8, 0.62), (-0.27, 0.62), (0.27, 0.62)] {
                open(s, &[at(dx, -h), at(dx, h)]);
                s.stroke(&stroke);
            }
            open(s, &[at(0.6, -0.35), at(0.98, 0.0), at(0.6, 0.35)]);
        }
        Kind::Database => {
            s.begin();
            s.add_ellipse(x, y - 0.62 * r, 0.78 * r, 0.32 * r);
            s.stroke(&stroke);
            for low in [0.02, 0.66] {
                s.begin();
                s.move_to(x - 0.78 * r, y + low * r);
                let dip = y + (low + 0.42) * r;
                s.curve_to(x - 0.7 * r, dip, x + 0.7 * r, dip, x + 0.78 * r, y + low * r);
                s.stroke(&stroke);
            }
            open(s, &[at(-0.78, -0.62), at(-0.78, 0.66)]);
            s.stroke(&stroke);
            open(s, &[at(0.78, -0.62), at(0.78, 0.66)]);
        }
        Kind::External => {
            s.circle_path(x, y, 0.9 * r);
            s.stroke(&stroke);
            s.begin();
            s.add_ellipse(x, y, 0.4 * r, 0.9 * r);
            s.stroke(&stroke);
            open(s, &[at(-0.9, 0.0), at(0.9, 0.0)]);
        }
        Kind::Model => {
            s.begin();
            s.move_to(x, y - 0.98 * r);
            let q = 0.16 * r;
            s.curve_to(x + q, y - q, x + q, y - q, x + 0.98 * r, y);
            s.curve_to(x + q, y + q, x + q, y + q, x, y + 0.98 * r);
            s.curve_to(x - q, y + q, x - q, y + q, x - 0.98 * r, y);
            s.curve_to(x - q, y - q, x - q, y - q, x, y - 0.98 * r);
            s.close();
        }
    }
    s.stroke(&stroke);
}

fn open<S: Surface>(s: &mut S, points: &[(f64, f64)]) {
    s.begin();
    if let [first, rest @ ..] = points {
        s.move_to(first.0, first.1);
        rest.iter().for_each(|p| s.line_to(p.0, p.1));
    }
}
