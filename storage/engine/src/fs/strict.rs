//! A disk as unkind as POSIX allows: after a crash, what was not synced is there, half there, or not there, each file
//! and each directory entry by itself, in whatever order. Operations fail when they are told to.

use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What goes wrong with an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// A write takes this many bytes and finds the disk full.
    Full(usize),
    /// A write fails after this many bytes.
    Write(usize),
    /// A sync fails; what it should have made durable never becomes so.
    Sync,
    /// A directory's sync, a creation, rename or removal fails.
    Entry,
}

/// The disk. Paths are names; directories exist.
#[derive(Debug, Default)]
pub(crate) struct Disk(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    files: Vec<Content>,
    /// What programs see.
    seen: BTreeMap<PathBuf, usize>,
    /// What is on disk.
    kept: BTreeMap<PathBuf, usize>,
    /// Changes of entries since the last sync of their directory, in order.
    changes: Vec<Change>,
    /// What happens to operations from now on, and how many of that kind pass before.
    wrong: Option<(Wrong, u32)>,
    /// Operations that failed.
    failed: u32,
}

#[derive(Clone, Debug)]
struct Change {
    path: PathBuf,
    /// `None`: removed.
    file: Option<usize>,
    /// A rename also takes this name away, at the same moment.
    from: Option<PathBuf>,
}

#[derive(Clone, Debug, Default)]
struct Content {
    seen: Vec<u8>,
    kept: Vec<u8>,
    /// Bytes that a failed sync gave up: they look fine and will never be written.
    lost: BTreeSet<usize>,
}

/// A file open for writing, always at its end.
pub(crate) struct Handle {
    disk: Arc<Disk>,
    file: usize,
}

fn failure(wrong: Wrong) -> io::Error {
    let kind = if matches!(wrong, Wrong::Full(_)) { io::ErrorKind::StorageFull } else { io::ErrorKind::Other };
    io::Error::new(kind, format!("injected {wrong:?}"))
}

impl State {
    /// Whether this operation goes wrong; `hits` says which kinds do for it.
    fn goes_wrong(&mut self, hits: impl Fn(Wrong) -> bool) -> Option<Wrong> {
        let (wrong, left) = self.wrong.as_mut().filter(|(wrong, _)| hits(*wrong))?;
        if *left > 0 {
            *left -= 1;
            return None;
        }
        let wrong = *wrong;
        self.wrong = None;
        self.failed += 1;
        Some(wrong)
    }

    fn entry(&mut self) -> io::Result<()> {
        self.goes_wrong(|wrong| wrong == Wrong::Entry).map_or(Ok(()), |wrong| Err(failure(wrong)))
    }

    fn change(&mut self, path: &Path, file: Option<usize>, from: Option<&Path>) {
        if let Some(from) = from {
            self.seen.remove(from);
        }
        match file {
            Some(file) => _ = self.seen.insert(path.to_owned(), file),
            None => _ = self.seen.remove(path),
        }
        self.changes.push(Change { path: path.to_owned(), file, from: from.map(Path::to_owned) });
    }
}

impl Change {
    fn apply(self, entries: &mut BTreeMap<PathBuf, usize>) {
        if let Some(from) = self.from {
            entries.remove(&from);
        }
        match self.file {
            Some(file) => _ = entries.insert(self.path, file),
            None => _ = entries.remove(&self.path),
        }
    }
}

impl Disk {
    pub(crate) fn create(self: &Arc<Disk>, path: &Path) -> io::Result<Handle> {
        let mut state = self.0.lock();
        state.entry()?;
        let file = match state.seen.get(path) {
            Some(&file) => {
                state.files[file].seen.clear();
                state.files[file].lost.clear();
                file
            }
            None => {
                state.files.push(Content::default());
                let file = state.files.len() - 1;
                state.change(path, Some(file), None);
                file
            }
        };
        Ok(Handle { disk: Arc::clone(self), file })
    }

    pub(crate) fn open(self: &Arc<Disk>, path: &Path) -> io::Result<Handle> {
        let file = self.0.lock().seen.get(path).copied().ok_or(io::ErrorKind::NotFound)?;
        Ok(Handle { disk: Arc::clone(self), file })
    }

