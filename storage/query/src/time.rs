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
