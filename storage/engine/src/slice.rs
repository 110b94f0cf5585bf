//! Slices: the rows of the last minute or so, in memory.
//!
//! A slice takes the records of the log from one sequence number to another, so that one cursor says what is sealed.
//! Its rows are held as the batches they came in, from which the segment is written: every type stays, and nothing
//! depends on the query engine. Spans are also searched there; log records and data points, of which there are fewer,
//! are in tables of the query engine besides.

use crate::columns::{self, Arrival, Part, Pick, Rows, Table};
use crate::context::ContextTable;
use crate::counters::Counters;
use crate::duck::{Duck, TableName};
use crate::error::Fault;
use crate::rollup::RollupRows;
use duckdb::Connection;
use orrery_model::{LogBatch, MetricBatch, SpanBatch};
use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Instant;

/// Rows handed to the query engine at once: its vector size. The converter goes through all list members of an array
/// for each vector, so longer batches cost the square.
const VECTOR: usize = 2048;

/// Rows in memory, of all signals.
pub(crate) struct Slice {
    pub(crate) id: u64,
    pub(crate) opened: Instant,
    pub(crate) spans: HotTable<SpanBatch>,
    pub(crate) logs: HotTable<LogBatch>,
    pub(crate) points: HotTable<MetricBatch>,
    pub(crate) rollup: RwLock<RollupRows>,
    pub(crate) progress: Mutex<Progress>,
}

/// Which records of the log a slice holds, and what they count for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    /// First sequence number that is *not* in this slice or an earlier one.
    pub(crate) next_seq: u64,
    pub(crate) counters: Counters,
    /// Memory, estimated.
    pub(crate) bytes: u64,
    pub(crate) records: u64,
    pub(crate) observed: Observed,
}

/// Where the rollups' observer stood when a slice stopped growing: what was emitted until then is in the slice or an
/// earlier one, the rest is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Observed {
    /// First sequence number of the log with spans it remembered. The log is kept from here on.
    pub(crate) from_seq: u64,
    /// Its clock, Unix nanoseconds. 0: there was no observer.
    pub(crate) to_unix_nano: i64,
}

impl Slice {
    pub(crate) fn new(id: u64, next_seq: u64, duck: &Arc<Duck>) -> Result<Slice, Fault> {
        Ok(Slice {
            id,
            opened: Instant::now(),
            spans: HotTable::new(id, duck)?,
            logs: HotTable::new(id, duck)?,
            points: HotTable::new(id, duck)?,
            rollup: RwLock::new(RollupRows::of_slice(id)),
            progress: Mutex::new(Progress { next_seq, ..Progress::default() }),
        })
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.progress.lock().bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.progress.lock().records == 0 && self.rollup.read().is_empty()
    }
}

/// Rows of one signal in memory.
pub(crate) struct HotTable<B: Table> {
    name: TableName,
    duck: Arc<Duck>,
    rows: RwLock<HotRows<B>>,
}

/// What a hot table holds.
pub(crate) struct HotRows<B> {
    pub(crate) parts: Vec<Part<B>>,
    pub(crate) context: Arc<ContextTable>,
    pub(crate) count: u64,
    /// Earliest and latest time of a row.
    pub(crate) times: Option<(i64, i64)>,
}

impl<B> Default for HotRows<B> {
    fn default() -> Self {
        HotRows { parts: Vec::new(), context: Arc::default(), count: 0, times: None }
    }
}

impl<B: Table> HotTable<B> {
    fn new(slice: u64, duck: &Arc<Duck>) -> Result<HotTable<B>, Fault> {
        let name = TableName::new(B::NAME, slice);
        if !B::IN_BATCHES {
            duck.create_table(&name, &columns::ddl::<B>())?;
        }
        Ok(HotTable { name, duck: Arc::clone(duck), rows: RwLock::default() })
    }

    pub(crate) fn name(&self) -> &TableName {
        &self.name
    }

    pub(crate) fn context(&self) -> Arc<ContextTable> {
        Arc::clone(&self.rows.read().context)
    }

    pub(crate) fn times(&self) -> Option<(i64, i64)> {
        self.rows.read().times
    }

    pub(crate) fn count(&self) -> u64 {
        self.rows.read().count
    }

    /// What is held now.
    pub(crate) fn held(&self) -> (Vec<Part<B>>, Arc<ContextTable>) {
        let rows = self.rows.read();
        (rows.parts.clone(), Arc::clone(&rows.context))
    }

    /// Takes in requests' batches, with their sequence numbers. The rows are kept for sealing even if the query engine
    /// refuses them; that is the error then.
    pub(crate) fn insert(&self, batches: Vec<(u64, B)>, connection: &Connection) -> Result<(), Fault> {
        let parts = self.number(batches);
        if parts.is_empty() {
            return Ok(());
        }
        let context = self.context();
        let picks = picks(&parts);
        let rows = Rows { parts: &parts, picks: &picks, context: &context };
        let inserted = if B::IN_BATCHES { Ok(()) } else { self.append(&rows, connection) };
        let mut rows = self.rows.write();
        rows.count += picks.len() as u64;
        rows.times = times(&parts, &picks).fold(rows.times, |all, time| match all {
            None => Some((time, time)),
            Some((first, last)) => Some((first.min(time), last.max(time))),
        });
        rows.parts.extend(parts);
        inserted
    }

    fn number(&self, batches: Vec<(u64, B)>) -> Vec<Part<B>> {
        let mut rows = self.rows.write();
        let part = |(seq, batch): (u64, B)| {
            let (resources, scopes) = Arc::make_mut(&mut rows.context).number(batch.context());
            let (resources, scopes) = (resources.into(), scopes.into());
            Part { batch: Arc::new(batch), resources, scopes, arrival: Arrival::Record(seq) }
        };
        batches.into_iter().filter(|(_, batch)| batch.rows() > 0).map(part).collect()
    }

    fn append(&self, rows: &Rows<'_, B>, connection: &Connection) -> Result<(), Fault> {
        let mut appender = connection.appender(self.name.as_str())?;
        for picks in rows.picks.chunks(VECTOR) {
            appender.append_record_batch(columns::hot_batch(&Rows { picks, ..*rows })?)?;
        }
        Ok(appender.flush()?)
    }
}

impl<B: Table> Drop for HotTable<B> {
    fn drop(&mut self) {
        if !B::IN_BATCHES {
            self.duck.drop_table(&self.name);
        }
    }
}

/// All rows of all parts, in order.
pub(crate) fn picks<B: Table>(parts: &[Part<B>]) -> Vec<Pick> {
    let rows = |(part, held): (usize, &Part<B>)| {
        (0..held.batch.rows()).map(move |row| Pick { part: part as u32, row: row as u32 })
    };
    parts.iter().enumerate().flat_map(rows).collect()
}

fn times<'a, B: Table>(parts: &'a [Part<B>], picks: &'a [Pick]) -> impl Iterator<Item = i64> + 'a {
    picks.iter().map(|pick| parts[pick.part as usize].batch.time(pick.row as usize))
}
