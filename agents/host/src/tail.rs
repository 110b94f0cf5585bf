//! Follows log files, at least once: a line counts as read only after the server acknowledged it.
//!
//! A file is held open from discovery until everything in it was delivered, so renaming and deleting lose nothing.
//! `copytruncate` is noticed by size and fingerprint, and the unread rest is read from the copy. What rotated while
//! the agent was down is looked for beside its old path, by inode and fingerprint.

mod checkpoint;
mod fingerprint;
mod follow;
mod lines;
mod parse;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File, Metadata};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use regex::bytes::Regex;

use crate::config::{Config, LogStart};
use crate::instrument as i;
use crate::otlp::{Recorder, SCHEMA_URL, now_unix_nano, scope, text};
use checkpoint::{Checkpoint, SavedFile};
use fingerprint::{FileId, Fingerprint};
pub(crate) use follow::Follower;
use lines::{Record, Records};

/// How often globs are expanded. A file made and renamed out of their sight in between is never seen.
const DISCOVER_EVERY: Duration = Duration::from_secs(1);
/// Writers keep a rotated file open for a moment.
const ROTATE_WAIT: Duration = Duration::from_secs(5);
/// How long a record that more lines may join is kept back.
const GROUP_WAIT: Duration = Duration::from_secs(2);
/// After a crash at most this much is sent twice.
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// How long a file that looks like the copy half of a `copytruncate` is left alone.
const COPY_WAIT: Duration = Duration::from_secs(60);
const READ_BYTES: usize = 64 << 10;
/// Servers commonly take requests of 4 MiB; JSON lines and attributes grow on the way.
const BATCH_BYTES: usize = 1 << 20;
const BATCH_RECORDS: usize = 4096;

/// Names of one batch's files and how far it reads them.
type Ends = Vec<(u64, u64)>;

/// Records ready to be sent, and what may be marked as read once they were.
#[derive(Debug)]
pub(crate) struct LogBatch {
    pub(crate) request: ExportLogsServiceRequest,
    pub(crate) records: u64,
    pub(crate) ends: Ends,
}

/// All followed files.
#[derive(Debug)]
pub(crate) struct Tailer {
    sources: Vec<Source>,
    resource: Vec<KeyValue>,
    log_start: LogStart,
    max_record_bytes: usize,
    max_files: usize,
    state: PathBuf,
    /// Offsets moved since the last save.
    progressed: bool,
    /// Files came or went since the last save.
    regrouped: bool,
    last_save: Option<Instant>,
    buffer: Vec<u8>,
    /// Saved files of the previous run not found yet; emptied by the first discovery.
    orphans: Vec<SavedFile>,
    discovered_once: bool,
    next_discovery: Option<Instant>,
    files: BTreeMap<u64, Followed>,
    next_key: u64,
    suspects: HashMap<FileId, Instant>,
    complained: HashSet<PathBuf>,
    lost: BTreeMap<&'static str, u64>,
    cut: u64,
}

#[derive(Debug)]
struct Source {
    glob: String,
    service: Option<String>,
    start: Option<Regex>,
    /// Never used before: `log_start` applies to what it finds first.
    fresh: bool,
}

#[derive(Debug)]
struct Followed {
    source: usize,
    path: PathBuf,
    /// `None` once the content is gone and only what was read of it remains.
    handle: Option<Handle>,
    records: Records,
    /// Given out in batches.
    offered: u64,
    /// Acknowledged.
    committed: u64,
    /// Since when no glob finds it.
    unseen: Option<Instant>,
    last_change: Instant,
}

#[derive(Debug)]
struct Handle {
    file: File,
    id: FileId,
    fingerprint: Fingerprint,
    size: u64,
    modified: Option<SystemTime>,
}

