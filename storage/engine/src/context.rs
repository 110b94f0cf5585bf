//! Resources and scopes of a slice or segment, each kept once and numbered.

use hashbrown::HashMap;
use orrery_model::batch::Context;
use orrery_model::{Attributes, ServiceKey, Strings, Sym, Value};
use orrery_query::answer::AttributeMap;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// A resource: who sent. Equal resources of all requests are one.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Resource {
    #[serde(flatten)]
    pub(crate) service: ServiceFields,
    pub(crate) service_version: String,
    pub(crate) instance: String,
    pub(crate) host_name: String,
    pub(crate) schema_url: String,
    pub(crate) dropped_attributes_count: u32,
    /// All attributes as a JSON object, values as `orrery_model::Value::to_json` writes them.
    pub(crate) attributes: String,
    #[serde(skip)]
    parsed: OnceLock<Arc<AttributeMap>>,
}

/// Identity of the service of a resource.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct ServiceFields {
    pub(crate) service_namespace: String,
    pub(crate) service_name: String,
    pub(crate) environment: String,
}

/// An instrumentation scope.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Scope {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) schema_url: String,
    pub(crate) dropped_attributes_count: u32,
    pub(crate) attributes: String,
}

impl Resource {
    pub(crate) fn service(&self) -> ServiceKey {
        ServiceKey {
            namespace: self.service.service_namespace.clone(),
            name: self.service.service_name.clone(),
            environment: self.service.environment.clone(),
        }
    }

    /// The attributes, parsed once.
    pub(crate) fn attribute_map(&self) -> &Arc<AttributeMap> {
        self.parsed.get_or_init(|| Arc::new(serde_json::from_str(&self.attributes).unwrap_or_default()))
    }

    /// The value of an attribute as a person would write it.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        self.attribute_map().get(key).map(text_of_json)
    }

    fn same(&self, other: &Resource) -> bool {
        self.attributes == other.attributes
            && self.schema_url == other.schema_url
            && self.dropped_attributes_count == other.dropped_attributes_count
    }
}

/// A JSON value as a person would write it, as `orrery_model::Value::to_text` does.
pub(crate) fn text_of_json(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => String::new(),
        serde_json::Value::Number(number) if number.is_f64() => format!("{:?}", number.as_f64().unwrap_or(f64::NAN)),
        serde_json::Value::Object(object) if object.len() == 1 => match object.get("bytesValue") {
            Some(serde_json::Value::String(base64)) => base64.clone(),
            _ => value.to_string(),
        },
        other => other.to_string(),
    }
}

/// Numbered resources and scopes. Numbers only grow, so that readers may keep an older copy.
#[derive(Clone, Debug, Default)]
pub(crate) struct ContextTable {
    resources: Vec<Arc<Resource>>,
    scopes: Vec<Arc<Scope>>,
    // By a hash of the attributes: candidates are compared.
    resource_numbers: HashMap<u64, Vec<u32>>,
    scope_numbers: HashMap<u64, Vec<u32>>,
}

impl ContextTable {
    pub(crate) fn new(resources: Vec<Resource>, scopes: Vec<Scope>) -> ContextTable {
        // Stored lists are already distinct, and nothing is added to them: numbers must not change.
        ContextTable {
            resources: resources.into_iter().map(Arc::new).collect(),
            scopes: scopes.into_iter().map(Arc::new).collect(),
            ..ContextTable::default()
        }
    }

    pub(crate) fn resource(&self, id: u32) -> &Arc<Resource> {
        &self.resources[id as usize]
    }

    pub(crate) fn scope(&self, id: u32) -> &Arc<Scope> {
        &self.scopes[id as usize]
    }

    pub(crate) fn resources(&self) -> &[Arc<Resource>] {
        &self.resources
    }

    pub(crate) fn scopes(&self) -> &[Arc<Scope>] {
        &self.scopes
    }

    /// Bytes it takes in memory, about: attributes are there as text and, once somebody asked for one, as values.
    pub(crate) fn memory(&self) -> usize {
        let resources = self.resources.iter().map(|resource| 512 + 6 * resource.attributes.len());
        resources.sum::<usize>() + self.scopes.len() * 256
    }

    /// Numbers of the resources for which `wanted` holds.
    pub(crate) fn resources_where(&self, wanted: impl Fn(&Resource) -> bool) -> Vec<u32> {
        let numbered = self.resources.iter().enumerate();
        numbered.filter(|(_, resource)| wanted(resource)).map(|(id, _)| id as u32).collect()
    }

    /// Numbers of a batch's resources and scopes, new ones added.
    pub(crate) fn number(&mut self, context: &Context) -> (Vec<u32>, Vec<u32>) {
        let resources = (0..context.resources.len()).map(|row| self.number_resource(context, row)).collect();
        let scopes = (0..context.scopes.len()).map(|row| self.number_scope(context, row)).collect();
        (resources, scopes)
    }

