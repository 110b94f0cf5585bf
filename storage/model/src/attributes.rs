//! Attributes as a ragged column.

use crate::strings::{Strings, Sym};
use hashbrown::HashMap;

/// Up to here, comparing each key with those after it beats a hash table.
const SHORT_ROW: usize = 32;

/// One attribute value (OTLP `AnyValue`), small enough to copy. Text lies in the batch's [`Strings`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Value {
    /// No value set: legal in OTLP.
    #[default]
    Empty,
    /// Text.
    String(Sym),
    /// Boolean.
    Bool(bool),
    /// 64-bit integer.
    Int(i64),
    /// Double, NaN and infinities included.
    Double(f64),
    /// Bytes, as standard padded base64 text.
    Bytes(Sym),
    /// An array or key/value list, as JSON text in the form of [`Value::to_json`] for its members.
    Json(Sym),
}

impl Value {
    /// The value as JSON text, the form in which attribute maps are stored and served.
    ///
    /// Text is quoted; integers have no point and doubles always have one (or an exponent), so that the type
    /// survives; NaN and infinities are `{"doubleValue":"NaN"}` and the like, bytes `{"bytesValue":"…"}`; empty is `null`.
    pub fn to_json(self, strings: &Strings, out: &mut String) {
        use std::fmt::Write;
        match self {
            Value::Empty => out.push_str("null"),
            Value::String(sym) => quote(strings.get(sym), out),
            Value::Bool(value) => out.push_str(if value { "true" } else { "false" }),
            Value::Int(value) => _ = write!(out, "{value}"),
            Value::Double(value) if value.is_nan() => out.push_str("{\"doubleValue\":\"NaN\"}"),
            Value::Double(value) if value == f64::INFINITY => out.push_str("{\"doubleValue\":\"Infinity\"}"),
            Value::Double(value) if value == f64::NEG_INFINITY => out.push_str("{\"doubleValue\":\"-Infinity\"}"),
            Value::Double(value) => _ = write!(out, "{value:?}"),
            Value::Bytes(sym) => _ = write!(out, "{{\"bytesValue\":\"{}\"}}", strings.get(sym)),
            Value::Json(sym) => out.push_str(strings.get(sym)),
        }
    }

    /// The value that [`Value::to_json`] wrote as `text`; its strings are added to `strings`. Text that no value writes
    /// comes back as [`Value::Json`], so nothing is lost.
    pub fn from_json(text: &str, strings: &mut Strings) -> Value {
        let other = |strings: &mut Strings| Value::Json(strings.intern(text));
        match text.as_bytes().first() {
            None | Some(b'n') => Value::Empty,
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'"') => match serde_json::from_str::<String>(text) {
                Ok(text) => Value::String(strings.intern(&text)),
                Err(_) => other(strings),
            },
            Some(b'{') => match text {
                "{\"doubleValue\":\"NaN\"}" => Value::Double(f64::NAN),
                "{\"doubleValue\":\"Infinity\"}" => Value::Double(f64::INFINITY),
                "{\"doubleValue\":\"-Infinity\"}" => Value::Double(f64::NEG_INFINITY),
                _ => match text.strip_prefix("{\"bytesValue\":\"").and_then(|rest| rest.strip_suffix("\"}")) {
                    Some(base64) if !base64.contains('"') => Value::Bytes(strings.intern(base64)),
                    _ => other(strings),
                },
            },
            Some(b'0'..=b'9' | b'-') => match (text.parse::<i64>(), text.parse::<f64>()) {
                (Ok(int), _) => Value::Int(int),
                (_, Ok(double)) => Value::Double(double),
                _ => other(strings),
            },
            Some(_) => other(strings),
        }
    }

    /// The value as a person would write it: text without quotes, everything else as in [`Value::to_json`].
    pub fn to_text(self, strings: &Strings) -> String {
        match self {
            Value::Empty => String::new(),
            Value::String(sym) | Value::Bytes(sym) => strings.get(sym).to_owned(),
            other => {
                let mut out = String::new();
                other.to_json(strings, &mut out);
                out
            }
        }
    }
}

