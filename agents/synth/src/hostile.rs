//! Requests that hurt: ten thousand and more ways to be wrong, in groups that have names. The same seed gives the same bytes.

mod coding;
mod golden;
mod json;
mod protobuf;
mod shapes;

use crate::wire::{Call, Signal, Transport};
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

/// What a receiver has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Taken, for an item or for none, if it can be read; else refused for good.
    Any,
    /// Exactly this HTTP status, or gRPC's word for it.
    Status(u16),
}

/// One hostile request.
#[derive(Clone, Debug)]
pub struct Case {
    /// What is wrong with it.
    pub group: &'static str,
    /// What it claims to carry.
    pub signal: Signal,
    /// The body says `Content-Encoding` this; empty for none.
    pub coding: &'static str,
    /// The body as sent, unframed.
    pub body: Vec<u8>,
    /// What has to come of it.
    pub expect: Expect,
    /// A content type of its own.
    content_type: Option<&'static str>,
    /// A gRPC frame of its own instead of the body.
    framed: Option<Vec<u8>>,
}

impl Case {
    fn new(group: &'static str, signal: Signal, body: Vec<u8>) -> Case {
        Case { group, signal, coding: "", body, expect: Expect::Any, content_type: None, framed: None }
    }

    fn coded(self, coding: &'static str) -> Case {
        Case { coding, ..self }
    }

    fn expect(self, status: u16) -> Case {
        Case { expect: Expect::Status(status), ..self }
    }

    /// The call to make.
    pub fn call(&self, transport: Transport, is_json: bool) -> Call {
        if transport == Transport::Http {
            let content_type = if is_json { "application/json" } else { "application/x-protobuf" };
            return Call::http(self.signal, self.content_type.unwrap_or(content_type), self.coding, self.body.clone());
        }
        let mut call = Call::grpc(self.signal, self.coding, &self.body);
        if let Some(framed) = &self.framed {
            call.body = framed.clone().into();
        }
        call
    }
}

/// Protobuf for OTLP/HTTP or gRPC. Items have ids of their own (`salt` tells two corpora apart), unless they were what was
/// spoilt. `rounds` repeats what is random.
pub fn protobuf(seed: u64, salt: u64, rounds: u64, transport: Transport) -> Vec<Case> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut all = protobuf::cases(&mut rng, salt, rounds);
    all.extend(shapes::cases(salt));
    all.extend(coding::cases(&mut rng, salt, false));
    match transport {
        Transport::Http => all.extend(coding::content_types()),
        Transport::Grpc => all.extend(coding::frames(salt)),
    }
    all
}

/// JSON for OTLP/HTTP; otherwise like [`protobuf`].
pub fn json(seed: u64, salt: u64, rounds: u64) -> Vec<Case> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut all = json::cases(&mut rng, salt, rounds);
    all.extend(coding::cases(&mut rng, salt, true));
    all
}

/// A request that nothing is wrong with: one trace of one span, and the trace's id.
pub fn good(number: u64, transport: Transport) -> (Call, u128) {
    let body = golden::traces(golden::id(u64::MAX, number));
    let call = match transport {
        Transport::Http => Call::http(Signal::Traces, "application/x-protobuf", "", body),
        Transport::Grpc => Call::grpc(Signal::Traces, "", &body),
    };
    (call, golden::id(u64::MAX, number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, HashSet};

    #[test]
    fn there_are_ten_thousand_of_each_and_the_seed_decides() {
        for cases in [
            |seed| protobuf(seed, 1, 1, Transport::Http),
            |seed| protobuf(seed, 1, 1, Transport::Grpc),
            |seed| json(seed, 1, 1),
        ] {
            let (one, same, other) = (cases(7), cases(7), cases(8));
            let bodies = |cases: &[Case]| cases.iter().map(|case| case.body.clone()).collect::<Vec<_>>();
            assert_eq!(bodies(&one), bodies(&same));
            assert_ne!(bodies(&one), bodies(&other));
            let mut groups: BTreeMap<&str, usize> = BTreeMap::new();
            one.iter().for_each(|case| *groups.entry(case.group).or_default() += 1);
            println!("{}: {groups:?}", one.len());
            assert!(one.len() >= 10_000 && groups.len() >= 12, "{} in {}", one.len(), groups.len());
            let different: HashSet<_> = one.iter().map(|case| (case.signal, case.coding, &case.body)).collect();
            assert!(different.len() >= 9_500, "{} are different", different.len());
        }
    }
}
