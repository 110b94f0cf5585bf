//! What was logged in this trace, in order of time, beside the spans it was logged in.

use super::Model;
use crate::client::{Ask, ask, load};
use crate::components::figure::duration_text;
use crate::components::icon::icon;
use crate::components::state::{chips, empty, loaded};
use crate::figures::date_time;
use crate::pages::logs::{body, level};
use crate::words::{say, t};
use leptos::prelude::*;
use orrery_api::{LogList, LogRecord, Nanos, paths};
use orrery_chart::waterfall::{LogLevel, LogLine};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Log records of a trace at most.
const MOST: &str = "500";

/// Nanoseconds around a trace in which its logs are looked for.
const AROUND: i64 = 60_000_000_000;

/// What was logged in the trace; nothing is known of one from a file.
fn wanted(model: Model) -> Option<Ask> {
    let (from, to) = model.waterfall.with_untracked(|waterfall| waterfall.range());
    let id = model.facts.with_value(|facts| facts.id.clone());
    let params = [
        ("from", from.saturating_sub(AROUND).to_string()),
        ("to", to.saturating_add(AROUND).to_string()),
        ("trace_id", id),
        ("limit", MOST.to_owned()),
    ];
    (!model.is_file()).then(|| ask(paths::LOGS, &params))
}

/// A button that puts log records between the spans of the waterfall, and takes them away.
pub(super) fn toggle(model: Model) -> AnyView {
    let list = load::<LogList>(move || if model.inline.get() { wanted(model) } else { None });
    Effect::new(move |_| {
        let found = list.data.with(|list| list.as_ref().map(|list| lines(model, list)));
        let found = found.filter(|_| model.inline.get()).unwrap_or_default();
        let is_shown = model.waterfall.with_untracked(|waterfall| !waterfall.logs().is_empty());
        if is_shown || !found.is_empty() {
            model.waterfall.update(|waterfall| waterfall.set_logs(found));
        }
    });
    let click = move |_| model.nav.replace(&[("logs", (!model.inline.get_untracked()).then(|| "on".to_owned()))]);
    let count = move || {
        let count = list.data.with(|list| list.as_ref().map(|list| list.logs.len()));
        count.filter(|_| model.inline.get()).map(|count| format!(" {count}"))
    };
    let more = move || {
        let is_more =
            model.inline.get() && list.data.with(|list| list.as_ref().is_some_and(|list| list.next_cursor.is_some()));
        is_more.then(|| view! { <span class="badge badge-warn" title=t(say::LOGS_CUT)><span aria-hidden="true">"▲"</span>{t(say::PARTIAL)}</span> })
    };
    view! {
        <button type="button" class="button button-quiet" title=t(say::LOGS_INLINE_HINT) aria-pressed=move || model.inline.get().to_string() on:click=click>{icon("logs")}<span class="button-text">{t(say::LOGS_INLINE)}</span>{count}</button>
        {more}
        {move || model.inline.get().then(|| chips(list))}
    }
    .into_any()
}

fn lines(model: Model, list: &LogList) -> Vec<LogLine> {
    let ids: HashMap<u64, u32> = model.waterfall.with_untracked(|waterfall| {
        let wanted = list.logs.iter().filter_map(|record| u64::from_str_radix(record.span_id.as_deref()?, 16).ok());
        let wanted: HashSet<u64> = wanted.collect();
        (0..waterfall.len() as u32)
            .map(|at| (waterfall.span(at).id, at))
            .filter(|(id, _)| wanted.contains(id))
            .collect()
    });
    let line = |record: &LogRecord| LogLine {
        span: record.span_id.as_deref().and_then(|id| ids.get(&u64::from_str_radix(id, 16).ok()?).copied()),
        time: record.time_unix_nano.0,
        text: body(record),
        level: match record.severity_number {
            17.. => LogLevel::Error,
            13..=16 => LogLevel::Warning,
            _ => LogLevel::Fine,
        },
    };
    list.logs.iter().map(line).collect()
}

pub(super) fn logs(model: Model) -> AnyView {
    let (from, _) = model.waterfall.with_untracked(|waterfall| waterfall.range());
    let list = load::<LogList>(move || wanted(model));
    if model.is_file() {
        return empty(t(say::NO_LOGS_OF_FILE), None);
    }
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
