//! Making cells: arrays from closures over rows.

use super::attributes::{MapWriter, map_type};
use super::{Kind, Part, Rows, fields};
use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BooleanArray, DictionaryArray, FixedSizeBinaryBuilder, ListArray, PrimitiveArray,
    StringArray, StringBuilder, StructArray,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Fields, Float64Type, Int32Type, Int64Type, UInt8Type, UInt32Type, UInt64Type};
use orrery_model::{MetricBatch, SpanBatch, Strings, TraceId};
use std::sync::Arc;

impl<B> Rows<'_, B> {
    fn primitive<T: ArrowPrimitiveType>(&self, cell: impl Fn(&Part<B>, usize) -> T::Native) -> ArrayRef {
        Arc::new(PrimitiveArray::<T>::from_iter_values(self.iter().map(|(part, row)| cell(part, row))))
    }

    fn optional<T: ArrowPrimitiveType>(&self, cell: impl Fn(&Part<B>, usize) -> Option<T::Native>) -> ArrayRef {
        Arc::new(self.iter().map(|(part, row)| cell(part, row)).collect::<PrimitiveArray<T>>())
    }

    pub(super) fn u8(&self, cell: fn(&B, usize) -> u8) -> ArrayRef {
        self.primitive::<UInt8Type>(|part, row| cell(&part.batch, row))
    }

    pub(super) fn u32(&self, cell: fn(&B, usize) -> u32) -> ArrayRef {
        self.primitive::<UInt32Type>(|part, row| cell(&part.batch, row))
    }

    pub(super) fn i32_or_null(&self, cell: fn(&B, usize) -> Option<i32>) -> ArrayRef {
        self.optional::<Int32Type>(|part, row| cell(&part.batch, row))
    }

    pub(super) fn u64(&self, cell: fn(&B, usize) -> u64) -> ArrayRef {
        self.primitive::<UInt64Type>(|part, row| cell(&part.batch, row))
    }

    pub(super) fn u64_or_null(&self, cell: fn(&B, usize) -> Option<u64>) -> ArrayRef {
        self.optional::<UInt64Type>(|part, row| cell(&part.batch, row))
    }

    pub(super) fn i64(&self, cell: fn(&B, usize) -> i64) -> ArrayRef {
        self.primitive::<Int64Type>(|part, row| cell(&part.batch, row))
    }

    pub(super) fn i64_or_null(&self, cell: fn(&B, usize) -> Option<i64>) -> ArrayRef {
        self.optional::<Int64Type>(|part, row| cell(&part.batch, row))
    }

    pub(super) fn f64_or_null(&self, cell: fn(&B, usize) -> Option<f64>) -> ArrayRef {
        self.optional::<Float64Type>(|part, row| cell(&part.batch, row))
    }

    pub(super) fn bool(&self, cell: fn(&B, usize) -> bool) -> ArrayRef {
        Arc::new(self.iter().map(|(part, row)| Some(cell(&part.batch, row))).collect::<BooleanArray>())
    }

    pub(super) fn text(&self, cell: for<'b> fn(&'b B, usize) -> &'b str) -> ArrayRef {
        Arc::new(StringArray::from_iter_values(self.iter().map(|(part, row)| cell(&part.batch, row))))
    }

    pub(super) fn trace_id(&self, cell: fn(&B, usize) -> TraceId) -> ArrayRef {
        trace_ids(self.iter().map(|(part, row)| cell(&part.batch, row)))
    }

    /// When the row's request arrived: less to tell apart than rows, and less to store.
    pub(super) fn record(&self) -> ArrayRef {
        self.primitive::<UInt64Type>(|part, row| super::record_of(part.arrival.of(row)))
    }

    pub(super) fn arrival(&self) -> ArrayRef {
        self.primitive::<UInt64Type>(|part, row| part.arrival.of(row))
    }

    /// Text that needs room to be written in.
    pub(super) fn built_text(&self, cell: fn(&B, usize, &mut String) -> bool) -> ArrayRef {
        let mut builder = StringBuilder::with_capacity(self.picks.len(), self.picks.len() * 64);
        let mut scratch = String::new();
        for (part, row) in self.iter() {
            scratch.clear();
            builder.append_option(cell(&part.batch, row, &mut scratch).then_some(&scratch));
        }
        Arc::new(builder.finish())
    }

    /// Lists; the function appends the members of a row.
    pub(super) fn f64_list(&self, members: fn(&B, usize, &mut Vec<f64>)) -> ArrayRef {
        self.list::<Float64Type>(members)
    }

    pub(super) fn u64_list(&self, members: fn(&B, usize, &mut Vec<u64>)) -> ArrayRef {
        self.list::<UInt64Type>(members)
    }

    fn list<T: ArrowPrimitiveType>(&self, members: fn(&B, usize, &mut Vec<T::Native>)) -> ArrayRef {
        let mut values = Vec::new();
        let mut ends = Ends::default();
        for (part, row) in self.iter() {
            members(&part.batch, row, &mut values);
            ends.push(values.len());
        }
        let values = PrimitiveArray::<T>::new(ScalarBuffer::from(values), None);
        ends.list(T::DATA_TYPE, Arc::new(values))
    }
}

