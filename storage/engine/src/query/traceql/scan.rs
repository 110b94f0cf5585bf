//! Spans of a place that may match: all that meet what can be asked of columns.

use super::super::session::Session;
use super::super::source::Source;
use super::budget::Budget;
use super::mask::{Mask, primitive};
use super::needs::Needs;
use super::question::{Asked, AskedLeaf};
use super::rows::{Rows, of_resource};
use crate::columns::Part;
use crate::context::ContextTable;
use crate::error::Fault;
use crate::manifest::SegmentEntry;
use crate::segment::Segment;
use arrow::array::{Array, AsArray, BooleanArray, PrimitiveArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{ArrowPrimitiveType, Int64Type, UInt64Type};
use arrow::error::ArrowError;
use orrery_model::{ServiceKey, SpanBatch, semconv};
use orrery_query::traceql::{FieldName, Intrinsic, Literal, Scope};
use orrery_query::{Control, QueryError, TimeRange};
use parking_lot::Mutex;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowPredicate, ArrowPredicateFn, ArrowReaderMetadata, ParquetRecordBatchReaderBuilder, RowFilter,
};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;
use std::fs::File;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

const START: &str = "start_time_unix_nano";
const ARRIVAL: &str = "arrival";
/// What is read of every span besides what a query reads.
pub(super) const ALWAYS: [&str; 3] = ["trace_id", "span_id", START];
/// Batches in memory looked at between two questions whether the query should stop.
const BREATH: usize = 64;

/// What is looked for.
pub(super) struct Scan<'a> {
    /// Spans that start in it,
    pub(super) range: TimeRange,
    /// and meet this,
    pub(super) condition: &'a Asked,
    /// and arrived before this; of sealed ones it is known where there is no page before.
    pub(super) arrived_before: u64,
    pub(super) is_first_page: bool,
    /// What is read of them.
    pub(super) needs: Needs,
    pub(super) budget: &'a Budget,
    /// Spans that start earlier do not matter, which may become known while they are looked for.
    pub(super) since: Arc<AtomicI64>,
    /// Which of sealed spans are left out; none in general.
    pub(super) thinned: Option<Thinned>,
}

/// Of the spans that are not selected only every so many-th trace is taken, and stands for the others.
pub(super) struct Thinned {
    pub(super) selection: Asked,
    /// Selected spans start in it.
    pub(super) window: TimeRange,
    pub(super) every: u64,
}

/// [`Thinned`] for the rows of a segment.
struct Thin {
    selection: Mask,
    window: TimeRange,
    every: u64,
}

impl Thin {
    fn selects(&self, batch: &RecordBatch) -> Result<BooleanBuffer, ArrowError> {
        let starts = primitive::<Int64Type>(batch, START)?.values();
        let in_window = BooleanBuffer::collect_bool(starts.len(), |row| self.window.contains(starts[row]));
        Ok(&self.selection.holds(batch)? & &in_window)
    }

    fn takes(&self, batch: &RecordBatch) -> Result<BooleanBuffer, ArrowError> {
        let ids = batch.column_by_name("trace_id").and_then(|ids| ids.as_fixed_size_binary_opt());
        let ids = ids.ok_or_else(|| ArrowError::SchemaError("there are no trace ids".to_owned()))?;
        let is_taken = |row: usize| {
            // Ids need not be random at both ends.
            let hash = foldhash::fast::FixedState::default().hash_one(ids.value(row));
            hash.is_multiple_of(self.every)
        };
        Ok(&self.selects(batch)? | &BooleanBuffer::collect_bool(ids.len(), is_taken))
    }

    fn weights(&self, batch: &RecordBatch) -> Result<Vec<f64>, ArrowError> {
        let weight = |selected| if selected { 1.0 } else { self.every as f64 };
        Ok(self.selects(batch)?.iter().map(weight).collect())
    }
}

