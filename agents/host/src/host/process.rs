//! `system.process.count` and the busiest processes as `process.*`, from `/proc/<pid>`.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use procfs_core::FromRead;
use procfs_core::process::{Io, Stat};

use super::{NANOS_PER_SECOND, Place};
use crate::instrument as i;
use crate::otlp::{Recorder, int, text};

const STATES: [&str; 4] = ["running", "sleeping", "stopped", "defunct"];

/// A process across collections: pids are reused, pids with a start time are not.
type Identity = (i32, u64);

/// Remembers each process's CPU ticks, so that the busiest since the previous collection can be found.
#[derive(Debug)]
pub(super) struct Processes {
    top: usize,
    previous: HashMap<Identity, u64>,
    previous_time: u64,
}

impl Processes {
    /// Reports at most `top` processes by CPU and `top` by memory, plus the agent itself.
    pub(super) fn new(top: usize) -> Self {
        Self { top, previous: HashMap::new(), previous_time: 0 }
    }

    pub(super) fn record(&mut self, place: &Place, to: &mut Recorder) -> anyhow::Result<()> {
        let all = read_all(&place.proc)?;
        count(&all, to);
        let elapsed = to.now().saturating_sub(self.previous_time) as f64 / NANOS_PER_SECOND as f64;
        let cpus = place.logical_cpus as f64;
        let capacity = elapsed * cpus * place.system.ticks_per_second as f64;
        for index in self.busiest(&all) {
            let stat = &all[index];
            process(stat, place, to);
            if let (Some(ticks), true) = (self.passed(stat), capacity > 0.0) {
                to.record(&i::PROCESS_CPU_UTILIZATION, (ticks as f64 / capacity).min(1.0), attributes(stat));
            }
        }
        self.previous = all.iter().map(|stat| (identity(stat), ticks(stat))).collect();
        self.previous_time = to.now();
        Ok(())
    }

    /// Ticks used since the previous collection; `None` if the process was not there then.
    fn passed(&self, stat: &Stat) -> Option<u64> {
        self.previous.get(&identity(stat)).map(|previous| ticks(stat).saturating_sub(*previous))
    }

    fn busiest(&self, all: &[Stat]) -> BTreeSet<usize> {
        let by_cpu = largest(all, self.top, |stat| self.passed(stat).unwrap_or_else(|| ticks(stat)));
        let by_memory = largest(all, self.top, |stat| stat.rss);
        let own_pid = i32::try_from(std::process::id()).unwrap_or_default();
        let own = all.iter().position(|stat| stat.pid == own_pid).filter(|_| self.top > 0);
        by_cpu.into_iter().chain(by_memory).chain(own).collect()
    }
}

/// Indexes of the `top` largest values; zeros never count.
fn largest(all: &[Stat], top: usize, value: impl Fn(&Stat) -> u64) -> Vec<usize> {
    let mut ranked: Vec<(u64, usize)> = all.iter().map(value).zip(0..).filter(|(value, _)| *value > 0).collect();
    ranked.sort_unstable_by(|a, b| b.cmp(a));
    ranked.into_iter().take(top).map(|(_, index)| index).collect()
}

fn read_all(proc: &Path) -> anyhow::Result<Vec<Stat>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(proc)? {
        let entry = entry?;
        let numeric = entry.file_name().to_str().is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit()));
        // A process may end between listing and reading.
        if let (true, Ok(stat)) = (numeric, Stat::from_file(entry.path().join("stat"))) {
            all.push(stat);
        }
    }
    Ok(all)
}

fn count(all: &[Stat], to: &mut Recorder) {
    for state in STATES {
        let processes = all.iter().filter(|stat| state_of(stat.state) == Some(state)).count();
        to.record(&i::PROCESS_COUNT, processes, [text("process.state", state)]);
    }
}

