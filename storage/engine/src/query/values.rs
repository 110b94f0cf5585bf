//! Completion: the values of a field or attribute.

use super::filter;
use super::session::Session;
use super::source::Source;
use super::sql::Sql;
use crate::columns::Table;
use crate::columns::read::Reader;
use crate::context::{ContextTable, text_of_json};
use crate::engine::Inner;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};
use arrow::error::ArrowError;
use hashbrown::HashMap;
use orrery_model::{LogBatch, MetricBatch, Signal, SpanBatch, semconv};
use orrery_query::answer::{Answer, ValueCount};
use orrery_query::{Control, QueryError, plan};

/// Distinct values taken from one place at most: completion wants the frequent ones.
const DISTINCT: u64 = 10_000;
/// Values in an answer at most.
const LIMIT: u32 = 1_000;

pub(crate) fn run(
    inner: &Inner,
    plan: &plan::Values,
    control: &Control,
) -> Result<Answer<Vec<ValueCount>>, QueryError> {
    filter::check_range(plan.range)?;
    match plan.signal {
        Signal::Traces => of::<SpanBatch>(inner, plan, control, "start_time_unix_nano", "name"),
        Signal::Logs => of::<LogBatch>(inner, plan, control, "time_unix_nano", "event_name"),
        Signal::Metrics => of::<MetricBatch>(inner, plan, control, "time_unix_nano", "name"),
    }
}

/// Where a value comes from.
enum Field {
    /// The column of the item's own name.
    Name,
    /// An attribute; also `service.name`, which every resource has.
    Attribute,
}

fn of<B: Table>(
    inner: &Inner,
    plan: &plan::Values,
    control: &Control,
    time: &'static str,
    name: &'static str,
) -> Result<Answer<Vec<ValueCount>>, QueryError> {
    let mut session = Session::new(inner, "values", control)?;
    let field = if plan.key == "name" { Field::Name } else { Field::Attribute };
    let mut counts: HashMap<String, u64> = HashMap::new();
    for source in session.sources::<B>(plan.range, |_| true)? {
        if B::SIGNAL == Signal::Traces
            && let Some(hot) = session.hot_spans(&source)
        {
            hot.values(&session, &plan.key, plan.range, &mut counts)?;
            continue;
        }
        if !session.open(&source, &[])? {
            continue;
        }
        let mut sql = match field {
            Field::Name => {
                let mut sql = Sql::new("SELECT count(*)::UBIGINT AS items, 0::UINTEGER AS resource_id, ");
                sql.push(name).push(" AS value0");
                sql
            }
            Field::Attribute => attribute(&source, &plan.key),
        };
        sql.push(" FROM ");
        source.from::<B>(&mut sql);
        filter::in_range(&mut sql, time, plan.range);
        sql.push(" GROUP BY ALL ORDER BY items DESC LIMIT ").bind(DISTINCT);
        let found = session.select::<B>(&source, &sql)?;
        let context = source.context::<B>();
        for rows in &found {
            count(rows, &field, &plan.key, &context, &mut counts).map_err(|error| session.fault(error))?;
        }
    }
    let prefix = plan.prefix.to_lowercase();
    let mut values: Vec<ValueCount> = counts
        .into_iter()
        .filter(|(value, _)| !value.is_empty() && value.to_lowercase().starts_with(&prefix))
        .map(|(value, count)| ValueCount { value, count })
        .collect();
    values.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
    values.truncate(plan.limit.clamp(1, LIMIT) as usize);
    Ok(session.answer(values))
}

/// Counts by the resource and by every place the attribute may be in, in order of preference.
fn attribute(source: &Source, key: &str) -> Sql {
    let mut sql = Sql::new("SELECT count(*)::UBIGINT AS items, resource_id");
    let mut at = 0;
    for key in semconv::spellings(key) {
        let places = source.places(key);
        if let Some(promoted) = places.column {
            sql.push(", ").attribute_column(promoted).alias("value", at);
            at += 1;
        }
        if places.map {
            sql.push(", attributes[").bind(key).push("]").alias("json", at);
            at += 1;
        }
    }
    sql
}

fn count(
    rows: &RecordBatch,
    field: &Field,
    key: &str,
    context: &ContextTable,
    counts: &mut HashMap<String, u64>,
) -> Result<(), ArrowError> {
    let read = Reader::new(rows);
    let (items, resources) = (read.u64("items")?, read.u32("resource_id")?);
    let schema = rows.schema();
    let values: Vec<(bool, &ArrayRef)> = schema
        .fields()
        .iter()
        .zip(rows.columns())
        .filter(|(field, _)| field.name().starts_with("value") || field.name().starts_with("json"))
        .map(|(field, column)| (field.name().starts_with("json"), column))
        .collect();
    for row in 0..rows.num_rows() {
        let own = values.iter().find_map(|(is_json, column)| text(column, *is_json, row));
        let inherited = || match field {
            Field::Name => None,
            Field::Attribute => semconv::spellings(key).find_map(|key| context.resource(resources[row]).text(key)),
        };
        // A resource without a name is of the unknown service, as everywhere.
        let unnamed = || (key == "service.name").then(|| context.resource(resources[row]).service.service_name.clone());
        if let Some(value) = own.or_else(inherited).or_else(unnamed) {
            *counts.entry(value).or_default() += items[row];
        }
    }
    Ok(())
}

/// A cell as a person would write it.
fn text(column: &ArrayRef, is_json: bool, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    if let Some(column) = column.as_string_opt::<i32>() {
        let text = column.value(row);
        return Some(match is_json {
            true => serde_json::from_str(text).map_or_else(|_| text.to_owned(), |value| text_of_json(&value)),
            false => text.to_owned(),
        });
    }
    if let Some(column) = column.as_primitive_opt::<Int64Type>() {
        return Some(column.value(row).to_string());
    }
    if let Some(column) = column.as_primitive_opt::<Float64Type>() {
        return Some(format!("{:?}", column.value(row)));
    }
    Some(column.as_boolean_opt()?.value(row).to_string())
}
