//! libFuzzer's entry: `ORRERY_FUZZ_TARGET` says which target. Started by `cargo xtask fuzz`.

#![no_main]

use orrery_fuzz::{TARGETS, Target};
use std::sync::OnceLock;

static TARGET: OnceLock<&Target> = OnceLock::new();

libfuzzer_sys::fuzz_target!(init: init(), |bytes: &[u8]| {
    (TARGET.get().expect("init comes first").check)(bytes);
});

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
