//! Cells over time: rows of one table by their bucket, as they lie, without a map or a list being made of them.
//!
//! A rule that is replayed over a month reads hundreds of thousands of rows. They go from the file to where windows slide
//! over them without being added up on the way, histograms as the bytes they are; without histograms, the engine adds
//! up what lies in one bucket.

use super::fold::{self, Group};
use super::tables::{self, LEVELS, Level, Table};
use super::{Live, RollupStore};
use crate::rollup::answers::{NamesOfServices, system_and_name};
use crate::rollup::latency::{Cells, encode};
use crate::rollup::rows::{Part, RollupRows};
use duckdb::Connection;
use duckdb::arrow::array::{AsArray, RecordBatch};
use duckdb::arrow::datatypes::{Float64Type, Int64Type, UInt8Type};
use duckdb::types::Value;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use orrery_model::{ServiceKey, Strings, Sym};
use orrery_query::answer::{
    Answer, CellKey, CellNode, CellPoint, CellSeries, CellTable, EdgeKind, NodeKind, Scanned, Stretch, Work,
};
use orrery_query::plan::{self, CellsOf, EdgeMeasure, ServiceMatch};
use orrery_query::store::{Control, QueryError};
use orrery_query::time::TimeRange;
use std::collections::BTreeSet;

/// Rows that an answer is made of, at most: each is held in memory.
const MOST_ROWS: u64 = 4_000_000;
/// How long before the range a service may have been heard of last, to be known by its name.
const KNOWN: i64 = 24 * 3_600_000_000_000;
/// Kinds of spans that are work asked of a service.
const SERVER: u8 = 2;
const CONSUMER: u8 = 5;

/// How a range is read: stretches, each at a level, by its place in [`LEVELS`].
fn stretches(plan: &plan::Cells, thinned: &[i64; LEVELS.len()]) -> Vec<(usize, Stretch)> {
    let mut all = Vec::new();
    let mut from = plan.range.from.clamp(EARLIEST, LATEST);
    let to = plan.range.to.clamp(EARLIEST, LATEST);
    if let Some((before, step)) = plan.coarse.filter(|(_, step)| *step > 0) {
        let before = before.min(to).div_euclid(step) * step;
        if from < before {
            cut(TimeRange { from, to: before }, step, thinned, &mut all);
            from = before;
        }
    }
    cut(TimeRange { from, to }, plan.step_nanos, thinned, &mut all);
    all
}

/// Times beyond these are no one's; they keep arithmetic from overflowing.
const EARLIEST: i64 = -4_000_000_000_000_000_000;
const LATEST: i64 = 9_000_000_000_000_000_000;

fn cut(range: TimeRange, step: i64, thinned: &[i64; LEVELS.len()], all: &mut Vec<(usize, Stretch)>) {
    let step = step.max(LEVELS[0].nanos);
    let fitting = LEVELS.iter().rposition(|level| step % level.nanos == 0).unwrap_or(0);
    let mut from = range.from;
    while from < range.to {
        let lost = thinned.iter().rposition(|before| from < *before).map_or(0, |lost| lost + 1).min(LEVELS.len() - 1);
        let level = lost.max(fitting);
        let nanos = if step % LEVELS[level].nanos == 0 { step } else { LEVELS[level].nanos };
        let finer = thinned[..lost].iter().filter(|before| lost > fitting && **before > from).min();
        let end = finer.map_or(range.to, |before| range.to.min(*before));
        let floor = |time: i64| time.div_euclid(nanos).saturating_mul(nanos);
        let (begin, to) = (floor(from), floor(end.saturating_add(nanos - 1)));
        let begin = all.last().map_or(begin, |(_, before): &(usize, Stretch)| before.to.max(begin));
        if begin < to {
            all.push((level, Stretch { from: begin, to, step_nanos: nanos }));
        }
        from = to.max(end);
    }
}

/// A row's key before anybody looked at what it means.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Raw {
    texts: [Sym; 3],
    kinds: [u8; 3],
}

