//! The tables: what they are called, how rows get in, and how they come back.

use super::fold::Group;
use crate::rollup::latency::{Bytes, Cell, Cells, encode};
use crate::rollup::rows::{
    Additive, EdgeKey, EdgeRow, ErrorKey, ErrorRow, InstanceKey, InstanceRow, NodeRef, OperationKey, Part, RollupRows,
};
use duckdb::Connection;
use duckdb::arrow::array::{
    ArrayRef, AsArray, BinaryArray, BinaryBuilder, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    UInt8Array, UInt64Array,
};
use duckdb::arrow::datatypes::{Float64Type, Int64Type, UInt8Type, UInt64Type};
use orrery_model::Sym;
use orrery_query::answer::{EdgeKind, NodeKind};
use std::sync::Arc;

/// A length of time for which rows are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Level {
    /// Suffix of table names.
    pub(super) name: &'static str,
    /// Length of a bucket.
    pub(super) nanos: i64,
    /// For how long; `None`: as long as anything.
    pub(super) keep_nanos: Option<i64>,
}

impl Level {
    /// Start of the bucket of an instant.
    pub(super) fn floor(self, time: i64) -> i64 {
        time.div_euclid(self.nanos).saturating_mul(self.nanos)
    }

    /// End of the bucket of the instant before.
    pub(super) fn ceil(self, time: i64) -> i64 {
        self.floor(time.saturating_add(self.nanos - 1))
    }
}

const MINUTE: i64 = 60_000_000_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// Finest first; each a multiple of the one before.
pub(super) const LEVELS: [Level; 4] = [
    Level { name: "10s", nanos: 10_000_000_000, keep_nanos: Some(2 * DAY) },
    Level { name: "1m", nanos: MINUTE, keep_nanos: Some(35 * DAY) },
    Level { name: "10m", nanos: 10 * MINUTE, keep_nanos: Some(100 * DAY) },
    Level { name: "1h", nanos: 60 * MINUTE, keep_nanos: None },
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

pub(super) const TABLES: [Table; 4] = [Table::Operations, Table::Instances, Table::Edges, Table::Errors];

/// A sparse histogram, see [`encode`], and what it adds up to.
const CELLS: [(&str, &str); 4] =
    [("calls", "DOUBLE"), ("failed", "DOUBLE"), ("sum_nanos", "DOUBLE"), ("histogram", "BLOB")];

impl Table {
    fn name(self) -> &'static str {
        match self {
            Table::Operations => "operations",
            Table::Instances => "instances",
            Table::Edges => "edges",
            Table::Errors => "errors",
        }
    }

    /// Columns behind slice and time, with their types: first what tells rows apart, then what adds up.
    fn columns(self) -> Vec<(&'static str, &'static str)> {
        let own: &[(&str, &str)] = match self {
            Table::Operations => {
                &[("service", "VARCHAR"), ("operation", "VARCHAR"), ("kind", "UTINYINT"), ("root", "BOOLEAN")]
            }
            Table::Instances => &[
                ("service", "VARCHAR"),
                ("version", "VARCHAR"),
                ("instance", "VARCHAR"),
                ("part", "UTINYINT"),
                ("first_unix_nano", "BIGINT"),
                ("last_unix_nano", "BIGINT"),
            ],
            Table::Edges => &[
                ("caller_kind", "VARCHAR"),
                ("caller", "VARCHAR"),
                ("callee_kind", "VARCHAR"),
                ("callee", "VARCHAR"),
                ("kind", "VARCHAR"),
                ("consumer_group", "VARCHAR"),
                ("measure", "UTINYINT"),
            ],
            Table::Errors => &[
                ("service", "VARCHAR"),
                ("error_type", "VARCHAR"),
                ("message", "VARCHAR"),
                ("operation", "VARCHAR"),
                ("count", "UBIGINT"),
                ("last_unix_nano", "BIGINT"),
                ("trace_id", "BLOB"),
                ("span_id", "UBIGINT"),
            ],
        };
        let cells: &[(&str, &str)] = if self == Table::Errors { &[] } else { &CELLS };
        own.iter().chain(cells).copied().collect()
    }

    pub(super) fn at(self, level: Level) -> String {
        format!("{}_{}", self.name(), level.name)
    }
}

/// Names of all tables that hold rows.
pub(super) fn all() -> impl Iterator<Item = String> {
    LEVELS.into_iter().flat_map(|level| TABLES.map(|table| table.at(level)))
}

