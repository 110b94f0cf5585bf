//! Time charts: what to show ([`ChartSpec`]), where it goes ([`Plot`]), and drawing through plotters.
//!
//! A chart is laid out once per size and data ([`Plot::new`]), drawn on the base canvas ([`Plot::draw`]) and then
//! answers the pointer ([`Plot::time_at`], [`Plot::nearest`]) while [`draw_cursor`] and [`draw_brush`] paint a second,
//! transparent canvas.

mod draw;
mod heatmap;
mod histogram;
mod hover;
mod marks;
mod plot;
mod series;
mod sparkline;

pub use heatmap::{Cell, Heatmap, draw_box};
pub use histogram::{Histogram, Level};
pub use hover::{draw_brush, draw_cursor};
pub use marks::{Flag, Mark, draw_marks};
pub use plot::{Area, Near, Plot};
pub use sparkline::{Sparkline, SparklineShape};

use crate::{
    surface::Dash,
    svg::SvgSurface,
    tokens::{Ink, Token},
    unit::Unit,
};

/// One value at a time; `None` is a gap, which is not zero.
pub type Point = (i64, Option<f64>);

/// How a series is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Shape {
    /// A 1.5 px line; a lone value between gaps becomes a dot.
    #[default]
    Line,
    /// A line over a quiet fill down to zero.
    Area,
    /// Bars from each time to the next step, stacked upon the bar series before it.
    Bars,
    /// A dot per value, none joined: traces by duration. See [`Plot::dot_at`].
    Dots,
}

/// One named run of values.
#[derive(Clone, PartialEq, Debug)]
pub struct Series {
    /// Label at the line's end and in tooltips.
    pub name: String,
    /// Colour role.
    pub ink: Ink,
    /// Pattern of a line; bars ignore it.
    pub dash: Dash,
    /// How it is drawn.
    pub shape: Shape,
    /// In order of time.
    pub points: Vec<Point>,
}

impl Series {
    /// The `index`th line of a chart, with that series' colour, and a pattern from the fifth on.
    pub fn line(name: impl Into<String>, index: usize, points: Vec<Point>) -> Series {
        let dash = if index < 4 { Dash::Solid } else { Dash::ALL[1 + (index - 4) % 4] };
        let (name, ink) = (name.into(), Token::series(index).into());
        Series { name, ink, dash, shape: Shape::Line, points }
    }

    /// The same series in another shape.
    pub fn shape(self, shape: Shape) -> Series {
        Series { shape, ..self }
    }

    /// The same series in a role of its own, e.g. [`Token::Err`] for errors.
    pub fn ink(self, ink: impl Into<Ink>) -> Series {
        Series { ink: ink.into(), ..self }
    }
}

/// A level worth comparing with: an objective, an alert's bound.
#[derive(Clone, PartialEq, Debug)]
pub struct Threshold {
    /// In the chart's unit.
    pub value: f64,
    /// Written above the line; may be empty.
    pub label: String,
    /// [`Token::Err`] or [`Token::Warn`], usually.
    pub ink: Ink,
}

/// Something that happened: a deploy, an alert, a fault. A line, or a band if it lasted.
#[derive(Clone, PartialEq, Debug)]
pub struct Annotation {
    /// Unix nanoseconds.
    pub at: i64,
    /// End of a band, unix nanoseconds.
    pub until: Option<i64>,
    /// Written at the top; may be empty.
    pub label: String,
    /// Colour role.
    pub ink: Ink,
}

/// What the vertical axis spans.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ValueScale {
    /// From zero to a round value above the data.
    #[default]
    FromZero,
    /// Just the data, when its variation matters more than its size.
    Fit,
    /// Logarithmic; values of zero and less are gaps.
    Log,
}

/// Which axes are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Axes {
    /// Time below, values left.
    #[default]
    Both,
    /// Time below only; the grid stays.
    TimeOnly,
}

/// Everything a time chart shows. Build it with `..ChartSpec::default()`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ChartSpec {
    /// For screen readers; the page writes the visible title.
    pub title: String,
    /// Left edge, unix nanoseconds.
    pub from: i64,
    /// Right edge, unix nanoseconds; must be later than `from`.
    pub to: i64,
    /// The reader's clock, minutes ahead of UTC.
    pub utc_offset_minutes: i32,
    /// What values mean.
    pub unit: Unit,
    /// What the vertical axis spans.
    pub scale: ValueScale,
    /// Distance of values in nanoseconds: the width of bars, and a line breaks where values are further
    /// apart than one and a half of it. Without it bars use the smallest distance seen and lines never break
    /// by themselves.
    pub step: Option<i64>,
    /// Drawn in this order.
    pub series: Vec<Series>,
    /// Horizontal lines, always inside the range of the axis.
    pub thresholds: Vec<Threshold>,
    /// Vertical lines and bands.
    pub annotations: Vec<Annotation>,
    /// Which axes are written.
    pub axes: Axes,
    /// Write the names of up to four lines at their ends, instead of a legend.
    pub end_labels: bool,
}

impl ChartSpec {
    /// The chart as SVG for inlining (both themes), with a title and a description in words.
    ///
    /// ```
    /// use orrery_chart::{ChartSpec, Series, Unit};
    /// let spec = ChartSpec {
    ///     title: "Latency".into(),
    ///     to: 60_000_000_000,
    ///     unit: Unit::Millis,
    ///     series: vec![Series::line("p95", 0, vec![(0, Some(12.0)), (30_000_000_000, None), (60_000_000_000, Some(40.0))])],
    ///     ..ChartSpec::default()
    /// };
    /// assert!(spec.to_svg(320.0, 160.0).contains("p95: last 40 ms, highest 40 ms"));
    /// ```
    pub fn to_svg(&self, width: f64, height: f64) -> String {
        let mut surface = SvgSurface::new(width, height);
        Plot::new(self, &surface).draw(self, &mut surface);
        surface.finish(&self.title, &self.describe())
    }

    /// One sentence per series: last and highest value.
    pub fn describe(&self) -> String {
        let sentence = |s: &Series| {
            let values = || s.points.iter().filter_map(|p| p.1);
            match (values().next_back(), values().reduce(f64::max)) {
                (Some(last), Some(top)) => {
                    format!("{}: last {}, highest {}.", s.name, self.unit.format(last), self.unit.format(top))
                }
                _ => format!("{}: no data.", s.name),
            }
        };
        self.series.iter().map(sentence).collect::<Vec<_>>().join(" ").replace('\u{2009}', " ")
    }
}

#[cfg(test)]
mod tests;
