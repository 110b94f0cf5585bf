//! Hosts in trouble: a full disk, no memory, processors that are busy for minutes, an agent that went silent.
//!
//! Only what goes on at the end of the range is told: what a host suffers is in its metrics, what came of it in requests.

use super::{Filesystem, Points, Reading, resources};
use crate::engine::Inner;
use crate::query::session::Session;
use orrery_model::SpanBatch;
use orrery_query::answer::{Answer, AttributeMap, Change, Finding, FindingKind, NodeKind, Partial};
use orrery_query::{Control, QueryError, TimeRange, plan};

/// At most so much before the end is read: it is asked for with every look at the overview. Nanoseconds.
const LONGEST_LOOK: i64 = 30 * 60 * SECOND;
const STEP: i64 = 30 * SECOND;
const SECOND: i64 = 1_000_000_000;

/// Shares from which a host is in trouble.
const DISK_FULL: f64 = 0.95;
const MEMORY_FULL: f64 = 0.97;
const CPU_BUSY: f64 = 0.95;
/// How long processors must be busy, and an agent silent. Nanoseconds.
const BUSY: i64 = 120 * SECOND;
const SILENT: i64 = 180 * SECOND;

/// What is wrong with requests, then with hosts.
pub(crate) fn after(
    mut requests: Answer<Vec<Finding>>,
    inner: &Inner,
    plan: &plan::Findings,
    control: &Control,
) -> Result<Answer<Vec<Finding>>, QueryError> {
    let hosts = findings(inner, plan, control)?;
    let all = requests.value.len() + hosts.value.len();
    requests.value.extend(hosts.value);
    requests.value.truncate(plan.limit as usize);
    let left = (all > requests.value.len()).then(|| Partial("There is more that is wrong with hosts.".to_owned()));
    requests.partial = requests.partial.or(hosts.partial).or(left);
    requests.scanned.rows += hosts.scanned.rows;
    requests.scanned.segments += hosts.scanned.segments;
    requests.scanned.segments_pruned += hosts.scanned.segments_pruned;
    Ok(requests)
}

/// Hosts in trouble, by what, then by name.
fn findings(inner: &Inner, plan: &plan::Findings, control: &Control) -> Result<Answer<Vec<Finding>>, QueryError> {
    let range = TimeRange { from: plan.range.from.max(plan.range.to.saturating_sub(LONGEST_LOOK)), to: plan.range.to };
    let mut session = Session::new(inner, "hosts_in_trouble", control)?;
    let resources = resources(&mut session, range)?;
    if resources.is_empty() {
        return Ok(session.answer(Vec::new()));
    }
    let reading = Reading { range, step: STEP };
    let cpu = reading.cpu(&mut session)?;
    let memory = reading.memory(&mut session)?;
    let disk = reading.filesystem(&mut session)?;
    // Whoever else reports: other hosts, or services.
    let spans = session.sources::<SpanBatch>(range, |_| true)?;
    let spans = spans.first().map(|source| source.last::<SpanBatch>());
    let newest = resources.values().map(|(_, last)| *last).chain(spans).max().unwrap_or(range.from).min(range.to);
    let mut all = Vec::new();
    for (name, (resource, last)) in resources {
        if name.is_empty() || !is_in(&resource, plan.environment.as_deref()) {
            continue;
        }
        let host = Host { cpu: cpu.get(&name), memory: memory.get(&name), disk: disk.get(&name), last };
        all.extend(host.troubles(newest).into_iter().map(|trouble| trouble.told(&name)));
    }
    all.sort_by(|a, b| (a.kind, &a.node).cmp(&(b.kind, &b.node)));
    Ok(session.answer(all))
}

/// Hosts belong to every environment unless they say to which.
fn is_in(resource: &AttributeMap, environment: Option<&str>) -> bool {
    let said = ["deployment.environment.name", "deployment.environment"].iter().find_map(|key| resource.get(*key));
    match (said, environment) {
        (Some(said), Some(environment)) => said.as_str() == Some(environment),
        _ => true,
    }
}

/// What is known of one.
struct Host<'a> {
    cpu: Option<&'a Points>,
    memory: Option<&'a Points>,
    disk: Option<&'a Filesystem>,
    /// When it last reported.
    last: i64,
}

