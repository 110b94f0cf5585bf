//! The waterfall on its canvas: scrolled by a spacer, zoomed by wheel and keys.

use super::{Model, twin};
use crate::canvas::{Canvas, CanvasSurface, watch_size};
use crate::words::{say, t};
use leptos::html;
use leptos::prelude::*;
use orrery_chart::Surface;
use orrery_chart::waterfall::{Minimap, Part, RULER_HEIGHT, Style, View, draw_minimap, draw_waterfall};
use wasm_bindgen::JsCast;

/// Height an element may have everywhere, CSS pixels: rows beyond scroll faster than the bar.
const TALLEST: f64 = 15_000_000.0;
/// Pixels moved by a key.
const PAN: f64 = 80.0;

/// The waterfall with its keys.
pub(super) fn field(model: Model) -> AnyView {
    let root = NodeRef::<html::Div>::new();
    let size = watch_size(root);
    Effect::new(move |_| {
        let size = size.get();
        if size.0 > 0.0 {
            model.view.update(|view| *view = Some(resized(model, *view, size)));
        }
    });
    let height = Memo::new(move |_| model.waterfall.with(View::content_height));
    // Rows per pixel of the scroll bar, where there are more than an element can be high.
    let scale = move || (height.get_untracked() / TALLEST).max(1.0);
    // The view leads, the scroll bar follows, and the other way round.
    Effect::new(move |_| {
        let Some(top) = model.view.get().map(|view| view.scroll / scale()) else { return };
        if let Some(node) = root.get_untracked().filter(|node| (f64::from(node.scroll_top()) - top).abs() >= 1.0) {
            node.set_scroll_top(top.round() as i32);
        }
    });
    let scrolled = move |_| {
        let Some(top) = root.get_untracked().map(|node| f64::from(node.scroll_top())) else { return };
        if model.view.with_untracked(|view| view.is_some_and(|view| (view.scroll / scale() - top).abs() >= 1.0)) {
            model.view.update(|view| *view = view.map(|view| View { scroll: top * scale(), ..view }));
        }
    };
    let frame = move || format!("height:{}px", size.get().1);
    let spacer =
        move || format!("height:{}px;margin-top:-{}px", height.get().min(TALLEST) + RULER_HEIGHT + 8.0, size.get().1);
    view! {
        <div class="wf" class:is-pointing=move || model.hovered.get().is_some() node_ref=root on:scroll=scrolled on:wheel=move |event| wheel(model, &event)
            on:pointermove=move |event| model.hovered.set(hit(model, &event).map(|hit| hit.0)) on:pointerleave=move |_| model.hovered.set(None)
            on:click=move |event| click(model, &event) tabindex="0" role="application" aria-roledescription=t(say::WATERFALL) aria-label=t(say::WATERFALL_LABEL) on:keydown=move |event| key(model, &event)>
            <div class="wf-frame" style=frame><Canvas draw=move |surface: &mut CanvasSurface| draw(model, surface) /></div>
            <div style=spacer></div>
        </div>
        {twin::twin(model)}
    }
    .into_any()
}

fn resized(model: Model, view: Option<View>, size: (f64, f64)) -> View {
    let whole = model.waterfall.with_untracked(|waterfall| View::whole(waterfall, size));
    view.map_or(whole, |view| View { from: view.from, to: view.to, scroll: view.scroll, ..whole })
}

fn draw(model: Model, surface: &mut CanvasSurface) {
    let Some(view) = model.view.get() else { return };
    let style = Style {
        services: model.facts.with_value(|facts| facts.inks.clone()),
        hovered: model.hovered.get(),
        selected: model.selected.get(),
        found: model.found.get(),
        critical_path: model.critical.get(),
    };
    model.waterfall.with(|waterfall| draw_waterfall(surface, waterfall, &view, &style));
}

fn hit(model: Model, event: &web_sys::MouseEvent) -> Option<(usize, Part)> {
    let node: web_sys::Element = event.current_target()?.dyn_into().ok()?;
    let bounds = node.get_bounding_client_rect();
    let point = (f64::from(event.client_x()) - bounds.left(), f64::from(event.client_y()) - bounds.top());
    let view = model.view.get_untracked()?;
    model.waterfall.with_untracked(|waterfall| view.hit(waterfall, point)).map(|hit| (hit.row, hit.part))
}

fn click(model: Model, event: &web_sys::MouseEvent) {
    let Some((row, part)) = hit(model, event) else { return };
    let shown = model.waterfall.with_untracked(|waterfall| waterfall.rows()[row]);
    if shown.log.is_none() && (part == Part::Toggle || shown.folded > 0) {
        model.waterfall.update(|waterfall| waterfall.toggle(row));
    } else {
        model.select(Some(shown.span));
    }
}

