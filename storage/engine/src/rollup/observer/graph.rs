//! The observer's memory: recent spans, their parents and children, in bounded space.
//!
//! Spans sit in a slab and refer to each other by slot. A parent that has not arrived is a placeholder, so that its
//! children are found when it does. Links between spans are made once and never changed: a trace does not rewrite
//! itself, it only becomes known.

use super::matching::{Call, Flow};
use crate::rollup::facts::Role;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use orrery_model::{SpanId, Sym, TraceId};
use orrery_query::answer::NodeKind;
use std::collections::VecDeque;
use std::hash::BuildHasher;

/// Index of a span in the slab.
pub(super) type Slot = u32;

/// No span.
pub(super) const NONE: Slot = Slot::MAX;

/// How many inner spans may lie between a call and its server span.
const MAX_CHAIN: usize = 16;

/// Identity of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SpanKey {
    pub(super) trace: TraceId,
    pub(super) span: SpanId,
}

/// A node that sends no telemetry, in the observer's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) kind: NodeKind,
    pub(super) id: Sym,
}

/// What the rules need of one span. Symbols are the observer's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) service: Sym,
    pub(super) role: Role,
    pub(super) failed: bool,
    pub(super) client_error: bool,
    /// The sender says that the parent, if any, is in its own process.
    pub(super) parent_is_local: bool,
    pub(super) start: i64,
    pub(super) duration: i64,
    pub(super) weight: f64,
    pub(super) target: Option<Target>,
    /// Messages moved, of messaging spans.
    pub(super) messages: u32,
    pub(super) has_links: bool,
    /// Consumer group, or empty.
    pub(super) group: Sym,
}

impl Facts {
    /// Replaces every symbol.
    pub(super) fn rename(&mut self, rename: &mut impl FnMut(Sym) -> Sym) {
        self.service = rename(self.service);
        self.group = rename(self.group);
        self.target.iter_mut().for_each(|target| target.id = rename(target.id));
    }
}

/// Calls below a call span.
#[derive(Debug, Default)]
pub(super) struct Below {
    /// Spans it caused elsewhere, its own children.
    pub(super) direct: Vec<Slot>,
    /// The same with inner spans of its own service between.
    pub(super) indirect: Vec<Slot>,
    /// Call spans of its own service: it is only a wrapper around them, or they are its transport.
    pub(super) inner: Vec<Slot>,
}

/// How a span hangs below a call span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hang {
    Direct,
    Indirect,
    Inner,
}

/// A remembered span, or the place of one that has not arrived.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: SpanKey,
    /// `None` for a placeholder.
    pub(super) facts: Option<Facts>,
    pub(super) has_parent: bool,
    pub(super) parent: Slot,
    first_child: Slot,
    next_sibling: Slot,
    previous_sibling: Slot,
    /// The call span this one hangs below.
    pub(super) anchor: Slot,
    pub(super) below: Option<Box<Below>>,
    /// The wait for the other end is over.
    pub(super) is_ripe: bool,
    /// A span this one's incoming edge depends on was forgotten: what was emitted stays.
    pub(super) is_inflow_final: bool,
    /// The same for its outgoing edges.
    pub(super) is_outflow_final: bool,
    /// Emitted edge into this span.
    pub(super) inflow: Option<Box<Flow>>,
    /// Emitted edges out of this span.
    pub(super) outflow: Vec<Flow>,
    /// Tells a slot's tenants apart.
    pub(super) serial: u64,
}

/// A span of the graph with its slot.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) slot: Slot,
    pub(super) entry: &'a Entry,
    pub(super) facts: &'a Facts,
}

/// Recent spans.
#[derive(Debug, Default)]
pub(super) struct Graph {
    slab: Vec<Entry>,
    free: Vec<Slot>,
    by_key: HashTable<Slot>,
    hasher: FixedState,
    /// Arrived spans, oldest first.
    order: VecDeque<(i64, Slot)>,
    next_serial: u64,
}

