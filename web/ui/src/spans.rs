//! The API's trace as the chart crate's waterfall.

use orrery_api::Trace;
use orrery_chart::tokens::SERIES_COUNT;
use orrery_chart::waterfall::{SpanInput, SpanKind, Waterfall};
use orrery_chart::{Ink, Token};
use std::collections::HashMap;

/// Rows a trace begins with, at most.
const FIRST_ROWS: usize = 400;

/// Lays a trace out. Span `n` of the waterfall is span `n` of the trace.
pub fn waterfall(trace: &Trace) -> Waterfall {
    let mut names: Vec<String> = Vec::new();
    let mut known: HashMap<&str, u32> = HashMap::new();
    let mut name_of = |name| {
        *known.entry(name).or_insert_with(|| {
            names.push(str::to_owned(name));
            names.len() as u32 - 1
        })
    };
    let spans = trace.spans.iter().map(|span| SpanInput {
        id: id(&span.span_id),
        parent: span.parent_span_id.as_deref().map_or(0, id),
        start: span.start_time_unix_nano.0,
        duration: span.duration_nanos.0,
        service: span.service,
        name: name_of(span.name.as_str()),
        error: span.status_code == "error",
        kind: kind(&span.kind),
    });
    let spans = spans.collect();
    let services = trace.services.iter().map(|service| service.name.clone()).collect();
    let mut waterfall = Waterfall::new(spans, names, services);
    waterfall.collapse_to_fit(FIRST_ROWS);
    waterfall
}

fn id(hex: &str) -> u64 {
    u64::from_str_radix(hex, 16).unwrap_or(0)
}

fn kind(kind: &str) -> SpanKind {
    match kind {
        "server" => SpanKind::Server,
        "client" => SpanKind::Client,
        "producer" => SpanKind::Producer,
        "consumer" => SpanKind::Consumer,
        _ => SpanKind::Internal,
    }
}

/// A colour for each service of a trace: the eight with most spans get one by a hash of their name, so that a service
/// keeps its colour as long as no busier one has taken it; the others are grey.
pub fn inks(trace: &Trace) -> Vec<Ink> {
    let mut spans = vec![0_u32; trace.services.len()];
    for span in &trace.spans {
        if let Some(count) = spans.get_mut(span.service as usize) {
            *count += 1;
        }
    }
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_by_key(|at| (std::cmp::Reverse(spans[*at]), *at));
    let mut inks = vec![Ink::from(Token::series(SERIES_COUNT)); spans.len()];
    let mut taken = [false; SERIES_COUNT];
    for at in order.into_iter().take(SERIES_COUNT) {
        let wanted = hash(&trace.services[at].name) as usize % SERIES_COUNT;
        let slot =
            (0..SERIES_COUNT).map(|step| (wanted + step) % SERIES_COUNT).find(|slot| !taken[*slot]).unwrap_or(wanted);
        taken[slot] = true;
        inks[at] = Token::series(slot).into();
    }
    inks
}

/// FNV-1a: stable across sessions and machines.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;
    use orrery_api::{Nanos, ServiceRef, Span};

    fn trace() -> Trace {
        let service = |name: &str| ServiceRef { id: name.into(), name: name.into(), ..ServiceRef::default() };
        let span = |id: &str, parent: Option<&str>, service: u32, status: &str| Span {
            span_id: id.into(),
            parent_span_id: parent.map(str::to_owned),
            name: format!("op {service}"),
            kind: "server".into(),
            duration_nanos: Nanos(1_000),
            status_code: status.into(),
            service,
            ..Span::default()
        };
        Trace {
            spans: vec![
                span("00000000000000ff", None, 0, "unset"),
                span("0000000000000002", Some("00000000000000ff"), 1, "error"),
            ],
            services: vec![service("gateway"), service("cart")],
            ..Trace::default()
        }
    }

    #[test]
    fn spans_keep_their_places_and_parents() {
        let waterfall = waterfall(&trace());
        assert_eq!(waterfall.parent(1), Some(0));
        assert_eq!((waterfall.name(1), waterfall.service(1)), ("op 1", "cart"));
        assert_eq!(waterfall.next_error(None), Some(1));
    }

    #[test]
    fn services_have_colours_of_their_own() {
        let trace = trace();
        let inks = inks(&trace);
        assert_ne!(inks[0], inks[1]);
        let alone = Trace { services: vec![trace.services[0].clone()], ..trace.clone() };
        assert_eq!(super::inks(&alone)[0], inks[0]);
    }
}
