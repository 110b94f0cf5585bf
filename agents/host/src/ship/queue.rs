//! Batches waiting to be sent, bounded in bytes.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Batch;

/// The reason under which batches pushed out of a full queue are counted.
pub(crate) const FULL: &str = "queue_full";

/// First in, first out; when full, the oldest go.
#[derive(Debug)]
pub(crate) struct Queue {
    max_bytes: usize,
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    batches: VecDeque<Batch>,
    bytes: usize,
}

impl Queue {
    /// Holds at most `max_bytes` of compressed bodies.
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { max_bytes, waiting: Mutex::default(), arrived: Notify::new() }
    }

    /// Adds a batch and returns those that had to go, oldest first. The new one goes only if it alone is too big.
    #[must_use = "batches that fall out are lost and must be counted"]
    pub(crate) fn push(&self, batch: Batch) -> Vec<Batch> {
        let mut waiting = self.waiting();
        waiting.bytes += batch.body.len();
        waiting.batches.push_back(batch);
        let mut lost = Vec::new();
        while waiting.bytes > self.max_bytes {
            let Some(oldest) = waiting.batches.pop_front() else { break };
            waiting.bytes -= oldest.body.len();
            lost.push(oldest);
        }
        drop(waiting);
        self.arrived.notify_one();
        lost
    }

    /// Returns once a batch was pushed since the last time.
    pub(crate) async fn arrival(&self) {
        self.arrived.notified().await;
    }

    /// Takes the oldest batch out, if there is one.
    pub(crate) fn try_pop(&self) -> Option<Batch> {
        let mut waiting = self.waiting();
        let batch = waiting.batches.pop_front()?;
        waiting.bytes -= batch.body.len();
        Some(batch)
    }

    /// Compressed bytes waiting.
    pub(crate) fn bytes(&self) -> usize {
        self.waiting().bytes
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::ship::Signal;

    fn batch(bytes: usize, items: u64) -> Batch {
        Batch { signal: Signal::Metrics, body: Bytes::from(vec![0; bytes]), items }
    }

    proptest! {
        #[test]
        fn bounded_in_order_and_nothing_unaccounted(
            sizes in prop::collection::vec(0_usize..50, 0..60),
            max in 0_usize..120,
        ) {
            let queue = Queue::new(max);
            let mut lost = Vec::new();
            for (number, size) in (0..).zip(&sizes) {
                lost.extend(queue.push(batch(*size, number)).into_iter().map(|batch| batch.items));
                prop_assert!(queue.bytes() <= max);
            }
            let kept = std::iter::from_fn(|| queue.try_pop()).map(|batch| batch.items);
            let all: Vec<u64> = lost.into_iter().chain(kept).collect();
            prop_assert_eq!(all, (0..sizes.len() as u64).collect::<Vec<_>>());
            prop_assert_eq!(queue.bytes(), 0);
        }
    }
}
