//! What is in a data directory, whether it is whole, and making it whole again.
//!
//! Looking changes nothing and needs nothing but the files. While a server uses the directory only what does not change
//! is looked at: the manifest and the segments it names. Repairing never removes the only copy of anything: what is
//! wrong is moved to `quarantine/`; what can be made again (rollups) or is still in the log is left to the engine's own
//! start.

mod columns;
mod log;
mod repair;
mod rollups;
mod segments;

use crate::dir::{Dir, REASONS};
use crate::error::{Fault, OpenError};
use crate::fs::Fs;
use crate::manifest::{Manifest, ManifestFile};
pub use columns::weigh;
use orrery_model::Signal;
pub use repair::repair;
pub(crate) use segments::is_name as is_segment_file;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What was found in a data directory.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The directory.
    pub path: PathBuf,
    /// Its format.
    pub format: u32,
    /// A server uses it: the log, the rollups and left-over files were not looked at.
    pub in_use: bool,
    /// That server, if it said who it is.
    pub server_pid: Option<u32>,
    /// Sealed data.
    pub signals: BTreeMap<Signal, Sealed>,
    /// What its columns take, if somebody asked [`weigh()`].
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<Signal, Weight>,
    /// The write-ahead log.
    pub log: Option<Log>,
    /// The rollups.
    pub rollups: Option<Rollups>,
    /// What was set aside at some time.
    pub quarantine: Vec<SetAside>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What [`repair()`] did; sentences.
    pub repaired: Vec<String>,
}

/// Sealed data of one signal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sealed {
    /// Number of segments.
    pub segments: u64,
    /// Rows in them.
    pub rows: u64,
    /// Bytes of both files of each.
    pub bytes: u64,
    /// Time of the earliest row, Unix nanoseconds.
    pub first_unix_nano: Option<i64>,
    /// Time of the latest row, Unix nanoseconds.
    pub last_unix_nano: Option<i64>,
    /// Segments by how often they were merged.
    pub levels: BTreeMap<u32, u64>,
}

/// What sealed data of a signal takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Weight {
    /// Number of rows.
    pub rows: u64,
    /// Bytes of each column. Attributes that have one of their own are called as they are.
    pub columns: BTreeMap<String, u64>,
    /// Bytes of what describes the columns.
    pub footers: u64,
    /// Bytes of the index files.
    pub indexes: u64,
}

/// The write-ahead log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Log {
    /// Number of files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Intact records.
    pub records: u64,
    /// Sequence number of the first and last of them.
    pub range: Option<(u64, u64)>,
    /// Records that are not sealed yet.
    pub unsealed_records: u64,
    /// Items in them.
    pub unsealed_items: BTreeMap<Signal, u64>,
    /// Damaged records that are not sealed.
    pub damaged_records: u64,
    /// Bytes of a record that was being written; never acknowledged. The next start cuts them off.
    pub torn_bytes: u64,
}

/// The rollups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rollups {
    /// Bytes of their file; 0 if there is none.
    pub bytes: u64,
    /// Slices that were sealed.
    pub slices: u64,
    /// Of them not in the file.
    pub missing: u64,
}

/// A file in quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SetAside {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
    /// Why it is there.
    pub reason: String,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub what: String,
    /// What to do, or what a repair does about it.
    pub fix: String,
    #[serde(skip)]
    repair: Repair,
}

/// How a finding is repaired.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Repair {
    /// By a person.
    None,
    /// The segment goes to quarantine.
    Segment { id: u64, reason: String },
    /// The pin with this number goes, its files to quarantine.
    Pin { id: u64, reason: String },
    /// The file goes to quarantine.
    File { path: PathBuf, reason: String },
    /// The engine does it when it opens the directory.
    Open,
}

/// Looks at a data directory and changes nothing.
///
/// # Errors
/// [`OpenError`]: it cannot be looked at; the message says why and what to do.
pub fn examine(root: &Path) -> Result<Report, OpenError> {
    let (dir, server) = Dir::look(root)?;
    look(&dir, server)
}

