//! Which alerts something is about, and when a silence holds.

use orrery_api::alerting::{MatchOperator, Matcher, Silence, Weekday, Weekly};
use regex::Regex;
use std::collections::BTreeMap;

const MINUTE: i64 = 60_000_000_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// Conditions on labels, ready to be asked.
#[derive(Clone, Debug, Default)]
pub struct Matchers {
    all: Vec<(Matcher, Option<Regex>)>,
}

impl Matchers {
    /// # Errors
    /// A regular expression is none: says which, and why.
    pub fn new(matchers: &[Matcher]) -> Result<Matchers, String> {
        let compiled = |matcher: &Matcher| {
            let regex = match matcher.operator {
                MatchOperator::Equal | MatchOperator::NotEqual => None,
                // It must match as a whole, as in Prometheus.
                MatchOperator::Like | MatchOperator::Unlike => {
                    let whole = Regex::new(&format!("^(?:{})$", matcher.value));
                    Some(whole.map_err(|error| format!("{matcher}: {error}"))?)
                }
            };
            Ok((matcher.clone(), regex))
        };
        Ok(Matchers { all: matchers.iter().map(compiled).collect::<Result<_, String>>()? })
    }

    /// Whether all hold; none always do. A label that is not there is the empty text.
    pub fn hold(&self, labels: &BTreeMap<String, String>) -> bool {
        self.all.iter().all(|(matcher, regex)| {
            let value = labels.get(&matcher.name).map_or("", String::as_str);
            let is_like = regex.as_ref().map_or(value == matcher.value, |regex| regex.is_match(value));
            is_like == matches!(matcher.operator, MatchOperator::Equal | MatchOperator::Like)
        })
    }
}

/// Until when a silence holds that holds at `at`; `None` if it does not. Times are Unix nanoseconds.
pub fn silence_holds(silence: &Silence, at: i64) -> Option<i64> {
    let (from, to) = (silence.from_unix_nano.0, silence.to_unix_nano.0);
    if !(from..to).contains(&at) {
        return None;
    }
    match &silence.weekly {
        None => Some(to),
        Some(weekly) => window_holds(weekly, at).map(|until| until.min(to)),
    }
}

/// Until when a weekly window holds that holds at `at`.
fn window_holds(weekly: &Weekly, at: i64) -> Option<i64> {
    let offset = i64::from(weekly.utc_offset_minutes) * MINUTE;
    let begin = i64::from(minute_of_day(&weekly.begin)?) * MINUTE;
    let lasts = weekly.lasts.nanos();
    let local = at.saturating_add(offset);
    let today = local.div_euclid(DAY);
    // A window may last a week: it may have begun on any of the eight days up to today.
    (today - 7..=today)
        .filter(|day| weekly.days.is_empty() || weekly.days.contains(&weekday(*day)))
        .map(|day| day * DAY + begin)
        .filter(|begin| (*begin..begin.saturating_add(lasts)).contains(&local))
        .map(|begin| begin + lasts - offset)
        .max()
}

/// `22:30` as minutes since midnight.
pub fn minute_of_day(text: &str) -> Option<u32> {
    let (hour, minute) = text.trim().split_once(':')?;
    let number = |text: &str, below: u32| {
        let is_number = !text.is_empty() && text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { text.parse::<u32>().ok().filter(|number| *number < below) } else { None }
    };
    Some(number(hour, 24)? * 60 + number(minute, 60)?)
}

/// The day of the week of a day since 1970, which began on a Thursday.
fn weekday(day: i64) -> Weekday {
    use Weekday::{Fri, Mon, Sat, Sun, Thu, Tue, Wed};
    [Thu, Fri, Sat, Sun, Mon, Tue, Wed][day.rem_euclid(7) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use orrery_api::Nanos;
    use orrery_api::alerting::Period;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn matchers_are_prometheus() {
        let cart = labels(&[("service", "cart"), ("severity", "critical")]);
        let check = |texts: &[&str], holds: bool| {
            let matchers: Vec<Matcher> = texts.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(Matchers::new(&matchers).unwrap().hold(&cart), holds, "{texts:?}");
        };
        check(&[], true);
        check(&["service=cart"], true);
        check(&["service=car"], false);
        check(&["service=~ca"], false);
        check(&["service=~ca.*", "severity!=info"], true);
        check(&["service!~ca.*"], false);
        check(&["team="], true);
        check(&["team!="], false);
        check(&["team!~.+"], true);
        assert!(Matchers::new(&["a=~(".parse().unwrap()]).unwrap_err().contains("a=~"));
    }

    /// 2026-11-30, a Monday, 00:00 UTC.
    const MONDAY: i64 = 20_787 * DAY;

    #[test]
    fn a_maintenance_window_comes_every_week() {
        let nightly = |days: &[Weekday], offset| Silence {
            from_unix_nano: Nanos(MONDAY - 30 * DAY),
            to_unix_nano: Nanos(MONDAY + 400 * DAY),
            weekly: Some(Weekly {
                days: days.to_vec(),
                begin: "22:30".into(),
                lasts: Period::hours(3),
                utc_offset_minutes: offset,
            }),
            ..Silence::default()
        };
        let hours = |hours: i64| MONDAY + hours * 60 * MINUTE;
        let sunday = nightly(&[Weekday::Sun], 0);
        assert_eq!(silence_holds(&sunday, hours(1)), Some(MONDAY + 90 * MINUTE), "it began the day before");
        assert_eq!(silence_holds(&sunday, hours(2)), None);
        assert_eq!(silence_holds(&sunday, hours(23)), None, "Monday");
        assert_eq!(silence_holds(&nightly(&[], 0), hours(23)), Some(MONDAY + 25 * 60 * MINUTE + 30 * MINUTE));
        // 22:30 in Seoul is 13:30 UTC.
        let seoul = nightly(&[Weekday::Mon], 540);
        assert_eq!(silence_holds(&seoul, hours(14)), Some(MONDAY + 16 * 60 * MINUTE + 30 * MINUTE));
        assert_eq!(silence_holds(&seoul, hours(13)), None);
        // Over the end of a year.
        let new_year = MONDAY + 32 * DAY;
        assert_eq!(silence_holds(&nightly(&[Weekday::Thu], 0), new_year), Some(new_year + 90 * MINUTE));
    }

    #[test]
    fn a_silence_ends() {
        let silence = Silence { from_unix_nano: Nanos(10), to_unix_nano: Nanos(20), ..Silence::default() };
        assert_eq!([9, 10, 19, 20].map(|at| silence_holds(&silence, at)), [None, Some(20), Some(20), None]);
    }
}
