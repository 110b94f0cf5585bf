//! The data directory: layout, version, lock, and writing files so that they survive.

use crate::error::{Fault, OpenError};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Format of the data directory that this code writes, and the newest it reads.
pub(crate) const FORMAT: u32 = 1;

/// In quarantine: a line for each file there, its name, a tab, the reason.
pub(crate) const REASONS: &str = "reasons.txt";

/// A locked data directory. See `FORMAT.md` for what lies where.
#[derive(Debug)]
pub(crate) struct Dir {
    root: PathBuf,
    // Held for its lock.
    _lock: Option<File>,
}

impl Dir {
    /// Makes the directory where needed, locks it and checks its format.
    pub(crate) fn open(root: &Path) -> Result<Dir, OpenError> {
        let unwritable = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Unwritable { path, source }
        };
        fs::create_dir_all(root).map_err(unwritable(root))?;
        let root = root.canonicalize().map_err(unwritable(root))?;
        let lock = lock(&root)?;
        check_format(&root)?;
        for name in ["wal", "segments", "quarantine", "tmp"] {
            let path = root.join(name);
            fs::create_dir_all(&path).map_err(unwritable(&path))?;
        }
        let probe = root.join("tmp").join("probe");
        fs::write(&probe, b"x").and_then(|()| fs::remove_file(&probe)).map_err(unwritable(&probe))?;
        sync_dir(&root).map_err(OpenError::Engine)?;
        Ok(Dir { root, _lock: Some(lock) })
    }

    /// The directory as it is: nothing is made or changed. Locked, unless a server uses it, whose process id is the
    /// second part then, as far as it is known.
    pub(crate) fn look(root: &Path) -> Result<(Dir, Option<Option<u32>>), OpenError> {
        if !root.join("version").is_file() {
            return Err(OpenError::Absent { path: root.to_owned() });
        }
        let root = root.canonicalize().map_err(|source| OpenError::Unwritable { path: root.to_owned(), source })?;
        let lock = File::open(root.join("lock")).ok();
        let server = match &lock {
            Some(file) if !is_free(file) => Some(owner(file)),
            _ => None,
        };
        check_format(&root)?;
        Ok((Dir { root, _lock: lock.filter(|_| server.is_none()) }, server))
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn wal(&self) -> PathBuf {
        self.root.join("wal")
    }

    pub(crate) fn segments(&self) -> PathBuf {
        self.root.join("segments")
    }

    pub(crate) fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    pub(crate) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Moves a file to quarantine and writes down why. Failing is logged: the server goes on without the file.
    pub(crate) fn set_aside(&self, path: &Path, reason: &str) {
        let Some(name) = path.file_name() else { return };
        match fs::rename(path, self.quarantine().join(name)) {
            Ok(()) => self.set_aside_because(&name.to_string_lossy(), reason),
            Err(error) => tracing::warn!(%error, file = %path.display(), "could not be moved to quarantine"),
        }
    }

    /// Copies bytes to a file in quarantine and writes down why, once.
    pub(crate) fn copy_aside(&self, name: &str, bytes: &[u8], reason: &str) -> Result<PathBuf, Fault> {
        let path = self.quarantine().join(name);
        if !path.exists() {
            fs::write(&path, bytes).map_err(Fault::io(&path))?;
            self.set_aside_because(name, reason);
        }
        Ok(path)
    }

    /// Writes down why a file is in quarantine.
    fn set_aside_because(&self, name: &str, reason: &str) {
        let line = format!("{name}\t{}\n", reason.replace(['\n', '\t'], " "));
        let file = OpenOptions::new().create(true).append(true).open(self.quarantine().join(REASONS));
        if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
            tracing::warn!(%error, name, reason, "the reason for the quarantine could not be written down");
        }
    }

    pub(crate) fn manifest(&self) -> PathBuf {
        self.root.join("manifest.json")
    }

    /// Free and total bytes of the file system, without what it reserves for the superuser: full is when we are refused.
    pub(crate) fn disk(&self) -> (u64, u64) {
        rustix::fs::statvfs(&self.root).map_or((0, 0), |stat| {
            let usable = stat.f_blocks - stat.f_bfree + stat.f_bavail;
            (stat.f_bavail * stat.f_frsize, usable * stat.f_frsize)
        })
    }
}

