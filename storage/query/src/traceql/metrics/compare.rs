//! How attribute values differ between selected spans and the others.

use super::super::ast::MetricFunction;
use super::super::evaluate::{Interner, Leaf, Read, Trace, Value};
use super::super::field::{Field, Intrinsic};
use super::super::literal::Literal;
use orrery_model::semconv;
use std::collections::{BTreeMap, HashMap};

/// Distinct values of a field that are counted; what comes after is counted together.
const MOST_VALUES: usize = 10_000;

/// The same over all fields.
const MOST_IN_ALL: usize = 500_000;

/// Fields that are compared.
const MOST_FIELDS: usize = 5_000;

/// Bytes of a value that is told apart from others: nobody compares longer ones.
const LONGEST: usize = 1_024;

/// Intrinsics that are compared besides all attributes: those with few values.
const INTRINSICS: [Intrinsic; 7] = [
    Intrinsic::Name,
    Intrinsic::Kind,
    Intrinsic::Status,
    Intrinsic::StatusMessage,
    Intrinsic::RootName,
    Intrinsic::RootService,
    Intrinsic::InstrumentationName,
];

/// How fields differ between spans that were selected and the others, the baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// Spans on both sides.
    pub spans: Sides,
    /// By field; only those that some span has.
    pub fields: Vec<ComparedField>,
}

/// One field in both groups of spans.
#[derive(Clone, Debug, PartialEq)]
pub struct ComparedField {
    /// Attributes by their current name.
    pub field: Field,
    /// Spans that have it.
    pub spans: Sides,
    /// The most frequent values of either side, as many as were asked for; by count, most of both together first.
    pub values: Vec<ComparedValue>,
    /// Spans with values not listed.
    pub others: Sides,
}

/// One value in both groups of spans.
#[derive(Clone, Debug, PartialEq)]
pub struct ComparedValue {
    /// The value.
    pub value: Literal,
    /// Spans that have it.
    pub spans: Sides,
}

/// Numbers of spans on the two sides; fractions where sampling is made up for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sides {
    /// Spans that meet the filter.
    pub selection: f64,
    /// The others.
    pub baseline: f64,
}

impl Sides {
    fn add(&mut self, other: Sides) {
        self.selection += other.selection;
        self.baseline += other.baseline;
    }

    fn all(self) -> f64 {
        self.selection + self.baseline
    }
}

/// What was counted so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Sampled {
    spans: Sides,
    numbers: HashMap<Field, usize>,
    fields: Vec<FieldCounts>,
    /// Values told apart, over all fields.
    values: usize,
}

#[derive(Clone, Debug, Default)]
struct FieldCounts {
    spans: Sides,
    values: Interner,
    /// By number of the value.
    counts: Vec<Sides>,
    others: Sides,
}

impl FieldCounts {
    /// Counts a value; `in_all` is the number of those that are told apart.
    fn add(&mut self, value: Value<'_>, sides: Sides, in_all: &mut usize) {
        let is_long = matches!(value, Value::Text(text) if text.len() > LONGEST);
        let is_full = self.counts.len() == MOST_VALUES || *in_all == MOST_IN_ALL;
        if is_long || (is_full && !self.values.knows(value)) {
            return self.others.add(sides);
        }
        let number = self.values.number(Some(value)) as usize;
        if number == self.counts.len() {
            self.counts.push(Sides::default());
            *in_all += 1;
        }
        self.counts[number].add(sides);
    }
}

