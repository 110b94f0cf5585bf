//! How judging goes: how often, and how soon after it could.

/// Since the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Times that a rule was asked and judged.
    pub evaluations: u64,
    /// Moments that were judged.
    pub judged: u64,
    /// Of them those judged together with a later one, because they could not be judged in their turn: data came late, or
    /// the server was busy or not running.
    pub together: u64,
    /// Moments that were never judged, because they were long past when they could have been.
    pub skipped: u64,
    /// From when a moment could be judged until that began. What is not known exactly counts as longer: when data arrived
    /// is looked at several times a second.
    pub delays: Delays,
}

/// Steps that double a delay.
const PER_DOUBLE: f64 = 8.0;
/// The shortest delay that is told from none, nanoseconds.
const SHORTEST: f64 = 1e6;
/// Up to four and a half hours.
const BUCKETS: usize = 192;

/// How long things took: quantiles are up to a tenth too large, never too small.
#[derive(Clone, Debug, PartialEq)]
pub struct Delays {
    counts: Vec<u64>,
    longest: i64,
}

impl Default for Delays {
    fn default() -> Delays {
        Delays { counts: vec![0; BUCKETS], longest: 0 }
    }
}

impl Delays {
    /// One more.
    pub fn add(&mut self, nanos: i64) {
        let above = (nanos.max(0) as f64 / SHORTEST).max(1.0).log2() * PER_DOUBLE;
        self.counts[(above.ceil() as usize).min(BUCKETS - 1)] += 1;
        self.longest = self.longest.max(nanos);
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Nanoseconds within which this share of all was; 0 of none.
    pub fn quantile(&self, share: f64) -> i64 {
        let wanted = ((share * self.count() as f64).ceil() as u64).max(1);
        let mut below = 0;
        for (at, count) in self.counts.iter().enumerate() {
            below += count;
            if below >= wanted {
                return ((SHORTEST * (at as f64 / PER_DOUBLE).exp2()) as i64).min(self.longest);
            }
        }
        0
    }

    /// The longest, nanoseconds.
    pub fn longest(&self) -> i64 {
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_never_too_small_and_a_tenth_too_large_at_most() {
        let mut delays = Delays::default();
        assert_eq!((delays.quantile(0.5), delays.count(), delays.longest()), (0, 0, 0));
        let all: Vec<i64> = (1..=1_000).map(|number| number * 3_000_000).collect();
        all.iter().for_each(|nanos| delays.add(*nanos));
        for share in [0.01, 0.5, 0.9, 0.99, 1.0] {
            let truth = all[(share * 1_000.0) as usize - 1] as f64;
            let found = delays.quantile(share) as f64;
            assert!((truth..=truth * 1.1).contains(&found), "{share}: {found} for {truth}");
        }
        assert_eq!((delays.longest(), delays.quantile(1.0)), (3_000_000_000, 3_000_000_000));
        delays.add(i64::MAX);
        delays.add(-5);
        assert_eq!((delays.count(), delays.longest()), (1_002, i64::MAX));
    }
}
