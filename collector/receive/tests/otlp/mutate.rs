//! Captured requests, spoilt over and over: what prost reads we read alike, what it refuses we refuse, damaged compression
//! is told from a bomb. `ORRERY_ROUNDS=1000` for a long run; `ORRERY_SEED` for another or the same one.

use crate::oracle::{Request, check_bytes, decode};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use orrery_model::{Body, Compression, Encoding, Signal};
use orrery_receive::Decoder;
use std::io::Write;

const PER_ROUND: u64 = 5_000;
const TRACES: [&[u8]; 3] = [
    include_bytes!("../fixtures/python-traces-checkout.pb"),
    include_bytes!("../fixtures/python-traces-payment.pb"),
    include_bytes!("../fixtures/python-traces-worker.pb"),
];
const LOGS: [&[u8]; 1] = [include_bytes!("../fixtures/python-logs.pb")];
const METRICS: [&[u8]; 1] = [include_bytes!("../fixtures/python-metrics.pb")];
const JSON: [(Signal, &[u8]); 7] = [
    (Signal::Traces, include_bytes!("../fixtures/node-traces.json")),
    (Signal::Logs, include_bytes!("../fixtures/node-logs.json")),
    (Signal::Metrics, include_bytes!("../fixtures/node-metrics.json")),
    (Signal::Traces, include_bytes!("../fixtures/spec-trace.json")),
    (Signal::Logs, include_bytes!("../fixtures/spec-logs.json")),
    (Signal::Logs, include_bytes!("../fixtures/spec-events.json")),
    (Signal::Metrics, include_bytes!("../fixtures/spec-metrics.json")),
];

/// Xorshift.
pub(crate) struct Random(u64);

impl Random {
    /// Seeded by `ORRERY_SEED`, else by the clock; says so.
    pub(crate) fn new() -> Random {
        let clock = std::time::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_nanos() as u64 | 1);
        let seed = std::env::var("ORRERY_SEED").map_or(clock, |seed| seed.parse().expect("ORRERY_SEED is a number"));
        println!("ORRERY_SEED={seed}");
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// One to four changes: bytes, bits, cuts, pieces moved, repeated, taken from `other`.
    pub(crate) fn spoil(&mut self, mut bytes: Vec<u8>, other: &[u8]) -> Vec<u8> {
        for _ in 0..1 + self.below(4) {
            let (a, b) = (self.below(bytes.len()), self.below(bytes.len()));
            let (from, to) = (a.min(b), a.max(b));
            match self.below(9) {
                _ if bytes.is_empty() => {}
                0 => bytes[from] = self.next() as u8,
                1 => bytes[from] ^= 1 << self.below(8),
                2 => bytes[from] = self.pick(&[0, 1, 0x7f, 0x80, 0xff]),
                3 => bytes.truncate(to),
                4 => _ = bytes.drain(from..to.min(from + 20)),
                5 => bytes.extend_from_within(from..to),
                6 => bytes[from..to].rotate_left((to - from) / 2),
                7 => bytes.swap(from, to),
                _ => {
                    let begin = self.below(other.len());
                    let piece = other[begin..other.len().min(begin + self.below(60))].to_vec();
                    bytes.splice(from..to.min(from + piece.len()), piece);
                }
            }
        }
        bytes
    }
}

pub(crate) fn rounds() -> u64 {
    std::env::var("ORRERY_ROUNDS").map_or(1, |rounds| rounds.parse().expect("ORRERY_ROUNDS is a number"))
}

fn check_protobuf<R: Request>(captured: &[&[u8]]) {
    let (mut random, mut read, all) = (Random::new(), 0, [&TRACES[..], &LOGS, &METRICS].concat());
    for _ in 0..PER_ROUND * rounds() {
        let (bytes, other) = (random.pick(captured).to_vec(), random.pick(&all));
        let bytes = random.spoil(bytes, other);
        read += usize::from(check_bytes::<R>(&bytes));
    }
    println!("{read} could be read");
    assert!(read > 0);
}

#[test]
fn spoilt_traces_are_read_as_prost_reads_them_or_refused() {
    check_protobuf::<ExportTraceServiceRequest>(&TRACES);
}

#[test]
fn spoilt_logs_are_read_as_prost_reads_them_or_refused() {
    check_protobuf::<ExportLogsServiceRequest>(&LOGS);
}

#[test]
fn spoilt_metrics_are_read_as_prost_reads_them_or_refused() {
    check_protobuf::<ExportMetricsServiceRequest>(&METRICS);
}

/// Where serde_json reads it too, we read what serde_json writes (in an order of its own, so that rows may differ where a
/// key comes twice).
#[test]
fn spoilt_json_is_refused_or_read_again_when_written_anew() {
    let (mut random, mut read) = (Random::new(), 0);
    for _ in 0..PER_ROUND * rounds() {
        let ((signal, bytes), (_, other)) = (random.pick(&JSON), random.pick(&JSON));
        let bytes = random.spoil(bytes.to_vec(), other);
        if decode(signal, Encoding::Json, &bytes).is_ok()
            && let Ok(plain) = serde_json::from_slice::<serde_json::Value>(&bytes)
        {
            decode(signal, Encoding::Json, plain.to_string().as_bytes()).expect("it was read before");
            read += 1;
        }
    }
    println!("{read} could be read");
    assert!(read > 0);
}

#[test]
fn spoilt_compression_never_panics_and_what_comes_out_is_a_request() {
    let mut random = Random::new();
    for _ in 0..PER_ROUND * rounds() {
        let plain = random.pick(&TRACES);
        let (compression, bytes) = if random.below(2) == 0 {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(plain).unwrap();
            (Compression::Gzip, encoder.finish().unwrap())
        } else {
            (Compression::Zstd, zstd::bulk::compress(plain, 1).unwrap())
        };
        let bytes = random.spoil(bytes, plain);
        let body =
            Body { signal: Signal::Traces, encoding: Encoding::Protobuf, compression, received_unix_nano: 1, bytes };
        let Ok(decoded) = Decoder::default().decode_body(&body) else { continue };
        // gzip has a checksum: what comes out is what went in, perhaps several times.
        let whole = decode(Signal::Traces, Encoding::Protobuf, plain).unwrap().batch.len();
        assert!(compression == Compression::Zstd || decoded.batch.len().is_multiple_of(whole));
    }
}
