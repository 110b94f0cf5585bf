//! libFuzzer's entry: `ORRERY_FUZZ_TARGET` says which target. Started by `cargo xtask fuzz`.

#![no_main]

use orrery_fuzz::{TARGETS, Target};
use std::sync::OnceLock;

static TARGET: OnceLock<&Target> = OnceLock::new();

libfuzzer_sys::fuzz_target!(init: init(), |bytes: &[u8]| {
    (target().check)(bytes);
});

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    match target().mutate(&data[..size], max_size, seed, &mut plain) {
        Some(mutated) => {
            data[..mutated.len()].copy_from_slice(&mutated);
            mutated.len()
        }
        None => libfuzzer_sys::fuzzer_mutate(data, size, max_size),
    }
});

/// libFuzzer's own mutations, which may add a few bytes.
fn plain(bytes: &mut Vec<u8>) {
    let size = bytes.len();
    bytes.resize(size + 16, 0);
    let size = libfuzzer_sys::fuzzer_mutate(bytes, size, size + 16);
    bytes.truncate(size);
}

fn target() -> &'static Target {
    TARGET.get().expect("init comes first")
}

/// Without a target: lists them. With `ORRERY_FUZZ_SEEDS`, a directory: writes its seeds and its dictionary, and ends.
#[allow(clippy::exit)] // libFuzzer goes on otherwise
fn init() {
    let Ok(name) = std::env::var("ORRERY_FUZZ_TARGET") else {
        TARGETS.iter().for_each(|target| println!("{}", target.name));
        std::process::exit(0);
    };
    let target = TARGETS.iter().find(|target| target.name == name).expect("ORRERY_FUZZ_TARGET is a target");
    if let Some(directory) = std::env::var_os("ORRERY_FUZZ_SEEDS") {
        target.prepare(directory.as_ref()).expect("the directory can be written");
        std::process::exit(0);
    }
    _ = TARGET.set(target);
}
