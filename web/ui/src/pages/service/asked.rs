//! What is asked of a database, a queue or a host outside, which says nothing itself: by the spans of those who ask.

use crate::client::{Load, ask, load};
use crate::components::figure::figure;
use crate::components::panel::panel;
use crate::components::state::empty;
use crate::nav::nav;
use crate::query::{calls_of, plain, quoted};
use crate::scope::scope;
use crate::words::{say, t};
use leptos::prelude::*;
use orrery_api::{TraceSeries, TraceSeriesList, paths};
use orrery_chart::Unit;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows, at most.
const MOST: usize = 30;

/// Calls of a name by a service.
#[derive(Clone, Debug, Default, PartialEq)]
struct Calls {
    count: f64,
    errors: f64,
    /// What was said of the errors, and how often.
    said: BTreeMap<String, f64>,
}

/// Name of a call, and of who makes it.
type Call = (String, String);

/// Calls to a node, from its id; `None` if spans cannot be found by it.
pub(super) fn panel_of(id: &str) -> Option<AnyView> {
    let filter = calls_of(id)?;
    let asked = |question: String| {
        let scope = scope();
        load::<TraceSeriesList>(move || {
            let window = scope.window.get();
            let step = format!("{}ns", window.to - window.from);
            let query = [
                ("from", window.from.to_string()),
                ("to", window.to.to_string()),
                ("q", question.clone()),
                ("step", step),
            ];
            Some(ask(paths::TRACE_SERIES, &query).chosen(scope.range.get()))
        })
    };
    let by = "by (name, resource.service.name";
    let counts = asked(format!("{{ {filter} }} | count_over_time() {by}, status, statusMessage)"));
    let times = asked(format!("{{ {filter} }} | quantile_over_time(duration, 0.95) {by})"));
    let body = move |list| table(list, times, filter.clone());
    let nothing = |_: &TraceSeriesList| empty(t(say::NO_OPERATIONS), None);
    Some(panel(t(say::OPERATIONS), None, counts, |list: &TraceSeriesList| list.series.is_empty(), nothing, body))
}

/// Calls by name and caller, the most frequent first.
fn of(list: &TraceSeriesList) -> Vec<(Call, Calls)> {
    let mut all: BTreeMap<Call, Calls> = BTreeMap::new();
    for series in &list.series {
        let count: f64 = series.values.iter().flatten().sum();
        let calls = all.entry(call(series)).or_default();
        calls.count += count;
        if label(series, 2) == "error" {
            calls.errors += count;
            let said = label(series, 3);
            if !said.is_empty() {
                *calls.said.entry(said).or_default() += count;
            }
        }
    }
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_by_key(|(_, calls)| Reverse(calls.count as u64));
    all.truncate(MOST);
    all
}

fn call(series: &TraceSeries) -> Call {
    (label(series, 0), label(series, 1))
}

fn label(series: &TraceSeries, at: usize) -> String {
    let value = series.labels.get(at).map(|label| &label.value).filter(|value| !value.is_null());
    value.map(plain).unwrap_or_default()
}

fn table(counts: Signal<Arc<TraceSeriesList>>, times: Load<TraceSeriesList>, filter: String) -> AnyView {
    let rows = move || {
        let p95: BTreeMap<Call, f64> = times.data.with(|list| {
            let series = list.iter().flat_map(|list| &list.series);
            series.filter_map(|series| Some((call(series), series.values.iter().flatten().copied().last()?))).collect()
        });
        counts.with(|list| {
            let rows = of(list);
            rows.iter().map(|(call, calls)| row(call, calls, p95.get(call).copied(), &filter)).collect_view()
        })
    };
    view! {
        <div class="table-wrap" tabindex="0" role="group" aria-label=t(say::OPERATIONS)><table class="table">
            <thead><tr><th scope="col">{t(say::OPERATION)}</th><th scope="col" class="col-wide">{t(say::CALLED_BY)}</th>
                <th scope="col" class="num">{t(say::COUNT)}</th><th scope="col" class="num">{t(say::ERRORS)}</th><th scope="col" class="num">{t(say::P95)}</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
    }
    .into_any()
}

fn row((name, caller): &Call, calls: &Calls, p95: Option<f64>, filter: &str) -> AnyView {
    let nav = nav();
    let spans = format!("{{ {filter} && name = {} }}", quoted(name));
    let failed = format!("{{ {filter} && name = {} && status = error }}", quoted(name));
    let most = calls.said.iter().max_by(|a, b| a.1.total_cmp(b.1)).map(|(said, _)| said.clone());
    let said =
        most.map(|said| view! { <a class="hint clamp" href=move || nav.href("/traces", &[("q", &failed)])>{said}</a> });
    let errors = if calls.errors > 0.0 { "is-err" } else { "hint" };
    view! {
        <tr><th scope="row" class="cell-name"><span class="name-stack"><a href=move || nav.href("/traces", &[("q", &spans)])>{name.clone()}</a>{said}</span></th>
            <td class="col-wide">{caller.clone()}</td>
            <td class="num">{figure(&Unit::Number, calls.count)}</td>
            <td class="num"><span class=errors>{figure(&Unit::Ratio, calls.errors / calls.count.max(1.0))}</span></td>
            <td class="num">{figure(&Unit::Nanos, p95.map_or(f64::NAN, |p95| p95 * 1e9))}</td></tr>
    }
    .into_any()
}
