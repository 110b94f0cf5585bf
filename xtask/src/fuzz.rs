//! Coverage-guided fuzzing with libFuzzer, on stable Rust: what `cargo fuzz` would do, without a compiler of its own.

use crate::run;
use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::UNIX_EPOCH;

/// Coverage of edges and comparisons, which libFuzzer steers by.
const COVERAGE: [&str; 6] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];
/// Bytes of an input, at most; seconds for one; MiB of memory.
const BOUNDS: [&str; 3] = ["-max_len=4096", "-timeout=20", "-rss_limit_mb=2048"];

/// Fuzzes one target or all, as many at a time as there are processors; or, with inputs, runs those once.
///
/// Corpora stay in the target directory, so that each run goes on where the last one ended; but with `ORRERY_SEED` it
/// starts from the seeds alone, so that what it finds does not depend on earlier runs.
///
/// # Errors
/// When a finding was made. Its input has been printed and kept by then.
pub(crate) fn fuzz(only: Option<&str>, seconds: u32, inputs: &[PathBuf]) -> Result<()> {
    let directory = target_directory()?.join("fuzz");
    let program = build(&directory)?;
    let mut targets = targets(&program)?;
    if let Some(only) = only {
        targets.retain(|target| target == only);
        ensure!(!targets.is_empty(), "no target is called {only}");
    }
    if !inputs.is_empty() {
        ensure!(targets.len() == 1, "inputs are for one target: say which");
        let mut replay = command(&program, &targets[0]);
        return run::step("replay", replay.args(inputs.iter().map(fs::canonicalize).collect::<Result<Vec<_>, _>>()?));
    }
    let given = given_seed()?;
    // libFuzzer takes 32 bits.
    let seed = given.unwrap_or(UNIX_EPOCH.elapsed()?.subsec_nanos() | 1);
    let corpus = if given.is_some() { "fresh" } else { "corpus" };
    eprintln!("── fuzz: {seconds} s each of {}; ORRERY_SEED={seed}", targets.join(", "));
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut failed = Vec::new();
    for some in targets.chunks(processors) {
        let started: Vec<_> = some
            .iter()
            .map(|target| Run::start(&program, target, &directory.join("runs").join(target), corpus, seconds, seed))
            .collect::<Result<_>>()?;
        for run in started {
            failed.extend(run.end()?);
        }
    }
    if !failed.is_empty() {
        bail!("findings, or an end before its time, in {}", failed.join(", "));
    }
    Ok(())
}

/// Where cargo put us: `…/release/xtask`.
fn target_directory() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    Ok(program.ancestors().nth(2).context("a program in a target directory")?.to_path_buf())
}

/// Compiles the fuzzer, in a directory of its own: with other flags than everything else.
fn build(directory: &Path) -> Result<PathBuf> {
    let rustc = Command::new("rustc").arg("-vV").output().context("rustc")?;
    let version = String::from_utf8(rustc.stdout)?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names its host")?;
    // Named, though it is the host: flags are then not for build scripts and macros.
    let arguments = ["build", "--profile", "fuzz", "-p", "orrery-fuzz", "--features", "libfuzzer", "--target", host];
    let mut build = run::cargo(&arguments);
    build.arg("--target-dir").arg(directory).env("CARGO_ENCODED_RUSTFLAGS", COVERAGE.join("\u{1f}"));
    run::step("build of the fuzzer", &mut build)?;
    Ok(directory.join(host).join("fuzz/orrery-fuzz"))
}

fn targets(program: &Path) -> Result<Vec<String>> {
    let listed = Command::new(program).output().context("the fuzzer")?;
    Ok(String::from_utf8(listed.stdout)?.lines().map(str::to_owned).collect())
}

fn given_seed() -> Result<Option<u32>> {
    let given = std::env::var("ORRERY_SEED").ok();
    given.map(|seed| seed.parse().context("ORRERY_SEED is a number of 32 bits")).transpose()
}

fn command(program: &Path, target: &str) -> Command {
    let mut command = Command::new(program);
    command.env("ORRERY_FUZZ_TARGET", target).env("RUST_BACKTRACE", "1").args(BOUNDS);
    command
}

