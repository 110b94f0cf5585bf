//! Sealed segments: an immutable Parquet file and its index file.

mod filter;
mod footer;
mod index;
mod memory;
pub(crate) mod nested;
pub(crate) mod read;
mod values;
mod words;
pub(crate) mod write;

use crate::context::ContextTable;
use crate::error::Fault;
use crate::failpoint;
use crate::manifest::{Pin, SegmentEntry, Shared};
use filter::TraceFilter;
use index::{Header, Piece};
use memory::{Memory, Slot};
use nested::NestedKeys;
use orrery_model::TraceId;
use parking_lot::Mutex;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// The folder of segments, and the memory they share.
pub(crate) struct Segments {
    dir: PathBuf,
    pub(crate) memory: Arc<Memory>,
    shared: Mutex<Shared>,
}

impl Segments {
    /// So many bytes of index files and footers are held in memory.
    pub(crate) fn new(dir: PathBuf, memory_bytes: u64) -> Segments {
        Segments { dir, memory: Arc::new(Memory::new(memory_bytes)), shared: Mutex::default() }
    }

    /// A segment that the manifest names, or is about to.
    pub(crate) fn segment(&self, entry: SegmentEntry) -> Arc<Segment> {
        self.made(entry, None)
    }

    /// The segment of a pin; `self` is the folder of pins.
    pub(crate) fn pinned(&self, pin: &Pin) -> Arc<Segment> {
        self.made(pin.segment.clone(), Some(pin.trace_id))
    }

    /// The same memory for another folder.
    pub(crate) fn beside(&self, dir: PathBuf) -> Segments {
        Segments { dir, memory: Arc::clone(&self.memory), shared: Mutex::default() }
    }

    fn made(&self, mut entry: SegmentEntry, pinned: Option<TraceId>) -> Arc<Segment> {
        self.shared.lock().share(&mut entry);
        let stem = entry.stem();
        Arc::new(Segment {
            parquet: self.dir.join(format!("{stem}.parquet")),
            index: self.dir.join(format!("{stem}.index")),
            entry,
            memory: Arc::clone(&self.memory),
            pinned,
            header: OnceLock::new(),
            traces: Arc::default(),
            context: Arc::default(),
            footer: Arc::default(),
            verified: Mutex::new(false),
            nested: Default::default(),
            retired: AtomicBool::new(false),
        })
    }
}

/// A segment in use. Its files go when it was retired and the last query that reads it is done.
pub(crate) struct Segment {
    pub(crate) entry: SegmentEntry,
    parquet: PathBuf,
    index: PathBuf,
    memory: Arc<Memory>,
    /// Of the trace that is pinned by it; what names it in the manifest then.
    pinned: Option<TraceId>,
    // Filled at first use; all but the first may be forgotten again.
    header: OnceLock<Header>,
    traces: Arc<Slot<TraceFilter>>,
    context: Arc<Slot<ContextTable>>,
    footer: Arc<Slot<ArrowReaderMetadata>>,
    verified: Mutex<bool>,
    /// Names of attributes of events and links, filled at first use.
    nested: (OnceLock<Arc<NestedKeys>>, OnceLock<Arc<NestedKeys>>),
    retired: AtomicBool,
}

impl Segment {
    pub(crate) fn parquet(&self) -> &Path {
        &self.parquet
    }

    /// The trace that it pins; `None`: it is one of many.
    pub(crate) fn of_pin(&self) -> Option<TraceId> {
        self.pinned
    }

    pub(crate) fn files(&self) -> [&Path; 2] {
        [&self.parquet, &self.index]
    }

    /// Its resources and scopes.
    pub(crate) fn context(&self) -> Result<Arc<ContextTable>, Fault> {
        self.context.get(&self.memory, || {
            let header = self.header()?;
            let context = header.read_lists(&self.part(header.lists())?).map_err(|reason| self.spoilt(reason))?;
            let bytes = context.memory();
            Ok((context, bytes))
        })
    }

    /// Which traces it may have.
    pub(crate) fn traces(&self) -> Result<Arc<TraceFilter>, Fault> {
        self.traces.get(&self.memory, || {
            let header = self.header()?;
            let filter = header.read_traces(self.part(header.traces())?);
            let bytes = filter.bytes().len() + size_of::<TraceFilter>();
            Ok((filter, bytes))
        })
    }

