//! Log records: a histogram by level, a virtual list, live tail.

use crate::client::live::{NewLogs, live};
use crate::client::{ask, load};
use crate::components::attributes::{attributes, row, text};
use crate::components::chart::{TimeChart, legend};
use crate::components::copy::Copy;
use crate::components::filter::FilterBar;
use crate::components::flags::as_asked;
use crate::components::icon::icon;
use crate::components::open_in_sql::open_in_sql;
use crate::components::outside::outside;
use crate::components::panel::panel;
use crate::components::state::{chips, empty, loaded};
use crate::figures::{date_time, time_millis, utc_offset};
use crate::filters::{Filter, NAMES, filters, query};
use crate::nav::nav;
use crate::outside::Subject;
use crate::scope::scope;
use crate::sql;
use crate::words::{say, t, tf};
use leptos::html;
use leptos::prelude::*;
use orrery_api::{LinkOn, LiveRequest, LogHistogram, LogList, LogRecord, paths};
use orrery_chart::{ChartSpec, Histogram, Level};
use std::collections::VecDeque;
use std::sync::Arc;

/// Height of a collapsed line, CSS pixels.
const LINE: f64 = 26.0;
/// Lines drawn above and below what is visible.
const MARGIN: usize = 12;
/// Records kept while tailing; older ones go.
const KEPT: usize = 2_000;
/// How many newer records a new one may stand behind.
const LATE: usize = 300;
/// Records asked for at once.
const PAGE: &str = "500";

/// Live records, newest first, and what the reader does with them.
#[derive(Clone, Copy)]
struct Tail {
    records: RwSignal<VecDeque<Arc<LogRecord>>>,
    waiting: RwSignal<Vec<Arc<LogRecord>>>,
    paused: RwSignal<bool>,
    skipped: RwSignal<u64>,
}

/// `/logs`.
#[component]
pub(crate) fn Logs() -> impl IntoView {
    let (nav, scope) = (nav(), scope());
    let filters = Memo::new(move |_| query(&nav.place().params));
    let query = move || {
        let window = scope.window.get();
        let mut query = vec![("from", window.from.to_string()), ("to", window.to.to_string())];
        query.extend(filters.get());
        query.extend(
            scope.environment.get().map(|environment| ("attr", format!("deployment.environment.name={environment}"))),
        );
        query
    };
    let histogram = load::<LogHistogram>(move || {
        let mut query = query();
        query.push(("buckets", "80".to_owned()));
        Some(ask(paths::LOG_HISTOGRAM, &query).chosen(scope.range.get()))
    });
    let tail = Tail {
        records: RwSignal::new(VecDeque::new()),
        waiting: RwSignal::new(Vec::new()),
        paused: RwSignal::new(false),
        skipped: RwSignal::new(0),
    };
    let chosen = Memo::new(move |_| (filters.get(), scope.range.get(), scope.environment.get(), scope.live.get()));
    // While the tail runs, the list is loaded once: the tail brings what is new.
    let list = load::<LogList>(move || {
        chosen.track();
        let mut query = untrack(query);
        query.push(("limit", PAGE.to_owned()));
        Some(ask(paths::LOGS, &query).chosen(scope.range.get()))
    });
    tail.follow(list, filters);
    let nothing = move |_: &LogList| {
        if tail.records.with(VecDeque::is_empty) {
            no_logs(filters.with_untracked(Vec::is_empty))
        } else {
            ().into_any()
        }
    };
    view! {
        <div class="page page-fill">
            <FilterBar />
            {panel(t(say::LOGS_BY_LEVEL), Some(in_sql(sql::log_levels)), histogram, |_| false, |_| ().into_any(), charted)}
            <section class="panel panel-fill" aria-label=t(say::LOGS)>
                <header class="panel-head"><h2>{t(say::LOGS)}</h2>{chips(list)}<span class="grow"></span>{in_sql(sql::log_records)}{controls(tail)}</header>
                {loaded(list, move |list: &LogList| list.logs.is_empty() && tail.records.with(VecDeque::is_empty), nothing, move |_| view! { <Lines tail=tail /> }.into_any())}
            </section>
        </div>
    }
}

