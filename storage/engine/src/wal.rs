//! The write-ahead log: received bodies as they came, synced in groups, acknowledged after the sync.
//!
//! One thread writes. Whatever arrived while it synced the previous group is the next group, so that the cost of a
//! sync is shared under load and nobody waits for a timer when it is quiet. What is durable goes on to the sink, in
//! order of sequence numbers. Records: [`record`]; reading them back: [`scan`].

pub(crate) mod record;
pub(crate) mod scan;

use crate::counters::Counters;
use crate::dir::sync_dir;
use crate::error::{Fault, chain};
use orrery_model::{Batch, Body};
use orrery_query::AppendError;
use orrery_query::store::Appended;
use parking_lot::{Condvar, Mutex};
use record::Header;
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Bytes written before a sync at most, so that the first of a group does not wait for a flood behind it.
const GROUP_BYTES: usize = 16 << 20;
/// Counts of rejected and refused items wait this long for a request to travel with.
const COUNTS_DELAY: Duration = Duration::from_millis(500);

/// A record that is on disk, for the sink.
pub(crate) struct Durable {
    pub(crate) seq: u64,
    pub(crate) content: Content,
}

pub(crate) enum Content {
    /// A request's rows and the size of its body.
    Batch { batch: Box<Batch>, received_unix_nano: i64, body_bytes: u64, memory: u64 },
    /// Items that were rejected or refused.
    Counts(Counters),
}

/// Takes what is durable. Called by the writer thread, in order; must not block long.
pub(crate) type Sink = Box<dyn Fn(Vec<Durable>) + Send>;

struct Waiting {
    body: Body,
    batch: Batch,
    memory: u64,
    done: Appended,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    bytes: u64,
    counts: Counters,
    counts_since: Option<Instant>,
    closed: bool,
}

