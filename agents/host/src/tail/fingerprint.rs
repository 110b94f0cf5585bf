//! Which file is it: by its first bytes, since names move in a rotation and inodes are reused after one.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use serde::{Deserialize, Serialize};

/// A file's place on disk. Certain while the file is held open, a hint after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct FileId {
    dev: u64,
    ino: u64,
}

impl FileId {
    pub(super) fn of(metadata: &std::fs::Metadata) -> Self {
        Self { dev: metadata.dev(), ino: metadata.ino() }
    }
}

/// The hash of a file's first bytes: as many as there are, at most [`Fingerprint::MAX_BYTES`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fingerprint {
    bytes: usize,
    hash: String,
}

impl Fingerprint {
    const MAX_BYTES: usize = 1024;

    /// Of the file as it is now; a file that grows deserves a new one until [`Fingerprint::is_full`].
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let head = head(file, Self::MAX_BYTES)?;
        Ok(Self { bytes: head.len(), hash: hash(&head) })
    }

    /// Whether the file begins with the bytes this was made of. True of every file if there were none.
    pub(super) fn matches(&self, file: &File) -> io::Result<bool> {
        let head = head(file, self.bytes)?;
        Ok(head.len() == self.bytes && hash(&head) == self.hash)
    }

    /// Made of no bytes: says nothing about a file.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// No growth can change it.
    pub(super) fn is_full(&self) -> bool {
        self.bytes == Self::MAX_BYTES
    }
}

fn head(file: &File, max: usize) -> io::Result<Vec<u8>> {
    let mut head = vec![0; max];
    let mut filled = 0;
    while filled < max {
        match file.read_at(&mut head[filled..], filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    head.truncate(filled);
    Ok(head)
}

fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..32].to_owned()
}
