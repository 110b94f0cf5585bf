//! Metrics, and when hosts last reported.

use super::cells::is_of_now;
use super::{SECOND, StoreSource, Weighed, gathered, invalid};
use crate::api::params::{attribute, service_match};
use orrery_alert::{Grid, Series, SourceError, Values};
use orrery_query::answer::MetricSeries;
use orrery_query::plan::{self, Aggregation, AttributeFilter};
use orrery_query::time::TimeRange;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Steps of one question, at most: of more the store makes longer ones.
const STEPS: i64 = 900;
/// Questions of the store for one of ours, at most.
const QUESTIONS: usize = 300;
/// A step that holds everything: steps begin at multiples of their length.
const WHOLE: i64 = i64::MAX / 4;
/// Hosts that reported last before this are gone.
const GONE: i64 = 3_600_000_000_000;
/// How exactly the last report of a host is known.
const REPORT: i64 = 10_000_000_000;
/// As much of the time before a moment is read as several rules need: the first of these that is long enough.
const BEFORE: [i64; 4] = [360_000_000_000, 1_200_000_000_000, 3_600_000_000_000, 21_600_000_000_000];
/// Answers that are held for others, at most.
const HELD: usize = 512;
/// What a metric is, is looked up so often.
const LOOKED_UP: Duration = Duration::from_secs(60);
/// What every agent reports, one or the other.
const REPORTS: [&str; 4] =
    ["system.cpu.utilization", "system.cpu.time", "system.memory.usage", "system.cpu.load_average.1m"];

/// What is asked about a metric.
#[derive(Clone, Copy)]
pub(super) struct Metric<'a> {
    pub(super) name: &'a str,
    pub(super) aggregation: Option<&'a str>,
    pub(super) service: Option<&'a str>,
    pub(super) attr: &'a [String],
    pub(super) group_by: &'a [String],
}

fn aggregation(text: &str) -> Result<Aggregation, SourceError> {
    Ok(match text {
        "average" | "avg" => Aggregation::Average,
        "sum" => Aggregation::Sum,
        "min" => Aggregation::Min,
        "max" => Aggregation::Max,
        "rate" => Aggregation::Rate,
        other => {
            let percent = other.strip_prefix('p').and_then(|percent| percent.parse::<f64>().ok());
            let thousandths = percent
                .filter(|percent| (0.0..=100.0).contains(percent))
                .map(|percent| (percent * 10.0).round() as u16);
            Aggregation::Quantile(thousandths.ok_or_else(|| {
                invalid(
                    "aggregation",
                    format!("`{other}` is no aggregation; average, sum, min, max, rate, or a quantile such as p95"),
                )
            })?)
        }
    })
}

/// How values of the steps of a window become one.
fn joined(how: Aggregation, values: &[f64]) -> Option<f64> {
    let mean = || values.iter().sum::<f64>() / values.len() as f64;
    let folded = |choose: fn(f64, f64) -> f64| values.iter().copied().reduce(choose);
    match how {
        _ if values.is_empty() => None,
        Aggregation::Average | Aggregation::Rate | Aggregation::Quantile(_) => Some(mean()),
        Aggregation::Sum => values.last().copied(),
        Aggregation::Min => folded(f64::min),
        Aggregation::Max => folded(f64::max),
    }
}

type Points = BTreeMap<Vec<(String, String)>, BTreeMap<i64, f64>>;
type Answered = (Arc<Vec<MetricSeries>>, Option<String>);

/// What was asked at this look, for rules that ask the same.
#[derive(Default)]
pub(super) struct Asked {
    answers: Vec<(plan::Metric, Answered)>,
    natural: BTreeMap<String, (Instant, Aggregation)>,
}

impl Asked {
    pub(super) fn renew(&mut self) {
        self.answers.clear();
        self.natural.retain(|_, (at, _)| at.elapsed() <= LOOKED_UP);
    }
}

