//! Everything a span says.

use super::{Model, standing};
use crate::client::{ask, load};
use crate::components::attributes::{attributes, row};
use crate::components::copy::Copy;
use crate::components::drawer::Drawer;
use crate::components::figure::{duration, duration_text};
use crate::components::icon::icon;
use crate::components::outside::outside;
use crate::components::state::{empty, loaded};
use crate::figures::{date_time, time_millis};
use crate::nav::Nav;
use crate::outside::Subject;
use crate::pages::logs::{body, level};
use crate::words::{Phrase, say, t, tf};
use leptos::prelude::*;
use orrery_api::{LinkOn, LogList, LogRecord, Nanos, Span, SpanDetail, SpanEvent, SpanLink, Trace, paths};
use orrery_chart::waterfall::SpanKind;
use std::sync::Arc;

/// Nanoseconds around a span in which its logs are looked for.
const AROUND: i64 = 60_000_000_000;

/// The drawer of a span: what is known of it at once, the rest when it comes.
pub(super) fn drawer(model: Model, at: u32) -> AnyView {
    let (span, name) = model.waterfall.with_untracked(|waterfall| (*waterfall.span(at), waterfall.name(at).to_owned()));
    let (trace_id, service) = model
        .facts
        .with_value(|facts| (facts.id.clone(), facts.services.get(span.service as usize).cloned().unwrap_or_default()));
    let badge = span
        .error
        .then(|| view! { <span class="badge badge-err"><span aria-hidden="true">"◆"</span>{t(say::ERROR)}</span> });
    let head = view! {
        <span class="swatch swatch-large" style=model.swatch(span.service)></span>
        <span class="drawer-name"><span class="drawer-heading">{name.clone()}</span><span class="hint">{service.name.clone()}" · "{kind(span.kind)}</span></span>{badge}
    }
    .into_any();
    let url = paths::SPAN.replace("{trace_id}", &trace_id).replace("{span_id}", &format!("{:016x}", span.id));
    let file = model.facts.with_value(|facts| facts.file.clone());
    let body = match file.and_then(|trace| of_file(&trace, span.id)) {
        Some(detail) => says(model, &detail),
        None => {
            let detail = load::<SpanDetail>(move || Some(ask(&url, &[])));
            let body = move |detail: Signal<Arc<SpanDetail>>| {
                view! { {move || detail.with(|detail| says(model, detail))} }.into_any()
            };
            loaded(detail, |_: &SpanDetail| false, |_| ().into_any(), body)
        }
    };
    view! {
        <Drawer label=name.clone() close=Callback::new(move |()| model.select(None)) head=head>
            {facts(model, at)}
            {standing::note(model, at)}
            {(!model.is_file()).then(|| actions(model.nav, &service.id, &name))}
            {body}
        </Drawer>
    }
    .into_any()
}

/// What a file says of a span.
fn of_file(trace: &Trace, id: u64) -> Option<SpanDetail> {
    let span = trace.spans.iter().find(|span| u64::from_str_radix(&span.span_id, 16) == Ok(id))?;
    Some(SpanDetail {
        trace_id: trace.trace_id.clone(),
        service: trace.services.get(span.service as usize).cloned().unwrap_or_default(),
        resource: trace.resources.get(span.resource as usize).cloned().unwrap_or_default(),
        span: span.clone(),
        partial: None,
    })
}

pub(super) fn kind(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Internal => "internal",
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
    }
}

fn says(model: Model, detail: &SpanDetail) -> AnyView {
    let span = &detail.span;
    let failed = span.status_code == "error";
    let message = (!span.status_message.is_empty())
        .then(|| view! { <p class="span-message" class:is-err-text=failed>{span.status_message.clone()}</p> });
    let count = |name: Phrase, count: usize| format!("{} {count}", t(name));
    let subject = Subject {
        trace_id: Some(detail.trace_id.clone()),
        span_id: Some(span.span_id.clone()),
        name: Some(span.name.clone()),
        service: Some(detail.service.clone()),
        time: (span.start_time_unix_nano.0, span.start_time_unix_nano.0.saturating_add(span.duration_nanos.0)),
        attributes: vec![span.attributes.clone(), detail.resource.clone()],
    };
    view! {
        <div class="actions outside">{outside(LinkOn::Span, move || subject.clone())}</div>
        {message}
        {(!span.events.is_empty()).then(|| section(count(say::EVENTS, span.events.len()), true, events(span)))}
        {section(count(say::ATTRIBUTES, span.attributes.len()), true, attributes(&span.attributes))}
        {(!model.is_file()).then(|| logs(&detail.trace_id, span))}
        {u64::from_str_radix(&span.span_id, 16).ok().map(|id| super::links::to_span(model, id))}
        {(!span.links.is_empty()).then(|| section(count(say::LINKS, span.links.len()), true, links(model.nav, &span.links)))}
        {section(count(say::RESOURCE, detail.resource.len()), false, attributes(&detail.resource))}
        {section(t(say::MORE).to_owned(), false, more(span))}
    }
    .into_any()
}