/// One target being fuzzed; what it says goes to a file.
struct Run {
    target: String,
    log: PathBuf,
    child: Child,
}

impl Run {
    fn start(program: &Path, target: &str, directory: &Path, corpus: &str, seconds: u32, seed: u32) -> Result<Run> {
        let (corpus, log) = (directory.join(corpus), directory.join("log"));
        if corpus.ends_with("fresh") && corpus.exists() {
            fs::remove_dir_all(&corpus)?;
        }
        fs::create_dir_all(&corpus)?;
        let prepared = command(program, target).env("ORRERY_FUZZ_SEEDS", directory).status()?;
        ensure!(prepared.success(), "{target} wrote no seeds");
        let output = File::create(&log)?;
        let mut fuzzer = command(program, target);
        fuzzer.arg(format!("-max_total_time={seconds}")).arg(format!("-seed={seed}"));
        fuzzer.arg(format!("-artifact_prefix={}/", directory.display()));
        fuzzer.arg(format!("-dict={}", directory.join("words").display()));
        fuzzer.arg(&corpus).arg(directory.join("seeds"));
        let child = fuzzer.stdout(output.try_clone()?).stderr(output).spawn()?;
        Ok(Run { target: target.to_owned(), log, child })
    }

    /// Waits, and says how it went. The name of the target if it failed.
    fn end(mut self) -> Result<Option<String>> {
        let status = self.child.wait()?;
        let log = String::from_utf8_lossy(&fs::read(&self.log)?).into_owned();
        eprintln!("{}\n  {}\n  {}", self.target, said(&log, "INITED"), said(&log, "DONE"));
        let Some(fault) = fault(status, &log) else { return Ok(None) };
        eprintln!("{fault}");
        let tail: Vec<&str> = log.lines().filter(|line| !line.starts_with('#') && !line.starts_with('\t')).collect();
        eprintln!("{}", tail[tail.len().saturating_sub(80)..].join("\n"));
        let kept = log.lines().find_map(|line| line.split_once("Test unit written to ")).map(|(_, path)| path);
        if let Some(path) = kept {
            // libFuzzer itself prints only short ones.
            let input = BASE64.encode(fs::read(path)?);
            eprintln!("again, here:      cargo xtask fuzz {} --input {path}", self.target);
            eprintln!("again, elsewhere: base64 -d > FILE <<< {input}");
        } else {
            eprintln!("no input was kept; all that was said is in {}", self.log.display());
        }
        Ok(Some(self.target))
    }
}

/// The first line of libFuzzer's own with this word.
fn said<'a>(log: &'a str, what: &str) -> &'a str {
    log.lines().find(|line| line.starts_with('#') && line.contains(what)).unwrap_or("-")
}

/// What went wrong with a run, if something did. Not only findings: a signal or an `exit` may have ended it without a
/// word in the middle.
fn fault(status: ExitStatus, log: &str) -> Option<String> {
    if status.success() && said(log, "DONE") != "-" {
        return None;
    }
    let last = log.lines().rfind(|line| line.starts_with('#')).unwrap_or("nothing was tried");
    Some(format!("ended before its time, with {status}, after: {last}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_ends_in_the_middle_has_failed_and_says_how() {
        let ended = |script| Command::new("sh").args(["-c", script]).status().unwrap();
        let whole = "#3\tINITED cov: 9\n#7\tDONE   cov: 9\n";
        assert_eq!(fault(ended("exit 0"), whole), None);
        let fault = |status, log| fault(status, log).unwrap();
        assert!(fault(ended("kill -PIPE $$"), "#3\tINITED cov: 9\n#5\tpulse\n").contains("SIGPIPE"));
        assert!(fault(ended("exit 0"), "#3\tINITED cov: 9\n#5\tpulse\n").ends_with("#5\tpulse"));
        assert!(fault(ended("exit 0"), "").ends_with("nothing was tried"));
        assert!(fault(ended("exit 77"), whole).contains("77"));
    }
}
