//! How a record lies in a file: a header with its own checksum, then the payload.
//!
//! The header's checksum makes the length trustworthy, so that a damaged payload costs one record and the next one is
//! found. All numbers are little-endian.

use orrery_model::{Body, Compression, Encoding, Signal};

/// First bytes of every file.
pub(crate) const FILE_MAGIC: &[u8; 8] = b"ORRYWAL1";
const MAGIC: [u8; 4] = *b"ORW1";
/// Bytes of a header.
pub(crate) const HEADER: usize = 40;

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A request body.
    Body { signal: Signal, encoding: Encoding, compression: Compression },
    /// Counts of rejected and refused items, as JSON.
    Counts,
}

/// Header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) seq: u64,
    pub(crate) kind: Kind,
    pub(crate) received_unix_nano: i64,
    /// Rows the body decodes to: what is lost if it is damaged.
    pub(crate) items: u32,
    pub(crate) payload_bytes: u32,
    pub(crate) payload_crc: u32,
}

impl Header {
    pub(crate) fn of_body(seq: u64, body: &Body, items: usize) -> Header {
        let kind = Kind::Body { signal: body.signal, encoding: body.encoding, compression: body.compression };
        let items = u32::try_from(items).unwrap_or(u32::MAX);
        Header { seq, kind, received_unix_nano: body.received_unix_nano, items, payload_bytes: 0, payload_crc: 0 }
    }

    pub(crate) fn of_counts(seq: u64) -> Header {
        Header { seq, kind: Kind::Counts, received_unix_nano: 0, items: 0, payload_bytes: 0, payload_crc: 0 }
    }

    /// Appends the record: this header, completed for `payload`, and the payload.
    pub(crate) fn encode(mut self, payload: &[u8], out: &mut Vec<u8>) {
        self.payload_bytes = u32::try_from(payload.len()).expect("receivers bound bodies far below 4 GiB");
        self.payload_crc = crc32fast::hash(payload);
        let (kind, signal, encoding, compression) = match self.kind {
            Kind::Body { signal, encoding, compression } => {
                (0, signal_number(signal), encoding as u8, compression as u8)
            }
            Kind::Counts => (1, 0, 0, 0),
        };
        let mut rest = [0; HEADER - 8];
        rest[0..8].copy_from_slice(&self.seq.to_le_bytes());
        rest[8..16].copy_from_slice(&self.received_unix_nano.to_le_bytes());
        rest[16..20].copy_from_slice(&self.payload_bytes.to_le_bytes());
        rest[20..24].copy_from_slice(&self.payload_crc.to_le_bytes());
        rest[24..28].copy_from_slice(&self.items.to_le_bytes());
        rest[28..32].copy_from_slice(&[kind, signal, encoding, compression]);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&crc32fast::hash(&rest).to_le_bytes());
        out.extend_from_slice(&rest);
        out.extend_from_slice(payload);
    }

    /// The header at the start of `bytes`, if there is an intact one.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Header> {
        let bytes = bytes.get(..HEADER)?;
        let rest = &bytes[8..];
        if bytes[..4] != MAGIC || u32_at(bytes, 4) != crc32fast::hash(rest) {
            return None;
        }
        let kind = match rest[28] {
            0 => Kind::Body {
                signal: [Signal::Traces, Signal::Logs, Signal::Metrics].get(usize::from(rest[29])).copied()?,
                encoding: [Encoding::Protobuf, Encoding::Json].get(usize::from(rest[30])).copied()?,
                compression: [Compression::Identity, Compression::Gzip, Compression::Zstd]
                    .get(usize::from(rest[31]))
                    .copied()?,
            },
            1 => Kind::Counts,
            _ => return None,
        };
        Some(Header {
            seq: u64::from(u32_at(rest, 0)) | u64::from(u32_at(rest, 4)) << 32,
            kind,
            received_unix_nano: (u64::from(u32_at(rest, 8)) | u64::from(u32_at(rest, 12)) << 32) as i64,
            payload_bytes: u32_at(rest, 16),
            payload_crc: u32_at(rest, 20),
            items: u32_at(rest, 24),
        })
    }

    /// The body this record's payload is; `None` for counts.
    pub(crate) fn body(&self, payload: &[u8]) -> Option<Body> {
        let Kind::Body { signal, encoding, compression } = self.kind else { return None };
        Some(Body {
            signal,
            encoding,
            compression,
            received_unix_nano: self.received_unix_nano,
            bytes: payload.to_vec(),
        })
    }
}

/// Where the next record might begin, at or after `from`.
pub(crate) fn find_magic(bytes: &[u8], from: usize) -> Option<usize> {
    bytes.get(from..)?.windows(MAGIC.len()).position(|window| window == MAGIC).map(|at| from + at)
}

fn signal_number(signal: Signal) -> u8 {
    match signal {
        Signal::Traces => 0,
        Signal::Logs => 1,
        Signal::Metrics => 2,
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}
