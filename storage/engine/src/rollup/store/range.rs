//! Which buckets make up a range, and which steps a series.

use super::tables::{LEVELS, Piece};
use orrery_query::time::TimeRange;

const SECOND: i64 = 1_000_000_000;

/// Lengths a step may have, in seconds: each reads as a round number and holds whole buckets.
const STEPS: [i64; 18] = [
    10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000,
];

/// Times beyond these are no one's; they keep arithmetic from overflowing.
const EARLIEST: i64 = -4_000_000_000 * SECOND;
const LATEST: i64 = 9_000_000_000 * SECOND;

/// Whole buckets, and the steps they are added up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Buckets {
    /// Start of the first bucket.
    pub(super) from: i64,
    /// End of the last.
    pub(super) to: i64,
    /// Length of a step; steps begin at multiples of it. One step for everything if it is `i64::MAX`.
    pub(super) step_nanos: i64,
    /// The finest level that still has rows of the whole range, by its place in [`LEVELS`].
    finest: usize,
    /// End of what is read: later than `to` where there is nothing in between, so that the newest hour is one row and
    /// not sixty.
    read_to: i64,
}

/// What there is to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    /// Before which time each level has lost its rows.
    pub(super) thinned: [i64; LEVELS.len()],
    /// All rows are of buckets that end by then.
    pub(super) end: i64,
}

/// A range in one step is widened by at most this part of it, at each end.
const WIDENED: i64 = 100;

impl Extent {
    /// The finest level to read. Detail that is not there cannot be read; what nobody sees in a sum need not be.
    fn finest(&self, from: i64, to: i64, points: u32) -> usize {
        let lost = self.thinned.iter().rposition(|before| from < *before).map_or(0, |lost| lost + 1);
        let is_unseen = |level: &super::tables::Level| points == 0 && level.nanos <= (to - from) / WIDENED;
        lost.max(LEVELS.iter().rposition(is_unseen).unwrap_or(0)).min(LEVELS.len() - 1)
    }
}

impl Buckets {
    /// The range in at most about `points` steps of a round length; one step if `points` is 0. Widened to whole buckets
    /// of the finest level there is.
    pub(super) fn steps(range: TimeRange, points: u32, extent: &Extent) -> Buckets {
        let (from, to) = (range.from.clamp(EARLIEST, LATEST), range.to.clamp(EARLIEST, LATEST));
        let finest = extent.finest(from, to, points);
        let (level, coarsest) = (LEVELS[finest], LEVELS[LEVELS.len() - 1]);
        let (from, to) = (level.floor(from), level.ceil(to));
        let read_to = if extent.end <= to { coarsest.ceil(to) } else { to };
        let whole = Buckets { from, to, step_nanos: i64::MAX, finest, read_to };
        if points == 0 {
            return whole;
        }
        let least = ((to - from) / i64::from(points)).max(level.nanos);
        let step = STEPS.into_iter().map(|seconds| seconds * SECOND).find(|&step| step >= least);
        Buckets { step_nanos: step.unwrap_or(STEPS[STEPS.len() - 1] * SECOND), ..whole }
    }

    /// Start of the step a bucket belongs to; `None` outside the range.
    pub(super) fn step_of(&self, time: i64) -> Option<i64> {
        let inside = self.from <= time && time < self.to;
        inside.then(|| if self.step_nanos == i64::MAX { 0 } else { time.div_euclid(self.step_nanos) * self.step_nanos })
    }

