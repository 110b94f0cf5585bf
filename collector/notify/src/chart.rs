//! The picture of a message: values over time, what they are compared with, and when it became pending and firing.

use orrery_api::alerting::{AlertPoint, ValueUnit};
use orrery_chart::{
    Align, Annotation, ChartSpec, Dash, Draw, Plot, Series, Shape, Stroke, Surface, SvgSurface, TextStyle, Theme,
    Threshold, Token, fit_text,
};
use resvg::{tiny_skia, usvg};
use std::sync::{Arc, OnceLock};

use crate::text;

/// Width in units of drawing. Not in pixels of the screen: on a phone the picture is 360 wide, and must be read there.
const WIDTH: f64 = 480.0;
/// Height of the field with its axis.
const FIELD: f64 = 178.0;
/// Height of the line above it.
const HEAD: f64 = 34.0;
/// Height of the line below it.
const FOOT: f64 = 12.0;
/// Pixels per unit.
const SCALE: f32 = 2.5;
/// Points that are drawn; of more, the newest.
const POINTS: usize = 10_000;

/// What is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChartInput {
    /// Above the values; left out if the font lacks a letter of it (it has Latin ones): the message says it anyway.
    pub title: String,
    /// In which values are.
    pub unit: ValueUnit,
    /// In order of time. `low` and `high` are a band where both are there, else a bound.
    pub points: Vec<AlertPoint>,
    /// What happened, in order of time.
    pub marks: Vec<Mark>,
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Unix nanoseconds.
    pub at_unix_nano: i64,
    /// What.
    pub what: MarkKind,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkKind {
    /// It became bad.
    Pending,
    /// It was bad for long enough.
    Firing,
    /// It is over.
    Resolved,
    /// A new version began to run.
    Deploy,
}

impl MarkKind {
    fn name(self) -> &'static str {
        match self {
            MarkKind::Pending => "pending",
            MarkKind::Firing => "firing",
            MarkKind::Resolved => "resolved",
            MarkKind::Deploy => "deploy",
        }
    }

    fn token(self) -> Token {
        match self {
            MarkKind::Pending => Token::Warn,
            MarkKind::Firing => Token::Err,
            MarkKind::Resolved => Token::Ok,
            MarkKind::Deploy => Token::Accent,
        }
    }
}

