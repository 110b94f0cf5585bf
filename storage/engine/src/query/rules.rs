//! Rows of a segment that retention rules speak of.

use super::filter;
use super::rows::select_all;
use super::source::Source;
use super::sql::Sql;
use crate::columns::read::Reader;
use crate::columns::{self, Table};
use crate::context::Resource;
use crate::duck::Duck;
use crate::error::Fault;
use crate::segment::Segment;
use orrery_model::{Severity, Signal, StatusCode};
use orrery_query::retention::{Rule, ServiceField, Term};
use std::sync::Arc;

/// How many rows each rule speaks of, and how many any of them does, last.
pub(crate) fn count<B: Table>(duck: &Duck, segment: &Arc<Segment>, rules: &[(&Rule, i64)]) -> Result<Vec<u64>, Fault> {
    let source = source(segment)?;
    let mut sql = Sql::new("SELECT ");
    for (number, rule) in rules.iter().enumerate() {
        sql.push("count(*) FILTER (WHERE ");
        any::<B>(&mut sql, &[*rule], &source);
        sql.push(")::UBIGINT").alias("rule", number).push(", ");
    }
    sql.push("count(*) FILTER (WHERE ");
    any::<B>(&mut sql, rules, &source);
    sql.push(")::UBIGINT").alias("rule", rules.len()).push(" FROM ");
    source.from::<B>(&mut sql);
    let mut counts = Vec::new();
    for rows in sql.run(&duck.writer()?)? {
        for number in 0..=rules.len() {
            counts.extend(Reader::new(&rows).u64(&format!("rule{number}"))?);
        }
    }
    Ok(counts)
}

/// The rows that no rule speaks of, as batches with their arrival numbers, one after the other.
pub(crate) fn others<B: Table>(
    duck: &Duck,
    segment: &Arc<Segment>,
    rules: &[(&Rule, i64)],
    mut each: impl FnMut(B, Vec<u64>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let source = source(segment)?;
    let context = source.context::<B>();
    let mut sql = select_all::<B>(&source);
    sql.push(" WHERE NOT ");
    any::<B>(&mut sql, rules, &source);
    sql.stream(&duck.writer()?, |rows| each(B::read(rows, &context, source.promoted())?, columns::arrivals(rows)?))
}

fn source(segment: &Arc<Segment>) -> Result<Source, Fault> {
    let source = Source::sealed(segment);
    source.open(&[])?;
    Ok(source)
}

fn any<B: Table>(sql: &mut Sql, rules: &[(&Rule, i64)], source: &Source) {
    sql.push("(");
    sql.each(" OR ", rules, |sql, (rule, before)| condition::<B>(sql, rule, *before, source));
    sql.push(")");
}

/// Never null: a row is spoken of or is not.
fn condition<B: Table>(sql: &mut Sql, rule: &Rule, before: i64, source: &Source) {
    sql.push("coalesce(").push(filter::time_column(B::SIGNAL)).push(" < ").bind(before);
    for term in &rule.terms {
        sql.push(if term.holds() { " AND (" } else { " AND NOT (" });
        test::<B>(sql, term, source);
        sql.push(")");
    }
    sql.push(", false)");
}

fn test<B: Table>(sql: &mut Sql, term: &Term, source: &Source) {
    match term {
        Term::Error(_) if B::SIGNAL == Signal::Traces => _ = sql.push("status_code = ").bind(StatusCode::Error as u8),
        Term::Error(_) => _ = sql.push("severity_number >= ").bind(Severity::Error.lowest_number()),
        Term::Shorter(nanos, _) => _ = sql.push("duration_nanos < ").bind(*nanos),
        Term::Longer(nanos, _) => _ = sql.push("duration_nanos > ").bind(*nanos),
        Term::Service(field, value, _) => {
            let wanted = |resource: &Resource| match field {
                ServiceField::Name => resource.service.service_name == *value,
                ServiceField::Namespace => resource.service.service_namespace == *value,
                ServiceField::Environment => resource.service.environment == *value,
            };
            filter::resource_in(sql, &source.context::<B>().resources_where(wanted));
        }
        Term::Attribute(attribute) => filter::attribute::<B>(sql, attribute, source),
    }
}
