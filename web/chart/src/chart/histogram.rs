//! Log records over time, stacked by severity.

use super::{ChartSpec, Series, Shape};
use crate::{
    tokens::{Ink, Token},
    unit::Unit,
};

/// OpenTelemetry's severity ranges. Order: worst first, which is also bottom first in the stack, so that errors
/// stand on the axis where their change can be seen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// 21 to 24.
    Fatal,
    /// 17 to 20.
    Error,
    /// 13 to 16.
    Warn,
    /// 9 to 12.
    Info,
    /// 5 to 8.
    Debug,
    /// 1 to 4.
    Trace,
    /// 0 or out of range.
    Unset,
}

impl Level {
    /// Worst first.
    pub const ALL: [Level; 7] =
        [Level::Fatal, Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Trace, Level::Unset];

    /// The range a `severity_number` falls into. Source: OpenTelemetry log data model.
    pub fn of(severity_number: i32) -> Level {
        match severity_number {
            21..=24 => Level::Fatal,
            17..=20 => Level::Error,
            13..=16 => Level::Warn,
            9..=12 => Level::Info,
            5..=8 => Level::Debug,
            1..=4 => Level::Trace,
            _ => Level::Unset,
        }
    }

    /// Lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Level::Fatal => "fatal",
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
            Level::Trace => "trace",
            Level::Unset => "unset",
        }
    }

    /// Colour role: only warnings and worse are coloured.
    pub fn ink(self) -> Ink {
        match self {
            Level::Fatal => Token::Err.into(),
            Level::Error => Token::Err.alpha(0.85),
            Level::Warn => Token::Warn.alpha(0.9),
            Level::Info => Token::Series1.alpha(0.75),
            Level::Debug => Token::Text3.alpha(0.55),
            Level::Trace | Level::Unset => Token::Text3.alpha(0.35),
        }
    }
}

/// Counts of log records per step and level.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Histogram {
    /// For screen readers.
    pub title: String,
    /// Left edge, unix nanoseconds.
    pub from: i64,
    /// Right edge, unix nanoseconds.
    pub to: i64,
    /// Width of one bar, nanoseconds.
    pub step: i64,
    /// The reader's clock, minutes ahead of UTC.
    pub utc_offset_minutes: i32,
    /// (start of the step, level, records), in any order; absent means none.
    pub counts: Vec<(i64, Level, u64)>,
}

impl Histogram {
    /// The chart that shows it: one bar series per level present, worst at the bottom.
    pub fn spec(&self) -> ChartSpec {
        let of_level = |level: Level| {
            let mut points: Vec<_> =
                self.counts.iter().filter(|c| c.1 == level).map(|c| (c.0, Some(c.2 as f64))).collect();
            points.sort_unstable_by_key(|p| p.0);
            Series { name: level.name().into(), ink: level.ink(), dash: Default::default(), shape: Shape::Bars, points }
        };
        ChartSpec {
            title: self.title.clone(),
            from: self.from,
            to: self.to,
            utc_offset_minutes: self.utc_offset_minutes,
            unit: Unit::Number,
            step: Some(self.step.max(1)),
            series: Level::ALL.into_iter().map(of_level).filter(|s| !s.points.is_empty()).collect(),
            ..ChartSpec::default()
        }
    }
}
