//! Failures, and what was not there the day before: new errors, new calls.
//!
//! Something is new when it happens and did not for so long before. From then on it is counted, as long as the window
//! reaches back to that moment; then it is zero for a while, so that an alert ends. A service that has only just begun has
//! no news: all it does is new.

use super::cells::{Need, Sheet};
use super::labels::{Labels, of_edge, of_service};
use super::requests::scaled;
use super::{KNOWN, StoreSource, Weighed, gathered};
use crate::api::params::service_match;
use orrery_alert::{Grid, Series, SourceError, Values};
use orrery_model::ServiceKey;
use orrery_query::answer::{CellKey, CellNode, CellSeries};
use orrery_query::plan::{CellsOf, EdgeMeasure};
use orrery_query::time::TimeRange;
use std::collections::BTreeMap;

const HOUR: i64 = 3_600_000_000_000;
/// How long something must not have happened, to be new.
const DAY: i64 = 24 * HOUR;
/// So long a service must have been heard of before it can have news.
const SETTLED: i64 = 120_000_000_000;
/// Less than this is the rounding error of weights, not a call.
const RESIDUE: f64 = 1e-6;

/// How often something happened, by start of bucket.
pub(super) type Occurrences = Vec<(i64, f64)>;

/// Occurrences of several series.
pub(super) fn occurrences<'a>(all: impl Iterator<Item = &'a CellSeries>) -> Occurrences {
    let mut sums: BTreeMap<i64, f64> = BTreeMap::new();
    all.flat_map(CellSeries::points).for_each(|point| *sums.entry(point.time).or_default() += point.count);
    sums.into_iter().filter(|(_, count)| *count > RESIDUE).collect()
}

fn before(all: &Occurrences, time: i64) -> usize {
    all.partition_point(|(at, _)| *at < time)
}

fn sum(all: &Occurrences, from: i64, to: i64) -> f64 {
    all[before(all, from)..before(all, to).max(before(all, from))].iter().map(|(_, count)| count).sum()
}

/// How often in each window; zero for a while after that, then nothing.
fn counted(all: &Occurrences, windows: &[TimeRange], asked: i64) -> Vec<Option<f64>> {
    let value = |range: &TimeRange| {
        let last = before(all, range.to).checked_sub(1).map(|at| all[at].0)?;
        (last >= range.from - KNOWN).then(|| scaled(sum(all, range.from, range.to), *range, asked))
    };
    windows.iter().map(value).collect()
}

/// The moments at which something was new that had not been there for `absence`.
fn news(all: &Occurrences, absence: i64, may_be: impl Fn(i64) -> bool) -> Vec<i64> {
    let is_new = |at: usize| at.checked_sub(1).is_none_or(|before| all[at].0 - all[before].0 > absence);
    (0..all.len()).filter(|at| is_new(*at)).map(|at| all[at].0).filter(|time| may_be(*time)).collect()
}

/// Writes what is to be said of something that was new at a moment into `values`.
fn tell(all: &Occurrences, since: i64, windows: &[TimeRange], values: &mut [Option<f64>]) {
    let first = windows.partition_point(|range| range.to <= since);
    for (range, value) in windows[first..].iter().zip(&mut values[first..]) {
        match range.from {
            from if from <= since => *value = Some(sum(all, since, range.to)),
            from if from - KNOWN <= since => *value = Some(0.0),
            _ => break,
        }
    }
}

/// News of something as series, under the labels it had then.
pub(super) struct News {
    windows: Vec<TimeRange>,
    absence: i64,
    found: BTreeMap<Labels, Weighed>,
}

impl News {
    pub(super) fn new(windows: Vec<TimeRange>, absence: i64) -> News {
        News { windows, absence, found: BTreeMap::new() }
    }

    /// Adds what is new about something.
    pub(super) fn add(
        &mut self,
        all: &Occurrences,
        may_be: impl Fn(i64) -> bool,
        ends: (Option<String>, Option<String>),
        labels: impl Fn(i64) -> Labels,
    ) {
        for since in news(all, self.absence, may_be) {
            // What nobody asks about any more.
            if self.windows.first().is_none_or(|first| since < first.from - KNOWN) {
                continue;
            }
            let labels = labels(since);
            let found = self.found.entry(labels.clone()).or_insert_with(|| Weighed {
                weight: 0.0,
                series: Series {
                    labels,
                    node: ends.0.clone(),
                    caller: ends.1.clone(),
                    values: vec![None; self.windows.len()],
                },
            });
            found.weight += 1.0;
            tell(all, since, &self.windows, &mut found.series.values);
        }
    }

