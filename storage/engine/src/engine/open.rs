//! Opening: whatever state the last process left, everything acknowledged is there again.

use super::ingest::Ingest;
use super::rebuild::ROOM;
use super::{Engine, Inner, rebuild, scrub, seal, size};
use crate::config::Config;
use crate::counters::Counters;
use crate::dir::Dir;
use crate::duck::Duck;
use crate::error::{Fault, OpenError, chain};
use crate::failpoint;
use crate::fs::Fs;
use crate::manifest::{self, Manifest, ManifestFile, SegmentEntry};
use crate::query::isolate;
use crate::rollup::{RollupError, RollupStore};
use crate::segment::Segments;
use crate::slice::Observed;
use crate::snapshot::Current;
use crate::wal::record::{Header, Kind};
use crate::wal::replay::{Left, Met};
use crate::wal::{self, Content, Durable, LogFile, Wal};
use orrery_model::{Batch, Decode, Signal};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::Duration;

/// Records of the log inserted at once during replay.
const REPLAY_RECORDS: usize = 256;

impl Engine {
    /// Opens the data directory, makes it if missing, and replays what was not sealed; what is left of that after
    /// [`Config::open_within`] is read in the background. `decode` turns stored bodies into batches again.
    ///
    /// # Errors
    /// [`OpenError`]; its message says what to do.
    pub fn open(config: Config, decode: Arc<dyn Decode>) -> Result<Engine, OpenError> {
        let dir = Dir::open(&config.data_dir)?;
        let (manifest, damage) = ManifestFile::open(Fs::Real, dir.root())?;
        let known = manifest.current();
        clean(&dir, &known, damage.is_some())?;
        let (rollups, missing, rollups_failed) = open_rollups(&dir, &known).map_err(OpenError::Engine)?;
        let duck = Arc::new(Duck::open(&config, &dir).map_err(OpenError::Engine)?);
        let segments = Segments::new(dir.segments(), config.index_memory_bytes);
        let pinned = segments.beside(dir.pins());
        let inner = Arc::new(Inner {
            disk: Mutex::new(dir.disk()),
            config,
            dir,
            duck,
            manifest,
            rollups,
            pinned,
            pinning: Mutex::default(),
            segments,
            current: Current::default(),
            rollup_gate: Default::default(),
            decode,
            inbox: Default::default(),
            counters: Mutex::new(known.counters.clone()),
            visible_seq: known.cursor.into(),
            hot_bytes: 0.into(),
            unread: 0.into(),
            disk_low: false.into(),
            lingering: Default::default(),
            rebuilding: (!missing.is_empty()).into(),
            rollups_failed: rollups_failed.into(),
            rollups_shrunk: 0.into(),
            rebuilder: Mutex::default(),
            stopping: false.into(),
            sealer: Default::default(),
            scrubber: Default::default(),
            #[cfg(test)]
            roll: false.into(),
            warnings: Default::default(),
        });
        if let Some(damage) = damage {
            inner.warn("manifest", damage);
        }
        if let Some(damage) = inner.dir.damage() {
            inner.warn("version", damage.to_owned());
        }
        inner.check_disk();
        inner.current.change(|snapshot| {
            snapshot.segments = known.segments.iter().map(|entry| inner.segments.segment(entry.clone())).collect();
            snapshot.pins = known.pins.iter().map(|pin| (pin.trace_id, inner.pinned.pinned(pin))).collect();
        });
        start(inner, &known, missing).map_err(OpenError::Engine)
    }
}