/// Zooms with Ctrl (and pinching), moves in time with Shift; else the rows scroll.
fn wheel(model: Model, event: &web_sys::WheelEvent) {
    let x = event
        .current_target()
        .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
        .map_or(0.0, |node| f64::from(event.client_x()) - node.get_bounding_client_rect().left());
    if event.ctrl_key() || event.meta_key() {
        event.prevent_default();
        zoom(model, x, (-event.delta_y() * 0.004).exp());
    } else if event.shift_key() {
        event.prevent_default();
        pan(model, -(event.delta_y() + event.delta_x()));
    }
}

fn zoom(model: Model, x: f64, factor: f64) {
    model.waterfall.with_untracked(|waterfall| {
        model.view.update(|view| *view = view.map(|view| view.zoom_at(waterfall, x, factor)))
    });
}

fn pan(model: Model, dx: f64) {
    model
        .waterfall
        .with_untracked(|waterfall| model.view.update(|view| *view = view.map(|view| view.pan(waterfall, dx))));
}

fn key(model: Model, event: &web_sys::KeyboardEvent) {
    if event.ctrl_key() || event.meta_key() || event.alt_key() {
        return;
    }
    let middle = model.view.get_untracked().map_or(0.0, |view| view.names + view.field() / 2.0);
    match event.key().as_str() {
        "j" | "ArrowDown" => model.step(1),
        "k" | "ArrowUp" => model.step(-1),
        "PageDown" => model.step(20),
        "PageUp" => model.step(-20),
        "[" => model.sibling(false),
        "]" => model.sibling(true),
        "e" => model.error(true),
        "E" => model.error(false),
        "n" => model.next_found(),
        "ArrowRight" => model.fold(true),
        "ArrowLeft" => model.fold(false),
        "w" | "+" => zoom(model, middle, 1.4),
        "s" | "-" => zoom(model, middle, 1.0 / 1.4),
        "a" => pan(model, PAN),
        "d" => pan(model, -PAN),
        "0" => zoom(model, middle, 1e-9),
        "Escape" => model.select(None),
        _ => return,
    }
    event.prevent_default();
}

/// All spans at once; dragging chooses what the waterfall shows.
pub(super) fn minimap(model: Model) -> AnyView {
    let drag = StoredValue::new(None::<(f64, bool)>);
    let cache = StoredValue::new(None::<(f64, Minimap)>);
    let width = StoredValue::new(1.0_f64);
    let draw = move |surface: &mut CanvasSurface| {
        let (wide, high) = surface.size();
        width.set_value(wide);
        let Some(view) = model.view.get() else { return };
        model.waterfall.with(|waterfall| {
            if cache.with_value(|cache| cache.as_ref().is_none_or(|(of, _)| *of != wide)) {
                cache.set_value(Some((wide, Minimap::new(waterfall, wide, high))));
            }
            cache.with_value(|cache| {
                if let Some((_, map)) = cache {
                    draw_minimap(surface, map, waterfall, &view);
                }
            });
        });
    };
    let time = move |x: f64| {
        let (from, to) = model.waterfall.with_untracked(|waterfall| waterfall.range());
        from + ((to - from) as f64 * (x / width.get_value()).clamp(0.0, 1.0)) as i64
    };
    let x_of = |event: &web_sys::PointerEvent| {
        event
            .current_target()
            .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
            .map_or(0.0, |node| f64::from(event.client_x()) - node.get_bounding_client_rect().left())
    };
    let down = move |event: web_sys::PointerEvent| {
        drag.set_value(Some((x_of(&event), false)));
        if let Some(node) = event.current_target().and_then(|target| target.dyn_into::<web_sys::Element>().ok()) {
            let _ = node.set_pointer_capture(event.pointer_id());
        }
    };
    let moved = move |event: web_sys::PointerEvent| {
        let Some((start, far)) = drag.get_value() else { return };
        let x = x_of(&event);
        if far || (x - start).abs() > 3.0 {
            drag.set_value(Some((start, true)));
            let (from, to) = (time(start.min(x)), time(start.max(x)));
            model.view.update(|view| *view = view.map(|view| View { from, to: to.max(from + 1_000), ..view }));
        }
    };
    let up = move |_: web_sys::PointerEvent| {
        if let Some((_, false)) = drag.get_value() {
            let (from, to) = model.waterfall.with_untracked(|waterfall| waterfall.range());
            model.view.update(|view| *view = view.map(|view| View { from, to: to.max(from + 1), ..view }));
        }
        drag.set_value(None);
    };
    view! { <div class="minimap" title=t(say::MINIMAP) aria-hidden="true" on:pointerdown=down on:pointermove=moved on:pointerup=up><Canvas draw=draw /></div> }.into_any()
}