    pub(super) fn finish(self, partial: Option<String>) -> Values {
        gathered(self.found.into_values().collect(), partial)
    }
}

/// Since when each service is known, by its id.
fn known_since(sheet: &Sheet) -> BTreeMap<String, i64> {
    let mut all: BTreeMap<String, i64> = BTreeMap::new();
    for series in &sheet.table.series {
        if let (CellKey::Service { service, .. }, Some(first)) = (&series.key, series.points().first()) {
            let known = all.entry(service.clone()).or_insert(first.time);
            *known = first.time.min(*known);
        }
    }
    all
}

fn is_settled(known: &BTreeMap<String, i64>, service: &str, time: i64) -> bool {
    known.get(service).is_some_and(|since| *since <= time - SETTLED)
}

/// Whether a type is one of these; a `*` at the end stands for anything.
fn is_of(types: &[String], error_type: &str) -> bool {
    let is = |wanted: &String| {
        wanted.strip_suffix('*').map_or_else(|| wanted == error_type, |start| error_type.starts_with(start))
    };
    types.is_empty() || types.iter().any(is)
}

impl StoreSource {
    /// Series of failures, by service and type of error.
    fn failures<'a>(
        sheet: &'a Sheet,
        service: Option<&str>,
        environment: Option<&str>,
    ) -> BTreeMap<(&'a ServiceKey, &'a str), Vec<&'a CellSeries>> {
        let service = service.map(service_match);
        let mut all: BTreeMap<(&ServiceKey, &str), Vec<&CellSeries>> = BTreeMap::new();
        for (series, key) in sheet.table.series.iter().zip(&sheet.services) {
            let CellKey::Errors { error_type, .. } = &series.key else { continue };
            let is_asked = service.as_ref().is_none_or(|service| service.holds(key))
                && environment.is_none_or(|wanted| key.environment == wanted);
            if is_asked {
                all.entry((key, error_type)).or_default().push(series);
            }
        }
        all
    }

    pub(super) fn errors(
        &self,
        service: Option<&str>,
        types: &[String],
        environment: Option<&str>,
        window: i64,
        grid: Grid,
    ) -> Result<Values, SourceError> {
        let of = CellsOf::Errors(service.map(service_match));
        let sheet = self.cells(&Need { of, durations: false, window, before: KNOWN }, grid)?;
        let windows = sheet.windows(grid, window);
        let mut all = Vec::new();
        for ((service, error_type), series) in Self::failures(&sheet, service, environment) {
            if !is_of(types, error_type) {
                continue;
            }
            let occurrences = occurrences(series.into_iter());
            let mut labels = of_service(service);
            labels.insert("error.type".to_owned(), error_type.to_owned());
            let values = counted(&occurrences, &windows, window);
            let weight = occurrences.iter().map(|(_, count)| count).sum();
            let series = Series { labels, node: Some(service.to_string()), caller: None, values };
            all.push(Weighed { weight, series });
        }
        Ok(gathered(all, sheet.partial.clone()))
    }

    /// Services over the day before, to know which have settled.
    fn known(&self, service: Option<&str>, window: i64, grid: Grid) -> Result<BTreeMap<String, i64>, SourceError> {
        let of = CellsOf::Services(service.map(service_match));
        let need = Need { of, durations: false, window, before: DAY + KNOWN + HOUR };
        Ok(known_since(&*self.cells(&need, grid)?))
    }

    pub(super) fn new_errors(
        &self,
        service: Option<&str>,
        environment: Option<&str>,
        window: i64,
        grid: Grid,
    ) -> Result<Values, SourceError> {
        let known = self.known(service, window, grid)?;
        let of = CellsOf::Errors(service.map(service_match));
        let sheet = self.cells(&Need { of, durations: false, window, before: DAY + KNOWN + HOUR }, grid)?;
        let mut news = News::new(sheet.windows(grid, window), DAY);
        for ((service, error_type), series) in Self::failures(&sheet, service, environment) {
            let (id, all) = (service.to_string(), occurrences(series.iter().copied()));
            let labels = |since: i64| {
                let count = |series: &CellSeries| -> f64 {
                    series.within(TimeRange { from: since, to: since + 1 }).iter().map(|point| point.count).sum()
                };
                // Of several the one said most often, at the moment it was new.
                let said = series.iter().filter_map(|series| match &series.key {
                    CellKey::Errors { message, .. } => Some((count(series), std::cmp::Reverse(message))),
                    _ => None,
                });
                let said = said.max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
                let mut labels = of_service(service);
                labels.insert("error.type".to_owned(), error_type.to_owned());
                labels.insert("message".to_owned(), said.map(|(_, message)| message.0.clone()).unwrap_or_default());
                labels
            };
            news.add(&all, |time| is_settled(&known, &id, time), (Some(id.clone()), None), labels);
        }
        Ok(news.finish(sheet.partial.clone()))
    }

    pub(super) fn new_edges(&self, environment: Option<&str>, window: i64, grid: Grid) -> Result<Values, SourceError> {
        let known = self.known(None, window, grid)?;
        let of = CellsOf::Edges { measure: EdgeMeasure::Caller, caller: None, callee: None };
        let sheet = self.cells(&Need { of, durations: false, window, before: DAY + KNOWN + HOUR }, grid)?;
        let mut news = News::new(sheet.windows(grid, window), DAY);
        let mut edges: BTreeMap<(&CellNode, &CellNode), Vec<&CellSeries>> = BTreeMap::new();
        for series in &sheet.table.series {
            let CellKey::Edge { caller, callee, .. } = &series.key else { continue };
            let is_outside = |node: &CellNode| {
                environment.is_some_and(|wanted| node.is_service && ServiceKey::parse(&node.id).environment != wanted)
            };
            if !is_outside(caller) && !is_outside(callee) {
                edges.entry((caller, callee)).or_default().push(series);
            }
        }
        for ((caller, callee), series) in edges {
            let service = [caller, callee].into_iter().find(|node| node.is_service);
            let may_be = |time| service.is_some_and(|service| is_settled(&known, &service.id, time));
            let ends = (Some(callee.id.clone()), Some(caller.id.clone()));
            news.add(&occurrences(series.into_iter()), may_be, ends, |_| of_edge(caller, callee));
        }
        Ok(news.finish(sheet.partial.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000_000;

    fn windows(first: i64, count: i64) -> Vec<TimeRange> {
        (first..first + count).map(|at| TimeRange { from: (at - 2) * MINUTE, to: at * MINUTE }).collect()
    }

    #[test]
    fn what_ends_is_zero_for_a_while() {
        let all = vec![(10 * MINUTE, 3.0), (11 * MINUTE, 1.0)];
        let found = counted(&all, &windows(10, 25), 2 * MINUTE);
        assert_eq!(found[..5], [None, Some(3.0), Some(4.0), Some(1.0), Some(0.0)]);
        assert_eq!((found[23], found[24]), (Some(0.0), None));
        assert_eq!(
            counted(&all, &windows(12, 1), MINUTE),
            [Some(2.0)],
            "as if the window were as long as it should be"
        );
    }

    #[test]
    fn only_what_was_not_there_before_is_new() {
        let day = 1_440;
        let all: Occurrences = [5, 6, day, 3 * day, 3 * day + 1].map(|at| (at * MINUTE, 1.0)).into();
        assert_eq!(news(&all, DAY, |_| true), [5 * MINUTE, 3 * day * MINUTE]);
        assert_eq!(news(&all, DAY, |time| time > 10 * MINUTE), [3 * day * MINUTE], "all that begins is new");
        let mut values = vec![None; 8];
        tell(&all, 5 * MINUTE, &windows(4, 8), &mut values);
        assert_eq!(values[..5], [None, None, Some(1.0), Some(2.0), Some(0.0)]);
    }

    #[test]
    fn types_may_end_in_anything() {
        let types = ["5*".to_owned(), "timeout".to_owned()];
        assert_eq!(
            ["503", "timeout", "404", "timeouts"].map(|error_type| is_of(&types, error_type)),
            [true, true, false, false]
        );
        assert!(is_of(&[], "anything"));
    }
}
