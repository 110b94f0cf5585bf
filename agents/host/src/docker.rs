//! Container metrics from the Docker Engine API.
//!
//! Source: Docker Engine API, `GET /containers/json`, `/containers/{id}/json`, `/containers/{id}/stats`. Paths carry no version: the
//! engine then answers in its newest, and the fields read here are in all of them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use futures_util::StreamExt;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::http::get_over_socket;
use crate::instrument as i;
use crate::otlp::{Recorder, resource_metrics, text};

const TIMEOUT: Duration = Duration::from_secs(5);
const MAX_BODY_BYTES: usize = 16 << 20;
/// Requests at a time; the engine computes each answer by walking cgroups.
const AT_ONCE: usize = 8;
/// Containers reported per collection; more are left out and the log says so.
const MAX_CONTAINERS: usize = 500;

/// One engine behind a socket.
#[derive(Debug)]
pub(crate) struct Docker {
    socket: PathBuf,
    known: HashMap<String, Known>,
    state: State,
}

/// What is remembered of a container between collections.
#[derive(Clone, Debug)]
struct Known {
    started_unix_nano: u64,
    cpu_nanos: u64,
    read_unix_nano: u64,
}

/// What the log said last, so that it says each change once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unknown,
    Off,
    On,
    Failing,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: String,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    image: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    state: InspectedState,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedState {
    started_at: String,
}

