//! Logs.

use crate::api::convert;
use crate::api::endpoint::{Ask, Endpoint};
use crate::api::failure::Failure;
use crate::api::params::{ATTR, CURSOR, FROM, Parameter, SERVICE, TO, TRACE_ID};
use orrery_api as api;
use orrery_api::{Nanos, paths};
use orrery_query::plan;

pub(crate) const SEVERITY: Parameter =
    Parameter::new("severity", "warn", "This level or worse: `trace`, `debug`, `info`, `warn`, `error`, `fatal`.");
pub(crate) const TEXT: Parameter = Parameter::new("text", "declined", "The body contains this, ignoring case.");
const SPAN_ID: Parameter = Parameter::new("span_id", "00f067aa0ba902b7", "Only of this span.");

/// `GET /logs`.
pub(crate) const LIST: Endpoint = Endpoint::json(
    paths::LOGS,
    "LogList",
    "Log records that match, newest first",
    &[
        FROM,
        TO,
        SERVICE,
        SEVERITY,
        TEXT,
        TRACE_ID,
        SPAN_ID,
        ATTR,
        Parameter::new("limit", "100", "At most this many, 1 to 1000. Default: 100."),
        CURSOR,
    ],
);

pub(crate) fn list(ask: &Ask<'_>) -> Result<api::LogList, Failure> {
    let filter = filter(ask)?;
    let range = filter.range;
    let plan =
        plan::Logs { filter, limit: ask.params.number("limit", 1..=1000, 100)?, cursor: ask.params.owned(CURSOR.name) };
    let answer = ask.store().logs(&plan, ask.control)?;
    Ok(api::LogList {
        range: convert::range(range),
        logs: answer.value.logs.into_iter().map(convert::log_record).collect(),
        next_cursor: answer.value.next_cursor,
        partial: convert::partial(answer.partial),
    })
}

/// `GET /logs/histogram`.
pub(crate) const HISTOGRAM: Endpoint = Endpoint::json(
    paths::LOG_HISTOGRAM,
    "LogHistogram",
    "Log records that match, counted by time and level",
    &[
        FROM,
        TO,
        SERVICE,
        SEVERITY,
        TEXT,
        TRACE_ID,
        SPAN_ID,
        ATTR,
        Parameter::new("buckets", "60", "Steps wanted, 1 to 500. Default: 60."),
    ],
);

pub(crate) fn histogram(ask: &Ask<'_>) -> Result<api::LogHistogram, Failure> {
    let filter = filter(ask)?;
    let range = filter.range;
    let answer = ask.store().log_histogram(
        &plan::LogHistogram { filter, buckets: ask.params.number("buckets", 1..=500, 60)? },
        ask.control,
    )?;
    let bucket = |bucket: orrery_query::answer::LogBucket| api::LogBucket {
        time_unix_nano: Nanos(bucket.time_unix_nano),
        counts: bucket.counts.into_iter().map(|(level, count)| (level.as_str().to_owned(), count)).collect(),
    };
    Ok(api::LogHistogram {
        range: convert::range(range),
        step_nanos: Nanos(answer.value.step_nanos),
        buckets: answer.value.buckets.into_iter().map(bucket).collect(),
        partial: convert::partial(answer.partial),
    })
}

fn filter(ask: &Ask<'_>) -> Result<plan::LogFilter, Failure> {
    let params = &ask.params;
    Ok(plan::LogFilter {
        range: params.range()?,
        service: params.service(),
        min_severity: params.severity()?,
        text: params.owned(TEXT.name),
        trace_id: params.trace_id()?,
        span_id: params
            .parsed(SPAN_ID.name, |text| text.parse().map_err(|error| format!("`{text}` is no span id: {error}")))?,
        attributes: params.attributes()?,
    })
}