    /// The same of those that some rows have; 0 stands for the others.
    pub(crate) fn number_used(&mut self, context: &Context, resources: &[u32], scopes: &[u32]) -> (Vec<u32>, Vec<u32>) {
        let used = |count: usize, rows: &[u32]| {
            let mut used = vec![false; count];
            rows.iter().for_each(|row| used[*row as usize] = true);
            used
        };
        let resources = used(context.resources.len(), resources).into_iter().enumerate();
        let resources =
            resources.map(|(row, used)| if used { self.number_resource(context, row) } else { 0 }).collect();
        let scopes = used(context.scopes.len(), scopes).into_iter().enumerate();
        let scopes = scopes.map(|(row, used)| if used { self.number_scope(context, row) } else { 0 }).collect();
        (resources, scopes)
    }

    fn number_resource(&mut self, context: &Context, row: usize) -> u32 {
        let from = &context.resources[row];
        let text = |sym: Sym| context.strings.get(sym).to_owned();
        let resource = Resource {
            service: ServiceFields {
                service_namespace: text(from.service_namespace),
                service_name: text(from.service_name),
                environment: text(from.environment),
            },
            service_version: text(from.service_version),
            instance: text(from.instance),
            host_name: text(from.host_name),
            schema_url: text(from.schema_url),
            dropped_attributes_count: from.dropped_attributes_count,
            attributes: json_object(&context.resource_attributes, row, &context.strings),
            parsed: OnceLock::new(),
        };
        let numbers = self.resource_numbers.entry(hash(&resource.attributes)).or_default();
        let known = numbers.iter().copied().find(|id| self.resources[*id as usize].same(&resource));
        known.unwrap_or_else(|| {
            let id = self.resources.len() as u32;
            self.resources.push(Arc::new(resource));
            numbers.push(id);
            id
        })
    }

    fn number_scope(&mut self, context: &Context, row: usize) -> u32 {
        let from = &context.scopes[row];
        let text = |sym: Sym| context.strings.get(sym).to_owned();
        let scope = Scope {
            name: text(from.name),
            version: text(from.version),
            schema_url: text(from.schema_url),
            dropped_attributes_count: from.dropped_attributes_count,
            attributes: json_object(&context.scope_attributes, row, &context.strings),
        };
        let numbers = self.scope_numbers.entry(hash(&scope.name)).or_default();
        let same = |other: &Scope| {
            other.name == scope.name
                && other.version == scope.version
                && other.schema_url == scope.schema_url
                && other.attributes == scope.attributes
                && other.dropped_attributes_count == scope.dropped_attributes_count
        };
        let known = numbers.iter().copied().find(|id| same(&self.scopes[*id as usize]));
        known.unwrap_or_else(|| {
            let id = self.scopes.len() as u32;
            self.scopes.push(Arc::new(scope));
            numbers.push(id);
            id
        })
    }

    /// The context a batch with these numbers would have: number i is the batch's index i.
    pub(crate) fn to_batch(&self) -> Context {
        let mut context = Context::default();
        for resource in &self.resources {
            push_object(&resource.attributes, &mut context.strings, &mut context.resource_attributes);
            let schema_url = context.strings.intern(&resource.schema_url);
            context.end_resource(schema_url, resource.dropped_attributes_count);
        }
        for scope in &self.scopes {
            push_object(&scope.attributes, &mut context.strings, &mut context.scope_attributes);
            let scope = orrery_model::batch::Scope {
                name: context.strings.intern(&scope.name),
                version: context.strings.intern(&scope.version),
                schema_url: context.strings.intern(&scope.schema_url),
                dropped_attributes_count: scope.dropped_attributes_count,
            };
            context.end_scope(scope);
        }
        context
    }
}

fn hash(text: &str) -> u64 {
    use std::hash::BuildHasher;
    foldhash::fast::FixedState::default().hash_one(text)
}

/// A row of attributes as a JSON object, by name: equal sets give equal text.
fn json_object(attributes: &Attributes, row: usize, strings: &Strings) -> String {
    let mut pairs: Vec<(&str, Value)> = attributes.row(row).map(|(key, value)| (strings.get(key), value)).collect();
    pairs.sort_by_key(|(key, _)| *key);
    let mut out = String::from("{");
    for (at, (key, value)) in pairs.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        orrery_model::attributes::quote(key, &mut out);
        out.push(':');
        value.to_json(strings, &mut out);
    }
    out.push('}');
    out
}

fn push_object(object: &str, strings: &mut Strings, out: &mut Attributes) {
    let parsed: BTreeMap<String, Box<RawValue>> = serde_json::from_str(object).unwrap_or_default();
    for (key, value) in &parsed {
        let value = Value::from_json(value.get(), strings);
        let key = strings.intern(key);
        out.push(key, value);
    }
}
