//! Requests that services serve, and how fast an objective's budget burns.

use super::cells::{Need, Sheet};
use super::labels::{Labels, of_service};
use super::{KNOWN, SECOND, StoreSource, Weighed, gathered, invalid};
use crate::api::params::service_match;
use orrery_alert::{Grid, Series, SourceError, Values};
use orrery_api::alerting::{Figure, GroupBy, Indicator, Slo};
use orrery_model::ServiceKey;
use orrery_query::answer::{CellKey, CellSeries, Work};
use orrery_query::latency::Window;
use orrery_query::plan::CellsOf;
use orrery_query::time::TimeRange;
use std::collections::{BTreeMap, BTreeSet};

/// What is asked about requests.
#[derive(Clone, Copy)]
pub(super) struct Requests<'a> {
    pub(super) figure: Figure,
    pub(super) by: GroupBy,
    pub(super) service: Option<&'a str>,
    pub(super) operation: Option<&'a str>,
    pub(super) environment: Option<&'a str>,
    pub(super) least: u32,
}

/// By moment, `None` where nothing counted; why something is missing; and the node it is about, if it is one.
pub(super) type Tallies = (Vec<Option<Tally>>, Option<String>, Option<String>);

/// What counted in a window, and what of it was bad.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    pub(crate) total: f64,
    pub(crate) bad: f64,
}

/// A service, and which part of it.
type Group<'a> = (&'a ServiceKey, &'a str);

/// What a service served, and what it began.
#[derive(Default)]
struct Parts<'a> {
    served: Option<&'a CellSeries>,
    begun: Option<&'a CellSeries>,
}

impl Parts<'_> {
    /// What `figure` makes of every window: of what was served, or of what was begun while nothing is served.
    fn slide<T: Clone>(
        &self,
        windows: &[TimeRange],
        durations: bool,
        scratch: &mut Window,
        figure: impl Fn(&Window, TimeRange) -> Option<T>,
    ) -> Vec<Option<T>> {
        let mut values = vec![None; windows.len()];
        if let Some(begun) = self.begun {
            begun.slide(scratch, durations, windows.iter().copied(), |at, window| {
                values[at] = figure(window, windows[at])
            });
        }
        if let Some(served) = self.served {
            let (mut next, mut last) = (0, None);
            served.slide(scratch, durations, windows.iter().copied(), |at, window| {
                let TimeRange { from, to } = windows[at];
                while let Some(point) = served.points().get(next).filter(|point| point.time < to) {
                    last = if point.count > 0.0 { Some(point.time) } else { last };
                    next += 1;
                }
                if last.is_some_and(|last| last >= from - KNOWN) {
                    values[at] = figure(window, windows[at]);
                }
            });
        }
        values
    }
}

fn groups<'a>(
    sheet: &'a Sheet,
    wanted: impl Fn(&ServiceKey, &str) -> bool,
    by_slice: bool,
) -> BTreeMap<Group<'a>, Parts<'a>> {
    let mut all: BTreeMap<Group<'a>, Parts<'a>> = BTreeMap::new();
    for (series, service) in sheet.table.series.iter().zip(&sheet.services) {
        let CellKey::Service { slice, work, .. } = &series.key else { continue };
        if *work == Work::Inner || !wanted(service, slice) {
            continue;
        }
        let parts = all.entry((service, if by_slice { slice } else { "" })).or_default();
        let part = if *work == Work::Served { &mut parts.served } else { &mut parts.begun };
        *part = Some(series);
    }
    all
}

fn is_in(service: &ServiceKey, environment: Option<&str>) -> bool {
    environment.is_none_or(|wanted| service.environment == wanted)
}

fn nanos(value: Option<i64>) -> Option<f64> {
    value.map(|nanos| nanos as f64 / SECOND)
}

