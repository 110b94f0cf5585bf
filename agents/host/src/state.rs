//! The directory that outlives a run: one agent's alone.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Context;
use rand::RngExt;
use rustix::fs::{FlockOperation, flock};

/// A locked state directory. The lock goes with the value, or with the process however it ends.
#[derive(Debug)]
pub(crate) struct StateDir {
    path: PathBuf,
    _lock: File,
}

impl StateDir {
    /// Creates and locks the directory.
    ///
    /// # Errors
    /// It cannot be written, or another agent uses it. The message says how to choose another.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let cannot = || format!("state directory {} cannot be used: choose another with --state-dir", path.display());
        fs::create_dir_all(path).with_context(cannot)?;
        let lock = File::create(path.join("lock")).with_context(cannot)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            anyhow::anyhow!(
                "state directory {} is in use by another orrery-agent: choose another with --state-dir",
                path.display()
            )
        })?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Where log offsets are kept.
    pub(crate) fn log_offsets(&self) -> PathBuf {
        self.path.join("log-offsets.json")
    }

    /// This agent's `service.instance.id`: made up on the first run, kept from then on, so that restarts continue
    /// their series and two agents on one host do not mix theirs.
    pub(crate) fn instance_id(&self) -> anyhow::Result<String> {
        let path = self.path.join("instance-id");
        let kept = fs::read_to_string(&path).unwrap_or_default().trim().to_owned();
        if !kept.is_empty() {
            return Ok(kept);
        }
        let id = random_id();
        fs::write(&path, format!("{id}\n")).with_context(|| format!("writing {}", path.display()))?;
        Ok(id)
    }
}

/// A random UUID (RFC 9562, version 4).
pub(crate) fn random_id() -> String {
    let random: u128 = rand::rng().random();
    let bits = random & !(0xf << 76) & !(0b11 << 62) | (4 << 76) | (0b10 << 62);
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_and_stay() {
        let id = random_id();
        assert_eq!((id.len(), &id[14..15]), (36, "4"), "{id}");
        assert!("89ab".contains(&id[19..20]), "{id}");
        let directory = tempfile::tempdir().unwrap();
        let first = StateDir::open(directory.path()).unwrap().instance_id().unwrap();
        assert_eq!(StateDir::open(directory.path()).unwrap().instance_id().unwrap(), first);
        assert_ne!(first, random_id());
    }

    #[test]
    fn one_agent_per_directory() {
        let directory = tempfile::tempdir().unwrap();
        let held = StateDir::open(directory.path()).unwrap();
        let refused = StateDir::open(directory.path()).unwrap_err().to_string();
        assert!(refused.contains("in use") && refused.contains("--state-dir"), "{refused}");
        drop(held);
        StateDir::open(directory.path()).unwrap();
    }

    #[test]
    fn an_unusable_directory_names_the_way_out() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let refused = StateDir::open(&file.path().join("state")).unwrap_err().to_string();
        assert!(refused.contains("--state-dir"), "{refused}");
    }
}
