//! Spoilt protobuf.

use super::{Case, golden};
use crate::wire::Signal;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt};

/// Numbers the cases, so that every golden request in them has ids of its own.
pub(super) struct Numbered {
    salt: u64,
    next: u64,
}

impl Numbered {
    pub(super) fn new(salt: u64) -> Numbered {
        Numbered { salt, next: 0 }
    }

    pub(super) fn id(&mut self) -> u128 {
        self.next += 1;
        golden::id(self.salt, self.next)
    }

    /// A request nothing is wrong with.
    pub(super) fn golden(&mut self, signal: Signal) -> Vec<u8> {
        let id = self.id();
        match signal {
            Signal::Traces => golden::traces(id),
            Signal::Logs => golden::logs(id),
            Signal::Metrics => golden::metrics(id),
        }
    }
}

pub(super) fn cases(rng: &mut Xoshiro256PlusPlus, salt: u64, rounds: u64) -> Vec<Case> {
    let mut ids = Numbered::new(salt);
    let mut all = Vec::new();
    for signal in Signal::ALL {
        let length = ids.golden(signal).len();
        for at in 0..length {
            let mut body = ids.golden(signal);
            body.truncate(at);
            all.push(Case::new("truncated", signal, body));
        }
        for at in 0..length * rounds as usize {
            let mut body = ids.golden(signal);
            body[at % length] ^= 1 << rng.random_range(0..8);
            all.push(Case::new("one bit flipped", signal, body));
        }
        for _ in 0..500 * rounds {
            let mut body = ids.golden(signal);
            for _ in 0..rng.random_range(2..30) {
                body[rng.random_range(0..length)] = rng.random();
            }
            all.push(Case::new("bytes replaced", signal, body));
        }
        for _ in 0..500 * rounds {
            all.push(Case::new("shuffled", signal, shuffled(ids.golden(signal), rng)));
        }
        for _ in 0..300 * rounds {
            let mut body = vec![0; rng.random_range(1..2000)];
            rng.fill_bytes(&mut body);
            all.push(Case::new("random", signal, body));
        }
        all.extend(heads(signal, &mut ids, rng));
    }
    all
}

/// Pieces cut out, repeated, moved.
fn shuffled(mut body: Vec<u8>, rng: &mut Xoshiro256PlusPlus) -> Vec<u8> {
    for _ in 0..rng.random_range(1..4) {
        let (a, b) = (rng.random_range(0..body.len()), rng.random_range(0..body.len()));
        let (from, to) = (a.min(b), a.max(b));
        match rng.random_range(0..3) {
            0 => body.extend_from_within(from..to),
            1 if to - from < body.len() => _ = body.drain(from..to),
            _ => body.rotate_left(from),
        }
    }
    body
}

/// Every tag and every length of a request, made wrong.
fn heads(signal: Signal, ids: &mut Numbered, rng: &mut Xoshiro256PlusPlus) -> Vec<Case> {
    const LENGTHS: [&[u8]; 7] = [
        &[0x80, 0x80, 0x80, 0x80, 0x08],                                     // 2^31
        &[0xff, 0xff, 0xff, 0xff, 0x0f],                                     // 2^32 - 1
        &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],       // 2^63
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],       // 2^64 - 1
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],       // 65 bits
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], // eleven bytes
        &[0x81, 0x80, 0x80, 0x00],                                           // 1, in four bytes
    ];
    let mut heads = Vec::new();
    find_heads(&ids.golden(signal), 0, &mut heads);
    let mut all = Vec::new();
    for &(tag, length) in &heads {
        for wire_type in 0..8 {
            let mut body = ids.golden(signal);
            if body[tag] & 7 != wire_type {
                body[tag] = body[tag] & !7 | wire_type;
                all.push(Case::new("wrong wire type", signal, body));
            }
        }
        let mut body = ids.golden(signal);
        body[tag] &= 7;
        all.push(Case::new("field 0", signal, body));
        let mut body = ids.golden(signal);
        body[tag] = rng.random::<u8>() & !7 | body[tag] & 7;
        all.push(Case::new("other field", signal, body));
        let mut body = ids.golden(signal);
        body.splice(tag..tag, [0x9b, 0x06, 0x08, 0x01, 0x9c, 0x06]);
        all.push(Case::new("group inside", signal, body));
        if let Some(length) = length {
            for wrong in LENGTHS {
                let mut body = ids.golden(signal);
                body.splice(length..=length, wrong.iter().copied());
                all.push(Case::new("wrong length", signal, body));
            }
        }
    }
    all
}

/// Where tags stand, and lengths of one byte behind them.
fn find_heads(bytes: &[u8], offset: usize, out: &mut Vec<(usize, Option<usize>)>) -> bool {
    let (mut at, begin) = (0, out.len());
    let varint = |at: &mut usize| {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = *bytes.get(*at)?;
            *at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    };
    while at < bytes.len() {
        let tag = at;
        let Some(head) = varint(&mut at).filter(|head| head >> 3 != 0) else { break };
        let start = at;
        let (length, is_whole) = match head & 7 {
            0 => (0, varint(&mut at).is_some()),
            1 => (8, true),
            5 => (4, true),
            2 => match varint(&mut at) {
                Some(length) => (length as usize, true),
                None => (0, false),
            },
            _ => (0, false),
        };
        if !is_whole || length > bytes.len() - at {
            break;
        }
        out.push((offset + tag, (head & 7 == 2 && at == start + 1).then_some(offset + start)));
        if head & 7 == 2 {
            find_heads(&bytes[at..at + length], offset + at, out);
        }
        at += length;
        if at == bytes.len() {
            return true;
        }
    }
    // Text, not a message: its letters are no tags.
    out.truncate(begin);
    false
}
