//! The tables: what they are called, how rows get in, and how they are added up.

use super::range::Buckets;
use crate::rollup::latency::{Cell, Cells};
use crate::rollup::rows::{
    Additive, EdgeKey, EdgeRow, ErrorKey, ErrorRow, InstanceKey, InstanceRow, NodeRef, OperationKey, Part, RollupRows,
};
use duckdb::Connection;
use duckdb::arrow::array::{
    ArrayRef, AsArray, BinaryArray, BooleanArray, Float64Array, Int16Array, Int64Array, RecordBatch, StringArray,
    UInt8Array, UInt64Array,
};
use duckdb::arrow::datatypes::{Float64Type, Int16Type, Int64Type, UInt8Type, UInt64Type};
use orrery_model::Sym;
use orrery_query::answer::{EdgeKind, NodeKind};
use std::sync::Arc;

/// A length of time at which everything is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Level {
    /// Suffix of table names.
    pub(super) name: &'static str,
    /// Length of a bucket.
    pub(super) nanos: i64,
}

impl Level {
    /// Start of the bucket of an instant.
    pub(super) fn floor(self, time: i64) -> i64 {
        time.div_euclid(self.nanos).saturating_mul(self.nanos)
    }
}

/// Finest first; each a multiple of the one before.
pub(super) const LEVELS: [Level; 3] = [
    Level { name: "10s", nanos: 10_000_000_000 },
    Level { name: "1m", nanos: 60_000_000_000 },
    Level { name: "1h", nanos: 3_600_000_000_000 },
];

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// [`RollupRows::operations`].
    Operations,
    /// [`RollupRows::instances`].
    Instances,
    /// [`RollupRows::edges`].
    Edges,
    /// [`RollupRows::errors`].
    Errors,
}

const TABLES: [Table; 4] = [Table::Operations, Table::Instances, Table::Edges, Table::Errors];

impl Table {
    fn name(self) -> &'static str {
        match self {
            Table::Operations => "operations",
            Table::Instances => "instances",
            Table::Edges => "edges",
            Table::Errors => "errors",
        }
    }

    /// Columns that tell rows apart, besides slice and time, with their types.
    fn keys(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Table::Operations => &[
                ("service", "VARCHAR"),
                ("operation", "VARCHAR"),
                ("kind", "UTINYINT"),
                ("root", "BOOLEAN"),
                ("bucket", "SMALLINT"),
            ],
            Table::Instances => &[
                ("service", "VARCHAR"),
                ("version", "VARCHAR"),
                ("instance", "VARCHAR"),
                ("part", "UTINYINT"),
                ("bucket", "SMALLINT"),
            ],
            Table::Edges => &[
                ("caller_kind", "VARCHAR"),
                ("caller", "VARCHAR"),
                ("callee_kind", "VARCHAR"),
                ("callee", "VARCHAR"),
                ("kind", "VARCHAR"),
                ("consumer_group", "VARCHAR"),
                ("measure", "UTINYINT"),
                ("bucket", "SMALLINT"),
            ],
            Table::Errors => {
                &[("service", "VARCHAR"), ("error_type", "VARCHAR"), ("message", "VARCHAR"), ("operation", "VARCHAR")]
            }
        }
    }

    /// Columns that add up, with their types and how.
    fn values(self) -> &'static [(&'static str, &'static str, &'static str)] {
        const CALLS: [(&str, &str, &str); 3] = [
            ("count", "DOUBLE", "sum(count)"),
            ("errors", "DOUBLE", "sum(errors)"),
            ("sum_nanos", "DOUBLE", "sum(sum_nanos)"),
        ];
        match self {
            Table::Operations | Table::Edges => &CALLS,
            Table::Instances => {
                const ALL: [(&str, &str, &str); 5] = [
                    CALLS[0],
                    CALLS[1],
                    CALLS[2],
                    ("first_unix_nano", "BIGINT", "min(first_unix_nano)"),
                    ("last_unix_nano", "BIGINT", "max(last_unix_nano)"),
                ];
                &ALL
            }
            Table::Errors => &[
                ("count", "UBIGINT", "sum(count)::UBIGINT"),
                ("last_unix_nano", "BIGINT", "max(last_unix_nano)"),
                ("trace_id", "BLOB", "arg_max(trace_id, last_unix_nano)"),
                ("span_id", "UBIGINT", "arg_max(span_id, last_unix_nano)"),
            ],
        }
    }
}

