//! Answers from rollup rows. Pure: the store gathers the rows, from its file and from memory.

pub(super) mod findings;
mod kinds;

#[cfg(test)]
mod tests;

use super::identity::default_port;
use super::latency::{Cells, whole};
use super::rows::{Additive, EdgeKey, EdgeRow, InstanceRow, OperationKey, Part, RollupRows};
use kinds::Behaviour;
use orrery_model::{ServiceKey, SpanKind, Sym};
use orrery_query::answer::{
    Edge, EdgeKind, ErrorGroup, Node, NodeKind, Operation, Quantiles, Red, RedPoint, ServiceDetail, ServiceSummary,
    Slice, Standing, Topology,
};
use orrery_query::plan;
use std::collections::{BTreeMap, BTreeSet};

/// Most operations and error groups of a service that are answered.
const MOST_DETAILS: usize = 200;

/// Rows by step of time, for series.
#[derive(Clone, Copy)]
pub(super) struct Steps<'a> {
    pub(super) rows: &'a RollupRows,
    /// Length of a step.
    pub(super) nanos: i64,
}

/// What a service did in the range.
#[derive(Debug, Default)]
struct Activity {
    parts: BTreeMap<Part, Cells>,
    versions: BTreeMap<String, InstanceRow>,
    instances: BTreeMap<String, InstanceRow>,
    last_unix_nano: i64,
}

impl Activity {
    /// Server and consumer spans; all root spans of a service that has none of those.
    fn work<'a>(&self, parts: &'a BTreeMap<Part, Cells>) -> impl Iterator<Item = &'a Cells> + use<'a> {
        let serves = self.parts.get(&Part::Entry).is_some_and(|cells| cells.count() > 0.0);
        parts.iter().filter(move |(part, _)| (**part == Part::Entry) == serves).map(|(_, cells)| cells)
    }

    fn red(&self) -> Red {
        red(self.work(&self.parts))
    }

    /// The same work over time.
    fn points(&self, series: Option<&Series>, step_nanos: i64) -> Vec<RedPoint> {
        let point = |(time, parts): (&i64, &BTreeMap<Part, Cells>)| point(*time, step_nanos, red(self.work(parts)));
        series.into_iter().flatten().filter_map(point).collect()
    }
}

/// What a service did in each step, by its start.
type Series = BTreeMap<i64, BTreeMap<Part, Cells>>;

fn series<'a>(steps: Steps<'a>) -> BTreeMap<&'a str, Series> {
    let mut all: BTreeMap<&'a str, Series> = BTreeMap::new();
    for (key, row) in steps.rows.instances.iter().filter(|(key, _)| key.part != Part::Inner) {
        let series = all.entry(steps.rows.names.get(key.service)).or_default();
        series.entry(key.time).or_default().entry(key.part).or_default().merge(&row.cells);
    }
    all
}

fn red<'a>(cells: impl Iterator<Item = &'a Cells>) -> Red {
    let mut all = Cells::default();
    cells.for_each(|cells| all.merge(cells));
    red_of(&all)
}

fn red_of(cells: &Cells) -> Red {
    Red {
        count: cells.count(),
        errors: cells.errors(),
        sum_nanos: cells.sum_nanos(),
        p50_nanos: cells.quantile(0.5),
        p95_nanos: cells.quantile(0.95),
        p99_nanos: cells.quantile(0.99),
    }
}

/// A point of a series; none without calls: no data is not zero.
fn point(time_unix_nano: i64, step_nanos: i64, red: Red) -> Option<RedPoint> {
    (red.count > 0.0).then_some(RedPoint { time_unix_nano, step_nanos, red })
}

fn quantiles(cells: &Cells) -> Option<Quantiles> {
    let [p50_nanos, p95_nanos, p99_nanos] = [0.5, 0.95, 0.99].map(|q| cells.quantile(q));
    Some(Quantiles { p50_nanos: p50_nanos?, p95_nanos: p95_nanos?, p99_nanos: p99_nanos? })
}