/// A number about what is in a window of a length. Counts are of the length that was asked for, where longer buckets are
/// all that is left.
pub(super) fn figure(figure: Figure, window: &Window, range: TimeRange, asked: i64) -> Option<f64> {
    let count = window.count();
    match figure {
        Figure::Rate => Some(count / (range.nanos() as f64 / SECOND)),
        Figure::Errors => Some(scaled(window.errors(), range, asked)),
        Figure::ErrorRatio => Some((window.errors() / count).min(1.0)),
        Figure::Mean => Some(window.sum_nanos() / count / SECOND),
        Figure::P50 => nanos(window.quantile(0.5)),
        Figure::P90 => nanos(window.quantile(0.9)),
        Figure::P95 => nanos(window.quantile(0.95)),
        Figure::P99 => nanos(window.quantile(0.99)),
    }
}

/// A count of a much longer time, as if it were of the asked one.
pub(super) fn scaled(count: f64, range: TimeRange, asked: i64) -> f64 {
    let longer = range.nanos() as f64 / asked.max(1) as f64;
    if longer > 1.2 { count / longer } else { count }
}

impl StoreSource {
    pub(super) fn requests(&self, asked: &Requests<'_>, window: i64, grid: Grid) -> Result<Values, SourceError> {
        let service = asked.service.map(service_match);
        let of = match (asked.by, asked.operation) {
            (GroupBy::Operation, operation) | (GroupBy::Service, operation @ Some(_)) => {
                CellsOf::Operations { service: service.clone(), operation: operation.map(str::to_owned) }
            }
            (GroupBy::Service, None) => CellsOf::Services(service.clone()),
            (GroupBy::Version, None) => CellsOf::Versions(service.clone()),
            (GroupBy::Instance, None) => CellsOf::Instances(service.clone()),
            (GroupBy::Version | GroupBy::Instance, Some(_)) => {
                let reason = "operations are not known by version or instance: leave one of the two out, or ask with `signal = \"traces\"`";
                return Err(invalid("operation", reason));
            }
        };
        let durations = matches!(asked.figure, Figure::P50 | Figure::P90 | Figure::P95 | Figure::P99);
        let sheet = self.cells(&Need { of, durations, window, before: KNOWN }, grid)?;
        let windows = sheet.windows(grid, window);
        let by_slice = asked.by != GroupBy::Service;
        let wanted = |key: &ServiceKey, slice: &str| {
            is_in(key, asked.environment)
                && service.as_ref().is_none_or(|service| service.holds(key))
                && asked.operation.is_none_or(|operation| operation == slice)
                && (!by_slice || !slice.is_empty())
        };
        let least = f64::from(asked.least);
        let mut scratch = Window::default();
        let series = |((service, slice), parts): (Group<'_>, Parts<'_>)| {
            let values = parts.slide(&windows, durations, &mut scratch, |held, range| {
                let count = held.count();
                (count > 0.0 && count >= least).then(|| figure(asked.figure, held, range, window)).flatten()
            });
            let weight = [parts.served, parts.begun].into_iter().flatten().flat_map(CellSeries::points);
            let weight = weight.map(|point| point.count).sum();
            let mut labels: Labels = of_service(service);
            let name = match asked.by {
                GroupBy::Service => "",
                GroupBy::Operation => "operation",
                GroupBy::Version => "version",
                GroupBy::Instance => "instance",
            };
            if by_slice {
                labels.insert(name.to_owned(), slice.to_owned());
            }
            Weighed { weight, series: Series { labels, node: Some(service.to_string()), caller: None, values } }
        };
        let all = groups(&sheet, wanted, by_slice).into_iter().map(series).collect();
        Ok(gathered(all, sheet.partial.clone()))
    }

    /// Whether anybody sent spans in the window before each moment.
    pub(super) fn spans_heard(&self, window: i64, grid: Grid) -> Result<Vec<bool>, SourceError> {
        let of = CellsOf::Services(None);
        let sheet = self.cells(&Need { of, durations: false, window, before: 0 }, grid)?;
        let points = sheet.table.series.iter().flat_map(CellSeries::points).filter(|point| point.count > 0.0);
        let times: BTreeSet<i64> = points.map(|point| point.time).collect();
        let is_heard = |range: &TimeRange| times.range(range.from..range.to).next().is_some();
        Ok(sheet.windows(grid, window).iter().map(is_heard).collect())
    }

