//! The pages.

pub(crate) mod health;
pub(crate) mod logs;
pub(crate) mod metrics;
pub(crate) mod overview;
pub(crate) mod service;
pub(crate) mod services;
pub(crate) mod trace;
pub(crate) mod traces;

use crate::address::encode_segment;
use crate::nav::nav;
use crate::words::{say, t};
use leptos::prelude::*;

/// Path of a service or inferred node.
pub(crate) fn service_path(id: &str) -> String {
    format!("/services/{}", encode_segment(id))
}

/// The name within an id such as `shop/cart@production` or `database:postgresql/db:5432`.
pub(crate) fn service_name(id: &str) -> String {
    let inferred = ["database:", "queue:", "external:", "model:", "user:", "unknown_caller:", "function:"]
        .iter()
        .any(|kind| id.starts_with(kind));
    if inferred {
        return id.split_once(':').map_or(id, |(_, name)| name).to_owned();
    }
    let name = id.rsplit_once('/').map_or(id, |(_, name)| name);
    name.split('@').next().unwrap_or(name).to_owned()
}

/// What stands where no page is.
pub(crate) fn not_found() -> AnyView {
    let nav = nav();
    view! {
        <div class="page">
            <div class="notice"><p>{t(say::NO_SUCH_PAGE)}</p><a class="button" href=nav.href_now("/", &[])>{t(say::TO_OVERVIEW)}</a></div>
        </div>
    }
    .into_any()
}
