//! The write-ahead log: received bodies as they came, synced in groups, acknowledged after the sync.
//!
//! One thread writes. Whatever arrived while it synced the previous group is the next group, so that the cost of a
//! sync is shared under load and nobody waits for a timer when it is quiet. What is durable goes on to the sink, in
//! order of sequence numbers. Records: [`record`]; reading them back: [`scan`], [`replay`].

pub(crate) mod record;
pub(crate) mod replay;
pub(crate) mod scan;

use crate::counters::Counters;
use crate::error::{Fault, chain};
use crate::failpoint;
use crate::fs::{Fs, Handle};
use orrery_model::{Batch, Body};
use orrery_query::AppendError;
use orrery_query::store::Appended;
use parking_lot::{Condvar, Mutex};
use record::{FILE_MAGIC, HEADER, Header};
use std::collections::VecDeque;
use std::io;
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
    fs: Fs,
    dir: PathBuf,
    file_bytes: u64,
    queue_limit: u64,
    queue: Mutex<Queue>,
    arrived: Condvar,
    files: Mutex<VecDeque<LogFile>>,
    failure: Mutex<Option<String>>,
    groups: AtomicU64,
}

/// The log. Dropping it closes it.
pub(crate) struct Wal {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Wal {
    /// Starts writing after the records in `files`; `next_seq` is the first free sequence number.
    pub(crate) fn start(
        fs: Fs,
        dir: PathBuf,
        files: Vec<LogFile>,
        next_seq: u64,
        file_bytes: u64,
        queue_limit: u64,
        sink: Sink,
    ) -> io::Result<Wal> {
        let shared = Arc::new(Shared {
            fs,
            dir,
            file_bytes,
            queue_limit,
            queue: Mutex::default(),
            arrived: Condvar::new(),
            files: Mutex::new(files.into()),
            failure: Mutex::new(None),
            groups: AtomicU64::new(0),
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
            let path = match &*self.shared.files.lock().make_contiguous() {
                [first, second, ..] if second.first_seq <= cursor => first.path.clone(),
                _ => break,
            };
            match self.shared.fs.remove(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Fault::io(&path)(error)),
                _ => _ = self.shared.files.lock().pop_front(),
            }
            failpoint::pass("log file removed")?;
            removed = true;
        }
        if removed { self.shared.sync_dir() } else { Ok(()) }
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
}

impl Shared {
    fn sync_dir(&self) -> Result<(), Fault> {
        self.fs.sync_dir(&self.dir).map_err(Fault::io(&self.dir))
    }
}

impl Drop for Wal {
    fn drop(&mut self) {
        self.close();
    }
}

struct Open {
    file: Handle,
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
        _ = failpoint::pass("log passed on");
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
            self.file = Some(self.create(first_seq).inspect_err(|_| self.next_seq = first_seq)?);
        }
        let open = self.file.as_mut().expect("just made");
        let result = open.file.write_all(&self.buffer).and_then(|()| {
            _ = failpoint::pass("log written");
            open.file.sync()
        });
        _ = failpoint::pass("log synced");
        if let Err(source) = result {
            // A failed sync says nothing about what is on disk and must not be retried on this file. Nothing of the
            // group was acknowledged: cut it off and go on in a new file. Where even that fails its records may turn up
            // again, and their numbers are not given to others.
            let open = self.file.take().expect("just used");
            if open.file.cut(open.bytes).and_then(|()| open.file.sync()).is_ok() {
                self.next_seq = first_seq;
            }
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
        let begin = || -> Result<Handle, Fault> {
            // A file of this name holds nothing acknowledged: records before it were, and they are in other files.
            let mut file = self.shared.fs.create(&path).map_err(Fault::io(&path))?;
            file.write_all(FILE_MAGIC).and_then(|()| file.sync()).map_err(Fault::io(&path))?;
            failpoint::pass("log file created")?;
            self.shared.sync_dir()?;
            failpoint::pass("log file durable")?;
            Ok(file)
        };
        // As long as the disk is full every attempt would leave another empty file.
        let file = begin().inspect_err(|_| _ = self.shared.fs.remove(&path))?;
        let bytes = FILE_MAGIC.len() as u64;
        let mut files = self.shared.files.lock();
        files.retain(|file| file.path != path);
        files.push_back(LogFile { first_seq, path: path.clone(), bytes });
        Ok(Open { file, path, bytes })
    }
}

fn file_path(dir: &Path, first_seq: u64) -> PathBuf {
    dir.join(format!("{first_seq:020}.wal"))
}

/// The sequence number a file of the log is named after; `None` for the name of another file.
fn number(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?.strip_suffix(".wal")?;
    // Far from the end, so that counting on is safe whatever somebody has put here.
    (name.len() == 20).then(|| name.parse::<u64>().ok())?.filter(|number| number >> 62 == 0)
}

/// The files of a log directory in the order of their records. Their own headers are believed before their names.
pub(crate) fn files(fs: &Fs, dir: &Path) -> Result<Vec<LogFile>, Fault> {
    let mut files = Vec::new();
    for (path, bytes) in fs.list(dir).map_err(Fault::io(dir))? {
        let Some(named) = number(&path) else { continue };
        let head = fs.head(&path, (FILE_MAGIC.len() + HEADER) as u64).unwrap_or_default();
        let header = head.strip_prefix(FILE_MAGIC).and_then(Header::parse);
        files.push(LogFile { first_seq: header.map_or(named, |header| header.seq), path, bytes });
    }
    files.sort_by(|a, b| (a.first_seq, &a.path).cmp(&(b.first_seq, &b.path)));
    Ok(files)
}

#[cfg(test)]
mod tests;
