//! Generated requests, whole and spoilt, are read as prost reads them.

use crate::generate::{any_logs, any_metrics, any_traces};
use crate::oracle::{Request, check, check_bytes, decode};
use crate::rows::rows;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Metric, ResourceMetrics, ScopeMetrics, Summary, SummaryDataPoint, metric::Data,
};
use orrery_model::{Encoding, Signal};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

/// A way to spoil bytes.
#[derive(Clone, Debug)]
enum Spoil {
    Flip(prop::sample::Index, u8),
    Truncate(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Swap(prop::sample::Index, prop::sample::Index),
    Repeat(prop::sample::Index, prop::sample::Index),
}

fn any_spoil() -> impl Strategy<Value = Spoil> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        (index(), 1..=255u8).prop_map(|(at, mask)| Spoil::Flip(at, mask)),
        index().prop_map(Spoil::Truncate),
        (index(), vec(any::<u8>(), 1..12)).prop_map(|(at, bytes)| Spoil::Insert(at, bytes)),
        (index(), index()).prop_map(|(a, b)| Spoil::Swap(a, b)),
        (index(), index()).prop_map(|(a, b)| Spoil::Repeat(a, b)),
    ]
}

fn spoiled(mut bytes: Vec<u8>, spoils: &[Spoil]) -> Vec<u8> {
    for spoil in spoils {
        let length = bytes.len();
        if length == 0 {
            break;
        }
        match spoil {
            Spoil::Flip(at, mask) => bytes[at.index(length)] ^= mask,
            Spoil::Truncate(at) => bytes.truncate(at.index(length)),
            Spoil::Insert(at, more) => _ = bytes.splice(at.index(length)..at.index(length), more.iter().copied()),
            Spoil::Swap(a, b) => bytes.swap(a.index(length), b.index(length)),
            Spoil::Repeat(a, b) => {
                let (from, to) = (a.index(length).min(b.index(length)), a.index(length).max(b.index(length)));
                bytes.extend_from_within(from..to);
            }
        }
    }
    bytes
}

#[test]
fn quantiles_that_are_no_numbers_have_one_place_however_they_are_spelt() {
    let quantile_values = [0.5, -f64::NAN, 0.1, f64::NAN].map(|quantile| ValueAtQuantile { quantile, value: 1.0 });
    let point = SummaryDataPoint { time_unix_nano: 1, quantile_values: quantile_values.to_vec(), ..Default::default() };
    let data = Some(Data::Summary(Summary { data_points: vec![point] }));
    let metrics = vec![Metric { name: "m".into(), data, ..Default::default() }];
    let scope_metrics = vec![ScopeMetrics { metrics, ..Default::default() }];
    check(&ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics { scope_metrics, ..Default::default() }],
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256 * crate::mutate::rounds() as u32))]

    #[test]
    fn traces_decode_as_prost_decodes_them(request in any_traces()) {
        check(&request);
    }

    #[test]
    fn logs_decode_as_prost_decodes_them(request in any_logs()) {
        check(&request);
    }

    #[test]
    fn metrics_decode_as_prost_decodes_them(request in any_metrics()) {
        check(&request);
    }

    #[test]
    fn spoiled_traces_never_panic(request in any_traces(), spoils in vec(any_spoil(), 1..4)) {
        check_bytes::<ExportTraceServiceRequest>(&spoiled(request.encode_to_vec(), &spoils));
        let json = spoiled(request.json().to_string().into_bytes(), &spoils);
        _ = decode(Signal::Traces, Encoding::Json, &json);
    }

    #[test]
    fn spoiled_logs_never_panic(request in any_logs(), spoils in vec(any_spoil(), 1..4)) {
        check_bytes::<ExportLogsServiceRequest>(&spoiled(request.encode_to_vec(), &spoils));
        let json = spoiled(request.json().to_string().into_bytes(), &spoils);
        _ = decode(Signal::Logs, Encoding::Json, &json);
    }

    #[test]
    fn spoiled_metrics_never_panic(request in any_metrics(), spoils in vec(any_spoil(), 1..4)) {
        check_bytes::<ExportMetricsServiceRequest>(&spoiled(request.encode_to_vec(), &spoils));
        let json = spoiled(request.json().to_string().into_bytes(), &spoils);
        _ = decode(Signal::Metrics, Encoding::Json, &json);
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        for signal in Signal::ALL {
            _ = decode(signal, Encoding::Protobuf, &bytes);
            _ = decode(signal, Encoding::Json, &bytes);
        }
    }
}

#[test]
fn every_truncation_of_a_request_is_an_error_or_fewer_rows() {
    let request = include_bytes!("../fixtures/python-traces-checkout.pb");
    for length in 0..request.len() {
        check_bytes::<ExportTraceServiceRequest>(&request[..length]);
    }
}

/// A length-delimited field of fewer than 128 bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
}

