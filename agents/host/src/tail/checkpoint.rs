//! How far each log file was delivered, kept on disk.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::fingerprint::{FileId, Fingerprint};

/// Everything kept between two runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// Globs used before: a file new under one of them appeared since, and is read from its beginning.
    pub(super) globs: Vec<String>,
    pub(super) files: Vec<SavedFile>,
}

/// One file's progress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SavedFile {
    pub(super) path: PathBuf,
    pub(super) glob: String,
    #[serde(flatten)]
    pub(super) id: FileId,
    pub(super) fingerprint: Fingerprint,
    /// Bytes whose records the server acknowledged.
    pub(super) offset: u64,
}

impl Checkpoint {
    /// Reads what the previous run kept; nothing on the first.
    ///
    /// A file that cannot be understood is set aside and all `globs` count as used: their files are read from the
    /// beginning, since a line twice is better than a line lost.
    ///
    /// # Errors
    /// The file exists and cannot be read or set aside.
    pub(super) fn load(path: &Path, globs: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let content = match fs::read(path) {
            Ok(content) => content,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        match serde_json::from_slice(&content) {
            Ok(checkpoint) => Ok(checkpoint),
            Err(error) => {
                let aside = path.with_extension("broken");
                fs::rename(path, &aside).with_context(|| format!("setting aside {}", path.display()))?;
                tracing::warn!(%error, kept_as = %aside.display(), "log offsets are unreadable: files are read again");
                Ok(Self { globs: globs.collect(), files: Vec::new() })
            }
        }
    }

    /// Writes atomically and durably: after a crash the old or the new is there, whole.
    pub(super) fn save(&self, path: &Path) -> anyhow::Result<()> {
        let new = path.with_extension("new");
        let write = || -> anyhow::Result<()> {
            let mut file = File::create(&new)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            file.sync_all()?;
            fs::rename(&new, path)?;
            File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(())
        };
        write().with_context(|| format!("keeping log offsets in {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_file_is_set_aside_and_means_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log-offsets.json");
        let globs = || std::iter::once("/x/*.log".to_owned());
        assert_eq!(Checkpoint::load(&path, globs()).unwrap(), Checkpoint::default());
        fs::write(&path, "{\"globs\": [\"/x").unwrap();
        assert_eq!(Checkpoint::load(&path, globs()).unwrap().globs, ["/x/*.log"]);
        assert!(path.with_extension("broken").exists());
        let saved = Checkpoint { globs: globs().collect(), files: Vec::new() };
        saved.save(&path).unwrap();
        assert_eq!(Checkpoint::load(&path, std::iter::empty()).unwrap(), saved);
    }
}