/// Names of all tables that hold rows.
pub(super) fn all() -> impl Iterator<Item = String> {
    LEVELS.into_iter().flat_map(|level| TABLES.map(|table| format!("{}_{}", table.name(), level.name)))
}

/// Makes what is missing.
pub(super) fn ddl() -> String {
    let mut sql = String::from(
        "CREATE TABLE IF NOT EXISTS layout (layout BIGINT);\nCREATE TABLE IF NOT EXISTS slices (slice UBIGINT);\n",
    );
    for level in LEVELS {
        for table in TABLES {
            let keys = table.keys().iter().map(|(name, kind)| format!("{name} {kind}"));
            let values = table.values().iter().map(|(name, kind, _)| format!("{name} {kind}"));
            let columns: Vec<String> = keys.chain(values).collect();
            sql += &format!(
                "CREATE TABLE IF NOT EXISTS {}_{} (slice UBIGINT, time BIGINT, {});\n",
                table.name(),
                level.name,
                columns.join(", ")
            );
        }
    }
    sql
}

/// No cell: the row only says that something was there.
const NO_BUCKET: i16 = -1;

/// What a row of an edge measures.
const CALLER: u8 = 0;
const CALLEE: u8 = 1;
const NETWORK: u8 = 2;
const LAG: u8 = 3;
/// Counts without a duration.
const BLAMED: u8 = 4;
const NETWORK_NEGATIVE: u8 = 5;
const LAG_NEGATIVE: u8 = 6;

/// Columns being filled, in the table's order.
#[derive(Default)]
struct Columns {
    time: Vec<i64>,
    texts: Vec<Vec<Sym>>,
    words: Vec<Vec<&'static str>>,
    number: Vec<u8>,
    flag: Vec<bool>,
    cells: Vec<(i16, Cell)>,
    first: Vec<i64>,
    last: Vec<i64>,
}

impl Columns {
    fn push(&mut self, time: i64, texts: &[Sym], number: u8, cell: Option<Cell>) {
        self.time.push(time);
        self.texts.resize(texts.len(), Vec::new());
        self.texts.iter_mut().zip(texts).for_each(|(column, text)| column.push(*text));
        self.number.push(number);
        self.cells.push(cell.map_or((NO_BUCKET, Cell::default()), |cell| (cell.bucket as i16, cell)));
    }

    fn text(&self, at: usize, rows: &RollupRows) -> ArrayRef {
        Arc::new(StringArray::from_iter_values(self.texts[at].iter().map(|&sym| rows.names.get(sym))))
    }

    fn word(&self, at: usize) -> ArrayRef {
        Arc::new(StringArray::from_iter_values(&self.words[at]))
    }

    fn number(&self) -> ArrayRef {
        Arc::new(UInt8Array::from(self.number.clone()))
    }

    fn bucket(&self) -> ArrayRef {
        Arc::new(Int16Array::from_iter_values(self.cells.iter().map(|(bucket, _)| *bucket)))
    }

    fn calls(&self) -> [ArrayRef; 3] {
        let column = |of: fn(&Cell) -> f64| {
            Arc::new(Float64Array::from_iter_values(self.cells.iter().map(|(_, cell)| of(cell)))) as _
        };
        [column(|cell| cell.count), column(|cell| cell.errors), column(|cell| cell.sum_nanos)]
    }
}

