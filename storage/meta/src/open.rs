//! Opening the file: what it should be, bringing it up to date, and setting it aside when it is damaged.

use crate::{FILE, Meta};
use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Steps from an empty file to the one this code writes, in order; `user_version` counts those that were taken.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001-views-and-links.sql"),
    include_str!("../migrations/0002-alerts.sql"),
    include_str!("../migrations/0003-heartbeats.sql"),
];
/// How long one waits for whoever looks at the file from outside.
const PATIENCE: Duration = Duration::from_secs(5);

/// An open file, and what there is to say about it.
#[derive(Debug)]
pub struct Opened {
    /// The file.
    pub meta: Meta,
    /// What was wrong with the one that was there, and where that is now: a sentence.
    pub set_aside: Option<String>,
}

/// Why a file that is not damaged cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A newer Orrery wrote it.
    #[error("{path} was written by a newer Orrery (version {found}, this one knows {supported}): upgrade", path = path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: usize,
        /// The newest this code knows.
        supported: usize,
    },
    /// SQLite cannot open it: no permission, no room.
    #[error("{path} cannot be opened", path = path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// Its directory could not be synced.
    #[error("{path} may not survive: its directory could not be synced", path = path.display())]
    Unsynced {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is damaged and could not be moved to quarantine.
    #[error("{path} is damaged and could not be moved to quarantine", path = path.display())]
    Stuck {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// What is wrong with a file.
pub(crate) enum Wrong {
    Damaged(String),
    Newer(usize),
    Failed(rusqlite::Error),
    Unsynced(io::Error),
}

impl From<rusqlite::Error> for Wrong {
    fn from(error: rusqlite::Error) -> Wrong {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Wrong::Damaged(error.to_string()),
            _ => Wrong::Failed(error),
        }
    }
}

pub(crate) fn open(dir: &Path) -> Result<Opened, OpenError> {
    let path = dir.join(FILE);
    match connect(&path) {
        Ok(db) => Ok(Opened { meta: Meta { db: Mutex::new(db) }, set_aside: None }),
        Err(Wrong::Damaged(why)) => {
            let aside = set_aside(dir, &why).map_err(|source| OpenError::Stuck { path: path.clone(), source })?;
            let db = connect(&path).map_err(|wrong| wrong.of(&path))?;
            let set_aside = format!(
                "Saved views, short links and alert rules were damaged ({why}) and begin anew; the old file is {}",
                aside.display()
            );
            Ok(Opened { meta: Meta { db: Mutex::new(db) }, set_aside: Some(set_aside) })
        }
        Err(wrong) => Err(wrong.of(&path)),
    }
}

impl Wrong {
    fn of(self, path: &Path) -> OpenError {
        let path = path.to_owned();
        match self {
            Wrong::Damaged(why) => OpenError::Stuck { path, source: io::Error::other(why) },
            Wrong::Newer(found) => OpenError::Newer { path, found, supported: MIGRATIONS.len() },
            Wrong::Failed(source) => OpenError::Failed { path, source },
            Wrong::Unsynced(source) => OpenError::Unsynced { path, source },
        }
    }
}

fn connect(path: &Path) -> Result<Connection, Wrong> {
    if path.is_dir() {
        return Err(Wrong::Damaged("a directory has its name".to_owned()));
    }
    keep_private(path);
    let mut db = Connection::open(path)?;
    db.busy_timeout(PATIENCE)?;
    // `FULL`: each commit is synced before it is acknowledged.
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "trusted_schema", false)?;
    check(&db)?;
    migrate(&mut db)?;
    // The name of a new file has to survive as well.
    let synced = path.parent().map_or(Ok(()), |dir| File::open(dir).and_then(|dir| dir.sync_all()));
    synced.map_err(Wrong::Unsynced)?;
    Ok(db)
}

/// Makes the file where needed, and lets only its owner read it: it holds secrets. SQLite gives its log and index the
/// permissions of the file. What does not work here, SQLite will say; only an owner can take rights away.
#[cfg(unix)]
fn keep_private(path: &Path) {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    _ = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    for file in ["", "-wal", "-shm"].map(|end| path.with_file_name(format!("{FILE}{end}"))) {
        let is_open = |meta: std::fs::Metadata| meta.permissions().mode() & 0o077 != 0;
        if std::fs::metadata(&file).is_ok_and(is_open) {
            _ = std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600));
        }
    }
}

#[cfg(not(unix))]
fn keep_private(_: &Path) {}

/// Reads the whole file.
pub(crate) fn check(db: &Connection) -> Result<(), Wrong> {
    let said: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if said == "ok" { Ok(()) } else { Err(Wrong::Damaged(said)) }
}

/// How many migrations a file has seen, if this code knows them all.
pub(crate) fn version(db: &Connection) -> Result<usize, Wrong> {
    let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let version = usize::try_from(version).map_err(|_| Wrong::Damaged(format!("its version is {version}")))?;
    if version > MIGRATIONS.len() { Err(Wrong::Newer(version)) } else { Ok(version) }
}

fn migrate(db: &mut Connection) -> Result<(), Wrong> {
    for (number, migration) in MIGRATIONS.iter().enumerate().skip(version(db)?) {
        let step = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        step.execute_batch(migration)?;
        step.pragma_update(None, "user_version", number as i64 + 1)?;
        step.commit()?;
    }
    Ok(())
}

/// Moves the file, its log and its index to `quarantine/`, under names that are free there, and writes down why. Answers
/// where the file is.
fn set_aside(dir: &Path, why: &str) -> io::Result<PathBuf> {
    let quarantine = dir.join("quarantine");
    std::fs::create_dir_all(&quarantine)?;
    let names = |number: u64| {
        let end = if number == 0 { String::new() } else { format!(".{number}") };
        ["", "-wal", "-shm"].map(|part| (format!("{FILE}{part}"), format!("{FILE}{part}{end}")))
    };
    let is_free = |names: &[(String, String); 3]| names.iter().all(|(_, to)| !quarantine.join(to).exists());
    let names = (0..).map(names).find(is_free).expect("numbers do not end");
    let mut reasons = OpenOptions::new().create(true).append(true).open(quarantine.join("reasons.txt"))?;
    for (from, to) in &names {
        if dir.join(from).exists() {
            std::fs::rename(dir.join(from), quarantine.join(to))?;
            writeln!(reasons, "{to}\tmetadata that did not open: {}", why.replace(['\n', '\t'], " "))?;
        }
    }
    Ok(quarantine.join(&names[0].1))
}