/// Series being put together.
struct Assembly<'a> {
    plan: &'a plan::Cells,
    stretches: Vec<Stretch>,
    services: NamesOfServices,
    names: Strings,
    /// Where rows of a key go; `None`: nowhere.
    places: HashMap<Raw, Option<usize>, FixedState>,
    by_key: HashMap<CellKey, usize, FixedState>,
    series: Vec<CellSeries>,
    rows: u64,
}

impl Assembly<'_> {
    /// Start of the step of a bucket; `None` outside of the range.
    fn step_of(&self, time: i64) -> Option<i64> {
        let at = self.stretches.partition_point(|stretch| stretch.to <= time);
        let stretch = self.stretches.get(at).filter(|stretch| stretch.from <= time)?;
        Some(time.div_euclid(stretch.step_nanos) * stretch.step_nanos)
    }

    fn put(&mut self, raw: Raw, point: CellPoint, durations: &[u8]) {
        let place = match self.places.get(&raw) {
            Some(place) => *place,
            None => {
                let place = self.key(&raw).map(|key| self.place(key));
                self.places.insert(raw, place);
                place
            }
        };
        if let Some(at) = place {
            self.series[at].push(point, durations);
            self.rows += 1;
        }
    }

    fn place(&mut self, key: CellKey) -> usize {
        let (next, series) = (self.series.len(), &mut self.series);
        *self.by_key.entry(key).or_insert_with_key(|key| {
            series.push(CellSeries::new(key.clone()));
            next
        })
    }

    /// What a row is about; `None` if nobody asked.
    fn key(&self, raw: &Raw) -> Option<CellKey> {
        let [a, b, c] = raw.texts.map(|sym| self.names.get(sym));
        let is_here =
            |id: &str| self.plan.environment.as_ref().is_none_or(|wanted| ServiceKey::parse(id).environment == *wanted);
        let is_asked = |service: &Option<ServiceMatch>| {
            is_here(a) && service.as_ref().is_none_or(|service| service.holds(&ServiceKey::parse(a)))
        };
        let work = match raw.kinds[0] {
            1 => Work::Served,
            2 | 3 => Work::Begun,
            _ => Work::Inner,
        };
        match &self.plan.of {
            CellsOf::Services(service) | CellsOf::Versions(service) | CellsOf::Instances(service) => {
                is_asked(service).then(|| CellKey::Service { service: a.to_owned(), slice: b.to_owned(), work })
            }
            CellsOf::Operations { service, operation } => {
                let is_asked = is_asked(service) && operation.as_ref().is_none_or(|wanted| wanted == b);
                is_asked.then(|| CellKey::Service { service: a.to_owned(), slice: b.to_owned(), work })
            }
            CellsOf::Errors(service) => is_asked(service).then(|| CellKey::Errors {
                service: a.to_owned(),
                error_type: b.to_owned(),
                message: c.to_owned(),
            }),
            CellsOf::Edges { caller, callee, .. } => {
                let [caller_kind, callee_kind] = [raw.kinds[0], raw.kinds[1]].map(node_of);
                let outside = |kind, id: &str| kind == NodeKind::Service && !is_here(id);
                if outside(caller_kind, a) || outside(callee_kind, b) {
                    return None;
                }
                let silent = (callee_kind == NodeKind::External).then(|| self.services.find(b, a)).flatten();
                let callee_kind = if silent.is_some() { NodeKind::Service } else { callee_kind };
                let (from, to) = (node(caller_kind, a), node(callee_kind, silent.unwrap_or(b)));
                let is_asked = caller.as_ref().is_none_or(|wanted| from.is(wanted))
                    && callee.as_ref().is_none_or(|wanted| to.is(wanted))
                    && from.id != to.id;
                is_asked.then(|| CellKey::Edge { caller: from, callee: to, kind: edge_of(raw.kinds[2]) })
            }
        }
    }

    fn check(&self) -> Result<(), QueryError> {
        let reason = || {
            format!(
                "more than {MOST_ROWS} buckets have to be looked at: name a service, or choose a longer step or a shorter time"
            )
        };
        if self.rows > MOST_ROWS { Err(QueryError::Invalid { field: "range", reason: reason() }) } else { Ok(()) }
    }

    fn finish(self) -> CellTable {
        let mut series = self.series;
        series.iter_mut().for_each(CellSeries::settle);
        series.sort_by(|a, b| a.key.cmp(&b.key));
        CellTable { stretches: self.stretches, series }
    }
}

