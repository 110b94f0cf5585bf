//! Stages over the spansets of a trace.

use super::super::arithmetic::Number;
use super::super::ast::{self, Aggregate, Arithmetic, Comparison, SpansetOperator};
use super::super::field::Field;
use super::super::problem::Problem;
use super::Spanset;
use super::condition::{Condition, Operand, compares};
use super::read::{Interner, Read};
use super::relate::{relate, union};
use super::structure::Trace;
use super::view::Value;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Pipeline {
    stages: Vec<Stage>,
}

#[derive(Debug)]
enum Stage {
    Spansets(Choice),
    Keep(Scalar, Comparison, Scalar),
    By(Operand, Arc<str>),
    Coalesce,
    Select(Vec<(Field, Read)>),
}

#[derive(Debug)]
enum Choice {
    Filter(Condition),
    Combined(Box<Choice>, SpansetOperator, Box<Choice>),
    Pipeline(Pipeline),
}

#[derive(Debug)]
enum Scalar {
    Number(Number),
    Aggregate(Aggregate, Option<Operand>, Arc<str>),
    Arithmetic(Box<Scalar>, Arithmetic, Box<Scalar>),
}

impl Pipeline {
    pub(crate) fn new(of: &ast::Pipeline) -> Result<Pipeline, Problem> {
        let stage = |stage: &ast::Stage| {
            Ok(match stage {
                ast::Stage::Spansets(of) => Stage::Spansets(Choice::new(of)?),
                ast::Stage::Keep { left, comparison, right, .. } => {
                    Stage::Keep(Scalar::new(left)?, *comparison, Scalar::new(right)?)
                }
                ast::Stage::By(of) => Stage::By(Operand::new(of)?, stage.to_string().into()),
                ast::Stage::Coalesce => Stage::Coalesce,
                ast::Stage::Select(fields) => {
                    Stage::Select(fields.iter().map(|field| (field.clone(), Read::new(field))).collect())
                }
            })
        };
        Ok(Pipeline { stages: of.stages.iter().map(stage).collect::<Result<_, Problem>>()? })
    }

    pub(crate) fn selected(&self) -> impl Iterator<Item = &(Field, Read)> {
        self.stages.iter().flat_map(|stage| if let Stage::Select(fields) = stage { &fields[..] } else { &[] })
    }

    pub(crate) fn evaluate(&self, trace: &Trace<'_>) -> Vec<Spanset> {
        self.run(trace, (0..trace.view.len() as u32).collect())
    }

    fn run(&self, trace: &Trace<'_>, spans: Vec<u32>) -> Vec<Spanset> {
        let mut spansets = vec![Spanset { spans, values: Vec::new() }];
        for stage in &self.stages {
            spansets = stage.run(trace, spansets);
            spansets.retain(|spanset| !spanset.spans.is_empty());
            if spansets.is_empty() {
                break;
            }
        }
        spansets
    }
}

impl Stage {
    fn run(&self, trace: &Trace<'_>, mut spansets: Vec<Spanset>) -> Vec<Spanset> {
        match self {
            Stage::Spansets(choice) => {
                for spanset in &mut spansets {
                    spanset.spans = choice.choose(trace, &spanset.spans);
                }
                spansets
            }
            Stage::Keep(left, comparison, right) => {
                spansets.retain_mut(|spanset| {
                    let (left, right) = (left.number(trace, spanset), right.number(trace, spanset));
                    left.zip(right).is_some_and(|(left, right)| compares(left.compare(right), *comparison))
                });
                spansets
            }
            Stage::By(of, label) => spansets.iter().flat_map(|spanset| split(trace, spanset, of, label)).collect(),
            Stage::Coalesce => {
                let spans = spansets.into_iter().flat_map(|spanset| spanset.spans).collect();
                vec![Spanset { spans: union(spans, Vec::new()), values: Vec::new() }]
            }
            Stage::Select(_) => spansets,
        }
    }
}

/// One spanset per value, in the order in which the values are met.
fn split(trace: &Trace<'_>, spanset: &Spanset, of: &Operand, label: &Arc<str>) -> Vec<Spanset> {
    let mut values = Interner::default();
    let mut groups: Vec<Spanset> = Vec::new();
    for span in &spanset.spans {
        let mut group = None;
        of.visit(trace, *span as usize, &mut |value| {
            group.get_or_insert_with(|| values.number(Some(value)));
        });
        let group = group.unwrap_or_else(|| values.number(None)) as usize;
        if group == groups.len() {
            let mut labelled = spanset.values.clone();
            labelled.push((label.clone(), values.values[group].clone()));
            groups.push(Spanset { spans: Vec::new(), values: labelled });
        }
        groups[group].spans.push(*span);
    }
    groups
}

