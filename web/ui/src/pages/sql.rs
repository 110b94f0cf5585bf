//! SQL: a statement, the tables it can speak of, and what it answers.

pub(in crate::pages) mod editor;
mod grid;
mod history;
mod tree;

use crate::client::{Load, load, post, save};
use crate::components::chart::{TimeChart, legend};
use crate::components::copy::Copy;
use crate::components::figure::figure;
use crate::components::flags::everything;
use crate::components::icon::icon;
use crate::components::panel::panel;
use crate::components::state::empty;
use crate::nav::{Nav, nav};
use crate::query::{bytes_of, plain};
use crate::scope::{Scope, scope};
use crate::sql::{Bars, Picture, picture};
use crate::words::{Phrase, say, t, tf};
use editor::Sheet;
use leptos::prelude::*;
use leptos::task::spawn_local;
use orrery_api::{SqlAnswer, SqlRequest, paths};
use orrery_chart::{ChartSpec, Unit, grouped};
use std::sync::Arc;

/// What one may begin with.
const EXAMPLES: [(Phrase, &str); 6] = [
    (
        say::SQL_SLOWEST,
        "SELECT service_name, name, count(*) AS calls,\n       quantile_cont(duration_nanos, 0.95) / 1e6 AS p95_ms\nFROM spans\nWHERE kind = 'server'\nGROUP BY ALL\nORDER BY p95_ms DESC\nLIMIT 20",
    ),
    (
        say::SQL_ERRORS,
        "SELECT time_bucket(INTERVAL '1 minute', start_time) AS minute, service_name,\n       count(*) FILTER (WHERE status = 'error') AS errors\nFROM spans\nGROUP BY ALL\nORDER BY ALL",
    ),
    (
        say::SQL_ROUTES,
        "SELECT attributes['http.route'] AS route, attributes['http.response.status_code'] AS code,\n       count(*) AS calls\nFROM spans\nWHERE attributes['http.route'] IS NOT NULL\nGROUP BY ALL\nORDER BY calls DESC\nLIMIT 20",
    ),
    (
        say::SQL_LOGS,
        "SELECT service_name, severity_text, regexp_replace(body, '[0-9a-f-]{4,}|[0-9]+', '…', 'g') AS message,\n       count(*) AS records\nFROM logs\nGROUP BY ALL\nORDER BY records DESC\nLIMIT 20",
    ),
    (
        say::SQL_JOIN,
        "SELECT l.time, l.service_name, l.body, l.trace_id\nFROM logs l\nWHERE l.trace_id IN (SELECT trace_id FROM spans WHERE status = 'error')\nORDER BY l.time DESC\nLIMIT 50",
    ),
    (
        say::SQL_METRICS,
        "SELECT name, unit, service_name, count(*) AS points,\n       coalesce(avg(value), sum(sum) / sum(count)) AS mean\nFROM metrics\nGROUP BY ALL\nORDER BY points DESC\nLIMIT 50",
    ),
];
/// Rows copied, at most.
const COPIED: usize = 1_000;

/// The console: what is asked, as the address says it, and what is written.
#[derive(Clone, Copy)]
struct Console {
    nav: Nav,
    scope: Scope,
    asked: Memo<String>,
    /// Changes when the same is asked again.
    again: RwSignal<u32>,
    sheet: Sheet,
    answer: Load<SqlAnswer>,
}

impl Console {
    fn start() -> Console {
        let (nav, scope) = (nav(), scope());
        let param = nav.param("q");
        let asked = Memo::new(move |_| param.get().unwrap_or_default());
        let again = RwSignal::new(0);
        let answer = load::<SqlAnswer>(move || {
            let statement = asked.get();
            scope.range.track();
            // Nobody runs a statement every ten seconds unasked.
            if !scope.live.get() {
                scope.window.track();
            }
            let choice = format!("{statement} {:?} {}", scope.range.get(), again.get());
            (!statement.is_empty()).then(|| post(paths::SQL, request(scope, &statement, None), choice))
        });
        // Rows of another statement are no answer to one that is wrong.
        Effect::new(move |_| {
            if answer.progress.failure.with(Option::is_some) {
                answer.data.set(None);
                answer.progress.arrived.set(0.0);
            }
        });
        let sheet = Sheet::start(asked.get_untracked());
        Effect::new(move |_| {
            let asked = asked.get();
            if sheet.typed.with_untracked(|typed| typed.trim() != asked) {
                sheet.typed.set(asked);
            }
        });
        Console { nav, scope, asked, again, sheet, answer }
    }

