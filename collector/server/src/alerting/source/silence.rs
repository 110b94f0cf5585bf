//! Services of which nothing is heard any more.

use super::cells::Need;
use super::labels::of_service;
use super::{SECOND, StoreSource, Weighed, gathered};
use crate::api::params::service_match;
use orrery_alert::{Grid, Series, SourceError, Values};
use orrery_model::ServiceKey;
use orrery_query::plan::CellsOf;
use std::collections::BTreeMap;

const MINUTE: i64 = 60_000_000_000;
const HOUR: i64 = 60 * MINUTE;
/// Silence is told for so long; then a service is gone.
const GONE: i64 = 24 * HOUR;
/// What is usual is taken from so much time before the last span.
const HISTORY: i64 = HOUR;
/// A service usually has spans if it had some in this share of the time since its first one in there.
const USUALLY: f64 = 0.8;
/// And in so many minutes, or longer buckets.
const LEAST: usize = 3;

/// When a service was heard of.
#[derive(Default)]
struct Heard {
    /// Start of the bucket, at most one a minute; its length; and the end of its latest span.
    buckets: Vec<(i64, i64, i64)>,
}

impl Heard {
    /// Buckets in the order of their time.
    fn new(buckets: impl Iterator<Item = (i64, i64, i64)>) -> Heard {
        let mut minutes: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
        for (time, length, last) in buckets {
            let at = minutes.entry(time.div_euclid(MINUTE) * MINUTE).or_insert((0, i64::MIN));
            *at = (at.0.max(length).max(MINUTE), at.1.max(last));
        }
        Heard { buckets: minutes.into_iter().map(|(time, (length, last))| (time, length, last)).collect() }
    }

    /// For each bucket whether something usually comes.
    fn usual(&self) -> Vec<bool> {
        let (mut first, mut heard) = (0, 0);
        let mut usual = Vec::with_capacity(self.buckets.len());
        for (at, (time, length, _)) in self.buckets.iter().enumerate() {
            heard += length;
            while self.buckets[first].0 < time - HISTORY {
                heard -= self.buckets[first].1;
                first += 1;
            }
            let lived = time + length - self.buckets[first].0;
            usual.push(at + 1 - first >= LEAST && heard as f64 >= USUALLY * lived as f64);
        }
        usual
    }

    /// Seconds since the last span at each moment.
    fn silence(&self, grid: Grid) -> Vec<Option<f64>> {
        let usual = self.usual();
        let (mut next, mut last) = (0, i64::MIN);
        let value = |at: i64| {
            while let Some((_, _, end)) = self.buckets.get(next).filter(|(time, ..)| *time < at) {
                last = last.max(*end);
                next += 1;
            }
            let is_usual = next.checked_sub(1).is_some_and(|heard| usual[heard]);
            let silent = at.saturating_sub(last.min(at));
            (is_usual && silent <= GONE).then_some(silent as f64 / SECOND)
        };
        grid.moments().map(value).collect()
    }
}

impl StoreSource {
    pub(super) fn silent(
        &self,
        service: Option<&str>,
        environment: Option<&str>,
        grid: Grid,
    ) -> Result<Values, SourceError> {
        let wanted = service.map(service_match);
        let of = CellsOf::Services(wanted.clone());
        let sheet = self.cells(&Need { of, durations: false, window: MINUTE, before: GONE + HISTORY + HOUR }, grid)?;
        let mut services: BTreeMap<&ServiceKey, Vec<(i64, i64, i64)>> = BTreeMap::new();
        for (series, key) in sheet.table.series.iter().zip(&sheet.services) {
            let is_asked = wanted.as_ref().is_none_or(|wanted| wanted.holds(key))
                && environment.is_none_or(|environment| key.environment == environment);
            if is_asked {
                let stretches = &sheet.table.stretches;
                let bucket = |time: i64| {
                    let at = stretches.partition_point(|stretch| stretch.to <= time);
                    stretches.get(at).map_or(MINUTE, |stretch| stretch.step_nanos)
                };
                let points = series.points().iter().map(|point| (point.time, bucket(point.time), point.last_unix_nano));
                services.entry(key).or_default().extend(points);
            }
        }
        let series = |(key, buckets): (&ServiceKey, Vec<(i64, i64, i64)>)| Weighed {
            weight: buckets.len() as f64,
            series: Series {
                labels: of_service(key),
                node: Some(key.to_string()),
                caller: None,
                values: Heard::new(buckets.into_iter()).silence(grid),
            },
        };
        Ok(gathered(services.into_iter().map(series).collect(), sheet.partial.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Heard of in these minutes, with a span that ended half a minute later.
    fn heard(minutes: impl Iterator<Item = i64>) -> Heard {
        Heard::new(minutes.map(|minute| (minute * MINUTE, 10 * MINUTE / 60, minute * MINUTE + MINUTE / 2)))
    }

    fn silence(heard: &Heard, first: i64, count: usize) -> Vec<Option<f64>> {
        heard.silence(Grid { first: first * MINUTE, step: MINUTE, count })
    }

    #[test]
    fn a_service_that_always_says_something_is_missed() {
        let found = silence(&heard(0..10), 1, 12);
        assert_eq!(found[..3], [None, None, Some(30.0)], "not before it is known");
        assert_eq!(found[9..], [Some(30.0), Some(90.0), Some(150.0)]);
        assert_eq!(silence(&heard(0..10), 24 * 60 + 9, 2), [Some(86_370.0), None], "then it is gone");
    }

    #[test]
    fn a_service_that_seldom_says_something_is_not() {
        assert_eq!(silence(&heard((0..600).step_by(20)), 590, 3), [None; 3]);
        let healed = heard((0..5).chain(200..204));
        assert_eq!(silence(&healed, 204, 2), [Some(30.0), Some(90.0)], "an hour later it is as new");
        assert_eq!(silence(&Heard::default(), 5, 2), [None, None]);
    }
}