/// The beginning of a range that others read as well.
fn shared_from(plan: &plan::Metric, step: i64) -> i64 {
    let TimeRange { from, to } = plan.range;
    let enough = BEFORE.into_iter().find(|before| to - from <= *before).map_or(from, |before| to - before);
    enough.div_euclid(step) * step
}

impl StoreSource {
    pub(super) fn metric(&self, asked: &Metric<'_>, window: i64, grid: Grid) -> Result<Values, SourceError> {
        let attributes: Vec<AttributeFilter> = asked
            .attr
            .iter()
            .map(|text| attribute(text).map_err(|why| invalid("attr", why)))
            .collect::<Result<_, _>>()?;
        let service = asked.service.map(service_match);
        let how = match asked.aggregation {
            Some(text) => aggregation(text)?,
            None => self.natural(asked.name, TimeRange { from: grid.first - window, to: grid.last() })?,
        };
        let plan = plan::Metric {
            name: asked.name.to_owned(),
            range: TimeRange { from: grid.first - window, to: grid.last() },
            step_nanos: WHOLE,
            service,
            attributes,
            group_by: asked.group_by.to_vec(),
            aggregation: Some(how),
            limit: super::MOST_SERIES as u32 + 1,
        };
        let mut partial = None;
        let mut found: BTreeMap<Vec<(String, String)>, Vec<Option<f64>>> = BTreeMap::new();
        let mut put = |group: &[(String, String)], moment: usize, value: f64| {
            let values = found.entry(group.to_vec()).or_insert_with(|| vec![None; grid.count]);
            values[moment] = Some(value);
        };
        // Quantiles of parts are not that of the whole.
        let is_whole = matches!(how, Aggregation::Quantile(_)) && window != grid.step || window % grid.step != 0;
        if is_whole {
            let first = grid.count.saturating_sub(QUESTIONS);
            if first > 0 {
                partial = Some(format!(
                    "a window of this length is asked about one by one: of the last {QUESTIONS} there are values; choose one as long as the time between two judgements"
                ));
            }
            for moment in first..grid.count {
                let to = grid.at(moment);
                let range = TimeRange { from: to - window, to };
                for series in self.points(&plan::Metric { range, ..plan.clone() }, &mut partial)?.iter() {
                    if let Some((_, value)) = series.points.last() {
                        put(&series.group, moment, *value);
                    }
                }
            }
        } else {
            let from = if is_of_now(grid) { shared_from(&plan, grid.step) } else { plan.range.from };
            let range = TimeRange { from, ..plan.range };
            let steps = self.steps(&plan::Metric { range, ..plan }, grid.step, &mut partial)?;
            for (group, points) in &steps {
                for (moment, to) in grid.moments().enumerate() {
                    let held: Vec<f64> = points.range(to - window..to).map(|(_, value)| *value).collect();
                    joined(how, &held).into_iter().for_each(|value| put(group, moment, value));
                }
            }
        }
        let series = |(group, values): (Vec<(String, String)>, Vec<Option<f64>>)| Weighed {
            weight: values.iter().flatten().map(|value| value.abs()).sum(),
            series: Series { labels: group.into_iter().collect(), node: None, caller: None, values },
        };
        Ok(gathered(found.into_iter().map(series).collect(), partial))
    }

    fn points(&self, plan: &plan::Metric, partial: &mut Option<String>) -> Result<Arc<Vec<MetricSeries>>, SourceError> {
        let known = self.metrics().answers.iter().find(|(asked, _)| asked == plan).map(|(_, answer)| answer.clone());
        let (series, why) = match known {
            Some(known) => known,
            None => {
                let answer = self.ask(|store, control| store.metric(plan, control))?;
                let answered = (Arc::new(answer.value), answer.partial.map(|why| why.0));
                let mut asked = self.metrics();
                if asked.answers.len() < HELD {
                    asked.answers.push((plan.clone(), answered.clone()));
                }
                answered
            }
        };
        if let Some(why) = why {
            partial.get_or_insert(why);
        }
        Ok(series)
    }

