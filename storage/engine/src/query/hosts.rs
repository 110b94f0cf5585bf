//! Hosts, from the `system.*` metrics that agents report.
//!
//! Source: OpenTelemetry semantic conventions for system metrics; both the current attribute names and those of the
//! collector's host metrics receiver (`state`, `direction`, `device`).

pub(crate) mod trouble;

use super::filter;
use super::metrics::{Fetch, Grid, aggregate, fetch, with_lookback};
use super::session::Session;
use crate::engine::Inner;
use hashbrown::HashMap;
use orrery_model::{MetricBatch, ServiceKey, SpanBatch};
use orrery_query::answer::{Answer, AttributeMap, Host, MetricSeries};
use orrery_query::plan::{self, Aggregation};
use orrery_query::{Control, QueryError, TimeRange};
use std::collections::{BTreeMap, BTreeSet};

/// Points of a series at most.
const POINTS: u32 = 500;

pub(crate) fn run(inner: &Inner, plan: &plan::Hosts, control: &Control) -> Result<Answer<Vec<Host>>, QueryError> {
    filter::check_range(plan.range)?;
    let mut session = Session::new(inner, "hosts", control)?;
    let reading = Reading { range: plan.range, step: plan.range.nanos() / i64::from(plan.points.clamp(1, POINTS)) };
    let cpu = reading.cpu(&mut session)?;
    let memory = reading.memory(&mut session)?;
    let totals = reading.memory_total(&mut session)?;
    let filesystem = reading.filesystem(&mut session)?;
    let load = reading.last_of(&mut session, "system.cpu.load_average.1m", Aggregation::Average)?;
    let network = reading.last_of(&mut session, "system.network.io", Aggregation::Rate)?;
    let disk = reading.last_of(&mut session, "system.disk.io", Aggregation::Rate)?;
    let (resources, services) = (resources(&mut session, plan.range)?, services(&mut session, plan.range)?);
    let series = |of: &BTreeMap<String, Points>, name: &str| of.get(name).cloned().unwrap_or_default();
    let last =
        |of: &BTreeMap<String, Points>, name: &str| of.get(name).and_then(|points| points.last()).map(|(_, v)| *v);
    let seen = [&cpu, &memory].into_iter().flat_map(BTreeMap::keys).chain(load.keys()).chain(network.keys());
    let names: BTreeSet<String> = seen.filter(|name| !name.is_empty()).cloned().collect();
    let host = |name: String| {
        let (resource, last_seen_unix_nano) = resources.get(&name).cloned().unwrap_or_default();
        Host {
            resource,
            last_seen_unix_nano,
            cpu_utilization: last(&cpu, &name),
            memory_utilization: last(&memory, &name),
            memory_total_bytes: totals.get(&name).copied(),
            filesystem_utilization: filesystem.get(&name).map(Filesystem::share),
            load_1m: load.get(&name).copied(),
            network_bytes_per_second: network.get(&name).copied(),
            disk_bytes_per_second: disk.get(&name).copied(),
            cpu_series: if plan.points > 0 { series(&cpu, &name) } else { Vec::new() },
            memory_series: if plan.points > 0 { series(&memory, &name) } else { Vec::new() },
            services: services.get(&name).map(|services| services.iter().cloned().collect()).unwrap_or_default(),
            name,
        }
    };
    let hosts = names.into_iter().map(host).collect();
    Ok(session.answer(hosts))
}

type Points = Vec<(i64, f64)>;

/// Attributes of a file system: where it is mounted, what it is, how. New names and old ones.
const MOUNT: &[&str] =
    &["system.filesystem.mountpoint", "mountpoint", "system.filesystem.type", "type", "system.filesystem.mode", "mode"];
/// Images, which are made full.
const IMAGES: [&str; 4] = ["squashfs", "erofs", "iso9660", "cramfs"];

/// How full a file system is.
#[derive(Default)]
struct Filesystem {
    mount: String,
    points: Points,
}

