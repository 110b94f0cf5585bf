//! Columns back into batches, by name. Types are those the query engine answers with.

use super::attributes::{MapReader, push_typed};
use crate::promote::Promoted;
use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, StructArray};
use arrow::datatypes::{ArrowPrimitiveType, Float64Type, Int32Type, Int64Type, UInt8Type, UInt32Type, UInt64Type};
use arrow::error::ArrowError;
use hashbrown::HashMap;
use orrery_model::batch::{Buckets, Distribution, Events, Exemplar, Links, Metric, MetricKind, Temporality};
use orrery_model::{Attributes, SpanId, Strings, Sym, TraceId, Value};

/// Reads columns of one record batch.
pub(crate) struct Reader<'a> {
    from: &'a RecordBatch,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(from: &'a RecordBatch) -> Reader<'a> {
        Reader { from }
    }

    fn column(&self, name: &str) -> Result<&'a ArrayRef, ArrowError> {
        let column = self.from.column_by_name(name);
        column.ok_or_else(|| ArrowError::SchemaError(format!("the answer has no column {name}")))
    }

    fn primitive<T: ArrowPrimitiveType>(&self, name: &str) -> Result<Vec<T::Native>, ArrowError> {
        let column = self.column(name)?;
        let column = column.as_primitive_opt::<T>().ok_or_else(|| wrong_type(name, column))?;
        // Nulls hold arbitrary bytes.
        Ok((0..column.len())
            .map(|row| if column.is_null(row) { T::default_value() } else { column.value(row) })
            .collect())
    }

    fn optional<T: ArrowPrimitiveType>(&self, name: &str) -> Result<Vec<Option<T::Native>>, ArrowError> {
        let column = self.column(name)?;
        Ok(column.as_primitive_opt::<T>().ok_or_else(|| wrong_type(name, column))?.iter().collect())
    }

    pub(crate) fn u8(&self, name: &str) -> Result<Vec<u8>, ArrowError> {
        self.primitive::<UInt8Type>(name)
    }

    pub(crate) fn u32(&self, name: &str) -> Result<Vec<u32>, ArrowError> {
        self.primitive::<UInt32Type>(name)
    }

    pub(crate) fn u64(&self, name: &str) -> Result<Vec<u64>, ArrowError> {
        self.primitive::<UInt64Type>(name)
    }

    pub(crate) fn i64(&self, name: &str) -> Result<Vec<i64>, ArrowError> {
        self.primitive::<Int64Type>(name)
    }

    pub(crate) fn optional_u64(&self, name: &str) -> Result<Vec<Option<u64>>, ArrowError> {
        self.optional::<UInt64Type>(name)
    }

    pub(crate) fn optional_i64(&self, name: &str) -> Result<Vec<Option<i64>>, ArrowError> {
        self.optional::<Int64Type>(name)
    }

    pub(crate) fn optional_f64(&self, name: &str) -> Result<Vec<Option<f64>>, ArrowError> {
        self.optional::<Float64Type>(name)
    }

    pub(crate) fn optional_i32(&self, name: &str) -> Result<Vec<Option<i32>>, ArrowError> {
        self.optional::<Int32Type>(name)
    }

    pub(crate) fn bools(&self, name: &str) -> Result<Vec<bool>, ArrowError> {
        let column = self.column(name)?;
        let column = column.as_boolean_opt().ok_or_else(|| wrong_type(name, column))?;
        Ok((0..column.len()).map(|row| column.is_valid(row) && column.value(row)).collect())
    }

    /// Text, or nothing where null.
    pub(crate) fn strs(&self, name: &str) -> Result<Vec<Option<&'a str>>, ArrowError> {
        let column = self.column(name)?;
        Ok(column.as_string_opt::<i32>().ok_or_else(|| wrong_type(name, column))?.iter().collect())
    }

    pub(crate) fn text(&self, name: &str, strings: &mut Strings) -> Result<Vec<Sym>, ArrowError> {
        Ok(self.strs(name)?.into_iter().map(|text| strings.intern(text.unwrap_or_default())).collect())
    }

    pub(crate) fn trace_ids(&self, name: &str) -> Result<Vec<TraceId>, ArrowError> {
        let column = self.column(name)?;
        trace_ids(column).ok_or_else(|| wrong_type(name, column))
    }

    pub(crate) fn span_ids(&self, name: &str) -> Result<Vec<SpanId>, ArrowError> {
        Ok(self.u64(name)?.into_iter().map(SpanId).collect())
    }

    /// Attributes from the map and the promoted columns.
    pub(crate) fn attributes(&self, promoted: &[Promoted], strings: &mut Strings) -> Result<Attributes, ArrowError> {
        let column = self.column(super::ATTRIBUTES)?;
        let map = column.as_map_opt().ok_or_else(|| wrong_type(super::ATTRIBUTES, column))?;
        let mut map = MapReader::new(map);
        let mut typed = Vec::with_capacity(promoted.len());
        for promoted in promoted {
            typed.push((self.column(promoted.column())?, promoted.kind, strings.intern(&promoted.key)));
        }
        let mut attributes = Attributes::default();
        for row in 0..self.from.num_rows() {
            for (column, kind, key) in &typed {
                push_typed(column, *kind, *key, row, strings, &mut attributes);
            }
            map.push(row, strings, &mut attributes);
            attributes.end_row();
        }
        Ok(attributes)
    }

    pub(super) fn bodies(&self, strings: &mut Strings) -> Result<Vec<Value>, ArrowError> {
        let is_json = self.bools("body_is_json")?;
        let value = |(text, is_json): (Option<&str>, bool)| match text {
            None => Value::Empty,
            Some(text) if is_json => Value::from_json(text, strings),
            Some(text) => Value::String(strings.intern(text)),
        };
        Ok(self.strs("body")?.into_iter().zip(is_json).map(value).collect())
    }

    pub(super) fn events(&self, strings: &mut Strings) -> Result<(Vec<u32>, Events), ArrowError> {
        let (ends, members) = self.list("events")?;
        let inner = Members { from: &members };
        let mut events = Events {
            time_unix_nano: inner.primitive::<Int64Type>("time_unix_nano")?,
            name: inner.text("name", strings)?,
            dropped_attributes_count: inner.primitive::<UInt32Type>("dropped_attributes_count")?,
            ..Events::default()
        };
        inner.attributes(strings, &mut events.attributes)?;
        Ok((ends, events))
    }

    pub(super) fn links(&self, strings: &mut Strings) -> Result<(Vec<u32>, Links), ArrowError> {
        let (ends, members) = self.list("links")?;
        let inner = Members { from: &members };
        let mut links = Links {
            trace_id: inner.trace_ids("trace_id")?,
            span_id: inner.primitive::<UInt64Type>("span_id")?.into_iter().map(SpanId).collect(),
            trace_state: inner.text("trace_state", strings)?,
            flags: inner.primitive::<UInt32Type>("flags")?,
            dropped_attributes_count: inner.primitive::<UInt32Type>("dropped_attributes_count")?,
            ..Links::default()
        };
        inner.attributes(strings, &mut links.attributes)?;
        Ok((ends, links))
    }

    pub(super) fn exemplars(&self) -> Result<(Vec<u32>, Vec<Exemplar>), ArrowError> {
        let (ends, members) = self.list("exemplars")?;
        let inner = Members { from: &members };
        let times = inner.primitive::<Int64Type>("time_unix_nano")?;
        let values = inner.primitive::<Float64Type>("value")?;
        let traces = inner.trace_ids("trace_id")?;
        let spans = inner.primitive::<UInt64Type>("span_id")?;
        let exemplar = |at: usize| Exemplar {
            time_unix_nano: times[at],
            value: values[at],
            trace_id: traces[at],
            span_id: SpanId(spans[at]),
        };
        Ok((ends, (0..times.len()).map(exemplar).collect()))
    }

    /// Ends of the lists of a column counted from 0, and the members.
    fn list(&self, name: &str) -> Result<(Vec<u32>, StructArray), ArrowError> {
        let column = self.column(name)?;
        let list = column.as_list_opt::<i32>().ok_or_else(|| wrong_type(name, column))?;
        let (ends, members) = dense(list);
        let members = members.as_struct_opt().ok_or_else(|| wrong_type(name, column))?.clone();
        Ok((ends, members))
    }

    /// Whether the lists of a column have members.
    pub(crate) fn has_members(&self, name: &str) -> Result<Vec<bool>, ArrowError> {
        let column = self.column(name)?;
        let list = column.as_list_opt::<i32>().ok_or_else(|| wrong_type(name, column))?;
        Ok((0..list.len()).map(|row| list.is_valid(row) && list.value_length(row) > 0).collect())
    }

    pub(crate) fn text_lists(&self, name: &str) -> Result<Vec<Vec<String>>, ArrowError> {
        let column = self.column(name)?;
        let list = column.as_list_opt::<i32>().ok_or_else(|| wrong_type(name, column))?;
        let texts = |row: usize| -> Vec<String> {
            let members = list.value(row);
            members.as_string::<i32>().iter().flatten().map(str::to_owned).collect()
        };
        Ok((0..list.len()).map(|row| if list.is_null(row) { Vec::new() } else { texts(row) }).collect())
    }

    pub(crate) fn f64_lists(&self, name: &str) -> Result<Vec<Vec<f64>>, ArrowError> {
        self.lists::<Float64Type>(name)
    }

    pub(crate) fn u64_lists(&self, name: &str) -> Result<Vec<Vec<u64>>, ArrowError> {
        self.lists::<UInt64Type>(name)
    }

    fn lists<T: ArrowPrimitiveType>(&self, name: &str) -> Result<Vec<Vec<T::Native>>, ArrowError> {
        let column = self.column(name)?;
        let list = column.as_list_opt::<i32>().ok_or_else(|| wrong_type(name, column))?;
        let row = |row: usize| -> Vec<T::Native> {
            if list.is_null(row) { Vec::new() } else { list.value(row).as_primitive::<T>().values().to_vec() }
        };
        Ok((0..list.len()).map(row).collect())
    }

    /// The metric of each row, and the distinct ones.
    pub(super) fn metrics(&self, strings: &mut Strings) -> Result<(Vec<u32>, Vec<Metric>), ArrowError> {
        let names = self.text("name", strings)?;
        let descriptions = self.text("description", strings)?;
        let units = self.text("unit", strings)?;
        let (kinds, temporalities) = (self.u8("kind")?, self.u8("temporality")?);
        let monotonic = self.bools("is_monotonic")?;
        let mut numbers: HashMap<_, u32> = HashMap::new();
        let mut metrics = Vec::new();
        let mut rows = Vec::with_capacity(names.len());
        for row in 0..names.len() {
            let key = (names[row], descriptions[row], units[row], kinds[row], temporalities[row], monotonic[row]);
            rows.push(*numbers.entry(key).or_insert_with(|| {
                metrics.push(Metric {
                    name: names[row],
                    description: descriptions[row],
                    unit: units[row],
                    kind: metric_kind(kinds[row]),
                    temporality: temporality(temporalities[row]),
                    is_monotonic: monotonic[row],
                });
                metrics.len() as u32 - 1
            }));
        }
        Ok((rows, metrics))
    }

    pub(super) fn values(&self) -> Result<Vec<Value>, ArrowError> {
        let (ints, doubles) = (self.optional_i64("value_int")?, self.optional_f64("value_double")?);
        let value = |(int, double): (Option<i64>, Option<f64>)| match (int, double) {
            (Some(int), _) => Value::Int(int),
            (_, Some(double)) => Value::Double(double),
            _ => Value::Empty,
        };
        Ok(ints.into_iter().zip(doubles).map(value).collect())
    }

    pub(super) fn distributions(
        &self,
        metric: &[u32],
        metrics: &[Metric],
    ) -> Result<(Vec<u32>, Vec<Distribution>), ArrowError> {
        let kinds: Vec<MetricKind> = metric.iter().map(|metric| metrics[*metric as usize].kind).collect();
        let buckets = self.buckets(&kinds)?;
        let counts = self.optional_u64("count")?;
        let (sums, mins, maxs) = (self.optional_f64("sum")?, self.optional_f64("min")?, self.optional_f64("max")?);
        let mut distributions = Vec::new();
        let mut rows = Vec::with_capacity(counts.len());
        for (row, buckets) in buckets.into_iter().enumerate() {
            let Some(count) = counts[row] else {
                rows.push(u32::MAX);
                continue;
            };
            rows.push(distributions.len() as u32);
            distributions.push(Distribution { count, sum: sums[row], min: mins[row], max: maxs[row], buckets });
        }
        Ok((rows, distributions))
    }

    /// The shape of each row's distribution; meaningless for kinds that have none.
    pub(crate) fn buckets(&self, kinds: &[MetricKind]) -> Result<Vec<Buckets>, ArrowError> {
        let (bounds, counts) = (self.f64_lists("bounds")?, self.u64_lists("counts")?);
        let negative = self.u64_lists("negative_counts")?;
        let (scales, zero_counts) = (self.optional_i32("scale")?, self.optional_u64("zero_count")?);
        let zero_thresholds = self.optional_f64("zero_threshold")?;
        let positive_offsets = self.optional_i32("positive_offset")?;
        let negative_offsets = self.optional_i32("negative_offset")?;
        let lists = bounds.into_iter().zip(counts.into_iter().zip(negative));
        let mut shapes = Vec::with_capacity(kinds.len());
        for (row, (bounds, (counts, negative))) in lists.enumerate() {
            shapes.push(match kinds[row] {
                MetricKind::ExponentialHistogram => Buckets::Exponential {
                    scale: scales[row].unwrap_or_default(),
                    zero_count: zero_counts[row].unwrap_or_default(),
                    zero_threshold: zero_thresholds[row].unwrap_or_default(),
                    positive_offset: positive_offsets[row].unwrap_or_default(),
                    positive: counts,
                    negative_offset: negative_offsets[row].unwrap_or_default(),
                    negative,
                },
                MetricKind::Summary => {
                    let (pairs, _) = bounds.as_chunks::<2>();
                    Buckets::Summary { quantiles: pairs.iter().map(|[quantile, value]| (*quantile, *value)).collect() }
                }
                _ => Buckets::Explicit { bounds, counts },
            });
        }
        Ok(shapes)
    }
}