impl Graph {
    /// A span that has arrived.
    pub(super) fn seen(&self, slot: Slot) -> Option<Seen<'_>> {
        let entry = self.slab.get(slot as usize)?;
        Some(Seen { slot, entry, facts: entry.facts.as_ref()? })
    }

    /// The parent, if it has arrived.
    pub(super) fn parent(&self, slot: Slot) -> Option<Seen<'_>> {
        self.seen(self.slab[slot as usize].parent)
    }

    pub(super) fn entry_mut(&mut self, slot: Slot) -> &mut Entry {
        &mut self.slab[slot as usize]
    }

    /// Number of spans that have arrived and are remembered.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Arrival time of the oldest span.
    pub(super) fn oldest(&self) -> Option<i64> {
        self.order.front().map(|(arrived, _)| *arrived)
    }

    /// About how many bytes are held.
    pub(super) fn bytes(&self) -> usize {
        let slab = self.slab.capacity() * size_of::<Entry>();
        slab + self.by_key.capacity() * 5
            + self.order.capacity() * size_of::<(i64, Slot)>()
            + self.len() * size_of::<Flow>() / 2
    }

    /// Visits every remembered entry.
    pub(super) fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.slab.iter_mut()
    }

    #[cfg(test)]
    pub(super) fn slots_in_use(&self) -> usize {
        self.slab.len() - self.free.len()
    }

    fn find(&self, key: &SpanKey) -> Option<Slot> {
        self.by_key.find(self.hasher.hash_one(key), |&slot| self.slab[slot as usize].key == *key).copied()
    }

    fn find_or_reserve(&mut self, key: SpanKey) -> Slot {
        if let Some(slot) = self.find(&key) {
            return slot;
        }
        self.next_serial += 1;
        let entry = Entry {
            key,
            facts: None,
            has_parent: false,
            parent: NONE,
            first_child: NONE,
            next_sibling: NONE,
            previous_sibling: NONE,
            anchor: NONE,
            below: None,
            is_ripe: false,
            is_inflow_final: false,
            is_outflow_final: false,
            inflow: None,
            outflow: Vec::new(),
            serial: self.next_serial,
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slab[slot as usize] = entry;
                slot
            }
            None => {
                self.slab.push(entry);
                (self.slab.len() - 1) as Slot
            }
        };
        let (slab, hasher) = (&self.slab, &self.hasher);
        self.by_key.insert_unique(hasher.hash_one(key), slot, |&slot| hasher.hash_one(slab[slot as usize].key));
        slot
    }

    /// Adds a span below its parent, arrived or not. `None` if it is here already.
    pub(super) fn add(&mut self, key: SpanKey, parent: SpanId, facts: Facts, now: i64) -> Option<Slot> {
        let slot = self.find_or_reserve(key);
        if self.slab[slot as usize].facts.is_some() {
            return None;
        }
        self.order.push_back((now, slot));
        let entry = &mut self.slab[slot as usize];
        entry.facts = Some(facts);
        // A span that is its own parent has none.
        if !parent.is_none() && parent != key.span {
            entry.has_parent = true;
            let parent = self.find_or_reserve(SpanKey { span: parent, ..key });
            self.adopt(parent, slot);
        }
        Some(slot)
    }

    fn adopt(&mut self, parent: Slot, child: Slot) {
        let first = self.slab[parent as usize].first_child;
        if first != NONE {
            self.slab[first as usize].previous_sibling = child;
        }
        let entry = &mut self.slab[child as usize];
        (entry.parent, entry.next_sibling, entry.previous_sibling) = (parent, first, NONE);
        self.slab[parent as usize].first_child = child;
    }

    fn children(&self, slot: Slot) -> impl Iterator<Item = Slot> + '_ {
        let next = |slot: Slot| (slot != NONE).then_some(slot);
        std::iter::successors(next(self.slab[slot as usize].first_child), move |&slot| {
            next(self.slab[slot as usize].next_sibling)
        })
    }

    /// Whether children waited for this span.
    pub(super) fn has_children(&self, slot: Slot) -> bool {
        self.slab[slot as usize].first_child != NONE
    }

    /// Hangs the new span, and what waited for it, below the calls that caused them. Adds to `touched` every span
    /// whose edges may be others now; may contain duplicates.
    pub(super) fn settle(&mut self, slot: Slot, touched: &mut Vec<Slot>) {
        touched.push(slot);
        self.hang(slot, touched);
        let deep = self.seen(slot).is_some_and(|span| match span.facts.role {
            Role::Inner => self.call_above(slot).is_some(),
            role => role.is_call(),
        });
        self.settle_children(slot, if deep { MAX_CHAIN } else { 0 }, touched);
    }

    fn settle_children(&mut self, slot: Slot, depth: usize, touched: &mut Vec<Slot>) {
        let children: Vec<Slot> = self.children(slot).collect();
        for child in children {
            self.hang(child, touched);
            touched.push(child);
            let (Some(below), Some(above)) = (self.seen(child), self.seen(slot)) else { continue };
            if depth > 0 && below.facts.role == Role::Inner && below.facts.service == above.facts.service {
                self.settle_children(child, depth - 1, touched);
            }
        }
    }

    fn hang(&mut self, slot: Slot, touched: &mut Vec<Slot>) {
        if self.slab[slot as usize].anchor != NONE {
            return;
        }
        let Some((anchor, hang)) = self.find_anchor(slot) else { return };
        if self.slab[anchor as usize].is_outflow_final {
            return;
        }
        self.slab[slot as usize].anchor = anchor;
        let below = self.slab[anchor as usize].below.get_or_insert_default();
        match hang {
            Hang::Direct => below.direct.push(slot),
            Hang::Indirect => below.indirect.push(slot),
            Hang::Inner => below.inner.push(slot),
        }
        touched.push(anchor);
        // Which spans a call stands for changes with the first below it, and beyond the bound.
        match (hang, below.direct.len(), below.indirect.len()) {
            (Hang::Direct, 1, _) | (Hang::Indirect, 0, 2) => touched.extend(&below.indirect),
            (Hang::Direct, attempts, _) if attempts == Call::MAX_ATTEMPTS + 1 => touched.extend(&below.direct),
            _ => {}
        }
    }

    fn find_anchor(&self, slot: Slot) -> Option<(Slot, Hang)> {
        let (span, parent) = (self.seen(slot)?, self.parent(slot)?);
        let remote = is_remote(parent.facts, span.facts);
        if span.facts.role == Role::Consume || !(remote || span.facts.role.is_call()) {
            return None;
        }
        if parent.facts.role.is_call() {
            return Some((parent.slot, if remote { Hang::Direct } else { Hang::Inner }));
        }
        let anchor = self.call_above(parent.slot)?;
        Some((anchor, if remote { Hang::Indirect } else { Hang::Inner }))
    }

    /// The call span above an inner span, through inner spans of the same service.
    fn call_above(&self, slot: Slot) -> Option<Slot> {
        let mut at = self.seen(slot)?;
        for _ in 0..MAX_CHAIN {
            if at.facts.role != Role::Inner {
                return None;
            }
            let above = self.parent(at.slot)?;
            if above.facts.service != at.facts.service {
                return None;
            }
            if above.facts.role.is_call() {
                return Some(above.slot);
            }
            at = above;
        }
        None
    }

    /// Takes out the oldest span. Edges that depend on it stay as they are. Before, the caller has made it and its
    /// [`Graph::wrapped`] spans ripe and emitted what they stand for.
    pub(super) fn forget_oldest(&mut self) {
        let Some((_, slot)) = self.order.pop_front() else { return };
        self.leave_parent(slot);
        let children: Vec<Slot> = self.children(slot).collect();
        for child in children {
            let child = &mut self.slab[child as usize];
            child.is_inflow_final = true;
            (child.parent, child.next_sibling, child.previous_sibling) = (NONE, NONE, NONE);
        }
        let anchor = self.slab[slot as usize].anchor;
        if anchor != NONE {
            self.slab[anchor as usize].is_outflow_final = true;
            self.finish_below(anchor);
        }
        self.finish_below(slot);
        self.release(slot);
    }

    /// Call spans that this one wraps: their edges become final when it is forgotten.
    pub(super) fn wrapped(&self, slot: Slot) -> Vec<Slot> {
        let inner = self.slab[slot as usize].below.iter().flat_map(|below| &below.inner).copied();
        inner.filter(|&inner| self.slab[inner as usize].anchor == slot).collect()
    }

    /// The oldest span's slot.
    pub(super) fn oldest_slot(&self) -> Option<Slot> {
        self.order.front().map(|(_, slot)| *slot)
    }

    /// Nothing that hangs below a call changes any more, nor looks at the call again.
    fn finish_below(&mut self, anchor: Slot) {
        let Some(below) = self.slab[anchor as usize].below.take() else { return };
        // A slot may have another tenant by now, hanging elsewhere.
        let hangs_here = |entry: &&mut Entry| entry.anchor == anchor;
        for &slot in below.direct.iter().chain(&below.indirect) {
            if let Some(entry) = Some(&mut self.slab[slot as usize]).filter(hangs_here) {
                (entry.anchor, entry.is_inflow_final) = (NONE, true);
            }
        }
        for &slot in &below.inner {
            if let Some(entry) = Some(&mut self.slab[slot as usize]).filter(hangs_here) {
                (entry.anchor, entry.is_outflow_final) = (NONE, true);
            }
        }
    }

    fn leave_parent(&mut self, slot: Slot) {
        let Entry { parent, next_sibling, previous_sibling, .. } = self.slab[slot as usize];
        if parent == NONE {
            return;
        }
        match previous_sibling {
            NONE => self.slab[parent as usize].first_child = next_sibling,
            previous => self.slab[previous as usize].next_sibling = next_sibling,
        }
        if next_sibling != NONE {
            self.slab[next_sibling as usize].previous_sibling = previous_sibling;
        }
        let parent_entry = &self.slab[parent as usize];
        if parent_entry.facts.is_none() && parent_entry.first_child == NONE {
            self.release(parent);
        }
    }

    fn release(&mut self, slot: Slot) {
        let entry = &mut self.slab[slot as usize];
        let hash = self.hasher.hash_one(entry.key);
        (entry.facts, entry.inflow, entry.outflow, entry.below) = (None, None, Vec::new(), None);
        (entry.first_child, entry.parent, entry.anchor, entry.serial) = (NONE, NONE, NONE, 0);
        if let Ok(found) = self.by_key.find_entry(hash, |&other| other == slot) {
            found.remove();
        }
        self.free.push(slot);
    }
}

/// Whether a child is a call away from its parent: in another service, or a server span right below a call span (the
/// service called itself).
pub(super) fn is_remote(parent: &Facts, child: &Facts) -> bool {
    parent.service != child.service || (parent.role.is_call() && child.role == Role::Entry)
}
