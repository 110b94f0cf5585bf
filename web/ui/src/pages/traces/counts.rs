//! How many matching spans there were over time: failed ones and the others.

use crate::components::chart::{TimeChart, legend};
use crate::components::flags::as_asked;
use crate::components::panel;
use crate::components::query::Query;
use crate::components::state::empty;
use crate::series::{by_status, total};
use crate::words::{say, t, tf};
use leptos::prelude::*;
use orrery_api::TraceSeriesList;
use orrery_chart::grouped;
use std::sync::Arc;

const BY_STATUS: &str = "count_over_time() by (span:status)";

pub(super) fn panel(query: Query) -> AnyView {
    let counts = super::made_of_spans(query, BY_STATUS);
    let said = move || {
        counts
            .data
            .with(|list| list.as_ref().map(|list| tf(say::N_SPANS, &[("n", &grouped(total(list).round() as usize))])))
    };
    let charted = move |list: Signal<Arc<TraceSeriesList>>| {
        let spec = Memo::new(move |_| {
            list.with(|list| by_status(list, t(say::MATCHING_SPANS).to_owned(), t(say::ERRORS), t(say::OTHERS)))
        });
        view! { <div class="panel-body"><TimeChart spec=spec height=120.0 about=as_asked() />{legend(spec)}</div> }
            .into_any()
    };
    let head =
        view! { <span class="hint" role="status">{said}</span>{super::in_sql(query, Some(BY_STATUS))} }.into_any();
    let blank = |list: &TraceSeriesList| list.series.is_empty();
    panel::panel(t(say::SPANS_OVER_TIME), Some(head), counts, blank, |_| empty(t(say::NO_SPANS), None), charted)
}
