//! Columns, declared once: each table's list of name, kind, meaning and how a cell is made from a batch. The in-memory
//! tables, the Parquet files, the reader and the documentation derive from these lists.
//!
//! A table's rows come from many batches ([`Part`]); [`Pick`]s say which rows and in which order. Resources and scopes
//! are numbers into the [`ContextTable`](crate::context::ContextTable) of the slice or segment.

pub(crate) mod attributes;
mod cells;
pub(crate) mod logs;
pub(crate) mod points;
pub(crate) mod read;
pub(crate) mod spans;

use crate::context::ContextTable;
use crate::promote::Promoted;
use crate::slice::{HotTable, Slice};
use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Fields, Schema};
use arrow::error::ArrowError;
pub(crate) use attributes::Promotion;
use orrery_model::batch::Context;
use orrery_model::{Attributes, Signal, SpanId, TraceId};
use std::sync::Arc;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    U8,
    U32,
    I32,
    U64,
    I64,
    F64,
    Bool,
    /// Eight random bytes as a number: nothing repeats.
    Id,
    /// A number that grows from request to request: neighbours mostly came together, but a dictionary does not see that.
    Arrival,
    /// A point in time, nanoseconds: smaller plain than as differences, which jump from trace to trace.
    Time,
    /// A length of time, nanoseconds.
    Nanos,
    Text,
    /// Text of which few are distinct.
    Word,
    /// 16 bytes.
    TraceId,
    /// Attribute name to value as JSON text.
    Map,
    F64List,
    U64List,
    Events,
    Links,
    Exemplars,
}

/// Where a column exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In memory and in segments.
    Everywhere,
    /// In segments only, for people who open them: in memory it follows from `resource_id` or `scope_id`.
    Sealed,
}

/// One column: everything about it in one place.
pub(crate) struct Column<B: 'static> {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) place: Place,
    #[cfg_attr(not(test), expect(dead_code, reason = "for FORMAT.md, which a test compares with these lists"))]
    pub(crate) doc: &'static str,
    pub(crate) cells: fn(&Rows<'_, B>) -> ArrayRef,
}

/// A signal's table.
pub(crate) trait Table: Send + Sync + Sized + 'static {
    const SIGNAL: Signal;
    /// Name of the table, and of the file's folder.
    const NAME: &'static str;
    /// All columns but the attribute map and promoted attributes, which [`record_batch`] adds.
    const COLUMNS: &'static [Column<Self>];
    /// Whether frequent attributes get columns of their own in segments.
    const PROMOTES: bool;
    /// Whether rows in memory are looked at in the batches they came in, instead of in a table of the query engine.
    const IN_BATCHES: bool;

    fn rows(&self) -> usize;
    fn context(&self) -> &Context;
    fn resources(&self) -> &[u32];
    fn scopes(&self) -> &[u32];
    fn attributes(&self) -> &Attributes;
    /// The row's own time, Unix nanoseconds: what ranges and retention go by.
    fn time(&self, row: usize) -> i64;
    /// The trace a row belongs to.
    fn trace(&self, row: usize) -> Option<TraceId>;
    /// The traces that rows link to; `None` where rows have no links.
    fn linked(&self) -> Option<&[TraceId]> {
        None
    }
    /// What tells a row that was received twice.
    fn identity(&self, _row: usize) -> Option<(TraceId, SpanId)> {
        None
    }
    /// Whether two rows, neighbours in order, are one item received twice.
    fn same(a: (&Part<Self>, usize), b: (&Part<Self>, usize)) -> bool;
    /// This signal's rows in a slice.
    fn hot(slice: &Slice) -> &HotTable<Self>;
    /// What a row's place in a segment goes by; among equals, by arrival.
    type Key<'a>: Ord + Copy;
    fn key(part: &Part<Self>, row: usize) -> Self::Key<'_>;
    /// Puts rows that are alike beside each other where their order by key does not matter.
    fn cluster(_parts: &[Part<Self>], _picks: &mut [Pick]) {}
    /// The batch that `record_batch` made these columns of; the inverse, but for interning.
    fn read(from: &RecordBatch, context: &ContextTable, promoted: &[Promoted]) -> Result<Self, ArrowError>;
}

