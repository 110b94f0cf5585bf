//! Whom to tell: routes and inhibitions, all at once, since their order matters.

use super::{all, edit, invalid, newer, put};
use crate::alerting::documents::{self, Document};
use crate::api::endpoint::{Ask, Endpoint, Verb};
use crate::api::failure::Failure;
use orrery_alert::check::Wrong;
use orrery_api::alerting::{Inhibition, Route, RouteList};
use orrery_api::paths;
use orrery_meta::{Editor, Kind, MetaError, Origin};
use std::collections::BTreeSet;

/// `GET /alerting/routes`.
pub(crate) const LIST: Endpoint = Endpoint::json(
    paths::ALERT_ROUTES,
    "RouteList",
    "Which alerts are told to whom, in the order in which that is tried",
    &[],
);

pub(crate) fn list(ask: &Ask<'_>) -> Result<RouteList, Failure> {
    Ok(RouteList {
        routes: all::<Route>(ask)?.into_iter().map(|route| route.what).collect(),
        inhibitions: all::<Inhibition>(ask)?.into_iter().map(|inhibition| inhibition.what).collect(),
    })
}

/// `PUT /alerting/routes`.
pub(crate) const CHANGE: Endpoint = Endpoint::json(paths::ALERT_ROUTES, "RouteList", "Changes all routes", &[])
    .change(Verb::Put, "RouteList")
    .about("What is not in the list goes. 400: a channel that a route names does not exist.");

pub(crate) fn change(ask: &Ask<'_>) -> Result<RouteList, Failure> {
    let RouteList { routes, inhibitions } = super::read(ask)?;
    edit(ask, |editor| {
        replace(editor, "routes", &routes)?;
        replace(editor, "inhibitions", &inhibitions)?;
        lead_somewhere(editor).map_err(|wrong| match wrong {
            // Named as in what was sent.
            Failure::Invalid { field, detail } => {
                Failure::Invalid { field: field.replacen("route[", "routes[", 1), detail }
            }
            other => other,
        })
    })?;
    list(ask)
}

/// What is given instead of what there is. Documents keep where they come from.
fn replace<T: Document>(editor: &Editor<'_>, field: &str, documents: &[T]) -> Result<(), Failure> {
    let old = editor.all(T::KIND)?;
    let mut names = BTreeSet::new();
    for (at, document) in documents.iter().enumerate() {
        let outer = format!("{field}[{at}]");
        document.check().map_err(|wrong| invalid(wrong.within(&outer)))?;
        let name = document.name();
        let before = old.iter().find(|old| old.name == name);
        if before.is_some_and(|before| documents::kept::<T>(before).is_none()) {
            return Err(newer(T::KIND.as_str(), &name));
        }
        if !names.insert(name) {
            return Err(invalid(Wrong::new("name", "it is there twice").within(&outer)));
        }
        put(editor, document.clone(), before.map_or(Origin::User, |before| before.origin), at as i64)?;
    }
    for gone in old.iter().filter(|old| !names.contains(&old.name) && documents::kept::<T>(old).is_some()) {
        editor.delete(T::KIND, &gone.name)?;
    }
    Ok(())
}

/// Whether every channel that a route names exists.
pub(super) fn lead_somewhere(editor: &Editor<'_>) -> Result<(), Failure> {
    let channels: BTreeSet<String> = names(editor, Kind::Channel)?;
    for (at, route) in editor.all(Kind::Route)?.iter().enumerate() {
        let Some(route) = documents::kept::<Route>(route) else { continue };
        let missing = route.what.channels.iter().position(|channel| !channels.contains(channel));
        if let Some(number) = missing {
            let (name, channel) = (&route.what.name, &route.what.channels[number]);
            let detail =
                format!("the route `{name}` leads to `{channel}`, but there is no such channel: make it first");
            return Err(Failure::invalid(&format!("route[{at}].channels[{number}]"), detail));
        }
    }
    Ok(())
}

fn names(editor: &Editor<'_>, kind: Kind) -> Result<BTreeSet<String>, MetaError> {
    Ok(editor.all(kind)?.into_iter().map(|document| document.name).collect())
}
