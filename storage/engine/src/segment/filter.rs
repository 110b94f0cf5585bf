//! Bloom filters, and the one over trace ids: which segments may hold a trace.
//!
//! Inside a segment spans lie in trace order, so Parquet's own minimum and maximum per row group already lead to the
//! one or two groups of a trace; what is missing is only which segments to open. The filter costs 12 bits per trace.

use orrery_model::TraceId;
use serde::{Deserialize, Serialize};

const BITS_PER_TRACE: usize = 12;
const PROBES: u64 = 7;

/// A Bloom filter over hashes. Empty: nothing. Part of the file format: must not change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Bloom {
    words: Vec<u64>,
}

impl Bloom {
    pub(crate) fn new(hashes: &[u64], bits_per_entry: usize) -> Bloom {
        let mut filter = Bloom { words: vec![0; (hashes.len() * bits_per_entry).div_ceil(64)] };
        for &hash in hashes {
            filter.bits(hash).into_iter().for_each(|bit| filter.words[bit / 64] |= 1 << (bit % 64));
        }
        filter
    }

    /// False: it is not there. True: it probably is (wrong about once in 300 times with 12 bits, in 40 with 8).
    pub(crate) fn may_contain(&self, hash: u64) -> bool {
        !self.words.is_empty() && self.bits(hash).into_iter().all(|bit| self.words[bit / 64] & 1 << (bit % 64) != 0)
    }

    fn bits(&self, first: u64) -> [usize; PROBES as usize] {
        let second = mix(first) | 1;
        let size = (self.words.len() * 64) as u64;
        std::array::from_fn(|probe| (first.wrapping_add(second.wrapping_mul(probe as u64)) % size) as usize)
    }
}

/// The filter over traces. Empty: no trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TraceFilter(Bloom);

impl TraceFilter {
    pub(crate) fn new(traces: impl Iterator<Item = TraceId>) -> TraceFilter {
        TraceFilter(Bloom::new(&traces.map(hash).collect::<Vec<_>>(), BITS_PER_TRACE))
    }

    /// False: the trace is not there. True: it probably is.
    pub(crate) fn may_contain(&self, trace: TraceId) -> bool {
        self.0.may_contain(hash(trace))
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.0.words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> TraceFilter {
        let (words, _) = bytes.as_chunks::<8>();
        TraceFilter(Bloom { words: words.iter().map(|word| u64::from_le_bytes(*word)).collect() })
    }
}

/// Ids need not be random: mix them.
fn hash(trace: TraceId) -> u64 {
    let (high, low) = trace.0.split_at(8);
    let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("half of sixteen bytes"));
    mix(number(high) ^ mix(number(low)))
}

/// The finalizer of splitmix64.
pub(super) fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_trace_is_missed_and_few_are_wrongly_kept() {
        let id = |number: u128| TraceId(number.to_be_bytes());
        let filter = TraceFilter::new((0..10_000u128).map(id).collect::<Vec<_>>().into_iter());
        let filter = TraceFilter::from_bytes(&filter.to_bytes());
        assert!((0..10_000).all(|number| filter.may_contain(id(number))));
        let wrong = (10_000..110_000).filter(|number| filter.may_contain(id(*number))).count();
        assert!(wrong < 1_000, "{wrong} of 100000");
        assert!(!TraceFilter::default().may_contain(id(1)));
    }
}
