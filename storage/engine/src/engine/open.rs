//! Opening: whatever state the last process left, everything acknowledged is there again.

use super::ingest::Ingest;
use super::{Engine, Inner, rebuild, seal, size};
use crate::config::Config;
use crate::counters::Counters;
use crate::dir::Dir;
use crate::duck::Duck;
use crate::error::{Fault, OpenError, chain};
use crate::manifest::{Manifest, ManifestFile};
use crate::rollup::RollupStore;
use crate::segment::Segment;
use crate::slice::Observed;
use crate::snapshot::Current;
use crate::wal::record::{Header, Kind};
use crate::wal::scan::{Found, scan};
use crate::wal::{self, Content, Durable, LogFile, Wal};
use orrery_model::{Batch, Decode, Signal};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Records of the log inserted at once during replay.
const REPLAY_RECORDS: usize = 256;

impl Engine {
    /// Opens the data directory, makes it if missing, and replays what was not sealed. `decode` turns stored bodies
    /// into batches again.
    ///
    /// # Errors
    /// [`OpenError`]; its message says what to do.
    pub fn open(config: Config, decode: Arc<dyn Decode>) -> Result<Engine, OpenError> {
        let dir = Dir::open(&config.data_dir)?;
        let manifest = ManifestFile::open(&dir.manifest())?;
        let known = manifest.current();
        clean(&dir, &known).map_err(OpenError::Engine)?;
        let (rollups, missing) = open_rollups(&dir, &known).map_err(OpenError::Engine)?;
        let duck = Arc::new(Duck::open(&config, &dir).map_err(OpenError::Engine)?);
        let inner = Arc::new(Inner {
            disk: Mutex::new(dir.disk()),
            config,
            dir,
            duck,
            manifest,
            rollups,
            current: Current::default(),
            rollup_gate: Default::default(),
            decode,
            inbox: Default::default(),
            counters: Mutex::new(known.counters.clone()),
            visible_seq: known.cursor.into(),
            hot_bytes: 0.into(),
            disk_low: false.into(),
            lingering: Default::default(),
            rebuilding: (!missing.is_empty()).into(),
            stopping: false.into(),
            sealer: Default::default(),
            #[cfg(test)]
            roll: false.into(),
            warnings: Default::default(),
        });
        inner.check_disk();
        inner.current.change(|snapshot| {
            let dir = inner.dir.segments();
            snapshot.segments =
                known.segments.iter().map(|entry| Arc::new(Segment::new(&dir, entry.clone()))).collect();
        });
        start(inner, &known, missing).map_err(OpenError::Engine)
    }
}

fn start(inner: Arc<Inner>, known: &Manifest, missing: Vec<u64>) -> Result<Engine, Fault> {
    let sealed = rebuild::spans(&inner.current.get().segments);
    let mut ingest = Ingest::new(Arc::clone(&inner), known.next_slice, known.cursor)?;
    let files = wal::files(&inner.dir.wal())?;
    let mut replay = Replay {
        inner: &inner,
        ingest: &mut ingest,
        cursor: known.cursor,
        observed: Some(known.observed).filter(|observed| observed.to_unix_nano > 0),
        next_seq: known.cursor,
        waiting: Vec::new(),
    };
    for (at, file) in files.iter().enumerate() {
        replay.file(file, at + 1 == files.len())?;
    }
    replay.flush();
    let next_seq = replay.next_seq;
    let sink = Arc::clone(&inner);
    let wal = Wal::start(
        inner.dir.wal(),
        wal::files(&inner.dir.wal())?,
        next_seq,
        inner.config.wal_file_bytes,
        inner.config.queue_bytes,
        Box::new(move |group| sink.durable(group)),
    )
    .map_err(Fault::io(inner.dir.root()))?;
    let wal = Arc::new(wal);
    let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
        std::thread::Builder::new().name(name.into()).spawn(work).map_err(Fault::io(inner.dir.root()))
    };
    let (sealing, log) = (Arc::clone(&inner), Arc::clone(&wal));
    let mut threads = vec![
        spawn("ingest", Box::new(move || ingest.run()))?,
        spawn("seal", Box::new(move || seal::run(&sealing, &|cursor| seal::trim(&log, &sealing, cursor))))?,
    ];
    if !missing.is_empty() {
        let rebuilding = Arc::clone(&inner);
        threads.push(spawn("rebuild", Box::new(move || rebuilding.rebuild(&missing, &sealed)))?);
    }
    Ok(Engine { inner, wal, threads: Mutex::new(threads) })
}

