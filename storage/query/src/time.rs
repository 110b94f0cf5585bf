//! Time ranges.

use serde::{Deserialize, Serialize};

/// A half-open range of time, `from <= t < to`, in Unix nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TimeRange {
    /// First instant inside.
    pub from: i64,
    /// First instant after.
    pub to: i64,
}

impl TimeRange {
    /// Everything that can be stored.
    pub const ALL: TimeRange = TimeRange { from: i64::MIN, to: i64::MAX };

    /// The range, or `None` if it would be empty.
    pub fn new(from: i64, to: i64) -> Option<TimeRange> {
        (from < to).then_some(TimeRange { from, to })
    }

    /// Whether `time` lies inside.
    pub fn contains(self, time: i64) -> bool {
        self.from <= time && time < self.to
    }

    /// Length in nanoseconds, saturating.
    pub fn nanos(self) -> i64 {
        self.to.saturating_sub(self.from)
    }

    /// Whether the two share an instant.
    pub fn overlaps(self, other: TimeRange) -> bool {
        self.from < other.to && other.from < self.to
    }
}

impl std::fmt::Display for TimeRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}..{}", self.from, self.to)
    }
}

/// Reads a duration as people write it: `250ms`, `1.5s`, `2m`, `1h`, `30d`, `4us`, `10ns`, or a bare number of nanoseconds.
/// Returns nanoseconds.
///
/// # Errors
/// What would be right, in plain words. Negative and overlong durations are wrong too.
pub fn duration_nanos(text: &str) -> Result<i64, String> {
    let expected = || format!("`{text}` is no duration; write it like 250ms, 1.5s, 10m, 2h or 30d");
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let scale: f64 = match unit {
        "" | "ns" => 1.0,
        "us" | "µs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" | "min" => 60e9,
        "h" => 3600e9,
        "d" => 86400e9,
        "w" => 7.0 * 86400e9,
        _ => return Err(expected()),
    };
    if let (Ok(whole), 1.0) = (number.parse::<i64>(), scale) {
        return Ok(whole);
    }
    let nanos = number.parse::<f64>().map_err(|_| expected())? * scale;
    if nanos <= i64::MAX as f64 / 2.0 { Ok(nanos.round() as i64) } else { Err(expected()) }
}

/// Nanoseconds as [`duration_nanos`] reads them, in the largest unit without a fraction.
pub fn duration_text(nanos: i64) -> String {
    const UNITS: [(&str, i64); 6] = [
        ("d", 86_400_000_000_000),
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
    ];
    let (unit, scale) = UNITS.into_iter().find(|(_, scale)| nanos % scale == 0).unwrap_or(("ns", 1));
    if nanos == 0 { "0s".to_owned() } else { format!("{}{unit}", nanos / scale) }
}
