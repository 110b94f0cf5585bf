//! Names the observer remembers, bounded per service and in sum, and what the symbols of one batch come to.

use super::graph::Target;
use crate::rollup::facts::{self, Fields, Fingerprint, Role};
use crate::rollup::identity;
use crate::rollup::rows::RollupRows;
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use orrery_model::batch::Context;
use orrery_model::{Strings, Sym};

/// What stands for names beyond the bound.
const OTHER: &str = "(other)";

/// How long a name counts towards the bound of its service, and when names nobody refers to are dropped.
const TERM_NANOS: i64 = 3_600_000_000_000;

/// Bytes of text after which names nobody refers to are dropped early.
const POOL_BYTES: usize = 16 << 20;

/// All names of remembered spans.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) pool: Strings,
    operations: PerService,
    targets: PerService,
    folded: u64,
    since: i64,
    limit_bytes: usize,
}

/// Distinct names per service.
#[derive(Debug, Default)]
struct PerService {
    seen: HashSet<(Sym, Sym), FixedState>,
    counts: HashMap<Sym, usize, FixedState>,
}

impl PerService {
    /// Whether the name is among the first `most` of its service.
    fn admits(&mut self, service: Sym, name: Sym, most: usize) -> bool {
        if self.seen.contains(&(service, name)) {
            return true;
        }
        let count = self.counts.entry(service).or_default();
        if *count >= most {
            return false;
        }
        *count += 1;
        self.seen.insert((service, name))
    }
}

/// A new pool in the making.
pub(super) struct Renaming {
    old: Strings,
    new: Strings,
}

impl Renaming {
    pub(super) fn rename(&mut self, sym: Sym) -> Sym {
        self.new.intern(self.old.get(sym))
    }

    pub(super) fn finish(self) -> Strings {
        self.new
    }
}

impl Names {
    /// Spans whose name was folded since last asked.
    pub(super) fn take_folded(&mut self) -> u64 {
        std::mem::take(&mut self.folded)
    }

    /// Whether a term has ended, or the pool has grown too much.
    pub(super) fn is_due(&mut self, now: i64) -> bool {
        if self.since == 0 {
            self.since = now;
        }
        now.saturating_sub(self.since) >= TERM_NANOS || self.pool.text_bytes() > self.limit_bytes.max(POOL_BYTES)
    }

    /// Starts a new term. The caller renames every symbol it holds and puts the finished pool in place.
    pub(super) fn start_over(&mut self, now: i64) -> Renaming {
        (self.operations, self.targets, self.since) = (PerService::default(), PerService::default(), now);
        let old = std::mem::take(&mut self.pool);
        // Twice what it was may be what is needed: do not start over with every batch.
        self.limit_bytes = old.text_bytes() * 2;
        Renaming { old, new: Strings::default() }
    }

    pub(super) fn bytes(&self) -> usize {
        let sets = self.operations.seen.capacity() + self.targets.seen.capacity();
        self.pool.text_bytes() + self.pool.len() * 10 + sets * 10
    }
}

/// What was worked out, and whether the name was folded.
type Memo<K, V> = HashMap<K, (V, bool), FixedState>;

/// A resource's names: in the observer's pool, and in the rows being written.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResourceNames {
    pub(super) service: Sym,
    pub(super) service_row: Sym,
    pub(super) version_row: Sym,
    pub(super) instance_row: Sym,
    /// Telemetry of a web page: its root spans are a person's doing.
    pub(super) is_browser: bool,
}

/// What the symbols of one batch come to, each worked out once.
pub(super) struct BatchNames<'a> {
    context: &'a Context,
    resources: Vec<ResourceNames>,
    operations: Memo<(u32, Sym), Sym>,
    targets: Memo<(u32, bool, Fingerprint), Option<Target>>,
    weight: (Sym, f64),
}

impl<'a> BatchNames<'a> {
    pub(super) fn new(context: &'a Context, names: &mut Names, out: &mut RollupRows) -> BatchNames<'a> {
        let strings = &context.strings;
        let language = strings.find("telemetry.sdk.language");
        let resources = context.resources.iter().enumerate().map(|(at, resource)| {
            let id = context.service(at as u32).to_string();
            let language = language.and_then(|key| context.resource_attributes.get(at, key));
            ResourceNames {
                service: names.pool.intern(&id),
                service_row: out.names.intern(&id),
                version_row: out.names.intern(strings.get(resource.service_version)),
                instance_row: out.names.intern(strings.get(resource.instance)),
                is_browser: language.is_some_and(|language| language.to_text(strings) == "webjs"),
            }
        });
        let resources = resources.collect();
        let (operations, targets) = (HashMap::default(), HashMap::default());
        BatchNames { context, resources, operations, targets, weight: (Sym::EMPTY, 1.0) }
    }

    pub(super) fn resource(&self, resource: u32) -> &ResourceNames {
        &self.resources[resource as usize]
    }

    pub(super) fn weight(&mut self, trace_state: Sym) -> f64 {
        if self.weight.0 != trace_state {
            self.weight = (trace_state, facts::weight(self.context.strings.get(trace_state)));
        }
        self.weight.1
    }

    /// The span name as a symbol of the rows.
    pub(super) fn operation(
        &mut self,
        resource: u32,
        name: Sym,
        names: &mut Names,
        most: usize,
        out: &mut RollupRows,
    ) -> Sym {
        let (context, service) = (self.context, self.resources[resource as usize].service);
        let (row, is_folded) = *self.operations.entry((resource, name)).or_insert_with(|| {
            let text = context.strings.get(name);
            let sym = names.pool.intern(text);
            let is_folded = !names.operations.admits(service, sym, most);
            (out.names.intern(if is_folded { OTHER } else { text }), is_folded)
        });
        names.folded += u64::from(is_folded);
        row
    }

    /// What a span calls by its own attributes.
    pub(super) fn target(
        &mut self,
        resource: u32,
        role: Role,
        fields: &Fields,
        names: &mut Names,
        most: usize,
    ) -> Option<Target> {
        if !matches!(role, Role::Call | Role::Publish | Role::Create | Role::Consume) {
            return None;
        }
        let service = self.resources[resource as usize].service;
        let key = (resource, role == Role::Call, fields.fingerprint());
        let (target, is_folded) = *self.targets.entry(key).or_insert_with(|| {
            let Some(found) = facts::target(role, fields) else { return (None, false) };
            let id = names.pool.intern(&found.id);
            if names.targets.admits(service, id, most) {
                return (Some(Target { kind: found.kind, id }), false);
            }
            let other = format!("{}:{OTHER}", identity::prefix(found.kind));
            (Some(Target { kind: found.kind, id: names.pool.intern(&other) }), true)
        });
        names.folded += u64::from(is_folded);
        target
    }
}
