//! Points into steps: gauges, rates with resets, quantiles. Pure, so that twenty lines of a test can be the reference.

use super::STEPS;
use super::points::{Point, Series};
use super::quantile::{Stretch, quantile, stretches};
use orrery_model::batch::{Buckets, MetricKind, Temporality};
use orrery_query::TimeRange;
use orrery_query::answer::MetricSeries;
use orrery_query::plan::Aggregation;
use std::collections::BTreeMap;

const SECOND: f64 = 1e9;
/// A gauge's value holds for this many of its usual intervals, so that a late report leaves no hole.
const HOLDS: i64 = 3;

/// Steps of time.
#[derive(Clone, Copy, Debug)]
pub(in crate::query) struct Grid {
    range: TimeRange,
    step: i64,
}

impl Grid {
    /// Steps of at least `step` nanoseconds, widened so that there are not too many.
    pub(in crate::query) fn new(range: TimeRange, step: i64) -> Grid {
        Grid { range, step: step.max(range.nanos() / STEPS).max(1) }
    }

    fn start_of(self, time: i64) -> i64 {
        time - time.rem_euclid(self.step)
    }

    /// Starts of the steps that share an instant with `from <= t < to` and the range.
    fn steps(self, from: i64, to: i64) -> impl Iterator<Item = i64> {
        let (from, to) = (from.max(self.range.from), to.min(self.range.to));
        let first = self.start_of(from);
        (0..).map(move |at| first + at * self.step).take_while(move |start| *start < to)
    }
}

/// Values by start of step.
type Steps = BTreeMap<i64, f64>;

/// One series per group.
pub(in crate::query) fn aggregate(
    series: Vec<Series>,
    aggregation: Option<Aggregation>,
    grid: Grid,
    group_by: &[String],
) -> Vec<MetricSeries> {
    let mut groups: BTreeMap<Vec<String>, Vec<Series>> = BTreeMap::new();
    for series in series {
        groups.entry(series.group.clone()).or_default().push(series);
    }
    let answer = |(group, series): (Vec<String>, Vec<Series>)| {
        let how = aggregation.unwrap_or_else(|| natural(&series[0]));
        let points: Vec<(i64, f64)> = combine(&series, how, grid).into_iter().collect();
        let group = group_by.iter().cloned().zip(group).collect();
        (!points.is_empty()).then(|| MetricSeries { group, unit: unit(&series[0], how), points })
    };
    groups.into_iter().filter_map(answer).collect()
}

/// What fits the metric's kind.
fn natural(series: &Series) -> Aggregation {
    match series.kind {
        MetricKind::Gauge => Aggregation::Average,
        MetricKind::Sum if series.is_monotonic => Aggregation::Rate,
        MetricKind::Sum => Aggregation::Sum,
        MetricKind::Histogram | MetricKind::ExponentialHistogram | MetricKind::Summary => Aggregation::Quantile(950),
    }
}

fn unit(series: &Series, how: Aggregation) -> String {
    match (how, series.kind) {
        (Aggregation::Rate, MetricKind::Gauge | MetricKind::Sum) => format!("{}/s", series.unit),
        (Aggregation::Rate, _) => "1/s".to_owned(),
        _ => series.unit.clone(),
    }
}

fn combine(series: &[Series], how: Aggregation, grid: Grid) -> Steps {
    let distribution = !matches!(series[0].kind, MetricKind::Gauge | MetricKind::Sum);
    match how {
        Aggregation::Rate => add(series.iter().map(|series| rate(series, grid))),
        Aggregation::Quantile(thousandths) => quantiles(series, f64::from(thousandths) / 1000.0, grid),
        Aggregation::Average if distribution => means(series, grid),
        Aggregation::Average => average(series.iter().map(|series| held(series, grid))),
        Aggregation::Sum if distribution => sums(series, grid),
        Aggregation::Sum => add(series.iter().map(|series| held(series, grid))),
        Aggregation::Min => extremes(series, grid, |point| Some(low(point)), f64::min),
        Aggregation::Max => extremes(series, grid, |point| Some(high(point)), f64::max),
    }
}

