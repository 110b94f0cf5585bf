//! What a trace is about, and the tools above its waterfall.

use super::views::{self, Shown};
use super::{Model, compare, links, logs, pin, standing};
use crate::components::copy::Copy;
use crate::components::figure::duration;
use crate::components::filter::is_typing;
use crate::components::icon::icon;
use crate::components::outside::outside;
use crate::figures::{date_time, grouped};
use crate::outside::Subject;
use crate::words::{Phrase, say, t, tf};
use leptos::html;
use leptos::prelude::*;
use orrery_api::{LinkOn, Nanos, paths};
use orrery_chart::Unit;
use orrery_chart::waterfall::{TimeKind, Waterfall};

/// Services named before "and more".
const NAMED: usize = 10;

/// Root, duration, counts, services.
pub(super) fn summary(model: Model) -> AnyView {
    let (root, name, service, (from, to), spans, errors) = model.waterfall.with_untracked(|waterfall| {
        let is_root = |span: &u32| waterfall.parent(*span).is_none() && !waterfall.is_orphan(*span);
        let root = (0..waterfall.len() as u32).find(is_root).unwrap_or(0);
        let (name, service) = (waterfall.name(root).to_owned(), waterfall.service(root).to_owned());
        (root, name, service, waterfall.range(), waterfall.len(), waterfall.errors())
    });
    let root_service = model.waterfall.with_untracked(|waterfall| waterfall.span(root).service);
    let root_service = model.facts.with_value(|facts| facts.services.get(root_service as usize).cloned());
    let subject = Subject {
        trace_id: Some(model.facts.with_value(|facts| facts.id.clone())),
        name: Some(name.clone()),
        service: root_service,
        time: (from, to),
        ..Subject::default()
    };
    let errors = (errors > 0).then(|| view! { <span class="badge badge-err"><span aria-hidden="true">"◆"</span>{tf(say::N_ERRORS, &[("n", &grouped(errors))])}</span> });
    let nav = model.nav;
    let id = model.facts.with_value(|facts| facts.id.clone());
    let is_file = model.is_file();
    view! {
        <section class="trace-head">
            <div class="trace-title"><span class="hint">{service}</span><h2 class="trace-name">{name}</h2>{errors}<span class="grow"></span>{(!is_file).then(|| outside(LinkOn::Trace, move || subject.clone()))}{(!is_file).then(|| view! { <div class="trace-actions">{pin::pin(model)}{compare::chooser(nav)}</div> })}</div>
            <ul class="facts">
                <li><b>{duration(Some(Nanos(to - from)))}</b></li>
                {standing::fact(model, root)}
                <li>{grouped(spans)}" "{t(say::SPANS)}</li>
                <li>{model.facts.with_value(|facts| facts.services.len())}" "{t(say::SERVICES)}</li>
                <li class="mono">{date_time(from)}</li>
                <li class="mono fact-id">{id.clone()}<Copy text=id.clone() what=t(say::TRACE_ID) /></li>
                {(!is_file).then(|| elsewhere(model, (from, to)))}
                {odd(model)}
            </ul>
            <div class="trace-rows">{services(model)}{kinds(model)}</div>
            {links::strip(model)}
        </section>
    }
    .into_any()
}

/// Where else there is something of it.
fn elsewhere(model: Model, (from, to): (i64, i64)) -> AnyView {
    let nav = model.nav;
    let id = model.facts.with_value(|facts| facts.id.clone());
    let (logs, sql) = (id.clone(), crate::sql::trace(&id));
    let (from, to) = ((from / 1_000_000 - 60_000).to_string(), (to / 1_000_000 + 60_000).to_string());
    view! {
                <li><a href={let (from, to) = (from.clone(), to.clone()); move || nav.href("/logs", &[("trace_id", &logs), ("from", &from), ("to", &to)])}>{t(say::LOGS)}</a></li>
                <li><a href=move || nav.href("/sql", &[("q", &sql), ("from", &from), ("to", &to)]) title=t(say::OPEN_IN_SQL)>"SQL"</a></li>
                <li>{t(say::DOWNLOAD)}": "<a download=format!("{id}.otlp.json") href=paths::TRACE_OTLP.replace("{trace_id}", &id)>"OTLP"</a>" · "<a download=format!("{id}.jaeger.json") href=paths::TRACE_JAEGER.replace("{trace_id}", &id)>"Jaeger"</a></li>
    }
    .into_any()
}

