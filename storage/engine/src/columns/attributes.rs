//! Attribute maps as columns: names to values as JSON text, so that types survive.

use super::{Kind, Part, Rows, Table};
use crate::promote::{Promoted, PromotedKind};
use arrow::array::{
    ArrayRef, AsArray, BooleanBuilder, DictionaryArray, Float64Builder, Int64Builder, MapArray, StringArray,
    StringBuilder, StructArray, UInt32Builder,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Fields};
use hashbrown::HashMap;
use orrery_model::{Attributes, Strings, Sym, Value};
use std::sync::Arc;

fn entry_fields() -> Fields {
    [Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)].into_iter().collect()
}

pub(super) fn map_type() -> DataType {
    DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entry_fields()), false)), false)
}

/// Builds a column of attribute maps.
pub(super) struct MapWriter {
    ends: Vec<i32>,
    keys: StringBuilder,
    values: StringBuilder,
    scratch: String,
}

impl Default for MapWriter {
    fn default() -> Self {
        let (keys, values) = (StringBuilder::new(), StringBuilder::new());
        MapWriter { ends: vec![0], keys, values, scratch: String::new() }
    }
}

impl MapWriter {
    fn pair(&mut self, key: &str, value: Value, strings: &Strings) {
        self.scratch.clear();
        value.to_json(strings, &mut self.scratch);
        self.keys.append_value(key);
        self.values.append_value(&self.scratch);
    }

    fn end_row(&mut self) {
        let end = arrow::array::ArrayBuilder::len(&self.keys);
        self.ends.push(i32::try_from(end).expect("a batch of rows has fewer than 2^31 attributes"));
    }

    pub(super) fn row(&mut self, attributes: &Attributes, row: usize, strings: &Strings) {
        for (key, value) in attributes.row(row) {
            self.pair(strings.get(key), value, strings);
        }
        self.end_row();
    }

    pub(super) fn finish(mut self) -> ArrayRef {
        let columns: Vec<ArrayRef> = vec![Arc::new(self.keys.finish()), Arc::new(self.values.finish())];
        let entries = StructArray::new(entry_fields(), columns, None);
        let DataType::Map(field, ordered) = map_type() else { unreachable!("it is a map") };
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.ends));
        Arc::new(MapArray::new(field, offsets, entries, None, ordered))
    }
}

/// The promoted keys as each part knows them, and one dictionary of all parts' words: found once for all row groups.
pub(crate) struct Promotion<'a> {
    pub(super) promoted: &'a [Promoted],
    /// By part, by symbol of its strings: the column.
    columns: Vec<Vec<u16>>,
    /// By part, by symbol of its strings: the word. The parts' own words lie far apart, each in every part anew.
    codes: Vec<Vec<u32>>,
    words: ArrayRef,
}

impl<'a> Promotion<'a> {
    pub(crate) fn new<B: Table>(parts: &[Part<B>], promoted: &'a [Promoted]) -> Promotion<'a> {
        let mut words = Strings::default();
        let has_text = promoted.iter().any(|promoted| promoted.kind == PromotedKind::Text);
        let mut codes = |part: &Part<B>| -> Vec<u32> {
            part.batch.context().strings.iter().map(|word| words.intern(word).0).collect()
        };
        let codes = if has_text { parts.iter().map(&mut codes).collect() } else { vec![Vec::new(); parts.len()] };
        let columns = parts.iter().map(|part| symbols(part, promoted)).collect();
        Promotion { promoted, columns, codes, words: Arc::new(StringArray::from_iter_values(words.iter())) }
    }
}

/// The attributes of the rows: a column for each promoted key, and a map of everything else, including values of a
/// promoted key that are not of the column's type.
pub(super) fn split<B: Table>(rows: &Rows<'_, B>, promotion: &Promotion<'_>) -> (Vec<ArrayRef>, ArrayRef) {
    let Promotion { promoted, columns, codes, words } = promotion;
    let mut typed: Vec<Typed> = promoted.iter().map(|promoted| Typed::new(promoted.kind)).collect();
    let mut rest = MapWriter::default();
    for pick in rows.picks {
        let part = pick.part as usize;
        let (batch, symbols, codes) = (&rows.parts[part].batch, &columns[part], &codes[part]);
        let strings = &batch.context().strings;
        for (key, value) in batch.attributes().row(pick.row as usize) {
            let column = symbols.get(key.0 as usize).copied().unwrap_or(NONE);
            if column == NONE || !typed[column as usize].push(value, codes) {
                rest.pair(strings.get(key), value, strings);
            }
        }
        rest.end_row();
        typed.iter_mut().for_each(Typed::end_row);
    }
    (typed.into_iter().map(|typed| typed.finish(words)).collect(), rest.finish())
}

const NONE: u16 = u16::MAX;

/// By symbol of the part's strings: the promoted column of that key.
fn symbols<B: Table>(part: &Part<B>, promoted: &[Promoted]) -> Vec<u16> {
    if promoted.is_empty() {
        return Vec::new();
    }
    let strings = &part.batch.context().strings;
    let mut symbols = vec![NONE; strings.len()];
    for (column, promoted) in promoted.iter().enumerate() {
        if let Some(Sym(symbol)) = strings.find(&promoted.key) {
            symbols[symbol as usize] = column as u16;
        }
    }
    symbols
}

/// A typed column being built; each row is pushed to at most once.
struct Typed {
    builder: TypedBuilder,
    filled: bool,
}

enum TypedBuilder {
    /// Words by number.
    Text(UInt32Builder),
    Int(Int64Builder),
    Double(Float64Builder),
    Bool(BooleanBuilder),
}

impl Typed {
    fn new(kind: PromotedKind) -> Typed {
        let builder = match kind {
            PromotedKind::Text => TypedBuilder::Text(UInt32Builder::new()),
            PromotedKind::Int => TypedBuilder::Int(Int64Builder::new()),
            PromotedKind::Double => TypedBuilder::Double(Float64Builder::new()),
            PromotedKind::Bool => TypedBuilder::Bool(BooleanBuilder::new()),
        };
        Typed { builder, filled: false }
    }