/// Removes segments that the manifest does not know: files of seals and merges that were not finished.
fn clean(dir: &Dir, known: &Manifest) -> Result<(), Fault> {
    let names: BTreeSet<String> = known
        .segments
        .iter()
        .flat_map(|entry| ["parquet", "index"].map(|extension| format!("{}.{extension}", entry.stem())))
        .collect();
    let segments = dir.segments();
    for entry in std::fs::read_dir(&segments).map_err(Fault::io(&segments))? {
        let path = entry.map_err(Fault::io(&segments))?.path();
        let is_left_over = path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| crate::doctor::is_segment_file(name) && !names.contains(name));
        if is_left_over {
            std::fs::remove_file(&path).map_err(Fault::io(&path))?;
        }
    }
    let spill = dir.tmp().join("duckdb");
    _ = std::fs::remove_dir_all(&spill);
    std::fs::create_dir_all(&spill).map_err(Fault::io(&spill))
}

/// Opens the rollups, and says which slices they miss. They can be made again, so that a damaged file is put aside
/// rather than fatal.
fn open_rollups(dir: &Dir, known: &Manifest) -> Result<(RollupStore, Vec<u64>), Fault> {
    let path = dir.root().join("rollups.duckdb");
    let open = |path: &Path| RollupStore::open(path);
    let rollups = match open(&path) {
        Ok(rollups) => rollups,
        Err(error) => {
            tracing::error!(error = chain(&error), "rollups do not open; they are set aside and begin anew");
            for name in ["rollups.duckdb", "rollups.duckdb.wal"] {
                _ = std::fs::rename(dir.root().join(name), dir.quarantine().join(name));
            }
            open(&path).map_err(|error| Fault::Other(chain(&error)))?
        }
    };
    // Slices are sealed in order: what is not below `next_slice` belongs to a seal that was not finished.
    let sealed: Vec<u64> = (0..known.next_slice).collect();
    let missing = rollups.reconcile(&sealed).map_err(|error| Fault::Other(chain(&error)))?;
    // What was made again and not finished.
    rollups.forget(missing.get(..1).unwrap_or_default()).map_err(|error| Fault::Other(chain(&error)))?;
    Ok((rollups, missing))
}

/// Replays the log after the cursor.
struct Replay<'a> {
    inner: &'a Arc<Inner>,
    ingest: &'a mut Ingest,
    cursor: u64,
    /// What the observer is to be reminded of, until it is.
    observed: Option<Observed>,
    next_seq: u64,
    waiting: Vec<Durable>,
}

