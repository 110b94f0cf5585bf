//! Opens a data directory and appends numbered requests until it dies: killed from outside, or at a named step of the
//! data path. What it sent and what was acknowledged stands in a ledger on another file. Used by `tests/rigs/kill.rs` and
//! `tests/rigs/power.rs`.
//!
//! Arguments: data directory, ledger, first number, base time; then, all optional, the step to die at and how often it
//! is passed before; `probe` makes an acknowledgement count only if the data directory's file system still answers.

#[path = "../tests/support/items.rs"]
#[allow(dead_code, reason = "not every user of this file needs all of it")]
mod items;
#[path = "../tests/support/ledger.rs"]
mod ledger;

use orrery_query::Store;
use orrery_storage::{Config, Engine, OpenError, failpoint};
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// Everything that happens once a minute or an hour happens here many times a second. Every other process goes on before
/// the log was read.
fn config(dir: &Path, first: u64) -> Config {
    Config {
        open_within: first.is_multiple_of(2).then_some(Duration::ZERO),
        // Not more often: what is sealed comes first, and nothing would be merged.
        seal_after: Duration::from_millis(250),
        wal_file_bytes: 4_000,
        linger: Duration::ZERO,
        disk_reserve_bytes: 0,
        retention: Some(Duration::from_secs(30 * 24 * 3600)),
        hot_bytes: 64 << 20,
        query_memory_bytes: 64 << 20,
        query_threads: 1,
        query_concurrency: 1,
        ..Config::new(dir)
    }
}

/// Opens the engine. Who starts us has looked at the directory a moment ago, and what it was starting then has its lock
/// too, until it is another program.
fn open(dir: &Path, first: u64) -> Result<Engine, OpenError> {
    let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get() as u32);
    loop {
        match Engine::open(config(dir, first), Arc::new(items::Items)) {
            Err(OpenError::Locked { pid, .. }) if pid == parent => std::thread::sleep(Duration::from_millis(2)),
            opened => return opened,
        }
    }
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dir, ledger, first, base, rest @ ..] = &arguments[..] else { anyhow::bail!("four arguments at least") };
    let (dir, base) = (PathBuf::from(dir), base.parse::<i64>()?);
    let probe = rest.iter().any(|word| word == "probe").then(|| dir.join("version"));
    if let [step, nth, ..] = rest {
        failpoint::die_at(step, nth.parse()?);
    }
    // A line is on disk before what it says happens, or is believed.
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::DSYNC;
    let mut ledger = File::from(rustix::fs::open(ledger, flags, Mode::RUSR | Mode::WUSR)?);
    let mut next = first.parse::<u64>()?;
    let engine = open(&dir, next)?;
    let (send, answers) = mpsc::channel();
    loop {
        let group = 1 + next % 7;
        ledger.write_all(format!("sent {}\n", next + group).as_bytes())?;
        for number in next..next + group {
            let (body, batch) = ledger::request(number, base);
            let send = send.clone();
            engine.append(body, batch, Box::new(move |result| _ = send.send((number, result))));
        }
        let mut lines = String::new();
        for _ in 0..group {
            match answers.recv()? {
                (number, Ok(())) if probe.as_ref().is_none_or(|path| File::open(path).is_ok()) => {
                    lines.push_str(&format!("acked {number}\n"));
                }
                (_, Ok(())) => {}
                (number, Err(error)) => eprintln!("request {number}: {error}"),
            }
        }
        ledger.write_all(lines.as_bytes())?;
        next += group;
        // Every one of them is looked at in the end, which takes longer than sending it.
        std::thread::sleep(Duration::from_millis(15));
    }
}
