//! Rounds of a process that dies, on one data directory: what it was told to do, and what must hold afterwards.

#![allow(dead_code, reason = "not every user of this file needs all of it")]

use crate::{items, ledger};
use orrery_model::Signal;
use orrery_query::Store;
use orrery_storage::{Config, Engine, OpenError};
use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Rounds to run: `ORRERY_ROUNDS`, or this many.
pub(crate) fn count(default: u64) -> u64 {
    by_command().unwrap_or(default)
}

fn by_command() -> Option<u64> {
    std::env::var("ORRERY_ROUNDS").ok().and_then(|rounds| rounds.parse().ok())
}

/// Where random choices begin: `ORRERY_SEED`, or the clock. Printed, so that a failure can be run again.
pub(crate) fn seed() -> u64 {
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_nanos() as u64);
    let seed = std::env::var("ORRERY_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(clock);
    println!("ORRERY_SEED={seed}");
    seed
}

/// The random number of a round, whichever thread has it.
pub(crate) fn random(seed: u64, round: u64) -> u64 {
    ledger::mix(&mut (seed ^ round.rotate_left(32)))
}

/// Runs rounds on several threads. `stage` gets the numbers of those that it is to run on one directory, `most` of them;
/// it is called until all have had their turn. A run by command says on standard error how far it is, and how far it
/// came if a round fails.
pub(crate) fn run(what: &str, rounds: u64, most: u64, stage: impl Fn(Share<'_>) + Sync) {
    let run = Run {
        what,
        rounds,
        taken: 0.into(),
        passed: 0.into(),
        failed: false.into(),
        told: by_command().map(|_| Mutex::new(Instant::now())),
    };
    // They wait more than they compute.
    let threads = 2 * std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while run.goes_on() {
                    stage(Share { run: &run, left: most, under_way: false });
                }
            });
        }
    });
}

struct Run<'a> {
    what: &'a str,
    rounds: u64,
    taken: AtomicU64,
    passed: AtomicU64,
    failed: AtomicBool,
    told: Option<Mutex<Instant>>,
}

impl Run<'_> {
    fn goes_on(&self) -> bool {
        !self.failed.load(Ordering::Relaxed) && self.taken.load(Ordering::Relaxed) < self.rounds
    }

    fn take(&self) -> Option<u64> {
        let round = self.goes_on().then(|| self.taken.fetch_add(1, Ordering::Relaxed))?;
        (round < self.rounds).then_some(round)
    }

    fn passed(&self) {
        let passed = self.passed.fetch_add(1, Ordering::Relaxed) + 1;
        let Some(told) = &self.told else { return };
        let mut told = told.lock().expect("no panic");
        if passed == self.rounds || told.elapsed() > Duration::from_secs(5) {
            *told = Instant::now();
            self.tell(passed);
        }
    }

    fn tell(&self, passed: u64) {
        // Past the test harness, which keeps what is printed to itself until the test ends.
        _ = writeln!(std::io::stderr(), "{}: {passed} of {} passed", self.what, self.rounds);
    }
}

/// Numbers of rounds. A round has passed when the next one is asked for.
pub(crate) struct Share<'a> {
    run: &'a Run<'a>,
    left: u64,
    under_way: bool,
}

impl Iterator for Share<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        if std::mem::take(&mut self.under_way) {
            self.run.passed();
        }
        self.left = self.left.checked_sub(1)?;
        let round = self.run.take()?;
        self.under_way = true;
        Some(round)
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        if self.under_way && !self.run.failed.swap(true, Ordering::Relaxed) {
            self.run.tell(self.run.passed.load(Ordering::Relaxed));
        }
    }
}

/// A directory for what need not be on a disk: in memory where there is room, unless `TMPDIR` says where.
pub(crate) fn in_memory() -> tempfile::TempDir {
    const ROOM: u64 = 1 << 30;
    let memory = Path::new("/dev/shm");
    let room = rustix::fs::statvfs(memory).map_or(0, |stat| stat.f_bavail * stat.f_frsize);
    let dir = match std::env::var_os("TMPDIR").is_none() && room >= ROOM {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    dir.expect("a directory")
}

/// Opens an engine on a directory that was closed here a moment ago.
pub(crate) fn open(config: Config) -> Result<Engine, OpenError> {
    let ours = Some(std::process::id());
    let deadline = Instant::now() + HANGS;
    loop {
        match Engine::open(config.clone(), Arc::new(items::Items)) {
            // Processes that were being started meanwhile had the lock too, until they were other programs.
            Err(OpenError::Locked { pid, .. }) if pid == ours && Instant::now() < deadline => rest(),
            opened => return opened,
        }
    }
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

    /// Where the ledger ends.
    pub(crate) fn written(&self) -> u64 {
        std::fs::metadata(&self.ledger).map_or(0, |file| file.len())
    }

    /// Waits until so many requests were acknowledged behind that place of the ledger.
    pub(crate) fn wait_for(&self, acknowledged: usize, from: u64) {
        let mut said = String::new();
        wait("the victim makes progress", || {
            // It may not have begun one yet.
            if let Ok(mut file) = std::fs::File::open(&self.ledger) {
                file.seek(SeekFrom::Start(from + said.len() as u64)).expect("a file");
                file.read_to_string(&mut said).expect("a ledger is text");
            }
            said.matches("acked").count() >= acknowledged
        });
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
        let engine = open(quiet(&self.data)).expect("opens");
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
        rest();
    }
    true
}

/// Who has not answered by then hangs; on a machine that others use too, slow is not wrong.
pub(crate) const HANGS: Duration = Duration::from_secs(300);

/// Waits for something that must come.
pub(crate) fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + HANGS;
    while !done() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        rest();
    }
}

fn rest() {
    std::thread::sleep(Duration::from_millis(2));
}
