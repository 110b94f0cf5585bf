//! Lengths of time as people write them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Whole seconds, written `90s`, `5m`, `1h30m`, `7d`, `2w`; `0s` is none. At most 400 days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^([0-9]+[smhdw])+$", examples("5m")))]
pub struct Period(pub u32);

/// Units, the longest first. Weeks are read but not written.
const UNITS: [(char, u32); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
const WEEK: u32 = 7 * 86_400;
/// Longest there is.
const MOST: u32 = 400 * 86_400;

impl Period {
    /// So many seconds.
    pub const fn seconds(seconds: u32) -> Period {
        Period(seconds)
    }

    /// So many minutes.
    pub const fn minutes(minutes: u32) -> Period {
        Period(minutes * 60)
    }

    /// So many hours.
    pub const fn hours(hours: u32) -> Period {
        Period(hours * 3_600)
    }

    /// So many days.
    pub const fn days(days: u32) -> Period {
        Period(days * 86_400)
    }

    /// In nanoseconds.
    pub const fn nanos(self) -> i64 {
        self.0 as i64 * 1_000_000_000
    }

    /// Whether it is none at all.
    pub const fn is_zero(&self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut left = self.0;
        for (unit, seconds) in UNITS {
            if left >= seconds {
                write!(f, "{}{unit}", left / seconds)?;
                left %= seconds;
            }
        }
        Ok(())
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Period, String> {
        let wrong = || format!("`{text}` is no length of time; write it like 90s, 5m, 1h30m or 7d, up to 400d");
        let (mut total, mut number) = (0_u32, None::<u32>);
        for letter in text.trim().chars() {
            if let Some(digit) = letter.to_digit(10) {
                let so_far = number.unwrap_or(0).checked_mul(10).and_then(|ten| ten.checked_add(digit));
                number = Some(so_far.ok_or_else(wrong)?);
                continue;
            }
            let unit = match letter {
                'w' => WEEK,
                _ => UNITS.iter().find(|(unit, _)| *unit == letter).ok_or_else(wrong)?.1,
            };
            let part = number.take().ok_or_else(wrong)?.checked_mul(unit).ok_or_else(wrong)?;
            total = total.checked_add(part).ok_or_else(wrong)?;
        }
        if number.is_some() || text.trim().is_empty() || total > MOST { Err(wrong()) } else { Ok(Period(total)) }
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Period, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (text, seconds) in
            [("0s", 0), ("90s", 90), ("5m", 300), ("1h30m", 5_400), ("7d", 604_800), ("2w", 1_209_600)]
        {
            let period: Period = text.parse().unwrap();
            assert_eq!(period.0, seconds, "{text}");
            assert_eq!(period.to_string().parse(), Ok(period), "{text}");
        }
        assert_eq!(Period(90).to_string(), "1m30s");
        for wrong in ["", "5", "m", "5 m", "5x", "-5m", "5m3", "99999999999s", "401d"] {
            assert!(wrong.parse::<Period>().is_err(), "{wrong}");
        }
    }
}