fn lock(root: &Path) -> Result<File, OpenError> {
    let path = root.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|source| OpenError::Unwritable { path: path.clone(), source })?;
    if !is_free(&file) {
        return Err(OpenError::Locked { path: root.to_owned(), pid: owner(&file) });
    }
    sign(&mut file).map_err(|source| OpenError::Unwritable { path, source })?;
    Ok(file)
}

/// Takes the lock if nobody has it.
fn is_free(lock: &File) -> bool {
    rustix::fs::flock(lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_ok()
}

/// Who has it, by their own word.
fn owner(mut lock: &File) -> Option<u32> {
    let mut text = String::new();
    lock.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn sign(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}

fn check_format(root: &Path) -> Result<(), OpenError> {
    let path = root.join("version");
    match fs::read_to_string(&path) {
        Ok(text) => match text.trim().strip_prefix("orrery-data ").and_then(|number| number.parse::<u32>().ok()) {
            Some(found) if found <= FORMAT => Ok(()),
            Some(found) => Err(OpenError::NewerFormat { path: root.to_owned(), found, supported: FORMAT }),
            None => Err(OpenError::Damaged { path, reason: "it does not say which format the directory has".into() }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            write_atomic(&path, format!("orrery-data {FORMAT}\n").as_bytes()).map_err(|fault| match fault {
                Fault::Io { path, source } => OpenError::Unwritable { path, source },
                other => OpenError::Engine(other),
            })
        }
        Err(source) => Err(OpenError::Unwritable { path, source }),
    }
}

/// Replaces a file so that after a crash it has either the old or the new content.
pub(crate) fn write_atomic(path: &Path, content: &[u8]) -> Result<(), Fault> {
    let tmp = path.with_extension("tmp");
    write_synced(&tmp, content)?;
    rename_synced(&tmp, path)
}

/// Writes a new file and syncs it, not yet its directory.
pub(crate) fn write_synced(path: &Path, content: &[u8]) -> Result<(), Fault> {
    let mut file = File::create(path).map_err(Fault::io(path))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(Fault::io(path))
}

/// Renames within one directory and syncs that directory.
pub(crate) fn rename_synced(from: &Path, to: &Path) -> Result<(), Fault> {
    fs::rename(from, to).map_err(Fault::io(to))?;
    sync_dir(to.parent().expect("files of the data directory have a parent"))
}

/// Makes creations, renames and removals in a directory durable.
pub(crate) fn sync_dir(path: &Path) -> Result<(), Fault> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(Fault::io(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_server_is_told_who_has_the_directory() {
        let temp = tempfile::tempdir().unwrap();
        let first = Dir::open(temp.path()).unwrap();
        let error = Dir::open(temp.path()).unwrap_err();
        assert!(matches!(error, OpenError::Locked { pid: Some(pid), .. } if pid == std::process::id()), "{error}");
        drop(first);
        Dir::open(temp.path()).unwrap();
    }

    #[test]
    fn a_newer_format_is_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("version"), "orrery-data 99\n").unwrap();
        let error = Dir::open(temp.path()).unwrap_err();
        assert!(matches!(error, OpenError::NewerFormat { found: 99, .. }), "{error}");
        assert!(error.to_string().contains("upgrade"));
        fs::write(temp.path().join("version"), "hello").unwrap();
        assert!(matches!(Dir::open(temp.path()).unwrap_err(), OpenError::Damaged { .. }));
    }

    #[test]
    fn a_path_that_is_a_file_is_unwritable() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("file");
        fs::write(&path, b"x").unwrap();
        assert!(matches!(Dir::open(&path).unwrap_err(), OpenError::Unwritable { .. }));
        assert!(matches!(Dir::open(&path.join("sub")).unwrap_err(), OpenError::Unwritable { .. }));
    }
}