impl Handle {
    fn open(path: &Path) -> std::io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let fingerprint = Fingerprint::of(&file)?;
        Ok(Self {
            id: FileId::of(&metadata),
            fingerprint,
            size: metadata.len(),
            modified: metadata.modified().ok(),
            file,
        })
    }

    /// Looks at the file again. `Restarted` means: what was read is no longer what is in it.
    fn refresh(&mut self, position: u64) -> std::io::Result<Look> {
        let metadata = self.file.metadata()?;
        let (size, modified) = (metadata.len(), metadata.modified().ok());
        if (size, modified) == (self.size, self.modified) {
            return Ok(Look::Same);
        }
        if size < position || !self.fingerprint.matches(&self.file)? {
            return Ok(Look::Restarted);
        }
        (self.size, self.modified) = (size, modified);
        if self.fingerprint.is_full() {
            return Ok(Look::Changed);
        }
        self.fingerprint = Fingerprint::of(&self.file)?;
        Ok(Look::Recognisable)
    }
}

enum Look {
    Same,
    Changed,
    /// Changed, and has a new fingerprint.
    Recognisable,
    Restarted,
}

/// A path a glob found.
struct Candidate {
    path: PathBuf,
    source: usize,
    id: FileId,
    size: u64,
}

impl Tailer {
    /// Continues where the offsets in `state` end; they belong to the acknowledged records.
    ///
    /// # Errors
    /// A pattern is wrong, or the offsets cannot be read.
    pub(crate) fn open(config: &Config, resource: Vec<KeyValue>, state: PathBuf) -> anyhow::Result<Self> {
        let checkpoint = Checkpoint::load(&state, config.log.iter().map(|source| source.glob.clone()))?;
        let mut sources = Vec::new();
        for source in &config.log {
            let start = source.multiline_start.as_deref().map(Regex::new).transpose();
            sources.push(Source {
                fresh: !checkpoint.globs.contains(&source.glob),
                glob: source.glob.clone(),
                service: source.service.clone(),
                start: start.context("log.multiline_start")?,
            });
        }
        Ok(Self {
            sources,
            resource,
            log_start: config.log_start,
            max_record_bytes: config.log_record_bytes,
            max_files: config.log_files,
            state,
            progressed: false,
            regrouped: true,
            last_save: None,
            buffer: vec![0; READ_BYTES],
            orphans: checkpoint.files,
            discovered_once: false,
            next_discovery: None,
            files: BTreeMap::new(),
            next_key: 0,
            suspects: HashMap::new(),
            complained: HashSet::new(),
            lost: BTreeMap::new(),
            cut: 0,
        })
    }

    /// Notices what happened to the files: new, grown, renamed, copied, truncated, deleted.
    pub(crate) fn poll(&mut self, now: Instant) {
        self.look_at_files(now);
        let due = self.next_discovery.is_none_or(|at| now >= at);
        if due || self.any_moved() {
            self.discover(now);
            self.next_discovery = Some(now + DISCOVER_EVERY);
        }
        self.let_go(now);
    }

    /// The next records, if there are any. The files' progress waits for [`Tailer::commit`].
    pub(crate) fn next_batch(&mut self, now: Instant) -> Option<LogBatch> {
        let mut builder = BatchBuilder::default();
        let mut keys: Vec<u64> = self.files.keys().copied().collect();
        // A rotated file before its successor.
        keys.sort_by_key(|key| self.files[key].handle.as_ref().and_then(|handle| handle.modified));
        let last = keys.last().copied();
        for key in keys {
            // Half of what is left, so that no busy file keeps the others waiting.
            builder.open(if Some(key) == last { 1 } else { 2 });
            let file = self.files.get_mut(&key).expect("keys were taken from files");
            self.cut += file.fill(&mut builder, &mut self.buffer, now);
            let settled = file.records.settled();
            if settled > file.offered {
                file.offered = settled;
                builder.ends.push((key, settled));
            }
        }
        if builder.records == 0 {
            // Blank lines only: nothing to be acknowledged.
            self.commit(&builder.ends);
            return None;
        }
        Some(self.finish_batch(builder))
    }

    /// Marks as read what a batch held. Call it after the server acknowledged the batch, or refused it for good.
    pub(crate) fn commit(&mut self, ends: &Ends) {
        for (key, end) in ends {
            if let Some(file) = self.files.get_mut(key) {
                file.committed = *end;
                self.progressed = true;
            }
        }
    }

