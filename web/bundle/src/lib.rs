//! Builds the dashboard: Rust to wasm, wasm to a set of hashed, compressed files that the server embeds.
//!
//! The server's build script is one line, [`build_script`]; `cargo run -p orrery-bundle --example dist -- <dir>` writes
//! the same files to a folder. Nothing is fetched, no Node, no trunk.
//!
//! ```text
//! wasm target there? → nested cargo → cut → wasm-bindgen → hash names → shell page → brotli, gzip → manifest.rs
//!      (target)        (compile)    (split)  (bindgen)          (assets, shell)        (compress)   (manifest)
//! ```
//!
//! `ORRERY_SKIP_UI=1` builds no dashboard but one page that says so: for those who work on something else.

mod assets;
mod bindgen;
mod compile;
mod compress;
mod manifest;
mod progress;
mod shell;
mod split;
mod target;

use anyhow::{Context, Result};
use progress::say;
use std::path::{Path, PathBuf};
use std::time::Instant;

pub use assets::{File, pages};

/// Most wasm that a visit may begin with, in bytes of brotli: the program and the first page.
pub const WASM_BUDGET_BYTES: usize = 450 * 1024;

/// What to build and where.
#[derive(Clone, Debug)]
pub struct Config {
    /// Root of the workspace.
    pub workspace: PathBuf,
    /// Cargo's target directory; the wasm goes into its `wasm-ui`, a lock of its own.
    pub target_dir: PathBuf,
}

impl Config {
    /// For the workspace of the working directory: cargo runs build scripts and tests in their package. A path known at
    /// compile time may be another checkout's, where checkouts share a target directory.
    ///
    /// `out_dir`: any folder below cargo's target directory.
    pub fn below(out_dir: &Path) -> Config {
        let here = std::env::current_dir().unwrap_or_default();
        let root = here.ancestors().find(|dir| dir.join("Cargo.lock").is_file()).unwrap_or(&here);
        Config { workspace: root.to_path_buf(), target_dir: target_dir(out_dir) }
    }
}

/// All of a build script: builds the dashboard, writes `$OUT_DIR/manifest.rs`, tells cargo what to watch.
///
/// `manifest.rs` holds `pub struct File` and `pub static FILES: &[File]`; `include!` it in a module of its own.
/// When the dashboard cannot be built, the build stops with what to do about it.
pub fn build_script() {
    println!("cargo:rerun-if-env-changed=ORRERY_SKIP_UI");
    let out_dir = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR for build scripts"));
    let config = Config::below(&out_dir);
    for path in watched(&config.workspace) {
        println!("cargo:rerun-if-changed={}", path.display());
    }
    if let Err(error) = run(&config, &out_dir) {
        // `cargo::error` is shown without the wall of text around a panic.
        for line in format!("the dashboard was not built: {error:#}").lines() {
            println!("cargo::error={line}");
        }
        println!("cargo::error=(ORRERY_SKIP_UI=1 builds the server without it)");
        std::process::exit(1);
    }
}

fn run(config: &Config, out_dir: &Path) -> Result<()> {
    let files = match std::env::var("ORRERY_SKIP_UI") {
        Ok(value) if !value.is_empty() && value != "0" => vec![shell::not_built()],
        _ => build(config)?,
    };
    manifest::write(&files, out_dir)
}

/// Builds the dashboard: every file it consists of, with [`File::path`]s as a browser asks for them; the page itself is
/// `/index.html`.
///
/// # Errors
/// No wasm target and none could be had, the dashboard does not compile, a file is missing: shown to a person.
pub fn build(config: &Config) -> Result<Vec<File>> {
    let started = Instant::now();
    target::ensure(config)?;
    let wasm = compile::compile(config)?;
    let split = split::split(&wasm, config).context("cutting the wasm into chunks")?;
    let program = bindgen::bindgen(split.program).context("wasm-bindgen")?;
    let ui = config.workspace.join("web/ui");
    let mut files = assets::collect(&ui, program, split.chunks)?;
    files.push(shell::page(&ui, &files)?);
    compress::all(&mut files);
    report(&files, started);
    Ok(files)
}

fn report(files: &[File], started: Instant) {
    let kib = |bytes: usize| bytes.div_ceil(1024);
    let program = files.iter().find(|file| file.is("orrery.wasm")).map_or(0, File::size);
    let chunks: Vec<(&str, usize)> = files.iter().filter_map(|file| Some((file.chunk()?, file.size()))).collect();
    let all = program + chunks.iter().map(|(_, size)| size).sum::<usize>();
    let listed: Vec<String> = chunks.iter().map(|(name, size)| format!("{name} {}", kib(*size))).collect();
    say(
        "Dashboard",
        &format!(
            "ready: {} KiB of wasm over the wire, chunks {}, in all {} KiB; {:.1} s",
            kib(program),
            listed.join(", "),
            kib(all),
            started.elapsed().as_secs_f64()
        ),
    );
    for (page, chunks) in pages(files) {
        let size = program + chunks.into_iter().map(File::size).sum::<usize>();
        if size > WASM_BUDGET_BYTES {
            let (size, budget) = (kib(size), kib(WASM_BUDGET_BYTES));
            println!("cargo:warning=the page {page} needs {size} KiB of wasm, over the budget of {budget} KiB");
        }
    }
}

/// What the dashboard is made of.
fn watched(workspace: &Path) -> Vec<PathBuf> {
    ["web/ui", "web/chart", "web/api", "Cargo.toml", "Cargo.lock"].iter().map(|path| workspace.join(path)).collect()
}

/// Cargo's target directory, which it marks with a `CACHEDIR.TAG` if it made it; else by where cargo puts what it makes:
/// `<target>/<profile>/{build,deps}/…`.
fn target_dir(below: &Path) -> PathBuf {
    let tagged = below.ancestors().find(|dir| dir.join("CACHEDIR.TAG").is_file());
    let is_made = |dir: &&Path| dir.file_name().is_some_and(|name| name == "build" || name == "deps");
    let usual = || below.ancestors().find(is_made)?.ancestors().nth(2);
    tagged.or_else(usual).unwrap_or(below).to_path_buf()
}

#[cfg(test)]
mod tests;
