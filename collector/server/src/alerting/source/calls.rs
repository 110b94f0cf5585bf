//! Calls between nodes.

use super::cells::Need;
use super::labels::of_edge;
use super::requests::scaled;
use super::{SECOND, StoreSource, Weighed, gathered, invalid};
use orrery_alert::{Grid, Series, SourceError, Values};
use orrery_api::alerting::CallFigure;
use orrery_model::ServiceKey;
use orrery_query::answer::{CellKey, CellNode, CellSeries, EdgeKind};
use orrery_query::latency::Window;
use orrery_query::plan::{CellsOf, EdgeMeasure};
use orrery_query::time::TimeRange;
use std::collections::BTreeMap;

/// What is asked about calls.
#[derive(Clone, Copy)]
pub(super) struct Calls<'a> {
    pub(super) figure: CallFigure,
    pub(super) caller: Option<&'a str>,
    pub(super) callee: Option<&'a str>,
    pub(super) kind: Option<&'a str>,
    pub(super) environment: Option<&'a str>,
    pub(super) least: u32,
}

const KINDS: [(&str, EdgeKind); 4] = [
    ("call", EdgeKind::Call),
    ("database", EdgeKind::Database),
    ("publish", EdgeKind::Publish),
    ("consume", EdgeKind::Consume),
];

impl Calls<'_> {
    fn is_asked(&self, caller: &CellNode, callee: &CellNode) -> bool {
        let is_outside = |node: &CellNode| {
            self.environment.is_some_and(|wanted| node.is_service && ServiceKey::parse(&node.id).environment != wanted)
        };
        self.caller.is_none_or(|wanted| caller.is(wanted))
            && self.callee.is_none_or(|wanted| callee.is(wanted))
            && (self.environment.is_none() || !is_outside(caller) && !is_outside(callee))
    }
}

impl StoreSource {
    pub(super) fn calls(&self, asked: &Calls<'_>, window: i64, grid: Grid) -> Result<Values, SourceError> {
        let kind = asked.kind.map(|word| {
            let known = KINDS.into_iter().find(|(known, _)| *known == word);
            let reason = || format!("`{word}` is no kind of call; one of call, database, publish, consume");
            known.map(|(_, kind)| kind).ok_or_else(|| invalid("kind", reason()))
        });
        let kind = kind.transpose()?;
        let (measure, durations) = match asked.figure {
            CallFigure::Rate
            | CallFigure::Errors
            | CallFigure::ErrorRatio
            | CallFigure::UnansweredRatio
            | CallFigure::Mean => (EdgeMeasure::Caller, false),
            CallFigure::P50 | CallFigure::P95 | CallFigure::P99 => (EdgeMeasure::Caller, true),
            CallFigure::NetworkP95 => (EdgeMeasure::Network, true),
            CallFigure::LagP95 => (EdgeMeasure::Lag, true),
        };
        let need = |measure, durations| {
            let of = CellsOf::Edges {
                measure,
                caller: asked.caller.map(str::to_owned),
                callee: asked.callee.map(str::to_owned),
            };
            Need { of, durations, window, before: 0 }
        };
        let sheet = self.cells(&need(measure, durations), grid)?;
        let windows = sheet.windows(grid, window);
        let answered = match asked.figure {
            CallFigure::UnansweredRatio => {
                let mut sums = BTreeMap::new();
                for (measure, of_errors) in [(EdgeMeasure::Callee, true), (EdgeMeasure::Blamed, false)] {
                    let sheet = self.cells(&need(measure, false), grid)?;
                    add_failures(&mut sums, &sheet.table.series, &windows, of_errors);
                }
                sums
            }
            _ => BTreeMap::new(),
        };
        let mut refused = match asked.figure {
            CallFigure::UnansweredRatio => self.refused(&windows, window, grid)?,
            _ => BTreeMap::new(),
        };
        let least = f64::from(asked.least);
        let (mut scratch, mut all) = (Window::default(), Vec::new());
        for series in &sheet.table.series {
            let CellKey::Edge { caller, callee, kind: flows } = &series.key else { continue };
            if !asked.is_asked(caller, callee) || kind.is_some_and(|kind| kind != *flows) {
                continue;
            }
            let mut values = vec![None; windows.len()];
            let known = answered.get(&series.key);
            series.slide(&mut scratch, durations, windows.iter().copied(), |at, held| {
                let count = held.count();
                if count > 0.0 && count >= least {
                    let mut answered = known.map_or(0.0, |known| known[at]);
                    // What a caller was refused it was refused on some of its edges: on those that need an explanation.
                    if let Some(refused) = refused.get_mut(&caller.id) {
                        let explained = (held.errors() - answered).clamp(0.0, refused[at]);
                        refused[at] -= explained;
                        answered += explained;
                    }
                    values[at] = figure(asked.figure, held, windows[at], window, answered);
                }
            });
            let mut labels = of_edge(caller, callee);
            let word = KINDS.into_iter().find(|(_, known)| known == flows).map_or("call", |(word, _)| word);
            labels.insert("kind".to_owned(), word.to_owned());
            let series_of = Series { labels, node: Some(callee.id.clone()), caller: Some(caller.id.clone()), values };
            all.push(Weighed { weight: series.points().iter().map(|point| point.count).sum(), series: series_of });
        }
        Ok(gathered(all, sheet.partial.clone()))
    }
}

