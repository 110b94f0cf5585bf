//! Whole hours in memory: what a question about a day is made of, and what hardly changes between two of them.
//!
//! A row is its key and the bytes of its histogram. Reading the same rows from the file takes many times as long as
//! adding them up.

use super::tables::{Table, add_measure, measures};
use crate::rollup::latency::{Bytes, Cells, encode};
use crate::rollup::rows::{
    Additive, EdgeKey, ErrorKey, ErrorRow, InstanceKey, InstanceRow, NodeRef, OperationKey, RollupRows,
};
use orrery_model::{Strings, Sym};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Hours held at most, the newest.
pub(super) const MOST_HOURS: usize = 48;
/// Bytes held at most.
const MOST_BYTES: usize = 64 << 20;
pub(super) const HOUR: i64 = 3_600_000_000_000;

/// A histogram in the bytes of its hour.
struct Histogram {
    from: u32,
    to: u32,
    sum_nanos: f64,
}

/// All rows of an hour, added up.
#[derive(Default)]
pub(super) struct Hour {
    names: Strings,
    operations: Vec<(OperationKey, Histogram)>,
    instances: Vec<(InstanceKey, i64, i64, Histogram)>,
    edges: Vec<(EdgeKey, u8, Histogram)>,
    errors: Vec<(ErrorKey, ErrorRow)>,
    bytes: Vec<u8>,
}

impl Hour {
    /// Hours by their start, from rows whose times are such starts.
    pub(super) fn split(rows: &RollupRows) -> BTreeMap<i64, Hour> {
        let mut hours: BTreeMap<i64, Hour> = BTreeMap::new();
        for (key, cells) in rows.operations.iter() {
            let hour = hours.entry(key.time).or_default();
            let names = &mut hour.names;
            let (service, operation) = (copied(rows, names, key.service), copied(rows, names, key.operation));
            let histogram = hour.histogram(cells);
            hour.operations.push((OperationKey { service, operation, ..*key }, histogram));
        }
        for (key, row) in rows.instances.iter() {
            let hour = hours.entry(key.time).or_default();
            let [service, version, instance] =
                [key.service, key.version, key.instance].map(|sym| copied(rows, &mut hour.names, sym));
            let histogram = hour.histogram(&row.cells);
            let key = InstanceKey { service, version, instance, ..*key };
            hour.instances.push((key, row.first_unix_nano, row.last_unix_nano, histogram));
        }
        for row in rows.edges.iter() {
            let hour = hours.entry(row.0.time).or_default();
            let [caller, callee] =
                [row.0.caller, row.0.callee].map(|node| NodeRef { id: copied(rows, &mut hour.names, node.id), ..node });
            let key = EdgeKey { caller, callee, group: copied(rows, &mut hour.names, row.0.group), ..row.0 };
            for (_, measure, cells) in measures(row) {
                let histogram = hour.histogram(&cells);
                hour.edges.push((key, measure, histogram));
            }
        }
        for (key, row) in rows.errors.iter() {
            let names = &mut hours.entry(key.time).or_default().names;
            let [service, error_type, message, operation] =
                [key.service, key.error_type, key.message, key.operation].map(|sym| copied(rows, names, sym));
            let key = ErrorKey { service, error_type, message, operation, ..*key };
            hours.entry(key.time).or_default().errors.push((key, row.clone()));
        }
        hours
    }

    fn histogram(&mut self, of: &Cells) -> Histogram {
        let from = self.bytes.len() as u32;
        encode(of, &mut self.bytes);
        Histogram { from, to: self.bytes.len() as u32, sum_nanos: of.iter().map(|cell| cell.sum_nanos).sum() }
    }

