//! What a trace has to do with others: who links to it, and how it differs from another.

use crate::api::convert;
use crate::api::endpoint::{Ask, Endpoint};
use crate::api::failure::Failure;
use crate::api::params::Parameter;
use crate::api::query;
use crate::api::traces::{TRACE_ID, trace_id, unknown};
use orrery_api as api;
use orrery_api::paths;
use orrery_model::TraceId;
use orrery_query::answer::{self, TraceSummary};
use orrery_query::plan::{self, TraceSort, Traces};
use orrery_query::traceql::{Field, FieldName, Intrinsic, Literal, Query};
use orrery_query::{Answer, Partial, TimeRange};

/// Traces that link, and linking spans of each, at most.
const LINKING: u32 = 100;
const LINKING_SPANS: u32 = 100;
/// Traces of an operation from which a typical one is chosen.
const TYPICAL_OF: u32 = 200;
const HOUR: i64 = 3_600_000_000_000;

/// `GET /traces/{trace_id}/links`.
pub(crate) const LINKS: Endpoint = Endpoint::json(
    paths::TRACE_LINKS,
    "TraceLinks",
    "Spans that link to a trace, at any time",
    &[],
)
.in_path(&[TRACE_ID])
.about("Of the newest 100 traces that do, 100 spans each. Where time runs out, those of the newest spans: `partial` says so. The trace itself need not be stored.");

pub(crate) fn links(ask: &Ask<'_>) -> Result<api::TraceLinks, Failure> {
    let trace_id = trace_id(ask)?;
    let query = format!("{{ link:traceID = \"{trace_id}\" }} | select(link:traceID, link:spanID)");
    let query = query::parsed(&query)?;
    let plan = Traces { query, spans: LINKING_SPANS, limit: LINKING, ..Traces::all(TimeRange::ALL) };
    let answer = ask.store().traces(&plan, ask.control)?;
    let more = answer.value.next_cursor.is_some();
    let partial = answer.partial.or_else(|| more.then(|| Partial(format!("more than {LINKING} traces link to it"))));
    let spans = |trace: TraceSummary| {
        let spans = trace.spansets.into_iter().flat_map(|set| set.spans);
        spans.map(|span| linking(trace.trace_id, span, trace_id)).collect::<Vec<_>>()
    };
    Ok(api::TraceLinks {
        range: convert::range(plan.range),
        links: answer.value.traces.into_iter().flat_map(spans).collect(),
        scanned: convert::scanned(answer.scanned),
        partial: convert::partial(partial),
    })
}

fn linking(of: TraceId, span: answer::MatchedSpan, to: TraceId) -> api::LinkingSpan {
    let values = |wanted: Intrinsic| {
        let is_wanted = move |field: &Field| field.name == FieldName::Intrinsic(wanted);
        span.selected.iter().filter(move |(field, _)| is_wanted(field)).filter_map(|(_, value)| match value {
            Literal::Text(text) => Some(text.clone()),
            _ => None,
        })
    };
    // A link is an entry of both.
    let to_span_ids = values(Intrinsic::LinkTraceId)
        .zip(values(Intrinsic::LinkSpanId))
        .filter(|(trace, _)| trace.parse::<TraceId>().is_ok_and(|trace| trace == to))
        .map(|(_, span)| span)
        .collect();
    api::LinkingSpan {
        trace_id: of.to_string(),
        span_id: span.span_id.to_string(),
        service: convert::service(&span.service),
        kind: span.kind.as_str().to_owned(),
        start_time_unix_nano: api::Nanos(span.start_time_unix_nano),
        duration_nanos: api::Nanos(span.duration_nanos),
        status_code: span.status_code.as_str().to_owned(),
        to_span_ids,
        name: span.name,
    }
}

const TYPICAL: &str = "typical";
const WITH: Parameter = Parameter::new(
    "with",
    TYPICAL,
    "Id of the trace compared with; `typical`: the one of median duration among those without a failed span that the same operation began, within an hour, or else a day before.",
)
.required();

/// `GET /traces/{trace_id}/diff`.
pub(crate) const DIFF: Endpoint = Endpoint::json(
    paths::TRACE_DIFF,
    "TraceDiff",
    "A trace beside another: what is new, gone, slower, fails more",
    &[WITH],
)
.in_path(&[TRACE_ID])
.about(
    "Spans of both in one tree by service, name and kind from the root down; spans with the same path are one row, at most 5 000. `new`, `gone`: nothing on the other side. `more_errors`, `fewer_errors`: a larger or smaller share failed, and more or fewer of them. `slower`, `faster`: all spans of the row together took longer or less by a fifth, and by a hundredth of the longer trace.",
);

pub(crate) fn diff(ask: &Ask<'_>) -> Result<api::TraceDiff, Failure> {
    let id = trace_id(ask)?;
    let now = columns(ask, id)?.ok_or_else(|| unknown(id))?;
    let other = match ask.params.text(WITH.name).unwrap_or_default() {
        TYPICAL => typical(ask, id, &now)?,
        text => text.parse::<TraceId>().map_err(|error| {
            Failure::invalid(WITH.name, format!("`{text}` is no trace id ({error}), nor `{TYPICAL}`"))
        })?,
    };
    let gone = || Failure::NotFound(format!("No span of trace {other}, which was to be compared with, is stored."));
    let before = columns(ask, other)?.ok_or_else(gone)?;
    Ok(api::TraceDiff::of((&other.to_string(), &before), (&id.to_string(), &now)))
}

fn columns(ask: &Ask<'_>, trace_id: TraceId) -> Result<Option<api::TraceColumns>, Failure> {
    let plan = plan::TraceColumns { trace_id, max_spans: ask.api.limits.max_trace_spans };
    let Answer { value, partial, .. } = ask.store().trace_columns(&plan, ask.control)?;
    Ok((!value.span_id.is_empty()).then(|| convert::trace_columns(value, partial)))
}

/// The trace of median duration of those that the same operation began and nothing failed in.
fn typical(ask: &Ask<'_>, own: TraceId, columns: &api::TraceColumns) -> Result<TraceId, Failure> {
    let root = api::ComparedTrace::of("", columns);
    let start = root.start_time_unix_nano.0;
    let query = query::calls_of(&root.root_service, &root.root_name)?;
    let ranges = [(start.saturating_sub(HOUR), HOUR), (start.saturating_sub(24 * HOUR), HOUR)];
    for (from, after) in ranges {
        let range = TimeRange { from, to: start.saturating_add(after) };
        if let Some(found) = typical_in(ask, own, &root, range, query.clone())? {
            return Ok(found);
        }
    }
    let (service, name) = (&root.root_service.name, &root.root_name);
    Err(Failure::NotFound(format!(
        "There is no other trace that `{service}` began with `{name}` and in which nothing failed, within a day before this one. Choose one by its id."
    )))
}

fn typical_in(
    ask: &Ask<'_>,
    own: TraceId,
    root: &api::ComparedTrace,
    range: TimeRange,
    query: Query,
) -> Result<Option<TraceId>, Failure> {
    let plan = Traces { query, sort: TraceSort::Time, spans: 0, limit: TYPICAL_OF, ..Traces::all(range) };
    let mut found = ask.store().traces(&plan, ask.control)?.value.traces;
    found.retain(|trace| {
        let begins = trace.root_name == root.root_name && convert::service(&trace.root_service) == root.root_service;
        begins && trace.root_received && trace.error_count == 0 && trace.trace_id != own
    });
    found.sort_by_key(|trace| (trace.duration_nanos, trace.trace_id));
    Ok(found.get(found.len() / 2).map(|trace| trace.trace_id))
}
