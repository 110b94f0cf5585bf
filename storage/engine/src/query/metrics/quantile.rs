//! Quantiles of histograms whose buckets need not agree.
//!
//! Every bucket is a stretch of values with a weight, spread evenly inside. The distribution of a sum of histograms is
//! then piecewise linear, and its quantile exact under that assumption; nothing is lost by different bounds.

use orrery_model::batch::Buckets;

/// A stretch of values and how many measurements lie in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stretch {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) weight: f64,
}

/// The stretches of a histogram's buckets; those without measurements are left out.
pub(super) fn stretches(buckets: &Buckets, min: Option<f64>, max: Option<f64>) -> Vec<Stretch> {
    let mut out = Vec::new();
    let mut push = |low: f64, high: f64, count: u64| {
        if count > 0 && low.is_finite() && high.is_finite() {
            out.push(Stretch { low: low.min(high), high: high.max(low), weight: count as f64 });
        }
    };
    match buckets {
        Buckets::Explicit { bounds, counts } => {
            for (at, count) in counts.iter().enumerate() {
                // The outer buckets are open: the smallest and largest measurement close them, else zero and the
                // last bound.
                let low = match at.checked_sub(1) {
                    Some(below) => bounds.get(below).copied(),
                    None => Some(min.unwrap_or_else(|| bounds.first().copied().unwrap_or(0.0).min(0.0))),
                };
                let low = low.or(bounds.last().copied()).unwrap_or(0.0);
                let high = bounds.get(at).copied().unwrap_or_else(|| max.unwrap_or(low).max(low));
                push(low, high, *count);
            }
        }
        Buckets::Exponential {
            scale,
            zero_count,
            zero_threshold,
            positive_offset,
            positive,
            negative_offset,
            negative,
        } => {
            let bound = |index: i64| (index as f64 * (-f64::from(*scale)).exp2()).exp2();
            push(-zero_threshold, *zero_threshold, *zero_count);
            for (at, count) in positive.iter().enumerate() {
                let index = i64::from(*positive_offset) + at as i64;
                push(bound(index), bound(index + 1), *count);
            }
            for (at, count) in negative.iter().enumerate() {
                let index = i64::from(*negative_offset) + at as i64;
                push(-bound(index + 1), -bound(index), *count);
            }
        }
        Buckets::Summary { .. } => {}
    }
    out
}

/// The value below which `share` (0 to 1) of the weight lies; `None` without weight.
pub(super) fn quantile(stretches: &[Stretch], share: f64) -> Option<f64> {
    let total: f64 = stretches.iter().map(|stretch| stretch.weight).sum();
    if total <= 0.0 {
        return None;
    }
    let mut edges: Vec<f64> = stretches.iter().flat_map(|stretch| [stretch.low, stretch.high]).collect();
    edges.sort_by(f64::total_cmp);
    edges.dedup();
    let wanted = share.clamp(0.0, 1.0) * total;
    let at = edges.partition_point(|edge| below(stretches, *edge) < wanted);
    let high = *edges.get(at).or(edges.last())?;
    let Some(low) = at.checked_sub(1).and_then(|before| edges.get(before)).copied() else { return Some(high) };
    let (under, over) = (below(stretches, low), below(stretches, high));
    if over <= under {
        return Some(high);
    }
    Some(low + (high - low) * ((wanted - under) / (over - under)).clamp(0.0, 1.0))
}

/// The weight at or below a value.
fn below(stretches: &[Stretch], value: f64) -> f64 {
    let part = |stretch: &Stretch| {
        if value >= stretch.high {
            stretch.weight
        } else if value <= stretch.low {
            0.0
        } else {
            stretch.weight * (value - stretch.low) / (stretch.high - stretch.low)
        }
    };
    stretches.iter().map(part).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explicit(bounds: &[f64], counts: &[u64]) -> Buckets {
        Buckets::Explicit { bounds: bounds.to_vec(), counts: counts.to_vec() }
    }

    #[test]
    fn explicit_buckets_interpolate() {
        let buckets = stretches(&explicit(&[1.0, 2.0, 4.0], &[10, 10, 10, 0]), None, None);
        assert_eq!(quantile(&buckets, 0.5), Some(1.5));
        assert_eq!(quantile(&buckets, 1.0), Some(4.0));
        assert_eq!(quantile(&buckets, 0.0), Some(0.0));
        let open = stretches(&explicit(&[1.0], &[0, 4]), None, Some(3.0));
        assert_eq!(quantile(&open, 0.5), Some(2.0));
        assert_eq!(quantile(&stretches(&explicit(&[], &[]), None, None), 0.5), None);
    }

    #[test]
    fn histograms_of_other_bounds_add_up() {
        let mut buckets = stretches(&explicit(&[1.0, 2.0], &[0, 10, 0]), None, None);
        buckets.extend(stretches(&explicit(&[3.0, 4.0], &[0, 10, 0]), None, None));
        assert_eq!(quantile(&buckets, 0.25), Some(1.5));
        assert_eq!(quantile(&buckets, 0.75), Some(3.5));
    }

    #[test]
    fn exponential_buckets_are_close_to_the_truth() {
        // Scale 5: a bucket is 2.2 % wide. Values 1 to 1000, once each.
        let scale = 5;
        let index = |value: f64| (value.log2() * 32.0).ceil() as i64 - 1;
        let mut counts = vec![0u64; 400];
        (1..=1000).for_each(|value| counts[(index(f64::from(value)) + 1) as usize] += 1);
        let buckets = Buckets::Exponential {
            scale,
            zero_count: 0,
            zero_threshold: 0.0,
            positive_offset: -1,
            positive: counts,
            negative_offset: 0,
            negative: vec![],
        };
        let buckets = stretches(&buckets, None, None);
        for share in [0.1, 0.5, 0.9, 0.99] {
            let truth = share * 1000.0;
            let found = quantile(&buckets, share).unwrap();
            assert!((found - truth).abs() / truth < 0.025, "{share}: {found}");
        }
    }
}