/// A PNG of 1200 × 560 pixels, to be shown at half that size, in light colours on white; times are in UTC.
///
/// `None` if there is no value, or none of a size that can be drawn. The same for the same input, on every machine: the
/// font is inside.
pub fn draw(input: &ChartInput) -> Option<Vec<u8>> {
    let svg = svg(input)?;
    let options = usvg::Options { fontdb: fonts(), font_family: FAMILY.to_owned(), ..usvg::Options::default() };
    let tree = usvg::Tree::from_str(&svg, &options).ok()?;
    let size = tree.size().to_int_size().scale_by(SCALE)?;
    let mut pixels = tiny_skia::Pixmap::new(size.width(), size.height())?;
    pixels.fill(tiny_skia::Color::WHITE);
    resvg::render(&tree, tiny_skia::Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    pixels.encode_png().ok()
}

const FAMILY: &str = "Orrery Sans";

fn fonts() -> Arc<usvg::fontdb::Database> {
    static FONTS: OnceLock<Arc<usvg::fontdb::Database>> = OnceLock::new();
    let load = || {
        let mut fonts = usvg::fontdb::Database::new();
        fonts.load_font_data(include_bytes!("../assets/orrery-sans-500.ttf").to_vec());
        fonts.load_font_data(include_bytes!("../assets/orrery-sans-600.ttf").to_vec());
        Arc::new(fonts)
    };
    FONTS.get_or_init(load).clone()
}

/// Whether the font has a letter.
fn has_letter(letter: char) -> bool {
    matches!(letter, ' '..='~' | '\u{a0}'..='ÿ') || "Δμ\u{2009}‐–—‘’“”•…′″₩€←↑→↓−√∞≈≠≤≥▲▶▼◆◇○●".contains(letter)
}

/// The picture as SVG, the colours and the font in it.
fn svg(input: &ChartInput) -> Option<String> {
    let spec = spec(input)?;
    let mut surface = SvgSurface::new(WIDTH, FIELD);
    let plot = Plot::new(&spec, &surface);
    band(input, &plot, &mut surface);
    plot.draw(&spec, &mut surface);
    names(input, &plot, &mut surface);
    let field = surface.finish("", "");

    let mut head = SvgSurface::new(WIDTH, HEAD + FIELD + FOOT);
    let now = input.points.iter().rev().find_map(|point| point.value.filter(|value| value.is_finite()));
    let now = now.map_or(String::new(), |now| text::value(now, input.unit));
    let style = TextStyle::new(Token::Text1, 13.0, 600);
    let room = WIDTH - 28.0 - head.measure(&now, &style) - 16.0;
    let title = text::line(&input.title, 200);
    if title.chars().all(has_letter) {
        let title = fit_text(&head, &title, room, &style);
        head.text(&title, 14.0, 22.0, &style);
    }
    head.text(&now, WIDTH - 14.0, 22.0, &style.align(Align::Right).ink(now_ink(input)));
    let foot = HEAD + FIELD + FOOT - 4.0;
    head.text("UTC", WIDTH - 14.0, foot, &TextStyle::new(Token::Text3, 10.0, 500).align(Align::Right));
    let outer = head.finish("", "");
    // The field below the head, in the same picture.
    let field = field.replacen("<svg ", &format!("<svg y=\"{HEAD}\" "), 1);
    Some(coloured(&outer.replacen("</svg>\n", &(field + "</svg>\n"), 1)))
}

/// The newest value is red while it is what fires.
fn now_ink(input: &ChartInput) -> Token {
    match input.marks.iter().rev().find(|mark| mark.what != MarkKind::Deploy).map(|mark| mark.what) {
        Some(MarkKind::Firing) => Token::Err,
        Some(MarkKind::Pending) => Token::Warn,
        _ => Token::Text1,
    }
}

/// Roles become the light theme's colours, the page's font ours.
fn coloured(svg: &str) -> String {
    let mut out = svg.to_owned();
    for token in Token::ALL {
        out = out.replace(token.css_var(), &token.rgb(Theme::Light).to_string());
    }
    let family = "font-family=\"";
    let Some(at) = out.find(family).map(|at| at + family.len()) else { return out };
    let Some(end) = out[at..].find('"') else { return out };
    let old = out[at..at + end].to_owned();
    out.replace(&format!("{family}{old}\""), &format!("{family}{FAMILY}\""))
}

fn usable(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.abs() < 1e60)
}

fn spec(input: &ChartInput) -> Option<ChartSpec> {
    let points = &input.points[input.points.len().saturating_sub(POINTS)..];
    let mut sorted: Vec<&AlertPoint> = points.iter().collect();
    sorted.sort_by_key(|point| point.time_unix_nano);
    let (from, to) = (sorted.first()?.time_unix_nano.0, sorted.last()?.time_unix_nano.0);
    let run = |of: fn(&AlertPoint) -> Option<f64>| -> Vec<(i64, Option<f64>)> {
        sorted.iter().map(|point| (point.time_unix_nano.0, usable(of(point)))).collect()
    };
    let values = run(|point| point.value);
    values.iter().find(|point| point.1.is_some())?;
    let mut series = Vec::new();
    let mut thresholds = Vec::new();
    for (side, is_band) in [(run(|point| point.low), has_band(input)), (run(|point| point.high), has_band(input))] {
        match constant(&side) {
            Some(value) if !is_band => thresholds.push(Threshold {
                value,
                label: format!("bound {}", text::value(value, input.unit)),
                ink: Token::Err.into(),
            }),
            None if side.iter().all(|point| point.1.is_none()) => {}
            _ => {
                let ink = if is_band { Token::Accent.alpha(0.35) } else { Token::Err.into() };
                series.push(Series { dash: Dash::Short, ..Series::line("", 0, side).ink(ink) });
            }
        }
    }
    let shape = if has_band(input) { Shape::Line } else { Shape::Area };
    series.push(Series::line("", 0, values).shape(shape).ink(Token::Accent));
    let minute = 60_000_000_000;
    let to = to.max(from.saturating_add(minute));
    let unit = text::chart_unit(input.unit);
    let step = typical_step(&sorted);
    Some(ChartSpec { from, to, unit, step, series, thresholds, annotations: marks(input, to), ..ChartSpec::default() })
}

