//! What is wrong, the worst first: the answer to the first question there is.

use super::Model;
use crate::client::{Load, ask, load};
use crate::components::finding;
use crate::components::icon::icon;
use crate::components::open_in_sql::open_in_sql;
use crate::components::state::{chips, loaded};
use crate::findings::selection;
use crate::scope::Scope;
use crate::words::{say, t};
use leptos::prelude::*;
use orrery_api::{Finding, FindingList, paths};

/// What is wrong in the range.
pub(super) fn load_findings(scope: Scope) -> Load<FindingList> {
    load(move || Some(ask(paths::FINDINGS, &scope.query()).chosen((scope.range.get(), scope.environment.get()))))
}

/// The list above the map.
pub(super) fn wrong(model: Model) -> AnyView {
    let all = model.findings;
    let rows = move |list: Signal<std::sync::Arc<FindingList>>| {
        view! { <ul class="wrong-list">{move || list.with(|list| list.findings.iter().map(|found| row(found, model)).collect_view())}</ul> }.into_any()
    };
    let fine = |_: &FindingList| {
        view! { <p class="wrong-none"><span class="is-ok" aria-hidden="true">"●"</span>{t(say::NOTHING_WRONG)}</p> }
            .into_any()
    };
    // Where nothing is known, nothing is fine either.
    let is_blank = move || {
        let no_map = model.map.with(|map| map.as_ref().is_some_and(|map| map.nodes.is_empty()));
        no_map && all.data.with(|list| list.as_ref().is_none_or(|list| list.findings.is_empty()))
    };
    view! {
        <section class="wrong" aria-label=t(say::WRONG) hidden=is_blank>
            <h2 class="wrong-head">{icon("triangle-alert")}{t(say::WRONG)}{chips(all)}</h2>
            {loaded(all, |list: &FindingList| list.findings.is_empty(), fine, rows)}
            {open_in_sql(move || crate::sql::wrong(model.scope.environment.get().as_deref()))}
        </section>
    }
    .into_any()
}

/// Opens what is known of it; of a host, the page of hosts.
fn row(found: &Finding, model: Model) -> AnyView {
    if found.kind.is_about_host() {
        let line = finding::line(found);
        return view! { <li><a class="wrong-row" href=move || model.nav.href("/health", &[])>{line}</a></li> }
            .into_any();
    }
    let (id, place) = (found.id.clone(), selection(found).address());
    let is_chosen = {
        let id = id.clone();
        move || model.why.with(|why| why.as_deref() == Some(&*id)).to_string()
    };
    let is_over = found.until_unix_nano.is_some();
    let choose = move |_| model.nav.set(&[("sel", Some(place.clone())), ("why", Some(id.clone())), ("reach", None)]);
    view! { <li><button type="button" class="wrong-row" class:is-over=is_over aria-pressed=is_chosen on:click=choose>{finding::line(found)}</button></li> }.into_any()
}

/// In a drawer: all about the chosen one.
pub(super) fn chosen(model: Model) -> AnyView {
    let found = Memo::new(move |_| {
        let why = model.why.get()?;
        model.findings.data.with(|list| list.as_ref()?.findings.iter().find(|found| found.id == why).cloned())
    });
    view! { {move || found.get().map(|found| finding::card(&found))} }.into_any()
}
