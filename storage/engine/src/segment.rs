//! Sealed segments: an immutable Parquet file and its index file.

pub(crate) mod filter;
pub(crate) mod footer;
pub(crate) mod index;
pub(crate) mod nested;
pub(crate) mod read;
mod values;
pub(crate) mod write;

use crate::context::ContextTable;
use crate::error::Fault;
use crate::failpoint;
use crate::manifest::SegmentEntry;
use index::Index;
use nested::NestedKeys;
use parking_lot::Mutex;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// A segment in use. Its files go when it was retired and the last query that reads it is done.
pub(crate) struct Segment {
    pub(crate) entry: SegmentEntry,
    parquet: PathBuf,
    index_path: PathBuf,
    // Filled at first use.
    index: Mutex<Option<Arc<Index>>>,
    verified: Mutex<bool>,
    /// Names of attributes of events and links, filled at first use.
    nested: (OnceLock<Arc<NestedKeys>>, OnceLock<Arc<NestedKeys>>),
    retired: AtomicBool,
}

impl Segment {
    pub(crate) fn new(dir: &Path, entry: SegmentEntry) -> Segment {
        let stem = entry.stem();
        Segment {
            parquet: dir.join(format!("{stem}.parquet")),
            index_path: dir.join(format!("{stem}.index")),
            entry,
            index: Mutex::new(None),
            verified: Mutex::new(false),
            nested: Default::default(),
            retired: AtomicBool::new(false),
        }
    }

    pub(crate) fn parquet(&self) -> &Path {
        &self.parquet
    }

    pub(crate) fn files(&self) -> [&Path; 2] {
        [&self.parquet, &self.index_path]
    }

    /// The index, verified against the manifest's checksum the first time.
    pub(crate) fn index(&self) -> Result<Arc<Index>, Fault> {
        let mut held = self.index.lock();
        if let Some(index) = &*held {
            return Ok(Arc::clone(index));
        }
        let bytes = std::fs::read(&self.index_path).map_err(Fault::io(&self.index_path))?;
        if crc32fast::hash(&bytes) != self.entry.index_crc32 {
            return Err(Fault::damaged(&self.index_path, "its checksum is wrong"));
        }
        let index = Arc::new(Index::parse(&bytes).map_err(|reason| Fault::damaged(&self.index_path, reason))?);
        *held = Some(Arc::clone(&index));
        Ok(index)
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

    /// Whether its rows may be read without a look at the file's checksum.
    pub(crate) fn is_verified(&self) -> bool {
        *self.verified.lock()
    }

    pub(crate) fn context(&self) -> Result<Arc<ContextTable>, Fault> {
        Ok(Arc::clone(&self.index()?.context))
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