fn times(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

/// Appends the rows of a slice to the tables of a level.
pub(super) fn append(connection: &Connection, level: Level, slice: u64, rows: &RollupRows) -> duckdb::Result<()> {
    for table in TABLES {
        let (time, columns) = match table {
            Table::Operations => operations(rows),
            Table::Instances => instances(rows),
            Table::Edges => edges(rows),
            Table::Errors => errors(rows),
        };
        let count = time.len();
        if count == 0 {
            continue;
        }
        let slices: ArrayRef = Arc::new(UInt64Array::from(vec![slice; count]));
        let names = ["slice", "time"]
            .into_iter()
            .chain(table.keys().iter().map(|key| key.0))
            .chain(table.values().iter().map(|value| value.0));
        let arrays = [slices, times(&time)].into_iter().chain(columns);
        let batch = RecordBatch::try_from_iter(names.zip(arrays)).expect("columns of one length, as many as names");
        connection.appender(&format!("{}_{}", table.name(), level.name))?.append_record_batch(batch)?;
    }
    Ok(())
}

fn operations(rows: &RollupRows) -> (Vec<i64>, Vec<ArrayRef>) {
    let mut columns = Columns::default();
    for (key, cells) in rows.operations.iter() {
        for cell in cells.iter() {
            columns.push(key.time, &[key.service, key.operation], key.kind, Some(*cell));
            columns.flag.push(key.root);
        }
    }
    if columns.time.is_empty() {
        return Default::default();
    }
    let root = Arc::new(BooleanArray::from(columns.flag.clone()));
    let keys = [columns.text(0, rows), columns.text(1, rows), columns.number(), root, columns.bucket()];
    let all = keys.into_iter().chain(columns.calls()).collect();
    (columns.time, all)
}

fn instances(rows: &RollupRows) -> (Vec<i64>, Vec<ArrayRef>) {
    let mut columns = Columns::default();
    for (key, row) in rows.instances.iter() {
        let cells = row.cells.iter().copied().map(Some).chain(row.cells.is_empty().then_some(None));
        for cell in cells {
            columns.push(key.time, &[key.service, key.version, key.instance], key.part as u8, cell);
            columns.first.push(row.first_unix_nano);
            columns.last.push(row.last_unix_nano);
        }
    }
    if columns.time.is_empty() {
        return Default::default();
    }
    let keys =
        [columns.text(0, rows), columns.text(1, rows), columns.text(2, rows), columns.number(), columns.bucket()];
    let values = columns.calls().into_iter().chain([times(&columns.first), times(&columns.last)]);
    let all = keys.into_iter().chain(values).collect();
    (columns.time, all)
}

fn edges(rows: &RollupRows) -> (Vec<i64>, Vec<ArrayRef>) {
    let mut columns = Columns { words: vec![Vec::new(); 3], ..Columns::default() };
    for (key, row) in rows.edges.iter() {
        let measures = [(CALLER, &row.caller), (CALLEE, &row.callee), (NETWORK, &row.network), (LAG, &row.lag)];
        let cells =
            measures.into_iter().flat_map(|(measure, cells)| cells.iter().map(move |cell| (measure, Some(*cell))));
        let counts = [(BLAMED, row.blamed), (NETWORK_NEGATIVE, row.network_negative), (LAG_NEGATIVE, row.lag_negative)];
        let counts = counts.into_iter().filter(|(_, count)| *count != 0.0);
        let counts = counts.map(|(measure, count)| (measure, Some(Cell { count, ..Cell::default() })));
        for (measure, cell) in cells.chain(counts) {
            columns.push(key.time, &[key.caller.id, key.callee.id, key.group], measure, cell);
            let words = [node_word(key.caller.kind), node_word(key.callee.kind), edge_word(key.kind)];
            columns.words.iter_mut().zip(words).for_each(|(column, word)| column.push(word));
        }
    }
    if columns.time.is_empty() {
        return Default::default();
    }
    let keys = [
        columns.word(0),
        columns.text(0, rows),
        columns.word(1),
        columns.text(1, rows),
        columns.word(2),
        columns.text(2, rows),
        columns.number(),
        columns.bucket(),
    ];
    let all = keys.into_iter().chain(columns.calls()).collect();
    (columns.time, all)
}

fn errors(rows: &RollupRows) -> (Vec<i64>, Vec<ArrayRef>) {
    let all = || rows.errors.iter();
    let text = |of: fn(&ErrorKey) -> Sym| {
        Arc::new(StringArray::from_iter_values(all().map(|(key, _)| rows.names.get(of(key))))) as ArrayRef
    };
    let number =
        |of: fn(&ErrorRow) -> u64| Arc::new(UInt64Array::from_iter_values(all().map(|(_, row)| of(row)))) as ArrayRef;
    let columns = vec![
        text(|key| key.service),
        text(|key| key.error_type),
        text(|key| key.message),
        text(|key| key.operation),
        number(|row| row.count),
        times(&all().map(|(_, row)| row.last_unix_nano).collect::<Vec<_>>()),
        Arc::new(BinaryArray::from_iter_values(all().map(|(_, row)| row.trace_id().0))),
        number(|row| row.span_id),
    ];
    (all().map(|(key, _)| key.time).collect(), columns)
}

/// Adds the rows of a table to `rows`, by step of time. Rows of `slices` are left out. Returns how many rows the
/// database returned.
pub(super) fn read(
    connection: &Connection,
    table: Table,
    buckets: &Buckets,
    slices: &[u64],
    service: Option<&str>,
    rows: &mut RollupRows,
) -> duckdb::Result<u64> {
    let mut conditions = String::new();
    if !slices.is_empty() {
        let slices: Vec<String> = slices.iter().map(u64::to_string).collect();
        conditions += &format!(" AND slice NOT IN ({})", slices.join(", "));
    }
    if service.is_some() {
        conditions += " AND service = $1";
    }
    let pieces = buckets.pieces().into_iter().map(|(level, from, to)| {
        format!("SELECT * FROM {}_{} WHERE time >= {from} AND time < {to}{conditions}", table.name(), level.name)
    });
    let pieces: Vec<String> = pieces.collect();
    if pieces.is_empty() {
        return Ok(0);
    }
    let keys: Vec<&str> = table.keys().iter().map(|key| key.0).collect();
    let values: Vec<&str> = table.values().iter().map(|value| value.2).collect();
    let sql = format!(
        "SELECT {} AS step, {}, {} FROM ({}) GROUP BY ALL",
        buckets.step_sql(),
        keys.join(", "),
        values.join(", "),
        pieces.join(" UNION ALL ")
    );
    let mut statement = connection.prepare(&sql)?;
    let batches = match service {
        Some(service) => statement.stream_arrow([service])?,
        None => statement.stream_arrow([])?,
    };
    let mut count = 0;
    for batch in batches {
        let batch = batch?;
        count += batch.num_rows() as u64;
        match table {
            Table::Operations => read_operations(&batch, rows),
            Table::Instances => read_instances(&batch, rows),
            Table::Edges => read_edges(&batch, rows),
            Table::Errors => read_errors(&batch, rows),
        }
    }
    Ok(count)
}

/// A column of text, as symbols of the rows.
fn syms(batch: &RecordBatch, column: usize, rows: &mut RollupRows) -> Vec<Sym> {
    let texts = batch.column(column).as_string::<i32>();
    texts.iter().map(|text| rows.names.intern(text.unwrap_or_default())).collect()
}

fn longs(batch: &RecordBatch, column: usize) -> &[i64] {
    batch.column(column).as_primitive::<Int64Type>().values()
}

/// The cell of each row, from the columns of bucket, count, errors and sum.
fn cells(batch: &RecordBatch, bucket: usize) -> impl Iterator<Item = Option<Cell>> + '_ {
    let buckets = batch.column(bucket).as_primitive::<Int16Type>().values();
    let doubles = |column: usize| batch.column(column).as_primitive::<Float64Type>().values();
    let (counts, errors, sums) = (doubles(bucket + 1), doubles(bucket + 2), doubles(bucket + 3));
    (0..batch.num_rows()).map(move |row| {
        let bucket = u16::try_from(buckets[row]).ok()?;
        Some(Cell { bucket, count: counts[row], errors: errors[row], sum_nanos: sums[row] })
    })
}

