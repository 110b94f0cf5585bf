//! Compression, once at build time.

use crate::assets::File;
use std::io::Write;

/// Brotli's best: a tenth smaller than 9, for some seconds per change of the dashboard.
const QUALITY: u32 = 11;

/// Adds the compressed forms where they save at least a tenth.
pub(crate) fn all(files: &mut [File]) {
    for file in files {
        let worth = |compressed: Vec<u8>, bytes: &[u8]| (compressed.len() * 10 < bytes.len() * 9).then_some(compressed);
        if file.content_type == "font/woff2" {
            continue; // is brotli already
        }
        file.brotli = worth(brotli(&file.bytes), &file.bytes);
        file.gzip = worth(gzip(&file.bytes), &file.bytes);
    }
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = brotli::CompressorWriter::new(&mut out, 1 << 16, QUALITY, 24);
    writer.write_all(bytes).expect("writing to a vector");
    drop(writer);
    out
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    writer.write_all(bytes).expect("writing to a vector");
    writer.finish().expect("writing to a vector")
}
