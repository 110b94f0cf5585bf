//! One trace: summary, minimap, its pictures, and what a span says.

mod compare;
mod drawer;
mod field;
mod flame;
mod links;
mod logs;
mod map;
mod pin;
mod standing;
mod summary;
mod table;
mod twin;
mod views;

use crate::client::{Failure, Load, ask, load_with, unreadable};
use crate::components::icon::icon;
use crate::components::state::{Answer, chips, empty, loaded};
use crate::filters::trace_id;
use crate::nav::{Nav, nav};
use crate::opened::{self, opened};
use crate::pages::chunks::chunks;
use crate::spans::Picture;
use crate::words::{say, t, tf};
use leptos::prelude::*;
use orrery_api::{ServiceRef, Topology, Trace, TraceColumns, TraceLinks, paths};
use orrery_chart::Ink;
use orrery_chart::waterfall::{Found, View, Waterfall};
use std::sync::{Arc, Mutex};

/// An answer of the API, laid out. The page takes the picture: a million spans are not copied.
struct Laid {
    picture: Mutex<Option<Picture>>,
    partial: Option<String>,
    spans: usize,
}

impl Answer for Laid {
    fn partial(&self) -> Option<&str> {
        self.partial.as_deref()
    }
}

fn read(bytes: Vec<u8>) -> Result<Laid, Failure> {
    let columns = TraceColumns::decode(&bytes).map_err(|error| unreadable(&error))?;
    drop(bytes);
    let (partial, spans) = (columns.partial.clone(), columns.len());
    Ok(Laid { picture: Mutex::new(Some(Picture::new(columns))), partial, spans })
}

chunks! {
    /// Who called whom.
    pub(super) MAP trace_map |(model, calls): (Model, Topology)| map::map(model, calls);
}

/// `/traces/{id}`.
#[component]
pub(crate) fn TracePage(
    /// 32 hexadecimal digits, or what stands for the file of this tab.
    id: String,
) -> impl IntoView {
    if opened::PATH.ends_with(&format!("/{id}")) {
        return from_file();
    }
    let Some(id) = trace_id(&id) else { return empty(t(say::NO_TRACE_ID), None) };
    let with = nav().param(compare::WITH);
    let page = move || {
        let id = id.clone();
        view! { <div class="page page-fill trace">{match with.get() { Some(with) => compare::page(id, with), None => stored(id) }}</div> }
    };
    view! { {page} }.into_any()
}

/// The trace of a file that was opened in this tab.
fn from_file() -> AnyView {
    let file = opened().0;
    let page = move || match file.get() {
        Some(file) => {
            let trace = match crate::client::read::<Trace>(&file.answer) {
                Ok(trace) => Arc::new(trace),
                Err(failure) => return empty(failure.detail, Some(to_traces())),
            };
            let picture = Picture::new(TraceColumns::of(&trace));
            let partial = picture.partial.clone();
            let partial = partial.map(|why| view! { <span class="badge badge-warn" title=why.clone()><span aria-hidden="true">"▲"</span>{t(say::PARTIAL)}": "{why.clone()}</span> });
            let name = tf(say::FROM_FILE, &[("name", &file.name)]);
            let id = trace.trace_id.clone();
            view! { <div class="actions"><span class="badge badge-unknown badge-file">{icon("file-up")}{name}</span>{partial}</div>{body(id, picture, Some(trace))} }.into_any()
        }
        None => empty(t(say::FILE_GONE), Some(to_traces())),
    };
    view! { <div class="page page-fill trace">{page}</div> }.into_any()
}

fn to_traces() -> AnyView {
    let nav = nav();
    view! { <a class="button" href=move || nav.href("/traces", &[])>{t(say::TRACES)}</a> }.into_any()
}

fn stored(id: String) -> AnyView {
    let url = paths::TRACE_COLUMNS.replace("{trace_id}", &id);
    let trace = load_with(move || Some(ask(&url, &[])), read);
    let body = move |trace: Signal<Arc<Laid>>| {
        let id = id.clone();
        let picture = move || trace.with(|laid| laid.picture.lock().ok().and_then(|mut picture| picture.take()));
        view! { {move || picture().map(|picture| body(id.clone(), picture, None))} }.into_any()
    };
    view! {
        {chips(trace)}
        {loaded(trace, |trace: &Laid| trace.spans == 0, |_| empty(t(say::TRACE_EMPTY), None), body)}
    }
    .into_any()
}

/// `file`: where it comes from, if it is not stored.
fn body(id: String, picture: Picture, file: Option<Arc<Trace>>) -> AnyView {
    let model = Model::new(id, picture, file);
    view! {
        {summary::summary(model)}
        <section class="panel panel-fill stage" aria-label=t(say::TRACE)>
            {summary::tools(model)}
            <div class="stage-body">
                {views::shown(model)}
                {move || model.selected.get().map(|span| drawer::drawer(model, span))}
            </div>
        </section>
    }
    .into_any()
}

