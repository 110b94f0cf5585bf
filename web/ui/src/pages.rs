//! The pages, each loaded when it is opened.

pub(crate) mod alerts;
pub(crate) mod chunks;
pub(crate) mod health;
pub(crate) mod logs;
pub(crate) mod metrics;
pub(crate) mod overview;
pub(crate) mod service;
pub(crate) mod services;
pub(crate) mod sql;
pub(crate) mod trace;
pub(crate) mod traces;

use crate::address::encode_segment;
use crate::components::chart::Cursor;
use crate::components::icon::icon;
use crate::components::state::skeleton;
use crate::nav::nav;
use crate::words::{say, t};
use chunks::{Chunk, Shows};
use leptos::prelude::*;
use leptos::task::spawn_local;

/// The page of a path, as soon as its code is there.
pub(crate) fn page(path: &str) -> AnyView {
    let Some((chunk, id)) = chunks::of(path) else { return not_found() };
    Cursor::provide();
    chunk.loaded().map_or_else(|| arriving(chunk, id.clone(), "page"), |shows| shows(id.clone()))
}

/// A part of a page, as soon as its code is there.
pub(crate) fn part<A: Clone + Send + Sync + 'static>(chunk: Chunk<A>, told: A) -> AnyView {
    match chunk.loaded() {
        Some(shows) => shows(told),
        None => arriving(chunk, told, "part"),
    }
}

/// The same for what nobody waits for, such as a link: nothing stands in its place until it is there.
pub(crate) fn later<A: Clone + Send + Sync + 'static>(chunk: Chunk<A>, told: A) -> AnyView {
    match chunk.loaded() {
        Some(shows) => shows(told),
        None => arriving(chunk, told, "later"),
    }
}

enum Arrival<A> {
    Waiting,
    Failed,
    Here(Shows<A>),
}

impl<A> Clone for Arrival<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for Arrival<A> {}

fn arriving<A: Clone + Send + Sync + 'static>(chunk: Chunk<A>, told: A, place: &'static str) -> AnyView {
    let arrival = RwSignal::new(Arrival::Waiting);
    let load = move || {
        arrival.set(Arrival::Waiting);
        spawn_local(async move {
            let next = match chunk.load().await {
                Ok(shows) => Arrival::Here(shows),
                Err(_) => {
                    chunks::reload_if_replaced().await;
                    Arrival::Failed
                }
            };
            // Nobody waits any more where the reader has gone elsewhere.
            arrival.try_set(next);
        });
    };
    load();
    let view = move || match arrival.get() {
        Arrival::Waiting => view! { <div class=place>{skeleton()}</div> }.into_any(),
        Arrival::Failed => not_loaded(load, place),
        Arrival::Here(shows) => shows(told.clone()),
    };
    view.into_any()
}

fn not_loaded(again: impl Fn() + 'static, place: &'static str) -> AnyView {
    let reload = move |_| drop(window().location().reload());
    view! {
        <div class=place>
            <div class="notice" role="alert">
                <span class="glyph is-err" aria-hidden="true">"◆"</span>
                <div><p>{t(say::PAGE_NOT_LOADED)}</p></div>
                <button type="button" class="button" on:click=move |_| again()>{icon("refresh-cw")}{t(say::RETRY)}</button>
                <button type="button" class="button" on:click=reload>{t(say::RELOAD)}</button>
            </div>
        </div>
    }
    .into_any()
}

/// Path of a service or inferred node.
pub(crate) fn service_path(id: &str) -> String {
    format!("/services/{}", encode_segment(id))
}

/// The name within an id such as `shop/cart@production` or `database:postgresql/db:5432`.
pub(crate) fn service_name(id: &str) -> String {
    let inferred = ["database:", "queue:", "external:", "model:", "user:", "unknown_caller:", "function:", "host:"]
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
