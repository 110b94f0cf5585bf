//! Drawing a laid-out chart through plotters.

use plotters::{
    coord::{Shift, cartesian::Cartesian2d},
    drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea},
    element::{Circle, PathElement, Rectangle, Text},
    series::{AreaSeries, LineSeries},
};
use plotters_backend::DrawingBackend;

use super::{
    Axes, ChartSpec, Plot, Series, Shape,
    plot::{TimeAxis, ValueAxis, axis_style},
    series,
};
use crate::{
    backend::{Pen, SurfaceBackend},
    surface::{Align, Dash, Stroke, Surface, TextStyle},
    tokens::{Ink, Token},
};

type Canvas<DB> = DrawingArea<DB, Shift>;
type Field<DB> = DrawingArea<DB, Cartesian2d<TimeAxis, ValueAxis>>;
type Drawn<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

const LINE_WIDTH: f64 = 1.5;
const DOT_RADIUS: f64 = 2.5;
const AREA_ALPHA: f64 = 0.14;

impl Plot {
    /// Draws the whole chart on a surface. The background is left alone.
    pub fn draw<S: Surface>(&self, spec: &ChartSpec, surface: &mut S) {
        let area = SurfaceBackend::new(surface).into_drawing_area();
        // A surface cannot fail: its error type has no values.
        let _ = self.draw_on(spec, &area, Pen::ROLES);
    }

    /// Draws through any plotters backend, e.g. a bitmap for a notification.
    ///
    /// # Errors
    /// What the backend reports; nothing of ours.
    pub fn draw_on<DB: DrawingBackend>(&self, spec: &ChartSpec, canvas: &Canvas<DB>, pen: Pen) -> Drawn<DB> {
        let sheet = Sheet { plot: self, spec, canvas, pen };
        sheet.bands()?;
        sheet.value_axis()?;
        sheet.time_axis()?;
        sheet.bars()?;
        sheet.lines()?;
        sheet.thresholds()?;
        sheet.moments()?;
        sheet.end_labels()
    }
}

struct Sheet<'a, DB: DrawingBackend> {
    plot: &'a Plot,
    spec: &'a ChartSpec,
    canvas: &'a Canvas<DB>,
    pen: Pen,
}

/// The middle of a CSS pixel, where a 1 px line is crisp.
fn crisp(v: f64) -> f64 {
    v.floor() + 0.5
}

