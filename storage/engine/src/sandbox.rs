//! Users' own SQL, for a process of its own.
//!
//! Settings of the query engine do not contain a hostile statement: `repeat` takes memory that no limit counts, and what
//! may be read may be written over. So the server only makes a [`Task`]: which files hold the rows, and what is asked. A
//! process that can do nothing else than read those files (the server sees to that before [`Opened::run`]) answers it:
//!
//! - the statement has to be one `SELECT` over our tables (`check`),
//! - the tables are views over segments in which every attribute is found the same way, `attributes['http.route']`,
//!   whether it has a column of its own in a segment or not (`tables`, `views`),
//! - the answer goes out as frames ([`frame`]), as many rows and bytes as wanted at most.

mod ast;
mod cells;
mod check;
pub mod frame;
mod output;
mod run;
pub(crate) mod tables;
mod views;

use crate::promote::Promoted;
use orrery_model::Signal;
use orrery_query::plan::RowFormat;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A statement with everything that is needed to answer it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    pub(crate) statement: String,
    /// Rows outside are not seen: Unix nanoseconds, half-open.
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) tables: Vec<Input>,
    pub(crate) format: RowFormat,
    /// Rows wanted; `None`: as many as there may be.
    pub(crate) rows: Option<u64>,
    /// Rows and bytes that there may be.
    pub(crate) most_rows: u64,
    pub(crate) most_bytes: u64,
    /// Memory of the query engine.
    pub(crate) memory_bytes: u64,
}

/// Where the rows of a table are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Input {
    pub(crate) signal: Signal,
    pub(crate) groups: Vec<Group>,
}

/// Files with the same columns.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) promoted: Vec<Promoted>,
    pub(crate) files: Vec<PathBuf>,
}

impl Task {
    /// Reads what [`orrery_query::Store::isolate`] made.
    ///
    /// # Errors
    /// It was made by another version.
    pub fn read(bytes: &[u8]) -> io::Result<Task> {
        serde_json::from_slice(bytes).map_err(io::Error::from)
    }

    /// The files it has to read. No other is needed.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.tables.iter().flat_map(|table| &table.groups).flat_map(|group| &group.files).map(PathBuf::as_path)
    }

    /// Memory it may take, beside what the process has anyway.
    pub fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// Starts the query engine, without a look at the statement. It asks the system what there is of memory and
    /// processors, for which files are read that the statement must not have; so this comes before they are out of reach.
    pub fn open(&self) -> Opened<'_> {
        Opened { task: self, connection: run::open(self) }
    }
}

/// A task with an engine that is ready. One thread, this one: what it gives up, the engine has given up.
pub struct Opened<'a> {
    task: &'a Task,
    connection: duckdb::Result<duckdb::Connection>,
}

impl Opened<'_> {
    /// Answers, in frames. What is wrong with the statement is an answer, too.
    ///
    /// # Errors
    /// Nobody reads the answer.
    pub fn run(self, out: &mut (dyn Write + Send)) -> io::Result<()> {
        run::run(self.task, self.connection, out)
    }
}