/// A batch in a slice or segment, with its numbers there.
pub(crate) struct Part<B> {
    pub(crate) batch: Arc<B>,
    /// By the batch's resource index.
    pub(crate) resources: Arc<[u32]>,
    /// By the batch's scope index.
    pub(crate) scopes: Arc<[u32]>,
    pub(crate) arrival: Arrival,
}

impl<B> Clone for Part<B> {
    fn clone(&self) -> Self {
        Part {
            batch: Arc::clone(&self.batch),
            resources: Arc::clone(&self.resources),
            scopes: Arc::clone(&self.scopes),
            arrival: self.arrival.clone(),
        }
    }
}

/// When rows arrived, as a number that only grows: the log's sequence number and the row's place in its request.
#[derive(Clone)]
pub(crate) enum Arrival {
    /// All rows came with this record of the log.
    Record(u64),
    /// Each row's own, already combined: rows read back from segments.
    Rows(Vec<u64>),
}

impl Arrival {
    pub(crate) fn of(&self, row: usize) -> u64 {
        match self {
            Arrival::Record(seq) => arrival(*seq, row),
            Arrival::Rows(rows) => rows[row],
        }
    }
}

/// The arrival number of a row of a record of the log.
pub(crate) fn arrival(seq: u64, row: usize) -> u64 {
    seq << 24 | (row as u64).min((1 << 24) - 1)
}

/// The arrival number of the first row of the record that brought a row.
pub(crate) fn record_of(arrival: u64) -> u64 {
    arrival >> 24 << 24
}

/// A row: which part, which row of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pick {
    pub(crate) part: u32,
    pub(crate) row: u32,
}

/// Rows of many batches in some order.
pub(crate) struct Rows<'a, B> {
    pub(crate) parts: &'a [Part<B>],
    pub(crate) picks: &'a [Pick],
    pub(crate) context: &'a ContextTable,
}

impl<B> Rows<'_, B> {
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&Part<B>, usize)> {
        self.picks.iter().map(|pick| (&self.parts[pick.part as usize], pick.row as usize))
    }
}

/// Arrival numbers of rows read back; 0 in tables that do not keep them.
pub(crate) fn arrivals(from: &RecordBatch) -> Result<Vec<u64>, ArrowError> {
    match from.column_by_name("arrival") {
        Some(_) => read::Reader::new(from).u64("arrival"),
        None => Ok(vec![0; from.num_rows()]),
    }
}

/// Attribute column of every table.
pub(crate) const ATTRIBUTES: &str = "attributes";

/// The rows as columns of a table in memory.
pub(crate) fn hot_batch<B: Table>(rows: &Rows<'_, B>) -> Result<RecordBatch, ArrowError> {
    record_batch(rows, Place::Everywhere, &Promotion::new(rows.parts, &[]))
}

/// The rows as columns of a segment.
pub(crate) fn sealed_batch<B: Table>(rows: &Rows<'_, B>, promotion: &Promotion<'_>) -> Result<RecordBatch, ArrowError> {
    record_batch(rows, Place::Sealed, promotion)
}

fn record_batch<B: Table>(
    rows: &Rows<'_, B>,
    place: Place,
    promotion: &Promotion<'_>,
) -> Result<RecordBatch, ArrowError> {
    let (typed, rest) = attributes::split(rows, promotion);
    let mut arrays: Vec<ArrayRef> = columns::<B>(place).map(|column| (column.cells)(rows)).collect();
    arrays.push(rest);
    arrays.extend(typed);
    RecordBatch::try_new(schema::<B>(place, promotion.promoted), arrays)
}

