//! Where rows of a signal are: one table of a slice, or one segment.

use super::sql::Sql;
use crate::columns::Table;
use crate::context::ContextTable;
use crate::error::Fault;
use crate::promote::Promoted;
use crate::segment::Segment;
use crate::slice::Slice;
use orrery_model::semconv;
use orrery_query::plan::AttributeFilter;
use std::sync::{Arc, OnceLock};

/// One of the places a query reads. A sealed one is opened before its rows are: then it has its context.
pub(crate) enum Source {
    Hot(Arc<Slice>),
    Sealed(Arc<Segment>, OnceLock<Arc<ContextTable>>),
}

/// Where the values of an attribute are in a source.
pub(crate) struct Places<'a> {
    pub(crate) column: Option<&'a Promoted>,
    pub(crate) map: bool,
}

impl Source {
    pub(crate) fn sealed(segment: &Arc<Segment>) -> Source {
        Source::Sealed(Arc::clone(segment), OnceLock::new())
    }

    /// Reads the lists of its resources and scopes; false if no row meets the filters.
    pub(crate) fn open(&self, filters: &[AttributeFilter]) -> Result<bool, Fault> {
        let Source::Sealed(segment, context) = self else { return Ok(true) };
        for filter in filters {
            if !self.may_meet(filter)? {
                return Ok(false);
            }
        }
        if context.get().is_none() {
            _ = context.set(segment.context()?);
        }
        Ok(true)
    }

    /// Pushes the table expression.
    pub(crate) fn from<B: Table>(&self, sql: &mut Sql) {
        match self {
            Source::Hot(slice) => {
                debug_assert!(!B::IN_BATCHES, "what is in batches is not in a table");
                sql.table(B::hot(slice).name());
            }
            Source::Sealed(segment, _) => {
                _ = sql.push("read_parquet(").bind_path(segment.parquet()).push(")");
            }
        }
    }

    /// Resources and scopes of its rows, as of now.
    pub(crate) fn context<B: Table>(&self) -> Arc<ContextTable> {
        match self {
            Source::Hot(slice) => B::hot(slice).context(),
            Source::Sealed(_, context) => Arc::clone(context.get().expect("opened before its rows are read")),
        }
    }

    pub(crate) fn promoted(&self) -> &[Promoted] {
        match self {
            Source::Hot(_) => &[],
            Source::Sealed(segment, _) => &segment.entry.promoted,
        }
    }

    /// Whether it is what was kept of one trace.
    pub(crate) fn is_pin(&self) -> bool {
        matches!(self, Source::Sealed(segment, _) if segment.of_pin().is_some())
    }

    /// Latest time of a row.
    pub(crate) fn last<B: Table>(&self) -> i64 {
        match self {
            Source::Hot(slice) => B::hot(slice).times().map_or(i64::MIN, |(_, last)| last),
            Source::Sealed(segment, _) => segment.entry.last_unix_nano,
        }
    }

    pub(crate) fn rows<B: Table>(&self) -> u64 {
        match self {
            Source::Hot(slice) => B::hot(slice).count(),
            Source::Sealed(segment, _) => segment.entry.rows,
        }
    }

    /// False: no row meets the filter, neither by an attribute of its own nor by one of its resource.
    fn may_meet(&self, filter: &AttributeFilter) -> Result<bool, Fault> {
        let Source::Sealed(segment, _) = self else { return Ok(true) };
        let mut may_meet = filter.negated;
        for key in semconv::spellings(&filter.key) {
            let places = self.places(key);
            let in_rows = places.column.is_some() || places.map;
            may_meet = may_meet || segment.may_have_value(key, &filter.value, in_rows)?;
        }
        Ok(may_meet)
    }

    /// Where an attribute of exactly this name may be.
    pub(crate) fn places(&self, key: &str) -> Places<'_> {
        match self {
            Source::Hot(_) => Places { column: None, map: true },
            Source::Sealed(segment, _) => {
                let entry = &segment.entry;
                let column = entry.promoted.iter().find(|promoted| promoted.key == key);
                let map = match &entry.mapped {
                    Some(mapped) => mapped.contains(key),
                    None => column.is_none_or(|promoted| promoted.mixed),
                };
                Places { column, map }
            }
        }
    }
}
