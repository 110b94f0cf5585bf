//! Traces, and completion of attribute values.

use crate::api::convert;
use crate::api::endpoint::{Ask, Endpoint};
use crate::api::failure::Failure;
use crate::api::params::{CURSOR, FROM, Parameter, SERVICE, TO};
use crate::api::query::{self, Asked};
use orrery_api as api;
use orrery_api::paths;
use orrery_model::id::ParseIdError;
use orrery_model::{Signal, TraceId};
use orrery_query::plan;
use std::str::FromStr;

const LIMIT: Parameter = Parameter::new("limit", "50", "At most this many, 1 to 1000. Default: 50.");
const SPANS: Parameter =
    Parameter::new("spans", "3", "Matching spans of each spanset in the answer, 0 to 100. Default: 3.");
const SORT: Parameter = Parameter::new(
    "sort",
    "duration",
    "What comes first: `time`, the newest; `duration`, `errors`, `spans`: the most, of the whole trace. Default: `time`. \
     Other orders than by time are of the newest 10 000 traces.",
);

/// `GET /traces`.
pub(crate) const LIST: Endpoint = Endpoint::json(
    paths::TRACES,
    "TraceList",
    "Traces that match",
    &[
        FROM,
        TO,
        query::Q,
        SERVICE,
        query::OPERATION,
        query::STATUS,
        query::MIN_DURATION,
        query::MAX_DURATION,
        query::ATTR_OF_SPANS,
        SORT,
        SPANS,
        LIMIT,
        CURSOR,
    ],
)
.about(
    "`q` is TraceQL (`storage/query/TRACEQL.md`). The other filters must hold for one and the same span; with `q`, they choose \
     the spans of which `q` is asked. The answer's `query` is all of it in TraceQL. Traces are found by spans that start in \
     the range.",
);

pub(crate) fn list(ask: &Ask<'_>) -> Result<api::TraceList, Failure> {
    let params = &ask.params;
    let range = params.range()?;
    let asked = Asked::search(params)?;
    let sort = params.parsed(SORT.name, sort)?.unwrap_or_default();
    let plan = plan::Traces {
        range,
        query: asked.query.clone(),
        sort: convert::trace_sort(sort),
        spans: params.number(SPANS.name, 0..=100, 3)?,
        limit: params.number(LIMIT.name, 1..=1000, 50)?,
        cursor: params.owned(CURSOR.name),
    };
    let answer = ask.store().traces(&plan, ask.control).map_err(|error| asked.failure(error))?;
    Ok(api::TraceList {
        range: convert::range(range),
        query: asked.query.to_string(),
        sort,
        traces: answer.value.traces.into_iter().map(convert::trace_summary).collect(),
        next_cursor: answer.value.next_cursor,
        scanned: convert::scanned(answer.scanned),
        partial: convert::partial(answer.partial),
    })
}

fn sort(text: &str) -> Result<api::TraceSort, String> {
    match text {
        "time" => Ok(api::TraceSort::Time),
        "duration" => Ok(api::TraceSort::Duration),
        "errors" => Ok(api::TraceSort::Errors),
        "spans" => Ok(api::TraceSort::Spans),
        other => Err(format!("`{other}` is no order; `time`, `duration`, `errors` or `spans`")),
    }
}

pub(crate) const TRACE_ID: Parameter =
    Parameter::new("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736", "32 hexadecimal digits, either case.");
const SPAN_ID: Parameter = Parameter::new("span_id", "00f067aa0ba902b7", "16 hexadecimal digits, either case.");

/// `GET /traces/{trace_id}`.
pub(crate) const DETAIL: Endpoint = Endpoint::json(paths::TRACE, "Trace", "Spans of one trace, at any time", &[])
    .in_path(&[TRACE_ID])
    .about("At most 10 000 spans: `partial` says so if there are more. All of them are in `…/columns`.");

pub(crate) fn detail(ask: &Ask<'_>) -> Result<api::Trace, Failure> {
    let trace_id = trace_id(ask)?;
    let answer = ask.store().trace(&plan::Trace { trace_id }, ask.control)?;
    if answer.value.spans.is_empty() {
        return Err(unknown(trace_id));
    }
    Ok(convert::trace(trace_id, answer.value.spans, answer.partial))
}

