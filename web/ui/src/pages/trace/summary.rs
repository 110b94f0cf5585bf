//! What a trace is about, and the tools above its waterfall.

use super::Model;
use crate::components::copy::Copy;
use crate::components::figure::{duration, figure};
use crate::components::filter::is_typing;
use crate::components::icon::icon;
use crate::figures::date_time;
use crate::words::{say, t, tf};
use leptos::html;
use leptos::prelude::*;
use orrery_api::{Nanos, Trace};
use orrery_chart::{Ink, Unit};

/// Services named before "and more".
const NAMED: usize = 10;

/// Root, duration, counts, services.
pub(super) fn summary(model: Model) -> AnyView {
    let trace = model.trace.get_value();
    let root = trace.spans.iter().find(|span| span.parent_span_id.is_none()).or(trace.spans.first());
    let (name, service) = root
        .map(|root| {
            (
                root.name.clone(),
                trace.services.get(root.service as usize).map(|service| service.name.clone()).unwrap_or_default(),
            )
        })
        .unwrap_or_default();
    let (from, to) = model.waterfall.with_untracked(|waterfall| waterfall.range());
    let errors = trace.spans.iter().filter(|span| span.status_code == "error").count();
    let errors = (errors > 0).then(|| view! { <span class="badge badge-err"><span aria-hidden="true">"◆"</span>{tf(say::N_ERRORS, &[("n", &errors.to_string())])}</span> });
    let nav = model.nav;
    let (logs, logs_from, logs_to) =
        (trace.trace_id.clone(), (from / 1_000_000 - 60_000).to_string(), (to / 1_000_000 + 60_000).to_string());
    view! {
        <section class="trace-head">
            <div class="trace-title"><span class="hint">{service}</span><h2 class="trace-name">{name}</h2>{errors}</div>
            <ul class="facts">
                <li><b>{duration(Some(Nanos(to - from)))}</b></li>
                <li>{figure(&Unit::Number, trace.spans.len() as f64)}" "{t(say::SPANS)}</li>
                <li>{trace.services.len()}" "{t(say::SERVICES)}</li>
                <li class="mono">{date_time(from)}</li>
                <li class="mono fact-id">{trace.trace_id.clone()}<Copy text=trace.trace_id.clone() what=t(say::TRACE_ID) /></li>
                <li><a href=move || nav.href("/logs", &[("trace_id", &logs), ("from", &logs_from), ("to", &logs_to)])>{t(say::LOGS)}</a></li>
            </ul>
            {services(model, &trace)}
        </section>
    }
    .into_any()
}

/// Where the time went: the critical path by service.
fn services(model: Model, trace: &Trace) -> AnyView {
    let inks = model.inks.get_value();
    let shares = model.waterfall.with_untracked(|waterfall| waterfall.critical_by_service());
    let total: i64 = shares.iter().map(|share| share.1).sum();
    let swatch = |ink: Option<&Ink>| format!("background:{}", ink.map_or("var(--text-3)", |ink| ink.token.css_var()));
    let parts: Vec<_> = shares
        .iter()
        .map(|(service, nanos)| {
            let share = *nanos as f64 / (total as f64).max(1.0);
            let style = format!("width:{:.2}%;{}", share * 100.0, swatch(inks.get(*service as usize)));
            view! { <span style=style></span> }
        })
        .collect();
    let names: Vec<_> = shares.iter().take(NAMED).filter_map(|(service, nanos)| {
        let name = trace.services.get(*service as usize)?.name.clone();
        let share = Unit::Ratio.format(*nanos as f64 / (total as f64).max(1.0)).to_string();
        Some(view! { <li><span class="swatch" style=swatch(inks.get(*service as usize))></span>{name}<span class="hint">" "{share}</span></li> })
    }).collect();
    view! { <div class="share" title=t(say::CRITICAL_SHARE)><div class="share-bar" aria-hidden="true">{parts}</div><ul class="legend" aria-label=t(say::CRITICAL_SHARE)>{names}</ul></div> }.into_any()
}

/// Search, critical path, folding, errors.
pub(super) fn tools(model: Model) -> AnyView {
    let input = NodeRef::<html::Input>::new();
    let slash = window_event_listener(leptos::ev::keydown, move |event| {
        if event.key() == "/" && !is_typing() {
            event.prevent_default();
            if let Some(input) = input.get_untracked() {
                let _ = input.focus();
            }
        }
    });
    on_cleanup(move || slash.remove());
    let found = move || {
        (!model.search.with(String::is_empty))
            .then(|| tf(say::N_FOUND, &[("n", &model.found.with(std::collections::HashSet::len).to_string())]))
    };
    let key = move |event: web_sys::KeyboardEvent| {
        if event.key() == "Enter" {
            model.next_found();
        }
    };
    let has_errors = model.waterfall.with_untracked(|waterfall| waterfall.next_error(None).is_some());
    let path = move |_| model.nav.replace(&[("path", model.critical.get_untracked().then(|| "off".to_owned()))]);
    view! {
        <header class="panel-head">
            <h2>{t(say::WATERFALL)}</h2>
            <input class="input" type="search" node_ref=input placeholder=t(say::FIND_SPAN) aria-label=t(say::FIND_SPAN) on:input=move |event| model.search.set(event_target_value(&event)) on:keydown=key />
            <span class="hint" role="status">{found}</span>
            <span class="grow"></span>
            {has_errors.then(|| view! { <button type="button" class="button button-quiet" on:click=move |_| model.next_error()><span class="is-err" aria-hidden="true">"◆"</span>{t(say::NEXT_ERROR)}<kbd>"e"</kbd></button> })}
            <button type="button" class="button button-quiet" aria-pressed=move || model.critical.get().to_string() on:click=path>{icon("git-commit-horizontal")}<span class="button-text">{t(say::CRITICAL_PATH)}</span></button>
            <button type="button" class="button button-quiet" on:click=move |_| model.waterfall.update(|waterfall| waterfall.collapse_from(2))>{icon("chevron-up")}<span class="button-text">{t(say::FOLD)}</span></button>
            <button type="button" class="button button-quiet" on:click=move |_| model.waterfall.update(|waterfall| waterfall.expand_all())>{icon("chevron-down")}<span class="button-text">{t(say::EXPAND)}</span></button>
        </header>
    }
    .into_any()
}
