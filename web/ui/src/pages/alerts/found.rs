//! What is wrong where an alert's trouble begins, as the overview says it.

use crate::findings;
use crate::nav::nav;
use crate::pages::service_name;
use leptos::prelude::*;
use orrery_api::Finding;

/// Each a link to its place on the map.
pub(super) fn found(all: &[Finding]) -> AnyView {
    let nav = nav();
    let line = |found: &Finding| {
        let (symbol, class) = findings::glyph(found.kind);
        let (place, why) = (findings::selection(found).address(), findings::reason(found));
        let size = format!("{} · {}", findings::measure(found), findings::when(found));
        let title = findings::title(found, &|id| service_name(id));
        view! {
            <li class="begins"><span class=class aria-hidden="true">{symbol}</span><span><a href=move || nav.href("/", &[("sel", &place)])>{title}</a>
                <span class="hint">{size}</span>{why.map(|why| view! { <span class="hint begins-why">{why}</span> })}</span></li>
        }
    };
    view! { <ul class="evidence-list">{all.iter().map(line).collect_view()}</ul> }.into_any()
}
