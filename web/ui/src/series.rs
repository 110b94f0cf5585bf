//! Series of spans as charts.

use crate::figures::utc_offset;
use crate::query::plain;
use orrery_api::{TraceSeries, TraceSeriesList};
use orrery_chart::{Cell, ChartSpec, Heatmap, Series, Shape, Token, Unit};

/// Series drawn, at most: as many as have a colour and a pattern of their own. A table has the others.
pub const DRAWN: usize = 12;

/// What a series is called by what sets it apart; `otherwise` if nothing does.
pub fn name(series: &TraceSeries, otherwise: &str) -> String {
    let values: Vec<String> = series.labels.iter().map(label).collect();
    if values.is_empty() { otherwise.to_owned() } else { values.join(" · ") }
}

fn label(label: &orrery_api::FieldValue) -> String {
    let number = label.value.as_f64();
    match (label.name.as_str(), number) {
        ("quantile", Some(share)) => format!("p{}", (share * 1e4).round() / 1e2),
        ("bucket", Some(end)) => format!("≤ {end}"),
        _ => plain(&label.value),
    }
}

/// What values are.
pub fn unit(list: &TraceSeriesList) -> Unit {
    Unit::from_ucum(&list.unit)
}

/// The series that come to most, as lines.
pub fn lines(list: &TraceSeriesList, title: String, otherwise: &str) -> ChartSpec {
    let line = |(at, series): (usize, &TraceSeries)| Series::line(name(series, otherwise), at, points(list, series));
    spec(list, title, ranked(list).into_iter().take(DRAWN).enumerate().map(line).collect())
}

/// All series, those that come to most first.
pub fn ranked(list: &TraceSeriesList) -> Vec<&TraceSeries> {
    let sum = |series: &TraceSeries| series.values.iter().flatten().map(|value| value.abs()).sum::<f64>();
    let mut series: Vec<&TraceSeries> = list.series.iter().collect();
    series.sort_by(|a, b| sum(b).total_cmp(&sum(a)));
    series
}

/// Numbers of spans by status as bars: failed ones, on the axis, and the others.
pub fn by_status(list: &TraceSeriesList, title: String, failed: &str, others: &str) -> ChartSpec {
    let mut sums = [vec![0.0; steps(list)], vec![0.0; steps(list)]];
    for series in &list.series {
        let is_error = series.labels.first().is_some_and(|label| label.value == "error");
        let sum = &mut sums[usize::from(!is_error)];
        for (sum, value) in sum.iter_mut().zip(&series.values) {
            *sum += value.unwrap_or(0.0);
        }
    }
    let bars = |name: &str, values: &[f64]| {
        let points = values.iter().enumerate().map(|(at, value)| (time(list, at), Some(*value))).collect();
        Series::line(name, 0, points).shape(Shape::Bars)
    };
    let all = vec![bars(failed, &sums[0]).ink(Token::Err), bars(others, &sums[1]).ink(Token::Series1.alpha(0.75))];
    spec(list, title, all)
}

/// A histogram over time as a heatmap.
pub fn heatmap(list: &TraceSeriesList, title: String) -> Heatmap {
    let mut cells = Vec::new();
    for series in &list.series {
        let end = series.labels.iter().find(|label| label.name == "bucket").and_then(|label| label.value.as_f64());
        let Some(end) = end else { continue };
        let counted = series.values.iter().enumerate().filter_map(|(at, value)| Some((at, (*value)?)));
        cells.extend(counted.map(|(at, count)| Cell { at: time(list, at), end, count }));
    }
    Heatmap {
        title,
        from: list.range.from.0,
        to: list.range.to.0,
        step: list.step_nanos.0.max(1),
        utc_offset_minutes: utc_offset(),
        unit: Unit::Seconds,
        cells,
    }
}

/// Spans counted in all series together.
pub fn total(list: &TraceSeriesList) -> f64 {
    list.series.iter().flat_map(|series| series.values.iter().flatten()).sum()
}

