//! The manifest: which segments exist, how far the log is sealed, and the counters up to there.
//!
//! One small file, replaced as a whole; its replacement is the moment at which anything sealed becomes so.

mod text;

use crate::counters::Counters;
use crate::dir::{rename_synced, write_synced};
use crate::error::{Fault, OpenError, chain};
use crate::failpoint;
use crate::fs::Fs;
use crate::promote::Promoted;
use crate::slice::Observed;
use crate::wal;
use orrery_model::{Signal, TraceId};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::Hash;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use text::{parse, print};

/// What the manifest says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Manifest {
    /// Number of the next segment to be made.
    pub(crate) next_segment: u64,
    /// Number of the next slice to be sealed; earlier ones are.
    pub(crate) next_slice: u64,
    /// First sequence number of the log that is not sealed.
    pub(crate) cursor: u64,
    /// The observer of rollups at the cursor.
    pub(crate) observed: Observed,
    /// Counters of everything before the cursor, and of what retention and damage removed.
    pub(crate) counters: Counters,
    pub(crate) segments: Vec<SegmentEntry>,
    /// Number of the next pin to be made.
    pub(crate) next_pin: u64,
    /// Traces that are kept whatever happens to the segments.
    pub(crate) pins: Vec<Pin>,
}

/// A trace that is kept: a copy of its spans as a segment of its own, which nothing but questions for this trace reads.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pin {
    pub(crate) trace_id: TraceId,
    pub(crate) pinned_unix_nano: i64,
    /// Service of the root span, in text form; of the earliest span where there is none.
    pub(crate) root_service: String,
    pub(crate) root_name: String,
    /// Earliest start to latest end.
    pub(crate) duration_nanos: i64,
    /// Failed spans.
    pub(crate) errors: u64,
    /// In the folder of pins; its number is one of pins.
    pub(crate) segment: SegmentEntry,
}

/// A segment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SegmentEntry {
    pub(crate) id: u64,
    pub(crate) signal: Signal,
    /// 0 as sealed, else how often merged.
    pub(crate) level: u32,
    pub(crate) rows: u64,
    /// Earliest and latest row, Unix nanoseconds.
    pub(crate) first_unix_nano: i64,
    pub(crate) last_unix_nano: i64,
    pub(crate) bytes: u64,
    pub(crate) crc32: u32,
    pub(crate) index_bytes: u64,
    pub(crate) index_crc32: u32,
    /// Services with rows here, in text form.
    pub(crate) services: Arc<[String]>,
    /// Attributes with columns of their own.
    pub(crate) promoted: Arc<[Promoted]>,
    /// Attributes in the map; `None` when too many to list.
    pub(crate) mapped: Option<Arc<BTreeSet<String>>>,
    /// By retention rule: rows before this time, Unix nanoseconds, have been judged by it and are here for good.
    pub(crate) judged: BTreeMap<String, i64>,
}

impl SegmentEntry {
    /// Name of its files, without extension.
    pub(crate) fn stem(&self) -> String {
        format!("{}-{:010}", self.signal, self.id)
    }
}

/// The lists of segments, which are alike: each once in memory.
#[derive(Default)]
pub(crate) struct Shared {
    services: HashSet<Arc<[String]>>,
    promoted: HashSet<Arc<[Promoted]>>,
    mapped: HashSet<Arc<BTreeSet<String>>>,
}

impl Shared {
    /// Puts shared lists in the place of those of an entry, which is new.
    pub(crate) fn share(&mut self, entry: &mut SegmentEntry) {
        if !entry.promoted.is_sorted_by_key(|promoted| &promoted.key) {
            // Whatever is the most frequent.
            let mut promoted = entry.promoted.to_vec();
            promoted.sort_by(|a, b| a.key.cmp(&b.key));
            entry.promoted = promoted.into();
        }
        share(&mut self.services, &mut entry.services);
        share(&mut self.promoted, &mut entry.promoted);
        entry.mapped.iter_mut().for_each(|keys| share(&mut self.mapped, keys));
    }
}

fn share<T: ?Sized + Hash + Eq>(known: &mut HashSet<Arc<T>>, list: &mut Arc<T>) {
    match known.get(&*list) {
        Some(same) => *list = Arc::clone(same),
        None => {
            // What nobody else has any more is forgotten.
            known.retain(|list| Arc::strong_count(list) > 1);
            known.insert(Arc::clone(list));
        }
    }
}