/// Protobuf: of a field that is not repeated the last one counts.
#[test]
fn a_field_sent_twice_counts_once() {
    let span = crate::support::span("a", 1);
    // Dropped attributes, events and links, twice each.
    let twice = [0x50, 8, 0x50, 9, 0x60, 8, 0x60, 9, 0x70, 8, 0x70, 9];
    let span = [&span.encode_to_vec()[..], &twice].concat();
    let request = request(&span);
    check_bytes::<ExportTraceServiceRequest>(&request);
    let row = &rows(&decode(Signal::Traces, Encoding::Protobuf, &request).unwrap().batch)[0];
    assert!(
        row.contains("attributes[http.route=\"/cart\" dropped 9]") && row.ends_with("dropped events 9 links 9"),
        "{row}"
    );
}

/// A request with one span, log record or metric of these fields.
fn request(fields: &[u8]) -> Vec<u8> {
    field(1, &field(2, &field(2, fields)))
}

/// Of several kinds of data of one metric the last one counts: points of the others are not even rejected.
#[test]
fn a_point_of_a_kind_that_does_not_count_is_not_rejected() {
    let no_value = field(7, &field(1, &[]));
    let value = field(5, &field(1, &[&[6 << 3 | 1], &[0; 8][..]].concat()));
    for (data, kept, rejected) in [([&no_value, &value], 1, 0), ([&value, &no_value], 0, 1)] {
        let metric = [&field(1, b"m")[..], data[0], data[1]].concat();
        let request = request(&metric);
        check_bytes::<ExportMetricsServiceRequest>(&request);
        let decoded = decode(Signal::Metrics, Encoding::Protobuf, &request).unwrap();
        assert_eq!((decoded.batch.len(), decoded.rejected.total()), (kept, rejected));
    }
}

/// Malformed is malformed, though it is not kept: a later entry of the same key replaces it, or nobody needs it.
#[test]
fn a_malformed_value_spoils_the_request_wherever_it_is() {
    let body = |entries: &[u8]| request(&field(5, &field(6, entries)));
    let good = field(1, &[0x12, 2, 0x18, 1]);
    let truncated = field(1, &[0x12, 3, 0x0a, 5, b'a']);
    let of_another_type = field(1, &[0x12, 4, 0x31, 2, 0x0a, 0]);
    let index_that_is_no_number = field(1, &[0x12, 5, 0x45, 1, 2, 3, 4]);
    for bad in [&truncated, &of_another_type, &index_that_is_no_number] {
        for entries in [bad.clone(), [&bad[..], &good].concat(), [&good[..], bad].concat()] {
            assert!(!check_bytes::<ExportLogsServiceRequest>(&body(&entries)), "{entries:02x?}");
        }
    }
    assert!(check_bytes::<ExportLogsServiceRequest>(&body(&good.repeat(2))));
}

/// Protobuf: a message sent in pieces is merged.
#[test]
fn a_value_sent_in_pieces_is_whole() {
    let array = |number: u8| field(5, &field(1, &[0x18, number]));
    let map = |key: &[u8]| field(6, &field(1, &field(1, key)));
    let (one, two, a, b, unknown) = (array(1), array(2), map(b"a"), map(b"b"), [0x98, 1, 7]);
    let cases = [
        (vec![&one[..], &two], "[1,2]"),
        (vec![&one, &unknown, &two], "[1,2]"),
        (vec![&one, &[], &two], "[1,2]"),
        (vec![&one, &a, &two], "[2]"),
        (vec![&a, &b, &a], r#"{"b":null,"a":null}"#),
        (vec![&one, &[0x18, 3]], "3"),
    ];
    let entry = |value: &[u8]| field(5, &field(6, &field(1, value)));
    for (pieces, expected) in cases {
        let whole = pieces.concat();
        let each = |number| pieces.iter().flat_map(|piece| field(number, piece)).collect::<Vec<u8>>();
        let in_map = format!(r#"{{"":{expected}}}"#);
        for (body, expected) in [
            (field(5, &whole), expected),
            (each(5), expected),
            (entry(&field(2, &whole)), &in_map),
            (entry(&each(2)), &in_map),
        ] {
            let bytes = request(&body);
            assert!(check_bytes::<ExportLogsServiceRequest>(&bytes));
            let row = &rows(&decode(Signal::Logs, Encoding::Protobuf, &bytes).unwrap().batch)[0];
            assert!(row.contains(&format!(" body={expected} ")), "{expected} in {row}");
        }
    }
    // Two that are cut short do not make a whole one.
    assert!(!check_bytes::<ExportLogsServiceRequest>(&request(&[field(5, &one[..2]), field(5, &one[2..])].concat())));
}

/// What was dropped of one piece is not forgotten when another one brings the sender's count.
#[test]
fn a_resource_and_scope_sent_in_pieces_count_what_was_dropped() {
    let nameless = field(1, b"");
    let resource = [field(1, &field(1, &nameless)), field(1, &[0x10, 9])].concat();
    let scope = [field(1, &field(3, &nameless)), field(1, &[0x20, 9])].concat();
    let bytes = field(1, &[resource, field(2, &[scope, field(2, &[])].concat())].concat());
    assert!(check_bytes::<ExportLogsServiceRequest>(&bytes));
    let row = &rows(&decode(Signal::Logs, Encoding::Protobuf, &bytes).unwrap().batch)[0];
    assert!(row.starts_with("resource[ 10 service=unknown_service]  scope[   10]"), "{row}");
}
