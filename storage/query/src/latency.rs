//! Mergeable latency histograms: logarithmic buckets, eight per power of two.
//!
//! Bucket `i` holds durations `d` (whole nanoseconds) with `2^(i/8) <= d < 2^((i+1)/8)`; bucket 0 holds 0 too. A
//! quantile is answered with its bucket's geometric middle, at most 4.5 % from the truth. The scheme equals OTLP's
//! exponential histogram of scale 3, but for the closed end, and never changes: stored rows of any age add up.

mod bytes;
mod window;

pub use bytes::{Bytes, encode};
pub use window::Window;

use serde::{Deserialize, Serialize};

/// Buckets there are.
pub const BUCKETS: usize = 504;
/// Buckets per power of two.
const PER_OCTAVE: u16 = 8;

/// `2^(63 + k/8)`, rounded up, for k from 1 to 7: where buckets begin in a number whose top bit is set.
const STARTS: [u64; 7] = [
    10_058_158_527_438_640_871,
    10_968_499_650_544_839_024,
    11_961_233_684_655_323_371,
    13_043_817_825_332_782_213,
    14_224_384_202_002_324_190,
    15_511_800_964_685_064_949,
    16_915_738_899_553_466_671,
];

/// The bucket of a duration in nanoseconds, 0 to 503. Negative durations count as 0.
pub fn bucket_of(nanos: i64) -> u16 {
    let Ok(nanos @ 1..) = u64::try_from(nanos) else { return 0 };
    let top_bit = 63 - nanos.leading_zeros() as u16;
    let normal = nanos << nanos.leading_zeros();
    top_bit * PER_OCTAVE + STARTS.iter().filter(|&&start| normal >= start).count() as u16
}

/// The duration a bucket stands for, nanoseconds.
pub fn middle_of(bucket: u16) -> i64 {
    ((f64::from(bucket) + 0.5) / f64::from(PER_OCTAVE)).exp2().round() as i64
}

/// What fell into one bucket. Counts carry sampling weights and may be negative where a row corrects another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// See [`bucket_of`].
    pub bucket: u16,
    /// Calls.
    pub count: f64,
    /// Of them failed.
    pub errors: f64,
    /// Sum of their durations, nanoseconds.
    pub sum_nanos: f64,
}

impl Cell {
    fn plus(&mut self, other: Cell) {
        self.count += other.count;
        self.errors += other.errors;
        self.sum_nanos += other.sum_nanos;
    }
}

/// A sparse histogram: cells by bucket, no duplicates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cells(Vec<Cell>);

/// Less than this is the rounding error of weights added and taken back, not a call.
const RESIDUE: f64 = 1e-6;

impl Cells {
    /// Adds `count` calls of one duration, failed or not. A negative count takes calls back.
    pub fn record(&mut self, nanos: i64, failed: bool, count: f64) {
        let errors = if failed { count } else { 0.0 };
        self.add(Cell { bucket: bucket_of(nanos), count, errors, sum_nanos: nanos as f64 * count });
    }

    /// Adds a cell.
    pub fn add(&mut self, cell: Cell) {
        if self.0.last().is_none_or(|last| last.bucket < cell.bucket) {
            return self.0.push(cell);
        }
        match self.0.binary_search_by_key(&cell.bucket, |cell| cell.bucket) {
            Ok(at) => self.0[at].plus(cell),
            Err(at) => self.0.insert(at, cell),
        }
    }

    /// Adds all cells of another.
    pub fn merge(&mut self, other: &Cells) {
        if self.0.is_empty() {
            self.0.extend_from_slice(&other.0);
            return;
        }
        self.merge_sorted(other.0.iter().copied());
    }

    /// Adds cells that come in the order of their buckets.
    pub fn merge_sorted(&mut self, cells: impl Iterator<Item = Cell>) {
        let mut at = 0;
        for cell in cells {
            while self.0.get(at).is_some_and(|own| own.bucket < cell.bucket) {
                at += 1;
            }
            match self.0.get_mut(at) {
                Some(own) if own.bucket == cell.bucket => own.plus(cell),
                _ => self.0.insert(at, cell),
            }
        }
    }

