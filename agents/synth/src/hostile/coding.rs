//! Compression, content types and gRPC frames, spoilt.

use super::Case;
use super::json;
use super::protobuf::Numbered;
use crate::wire::{Compression, Signal, frame};
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

/// Bodies that do not decompress, or to far too much.
pub(super) fn cases(rng: &mut Xoshiro256PlusPlus, salt: u64, is_json: bool) -> Vec<Case> {
    let mut ids = Numbered::new(salt ^ 1 << 41);
    let mut plain = |signal| if is_json { json::golden(signal, ids.id()).into_bytes() } else { ids.golden(signal) };
    let mut all = Vec::new();
    for compression in [Compression::Gzip, Compression::Zstd] {
        let coding = compression.name();
        for signal in Signal::ALL {
            let whole = compression.pack(plain(signal));
            for at in (0..whole.len()).step_by(3) {
                all.push(Case::new("compressed, truncated", signal, whole[..at].to_vec()).coded(coding));
            }
            for at in (0..whole.len()).step_by(3) {
                let mut body = compression.pack(plain(signal));
                let at = at.min(body.len() - 1);
                body[at] ^= rng.random_range(1..=255u8);
                all.push(Case::new("compressed, damaged", signal, body).coded(coding));
            }
            let garbage = [&compression.pack(plain(signal))[..], b"garbage"].concat();
            all.push(Case::new("compressed, garbage behind", signal, garbage).coded(coding).expect(400));
            all.push(
                Case::new("compressed twice", signal, compression.pack(compression.pack(plain(signal))))
                    .coded(coding)
                    .expect(400),
            );
            all.push(Case::new("not compressed", signal, plain(signal)).coded(coding).expect(400));
        }
        let bomb = compression.pack(vec![0; 128 << 20]);
        all.push(Case::new("bomb", Signal::Traces, bomb.clone()).coded(coding).expect(413));
        all.push(Case::new("bomb in a bomb", Signal::Logs, compression.pack(bomb)).coded(coding).expect(400));
    }
    // A frame that asks for a window of 2 GiB.
    let window = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, (31 - 10) << 3, 1, 0, 0];
    all.push(Case::new("zstd with a huge window", Signal::Traces, window).coded("zstd").expect(413));
    for coding in ["br", "lz4", "gzip, gzip", "gzip;q=1", "\u{7f}", "identity, gzip"] {
        if http::HeaderValue::from_str(coding).is_ok() {
            all.push(Case::new("unknown coding", Signal::Traces, plain(Signal::Traces)).coded(coding).expect(415));
        }
    }
    all
}

/// OTLP/HTTP: types that are not OTLP's, and bodies of the other type.
pub(super) fn content_types() -> Vec<Case> {
    let mut all = Vec::new();
    for content_type in [
        "",
        "text/plain",
        "application/xml",
        "application/protobuf",
        "application/x-protobuf, application/json",
        "application/grpc",
        "*/*",
        "application/x-protobuff",
        "json",
    ] {
        for signal in Signal::ALL {
            let case = Case::new("content type", signal, Vec::new()).expect(415);
            all.push(Case { content_type: Some(content_type), ..case });
        }
    }
    for signal in Signal::ALL {
        let json = json::golden(signal, 1).into_bytes();
        all.push(Case::new("JSON as protobuf", signal, json).expect(400));
    }
    all
}

/// gRPC: frames that lie.
pub(super) fn frames(salt: u64) -> Vec<Case> {
    let mut ids = Numbered::new(salt ^ 1 << 42);
    let mut all = Vec::new();
    for signal in Signal::ALL {
        let mut add = |framed: Vec<u8>| {
            let case = Case::new("gRPC frame", signal, Vec::new()).expect(400);
            all.push(Case { framed: Some(framed), ..case });
        };
        let good = frame(false, &ids.golden(signal));
        for length in [0, 1, 4, 5, good.len() - 1] {
            add(good[..length].to_vec());
        }
        for flag in [2, 7, 255] {
            add([&[flag], &good[1..]].concat());
        }
        add([&good[..], &good].concat());
        add([&good[..], &[0]].concat());
        for length in [0u32, 1, u32::MAX, 1 << 31, good.len() as u32] {
            add([&[0], &length.to_be_bytes()[..], &good[5..]].concat());
        }
    }
    all
}
