//! Rows as a grid that draws only what is in view.

use crate::canvas::watch_size;
use crate::components::table::Sort;
use crate::nav::Nav;
use crate::query::plain;
use crate::sql::{compare, is_number, width};
use crate::words::{say, t};
use leptos::html;
use leptos::prelude::*;
use orrery_api::{SqlAnswer, SqlColumn};
use serde_json::Value;
use std::sync::Arc;
use wasm_bindgen::JsCast;

/// Height of a row, CSS pixels.
const ROW: f64 = 28.0;
/// Rows drawn above and below what is visible.
const MARGIN: usize = 10;
/// Width of a character of the font, and of what stands beside the text.
const CHARACTER: f64 = 7.3;
const PADDING: f64 = 26.0;
/// Characters of a cell; the rest is in its title.
const SHOWN: usize = 200;

pub(super) fn grid(nav: Nav, data: Signal<Arc<SqlAnswer>>) -> AnyView {
    let asked = nav.param("sort");
    // Column by number, `-2` the third one, largest first.
    let sort = Memo::new(move |_| {
        let asked = asked.get()?;
        let (down, number) = asked.strip_prefix('-').map_or((false, asked.as_str()), |number| (true, number));
        let column: usize = number.parse().ok()?;
        data.with(|answer| column < answer.columns.len()).then_some((column, down))
    });
    let order = Memo::new(move |_| {
        data.with(|answer| {
            let mut order: Vec<usize> = (0..answer.rows.len()).collect();
            if let Some((column, down)) = sort.get() {
                let turn = Sort { column: "", down };
                let kind = &answer.columns[column];
                order.sort_by(|a, b| turn.apply(compare(kind, &answer.rows[*a][column], &answer.rows[*b][column])));
            }
            order
        })
    });
    let scroller = NodeRef::<html::Div>::new();
    let size = watch_size(scroller);
    let top = RwSignal::new(0.0);
    let scrolled = move |event: web_sys::Event| {
        if let Some(element) = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok()) {
            top.set(f64::from(element.scroll_top()));
        }
    };
    let window = Memo::new(move |_| {
        let count = order.with(Vec::len);
        let first = ((top.get() / ROW) as usize).saturating_sub(MARGIN).min(count);
        let visible = (size.get().1.max(ROW) / ROW) as usize + 2 * MARGIN;
        (first, (first + visible).min(count), count)
    });
    let widths = Memo::new(move |_| {
        data.with(|answer| {
            (0..answer.columns.len())
                .map(|at| (width(answer, at) as f64 * CHARACTER + PADDING).round())
                .collect::<Vec<f64>>()
        })
    });
    let style = move || format!("width:max(100%, {}px)", widths.with(|widths| widths.iter().sum::<f64>()));
    let columns =
        move || widths.get().into_iter().map(|width| view! { <col style=format!("width:{width}px") /> }).collect_view();
    let heads = move || {
        let names = data.with(|answer| answer.columns.clone());
        names.into_iter().enumerate().map(|(at, column)| head(nav, at, &column, sort)).collect_view()
    };
    let rows = move || {
        let (first, last, count) = window.get();
        let answer = data.get();
        let shown = order.with(|order| order[first..last].to_vec());
        // More columns than there are would take the width of those that are.
        let span = answer.columns.len().to_string();
        let gap = |rows: usize| {
            let span = span.clone();
            (rows > 0).then(|| view! { <tr class="gap" aria-hidden="true"><td colspan=span style=format!("height:{}px", rows as f64 * ROW)></td></tr> })
        };
        view! {
            {gap(first)}
            {shown.into_iter().enumerate().map(|(at, row)| line(nav, &answer, row, first + at)).collect_view()}
            {gap(count - last)}
        }
    };
    view! {
        <div class="table-wrap sql-grid" node_ref=scroller tabindex="0" role="group" aria-label=t(say::RESULT) on:scroll=scrolled>
            <table class="table table-sql" style=style aria-rowcount=move || (order.with(Vec::len) + 1).to_string()>
                <colgroup>{columns}</colgroup>
                <thead><tr aria-rowindex="1">{heads}</tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn head(nav: Nav, at: usize, column: &SqlColumn, sort: Memo<Option<(usize, bool)>>) -> AnyView {
    let class = if is_number(column) { "num" } else { "" };
    let click = move |_| {
        let next = match sort.get_untracked() {
            Some((now, false)) if now == at => Some(format!("-{at}")),
            Some((now, true)) if now == at => None,
            _ => Some(at.to_string()),
        };
        nav.replace(&[("sort", next)]);
    };
    let state = move || match sort.get() {
        Some((now, true)) if now == at => "descending",
        Some((now, false)) if now == at => "ascending",
        _ => "none",
    };
    let mark = move || match state() {
        "descending" => "↓",
        "ascending" => "↑",
        _ => "",
    };
    view! {
        <th scope="col" class=class aria-sort=state title=column.kind.clone()>
            <button type="button" class="sort mono" on:click=click>{column.name.clone()}<span class="sort-mark" aria-hidden="true">{mark}</span></button>
        </th>
    }
    .into_any()
}

fn line(nav: Nav, answer: &SqlAnswer, row: usize, at: usize) -> AnyView {
    let cell = |(column, value): (&SqlColumn, &Value)| {
        let class = if is_number(column) { "num mono" } else { "mono" };
        if value.is_null() {
            return view! { <td class=class><span class="hint">"null"</span></td> }.into_any();
        }
        let text = plain(value);
        let shown: String = text.chars().take(SHOWN).collect();
        if column.name == "trace_id" && text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let href = nav.href_now(&format!("/traces/{text}"), &[]);
            return view! { <td class=class><a href=href>{shown}</a></td> }.into_any();
        }
        view! { <td class=class title=text>{shown}</td> }.into_any()
    };
    let cells = answer.columns.iter().zip(&answer.rows[row]).map(cell).collect_view();
    view! { <tr aria-rowindex=(at + 2).to_string()>{cells}</tr> }.into_any()
}
