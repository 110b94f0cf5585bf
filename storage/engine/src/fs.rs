//! File operations of what must survive: the log, the manifest, the version. Real ones, and in tests those of a disk
//! that forgets whatever was not synced.

#[cfg(test)]
pub(crate) mod strict;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// A file system.
#[derive(Clone, Debug, Default)]
pub(crate) enum Fs {
    #[default]
    Real,
    #[cfg(test)]
    Strict(std::sync::Arc<strict::Disk>),
}

/// A file open for writing.
pub(crate) enum Handle {
    Real(File),
    #[cfg(test)]
    Strict(strict::Handle),
}

impl Fs {
    /// A new file, or an old one emptied.
    pub(crate) fn create(&self, path: &Path) -> io::Result<Handle> {
        match self {
            Fs::Real => File::create(path).map(Handle::Real),
            #[cfg(test)]
            Fs::Strict(disk) => disk.create(path).map(Handle::Strict),
        }
    }

    /// An existing file.
    pub(crate) fn open(&self, path: &Path) -> io::Result<Handle> {
        match self {
            Fs::Real => OpenOptions::new().write(true).open(path).map(Handle::Real),
            #[cfg(test)]
            Fs::Strict(disk) => disk.open(path).map(Handle::Strict),
        }
    }

    pub(crate) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self {
            Fs::Real => std::fs::read(path),
            #[cfg(test)]
            Fs::Strict(disk) => disk.read(path),
        }
    }

    /// The first `bytes` of a file, or what there is of them.
    pub(crate) fn head(&self, path: &Path, bytes: u64) -> io::Result<Vec<u8>> {
        match self {
            Fs::Real => {
                let mut head = Vec::new();
                File::open(path)?.take(bytes).read_to_end(&mut head)?;
                Ok(head)
            }
            #[cfg(test)]
            Fs::Strict(disk) => disk.read(path).map(|mut content| {
                content.truncate(bytes as usize);
                content
            }),
        }
    }

    /// Replaces `to`, which is in the same directory.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        match self {
            Fs::Real => std::fs::rename(from, to),
            #[cfg(test)]
            Fs::Strict(disk) => disk.rename(from, to),
        }
    }

    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        match self {
            Fs::Real => std::fs::remove_file(path),
            #[cfg(test)]
            Fs::Strict(disk) => disk.remove(path),
        }
    }

    /// What lies in a directory, in no order, with sizes.
    pub(crate) fn list(&self, dir: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
        match self {
            Fs::Real => std::fs::read_dir(dir)?
                .map(|entry| entry.and_then(|entry| Ok((entry.path(), entry.metadata()?.len()))))
                .collect(),
            #[cfg(test)]
            Fs::Strict(disk) => Ok(disk.list(dir)),
        }
    }

    /// Makes creations, renames and removals in a directory durable.
    pub(crate) fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        match self {
            Fs::Real => File::open(dir)?.sync_all(),
            #[cfg(test)]
            Fs::Strict(disk) => disk.sync_dir(dir),
        }
    }
}

impl Handle {
    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Handle::Real(file) => file.write_all(bytes),
            #[cfg(test)]
            Handle::Strict(file) => file.write_all(bytes),
        }
    }

    /// Makes the content durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match self {
            Handle::Real(file) => file.sync_data(),
            #[cfg(test)]
            Handle::Strict(file) => file.sync(),
        }
    }

    /// Cuts the file to this length; durable after [`Handle::sync`].
    pub(crate) fn cut(&self, bytes: u64) -> io::Result<()> {
        match self {
            Handle::Real(file) => file.set_len(bytes),
            #[cfg(test)]
            Handle::Strict(file) => file.cut(bytes),
        }
    }
}