/// Makes what is missing.
pub(super) fn ddl() -> String {
    let mut sql = String::from(
        "CREATE TABLE IF NOT EXISTS slices (first UBIGINT, last UBIGINT, is_coarse BOOLEAN);\n\
         CREATE TABLE IF NOT EXISTS thinned (level VARCHAR, before BIGINT);\n",
    );
    for level in LEVELS {
        for table in TABLES {
            let columns: Vec<String> = table.columns().iter().map(|(name, kind)| format!("{name} {kind}")).collect();
            sql += &format!(
                "CREATE TABLE IF NOT EXISTS {} (slice UBIGINT, time BIGINT, {});\n",
                table.at(level),
                columns.join(", ")
            );
        }
    }
    sql + &views()
}

/// Views for people: every row once, at the finest length there is of its time.
fn views() -> String {
    let mut sql = String::new();
    for table in TABLES {
        let mut places = Vec::new();
        let mut condition = "true".to_owned();
        for (at, level) in LEVELS.into_iter().enumerate() {
            let gone = format!(
                "time < (SELECT coalesce(max(before), {}) FROM thinned WHERE level = '{}')",
                i64::MIN,
                level.name
            );
            let only = if at == 0 { "slice IN (SELECT first FROM slices WHERE NOT is_coarse)" } else { "false" };
            places.push(format!("SELECT * FROM {} WHERE {condition} AND (NOT {gone} OR {only})", table.at(level)));
            condition = gone;
        }
        sql += &format!("CREATE OR REPLACE VIEW {} AS {};\n", table.name(), places.join(" UNION ALL "));
    }
    sql
}

/// What a row of an edge measures.
pub(super) const CALLER: u8 = 0;
pub(super) const CALLEE: u8 = 1;
pub(super) const NETWORK: u8 = 2;
pub(super) const LAG: u8 = 3;
/// Counts without a duration, in bucket 0.
pub(super) const BLAMED: u8 = 4;
const NETWORK_NEGATIVE: u8 = 5;
const LAG_NEGATIVE: u8 = 6;

/// Rows per batch: the engine's vector.
const VECTOR: usize = 2048;

/// Appends the rows of a slice to the tables of a level.
pub(super) fn append(connection: &Connection, level: Level, slice: u64, rows: &RollupRows) -> duckdb::Result<()> {
    let operations: Vec<_> = rows.operations.iter().collect();
    let instances: Vec<_> = rows.instances.iter().collect();
    let edges: Vec<_> = rows.edges.iter().flat_map(measures).collect();
    let errors: Vec<_> = rows.errors.iter().collect();
    put(connection, level, slice, Table::Operations, &operations, |some| operation_columns(rows, some))?;
    put(connection, level, slice, Table::Instances, &instances, |some| instance_columns(rows, some))?;
    put(connection, level, slice, Table::Edges, &edges, |some| edge_columns(rows, some))?;
    put(connection, level, slice, Table::Errors, &errors, |some| error_columns(rows, some))
}

fn put<R>(
    connection: &Connection,
    level: Level,
    slice: u64,
    table: Table,
    rows: &[R],
    columns: impl Fn(&[R]) -> Vec<ArrayRef>,
) -> duckdb::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut appender = connection.appender(&table.at(level))?;
    for some in rows.chunks(VECTOR) {
        let slices: ArrayRef = Arc::new(UInt64Array::from(vec![slice; some.len()]));
        let names = ["slice", "time"].into_iter().chain(table.columns().into_iter().map(|column| column.0));
        let batch = RecordBatch::try_from_iter(names.zip(std::iter::once(slices).chain(columns(some))));
        appender.append_record_batch(batch.expect("columns of one length, as many as names"))?;
    }
    appender.flush()
}

fn longs<'a, R>(rows: &'a [R], of: impl Fn(&'a R) -> i64) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(rows.iter().map(of)))
}

fn unsigned<'a, R>(rows: &'a [R], of: impl Fn(&'a R) -> u64) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(rows.iter().map(of)))
}

fn small<'a, R>(rows: &'a [R], of: impl Fn(&'a R) -> u8) -> ArrayRef {
    Arc::new(UInt8Array::from_iter_values(rows.iter().map(of)))
}

fn texts<'a, R>(rows: &'a [R], of: impl Fn(&'a R) -> &'a str) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(rows.iter().map(of)))
}

