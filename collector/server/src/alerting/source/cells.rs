//! Cells of rollups, read once for as many rules as possible, and the windows that slide over them.
//!
//! Of the newest time, buckets of ten seconds; of what long windows reach back to, longer ones: a window of three days is
//! not made of twenty-six thousand buckets. Where a window is long, its beginning therefore lies at a multiple of a
//! [`grain`], now and when the past is asked about.

use super::{StoreSource, gcd};
use orrery_alert::{Grid, SourceError};
use orrery_model::ServiceKey;
use orrery_query::answer::{CellKey, CellSeries, CellTable};
use orrery_query::plan::{self, CellsOf};
use orrery_query::time::TimeRange;
use std::collections::BTreeMap;
use std::mem::Discriminant;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// Length of the finest bucket.
const FINEST: i64 = 10 * SECOND;
/// Of the newest time everything is read as finely as it is stored.
const FINE: i64 = 40 * MINUTE;
/// Times that are read together, and the length of their buckets before [`FINE`].
const TIERS: [(i64, i64); 7] = [
    (7 * HOUR, MINUTE),
    (27 * HOUR, 10 * MINUTE),
    (4 * DAY, 10 * MINUTE),
    (15 * DAY, 10 * MINUTE),
    (32 * DAY, HOUR),
    (100 * DAY, HOUR),
    (401 * DAY, HOUR),
];
/// Moments that are asked about as they come, not as a past: then they lie in so short a time.
const MOMENTS: usize = 90;
const RECENT: i64 = 15 * MINUTE;
/// Different services of which cells are read one by one; with more, those of all are read.
const FILTERS: usize = 4;
/// How long what was read is good for other rules. Whoever says that data has arrived
/// ([`crate::alerting::arrival::SETTLE`]) waits longer, so that nobody judges it from what was read before.
const AGE: Duration = Duration::from_millis(250);
/// What is held for others, at most.
const TABLES: usize = 24;
const BYTES: usize = 256 << 20;

/// Whether moments are those that are judged as they come, or were judged lately: others ask about the same.
pub(super) fn is_of_now(grid: Grid) -> bool {
    grid.count <= MOMENTS && grid.last() - grid.first <= RECENT
}

/// What the beginning of a window is a multiple of.
pub(super) fn grain(window: i64) -> i64 {
    match window {
        short if short <= 20 * MINUTE => FINEST,
        hours if hours <= 6 * HOUR => MINUTE,
        days if days <= 14 * DAY => 10 * MINUTE,
        _ => HOUR,
    }
}

/// What a measure needs.
pub(super) struct Need {
    pub(super) of: CellsOf,
    /// Whether durations, or only counts.
    pub(super) durations: bool,
    /// Length of its window.
    pub(super) window: i64,
    /// Time before the first window that it looks at.
    pub(super) before: i64,
}

/// Cells with what their services are.
pub(super) struct Sheet {
    pub(super) table: CellTable,
    /// Of each series: the service; the callee of an edge.
    pub(super) services: Vec<ServiceKey>,
    /// Why something is missing.
    pub(super) partial: Option<String>,
    plan: plan::Cells,
}

impl Sheet {
    /// Windows of the moments of a grid.
    pub(super) fn windows(&self, grid: Grid, window: i64) -> Vec<TimeRange> {
        grid.moments().map(|at| self.table.window(at, window, grain(window))).collect()
    }

    fn holds(&self, of: &CellsOf, durations: bool, step: i64, range: TimeRange, fine_from: Option<i64>) -> bool {
        let plan = &self.plan;
        plan.of == *of
            && (plan.durations || !durations)
            && plan.step_nanos == step
            && plan.range.from <= range.from
            && range.to <= plan.range.to
            && fine_from.is_none_or(|from| plan.coarse.is_none_or(|(before, _)| before <= from))
    }

    fn bytes(&self) -> usize {
        self.table.series.iter().map(CellSeries::heap_bytes).sum()
    }
}

/// What was read for the rules that are judged now.
#[derive(Default)]
pub(super) struct Shared {
    sheets: Vec<(Instant, Arc<Sheet>)>,
    bytes: usize,
    filters: BTreeMap<usize, Vec<CellsOf>>,
    kinds: Vec<Discriminant<CellsOf>>,
}

impl Shared {
    pub(super) fn clear(&mut self) {
        *self = Shared::default();
    }

    /// What to read: of one service as long as few are asked for.
    fn wanted(&mut self, of: &CellsOf) -> CellsOf {
        let all = unfiltered(of);
        if *of == all {
            return all;
        }
        let kind = std::mem::discriminant(of);
        let number = self.kinds.iter().position(|known| *known == kind).unwrap_or_else(|| {
            self.kinds.push(kind);
            self.kinds.len() - 1
        });
        let filters = self.filters.entry(number).or_default();
        if filters.contains(of) {
            return of.clone();
        }
        if filters.len() >= FILTERS {
            return all;
        }
        filters.push(of.clone());
        of.clone()
    }

