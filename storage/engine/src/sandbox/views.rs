//! The tables as views over files.
//!
//! Attributes are text, wherever they are. A statement that names attributes gets columns with just those, which the
//! engine reads like any other column; the whole map is put together only where somebody looks at it as a whole.

use super::check::Subscript;
use super::tables::{self, Column, MAPS, Table};
use super::{Group, Input};
use crate::promote::PromotedKind;
use std::fmt::Write;

/// An attribute under a name of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) map: &'static str,
    pub(super) key: String,
}

impl Named {
    /// What a statement says in the place of the attribute. Shorter than that: places stay what they are.
    pub(super) fn column(at: usize) -> String {
        format!("@{at}")
    }
}

/// Attributes a statement names, each once.
pub(super) fn named(subscripts: &[Subscript]) -> Vec<Named> {
    let mut named: Vec<Named> = Vec::new();
    for Subscript { map, key, .. } in subscripts {
        if !named.iter().any(|known| known.map == *map && known.key == *key) {
            named.push(Named { map, key: key.clone() });
        }
    }
    named
}

/// Tables without rows, with the same columns: to say what is wrong with a statement.
pub(super) fn stand_ins() -> String {
    let mut sql = String::new();
    for table in &tables::TABLES {
        let columns: Vec<String> =
            table.columns.iter().map(|column| format!("{} {}", quoted(column.name), column.kind)).collect();
        let _ = write!(sql, "CREATE TABLE main.{} ({});", table.name, columns.join(", "));
    }
    sql
}

/// The view of a table. `named`: attributes with columns of their own besides.
pub(super) fn view(input: &Input, from: i64, to: i64, named: &[Named]) -> String {
    let table = tables::of(input.signal);
    let mut parts: Vec<String> = input
        .groups
        .iter()
        .filter(|group| !group.files.is_empty())
        .map(|group| select(table, group, from, to, named))
        .collect();
    if parts.is_empty() {
        let columns = table.columns.iter().map(|column| format!("NULL::{} AS {}", column.kind, quoted(column.name)));
        let attributes = (0..named.len()).map(|at| format!("NULL::VARCHAR AS {}", quoted(&Named::column(at))));
        parts.push(format!("SELECT {} WHERE false", columns.chain(attributes).collect::<Vec<_>>().join(", ")));
    }
    format!("CREATE VIEW main.{} AS {}", table.name, parts.join(" UNION ALL "))
}

fn select(table: &Table, group: &Group, from: i64, to: i64, named: &[Named]) -> String {
    let mut columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| format!("{} AS {}", expression(column, group), quoted(column.name)))
        .collect();
    let single =
        |(at, named): (usize, &Named)| format!("{} AS {}", attribute(named, group), quoted(&Named::column(at)));
    columns.extend(named.iter().enumerate().map(single));
    let files: Vec<String> = group.files.iter().map(|file| text(&file.to_string_lossy())).collect();
    format!(
        "SELECT {} FROM read_parquet([{}]) WHERE {time} >= {from} AND {time} < {to}",
        columns.join(", "),
        files.join(", "),
        time = table.time
    )
}

fn expression(column: &Column, group: &Group) -> String {
    match column.name {
        name if name == MAPS[0] => whole(group),
        name if name == MAPS[1] => format!("from_json({name}, '\"MAP(VARCHAR, VARCHAR)\"')"),
        _ if column.sql == column.name => format!("{}::{}", quoted(column.name), column.kind),
        _ => format!("({})::{}", column.sql, column.kind),
    }
}

/// JSON text of a value as the text one means.
fn plain(json: &str) -> String {
    format!("CASE WHEN {json}[1] = '\"' THEN json_extract_string({json}, '$') ELSE {json} END")
}

/// All attributes of a row: those with columns of their own, and the others.
fn whole(group: &Group) -> String {
    let rest = format!("list_transform(map_entries(attributes), lambda e: {{'k': e.key, 'v': {}}})", plain("e.value"));
    if group.promoted.is_empty() {
        return format!("map_from_entries({rest})");
    }
    let own: Vec<String> = group
        .promoted
        .iter()
        .map(|own| format!("{{'k': {}, 'v': {}::VARCHAR}}", text(&own.key), quoted(&own.key)))
        .collect();
    format!("map_from_entries(list_concat({rest}, list_filter([{}], lambda e: e.v IS NOT NULL)))", own.join(", "))
}

/// One attribute of a row, as text.
fn attribute(named: &Named, group: &Group) -> String {
    let key = text(&named.key);
    if named.map == MAPS[1] {
        // A key that would be read as a path is not written as one.
        return format!("json_extract_string(resource, {})", text(&pointer(&named.key)));
    }
    let mapped = plain(&format!("attributes[{key}]"));
    match group.promoted.iter().find(|own| own.key == named.key) {
        None => mapped,
        Some(own) => {
            let column = match own.kind {
                PromotedKind::Text => quoted(&own.key),
                _ => format!("{}::VARCHAR", quoted(&own.key)),
            };
            if own.mixed { format!("coalesce({column}, {mapped})") } else { column }
        }
    }
}

fn pointer(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// A text in SQL.
pub(super) fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