/// A link to the same in SQL.
fn in_sql(statement: fn(&[Filter], Option<&str>) -> String) -> AnyView {
    let (nav, scope) = (nav(), scope());
    open_in_sql(move || statement(&filters(&nav.place().params), scope.environment.get().as_deref()))
}

impl Tail {
    fn follow(self, list: crate::client::Load<LogList>, filters: Memo<Vec<(&'static str, String)>>) {
        let scope = scope();
        Effect::new(move |_| {
            if let Some(list) = list.data.get() {
                self.records.set(list.logs.iter().cloned().map(Arc::new).collect());
                self.waiting.set(Vec::new());
                self.skipped.set(0);
            }
        });
        let of = |filters: &[(&str, String)], name: &str| {
            filters.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone())
        };
        let request = move || {
            let environment = scope.environment.get().map(|name| format!("deployment.environment.name={name}"));
            scope.live.get().then(|| {
                filters.with(|filters| LiveRequest::Logs {
                    service: of(filters, "service"),
                    severity: of(filters, "severity"),
                    text: of(filters, "text"),
                    trace_id: of(filters, "trace_id"),
                    attr: filters
                        .iter()
                        .filter(|(key, _)| *key == "attr")
                        .map(|(_, value)| value.clone())
                        .chain(environment)
                        .collect(),
                })
            })
        };
        live().subscribe("logs", request, move |new: NewLogs| {
            self.skipped.update(|count| *count += new.skipped);
            self.receive(new.logs);
        });
    }

    fn receive(self, logs: Vec<LogRecord>) {
        let logs = logs.into_iter().map(Arc::new);
        if self.paused.get_untracked() {
            self.waiting.update(|waiting| {
                waiting.extend(logs);
                let excess = waiting.len().saturating_sub(KEPT);
                waiting.drain(..excess);
            });
        } else {
            self.records.update(|records| {
                logs.for_each(|log| put(records, log));
                records.truncate(KEPT);
            });
        }
    }

    fn resume(self) {
        self.paused.set(false);
        let waiting = self.waiting.get_untracked();
        self.waiting.set(Vec::new());
        self.records.update(|records| {
            waiting.into_iter().for_each(|log| put(records, log));
            records.truncate(KEPT);
        });
    }
}

/// Puts a new record among the newest: senders are not equally quick.
fn put(records: &mut VecDeque<Arc<LogRecord>>, log: Arc<LogRecord>) {
    let newer = |record: &&Arc<LogRecord>| record.time_unix_nano > log.time_unix_nano;
    let place = records.iter().take(LATE).take_while(newer).count();
    records.insert(place, log);
}

fn charted(histogram: Signal<Arc<LogHistogram>>) -> AnyView {
    let spec = Memo::new(move |_| histogram.with(|histogram| spec(histogram)));
    view! { <div class="panel-body"><TimeChart spec=spec height=104.0 about=as_asked() />{legend(spec)}</div> }
        .into_any()
}

fn spec(histogram: &LogHistogram) -> ChartSpec {
    let level = |name: &str| Level::ALL.into_iter().find(|level| level.name() == name).unwrap_or(Level::Unset);
    let counts = histogram
        .buckets
        .iter()
        .flat_map(|bucket| bucket.counts.iter().map(|(name, count)| (bucket.time_unix_nano.0, level(name), *count)))
        .collect();
    Histogram {
        title: t(say::LOGS_BY_LEVEL).to_owned(),
        from: histogram.range.from.0,
        to: histogram.range.to.0,
        step: histogram.step_nanos.0,
        utc_offset_minutes: utc_offset(),
        counts,
    }
    .spec()
}