    /// Takes in what was asked for at an instant.
    fn put(&mut self, asked: Instant, sheet: &Arc<Sheet>) {
        self.bytes += sheet.bytes();
        self.sheets.push((asked, Arc::clone(sheet)));
        while self.sheets.len() > TABLES || self.bytes > BYTES && self.sheets.len() > 1 {
            self.bytes -= self.sheets.remove(0).1.bytes();
        }
    }

    /// Forgets what is too old; all of it, and with it how much was asked for, once nothing is left.
    fn forget(&mut self, now: Instant) {
        let bytes = &mut self.bytes;
        self.sheets.retain(|(asked, sheet)| {
            let is_fresh = now.saturating_duration_since(*asked) <= AGE;
            *bytes -= if is_fresh { 0 } else { sheet.bytes() };
            is_fresh
        });
        if self.sheets.is_empty() {
            self.clear();
        }
    }
}

fn unfiltered(of: &CellsOf) -> CellsOf {
    match of {
        CellsOf::Services(_) => CellsOf::Services(None),
        CellsOf::Operations { .. } => CellsOf::Operations { service: None, operation: None },
        CellsOf::Versions(_) => CellsOf::Versions(None),
        CellsOf::Instances(_) => CellsOf::Instances(None),
        CellsOf::Edges { measure, .. } => CellsOf::Edges { measure: *measure, caller: None, callee: None },
        CellsOf::Errors(_) => CellsOf::Errors(None),
    }
}

fn floor(time: i64, step: i64) -> i64 {
    time.div_euclid(step) * step
}

impl StoreSource {
    /// Cells that hold what is needed at the moments of a grid, of more services perhaps than were asked for.
    pub(super) fn cells(&self, need: &Need, grid: Grid) -> Result<Arc<Sheet>, SourceError> {
        let (first, last) = (grid.first, grid.last());
        let wanted = TimeRange { from: floor(first - need.window - need.before, grain(need.window)), to: last };
        if !is_of_now(grid) {
            return self.past(need, grid, wanted).map(Arc::new);
        }
        let length = last - wanted.from;
        let tier = TIERS.into_iter().find(|(longest, _)| length <= *longest).filter(|_| length > FINE);
        let fine_from = tier.map(|(_, step)| floor(first - need.window.min(RECENT), step));
        let asked = Instant::now();
        let (of, found) = {
            let mut shared = self.shared();
            shared.forget(asked);
            let of = shared.wanted(&need.of);
            let mut sheets = shared.sheets.iter().map(|(_, sheet)| sheet);
            let found = sheets.find(|sheet| sheet.holds(&of, need.durations, FINEST, wanted, fine_from)).cloned();
            (of, found)
        };
        if let Some(found) = found {
            return Ok(found);
        }
        let coarse = tier.map(|(_, step)| (last - FINE, step));
        let from = floor(last - tier.map_or(FINE, |(longest, _)| longest), tier.map_or(FINEST, |(_, step)| step));
        let range = TimeRange { from: from.min(wanted.from), to: last };
        let plan = plan::Cells { range, step_nanos: FINEST, coarse, of, environment: None, durations: need.durations };
        let sheet = Arc::new(self.sheet(plan)?);
        self.shared().put(asked, &sheet);
        Ok(sheet)
    }

    /// Of a time that nobody else asks about: exactly what is needed.
    fn past(&self, need: &Need, grid: Grid, range: TimeRange) -> Result<Sheet, SourceError> {
        let grain = grain(need.window);
        let begins = if grain == FINEST { need.window.max(FINEST) } else { grain };
        let step_nanos = gcd(gcd(grid.step, begins), HOUR).max(FINEST);
        let range = TimeRange { from: floor(range.from, step_nanos), to: range.to };
        let plan = plan::Cells {
            range,
            step_nanos,
            coarse: None,
            of: need.of.clone(),
            environment: None,
            durations: need.durations,
        };
        self.sheet(plan)
    }

    fn sheet(&self, plan: plan::Cells) -> Result<Sheet, SourceError> {
        let answer = self.ask(|store, control| store.cells(&plan, control))?;
        let table = answer.value;
        let service = |key: &CellKey| match key {
            CellKey::Service { service, .. } | CellKey::Errors { service, .. } => ServiceKey::parse(service),
            CellKey::Edge { callee, .. } => ServiceKey::parse(&callee.id),
        };
        let services = table.series.iter().map(|series| service(&series.key)).collect();
        // Where fine rows are gone, windows are longer than was asked for.
        let lost = table.stretches.iter().rfind(|stretch| {
            stretch.step_nanos > plan.step_nanos && plan.coarse.is_none_or(|(_, step)| stretch.step_nanos > step)
        });
        let lost = lost.map(|stretch| {
            let before = UNIX_EPOCH + Duration::from_nanos(u64::try_from(stretch.to).unwrap_or(0));
            let (before, length) = (humantime::format_rfc3339_seconds(before), stretch.step_nanos / SECOND);
            format!("before {before} only sums of {length} seconds are kept: no window there is shorter")
        });
        Ok(Sheet { table, services, partial: answer.partial.map(|why| why.0).or(lost), plan })
    }
}