fn start(inner: Arc<Inner>, known: &Manifest, missing: Vec<u64>) -> Result<Engine, Fault> {
    let sealed = rebuild::spans(&inner.current.get().segments);
    let mut ingest = Ingest::new(Arc::clone(&inner), known.next_slice, known.cursor)?;
    let left = Left::survey(&Fs::Real, &inner.dir.wal(), known.cursor, |file, error| unreadable(&inner, file, &error))?;
    // One more, until what was read is inserted too.
    inner.unread.store(left.bytes() + 1, Ordering::Release);
    let sink = Arc::clone(&inner);
    let wal = Wal::start(
        Fs::Real,
        inner.dir.wal(),
        wal::files(&Fs::Real, &inner.dir.wal())?,
        left.next_seq,
        inner.config.wal_file_bytes,
        inner.config.queue_bytes,
        Box::new(move |group| sink.durable(group)),
    )
    .map_err(Fault::io(inner.dir.root()))?;
    let wal = Arc::new(wal);
    let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
        std::thread::Builder::new().name(name.into()).spawn(work).map_err(Fault::io(inner.dir.root()))
    };
    let (sealing, log, scrubbing) = (Arc::clone(&inner), Arc::clone(&wal), Arc::clone(&inner));
    let (done, replayed) = mpsc::channel();
    let (observed, replaying) = (known.observed, Arc::clone(&inner));
    let engine = Engine { inner: Arc::clone(&inner), wal, threads: Mutex::default() };
    let threads = [
        spawn(
            "ingest",
            Box::new(move || {
                if replay(&replaying, &mut ingest, left, observed, &done) {
                    ingest.run();
                }
            }),
        )?,
        spawn("scrub", Box::new(move || scrub::run(&scrubbing)))?,
        spawn("seal", Box::new(move || seal::run(&sealing, &|cursor| seal::trim(&log, &sealing, cursor))))?,
    ];
    engine.threads.lock().extend(threads);
    inner.begin_rebuilding(missing, sealed)?;
    match inner.config.open_within {
        None => replayed.recv().map_err(|_| Fault::Other("the thread that reads the log panicked".to_owned()))??,
        Some(within) => match replayed.recv_timeout(within) {
            Ok(result) => result?,
            Err(_) => tracing::info!(
                left_mib = inner.unread() >> 20,
                "the log of the last run is large; telemetry is taken while it is read"
            ),
        },
    }
    Ok(engine)
}

/// Replays what is left of the last run, and says how that ended to who waits for it; a failure to everybody. Whether the
/// thread may go on with what has come since.
fn replay(
    inner: &Arc<Inner>,
    ingest: &mut Ingest,
    left: Left,
    observed: Observed,
    done: &mpsc::Sender<Result<(), Fault>>,
) -> bool {
    let observed = Some(observed).filter(|observed| observed.to_unix_nano > 0);
    let mut replay = Replay { inner, ingest, observed, waiting: Vec::new() };
    let read = |bytes| _ = inner.unread.fetch_sub(bytes, Ordering::AcqRel);
    let result = left.replay(&Fs::Real, |met| replay.met(met), read).and_then(|()| replay.flush());
    let result = result.and_then(|()| failpoint::pass("log replayed"));
    if inner.stopping.load(Ordering::Acquire) {
        return false;
    }
    let is_whole = result.is_ok();
    match &result {
        Ok(()) => inner.unread.store(0, Ordering::Release),
        // What came behind it must not be sealed before it. It is all in the log.
        Err(fault) => inner.warn(
            "unread log",
            format!("the log could not be read to its end, and another start is needed: {}", chain(fault)),
        ),
    }
    // Who waited for it may have gone on.
    _ = done.send(result);
    is_whole
}

fn unreadable(inner: &Inner, file: &LogFile, error: &std::io::Error) -> Result<(), Fault> {
    let moved = inner.dir.set_aside(&file.path, &error.to_string()).map_err(Fault::io(&file.path))?;
    let text =
        format!("{} of the write-ahead log cannot be read ({error}); it is {}", file.path.display(), moved.display());
    inner.warn("unreadable log", text);
    Ok(())
}

