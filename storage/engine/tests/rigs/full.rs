//! The disk fills up, at another moment each time, and is emptied again; or cannot be written for a while. Everything
//! acknowledged stays readable, and writing goes on without a restart, and after one in the middle of it.
//!
//! Needs the superuser to mount a small file system in memory, and says so where it is not. `ORRERY_ROUNDS` sets how
//! often; `ORRERY_SEED` repeats a run.

use crate::ledger;
use crate::rounds;
use crate::rounds::Share;
use orrery_query::{Control, Store, TimeRange, plan};
use orrery_storage::{Config, Engine, OpenError};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

const ROUNDS: u64 = 6;
/// Rounds after which a new disk is begun, so that looking at everything stays affordable.
const ROUNDS_PER_DISK: u64 = 10;
const BASE: i64 = 1_700_000_000_000_000_000;

/// A small file system in memory, unmounted when dropped.
struct Small {
    mount: PathBuf,
}

impl Small {
    fn new(dir: &Path) -> Result<Small, String> {
        let small = Small { mount: dir.join("mount") };
        fs::create_dir(&small.mount).map_err(|error| error.to_string())?;
        small.mount("size=24m")?;
        Ok(small)
    }

    fn mount(&self, options: &str) -> Result<(), String> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&self.mount);
        let output = mount.output().map_err(|error| format!("mount: {error}"))?;
        let said = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
        output.status.success().then_some(()).ok_or_else(said)
    }

    fn data(&self) -> PathBuf {
        self.mount.join("data")
    }

    /// Takes the room of others, but for so many bytes.
    fn fill(&self, left: u64) {
        let file = fs::File::create(self.mount.join("others")).expect("a file");
        loop {
            let free = rustix::fs::statvfs(&self.mount).map(|stat| stat.f_bavail * stat.f_frsize).expect("mounted");
            let Some(room) = free.checked_sub(left).filter(|room| *room > 0) else { return };
            // Not if something was written in between.
            if rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, room).is_ok() {
                return;
            }
        }
    }

    fn empty(&self) {
        fs::remove_file(self.mount.join("others")).expect("a file");
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        _ = Command::new("umount").arg("-l").arg(&self.mount).status();
    }
}

fn config(dir: &Path) -> Config {
    Config { seal_after: Duration::from_millis(100), wal_file_bytes: 20_000, compact: true, ..rounds::quiet(dir) }
}

/// An engine under load, and what it acknowledged.
struct Load {
    engine: Option<Engine>,
    next: u64,
    acknowledged: BTreeSet<u64>,
}

impl Load {
    fn open(dir: &Path) -> Load {
        let engine = rounds::open(config(dir)).expect("opens");
        Load { engine: Some(engine), next: 0, acknowledged: BTreeSet::new() }
    }

    fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("open")
    }

    fn reopen(&mut self, dir: &Path) {
        self.engine = None;
        self.engine = Some(rounds::open(config(dir)).expect("opens, however full the disk is"));
    }

    /// Sends some requests; how many were acknowledged.
    fn send(&mut self, requests: u64) -> usize {
        let (send, answers) = mpsc::channel();
        for number in self.next..self.next + requests {
            let (body, batch) = ledger::request(number, BASE);
            let send = send.clone();
            self.engine().append(body, batch, Box::new(move |result| _ = send.send((number, result.is_ok()))));
        }
        self.next += requests;
        let answers = (0..requests).map(|_| answers.recv_timeout(rounds::HANGS).expect("an answer"));
        let accepted: Vec<u64> = answers.filter(|(_, accepted)| *accepted).map(|(number, _)| number).collect();
        self.acknowledged.extend(&accepted);
        accepted.len()
    }

    /// Whether everything works: sealing, and answers from rollups.
    fn is_well(&self) -> bool {
        let all = plan::Services { range: TimeRange::ALL, environment: None, points: 0 };
        let answer = self.engine().services(&all, &Control::within(Duration::from_secs(30)));
        let health = self.engine().health();
        health.warnings.is_empty() && health.hot_bytes < 200_000 && answer.is_ok_and(|answer| answer.partial.is_none())
    }

    fn check(&self, when: &str) {
        rounds::wait("everything durable is queryable", || ledger::settled(self.engine()));
        let newest = self.next.saturating_sub(60);
        let (rows, partial) = ledger::read(self.engine(), BASE, |number| number >= newest || number.is_multiple_of(53));
        ledger::compare(&rows, &self.acknowledged, self.next, BASE).unwrap_or_else(|error| panic!("{when}: {error}"));
        assert!(!partial, "{when}");
    }
}

fn small(dir: &Path) -> Option<Small> {
    Small::new(dir).inspect_err(|reason| println!("skipped: no small disk can be made here ({reason})")).ok()
}

/// Rounds on one disk.
fn rounds_of(share: Share<'_>, seed: u64) {
    let temp = tempfile::tempdir().expect("a directory");
    let small = Small::new(temp.path()).expect("a disk, as before");
    let mut load = Load::open(&small.data());
    for round in share {
        load.send(40);
        // From no byte at all to room for some of it.
        let left = [0, 4096, 60_000, 400_000][(round % 4) as usize] * (1 + rounds::random(seed, round) % 2);
        small.fill(left);
        // On until something is refused, and then some.
        rounds::wait("the disk is full", || load.send(20) < 20);
        (0..30).for_each(|_| _ = load.send(5));
        load.check("while it is full");
        if round % 2 == 1 {
            load.reopen(&small.data());
            load.check("after a start while it is full");
        }
        small.empty();
        rounds::wait("requests are accepted again", || load.send(10) == 10);
        rounds::wait("it is well again", || {
            load.send(1);
            std::thread::sleep(Duration::from_millis(50));
            load.is_well()
        });
        load.check("after it was full");
        println!("round {round}: {left} bytes left, {} of {} acknowledged", load.acknowledged.len(), load.next);
        load.reopen(&small.data());
        load.check("after a restart");
    }
}

#[test]
fn a_full_disk_loses_nothing_and_work_goes_on_when_there_is_room() {
    let seed = rounds::seed();
    let temp = tempfile::tempdir().expect("a directory");
    if small(temp.path()).is_some() {
        rounds::run("full disks", rounds::count(ROUNDS), ROUNDS_PER_DISK, |share| rounds_of(share, seed));
    }
}

#[test]
fn a_disk_that_cannot_be_written_is_told_and_waited_for() {
    let temp = tempfile::tempdir().expect("a directory");
    let Some(small) = small(temp.path()) else { return };
    let mut load = Load::open(&small.data());
    load.send(40);
    rounds::wait("sealed", || load.engine().health().segments > 0);
    // Open files hold a file system writable: it is filled instead while the engine runs, and read-only for a start.
    load.engine = None;
    small.mount("remount,ro").expect("read-only");
    let refused = rounds::open(config(&small.data())).err().expect("cannot be written");
    assert!(matches!(refused, OpenError::Unwritable { .. }), "{refused:?}");
    assert!(refused.to_string().contains("cannot be written"), "{refused}");
    small.mount("remount,rw").expect("writable");
    load.reopen(&small.data());
    load.check("writable again");
    assert_eq!(load.send(10), 10);
}