    fn cells(&self, of: &Histogram) -> Bytes<'_> {
        Bytes::new(&self.bytes[of.from as usize..of.to as usize], of.sum_nanos)
    }

    /// Adds the rows of a table under another time; only those of a service, or of edges at that end, if one is given.
    pub(super) fn add_to(&self, table: Table, only: Option<&str>, time: i64, rows: &mut RollupRows) {
        let to: Vec<Sym> = self.names.iter().map(|text| rows.names.intern(text)).collect();
        let map = |sym: Sym| to[sym.0 as usize];
        let only = match only.map(|only| self.names.find(only)) {
            None => None,
            Some(Some(sym)) => Some(sym),
            Some(None) => return,
        };
        let is_wanted = |sym: Sym| only.is_none_or(|only| only == sym);
        let node = |node: NodeRef| NodeRef { id: map(node.id), ..node };
        match table {
            Table::Operations => {
                for (key, of) in self.operations.iter().filter(|(key, _)| is_wanted(key.service)) {
                    let key = OperationKey { time, service: map(key.service), operation: map(key.operation), ..*key };
                    rows.operation(key).into_iter().for_each(|own| own.merge_sorted(self.cells(of)));
                }
            }
            Table::Instances => {
                for (key, first, last, of) in self.instances.iter().filter(|row| is_wanted(row.0.service)) {
                    let (service, version, instance) = (map(key.service), map(key.version), map(key.instance));
                    let seen = InstanceRow { first_unix_nano: *first, last_unix_nano: *last, ..InstanceRow::default() };
                    let key = InstanceKey { time, service, version, instance, ..*key };
                    rows.instance(key).into_iter().for_each(|own| {
                        own.merge(&seen);
                        own.cells.merge_sorted(self.cells(of));
                    });
                }
            }
            Table::Edges => {
                let is_wanted = |key: &EdgeKey| is_wanted(key.caller.id) || is_wanted(key.callee.id);
                for (key, measure, of) in self.edges.iter().filter(|row| is_wanted(&row.0)) {
                    let (caller, callee) = (node(key.caller), node(key.callee));
                    let key = EdgeKey { time, caller, callee, group: map(key.group), ..*key };
                    rows.edge(key).into_iter().for_each(|own| add_measure(own, *measure, self.cells(of)));
                }
            }
            Table::Errors => {
                for (key, row) in self.errors.iter().filter(|(key, _)| is_wanted(key.service)) {
                    let (service, error_type) = (map(key.service), map(key.error_type));
                    let (message, operation) = (map(key.message), map(key.operation));
                    let key = ErrorKey { time, service, error_type, message, operation };
                    rows.error(key).into_iter().for_each(|own| own.merge(row));
                }
            }
        }
    }

    fn size(&self) -> usize {
        let names: usize = self.names.iter().map(|name| name.len() + 48).sum();
        names
            + self.bytes.len()
            + self.operations.len() * size_of::<(OperationKey, Histogram)>()
            + self.instances.len() * size_of::<(InstanceKey, i64, i64, Histogram)>()
            + self.edges.len() * size_of::<(EdgeKey, u8, Histogram)>()
            + self.errors.len() * size_of::<(ErrorKey, ErrorRow)>()
    }
}

fn copied(from: &RollupRows, to: &mut Strings, sym: Sym) -> Sym {
    to.intern(from.names.get(sym))
}

/// The hours held.
#[derive(Default)]
pub(super) struct Hours {
    by_start: BTreeMap<i64, Arc<Hour>>,
    bytes: usize,
    /// Grows with every change of what is stored.
    pub(super) generation: u64,
}

impl Hours {
    pub(super) fn get(&self, start: i64) -> Option<Arc<Hour>> {
        self.by_start.get(&start).cloned()
    }

    /// Takes in what was read at a generation, unless something has changed since.
    pub(super) fn put(&mut self, generation: u64, start: i64, hour: &Arc<Hour>) {
        if self.generation != generation {
            return;
        }
        self.bytes += hour.size();
        if let Some(before) = self.by_start.insert(start, Arc::clone(hour)) {
            self.bytes -= before.size();
        }
        while self.by_start.len() > MOST_HOURS || self.bytes > MOST_BYTES {
            let Some((_, oldest)) = self.by_start.pop_first() else { break };
            self.bytes -= oldest.size();
        }
    }

    /// Forgets the hours in which something changes.
    pub(super) fn change(&mut self, changes: impl Fn(i64) -> bool) {
        self.generation += 1;
        for (_, hour) in self.by_start.extract_if(.., |start, _| changes(*start)) {
            self.bytes -= hour.size();
        }
    }
}