    /// False: no row has exactly this attribute with this value, written as `Value::to_text` does, nor has a resource.
    /// `in_rows`: some row has the attribute.
    pub(crate) fn may_have_value(&self, key: &str, value: &str, in_rows: bool) -> Result<bool, Fault> {
        let header = self.header()?;
        let Some(bits) = header.bits_of(key) else { return Ok(in_rows || !header.knows_resources()) };
        let hash = values::hash_of(key, value);
        Ok(filter::is_in(&self.part(header.page_of(hash))?, hash, bits))
    }

    /// False: no span links to this trace. Where that is not known, true.
    pub(crate) fn may_link_to(&self, trace: TraceId) -> Result<bool, Fault> {
        self.may_have_value(values::LINKED, &trace.to_string(), true)
    }

    /// Whether some row may have an array as the value of this attribute: of its elements the filter does not know.
    pub(crate) fn may_have_arrays(&self, key: &str) -> Result<bool, Fault> {
        Ok(self.header()?.may_have_arrays(key))
    }

    /// Rows by attribute; an attribute that is missing is not known.
    pub(crate) fn attribute_rows(&self) -> Result<&BTreeMap<String, u64>, Fault> {
        Ok(self.header()?.attribute_rows())
    }

    /// The index file's header. The first time the file is compared with the manifest's checksum.
    fn header(&self) -> Result<&Header, Fault> {
        if let Some(header) = self.header.get() {
            return Ok(header);
        }
        let bytes = std::fs::read(&self.index).map_err(Fault::io(&self.index))?;
        if crc32fast::hash(&bytes) != self.entry.index_crc32 {
            return Err(self.spoilt("its checksum is wrong"));
        }
        let header = Header::parse(&bytes).map_err(|reason| self.spoilt(reason))?;
        Ok(self.header.get_or_init(|| header))
    }

    fn part(&self, piece: Piece) -> Result<Vec<u8>, Fault> {
        let mut bytes = vec![0; piece.bytes];
        let read = File::open(&self.index).and_then(|file| file.read_exact_at(&mut bytes, piece.at));
        match read {
            Ok(()) => Ok(bytes),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(self.spoilt("it is cut off")),
            Err(error) => Err(Fault::io(&self.index)(error)),
        }
    }

    fn spoilt(&self, reason: impl Into<String>) -> Fault {
        Fault::damaged(&self.index, reason)
    }

    /// Verifies the Parquet file before its rows are read for the first time. The query engine gives flipped bits back as data,
    /// so nothing is read before that.
    pub(crate) fn verify(&self) -> Result<(), Fault> {
        let mut verified = self.verified.lock();
        if !*verified {
            verify(&self.parquet, self.entry.bytes, self.entry.crc32)?;
            *verified = true;
        }
        Ok(())
    }

    /// Verifies the index file before anything of it is used.
    pub(crate) fn verify_index(&self) -> Result<(), Fault> {
        self.header().map(drop)
    }

    /// Whether both files have been verified.
    pub(crate) fn is_verified(&self) -> bool {
        self.header.get().is_some() && *self.verified.lock()
    }

    /// Has the files removed once nobody reads them. The manifest no longer names the segment.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        if !self.retired.load(Ordering::Acquire) {
            return;
        }
        for path in self.files() {
            if let Err(error) = std::fs::remove_file(path)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                // The next start removes files that the manifest does not name.
                tracing::warn!(%error, file = %path.display(), "a retired segment stays on disk for now");
            }
            _ = failpoint::pass("segment half removed");
        }
    }
}

fn verify(path: &Path, bytes: u64, crc32: u32) -> Result<(), Fault> {
    let mut file = std::fs::File::open(path).map_err(Fault::io(path))?;
    let mut hasher = crc32fast::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    let mut total = 0;
    loop {
        let read = file.read(&mut buffer).map_err(Fault::io(path))?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        total += read as u64;
    }
    if total != bytes {
        return Err(Fault::damaged(path, format!("it has {total} bytes instead of {bytes}")));
    }
    if hasher.finalize() != crc32 { Err(Fault::damaged(path, "its checksum is wrong")) } else { Ok(()) }
}