impl<DB: DrawingBackend> Sheet<'_, DB> {
    fn path(&self, points: &[(f64, f64)], stroke: Stroke) -> Drawn<DB> {
        let points: Vec<_> = points.iter().map(|p| self.pen.point(p.0, p.1)).collect();
        self.canvas.draw(&PathElement::new(points, self.pen.stroke(stroke)))
    }

    fn rect(&self, a: (f64, f64), b: (f64, f64), ink: Ink) -> Drawn<DB> {
        self.canvas.draw(&Rectangle::new([self.pen.point(a.0, a.1), self.pen.point(b.0, b.1)], self.pen.fill(ink)))
    }

    fn text(&self, text: &str, x: f64, y: f64, style: TextStyle) -> Drawn<DB> {
        self.canvas.draw(&Text::new(text, self.pen.point(x, y), self.pen.text(style)))
    }

    /// CSS pixels.
    fn width(&self, text: &str, style: TextStyle) -> Result<f64, DrawingAreaErrorKind<DB::ErrorType>> {
        let (width, _) = self.canvas.estimate_text_size(text, &self.pen.text(style))?;
        Ok(f64::from(width) / self.pen.px(1.0) as f64)
    }

    /// The data coordinates as a plotters field over the same pixels.
    fn field(&self) -> Field<DB> {
        let area = &self.plot.area;
        let (left, bottom) = self.pen.point(area.left, area.bottom);
        let (right, top) = self.pen.point(area.right, area.top);
        self.canvas.apply_coord_spec(Cartesian2d::new(self.plot.time, self.plot.value, (left..right, bottom..top)))
    }

    fn value_axis(&self) -> Drawn<DB> {
        let area = &self.plot.area;
        for tick in &self.plot.value_ticks {
            let y = crisp(self.plot.y(tick.value));
            let ink = if tick.value == 0.0 { Token::Line2 } else { Token::Line1 };
            self.path(&[(area.left, y), (area.right, y)], Stroke::new(ink, 1.0))?;
            if self.spec.axes == Axes::Both {
                self.text(&tick.label, area.left - 8.0, y, axis_style().align(Align::Right))?;
            }
        }
        Ok(())
    }

    fn time_axis(&self) -> Drawn<DB> {
        let area = &self.plot.area;
        let bottom = crisp(area.bottom);
        self.path(&[(area.left, bottom), (area.right, bottom)], Stroke::new(Token::Line2, 1.0))?;
        for tick in &self.plot.time_ticks {
            let x = crisp(self.plot.x(tick.at));
            self.path(&[(x, bottom), (x, bottom + 4.0)], Stroke::new(Token::Line2, 1.0))?;
            if x < 18.0 || x > area.right - 4.0 {
                continue;
            }
            let style = axis_style().align(Align::Center);
            let style = if tick.is_date { style.ink(Token::Text2) } else { style };
            self.text(&tick.label, x, bottom + 12.0, style)?;
        }
        Ok(())
    }

    fn bars(&self) -> Drawn<DB> {
        let (area, step) = (&self.plot.area, series::bar_step(self.spec));
        for bar in series::stack(self.spec) {
            let (x0, x1) = (self.plot.x(bar.at), self.plot.x(bar.at.saturating_add(step)));
            // Whole pixels, or neighbours would blend into stripes; air between bars that can afford it.
            let air = if x1 - x0 >= 5.0 { 1.0 } else { 0.0 };
            let (x0, x1) = (x0.max(area.left).round(), x1.min(area.right).round().max(x0.round() + 1.0) - air);
            if x1 <= x0 {
                continue;
            }
            let (y0, y1) = (self.plot.y(bar.base), self.plot.y(bar.top));
            // One error among a million lines must stay visible.
            self.rect((x0, y1.min(y0 - 1.0)), (x1, y0), self.spec.series[bar.series].ink)?;
        }
        Ok(())
    }

    fn lines(&self) -> Drawn<DB> {
        let field = self.field();
        for s in self.spec.series.iter().filter(|s| s.shape == Shape::Dots) {
            self.dots(&field, s)?;
        }
        for s in self.spec.series.iter().filter(|s| matches!(s.shape, Shape::Line | Shape::Area)) {
            for run in series::runs(s, self.spec) {
                self.run(&field, s, series::thin(run, self.plot.area.width() as usize))?;
            }
        }
        Ok(())
    }

    fn dots(&self, field: &Field<DB>, s: &Series) -> Drawn<DB> {
        for at in series::dots(s, self.spec) {
            field.draw(&Circle::new((at.0, at.1), self.pen.px(DOT_RADIUS), self.pen.fill(s.ink.fade(0.75))))?;
        }
        Ok(())
    }

    fn run(&self, field: &Field<DB>, s: &Series, run: Vec<(i64, f64)>) -> Drawn<DB> {
        if let [only] = run[..] {
            return field.draw(&Circle::new(only, self.pen.px(1.75), self.pen.fill(s.ink)));
        }
        if s.shape == Shape::Area {
            let floor = self.plot.value.low.max(0.0);
            let area = AreaSeries::new(run.iter().copied(), floor, self.pen.fill(s.ink.fade(AREA_ALPHA)));
            // The series' second element is its border, which the line below draws.
            area.take(1).try_for_each(|element| field.draw(&element))?;
        }
        let stroke = self.pen.stroke(Stroke::new(s.ink, LINE_WIDTH).dash(s.dash));
        LineSeries::new(run, stroke).try_for_each(|element| field.draw(&element))
    }

    fn thresholds(&self) -> Drawn<DB> {
        let area = &self.plot.area;
        for threshold in &self.spec.thresholds {
            let y = crisp(self.plot.y(threshold.value));
            self.path(&[(area.left, y), (area.right, y)], Stroke::new(threshold.ink, 1.0).dash(Dash::Long))?;
            let style = axis_style().ink(threshold.ink).align(Align::Right);
            let above = if y - 8.0 < area.top { 8.0 } else { -8.0 };
            self.text(&threshold.label, area.right - 4.0, y + above, style)?;
        }
        Ok(())
    }

    fn bands(&self) -> Drawn<DB> {
        let area = &self.plot.area;
        for note in &self.spec.annotations {
            let Some(until) = note.until else { continue };
            let (x0, x1) = (self.plot.x(note.at).max(area.left), self.plot.x(until).min(area.right));
            if x1 > x0 {
                self.rect((x0, area.top), (x1, area.bottom), note.ink.fade(0.10))?;
            }
        }
        Ok(())
    }

    fn moments(&self) -> Drawn<DB> {
        let area = &self.plot.area;
        let lines: Vec<f64> = self.spec.annotations.iter().map(|note| crisp(self.plot.x(note.at))).collect();
        for (note, &x) in self.spec.annotations.iter().zip(&lines) {
            if x < area.left || x > area.right {
                continue;
            }
            self.path(&[(x, area.top), (x, area.bottom)], Stroke::new(note.ink, 1.0).dash(Dash::Short))?;
            let flag = [(x - 4.0, area.top - 6.0), (x + 4.0, area.top - 6.0), (x, area.top)];
            let flag: Vec<_> = flag.iter().map(|p| self.pen.point(p.0, p.1)).collect();
            self.canvas.draw(&plotters::element::Polygon::new(flag, self.pen.fill(note.ink)))?;
            // Where no other line crosses it; nowhere, if there is no such place.
            let width = self.width(&note.label, axis_style())?;
            let is_free = |from: f64, to: f64| {
                from >= area.left && to <= area.right && !lines.iter().any(|line| (from..to).contains(line))
            };
            let (dx, align) = match x {
                _ if is_free(x + 1.0, x + 6.0 + width) => (6.0, Align::Left),
                _ if is_free(x - 6.0 - width, x - 1.0) => (-6.0, Align::Right),
                _ => continue,
            };
            self.text(&note.label, x + dx, area.top + 5.0, axis_style().ink(Token::Text2).align(align))?;
        }
        Ok(())
    }

    fn end_labels(&self) -> Drawn<DB> {
        for &(i, y) in &self.plot.end_labels {
            let s = &self.spec.series[i];
            let x = self.plot.area.right;
            self.path(&[(x + 3.0, y), (x + 9.0, y)], Stroke::new(s.ink, 2.0))?;
            self.text(&s.name, x + 12.0, y, axis_style().ink(Token::Text2))?;
        }
        Ok(())
    }
}
