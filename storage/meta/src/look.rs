//! Looking at the file of a data directory without changing it.

use crate::FILE;
use crate::documents::Kind;
use crate::open::{self, Wrong};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// What is in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Its bytes, with those of its log.
    pub bytes: u64,
    /// Saved views.
    pub views: u64,
    /// Short links.
    pub links: u64,
    /// Rules of alerts.
    pub rules: u64,
    /// Service level objectives.
    pub slos: u64,
    /// Channels.
    pub channels: u64,
    /// Routes.
    pub routes: u64,
    /// Silences.
    pub silences: u64,
    /// What is wrong with it; the counts are 0 then.
    pub wrong: Option<String>,
    /// Whether the next start sets it aside.
    pub is_damaged: bool,
}

/// Looks at the file; `None` if there is none.
pub fn look(dir: &Path) -> Option<Found> {
    let path = dir.join(FILE);
    let size = |end: &str| std::fs::metadata(dir.join(format!("{FILE}{end}"))).map_or(0, |meta| meta.len());
    if !path.exists() {
        return None;
    }
    let bytes = size("") + size("-wal");
    Some(match counts(&path) {
        Ok(counted) => Found { bytes, ..counted },
        Err(Wrong::Damaged(why)) => Found { bytes, wrong: Some(why), is_damaged: true, ..Found::default() },
        Err(Wrong::Newer(version)) => {
            Found { bytes, wrong: Some(format!("a newer Orrery wrote it (version {version})")), ..Found::default() }
        }
        Err(Wrong::Unsynced(error)) => Found { bytes, wrong: Some(error.to_string()), ..Found::default() },
        Err(Wrong::Failed(error)) => Found { bytes, wrong: Some(error.to_string()), ..Found::default() },
    })
}

/// Only the counts.
fn counts(path: &Path) -> Result<Found, Wrong> {
    if path.is_dir() {
        return Err(Wrong::Damaged("a directory has its name".to_owned()));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let name = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    // Without a log nobody has it open, and nothing has to be made beside it.
    let has_log = path.with_file_name(format!("{FILE}-wal")).exists();
    let db = Connection::open_with_flags(format!("file:{name}?immutable={}", u8::from(!has_log)), flags)?;
    open::check(&db)?;
    let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs);
    let mut found = Found::default();
    let version = open::version(&db)?;
    if version >= 1 {
        found.views = count("SELECT count(*) FROM views")?;
        found.links = count("SELECT count(*) FROM links")?;
    }
    if version >= 2 {
        let documents =
            |kind: Kind| count(&format!("SELECT count(*) FROM alert_documents WHERE kind = '{}'", kind.as_str()));
        found.rules = documents(Kind::Rule)?;
        found.slos = documents(Kind::Slo)?;
        found.channels = documents(Kind::Channel)?;
        found.routes = documents(Kind::Route)?;
        found.silences = documents(Kind::Silence)?;
    }
    Ok(found)
}