/// Its file in the data directory, and the copy that is read when the file is damaged.
pub(crate) const NAME: &str = "manifest.json";
const COPY: &str = "manifest.copy.json";

/// The manifest in memory and on disk.
pub(crate) struct ManifestFile {
    fs: Fs,
    path: PathBuf,
    copy: PathBuf,
    current: Mutex<(Manifest, Shared)>,
}

impl ManifestFile {
    /// Reads it; a missing one is empty. Answers also what was wrong, if the copy had to be taken or, where nothing is
    /// lost by that, an empty one.
    ///
    /// # Errors
    /// [`OpenError::Damaged`]: there is no readable one, and the log does not have everything.
    pub(crate) fn open(fs: Fs, root: &Path) -> Result<(ManifestFile, Option<String>), OpenError> {
        let (path, copy) = (root.join(NAME), root.join(COPY));
        // One that was renamed and not synced may be seen now and gone after a power cut: nothing is removed for it.
        fs.sync_dir(root).map_err(|error| OpenError::Engine(Fault::io(root)(error)))?;
        let (first, second) = (read(&fs, &path), read(&fs, &copy));
        let (manifest, damage) = match (first, second) {
            (Ok(Some(first)), _) => (first, None),
            (first, Ok(Some(second))) => (second, Some(first.err().unwrap_or_else(|| "it is missing".to_owned()))),
            (Ok(None), Ok(None)) => (Manifest::default(), None),
            (Err(reason), _) | (_, Err(reason)) if log_is_whole(&fs, root) => (Manifest::default(), Some(reason)),
            (Err(reason), _) | (_, Err(reason)) => return Err(OpenError::Damaged { path, reason }),
        };
        let damage =
            damage.map(|reason| format!("{} could not be used: {reason}; its copy, or the log, was", path.display()));
        let current = Mutex::new((manifest, Shared::default()));
        Ok((ManifestFile { fs, path, copy, current }, damage))
    }

    pub(crate) fn current(&self) -> Manifest {
        self.current.lock().0.clone()
    }

    /// Reads a part without copying the whole.
    pub(crate) fn with<T>(&self, read: impl FnOnce(&Manifest) -> T) -> T {
        read(&self.current.lock().0)
    }

    /// Changes it, on disk first. On an error nothing has changed here; on disk either state may be.
    pub(crate) fn commit(&self, change: impl FnOnce(&mut Manifest)) -> Result<(), Fault> {
        let mut held = self.current.lock();
        let (current, shared) = &mut *held;
        let mut next = current.clone();
        change(&mut next);
        let is_new = |entry: &&mut SegmentEntry| entry.id >= current.next_segment;
        next.segments.iter_mut().filter(is_new).for_each(|entry| shared.share(entry));
        let pins = next.pins.iter_mut().map(|pin| &mut pin.segment);
        pins.filter(|entry| entry.id >= current.next_pin).for_each(|entry| shared.share(entry));
        let text = print(&next);
        let tmp = self.path.with_extension("tmp");
        write_synced(&self.fs, &tmp, text.as_bytes())?;
        failpoint::pass("manifest written")?;
        if let Err(fault) = rename_synced(&self.fs, &tmp, &self.path, "manifest renamed") {
            // It may be the new one that a crash would leave: its files must not be written over.
            (current.next_segment, current.next_pin) = (next.next_segment, next.next_pin);
            return Err(fault);
        }
        *current = next;
        _ = failpoint::pass("manifest durable");
        // Never newer than the manifest itself: what that one names is durable, and what the log needs is still there.
        let tmp = self.copy.with_extension("tmp");
        let copied = write_synced(&self.fs, &tmp, text.as_bytes())
            .and_then(|()| rename_synced(&self.fs, &tmp, &self.copy, "manifest copied"));
        if let Err(fault) = copied {
            tracing::warn!(error = chain(&fault), "the manifest's copy stays as it was");
        }
        Ok(())
    }
}

