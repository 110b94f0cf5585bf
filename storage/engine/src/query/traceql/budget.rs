//! How much a question may cost before it answers with what it has.

use orrery_query::Control;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// What is left of the rows and the time of a question.
pub(super) struct Budget {
    rows: AtomicU64,
    until: Instant,
}

impl Budget {
    /// So many rows, and four fifths of the time: the rest is for the answer.
    pub(super) fn new(rows: u64, control: &Control) -> Budget {
        let now = Instant::now();
        let left = control.deadline().saturating_duration_since(now);
        Budget { rows: rows.into(), until: now + left * 4 / 5 }
    }

    /// Takes so many rows. What was begun is finished: the last may be more than there were.
    pub(super) fn spend(&self, rows: u64) {
        let take = |left: u64| Some(left.saturating_sub(rows));
        _ = self.rows.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
    }

    /// Whether no more may be read, and why.
    pub(super) fn is_spent(&self) -> Option<&'static str> {
        if self.rows.load(Ordering::Relaxed) == 0 {
            return Some("there are more spans than one question may look at");
        }
        (Instant::now() >= self.until).then_some("time ran out")
    }
}
