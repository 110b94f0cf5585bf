//! Who links to the trace: for the page and for the span that is linked to.

use super::Model;
use crate::client::{Load, ask, load};
use crate::components::icon::icon;
use crate::components::state::chips;
use crate::figures::date_time;
use crate::words::{say, t, tf};
use leptos::prelude::*;
use orrery_api::{LinkingSpan, TraceLinks, paths};

/// Named on the page.
const NAMED: usize = 4;

/// Asks; nothing where the trace is from a file.
pub(super) fn load_of(id: Option<&str>) -> Load<TraceLinks> {
    let wanted = id.map(|id| ask(&paths::TRACE_LINKS.replace("{trace_id}", id), &[]));
    load::<TraceLinks>(move || wanted.clone())
}

/// A strip of those that other traces have; nothing without any.
pub(super) fn strip(model: Model) -> AnyView {
    let id = model.facts.with_value(|facts| facts.id.clone());
    let others = Memo::new(move |_| {
        model.links.data.with(|links| {
            let links = links.iter().flat_map(|links| &links.links);
            links.filter(|link| link.trace_id != id).cloned().collect::<Vec<LinkingSpan>>()
        })
    });
    let shown = move || {
        others.with(|others| {
            let more = others.len().saturating_sub(NAMED);
            let more = (more > 0).then(|| view! { <li class="hint">{tf(say::LINKED_MORE, &[("n", &more.to_string())])}</li> });
            let items = others.iter().take(NAMED).map(|link| view! { <li>{item(model, link)}</li> }).collect_view();
            (!others.is_empty()).then(|| view! {
                <div class="linked"><span class="linked-title hint">{icon("link-2")}{t(say::LINKED_FROM)}</span><ul class="linked-list" aria-label=t(say::LINKED_FROM)>{items}{more}</ul>{chips(model.links)}</div>
            })
        })
    };
    view! { {shown} }.into_any()
}

/// Those to one span, for its drawer; nothing without any.
pub(super) fn to_span(model: Model, span: u64) -> AnyView {
    let id = format!("{span:016x}");
    let shown = move || {
        model.links.data.with(|links| {
            let links = links.iter().flat_map(|links| &links.links);
            let links: Vec<_> = links.filter(|link| link.to_span_ids.contains(&id)).collect();
            let title = format!("{} {}", t(say::LINKED_FROM), links.len());
            let items = links.iter().map(|link| view! { <li class="event">{item(model, link)}<p class="hint">{date_time(link.start_time_unix_nano.0)}</p></li> }).collect_view();
            (!links.is_empty()).then(|| view! {
                <details class="section" open=true><summary>{icon("chevron-right")}<h3>{title}</h3></summary><ul class="events">{items}</ul></details>
            })
        })
    };
    view! { {shown} }.into_any()
}

fn item(model: Model, link: &LinkingSpan) -> AnyView {
    let (path, span, nav) = (format!("/traces/{}", link.trace_id), link.span_id.clone(), model.nav);
    let failed = (link.status_code == "error").then(|| view! { <span class="is-err" title=t(say::ERROR)><span aria-hidden="true">"◆ "</span><span class="sr-only">{t(say::ERROR)}</span></span> });
    view! { {failed}<span class="hint">{link.service.name.clone()}</span>" "<a href=move || nav.href(&path, &[("span", &span)])>{link.name.clone()}</a> }.into_any()
}
