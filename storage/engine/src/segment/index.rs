//! The index file of a segment: its resources and scopes, and the filters over its traces and attribute values.
//!
//! Verified and read as a whole once, and in pieces afterwards, so that a question about thousands of segments costs a
//! page of each and no more memory than is meant for it.

use super::filter::{Layout, TraceFilter};
use super::values::ValueFilter;
use crate::context::{ContextTable, Resource, Scope};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

const MAGIC: &[u8; 8] = b"ORRYIDX2";
/// Of the first format: without a header.
const MAGIC_1: &[u8; 8] = b"ORRYIDX1";

/// A run of bytes of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) at: u64,
    pub(super) bytes: usize,
}

/// What the file says of itself: lengths of what follows, in bytes.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Said {
    lists: u32,
    /// Uncompressed.
    plain_lists: u32,
    traces: u32,
    values: Layout,
    /// Attributes that the filter knows all values of, those of resources too, with the bits of each value.
    keys: BTreeMap<String, u8>,
    /// Attributes of rows with a value that is an array; absent where that was not noted.
    #[serde(default)]
    arrays: Option<BTreeSet<String>>,
    /// Rows by attribute, of those the manifest lists.
    #[serde(default)]
    rows: BTreeMap<String, u64>,
}

#[derive(Serialize)]
struct Lists<'a> {
    resources: Vec<&'a Resource>,
    scopes: Vec<&'a Scope>,
}

#[derive(Deserialize)]
struct OwnedLists {
    resources: Vec<Resource>,
    scopes: Vec<Scope>,
}

/// The file: magic, length of the header, the header as JSON, the lists as zstd JSON, the filters. `rows` by attribute.
pub(crate) fn print(
    context: &ContextTable,
    traces: &TraceFilter,
    values: &ValueFilter,
    rows: BTreeMap<String, u64>,
) -> Vec<u8> {
    let lists = Lists {
        resources: context.resources().iter().map(|resource| &**resource).collect(),
        scopes: context.scopes().iter().map(|scope| &**scope).collect(),
    };
    let json = serde_json::to_vec(&lists).expect("lists of text");
    let lists = zstd::bulk::compress(&json, 3).expect("compressing into memory works");
    let said = Said {
        lists: lists.len() as u32,
        plain_lists: json.len() as u32,
        traces: traces.bytes().len() as u32,
        values: values.bloom.layout,
        keys: values.keys.clone(),
        arrays: Some(values.arrays.clone()),
        rows,
    };
    let header = serde_json::to_vec(&said).expect("a header has text keys");
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&(header.len() as u32).to_le_bytes());
    for part in [&header, &lists, traces.bytes(), &values.bloom.bits] {
        out.extend_from_slice(part);
    }
    out
}

/// Where everything lies in the file. Small; in memory once it was read.
#[derive(Debug)]
pub(super) struct Header {
    said: Said,
    /// Where the lists begin.
    begin: u64,
    is_first_format: bool,
}

impl Header {
    /// From the whole file.
    pub(super) fn parse(file: &[u8]) -> Result<Header, String> {
        let header = match file.strip_prefix(MAGIC_1) {
            Some(rest) => Header::parse_1(rest)?,
            None => {
                let rest = file.strip_prefix(MAGIC).ok_or("its first bytes are unknown")?;
                let (length, rest) = rest.split_first_chunk().ok_or("it is cut off")?;
                let header = rest.get(..u32::from_le_bytes(*length) as usize).ok_or("it is cut off")?;
                let said = serde_json::from_slice(header).map_err(|error| error.to_string())?;
                let begin = (MAGIC.len() + length.len() + header.len()) as u64;
                Header { said, begin, is_first_format: false }
            }
        };
        let Layout { pages, page_bytes } = header.said.values;
        let end = header.values().saturating_add(u64::from(pages) * u64::from(page_bytes));
        if end == file.len() as u64 { Ok(header) } else { Err("it has another length than it says".into()) }
    }

    /// Of the first format: lengths of the lists compressed and plain, the lists, the filter over traces. What it knows
    /// of values is among the lists and is not used: it does not know those of resources.
    fn parse_1(rest: &[u8]) -> Result<Header, String> {
        let &[lists, plain_lists, ..] = rest.as_chunks::<4>().0 else { return Err("it is cut off".into()) };
        let [lists, plain_lists] = [lists, plain_lists].map(u32::from_le_bytes);
        let traces = (rest.len() - 8).checked_sub(lists as usize).ok_or("it is cut off")? as u32;
        let said = Said { lists, plain_lists, traces, ..Said::default() };
        Ok(Header { said, begin: (MAGIC_1.len() + 8) as u64, is_first_format: true })
    }

    pub(super) fn lists(&self) -> Piece {
        Piece { at: self.begin, bytes: self.said.lists as usize }
    }

    pub(super) fn read_lists(&self, bytes: &[u8]) -> Result<ContextTable, String> {
        let json = zstd::bulk::decompress(bytes, self.said.plain_lists as usize).map_err(|error| error.to_string())?;
        let lists: OwnedLists = serde_json::from_slice(&json).map_err(|error| error.to_string())?;
        Ok(ContextTable::new(lists.resources, lists.scopes))
    }

    pub(super) fn traces(&self) -> Piece {
        Piece { at: self.begin + u64::from(self.said.lists), bytes: self.said.traces as usize }
    }

    pub(super) fn read_traces(&self, bytes: Vec<u8>) -> TraceFilter {
        if self.is_first_format { TraceFilter::from_bytes_1(bytes) } else { TraceFilter::from_bytes(bytes) }
    }

    /// With how many bits each value of an attribute is in the filter; `None` if not all are.
    pub(super) fn bits_of(&self, key: &str) -> Option<u8> {
        self.said.keys.get(key).copied()
    }

    pub(super) fn may_have_arrays(&self, key: &str) -> bool {
        self.said.arrays.as_ref().is_none_or(|arrays| arrays.contains(key))
    }

    pub(super) fn attribute_rows(&self) -> &BTreeMap<String, u64> {
        &self.said.rows
    }

    /// Whether an attribute that the filter does not know is none of a resource.
    pub(super) fn knows_resources(&self) -> bool {
        !self.is_first_format
    }

    fn values(&self) -> u64 {
        let Piece { at, bytes } = self.traces();
        at + bytes as u64
    }

    /// The page of the filter over values that has an entry if any has.
    pub(super) fn page_of(&self, hash: u64) -> Piece {
        let Layout { page_bytes, .. } = self.said.values;
        let page = self.said.values.page_of(hash);
        Piece { at: self.values() + u64::from(page) * u64::from(page_bytes), bytes: page_bytes as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_where_its_parts_are() {
        let traces = TraceFilter::new((1..100u128).map(|id| orrery_model::TraceId(id.to_be_bytes())));
        let file = print(&ContextTable::default(), &traces, &ValueFilter::default(), BTreeMap::new());
        let header = Header::parse(&file).unwrap();
        let part = |piece: Piece| &file[piece.at as usize..][..piece.bytes];
        assert_eq!(header.read_traces(part(header.traces()).to_vec()), traces);
        assert!(header.read_lists(part(header.lists())).unwrap().resources().is_empty());
        (0..file.len()).for_each(|end| assert!(Header::parse(&file[..end]).is_err(), "cut at {end}"));
    }
}