#[derive(Debug, PartialEq)]
struct Trouble {
    kind: FindingKind,
    /// `None` if it never was otherwise while we looked.
    since: Option<i64>,
    share: f64,
    mount: Option<String>,
}

impl Host<'_> {
    fn troubles(&self, newest: i64) -> Vec<Trouble> {
        if newest - self.last >= SILENT {
            return vec![Trouble { kind: FindingKind::HostSilent, since: Some(self.last), share: 0.0, mount: None }];
        }
        let disk = self.disk.and_then(|disk| {
            let found = beyond(FindingKind::DiskFull, &disk.points, DISK_FULL, 0)?;
            Some(Trouble { mount: Some(disk.mount.clone()).filter(|mount| !mount.is_empty()), ..found })
        });
        let memory = self.memory.and_then(|points| beyond(FindingKind::MemoryFull, points, MEMORY_FULL, 0));
        let cpu = self.cpu.and_then(|points| beyond(FindingKind::CpuBusy, points, CPU_BUSY, BUSY));
        [disk, memory, cpu].into_iter().flatten().collect()
    }
}

/// A share that is at least `least` at last, and has been for `nanos`.
fn beyond(kind: FindingKind, points: &Points, least: f64, nanos: i64) -> Option<Trouble> {
    let begin = points.iter().rposition(|(_, share)| *share < least).map_or(0, |below| below + 1);
    let (since, last) = (points.get(begin)?.0, points.last()?);
    let is_long = last.0 + STEP - since >= nanos;
    is_long.then(|| Trouble { kind, since: (begin > 0).then_some(since), share: last.1, mount: None })
}

impl Trouble {
    fn told(self, host: &str) -> Finding {
        Finding {
            kind: self.kind,
            node: format!("host:{host}"),
            node_kind: NodeKind::External,
            callers: Vec::new(),
            since_unix_nano: self.since,
            until_unix_nano: None,
            calls: 0.0,
            bad: 0.0,
            size: Change { usual: None, now: self.share },
            rate: None,
            operation: self.mount,
            error: None,
            blamed: None,
            issuer: None,
            affected: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(shares: &[f64]) -> Points {
        shares.iter().enumerate().map(|(at, share)| (at as i64 * STEP, *share)).collect()
    }

    fn found(cpu: &[f64], memory: &[f64], disk: &[f64]) -> Vec<(FindingKind, Option<i64>)> {
        let disk = Filesystem { mount: "/var".to_owned(), points: points(disk) };
        let (cpu, memory) = (points(cpu), points(memory));
        let host = Host { cpu: Some(&cpu), memory: Some(&memory), disk: Some(&disk), last: 300 * SECOND };
        let told = host.troubles(310 * SECOND).into_iter();
        told.map(|trouble| (trouble.kind, trouble.since.map(|since| since / STEP))).collect()
    }

    #[test]
    fn what_is_used_up_at_the_end_is_trouble_since_it_began() {
        let fine = [0.3, 0.4, 0.5, 0.4, 0.3];
        assert_eq!(found(&fine, &fine, &fine), []);
        assert_eq!(found(&fine, &fine, &[0.9, 0.94, 0.95, 0.96, 0.97]), [(FindingKind::DiskFull, Some(2))]);
        assert_eq!(found(&fine, &[0.98; 3], &[0.99, 0.96, 0.94]), [(FindingKind::MemoryFull, None)], "freed in time");
    }

    #[test]
    fn processors_may_be_busy_for_a_moment() {
        assert_eq!(found(&[0.2, 0.2, 1.0, 1.0, 1.0], &[], &[]), [], "90 seconds");
        assert_eq!(found(&[0.2, 1.0, 0.99, 0.96, 1.0], &[], &[]), [(FindingKind::CpuBusy, Some(1))]);
        assert_eq!(found(&[1.0, 1.0, 1.0, 0.5, 1.0], &[], &[]), [], "it had a rest");
    }

    #[test]
    fn a_silent_host_says_nothing_else() {
        let full = points(&[1.0; 4]);
        let host = Host { cpu: Some(&full), memory: Some(&full), disk: None, last: 100 * SECOND };
        let silent = Trouble { kind: FindingKind::HostSilent, since: Some(100 * SECOND), share: 0.0, mount: None };
        assert_eq!(host.troubles(280 * SECOND), [silent]);
        assert_eq!(host.troubles(270 * SECOND).len(), 2);
    }
}