impl Scan<'_> {
    /// The places with such spans, newest first.
    pub(super) fn sources(&self, session: &mut Session<'_>) -> Result<Vec<Source>, QueryError> {
        session.sources::<SpanBatch>(self.range, |entry| self.condition.may(&|leaf| lists(entry, leaf)))
    }

    /// Calls `each` with rows of a source that may match, from as many threads as there are workers.
    pub(super) fn read<T: Send>(
        &self,
        session: &mut Session<'_>,
        source: &Source,
        workers: &mut [T],
        each: impl Fn(&mut T, Rows, Vec<(u32, u32)>) + Sync,
    ) -> Result<(), QueryError> {
        match source {
            Source::Hot(slice) => {
                let (parts, context) = slice.spans.held();
                session.looked_at(slice.spans.count());
                // Newer ones last, as they arrived.
                for (number, part) in parts.iter().rev().enumerate() {
                    if number % BREATH == 0 {
                        session.check()?;
                    }
                    let rows = self.in_memory(part, &context);
                    if !rows.is_empty() {
                        each(&mut workers[0], Rows::hot(part, &context), rows);
                    }
                }
                Ok(())
            }
            Source::Sealed(segment, _) => {
                if !session.open(source, &[])? || !session.may_read(source) {
                    return Ok(());
                }
                let groups = self.groups(source, segment).map_err(|fault| session.fault(fault))?;
                session.opened(groups.as_ref().map_or(0, Groups::rows));
                let Some(groups) = groups else { return Ok(()) };
                groups.read(session.control(), source, workers, each).map_err(|stopped| match stopped {
                    Stopped::Asked(error) => error,
                    Stopped::Fault(fault) => session.fault(fault),
                })
            }
        }
    }

    fn in_memory(&self, part: &Part<SpanBatch>, context: &ContextTable) -> Vec<(u32, u32)> {
        if !self.condition.may(&|leaf| may_have(part, context, leaf)) {
            return Vec::new();
        }
        let since = self.since.load(Ordering::Relaxed).max(self.range.from);
        let starts = part.batch.start_time_unix_nano.iter().enumerate();
        let is_wanted = |(row, start): &(usize, &i64)| {
            since <= **start && **start < self.range.to && part.arrival.of(*row) < self.arrived_before
        };
        starts.filter(is_wanted).map(|(row, _)| (0, row as u32)).collect()
    }

    /// What has to be read of a segment; nothing if no row of it can match.
    fn groups(&self, source: &Source, segment: &Arc<Segment>) -> Result<Option<Groups<'_>>, Fault> {
        let mask = Mask::of(self.condition, source)?;
        if matches!(mask, Mask::Never) {
            return Ok(None);
        }
        let footer = segment.footer()?;
        let since = self.since.load(Ordering::Relaxed).max(self.range.from);
        let wanted = |group: &RowGroupMetaData| {
            let overlaps = times(group).is_none_or(|(first, last)| first < self.range.to && since <= last);
            overlaps && mask.may(group)
        };
        let wanted = footer.metadata().row_groups().iter().enumerate().filter(|(_, group)| wanted(group));
        let wanted: Vec<usize> = wanted.map(|(number, _)| number).collect();
        if wanted.is_empty() {
            return Ok(None);
        }
        let project = |names: &[&str]| {
            let fields = footer.parquet_schema().root_schema().get_fields();
            let roots = fields.iter().enumerate().filter(|(_, field)| names.contains(&field.name()));
            ProjectionMask::roots(footer.parquet_schema(), roots.map(|(number, _)| number).collect::<Vec<_>>())
        };
        let columns = project(&self.needs.clone().and(&ALWAYS).columns(source)?);
        let conditions = mask.conjuncts().into_iter().map(|mask| {
            let mut names = Vec::new();
            mask.columns(&mut |name| names.push(name.to_owned()));
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            (project(&names), mask)
        });
        let conditions = conditions.collect();
        let (starts, arrivals) = (project(&[START]), project(&[ARRIVAL]));
        let thin = match &self.thinned {
            None => None,
            Some(Thinned { selection, window, every }) => {
                let selection = Mask::of(selection, source)?;
                let mut names = vec!["trace_id".to_owned(), START.to_owned()];
                selection.columns(&mut |name| names.push(name.to_owned()));
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                Some((project(&names), Arc::new(Thin { selection, window: *window, every: *every })))
            }
        };
        Ok(Some(Groups {
            scan: self,
            segment: Arc::clone(segment),
            footer,
            wanted,
            columns,
            conditions,
            starts,
            arrivals,
            thin,
        }))
    }
}

