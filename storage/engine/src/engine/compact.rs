//! Compaction: many small segments become few.
//!
//! A minute's segment is fine to read alone and a burden by the thousand. Segments of one signal and level are merged
//! eight at a time: eight minutes, an hour, a third of a day, three days, or until they are big. Rows are read back and
//! written like a slice's, so what is frequent is decided anew and spans that came twice become one.

use super::Inner;
use crate::columns::{self, ATTRIBUTES, Arrival, Part, Place, Table};
use crate::context::ContextTable;
use crate::error::Fault;
use crate::failpoint;
use crate::manifest::{Manifest, SegmentEntry};
use crate::query::sql::Sql;
use crate::segment::{Segment, write};
use orrery_model::{LogBatch, MetricBatch, Signal, SpanBatch};
use std::sync::Arc;

/// Segments merged at once.
const FAN_IN: usize = 8;

/// The oldest segments that are worth merging.
fn candidates(manifest: &Manifest, most_rows: u64) -> Option<Vec<SegmentEntry>> {
    let highest = manifest.segments.iter().map(|entry| entry.level).max()?;
    for signal in Signal::ALL {
        for level in 0..=highest {
            let small = |entry: &&SegmentEntry| {
                entry.signal == signal && entry.level == level && entry.rows < most_rows / FAN_IN as u64
            };
            let mut small: Vec<&SegmentEntry> = manifest.segments.iter().filter(small).collect();
            small.sort_by_key(|entry| entry.id);
            if small.len() >= FAN_IN {
                return Some(small.into_iter().take(FAN_IN).cloned().collect());
            }
        }
    }
    None
}

impl Inner {
    /// Merges one group of segments; false if none is worth it.
    pub(super) fn compact_once(&self) -> Result<bool, Fault> {
        if !self.config.compact {
            return Ok(false);
        }
        let group = self.manifest.with(|manifest| candidates(manifest, self.config.compact_rows));
        let Some(group) = group else { return Ok(false) };
        let snapshot = self.current.get();
        let by_id = |entry: &SegmentEntry| snapshot.segments.iter().find(|segment| segment.entry.id == entry.id);
        let segments: Vec<Arc<Segment>> = group.iter().filter_map(by_id).cloned().collect();
        if segments.len() < group.len() {
            return Ok(false);
        }
        drop(snapshot);
        match group[0].signal {
            Signal::Traces => self.merge::<SpanBatch>(&segments)?,
            Signal::Logs => self.merge::<LogBatch>(&segments)?,
            Signal::Metrics => self.merge::<MetricBatch>(&segments)?,
        }
        Ok(true)
    }

    fn merge<B: Table>(&self, segments: &[Arc<Segment>]) -> Result<(), Fault> {
        let mut context = ContextTable::default();
        let mut parts: Vec<Part<B>> = Vec::new();
        for segment in segments {
            let read = self.read_back::<B>(segment, |batch, arrivals| {
                let (resources, scopes) = context.number(batch.context());
                let (resources, scopes) = (resources.into(), scopes.into());
                parts.push(Part { batch: Arc::new(batch), resources, scopes, arrival: Arrival::Rows(arrivals) });
                Ok(())
            });
            match read {
                Ok(()) => {}
                Err(fault) if fault.is_lasting() => {
                    self.quarantine(segment, &fault);
                    return Ok(());
                }
                Err(fault) => return Err(fault),
            }
        }
        let id = self.manifest.with(|manifest| manifest.next_segment);
        let level = segments[0].entry.level + 1;
        let mut merged = write::write(&self.dir.segments(), id, level, &parts, &context)?;
        if let Some(entry) = &mut merged {
            entry.judged = super::rules::judged_by_all(segments);
        }
        failpoint::pass("merged")?;
        self.replace(segments, merged)?;
        failpoint::pass("replaced")
    }

    fn replace(&self, segments: &[Arc<Segment>], merged: Option<SegmentEntry>) -> Result<(), Fault> {
        let old = |id: u64| segments.iter().any(|segment| segment.entry.id == id);
        self.manifest.commit(|manifest| {
            manifest.next_segment += 1;
            manifest.segments.retain(|entry| !old(entry.id));
            manifest.segments.extend(merged.clone());
        })?;
        self.current.change(|snapshot| {
            snapshot.segments.retain(|segment| !old(segment.entry.id));
            snapshot.segments.extend(merged.map(|entry| self.segments.segment(entry)));
        });
        self.retire(segments);
        Ok(())
    }

    /// A segment's rows as batches, with their arrival numbers, one after the other.
    pub(super) fn read_back<B: Table>(
        &self,
        segment: &Segment,
        mut each: impl FnMut(B, Vec<u64>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        segment.verify()?;
        let context = segment.context()?;
        let promoted = &segment.entry.promoted;
        let mut sql = Sql::new("SELECT ");
        for column in columns::columns::<B>(Place::Everywhere) {
            sql.push(column.name).push(", ");
        }
        sql.push(ATTRIBUTES);
        for promoted in promoted.iter() {
            sql.push(", ").attribute_column(promoted);
        }
        sql.push(" FROM read_parquet(").bind_path(segment.parquet()).push(")");
        sql.stream(&self.duck.writer()?, |batch| {
            let arrivals = match batch.column_by_name("arrival") {
                // The arrival of spans only matters to somebody paging right now, not after an hour.
                Some(_) if B::SIGNAL == Signal::Logs || segment.entry.level == 0 => columns::arrivals(batch)?,
                _ => vec![0; batch.num_rows()],
            };
            each(B::read(batch, &context, promoted)?, arrivals)
        })
    }
}

#[cfg(test)]
impl Inner {
    /// Merges all segments of spans, however few.
    pub(super) fn compact_for_test(&self) {
        let segments = self.current.get().segments.clone();
        self.merge::<SpanBatch>(&segments).expect("merged");
    }
}