impl Filesystem {
    /// At last, 0 to 1.
    fn share(&self) -> f64 {
        self.points.last().map_or(0.0, |(_, share)| *share)
    }
}

struct Reading {
    range: TimeRange,
    step: i64,
}

impl Reading {
    fn metric(
        &self,
        session: &mut Session<'_>,
        name: &str,
        group_by: &[&str],
        how: Aggregation,
    ) -> Result<Vec<MetricSeries>, QueryError> {
        let group_by: Vec<String> = group_by.iter().map(|key| (*key).to_owned()).collect();
        let range = with_lookback(self.range);
        let wanted = Fetch { name, range, service: None, attributes: &[], group_by: &group_by };
        let series = fetch(session, &wanted)?;
        Ok(aggregate(series, Some(how), Grid::new(self.range, self.step), &group_by))
    }

    /// The last value of each host.
    fn last_of(
        &self,
        session: &mut Session<'_>,
        name: &str,
        how: Aggregation,
    ) -> Result<BTreeMap<String, f64>, QueryError> {
        let series = self.metric(session, name, &["host.name"], how)?;
        let last = |series: MetricSeries| Some((group(&series, 0).to_owned(), series.points.last()?.1));
        Ok(series.into_iter().filter_map(last).collect())
    }

    /// Busy share: what is neither idle nor waiting for a disk, of everything reported.
    fn cpu(&self, session: &mut Session<'_>) -> Result<BTreeMap<String, Points>, QueryError> {
        let by = ["host.name", "cpu.mode", "state"];
        let mut modes = self.metric(session, "system.cpu.utilization", &by, Aggregation::Sum)?;
        if modes.is_empty() {
            modes = self.metric(session, "system.cpu.time", &by, Aggregation::Rate)?;
        }
        Ok(shares(&modes, |mode| !matches!(mode, "idle" | "iowait" | "wait")))
    }

    fn memory(&self, session: &mut Session<'_>) -> Result<BTreeMap<String, Points>, QueryError> {
        let by = ["host.name", "system.memory.state", "state"];
        let states = self.metric(session, "system.memory.utilization", &by, Aggregation::Sum)?;
        if !states.is_empty() {
            let used = states.into_iter().filter(|series| one_of(series) == "used");
            return Ok(used.map(|series| (group(&series, 0).to_owned(), series.points)).collect());
        }
        let states = self.metric(session, "system.memory.usage", &by, Aggregation::Sum)?;
        Ok(shares(&states, |state| state == "used"))
    }

    fn memory_total(&self, session: &mut Session<'_>) -> Result<BTreeMap<String, f64>, QueryError> {
        let limits = self.last_of(session, "system.memory.limit", Aggregation::Sum)?;
        if limits.is_empty() { self.last_of(session, "system.memory.usage", Aggregation::Sum) } else { Ok(limits) }
    }

    /// Of the fullest file system that can be written to, by host.
    fn filesystem(&self, session: &mut Session<'_>) -> Result<BTreeMap<String, Filesystem>, QueryError> {
        let by = [&["host.name", "system.filesystem.state", "state"], MOUNT].concat();
        let mut mounts: BTreeMap<(String, String), Vec<MetricSeries>> = BTreeMap::new();
        let mut utilization = self.metric(session, "system.filesystem.utilization", &by, Aggregation::Max)?;
        let is_share = !utilization.is_empty();
        if !is_share {
            utilization = self.metric(session, "system.filesystem.usage", &by, Aggregation::Sum)?;
        }
        for series in utilization.into_iter().filter(can_fill) {
            let mount = [3, 4].map(|at| group(&series, at)).into_iter().find(|mount| !mount.is_empty()).unwrap_or("");
            mounts.entry((group(&series, 0).to_owned(), mount.to_owned())).or_default().push(series);
        }
        let mut fullest: BTreeMap<String, Filesystem> = BTreeMap::new();
        for ((host, mount), mut states) in mounts {
            let points = if is_share {
                states.swap_remove(0).points
            } else {
                shares(&states, |state| state == "used").remove(&host).unwrap_or_default()
            };
            let used = Filesystem { mount, points };
            let worst = fullest.entry(host).or_default();
            if used.share() >= worst.share() {
                *worst = used;
            }
        }
        Ok(fullest)
    }
}

