use super::*;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::{metric::Data, number_data_point::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::collections::{HashMap, HashSet};

const NOW: u64 = 1_800_000_000_000_000_000;

fn spans(fresh: &Fresh) -> Vec<Span> {
    let message = ExportTraceServiceRequest::decode(fresh.body.as_slice()).unwrap();
    message.resource_spans.into_iter().flat_map(|one| one.scope_spans).flat_map(|one| one.spans).collect()
}

fn ids(span: &Span) -> (u128, u64) {
    let number = |bytes: &[u8]| bytes.iter().fold(0, |id, byte| id << 8 | u128::from(*byte));
    (number(&span.trace_id), number(&span.span_id) as u64)
}

fn is_uuid(attribute: &KeyValue) -> bool {
    ["session.id", "messaging.message.id"].contains(&attribute.key.as_str())
}

#[test]
fn rounds_are_alike_but_for_ids_and_times() {
    let corpus = Corpus::new(Shape::T1, 5, 5_000, 10_000.0);
    let mut seen = HashSet::new();
    let hour = 3_600_000_000_000;
    for number in 0..corpus.requests() * 3 {
        let later = number / corpus.requests() * hour;
        let fresh = corpus.request(number, NOW + later);
        let first = spans(&corpus.request(number % corpus.requests(), NOW));
        let again = spans(&fresh);
        assert_eq!(again.len() as u64, fresh.items);
        assert!(again.iter().map(ids).eq(corpus.spans(number)), "it knows what it sends");
        for (mut span, mut was) in again.into_iter().zip(first) {
            assert!(seen.insert(ids(&span)), "an id twice");
            assert_eq!(span.parent_span_id.is_empty(), was.parent_span_id.is_empty());
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
            for (attribute, was) in span.attributes.iter_mut().zip(&was.attributes) {
                if is_uuid(attribute) {
                    assert_eq!(attribute == was, number < corpus.requests(), "a UUID occurs in one round");
                    attribute.clone_from(was);
                }
            }
            was.trace_id.clone_from(&span.trace_id);
            was.span_id.clone_from(&span.span_id);
            was.parent_span_id.clone_from(&span.parent_span_id);
            (was.start_time_unix_nano, was.end_time_unix_nano) = (span.start_time_unix_nano, span.end_time_unix_nano);
            assert_eq!(span, was);
        }
    }
    assert_eq!(seen.len() as u64, corpus.items() * 3);
    assert_eq!(corpus.items_of(corpus.requests() * 3), corpus.items() * 3);
}

#[test]
fn parents_are_found_in_every_round() {
    let corpus = Corpus::new(Shape::T1, 6, 5_000, 10_000.0);
    let round = corpus.requests();
    let all: Vec<Span> = (round..2 * round).flat_map(|number| spans(&corpus.request(number, NOW))).collect();
    let ids: HashSet<_> = all.iter().map(|span| (&span.trace_id, &span.span_id)).collect();
    let lost = all
        .iter()
        .filter(|span| !span.parent_span_id.is_empty() && !ids.contains(&(&span.trace_id, &span.parent_span_id)));
    assert_eq!(lost.count(), 0, "parents moved with their children");
}

#[test]
fn monsters_grow_piece_by_piece_below_one_root() {
    let corpus = Corpus::new(Shape::T5, 7, 2_000, 10_000.0);
    let mut traces: HashMap<Vec<u8>, Vec<Span>> = HashMap::new();
    for number in (0..2_000).filter(|number| number % MONSTER_EVERY == MONSTER_EVERY - 1) {
        let all = spans(&corpus.request(number, NOW));
        assert!(all.iter().map(ids).eq(corpus.spans(number)));
        assert!(all.iter().all(|span| span.trace_id == all[0].trace_id));
        traces.entry(all[0].trace_id.clone()).or_default().extend(all);
    }
    let mut sizes: Vec<usize> = traces.values().map(Vec::len).collect();
    sizes.sort_unstable();
    // 500 pieces: 400 of a million spans, 50 of one of 100 000, two whole ones and a half of 10 000.
    assert_eq!(sizes, [5_000, 10_000, 10_000, 25_000, 200_000].map(|size| size));
    for all in traces.values() {
        let known: HashSet<_> = all.iter().map(|span| span.span_id.clone()).collect();
        assert_eq!(known.len(), all.len(), "span ids are unique");
        let root = |span: &&Span| !known.contains(&span.parent_span_id);
        assert_eq!(all.iter().filter(root).count(), 1, "one root");
    }
}

#[test]
fn late_and_odd_is_late_and_odd() {
    let corpus = Corpus::new(Shape::T6, 8, 1_000, 10_000.0);
    let plain = Corpus::new(Shape::T1, 8, 1_000, 10_000.0);
    let mut late = 0;
    for number in 0..1_000 {
        let all = spans(&corpus.request(number, NOW));
        assert!(all.iter().map(ids).eq(corpus.spans(number)));
        late += u64::from(all[0].end_time_unix_nano < NOW - 62 * SECOND);
    }
    assert!((40..100).contains(&late), "{late}");
    let mut seen = HashSet::new();
    let twice = (0..10_000).filter(|number| !seen.insert(corpus.spans(*number).next())).count();
    assert!((25..90).contains(&twice), "{twice}");
    let mean = |corpus: &Corpus| corpus.items() as f64 / corpus.requests() as f64;
    assert!((0.97..0.999).contains(&(mean(&corpus) / mean(&plain))), "one in a hundred is missing");
}

#[test]
fn log_records_are_numbered() {
    let corpus = Corpus::new(Shape::L1, 9, 3_000, 10_000.0);
    let (mut next, mut bytes, mut traced) = (0, 0, 0);
    for number in 0..corpus.requests() * 2 {
        let fresh = corpus.request(number, NOW);
        bytes += fresh.body.len() as u64;
        let message = ExportLogsServiceRequest::decode(fresh.body.as_slice()).unwrap();
        for record in message.resource_logs.iter().flat_map(|one| &one.scope_logs).flat_map(|one| &one.log_records) {
            let uid = record.attributes[0].value.as_ref().unwrap();
            assert_eq!(*uid, crate::span::text("", format!("{next:016x}")).value.unwrap());
            assert_eq!(record.attributes.len(), 8);
            assert!(record.time_unix_nano <= NOW && record.time_unix_nano > NOW - 10 * SECOND);
            traced += u64::from(!record.trace_id.is_empty());
            next += 1;
        }
    }
    assert_eq!(next, corpus.items() * 2);
    assert!((0.25..0.35).contains(&(traced as f64 / next as f64)));
    println!("{} bytes per record", bytes / next);
}

#[test]
fn counters_grow_from_round_to_round() {
    let corpus = Corpus::new(Shape::M1, 10, 50_000, 10_000.0);
    assert_eq!((corpus.items(), corpus.requests()), (50_000, 100));
    let first_counter = |number| {
        let message = ExportMetricsServiceRequest::decode(corpus.request(number, NOW).body.as_slice()).unwrap();
        let metric = &message.resource_metrics[0].scope_metrics[0].metrics[0];
        let Some(Data::Sum(sum)) = &metric.data else { panic!("{metric:?}") };
        let Some(Value::AsInt(value)) = sum.data_points[0].value else { panic!("{sum:?}") };
        (value, sum.data_points[0].time_unix_nano)
    };
    let (first, later) = (first_counter(3), first_counter(203));
    assert_eq!((later.0, later.1), (first.0 + 2 * 17, NOW));
}
