//! A corpus taken apart: what a server must answer when it was sent, found in another way than the server finds it.

use super::{Corpus, mask};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use prost::Message;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

/// Attributes that questions are about.
const KEYS: [&str; 8] = [
    "http.request.method",
    "enduser.id",
    "tenant.name",
    "db.query.text",
    "messaging.message.id",
    "server.address",
    "messaging.destination.name",
    "service.name",
];

/// Requests that were sent, and when each of their rounds was said to end, Unix nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sending {
    pub(crate) requests: Range<u64>,
    pub(crate) rounds: BTreeMap<u64, u64>,
}

/// A span as it is in the first round.
#[derive(Debug)]
pub(crate) struct KnownSpan {
    template: u64,
    trace: u128,
    pub(crate) id: u64,
    pub(crate) parent: u64,
    pub(crate) name: u32,
    pub(crate) kind: i32,
    start: u64,
    pub(crate) nanos: u64,
    pub(crate) failed: bool,
    /// By [`KEYS`]; 0 is none.
    values: [u32; KEYS.len()],
}

/// Every span of a corpus of traces, and what was sent of it.
#[derive(Debug)]
pub(crate) struct Known {
    corpus: Arc<Corpus>,
    pub(crate) spans: Vec<KnownSpan>,
    /// Spans of the traces of the first round.
    traces: HashMap<u128, Vec<u32>>,
    /// Texts by number; 0 is empty.
    words: Words,
    sent: Vec<Sending>,
}

#[derive(Debug)]
struct Words {
    all: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Words {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        self.all.push(text.to_owned());
        self.numbers.insert(text.to_owned(), self.all.len() as u32 - 1);
        self.all.len() as u32 - 1
    }
}

