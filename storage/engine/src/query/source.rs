//! Where rows of a signal are: one table of a slice, or one segment.

use super::sql::Sql;
use crate::columns::Table;
use crate::context::{ContextTable, Resource};
use crate::promote::Promoted;
use crate::segment::Segment;
use crate::segment::index::Index;
use crate::slice::Slice;
use orrery_model::{TraceId, semconv};
use orrery_query::plan::AttributeFilter;
use std::sync::Arc;

/// One of the places a query reads.
pub(crate) enum Source {
    Hot(Arc<Slice>),
    Sealed(Arc<Segment>, Arc<Index>),
}

/// Where the values of an attribute are in a source.
pub(crate) struct Places<'a> {
    pub(crate) column: Option<&'a Promoted>,
    pub(crate) map: bool,
}

impl Source {
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
            Source::Sealed(_, index) => Arc::clone(&index.context),
        }
    }

    pub(crate) fn promoted(&self) -> &[Promoted] {
        match self {
            Source::Hot(_) => &[],
            Source::Sealed(segment, _) => &segment.entry.promoted,
        }
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

    pub(crate) fn may_have_trace(&self, trace: TraceId) -> bool {
        match self {
            Source::Hot(_) => true,
            Source::Sealed(_, index) => index.traces.may_contain(trace),
        }
    }

    /// False: no row meets the filter, neither by an attribute of its own nor by one of its resource.
    pub(crate) fn may_meet(&self, filter: &AttributeFilter) -> bool {
        let Source::Sealed(_, index) = self else { return true };
        let keys = || semconv::spellings(&filter.key);
        let says_so = |resource: &Resource| keys().any(|key| resource.text(key).as_ref() == Some(&filter.value));
        let is_here = |key: &str| {
            let places = self.places(key);
            (places.column.is_some() || places.map) && index.values.may_contain(key, &filter.value)
        };
        filter.negated || keys().any(is_here) || !index.context.resources_where(says_so).is_empty()
    }

    /// Where an attribute of exactly this name may be.
    pub(crate) fn places(&self, key: &str) -> Places<'_> {
        match self {
            Source::Hot(_) => Places { column: None, map: true },
            Source::Sealed(segment, _) => {
                let entry = &segment.entry;
                let column = entry.promoted.iter().find(|promoted| promoted.key == key);
                let map = match &entry.mapped {
                    Some(mapped) => mapped.contains_key(key),
                    None => column.is_none_or(|promoted| promoted.mixed),
                };
                Places { column, map }
            }
        }
    }
}
