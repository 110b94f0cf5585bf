//! Tables, columns and attributes; a click writes them.

use super::Console;
use crate::components::figure::figure;
use crate::components::icon::icon;
use crate::components::state::loaded;
use crate::sql::insert;
use crate::words::{say, t, tf};
use leptos::prelude::*;
use orrery_api::{SqlSchema, SqlTable, SqlTableColumn};
use orrery_chart::Unit;

/// From here on it is beside the editor, and open.
const WIDE: f64 = 1024.0;

pub(super) fn panel(console: Console) -> AnyView {
    let width = window().inner_width().ok().and_then(|width| width.as_f64()).unwrap_or(WIDE);
    let is_wide = width >= WIDE;
    let tables = move |data: Signal<std::sync::Arc<SqlSchema>>| {
        view! { <ul class="sql-tables">{move || data.with(|schema| schema.tables.iter().map(|one| table(console, one)).collect_view())}</ul> }.into_any()
    };
    view! {
        <section class="panel sql-tree" aria-label=t(say::TABLES)>
            <details open=is_wide>
                <summary class="panel-head sql-tree-head">{icon("chevron-right")}<h2>{t(say::TABLES)}</h2></summary>
                <div class="sql-tree-body">{loaded(console.sheet.schema, |_| false, |_| ().into_any(), tables)}</div>
            </details>
        </section>
    }
    .into_any()
}

fn word(console: Console, text: String, shown: String, class: &'static str) -> AnyView {
    let label = tf(say::INSERT_WHAT, &[("what", &shown)]);
    view! { <button type="button" class=class title=label.clone() aria-label=label on:click=move |_| console.sheet.insert(&text)>{shown}</button> }.into_any()
}

fn table(console: Console, table: &SqlTable) -> AnyView {
    let columns = table.columns.iter().map(|one| column(console, one)).collect_view();
    // The first column of each is when it was.
    let when = table.columns.first().map(|column| column.name.as_str()).unwrap_or_default();
    let newest = format!("SELECT *\nFROM {}\nORDER BY {when} DESC\nLIMIT 100", table.name);
    view! {
        <li><details open=table.name == "spans">
            <summary class="sql-table" title=table.about.clone()>{icon("chevron-right")}<span class="mono grow">{table.name.clone()}</span></summary>
            <div class="sql-about"><button type="button" class="link" title=newest.clone() on:click=move |_| console.take(&newest)>{t(say::NEWEST_ROWS)}</button></div>
            <ul class="sql-columns">{columns}</ul>
        </details></li>
    }
    .into_any()
}

fn column(console: Console, column: &SqlTableColumn) -> AnyView {
    // A long type is for the hint.
    let kind = column.kind.split('(').next().unwrap_or_default().to_owned();
    let about = format!("{} {}", column.kind, column.about);
    let keys = (!column.keys.is_empty()).then(|| {
        let name = column.name.clone();
        let key = move |key: &orrery_api::SqlKey| {
            let text = format!("{name}['{}']", key.key.replace('\'', "''"));
            view! { <li class="sql-column">{word(console, text, key.key.clone(), "sql-word mono")}<span class="hint">{figure(&Unit::Number, key.count as f64)}</span></li> }
        };
        let label = tf(say::ATTRIBUTE_KEYS, &[("column", &column.name)]);
        view! { <details class="sql-keys"><summary class="hint">{icon("chevron-right")}{label}</summary><ul>{column.keys.iter().map(key).collect_view()}</ul></details> }
    });
    let text = insert(&column.name, !column.keys.is_empty());
    view! {
        <li><div class="sql-column" title=about>{word(console, text, column.name.clone(), "sql-word mono")}<span class="hint">{kind.to_lowercase()}</span></div>{keys}</li>
    }
    .into_any()
}