impl Known {
    /// Takes a corpus apart of which this was sent.
    pub(crate) fn new(corpus: Arc<Corpus>, sent: Vec<Sending>) -> Known {
        let words = Words { all: vec![String::new()], numbers: HashMap::from([(String::new(), 0)]) };
        let mut known = Known { spans: Vec::new(), traces: HashMap::new(), words, sent, corpus: Arc::clone(&corpus) };
        for (template, sample) in (0u64..).zip(&corpus.templates) {
            let request = ExportTraceServiceRequest::decode(&*sample.body).expect("we wrote it");
            for group in request.resource_spans {
                let resource = group.resource.map(|resource| resource.attributes).unwrap_or_default();
                let of_resource = known.values(&resource);
                for span in group.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                    let own = known.values(&span.attributes);
                    let number = |bytes: &[u8]| bytes.iter().fold(0u128, |id, byte| id << 8 | u128::from(*byte));
                    let trace = number(&span.trace_id);
                    known.traces.entry(trace).or_default().push(known.spans.len() as u32);
                    let name = known.words.number(&span.name);
                    known.spans.push(KnownSpan {
                        template,
                        trace,
                        id: number(&span.span_id) as u64,
                        parent: number(&span.parent_span_id) as u64,
                        name,
                        kind: span.kind,
                        start: span.start_time_unix_nano,
                        nanos: span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano),
                        failed: span.status.is_some_and(|status| status.code == 2),
                        values: std::array::from_fn(|at| if own[at] == 0 { of_resource[at] } else { own[at] }),
                    });
                }
            }
        }
        known
    }

    fn values(&mut self, attributes: &[KeyValue]) -> [u32; KEYS.len()] {
        let mut values = [0; KEYS.len()];
        for attribute in attributes {
            let text = attribute.value.as_ref().and_then(|value| value.value.as_ref());
            if let (Some(at), Some(Value::StringValue(text))) = (place(&attribute.key), text) {
                values[at] = self.words.number(text);
            }
        }
        values
    }

    /// A text by its number.
    pub(crate) fn word(&self, number: u32) -> &str {
        &self.words.all[number as usize]
    }

    /// An attribute of a span or its resource, as it is in the first round; empty if it has none.
    pub(crate) fn value(&self, span: &KnownSpan, key: &str) -> &str {
        self.word(span.values[place(key).expect("one of KEYS")])
    }

    /// The next request to be sent.
    fn next(&self) -> u64 {
        self.sent.last().map_or(0, |sending| sending.requests.end)
    }

    /// How many times a span was sent, each time with other ids.
    pub(crate) fn times(&self, span: &KnownSpan) -> u64 {
        let (rounds, rest) = (self.next() / self.corpus.requests(), self.next() % self.corpus.requests());
        rounds + u64::from(span.template < rest)
    }

    /// Spans sent, by whatever a span has; those without are left out.
    pub(crate) fn count<K: Ord>(&self, key: impl Fn(&KnownSpan) -> Option<K>) -> BTreeMap<K, u64> {
        let mut counts = BTreeMap::new();
        for span in &self.spans {
            if let Some(key) = key(span) {
                *counts.entry(key).or_default() += self.times(span);
            }
        }
        counts
    }

    /// A quantile of durations by whatever a span has: of the spans in order, the first that has so many at or below it.
    pub(crate) fn quantile<K: Ord>(
        &self,
        share: f64,
        key: impl Fn(&KnownSpan) -> Option<K>,
    ) -> BTreeMap<K, (u64, u64)> {
        let mut durations: BTreeMap<K, Vec<(u64, u64)>> = BTreeMap::new();
        for span in &self.spans {
            if let Some(key) = key(span) {
                durations.entry(key).or_default().push((span.nanos, self.times(span)));
            }
        }
        let quantile = |mut durations: Vec<(u64, u64)>| {
            durations.sort_unstable();
            let all: u64 = durations.iter().map(|(_, times)| times).sum();
            let (mut below, wanted) = (0, (all as f64 * share).ceil() as u64);
            let found = durations.iter().find(|(_, times)| {
                below += times;
                below >= wanted
            });
            (found.map_or(0, |(nanos, _)| *nanos), all)
        };
        durations.into_iter().map(|(key, durations)| (key, quantile(durations))).collect()
    }

    /// Ids of a trace's spans, as they were sent in a round; none if it was not sent.
    pub(crate) fn spans_of(&self, trace: u128, round: u64) -> BTreeSet<u64> {
        let first = trace ^ u128::from(mask(round));
        let spans = self.traces.get(&first).into_iter().flatten().map(|at| &self.spans[*at as usize]);
        let was_sent = |span: &&KnownSpan| round * self.corpus.requests() + span.template < self.next();
        spans.filter(was_sent).map(|span| span.id ^ mask(round)).collect()
    }

    /// A value that occurs once per round, as the round of a request has it: a UUID.
    pub(crate) fn in_round(&self, value: &str, number: u64) -> String {
        let digits = value.get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let digits = digits.expect("a UUID") ^ mask(number / self.corpus.requests()) as u32;
        format!("{digits:08x}{}", &value[8..])
    }

    /// The trace of a span of the first round in the round of a request.
    pub(crate) fn trace_in_round(&self, span: &KnownSpan, number: u64) -> u128 {
        span.trace ^ u128::from(mask(number / self.corpus.requests()))
    }

    /// Spans of the request of a number.
    pub(crate) fn of_request(&self, number: u64) -> impl Iterator<Item = &KnownSpan> {
        let template = number % self.corpus.requests();
        let first = self.spans.partition_point(|span| span.template < template);
        self.spans[first..].iter().take_while(move |span| span.template == template)
    }

    /// Traces with such spans, those of the newest span first.
    pub(crate) fn newest(&self, limit: usize, wanted: impl Fn(&KnownSpan) -> bool) -> Vec<u128> {
        let mut matching: Vec<&KnownSpan> = self.spans.iter().filter(|span| wanted(span)).collect();
        matching.sort_by_key(|span| std::cmp::Reverse(span.start));
        let mut best: HashMap<u128, u64> = HashMap::new();
        let ordered = |best: &HashMap<u128, u64>| {
            let mut all: Vec<_> = best.iter().map(|(trace, time)| (std::cmp::Reverse(*time), *trace)).collect();
            all.sort_unstable();
            all.truncate(limit);
            all
        };
        for sending in self.sent.iter().rev() {
            for (round, now) in sending.rounds.iter().rev() {
                let begin = round * self.corpus.requests();
                let shift = now.wrapping_sub(self.corpus.end_unix_nano);
                let enough = ordered(&best);
                let least = if enough.len() == limit { enough[limit - 1].0.0 } else { 0 };
                let mut found = BTreeSet::new();
                for span in matching.iter().filter(|span| sending.requests.contains(&(begin + span.template))) {
                    let (trace, time) = (span.trace ^ u128::from(mask(*round)), span.start.wrapping_add(shift));
                    if time < least || found.len() == limit {
                        break;
                    }
                    found.insert(trace);
                    let newest = best.entry(trace).or_default();
                    *newest = time.max(*newest);
                }
            }
        }
        ordered(&best).into_iter().map(|(_, trace)| trace).collect()
    }
}