    /// The cells, by bucket.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Cell> {
        self.0.iter()
    }

    /// Whether nothing was ever recorded.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Calls, never negative.
    pub fn count(&self) -> f64 {
        whole(self.0.iter().map(|cell| cell.count).sum())
    }

    /// Failed calls, never negative.
    pub fn errors(&self) -> f64 {
        whole(self.0.iter().map(|cell| cell.errors).sum())
    }

    /// Sum of durations in nanoseconds, never negative.
    pub fn sum_nanos(&self) -> f64 {
        whole(self.0.iter().map(|cell| cell.sum_nanos).sum())
    }

    /// The duration below which a share `q` (0 to 1) of the calls lies, nanoseconds, within 4.5 %; `None` without
    /// calls. Nearest rank: the smallest bucket that holds at least `q` of all.
    pub fn quantile(&self, q: f64) -> Option<i64> {
        let total: f64 = self.positive().map(|cell| cell.count).sum();
        if total <= RESIDUE {
            return None;
        }
        let wanted = q * total - RESIDUE;
        let mut below = 0.0;
        for cell in self.positive() {
            below += cell.count;
            if below >= wanted {
                return Some(middle_of(cell.bucket));
            }
        }
        self.positive().last().map(|cell| middle_of(cell.bucket))
    }

    /// Calls that took longer, to within a bucket.
    pub fn above(&self, nanos: i64) -> f64 {
        let bucket = bucket_of(nanos);
        whole(self.0.iter().filter(|cell| cell.bucket > bucket).map(|cell| cell.count).sum())
    }

    /// Which share of the calls took less than a duration: at least, at most, and about, where durations are spread evenly
    /// inside a bucket. `None` without calls.
    pub fn standing(&self, nanos: i64) -> Option<(f64, f64, f64)> {
        let total: f64 = self.positive().map(|cell| cell.count).sum();
        if total <= RESIDUE {
            return None;
        }
        let bucket = bucket_of(nanos);
        let below: f64 = self.positive().filter(|cell| cell.bucket < bucket).map(|cell| cell.count).sum();
        let beside = self.positive().find(|cell| cell.bucket == bucket).map_or(0.0, |cell| cell.count);
        // The call itself, if it is one of them, does not take less than itself.
        let beside = whole(beside - 1.0);
        let start = |bucket: u16| (f64::from(bucket) / f64::from(PER_OCTAVE)).exp2();
        let place = (nanos as f64 - start(bucket)) / (start(bucket + 1) - start(bucket));
        let share = |calls: f64| (calls / total).min(1.0);
        Some((share(below), share(below + beside), share(below + beside * place.clamp(0.0, 1.0))))
    }

    fn positive(&self) -> impl Iterator<Item = &Cell> {
        self.0.iter().filter(|cell| cell.count > RESIDUE)
    }
}

/// A number of calls with rounding errors and over-corrections taken off.
pub fn whole(count: f64) -> f64 {
    if count <= RESIDUE { 0.0 } else { count }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_begin_where_documented() {
        for (k, start) in STARTS.iter().enumerate() {
            let exact = 2f64.powf(63.0 + (k + 1) as f64 / 8.0);
            assert!((*start as f64 - exact).abs() / exact < 1e-12, "{k}");
        }
        assert_eq!([0, 1, 2, 3, 4, 1024].map(bucket_of), [0, 0, 8, 12, 16, 80]);
        assert_eq!(bucket_of(-5), 0);
        assert_eq!(bucket_of(i64::MAX), 503);
    }

    proptest! {
        #[test]
        fn a_bucket_stands_for_its_durations_within_4_5_percent(nanos in 100..i64::MAX / 2) {
            let error = (middle_of(bucket_of(nanos)) - nanos).abs() as f64 / nanos as f64;
            prop_assert!(error < 0.045, "{nanos}: {error}");
        }

        #[test]
        fn quantiles_agree_with_sorting(mut all in proptest::collection::vec(100i64..10_000_000_000, 1..400), q in 0.01f64..1.0) {
            let mut cells = Cells::default();
            all.iter().for_each(|&nanos| cells.record(nanos, false, 1.0));
            all.sort_unstable();
            let exact = all[((q * all.len() as f64).ceil() as usize).clamp(1, all.len()) - 1];
            let found = cells.quantile(q).unwrap();
            prop_assert!((found - exact).abs() as f64 <= 0.045 * exact as f64, "{found} for {exact}");
        }

        #[test]
        fn what_is_taken_back_was_never_there(kept in proptest::collection::vec(0i64..1 << 40, 0..50), gone in proptest::collection::vec(0i64..1 << 40, 0..50), weight in 1.0f64..64.0) {
            let mut cells = Cells::default();
            gone.iter().for_each(|&nanos| cells.record(nanos, true, weight));
            let mut plain = Cells::default();
            for &nanos in &kept {
                cells.record(nanos, false, weight);
                plain.record(nanos, false, weight);
            }
            gone.iter().for_each(|&nanos| cells.record(nanos, true, -weight));
            prop_assert!((cells.count() - plain.count()).abs() < 1e-6);
            prop_assert_eq!(cells.errors(), 0.0);
            prop_assert_eq!(cells.quantile(0.95), plain.quantile(0.95));
        }
    }

    proptest! {
        #[test]
        fn a_standing_is_between_its_bounds(all in proptest::collection::vec(100i64..10_000_000_000, 1..400), at in any::<prop::sample::Index>()) {
            let mut cells = Cells::default();
            all.iter().for_each(|&nanos| cells.record(nanos, false, 1.0));
            let nanos = *at.get(&all);
            let exact = all.iter().filter(|&&other| other < nanos).count() as f64 / all.len() as f64;
            let (at_least, at_most, about) = cells.standing(nanos).unwrap();
            prop_assert!(at_least <= exact + 1e-9 && exact <= at_most + 1e-9, "{at_least} {exact} {at_most}");
            prop_assert!(at_least <= about && about <= at_most);
        }
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(Cells::default().standing(1), None);
        assert_eq!(Cells::default().quantile(0.5), None);
    }
}
