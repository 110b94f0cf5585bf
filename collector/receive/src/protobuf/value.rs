//! `KeyValue` and `AnyValue`.

use crate::builder::Kit;
use crate::reason;
use crate::wire::{Fields, WireError};
use hashbrown::HashMap;
use orrery_model::attributes::quote;
use orrery_model::{Attributes, Strings, Sym, Value};
use std::borrow::Cow;

impl Kit<'_> {
    /// Reads a `KeyValue` into the open row. Returns how many attributes were dropped for it.
    #[inline]
    pub(super) fn attribute(
        &mut self,
        strings: &mut Strings,
        attributes: &mut Attributes,
        bytes: &[u8],
    ) -> Result<u32, WireError> {
        let (mut key, mut value) = (Sym::EMPTY, Cow::Borrowed(&[][..]));
        let mut fields = Fields(bytes);
        while let Some((number, payload)) = fields.next()? {
            match number {
                1 => key = self.name(strings, payload.bytes()?),
                2 => append(&mut value, payload.bytes()?)?,
                _ => {}
            }
        }
        let value = self.value(strings, &value, self.limits.max_value_bytes)?;
        Ok(self.push(attributes, key, value))
    }

    /// Reads an `AnyValue`, its text cut at `limit` bytes. The last member of the oneof wins.
    #[inline]
    pub(super) fn value(&mut self, strings: &mut Strings, bytes: &[u8], limit: usize) -> Result<Value, WireError> {
        let mut value = Value::Empty;
        let mut fields = Fields(bytes);
        while let Some((number, payload)) = fields.next()? {
            value = match number {
                1 => Value::String(self.text(strings, payload.bytes()?, limit)),
                2 => Value::Bool(payload.bool()?),
                3 => Value::Int(payload.varint()? as i64),
                4 => Value::Double(payload.double()?),
                5 | 6 => {
                    let whole = with_pieces(number, payload.bytes()?, &mut fields)?;
                    self.nested_value(strings, number, &whole, limit)?
                }
                7 => {
                    let mut text = std::mem::take(&mut self.scratch);
                    text.clear();
                    self.base64(payload.bytes()?, limit, &mut text);
                    let value = Value::Bytes(strings.intern(&text));
                    self.scratch = text;
                    value
                }
                // string_value_strindex: only profiles have the table it points into.
                8 => {
                    payload.varint()?;
                    Value::Empty
                }
                _ => continue,
            };
        }
        Ok(value)
    }

    fn nested_value(
        &mut self,
        strings: &mut Strings,
        number: u32,
        bytes: &[u8],
        limit: usize,
    ) -> Result<Value, WireError> {
        let mut json = std::mem::take(&mut self.scratch);
        json.clear();
        let written = if number == 5 {
            self.array_json(bytes, 1, limit, &mut json)
        } else {
            self.kvlist_json(bytes, 1, limit, &mut json)
        };
        let value = written.map(|()| self.nested(strings, &json, limit));
        self.scratch = json;
        value
    }

    fn array_json(&mut self, bytes: &[u8], depth: usize, limit: usize, out: &mut String) -> Result<(), WireError> {
        out.push('[');
        let mut comma = "";
        let mut fields = Fields(bytes);
        while let Some((number, payload)) = fields.next()? {
            if number == 1 {
                out.push_str(comma);
                self.value_json(payload.bytes()?, depth + 1, limit, out)?;
                comma = ",";
            }
        }
        out.push(']');
        Ok(())
    }

    fn kvlist_json(&mut self, bytes: &[u8], depth: usize, limit: usize, out: &mut String) -> Result<(), WireError> {
        let entries = read_entries(bytes)?;
        // Equal keys: the last one wins, as in attributes.
        let last: HashMap<&[u8], usize> = entries.iter().enumerate().map(|(at, entry)| (entry.0, at)).collect();
        out.push('{');
        let mut comma = "";
        for (at, (key, value)) in entries.iter().enumerate() {
            if last[key] != at {
                // Read though not kept: a request that is malformed is so wherever it is.
                let end = out.len();
                self.value_json(value, depth + 1, limit, out)?;
                out.truncate(end);
                continue;
            }
            out.push_str(comma);
            let key = self.utf8(key);
            let (key, ellipsis) = self.cut(&key, self.limits.max_name_bytes);
            quote(&[key, ellipsis].concat(), out);
            out.push(':');
            self.value_json(value, depth + 1, limit, out)?;
            comma = ",";
        }
        out.push('}');
        Ok(())
    }

    /// Appends an `AnyValue` as [`Value::to_json`] would. Sets the fault when arrays and maps nest beyond the limit, and
    /// writes nothing more once the text is over its limit, because it will be cut.
    fn value_json(&mut self, bytes: &[u8], depth: usize, limit: usize, out: &mut String) -> Result<(), WireError> {
        let start = out.len();
        out.push_str("null");
        let mut fields = Fields(bytes);
        while let Some((number, payload)) = fields.next()? {
            if !(1..=8).contains(&number) {
                continue;
            }
            out.truncate(start);
            match number {
                _ if start > limit => {}
                1 => {
                    let text = self.utf8(payload.bytes()?);
                    let (text, ellipsis) = self.cut(&text, limit);
                    quote(text, out);
                    out.insert_str(out.len() - 1, ellipsis);
                }
                2 => plain(Value::Bool(payload.bool()?), out),
                3 => plain(Value::Int(payload.varint()? as i64), out),
                4 => plain(Value::Double(payload.double()?), out),
                5 | 6 if depth > self.limits.max_depth => {
                    out.push_str("null");
                    self.fault(reason::TOO_DEEP);
                }
                5 => self.array_json(&with_pieces(5, payload.bytes()?, &mut fields)?, depth, limit, out)?,
                6 => self.kvlist_json(&with_pieces(6, payload.bytes()?, &mut fields)?, depth, limit, out)?,
                7 => {
                    out.push_str("{\"bytesValue\":\"");
                    self.base64(payload.bytes()?, limit, out);
                    out.push_str("\"}");
                }
                _ => {
                    payload.varint()?;
                    out.push_str("null");
                }
            }
        }
        Ok(())
    }
}

