//! The rollups' file written anew. Rows that were folded leave holes in it: after hours of load it is mostly holes.

use super::Inner;
use crate::dir::sync_dir;
use crate::error::{Fault, chain};
use crate::failpoint;
use crate::rollup::RollupError;
use std::sync::atomic::Ordering;

/// A file that is not larger than this stays as it is.
const SMALL: u64 = 4 << 20;

impl Inner {
    /// Writes the rollups' file anew if it has doubled since the last time. On the thread that seals and folds: nobody
    /// else writes rollups, unless they are made again.
    pub(super) fn shrink_rollups(&self) -> Result<(), Fault> {
        let is_due = self.rollups_bytes() > SMALL + 2 * self.rollups_shrunk.load(Ordering::Relaxed);
        // Rollups that failed are not those of the file.
        let are_whole = !self.rebuilding() && !self.rollups_failed.load(Ordering::Acquire);
        if is_due && are_whole { self.renew_rollups() } else { Ok(()) }
    }

    pub(super) fn renew_rollups(&self) -> Result<(), Fault> {
        let other = |error: RollupError| Fault::Other(chain(&error));
        // A start empties that directory.
        let (path, fresh) = (self.dir.rollups(), self.dir.tmp().join("rollups.duckdb"));
        let before = self.rollups_bytes();
        match std::fs::remove_file(&fresh) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Fault::io(&fresh)(error)),
            _ => {}
        }
        self.rollups.copy_to(&fresh).map_err(other)?;
        failpoint::pass("rollups copied")?;
        // No query is reading.
        let _gate = self.rollup_gate.write();
        self.rollups.let_go().map_err(other)?;
        let replaced = if path.with_extension("duckdb.wal").exists() {
            Err(Fault::Other("its log stays, which is not for another file".into()))
        } else {
            std::fs::rename(&fresh, &path).map_err(Fault::io(&path)).and_then(|()| sync_dir(self.dir.root()))
        };
        if let Err(error) = self.rollups.reopen(&path) {
            self.rollups_failed();
            return Err(other(error));
        }
        self.rollups_shrunk.store(self.rollups_bytes(), Ordering::Relaxed);
        tracing::debug!(before, after = self.rollups_bytes(), "rollups written anew");
        replaced
    }

    fn rollups_bytes(&self) -> u64 {
        std::fs::metadata(self.dir.rollups()).map_or(0, |meta| meta.len())
    }
}