impl StoreSource {
    /// Calls that were answered with a refusal (4xx), by id of the caller and window: no failure of who is called, but an
    /// answer.
    fn refused(
        &self,
        windows: &[TimeRange],
        window: i64,
        grid: Grid,
    ) -> Result<BTreeMap<String, Vec<f64>>, SourceError> {
        let need = Need { of: CellsOf::Errors(None), durations: false, window, before: 0 };
        let sheet = self.cells(&need, grid)?;
        let is_refusal =
            |name: &str| name.len() == 3 && name.starts_with('4') && name.bytes().all(|byte| byte.is_ascii_digit());
        let (mut sums, mut scratch): (BTreeMap<String, Vec<f64>>, _) = (BTreeMap::new(), Window::default());
        for (series, service) in sheet.table.series.iter().zip(&sheet.services) {
            let CellKey::Errors { error_type, .. } = &series.key else { continue };
            if !is_refusal(error_type) {
                continue;
            }
            let sum = sums.entry(service.to_string()).or_insert_with(|| vec![0.0; windows.len()]);
            series.slide(&mut scratch, false, windows.iter().copied(), |at, held| sum[at] += held.count());
        }
        Ok(sums)
    }
}

/// Adds, by edge and window, calls that failed by the callee's own account or are blamed on it.
fn add_failures(sums: &mut BTreeMap<CellKey, Vec<f64>>, all: &[CellSeries], windows: &[TimeRange], of_errors: bool) {
    let mut scratch = Window::default();
    // A service says itself what it failed at: what was refused by where it should be, it knows nothing of.
    let is_own = |series: &&CellSeries| match &series.key {
        CellKey::Edge { callee, .. } => of_errors || !callee.is_service,
        _ => false,
    };
    for series in all.iter().filter(is_own) {
        let sum = sums.entry(series.key.clone()).or_insert_with(|| vec![0.0; windows.len()]);
        series.slide(&mut scratch, false, windows.iter().copied(), |at, held| {
            sum[at] += if of_errors { held.errors() } else { held.count() };
        });
    }
}

fn figure(figure: CallFigure, held: &Window, range: TimeRange, asked: i64, answered: f64) -> Option<f64> {
    let count = held.count();
    let quantile = |q| held.quantile(q).map(|nanos| nanos as f64 / SECOND);
    match figure {
        CallFigure::Rate => Some(count / (range.nanos() as f64 / SECOND)),
        CallFigure::Errors => Some(scaled(held.errors(), range, asked)),
        CallFigure::ErrorRatio => Some((held.errors() / count).min(1.0)),
        CallFigure::UnansweredRatio => Some(((held.errors() - answered).max(0.0) / count).min(1.0)),
        CallFigure::Mean => Some(held.sum_nanos() / count / SECOND),
        CallFigure::P50 => quantile(0.5),
        CallFigure::P95 | CallFigure::NetworkP95 | CallFigure::LagP95 => quantile(0.95),
        CallFigure::P99 => quantile(0.99),
    }
}
