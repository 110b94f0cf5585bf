//! The flame graph as a table: paths below each other, for keys and screen readers, and for numbers.

use super::{Model, title};
use crate::components::figure::figure;
use crate::components::icon::icon;
use crate::flame::{Each, Merged};
use crate::words::{say, t, tf};
use leptos::prelude::*;
use orrery_chart::Unit;

/// Paths listed, at most.
const LISTED: usize = 500;
/// Pixels a path is moved in for each step, as far as there is room.
const STEP: u32 = 14;
const STEPS: u32 = 16;

pub(super) fn table(model: Model) -> AnyView {
    let rows = move || {
        let focus = model.focus.get();
        model.merged.with(|merged| {
            let wanted = |at: &u32| {
                let inside = focus.is_none_or(|focus| merged.blocks.above(*at).any(|at| at == focus));
                inside && model.found.with(|found| found.as_ref().is_none_or(|found| found[*at as usize]))
            };
            let first = focus.map_or(0, |focus| merged.blocks.depth(focus));
            let all: Vec<u32> = (0..merged.len() as u32).filter(wanted).collect();
            let more = all.len().saturating_sub(LISTED);
            let rows = all.into_iter().take(LISTED).map(|at| row(model, merged, at, first)).collect_view();
            let columns = if merged.compares() { "8" } else { "6" };
            let more = (more > 0).then(|| view! { <tr><td colspan=columns class="hint">{tf(say::MORE_PATHS, &[("n", &more.to_string())])}</td></tr> });
            view! { {rows}{more} }.into_any()
        })
    };
    let compares = move || model.merged.with(|merged| merged.compares());
    let heads = move || {
        compares().then(|| view! { <th scope="col" class="num">{t(say::BEFORE)}</th><th scope="col" class="num">{t(say::CHANGE)}</th> })
    };
    view! {
        <div class="lines" tabindex="0" role="group" aria-label=t(say::WHERE_TIME_GOES)>
            <table class="table table-flame">
                <thead><tr>
                    <th scope="col">{t(say::FLAME_PATH)}</th>
                    <th scope="col" class="num">{t(say::PER_TRACE)}</th>
                    <th scope="col" class="num">{t(say::SHARE)}</th>
                    {heads}
                    <th scope="col" class="num col-wide">{t(say::SELF_TIME)}</th>
                    <th scope="col" class="num col-wide">{t(say::SPANS_PER_TRACE)}</th>
                    <th scope="col" class="num col-wide">{t(say::ERRORS)}</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn row(model: Model, merged: &Merged, at: u32, first: u32) -> AnyView {
    let Each { count, own, total, share } = merged.now(at);
    let indent = format!("padding-inline-start:{}px", 12 + STEP * (merged.blocks.depth(at) - first).min(STEPS));
    let swatch = format!("background:{}", merged.ink(at).token.css_var());
    let kind = merged.service(at).map(|(_, kind)| kind.to_owned());
    let before = merged.before(at).map(|before| {
        let class = match merged.change(at) {
            Some(change) if change > 0.0 && merged.changed(at).is_some() => "num is-warn",
            _ => "num",
        };
        let change = merged.changed(at).unwrap_or_else(|| "=".to_owned());
        view! { <td class="num">{figure(&Unit::Nanos, before.total)}</td><td class=class>{change}</td> }
    });
    let name = title(merged, at);
    let traces = merged.name(at).is_ok().then(|| {
        let label = format!("{}: {name}", t(say::TRACES_THROUGH));
        view! { <button type="button" class="icon-button icon-button-small" title=label.clone() aria-label=label on:click=move |_| model.traces(at)>{icon("chart-gantt")}</button> }
    });
    view! {
        <tr>
            <th scope="row" style=indent><span class="flame-cell"><span class="swatch" style=swatch></span><button type="button" class="link clamp" on:click=move |_| model.look(Some(at))>{name}</button><span class="hint">{kind}</span>{traces}</span></th>
            <td class="num">{figure(&Unit::Nanos, total)}</td>
            <td class="num">{figure(&Unit::Ratio, share)}</td>
            {before}
            <td class="num col-wide">{figure(&Unit::Nanos, own)}</td>
            <td class="num col-wide">{figure(&Unit::Number, count)}</td>
            <td class="num col-wide">{figure(&Unit::Ratio, merged.errors(at))}</td>
        </tr>
    }
    .into_any()
}
