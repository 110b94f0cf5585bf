//! Rollup rows of sealed slices, in a DuckDB file.
//!
//! One row per key, its histogram as bytes; adding up is done here. Every table exists at four lengths of time (10 s for
//! two days, 1 min for five weeks, 10 min for a hundred days, 1 h as long as anything), so that a day costs what an hour
//! does: a range is read at the coarsest length inside and at finer ones at its ends, and the sum is the same. The newest
//! hours are held in memory. Rows carry the slice they came from; a slice is written and forgotten as a whole. Rows of
//! neighbouring slices are folded together later, or every question about a day would add up a thousand slices. The
//! file is for anyone to read with stock DuckDB 1.5 or later.

mod fold;
mod history;
mod hours;
mod range;
mod tables;

#[cfg(test)]
mod tests;

use super::answers;
use super::rows::RollupRows;
use duckdb::{Config, Connection};
use fold::Group;
use hours::{HOUR, Hour, Hours, MOST_HOURS};
use orrery_query::answer::{Answer, Finding, Partial, Scanned, ServiceDetail, ServiceSummary, Standing, Topology};
use orrery_query::plan;
use orrery_query::store::{Control, QueryError};
use orrery_query::time::TimeRange;
use parking_lot::{Mutex, RwLock};
use range::{Buckets, Extent};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use tables::{LEVELS, Piece, Selected, TABLES, Table};

/// Written to files; one with another number is refused.
const LAYOUT: i64 = 3;

/// Why rollups could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum RollupError {
    /// DuckDB failed: a bug or a sick disk. The file can be removed and made again from segments.
    #[error("rollups: {step} failed")]
    Database {
        /// What was being done.
        step: &'static str,
        /// Why.
        #[source]
        source: duckdb::Error,
    },
    /// The file was written by another version. It can be removed and made again from segments.
    #[error("rollups: the file has layout {found}, this program needs {LAYOUT}")]
    Layout {
        /// What the file says.
        found: i64,
    },
}

fn failed(step: &'static str) -> impl FnOnce(duckdb::Error) -> RollupError {
    move |source| RollupError::Database { step, source }
}

/// The rollup rows of all sealed slices, in one DuckDB file, and answers from them and from live rows.
///
/// Safe to share between threads: one writes at a time, queries run beside. Live rows of a slice that is persisted
/// already ([`RollupRows::slice`]) count once.
pub struct RollupStore {
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    /// Whether there may be something to fold.
    grown: AtomicBool,
    /// Whether something was written since the last rest.
    written: AtomicBool,
    /// All rows are of buckets that end by then.
    end: AtomicI64,
    hours: Mutex<Hours>,
}

/// Rows of a slice in memory, which may grow. Locked only while they are added up.
pub type Live = RwLock<RollupRows>;

/// Which rows to gather.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    range: TimeRange,
    /// See [`Buckets::steps`].
    points: u32,
    tables: &'a [Table],
    /// Only of this service, or of edges at this end.
    only: Option<&'a str>,
}

/// Rows of the file and of memory, added up; their time is the start of their step.
struct Gathered {
    rows: RollupRows,
    step_nanos: i64,
    scanned: Scanned,
}

impl Gathered {
    fn series(&self) -> answers::Steps<'_> {
        answers::Steps { rows: &self.rows, nanos: self.step_nanos }
    }

    fn scanned_with(&self, more: Option<&Gathered>) -> Scanned {
        Scanned { rows: self.scanned.rows + more.map_or(0, |more| more.scanned.rows), ..self.scanned }
    }
}

/// Steps of a range with what comes before it.
const HISTORY_POINTS: u32 = 90;
/// What comes before a range, to know what is usual: as long as the range, but neither shorter nor longer than this.
const HISTORY: (i64, i64) = (600_000_000_000, 21_600_000_000_000);
/// Services whose operations and errors are looked at to name what is wrong, at most.
const MOST_TELLERS: usize = 16;

