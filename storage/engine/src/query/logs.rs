//! Log search and counts.

use super::session::Session;
use super::source::Source;
use super::sql::Sql;
use super::{filter, page_limit, rows};
use crate::columns::read::Reader;
use crate::engine::Inner;
use crate::manifest::SegmentEntry;
use arrow::error::ArrowError;
use orrery_model::{LogBatch, ServiceKey, Severity, template};
use orrery_query::answer::{Answer, LogBucket, LogCount, LogHistogram, LogPage, LogRow};
use orrery_query::plan::{self, LogFilter};
use orrery_query::{Control, QueryError};
use std::collections::BTreeMap;

/// Buckets of a histogram at most.
const BUCKETS: u32 = 1_000;

/// Where a record stands: newest first, and by arrival among equals. Both stay with the record for ever.
type Position = (i64, u64);

fn parse_cursor(text: &str) -> Option<Position> {
    let (time, arrival) = text.split_once('.')?;
    Some((time.parse().ok()?, arrival.parse().ok()?))
}

pub(crate) fn page(inner: &Inner, plan: &plan::Logs, control: &Control) -> Result<Answer<LogPage>, QueryError> {
    filter::check_range(plan.filter.range)?;
    let before =
        match &plan.cursor {
            None => None,
            Some(text) => Some(parse_cursor(text).ok_or_else(|| QueryError::Invalid {
                field: "cursor",
                reason: "not one that a page ended with".into(),
            })?),
        };
    let mut session = Session::new(inner, "logs", control)?;
    let mut sources = session.sources::<LogBatch>(plan.filter.range, |entry| may_match(entry, &plan.filter))?;
    if let Some(trace) = plan.filter.trace_id {
        session.keep_trace(&mut sources, trace)?;
    }
    let limit = page_limit(plan.limit);
    let mut newest: BTreeMap<Position, LogRow> = BTreeMap::new();
    for source in &sources {
        let worst = newest.first_key_value().map(|((time, _), _)| *time);
        if newest.len() > limit && worst.is_some_and(|worst| worst > source.last::<LogBatch>()) {
            break;
        }
        if session.open(source, &plan.filter.attributes)? {
            fetch(&mut session, source, plan, before, limit + 1, &mut newest)?;
        }
        while newest.len() > limit + 1 {
            newest.pop_first();
        }
    }
    let more = newest.len() > limit;
    let mut page: Vec<(Position, LogRow)> = newest.into_iter().rev().take(limit).collect();
    let next_cursor = page.last().filter(|_| more).map(|((time, arrival), _)| format!("{time}.{arrival}"));
    let logs = page.drain(..).map(|(_, log)| log).collect();
    Ok(session.answer(LogPage { logs, next_cursor }))
}

fn fetch(
    session: &mut Session<'_>,
    source: &Source,
    plan: &plan::Logs,
    before: Option<Position>,
    limit: usize,
    newest: &mut BTreeMap<Position, LogRow>,
) -> Result<(), QueryError> {
    let mut sql = rows::select_all::<LogBatch>(source);
    conditions(&mut sql, &plan.filter, source);
    if let Some((time, arrival)) = before {
        sql.push(" AND (time_unix_nano < ").bind(time);
        sql.push(" OR (time_unix_nano = ").bind(time).push(" AND arrival < ").bind(arrival).push("))");
    }
    sql.push(" ORDER BY time_unix_nano DESC, arrival DESC LIMIT ").bind(limit as u64);
    let batches = rows::read_all::<LogBatch>(session, source, &sql)?;
    let context = source.context::<LogBatch>();
    for (batch, arrivals) in &batches {
        for (row, arrival) in arrivals.iter().enumerate() {
            newest.insert((batch.time_unix_nano[row], *arrival), rows::log(batch, row, &context));
        }
    }
    Ok(())
}

pub(crate) fn histogram(
    inner: &Inner,
    plan: &plan::LogHistogram,
    control: &Control,
) -> Result<Answer<LogHistogram>, QueryError> {
    filter::check_range(plan.filter.range)?;
    let step_nanos = step(plan.filter.range.nanos(), plan.buckets.clamp(1, BUCKETS));
    let mut session = Session::new(inner, "log_histogram", control)?;
    let mut sources = session.sources::<LogBatch>(plan.filter.range, |entry| may_match(entry, &plan.filter))?;
    if let Some(trace) = plan.filter.trace_id {
        session.keep_trace(&mut sources, trace)?;
    }
    let mut buckets: BTreeMap<i64, BTreeMap<Severity, u64>> = BTreeMap::new();
    for source in &sources {
        if !session.open(source, &plan.filter.attributes)? {
            continue;
        }
        let mut sql = Sql::new("SELECT time_unix_nano - time_unix_nano % ");
        sql.bind(step_nanos);
        sql.push(" AS bucket, severity_number, count(*)::UBIGINT AS records FROM ");
        source.from::<LogBatch>(&mut sql);
        conditions(&mut sql, &plan.filter, source);
        sql.push(" GROUP BY ALL");
        for rows in session.select::<LogBatch>(source, &sql)? {
            let read = Reader::new(&rows);
            let mut add = || -> Result<(), ArrowError> {
                let (times, severities) = (read.i64("bucket")?, read.u8("severity_number")?);
                for ((time, severity), count) in times.into_iter().zip(severities).zip(read.u64("records")?) {
                    *buckets.entry(time).or_default().entry(Severity::from_number(severity)).or_default() += count;
                }
                Ok(())
            };
            add().map_err(|error| session.fault(error))?;
        }
    }
    let buckets = buckets.into_iter().map(|(time_unix_nano, counts)| LogBucket { time_unix_nano, counts }).collect();
    Ok(session.answer(LogHistogram { step_nanos, buckets }))
}

