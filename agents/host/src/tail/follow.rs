//! The loop that reads, sends, waits for the acknowledgement, and keeps the progress.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{LogBatch, Tailer};
use crate::ship::{Batch, Exporter, Signal};
use crate::stop::Stop;

const POLL_EVERY: Duration = Duration::from_millis(500);

/// A tailer whose file access happens off the async threads.
#[derive(Clone, Debug)]
pub(crate) struct Follower(Arc<Mutex<Tailer>>);

impl Follower {
    pub(crate) fn new(tailer: Tailer) -> Self {
        Self(Arc::new(Mutex::new(tailer)))
    }

    /// Runs `work` where blocking on files is fine.
    pub(crate) async fn with<T: Send + 'static>(&self, work: impl FnOnce(&mut Tailer) -> T + Send + 'static) -> T {
        let tailer = Arc::clone(&self.0);
        let work = move || work(&mut tailer.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(work).await.expect("tailer code does not panic")
    }

    /// Follows until the agent stops, then sends what is left while there is time.
    ///
    /// One batch is on its way at a time, so a server that is away stops the reading, not the noticing of rotations.
    pub(crate) async fn run(&self, exporter: &Exporter, stop: &Stop) {
        loop {
            let last_round = stop.is_set();
            while let Some(batch) = self.next_batch().await {
                if !self.deliver(batch, exporter, stop).await {
                    tracing::info!("log records not delivered are read again at the next start");
                    return self.with(|tailer| tailer.save(Instant::now())).await;
                }
            }
            if last_round {
                return self.with(|tailer| tailer.save(Instant::now())).await;
            }
            tokio::select! {
                () = tokio::time::sleep(POLL_EVERY) => {}
                () = stop.wait() => {}
            }
        }
    }

    async fn next_batch(&self) -> Option<LogBatch> {
        let read = |tailer: &mut Tailer| {
            let now = Instant::now();
            tailer.poll(now);
            let batch = tailer.next_batch(now);
            tailer.save_if_due(now);
            batch
        };
        self.with(read).await
    }

    /// Sends one batch, and goes on noticing rotations until it is acknowledged. False if the agent stopped first.
    async fn deliver(&self, batch: LogBatch, exporter: &Exporter, stop: &Stop) -> bool {
        let LogBatch { request, records, ends } = batch;
        let encoded = Batch::new(Signal::Logs, &request, records);
        let delivery = exporter.deliver(&encoded, stop);
        tokio::pin!(delivery);
        let delivered = loop {
            tokio::select! {
                delivered = &mut delivery => break delivered,
                () = tokio::time::sleep(POLL_EVERY) => self.with(|tailer| tailer.poll(Instant::now())).await,
            }
        };
        if delivered {
            self.with(move |tailer| tailer.commit(&ends)).await;
        }
        delivered
    }
}