fn with_history(range: TimeRange) -> TimeRange {
    let before = range.to.saturating_sub(range.from).clamp(HISTORY.0, HISTORY.1);
    TimeRange { from: range.from.saturating_sub(before), to: range.to }
}

/// What tells how services do and who calls whom.
const MAP: &[Table] = &[Table::Instances, Table::Edges];

impl RollupStore {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// Unreadable, locked by another process, or of another layout: remove it and persist every slice again.
    pub fn open(path: &Path) -> Result<RollupStore, RollupError> {
        let writer = connect(path)?;
        let end = fold::end(&writer).map_err(failed("read the end"))?;
        Ok(RollupStore {
            writer: Mutex::new(writer),
            readers: Mutex::default(),
            grown: AtomicBool::new(true),
            written: AtomicBool::new(false),
            end: AtomicI64::new(end),
            hours: Mutex::default(),
        })
    }

    /// Holds nothing, and keeps nothing when the process ends: until [`RollupStore::reopen`] works.
    pub fn in_memory() -> Result<RollupStore, RollupError> {
        RollupStore::open(Path::new(":memory:"))
    }

    /// Lets go of the file, as after [`RollupStore::open`] of an empty one in memory: it can be moved away. No query may
    /// be running.
    pub fn let_go(&self) -> Result<(), RollupError> {
        let mut writer = self.writer.lock();
        self.hours.lock().change(|_| true);
        self.readers.lock().clear();
        *writer = Connection::open_in_memory().map_err(failed("let go"))?;
        Ok(())
    }

    /// Opens the file again, whatever became of the connection, and reads all of it. DuckDB gives up on a database
    /// whose disk was full or whose blocks are damaged, until it is opened again. No query may be running.
    ///
    /// # Errors
    /// The file cannot be used: move it away and try again, then make all slices again.
    pub fn reopen(&self, path: &Path) -> Result<(), RollupError> {
        self.let_go()?;
        let connection = connect(path)?;
        for table in tables::all() {
            let read = format!("SELECT count(*), bit_xor(hash(rows)) FROM {table} AS rows");
            connection.query_row(&read, [], |_| Ok(())).map_err(failed("read all"))?;
        }
        let end = fold::end(&connection).map_err(failed("read the end"))?;
        self.end.store(end, Ordering::Relaxed);
        *self.writer.lock() = connection;
        Ok(())
    }

    /// Copies all rows into a new file at `path`, without the room that removed ones left in this. On disk when this
    /// returns. Nobody may write meanwhile.
    ///
    /// # Errors
    /// There is a file, or the disk is full: whatever is there can be removed.
    pub fn copy_to(&self, path: &Path) -> Result<(), RollupError> {
        let step = "copy";
        let connection = self.writer.lock().try_clone().map_err(failed(step))?;
        let own: String =
            connection.query_row("SELECT current_database()", [], |row| row.get(0)).map_err(failed(step))?;
        let path = path.to_string_lossy().replace('\'', "''");
        connection.execute_batch(&format!("ATTACH '{path}' AS fresh")).map_err(failed(step))?;
        let copied = connection.execute_batch(&format!("COPY FROM DATABASE \"{own}\" TO fresh; CHECKPOINT fresh"));
        connection.execute_batch("DETACH fresh").and(copied).map_err(failed(step))
    }

    /// Keeps the rows of a sealed slice, instead of what was kept for the same slice before. All or nothing, and
    /// on disk when this returns.
    pub fn persist(&self, slice: u64, rows: &RollupRows) -> Result<(), RollupError> {
        self.grown.store(true, Ordering::Relaxed);
        let newest = rows.times().map(|(_, newest)| newest);
        let is_coarse = rows.times().is_some_and(|(oldest, newest)| newest > oldest + LEVELS[0].nanos);
        self.end.fetch_max(newest.map_or(i64::MIN, |newest| newest.saturating_add(LEVELS[0].nanos)), Ordering::Relaxed);
        let times: std::collections::BTreeSet<i64> =
            rows.all_times().map(|time| LEVELS[LEVELS.len() - 1].floor(time)).collect();
        self.change(
            |hour| times.contains(&hour),
            "persist",
            |connection| {
                let groups = fold::groups(connection)?;
                if groups.iter().any(|group| group.first == slice) {
                    delete(connection, &[slice])?;
                }
                fold::insert(connection, Group { first: slice, last: slice, is_coarse })?;
                add(connection, slice, rows, is_coarse)
            },
        )
    }