    /// Values by step, of a range in as many questions as that takes.
    fn steps(&self, plan: &plan::Metric, step: i64, partial: &mut Option<String>) -> Result<Points, SourceError> {
        let mut all = Points::new();
        let mut from = plan.range.from;
        while from < plan.range.to {
            let to = plan.range.to.min(from.saturating_add(step * STEPS));
            let plan = plan::Metric { range: TimeRange { from, to }, step_nanos: step, ..plan.clone() };
            for series in self.points(&plan, partial)?.iter() {
                all.entry(series.group.clone()).or_default().extend(series.points.iter().copied());
            }
            from = to;
        }
        Ok(all)
    }

    /// What fits a metric.
    fn natural(&self, name: &str, range: TimeRange) -> Result<Aggregation, SourceError> {
        if let Some((_, known)) = self.metrics().natural.get(name) {
            return Ok(*known);
        }
        // What was said about it lately is true of all time.
        let range = TimeRange { from: range.to - GONE, to: range.to };
        let answer =
            self.ask(|store, control| store.metric_names(&plan::MetricNames { range, service: None }, control))?;
        // A metric that is not known may come any moment.
        let Some(metric) = answer.value.into_iter().find(|metric| metric.name == name) else {
            return Ok(Aggregation::Average);
        };
        let fits = match metric.kind.as_str() {
            "sum" if metric.is_monotonic => Aggregation::Rate,
            "sum" => Aggregation::Sum,
            "gauge" => Aggregation::Average,
            _ => Aggregation::Quantile(950),
        };
        self.metrics().natural.insert(name.to_owned(), (Instant::now(), fits));
        Ok(fits)
    }

    pub(super) fn hosts(&self, host: Option<&str>, grid: Grid) -> Result<Values, SourceError> {
        let attribute =
            |host: &str| AttributeFilter { key: "host.name".to_owned(), value: host.to_owned(), negated: false };
        let range = TimeRange { from: (grid.first - GONE).div_euclid(REPORT) * REPORT, to: grid.last() };
        let (mut partial, mut reports) = (None, BTreeMap::<String, std::collections::BTreeSet<i64>>::new());
        for name in REPORTS {
            let plan = plan::Metric {
                name: name.to_owned(),
                range,
                step_nanos: REPORT,
                service: None,
                attributes: host.map(attribute).into_iter().collect(),
                group_by: vec!["host.name".to_owned()],
                // Only points that were sent, none that is taken to hold on.
                aggregation: Some(Aggregation::Max),
                limit: super::MOST_SERIES as u32 + 1,
            };
            for (group, points) in self.steps(&plan, REPORT, &mut partial)? {
                let name = group.into_iter().next().map(|(_, name)| name).unwrap_or_default();
                reports.entry(name).or_default().extend(points.keys());
            }
        }
        reports.remove("");
        let series = |(name, reports): (String, std::collections::BTreeSet<i64>)| {
            let value = |at: i64| {
                let last = reports.range(..at).next_back().map(|step| (step + REPORT).min(at))?;
                (at - last <= GONE).then_some((at - last) as f64 / SECOND)
            };
            let values = grid.moments().map(value).collect();
            let labels = [("host".to_owned(), name)].into();
            Weighed { weight: reports.len() as f64, series: Series { labels, node: None, caller: None, values } }
        };
        Ok(gathered(reports.into_iter().map(series).collect(), partial))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_become_one_value() {
        let values = [3.0, 1.0, 2.0];
        let all = [Aggregation::Average, Aggregation::Rate, Aggregation::Sum, Aggregation::Min, Aggregation::Max];
        assert_eq!(all.map(|how| joined(how, &values)), [2.0, 2.0, 2.0, 1.0, 3.0].map(Some));
        assert_eq!(joined(Aggregation::Max, &[]), None);
        assert_eq!(aggregation("p99.9"), Ok(Aggregation::Quantile(999)));
        assert!(matches!(aggregation("median"), Err(SourceError::Invalid { field, .. }) if field == "aggregation"));
    }
}