fn read_operations(batch: &RecordBatch, rows: &mut RollupRows) {
    let (services, operations) = (syms(batch, 1, rows), syms(batch, 2, rows));
    let kinds = batch.column(3).as_primitive::<UInt8Type>().values();
    let roots = batch.column(4).as_boolean();
    for (row, cell) in cells(batch, 5).enumerate() {
        let (time, service, operation) = (longs(batch, 0)[row], services[row], operations[row]);
        let key = OperationKey { time, service, operation, kind: kinds[row], root: roots.value(row) };
        add(rows.operation(key), cell);
    }
}

fn read_instances(batch: &RecordBatch, rows: &mut RollupRows) {
    let [services, versions, instances] = [1, 2, 3].map(|column| syms(batch, column, rows));
    let parts = batch.column(4).as_primitive::<UInt8Type>().values();
    let (first, last) = (longs(batch, 9), longs(batch, 10));
    for (row, cell) in cells(batch, 5).enumerate() {
        let (time, service, version, instance) = (longs(batch, 0)[row], services[row], versions[row], instances[row]);
        let key = InstanceKey { time, service, version, instance, part: Part::from_number(parts[row]) };
        let mut read = InstanceRow { first_unix_nano: first[row], last_unix_nano: last[row], ..InstanceRow::default() };
        add(Some(&mut read.cells), cell);
        rows.instance(key).into_iter().for_each(|own| own.merge(&read));
    }
}

