//! How many matching spans there were over time: failed ones and the others.

use crate::client::{ask, load};
use crate::components::chart::{TimeChart, legend};
use crate::components::panel;
use crate::components::query::Query;
use crate::components::state::empty;
use crate::scope::scope;
use crate::series::{by_status, total};
use crate::words::{say, t, tf};
use leptos::prelude::*;
use orrery_api::{TraceSeriesList, paths};
use orrery_chart::grouped;
use std::sync::Arc;

/// All spans.
const ALL: &str = "{ } | count_over_time() by (span:status)";

pub(super) fn panel(query: Query) -> AnyView {
    let scope = scope();
    let wanted = Memo::new(move |_| {
        if query.asked.with(|asked| asked.is_empty()) { Some(ALL.to_owned()) } else { query.says.with(|says| says.over_time.clone()) }
    });
    let counts = load::<TraceSeriesList>(move || {
        let mut params = super::params(query, scope, scope.window.get());
        params.retain(|(name, _)| *name != "q");
        params.push(("q", wanted.get()?));
        Some(ask(paths::TRACE_SERIES, &params).chosen(scope.range.get()))
    });
    let said = move || {
        counts.data.with(|list| {
            list.as_ref().map(|list| tf(say::N_SPANS, &[("n", &grouped(total(list).round() as usize))]))
        })
    };
    let charted = move |list: Signal<Arc<TraceSeriesList>>| {
        let spec = Memo::new(move |_| {
            list.with(|list| by_status(list, t(say::MATCHING_SPANS).to_owned(), t(say::ERRORS), t(say::OTHERS)))
        });
        view! { <div class="panel-body"><TimeChart spec=spec height=100.0 />{legend(spec)}</div> }.into_any()
    };
    let head = view! { <span class="hint" role="status">{said}</span> }.into_any();
    let blank = |list: &TraceSeriesList| list.series.is_empty();
    panel::panel(t(say::SPANS_OVER_TIME), Some(head), counts, blank, |_| empty(t(say::NO_SPANS), None), charted)
}