    /// Keeps the progress on disk if there was any: at once when files came or went, else once in [`SAVE_EVERY`].
    pub(crate) fn save_if_due(&mut self, now: Instant) {
        let waited = self.last_save.is_none_or(|at| now.duration_since(at) >= SAVE_EVERY);
        if self.regrouped || (self.progressed && waited) {
            self.save(now);
        }
    }

    /// Keeps the progress on disk. Failing is logged and tried again: what was delivered meanwhile is sent twice
    /// after a restart.
    pub(crate) fn save(&mut self, now: Instant) {
        if !self.discovered_once {
            return;
        }
        let files = self.files.values().filter_map(|file| file.saved(&self.sources)).collect();
        let globs = self.sources.iter().map(|source| source.glob.clone()).collect();
        self.last_save = Some(now);
        match (Checkpoint { globs, files }).save(&self.state) {
            Ok(()) => (self.progressed, self.regrouped) = (false, false),
            Err(error) => tracing::warn!(error = %format!("{error:#}"), "log offsets not kept"),
        }
    }

    /// Records the tailer's own counters.
    pub(crate) fn record(&self, to: &mut Recorder) {
        to.record(&i::AGENT_LOG_FILES, self.files.len(), []);
        to.record(&i::AGENT_LOG_TRUNCATED, self.cut, []);
        for (reason, bytes) in &self.lost {
            to.record(&i::AGENT_LOG_LOST, *bytes, [text("reason", *reason)]);
        }
    }

    fn finish_batch(&self, builder: BatchBuilder) -> LogBatch {
        let logs = builder.by_source.into_iter().map(|(source, log_records)| ResourceLogs {
            resource: Some(Resource { attributes: self.resource_of(source), ..Resource::default() }),
            scope_logs: vec![ScopeLogs { scope: Some(scope()), log_records, schema_url: SCHEMA_URL.to_owned() }],
            schema_url: SCHEMA_URL.to_owned(),
        });
        LogBatch {
            request: ExportLogsServiceRequest { resource_logs: logs.collect() },
            records: builder.records as u64,
            ends: builder.ends,
        }
    }

    /// The agent's resource; with a service of its own, the host's attributes and that name.
    fn resource_of(&self, source: usize) -> Vec<KeyValue> {
        let Some(service) = &self.sources[source].service else { return self.resource.clone() };
        let host = self.resource.iter().filter(|attribute| !attribute.key.starts_with("service."));
        std::iter::once(text("service.name", service.as_str())).chain(host.cloned()).collect()
    }

    fn look_at_files(&mut self, now: Instant) {
        let mut restarted = Vec::new();
        for (key, file) in &mut self.files {
            let position = file.records.position();
            match file.handle.as_mut().map(|handle| handle.refresh(position)) {
                Some(Ok(Look::Changed)) => file.last_change = now,
                Some(Ok(Look::Recognisable)) => {
                    file.last_change = now;
                    // What rotates while the agent is down is found by the fingerprint kept on disk.
                    self.progressed = true;
                }
                Some(Ok(Look::Restarted)) => restarted.push(*key),
                Some(Err(error)) => tracing::debug!(path = %file.path.display(), %error, "not looked at"),
                Some(Ok(Look::Same)) | None => {}
            }
        }
        for key in restarted {
            self.restarted(key, now);
        }
    }

    /// The file was truncated, most likely after it was copied. What was not read is in the copy.
    fn restarted(&mut self, key: u64, now: Instant) {
        let file = self.files.get(&key).expect("restarted files are followed");
        let (path, source) = (file.path.clone(), file.source);
        let copy = file
            .handle
            .as_ref()
            .and_then(|handle| self.find_beside(&path, &handle.fingerprint, file.records.position(), |_| false));
        let file = self.files.get_mut(&key).expect("restarted files are followed");
        file.last_change = now;
        if let Some((path, handle)) = copy {
            tracing::info!(from = %file.path.display(), copy = %path.display(), "log file was copied and truncated");
            (file.path, file.handle) = (path, Some(handle));
        } else {
            let unread = file.handle.take().map_or(0, |handle| handle.size.saturating_sub(file.records.position()));
            tracing::info!(path = %path.display(), unread_bytes = unread, "log file was truncated");
            *self.lost.entry("truncated").or_default() += unread;
            file.records.end_all();
        }
        match Handle::open(&path) {
            Ok(handle) => self.follow(path, source, handle, 0, now),
            Err(error) => tracing::debug!(path = %path.display(), %error, "truncated file not opened again"),
        }
    }

