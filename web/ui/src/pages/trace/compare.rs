//! The trace beside another: one tree of both, two bars for every row.

use crate::client::{ask, load};
use crate::components::figure::{duration, duration_text};
use crate::components::icon::icon;
use crate::components::popover::Popover;
use crate::components::state::{chips, empty, loaded};
use crate::figures::date_time;
use crate::filters::trace_id;
use crate::nav::{Nav, nav};
use crate::words::{Phrase, say, t, tf};
use leptos::html;
use leptos::prelude::*;
use orrery_api::{ComparedTrace, Nanos, RowChange, SpanSums, TraceDiff, TraceDiffRow, paths};
use orrery_chart::grouped;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Rows shown at first, and with every further wish.
const PAGE: usize = 400;
/// Parameter of the address: what the trace is compared with.
pub(super) const WITH: &str = "with";
/// Its value for one that the server chooses.
const TYPICAL: &str = "typical";

/// The whole page of a comparison.
pub(super) fn page(id: String, with: String) -> AnyView {
    let url = paths::TRACE_DIFF.replace("{trace_id}", &id);
    let wanted = ask(&url, &[(WITH, with)]);
    let diff = load::<TraceDiff>(move || Some(wanted.clone()));
    let nav = nav();
    let end = move |_| nav.set(&[(WITH, None), ("only", None)]);
    view! {
        <div class="actions compare-actions">
            <button type="button" class="button" on:click=end>{icon("chevron-left")}{t(say::COMPARE_END)}</button>
            {chips(diff)}
        </div>
        {loaded(diff, |_: &TraceDiff| false, |_| ().into_any(), body)}
    }
    .into_any()
}

fn body(diff: Signal<Arc<TraceDiff>>) -> AnyView {
    let nav = nav();
    let only = nav.param("only");
    let only = Memo::new(move |_| only.get().as_deref() == Some("changes"));
    let closed = RwSignal::new(BTreeSet::<usize>::new());
    let most = RwSignal::new(PAGE);
    let changes = move || diff.with(|diff| diff.rows.iter().filter(|row| row.change != RowChange::Same).count());
    let shown = Memo::new(move |_| diff.with(|diff| closed.with(|closed| diff.shown(closed, only.get()))));
    let toggle = move |_| nav.replace(&[("only", (!only.get_untracked()).then(|| "changes".to_owned()))]);
    let heads = move || diff.with(|diff| head(nav, diff));
    let longest = Memo::new(move |_| {
        let total = |sums: &Option<SpanSums>| sums.map_or(0, |sums| sums.total_nanos.0);
        diff.with(|diff| diff.rows.iter().map(|row| total(&row.before).max(total(&row.now))).max().unwrap_or(1).max(1))
    });
    let rows = move || {
        let most = most.get();
        diff.with(|diff| {
            shown.with(|shown| {
                let place = |at: &usize| Place { at: *at, has_children: has_children(&diff.rows, *at), closed };
                shown.iter().take(most).map(|at| row(&diff.rows[*at], &place(at), longest.get())).collect_view()
            })
        })
    };
    let more = move || {
        let left = shown.with(Vec::len).saturating_sub(most.get());
        (left > 0).then(|| view! { <button type="button" class="button" on:click=move |_| most.update(|most| *most += PAGE)>{tf(say::MORE_ROWS, &[("n", &grouped(left.min(PAGE)))])}</button> })
    };
    let none = move || (only.get() && shown.with(Vec::is_empty)).then(|| empty(t(say::TRACES_ALIKE), None));
    view! {
        {heads}
        <section class="panel panel-fill" aria-label=t(say::COMPARE)>
            <header class="panel-head">
                <h2>{t(say::SPANS)}</h2>
                <span class="hint" role="status">{move || tf(say::ROWS_CHANGED, &[("n", &grouped(changes()))])}</span>
                <span class="grow"></span>
                <ul class="legend two-legend"><li><span class="swatch two-before"></span>{t(say::OTHER_TRACE)}</li><li><span class="swatch two-now"></span>{t(say::THIS_TRACE)}</li></ul>
                <button type="button" class="button button-quiet" aria-pressed=move || only.get().to_string() on:click=toggle>{t(say::ONLY_CHANGES)}</button>
            </header>
            <div class="lines" tabindex="0" role="group" aria-label=t(say::SPANS)>
                <table class="table table-two">
                    <thead><tr>
                        <th scope="col">{t(say::OPERATION)}</th>
                        <th scope="col" class="col-bars">{t(say::DURATION)}</th>
                        <th scope="col" class="num">{t(say::CHANGE)}</th>
                        <th scope="col" class="num col-mid">{t(say::CALLS_THEN_NOW)}</th>
                        <th scope="col" class="num col-mid">{t(say::ERRORS)}</th>
                    </tr></thead>
                    <tbody>{rows}</tbody>
                </table>
                {none}{more}
            </div>
        </section>
    }
    .into_any()
}

