//! Trace and span ids.

use std::fmt;
use std::str::FromStr;

/// A trace id: 16 bytes, hexadecimal in text. All zero is "none".
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(pub [u8; 16]);

/// A span id: 8 bytes, big-endian in this number, hexadecimal in text. Zero is "none".
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(pub u64);

impl TraceId {
    /// "No trace": what a log record outside any trace has.
    pub const NONE: TraceId = TraceId([0; 16]);

    /// Whether this is "no trace".
    #[inline]
    pub fn is_none(self) -> bool {
        self == TraceId::NONE
    }

    /// From exactly 16 bytes; `None` for another length.
    #[inline]
    pub fn from_bytes(bytes: &[u8]) -> Option<TraceId> {
        bytes.try_into().ok().map(TraceId)
    }
}

impl SpanId {
    /// "No span": what a root span has as parent.
    pub const NONE: SpanId = SpanId(0);

    /// Whether this is "no span".
    #[inline]
    pub fn is_none(self) -> bool {
        self == SpanId::NONE
    }

    /// From exactly 8 bytes; `None` for another length.
    #[inline]
    pub fn from_bytes(bytes: &[u8]) -> Option<SpanId> {
        bytes.try_into().ok().map(|bytes| SpanId(u64::from_be_bytes(bytes)))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Text that is no id: not the right number of hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {digits} hexadecimal digits")]
pub struct ParseIdError {
    /// How many digits this kind of id has.
    pub digits: usize,
}

impl FromStr for TraceId {
    type Err = ParseIdError;

    /// 32 hexadecimal digits, either case.
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let mut bytes = [0; 16];
        decode_hex(text, &mut bytes).ok_or(ParseIdError { digits: 32 })?;
        Ok(TraceId(bytes))
    }
}

impl FromStr for SpanId {
    type Err = ParseIdError;

    /// 16 hexadecimal digits, either case.
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let mut bytes = [0; 8];
        decode_hex(text, &mut bytes).ok_or(ParseIdError { digits: 16 })?;
        Ok(SpanId(u64::from_be_bytes(bytes)))
    }
}

fn decode_hex(text: &str, out: &mut [u8]) -> Option<()> {
    let text = text.as_bytes();
    if text.len() != out.len() * 2 {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(())
}

fn digit(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_in_either_case() {
        let id: TraceId = "4BF92F3577B34DA6A3CE929D0E0E4736".parse().unwrap();
        assert_eq!(id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let id: SpanId = "00f067aa0ba902b7".parse().unwrap();
        assert_eq!(id, SpanId(0x00f0_67aa_0ba9_02b7));
        assert_eq!(id.to_string(), "00f067aa0ba902b7");
        assert!("00f067aa0ba902b".parse::<SpanId>().is_err());
        assert!("g0f067aa0ba902b7".parse::<SpanId>().is_err());
    }
}
