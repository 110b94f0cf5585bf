//! The rollups' file: whether it opens and knows every slice that was sealed.

use super::{Finding, Repair, Rollups};
use crate::dir::Dir;
use crate::manifest::Manifest;
use duckdb::{AccessMode, Config, Connection};
use std::path::Path;

pub(super) fn read(dir: &Dir, manifest: &Manifest, findings: &mut Vec<Finding>) -> Rollups {
    let path = dir.root().join("rollups.duckdb");
    let bytes = std::fs::metadata(&path).map_or(0, |meta| meta.len());
    let known = if bytes == 0 { Ok(0) } else { known(&path, manifest.next_slice) };
    let missing = manifest.next_slice - known.as_ref().copied().unwrap_or(0).min(manifest.next_slice);
    let what = match known {
        Err(error) => Some(format!("rollups.duckdb does not open: {error}")),
        Ok(_) if missing == 0 => None,
        Ok(_) if bytes == 0 => Some("rollups.duckdb is missing: maps of the past are empty".to_owned()),
        Ok(_) => Some(format!("rollups.duckdb lacks {missing} of {} slices", manifest.next_slice)),
    };
    findings.extend(what.map(|what| Finding {
        what,
        fix: "a repair, or the next start, makes it again from the stored spans".to_owned(),
        repair: Repair::Open,
    }));
    Rollups { bytes, slices: manifest.next_slice, missing }
}

/// How many of the slices before `next_slice` the file knows.
fn known(path: &Path, next_slice: u64) -> duckdb::Result<u64> {
    let connection = Connection::open_with_flags(path, Config::default().access_mode(AccessMode::ReadOnly)?)?;
    connection.query_row(
        "SELECT coalesce(sum(least(last + 1, $1) - first), 0)::UBIGINT FROM slices WHERE first < $1",
        [next_slice],
        |row| row.get(0),
    )
}
