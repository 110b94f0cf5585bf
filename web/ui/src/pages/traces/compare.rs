//! How fields differ between the spans that `compare()` selects and the others.

use crate::components::query::Query;
use crate::query::{literal, plain};
use crate::words::{say, t, tf};
use leptos::prelude::*;
use orrery_api::{ComparedField, ComparedValue, Sides, TraceSeriesList};
use orrery_chart::{Unit, grouped};
use std::sync::Arc;

/// Fields shown, and values of each, at most.
const FIELDS: usize = 30;
const VALUES: usize = 5;

pub(super) fn compared(list: Signal<Arc<TraceSeriesList>>, query: Query) -> AnyView {
    let body = move || {
        list.with(|list| {
            let comparison = list.comparison.as_ref()?;
            let sides = comparison.spans;
            let fields = comparison.fields.iter().filter(|field| field.difference > 0.0).take(FIELDS);
            let (selected, others) = (grouped(sides.selection.round() as usize), grouped(sides.baseline.round() as usize));
            Some(view! {
                <ul class="legend compare-legend">
                    <li><span class="swatch compare-selection"></span>{tf(say::SELECTED_SPANS, &[("n", &selected)])}</li>
                    <li><span class="swatch compare-baseline"></span>{tf(say::OTHER_SPANS, &[("n", &others)])}</li>
                </ul>
                <div class="compare">{fields.map(|field| card(field, sides, query)).collect_view()}</div>
            })
        })
    };
    view! { <div class="panel-body compare-body">{body}</div> }.into_any()
}

fn card(field: &ComparedField, all: Sides, query: Query) -> AnyView {
    let rows = field.values.iter().take(VALUES).map(|value| bars(&field.field, value, all, query)).collect_view();
    view! {
        <section class="compare-field">
            <h3 class="mono clamp" title=field.field.clone()>{field.field.clone()}</h3>
            <span class="hint">{tf(say::DIFFERS_BY, &[("share", &Unit::Ratio.format(field.difference).to_string())])}</span>
            <ul>{rows}</ul>
        </section>
    }
    .into_any()
}

fn bars(field: &str, value: &ComparedValue, all: Sides, query: Query) -> AnyView {
    let share = |part: f64, of: f64| if of > 0.0 { part / of } else { 0.0 };
    let (selection, baseline) =
        (share(value.spans.selection, all.selection), share(value.spans.baseline, all.baseline));
    let text = plain(&value.value);
    let filter = literal(field, &value.value).map(|literal| format!("{{ {field} = {literal} }}"));
    let bar = |class: &'static str, share: f64| view! { <span class=class style=format!("width:{:.1}%", share * 100.0)></span> };
    let cannot = filter.is_none();
    let label = format!("{}: {}", t(say::FILTER), filter.clone().unwrap_or_else(|| text.clone()));
    let click = move |_| {
        if let Some(filter) = &filter {
            query.ask(filter);
        }
    };
    view! {
        <li>
            <button type="button" class="compare-value" title=label disabled=cannot on:click=click>
                <span class="mono clamp">{text}</span>
                <span class="compare-bars">{bar("compare-bar compare-selection", selection)}{bar("compare-bar compare-baseline", baseline)}</span>
                <span class="compare-share">{Unit::Ratio.format(selection).to_string()}<span class="hint">{Unit::Ratio.format(baseline).to_string()}</span></span>
            </button>
        </li>
    }
    .into_any()
}
