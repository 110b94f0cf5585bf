//! A request body to a batch: decompress, count, decode.

use crate::budget::Reservation;
use crate::builder::{Builder, Columns, Failure, Meter};
use crate::compress::{Coding, decompress};
use crate::config::Limits;
use crate::counts::Counts;
use crate::{json, protobuf};
use orrery_model::{Batch, Body, Decode, DecodeError, Encoding, LogBatch, MetricBatch, Signal, SpanBatch};

/// Decodes OTLP. Also what the engine replays its log with.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    limits: Limits,
}

/// What a request comes to: its valid items, and what is wrong with the rest.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The valid items.
    pub batch: Batch,
    /// Items that are not valid, by [`crate::reason`].
    pub rejected: Counts,
    /// Parts of valid items that are not in the batch as they were sent, by [`crate::reason`].
    pub dropped: Counts,
}

/// What is to be decoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encoded<'a> {
    pub(crate) signal: Signal,
    pub(crate) encoding: Encoding,
    pub(crate) coding: Coding,
    pub(crate) received_unix_nano: i64,
    pub(crate) bytes: &'a [u8],
}

impl Decoder {
    /// A decoder that cuts and drops by these limits.
    pub fn new(limits: Limits) -> Decoder {
        Decoder { limits }
    }

    /// Decodes a stored body, or one of a test or tool: without the limits on a whole request.
    ///
    /// Deterministic: the same body with the same limits per item gives the same batch.
    ///
    /// # Errors
    /// [`DecodeError`]: the body is no request of its signal.
    pub fn decode_body(&self, body: &Body) -> Result<Decoded, DecodeError> {
        let encoded = Encoded {
            signal: body.signal,
            encoding: body.encoding,
            coding: Coding::Kept(body.compression),
            received_unix_nano: body.received_unix_nano,
            bytes: &body.bytes,
        };
        let decoded = decompress(encoded.coding, encoded.bytes, u32::MAX as usize, None)
            .and_then(|plain| self.decode_plain(&encoded, &plain, None));
        let decoded = decoded.map(|(decoded, _)| decoded);
        decoded.map_err(|failure| DecodeError { signal: body.signal, reason: failure.to_string() })
    }

    /// Decodes a request from the network within all limits. The reservation comes back holding what the batch weighs.
    pub(crate) fn decode_request(
        &self,
        encoded: &Encoded<'_>,
        mut reservation: Reservation,
    ) -> Result<(Decoded, Option<Reservation>), Failure> {
        if encoded.coding == Coding::Kept(orrery_model::Compression::Identity) {
            return self.decode_plain(encoded, encoded.bytes, Some(reservation));
        }
        let plain =
            decompress(encoded.coding, encoded.bytes, self.limits.max_decompressed_bytes, Some(&mut reservation))?;
        self.decode_plain(encoded, &plain, Some(reservation))
    }

    fn decode_plain(
        &self,
        encoded: &Encoded<'_>,
        plain: &[u8],
        reservation: Option<Reservation>,
    ) -> Result<(Decoded, Option<Reservation>), Failure> {
        match encoded.signal {
            Signal::Traces => self.decode_as::<SpanBatch>(encoded, plain, reservation),
            Signal::Logs => self.decode_as::<LogBatch>(encoded, plain, reservation),
            Signal::Metrics => self.decode_as::<MetricBatch>(encoded, plain, reservation),
        }
    }

    fn decode_as<C: Columns>(
        &self,
        encoded: &Encoded<'_>,
        plain: &[u8],
        reservation: Option<Reservation>,
    ) -> Result<(Decoded, Option<Reservation>), Failure>
    where
        for<'l> Builder<'l, C>: protobuf::ReadItem + json::ReadItem,
    {
        let max = if reservation.is_some() { self.limits.max_items } else { usize::MAX };
        let rows = match encoded.encoding {
            Encoding::Protobuf => self.count(encoded.signal, plain, max)?,
            Encoding::Json => 0,
        };
        let meter = reservation.map(|reservation| Meter { reservation, granted: 0 });
        let mut builder = Builder::<C>::new(&self.limits, encoded.received_unix_nano, rows, max, meter);
        match encoded.encoding {
            Encoding::Protobuf => protobuf::read(&mut builder, plain)?,
            Encoding::Json => json::read(&mut builder, plain)?,
        }
        let (batch, rejected, dropped, reservation) = builder.finish();
        Ok((Decoded { batch, rejected, dropped }, reservation))
    }

    /// How many rows to make room for.
    fn count(&self, signal: Signal, plain: &[u8], max: usize) -> Result<usize, Failure> {
        /// No valid item is much smaller, so that empty items make no room for themselves.
        const SMALLEST_ITEM: usize = 16;
        let census = protobuf::count(signal, plain, max)?;
        if census.total() > max {
            return Err(Failure::too_many(max));
        }
        Ok(census.items.min(plain.len() / SMALLEST_ITEM))
    }
}

impl Decode for Decoder {
    fn decode(&self, body: &Body) -> Result<Batch, DecodeError> {
        self.decode_body(body).map(|decoded| decoded.batch)
    }
}
