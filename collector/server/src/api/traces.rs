//! Traces, and completion of attribute values.

use crate::api::convert;
use crate::api::endpoint::{Ask, Endpoint};
use crate::api::failure::Failure;
use crate::api::params::{ATTR, CURSOR, FROM, Parameter, SERVICE, TO};
use orrery_api as api;
use orrery_api::paths;
use orrery_model::{Signal, TraceId};
use orrery_query::plan;

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

/// `GET /traces/{trace_id}`.
pub(crate) const DETAIL: Endpoint = Endpoint::json(paths::TRACE, "Trace", "All spans of one trace, at any time", &[])
    .with_id(Parameter::new("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736", "32 hexadecimal digits, either case."));

pub(crate) fn detail(ask: &Ask<'_>) -> Result<api::Trace, Failure> {
    let trace_id: TraceId = ask
        .id
        .parse()
        .map_err(|error| Failure::invalid("trace_id", format!("`{}` is no trace id: {error}", ask.id)))?;
    let answer = ask.store().trace(&plan::Trace { trace_id }, ask.control)?;
    if answer.value.spans.is_empty() {
        return Err(Failure::NotFound(format!(
            "No span of trace {trace_id} is stored. It may have expired, or never have been sent or sampled."
        )));
    }
    Ok(convert::trace(trace_id, answer.value.spans, answer.partial))
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