fn activities(rows: &RollupRows) -> BTreeMap<String, Activity> {
    let mut all: BTreeMap<String, Activity> = BTreeMap::new();
    let name = |sym: Sym| rows.names.get(sym);
    for (key, row) in rows.instances.iter() {
        let service = match all.get_mut(name(key.service)) {
            Some(service) => service,
            None => all.entry(name(key.service).to_owned()).or_default(),
        };
        if key.part != Part::Inner {
            service.parts.entry(key.part).or_default().merge(&row.cells);
        }
        service.last_unix_nano = service.last_unix_nano.max(row.last_unix_nano);
        // Instances and versions are compared by the work asked of them.
        let own =
            InstanceRow { cells: if key.part == Part::Inner { Cells::default() } else { row.cells.clone() }, ..*row };
        for (slices, slice) in [(&mut service.versions, key.version), (&mut service.instances, key.instance)] {
            if !slice.is_empty() {
                slices.entry(name(slice).to_owned()).or_default().merge(&own);
            }
        }
    }
    all
}

/// The services list, busiest first, then by name.
pub(super) fn services(rows: &RollupRows, steps: Option<Steps<'_>>, environment: Option<&str>) -> Vec<ServiceSummary> {
    let series = steps.map(series).unwrap_or_default();
    let step_nanos = steps.map_or(0, |steps| steps.nanos);
    let behaviours = kinds::behaviours(rows);
    let summary = |(id, activity): (&String, &Activity)| {
        let service = ServiceKey::parse(id);
        let by_age = |row: &InstanceRow| -row.first_unix_nano;
        ServiceSummary {
            kind: kinds::kind(&service, activity, behaviours.get(id)),
            red: activity.red(),
            series: activity.points(series.get(id.as_str()), step_nanos),
            versions: slices(&activity.versions, by_age).into_iter().map(|slice| slice.name).collect(),
            instances: activity.instances.len() as u32,
            last_seen_unix_nano: activity.last_unix_nano,
            service,
        }
    };
    let mut all: Vec<_> =
        activities(rows).iter().map(summary).filter(|found| is_in(&found.service, environment)).collect();
    all.sort_by(|a, b| b.red.count.total_cmp(&a.red.count).then_with(|| a.service.cmp(&b.service)));
    all
}

fn is_in(service: &ServiceKey, environment: Option<&str>) -> bool {
    environment.is_none_or(|wanted| service.environment == wanted)
}

fn slices<O: Ord>(rows: &BTreeMap<String, InstanceRow>, order: impl Fn(&InstanceRow) -> O) -> Vec<Slice> {
    let mut all: Vec<_> = rows.iter().collect();
    all.sort_by_cached_key(|(_, row)| order(row));
    let slice = |(name, row): (&String, &InstanceRow)| Slice {
        name: name.clone(),
        red: red_of(&row.cells),
        first_seen_unix_nano: row.first_unix_nano,
        last_seen_unix_nano: row.last_unix_nano,
    };
    all.into_iter().map(slice).collect()
}

/// An edge between ids, summed over time and consumer groups.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct EdgeId {
    caller: String,
    callee: String,
    kind: EdgeKind,
}

/// The map being drawn.
struct Map {
    activities: BTreeMap<String, Activity>,
    behaviours: BTreeMap<String, Behaviour>,
    /// Row, and whether it rests on names alone.
    edges: BTreeMap<EdgeId, (EdgeRow, bool)>,
    /// Nodes that are no service.
    others: BTreeMap<String, NodeKind>,
}

impl Map {
    fn new(rows: &RollupRows, environment: Option<&str>) -> Map {
        let mut activities = activities(rows);
        activities.retain(|id, _| is_in(&ServiceKey::parse(id), environment));
        let mut map =
            Map { activities, behaviours: kinds::behaviours(rows), edges: BTreeMap::new(), others: BTreeMap::new() };
        let names = NamesOfServices::new(rows);
        for (key, row) in rows.edges.iter() {
            map.add(rows, &names, key, row, environment);
        }
        map
    }

