//! Folding: rows of neighbouring slices become one row per key and bucket. Thinning: fine rows go before coarse ones.
//!
//! Slices are folded eight at a time, then eights, then sixty-fours. A bucket of ten seconds rarely lies in more slices
//! than the first fold takes, one of a minute than the second; so each fold leaves a level behind, and stays small. A
//! slice whose rows lie in a few buckets has no coarser ones, they would be as many: it gets them when it is folded.

use super::tables::{self, LEVELS, TABLES};
use super::{RollupError, RollupStore, add, failed};
use crate::rollup::rows::RollupRows;
use duckdb::Connection;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

/// Groups folded at once.
const FAN_IN: usize = 8;

/// Slices whose rows lie together, under the number of the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) first: u64,
    pub(super) last: u64,
    /// Whether it has rows at all [`LEVELS`], not only at the finest.
    pub(super) is_coarse: bool,
}

impl Group {
    /// How often it was folded.
    fn folds(self) -> u32 {
        (self.last - self.first + 1).ilog(FAN_IN as u64)
    }
}

/// Buckets whose rows are in memory at once: so many, and more while they have no more rows than that.
const AT_ONCE: i64 = 10;
const ROWS_AT_ONCE: u64 = 50_000;

/// The rows of groups at a level and in a time, made of the finest where there are none.
fn gathered(connection: &Connection, groups: &[Group], level: usize, time: (i64, i64)) -> duckdb::Result<RollupRows> {
    let mut rows = RollupRows::with_limit(usize::MAX);
    for from in if level == 0 { vec![0] } else { vec![0, level] } {
        let is_there = |group: &&Group| if group.is_coarse || level == 0 { from == level } else { from == 0 };
        let slices: Vec<u64> = groups.iter().filter(is_there).map(|group| group.first).collect();
        if !slices.is_empty() {
            tables::read_slices(connection, LEVELS[from], &slices, time, &mut rows, |time| LEVELS[level].floor(time))?;
        }
    }
    Ok(rows)
}

/// The times that rows of groups lie in, in pieces of whole buckets of a level: few pieces even where rows of a long past
/// came at once.
fn times(connection: &Connection, groups: &[Group], level: usize) -> duckdb::Result<Vec<(i64, i64)>> {
    let slices = tables::list(&groups.iter().map(|group| group.first).collect::<Vec<_>>());
    let length = LEVELS[level].nanos * AT_ONCE;
    let mut rows: BTreeMap<i64, u64> = BTreeMap::new();
    let from = if level == 0 { vec![0] } else { vec![0, level] };
    for table in from.iter().flat_map(|from| TABLES.map(|table| table.at(LEVELS[*from]))) {
        // Rounded down before 1970 too.
        let sql = format!(
            "SELECT time - (time % {length} + {length}) % {length} AS begin, count(*) FROM {table} WHERE slice IN \
             ({slices}) GROUP BY begin"
        );
        let mut statement = connection.prepare(&sql)?;
        for piece in statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, u64>(1)?)))? {
            let (begin, count) = piece?;
            *rows.entry(begin).or_default() += count;
        }
    }
    let mut pieces: Vec<(i64, i64)> = Vec::new();
    let mut together = 0;
    for (begin, count) in rows {
        match pieces.last_mut() {
            Some((_, end)) if together + count <= ROWS_AT_ONCE => (*end, together) = (begin + length, together + count),
            _ => {
                pieces.push((begin, begin + length));
                together = count;
            }
        }
    }
    Ok(pieces)
}

/// All groups, in order.
pub(super) fn groups(connection: &Connection) -> duckdb::Result<Vec<Group>> {
    let mut statement = connection.prepare("SELECT first, last, is_coarse FROM slices ORDER BY first")?;
    let groups =
        statement.query_map([], |row| Ok(Group { first: row.get(0)?, last: row.get(1)?, is_coarse: row.get(2)? }))?;
    groups.collect()
}

/// Lets a group be known.
pub(super) fn insert(connection: &Connection, group: Group) -> duckdb::Result<()> {
    let Group { first, last, is_coarse } = group;
    connection.execute("INSERT INTO slices VALUES (?, ?, ?)", duckdb::params![first, last, is_coarse]).map(|_| ())
}

/// Before which time each level has lost its rows.
pub(super) fn thinned(connection: &Connection) -> duckdb::Result<[i64; LEVELS.len()]> {
    let mut all = [i64::MIN; LEVELS.len()];
    let mut statement = connection.prepare("SELECT level, max(before) FROM thinned GROUP BY level")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        if let Some(at) = LEVELS.iter().position(|level| level.name == name) {
            all[at] = row.get(1)?;
        }
    }
    Ok(all)
}