    /// Adds rows made again to a slice of which nothing is known here until [`RollupStore::made_again`].
    pub fn make_again(&self, slice: u64, rows: &RollupRows) -> Result<(), RollupError> {
        let newest = rows.times().map_or(i64::MIN, |(_, newest)| newest.saturating_add(LEVELS[0].nanos));
        self.end.fetch_max(newest, Ordering::Relaxed);
        self.change(|_| true, "make again", |connection| add(connection, slice, rows, true))
    }

    /// Ends making again: all of these slices, in order, are known now. Their rows lie under the first.
    pub fn made_again(&self, slices: &[u64]) -> Result<(), RollupError> {
        self.change(
            |_| true,
            "made again",
            |connection| {
                for run in slices.chunk_by(|a, b| a + 1 == *b) {
                    fold::insert(connection, Group { first: run[0], last: run[run.len() - 1], is_coarse: true })?;
                }
                Ok(())
            },
        )
    }

    /// Which of `known` are missing here, so that their rows should be made again; forgets all others.
    pub fn reconcile(&self, known: &[u64]) -> Result<Vec<u64>, RollupError> {
        self.change(
            |_| true,
            "reconcile",
            |connection| {
                let here = fold::groups(connection)?;
                let known_set: std::collections::HashSet<u64> = known.iter().copied().collect();
                let unknown = here.iter().filter(|group| !known_set.contains(&group.first)).map(|group| group.first);
                delete(connection, &unknown.collect::<Vec<_>>())?;
                let is_here = |id: &u64| here.iter().any(|group| (group.first..=group.last).contains(id));
                Ok(known.iter().copied().filter(|id| !is_here(id)).collect())
            },
        )
    }

    /// Forgets slices, whose data was deleted.
    pub fn forget(&self, slices: &[u64]) -> Result<(), RollupError> {
        self.change(|_| true, "forget", |connection| delete(connection, slices))
    }

    /// Forgets all rows of buckets that began before `before_unix_nano`.
    pub fn expire(&self, before_unix_nano: i64) -> Result<(), RollupError> {
        self.change(
            |hour| hour < before_unix_nano,
            "expire",
            |connection| {
                for table in tables::all() {
                    connection.execute(&format!("DELETE FROM {table} WHERE time < ?"), [before_unix_nano])?;
                }
                Ok(())
            },
        )
    }

    /// Services seen in the range, busiest first. Ranges widen to whole buckets here and below: of 10 s, or of what is
    /// left of their time.
    pub fn services(
        &self,
        plan: &plan::Services,
        live: &[&Live],
        control: &Control,
    ) -> Result<Answer<Vec<ServiceSummary>>, QueryError> {
        let wanted = Wanted { range: plan.range, points: 0, tables: MAP, only: None };
        let rows = self.gather(wanted, live, control)?;
        let wanted = Wanted { points: plan.points, tables: &[Table::Instances], ..wanted };
        let series = if plan.points > 0 { Some(self.gather(wanted, live, control)?) } else { None };
        let scanned = rows.scanned_with(series.as_ref());
        let series = series.as_ref().map(Gathered::series);
        let value = answers::services(&rows.rows, series, plan.environment.as_deref());
        Ok(Answer { value, partial: None, scanned })
    }

