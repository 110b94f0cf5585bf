//! Log records.

use super::labels::of_service;
use super::novelty::{News, Occurrences};
use super::{StoreSource, Weighed, gathered, gcd, invalid};
use crate::api::params;
use orrery_alert::{Grid, Series, SourceError, Values};
use orrery_query::answer::LogCount;
use orrery_query::plan::{LogCounts, LogFilter};
use orrery_query::time::TimeRange;

const SECOND: i64 = 1_000_000_000;
/// How long a pattern must not have been seen, to be new.
const HOUR: i64 = 3_600 * SECOND;
/// So long after its first record a service may have news.
const SETTLED: i64 = 120 * SECOND;
/// Steps in which what nobody sees by the second is counted.
pub(super) const FINEST: i64 = 10 * SECOND;

/// Which records.
#[derive(Clone, Copy)]
pub(super) struct Records<'a> {
    pub(super) service: Option<&'a str>,
    pub(super) severity: Option<&'a str>,
    pub(super) text: Option<&'a str>,
    pub(super) attr: &'a [String],
}

impl Records<'_> {
    pub(super) fn filter(&self, range: TimeRange) -> Result<LogFilter, SourceError> {
        let attributes = self.attr.iter().map(|text| params::attribute(text).map_err(|why| invalid("attr", why)));
        Ok(LogFilter {
            range,
            service: self.service.map(params::service_match),
            min_severity: self.severity.map(params::severity).transpose().map_err(|why| invalid("severity", why))?,
            text: self.text.map(str::to_owned),
            trace_id: None,
            span_id: None,
            attributes: attributes.collect::<Result<_, _>>()?,
        })
    }
}

/// Windows of the moments of a grid, as they are.
fn windows(grid: Grid, window: i64) -> Vec<TimeRange> {
    grid.moments().map(|to| TimeRange { from: to - window, to }).collect()
}

impl StoreSource {
    pub(super) fn counts(&self, plan: &LogCounts) -> Result<(Vec<LogCount>, Option<String>), SourceError> {
        let answer = self.ask(|store, control| store.log_counts(plan, control))?;
        Ok((answer.value, answer.partial.map(|why| why.0)))
    }

    pub(super) fn logs(&self, asked: &Records<'_>, window: i64, grid: Grid) -> Result<Values, SourceError> {
        let before = super::KNOWN.div_euclid(window).max(1) * window;
        let range = TimeRange { from: grid.first - window - before, to: grid.last() };
        let (counts, partial) = self.record_counts(asked, false, (range, gcd(window, grid.step)), grid)?;
        let windows = windows(grid, window);
        let series = |count: LogCount| {
            let total: u64 = count.points.iter().map(|(_, records)| records).sum();
            // Records that are no more are zero for a while, so that an alert ends.
            let (mut come, mut gone, mut held, mut last) = (0, 0, 0, i64::MIN);
            let value = |range: &TimeRange| {
                while let Some((time, records)) = count.points.get(come).filter(|(time, _)| *time < range.to) {
                    (held, last, come) = (held + records, *time, come + 1);
                }
                while let Some((_, records)) = count.points[..come].get(gone).filter(|(time, _)| *time < range.from) {
                    (held, gone) = (held - records, gone + 1);
                }
                (last >= range.from - before).then_some(held as f64)
            };
            let values = windows.iter().map(value).collect();
            let (labels, node) = (of_service(&count.service), Some(count.service.to_string()));
            Weighed { weight: total as f64, series: Series { labels, node, caller: None, values } }
        };
        Ok(gathered(counts.into_iter().map(series).collect(), partial))
    }

    pub(super) fn new_log_patterns(&self, asked: &Records<'_>, window: i64, grid: Grid) -> Result<Values, SourceError> {
        let step_nanos = gcd(gcd(window, grid.step), FINEST);
        let range = TimeRange { from: grid.first - window - super::KNOWN - 2 * HOUR, to: grid.last() };
        let from = range.to - ((range.to - range.from) / step_nanos) * step_nanos;
        let (counts, partial) = self.record_counts(asked, true, (TimeRange { from, ..range }, step_nanos), grid)?;
        let mut news = News::new(windows(grid, window), HOUR);
        for of_service_all in counts.chunk_by(|a, b| a.service == b.service) {
            let first = of_service_all.iter().filter_map(|count| count.points.first()).map(|(time, _)| *time).min();
            for count in of_service_all {
                let all: Occurrences = count.points.iter().map(|(time, records)| (*time, *records as f64)).collect();
                let may_be = |time: i64| first.is_some_and(|first| first <= time - SETTLED);
                news.add(&all, may_be, (Some(count.service.to_string()), None), |_| {
                    let mut labels = of_service(&count.service);
                    labels.insert("pattern".to_owned(), count.pattern.clone());
                    labels
                });
            }
        }
        Ok(news.finish(partial))
    }
}