/// Kinds as numbers, so that keys are small.
const NODES: [NodeKind; 8] = [
    NodeKind::Service,
    NodeKind::Database,
    NodeKind::Queue,
    NodeKind::External,
    NodeKind::Model,
    NodeKind::Function,
    NodeKind::User,
    NodeKind::UnknownCaller,
];
const EDGES: [EdgeKind; 4] = [EdgeKind::Call, EdgeKind::Database, EdgeKind::Publish, EdgeKind::Consume];

fn node_of(number: u8) -> NodeKind {
    NODES.get(usize::from(number)).copied().unwrap_or(NodeKind::Service)
}

fn edge_of(number: u8) -> EdgeKind {
    EDGES.get(usize::from(number)).copied().unwrap_or(EdgeKind::Call)
}

fn number_of<T: PartialEq>(all: &[T], one: &T) -> u8 {
    all.iter().position(|known| known == one).unwrap_or(0) as u8
}

fn node(kind: NodeKind, id: &str) -> CellNode {
    let is_service = kind == NodeKind::Service;
    let name = if is_service { ServiceKey::parse(id).name } else { system_and_name(kind, id).1 };
    CellNode { id: id.to_owned(), name, is_service }
}

fn table_of(of: &CellsOf) -> Table {
    match of {
        CellsOf::Services(_) | CellsOf::Versions(_) | CellsOf::Instances(_) => Table::Instances,
        CellsOf::Operations { .. } => Table::Operations,
        CellsOf::Edges { .. } => Table::Edges,
        CellsOf::Errors(_) => Table::Errors,
    }
}

fn measure_of(measure: EdgeMeasure) -> u8 {
    match measure {
        EdgeMeasure::Caller => tables::CALLER,
        EdgeMeasure::Callee => tables::CALLEE,
        EdgeMeasure::Blamed => tables::BLAMED,
        EdgeMeasure::Network => tables::NETWORK,
        EdgeMeasure::Lag => tables::LAG,
    }
}

impl RollupStore {
    /// Cells over time, by key.
    pub fn cells(
        &self,
        plan: &plan::Cells,
        live: &[&Live],
        control: &Control,
    ) -> Result<Answer<CellTable>, QueryError> {
        self.look(live, control, |look| {
            let read = stretches(plan, &look.thinned);
            let is_edges = matches!(plan.of, CellsOf::Edges { .. });
            let mut assembly = Assembly {
                plan,
                stretches: read.iter().map(|(_, stretch)| *stretch).collect(),
                services: if is_edges { look.services(plan.range, live)? } else { NamesOfServices::of([].into_iter()) },
                names: Strings::default(),
                places: HashMap::default(),
                by_key: HashMap::default(),
                series: Vec::new(),
                rows: 0,
            };
            look.read(&read, &mut assembly)?;
            for live in live {
                control.check()?;
                add_live(&mut assembly, &live.read());
                assembly.check()?;
            }
            let scanned = Scanned { rows: assembly.rows, ..Scanned::default() };
            Ok(Answer { value: assembly.finish(), partial: None, scanned })
        })
    }

    /// One look at everything in the file.
    fn look<T>(
        &self,
        live: &[&Live],
        control: &Control,
        ask: impl FnOnce(&Look<'_>) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        let failed = |error| failed(control, error);
        let connection = match self.readers.lock().pop() {
            Some(reader) => reader,
            None => self.writer.lock().try_clone().map_err(failed)?,
        };
        connection.execute_batch("BEGIN").map_err(failed)?;
        let groups = fold::groups(&connection).map_err(failed)?;
        let thinned = fold::thinned(&connection).map_err(failed)?;
        let known = |slice: &u64| groups.iter().any(|group| (group.first..=group.last).contains(slice));
        let hidden = live.iter().filter_map(|rows| rows.read().slice).filter(known).collect();
        let answer = ask(&Look { connection: &connection, groups, hidden, thinned, control })?;
        connection.execute_batch("COMMIT").map_err(failed)?;
        self.readers.lock().push(connection);
        Ok(answer)
    }
}

/// What failed because its time was over, failed for that reason.
fn failed(control: &Control, source: duckdb::Error) -> QueryError {
    control.check().err().unwrap_or_else(|| QueryError::Engine { name: "rollups", source: Box::new(source) })
}

/// The file at an instant.
struct Look<'a> {
    connection: &'a Connection,
    groups: Vec<Group>,
    /// Slices whose rows are in memory, too.
    hidden: Vec<u64>,
    thinned: [i64; LEVELS.len()],
    control: &'a Control,
}

