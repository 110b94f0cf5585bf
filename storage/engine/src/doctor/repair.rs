//! Making a data directory whole again.

use super::{Finding, Repair, Report, look};
use crate::config::Config;
use crate::dir::Dir;
use crate::engine::Engine;
use crate::error::OpenError;
use crate::fs::Fs;
use crate::manifest::ManifestFile;
use crate::segment::Segments;
use orrery_model::Decode;
use orrery_query::Store;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Looks, repairs what can be repaired, and looks again. The report is of afterwards; `repaired` says what was done.
/// `decode` reads the log's bodies.
///
/// # Errors
/// [`OpenError::Locked`]: stop the server first. Others as in [`super::examine`].
pub fn repair(root: &Path, decode: Arc<dyn Decode>) -> Result<Report, OpenError> {
    let (dir, server) = Dir::look(root)?;
    if let Some(pid) = server {
        return Err(OpenError::Locked { path: root.to_owned(), pid });
    }
    let findings = look(&dir, server)?.findings;
    std::fs::create_dir_all(dir.quarantine())
        .map_err(|source| OpenError::Unwritable { path: dir.quarantine(), source })?;
    let (manifest, _) = ManifestFile::open(Fs::Real, dir.root())?;
    for finding in &findings {
        apply(&dir, &manifest, finding)?;
    }
    // The lock goes to the engine.
    drop(dir);
    if findings.iter().any(|finding| finding.repair == Repair::Open) {
        open(root, decode)?;
    }
    let (dir, server) = Dir::look(root)?;
    let mut report = look(&dir, server)?;
    let done = findings.into_iter().filter(|finding| !report.findings.contains(finding));
    report.repaired = done.map(|finding| finding.what).collect();
    Ok(report)
}

fn apply(dir: &Dir, manifest: &ManifestFile, finding: &Finding) -> Result<(), OpenError> {
    match &finding.repair {
        Repair::None | Repair::Open => {}
        Repair::File { path, reason } => _ = dir.set_aside(path, reason),
        Repair::Segment { id, reason } => {
            let Some(entry) = manifest.with(|held| held.segments.iter().find(|entry| entry.id == *id).cloned()) else {
                return Ok(());
            };
            manifest
                .commit(|held| {
                    held.segments.retain(|other| other.id != *id);
                    held.counters.dropped(entry.signal, "damaged", entry.rows);
                })
                .map_err(OpenError::Engine)?;
            let segment = Segments::new(dir.segments(), 0).segment(entry);
            let files = segment.files().into_iter().filter(|path| path.exists());
            files.for_each(|path| _ = dir.set_aside(path, reason));
        }
        Repair::Pin { id, reason } => {
            let Some(pin) = manifest.with(|held| held.pins.iter().find(|pin| pin.segment.id == *id).cloned()) else {
                return Ok(());
            };
            manifest.commit(|held| held.pins.retain(|other| other.segment.id != *id)).map_err(OpenError::Engine)?;
            let segment = Segments::new(dir.pins(), 0).pinned(&pin);
            let files = segment.files().into_iter().filter(|path| path.exists());
            files.for_each(|path| _ = dir.set_aside(path, reason));
        }
    }
    Ok(())
}

/// Lets the engine do what it does at every start, and seals everything, so that nothing damaged is met again.
fn open(root: &Path, decode: Arc<dyn Decode>) -> Result<(), OpenError> {
    let config = Config {
        retention: None,
        compact: false,
        seal_after: Duration::ZERO,
        disk_reserve_bytes: 0,
        ..Config::new(root)
    };
    let engine = Engine::open(config, decode)?;
    while !engine.is_settled() {
        std::thread::sleep(Duration::from_millis(20));
    }
    engine.close();
    Ok(())
}
