//! A histogram as bytes: what fits into a column and is added up without being unpacked by anybody else.
//!
//! Cell by cell, in the order of buckets. A number says by how much the bucket is above the one before (the first: above
//! 0), times four, plus 2 if some of the calls failed, plus 1 if the counts are not whole; then the calls and, if some
//! failed, the failed ones. Numbers and whole counts are varints as in protobuf (LEB128), other counts 8 bytes, IEEE 754,
//! little-endian. Durations are only kept as a sum, beside.

use super::{Cell, Cells};

const NOT_WHOLE: u64 = 1;
const FAILED: u64 = 2;

/// The bytes of a histogram.
pub fn encode(cells: &Cells, out: &mut Vec<u8>) {
    let mut before = 0;
    for cell in cells.iter() {
        let is_whole =
            [cell.count, cell.errors].iter().all(|count| *count >= 0.0 && *count < 1e15 && count.fract() == 0.0);
        let flags = if is_whole { 0 } else { NOT_WHOLE } | if cell.errors == 0.0 { 0 } else { FAILED };
        varint(u64::from(cell.bucket - before) << 2 | flags, out);
        before = cell.bucket;
        for count in [cell.count, cell.errors].into_iter().take(if cell.errors == 0.0 { 1 } else { 2 }) {
            if is_whole {
                varint(count as u64, out);
            } else {
                out.extend_from_slice(&count.to_le_bytes());
            }
        }
    }
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Reads a histogram; ends early at bytes that are none.
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'a> {
    rest: &'a [u8],
    bucket: u16,
    /// Of the whole histogram: nobody asks for that of a bucket, so the first gets it.
    sum: f64,
}

impl<'a> Bytes<'a> {
    /// Of these bytes, whose durations add up to `sum` nanoseconds.
    pub fn new(bytes: &'a [u8], sum: f64) -> Bytes<'a> {
        Bytes { rest: bytes, bucket: 0, sum }
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.rest.split_off_first()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn count(&mut self, flags: u64) -> Option<f64> {
        if flags & NOT_WHOLE == 0 {
            return Some(self.varint()? as f64);
        }
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(f64::from_le_bytes(*bytes))
    }
}

impl Iterator for Bytes<'_> {
    type Item = Cell;

    fn next(&mut self) -> Option<Cell> {
        let head = self.varint()?;
        self.bucket = self.bucket.checked_add(u16::try_from(head >> 2).ok()?)?;
        let count = self.count(head)?;
        let errors = if head & FAILED == 0 { 0.0 } else { self.count(head)? };
        Some(Cell { bucket: self.bucket, count, errors, sum_nanos: std::mem::take(&mut self.sum) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn count() -> impl Strategy<Value = f64> {
        prop_oneof![Just(0.0), (0u64..1 << 50).prop_map(|count| count as f64), -1e6..1e6, 0.0..1e18]
    }

    proptest! {
        #[test]
        fn bytes_are_the_histogram(all in proptest::collection::btree_map(0u16..504, (count(), count()), 0..60), sum in -1e9..1e18) {
            let mut cells = Cells::default();
            for (at, (bucket, (count, errors))) in all.into_iter().enumerate() {
                cells.add(Cell { bucket, count, errors, sum_nanos: if at == 0 { sum } else { 0.0 } });
            }
            let mut bytes = Vec::new();
            encode(&cells, &mut bytes);
            prop_assert!(Bytes::new(&bytes, sum).eq(cells.iter().copied()));
        }

        #[test]
        fn any_bytes_end(bytes: Vec<u8>) {
            prop_assert!(Bytes::new(&bytes, 0.0).count() <= bytes.len());
        }
    }

    /// Written into files.
    #[test]
    fn bytes_stay_what_they_are() {
        let mut cells = Cells::default();
        cells.add(Cell { bucket: 160, count: 300.0, errors: 2.0, sum_nanos: 5.0 });
        cells.add(Cell { bucket: 161, count: 1.0, ..Cell::default() });
        cells.add(Cell { bucket: 170, count: 0.5, ..Cell::default() });
        let mut bytes = Vec::new();
        encode(&cells, &mut bytes);
        assert_eq!(bytes, [0x82, 5, 0xac, 2, 2, 4, 1, 37, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f]);
    }
}