    /// One service or inferred node; `None` if unknown in the range.
    pub fn service(
        &self,
        plan: &plan::Service,
        live: &[&Live],
        control: &Control,
    ) -> Result<Answer<Option<ServiceDetail>>, QueryError> {
        let whole = Wanted { range: plan.range, points: 0, tables: MAP, only: None };
        let rows = self.gather(whole, live, control)?;
        let own = Wanted { only: Some(&plan.id), ..whole };
        let series = self.gather(Wanted { points: plan.points, ..own }, live, control)?;
        let details = self.gather(Wanted { tables: &[Table::Operations, Table::Errors], ..own }, live, control)?;
        // Which errors are new, only the time before can tell.
        let before =
            Wanted { range: with_history(plan.range), points: HISTORY_POINTS, tables: &[Table::Errors], ..own };
        let history = self.gather(before, live, control)?;
        let scanned = Scanned { rows: series.scanned.rows, ..rows.scanned_with(Some(&details)) };
        let details = answers::Details { rows: &details.rows, history: history.series(), from: plan.range.from };
        let value = answers::service(&rows.rows, series.series(), details, &plan.id);
        Ok(Answer { value, partial: None, scanned })
    }

    /// Where a duration stands among the calls of an operation; `None` without calls.
    pub fn standing(
        &self,
        plan: &plan::Standing,
        live: &[&Live],
        control: &Control,
    ) -> Result<Answer<Option<Standing>>, QueryError> {
        let tables = &[Table::Operations];
        let wanted = Wanted { range: plan.range, points: 0, tables, only: Some(&plan.service) };
        let Gathered { rows, scanned, .. } = self.gather(wanted, live, control)?;
        Ok(Answer { value: answers::standing(&rows, plan), partial: None, scanned })
    }

    /// Who calls whom.
    pub fn topology(
        &self,
        plan: &plan::Topology,
        live: &[&Live],
        control: &Control,
    ) -> Result<Answer<Topology>, QueryError> {
        let wanted = Wanted { range: plan.range, points: 0, tables: MAP, only: None };
        let Gathered { rows, scanned, .. } = self.gather(wanted, live, control)?;
        Ok(Answer { value: answers::topology(&rows, plan.environment.as_deref()), partial: None, scanned })
    }

    /// What is wrong, where it begins, the worst first.
    pub fn findings(
        &self,
        plan: &plan::Findings,
        live: &[&Live],
        control: &Control,
    ) -> Result<Answer<Vec<Finding>>, QueryError> {
        let range = with_history(plan.range);
        let wanted = Wanted { range, points: HISTORY_POINTS, tables: MAP, only: None };
        let all = self.gather(wanted, live, control)?;
        let board = answers::findings::Board::new(all.series(), plan.range, plan.environment.as_deref());
        let (mut found, mut scanned, mut left) = (Vec::new(), all.scanned, false);
        let mut tellers: BTreeMap<String, Gathered> = BTreeMap::new();
        for suspect in board.suspects() {
            let teller = suspect.teller();
            if !tellers.contains_key(teller) {
                if tellers.len() >= MOST_TELLERS {
                    left = true;
                    continue;
                }
                let tables = &[Table::Operations, Table::Errors];
                let told = self.gather(Wanted { tables, only: Some(teller), ..wanted }, live, control)?;
                scanned.rows += told.scanned.rows;
                tellers.insert(teller.to_owned(), told);
            }
            found.extend(board.told(&suspect, &tellers[teller].rows));
        }
        let mut value = answers::findings::joined(found);
        left |= value.len() > plan.limit as usize;
        value.truncate(plan.limit as usize);
        let partial = left.then(|| Partial("There is more that is wrong; this is the worst of it.".to_owned()));
        Ok(Answer { value, partial, scanned })
    }

    /// Puts what the database keeps in its own log into its file. For when there is nothing else to do; fails while
    /// somebody asks.
    pub fn rest(&self) -> Result<(), RollupError> {
        if !self.written.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let done = self.writer.lock().execute_batch("CHECKPOINT").map_err(failed("checkpoint"));
        self.written.fetch_or(done.is_err(), Ordering::Relaxed);
        done
    }

