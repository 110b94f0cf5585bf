//! All rows of a signal as one Parquet file: the columns of a segment, with every attribute in the map, so that rows of
//! segments with different columns of their own go together.

use super::session::Session;
use super::source::Source;
use super::{engine_error, filter, rows};
use crate::columns::{self, Arrival, Part, Pick, Place, Promotion, Rows, Table};
use crate::context::ContextTable;
use crate::engine::Inner;
use crate::error::Fault;
use crate::slice::{Slice, picks};
use hashbrown::HashMap;
use orrery_model::{LogBatch, MetricBatch, ServiceKey, Signal, SpanBatch, SpanId, TraceId};
use orrery_query::answer::Answer;
use orrery_query::{Control, Partial, QueryError, TimeRange, plan};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use std::io::Write;
use std::sync::Arc;

/// Rows of a row group: what is held in memory.
const ROW_GROUP: usize = 16 * 1024;
/// Numbers of the index files of segments; they mean nothing outside.
const INTERNAL: [&str; 2] = ["resource_id", "scope_id"];

type Out<'a> = &'a mut (dyn Write + Send);

pub(crate) fn run(
    inner: &Inner,
    plan: &plan::Export,
    control: &Control,
    out: Out<'_>,
) -> Result<Answer<u64>, QueryError> {
    filter::check_range(plan.range)?;
    match plan.signal {
        Signal::Traces => export::<SpanBatch>(inner, plan, control, out),
        Signal::Logs => export::<LogBatch>(inner, plan, control, out),
        Signal::Metrics => export::<MetricBatch>(inner, plan, control, out),
    }
}

fn export<B: Table>(
    inner: &Inner,
    plan: &plan::Export,
    control: &Control,
    out: Out<'_>,
) -> Result<Answer<u64>, QueryError> {
    let mut session = Session::new(inner, "export", control)?;
    let mut sources =
        session.sources::<B>(plan.range, |entry| filter::lists_service(&entry.services, plan.service.as_ref()))?;
    // What is in memory first, so that it is held no longer than that takes.
    sources.sort_by_key(|source| matches!(source, Source::Sealed(..)));
    session.let_go();
    let mut writer = Writer::<B>::new(out, zstd()).map_err(|fault| engine_error("export", fault))?;
    let mut lasts: Vec<i64> = sources.iter().map(Source::last::<B>).collect();
    for source in sources {
        writer.seen.forget_after(latest(&lasts));
        lasts.remove(0);
        writer.seen.overlap = latest(&lasts);
        match &source {
            Source::Hot(slice) => {
                let (parts, context) = B::hot(slice).held();
                let wanted = wanted(plan, &context);
                for chunk in in_memory(&parts, plan.range, &wanted).chunks(ROW_GROUP) {
                    session.check()?;
                    writer.write(&parts, chunk, &context, true).map_err(|fault| session.fault(fault))?;
                }
            }
            Source::Sealed(..) if session.open(&source, &[])? => {
                let mut sql = rows::select_all::<B>(&source);
                filter::in_range(&mut sql, filter::time_column(B::SIGNAL), plan.range);
                filter::service(&mut sql, plan.service.as_ref(), &source.context::<B>());
                session.stream::<B>(&source, &sql, |context, batch, arrivals| {
                    let part = read_back(batch, arrivals, context);
                    let picks = picks(std::slice::from_ref(&part));
                    writer.write(std::slice::from_ref(&part), &picks, context, false)
                })?;
            }
            Source::Sealed(..) => {}
        }
    }
    if writer.seen.is_full {
        session.incomplete("spans that were received twice may be there twice".to_owned());
    }
    let answer = session.answer(writer.rows);
    writer.finish(answer.partial.as_ref()).map_err(|fault| engine_error("export", fault))?;
    Ok(answer)
}

fn zstd() -> Compression {
    Compression::ZSTD(ZstdLevel::try_new(1).expect("level 1 exists"))
}

/// Writes the rows of slices within a range, each once, as an export does; answers how many. `check` is asked now and
/// then.
pub(super) fn hot<B: Table>(
    slices: &[Arc<Slice>],
    range: TimeRange,
    out: Out<'_>,
    mut check: impl FnMut() -> Result<(), Fault>,
) -> Result<u64, Fault> {
    // It is read once, by somebody who waits.
    let mut writer = Writer::<B>::new(out, Compression::UNCOMPRESSED)?;
    for slice in slices {
        let (parts, context) = B::hot(slice).held();
        let all = vec![true; context.resources().len()];
        for chunk in in_memory(&parts, range, &all).chunks(ROW_GROUP) {
            check()?;
            writer.write(&parts, chunk, &context, true)?;
        }
    }
    let rows = writer.rows;
    writer.finish(None)?;
    Ok(rows)
}

