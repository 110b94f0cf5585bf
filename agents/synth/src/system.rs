//! A system of many services of which everything is known: who calls whom, how fast, and what fails.

use crate::span::{int, text};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use std::collections::BTreeMap;

/// Services in namespaces of about equal size. Service 0 is asked by people; every other is called by one of a lower
/// number, some by two, and one in five asks a database that it shares with nobody. One trace goes through all of them.
#[derive(Clone, Debug)]
pub struct System {
    /// How many.
    pub services: usize,
    /// In so many namespaces.
    pub namespaces: usize,
    /// This service fails in one of two traces, and whoever waits for it, but not service 0.
    pub failing: Option<usize>,
    /// This service takes 200 ms longer.
    pub slow: Option<usize>,
    /// This service is not called; it must call none.
    pub gone: Option<usize>,
    /// This service calls a host outside, `api.new.example`.
    pub calls_outside: Option<usize>,
}

const MILLISECOND: u64 = 1_000_000;

/// A call from one service to another, or to its database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Callee {
    Service(usize),
    Database,
    Outside,
}

impl System {
    /// A system that does well.
    pub fn new(services: usize, namespaces: usize) -> System {
        System { services, namespaces, failing: None, slow: None, gone: None, calls_outside: None }
    }

    /// `service.name` of a service.
    pub fn name(&self, service: usize) -> String {
        format!("{}-{service:04}", ["api", "cart", "stock", "price", "mail", "search", "ledger"][service % 7])
    }

    /// `service.namespace` of a service.
    pub fn namespace(&self, service: usize) -> String {
        format!("team-{:02}", self.team(service))
    }

    fn team(&self, service: usize) -> usize {
        service * self.namespaces / self.services.max(1)
    }

    /// A node's id on the map.
    pub fn id(&self, service: usize) -> String {
        format!("{}/{}@synth", self.namespace(service), self.name(service))
    }

    /// Calls between different services: (caller, callee).
    pub fn edges(&self) -> Vec<(usize, usize)> {
        let all =
            (0..self.services).flat_map(|caller| self.calls(caller).into_iter().map(move |callee| (caller, callee)));
        all.filter_map(|(caller, callee)| match callee {
            Callee::Service(callee) => Some((caller, callee)),
            _ => None,
        })
        .collect()
    }

    /// The last service, which calls none and is called by one.
    pub fn last(&self) -> usize {
        self.services - 1
    }

    /// The service whose trace a service is in because it is called there, before anybody else calls it.
    pub fn caller(&self, service: usize) -> usize {
        // Mostly of the same namespace, so that groups hang together.
        let first =
            (0..service).rev().find(|other| self.team(*other) != self.team(service)).map_or(0, |other| other + 1);
        if service == first { service / 2 } else { first + (service - first) / 3 }
    }

    fn also_called_by(&self, service: usize) -> Option<usize> {
        let other = service * 2 / 3;
        (service > 6 && service.is_multiple_of(3) && other != self.caller(service) && service != self.last())
            .then_some(other)
    }

    fn calls(&self, caller: usize) -> Vec<Callee> {
        let mut calls: Vec<Callee> = (1..self.services)
            .filter(|callee| self.caller(*callee) == caller && *callee != caller && Some(*callee) != self.gone)
            .map(Callee::Service)
            .collect();
        calls.extend(
            (1..self.services).filter(|callee| self.also_called_by(*callee) == Some(caller)).map(Callee::Service),
        );
        calls.extend(caller.is_multiple_of(5).then_some(Callee::Database));
        calls.extend((self.calls_outside == Some(caller)).then_some(Callee::Outside));
        calls
    }

    /// Bodies for OTLP/HTTP, protobuf: so many traces evenly from a moment on, Unix nanoseconds, within a length of time.
    pub fn requests(&self, traces: u64, from_unix_nano: u64, length_nanos: u64) -> impl Iterator<Item = Vec<u8>> {
        let calls: Vec<Vec<Callee>> = (0..self.services).map(|service| self.calls(service)).collect();
        (0..traces).flat_map(move |number| {
            let start = from_unix_nano + length_nanos * number / traces;
            let mut trace = Trace { system: self, calls: &calls, number, start, spans: BTreeMap::new(), next: 1 };
            trace.serve(0, 0, 0, true);
            let requests =
                trace.spans.into_iter().map(|(service, spans)| self.resource_spans(service, spans)).collect::<Vec<_>>();
            requests
                .chunks(100)
                .map(|chunk| ExportTraceServiceRequest { resource_spans: chunk.to_vec() }.encode_to_vec())
                .collect::<Vec<_>>()
        })
    }

    /// Spans of a trace.
    pub fn spans(&self) -> u64 {
        // Two for a call of a service, one for a call of anything else; one for the root.
        let calls = (0..self.services).flat_map(|caller| self.calls(caller));
        1 + calls.map(|callee| if matches!(callee, Callee::Service(_)) { 2 } else { 1 }).sum::<u64>()
    }

    fn resource_spans(&self, service: usize, spans: Vec<Span>) -> ResourceSpans {
        let scope =
            InstrumentationScope { name: "orrery-synth".to_owned(), version: "1".to_owned(), ..Default::default() };
        let attributes = vec![
            text("service.name", self.name(service)),
            text("service.namespace", self.namespace(service)),
            text("deployment.environment.name", "synth"),
        ];
        ResourceSpans {
            resource: Some(Resource { attributes, ..Default::default() }),
            scope_spans: vec![ScopeSpans { scope: Some(scope), spans, ..Default::default() }],
            ..Default::default()
        }
    }
}

/// A trace being made.
struct Trace<'a> {
    system: &'a System,
    calls: &'a [Vec<Callee>],
    number: u64,
    start: u64,
    /// By service.
    spans: BTreeMap<usize, Vec<Span>>,
    next: u64,
}