/// The columns of [`CELLS`].
fn histograms<'a, R>(rows: &'a [R], of: impl Fn(&'a R) -> &'a Cells) -> [ArrayRef; 4] {
    let sums = |part: fn(&Cell) -> f64| {
        let sum = |row| of(row).iter().map(part).sum::<f64>();
        Arc::new(Float64Array::from_iter_values(rows.iter().map(sum))) as ArrayRef
    };
    let mut bytes = BinaryBuilder::new();
    let mut scratch = Vec::new();
    for row in rows {
        scratch.clear();
        encode(of(row), &mut scratch);
        bytes.append_value(&scratch);
    }
    [sums(|cell| cell.count), sums(|cell| cell.errors), sums(|cell| cell.sum_nanos), Arc::new(bytes.finish())]
}

fn operation_columns(rows: &RollupRows, some: &[&(OperationKey, Cells)]) -> Vec<ArrayRef> {
    let mut columns = vec![
        longs(some, |row| row.0.time),
        texts(some, |row| rows.names.get(row.0.service)),
        texts(some, |row| rows.names.get(row.0.operation)),
        small(some, |row| row.0.kind),
        Arc::new(BooleanArray::from_iter(some.iter().map(|row| Some(row.0.root)))) as ArrayRef,
    ];
    columns.extend(histograms(some, |row| &row.1));
    columns
}

fn instance_columns(rows: &RollupRows, some: &[&(InstanceKey, InstanceRow)]) -> Vec<ArrayRef> {
    let mut columns = vec![
        longs(some, |row| row.0.time),
        texts(some, |row| rows.names.get(row.0.service)),
        texts(some, |row| rows.names.get(row.0.version)),
        texts(some, |row| rows.names.get(row.0.instance)),
        small(some, |row| row.0.part as u8),
        longs(some, |row| row.1.first_unix_nano),
        longs(some, |row| row.1.last_unix_nano),
    ];
    columns.extend(histograms(some, |row| &row.1.cells));
    columns
}

/// One measure of an edge.
pub(super) type Measure = (EdgeKey, u8, Cells);

pub(super) fn measures((key, row): &(EdgeKey, EdgeRow)) -> impl Iterator<Item = Measure> {
    let count = |count: f64| {
        let mut cells = Cells::default();
        if count != 0.0 {
            cells.add(Cell { count, ..Cell::default() });
        }
        cells
    };
    let all = [
        (*key, CALLER, row.caller.clone()),
        (*key, CALLEE, row.callee.clone()),
        (*key, NETWORK, row.network.clone()),
        (*key, LAG, row.lag.clone()),
        (*key, BLAMED, count(row.blamed)),
        (*key, NETWORK_NEGATIVE, count(row.network_negative)),
        (*key, LAG_NEGATIVE, count(row.lag_negative)),
    ];
    all.into_iter().filter(|(_, _, cells)| !cells.is_empty())
}

fn edge_columns(rows: &RollupRows, some: &[Measure]) -> Vec<ArrayRef> {
    let mut columns = vec![
        longs(some, |row| row.0.time),
        texts(some, |row| node_word(row.0.caller.kind)),
        texts(some, |row| rows.names.get(row.0.caller.id)),
        texts(some, |row| node_word(row.0.callee.kind)),
        texts(some, |row| rows.names.get(row.0.callee.id)),
        texts(some, |row| edge_word(row.0.kind)),
        texts(some, |row| rows.names.get(row.0.group)),
        small(some, |row| row.1),
    ];
    columns.extend(histograms(some, |row| &row.2));
    columns
}

fn error_columns(rows: &RollupRows, some: &[&(ErrorKey, ErrorRow)]) -> Vec<ArrayRef> {
    vec![
        longs(some, |row| row.0.time),
        texts(some, |row| rows.names.get(row.0.service)),
        texts(some, |row| rows.names.get(row.0.error_type)),
        texts(some, |row| rows.names.get(row.0.message)),
        texts(some, |row| rows.names.get(row.0.operation)),
        unsigned(some, |row| row.1.count),
        longs(some, |row| row.1.last_unix_nano),
        Arc::new(BinaryArray::from_iter_values(some.iter().map(|row| row.1.trace_id().0))),
        unsigned(some, |row| row.1.span_id),
    ]
}

/// A time to read at a level, by its place in [`LEVELS`].
pub(super) type Piece = (usize, i64, i64);

/// Which rows of the file.
#[derive(Clone, Copy)]
pub(super) struct Selected<'a> {
    pub(super) groups: &'a [Group],
    /// Not of these slices.
    pub(super) hidden: &'a [u64],
    /// Only of this service, or of edges at this end.
    pub(super) only: Option<&'a str>,
}

