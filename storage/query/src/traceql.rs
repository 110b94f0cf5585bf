//! TraceQL: the one language in which spans and traces are asked for, in the bar and over the API.
//!
//! ```text
//! { resource.service.name = "cart" && span.http.request.method = "POST" } >> { status = error } | count() > 2
//! { span:kind = server } | quantile_over_time(span:duration, 0.99) by (resource.service.name)
//! ```
//!
//! [`parse`] makes a typed [`Query`] or a [`Problem`] that says where and what to write instead. [`Query`] prints
//! itself in one spelling. [`Prefilter`] is what a store can ask of single spans before it reads whole traces, and
//! [`reads`] what it has to read of them. [`Conditions`] is the flat form of a visual builder, [`complete`] what could
//! be written at a cursor. With the cargo feature `evaluate`, `Compiled` finds the matching spans of a trace and
//! `Series` makes metrics of them; the browser compiles this crate without it, and so without regular expressions.
//!
//! How a store answers:
//!
//! ```text
//! let query = parse(text)?;                       // 400 with range, message, hint
//! let compiled = Compiled::new(&query)?;          // the same, for regular expressions
//! let (prefilter, reads) = (Prefilter::of(&query), reads(&query));
//! if !reads.whole_traces, for each part of the store, newest first:
//!     read `reads.fields` of the spans that meet prefilter.of_span(), as one TraceView of spans of many traces
//!     search:  query.without_select().evaluate(&spans)    // those lead to their traces, of which a page is read
//!     metrics: series.observe(&spans)             // one Series per thread, then merge(), finish()
//! else:
//!     spans that meet prefilter.of_some_span() lead to traces; read `reads.fields` of all their spans, as TraceViews
//!     search:  compiled.evaluate(&trace)          // spansets, in numbers of spans
//!     metrics: series.observe(&trace)
//! ```
//!
//! Old and new semantic-convention names are one field: `span.http.method` and `span.http.request.method` both read
//! whichever the span has, the current name first ([`orrery_model::semconv::spellings`]). `duration` is the *span's*;
//! `trace:duration` the trace's.
//!
//! Source: Grafana Tempo's published TraceQL reference. TRACEQL.md beside this crate lists every construct of it.

mod arithmetic;
mod ast;
mod check;
mod complete;
mod conditions;
#[cfg(feature = "evaluate")]
mod evaluate;
mod field;
mod lex;
mod literal;
#[cfg(feature = "evaluate")]
mod metrics;
mod parse;
mod parts;
mod prefilter;
mod print;
#[cfg(feature = "evaluate")]
mod probe;
mod problem;
mod reads;
mod tables;
#[cfg(test)]
mod tests;

pub use ast::{
    Aggregate, Arithmetic, Body, Comparison, Expression, ExpressionKind, Filter, Hint, Logic, Metric, MetricFunction,
    Pipeline, Place, Query, Relate, Relation, Scalar, SecondStage, Spanset, SpansetOperator, Stage, Structural,
};
pub use complete::{Completion, Wanted, complete};
pub use conditions::{Condition, Conditions, Operator};
#[cfg(feature = "evaluate")]
pub use evaluate::{Compiled, Spanset as MatchedSpanset, TraceView, Value};
pub use field::{Field, FieldName, Intrinsic, Scope, Type};
pub use literal::Literal;
#[cfg(feature = "evaluate")]
pub use metrics::{Series, SeriesError};
pub use parse::parse;
pub use parts::{Part, parts};
pub use prefilter::{Leaf, Prefilter, SpanCondition, Test};
#[cfg(feature = "evaluate")]
pub use probe::Probe;
pub use problem::Problem;
pub use reads::{Reads, reads};
pub use tables::{Compared, ComparedField, ComparedValue, Exemplar, Label, LabelName, Labelled, Metrics, Sides, Table};
