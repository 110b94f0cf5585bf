//! The time range of a page, as its address says it.

use crate::address::Params;

/// One second in nanoseconds.
pub const SECOND: i64 = 1_000_000_000;

/// Names and lengths in seconds of the ranges offered.
pub const PRESETS: [(&str, i64); 10] = [
    ("5m", 300),
    ("15m", 900),
    ("30m", 1_800),
    ("1h", 3_600),
    ("3h", 10_800),
    ("6h", 21_600),
    ("12h", 43_200),
    ("24h", 86_400),
    ("7d", 604_800),
    ("30d", 2_592_000),
];

/// Which range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeRange {
    /// The last so many seconds.
    Last(i64),
    /// Between two moments, Unix milliseconds.
    Between(i64, i64),
}

impl Default for TimeRange {
    fn default() -> TimeRange {
        TimeRange::Last(900)
    }
}

/// Two moments in Unix nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// First inside.
    pub from: i64,
    /// First after.
    pub to: i64,
}

impl Window {
    /// Length in seconds.
    pub fn seconds(self) -> f64 {
        (self.to - self.from) as f64 / SECOND as f64
    }
}

impl TimeRange {
    /// `from` and `to`, else `range`, else the default.
    pub fn of(params: &Params) -> TimeRange {
        let millis = |name| params.get(name).and_then(|text| text.parse::<i64>().ok());
        match (millis("from"), millis("to")) {
            (Some(from), Some(to)) if from < to => TimeRange::Between(from, to),
            _ => params.get("range").and_then(seconds).map_or(TimeRange::default(), TimeRange::Last),
        }
    }

    /// Writes itself.
    pub fn write(self, params: &mut Params) {
        let (range, from, to) = match self {
            range if range == TimeRange::default() => (None, None, None),
            TimeRange::Last(seconds) => (Some(name(seconds)), None, None),
            TimeRange::Between(from, to) => (None, Some(from.to_string()), Some(to.to_string())),
        };
        params.set("range", range);
        params.set("from", from);
        params.set("to", to);
    }

    /// At a moment, Unix milliseconds.
    pub fn window(self, now_millis: i64) -> Window {
        let (from, to) = match self {
            TimeRange::Last(seconds) => (now_millis - seconds * 1000, now_millis),
            TimeRange::Between(from, to) => (from, to),
        };
        Window { from: from.saturating_mul(1_000_000), to: to.saturating_mul(1_000_000) }
    }

    /// The same at a moment, for whoever should see the same later. To whole milliseconds, as addresses have them.
    pub fn fixed(window: Window) -> TimeRange {
        let (from, to) = (window.from / 1_000_000, window.to / 1_000_000);
        TimeRange::Between(from, to.max(from + 1))
    }

    /// Ends now.
    pub fn is_moving(self) -> bool {
        matches!(self, TimeRange::Last(_))
    }
}

/// `15m`, `90s`, `2h`, `7d`.
pub fn name(seconds: i64) -> String {
    match seconds {
        s if s % 86_400 == 0 && s > 86_400 => format!("{}d", s / 86_400),
        s if s % 3_600 == 0 => format!("{}h", s / 3_600),
        s if s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

fn seconds(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(unit).filter(|seconds| (10..=366 * 86_400).contains(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_survive_the_address() {
        for range in
            PRESETS.map(|(_, seconds)| TimeRange::Last(seconds)).into_iter().chain([TimeRange::Between(1_000, 61_000)])
        {
            let mut params = Params::default();
            range.write(&mut params);
            assert_eq!(TimeRange::of(&params), range, "{}", params.query());
        }
        for (label, seconds) in PRESETS {
            assert_eq!(name(seconds), label);
        }
    }

    #[test]
    fn nonsense_is_the_default() {
        for query in
            ["range=", "range=m", "range=5y", "range=99999999999999d", "from=5&to=5", "from=a&to=b", "range=분"]
        {
            assert_eq!(TimeRange::of(&Params::parse(query)), TimeRange::default(), "{query}");
        }
        assert_eq!(TimeRange::Last(60).window(100_000), Window { from: 40_000_000_000, to: 100_000_000_000 });
    }
}