    fn gather(&self, wanted: Wanted<'_>, live: &[&Live], control: &Control) -> Result<Gathered, QueryError> {
        let engine = |source| QueryError::Engine { name: "rollups", source: Box::new(source) };
        let connection = match self.readers.lock().pop() {
            Some(reader) => reader,
            None => self.writer.lock().try_clone().map_err(engine)?,
        };
        let mut rows = RollupRows::with_limit(usize::MAX);
        let mut scanned = Scanned::default();
        // What failed because its time was over, failed for that reason.
        let failed = |error| control.check().err().unwrap_or_else(|| engine(error));
        let generation = self.hours.lock().generation;
        // One look at everything: rows move between tables meanwhile.
        connection.execute_batch("BEGIN").map_err(failed)?;
        let groups = fold::groups(&connection).map_err(failed)?;
        let thinned = fold::thinned(&connection).map_err(failed)?;
        let extent = Extent { thinned, end: self.end.load(Ordering::Relaxed) };
        let buckets = Buckets::steps(wanted.range, wanted.points, &extent);
        let known = |slice: &u64| groups.iter().any(|group| (group.first..=group.last).contains(slice));
        let hidden: Vec<u64> = live.iter().filter_map(|rows| rows.read().slice).filter(known).collect();
        let selected = Selected { groups: &groups, hidden: &hidden, only: wanted.only };
        let (pieces, hours) =
            if hidden.is_empty() { self.split(buckets.pieces()) } else { (buckets.pieces(), Vec::new()) };
        let limit = || control.deadline().saturating_duration_since(std::time::Instant::now()).as_millis().max(1);
        connection.execute_batch(&format!("SET max_execution_time = {}", limit())).map_err(failed)?;
        let hours = self.hours(&connection, &hours, Selected { only: None, ..selected }, generation).map_err(failed)?;
        for &table in wanted.tables {
            control.check()?;
            connection.execute_batch(&format!("SET max_execution_time = {}", limit())).map_err(failed)?;
            let read = tables::read(&connection, table, &pieces, selected, &mut rows, |time| buckets.step_of(time));
            scanned.rows += read.map_err(failed)?;
            for (start, hour) in &hours {
                buckets.step_of(*start).into_iter().for_each(|time| hour.add_to(table, wanted.only, time, &mut rows));
            }
        }
        connection.execute_batch("COMMIT").map_err(failed)?;
        self.readers.lock().push(connection);
        for live in live {
            control.check()?;
            let live = live.read();
            scanned.rows += live.len() as u64;
            rows.merge_at(&live, |time| buckets.step_of(time));
        }
        Ok(Gathered { rows, step_nanos: buckets.step_nanos, scanned })
    }

    /// Pieces to read from the file, and the newest whole hours, which may be in memory.
    fn split(&self, mut pieces: Vec<Piece>) -> (Vec<Piece>, Vec<i64>) {
        let coarsest = LEVELS.len() - 1;
        let end = LEVELS[coarsest].ceil(self.end.load(Ordering::Relaxed));
        let mut hours = Vec::new();
        for (_, from, to) in pieces.iter_mut().filter(|piece| piece.0 == coarsest) {
            let begin = end.min(*to).saturating_sub(MOST_HOURS as i64 * HOUR).max(*from);
            hours.extend((begin..end.min(*to)).step_by(HOUR as usize));
            *to = begin.min(*to);
        }
        pieces.retain(|(_, from, to)| from < to);
        (pieces, hours)
    }

