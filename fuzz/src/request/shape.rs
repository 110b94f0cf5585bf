//! A fuzzer's bytes as a request: three bytes say how it is sent, the rest is what.

use super::limits;
use crate::oracle::RECEIVED;
use crate::seeds;
use hyper::body::Bytes;
use orrery_model::{Body, Compression, Encoding, Signal};
use std::io::Write;

/// Bytes that say how it is sent.
pub(crate) const HEAD: usize = 3;

/// How a body is compressed; HTTP's `deflate` besides what is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Coding {
    Identity,
    Gzip,
    Zstd,
    Deflate,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Transport {
    Http(Encoding),
    Grpc,
}

#[derive(Debug)]
pub(crate) struct Shape<'a> {
    pub(crate) signal: Signal,
    pub(crate) transport: Transport,
    pub(crate) coding: Coding,
    /// Compressed and framed by us, so that a fuzzer need not find out how; else sent as it is.
    is_wrapped: bool,
    /// How often the content is repeated, if we wrap it: how bombs are made.
    times: usize,
    content: &'a [u8],
}

/// What goes out, and what we know of it.
pub(crate) struct Sent {
    pub(crate) wire: Bytes,
    /// What a receiver without limits reads; `None` when nobody but the receiver knows.
    pub(crate) body: Option<Body>,
    pub(crate) is_too_big: bool,
    pub(crate) may_be_too_big: bool,
}

impl Shape<'_> {
    /// Bytes of the largest content.
    const MOST: usize = 4 << 20;

    pub(crate) fn of(bytes: &[u8]) -> Option<Shape<'_>> {
        let (&[what, how, times], content) = bytes.split_first_chunk::<HEAD>()?;
        let transports = [Transport::Http(Encoding::Protobuf), Transport::Http(Encoding::Json), Transport::Grpc];
        let codings = [Coding::Identity, Coding::Gzip, Coding::Zstd, Coding::Deflate];
        let (transport, coding) = (transports[usize::from(what / 3 % 3)], codings[usize::from(how % 4)]);
        Some(Shape {
            signal: Signal::ALL[usize::from(what % 3)],
            transport,
            // gRPC knows no deflate.
            coding: if transport == Transport::Grpc && coding == Coding::Deflate { Coding::Gzip } else { coding },
            is_wrapped: how & 4 == 0,
            times: (1 << (times % 16)).min(Self::MOST / content.len().max(1)),
            content,
        })
    }

    pub(crate) fn send(&self) -> Sent {
        if !self.is_wrapped {
            return self.raw();
        }
        let plain = self.content.repeat(self.times);
        let coded = match self.coding {
            Coding::Identity => plain.clone(),
            Coding::Gzip => gzip(&plain),
            Coding::Zstd => zstd::bulk::compress(&plain, 1).unwrap(),
            Coding::Deflate => deflate(&plain),
        };
        let is_compressed = self.coding != Coding::Identity;
        let is_too_big =
            coded.len() > limits().max_wire_bytes || is_compressed && plain.len() > limits().max_decompressed_bytes;
        // Two bytes are the smallest item, resource or scope.
        let may_be_too_big = is_too_big || plain.len() > 2 * limits().max_items;
        let wire = if self.transport == Transport::Grpc { framed(is_compressed, &coded) } else { coded };
        Sent { wire: wire.into(), body: Some(self.body(Compression::Identity, plain)), is_too_big, may_be_too_big }
    }

    fn raw(&self) -> Sent {
        let compression = match self.coding {
            Coding::Identity => Some(Compression::Identity),
            Coding::Gzip => Some(Compression::Gzip),
            Coding::Zstd => Some(Compression::Zstd),
            Coding::Deflate => None,
        };
        let is_framed = self.transport == Transport::Grpc;
        let body = compression.filter(|_| !is_framed).map(|compression| self.body(compression, self.content.to_vec()));
        Sent { wire: Bytes::copy_from_slice(self.content), body, is_too_big: false, may_be_too_big: true }
    }

    fn body(&self, compression: Compression, bytes: Vec<u8>) -> Body {
        let encoding = match self.transport {
            Transport::Http(encoding) => encoding,
            Transport::Grpc => Encoding::Protobuf,
        };
        Body { signal: self.signal, encoding, compression, received_unix_nano: RECEIVED, bytes }
    }
}

fn framed(is_compressed: bool, message: &[u8]) -> Vec<u8> {
    [&[u8::from(is_compressed)], &(message.len() as u32).to_be_bytes()[..], message].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Each signal over each transport in each coding, wrapped by us and in the raw; once blown up.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let protobuf = [seeds::traces(), seeds::logs(), seeds::metrics()].map(|seeds| seeds[0].clone());
    let json: Vec<Vec<u8>> = seeds::json().into_iter().take(3).collect();
    let mut seeds = Vec::new();
    for what in 0..9 {
        let plain = if what / 3 == 1 { &json[usize::from(what % 3)] } else { &protobuf[usize::from(what % 3)] };
        for how in 0..4 {
            let wrapped = [&[what, how, 0], &plain[..]].concat();
            let wire = Shape::of(&wrapped).expect("three bytes and more").send().wire;
            seeds.push(wrapped);
            seeds.push([&[what, how | 4, 0], &wire[..]].concat());
        }
        seeds.push([&[what, 1, 12], &plain[..]].concat());
    }
    seeds
}
