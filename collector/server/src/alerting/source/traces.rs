//! Metrics of spans.

use super::requests::{Tallies, Tally};
use super::{StoreSource, Weighed, gathered, gcd, invalid};
use orrery_alert::{Grid, Series, SourceError, Values};
use orrery_model::ServiceKey;
use orrery_query::plan;
use orrery_query::time::TimeRange;
use orrery_query::traceql::{Body, LabelName, Labelled, Literal, Metric, MetricFunction, Metrics, Query, Table, parse};
use std::collections::BTreeMap;

/// Questions of the store for one of ours, at most.
const QUESTIONS: usize = 500;
/// Steps of one question, at most.
const STEPS: i64 = 10_000;

/// Values by labels and moment.
#[derive(Default)]
struct Gathering {
    series: BTreeMap<Vec<(String, String)>, Vec<Option<f64>>>,
    partial: Option<String>,
    moments: usize,
}

impl Gathering {
    fn put(&mut self, labels: Vec<(String, String)>, moment: usize, value: f64) {
        let moments = self.moments;
        self.series.entry(labels).or_insert_with(|| vec![None; moments])[moment] = Some(value);
    }

    fn finish(self) -> Values {
        let series = |(labels, values): (Vec<(String, String)>, Vec<Option<f64>>)| {
            let said = |name: &str| labels.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
            let service = said("resource.service.name").or_else(|| said(".service.name")).map(|name| ServiceKey {
                name,
                namespace: said("resource.service.namespace").unwrap_or_default(),
                environment: said("resource.deployment.environment.name").unwrap_or_default(),
            });
            Weighed {
                weight: values.iter().flatten().sum(),
                series: Series {
                    node: service.map(|service| service.to_string()),
                    labels: labels.into_iter().collect(),
                    caller: None,
                    values,
                },
            }
        };
        gathered(self.series.into_iter().map(series).collect(), self.partial)
    }
}

