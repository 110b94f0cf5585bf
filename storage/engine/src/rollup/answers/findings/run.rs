//! Since when something is not as usual: shares and durations over time.
//!
//! Steps are judged oldest first, neighbours together until there are enough of them, against all before that were as
//! usual. What is not is left out of what is usual, so a fault does not become normal while it lasts.

use crate::rollup::latency::Cells;
use std::collections::BTreeMap;
use std::ops::Range;

/// Calls judged together, at least, unless that takes longer than [`LONGEST_POOL`].
const POOL_CALLS: f64 = 10.0;
const LONGEST_POOL: i64 = 60_000_000_000;
/// Judgements taken as usual before anything can be unusual.
const WARM_UP: usize = 2;
/// Failed share that is not taken as usual even then.
const NEVER_USUAL: f64 = 0.2;
/// Bad calls below which nothing is claimed: in a judgement, and altogether.
const LEAST_BAD: f64 = 3.0;
const LEAST_BAD_OF_RUN: f64 = 5.0;
/// By how much a failed share must exceed the usual one: so much, and by half.
const MORE_FAILED: f64 = 0.02;
/// Share of calls slower than twice the usual 95th percentile, of which one in twenty may be expected.
const MANY_SLOW: f64 = 0.2;
const EXPECTED_SLOW: f64 = 0.05;
/// Calls that must be known before a duration is unusual.
const KNOWN_CALLS: f64 = 20.0;
/// Standard errors beyond which chance is ruled out: for a judgement, and altogether.
const SIGMAS: f64 = 3.0;
const SIGMAS_OF_RUN: f64 = 4.0;
/// Failed share, and failed calls, of what is broken although it always was.
const CHRONIC: (f64, f64) = (0.05, 10.0);

/// Calls, and how many of them went badly.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Tally {
    pub(super) count: f64,
    pub(super) bad: f64,
}

impl Tally {
    pub(super) fn add(&mut self, other: Tally) {
        self.count += other.count;
        self.bad += other.bad;
    }

    /// 0 to 1; 0 without calls.
    pub(super) fn share(self) -> f64 {
        if self.count > 0.0 { (self.bad / self.count).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// More than chance makes of a usual share.
    fn exceeds(self, usual: f64, sigmas: f64) -> bool {
        let expected = self.count * usual;
        self.bad > expected + sigmas * (expected + 0.25).sqrt()
    }
}

/// The steps of a question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// Length of a step.
    pub(super) step_nanos: i64,
    /// What ended before is of no interest.
    pub(super) from: i64,
    /// The newest step of which anything is known.
    pub(super) newest: i64,
}

/// When.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// Start of the first step.
    pub(super) since: i64,
    /// Start of the last.
    pub(super) last: i64,
    /// It ended before the newest step.
    pub(super) is_over: bool,
}

impl Window {
    pub(super) fn holds(&self, time: i64) -> bool {
        (self.since..=self.last).contains(&time)
    }

    /// Length, seconds.
    pub(super) fn seconds(&self, clock: &Clock) -> f64 {
        (self.last - self.since + clock.step_nanos) as f64 / 1e9
    }
}

/// A share that is too large.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Failing {
    pub(super) window: Window,
    pub(super) now: Tally,
    /// `None` if it was never better.
    pub(super) usual: Option<Tally>,
    /// It neither began nor ended: a share that always is too large.
    pub(super) is_steady: bool,
}

/// Durations that are too long.
#[derive(Clone, Debug)]
pub(super) struct Slowed {
    pub(super) window: Window,
    /// Bad are those beyond the threshold.
    pub(super) now: Tally,
    /// What is more is slow, nanoseconds.
    pub(super) threshold: i64,
    pub(super) during: Cells,
    pub(super) usual: Cells,
}