pub(crate) fn metric_kind(number: u8) -> MetricKind {
    match number {
        2 => MetricKind::Sum,
        3 => MetricKind::Histogram,
        4 => MetricKind::ExponentialHistogram,
        5 => MetricKind::Summary,
        _ => MetricKind::Gauge,
    }
}

pub(crate) fn temporality(number: u8) -> Temporality {
    match number {
        1 => Temporality::Delta,
        2 => Temporality::Cumulative,
        _ => Temporality::Unspecified,
    }
}

/// Members of a list column.
struct Members<'a> {
    from: &'a StructArray,
}

impl Members<'_> {
    fn column(&self, name: &str) -> Result<&ArrayRef, ArrowError> {
        let column = self.from.column_by_name(name);
        column.ok_or_else(|| ArrowError::SchemaError(format!("the answer has no field {name}")))
    }

    fn primitive<T: ArrowPrimitiveType>(&self, name: &str) -> Result<Vec<T::Native>, ArrowError> {
        let column = self.column(name)?;
        Ok(column.as_primitive_opt::<T>().ok_or_else(|| wrong_type(name, column))?.values().to_vec())
    }

    fn text(&self, name: &str, strings: &mut Strings) -> Result<Vec<Sym>, ArrowError> {
        let column = self.column(name)?;
        let column = column.as_string_opt::<i32>().ok_or_else(|| wrong_type(name, column))?;
        Ok(column.iter().map(|text| strings.intern(text.unwrap_or_default())).collect())
    }

    fn trace_ids(&self, name: &str) -> Result<Vec<TraceId>, ArrowError> {
        let column = self.column(name)?;
        trace_ids(column).ok_or_else(|| wrong_type(name, column))
    }

    fn attributes(&self, strings: &mut Strings, out: &mut Attributes) -> Result<(), ArrowError> {
        let column = self.column(super::ATTRIBUTES)?;
        let mut map = MapReader::new(column.as_map_opt().ok_or_else(|| wrong_type(super::ATTRIBUTES, column))?);
        for row in 0..self.from.len() {
            map.push(row, strings, out);
            out.end_row();
        }
        Ok(())
    }
}

/// Lists laid end to end from 0: nulls are empty, gaps and order of the members are what the lists say.
fn dense(list: &ListArray) -> (Vec<u32>, ArrayRef) {
    let mut ends = Vec::with_capacity(list.len());
    let mut end = 0;
    for row in 0..list.len() {
        end += if list.is_null(row) { 0 } else { list.value_length(row) as u32 };
        ends.push(end);
    }
    let first = list.value_offsets().first().copied().unwrap_or(0) as usize;
    (ends, list.values().slice(first, end as usize))
}

fn trace_ids(column: &ArrayRef) -> Option<Vec<TraceId>> {
    let id = |bytes: Option<&[u8]>| bytes.and_then(TraceId::from_bytes).unwrap_or(TraceId::NONE);
    if let Some(column) = column.as_binary_opt::<i32>() {
        return Some(column.iter().map(id).collect());
    }
    Some(column.as_fixed_size_binary_opt()?.iter().map(id).collect())
}

fn wrong_type(name: &str, column: &ArrayRef) -> ArrowError {
    ArrowError::SchemaError(format!("column {name} is {}", column.data_type()))
}
