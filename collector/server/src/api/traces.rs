//! Traces, and completion of attribute values.

use crate::api::convert;
use crate::api::endpoint::{Ask, Endpoint};
use crate::api::failure::Failure;
use crate::api::params::{ATTR, CURSOR, FROM, Parameter, SERVICE, TO};
use orrery_api as api;
use orrery_api::paths;
use orrery_model::id::ParseIdError;
use orrery_model::{Signal, TraceId};
use orrery_query::plan;
use std::str::FromStr;

const LIMIT: Parameter = Parameter::new("limit", "50", "At most this many, 1 to 1000. Default: 50.");

/// `GET /traces`.
pub(crate) const LIST: Endpoint = Endpoint::json(
    paths::TRACES,
    "TraceList",
    "Traces that match, newest first",
    &[
        FROM,
        TO,
        SERVICE,
        Parameter::new("operation", "GET /cart", "Only this span name."),
        Parameter::new("status", "error", "`error`: failed spans; `ok`: all others."),
        Parameter::new("min_duration", "250ms", "Span took at least this long: `250ms`, `1.5s`, or nanoseconds."),
        Parameter::new("max_duration", "2s", "Span took at most this long."),
        ATTR,
        LIMIT,
        CURSOR,
    ],
)
.about("All filters must hold for one and the same span of the trace; `matched_span_id` is the newest such span.");

pub(crate) fn list(ask: &Ask<'_>) -> Result<api::TraceList, Failure> {
    let params = &ask.params;
    let range = params.range()?;
    let plan = plan::Traces {
        range,
        service: params.service(),
        operation: params.owned("operation"),
        error: params.parsed("status", status)?,
        min_duration_nanos: params.duration("min_duration")?,
        max_duration_nanos: params.duration("max_duration")?,
        attributes: params.attributes()?,
        limit: params.number(LIMIT.name, 1..=1000, 50)?,
        cursor: params.owned(CURSOR.name),
    };
    let answer = ask.store().traces(&plan, ask.control)?;
    Ok(api::TraceList {
        range: convert::range(range),
        traces: answer.value.traces.into_iter().map(convert::trace_summary).collect(),
        next_cursor: answer.value.next_cursor,
        partial: convert::partial(answer.partial),
    })
}

fn status(text: &str) -> Result<bool, String> {
    match text {
        "error" => Ok(true),
        "ok" => Ok(false),
        other => Err(format!("`{other}` is no status; `error` or `ok`")),
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
