//! The data directory: layout, version, lock, and writing files so that they survive.

use crate::error::{Fault, OpenError};
use crate::failpoint;
use crate::fs::Fs;
use crate::manifest;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Format of the data directory that this code writes, and the newest it reads.
pub(crate) const FORMAT: u32 = 3;

/// In quarantine: a line for each file there, its name, a tab, the reason.
pub(crate) const REASONS: &str = "reasons.txt";

/// A locked data directory. See `FORMAT.md` for what lies where.
#[derive(Debug)]
pub(crate) struct Dir {
    root: PathBuf,
    damage: Option<String>,
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
        let damage = check_format(&root, Found::Mended)?;
        for name in ["wal", "segments", "pins", "quarantine", "tmp"] {
            let path = root.join(name);
            fs::create_dir_all(&path).map_err(unwritable(&path))?;
            failpoint::pass("directory made").map_err(OpenError::Engine)?;
        }
        let probe = root.join("tmp").join("probe");
        // A full disk is no reason to stay down: retention makes room, and what is there can be read.
        unless_full(fs::write(&probe, b"x").and_then(|()| fs::remove_file(&probe))).map_err(unwritable(&probe))?;
        Ok(Dir { root, damage, _lock: Some(lock) })
    }

    /// The directory as it is: nothing is made or changed. Locked, unless a server uses it, whose process id is the
    /// second part then, as far as it is known.
    pub(crate) fn look(root: &Path) -> Result<(Dir, Option<Option<u32>>), OpenError> {
        if !root.join("version").exists() {
            return Err(OpenError::Absent { path: root.to_owned() });
        }
        let root = root.canonicalize().map_err(|source| OpenError::Unwritable { path: root.to_owned(), source })?;
        let lock = File::open(root.join("lock")).ok();
        let server = match &lock {
            Some(file) if !is_free(file) => Some(owner(file)),
            _ => None,
        };
        check_format(&root, Found::Left)?;
        Ok((Dir { root, damage: None, _lock: lock.filter(|_| server.is_none()) }, server))
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

    /// Segments of pinned traces.
    pub(crate) fn pins(&self) -> PathBuf {
        self.root.join("pins")
    }

    pub(crate) fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    pub(crate) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    pub(crate) fn manifest(&self) -> PathBuf {
        self.root.join(manifest::NAME)
    }

    pub(crate) fn rollups(&self) -> PathBuf {
        self.root.join("rollups.duckdb")
    }

    /// What was wrong with the directory itself and is mended.
    pub(crate) fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    /// Moves a file, or whatever has its name, to quarantine, under a name that is free there, and writes down why.
    /// Answers where it is.
    pub(crate) fn set_aside(&self, path: &Path, reason: &str) -> io::Result<PathBuf> {
        set_aside(&self.root, path, reason)
            .inspect_err(|error| tracing::warn!(%error, file = %path.display(), "could not be moved to quarantine"))
    }

    /// Moves the rollups' file and its log to quarantine.
    pub(crate) fn set_rollups_aside(&self) -> Result<(), Fault> {
        let path = self.rollups();
        for path in [path.with_extension("duckdb.wal"), path] {
            if path.exists() {
                self.set_aside(&path, "rollups that did not open").map_err(Fault::io(&path))?;
            }
        }
        Ok(())
    }

    /// Copies bytes to a file in quarantine and writes down why, once; answers with a clause for a warning. A full disk
    /// must not stop a start.
    pub(crate) fn copy_aside(&self, name: &str, bytes: &[u8], reason: &str) -> String {
        let path = self.quarantine().join(name);
        if !path.exists() {
            if let Err(error) = fs::write(&path, bytes) {
                return format!("no copy could be kept ({error})");
            }
            write_down(&self.quarantine(), name, reason);
        }
        format!("copy in {}", path.display())
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
    if path.is_dir() {
        set_aside(root, &path, "a directory instead of the lock")
            .map_err(|source| OpenError::Unwritable { path: path.clone(), source })?;
    }
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
    unless_full(sign(&mut file)).map_err(|source| OpenError::Unwritable { path, source })?;
    Ok(file)
}

fn unless_full(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| if error.kind() == io::ErrorKind::StorageFull { Ok(()) } else { Err(error) })
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

/// What becomes of a version that is not there or says nothing.
#[derive(PartialEq)]
enum Found {
    Left,
    Mended,
}

/// Checks the version, or writes it; answers what was wrong.
fn check_format(root: &Path, wrong: Found) -> Result<Option<String>, OpenError> {
    let path = root.join("version");
    let found = match fs::read(&path) {
        Ok(text) => str::from_utf8(&text).ok().and_then(format_of),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return write_format(&path).map(|()| None),
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => None,
        Err(source) => return Err(OpenError::Unwritable { path, source }),
    };
    match found {
        // From now on there will be something in it that only we can read.
        Some(found) if found < FORMAT && wrong == Found::Mended => write_format(&path).map(|()| None),
        Some(found) if found <= FORMAT => Ok(None),
        Some(found) => Err(OpenError::NewerFormat { path: root.to_owned(), found, supported: FORMAT }),
        // The manifest says as well whose directory this is.
        None if wrong == Found::Left && manifest::is_readable(root) => Ok(None),
        None if manifest::is_readable(root) => {
            let aside = set_aside(root, &path, "a version that does not say which format the directory has")
                .map_err(|source| OpenError::Unwritable { path: path.clone(), source })?;
            write_format(&path)?;
            Ok(Some(format!("the version file did not say which format the directory has; it is {}", aside.display())))
        }
        None => Err(OpenError::Damaged { path, reason: "it does not say which format the directory has".into() }),
    }
}

fn format_of(text: &str) -> Option<u32> {
    text.trim().strip_prefix("orrery-data ")?.parse().ok()
}

fn write_format(path: &Path) -> Result<(), OpenError> {
    let line = format!("orrery-data {FORMAT}\n");
    let written = write_synced(&Fs::Real, &path.with_extension("tmp"), line.as_bytes())
        .and_then(|()| failpoint::pass("version written"))
        .and_then(|()| rename_synced(&Fs::Real, &path.with_extension("tmp"), path, "version renamed"));
    written.map_err(|fault| match fault {
        Fault::Io { path, source } => OpenError::Unwritable { path, source },
        other => OpenError::Engine(other),
    })
}

fn set_aside(root: &Path, path: &Path, reason: &str) -> io::Result<PathBuf> {
    let quarantine = root.join("quarantine");
    fs::create_dir_all(&quarantine)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let names = std::iter::once(name.to_string()).chain((1..).map(|number| format!("{name}.{number}")));
    let free = names.into_iter().find(|name| !quarantine.join(name).exists()).expect("names do not end");
    fs::rename(path, quarantine.join(&free))?;
    write_down(&quarantine, &free, reason);
    Ok(quarantine.join(free))
}

/// Writes down why a file is in quarantine.
fn write_down(quarantine: &Path, name: &str, reason: &str) {
    let line = format!("{name}\t{}\n", reason.replace(['\n', '\t'], " "));
    let file = OpenOptions::new().create(true).append(true).open(quarantine.join(REASONS));
    if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
        tracing::warn!(%error, name, reason, "the reason for the quarantine could not be written down");
    }
}

/// Writes a new file and syncs it, not yet its directory.
pub(crate) fn write_synced(fs: &Fs, path: &Path, content: &[u8]) -> Result<(), Fault> {
    let written = fs.create(path).and_then(|mut file| file.write_all(content).and_then(|()| file.sync()));
    // After a failed sync nobody knows what of this file a later one would save: the next attempt has one of its own.
    written.inspect_err(|_| _ = fs.remove(path)).map_err(Fault::io(path))
}

/// Renames within one directory and syncs that directory: after a crash the name has either the old or the new content.
/// `step` is passed in between.
pub(crate) fn rename_synced(fs: &Fs, from: &Path, to: &Path, step: &'static str) -> Result<(), Fault> {
    fs.rename(from, to).map_err(Fault::io(to))?;
    failpoint::pass(step)?;
    let dir = to.parent().expect("files of the data directory have a parent");
    fs.sync_dir(dir).map_err(Fault::io(dir))
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
