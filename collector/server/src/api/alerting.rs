//! What people write about alerts: documents that are sent, checked, kept and listed. A file per kind.

pub(crate) mod alerts;
pub(crate) mod channels;
pub(crate) mod file;
pub(crate) mod heartbeats;
pub(crate) mod prometheus;
pub(crate) mod replay;
pub(crate) mod routes;
pub(crate) mod rules;
pub(crate) mod silences;
pub(crate) mod slos;
pub(crate) mod trial;

use crate::alerting::documents::{self, Document, Kept};
#[cfg(test)]
use crate::api::endpoint::Endpoint;
use crate::api::endpoint::{Ask, add};
use crate::api::failure::Failure;
use crate::api::params::Parameter;
use crate::api::state::Api;
use axum::Router;
use orrery_alert::check::Wrong;
use orrery_meta::{Editor, MetaError, Origin};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Everything documented, in the order of the document.
#[cfg(test)]
pub(crate) const ENDPOINTS: &[&Endpoint] = &[
    &alerts::LIST,
    &alerts::DETAIL,
    &alerts::EVENTS,
    &alerts::ACKNOWLEDGE,
    &alerts::GIVE_BACK,
    &rules::LIST,
    &rules::SAVE,
    &rules::CHANGE,
    &rules::DELETE,
    &replay::REPLAY,
    &replay::PREVIEW,
    &slos::LIST,
    &slos::SAVE,
    &slos::CHANGE,
    &slos::DELETE,
    &channels::LIST,
    &channels::SAVE,
    &channels::CHANGE,
    &channels::DELETE,
    &channels::DELIVERIES,
    &trial::TEST,
    &routes::LIST,
    &routes::CHANGE,
    &silences::LIST,
    &silences::SAVE,
    &silences::CHANGE,
    &silences::DELETE,
    &silences::PREVIEW,
    &heartbeats::RECEIVE,
    &file::EXPORT,
    &file::APPLY,
    &prometheus::RULES,
    &prometheus::ALERTS,
];

pub(crate) fn add_all(mut router: Router<Arc<Api>>) -> Router<Arc<Api>> {
    router = add(router, &alerts::LIST, alerts::list);
    router = add(router, &alerts::DETAIL, alerts::detail);
    router = add(router, &alerts::EVENTS, alerts::list_events);
    router = add(router, &alerts::ACKNOWLEDGE, alerts::acknowledge);
    router = add(router, &alerts::GIVE_BACK, alerts::give_back);
    router = add(router, &replay::REPLAY, replay::replay);
    router = add(router, &replay::PREVIEW, replay::preview);
    router = add(router, &trial::TEST, trial::test);
    router = add(router, &rules::LIST, rules::list);
    router = add(router, &rules::SAVE, rules::save);
    router = add(router, &rules::CHANGE, rules::put);
    router = add(router, &rules::DELETE, rules::delete);
    router = add(router, &slos::LIST, slos::list);
    router = add(router, &slos::SAVE, slos::save);
    router = add(router, &slos::CHANGE, slos::put);
    router = add(router, &slos::DELETE, slos::delete);
    router = add(router, &channels::LIST, channels::list);
    router = add(router, &channels::SAVE, channels::save);
    router = add(router, &channels::CHANGE, channels::put);
    router = add(router, &channels::DELETE, channels::delete);
    router = add(router, &channels::DELIVERIES, channels::deliveries);
    router = add(router, &routes::LIST, routes::list);
    router = add(router, &routes::CHANGE, routes::change);
    router = add(router, &silences::LIST, silences::list);
    router = add(router, &silences::SAVE, silences::save);
    router = add(router, &silences::CHANGE, silences::put);
    router = add(router, &silences::DELETE, silences::delete);
    router = add(router, &silences::PREVIEW, silences::preview);
    router = add(router, &heartbeats::RECEIVE, heartbeats::receive);
    router = add(router, &file::EXPORT, file::export);
    router = add(router, &file::APPLY, file::apply);
    router = add(router, &prometheus::RULES, prometheus::list_rules);
    add(router, &prometheus::ALERTS, prometheus::list_alerts)
}

/// Of a document.
const NAME: Parameter = Parameter::new("id", "checkout fails", "Its name.");

fn invalid(wrong: Wrong) -> Failure {
    Failure::Invalid { field: wrong.field, detail: wrong.detail }
}

/// What was sent; what is wrong names its field.
fn read<T: DeserializeOwned>(ask: &Ask<'_>) -> Result<T, Failure> {
    let mut json = serde_json::Deserializer::from_slice(ask.body);
    let read = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { "body" } else { &path };
        Failure::invalid(field, format!("what was sent is not what is wanted: {}", error.inner()))
    })?;
    json.end().map_err(|error| Failure::invalid("body", format!("one document is wanted: {error}")))?;
    Ok(read)
}

/// A document that was sent, checked.
fn sent<T: Document>(ask: &Ask<'_>) -> Result<T, Failure> {
    let document: T = read(ask)?;
    document.check().map_err(invalid)?;
    Ok(document)
}

/// All of a kind. Those of a newer Orrery are left out; `/self` tells of them.
fn all<T: Document>(ask: &Ask<'_>) -> Result<Vec<Kept<T>>, Failure> {
    Ok(documents::all(ask.api.meta()?, &mut Vec::new())?)
}

/// One that there is.
fn existing<T: Document>(editor: &Editor<'_>, name: &str) -> Result<Kept<T>, Failure> {
    let kind = T::KIND.as_str();
    let document = editor.get(T::KIND, name)?;
    let document = document.ok_or_else(|| Failure::NotFound(format!("There is no {kind} `{name}`.")))?;
    documents::kept(&document).ok_or_else(|| newer(kind, name))
}

fn newer(kind: &str, name: &str) -> Failure {
    Failure::Conflict(format!("A newer Orrery wrote the {kind} `{name}`: upgrade this one to change it."))
}

/// Keeps what is new.
fn make<T: Document>(editor: &Editor<'_>, what: T, place: i64) -> Result<Kept<T>, Failure> {
    let name = what.name();
    if editor.get(T::KIND, &name)?.is_some() {
        return Err(MetaError::NameTaken { kind: T::KIND.as_str(), name }.into());
    }
    put(editor, what, Origin::User, place)
}

/// Keeps what was changed, perhaps under another name.
fn change<T: Document>(editor: &Editor<'_>, name: &str, what: T, origin: Origin) -> Result<Kept<T>, Failure> {
    let new = what.name();
    if new != name {
        editor.rename(T::KIND, name, &new)?;
    }
    put(editor, what, origin, 0)
}

fn put<T: Document>(editor: &Editor<'_>, what: T, origin: Origin, place: i64) -> Result<Kept<T>, Failure> {
    let json = serde_json::to_string(&what).map_err(|error| Failure::Internal(error.into()))?;
    let kept = editor.put(T::KIND, &what.name(), origin, place, &json)?;
    Ok(Kept { what, origin, updated_unix_nano: kept.updated_unix_nano })
}

/// Changes documents, and lets evaluation know.
fn edit<T>(ask: &Ask<'_>, work: impl FnOnce(&Editor<'_>) -> Result<T, Failure>) -> Result<T, Failure> {
    let done = ask.api.meta()?.edit(ask.params.now(), work)?;
    ask.api.alerting.changed();
    Ok(done)
}
