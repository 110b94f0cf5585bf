//! From points to what is drawn: stacks, runs without gaps, one point pair per pixel.

use super::{ChartSpec, Series, Shape};

/// A bar segment: from `base` to `top` in values, from `at` for one step in time.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Bar {
    pub(crate) series: usize,
    pub(crate) at: i64,
    pub(crate) base: f64,
    pub(crate) top: f64,
}

/// All bars of a chart, stacked in series order; gaps and zeros leave none.
pub(crate) fn stack(spec: &ChartSpec) -> Vec<Bar> {
    let mut tops = std::collections::BTreeMap::<i64, f64>::new();
    let mut bars = Vec::new();
    for (series, s) in spec.series.iter().enumerate().filter(|(_, s)| s.shape == Shape::Bars) {
        for &(at, value) in &s.points {
            let Some(value) = value.filter(|v| is_drawable(*v) && *v > 0.0) else { continue };
            let base = tops.entry(at).or_default();
            bars.push(Bar { series, at, base: *base, top: *base + value });
            *base += value;
        }
    }
    bars
}

/// Finite, and of a size that axis arithmetic survives.
fn is_drawable(value: f64) -> bool {
    value.abs() < 1e60
}

/// The step of bars: as given, else the smallest distance between two points.
pub(crate) fn bar_step(spec: &ChartSpec) -> i64 {
    let smallest = || {
        let gaps = spec.series.iter().flat_map(|s| s.points.windows(2)).map(|w| w[1].0.saturating_sub(w[0].0));
        gaps.filter(|g| *g > 0).min()
    };
    spec.step.or_else(smallest).unwrap_or_else(|| (spec.to.saturating_sub(spec.from) / 60).max(1)).max(1)
}

/// The unbroken runs of a line inside `from..=to`, cut at the edges by interpolation.
pub(crate) fn runs(series: &Series, spec: &ChartSpec) -> Vec<Vec<(i64, f64)>> {
    let usable = |v: &f64| is_drawable(*v) && (spec.scale != super::ValueScale::Log || *v > 0.0);
    let longest = spec.step.map_or(i64::MAX, |step| step.saturating_add(step / 2));
    let mut runs = Vec::new();
    let mut run: Vec<(i64, f64)> = Vec::new();
    for &(at, value) in &series.points {
        let Some(value) = value.filter(usable) else {
            runs.push(std::mem::take(&mut run));
            continue;
        };
        if run.last().is_some_and(|last| at.saturating_sub(last.0) > longest) {
            runs.push(std::mem::take(&mut run));
        }
        run.push((at, value));
    }
    runs.push(run);
    runs.into_iter().map(|run| cut(&run, spec.from, spec.to)).filter(|run| !run.is_empty()).collect()
}

/// The values of a series inside the range, gaps or not: (time, value, index).
pub(crate) fn dots(series: &Series, spec: &ChartSpec) -> impl Iterator<Item = (i64, f64, usize)> {
    let (from, to, log) = (spec.from, spec.to, spec.scale == super::ValueScale::Log);
    let points = series.points.iter().enumerate().filter_map(|(i, p)| Some((p.0, p.1?, i)));
    points.filter(move |p| (from..=to).contains(&p.0) && is_drawable(p.1) && (!log || p.1 > 0.0))
}

fn cut(run: &[(i64, f64)], from: i64, to: i64) -> Vec<(i64, f64)> {
    let start = run.partition_point(|p| p.0 < from);
    let end = run.partition_point(|p| p.0 <= to);
    let mut out = Vec::with_capacity(end.saturating_sub(start) + 2);
    if start > 0 && start < run.len() && run[start].0 > from {
        out.push((from, between(run[start - 1], run[start], from)));
    }
    out.extend_from_slice(&run[start.min(end)..end]);
    if end > 0 && end < run.len() && run[end - 1].0 < to {
        out.push((to, between(run[end - 1], run[end], to)));
    }
    out
}

fn between(a: (i64, f64), b: (i64, f64), at: i64) -> f64 {
    a.1 + (b.1 - a.1) * at.saturating_sub(a.0) as f64 / b.0.saturating_sub(a.0).max(1) as f64
}

/// At most first, lowest, highest and last of each of `columns` equal slices of time: what a line of that
/// many pixels can show. Short runs come back unchanged.
pub(crate) fn thin(run: Vec<(i64, f64)>, columns: usize) -> Vec<(i64, f64)> {
    let (Some(first), Some(last)) = (run.first().copied(), run.last().copied()) else { return run };
    if run.len() <= columns.max(1) * 4 {
        return run;
    }
    let width = ((last.0 - first.0) / columns.max(1) as i64).max(1);
    let mut out = Vec::with_capacity(columns * 4);
    for column in run.chunk_by(|a, b| (a.0 - first.0) / width == (b.0 - first.0) / width) {
        let extreme = |pick: fn(&f64, &f64) -> std::cmp::Ordering| {
            column.iter().enumerate().max_by(|a, b| pick(&a.1.1, &b.1.1)).map_or(0, |(i, _)| i)
        };
        let mut keep = [0, extreme(|a, b| b.total_cmp(a)), extreme(f64::total_cmp), column.len() - 1];
        keep.sort_unstable();
        keep.iter().enumerate().filter(|(i, k)| *i == 0 || keep[i - 1] != **k).for_each(|(_, k)| out.push(column[*k]));
    }
    out
}

/// Lowest and highest value the axis has to hold, stacks included; `None` without data.
pub(crate) fn extent(spec: &ChartSpec) -> Option<(f64, f64)> {
    let lines =
        spec.series.iter().filter(|s| s.shape != Shape::Bars).flat_map(|s| runs(s, spec)).flatten().map(|p| p.1);
    let step = bar_step(spec);
    let bars =
        stack(spec).into_iter().filter(|b| b.at.saturating_add(step) > spec.from && b.at < spec.to).map(|b| b.top);
    let bounds = spec.thresholds.iter().map(|t| t.value).filter(|v| is_drawable(*v));
    lines.chain(bars).chain(bounds).fold(None, |seen, v| match seen {
        None => Some((v, v)),
        Some((lo, hi)) => Some((lo.min(v), hi.max(v))),
    })
}
