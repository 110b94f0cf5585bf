//! What is usual: values of other times, remembered from one evaluation to the next.

use crate::judge::Usual;
use crate::source::{Grid, Series, Source, SourceError};
use crate::text;
use orrery_api::alerting::{Measure, Period, Season, ValueUnit};
use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Labels of a series: what it is known by.
pub(crate) type Labels = BTreeMap<String, String>;

/// What is usual for the series of one measure. Only remembers what a source said: forgetting it changes nothing.
#[derive(Clone, Debug)]
pub(crate) struct Baseline {
    season: Season,
    /// Values by slice of the past, by labels, in order of time.
    slices: Vec<Slice>,
}

/// One stretch of the past: the hour before, or the same time on one day before.
#[derive(Clone, Debug, Default)]
struct Slice {
    /// Moments up to here are known; `None`: nothing yet.
    until: Option<i64>,
    values: BTreeMap<Labels, VecDeque<(i64, f64)>>,
    /// Zero at every moment at which there was something to count: of what then has no value there was none.
    none: VecDeque<(i64, f64)>,
}

impl Baseline {
    pub(crate) fn new(season: Season) -> Baseline {
        Baseline { season, slices: vec![Slice::default(); Self::ago(season).count()] }
    }

    /// How many seasons ago the slices are.
    fn ago(season: Season) -> RangeInclusive<i64> {
        match season {
            Season::Recent => 0..=0,
            Season::Day => 1..=7,
            Season::Week => 1..=4,
        }
    }

    /// Time between two moments of what is usual, for a grid of this step.
    fn step(&self, step: i64) -> i64 {
        match self.season {
            // So that something is known soon after the first data.
            Season::Recent => step.clamp(10 * SECOND, 60 * SECOND),
            Season::Day | Season::Week => 600 * SECOND,
        }
    }

    /// The moments of a slice that count for a moment: after the first, up to the second.
    fn reach(&self, at: i64, slice: usize, gap: i64) -> (i64, i64) {
        let ago = slice as i64 + 1;
        match self.season {
            Season::Recent => (at - gap - 3_600 * SECOND, at - gap),
            Season::Day => around(at - ago * DAY),
            Season::Week => around(at - ago * 7 * DAY),
        }
    }

    /// What is usual for each series at each moment. `gap` is the time before a moment in which things may be unusual
    /// already. Of what is counted, nothing is none; of what is not, unknown.
    pub(crate) fn usual(
        &mut self,
        source: &dyn Source,
        measure: &Measure,
        window: Period,
        grid: Grid,
        gap: i64,
        series: &[Series],
    ) -> Result<Vec<Vec<Option<Usual>>>, SourceError> {
        if grid.count == 0 {
            return Ok(vec![Vec::new(); series.len()]);
        }
        let step = self.step(grid.step);
        for slice in 0..self.slices.len() {
            let (from, _) = self.reach(grid.first, slice, gap);
            let (_, to) = self.reach(grid.last(), slice, gap);
            // What was asked for before, and goes on from there.
            let from_new = self.slices[slice].until.filter(|until| (from..=to).contains(until)).unwrap_or_else(|| {
                self.slices[slice] = Slice::default();
                from
            });
            let wanted = Grid::between(from_new, to, step);
            let known = &mut self.slices[slice];
            if wanted.count > 0 {
                for found in source.values(measure, window, wanted)?.series {
                    let values = known.values.entry(found.labels).or_default();
                    values.extend(wanted.moments().zip(found.values).filter_map(|(at, value)| Some((at, value?))));
                }
                if text::unit(measure) == ValueUnit::Count {
                    let heard = wanted.moments().zip(source.heard(measure, window, wanted)?);
                    known.none.extend(heard.filter(|(_, heard)| *heard).map(|(at, _)| (at, 0.0)));
                }
                known.until = Some(wanted.last());
            }
            let forget = |values: &mut VecDeque<(i64, f64)>| {
                while values.front().is_some_and(|(at, _)| *at <= from) {
                    values.pop_front();
                }
                !values.is_empty()
            };
            forget(&mut known.none);
            known.values.retain(|_, values| forget(values));
        }
        Ok(series.iter().map(|series| self.of_series(&series.labels, grid, gap)).collect())
    }

    fn of_series(&self, labels: &Labels, grid: Grid, gap: i64) -> Vec<Option<Usual>> {
        let all = self.slices.iter().map(|slice| [slice.values.get(labels), Some(&slice.none)].map(Cursor::new));
        let mut cursors: Vec<[Cursor<'_>; 2]> = all.collect();
        let (mut last, mut gathered) = (None, Vec::new());
        grid.moments()
            .map(|at| {
                let mut is_same = last.is_some();
                for (number, cursors) in cursors.iter_mut().enumerate() {
                    let (from, to) = self.reach(at, number, gap);
                    cursors.iter_mut().for_each(|cursor| is_same &= !cursor.move_to(from, to));
                }
                if !is_same {
                    gathered.clear();
                    for [values, none] in &cursors {
                        gathered.extend(values.held().chain(none.held().skip(values.len())));
                    }
                    last = Some(Usual::of(&mut gathered));
                }
                last.flatten()
            })
            .collect()
    }
}

/// Twenty minutes before to ten after, whole blocks of ten minutes: three moments.
fn around(at: i64) -> (i64, i64) {
    let block = at.div_euclid(600 * SECOND) * 600 * SECOND;
    (block - 1_200 * SECOND, block + 600 * SECOND)
}

/// The values of a slice that count for a moment; moments come in order.
struct Cursor<'a> {
    values: Option<&'a VecDeque<(i64, f64)>>,
    begin: usize,
    end: usize,
}

impl<'a> Cursor<'a> {
    fn new(values: Option<&'a VecDeque<(i64, f64)>>) -> Cursor<'a> {
        Cursor { values, begin: 0, end: 0 }
    }

    fn len(&self) -> usize {
        self.end - self.begin
    }

    /// Answers whether other values count now.
    fn move_to(&mut self, from: i64, to: i64) -> bool {
        let Some(values) = self.values else { return false };
        let before = (self.begin, self.end);
        while values.get(self.begin).is_some_and(|(at, _)| *at <= from) {
            self.begin += 1;
        }
        self.end = self.end.max(self.begin);
        while values.get(self.end).is_some_and(|(at, _)| *at <= to) {
            self.end += 1;
        }
        before != (self.begin, self.end)
    }

    fn held(&self) -> impl Iterator<Item = f64> {
        self.values.into_iter().flat_map(|values| values.range(self.begin..self.end)).map(|(_, value)| *value)
    }
}