/// Both traces, and the way round.
fn head(nav: Nav, diff: &TraceDiff) -> AnyView {
    let (now, before) = (diff.now.trace_id.clone(), diff.before.trace_id.clone());
    let swapped = format!("/traces/{before}");
    view! {
        <div class="two-heads">
            {card(nav, say::OTHER_TRACE, "two-before", &diff.before)}
            <a class="icon-button" href=move || nav.href(&swapped, &[(WITH, &now)]) title=t(say::COMPARE_SWAP) aria-label=t(say::COMPARE_SWAP)>{icon("arrow-left-right")}</a>
            {card(nav, say::THIS_TRACE, "two-now", &diff.now)}
        </div>
    }
    .into_any()
}

fn card(nav: Nav, title: Phrase, class: &'static str, trace: &ComparedTrace) -> AnyView {
    let path = format!("/traces/{}", trace.trace_id);
    let errors = (trace.error_count > 0).then(|| view! { <li class="is-err"><span aria-hidden="true">"◆ "</span>{tf(say::N_ERRORS, &[("n", &grouped(trace.error_count as usize))])}</li> });
    view! {
        <section class="two-card" aria-label=t(title)>
            <p class="hint"><span class=format!("swatch {class}")></span>" "{t(title)}</p>
            <p class="two-name"><span class="hint">{trace.root_service.name.clone()}</span>" "<a href=move || nav.href(&path, &[])>{trace.root_name.clone()}</a></p>
            <ul class="facts"><li><b>{duration(Some(trace.duration_nanos))}</b></li><li>{grouped(trace.span_count as usize)}" "{t(say::SPANS)}</li>{errors}<li class="mono">{date_time(trace.start_time_unix_nano.0)}</li></ul>
        </section>
    }
    .into_any()
}

/// A row's place in the tree.
struct Place {
    at: usize,
    has_children: bool,
    closed: RwSignal<BTreeSet<usize>>,
}

fn has_children(rows: &[TraceDiffRow], at: usize) -> bool {
    rows.get(at + 1).is_some_and(|next| next.depth > rows[at].depth)
}

fn row(row: &TraceDiffRow, place: &Place, longest: i64) -> AnyView {
    let &Place { at, has_children, closed } = place;
    let indent = format!("padding-left:{}px", 8 + row.depth.min(24) * 14);
    let is_open = move || !closed.with(|closed| closed.contains(&at));
    let toggle = move |_| {
        closed.update(|closed| {
            if !closed.remove(&at) {
                closed.insert(at);
            }
        })
    };
    let label = format!("{} {}", row.service.name, row.name);
    let chevron = if has_children {
        view! { <button type="button" class="twist" aria-expanded=move || is_open().to_string() aria-label=label on:click=toggle>{icon("chevron-right")}</button> }.into_any()
    } else {
        view! { <span class="twist"></span> }.into_any()
    };
    let bar = |class: &'static str, sums: Option<SpanSums>| {
        let nanos = sums.map(|sums| sums.total_nanos);
        let width = nanos.map_or(0.0, |nanos| (nanos.0 as f64 / longest as f64 * 100.0).max(0.4));
        view! { <span class="two-bar"><span class="bar-track"><span class=class style=format!("width:{width:.2}%")></span></span><span class="bar-value">{duration(nanos)}</span></span> }
    };
    let numbers = |of: fn(&SpanSums) -> u64| {
        let number = |sums: &Option<SpanSums>| sums.as_ref().map_or(0, of);
        let (before, now) = (number(&row.before), number(&row.now));
        match before == now {
            true => grouped(now as usize),
            false => format!("{} → {}", grouped(before as usize), grouped(now as usize)),
        }
    };
    let errors = numbers(|sums| sums.errors);
    let errors = if errors == "0" { String::new() } else { errors };
    let failed = row.now.is_some_and(|sums| sums.errors > 0);
    let class = if row.change == RowChange::Same { "row-same" } else { "row-changed" };
    view! {
        <tr class=class>
            <th scope="row" style=indent><span class="two-op">{chevron}<span class="name-line"><span class="hint">{row.service.name.clone()}</span>" "{row.name.clone()}</span></span></th>
            <td class="col-bars">{bar("two-before", row.before)}{bar("two-now", row.now)}</td>
            <td class="num">{change(row)}</td>
            <td class="num col-mid">{numbers(|sums| sums.count)}</td>
            <td class="num col-mid" class:is-err-text=failed>{errors}</td>
        </tr>
    }
    .into_any()
}

