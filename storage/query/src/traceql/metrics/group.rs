//! What is gathered per combination of labels.

use super::super::ast::{Aggregate, MetricFunction};
use super::super::evaluate::{Hints, Interner, Leaf, Trace, Value};
use super::super::literal::Literal;
use super::super::tables::{Exemplar, Label, LabelName, Labelled};
use super::Steps;
use super::distribution::Distribution;
use std::collections::{BTreeMap, HashMap};

/// Combinations of labels at most.
const MOST_SERIES: usize = 10_000;

/// Numbers kept at most, over all series and steps. A distribution counts as [`PER_DISTRIBUTION`].
const MOST_CELLS: usize = 8_000_000;
const PER_DISTRIBUTION: usize = 32;

#[derive(Clone, Debug)]
pub(super) struct Groups {
    steps: Steps,
    exemplars: usize,
    labels: Interner,
    /// By the numbers of their label values.
    by_labels: HashMap<Vec<u32>, usize>,
    groups: Vec<Group>,
    /// The labels being looked up.
    wanted: Vec<u32>,
    /// Values are durations.
    in_nanos: bool,
    pub(super) uncounted: u64,
}

#[derive(Clone, Debug)]
struct Group {
    labels: Vec<u32>,
    cells: Cells,
    exemplars: Vec<(usize, Exemplar)>,
}

/// One cell per step.
#[derive(Clone, Debug)]
enum Cells {
    Counts(Vec<f64>),
    Extremes(Vec<Option<f64>>),
    /// Sum, and the weight of what was added.
    Sums(Vec<(f64, f64)>),
    Distributions(Vec<Distribution>),
}

impl Cells {
    fn new(function: &MetricFunction, steps: usize) -> Cells {
        match function {
            MetricFunction::OverTime(Aggregate::Min | Aggregate::Max, _) => Cells::Extremes(vec![None; steps]),
            MetricFunction::OverTime(..) => Cells::Sums(vec![(0.0, 0.0); steps]),
            MetricFunction::QuantileOverTime(..) | MetricFunction::HistogramOverTime(_) => {
                Cells::Distributions(vec![Distribution::default(); steps])
            }
            MetricFunction::Rate | MetricFunction::CountOverTime | MetricFunction::Compare { .. } => {
                Cells::Counts(vec![0.0; steps])
            }
        }
    }

    /// How many series there is room for.
    fn most(function: &MetricFunction, steps: usize) -> usize {
        let each = match function {
            MetricFunction::QuantileOverTime(..) | MetricFunction::HistogramOverTime(_) => PER_DISTRIBUTION,
            _ => 1,
        };
        (MOST_CELLS / (steps * each)).clamp(1, MOST_SERIES)
    }

    fn record(&mut self, function: &MetricFunction, step: usize, value: f64, weight: f64) {
        match self {
            Cells::Counts(counts) => counts[step] += weight,
            Cells::Extremes(values) => values[step] = Some(extreme(function, values[step], value)),
            Cells::Sums(sums) => {
                sums[step].0 += value * weight;
                sums[step].1 += weight;
            }
            Cells::Distributions(distributions) => distributions[step].record(value, weight),
        }
    }

    fn merge(&mut self, function: &MetricFunction, other: &Cells) {
        match (self, other) {
            (Cells::Counts(own), Cells::Counts(other)) => {
                own.iter_mut().zip(other).for_each(|(own, other)| *own += other)
            }
            (Cells::Extremes(own), Cells::Extremes(other)) => {
                for (own, other) in own.iter_mut().zip(other) {
                    *own = other.map_or(*own, |other| Some(extreme(function, *own, other)));
                }
            }
            (Cells::Sums(own), Cells::Sums(other)) => {
                for (own, other) in own.iter_mut().zip(other) {
                    *own = (own.0 + other.0, own.1 + other.1);
                }
            }
            (Cells::Distributions(own), Cells::Distributions(other)) => {
                own.iter_mut().zip(other).for_each(|(own, other)| own.merge(other));
            }
            _ => unreachable!("cells of one function"),
        }
    }
}

fn extreme(function: &MetricFunction, known: Option<f64>, value: f64) -> f64 {
    match (function, known) {
        (_, None) => value,
        (MetricFunction::OverTime(Aggregate::Min, _), Some(known)) => known.min(value),
        (_, Some(known)) => known.max(value),
    }
}

impl Groups {
    pub(super) fn new(leaf: &Leaf, steps: Steps, hints: Hints) -> Groups {
        let mut groups = Groups {
            steps,
            exemplars: hints.exemplars,
            labels: Interner::default(),
            by_labels: HashMap::new(),
            groups: Vec::new(),
            wanted: Vec::new(),
            in_nanos: false,
            uncounted: 0,
        };
        // No span at all is a rate of zero, not an unknown one.
        if leaf.by.is_empty() && matches!(leaf.function, MetricFunction::Rate | MetricFunction::CountOverTime) {
            groups.group(leaf);
        }
        groups
    }

    /// The group of the labels in `wanted`, if there is room for it.
    fn group(&mut self, leaf: &Leaf) -> Option<usize> {
        if let Some(known) = self.by_labels.get(&self.wanted[..]) {
            return Some(*known);
        }
        if self.groups.len() >= Cells::most(&leaf.function, self.steps.len()) {
            return None;
        }
        let cells = Cells::new(&leaf.function, self.steps.len());
        self.by_labels.insert(self.wanted.clone(), self.groups.len());
        self.groups.push(Group { labels: self.wanted.clone(), cells, exemplars: Vec::new() });
        Some(self.groups.len() - 1)
    }

