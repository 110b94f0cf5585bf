//! Where a chart's parts go, and the way back from pixels to times and values.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged};

use super::{Axes, ChartSpec, Shape, ValueScale, series};
use crate::{
    spread::spread,
    surface::{Surface, TextStyle},
    ticks::{TimeTick, ValueTick, log_ticks, time_ticks, value_ticks},
    tokens::Token,
    unit::Unit,
};

/// The field inside the axes, in CSS pixels.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Area {
    /// Left edge.
    pub left: f64,
    /// Top edge.
    pub top: f64,
    /// Right edge.
    pub right: f64,
    /// Bottom edge.
    pub bottom: f64,
}

impl Area {
    /// Width, never negative.
    pub fn width(&self) -> f64 {
        (self.right - self.left).max(0.0)
    }

    /// Height, never negative.
    pub fn height(&self) -> f64 {
        (self.bottom - self.top).max(0.0)
    }

    /// Whether the point is inside or on the edge.
    pub fn contains(&self, x: f64, y: f64) -> bool {
        (self.left..=self.right).contains(&x) && (self.top..=self.bottom).contains(&y)
    }
}

/// Time as a plotters coordinate.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct TimeAxis {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl TimeAxis {
    fn share(&self, at: i64) -> f64 {
        (at as f64 - self.from as f64) / (self.to as f64 - self.from as f64).max(1.0)
    }

    fn at(&self, share: f64) -> i64 {
        let span = i128::from(self.to) - i128::from(self.from);
        let at = i128::from(self.from) + (span as f64 * share) as i128;
        at.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
    }
}

/// Values as a plotters coordinate; outside values stick to the edges.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct ValueAxis {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) log: bool,
}

impl ValueAxis {
    fn share(&self, value: f64) -> f64 {
        let of = |v: f64| if self.log { v.max(self.low).ln() } else { v };
        (of(value) - of(self.low)) / (of(self.high) - of(self.low))
    }

    fn value(&self, share: f64) -> f64 {
        if self.log {
            return self.low * (self.high / self.low).powf(share);
        }
        self.low + (self.high - self.low) * share
    }
}

fn along(share: f64, limit: (i32, i32)) -> i32 {
    (f64::from(limit.0) + share.clamp(0.0, 1.0) * f64::from(limit.1 - limit.0)).round() as i32
}

