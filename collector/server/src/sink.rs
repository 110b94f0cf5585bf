//! Where receiver and store meet: an acknowledgement is a durable append, and nothing else.

use crate::alerting::arrival::{Arrival, Reach};
use crate::live::Bus;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use orrery_model::{Batch, Body, Signal};
use orrery_query::{AppendError, Store};
use orrery_receive::{Denied, Refused, Sender, Sink};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::oneshot;

/// Hands received batches to the store, and what has become durable to those who watch.
pub(crate) struct StoreSink {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) bus: Arc<Bus>,
    /// Whether the last write reached the disk.
    pub(crate) writes: Arc<AtomicBool>,
    /// Learns up to when whose data is durable.
    pub(crate) arrival: Arc<Arrival>,
    /// Unix nanoseconds.
    pub(crate) clock: fn() -> i64,
}

impl Sink for StoreSink {
    fn append(&self, body: Body, batch: Batch) -> BoxFuture<'_, Result<(), Refused>> {
        async move {
            let watched = match &batch {
                Batch::Logs(logs) if self.bus.is_wanted() => Some(logs.clone()),
                _ => None,
            };
            let reach = Reach::of(&batch);
            let (done, appended) = oneshot::channel();
            // The receiver may have gone by then: the client did.
            self.store.append(body, batch, Box::new(move |result| _ = done.send(result)));
            // A store that drops the callback has lost the batch.
            let result = appended.await.map_err(|_| Refused::Internal)?;
            self.note(&result);
            result.map_err(refused)?;
            self.arrival.note(reach, (self.clock)());
            if let Some(logs) = watched {
                self.bus.publish(&logs);
            }
            Ok(())
        }
        .boxed()
    }

    fn admit(&self, _signal: Signal, _sender: &Sender<'_>) -> Result<(), Denied> {
        let refusal = self.store.refuses().map_or(Ok(()), Err);
        if refusal.is_err() {
            self.note(&refusal);
        }
        refusal.map_err(|error| Denied::Refused(refused(error)))
    }

    fn rejected(&self, signal: Signal, reason: &'static str, count: u64, sender: &Sender<'_>) {
        tracing::debug!(%signal, reason, count, sender = %sender.address, user_agent = ?sender.user_agent(), "rejected");
        self.store.count_rejected(signal, reason, count);
    }

    fn dropped(&self, signal: Signal, reason: &'static str, count: u64) {
        self.store.count_trimmed(signal, reason, count);
    }

    fn refused(&self, signal: Signal, reason: &'static str) {
        self.store.count_refused(signal, reason, 1);
    }

    fn closed(&self, reason: &'static str) {
        tracing::debug!(reason, "connection closed by us");
    }
}

impl StoreSink {
    /// Remembers whether the disk takes writes, and says so once when that changes.
    fn note(&self, result: &Result<(), AppendError>) {
        let works = match result {
            Ok(()) => true,
            Err(AppendError::Failed(_)) => false,
            Err(AppendError::Refused { .. }) => return,
        };
        if self.writes.swap(works, Ordering::Relaxed) != works {
            match result {
                Ok(()) => tracing::info!("the data directory takes writes again"),
                Err(error) => tracing::error!(%error, "the data directory takes no writes; senders are told to retry"),
            }
        }
    }
}

const DISK_RESERVE: &str = "disk_reserve";

fn refused(error: AppendError) -> Refused {
    match error {
        AppendError::Refused { reason: DISK_RESERVE, retry_after } => Refused::DiskFull(retry_after),
        AppendError::Refused { reason: "stopping", .. } => Refused::ShuttingDown,
        AppendError::Refused { retry_after, .. } => Refused::Overloaded(retry_after),
        AppendError::Failed(_) => Refused::Internal,
    }
}