/// How many spans are not as they should be; each leads to the first of its kind.
fn odd(model: Model) -> AnyView {
    let odd = model.waterfall.with_untracked(|waterfall| waterfall.oddities());
    type Is = fn(&Waterfall, u32) -> bool;
    let kinds: [(usize, Phrase, Phrase, Is); 3] = [
        (odd.orphans, say::ODD_ORPHANS, say::ODD_ORPHANS_HINT, |waterfall, span| waterfall.is_orphan(span)),
        (odd.late, say::ODD_LATE, say::ODD_LATE_HINT, |waterfall, span| waterfall.late_by(span).is_some()),
        (odd.skewed, say::ODD_SKEWED, say::ODD_SKEWED_HINT, |waterfall, span| waterfall.skew(span).is_some()),
    ];
    let item = |(count, words, hint, is): (usize, Phrase, Phrase, Is)| {
        let go = move |_| {
            let now = model.selected.get_untracked();
            let next = model.waterfall.with_untracked(|waterfall| waterfall.next_span(now, |span| is(waterfall, span)));
            model.select(next);
        };
        view! { <li><button type="button" class="link odd" title=t(hint) on:click=go><span class="is-warn" aria-hidden="true">"▲ "</span>{tf(words, &[("n", &grouped(count))])}</button></li> }
    };
    kinds.into_iter().filter(|kind| kind.0 > 0).map(item).collect_view().into_any()
}

/// What the time of the critical path was spent on; nothing where all of it is own work.
fn kinds(model: Model) -> AnyView {
    let kinds = model.waterfall.with_untracked(|waterfall| waterfall.critical_by_kind());
    let total = kinds.iter().map(|kind| kind.1).sum::<i64>().max(1) as f64;
    let word = |kind| match kind {
        TimeKind::Own => say::PATH_OWN,
        TimeKind::Network => say::PATH_NETWORK,
        TimeKind::Downstream => say::PATH_DOWNSTREAM,
    };
    let item = |(kind, nanos): (TimeKind, i64)| {
        view! { <li>{t(word(kind))}<span class="hint">" "{Unit::Ratio.format(nanos as f64 / total).to_string()}</span></li> }
    };
    let items: Vec<_> = kinds.into_iter().filter(|kind| kind.1 > 0).collect();
    (items.len() > 1).then(|| view! { <ul class="legend path-kinds" aria-label=t(say::CRITICAL_PATH)>{items.into_iter().map(item).collect_view()}</ul> }).into_any()
}

/// Where the time went: the critical path by service.
fn services(model: Model) -> AnyView {
    let shares = model.waterfall.with_untracked(|waterfall| waterfall.critical_by_service());
    let total = shares.iter().map(|share| share.1).sum::<i64>().max(1) as f64;
    let parts: Vec<_> = shares
        .iter()
        .map(|(service, nanos)| {
            let style = format!("width:{:.2}%;{}", *nanos as f64 / total * 100.0, model.swatch(*service));
            view! { <span style=style></span> }
        })
        .collect();
    let names: Vec<_> = shares.iter().take(NAMED).filter_map(|(service, nanos)| {
        let name = model.facts.with_value(|facts| Some(facts.services.get(*service as usize)?.name.clone()))?;
        let share = Unit::Ratio.format(*nanos as f64 / total).to_string();
        Some(view! { <li><span class="swatch" style=model.swatch(*service)></span>{name}<span class="hint">" "{share}</span></li> })
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
    let found =
        move || model.found.with(|found| found.as_ref().map(|found| tf(say::N_FOUND, &[("n", &grouped(found.count))])));
    let key = move |event: web_sys::KeyboardEvent| {
        if event.key() == "Enter" {
            model.next_found();
        }
    };
    let has_errors = model.waterfall.with_untracked(|waterfall| waterfall.errors() > 0);
    let path = move |_| model.nav.replace(&[("path", model.critical.get_untracked().then(|| "off".to_owned()))]);
    view! {
        <header class="panel-head">
            {views::switch(model)}
            <input class="input" type="search" node_ref=input placeholder=t(say::FIND_SPAN) aria-label=t(say::FIND_SPAN) prop:value=move || model.search.get() on:input=move |event| model.search.set(event_target_value(&event)) on:keydown=key />
            <span class="hint" role="status">{found}</span>
            <span class="grow"></span>
            {has_errors.then(|| view! { <button type="button" class="button button-quiet" on:click=move |_| model.error(true)><span class="is-err" aria-hidden="true">"◆"</span>{t(say::NEXT_ERROR)}<kbd>"e"</kbd></button> })}
            <Show when=move || model.shown.get() == Shown::Waterfall>
                {(!model.is_file()).then(|| logs::toggle(model))}
                <button type="button" class="button button-quiet" aria-pressed=move || model.critical.get().to_string() on:click=path>{icon("git-commit-horizontal")}<span class="button-text">{t(say::CRITICAL_PATH)}</span></button>
                <button type="button" class="button button-quiet" on:click=move |_| model.waterfall.update(|waterfall| waterfall.collapse_from(2))>{icon("chevron-up")}<span class="button-text">{t(say::FOLD)}</span></button>
                <button type="button" class="button button-quiet" on:click=move |_| model.waterfall.update(|waterfall| waterfall.expand_all())>{icon("chevron-down")}<span class="button-text">{t(say::EXPAND)}</span></button>
            </Show>
        </header>
    }
    .into_any()
}