impl Sampled {
    pub(super) fn observe(&mut self, leaf: &Leaf, trace: &Trace<'_>, span: usize, weight: f64) {
        let MetricFunction::Compare { window, .. } = &leaf.function else { return };
        let start = trace.view.start(span);
        let selected = window.is_none_or(|(from, to)| from <= start && start < to)
            && leaf.selects.as_ref().is_some_and(|filter| filter.holds(trace, span));
        let sides = match selected {
            true => Sides { selection: weight, baseline: 0.0 },
            false => Sides { selection: 0.0, baseline: weight },
        };
        self.spans.add(sides);
        for intrinsic in INTRINSICS {
            let field = Field::intrinsic(intrinsic);
            Read::new(&field).first(trace, span, |value| match value {
                Some(Value::Text("")) | None => {}
                Some(value) => self.add(field.clone(), value, sides),
            });
        }
        // Elements of arrays, and events of the same kind, count once each per span.
        let mut seen: Vec<(Field, Literal)> = Vec::new();
        trace.view.attributes(span, &mut |scope, name, value| {
            let canonical = semconv::canonical(name);
            if canonical != name && trace.view.attribute(span, scope, canonical, &mut |_| {}) {
                return;
            }
            let pair = (Field::attribute(scope, canonical), value.to_literal());
            if !seen.contains(&pair) {
                self.add(pair.0.clone(), value, sides);
                if !seen.iter().any(|(field, _)| *field == pair.0) {
                    self.has(&pair.0, sides);
                }
                seen.push(pair);
            }
        });
    }

    fn add(&mut self, field: Field, value: Value<'_>, sides: Sides) {
        let intrinsic = field.as_intrinsic().is_some();
        let mut values = self.values;
        if let Some(counts) = self.field(field) {
            counts.add(value, sides, &mut values);
            if intrinsic {
                counts.spans.add(sides);
            }
        }
        self.values = values;
    }

    fn has(&mut self, field: &Field, sides: Sides) {
        if let Some(number) = self.numbers.get(field) {
            self.fields[*number].spans.add(sides);
        }
    }

    fn field(&mut self, field: Field) -> Option<&mut FieldCounts> {
        let next = self.fields.len();
        if next == MOST_FIELDS && !self.numbers.contains_key(&field) {
            return None;
        }
        let number = *self.numbers.entry(field).or_insert(next);
        if number == next {
            self.fields.push(FieldCounts::default());
        }
        self.fields.get_mut(number)
    }

    pub(super) fn merge(&mut self, other: &Sampled) {
        self.spans.add(other.spans);
        for (field, number) in &other.numbers {
            let theirs = &other.fields[*number];
            let mut values = self.values;
            let Some(own) = self.field(field.clone()) else { continue };
            own.spans.add(theirs.spans);
            own.others.add(theirs.others);
            for (value, sides) in theirs.values.values.iter().zip(&theirs.counts) {
                if let Some(value) = value {
                    own.add(Value::of(value), *sides, &mut values);
                }
            }
            self.values = values;
        }
    }

    pub(super) fn finish(&self, leaf: &Leaf) -> Compared {
        let top = match leaf.function {
            MetricFunction::Compare { top, .. } => top as usize,
            _ => 0,
        };
        let by_name: BTreeMap<&Field, usize> = self.numbers.iter().map(|(field, number)| (field, *number)).collect();
        let fields = by_name.into_iter().map(|(field, number)| compared(field, &self.fields[number], top));
        Compared { spans: self.spans, fields: fields.collect() }
    }
}

fn compared(field: &Field, counts: &FieldCounts, top: usize) -> ComparedField {
    // Shown is what is among the most frequent on either side.
    let mut shown = vec![false; counts.counts.len()];
    for of in [|sides: &Sides| sides.selection, |sides: &Sides| sides.baseline] {
        let mut ranked: Vec<usize> =
            (0..counts.counts.len()).filter(|number| of(&counts.counts[*number]) > 0.0).collect();
        ranked.sort_by(|left, right| of(&counts.counts[*right]).total_cmp(&of(&counts.counts[*left])));
        ranked.into_iter().take(top).for_each(|number| shown[number] = true);
    }
    let (mut values, mut others) = (Vec::new(), counts.others);
    for ((value, spans), shown) in counts.values.values.iter().zip(&counts.counts).zip(shown) {
        match value {
            Some(value) if shown => values.push(ComparedValue { value: value.clone(), spans: *spans }),
            _ => others.add(*spans),
        }
    }
    values.sort_by(|left, right| right.spans.all().total_cmp(&left.spans.all()));
    ComparedField { field: field.clone(), spans: counts.spans, values, others }
}
