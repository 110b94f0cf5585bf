//! Times and durations as people write them.

pub(crate) use orrery_query::time::duration_nanos;
use std::time::Duration;

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// The same as a [`Duration`].
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    duration_nanos(text).map(|nanos| Duration::from_nanos(nanos.unsigned_abs()))
}

/// Reads an instant: Unix nanoseconds, RFC 3339, `now`, or `now` minus or plus a duration such as `now-15m`.
/// Returns Unix nanoseconds.
///
/// # Errors
/// What would be right, in plain words. Numbers that can only be seconds, milli- or microseconds are refused:
/// answering about 1970 would look like "no data".
pub(crate) fn instant(text: &str, now: i64) -> Result<i64, String> {
    if let Some(offset) = text.strip_prefix("now") {
        return relative(offset, now).ok_or_else(|| format!("`{text}` is no time; write it like now-15m"));
    }
    if let Ok(number) = text.parse::<i64>() {
        return match number {
            1_000_000_000..100_000_000_000 => {
                Err(format!("{text} looks like seconds; Unix nanoseconds are wanted: {text}000000000"))
            }
            100_000_000_000..100_000_000_000_000 => {
                Err(format!("{text} looks like milliseconds; Unix nanoseconds are wanted: {text}000000"))
            }
            100_000_000_000_000..100_000_000_000_000_000 => {
                Err(format!("{text} looks like microseconds; Unix nanoseconds are wanted: {text}000"))
            }
            nanos => Ok(nanos),
        };
    }
    rfc3339(text)
        .ok_or_else(|| format!("`{text}` is no time; write Unix nanoseconds, 2026-11-20T09:30:00Z, or now-15m"))
}

fn relative(offset: &str, now: i64) -> Option<i64> {
    if offset.is_empty() {
        return Some(now);
    }
    // A `+` in a query string arrives as a space unless it was escaped.
    let (sign, length) = (offset.chars().next()?, &offset[1..]);
    // Without a unit this would be nanoseconds, which nobody means.
    let nanos = duration_nanos(length).ok().filter(|_| length.ends_with(|c: char| c.is_alphabetic()))?;
    match sign {
        '-' => Some(now.saturating_sub(nanos)),
        '+' | ' ' => Some(now.saturating_add(nanos)),
        _ => None,
    }
}

/// RFC 3339 date and time with `Z` or a numeric offset. Leap seconds count as the second after.
fn rfc3339(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let punctuated = bytes.len() >= 20
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && matches!(bytes[10], b'T' | b't' | b' ')
        && bytes[13] == b':'
        && bytes[16] == b':';
    if !punctuated || !text.is_ascii() {
        return None;
    }
    let field = |at: std::ops::Range<usize>, allowed: std::ops::RangeInclusive<i64>| {
        number(&text[at]).filter(|value| allowed.contains(value))
    };
    let (year, month, day) = (field(0..4, 0..=9999)?, field(5..7, 1..=12)?, field(8..10, 1..=31)?);
    let (hour, minute, second) = (field(11..13, 0..=23)?, field(14..16, 0..=59)?, field(17..19, 0..=60)?);
    if day > days_in_month(year, month) {
        return None;
    }
    let (fraction, zone) = fraction(&text[19..])?;
    let seconds = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - zone_seconds(zone)?;
    seconds.checked_mul(NANOS_PER_SECOND)?.checked_add(fraction)
}

/// Splits `.123Z` into nanoseconds and zone. Digits past the ninth are below our resolution.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((0, text)) };
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    let digits = &rest[..end.min(9)];
    let nanos = number(digits)? * 10_i64.pow(9 - digits.len() as u32);
    Some((nanos, &rest[end..]))
}

fn zone_seconds(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' | b' ' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone[1..].split_once(':')?;
    Some(sign * (number(hours)? * 3600 + number(minutes)? * 60))
}

fn number(digits: &str) -> Option<i64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days_from_civil(next.0, next.1, 1) - days_from_civil(year, month, 1)
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar.
///
/// Source: Howard Hinnant, "chrono-compatible low-level date algorithms", `days_from_civil`.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_763_600_000_000_000_000;

    #[test]
    fn durations_as_people_write_them() {
        for (text, nanos) in [
            ("250ms", 250_000_000),
            ("1.5s", 1_500_000_000),
            ("10m", 600_000_000_000),
            ("42", 42),
            ("30d", 30 * 86_400_000_000_000),
            ("0s", 0),
        ] {
            assert_eq!(duration_nanos(text), Ok(nanos), "{text}");
        }
        for text in ["", "s", "-5s", "5 s", "5y", "1.2.3s", "1e9", "99999999999999w"] {
            assert!(duration_nanos(text).is_err(), "{text}");
        }
    }

    #[test]
    fn instants_as_people_write_them() {
        for (text, nanos) in [
            ("now", NOW),
            ("now-15m", NOW - 900_000_000_000),
            ("now+1s", NOW + 1_000_000_000),
            ("1763600000000000001", 1_763_600_000_000_000_001),
            ("2025-11-20T00:53:20Z", NOW),
            ("2025-11-20T09:53:20.5+09:00", NOW + 500_000_000),
            ("1970-01-01T00:00:00Z", 0),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000_000_000),
            ("1969-12-31T23:59:59.000000001Z", -999_999_999),
        ] {
            assert_eq!(instant(text, NOW), Ok(nanos), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "now-",
            "now-15",
            "now*2s",
            "2025-13-01T00:00:00Z",
            "2025-02-29T00:00:00Z",
            "2025-11-20T00:53:20",
            "2025-11-20",
        ] {
            assert!(instant(text, NOW).is_err(), "{text}");
        }
        assert!(instant("1763600000", NOW).unwrap_err().contains("seconds"));
        assert!(instant("1763600000000", NOW).unwrap_err().contains("milliseconds"));
    }
}
