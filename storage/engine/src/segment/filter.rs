//! A Bloom filter over trace ids: which segments may hold a trace.
//!
//! Inside a segment spans lie in trace order, so Parquet's own minimum and maximum per row group already lead to the
//! one or two groups of a trace; what is missing is only which segments to open. The filter costs 12 bits per trace.

use orrery_model::TraceId;

const BITS_PER_TRACE: usize = 12;
const PROBES: u64 = 7;

/// The filter. Empty: no trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TraceFilter {
    words: Vec<u64>,
}

impl TraceFilter {
    pub(crate) fn new(traces: impl ExactSizeIterator<Item = TraceId>) -> TraceFilter {
        let words = (traces.len() * BITS_PER_TRACE).div_ceil(64);
        let mut filter = TraceFilter { words: vec![0; words] };
        for trace in traces {
            let bits = filter.bits(trace);
            bits.into_iter().for_each(|bit| filter.words[bit / 64] |= 1 << (bit % 64));
        }
        filter
    }

    /// False: the trace is not there. True: it probably is (wrong about once in 300 times).
    pub(crate) fn may_contain(&self, trace: TraceId) -> bool {
        !self.words.is_empty() && self.bits(trace).into_iter().all(|bit| self.words[bit / 64] & 1 << (bit % 64) != 0)
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> TraceFilter {
        let (words, _) = bytes.as_chunks::<8>();
        TraceFilter { words: words.iter().map(|word| u64::from_le_bytes(*word)).collect() }
    }

    fn bits(&self, trace: TraceId) -> [usize; PROBES as usize] {
        let (high, low) = trace.0.split_at(8);
        let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("half of sixteen bytes"));
        // Ids need not be random: mix them. Part of the file format: must not change.
        let first = mix(number(high) ^ mix(number(low)));
        let second = mix(first) | 1;
        let size = (self.words.len() * 64) as u64;
        std::array::from_fn(|probe| (first.wrapping_add(second.wrapping_mul(probe as u64)) % size) as usize)
    }
}

/// The finalizer of splitmix64.
fn mix(mut x: u64) -> u64 {
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
