//! Writing a segment: from batches straight to Parquet, without a trip through SQL.

use super::filter::TraceFilter;
use super::index;
use super::values::Values;
use super::words::{Chunk, Words};
use crate::columns::{self, Kind, Part, Pick, Place, Promotion, Rows, Table};
use crate::context::ContextTable;
use crate::dir::{sync_dir, write_synced};
use crate::error::Fault;
use crate::failpoint;
use crate::fs::Fs;
use crate::manifest::SegmentEntry;
use crate::promote::{self, Keys, Promoted, PromotedKind};
use crate::slice;
use arrow::array::{ArrayRef, AsArray, RecordBatch};
use orrery_model::{ServiceKey, Signal, TraceId};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, compute_leaves};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::SerializedRowGroupWriter;
use parquet::schema::types::{ColumnDescPtr, ColumnPath};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

/// Rows of a Parquet row group: what reading one trace costs.
const ROW_GROUP: usize = 24 * 1024;
/// Bytes of distinct values after which a column's dictionary is given up.
const DICTIONARY: usize = 1 << 20;
/// The same for columns that repeat by their nature, however long their words are.
const WORDS: usize = 16 << 20;
/// Attribute names listed in the manifest; a segment with more lists none and is never skipped for a missing one.
const LISTED_KEYS: usize = 512;

/// Writes the rows of `parts` as segment `id`, sorted, equal rows once; `None` without rows. The files are durable
/// when this returns, and mean nothing until the manifest names them.
pub(crate) fn write<B: Table>(
    dir: &Path,
    id: u64,
    level: u32,
    parts: &[Part<B>],
    context: &ContextTable,
) -> Result<Option<SegmentEntry>, Fault> {
    let picks = sorted(parts);
    if picks.is_empty() {
        return Ok(None);
    }
    let keys = promote::keys(parts, &picks);
    let values = Values::of(parts);
    let properties = properties::<B>(&keys, picks.len(), &values);
    let attribute_rows = attribute_rows(&keys);
    let mut entry = describe(id, level, parts, &picks, context, keys);
    let stem = dir.join(entry.stem());
    let tmp = stem.with_extension("parquet.tmp");
    let rows = Rows { parts, picks: &picks, context };
    (entry.bytes, entry.crc32) = write_parquet(&tmp, &rows, &entry.promoted, properties)?;
    let index = index::print(context, &trace_filter(parts, &picks), &values.filter(context), attribute_rows);
    (entry.index_bytes, entry.index_crc32) = (index.len() as u64, crc32fast::hash(&index));
    write_synced(&Fs::Real, &stem.with_extension("index"), &index)?;
    failpoint::pass("segment written")?;
    let path = stem.with_extension("parquet");
    std::fs::rename(&tmp, &path).map_err(Fault::io(&path))?;
    failpoint::pass("segment renamed")?;
    sync_dir(dir)?;
    Ok(Some(entry))
}

/// All rows in the table's order; of rows that are the same item only the first.
fn sorted<B: Table>(parts: &[Part<B>]) -> Vec<Pick> {
    let at = |pick: &Pick| (&parts[pick.part as usize], pick.row as usize);
    let keyed = |pick: Pick| (B::key(at(&pick).0, at(&pick).1), pick.part, pick.row);
    // Keys beside each other: following two pointers for every comparison takes several times as long.
    let mut keyed: Vec<_> = slice::picks(parts).into_iter().map(keyed).collect();
    keyed.sort_unstable();
    let mut picks: Vec<Pick> = keyed.into_iter().map(|(_, part, row)| Pick { part, row }).collect();
    picks.dedup_by(|b, a| B::same(at(a), at(b)));
    B::cluster(parts, &mut picks);
    picks
}

