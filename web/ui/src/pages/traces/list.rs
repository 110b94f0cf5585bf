//! Found traces, page after page, each with the spans that matched.

use super::file::Reading;
use super::{file, params, row, views};
use crate::canvas::watch_size;
use crate::client::{Ask, Busy, Failure, Flight, Load, ask, get, load};
use crate::components::icon::icon;
use crate::components::panel::panel;
use crate::components::query::Query;
use crate::components::state::{empty, failed};
use crate::figures::range_label;
use crate::found::{Row, Rows};
use crate::nav::nav;
use crate::pages::later;
use crate::range::{TimeRange, Window};
use crate::scope::{Scope, scope};
use crate::words::{Phrase, say, t, tf};
use leptos::html;
use leptos::prelude::*;
use orrery_api::{TraceList, TraceSummary, paths};
use orrery_chart::grouped;
use std::sync::Arc;

/// Traces per page, and spans of each.
const PAGE: &str = "100";
const SPANS: &str = "3";
/// Rows beyond the visible ones, above and below; the next page is asked for when that few are left.
const MARGIN: usize = 12;

/// Orders of the list, as the API and the address call them.
const ORDERS: [&str; 4] = ["time", "duration", "errors", "spans"];

/// What was found so far.
#[derive(Clone, Copy)]
struct Found {
    query: Query,
    scope: Scope,
    first: Load<TraceList>,
    traces: RwSignal<Vec<Arc<TraceSummary>>>,
    /// For the next page.
    cursor: RwSignal<Option<String>>,
    /// The window stands still once there is more than a page.
    window: RwSignal<Option<Window>>,
    order: Memo<&'static str>,
    failure: RwSignal<Option<Failure>>,
    flight: RwSignal<Option<Flight>, LocalStorage>,
    /// Chosen to be compared, the later one last.
    picked: RwSignal<Vec<Arc<TraceSummary>>>,
}

impl Found {
    fn start(query: Query, refused: RwSignal<Option<Failure>>) -> Found {
        let (nav, scope) = (nav(), scope());
        let sort = nav.param("sort");
        let order = Memo::new(move |_| {
            let asked = sort.get();
            ORDERS.into_iter().find(|order| asked.as_deref() == Some(order)).unwrap_or("time")
        });
        let window = RwSignal::new(None);
        let request = move || {
            let mut params = params(query, scope, window.get().unwrap_or_else(|| scope.window.get()));
            params.extend([("sort", order.get().to_owned()), ("limit", PAGE.to_owned()), ("spans", SPANS.to_owned())]);
            ask(paths::TRACES, &params).chosen(scope.range.get())
        };
        let found = Found {
            query,
            scope,
            first: load::<TraceList>(move || Some(request())),
            traces: RwSignal::new(Vec::new()),
            cursor: RwSignal::new(None),
            window,
            order,
            failure: RwSignal::new(None),
            flight: RwSignal::new_local(None),
            picked: RwSignal::new(Vec::new()),
        };
        Effect::new(move |_| {
            query.asked.track();
            query.again.track();
            scope.range.track();
            scope.environment.track();
            order.track();
            found.window.set(None);
            found.flight.set(None);
            found.failure.set(None);
        });
        Effect::new(move |_| {
            if let Some(list) = found.first.data.get() {
                // A page still under way continues another list.
                found.flight.set(None);
                found.traces.set(list.traces.iter().cloned().map(Arc::new).collect());
                found.cursor.set(list.next_cursor.clone());
            }
        });
        Effect::new(move |_| refused.set(found.first.progress.failure.get()));
        found
    }

    fn is_busy(self) -> bool {
        self.flight.with(Option::is_some)
    }

    /// Another question was asked, with no answer yet: what is here is not what its pages continue.
    fn is_changing(self) -> bool {
        let progress = self.first.progress;
        matches!(progress.busy.get(), Busy::Change(_)) || progress.failure.with(Option::is_some)
    }

    /// Asks for the next page; the list stands still from then on.
    fn more(self) {
        let Some(cursor) = self.cursor.get_untracked().filter(|_| !untrack(|| self.is_busy() || self.is_changing()))
        else {
            return;
        };
        let window = self.window.get_untracked().unwrap_or_else(|| self.scope.window.get_untracked());
        self.window.set(Some(window));
        self.first.progress.cancel();
        self.failure.set(None);
        let done = move |answer: Result<TraceList, Failure>| {
            match answer {
                Ok(page) => {
                    self.cursor.set(page.next_cursor);
                    self.traces.update(|traces| traces.extend(page.traces.into_iter().map(Arc::new)));
                }
                Err(failure) => self.failure.set(Some(failure)),
            }
            self.flight.set(None);
        };
        self.flight.set(Some(get(&self.page(window, cursor), done)));
    }