    fn add(
        &mut self,
        rows: &RollupRows,
        names: &NamesOfServices,
        key: &EdgeKey,
        row: &EdgeRow,
        environment: Option<&str>,
    ) {
        let ends = [key.caller, key.callee].map(|end| (end.kind, rows.names.get(end.id)));
        let is_outside =
            |&(kind, id): &(NodeKind, &str)| kind == NodeKind::Service && !is_in(&ServiceKey::parse(id), environment);
        if ends.iter().any(is_outside) {
            return;
        }
        let [(_, caller), (callee_kind, callee)] = ends;
        // A host that bears the name of a known service is that service, silent this time.
        let silent = (callee_kind == NodeKind::External).then(|| names.find(callee, caller)).flatten();
        let callee = silent.unwrap_or(callee);
        if caller == callee {
            return;
        }
        for (kind, id) in [ends[0], (if silent.is_some() { NodeKind::Service } else { callee_kind }, callee)] {
            match kind {
                NodeKind::Service if self.activities.contains_key(id) => {}
                NodeKind::Service => _ = self.activities.insert(id.to_owned(), Activity::default()),
                _ => _ = self.others.insert(id.to_owned(), kind),
            }
        }
        let id = EdgeId { caller: caller.to_owned(), callee: callee.to_owned(), kind: key.kind };
        let (sum, is_inferred) = self.edges.entry(id).or_insert_with(|| (EdgeRow::default(), true));
        sum.merge(row);
        *is_inferred &= silent.is_some();
    }

    /// Edges that carry anything.
    fn edges(&self) -> impl Iterator<Item = Edge> {
        let carries = |row: &EdgeRow| row.caller.count() > 0.0;
        self.edges
            .iter()
            .filter(move |(_, (row, _))| carries(row))
            .map(|(id, (row, is_inferred))| edge(id, row, *is_inferred))
    }

    fn node(&self, id: &str) -> Option<Node> {
        if let Some(activity) = self.activities.get(id) {
            let service = ServiceKey::parse(id);
            return Some(Node {
                id: id.to_owned(),
                kind: kinds::kind(&service, activity, self.behaviours.get(id)),
                name: service.name.clone(),
                service: Some(service),
                system: None,
                red: activity.red(),
                last_seen_unix_nano: activity.last_unix_nano,
            });
        }
        let kind = *self.others.get(id)?;
        let (system, name) = system_and_name(kind, id);
        let last = self.last_seen(id);
        let flows = self.flows(id, kind).map(|(row, _)| &row.caller);
        Some(Node { id: id.to_owned(), kind, name, service: None, system, red: red(flows), last_seen_unix_nano: last })
    }

    /// Calls received by a node that is no service; calls made, by one that only calls.
    fn flows(&self, id: &str, kind: NodeKind) -> impl Iterator<Item = &(EdgeRow, bool)> {
        let calls = matches!(kind, NodeKind::User | NodeKind::UnknownCaller);
        self.edges
            .iter()
            .filter(move |(edge, _)| if calls { edge.caller == id } else { edge.callee == id })
            .map(|(_, row)| row)
    }

    /// A node that sends nothing was seen when a service at the other end of an edge was.
    fn last_seen(&self, id: &str) -> i64 {
        let others = self.edges.keys().filter(|edge| edge.caller == id || edge.callee == id);
        let seen = others.flat_map(|edge| [&edge.caller, &edge.callee]).filter_map(|end| self.activities.get(end));
        seen.map(|activity| activity.last_unix_nano).max().unwrap_or(0)
    }
}

fn edge(id: &EdgeId, row: &EdgeRow, inferred: bool) -> Edge {
    Edge {
        caller: id.caller.clone(),
        callee: id.callee.clone(),
        kind: id.kind,
        red: red_of(&row.caller),
        callee_errors: row.callee_errors(),
        callee_red: (row.callee.count() > 0.0).then(|| red_of(&row.callee)),
        network: quantiles(&row.network),
        lag: quantiles(&row.lag),
        inferred,
    }
}

/// `database:postgresql/db:5432` is a postgresql called `db`: a default port is not worth showing.
pub(super) fn system_and_name(kind: NodeKind, id: &str) -> (Option<String>, String) {
    let identity = id.split_once(':').map_or(id, |(_, identity)| identity);
    match kind {
        NodeKind::User => (None, "Users".to_owned()),
        NodeKind::UnknownCaller => (None, "Unknown caller".to_owned()),
        NodeKind::External => (None, identity.to_owned()),
        _ => match identity.split_once('/') {
            Some((system, name)) => {
                let port = default_port(system).map(|port| format!(":{port}")).unwrap_or_default();
                (Some(system.to_owned()), name.strip_suffix(&port).unwrap_or(name).to_owned())
            }
            None => (Some(identity.to_owned()), identity.to_owned()),
        },
    }
}