impl Look<'_> {
    fn limit(&self) -> Result<(), QueryError> {
        self.control.check()?;
        let left = self.control.deadline().saturating_duration_since(std::time::Instant::now()).as_millis().max(1);
        let set = self.connection.execute_batch(&format!("SET max_execution_time = {left}"));
        set.map_err(|error| failed(self.control, error))
    }

    /// Where rows of a stretch lie: tables, and conditions.
    fn places(&self, table: Table, level: usize, stretch: &Stretch) -> Vec<(String, String)> {
        let mut condition = format!("time >= {} AND time < {}", stretch.from, stretch.to);
        if !self.hidden.is_empty() {
            condition += &format!(" AND slice NOT IN ({})", tables::list(&self.hidden));
        }
        let finest = self.groups.iter().filter(|group| !group.is_coarse).map(|group| group.first);
        let finest: Vec<u64> = finest.collect();
        let mut places = vec![(table.at(LEVELS[level]), condition.clone())];
        if level > 0 && !finest.is_empty() {
            places.push((table.at(LEVELS[0]), format!("{condition} AND slice IN ({})", tables::list(&finest))));
        }
        places
    }

    /// Services known by their name in a range.
    fn services(&self, range: TimeRange, live: &[&Live]) -> Result<NamesOfServices, QueryError> {
        self.limit()?;
        let hour: Level = LEVELS[LEVELS.len() - 1];
        let known = Stretch {
            from: hour.floor(range.from.saturating_sub(KNOWN)),
            to: hour.ceil(range.to),
            step_nanos: hour.nanos,
        };
        let mut ids = BTreeSet::new();
        let mut select = || -> duckdb::Result<()> {
            for (table, condition) in self.places(Table::Instances, LEVELS.len() - 1, &known) {
                let sql = format!("SELECT DISTINCT service FROM {table} WHERE {condition}");
                let mut statement = self.connection.prepare(&sql)?;
                for id in statement.query_map([], |row| row.get::<_, String>(0))? {
                    ids.insert(id?);
                }
            }
            Ok(())
        };
        select().map_err(|error| failed(self.control, error))?;
        for live in live {
            let live = live.read();
            let heard = live.instances.iter().filter(|(key, _)| known.from <= key.time && key.time < known.to);
            let services: BTreeSet<Sym> = heard.map(|(key, _)| key.service).collect();
            ids.extend(services.into_iter().map(|service| live.names.get(service).to_owned()));
        }
        Ok(NamesOfServices::of(ids.iter().map(String::as_str)))
    }

    fn read(&self, stretches: &[(usize, Stretch)], assembly: &mut Assembly<'_>) -> Result<(), QueryError> {
        let plan = assembly.plan;
        let table = table_of(&plan.of);
        let mut binds = Vec::new();
        let (keys, condition) = columns(&plan.of, &mut binds);
        let is_counted = table == Table::Errors || !plan.durations;
        let sums = match table {
            Table::Errors => "sum(count)::DOUBLE, 0::DOUBLE, 0::DOUBLE, max(last_unix_nano)",
            Table::Instances if is_counted => "sum(calls), sum(failed), sum(sum_nanos), max(last_unix_nano)",
            Table::Instances => "calls, failed, sum_nanos, last_unix_nano, histogram",
            _ if is_counted => "sum(calls), sum(failed), sum(sum_nanos), 0::BIGINT",
            _ => "calls, failed, sum_nanos, 0::BIGINT, histogram",
        };
        let mut selects = Vec::new();
        for (level, stretch) in stretches {
            let step = stretch.step_nanos;
            // Rounded down before 1970 too.
            let time = format!("time - (time % {step} + {step}) % {step}");
            for (table, place) in self.places(table, *level, stretch) {
                let group = if is_counted { " GROUP BY ALL" } else { "" };
                selects.push(format!("SELECT {time}, {keys}, {sums} FROM {table} WHERE {place}{condition}{group}"));
            }
        }
        if selects.is_empty() {
            return Ok(());
        }
        self.limit()?;
        let failed = |error| failed(self.control, error);
        let mut statement = self.connection.prepare(&selects.join(" UNION ALL ")).map_err(failed)?;
        for batch in statement.stream_arrow(duckdb::params_from_iter(binds)).map_err(failed)? {
            add_batch(assembly, &batch.map_err(failed)?, table, !is_counted);
            assembly.check()?;
            self.control.check()?;
        }
        Ok(())
    }
}

