//! Attribute maps as columns: names to values as JSON text, so that types survive.

use super::{Kind, Part, Rows, Table};
use crate::promote::{Promoted, PromotedKind};
use arrow::array::{
    ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder, DictionaryArray, Float64Array, Int64Array, MapArray,
    StringArray, StringBuilder, StructArray, UInt32Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
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
    let mut typed: Vec<Typed> = promoted.iter().map(|promoted| Typed::new(promoted.kind, rows.picks.len())).collect();
    let mut rest = MapWriter::default();
    for (row, pick) in rows.picks.iter().enumerate() {
        let part = pick.part as usize;
        let (batch, symbols, codes) = (&rows.parts[part].batch, &columns[part], &codes[part]);
        let strings = &batch.context().strings;
        for (key, value) in batch.attributes().row(pick.row as usize) {
            let column = symbols.get(key.0 as usize).copied().unwrap_or(NONE);
            if column == NONE || !typed[column as usize].fill(row, value, codes) {
                rest.pair(strings.get(key), value, strings);
            }
        }
        rest.end_row();
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

/// A typed column being built. Rows nobody fills are null.
struct Typed {
    filled: BooleanBufferBuilder,
    values: TypedValues,
}

enum TypedValues {
    /// Words by number.
    Text(Vec<u32>),
    Int(Vec<i64>),
    Double(Vec<f64>),
    Bool(BooleanBufferBuilder),
}

fn unset(rows: usize) -> BooleanBufferBuilder {
    let mut bits = BooleanBufferBuilder::new(rows);
    bits.append_n(rows, false);
    bits
}

impl Typed {
    fn new(kind: PromotedKind, rows: usize) -> Typed {
        let values = match kind {
            PromotedKind::Text => TypedValues::Text(vec![0; rows]),
            PromotedKind::Int => TypedValues::Int(vec![0; rows]),
            PromotedKind::Double => TypedValues::Double(vec![0.0; rows]),
            PromotedKind::Bool => TypedValues::Bool(unset(rows)),
        };
        Typed { filled: unset(rows), values }
    }

    /// Whether the value went in: it is of the column's type, and the first of its row.
    fn fill(&mut self, row: usize, value: Value, codes: &[u32]) -> bool {
        if self.filled.get_bit(row) {
            return false;
        }
        match (&mut self.values, value) {
            (TypedValues::Text(values), Value::String(sym)) => values[row] = codes[sym.0 as usize],
            (TypedValues::Int(values), Value::Int(value)) => values[row] = value,
            // NaN and infinities have no text form in a plain column.
            (TypedValues::Double(values), Value::Double(value)) if value.is_finite() => values[row] = value,
            (TypedValues::Bool(values), Value::Bool(value)) => values.set_bit(row, value),
            _ => return false,
        }
        self.filled.set_bit(row, true);
        true
    }

    fn finish(mut self, words: &ArrayRef) -> ArrayRef {
        let filled = Some(NullBuffer::new(self.filled.finish()));
        match self.values {
            TypedValues::Text(values) => {
                Arc::new(DictionaryArray::new(UInt32Array::new(values.into(), filled), Arc::clone(words)))
            }
            TypedValues::Int(values) => Arc::new(Int64Array::new(values.into(), filled)),
            TypedValues::Double(values) => Arc::new(Float64Array::new(values.into(), filled)),
            TypedValues::Bool(mut values) => Arc::new(BooleanArray::new(values.finish(), filled)),
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
