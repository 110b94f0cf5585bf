//! What is wrong: a line of it, and all of it.

use crate::compare::Comparison;
use crate::components::icon::icon;
use crate::findings;
use crate::nav::nav;
use crate::pages::service_path;
use crate::scope::scope;
use crate::words::{say, t};
use leptos::prelude::*;
use orrery_api::{Finding, FindingKind};

/// The name in an id; of a queue without its system.
pub(crate) fn name(id: &str) -> String {
    let name = crate::pages::service_name(id);
    let queue = id.starts_with("queue:").then(|| name.split_once('/').map(|(_, queue)| queue.to_owned())).flatten();
    queue.unwrap_or(name)
}

/// In one line: what, why, how much, since when.
pub(crate) fn line(found: &Finding) -> AnyView {
    let (glyph, class) = findings::glyph(found.kind);
    let is_over = found.until_unix_nano.is_some();
    view! {
        <span class=class aria-hidden="true">{glyph}</span>
        <span class="found-what"><b>{findings::title(found, &name)}</b>{findings::reason(found).map(|reason| view! { <code class="found-why">{reason}</code> })}</span>
        <span class="found-size">{findings::measure(found)}</span>
        <span class="found-when">{is_over.then(|| view! { <span class="badge">{t(say::OVER)}</span> })}{findings::when(found)}</span>
    }
    .into_any()
}

/// All that is known, and where to go from it.
pub(crate) fn card(found: &Finding) -> AnyView {
    let (glyph, class) = findings::glyph(found.kind);
    let fact = |fact: findings::Fact| {
        let text = if fact.is_code { view! { <code>{fact.text}</code> }.into_any() } else { fact.text.into_any() };
        view! { <div class="found-fact"><dt>{t(fact.about)}</dt><dd>{text}</dd></div> }
    };
    view! {
        <section class="found" class:is-late=found.kind.is_about_time() aria-label=t(say::WRONG)>
            <h3 class="found-title"><span class=class aria-hidden="true">{glyph}</span>{findings::title(found, &name)}</h3>
            <dl class="found-facts">{findings::facts(found, &name).into_iter().map(fact).collect_view()}</dl>
            {ways(found)}
        </section>
    }
    .into_any()
}

fn ways(found: &Finding) -> AnyView {
    let nav = nav();
    let example = found.error.as_ref().map(|error| {
        let (path, span) = (format!("/traces/{}", error.trace_id), error.span_id.clone());
        view! { <a class="button button-primary" href=move || nav.href(&path, &[("span", &span)])>{icon("chart-gantt")}{t(say::OPEN_EXAMPLE)}</a> }
    });
    let traces = findings::traces(found).map(|params| {
        let href = move || {
            nav.href("/traces", &params.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>())
        };
        let words = if found.kind.is_about_time() { say::SLOW_TRACES } else { say::FAILED_TRACES };
        view! { <a class="button" href=href>{icon("chart-gantt")}{t(words)}</a> }
    });
    let page = service_path(&found.node);
    let issuer = found.issuer.clone().map(|issuer| {
        let path = service_path(&issuer);
        view! { <a class="button" href=move || nav.href(&path, &[])>{icon("shield-check")}{name(&issuer)}</a> }
    });
    view! {
        <div class="actions">
            {example}{traces}
            <a class="button" href=move || nav.href(&page, &[])>{icon("arrow-up-right")}{t(say::PAGE)}</a>
            {issuer}
            {before_and_after(found)}
        </div>
    }
    .into_any()
}

/// The map before it began beside the map since.
fn before_and_after(found: &Finding) -> Option<AnyView> {
    let scope = scope();
    let since = found.since_unix_nano?.0 / 1_000_000;
    let until = found.until_unix_nano.map(|until| until.0 / 1_000_000);
    let is_told = !matches!(found.kind, FindingKind::Silent | FindingKind::NotConsumed);
    let nav = nav();
    let href = move || {
        let to = until.unwrap_or(scope.window.get().to / 1_000_000).max(since + 10_000);
        let compare = Comparison::Between(since - (to - since).max(60_000), since).address();
        let (from, to) = (since.to_string(), to.to_string());
        nav.href("/", &[("range", ""), ("from", &from), ("to", &to), ("compare", &compare)])
    };
    is_told.then(|| view! { <a class="button" href=href>{icon("diff")}{t(say::BEFORE_AND_SINCE)}</a> }.into_any())
}
