//! Requests made once and sent again and again: only ids and times are new, written in place. That costs next to
//! nothing, so that a bench measures the receiver and not the sender.

use crate::{Shape, Synth};
use std::ops::Range;

/// Requests to send in rounds.
#[derive(Debug)]
pub struct Corpus {
    templates: Vec<Template>,
    spans: u64,
    end_unix_nano: u64,
}

#[derive(Debug)]
struct Template {
    body: Vec<u8>,
    spans: u64,
    trace_id: u128,
    /// Where eight bytes of an id stand that are another's in each round.
    ids: Vec<usize>,
    /// Where times stand.
    times: Vec<usize>,
}

/// What is in a request.
#[derive(Clone, Debug)]
pub struct Fresh {
    /// The message, uncompressed.
    pub body: Vec<u8>,
    /// How many spans.
    pub spans: u64,
    /// One of its traces.
    pub trace_id: u128,
}

impl Corpus {
    /// About `spans` spans of a shape in whole traces, as if they came at `spans_per_second`.
    pub fn new(shape: Shape, seed: u64, spans: u64, spans_per_second: f64) -> Corpus {
        const START: u64 = 1_700_000_000_000_000_000;
        /// Of T1; neither the exact rate nor the exact number matters.
        const SPANS_PER_TRACE: f64 = 17.0;
        let interval = (SPANS_PER_TRACE * 1e9 / spans_per_second) as u64;
        let traces = (spans as f64 / SPANS_PER_TRACE).ceil() as u64;
        let mut synth = Synth::new(shape, seed, START, interval);
        let mut corpus = Corpus { templates: Vec::new(), spans: 0, end_unix_nano: 0 };
        while let Some(request) = synth.next_of(traces) {
            corpus.spans += request.spans;
            corpus.templates.push(Template::new(request.body(), request.spans));
        }
        corpus.end_unix_nano = START + synth.traces() * interval;
        corpus
    }

    /// Requests of one round.
    pub fn requests(&self) -> u64 {
        self.templates.len() as u64
    }

    /// Spans of one round.
    pub fn spans(&self) -> u64 {
        self.spans
    }

    /// Spans of the first `requests` requests, over all rounds.
    pub fn spans_of(&self, requests: u64) -> u64 {
        let rest = (requests % self.requests()) as usize;
        requests / self.requests() * self.spans + self.templates[..rest].iter().map(|one| one.spans).sum::<u64>()
    }

    /// A request by number, as if its round ended at `now_unix_nano`. A number gives the same ids every time, and no
    /// other number does.
    pub fn request(&self, number: u64, now_unix_nano: u64) -> Fresh {
        let template = &self.templates[(number % self.requests()) as usize];
        let mask = mask(number / self.requests());
        let shift = now_unix_nano.wrapping_sub(self.end_unix_nano);
        let mut body = template.body.clone();
        for &at in &template.ids {
            change(&mut body, at, |bytes| (u64::from_be_bytes(bytes) ^ mask).to_be_bytes());
        }
        for &at in &template.times {
            change(&mut body, at, |bytes| u64::from_le_bytes(bytes).wrapping_add(shift).to_le_bytes());
        }
        Fresh { body, spans: template.spans, trace_id: template.trace_id ^ u128::from(mask) }
    }

    /// One of the traces in a request, without making it.
    pub fn trace_id(&self, number: u64) -> u128 {
        let template = &self.templates[(number % self.requests()) as usize];
        template.trace_id ^ u128::from(mask(number / self.requests()))
    }
}