/// proc_pid_stat(5)'s letter as `process.state`; `None` for a process that is gone.
fn state_of(letter: char) -> Option<&'static str> {
    match letter {
        'R' => Some("running"),
        'S' | 'D' | 'I' | 'K' | 'W' | 'P' => Some("sleeping"),
        'T' | 't' => Some("stopped"),
        'Z' => Some("defunct"),
        _ => None,
    }
}

fn identity(stat: &Stat) -> Identity {
    (stat.pid, stat.starttime)
}

fn ticks(stat: &Stat) -> u64 {
    stat.utime.saturating_add(stat.stime)
}

fn attributes(stat: &Stat) -> Vec<KeyValue> {
    vec![int("process.pid", i64::from(stat.pid)), text("process.executable.name", stat.comm.as_str())]
}

fn process(stat: &Stat, place: &Place, to: &mut Recorder) {
    let started = started_unix_nano(stat, place);
    to.since(started);
    let with = |key, value| [attributes(stat), vec![text(key, value)]].concat();
    for (mode, ticks) in [("user", stat.utime), ("system", stat.stime)] {
        to.record(&i::PROCESS_CPU_TIME, place.ticks_to_seconds(ticks), with("cpu.mode", mode));
    }
    to.record(&i::PROCESS_MEMORY_USAGE, stat.rss.saturating_mul(place.system.page_size), attributes(stat));
    to.record(&i::PROCESS_MEMORY_VIRTUAL, stat.vsize, attributes(stat));
    to.record(&i::PROCESS_THREADS, stat.num_threads, attributes(stat));
    let uptime = to.now().saturating_sub(started) as f64 / NANOS_PER_SECOND as f64;
    to.record(&i::PROCESS_UPTIME, uptime, attributes(stat));
    // The rest is readable for our own user's processes only, unless we are root.
    let directory = place.proc.join(stat.pid.to_string());
    if let Ok(descriptors) = fs::read_dir(directory.join("fd")) {
        to.record(&i::PROCESS_FDS, descriptors.count(), attributes(stat));
    }
    if let Ok(io) = Io::from_file(directory.join("io")) {
        to.record(&i::PROCESS_DISK_IO, io.read_bytes, with("disk.io.direction", "read"));
        to.record(&i::PROCESS_DISK_IO, io.write_bytes, with("disk.io.direction", "write"));
    }
}

fn started_unix_nano(stat: &Stat, place: &Place) -> u64 {
    let after_boot =
        u128::from(stat.starttime) * u128::from(NANOS_PER_SECOND) / u128::from(place.system.ticks_per_second.max(1));
    place.boot_unix_nano().saturating_add(u64::try_from(after_boot).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use procfs_core::FromRead;

    use super::*;

    fn stat(pid: i32, started: u64, ticks: u64, pages: u64) -> Stat {
        let line = format!(
            "{pid} (worker ({pid})) S 1 1 1 0 -1 4194560 0 0 0 0 {ticks} 0 0 0 20 0 3 0 {started} 4096000 {pages} \
             18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0"
        );
        Stat::from_read(line.as_bytes()).unwrap()
    }

    #[test]
    fn the_busiest_are_found_by_what_they_used_lately() {
        let mut processes = Processes::new(1);
        let before = [stat(1, 5, 900, 10), stat(2, 6, 100, 10)];
        processes.previous = before.iter().map(|stat| (identity(stat), ticks(stat))).collect();
        let now = [stat(1, 5, 901, 10), stat(2, 6, 150, 10), stat(3, 7, 0, 99)];
        let busiest: Vec<i32> = processes.busiest(&now).into_iter().map(|index| now[index].pid).collect();
        assert_eq!(busiest, [2, 3], "2 by CPU since the previous collection, 3 by memory");
    }

    #[test]
    fn a_reused_pid_is_another_process() {
        let mut processes = Processes::new(1);
        processes.previous.insert((1, 5), 900);
        assert_eq!(processes.passed(&stat(1, 5, 950, 1)), Some(50));
        assert_eq!(processes.passed(&stat(1, 77, 10, 1)), None);
    }
}
