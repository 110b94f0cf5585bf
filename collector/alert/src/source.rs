//! Where values come from.

use orrery_api::alerting::{Measure, Period};
use std::collections::BTreeMap;

/// The moments that are judged: `first`, `first + step`, and so on, all multiples of `step`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Grid {
    /// The first moment, Unix nanoseconds; a multiple of `step`.
    pub first: i64,
    /// Time between two moments, nanoseconds.
    pub step: i64,
    /// How many moments.
    pub count: usize,
}

impl Grid {
    /// All moments after `from` up to `to`, both Unix nanoseconds.
    pub fn between(from: i64, to: i64, step: i64) -> Grid {
        let first = (from.div_euclid(step) + 1) * step;
        let count = if to < first { 0 } else { ((to - first) / step + 1) as usize };
        Grid { first, step, count }
    }

    /// A moment by its number.
    pub fn at(&self, number: usize) -> i64 {
        self.first + self.step * number as i64
    }

    /// The last moment; the one before the first, if there is none.
    pub fn last(&self) -> i64 {
        self.first + self.step * (self.count as i64 - 1)
    }

    /// All moments.
    pub fn moments(self) -> impl Iterator<Item = i64> {
        (0..self.count).map(move |number| self.at(number))
    }

    /// The same moments earlier.
    pub fn earlier(self, nanos: i64) -> Grid {
        Grid { first: self.first - nanos, ..self }
    }
}

/// The values of one combination of labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// What tells it from the others.
    pub labels: BTreeMap<String, String>,
    /// Id of the node of the map it is about; of the callee, where it is about calls.
    pub node: Option<String>,
    /// Id of the other end of a call.
    pub caller: Option<String>,
    /// One per moment of the grid; `None`: no value, which is not zero.
    pub values: Vec<Option<f64>>,
}

/// What a source answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    /// By labels, each once.
    pub series: Vec<Series>,
    /// Why something is missing.
    pub partial: Option<String>,
}

/// Why there are no values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The measure cannot be asked for: says which field is wrong, and what would be right. The rule's author can fix it.
    #[error("{field}: {reason}")]
    Invalid {
        /// Of the measure.
        field: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// The question failed or ran too long. It may succeed later.
    #[error("{0}")]
    Failed(String),
    /// The answer is being looked for beside: who asks the same again will get it. Only sources say so that are asked by
    /// [`crate::live`].
    #[error("the answer is not there yet")]
    NotYet,
}

/// Where values come from.
pub trait Source {
    /// Values of a measure at the moments of a grid. The value of moment `t` is about `(t - window, t]`, or for
    /// measures without a window (silence, hosts, heartbeats) about what is known at `t`.
    ///
    /// # Errors
    /// [`SourceError::Invalid`]: the rule is wrong. [`SourceError::Failed`]: the store is.
    fn values(&self, measure: &Measure, window: Period, grid: Grid) -> Result<Values, SourceError>;

    /// At which moments of a grid there was something that a measure could have counted: a series without a value then had
    /// none. Always, where the source knows no better. Whoever wraps a source hands it on.
    ///
    /// # Errors
    /// As [`Source::values`].
    fn heard(&self, measure: &Measure, window: Period, grid: Grid) -> Result<Vec<bool>, SourceError>;
}