fn section(title: String, open: bool, body: AnyView) -> AnyView {
    view! { <details class="section" open=open><summary>{icon("chevron-right")}<h3>{title}</h3></summary>{body}</details> }.into_any()
}

fn facts(model: Model, at: u32) -> AnyView {
    let (span, first, orphan, skew, late) = model.waterfall.with_untracked(|waterfall| {
        let (skew, late) = (waterfall.skew(at), waterfall.late_by(at));
        (*waterfall.span(at), waterfall.range().0, waterfall.is_orphan(at), skew, late)
    });
    let after = Nanos(span.start - first);
    let id = format!("{:016x}", span.id);
    let skew = skew.map(|by| {
        let said = if by < 0 { say::SKEW_BEFORE } else { say::SKEW_AFTER };
        tf(said, &[("by", &duration_text(Nanos(by.abs())))])
    });
    let note =
        |text: String| view! { <p class="span-note"><span class="is-warn" aria-hidden="true">"▲"</span>{text}</p> };
    view! {
        <ul class="facts">
            <li><b>{duration(Some(Nanos(span.duration)))}</b></li>
            <li title=date_time(span.start)>{tf(say::AFTER_START, &[("after", &duration_text(after))])}</li>
            <li class="mono">{id.clone()}<Copy text=id what=t(say::SPAN_ID) /></li>
        </ul>
        {orphan.then(|| note(t(say::PARENT_MISSING).to_owned()))}
        {skew.map(note)}
        {late.map(|by| note(tf(say::LATE, &[("by", &duration_text(Nanos(by)))])))}
    }
    .into_any()
}

fn actions(nav: Nav, service: &str, operation: &str) -> AnyView {
    let (page, of, operation) = (crate::pages::service_path(service), service.to_owned(), operation.to_owned());
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

fn logs(trace_id: &str, span: &Span) -> AnyView {
    let from = span.start_time_unix_nano.0.saturating_sub(AROUND);
    let to = span.start_time_unix_nano.0.saturating_add(span.duration_nanos.0).saturating_add(AROUND);
    let wanted = ask(
        paths::LOGS,
        &[
            ("from", from.to_string()),
            ("to", to.to_string()),
            ("trace_id", trace_id.to_owned()),
            ("span_id", span.span_id.clone()),
            ("limit", "50".to_owned()),
        ],
    );
    let list = load::<LogList>(move || Some(wanted.clone()));
    let count = move || list.data.with(|list| list.as_ref().map(|list| format!(" {}", list.logs.len())));
    let line = |record: &LogRecord| view! { <li class="span-log">{level(record)}<span class="hint mono">{time_millis(record.time_unix_nano.0)}</span><span class="span-log-body mono">{body(record)}</span></li> };
    let (nav, id) = (crate::nav::nav(), trace_id.to_owned());
    let millis = |nanos: i64| (nanos / 1_000_000).to_string();
    let (begin, end) = (millis(from), millis(to + 1_000_000));
    let body = move |list: Signal<Arc<LogList>>| {
        let (id, begin, end) = (id.clone(), begin.clone(), end.clone());
        let href = move || nav.href("/logs", &[("range", ""), ("from", &begin), ("to", &end), ("trace_id", &id)]);
        view! {
            <ul class="events">{move || list.with(|list| list.logs.iter().rev().map(line).collect_view())}</ul>
            <a href=href>{t(say::LOGS_OF_TRACE)}</a>
        }
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