/// `GET /traces/{trace_id}/columns`.
pub(crate) const COLUMNS: Endpoint = Endpoint::json(
    paths::TRACE_COLUMNS,
    "",
    "All spans of one trace, at any time, in a compact binary form",
    &[],
)
.in_path(&[TRACE_ID])
.media(api::columns::MEDIA)
.about(
    "What a picture needs of every span: ids, parents, times, names, services, kinds, status. The form is described in \
             `web/api/src/columns.rs`. At most `--max-trace-spans`.",
);

pub(crate) fn columns(ask: &Ask<'_>) -> Result<Vec<u8>, Failure> {
    let trace_id = trace_id(ask)?;
    let plan = plan::TraceColumns { trace_id, max_spans: ask.api.limits.max_trace_spans };
    let answer = ask.store().trace_columns(&plan, ask.control)?;
    if answer.value.span_id.is_empty() {
        return Err(unknown(trace_id));
    }
    Ok(convert::trace_columns(answer.value, answer.partial).encode())
}

/// `GET /traces/{trace_id}/spans/{span_id}`.
pub(crate) const SPAN: Endpoint =
    Endpoint::json(paths::SPAN, "SpanDetail", "Everything one span says", &[]).in_path(&[TRACE_ID, SPAN_ID]);

pub(crate) fn span(ask: &Ask<'_>) -> Result<api::SpanDetail, Failure> {
    let (trace_id, span_id) = (trace_id(ask)?, id(ask, SPAN_ID)?);
    let answer = ask.store().span(&plan::Span { trace_id, span_id }, ask.control)?;
    let unknown = || Failure::NotFound(format!("Span {span_id} of trace {trace_id} is not stored."));
    Ok(convert::span_detail(answer.value.ok_or_else(unknown)?, answer.partial))
}

pub(crate) fn trace_id(ask: &Ask<'_>) -> Result<TraceId, Failure> {
    id(ask, TRACE_ID)
}

fn id<T: FromStr<Err = ParseIdError>>(ask: &Ask<'_>, which: Parameter) -> Result<T, Failure> {
    let text = ask.part(which.name);
    let wrong =
        |error| Failure::invalid(which.name, format!("`{text}` is no {}: {error}", which.name.replace('_', " ")));
    text.parse().map_err(wrong)
}

pub(crate) fn unknown(trace_id: TraceId) -> Failure {
    Failure::NotFound(format!(
        "No span of trace {trace_id} is stored. It may have expired, or never have been sent or sampled."
    ))
}

/// `GET /values`.
pub(crate) const VALUES: Endpoint = Endpoint::json(
    paths::VALUES,
    "ValueList",
    "Values of a field or attribute, most frequent first: completion",
    &[
        FROM,
        TO,
        Parameter::new("signal", "traces", "`traces` or `logs`. Default: `traces`."),
        Parameter::new("key", "http.route", "`service.name`, `name` (of spans), or an attribute.").required(),
        Parameter::new("prefix", "/c", "Starts with this, ignoring case."),
        Parameter::new("limit", "20", "At most this many, 1 to 200. Default: 20."),
    ],
);

pub(crate) fn values(ask: &Ask<'_>) -> Result<api::ValueList, Failure> {
    let params = &ask.params;
    let plan = plan::Values {
        range: params.range()?,
        signal: params.parsed("signal", signal)?.unwrap_or(Signal::Traces),
        key: params.owned("key").unwrap_or_default(),
        prefix: params.owned("prefix").unwrap_or_default(),
        limit: params.number("limit", 1..=200, 20)?,
    };
    let answer = ask.store().values(&plan, ask.control)?;
    Ok(api::ValueList {
        values: answer
            .value
            .into_iter()
            .map(|value| api::ValueCount { value: value.value, count: value.count })
            .collect(),
        partial: convert::partial(answer.partial),
    })
}

fn signal(text: &str) -> Result<Signal, String> {
    match text {
        "traces" => Ok(Signal::Traces),
        "logs" => Ok(Signal::Logs),
        other => Err(format!("`{other}` has no values to complete; `traces` or `logs`")),
    }
}
