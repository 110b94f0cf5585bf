//! TraceQL: searches, metrics and completion over slices and segments.
//!
//! No SQL: which rows may match is asked column by column while a segment is decoded ([`mask`]), newest place first, and
//! what is left is judged by the library's evaluator ([`orrery_query::traceql`]), which alone knows what a query means.
//! Spans that are judged one by one never have their traces read; only those of the page do.

mod budget;
mod flame;
mod keys;
mod mask;
mod needs;
mod question;
mod rows;
mod scan;
mod search;
mod series;
mod values;
mod whole;

pub(crate) use flame::run as flame;
pub(crate) use keys::run as keys;
pub(crate) use search::run as search;
pub(crate) use series::run as series;
pub(crate) use values::run as values;