    /// Disjoint pieces that make up what is read of the range, each at the coarsest length that fits it and the steps, by its place in
    /// [`LEVELS`].
    pub(super) fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        self.cut(self.from, self.read_to, LEVELS.len() - 1, &mut pieces);
        pieces
    }

    fn cut(&self, from: i64, to: i64, level: usize, pieces: &mut Vec<Piece>) {
        if from >= to {
            return;
        }
        let (coarse, nanos) = (LEVELS[level], LEVELS[level].nanos);
        if level == self.finest {
            return pieces.push((level, from, to));
        }
        let fits = self.step_nanos == i64::MAX || self.step_nanos % nanos == 0;
        let (inner_from, inner_to) = (coarse.ceil(from), coarse.floor(to));
        if !fits || inner_from >= inner_to {
            return self.cut(from, to, level - 1, pieces);
        }
        self.cut(from, inner_from, level - 1, pieces);
        pieces.push((level, inner_from, inner_to));
        self.cut(inner_to, to, level - 1, pieces);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(buckets: Buckets) -> Vec<(&'static str, i64, i64)> {
        buckets.pieces().into_iter().map(|(level, from, to)| (LEVELS[level].name, from / SECOND, to / SECOND)).collect()
    }

    /// More came after any range here, and the `lost` finest levels have lost all of theirs.
    fn extent(lost: usize) -> Extent {
        Extent { thinned: std::array::from_fn(|at| if at < lost { i64::MAX } else { i64::MIN }), end: i64::MAX }
    }

    #[test]
    fn a_range_is_read_coarse_inside_and_fine_at_its_ends() {
        let range = TimeRange { from: 3500 * SECOND + 1, to: 7290 * SECOND - 1 };
        let whole = |lost| Buckets::steps(range, 0, &extent(lost));
        let expected =
            [("10s", 3500, 3540), ("1m", 3540, 3600), ("1h", 3600, 7200), ("1m", 7200, 7260), ("10s", 7260, 7290)];
        assert_eq!(names(whole(0)), expected);
        let half_minutes = Buckets { step_nanos: 30 * SECOND, ..whole(0) };
        assert_eq!(names(half_minutes), [("10s", 3500, 7290)]);
        let old = [("1m", 3480, 3600), ("1h", 3600, 7200), ("1m", 7200, 7320)];
        assert_eq!(names(whole(1)), old, "no seconds are left of that time");
        assert_eq!(names(whole(2)), [("10m", 3000, 3600), ("1h", 3600, 7200), ("10m", 7200, 7800)]);
        assert_eq!(names(whole(3)), [("1h", 0, 10_800)]);
        let day = TimeRange { from: 3661 * SECOND, to: 90_061 * SECOND };
        let buckets = Buckets::steps(day, 0, &extent(0));
        let ends = (buckets.from / SECOND, buckets.to / SECOND);
        assert_eq!(ends, (3600, 90_600), "nobody sees ten minutes in a sum of a day");
        let now = Buckets::steps(range, 0, &Extent { end: 7290 * SECOND, ..extent(0) });
        assert_eq!(names(now), [expected[0], expected[1], ("1h", 3600, 10_800)], "nothing comes after");
        assert_eq!((now.to, now.step_of(7290 * SECOND)), (7290 * SECOND, None));
    }

    #[test]
    fn steps_are_round_and_about_as_many_as_asked() {
        let steps = |seconds: i64, points| {
            Buckets::steps(TimeRange { from: 0, to: seconds * SECOND }, points, &extent(0)).step_nanos / SECOND
        };
        assert_eq!([steps(900, 60), steps(900, 30), steps(3600, 60), steps(86_400, 60)], [20, 30, 60, 1800]);
        let minutes = Buckets::steps(TimeRange { from: 0, to: 900 * SECOND }, 60, &extent(1));
        assert_eq!(minutes.step_nanos, 60 * SECOND);
    }

    proptest! {
        #[test]
        fn pieces_make_up_the_range(from in -100_000i64..100_000, length in 1i64..300_000, points in 0u32..100, lost in 0usize..4, is_last: bool) {
            let range = TimeRange { from: from * SECOND / 7, to: (from + length) * SECOND / 7 };
            prop_assume!(range.from < range.to);
            let end = if is_last { range.to } else { i64::MAX };
            let buckets = Buckets::steps(range, points, &Extent { end, ..extent(lost) });
            let pieces = buckets.pieces();
            prop_assert_eq!(pieces[0].1, buckets.from);
            prop_assert_eq!(pieces[pieces.len() - 1].2, buckets.read_to);
            let most = if is_last { 3600 * SECOND } else { 1 };
            prop_assert!((0..most).contains(&(buckets.read_to - buckets.to)));
            for (level, from, to) in &pieces {
                let nanos = LEVELS[*level].nanos;
                prop_assert!(from < to && from % nanos == 0 && to % nanos == 0);
                prop_assert!(buckets.step_nanos == i64::MAX || buckets.step_nanos % nanos == 0);
            }
            for pair in pieces.windows(2) {
                prop_assert_eq!(pair[0].2, pair[1].1);
            }
        }
    }
}