/// A file of the log on disk.
#[derive(Clone, Debug)]
pub(crate) struct LogFile {
    pub(crate) first_seq: u64,
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

struct Shared {
    dir: PathBuf,
    file_bytes: u64,
    queue_limit: u64,
    queue: Mutex<Queue>,
    arrived: Condvar,
    files: Mutex<VecDeque<LogFile>>,
    failure: Mutex<Option<String>>,
    groups: AtomicU64,
    #[cfg(test)]
    fail_sync: std::sync::atomic::AtomicBool,
}

/// The log. Dropping it closes it.
pub(crate) struct Wal {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Wal {
    /// Starts writing after the records in `files`; `next_seq` is the first free sequence number.
    pub(crate) fn start(
        dir: PathBuf,
        files: Vec<LogFile>,
        next_seq: u64,
        file_bytes: u64,
        queue_limit: u64,
        sink: Sink,
    ) -> io::Result<Wal> {
        let shared = Arc::new(Shared {
            dir,
            file_bytes,
            queue_limit,
            queue: Mutex::default(),
            arrived: Condvar::new(),
            files: Mutex::new(files.into()),
            failure: Mutex::new(None),
            groups: AtomicU64::new(0),
            #[cfg(test)]
            fail_sync: false.into(),
        });
        let mut writer = Writer { shared: Arc::clone(&shared), sink, next_seq, file: None, buffer: Vec::new() };
        let thread = std::thread::Builder::new().name("wal".into()).spawn(move || writer.run())?;
        Ok(Wal { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Queues a request. `memory` is what its rows take; the body's bytes are added here.
    pub(crate) fn append(&self, body: Body, batch: Batch, memory: u64, done: Appended) {
        let memory = memory + body.bytes.len() as u64;
        let refused = {
            let mut queue = self.shared.queue.lock();
            if queue.closed {
                Some(("stopping", Duration::from_secs(5)))
            } else if queue.bytes > 0 && queue.bytes + memory > self.shared.queue_limit {
                Some(("queue_full", Duration::from_secs(1)))
            } else {
                queue.bytes += memory;
                queue.waiting.push_back(Waiting { body, batch, memory, done });
                self.shared.arrived.notify_one();
                return;
            }
        };
        if let Some((reason, retry_after)) = refused {
            done(Err(AppendError::Refused { reason, retry_after }));
        }
    }

    /// Adds counts to be kept: written with the next group, or soon when there is none.
    pub(crate) fn count(&self, add: impl FnOnce(&mut Counters)) {
        let mut queue = self.shared.queue.lock();
        add(&mut queue.counts);
        if queue.counts_since.is_none() {
            queue.counts_since = Some(Instant::now());
            self.shared.arrived.notify_one();
        }
    }

    /// Bytes waiting, and how many may.
    pub(crate) fn queue_bytes(&self) -> (u64, u64) {
        (self.shared.queue.lock().bytes, self.shared.queue_limit)
    }

    /// Bytes of log on disk.
    pub(crate) fn disk_bytes(&self) -> u64 {
        self.shared.files.lock().iter().map(|file| file.bytes).sum()
    }

    /// Groups synced so far.
    #[cfg(test)]
    pub(crate) fn groups(&self) -> u64 {
        self.shared.groups.load(Ordering::Relaxed)
    }

    /// The last write or sync failure, until a later group succeeds.
    pub(crate) fn failure(&self) -> Option<String> {
        self.shared.failure.lock().clone()
    }

    /// Removes files that only hold records before `cursor`. The caller has made durable what replaces them.
    pub(crate) fn trim(&self, cursor: u64) -> Result<(), Fault> {
        let mut removed = false;
        loop {
            let path = {
                let mut files = self.shared.files.lock();
                if files.len() < 2 || files[1].first_seq > cursor {
                    break;
                }
                files.pop_front().expect("there are two").path
            };
            std::fs::remove_file(&path).map_err(Fault::io(&path))?;
            removed = true;
        }
        if removed { sync_dir(&self.shared.dir) } else { Ok(()) }
    }

    /// Writes what is queued and stops. Idempotent.
    pub(crate) fn close(&self) {
        self.shared.queue.lock().closed = true;
        self.shared.arrived.notify_one();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the write-ahead log's thread panicked");
        }
    }

    #[cfg(test)]
    pub(crate) fn fail_sync(&self, fail: bool) {
        self.shared.fail_sync.store(fail, Ordering::Relaxed);
    }
}

impl Drop for Wal {
    fn drop(&mut self) {
        self.close();
    }
}

struct Open {
    file: File,
    path: PathBuf,
    bytes: u64,
}

struct Writer {
    shared: Arc<Shared>,
    sink: Sink,
    next_seq: u64,
    file: Option<Open>,
    buffer: Vec<u8>,
}

impl Writer {
    fn run(&mut self) {
        while let Some((group, counts)) = self.next_group() {
            self.write_group(group, counts);
        }
    }

    /// What arrived since the last group, or waits; `None` when closed and empty.
    fn next_group(&self) -> Option<(Vec<Waiting>, Counters)> {
        let mut queue = self.shared.queue.lock();
        loop {
            let counts_due = queue.counts_since.is_some_and(|since| since.elapsed() >= COUNTS_DELAY || queue.closed);
            if !queue.waiting.is_empty() || counts_due {
                break;
            }
            if queue.closed {
                return None;
            }
            match queue.counts_since {
                Some(since) => _ = self.shared.arrived.wait_until(&mut queue, since + COUNTS_DELAY),
                None => self.shared.arrived.wait(&mut queue),
            }
        }
        let mut group = Vec::new();
        let mut bytes = 0;
        while bytes < GROUP_BYTES
            && let Some(waiting) = queue.waiting.pop_front()
        {
            bytes += waiting.body.bytes.len();
            group.push(waiting);
        }
        queue.counts_since = None;
        Some((group, std::mem::take(&mut queue.counts)))
    }

    fn write_group(&mut self, group: Vec<Waiting>, counts: Counters) {
        self.buffer.clear();
        let first_seq = self.next_seq;
        for waiting in &group {
            let header = Header::of_body(self.next_seq, &waiting.body, waiting.batch.len());
            header.encode(&waiting.body.bytes, &mut self.buffer);
            self.next_seq += 1;
        }
        if !counts.is_empty() {
            let payload = serde_json::to_vec(&counts).expect("counters have text keys");
            Header::of_counts(self.next_seq).encode(&payload, &mut self.buffer);
            self.next_seq += 1;
        }
        let result = self.write_buffer(first_seq);
        self.shared.groups.fetch_add(1, Ordering::Relaxed);
        let memory: u64 = group.iter().map(|waiting| waiting.memory).sum();
        match result {
            Ok(()) => {
                *self.shared.failure.lock() = None;
                self.pass_on(first_seq, group, counts);
            }
            Err(fault) => self.fail(fault, group, counts),
        }
        self.shared.queue.lock().bytes -= memory;
    }

    fn pass_on(&self, first_seq: u64, group: Vec<Waiting>, counts: Counters) {
        let mut durable = Vec::with_capacity(group.len() + 1);
        let mut seq = first_seq;
        let mut acknowledgements = Vec::with_capacity(group.len());
        for waiting in group {
            let body_bytes = waiting.body.bytes.len() as u64;
            let memory = waiting.memory - body_bytes;
            let received_unix_nano = waiting.body.received_unix_nano;
            let content = Content::Batch { batch: Box::new(waiting.batch), received_unix_nano, body_bytes, memory };
            durable.push(Durable { seq, content });
            acknowledgements.push(waiting.done);
            seq += 1;
        }
        if !counts.is_empty() {
            durable.push(Durable { seq, content: Content::Counts(counts) });
        }
        // The sink first: it counts, and a sender told "accepted" finds it counted.
        (self.sink)(durable);
        for done in acknowledgements {
            done(Ok(()));
        }
    }

    fn fail(&mut self, fault: Fault, group: Vec<Waiting>, counts: Counters) {
        let text = chain(&fault);
        tracing::error!(error = text, requests = group.len(), "write-ahead log failed; nothing was acknowledged");
        *self.shared.failure.lock() = Some(text);
        {
            let mut queue = self.shared.queue.lock();
            queue.counts.add(&counts);
            if !queue.counts.is_empty() && !queue.closed {
                queue.counts_since = Some(Instant::now());
            }
        }
        let error = Arc::new(match fault {
            Fault::Io { source, .. } => source,
            other => io::Error::other(other),
        });
        for waiting in group {
            (waiting.done)(Err(AppendError::Failed(Arc::clone(&error))));
        }
    }

    fn write_buffer(&mut self, first_seq: u64) -> Result<(), Fault> {
        if self.file.as_ref().is_some_and(|open| open.bytes >= self.shared.file_bytes) {
            self.file = None;
        }
        if self.file.is_none() {
            self.file = Some(self.create(first_seq)?);
        }
        let open = self.file.as_mut().expect("just made");
        let result = open.file.write_all(&self.buffer).and_then(|()| sync(&self.shared, &open.file));
        if let Err(source) = result {
            // A failed sync says nothing about what is on disk and must not be retried on this file. Nothing of the
            // group was acknowledged: cut it off as far as that still works, and go on in a new file.
            let open = self.file.take().expect("just used");
            _ = open.file.set_len(open.bytes).and_then(|()| open.file.sync_all());
            return Err(Fault::Io { path: open.path, source });
        }
        open.bytes += self.buffer.len() as u64;
        if let Some(last) = self.shared.files.lock().back_mut() {
            last.bytes = open.bytes;
        }
        Ok(())
    }

    /// A new file that survives a crash before the first record in it is acknowledged.
    fn create(&self, first_seq: u64) -> Result<Open, Fault> {
        let path = file_path(&self.shared.dir, first_seq);
        // A file of this name holds nothing acknowledged: records before it were, and they are in other files.
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).open(&path).map_err(Fault::io(&path))?;
        file.write_all(record::FILE_MAGIC).and_then(|()| sync(&self.shared, &file)).map_err(Fault::io(&path))?;
        sync_dir(&self.shared.dir)?;
        let bytes = record::FILE_MAGIC.len() as u64;
        let mut files = self.shared.files.lock();
        files.retain(|file| file.path != path);
        files.push_back(LogFile { first_seq, path: path.clone(), bytes });
        Ok(Open { file, path, bytes })
    }
}

fn sync(shared: &Shared, file: &File) -> io::Result<()> {
    #[cfg(test)]
    if shared.fail_sync.load(Ordering::Relaxed) {
        return Err(io::Error::other("injected"));
    }
    _ = shared;
    file.sync_data()
}

fn file_path(dir: &Path, first_seq: u64) -> PathBuf {
    dir.join(format!("{first_seq:020}.wal"))
}

/// The files of a log directory, oldest first.
pub(crate) fn files(dir: &Path) -> Result<Vec<LogFile>, Fault> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(Fault::io(dir))? {
        let entry = entry.map_err(Fault::io(dir))?;
        let path = entry.path();
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".wal"));
        let Some(first_seq) = name.and_then(|name| name.parse().ok()) else { continue };
        let bytes = entry.metadata().map_err(Fault::io(&path))?.len();
        files.push(LogFile { first_seq, path, bytes });
    }
    files.sort_by_key(|file| file.first_seq);
    Ok(files)
}

#[cfg(test)]
mod tests;