fn place(key: &str) -> Option<usize> {
    KEYS.iter().position(|one| *one == key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    /// Every span of every request as it goes over the wire.
    fn wire(corpus: &Corpus, sent: &[Sending]) -> Vec<(u128, u64, u64, String, u64)> {
        let mut all = Vec::new();
        for sending in sent {
            for number in sending.requests.clone() {
                let now = sending.rounds[&(number / corpus.requests())];
                let message = ExportTraceServiceRequest::decode(&*corpus.request(number, now).body).unwrap();
                let spans =
                    message.resource_spans.into_iter().flat_map(|one| one.scope_spans).flat_map(|one| one.spans);
                all.extend(spans.map(|span| {
                    let number = |bytes: &[u8]| bytes.iter().fold(0u128, |id, byte| id << 8 | u128::from(*byte));
                    let nanos = span.end_time_unix_nano - span.start_time_unix_nano;
                    let ids = (number(&span.trace_id), number(&span.span_id) as u64);
                    (ids.0, ids.1, span.start_time_unix_nano, span.name, nanos)
                }));
            }
        }
        all
    }

    #[test]
    fn what_is_known_is_what_goes_over_the_wire() {
        let corpus = Arc::new(Corpus::new(Shape::T1, 3, 4_000, 50_000.0));
        let round = corpus.requests();
        // Two sendings that share a round, and a last round that is not whole; the second round is said to end last.
        let sent = vec![
            Sending {
                requests: 0..round + 5,
                rounds: BTreeMap::from([(0, 2_000_000_000_000_000_000), (1, 2_000_000_900_000_000_000)]),
            },
            Sending {
                requests: round + 5..2 * round + 9,
                rounds: BTreeMap::from([(1, 2_000_000_200_000_000_000), (2, 2_000_000_300_000_000_000)]),
            },
        ];
        let known = Known::new(Arc::clone(&corpus), sent.clone());
        let wire = wire(&corpus, &sent);
        assert_eq!(known.count(|_| Some(())).values().sum::<u64>(), wire.len() as u64);
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        wire.iter().for_each(|(_, _, _, name, _)| *counts.entry(name).or_default() += 1);
        assert_eq!(known.count(|span| Some(known.word(span.name))), counts);
        for wanted in ["SELECT orders", "validate", "GET"] {
            let mut newest: BTreeMap<u128, u64> = BTreeMap::new();
            for (trace, _, start, _, _) in wire.iter().filter(|span| span.3 == wanted) {
                let time = newest.entry(*trace).or_default();
                *time = (*time).max(*start);
            }
            let mut expected: Vec<_> =
                newest.into_iter().map(|(trace, time)| (std::cmp::Reverse(time), trace)).collect();
            expected.sort_unstable();
            let expected: Vec<u128> = expected.into_iter().map(|(_, trace)| trace).take(20).collect();
            assert_eq!(expected.len(), 20);
            assert_eq!(known.newest(20, |span| known.word(span.name) == wanted), expected, "{wanted}");
            let mut durations: Vec<u64> = wire.iter().filter(|span| span.3 == wanted).map(|span| span.4).collect();
            durations.sort_unstable();
            let at = (durations.len() as f64 * 0.99).ceil() as usize - 1;
            let quantile = known.quantile(0.99, |span| (known.word(span.name) == wanted).then_some(()));
            assert_eq!(quantile[&()], (durations[at], durations.len() as u64));
        }
        for number in [0, round - 1, round + 3, round + 7, 2 * round + 8] {
            let trace = corpus.trace_id(number);
            let expected: BTreeSet<u64> = wire.iter().filter(|span| span.0 == trace).map(|span| span.1).collect();
            assert_eq!(known.spans_of(trace, number / round), expected);
            let first = known.of_request(number).last().unwrap();
            assert_eq!(known.trace_in_round(first, number), trace);
        }
    }
}
