//! A trace, or a span that matched, in a table.

use crate::components::figure::{duration, figure};
use crate::figures::{ago, date_time, time_millis};
use crate::found::Row;
use crate::nav::nav;
use crate::query::plain;
use crate::scope::now_nanos;
use crate::words::{say, t, tf};
use leptos::prelude::*;
use orrery_api::{FieldValue, MatchedSpan, Spanset, TraceList, TraceSummary};
use orrery_chart::{Unit, grouped};
use std::sync::Arc;

/// A few traces, for other pages.
pub(crate) fn short_table(list: Signal<Arc<TraceList>>) -> AnyView {
    let longest = Memo::new(move |_| {
        list.with(|list| list.traces.iter().map(|trace| trace.duration_nanos.0).max().unwrap_or(1).max(1))
    });
    let rows =
        move || list.with(|list| list.traces.iter().map(|found| trace(found, &[], longest, None, None)).collect_view());
    view! {
        <div class="table-wrap">
            <table class="table">
                <thead><tr>
                    <th scope="col">{t(say::TIME)}</th><th scope="col">{t(say::TRACE)}</th><th scope="col">{t(say::DURATION)}</th>
                    <th scope="col" class="num col-mid">{t(say::SPANS)}</th><th scope="col" class="num">{t(say::ERRORS)}</th><th scope="col" class="col-wide">{t(say::SERVICES)}</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// A row of the list; `columns` are fields of spans.
pub(super) fn row(
    row: &Row,
    columns: &[String],
    longest: Memo<i64>,
    spans: Memo<bool>,
    picked: RwSignal<Vec<Arc<TraceSummary>>>,
) -> AnyView {
    let id = &row.trace().trace_id;
    match row {
        Row::Trace(found) => trace(found, columns, longest, Some(spans), Some(pick(found, picked))),
        Row::Set(..) => row.spanset().map_or_else(|| ().into_any(), |of| set(of, columns)),
        Row::Span(..) => row.span().map_or_else(|| ().into_any(), |of| span(id, of, columns, longest)),
        Row::More(_, count) => more(id, *count, columns),
    }
}

/// `spans`: whether matching spans have rows of their own; the trace's link then leads to the trace, not to one of them.
/// `pick` stands before the name.
fn trace(
    trace: &TraceSummary,
    columns: &[String],
    longest: Memo<i64>,
    spans: Option<Memo<bool>>,
    pick: Option<AnyView>,
) -> AnyView {
    let nav = nav();
    let (path, span) = (format!("/traces/{}", trace.trace_id), trace.matched_span_id.clone());
    let to_span = move || spans.is_some_and(|spans| !spans.get()) && nav.place().params.get("q").is_some();
    let href = move || if to_span() { nav.href(&path, &[("span", &span)]) } else { nav.href(&path, &[]) };
    let failing = trace.error_count > 0;
    let errors = failing.then(|| view! { <span class="is-err"><span aria-hidden="true">"◆ "</span>{figure(&Unit::Number, trace.error_count as f64)}</span> });
    let services = trace.services.iter().map(|spans| spans.service.name.clone()).collect::<Vec<_>>().join(", ");
    let rootless = (!trace.root_received).then(|| view! { <span class="badge badge-unknown">{t(say::NO_ROOT)}</span> });
    let start = trace.start_time_unix_nano.0;
    view! {
        <tr class="row-trace">
            <td class="nowrap" title=date_time(start)><span class="mono">{time_millis(start)}</span><span class="hint time-ago">" "{ago(start, now_nanos())}</span></td>
            <th scope="row" class="cell-name">{pick}<span class="name-line"><span class="hint">{trace.root_service.name.clone()}</span>" "<a href=href>{trace.root_name.clone()}</a></span>{rootless}</th>
            {bar(trace.duration_nanos.0, failing, longest)}
            <td class="num col-mid">{figure(&Unit::Number, trace.span_count as f64)}</td><td class="num">{errors}</td>
            {columns.iter().map(|_| view! { <td></td> }).collect_view()}
            <td class="col-wide hint clamp" title=services.clone()>{trace.services.len()}" · "{services.clone()}</td>
        </tr>
    }
    .into_any()
}

/// A box to choose the trace for a comparison; of more than two the first one is let go.
fn pick(trace: &Arc<TraceSummary>, picked: RwSignal<Vec<Arc<TraceSummary>>>) -> AnyView {
    let (id, own) = (trace.trace_id.clone(), Arc::clone(trace));
    let is_picked = move || picked.with(|picked| picked.iter().any(|trace| trace.trace_id == id));
    let change = move |_| {
        picked.update(|picked| {
            let before = picked.len();
            picked.retain(|trace| trace.trace_id != own.trace_id);
            if picked.len() == before {
                picked.truncate(2);
                if picked.len() == 2 {
                    picked.remove(0);
                }
                picked.push(Arc::clone(&own));
            }
        });
    };
    let time = time_millis(trace.start_time_unix_nano.0);
    let label = tf(say::COMPARE_PICK, &[("name", &trace.root_name), ("time", &time)]);
    view! { <input type="checkbox" class="pick" aria-label=label.clone() title=label prop:checked=is_picked on:change=change /> }
        .into_any()
}

fn bar(nanos: i64, failing: bool, longest: Memo<i64>) -> AnyView {
    let width = move || format!("width:{:.2}%", (nanos as f64 / longest.get() as f64 * 100.0).clamp(0.5, 100.0));
    let class = if failing { "mini-bar is-err-bar" } else { "mini-bar" };
    view! { <td class="cell-bar"><span class="bar-track"><span class=class style=width></span></span><span class="bar-value">{duration(Some(orrery_api::Nanos(nanos)))}</span></td> }
        .into_any()
}

fn span(trace: &str, span: &MatchedSpan, columns: &[String], longest: Memo<i64>) -> AnyView {
    let nav = nav();
    let (path, id) = (format!("/traces/{trace}"), span.span_id.clone());
    let href = move || nav.href(&path, &[("span", &id)]);
    let failed = (span.status_code == "error").then(|| view! { <span class="is-err" title=t(say::ERROR)><span aria-hidden="true">"◆"</span><span class="sr-only">{t(say::ERROR)}</span></span> });
    let cell = |column: &String| {
        let values: Vec<String> =
            span.selected.iter().filter(|field| field.name == *column).map(|field| plain(&field.value)).collect();
        let text = values.join(", ");
        view! { <td class="col-field mono clamp" title=text.clone()>{text.clone()}</td> }
    };
    view! {
        <tr class="row-span">
            <td class="nowrap hint mono" title=date_time(span.start_time_unix_nano.0)>{time_millis(span.start_time_unix_nano.0)}</td>
            <th scope="row" class="cell-span"><span class="name-line"><span class="hint">{span.service.name.clone()}</span>" "<a href=href>{span.name.clone()}</a></span></th>
            {bar(span.duration_nanos.0, span.status_code == "error", longest)}
            <td class="num col-mid hint">{span.kind.clone()}</td><td class="num">{failed}</td>
            {columns.iter().map(cell).collect_view()}
            <td class="col-wide"></td>
        </tr>
    }
    .into_any()
}

fn set(set: &Spanset, columns: &[String]) -> AnyView {
    let value = |field: &FieldValue| view! { <span class="badge mono">{field.name.clone()}" = "{plain(&field.value)}</span>" " };
    let wide = (5 + columns.len()).to_string();
    view! { <tr class="row-span"><td></td><td colspan=wide class="cell-span">{set.values.iter().map(value).collect_view()}<span class="hint">{tf(say::N_SPANS, &[("n", &grouped(set.span_count as usize))])}</span></td></tr> }
        .into_any()
}

fn more(trace: &str, count: u64, columns: &[String]) -> AnyView {
    let nav = nav();
    let path = format!("/traces/{trace}");
    let wide = (5 + columns.len()).to_string();
    let text = tf(say::MORE_SPANS, &[("n", &grouped(count as usize))]);
    view! { <tr class="row-span"><td></td><td colspan=wide class="cell-span"><a class="hint" href=move || nav.href(&path, &[])>{text}</a></td></tr> }
        .into_any()
}