/// Columns of the key, always three texts and three words or numbers, and what else must hold.
fn columns(of: &CellsOf, binds: &mut Vec<Value>) -> (String, String) {
    let mut condition = String::new();
    let mut bind = |text: String| {
        binds.push(Value::Text(text));
        format!("${}", binds.len())
    };
    let service = match of {
        CellsOf::Services(service)
        | CellsOf::Versions(service)
        | CellsOf::Instances(service)
        | CellsOf::Errors(service)
        | CellsOf::Operations { service, .. } => service.as_ref(),
        CellsOf::Edges { .. } => None,
    };
    match service {
        Some(ServiceMatch::Key(key)) => condition += &format!(" AND service = {}", bind(key.to_string())),
        Some(ServiceMatch::Name(name)) => {
            let name = bind(ServiceKey { name: name.clone(), ..ServiceKey::default() }.to_string());
            condition += &format!(
                " AND (service = {name} OR starts_with(service, {name} || '@') OR ends_with(service, '/' || {name}) \
                 OR contains(service, '/' || {name} || '@'))"
            );
        }
        None => {}
    }
    let part = |slice: &str| format!("service, {slice}, '', part, 0::UTINYINT, 0::UTINYINT");
    let keys = match of {
        CellsOf::Services(_) => part("''"),
        CellsOf::Versions(_) => part("version"),
        CellsOf::Instances(_) => part("instance"),
        CellsOf::Operations { operation, .. } => {
            condition += &format!(" AND (root OR kind IN ({SERVER}, {CONSUMER}))");
            if let Some(operation) = operation {
                condition += &format!(" AND operation = {}", bind(operation.clone()));
            }
            let part = format!("CASE WHEN kind IN ({SERVER}, {CONSUMER}) THEN 1 ELSE 2 END::UTINYINT");
            format!("service, operation, '', {part}, 0::UTINYINT, 0::UTINYINT")
        }
        CellsOf::Edges { measure, .. } => {
            condition += &format!(" AND measure = {}", measure_of(*measure));
            "caller, callee, '', caller_kind, callee_kind, kind".to_owned()
        }
        CellsOf::Errors(_) => "service, error_type, message, 0::UTINYINT, 0::UTINYINT, 0::UTINYINT".to_owned(),
    };
    (keys, condition)
}

