//! The flame graph as a picture, by pointer and by keys. Its twin is the table.

use super::{Model, title, told};
use crate::canvas::{Canvas, CanvasSurface, watch_size};
use crate::flame::Merged;
use crate::words::{say, t, tf};
use leptos::html;
use leptos::prelude::*;
use orrery_chart::flame::{BLOCK_HEIGHT, FlameView, Look, change_ink, draw_blocks};
use std::borrow::Cow;

pub(super) fn picture(model: Model) -> AnyView {
    let root = NodeRef::<html::Div>::new();
    let (size, scroll) = (watch_size(root), RwSignal::new(0.0));
    let view = move || FlameView { focus: model.focus.get(), scroll: scroll.get(), size: size.get() };
    let draw = move |surface: &mut CanvasSurface| {
        let (view, pointed) = (view(), model.pointed.get());
        model.merged.with(|merged| {
            model.found.with(|found| {
                draw_blocks(surface, &merged.blocks, &view, pointed, |at| look(merged, found.as_deref(), at));
            });
        });
    };
    let hit = move |event: &web_sys::MouseEvent| {
        let bounds = root.get_untracked()?.get_bounding_client_rect();
        let point = (f64::from(event.client_x()) - bounds.left(), f64::from(event.client_y()) - bounds.top());
        model.merged.with_untracked(|merged| untrack(view).hit(&merged.blocks, point))
    };
    let click = move |event: web_sys::MouseEvent| {
        let at = hit(&event);
        // A second click goes back.
        model.look(at.filter(|at| model.focus.get_untracked() != Some(*at)));
    };
    let key = move |event: web_sys::KeyboardEvent| {
        if event.ctrl_key() || event.meta_key() || event.alt_key() {
            return;
        }
        let here = model.pointed.get_untracked().or(model.focus.get_untracked());
        let next = model.merged.with_untracked(|merged| step(merged, here, &event.key()));
        match (event.key().as_str(), next) {
            ("Enter", _) => model.look(here.filter(|at| model.focus.get_untracked() != Some(*at))),
            ("Escape", _) if model.focus.get_untracked().is_some() => model.look(None),
            (_, Some(next)) => model.pointed.set(Some(next)),
            _ => return,
        }
        event.prevent_default();
    };
    let scrolled = move |_| {
        if let Some(node) = root.get_untracked() {
            scroll.set(f64::from(node.scroll_top()));
        }
    };
    let said = move || match model.pointed.get().or(model.focus.get()) {
        Some(at) => model.merged.with(|merged| {
            let kind = merged.service(at).map(|(_, kind)| format!(" ({kind})")).unwrap_or_default();
            format!("{}{kind} · {}", title(merged, at), told(merged, at))
        }),
        None => t(say::FLAME_MERGED_HINT).to_owned(),
    };
    let height = move || model.merged.with(|merged| f64::from(merged.blocks.levels()) * BLOCK_HEIGHT);
    let frame = move || format!("height:{}px", size.get().1);
    let spacer = move || format!("height:{}px;margin-top:-{}px", height(), size.get().1);
    view! {
        <p class="flame-line hint" role="status">{said}</p>
        <div class="wf" class:is-pointing=move || model.pointed.get().is_some() node_ref=root on:scroll=scrolled tabindex="0" role="application" aria-roledescription=t(say::FLAME_GRAPH) aria-label=t(say::FLAME_MERGED_LABEL)
            on:pointermove=move |event| model.pointed.set(hit(&event)) on:pointerleave=move |_| model.pointed.set(None) on:click=click on:keydown=key>
            <div class="wf-frame" style=frame><Canvas draw=draw /></div>
            <div style=spacer></div>
        </div>
    }
    .into_any()
}

/// Where a key leads from a path: down into it, up, and to those beside it.
fn step(merged: &Merged, from: Option<u32>, key: &str) -> Option<u32> {
    let blocks = &merged.blocks;
    let Some(from) = from else {
        return key.starts_with("Arrow").then(|| blocks.children(None).first().copied()).flatten();
    };
    let beside = |by: isize| {
        let all = blocks.children(blocks.parent(from));
        let place = all.iter().position(|at| *at == from)?;
        all.get(place.checked_add_signed(by)?).copied()
    };
    match key {
        "ArrowDown" => blocks.children(Some(from)).first().copied(),
        "ArrowUp" => blocks.parent(from),
        "ArrowLeft" => beside(-1),
        "ArrowRight" => beside(1),
        _ => None,
    }
}

fn look<'a>(merged: &'a Merged, found: Option<&[bool]>, at: u32) -> Look<'a> {
    let name = match merged.name(at) {
        Ok(name) => Cow::Borrowed(name),
        Err(paths) => Cow::Owned(tf(say::OTHER_PATHS, &[("n", &paths.to_string())])),
    };
    let edge = merged.ink(at);
    let (name, fill) = match merged.change(at) {
        None => (name, edge.fade(0.36)),
        Some(change) => {
            let name = merged.changed(at).map_or(name.clone(), |by| Cow::Owned(format!("{name}  {by}")));
            (name, change_ink(change))
        }
    };
    let faded = found.is_some_and(|found| !found[at as usize]);
    Look { name, edge, fill, failed: merged.failed(at), faded }
}
