//! The API's trace as the chart crate's waterfall.

use orrery_api::{ServiceRef, TraceColumns};
use orrery_chart::tokens::SERIES_COUNT;
use orrery_chart::waterfall::{SpanInput, SpanKind, Waterfall};
use orrery_chart::{Ink, Token};

/// Rows a trace begins with, at most.
const FIRST_ROWS: usize = 400;
/// OTLP's number of a failed status.
const ERROR: u8 = 2;

/// A trace, ready to be drawn. Span `n` of the waterfall is span `n` of the flags.
#[derive(Debug)]
pub struct Picture {
    /// Tree, rows, critical path.
    pub waterfall: Waterfall,
    /// Services of the spans.
    pub services: Vec<ServiceRef>,
    /// A colour for each.
    pub inks: Vec<Ink>,
    /// As in [`TraceColumns::flags`].
    pub flags: Vec<u8>,
    /// Why something is missing.
    pub partial: Option<String>,
}

impl Picture {
    /// Lays a trace out.
    pub fn new(columns: TraceColumns) -> Picture {
        let inks = inks(&columns);
        let start = columns.start_time_unix_nano.0;
        let parent = |at: usize| match columns.parent[at] {
            TraceColumns::NO_PARENT if columns.flags[at] & TraceColumns::PARENT_MISSING != 0 => u64::MAX,
            TraceColumns::NO_PARENT => 0,
            parent => columns.span_id[parent as usize],
        };
        let span = |at: usize| SpanInput {
            id: columns.span_id[at],
            parent: parent(at),
            start: start.saturating_add_unsigned(columns.start_nanos[at]),
            duration: i64::try_from(columns.duration_nanos[at]).unwrap_or(i64::MAX),
            service: columns.service[at],
            name: columns.name[at],
            error: columns.status_code[at] == ERROR,
            kind: kind(columns.kind[at]),
        };
        let spans = (0..columns.len()).map(span).collect();
        let services = columns.services.iter().map(|service| service.name.clone()).collect();
        let waterfall = Waterfall::fitted(spans, columns.parent, columns.names, services, FIRST_ROWS);
        Picture { waterfall, services: columns.services, inks, flags: columns.flags, partial: columns.partial }
    }
}

/// OTLP's numbers.
fn kind(number: u8) -> SpanKind {
    match number {
        2 => SpanKind::Server,
        3 => SpanKind::Client,
        4 => SpanKind::Producer,
        5 => SpanKind::Consumer,
        _ => SpanKind::Internal,
    }
}

/// A colour for each service of a trace: the eight with most spans get one by a hash of their name, so that a service
/// keeps its colour as long as no busier one has taken it; the others are grey.
fn inks(columns: &TraceColumns) -> Vec<Ink> {
    let mut spans = vec![0_u32; columns.services.len()];
    for service in &columns.service {
        spans[*service as usize] += 1;
    }
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_by_key(|at| (std::cmp::Reverse(spans[*at]), *at));
    let mut inks = vec![Ink::from(Token::series(SERIES_COUNT)); spans.len()];
    let mut taken = [false; SERIES_COUNT];
    for at in order.into_iter().take(SERIES_COUNT) {
        let wanted = hash(&columns.services[at].name) as usize % SERIES_COUNT;
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
    use orrery_api::{Nanos, ScopeRef};

    fn trace() -> TraceColumns {
        let service = |name: &str| ServiceRef { id: name.into(), name: name.into(), ..ServiceRef::default() };
        TraceColumns {
            services: vec![service("gateway"), service("cart")],
            names: vec!["op 0".into(), "op 1".into()],
            scopes: vec![ScopeRef::default()],
            start_time_unix_nano: Nanos(1_000),
            span_id: vec![0xff, 2, 3],
            parent: vec![TraceColumns::NO_PARENT, 0, TraceColumns::NO_PARENT],
            start_nanos: vec![0, 5, 6],
            duration_nanos: vec![1_000, 10, 10],
            service: vec![0, 1, 1],
            name: vec![0, 1, 1],
            scope: vec![0; 3],
            kind: vec![2, 3, 1],
            status_code: vec![0, 2, 0],
            flags: vec![0, 0, TraceColumns::PARENT_MISSING],
            partial: None,
        }
    }

    #[test]
    fn spans_keep_their_places_and_parents() {
        let waterfall = Picture::new(trace()).waterfall;
        assert_eq!((waterfall.parent(1), waterfall.parent(2)), (Some(0), None));
        assert_eq!((waterfall.is_orphan(0), waterfall.is_orphan(2)), (false, true));
        assert_eq!((waterfall.name(1), waterfall.service(1)), ("op 1", "cart"));
        assert_eq!((waterfall.span(1).start, waterfall.span(1).kind), (1_005, SpanKind::Client));
        assert_eq!(waterfall.next_error(None), Some(1));
    }

    #[test]
    fn services_have_colours_of_their_own() {
        let mut trace = trace();
        let inks = inks(&trace);
        assert_ne!(inks[0], inks[1]);
        trace.services.truncate(1);
        trace.service.fill(0);
        assert_eq!(super::inks(&trace)[0], inks[0]);
    }
}
