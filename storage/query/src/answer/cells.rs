//! Cells over time, and windows that slide over them.

use super::EdgeKind;
use crate::latency::{Bytes, Window};
use crate::time::TimeRange;

/// Cells over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CellTable {
    /// How long buckets are, oldest first; together they make up the range.
    pub stretches: Vec<Stretch>,
    /// By key, each once.
    pub series: Vec<CellSeries>,
}

/// A time whose buckets are equally long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Start of the first bucket, Unix nanoseconds.
    pub from: i64,
    /// End of the last.
    pub to: i64,
    /// Length of each, nanoseconds; they begin at multiples of it.
    pub step_nanos: i64,
}

/// Whose cells.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CellKey {
    /// Of a service.
    Service {
        /// Its key in text form.
        service: String,
        /// The operation, version or instance, if asked by one; empty where that is not said.
        slice: String,
        /// Which of its spans.
        work: Work,
    },
    /// Of an edge of the map.
    Edge {
        /// The caller.
        caller: CellNode,
        /// The callee.
        callee: CellNode,
        /// What flows.
        kind: EdgeKind,
    },
    /// Of failed spans that say the same.
    Errors {
        /// Key of the service in text form.
        service: String,
        /// `error.type`, exception type or status code.
        error_type: String,
        /// Message without numbers and ids.
        message: String,
    },
}

/// An end of an edge.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CellNode {
    /// As [`super::Node::id`].
    pub id: String,
    /// Short name to show.
    pub name: String,
    /// Whether it is an instrumented service.
    pub is_service: bool,
}

impl CellNode {
    /// Whether a text names it, by name or id.
    pub fn is(&self, text: &str) -> bool {
        self.id == text || self.name == text
    }
}

/// Which spans of a service. What is asked of a service is what was served; what was begun, of one that serves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Work {
    /// Server and consumer spans.
    Served,
    /// Other spans without a parent.
    Begun,
    /// The rest, of which only [`CellPoint::last_unix_nano`] is known.
    Inner,
}

/// Cells of one key.
#[derive(Clone, Debug, PartialEq)]
pub struct CellSeries {
    /// Whose.
    pub key: CellKey,
    /// By time; buckets without anything have none.
    points: Vec<CellPoint>,
    /// Durations of all points.
    bytes: Vec<u8>,
}

/// What happened in a bucket. Counts are adjusted by sampling weight; those of failed spans by type are not.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CellPoint {
    /// Start of the bucket, Unix nanoseconds.
    pub time: i64,
    /// Calls.
    pub count: f64,
    /// Of them failed.
    pub errors: f64,
    /// Sum of durations, nanoseconds.
    pub sum_nanos: f64,
    /// End of the latest span, Unix nanoseconds; 0 where that is not known.
    pub last_unix_nano: i64,
    /// Where the durations are.
    durations: (u32, u32),
}

impl CellPoint {
    /// Without durations.
    pub fn new(time: i64, [count, errors, sum_nanos]: [f64; 3], last_unix_nano: i64) -> CellPoint {
        CellPoint { time, count, errors, sum_nanos, last_unix_nano, durations: (0, 0) }
    }
}

impl CellTable {
    /// Start of the bucket that holds an instant; the instant itself, outside of the range.
    pub fn floor(&self, time: i64) -> i64 {
        let stretch = self.stretches.iter().find(|stretch| stretch.from <= time && time < stretch.to);
        stretch.map_or(time, |stretch| time.div_euclid(stretch.step_nanos) * stretch.step_nanos)
    }

    /// The whole buckets that the window before a moment is made of: it ends with the last bucket that has ended by then,
    /// and begins at a multiple of `grain`, a little earlier than it would have to.
    pub fn window(&self, moment: i64, window_nanos: i64, grain: i64) -> TimeRange {
        let to = self.floor(moment);
        TimeRange { from: self.floor((to - window_nanos).div_euclid(grain) * grain), to }
    }
}

impl CellSeries {
    /// Nothing yet.
    pub fn new(key: CellKey) -> CellSeries {
        CellSeries { key, points: Vec::new(), bytes: Vec::new() }
    }

    /// Adds a row. Rows of a bucket add up, in any order; [`CellSeries::settle`] ends it.
    pub fn push(&mut self, point: CellPoint, durations: &[u8]) {
        let from = self.bytes.len() as u32;
        self.bytes.extend_from_slice(durations);
        self.points.push(CellPoint { durations: (from, self.bytes.len() as u32), ..point });
    }

    /// Puts the rows in order and adds up those of a bucket.
    pub fn settle(&mut self) {
        self.points.sort_by_key(|point| point.time);
        if self.points.windows(2).all(|pair| pair[0].time < pair[1].time) {
            return;
        }
        let mut settled = CellSeries::new(self.key.clone());
        for rows in self.points.chunk_by(|a, b| a.time == b.time) {
            let [first, rest @ ..] = rows else { continue };
            if rest.is_empty() {
                settled.push(*first, self.bytes_of(first));
                continue;
            }
            let (mut sum, mut cells) = (CellPoint { time: first.time, ..CellPoint::default() }, Default::default());
            for row in rows {
                sum.count += row.count;
                sum.errors += row.errors;
                sum.sum_nanos += row.sum_nanos;
                sum.last_unix_nano = sum.last_unix_nano.max(row.last_unix_nano);
                crate::latency::Cells::merge_sorted(&mut cells, self.durations(row));
            }
            let mut bytes = Vec::new();
            crate::latency::encode(&cells, &mut bytes);
            settled.push(sum, &bytes);
        }
        *self = settled;
    }

