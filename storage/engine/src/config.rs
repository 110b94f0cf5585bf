//! Configuration.

use orrery_model::Signal;
use orrery_query::retention::{Limit, Rule};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Where and how telemetry is kept. Unknown keys are refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The data directory; made if missing.
    pub data_dir: PathBuf,
    /// How long items are kept, by their own time; rollups, too. When everything is past its time, it stays until
    /// newer items come: the clock may be wrong. `None` keeps them for ever. Default 30 days.
    #[serde(default = "retention")]
    pub retention: Option<Duration>,
    /// Bounds of single signals. Rollups do not follow them. Default none.
    #[serde(default)]
    pub limits: BTreeMap<Signal, Limit>,
    /// Rows that go before the others. Rollups do not follow them. Default none.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Files of segments that were merged or have expired stay this long for readers outside the server, unless disk
    /// is short. Default 5 minutes.
    #[serde(default = "linger")]
    pub linger: Duration,
    /// Opening waits so long for what the last run left in the log to be queryable. The rest is read while telemetry is
    /// taken, and answers are partial until then. Default: until all of it is.
    #[serde(default)]
    pub open_within: Option<Duration>,
    /// Received bytes that may wait for the log, decoded size included. Default: a thirty-second of the memory available,
    /// at least 32 MiB and at most 128.
    #[serde(default = "queue_bytes")]
    pub queue_bytes: u64,
    /// Bytes of rows held in memory before requests are refused. Default: a sixteenth of the memory available, at
    /// least 128 MiB and at most 256.
    #[serde(default = "hot_bytes")]
    pub hot_bytes: u64,
    /// A slice of rows in memory is sealed when it is this old. Default 60 s.
    #[serde(default = "seal_after")]
    pub seal_after: Duration,
    /// A slice is sealed early when it holds this many bytes. Default: three eighths of `hot_bytes`.
    #[serde(default)]
    pub seal_bytes: Option<u64>,
    /// A file of the write-ahead log is closed at this size: what is removed at once. Default 4 MiB.
    #[serde(default = "wal_file_bytes")]
    pub wal_file_bytes: u64,
    /// Requests are refused when the file system has less than this free. Default 512 MiB.
    #[serde(default = "disk_reserve_bytes")]
    pub disk_reserve_bytes: u64,
    /// Memory for queries, bytes. Default: an eighth of the memory available, at most 1 GiB.
    #[serde(default = "query_memory_bytes")]
    pub query_memory_bytes: u64,
    /// Memory for indexes and footers of segments, bytes; what does not fit is read from its file when it is needed, about ten
    /// microseconds per segment and question. Default: a hundredth of the memory available, at least 16 MiB and at most
    /// 256.
    #[serde(default = "index_memory_bytes")]
    pub index_memory_bytes: u64,
    /// Threads for queries. Default: as many as there are processors for us.
    #[serde(default = "query_threads")]
    pub query_threads: u32,
    /// Queries that may run at once; more are told to retry. Default 8.
    #[serde(default = "query_concurrency")]
    pub query_concurrency: u32,
    /// Rows that a merged segment has at most; about a kilobyte of memory each while merging. Default 250 000.
    #[serde(default = "compact_rows")]
    pub compact_rows: u64,
    /// Whether small segments are merged. Default yes.
    #[serde(default = "yes")]
    pub compact: bool,
}

impl Config {
    /// The defaults, in this directory.
    pub fn new(data_dir: impl Into<PathBuf>) -> Config {
        Config {
            data_dir: data_dir.into(),
            retention: retention(),
            limits: BTreeMap::new(),
            rules: Vec::new(),
            linger: linger(),
            open_within: None,
            queue_bytes: queue_bytes(),
            hot_bytes: hot_bytes(),
            seal_after: seal_after(),
            seal_bytes: None,
            wal_file_bytes: wal_file_bytes(),
            disk_reserve_bytes: disk_reserve_bytes(),
            query_memory_bytes: query_memory_bytes(),
            index_memory_bytes: index_memory_bytes(),
            query_threads: query_threads(),
            query_concurrency: query_concurrency(),
            compact_rows: compact_rows(),
            compact: yes(),
        }
    }

    /// How long items of this signal are kept.
    pub(crate) fn max_age(&self, signal: Signal) -> Option<Duration> {
        self.limits.get(&signal).and_then(|limit| limit.max_age).or(self.retention)
    }

    pub(crate) fn seal_bytes(&self) -> u64 {
        self.seal_bytes.unwrap_or(self.hot_bytes / 8 * 3)
    }
}

const MIB: u64 = 1 << 20;

fn retention() -> Option<Duration> {
    Some(Duration::from_secs(30 * 24 * 3600))
}

fn linger() -> Duration {
    Duration::from_secs(300)
}

fn queue_bytes() -> u64 {
    (available_memory() / 32).clamp(32 * MIB, 128 * MIB)
}

fn hot_bytes() -> u64 {
    (available_memory() / 16).clamp(128 * MIB, 256 * MIB)
}

fn seal_after() -> Duration {
    Duration::from_secs(60)
}

fn wal_file_bytes() -> u64 {
    4 * MIB
}

fn disk_reserve_bytes() -> u64 {
    512 * MIB
}

fn query_memory_bytes() -> u64 {
    (available_memory() / 8).min(1024 * MIB)
}

fn index_memory_bytes() -> u64 {
    (available_memory() / 100).clamp(16 * MIB, 256 * MIB)
}

fn query_threads() -> u32 {
    // Respects the cgroup's quota on Linux.
    std::thread::available_parallelism().map_or(1, |threads| threads.get() as u32)
}

fn query_concurrency() -> u32 {
    8
}

fn compact_rows() -> u64 {
    250_000
}

fn yes() -> bool {
    true
}

/// Memory this process may use: the cgroup's limit, else the machine's.
fn available_memory() -> u64 {
    let limit = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok());
    let total = rustix::system::sysinfo();
    let machine = total.totalram as u64 * u64::from(total.mem_unit.max(1));
    limit.map_or(machine, |limit| limit.min(machine))
}