/// Adds the rows of a table in these pieces of time to `rows`, by step of time. Returns how many rows the database
/// returned. Adding up is done here: SQL knows no histograms.
pub(super) fn read(
    connection: &Connection,
    table: Table,
    pieces: &[Piece],
    selected: Selected<'_>,
    rows: &mut RollupRows,
    step: impl Fn(i64) -> Option<i64>,
) -> duckdb::Result<u64> {
    let mut conditions = String::new();
    if !selected.hidden.is_empty() {
        conditions += &format!(" AND slice NOT IN ({})", list(selected.hidden));
    }
    if selected.only.is_some() {
        conditions += if table == Table::Edges { " AND (caller = $1 OR callee = $1)" } else { " AND service = $1" };
    }
    let finest = selected.groups.iter().filter(|group| !group.is_coarse).map(|group| group.first);
    let finest: Vec<u64> = finest.collect();
    let mut places = Vec::new();
    for &(level, from, to) in pieces {
        let condition = format!("time >= {from} AND time < {to}{conditions}");
        if level > 0 && !finest.is_empty() {
            places.push((LEVELS[0], format!("{condition} AND slice IN ({})", list(&finest))));
        }
        places.push((LEVELS[level], condition));
    }
    if places.is_empty() {
        return Ok(0);
    }
    read_where(connection, table, &places, selected.only, rows, step)
}

/// Adds all rows of a level, of a time, that lie under one of `slices`, each under the time given by `step`.
pub(super) fn read_slices(
    connection: &Connection,
    level: Level,
    slices: &[u64],
    (from, to): (i64, i64),
    rows: &mut RollupRows,
    step: impl Fn(i64) -> i64,
) -> duckdb::Result<()> {
    for table in TABLES {
        let condition = format!("slice IN ({}) AND time >= {from} AND time < {to}", list(slices));
        read_where(connection, table, &[(level, condition)], None, rows, |time| Some(step(time)))?;
    }
    Ok(())
}

/// Numbers for an `IN`.
pub(super) fn list(slices: &[u64]) -> String {
    slices.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}

fn read_where(
    connection: &Connection,
    table: Table,
    places: &[(Level, String)],
    only: Option<&str>,
    rows: &mut RollupRows,
    step: impl Fn(i64) -> Option<i64>,
) -> duckdb::Result<u64> {
    let columns: Vec<&str> = table.columns().iter().map(|column| column.0).collect();
    let columns = columns.join(", ");
    let select = |(level, condition): &(Level, String)| {
        format!("SELECT time, {columns} FROM {} WHERE {condition}", table.at(*level))
    };
    let selects: Vec<String> = places.iter().map(select).collect();
    let mut statement = connection.prepare(&selects.join(" UNION ALL "))?;
    let batches = match only {
        Some(only) => statement.stream_arrow([only])?,
        None => statement.stream_arrow([])?,
    };
    let mut count = 0;
    for batch in batches {
        let batch = batch?;
        count += batch.num_rows() as u64;
        let read = Read { batch: &batch, step: &step };
        match table {
            Table::Operations => read.operations(rows),
            Table::Instances => read.instances(rows),
            Table::Edges => read.edges(rows),
            Table::Errors => read.errors(rows),
        }
    }
    Ok(count)
}

/// Rows that came back.
struct Read<'a> {
    batch: &'a RecordBatch,
    /// The step of a time; rows without one are left out.
    step: &'a dyn Fn(i64) -> Option<i64>,
}

