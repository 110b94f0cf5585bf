//! Columns of words, written by their numbers.
//!
//! Batches know their words by number. The Parquet library's writer does not make use of that: it hashes and compares
//! every cell's text to find its number anew, for two dozen columns, which costs a third of writing a segment. Here the
//! numbers become Parquet's own, so that each word is looked at once per row group.

use crate::error::Fault;
use arrow::array::{Array, AsArray, DictionaryArray, StringArray};
use arrow::datatypes::UInt32Type;
use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

/// Bytes of a minimum or maximum at most, as the library has it.
const BOUND: usize = 64;

/// Encodes columns of one file.
pub(super) struct Words {
    zstd: zstd::bulk::Compressor<'static>,
    level: parquet::basic::ZstdLevel,
    /// By number in the batch: which column has last numbered it, and how.
    numbers: Vec<(u32, u32)>,
    columns: u32,
    codes: Vec<u32>,
    scratch: Vec<u8>,
}

/// An encoded column of a row group.
pub(super) struct Chunk {
    pub(super) bytes: Bytes,
    pub(super) close: ColumnCloseResult,
}

impl Words {
    pub(super) fn new(level: parquet::basic::ZstdLevel) -> std::io::Result<Words> {
        let zstd = zstd::bulk::Compressor::new(level.compression_level())?;
        Ok(Words { zstd, level, numbers: Vec::new(), columns: 0, codes: Vec::new(), scratch: Vec::new() })
    }

    /// The column, whose words must be distinct, or `None` if it has no words, or distinct ones of more than `most` bytes. `has_bounds`: with minimum
    /// and maximum.
    pub(super) fn encode(
        &mut self,
        column: &DictionaryArray<UInt32Type>,
        descriptor: &ColumnDescPtr,
        has_bounds: bool,
        most: usize,
    ) -> Result<Option<Chunk>, Fault> {
        let words: &StringArray = column.values().as_string();
        let Some(used) = self.number(column, words, most) else { return Ok(None) };
        let mut file = Pages::default();
        self.scratch.clear();
        for word in &used {
            self.scratch.extend_from_slice(&(word.len() as u32).to_le_bytes());
            self.scratch.extend_from_slice(word.as_bytes());
        }
        let dictionary = |buf| Page::DictionaryPage {
            buf,
            num_values: used.len() as u32,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        file.add(&self.scratch, &mut self.zstd, dictionary)?;
        let data_page_offset = file.bytes.bytes_written() as i64;
        self.scratch.clear();
        levels(column, &mut self.scratch);
        let width = (used.len() as u32 - 1).checked_ilog2().map_or(0, |top| top + 1);
        self.scratch.push(width as u8);
        hybrid(&self.codes, width, &mut self.scratch);
        let data = |buf| Page::DataPage {
            buf,
            num_values: column.len() as u32,
            encoding: Encoding::RLE_DICTIONARY,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        file.add(&self.scratch, &mut self.zstd, data)?;
        let bytes: Bytes = file.bytes.into_inner()?.into();
        let mut metadata = ColumnChunkMetaData::builder(descriptor.clone())
            .set_compression(parquet::basic::Compression::ZSTD(self.level))
            .set_encodings(vec![Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY])
            .set_num_values(column.len() as i64)
            .set_total_compressed_size(bytes.len() as i64)
            .set_total_uncompressed_size(file.uncompressed as i64)
            .set_dictionary_page_offset(Some(0))
            .set_data_page_offset(data_page_offset);
        if has_bounds {
            metadata = metadata.set_statistics(bounds(&used, column.null_count()));
        }
        let close = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: column.len() as u64,
            metadata: metadata.build()?,
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        Ok(Some(Chunk { bytes, close }))
    }

    /// The words in use, in the order of their first appearance; `codes` are the cells' numbers among them.
    fn number<'a>(
        &mut self,
        column: &DictionaryArray<UInt32Type>,
        words: &'a StringArray,
        most: usize,
    ) -> Option<Vec<&'a str>> {
        self.columns += 1;
        self.numbers.resize(self.numbers.len().max(words.len()), (0, 0));
        self.codes.clear();
        let (mut used, mut bytes) = (Vec::new(), 0);
        for key in column.keys().iter().flatten() {
            let number = &mut self.numbers[key as usize];
            if number.0 != self.columns {
                *number = (self.columns, used.len() as u32);
                used.push(words.value(key as usize));
                bytes += words.value_length(key as usize) as usize + size_of::<u32>();
                if bytes > most {
                    return None;
                }
            }
            self.codes.push(number.1);
        }
        (!used.is_empty()).then_some(used)
    }
}

/// The pages of a column, one after the other.
struct Pages {
    bytes: TrackedWrite<Vec<u8>>,
    uncompressed: usize,
}

impl Default for Pages {
    fn default() -> Self {
        Pages { bytes: TrackedWrite::new(Vec::new()), uncompressed: 0 }
    }
}

