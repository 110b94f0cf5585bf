//! A received request body: what the write-ahead log keeps, and how it becomes a batch again.

use crate::batch::Batch;
use crate::signal::Signal;
use serde::{Deserialize, Serialize};

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Encoding {
    /// OTLP protobuf.
    Protobuf = 0,
    /// OTLP/JSON.
    Json = 1,
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Compression {
    /// Not at all.
    Identity = 0,
    /// gzip.
    Gzip = 1,
    /// zstd.
    Zstd = 2,
}

/// A request body as it came over the wire: an OTLP `Export…ServiceRequest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// What it carries.
    pub signal: Signal,
    /// How it is written.
    pub encoding: Encoding,
    /// How it is compressed.
    pub compression: Compression,
    /// When it arrived, Unix nanoseconds. Decoding the same body again with the same time gives the same batch.
    pub received_unix_nano: i64,
    /// The bytes, still compressed.
    pub bytes: Vec<u8>,
}

/// Why a stored body no longer decodes: a bug, or a damaged log record. The record is set aside and counted.
#[derive(Debug, thiserror::Error)]
#[error("stored {signal} body does not decode: {reason}")]
pub struct DecodeError {
    /// Which signal.
    pub signal: Signal,
    /// What is wrong, for the log.
    pub reason: String,
}

/// Turns stored bodies into batches: how the engine replays its log without knowing the wire format.
pub trait Decode: Send + Sync {
    /// The valid rows of a body that was accepted before; rows rejected then are left out again.
    ///
    /// # Errors
    /// [`DecodeError`]: set the record aside and count it.
    fn decode(&self, body: &Body) -> Result<Batch, DecodeError>;
}