fn read_edges(batch: &RecordBatch, rows: &mut RollupRows) {
    let [callers, callees, groups] = [2, 4, 6].map(|column| syms(batch, column, rows));
    let [caller_kinds, callee_kinds, kinds] = [1, 3, 5].map(|column| batch.column(column).as_string::<i32>());
    let measures = batch.column(7).as_primitive::<UInt8Type>().values();
    for (row, cell) in cells(batch, 8).enumerate() {
        let node = |kind: &str, id| node_kind(kind).map(|kind| NodeRef { kind, id });
        let caller = node(caller_kinds.value(row), callers[row]);
        let callee = node(callee_kinds.value(row), callees[row]);
        let (Some(caller), Some(callee), Some(kind)) = (caller, callee, edge_kind(kinds.value(row))) else { continue };
        let key = EdgeKey { time: longs(batch, 0)[row], caller, callee, kind, group: groups[row] };
        if let (Some(edge), Some(cell)) = (rows.edge(key), cell) {
            add_measure(edge, measures[row], cell);
        }
    }
}

fn add_measure(edge: &mut EdgeRow, measure: u8, cell: Cell) {
    match measure {
        CALLER => edge.caller.add(cell),
        CALLEE => edge.callee.add(cell),
        NETWORK => edge.network.add(cell),
        LAG => edge.lag.add(cell),
        BLAMED => edge.blamed += cell.count,
        NETWORK_NEGATIVE => edge.network_negative += cell.count,
        LAG_NEGATIVE => edge.lag_negative += cell.count,
        _ => {}
    }
}

fn read_errors(batch: &RecordBatch, rows: &mut RollupRows) {
    let [services, types, messages, operations] = [1, 2, 3, 4].map(|column| syms(batch, column, rows));
    let unsigned = |column: usize| batch.column(column).as_primitive::<UInt64Type>().values();
    let (counts, spans, last) = (unsigned(5), unsigned(8), longs(batch, 6));
    let traces = batch.column(7).as_binary::<i32>();
    for row in 0..batch.num_rows() {
        let (service, error_type) = (services[row], types[row]);
        let (time, message, operation) = (longs(batch, 0)[row], messages[row], operations[row]);
        let key = ErrorKey { time, service, error_type, message, operation };
        let trace_id = traces.value(row).try_into().map(u128::from_be_bytes).unwrap_or_default();
        let read = ErrorRow { count: counts[row], last_unix_nano: last[row], trace_id, span_id: spans[row] };
        rows.error(key).into_iter().for_each(|own| own.merge(&read));
    }
}

fn add(cells: Option<&mut Cells>, cell: Option<Cell>) {
    if let (Some(cells), Some(cell)) = (cells, cell) {
        cells.add(cell);
    }
}

const NODES: [(NodeKind, &str); 8] = [
    (NodeKind::Service, "service"),
    (NodeKind::Database, "database"),
    (NodeKind::Queue, "queue"),
    (NodeKind::External, "external"),
    (NodeKind::Model, "model"),
    (NodeKind::Function, "function"),
    (NodeKind::User, "user"),
    (NodeKind::UnknownCaller, "unknown_caller"),
];

const EDGES: [(EdgeKind, &str); 4] = [
    (EdgeKind::Call, "call"),
    (EdgeKind::Database, "database"),
    (EdgeKind::Publish, "publish"),
    (EdgeKind::Consume, "consume"),
];

fn node_word(kind: NodeKind) -> &'static str {
    // Rows know services only as such; what kind of service is decided when asked.
    NODES.iter().find(|(known, _)| *known == kind).map_or("service", |(_, word)| word)
}

fn node_kind(word: &str) -> Option<NodeKind> {
    NODES.iter().find(|(_, known)| *known == word).map(|(kind, _)| *kind)
}

fn edge_word(kind: EdgeKind) -> &'static str {
    EDGES.iter().find(|(known, _)| *known == kind).map_or("call", |(_, word)| word)
}

fn edge_kind(word: &str) -> Option<EdgeKind> {
    EDGES.iter().find(|(_, known)| *known == word).map(|(kind, _)| *kind)
}
