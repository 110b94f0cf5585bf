//! Traces that are kept whatever retention does.

use crate::api::convert;
use crate::api::endpoint::{Ask, Endpoint, Verb};
use crate::api::failure::Failure;
use crate::api::traces::{TRACE_ID, trace_id, unknown};
use orrery_api as api;
use orrery_api::{Nanos, paths};
use orrery_query::answer::PinnedTrace;
use orrery_query::plan;

/// `PUT /traces/{trace_id}/pin`.
pub(crate) const PIN: Endpoint =
    Endpoint::json(paths::TRACE_PIN, "PinnedTrace", "Keeps a trace whatever retention does", &[])
        .in_path(&[TRACE_ID])
        .change(Verb::Put, "")
        .about(
            "Its spans are copied, all that there are now; said again, those that came since are copied, too. The copy is read by questions for this trace alone: searches and maps know what retention has left. Log records are not kept. At most 1 000 traces.",
        );

pub(crate) fn pin(ask: &Ask<'_>) -> Result<api::PinnedTrace, Failure> {
    let trace_id = trace_id(ask)?;
    let plan = plan::Pin { trace_id, max_spans: ask.api.limits.max_trace_spans };
    let pinned = ask.store().pin(&plan, ask.control)?.value;
    pinned.map(of).ok_or_else(|| unknown(trace_id))
}

/// `DELETE /traces/{trace_id}/pin`.
pub(crate) const UNPIN: Endpoint =
    Endpoint::json(paths::TRACE_PIN, "PinnedList", "Lets a trace go again; answers those that are still kept", &[])
        .in_path(&[TRACE_ID])
        .change(Verb::Delete, "");

pub(crate) fn unpin(ask: &Ask<'_>) -> Result<api::PinnedList, Failure> {
    let trace_id = trace_id(ask)?;
    match ask.store().unpin(trace_id)? {
        true => list(ask),
        false => {
            Err(Failure::NotFound(format!("Trace {trace_id} is not pinned. GET {} lists those that are.", paths::PINS)))
        }
    }
}

/// `GET /pins`.
pub(crate) const LIST: Endpoint =
    Endpoint::json(paths::PINS, "PinnedList", "Traces that are kept whatever retention does, newest pin first", &[]);

pub(crate) fn list(ask: &Ask<'_>) -> Result<api::PinnedList, Failure> {
    let (pins, limit) = ask.store().pins();
    let pins: Vec<api::PinnedTrace> = pins.into_iter().map(of).collect();
    Ok(api::PinnedList { bytes: pins.iter().map(|pin| pin.bytes).sum(), limit: limit as u64, pins })
}

fn of(pin: PinnedTrace) -> api::PinnedTrace {
    api::PinnedTrace {
        trace_id: pin.trace_id.to_string(),
        pinned_unix_nano: Nanos(pin.pinned_unix_nano),
        root_service: convert::service(&pin.root_service),
        root_name: pin.root_name,
        start_time_unix_nano: Nanos(pin.start_time_unix_nano),
        duration_nanos: Nanos(pin.duration_nanos),
        span_count: pin.span_count,
        error_count: pin.error_count,
        bytes: pin.bytes,
    }
}
