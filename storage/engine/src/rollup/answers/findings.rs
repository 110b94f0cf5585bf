//! What is wrong, since when, and because of what. Pure: from rollup rows in steps of time.
//!
//! The rules, so that what is told is where it begins and not where it is felt:
//!
//! - **Errors** of a service are those left when its failed calls are laid to whom it called. An inferred database, host
//!   or model is blamed for what its callers could not help (not 4xx).
//! - A call that failed although its callee did not fail began between the two. What the caller says of it tells what it
//!   is: refused tokens (401, 403) and rates (429) are **rejections**, other 4xx are the caller's own business, the rest
//!   makes the callee **unreachable**. What of it was answered with a failure that those who were called count as their
//!   own says nothing of the way to them.
//! - A call of which a part has failed all along is **steady**, whatever its callers say: no incident, but told.
//! - A service is **slow** by itself if what its requests take longer is not what its calls take longer. Calls to what
//!   sends no telemetry are slow by themselves. **Network**: client minus server time of matched calls.
//! - **Lag**: from publishing a message to its consumption. **Not consumed**: messages are published that nobody takes any
//!   more. **Silent**: a service of which nothing is heard any more, though others are.
//!
//! What "larger than usual" is, [`run`] says. A finding of which one version or instance is to blame names it.

mod run;

#[cfg(test)]
mod tests;

use super::{NamesOfServices, Steps, is_in, kinds, whole};
use crate::rollup::latency::Cells;
use crate::rollup::rows::{Additive, EdgeRow, ErrorRow, Part, RollupRows};
use orrery_model::{ServiceKey, SpanKind};
use orrery_query::answer::{Blamed, BlamedSlice, Change, EdgeKind, ErrorGroup, Finding, FindingKind, NodeKind};
use orrery_query::time::TimeRange;
use run::{Clock, Failing, Slowed, Tally, Window, failing, slowed};
use std::collections::{BTreeMap, BTreeSet};

const MS: i64 = 1_000_000;
/// What must be added to a usual duration before it is worth telling: of calls, and of messages that wait.
const SLOWER: i64 = 10 * MS;
const LATER: i64 = 500 * MS;
/// Share of what requests take longer that must not be due to their calls for a service to be slow by itself.
const BY_ITSELF: f64 = 0.5;
/// Share of a service's errors that must be its own.
const OWN_ERRORS: f64 = 0.25;
/// A slice is to blame if so much more of its calls go badly than of the others', and three times as many.
const BLAMED_MORE: f64 = 0.2;
const BLAMED_TIMES: f64 = 3.0;
/// Calls of a slice, and of the others, that prove something.
const BLAMED_CALLS: f64 = 8.0;
/// Seconds without a span, and calls to be expected in them, that make a service silent.
const SILENT_SECONDS: i64 = 60;
const SILENT_CALLS: f64 = 30.0;
/// Others that are named with a finding, at most.
const MOST_NAMED: usize = 12;

/// What seems wrong, before it is known what it is called.
#[derive(Debug)]
pub(in crate::rollup) struct Suspect<'a> {
    sign: Sign,
    node: &'a str,
    caller: Option<&'a str>,
    window: Window,
    now: Tally,
    is_steady: bool,
    /// Usual and present size: a share, or nanoseconds.
    size: Change,
    blamed: Option<Blamed>,
    rate: Option<Change>,
}

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sign {
    Errors,
    /// Calls that failed, the callee having no part in it.
    Between,
    Slow,
    SlowCalls,
    Network,
    Lag,
    NotConsumed,
    Silent,
}

impl Suspect<'_> {
    /// Id of the service whose operations and errors tell more.
    pub(in crate::rollup) fn teller(&self) -> &str {
        self.caller.filter(|_| self.sign != Sign::Lag).unwrap_or(self.node)
    }

    /// Worse ones are larger: what began and goes on first, what always was so before what is over, then how many requests
    /// went badly. A failed one counts twice.
    fn weight(&self) -> (u8, f64) {
        let per_call = match self.sign {
            Sign::Errors | Sign::Between | Sign::NotConsumed | Sign::Silent => 2.0,
            Sign::Lag => 1.5,
            Sign::Slow | Sign::SlowCalls | Sign::Network => 1.0,
        };
        let urgency = match (self.window.is_over, self.is_steady) {
            (false, false) => 2,
            (false, true) => 1,
            (true, _) => 0,
        };
        (urgency, self.now.bad * per_call)
    }
}

#[derive(Debug, Default)]
struct Service {
    /// Whether others ask it for anything: else its root spans are its work.
    serves: bool,
    steps: BTreeMap<i64, Cells>,
    versions: BTreeMap<String, Slices>,
    instances: BTreeMap<String, Slices>,
    /// Failed calls it made.
    failed_calls: BTreeMap<i64, f64>,
}

