//! Generated requests, whole and spoilt, are read as prost reads them.

use crate::generate::{any_logs, any_metrics, any_traces};
use crate::oracle::{Request, check, check_bytes, decode};
use crate::rows::rows;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
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

/// Protobuf: of a field that is not repeated the last one counts.
#[test]
fn a_field_sent_twice_counts_once() {
    let span = crate::support::span("a", 1);
    // Dropped attributes, events and links, twice each.
    let twice = [0x50, 8, 0x50, 9, 0x60, 8, 0x60, 9, 0x70, 8, 0x70, 9];
    let span = [&span.encode_to_vec()[..], &twice].concat();
    let field = |number: u8, bytes: &[u8]| [&[number << 3 | 2, bytes.len() as u8], bytes].concat();
    let request = field(1, &field(2, &field(2, &span)));
    check_bytes::<ExportTraceServiceRequest>(&request);
    let row = &rows(&decode(Signal::Traces, Encoding::Protobuf, &request).unwrap().batch)[0];
    assert!(
        row.contains("attributes[http.route=\"/cart\" dropped 9]") && row.ends_with("dropped events 9 links 9"),
        "{row}"
    );
}
