//! What evaluating a query reads, so that a store reads only that.

use super::arithmetic::constant;
use super::ast::{
    Body, Expression, ExpressionKind, Filter, Metric, MetricFunction, Pipeline, Query, Scalar, Spanset,
    SpansetOperator, Stage,
};
use super::field::{Field, FieldName, Intrinsic};
use super::prefilter::{Test, is_root};
use std::collections::BTreeSet;

/// What evaluating a query reads of each span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Attributes and intrinsics. Those of the parent are named without the parent.
    pub fields: BTreeSet<Field>,
    /// Every attribute there is, as `compare()` does.
    pub everything: bool,
    /// Whether spans have to be seen together with the others of their trace. If not, each span that meets
    /// [`super::Prefilter::of_span`] can be evaluated as a trace of its own, and what matches of a trace are those
    /// that do.
    pub whole_traces: bool,
}

/// What a query reads.
pub fn reads(query: &Query) -> Reads {
    let mut reads = Reads::default();
    match &query.body {
        Body::Search(of) => {
            reads.pipeline(of);
            // Which spans have the same value is known when all are seen.
            reads.whole_traces |= of.stages.iter().any(|stage| matches!(stage, Stage::By(_)));
        }
        Body::Metrics(of) => reads.metric(of),
    }
    reads
}

impl Reads {
    fn metric(&mut self, metric: &Metric) {
        match metric {
            Metric::Number(..) => {}
            Metric::Then(of, _) => self.metric(of),
            Metric::Arithmetic(left, _, right) => {
                self.metric(left);
                self.metric(right);
            }
            Metric::Spans { pipeline, function, by, .. } => {
                self.pipeline(pipeline);
                by.iter().for_each(|field| self.field(field));
                match function {
                    MetricFunction::Rate | MetricFunction::CountOverTime => {}
                    MetricFunction::OverTime(_, field)
                    | MetricFunction::QuantileOverTime(field, _)
                    | MetricFunction::HistogramOverTime(field) => self.field(field),
                    MetricFunction::Compare { filter, .. } => {
                        self.filter(filter);
                        self.everything = true;
                    }
                }
            }
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline) {
        for stage in &pipeline.stages {
            match stage {
                Stage::Spansets(of) => self.spanset(of),
                Stage::Keep { left, right, .. } => {
                    self.whole_traces = true;
                    self.scalar(left);
                    self.scalar(right);
                }
                Stage::By(of) => self.expression(of),
                Stage::Coalesce => {}
                Stage::Select(fields) => fields.iter().for_each(|field| self.field(field)),
            }
        }
    }

    fn spanset(&mut self, spanset: &Spanset) {
        match spanset {
            Spanset::Filter(filter) => self.filter(filter),
            Spanset::Pipeline(of) => self.pipeline(of),
            Spanset::Combined(left, operator, right) => {
                self.whole_traces |= *operator != SpansetOperator::Or;
                self.spanset(left);
                self.spanset(right);
            }
        }
    }

    fn filter(&mut self, filter: &Filter) {
        if let Some(condition) = &filter.condition {
            self.expression(condition);
        }
    }

    fn scalar(&mut self, scalar: &Scalar) {
        match scalar {
            Scalar::Literal(..) | Scalar::Aggregate(_, None, _) => {}
            Scalar::Aggregate(_, Some(of), _) => self.expression(of),
            Scalar::Arithmetic(left, _, right) => {
                self.scalar(left);
                self.scalar(right);
            }
        }
    }

    fn expression(&mut self, of: &Expression) {
        match &of.kind {
            ExpressionKind::Literal(_) => {}
            ExpressionKind::Field(field) => self.field(field),
            ExpressionKind::Compare(left, comparison, right) => {
                let test = constant(right).map(|literal| Test::Compare(*comparison, literal));
                if let (ExpressionKind::Field(field), Some(test)) = (&left.kind, test)
                    && is_root(field, &test).is_some()
                {
                    // Whether a span is a root it knows itself.
                    self.fields.insert(Field::intrinsic(Intrinsic::ParentId));
                    return;
                }
                self.expression(left);
                self.expression(right);
            }
            ExpressionKind::Logic(left, _, right) | ExpressionKind::Arithmetic(left, _, right) => {
                self.expression(left);
                self.expression(right);
            }
            ExpressionKind::Not(inner)
            | ExpressionKind::Negative(inner)
            | ExpressionKind::Exists(inner)
            | ExpressionKind::Missing(inner) => self.expression(inner),
        }
    }

    fn field(&mut self, field: &Field) {
        self.whole_traces |= field.of_parent;
        if let FieldName::Intrinsic(intrinsic) = field.name {
            self.whole_traces |= intrinsic.is_structural()
                || intrinsic == Intrinsic::Parent
                || matches!(intrinsic, Intrinsic::TraceDuration | Intrinsic::RootName | Intrinsic::RootService);
        }
        self.fields.insert(Field { of_parent: false, ..field.clone() });
    }
}
