//! Resources and scopes, each kept once per batch.

use super::{Builder, Columns};
use crate::reason;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use orrery_model::batch::{Context, Scope};
use orrery_model::{Attributes, Sym, Value};
use std::hash::{BuildHasher, Hash, Hasher};

/// Finds equal resources and scopes of a batch.
#[derive(Default)]
pub(super) struct Origins {
    resources: HashTable<(u64, u32)>,
    scopes: HashTable<(u64, u32)>,
    hasher: RandomState,
}

/// What a resource or scope says beside its attributes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OriginDraft {
    /// Scopes only.
    pub(crate) name: Sym,
    /// Scopes only.
    pub(crate) version: Sym,
    pub(crate) schema_url: Sym,
    pub(crate) dropped_attributes_count: u32,
}

impl<C: Columns> Builder<'_, C> {
    /// Closes the open resource: all rows since the last one are of it.
    pub(crate) fn end_resource(&mut self, draft: OriginDraft) {
        let rows = self.columns.rows();
        let context = self.columns.context();
        let hash = hash_draft(&self.origins.hasher, &draft, &context.resource_attributes);
        let found =
            self.origins.resources.find(hash, |&(known, index)| known == hash && same_resource(context, index, &draft));
        let index = match found {
            Some(&(_, index)) => {
                context.resource_attributes.abandon_row();
                index
            }
            None => {
                let (index, duplicates) = context.end_resource(draft.schema_url, draft.dropped_attributes_count);
                self.kit.dropped.add(reason::DUPLICATE_KEY, duplicates.into());
                self.origins.resources.insert_unique(hash, (hash, index), |&(hash, _)| hash);
                index
            }
        };
        self.columns.origin().0.resize(rows, index);
    }

    /// Closes the open scope: all rows since the last one are of it.
    pub(crate) fn end_scope(&mut self, draft: OriginDraft) {
        let rows = self.columns.rows();
        let context = self.columns.context();
        let hash = hash_draft(&self.origins.hasher, &draft, &context.scope_attributes);
        let found =
            self.origins.scopes.find(hash, |&(known, index)| known == hash && same_scope(context, index, &draft));
        let index = match found {
            Some(&(_, index)) => {
                context.scope_attributes.abandon_row();
                index
            }
            None => {
                let (index, duplicates) = context.end_scope(draft.scope());
                self.kit.dropped.add(reason::DUPLICATE_KEY, duplicates.into());
                self.origins.scopes.insert_unique(hash, (hash, index), |&(hash, _)| hash);
                index
            }
        };
        self.columns.origin().1.resize(rows, index);
    }

    /// A fault in a resource or scope costs the part that has it, not the items. Called behind each of them.
    pub(crate) fn forgive(&mut self) {
        if let Some(reason) = self.kit.fault.take() {
            self.kit.dropped.add(reason, 1);
        }
    }
}

impl OriginDraft {
    fn scope(&self) -> Scope {
        Scope {
            name: self.name,
            version: self.version,
            schema_url: self.schema_url,
            dropped_attributes_count: self.dropped_attributes_count,
        }
    }
}

fn hash_draft(hasher: &RandomState, draft: &OriginDraft, attributes: &Attributes) -> u64 {
    let mut state = hasher.build_hasher();
    (draft.name, draft.version, draft.schema_url, draft.dropped_attributes_count).hash(&mut state);
    for (key, value) in attributes.pending() {
        key.hash(&mut state);
        hash_value(value, &mut state);
    }
    state.finish()
}

fn hash_value(value: Value, state: &mut impl Hasher) {
    std::mem::discriminant(&value).hash(state);
    match value {
        Value::Empty => {}
        Value::String(sym) | Value::Bytes(sym) | Value::Json(sym) => sym.hash(state),
        Value::Bool(value) => value.hash(state),
        Value::Int(value) => value.hash(state),
        Value::Double(value) => value.to_bits().hash(state),
    }
}

fn same_resource(context: &Context, index: u32, draft: &OriginDraft) -> bool {
    let resource = &context.resources[index as usize];
    resource.schema_url == draft.schema_url
        && resource.dropped_attributes_count == draft.dropped_attributes_count
        && context.resource_attributes.row(index as usize).eq(context.resource_attributes.pending())
}

fn same_scope(context: &Context, index: u32, draft: &OriginDraft) -> bool {
    context.scopes[index as usize] == draft.scope()
        && context.scope_attributes.row(index as usize).eq(context.scope_attributes.pending())
}