impl Ranged for TimeAxis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = i64;

    fn map(&self, value: &i64, limit: (i32, i32)) -> i32 {
        along(self.share(*value), limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<i64> {
        time_ticks(self.from, self.to, 0, hint.max_num_points()).into_iter().map(|t| t.at).collect()
    }

    fn range(&self) -> Range<i64> {
        self.from..self.to
    }
}

impl Ranged for ValueAxis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        along(self.share(*value), limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        value_ticks(self.low, self.high, hint.max_num_points(), &Unit::Number).2.into_iter().map(|t| t.value).collect()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

/// A value close to a moment: what a tooltip lists and a cursor marks.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Near {
    /// Index into [`ChartSpec::series`].
    pub series: usize,
    /// The value's own time, unix nanoseconds.
    pub at: i64,
    /// The value itself, not the top of its stack.
    pub value: f64,
    /// Where it is drawn, CSS pixels.
    pub x: f64,
    /// Where it is drawn, CSS pixels; the top of its segment for bars.
    pub y: f64,
}

/// A laid-out chart: fixed until data, range or size change.
#[derive(Clone, PartialEq, Debug)]
pub struct Plot {
    /// The field inside the axes.
    pub area: Area,
    pub(crate) time: TimeAxis,
    pub(crate) value: ValueAxis,
    pub(crate) value_ticks: Vec<ValueTick>,
    pub(crate) time_ticks: Vec<TimeTick>,
    /// (series, y) of the names at the lines' ends.
    pub(crate) end_labels: Vec<(usize, f64)>,
}

pub(crate) const AXIS_TEXT: f64 = 11.0;
const TIME_ROW: f64 = 20.0;
const TOP: f64 = 8.0;
const FLAG_ROW: f64 = 12.0;
/// Vertical distance of two value ticks, at least.
const TICK_GAP: f64 = 34.0;
const END_LABEL_GAP: f64 = 14.0;

pub(crate) fn axis_style() -> TextStyle {
    TextStyle::new(Token::Text3, AXIS_TEXT, 500)
}

impl Plot {
    /// Lays a chart out on a surface of this size, measuring labels with it. Draws nothing.
    pub fn new<S: Surface + ?Sized>(spec: &ChartSpec, surface: &S) -> Plot {
        Plot::below(TOP, spec, surface)
    }

    /// The same with a row above it for [flags](Plot::flags).
    pub fn below_flags<S: Surface + ?Sized>(spec: &ChartSpec, surface: &S) -> Plot {
        Plot::below(TOP + FLAG_ROW, spec, surface)
    }

    fn below<S: Surface + ?Sized>(top: f64, spec: &ChartSpec, surface: &S) -> Plot {
        let (width, height) = surface.size();
        let measure = |text: &str| surface.measure(text, &axis_style());
        let bottom = (height - TIME_ROW).max(top + 1.0);
        let (value, value_ticks) = value_axis(spec, ((bottom - top) / TICK_GAP) as usize);
        let widest = value_ticks.iter().map(|t| measure(&t.label)).fold(0.0, f64::max);
        let left = if spec.axes == Axes::Both { widest.ceil() + 10.0 } else { 1.0 };
        let right = (width - end_gutter(spec, measure, width)).max(left + 1.0);
        let area = Area { left, top, right, bottom };
        let time = TimeAxis { from: spec.from, to: spec.to.max(spec.from.saturating_add(1)) };
        let room = measure("00:00:00") + 28.0;
        let time_ticks = time_ticks(time.from, time.to, spec.utc_offset_minutes, (area.width() / room) as usize);
        let mut plot = Plot { area, time, value, value_ticks, time_ticks, end_labels: Vec::new() };
        plot.end_labels = plot.place_end_labels(spec);
        plot
    }

    /// First and last moment, unix nanoseconds.
    pub fn range(&self) -> (i64, i64) {
        (self.time.from, self.time.to)
    }

    /// x of a time, CSS pixels; outside the area for times outside the range.
    pub fn x(&self, at: i64) -> f64 {
        self.area.left + self.time.share(at) * self.area.width()
    }

    /// The time under x, unix nanoseconds, clamped to the chart's range.
    pub fn time_at(&self, x: f64) -> i64 {
        self.time.at(((x - self.area.left) / self.area.width().max(1.0)).clamp(0.0, 1.0))
    }

    /// y of a value, CSS pixels, clamped to the area.
    pub fn y(&self, value: f64) -> f64 {
        self.area.bottom - self.value.share(value).clamp(0.0, 1.0) * self.area.height()
    }

    /// The value at y, in the chart's unit, clamped to the axis.
    pub fn value_at(&self, y: f64) -> f64 {
        self.value.value(((self.area.bottom - y) / self.area.height().max(1.0)).clamp(0.0, 1.0))
    }

    /// Lowest and highest value of the axis.
    pub fn value_range(&self) -> (f64, f64) {
        (self.value.low, self.value.high)
    }

    /// Per series the value closest to `at`, in series order; series without one nearby are left out.
    ///
    /// Nearby is within one step, or 24 px if the spec names no step: a gap reads as a gap. Bars count from
    /// their start to their end.
    pub fn nearest(&self, spec: &ChartSpec, at: i64) -> Vec<Near> {
        let bars = series::stack(spec);
        let width = series::bar_step(spec);
        let reach = spec.step.unwrap_or_else(|| self.time_at(self.area.left + 24.0).saturating_sub(self.time.from));
        let near = |(i, s): (usize, &super::Series)| {
            if s.shape == Shape::Bars {
                let bar = bars.iter().find(|b| b.series == i && (b.at..b.at.saturating_add(width)).contains(&at))?;
                let x = self.x(bar.at.saturating_add(width / 2));
                return Some(Near { series: i, at: bar.at, value: bar.top - bar.base, x, y: self.y(bar.top) });
            }
            let (time, value) = closest(&s.points, at).filter(|p| (p.0.abs_diff(at)) <= reach.unsigned_abs())?;
            Some(Near { series: i, at: time, value, x: self.x(time), y: self.y(value) })
        };
        spec.series.iter().enumerate().filter_map(near).collect()
    }

    /// The (series, point index) of the dot nearest to a point on screen, within 12 px; of [`Shape::Dots`] series only.
    pub fn dot_at(&self, spec: &ChartSpec, x: f64, y: f64) -> Option<(usize, usize)> {
        let of = |(k, s): (usize, &super::Series)| {
            series::dots(s, spec).map(|d| ((self.x(d.0) - x).hypot(self.y(d.1) - y), (k, d.2))).collect::<Vec<_>>()
        };
        let dotted = spec.series.iter().enumerate().filter(|(_, s)| s.shape == Shape::Dots);
        let near = dotted.flat_map(of).filter(|d| d.0 <= 12.0);
        near.min_by(|a, b| a.0.total_cmp(&b.0)).map(|d| d.1)
    }

    fn place_end_labels(&self, spec: &ChartSpec) -> Vec<(usize, f64)> {
        if !has_end_labels(spec) {
            return Vec::new();
        }
        let last = |s: &super::Series| series::runs(s, spec).last().and_then(|run| run.last().map(|p| self.y(p.1)));
        let mut ends: Vec<(usize, f64)> =
            spec.series.iter().enumerate().filter_map(|(i, s)| Some((i, last(s)?))).collect();
        ends.sort_by(|a, b| a.1.total_cmp(&b.1));
        let wanted: Vec<(f64, f64)> = ends.iter().map(|e| (e.1, 1.0)).collect();
        let ys = spread(&wanted, |_| END_LABEL_GAP, self.area.top + 4.0, self.area.bottom - 4.0);
        ends.iter().zip(ys).map(|(end, y)| (end.0, y)).collect()
    }
}

/// The present value closest in time.
fn closest(points: &[super::Point], at: i64) -> Option<(i64, f64)> {
    let split = points.partition_point(|p| p.0 < at);
    let present = |p: &super::Point| p.1.filter(|v| v.is_finite()).map(|v| (p.0, v));
    let candidates = points[..split].iter().rev().take(1).chain(points[split..].iter().take(1));
    candidates.filter_map(present).min_by_key(|p| p.0.abs_diff(at))
}

fn has_end_labels(spec: &ChartSpec) -> bool {
    spec.end_labels
        && spec.series.len() <= 4
        && spec.series.iter().all(|s| matches!(s.shape, Shape::Line | Shape::Area))
}

fn end_gutter(spec: &ChartSpec, measure: impl Fn(&str) -> f64, width: f64) -> f64 {
    if !has_end_labels(spec) {
        return 10.0;
    }
    let widest = spec.series.iter().map(|s| measure(&s.name)).fold(0.0, f64::max);
    (widest + 14.0).min(width * 0.3).max(10.0)
}

fn value_axis(spec: &ChartSpec, max_ticks: usize) -> (ValueAxis, Vec<ValueTick>) {
    let max_ticks = max_ticks.clamp(1, 6);
    let (low, high) = series::extent(spec).unwrap_or((0.0, 0.0));
    match spec.scale {
        ValueScale::Log if high > 0.0 => {
            let low = if low > 0.0 { low } else { high / 1e3 };
            let (low, high) = (10f64.powf(low.log10().floor()), 10f64.powf(high.log10().ceil()));
            let high = if high > low { high } else { low * 10.0 };
            (ValueAxis { low, high, log: true }, log_ticks(low, high, max_ticks, &spec.unit))
        }
        scale => {
            let low = if scale == ValueScale::Fit { low } else { low.min(0.0) };
            let (low, high, ticks) = value_ticks(low, high, max_ticks, &spec.unit);
            (ValueAxis { low, high, log: false }, ticks)
        }
    }
}