    fn any_moved(&self) -> bool {
        self.files.values().any(|file| {
            file.unseen.is_none() && file.handle.as_ref().is_some_and(|handle| !leads_to(&file.path, handle.id))
        })
    }

    fn discover(&mut self, now: Instant) {
        let (known, new): (Vec<_>, Vec<_>) = self.candidates().into_iter().partition(|found| self.knows(found.id));
        let mut seen: HashSet<FileId> = HashSet::new();
        for found in known {
            seen.insert(found.id);
            self.rename(&found);
        }
        // Those that the previous run read, by inode, claim their progress before copies of them can.
        let (resumed, new): (Vec<_>, Vec<_>) = new.into_iter().partition(|found| self.was_read(found));
        for found in resumed.into_iter().chain(new) {
            seen.insert(found.id);
            if !self.knows(found.id) {
                self.adopt(&found, now);
            }
        }
        for file in self.files.values_mut() {
            let in_sight = file.handle.as_ref().is_some_and(|handle| seen.contains(&handle.id));
            file.unseen = if in_sight { None } else { file.unseen.or(Some(now)) };
        }
        self.suspects.retain(|id, _| seen.contains(id));
        if !self.discovered_once {
            self.recover_orphans(now);
            self.sources.iter_mut().for_each(|source| source.fresh = false);
            self.discovered_once = true;
        }
    }

    fn candidates(&self) -> Vec<Candidate> {
        let mut found = Vec::new();
        for (source, Source { glob, .. }) in self.sources.iter().enumerate() {
            let paths = glob::glob(glob).into_iter().flatten().flatten();
            for path in paths {
                if let Some(metadata) = fs::metadata(&path).ok().filter(Metadata::is_file) {
                    found.push(Candidate { path, source, id: FileId::of(&metadata), size: metadata.len() });
                }
            }
        }
        found
    }

    fn knows(&self, id: FileId) -> bool {
        self.files.values().any(|file| file.handle.as_ref().is_some_and(|handle| handle.id == id))
    }

    fn rename(&mut self, found: &Candidate) {
        let id = found.id;
        let file = self.files.values_mut().find(|file| file.handle.as_ref().is_some_and(|handle| handle.id == id));
        if let Some(file) = file.filter(|file| file.path != found.path && !leads_to(&file.path, id)) {
            tracing::info!(from = %file.path.display(), to = %found.path.display(), "log file was renamed");
            file.path.clone_from(&found.path);
            self.regrouped = true;
        }
    }

    fn was_read(&self, found: &Candidate) -> bool {
        self.orphans.iter().any(|saved| saved.id == found.id && saved.offset <= found.size)
    }

    /// Begins to follow a file never seen in this run.
    fn adopt(&mut self, found: &Candidate, now: Instant) {
        if self.files.len() >= self.max_files {
            self.complain(&found.path, "too many log files: not followed (log_files)");
            return;
        }
        let handle = match Handle::open(&found.path) {
            Ok(handle) => handle,
            Err(error) => return self.complain(&found.path, &format!("log file cannot be read: {error}")),
        };
        let fresh = self.sources[found.source].fresh;
        if !fresh && self.is_fresh_copy(found, &handle, now) {
            return;
        }
        let offset = match self.claim(&found.path, &handle) {
            Some(offset) => offset,
            None if fresh && self.log_start == LogStart::End => handle.size,
            None => 0,
        };
        tracing::info!(path = %found.path.display(), offset, "following log file");
        self.follow(found.path.clone(), found.source, handle, offset, now);
    }

    fn complain(&mut self, path: &Path, why: &str) {
        if self.complained.insert(path.to_owned()) {
            tracing::warn!(path = %path.display(), "{why}");
        }
    }

