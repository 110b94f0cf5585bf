//! Looking at the file of a data directory without changing it.

use crate::FILE;
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
        Ok((views, links)) => Found { bytes, views, links, ..Found::default() },
        Err(Wrong::Damaged(why)) => Found { bytes, wrong: Some(why), is_damaged: true, ..Found::default() },
        Err(Wrong::Newer(version)) => {
            Found { bytes, wrong: Some(format!("a newer Orrery wrote it (version {version})")), ..Found::default() }
        }
        Err(Wrong::Unsynced(error)) => Found { bytes, wrong: Some(error.to_string()), ..Found::default() },
        Err(Wrong::Failed(error)) => Found { bytes, wrong: Some(error.to_string()), ..Found::default() },
    })
}

fn counts(path: &Path) -> Result<(u64, u64), Wrong> {
    if path.is_dir() {
        return Err(Wrong::Damaged("a directory has its name".to_owned()));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let name = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    // Without a log nobody has it open, and nothing has to be made beside it.
    let has_log = path.with_file_name(format!("{FILE}-wal")).exists();
    let db = Connection::open_with_flags(format!("file:{name}?immutable={}", u8::from(!has_log)), flags)?;
    open::check(&db)?;
    if open::version(&db)? == 0 {
        return Ok((0, 0));
    }
    let count = |table: &str| db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0));
    Ok((count("views")?.unsigned_abs(), count("links")?.unsigned_abs()))
}
