//! One trace: summary, minimap, waterfall, and what a span says.

mod drawer;
mod field;
mod summary;
mod twin;

use crate::client::{ask, load};
use crate::components::state::{chips, empty, loaded};
use crate::filters::trace_id;
use crate::nav::{Nav, nav};
use crate::spans::{inks, waterfall};
use crate::words::{say, t};
use leptos::prelude::*;
use orrery_api::{Trace, paths};
use orrery_chart::Ink;
use orrery_chart::waterfall::{View, Waterfall};
use std::collections::HashSet;
use std::sync::Arc;

/// `/traces/{id}`.
#[component]
pub(crate) fn TracePage(
    /// 32 hexadecimal digits.
    id: String,
) -> impl IntoView {
    let Some(id) = trace_id(&id) else { return empty(t(say::NO_TRACE_ID), None) };
    let trace = load::<Trace>(move || Some(ask(&format!("{}/{id}", paths::TRACES), &[])));
    view! {
        <div class="page page-fill trace">
            {chips(trace)}
            {loaded(trace, |trace: &Trace| trace.spans.is_empty(), |_| empty(t(say::TRACE_EMPTY), None), |trace| view! { {move || body(trace.get())} }.into_any())}
        </div>
    }
    .into_any()
}

fn body(trace: Arc<Trace>) -> AnyView {
    let model = Model::new(trace);
    view! {
        {summary::summary(model)}
        <section class="panel panel-fill stage" aria-label=t(say::WATERFALL)>
            {summary::tools(model)}
            <div class="stage-body">
                <div class="wf-column">{field::minimap(model)}{field::field(model)}</div>
                {move || model.selected.get().map(|span| drawer::drawer(model, span))}
            </div>
        </section>
    }
    .into_any()
}

/// A trace on the page.
#[derive(Clone, Copy)]
struct Model {
    nav: Nav,
    trace: StoredValue<Arc<Trace>>,
    inks: StoredValue<Arc<Vec<Ink>>>,
    /// The tree and what is folded.
    waterfall: RwSignal<Waterfall>,
    /// What is on screen; set once the field has a size.
    view: RwSignal<Option<View>>,
    /// Index of the chosen span.
    selected: Memo<Option<u32>>,
    /// Row under the pointer.
    hovered: RwSignal<Option<usize>>,
    /// Spans that a search found.
    found: Memo<HashSet<u32>>,
    search: RwSignal<String>,
    critical: Memo<bool>,
}

impl Model {
    fn new(trace: Arc<Trace>) -> Model {
        let nav = nav();
        let waterfall = RwSignal::new(waterfall(&trace));
        let span = nav.param("span");
        let critical = nav.param("path");
        let search = RwSignal::new(String::new());
        let of_id = {
            let trace = trace.clone();
            move |id: String| trace.spans.iter().position(|span| span.span_id == id).map(|at| at as u32)
        };
        let selected = Memo::new(move |_| span.get().and_then(&of_id));
        let model = Model {
            nav,
            inks: StoredValue::new(Arc::new(inks(&trace))),
            trace: StoredValue::new(trace),
            waterfall,
            view: RwSignal::new(None),
            selected,
            hovered: RwSignal::new(None),
            found: Memo::new(move |_| {
                search.with(|search| waterfall.with(|waterfall| waterfall.search(search).into_iter().collect()))
            }),
            search,
            critical: Memo::new(move |_| critical.get().as_deref() != Some("off")),
        };
        // What is chosen is on screen, whoever chose it.
        let ready = Memo::new(move |_| model.view.with(Option::is_some));
        Effect::new(move |_| {
            if let (true, Some(span)) = (ready.get(), model.selected.get()) {
                model.show(span);
            }
        });
        model
    }

    fn select(self, span: Option<u32>) {
        let id = span.and_then(|span| {
            self.trace.with_value(|trace| trace.spans.get(span as usize).map(|span| span.span_id.clone()))
        });
        self.nav.replace(&[("span", id)]);
    }

    /// Opens what hides a span and scrolls to it.
    fn show(self, span: u32) {
        let hidden = self
            .waterfall
            .with_untracked(|waterfall| !waterfall.rows().iter().any(|row| row.span == span && row.folded == 0));
        if hidden {
            self.waterfall.update(|waterfall| {
                waterfall.reveal(span);
            });
        }
        if let Some(row) = self.waterfall.with_untracked(|waterfall| waterfall.row_of(span)) {
            self.view.update(|view| *view = view.map(|view| view.scrolled_to(row)));
        }
    }

    /// Row of what is chosen.
    fn row(self) -> Option<usize> {
        let span = self.selected.get_untracked()?;
        self.waterfall.with_untracked(|waterfall| waterfall.row_of(span))
    }

    /// Chooses the row so many further down.
    fn step(self, by: i64) {
        let next = self.waterfall.with_untracked(|waterfall| {
            let last = waterfall.rows().len() as i64 - 1;
            let at = self.row().map_or(if by > 0 { 0 } else { last }, |row| (row as i64 + by).clamp(0, last));
            waterfall.rows().get(at.max(0) as usize).map(|row| row.span)
        });
        self.select(next);
    }

    /// Chooses the sibling before or after.
    fn sibling(self, after: bool) {
        let Some(span) = self.selected.get_untracked() else { return self.step(1) };
        let next = self.waterfall.with_untracked(|waterfall| {
            let siblings: Vec<u32> =
                waterfall.parent(span).map(|parent| waterfall.children(parent).collect()).unwrap_or_default();
            let at = siblings.iter().position(|sibling| *sibling == span)?;
            let next = if after { at.checked_add(1) } else { at.checked_sub(1) }?;
            siblings.get(next).copied()
        });
        if next.is_some() {
            self.select(next);
        }
    }

    /// Chooses the next failed span.
    fn next_error(self) {
        let next = self.waterfall.with_untracked(|waterfall| waterfall.next_error(self.selected.get_untracked()));
        if next.is_some() {
            self.select(next);
        }
    }

    /// Opens or closes the chosen row.
    fn fold(self, open: bool) {
        let Some(row) = self.row() else { return };
        let shown = self.waterfall.with_untracked(|waterfall| waterfall.rows()[row]);
        let is_open =
            self.waterfall.with_untracked(|waterfall| shown.folded == 0 && !waterfall.is_collapsed(shown.span));
        if is_open != open {
            self.waterfall.update(|waterfall| waterfall.toggle(row));
        } else if !open {
            let parent = self.waterfall.with_untracked(|waterfall| waterfall.parent(shown.span));
            if parent.is_some() {
                self.select(parent);
            }
        }
    }

    /// Chooses the next span that the search found.
    fn next_found(self) {
        let now = self.selected.get_untracked();
        let next = self.waterfall.with_untracked(|waterfall| {
            let found = waterfall.search(&self.search.get_untracked());
            let at = now.and_then(|now| found.iter().position(|span| *span == now)).map_or(0, |at| at + 1);
            found.get(at).or(found.first()).copied()
        });
        if next.is_some() {
            self.select(next);
        }
    }
}