impl Pages {
    fn add(
        &mut self,
        content: &[u8],
        zstd: &mut zstd::bulk::Compressor<'_>,
        page: impl FnOnce(Bytes) -> Page,
    ) -> Result<(), Fault> {
        let compressed = zstd.compress(content).map_err(|error| Fault::Other(error.to_string()))?;
        let page = CompressedPage::new(page(compressed.into()), content.len());
        let written = SerializedPageWriter::new(&mut self.bytes).write_page(page)?;
        self.uncompressed += written.uncompressed_size;
        Ok(())
    }
}

/// Which cells are there.
fn levels(column: &DictionaryArray<UInt32Type>, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    match column.nulls() {
        None => run(1, 1, column.len(), out),
        Some(nulls) => hybrid(&nulls.iter().map(u32::from).collect::<Vec<_>>(), 1, out),
    }
    let length = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// Parquet's hybrid of runs and packed numbers of `width` bits.
fn hybrid(numbers: &[u32], width: u32, out: &mut Vec<u8>) {
    /// Numbers that are packed at once; runs of fewer are packed, too.
    const GROUP: usize = 8;
    let (mut at, mut packed) = (0, 0);
    while at < numbers.len() {
        let alike = numbers[at..].iter().take_while(|number| **number == numbers[at]).count();
        if alike < GROUP {
            at = (at + GROUP).min(numbers.len());
            continue;
        }
        pack(&numbers[packed..at], width, out);
        run(numbers[at], width, alike, out);
        at += alike;
        packed = at;
    }
    pack(&numbers[packed..], width, out);
}

fn run(number: u32, width: u32, length: usize, out: &mut Vec<u8>) {
    varint((length as u32) << 1, out);
    out.extend_from_slice(&number.to_le_bytes()[..width.div_ceil(8) as usize]);
}

/// Numbers in groups of eight, from the lowest bit on; the last group is filled up.
fn pack(numbers: &[u32], width: u32, out: &mut Vec<u8>) {
    if numbers.is_empty() {
        return;
    }
    let groups = numbers.len().div_ceil(8);
    varint((groups as u32) << 1 | 1, out);
    let end = out.len() + groups * width as usize;
    let (mut bits, mut held) = (0u64, 0);
    for &number in numbers {
        bits |= u64::from(number) << held;
        held += width;
        while held >= 8 {
            out.push(bits as u8);
            bits >>= 8;
            held -= 8;
        }
    }
    if held > 0 {
        out.push(bits as u8);
    }
    out.resize(end, 0);
}

fn varint(mut number: u32, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Minimum and maximum of the words, unless they are too long to stand in a footer.
fn bounds(words: &[&str], nulls: usize) -> Statistics {
    let bounds = words.iter().min().zip(words.iter().max());
    let bounds = bounds.filter(|(least, most)| least.len().max(most.len()) <= BOUND);
    let (least, most) = bounds.map(|(least, most)| (ByteArray::from(*least), ByteArray::from(*most))).unzip();
    Statistics::new(least, most, None, Some(nulls as u64), false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads what [`hybrid`] writes: plain, by the description of the format.
    fn read(bytes: &[u8], width: u32, count: usize) -> Vec<u32> {
        let mut bits = Vec::new();
        let (mut at, mut numbers) = (0, Vec::new());
        while numbers.len() < count {
            let (mut header, mut shift) = (0u32, 0);
            loop {
                header |= u32::from(bytes[at] & 0x7f) << shift;
                (at, shift) = (at + 1, shift + 7);
                if bytes[at - 1] < 0x80 {
                    break;
                }
            }
            if header & 1 == 0 {
                let length = width.div_ceil(8) as usize;
                let number = bytes[at..at + length].iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte));
                numbers.extend(vec![number; header as usize >> 1]);
                at += length;
            } else {
                let length = (header as usize >> 1) * width as usize;
                bits.clear();
                bits.extend(bytes[at..at + length].iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1)));
                let all = (header as usize >> 1) * 8;
                let number = |n: usize| {
                    (0..width as usize).map(|bit| u32::from(bits[n * width as usize + bit]) << bit).sum::<u32>()
                };
                numbers.extend((0..all).map(number));
                at += length;
            }
        }
        assert_eq!(at, bytes.len(), "nothing is left");
        numbers.truncate(count);
        numbers
    }

    proptest! {
        #[test]
        fn numbers_come_back(runs in proptest::collection::vec((0u32..5000, 1usize..40), 1..60), width in 13u32..17) {
            let numbers: Vec<u32> = runs.iter().flat_map(|(number, length)| vec![*number; *length]).collect();
            let mut bytes = Vec::new();
            hybrid(&numbers, width, &mut bytes);
            prop_assert_eq!(read(&bytes, width, numbers.len()), numbers);
        }

        #[test]
        fn bits_come_back(bits in proptest::collection::vec(0u32..2, 1..300)) {
            let mut bytes = Vec::new();
            hybrid(&bits, 1, &mut bytes);
            prop_assert_eq!(read(&bytes, 1, bits.len()), bits);
        }
    }
}