// The engine writes `null` for empty lists and objects, so every part is optional.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stats {
    cpu_stats: CpuStats,
    memory_stats: MemoryStats,
    networks: Option<HashMap<String, NetworkStats>>,
    blkio_stats: BlkioStats,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CpuStats {
    cpu_usage: CpuUsage,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CpuUsage {
    total_usage: u64,
    usage_in_usermode: u64,
    usage_in_kernelmode: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MemoryStats {
    usage: Option<u64>,
    limit: Option<u64>,
    stats: Option<HashMap<String, u64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NetworkStats {
    rx_bytes: u64,
    tx_bytes: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BlkioStats {
    io_service_bytes_recursive: Option<Vec<BlkioEntry>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BlkioEntry {
    op: String,
    value: u64,
}

impl Docker {
    /// Reads the engine at `socket`, whenever it is there.
    pub(crate) fn new(socket: PathBuf) -> Self {
        Self { socket, known: HashMap::new(), state: State::Unknown }
    }

    /// One resource per running container: the host's attributes with the container's.
    ///
    /// No socket means no containers; an engine that fails is logged when it begins to, and again when it recovers.
    pub(crate) async fn collect(&mut self, now: u64, host: &[KeyValue]) -> Vec<ResourceMetrics> {
        if self.socket.as_os_str().is_empty() || !self.socket.exists() {
            self.known.clear();
            self.now_is(State::Off, None);
            return Vec::new();
        }
        match self.running(now, host).await {
            Ok(resources) => {
                self.now_is(State::On, None);
                resources
            }
            Err(error) => {
                self.now_is(State::Failing, Some(&error));
                Vec::new()
            }
        }
    }

    fn now_is(&mut self, state: State, error: Option<&anyhow::Error>) {
        if self.state == state {
            return;
        }
        self.state = state;
        let socket = self.socket.display();
        match (state, error) {
            (State::Off, _) => tracing::info!(%socket, "no Docker socket: container metrics are off"),
            (State::On, _) => tracing::info!(%socket, "container metrics are on"),
            (_, error) => {
                let error = error.map(|error| format!("{error:#}")).unwrap_or_default();
                tracing::warn!(%socket, %error, "Docker does not answer: no container metrics");
            }
        }
    }

    async fn running(&mut self, now: u64, host: &[KeyValue]) -> anyhow::Result<Vec<ResourceMetrics>> {
        let mut listed: Vec<Listed> = self.get("/containers/json").await?;
        if listed.len() > MAX_CONTAINERS {
            tracing::warn!(running = listed.len(), reported = MAX_CONTAINERS, "too many containers: some left out");
            listed.truncate(MAX_CONTAINERS);
        }
        let this = &*self;
        let readings: Vec<_> = futures_util::stream::iter(listed)
            .map(|listed| async move {
                let reading = this.read(&listed.id).await;
                (listed, reading)
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let mut known = HashMap::new();
        let mut resources = Vec::new();
        for (listed, reading) in readings {
            match reading {
                Ok((stats, started_unix_nano)) => {
                    let mut recorder = Recorder::new(now, started_unix_nano.min(now));
                    record(&stats, started_unix_nano, self.known.get(&listed.id), &mut recorder);
                    let cpu_nanos = stats.cpu_stats.cpu_usage.total_usage;
                    known.insert(listed.id.clone(), Known { started_unix_nano, cpu_nanos, read_unix_nano: now });
                    resources.extend(resource_metrics(attributes(host, &listed), recorder.finish()));
                }
                // It may have ended between listing and reading.
                Err(error) => tracing::debug!(container = %listed.id, error = %format!("{error:#}"), "not read"),
            }
        }
        self.known = known;
        Ok(resources)
    }

    /// Statistics, and when the container started. The start is asked for once, and again after the counters fell.
    async fn read(&self, id: &str) -> anyhow::Result<(Stats, u64)> {
        // Without `one-shot` the engine samples for a second to fill in the previous reading.
        let stats: Stats = self.get(&format!("/containers/{id}/stats?stream=false&one-shot=true")).await?;
        let known = self.known.get(id).filter(|known| known.cpu_nanos <= stats.cpu_stats.cpu_usage.total_usage);
        if let Some(known) = known {
            return Ok((stats, known.started_unix_nano));
        }
        let inspected: Inspected = self.get(&format!("/containers/{id}/json")).await?;
        let started = OffsetDateTime::parse(&inspected.state.started_at, &Rfc3339).context("StartedAt")?;
        Ok((stats, u64::try_from(started.unix_timestamp_nanos()).unwrap_or_default()))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let answer = get_over_socket(&self.socket, path, TIMEOUT, MAX_BODY_BYTES).await?;
        anyhow::ensure!(answer.status.is_success(), "{path} answered {}", answer.status);
        serde_json::from_slice(&answer.body).with_context(|| path.to_owned())
    }
}

fn attributes(host: &[KeyValue], listed: &Listed) -> Vec<KeyValue> {
    let name = listed.names.first().map_or("", |name| name.trim_start_matches('/'));
    let container = [
        text("container.id", listed.id.as_str()),
        text("container.name", name),
        text("container.image.name", listed.image.as_str()),
        text("container.runtime.name", "docker"),
    ];
    host.iter().cloned().chain(container).collect()
}

fn record(stats: &Stats, started: u64, previous: Option<&Known>, to: &mut Recorder) {
    cpu(&stats.cpu_stats.cpu_usage, previous, to);
    memory(&stats.memory_stats, to);
    for (name, network) in stats.networks.iter().flatten() {
        for (direction, bytes) in [("receive", network.rx_bytes), ("transmit", network.tx_bytes)] {
            let attributes = [text("network.interface.name", name.as_str()), text("network.io.direction", direction)];
            to.record(&i::CONTAINER_NETWORK_IO, bytes, attributes);
        }
    }
    for direction in ["read", "write"] {
        let entries = stats.blkio_stats.io_service_bytes_recursive.iter().flatten();
        let bytes: u64 = entries.filter(|e| e.op.eq_ignore_ascii_case(direction)).map(|e| e.value).sum();
        to.record(&i::CONTAINER_DISK_IO, bytes, [text("disk.io.direction", direction)]);
    }
    to.record(&i::CONTAINER_UPTIME, to.now().saturating_sub(started) as f64 / 1e9, []);
}

fn cpu(usage: &CpuUsage, previous: Option<&Known>, to: &mut Recorder) {
    for (mode, nanos) in [("user", usage.usage_in_usermode), ("kernel", usage.usage_in_kernelmode)] {
        to.record(&i::CONTAINER_CPU_TIME, nanos as f64 / 1e9, [text("cpu.mode", mode)]);
    }
    if let Some(previous) = previous.filter(|previous| previous.cpu_nanos <= usage.total_usage) {
        let passed = to.now().saturating_sub(previous.read_unix_nano);
        if passed > 0 {
            let busy = usage.total_usage - previous.cpu_nanos;
            to.record(&i::CONTAINER_CPU_USAGE, busy as f64 / passed as f64, []);
        }
    }
}

/// Field names differ: cgroup v2 says `inactive_file` and `anon`, v1 `total_inactive_file` and `rss`.
fn memory(memory: &MemoryStats, to: &mut Recorder) {
    let Some(usage) = memory.usage else { return };
    let field = |names: [&str; 2]| {
        let stats = memory.stats.as_ref()?;
        names.iter().find_map(|name| stats.get(*name).copied())
    };
    let working_set = usage.saturating_sub(field(["total_inactive_file", "inactive_file"]).unwrap_or_default());
    to.record(&i::CONTAINER_MEMORY_USAGE, usage, []);
    to.record(&i::CONTAINER_MEMORY_WORKING_SET, working_set, []);
    if let Some(anonymous) = field(["anon", "rss"]) {
        to.record(&i::CONTAINER_MEMORY_RSS, anonymous, []);
    }
    if let Some(limit) = memory.limit.filter(|limit| *limit > 0) {
        to.record(&i::CONTAINER_MEMORY_AVAILABLE, limit.saturating_sub(working_set), []);
    }
}

#[cfg(test)]
mod tests;
