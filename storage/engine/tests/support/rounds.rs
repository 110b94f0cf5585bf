//! Rounds of a process that dies, on one data directory: what it was told to do, and what must hold afterwards.

#![allow(dead_code, reason = "not every user of this file needs all of it")]

use crate::{items, ledger};
use orrery_model::Signal;
use orrery_query::Store;
use orrery_storage::{Config, Engine};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Rounds to run: `ORRERY_ROUNDS`, or this many.
pub(crate) fn count(default: u64) -> u64 {
    std::env::var("ORRERY_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(default)
}

/// Where random choices begin: `ORRERY_SEED`, or the clock. Printed, so that a failure can be run again.
pub(crate) fn seed() -> u64 {
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_nanos() as u64);
    let seed = std::env::var("ORRERY_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(clock);
    println!("ORRERY_SEED={seed}");
    seed
}

/// So many of the newest requests are looked at in full after a round, and of the others every hundredth.
const THOROUGH: u64 = 60;

/// A data directory that processes die on, and the ledger of what they did.
pub(crate) struct Stage {
    pub(crate) data: PathBuf,
    ledger: PathBuf,
    base: i64,
}

/// What the ledger says.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) acknowledged: BTreeSet<u64>,
    /// First number that was not sent.
    pub(crate) sent: u64,
}

impl Stage {
    pub(crate) fn new(data: &Path, ledger: &Path) -> Stage {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        Stage { data: data.to_owned(), ledger: ledger.to_owned(), base: now.as_nanos() as i64 }
    }

    pub(crate) fn start(&self, rest: &[String]) -> Child {
        // Examples are built with the tests and lie next to their folder.
        let tests = std::env::current_exe().expect("this test");
        let victim = tests.ancestors().nth(2).expect("a folder").join("examples").join("kill_victim");
        let mut command = Command::new(victim);
        command.arg(&self.data).arg(&self.ledger).arg(self.said().sent.to_string()).arg(self.base.to_string());
        command.args(rest).stdin(Stdio::null()).stdout(Stdio::null());
        command.spawn().expect("the example kill_victim is built with the tests")
    }

    /// Whether the manifest names a segment of this signal.
    pub(crate) fn has_sealed(&self, signal: &str) -> bool {
        let manifest = std::fs::read_to_string(self.data.join("manifest.json")).unwrap_or_default();
        manifest.contains(&format!("\"signal\":\"{signal}\""))
    }

    /// Puts the beginning of a record behind the log, as a process does that dies while it writes.
    pub(crate) fn tear(&self) {
        let files = std::fs::read_dir(self.data.join("wal")).into_iter().flatten();
        let last = files.map(|entry| entry.expect("a file of the log").path()).max();
        let last = last.unwrap_or_else(|| self.data.join("wal").join(format!("{:020}.wal", 0)));
        let file = std::fs::OpenOptions::new().append(true).create(true).open(last);
        file.and_then(|mut file| file.write_all(b"ORW1 and no more")).expect("a file of the log");
    }

    pub(crate) fn said(&self) -> Said {
        let mut said = Said::default();
        for line in std::fs::read_to_string(&self.ledger).unwrap_or_default().lines() {
            match line.split_once(' ').map(|(word, number)| (word, number.parse::<u64>())) {
                Some(("sent", Ok(number))) => said.sent = said.sent.max(number),
                Some(("acked", Ok(number))) => _ = said.acknowledged.insert(number),
                // The process died while it wrote this line.
                _ => {}
            }
        }
        said
    }

    /// The end of the log may look as if a record had been there: sectors are written in any order.
    pub(crate) const TORN: bool = true;
    /// What was written is there, or the end of it is not.
    pub(crate) const WHOLE: bool = false;

    /// Opens the directory and compares what it gives with the ledger. Data points may have been dropped by retention,
    /// if that is counted.
    pub(crate) fn check(&self, torn: bool) -> Said {
        let engine = Engine::open(quiet(&self.data), Arc::new(items::Items)).expect("opens");
        wait("everything durable is queryable", || ledger::settled(&engine));
        let said = self.said();
        let newest = said.sent.saturating_sub(THOROUGH);
        let thorough = |number: u64| number >= newest || number.is_multiple_of(97);
        let (rows, partial) = ledger::read(&engine, self.base, thorough);
        let (points, kept): (BTreeSet<u64>, _) =
            said.acknowledged.iter().partition(|number| ledger::signal(**number) == Signal::Metrics);
        ledger::compare(&rows, &kept, said.sent, self.base).unwrap_or_else(|error| panic!("{error}"));
        let health = engine.health();
        assert!(torn || (health.warnings.is_empty() && !partial), "{:?}", health.warnings);
        for (signal, health) in &health.signals {
            let here = rows.iter().filter(|(number, _)| ledger::signal(**number) == *signal);
            let here: usize = here.map(|(_, rows)| rows.len()).sum();
            let dropped: u64 = health.dropped.values().chain(health.expired.values()).sum();
            assert_eq!(here as u64 + dropped, health.accepted, "{signal}: rows and counters differ; {health:?}");
            assert!(torn || health.dropped.is_empty(), "{signal}: {:?}", health.dropped);
            assert!(*signal == Signal::Metrics || health.expired.is_empty(), "{signal}: {:?}", health.expired);
        }
        let least: usize = points.iter().map(|number| ledger::items(*number, self.base).len()).sum();
        assert!(health.signals[&Signal::Metrics].accepted >= least as u64, "data points are not accounted for");
        said
    }
}

/// Nothing happens on its own while it is looked at.
pub(crate) fn quiet(dir: &Path) -> Config {
    Config {
        seal_after: Duration::from_secs(3600),
        disk_reserve_bytes: 0,
        retention: None,
        compact: false,
        hot_bytes: 256 << 20,
        query_memory_bytes: 128 << 20,
        query_threads: 1,
        query_concurrency: 1,
        ..Config::new(dir)
    }
}

/// Waits until a child has ended, and says whether it had to be killed for it.
pub(crate) fn ended(child: &mut Child, within: Duration) -> bool {
    let deadline = Instant::now() + within;
    while child.try_wait().expect("ours").is_none() {
        if Instant::now() >= deadline {
            child.kill().expect("alive");
            child.wait().expect("ours");
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

pub(crate) fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
