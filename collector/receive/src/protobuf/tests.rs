use super::count;
use crate::Decoder;
use orrery_model::{Body, Compression, Encoding, Signal};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

const CAPTURED: [(Signal, &[u8]); 5] = [
    (Signal::Traces, include_bytes!("../../tests/fixtures/python-traces-checkout.pb")),
    (Signal::Traces, include_bytes!("../../tests/fixtures/python-traces-payment.pb")),
    (Signal::Traces, include_bytes!("../../tests/fixtures/python-traces-worker.pb")),
    (Signal::Logs, include_bytes!("../../tests/fixtures/python-logs.pb")),
    (Signal::Metrics, include_bytes!("../../tests/fixtures/python-metrics.pb")),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// Memory is granted by the scan's count: decoding must not find more than it, nor lose what it has seen.
    #[test]
    fn the_scan_counts_what_decoding_finds(
        which in 0..CAPTURED.len(),
        signal in 0..3usize,
        is_foreign in prop::bool::weighted(0.1),
        changes in vec((any::<Index>(), any::<u8>()), 0..3),
        repeat in prop::option::of((any::<Index>(), any::<Index>())),
    ) {
        let (own, bytes) = CAPTURED[which];
        let signal = if is_foreign { Signal::ALL[signal] } else { own };
        let mut bytes = bytes.to_vec();
        changes.iter().for_each(|(at, byte)| *at.get_mut(&mut bytes) = *byte);
        if let Some((a, b)) = repeat {
            let (a, b) = (a.index(bytes.len()), b.index(bytes.len()));
            bytes.extend_from_within(a.min(b)..a.max(b));
        }
        let census = count(signal, &bytes, usize::MAX);
        let (encoding, compression) = (Encoding::Protobuf, Compression::Identity);
        let decoded = Decoder::default().decode_body(&Body { signal, encoding, compression, received_unix_nano: 1, bytes });
        match (census, decoded) {
            (Ok(census), Ok(decoded)) => {
                prop_assert_eq!(census.items as u64, decoded.batch.len() as u64 + decoded.rejected.total());
            }
            // The scan does not look into items.
            (_, decoded) => prop_assert!(decoded.is_err()),
        }
    }
}