    fn page(self, window: Window, cursor: String) -> Ask {
        untrack(|| {
            let mut params = params(self.query, self.scope, window);
            params.extend([
                ("sort", self.order.get().to_owned()),
                ("limit", PAGE.to_owned()),
                ("spans", SPANS.to_owned()),
            ]);
            params.push(("cursor", cursor));
            ask(paths::TRACES, &params)
        })
    }
}

/// Found traces one by one.
pub(super) fn list(query: Query, refused: RwSignal<Option<Failure>>, reading: Reading) -> AnyView {
    let found = Found::start(query, refused);
    let asked = nav().param("spans");
    let spans = Memo::new(move |_| match asked.get().as_deref() {
        Some("on") => true,
        Some(_) => false,
        None => query.asked.with(|asked| !asked.is_empty()),
    });
    let nothing = move |_: &TraceList| nothing(query);
    let head = view! { {views::switch()}{comparison(found)}{counted(found)}{toggle(spans)}{super::in_sql(query, None)}{later(super::TOOLS, query)}{file::button(reading)} }.into_any();
    let blank = |list: &TraceList| list.traces.is_empty();
    panel(t(say::TRACES), Some(head), found.first, blank, nothing, move |_| {
        view! { <Table found=found spans=spans /> }.into_any()
    })
}

/// How much is here, and whether that is all.
fn counted(found: Found) -> AnyView {
    let text = move || {
        found.first.data.with(Option::is_some).then_some(())?;
        let (traces, spans) = found
            .traces
            .with(|traces| (traces.len(), traces.iter().map(|trace| trace.matched_span_count).sum::<u64>()));
        let more = found.cursor.with(Option::is_some);
        let phrase = if more { say::FOUND_SO_FAR } else { say::FOUND };
        Some(tf(phrase, &[("traces", &grouped(traces)), ("spans", &grouped(spans as usize))]))
    };
    view! { <span class="hint" role="status">{text}</span> }.into_any()
}

/// Of two chosen traces the way to their comparison: the later one beside the earlier.
fn comparison(found: Found) -> AnyView {
    let nav = nav();
    let shown = move || {
        let mut picked = found.picked.get();
        picked.sort_by_key(|trace| trace.start_time_unix_nano);
        let clear = view! { <button type="button" class="icon-button icon-button-small" aria-label=t(say::CANCEL) title=t(say::CANCEL) on:click=move |_| found.picked.set(Vec::new())>{icon("x")}</button> };
        match &picked[..] {
            [] => ().into_any(),
            [_] => view! { <span class="hint" role="status">{t(say::COMPARE_PICK_SECOND)}</span>{clear} }.into_any(),
            [before, .., now] => {
                let (path, with) = (format!("/traces/{}", now.trace_id), before.trace_id.clone());
                view! { <a class="button" href=move || nav.href(&path, &[("with", &with)])>{icon("diff")}{t(say::COMPARE_TWO)}</a>{clear} }.into_any()
            }
        }
    };
    view! { {shown} }.into_any()
}

fn toggle(spans: Memo<bool>) -> AnyView {
    let nav = nav();
    let click = move |_| nav.replace(&[("spans", Some(if spans.get_untracked() { "off" } else { "on" }.to_owned()))]);
    view! { <button type="button" class="button button-quiet" aria-pressed=move || spans.get().to_string() on:click=click>{t(say::MATCHING_SPANS)}</button> }
        .into_any()
}

/// Why nothing was found, and what next.
pub(super) fn nothing(query: Query) -> AnyView {
    let nav = nav();
    if query.asked.with_untracked(String::is_empty) {
        return crate::pages::services::no_telemetry();
    }
    let range = scope().range.get_untracked();
    let day = view! { <button type="button" class="button" on:click=move |_| nav.set_range(TimeRange::Last(86_400))>{t(say::SHOW_LAST_DAY)}</button> };
    let clear = view! { <button type="button" class="button" on:click=move |_| query.ask("")>{t(say::SHOW_ALL_TRACES)}</button> };
    let next =
        view! { <div class="actions">{(range != TimeRange::Last(86_400)).then_some(day)}{clear}</div> }.into_any();
    empty(tf(say::NO_TRACES, &[("range", &range_label(range))]), Some(next))
}

