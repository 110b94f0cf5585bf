//! How attribute values differ between selected spans and the others.

use super::super::ast::MetricFunction;
use super::super::evaluate::{Interner, Leaf, Read, Trace, Value};
use super::super::field::{Field, Intrinsic, Scope};
use super::super::tables::{Compared, ComparedField, ComparedValue, Sides};
use orrery_model::semconv;
use std::collections::HashMap;

/// Distinct values of a field that are counted; what comes after is counted together.
const MOST_VALUES: usize = 10_000;

/// The same over all fields.
const MOST_IN_ALL: usize = 500_000;

/// Fields that are compared.
const MOST_FIELDS: usize = 5_000;

/// Bytes of a value that is told apart from others: nobody compares longer ones.
const LONGEST: usize = 1_024;

/// Intrinsics that are compared besides all attributes: those with few values.
const INTRINSICS: [Intrinsic; 5] =
    [Intrinsic::Name, Intrinsic::Kind, Intrinsic::Status, Intrinsic::StatusMessage, Intrinsic::InstrumentationName];

/// What was counted so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Sampled {
    spans: Sides,
    fields: Vec<FieldCounts>,
    numbers: HashMap<Field, usize>,
    /// Fields by name as it was met, in the order of [`Scope::ALL`]; and whether that name is an old one.
    by_name: [HashMap<String, (usize, bool)>; 5],
    /// Values told apart, over all fields.
    values: usize,
    /// Number of the span being counted, from 1.
    span: u64,
}

#[derive(Clone, Debug)]
struct FieldCounts {
    field: Field,
    spans: Sides,
    /// The last span that was counted.
    last: u64,
    values: Interner,
    /// By number of the value; and the last span that was counted.
    counts: Vec<(Sides, u64)>,
    others: Sides,
}

impl FieldCounts {
    /// Counts a value of span number `span`, once however often it comes; `in_all` is how many values are told apart.
    fn add(&mut self, value: Value<'_>, sides: Sides, span: u64, in_all: &mut usize) {
        let is_long = matches!(value, Value::Text(text) if text.len() > LONGEST);
        let is_full = self.counts.len() == MOST_VALUES || *in_all == MOST_IN_ALL;
        if is_long || (is_full && !self.values.knows(value)) {
            return self.others.add(sides);
        }
        let number = self.values.number(Some(value)) as usize;
        if number == self.counts.len() {
            self.counts.push((Sides::default(), 0));
            *in_all += 1;
        }
        let (counted, last) = &mut self.counts[number];
        if *last != span {
            *last = span;
            counted.add(sides);
        }
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
        self.span += 1;
        for intrinsic in INTRINSICS {
            let field = Field::intrinsic(intrinsic);
            Read::new(&field).first(trace, span, |value| match value {
                Some(Value::Text("")) | None => {}
                Some(value) => {
                    let number = self.number(field);
                    self.add(number, value, sides);
                }
            });
        }
        trace.view.attributes(span, &mut |scope, name, value| {
            let (number, is_old) = self.number_of(scope, name);
            // Under both names it is one attribute, and the current name counts.
            if !is_old || !trace.view.attribute(span, scope, semconv::canonical(name), &mut |_| {}) {
                self.add(number, value, sides);
            }
        });
    }

    fn add(&mut self, number: Option<usize>, value: Value<'_>, sides: Sides) {
        let Some(counts) = number.map(|number| &mut self.fields[number]) else { return };
        if counts.last != self.span {
            counts.last = self.span;
            counts.spans.add(sides);
        }
        counts.add(value, sides, self.span, &mut self.values);
    }

    /// The number of an attribute, and whether the name is an old one.
    fn number_of(&mut self, scope: Scope, name: &str) -> (Option<usize>, bool) {
        let place = Scope::ALL.iter().position(|known| *known == scope).unwrap_or_default();
        if let Some((number, is_old)) = self.by_name[place].get(name) {
            return (Some(*number), *is_old);
        }
        let canonical = semconv::canonical(name);
        let number = self.number(Field::attribute(scope, canonical));
        if let Some(number) = number {
            self.by_name[place].insert(name.to_owned(), (number, canonical != name));
        }
        (number, canonical != name)
    }

    /// The number of a field; `None` if there is no room for another one.
    fn number(&mut self, field: Field) -> Option<usize> {
        let next = self.fields.len();
        if let Some(known) = self.numbers.get(&field) {
            return Some(*known);
        }
        if next == MOST_FIELDS {
            return None;
        }
        self.numbers.insert(field.clone(), next);
        let (spans, values, others) = (Sides::default(), Interner::default(), Sides::default());
        self.fields.push(FieldCounts { field, spans, last: 0, values, counts: Vec::new(), others });
        Some(next)
    }

    pub(super) fn merge(&mut self, other: &Sampled) {
        self.spans.add(other.spans);
        for theirs in &other.fields {
            let Some(number) = self.number(theirs.field.clone()) else { continue };
            let own = &mut self.fields[number];
            own.spans.add(theirs.spans);
            own.others.add(theirs.others);
            for (value, (sides, _)) in theirs.values.values.iter().zip(&theirs.counts) {
                if let Some(value) = value {
                    self.span += 1;
                    own.add(Value::of(value), *sides, self.span, &mut self.values);
                }
            }
        }
    }

    pub(super) fn finish(&self, leaf: &Leaf) -> Compared {
        let top = match leaf.function {
            MetricFunction::Compare { top, .. } => top as usize,
            _ => 0,
        };
        let mut fields: Vec<ComparedField> = self.fields.iter().map(|counts| compared(counts, top)).collect();
        fields.sort_by(|left, right| left.field.cmp(&right.field));
        Compared { spans: self.spans, fields }
    }
}

fn compared(counts: &FieldCounts, top: usize) -> ComparedField {
    // Shown is what is among the most frequent on either side.
    let mut shown = vec![false; counts.counts.len()];
    for of in [|sides: &Sides| sides.selection, |sides: &Sides| sides.baseline] {
        let mut ranked: Vec<usize> =
            (0..counts.counts.len()).filter(|number| of(&counts.counts[*number].0) > 0.0).collect();
        ranked.sort_by(|left, right| of(&counts.counts[*right].0).total_cmp(&of(&counts.counts[*left].0)));
        ranked.into_iter().take(top).for_each(|number| shown[number] = true);
    }
    let (mut values, mut others) = (Vec::new(), counts.others);
    for ((value, (spans, _)), shown) in counts.values.values.iter().zip(&counts.counts).zip(shown) {
        match value {
            Some(value) if shown => values.push(ComparedValue { value: value.clone(), spans: *spans }),
            _ => others.add(*spans),
        }
    }
    values.sort_by(|left, right| right.spans.all().total_cmp(&left.spans.all()));
    ComparedField { field: counts.field.clone(), spans: counts.spans, values, others }
}
