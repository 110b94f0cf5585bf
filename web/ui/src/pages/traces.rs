//! Asking about traces: a query, and what it finds: traces with the spans that matched, or series.

mod columns;
mod compare;
mod counts;
mod list;
mod row;
mod scatter;
mod series;

pub(crate) use row::short_table;

use crate::client::Failure;
use crate::components::query::{Query, QueryBar};
use crate::components::state::skeleton;
use crate::range::Window;
use crate::scope::Scope;
use leptos::prelude::*;

/// `/traces`.
#[component]
pub(crate) fn Traces() -> impl IntoView {
    let query = Query::start();
    let refused = RwSignal::new(None::<Failure>);
    let metrics = Memo::new(move |_| query.is_clear().then(|| query.says.with(|says| says.metrics)));
    let answer = move || match metrics.get() {
        None => skeleton(),
        Some(true) => series::series(query, refused),
        Some(false) => list::list(query, refused),
    };
    view! { <div class="page page-fill traces"><QueryBar query=query refused=refused />{answer}</div> }
}

/// What every request of this page says; tracked but for the window.
fn params(query: Query, scope: Scope, window: Window) -> Vec<(&'static str, String)> {
    let mut params = vec![("from", window.from.to_string()), ("to", window.to.to_string()), ("q", query.asked.get())];
    params.extend(scope.environment.get().map(|name| ("attr", format!("deployment.environment.name={name}"))));
    params
}