impl Choice {
    fn new(of: &ast::Spanset) -> Result<Choice, Problem> {
        Ok(match of {
            ast::Spanset::Filter(filter) => Choice::Filter(Condition::of_filter(filter)?),
            ast::Spanset::Pipeline(of) => Choice::Pipeline(Pipeline::new(of)?),
            ast::Spanset::Combined(left, operator, right) => {
                Choice::Combined(Box::new(Choice::new(left)?), *operator, Box::new(Choice::new(right)?))
            }
        })
    }

    fn choose(&self, trace: &Trace<'_>, spans: &[u32]) -> Vec<u32> {
        match self {
            Choice::Filter(condition) => {
                spans.iter().copied().filter(|span| condition.holds(trace, *span as usize)).collect()
            }
            Choice::Pipeline(pipeline) => {
                let spansets = pipeline.run(trace, spans.to_vec());
                union(spansets.into_iter().flat_map(|spanset| spanset.spans).collect(), Vec::new())
            }
            Choice::Combined(left, operator, right) => {
                let left = left.choose(trace, spans);
                let needs_left = match operator {
                    SpansetOperator::And => true,
                    SpansetOperator::Or => false,
                    SpansetOperator::Structural(structural) => structural.sides != ast::Relate::Not,
                };
                if needs_left && left.is_empty() {
                    return Vec::new();
                }
                let right = right.choose(trace, spans);
                match operator {
                    SpansetOperator::And if right.is_empty() => Vec::new(),
                    SpansetOperator::And | SpansetOperator::Or => union(left, right),
                    SpansetOperator::Structural(structural) => relate(trace, *structural, &left, &right),
                }
            }
        }
    }
}

impl Scalar {
    fn new(of: &ast::Scalar) -> Result<Scalar, Problem> {
        Ok(match of {
            ast::Scalar::Literal(literal, place) => match Number::of(literal) {
                Some(number) => Scalar::Number(number),
                None => return Err(Problem::new(*place, "this is no number", "")),
            },
            ast::Scalar::Aggregate(aggregate, inner, _) => {
                let label = match inner {
                    Some(inner) => format!("{aggregate}({inner})"),
                    None => format!("{aggregate}()"),
                };
                Scalar::Aggregate(*aggregate, inner.as_ref().map(Operand::new).transpose()?, label.into())
            }
            ast::Scalar::Arithmetic(left, operator, right) => {
                Scalar::Arithmetic(Box::new(Scalar::new(left)?), *operator, Box::new(Scalar::new(right)?))
            }
        })
    }

    /// What it comes to for a spanset, where aggregates are noted; `None` if no span has the value.
    fn number(&self, trace: &Trace<'_>, spanset: &mut Spanset) -> Option<Number> {
        match self {
            Scalar::Number(number) => Some(*number),
            Scalar::Arithmetic(left, operator, right) => {
                left.number(trace, spanset)?.apply(*operator, right.number(trace, spanset)?)
            }
            Scalar::Aggregate(aggregate, of, label) => {
                let number = match of {
                    None => Number::Int(spanset.spans.len() as i64),
                    Some(of) => aggregated(
                        *aggregate,
                        spanset.spans.iter().filter_map(|span| of.number(trace, *span as usize)),
                    )?,
                };
                if !spanset.values.iter().any(|(known, _)| known == label) {
                    spanset.values.push((label.clone(), Some(Value::from(number).to_literal())));
                }
                Some(number)
            }
        }
    }
}

fn aggregated(aggregate: Aggregate, mut numbers: impl Iterator<Item = Number>) -> Option<Number> {
    let first = numbers.next()?;
    let mut count = 1;
    let result = numbers.fold(first, |result, number| {
        count += 1;
        match aggregate {
            Aggregate::Min if number.compare(result).is_some_and(std::cmp::Ordering::is_lt) => number,
            Aggregate::Max if number.compare(result).is_some_and(std::cmp::Ordering::is_gt) => number,
            Aggregate::Sum | Aggregate::Avg => result.apply(Arithmetic::Add, number).unwrap_or(result),
            Aggregate::Min | Aggregate::Max | Aggregate::Count => result,
        }
    });
    match aggregate {
        Aggregate::Avg => result.apply(Arithmetic::Divide, Number::Float(f64::from(count))),
        Aggregate::Count => Some(Number::Int(i64::from(count))),
        _ => Some(result),
    }
}
