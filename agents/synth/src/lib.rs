//! Seeded synthetic telemetry: the same seed gives the same bytes, so that a test or bench can say afterwards what it
//! sent, and two systems can be given the same load.
//!
//! ```
//! use orrery_synth::{Shape, Synth};
//! let mut synth = Synth::new(Shape::T1, 7, 1_700_000_000_000_000_000, 1_000_000);
//! let request = synth.next_request();
//! assert!(request.spans > 0 && !request.body().is_empty());
//! ```
//!
//! A [`corpus`] is sent again and again by [`send`], over OTLP/HTTP or gRPC; requests are numbered, a number says which
//! ids are in it, and the [`ledger`] says which were acknowledged and whether those can be found. [`hostile`] requests
//! are for receivers to refuse.

pub mod alerts;
pub mod bench;
pub mod corpus;
pub mod hostile;
pub mod ledger;
pub mod monster;
pub mod overload;
pub mod process;
pub mod send;
mod server;
mod shape;
mod span;
pub mod system;
mod trace;
pub mod wire;
mod world;

pub use shape::{Kind, Shape};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use std::collections::{BTreeMap, VecDeque};
use world::World;

/// Most spans per request: what SDKs' batch processors send.
pub const MAX_SPANS: usize = 512;

/// After so much time every process sends what it has: the schedule delay of SDKs' batch processors.
const FLUSH_EVERY_NANOS: u64 = 5_000_000_000;

/// One export request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Number of the request within the run, from 0.
    pub seq: u64,
    /// `bench.seq` of its first span.
    pub first_span: u64,
    /// How many spans.
    pub spans: u64,
    /// The message.
    pub message: ExportTraceServiceRequest,
}

impl Request {
    /// The message as an OTLP/HTTP protobuf body, uncompressed.
    pub fn body(&self) -> Vec<u8> {
        self.message.encode_to_vec()
    }
}

/// A source of export requests, each from one process, in an order that depends only on shape, seed and times.
#[derive(Debug)]
pub struct Synth {
    shape: Shape,
    world: World,
    rng: Xoshiro256PlusPlus,
    next_trace: u64,
    start_unix_nano: u64,
    interval_nanos: u64,
    next_flush_unix_nano: u64,
    waiting: BTreeMap<usize, Vec<Span>>,
    ready: VecDeque<(usize, Vec<Span>)>,
    next_request: u64,
    next_span: u64,
}

impl Synth {
    /// Traces of a shape, the first beginning at `start_unix_nano`, each next one `interval_nanos` later.
    pub fn new(shape: Shape, seed: u64, start_unix_nano: u64, interval_nanos: u64) -> Synth {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        Synth {
            world: World::new(&shape, &mut rng),
            shape,
            rng,
            next_trace: 0,
            start_unix_nano,
            interval_nanos,
            next_flush_unix_nano: start_unix_nano + FLUSH_EVERY_NANOS,
            waiting: BTreeMap::new(),
            ready: VecDeque::new(),
            next_request: 0,
            next_span: 0,
        }
    }

    /// Traces begun so far. Their last spans may not have been in a request yet.
    pub fn traces(&self) -> u64 {
        self.next_trace
    }

    /// Traces take this much time.
    pub fn interval_nanos(&self) -> u64 {
        self.interval_nanos
    }

    /// The next request, making traces as needed.
    pub fn next_request(&mut self) -> Request {
        loop {
            if let Some((process, spans)) = self.ready.pop_front() {
                return self.request(process, spans);
            }
            self.make_trace();
        }
    }

    /// The next request, or `None` once `traces` traces have been sent whole.
    pub fn next_of(&mut self, traces: u64) -> Option<Request> {
        while self.ready.is_empty() && self.next_trace < traces {
            self.make_trace();
        }
        if self.ready.is_empty() {
            self.flush();
        }
        let (process, spans) = self.ready.pop_front()?;
        Some(self.request(process, spans))
    }

    /// One whole trace as one request of one process; `change` sees its spans, the root last.
    pub(crate) fn next_whole(&mut self, change: impl FnOnce(&mut [Span])) -> Vec<u8> {
        let start = self.start_unix_nano + self.next_trace * self.interval_nanos;
        self.next_trace += 1;
        let spans = trace::spans(&self.shape, &self.world, start, &mut self.rng);
        let process = spans.last().map_or(0, |(process, _)| *process);
        let mut spans: Vec<Span> = spans.into_iter().map(|(_, span)| span).collect();
        change(&mut spans);
        self.request(process, spans).body()
    }

    fn make_trace(&mut self) {
        let start = self.start_unix_nano + self.next_trace * self.interval_nanos;
        self.next_trace += 1;
        for (process, span) in trace::spans(&self.shape, &self.world, start, &mut self.rng) {
            let spans = self.waiting.entry(process).or_default();
            spans.push(span);
            if spans.len() == MAX_SPANS {
                self.ready.push_back((process, std::mem::take(spans)));
            }
        }
        if start >= self.next_flush_unix_nano {
            self.next_flush_unix_nano = start + FLUSH_EVERY_NANOS;
            self.flush();
        }
    }