impl Replay<'_> {
    fn file(&mut self, file: &LogFile, last: bool) -> Result<(), Fault> {
        let bytes = std::fs::read(&file.path).map_err(Fault::io(&file.path))?;
        self.next_seq = self.next_seq.max(file.first_seq);
        for found in scan(&bytes, last) {
            match found {
                Found::Record { header, payload } => self.record(&header, &bytes[payload]),
                Found::Damaged { range, header } => self.damaged(file, &bytes[range], header)?,
                Found::Torn { at } => torn(self.inner, file, &bytes, at)?,
            }
        }
        Ok(())
    }

    fn record(&mut self, header: &Header, payload: &[u8]) {
        self.next_seq = self.next_seq.max(header.seq + 1);
        if header.seq < self.cursor {
            return self.remind(header, payload);
        }
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
                        let text = format!("a stored request no longer decodes and was set aside: {error}");
                        self.inner.warn("undecodable request", text);
                        let name = format!("undecodable-{:020}.body", header.seq);
                        if let Err(fault) = self.inner.dir.copy_aside(&name, payload, &error.to_string()) {
                            tracing::warn!(error = chain(&fault), "could not be copied to quarantine");
                        }
                        let mut counts = Counters::default();
                        counts.stored(signal, header.items.into(), payload.len() as u64);
                        counts.dropped(signal, "undecodable", header.items.into());
                        Content::Counts(counts)
                    }
                }
            }
        };
        self.pass(Durable { seq: header.seq, content });
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

    fn damaged(&mut self, file: &LogFile, bytes: &[u8], header: Option<Header>) -> Result<(), Fault> {
        if let Some(header) = &header {
            self.next_seq = self.next_seq.max(header.seq + 1);
            if header.seq < self.cursor {
                return Ok(());
            }
        }
        let stem = file.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("log");
        let seq = header.map_or(self.next_seq, |header| header.seq);
        let reason = if header.is_some() { "a payload with a wrong checksum" } else { "no intact header" };
        let path = self.inner.dir.copy_aside(&format!("{stem}-{seq:020}.wal-record"), bytes, reason)?;
        let mut counts = Counters::default();
        let lost = match header.map(|header| (header.kind, header.items)) {
            Some((Kind::Body { signal, .. }, items)) => {
                counts.stored(signal, items.into(), 0);
                counts.dropped(signal, "damaged", items.into());
                format!("{items} items of {signal}")
            }
            _ => "an unknown number of items".to_owned(),
        };
        let text = format!("a record of the write-ahead log was damaged; {lost} lost; copy in {}", path.display());
        self.inner.warn("damaged log", text);
        if header.is_some() {
            self.pass(Durable { seq, content: Content::Counts(counts) });
        }
        Ok(())
    }

    fn pass(&mut self, durable: Durable) {
        self.waiting.push(durable);
        if self.waiting.len() >= REPLAY_RECORDS {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if let Some(observed) = self.observed.take() {
            self.ingest.reminded(observed);
        }
        let group = std::mem::take(&mut self.waiting);
        if group.is_empty() {
            return;
        }
        for durable in &group {
            self.inner.count_durable(durable);
            if let Content::Counts(counts) = &durable.content {
                self.inner.count(|counters| counters.add(counts));
            }
        }
        self.ingest.insert(group);
        self.make_room();
    }

    /// Replay must not need more memory than receiving did.
    fn make_room(&mut self) {
        self.ingest.roll_if_big();
        while self.inner.hot_bytes.load(Ordering::Acquire) > self.inner.config.hot_bytes {
            match self.inner.seal_next(&|_| ()) {
                Ok(true) => {}
                Ok(false) => break,
                Err(fault) => {
                    tracing::error!(error = chain(&fault), "sealing during replay");
                    std::thread::sleep(Duration::from_secs(1));
                }
            }
        }
    }
}

/// Cuts off the record that was being written, so that it is not taken for damage once later files exist. One that is
/// whole but wrong may have been acknowledged before the disk spoilt it: a copy is kept.
fn torn(inner: &Inner, file: &LogFile, bytes: &[u8], at: usize) -> Result<(), Fault> {
    let whole = Header::parse(&bytes[at..])
        .is_some_and(|header| bytes.len() - at >= crate::wal::record::HEADER + header.payload_bytes as usize);
    if whole {
        let name = format!("torn-{:020}-{at}.wal-record", file.first_seq);
        let path = inner.dir.copy_aside(&name, &bytes[at..], "the last record of the log, whole but not intact")?;
        inner.warn("torn log", format!("the last record of the log was not intact; copy in {}", path.display()));
    }
    tracing::info!(file = %file.path.display(), bytes = bytes.len() - at, "cut off an unfinished record");
    let open = std::fs::OpenOptions::new().write(true).open(&file.path).map_err(Fault::io(&file.path))?;
    open.set_len(at as u64).and_then(|()| open.sync_all()).map_err(Fault::io(&file.path))
}