    /// What counted, and what of it was bad, in the window before each moment; `None` if nothing counted. With why
    /// something is missing, and the node it is about, if it is one.
    pub(crate) fn tallies(&self, indicator: &Indicator, window: i64, grid: Grid) -> Result<Tallies, SourceError> {
        let (service, operation, environment, under) = match indicator {
            Indicator::Availability { service, operation, environment } => (service, operation, environment, None),
            Indicator::Latency { service, operation, environment, under } => {
                (service, operation, environment, Some(*under))
            }
            Indicator::Traces { all, good } => return self.trace_tallies(all, good, window, grid),
        };
        let matching = service_match(service);
        let of = match operation {
            Some(_) => CellsOf::Operations { service: Some(matching.clone()), operation: operation.clone() },
            None => CellsOf::Services(Some(matching.clone())),
        };
        let durations = under.is_some();
        let sheet = self.cells(&Need { of, durations, window, before: KNOWN }, grid)?;
        let windows = sheet.windows(grid, window);
        let wanted = |key: &ServiceKey, slice: &str| {
            is_in(key, environment.as_deref())
                && matching.holds(key)
                && operation.as_ref().is_none_or(|operation| operation == slice)
        };
        let under = under.map(|seconds| (seconds * SECOND).min(i64::MAX as f64) as i64);
        let tally = |held: &Window, _| {
            let total = held.count();
            let bad = under.map_or_else(|| held.errors(), |under| (total - held.good_within(under)).max(0.0));
            (total > 0.0).then_some(Tally { total, bad: bad.min(total) })
        };
        let mut sums: Vec<Option<Tally>> = vec![None; windows.len()];
        let (mut scratch, mut nodes) = (Window::default(), Vec::new());
        for ((service, _), parts) in groups(&sheet, wanted, false) {
            nodes.push(service.to_string());
            for (sum, tally) in sums.iter_mut().zip(parts.slide(&windows, durations, &mut scratch, tally)) {
                if let Some(tally) = tally {
                    let sum = sum.get_or_insert_default();
                    (sum.total, sum.bad) = (sum.total + tally.total, sum.bad + tally.bad);
                }
            }
        }
        Ok((sums, sheet.partial.clone(), nodes.pop().filter(|_| nodes.is_empty())))
    }

    pub(super) fn burn(&self, slo: &str, window: i64, short: i64, grid: Grid) -> Result<Values, SourceError> {
        let Some(slo) = (self.lookups.objective)(slo) else {
            return Err(invalid("slo", format!("there is no objective called `{slo}`")));
        };
        if short <= 0 {
            return Err(invalid("short", "the shorter window is longer than nothing: 5m"));
        }
        let (long, partial, node) = self.tallies(&slo.indicator, window, grid)?;
        let (short, more, _) = self.tallies(&slo.indicator, short, grid)?;
        let value = |(long, short): (&Option<Tally>, &Option<Tally>)| {
            Some(burn(&slo, *(long.as_ref()?)).min(burn(&slo, *(short.as_ref()?))))
        };
        let values = long.iter().zip(&short).map(value).collect();
        let mut labels = Labels::from([("slo".to_owned(), slo.name.clone())]);
        if let Indicator::Availability { .. } | Indicator::Latency { .. } = slo.indicator
            && let Some(node) = &node
        {
            labels.extend(of_service(&ServiceKey::parse(node)));
        }
        let series = Series { labels, node, caller: None, values };
        Ok(gathered(vec![Weighed { weight: 1.0, series }], partial.or(more)))
    }
}

/// How fast a budget burns, as a multiple of what it allows.
pub(crate) fn burn(slo: &Slo, tally: Tally) -> f64 {
    (tally.bad / tally.total) / (1.0 - slo.objective).max(f64::EPSILON)
}