    /// Runs what is written.
    fn run(self) {
        let text = self.sheet.typed.with_untracked(|typed| typed.trim().to_owned());
        if text.is_empty() {
            return self.nav.set(&[("q", None)]);
        }
        history::add(&text);
        if self.asked.with_untracked(|asked| *asked == text) {
            if !self.scope.live.get_untracked() {
                self.scope.refresh();
            }
            return self.again.update(|count| *count += 1);
        }
        self.nav.set(&[("q", Some(text)), ("sort", None)]);
    }

    /// Runs a whole statement.
    fn take(self, statement: &str) {
        self.sheet.write(statement.to_owned(), statement.len());
        self.run();
    }
}

/// A request for a statement.
fn request(scope: Scope, statement: &str, format: Option<&str>) -> String {
    let window = scope.window.get_untracked();
    let request = SqlRequest {
        statement: statement.to_owned(),
        from: Some(window.from.to_string()),
        to: Some(window.to.to_string()),
        max_rows: None,
        format: format.map(str::to_owned),
    };
    serde_json::to_string(&request).unwrap_or_default()
}

/// `/sql`.
#[component]
pub(crate) fn Sql() -> impl IntoView {
    let console = Console::start();
    let is_asked = Memo::new(move |_| console.asked.with(|asked| !asked.is_empty()));
    view! {
        <div class="page page-fill sql">
            {tree::panel(console)}
            <div class="sql-main">
                {editor::of_console(console)}
                {move || if is_asked.get() { answered(console) } else { welcome(console) }}
            </div>
        </div>
    }
}

/// What it is for, and what one may begin with.
fn welcome(console: Console) -> AnyView {
    let example = move |(name, statement): (Phrase, &'static str)| {
        view! {
            <li><button type="button" class="sql-example" on:click=move |_| console.take(statement)>
                <span class="sql-example-name">{t(name)}</span><code class="sql-example-text">{statement}</code>
            </button></li>
        }
    };
    view! {
        <section class="panel" aria-label=t(say::EXAMPLE)>
            <div class="panel-body loaded"><p class="sql-help">{t(say::SQL_HELP)}</p><ul class="sql-examples">{EXAMPLES.map(example).collect_view()}</ul></div>
        </section>
    }
    .into_any()
}