fn look(dir: &Dir, server: Option<Option<u32>>) -> Result<Report, OpenError> {
    let (manifest, damage) = ManifestFile::open(Fs::Real, dir.root())?;
    let manifest = manifest.current();
    let mut report = Report {
        path: dir.root().to_owned(),
        format: crate::dir::FORMAT,
        in_use: server.is_some(),
        server_pid: server.flatten(),
        signals: segments::sealed(&manifest),
        weights: BTreeMap::new(),
        log: None,
        rollups: None,
        quarantine: quarantine(dir).map_err(OpenError::Engine)?,
        findings: Vec::new(),
        repaired: Vec::new(),
    };
    report.findings.extend(damage.map(|what| Finding {
        what,
        fix: "nothing: the next start takes the copy, and the next seal writes both".to_owned(),
        repair: Repair::None,
    }));
    segments::verify(dir, &manifest, report.in_use, &mut report.findings)?;
    if !report.in_use {
        segments::left_over(dir, &manifest, &mut report.findings).map_err(OpenError::Engine)?;
        foreign(dir, &mut report.findings).map_err(OpenError::Engine)?;
        report.log = Some(log::read(dir, &manifest, &mut report.findings).map_err(OpenError::Engine)?);
        report.rollups = Some(rollups::read(dir, &manifest, &mut report.findings));
    }
    Ok(report)
}

/// What is in quarantine, with the reason that was written down.
fn quarantine(dir: &Dir) -> Result<Vec<SetAside>, Fault> {
    let reasons = std::fs::read_to_string(dir.quarantine().join(REASONS)).unwrap_or_default();
    let reasons: BTreeMap<&str, &str> = reasons.lines().filter_map(|line| line.split_once('\t')).collect();
    let mut files = Vec::new();
    for (name, path) in entries(&dir.quarantine())? {
        if name != REASONS {
            let bytes = std::fs::metadata(&path).map_or(0, |meta| meta.len());
            let reason = reasons.get(name.as_str()).copied().unwrap_or("not written down").to_owned();
            files.push(SetAside { name, bytes, reason });
        }
    }
    Ok(files)
}

/// Files that are not ours.
fn foreign(dir: &Dir, findings: &mut Vec<Finding>) -> Result<(), Fault> {
    const OURS: [&str; 17] = [
        // What people make, which is not the engine's.
        "meta.db",
        "meta.db-wal",
        "meta.db-shm",
        // The demo keeps its agent's state here.
        "agent",
        "version",
        "version.tmp",
        "lock",
        "manifest.json",
        "manifest.tmp",
        "manifest.copy.json",
        "manifest.copy.tmp",
        "wal",
        "segments",
        "pins",
        "quarantine",
        "tmp",
        "rollups.duckdb",
    ];
    let in_root = entries(dir.root())?
        .into_iter()
        .filter(|(name, _)| !OURS.contains(&name.as_str()) && !name.starts_with("rollups.duckdb."));
    let in_log = entries(&dir.wal())?.into_iter().filter(|(name, _)| !name.ends_with(".wal"));
    let sealed = entries(&dir.segments())?.into_iter().chain(entries(&dir.pins())?);
    let in_segments = sealed.filter(|(name, _)| !segments::is_name(name));
    for (_, path) in in_root.chain(in_log).chain(in_segments) {
        findings.push(Finding {
            what: format!("{} is not Orrery's", shown(dir, &path)),
            fix: "keep it somewhere else".to_owned(),
            repair: Repair::None,
        });
    }
    Ok(())
}

/// Names and paths of a directory's entries, by name; none if there is no directory.
fn entries(path: &Path) -> Result<Vec<(String, PathBuf)>, Fault> {
    let list = match std::fs::read_dir(path) {
        Ok(list) => list,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Fault::io(path)(error)),
    };
    let mut entries = Vec::new();
    for entry in list {
        let path = entry.map_err(Fault::io(path))?.path();
        entries.push((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), path));
    }
    entries.sort();
    Ok(entries)
}

/// A path as seen from the data directory.
fn shown(dir: &Dir, path: &Path) -> String {
    path.strip_prefix(dir.root()).unwrap_or(path).display().to_string()
}

/// Whether the manifest still names the segment: a server may have merged it meanwhile.
fn is_named(dir: &Dir, id: u64) -> bool {
    let named = |manifest: Manifest| manifest.segments.iter().any(|entry| entry.id == id);
    ManifestFile::open(Fs::Real, dir.root()).is_ok_and(|(file, _)| named(file.current()))
}

/// The same of a pin.
fn is_pinned(dir: &Dir, id: u64) -> bool {
    let named = |manifest: Manifest| manifest.pins.iter().any(|pin| pin.segment.id == id);
    ManifestFile::open(Fs::Real, dir.root()).is_ok_and(|(file, _)| named(file.current()))
}

#[cfg(test)]
mod tests;
