//! The trace as a flame graph. Its twin is the table.

use super::Model;
use crate::canvas::{Canvas, CanvasSurface, watch_size};
use crate::components::figure::duration_text;
use crate::figures::grouped;
use crate::words::{say, t, tf};
use leptos::html;
use leptos::prelude::*;
use orrery_api::Nanos;
use orrery_chart::flame::{BLOCK_HEIGHT, FlameView};
use orrery_chart::waterfall::flame::{Flame, draw_flame};

/// Blocks as wide as the time in them; a click looks closer and opens the longest span, a second one goes back.
pub(super) fn flame(model: Model) -> AnyView {
    let root = NodeRef::<html::Div>::new();
    let size = watch_size(root);
    let flame = StoredValue::new(model.waterfall.with_untracked(Flame::new));
    let (focus, scroll) = (RwSignal::new(None::<u32>), RwSignal::new(0.0));
    let hovered = RwSignal::new(None::<u32>);
    let view = move || FlameView { focus: focus.get(), scroll: scroll.get(), size: size.get() };
    let draw = move |surface: &mut CanvasSurface| {
        let inks = model.facts.with_value(|facts| facts.inks.clone());
        let found = model.found.get();
        flame.with_value(|flame| {
            model.waterfall.with_untracked(|waterfall| {
                draw_flame(surface, waterfall, flame, &view(), (&inks, hovered.get(), found.as_ref()));
            });
        });
    };
    let hit = move |event: &web_sys::MouseEvent| {
        let bounds = root.get_untracked()?.get_bounding_client_rect();
        let point = (f64::from(event.client_x()) - bounds.left(), f64::from(event.client_y()) - bounds.top());
        flame.with_value(|flame| untrack(view).hit(flame.placed(), point))
    };
    let click = move |event: web_sys::MouseEvent| {
        let Some(at) = hit(&event) else { return focus.set(None) };
        let out = focus.get_untracked() == Some(at);
        focus.set((!out).then_some(at));
        if !out {
            model.select(flame.with_value(|flame| flame.blocks().get(at as usize).map(|block| block.span)));
        }
    };
    let scrolled = move |_| {
        if let Some(node) = root.get_untracked() {
            scroll.set(f64::from(node.scroll_top()));
        }
    };
    let said = move || match hovered.get().or(focus.get()) {
        Some(at) => flame.with_value(|flame| {
            let block = flame.blocks()[at as usize];
            let (service, name) = model.waterfall.with_untracked(|waterfall| {
                (waterfall.service(block.span).to_owned(), waterfall.name(block.span).to_owned())
            });
            let times = [
                ("n", grouped(block.count as usize)),
                ("total", duration_text(Nanos(flame.placed().total(at)))),
                ("self", duration_text(Nanos(block.self_nanos))),
            ];
            let times: Vec<(&str, &str)> = times.iter().map(|(name, text)| (*name, text.as_str())).collect();
            format!("{service} · {name} · {}", tf(say::FLAME_LINE, &times))
        }),
        None => t(say::FLAME_HINT).to_owned(),
    };
    let height = flame.with_value(|flame| f64::from(flame.placed().levels()) * BLOCK_HEIGHT);
    let frame = move || format!("height:{}px", size.get().1);
    let spacer = move || format!("height:{height}px;margin-top:-{}px", size.get().1);
    view! {
        <p class="flame-line hint">{said}</p>
        <div class="wf" class:is-pointing=move || hovered.get().is_some() node_ref=root on:scroll=scrolled tabindex="0" role="application" aria-label=t(say::FLAME_LABEL)
            on:pointermove=move |event| hovered.set(hit(&event)) on:pointerleave=move |_| hovered.set(None) on:click=click>
            <div class="wf-frame" style=frame><Canvas draw=draw /></div>
            <div style=spacer></div>
        </div>
    }
    .into_any()
}
