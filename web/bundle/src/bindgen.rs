//! wasm-bindgen, and `wasm-opt` where there is one.

use crate::Config;
use crate::progress::say;
use anyhow::{Context, Result};
use std::process::{Command, Stdio};
use wasm_bindgen_cli_support::Bindgen;

/// The program in the two files that a browser loads first.
pub(crate) struct Program {
    pub(crate) wasm: Vec<u8>,
    pub(crate) js: String,
}

/// Makes the browser's half of a program.
pub(crate) fn bindgen(program: walrus::Module, config: &Config) -> Result<Program> {
    let mut output = Bindgen::new()
        .input_module("orrery", program)
        .web(true)?
        .typescript(false)
        // Chunks share table and stack with the program.
        .keep_lld_exports(true)
        .omit_default_module_path(true)
        .generate_output()?;
    let js = output.js().to_owned();
    let wasm = output.wasm_mut().emit_wasm();
    Ok(Program { wasm: optimized(&wasm, config).unwrap_or(wasm), js })
}

/// What `wasm-opt -Oz` makes of it; `None` without a `wasm-opt` or when it fails, which costs only size.
///
/// No feature flags: it reads them from the module. `--all-features` produces modules that browsers refuse.
fn optimized(wasm: &[u8], config: &Config) -> Option<Vec<u8>> {
    let missing =
        Command::new("wasm-opt").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err();
    if missing {
        return None;
    }
    say("Dashboard", "optimizing with wasm-opt");
    let input = config.target_dir.join("wasm-ui/orrery.before-opt.wasm");
    let output = input.with_file_name("orrery.after-opt.wasm");
    std::fs::write(&input, wasm).ok()?;
    let status = Command::new("wasm-opt").arg("-Oz").arg(&input).arg("-o").arg(&output).status().ok()?;
    let better = status.success().then(|| std::fs::read(&output).context("output of wasm-opt").ok()).flatten()?;
    (better.starts_with(b"\0asm") && better.len() < wasm.len()).then_some(better)
}