    pub(crate) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.0.lock();
        let file = state.seen.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(state.files[*file].seen.clone())
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        state.entry()?;
        let file = state.seen.get(from).copied().ok_or(io::ErrorKind::NotFound)?;
        state.change(to, Some(file), Some(from));
        Ok(())
    }

    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        state.entry()?;
        state.seen.get(path).ok_or(io::ErrorKind::NotFound)?;
        state.change(path, None, None);
        Ok(())
    }

    pub(crate) fn list(&self, dir: &Path) -> Vec<(PathBuf, u64)> {
        let state = self.0.lock();
        let inside = state.seen.iter().filter(|(path, _)| path.parent() == Some(dir));
        inside.map(|(path, file)| (path.clone(), state.files[*file].seen.len() as u64)).collect()
    }

    pub(crate) fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        state.entry()?;
        let (synced, open) =
            std::mem::take(&mut state.changes).into_iter().partition(|change| change.path.parent() == Some(dir));
        state.changes = open;
        let synced: Vec<Change> = synced;
        synced.into_iter().for_each(|change| change.apply(&mut state.kept));
        Ok(())
    }

    /// Lets an operation go wrong, after `left` of its kind.
    pub(crate) fn break_soon(&self, wrong: Wrong, left: u32) {
        self.0.lock().wrong = Some((wrong, left));
    }

    /// All is well again; how many operations failed so far.
    pub(crate) fn mend(&self) -> u32 {
        let mut state = self.0.lock();
        state.wrong = None;
        state.failed
    }

    /// What is there after the power failed. `random` decides about everything that was not synced.
    pub(crate) fn crash(&self, mut random: impl FnMut() -> u64) -> Arc<Disk> {
        let state = self.0.lock();
        let mut kept = state.kept.clone();
        for change in &state.changes {
            if random().is_multiple_of(2) {
                change.clone().apply(&mut kept);
            }
        }
        let files: Vec<Content> = state.files.iter().map(|file| file.after_crash(&mut random)).collect();
        Arc::new(Disk(Mutex::new(State { files, seen: kept.clone(), kept, ..State::default() })))
    }
}

impl Content {
    fn after_crash(&self, random: &mut impl FnMut() -> u64) -> Content {
        // The length on disk is the synced one, or on its way to the one that was seen.
        let (short, long) = (self.kept.len().min(self.seen.len()), self.kept.len().max(self.seen.len()));
        let length = match random() % 4 {
            0 => self.kept.len(),
            1 => self.seen.len(),
            _ => short + random() as usize % (long - short + 1),
        };
        // Bytes that were not synced: there, or not in pieces of some size, or old ones of the disk.
        let piece = 1 + random() as usize % 64;
        let holes = random();
        let fill = [0, 0, 0xff, b'O'][(random() % 4) as usize];
        let byte = |at: usize| match (self.kept.get(at), self.seen.get(at)) {
            (Some(kept), Some(seen)) if kept == seen => *kept,
            (_, Some(seen)) if !self.lost.contains(&at) && holes >> (at / piece % 64) & 1 == 1 => *seen,
            (Some(kept), _) => *kept,
            _ => fill,
        };
        let content: Vec<u8> = (0..length).map(byte).collect();
        Content { seen: content.clone(), kept: content, lost: BTreeSet::new() }
    }
}

impl Handle {
    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        let wrong = state.goes_wrong(|wrong| matches!(wrong, Wrong::Full(_) | Wrong::Write(_)));
        let taken = match wrong {
            Some(Wrong::Full(bytes_taken) | Wrong::Write(bytes_taken)) => bytes_taken.min(bytes.len()),
            _ => bytes.len(),
        };
        state.files[self.file].seen.extend_from_slice(&bytes[..taken]);
        wrong.map_or(Ok(()), |wrong| Err(failure(wrong)))
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        let wrong = state.goes_wrong(|wrong| wrong == Wrong::Sync);
        let file = &mut state.files[self.file];
        if let Some(wrong) = wrong {
            // The kernel takes the pages for clean: a later sync succeeds and writes nothing of them.
            let unsynced = (0..file.seen.len()).filter(|at| file.kept.get(*at) != Some(&file.seen[*at]));
            let unsynced: Vec<usize> = unsynced.collect();
            file.lost.extend(unsynced);
            return Err(failure(wrong));
        }
        let byte =
            |at: usize| if file.lost.contains(&at) { file.kept.get(at).copied().unwrap_or(0) } else { file.seen[at] };
        file.kept = (0..file.seen.len()).map(byte).collect();
        Ok(())
    }

    pub(crate) fn cut(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        state.entry()?;
        let file = &mut state.files[self.file];
        file.seen.resize(bytes as usize, 0);
        file.lost.retain(|at| *at < bytes as usize);
        Ok(())
    }
}