impl Trace<'_> {
    /// A service's work and all it calls, if it does: who is called by a second caller as well only answers there. How
    /// long it took, and whether it failed.
    fn serve(&mut self, service: usize, parent: u64, at: u64, calls: bool) -> (u64, bool) {
        let id = self.id();
        let system = self.system;
        let own =
            MILLISECOND * (1 + service as u64 % 9) + if system.slow == Some(service) { 200 * MILLISECOND } else { 0 };
        let mut failed = system.failing == Some(service) && self.number.is_multiple_of(2);
        let mut took = own;
        if calls {
            // Side by side, so that the whole does not take the sum of a thousand services.
            for callee in self.calls[service].iter().copied() {
                let (length, callee_failed) = self.call(service, callee, id, at + MILLISECOND / 2);
                took = took.max(own + length);
                failed |= callee_failed && service != 0;
            }
        }
        let attributes = vec![
            text("http.request.method", "GET"),
            text("http.route", "/"),
            int("http.response.status_code", if failed { 500 } else { 200 }),
        ];
        self.add(service, id, parent, "GET /", 2, (at, took), failed, attributes);
        (took, failed)
    }

    fn call(&mut self, caller: usize, callee: Callee, parent: u64, at: u64) -> (u64, bool) {
        let id = self.id();
        let (name, took, failed, attributes) = match callee {
            Callee::Service(callee) => {
                let own = self.system.caller(callee) == caller;
                let (took, failed) = self.serve(callee, id, at + MILLISECOND / 4, own);
                (
                    "GET",
                    took + MILLISECOND / 2,
                    failed,
                    vec![text("http.request.method", "GET"), text("server.address", self.system.name(callee))],
                )
            }
            Callee::Database => {
                let address = format!("db-{caller:04}");
                (
                    "SELECT",
                    MILLISECOND,
                    false,
                    vec![text("db.system.name", "postgresql"), text("server.address", address)],
                )
            }
            Callee::Outside => (
                "POST",
                20 * MILLISECOND,
                false,
                vec![text("http.request.method", "POST"), text("server.address", "api.new.example")],
            ),
        };
        self.add(caller, id, parent, name, 3, (at, took), failed, attributes);
        (took, failed)
    }

    fn id(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        // Odd factor: distinct within a trace; never zero.
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[expect(clippy::too_many_arguments, reason = "a span has that many parts")]
    fn add(
        &mut self,
        service: usize,
        id: u64,
        parent: u64,
        name: &str,
        kind: i32,
        (at, took): (u64, u64),
        failed: bool,
        attributes: Vec<KeyValue>,
    ) {
        let trace_id = u128::from(self.start) << 64 | u128::from(self.number + 1);
        let start = self.start + at;
        self.spans.entry(service).or_default().push(Span {
            trace_id: trace_id.to_be_bytes().to_vec(),
            span_id: id.to_be_bytes().to_vec(),
            parent_span_id: if parent == 0 { Vec::new() } else { parent.to_be_bytes().to_vec() },
            name: name.to_owned(),
            kind,
            start_time_unix_nano: start,
            end_time_unix_nano: start + took,
            attributes,
            status: failed.then(|| Status { code: 2, message: "no answer".to_owned() }),
            ..Default::default()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn spans(system: &System, traces: u64) -> Vec<(String, Span)> {
        let requests = system.requests(traces, 1_700_000_000_000_000_000, 1_000_000_000);
        let resources =
            requests.flat_map(|body| ExportTraceServiceRequest::decode(body.as_slice()).unwrap().resource_spans);
        let name = |resource: &ResourceSpans| format!("{:?}", resource.resource.as_ref().unwrap().attributes[0].value);
        resources
            .flat_map(|resource| {
                let name = name(&resource);
                resource.scope_spans.into_iter().flat_map(|scope| scope.spans).map(move |span| (name.clone(), span))
            })
            .collect()
    }

    #[test]
    fn every_service_and_every_edge_is_in_a_trace() {
        for (services, namespaces) in [(20, 3), (200, 12), (1_000, 40)] {
            let system = System::new(services, namespaces);
            let all = spans(&system, 1);
            let names: HashSet<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names.len(), services);
            assert_eq!(all.len() as u64, system.spans());
            let ids: HashSet<&[u8]> = all.iter().map(|(_, span)| span.span_id.as_slice()).collect();
            assert_eq!(ids.len(), all.len());
            let served = all.iter().filter(|(_, span)| span.kind == 2).count();
            assert_eq!(served, system.edges().len() + 1, "one answer per call, and the root");
            assert!(system.edges().iter().all(|(caller, callee)| caller < callee));
            let used: HashSet<String> = (0..services).map(|service| system.namespace(service)).collect();
            assert_eq!(used.len(), namespaces);
        }
    }

    #[test]
    fn what_is_wrong_is_as_wrong_as_it_says() {
        let well = System::new(50, 5);
        let failing = 20;
        let ill = System { failing: Some(failing), gone: Some(well.last()), calls_outside: Some(3), ..well.clone() };
        let failed = |system: &System| spans(system, 10).into_iter().filter(|(_, span)| span.status.is_some()).count();
        assert_eq!(failed(&well), 0);
        assert!(failed(&ill) >= 10, "five answers, and five calls for them");
        let last = format!("{:?}", Some(text("", well.name(well.last())).value.unwrap()));
        assert!(spans(&well, 1).iter().any(|(name, _)| *name == last));
        assert!(!spans(&ill, 1).iter().any(|(name, _)| *name == last));
        assert_eq!(well.edges().len(), ill.edges().len() + 1);
    }
}