/// When a share was larger than usual, or that it always is large.
pub(super) fn failing(steps: &BTreeMap<i64, Tally>, clock: &Clock) -> Option<Failing> {
    let steps: Vec<(i64, Tally)> = steps.iter().map(|(time, tally)| (*time, *tally)).collect();
    let pools = pools(steps.iter().map(|(time, tally)| (*time, tally.count)).collect());
    let sum = |range: Range<usize>| {
        let mut sum = Tally::default();
        steps[range].iter().for_each(|(_, tally)| sum.add(*tally));
        sum
    };
    let mut usual = Tally::default();
    let mut flags = Vec::with_capacity(pools.len());
    for (at, pool) in pools.iter().enumerate() {
        let (tally, share) = (sum(pool.clone()), usual.share());
        let least = if at < WARM_UP { NEVER_USUAL } else { share + MORE_FAILED.max(share / 2.0) };
        let is_bad = tally.bad >= LEAST_BAD && tally.share() >= least && tally.exceeds(share, SIGMAS);
        if !is_bad {
            usual.add(tally);
        }
        flags.push(is_bad);
    }
    let share = usual.share();
    let found = runs(&flags).into_iter().filter_map(|run| {
        let range = trimmed(pools[run.start].start..pools[run.end - 1].end, |at| steps[at].1.bad > 0.0)?;
        let window = window(&steps, range.clone(), clock)?;
        let now = sum(range);
        let usual = (usual.count >= POOL_CALLS).then_some(usual);
        let is_certain = now.bad >= LEAST_BAD_OF_RUN && now.exceeds(share, SIGMAS_OF_RUN);
        is_certain.then_some(Failing { window, now, usual, is_steady: false })
    });
    let worst = found.max_by(|a, b| {
        (!a.window.is_over, a.now.bad).partial_cmp(&(!b.window.is_over, b.now.bad)).unwrap_or(std::cmp::Ordering::Equal)
    });
    worst.or_else(|| {
        let first = steps.iter().position(|(time, _)| *time >= clock.from)?;
        let now = sum(first..steps.len());
        let is_chronic = now.share() >= CHRONIC.0 && now.bad >= CHRONIC.1;
        let window = window(&steps, first..steps.len(), clock)?;
        is_chronic.then_some(Failing { window, now, usual: None, is_steady: true })
    })
}

/// When durations were longer than usual, by more than `floor_nanos`.
pub(super) fn slowed(steps: &BTreeMap<i64, Cells>, floor_nanos: i64, clock: &Clock) -> Option<Slowed> {
    let steps: Vec<(i64, &Cells)> = steps.iter().map(|(time, cells)| (*time, cells)).collect();
    let pools = pools(steps.iter().map(|(time, cells)| (*time, cells.count())).collect());
    let sum = |range: Range<usize>| {
        let mut sum = Cells::default();
        steps[range].iter().for_each(|(_, cells)| sum.merge(cells));
        sum
    };
    let slow_beyond = |usual: &Cells| {
        let p95 = usual.quantile(0.95)?;
        Some(p95.saturating_mul(2).max(p95.saturating_add(floor_nanos)))
    };
    let tally = |cells: &Cells, beyond: i64| Tally { count: cells.count(), bad: cells.above(beyond) };
    let mut usual = Cells::default();
    let mut flags = Vec::with_capacity(pools.len());
    for (at, pool) in pools.iter().enumerate() {
        let cells = sum(pool.clone());
        let threshold = slow_beyond(&usual).filter(|_| at >= WARM_UP && usual.count() >= KNOWN_CALLS);
        let is_slow = threshold.is_some_and(|beyond| {
            let tally = tally(&cells, beyond);
            tally.bad >= LEAST_BAD && tally.share() >= MANY_SLOW && tally.exceeds(EXPECTED_SLOW, SIGMAS)
        });
        if !is_slow {
            usual.merge(&cells);
        }
        flags.push(is_slow);
    }
    let threshold = slow_beyond(&usual)?;
    let found = runs(&flags).into_iter().filter_map(|run| {
        let is_slow = |at: usize| steps[at].1.above(threshold) > 0.0;
        let range = trimmed(pools[run.start].start..pools[run.end - 1].end, is_slow)?;
        let window = window(&steps, range.clone(), clock)?;
        let during = sum(range);
        let now = tally(&during, threshold);
        let is_certain = now.bad >= LEAST_BAD_OF_RUN && now.exceeds(EXPECTED_SLOW, SIGMAS_OF_RUN);
        is_certain.then(|| Slowed { window, now, threshold, during, usual: usual.clone() })
    });
    found.max_by(|a, b| {
        (!a.window.is_over, a.now.bad).partial_cmp(&(!b.window.is_over, b.now.bad)).unwrap_or(std::cmp::Ordering::Equal)
    })
}

/// Neighbouring steps that are judged together.
fn pools(steps: Vec<(i64, f64)>) -> Vec<Range<usize>> {
    let (mut all, mut begin, mut count) = (Vec::new(), 0, 0.0);
    for (at, (time, calls)) in steps.iter().enumerate() {
        count += calls;
        if count >= POOL_CALLS || time - steps[begin].0 >= LONGEST_POOL {
            all.push(begin..at + 1);
            (begin, count) = (at + 1, 0.0);
        }
    }
    if begin < steps.len() {
        all.push(begin..steps.len());
    }
    all
}