/// Appends `text` as a JSON string.
pub fn quote(text: &str, out: &mut String) {
    use std::fmt::Write;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 => _ = write!(out, "\\u{:04x}", c as u32),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Key/value pairs of many rows: a ragged column. Keys of one row are distinct.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes {
    ends: Vec<u32>,
    keys: Vec<Sym>,
    values: Vec<Value>,
}

impl Attributes {
    /// Adds a pair to the row being built. Close the row with [`Attributes::end_row`].
    #[inline]
    pub fn push(&mut self, key: Sym, value: Value) {
        self.keys.push(key);
        self.values.push(value);
    }

    /// Closes the row and returns how many pairs were dropped because a later pair had the same key (OTLP forbids
    /// that to senders and leaves receivers free; the last one wins here).
    #[inline]
    pub fn end_row(&mut self) -> u32 {
        let start = self.closed();
        let dropped =
            if self.keys.len() - start <= SHORT_ROW { self.dedup_short(start) } else { self.dedup_long(start) };
        self.ends.push(self.keys.len() as u32);
        dropped
    }

    #[inline]
    fn dedup_short(&mut self, start: usize) -> u32 {
        let (mut dropped, mut at) = (0, start);
        while at < self.keys.len() {
            if self.keys[at + 1..].contains(&self.keys[at]) {
                self.keys.remove(at);
                self.values.remove(at);
                dropped += 1;
            } else {
                at += 1;
            }
        }
        dropped
    }

    /// Linear, so that a hostile row of many keys costs what it weighs.
    fn dedup_long(&mut self, start: usize) -> u32 {
        let last: HashMap<Sym, usize> = (start..self.keys.len()).map(|at| (self.keys[at], at)).collect();
        let mut kept = start;
        for at in start..self.keys.len() {
            if last[&self.keys[at]] == at {
                self.keys[kept] = self.keys[at];
                self.values[kept] = self.values[at];
                kept += 1;
            }
        }
        let dropped = self.keys.len() - kept;
        self.keys.truncate(kept);
        self.values.truncate(kept);
        dropped as u32
    }

    /// The pairs of the row being built, in the sender's order, duplicates included.
    #[inline]
    pub fn pending(&self) -> impl ExactSizeIterator<Item = (Sym, Value)> + '_ {
        let start = self.closed();
        self.keys[start..].iter().copied().zip(self.values[start..].iter().copied())
    }

    /// Takes back all rows from `rows` on, and the row being built.
    pub fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        self.abandon_row();
    }

    #[inline]
    fn closed(&self) -> usize {
        self.ends.last().copied().unwrap_or(0) as usize
    }

    /// Takes back the pairs of the row being built, when its item turns out to be invalid.
    pub fn abandon_row(&mut self) {
        let start = self.closed();
        self.keys.truncate(start);
        self.values.truncate(start);
    }

    /// Gives back memory that growing has taken and nothing fills.
    pub fn shrink(&mut self) {
        self.ends.shrink_to_fit();
        self.keys.shrink_to_fit();
        self.values.shrink_to_fit();
    }

    /// Number of closed rows.
    #[inline]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no closed row.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Number of pairs over all rows.
    #[inline]
    pub fn pairs(&self) -> usize {
        self.keys.len()
    }

    /// The pairs of a row, in the sender's order.
    #[inline]
    pub fn row(&self, row: usize) -> impl ExactSizeIterator<Item = (Sym, Value)> + '_ {
        let range = self.range(row);
        self.keys[range.clone()].iter().copied().zip(self.values[range].iter().copied())
    }

    /// The value of `key` in a row.
    #[inline]
    pub fn get(&self, row: usize, key: Sym) -> Option<Value> {
        self.row(row).find_map(|(k, value)| (k == key).then_some(value))
    }

    #[inline]
    fn range(&self, row: usize) -> std::ops::Range<usize> {
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        start..self.ends[row] as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_equal_keys_wins_and_is_counted() {
        let mut strings = Strings::default();
        let (a, b) = (strings.intern("a"), strings.intern("b"));
        let mut attributes = Attributes::default();
        attributes.push(a, Value::Int(1));
        attributes.push(b, Value::Bool(true));
        attributes.push(a, Value::Int(2));
        assert_eq!(attributes.end_row(), 1);
        attributes.push(a, Value::Int(9));
        attributes.abandon_row();
        attributes.end_row();
        assert_eq!(attributes.row(0).collect::<Vec<_>>(), [(b, Value::Bool(true)), (a, Value::Int(2))]);
        assert_eq!(attributes.row(1).len(), 0);
        assert_eq!(attributes.get(0, a), Some(Value::Int(2)));
    }

    #[test]
    fn long_rows_keep_the_last_of_equal_keys_too() {
        let mut strings = Strings::default();
        let keys: Vec<Sym> = (0..50).map(|key| strings.intern(&key.to_string())).collect();
        let mut attributes = Attributes::default();
        for round in 0..3 {
            keys.iter().for_each(|&key| attributes.push(key, Value::Int(round)));
        }
        assert_eq!(attributes.pending().len(), 150);
        assert_eq!(attributes.end_row(), 100);
        assert!(attributes.row(0).eq(keys.iter().map(|&key| (key, Value::Int(2)))));
    }

    #[test]
    fn truncate_takes_rows_back() {
        let mut attributes = Attributes::default();
        for row in 0..3 {
            attributes.push(Sym(1), Value::Int(row));
            attributes.end_row();
        }
        attributes.push(Sym(2), Value::Empty);
        attributes.truncate(1);
        assert_eq!((attributes.len(), attributes.pairs()), (1, 1));
    }

    #[test]
    fn json_keeps_the_type() {
        let mut strings = Strings::default();
        let text = strings.intern("a \"b\"\n\u{1}");
        let json = |value: Value| {
            let mut out = String::new();
            value.to_json(&strings, &mut out);
            out
        };
        assert_eq!(json(Value::String(text)), r#""a \"b\"\n\u0001""#);
        assert_eq!(json(Value::Int(200)), "200");
        assert_eq!(json(Value::Double(200.0)), "200.0");
        assert_eq!(json(Value::Double(1e300)), "1e300");
        assert_eq!(json(Value::Bool(false)), "false");
        assert_eq!(json(Value::Empty), "null");
    }

    #[test]
    fn json_comes_back_as_the_same_value() {
        let mut strings = Strings::default();
        let (text, base64) = (strings.intern("a \"b\"\n\u{1}한"), strings.intern("AAEC"));
        let list = strings.intern("[1,2.0,\"x\"]");
        for value in [
            Value::Empty,
            Value::String(text),
            Value::String(Sym::EMPTY),
            Value::Bool(true),
            Value::Int(i64::MIN),
            Value::Double(-0.0),
            Value::Double(0.1 + 0.2),
            Value::Double(f64::MIN_POSITIVE),
            Value::Double(f64::INFINITY),
            Value::Bytes(base64),
            Value::Json(list),
        ] {
            let mut json = String::new();
            value.to_json(&strings, &mut json);
            assert_eq!(Value::from_json(&json, &mut strings), value, "{json}");
        }
        let mut json = String::new();
        Value::Double(f64::NAN).to_json(&strings, &mut json);
        assert!(matches!(Value::from_json(&json, &mut strings), Value::Double(nan) if nan.is_nan()));
    }
}
