//! All spans, or those a search finds, as a table of which only what is visible is in the page.

use super::Model;
use crate::canvas::watch_size;
use crate::components::figure::{duration, duration_text};
use crate::components::table::{Sort, head};
use crate::words::{say, t};
use leptos::html;
use leptos::prelude::*;
use orrery_api::Nanos;
use orrery_chart::waterfall::flame::self_nanos;
use std::sync::Arc;

/// Height of a row, and rows beyond the visible ones, above and below.
const ROW: f64 = 26.0;
const MARGIN: usize = 10;
/// More rows than this are higher than an element can be; a search or another order brings up the others.
const MOST: usize = 1_000_000;
const COLUMNS: [&str; 4] = ["start", "duration", "service", "name"];

pub(super) fn table(model: Model) -> AnyView {
    let root = NodeRef::<html::Div>::new();
    let (top, size) = (RwSignal::new(0.0), watch_size(root));
    let asked = model.nav.param("sort");
    let sort = Memo::new(move |_| Sort::of(asked.get().as_deref(), &COLUMNS, Sort { column: "duration", down: true }));
    let order = Memo::new(move |_| Arc::new(order(model, sort.get())));
    let first = Memo::new(move |_| ((top.get() / ROW) as usize).saturating_sub(MARGIN));
    let last = Memo::new(move |_| ((top.get() + size.get().1) / ROW) as usize + MARGIN);
    let rows = move || {
        let order = order.get();
        let last = last.get().min(order.len());
        let selected = model.selected.get();
        order[first.get().min(last)..last].iter().map(|span| row(model, *span, selected == Some(*span))).collect_view()
    };
    let above = move || format!("height:{}px", first.get().min(order.get().len()) as f64 * ROW);
    let below = move || format!("height:{}px", order.get().len().saturating_sub(last.get()) as f64 * ROW);
    let scrolled = move |_| {
        if let Some(node) = root.get_untracked() {
            top.set(f64::from(node.scroll_top()));
        }
    };
    view! {
        <div class="lines" node_ref=root on:scroll=scrolled tabindex="0" role="group" aria-label=t(say::SPANS)>
            <table class="table table-spans" aria-rowcount=move || order.get().len().to_string()>
                <thead><tr>
                    {head(say::SERVICE, "service", "", sort)}
                    {head(say::OPERATION, "name", "", sort)}
                    {head(say::START, "start", "num", sort)}
                    {head(say::DURATION, "duration", "num", sort)}
                    <th scope="col" class="num col-wide">{t(say::SELF_TIME)}</th>
                    <th scope="col" class="col-glyph">{t(say::STATUS)}</th>
                </tr></thead>
                <tbody><tr aria-hidden="true" class="gap" style=above></tr>{rows}<tr aria-hidden="true" class="gap" style=below></tr></tbody>
            </table>
        </div>
    }
    .into_any()
}

fn order(model: Model, sort: Sort) -> Vec<u32> {
    let found = model.found.get();
    model.waterfall.with_untracked(|waterfall| {
        let wanted = |span: &u32| found.as_ref().is_none_or(|found| found.has(waterfall, *span));
        // By start, as they came.
        let mut order: Vec<u32> = (0..waterfall.len() as u32).filter(wanted).collect();
        match sort.column {
            "duration" => order.sort_by_key(|span| waterfall.span(*span).duration),
            "service" => order.sort_by_key(|span| waterfall.service(*span)),
            "name" => order.sort_by_key(|span| waterfall.name(*span)),
            _ => {}
        }
        if sort.down {
            order.reverse();
        }
        order.truncate(MOST);
        order
    })
}

fn row(model: Model, at: u32, selected: bool) -> AnyView {
    let (span, first, own, service, name) = model.waterfall.with_untracked(|waterfall| {
        let (service, name) = (waterfall.service(at).to_owned(), waterfall.name(at).to_owned());
        (*waterfall.span(at), waterfall.range().0, self_nanos(waterfall, at), service, name)
    });
    let failed = span.error.then(|| view! { <span class="is-err" title=t(say::ERROR)><span aria-hidden="true">"◆"</span><span class="sr-only">{t(say::ERROR)}</span></span> });
    view! {
        <tr aria-selected=selected.then_some("true")>
            <td><span class="swatch" style=model.swatch(span.service)></span>" "{service}</td>
            <th scope="row"><button type="button" class="link" on:click=move |_| model.select(Some(at))>{name}</button></th>
            <td class="num">{duration_text(Nanos(span.start - first))}</td>
            <td class="num">{duration(Some(Nanos(span.duration)))}</td>
            <td class="num col-wide">{duration(Some(Nanos(own)))}</td>
            <td class="col-glyph">{failed}</td>
        </tr>
    }
    .into_any()
}
