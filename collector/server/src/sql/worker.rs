//! The other side: `orrery sql-worker`.

use super::confine;
use crate::cli::WorkerOptions;
use anyhow::{Context, Result};
use orrery_storage::sandbox::Task;
use std::io::{BufWriter, Read, Write};

/// Reads a task from standard input, answers it on standard output.
pub(crate) fn run(options: &WorkerOptions) -> Result<()> {
    confine::die_with(options.parent)?;
    let mut task = Vec::new();
    std::io::stdin().read_to_end(&mut task)?;
    let task = Task::read(&task).context("no task")?;
    confine::limit(task.memory_bytes(), options.seconds, task.files().count())?;
    let opened = task.open();
    confine::close_doors(&task.files().collect::<Vec<_>>())?;
    let mut out = BufWriter::new(std::io::stdout());
    opened.run(&mut out)?;
    Ok(out.flush()?)
}
