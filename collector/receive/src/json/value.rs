//! `KeyValue` and `AnyValue`.

use super::Stop;
use super::reader::{JsonError, Kind, Reader};
use crate::builder::Kit;
use crate::protobuf::plain;
use crate::reason;
use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hashbrown::HashMap;
use orrery_model::attributes::quote;
use orrery_model::{Attributes, Strings, Sym, Value};

impl Kit<'_> {
    /// Reads a list of `KeyValue` into the open row. Returns how many attributes were dropped.
    pub(super) fn attributes(
        &mut self,
        strings: &mut Strings,
        attributes: &mut Attributes,
        reader: &mut Reader<'_>,
    ) -> Result<u32, Stop> {
        let mut dropped = 0;
        let read = reader.array(|reader| {
            let (mut key, mut value) = (Sym::EMPTY, Value::Empty);
            let read = reader.object(|reader, name| match name {
                "key" => self.set_name(strings, reader, &mut key),
                "value" => {
                    let limit = self.limits.max_value_bytes;
                    value = self.json_value(strings, reader, limit)?.unwrap_or(value);
                    Ok(())
                }
                _ => Ok(reader.skip()?),
            });
            self.soft(read)?;
            dropped += self.push(attributes, key, value);
            Ok(())
        });
        self.soft(read)?;
        Ok(dropped)
    }

    /// Reads an `AnyValue`, its text cut at `limit` bytes; `None` when no member is set. The last member wins.
    pub(super) fn json_value(
        &mut self,
        strings: &mut Strings,
        reader: &mut Reader<'_>,
        limit: usize,
    ) -> Result<Option<Value>, Stop> {
        let mut value = None;
        let read = reader.object(|reader, key| {
            if reader.kind()? == Kind::Null {
                return Ok(reader.skip()?);
            }
            let read = match key {
                "stringValue" => {
                    let text = self.soft(reader.string())?;
                    text.map(|text| Value::String(self.text(strings, text.as_bytes(), limit)))
                }
                "boolValue" => self.soft(reader.bool())?.map(Value::Bool),
                "intValue" => self.soft(reader.integer())?.map(Value::Int),
                "doubleValue" => self.soft(reader.double())?.map(Value::Double),
                "arrayValue" | "kvlistValue" => Some(self.json_nested_value(strings, key, reader, limit)?),
                "bytesValue" => {
                    let mut text = String::new();
                    self.bytes_value(reader, limit, &mut text)?;
                    Some(Value::Bytes(strings.intern(&text)))
                }
                // Only profiles have the table it points into.
                "stringValueStrindex" => {
                    reader.skip()?;
                    Some(Value::Empty)
                }
                _ => return Ok(reader.skip()?),
            };
            value = read.or(value);
            Ok(())
        });
        self.soft(read)?;
        Ok(value)
    }

    fn json_nested_value(
        &mut self,
        strings: &mut Strings,
        key: &str,
        reader: &mut Reader<'_>,
        limit: usize,
    ) -> Result<Value, Stop> {
        let mut json = std::mem::take(&mut self.scratch);
        json.clear();
        let written = self.json_nested_text(key, reader, 1, limit, &mut json);
        let value = written.map(|()| self.nested(strings, &json, limit));
        self.scratch = json;
        value
    }

    fn json_nested_text(
        &mut self,
        key: &str,
        reader: &mut Reader<'_>,
        depth: usize,
        limit: usize,
        out: &mut String,
    ) -> Result<(), Stop> {
        if key == "arrayValue" {
            self.json_array_text(reader, depth, limit, out)
        } else {
            self.json_kvlist_text(reader, depth, limit, out)
        }
    }

    fn json_array_text(
        &mut self,
        reader: &mut Reader<'_>,
        depth: usize,
        limit: usize,
        out: &mut String,
    ) -> Result<(), Stop> {
        out.push('[');
        let mut comma = "";
        let read = self.each_of_values(reader, |kit, reader| {
            out.push_str(comma);
            comma = ",";
            kit.json_value_text(reader, depth + 1, limit, out)
        });
        out.push(']');
        read
    }

    fn json_kvlist_text(
        &mut self,
        reader: &mut Reader<'_>,
        depth: usize,
        limit: usize,
        out: &mut String,
    ) -> Result<(), Stop> {
        let mut entries: Vec<(String, String)> = Vec::new();
        self.each_of_values(reader, |kit, reader| {
            let (mut key, mut value) = (String::new(), "null".to_owned());
            let read = reader.object(|reader, name| match name {
                "key" => {
                    if let Some(text) = kit.soft(reader.string())? {
                        let (text, ellipsis) = kit.cut(&text, kit.limits.max_name_bytes);
                        key = [text, ellipsis].concat();
                    }
                    Ok(())
                }
                "value" => {
                    value.clear();
                    kit.json_value_text(reader, depth + 1, limit, &mut value)
                }
                _ => Ok(reader.skip()?),
            });
            kit.soft(read)?;
            entries.push((key, value));
            Ok(())
        })?;
        // Equal keys: the last one wins, as in attributes.
        let last: HashMap<&str, usize> = entries.iter().enumerate().map(|(at, entry)| (&*entry.0, at)).collect();
        out.push('{');
        let mut comma = "";
        for (at, (key, value)) in entries.iter().enumerate() {
            if last[&**key] != at {
                continue;
            }
            out.push_str(comma);
            quote(key, out);
            out.push(':');
            out.push_str(value);
            comma = ",";
        }
        out.push('}');
        Ok(())
    }

    /// Calls `each` before every element of `{"values": […]}`.
    fn each_of_values(
        &mut self,
        reader: &mut Reader<'_>,
        mut each: impl FnMut(&mut Self, &mut Reader<'_>) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let read = reader.object(|reader, key| {
            if key != "values" {
                return Ok(reader.skip()?);
            }
            let read = reader.array(|reader| each(self, reader));
            self.soft(read)
        });
        self.soft(read)
    }

    /// Appends an `AnyValue` as [`Value::to_json`] would. Sets the fault when arrays and maps nest beyond the limit, and
    /// writes nothing more once the text is over its limit, because it will be cut.
    fn json_value_text(
        &mut self,
        reader: &mut Reader<'_>,
        depth: usize,
        limit: usize,
        out: &mut String,
    ) -> Result<(), Stop> {
        let start = out.len();
        out.push_str("null");
        let read = reader.object(|reader, key| {
            if reader.kind()? == Kind::Null || start > limit {
                return Ok(reader.skip()?);
            }
            let nests = matches!(key, "arrayValue" | "kvlistValue");
            if nests && depth > self.limits.max_depth {
                self.fault(reason::TOO_DEEP);
                return Ok(reader.skip()?);
            }
            if nests {
                out.truncate(start);
                return self.json_nested_text(key, reader, depth, limit, out);
            }
            self.json_leaf_text(key, reader, start, limit, out)
        });
        self.soft(read)
    }

    fn json_leaf_text(
        &mut self,
        key: &str,
        reader: &mut Reader<'_>,
        start: usize,
        limit: usize,
        out: &mut String,
    ) -> Result<(), Stop> {
        let value = match key {
            "stringValue" => {
                let text = self.soft(reader.string())?.unwrap_or_default();
                let (text, ellipsis) = self.cut(&text, limit);
                out.truncate(start);
                quote(text, out);
                out.insert_str(out.len() - 1, ellipsis);
                return Ok(());
            }
            "bytesValue" => {
                out.truncate(start);
                out.push_str("{\"bytesValue\":\"");
                self.bytes_value(reader, limit, out)?;
                out.push_str("\"}");
                return Ok(());
            }
            "boolValue" => self.soft(reader.bool())?.map(Value::Bool),
            "intValue" => self.soft(reader.integer())?.map(Value::Int),
            "doubleValue" => self.soft(reader.double())?.map(Value::Double),
            _ => return Ok(reader.skip()?),
        };
        out.truncate(start);
        plain(value.unwrap_or_default(), out);
        Ok(())
    }

    /// Reads base64 in either alphabet, padded or not, and appends it standard and padded.
    fn bytes_value(&mut self, reader: &mut Reader<'_>, limit: usize, out: &mut String) -> Result<(), Stop> {
        let text = self.soft(reader.string())?.unwrap_or_default();
        let bytes = self.soft(decode_base64(&text).map(Some).ok_or(JsonError::Mismatch))?.unwrap_or_default();
        self.base64(&bytes, limit, out);
        Ok(())
    }
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    const TOLERANT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let alphabet = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    GeneralPurpose::new(alphabet, TOLERANT).decode(text).ok()
}
