//! Running the tests: two programs at a time, since most of what takes long waits. The browser's come last, alone.

use crate::run;
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::time::Instant;

/// Programs at a time.
const LANES: usize = 2;
/// Those that take longest, first.
const FIRST: [&str; 2] = ["product", "rigs"];
const BROWSER: &str = "browser";

/// What cargo made of one target's tests.
struct Program {
    target: String,
    path: PathBuf,
    /// Directory of the package, where its tests run.
    package: PathBuf,
}

/// Builds everything and runs every test whose name contains the filter.
///
/// # Errors
/// When something cannot be built, or once all have run and a test has failed.
pub(crate) fn test(filter: Option<&str>, is_browser_wanted: bool) -> Result<()> {
    // One build of everything first: the product and browser tests run the binaries.
    run::step("build", &mut run::cargo(&["build", "--release", "--workspace", "--all-targets"]))?;
    let mut programs = programs()?;
    programs.sort_by_key(|program| FIRST.iter().position(|first| *first == program.target).unwrap_or(FIRST.len()));
    let (browser, others): (Vec<_>, VecDeque<_>) = {
        let (browser, others): (Vec<_>, Vec<_>) = programs.into_iter().partition(|it| it.target == BROWSER);
        (browser, others.into())
    };
    let mut failed = in_lanes(others, filter)?;
    for program in browser.iter().filter(|_| is_browser_wanted) {
        let name = &program.target;
        if run::step(name, &mut program.command(filter)).is_err() {
            failed.push(name.clone());
        }
    }
    let mut examples = run::cargo(&["test", "--release", "--workspace", "--doc"]);
    if run::step("examples in documentation", examples.args(filter)).is_err() {
        failed.push("documentation".to_owned());
    }
    if !failed.is_empty() {
        bail!("tests failed in {}", failed.join(", "));
    }
    Ok(())
}

/// What each says is printed when it has ended. Names of those that failed.
fn in_lanes(programs: VecDeque<Program>, filter: Option<&str>) -> Result<Vec<String>> {
    let (queue, failed) = (Mutex::new(programs), Mutex::new(Vec::new()));
    let lane = || -> Result<()> {
        loop {
            let Some(program) = queue.lock().expect("no lane panics").pop_front() else { return Ok(()) };
            let began = Instant::now();
            let Output { status, stdout, stderr } =
                program.command(filter).stdin(Stdio::null()).output().context(program.target.clone())?;
            let mut failed = failed.lock().expect("no lane panics");
            let said = [stderr, stdout].concat();
            eprintln!("── {}\n{}", program.target, String::from_utf8_lossy(&said).trim());
            eprintln!("── {}: {} s", program.target, began.elapsed().as_secs());
            if !status.success() {
                failed.push(program.target);
            }
        }
    };
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(lane)).collect();
        lanes.into_iter().try_for_each(|lane| lane.join().expect("no lane panics"))
    })?;
    Ok(failed.into_inner().expect("no lane panics"))
}

impl Program {
    fn command(&self, filter: Option<&str>) -> Command {
        let mut command = Command::new(&self.path);
        command.current_dir(&self.package).env("CARGO_MANIFEST_DIR", &self.package).args(filter);
        command
    }
}

fn programs() -> Result<Vec<Program>> {
    let mut list = run::cargo(&["test", "--release", "--workspace", "--no-run", "--message-format", "json"]);
    let listed = list.stderr(Stdio::inherit()).output().context("cargo")?;
    ensure!(listed.status.success(), "the tests cannot be built");
    let lines = String::from_utf8(listed.stdout)?;
    let programs: Vec<_> = lines.lines().filter_map(program).collect();
    ensure!(!programs.is_empty(), "cargo names no tests");
    Ok(programs)
}

/// What a message of cargo's says of a test program, if it speaks of one.
fn program(message: &str) -> Option<Program> {
    let message: Value = serde_json::from_str(message).ok()?;
    if message["profile"]["test"] != true {
        return None;
    }
    let package = Path::new(message["manifest_path"].as_str()?).parent()?;
    let path = message["executable"].as_str()?;
    Some(Program { target: message["target"]["name"].as_str()?.to_owned(), path: path.into(), package: package.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_what_was_compiled_for_tests() {
        let message = r#"{"reason":"compiler-artifact","manifest_path":"/a/b/Cargo.toml","target":{"name":"rigs"},"profile":{"test":true},"executable":"/t/rigs-1"}"#;
        let found = program(message).unwrap();
        assert_eq!((found.target.as_str(), found.path.as_path()), ("rigs", Path::new("/t/rigs-1")));
        assert_eq!(found.package, Path::new("/a/b"));
        assert!(program(&message.replace("true", "false")).is_none());
        assert!(program(&message.replace(r#""/t/rigs-1""#, "null")).is_none());
        assert!(program("not JSON").is_none());
    }

    #[test]
    fn all_run_and_those_that_fail_are_named() {
        let program =
            |target: &str, path: &str| Program { target: target.to_owned(), path: path.into(), package: "/".into() };
        let programs = [("bad", "false"), ("good", "true"), ("worse", "false")].map(|(name, path)| program(name, path));
        let mut failed = in_lanes(programs.into(), None).unwrap();
        failed.sort();
        assert_eq!(failed, ["bad", "worse"]);
        assert!(in_lanes([program("none", "/no/such/program")].into(), None).is_err());
    }
}
