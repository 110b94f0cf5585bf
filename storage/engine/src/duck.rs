//! The query engine: one DuckDB in memory, its settings, and a bounded set of connections for queries.
//!
//! It holds the rows not yet sealed and reads segments where they lie; it owns nothing that the log or the segments do
//! not have, so whatever happens to it, opening again brings everything back.

use crate::config::Config;
use crate::dir::Dir;
use crate::error::Fault;
use duckdb::{Connection, InterruptHandle};
use orrery_query::{Control, QueryError};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::time::Duration;

/// How often running queries are asked whether they should stop.
const WATCH_EVERY: Duration = Duration::from_millis(10);

/// Connections besides those for queries: an export keeps one for as long as its reader takes.
const EXPORTS: u32 = 2;

/// The database and its query connections.
pub(crate) struct Duck {
    // Makes and drops tables.
    tables: Mutex<Connection>,
    idle: Mutex<Vec<Connection>>,
    watch: Arc<Watch>,
}

impl Duck {
    pub(crate) fn open(config: &Config, dir: &Dir) -> Result<Duck, Fault> {
        let connection = Connection::open_in_memory()?;
        configure(&connection, config, dir)?;
        let places = config.query_concurrency.max(1) + EXPORTS;
        let idle = (0..places).map(|_| connection.try_clone()).collect::<Result<_, _>>()?;
        let watch = Arc::new(Watch::default());
        let watcher = Arc::clone(&watch);
        std::thread::Builder::new()
            .name("query-watch".into())
            .spawn(move || watcher.run())
            .map_err(Fault::io(dir.root()))?;
        Ok(Duck { tables: Mutex::new(connection), idle: Mutex::new(idle), watch })
    }

    /// A connection for the thread that inserts.
    pub(crate) fn writer(&self) -> Result<Connection, Fault> {
        Ok(self.tables.lock().try_clone()?)
    }

    pub(crate) fn create_table(&self, name: &TableName, columns: &str) -> Result<(), Fault> {
        Ok(self.tables.lock().execute_batch(&format!("CREATE TABLE {name} ({columns})"))?)
    }

    pub(crate) fn drop_table(&self, name: &TableName) {
        if let Err(error) = self.tables.lock().execute_batch(&format!("DROP TABLE IF EXISTS {name}")) {
            tracing::warn!(%error, table = %name, "a sealed slice keeps its memory");
        }
    }

    /// A connection for one query, watched by its control.
    pub(crate) fn query(&self, control: &Control) -> Result<Lease<'_>, QueryError> {
        control.check()?;
        let connection = self.idle.lock().pop().ok_or(QueryError::Busy)?;
        let ticket = self.watch.add(control.clone(), connection.interrupt_handle());
        Ok(Lease { duck: self, connection: Some(connection), ticket })
    }
}

impl Drop for Duck {
    fn drop(&mut self) {
        self.watch.stop();
    }
}

fn configure(connection: &Connection, config: &Config, dir: &Dir) -> Result<(), Fault> {
    let tmp = dir.tmp().join("duckdb");
    let set = |name: &str, value: &str| {
        // Settings take no parameters; the values are numbers and our own paths.
        connection.execute_batch(&format!("SET {name} = '{}'", value.replace('\'', "''")))
    };
    set("memory_limit", &format!("{}B", config.query_memory_bytes + config.hot_bytes))?;
    set("threads", &config.query_threads.max(1).to_string())?;
    set("temp_directory", &tmp.to_string_lossy())?;
    set("max_temp_directory_size", &format!("{}B", config.query_memory_bytes * 2))?;
    set("preserve_insertion_order", "false")?;
    // The operating system's cache does as well, and gives memory back.
    set("enable_external_file_cache", "false")?;
    // Segments never change: a lookup of one trace must not parse the footer again.
    set("parquet_metadata_cache", "true")?;
    set("autoinstall_known_extensions", "false")?;
    set("autoload_known_extensions", "false")?;
    // Reads our segments and spills into our temporary directory; nothing else, and nobody can change that again.
    let allowed = [dir.segments(), tmp].map(|path| format!("'{}'", path.to_string_lossy().replace('\'', "''")));
    connection.execute_batch(&format!("SET allowed_directories = [{}]", allowed.join(", ")))?;
    set("enable_external_access", "false")?;
    set("lock_configuration", "true")?;
    Ok(())
}

/// Name of a table in memory: ours alone, so that it may stand in SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableName(String);

impl TableName {
    pub(crate) fn new(table: &'static str, slice: u64) -> TableName {
        TableName(format!("{table}_{slice}"))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A connection lent to one query; goes back when dropped.
pub(crate) struct Lease<'a> {
    duck: &'a Duck,
    connection: Option<Connection>,
    ticket: u64,
}

impl Lease<'_> {
    pub(crate) fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("taken only by drop")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.duck.watch.remove(self.ticket);
        if let Some(connection) = self.connection.take() {
            self.duck.idle.lock().push(connection);
        }
    }
}

/// Interrupts queries whose time is over or whose caller went away.
#[derive(Default)]
struct Watch {
    state: Mutex<Watched>,
    changed: Condvar,
}

#[derive(Default)]
struct Watched {
    running: Vec<(u64, Control, Arc<InterruptHandle>)>,
    next: u64,
    stopped: bool,
}

impl Watch {
    fn add(&self, control: Control, handle: Arc<InterruptHandle>) -> u64 {
        let mut state = self.state.lock();
        state.next += 1;
        let ticket = state.next;
        state.running.push((ticket, control, handle));
        self.changed.notify_one();
        ticket
    }

    fn remove(&self, ticket: u64) {
        // Under the lock no interrupt can be on its way, so the next query on this connection is not hit by it.
        self.state.lock().running.retain(|(running, ..)| *running != ticket);
    }

    fn stop(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_one();
    }

    fn run(&self) {
        let mut state = self.state.lock();
        while !state.stopped {
            if state.running.is_empty() {
                self.changed.wait(&mut state);
                continue;
            }
            for (_, control, handle) in &state.running {
                if control.check().is_err() {
                    handle.interrupt();
                }
            }
            self.changed.wait_for(&mut state, WATCH_EVERY);
        }
    }
}
