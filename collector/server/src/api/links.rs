//! Short links, and links to outside tools.

use crate::api::endpoint::{Ask, Endpoint, Verb, ask};
use crate::api::failure::Failure;
use crate::api::state::Api;
use crate::http::request_id::RequestId;
use crate::http::ui;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, Uri, header};
use orrery_api as api;
use orrery_api::{check_place, paths, views};
use std::sync::Arc;

/// `POST /links`.
pub(crate) const LINK: Endpoint = Endpoint::json(paths::LINKS, "Link", "A short name of a place in the dashboard", &[])
    .change(Verb::Post, "LinkInput")
    .about(
        "The same name for the same place. `GET /s/{id}` leads there. Of more than 100 000 places those go that were asked \
         for longest ago.",
    );

pub(crate) fn link(ask: &Ask<'_>) -> Result<api::Link, Failure> {
    let api::LinkInput { path } = ask.sent()?;
    check_place(&path).map_err(|detail| Failure::invalid("path", detail))?;
    let id = ask.api.meta()?.link(&path, ask.params.now())?;
    Ok(api::Link { short: format!("{}{id}", views::SHORT), id, path })
}

/// `GET /s/{id}`: leads to the place; where there is none, the dashboard says so.
pub(crate) async fn follow(
    State(api): State<Arc<Api>>,
    Extension(request): Extension<RequestId>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    match ask(api, move |api, _| Ok(api.meta()?.place(&id)?)).await {
        // What was stored was checked; what was changed behind our back must not lead elsewhere.
        Ok(Some(place)) if check_place(&place).is_ok() => {
            (StatusCode::FOUND, [(header::LOCATION, place), (header::CACHE_CONTROL, "no-store".to_owned())])
                .into_response()
        }
        Ok(_) => {
            let mut page = ui::serve(uri, headers).await;
            *page.status_mut() = StatusCode::NOT_FOUND;
            page
        }
        Err(failure) => failure.respond(&request.0),
    }
}

/// `GET /link-templates`.
pub(crate) const TEMPLATES: Endpoint =
    Endpoint::json(paths::LINK_TEMPLATES, "LinkTemplateList", "Links to outside tools, as configured", &[]).about(
        "Set with `--link`, `ORRERY_LINKS` or `[[links]]` in the file. Whoever shows one fills in what it is about, \
         percent-encoded, and leaves it out where a value is missing.",
    );

pub(crate) fn templates(ask: &Ask<'_>) -> Result<api::LinkTemplateList, Failure> {
    Ok(api::LinkTemplateList { templates: ask.api.about.links.clone() })
}
