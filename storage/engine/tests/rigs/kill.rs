//! `kill -9` at every named step of the data path and at random moments, on one data directory: whatever was
//! acknowledged can be queried, whatever can be queried was sent, nothing is there twice, and the counters agree.
//!
//! `ORRERY_ROUNDS` sets how often; `ORRERY_SEED` repeats a run.

use crate::ledger;
use crate::rounds;
use crate::rounds::{Stage, ended};
use orrery_storage::failpoint;
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

/// Every step twice, and some moments.
const ROUNDS: u64 = 2 * failpoint::STEPS.len() as u64 + 8;
/// Rounds after which a new directory is begun, so that looking at everything stays affordable.
const ROUNDS_PER_DIRECTORY: u64 = 200;
/// Steps that are only passed in an empty directory.
const FIRST: [&str; 2] = ["version written", "version renamed"];
/// Steps that are passed once after a start, or seldom.
const SELDOM: [&str; 6] =
    ["log cut", "log replayed", "merged", "replaced", "retention committed", "segment half removed"];
/// A step that was not reached by then is not on the way this time. Longer than what happens seldom takes to come again.
const PATIENCE: Duration = Duration::from_secs(45);

/// Steps to die at. No rules of retention are at work here, and rollups stay small: tests of the engine break off at
/// their steps.
fn steps() -> impl Iterator<Item = &'static str> + Clone {
    failpoint::STEPS.iter().copied().filter(|step| !["thinned", "exchanged", "rollups copied"].contains(step))
}

/// A victim's life on a directory; says whether it died at the step.
fn die(stage: &Stage, step: &str, random: u64) -> bool {
    if step.is_empty() {
        let mut child = stage.start(&[]);
        assert!(!ended(&mut child, Duration::from_millis(random % 1000)), "the victim ended by itself");
        return true;
    }
    match step {
        "log cut" => stage.tear(),
        // A start drops old data points, if some are sealed.
        "retention committed" => {
            let mut child = stage.start(&[]);
            rounds::wait("data points are sealed", || stage.has_sealed("metrics"));
            child.kill().and_then(|()| child.wait()).expect("ours");
        }
        _ => {}
    }
    let nth = if FIRST.contains(&step) || SELDOM.contains(&step) { 0 } else { random % 3 };
    let mut child = stage.start(&[step.to_owned(), nth.to_string()]);
    let died_there = ended(&mut child, PATIENCE);
    let status = child.wait().expect("ours");
    assert_eq!(status.signal(), Some(9), "{step}: the victim failed: {status}");
    died_there
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_wherever_the_process_dies() {
    let mut state = rounds::seed();
    let rounds = rounds::count(ROUNDS);
    let mut died: BTreeMap<&str, u64> = BTreeMap::new();
    let mut acknowledged = 0;
    for first in (0..rounds).step_by(ROUNDS_PER_DIRECTORY as usize) {
        let temp = tempfile::tempdir().expect("a directory");
        let stage = Stage::new(&temp.path().join("data"), &temp.path().join("ledger"));
        let mut so_far = 0;
        for round in first..rounds.min(first + ROUNDS_PER_DIRECTORY) {
            let random = ledger::mix(&mut state);
            let step = steps().chain([""; 6]).cycle().nth(round as usize).expect("a cycle");
            let fresh = tempfile::tempdir().expect("a directory");
            let fresh = Stage::new(&fresh.path().join("data"), &fresh.path().join("ledger"));
            let stage = if FIRST.contains(&step) { &fresh } else { &stage };
            let started = Instant::now();
            let died_there = die(stage, step, random);
            *died.entry(if step.is_empty() { "at a random moment" } else { step }).or_default() +=
                u64::from(died_there);
            let died_after = started.elapsed();
            so_far = stage.check(Stage::WHOLE).acknowledged.len().max(so_far);
            let took = started.elapsed() - died_after;
            println!("round {round}: {step:?}, there: {died_there}, after {died_after:?}; checked in {took:?}");
        }
        acknowledged += so_far;
    }
    println!("{rounds} kills, {acknowledged} requests acknowledged, all there once; died at: {died:#?}");
    assert!(acknowledged > 0, "nothing was ever acknowledged");
    let missed: Vec<_> = steps().filter(|step| died.get(step).is_none_or(|died| *died < 2)).collect();
    assert!(rounds < ROUNDS || missed.is_empty(), "never died twice at {missed:?}");
}

#[test]
fn a_storm_of_starts_loses_nothing() {
    let mut state = rounds::seed();
    let temp = tempfile::tempdir().expect("a directory");
    let stage = Stage::new(&temp.path().join("data"), &temp.path().join("ledger"));
    die(&stage, "", 999);
    for _ in 0..30 {
        // Most of them die while they recover from the one before.
        let mut child = stage.start(&[]);
        ended(&mut child, Duration::from_millis(ledger::mix(&mut state) % 120));
    }
    for _ in 0..10 {
        assert!(!stage.check(Stage::WHOLE).acknowledged.is_empty());
    }
}