    /// Whether this looks like a copy of a followed file that is about to be truncated. Reading it would send
    /// everything twice; if the original stays, it was a file of its own after all.
    fn is_fresh_copy(&mut self, found: &Candidate, handle: &Handle, now: Instant) -> bool {
        let is_copy = self.files.values().any(|file| {
            file.handle.as_ref().is_some_and(|original| {
                is_copy_name(&file.path, &found.path)
                    && handle.size <= original.size
                    && !original.fingerprint.is_empty()
                    && original.fingerprint.matches(&handle.file).unwrap_or(false)
            })
        });
        is_copy && now.duration_since(*self.suspects.entry(found.id).or_insert(now)) < COPY_WAIT
    }

    /// The offset the previous run reached in this file or in the file this is a copy of.
    fn claim(&mut self, path: &Path, handle: &Handle) -> Option<u64> {
        let fits =
            |saved: &SavedFile| saved.offset <= handle.size && saved.fingerprint.matches(&handle.file).unwrap_or(false);
        let by_inode = self.orphans.iter().position(|saved| saved.id == handle.id && fits(saved));
        let by_content = || {
            self.orphans
                .iter()
                .position(|saved| !saved.fingerprint.is_empty() && is_copy_name(&saved.path, path) && fits(saved))
        };
        let index = by_inode.or_else(by_content)?;
        Some(self.orphans.swap_remove(index).offset)
    }

    /// Looks for the files that rotated out of the globs' sight while the agent was down.
    fn recover_orphans(&mut self, now: Instant) {
        for saved in std::mem::take(&mut self.orphans) {
            let Some(source) = self.sources.iter().position(|source| source.glob == saved.glob) else { continue };
            match self.find_beside(&saved.path, &saved.fingerprint, saved.offset, |id| id == saved.id) {
                Some((path, handle)) if handle.size > saved.offset => {
                    tracing::info!(path = %path.display(), offset = saved.offset, "reading the rest of a rotated log file");
                    self.follow(path, source, handle, saved.offset, now);
                }
                Some(_) => {}
                None if saved.fingerprint.is_empty() => {}
                None => tracing::warn!(
                    path = %saved.path.display(), offset = saved.offset,
                    "log file is gone since the last run: its unread rest, if any, is lost"
                ),
            }
        }
    }

    /// A file in the same directory that begins as the fingerprint says and reaches `min_size`: best the one that
    /// `is_it` knows, then the latest with a copy's name. A file that was empty must be and be called so.
    fn find_beside(
        &self,
        path: &Path,
        fingerprint: &Fingerprint,
        min_size: u64,
        is_it: impl Fn(FileId) -> bool,
    ) -> Option<(PathBuf, Handle)> {
        let may_be = |it: bool, named: bool| if fingerprint.is_empty() { it && named } else { it || named };
        let entries = fs::read_dir(path.parent()?).ok()?.flatten();
        let mut found: Vec<_> = entries
            .filter_map(|entry| Some((entry.path(), entry.metadata().ok().filter(Metadata::is_file)?)))
            .filter(|(other, metadata)| {
                let id = FileId::of(metadata);
                metadata.len() >= min_size && !self.knows(id) && may_be(is_it(id), is_copy_name(path, other))
            })
            .collect();
        found.sort_by_key(|(_, metadata)| (is_it(FileId::of(metadata)), metadata.modified().ok()));
        found.into_iter().rev().find_map(|(path, _)| {
            let handle = Handle::open(&path).ok()?;
            fingerprint.matches(&handle.file).ok()?.then_some((path, handle))
        })
    }

    fn follow(&mut self, path: PathBuf, source: usize, handle: Handle, offset: u64, now: Instant) {
        let records = Records::new(offset, self.max_record_bytes, self.sources[source].start.clone());
        let followed = Followed {
            source,
            path,
            handle: Some(handle),
            records,
            offered: offset,
            committed: offset,
            unseen: None,
            last_change: now,
        };
        self.files.insert(self.next_key, followed);
        self.next_key += 1;
        self.regrouped = true;
    }

