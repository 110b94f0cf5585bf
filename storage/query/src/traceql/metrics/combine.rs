//! Series of series: arithmetic, the greatest, those beyond a bound.

use super::super::arithmetic::Number;
use super::super::ast::{Arithmetic, SecondStage};
use super::super::evaluate::{Node, Plan, compares};
use super::super::literal::Literal;
use super::super::tables::{LabelName, Labelled};
use super::Gathered;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt::Write;

/// The series a query asks for.
pub(super) fn series(plan: &Plan, gathered: &[Gathered], steps: usize) -> Vec<Labelled> {
    node(&plan.root, plan, gathered, steps)
}

fn node(of: &Node, plan: &Plan, gathered: &[Gathered], steps: usize) -> Vec<Labelled> {
    match of {
        Node::Leaf(number) => match &gathered[*number] {
            Gathered::Groups(groups) => groups.series(&plan.leaves[*number]),
            Gathered::Compared(_) => Vec::new(),
        },
        Node::Number(value) => {
            vec![Labelled { labels: Vec::new(), values: vec![Some(*value); steps], exemplars: Vec::new() }]
        }
        Node::Arithmetic(left, operator, right) => {
            join(node(left, plan, gathered, steps), *operator, node(right, plan, gathered, steps))
        }
        Node::Then(of, stage) => {
            let mut series = node(of, plan, gathered, steps);
            match stage {
                SecondStage::Top(count) => choose(&mut series, *count as usize, |left, right| right.total_cmp(left)),
                SecondStage::Bottom(count) => choose(&mut series, *count as usize, f64::total_cmp),
                SecondStage::Keep(comparison, literal) => {
                    let bound = threshold(literal);
                    let keeps = |value: f64| compares(value.partial_cmp(&bound), *comparison);
                    for value in series.iter_mut().flat_map(|series| &mut series.values) {
                        *value = value.filter(|value| keeps(*value));
                    }
                }
            }
            series.retain(|series| series.values.iter().any(Option::is_some));
            series
        }
    }
}

/// Durations are in seconds, as they are in series.
fn threshold(literal: &Literal) -> f64 {
    match Number::of(literal) {
        Some(Number::Duration(nanos)) => nanos as f64 / 1e9,
        Some(number) => number.float(),
        None => f64::NAN,
    }
}

/// The labels as text, equal only where they are equal; in the order in which series are given.
pub(super) fn key(series: &Labelled) -> String {
    let mut key = String::new();
    for label in &series.labels {
        let name = match &label.name {
            LabelName::Field(field) => field.to_string(),
            LabelName::Quantile => "p".to_owned(),
            LabelName::Bucket => "le".to_owned(),
        };
        _ = match &label.value {
            // Aligned, so that they are in order of size.
            Some(Literal::Float(value)) => write!(key, "{name}={value:040.20} "),
            Some(value) => write!(key, "{name}={value} "),
            None => write!(key, "{name}=nil "),
        };
    }
    key
}

/// Series with the same labels are joined; a single one without labels is joined with each of the other side.
fn join(left: Vec<Labelled>, operator: Arithmetic, right: Vec<Labelled>) -> Vec<Labelled> {
    let plain = |series: &[Labelled]| matches!(series, [only] if only.labels.is_empty());
    let pair = |left: &Labelled, right: &Labelled, labels: &Labelled| Labelled {
        labels: labels.labels.clone(),
        values: left.values.iter().zip(&right.values).map(|(left, right)| apply(*left, operator, *right)).collect(),
        exemplars: left.exemplars.iter().chain(&right.exemplars).copied().collect(),
    };
    if plain(&right) {
        return left.iter().map(|left| pair(left, &right[0], left)).collect();
    }
    if plain(&left) {
        return right.iter().map(|right| pair(&left[0], right, right)).collect();
    }
    let by_labels: HashMap<String, &Labelled> = right.iter().map(|series| (key(series), series)).collect();
    left.iter().filter_map(|left| by_labels.get(&key(left)).map(|right| pair(left, right, left))).collect()
}

fn apply(left: Option<f64>, operator: Arithmetic, right: Option<f64>) -> Option<f64> {
    let (left, right) = (left?, right?);
    let value = match operator {
        Arithmetic::Add => left + right,
        Arithmetic::Subtract => left - right,
        Arithmetic::Multiply => left * right,
        Arithmetic::Divide => left / right,
        Arithmetic::Modulo | Arithmetic::Power => f64::NAN,
    };
    value.is_finite().then_some(value)
}

/// Leaves at each step the first `count` values in `order`, and of equal ones those of the first series.
fn choose(series: &mut [Labelled], count: usize, order: impl Fn(&f64, &f64) -> Ordering) {
    let steps = series.first().map_or(0, |series| series.values.len());
    for step in 0..steps {
        let mut ranked: Vec<(usize, f64)> =
            series.iter().enumerate().filter_map(|(at, series)| Some((at, series.values[step]?))).collect();
        ranked.sort_by(|(_, left), (_, right)| order(left, right));
        for (at, _) in ranked.into_iter().skip(count) {
            series[at].values[step] = None;
        }
    }
}
