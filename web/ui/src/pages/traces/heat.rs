//! Durations of the matching spans over time. A box on them asks what is different inside.

use super::{found_spans, made_of_spans};
use crate::canvas::{Canvas, CanvasSurface, watch_size};
use crate::components::figure::{figure, quantity};
use crate::components::flags::{Flags, as_asked};
use crate::components::panel;
use crate::components::query::Query;
use crate::components::state::empty;
use crate::figures::time;
use crate::query::duration;
use crate::series::heatmap;
use crate::words::{say, t};
use leptos::html;
use leptos::prelude::*;
use orrery_api::TraceSeriesList;
use orrery_chart::{Cell, Heatmap, Plot, Unit, draw_box};
use std::sync::Arc;
use wasm_bindgen::JsCast;

/// Share of the spans that "slow" means.
const SLOW: f64 = 0.1;
/// Pixels from which a box is meant.
const LEAST: f64 = 5.0;
/// Values per field that a comparison lists.
const TOP: u32 = 10;
/// Steps of the arrow keys: parts of the width and of the height.
const STEPS: (f64, f64) = (30.0, 8.0);

type Point = (f64, f64);

pub(super) fn panel(query: Query) -> AnyView {
    let load = made_of_spans(query, "histogram_over_time(span:duration)");
    let map = Memo::new(move |_| {
        load.data.with(|list| list.as_ref().map(|list| heatmap(list, t(say::DURATIONS).to_owned())))
    });
    let slow = Memo::new(move |_| map.with(|map| map.as_ref().and_then(|map| map.beyond(SLOW))));
    let why_slow = move |_| {
        if let Some(from) = slow.get_untracked() {
            compare(query, &format!("{{ span:duration >= {} }}, {TOP}", duration(from)));
        }
    };
    let why_failed = move |_| compare(query, &format!("{{ span:status = error }}, {TOP}"));
    let head = view! {
        <span class="hint">{t(say::DURATIONS_HINT)}</span>
        <button type="button" class="button" disabled=move || slow.with(Option::is_none) on:click=why_slow>{t(say::WHY_SLOW)}</button>
        <button type="button" class="button" disabled=move || slow.with(Option::is_none) on:click=why_failed>{t(say::WHY_FAILED)}</button>
        {super::in_sql(query, Some("quantile_over_time(span:duration, 0.5, 0.95, 0.99)"))}
    }
    .into_any();
    let blank = |list: &TraceSeriesList| list.series.is_empty();
    let body = move |_: Signal<Arc<TraceSeriesList>>| {
        view! { <div class="panel-body"><Heat map=map query=query /></div> }.into_any()
    };
    panel::panel(t(say::DURATIONS), Some(head), load, blank, |_| empty(t(say::NO_SPANS), None), body)
}

/// Asks how the spans that are found differ where they meet a filter.
fn compare(query: Query, filter: &str) {
    if let Some(spans) = untrack(|| found_spans(query)) {
        query.ask(&format!("{spans} | compare({filter})"));
    }
}