/// Row groups of a segment to be read.
struct Groups<'a> {
    scan: &'a Scan<'a>,
    segment: Arc<Segment>,
    footer: Arc<ArrowReaderMetadata>,
    wanted: Vec<usize>,
    columns: ProjectionMask,
    /// What all have to hold, the cheapest first.
    conditions: Vec<(ProjectionMask, Arc<Mask>)>,
    starts: ProjectionMask,
    arrivals: ProjectionMask,
    thin: Option<(ProjectionMask, Arc<Thin>)>,
}

/// Why reading ended early.
enum Stopped {
    Asked(QueryError),
    Fault(Fault),
}

impl From<Fault> for Stopped {
    fn from(fault: Fault) -> Stopped {
        Stopped::Fault(fault)
    }
}

impl Groups<'_> {
    fn rows(&self) -> u64 {
        self.wanted.iter().map(|group| self.footer.metadata().row_group(*group).num_rows() as u64).sum()
    }

    fn read<T: Send>(
        &self,
        control: &Control,
        source: &Source,
        workers: &mut [T],
        each: impl Fn(&mut T, Rows, Vec<(u32, u32)>) + Sync,
    ) -> Result<(), Stopped> {
        let next = AtomicUsize::new(0);
        let stopped = Mutex::new(None);
        let work = |worker: &mut T| {
            while let Some(group) = self.wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
                if stopped.lock().is_some() {
                    return;
                }
                let read = self.read_group(control, *group, |batch| {
                    let context = source.context::<SpanBatch>();
                    let spans = (0..batch.num_rows() as u32).map(|row| (0, row)).collect();
                    let rows = Rows::sealed(&batch, source.promoted(), &context);
                    let rows = match &self.thin {
                        Some((_, thin)) => rows.weighing(thin.weights(&batch)?),
                        None => rows,
                    };
                    each(worker, rows, spans);
                    Ok(())
                });
                if let Err(why) = read {
                    stopped.lock().get_or_insert(why);
                }
            }
        };
        let threads = workers.len().min(self.wanted.len());
        match workers {
            [worker, ..] if threads == 1 => work(worker),
            workers => std::thread::scope(|scope| {
                for worker in &mut workers[..threads] {
                    let work = &work;
                    scope.spawn(move || work(worker));
                }
            }),
        }
        stopped.into_inner().map_or(Ok(()), Err)
    }

    fn read_group(
        &self,
        control: &Control,
        group: usize,
        mut each: impl FnMut(RecordBatch) -> Result<(), Fault>,
    ) -> Result<(), Stopped> {
        control.check().map_err(Stopped::Asked)?;
        let metadata = self.footer.metadata().row_group(group);
        let rows = metadata.num_rows() as usize;
        self.scan.budget.spend(rows as u64);
        // A file of its own: copies of one share where they read.
        let path = self.segment.parquet();
        let file = File::open(path).map_err(Fault::io(path))?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, ArrowReaderMetadata::clone(&self.footer))
            .with_row_groups(vec![group])
            .with_row_filter(RowFilter::new(self.predicates(metadata)))
            .with_projection(self.columns.clone())
            .with_batch_size(rows)
            .build()
            .map_err(Fault::from)?;
        for batch in reader {
            each(batch.map_err(Fault::from)?)?;
        }
        Ok(())
    }

    fn predicates(&self, group: &RowGroupMetaData) -> Vec<Box<dyn ArrowPredicate>> {
        /// What telling times and arrivals costs, beside [`Mask::cost`].
        const TIMES: u32 = 3;
        let mut predicates: Vec<Box<dyn ArrowPredicate>> = Vec::new();
        let mut own: Vec<Box<dyn ArrowPredicate>> = self.in_time(group).into_iter().collect();
        for (columns, mask) in &self.conditions {
            if mask.cost() > TIMES {
                predicates.append(&mut own);
            }
            let mask = Arc::clone(mask);
            predicates.push(Box::new(ArrowPredicateFn::new(columns.clone(), move |batch| {
                Ok(BooleanArray::new(mask.holds(&batch)?, None))
            })));
        }
        predicates.append(&mut own);
        if let Some((columns, thin)) = &self.thin {
            let thin = Arc::clone(thin);
            predicates.push(Box::new(ArrowPredicateFn::new(columns.clone(), move |batch| {
                Ok(BooleanArray::new(thin.takes(&batch)?, None))
            })));
        }
        predicates
    }

    /// What is asked of times and arrivals, where not all rows meet it.
    fn in_time(&self, group: &RowGroupMetaData) -> Vec<Box<dyn ArrowPredicate>> {
        let scan = self.scan;
        let mut own: Vec<Box<dyn ArrowPredicate>> = Vec::new();
        if !scan.is_first_page {
            let before = scan.arrived_before;
            own.push(Box::new(ArrowPredicateFn::new(self.arrivals.clone(), move |batch: RecordBatch| {
                let arrivals = numbers::<UInt64Type>(&batch)?;
                Ok(BooleanArray::from_unary(arrivals, |arrival| arrival < before))
            })));
        }
        let (since, to) = (scan.since.load(Ordering::Relaxed).max(scan.range.from), scan.range.to);
        if times(group).is_none_or(|(first, last)| first < since || to <= last) {
            own.push(Box::new(ArrowPredicateFn::new(self.starts.clone(), move |batch: RecordBatch| {
                let starts = numbers::<Int64Type>(&batch)?;
                Ok(BooleanArray::from_unary(starts, |start| since <= start && start < to))
            })));
        }
        own
    }
}

