//! The visible rows of the waterfall for those who do not see it.

use super::Model;
use crate::components::figure::duration_text;
use crate::figures::grouped;
use crate::words::{say, t};
use leptos::prelude::*;
use orrery_api::Nanos;
use orrery_chart::waterfall::{LogLevel, Row, Waterfall};
use std::time::Duration;

/// A tree grid of the rows on screen, hidden from the eye.
pub(super) fn twin(model: Model) -> AnyView {
    let visible = Memo::new(move |_| {
        model.view.with(|view| {
            view.as_ref().map_or((0, 0), |view| model.waterfall.with(|waterfall| view.visible_rows(waterfall)))
        })
    });
    // Scrolling changes the rows with every frame; nobody reads them before it ends.
    let shown = RwSignal::new((0, 0));
    Effect::new(move |_| {
        let rows = visible.get();
        let settle = move || {
            if visible.try_get_untracked() == Some(rows) {
                shown.set(rows);
            }
        };
        set_timeout(settle, Duration::from_millis(120));
    });
    let rows = move || {
        let (first, last) = shown.get();
        let selected = model.selected.get();
        model.waterfall.with(|waterfall| {
            waterfall.rows()[first.min(waterfall.rows().len())..last.min(waterfall.rows().len())]
                .iter()
                .enumerate()
                .map(|(at, shown)| row(waterfall, first + at, shown, selected))
                .collect_view()
        })
    };
    view! {
        <div class="sr-only">
            <table role="treegrid" aria-label=t(say::WATERFALL) aria-rowcount=move || model.waterfall.with(|waterfall| waterfall.rows().len().to_string())>
                <thead><tr><th scope="col">{t(say::SERVICE)}</th><th scope="col">{t(say::OPERATION)}</th><th scope="col">{t(say::DURATION)}</th><th scope="col">{t(say::STATUS)}</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
            <span role="status">{move || model.selected.get().map(|span| model.waterfall.with(|waterfall| reading(waterfall, span)))}</span>
        </div>
    }
    .into_any()
}

fn row(waterfall: &Waterfall, at: usize, row: &Row, selected: Option<u32>) -> AnyView {
    let span = waterfall.span(row.span);
    if let Some(line) = row.log.and_then(|log| waterfall.logs().get(log as usize)) {
        return view! {
            <tr role="row" aria-rowindex=(at + 1).to_string() attr:aria-level=(row.depth + 1).to_string()>
                <td role="gridcell">{waterfall.service(row.span).to_owned()}</td><td role="gridcell">{line.text.clone()}</td><td role="gridcell"></td><td role="gridcell">{(line.level == LogLevel::Error).then(|| t(say::ERROR))}</td>
            </tr>
        }
        .into_any();
    }
    let open = waterfall.has_toggle(row).then(|| (row.folded == 0 && !waterfall.is_collapsed(row.span)).to_string());
    let name = if row.folded > 0 {
        format!("{} ×{}", waterfall.name(row.span), grouped(row.folded as usize))
    } else {
        waterfall.name(row.span).to_owned()
    };
    view! {
        <tr role="row" aria-rowindex=(at + 1).to_string() attr:aria-level=(row.depth + 1).to_string() aria-expanded=open aria-selected=(selected == Some(row.span)).to_string()>
            <td role="gridcell">{waterfall.service(row.span).to_owned()}</td><td role="gridcell">{name}</td><td role="gridcell">{duration_text(Nanos(span.duration))}</td><td role="gridcell">{span.error.then(|| t(say::ERROR))}</td>
        </tr>
    }
    .into_any()
}

fn reading(waterfall: &Waterfall, span: u32) -> String {
    let input = waterfall.span(span);
    let error = if input.error { format!(", {}", t(say::ERROR)) } else { String::new() };
    format!("{} {}, {}{error}", waterfall.service(span), waterfall.name(span), duration_text(Nanos(input.duration)))
}
