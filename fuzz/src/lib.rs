//! Fuzz targets: everything that reads foreign bytes without DuckDB, with an oracle each.
//!
//! `cargo xtask fuzz` compiles them with coverage and lets libFuzzer find inputs. The tests of this crate run the seeds
//! through every target without it.

#![allow(clippy::unwrap_used)] // what cannot be unwrapped here is a finding

mod bounds;
mod heap;
mod json;
mod mutate;
mod request;
mod seeds;
mod text;

#[path = "../../collector/receive/tests/otlp/encode.rs"]
mod encode;
#[path = "../../collector/receive/tests/otlp/generate.rs"]
mod generate;
#[path = "../../collector/receive/tests/otlp/oracle.rs"]
#[allow(dead_code)] // a part is for those tests only
mod oracle;
#[path = "../../collector/receive/tests/otlp/rows.rs"]
mod rows;

use mutate::Known;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use oracle::Request;
use orrery_model::Encoding;
use std::path::Path;
use std::sync::OnceLock;

/// Something that reads bytes, and what must be true of it.
pub struct Target {
    /// What `cargo xtask fuzz` calls it.
    pub name: &'static str,
    /// Panics when something is wrong.
    pub check: fn(&[u8]),
    seeds: fn() -> Vec<Vec<u8>>,
    words: fn() -> Vec<String>,
    /// Bytes before a protobuf message; `None` where there is none.
    head: Option<usize>,
    known: OnceLock<Known>,
}

/// All there are.
pub static TARGETS: [Target; 6] = [
    of_protobuf::<ExportTraceServiceRequest>("traces", seeds::traces),
    of_protobuf::<ExportLogsServiceRequest>("logs", seeds::logs),
    of_protobuf::<ExportMetricsServiceRequest>("metrics", seeds::metrics),
    target("json", json::check, seeds::json, json::words, None),
    target("request", request::check, request::seeds, Vec::new, Some(request::HEAD)),
    target("text", text::check, text::seeds, text::words, None),
];

const fn of_protobuf<R: Request>(name: &'static str, seeds: fn() -> Vec<Vec<u8>>) -> Target {
    target(name, protobuf::<R>, seeds, Vec::new, Some(0))
}

const fn target(
    name: &'static str,
    check: fn(&[u8]),
    seeds: fn() -> Vec<Vec<u8>>,
    words: fn() -> Vec<String>,
    head: Option<usize>,
) -> Target {
    Target { name, check, seeds, words, head, known: OnceLock::new() }
}

/// What prost reads we read alike, over JSON too; what it refuses we refuse; limits hold.
fn protobuf<R: Request>(bytes: &[u8]) {
    if oracle::check_bytes::<R>(bytes) {
        oracle::check(&R::decode(bytes).unwrap());
    }
    bounds::check(R::SIGNAL, Encoding::Protobuf, bytes);
}

impl Target {
    /// Changes a field or a few of the protobuf message in the bytes and writes all lengths anew.
    ///
    /// `None` when there is no message in them or it would not fit in `max` bytes, and now and then. Then use `plain`,
    /// which changes bytes without knowing what they mean, on them all.
    pub fn mutate(&self, bytes: &[u8], max: usize, seed: u32, plain: &mut dyn FnMut(&mut Vec<u8>)) -> Option<Vec<u8>> {
        let (head, message) = bytes.split_at_checked(self.head?)?;
        let known =
            self.known.get_or_init(|| Known::of((self.seeds)().iter().filter_map(|seed| seed.get(head.len()..))));
        let mutated = mutate::mutate(message, max.checked_sub(head.len())?, known, seed, plain)?;
        Some([head, &mutated].concat())
    }

    /// Writes seeds to `directory/seeds` and libFuzzer's dictionary to `directory/words`.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn prepare(&self, directory: &Path) -> std::io::Result<()> {
        let folder = directory.join("seeds");
        std::fs::create_dir_all(&folder)?;
        for (number, seed) in (self.seeds)().iter().enumerate() {
            std::fs::write(folder.join(format!("{number:03}")), seed)?;
        }
        // libFuzzer takes no empty dictionary.
        let words: String = (self.words)().iter().map(|word| format!("{word:?}\n")).collect();
        std::fs::write(directory.join("words"), format!("# {}\n{words}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_seeds_and_they_pass_whole_and_cut() {
        for target in &TARGETS {
            let seeds = (target.seeds)();
            assert!(seeds.len() > 10, "{}: {}", target.name, seeds.len());
            for seed in seeds {
                (target.check)(&seed);
                (target.check)(&seed[..seed.len() / 2]);
            }
        }
    }
}
