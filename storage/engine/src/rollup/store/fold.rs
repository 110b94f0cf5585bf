//! Folding: rows of neighbouring slices become one row per key and bucket. Thinning: fine rows go before coarse ones.
//!
//! Slices are folded eight at a time, then eights, then sixty-fours. A slice has rows of ten seconds only; the first
//! fold makes minutes of them, the second hours. A bucket of ten seconds rarely lies in more slices than the first fold
//! takes, one of a minute than the second; so each fold leaves a level behind, and stays small.

use super::tables::{self, LEVELS, TABLES};
use super::{RollupError, RollupStore, failed};
use crate::rollup::rows::RollupRows;
use duckdb::Connection;
use std::sync::atomic::Ordering;

/// Groups folded at once.
const FAN_IN: usize = 8;

/// Slices whose rows lie together, under the number of the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) first: u64,
    pub(super) last: u64,
    /// How many of the [`LEVELS`] it has rows at, the finest first.
    pub(super) levels: usize,
}

impl Group {
    /// How often it was folded.
    fn folds(self) -> u32 {
        (self.last - self.first + 1).ilog(FAN_IN as u64)
    }
}

/// Rows ready to take the place of those they were made of.
pub struct Folded {
    groups: Vec<Group>,
    levels: usize,
    rows: Vec<(tables::Level, RollupRows)>,
}

/// The rows of groups at a level, made of finer ones where there are none.
fn gathered(connection: &Connection, groups: &[Group], level: usize) -> duckdb::Result<RollupRows> {
    let mut rows = RollupRows::with_limit(usize::MAX);
    for from in 0..=level {
        let coarsest = |group: &&Group| (group.levels - 1).min(level) == from;
        let slices: Vec<u64> = groups.iter().filter(coarsest).map(|group| group.first).collect();
        if !slices.is_empty() {
            tables::read_slices(connection, LEVELS[from], &slices, &mut rows, |time| LEVELS[level].floor(time))?;
        }
    }
    Ok(rows)
}

/// All groups, in order.
pub(super) fn groups(connection: &Connection) -> duckdb::Result<Vec<Group>> {
    let mut statement = connection.prepare("SELECT first, last, levels FROM slices ORDER BY first")?;
    let groups = statement.query_map([], |row| {
        Ok(Group { first: row.get(0)?, last: row.get(1)?, levels: row.get::<_, u8>(2)?.into() })
    })?;
    groups.collect()
}

/// Lets a group be known.
pub(super) fn insert(connection: &Connection, group: Group) -> duckdb::Result<()> {
    let Group { first, last, levels } = group;
    connection.execute("INSERT INTO slices VALUES (?, ?, ?)", [first, last, levels as u64]).map(|_| ())
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

impl RollupStore {
    /// Adds up the rows of neighbouring slices below `below`, which nobody has in memory any more; `None` if there are
    /// not enough. Nothing changes before [`RollupStore::commit`].
    pub fn fold(&self, below: u64) -> Result<Option<Folded>, RollupError> {
        let step = "fold";
        if !self.grown.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let connection = self.writer.lock();
        let mut groups = groups(&connection).map_err(failed(step))?;
        groups.retain(|group| group.last < below);
        let Some(groups) = foldable(&groups) else {
            self.grown.store(false, Ordering::Relaxed);
            return Ok(None);
        };
        let most = groups.iter().map(|group| group.levels).max().unwrap_or(0);
        let (finest, folds) = ((groups[0].folds() as usize).min(LEVELS.len() - 1), groups[0].folds() as usize);
        let levels = most.max(folds + 2).min(LEVELS.len());
        let mut rows = Vec::new();
        for level in finest..levels {
            rows.push((LEVELS[level], gathered(&connection, groups, level).map_err(failed(step))?));
        }
        let folded = Folded { groups: groups.to_vec(), levels, rows };
        Ok(Some(folded))
    }

    /// Puts folded rows in the place of those they were made of.
    pub fn commit(&self, folded: &Folded) -> Result<(), RollupError> {
        let Folded { groups, levels, rows } = folded;
        let (first, last) = (groups[0].first, groups[groups.len() - 1].last);
        let from = tables::list(&groups.iter().map(|group| group.first).collect::<Vec<_>>());
        self.transaction("commit of a fold", |connection| {
            for (level, rows) in rows {
                for table in TABLES {
                    connection.execute(&format!("DELETE FROM {} WHERE slice IN ({from})", table.at(*level)), [])?;
                }
                tables::append(connection, *level, first, rows)?;
            }
            connection.execute(&format!("DELETE FROM slices WHERE first IN ({from})"), [])?;
            insert(connection, Group { first, last, levels: *levels })
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
                for group in groups(connection)?.into_iter().filter(|group| group.levels == at + 1) {
                    let coarser = gathered(connection, &[group], at + 1)?;
                    tables::append(connection, LEVELS[at + 1], group.first, &coarser)?;
                    connection.execute("DELETE FROM slices WHERE first = ?", [group.first])?;
                    insert(connection, Group { levels: at + 2, ..group })?;
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
