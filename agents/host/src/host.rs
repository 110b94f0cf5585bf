//! Host metrics, read from `/proc`, `/sys` and `statvfs`.
//!
//! Everything lies under a configurable root, so that an agent in a container reads the host mounted into it,
//! and tests read fixtures.

mod cpu;
mod disk;
mod filesystem;
mod memory;
mod network;
mod process;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use procfs_core::{ExplicitSystemInfo, FromRead, FromReadSI, KernelStats, LoadAverage, Uptime};

use crate::instrument as i;
use crate::otlp::{Recorder, text};

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Where the host's files are, and what does not change while it is up.
#[derive(Debug)]
struct Place {
    root: PathBuf,
    proc: PathBuf,
    system: ExplicitSystemInfo,
    logical_cpus: usize,
}

impl Place {
    /// The boot as unix nanoseconds. Read once: the kernel derives it from a clock that NTP moves, and a start
    /// time that moves reads as a counter reset.
    fn boot_unix_nano(&self) -> u64 {
        self.system.boot_time_secs.saturating_mul(NANOS_PER_SECOND)
    }

    fn ticks_to_seconds(&self, ticks: u64) -> f64 {
        ticks as f64 / self.system.ticks_per_second as f64
    }
}

/// Reads one host; remembers what rates need.
#[derive(Debug)]
pub(crate) struct Host {
    place: Place,
    cpu: cpu::Cpu,
    processes: process::Processes,
    failures: Failures,
}

impl Host {
    /// A reader of the host under `root` (`/` for this one).
    ///
    /// # Errors
    /// There is no readable `proc/stat`: not Linux, or nothing is mounted there. Host metrics are then off.
    pub(crate) fn open(root: &Path, top_processes: usize) -> anyhow::Result<Self> {
        let proc = root.join("proc");
        let mut system = ExplicitSystemInfo {
            boot_time_secs: 0,
            ticks_per_second: rustix::param::clock_ticks_per_second(),
            page_size: rustix::param::page_size() as u64,
            is_little_endian: cfg!(target_endian = "little"),
        };
        let stat = proc.join("stat");
        let stats =
            KernelStats::from_file(&stat, &system).with_context(|| format!("host metrics need {}", stat.display()))?;
        system.boot_time_secs = stats.btime;
        Ok(Self {
            place: Place { root: root.to_owned(), proc, system, logical_cpus: stats.cpu_time.len().max(1) },
            cpu: cpu::Cpu::default(),
            processes: process::Processes::new(top_processes),
            failures: Failures::default(),
        })
    }

    /// Reads everything once. Blocks on files, and on a sick filesystem for long.
    ///
    /// A part that cannot be read is logged once, counted in `orrery.agent.collect.errors`, and left out.
    pub(crate) fn collect(&mut self, now: u64) -> Vec<Metric> {
        let Self { place, cpu, processes, failures } = self;
        let boot = place.boot_unix_nano();
        let mut recorder = Recorder::new(now, boot.min(now));
        let to = &mut recorder;
        failures.watch("cpu", cpu.record(place, to));
        failures.watch("load", load(place, to));
        failures.watch("memory", memory::record(place, to));
        failures.watch("disk", disk::record(place, to));
        failures.watch("filesystem", filesystem::record(place, to));
        failures.watch("network", network::record(place, to));
        failures.watch("process", processes.record(place, to));
        recorder.finish()
    }

    /// How often each part failed.
    pub(crate) fn failures(&self) -> &BTreeMap<&'static str, u64> {
        &self.failures.counts
    }
}

fn load(place: &Place, to: &mut Recorder) -> anyhow::Result<()> {
    let load = LoadAverage::from_file(place.proc.join("loadavg"))?;
    for (instrument, load) in [(&i::LOAD_1M, load.one), (&i::LOAD_5M, load.five), (&i::LOAD_15M, load.fifteen)] {
        // The kernel prints two digits; more would come from widening the float.
        to.record(instrument, (f64::from(load) * 100.0).round() / 100.0, []);
    }
    let uptime = Uptime::from_file(place.proc.join("uptime"))?;
    to.record(&i::UPTIME, uptime.uptime, []);
    Ok(())
}

/// Counts failing parts, and says so once per part and reason.
#[derive(Debug, Default)]
struct Failures {
    counts: BTreeMap<&'static str, u64>,
    last: BTreeMap<&'static str, String>,
}

impl Failures {
    fn watch(&mut self, part: &'static str, result: anyhow::Result<()>) {
        match result {
            Ok(()) => drop(self.last.remove(part)),
            Err(error) => self.note(part, &error),
        }
    }

    fn note(&mut self, part: &'static str, error: &anyhow::Error) {
        *self.counts.entry(part).or_default() += 1;
        let reason = format!("{error:#}");
        if self.last.get(part) != Some(&reason) {
            tracing::warn!(part, error = %reason, "host metrics are incomplete");
            self.last.insert(part, reason);
        }
    }
}

/// A device's or interface's attributes with a direction.
fn directed(
    key: &str,
    name: &str,
    direction_key: &str,
    direction: &str,
) -> [opentelemetry_proto::tonic::common::v1::KeyValue; 2] {
    [text(key, name), text(direction_key, direction)]
}

#[cfg(test)]
mod tests;
