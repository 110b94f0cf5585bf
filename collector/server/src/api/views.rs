//! Saved views.

use crate::api::endpoint::{Ask, Endpoint, Verb};
use crate::api::failure::Failure;
use crate::api::params::Parameter;
use orrery_api as api;
use orrery_api::{Nanos, paths};
use orrery_meta::{NewView, View};

const ID: Parameter = Parameter::new("id", "7", "Of a saved view.");

/// `GET /views`.
pub(crate) const LIST: Endpoint = Endpoint::json(paths::VIEWS, "ViewList", "Saved views, by name", &[]);

pub(crate) fn list(ask: &Ask<'_>) -> Result<api::ViewList, Failure> {
    Ok(api::ViewList { views: ask.api.meta()?.views()?.into_iter().map(view).collect() })
}

/// `POST /views`.
pub(crate) const SAVE: Endpoint = Endpoint::json(paths::VIEWS, "View", "Saves a view", &[])
    .change(Verb::Post, "ViewInput")
    .makes()
    .about("It is on the disk when this answers. 409: another view has the name, or there are too many.");

pub(crate) fn save(ask: &Ask<'_>) -> Result<api::View, Failure> {
    let what = sent(ask)?;
    Ok(view(ask.api.meta()?.save_view(&what, ask.params.now())?))
}

/// `PUT /views/{id}`.
pub(crate) const CHANGE: Endpoint =
    Endpoint::json(paths::VIEW, "View", "Changes a saved view", &[]).in_path(&[ID]).change(Verb::Put, "ViewInput");

pub(crate) fn change(ask: &Ask<'_>) -> Result<api::View, Failure> {
    let (id, what) = (id(ask)?, sent(ask)?);
    ask.api.meta()?.change_view(id, &what, ask.params.now())?.map(view).ok_or_else(|| unknown(ask))
}

/// `DELETE /views/{id}`.
pub(crate) const DELETE: Endpoint = Endpoint::json(paths::VIEW, "View", "Deletes a saved view", &[])
    .in_path(&[ID])
    .change(Verb::Delete, "")
    .about("Answers what it was, with which it can be saved again.");

pub(crate) fn delete(ask: &Ask<'_>) -> Result<api::View, Failure> {
    ask.api.meta()?.delete_view(id(ask)?)?.map(view).ok_or_else(|| unknown(ask))
}

fn id(ask: &Ask<'_>) -> Result<i64, Failure> {
    ask.part(ID.name).parse().map_err(|_| unknown(ask))
}

fn unknown(ask: &Ask<'_>) -> Failure {
    Failure::NotFound(format!("There is no saved view `{}`; GET {} lists them.", ask.part(ID.name), paths::VIEWS))
}

fn sent(ask: &Ask<'_>) -> Result<NewView, Failure> {
    let input: api::ViewInput = ask.sent()?;
    let api::ViewInput { name, path, description } =
        input.checked().map_err(|(field, detail)| Failure::invalid(field, detail))?;
    Ok(NewView { name, path, description })
}

fn view(view: View) -> api::View {
    let NewView { name, path, description } = view.what;
    api::View {
        id: view.id.to_string(),
        name,
        path,
        description,
        created_unix_nano: Nanos(view.created_unix_nano),
        updated_unix_nano: Nanos(view.updated_unix_nano),
    }
}
