//! Completion: which attributes spans have, from what is known of slices and segments without reading rows.

use super::super::filter;
use super::super::session::Session;
use super::super::source::Source;
use crate::context::ContextTable;
use crate::engine::Inner;
use crate::promote::PromotedKind;
use crate::segment::Segment;
use crate::segment::nested::Nested;
use crate::slice::Slice;
use hashbrown::HashMap;
use orrery_model::{Attributes, SpanBatch, Strings, Sym, Value, semconv};
use orrery_query::answer::{Answer, AttributeMap, TraceKey};
use orrery_query::traceql::Scope;
use orrery_query::{Control, QueryError, plan};
use std::collections::BTreeMap;

/// Attributes in an answer at most.
const LIMIT: u32 = 10_000;

/// What is known of an attribute.
#[derive(Default)]
struct Known {
    spans: u64,
    /// Spans by type of the value, as far as it is known.
    types: BTreeMap<&'static str, u64>,
}

/// Attributes by scope and current name.
#[derive(Default)]
struct Keys(HashMap<(Scope, String), Known>);

pub(crate) fn run(
    inner: &Inner,
    plan: &plan::TraceKeys,
    control: &Control,
) -> Result<Answer<Vec<TraceKey>>, QueryError> {
    filter::check_range(plan.range)?;
    let mut session = Session::new(inner, "trace keys", control)?;
    let mut keys = Keys::default();
    for source in session.sources::<SpanBatch>(plan.range, |_| true)? {
        session.check()?;
        match &source {
            Source::Hot(slice) => keys.add_slice(slice),
            Source::Sealed(segment, index) => {
                keys.add_segment(segment);
                keys.add_context(&index.context, segment.entry.rows);
                if session.may_read(&source) {
                    for (nested, scope) in [(Nested::Events, Scope::Event), (Nested::Links, Scope::Link)] {
                        let names = segment.nested(nested).map_err(|fault| session.fault(fault))?;
                        names.names().for_each(|name| keys.add(scope, name, 0, None));
                    }
                }
            }
        }
    }
    Ok(session.answer(keys.finish(plan)))
}

impl Keys {
    fn add(&mut self, scope: Scope, name: &str, spans: u64, of: Option<&'static str>) {
        let known = self.0.entry((scope, semconv::canonical(name).to_owned())).or_default();
        known.spans += spans;
        if let Some(of) = of {
            *known.types.entry(of).or_default() += spans.max(1);
        }
    }

    fn add_segment(&mut self, segment: &Segment) {
        let entry = &segment.entry;
        for promoted in &entry.promoted {
            let of = match promoted.kind {
                PromotedKind::Text => "text",
                PromotedKind::Int => "int",
                PromotedKind::Double => "float",
                PromotedKind::Bool => "bool",
            };
            // Older manifests do not say how many; a tenth of the rows is what it takes to get a column.
            let spans = if promoted.rows > 0 { promoted.rows } else { entry.rows / 10 };
            self.add(Scope::Span, &promoted.key, spans, Some(of));
        }
        for (name, spans) in entry.mapped.iter().flatten() {
            self.add(Scope::Span, name, *spans, None);
        }
    }

    fn add_slice(&mut self, slice: &Slice) {
        let (parts, context) = slice.spans.held();
        for part in &parts {
            let batch = &part.batch;
            let strings = &batch.context.strings;
            self.add_pairs(Scope::Span, &batch.attributes, strings);
            self.add_pairs(Scope::Event, &batch.events.attributes, strings);
            self.add_pairs(Scope::Link, &batch.links.attributes, strings);
        }
        self.add_context(&context, slice.spans.count());
    }

    fn add_pairs(&mut self, scope: Scope, attributes: &Attributes, strings: &Strings) {
        let mut counts: HashMap<(Sym, Option<&'static str>), u64> = HashMap::new();
        for (key, value) in attributes.pairs_of_all_rows() {
            *counts.entry((key, type_of(value))).or_default() += 1;
        }
        for ((key, of), spans) in counts {
            self.add(scope, strings.get(key), spans, of);
        }
    }

    /// Attributes of resources and scopes, of which it is not known how many spans have them: at most all.
    fn add_context(&mut self, context: &ContextTable, spans: u64) {
        let mut here = Keys::default();
        let mut add = |scope: Scope, attributes: &AttributeMap| {
            attributes.iter().for_each(|(name, value)| here.add(scope, name, 0, type_of_json(value)));
        };
        context.resources().iter().for_each(|resource| add(Scope::Resource, resource.attribute_map()));
        for scope in context.scopes() {
            add(Scope::Instrumentation, &serde_json::from_str(&scope.attributes).unwrap_or_default());
        }
        for ((scope, name), known) in here.0 {
            self.add(scope, &name, spans, None);
            known.types.into_keys().for_each(|of| self.add(scope, &name, 0, Some(of)));
        }
    }

    fn finish(self, plan: &plan::TraceKeys) -> Vec<TraceKey> {
        let prefix = plan.prefix.to_lowercase();
        let is_wanted = |(scope, name): &(Scope, String)| {
            plan.scope.is_none_or(|wanted| wanted == *scope) && name.to_lowercase().starts_with(&prefix)
        };
        let mut keys: Vec<TraceKey> = self
            .0
            .into_iter()
            .filter(|(key, _)| is_wanted(key))
            .map(|((scope, name), known)| {
                let mut types: Vec<(&'static str, u64)> = known.types.into_iter().collect();
                types.sort_by_key(|(_, spans)| std::cmp::Reverse(*spans));
                TraceKey { scope, name, types: types.into_iter().map(|(of, _)| of).collect(), spans: known.spans }
            })
            .collect();
        keys.sort_by(|a, b| b.spans.cmp(&a.spans).then_with(|| (a.scope, &a.name).cmp(&(b.scope, &b.name))));
        keys.truncate(plan.limit.clamp(1, LIMIT) as usize);
        keys
    }
}

fn type_of(value: Value) -> Option<&'static str> {
    match value {
        Value::String(_) => Some("text"),
        Value::Int(_) => Some("int"),
        Value::Double(_) => Some("float"),
        Value::Bool(_) => Some("bool"),
        Value::Empty | Value::Bytes(_) | Value::Json(_) => None,
    }
}

fn type_of_json(value: &serde_json::Value) -> Option<&'static str> {
    match value {
        serde_json::Value::String(_) => Some("text"),
        serde_json::Value::Number(number) if number.is_f64() => Some("float"),
        serde_json::Value::Number(_) => Some("int"),
        serde_json::Value::Bool(_) => Some("bool"),
        _ => None,
    }
}