fn low(point: &Point) -> f64 {
    point.distribution.as_ref().map_or(point.value, |spread| spread.min.unwrap_or(f64::NAN))
}

fn high(point: &Point) -> f64 {
    point.distribution.as_ref().map_or(point.value, |spread| spread.max.unwrap_or(f64::NAN))
}

fn add(all: impl Iterator<Item = Steps>) -> Steps {
    let mut sums = Steps::new();
    all.flatten().for_each(|(step, value)| *sums.entry(step).or_default() += value);
    sums
}

fn average(all: impl Iterator<Item = Steps>) -> Steps {
    let mut sums: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    for (step, value) in all.flatten() {
        let (sum, count) = sums.entry(step).or_default();
        *sum += value;
        *count += 1.0;
    }
    sums.into_iter().map(|(step, (sum, count))| (step, sum / count)).collect()
}

fn extremes(
    series: &[Series],
    grid: Grid,
    value: impl Fn(&Point) -> Option<f64>,
    choose: fn(f64, f64) -> f64,
) -> Steps {
    let mut steps = Steps::new();
    for point in series.iter().flat_map(|series| &series.points).filter(|point| grid.range.contains(point.time)) {
        if let Some(value) = value(point).filter(|value| !value.is_nan()) {
            let step = steps.entry(grid.start_of(point.time)).or_insert(value);
            *step = choose(*step, value);
        }
    }
    steps
}

/// The last value of each step; a value holds until the next one is overdue.
fn held(series: &Series, grid: Grid) -> Steps {
    let mut gaps: Vec<i64> = series.points.windows(2).map(|pair| pair[1].time - pair[0].time).collect();
    gaps.sort_unstable();
    let usual = gaps.get(gaps.len() / 2).copied().unwrap_or(0);
    let holds = usual.saturating_mul(HOLDS).min(super::LOOKBACK);
    let mut steps = Steps::new();
    for (at, point) in series.points.iter().enumerate() {
        let until = series.points.get(at + 1).map_or(i64::MAX, |next| next.time);
        // At least its own instant; later steps only while it holds.
        let end = until.min(point.time.saturating_add(holds)).max(point.time.saturating_add(1));
        steps.extend(grid.steps(point.time, end).map(|step| (step, point.value)));
    }
    steps
}

/// Something that grew between two instants.
struct Growth {
    from: i64,
    to: i64,
    by: f64,
}

/// What a counter grew by between its points. A value below the previous one, or a new start time, is a restart from
/// zero.
fn growth(series: &Series, step: i64, amount: impl Fn(&Point) -> f64) -> Vec<Growth> {
    let mut grown = Vec::new();
    let mut previous: Option<&Point> = None;
    for point in &series.points {
        let now = amount(point);
        let before = previous.replace(point);
        let started = (point.start > 0 && point.start < point.time).then_some(point.start);
        let grew = match (series.temporality, before) {
            (Temporality::Delta, before) => {
                let from = started.or(before.map(|before| before.time)).unwrap_or(point.time - step);
                Some(Growth { from, to: point.time, by: now })
            }
            (_, Some(before)) if now >= amount(before) && !restarted(before, point) => {
                Some(Growth { from: before.time, to: point.time, by: now - amount(before) })
            }
            (_, Some(before)) => {
                Some(Growth { from: started.unwrap_or(before.time).max(before.time), to: point.time, by: now })
            }
            // The first point says what came since its start, if that is known.
            (_, None) => started.map(|from| Growth { from, to: point.time, by: now }),
        };
        grown.extend(grew);
    }
    grown
}

fn restarted(before: &Point, point: &Point) -> bool {
    point.start > before.start && point.start >= before.time && before.start > 0
}