/// What of a trace never changes, beside its tree.
struct Facts {
    id: String,
    /// Whole spans, if it is not stored.
    file: Option<Arc<Trace>>,
    services: Vec<ServiceRef>,
    inks: Vec<Ink>,
}

/// A trace on the page.
#[derive(Clone, Copy)]
pub(super) struct Model {
    nav: Nav,
    /// Which picture.
    shown: Memo<views::Shown>,
    facts: StoredValue<Facts>,
    /// The tree and what is folded.
    waterfall: RwSignal<Waterfall>,
    /// What is on screen; set once the field has a size.
    view: RwSignal<Option<View>>,
    /// Index of the chosen span.
    selected: Memo<Option<u32>>,
    /// Row under the pointer.
    hovered: RwSignal<Option<usize>>,
    /// Spans that a search found.
    found: Memo<Option<Found>>,
    search: RwSignal<String>,
    critical: Memo<bool>,
    /// Whether log records stand between the spans.
    inline: Memo<bool>,
    /// Who links to it.
    links: Load<TraceLinks>,
}

impl Model {
    fn new(id: String, picture: Picture, file: Option<Arc<Trace>>) -> Model {
        let nav = nav();
        let waterfall = RwSignal::new(picture.waterfall);
        let span = nav.param("span");
        let critical = nav.param("path");
        let search = RwSignal::new(String::new());
        let of_id = move |id: String| {
            let id = u64::from_str_radix(&id, 16).ok()?;
            waterfall
                .with_untracked(|waterfall| (0..waterfall.len() as u32).find(|span| waterfall.span(*span).id == id))
        };
        let selected = Memo::new(move |_| span.get().and_then(of_id));
        let shown = nav.param("view");
        let inline = nav.param("logs");
        let links = links::load_of(file.is_none().then_some(id.as_str()));
        let model = Model {
            nav,
            shown: Memo::new(move |_| views::Shown::of(shown.get().as_deref())),
            facts: StoredValue::new(Facts { id, file, services: picture.services, inks: picture.inks }),
            waterfall,
            view: RwSignal::new(None),
            selected,
            hovered: RwSignal::new(None),
            // Words do not change with what is folded.
            found: Memo::new(move |_| {
                search.with(|search| waterfall.with_untracked(|waterfall| waterfall.search(search)))
            }),
            search,
            critical: Memo::new(move |_| critical.get().as_deref() != Some("off")),
            inline: Memo::new(move |_| inline.get().as_deref() == Some("on")),
            links,
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

    /// Whether it is from a file, of which the server knows nothing.
    fn is_file(self) -> bool {
        self.facts.with_value(|facts| facts.file.is_some())
    }

    /// Style of a swatch in a service's colour.
    fn swatch(self, service: u32) -> String {
        let ink = self.facts.with_value(|facts| facts.inks.get(service as usize).map(|ink| ink.token.css_var()));
        format!("background:{}", ink.unwrap_or("var(--text-3)"))
    }

    fn select(self, span: Option<u32>) {
        let id = |span| self.waterfall.with_untracked(|waterfall| format!("{:016x}", waterfall.span(span).id));
        self.nav.replace(&[("span", span.map(id))]);
    }

    /// Opens what hides a span and scrolls to it.
    fn show(self, span: u32) {
        let row_of = |waterfall: &Waterfall| waterfall.row_of(span).map(|row| (row, waterfall.rows()[row]));
        let shown = self.waterfall.with_untracked(row_of);
        if shown.is_none_or(|(_, row)| row.span != span || row.folded > 0) {
            self.waterfall.update(|waterfall| {
                waterfall.reveal(span);
            });
        }
        if let Some((row, _)) = self.waterfall.with_untracked(row_of) {
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
            let rows = waterfall.rows();
            let last = rows.len() as i64 - 1;
            let mut at =
                self.row().map_or(if by > 0 { 0 } else { last }, |row| (row as i64 + by).clamp(0, last)).max(0);
            // Log records are passed over.
            let is_log = |at: i64| rows.get(at as usize).is_some_and(|row| row.log.is_some());
            while is_log(at) && (0..=last).contains(&(at + by.signum())) {
                at += by.signum();
            }
            rows.get(at as usize).map(|row| row.span)
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

    /// Chooses the next failed span, or the one before.
    fn error(self, forward: bool) {
        let now = self.selected.get_untracked();
        let next = self.waterfall.with_untracked(|waterfall| {
            if forward { waterfall.next_error(now) } else { waterfall.previous_error(now) }
        });
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
        let next = self.found.with_untracked(|found| {
            found.as_ref().and_then(|found| self.waterfall.with_untracked(|waterfall| waterfall.next_found(found, now)))
        });
        if next.is_some() {
            self.select(next);
        }
    }
}
