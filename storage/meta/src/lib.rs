//! What people make and Orrery keeps beside telemetry: saved views, short links, what was written about alerts; and what
//! their evaluation remembers. In a SQLite file of the data directory (`meta.db`), which only its owner may read: channels
//! have secrets. The only crate that knows SQLite and its statements; callers see types.
//!
//! Every change is durable when its call returns: the log of the file is synced with each commit. Calls block. Time comes
//! from the caller. A file that is damaged never stops a start: it goes to quarantine, and a new one begins.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test says so by failing"))]

mod documents;
mod links;
mod look;
mod marks;
mod open;
mod outbox;
mod views;

pub use documents::{Document, Editor, Kind, Origin};
pub use look::{Found, look};
pub use open::{OpenError, Opened};
pub use outbox::{
    AlertState, Attempted, Deliveries, Event, EventQuery, Message, MessageState, NewEvent, NewMessage, Step,
};
pub use views::{NewView, View};

use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode};
use std::path::Path;

/// Name of the file in the data directory. Beside it SQLite keeps a log with the ending `-wal` and an index of that with
/// the ending `-shm`.
pub const FILE: &str = "meta.db";

/// The open file.
#[derive(Debug)]
pub struct Meta {
    db: Mutex<Connection>,
}

/// Why something was not kept, or not found out.
#[derive(Debug, thiserror::Error)]
pub enum MetaError {
    /// Another view, or document of the kind, has this name.
    #[error("another {kind} is called `{name}`")]
    NameTaken {
        /// Of what.
        kind: &'static str,
        /// Which.
        name: String,
    },
    /// No more views, or documents of the kind, are kept.
    #[error("{most} {kind}s are kept at most: delete one first")]
    TooMany {
        /// Of what.
        kind: &'static str,
        /// How many.
        most: i64,
    },
    /// The disk is full; once it is not, trying again may help.
    #[error("the disk is full")]
    DiskFull,
    /// SQLite failed: a bug or a sick disk.
    #[error("the metadata could not be read or written")]
    Failed(#[source] rusqlite::Error),
}

impl From<rusqlite::Error> for MetaError {
    fn from(error: rusqlite::Error) -> MetaError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => MetaError::DiskFull,
            _ => MetaError::Failed(error),
        }
    }
}

impl Meta {
    /// Opens the file in a data directory that the caller has locked, makes it where needed and brings it up to date.
    ///
    /// # Errors
    /// [`OpenError`]: it is there but cannot be used, and it is not damaged; nothing was changed.
    pub fn open(dir: &Path) -> Result<Opened, OpenError> {
        open::open(dir)
    }
}

#[cfg(test)]
mod tests;