/// Services by name, to recognise one by a host name.
pub(super) struct NamesOfServices(BTreeMap<String, BTreeSet<String>>);

impl NamesOfServices {
    fn new(rows: &RollupRows) -> NamesOfServices {
        NamesOfServices::of(rows.instances.iter().map(|(key, _)| rows.names.get(key.service)))
    }

    /// Of these ids.
    pub(super) fn of<'a>(ids: impl Iterator<Item = &'a str>) -> NamesOfServices {
        let mut by_name: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for id in ids {
            by_name.entry(ServiceKey::parse(id).name.to_lowercase()).or_default().insert(id.to_owned());
        }
        NamesOfServices(by_name)
    }

    /// The service that an external host is, as seen by `caller`: the host is its name, or its name inside a cluster,
    /// and it is the only one of that name in the caller's environment.
    pub(super) fn find(&self, external: &str, caller: &str) -> Option<&str> {
        let host = external.strip_prefix("external:")?;
        let host = host.split_once(':').map_or(host, |(host, _)| host);
        let inside = [".local", ".internal", ".svc"].iter().any(|suffix| host.ends_with(suffix));
        let name = if inside { host.split('.').next()? } else { host };
        let environment = ServiceKey::parse(caller).environment;
        let mut found = self.0.get(name)?.iter().filter(|id| ServiceKey::parse(id).environment == environment);
        let only = found.next()?;
        (found.next().is_none() && only != caller).then_some(only)
    }
}

/// The map.
pub(super) fn topology(rows: &RollupRows, environment: Option<&str>) -> Topology {
    let map = Map::new(rows, environment);
    let edges: Vec<Edge> = map.edges().collect();
    let used: BTreeSet<&str> = edges.iter().flat_map(|edge| [&*edge.caller, &*edge.callee]).collect();
    let ids = map.activities.keys().chain(map.others.keys().filter(|id| used.contains(id.as_str())));
    let mut nodes: Vec<Node> = ids.filter_map(|id| map.node(id)).collect();
    nodes.sort_by(|a, b| a.id.cmp(&b.id));
    Topology { nodes, edges }
}

/// What is known of the inside of one service.
#[derive(Clone, Copy)]
pub(super) struct Details<'a> {
    /// Its operations and errors, of the whole range.
    pub(super) rows: &'a RollupRows,
    /// Its errors by step, of the range and the time before it.
    pub(super) history: Steps<'a>,
    /// Start of the range.
    pub(super) from: i64,
}

/// Everything about one node; `None` if it is not in the rows. `details` holds operations and errors of this service.
pub(super) fn service(rows: &RollupRows, steps: Steps<'_>, details: Details<'_>, id: &str) -> Option<ServiceDetail> {
    let map = Map::new(rows, None);
    let node = map.node(id)?;
    let (callers, callees): (Vec<Edge>, Vec<Edge>) =
        map.edges().filter(|edge| edge.caller == id || edge.callee == id).partition(|edge| edge.callee == id);
    let others = callers.iter().map(|edge| &edge.caller).chain(callees.iter().map(|edge| &edge.callee));
    let neighbours = others.collect::<BTreeSet<_>>().into_iter().filter_map(|id| map.node(id)).collect();
    let (series, versions, instances) = match map.activities.get(id) {
        Some(activity) => {
            let by_age = |row: &InstanceRow| -row.first_unix_nano;
            let busiest = |row: &InstanceRow| -(row.cells.count() as i64);
            let slices = (slices(&activity.versions, by_age), slices(&activity.instances, busiest));
            (activity.points(series(steps).get(id), steps.nanos), slices.0, slices.1)
        }
        None => (series_of_other(steps, id, node.kind), Vec::new(), Vec::new()),
    };
    let (operations, errors) = (operations(details.rows, id), errors(details, id));
    Some(ServiceDetail { node, series, operations, errors, callers, callees, neighbours, versions, instances })
}

