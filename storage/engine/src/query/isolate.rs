//! What a process needs to answer a statement of its own: the segments' files, and a file with the rows in memory.

use super::session::Session;
use super::source::Source;
use super::{engine_error, export, filter};
use crate::columns::Table;
use crate::engine::Inner;
use crate::error::{Fault, chain};
use crate::promote::Promoted;
use crate::sandbox::tables::TABLES;
use crate::sandbox::{Group, Input, Task};
use crate::slice::Slice;
use orrery_model::{LogBatch, MetricBatch, Signal, SpanBatch};
use orrery_query::answer::{Answer, Isolated};
use orrery_query::{Control, QueryError, plan};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// In the folder for temporary files.
pub(crate) const FOLDER: &str = "sql";
/// Memory of the engine in the other process, at most.
const MEMORY: u64 = 512 << 20;

pub(crate) fn run(inner: &Inner, plan: &plan::Statement, control: &Control) -> Result<Answer<Isolated>, QueryError> {
    filter::check_range(plan.range)?;
    let mut session = Session::new(inner, "isolate", control)?;
    // What it does not name it cannot read.
    let named = plan.text.to_lowercase();
    let mut held = Held::default();
    let mut tables = Vec::new();
    for table in TABLES.iter().filter(|table| named.contains(table.name)) {
        let groups = match table.signal {
            Signal::Traces => groups::<SpanBatch>(&mut session, plan, &mut held)?,
            Signal::Logs => groups::<LogBatch>(&mut session, plan, &mut held)?,
            Signal::Metrics => groups::<MetricBatch>(&mut session, plan, &mut held)?,
        };
        tables.push(Input { signal: table.signal, groups });
    }
    let task = Task {
        statement: plan.text.clone(),
        from: plan.range.from,
        to: plan.range.to,
        tables,
        format: plan.format,
        rows: plan.rows,
        most_rows: plan.most_rows,
        most_bytes: plan.most_bytes,
        memory_bytes: inner.config.query_memory_bytes.min(MEMORY),
    };
    let task = serde_json::to_vec(&task).map_err(|error| engine_error("isolate", error))?;
    Ok(session.answer(Isolated { task, held: Box::new(held) }))
}

/// Files that are there as long as this is.
#[derive(Default)]
struct Held {
    // Their files go with the last who holds them.
    segments: Vec<Source>,
    written: Vec<Written>,
}

/// A file of ours, removed in the end.
struct Written(PathBuf);

impl Drop for Written {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            // The next start empties the folder.
            tracing::warn!(%error, file = %self.0.display(), "a temporary file stays for now");
        }
    }
}

fn groups<B: Table>(
    session: &mut Session<'_>,
    plan: &plan::Statement,
    held: &mut Held,
) -> Result<Vec<Group>, QueryError> {
    let mut slices = Vec::new();
    let mut by_columns: Vec<(Arc<[Promoted]>, Vec<PathBuf>)> = Vec::new();
    for source in session.sources::<B>(plan.range, |_| true)? {
        session.check()?;
        let Source::Sealed(segment, _) = &source else {
            if let Source::Hot(slice) = &source {
                slices.push(Arc::clone(slice));
            }
            continue;
        };
        if !session.may_read(&source) {
            continue;
        }
        session.opened(segment.entry.rows);
        let path = segment.parquet().to_owned();
        match by_columns.iter_mut().find(|(promoted, _)| *promoted == segment.entry.promoted) {
            Some((_, files)) => files.push(path),
            None => by_columns.push((Arc::clone(&segment.entry.promoted), vec![path])),
        }
        held.segments.push(source);
    }
    let mut groups: Vec<Group> =
        by_columns.into_iter().map(|(promoted, files)| Group { promoted: promoted.to_vec(), files }).collect();
    match fresh::<B>(session, plan, &slices) {
        Ok(Some(written)) => {
            groups.push(Group { promoted: Vec::new(), files: vec![written.0.clone()] });
            held.written.push(written);
        }
        Ok(None) => {}
        Err(fault) => {
            session.check()?;
            tracing::warn!(error = chain(&fault), "rows in memory could not be handed to another process");
            session.incomplete("rows of the last minute could not be read".to_owned());
        }
    }
    Ok(groups)
}

/// Writes the rows in memory to a file.
fn fresh<B: Table>(
    session: &mut Session<'_>,
    plan: &plan::Statement,
    slices: &[Arc<Slice>],
) -> Result<Option<Written>, Fault> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    if slices.is_empty() {
        return Ok(None);
    }
    let folder = session.inner.dir.tmp().join(FOLDER);
    fs::create_dir_all(&folder).map_err(Fault::io(&folder))?;
    let path = folder.join(format!("{}-{}.parquet", B::NAME, NEXT.fetch_add(1, Ordering::Relaxed)));
    let file = File::create(&path).map_err(Fault::io(&path))?;
    let written = Written(path);
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let control = session.control();
    let check = || control.check().map_err(|stopped| Fault::Other(stopped.to_string()));
    let rows = export::hot::<B>(slices, plan.range, &mut out, check)?;
    out.flush().map_err(Fault::io(&written.0))?;
    session.looked_at(rows);
    Ok((rows > 0).then_some(written))
}