fn no_logs(unfiltered: bool) -> AnyView {
    if unfiltered {
        return super::services::no_telemetry();
    }
    let nav = nav();
    let clear = move |_| nav.set(&NAMES.map(|name| (name, None)));
    let clear =
        view! { <button type="button" class="button" on:click=clear>{t(say::CLEAR_FILTERS)}</button> }.into_any();
    empty(tf(say::NO_LOGS, &[("range", &crate::figures::range_label(scope().range.get_untracked()))]), Some(clear))
}

fn controls(tail: Tail) -> AnyView {
    let scope = scope();
    let waiting = move || tail.waiting.with(Vec::len);
    let skipped = move || {
        (tail.skipped.get() > 0).then(|| view! { <span class="badge badge-warn"><span aria-hidden="true">"▲"</span>{tf(say::SKIPPED, &[("n", &tail.skipped.get().to_string())])}</span> })
    };
    let toggle = move |_| if tail.paused.get_untracked() { tail.resume() } else { tail.paused.set(true) };
    view! {
        {skipped}
        <Show when={move || waiting() > 0}>
            <button type="button" class="pill" on:click=move |_| tail.resume()>{move || tf(say::NEW_RECORDS, &[("n", &waiting().to_string())])}" ↑"</button>
        </Show>
        <Show when=move || scope.live.get()>
            <button type="button" class="button" aria-pressed=move || tail.paused.get().to_string() on:click=toggle>
                {move || if tail.paused.get() { view! { {icon("play")}{t(say::RESUME)} }.into_any() } else { view! { {icon("pause")}{t(say::PAUSE)} }.into_any() }}
            </button>
        </Show>
    }
    .into_any()
}

/// The list: only what is visible is in the page. One record can be open; it takes the room it needs.
#[component]
fn Lines(tail: Tail) -> impl IntoView {
    let root = NodeRef::<html::Div>::new();
    let (top, height) = (RwSignal::new(0.0), crate::canvas::watch_size(root));
    let open = RwSignal::new(None::<Arc<LogRecord>>);
    let scrolled = move |_| {
        let Some(node) = root.get_untracked() else { return };
        top.set(f64::from(node.scroll_top()));
        // Reading older lines pauses the tail; at the top it runs again.
        if node.scroll_top() > 40 && scope().live.get_untracked() {
            tail.paused.set(true);
        }
    };
    let count = Memo::new(move |_| tail.records.with(VecDeque::len));
    let first = Memo::new(move |_| ((top.get() / LINE) as usize).saturating_sub(MARGIN));
    let last = Memo::new(move |_| (((top.get() + height.get().1) / LINE) as usize + MARGIN).min(count.get()));
    let shown = move || {
        tail.records.with(|records| {
            records.range(first.get().min(records.len())..last.get().min(records.len())).cloned().collect::<Vec<_>>()
        })
    };
    let toggle = move |record: Arc<LogRecord>| {
        open.update(|open| {
            *open = if open.as_ref().is_some_and(|open| Arc::ptr_eq(open, &record)) { None } else { Some(record) }
        });
        // What is being read must not move away.
        if open.with_untracked(Option::is_some) {
            tail.paused.set(true);
        }
    };
    view! {
        <div class="lines" node_ref=root on:scroll=scrolled tabindex="0" role="group" aria-label=t(say::LOGS)>
            <ul class="lines-list" style=move || format!("padding-top:{}px;padding-bottom:{}px", first.get() as f64 * LINE, count.get().saturating_sub(last.get()) as f64 * LINE)>
                <For each=shown key=|record| Arc::as_ptr(record) as usize children=move |record| line(record, open, toggle) />
            </ul>
        </div>
    }
}