fn change(row: &TraceDiffRow) -> AnyView {
    let (class, words) = match row.change {
        RowChange::New => ("badge badge-accent", say::ROW_NEW),
        RowChange::Gone => ("badge badge-unknown", say::ROW_GONE),
        RowChange::MoreErrors => ("badge badge-err", say::ROW_MORE_ERRORS),
        RowChange::FewerErrors => ("badge badge-ok", say::ROW_FEWER_ERRORS),
        RowChange::Slower => ("badge badge-warn", say::ROW_SLOWER),
        RowChange::Faster => ("badge badge-ok", say::ROW_FASTER),
        RowChange::Same => return delta(row).map(|by| view! { <span class="hint">{by}</span> }).into_any(),
    };
    view! { <span class=class>{t(words)}</span>{delta(row).map(|by| view! { " "<span>{by}</span> })} }.into_any()
}

fn delta(row: &TraceDiffRow) -> Option<String> {
    let by = row.now?.total_nanos.0 - row.before?.total_nanos.0;
    let sign = if by < 0 { "−" } else { "+" };
    (by != 0).then(|| format!("{sign}{}", duration_text(Nanos(by.abs()))))
}

/// The way to a comparison: a typical trace, or one by its id.
pub(super) fn chooser(nav: Nav) -> AnyView {
    let open = RwSignal::new(false);
    let button = view! { {icon("diff")}{t(say::COMPARE)} }.into_any();
    let body = move || {
        let input = NodeRef::<html::Input>::new();
        let wrong = RwSignal::new(false);
        let with = move |id: String| {
            open.set(false);
            nav.set(&[(WITH, Some(id)), ("span", None), ("view", None)]);
        };
        let by_id = move |event: web_sys::SubmitEvent| {
            event.prevent_default();
            let typed = input.get_untracked().map(|input| input.value()).unwrap_or_default();
            match trace_id(&typed) {
                Some(id) => with(id),
                None => wrong.set(true),
            }
        };
        view! {
            <div class="compare-chooser">
                <button type="button" class="button" title=t(say::COMPARE_TYPICAL_HINT) on:click=move |_| with(TYPICAL.to_owned())>{icon("timer")}{t(say::COMPARE_TYPICAL)}</button>
                <p class="hint">{t(say::COMPARE_TYPICAL_HINT)}</p>
                <form on:submit=by_id>
                    <label class="hint" for="compare-id">{t(say::COMPARE_BY_ID)}</label>
                    <div class="compare-id"><input class="input mono" id="compare-id" node_ref=input autocomplete="off" spellcheck="false" placeholder="4bf92f3577b34da6a3ce929d0e0e4736" aria-invalid=move || wrong.get().then_some("true") on:input=move |_| wrong.set(false) />
                    <button type="submit" class="button">{t(say::COMPARE)}</button></div>
                    {move || wrong.get().then(|| view! { <p class="is-err-text" role="alert">{t(say::NO_TRACE_ID)}</p> })}
                </form>
            </div>
        }
        .into_any()
    };
    view! { <Popover open=open label=t(say::COMPARE_TRACE).to_owned() class="button button-quiet" end=true button=button>{body()}</Popover> }.into_any()
}