fn spec(list: &TraceSeriesList, title: String, series: Vec<Series>) -> ChartSpec {
    ChartSpec {
        title,
        from: list.range.from.0,
        to: list.range.to.0,
        utc_offset_minutes: utc_offset(),
        unit: unit(list),
        step: Some(list.step_nanos.0.max(1)),
        series,
        ..ChartSpec::default()
    }
}

fn points(list: &TraceSeriesList, series: &TraceSeries) -> Vec<(i64, Option<f64>)> {
    series.values.iter().enumerate().map(|(at, value)| (time(list, at), *value)).collect()
}

fn time(list: &TraceSeriesList, at: usize) -> i64 {
    list.range.from.0.saturating_add(list.step_nanos.0.saturating_mul(at as i64))
}

fn steps(list: &TraceSeriesList) -> usize {
    list.series.iter().map(|series| series.values.len()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use orrery_api::{FieldValue, Nanos, Range};
    use serde_json::Value;
    use serde_json::json;

    fn list(series: &[(&str, Value, &[Option<f64>])]) -> TraceSeriesList {
        let of = |(name, value, values): &(&str, Value, &[Option<f64>])| TraceSeries {
            labels: (!name.is_empty())
                .then(|| FieldValue { name: (*name).into(), value: value.clone() })
                .into_iter()
                .collect(),
            values: values.to_vec(),
            ..TraceSeries::default()
        };
        TraceSeriesList {
            range: Range { from: Nanos(1_000), to: Nanos(1_030) },
            step_nanos: Nanos(10),
            series: series.iter().map(of).collect(),
            ..TraceSeriesList::default()
        }
    }

    #[test]
    fn series_are_called_by_their_labels() {
        let names = |name: &str, value| super::name(&list(&[(name, value, &[])]).series[0], "all");
        assert_eq!(names("", json!(null)), "all");
        assert_eq!(names("resource.service.name", json!("cart")), "cart");
        assert_eq!([names("quantile", json!(0.99)), names("quantile", json!(0.999))], ["p99", "p99.9"]);
        assert_eq!(names("bucket", json!(0.5)), "≤ 0.5");
        assert_eq!(names("span.a", json!(null)), "–");
    }

    #[test]
    fn the_greatest_series_come_first_and_gaps_stay_gaps() {
        let small = (0..20).map(|at| ("a", json!(at), &[Some(1.0)][..]));
        let all: Vec<_> = small.chain([("a", json!("big"), &[None, Some(90.0)][..])]).collect();
        let spec = lines(&list(&all), "t".into(), "all");
        assert_eq!((spec.series.len(), spec.series[0].name.as_str()), (DRAWN, "big"));
        assert_eq!(spec.series[0].points, [(1_000, None), (1_010, Some(90.0))]);
    }

    #[test]
    fn buckets_become_cells() {
        let list = list(&[("bucket", json!(0.5), &[Some(1.0), None]), ("bucket", json!(1), &[None, Some(2.0)])]);
        let cells = heatmap(&list, "t".into()).cells;
        assert_eq!(cells, [Cell { at: 1_000, end: 0.5, count: 1.0 }, Cell { at: 1_010, end: 1.0, count: 2.0 }]);
    }

    #[test]
    fn failed_spans_are_counted_apart() {
        let list = list(&[
            ("span:status", json!("error"), &[Some(1.0), Some(0.0)]),
            ("span:status", json!("ok"), &[Some(2.0), None]),
            ("span:status", json!("unset"), &[Some(3.0), Some(4.0)]),
        ]);
        let spec = by_status(&list, "t".into(), "failed", "others");
        let values = |at: usize| spec.series[at].points.iter().filter_map(|point| point.1).collect::<Vec<_>>();
        assert_eq!((values(0), values(1)), (vec![1.0, 0.0], vec![5.0, 4.0]));
        assert_eq!(total(&list), 10.0);
    }
}
