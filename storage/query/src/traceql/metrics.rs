//! Time series of matching spans.

mod combine;
mod compare;
mod distribution;
mod group;

use super::evaluate::{Compiled, Prepared, Trace, TraceView};
use super::tables::{Metrics, Table};
use crate::time::TimeRange;
use compare::Sampled;
use group::Groups;

/// Steps of a series at most.
const MOST_STEPS: i64 = 11_000;

/// Gathers what a query for metrics makes of traces. Show it every trace once ([`Series::observe`]); what several
/// threads gathered is added up with [`Series::merge`].
#[derive(Clone, Debug)]
pub struct Series {
    query: Compiled,
    steps: Steps,
    gathered: Vec<Gathered>,
}

/// Time cut into steps. A span counts in the step in which it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Steps {
    range: TimeRange,
    step_nanos: i64,
}

#[derive(Clone, Debug)]
enum Gathered {
    Groups(Groups),
    Compared(Sampled),
}

/// Why no series can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeriesError {
    /// The query searches for traces.
    #[error("this is a search; append for example | rate()")]
    Search,
    /// Steps are no time, or too many for the range. Ask for longer ones.
    #[error("a step of {step_nanos} ns makes too many data points of the range")]
    Step {
        /// What was asked for.
        step_nanos: i64,
    },
    /// The other series were made of another query, range or step.
    #[error("series of different questions are not added up")]
    Different,
}

impl Steps {
    fn new(range: TimeRange, step_nanos: i64) -> Result<Steps, SeriesError> {
        let steps = Steps { range, step_nanos };
        let fits = step_nanos > 0 && range.nanos() > 0 && (range.nanos() - 1) / step_nanos < MOST_STEPS;
        if fits { Ok(steps) } else { Err(SeriesError::Step { step_nanos }) }
    }

    fn len(self) -> usize {
        ((self.range.nanos() - 1) / self.step_nanos + 1) as usize
    }

    fn step_of(self, time: i64) -> Option<usize> {
        self.range.contains(time).then(|| (time.saturating_sub(self.range.from) / self.step_nanos) as usize)
    }

    fn seconds(self, step: usize) -> f64 {
        let begun = step as i64 * self.step_nanos;
        self.step_nanos.min(self.range.nanos() - begun) as f64 / 1e9
    }
}

impl Series {
    /// Begins with nothing.
    ///
    /// # Errors
    /// See [`SeriesError`].
    pub fn new(query: &Compiled, range: TimeRange, step_nanos: i64) -> Result<Series, SeriesError> {
        let Prepared::Metrics(plan) = &*query.body else { return Err(SeriesError::Search) };
        let steps = Steps::new(range, step_nanos)?;
        let gathered = plan.leaves.iter().map(|leaf| match leaf.selects {
            Some(_) => Gathered::Compared(Sampled::default()),
            None => Gathered::Groups(Groups::new(leaf, steps, query.hints)),
        });
        Ok(Series { query: query.clone(), steps, gathered: gathered.collect() })
    }

    /// Adds what a trace has.
    pub fn observe(&mut self, trace: &dyn TraceView) {
        let Prepared::Metrics(plan) = &*self.query.body else { return };
        let trace = Trace::new(trace);
        for (leaf, gathered) in plan.leaves.iter().zip(&mut self.gathered) {
            for spanset in leaf.pipeline.evaluate(&trace) {
                for span in spanset.spans {
                    let span = span as usize;
                    let Some(step) = self.steps.step_of(trace.view.start(span)) else { continue };
                    let sampled = if self.query.hints.extrapolate { trace.view.weight(span) } else { 1.0 };
                    let weight = sampled * trace.view.stands_for(span);
                    match gathered {
                        Gathered::Groups(groups) => groups.observe(leaf, &trace, span, step, weight),
                        Gathered::Compared(sampled) => sampled.observe(leaf, &trace, span, weight),
                    }
                }
            }
        }
    }

    /// Adds what another one gathered of other traces.
    ///
    /// # Errors
    /// [`SeriesError::Different`]: both have to be made of the same [`Compiled`], range and step.
    pub fn merge(&mut self, other: &Series) -> Result<(), SeriesError> {
        if self.steps != other.steps || !std::sync::Arc::ptr_eq(&self.query.body, &other.query.body) {
            return Err(SeriesError::Different);
        }
        let Prepared::Metrics(plan) = &*self.query.body else { return Err(SeriesError::Search) };
        for ((own, other), leaf) in self.gathered.iter_mut().zip(&other.gathered).zip(&plan.leaves) {
            match (own, other) {
                (Gathered::Groups(own), Gathered::Groups(other)) => own.merge(leaf, other),
                (Gathered::Compared(own), Gathered::Compared(other)) => own.merge(other),
                _ => return Err(SeriesError::Different),
            }
        }
        Ok(())
    }

    /// What came of it.
    pub fn finish(self) -> Metrics {
        let Prepared::Metrics(plan) = &*self.query.body else { unreachable!("made of a query for metrics") };
        if let ([Gathered::Compared(sampled)], [leaf]) = (&self.gathered[..], &plan.leaves[..]) {
            return Metrics::Compared(sampled.finish(leaf));
        }
        let uncounted =
            |gathered: &Gathered| if let Gathered::Groups(groups) = gathered { groups.uncounted } else { 0 };
        Metrics::Table(Table {
            from: self.steps.range.from,
            step_nanos: self.steps.step_nanos,
            uncounted: self.gathered.iter().map(uncounted).sum(),
            series: combine::series(plan, &self.gathered, self.steps.len()),
        })
    }
}