    /// These hours, from memory or from the file.
    fn hours(
        &self,
        connection: &Connection,
        starts: &[i64],
        selected: Selected<'_>,
        generation: u64,
    ) -> duckdb::Result<Vec<(i64, Arc<Hour>)>> {
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        {
            let hours = self.hours.lock();
            for &start in starts {
                match hours.get(start) {
                    Some(hour) => found.push((start, hour)),
                    None => missing.push(start),
                }
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        let mut rows = RollupRows::with_limit(usize::MAX);
        let coarsest = LEVELS.len() - 1;
        let pieces: Vec<Piece> =
            missing.chunk_by(|a, b| a + HOUR == *b).map(|run| (coarsest, run[0], run[run.len() - 1] + HOUR)).collect();
        for table in TABLES {
            tables::read(connection, table, &pieces, selected, &mut rows, |time| Some(LEVELS[coarsest].floor(time)))?;
        }
        let mut read = Hour::split(&rows);
        let mut hours = self.hours.lock();
        for start in missing {
            let hour = Arc::new(read.remove(&start).unwrap_or_default());
            hours.put(generation, start, &hour);
            found.push((start, hour));
        }
        Ok(found)
    }

    /// A transaction that changes what there is of some hours.
    fn change<T>(
        &self,
        changes: impl Fn(i64) -> bool,
        step: &'static str,
        act: impl FnOnce(&Connection) -> duckdb::Result<T>,
    ) -> Result<T, RollupError> {
        // Before: what is read while it commits is not kept. After: nor is what was read before.
        self.hours.lock().change(&changes);
        let done = self.transaction(step, act);
        self.hours.lock().change(&changes);
        done
    }

    fn transaction<T>(
        &self,
        step: &'static str,
        act: impl FnOnce(&Connection) -> duckdb::Result<T>,
    ) -> Result<T, RollupError> {
        let mut connection = self.writer.lock();
        let transaction = connection.transaction().map_err(failed(step))?;
        let done = act(&transaction).map_err(failed(step))?;
        transaction.commit().map_err(failed(step))?;
        self.written.store(true, Ordering::Relaxed);
        Ok(done)
    }
}

/// The file as this program keeps it, made where needed.
fn connect(path: &Path) -> Result<Connection, RollupError> {
    let step = "open";
    // Readable by DuckDB 1.5, should this version have to be rolled back.
    let config = Config::default().with("storage_compatibility_version", "v1.5.0").map_err(failed(step))?;
    let config = config.max_memory("512MB").and_then(|config| config.threads(2)).map_err(failed(step))?;
    let config = config.enable_autoload_extension(false).map_err(failed(step))?;
    let writer = Connection::open_with_flags(path, config).map_err(failed(step))?;
    let layout = "CREATE TABLE IF NOT EXISTS layout (layout BIGINT)";
    writer.execute_batch(layout).map_err(failed("make tables"))?;
    let layout = "SELECT coalesce(max(layout), 0) FROM layout";
    let found: i64 = writer.query_row(layout, [], |row| row.get(0)).map_err(failed("read layout"))?;
    match found {
        LAYOUT => {}
        0 => _ = writer.execute("INSERT INTO layout VALUES (?)", [LAYOUT]).map_err(failed("write layout"))?,
        found => return Err(RollupError::Layout { found }),
    }
    writer.execute_batch(&tables::ddl()).map_err(failed("make tables"))?;
    Ok(writer)
}

fn add(connection: &Connection, slice: u64, rows: &RollupRows, is_coarse: bool) -> duckdb::Result<()> {
    tables::append(connection, LEVELS[0], slice, rows)?;
    for level in LEVELS.into_iter().skip(1).filter(|_| is_coarse) {
        let mut coarse = RollupRows::with_limit(usize::MAX);
        coarse.merge_at(rows, |time| Some(level.floor(time)));
        tables::append(connection, level, slice, &coarse)?;
    }
    Ok(())
}

fn delete(connection: &Connection, slices: &[u64]) -> duckdb::Result<()> {
    if slices.is_empty() {
        return Ok(());
    }
    let slices = tables::list(slices);
    for table in tables::all() {
        connection.execute(&format!("DELETE FROM {table} WHERE slice IN ({slices})"), [])?;
    }
    connection.execute(&format!("DELETE FROM slices WHERE first IN ({slices})"), []).map(|_| ())
}

/// The range of a plan, for tests and callers that want to know what was read.
impl From<Buckets> for TimeRange {
    fn from(buckets: Buckets) -> TimeRange {
        TimeRange { from: buckets.from, to: buckets.to }
    }
}
