//! Bloom filters cut into pages, and the one over trace ids: which segments may hold a trace.
//!
//! All bits of an entry lie in one page, so that a question about a filter on disk reads one page. How many bits an entry
//! has is its own matter: half of a filter's bits are set in the end, and each further one halves what is wrongly found.
//!
//! Inside a segment spans lie in trace order, so Parquet's own minimum and maximum per row group already lead to the
//! one or two groups of a trace; what is missing is only which segments to open. A trace costs 20 bits, and a filter that
//! does not have it is wrong about one time in ten thousand: among thousands of segments hardly one is opened in vain.

use orrery_model::TraceId;
use serde::{Deserialize, Serialize};
use std::f64::consts::LN_2;
use std::ops::Range;

/// How a filter is cut. Part of the file format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layout {
    /// 0: nothing is in it.
    pub(crate) pages: u32,
    /// Bytes of a page.
    pub(crate) page_bytes: u32,
}

impl Layout {
    /// The page that has all bits of an entry.
    pub(crate) fn page_of(self, hash: u64) -> u32 {
        ((u128::from(hash) * u128::from(self.pages)) >> 64) as u32
    }

    fn range(self, page: u32) -> Range<usize> {
        let bytes = self.page_bytes as usize;
        page as usize * bytes..(page as usize + 1) * bytes
    }
}

/// A Bloom filter over hashes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Bloom {
    pub(crate) layout: Layout,
    /// The pages, one after the other.
    pub(crate) bits: Vec<u8>,
}

impl Bloom {
    /// A filter of entries with their numbers of bits, in pages of at most so many bytes.
    pub(crate) fn new(entries: &[(u64, u8)], page_bytes: usize) -> Bloom {
        let probes: f64 = entries.iter().map(|(_, probes)| f64::from(*probes)).sum();
        let bytes = (probes / LN_2 / 8.0).ceil() as usize;
        let pages = bytes.div_ceil(page_bytes);
        let layout = Layout { pages: pages as u32, page_bytes: bytes.div_ceil(pages.max(1)) as u32 };
        let mut bits = vec![0; pages * layout.page_bytes as usize];
        for &(hash, probes) in entries {
            let page = &mut bits[layout.range(layout.page_of(hash))];
            places(hash, probes, page.len()).for_each(|(byte, bit)| page[byte] |= bit);
        }
        Bloom { layout, bits }
    }

    /// False: it is not there. True: it probably is.
    pub(crate) fn may_contain(&self, hash: u64, probes: u8) -> bool {
        self.layout.pages > 0 && is_in(&self.bits[self.layout.range(self.layout.page_of(hash))], hash, probes)
    }
}

/// Whether the bits of an entry are set in its page.
pub(crate) fn is_in(page: &[u8], hash: u64, probes: u8) -> bool {
    !page.is_empty() && places(hash, probes, page.len()).all(|(byte, bit)| page[byte] & bit != 0)
}

/// Where the bits of an entry lie in a page of so many bytes. Part of the file format: must not change.
fn places(first: u64, probes: u8, bytes: usize) -> impl Iterator<Item = (usize, u8)> {
    let second = mix(first) | 1;
    let size = bytes as u64 * 8;
    (0..u64::from(probes)).map(move |probe| {
        let place = first.wrapping_add(second.wrapping_mul(probe)) % size;
        ((place / 8) as usize, 1 << (place % 8))
    })
}

/// Bits of a trace; fewer in files of the first format.
const PROBES: u8 = 14;
const PROBES_1: u8 = 7;

/// The filter over traces, which is one page. Empty: no trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TraceFilter {
    bloom: Bloom,
    probes: u8,
}

impl TraceFilter {
    pub(crate) fn new(traces: impl Iterator<Item = TraceId>) -> TraceFilter {
        let entries: Vec<_> = traces.map(|trace| (hash(trace), PROBES)).collect();
        TraceFilter { bloom: Bloom::new(&entries, usize::MAX), probes: PROBES }
    }

    /// False: the trace is not there. True: it probably is.
    pub(crate) fn may_contain(&self, trace: TraceId) -> bool {
        self.bloom.may_contain(hash(trace), self.probes)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bloom.bits
    }

    pub(crate) fn from_bytes(bits: Vec<u8>) -> TraceFilter {
        let layout = Layout { pages: u32::from(!bits.is_empty()), page_bytes: bits.len() as u32 };
        TraceFilter { bloom: Bloom { layout, bits }, probes: PROBES }
    }

    /// As files of the first format have it.
    pub(crate) fn from_bytes_1(bits: Vec<u8>) -> TraceFilter {
        TraceFilter { probes: PROBES_1, ..TraceFilter::from_bytes(bits) }
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
        let filter = TraceFilter::from_bytes(filter.bytes().to_vec());
        assert!((0..10_000).all(|number| filter.may_contain(id(number))));
        let wrong = (10_000..1_010_000).filter(|number| filter.may_contain(id(*number))).count();
        assert!(wrong < 300, "{wrong} of 1000000");
        assert!((19.0..22.0).contains(&(filter.bytes().len() as f64 * 8.0 / 10_000.0)));
        assert!(!TraceFilter::default().may_contain(id(1)));
        assert_eq!(TraceFilter::from_bytes(Vec::new()), TraceFilter::new(std::iter::empty()));
    }

    #[test]
    fn pages_are_full_alike_and_entries_are_as_sure_as_their_bits() {
        let hash = |number: u64| mix(number);
        let entries: Vec<_> = (0..40_000).map(|number| (hash(number), if number < 20_000 { 3 } else { 8 })).collect();
        let bloom = Bloom::new(&entries, 4092);
        assert!(bloom.layout.pages > 5 && bloom.layout.page_bytes <= 4092, "{:?}", bloom.layout);
        assert!(entries.iter().all(|(hash, probes)| bloom.may_contain(*hash, *probes)));
        let wrong = |probes| (100_000..200_000).filter(|number| bloom.may_contain(hash(*number), probes)).count();
        assert!((10_000..15_000).contains(&wrong(3)) && wrong(8) < 800, "{} {}", wrong(3), wrong(8));
    }
}
