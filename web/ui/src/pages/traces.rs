//! Finding traces: filters, a picture of their durations, a table.

use crate::canvas::{Canvas, CanvasSurface};
use crate::client::{Failure, ask, fetch, load};
use crate::components::figure::{duration, duration_text, figure};
use crate::components::filter::FilterBar;
use crate::components::panel::{frame, panel};
use crate::components::state::{empty, failed};
use crate::figures::{ago, date_time, time_millis, utc_offset};
use crate::filters::Subject;
use crate::nav::nav;
use crate::range::Window;
use crate::scope::{now_nanos, scope};
use crate::words::{say, t, tf};
use leptos::prelude::*;
use orrery_api::{TraceList, TraceSummary, paths};
use orrery_chart::{ChartSpec, Draw, Plot, Series, Surface, Token, Unit, ValueScale};
use std::sync::Arc;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;

/// Traces per page.
const PAGE: &str = "100";
/// Distance in pixels at which a dot is under the pointer.
const REACH: f64 = 14.0;

/// Pages after the first, and the window they belong to.
#[derive(Clone, Copy)]
struct More {
    window: RwSignal<Option<Window>>,
    traces: RwSignal<Vec<TraceSummary>>,
    cursor: RwSignal<Option<String>>,
    failure: RwSignal<Option<Failure>>,
    busy: RwSignal<bool>,
}

/// `/traces`.
#[component]
pub(crate) fn Traces() -> impl IntoView {
    let (nav, scope) = (nav(), scope());
    let more = More {
        window: RwSignal::new(None),
        traces: RwSignal::new(Vec::new()),
        cursor: RwSignal::new(None),
        failure: RwSignal::new(None),
        busy: RwSignal::new(false),
    };
    let filters = Memo::new(move |_| Subject::Traces.query(&nav.place().params));
    let chosen = Memo::new(move |_| (filters.get(), scope.range.get(), scope.environment.get()));
    Effect::new(move |_| {
        chosen.track();
        more.window.set(None);
        more.traces.set(Vec::new());
    });
    let query =
        move || query(&filters.get(), more.window.get().unwrap_or_else(|| scope.window.get()), scope.environment.get());
    let list = load::<TraceList>(move || Some(ask(paths::TRACES, &query()).chosen(scope.range.get())));
    Effect::new(move |_| {
        if let Some(list) = list.data.get().filter(|_| more.traces.with_untracked(Vec::is_empty)) {
            more.cursor.set(list.next_cursor.clone());
        }
    });
    let traces = Signal::derive(move || {
        let mut all = list.data.get().map(|list| list.traces.clone()).unwrap_or_default();
        more.traces.with(|more| all.extend(more.iter().cloned()));
        // The API goes by the newest matching span, the list shows when traces began.
        all.sort_by_key(|trace| std::cmp::Reverse(trace.start_time_unix_nano.0));
        all
    });
    let next = move || {
        more.window.set(Some(more.window.get_untracked().unwrap_or_else(|| scope.window.get_untracked())));
        let mut params = untrack(query);
        params.push(("cursor", more.cursor.get_untracked().unwrap_or_default()));
        more.load(ask(paths::TRACES, &params));
    };
    let nothing = move |_: &TraceList| no_traces(filters.with_untracked(Vec::is_empty));
    let count = move || tf(say::TRACES_SHOWN, &[("n", &traces.with(Vec::len).to_string())]);
    view! {
        <div class="page">
            <FilterBar subject=Subject::Traces />
            {frame(t(say::DURATIONS), Some(view! { <span class="hint">{t(say::DURATIONS_HINT)}</span> }.into_any()), view! { <Durations traces=traces range=list.data /> }.into_any())}
            {panel(t(say::TRACES), Some(view! { <span class="hint">{count}</span> }.into_any()), list, |list: &TraceList| list.traces.is_empty(), nothing, move |_| view! {
                {table(traces, filters)}
                <div class="more">
                    {move || more.failure.get().map(|failure| failed(&failure, next))}
                    <Show when=move || more.cursor.get().is_some()>
                        <button type="button" class="button" disabled=move || more.busy.get() on:click=move |_| next()>{t(say::LOAD_MORE)}</button>
                    </Show>
                </div>
            }.into_any())}
        </div>
    }
}

impl More {
    fn load(self, ask: crate::client::Ask) {
        self.busy.set(true);
        spawn_local(async move {
            let answer = fetch::<TraceList>(&ask).await;
            let _ = self.busy.try_set(false);
            match answer {
                Ok(page) => {
                    self.failure.try_set(None);
                    self.cursor.try_set(page.next_cursor);
                    self.traces.try_update(|traces| traces.extend(page.traces));
                }
                Err(failure) => drop(self.failure.try_set(Some(failure))),
            }
        });
    }
}