/// The one value of a bound that does not change.
fn constant(side: &[(i64, Option<f64>)]) -> Option<f64> {
    let mut values = side.iter().filter_map(|point| point.1);
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

fn has_band(input: &ChartInput) -> bool {
    input.points.iter().any(|point| usable(point.low).is_some() && usable(point.high).is_some())
}

/// Distance of most neighbours: where points are further apart, there was no data.
fn typical_step(points: &[&AlertPoint]) -> Option<i64> {
    let mut gaps: Vec<i64> = points
        .windows(2)
        .map(|two| two[1].time_unix_nano.0.saturating_sub(two[0].time_unix_nano.0))
        .filter(|gap| *gap > 0)
        .collect();
    gaps.sort_unstable();
    gaps.get(gaps.len() / 2).map(|gap| gap.saturating_mul(2))
}

/// Moments, with the time that is pending or firing behind them. Their names have places of their own.
fn marks(input: &ChartInput, to: i64) -> Vec<Annotation> {
    let states: Vec<&Mark> = input.marks.iter().filter(|mark| mark.what != MarkKind::Deploy).collect();
    let end_of = |mark: &Mark| match mark.what {
        MarkKind::Pending | MarkKind::Firing => {
            let next = states.iter().find(|next| next.at_unix_nano > mark.at_unix_nano);
            Some(next.map_or(to, |next| next.at_unix_nano))
        }
        MarkKind::Resolved | MarkKind::Deploy => None,
    };
    let annotation = |mark: &Mark| Annotation {
        at: mark.at_unix_nano,
        until: end_of(mark),
        label: String::new(),
        ink: mark.what.token().into(),
    };
    drawn(input).iter().map(annotation).collect()
}

/// The newest moments: of more nobody could tell them apart.
fn drawn(input: &ChartInput) -> &[Mark] {
    const MOST: usize = 60;
    &input.marks[input.marks.len().saturating_sub(MOST)..]
}

/// Names of the moments, beside their lines where there is room between neighbours: right of it, or left.
fn names(input: &ChartInput, plot: &Plot, surface: &mut SvgSurface) {
    const GAP: f64 = 5.0;
    let area = plot.area;
    let style = TextStyle::new(Token::Text2, 11.0, 500);
    let marks: Vec<(f64, &Mark)> = drawn(input)
        .iter()
        .map(|mark| (plot.x(mark.at_unix_nano), mark))
        .filter(|(x, _)| (area.left..=area.right).contains(x))
        .collect();
    // Right end of what is taken.
    let mut taken = area.left;
    for (i, (x, mark)) in marks.iter().enumerate() {
        let width = surface.measure(mark.what.name(), &style) + 2.0 * GAP;
        let next = marks.get(i + 1).map_or(area.right, |next| next.0);
        let (at, align) = match () {
            () if x + width <= next => (x + GAP, Align::Left),
            () if x - width >= taken => (x - GAP, Align::Right),
            () => {
                taken = taken.max(*x);
                continue;
            }
        };
        surface.text(mark.what.name(), at, area.top + 9.0, &style.align(align));
        taken = if align == Align::Left { x + width } else { *x };
    }
}

/// What is usual, as a field behind the values.
fn band(input: &ChartInput, plot: &Plot, surface: &mut SvgSurface) {
    let inside: Vec<(f64, f64, f64)> = input
        .points
        .iter()
        .filter_map(|point| {
            let x = plot.x(point.time_unix_nano.0);
            Some((x.clamp(plot.area.left, plot.area.right), plot.y(usable(point.low)?), plot.y(usable(point.high)?)))
        })
        .collect();
    let upper = inside.iter().map(|at| (at.0, at.2));
    let lower = inside.iter().rev().map(|at| (at.0, at.1));
    let outline: Vec<(f64, f64)> = upper.chain(lower).collect();
    surface.polygon_path(&outline);
    if outline.len() > 2 {
        surface.fill(Token::Accent.alpha(0.10));
        surface.stroke(&Stroke::new(Token::Accent.alpha(0.15), 1.0));
    }
}

#[cfg(test)]
mod tests;
