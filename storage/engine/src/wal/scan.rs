//! Reading a file of the log back, whatever state it is in.

use super::record::{FILE_MAGIC, HEADER, Header, find_magic};
use std::ops::Range;

/// A stretch of a file.
#[derive(Debug, PartialEq)]
pub(crate) enum Found {
    /// An intact record.
    Record { header: Header, payload: Range<usize> },
    /// Bytes that were a record and no longer are, with intact records behind them (or a later file). The header is
    /// known when only the payload is damaged.
    Damaged { range: Range<usize>, header: Option<Header> },
    /// The end of the last file: a record that was being written. It was never acknowledged.
    Torn { at: usize },
}

/// Divides a file into what it holds, in order. `last` says that the log ends with this file, so that a bad end is a
/// torn write; in earlier files it is damage.
pub(crate) fn scan(bytes: &[u8], last: bool) -> Vec<Found> {
    let mut found = Vec::new();
    let mut at = if bytes.starts_with(FILE_MAGIC) { FILE_MAGIC.len() } else { 0 };
    while at < bytes.len() {
        let (next, stretch) = step(bytes, at);
        found.push(stretch);
        at = next;
    }
    if last && matches!(found.last(), Some(Found::Damaged { .. })) {
        let Some(Found::Damaged { range, .. }) = found.pop() else { unreachable!("just matched") };
        found.push(Found::Torn { at: range.start });
    }
    found
}

fn step(bytes: &[u8], at: usize) -> (usize, Found) {
    if let Some(header) = Header::parse(&bytes[at..]) {
        let payload = at + HEADER..at + HEADER + header.payload_bytes as usize;
        match bytes.get(payload.clone()) {
            Some(content) if crc32fast::hash(content) == header.payload_crc => {
                return (payload.end, Found::Record { header, payload });
            }
            Some(_) => return (payload.end, Found::Damaged { range: at..payload.end, header: Some(header) }),
            None => return (bytes.len(), Found::Damaged { range: at..bytes.len(), header: Some(header) }),
        }
    }
    let next = next_header(bytes, at + 1);
    (next, Found::Damaged { range: at..next, header: None })
}

fn next_header(bytes: &[u8], mut from: usize) -> usize {
    while let Some(at) = find_magic(bytes, from) {
        if Header::parse(&bytes[at..]).is_some() {
            return at;
        }
        from = at + 1;
    }
    bytes.len()
}