fn answered(console: Console) -> AnyView {
    let view = console.nav.param("view");
    let is_chart = Memo::new(move |_| view.get().as_deref() == Some("chart"));
    let body = move |data: Signal<Arc<SqlAnswer>>| {
        let shown = move || if is_chart.get() { chart(data) } else { grid::grid(console.nav, data) };
        view! { {shown} }.into_any()
    };
    let place = move || {
        let failure = console.answer.progress.failure.get()?;
        let place = failure.place?;
        let asked = console.asked.get();
        let before = asked.get(..bytes_of(&asked, place.offset, 0).start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Some(tf(say::AT_LINE, &[("line", &line.to_string()), ("column", &column.to_string())]))
    };
    let head = view! { <span class="hint sql-place">{place}</span>{summary(console)}
    // Nothing is to be drawn or saved of a mistake.
    <Show when=move || console.answer.data.with(Option::is_some)>{toggle(console, is_chart)}{downloads(console)}</Show> };
    let none = |answer: &SqlAnswer| answer.rows.is_empty();
    view! {
        <div class="panel-fill sql-answer">
            {panel(t(say::RESULT), Some(head.into_any()), console.answer, none, |_| empty(t(say::NO_ROWS), None), body)}
        </div>
    }
    .into_any()
}

/// How many rows in what time.
fn summary(console: Console) -> AnyView {
    let text = move || {
        console.answer.progress.failure.with(Option::is_none).then_some(())?;
        console.answer.data.with(|answer| {
            let answer = answer.as_ref()?;
            let phrase = if answer.cut { say::N_ROWS_CUT } else { say::N_ROWS };
            let time = Unit::Nanos.format(answer.elapsed_nanos.0 as f64).to_string();
            let looked = tf(say::LOOKED_AT, &[("n", &grouped(answer.scanned.rows as usize))]);
            Some(view! { <span title=looked>{tf(phrase, &[("n", &grouped(answer.rows.len())), ("time", &time)])}</span> })
        })
    };
    view! { <span class="hint" role="status">{text}</span> }.into_any()
}

fn toggle(console: Console, is_chart: Memo<bool>) -> AnyView {
    let choose = move |view: Option<&'static str>| move |_| console.nav.replace(&[("view", view.map(str::to_owned))]);
    view! {
        <div class="switch" role="group" aria-label=t(say::RESULT)>
            <button type="button" class="button button-quiet" aria-pressed=move || (!is_chart.get()).to_string() on:click=choose(None)>{icon("table-2")}{t(say::TABLE)}</button>
            <button type="button" class="button button-quiet" aria-pressed=move || is_chart.get().to_string() on:click=choose(Some("chart"))>{icon("chart-line")}{t(say::AS_CHART)}</button>
        </div>
    }
    .into_any()
}

fn downloads(console: Console) -> AnyView {
    let saving = RwSignal::new(None::<&'static str>);
    let failed = RwSignal::new(None::<String>);
    let button = move |format: &'static str, name: &'static str| {
        let click = move |_| {
            let (statement, file) = (console.asked.get_untracked(), format!("query.{format}"));
            let body = request(console.scope, &statement, Some(format));
            saving.set(Some(format));
            failed.set(None);
            spawn_local(async move {
                let saved = save(paths::SQL, &body, &file).await;
                saving.try_set(None);
                if let Err(failure) = saved {
                    failed.try_set(Some(failure.detail));
                }
            });
        };
        let label = tf(say::SAVE_AS, &[("format", name)]);
        view! { <button type="button" class="button button-quiet" aria-label=label.clone() title=label disabled=move || saving.get().is_some() on:click=click>{name}</button> }
    };
    let rows = move || {
        console.answer.data.with(|answer| {
            let answer = answer.as_ref()?;
            let names: Vec<&str> = answer.columns.iter().map(|column| column.name.as_str()).collect();
            let rows = answer.rows.iter().take(COPIED).map(|row| row.iter().map(cell).collect::<Vec<_>>().join("\t"));
            let text = std::iter::once(names.join("\t")).chain(rows).collect::<Vec<_>>().join("\n");
            Some(view! { <Copy text=text what=t(say::COPY_ROWS) /> })
        })
    };
    view! {
        <span class="sql-save">{rows}{button("csv", "CSV")}{button("json", "JSON")}{button("parquet", "Parquet")}</span>
        <span class="hint" role="status">{move || saving.get().map(|_| t(say::SAVING))}</span>
        {move || failed.get().map(|why| view! { <span class="badge badge-err" role="alert">{why}</span> })}
    }
    .into_any()
}

/// A value on one line.
fn cell(value: &serde_json::Value) -> String {
    if value.is_null() { String::new() } else { plain(value).replace(['\t', '\n', '\r'], " ") }
}

fn chart(data: Signal<Arc<SqlAnswer>>) -> AnyView {
    let drawn = Memo::new(move |_| data.with(|answer| picture(answer)));
    let view = move || match drawn.get() {
        None => empty(t(say::NOTHING_TO_DRAW), None),
        Some(Picture::Bars(bars)) => barred(bars),
        Some(Picture::Time(_)) => {
            let spec = Memo::new(move |_| match drawn.get() {
                Some(Picture::Time(spec)) => spec,
                _ => ChartSpec::default(),
            });
            view! { <div class="panel-body"><TimeChart spec=spec height=320.0 about=everything() />{legend(spec)}</div> }.into_any()
        }
    };
    view! { {view} }.into_any()
}

/// Bars as a table: what they say is read as well as seen.
fn barred(bars: Bars) -> AnyView {
    let most = bars.bars.iter().map(|(_, value)| value.abs()).fold(f64::MIN_POSITIVE, f64::max);
    let row = |(name, value): (String, f64)| {
        let style = format!("width:{}%", (value.abs() / most * 100.0).clamp(0.4, 100.0));
        view! {
            <tr><th scope="row" class="sql-bar-name" title=name.clone()>{name.clone()}</th>
                <td class="sql-bar-cell"><span class="sql-bar" style=style></span></td><td class="num">{figure(&Unit::Number, value)}</td></tr>
        }
    };
    let more = (bars.more > 0).then(|| tf(say::MORE_BARS, &[("n", &grouped(bars.more))]));
    view! {
        <div class="table-wrap sql-bars" tabindex="0" role="group" aria-label=bars.title.clone()>
            <table class="table"><caption class="sr-only">{bars.title.clone()}</caption><tbody>{bars.bars.into_iter().map(row).collect_view()}</tbody></table>
            {more.map(|more| view! { <p class="panel-note">{more}</p> })}
        </div>
    }
    .into_any()
}