#[component]
fn Heat(map: Memo<Option<Heatmap>>, query: Query) -> impl IntoView {
    let root = NodeRef::<html::Div>::new();
    let size = watch_size(root);
    let plot = StoredValue::new(None::<Plot>);
    let (pointer, corner) = (RwSignal::new(None::<Point>), RwSignal::new(None::<Point>));
    let flags = Flags::of(as_asked());
    // The box of the arrow keys.
    let drawn = RwSignal::new(None::<(Point, Point)>);
    let draw = move |surface: &mut CanvasSurface| {
        map.with(|map| {
            let Some(map) = map else { return };
            let spec = map.spec();
            let laid = flags.lay(&spec, surface);
            laid.draw(&spec, surface);
            map.draw(&laid, surface);
            flags.draw(&laid, surface);
            plot.set_value(Some(laid));
        })
    };
    let overlay = move |surface: &mut CanvasSurface| {
        let dragged = corner.get().zip(pointer.get());
        plot.with_value(|plot| {
            if let (Some(plot), Some((a, b))) = (plot, dragged.or_else(|| drawn.get())) {
                draw_box(plot, a, b, surface);
            }
        });
    };
    let ask_inside = move |a: Point, b: Point| {
        let filter = plot.with_value(|plot| {
            let plot = plot.as_ref()?;
            let (from, to) = (plot.time_at(a.0.min(b.0)), plot.time_at(a.0.max(b.0)));
            let (low, high) = (plot.value_at(a.1.max(b.1)), plot.value_at(a.1.min(b.1)));
            let (low, high) = (duration(low), duration(high));
            Some(format!("{{ span:duration >= {low} && span:duration < {high} }}, {TOP}, {from}, {to}"))
        });
        if let Some(filter) = filter {
            compare(query, &filter);
        }
    };
    let place = |event: &web_sys::PointerEvent| -> Option<Point> {
        let node: web_sys::Element = event.current_target()?.dyn_into().ok()?;
        let bounds = node.get_bounding_client_rect();
        Some((f64::from(event.client_x()) - bounds.left(), f64::from(event.client_y()) - bounds.top()))
    };
    let down = move |event: web_sys::PointerEvent| {
        if event.button() == 0 {
            pointer.set(place(&event));
            corner.set(place(&event));
            if let Some(node) = event.current_target().and_then(|target| target.dyn_into::<web_sys::Element>().ok()) {
                let _ = node.set_pointer_capture(event.pointer_id());
            }
        }
    };
    let up = move |_: web_sys::PointerEvent| {
        let (Some(a), Some(b)) = (corner.get_untracked(), pointer.get_untracked()) else { return };
        corner.set(None);
        if (a.0 - b.0).abs() < LEAST || (a.1 - b.1).abs() < LEAST {
            return;
        }
        ask_inside(a, b);
    };
    let key = move |event: web_sys::KeyboardEvent| {
        let step = match event.key().as_str() {
            "ArrowLeft" => (-1.0, 0.0),
            "ArrowRight" => (1.0, 0.0),
            "ArrowUp" => (0.0, -1.0),
            "ArrowDown" => (0.0, 1.0),
            "Enter" => {
                event.prevent_default();
                return if let Some((a, b)) = drawn.get_untracked() {
                    ask_inside(a, b)
                };
            }
            "Escape" => return drawn.set(None),
            _ => return,
        };
        event.prevent_default();
        let area = plot.with_value(|plot| plot.as_ref().map(|plot| plot.area));
        let Some(area) = area else { return };
        let (width, height) = (area.width() / STEPS.0, area.height() / STEPS.1);
        let clamped = |(x, y): Point| (x.clamp(area.left, area.right), y.clamp(area.top, area.bottom));
        drawn.update(|drawn| {
            let (a, b) = match *drawn {
                // The last seconds, where things go wrong.
                None => ((area.right - width * 2.0, area.bottom - height), (area.right, area.bottom)),
                Some((a, b)) if event.shift_key() => (a, clamped((b.0 + step.0 * width, b.1 + step.1 * height))),
                Some((a, b)) => {
                    let moved = |at: Point| (at.0 + step.0 * width, at.1 + step.1 * height);
                    if clamped(moved(a)) == moved(a) && clamped(moved(b)) == moved(b) {
                        (moved(a), moved(b))
                    } else {
                        (a, b)
                    }
                }
            };
            *drawn = Some((a, b));
        });
    };
    let reading = move || {
        let (a, b) = drawn.get()?;
        plot.with_value(|plot| {
            let plot = plot.as_ref()?;
            let (from, to) = (time(plot.time_at(a.0.min(b.0))), time(plot.time_at(a.0.max(b.0))));
            let value = |y: f64| Unit::Seconds.format(plot.value_at(y)).to_string();
            Some(format!("{from} – {to}, {} – {}", value(a.1.max(b.1)), value(a.1.min(b.1))))
        })
    };
    let leave = move |_: web_sys::PointerEvent| {
        if corner.with_untracked(Option::is_none) {
            pointer.set(None);
        }
    };
    let tip = move || {
        let (x, y) = pointer.get().filter(|_| corner.with(Option::is_none))?;
        let cell = map.with(|map| plot.with_value(|plot| map.as_ref()?.cell_at(plot.as_ref()?, x, y)))?;
        Some(tip(cell, x, size.get().0))
    };
    view! {
        <div class="chart-box">
        <div class="chart-root heat" style="height:120px" node_ref=root tabindex="0" role="application" aria-roledescription=t(say::CHART)
            aria-label=t(say::DURATIONS) title=t(say::HEAT_KEYS) on:keydown=key on:blur=move |_| drawn.set(None) on:pointerdown=down on:pointermove=move |event| pointer.set(place(&event)) on:pointerup=up on:pointerleave=leave>
            <Canvas draw=draw /><Canvas draw=overlay />{tip}
            <span class="sr-only" role="status">{reading}</span>
        </div>
        {flags.links()}
        </div>
        <div class="heat-scale hint" aria-hidden="true"><span class="heat-ramp"></span>{t(say::HEAT_SCALE)}</div>
        {move || map.with(|map| map.as_ref().map(twin))}
    }
}

fn tip(cell: Cell, x: f64, width: f64) -> AnyView {
    let style = if x > width / 2.0 { format!("right:{}px", width - x + 12.0) } else { format!("left:{}px", x + 12.0) };
    let (low, high) = (Unit::Seconds.format(cell.end / 2.0), Unit::Seconds.format(cell.end));
    view! {
        <div class="tip" style=style><div class="tip-time">{time(cell.at)}</div>
            <div class="tip-row"><span class="tip-name">{format!("{low} – {high}")}</span><span>{figure(&Unit::Number, cell.count)}</span></div>
        </div>
    }
    .into_any()
}

/// Numbers of spans by duration, for those who do not see it.
fn twin(map: &Heatmap) -> AnyView {
    let row = |(end, count): &(f64, f64)| {
        let (low, high) = (Unit::Seconds.format(end / 2.0), Unit::Seconds.format(*end));
        view! { <tr><th scope="row">{quantity(low)}" – "{quantity(high)}</th><td>{figure(&Unit::Number, *count)}</td></tr> }
    };
    view! {
        <div class="sr-only"><table><caption>{map.title.clone()}</caption><thead><tr><th scope="col">{t(say::DURATION)}</th><th scope="col">{t(say::SPANS)}</th></tr></thead>
            <tbody>{map.sizes().iter().map(row).collect_view()}</tbody></table></div>
    }
    .into_any()
}