fn describe<B: Table>(
    id: u64,
    level: u32,
    parts: &[Part<B>],
    picks: &[Pick],
    context: &ContextTable,
    keys: Keys,
) -> SegmentEntry {
    let (mut first, mut last) = (i64::MAX, i64::MIN);
    let mut used = vec![false; context.resources().len()];
    for pick in picks {
        let (part, row) = (&parts[pick.part as usize], pick.row as usize);
        let time = part.batch.time(row);
        (first, last) = (first.min(time), last.max(time));
        used[part.resources[part.batch.resources()[row] as usize] as usize] = true;
    }
    let services: BTreeSet<ServiceKey> = context
        .resources()
        .iter()
        .zip(used)
        .filter(|(_, used)| *used)
        .map(|(resource, _)| resource.service())
        .collect();
    SegmentEntry {
        id,
        signal: B::SIGNAL,
        level,
        rows: picks.len() as u64,
        first_unix_nano: first,
        last_unix_nano: last,
        bytes: 0,
        crc32: 0,
        index_bytes: 0,
        index_crc32: 0,
        services: services.iter().map(ServiceKey::to_string).collect(),
        promoted: keys.promoted.into(),
        mapped: (keys.mapped.len() <= LISTED_KEYS).then(|| Arc::new(keys.mapped.into_keys().collect())),
        judged: Default::default(),
    }
}

/// Rows by attribute, unless there are too many attributes to list.
fn attribute_rows(keys: &Keys) -> BTreeMap<String, u64> {
    let promoted = keys.promoted.iter().map(|promoted| &promoted.key).zip(&keys.rows);
    let mapped = keys.mapped.iter().filter(|_| keys.mapped.len() <= LISTED_KEYS);
    let mut rows = BTreeMap::new();
    promoted.chain(mapped).for_each(|(key, count)| *rows.entry(key.clone()).or_default() += *count);
    rows
}

fn write_parquet<B: Table>(
    path: &Path,
    rows: &Rows<'_, B>,
    promoted: &[Promoted],
    properties: WriterProperties,
) -> Result<(u64, u32), Fault> {
    let file = File::create(path).map_err(Fault::io(path))?;
    let out = Checksummed { out: BufWriter::with_capacity(1 << 20, file), hasher: crc32fast::Hasher::new(), bytes: 0 };
    let schema = columns::schema::<B>(Place::Sealed, promoted);
    let (mut file, columns) = ArrowWriter::try_new(out, schema, Some(properties))?.into_serialized_writer()?;
    let promotion = Promotion::new(rows.parts, promoted);
    let mut encoder = Encoder {
        leaves: file.schema_descr().columns().to_vec(),
        properties: Arc::clone(file.properties()),
        words: Words::new(zstd()).map_err(Fault::io(path))?,
    };
    for (number, picks) in rows.picks.chunks(ROW_GROUP).enumerate() {
        let batch = columns::sealed_batch(&Rows { picks, ..*rows }, &promotion)?;
        let mut group = file.next_row_group()?;
        encoder.write(&batch, columns.create_column_writers(number)?, &mut group)?;
        group.close()?;
    }
    let mut out = file.into_inner()?;
    out.flush().and_then(|()| out.out.get_ref().sync_all()).map_err(Fault::io(path))?;
    Ok((out.bytes, out.hasher.finalize()))
}

fn zstd() -> ZstdLevel {
    ZstdLevel::try_new(1).expect("level 1 exists")
}

/// Writes row groups: words by their numbers, everything else as the library does it.
struct Encoder {
    leaves: Vec<ColumnDescPtr>,
    properties: WriterPropertiesPtr,
    words: Words,
}

impl Encoder {
    fn write<W: Write + Send>(
        &mut self,
        batch: &RecordBatch,
        writers: Vec<ArrowColumnWriter>,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<(), Fault> {
        let mut writers = self.leaves.clone().into_iter().zip(writers).peekable();
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            if let Some(chunk) = writers.peek().map_or(Ok(None), |(leaf, _)| self.words(column, leaf))? {
                group.append_column(&chunk.bytes, chunk.close)?;
                writers.next();
                continue;
            }
            for (leaf, (_, mut writer)) in compute_leaves(field, column)?.iter().zip(&mut writers) {
                writer.write(leaf)?;
                writer.close()?.append_to_row_group(group)?;
            }
        }
        Ok(())
    }

