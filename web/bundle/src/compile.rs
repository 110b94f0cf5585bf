//! The nested cargo run.

use crate::Config;
use crate::progress::say;
use crate::target::TARGET;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Command;

/// The cargo profile: small.
const PROFILE: &str = "wasm";

/// Compiles `orrery-ui` and returns the wasm file.
pub(crate) fn compile(config: &Config) -> Result<PathBuf> {
    let target_dir = config.target_dir.join("wasm-ui");
    let wasm = target_dir.join(TARGET).join(PROFILE).join("orrery_ui.wasm");
    if !wasm.exists() {
        say("Dashboard", "compiling to wasm; the first time takes about two minutes");
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(&config.workspace);
    command.args(["build", "--quiet", "--package", "orrery-ui", "--target", TARGET, "--profile", PROFILE]);
    command.arg("--target-dir").arg(&target_dir);
    clean(&mut command);
    // Erased components are smaller and compile faster; relocations say what a chunk needs.
    command.env("CARGO_ENCODED_RUSTFLAGS", "--cfg\u{1f}erase_components\u{1f}-Clink-arg=--emit-relocs");
    let output = command.output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("compiling orrery-ui failed\n{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(wasm)
}

/// Takes away what the outer cargo set for this build script: it is about the server, not about the dashboard.
pub(crate) fn clean(command: &mut Command) -> &mut Command {
    const KEEP: [&str; 8] = [
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTRY_",
        "CARGO_REGISTRIES_",
        "CARGO_SOURCE_",
        "CARGO_TERM_",
        "CARGO_LOG",
    ];
    const OURS: [&str; 12] = [
        "RUSTFLAGS",
        "RUSTC",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_LINKER",
        "RUSTDOC",
        "RUSTDOCFLAGS",
        "TARGET",
        "HOST",
        "OUT_DIR",
        "PROFILE",
        "OPT_LEVEL",
    ];
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let cargo = text.starts_with("CARGO") && !KEEP.iter().any(|keep| text.starts_with(keep));
        if cargo || OURS.contains(&text.as_ref()) {
            command.env_remove(&name);
        }
    }
    command
}