/// The head of a column the list can be in order of: always the greatest first.
fn head(name: Phrase, order: &'static str, class: &'static str, found: Found) -> AnyView {
    let nav = nav();
    let here = move || found.order.get() == order;
    let click = move |_| nav.set(&[("sort", (order != ORDERS[0]).then(|| order.to_owned()))]);
    view! {
        <th scope="col" class=class aria-sort=move || if here() { "descending" } else { "none" }>
            <button type="button" class="sort" on:click=click>{t(name)}<span class="sort-mark" aria-hidden="true">{move || if here() { "↓" } else { "" }}</span></button>
        </th>
    }
    .into_any()
}

#[component]
fn Table(found: Found, spans: Memo<bool>) -> impl IntoView {
    let root = NodeRef::<html::Div>::new();
    let (top, size) = (RwSignal::new(0.0), watch_size(root));
    let rows = Memo::new(move |_| found.traces.with(|traces| Arc::new(Rows::new(traces, spans.get()))));
    let columns =
        Memo::new(move |_| found.query.says.with(|says| if spans.get() { says.columns.clone() } else { Vec::new() }));
    let longest = Memo::new(move |_| {
        found.traces.with(|traces| traces.iter().map(|trace| trace.duration_nanos.0).max().unwrap_or(1).max(1))
    });
    let visible = Memo::new(move |_| rows.with(|rows| rows.visible(top.get(), size.get().1, MARGIN)));
    Effect::new(move |_| {
        let (last, all) = (visible.get().end, rows.with(|rows| rows.all().len()));
        if all > 0
            && last + MARGIN >= all
            && size.get().1 > 0.0
            && found.failure.with(Option::is_none)
            && !found.is_busy()
            && !found.is_changing()
        {
            found.more();
        }
    });
    // Another question begins at its top.
    Effect::new(move |before: Option<(String, &'static str)>| {
        let now = (found.query.asked.get(), found.order.get());
        if before.is_some_and(|before| before != now)
            && let Some(root) = root.get_untracked()
        {
            root.set_scroll_top(0);
        }
        now
    });
    let scrolled = move |_| {
        if let Some(node) = root.get_untracked() {
            top.set(f64::from(node.scroll_top()));
        }
    };
    let shown = move || {
        let columns = columns.get();
        rows.with(|rows| rows.all()[visible.get()].iter().map(|row| (row.clone(), columns.clone())).collect::<Vec<_>>())
    };
    let key = |(row, columns): &(Row, Vec<String>)| format!("{} {}", row.key(), columns.join(" "));
    let gap = move |height: f64| format!("height:{height}px");
    let above = move || gap(rows.with(|rows| rows.above(visible.get().start)));
    let below = move || gap(rows.with(|rows| rows.below(visible.get().end)));
    let heads = move || {
        let head = |name: String| view! { <th scope="col" class="col-field mono" title=name.clone()>{crate::figures::middle(&name, 28)}</th> };
        columns.get().into_iter().map(head).collect_view()
    };
    let end = move || {
        if let Some(failure) = found.failure.get() {
            return failed(&failure, move || found.more());
        }
        found
            .cursor
            .with(Option::is_some)
            .then(|| view! { <p class="more hint" role="status">{t(say::LOADING)}</p> })
            .into_any()
    };
    view! {
        <div class="lines found-lines" node_ref=root on:scroll=scrolled tabindex="0" role="group" aria-label=t(say::TRACES)>
            <table class="table table-found" class:has-fields=move || columns.with(|columns| !columns.is_empty()) style=move || format!("--fields:{}", columns.with(Vec::len)) aria-rowcount=move || rows.with(|rows| rows.all().len()).to_string()>
                <thead><tr>
                    {head(say::TIME, "time", "col-time", found)}
                    <th scope="col">{t(say::TRACE)}</th>
                    {head(say::DURATION, "duration", "col-duration", found)}
                    {head(say::SPANS, "spans", "num col-count col-mid", found)}
                    {head(say::ERRORS, "errors", "num col-count", found)}
                    {heads}
                    <th scope="col" class="col-services col-wide">{t(say::SERVICES)}</th>
                </tr></thead>
                <tbody>
                    <tr aria-hidden="true" class="gap" style=above></tr>
                    <For each=shown key=key children=move |(row, columns)| row::row(&row, &columns, longest, spans, found.picked) />
                    <tr aria-hidden="true" class="gap" style=below></tr>
                </tbody>
            </table>
            {end}
        </div>
    }
}
