//! The tables users' own SQL can speak of, with the attributes there are.

use super::filter;
use super::session::Session;
use super::source::Source;
use crate::columns::Table;
use crate::engine::Inner;
use crate::sandbox::tables::TABLES;
use orrery_model::{LogBatch, MetricBatch, Signal, SpanBatch};
use orrery_query::answer::{Answer, ColumnInfo, TableInfo};
use orrery_query::{Control, QueryError, plan};
use std::collections::BTreeMap;

/// Keys of a column, at most.
const KEYS: usize = 200;
/// Places looked at, newest first: what comes later is hardly new.
const PLACES: usize = 40;

pub(crate) fn run(inner: &Inner, plan: &plan::Tables, control: &Control) -> Result<Answer<Vec<TableInfo>>, QueryError> {
    filter::check_range(plan.range)?;
    let mut session = Session::new(inner, "tables", control)?;
    let mut tables = Vec::new();
    for table in &TABLES {
        let mut keys = match table.signal {
            Signal::Traces => keys::<SpanBatch>(&mut session, plan)?,
            Signal::Logs => keys::<LogBatch>(&mut session, plan)?,
            Signal::Metrics => keys::<MetricBatch>(&mut session, plan)?,
        };
        let columns = table.columns.iter().map(|column| ColumnInfo {
            name: column.name.to_owned(),
            kind: column.kind.to_owned(),
            about: column.about.to_owned(),
            keys: match column.name {
                "attributes" => most(std::mem::take(&mut keys.attributes)),
                "resource" => most(std::mem::take(&mut keys.resource)),
                _ => Vec::new(),
            },
        });
        let columns = columns.collect();
        tables.push(TableInfo { name: table.name.to_owned(), about: table.about.to_owned(), columns });
    }
    Ok(session.answer(tables))
}

#[derive(Default)]
struct Keys {
    attributes: BTreeMap<String, u64>,
    resource: BTreeMap<String, u64>,
}

fn most(keys: BTreeMap<String, u64>) -> Vec<(String, u64)> {
    let mut keys: Vec<(String, u64)> = keys.into_iter().collect();
    keys.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    keys.truncate(KEYS);
    keys
}

fn keys<B: Table>(session: &mut Session<'_>, plan: &plan::Tables) -> Result<Keys, QueryError> {
    let mut keys = Keys::default();
    for source in session.sources::<B>(plan.range, |_| true)?.into_iter().take(PLACES) {
        if !session.open(&source, &[])? {
            continue;
        }
        match &source {
            Source::Hot(slice) => {
                for part in B::hot(slice).held().0 {
                    let strings = &part.batch.context().strings;
                    for (key, _) in part.batch.attributes().pairs_of_all_rows() {
                        add(&mut keys.attributes, strings.get(key), 1);
                    }
                }
            }
            Source::Sealed(segment, _) => {
                let rows = segment.attribute_rows().map_err(|fault| session.fault(fault))?;
                rows.iter().for_each(|(key, rows)| add(&mut keys.attributes, key, *rows));
            }
        }
        // Resources say nothing of how many rows they have.
        for resource in source.context::<B>().resources() {
            resource.attribute_map().keys().for_each(|key| add(&mut keys.resource, key, 1));
        }
    }
    Ok(keys)
}

fn add(counts: &mut BTreeMap<String, u64>, key: &str, rows: u64) {
    match counts.get_mut(key) {
        Some(count) => *count += rows,
        None => _ = counts.insert(key.to_owned(), rows),
    }
}
