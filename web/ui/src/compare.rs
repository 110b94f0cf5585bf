//! Which range a map is compared with, as an address says it.

use crate::range::Window;

const MINUTE: i64 = 60_000_000_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// Which range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Just before, as long.
    Previous,
    /// The same time a day before.
    Day,
    /// The same time a week before.
    Week,
    /// Between two moments, Unix milliseconds.
    Between(i64, i64),
}

impl Comparison {
    /// Those that need no moments.
    pub const PRESETS: [Comparison; 3] = [Comparison::Previous, Comparison::Day, Comparison::Week];

    /// Reads an address.
    pub fn parse(text: &str) -> Option<Comparison> {
        match text {
            "previous" => Some(Comparison::Previous),
            "day" => Some(Comparison::Day),
            "week" => Some(Comparison::Week),
            moments => {
                let (from, to) = moments.split_once("..")?;
                let (from, to) = (from.parse().ok()?, to.parse().ok()?);
                (from < to).then_some(Comparison::Between(from, to))
            }
        }
    }

    /// Writes an address.
    pub fn address(self) -> String {
        match self {
            Comparison::Previous => "previous".to_owned(),
            Comparison::Day => "day".to_owned(),
            Comparison::Week => "week".to_owned(),
            Comparison::Between(from, to) => format!("{from}..{to}"),
        }
    }

    /// The window compared with one.
    pub fn window(self, now: Window) -> Window {
        let before = |by: i64| Window { from: now.from.saturating_sub(by), to: now.to.saturating_sub(by) };
        match self {
            Comparison::Previous => before(now.to - now.from),
            Comparison::Day => before(DAY),
            Comparison::Week => before(7 * DAY),
            Comparison::Between(from, to) => {
                Window { from: from.saturating_mul(1_000_000), to: to.saturating_mul(1_000_000) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_survive_the_address() {
        for comparison in Comparison::PRESETS.into_iter().chain([Comparison::Between(1_000, 61_000)]) {
            assert_eq!(Comparison::parse(&comparison.address()), Some(comparison));
        }
        for text in ["", "month", "5..5", "a..b", "..", "7"] {
            assert_eq!(Comparison::parse(text), None, "{text}");
        }
    }

    #[test]
    fn windows_lie_before() {
        let now = Window { from: 10 * DAY, to: 10 * DAY + 15 * MINUTE };
        let moved = |by: i64| Window { from: now.from - by, to: now.to - by };
        let windows = Comparison::PRESETS.map(|comparison| comparison.window(now));
        assert_eq!(windows, [moved(15 * MINUTE), moved(DAY), moved(7 * DAY)]);
        assert_eq!(Comparison::Between(1, 2).window(now), Window { from: 1_000_000, to: 2_000_000 });
    }
}