/// Whether a directory has a manifest that says something.
pub(crate) fn is_readable(root: &Path) -> bool {
    [NAME, COPY].iter().any(|name| matches!(read(&Fs::Real, &root.join(name)), Ok(Some(_))))
}

fn read(fs: &Fs, path: &Path) -> Result<Option<Manifest>, String> {
    match fs.read(path) {
        Ok(bytes) => parse(str::from_utf8(&bytes).map_err(|_| "it is no text")?).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether the log has everything since the beginning.
pub(crate) fn log_is_whole(fs: &Fs, root: &Path) -> bool {
    let files = wal::files(fs, &root.join("wal"));
    files.is_ok_and(|files| files.first().is_some_and(|file| file.first_seq == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_survives_and_damage_is_told() {
        let temp = tempfile::tempdir().unwrap();
        let open = || ManifestFile::open(Fs::Real, temp.path());
        let (file, damage) = open().unwrap();
        assert_eq!(damage, None);
        file.commit(|manifest| {
            manifest.cursor = 7;
            manifest.counters.rejected(Signal::Logs, "empty \"x\"\n", 3);
        })
        .unwrap();
        assert_eq!(open().unwrap().0.current(), file.current());
        let path = temp.path().join(NAME);
        let mut bytes = std::fs::read(&path).unwrap();
        for at in [0, 20, bytes.len() - 3] {
            bytes[at] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            let (copy, damage) = open().unwrap();
            assert_eq!((copy.current(), damage.is_some()), (file.current(), true), "byte {at}");
            bytes[at] ^= 1;
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(open().unwrap().0.current(), file.current());
        std::fs::write(temp.path().join(COPY), "").unwrap();
        assert!(matches!(open(), Err(OpenError::Damaged { .. })), "neither is there");
    }

    fn sample() -> Manifest {
        let segment = SegmentEntry {
            id: 3,
            signal: Signal::Traces,
            level: 1,
            rows: 10,
            first_unix_nano: -1,
            last_unix_nano: 5,
            bytes: 100,
            crc32: 7,
            index_bytes: 9,
            index_crc32: 8,
            services: ["shop/cart@test".into()].into(),
            promoted: [].into(),
            mapped: Some(Arc::new(["a \"key\"".to_owned()].into())),
            judged: BTreeMap::new(),
        };
        let mut manifest = Manifest { next_segment: 4, next_slice: 2, cursor: 7, ..Manifest::default() };
        let pin = Pin {
            trace_id: TraceId([7; 16]),
            pinned_unix_nano: 9,
            root_service: "shop/cart@test".into(),
            root_name: "GET \"/\"".into(),
            duration_nanos: 6,
            errors: 1,
            segment: SegmentEntry { id: 0, ..segment.clone() },
        };
        (manifest.next_pin, manifest.pins) = (1, vec![pin]);
        manifest.segments.push(segment);
        manifest.counters.rejected(Signal::Logs, "empty", 3);
        manifest
    }

    #[test]
    fn no_single_bit_changes_what_a_manifest_says() {
        let good = print(&sample());
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bytes = good.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let read = std::str::from_utf8(&bytes).ok().and_then(|text| parse(text).ok());
                assert!(read.is_none_or(|read| read == sample()), "bit {bit} of byte {at}");
            }
        }
        (0..good.len() - 1).for_each(|end| assert!(parse(&good[..end]).is_err(), "cut at {end}"));
    }

    proptest::proptest! {
        /// A right checksum over wrong contents: an error, or a manifest that reads the same when it is written again.
        #[test]
        fn hostile_manifests_are_refused_or_stable(
            changes in proptest::collection::vec((proptest::prelude::any::<proptest::sample::Index>(), "[0-9a-z\\[\\]{}\",:.-]{0,6}"), 1..4)
        ) {
            let text = print(&sample());
            let (first, json) = text.split_once('\n').unwrap();
            let magic = &first[..first.len() - 8];
            let mut json = json.to_owned();
            for (at, text) in changes {
                let at = at.index(json.len());
                json.replace_range(at..at + 1, &text);
            }
            if let Ok(read) = parse(&format!("{magic}{:08x}\n{json}\n", crc32fast::hash(json.as_bytes()))) {
                proptest::prop_assert_eq!(parse(&print(&read)), Ok(read));
            }
        }
    }
}