    /// The points, by time.
    pub fn points(&self) -> &[CellPoint] {
        &self.points
    }

    fn bytes_of(&self, point: &CellPoint) -> &[u8] {
        &self.bytes[point.durations.0 as usize..point.durations.1 as usize]
    }

    /// The durations of a point.
    pub fn durations(&self, point: &CellPoint) -> Bytes<'_> {
        Bytes::new(self.bytes_of(point), point.sum_nanos)
    }

    /// Points of a time.
    pub fn within(&self, range: TimeRange) -> &[CellPoint] {
        let at = |time: i64| self.points.partition_point(|point| point.time < time);
        &self.points[at(range.from)..at(range.to).max(at(range.from))]
    }

    /// Lets a window slide: `each` sees what it holds at every range. Neither end of the ranges goes back. Costs what enters
    /// and leaves, not what is inside.
    pub fn slide(
        &self,
        window: &mut Window,
        durations: bool,
        ranges: impl Iterator<Item = TimeRange>,
        mut each: impl FnMut(usize, &Window),
    ) {
        window.clear();
        let (mut gone, mut come) = (0, 0);
        let durations = |point: &CellPoint| if durations { self.durations(point) } else { Bytes::new(&[], 0.0) };
        for (number, range) in ranges.enumerate() {
            if number == 0 {
                gone = self.points.partition_point(|point| point.time < range.from);
                come = gone;
            }
            while let Some(point) = self.points.get(come).filter(|point| point.time < range.to) {
                window.add(point.count, point.errors, point.sum_nanos, durations(point));
                come += 1;
            }
            while let Some(point) = self.points[..come].get(gone).filter(|point| point.time < range.from) {
                window.remove(point.count, point.errors, point.sum_nanos, durations(point));
                gone += 1;
            }
            each(number, window);
        }
    }

    /// About how many bytes of memory it holds.
    pub fn heap_bytes(&self) -> usize {
        self.points.capacity() * size_of::<CellPoint>() + self.bytes.capacity() + size_of::<CellSeries>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::{Cells, encode};
    use proptest::prelude::*;

    const STEP: i64 = 10;

    fn series(rows: &[(i64, i64, bool)]) -> CellSeries {
        let mut series =
            CellSeries::new(CellKey::Service { service: "a".into(), slice: String::new(), work: Work::Served });
        for (time, nanos, failed) in rows {
            let (mut cells, mut bytes) = (Cells::default(), Vec::new());
            cells.record(*nanos, *failed, 1.0);
            encode(&cells, &mut bytes);
            let numbers = [1.0, f64::from(*failed), *nanos as f64];
            series.push(CellPoint::new(time.div_euclid(STEP) * STEP, numbers, *time), &bytes);
        }
        series.settle();
        series
    }

    proptest! {
        #[test]
        fn windows_hold_what_lies_in_them(
            rows in proptest::collection::vec((0i64..500, 1i64..1 << 30, any::<bool>()), 0..80),
            first in -10i64..30, every in 1i64..8, window in 1i64..20,
        ) {
            let series = series(&rows);
            prop_assert!(series.points().windows(2).all(|pair| pair[0].time < pair[1].time));
            let table = CellTable { stretches: vec![Stretch { from: -1000, to: 1000, step_nanos: STEP }], series: Vec::new() };
            let ranges: Vec<_> = (0..20).map(|at| table.window((first + at * every) * STEP, window * STEP, STEP)).collect();
            let mut seen = Vec::new();
            series.slide(&mut Window::default(), true, ranges.iter().copied(), |at, held| {
                seen.push((at, held.count(), held.errors(), held.sum_nanos(), held.quantile(0.9)));
            });
            for (at, range) in ranges.iter().enumerate() {
                let inside: Vec<_> = rows.iter().filter(|(time, ..)| range.contains(time.div_euclid(STEP) * STEP)).collect();
                let mut cells = Cells::default();
                inside.iter().for_each(|(_, nanos, failed)| cells.record(*nanos, *failed, 1.0));
                let sum: i64 = inside.iter().map(|(_, nanos, _)| nanos).sum();
                prop_assert_eq!(seen[at], (at, inside.len() as f64, cells.errors(), sum as f64, cells.quantile(0.9)));
                prop_assert_eq!(series.within(*range).iter().map(|point| point.count).sum::<f64>(), inside.len() as f64);
            }
        }
    }

    #[test]
    fn windows_are_as_fine_as_their_time() {
        let stretches = [(0, 120, 60), (120, 200, 10)].map(|(from, to, step_nanos)| Stretch { from, to, step_nanos });
        let table = CellTable { stretches: stretches.to_vec(), series: Vec::new() };
        let window = |moment, nanos, grain| {
            let TimeRange { from, to } = table.window(moment, nanos, grain);
            (from, to)
        };
        assert_eq!(window(180, 30, 10), (150, 180));
        assert_eq!(window(140, 30, 10), (60, 140), "as long as what is left of that time");
        assert_eq!(window(110, 10, 10), (0, 60), "the last that has ended");
        assert_eq!(window(180, 130, 20), (0, 180));
        assert_eq!(window(200, 35, 20), (160, 200), "a multiple of the grain");
    }
}