/// Differs between any two rounds; nothing in the first.
fn mask(round: u64) -> u64 {
    round.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn change(body: &mut [u8], at: usize, change: impl FnOnce([u8; 8]) -> [u8; 8]) {
    let place = &mut body[at..at + 8];
    let bytes: [u8; 8] = std::array::from_fn(|byte| place[byte]);
    place.copy_from_slice(&change(bytes));
}

impl Template {
    fn new(body: Vec<u8>, spans: u64) -> Template {
        let mut template = Template { body: Vec::new(), spans, trace_id: 0, ids: Vec::new(), times: Vec::new() };
        for resource in fields(&body, 0..body.len()).filter(|field| field.number == 1) {
            for scope in fields(&body, resource.value).filter(|field| field.number == 2) {
                for span in fields(&body, scope.value).filter(|field| field.number == 2) {
                    template.span(&body, span.value);
                }
            }
        }
        template.body = body;
        template
    }

    fn span(&mut self, body: &[u8], span: Range<usize>) {
        for field in fields(body, span) {
            let at = field.value.start;
            match field.number {
                1 => {
                    self.trace_id = body[field.value].iter().fold(0, |id, byte| id << 8 | u128::from(*byte));
                    self.ids.push(at + 8);
                }
                2 | 4 if field.value.len() == 8 => self.ids.push(at),
                7 | 8 => self.times.push(at),
                11 => {
                    self.times.extend(fields(body, field.value).find(|one| one.number == 1).map(|one| one.value.start))
                }
                13 => self.ids.extend(fields(body, field.value).filter_map(|one| match one.number {
                    1 => Some(one.value.start + 8),
                    2 => Some(one.value.start),
                    _ => None,
                })),
                _ => {}
            }
        }
    }
}

/// A field of a protobuf message.
struct Field {
    number: u64,
    /// Its payload, without tag and length.
    value: Range<usize>,
}

/// The fields of a message that this crate wrote.
fn fields(bytes: &[u8], message: Range<usize>) -> impl Iterator<Item = Field> + '_ {
    let mut at = message.start;
    std::iter::from_fn(move || {
        if at >= message.end {
            return None;
        }
        let tag = varint(bytes, &mut at);
        let start = at;
        match tag & 7 {
            0 => _ = varint(bytes, &mut at),
            1 => at += 8,
            5 => at += 4,
            _ => {
                let length = varint(bytes, &mut at) as usize;
                at += length;
                return Some(Field { number: tag >> 3, value: at - length..at });
            }
        }
        Some(Field { number: tag >> 3, value: start..at })
    })
}

fn varint(bytes: &[u8], at: &mut usize) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = bytes[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::Span;
    use prost::Message;
    use std::collections::HashSet;

    fn spans(fresh: &Fresh) -> Vec<Span> {
        let message = ExportTraceServiceRequest::decode(fresh.body.as_slice()).unwrap();
        message.resource_spans.into_iter().flat_map(|one| one.scope_spans).flat_map(|one| one.spans).collect()
    }

    #[test]
    fn rounds_are_alike_but_for_ids_and_times() {
        let corpus = Corpus::new(Shape::T1, 5, 5_000, 10_000.0);
        let mut seen = HashSet::new();
        let hour = 3_600_000_000_000;
        for number in 0..corpus.requests() * 3 {
            let at = 1_800_000_000_000_000_000 + number / corpus.requests() * hour;
            let fresh = corpus.request(number, at);
            let first = spans(&corpus.request(number % corpus.requests(), 1_800_000_000_000_000_000));
            let again = spans(&fresh);
            assert_eq!(again.len() as u64, fresh.spans);
            assert!(again.iter().any(|span| span.trace_id == fresh.trace_id.to_be_bytes()));
            assert_eq!(corpus.trace_id(number), fresh.trace_id);
            for (mut span, mut was) in again.into_iter().zip(first) {
                assert!(seen.insert((span.trace_id.clone(), span.span_id.clone())), "an id twice");
                assert_eq!(span.parent_span_id.is_empty(), was.parent_span_id.is_empty());
                let later = number / corpus.requests() * hour;
                assert_eq!(span.start_time_unix_nano, was.start_time_unix_nano + later);
                assert_eq!(span.end_time_unix_nano, was.end_time_unix_nano + later);
                for (event, was) in span.events.iter_mut().zip(&was.events) {
                    assert_eq!(event.time_unix_nano, was.time_unix_nano + later);
                    event.time_unix_nano = was.time_unix_nano;
                }
                for (link, was) in span.links.iter_mut().zip(&was.links) {
                    assert_eq!(link.trace_id, span.trace_id);
                    (link.trace_id, link.span_id) = (was.trace_id.clone(), was.span_id.clone());
                }
                was.trace_id.clone_from(&span.trace_id);
                was.span_id.clone_from(&span.span_id);
                was.parent_span_id.clone_from(&span.parent_span_id);
                (was.start_time_unix_nano, was.end_time_unix_nano) =
                    (span.start_time_unix_nano, span.end_time_unix_nano);
                span.parent_span_id.clone_from(&was.parent_span_id);
                assert_eq!(span, was);
            }
        }
        assert_eq!(seen.len() as u64, corpus.spans() * 3);
        assert_eq!(corpus.spans_of(corpus.requests() * 3), corpus.spans() * 3);
    }

    #[test]
    fn parents_are_found_in_every_round() {
        let corpus = Corpus::new(Shape::T1, 6, 5_000, 10_000.0);
        let round = corpus.requests();
        let all: Vec<Span> = (round..2 * round).flat_map(|number| spans(&corpus.request(number, 1 << 60))).collect();
        let ids: HashSet<_> = all.iter().map(|span| (&span.trace_id, &span.span_id)).collect();
        let lost = all
            .iter()
            .filter(|span| !span.parent_span_id.is_empty() && !ids.contains(&(&span.trace_id, &span.parent_span_id)));
        assert_eq!(lost.count(), 0, "parents moved with their children");
    }
}
