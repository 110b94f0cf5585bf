//! Values of an answer as JSON or as text, and the SQL names of their types.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, IntervalUnit, TimeUnit, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use std::fmt::Write;

/// Writes a value as JSON. Numbers that JavaScript would round, and what JSON has no form for, are strings.
pub(super) fn json(array: &dyn Array, row: usize, out: &mut String) {
    if array.is_null(row) {
        return out.push_str("null");
    }
    match array.data_type() {
        DataType::Null => out.push_str("null"),
        DataType::Boolean => out.push_str(if array.as_boolean().value(row) { "true" } else { "false" }),
        DataType::Int8 => put(out, array.as_primitive::<Int8Type>().value(row)),
        DataType::Int16 => put(out, array.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => put(out, array.as_primitive::<Int32Type>().value(row)),
        DataType::UInt8 => put(out, array.as_primitive::<UInt8Type>().value(row)),
        DataType::UInt16 => put(out, array.as_primitive::<UInt16Type>().value(row)),
        DataType::UInt32 => put(out, array.as_primitive::<UInt32Type>().value(row)),
        DataType::Float32 => float(out, array.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => float(out, array.as_primitive::<Float64Type>().value(row)),
        DataType::List(_) => items(&array.as_list::<i32>().value(row), out),
        DataType::LargeList(_) => items(&array.as_list::<i64>().value(row), out),
        DataType::FixedSizeList(..) => items(&array.as_fixed_size_list().value(row), out),
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            let pairs = fields.iter().zip(columns).map(|(field, column)| (field.name().clone(), column, row));
            object(pairs, out);
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            object((0..entries.len()).map(|at| (text(keys, at), values, at)), out);
        }
        _ => quote(&text(array, row), out),
    }
}

/// A value as text: what stands in a cell.
pub(super) fn text(array: &dyn Array, row: usize) -> String {
    if array.is_null(row) {
        return String::new();
    }
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).to_owned(),
        DataType::Utf8View => array.as_string_view().value(row).to_owned(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row).to_string(),
        DataType::Binary => hex(array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => hex(array.as_binary::<i64>().value(row)),
        DataType::BinaryView => hex(array.as_binary_view().value(row)),
        DataType::FixedSizeBinary(_) => hex(array.as_fixed_size_binary().value(row)),
        DataType::Dictionary(..) => {
            let words = array.as_any_dictionary();
            text(words.values(), words.normalized_keys()[row])
        }
        kind if is_nested(kind) => {
            let mut out = String::new();
            json(array, row, &mut out);
            out
        }
        _ => {
            let options = FormatOptions::default();
            ArrayFormatter::try_new(array, &options)
                .map_or_else(|error| error.to_string(), |cells| cells.value(row).to_string())
        }
    }
}

fn is_nested(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::List(_)
            | DataType::LargeList(_)
            | DataType::FixedSizeList(..)
            | DataType::Struct(_)
            | DataType::Map(..)
    )
}

/// Whether cells of the type are words of whoever sent them.
pub(super) fn is_words(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..))
        || is_nested(kind)
}

fn items(values: &dyn Array, out: &mut String) {
    out.push('[');
    for at in 0..values.len() {
        if at > 0 {
            out.push(',');
        }
        json(values, at, out);
    }
    out.push(']');
}

fn object<'a>(pairs: impl Iterator<Item = (String, &'a arrow::array::ArrayRef, usize)>, out: &mut String) {
    out.push('{');
    for (at, (name, values, row)) in pairs.enumerate() {
        if at > 0 {
            out.push(',');
        }
        quote(&name, out);
        out.push(':');
        json(values, row, out);
    }
    out.push('}');
}

fn put(out: &mut String, value: impl std::fmt::Display) {
    let _ = write!(out, "{value}");
}

fn float(out: &mut String, value: f64) {
    if value.is_finite() { put(out, serde_json::json!(value)) } else { quote(&value.to_string(), out) }
}