/// Increase per second. Growth is spread evenly over the time it took; a step's rate is what fell into it, by the time
/// it was observed for.
fn rate(series: &Series, grid: Grid) -> Steps {
    let count = |point: &Point| point.distribution.as_ref().map_or(point.value, |spread| spread.count);
    let mut steps: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    for growth in growth(series, grid.step, count) {
        let span = (growth.to - growth.from).max(1) as f64;
        for start in grid.steps(growth.from, growth.to) {
            let from = start.max(growth.from).max(grid.range.from);
            let to = (start + grid.step).min(growth.to).min(grid.range.to);
            let inside = (to - from).max(0) as f64;
            let (grown, observed) = steps.entry(start).or_default();
            *grown += growth.by * inside / span;
            *observed += inside;
        }
    }
    let rate = |(step, (grown, observed)): (i64, (f64, f64))| (step, grown / observed * SECOND);
    steps.into_iter().filter(|(_, (_, observed))| *observed > 0.0).map(rate).collect()
}

/// What histograms' sums grew by, in the step in which it was reported.
fn sums(series: &[Series], grid: Grid) -> Steps {
    let sum = |point: &Point| point.distribution.as_ref().map_or(0.0, |spread| spread.sum);
    add(series.iter().map(|series| reported(&growth(series, grid.step, sum), grid)))
}

fn reported(growth: &[Growth], grid: Grid) -> Steps {
    let mut steps = Steps::new();
    for growth in growth.iter().filter(|growth| grid.range.contains(growth.to)) {
        *steps.entry(grid.start_of(growth.to)).or_default() += growth.by;
    }
    steps
}

/// Mean of a histogram's measurements.
fn means(series: &[Series], grid: Grid) -> Steps {
    let count = |point: &Point| point.distribution.as_ref().map_or(0.0, |spread| spread.count);
    let counts = add(series.iter().map(|series| reported(&growth(series, grid.step, count), grid)));
    let sums = sums(series, grid);
    let mean = |(step, count): (i64, f64)| (count > 0.0).then(|| Some((step, sums.get(&step)? / count))).flatten();
    counts.into_iter().filter_map(mean).collect()
}

fn quantiles(series: &[Series], share: f64, grid: Grid) -> Steps {
    if series[0].kind == MetricKind::Summary {
        return average(series.iter().map(|series| summary_quantile(series, share, grid)));
    }
    let mut steps: BTreeMap<i64, Vec<Stretch>> = BTreeMap::new();
    for series in series {
        let mut previous: Option<&Point> = None;
        for point in &series.points {
            let before = previous.replace(point);
            let Some(spread) = point.distribution.as_ref().filter(|_| grid.range.contains(point.time)) else {
                continue;
            };
            let buckets =
                match (series.temporality, before.and_then(|before| Some((before, before.distribution.as_ref()?)))) {
                    (Temporality::Delta, _) => spread.buckets.clone(),
                    (_, Some((before, old))) if !restarted(before, point) => increase(&old.buckets, &spread.buckets),
                    (_, Some(_)) => spread.buckets.clone(),
                    (_, None) if grid.range.contains(point.start) => spread.buckets.clone(),
                    (_, None) => continue,
                };
            // Smallest and largest are since the start for cumulative ones: still bounds.
            let grown = stretches(&buckets, spread.min, spread.max);
            steps.entry(grid.start_of(point.time)).or_default().extend(grown);
        }
    }
    steps.into_iter().filter_map(|(step, stretches)| Some((step, quantile(&merged(stretches), share)?))).collect()
}

/// Equal stretches as one: most series share their bounds.
fn merged(mut stretches: Vec<Stretch>) -> Vec<Stretch> {
    stretches.sort_by(|a, b| a.low.total_cmp(&b.low).then(a.high.total_cmp(&b.high)));
    stretches.dedup_by(|next, kept| {
        let same = next.low == kept.low && next.high == kept.high;
        if same {
            kept.weight += next.weight;
        }
        same
    });
    stretches
}

