//! Whole requests to a receiver with small limits, over HTTP and gRPC, plain, compressed, damaged and blown up.
//!
//! Whatever comes: an answer of the contract, memory within bounds, and what is stored is what a replay of the stored
//! body gives.

mod client;
mod shape;

use crate::heap;
use crate::oracle::RECEIVED;
use crate::rows::rows;
use client::{Answer, CLIENT};
use orrery_model::Body;
use orrery_receive::{Decoded, Decoder, config::Limits};
pub(crate) use shape::{HEAD, seeds};
use shape::{Sent, Shape};

/// Above the limits below, what both ends of two connections hold, and vectors that double.
const MAX_PEAK: usize = 4 << 20;

pub(crate) fn limits() -> Limits {
    Limits {
        max_wire_bytes: 64 << 10,
        max_decompressed_bytes: 128 << 10,
        max_items: 300,
        max_decoded_bytes: 1 << 20,
        memory_budget_bytes: 64 << 20,
        ..Limits::default()
    }
}

pub(crate) fn check(bytes: &[u8]) {
    let Some(shape) = Shape::of(bytes) else { return };
    let sent = shape.send();
    let mut client = CLIENT.lock().unwrap();
    let (answer, peak) = heap::peak_of(|| client.call(&shape, &sent));
    assert!(peak < MAX_PEAK, "{peak} bytes of memory for {} on the wire", sent.wire.len());
    match answer.status {
        200 => assert_stored(&sent, answer),
        400 => assert!(sent.body.is_none_or(|body| decode(&body).is_err()), "{answer:?}"),
        413 => assert!(sent.may_be_too_big, "{answer:?}"),
        other => panic!("no request of this kind gets {other}: {answer:?}"),
    }
}

fn decode(body: &Body) -> Result<Decoded, String> {
    Decoder::new(limits()).decode_body(body).map_err(|error| error.reason)
}

fn assert_stored(sent: &Sent, answer: Answer) {
    assert!(!sent.is_too_big, "{answer:?}");
    let stored = answer.stored.map(|(body, batch)| {
        assert_eq!(body.received_unix_nano, RECEIVED);
        let replayed = rows(&decode(&body).expect("what is stored can be read again").batch);
        assert_eq!(replayed, rows(&batch));
        assert!(batch.len() <= limits().max_items);
        replayed
    });
    let Some(body) = &sent.body else { return };
    let expected = decode(body).expect("what is accepted can be read");
    assert_eq!(stored.unwrap_or_default(), rows(&expected.batch));
    assert_eq!(answer.rejected, expected.rejected.total());
}
