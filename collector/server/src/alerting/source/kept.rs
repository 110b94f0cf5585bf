//! Log records counted once for as many judgements as possible, minute by minute.
//!
//! What is still coming is counted anew at every look, the minutes before that once a minute, as late records may change a
//! judgement; what is older hardly ever. So a rule that looks back on hours costs as much as one that looks back on minutes.

use super::cells::is_of_now;
use super::records::{FINEST, Records};
use super::{StoreSource, gcd};
use orrery_alert::{Grid, SourceError};
use orrery_model::ServiceKey;
use orrery_query::answer::LogCount;
use orrery_query::plan::LogCounts;
use orrery_query::time::TimeRange;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const MINUTE: i64 = 60_000_000_000;
/// Up to this age records are still coming.
const COMING: i64 = 2 * MINUTE;
/// Up to this age late ones change a judgement.
const LATE: i64 = 12 * MINUTE;
/// So long a minute is good that is no longer coming, and one that is no longer late.
const GOOD: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(1_800)];
/// Minutes that nobody asks about are forgotten after this.
const UNUSED: Duration = Duration::from_secs(300);
/// Minutes that are read together, at most: what was read is kept even if the next question takes too long.
const TOGETHER: i64 = 30;
/// Counts that are kept, at most.
const MOST: usize = 2_000_000;

/// Which records are counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Which {
    service: Option<String>,
    severity: Option<String>,
    text: Option<String>,
    attr: Vec<String>,
    patterns: bool,
}

struct Minute {
    counts: Vec<LogCount>,
    partial: Option<String>,
    /// When it was read, at which look, and how old it was then.
    read: Instant,
    look: u64,
    age: i64,
    used: Instant,
}

impl Minute {
    fn is_good(&self, age: i64, look: u64, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.read);
        match age {
            _ if self.look == look => true,
            COMING..LATE => self.age >= COMING && since <= GOOD[0],
            LATE.. => self.age >= LATE && since <= GOOD[1],
            _ => false,
        }
    }
}

/// What was counted.
#[derive(Default)]
pub(super) struct Kept {
    look: u64,
    /// The newest moment anybody asked about.
    newest: i64,
    filters: BTreeMap<Which, BTreeMap<i64, Minute>>,
}

impl Kept {
    /// From now on it is another look: what was coming may be there.
    pub(super) fn renew(&mut self) {
        self.look += 1;
        let now = Instant::now();
        let mut held = 0;
        for minutes in self.filters.values_mut() {
            minutes.retain(|_, minute| now.saturating_duration_since(minute.used) <= UNUSED);
            held += minutes.values().flat_map(|minute| &minute.counts).map(|count| count.points.len()).sum::<usize>();
        }
        self.filters.retain(|_, minutes| !minutes.is_empty());
        if held > MOST {
            self.filters.clear();
        }
    }
}

/// Stretches of minutes that follow each other, none too long.
fn stretches(minutes: &[i64]) -> Vec<TimeRange> {
    let mut all: Vec<TimeRange> = Vec::new();
    for from in minutes.iter().copied() {
        match all.last_mut().filter(|last| last.to == from && last.to - last.from < TOGETHER * MINUTE) {
            Some(last) => last.to = from + MINUTE,
            None => all.push(TimeRange { from, to: from + MINUTE }),
        }
    }
    all
}

/// Counts of a stretch by minute.
fn by_minute(counts: Vec<LogCount>, stretch: TimeRange) -> BTreeMap<i64, Vec<LogCount>> {
    let minutes = (stretch.from..stretch.to).step_by(MINUTE as usize);
    let mut all: BTreeMap<i64, Vec<LogCount>> = minutes.map(|minute| (minute, Vec::new())).collect();
    for LogCount { service, pattern, points } in counts {
        for points in points.chunk_by(|a, b| a.0.div_euclid(MINUTE) == b.0.div_euclid(MINUTE)) {
            let minute = points[0].0.div_euclid(MINUTE) * MINUTE;
            let count = LogCount { service: service.clone(), pattern: pattern.clone(), points: points.to_vec() };
            all.entry(minute).or_default().push(count);
        }
    }
    all
}

/// Counts of several minutes in longer steps, by service and pattern.
fn joined<'a>(counts: impl Iterator<Item = &'a LogCount>, range: TimeRange, step: i64) -> Vec<LogCount> {
    let mut all: BTreeMap<(&ServiceKey, &str), BTreeMap<i64, u64>> = BTreeMap::new();
    for count in counts {
        let sums = all.entry((&count.service, &count.pattern)).or_default();
        for (time, records) in count.points.iter().filter(|(time, _)| (range.from..range.to).contains(time)) {
            *sums.entry(range.from + (time - range.from).div_euclid(step) * step).or_default() += records;
        }
    }
    let filled = all.into_iter().filter(|(_, sums)| !sums.is_empty());
    let count = |((service, pattern), sums): ((&ServiceKey, &str), BTreeMap<i64, u64>)| LogCount {
        service: service.clone(),
        pattern: pattern.to_owned(),
        points: sums.into_iter().collect(),
    };
    filled.map(count).collect()
}

