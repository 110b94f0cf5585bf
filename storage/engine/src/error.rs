//! Errors.

use std::io;
use std::path::{Path, PathBuf};

/// Why a data directory did not open. Each message names the fix.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another server uses it.
    #[error("{} is in use by process {}: stop it, or give this server another data directory", .path.display(), .pid.map_or("(unknown)".to_owned(), |pid| pid.to_string()))]
    Locked {
        /// The data directory.
        path: PathBuf,
        /// The other server, if it said who it is.
        pid: Option<u32>,
    },
    /// There is no data directory.
    #[error("{} is no data directory: it has no file `version`", .path.display())]
    Absent {
        /// Where one was expected.
        path: PathBuf,
    },
    /// It cannot be made or written.
    #[error("{} cannot be written ({source}): give this user the right to write there, or choose another data directory", .path.display())]
    Unwritable {
        /// What could not be written.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A newer Orrery wrote it.
    #[error("{} was written by a newer Orrery (format {found}, this one reads up to {supported}): upgrade this server, or choose another data directory", .path.display())]
    NewerFormat {
        /// The data directory.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format known here.
        supported: u32,
    },
    /// A file that nothing can be rebuilt from is damaged.
    #[error("{} is damaged ({reason}): restore it from a backup, or move the data directory away to start empty", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The engine did not start: a bug or a sick disk.
    #[error("storage engine did not start")]
    Engine(#[source] Fault),
}

/// What can go wrong inside the engine. Nobody branches on it but to tell I/O from the rest; it is logged with its chain.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A file operation failed.
    #[error("{}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The query engine failed.
    #[error("duckdb")]
    Duck(#[from] duckdb::Error),
    /// Columns did not fit together: a bug.
    #[error("arrow")]
    Arrow(#[from] arrow::error::ArrowError),
    /// A segment could not be written.
    #[error("parquet")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// A file does not hold what it should.
    #[error("{} is damaged: {reason}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Something of ours failed in a way that has no variant.
    #[error("{0}")]
    Other(String),
}

impl Fault {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Fault + '_ {
        move |source| Fault::Io { path: path.to_owned(), source }
    }

    /// Whether the file will be no better next time.
    pub(crate) fn is_lasting(&self) -> bool {
        match self {
            Fault::Damaged { .. } => true,
            Fault::Io { source, .. } => {
                matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory)
            }
            _ => false,
        }
    }

    pub(crate) fn damaged(path: &Path, reason: impl Into<String>) -> Fault {
        Fault::Damaged { path: path.to_owned(), reason: reason.into() }
    }
}

/// The error with its causes, for logs and warnings.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
