//! `kill -9` at every named step of the data path and at random moments, on one data directory: whatever was
//! acknowledged can be queried, whatever can be queried was sent, nothing is there twice, and the counters agree.
//!
//! The directories are in memory, where there is room: a process that dies takes nothing with it that it gave to the
//! kernel. `TMPDIR` puts them elsewhere. `ORRERY_ROUNDS` sets how often; `ORRERY_SEED` repeats a run.

use crate::ledger;
use crate::rounds;
use crate::rounds::{Share, Stage, ended};
use orrery_storage::failpoint;
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Every step twice, and some moments.
const ROUNDS: u64 = 2 * failpoint::STEPS.len() as u64 + 8;
/// Rounds after which a new directory is begun, so that looking at everything stays affordable.
const ROUNDS_PER_DIRECTORY: u64 = 50;
/// Steps that are only passed in an empty directory.
const FIRST: [&str; 2] = ["version written", "version renamed"];
/// Steps that are passed once after a start, or seldom.
const SELDOM: [&str; 6] =
    ["log cut", "log replayed", "merged", "replaced", "retention committed", "segment half removed"];
/// A step that was not reached by then is not on the way this time. Much longer than what happens seldom takes to come
/// again, as the machine may have more to do.
const PATIENCE: Duration = Duration::from_secs(120);

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
    let live_until = |what: &str, is_so: &dyn Fn() -> bool| {
        let mut child = stage.start(&[]);
        rounds::wait(what, is_so);
        child.kill().and_then(|()| child.wait()).expect("ours");
    };
    // A start drops old data points, if some are sealed.
    if step == "retention committed" && !stage.has_sealed("metrics") {
        live_until("data points are sealed", &|| stage.has_sealed("metrics"));
    }
    if step == "log cut" {
        // The first on a new directory finds no log.
        if stage.written() == 0 {
            live_until("something is acknowledged", &|| !stage.said().acknowledged.is_empty());
        }
        stage.tear();
    }
    let nth = if FIRST.contains(&step) || SELDOM.contains(&step) { 0 } else { random % 3 };
    let mut child = stage.start(&[step.to_owned(), nth.to_string()]);
    let died_there = ended(&mut child, PATIENCE);
    let status = child.wait().expect("ours");
    assert_eq!(status.signal(), Some(9), "{step}: the victim failed: {status}");
    died_there
}

fn stage_in(dir: &Path) -> Stage {
    Stage::new(&dir.join("data"), &dir.join("ledger"))
}

/// What a run came to.
#[derive(Default)]
struct Tally {
    died: BTreeMap<&'static str, u64>,
    acknowledged: usize,
}

/// Rounds on one directory.
fn rounds_of(share: Share<'_>, seed: u64, tally: &Mutex<Tally>) {
    let temp = rounds::in_memory();
    let stage = stage_in(temp.path());
    let mut acknowledged = 0;
    for round in share {
        let step = steps().chain([""; 6]).cycle().nth(round as usize).expect("a cycle");
        let fresh = rounds::in_memory();
        let fresh = stage_in(fresh.path());
        let stage = if FIRST.contains(&step) { &fresh } else { &stage };
        let started = Instant::now();
        let died_there = die(stage, step, rounds::random(seed, round));
        let died_after = started.elapsed();
        acknowledged = stage.check(Stage::WHOLE).acknowledged.len().max(acknowledged);
        let took = started.elapsed() - died_after;
        println!("round {round}: {step:?}, there: {died_there}, after {died_after:?}; checked in {took:?}");
        let name = if step.is_empty() { "at a random moment" } else { step };
        *tally.lock().expect("no panic").died.entry(name).or_default() += u64::from(died_there);
    }
    tally.lock().expect("no panic").acknowledged += acknowledged;
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_wherever_the_process_dies() {
    let seed = rounds::seed();
    let rounds = rounds::count(ROUNDS);
    let tally = Mutex::default();
    rounds::run("kills", rounds, ROUNDS_PER_DIRECTORY, |share| rounds_of(share, seed, &tally));
    let Tally { died, acknowledged } = tally.into_inner().expect("no panic");
    println!("{rounds} kills, {acknowledged} requests acknowledged, all there once; died at: {died:#?}");
    assert!(acknowledged > 0, "nothing was ever acknowledged");
    let missed: Vec<_> = steps().filter(|step| died.get(step).is_none_or(|died| *died < 2)).collect();
    assert!(rounds < ROUNDS || missed.is_empty(), "never died twice at {missed:?}");
}

#[test]
fn a_storm_of_starts_loses_nothing() {
    let mut state = rounds::seed();
    let temp = rounds::in_memory();
    let stage = stage_in(temp.path());
    let mut child = stage.start(&[]);
    stage.wait_for(1, 0);
    child.kill().and_then(|()| child.wait()).expect("ours");
    for _ in 0..30 {
        // Most of them die while they recover from the one before.
        let mut child = stage.start(&[]);
        ended(&mut child, Duration::from_millis(ledger::mix(&mut state) % 120));
    }
    for _ in 0..10 {
        assert!(!stage.check(Stage::WHOLE).acknowledged.is_empty());
    }
}
