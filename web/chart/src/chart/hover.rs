//! The layer above a chart: crosshair and brush, drawn on a transparent canvas of the same size.

use super::{ChartSpec, Near, Plot};
use crate::{
    surface::{Draw, Stroke, Surface},
    tokens::Token,
};

/// Draws the shared time cursor and a dot on each series; returns the marked values for the tooltip.
///
/// Nothing is drawn, and nothing returned, for a time outside the chart.
pub fn draw_cursor<S: Surface>(plot: &Plot, spec: &ChartSpec, at: i64, surface: &mut S) -> Vec<Near> {
    if at < spec.from || at > spec.to {
        return Vec::new();
    }
    let near = plot.nearest(spec, at);
    let x = plot.x(at).floor() + 0.5;
    surface.line((x, plot.area.top), (x, plot.area.bottom), &Stroke::new(Token::Text3.alpha(0.7), 1.0));
    for n in &near {
        surface.circle_path(n.x, n.y, 3.5);
        surface.fill(Token::Bg1.into());
        surface.stroke(&Stroke::new(spec.series[n.series].ink, 2.0));
    }
    near
}

/// Draws a selected range of time, in either order.
pub fn draw_brush<S: Surface>(plot: &Plot, a: i64, b: i64, surface: &mut S) {
    let clamp = |at| plot.x(at).clamp(plot.area.left, plot.area.right);
    let (x0, x1) = (clamp(a.min(b)), clamp(a.max(b)));
    let (top, bottom) = (plot.area.top, plot.area.bottom);
    surface.fill_rect(x0, top, x1 - x0, bottom - top, Token::Accent.alpha(0.14));
    for x in [x0, x1] {
        surface.line((x, top), (x, bottom), &Stroke::new(Token::Accent, 1.0));
    }
}
