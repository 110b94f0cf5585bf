//! Where axes put their marks: round values and round local times, never more than fit.

use crate::unit::{Scale, Unit, with_minus};

/// One mark on a value axis.
#[derive(Clone, PartialEq, Debug)]
pub struct ValueTick {
    /// Position in the axis' unit.
    pub value: f64,
    /// What is written beside it; all labels of an axis share one scale (`0`, `500 ms`, `1000 ms`).
    pub label: String,
}

/// One mark on a time axis.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TimeTick {
    /// Unix nanoseconds.
    pub at: i64,
    /// Local time: `14:05`, `14:05:30`, `.250`, or a date at midnight: `11-20`.
    pub label: String,
    /// A date rather than a time of day.
    pub is_date: bool,
}

/// The axis range that holds `low..=high` and ends on ticks, and its ticks from below, at most `max` + 1.
pub fn value_ticks(low: f64, high: f64, max: usize, unit: &Unit) -> (f64, f64, Vec<ValueTick>) {
    // A span too small beside its distance from zero has no digits left to tell ticks apart.
    let least = low.abs().max(high.abs()) * 1e-9;
    let high = if high > low + least { high } else { low + least.max(unit.quiet_maximum()) };
    let scale = unit.scale_for(low.abs().max(high.abs()));
    let step = nice_step((high - low) / scale.divisor / max.max(1) as f64, unit, &scale);
    let first = (low / scale.divisor / step + 1e-9).floor();
    let last = (high / scale.divisor / step - 1e-9).ceil();
    let decimals = decimals_of(step);
    let ticks = (0..=(last - first) as usize)
        .map(|i| {
            let scaled = (first + i as f64) * step;
            let label = tick_label(scaled, decimals, &scale);
            ValueTick { value: scaled * scale.divisor, label }
        })
        .collect();
    (first * step * scale.divisor, last * step * scale.divisor, ticks)
}

/// Decades (and their 2 and 5 when there are few) between two positive values, each in its own best unit.
pub fn log_ticks(low: f64, high: f64, max: usize, unit: &Unit) -> Vec<ValueTick> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let few = (last - first) as usize * 3 <= max.max(3);
    let stride = ((last - first) as usize).div_ceil(max.max(1)).max(1);
    let steps: &[f64] = if few { &[1.0, 2.0, 5.0] } else { &[1.0] };
    (first..=last)
        .step_by(stride)
        .flat_map(|decade| steps.iter().map(move |s| s * 10f64.powi(decade)))
        .filter(|v| *v >= low * 0.999 && *v <= high * 1.001)
        .map(|value| ValueTick { value, label: unit.format(value).to_string() })
        .collect()
}

fn tick_label(scaled: f64, decimals: usize, scale: &Scale) -> String {
    match scaled {
        0.0 => "0".to_owned(),
        _ if scale.suffix.is_empty() => with_minus(scaled, decimals),
        _ => format!("{}\u{2009}{}", with_minus(scaled, decimals), scale.suffix),
    }
}

/// 1, 2, 5 × 10ⁿ; powers of two for bytes; clock-like steps for minutes and hours.
fn nice_step(raw: f64, unit: &Unit, scale: &Scale) -> f64 {
    if unit.is_binary() && raw > 1.0 {
        return 2f64.powf(raw.log2().ceil());
    }
    if unit.is_time() && matches!(scale.suffix.as_str(), "min" | "h") {
        let clock = [0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0];
        if let Some(step) = clock.into_iter().find(|s| *s >= raw) {
            return step;
        }
    }
    let power = 10f64.powf(raw.log10().floor());
    let lead = raw / power;
    power
        * if lead <= 1.0 + 1e-9 {
            1.0
        } else if lead <= 2.0 {
            2.0
        } else if lead <= 5.0 {
            5.0
        } else {
            10.0
        }
}

fn decimals_of(step: f64) -> usize {
    (0..9)
        .find(|d| {
            let s = step * 10f64.powi(*d);
            (s - s.round()).abs() < 1e-6 * s.max(1.0)
        })
        .unwrap_or(9) as usize
}

const MICRO: i64 = 1_000;
const MILLI: i64 = 1_000_000;
const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// A day in nanoseconds; daylight-saving changes are the caller's (one offset per chart).
const DAY: i64 = 24 * HOUR;

