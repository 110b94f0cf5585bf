//! Pictures for Orrery: charts, the service map and the trace waterfall, without a DOM.
//!
//! Everything draws on a [`Surface`], a tiny trait in CSS pixels. [`SvgSurface`] implements it here; the UI implements
//! it for a canvas context. Colours are roles ([`Ink`]), so one drawing serves both themes.
//!
//! * [`tokens`]: the colour table; [`tokens::css`] is the theme sheet.
//! * [`chart`]: [`ChartSpec`] → [`Plot`] → draw; [`Sparkline`]; [`Histogram`]; [`Heatmap`].
//! * [`topology`]: graph → stable layered [`topology::Layout`]; [`map`] draws it, its traffic, hits, zoom.
//! * [`waterfall`]: spans → rows, critical path, search; draws the visible window and the minimap.
//!
//! ```
//! use orrery_chart::{ChartSpec, Plot, Series, Surface, SvgSurface, Unit, draw_cursor};
//!
//! const SECOND: i64 = 1_000_000_000;
//! let spec = ChartSpec {
//!     title: "Requests".into(),
//!     from: 0,
//!     to: 60 * SECOND,
//!     unit: Unit::Requests,
//!     series: vec![Series::line("checkout", 0, vec![(0, Some(12.0)), (60 * SECOND, Some(48.0))])],
//!     ..ChartSpec::default()
//! };
//! let mut base = SvgSurface::new(640.0, 200.0); // in the browser: your canvas surface
//! let plot = Plot::new(&spec, &base);
//! plot.draw(&spec, &mut base);
//!
//! let mut overlay = SvgSurface::new(640.0, 200.0);
//! let values = draw_cursor(&plot, &spec, plot.time_at(620.0), &mut overlay);
//! assert_eq!(values[0].value, 48.0);
//! ```

pub mod backend;
pub mod chart;
pub mod flame;
pub mod map;
mod spread;
pub mod surface;
pub mod svg;
pub mod ticks;
pub mod tokens;
pub mod topology;
mod unit;
pub mod waterfall;

pub use backend::{Pen, SurfaceBackend};
pub use chart::{
    Annotation, Axes, Cell, ChartSpec, Flag, Heatmap, Histogram, Level, Mark, Plot, Series, Shape, Sparkline,
    SparklineShape, Threshold, ValueScale, draw_box, draw_brush, draw_cursor, draw_marks,
};
pub use surface::{Align, Dash, Draw, Face, Stroke, Surface, TextStyle, fit_text};
pub use svg::SvgSurface;
pub use ticks::{LocalTime, TimeTick};
pub use tokens::{Ink, Rgb, Theme, Token};
pub use unit::{Quantity, Unit, grouped};