fn latest(lasts: &[i64]) -> i64 {
    lasts.iter().copied().max().unwrap_or(i64::MIN)
}

fn read_back<B: Table>(batch: B, arrivals: Vec<u64>, context: &ContextTable) -> Part<B> {
    let (resources, scopes) = (0..context.resources().len() as u32, 0..context.scopes().len() as u32);
    Part {
        batch: Arc::new(batch),
        resources: resources.collect(),
        scopes: scopes.collect(),
        arrival: Arrival::Rows(arrivals),
    }
}

/// By number of the resource: whether its rows are asked for.
fn wanted(plan: &plan::Export, context: &ContextTable) -> Vec<bool> {
    let is_wanted =
        |service: &ServiceKey| plan.service.as_ref().is_none_or(|wanted| filter::is_service(wanted, service));
    context.resources().iter().map(|resource| is_wanted(&resource.service())).collect()
}

fn in_memory<B: Table>(parts: &[Part<B>], range: TimeRange, wanted: &[bool]) -> Vec<Pick> {
    let mut picks = picks(parts);
    picks.retain(|pick| {
        let (part, row) = (&parts[pick.part as usize], pick.row as usize);
        range.contains(part.batch.time(row)) && wanted[part.resources[part.batch.resources()[row] as usize] as usize]
    });
    picks
}

struct Writer<'a, B> {
    out: ArrowWriter<Out<'a>>,
    columns: Vec<usize>,
    rows: u64,
    seen: Seen,
    table: std::marker::PhantomData<B>,
}

impl<'a, B: Table> Writer<'a, B> {
    fn new(out: Out<'a>, compression: Compression) -> Result<Writer<'a, B>, Fault> {
        let schema = columns::schema::<B>(Place::Sealed, &[]);
        let is_asked = |column: &usize| !INTERNAL.contains(&schema.field(*column).name().as_str());
        let columns: Vec<usize> = (0..schema.fields().len()).filter(is_asked).collect();
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_max_row_group_row_count(Some(ROW_GROUP))
            .set_created_by(concat!("orrery ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let out = ArrowWriter::try_new(out, Arc::new(schema.project(&columns)?), Some(properties))?;
        Ok(Writer { out, columns, rows: 0, seen: Seen::default(), table: std::marker::PhantomData })
    }

    fn write(
        &mut self,
        parts: &[Part<B>],
        picks: &[Pick],
        context: &ContextTable,
        in_memory: bool,
    ) -> Result<(), Fault> {
        let mut picks = picks.to_vec();
        picks.retain(|pick| {
            let (batch, row) = (&parts[pick.part as usize].batch, pick.row as usize);
            batch.identity(row).is_none_or(|id| self.seen.is_new(id, batch.time(row), in_memory))
        });
        if picks.is_empty() {
            return Ok(());
        }
        self.rows += picks.len() as u64;
        let rows = Rows { parts, picks: &picks, context };
        let batch = columns::sealed_batch(&rows, &Promotion::new(parts, &[]))?;
        Ok(self.out.write(&batch.project(&self.columns)?)?)
    }

    /// Writes the footer, and in it why something is missing.
    fn finish(mut self, partial: Option<&Partial>) -> Result<(), Fault> {
        let partial = partial.map(|Partial(why)| KeyValue::new("orrery.partial".to_owned(), why.clone()));
        partial.into_iter().for_each(|partial| self.out.append_key_value_metadata(partial));
        self.out.finish()?;
        Ok(())
    }
}

/// Spans written so far that may come again: a span that was received twice has the same start both times, so that only
/// those count which lie where the places still to be read reach.
#[derive(Default)]
struct Seen {
    ids: HashMap<(TraceId, SpanId), i64>,
    /// Latest row of the places to be read after this one.
    overlap: i64,
    is_full: bool,
}

impl Seen {
    /// Spans remembered at most: 64 MiB.
    const MOST: usize = 1 << 20;

    fn forget_after(&mut self, latest: i64) {
        self.ids.retain(|_, time| *time <= latest);
    }

    /// Whether the span was not written yet. A place in memory may hold it twice, a segment does not.
    fn is_new(&mut self, id: (TraceId, SpanId), time: i64, in_memory: bool) -> bool {
        if self.ids.contains_key(&id) {
            return false;
        }
        if in_memory || time <= self.overlap {
            self.is_full |= self.ids.len() >= Self::MOST;
            if !self.is_full {
                self.ids.insert(id, time);
            }
        }
        true
    }
}
