//! Asking about traces: a query, and what it finds: traces with the spans that matched, or series.

mod columns;
mod compare;
mod counts;
mod file;
mod flame;
mod heat;
mod list;
mod pins;
mod row;
mod series;
mod views;

pub(crate) use row::short_table;

use crate::client::{Ask, Failure, Load, ask, load};
use crate::components::open_in_sql::open_in_sql;
use crate::components::query::{Query, QueryBar};
use crate::pages::chunks::chunks;
use crate::pages::{later, part};
use crate::range::Window;
use crate::scope::{Scope, scope};
use crate::traceql::in_environment;
use leptos::prelude::*;
use orrery_api::{TraceSeriesList, paths};

chunks! {
    /// Columns to choose, traces that are kept.
    pub(super) TOOLS traces_tools |query: Query| view! { {columns::chooser(query)}{pins::pins()} };
    IN_SQL traces_sql |(query, function): (Query, Option<&'static str>)| open_as_sql(query, function);
    /// Where what is found spends its time.
    pub(super) FLAME traces_flame |(query, refused): (Query, RwSignal<Option<Failure>>)| flame::flame(query, refused);
    /// What a query of metrics makes of it.
    pub(super) SERIES traces_series |(query, refused): (Query, RwSignal<Option<Failure>>)| series::series(query, refused);
}

/// `/traces`.
#[component]
pub(crate) fn Traces() -> impl IntoView {
    let query = Query::start();
    let refused = RwSignal::new(None::<Failure>);
    let metrics = Memo::new(move |_| query.says.with(|says| says.metrics));
    let reading = file::Reading::start();
    let answer =
        move || if metrics.get() { part(SERIES, (query, refused)) } else { views::views(query, refused, reading) };
    view! {
        <div class="page page-fill traces" on:dragover=move |event| reading.over(&event) on:dragleave=move |event| reading.leave(&event) on:drop=move |event| reading.dropped(&event)>
            <QueryBar query=query refused=refused />{file::told(reading)}{answer}
        </div>
    }
}

/// Series made of the spans that are found.
fn made_of_spans(query: Query, function: &'static str) -> Load<TraceSeriesList> {
    let scope = scope();
    load::<TraceSeriesList>(move || Some(series_of(scope, format!("{} | {function}", found_spans(query)?))))
}

/// A link to what is asked in SQL, or to the nearest that has a short form there; with a function of metrics, to the
/// series that it makes of the spans that are found.
fn in_sql(query: Query, function: Option<&'static str>) -> AnyView {
    later(IN_SQL, (query, function))
}

fn open_as_sql(query: Query, function: Option<&'static str>) -> AnyView {
    let scope = scope();
    open_in_sql(move || {
        let asked = match function {
            Some(function) => found_spans(query).map(|spans| format!("{spans} | {function}")).unwrap_or_default(),
            None => query.asked.get(),
        };
        crate::sql::spans(&asked, scope.environment.get().as_deref())
    })
}

/// Series as a query of metrics says.
fn series_of(scope: Scope, asked: String) -> Ask {
    let window = scope.window.get();
    let asked = scope.environment.with(|name| name.as_ref().map(|name| in_environment(&asked, name))).unwrap_or(asked);
    let params = [("from", window.from.to_string()), ("to", window.to.to_string()), ("q", asked)];
    ask(paths::TRACE_SERIES, &params).chosen(scope.range.get())
}

/// The search without its columns; `None` if there is none.
fn found_spans(query: Query) -> Option<String> {
    if query.asked.with(|asked| asked.is_empty()) {
        Some("{ }".to_owned())
    } else {
        query.says.with(|says| says.spans.clone())
    }
}

/// What a request for traces says; tracked but for the window.
fn params(query: Query, scope: Scope, window: Window) -> Vec<(&'static str, String)> {
    let mut params = vec![("from", window.from.to_string()), ("to", window.to.to_string()), ("q", query.asked.get())];
    params.extend(scope.environment.get().map(|name| ("attr", format!("deployment.environment.name={name}"))));
    params
}
