//! What every handler may know.

use crate::alerting::source::StoreSource;
use crate::alerting::{self, Live};
use crate::api::failure::Failure;
use crate::live::Bus;
use orrery_api::LinkTemplate;
use orrery_meta::Meta;
use orrery_notify::Sender;
use orrery_query::{Store, StoreHealth};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// How much one client may ask of the server.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Longest a query may run.
    pub(crate) query_timeout: Duration,
    /// Queries at once.
    pub(crate) query_concurrency: usize,
    /// Longest wait for one of those places, before the client is told to come back.
    pub(crate) query_wait: Duration,
    /// Spans of one trace that are shown at most.
    pub(crate) max_trace_spans: u32,
}

/// What the server is and where it listens: fixed at start.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub(crate) started_unix_nano: i64,
    /// As configured, such as `30d`.
    pub(crate) retention: String,
    /// Name to address.
    pub(crate) endpoints: BTreeMap<String, String>,
    /// To outside tools.
    pub(crate) links: Vec<LinkTemplate>,
    /// Where people find the dashboard.
    pub(crate) url: String,
}

/// What people make, if it could be opened, and what there is to say about it.
pub(crate) struct Metadata {
    /// The file, or why there is none.
    pub(crate) meta: Result<Meta, String>,
    /// For whoever looks after the server: a sentence.
    pub(crate) warning: Option<String>,
}

/// What every handler may know.
pub(crate) struct Api {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) bus: Arc<Bus>,
    pub(crate) limits: Limits,
    /// One permit per running query.
    pub(crate) places: Arc<Semaphore>,
    /// One permit per running export.
    pub(crate) exports: Arc<Semaphore>,
    /// One permit per file that is being read.
    pub(crate) views: Arc<Semaphore>,
    /// One permit per process that answers SQL.
    pub(crate) workers: Arc<Semaphore>,
    pub(crate) about: About,
    /// Cancelled when the server drains: endless answers end, and `/readyz` says no.
    pub(crate) stopping: CancellationToken,
    /// Whether the last write reached the disk.
    pub(crate) writes: Arc<AtomicBool>,
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) alerting: Arc<Live>,
    /// Sends messages about alerts.
    pub(crate) sender: Sender,
    pub(crate) maps: crate::api::live::Maps,
    clock: fn() -> i64,
    health: Mutex<Option<(Instant, StoreHealth)>>,
}

/// The parts of an [`Api`] that others make.
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) bus: Arc<Bus>,
    pub(crate) limits: Limits,
    pub(crate) about: About,
    pub(crate) stopping: CancellationToken,
    pub(crate) writes: Arc<AtomicBool>,
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) alerting: Arc<Live>,
    pub(crate) sender: Sender,
    pub(crate) clock: fn() -> i64,
}

/// Exports at once: each reads as much as its client takes, for as long as that takes.
const EXPORTS: usize = 2;
/// Files read at once: each is in memory as a whole, several times over.
const VIEWS: usize = 2;
/// Processes that answer SQL at once: each may take more than a gigabyte.
const WORKERS: usize = 2;
/// Age at which the store is asked for its health again: it is asked on every request, for rates.
const HEALTH_AGE: Duration = Duration::from_millis(500);

impl Api {
    pub(crate) fn new(parts: Parts) -> Api {
        Api {
            places: Arc::new(Semaphore::new(parts.limits.query_concurrency)),
            exports: Arc::new(Semaphore::new(EXPORTS)),
            views: Arc::new(Semaphore::new(VIEWS)),
            workers: Arc::new(Semaphore::new(WORKERS)),
            store: parts.store,
            bus: parts.bus,
            limits: parts.limits,
            about: parts.about,
            stopping: parts.stopping,
            writes: parts.writes,
            metadata: parts.metadata,
            alerting: parts.alerting,
            sender: parts.sender,
            maps: Default::default(),
            clock: parts.clock,
            health: Mutex::default(),
        }
    }

    /// Values for rules that nobody is told of: of this question alone.
    pub(crate) fn source(&self) -> StoreSource {
        alerting::source(&self.store, &self.metadata, self.limits.query_timeout, &self.stopping)
    }

    /// The clock, Unix nanoseconds.
    pub(crate) fn now(&self) -> i64 {
        (self.clock)()
    }

    /// Saved views, short links, what was written about alerts.
    ///
    /// # Errors
    /// [`Failure::Busy`]: they could not be opened when the server started; says why.
    pub(crate) fn meta(&self) -> Result<&Meta, Failure> {
        self.metadata.meta.as_ref().map_err(|why| Failure::Busy(why.clone()))
    }

    /// The store's health, at most half a second old.
    pub(crate) fn health(&self) -> StoreHealth {
        let mut cached = self.health.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match &*cached {
            Some((asked, health)) if asked.elapsed() < HEALTH_AGE => health.clone(),
            _ => {
                let health = self.store.health();
                *cached = Some((Instant::now(), health.clone()));
                health
            }
        }
    }
}