impl Read<'_> {
    /// Rows and their steps.
    fn rows(&self) -> impl Iterator<Item = (usize, i64)> + '_ {
        self.longs(0).iter().enumerate().filter_map(|(row, time)| Some((row, (self.step)(*time)?)))
    }

    /// A column of text, as symbols of the rows.
    fn syms(&self, column: usize, rows: &mut RollupRows) -> Vec<Sym> {
        let texts = self.batch.column(column).as_string::<i32>();
        texts.iter().map(|text| rows.names.intern(text.unwrap_or_default())).collect()
    }

    fn longs(&self, column: usize) -> &[i64] {
        self.batch.column(column).as_primitive::<Int64Type>().values()
    }

    fn small(&self, column: usize) -> &[u8] {
        self.batch.column(column).as_primitive::<UInt8Type>().values()
    }

    /// The histogram of each row, from the four columns that begin here.
    fn cells<'b>(&'b self, column: usize) -> impl Fn(usize) -> Bytes<'b> {
        let sums = self.batch.column(column + 2).as_primitive::<Float64Type>().values();
        let histograms = self.batch.column(column + 3).as_binary::<i32>();
        move |row| Bytes::new(histograms.value(row), sums[row])
    }

    fn operations(&self, rows: &mut RollupRows) {
        let (services, operations) = (self.syms(1, rows), self.syms(2, rows));
        let (kinds, roots, cells) = (self.small(3), self.batch.column(4).as_boolean(), self.cells(5));
        for (row, time) in self.rows() {
            let (service, operation) = (services[row], operations[row]);
            let key = OperationKey { time, service, operation, kind: kinds[row], root: roots.value(row) };
            rows.operation(key).into_iter().for_each(|own| own.merge_sorted(cells(row)));
        }
    }

    fn instances(&self, rows: &mut RollupRows) {
        let [services, versions, instances] = [1, 2, 3].map(|column| self.syms(column, rows));
        let (parts, first, last, cells) = (self.small(4), self.longs(5), self.longs(6), self.cells(7));
        for (row, time) in self.rows() {
            let (service, version, instance) = (services[row], versions[row], instances[row]);
            let key = InstanceKey { time, service, version, instance, part: Part::from_number(parts[row]) };
            let read = InstanceRow { first_unix_nano: first[row], last_unix_nano: last[row], ..InstanceRow::default() };
            rows.instance(key).into_iter().for_each(|own| {
                own.merge(&read);
                own.cells.merge_sorted(cells(row));
            });
        }
    }

    fn edges(&self, rows: &mut RollupRows) {
        let [callers, callees, groups] = [2, 4, 6].map(|column| self.syms(column, rows));
        let [caller_kinds, callee_kinds, kinds] = [1, 3, 5].map(|column| self.batch.column(column).as_string::<i32>());
        let (measures, cells) = (self.small(7), self.cells(8));
        for (row, time) in self.rows() {
            let node = |kind: &str, id| node_kind(kind).map(|kind| NodeRef { kind, id });
            let caller = node(caller_kinds.value(row), callers[row]);
            let callee = node(callee_kinds.value(row), callees[row]);
            let (Some(caller), Some(callee), Some(kind)) = (caller, callee, edge_kind(kinds.value(row))) else {
                continue;
            };
            let key = EdgeKey { time, caller, callee, kind, group: groups[row] };
            rows.edge(key).into_iter().for_each(|edge| add_measure(edge, measures[row], cells(row)));
        }
    }

    fn errors(&self, rows: &mut RollupRows) {
        let [services, types, messages, operations] = [1, 2, 3, 4].map(|column| self.syms(column, rows));
        let unsigned = |column: usize| self.batch.column(column).as_primitive::<UInt64Type>().values();
        let (counts, last, spans) = (unsigned(5), self.longs(6), unsigned(8));
        let traces = self.batch.column(7).as_binary::<i32>();
        for (row, time) in self.rows() {
            let (service, error_type, message, operation) = (services[row], types[row], messages[row], operations[row]);
            let key = ErrorKey { time, service, error_type, message, operation };
            let trace_id = traces.value(row).try_into().map(u128::from_be_bytes).unwrap_or_default();
            let read = ErrorRow { count: counts[row], last_unix_nano: last[row], trace_id, span_id: spans[row] };
            rows.error(key).into_iter().for_each(|own| own.merge(&read));
        }
    }
}

pub(super) fn add_measure(edge: &mut EdgeRow, measure: u8, cells: Bytes<'_>) {
    let count = || cells.map(|cell| cell.count).sum::<f64>();
    match measure {
        CALLER => edge.caller.merge_sorted(cells),
        CALLEE => edge.callee.merge_sorted(cells),
        NETWORK => edge.network.merge_sorted(cells),
        LAG => edge.lag.merge_sorted(cells),
        BLAMED => edge.blamed += count(),
        NETWORK_NEGATIVE => edge.network_negative += count(),
        LAG_NEGATIVE => edge.lag_negative += count(),
        _ => {}
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

pub(super) fn node_kind(word: &str) -> Option<NodeKind> {
    NODES.iter().find(|(_, known)| *known == word).map(|(kind, _)| *kind)
}

fn edge_word(kind: EdgeKind) -> &'static str {
    EDGES.iter().find(|(known, _)| *known == kind).map_or("call", |(_, word)| word)
}

pub(super) fn edge_kind(word: &str) -> Option<EdgeKind> {
    EDGES.iter().find(|(_, known)| *known == word).map(|(kind, _)| *kind)
}
