//! Protobuf wire format: a bounds-checked reader without allocation, and the little writing that answers need.
//!
//! Strict where prost is strict, so that both accept the same bytes. Source: protobuf encoding specification.

/// The bytes are not protobuf, or a known field has another type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    #[error("message ends in the middle of a field")]
    Truncated,
    #[error("varint is longer than ten bytes")]
    Varint,
    #[error("invalid field number or wire type")]
    Tag,
    #[error("field has an unexpected wire type")]
    WireType,
    #[error("groups are nested too deeply or do not match")]
    Group,
}

type Result<T> = std::result::Result<T, WireError>;

/// One field's value as it is on the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Payload<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
    Group,
}

impl<'a> Payload<'a> {
    #[inline]
    pub(crate) fn bytes(self) -> Result<&'a [u8]> {
        if let Payload::Bytes(bytes) = self { Ok(bytes) } else { Err(WireError::WireType) }
    }

    #[inline]
    pub(crate) fn varint(self) -> Result<u64> {
        if let Payload::Varint(value) = self { Ok(value) } else { Err(WireError::WireType) }
    }

    #[inline]
    pub(crate) fn fixed64(self) -> Result<u64> {
        if let Payload::Fixed64(value) = self { Ok(value) } else { Err(WireError::WireType) }
    }

    #[inline]
    pub(crate) fn fixed32(self) -> Result<u32> {
        if let Payload::Fixed32(value) = self { Ok(value) } else { Err(WireError::WireType) }
    }

    pub(crate) fn double(self) -> Result<f64> {
        self.fixed64().map(f64::from_bits)
    }

    /// `int32`, `uint32`, enums: the low half of the varint.
    pub(crate) fn low32(self) -> Result<u32> {
        self.varint().map(|value| value as u32)
    }

    pub(crate) fn bool(self) -> Result<bool> {
        self.varint().map(|value| value != 0)
    }

    pub(crate) fn sint32(self) -> Result<i32> {
        self.low32().map(|value| (value >> 1) as i32 ^ -((value & 1) as i32))
    }

    /// Each element of a repeated 64-bit field, packed or not.
    pub(crate) fn each_fixed64(self, mut each: impl FnMut(u64)) -> Result<()> {
        match self {
            Payload::Fixed64(value) => each(value),
            Payload::Bytes(bytes) => {
                let (words, rest) = bytes.as_chunks::<8>();
                if !rest.is_empty() {
                    return Err(WireError::Truncated);
                }
                words.iter().for_each(|&word| each(u64::from_le_bytes(word)));
            }
            _ => return Err(WireError::WireType),
        }
        Ok(())
    }

    /// Each element of a repeated varint field, packed or not.
    pub(crate) fn each_varint(self, mut each: impl FnMut(u64)) -> Result<()> {
        match self {
            Payload::Varint(value) => each(value),
            Payload::Bytes(bytes) => {
                let mut fields = Fields(bytes);
                while !fields.0.is_empty() {
                    each(fields.varint()?);
                }
            }
            _ => return Err(WireError::WireType),
        }
        Ok(())
    }
}