fn series_of_other(steps: Steps<'_>, id: &str, kind: NodeKind) -> Vec<RedPoint> {
    let Steps { rows, nanos } = steps;
    let calls = matches!(kind, NodeKind::User | NodeKind::UnknownCaller);
    let mut sums: BTreeMap<i64, Cells> = BTreeMap::new();
    for (key, row) in rows.edges.iter() {
        let end = if calls { key.caller } else { key.callee };
        if rows.names.get(end.id) == id {
            sums.entry(key.time).or_default().merge(&row.caller);
        }
    }
    sums.iter().filter_map(|(time, cells)| point(*time, nanos, red_of(cells))).collect()
}

fn operations(rows: &RollupRows, id: &str) -> Vec<Operation> {
    let mut all: BTreeMap<(String, SpanKind), Cells> = BTreeMap::new();
    for (key, cells) in rows.operations.iter().filter(|(key, _)| rows.names.get(key.service) == id) {
        let kind = SpanKind::from_number(key.kind);
        all.entry((rows.names.get(key.operation).to_owned(), kind)).or_default().merge(cells);
    }
    let mut all: Vec<_> =
        all.into_iter().map(|((name, kind), cells)| Operation { name, kind, red: red_of(&cells) }).collect();
    all.sort_by(|a, b| b.red.count.total_cmp(&a.red.count));
    all.truncate(MOST_DETAILS);
    all
}

/// Where a duration stands among the calls of an operation.
pub(super) fn standing(rows: &RollupRows, plan: &plan::Standing) -> Option<Standing> {
    let mut all = Cells::default();
    let name = |sym: Sym| rows.names.get(sym);
    // What is not said is internal.
    let said = |kind: SpanKind| if kind == SpanKind::Unspecified { SpanKind::Internal } else { kind };
    let is_of = |key: &OperationKey| {
        said(SpanKind::from_number(key.kind)) == said(plan.kind)
            && name(key.operation) == plan.operation
            && name(key.service) == plan.service
    };
    rows.operations.iter().filter(|(key, _)| is_of(key)).for_each(|(_, cells)| all.merge(cells));
    let (at_least, at_most, about) = all.standing(plan.duration_nanos)?;
    Some(Standing { red: red_of(&all), at_least, at_most, about })
}

fn errors(details: Details<'_>, id: &str) -> Vec<ErrorGroup> {
    let Details { rows, history, from } = details;
    let mut first_seen: BTreeMap<[&str; 3], i64> = BTreeMap::new();
    for (key, _) in history.rows.errors.iter().filter(|(key, _)| history.rows.names.get(key.service) == id) {
        let group = [key.error_type, key.message, key.operation].map(|sym| history.rows.names.get(sym));
        let first = first_seen.entry(group).or_insert(key.time);
        *first = key.time.min(*first);
    }
    let mut all = BTreeMap::new();
    for (key, row) in rows.errors.iter().filter(|(key, _)| rows.names.get(key.service) == id) {
        let group = [key.error_type, key.message, key.operation].map(|sym| rows.names.get(sym));
        all.entry(group).or_insert_with(super::rows::ErrorRow::default).merge(row);
    }
    let group = |(group, row): ([&str; 3], super::rows::ErrorRow)| {
        let first = first_seen.get(&group).copied().unwrap_or(row.last_unix_nano);
        let [error_type, message, operation] = group.map(str::to_owned);
        ErrorGroup {
            error_type,
            message,
            operation,
            count: row.count,
            first_seen_unix_nano: first.max(from),
            is_new: first > from,
            last_seen_unix_nano: row.last_unix_nano,
            trace_id: row.trace_id(),
            span_id: row.span_id(),
        }
    };
    let mut all: Vec<_> = all.into_iter().map(group).collect();
    all.sort_by_key(|group| (std::cmp::Reverse(group.count), std::cmp::Reverse(group.last_seen_unix_nano)));
    all.truncate(MOST_DETAILS);
    all
}

/// Number of calls of an edge row that are worth drawing.
fn calls(row: &EdgeRow) -> f64 {
    whole(row.caller.count())
}
