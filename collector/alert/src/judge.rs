//! Whether values are bad: thresholds, what is usual, other conditions.

use crate::source::Series;
use orrery_api::alerting::{Condition, Level, Side};

/// Moments of what is usual, below which nothing can be said about it.
const LEAST_USUAL: usize = 5;
/// Makes a median absolute deviation comparable with a standard deviation.
const COMPARABLE: f64 = 1.4826;

/// What there is to say about one moment of one series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Observation {
    /// There is a value.
    Value(Verdict),
    /// There is none.
    Absent,
    /// The question failed.
    Failed,
}

/// What a value means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// The value.
    pub value: f64,
    /// A bit per level: it is bad.
    pub bad: u8,
    /// A bit per level: it is so good that what fires is over.
    pub recovered: u8,
    /// What the value was compared with: the bound it broke, of the worst level that it broke; else of the mildest.
    pub threshold: Option<f64>,
    /// Ends of what is not bad, of the mildest level.
    pub low: Option<f64>,
    /// See `low`.
    pub high: Option<f64>,
}

/// What a value is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bounds {
    /// Smaller is bad.
    pub low: Option<f64>,
    /// Larger is bad.
    pub high: Option<f64>,
    /// What fires is over only from here up.
    recovered_low: Option<f64>,
    /// What fires is over only from here down.
    recovered_high: Option<f64>,
}

/// What values were at other times: what a condition compares with.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usual {
    /// Median.
    pub median: f64,
    /// Comparable with a standard deviation.
    pub deviation: f64,
}

impl Usual {
    /// Of the values there are; `None` if there are too few to say.
    pub fn of(values: &mut [f64]) -> Option<Usual> {
        if values.len() < LEAST_USUAL {
            return None;
        }
        let middle = median(values)?;
        values.iter_mut().for_each(|value| *value = (*value - middle).abs());
        Some(Usual { median: middle, deviation: COMPARABLE * median(values)? })
    }
}

/// The middle one; of two the mean.
fn median(values: &mut [f64]) -> Option<f64> {
    let half = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    let is_even = values.len().is_multiple_of(2);
    let (below, middle, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    let middle = *middle;
    let lower = if is_even { below.iter().copied().max_by(f64::total_cmp) } else { None };
    Some(lower.map_or(middle, |lower| f64::midpoint(lower, middle)))
}

impl Bounds {
    /// Of a level, with what values were at other times: `past` for [`Condition::Changed`], `usual` for
    /// [`Condition::Unusual`]. `None` if what it compares with is not known: nothing is bad then.
    pub fn of(level: &Level, past: Option<f64>, usual: Option<Usual>) -> Option<Bounds> {
        let (middle, low, high, side) = match level.when {
            Condition::Above(high) => {
                let recovered_high = Some(level.recover.unwrap_or(high));
                return Some(Bounds { high: Some(high), recovered_high, ..Bounds::default() });
            }
            Condition::Below(low) => {
                let recovered_low = Some(level.recover.unwrap_or(low));
                return Some(Bounds { low: Some(low), recovered_low, ..Bounds::default() });
            }
            Condition::Changed { side, times, by, .. } => {
                let past = past?;
                (past, (past / times).min(past - by), (past * times).max(past + by), side)
            }
            Condition::Unusual { side, deviations, times, by, .. } => {
                let Usual { median, deviation } = usual?;
                let reach = (deviations * deviation).max(by);
                (median, (median - reach).min(median / times), (median + reach).max(median * times), side)
            }
        };
        let back = level.recover.unwrap_or(0.0);
        let low = (side != Side::Above).then_some(low);
        let high = (side != Side::Below).then_some(high);
        Some(Bounds {
            low,
            high,
            recovered_low: low.map(|low| low + back * (middle - low)),
            recovered_high: high.map(|high| high - back * (high - middle)),
        })
    }

    /// The bound that a value breaks.
    pub fn broken(&self, value: f64) -> Option<f64> {
        self.high.filter(|high| value > *high).or(self.low.filter(|low| value < *low))
    }

    fn has_recovered(&self, value: f64) -> bool {
        self.recovered_high.is_none_or(|high| value <= high) && self.recovered_low.is_none_or(|low| value >= low)
    }
}

/// What a value means to each level; `allowed` says whether the other conditions of the rule hold. `bounds` are in the order
/// of the levels.
pub fn verdict(value: f64, levels: &[Level], bounds: &[Option<Bounds>], allowed: bool) -> Verdict {
    let (mut bad, mut recovered) = (0, 0);
    let mut broken: Option<(orrery_api::alerting::AlertSeverity, f64)> = None;
    for (number, (level, bounds)) in levels.iter().zip(bounds).enumerate() {
        let bit = 1 << number;
        let bound = bounds.as_ref().and_then(|bounds| bounds.broken(value)).filter(|_| allowed);
        if let Some(bound) = bound {
            bad |= bit;
            if broken.is_none_or(|(severity, _)| level.severity > severity) {
                broken = Some((level.severity, bound));
            }
        }
        if !allowed || bounds.as_ref().is_none_or(|bounds| bounds.has_recovered(value)) {
            recovered |= bit;
        }
    }
    let mildest = levels.iter().zip(bounds).min_by_key(|(level, _)| level.severity).and_then(|(_, bounds)| *bounds);
    let Bounds { low, high, .. } = mildest.unwrap_or_default();
    Verdict { value, bad, recovered, threshold: broken.map(|(_, bound)| bound).or(high).or(low), low, high }
}

/// Whether two series are about the same: the labels `on` are equal, or all that both have.
pub fn are_joined(one: &Series, other: &Series, on: &[String]) -> bool {
    if on.is_empty() {
        return one.labels.iter().all(|(name, value)| other.labels.get(name).is_none_or(|other| other == value));
    }
    on.iter().all(|name| one.labels.get(name) == other.labels.get(name))
}