    fn flush(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        self.ready.extend(waiting.into_iter().filter(|(_, spans)| !spans.is_empty()));
    }

    fn request(&mut self, process: usize, mut spans: Vec<Span>) -> Request {
        let (seq, first_span, count) = (self.next_request, self.next_span, spans.len() as u64);
        self.next_request += 1;
        self.next_span += count;
        for (at, span) in spans.iter_mut().enumerate() {
            span.attributes.push(span::int("bench.seq", (first_span + at as u64) as i64));
        }
        let scope =
            InstrumentationScope { name: "orrery-synth".to_owned(), version: "1".to_owned(), ..Default::default() };
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..Default::default() }];
        let resource = Resource { attributes: self.world.resource(process), ..Default::default() };
        let resource_spans = vec![ResourceSpans { resource: Some(resource), scope_spans, ..Default::default() }];
        Request { seq, first_span, spans: count, message: ExportTraceServiceRequest { resource_spans } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    const START: u64 = 1_700_000_000_000_000_000;

    fn run(shape: Shape, seed: u64, traces: u64) -> Vec<Request> {
        let mut synth = Synth::new(shape, seed, START, 1_000_000);
        std::iter::from_fn(|| synth.next_of(traces)).collect()
    }

    fn spans(requests: &[Request]) -> Vec<&Span> {
        let resources = requests.iter().flat_map(|request| &request.message.resource_spans);
        resources.flat_map(|resource| &resource.scope_spans).flat_map(|scope| &scope.spans).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let bytes = |seed| run(Shape::T2, seed, 300).iter().flat_map(Request::body).collect::<Vec<u8>>();
        assert_eq!(bytes(1), bytes(1));
        assert_ne!(bytes(1), bytes(2));
    }

    #[test]
    fn requests_number_their_spans_without_gaps() {
        let requests = run(Shape::T1, 3, 500);
        let mut next = 0;
        for (seq, request) in requests.iter().enumerate() {
            assert_eq!((request.seq, request.first_span), (seq as u64, next));
            assert!((1..=MAX_SPANS as u64).contains(&request.spans));
            next += request.spans;
        }
        let all = spans(&requests);
        assert_eq!(all.len() as u64, next);
        for (at, span) in all.iter().enumerate() {
            assert_eq!(*span.attributes.last().unwrap(), span::int("bench.seq", at as i64));
        }
    }

    #[test]
    fn traces_hang_together() {
        let requests = run(Shape::T1, 4, 500);
        let all = spans(&requests);
        let by_id: HashMap<_, _> = all.iter().map(|span| ((&span.trace_id, &span.span_id), *span)).collect();
        assert_eq!(by_id.len(), all.len(), "span ids are unique");
        let roots = all.iter().filter(|span| span.parent_span_id.is_empty()).count();
        assert_eq!(roots, 500);
        for span in &all {
            assert!(span.start_time_unix_nano >= START && span.end_time_unix_nano >= span.start_time_unix_nano);
            let parent = by_id.get(&(&span.trace_id, &span.parent_span_id));
            assert!(
                span.parent_span_id.is_empty()
                    || parent.is_some_and(|parent| parent.start_time_unix_nano <= span.start_time_unix_nano)
            );
        }
    }

    /// The figures of the workloads: see [`Shape`].
    #[test]
    fn shapes_are_what_they_say() {
        for (shape, traces, attributes, bytes) in [
            (Shape::T1, 4000, 16.5..18.5, 750.0..920.0),
            (Shape::T2, 2000, 24.0..27.0, 900.0..1500.0),
            (Shape::T3, 1000, 19.5..21.5, 850.0..1100.0),
            (Shape::T4, 1000, 2.0..5.0, 180.0..270.0),
        ] {
            let name = shape.name;
            let requests = run(shape, 5, traces);
            let all = spans(&requests);
            let mean = |sum: usize| sum as f64 / all.len() as f64;
            let own = mean(all.iter().map(|span| span.attributes.len()).sum());
            assert!(attributes.contains(&own), "{name}: {own} attributes");
            let size = mean(all.iter().map(|span| span.encoded_len()).sum());
            assert!(bytes.contains(&size), "{name}: {size} bytes");
            println!(
                "{name}: {own:.1} attributes, {size:.0} bytes per span, {:.1} spans per trace",
                all.len() as f64 / traces as f64
            );
        }
        let requests = run(Shape::T1, 6, 4000);
        let all = spans(&requests);
        let mut sizes: HashMap<&[u8], usize> = HashMap::new();
        all.iter().for_each(|span| *sizes.entry(&span.trace_id).or_default() += 1);
        let mut sizes: Vec<usize> = sizes.into_values().collect();
        sizes.sort_unstable();
        assert!(
            (5..=9).contains(&sizes[2000]) && (90..=200).contains(&sizes[3960]),
            "p50 {} p99 {}",
            sizes[2000],
            sizes[3960]
        );
        let failed = all.iter().filter(|span| span.status.as_ref().is_some_and(|status| status.code == 2)).count();
        assert!((0.008..0.016).contains(&(failed as f64 / all.len() as f64)), "{failed} of {}", all.len());
    }
}
