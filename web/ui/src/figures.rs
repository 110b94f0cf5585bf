//! How times and ages are written. Quantities are [`orrery_chart::Unit`]'s business.

use crate::range::{SECOND, TimeRange, Window};
use crate::words::{Phrase, say, t, tf};
use orrery_chart::LocalTime;
pub use orrery_chart::grouped;
use std::sync::atomic::{AtomicI32, Ordering};

static UTC_OFFSET_MINUTES: AtomicI32 = AtomicI32::new(0);

/// Tells the reader's clock, minutes ahead of UTC.
pub fn set_utc_offset(minutes: i32) {
    UTC_OFFSET_MINUTES.store(minutes, Ordering::Relaxed);
}

/// The reader's clock, minutes ahead of UTC.
pub fn utc_offset() -> i32 {
    UTC_OFFSET_MINUTES.load(Ordering::Relaxed)
}

/// `2026-11-20 09:53:41.123`.
pub fn date_time(nanos: i64) -> String {
    let local = LocalTime::new(nanos, utc_offset());
    format!("{} {}", local.date(), local.time_of_day(3))
}

/// `09:53:41.123`.
pub fn time_millis(nanos: i64) -> String {
    LocalTime::new(nanos, utc_offset()).time_of_day(3)
}

/// `09:53:41`.
pub fn time(nanos: i64) -> String {
    LocalTime::new(nanos, utc_offset()).time_of_day(0)
}

/// How long ago, in words: `12 s ago`. The future, from clocks that run ahead, is `now`.
pub fn ago(nanos: i64, now_nanos: i64) -> String {
    let (count, unit) = coarse((now_nanos - nanos) / SECOND);
    if count < 1 { t(say::NOW).to_owned() } else { tf(unit.1, &[("n", &count.to_string())]) }
}

type Ages = (Phrase, Phrase);

fn coarse(seconds: i64) -> (i64, Ages) {
    match seconds {
        s if s < 60 => (s, (say::LAST_SECONDS, say::SECONDS_AGO)),
        s if s < 3_600 => (s / 60, (say::LAST_MINUTES, say::MINUTES_AGO)),
        s if s < 86_400 => (s / 3_600, (say::LAST_HOURS, say::HOURS_AGO)),
        s => (s / 86_400, (say::LAST_DAYS, say::DAYS_AGO)),
    }
}

/// `last 15 min`, or the two moments.
pub fn range_label(range: TimeRange) -> String {
    match range {
        TimeRange::Last(86_400) => tf(say::LAST_HOURS, &[("n", "24")]),
        TimeRange::Last(seconds) => {
            let (count, unit) = coarse(seconds);
            tf(unit.0, &[("n", &count.to_string())])
        }
        TimeRange::Between(..) => window_label(range.window(0)),
    }
}

/// `09:30:00 – 09:45:00`, with dates where they differ or are not `today`'s.
pub fn window_label(window: Window) -> String {
    let (from, to) = (LocalTime::new(window.from, utc_offset()), LocalTime::new(window.to, utc_offset()));
    let end = if from.date() == to.date() { to.time_of_day(0) } else { format!("{} {}", to.date(), to.time_of_day(0)) };
    format!("{} {} – {end}", from.date(), from.time_of_day(0))
}

/// `YYYY-MM-DDTHH:MM:SS` as an input of type `datetime-local` takes it.
pub fn input_value(nanos: i64) -> String {
    let local = LocalTime::new(nanos, utc_offset());
    format!("{:04}-{:02}-{:02}T{}", local.year, local.month, local.day, local.time_of_day(0))
}

/// Long identifiers differ at both ends: `payment-…-7f9c`.
pub fn middle(text: &str, most: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= most {
        return text.to_owned();
    }
    let head = (most - 1).div_ceil(2);
    let tail = most - 1 - head;
    chars[..head].iter().chain(['…'].iter()).chain(&chars[chars.len() - tail..]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_coarse() {
        let at = |seconds: i64| ago(0, seconds * SECOND);
        assert_eq!(
            [at(-5), at(0), at(12), at(59), at(60), at(7_200), at(200_000)],
            ["now", "now", "12 s ago", "59 s ago", "1 min ago", "2 h ago", "2 d ago"]
        );
    }

    #[test]
    fn ranges_have_labels() {
        assert_eq!(range_label(TimeRange::Last(900)), "last 15 min");
        assert_eq!(range_label(TimeRange::Last(86_400)), "last 24 h");
        assert!(range_label(TimeRange::Between(0, 60_000)).contains('–'));
        assert_eq!(input_value(1_763_600_000 * SECOND).len(), 19);
    }

    #[test]
    fn names_lose_their_middle() {
        assert_eq!(middle("payment", 10), "payment");
        assert_eq!(middle("payment-service-7f9c", 9), "paym…7f9c");
    }
}