fn text(literal: Option<&Literal>) -> String {
    match literal {
        Some(Literal::Text(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

fn labels(series: &Labelled) -> Vec<(String, String)> {
    let name = |name: &LabelName| match name {
        LabelName::Field(field) => field.to_string(),
        LabelName::Quantile => "quantile".to_owned(),
        LabelName::Bucket => "bucket".to_owned(),
    };
    series.labels.iter().map(|label| (name(&label.name), text(label.value.as_ref()))).collect()
}

/// What its steps add up to is what a longer step would say: as a sum, or as a mean.
fn adds_up(query: &Query) -> Option<bool> {
    match &query.body {
        Body::Metrics(Metric::Spans { function: MetricFunction::CountOverTime, .. }) => Some(true),
        Body::Metrics(Metric::Spans { function: MetricFunction::Rate, .. }) => Some(false),
        _ => None,
    }
}

/// Which questions answer for the moments of a grid: the first moment, how many moments apart those are that one step
/// after the other answers for, and how many.
fn questions(grid: Grid, window: i64) -> Vec<(usize, usize, usize)> {
    let apart = if window % grid.step == 0 { (window / grid.step) as usize } else { grid.count.max(1) };
    let apart = apart.clamp(1, grid.count.max(1));
    if window % grid.step == 0 && (window / grid.step) as usize == apart {
        return (0..apart).map(|first| (first, apart, (grid.count - first).div_ceil(apart))).collect();
    }
    (0..grid.count).map(|moment| (moment, 1, 1)).collect()
}

impl StoreSource {
    pub(super) fn traces(&self, q: &str, window: i64, grid: Grid) -> Result<Values, SourceError> {
        let query = parse(q).map_err(|problem| invalid("q", problem.to_string()))?;
        let Body::Metrics(_) = query.body else {
            return Err(invalid("q", "this searches for traces; append for example | rate()"));
        };
        let mut gathering = Gathering { moments: grid.count, ..Gathering::default() };
        match adds_up(&query) {
            Some(is_count) => self.summed(&query, is_count, window, grid, &mut gathering)?,
            None => {
                let mut questions = questions(grid, window);
                if questions.len() > QUESTIONS {
                    questions.drain(..questions.len() - QUESTIONS);
                    let why = format!(
                        "a window of this length is asked about one by one: of the last {QUESTIONS} there are values; choose one as long as the time between two judgements"
                    );
                    gathering.partial = Some(why);
                }
                for (first, apart, count) in questions {
                    self.stepped(&query, window, grid, (first, apart, count), &mut gathering)?;
                }
            }
        }
        Ok(gathering.finish())
    }

    fn table(
        &self,
        query: &Query,
        range: TimeRange,
        step_nanos: i64,
        partial: &mut Option<String>,
    ) -> Result<Table, SourceError> {
        let plan = plan::TraceSeries { range, query: query.clone(), step_nanos };
        let answer = self.ask(|store, control| store.trace_series(&plan, control))?;
        if let Some(why) = answer.partial {
            partial.get_or_insert(why.0);
        }
        match answer.value {
            Metrics::Table(table) => {
                if table.uncounted > 0 {
                    partial.get_or_insert_with(|| {
                        format!("{} spans count nowhere: there are too many series", table.uncounted)
                    });
                }
                Ok(table)
            }
            Metrics::Compared(_) => {
                Err(invalid("q", "compare() yields no series; use rate(), count_over_time() or quantile_over_time()"))
            }
        }
    }

    /// Windows that follow each other without a gap: one step each.
    fn stepped(
        &self,
        query: &Query,
        window: i64,
        grid: Grid,
        (first, apart, count): (usize, usize, usize),
        gathering: &mut Gathering,
    ) -> Result<(), SourceError> {
        let mut done = 0;
        while done < count {
            let some = (count - done).min(STEPS as usize);
            let begin = grid.at(first + done * apart) - window;
            let range = TimeRange { from: begin, to: begin + window * some as i64 };
            let table = self.table(query, range, window, &mut gathering.partial)?;
            for series in &table.series {
                let labels = labels(series);
                for (step, value) in series.values.iter().take(some).enumerate() {
                    if let Some(value) = value {
                        gathering.put(labels.clone(), first + (done + step) * apart, *value);
                    }
                }
            }
            done += some;
        }
        Ok(())
    }

    /// Windows made of shorter steps, each read once.
    fn summed(
        &self,
        query: &Query,
        is_count: bool,
        window: i64,
        grid: Grid,
        gathering: &mut Gathering,
    ) -> Result<(), SourceError> {
        let step = gcd(window, grid.step);
        let (from, to) = (grid.first - window, grid.last());
        let steps = ((to - from) / step) as usize;
        let mut sums: BTreeMap<Vec<(String, String)>, Vec<f64>> = BTreeMap::new();
        let mut begin = 0_i64;
        while (begin as usize) < steps {
            let some = (steps as i64 - begin).min(STEPS);
            let range = TimeRange { from: from + begin * step, to: from + (begin + some) * step };
            for series in self.table(query, range, step, &mut gathering.partial)?.series {
                let sum = sums.entry(labels(&series)).or_insert_with(|| vec![0.0; steps + 1]);
                for (at, value) in series.values.iter().take(some as usize).enumerate() {
                    sum[begin as usize + at + 1] = value.unwrap_or(0.0);
                }
            }
            begin += some;
        }
        let (length, every) = ((window / step) as usize, (grid.step / step) as usize);
        for (labels, mut sum) in sums {
            (1..sum.len()).for_each(|at| sum[at] += sum[at - 1]);
            for moment in 0..grid.count {
                let begin = moment * every;
                let held = sum[begin + length] - sum[begin];
                gathering.put(labels.clone(), moment, if is_count { held } else { held * step as f64 / window as f64 });
            }
        }
        Ok(())
    }

    /// See [`StoreSource::tallies`].
    pub(super) fn trace_tallies(&self, all: &str, good: &str, window: i64, grid: Grid) -> Result<Tallies, SourceError> {
        let inside = |field: &str, text: &str| -> Result<String, SourceError> {
            let braces = text.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            let inside = braces.map(str::trim).filter(|inside| !inside.contains(['{', '}']));
            let inside = inside.ok_or_else(|| invalid(field, "one filter of spans is wanted: { … }"))?;
            parse(text).map_err(|problem| invalid(field, problem.to_string()))?;
            Ok(if inside.is_empty() { "true".to_owned() } else { inside.to_owned() })
        };
        let (all, good) = (inside("all", all)?, inside("good", good)?);
        let mut partial = None;
        let mut counts = |text: String| -> Result<Vec<f64>, SourceError> {
            let query = parse(&text).map_err(|problem| invalid("good", problem.to_string()))?;
            let mut gathering = Gathering { moments: grid.count, ..Gathering::default() };
            self.summed(&query, true, window, grid, &mut gathering)?;
            partial = partial.take().or(gathering.partial);
            let values = gathering.series.into_values().next().unwrap_or_default();
            Ok((0..grid.count).map(|at| values.get(at).copied().flatten().unwrap_or(0.0)).collect())
        };
        let total = counts(format!("{{ {all} }} | count_over_time()"))?;
        let good = counts(format!("{{ ({all}) && ({good}) }} | count_over_time()"))?;
        let tally =
            |(total, good): (f64, f64)| (total > 0.0).then(|| Tally { total, bad: (total - good).clamp(0.0, total) });
        Ok((total.into_iter().zip(good).map(tally).collect(), partial, None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_that_follow_each_other_are_one_question() {
        let grid = |count| Grid { first: 600, step: 10, count };
        assert_eq!(questions(grid(5), 10), [(0, 1, 5)]);
        assert_eq!(questions(grid(5), 20), [(0, 2, 3), (1, 2, 2)]);
        assert_eq!(questions(grid(2), 60), [(0, 1, 1), (1, 1, 1)]);
        assert_eq!(questions(grid(3), 25), [(0, 1, 1), (1, 1, 1), (2, 1, 1)]);
        for (count, window) in [(1, 10), (7, 30), (50, 70), (3, 1000)] {
            let mut all: Vec<usize> = Vec::new();
            for (first, apart, count) in questions(grid(count), window) {
                assert!(count == 1 || apart as i64 * 10 == window);
                all.extend((0..count).map(|at| first + at * apart));
            }
            all.sort_unstable();
            assert_eq!(all, (0..count).collect::<Vec<_>>(), "each moment once");
        }
    }
}