/// By when all rows end.
pub(super) fn end(connection: &Connection) -> duckdb::Result<i64> {
    let thinned = thinned(connection)?;
    let mut end = i64::MIN;
    for (at, level) in LEVELS.into_iter().enumerate() {
        // Where there are finer rows, they say it more exactly.
        let before = if at == 0 { i64::MAX } else { thinned[at - 1] };
        for table in TABLES {
            let sql = format!("SELECT max(time) FROM {} WHERE time < {before}", table.at(level));
            let newest: Option<i64> = connection.query_row(&sql, [], |row| row.get(0))?;
            end = end.max(newest.map_or(i64::MIN, |newest| newest.saturating_add(level.nanos)));
        }
    }
    Ok(end)
}

/// The first neighbours that were folded equally often.
fn foldable(groups: &[Group]) -> Option<&[Group]> {
    let alike = |a: &Group, b: &Group| a.folds() == b.folds() && a.last + 1 == b.first;
    groups.chunk_by(alike).filter(|run| run.len() >= FAN_IN).map(|run| &run[..FAN_IN]).min_by_key(|run| run[0].folds())
}

/// Puts the rows of groups in their place added up, at this level and coarser ones.
fn fold(connection: &Connection, groups: &[Group], finest: usize) -> duckdb::Result<()> {
    let first = groups[0].first;
    let from = tables::list(&groups.iter().map(|group| group.first).collect::<Vec<_>>());
    if finest == 0 && groups.iter().all(|group| !group.is_coarse) {
        // Few buckets, as under load: all at once.
        let rows = gathered(connection, groups, 0, (i64::MIN, i64::MAX))?;
        for table in TABLES {
            connection.execute(&format!("DELETE FROM {} WHERE slice IN ({from})", table.at(LEVELS[0])), [])?;
        }
        add(connection, first, &rows, true)?;
        return renumber(connection, groups);
    }
    // Coarsest first: it may be made of the finest.
    for level in (finest..LEVELS.len()).rev() {
        for (begin, end) in times(connection, groups, level)? {
            let rows = gathered(connection, groups, level, (begin, end))?;
            for table in TABLES {
                let table = table.at(LEVELS[level]);
                let sql = format!("DELETE FROM {table} WHERE slice IN ({from}) AND time >= {begin} AND time < {end}");
                connection.execute(&sql, [])?;
            }
            tables::append(connection, LEVELS[level], first, &rows)?;
        }
    }
    renumber(connection, groups)
}

/// Lets groups be known as one.
fn renumber(connection: &Connection, groups: &[Group]) -> duckdb::Result<()> {
    let (first, last) = (groups[0].first, groups[groups.len() - 1].last);
    connection.execute(&format!("DELETE FROM slices WHERE first BETWEEN {first} AND {last}"), [])?;
    insert(connection, Group { first, last, is_coarse: true })
}

impl RollupStore {
    /// Adds up the rows of neighbouring slices below `below`, which nobody has in memory any more; false if there are
    /// not enough of them.
    pub fn fold(&self, below: u64) -> Result<bool, RollupError> {
        if !self.grown.load(Ordering::Relaxed) {
            return Ok(false);
        }
        self.transaction("fold", |connection| {
            let mut groups = groups(connection)?;
            groups.retain(|group| group.last < below);
            let Some(groups) = foldable(&groups) else {
                self.grown.store(false, Ordering::Relaxed);
                return Ok(false);
            };
            let finest = (groups[0].folds() as usize).min(LEVELS.len() - 1);
            fold(connection, groups, finest)?;
            Ok(true)
        })
    }

    /// Forgets rows that are finer than their age deserves. Ranges that begin before then widen to coarser buckets.
    pub fn thin(&self, now_unix_nano: i64) -> Result<(), RollupError> {
        let coarsest = LEVELS[LEVELS.len() - 1];
        let thinned = thinned(&self.writer.lock()).map_err(failed("thin"))?;
        for (at, level) in LEVELS.into_iter().enumerate() {
            let Some(keep) = level.keep_nanos else { continue };
            let before = coarsest.floor(now_unix_nano.saturating_sub(keep));
            if before <= thinned[at] {
                continue;
            }
            self.transaction("thin", |connection| {
                for group in groups(connection)?.into_iter().filter(|group| !group.is_coarse) {
                    fold(connection, &[group], 1)?;
                }
                connection.execute("DELETE FROM thinned WHERE level = ?", [level.name])?;
                connection.execute("INSERT INTO thinned VALUES (?, ?)", duckdb::params![level.name, before])?;
                for table in TABLES {
                    connection.execute(&format!("DELETE FROM {} WHERE time < ?", table.at(level)), [before])?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}