const STEPS: [i64; 39] = [
    1,
    2,
    5,
    10,
    20,
    50,
    100,
    200,
    500,
    MICRO,
    2 * MICRO,
    5 * MICRO,
    10 * MICRO,
    20 * MICRO,
    50 * MICRO,
    100 * MICRO,
    200 * MICRO,
    500 * MICRO,
    MILLI,
    5 * MILLI,
    10 * MILLI,
    50 * MILLI,
    100 * MILLI,
    250 * MILLI,
    500 * MILLI,
    SECOND,
    5 * SECOND,
    10 * SECOND,
    30 * SECOND,
    MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
];

/// Round local times strictly inside `from..=to` (unix nanoseconds), at most `max`.
///
/// `utc_offset_minutes` is what to add to UTC for the reader's clock (Seoul: 540). Labels grow no longer
/// than needed: seconds only below a minute's step, dates at midnight.
pub fn time_ticks(from: i64, to: i64, utc_offset_minutes: i32, max: usize) -> Vec<TimeTick> {
    let span = i128::from(to) - i128::from(from);
    if span <= 0 || max == 0 {
        return Vec::new();
    }
    let offset = i64::from(utc_offset_minutes) * MINUTE;
    let step = time_step(span, max);
    let local_from = i128::from(from) + i128::from(offset);
    let mut at = local_from.div_euclid(step) * step;
    let mut ticks = Vec::new();
    while at <= i128::from(to) + i128::from(offset) {
        if at >= local_from
            && let Ok(utc) = i64::try_from(at - i128::from(offset))
        {
            ticks.push(time_tick(utc, utc_offset_minutes, step));
        }
        at += step;
    }
    ticks
}

fn time_step(span: i128, max: usize) -> i128 {
    let wanted = span / max as i128;
    let fits = STEPS.iter().map(|s| i128::from(*s)).find(|s| *s > wanted);
    // Beyond the table: whole weeks, so that marks stay on one weekday.
    fits.unwrap_or_else(|| (wanted / i128::from(7 * DAY) + 1) * i128::from(7 * DAY))
}

fn time_tick(at: i64, utc_offset_minutes: i32, step: i128) -> TimeTick {
    let t = LocalTime::new(at, utc_offset_minutes);
    let is_date = t.nanos_of_day == 0;
    let label = if is_date {
        format!("{:02}-{:02}", t.month, t.day)
    } else if step >= i128::from(MINUTE) {
        t.hour_minute()
    } else if step >= i128::from(SECOND) {
        t.time_of_day(0)
    } else {
        // Below a second the fraction alone is read; the second itself is written in full.
        let digits = if step >= i128::from(MILLI) {
            3
        } else if step >= i128::from(MICRO) {
            6
        } else {
            9
        };
        if t.subsecond() == 0 { t.time_of_day(0) } else { t.fraction(digits) }
    };
    TimeTick { at, label, is_date }
}

/// A moment on the reader's clock, split into its fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LocalTime {
    /// Gregorian year.
    pub year: i64,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    /// Nanoseconds since local midnight.
    pub nanos_of_day: i64,
}

impl LocalTime {
    /// Splits unix nanoseconds at a fixed offset from UTC, in minutes.
    ///
    /// Source: days-to-civil after Howard Hinnant's `chrono`-compatible algorithms.
    pub fn new(unix_nanos: i64, utc_offset_minutes: i32) -> LocalTime {
        let local = i128::from(unix_nanos) + i128::from(utc_offset_minutes) * i128::from(MINUTE);
        let days = local.div_euclid(i128::from(DAY)) as i64;
        let nanos_of_day = local.rem_euclid(i128::from(DAY)) as i64;
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = (doy - (153 * mp + 2) / 5 + 1) as u32;
        let month = if mp < 10 { mp + 3 } else { mp - 9 } as u32;
        let year = yoe + era * 400 + i64::from(month <= 2);
        LocalTime { year, month, day, nanos_of_day }
    }

    /// `2026-11-20`.
    pub fn date(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }

    /// `14:05`.
    pub fn hour_minute(&self) -> String {
        format!("{:02}:{:02}", self.nanos_of_day / HOUR, self.nanos_of_day / MINUTE % 60)
    }

    /// `14:05:30`, with `digits` (0 to 9) of the fraction: `14:05:30.250`.
    pub fn time_of_day(&self, digits: usize) -> String {
        let fraction = if digits > 0 { self.fraction(digits) } else { String::new() };
        format!("{}:{:02}{fraction}", self.hour_minute(), self.nanos_of_day / SECOND % 60)
    }

    fn subsecond(&self) -> i64 {
        self.nanos_of_day % SECOND
    }

    fn fraction(&self, digits: usize) -> String {
        let nanos = format!("{:09}", self.subsecond());
        format!(".{}", &nanos[..digits.min(9)])
    }
}

#[cfg(test)]
mod tests;
