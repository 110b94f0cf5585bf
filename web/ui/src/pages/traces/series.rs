//! What a query of metrics gives: a chart, and a table of its series.

use super::compare;
use crate::client::{Failure, load};
use crate::components::chart::{TimeChart, legend};
use crate::components::figure::figure;
use crate::components::flags::as_asked;
use crate::components::panel::panel;
use crate::components::query::Query;
use crate::components::state::empty;
use crate::figures::range_label;
use crate::scope::scope;
use crate::series::{DRAWN, lines, name, ranked, unit};
use crate::words::{say, t, tf};
use leptos::prelude::*;
use orrery_api::{TraceSeries, TraceSeriesList};
use orrery_chart::{Token, grouped};
use std::sync::Arc;

/// Series listed, at most.
const LISTED: usize = 500;

pub(super) fn series(query: Query, refused: RwSignal<Option<Failure>>) -> AnyView {
    let scope = scope();
    let answer = load::<TraceSeriesList>(move || Some(super::series_of(scope, query.asked.get())));
    Effect::new(move |_| refused.set(answer.progress.failure.get()));
    let blank = |list: &TraceSeriesList| list.series.is_empty() && list.comparison.is_none();
    let nothing = move |_: &TraceSeriesList| {
        empty(tf(say::NO_SERIES, &[("range", &range_label(scope.range.get_untracked()))]), None)
    };
    let said = move || {
        answer.data.with(|list| {
            let list = list.as_ref().filter(|list| list.comparison.is_none())?;
            Some(tf(say::N_SERIES, &[("n", &grouped(list.series.len()))]))
        })
    };
    let head = view! { <span class="hint" role="status">{said}</span>{super::in_sql(query, None)} }.into_any();
    let body = move |list: Signal<Arc<TraceSeriesList>>| {
        let compares = Memo::new(move |_| list.with(|list| list.comparison.is_some()));
        view! { {move || if compares.get() { compare::compared(list, query) } else { charted(list) }} }.into_any()
    };
    panel(t(say::RESULT), Some(head), answer, blank, nothing, body)
}

fn charted(list: Signal<Arc<TraceSeriesList>>) -> AnyView {
    let spec = Memo::new(move |_| list.with(|list| lines(list, list.query.clone(), t(say::ALL_SPANS))));
    let fewer = move || {
        let all = list.with(|list| list.series.len());
        (all > DRAWN).then(
            || view! { <p class="hint">{tf(say::DRAWN_OF, &[("n", &DRAWN.to_string()), ("all", &grouped(all))])}</p> },
        )
    };
    view! {
        <div class="panel-body"><TimeChart spec=spec height=300.0 about=as_asked() />{legend(spec)}{fewer}</div>
        {move || list.with(|list| table(list))}
    }
    .into_any()
}

fn table(list: &TraceSeriesList) -> AnyView {
    let unit = unit(list);
    let fields: Vec<String> = list
        .series
        .first()
        .map(|series| series.labels.iter().map(|label| label.name.clone()).collect())
        .unwrap_or_default();
    let title = if fields.is_empty() { t(say::SERIES).to_owned() } else { fields.join(" · ") };
    let row = |(at, series): (usize, &TraceSeries)| {
        let values = || series.values.iter().flatten().copied();
        let (count, last) = (values().count(), values().next_back().unwrap_or(f64::NAN));
        let mean = if count > 0 { values().sum::<f64>() / count as f64 } else { f64::NAN };
        let swatch = (at < DRAWN).then(
            || view! { <span class="swatch" style=format!("background:{}", Token::series(at).css_var())></span>" " },
        );
        view! {
            <tr><th scope="row" class="mono">{swatch}{name(series, t(say::ALL_SPANS))}</th><td class="num">{figure(&unit, last)}</td><td class="num">{figure(&unit, mean)}</td>
                <td class="num">{figure(&unit, values().fold(f64::NAN, f64::min))}</td><td class="num">{figure(&unit, values().fold(f64::NAN, f64::max))}</td></tr>
        }
    };
    let rows = ranked(list).into_iter().take(LISTED).enumerate().map(row).collect_view();
    view! {
        <div class="table-wrap" tabindex="0" role="group" aria-label=t(say::SERIES)><table class="table">
            <thead><tr><th scope="col" class="mono">{title}</th><th scope="col" class="num">{t(say::LAST)}</th><th scope="col" class="num">{t(say::MEAN)}</th><th scope="col" class="num">{t(say::AGGREGATE_MIN)}</th><th scope="col" class="num">{t(say::AGGREGATE_MAX)}</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
    }
    .into_any()
}