fn numbers<T: ArrowPrimitiveType>(batch: &RecordBatch) -> Result<&PrimitiveArray<T>, ArrowError> {
    let column = batch.column(0);
    column.as_primitive_opt::<T>().ok_or_else(|| ArrowError::SchemaError(format!("a time is {}", column.data_type())))
}

/// First and last start of a row group.
fn times(group: &RowGroupMetaData) -> Option<(i64, i64)> {
    let chunk = group.columns().iter().find(|chunk| chunk.column_path().string() == START)?;
    match chunk.statistics()? {
        Statistics::Int64(of) => Some((*of.min_opt()?, *of.max_opt()?)),
        _ => None,
    }
}

/// Whether a segment may have spans that meet a test, by its list of services.
fn lists(entry: &SegmentEntry, leaf: &AskedLeaf) -> bool {
    let is_service =
        matches!(&leaf.field.name, FieldName::Attribute(Some(Scope::Resource), name) if name == "service.name");
    match &leaf.equals {
        Some(Literal::Text(name)) if is_service => {
            entry.services.iter().any(|service| ServiceKey::parse(service).name == *name)
        }
        _ => true,
    }
}

/// Whether a batch may have spans that meet a test: a word it does not know is in none of its rows.
fn may_have(part: &Part<SpanBatch>, context: &ContextTable, leaf: &AskedLeaf) -> bool {
    let strings = &part.batch.context.strings;
    match (&leaf.field.name, &leaf.equals) {
        _ if leaf.negated => true,
        (FieldName::Intrinsic(Intrinsic::Name | Intrinsic::StatusMessage), Some(Literal::Text(text))) => {
            strings.find(text).is_some()
        }
        (FieldName::Intrinsic(_), _) => true,
        (FieldName::Attribute(Some(Scope::Resource), name), _) => {
            let has = |resource: &u32, name: &str| {
                let (mut values, mut passes) = (0, false);
                let there = of_resource(context, *resource, name, &mut |value| {
                    values += 1;
                    passes |= leaf.probe.holds(value);
                });
                there && (values != 1 || passes)
            };
            part.resources.iter().any(|resource| semconv::spellings(name).any(|name| has(resource, name)))
        }
        (FieldName::Attribute(_, name), _) => {
            name == "service.name" || semconv::spellings(name).any(|name| strings.find(name).is_some())
        }
    }
}