impl<B: super::Table> Rows<'_, B> {
    pub(super) fn resource_id(&self) -> ArrayRef {
        self.primitive::<UInt32Type>(|part, row| part.resources[part.batch.resources()[row] as usize])
    }

    pub(super) fn scope_id(&self) -> ArrayRef {
        self.primitive::<UInt32Type>(|part, row| part.scopes[part.batch.scopes()[row] as usize])
    }

    pub(super) fn of_resource(&self, cell: fn(&crate::context::Resource) -> &str) -> ArrayRef {
        let id = |(part, row): (&Part<B>, usize)| part.resources[part.batch.resources()[row] as usize];
        words(self.iter().map(id), self.context.resources().iter().map(|resource| cell(resource)))
    }

    pub(super) fn of_scope(&self, cell: fn(&crate::context::Scope) -> &str) -> ArrayRef {
        let id = |(part, row): (&Part<B>, usize)| part.scopes[part.batch.scopes()[row] as usize];
        words(self.iter().map(id), self.context.scopes().iter().map(|scope| cell(scope)))
    }
}

/// Texts by number; equal ones are one word.
fn words<'a>(numbers: impl Iterator<Item = u32>, texts: impl Iterator<Item = &'a str>) -> ArrayRef {
    let mut words = Strings::default();
    let codes: Vec<u32> = texts.map(|text| words.intern(text).0).collect();
    let codes = PrimitiveArray::<UInt32Type>::from_iter_values(numbers.map(|number| codes[number as usize]));
    Arc::new(DictionaryArray::new(codes, Arc::new(StringArray::from_iter_values(words.iter()))))
}

pub(super) fn word_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8))
}

fn trace_ids(ids: impl ExactSizeIterator<Item = TraceId>) -> ArrayRef {
    let mut builder = FixedSizeBinaryBuilder::with_capacity(ids.len(), 16);
    for id in ids {
        builder.append_value(id.0).expect("trace ids have 16 bytes");
    }
    Arc::new(builder.finish())
}

/// Ends of the lists of a column.
struct Ends(Vec<i32>);

impl Default for Ends {
    fn default() -> Self {
        Ends(vec![0])
    }
}

impl Ends {
    fn push(&mut self, end: usize) {
        self.0.push(i32::try_from(end).expect("a batch of rows has fewer than 2^31 list members"));
    }

    fn list(self, item: DataType, values: ArrayRef) -> ArrayRef {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.0));
        Arc::new(ListArray::new(Arc::new(Field::new("item", item, true)), offsets, values, None))
    }

    fn structs(self, fields: Fields, columns: Vec<ArrayRef>) -> ArrayRef {
        let values = StructArray::new(fields.clone(), columns, None);
        self.list(DataType::Struct(fields), Arc::new(values))
    }
}

pub(super) fn event_fields() -> Fields {
    fields([
        ("time_unix_nano", DataType::Int64),
        ("name", DataType::Utf8),
        ("attributes", map_type()),
        ("dropped_attributes_count", DataType::UInt32),
    ])
}

