//! Which columns of a place have the fields of a query.

use super::super::source::Source;
use crate::columns::{ATTRIBUTES, Place, columns};
use crate::error::Fault;
use crate::segment::nested::Nested;
use orrery_model::{SpanBatch, semconv};
use orrery_query::traceql::{Field, FieldName, Intrinsic, Reads, Scope};
use std::collections::BTreeSet;

/// What a query reads, by columns.
#[derive(Clone, Debug, Default)]
pub(super) struct Needs {
    columns: BTreeSet<&'static str>,
    /// Names of attributes of spans, every spelling.
    keys: BTreeSet<String>,
    /// The same of events and links.
    nested: BTreeSet<(Nested, String)>,
    everything: bool,
}

impl Needs {
    pub(super) fn of(reads: &Reads) -> Needs {
        let mut needs = Needs { everything: reads.everything, ..Needs::default() };
        reads.fields.iter().for_each(|field| needs.add(field));
        needs
    }

    /// These columns, too.
    pub(super) fn and(mut self, columns: &[&'static str]) -> Needs {
        self.columns.extend(columns);
        self
    }

    fn add(&mut self, field: &Field) {
        match &field.name {
            FieldName::Intrinsic(intrinsic) => self.columns.extend(columns_of(*intrinsic)),
            FieldName::Attribute(scope, name) => {
                let scopes = scope.map_or_else(|| Scope::ALL.to_vec(), |scope| vec![scope]);
                scopes.into_iter().for_each(|scope| self.add_attribute(scope, name));
            }
        }
    }

    fn add_attribute(&mut self, scope: Scope, name: &str) {
        let spellings = semconv::spellings(name).map(str::to_owned);
        match scope {
            Scope::Span => self.keys.extend(spellings),
            Scope::Resource => _ = self.columns.insert("resource_id"),
            Scope::Instrumentation => _ = self.columns.insert("scope_id"),
            Scope::Event => self.nested.extend(spellings.map(|name| (Nested::Events, name))),
            Scope::Link => self.nested.extend(spellings.map(|name| (Nested::Links, name))),
        }
    }

    /// The columns of a source that have it.
    pub(super) fn columns<'a>(&self, source: &'a Source) -> Result<Vec<&'a str>, Fault> {
        let Source::Sealed(segment, _) = source else { return Ok(Vec::new()) };
        if self.everything {
            let own = columns::<SpanBatch>(Place::Everywhere).map(|column| column.name);
            return Ok(own.chain([ATTRIBUTES]).chain(source.promoted().iter().map(|own| own.column())).collect());
        }
        let mut wanted: BTreeSet<&'a str> = self.columns.iter().copied().collect();
        for key in &self.keys {
            let places = source.places(key);
            wanted.extend(places.column.map(|promoted| promoted.column()));
            wanted.extend(places.map.then_some(ATTRIBUTES));
        }
        for (nested, key) in &self.nested {
            if !wanted.contains(nested.column()) && segment.nested(*nested)?.may_have(key) {
                wanted.insert(nested.column());
            }
        }
        Ok(wanted.into_iter().collect())
    }
}

fn columns_of(intrinsic: Intrinsic) -> &'static [&'static str] {
    use Intrinsic as I;
    match intrinsic {
        I::Name => &["name"],
        I::Duration => &["duration_nanos"],
        I::Status => &["status_code"],
        I::StatusMessage => &["status_message"],
        I::Kind => &["kind"],
        I::SpanId => &["span_id"],
        I::ParentId | I::Parent => &["parent_span_id"],
        I::ChildCount | I::NestedSetLeft | I::NestedSetRight | I::NestedSetParent => &["span_id", "parent_span_id"],
        I::TraceDuration => &["start_time_unix_nano", "duration_nanos"],
        I::RootName => &["start_time_unix_nano", "parent_span_id", "name"],
        I::RootService => &["start_time_unix_nano", "parent_span_id", "resource_id"],
        I::TraceId => &["trace_id"],
        I::EventName => &["events"],
        I::EventTimeSinceStart => &["start_time_unix_nano", "events"],
        I::LinkTraceId | I::LinkSpanId => &["links"],
        I::InstrumentationName | I::InstrumentationVersion => &["scope_id"],
    }
}
