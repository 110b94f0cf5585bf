//! wasm-bindgen.
//!
//! No `wasm-opt`: Debian's makes fewer bytes that compress worse, and a program that does not start.

use anyhow::Result;
use wasm_bindgen_cli_support::Bindgen;

/// The program in the two files that a browser loads first.
pub(crate) struct Program {
    pub(crate) wasm: Vec<u8>,
    pub(crate) js: String,
}

/// Makes the browser's half of a program.
pub(crate) fn bindgen(program: walrus::Module) -> Result<Program> {
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
    Ok(Program { wasm, js })
}
