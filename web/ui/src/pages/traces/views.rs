//! What a search finds: over time, and below that one by one or added up.

use super::file::Reading;
use super::{counts, heat, list};
use crate::client::Failure;
use crate::components::icon::icon;
use crate::components::query::Query;
use crate::nav::nav;
use crate::words::{Phrase, say, t};
use leptos::prelude::*;

/// What an address calls the flame graph; the list is what there is otherwise.
const FLAME: &str = "flame";

pub(super) fn views(query: Query, refused: RwSignal<Option<Failure>>, reading: Reading) -> AnyView {
    let view = nav().param("view");
    let flame = Memo::new(move |_| view.get().as_deref() == Some(FLAME));
    let shown = move || {
        if flame.get() {
            crate::pages::part(super::FLAME, (query, refused))
        } else {
            list::list(query, refused, reading)
        }
    };
    view! {
        <div class="columns traces-overview">
            {counts::panel(query)}
            {heat::panel(query)}
        </div>
        <div class="panel-fill found">{shown}</div>
    }
    .into_any()
}

/// Buttons to choose one.
pub(super) fn switch() -> AnyView {
    let nav = nav();
    let view = nav.param("view");
    let button = move |shown: Option<&'static str>, name: Phrase, sign: &'static str| {
        let pressed = move || (view.get().filter(|view| view == FLAME).as_deref() == shown).to_string();
        let choose = move |_| nav.replace(&[("view", shown.map(str::to_owned))]);
        view! { <button type="button" class="button button-quiet" title=t(name) aria-pressed=pressed on:click=choose>{icon(sign)}<span class="button-text">{t(name)}</span></button> }
    };
    view! {
        <div class="switch" role="group" aria-label=t(say::VIEW)>
            {button(None, say::LIST, "rows-3")}{button(Some(FLAME), say::FLAME_GRAPH, "layers")}
        </div>
    }
    .into_any()
}
