//! Everything a span says.

use super::Model;
use crate::client::{ask, load};
use crate::components::attributes::{attributes, row};
use crate::components::copy::Copy;
use crate::components::drawer::Drawer;
use crate::components::figure::{duration, duration_text};
use crate::components::icon::icon;
use crate::components::state::{empty, loaded};
use crate::figures::{date_time, time_millis};
use crate::nav::Nav;
use crate::pages::logs::{body, level};
use crate::words::{Phrase, say, t, tf};
use leptos::prelude::*;
use orrery_api::{LogList, LogRecord, Nanos, Span, SpanEvent, SpanLink, Trace, paths};
use std::sync::Arc;

/// Nanoseconds around a span in which its logs are looked for.
const AROUND: i64 = 60_000_000_000;

/// The drawer of a span.
pub(super) fn drawer(model: Model, at: u32) -> AnyView {
    let trace = model.trace.get_value();
    let Some(span) = trace.spans.get(at as usize).cloned() else { return ().into_any() };
    let service = trace.services.get(span.service as usize).cloned().unwrap_or_default();
    let ink = model
        .inks
        .with_value(|inks| inks.get(span.service as usize).map_or("var(--text-3)", |ink| ink.token.css_var()));
    let failed = span.status_code == "error";
    let badge = failed
        .then(|| view! { <span class="badge badge-err"><span aria-hidden="true">"◆"</span>{t(say::ERROR)}</span> });
    let head = view! {
        <span class="swatch swatch-large" style=format!("background:{ink}")></span>
        <span class="drawer-name"><span class="drawer-heading">{span.name.clone()}</span><span class="hint">{service.name.clone()}" · "{span.kind.clone()}</span></span>{badge}
    }
    .into_any();
    let message = (!span.status_message.is_empty())
        .then(|| view! { <p class="span-message" class:is-err-text=failed>{span.status_message.clone()}</p> });
    let resource = trace.resources.get(span.resource as usize).cloned().unwrap_or_default();
    let count = |name: Phrase, count: usize| format!("{} {count}", t(name));
    view! {
        <Drawer label=span.name.clone() close=Callback::new(move |()| model.select(None)) head=head>
            {facts(&trace, &span)}
            {message}
            {actions(model.nav, &service.id, &span)}
            {(!span.events.is_empty()).then(|| section(count(say::EVENTS, span.events.len()), true, events(&span)))}
            {section(count(say::ATTRIBUTES, span.attributes.len()), true, attributes(&span.attributes))}
            {logs(&trace, &span)}
            {(!span.links.is_empty()).then(|| section(count(say::LINKS, span.links.len()), true, links(model.nav, &span.links)))}
            {section(count(say::RESOURCE, resource.len()), false, attributes(&resource))}
            {section(t(say::MORE).to_owned(), false, more(&span))}
        </Drawer>
    }
    .into_any()
}

fn section(title: String, open: bool, body: AnyView) -> AnyView {
    view! { <details class="section" open=open><summary>{icon("chevron-right")}<h3>{title}</h3></summary>{body}</details> }.into_any()
}

fn facts(trace: &Trace, span: &Span) -> AnyView {
    let first = trace.spans.iter().map(|span| span.start_time_unix_nano.0).min().unwrap_or(0);
    let after = Nanos(span.start_time_unix_nano.0 - first);
    view! {
        <ul class="facts">
            <li><b>{duration(Some(span.duration_nanos))}</b></li>
            <li title=date_time(span.start_time_unix_nano.0)>{tf(say::AFTER_START, &[("after", &duration_text(after))])}</li>
            <li class="mono">{span.span_id.clone()}<Copy text=span.span_id.clone() what=t(say::SPAN_ID) /></li>
        </ul>
    }
    .into_any()
}