fn add_batch(assembly: &mut Assembly<'_>, batch: &RecordBatch, table: Table, with_histograms: bool) {
    let long = |column: usize| batch.column(column).as_primitive::<Int64Type>().values();
    let double = |column: usize| batch.column(column).as_primitive::<Float64Type>().values();
    let (times, last) = (long(0), long(10));
    let texts = [1, 2, 3].map(|column| -> Vec<Sym> {
        let texts = batch.column(column).as_string::<i32>();
        texts.iter().map(|text| assembly.names.intern(text.unwrap_or_default())).collect()
    });
    let kinds = [4, 5, 6].map(|column| -> Vec<u8> {
        if table != Table::Edges {
            return batch.column(column).as_primitive::<UInt8Type>().values().to_vec();
        }
        let words = batch.column(column).as_string::<i32>().iter().map(Option::unwrap_or_default);
        let edge = |word: &str| number_of(&EDGES, &tables::edge_kind(word).unwrap_or(EdgeKind::Call));
        let node = |word: &str| number_of(&NODES, &tables::node_kind(word).unwrap_or(NodeKind::Service));
        words.map(|word| if column == 6 { edge(word) } else { node(word) }).collect()
    });
    let sums = [7, 8, 9].map(double);
    let histograms = with_histograms.then(|| batch.column(11).as_binary::<i32>());
    for row in 0..batch.num_rows() {
        let raw =
            Raw { texts: [texts[0][row], texts[1][row], texts[2][row]], kinds: [0, 1, 2].map(|at| kinds[at][row]) };
        let point = CellPoint::new(times[row], [0, 1, 2].map(|at| sums[at][row]), last[row]);
        assembly.put(raw, point, histograms.map_or(&[], |all| all.value(row)));
    }
}

/// Adds the rows of a slice in memory.
fn add_live(assembly: &mut Assembly<'_>, rows: &RollupRows) {
    let plan = assembly.plan;
    let to: Vec<Sym> = rows.names.iter().map(|text| assembly.names.intern(text)).collect();
    let map = |sym: Sym| to[sym.0 as usize];
    let mut bytes = Vec::new();
    let mut put = |assembly: &mut Assembly<'_>, time: i64, raw: Raw, cells: &Cells, last: i64| {
        let Some(time) = assembly.step_of(time) else { return };
        bytes.clear();
        if plan.durations {
            encode(cells, &mut bytes);
        }
        let sum = |part: fn(&crate::rollup::latency::Cell) -> f64| cells.iter().map(part).sum::<f64>();
        let numbers = [sum(|cell| cell.count), sum(|cell| cell.errors), sum(|cell| cell.sum_nanos)];
        assembly.put(raw, CellPoint::new(time, numbers, last), &bytes);
    };
    match &plan.of {
        CellsOf::Services(_) | CellsOf::Versions(_) | CellsOf::Instances(_) => {
            for (key, row) in rows.instances.iter() {
                let slice = match plan.of {
                    CellsOf::Versions(_) => map(key.version),
                    CellsOf::Instances(_) => map(key.instance),
                    _ => Sym::EMPTY,
                };
                let raw = Raw { texts: [map(key.service), slice, Sym::EMPTY], kinds: [key.part as u8, 0, 0] };
                put(assembly, key.time, raw, &row.cells, row.last_unix_nano);
            }
        }
        CellsOf::Operations { .. } => {
            for (key, cells) in rows.operations.iter() {
                let part = match key.kind {
                    SERVER | CONSUMER => Part::Entry,
                    _ if key.root => Part::Begin,
                    _ => continue,
                };
                let texts = [map(key.service), map(key.operation), Sym::EMPTY];
                put(assembly, key.time, Raw { texts, kinds: [part as u8, 0, 0] }, cells, 0);
            }
        }
        CellsOf::Edges { measure, .. } => {
            for row in rows.edges.iter() {
                let (caller, callee) = (row.0.caller, row.0.callee);
                let kinds =
                    [number_of(&NODES, &caller.kind), number_of(&NODES, &callee.kind), number_of(&EDGES, &row.0.kind)];
                let raw = Raw { texts: [map(caller.id), map(callee.id), Sym::EMPTY], kinds };
                let wanted = measure_of(*measure);
                for (_, _, cells) in tables::measures(row).filter(|(_, measure, _)| *measure == wanted) {
                    put(assembly, row.0.time, raw, &cells, 0);
                }
            }
        }
        CellsOf::Errors(_) => {
            for (key, row) in rows.errors.iter() {
                let Some(time) = assembly.step_of(key.time) else { continue };
                let texts = [map(key.service), map(key.error_type), map(key.message)];
                let point = CellPoint::new(time, [row.count as f64, 0.0, 0.0], row.last_unix_nano);
                assembly.put(Raw { texts, kinds: [0; 3] }, point, &[]);
            }
        }
    }
}

#[cfg(test)]
mod tests;