/// Runs of what is flagged; one that is not, between two that are, does not end a run.
fn runs(flags: &[bool]) -> Vec<Range<usize>> {
    let mut all: Vec<Range<usize>> = Vec::new();
    for at in (0..flags.len()).filter(|at| flags[*at]) {
        match all.last_mut() {
            Some(run) if at <= run.end + 1 => run.end = at + 1,
            _ => all.push(at..at + 1),
        }
    }
    all
}

/// The range without what is fine at its ends.
fn trimmed(range: Range<usize>, is_bad: impl Fn(usize) -> bool) -> Option<Range<usize>> {
    let first = range.clone().find(|at| is_bad(*at))?;
    let last = range.rev().find(|at| is_bad(*at))?;
    Some(first..last + 1)
}

/// The time of some steps; `None` if that is before anyone is interested.
fn window<T>(steps: &[(i64, T)], range: Range<usize>, clock: &Clock) -> Option<Window> {
    let (since, last) = (steps[range.start].0, steps[range.end - 1].0);
    // The newest step has just begun, and its calls may not have ended.
    let is_over = last < clock.newest - clock.step_nanos && range.end < steps.len();
    (last + clock.step_nanos > clock.from).then_some(Window { since, last, is_over })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: i64 = 10_000_000_000;
    const MS: i64 = 1_000_000;

    fn clock(steps: i64) -> Clock {
        Clock { step_nanos: STEP, from: 0, newest: (steps - 1) * STEP }
    }

    fn found(tallies: &[(f64, f64)]) -> Option<(i64, i64, bool, f64)> {
        let steps =
            tallies.iter().enumerate().map(|(at, (count, bad))| (at as i64 * STEP, Tally { count: *count, bad: *bad }));
        let found = failing(&steps.collect(), &clock(tallies.len() as i64))?;
        Some((found.window.since / STEP, found.window.last / STEP, found.window.is_over, found.now.bad))
    }

    #[test]
    fn a_share_that_grows_has_a_beginning_and_an_end() {
        let quiet = [(100.0, 1.0); 6];
        let ill: Vec<_> = quiet.into_iter().chain([(100.0, 40.0), (90.0, 50.0)]).collect();
        assert_eq!(found(&ill), Some((6, 7, false, 90.0)));
        let healed: Vec<_> = ill.iter().copied().chain(quiet).collect();
        assert_eq!(found(&healed), Some((6, 7, true, 90.0)));
        assert_eq!(found(&quiet), None);
    }

    #[test]
    fn what_always_fails_a_little_is_usual() {
        let limping = [(100.0, 8.0); 20];
        assert_eq!(found(&limping), Some((0, 19, false, 160.0)), "though not good");
        let worse: Vec<_> = limping.into_iter().chain([(100.0, 30.0)]).collect();
        assert_eq!(found(&worse), Some((20, 20, false, 30.0)));
    }

    #[test]
    fn few_calls_are_judged_together_and_chance_is_not_news() {
        let sparse: Vec<_> = (0..30).map(|at| (2.0, if at < 24 { 0.0 } else { 1.0 })).collect();
        assert_eq!(found(&sparse), Some((25, 29, false, 5.0)));
        let unlucky: Vec<_> = (0..30).map(|at| (10.0, if at % 7 == 3 { 2.0 } else { 0.0 })).collect();
        assert_eq!(found(&unlucky), None);
        assert_eq!(found(&[(20.0, 15.0), (20.0, 15.0)]), Some((0, 1, false, 30.0)), "broken from the start");
    }

    fn slow(durations: &[&[i64]]) -> Option<(i64, i64, bool, f64)> {
        let cells = |durations: &[i64]| {
            let mut cells = Cells::default();
            durations.iter().for_each(|millis| cells.record(millis * MS, false, 1.0));
            cells
        };
        let steps = durations.iter().enumerate().map(|(at, durations)| (at as i64 * STEP, cells(durations)));
        let found = slowed(&steps.collect(), 10 * MS, &clock(durations.len() as i64))?;
        Some((found.window.since / STEP, found.window.last / STEP, found.window.is_over, found.now.bad))
    }

    #[test]
    fn calls_that_take_longer_than_most_did_are_slow() {
        let (quick, mixed) = ([5i64; 20], [5, 5, 5, 400, 500, 600, 5, 5, 450, 480]);
        assert_eq!(slow(&[&quick, &quick, &quick, &mixed, &mixed]), Some((3, 4, false, 10.0)));
        let noisy = [5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 300];
        assert_eq!(slow(&[&noisy, &noisy, &noisy, &noisy, &noisy]), None, "one in twenty always was");
        assert_eq!(slow(&[&[1; 20], &[1; 20], &[1; 20], &[9; 20]]), None, "milliseconds hurt nobody");
        assert_eq!(slow(&[&mixed, &mixed, &mixed]), None, "nothing to compare with");
    }
}
