//! Counts by time and size: how many took how long, and when.

use super::{ChartSpec, Plot, Series, ValueScale};
use crate::{
    surface::{Draw, Stroke, Surface},
    tokens::Token,
    unit::Unit,
};

/// One step of time and one power of two.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Cell {
    /// Start of the step, unix nanoseconds.
    pub at: i64,
    /// End of the values counted; they begin at half of it.
    pub end: f64,
    /// How many there were.
    pub count: f64,
}

/// A heatmap over a logarithmic axis.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Heatmap {
    /// For screen readers.
    pub title: String,
    /// Left edge, unix nanoseconds.
    pub from: i64,
    /// Right edge, unix nanoseconds.
    pub to: i64,
    /// Length of a step, nanoseconds.
    pub step: i64,
    /// The reader's clock, minutes ahead of UTC.
    pub utc_offset_minutes: i32,
    /// What values mean.
    pub unit: Unit,
    /// In any order; those without a count may be left out.
    pub cells: Vec<Cell>,
}

impl Heatmap {
    /// Its axes as a chart: lay it out and draw it first.
    pub fn spec(&self) -> ChartSpec {
        let counted = || self.cells.iter().filter(|cell| cell.count > 0.0);
        let low = counted().map(|cell| cell.end / 2.0).reduce(f64::min);
        let high = counted().map(|cell| cell.end).reduce(f64::max);
        let points = [(self.from, low), (self.to, high)].to_vec();
        ChartSpec {
            title: self.title.clone(),
            from: self.from,
            to: self.to,
            utc_offset_minutes: self.utc_offset_minutes,
            unit: self.unit.clone(),
            scale: ValueScale::Log,
            series: vec![Series::line("", 0, points).ink(Token::Text3.alpha(0.0))],
            ..ChartSpec::default()
        }
    }

    /// Draws the cells: the more, the hotter, by the square root of their share of the greatest.
    pub fn draw<S: Surface>(&self, plot: &Plot, surface: &mut S) {
        let most = self.cells.iter().map(|cell| cell.count).fold(0.0, f64::max);
        surface.push_clip(plot.area.left, plot.area.top, plot.area.width(), plot.area.height());
        for cell in self.cells.iter().filter(|cell| cell.count > 0.0) {
            let (left, right) = (plot.x(cell.at), plot.x(cell.at.saturating_add(self.step)));
            let (top, bottom) = (plot.y(cell.end), plot.y(cell.end / 2.0));
            let ink = Token::heat((cell.count / most).sqrt());
            // A hairline of the field shows between neighbours.
            surface.fill_rect(left, top, (right - left - 0.5).max(1.0), (bottom - top - 0.5).max(1.0), ink);
        }
        surface.pop_clip();
    }

    /// The cell under a point on screen, counted or not.
    pub fn cell_at(&self, plot: &Plot, x: f64, y: f64) -> Option<Cell> {
        let (at, value) = (plot.time_at(x), plot.value_at(y));
        let here = |cell: &&Cell| {
            (cell.at..cell.at.saturating_add(self.step)).contains(&at) && (cell.end / 2.0..cell.end).contains(&value)
        };
        self.cells.iter().find(here).copied()
    }

    /// Numbers by size, the smallest first: the heatmap without time.
    pub fn sizes(&self) -> Vec<(f64, f64)> {
        let mut sizes: Vec<(f64, f64)> = Vec::new();
        for cell in &self.cells {
            match sizes.iter_mut().find(|(end, _)| *end == cell.end) {
                Some((_, count)) => *count += cell.count,
                None => sizes.push((cell.end, cell.count)),
            }
        }
        sizes.retain(|(_, count)| *count > 0.0);
        sizes.sort_by(|a, b| a.0.total_cmp(&b.0));
        sizes
    }

    /// Where the last `share` (0 to 1) of all that was counted begins, as near as cells can say.
    pub fn beyond(&self, share: f64) -> Option<f64> {
        let sizes = self.sizes();
        let all: f64 = sizes.iter().map(|(_, count)| count).sum();
        let mut left = all * share;
        let found = sizes.iter().rev().find(|(_, count)| {
            left -= count;
            left <= 0.0
        });
        found.map(|(end, _)| end / 2.0)
    }
}

/// Draws a box between two corners.
pub fn draw_box<S: Surface>(plot: &Plot, a: (f64, f64), b: (f64, f64), surface: &mut S) {
    let x = |x: f64| x.clamp(plot.area.left, plot.area.right);
    let y = |y: f64| y.clamp(plot.area.top, plot.area.bottom);
    let (left, right, top, bottom) = (x(a.0.min(b.0)), x(a.0.max(b.0)), y(a.1.min(b.1)), y(a.1.max(b.1)));
    surface.fill_rect(left, top, right - left, bottom - top, Token::Accent.alpha(0.18));
    let edge = Stroke::new(Token::Accent, 1.5);
    for (from, to) in [
        ((left, top), (right, top)),
        ((right, top), (right, bottom)),
        ((right, bottom), (left, bottom)),
        ((left, bottom), (left, top)),
    ] {
        surface.line(from, to, &edge);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::svg::SvgSurface;

    fn heatmap() -> Heatmap {
        let cell = |at, end, count| Cell { at, end, count };
        Heatmap {
            title: "durations".into(),
            to: 100,
            step: 10,
            unit: Unit::Seconds,
            cells: vec![
                cell(0, 0.5, 100.0),
                cell(10, 0.5, 80.0),
                cell(50, 4.0, 15.0),
                cell(60, 8.0, 5.0),
                cell(70, 64.0, 0.0),
            ],
            ..Heatmap::default()
        }
    }

    #[test]
    fn cells_are_where_they_are_drawn() {
        let (heatmap, mut surface) = (heatmap(), SvgSurface::new(400.0, 200.0));
        let plot = Plot::new(&heatmap.spec(), &surface);
        heatmap.draw(&plot, &mut surface);
        for cell in heatmap.cells.iter().filter(|cell| cell.count > 0.0) {
            let middle = (plot.x(cell.at + 5), plot.y(cell.end / 1.5));
            assert_eq!(heatmap.cell_at(&plot, middle.0, middle.1), Some(*cell));
        }
        assert_eq!(heatmap.cell_at(&plot, plot.x(35), plot.y(3.0)), None);
        let svg = surface.finish("", "");
        assert!(svg.contains("--heat-6") && svg.contains("--heat-1"), "{svg}");
    }

    #[test]
    fn the_slowest_are_where_the_counts_say() {
        assert_eq!(heatmap().sizes(), [(0.5, 180.0), (4.0, 15.0), (8.0, 5.0)]);
        assert_eq!([0.02, 0.1, 0.9].map(|share| heatmap().beyond(share)), [Some(4.0), Some(2.0), Some(0.25)]);
        assert_eq!(Heatmap::default().beyond(0.1), None);
    }
}
