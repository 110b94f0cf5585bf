//! Conditions asked of columns while a segment is decoded: once per word of a dictionary, once per resource, and of a
//! column only where the columns before left rows. They may say yes too often; the evaluator has the last word.

use super::super::source::Source;
use super::question::{Asked, AskedLeaf};
use super::rows::{Text, in_map, of_resource};
use crate::columns::ATTRIBUTES;
use crate::context::ContextTable;
use crate::error::Fault;
use crate::segment::Segment;
use crate::segment::nested::Nested;
use arrow::array::{Array, AsArray, BooleanArray, MapArray, PrimitiveArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{ArrowPrimitiveType, Float64Type, Int64Type, UInt8Type, UInt32Type, UInt64Type};
use arrow::error::ArrowError;
use orrery_model::{SpanBatch, SpanId, SpanKind, StatusCode, TraceId, semconv};
use orrery_query::traceql::{FieldName, Intrinsic, Literal, Probe, Scope, Value};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;
use std::sync::Arc;

/// A condition on the rows of one segment.
pub(super) enum Mask {
    Always,
    Never,
    Leaf(LeafMask),
    All(Vec<Mask>),
    Any(Vec<Mask>),
}

/// A test of columns.
pub(super) struct LeafMask {
    probe: Probe,
    negated: bool,
    of: Of,
}

/// Which.
enum Of {
    /// `duration_nanos`.
    Duration,
    /// A column of numbers that stand for something; by number, whether the value passes.
    Code(&'static str, Vec<bool>),
    /// `name`, `status_message`.
    Text(&'static str),
    /// `span_id`, `parent_span_id`, and the id it is compared with.
    SpanId(&'static str, u64),
    TraceId(TraceId),
    /// `resource_id` or `scope_id`; by number, whether it meets the whole test.
    Context(&'static str, Vec<bool>),
    /// Columns an attribute may be in, and names by which it may be in the map.
    Attribute {
        columns: Vec<String>,
        keys: Vec<String>,
    },
}

/// What one place says of a row.
#[derive(Clone, Copy, PartialEq)]
enum Says {
    /// It has no value.
    Nothing,
    /// Its value passes.
    Yes,
    /// It does not.
    No,
    /// Several values.
    Maybe,
}

/// What all places of a field say.
#[derive(Default)]
struct Said {
    /// One of them may have a value that passes.
    passes: bool,
    /// One has a value.
    there: bool,
    /// All that have one say that it passes, for sure.
    surely: bool,
}

impl Said {
    fn of(places: impl Iterator<Item = Says>) -> Said {
        places.fold(Said { surely: true, ..Said::default() }, |said, place| Said {
            passes: said.passes || matches!(place, Says::Yes | Says::Maybe),
            there: said.there || place != Says::Nothing,
            surely: said.surely && matches!(place, Says::Yes | Says::Nothing),
        })
    }

    fn meets(&self, negated: bool) -> bool {
        if negated { !self.there || !self.surely } else { self.passes }
    }
}

/// What a place says, from its values.
fn says(probe: &Probe, values: impl FnOnce(&mut dyn FnMut(Value<'_>)) -> bool) -> Says {
    let (mut count, mut holds) = (0, false);
    let there = values(&mut |value| {
        count += 1;
        holds = probe.holds(value);
    });
    match (there, count) {
        (false, _) => Says::Nothing,
        (true, 1) if holds => Says::Yes,
        (true, 1) => Says::No,
        (true, _) => Says::Maybe,
    }
}

impl Mask {
    /// A condition as far as it can be asked of a sealed source, which must have been verified.
    pub(super) fn of(asked: &Asked, source: &Source) -> Result<Mask, Fault> {
        let all =
            |parts: &[Asked]| parts.iter().map(|part| Mask::of(part, source)).collect::<Result<Vec<Mask>, Fault>>();
        Ok(match asked {
            Asked::Maybe => Mask::Always,
            Asked::Never => Mask::Never,
            Asked::Leaf(leaf) => of_leaf(leaf, source)?,
            Asked::All(parts) => Mask::all(all(parts)?),
            Asked::Any(parts) => Mask::any(all(parts)?),
        })
    }

    fn all(parts: Vec<Mask>) -> Mask {
        let mut all = Vec::new();
        for part in parts {
            match part {
                Mask::Always => {}
                Mask::Never => return Mask::Never,
                Mask::All(inner) => all.extend(inner),
                other => all.push(other),
            }
        }
        if all.is_empty() { Mask::Always } else { Mask::All(all) }
    }

    fn any(parts: Vec<Mask>) -> Mask {
        let mut any = Vec::new();
        for part in parts {
            match part {
                Mask::Always => return Mask::Always,
                Mask::Never => {}
                Mask::Any(inner) => any.extend(inner),
                other => any.push(other),
            }
        }
        if any.is_empty() { Mask::Never } else { Mask::Any(any) }
    }

    /// Its parts that all have to hold, the cheapest first.
    pub(super) fn conjuncts(self) -> Vec<Arc<Mask>> {
        let mut parts = match self {
            Mask::Always => Vec::new(),
            Mask::All(parts) => parts,
            other => vec![other],
        };
        parts.sort_by_key(Mask::cost);
        parts.into_iter().map(Arc::new).collect()
    }

    /// What asking costs, roughly: bytes to be decoded per row.
    pub(super) fn cost(&self) -> u32 {
        match self {
            Mask::Always | Mask::Never => 0,
            Mask::All(parts) | Mask::Any(parts) => parts.iter().map(Mask::cost).sum(),
            Mask::Leaf(leaf) => match &leaf.of {
                Of::Code(..) | Of::Context(..) => 1,
                Of::Duration => 4,
                Of::Text(_) => 5,
                Of::SpanId(..) => 8,
                Of::TraceId(_) => 16,
                Of::Attribute { columns, keys } => (3 * columns.len() + 200 * usize::from(!keys.is_empty())) as u32,
            },
        }
    }

    /// Calls `visit` with the names of the columns it is about.
    pub(super) fn columns(&self, visit: &mut impl FnMut(&str)) {
        match self {
            Mask::Always | Mask::Never => {}
            Mask::All(parts) | Mask::Any(parts) => parts.iter().for_each(|part| part.columns(visit)),
            Mask::Leaf(leaf) => match &leaf.of {
                Of::Duration => visit("duration_nanos"),
                Of::Code(column, _) | Of::Text(column) | Of::SpanId(column, _) | Of::Context(column, _) => {
                    visit(column)
                }
                Of::TraceId(_) => visit("trace_id"),
                Of::Attribute { columns, keys } => {
                    columns.iter().for_each(|column| visit(column));
                    if !keys.is_empty() {
                        visit(ATTRIBUTES);
                    }
                }
            },
        }
    }

    /// Whether a row group may have rows that meet it, by the ends of its columns.
    pub(super) fn may(&self, group: &RowGroupMetaData) -> bool {
        match self {
            Mask::Always => true,
            Mask::Never => false,
            Mask::All(parts) => parts.iter().all(|part| part.may(group)),
            Mask::Any(parts) => parts.iter().any(|part| part.may(group)),
            Mask::Leaf(leaf) => leaf.may(group),
        }
    }

    /// Which rows meet it.
    pub(super) fn holds(&self, batch: &RecordBatch) -> Result<BooleanBuffer, ArrowError> {
        let joined = |parts: &[Mask], join: fn(&BooleanBuffer, &BooleanBuffer) -> BooleanBuffer| {
            let mut parts = parts.iter();
            let first =
                parts.next().map_or_else(|| Ok(BooleanBuffer::new_set(batch.num_rows())), |part| part.holds(batch));
            parts.try_fold(first?, |all, part| Ok(join(&all, &part.holds(batch)?)))
        };
        match self {
            Mask::Always => Ok(BooleanBuffer::new_set(batch.num_rows())),
            Mask::Never => Ok(BooleanBuffer::new_unset(batch.num_rows())),
            Mask::Leaf(leaf) => leaf.holds(batch),
            Mask::All(parts) => joined(parts, |left, right| left & right),
            Mask::Any(parts) => joined(parts, |left, right| left | right),
        }
    }
}

fn of_leaf(leaf: &AskedLeaf, source: &Source) -> Result<Mask, Fault> {
    let Source::Sealed(segment, _) = source else { return Ok(Mask::Always) };
    let context = source.context::<SpanBatch>();
    let masked = |of: Of| Mask::Leaf(LeafMask { probe: leaf.probe.clone(), negated: leaf.negated, of });
    let code = |column, value: &dyn Fn(u8) -> Value<'static>| {
        masked(Of::Code(column, (0..=u8::MAX).map(|number| leaf.probe.holds(value(number))).collect()))
    };
    Ok(match &leaf.field.name {
        FieldName::Intrinsic(intrinsic) => match intrinsic {
            Intrinsic::Duration => masked(Of::Duration),
            Intrinsic::Status => code("status_code", &|number| Value::Status(StatusCode::from_number(number))),
            Intrinsic::Kind => code("kind", &|number| Value::Kind(SpanKind::from_number(number))),
            Intrinsic::Name => masked(Of::Text("name")),
            Intrinsic::StatusMessage => masked(Of::Text("status_message")),
            Intrinsic::SpanId => equal(leaf).map_or(Mask::Always, |id| masked(Of::SpanId("span_id", id.0))),
            Intrinsic::ParentId => equal(leaf).map_or(Mask::Always, |id| masked(Of::SpanId("parent_span_id", id.0))),
            Intrinsic::TraceId => of_trace(leaf, segment, masked)?,
            Intrinsic::LinkTraceId => of_linked(leaf, segment)?,
            Intrinsic::InstrumentationName => {
                of_scopes(&context, masked, |scope| leaf.probe.holds(Value::Text(&scope.name)) != leaf.negated)
            }
            Intrinsic::InstrumentationVersion => {
                of_scopes(&context, masked, |scope| leaf.probe.holds(Value::Text(&scope.version)) != leaf.negated)
            }
            _ => Mask::Always,
        },
        FieldName::Attribute(Some(Scope::Span), name) => of_attribute(leaf, name, source, segment, masked)?,
        FieldName::Attribute(Some(Scope::Resource), name) => of_resources(leaf, name, &context, masked),
        FieldName::Attribute(Some(Scope::Instrumentation), name) => of_scopes(&context, masked, |scope| {
            let attributes: orrery_query::answer::AttributeMap =
                serde_json::from_str(&scope.attributes).unwrap_or_default();
            let is_there = semconv::spellings(name).any(|name| attributes.contains_key(name));
            is_there || leaf.negated
        }),
        FieldName::Attribute(Some(Scope::Event), name) => nested(leaf, name, segment, Nested::Events)?,
        FieldName::Attribute(Some(Scope::Link), name) => nested(leaf, name, segment, Nested::Links)?,
        // That it fails or is missing may be said only when it is known which scope has it.
        FieldName::Attribute(None, _) if leaf.negated => Mask::Always,
        FieldName::Attribute(None, name) => Mask::any(vec![
            of_attribute(leaf, name, source, segment, masked)?,
            of_resources(leaf, name, &context, masked),
            of_scopes(&context, masked, |scope| scope.attributes != "{}"),
            nested(leaf, name, segment, Nested::Events)?,
            nested(leaf, name, segment, Nested::Links)?,
        ]),
    })
}

/// The id that a leaf compares with for equality.
fn equal(leaf: &AskedLeaf) -> Option<SpanId> {
    match &leaf.equals {
        Some(Literal::Text(text)) if text.is_empty() => Some(SpanId::NONE),
        Some(Literal::Text(text)) => text.parse().ok(),
        _ => None,
    }
}

fn of_trace(leaf: &AskedLeaf, segment: &Segment, masked: impl Fn(Of) -> Mask) -> Result<Mask, Fault> {
    Ok(match &leaf.equals {
        Some(Literal::Text(text)) => match text.parse::<TraceId>() {
            Ok(id) if segment.traces()?.may_contain(id) => masked(Of::TraceId(id)),
            _ => Mask::Never,
        },
        _ => Mask::Always,
    })
}

/// Which spans link to the trace is seen when they are read; whether any may, in the filter.
fn of_linked(leaf: &AskedLeaf, segment: &Segment) -> Result<Mask, Fault> {
    Ok(match &leaf.equals {
        Some(Literal::Text(text)) if !leaf.negated => match text.parse::<TraceId>() {
            Ok(id) if !segment.may_link_to(id)? => Mask::Never,
            _ => Mask::Always,
        },
        _ => Mask::Always,
    })
}

/// `passes` is the whole answer for a number.
fn of_context(column: &'static str, passes: Vec<bool>, masked: impl Fn(Of) -> Mask) -> Mask {
    match (passes.contains(&true), passes.contains(&false)) {
        (false, _) => Mask::Never,
        (_, false) => Mask::Always,
        _ => masked(Of::Context(column, passes)),
    }
}

fn of_scopes(
    context: &ContextTable,
    masked: impl Fn(Of) -> Mask,
    passes: impl Fn(&crate::context::Scope) -> bool,
) -> Mask {
    of_context("scope_id", context.scopes().iter().map(|scope| passes(scope)).collect(), masked)
}

fn of_resources(leaf: &AskedLeaf, name: &str, context: &ContextTable, masked: impl Fn(Of) -> Mask) -> Mask {
    let passes = |resource: usize| {
        let places = semconv::spellings(name)
            .map(|name| says(&leaf.probe, |visit| of_resource(context, resource as u32, name, visit)));
        Said::of(places).meets(leaf.negated)
    };
    of_context("resource_id", (0..context.resources().len()).map(passes).collect(), masked)
}

fn nested(leaf: &AskedLeaf, name: &str, segment: &Segment, which: Nested) -> Result<Mask, Fault> {
    if leaf.negated {
        return Ok(Mask::Always);
    }
    let keys = segment.nested(which)?;
    Ok(if semconv::spellings(name).any(|name| keys.may_have(name)) { Mask::Always } else { Mask::Never })
}

fn of_attribute(
    leaf: &AskedLeaf,
    name: &str,
    source: &Source,
    segment: &Segment,
    masked: impl Fn(Of) -> Mask,
) -> Result<Mask, Fault> {
    let texts = leaf.equals.as_ref().and_then(texts);
    let (mut columns, mut keys) = (Vec::new(), Vec::new());
    for name in semconv::spellings(name) {
        let places = source.places(name);
        if !is_ruled_out(segment, name, places.map, texts.as_deref())? {
            columns.extend(places.column.map(|promoted| promoted.column().to_owned()));
            keys.extend(places.map.then(|| name.to_owned()));
        }
    }
    Ok(match (columns.is_empty() && keys.is_empty(), leaf.negated) {
        (true, false) => Mask::Never,
        (true, true) => Mask::Always,
        _ => masked(Of::Attribute { columns, keys }),
    })
}

/// Whether no row has any of these values of an attribute. An array is found by any of its elements, which the filter
/// does not know.
fn is_ruled_out(segment: &Segment, name: &str, in_map: bool, texts: Option<&[String]>) -> Result<bool, Fault> {
    let Some(texts) = texts else { return Ok(false) };
    if in_map && segment.may_have_arrays(name)? {
        return Ok(false);
    }
    for text in texts {
        if segment.may_have_value(name, text, true)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Every text that a stored value equal to this is written as; `None` if they cannot be listed.
fn texts(literal: &Literal) -> Option<Vec<String>> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number = |value: f64| format!("{value:?}");
    Some(match literal {
        Literal::Text(text) => vec![text.clone()],
        Literal::Bool(value) => vec![value.to_string()],
        Literal::Int(0) | Literal::Duration(0) => vec!["0".to_owned(), number(0.0), number(-0.0)],
        Literal::Int(value) | Literal::Duration(value) => vec![value.to_string(), number(*value as f64)],
        Literal::Float(value) if *value == 0.0 => vec!["0".to_owned(), number(0.0), number(-0.0)],
        Literal::Float(value) if value.abs() >= EXACT => return None,
        Literal::Float(value) if value.fract() == 0.0 => vec![number(*value), (*value as i64).to_string()],
        Literal::Float(value) => vec![number(*value)],
        Literal::Status(_) | Literal::Kind(_) => return None,
    })
}

impl LeafMask {
    fn may(&self, group: &RowGroupMetaData) -> bool {
        let ends = |column: &str| {
            let chunk = group.columns().iter().find(|chunk| chunk.column_path().string() == column)?;
            match chunk.statistics()? {
                Statistics::Int32(of) => Some((i64::from(*of.min_opt()?), i64::from(*of.max_opt()?))),
                Statistics::Int64(of) => Some((*of.min_opt()?, *of.max_opt()?)),
                _ => None,
            }
        };
        match &self.of {
            Of::Duration if !self.negated => ends("duration_nanos").is_none_or(|(least, most)| {
                let within = match &self.probe {
                    Probe::Compare(_, Literal::Duration(nanos) | Literal::Int(nanos)) => (least..=most).contains(nanos),
                    _ => true,
                };
                // Comparisons are monotonous, but for equality.
                within || self.probe.holds(Value::Duration(least)) || self.probe.holds(Value::Duration(most))
            }),
            Of::Code(column, passes) => ends(column).is_none_or(|(least, most)| {
                let codes = least.clamp(0, 255) as usize..=most.clamp(0, 255) as usize;
                passes[codes].iter().any(|passes| *passes != self.negated)
            }),
            _ => true,
        }
    }

    fn holds(&self, batch: &RecordBatch) -> Result<BooleanBuffer, ArrowError> {
        let rows = batch.num_rows();
        let negated = self.negated;
        Ok(match &self.of {
            Of::Duration => {
                let values = primitive::<Int64Type>(batch, "duration_nanos")?.values();
                BooleanBuffer::collect_bool(rows, |row| self.probe.holds(Value::Duration(values[row])) != negated)
            }
            Of::Code(column, passes) => {
                let values = primitive::<UInt8Type>(batch, column)?.values();
                BooleanBuffer::collect_bool(rows, |row| passes[values[row] as usize] != negated)
            }
            Of::SpanId(column, id) => {
                let values = primitive::<UInt64Type>(batch, column)?.values();
                BooleanBuffer::collect_bool(rows, |row| values[row] == *id)
            }
            Of::TraceId(id) => {
                let ids = column(batch, "trace_id")?.as_fixed_size_binary();
                BooleanBuffer::collect_bool(rows, |row| ids.value(row) == id.0)
            }
            Of::Context(column, passes) => {
                let values = primitive::<UInt32Type>(batch, column)?.values();
                BooleanBuffer::collect_bool(rows, |row| passes[values[row] as usize])
            }
            Of::Text(name) => {
                let place = self.column(column(batch, name)?)?;
                if let Some(yes) = place.words_that_pass() {
                    return Ok(if negated { !&yes } else { yes });
                }
                BooleanBuffer::collect_bool(rows, |row| (place.says(&self.probe, row) == Says::Yes) != negated)
            }
            Of::Attribute { columns, keys } => {
                let mut places = Vec::with_capacity(columns.len() + keys.len());
                for name in columns {
                    places.push(self.column(column(batch, name)?)?);
                }
                let map = (!keys.is_empty()).then(|| column(batch, ATTRIBUTES)).transpose()?;
                places.extend(map.into_iter().flat_map(|map| keys.iter().map(|key| Place::Map(map.as_map(), key))));
                if let [place] = &places[..]
                    && let Some(yes) = place.words_that_pass()
                {
                    return Ok(if negated { !&yes } else { yes });
                }
                BooleanBuffer::collect_bool(rows, |row| {
                    Said::of(places.iter().map(|place| place.says(&self.probe, row))).meets(negated)
                })
            }
        })
    }

    /// A column of attributes, its words asked once.
    fn column<'a>(&self, column: &'a Arc<dyn Array>) -> Result<Place<'a>, ArrowError> {
        if let Some(text) = Text::of(column) {
            let asked = match &text {
                Text::Words(_, words) if words.len() <= column.len() => {
                    (0..words.len()).map(|word| self.probe.holds(Value::Text(words.value(word)))).collect()
                }
                _ => Vec::new(),
            };
            return Ok(Place::Text { column, text, asked });
        }
        if let Some(column) = column.as_primitive_opt::<Int64Type>() {
            return Ok(Place::Int(column));
        }
        if let Some(column) = column.as_primitive_opt::<Float64Type>() {
            return Ok(Place::Float(column));
        }
        let wrong = || ArrowError::SchemaError(format!("no attribute is {}", column.data_type()));
        column.as_boolean_opt().map(Place::Bool).ok_or_else(wrong)
    }
}

/// Where an attribute may be.
enum Place<'a> {
    Text { column: &'a Arc<dyn Array>, text: Text, asked: Vec<bool> },
    Int(&'a PrimitiveArray<Int64Type>),
    Float(&'a PrimitiveArray<Float64Type>),
    Bool(&'a BooleanArray),
    Map(&'a MapArray, &'a str),
}

impl Place<'_> {
    /// The rows of which it says yes, where the answers for all words are known: in most row groups no word passes.
    fn words_that_pass(&self) -> Option<BooleanBuffer> {
        let Place::Text { column, text: Text::Words(keys, _), asked } = self else { return None };
        if asked.is_empty() {
            return None;
        }
        if !asked.contains(&true) {
            return Some(BooleanBuffer::new_unset(column.len()));
        }
        let is_there = |row| column.nulls().is_none_or(|nulls| nulls.is_valid(row));
        Some(BooleanBuffer::collect_bool(column.len(), |row| is_there(row) && asked[keys[row] as usize]))
    }

    fn says(&self, probe: &Probe, row: usize) -> Says {
        let value = match self {
            Place::Map(map, key) => return says(probe, |visit| in_map(map, row, key, visit)),
            Place::Text { column, .. } if column.is_null(row) => return Says::Nothing,
            Place::Int(column) if column.is_null(row) => return Says::Nothing,
            Place::Float(column) if column.is_null(row) => return Says::Nothing,
            Place::Bool(column) if column.is_null(row) => return Says::Nothing,
            Place::Text { text: Text::Words(keys, _), asked, .. } if !asked.is_empty() => {
                return if asked[keys[row] as usize] { Says::Yes } else { Says::No };
            }
            Place::Text { text, .. } => Value::Text(text.get(row)),
            Place::Int(column) => Value::Int(column.value(row)),
            Place::Float(column) => Value::Float(column.value(row)),
            Place::Bool(column) => Value::Bool(column.value(row)),
        };
        if probe.holds(value) { Says::Yes } else { Says::No }
    }
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a Arc<dyn Array>, ArrowError> {
    batch.column_by_name(name).ok_or_else(|| ArrowError::SchemaError(format!("there is no column {name}")))
}

pub(super) fn primitive<'a, T: ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    name: &str,
) -> Result<&'a PrimitiveArray<T>, ArrowError> {
    let column = column(batch, name)?;
    let wrong = || ArrowError::SchemaError(format!("column {name} is {}", column.data_type()));
    column.as_primitive_opt::<T>().ok_or_else(wrong)
}
