//! Which attributes the events and links of a segment have: nowhere listed, but in the dictionaries of their column, so
//! that what only few events have is not looked for in all of them.

use super::Segment;
use crate::error::Fault;
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageReader};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaDataReader};
use parquet::file::serialized_reader::SerializedPageReader;
use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;

/// A column of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Nested {
    Events,
    Links,
}

impl Nested {
    pub(crate) fn column(self) -> &'static str {
        match self {
            Nested::Events => "events",
            Nested::Links => "links",
        }
    }
}

/// Names of attributes; `None`: any.
#[derive(Debug)]
pub(crate) struct NestedKeys(Option<BTreeSet<String>>);

impl NestedKeys {
    /// False: no event (link) has an attribute of this name.
    pub(crate) fn may_have(&self, key: &str) -> bool {
        self.0.as_ref().is_none_or(|keys| keys.contains(key))
    }

    /// The names, as far as they are known.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flatten().map(String::as_str)
    }
}

impl Segment {
    /// The attributes of its events or links, read once. The file must have been verified.
    pub(crate) fn nested(&self, which: Nested) -> Result<Arc<NestedKeys>, Fault> {
        let held = match which {
            Nested::Events => &self.nested.0,
            Nested::Links => &self.nested.1,
        };
        if let Some(keys) = held.get() {
            return Ok(Arc::clone(keys));
        }
        let keys = NestedKeys(read(self, which)?);
        Ok(Arc::clone(held.get_or_init(|| Arc::new(keys))))
    }
}

fn read(segment: &Segment, which: Nested) -> Result<Option<BTreeSet<String>>, Fault> {
    let path = segment.parquet();
    let file = Arc::new(File::open(path).map_err(Fault::io(path))?);
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&*file)?;
    let schema = metadata.file_metadata().schema_descr();
    let is_key = |leaf: &usize| {
        let parts = schema.column(*leaf);
        let parts = parts.path().parts();
        parts.first().is_some_and(|root| root == which.column()) && parts.last().is_some_and(|last| last == "key")
    };
    let Some(leaf) = (0..schema.num_columns()).find(is_key) else { return Ok(None) };
    let mut keys = BTreeSet::new();
    for group in metadata.row_groups() {
        let chunk = group.column(leaf);
        // Nobody has any: there is no dictionary then.
        let absent = chunk.statistics().and_then(|statistics| statistics.null_count_opt());
        if absent == Some(chunk.num_values() as u64) {
            continue;
        }
        match dictionary(&file, chunk, group.num_rows() as usize)? {
            Some(words) => keys.extend(words),
            None => return Ok(None),
        }
    }
    Ok(Some(keys))
}

/// The words of a column's dictionary, if all its values are in it.
fn dictionary(file: &Arc<File>, chunk: &ColumnChunkMetaData, rows: usize) -> Result<Option<Vec<String>>, Fault> {
    let is_whole = chunk.page_encoding_stats_mask().is_some_and(|mask| mask.is_only(Encoding::RLE_DICTIONARY));
    if !is_whole || chunk.dictionary_page_offset().is_none() {
        return Ok(None);
    }
    let mut pages = SerializedPageReader::new(Arc::clone(file), chunk, rows, None)?;
    let Some(Page::DictionaryPage { buf, num_values, .. }) = pages.get_next_page()? else { return Ok(None) };
    // Plain encoding of byte arrays: length, bytes.
    let (mut words, mut rest) = (Vec::with_capacity(num_values as usize), &buf[..]);
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let Some((word, after)) = after.split_at_checked(u32::from_le_bytes(*length) as usize) else { return Ok(None) };
        words.push(String::from_utf8_lossy(word).into_owned());
        rest = after;
    }
    Ok((words.len() == num_values as usize).then_some(words))
}
