//! One huge trace of which everything is known: how many spans, failures and repeated siblings it has.

use crate::span::{int, text};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

/// A trace: a root, a run of equal queries below it, and a tree of work of up to eight children per span.
#[derive(Clone, Copy, Debug)]
pub struct Monster {
    /// Its id.
    pub trace_id: u128,
    /// How many spans, more than [`Monster::REPEATED`] and the root.
    pub spans: u64,
    /// When it begins, Unix nanoseconds.
    pub start_unix_nano: u64,
}

const SERVICES: u64 = 14;
const OPERATIONS: u64 = 50;
const CHILDREN: u64 = 8;
/// Spans of a request.
const REQUEST: u64 = 2_000;
/// The whole trace, nanoseconds.
const LENGTH: u64 = 60_000_000_000;

impl Monster {
    /// Equal siblings below the root, one after the other: `SELECT cart`.
    pub const REPEATED: u64 = 4_213;

    /// Bodies for OTLP/HTTP, protobuf. Children come after their parents.
    pub fn requests(self) -> impl Iterator<Item = Vec<u8>> {
        let mut times: Vec<(u64, u64)> = Vec::with_capacity(self.spans as usize);
        (0..self.spans.div_ceil(REQUEST)).map(move |number| {
            let range = number * REQUEST..((number + 1) * REQUEST).min(self.spans);
            let mut services: Vec<Vec<Span>> = vec![Vec::new(); SERVICES as usize];
            for at in range {
                times.push(self.times(at, &times));
                services[self.service(at) as usize].push(self.span(at, times[at as usize]));
            }
            let filled = services.into_iter().enumerate().filter(|(_, spans)| !spans.is_empty());
            let resource_spans = filled.map(|(service, spans)| resource_spans(service, spans)).collect();
            ExportTraceServiceRequest { resource_spans }.encode_to_vec()
        })
    }

    /// Failed spans.
    pub fn errors(self) -> u64 {
        (0..self.spans).filter(|at| self.fails(*at)).count() as u64
    }

    /// The id of a span by its place.
    pub fn span_id(self, at: u64) -> u64 {
        // Odd factor: distinct. Never zero, since places are less than a million million.
        (at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn fails(self, at: u64) -> bool {
        at > Monster::REPEATED && at.is_multiple_of(997)
    }

    fn parent(self, at: u64) -> Option<u64> {
        match at {
            0 => None,
            at if at <= Monster::REPEATED + CHILDREN => Some(0),
            at => Some(Monster::REPEATED + 1 + (at - Monster::REPEATED - 1 - CHILDREN) / CHILDREN),
        }
    }

    fn service(self, at: u64) -> u64 {
        if at <= Monster::REPEATED { 0 } else { at / 3 % SERVICES }
    }

    fn times(self, at: u64, before: &[(u64, u64)]) -> (u64, u64) {
        let Some(parent) = self.parent(at) else { return (self.start_unix_nano, self.start_unix_nano + LENGTH) };
        if (1..=Monster::REPEATED).contains(&at) {
            let step = LENGTH / 2 / Monster::REPEATED;
            let start = self.start_unix_nano + step * at;
            return (start, start + step * 9 / 10);
        }
        let (mut from, to) = before[parent as usize];
        if parent == 0 {
            // After the repeated ones, so that those are neighbours.
            from += LENGTH / 2 + LENGTH / 100;
        }
        let part = (to - from) / (CHILDREN + 1);
        let start = from + part * (at % CHILDREN) + part / 10;
        (start, (start + part * (1 + at % 3)).min(to))
    }

    fn span(self, at: u64, (start, end): (u64, u64)) -> Span {
        let repeated = (1..=Monster::REPEATED).contains(&at);
        let failed = self.fails(at);
        let name = match at {
            0 => "POST /checkout".to_owned(),
            _ if repeated => "SELECT cart".to_owned(),
            _ => format!("step {}", at % OPERATIONS),
        };
        let exception = || Event {
            time_unix_nano: end,
            name: "exception".to_owned(),
            attributes: vec![text("exception.type", "TimeoutError")],
            ..Default::default()
        };
        Span {
            trace_id: self.trace_id.to_be_bytes().to_vec(),
            span_id: self.span_id(at).to_be_bytes().to_vec(),
            parent_span_id: self
                .parent(at)
                .map(|parent| self.span_id(parent).to_be_bytes().to_vec())
                .unwrap_or_default(),
            name,
            kind: match at {
                0 => 2,
                _ if repeated => 3,
                _ => 1 + (at % 3) as i32,
            },
            start_time_unix_nano: start,
            end_time_unix_nano: end,
            attributes: vec![int("bench.seq", at as i64), text("http.request.method", "GET")],
            events: if failed { vec![exception()] } else { Vec::new() },
            status: failed.then(|| Status { code: 2, message: "deadline exceeded".to_owned() }),
            ..Default::default()
        }
    }
}

fn resource_spans(service: usize, spans: Vec<Span>) -> ResourceSpans {
    let scope = InstrumentationScope { name: "orrery-synth".to_owned(), version: "1".to_owned(), ..Default::default() };
    let attributes = vec![text("service.name", format!("service-{service}")), text("service.namespace", "monster")];
    ResourceSpans {
        resource: Some(Resource { attributes, ..Default::default() }),
        scope_spans: vec![ScopeSpans { scope: Some(scope), spans, ..Default::default() }],
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn a_monster_is_what_it_says() {
        let monster = Monster { trace_id: 7, spans: 20_000, start_unix_nano: 1_700_000_000_000_000_000 };
        let mut seen: HashMap<Vec<u8>, (u64, u64)> = HashMap::new();
        let (mut errors, mut repeated) = (0, 0);
        for body in monster.requests() {
            let request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
            let groups = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
            let mut spans: Vec<&Span> = groups.flat_map(|scope| &scope.spans).collect();
            spans.sort_by_key(|span| span.start_time_unix_nano);
            errors += spans.iter().filter(|span| span.status.is_some()).count() as u64;
            repeated += spans.iter().filter(|span| span.name == "SELECT cart").count() as u64;
            for span in &spans {
                seen.insert(span.span_id.clone(), (span.start_time_unix_nano, span.end_time_unix_nano));
            }
            for span in spans.iter().filter(|span| !span.parent_span_id.is_empty()) {
                let parent = seen[&span.parent_span_id];
                assert!(parent.0 <= span.start_time_unix_nano && span.end_time_unix_nano <= parent.1, "{span:?}");
            }
        }
        assert_eq!(seen.len() as u64, monster.spans);
        assert_eq!((errors, repeated), (monster.errors(), Monster::REPEATED));
    }
}