fn actions(nav: Nav, service: &str, span: &Span) -> AnyView {
    let (page, of, operation) = (crate::pages::service_path(service), service.to_owned(), span.name.clone());
    view! {
        <div class="actions">
            <a class="button" href=move || nav.href(&page, &[])>{icon("box")}{t(say::SERVICE)}</a>
            <a class="button" href=move || nav.href("/traces", &[("service", &of), ("operation", &operation)])>{icon("chart-gantt")}{t(say::SIMILAR)}</a>
        </div>
    }
    .into_any()
}

fn events(span: &Span) -> AnyView {
    let event = |event: &SpanEvent| {
        let after = Nanos(event.time_unix_nano.0 - span.start_time_unix_nano.0);
        let class = if event.name == "exception" { "event is-exception" } else { "event" };
        let stack = event.attributes.get("exception.stacktrace").map(crate::components::attributes::text);
        let mut rest = event.attributes.clone();
        rest.remove("exception.stacktrace");
        view! {
            <li class=class><p><b>{event.name.clone()}</b><span class="hint">" +"{duration_text(after)}</span></p>{attributes(&rest)}{stack.map(|stack| view! { <pre class="code" tabindex="0">{stack}</pre> })}</li>
        }
    };
    view! { <ul class="events">{span.events.iter().map(event).collect_view()}</ul> }.into_any()
}

fn links(nav: Nav, links: &[SpanLink]) -> AnyView {
    let link = |link: &SpanLink| {
        let (path, span) = (format!("/traces/{}", link.trace_id), link.span_id.clone());
        view! { <li class="event"><a class="mono" href=move || nav.href(&path, &[("span", &span)])>{crate::figures::middle(&link.trace_id, 20)}" / "{link.span_id.clone()}</a>{attributes(&link.attributes)}</li> }
    };
    view! { <ul class="events">{links.iter().map(link).collect_view()}</ul> }.into_any()
}

fn logs(trace: &Trace, span: &Span) -> AnyView {
    let from = span.start_time_unix_nano.0.saturating_sub(AROUND);
    let to = span.start_time_unix_nano.0.saturating_add(span.duration_nanos.0).saturating_add(AROUND);
    let wanted = ask(
        paths::LOGS,
        &[
            ("from", from.to_string()),
            ("to", to.to_string()),
            ("trace_id", trace.trace_id.clone()),
            ("span_id", span.span_id.clone()),
            ("limit", "50".to_owned()),
        ],
    );
    let list = load::<LogList>(move || Some(wanted.clone()));
    let count = move || list.data.with(|list| list.as_ref().map(|list| format!(" {}", list.logs.len())));
    let line = |record: &LogRecord| view! { <li class="span-log">{level(record)}<span class="hint mono">{time_millis(record.time_unix_nano.0)}</span><span class="span-log-body mono">{body(record)}</span></li> };
    let body = move |list: Signal<Arc<LogList>>| {
        view! { <ul class="events">{move || list.with(|list| list.logs.iter().rev().map(line).collect_view())}</ul> }
            .into_any()
    };
    view! {
        <details class="section" open=true><summary>{icon("chevron-right")}<h3>{t(say::LOGS)}{count}</h3></summary>
            {loaded(list, |list: &LogList| list.logs.is_empty(), |_| empty(t(say::NO_LOGS_OF_SPAN), None), body)}
        </details>
    }
    .into_any()
}

fn more(span: &Span) -> AnyView {
    let dropped = span.dropped_attributes_count + span.dropped_events_count + span.dropped_links_count;
    let scope = format!("{} {}", span.scope_name, span.scope_version);
    view! {
        <dl class="attributes">
            {row("start", &date_time(span.start_time_unix_nano.0))}
            {span.parent_span_id.as_ref().map(|parent| row("parent_span_id", parent))}
            {row("status", &span.status_code)}
            {(!span.scope_name.is_empty()).then(|| row("scope", scope.trim()))}
            {(!span.trace_state.is_empty()).then(|| row("trace_state", &span.trace_state))}
            {row("flags", &span.flags.to_string())}
            {(dropped > 0).then(|| row("dropped", &format!("{} / {} / {}", span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count)))}
        </dl>
    }
    .into_any()
}
