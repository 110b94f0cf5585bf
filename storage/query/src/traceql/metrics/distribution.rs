//! Distributions of any numbers, small and mergeable.
//!
//! Logarithmic buckets, 32 per power of two: bucket `i` holds `2^(i/32) <= v < 2^((i+1)/32)`, negative numbers
//! mirrored, zero by itself. A quantile is answered with its bucket's geometric middle, so at most 1.1 % from the value
//! at that rank, and never outside of the values seen. Rollups have eight buckets per power of two (4.5 %): they are kept
//! for years, these only while a question is answered.

use std::collections::BTreeMap;

const PER_OCTAVE: f64 = 32.0;

/// More than any logarithm of a double, in buckets: keeps signs apart.
const ZERO: i32 = 40_000;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Distribution {
    /// Counts by bucket, those in the order of values.
    buckets: BTreeMap<i32, f64>,
    least: f64,
    greatest: f64,
}

fn bucket_of(value: f64) -> i32 {
    let of = |magnitude: f64| ZERO + (magnitude.log2() * PER_OCTAVE).floor() as i32;
    match value {
        _ if value > 0.0 => of(value),
        _ if value < 0.0 => -of(-value),
        _ => 0,
    }
}

fn middle_of(bucket: i32) -> f64 {
    let of = |bucket: i32| ((f64::from(bucket - ZERO) + 0.5) / PER_OCTAVE).exp2();
    match bucket {
        0 => 0.0,
        1.. => of(bucket),
        _ => -of(-bucket),
    }
}

impl Distribution {
    /// Numbers that are not finite do not count.
    pub(super) fn record(&mut self, value: f64, count: f64) {
        if !value.is_finite() {
            return;
        }
        self.extremes(value, value);
        *self.buckets.entry(bucket_of(value)).or_default() += count;
    }

    fn extremes(&mut self, least: f64, greatest: f64) {
        let is_first = self.buckets.is_empty();
        self.least = if is_first { least } else { self.least.min(least) };
        self.greatest = if is_first { greatest } else { self.greatest.max(greatest) };
    }

    pub(super) fn merge(&mut self, other: &Distribution) {
        if other.buckets.is_empty() {
            return;
        }
        self.extremes(other.least, other.greatest);
        for (bucket, count) in &other.buckets {
            *self.buckets.entry(*bucket).or_default() += count;
        }
    }

    pub(super) fn total(&self) -> f64 {
        self.buckets.values().sum()
    }

    /// The value below which that part of all lies.
    pub(super) fn quantile(&self, quantile: f64) -> Option<f64> {
        let rank = quantile * self.total();
        let mut below = 0.0;
        let bucket = self.buckets.iter().find(|(_, count)| {
            below += **count;
            below >= rank && below > 0.0
        });
        let bucket = bucket.or(self.buckets.iter().next_back()).map(|(bucket, _)| *bucket)?;
        Some(match quantile {
            0.0 => self.least,
            1.0 => self.greatest,
            _ => middle_of(bucket).clamp(self.least, self.greatest),
        })
    }

    /// Counts by powers of two: (end, count), where the bucket begins at half of its end; negative numbers and zero are
    /// in one that ends at 0.
    pub(super) fn octaves(&self) -> impl Iterator<Item = (f64, f64)> {
        self.buckets.iter().map(|(bucket, count)| {
            let end = match bucket {
                1.. => ((bucket - ZERO).div_euclid(PER_OCTAVE as i32) + 1) as f64,
                _ => return (0.0, *count),
            };
            (end.exp2(), *count)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_quantile_is_within_its_bound(mut values in prop::collection::vec(-1e12_f64..1e12, 1..200), at in 0.0..=1.0_f64) {
            let (mut whole, mut half) = (Distribution::default(), Distribution::default());
            for (number, value) in values.iter().enumerate() {
                if number % 2 == 0 { whole.record(*value, 1.0) } else { half.record(*value, 1.0) }
            }
            whole.merge(&half);
            values.sort_by(f64::total_cmp);
            let rank = ((at * values.len() as f64).ceil() as usize).clamp(1, values.len());
            let (exact, found) = (values[rank - 1], whole.quantile(at).unwrap());
            prop_assert!((found - exact).abs() <= exact.abs() * 0.011, "{found} for {exact}");
        }
    }

    #[test]
    fn buckets_end_at_powers_of_two() {
        let mut distribution = Distribution::default();
        for value in [0.0, -3.0, 0.75, 1.0, 1.9, 2.0, 1000.0] {
            distribution.record(value, 1.0);
        }
        let mut counted = BTreeMap::<u64, f64>::new();
        for (end, count) in distribution.octaves() {
            *counted.entry(end as u64).or_default() += count;
        }
        let expected = [(0, 2.0), (1, 1.0), (2, 2.0), (4, 1.0), (1024, 1.0)];
        assert_eq!(counted.into_iter().collect::<Vec<_>>(), expected);
        assert_eq!(Distribution::default().quantile(0.5), None);
    }
}
