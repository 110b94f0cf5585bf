//! Rows as served, from batches read back.

use super::session::Session;
use super::source::Source;
use super::sql::Sql;
use crate::columns::{ATTRIBUTES, Place, Table, columns};
use crate::context::{ContextTable, Resource, Scope};
use orrery_model::{Attributes, LogBatch, SpanBatch, SpanKind, StatusCode, Strings, Value};
use orrery_query::QueryError;
use orrery_query::answer::{AttributeMap, LogRow, SpanEvent, SpanLink, SpanRow};
use std::sync::Arc;

/// Begins a statement that reads whole rows of a source.
pub(super) fn select_all<B: Table>(source: &Source) -> Sql {
    let mut sql = Sql::new("SELECT ");
    sql.each(", ", columns::<B>(Place::Everywhere), |sql, column| _ = sql.push(column.name));
    sql.push(", ").push(ATTRIBUTES);
    for promoted in source.promoted() {
        sql.push(", ").attribute_column(promoted);
    }
    sql.push(" FROM ");
    source.from::<B>(&mut sql);
    sql
}

/// Names of the columns of whole rows.
pub(super) fn names_of_all<B: Table>(source: &Source) -> impl Iterator<Item = &str> {
    let own = columns::<B>(Place::Everywhere).map(|column| column.name);
    own.chain([ATTRIBUTES]).chain(source.promoted().iter().map(|promoted| promoted.column()))
}

/// Runs a statement made with [`select_all`] and reads its rows, with their arrival numbers.
pub(super) fn read_all<B: Table>(
    session: &mut Session<'_>,
    source: &Source,
    sql: &Sql,
) -> Result<Vec<(B, Vec<u64>)>, QueryError> {
    let found = session.select::<B>(source, sql)?;
    let context = source.context::<B>();
    let mut batches = Vec::with_capacity(found.len());
    for columns in found.iter().filter(|columns| columns.num_rows() > 0) {
        let batch = B::read(columns, &context, source.promoted()).map_err(|error| session.fault(error))?;
        let arrivals = match columns.column_by_name("arrival") {
            Some(_) => crate::columns::arrivals(columns).map_err(|error| session.fault(error))?,
            None => Vec::new(),
        };
        batches.push((batch, arrivals));
    }
    Ok(batches)
}

pub(super) fn span(batch: &SpanBatch, row: usize, resource: &Resource, scope: &Scope) -> SpanRow {
    let strings = &batch.context.strings;
    let events = batch.event_range(row).map(|event| SpanEvent {
        time_unix_nano: batch.events.time_unix_nano[event],
        name: strings.get(batch.events.name[event]).to_owned(),
        attributes: attribute_map(&batch.events.attributes, event, strings),
    });
    let mut events: Vec<SpanEvent> = events.collect();
    events.sort_by_key(|event| event.time_unix_nano);
    let links = batch.link_range(row).map(|link| SpanLink {
        trace_id: batch.links.trace_id[link],
        span_id: batch.links.span_id[link],
        attributes: attribute_map(&batch.links.attributes, link, strings),
    });
    SpanRow {
        trace_id: batch.trace_id[row],
        span_id: batch.span_id[row],
        parent_span_id: batch.parent_span_id[row],
        trace_state: strings.get(batch.trace_state[row]).to_owned(),
        flags: batch.flags[row],
        name: strings.get(batch.name[row]).to_owned(),
        kind: SpanKind::from_number(batch.kind[row]),
        start_time_unix_nano: batch.start_time_unix_nano[row],
        duration_nanos: batch.duration_nanos[row],
        status_code: StatusCode::from_number(batch.status_code[row]),
        status_message: strings.get(batch.status_message[row]).to_owned(),
        service: resource.service(),
        attributes: attribute_map(&batch.attributes, row, strings),
        resource: Arc::clone(resource.attribute_map()),
        scope_name: scope.name.clone(),
        scope_version: scope.version.clone(),
        events,
        links: links.collect(),
        dropped_attributes_count: batch.dropped_attributes_count[row],
        dropped_events_count: batch.dropped_events_count[row],
        dropped_links_count: batch.dropped_links_count[row],
    }
}

/// The spans of a batch as they would be answered if they were stored: by start, then id, each once.
pub fn span_rows(batch: &SpanBatch) -> Vec<SpanRow> {
    let mut context = ContextTable::default();
    let (resources, scopes) = context.number(&batch.context);
    let row = |row: usize| {
        let (resource, scope) = (resources[batch.resource[row] as usize], scopes[batch.scope[row] as usize]);
        span(batch, row, context.resource(resource), context.scope(scope))
    };
    let mut rows: Vec<SpanRow> = (0..batch.len()).map(row).collect();
    rows.sort_by_key(|row| (row.start_time_unix_nano, row.span_id, row.trace_id));
    rows.dedup_by_key(|row| (row.trace_id, row.span_id, row.start_time_unix_nano));
    rows
}

pub(super) fn log(batch: &LogBatch, row: usize, context: &ContextTable) -> LogRow {
    let strings = &batch.context.strings;
    let resource = context.resource(batch.resource[row]);
    LogRow {
        time_unix_nano: batch.time_unix_nano[row],
        observed_time_unix_nano: batch.observed_time_unix_nano[row],
        severity_number: batch.severity_number[row],
        severity_text: strings.get(batch.severity_text[row]).to_owned(),
        event_name: strings.get(batch.event_name[row]).to_owned(),
        body: json(batch.body[row], strings),
        trace_id: batch.trace_id[row],
        span_id: batch.span_id[row],
        service: resource.service(),
        attributes: attribute_map(&batch.attributes, row, strings),
        resource: AttributeMap::clone(resource.attribute_map()),
        scope_name: context.scope(batch.scope[row]).name.clone(),
    }
}

fn attribute_map(attributes: &Attributes, row: usize, strings: &Strings) -> AttributeMap {
    attributes.row(row).map(|(key, value)| (strings.get(key).to_owned(), json(value, strings))).collect()
}

fn json(value: Value, strings: &Strings) -> serde_json::Value {
    match value {
        Value::Empty => serde_json::Value::Null,
        Value::Bool(value) => value.into(),
        Value::Int(value) => value.into(),
        Value::String(sym) => strings.get(sym).into(),
        Value::Double(value) if value.is_finite() => value.into(),
        other => {
            let mut text = String::new();
            other.to_json(strings, &mut text);
            serde_json::from_str(&text).unwrap_or_else(|_| text.into())
        }
    }
}