/// Removes what the manifest does not know: files of seals and merges that were not finished. When the manifest is an
/// older one they may be all there is of acknowledged rows, and are set aside instead.
fn clean(dir: &Dir, known: &Manifest, doubtful: bool) -> Result<(), OpenError> {
    clean_folder(dir, &dir.segments(), known.segments.iter(), known, doubtful)?;
    clean_folder(dir, &dir.pins(), known.pins.iter().map(|pin| &pin.segment), known, doubtful)?;
    let fault = |path: &Path, error| OpenError::Engine(Fault::io(path)(error));
    // Left over from queries, ours and those of other processes.
    for spill in [dir.tmp().join("duckdb"), dir.tmp().join(isolate::FOLDER)] {
        std::fs::create_dir_all(&spill).map_err(|error| fault(&spill, error))?;
        for entry in std::fs::read_dir(&spill).map_err(|error| fault(&spill, error))?.flatten() {
            _ = std::fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// The same for one folder.
fn clean_folder<'a>(
    dir: &Dir,
    segments: &Path,
    named: impl Iterator<Item = &'a SegmentEntry>,
    known: &Manifest,
    doubtful: bool,
) -> Result<(), OpenError> {
    let files = |entry: &SegmentEntry| ["parquet", "index"].map(|extension| format!("{}.{extension}", entry.stem()));
    let names: BTreeSet<String> = named.flat_map(files).collect();
    // Before the first manifest, segments are left-overs of the first seal; else there was one.
    let is_whole = manifest::log_is_whole(&Fs::Real, dir.root());
    let fault = |path: &Path, error| OpenError::Engine(Fault::io(path)(error));
    for entry in std::fs::read_dir(segments).map_err(|error| fault(segments, error))? {
        let path = entry.map_err(|error| fault(segments, error))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if names.contains(name) || !crate::doctor::is_segment_file(name) {
            continue;
        }
        if *known == Manifest::default() && !is_whole && !doubtful {
            let reason = "it is missing, and there are segments".to_owned();
            return Err(OpenError::Damaged { path: dir.manifest(), reason });
        }
        let gone = match doubtful || path.is_dir() {
            true => dir.set_aside(&path, "a segment that the manifest in use does not name").map(drop),
            false => std::fs::remove_file(&path),
        };
        gone.map_err(|error| fault(&path, error))?;
    }
    Ok(())
}

/// Opens the rollups, and says which slices they miss, and whether they are to be opened again. They can be made again, so that a damaged file is put aside
/// rather than fatal.
fn open_rollups(dir: &Dir, known: &Manifest) -> Result<(RollupStore, Vec<u64>, bool), Fault> {
    let other = |error: RollupError| Fault::Other(chain(&error));
    let path = dir.rollups();
    // Slices are sealed in order: what is not below `next_slice` belongs to a seal that was not finished.
    let sealed: Vec<u64> = (0..known.next_slice).collect();
    let open = || {
        let rollups = RollupStore::open(&path)?;
        let missing = rollups.reconcile(&sealed)?;
        // What was made again and not finished.
        rollups.forget(missing.get(..1).unwrap_or_default())?;
        Ok((rollups, missing, false))
    };
    open().or_else(|error: RollupError| {
        if dir.disk().0 < ROOM {
            // They are opened as soon as that works, and nothing is missing until then but answers.
            tracing::error!(error = chain(&error), "rollups do not open while the disk is full");
            return RollupStore::in_memory().map(|rollups| (rollups, Vec::new(), true)).map_err(other);
        }
        tracing::error!(error = chain(&error), "rollups do not open; they are set aside and begin anew");
        dir.set_rollups_aside()?;
        open().map_err(other)
    })
}

/// Replays the log after the cursor.
struct Replay<'a> {
    inner: &'a Arc<Inner>,
    ingest: &'a mut Ingest,
    /// What the observer is to be reminded of, until it is.
    observed: Option<Observed>,
    waiting: Vec<Durable>,
}

impl Replay<'_> {
    fn met(&mut self, met: Met<'_>) -> Result<(), Fault> {
        match met {
            Met::Record { header, payload, sealed: true } => self.remind(&header, payload),
            Met::Record { header, payload, sealed: false } => self.record(&header, payload)?,
            Met::Damaged { header, bytes } => self.damaged(&header, bytes)?,
            Met::Unknown { file, at, bytes } => {
                let stem = file.path.file_stem().unwrap_or_default().to_string_lossy();
                let name = format!("log-{stem}-{at}.bytes");
                let copy = self.inner.dir.copy_aside(&name, bytes, "no intact header");
                let text = format!("{} bytes of the write-ahead log are no records any more; {copy}", bytes.len());
                self.inner.warn("damaged log", text);
            }
            Met::Missing { from, to } => {
                let text = format!(
                    "{} requests may be missing from the write-ahead log, numbers {from} to {}",
                    to - from,
                    to - 1
                );
                self.inner.warn("missing log", text);
            }
        }
        Ok(())
    }

    fn record(&mut self, header: &Header, payload: &[u8]) -> Result<(), Fault> {
        let content = match header.kind {
            Kind::Counts => Content::Counts(serde_json::from_slice(payload).unwrap_or_default()),
            Kind::Body { signal, .. } => {
                let body = header.body(payload).expect("it is a body");
                match self.inner.decode.decode(&body) {
                    Ok(batch) => Content::Batch {
                        memory: size::of(&batch),
                        batch: Box::new(batch),
                        received_unix_nano: header.received_unix_nano,
                        body_bytes: payload.len() as u64,
                    },
                    Err(error) => {
                        let name = format!("undecodable-{:020}.body", header.seq);
                        let copy = self.inner.dir.copy_aside(&name, payload, &error.to_string());
                        let text = format!("a stored request no longer decodes and was set aside: {error}; {copy}");
                        self.inner.warn("undecodable request", text);
                        let mut counts = Counters::default();
                        counts.stored(signal, header.items.into(), payload.len() as u64);
                        counts.dropped(signal, "undecodable", header.items.into());
                        Content::Counts(counts)
                    }
                }
            }
        };
        self.pass(Durable { seq: header.seq, content })
    }

    /// What was sealed already is only shown to the observer.
    fn remind(&mut self, header: &Header, payload: &[u8]) {
        let wanted = self.observed.is_some_and(|observed| header.seq >= observed.from_seq);
        if wanted
            && matches!(header.kind, Kind::Body { signal: Signal::Traces, .. })
            && let Some(body) = header.body(payload)
            && let Ok(Batch::Traces(batch)) = self.inner.decode.decode(&body)
        {
            self.ingest.remind(header.seq, &batch, header.received_unix_nano);
        }
    }

    fn damaged(&mut self, header: &Header, bytes: &[u8]) -> Result<(), Fault> {
        let mut counts = Counters::default();
        let lost = match header.kind {
            Kind::Body { signal, .. } => {
                counts.stored(signal, header.items.into(), 0);
                counts.dropped(signal, "damaged", header.items.into());
                format!("{} items of {signal}", header.items)
            }
            Kind::Counts => "counts of rejected and refused items".to_owned(),
        };
        let name = format!("log-{:020}.wal-record", header.seq);
        let copy = self.inner.dir.copy_aside(&name, bytes, "a payload with a wrong checksum");
        self.inner.warn("damaged log", format!("a record of the write-ahead log was damaged; {lost} lost; {copy}"));
        self.pass(Durable { seq: header.seq, content: Content::Counts(counts) })
    }

    fn pass(&mut self, durable: Durable) -> Result<(), Fault> {
        self.waiting.push(durable);
        if self.waiting.len() >= REPLAY_RECORDS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Fault> {
        if let Some(observed) = self.observed.take() {
            self.ingest.reminded(observed);
        }
        let group = std::mem::take(&mut self.waiting);
        for durable in &group {
            self.inner.count_durable(durable);
            if let Content::Counts(counts) = &durable.content {
                self.inner.count(|counters| counters.add(counts));
            }
        }
        if !group.is_empty() {
            self.ingest.insert(group);
        }
        self.ingest.roll_if_big();
        self.make_room()
    }

    /// Replay must not need more memory than receiving does, and leaves some for what is received meanwhile.
    fn make_room(&self) -> Result<(), Fault> {
        let most = self.inner.config.hot_bytes / 4 * 3;
        let is_full =
            || self.inner.hot_bytes.load(Ordering::Acquire) > most && self.inner.current.get().slices.len() > 1;
        while is_full() && !self.inner.stopping.load(Ordering::Acquire) {
            self.inner.sealer.raise();
            std::thread::sleep(Duration::from_millis(2));
        }
        match self.inner.stopping.load(Ordering::Acquire) {
            true => Err(Fault::Other("the engine is closed while it reads the log".to_owned())),
            false => Ok(()),
        }
    }
}
