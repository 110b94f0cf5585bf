//! Found traces as dots: when, and how long.

use crate::canvas::{Canvas, CanvasSurface};
use crate::components::figure::duration_text;
use crate::figures::{time_millis, utc_offset};
use crate::nav::nav;
use crate::scope::scope;
use crate::words::{say, t};
use leptos::prelude::*;
use orrery_api::{TraceList, TraceSort, TraceSummary};
use orrery_chart::{ChartSpec, Draw, Plot, Series, Surface, Token, Unit, ValueScale};
use std::sync::Arc;
use wasm_bindgen::JsCast;

/// Distance in pixels at which a dot is under the pointer.
const REACH: f64 = 14.0;

/// Every trace as a dot: when, and how long. The table below is its twin.
#[component]
pub(super) fn Durations(
    /// What was found.
    traces: RwSignal<Vec<Arc<TraceSummary>>>,
    /// The first page: of which range.
    range: RwSignal<Option<Arc<TraceList>>>,
) -> impl IntoView {
    let (nav, scope) = (nav(), scope());
    let plot = StoredValue::new(None::<Plot>);
    let whole = |list: &Arc<TraceList>| list.next_cursor.is_none() || list.sort != TraceSort::Time;
    let range_is_whole = move || range.with(|list| list.as_ref().is_none_or(whole));
    let spec = Memo::new(move |_| {
        let window = scope.window.get();
        let range = range
            .with(|list| list.as_ref().map(|list| (list.range.from.0, list.range.to.0)))
            .unwrap_or((window.from, window.to));
        // Of a list that goes on into the past, only the part that is here can be shown.
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
        <div class="chart-root scatter" class:is-pointing=move || near.get().is_some() style="height:124px" aria-hidden="true" on:click=open on:pointermove=moved on:pointerleave=move |_| near.set(None)>
            <Canvas draw=draw />{tip}
        </div>
    }
}

fn scatter(traces: &[Arc<TraceSummary>], (from, to): (i64, i64)) -> ChartSpec {
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

fn diamonds(traces: &[Arc<TraceSummary>], plot: &Plot, near: Option<usize>, surface: &mut CanvasSurface) {
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

fn nearest(traces: &[Arc<TraceSummary>], plot: &Plot, x: f64, y: f64) -> Option<usize> {
    let away = |trace: &Arc<TraceSummary>| {
        (plot.x(trace.start_time_unix_nano.0) - x).hypot(plot.y(trace.duration_nanos.0.max(1_000) as f64) - y)
    };
    let found = traces.iter().map(away).enumerate().min_by(|a, b| a.1.total_cmp(&b.1))?;
    (found.1 <= REACH).then_some(found.0)
}