/// The columns of a table, without attributes.
pub(crate) fn columns<B: Table>(place: Place) -> impl Iterator<Item = &'static Column<B>> {
    B::COLUMNS.iter().filter(move |column| place == Place::Sealed || column.place == Place::Everywhere)
}

pub(crate) fn schema<B: Table>(place: Place, promoted: &[Promoted]) -> Arc<Schema> {
    let mut fields: Vec<Field> =
        columns::<B>(place).map(|column| Field::new(column.name, column.kind.arrow(), true)).collect();
    fields.push(Field::new(ATTRIBUTES, Kind::Map.arrow(), true));
    fields.extend(promoted.iter().map(|promoted| Field::new(promoted.column(), promoted.kind.column().arrow(), true)));
    Arc::new(Schema::new(fields))
}

/// Column list of a `CREATE TABLE` for rows in memory.
pub(crate) fn ddl<B: Table>() -> String {
    let mut columns: Vec<String> =
        columns::<B>(Place::Everywhere).map(|column| format!("{} {}", column.name, column.kind.sql())).collect();
    columns.push(format!("{ATTRIBUTES} {}", Kind::Map.sql()));
    columns.join(", ")
}

impl Kind {
    /// The type in SQL.
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Kind::U8 => "UTINYINT",
            Kind::U32 => "UINTEGER",
            Kind::I32 => "INTEGER",
            Kind::U64 | Kind::Id | Kind::Arrival => "UBIGINT",
            Kind::I64 | Kind::Time | Kind::Nanos => "BIGINT",
            Kind::F64 => "DOUBLE",
            Kind::Bool => "BOOLEAN",
            Kind::Text | Kind::Word => "VARCHAR",
            Kind::TraceId => "BLOB",
            Kind::Map => "MAP(VARCHAR, VARCHAR)",
            Kind::F64List => "DOUBLE[]",
            Kind::U64List => "UBIGINT[]",
            Kind::Events => {
                "STRUCT(time_unix_nano BIGINT, name VARCHAR, attributes MAP(VARCHAR, VARCHAR), \
                 dropped_attributes_count UINTEGER)[]"
            }
            Kind::Links => {
                "STRUCT(trace_id BLOB, span_id UBIGINT, trace_state VARCHAR, flags UINTEGER, \
                 attributes MAP(VARCHAR, VARCHAR), dropped_attributes_count UINTEGER)[]"
            }
            Kind::Exemplars => "STRUCT(time_unix_nano BIGINT, value DOUBLE, trace_id BLOB, span_id UBIGINT)[]",
        }
    }

    /// The type in Arrow and Parquet.
    pub(crate) fn arrow(self) -> DataType {
        let list = |item: DataType| DataType::List(Arc::new(Field::new("item", item, true)));
        match self {
            Kind::U8 => DataType::UInt8,
            Kind::U32 => DataType::UInt32,
            Kind::I32 => DataType::Int32,
            Kind::U64 | Kind::Id | Kind::Arrival => DataType::UInt64,
            Kind::I64 | Kind::Time | Kind::Nanos => DataType::Int64,
            Kind::F64 => DataType::Float64,
            Kind::Bool => DataType::Boolean,
            Kind::Text => DataType::Utf8,
            Kind::Word => cells::word_type(),
            Kind::TraceId => DataType::FixedSizeBinary(16),
            Kind::Map => attributes::map_type(),
            Kind::F64List => list(DataType::Float64),
            Kind::U64List => list(DataType::UInt64),
            Kind::Events => list(DataType::Struct(cells::event_fields())),
            Kind::Links => list(DataType::Struct(cells::link_fields())),
            Kind::Exemplars => list(DataType::Struct(cells::exemplar_fields())),
        }
    }
}

fn fields<const N: usize>(fields: [(&str, DataType); N]) -> Fields {
    fields.into_iter().map(|(name, kind)| Field::new(name, kind, true)).collect()
}

#[cfg(test)]
mod tests;