fn query(
    filters: &[(&'static str, String)],
    window: Window,
    environment: Option<String>,
) -> Vec<(&'static str, String)> {
    let mut query = vec![("from", window.from.to_string()), ("to", window.to.to_string()), ("limit", PAGE.to_owned())];
    query.extend(filters.iter().cloned());
    query.extend(environment.map(|environment| ("attr", format!("deployment.environment.name={environment}"))));
    query
}

fn no_traces(unfiltered: bool) -> AnyView {
    if unfiltered {
        return super::services::no_telemetry();
    }
    let nav = nav();
    let clear = move |_| nav.set(&Subject::Traces.names().iter().map(|name| (*name, None)).collect::<Vec<_>>());
    let clear =
        view! { <button type="button" class="button" on:click=clear>{t(say::CLEAR_FILTERS)}</button> }.into_any();
    empty(tf(say::NO_TRACES, &[("range", &crate::figures::range_label(scope().range.get_untracked()))]), Some(clear))
}

fn table(traces: Signal<Vec<TraceSummary>>, filters: Memo<Vec<(&'static str, String)>>) -> AnyView {
    let longest = Memo::new(move |_| {
        traces.with(|traces| traces.iter().map(|trace| trace.duration_nanos.0).max().unwrap_or(1).max(1))
    });
    let filtered = Memo::new(move |_| filters.with(|filters| filters.iter().any(|(name, _)| *name != "service")));
    view! {
        <div class="table-wrap">
            <table class="table">
                <thead><tr>
                    <th scope="col">{t(say::TIME)}</th><th scope="col">{t(say::TRACE)}</th><th scope="col">{t(say::DURATION)}</th>
                    <th scope="col" class="num col-mid">{t(say::SPANS)}</th><th scope="col" class="num">{t(say::ERRORS)}</th><th scope="col" class="col-wide">{t(say::SERVICES)}</th>
                </tr></thead>
                <tbody><For each=move || traces.get() key=|trace| (trace.trace_id.clone(), trace.span_count, trace.duration_nanos.0) children=move |trace| row(&trace, longest, filtered) /></tbody>
            </table>
        </div>
    }
    .into_any()
}

/// A few traces, for other pages.
pub(crate) fn short_table(list: Signal<Arc<TraceList>>) -> AnyView {
    let traces = Signal::derive(move || list.get().traces.clone());
    table(traces, Memo::new(|_| Vec::new()))
}

fn row(trace: &TraceSummary, longest: Memo<i64>, filtered: Memo<bool>) -> AnyView {
    let nav = nav();
    let (path, span) = (format!("/traces/{}", trace.trace_id), trace.matched_span_id.clone());
    let failing = trace.error_count > 0;
    let href = move || if filtered.get() { nav.href(&path, &[("span", &span)]) } else { nav.href(&path, &[]) };
    let nanos = trace.duration_nanos.0;
    let width = move || format!("width:{:.2}%", (nanos as f64 / longest.get() as f64 * 100.0).max(0.5));
    let bar = if failing { "mini-bar is-err-bar" } else { "mini-bar" };
    let errors = failing.then(|| view! { <span class="is-err"><span aria-hidden="true">"◆ "</span>{figure(&Unit::Number, trace.error_count as f64)}</span> });
    let services = trace.services.iter().map(|spans| spans.service.name.clone()).collect::<Vec<_>>().join(", ");
    let rootless =
        (!trace.root_received).then(|| view! { <div><span class="badge badge-unknown">{t(say::NO_ROOT)}</span></div> });
    view! {
        <tr>
            <td class="nowrap" title=date_time(trace.start_time_unix_nano.0)><span class="mono">{time_millis(trace.start_time_unix_nano.0)}</span><span class="hint time-ago">" "{ago(trace.start_time_unix_nano.0, now_nanos())}</span></td>
            <th scope="row" class="cell-name"><span class="name-line"><span class="hint">{trace.root_service.name.clone()}</span>" "<a href=href>{trace.root_name.clone()}</a></span>{rootless}</th>
            <td class="cell-bar"><span class="bar-track"><span class=bar style=width></span></span><span class="bar-value">{duration(Some(trace.duration_nanos))}</span></td>
            <td class="num col-mid">{figure(&Unit::Number, trace.span_count as f64)}</td><td class="num">{errors}</td>
            <td class="col-wide hint clamp" title=services.clone()>{trace.services.len()}" · "{services.clone()}</td>
        </tr>
    }
    .into_any()
}

/// Every trace as a dot: when, and how long. The table below is its twin.
#[component]
fn Durations(traces: Signal<Vec<TraceSummary>>, range: RwSignal<Option<Arc<TraceList>>>) -> impl IntoView {
    let (nav, scope) = (nav(), scope());
    let plot = StoredValue::new(None::<Plot>);
    let range_is_whole = move || range.with(|list| list.as_ref().is_none_or(|list| list.next_cursor.is_none()));
    let spec = Memo::new(move |_| {
        let window = scope.window.get();
        let range = range
            .with(|list| list.as_ref().map(|list| (list.range.from.0, list.range.to.0)))
            .unwrap_or((window.from, window.to));
        // Of a list that goes on, only the part that is here can be shown.
        let all = range_is_whole();
        traces.with(|traces| {
            let oldest = traces.iter().map(|trace| trace.start_time_unix_nano.0).min().filter(|_| !all);
            scatter(traces, (oldest.unwrap_or(range.0).max(range.0), range.1))
        })
    });
    let near = RwSignal::new(None::<usize>);
    let draw = move |surface: &mut CanvasSurface| {
        spec.with(|spec| {
            let laid = Plot::new(spec, surface);
            laid.draw(spec, surface);
            traces.with(|traces| diamonds(traces, &laid, near.get(), surface));
            plot.set_value(Some(laid));
        })
    };
    let find = move |event: &web_sys::MouseEvent| {
        let node: web_sys::Element = event.current_target()?.dyn_into().ok()?;
        let bounds = node.get_bounding_client_rect();
        let (x, y) = (f64::from(event.client_x()) - bounds.left(), f64::from(event.client_y()) - bounds.top());
        plot.with_value(|plot| traces.with_untracked(|traces| nearest(traces, plot.as_ref()?, x, y)))
    };
    let open = move |event: web_sys::MouseEvent| {
        if let Some(id) = find(&event)
            .and_then(|at| traces.with_untracked(|traces| traces.get(at).map(|trace| trace.trace_id.clone())))
        {
            nav.go(&nav.href_now(&format!("/traces/{id}"), &[]));
        }
    };
    let moved = move |event: web_sys::PointerEvent| near.set(find(&event));
    let tip = move || {
        let trace = traces.with(|traces| near.get().and_then(|at| traces.get(at).cloned()))?;
        let (x, width) =
            plot.with_value(|plot| plot.as_ref().map(|plot| (plot.x(trace.start_time_unix_nano.0), plot.area.right)))?;
        let style =
            if x > width / 2.0 { format!("right:calc(100% - {x}px + 12px)") } else { format!("left:{}px", x + 12.0) };
        Some(view! {
            <div class="tip" style=style><div class="tip-time">{time_millis(trace.start_time_unix_nano.0)}</div>
                <div class="tip-row"><span class="tip-name">{trace.root_service.name.clone()}" "{trace.root_name.clone()}</span><span>{duration_text(trace.duration_nanos)}</span></div>
            </div>
        })
    };
    view! {
        <div class="chart-root scatter" class:is-pointing=move || near.get().is_some() style="height:132px" aria-hidden="true" on:click=open on:pointermove=moved on:pointerleave=move |_| near.set(None)>
            <Canvas draw=draw />{tip}
        </div>
    }
}

fn scatter(traces: &[TraceSummary], (from, to): (i64, i64)) -> ChartSpec {
    let mut points: Vec<_> = traces
        .iter()
        .map(|trace| (trace.start_time_unix_nano.0, Some(trace.duration_nanos.0.max(1_000) as f64)))
        .collect();
    points.sort_unstable_by_key(|point| point.0);
    ChartSpec {
        title: t(say::DURATIONS).to_owned(),
        from,
        to,
        utc_offset_minutes: utc_offset(),
        unit: Unit::Nanos,
        scale: ValueScale::Log,
        // For the axes; the dots are drawn by hand.
        series: vec![Series::line(t(say::DURATION), 0, points).ink(Token::Series1.alpha(0.0))],
        step: Some(1),
        ..ChartSpec::default()
    }
}

fn diamonds(traces: &[TraceSummary], plot: &Plot, near: Option<usize>, surface: &mut CanvasSurface) {
    for (at, trace) in traces.iter().enumerate() {
        let (x, y) = (plot.x(trace.start_time_unix_nano.0), plot.y(trace.duration_nanos.0.max(1_000) as f64));
        let r = if near == Some(at) { 5.5 } else { 3.0 };
        if trace.error_count > 0 {
            let r = r + 1.0;
            surface.polygon_path(&[(x, y - r), (x + r, y), (x, y + r), (x - r, y)]);
            surface.fill(Token::Err.alpha(0.9));
        } else {
            surface.circle_path(x, y, r);
            surface.fill(Token::Series1.alpha(0.65));
        }
    }
}

fn nearest(traces: &[TraceSummary], plot: &Plot, x: f64, y: f64) -> Option<usize> {
    let away = |trace: &TraceSummary| {
        (plot.x(trace.start_time_unix_nano.0) - x).hypot(plot.y(trace.duration_nanos.0.max(1_000) as f64) - y)
    };
    let found = traces.iter().map(away).enumerate().min_by(|a, b| a.1.total_cmp(&b.1))?;
    (found.1 <= REACH).then_some(found.0)
}