impl StoreSource {
    /// Counts over a range in steps, by service, and by pattern if that is asked for.
    pub(super) fn record_counts(
        &self,
        asked: &Records<'_>,
        patterns: bool,
        (range, step_nanos): (TimeRange, i64),
        grid: Grid,
    ) -> Result<(Vec<LogCount>, Option<String>), SourceError> {
        let is_round = gcd(gcd(range.from, range.to), step_nanos) % FINEST == 0;
        if !is_of_now(grid) || !is_round {
            return self.counts(&LogCounts { filter: asked.filter(range)?, step_nanos, patterns });
        }
        let which = Which {
            service: asked.service.map(str::to_owned),
            severity: asked.severity.map(str::to_owned),
            text: asked.text.map(str::to_owned),
            attr: asked.attr.to_vec(),
            patterns,
        };
        let mut kept = self.kept();
        kept.newest = kept.newest.max(grid.last());
        let (now, newest, look) = (Instant::now(), kept.newest, kept.look);
        let minutes = kept.filters.entry(which).or_default();
        let first = range.from.div_euclid(MINUTE) * MINUTE;
        let all = (first..range.to).step_by(MINUTE as usize);
        let age = |minute: i64| newest - minute - MINUTE;
        let is_stale = |from: &i64| !minutes.get(from).is_some_and(|minute| minute.is_good(age(*from), look, now));
        let stale: Vec<i64> = all.filter(is_stale).collect();
        for stretch in stretches(&stale) {
            let plan = LogCounts { filter: asked.filter(stretch)?, step_nanos: FINEST, patterns };
            let (counts, partial) = self.counts(&plan)?;
            for (from, counts) in by_minute(counts, stretch) {
                let (age, partial) = (age(from), partial.clone());
                minutes.insert(from, Minute { counts, partial, read: now, look, age, used: now });
            }
        }
        let mut partial = None;
        for (_, minute) in minutes.range_mut(first..range.to) {
            minute.used = now;
            partial = partial.or_else(|| minute.partial.clone());
        }
        let counts = minutes.range(first..range.to).flat_map(|(_, minute)| &minute.counts);
        Ok((joined(counts, range, step_nanos), partial))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_coming_is_read_again_and_what_is_old_is_not() {
        let now = Instant::now();
        let minute = |age: i64, look, seconds| Minute {
            counts: Vec::new(),
            partial: None,
            read: now.checked_sub(Duration::from_secs(seconds)).unwrap_or(now),
            look,
            age: age * MINUTE,
            used: now,
        };
        let is_good = |read: Minute, age: i64| read.is_good(age * MINUTE, 7, now);
        assert!(is_good(minute(-1, 7, 5), 0), "of this look");
        assert!(!is_good(minute(0, 6, 0), 0));
        assert!(!is_good(minute(1, 6, 30), 2), "it was still coming");
        assert!(is_good(minute(2, 6, 30), 3));
        assert!(!is_good(minute(2, 6, 90), 3));
        assert!(!is_good(minute(11, 6, 90), 12), "late ones may have come since");
        assert!(is_good(minute(12, 6, 90), 14));
        assert!(!is_good(minute(12, 6, 2_000), 40));
    }

    #[test]
    fn minutes_are_read_together_and_told_apart() {
        let minutes: Vec<i64> = [0, 1, 2, 5].into_iter().chain(10..45).map(|minute| minute * MINUTE).collect();
        let lengths: Vec<i64> = stretches(&minutes).iter().map(|range| (range.to - range.from) / MINUTE).collect();
        assert_eq!(lengths, [3, 1, 30, 5]);
        let count = |name: &str, points: &[(i64, u64)]| LogCount {
            service: ServiceKey::parse(name),
            pattern: String::new(),
            points: points.iter().map(|(second, records)| (second * 1_000_000_000, *records)).collect(),
        };
        let whole = vec![count("a", &[(0, 1), (50, 2), (60, 3), (130, 4)]), count("b", &[(70, 5)])];
        let range = TimeRange { from: 0, to: 3 * MINUTE };
        let parts = by_minute(whole.clone(), range);
        assert_eq!(parts.values().map(Vec::len).collect::<Vec<_>>(), [1, 2, 1]);
        assert_eq!(joined(parts.values().flatten(), range, FINEST), whole);
        let later = TimeRange { from: MINUTE / 2, to: 2 * MINUTE };
        let expected = vec![count("a", &[(30, 2), (60, 3)]), count("b", &[(60, 5)])];
        assert_eq!(joined(parts.values().flatten(), later, MINUTE / 2), expected);
    }
}
