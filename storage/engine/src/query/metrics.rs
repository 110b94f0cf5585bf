//! Metrics: which exist, and one over time.

mod points;
mod quantile;
mod series;

use super::filter;
use super::session::Session;
use super::sql::Sql;
use crate::columns::read::{Reader, metric_kind};
use crate::context::ContextTable;
use crate::engine::Inner;
use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use orrery_model::MetricBatch;
use orrery_query::answer::{Answer, MetricName, MetricSeries};
use orrery_query::plan::{Aggregation, ServiceMatch};
use orrery_query::{Control, QueryError, TimeRange, plan};
pub(super) use points::{Fetch, fetch};
pub(super) use series::{Grid, aggregate};
use std::collections::{BTreeMap, BTreeSet};

/// Points of a series in an answer at most.
const STEPS: i64 = 1_000;
/// How far before the range points are read, so that the first step has a predecessor. Nanoseconds.
pub(super) const LOOKBACK: i64 = 300_000_000_000;

/// What the names answer says of one metric, with sets still open.
#[derive(Default)]
struct Known {
    description: String,
    unit: String,
    kind: u8,
    is_monotonic: bool,
    services: BTreeSet<String>,
    attribute_keys: BTreeSet<String>,
}

pub(crate) fn names(
    inner: &Inner,
    plan: &plan::MetricNames,
    control: &Control,
) -> Result<Answer<Vec<MetricName>>, QueryError> {
    filter::check_range(plan.range)?;
    let mut session = Session::new(inner, "metric_names", control)?;
    let service = plan.service.as_ref();
    let sources =
        session.sources::<MetricBatch>(plan.range, |entry| filter::lists_service(&entry.services, service))?;
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    for source in &sources {
        if !session.open(source, &[])? {
            continue;
        }
        let mut sql = Sql::new(
            "SELECT name, any_value(description) AS description, any_value(unit) AS unit, any_value(kind) AS kind, \
             bool_or(is_monotonic) AS is_monotonic, any_value(resource_id) AS resource_id, \
             any_value(map_keys(attributes)) AS keys FROM ",
        );
        source.from::<MetricBatch>(&mut sql);
        filter::in_range(&mut sql, "time_unix_nano", plan.range);
        filter::service(&mut sql, service, &source.context::<MetricBatch>());
        sql.push(" GROUP BY name, series");
        let found = session.select::<MetricBatch>(source, &sql)?;
        let context = source.context::<MetricBatch>();
        found.iter().try_for_each(|rows| learn(rows, &context, &mut known)).map_err(|error| session.fault(error))?;
    }
    let name = |(name, known): (String, Known)| MetricName {
        name,
        description: known.description,
        unit: known.unit,
        kind: metric_kind(known.kind).as_str().to_owned(),
        is_monotonic: known.is_monotonic,
        services: known.services.into_iter().collect(),
        attribute_keys: known.attribute_keys.into_iter().collect(),
    };
    Ok(session.answer(known.into_iter().map(name).collect()))
}

fn learn(rows: &RecordBatch, context: &ContextTable, known: &mut BTreeMap<String, Known>) -> Result<(), ArrowError> {
    let read = Reader::new(rows);
    let (names, descriptions, units) = (read.strs("name")?, read.strs("description")?, read.strs("unit")?);
    let (kinds, monotonic) = (read.u8("kind")?, read.bools("is_monotonic")?);
    let (resources, keys) = (read.u32("resource_id")?, read.text_lists("keys")?);
    for (row, keys) in keys.into_iter().enumerate() {
        let entry = known.entry(names[row].unwrap_or_default().to_owned()).or_default();
        entry.description = descriptions[row].unwrap_or_default().to_owned();
        entry.unit = units[row].unwrap_or_default().to_owned();
        entry.kind = kinds[row];
        entry.is_monotonic |= monotonic[row];
        entry.services.insert(context.resource(resources[row]).service().to_string());
        entry.attribute_keys.extend(keys);
    }
    Ok(())
}

pub(crate) fn series(
    inner: &Inner,
    plan: &plan::Metric,
    control: &Control,
) -> Result<Answer<Vec<MetricSeries>>, QueryError> {
    filter::check_range(plan.range)?;
    if let Some(Aggregation::Quantile(1001..)) = plan.aggregation {
        let reason = "in thousandths, 0 to 1000".to_owned();
        return Err(QueryError::Invalid { field: "aggregation", reason });
    }
    if plan.group_by.len() > 8 {
        return Err(QueryError::Invalid { field: "group_by", reason: "at most 8 attributes".to_owned() });
    }
    let mut session = Session::new(inner, "metric", control)?;
    let grid = Grid::new(plan.range, plan.step_nanos);
    let wanted = Fetch {
        name: &plan.name,
        range: with_lookback(plan.range),
        service: plan.service.as_ref(),
        attributes: &plan.attributes,
        group_by: &plan.group_by,
    };
    let series = fetch(&mut session, &wanted)?;
    session.check()?;
    let mut answer = aggregate(series, plan.aggregation, grid, &plan.group_by);
    let size = |series: &MetricSeries| -> f64 {
        let sum: f64 = series.points.iter().map(|(_, value)| value.abs()).filter(|value| value.is_finite()).sum();
        sum / series.points.len().max(1) as f64
    };
    answer.sort_by(|a, b| size(b).total_cmp(&size(a)).then_with(|| a.group.cmp(&b.group)));
    if answer.len() > plan.limit.max(1) as usize {
        session.incomplete(format!("the largest {} of {} series are shown", plan.limit, answer.len()));
        answer.truncate(plan.limit.max(1) as usize);
    }
    Ok(session.answer(answer))
}

pub(super) fn with_lookback(range: TimeRange) -> TimeRange {
    TimeRange { from: range.from.saturating_sub(LOOKBACK), to: range.to }
}

/// A service filter that lists no service is none.
pub(super) type Service<'a> = Option<&'a ServiceMatch>;
