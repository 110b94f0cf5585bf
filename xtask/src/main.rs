//! Chores of a developer: `cargo xtask <chore>`.

mod browser;
mod fuzz;
mod run;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Chores of a developer on Orrery.
#[derive(Parser)]
#[command(name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Run every test of the project, the browser's too (installs Chromium from Debian where it may).
    Test {
        /// Only tests whose name contains this.
        filter: Option<String>,
        /// Leave the browser tests out.
        #[arg(long)]
        no_browser: bool,
    },
    /// Measure the server under synthetic load; prints JSON. Further arguments go to `orrery-synth bench`.
    Bench {
        /// For example `--shape l1 --items 20000000 --compression zstd`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Offer the server three and ten times what it can take. Further arguments go to `orrery-synth overload`.
    Overload {
        /// For example `--seconds 600`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Measure how the server judges a thousand rules, and replays them over a month. Further arguments go to
    /// `orrery-synth alerts`.
    Alerts {
        /// For example `--failures 20`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Fuzz what reads foreign bytes, steered by coverage. `ORRERY_SEED` for another or the same seed.
    Fuzz {
        /// Only this target: `traces`, `logs`, `metrics`, `json`, `request` or `text`.
        target: Option<String>,
        /// Time per target.
        #[arg(long, default_value_t = 20)]
        seconds: u32,
        /// Run this input once instead, such as one that an earlier run has found.
        #[arg(long, requires = "target")]
        input: Vec<PathBuf>,
    },
    /// What CI checks besides tests: format, lints, documentation, licences.
    Check,
    /// Rewrite what tests compare with: the OpenAPI document and inline snapshots.
    Bless,
}

fn main() -> ExitCode {
    match chore(Cli::parse().chore) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn chore(chore: Chore) -> Result<()> {
    match chore {
        Chore::Test { filter, no_browser } => test(filter.as_deref(), no_browser),
        Chore::Bench { arguments } => synth("bench", &arguments),
        Chore::Alerts { arguments } => synth("alerts", &arguments),
        Chore::Overload { arguments } => synth("overload", &arguments),
        Chore::Fuzz { target, seconds, input } => fuzz::fuzz(target.as_deref(), seconds, &input),
        Chore::Check => check(),
        Chore::Bless => run::step("bless", run::cargo(&["test", "--release", "--workspace"]).env("UPDATE_EXPECT", "1")),
    }
}

fn test(filter: Option<&str>, no_browser: bool) -> Result<()> {
    if !no_browser {
        browser::ensure()?;
    }
    // One build of everything first: the product and browser tests run the binaries.
    run::step("build", &mut run::cargo(&["build", "--release", "--workspace", "--all-targets"]))?;
    let mut tests = run::cargo(&["test", "--release", "--workspace"]);
    if no_browser {
        tests.args(["--exclude", "orrery-e2e"]);
    }
    tests.args(filter);
    run::step("test", &mut tests)
}

fn synth(action: &str, arguments: &[String]) -> Result<()> {
    // As everything is built for tests: nothing is compiled twice.
    run::step("build", &mut run::cargo(&["build", "--release", "--workspace", "--all-targets"]))?;
    let binaries = std::env::current_exe()?;
    let beside = |name: &str| binaries.with_file_name(name);
    let mut synth = std::process::Command::new(beside("orrery-synth"));
    synth.arg(action).arg("--orrery").arg(beside("orrery")).args(arguments);
    run::step(action, &mut synth)
}

fn check() -> Result<()> {
    run::step("format", &mut run::cargo(&["fmt", "--all", "--check"]))?;
    let mut clippy = run::cargo(&["clippy", "--release", "--workspace", "--all-targets"]);
    // The dashboard is linted as the library it is; built it is with the tests.
    run::step("lints", clippy.args(["--", "-D", "warnings"]).env("ORRERY_SKIP_UI", "1"))?;
    let mut docs = run::cargo(&["doc", "--release", "--no-deps", "--workspace"]);
    run::step("documentation", docs.env("RUSTDOCFLAGS", "-D warnings").env("ORRERY_SKIP_UI", "1"))?;
    if run::exists("cargo-deny") {
        return run::step(
            "licences and advisories",
            &mut run::cargo(&["deny", "check", "licenses", "bans", "sources"]),
        );
    }
    eprintln!("xtask: cargo-deny is not installed; `cargo install cargo-deny` checks licences too");
    Ok(())
}