#[derive(Debug)]
struct Slices {
    first_unix_nano: i64,
    steps: BTreeMap<i64, Cells>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ends<'a> {
    caller: &'a str,
    callee: &'a str,
    kind: EdgeKind,
}

/// Everything that happened, by step.
#[derive(Debug)]
pub(in crate::rollup) struct Board<'a> {
    clock: Clock,
    services: BTreeMap<&'a str, Service>,
    edges: BTreeMap<Ends<'a>, BTreeMap<i64, EdgeRow>>,
    kinds: BTreeMap<&'a str, NodeKind>,
    /// Services whose requests fail or are slow, whoever is to blame, and when.
    ill: BTreeMap<&'a str, Vec<Window>>,
}

impl<'a> Board<'a> {
    /// From rows that begin before the range, for what is usual.
    pub(in crate::rollup) fn new(steps: Steps<'a>, range: TimeRange, environment: Option<&str>) -> Board<'a> {
        let rows = steps.rows;
        let newest = rows.instances.iter().map(|(key, _)| key.time).max().unwrap_or(range.from);
        let clock = Clock { step_nanos: steps.nanos, from: range.from, newest };
        let mut board = Board {
            clock,
            services: BTreeMap::new(),
            edges: BTreeMap::new(),
            kinds: BTreeMap::new(),
            ill: BTreeMap::new(),
        };
        board.take_instances(rows, environment);
        board.take_edges(rows, environment);
        board.find_ill();
        board
    }

    fn take_instances(&mut self, rows: &'a RollupRows, environment: Option<&str>) {
        let mut serving = BTreeSet::new();
        for (key, row) in rows.instances.iter() {
            if key.part == Part::Entry && row.cells.count() > 0.0 {
                serving.insert(key.service);
            }
        }
        for (key, row) in rows.instances.iter() {
            let id = rows.names.get(key.service);
            if !is_in(&ServiceKey::parse(id), environment) {
                continue;
            }
            let service = self.services.entry(id).or_default();
            service.serves = serving.contains(&key.service);
            if key.part == Part::Inner || (key.part == Part::Entry) != service.serves {
                continue;
            }
            service.steps.entry(key.time).or_default().merge(&row.cells);
            for (slices, slice) in [(&mut service.versions, key.version), (&mut service.instances, key.instance)] {
                if slice.is_empty() {
                    continue;
                }
                let new = || Slices { first_unix_nano: i64::MAX, steps: BTreeMap::new() };
                let slice = slices.entry(rows.names.get(slice).to_owned()).or_insert_with(new);
                slice.first_unix_nano = slice.first_unix_nano.min(row.first_unix_nano);
                slice.steps.entry(key.time).or_default().merge(&row.cells);
            }
        }
        let behaviours = kinds::behaviours(rows);
        let activities = super::activities(rows);
        for id in self.services.keys().copied() {
            let Some(activity) = activities.get(id) else { continue };
            self.kinds.insert(id, kinds::kind(&ServiceKey::parse(id), activity, behaviours.get(id)));
        }
    }

    fn take_edges(&mut self, rows: &'a RollupRows, environment: Option<&str>) {
        let names = NamesOfServices::new(rows);
        for (key, row) in rows.edges.iter() {
            let ends = [key.caller, key.callee].map(|end| (end.kind, rows.names.get(end.id)));
            let is_outside = |&(kind, id): &(NodeKind, &str)| {
                kind == NodeKind::Service && !is_in(&ServiceKey::parse(id), environment)
            };
            if ends.iter().any(is_outside) {
                continue;
            }
            let [(_, caller), (callee_kind, callee)] = ends;
            // A host that bears the name of a known service is that service.
            let silent = (callee_kind == NodeKind::External).then(|| names.find(callee, caller)).flatten();
            let silent = silent.and_then(|id| self.services.get_key_value(id)).map(|(id, _)| *id);
            let callee = silent.unwrap_or(callee);
            if caller == callee {
                continue;
            }
            for (kind, id) in [ends[0], (if silent.is_some() { NodeKind::Service } else { callee_kind }, callee)] {
                self.kinds.entry(id).or_insert(kind);
            }
            if key.kind != EdgeKind::Consume
                && let Some(service) = self.services.get_mut(caller)
            {
                *service.failed_calls.entry(key.time).or_default() += row.caller.errors();
            }
            let ends = Ends { caller, callee, kind: key.kind };
            self.edges.entry(ends).or_default().entry(key.time).or_default().merge(row);
        }
    }

    fn find_ill(&mut self) {
        for (&id, service) in &self.services {
            let tallies = service.steps.iter().map(|(time, cells)| (*time, tally(cells))).collect();
            let failing = failing(&tallies, &self.clock).map(|found| found.window);
            let slow = slowed(&service.steps, SLOWER, &self.clock).map(|found| found.window);
            self.ill.insert(id, failing.into_iter().chain(slow).collect());
        }
    }

    /// What seems wrong, the worst first.
    pub(in crate::rollup) fn suspects(&self) -> Vec<Suspect<'a>> {
        let mut all: Vec<Suspect<'a>> = Vec::new();
        for (&id, service) in &self.services {
            all.extend(self.own_errors(id, service));
            all.extend(self.slow_by_itself(id, service));
            all.extend(self.silent(id, service));
        }
        for (ends, steps) in &self.edges {
            match ends.kind {
                EdgeKind::Consume => all.extend(self.lag(*ends, steps)),
                EdgeKind::Publish => {}
                EdgeKind::Call | EdgeKind::Database if self.services.contains_key(ends.callee) => {
                    all.extend(self.between(*ends, steps, |row| row.callee.errors()));
                    all.extend(self.network(*ends, steps));
                }
                EdgeKind::Call | EdgeKind::Database => {
                    all.extend(self.blamed_errors(*ends, steps));
                    all.extend(self.between(*ends, steps, EdgeRow::callee_errors));
                    all.extend(self.slow_calls(*ends, steps));
                }
            }
        }
        all.extend(self.not_consumed());
        let order = |a: &Suspect, b: &Suspect| {
            b.weight().partial_cmp(&a.weight()).unwrap_or(std::cmp::Ordering::Equal).then_with(|| a.node.cmp(b.node))
        };
        all.sort_by(order);
        all
    }