fn group(series: &MetricSeries, at: usize) -> &str {
    series.group.get(at).map_or("", |(_, value)| value)
}

/// Whether a file system, by its attributes, is one that programs write to.
fn can_fill(series: &MetricSeries) -> bool {
    let is = |names: [usize; 2], values: &[&str]| names.iter().any(|at| values.contains(&group(series, *at)));
    !is([5, 6], &IMAGES) && !is([7, 8], &["ro"])
}

/// The state or mode, under its new name or its old one.
fn one_of(series: &MetricSeries) -> &str {
    [group(series, 1), group(series, 2)].into_iter().find(|state| !state.is_empty()).unwrap_or("")
}

/// By host and step: the share of the states that are `wanted` in all of them.
fn shares(series: &[MetricSeries], wanted: impl Fn(&str) -> bool) -> BTreeMap<String, Points> {
    let mut sums: BTreeMap<String, BTreeMap<i64, (f64, f64)>> = BTreeMap::new();
    for series in series {
        let steps = sums.entry(group(series, 0).to_owned()).or_default();
        let counts = wanted(one_of(series));
        for (step, value) in &series.points {
            let (part, whole) = steps.entry(*step).or_default();
            *part += if counts { *value } else { 0.0 };
            *whole += value;
        }
    }
    let share = |(step, (part, whole)): (i64, (f64, f64))| (whole > 0.0).then(|| (step, part / whole));
    sums.into_iter().map(|(host, steps)| (host, steps.into_iter().filter_map(share).collect())).collect()
}

/// By host: the resource of its agent, and when it last reported.
fn resources(session: &mut Session<'_>, range: TimeRange) -> Result<HashMap<String, (AttributeMap, i64)>, QueryError> {
    use crate::columns::read::Reader;
    let mut found: HashMap<String, (AttributeMap, i64)> = HashMap::new();
    for source in session.sources::<MetricBatch>(range, |_| true)? {
        if !session.open(&source, &[])? {
            continue;
        }
        let mut sql = super::sql::Sql::new("SELECT resource_id, max(time_unix_nano) AS last FROM ");
        source.from::<MetricBatch>(&mut sql);
        filter::in_range(&mut sql, "time_unix_nano", range);
        sql.push(" AND starts_with(name, 'system.') GROUP BY resource_id");
        let rows = session.select::<MetricBatch>(&source, &sql)?;
        let context = source.context::<MetricBatch>();
        for rows in &rows {
            let read = Reader::new(rows);
            let resources = read.u32("resource_id").map_err(|error| session.fault(error))?;
            let lasts = read.i64("last").map_err(|error| session.fault(error))?;
            for (resource, last) in resources.into_iter().zip(lasts) {
                let resource = context.resource(resource);
                let entry = found.entry_ref(resource.host_name.as_str()).or_default();
                if entry.1 <= last {
                    *entry = (AttributeMap::clone(resource.attribute_map()), last);
                }
            }
        }
    }
    Ok(found)
}

/// By host: services with spans from it. From the lists of resources, without reading a row.
fn services(session: &mut Session<'_>, range: TimeRange) -> Result<HashMap<String, BTreeSet<ServiceKey>>, QueryError> {
    let mut found: HashMap<String, BTreeSet<ServiceKey>> = HashMap::new();
    for source in session.sources::<SpanBatch>(range, |_| true)? {
        if !session.open(&source, &[])? {
            continue;
        }
        for resource in source.context::<SpanBatch>().resources() {
            if !resource.host_name.is_empty() {
                found.entry_ref(resource.host_name.as_str()).or_default().insert(resource.service());
            }
        }
    }
    Ok(found)
}
