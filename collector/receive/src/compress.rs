//! Decompression that cannot be made to use more memory than allowed.

use crate::budget::Reservation;
use crate::builder::Failure;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use orrery_model::Compression;
use std::io::{self, Read};

/// zstd frames may ask for windows of gigabytes; 8 MiB is what the format's specification asks decoders to support.
const ZSTD_WINDOW_LOG: u32 = 23;
/// Bodies up to here are decompressed in one go; larger ones are measured first, so that a bomb fills no memory.
const SMALL: usize = 4 << 20;

/// How a request body is compressed, as far as we understand it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// As the write-ahead log keeps it.
    Kept(Compression),
    /// HTTP `deflate`: zlib, or raw deflate from those who read the name literally. Not kept.
    Deflate,
}

/// The bytes behind `bytes`, at most `limit`; the reservation pays for them.
///
/// Bodies are often a hundredth of what they decompress to, so the size is known only afterwards: the first pass stops at
/// [`SMALL`], a second one counts, a third one fills a buffer of exactly that size.
pub(crate) fn decompress(
    coding: Coding,
    bytes: &[u8],
    limit: usize,
    reservation: Option<&mut Reservation>,
) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::with_capacity(expected(coding, bytes).min(SMALL).min(limit));
    read_at_most(coding, bytes, SMALL.min(limit) + 1, &mut out)?;
    let mut length = out.len();
    if length > SMALL.min(limit) {
        length =
            io::copy(&mut reader(coding, bytes)?.take(limit as u64 + 1), &mut io::sink()).map_err(corrupt)? as usize;
        if length > limit {
            return Err(Failure::TooBig(format!("the decompressed request is larger than {limit} bytes")));
        }
    }
    if reservation.is_some_and(|reservation| !reservation.grow(length)) {
        return Err(Failure::Busy);
    }
    if length > out.len() {
        out = Vec::with_capacity(length);
        read_at_most(coding, bytes, length, &mut out)?;
    }
    Ok(out)
}

/// What gzip says about the length at its end; whoever lies gains nothing but a smaller or larger first allocation.
fn expected(coding: Coding, bytes: &[u8]) -> usize {
    match (coding, bytes.last_chunk::<4>()) {
        (Coding::Kept(Compression::Gzip), Some(length)) => u32::from_le_bytes(*length) as usize,
        _ => bytes.len(),
    }
}

fn read_at_most(coding: Coding, bytes: &[u8], most: usize, out: &mut Vec<u8>) -> Result<(), Failure> {
    reader(coding, bytes)?.take(most as u64).read_to_end(out).map_err(corrupt)?;
    Ok(())
}

fn reader<'a>(coding: Coding, bytes: &'a [u8]) -> Result<Box<dyn Read + 'a>, Failure> {
    Ok(match coding {
        Coding::Kept(Compression::Identity) => Box::new(bytes),
        Coding::Kept(Compression::Gzip) => Box::new(MultiGzDecoder::new(bytes)),
        Coding::Kept(Compression::Zstd) => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(corrupt)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(corrupt)?;
            Box::new(decoder)
        }
        Coding::Deflate if is_zlib(bytes) => Box::new(ZlibDecoder::new(bytes)),
        Coding::Deflate => Box::new(DeflateDecoder::new(bytes)),
    })
}

/// RFC 1950: method 8, and the first two bytes are a multiple of 31.
fn is_zlib(bytes: &[u8]) -> bool {
    matches!(bytes, [first, second, ..] if first & 0x0f == 8 && u16::from_be_bytes([*first, *second]) % 31 == 0)
}

fn corrupt(error: io::Error) -> Failure {
    let text = error.to_string();
    if text.contains("too much memory") {
        return Failure::TooBig(format!("the zstd window is larger than {} bytes", 1u64 << ZSTD_WINDOW_LOG));
    }
    Failure::Malformed(format!("the body does not decompress: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression as Level;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Level::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    const GZIP: Coding = Coding::Kept(Compression::Gzip);
    const ZSTD: Coding = Coding::Kept(Compression::Zstd);

    #[test]
    fn every_coding_round_trips_below_and_above_the_small_size() {
        for length in [0, 1, 1000, SMALL - 1, SMALL, SMALL + 1, 3 * SMALL] {
            let text: Vec<u8> = (0..length).map(|at| (at / 100) as u8).collect();
            let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), Level::fast());
            zlib.write_all(&text).unwrap();
            let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), Level::fast());
            raw.write_all(&text).unwrap();
            for (coding, bytes) in [
                (Coding::Kept(Compression::Identity), text.clone()),
                (GZIP, gzip(&text)),
                (ZSTD, zstd::encode_all(&text[..], 1).unwrap()),
                (Coding::Deflate, zlib.finish().unwrap()),
                (Coding::Deflate, raw.finish().unwrap()),
            ] {
                assert!(decompress(coding, &bytes, 4 * SMALL, None).unwrap() == text, "{coding:?} {length}");
            }
        }
    }

    #[test]
    fn several_gzip_members_are_one_body() {
        let bytes = [gzip(b"one "), gzip(b"two")].concat();
        assert_eq!(decompress(GZIP, &bytes, 100, None).unwrap(), b"one two");
    }

    #[test]
    fn damage_is_malformed() {
        let whole = gzip(&[1; 1000]);
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        let garbage = [&whole[..], b"garbage"].concat();
        let zstd = zstd::encode_all(&[1; 1000][..], 1).unwrap();
        for (coding, bytes) in [
            (GZIP, &whole[..whole.len() - 3]),
            (GZIP, &flipped),
            (GZIP, &garbage),
            (GZIP, b"plain"),
            (ZSTD, &zstd[..9]),
            (ZSTD, b"plain"),
            (Coding::Deflate, b"plain"),
        ] {
            assert!(
                matches!(decompress(coding, bytes, 1 << 20, None), Err(Failure::Malformed(_))),
                "{coding:?} {bytes:?}"
            );
        }
    }

    #[test]
    fn at_the_limit_is_fine_and_over_it_is_not() {
        for limit in [10, SMALL, SMALL + 5] {
            let bytes = gzip(&vec![0; limit]);
            assert_eq!(decompress(GZIP, &bytes, limit, None).unwrap().len(), limit);
            assert!(matches!(decompress(GZIP, &bytes, limit - 1, None), Err(Failure::TooBig(_))));
        }
    }
}
