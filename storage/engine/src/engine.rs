//! The engine: puts log, slices, segments and rollups together.

mod compact;
mod ingest;
mod linger;
mod open;
mod pins;
mod rebuild;
mod retention;
mod rules;
mod scrub;
mod seal;
mod shrink;
mod size;
mod store;

use crate::config::Config;
use crate::counters::Counters;
use crate::dir::Dir;
use crate::duck::Duck;
use crate::error::{Fault, chain};
use crate::manifest::ManifestFile;
use crate::rollup::RollupStore;
use crate::segment::{Segment, Segments};
use crate::snapshot::Current;
use crate::wal::Wal;
use ingest::Inbox;
use orrery_model::{Decode, Signal};
use orrery_query::Partial;
use parking_lot::{Condvar, Mutex, RwLock};
pub use retention::planned_retention;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

/// Keeps telemetry in one data directory and answers questions about it. See the crate's documentation.
///
/// Dropping it closes it.
pub struct Engine {
    inner: Arc<Inner>,
    wal: Arc<Wal>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What the engine's threads share.
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) dir: Dir,
    pub(crate) duck: Arc<Duck>,
    pub(crate) manifest: ManifestFile,
    pub(crate) rollups: RollupStore,
    pub(crate) segments: Segments,
    /// Segments of pinned traces, in a folder of their own.
    pub(crate) pinned: Segments,
    /// Held while pins change: a pin's number is taken when it is written and known when it is committed.
    pinning: Mutex<()>,
    pub(crate) current: Current,
    /// Held for writing from when a slice's rollups are in the store until the slice has left the snapshot: whoever
    /// reads both holds it for reading, and counts nothing twice.
    pub(crate) rollup_gate: RwLock<()>,
    decode: Arc<dyn Decode>,
    inbox: Inbox,
    counters: Mutex<Counters>,
    /// First sequence number that queries do not see yet.
    visible_seq: AtomicU64,
    /// Bytes of rows in memory, estimated: those on their way to a slice too.
    hot_bytes: AtomicU64,
    /// Bytes of the last run's log that were not read yet; 0 once all of it is queryable.
    unread: AtomicU64,
    disk: Mutex<(u64, u64)>,
    disk_low: AtomicBool,
    /// Segments no longer in use, whose files stay a while.
    lingering: linger::Lingering,
    /// Rollups are being made again.
    rebuilding: AtomicBool,
    /// The rollups' database failed, and is to be looked after.
    rollups_failed: AtomicBool,
    /// Bytes of the rollups' file when it was last written anew.
    rollups_shrunk: AtomicU64,
    rebuilder: Mutex<Option<JoinHandle<()>>>,
    stopping: AtomicBool,
    sealer: Signalled,
    scrubber: Signalled,
    #[cfg(test)]
    roll: AtomicBool,
    warnings: Mutex<BTreeMap<&'static str, String>>,
}

/// A flag that wakes a thread.
#[derive(Default)]
struct Signalled {
    raised: Mutex<bool>,
    changed: Condvar,
}

impl Signalled {
    fn raise(&self) {
        *self.raised.lock() = true;
        self.changed.notify_one();
    }

    /// Waits for the flag or the time, and lowers the flag.
    fn wait(&self, limit: std::time::Duration) {
        let mut raised = self.raised.lock();
        if !*raised {
            self.changed.wait_for(&mut raised, limit);
        }
        *raised = false;
    }
}

impl Engine {
    /// Whether everything received is sealed and no rollups are being made again, or that cannot be done now.
    pub(crate) fn is_settled(&self) -> bool {
        let snapshot = self.inner.current.get();
        let is_sealed = snapshot.slices.len() == 1 && snapshot.slices[0].is_empty();
        let is_rebuilt = self.inner.rebuilder.lock().as_ref().is_none_or(JoinHandle::is_finished);
        is_rebuilt && self.inner.unread() == 0 && (is_sealed || self.inner.warnings.lock().contains_key("seal"))
    }
}

impl Inner {
    pub(crate) fn visible_seq(&self) -> u64 {
        self.visible_seq.load(Ordering::Acquire)
    }

    /// Bytes of the last run's log that are not queryable yet.
    pub(crate) fn unread(&self) -> u64 {
        self.unread.load(Ordering::Acquire)
    }

    /// Why answers may lack something as long as the last run's log is being read. To be asked before what is answered
    /// from is fixed.
    pub(crate) fn still_reading(&self) -> Option<Partial> {
        (self.unread() > 0)
            .then(|| Partial("The log of the last run is still being read; what is in it is not here yet.".to_owned()))
    }

    /// Says something a person should look at, instead of what was said about the same matter before.
    fn warn(&self, matter: &'static str, text: String) {
        tracing::warn!(matter, "{text}");
        self.warnings.lock().insert(matter, text);
    }

    fn settle(&self, matter: &'static str) {
        self.warnings.lock().remove(matter);
    }

    /// Takes a damaged segment out of use: its files are moved aside, its rows counted as dropped. Answers that would
    /// have needed it are partial.
    pub(crate) fn quarantine(&self, segment: &Arc<Segment>, fault: &Fault) {
        let entry = &segment.entry;
        if let Some(trace) = segment.of_pin() {
            return self.quarantine_pin(trace, segment, fault);
        }
        let committed = self.manifest.commit(|manifest| {
            let before = manifest.segments.len();
            manifest.segments.retain(|other| other.id != entry.id);
            if manifest.segments.len() < before {
                manifest.counters.dropped(entry.signal, "damaged", entry.rows);
            }
        });
        if let Err(error) = committed {
            tracing::error!(error = chain(&error), "a damaged segment stays in the manifest");
            return;
        }
        let mut known = false;
        self.current.change(|snapshot| {
            let before = snapshot.segments.len();
            snapshot.segments.retain(|other| other.entry.id != entry.id);
            known = snapshot.segments.len() < before;
        });
        if !known {
            return;
        }
        self.count(|counters| counters.dropped(entry.signal, "damaged", entry.rows));
        for path in segment.files().into_iter().filter(|path| path.exists()) {
            _ = self.dir.set_aside(path, &chain(fault));
        }
        self.warn(
            "damaged segment",
            format!(
                "{} with {} rows of {} was damaged and set aside in quarantine: {}",
                entry.stem(),
                entry.rows,
                entry.signal,
                chain(fault)
            ),
        );
    }

    /// Whether something was set aside as damaged since the start.
    pub(crate) fn warned_of_damage(&self) -> bool {
        self.warnings.lock().contains_key("damaged segment")
    }

    fn count(&self, add: impl FnOnce(&mut Counters)) {
        add(&mut self.counters.lock());
    }
}

/// Now, Unix nanoseconds.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64)
}

/// The signal's word, for log lines.
fn words(counts: &[(Signal, u64)]) -> String {
    counts.iter().map(|(signal, count)| format!("{count} {signal}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
