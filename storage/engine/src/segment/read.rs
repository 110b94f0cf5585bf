//! Rows of a few traces, straight from Parquet. They lie in trace order, so that statistics lead to their row groups, and
//! of these only the rows asked for are decoded. The query engine is for questions that are not known beforehand: it
//! takes as long to begin with one as this takes to answer.

use super::Segment;
use crate::error::Fault;
use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::UInt64Type;
use orrery_model::{SpanId, TraceId};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowPredicate, ArrowPredicateFn, ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
    RowFilter,
};
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::SchemaDescriptor;
use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;

const TRACE_ID: &str = "trace_id";
const SPAN_ID: &str = "span_id";
/// Rows of a batch.
const BATCH: usize = 8 * 1024;

/// Which rows, and what of them.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) traces: &'a BTreeSet<TraceId>,
    /// Only this span.
    pub(crate) span: Option<SpanId>,
    /// Names of columns.
    pub(crate) columns: &'a [&'a str],
    /// Columns of lists of which only the length matters: their members come without most fields.
    pub(crate) lists: &'a [&'a str],
    /// At most so many rows.
    pub(crate) limit: usize,
}

impl<'a> Wanted<'a> {
    /// Nothing of these traces yet.
    pub(crate) fn of(traces: &'a BTreeSet<TraceId>, limit: usize) -> Wanted<'a> {
        Wanted { traces, span: None, columns: &[], lists: &[], limit }
    }

    fn columns(&self, schema: &SchemaDescriptor) -> ProjectionMask {
        let mut lists = self.lists.to_vec();
        let mut is_wanted = |leaf: usize| {
            let name = schema.get_column_root(leaf).name();
            let list = lists.iter().position(|list| *list == name);
            list.map(|list| lists.swap_remove(list)).is_some() || self.columns.contains(&name)
        };
        ProjectionMask::leaves(schema, (0..schema.num_columns()).filter(|leaf| is_wanted(*leaf)))
    }
}

impl Segment {
    /// The rows of some traces, in trace order, batch by batch. Says how many rows were looked at. The file must have
    /// been verified.
    pub(crate) fn of_traces(
        &self,
        wanted: &Wanted<'_>,
        mut each: impl FnMut(RecordBatch) -> Result<(), Fault>,
    ) -> Result<u64, Fault> {
        let file = File::open(&self.parquet).map_err(Fault::io(&self.parquet))?;
        // Words as text, whatever they were written from.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let footer = ArrowReaderMetadata::try_new(Arc::clone(self.footer()?.metadata()), options)?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer);
        let schema = builder.parquet_schema();
        let leaf = |name: &str| (0..schema.num_columns()).find(|leaf| schema.get_column_root(*leaf).name() == name);
        let (Some(trace_id), Some(span_id)) = (leaf(TRACE_ID), leaf(SPAN_ID)) else {
            return Err(Fault::damaged(&self.parquet, "it has no spans"));
        };
        let columns = wanted.columns(schema);
        let groups = groups(builder.metadata(), trace_id, wanted.traces);
        let rows = groups.iter().map(|group| builder.metadata().row_group(*group).num_rows() as u64).sum();
        let mut filters: Vec<Box<dyn ArrowPredicate>> = Vec::new();
        let traces = wanted.traces.clone();
        filters.push(Box::new(ArrowPredicateFn::new(ProjectionMask::leaves(schema, [trace_id]), move |batch| {
            let ids = batch.column(0).as_fixed_size_binary();
            let is_wanted = |row| TraceId::from_bytes(ids.value(row)).is_some_and(|id| traces.contains(&id));
            // Rows of a trace lie beside each other: what was true of the one before is true of its like.
            let mut last = (&[][..], false);
            Ok(BooleanArray::from_iter((0..ids.len()).map(|row| {
                if last.0 != ids.value(row) {
                    last = (ids.value(row), is_wanted(row));
                }
                Some(last.1)
            })))
        })));
        if let Some(span) = wanted.span {
            filters.push(Box::new(ArrowPredicateFn::new(ProjectionMask::leaves(schema, [span_id]), move |batch| {
                Ok(BooleanArray::from_unary(batch.column(0).as_primitive::<UInt64Type>(), |id| id == span.0))
            })));
        }
        let reader = builder
            .with_row_groups(groups)
            .with_row_filter(RowFilter::new(filters))
            .with_projection(columns)
            .with_batch_size(BATCH)
            .with_limit(wanted.limit)
            .build()?;
        for batch in reader {
            each(batch?)?;
        }
        Ok(rows)
    }
}

/// Row groups that may have rows of the traces, by their first and last.
fn groups(metadata: &ParquetMetaData, trace_id: usize, traces: &BTreeSet<TraceId>) -> Vec<usize> {
    let may_have = |group: &usize| {
        let statistics = metadata.row_group(*group).column(trace_id).statistics();
        let bound = |bytes: Option<&[u8]>| bytes.and_then(TraceId::from_bytes);
        let ends = statistics.and_then(|of| bound(of.min_bytes_opt()).zip(bound(of.max_bytes_opt())));
        ends.is_none_or(|(first, last)| traces.range(first..=last).next().is_some())
    };
    (0..metadata.num_row_groups()).filter(may_have).collect()
}
