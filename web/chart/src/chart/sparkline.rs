//! Tiny charts for table cells and tiles: no axes, no text.

use plotters::{
    drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea},
    element::{Circle, PathElement, Polygon, Rectangle},
};
use plotters_backend::DrawingBackend;

use crate::{
    backend::{Pen, SurfaceBackend},
    surface::{Stroke, Surface},
    svg::SvgSurface,
    tokens::{Ink, Token},
};

/// How a sparkline is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SparklineShape {
    /// A 1.25 px line.
    Line,
    /// A line over a quiet fill.
    #[default]
    Area,
    /// One bar per value.
    Bars,
}

/// Equally spaced values, `None` for gaps, from zero to `max`.
#[derive(Clone, PartialEq, Debug)]
pub struct Sparkline {
    /// Oldest first.
    pub values: Vec<Option<f64>>,
    /// Value at the upper edge; the largest value if `None`. Share it between rows to compare them.
    pub max: Option<f64>,
    /// How it is drawn.
    pub shape: SparklineShape,
    /// Colour role.
    pub ink: Ink,
    /// When something fired: shares of the width, and colours.
    pub marks: Vec<(f64, Ink)>,
}

impl Sparkline {
    /// A quiet area over the values.
    pub fn new(values: Vec<Option<f64>>) -> Sparkline {
        Sparkline { values, max: None, shape: SparklineShape::Area, ink: Token::Series1.into(), marks: Vec::new() }
    }

    /// As SVG for inlining. `title` is for screen readers; leave it empty if the value stands beside it.
    pub fn to_svg(&self, width: f64, height: f64, title: &str) -> String {
        let mut surface = SvgSurface::new(width, height);
        self.draw(&mut surface);
        surface.finish(title, "")
    }

    /// Fills the surface with the sparkline.
    pub fn draw<S: Surface>(&self, surface: &mut S) {
        let (width, height) = surface.size();
        let area = SurfaceBackend::new(surface).into_drawing_area();
        // A surface cannot fail: its error type has no values.
        let _ = self.draw_on(&area, Pen::ROLES, width, height);
    }

    /// Draws `width` × `height` CSS pixels through any plotters backend.
    ///
    /// # Errors
    /// What the backend reports; nothing of ours.
    pub fn draw_on<DB: DrawingBackend>(
        &self,
        canvas: &DrawingArea<DB, plotters::coord::Shift>,
        pen: Pen,
        width: f64,
        height: f64,
    ) -> Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
        let (room, base) = ((height - 3.0).max(1.0), height - 1.0);
        let max = self.top();
        let y = |v: f64| base - (v / max).clamp(0.0, 1.0) * room;
        for (share, ink) in &self.marks {
            let x = (1.5 + share.clamp(0.0, 1.0) * (width - 3.0)).floor() + 0.5;
            canvas
                .draw(&PathElement::new([pen.point(x, 0.0), pen.point(x, base)], pen.stroke(Stroke::new(*ink, 1.0))))?;
            let flag = [(x - 2.5, 0.0), (x + 2.5, 0.0), (x, 4.0)].map(|at| pen.point(at.0, at.1));
            canvas.draw(&Polygon::new(flag, pen.fill(*ink)))?;
        }
        if self.shape == SparklineShape::Bars {
            let slot = width / self.values.len().max(1) as f64;
            let air = if slot >= 3.0 { 1.0 } else { 0.0 };
            for (i, v) in self.values.iter().enumerate().filter_map(|(i, v)| Some((i as f64, v.filter(|v| *v > 0.0)?)))
            {
                let corners = [pen.point(i * slot, y(v).min(base - 1.0)), pen.point((i + 1.0) * slot - air, base)];
                canvas.draw(&Rectangle::new(corners, pen.fill(self.ink)))?;
            }
            return Ok(());
        }
        let gap = (width - 3.0) / self.values.len().saturating_sub(1).max(1) as f64;
        let x = |i: usize| 1.5 + i as f64 * gap;
        for run in present_runs(&self.values) {
            let line: Vec<_> = run.iter().map(|(i, v)| pen.point(x(*i), y(*v))).collect();
            if let [only] = line[..] {
                canvas.draw(&Circle::new(only, pen.px(1.25), pen.fill(self.ink)))?;
                continue;
            }
            if self.shape == SparklineShape::Area {
                let ends = [run[run.len() - 1].0, run[0].0].map(|i| pen.point(x(i), base));
                let outline: Vec<_> = line.iter().copied().chain(ends).collect();
                canvas.draw(&Polygon::new(outline, pen.fill(self.ink.fade(0.16))))?;
            }
            canvas.draw(&PathElement::new(line, pen.stroke(Stroke::new(self.ink, 1.25))))?;
        }
        Ok(())
    }

    fn top(&self) -> f64 {
        let largest = self.values.iter().flatten().copied().filter(|v| v.is_finite()).fold(0.0, f64::max);
        Some(self.max.unwrap_or(largest)).filter(|m| *m > 0.0).unwrap_or(1.0)
    }
}

fn present_runs(values: &[Option<f64>]) -> Vec<Vec<(usize, f64)>> {
    let indexed: Vec<(usize, Option<f64>)> =
        values.iter().enumerate().map(|(i, v)| (i, v.filter(|v| v.is_finite()))).collect();
    let runs = indexed.split(|p| p.1.is_none()).filter(|run| !run.is_empty());
    runs.map(|run| run.iter().filter_map(|p| Some((p.0, p.1?))).collect()).collect()
}
