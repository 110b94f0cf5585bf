//! What was logged in this trace, in order of time, beside the spans it was logged in.

use super::Model;
use crate::client::{ask, load};
use crate::components::figure::duration_text;
use crate::components::state::{chips, empty, loaded};
use crate::figures::date_time;
use crate::pages::logs::{body, level};
use crate::words::{say, t};
use leptos::prelude::*;
use orrery_api::{LogList, LogRecord, Nanos, paths};
use std::sync::Arc;

/// Nanoseconds around a trace in which its logs are looked for.
const AROUND: i64 = 60_000_000_000;

pub(super) fn logs(model: Model) -> AnyView {
    let (from, to) = model.waterfall.with_untracked(|waterfall| waterfall.range());
    let id = model.facts.with_value(|facts| facts.id.clone());
    let wanted = ask(
        paths::LOGS,
        &[
            ("from", from.saturating_sub(AROUND).to_string()),
            ("to", to.saturating_add(AROUND).to_string()),
            ("trace_id", id),
            ("limit", "500".to_owned()),
        ],
    );
    let list = load::<LogList>(move || Some(wanted.clone()));
    let lines = move |list: Signal<Arc<LogList>>| {
        let lines =
            move || list.with(|list| list.logs.iter().rev().map(|record| line(model, from, record)).collect_view());
        view! { <div class="lines" tabindex="0" role="group" aria-label=t(say::LOGS)><ul class="lines-list">{lines}</ul></div> }.into_any()
    };
    let none = |_: &LogList| empty(t(say::NO_LOGS_OF_TRACE), None);
    view! { {chips(list)}{loaded(list, |list: &LogList| list.logs.is_empty(), none, lines)} }.into_any()
}

fn line(model: Model, from: i64, record: &LogRecord) -> AnyView {
    let id = record.span_id.clone();
    let is_chosen = {
        let id = id.as_deref().and_then(|id| u64::from_str_radix(id, 16).ok());
        move || {
            let chosen = model.selected.get();
            id.is_some() && chosen.map(|span| model.waterfall.with_untracked(|waterfall| waterfall.span(span).id)) == id
        }
    };
    let after = record.time_unix_nano.0 - from;
    let after = format!("{}{}", if after < 0 { "−" } else { "+" }, duration_text(Nanos(after.abs())));
    view! {
        <li class="line" class:is-open=is_chosen>
            <button type="button" class="line-row" on:click=move |_| model.nav.replace(&[("span", id.clone())])>
                <span class="line-time mono" title=date_time(record.time_unix_nano.0)>{after}</span>
                {level(record)}
                <span class="line-service">{record.service.name.clone()}</span>
                <span class="line-body mono">{body(record)}</span>
            </button>
        </li>
    }
    .into_any()
}