    fn words(&mut self, column: &ArrayRef, leaf: &ColumnDescPtr) -> Result<Option<Chunk>, Fault> {
        let path = leaf.path();
        match column.as_dictionary_opt() {
            Some(column) if self.properties.dictionary_enabled(path) => {
                let has_bounds = self.properties.statistics_enabled(path) != EnabledStatistics::None;
                self.words.encode(column, leaf, has_bounds, WORDS)
            }
            _ => Ok(None),
        }
    }
}

/// How each column is encoded: a dictionary where values repeat, else none, which would cost time and room for nothing.
/// Minimum and maximum only where rows near each other have near values: nobody finds a word by them.
fn properties<B: Table>(keys: &Keys, rows: usize, values: &Values) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(zstd()))
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_dictionary_page_size_limit(DICTIONARY)
        // Nobody reads single pages: a column of a row group is one or two.
        .set_offset_index_disabled(true)
        .set_created_by(concat!("orrery ", env!("CARGO_PKG_VERSION")).to_owned());
    for column in columns::columns::<B>(Place::Sealed) {
        let path = ColumnPath::from(column.name);
        if is_ranged::<B>(column.kind) {
            properties = properties.set_column_statistics_enabled(path.clone(), EnabledStatistics::Chunk);
        }
        properties = match column.kind {
            Kind::Id | Kind::Arrival | Kind::Time => properties.set_column_dictionary_enabled(path, false),
            // Spans of a trace lie together, records do not.
            Kind::TraceId if B::SIGNAL == Signal::Traces => properties.set_column_dictionary_enabled(path, false),
            Kind::Nanos => properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
            Kind::Word => properties.set_column_dictionary_page_size_limit(path, WORDS),
            _ => properties,
        };
    }
    let groups = rows.div_ceil(ROW_GROUP);
    for (promoted, filled) in keys.promoted.iter().zip(&keys.rows) {
        let (filled, distinct) = (*filled as usize, values.distinct(&promoted.key));
        // A row group's dictionary is its own, and most numbers are shorter than their place in one of thousands.
        let most = match promoted.kind {
            PromotedKind::Text => filled / 10 * 9,
            PromotedKind::Int => filled / groups / 8,
            PromotedKind::Double => filled / groups / 2,
            PromotedKind::Bool => continue,
        };
        if distinct.is_some_and(|distinct| distinct <= most) {
            continue;
        }
        let path = ColumnPath::from(promoted.column());
        properties = properties.set_column_dictionary_enabled(path.clone(), false);
        if promoted.kind == PromotedKind::Int {
            properties = properties.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
        }
    }
    properties.build()
}

fn is_ranged<B: Table>(kind: Kind) -> bool {
    match kind {
        // Data points lie in the order of their metrics' names.
        Kind::Text => B::SIGNAL == Signal::Metrics,
        Kind::Map | Kind::F64List | Kind::U64List | Kind::Events | Kind::Links | Kind::Exemplars => false,
        _ => true,
    }
}

fn trace_filter<B: Table>(parts: &[Part<B>], picks: &[Pick]) -> TraceFilter {
    if B::SIGNAL == Signal::Metrics {
        return TraceFilter::default();
    }
    let ids = picks.iter().filter_map(|pick| parts[pick.part as usize].batch.trace(pick.row as usize));
    let mut ids: Vec<TraceId> = ids.filter(|id| !id.is_none()).collect();
    ids.sort_unstable();
    ids.dedup();
    TraceFilter::new(ids.into_iter())
}

/// Counts and checksums what passes.
struct Checksummed {
    out: BufWriter<File>,
    hasher: crc32fast::Hasher,
    bytes: u64,
}

impl Write for Checksummed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