    fn own_errors(&self, id: &'a str, service: &Service) -> Option<Suspect<'a>> {
        let own = |(time, cells): (&i64, &Cells)| {
            let passed_on = service.failed_calls.get(time).copied().unwrap_or(0.0);
            (*time, Tally { count: cells.count(), bad: (cells.errors() - passed_on).max(0.0) })
        };
        let found = failing(&service.steps.iter().map(own).collect(), &self.clock)?;
        // Requests and the calls they make may fall into different steps: only what is left over all of them counts.
        let during = |map: &mut dyn Iterator<Item = (i64, f64)>| -> f64 {
            map.filter(|(time, _)| found.window.holds(*time)).map(|(_, value)| value).sum()
        };
        let errors = during(&mut service.steps.iter().map(|(time, cells)| (*time, cells.errors())));
        let passed_on = during(&mut service.failed_calls.iter().map(|(time, failed)| (*time, *failed)));
        if errors - passed_on < OWN_ERRORS * errors {
            return None;
        }
        let bad = |cells: &Cells| cells.errors();
        Some(Suspect {
            blamed: self.blamed(service, &found.window, bad),
            ..self.failed(Sign::Errors, id, None, &found)
        })
    }

    fn slow_by_itself(&self, id: &'a str, service: &Service) -> Option<Suspect<'a>> {
        let found = slowed(&service.steps, SLOWER, &self.clock)?;
        let requests = |during: bool| {
            sum(service
                .steps
                .iter()
                .filter(|(time, _)| side(&found.window, **time) == Some(during))
                .map(|(_, cells)| cells))
        };
        let calls = |during: bool| -> f64 {
            let edges = self.edges.iter().filter(|(ends, _)| ends.caller == id && ends.kind != EdgeKind::Consume);
            let rows = edges.flat_map(|(_, steps)| steps);
            rows.filter(|(time, _)| side(&found.window, **time) == Some(during))
                .map(|(_, row)| row.caller.sum_nanos())
                .sum()
        };
        let mean = |nanos: f64, cells: &Cells| nanos / cells.count().max(1.0);
        let (before, now) = (requests(false), requests(true));
        let longer = mean(now.sum_nanos(), &now) - mean(before.sum_nanos(), &before);
        let calls_longer = mean(calls(true), &now) - mean(calls(false), &before);
        if longer <= 0.0 || longer - calls_longer < BY_ITSELF * longer {
            return None;
        }
        let bad = |cells: &Cells| cells.above(found.threshold);
        Some(Suspect { blamed: self.blamed(service, &found.window, bad), ..self.late(Sign::Slow, id, None, &found) })
    }

    fn silent(&self, id: &'a str, service: &Service) -> Option<Suspect<'a>> {
        let Clock { step_nanos, newest, from } = self.clock;
        let last = *service.steps.iter().rev().find(|(_, cells)| cells.count() > 0.0)?.0;
        let first = *service.steps.keys().next()?;
        let silent = newest - last - step_nanos;
        if silent < SILENT_SECONDS * 1_000_000_000 || newest < from {
            return None;
        }
        let count: f64 = service.steps.values().map(Cells::count).sum();
        let usual = count / ((last - first + step_nanos) as f64 / 1e9);
        let expected = usual * silent as f64 / 1e9;
        // As long a life as a silence, or it may have been a job.
        (expected >= SILENT_CALLS && last - first >= silent.min(300_000_000_000)).then(|| Suspect {
            sign: Sign::Silent,
            node: id,
            caller: None,
            window: Window { since: last + step_nanos, last: newest, is_over: false },
            now: Tally { count: expected, bad: expected },
            is_steady: false,
            size: Change { usual: Some(usual), now: 0.0 },
            blamed: None,
            rate: None,
        })
    }

    fn blamed_errors(&self, ends: Ends<'a>, steps: &BTreeMap<i64, EdgeRow>) -> Option<Suspect<'a>> {
        let of = |row: &EdgeRow| Tally { count: row.caller.count(), bad: row.callee_errors() };
        let found = failing(&steps.iter().map(|(time, row)| (*time, of(row))).collect(), &self.clock)?;
        Some(self.failed(Sign::Errors, ends.callee, Some(ends.caller), &found).at(self.rate(steps, &found.window)))
    }

    fn between(
        &self,
        ends: Ends<'a>,
        steps: &BTreeMap<i64, EdgeRow>,
        by_callee: impl Fn(&EdgeRow) -> f64,
    ) -> Option<Suspect<'a>> {
        // What a caller that begins work by itself tries again until it works is handled, and not worth telling.
        let begins = self.services.get(ends.caller).filter(|service| !service.serves);
        let of = |(time, row): (&i64, &EdgeRow)| {
            let most = begins.map_or(f64::MAX, |service| service.steps.get(time).map_or(0.0, Cells::errors));
            let bad = whole(row.caller.errors() - by_callee(row)).min(most);
            (*time, Tally { count: row.caller.count(), bad })
        };
        let found = failing(&steps.iter().map(of).collect(), &self.clock)?;
        Some(self.failed(Sign::Between, ends.callee, Some(ends.caller), &found).at(self.rate(steps, &found.window)))
    }

    fn slow_calls(&self, ends: Ends<'a>, steps: &BTreeMap<i64, EdgeRow>) -> Option<Suspect<'a>> {
        let found = slowed(&cells_of(steps, |row| &row.caller), SLOWER, &self.clock)?;
        Some(self.late(Sign::SlowCalls, ends.callee, Some(ends.caller), &found).at(self.rate(steps, &found.window)))
    }

    fn network(&self, ends: Ends<'a>, steps: &BTreeMap<i64, EdgeRow>) -> Option<Suspect<'a>> {
        let found = slowed(&cells_of(steps, |row| &row.network), SLOWER, &self.clock)?;
        Some(self.late(Sign::Network, ends.callee, Some(ends.caller), &found).at(self.rate(steps, &found.window)))
    }

    fn lag(&self, ends: Ends<'a>, steps: &BTreeMap<i64, EdgeRow>) -> Option<Suspect<'a>> {
        let found = slowed(&cells_of(steps, |row| &row.lag), LATER, &self.clock)?;
        Some(self.late(Sign::Lag, ends.callee, Some(ends.caller), &found).at(self.rate(steps, &found.window)))
    }

    /// Queues that are filled and not emptied, one consumer at a time.
    fn not_consumed(&self) -> Vec<Suspect<'a>> {
        let Clock { step_nanos, newest, from } = self.clock;
        let mut all = Vec::new();
        for (ends, steps) in self.edges.iter().filter(|(ends, _)| ends.kind == EdgeKind::Consume) {
            let taken = |row: &EdgeRow| row.caller.count() > 0.0;
            let Some((&last, _)) = steps.iter().rev().find(|(_, row)| taken(row)) else { continue };
            let since = last + step_nanos;
            let published: f64 = self
                .edges
                .iter()
                .filter(|(publish, _)| publish.kind == EdgeKind::Publish && publish.callee == ends.caller)
                .flat_map(|(_, steps)| steps.range(since..))
                .map(|(_, row)| row.caller.count())
                .sum();
            let is_long = newest - since >= SILENT_SECONDS * 1_000_000_000;
            if is_long && published >= SILENT_CALLS && newest >= from {
                all.push(Suspect {
                    sign: Sign::NotConsumed,
                    node: ends.callee,
                    caller: Some(ends.caller),
                    window: Window { since, last: newest, is_over: false },
                    now: Tally { count: published, bad: published },
                    is_steady: false,
                    size: Change { usual: None, now: published },
                    blamed: None,
                    rate: None,
                });
            }
        }
        all
    }

    fn failed(&self, sign: Sign, node: &'a str, caller: Option<&'a str>, found: &Failing) -> Suspect<'a> {
        let size = Change { usual: found.usual.map(Tally::share), now: found.now.share() };
        let (window, now, is_steady) = (found.window, found.now, found.is_steady);
        Suspect { sign, node, caller, window, now, is_steady, size, blamed: None, rate: None }
    }

    fn late(&self, sign: Sign, node: &'a str, caller: Option<&'a str>, found: &Slowed) -> Suspect<'a> {
        let p95 = |cells: &Cells| cells.quantile(0.95).map(|nanos| nanos as f64);
        let size = Change { usual: p95(&found.usual), now: p95(&found.during).unwrap_or(0.0) };
        let (window, now) = (found.window, found.now);
        Suspect { sign, node, caller, window, now, is_steady: false, size, blamed: None, rate: None }
    }

    /// Calls per second before and during.
    fn rate(&self, steps: &BTreeMap<i64, EdgeRow>, window: &Window) -> Option<Change> {
        self.change_of_rate(steps.iter().map(|(time, row)| (*time, row.caller.count())), window)
    }

    fn change_of_rate(&self, steps: impl Iterator<Item = (i64, f64)>, window: &Window) -> Option<Change> {
        let (mut before, mut now, mut first) = (0.0, 0.0, None);
        for (time, count) in steps {
            match side(window, time) {
                Some(true) => now += count,
                Some(false) => {
                    before += count;
                    first.get_or_insert(time);
                }
                None => {}
            }
        }
        let seconds = first.map(|first| (window.since - first) as f64 / 1e9).filter(|seconds| *seconds > 0.0);
        Some(Change { usual: seconds.map(|seconds| before / seconds), now: now / window.seconds(&self.clock) })
    }

    /// The version, else the instance, whose requests alone go badly.
    fn blamed(&self, service: &Service, window: &Window, bad: impl Fn(&Cells) -> f64 + Copy) -> Option<Blamed> {
        [(BlamedSlice::Version, &service.versions), (BlamedSlice::Instance, &service.instances)]
            .into_iter()
            .find_map(|(slice, slices)| blamed_of(slices, window, bad).map(|found| Blamed { slice, ..found }))
    }

    /// What it is called, with what the rows of operations and errors of [`Suspect::teller`] add; `None` if that makes it
    /// harmless.
    pub(in crate::rollup) fn told(&self, suspect: &Suspect<'a>, details: &RollupRows) -> Option<Finding> {
        if suspect.sign == Sign::Errors && suspect.caller.is_none() && self.is_passed_on(suspect, details) {
            return None;
        }
        let error = match suspect.sign {
            Sign::Errors | Sign::Between => self.error(suspect, details),
            _ => None,
        };
        let kind = match suspect.sign {
            Sign::Errors => FindingKind::Errors,
            // Without a word of the caller's nothing is claimed.
            Sign::Between if suspect.is_steady => error.is_some().then_some(FindingKind::Steady)?,
            Sign::Between => kind_between(error.as_ref()?)?,
            Sign::Slow => FindingKind::Slow,
            Sign::SlowCalls => FindingKind::SlowCalls,
            Sign::Network => FindingKind::Network,
            Sign::Lag => FindingKind::Lag,
            Sign::NotConsumed => FindingKind::NotConsumed,
            Sign::Silent => FindingKind::Silent,
        };
        // What cannot be reached is not slow either; what is refused says nothing of itself.
        let kind = match (&error, kind) {
            (Some(error), FindingKind::Errors) if suspect.caller.is_some() && is_unreachable(&error.error_type) => {
                FindingKind::Unreachable
            }
            _ => kind,
        };
        Some(Finding {
            kind,
            node: suspect.node.to_owned(),
            node_kind: self.kinds.get(suspect.node).copied().unwrap_or(NodeKind::Service),
            callers: suspect.caller.map(str::to_owned).into_iter().collect(),
            since_unix_nano: suspect.size.usual.is_some().then_some(suspect.window.since),
            until_unix_nano: suspect.window.is_over.then_some(suspect.window.last + self.clock.step_nanos),
            calls: suspect.now.count,
            bad: suspect.now.bad,
            size: suspect.size,
            rate: suspect.rate,
            operation: self.operation(suspect, details),
            error,
            blamed: suspect.blamed.clone(),
            issuer: (kind == FindingKind::Rejected).then(|| self.issuer(suspect.node)).flatten(),
            affected: self.affected(suspect),
        })
    }

    /// Whether a service's errors go with as many failed calls of its own. Edges to what does not answer are known only
    /// after a while; its own spans tell at once.
    fn is_passed_on(&self, suspect: &Suspect<'a>, details: &RollupRows) -> bool {
        let is_call = |kind: u8| matches!(SpanKind::from_number(kind), SpanKind::Client | SpanKind::Producer);
        let failed_calls: f64 = details
            .operations
            .iter()
            .filter(|(key, _)| details.names.get(key.service) == suspect.node && is_call(key.kind))
            .filter(|(key, _)| suspect.window.holds(key.time))
            .map(|(_, cells)| cells.errors())
            .sum();
        let steps = self.services.get(suspect.node).into_iter().flat_map(|service| &service.steps);
        let errors: f64 = steps.filter(|(time, _)| suspect.window.holds(**time)).map(|(_, cells)| cells.errors()).sum();
        errors - failed_calls < OWN_ERRORS * errors
    }

    /// Of the teller's groups of errors, the one that grew most.
    fn error(&self, suspect: &Suspect<'a>, details: &RollupRows) -> Option<ErrorGroup> {
        let mut all: BTreeMap<[&str; 3], (f64, f64, ErrorRow)> = BTreeMap::new();
        let mut first = None;
        // Calls tell of whom they call, everything else of the service itself.
        let is_call = |kind: u8| matches!(SpanKind::from_number(kind), SpanKind::Client | SpanKind::Producer);
        let is_told = |service| details.names.get(service) == suspect.teller();
        let calls: BTreeSet<_> = details
            .operations
            .iter()
            .filter(|(key, _)| is_told(key.service) && is_call(key.kind))
            .map(|(key, _)| key.operation)
            .collect();
        let tells = |operation| calls.contains(&operation) == suspect.caller.is_some();
        for (key, row) in details.errors.iter().filter(|(key, _)| is_told(key.service) && tells(key.operation)) {
            let group = [key.error_type, key.message, key.operation].map(|sym| details.names.get(sym));
            let sum = all.entry(group).or_default();
            match side(&suspect.window, key.time) {
                Some(true) => {
                    sum.0 += row.count as f64;
                    sum.2.merge(row);
                }
                Some(false) => {
                    sum.1 += row.count as f64;
                    first = Some(first.unwrap_or(key.time).min(key.time));
                }
                None => {}
            }
        }
        let before = first.map_or(1.0, |first| ((suspect.window.since - first) as f64 / 1e9).max(1.0));
        let longer = suspect.window.seconds(&self.clock) / before;
        let grown = |(now, usual, _): &(f64, f64, ErrorRow)| now - usual * longer;
        if suspect.sign == Sign::Between {
            self.without_answered(suspect, &mut all);
        }
        let during = all.into_iter().filter(|(_, sum)| sum.0 > 0.0);
        let (group, sum) = during.max_by(|(_, a), (_, b)| grown(a).total_cmp(&grown(b)))?;
        let first_seen = details
            .errors
            .iter()
            .filter(|(key, _)| is_told(key.service))
            .filter(|(key, _)| group == [key.error_type, key.message, key.operation].map(|sym| details.names.get(sym)))
            .map(|(key, _)| key.time)
            .min();
        let [error_type, message, operation] = group.map(str::to_owned);
        Some(ErrorGroup {
            error_type,
            message,
            operation,
            count: sum.2.count,
            first_seen_unix_nano: first_seen.unwrap_or(suspect.window.since),
            is_new: sum.1 == 0.0,
            last_seen_unix_nano: sum.2.last_unix_nano,
            trace_id: sum.2.trace_id(),
            span_id: sum.2.span_id(),
        })
    }

    /// Takes out of a caller's failed calls those that were answered with a failure which whoever was called counts itself;
    /// so few that they do not explain what failed are none.
    fn without_answered(&self, suspect: &Suspect<'a>, all: &mut BTreeMap<[&str; 3], (f64, f64, ErrorRow)>) {
        let mut answered = self.answered(suspect);
        let is_answer = |error_type: &str| error_type.parse::<u16>().is_ok_and(|code| (500..600).contains(&code));
        let mut answers: Vec<&mut f64> =
            all.iter_mut().filter(|(group, _)| is_answer(group[0])).map(|(_, sum)| &mut sum.0).collect();
        answers.sort_by(|a, b| b.total_cmp(a));
        for count in answers {
            let taken = count.min(answered);
            answered -= taken;
            *count -= taken;
            if *count < OWN_ERRORS * suspect.now.bad {
                *count = 0.0;
            }
        }
    }

    /// How many calls of the suspect's caller were answered with a failure, by the account of those it called: of matched
    /// pairs, and whatever else the suspected node counts as its own, whose pairs are not known.
    fn answered(&self, suspect: &Suspect<'a>) -> f64 {
        let sum = |steps: &BTreeMap<i64, EdgeRow>, errors: fn(&EdgeRow) -> f64| -> f64 {
            steps.iter().filter(|(time, _)| suspect.window.holds(**time)).map(|(_, row)| errors(row)).sum()
        };
        let calls = || self.edges.iter().filter(|(ends, _)| matches!(ends.kind, EdgeKind::Call | EdgeKind::Database));
        let told = calls().filter(|(ends, _)| Some(ends.caller) == suspect.caller).map(|(ends, steps)| {
            let is_known = self.services.contains_key(ends.callee);
            sum(steps, if is_known { |row| row.callee.errors() } else { EdgeRow::callee_errors })
        });
        let matched: f64 = calls()
            .filter(|(ends, _)| ends.callee == suspect.node)
            .map(|(_, steps)| sum(steps, |row| row.callee.errors()))
            .sum();
        let steps = self.services.get(suspect.node).into_iter().flat_map(|service| &service.steps);
        let own: f64 = steps.filter(|(time, _)| suspect.window.holds(**time)).map(|(_, cells)| cells.errors()).sum();
        told.sum::<f64>() + (own - matched).max(0.0)
    }

    /// Of the caller's calls, or of the service's requests, those that take longest in total.
    fn operation(&self, suspect: &Suspect<'a>, details: &RollupRows) -> Option<String> {
        let wanted = |kind: SpanKind| match suspect.sign {
            Sign::SlowCalls | Sign::Network => kind == SpanKind::Client,
            Sign::Slow | Sign::Errors if suspect.caller.is_none() => {
                matches!(kind, SpanKind::Server | SpanKind::Consumer)
            }
            _ => false,
        };
        let mut all: BTreeMap<&str, [Cells; 2]> = BTreeMap::new();
        let is_told = |service| details.names.get(service) == suspect.teller();
        let operations = details.operations.iter().filter(|(key, _)| is_told(key.service));
        for (key, cells) in operations.filter(|(key, _)| wanted(SpanKind::from_number(key.kind))) {
            if let Some(during) = side(&suspect.window, key.time) {
                all.entry(details.names.get(key.operation)).or_default()[usize::from(during)].merge(cells);
            }
        }
        let worse = |[before, now]: &[Cells; 2]| match suspect.sign {
            Sign::Errors => now.errors(),
            // Time lost: how much longer than usual, times how often.
            _ => now.sum_nanos() - now.count() * before.sum_nanos() / before.count().max(1.0),
        };
        let (name, _) = all.iter().max_by(|(_, a), (_, b)| worse(a).total_cmp(&worse(b)))?;
        Some((*name).to_owned())
    }

    /// Who hands out what a service rejects: the auth service that it, or whoever calls it, asks.
    fn issuer(&self, node: &str) -> Option<String> {
        if self.kinds.get(node) == Some(&NodeKind::Auth) {
            return None;
        }
        let called = self.edges.keys().filter(|ends| ends.caller == node).map(|ends| ends.callee);
        called.into_iter().find(|callee| self.kinds.get(callee) == Some(&NodeKind::Auth)).map(str::to_owned)
    }

    /// Callers, direct or not, that fail or are slow at the same time, the nearest first.
    fn affected(&self, suspect: &Suspect<'a>) -> Vec<String> {
        // Nobody waits for messages.
        if matches!(suspect.sign, Sign::Lag | Sign::NotConsumed) {
            return Vec::new();
        }
        let overlaps = |window: &Window| {
            window.since <= suspect.window.last && suspect.window.since <= window.last + self.clock.step_nanos
        };
        let is_ill = |id: &&str| self.ill.get(*id).is_some_and(|windows| windows.iter().any(overlaps));
        let mut seen = BTreeSet::from([suspect.node]);
        let mut queue = std::collections::VecDeque::from([suspect.node]);
        let mut found = Vec::new();
        while let Some(at) = queue.pop_front() {
            let callers = self.edges.keys().filter(|ends| ends.callee == at && ends.kind != EdgeKind::Consume);
            for caller in callers.map(|ends| ends.caller).filter(is_ill) {
                if seen.insert(caller) {
                    found.push(caller.to_owned());
                    queue.push_back(caller);
                }
            }
        }
        found.truncate(MOST_NAMED);
        found
    }
}

impl Suspect<'_> {
    fn at(self, rate: Option<Change>) -> Self {
        Suspect { rate, ..self }
    }
}

/// One finding per kind and node: of several callers together. The worst first. Whoever answers a failure is reached.
pub(in crate::rollup) fn joined(findings: Vec<Finding>) -> Vec<Finding> {
    let mut all: Vec<Finding> = Vec::new();
    for found in findings {
        let is_same = |other: &&mut Finding| (other.kind, &other.node) == (found.kind, &found.node);
        match all.iter_mut().find(is_same) {
            Some(first) => join(first, found),
            None => all.push(found),
        }
    }
    let fails: BTreeSet<String> =
        all.iter().filter(|found| found.kind == FindingKind::Errors).map(|found| found.node.clone()).collect();
    all.retain(|found| found.kind != FindingKind::Unreachable || !fails.contains(&found.node) || !is_answered(found));
    all
}

/// Whether its callers were answered with a failure of the callee's own: their spans and its own only lie apart in time.
fn is_answered(found: &Finding) -> bool {
    let code = found.error.as_ref().and_then(|error| error.error_type.parse::<u16>().ok());
    code.is_some_and(|code| (500..600).contains(&code) && !(502..=504).contains(&code))
}

/// The first is the worse: what it says of times and causes stays.
fn join(first: &mut Finding, more: Finding) {
    first.since_unix_nano = first.since_unix_nano.min(more.since_unix_nano);
    first.callers.extend(more.callers);
    first.calls += more.calls;
    first.bad += more.bad;
    for affected in more.affected {
        if !first.affected.contains(&affected) {
            first.affected.push(affected);
        }
    }
}

/// What a call is that failed though its callee did not, by what the caller says of it.
fn kind_between(error: &ErrorGroup) -> Option<FindingKind> {
    match error.error_type.parse::<u16>() {
        Ok(401 | 403) => Some(FindingKind::Rejected),
        Ok(429) => Some(FindingKind::RateLimited),
        Ok(408) => Some(FindingKind::Unreachable),
        Ok(400..500) => None,
        _ => Some(FindingKind::Unreachable),
    }
}

/// Words of errors that say that nobody answered.
fn is_unreachable(error_type: &str) -> bool {
    const WORDS: [&str; 8] =
        ["refused", "timeout", "timed", "unreachable", "reset", "unavailable", "connect", "deadline"];
    let said = error_type.to_lowercase();
    WORDS.iter().any(|word| said.contains(word)) || matches!(said.as_str(), "502" | "503" | "504")
}

/// Before the window, or during it; `None` after it.
fn side(window: &Window, time: i64) -> Option<bool> {
    if time < window.since { Some(false) } else { window.holds(time).then_some(true) }
}

fn tally(cells: &Cells) -> Tally {
    Tally { count: cells.count(), bad: cells.errors() }
}

fn sum<'c>(cells: impl Iterator<Item = &'c Cells>) -> Cells {
    let mut sum = Cells::default();
    cells.for_each(|cells| sum.merge(cells));
    sum
}

fn cells_of(steps: &BTreeMap<i64, EdgeRow>, of: impl Fn(&EdgeRow) -> &Cells) -> BTreeMap<i64, Cells> {
    let filled = steps.iter().map(|(time, row)| (*time, of(row).clone())).filter(|(_, cells)| cells.count() > 0.0);
    filled.collect()
}

fn blamed_of(slices: &BTreeMap<String, Slices>, window: &Window, bad: impl Fn(&Cells) -> f64) -> Option<Blamed> {
    let of = |slice: &Slices| {
        let cells = sum(slice.steps.iter().filter(|(time, _)| window.holds(**time)).map(|(_, cells)| cells));
        Tally { count: cells.count(), bad: bad(&cells) }
    };
    let tallies: Vec<(&String, &Slices, Tally)> = slices.iter().map(|(name, slice)| (name, slice, of(slice))).collect();
    let mut all = Tally::default();
    tallies.iter().for_each(|(_, _, tally)| all.add(*tally));
    let (name, slice, tally) = tallies.into_iter().max_by(|(_, _, a), (_, _, b)| a.bad.total_cmp(&b.bad))?;
    let others = Tally { count: all.count - tally.count, bad: all.bad - tally.bad };
    let stands_out = tally.share() - others.share() >= BLAMED_MORE && tally.share() >= BLAMED_TIMES * others.share();
    let is_proven = tally.count >= BLAMED_CALLS && others.count >= BLAMED_CALLS;
    (stands_out && is_proven).then(|| Blamed {
        slice: BlamedSlice::Version,
        name: name.clone(),
        share: tally.share(),
        others: others.share(),
        first_seen_unix_nano: slice.first_unix_nano,
    })
}