fn summary_quantile(series: &Series, share: f64, grid: Grid) -> Steps {
    let mut steps = Steps::new();
    for point in series.points.iter().filter(|point| grid.range.contains(point.time)) {
        let Some(Buckets::Summary { quantiles }) = point.distribution.as_ref().map(|spread| &spread.buckets) else {
            continue;
        };
        // The nearest one that the sender made.
        let nearest = quantiles.iter().min_by(|a, b| (a.0 - share).abs().total_cmp(&(b.0 - share).abs()));
        if let Some((_, value)) = nearest.filter(|(_, value)| !value.is_nan()) {
            steps.insert(grid.start_of(point.time), *value);
        }
    }
    steps
}

/// What was measured between two cumulative histograms. All of the later one when it does not continue the earlier.
fn increase(old: &Buckets, new: &Buckets) -> Buckets {
    continued(old, new).unwrap_or_else(|| new.clone())
}

fn continued(old: &Buckets, new: &Buckets) -> Option<Buckets> {
    match (old, new) {
        (Buckets::Explicit { bounds: a, counts: old }, Buckets::Explicit { bounds, counts }) if a == bounds => {
            let counts = subtract(old, 0, counts, 0)?;
            Some(Buckets::Explicit { bounds: bounds.clone(), counts })
        }
        (
            Buckets::Exponential {
                scale: a,
                zero_count: old_zero,
                positive_offset: p,
                positive: old_positive,
                negative_offset: n,
                negative: old_negative,
                ..
            },
            Buckets::Exponential {
                scale,
                zero_count,
                zero_threshold,
                positive_offset,
                positive,
                negative_offset,
                negative,
            },
        ) if a == scale => Some(Buckets::Exponential {
            scale: *scale,
            zero_count: zero_count.checked_sub(*old_zero)?,
            zero_threshold: *zero_threshold,
            positive_offset: *positive_offset,
            positive: subtract(old_positive, *p, positive, *positive_offset)?,
            negative_offset: *negative_offset,
            negative: subtract(old_negative, *n, negative, *negative_offset)?,
        }),
        (
            Buckets::Exponential {
                scale: a,
                zero_count,
                zero_threshold,
                positive_offset,
                positive,
                negative_offset,
                negative,
            },
            Buckets::Exponential { scale, .. },
        ) if a > scale => {
            // The sender halved its resolution: so do we with the earlier one.
            let (positive_offset, positive) = halved(*positive_offset, positive);
            let (negative_offset, negative) = halved(*negative_offset, negative);
            let coarser = Buckets::Exponential {
                scale: a - 1,
                zero_count: *zero_count,
                zero_threshold: *zero_threshold,
                positive_offset,
                positive,
                negative_offset,
                negative,
            };
            continued(&coarser, new)
        }
        _ => None,
    }
}

/// Bucketwise difference; `None` if something shrank.
fn subtract(old: &[u64], old_offset: i32, new: &[u64], offset: i32) -> Option<Vec<u64>> {
    let lost = old.iter().enumerate().any(|(at, count)| {
        let index = i64::from(old_offset) + at as i64 - i64::from(offset);
        *count > usize::try_from(index).ok().and_then(|index| new.get(index)).copied().unwrap_or(0)
    });
    if lost {
        return None;
    }
    let before = |at: usize| {
        let index = i64::from(offset) + at as i64 - i64::from(old_offset);
        usize::try_from(index).ok().and_then(|index| old.get(index)).copied().unwrap_or(0)
    };
    Some(new.iter().enumerate().map(|(at, count)| count - before(at)).collect())
}

