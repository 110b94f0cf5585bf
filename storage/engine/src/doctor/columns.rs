//! What the columns of sealed data take, by the word of their files.

use super::Weight;
use crate::dir::Dir;
use crate::error::{Fault, OpenError};
use crate::fs::Fs;
use crate::manifest::{ManifestFile, SegmentEntry};
use orrery_model::Signal;
use parquet::file::metadata::ParquetMetaDataReader;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

/// Bytes of each column of each signal, and of what is beside the columns. Segments that cannot be read are left out:
/// [`super::examine`] names them.
///
/// # Errors
/// [`OpenError`]: it cannot be looked at; the message says why and what to do.
pub fn weigh(root: &Path) -> Result<BTreeMap<Signal, Weight>, OpenError> {
    let (dir, _) = Dir::look(root)?;
    let manifest = ManifestFile::open(Fs::Real, dir.root())?.0.current();
    let mut weights: BTreeMap<Signal, Weight> = BTreeMap::new();
    for entry in &manifest.segments {
        _ = add(&dir, entry, weights.entry(entry.signal).or_default());
    }
    Ok(weights)
}

fn add(dir: &Dir, entry: &SegmentEntry, weight: &mut Weight) -> Result<(), Fault> {
    let path = dir.segments().join(entry.stem()).with_extension("parquet");
    let file = File::open(&path).map_err(Fault::io(&path))?;
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&file)?;
    let mut bytes = 0;
    for column in metadata.row_groups().iter().flat_map(|group| group.columns()) {
        let own = column.compressed_size() as u64;
        let name = &column.column_path().parts()[0];
        *weight.columns.entry(name.clone()).or_default() += own;
        bytes += own;
    }
    weight.rows += entry.rows;
    weight.footers += entry.bytes.saturating_sub(bytes);
    weight.indexes += entry.index_bytes;
    Ok(())
}
