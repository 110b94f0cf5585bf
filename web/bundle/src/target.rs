//! The wasm target's standard library: there, or had from rustup, or built from Debian's sources.

use crate::Config;
use crate::progress::say;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The target of the dashboard.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Makes sure that the compiler of this build can compile for [`TARGET`].
pub(crate) fn ensure(config: &Config) -> Result<()> {
    if installed(&sysroot()?) {
        return Ok(());
    }
    say("Dashboard", &format!("rustc has no {TARGET}; adding it (rustup, else from Debian's rust-src)"));
    let script = config.workspace.join("web/bundle/wasm-target.sh");
    let _ = crate::compile::clean(Command::new("bash").arg(&script)).status();
    if installed(&sysroot()?) {
        return Ok(());
    }
    bail!(
        "rustc cannot compile for {TARGET}.\n  With rustup:     rustup target add {TARGET}\n  \
         Debian's rustc:  apt install libstd-rust-dev-wasm32\n  Then build again."
    )
}

fn installed(sysroot: &Path) -> bool {
    let lib = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    let Ok(entries) = std::fs::read_dir(lib) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
}

fn sysroot() -> Result<PathBuf> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output =
        Command::new(&rustc).args(["--print", "sysroot"]).output().with_context(|| format!("cannot run {rustc:?}"))?;
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}
