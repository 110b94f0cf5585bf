//! Sums over a window that slides.

use super::{BUCKETS, Bytes, bucket_of, middle_of};

/// Parts of a call that are told apart. Counts are whole multiples of this here, so that taking out what was put in
/// leaves nothing, in whatever order.
const UNIT: f64 = 1_048_576.0;

/// What happened in a window of time. Put in at one end what begins to count, take out at the other what no longer does:
/// sums depend on what is inside, not on how it got there.
#[derive(Clone, Debug)]
pub struct Window {
    count: i64,
    errors: i64,
    sum_nanos: i128,
    /// Calls and failed calls by bucket.
    buckets: Box<[(i64, i64); BUCKETS]>,
    /// Beyond these buckets there is nothing.
    used: (usize, usize),
}

impl Default for Window {
    fn default() -> Window {
        Window { count: 0, errors: 0, sum_nanos: 0, buckets: Box::new([(0, 0); BUCKETS]), used: (BUCKETS, 0) }
    }
}

fn units(count: f64) -> i64 {
    (count * UNIT).round() as i64
}

impl Window {
    /// Puts calls in.
    pub fn add(&mut self, count: f64, errors: f64, sum_nanos: f64, durations: Bytes<'_>) {
        self.change(1, count, errors, sum_nanos, durations);
    }

    /// Takes calls out that were put in.
    pub fn remove(&mut self, count: f64, errors: f64, sum_nanos: f64, durations: Bytes<'_>) {
        self.change(-1, count, errors, sum_nanos, durations);
    }

    fn change(&mut self, sign: i64, count: f64, errors: f64, sum_nanos: f64, durations: Bytes<'_>) {
        self.count += sign * units(count);
        self.errors += sign * units(errors);
        self.sum_nanos += i128::from(sign) * sum_nanos.round() as i128;
        for cell in durations {
            let at = usize::from(cell.bucket).min(BUCKETS - 1);
            self.used = (self.used.0.min(at), self.used.1.max(at + 1));
            let (count, errors) = &mut self.buckets[at];
            *count += sign * units(cell.count);
            *errors += sign * units(cell.errors);
        }
    }

    /// As new.
    pub fn clear(&mut self) {
        let (from, to) = self.used;
        self.buckets[from.min(to)..to].fill((0, 0));
        (self.count, self.errors, self.sum_nanos, self.used) = (0, 0, 0, (BUCKETS, 0));
    }

    /// Calls, never negative.
    pub fn count(&self) -> f64 {
        self.count.max(0) as f64 / UNIT
    }

    /// Failed calls, never negative.
    pub fn errors(&self) -> f64 {
        self.errors.max(0) as f64 / UNIT
    }

    /// Sum of durations in nanoseconds, never negative.
    pub fn sum_nanos(&self) -> f64 {
        self.sum_nanos.max(0) as f64
    }

    /// As [`super::Cells::quantile`].
    pub fn quantile(&self, q: f64) -> Option<i64> {
        let total: i64 = self.used().map(|(_, count, _)| count).sum();
        // Less than a unit is the rounding error of `q`.
        let wanted = ((q * total as f64 - 1.0).ceil() as i64).max(1);
        let mut below = 0;
        for (bucket, count, _) in self.used() {
            below += count;
            if below >= wanted {
                return Some(middle_of(bucket));
            }
        }
        None
    }

    /// Calls that did not fail and took no longer than `nanos`. A bucket counts by the duration it stands for.
    pub fn good_within(&self, nanos: i64) -> f64 {
        let last = bucket_of(nanos);
        let is_within = |bucket: u16| bucket < last || bucket == last && middle_of(bucket) <= nanos;
        let good =
            self.used().filter(|(bucket, ..)| is_within(*bucket)).map(|(_, count, errors)| (count - errors).max(0));
        good.sum::<i64>() as f64 / UNIT
    }

    /// Buckets that hold calls.
    fn used(&self) -> impl Iterator<Item = (u16, i64, i64)> {
        let (from, to) = self.used;
        (from..to).map(|at| (at as u16, self.buckets[at].0, self.buckets[at].1)).filter(|(_, count, _)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Cells, encode};
    use super::*;
    use proptest::prelude::*;

    fn add(window: &mut Window, cells: &Cells, takes_out: bool) {
        let mut bytes = Vec::new();
        encode(cells, &mut bytes);
        let sum = cells.iter().map(|cell| cell.sum_nanos).sum();
        let (count, errors) = (cells.iter().map(|cell| cell.count).sum(), cells.iter().map(|cell| cell.errors).sum());
        let durations = Bytes::new(&bytes, sum);
        match takes_out {
            false => window.add(count, errors, sum, durations),
            true => window.remove(count, errors, sum, durations),
        }
    }

    proptest! {
        #[test]
        fn a_window_says_what_a_sum_says(
            buckets in proptest::collection::vec(proptest::collection::vec((100i64..1 << 40, any::<bool>()), 0..20), 1..20),
            length in 1usize..6,
            weight in prop_oneof![Just(1.0), Just(4.0), Just(0.75)],
        ) {
            let cells: Vec<Cells> = buckets.iter().map(|calls| {
                let mut cells = Cells::default();
                calls.iter().for_each(|(nanos, failed)| cells.record(*nanos, *failed, weight));
                cells
            }).collect();
            let mut window = Window::default();
            for (at, new) in cells.iter().enumerate() {
                add(&mut window, new, false);
                if at >= length {
                    add(&mut window, &cells[at - length], true);
                }
                let mut sum = Cells::default();
                cells[(at + 1).saturating_sub(length)..=at].iter().for_each(|cells| sum.merge(cells));
                prop_assert_eq!(window.count(), sum.count());
                prop_assert_eq!(window.errors(), sum.errors());
                prop_assert!((window.sum_nanos() - sum.sum_nanos()).abs() <= 20.0 * cells.len() as f64);
                for q in [0.01, 0.5, 0.95, 0.99, 1.0] {
                    prop_assert_eq!(window.quantile(q), sum.quantile(q));
                }
                let good: f64 = sum.iter().filter(|cell| middle_of(cell.bucket) <= 1 << 30).map(|cell| cell.count - cell.errors).sum();
                prop_assert_eq!(window.good_within(1 << 30), good);
            }
            window.clear();
            prop_assert_eq!((window.count(), window.quantile(0.5)), (0.0, None));
        }
    }
}