    pub(super) fn observe(&mut self, leaf: &Leaf, trace: &Trace<'_>, span: usize, step: usize, weight: f64) {
        let mut value = 1.0;
        if let Some(of) = &leaf.of {
            let found =
                of.first(trace, span, |value| value.map(|value| (value.number(), matches!(value, Value::Duration(_)))));
            let Some(Some((Some(number), is_duration))) = found else { return };
            self.in_nanos = is_duration;
            value = number.float();
            if !value.is_finite() {
                return;
            }
        }
        self.wanted.clear();
        for (_, read) in &leaf.by {
            let number = read.first(trace, span, |value| self.labels.number(value));
            self.wanted.extend(number);
        }
        let Some(group) = self.group(leaf) else {
            self.uncounted += 1;
            return;
        };
        let group = &mut self.groups[group];
        group.cells.record(&leaf.function, step, value, weight);
        if group.exemplars.len() < self.exemplars && !group.exemplars.iter().any(|(taken, _)| *taken == step) {
            let value = if self.in_nanos { value / 1e9 } else { value };
            let (trace_id, span_id) = (trace.view.trace_id(span), trace.view.span_id(span));
            group.exemplars.push((step, Exemplar { trace_id, span_id, time_unix_nano: trace.view.start(span), value }));
        }
    }

    pub(super) fn merge(&mut self, leaf: &Leaf, other: &Groups) {
        self.in_nanos |= other.in_nanos;
        self.uncounted += other.uncounted;
        for theirs in &other.groups {
            self.wanted.clear();
            for label in &theirs.labels {
                let value = other.labels.values[*label as usize].as_ref();
                self.wanted.push(self.labels.number(value.map(Value::of)));
            }
            let Some(group) = self.group(leaf) else {
                self.uncounted += theirs.cells.spans();
                continue;
            };
            let group = &mut self.groups[group];
            group.cells.merge(&leaf.function, &theirs.cells);
            for (step, exemplar) in &theirs.exemplars {
                if group.exemplars.len() < self.exemplars && !group.exemplars.iter().any(|(taken, _)| taken == step) {
                    group.exemplars.push((*step, *exemplar));
                }
            }
        }
    }

    /// The series, by labels.
    pub(super) fn series(&self, leaf: &Leaf) -> Vec<Labelled> {
        let mut series: Vec<Labelled> = self.groups.iter().flat_map(|group| self.series_of(leaf, group)).collect();
        series.sort_by_cached_key(super::combine::key);
        series
    }

    fn series_of(&self, leaf: &Leaf, group: &Group) -> Vec<Labelled> {
        let labels: Vec<Label> = leaf
            .by
            .iter()
            .zip(&group.labels)
            .map(|((field, _), value)| Label {
                name: LabelName::Field(field.clone()),
                value: self.labels.values[*value as usize].clone(),
            })
            .collect();
        let scale = if self.in_nanos { 1e-9 } else { 1.0 };
        let with = |label: Option<Label>, values: Vec<Option<f64>>| Labelled {
            labels: labels.iter().cloned().chain(label).collect(),
            values,
            exemplars: group.exemplars.iter().map(|(_, exemplar)| *exemplar).collect(),
        };
        match &group.cells {
            Cells::Counts(counts) => {
                let is_rate = leaf.function == MetricFunction::Rate;
                let value = |(step, count): (usize, &f64)| {
                    Some(if is_rate { count / self.steps.seconds(step) } else { *count })
                };
                vec![with(None, counts.iter().enumerate().map(value).collect())]
            }
            Cells::Extremes(values) => {
                vec![with(None, values.iter().map(|value| value.map(|value| value * scale)).collect())]
            }
            Cells::Sums(sums) => {
                let is_mean = matches!(leaf.function, MetricFunction::OverTime(Aggregate::Avg, _));
                let value = |(sum, weight): &(f64, f64)| {
                    (*weight > 0.0).then(|| sum * scale / if is_mean { *weight } else { 1.0 })
                };
                vec![with(None, sums.iter().map(value).collect())]
            }
            Cells::Distributions(distributions) => match &leaf.function {
                MetricFunction::QuantileOverTime(_, quantiles) => quantiles
                    .iter()
                    .map(|quantile| {
                        let value = |of: &Distribution| of.quantile(*quantile).map(|value| value * scale);
                        let label = Label { name: LabelName::Quantile, value: Some(Literal::Float(*quantile)) };
                        with(Some(label), distributions.iter().map(value).collect())
                    })
                    .collect(),
                _ => histogram(distributions)
                    .into_iter()
                    .map(|(end, counts)| {
                        let value = Some(Literal::Float(f64::from_bits(end) * scale));
                        with(Some(Label { name: LabelName::Bucket, value }), counts.into_iter().map(Some).collect())
                    })
                    .collect(),
            },
        }
    }
}

/// Counts per step by where buckets end; ends are positive, so that their bits are in order.
fn histogram(distributions: &[Distribution]) -> BTreeMap<u64, Vec<f64>> {
    let mut buckets: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for (step, distribution) in distributions.iter().enumerate() {
        for (end, count) in distribution.octaves() {
            buckets.entry(end.to_bits()).or_insert_with(|| vec![0.0; distributions.len()])[step] += count;
        }
    }
    buckets
}

impl Cells {
    /// How many spans were counted, about.
    fn spans(&self) -> u64 {
        match self {
            Cells::Counts(counts) => counts.iter().sum::<f64>() as u64,
            Cells::Extremes(values) => values.iter().flatten().count() as u64,
            Cells::Sums(sums) => sums.iter().map(|(_, weight)| weight).sum::<f64>() as u64,
            Cells::Distributions(distributions) => distributions.iter().map(Distribution::total).sum::<f64>() as u64,
        }
    }
}