/// The fields of a message, in wire order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    /// The next field and its number; `None` at the end.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Payload<'a>)>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (number, wire_type) = self.tag()?;
        if wire_type == 3 {
            self.skip_group(number)?;
            return Ok(Some((number, Payload::Group)));
        }
        self.payload(wire_type).map(|payload| Some((number, payload)))
    }

    #[inline(always)]
    fn tag(&mut self) -> Result<(u32, u32)> {
        let tag = u32::try_from(self.varint()?).map_err(|_| WireError::Tag)?;
        if tag >> 3 == 0 { Err(WireError::Tag) } else { Ok((tag >> 3, tag & 7)) }
    }

    #[inline(always)]
    fn payload(&mut self, wire_type: u32) -> Result<Payload<'a>> {
        Ok(match wire_type {
            0 => Payload::Varint(self.varint()?),
            1 => Payload::Fixed64(u64::from_le_bytes(*self.take_array()?)),
            2 => {
                let length = self.varint()?;
                Payload::Bytes(self.take(usize::try_from(length).map_err(|_| WireError::Truncated)?)?)
            }
            5 => Payload::Fixed32(u32::from_le_bytes(*self.take_array()?)),
            _ => return Err(WireError::Tag),
        })
    }

    /// Nearly all are of one byte or two: tags, and lengths of names and values.
    #[inline(always)]
    fn varint(&mut self) -> Result<u64> {
        match *self.0 {
            [low @ ..0x80, ref rest @ ..] => {
                self.0 = rest;
                Ok(u64::from(low))
            }
            [low, high @ ..0x80, ref rest @ ..] => {
                self.0 = rest;
                Ok(u64::from(low & 0x7f) | u64::from(high) << 7)
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for (at, &byte) in self.0.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                if at == 9 && byte > 1 {
                    return Err(WireError::Varint);
                }
                self.0 = &self.0[at + 1..];
                return Ok(value);
            }
        }
        Err(if self.0.len() >= 10 { WireError::Varint } else { WireError::Truncated })
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(WireError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    #[inline]
    fn take_array<const N: usize>(&mut self) -> Result<&'a [u8; N]> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(WireError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Groups are history, but an unknown field may be one. Not recursive: depth is the sender's choice.
    fn skip_group(&mut self, number: u32) -> Result<()> {
        const MAX_GROUPS: usize = 100;
        let mut open = vec![number];
        while let Some(&innermost) = open.last() {
            let (number, wire_type) = self.tag()?;
            match wire_type {
                3 if open.len() < MAX_GROUPS => open.push(number),
                4 if number == innermost => _ = open.pop(),
                3 | 4 => return Err(WireError::Group),
                wire_type => _ = self.payload(wire_type)?,
            }
        }
        Ok(())
    }
}

/// Appends a varint field, unless it is 0 (the default, which protobuf leaves out).
pub(crate) fn put_varint(out: &mut Vec<u8>, number: u32, value: u64) {
    if value != 0 {
        put_raw(out, u64::from(number) << 3);
        put_raw(out, value);
    }
}

/// Appends a length-delimited field, unless it is empty.
pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    if !bytes.is_empty() {
        put_raw(out, u64::from(number) << 3 | 2);
        put_raw(out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }
}

fn put_raw(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<(u32, Payload<'_>)>> {
        let mut fields = Fields(bytes);
        std::iter::from_fn(|| fields.next().transpose()).collect()
    }

    #[test]
    fn fields_in_order() {
        let fields = all(&[0x08, 0x96, 0x01, 0x12, 2, b'h', b'i', 0x1d, 1, 0, 0, 0, 0x21, 2, 0, 0, 0, 0, 0, 0, 0]);
        let expected =
            [(1, Payload::Varint(150)), (2, Payload::Bytes(b"hi")), (3, Payload::Fixed32(1)), (4, Payload::Fixed64(2))];
        assert_eq!(fields.unwrap(), expected);
    }

    #[test]
    fn hostile_bytes_are_errors() {
        let max = [0xff; 9];
        for (bytes, error) in [
            (&[0x0a, 5, 1][..], WireError::Truncated),
            (&[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], WireError::Truncated),
            (&[&[0x0a][..], &max, &[1]].concat(), WireError::Truncated),
            (&[&[0x08][..], &max, &[2]].concat(), WireError::Varint),
            (&[&[0x08][..], &max, &[0xff, 1]].concat(), WireError::Varint),
            (&[0x08, 0x80], WireError::Truncated),
            (&[0x00, 1], WireError::Tag),
            (&[0x0e, 1], WireError::Tag),
            (&[0x0c], WireError::Tag),
            (&[0x0b, 0x14], WireError::Group),
            (&[0x0b; 101], WireError::Group),
            (&[0x0b], WireError::Truncated),
            (&[0x09, 1, 2, 3], WireError::Truncated),
        ] {
            assert_eq!(all(bytes).unwrap_err(), error, "{bytes:?}");
        }
    }

    #[test]
    fn groups_are_skipped() {
        assert_eq!(all(&[0x0b, 0x10, 1, 0x13, 0x14, 0x0c, 0x10, 7]).unwrap()[1], (2, Payload::Varint(7)));
    }

    #[test]
    fn written_fields_read_back() {
        let mut out = Vec::new();
        put_varint(&mut out, 1, 0);
        put_varint(&mut out, 1, u64::MAX);
        put_bytes(&mut out, 2, b"");
        put_bytes(&mut out, 31, &[7; 300]);
        assert_eq!(all(&out).unwrap(), [(1, Payload::Varint(u64::MAX)), (31, Payload::Bytes(&[7; 300]))]);
    }
}