pub(super) fn link_fields() -> Fields {
    fields([
        ("trace_id", Kind::TraceId.arrow()),
        ("span_id", DataType::UInt64),
        ("trace_state", DataType::Utf8),
        ("flags", DataType::UInt32),
        ("attributes", map_type()),
        ("dropped_attributes_count", DataType::UInt32),
    ])
}

pub(super) fn exemplar_fields() -> Fields {
    fields([
        ("time_unix_nano", DataType::Int64),
        ("value", DataType::Float64),
        ("trace_id", Kind::TraceId.arrow()),
        ("span_id", DataType::UInt64),
    ])
}

/// The `events` column of spans.
pub(super) fn events(rows: &Rows<'_, SpanBatch>) -> ArrayRef {
    let mut ends = Ends::default();
    let (mut times, mut names, mut dropped) = (Vec::new(), StringBuilder::new(), Vec::new());
    let mut attributes = MapWriter::default();
    for (part, span) in rows.iter() {
        let batch = &part.batch;
        for event in batch.event_range(span) {
            times.push(batch.events.time_unix_nano[event]);
            names.append_value(batch.context.strings.get(batch.events.name[event]));
            attributes.row(&batch.events.attributes, event, &batch.context.strings);
            dropped.push(batch.events.dropped_attributes_count[event]);
        }
        ends.push(times.len());
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(PrimitiveArray::<Int64Type>::from(times)),
        Arc::new(names.finish()),
        attributes.finish(),
        Arc::new(PrimitiveArray::<UInt32Type>::from(dropped)),
    ];
    ends.structs(event_fields(), columns)
}

/// The `links` column of spans.
pub(super) fn links(rows: &Rows<'_, SpanBatch>) -> ArrayRef {
    let mut ends = Ends::default();
    let (mut traces, mut spans, mut flags, mut dropped) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut states = StringBuilder::new();
    let mut attributes = MapWriter::default();
    for (part, span) in rows.iter() {
        let batch = &part.batch;
        for link in batch.link_range(span) {
            traces.push(batch.links.trace_id[link]);
            spans.push(batch.links.span_id[link].0);
            states.append_value(batch.context.strings.get(batch.links.trace_state[link]));
            flags.push(batch.links.flags[link]);
            attributes.row(&batch.links.attributes, link, &batch.context.strings);
            dropped.push(batch.links.dropped_attributes_count[link]);
        }
        ends.push(spans.len());
    }
    let columns: Vec<ArrayRef> = vec![
        trace_ids(traces.into_iter()),
        Arc::new(PrimitiveArray::<UInt64Type>::from(spans)),
        Arc::new(states.finish()),
        Arc::new(PrimitiveArray::<UInt32Type>::from(flags)),
        attributes.finish(),
        Arc::new(PrimitiveArray::<UInt32Type>::from(dropped)),
    ];
    ends.structs(link_fields(), columns)
}

/// The `exemplars` column of data points.
pub(super) fn exemplars(rows: &Rows<'_, MetricBatch>) -> ArrayRef {
    let mut ends = Ends::default();
    let (mut times, mut values, mut traces, mut spans) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (part, point) in rows.iter() {
        for exemplar in part.batch.exemplars(point) {
            times.push(exemplar.time_unix_nano);
            values.push(exemplar.value);
            traces.push(exemplar.trace_id);
            spans.push(exemplar.span_id.0);
        }
        ends.push(times.len());
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(PrimitiveArray::<Int64Type>::from(times)),
        Arc::new(PrimitiveArray::<Float64Type>::from(values)),
        trace_ids(traces.into_iter()),
        Arc::new(PrimitiveArray::<UInt64Type>::from(spans)),
    ];
    ends.structs(exemplar_fields(), columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray;

    /// Readers that keep dictionaries, pyarrow for one, take a word that stands in one twice for damage.
    #[test]
    fn equal_texts_are_one_word() {
        let array = words([0, 1, 2, 1].into_iter(), ["shop", "", "shop"].into_iter());
        let array = array.as_dictionary::<UInt32Type>();
        let texts = array.values().as_string::<i32>();
        assert_eq!(array.keys().values(), &[1, 0, 1, 0]);
        assert_eq!(texts.iter().collect::<Vec<_>>(), [Some(""), Some("shop")]);
    }
}
