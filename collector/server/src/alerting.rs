//! Alerts: rules are judged as data arrives, what they come to is kept, and people are told.
//!
//! [`engine`] is a thread: it reads what people wrote, steps `orrery_alert`'s evaluator, and keeps what a step changed as
//! a whole before anybody is told. [`delivery`] sends what waits in the outbox; what a message says beyond that is found
//! out by [`case`] when it is sent. Everybody else asks [`Live`].

pub(crate) mod arrival;
pub(crate) mod aside;
pub(crate) mod case;
pub(crate) mod delivery;
pub(crate) mod documents;
pub(crate) mod engine;
pub(crate) mod objectives;
pub(crate) mod present;
pub(crate) mod source;
pub(crate) mod written;

use crate::api::state::Metadata;
use arrival::Arrival;
use orrery_alert::live::{Delays, Figures};
use orrery_alert::notify::CallGraph;
use orrery_api::alerting::{Alert, AlertState, Rule};
use orrery_query::Store;
use source::{Lookups, StoreSource, Workers};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Values from the store, with what people wrote. Statements end when the server is `stopping`.
pub(crate) fn source(
    store: &Arc<dyn Store>,
    metadata: &Arc<Metadata>,
    limit: Duration,
    stopping: &CancellationToken,
) -> StoreSource {
    let (beats, objectives) = (Arc::clone(metadata), Arc::clone(metadata));
    // Statements are answered by processes, which need somebody to wait for them.
    let runtime = tokio::runtime::Handle::try_current().ok();
    let lookups = Lookups {
        beats: Box::new(move |name, from, to| {
            let meta = beats.meta.as_ref().map_err(Clone::clone)?;
            meta.beats(name, from, to).map_err(|error| error.to_string())
        }),
        objective: Box::new(move |name| written::objective(objectives.meta.as_ref().ok()?, name)),
        workers: runtime.map(|runtime| Workers::new(runtime, limit, stopping.clone())),
    };
    StoreSource::new(Arc::clone(store), lookups, limit)
}

/// What has arrived, from now on.
pub(crate) fn arrival(metadata: &Arc<Metadata>, now: i64) -> Arrival {
    let metadata = Arc::clone(metadata);
    Arrival::new(now, Box::new(move |name| written::objective(metadata.meta.as_ref().ok()?, name)))
}

/// What evaluation came to, for whoever asks.
#[derive(Default)]
pub(crate) struct Live {
    snapshot: RwLock<Arc<Snapshot>>,
    /// Whether something that people wrote is otherwise than when it was last read.
    changed: Mutex<bool>,
    news: Condvar,
    /// Messages wait in the outbox.
    pub(crate) outbox: Notify,
    /// From when it was decided to tell somebody until that was tried first.
    told: Mutex<Delays>,
    /// Messages that went out without what is known about their case.
    plain: AtomicU64,
}

/// How everything stood after a step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    /// Every alert that is not normal, or was not lately: firing first, then the worst, then the newest.
    pub(crate) alerts: Vec<Alert>,
    /// By name, those that are evaluated.
    pub(crate) rules: BTreeMap<String, RuleFigures>,
    /// How judging goes, since the server started.
    pub(crate) figures: Figures,
    /// Senders that were forgotten because there were too many.
    pub(crate) forgotten_senders: u64,
    /// Who calls whom.
    pub(crate) graph: Arc<CallGraph>,
    /// Why nothing is evaluated.
    pub(crate) error: Option<String>,
}

/// How a rule stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RuleFigures {
    /// The rule as it is evaluated.
    pub(crate) rule: Rule,
    /// The worst state of its alerts.
    pub(crate) state: AlertState,
    pub(crate) firing: u32,
    pub(crate) pending: u32,
    /// Combinations of labels that were judged.
    pub(crate) instances: u32,
    /// Moment of the newest judgement, Unix nanoseconds.
    pub(crate) judged_unix_nano: i64,
    pub(crate) took_micros: u64,
    /// From when the newest judgement could be made until that began, nanoseconds.
    pub(crate) delay_nanos: i64,
    /// Share of one core.
    pub(crate) cost: f64,
    pub(crate) coverage: f64,
    /// What went wrong, or is missing.
    pub(crate) error: Option<String>,
}

impl Live {
    /// How everything stands.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    pub(crate) fn publish(&self, snapshot: Snapshot) {
        *self.snapshot.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = Arc::new(snapshot);
    }

    /// People wrote something: rules, routes, silences, channels, objectives, acknowledgements. Takes effect within a
    /// second.
    pub(crate) fn changed(&self) {
        *self.flag() = true;
        self.news.notify_all();
    }

    /// Waits for a change, or so long; answers whether there was one.
    fn wait(&self, longest: Duration) -> bool {
        let flag = self.flag();
        let waited = self.news.wait_timeout_while(flag, longest, |changed| !*changed);
        let (mut flag, _) = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        std::mem::take(&mut *flag)
    }

    /// A message is tried for the first time, so long after it was decided to send it, nanoseconds.
    pub(crate) fn note_told(&self, after: i64) {
        self.told.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).add(after);
    }

    /// From when it was decided to tell somebody until that was tried first, since the server started.
    pub(crate) fn told(&self) -> Delays {
        self.told.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// A message goes out without what is known about its case.
    pub(crate) fn note_plain(&self) {
        self.plain.fetch_add(1, Ordering::Relaxed);
    }

    /// Such messages since the server started.
    pub(crate) fn plain(&self) -> u64 {
        self.plain.load(Ordering::Relaxed)
    }

    fn flag(&self) -> MutexGuard<'_, bool> {
        self.changed.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Snapshot {
    /// An alert that is not normal, or was not lately.
    pub(crate) fn alert(&self, id: &str) -> Option<&Alert> {
        self.alerts.iter().find(|alert| alert.id == id)
    }
}