fn line(
    record: Arc<LogRecord>,
    open: RwSignal<Option<Arc<LogRecord>>>,
    toggle: impl Fn(Arc<LogRecord>) + Copy + 'static,
) -> AnyView {
    let is_open = {
        let record = record.clone();
        Memo::new(move |_| open.with(|open| open.as_ref().is_some_and(|open| Arc::ptr_eq(open, &record))))
    };
    let (click, shown) = (record.clone(), record.clone());
    view! {
        <li class="line" class:is-open=move || is_open.get()>
            <button type="button" class="line-row" aria-expanded=move || is_open.get().to_string() on:click=move |_| toggle(click.clone())>
                <span class="line-time mono">{time_millis(record.time_unix_nano.0)}</span>
                {level(&record)}
                <span class="line-service">{record.service.name.clone()}</span>
                <span class="line-body mono">{body(&record)}</span>
            </button>
            {move || is_open.get().then(|| details(&shown))}
        </li>
    }
    .into_any()
}

/// A level: glyph, colour and word.
pub(crate) fn level(record: &LogRecord) -> AnyView {
    let (class, glyph) = match record.severity_number {
        17.. => ("level is-err", "◆"),
        13..=16 => ("level is-warn", "▲"),
        9..=12 => ("level", "●"),
        _ => ("level is-quiet", "○"),
    };
    let word = if record.severity == "unspecified" { "–".to_owned() } else { record.severity.clone() };
    view! { <span class=class><span aria-hidden="true">{glyph}</span>{word}</span> }.into_any()
}

/// A record's body in one line.
pub(crate) fn body(record: &LogRecord) -> String {
    let text = text(&record.body);
    let text = if text.is_empty() || text == "null" { record.event_name.clone() } else { text };
    text.replace('\n', " ⏎ ")
}

fn details(record: &LogRecord) -> AnyView {
    let nav = nav();
    let pretty = match &record.body {
        serde_json::Value::String(text) => serde_json::from_str::<serde_json::Value>(text)
            .ok()
            .filter(serde_json::Value::is_object)
            .and_then(|value| serde_json::to_string_pretty(&value).ok())
            .unwrap_or_else(|| text.clone()),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    };
    let whole = serde_json::to_string_pretty(record).unwrap_or_default();
    let trace = record.trace_id.clone().map(|id| {
        let span = record.span_id.clone().unwrap_or_default();
        view! { <a class="button" href=move || nav.href(&format!("/traces/{id}"), &[("span", &span)])>{icon("chart-gantt")}{t(say::SHOW_TRACE)}</a> }
    });
    let around = {
        let at = record.time_unix_nano.0 / 1_000_000;
        let service = record.service.id.clone();
        move |_| {
            nav.set(&[
                ("from", Some((at - 30_000).to_string())),
                ("to", Some((at + 30_000).to_string())),
                ("range", None),
                ("severity", None),
                ("text", None),
                ("service", Some(service.clone())),
            ])
        }
    };
    let subject = Subject {
        trace_id: record.trace_id.clone(),
        span_id: record.span_id.clone(),
        name: (!record.event_name.is_empty()).then(|| record.event_name.clone()),
        service: Some(record.service.clone()),
        time: (record.time_unix_nano.0, record.time_unix_nano.0),
        attributes: vec![record.attributes.clone(), record.resource.clone()],
    };
    view! {
        <div class="line-details">
            <div class="actions">{trace}{outside(LinkOn::Log, move || subject.clone())}<button type="button" class="button" on:click=around>{icon("clock")}{t(say::SHOW_AROUND)}</button><span class="hint">{t(say::COPY_AS_JSON)}</span><Copy text=whole what=t(say::COPY_AS_JSON) /></div>
            <pre class="code">{pretty}</pre>
            <dl class="attributes">{row("time", &date_time(record.time_unix_nano.0))}{(!record.scope_name.is_empty()).then(|| row("scope", &record.scope_name))}</dl>
            <h3>{t(say::ATTRIBUTES)}</h3>{attributes(&record.attributes)}
            <h3>{t(say::RESOURCE)}</h3>{attributes(&record.resource)}
        </div>
    }
    .into_any()
}