fn halved(offset: i32, counts: &[u64]) -> (i32, Vec<u64>) {
    let first = offset.div_euclid(2);
    let mut out: Vec<u64> = Vec::new();
    for (at, count) in counts.iter().enumerate() {
        let index = ((i64::from(offset) + at as i64).div_euclid(2) - i64::from(first)) as usize;
        out.resize(out.len().max(index + 1), 0);
        out[index] += count;
    }
    (first, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    fn counter(temporality: Temporality, points: &[(i64, i64, f64)]) -> Series {
        let point = |(start, time, value): &(i64, i64, f64)| Point {
            time: time * S,
            start: start * S,
            value: *value,
            distribution: None,
        };
        Series {
            group: vec![],
            unit: "By".into(),
            kind: MetricKind::Sum,
            temporality,
            is_monotonic: true,
            points: points.iter().map(point).collect(),
        }
    }

    fn grid(from: i64, to: i64, step: i64) -> Grid {
        Grid::new(TimeRange { from: from * S, to: to * S }, step * S)
    }

    fn rates(series: &Series, grid: Grid) -> Vec<(i64, f64)> {
        rate(series, grid).into_iter().map(|(step, rate)| (step / S, (rate * 1000.0).round() / 1000.0)).collect()
    }

    #[test]
    fn a_counter_has_a_rate_through_resets() {
        let grown = counter(Temporality::Cumulative, &[(1, 10, 100.0), (1, 20, 200.0), (1, 30, 400.0)]);
        assert_eq!(rates(&grown, grid(10, 30, 10)), [(10, 10.0), (20, 20.0)]);
        let reset = counter(Temporality::Cumulative, &[(0, 10, 100.0), (0, 20, 50.0), (0, 30, 80.0)]);
        assert_eq!(rates(&reset, grid(10, 30, 10)), [(10, 5.0), (20, 3.0)]);
        let restarted = counter(Temporality::Cumulative, &[(1, 10, 100.0), (12, 20, 160.0)]);
        assert_eq!(rates(&restarted, grid(10, 20, 10)), [(10, 20.0)]);
    }

    #[test]
    fn deltas_and_late_points_are_spread_over_their_time() {
        let delta = counter(Temporality::Delta, &[(0, 10, 50.0), (10, 20, 100.0), (20, 40, 100.0)]);
        assert_eq!(rates(&delta, grid(10, 40, 10)), [(10, 10.0), (20, 5.0), (30, 5.0)]);
        let first = counter(Temporality::Cumulative, &[(5, 10, 50.0)]);
        assert_eq!(rates(&first, grid(0, 20, 5)), [(5, 10.0)]);
    }

    #[test]
    fn a_gauge_holds_until_it_is_overdue() {
        let mut gauge = counter(Temporality::Unspecified, &[(0, 10, 1.0), (0, 20, 2.0), (0, 60, 3.0)]);
        gauge.kind = MetricKind::Gauge;
        gauge.points.push(Point { time: 70 * S, value: 4.0, ..Point::default() });
        let steps: Vec<(i64, f64)> = held(&gauge, grid(10, 80, 10)).into_iter().map(|(at, v)| (at / S, v)).collect();
        assert_eq!(steps, [(10, 1.0), (20, 2.0), (30, 2.0), (40, 2.0), (60, 3.0), (70, 4.0)]);
    }

    #[test]
    fn cumulative_histograms_give_the_quantile_of_what_is_new() {
        let explicit = |counts: &[u64]| Buckets::Explicit { bounds: vec![1.0, 2.0], counts: counts.to_vec() };
        assert_eq!(increase(&explicit(&[1, 2, 3]), &explicit(&[1, 5, 3])), explicit(&[0, 3, 0]));
        assert_eq!(increase(&explicit(&[9, 9, 9]), &explicit(&[1, 0, 0])), explicit(&[1, 0, 0]), "a reset");
        let exponential = |scale, positive_offset, positive: &[u64]| Buckets::Exponential {
            scale,
            zero_count: 0,
            zero_threshold: 0.0,
            positive_offset,
            positive: positive.to_vec(),
            negative_offset: 0,
            negative: vec![],
        };
        let grown = increase(&exponential(3, 2, &[1, 1]), &exponential(3, 1, &[5, 1, 4]));
        assert_eq!(grown, exponential(3, 1, &[5, 0, 3]));
        let coarser = increase(&exponential(3, 2, &[1, 1]), &exponential(2, 1, &[2, 4]));
        assert_eq!(coarser, exponential(2, 1, &[0, 4]));
    }
}