fn quote(text: &str, out: &mut String) {
    orrery_model::attributes::quote(text, out);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The type's name in SQL.
pub(super) fn sql_type(kind: &DataType) -> String {
    match kind {
        DataType::Null => "NULL".to_owned(),
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Int8 => "TINYINT".to_owned(),
        DataType::Int16 => "SMALLINT".to_owned(),
        DataType::Int32 => "INTEGER".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::UInt8 => "UTINYINT".to_owned(),
        DataType::UInt16 => "USMALLINT".to_owned(),
        DataType::UInt32 => "UINTEGER".to_owned(),
        DataType::UInt64 => "UBIGINT".to_owned(),
        DataType::Float32 => "FLOAT".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "VARCHAR".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            "BLOB".to_owned()
        }
        DataType::Date32 | DataType::Date64 => "DATE".to_owned(),
        DataType::Time32(_) | DataType::Time64(_) => "TIME".to_owned(),
        DataType::Timestamp(_, Some(_)) => "TIMESTAMP WITH TIME ZONE".to_owned(),
        DataType::Timestamp(TimeUnit::Nanosecond, None) => "TIMESTAMP_NS".to_owned(),
        DataType::Timestamp(TimeUnit::Millisecond, None) => "TIMESTAMP_MS".to_owned(),
        DataType::Timestamp(TimeUnit::Second, None) => "TIMESTAMP_S".to_owned(),
        DataType::Timestamp(TimeUnit::Microsecond, None) => "TIMESTAMP".to_owned(),
        DataType::Interval(IntervalUnit::MonthDayNano | IntervalUnit::DayTime | IntervalUnit::YearMonth) => {
            "INTERVAL".to_owned()
        }
        DataType::Decimal128(38, 0) => "HUGEINT".to_owned(),
        DataType::Decimal32(digits, scale)
        | DataType::Decimal64(digits, scale)
        | DataType::Decimal128(digits, scale)
        | DataType::Decimal256(digits, scale) => format!("DECIMAL({digits},{scale})"),
        DataType::Dictionary(..) => "ENUM".to_owned(),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            format!("{}[]", sql_type(item.data_type()))
        }
        DataType::Struct(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|field| format!("{} {}", field.name(), sql_type(field.data_type()))).collect();
            format!("STRUCT({})", fields.join(", "))
        }
        DataType::Map(entry, _) => match entry.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                format!("MAP({}, {})", sql_type(fields[0].data_type()), sql_type(fields[1].data_type()))
            }
            _ => "MAP".to_owned(),
        },
        other => other.to_string().to_uppercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duckdb::Connection;

    fn row(select: &str) -> String {
        let connection = Connection::open_in_memory().unwrap();
        let mut statement = connection.prepare(select).unwrap();
        let batch = statement.query_arrow([]).unwrap().next().unwrap();
        let cell = |column: &arrow::array::ArrayRef| {
            let mut out = String::new();
            json(column, 0, &mut out);
            format!("{} {out}", sql_type(column.data_type()))
        };
        batch.columns().iter().map(cell).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn every_type_has_a_form() {
        let text = row(
            "SELECT 1, 9007199254740993, sum(3::BIGINT), 0.5::DOUBLE, 'nan'::DOUBLE, true, 'q\"한', '\\x00\\xFF'::BLOB, DATE '2026-11-29', TIME '01:02:03', TIMESTAMP '2026-11-29 01:02:03.000004', 1.5::DECIMAL(5,2), NULL::INTEGER, [1, NULL]::BIGINT[], {'a': 1, 'b': ['x']}, MAP {'k': 2.5::DOUBLE}",
        );
        expect_test::expect![[r#"
            INTEGER 1
            BIGINT "9007199254740993"
            HUGEINT "3"
            DOUBLE 0.5
            DOUBLE "NaN"
            BOOLEAN true
            VARCHAR "q\"한"
            BLOB "00ff"
            DATE "2026-11-29"
            TIME "01:02:03"
            TIMESTAMP "2026-11-29T01:02:03.000004"
            DECIMAL(5,2) "1.50"
            INTEGER null
            BIGINT[] ["1",null]
            STRUCT(a INTEGER, b VARCHAR[]) {"a":1,"b":["x"]}
            MAP(VARCHAR, DOUBLE) {"k":2.5}"#]]
        .assert_eq(&text);
    }
}