    /// Closes rotated files once all of them was delivered.
    fn let_go(&mut self, now: Instant) {
        let before = self.files.len();
        self.files.retain(|_, file| !file.is_done(now));
        self.regrouped |= self.files.len() != before;
    }
}

impl Followed {
    /// Moves records into the batch until it is full or the file has no more. Returns how many were cut.
    fn fill(&mut self, batch: &mut BatchBuilder, buffer: &mut [u8], now: Instant) -> u64 {
        let mut cut = 0;
        loop {
            while !batch.is_full() {
                let Some(record) = self.records.pop() else { break };
                cut += u64::from(record.cut);
                batch.add(self.source, &self.path, record);
            }
            if batch.is_full() {
                return cut;
            }
            match self.read(buffer) {
                0 if self.records.is_grouping() && now.duration_since(self.last_change) >= GROUP_WAIT => {
                    self.records.end_group();
                }
                0 => return cut,
                read => self.records.feed(&buffer[..read]),
            }
        }
    }

    fn read(&self, buffer: &mut [u8]) -> usize {
        let Some(handle) = &self.handle else { return 0 };
        handle.file.read_at(buffer, self.records.position()).unwrap_or_else(|error| {
            tracing::debug!(path = %self.path.display(), %error, "log file not read");
            0
        })
    }

    /// Out of sight and quiet for a while, or gone, and all of it acknowledged. Ends the last line as it is then.
    fn is_done(&mut self, now: Instant) -> bool {
        let waited = |since: Instant| now.duration_since(since) >= ROTATE_WAIT;
        let over = match &self.handle {
            None => true,
            Some(handle) => {
                self.unseen.is_some_and(waited) && waited(self.last_change) && self.records.position() >= handle.size
            }
        };
        if over {
            self.records.end_all();
        }
        over && self.records.is_empty() && self.records.settled() == self.committed
    }

    fn saved(&self, sources: &[Source]) -> Option<SavedFile> {
        let handle = self.handle.as_ref()?;
        Some(SavedFile {
            path: self.path.clone(),
            glob: sources[self.source].glob.clone(),
            id: handle.id,
            fingerprint: handle.fingerprint.clone(),
            offset: self.committed,
        })
    }
}

fn leads_to(path: &Path, id: FileId) -> bool {
    fs::metadata(path).is_ok_and(|metadata| FileId::of(&metadata) == id)
}

/// Whether `other` is named like a rotated `path`: `app.log` → `app.log.1`, `app-20261120.log`.
fn is_copy_name(path: &Path, other: &Path) -> bool {
    let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let (name, other_name) = (text(path.file_name()), text(other.file_name()));
    let suffix = other_name.strip_prefix(&text(path.file_stem())).unwrap_or_default();
    path.parent() == other.parent()
        && other_name.len() > name.len()
        && suffix.starts_with(|first: char| !first.is_alphanumeric())
}

#[derive(Debug, Default)]
struct BatchBuilder {
    by_source: BTreeMap<usize, Vec<LogRecord>>,
    records: usize,
    bytes: usize,
    max_records: usize,
    max_bytes: usize,
    ends: Ends,
}

impl BatchBuilder {
    /// Opens a share of the room left.
    fn open(&mut self, share: usize) {
        self.max_records = self.records + BATCH_RECORDS.saturating_sub(self.records) / share;
        self.max_bytes = self.bytes + BATCH_BYTES.saturating_sub(self.bytes) / share;
    }

    fn is_full(&self) -> bool {
        self.records >= self.max_records || self.bytes >= self.max_bytes
    }

    fn add(&mut self, source: usize, path: &Path, record: Record) {
        let mut log = parse::parse(&record.text);
        log.observed_time_unix_nano = now_unix_nano();
        if record.cut {
            parse::mark_cut(&mut log);
        }
        if let Some(name) = path.file_name() {
            log.attributes.push(text("log.file.name", name.to_string_lossy()));
        }
        log.attributes.push(text("log.file.path", path.to_string_lossy()));
        self.records += 1;
        self.bytes += record.text.len() + 64;
        self.by_source.entry(source).or_default().push(log);
    }
}

#[cfg(test)]
mod tests;