/// Different bodies that are looked at, at most.
const BODIES: usize = 500_000;

pub(crate) fn counts(
    inner: &Inner,
    plan: &plan::LogCounts,
    control: &Control,
) -> Result<Answer<Vec<LogCount>>, QueryError> {
    filter::check_range(plan.filter.range)?;
    let (from, step) = (plan.filter.range.from, plan.step_nanos.max(1));
    let mut session = Session::new(inner, "log_counts", control)?;
    let sources = session.sources::<LogBatch>(plan.filter.range, |entry| may_match(entry, &plan.filter))?;
    let mut all: BTreeMap<(ServiceKey, String), BTreeMap<i64, u64>> = BTreeMap::new();
    let mut bodies = 0;
    for source in &sources {
        if bodies > BODIES {
            session.incomplete(format!("more than {BODIES} different log records: older ones are not counted"));
            break;
        }
        if !session.open(source, &plan.filter.attributes)? {
            continue;
        }
        let mut sql = Sql::new("SELECT (time_unix_nano - ");
        sql.bind(from).push(") // ").bind(step).push(" AS step, resource_id, ");
        sql.push(if plan.patterns { "body, " } else { "NULL::VARCHAR AS body, " });
        sql.push("count(*)::UBIGINT AS records FROM ");
        source.from::<LogBatch>(&mut sql);
        conditions(&mut sql, &plan.filter, source);
        sql.push(" GROUP BY ALL");
        let found = session.select::<LogBatch>(source, &sql)?;
        let context = source.context::<LogBatch>();
        for rows in &found {
            let read = Reader::new(rows);
            let mut add = || -> Result<(), ArrowError> {
                let (steps, resources) = (read.i64("step")?, read.u32("resource_id")?);
                let (texts, records) = (read.strs("body")?, read.u64("records")?);
                for (row, step_number) in steps.into_iter().enumerate() {
                    let pattern = texts[row].map(template).unwrap_or_default();
                    let key = (context.resource(resources[row]).service(), pattern);
                    *all.entry(key).or_default().entry(from + step_number * step).or_default() += records[row];
                }
                Ok(())
            };
            add().map_err(|error| session.fault(error))?;
            bodies += rows.num_rows();
        }
    }
    let count = |((service, pattern), points): ((ServiceKey, String), BTreeMap<i64, u64>)| LogCount {
        service,
        pattern,
        points: points.into_iter().collect(),
    };
    Ok(session.answer(all.into_iter().map(count).collect()))
}

/// A step that people read easily, so that the range has no more than `buckets` of them.
fn step(range_nanos: i64, buckets: u32) -> i64 {
    const SECOND: i64 = 1_000_000_000;
    const STEPS: [i64; 18] = [
        SECOND / 1000,
        SECOND / 100,
        SECOND / 10,
        SECOND,
        2 * SECOND,
        5 * SECOND,
        10 * SECOND,
        15 * SECOND,
        30 * SECOND,
        60 * SECOND,
        120 * SECOND,
        300 * SECOND,
        600 * SECOND,
        1800 * SECOND,
        3600 * SECOND,
        3 * 3600 * SECOND,
        12 * 3600 * SECOND,
        24 * 3600 * SECOND,
    ];
    let least = range_nanos / i64::from(buckets);
    let days = 24 * 3600 * SECOND;
    STEPS.into_iter().find(|step| *step >= least).unwrap_or_else(|| (least / days + 1).saturating_mul(days))
}

fn may_match(entry: &SegmentEntry, filter: &LogFilter) -> bool {
    filter::lists_service(&entry.services, filter.service.as_ref())
}

fn conditions(sql: &mut Sql, filter: &LogFilter, source: &Source) {
    filter::in_range(sql, "time_unix_nano", filter.range);
    filter::service(sql, filter.service.as_ref(), &source.context::<LogBatch>());
    if let Some(severity) = filter.min_severity {
        sql.push(" AND severity_number >= ").bind(severity.lowest_number());
    }
    if let Some(text) = &filter.text {
        sql.push(" AND contains(lower(body), lower(").bind(text.as_str()).push("))");
    }
    if let Some(trace) = filter.trace_id {
        sql.push(" AND trace_id = ").bind(trace);
    }
    if let Some(span) = filter.span_id {
        sql.push(" AND span_id = ").bind(span.0);
    }
    filter::attributes::<LogBatch>(sql, &filter.attributes, source);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_few_enough() {
        let minute = 60_000_000_000;
        assert_eq!(step(15 * minute, 60), minute / 4);
        assert_eq!(step(24 * 60 * minute, 100), 30 * minute);
        assert_eq!(step(365 * 24 * 60 * minute, 100) % (24 * 60 * minute), 0);
        for range in [1, minute, 1_000_000 * minute] {
            assert!(range / step(range, 50) <= 50);
        }
    }
}