    /// Whether the value went in: it is of the column's type.
    fn push(&mut self, value: Value, codes: &[u32]) -> bool {
        match (&mut self.builder, value) {
            (TypedBuilder::Text(builder), Value::String(sym)) => builder.append_value(codes[sym.0 as usize]),
            (TypedBuilder::Int(builder), Value::Int(value)) => builder.append_value(value),
            // NaN and infinities have no text form in a plain column.
            (TypedBuilder::Double(builder), Value::Double(value)) if value.is_finite() => builder.append_value(value),
            (TypedBuilder::Bool(builder), Value::Bool(value)) => builder.append_value(value),
            _ => return false,
        }
        self.filled = true;
        true
    }

    fn end_row(&mut self) {
        if !std::mem::take(&mut self.filled) {
            match &mut self.builder {
                TypedBuilder::Text(builder) => builder.append_null(),
                TypedBuilder::Int(builder) => builder.append_null(),
                TypedBuilder::Double(builder) => builder.append_null(),
                TypedBuilder::Bool(builder) => builder.append_null(),
            }
        }
    }

    fn finish(self, words: &ArrayRef) -> ArrayRef {
        match self.builder {
            TypedBuilder::Text(mut builder) => Arc::new(DictionaryArray::new(builder.finish(), Arc::clone(words))),
            TypedBuilder::Int(mut builder) => Arc::new(builder.finish()),
            TypedBuilder::Double(mut builder) => Arc::new(builder.finish()),
            TypedBuilder::Bool(mut builder) => Arc::new(builder.finish()),
        }
    }
}

/// Reads rows of a map column, one after the other, into attributes.
pub(super) struct MapReader<'a> {
    map: &'a MapArray,
    symbols: HashMap<&'a str, Sym>,
}

impl<'a> MapReader<'a> {
    pub(super) fn new(map: &'a MapArray) -> MapReader<'a> {
        MapReader { map, symbols: HashMap::new() }
    }

    /// Pushes the pairs of a row; the caller ends it.
    pub(super) fn push(&mut self, row: usize, strings: &mut Strings, out: &mut Attributes) {
        let (keys, values) = (self.map.keys().as_string::<i32>(), self.map.values().as_string::<i32>());
        let offsets = self.map.value_offsets();
        for at in offsets[row] as usize..offsets[row + 1] as usize {
            let key = keys.value(at);
            let symbol = *self.symbols.entry(key).or_insert_with(|| strings.intern(key));
            out.push(symbol, Value::from_json(values.value(at), strings));
        }
    }
}

/// Pushes a row of a promoted column; the caller ends it.
pub(super) fn push_typed(
    column: &ArrayRef,
    kind: PromotedKind,
    key: Sym,
    row: usize,
    strings: &mut Strings,
    out: &mut Attributes,
) {
    if column.is_null(row) {
        return;
    }
    let value = match kind {
        PromotedKind::Text => Value::String(strings.intern(column.as_string::<i32>().value(row))),
        PromotedKind::Int => Value::Int(column.as_primitive::<arrow::datatypes::Int64Type>().value(row)),
        PromotedKind::Double => Value::Double(column.as_primitive::<arrow::datatypes::Float64Type>().value(row)),
        PromotedKind::Bool => Value::Bool(column.as_boolean().value(row)),
    };
    out.push(key, value);
}

impl PromotedKind {
    /// The column's kind.
    pub(crate) fn column(self) -> Kind {
        match self {
            PromotedKind::Text => Kind::Word,
            PromotedKind::Int => Kind::I64,
            PromotedKind::Double => Kind::F64,
            PromotedKind::Bool => Kind::Bool,
        }
    }
}
