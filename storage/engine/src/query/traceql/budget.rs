//! How much a question may cost before it answers with what it has.

use orrery_query::Control;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// What is left of the rows and the time of a question.
pub(super) struct Budget {
    rows: AtomicU64,
    /// Of rows of which every attribute is looked at.
    whole_rows: AtomicU64,
    until: Instant,
}

impl Budget {
    /// So many rows, so many of them with all their attributes, and four fifths of the time: the rest is for the answer.
    pub(super) fn new(rows: u64, whole_rows: u64, control: &Control) -> Budget {
        Budget::of(rows, whole_rows, control, 0.8)
    }

    /// The same with another part of the time that is left.
    pub(super) fn of(rows: u64, whole_rows: u64, control: &Control, part: f64) -> Budget {
        let now = Instant::now();
        let left = control.deadline().saturating_duration_since(now);
        Budget { rows: rows.into(), whole_rows: whole_rows.into(), until: now + left.mul_f64(part) }
    }

    /// Takes so many rows. What was begun is finished: the last may be more than there were.
    pub(super) fn spend(&self, rows: u64) {
        take(&self.rows, rows);
    }

    /// Takes so many rows with all their attributes.
    pub(super) fn spend_whole(&self, rows: u64) {
        take(&self.whole_rows, rows);
    }

    /// Whether no more may be read, and why.
    pub(super) fn is_spent(&self) -> Option<&'static str> {
        if self.rows.load(Ordering::Relaxed) == 0 || self.whole_rows.load(Ordering::Relaxed) == 0 {
            return Some("there are more spans than one question may look at");
        }
        (Instant::now() >= self.until).then_some("time ran out")
    }
}

fn take(left: &AtomicU64, rows: u64) {
    _ = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(rows)));
}