/// A key, and its `AnyValue` (empty if absent).
type Entry<'a> = (&'a [u8], Cow<'a, [u8]>);

/// The entries of a `KeyValueList`.
fn read_entries(bytes: &[u8]) -> Result<Vec<Entry<'_>>, WireError> {
    let mut entries = Vec::new();
    let mut fields = Fields(bytes);
    while let Some((number, payload)) = fields.next()? {
        if number != 1 {
            continue;
        }
        let mut entry: Entry<'_> = (&[], Cow::Borrowed(&[]));
        let mut parts = Fields(payload.bytes()?);
        while let Some((number, payload)) = parts.next()? {
            match number {
                1 => entry.0 = payload.bytes()?,
                2 => append(&mut entry.1, payload.bytes()?)?,
                _ => {}
            }
        }
        entries.push(entry);
    }
    Ok(entries)
}

/// Adds to a message what comes of it in another field. Protobuf merges the two, which is to read one after the other.
///
/// # Errors
/// When one of them is cut short: the other must not make up for it.
#[inline]
pub(super) fn append<'a>(message: &mut Cow<'a, [u8]>, more: &'a [u8]) -> Result<(), WireError> {
    if message.is_empty() {
        *message = Cow::Borrowed(more);
        return Ok(());
    }
    if let Cow::Borrowed(first) = message {
        skip(first)?;
    }
    skip(more)?;
    message.to_mut().extend(more);
    Ok(())
}

fn skip(message: &[u8]) -> Result<(), WireError> {
    let mut fields = Fields(message);
    while fields.next()?.is_some() {}
    Ok(())
}

/// An array or map of an `AnyValue`, and what comes of it in the fields that follow, up to another member of the oneof.
fn with_pieces<'a>(number: u32, first: &'a [u8], fields: &mut Fields<'a>) -> Result<Cow<'a, [u8]>, WireError> {
    let mut whole = Cow::Borrowed(first);
    loop {
        let mut ahead = *fields;
        match ahead.next()? {
            Some((same, payload)) if same == number => append(&mut whole, payload.bytes()?)?,
            Some((1..=8, _)) | None => return Ok(whole),
            Some(_) => {}
        }
        *fields = ahead;
    }
}

/// Appends a value that needs no dictionary.
pub(crate) fn plain(value: Value, out: &mut String) {
    thread_local!(static NO_STRINGS: Strings = Strings::default());
    NO_STRINGS.with(|strings| value.to_json(strings, out));
}
