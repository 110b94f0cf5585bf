//! Which spans of a trace match.

mod condition;
mod pipeline;
mod read;
mod relate;
mod structure;
mod view;

use super::ast::Arithmetic;
use super::ast::{Body, Metric, MetricFunction, Query, SecondStage};
use super::field::Field;
use super::literal::Literal;
use super::problem::Problem;
pub(super) use condition::{Condition, compares, holds, whole};
pub(super) use pipeline::Pipeline;
pub(super) use read::{Interner, Read};
use std::sync::Arc;
pub(super) use structure::Trace;
pub use view::{TraceView, Value};

/// A query made ready once, regular expressions compiled, to be asked of many traces from many threads.
#[derive(Clone, Debug)]
pub struct Compiled {
    pub(super) body: Arc<Prepared>,
    pub(super) hints: Hints,
}

/// Settings that evaluation heeds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hints {
    /// Count a span as as many as its sampling stands for.
    pub(super) extrapolate: bool,
    /// Exemplars per series.
    pub(super) exemplars: usize,
}

#[derive(Debug)]
pub(super) enum Prepared {
    Search(Pipeline),
    Metrics(Plan),
}

/// Series to be made; leaves stand by their number in `leaves`.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) leaves: Vec<Leaf>,
    pub(super) root: Node,
}

#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) pipeline: Pipeline,
    pub(super) function: MetricFunction,
    /// What the function works on.
    pub(super) of: Option<Read>,
    /// The filter of `compare()`.
    pub(super) selects: Option<Condition>,
    pub(super) by: Vec<(Field, Read)>,
}

#[derive(Debug)]
pub(super) enum Node {
    Leaf(usize),
    Number(f64),
    Arithmetic(Box<Node>, Arithmetic, Box<Node>),
    Then(Box<Node>, SecondStage),
}

/// Spans of a trace that match together.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanset {
    /// Numbers of the spans in their [`TraceView`], ascending; never empty.
    pub spans: Vec<u32>,
    /// What `by()` split by and what aggregates came to, as written in the query: `by(span:name)`, `count()`. `None` is
    /// nil.
    pub values: Vec<(Arc<str>, Option<Literal>)>,
}

/// Exemplars per series where the query does not say how many.
const EXEMPLARS: usize = 20;

impl Compiled {
    /// Makes a query ready.
    ///
    /// # Errors
    /// A regular expression in it is none, or is too large.
    pub fn new(query: &Query) -> Result<Compiled, Problem> {
        let body = match &query.body {
            Body::Search(pipeline) => Prepared::Search(Pipeline::new(pipeline)?),
            Body::Metrics(metric) => {
                let mut leaves = Vec::new();
                let root = node(metric, &mut leaves)?;
                Prepared::Metrics(Plan { leaves, root })
            }
        };
        let exemplars = match query.hint("exemplars") {
            Some(Literal::Bool(true)) => EXEMPLARS,
            Some(Literal::Int(count)) => usize::try_from(*count).unwrap_or(0).min(1000),
            _ => 0,
        };
        let extrapolate = query.hint("extrapolate") == Some(&Literal::Bool(true));
        Ok(Compiled { body: Arc::new(body), hints: Hints { extrapolate, exemplars } })
    }

    /// The matching spansets of a trace; none if it does not match. For a query for metrics, the spans that count.
    pub fn evaluate(&self, trace: &dyn TraceView) -> Vec<Spanset> {
        let trace = Trace::new(trace);
        match &*self.body {
            Prepared::Search(pipeline) => pipeline.evaluate(&trace),
            Prepared::Metrics(plan) => plan.leaves.iter().flat_map(|leaf| leaf.pipeline.evaluate(&trace)).collect(),
        }
    }

    /// Calls `visit` with the values of the fields named by `select()`, for one span. Missing ones are left out; of
    /// several values each comes.
    pub fn selected(&self, trace: &dyn TraceView, span: usize, visit: &mut dyn FnMut(&Field, Value<'_>)) {
        if let Prepared::Search(pipeline) = &*self.body {
            let trace = Trace::new(trace);
            for (field, read) in pipeline.selected() {
                read.visit(&trace, span, &mut |value| visit(field, value));
            }
        }
    }
}

fn node(metric: &Metric, leaves: &mut Vec<Leaf>) -> Result<Node, Problem> {
    Ok(match metric {
        Metric::Number(literal, _) => {
            Node::Number(super::arithmetic::Number::of(literal).map_or(0.0, |number| number.float()))
        }
        Metric::Arithmetic(left, operator, right) => {
            Node::Arithmetic(Box::new(node(left, leaves)?), *operator, Box::new(node(right, leaves)?))
        }
        Metric::Then(of, stage) => Node::Then(Box::new(node(of, leaves)?), stage.clone()),
        Metric::Spans { pipeline, function, by, .. } => {
            let of = match function {
                MetricFunction::OverTime(_, field)
                | MetricFunction::QuantileOverTime(field, _)
                | MetricFunction::HistogramOverTime(field) => Some(Read::new(field)),
                MetricFunction::Rate | MetricFunction::CountOverTime | MetricFunction::Compare { .. } => None,
            };
            let selects = match function {
                MetricFunction::Compare { filter, .. } => Some(Condition::of_filter(filter)?),
                _ => None,
            };
            leaves.push(Leaf {
                pipeline: Pipeline::new(pipeline)?,
                function: function.clone(),
                of,
                selects,
                by: by.iter().map(|field| (field.clone(), Read::new(field))).collect(),
            });
            Node::Leaf(leaves.len() - 1)
        }
    })
}
