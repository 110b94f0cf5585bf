//! Conditions: time, service, attributes.

use super::source::{Places, Source};
use super::sql::Sql;
use crate::columns::{ATTRIBUTES, Table};
use crate::context::{ContextTable, Resource};
use crate::promote::{Promoted, PromotedKind};
use orrery_model::attributes::quote;
use orrery_model::{ServiceKey, Signal, semconv};
use orrery_query::plan::{AttributeFilter, ServiceMatch};
use orrery_query::{QueryError, TimeRange};

/// The column of a row's own time.
pub(crate) fn time_column(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "start_time_unix_nano",
        Signal::Logs | Signal::Metrics => "time_unix_nano",
    }
}

/// Begins the `WHERE` clause: the row's time lies in the range.
pub(crate) fn in_range(sql: &mut Sql, column: &'static str, range: TimeRange) {
    sql.push(" WHERE ").push(column).push(" >= ").bind(range.from);
    sql.push(" AND ").push(column).push(" < ").bind(range.to);
}

/// Refuses ranges that cannot hold anything.
pub(crate) fn check_range(range: TimeRange) -> Result<(), QueryError> {
    if range.from < range.to { Ok(()) } else { Err(QueryError::Range(range)) }
}

pub(crate) fn is_service(wanted: &ServiceMatch, service: &ServiceKey) -> bool {
    match wanted {
        ServiceMatch::Name(name) => service.name == *name,
        ServiceMatch::Key(key) => service == key,
    }
}

pub(super) fn resource_is_service(wanted: &ServiceMatch, resource: &Resource) -> bool {
    match wanted {
        ServiceMatch::Name(name) => resource.service.service_name == *name,
        ServiceMatch::Key(key) => resource.service() == *key,
    }
}

/// Whether a segment may have rows of the service, by the manifest's list.
pub(crate) fn lists_service(services: &[String], wanted: Option<&ServiceMatch>) -> bool {
    wanted.is_none_or(|wanted| services.iter().any(|service| is_service(wanted, &ServiceKey::parse(service))))
}

/// Adds "of this service".
pub(crate) fn service(sql: &mut Sql, wanted: Option<&ServiceMatch>, context: &ContextTable) {
    if let Some(wanted) = wanted {
        sql.push(" AND ");
        resource_in(sql, &context.resources_where(|resource| resource_is_service(wanted, resource)));
    }
}

pub(super) fn resource_in(sql: &mut Sql, ids: &[u32]) {
    if ids.is_empty() {
        sql.push("false");
    } else {
        sql.push("resource_id IN (").numbers(ids).push(")");
    }
}

/// Adds all attribute filters.
pub(crate) fn attributes<B: Table>(sql: &mut Sql, filters: &[AttributeFilter], source: &Source) {
    for filter in filters {
        if let Some(promoted) = only_column::<B>(filter, source) {
            sql.push(" AND ");
            column_is(sql, promoted, &filter.value);
            continue;
        }
        sql.push(if filter.negated { " AND NOT (" } else { " AND (" });
        attribute::<B>(sql, filter, source);
        sql.push(")");
    }
}

/// The column that alone decides about a filter. A bare comparison with it is made while the file is decoded, so that a
/// value which is not there costs a look at the dictionary and no other column.
fn only_column<'a, B: Table>(filter: &AttributeFilter, source: &'a Source) -> Option<&'a Promoted> {
    let keys = || semconv::spellings(&filter.key);
    let mut places = keys().map(|key| source.places(key)).filter(|places| places.column.is_some() || places.map);
    let (Some(Places { column: Some(column), map: false }), None) = (places.next(), places.next()) else { return None };
    let says_so = |resource: &Resource| keys().any(|key| resource.text(key).as_ref() == Some(&filter.value));
    let elsewhere = source.context::<B>().resources_where(says_so);
    (!filter.negated && elsewhere.is_empty()).then_some(column)
}

/// The item's own attribute under any spelling, or, where it has none, the resource's. Never null.
pub(super) fn attribute<B: Table>(sql: &mut Sql, filter: &AttributeFilter, source: &Source) {
    let places: Vec<(&str, Places<'_>)> = semconv::spellings(&filter.key)
        .map(|key| (key, source.places(key)))
        .filter(|(_, places)| places.column.is_some() || places.map)
        .collect();
    let context = source.context::<B>();
    let resources = context.resources_where(|resource| {
        semconv::spellings(&filter.key).any(|key| resource.text(key).as_ref() == Some(&filter.value))
    });
    sql.push("coalesce(");
    sql.each(" OR ", &places, |sql, (key, places)| matches(sql, key, places, &filter.value));
    if places.is_empty() {
        sql.push("false");
    }
    sql.push(", false)");
    if resources.is_empty() {
        return;
    }
    sql.push(" OR (");
    resource_in(sql, &resources);
    for (key, places) in &places {
        sql.push(" AND ");
        absent(sql, key, places);
    }
    sql.push(")");
}

fn matches(sql: &mut Sql, key: &str, places: &Places<'_>, value: &str) {
    sql.push("(");
    match places.column {
        Some(promoted) => {
            column_is(sql, promoted, value);
            if places.map {
                sql.push(" OR ");
                map_is(sql, key, value);
            }
        }
        None => map_is(sql, key, value),
    }
    sql.push(")");
}

/// Compares as text: a number only equals text that is exactly how it is written.
fn column_is(sql: &mut Sql, promoted: &Promoted, value: &str) {
    match (promoted.kind, value.parse::<i64>(), value.parse::<f64>()) {
        (PromotedKind::Text, ..) => _ = sql.attribute_column(promoted).push(" = ").bind(value),
        (PromotedKind::Int, Ok(int), _) if int.to_string() == value => {
            _ = sql.attribute_column(promoted).push(" = ").bind(int);
        }
        (PromotedKind::Double, _, Ok(double)) if format!("{double:?}") == value => {
            _ = sql.attribute_column(promoted).push(" = ").bind(double);
        }
        (PromotedKind::Bool, ..) if value == "true" || value == "false" => {
            _ = sql.attribute_column(promoted).push(" = ").bind(value == "true");
        }
        // A condition on the column all the same, so that null stays null.
        _ => _ = sql.attribute_column(promoted).push(" IS NULL AND NULL"),
    }
}

/// Every JSON text that a person would write as `value`.
fn map_is(sql: &mut Sql, key: &str, value: &str) {
    let mut quoted = String::new();
    quote(value, &mut quoted);
    let raw = match value {
        "" => "null",
        "null" => quoted.as_str(),
        value => value,
    };
    sql.push(ATTRIBUTES).push("[").bind(key).push("] IN (").bind(quoted.as_str()).push(", ").bind(raw).push(", ");
    sql.bind(format!("{{\"bytesValue\":\"{value}\"}}")).push(")");
}

fn absent(sql: &mut Sql, key: &str, places: &Places<'_>) {
    match places.column {
        Some(promoted) => {
            sql.attribute_column(promoted).push(" IS NULL");
            if places.map {
                sql.push(" AND ").push(ATTRIBUTES).push("[").bind(key).push("] IS NULL");
            }
        }
        None => _ = sql.push(ATTRIBUTES).push("[").bind(key).push("] IS NULL"),
    }
}
