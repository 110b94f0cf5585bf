//! Reading the points of a metric, as series.

use super::Service;
use crate::columns::read::{Reader, metric_kind, temporality};
use crate::context::{ContextTable, text_of_json};
use crate::query::filter;
use crate::query::session::Session;
use crate::query::source::Source;
use crate::query::sql::Sql;
use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use hashbrown::HashMap;
use orrery_model::batch::{Buckets, MetricKind, Temporality};
use orrery_model::{MetricBatch, semconv};
use orrery_query::plan::AttributeFilter;
use orrery_query::{QueryError, TimeRange};

/// Points read for one answer at most.
const POINTS: u64 = 2_000_000;

/// Which points.
pub(in crate::query) struct Fetch<'a> {
    pub(in crate::query) name: &'a str,
    pub(in crate::query) range: TimeRange,
    pub(in crate::query) service: Service<'a>,
    pub(in crate::query) attributes: &'a [AttributeFilter],
    pub(in crate::query) group_by: &'a [String],
}

/// The points of one series, by time, each time once.
#[derive(Clone, Debug)]
pub(in crate::query) struct Series {
    pub(in crate::query) group: Vec<String>,
    pub(in crate::query) unit: String,
    pub(in crate::query) kind: MetricKind,
    pub(in crate::query) temporality: Temporality,
    pub(in crate::query) is_monotonic: bool,
    pub(in crate::query) points: Vec<Point>,
}

/// A point, as far as aggregation needs it.
#[derive(Clone, Debug, Default)]
pub(in crate::query) struct Point {
    pub(in crate::query) time: i64,
    pub(in crate::query) start: i64,
    /// Of gauges and sums.
    pub(in crate::query) value: f64,
    pub(in crate::query) distribution: Option<Spread>,
}

/// A point of a histogram or summary.
#[derive(Clone, Debug, Default)]
pub(in crate::query) struct Spread {
    pub(in crate::query) count: f64,
    pub(in crate::query) sum: f64,
    pub(in crate::query) min: Option<f64>,
    pub(in crate::query) max: Option<f64>,
    pub(in crate::query) buckets: Buckets,
}

/// All series of a metric that match.
pub(in crate::query) fn fetch(session: &mut Session<'_>, wanted: &Fetch<'_>) -> Result<Vec<Series>, QueryError> {
    let listed = |services: &[String]| filter::lists_service(services, wanted.service);
    let sources = session.sources::<MetricBatch>(wanted.range, |entry| listed(&entry.services))?;
    let mut series: HashMap<u64, Series> = HashMap::new();
    let mut left = POINTS;
    for source in &sources {
        if !session.open(source, wanted.attributes)? {
            continue;
        }
        let sql = statement(source, wanted, left);
        let found = session.select::<MetricBatch>(source, &sql)?;
        left -= found.iter().map(RecordBatch::num_rows).sum::<usize>().min(left as usize) as u64;
        let context = source.context::<MetricBatch>();
        for rows in &found {
            collect(rows, &context, wanted.group_by, &mut series).map_err(|error| session.fault(error))?;
        }
        if left == 0 {
            session.incomplete(format!("only the newest {POINTS} points were read"));
            break;
        }
    }
    let mut series: Vec<Series> = series.into_values().collect();
    for series in &mut series {
        series.points.sort_by_key(|point| point.time);
        series.points.dedup_by_key(|point| point.time);
    }
    Ok(series)
}

fn statement(source: &Source, wanted: &Fetch<'_>, limit: u64) -> Sql {
    let mut sql = Sql::new(
        "SELECT series, resource_id, kind, temporality, is_monotonic, unit, start_time_unix_nano, time_unix_nano, \
         coalesce(value_double, value_int::DOUBLE) AS value, count, sum, min, max, bounds, counts, scale, zero_count, \
         zero_threshold, positive_offset, negative_offset, negative_counts",
    );
    for (at, key) in wanted.group_by.iter().enumerate() {
        sql.push(", coalesce(");
        sql.each(", ", semconv::spellings(key), |sql, key| _ = sql.push("attributes[").bind(key).push("]"));
        sql.push(", NULL)").alias("group_", at);
    }
    sql.push(" FROM ");
    source.from::<MetricBatch>(&mut sql);
    filter::in_range(&mut sql, "time_unix_nano", wanted.range);
    sql.push(" AND name = ").bind(wanted.name);
    // Bit 0: the sender says that the series has no value now.
    sql.push(" AND flags & 1 = 0");
    filter::service(&mut sql, wanted.service, &source.context::<MetricBatch>());
    filter::attributes::<MetricBatch>(&mut sql, wanted.attributes, source);
    sql.push(" LIMIT ").bind(limit);
    sql
}

fn collect(
    rows: &RecordBatch,
    context: &ContextTable,
    group_by: &[String],
    all: &mut HashMap<u64, Series>,
) -> Result<(), ArrowError> {
    let read = Reader::new(rows);
    let (ids, resources, units) = (read.u64("series")?, read.u32("resource_id")?, read.strs("unit")?);
    let kinds: Vec<MetricKind> = read.u8("kind")?.into_iter().map(metric_kind).collect();
    let (temporalities, monotonic) = (read.u8("temporality")?, read.bools("is_monotonic")?);
    let (starts, times) = (read.i64("start_time_unix_nano")?, read.i64("time_unix_nano")?);
    let (values, counts, sums) = (read.optional_f64("value")?, read.optional_u64("count")?, read.optional_f64("sum")?);
    let (mins, maxs) = (read.optional_f64("min")?, read.optional_f64("max")?);
    let buckets = read.buckets(&kinds)?;
    let groups: Vec<Vec<Option<&str>>> =
        (0..group_by.len()).map(|at| read.strs(&format!("group_{at}"))).collect::<Result<_, _>>()?;
    for (row, buckets) in buckets.into_iter().enumerate() {
        let series = all.entry(ids[row]).or_insert_with(|| Series {
            group: group_by
                .iter()
                .zip(&groups)
                .map(|(key, own)| group_text(key, own[row], context, resources[row]))
                .collect(),
            unit: units[row].unwrap_or_default().to_owned(),
            kind: kinds[row],
            temporality: temporality(temporalities[row]),
            is_monotonic: monotonic[row],
            points: Vec::new(),
        });
        let distribution = counts[row].map(|count| Spread {
            count: count as f64,
            sum: sums[row].unwrap_or_default(),
            min: mins[row],
            max: maxs[row],
            buckets,
        });
        let value = values[row].unwrap_or_default();
        series.points.push(Point { time: times[row], start: starts[row], value, distribution });
    }
    Ok(())
}

/// The point's own attribute, else the resource's, else nothing.
fn group_text(key: &str, own: Option<&str>, context: &ContextTable, resource: u32) -> String {
    match own {
        Some(json) => serde_json::from_str(json).map_or_else(|_| json.to_owned(), |value| text_of_json(&value)),
        None => semconv::spellings(key).find_map(|key| context.resource(resource).text(key)).unwrap_or_default(),
    }
}
