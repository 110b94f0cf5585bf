//! One memory budget for all requests being received.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const UNIT: usize = 1024;

/// Bytes that all requests together may hold.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<Semaphore>);

/// A request's share of the budget, given back on drop.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Budget,
    permit: Option<OwnedSemaphorePermit>,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Budget {
        Budget(Arc::new(Semaphore::new((bytes / UNIT).min(Semaphore::MAX_PERMITS))))
    }

    pub(crate) fn reserve(&self) -> Reservation {
        Reservation { budget: self.clone(), permit: None }
    }

    #[cfg(test)]
    pub(crate) fn available(&self) -> usize {
        self.0.available_permits() * UNIT
    }
}

impl Reservation {
    /// Takes `bytes` more; `false`, and nothing taken, when the budget is used up. Never waits: requests that wait while
    /// holding a part would block each other.
    #[must_use]
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let Ok(units) = u32::try_from(bytes.div_ceil(UNIT)) else { return false };
        let Ok(more) = self.budget.0.clone().try_acquire_many_owned(units) else { return false };
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            none => *none = Some(more),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_comes_back() {
        let budget = Budget::new(10 * UNIT);
        let mut one = budget.reserve();
        assert!(one.grow(1) && one.grow(7 * UNIT));
        let mut two = budget.reserve();
        assert!(!two.grow(3 * UNIT));
        assert!(two.grow(2 * UNIT));
        drop(one);
        assert_eq!(budget.available(), 8 * UNIT);
    }
}
